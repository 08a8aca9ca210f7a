//! What earlier runs left behind, row by row, in 24 bytes a row; the rest of a line is read again when it is asked for.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;

use super::line::Line;
use crate::outcome::{Status, is_temporary};
use crate::upload::RowKey;

/// What one line tells the history.
#[derive(Clone, Debug)]
pub(super) struct Note<'a> {
    pub(super) key: RowKey,
    pub(super) status: Status,
    pub(super) code: Cow<'a, str>,
    /// Seconds since 1970.
    pub(super) sent_at: Option<i64>,
}

impl Note<'_> {
    pub(super) fn of(line: &Line) -> Note<'static> {
        Note {
            key: line.key,
            status: line.status,
            code: Cow::Owned(line.code.clone()),
            sent_at: line.sent_at.map(jiff::Timestamp::as_second),
        }
    }
}

/// By row: its last line.
#[derive(Debug, Default)]
pub struct History {
    rows: HashTable<Kept>,
    /// The distinct codes; there are few.
    codes: Vec<Box<str>>,
}

/// What is kept of a row. The size of this times the rows is what a run holds in memory for its results.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    key: u64,
    /// Where the row's last line begins.
    pub(super) offset: u64,
    /// Seconds since 1970, 0 if none: a row under way or in doubt keeps the time of its first `sending`.
    sent_at: u32,
    code: u16,
    pub(super) status: Status,
    marks: u8,
}

/// A compaction has written the row's line already.
const WRITTEN: u8 = 1;
/// The line stands in the file under another key: the row took it over, or was superseded.
const MOVED: u8 = 2;

const _: () = assert!(size_of::<Kept>() == 24);

impl Kept {
    pub(super) fn key(&self) -> RowKey {
        RowKey(self.key)
    }

    pub(super) fn is_written(&self) -> bool {
        self.marks & WRITTEN != 0
    }

    pub(super) fn mark_written(&mut self) {
        self.marks |= WRITTEN;
    }

    /// Whether the line in the file has another key, and perhaps another status, than counts.
    pub(super) fn is_moved(&self) -> bool {
        self.marks & MOVED != 0
    }

    pub(super) fn sent_at(&self) -> Option<i64> {
        (self.sent_at > 0).then_some(i64::from(self.sent_at))
    }
}

/// Which rows go again because the user said so (`--resend`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ResendRules {
    /// All that failed.
    pub failed: bool,
    /// All that are `unknown`: each is looked for once more before it is sent.
    pub unknown: bool,
    /// All whose attachment was deleted: each gets a further one.
    pub deleted: bool,
    /// Those that ended with one of these codes.
    pub codes: Vec<String>,
    /// Those whose attachment a verification found missing, and still is.
    pub missing: HashSet<RowKey>,
    /// Those whose file is not what it was when it was sent.
    pub changed: HashSet<RowKey>,
}

impl ResendRules {
    /// Whether a row is to get a further attachment beside the one that it has.
    fn asks_for_a_further(&self, key: RowKey) -> bool {
        self.missing.contains(&key) || self.changed.contains(&key)
    }
}

/// Where a row stands when a run begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// No line tells of it.
    New,
    /// It has its end and costs nothing any more.
    Settled(Status),
    /// Nothing was created; it is sent again.
    Again(Why),
    /// It was sent and nobody knows what became of it: it is looked for before anything else.
    InDoubt {
        /// The service's time of the first `sending` (seconds since 1970).
        sent_at: i64,
        /// Why it is looked for.
        why: Why,
    },
}

/// Why a row that has a line goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// Its last line says that it is not finished.
    Unfinished,
    /// It failed for a passing reason.
    Passing,
    /// The user asked for it (`--resend`).
    Asked,
}

impl History {
    /// How many rows have a line.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row has a line.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Gives the last line of one row to another, which may have a line of its own: what that says is forgotten, so it
    /// must be one that created nothing. Says whether there was a line to give.
    pub(super) fn take_over(&mut self, from: RowKey, to: RowKey) -> bool {
        let Ok(found) = self.rows.find_entry(from.0, |kept| kept.key == from.0) else { return false };
        let (mut kept, _) = found.remove();
        kept.key = to.0;
        kept.marks |= MOVED;
        match self.rows.entry(to.0, |other| other.key == to.0, |other| other.key) {
            Slot::Occupied(mut slot) => *slot.get_mut() = kept,
            Slot::Vacant(slot) => drop(slot.insert(kept)),
        }
        true
    }

    /// Whether the row has taken over the line of another one, and that is not in the file yet.
    pub fn is_taken_over(&self, key: RowKey) -> bool {
        self.find(key).is_some_and(Kept::is_moved)
    }

    /// Forgets the row's line, which must be one that created nothing.
    pub(super) fn forget(&mut self, row: RowKey) {
        if let Ok(found) = self.rows.find_entry(row.0, |kept| kept.key == row.0) {
            found.remove();
        }
    }

    /// Sets the row's line aside as one that a further attachment supersedes: the row has no line then. Says whether it
    /// had one.
    pub(super) fn supersede(&mut self, row: RowKey) -> bool {
        let Some(key) = (1..=u32::MAX).map(|generation| row.superseded(generation)).find(|key| !self.knows(*key))
        else {
            return false;
        };
        if !self.take_over(row, key) {
            return false;
        }
        if let Some(kept) = self.find_mut(key)
            && kept.status != Status::Deleted
        {
            kept.status = Status::Superseded;
        }
        true
    }

    /// Gives the row back the line that was set aside last, if no further attachment was sent after all.
    pub(super) fn reinstate_unless_sent(&mut self, row: RowKey) {
        if !matches!(self.status(row), None | Some(Status::NotSent)) {
            return;
        }
        let superseded = (1..=u32::MAX).map(|generation| row.superseded(generation));
        if let Some(key) = superseded.take_while(|key| self.knows(*key)).last()
            && self.take_over(key, row)
            && let Some(kept) = self.find_mut(row)
            && kept.status == Status::Superseded
        {
            // Only rows that were uploaded, or whose attachment was deleted, are sent once more.
            kept.status = Status::Uploaded;
        }
    }

    /// The keys of lines that were set aside, each with the key of its row.
    pub(super) fn superseded_keys(&self) -> HashMap<RowKey, RowKey> {
        // There are none unless something says so, and then each row costs a hash.
        if self.count(Status::Superseded) + self.count(Status::Deleting) + self.count(Status::Deleted) == 0 {
            return HashMap::new();
        }
        let of_row = |row: RowKey| {
            let keys = (1..=u32::MAX).map(move |generation| row.superseded(generation));
            keys.take_while(|key| self.knows(*key)).map(move |key| (key, row))
        };
        self.rows.iter().flat_map(|kept| of_row(kept.key())).collect()
    }

    /// The lines that were set aside for a further attachment, by their keys; some of their attachments may be deleted.
    pub fn set_aside(&self) -> HashSet<RowKey> {
        let is_aside = |kept: &&Kept| kept.status == Status::Superseded;
        let mut aside: HashSet<RowKey> = self.rows.iter().filter(is_aside).map(Kept::key).collect();
        aside.extend(self.superseded_keys().into_keys());
        aside
    }

    /// Whether any line is of this row, set aside or not.
    pub(super) fn knows_row(&self, row: RowKey) -> bool {
        self.knows(row) || self.knows(row.superseded(1))
    }

    /// Whether the file is yet to be told of a line that was given to another row.
    pub(super) fn has_moves(&self) -> bool {
        self.rows.iter().any(Kept::is_moved)
    }

    /// How many rows have a line that may have created something.
    pub fn created(&self) -> usize {
        self.rows.iter().filter(|kept| kept.status.may_have_created()).count()
    }

    /// The status in the row's last line.
    pub fn status(&self, key: RowKey) -> Option<Status> {
        self.find(key).map(|kept| kept.status)
    }

    /// The code in the row's last line.
    pub fn code(&self, key: RowKey) -> Option<&str> {
        self.find(key).map(|kept| self.code_of(kept))
    }

    /// Where the row stands.
    pub fn standing(&self, key: RowKey, resend: &ResendRules) -> Standing {
        self.find(key).map_or(Standing::New, |kept| self.standing_of(kept, resend))
    }

    /// Whether the row has its end and needs no look at its file.
    pub fn is_settled(&self, key: RowKey, resend: &ResendRules) -> bool {
        matches!(self.standing(key, resend), Standing::Settled(_))
    }

    /// All rows that are to be looked for, in the order in which their lines stand.
    pub fn in_doubt(&self, resend: &ResendRules) -> Vec<RowKey> {
        let doubted = |kept: &&Kept| matches!(self.standing_of(kept, resend), Standing::InDoubt { .. });
        let mut found: Vec<_> = self.rows.iter().filter(doubted).map(|kept| (kept.offset, kept.key())).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, key)| key).collect()
    }

    /// Every row that has a line, in no order.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> impl Iterator<Item = RowKey> {
        self.rows.iter().map(Kept::key)
    }

    /// How many rows have this status.
    pub fn count(&self, status: Status) -> usize {
        self.rows.iter().filter(|kept| kept.status == status).count()
    }

    fn standing_of(&self, kept: &Kept, resend: &ResendRules) -> Standing {
        let code = self.code_of(kept);
        let asked_by_code = resend.codes.iter().any(|asked| asked == code);
        match (kept.status, kept.sent_at()) {
            (Status::Uploaded, _) if resend.asks_for_a_further(kept.key()) => Standing::Again(Why::Asked),
            (Status::Uploaded | Status::AlreadyPresent, _) => Standing::Settled(kept.status),
            (Status::NotSent | Status::Invalid, _) => Standing::Again(Why::Unfinished),
            (Status::Failed, _) if resend.failed || asked_by_code => Standing::Again(Why::Asked),
            (Status::Failed, _) if is_temporary(code) => Standing::Again(Why::Passing),
            (Status::Failed, _) => Standing::Settled(kept.status),
            (Status::Sending | Status::InDoubt, sent_at) => {
                // Our own lines always have the time. Without it every attachment of the name could be the row's, which
                // is the careful reading: none is created twice.
                Standing::InDoubt { sent_at: sent_at.unwrap_or(0), why: Why::Unfinished }
            }
            (Status::Unknown, sent_at) if resend.unknown || asked_by_code => {
                Standing::InDoubt { sent_at: sent_at.unwrap_or(0), why: Why::Asked }
            }
            (Status::Deleted, _) if resend.deleted => Standing::Again(Why::Asked),
            // Whether the attachment of a row that was being deleted is gone, only another undo finds out.
            (Status::Unknown | Status::Superseded | Status::Deleting | Status::Deleted, _) => {
                Standing::Settled(kept.status)
            }
        }
    }

    pub(super) fn code_of(&self, kept: &Kept) -> &str {
        self.codes.get(usize::from(kept.code)).map_or("", |code| code)
    }

    pub(super) fn knows(&self, key: RowKey) -> bool {
        self.find(key).is_some()
    }

    pub(super) fn find(&self, key: RowKey) -> Option<&Kept> {
        // Keys are parts of a SHA-256: as good as any hash of them.
        self.rows.find(key.0, |kept| kept.key == key.0)
    }

    pub(super) fn find_mut(&mut self, key: RowKey) -> Option<&mut Kept> {
        self.rows.find_mut(key.0, |kept| kept.key == key.0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Kept> {
        self.rows.iter()
    }

    /// Takes in the next line of the file: the last one of a row counts, but a row that stays in doubt keeps the time
    /// of its first `sending`. Says whether the row had a line before.
    pub(super) fn note(&mut self, note: &Note<'_>, offset: u64) -> bool {
        let code = self.intern(&note.code);
        let sent_at = note.sent_at.map_or(0, |seconds| u32::try_from(seconds.max(0)).unwrap_or(u32::MAX));
        let key = note.key.0;
        let mut kept = Kept { key, offset, sent_at, code, status: note.status, marks: 0 };
        match self.rows.entry(key, |other| other.key == key, |other| other.key) {
            Slot::Occupied(mut slot) => {
                let before = slot.get();
                if before.status.is_open() && note.status.is_open() && before.sent_at > 0 {
                    kept.sent_at = if sent_at == 0 { before.sent_at } else { before.sent_at.min(sent_at) };
                }
                *slot.get_mut() = kept;
                true
            }
            Slot::Vacant(slot) => {
                slot.insert(kept);
                false
            }
        }
    }

    fn intern(&mut self, code: &str) -> u16 {
        if let Some(at) = self.codes.iter().position(|known| **known == *code) {
            return u16::try_from(at).unwrap_or(u16::MAX);
        }
        // A service that makes up a new code for each row must not make this slow; what is beyond reads as no code.
        const MOST: usize = 1_000;
        if self.codes.len() < MOST {
            self.codes.push(code.into());
            return u16::try_from(self.codes.len() - 1).unwrap_or(u16::MAX);
        }
        u16::MAX
    }
}
