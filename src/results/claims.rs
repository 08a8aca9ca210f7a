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
    pairs: BTreeSet<(u64, u64)>,
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
            let uploaded =
                cells.filter(|cells| cells.raw(ResultsColumn::Status) == Status::Uploaded.as_str().as_bytes());
            let pair = uploaded.and_then(|cells| {
                Some((number(cells.raw(ResultsColumn::Record))?, number(cells.raw(ResultsColumn::AttachmentId))?))
            });
            self.pairs.extend(pair);
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
