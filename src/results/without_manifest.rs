//! Results that are read and written where no manifest is at hand: what stands in them is all that is known of their rows.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use super::columns::Layout;
use super::compact::{Old, OldLines, ResultsRows, Which};
use super::disk::Disk;
use super::end::EndError;
use super::error::ResultsError;
use super::held::LockedResults;
use super::history::{History, Kept};
use super::line::Line;
use super::log::{Batch, Finished, ResultsLog};
use super::snapshot::ResultsSnapshot;
use crate::upload::RowKey;

impl<D: Disk> ResultsSnapshot<D> {
    /// The line in the manifest of each row that has lines set aside, by their keys: they have no number of their own.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or has changed since it was.
    pub fn lines_of_superseded(&self) -> io::Result<HashMap<RowKey, u32>> {
        let mut lines = HashMap::new();
        let mut source = self.source();
        for (key, row) in self.history().superseded_keys() {
            let line = self.history().find(row).map(|kept| source.cells(kept).map(|cells| cells.line_number()));
            lines.insert(key, line.transpose()?.and_then(Result::ok).unwrap_or(0));
        }
        Ok(lines)
    }

    /// The last line of each row, in manifest order.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or has changed since it was.
    pub fn lines(&self) -> io::Result<impl Iterator<Item = io::Result<Line>> + '_> {
        let mut source = self.source();
        let rows = in_manifest_order(self.history(), &mut source)?;
        Ok(rows.into_iter().map(move |kept| source.stored(&kept)))
    }
}

impl<D: Disk> LockedResults<D> {
    /// Makes the file ready to be appended to, for lines of rows that have some.
    ///
    /// # Errors
    ///
    /// The file could not be made ready.
    pub fn begin_without_manifest(self) -> Result<ResultsLog<D>, ResultsError> {
        ResultsLog::begin(self, &NoRows)
    }
}

impl<D: Disk> ResultsLog<D> {
    /// The lines of these rows as they stand now, to be read while the log goes on.
    ///
    /// # Errors
    ///
    /// The file is gone or cannot be opened again.
    pub fn stored_lines(&self, keys: impl Iterator<Item = RowKey>) -> io::Result<StoredLines<D>> {
        let gone = || io::Error::other("the file was removed while it was in use");
        Ok(StoredLines {
            disk: self.disk().clone(),
            path: self.path().to_owned(),
            file: self.disk().open_to_read(self.path())?.ok_or_else(gone)?,
            layout: self.layout().clone(),
            history: keys.filter_map(|key| Some((key, *self.history().find(key)?))).collect(),
        })
    }

    /// Makes the file a table: one line for each row, those of the manifest in its order.
    ///
    /// # Errors
    ///
    /// The table could not be written in full. The error holds what is to be saved; the file is as it was.
    pub fn compact_without_manifest(mut self) -> Result<Finished<D>, EndError<D>> {
        if let Err(cause) = self.sync() {
            return Err(self.ended(cause, Batch::default()));
        }
        self.write_table(&Which::AsItStands)
    }
}

/// No rows: those of a manifest that is not at hand.
pub(super) struct NoRows;

impl ResultsRows for NoRows {
    fn columns(&self) -> &[String] {
        &[]
    }

    fn len(&self) -> u32 {
        0
    }

    fn key(&self, row: u32) -> RowKey {
        unreachable!("there is no row {row}")
    }

    fn line(&self, row: u32) -> u32 {
        unreachable!("there is no row {row}")
    }

    fn carried(&self, _row: u32, _each: &mut dyn FnMut(&str)) {}

    fn blank(&self, row: u32) -> Line {
        unreachable!("there is no row {row}")
    }
}

/// The last line of each row, in manifest order. In a log, lines stand in the order in which things happened. Rows that are
/// no longer in the manifest come last.
pub(super) fn in_manifest_order<D: Disk>(history: &History, source: &mut OldLines<'_, D>) -> io::Result<Vec<Kept>> {
    let mut rows: Vec<Kept> = history.iter().copied().collect();
    rows.sort_unstable_by_key(|kept| kept.offset);
    let mut numbered = Vec::with_capacity(rows.len());
    for kept in rows {
        let line = source.stored(&kept)?.line;
        numbered.push((if line == 0 { u32::MAX } else { line }, kept));
    }
    numbered.sort_by_key(|(line, _)| *line);
    Ok(numbered.into_iter().map(|(_, kept)| kept).collect())
}

/// Some lines of a results file as they stood at one moment, read through a handle of its own: whoever writes the file
/// meanwhile only appends.
pub struct StoredLines<D: Disk> {
    disk: D,
    path: PathBuf,
    file: D::File,
    layout: Layout,
    history: HashMap<RowKey, Kept>,
}

impl<D: Disk> StoredLines<D> {
    /// The line of a row.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is none of them.
    pub fn line(&self, key: RowKey) -> io::Result<Line> {
        let kept = self.history.get(&key).ok_or_else(|| io::Error::other(format!("there is no line of {key}")))?;
        let old = Old { disk: &self.disk, path: &self.path, file: Some(&self.file), layout: &self.layout };
        OldLines::new(&old).stored(kept)
    }
}
