//! Where everything that was read ends: in the manifest, or in the list of what was left out.
//!
//! A line's end can only be made here, so that a recipe that drops one does not compile; and the counts are held against
//! each other before anything is kept.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::LeftOutReason;
use super::error::{CollectError, OrWhat as _};
use super::export::{Export, ExportFileIx, FileMatch};
use super::names;
use crate::check::{may_be_link, meant_module};
use crate::crm::limits::MAX_FIELD_CHARS;
use crate::crosswalk::judge_key;
use crate::manifest::CELL_LIMIT;
use crate::results::push_cell;

/// Where a line of a table stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineOrigin<'t> {
    /// The table, as a person finds it again.
    pub(crate) table: &'t str,
    /// Physical line, from 1.
    pub(crate) line: u32,
}

/// The end that a line came to.
#[must_use]
#[derive(Debug)]
pub(crate) struct LineEnd(LineEndKind);

impl LineEnd {
    /// Why the line was left out; `None` of one that was taken, or that later lines decide.
    pub(super) fn reason(&self) -> Option<LeftOutReason> {
        match self.0 {
            LineEndKind::LeftOut(reason) => Some(reason),
            LineEndKind::Taken | LineEndKind::Later => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LineEndKind {
    Taken,
    LeftOut(LeftOutReason),
    /// Later lines decide: [`Collector::end_later`] is still to come.
    Later,
}

/// What is attached.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CollectedSource<'r> {
    /// A file of the export.
    File(ExportFileIx),
    /// A file that was made from the export, by its path as the manifest names it.
    Made(&'r str),
    /// An address.
    Link(&'r str),
}

/// A row for the manifest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CollectedRow<'r> {
    /// API name of the module.
    pub(crate) module: &'r str,
    /// What the old system calls the record.
    pub(crate) key: &'r str,
    /// What is attached.
    pub(crate) source: CollectedSource<'r>,
    /// The name that it had; empty for the file's own.
    pub(crate) name: &'r str,
    /// The cells of the recipe's own columns.
    pub(crate) more: &'r [&'r str],
}

/// What came of a collection.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct CollectCounts {
    /// Rows of the manifest, by module.
    pub modules: BTreeMap<String, u64>,
    /// What was left out, by reason.
    pub left_out: BTreeMap<LeftOutReason, u64>,
    /// Lines of the tables that were read.
    pub lines: u64,
    /// Files that lie in the export.
    pub files: u64,
}

impl CollectCounts {
    /// Rows of the manifest.
    pub fn rows(&self) -> u64 {
        self.modules.values().sum()
    }

    /// Lines and files that were left out.
    pub fn all_left_out(&self) -> u64 {
        self.left_out.values().sum()
    }
}

/// Takes rows and what is left out, and writes both as they come.
pub(crate) struct Collector<'w> {
    export: &'w Export,
    manifest: csv::Writer<&'w mut dyn Write>,
    left_out: &'w mut dyn Write,
    /// The line that is being made.
    left_out_line: Vec<u8>,
    /// By file of the export: whether a line or the list speaks of it.
    spoken_of: Vec<bool>,
    counts: CollectCounts,
    /// Lines that ended.
    ended: u64,
    /// Told of lines as they are read.
    progress: &'w mut dyn FnMut(u64),
}

/// The columns of a manifest that every recipe fills.
pub(crate) const COLUMNS: [&str; 5] = ["module", "key", "file", "name", "url"];

/// A row of a manifest may not be longer than twice this, in bytes, and every character of it may be a quote.
const MOST_OF_A_ROW: usize = 512 << 10;

/// The name that an attachment had, where it had to be changed.
pub(crate) const OLD_NAME: &str = "x_name";

/// The columns of the list of what was left out.
pub(crate) const LEFT_OUT_COLUMNS: [&str; 5] = ["source", "line", "id", "name", "reason"];

impl<'w> Collector<'w> {
    /// Begins both files with their headings.
    pub(crate) fn new(
        export: &'w Export,
        more: &[&str],
        manifest: &'w mut dyn Write,
        left_out: &'w mut dyn Write,
        progress: &'w mut dyn FnMut(u64),
    ) -> Result<Collector<'w>, CollectError> {
        let mut collector = Collector {
            export,
            manifest: csv::Writer::from_writer(manifest),
            left_out,
            left_out_line: Vec::new(),
            spoken_of: vec![false; export.files().count()],
            counts: CollectCounts::default(),
            ended: 0,
            progress,
        };
        let columns = COLUMNS.iter().chain(more).chain([&OLD_NAME]);
        collector.manifest.write_record(columns).map_err(io::Error::from).or_what(writing)?;
        writeln!(collector.left_out, "{}", LEFT_OUT_COLUMNS.join(",")).or_what(writing)?;
        Ok(collector)
    }

    /// Ends a line as a row of the manifest, or among what was left out where its file or its key is not fit.
    pub(crate) fn row(
        &mut self,
        origin: LineOrigin<'_>,
        id: &str,
        row: CollectedRow<'_>,
    ) -> Result<LineEnd, CollectError> {
        self.speak_of_source(row.source);
        match self.unfit(&row) {
            Some(reason) => self.leave_out(origin, id, row.name, reason),
            None => {
                self.write_row(&row)?;
                Ok(LineEnd(LineEndKind::Taken))
            }
        }
    }

    /// The only file that was found, or the end of the line that looked for it.
    pub(crate) fn only(
        &mut self,
        origin: LineOrigin<'_>,
        id: &str,
        name: &str,
        found: FileMatch<'_>,
    ) -> Result<Result<ExportFileIx, LineEnd>, CollectError> {
        match found {
            FileMatch::One(file) => Ok(Ok(file)),
            FileMatch::None => self.leave_out(origin, id, name, LeftOutReason::NoFile).map(Err),
            FileMatch::Several(files) => {
                for file in files {
                    if !self.spoken_of[file.get()] {
                        self.leave_file(*file, LeftOutReason::FileTwice)?;
                    }
                }
                self.leave_out(origin, id, name, LeftOutReason::FileTwice).map(Err)
            }
        }
    }

    /// Makes a file of the export a row by itself, where no line speaks of it.
    pub(crate) fn row_of_file(&mut self, file: ExportFileIx, row: CollectedRow<'_>) -> Result<(), CollectError> {
        match self.unfit(&row) {
            Some(reason) => self.leave_file(file, reason),
            None => {
                self.speak_of(file);
                self.write_row(&row)
            }
        }
    }

    /// Ends a line among what was left out.
    pub(crate) fn leave_out(
        &mut self,
        origin: LineOrigin<'_>,
        id: &str,
        name: &str,
        reason: LeftOutReason,
    ) -> Result<LineEnd, CollectError> {
        self.write_left_out(origin.table, Some(origin.line), id, name, reason)?;
        Ok(LineEnd(LineEndKind::LeftOut(reason)))
    }

    /// Lets later lines decide where a line ends: [`Collector::end_later`] is then owed.
    pub(crate) fn later(&mut self) -> LineEnd {
        LineEnd(LineEndKind::Later)
    }

    /// Ends a line that waited: it is taken, or left out with a reason.
    pub(crate) fn end_later(&mut self, end: LineEnd) {
        self.ended += u64::from(end.0 != LineEndKind::Later);
    }

    /// The end of a line that other lines have made rows of.
    pub(crate) fn taken(&self) -> LineEnd {
        LineEnd(LineEndKind::Taken)
    }

    /// Puts a file that no line speaks of on the list.
    pub(crate) fn leave_file(&mut self, file: ExportFileIx, reason: LeftOutReason) -> Result<(), CollectError> {
        self.speak_of(file);
        self.write_left_out(&self.export.written(file), None, "", self.export.name(file), reason)
    }

    /// Whether a line or the list speaks of a file.
    pub(crate) fn is_spoken_of(&self, file: ExportFileIx) -> bool {
        self.spoken_of[file.get()]
    }

    /// Notes that a line speaks of a file.
    pub(crate) fn speak_of(&mut self, file: ExportFileIx) {
        self.spoken_of[file.get()] = true;
    }

    /// Notes that a line speaks of all files that were found for it.
    pub(crate) fn speak_of_all(&mut self, found: FileMatch<'_>) {
        match found {
            FileMatch::None => {}
            FileMatch::One(file) => self.speak_of(file),
            FileMatch::Several(files) => files.iter().for_each(|file| self.speak_of(*file)),
        }
    }

    /// Counts a line that was read, with the end that it came to.
    pub(super) fn count_line(&mut self, end: LineEnd) {
        self.counts.lines += 1;
        self.ended += u64::from(end.0 != LineEndKind::Later);
        if self.counts.lines.is_multiple_of(1024) {
            (self.progress)(self.counts.lines);
        }
    }

    /// Lists the files of the export that nothing speaks of, holds the counts against each other and ends both files.
    pub(crate) fn finish(mut self, candidates: &[ExportFileIx]) -> Result<CollectCounts, CollectError> {
        for file in candidates {
            if !self.is_spoken_of(*file) {
                let is_of_system = names::is_system_file(self.export.inner(*file));
                let reason = if is_of_system { LeftOutReason::SystemFile } else { LeftOutReason::NoLine };
                self.leave_file(*file, reason)?;
            }
        }
        for unfit in self.export.unfit() {
            self.write_left_out(&unfit.path, None, "", "", unfit.reason)?;
        }
        if self.counts.lines != self.ended {
            return Err(CollectError::Unaccounted { lines: self.counts.lines, ended: self.ended });
        }
        self.manifest.flush().or_what(writing)?;
        self.left_out.flush().or_what(writing)?;
        self.counts.files = candidates.len() as u64;
        Ok(self.counts)
    }

    fn speak_of_source(&mut self, source: CollectedSource<'_>) {
        if let CollectedSource::File(file) = source {
            self.speak_of(file);
        }
    }

    /// Why a row cannot stand in a manifest.
    fn unfit(&self, row: &CollectedRow<'_>) -> Option<LeftOutReason> {
        if row.key.is_empty() {
            return Some(LeftOutReason::NoParent);
        }
        if meant_module(row.module) != Some(row.module) {
            return Some(LeftOutReason::ModuleUnknown);
        }
        if judge_key(row.key).is_err() {
            return Some(LeftOutReason::KeyUnfit);
        }
        if is_too_long(row) {
            return Some(LeftOutReason::CellTooLong);
        }
        match row.source {
            CollectedSource::File(file) => self.unfit_file(file, row.name),
            CollectedSource::Made(_) => names::is_program(row.name).then_some(LeftOutReason::ProgramFile),
            CollectedSource::Link(address) => (!may_be_link(address)).then_some(LeftOutReason::LinkUnfit),
        }
    }

    fn unfit_file(&self, file: ExportFileIx, name: &str) -> Option<LeftOutReason> {
        if !self.export.is_usable(file) {
            Some(LeftOutReason::MemberUnfit)
        } else if self.export.size(file) == 0 {
            Some(LeftOutReason::EmptyFile)
        } else if names::is_program(name) || names::is_program(self.export.name(file)) {
            Some(LeftOutReason::ProgramFile)
        } else {
            let path = self.export.written(file);
            let outside = path.split_once(crate::archive::SEPARATOR).map_or(path.as_str(), |(outside, _)| outside);
            let unfit = path.len() > CELL_LIMIT
                || path.chars().any(char::is_control)
                || (!cfg!(windows) && outside.contains('\\'));
            unfit.then_some(LeftOutReason::PathUnfit)
        }
    }

    fn write_row(&mut self, row: &CollectedRow<'_>) -> Result<(), CollectError> {
        let written;
        let (file, url, own) = match row.source {
            CollectedSource::File(file) => {
                written = self.export.written(file);
                (written.as_str(), "", self.export.name(file))
            }
            CollectedSource::Made(path) => (path, "", ""),
            CollectedSource::Link(address) => ("", address, ""),
        };
        let fit = names::fit(row.name);
        let (name, old) = match () {
            () if row.name.is_empty() || fit == own => ("", ""),
            () if fit == row.name => (&*fit, ""),
            () => (&*fit, row.name),
        };
        let cells = [row.module, row.key, file, name, url].into_iter().chain(row.more.iter().copied()).chain([old]);
        match self.counts.modules.get_mut(row.module) {
            Some(count) => *count += 1,
            None => {
                self.counts.modules.insert(row.module.to_owned(), 1);
            }
        }
        for cell in cells {
            self.manifest.write_field(&*in_one_line(cell)).map_err(io::Error::from).or_what(writing)?;
        }
        self.manifest.write_record(None::<&[u8]>).map_err(io::Error::from).or_what(writing)
    }

    fn write_left_out(
        &mut self,
        source: &str,
        line: Option<u32>,
        id: &str,
        name: &str,
        reason: LeftOutReason,
    ) -> Result<(), CollectError> {
        *self.counts.left_out.entry(reason).or_default() += 1;
        let line = line.map_or(String::new(), |line| line.to_string());
        self.left_out_line.clear();
        for cell in [source, &line, shortened(id), shortened(name), reason.as_str()] {
            if !self.left_out_line.is_empty() {
                self.left_out_line.push(b',');
            }
            // People open this list in a spreadsheet, to which a name may be a formula.
            push_cell(&mut self.left_out_line, cell);
        }
        self.left_out_line.push(b'\n');
        self.left_out.write_all(&self.left_out_line).or_what(writing)
    }
}

/// Whether a manifest would not take the row: a cell of it is too long, or all together are.
fn is_too_long(row: &CollectedRow<'_>) -> bool {
    let url = if let CollectedSource::Link(address) = row.source { address } else { "" };
    let cells = || [row.name, url].into_iter().chain(row.more.iter().copied());
    cells().any(|cell| cell.len() > CELL_LIMIT) || cells().map(str::len).sum::<usize>() > MOST_OF_A_ROW
}

/// As much of a text as helps to find it again.
fn shortened(text: &str) -> &str {
    match text.char_indices().nth(MAX_FIELD_CHARS) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

fn writing() -> String {
    "cannot write what was collected".to_owned()
}

/// A cell without line breaks, which a manifest takes in few columns only.
fn in_one_line(cell: &str) -> std::borrow::Cow<'_, str> {
    match cell.contains(['\n', '\r', '\0']) {
        true => cell.replace(['\n', '\r', '\0'], " ").into(),
        false => cell.into(),
    }
}
