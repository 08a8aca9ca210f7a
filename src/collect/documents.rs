//! Documents that one table describes, version by version, and other tables link to records: of each the latest version,
//! whose own line comes to what its links come to.

use std::collections::HashMap;

use super::LeftOutReason;
use super::collector::{Collector, LineEnd, LineOrigin};
use super::error::CollectError;
use super::export::FileMatch;

/// Finds the file of a version by the version's id.
pub(super) type FindFile<'f, 'i> = &'f dyn Fn(&str) -> FileMatch<'i>;

/// A version of a document. The first two of its cells are its id and the name of its file, the last one its time.
#[derive(Clone, Copy)]
pub(super) struct ReadVersion<'r, const CELLS: usize> {
    /// What tells the document from others.
    pub(super) document: &'r str,
    /// The number that versions are counted by; 0 where the table has none.
    pub(super) number: u64,
    /// What is kept of it.
    pub(super) cells: [&'r str; CELLS],
}

/// The latest version of a document.
pub(super) struct LatestVersion<const CELLS: usize> {
    /// Which table and line it comes from.
    table: u32,
    line: u32,
    number: u64,
    /// The cells, separated by NULs: one allocation for each of millions.
    cells: Box<str>,
    /// What came of the links to it.
    links: LinksEnd,
}

/// What came of the links to a document so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum LinksEnd {
    /// No link leads to a record.
    #[default]
    Unlinked,
    /// None of the links became a row; why the first of them did not.
    LeftOut(LeftOutReason),
    /// A record got it.
    Taken,
}

impl<const CELLS: usize> LatestVersion<CELLS> {
    /// What is kept of it.
    pub(super) fn cells(&self) -> [&str; CELLS] {
        let mut cells = self.cells.split('\0');
        std::array::from_fn(|_| cells.next().unwrap_or_default())
    }

    /// Takes in what came of a link to a record.
    pub(super) fn linked(&mut self, link: &LineEnd) {
        self.links = match (self.links, link.reason()) {
            (LinksEnd::Taken, _) | (_, None) => LinksEnd::Taken,
            (LinksEnd::Unlinked, Some(reason)) => LinksEnd::LeftOut(reason),
            (first @ LinksEnd::LeftOut(_), Some(_)) => first,
        };
    }

    fn is_before(&self, other: &ReadVersion<'_, CELLS>) -> bool {
        let time = self.cells().last().copied().unwrap_or_default();
        (self.number, time) < (other.number, other.cells.last().copied().unwrap_or_default())
    }
}

/// The documents of an export, each in its latest version.
pub(super) struct Documents<const CELLS: usize> {
    tables: Vec<String>,
    latest: HashMap<Box<str>, LatestVersion<CELLS>>,
}

impl<const CELLS: usize> Documents<CELLS> {
    /// None yet.
    pub(super) fn new() -> Documents<CELLS> {
        Documents { tables: Vec::new(), latest: HashMap::new() }
    }

    /// The document, if it is in the export.
    pub(super) fn find(&mut self, document: &str) -> Option<&mut LatestVersion<CELLS>> {
        self.latest.get_mut(document)
    }

    /// Adds a version, and ends the line of the one that turns out not to be the latest. Of two that cannot be told apart
    /// the first one stays.
    pub(super) fn add(
        &mut self,
        origin: LineOrigin<'_>,
        version: &ReadVersion<'_, CELLS>,
        find: FindFile<'_, '_>,
        out: &mut Collector<'_>,
    ) -> Result<LineEnd, CollectError> {
        if self.latest.get(version.document).is_some_and(|known| !known.is_before(version)) {
            let [id, name, ..] = version.cells.as_slice() else { return Ok(out.taken()) };
            out.speak_of_all(find(id));
            return out.leave_out(origin, id, name, LeftOutReason::OldVersion);
        }
        let cells = version.cells.map(|cell| cell.replace('\0', " ")).join("\0").into_boxed_str();
        let (table, line) = (self.table(origin.table), origin.line);
        let latest = LatestVersion { table, line, number: version.number, cells, links: LinksEnd::default() };
        if let Some(earlier) = self.latest.insert(version.document.into(), latest) {
            let end = self.leave_out(&earlier, LeftOutReason::OldVersion, find, out)?;
            out.end_later(end);
        }
        Ok(out.later())
    }

    fn table(&mut self, name: &str) -> u32 {
        if self.tables.last().is_none_or(|last| last != name) {
            self.tables.push(name.to_owned());
        }
        (self.tables.len() - 1) as u32
    }

    fn leave_out(
        &self,
        version: &LatestVersion<CELLS>,
        reason: LeftOutReason,
        find: FindFile<'_, '_>,
        out: &mut Collector<'_>,
    ) -> Result<LineEnd, CollectError> {
        let cells = version.cells();
        let [id, name, ..] = cells.as_slice() else { return Ok(out.taken()) };
        out.speak_of_all(find(id));
        let table = self.tables.get(version.table as usize).map_or("", String::as_str);
        out.leave_out(LineOrigin { table, line: version.line }, id, name, reason)
    }

    /// Ends the lines of all latest versions: those that no record got are left out.
    pub(super) fn finish(mut self, find: FindFile<'_, '_>, out: &mut Collector<'_>) -> Result<(), CollectError> {
        let mut versions: Vec<LatestVersion<CELLS>> = std::mem::take(&mut self.latest).into_values().collect();
        versions.sort_unstable_by_key(|version| (version.table, version.line));
        for version in versions {
            let end = match version.links {
                LinksEnd::Taken => out.taken(),
                LinksEnd::Unlinked => self.leave_out(&version, LeftOutReason::NoRecordLink, find, out)?,
                LinksEnd::LeftOut(reason) => self.leave_out(&version, reason, find, out)?,
            };
            out.end_later(end);
        }
        Ok(())
    }
}
