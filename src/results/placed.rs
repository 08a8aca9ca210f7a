//! Where lines stand, by record: how rows that are written otherwise today are compared with what was sent, without
//! holding all lines in memory.

use std::io;

use super::codec::Cells;
use super::columns::ResultsColumn;
use super::compact::OldLines;
use super::disk::Disk;
use super::history::Kept;
use super::line::Line;
use super::snapshot::ResultsSnapshot;
use crate::outcome::Status;
use crate::owner::CrmOwner;
use crate::upload::{RecordId, RowKey};

/// A row's last line, by the record that it is about, or by what else lines are compared by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PlacedLine {
    /// The record, or a number that stands for its key.
    pub group: u64,
    /// Whether it is open what became of it: such lines come behind the others of their record.
    pub is_open: bool,
    /// Where the line begins, in bytes from the beginning of the file: the order in which lines stand.
    pub offset: u64,
    /// The key of the row.
    pub key: RowKey,
}

impl<D: Disk> ResultsSnapshot<D> {
    /// Every line that tells of an attachment, of the rows and records that are wanted, by record.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or has changed since it was.
    pub fn placed(
        &self,
        wanted: impl Fn(RowKey, Status) -> bool,
        of_interest: impl Fn(u64) -> bool,
    ) -> io::Result<Vec<PlacedLine>> {
        // An invalid row may have anything for a record, but created nothing; an edited one is read by its key.
        let record = |cells: &Cells<'_>| cells.parsed::<u64>(ResultsColumn::Record).ok().and_then(RecordId::new);
        self.grouped(wanted, |cells| record(cells).map(RecordId::get).filter(|record| of_interest(*record)))
    }

    /// The same by the key of the record: `group` says where a line of this module and key belongs, if anywhere.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or has changed since it was.
    pub fn placed_by_record_key(
        &self,
        wanted: impl Fn(RowKey, Status) -> bool,
        group: impl Fn(&str, &str) -> Option<u64>,
    ) -> io::Result<Vec<PlacedLine>> {
        self.grouped(wanted, |cells| {
            // Most lines have none.
            if cells.raw(ResultsColumn::RecordKey).is_empty() {
                return None;
            }
            let module = cells.text(ResultsColumn::Module).ok()?;
            group(&module, &cells.text(ResultsColumn::RecordKey).ok()?)
        })
    }

    fn grouped(
        &self,
        wanted: impl Fn(RowKey, Status) -> bool,
        group: impl Fn(&Cells<'_>) -> Option<u64>,
    ) -> io::Result<Vec<PlacedLine>> {
        let created = |kept: &&Kept| kept.status.tells_of_attachment() && wanted(kept.key(), kept.status);
        let mut kept: Vec<Kept> = self.history().iter().filter(created).copied().collect();
        kept.sort_unstable_by_key(|kept| kept.offset);
        let mut source = self.source();
        let mut placed = Vec::new();
        for kept in kept {
            if let Some(group) = group(&source.cells(&kept)?) {
                let is_open = kept.status.is_open();
                placed.push(PlacedLine { group, is_open, offset: kept.offset, key: kept.key() });
            }
        }
        placed.sort_unstable();
        Ok(placed)
    }

    /// The owners that lines name which may have created something, at the time or in the end.
    pub fn owners_named(&self) -> &[CrmOwner] {
        &self.scan().owners
    }

    /// The owners that the last lines of rows name which may have created something: those that bind the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or has changed since it was.
    pub fn owners(&self) -> io::Result<Vec<CrmOwner>> {
        let mut source = self.source();
        let mut owners = Vec::new();
        for kept in self.history().iter().filter(|kept| kept.status.may_have_created()) {
            let owner = source.cells(kept)?.optional(ResultsColumn::Org).ok().flatten();
            owners.extend(owner.filter(|owner| !owners.contains(owner)));
        }
        Ok(owners)
    }

    /// Reads lines one after the other; cheap where each stands behind the one before.
    pub fn reader(&self) -> LineReader<'_, D> {
        LineReader { seen: self, source: self.source() }
    }
}

/// What a line says of the file that was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SentFileFacts {
    /// How many bytes it had; `None` for a line that does not say it.
    pub size: Option<u64>,
    /// The service's time at the first `sending`, in whole seconds since 1970; `None` for a line that does not say it.
    pub sent_at: Option<i64>,
}

/// Reads lines of a results file.
pub struct LineReader<'s, D: Disk> {
    seen: &'s ResultsSnapshot<D>,
    source: OldLines<'s, D>,
}

impl<D: Disk> LineReader<'_, D> {
    /// The last line of a row.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn line(&mut self, key: RowKey) -> io::Result<Option<Line>> {
        self.seen.history().find(key).map(|kept| self.source.stored(kept)).transpose()
    }

    /// What the last line of a row says of its file; takes much less than reading all of the line.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn sent_file(&mut self, key: RowKey) -> io::Result<Option<SentFileFacts>> {
        let Some(kept) = self.seen.history().find(key) else { return Ok(None) };
        let cells = self.source.cells(kept)?;
        let size = cells.optional(ResultsColumn::Bytes).ok().flatten();
        let sent_at = cells.optional::<jiff::Timestamp>(ResultsColumn::SentAt).ok().flatten();
        Ok(Some(SentFileFacts { size, sent_at: sent_at.map(jiff::Timestamp::as_second) }))
    }
}
