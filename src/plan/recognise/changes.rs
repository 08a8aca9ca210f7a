//! Files that changed after they were sent. A look at size and time finds what may have changed; only where the user asks
//! for it is anything read, and only what turns out to be different is sent once more.
//!
//! Members of archives are left out: they have no time of their own, and to find their size the archive must be read.

use std::collections::{HashMap, HashSet};
use std::io;

use rayon::prelude::*;

use crate::check::{ChecksumWatch, FileStamp, RowsSoFar};
use crate::content::{Fingerprint, FingerprintKind};
use crate::plan::facts::{ChangedFile, ChangedFiles};
use crate::results::{Disk, LineReader, SentFileFacts};
use crate::upload::RowKey;

/// So many whole seconds later than the sending may a file be that nobody wrote to since: the service's clock is known to
/// the second, and some file systems round times up.
const TOLERANCE: i64 = 2;

/// So many files of each kind are named.
const NAMED: usize = 20;

/// What becomes of rows whose file changed after it was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ChangedRule {
    /// They are told and left alone.
    #[default]
    Tell,
    /// They get a further attachment, once the content proves that the file is another.
    Resend,
}

/// A row that an earlier run uploaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct UploadedRow {
    /// Which of the rows of the manifest.
    pub(super) row: u32,
    /// Which line of the results tells of it: its own, or the one that it takes over.
    pub(super) line: RowKey,
}

/// How a file shows that it is not what was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ChangeSign {
    /// It has another size: it is another.
    Size,
    /// It was written to later: it may be another.
    Time,
}

/// How a file is beside what was sent; `None`: nothing speaks against its being the same.
fn sign(sent: SentFileFacts, now: FileStamp) -> Option<ChangeSign> {
    if sent.size.is_some_and(|size| size != now.size) {
        return Some(ChangeSign::Size);
    }
    let later = sent.sent_at.is_some_and(|sent_at| now.modified > sent_at.saturating_add(TOLERANCE));
    later.then_some(ChangeSign::Time)
}

/// Which of these rows have a file that is not, or may not be, what was sent.
///
/// # Errors
///
/// When the results cannot be read.
pub(super) fn find<D: Disk>(
    uploaded: &[UploadedRow],
    rows: &RowsSoFar<'_>,
    reader: &mut LineReader<'_, D>,
) -> io::Result<Vec<(UploadedRow, ChangeSign)>> {
    let numbers: Vec<u32> = uploaded.iter().map(|uploaded| uploaded.row).collect();
    let mut found = Vec::new();
    for (uploaded, stamp) in uploaded.iter().zip(rows.stamps(&numbers)) {
        // Files may be gone once they were sent.
        let Some(stamp) = stamp else { continue };
        if let Some(sign) = reader.sent_file(uploaded.line)?.and_then(|sent| sign(sent, stamp)) {
            found.push((*uploaded, sign));
        }
    }
    Ok(found)
}

/// What was found out about files that changed after they were sent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FileChanges {
    /// Rows to send once more, by their keys of today.
    pub resend: HashSet<RowKey>,
    /// Rows that are left as they are, for the plan to tell.
    pub told: ChangedFiles,
}

impl FileChanges {
    /// Notes a row that is left as it is.
    pub(super) fn tell(&mut self, rows: &RowsSoFar<'_>, row: u32, sign: ChangeSign) {
        let (count, named) = match sign {
            ChangeSign::Size => (&mut self.told.changed, &mut self.told.first_changed),
            ChangeSign::Time => (&mut self.told.perhaps_changed, &mut self.told.first_perhaps_changed),
        };
        *count += 1;
        if named.len() < NAMED {
            let upload = rows.upload(row);
            named.push(ChangedFile { line: upload.line, file: upload.source.to_owned() });
        }
    }

    /// Decides about rows whose files were looked at as those of rows to send are: which are sent once more. Gives back
    /// those that stay as they are.
    ///
    /// # Errors
    ///
    /// When the results cannot be read.
    pub(super) fn decide<D: Disk>(
        &mut self,
        found: &[(UploadedRow, ChangeSign)],
        rows: &RowsSoFar<'_>,
        reader: &mut LineReader<'_, D>,
        watch: &ChecksumWatch,
    ) -> io::Result<Vec<u32>> {
        self.told.compared = true;
        let mut stay = Vec::new();
        let mut to_read = Vec::new();
        for (uploaded, sign) in found {
            match sign {
                ChangeSign::Size => drop(self.resend.insert(rows.key(uploaded.row))),
                ChangeSign::Time => {
                    let sent = reader.line(uploaded.line)?.and_then(|line| line.content);
                    to_read.push((uploaded.row, sent));
                }
            }
        }
        for (row, is_changed) in compare_contents(&to_read, rows, watch) {
            if is_changed == Some(true) {
                self.resend.insert(rows.key(row));
                continue;
            }
            stay.push(row);
            // What cannot be told is told as before, and never sent: it would be a second copy of what may be the same.
            if is_changed.is_none() {
                self.tell(rows, row, ChangeSign::Time);
            }
        }
        Ok(stay)
    }
}

/// Whether the files of these rows have another content than what was sent; `None` where nobody can tell. Each file is read
/// once, however many rows name it.
fn compare_contents(
    wanted: &[(u32, Option<Fingerprint>)],
    rows: &RowsSoFar<'_>,
    watch: &ChecksumWatch,
) -> Vec<(u32, Option<bool>)> {
    let known = wanted.iter().filter_map(|(row, sent)| Some((rows.upload(*row).source, (*sent)?.kind(), *row)));
    let files: HashMap<(&str, FingerprintKind), u32> = known.map(|(file, kind, row)| ((file, kind), row)).collect();
    let size = |row: u32| rows.facts(row).map_or(0, |facts| facts.size);
    watch.expect(files.values().map(|row| size(*row)).sum());
    let read = |((file, kind), row): ((_, FingerprintKind), u32)| {
        let now = rows.fingerprint(row, kind);
        watch.add(size(row));
        ((file, kind), now)
    };
    let now: HashMap<(&str, FingerprintKind), Option<Fingerprint>> = files.into_par_iter().map(read).collect();
    let differs = |row: u32, sent: Fingerprint| {
        let now = now.get(&(rows.upload(row).source, sent.kind())).copied().flatten()?;
        Some(now != sent)
    };
    wanted.iter().map(|(row, sent)| (*row, sent.and_then(|sent| differs(*row, sent)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_size_is_a_change_and_a_later_time_only_perhaps() {
        let sent = SentFileFacts { size: Some(10), sent_at: Some(1_000) };
        let now = |size, modified| sign(sent, FileStamp { size, modified });
        assert_eq!(now(10, 900), None);
        assert_eq!(now(10, 1_000 + TOLERANCE), None, "clocks are known to the second");
        assert_eq!(now(10, 1_001 + TOLERANCE), Some(ChangeSign::Time));
        assert_eq!(now(11, 900), Some(ChangeSign::Size), "an older file of another size is another file");
        assert_eq!(now(9, 5_000), Some(ChangeSign::Size));
    }

    #[test]
    fn a_line_that_does_not_say_it_proves_no_change() {
        let unknown = SentFileFacts { size: None, sent_at: None };
        assert_eq!(sign(unknown, FileStamp { size: 3, modified: i64::MAX }), None);
        let latest = SentFileFacts { size: Some(3), sent_at: Some(i64::MAX) };
        assert_eq!(sign(latest, FileStamp { size: 3, modified: i64::MAX }), None);
    }
}
