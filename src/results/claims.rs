//! Which attachments are ours already: every id that a row uploaded, by record, so that a row in doubt is never given the
//! attachment of another row. Most runs never ask, so nothing is read before the first question.

use std::collections::BTreeSet;
use std::io;

use super::codec::Cells;
use super::columns::{Layout, ResultsColumn};
use super::disk::Disk;
use super::scan::ResultsLines;
use crate::outcome::Status;
use crate::upload::{RecordId, ServiceId};

#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Up to where the file has been read.
    read: u64,
    /// (record, attachment) of every line `uploaded`, `superseded`, `deleting` or `deleted`.
    pairs: BTreeSet<(u64, u64)>,
    /// Attachments that a line of another status names: they need not be there.
    withdrawn: BTreeSet<u64>,
    /// Every attachment that the file named for any row when this was first asked for, sorted; `None` before that.
    before: Option<Vec<u64>>,
}

impl Claims {
    /// Takes in what was written since the last time.
    pub(super) fn read_on<D: Disk>(&mut self, disk: &D, file: &D::File, layout: &Layout) -> io::Result<()> {
        let mut lines = ResultsLines::new(disk, file);
        let mut ranges = Vec::new();
        let mut next = lines.at(self.read)?;
        while let Some(physical) = next {
            if !physical.whole {
                break;
            }
            let cells = Cells::split(physical.bytes, layout, &mut ranges).ok();
            // The header and lines without an attachment have no number there. What was skipped because the record had
            // it (`already_present`) may be the very attachment that a row in doubt is looked for by.
            if let Some(cells) = cells
                && let Some(attachment) = number(cells.raw(ResultsColumn::AttachmentId))
                && let Some(record) = number(cells.raw(ResultsColumn::Record))
            {
                let is = |status: Status| cells.raw(ResultsColumn::Status) == status.as_str().as_bytes();
                // A superseded one is no other row's either, but may be gone: that may be why the row was sent again. Nor is
                // one that was deleted, which lists may still show.
                let ours = [Status::Uploaded, Status::Superseded, Status::Deleting, Status::Deleted];
                if ours.into_iter().any(is) {
                    self.pairs.insert((record, attachment));
                }
                if !is(Status::Uploaded) {
                    self.withdrawn.insert(attachment);
                }
            }
            self.read = physical.end();
            next = lines.next()?;
        }
        Ok(())
    }

    /// Whether any line of the file named this attachment when that was first asked. What this run writes is known to
    /// whoever writes it.
    pub(super) fn held_before<D: Disk>(
        &mut self,
        disk: &D,
        file: &D::File,
        layout: &Layout,
        attachment: ServiceId,
    ) -> io::Result<bool> {
        let before = match &mut self.before {
            Some(before) => before,
            none => none.insert(every_attachment(disk, file, layout)?),
        };
        Ok(before.binary_search(&attachment.get()).is_ok())
    }

    /// Those of the record's attachments that must be there, as far as the file knows.
    pub(super) fn expected_of(&self, record: RecordId) -> Vec<ServiceId> {
        self.of(record).into_iter().filter(|id| !self.withdrawn.contains(&id.get())).collect()
    }

    pub(super) fn of(&self, record: RecordId) -> Vec<ServiceId> {
        let record = record.get();
        self.pairs.range((record, 0)..=(record, u64::MAX)).map(|(_, id)| ServiceId::new(*id)).collect()
    }
}

fn every_attachment<D: Disk>(disk: &D, file: &D::File, layout: &Layout) -> io::Result<Vec<u64>> {
    let mut lines = ResultsLines::new(disk, file);
    let (mut all, mut ranges) = (Vec::new(), Vec::new());
    let mut next = lines.at(0)?;
    while let Some(physical) = next.filter(|physical| physical.whole) {
        let cells = Cells::split(physical.bytes, layout, &mut ranges).ok();
        all.extend(cells.and_then(|cells| number(cells.raw(ResultsColumn::AttachmentId))));
        next = lines.next()?;
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

fn number(cell: &[u8]) -> Option<u64> {
    std::str::from_utf8(cell).ok()?.parse().ok()
}
