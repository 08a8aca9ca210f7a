//! Reads results for those who only look: no lock, nothing written, whether a run is still going on, was killed, or has
//! made its table.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use super::columns::Layout;
use super::compact::ResultsTally;
use super::disk::{Disk as _, RealDisk};
use super::error::ResultsError;
use super::history::Kept;
use super::line::Line;
use super::runs::KnownRuns;
use super::snapshot::{ResultsOptions, ResultsSnapshot, see, unlocked};
use super::without_manifest::in_manifest_order;
use crate::upload::RowKey;

/// The results of a manifest: the last line of each row, in manifest order.
#[derive(Debug)]
pub struct ResultsTable {
    seen: ResultsSnapshot<RealDisk>,
    rows: Vec<Kept>,
    tally: ResultsTally,
}

/// Reads the results at this path. A file that is not there is an error here, and so is one that lost lines: whoever asks
/// what was sent must not be told less.
///
/// # Errors
///
/// It is not there, cannot be read, has lost lines, or is none that a run wrote.
pub fn read(path: &Path, accept_edited: bool) -> Result<ResultsTable, ResultsError> {
    let seen = unlocked(|| {
        let file = RealDisk
            .open_to_read(path)
            .and_then(|file| file.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no such file")));
        let file = file.map_err(|cause| ResultsError::io("read", path, cause))?;
        see(RealDisk, path, Some(file), &ResultsOptions { accept_edited, ..ResultsOptions::default() })
    })?;
    if !accept_edited {
        seen.is_as_long_as_known(&KnownRuns::read(path))?;
    }
    let mut rows: Vec<Kept> = seen.history().iter().copied().collect();
    rows.sort_unstable_by_key(|kept| kept.offset);
    if seen.scan().order.is_none() {
        let ordered = in_manifest_order(seen.history(), &mut seen.source());
        rows = ordered.map_err(|cause| ResultsError::io("read", path, cause))?;
    }
    let mut tally = ResultsTally::default();
    rows.iter().for_each(|kept| tally.add(kept.status));
    Ok(ResultsTable { seen, rows, tally })
}

impl ResultsTable {
    /// The columns of the file.
    pub fn layout(&self) -> &Layout {
        &self.seen.scan().layout
    }

    /// How many rows have which status. `sending` is one whose answer nobody has written down: a run is under way, or
    /// was killed.
    pub fn tally(&self) -> &ResultsTally {
        &self.tally
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Lines that are no rows of their own, since their rows were sent once more, by their keys.
    pub fn set_aside(&self) -> HashSet<RowKey> {
        self.seen.history().set_aside()
    }

    /// Whether a run came to its end and made a table of its log: a line for each row of the manifest. Where it is still
    /// going on or was cut off, rows that it had not begun have no line.
    pub fn is_complete(&self) -> bool {
        self.seen.scan().order.is_some()
    }

    /// How many lines were passed over because a crash had torn them.
    pub fn torn(&self) -> u32 {
        self.seen.torn()
    }

    /// The last line of each row.
    pub fn rows(&self) -> impl Iterator<Item = io::Result<Line>> + '_ {
        let mut source = self.seen.source();
        self.rows.iter().map(move |kept| source.stored(kept))
    }

    /// The last line of one row.
    pub fn row(&self, key: RowKey) -> io::Result<Option<Line>> {
        self.seen.line(key)
    }

    /// Where the uploads went: the host of the API, or `sandbox`; where none did, where they were to go. `None` if there
    /// are no rows.
    pub fn target(&self) -> io::Result<Option<String>> {
        let mut first = None;
        for line in self.rows() {
            let line = line?;
            if line.status.may_have_created() {
                return Ok(Some(line.target));
            }
            first.get_or_insert(line.target);
        }
        Ok(first)
    }
}
