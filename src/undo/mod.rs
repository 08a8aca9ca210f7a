//! Takes attachments back: decides which of those that a results file created go, and deletes them so that none is ever
//! lost track of.
//!
//! | to change | open |
//! | --- | --- |
//! | which lines of the results can be undone, and which of them are asked for | [`select`] |
//! | what a record's list says about an attachment that is to go | [`judge`] |
//! | in which order the service is asked for what, what follows from an answer, how a lost one is settled | [`machine`], `state.rs` |
//! | what it needs of the rest of the program | [`ports`] |
//! | what the results say when | [`journal`] |
//! | what people and programs are told | [`show`] |
//!
//! Only attachments go whose id a line of ours holds as created by us, and each only after its record's list has shown it
//! with our name and size. A line says `deleting`, durably, before the request leaves; so whatever is missing after a
//! crash was either never asked for, or has a line that says it may be gone. A deletion names one attachment by its id, so
//! to ask for it twice deletes nothing more: a lost answer is settled by looking, never by guessing.

use std::fmt;
use std::sync::Arc;

use crate::engine::requests::{RequestStop, RequestTotals};
use crate::outcome::Status;
use crate::upload::{RecordId, RowKey, ServiceId};

pub mod journal;
pub mod judge;
pub mod machine;
pub mod ports;
pub mod select;
pub mod show;
mod state;
#[cfg(test)]
mod tests;

pub use judge::Difference;

/// An attachment that is to go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UndoRow {
    /// The line of its row in the manifest; 0 if the row is no longer there.
    pub line: u32,
    /// The module's API name.
    pub module: Arc<str>,
    /// Its record.
    pub record: RecordId,
    /// The same, as an index into [`UndoWork::records`].
    pub place: u32,
    /// The key of its line in the results.
    pub key: RowKey,
    /// Its id.
    pub attachment: ServiceId,
    /// The file or the address, as written in the manifest.
    pub source: String,
    /// Whether it is a link.
    pub is_link: bool,
    /// The name as sent.
    pub name: String,
    /// Bytes of the file, where they are known.
    pub bytes: Option<u64>,
    /// What its line said before anything was undone: `uploaded` or `superseded`.
    pub was: Status,
    /// Whether an earlier undo began to delete it and never said what came of it.
    pub is_begun: bool,
}

/// A record that has such attachments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UndoRecord {
    /// The module's API name.
    pub module: Arc<str>,
    /// The record.
    pub id: RecordId,
    /// Which of [`UndoWork::rows`] are on it.
    pub rows: Vec<u32>,
}

/// What is to go, and what is not.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UndoWork {
    /// The attachments that are to go, in the order of the results.
    pub rows: Vec<UndoRow>,
    /// Their records, in the order of their first row.
    pub records: Vec<UndoRecord>,
    /// How many lines stay as they are, and why, in the order of [`NotUndone`].
    pub not_undone: Vec<(NotUndone, u64)>,
}

/// Why a line of the results is left as it is without asking anybody.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum NotUndone {
    /// The record had it before: somebody else's, or an older one of ours.
    AlreadyPresent,
    /// A listing gave it to the row after a lost answer, or the user did: it could be a stranger's.
    Settled,
    /// What became of the row is not known (`in_doubt`, `unknown`, `sending`).
    InDoubt,
    /// An earlier undo has deleted it.
    Deleted,
    /// Nothing was created.
    NothingCreated,
    /// The line does not say which attachment of which record.
    Unnamed,
    /// It was not asked for.
    NotSelected,
}

impl NotUndone {
    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            NotUndone::AlreadyPresent => "already-present",
            NotUndone::Settled => "settled",
            NotUndone::InDoubt => "in-doubt",
            NotUndone::Deleted => "deleted",
            NotUndone::NothingCreated => "nothing-created",
            NotUndone::Unnamed => "unnamed",
            NotUndone::NotSelected => "not-selected",
        }
    }
}

/// What became of an attachment that was to go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UndoEnd {
    /// It is gone.
    Deleted(Gone),
    /// It is left as it is.
    LeftAlone(LeftAlone),
    /// It was asked for, and nobody knows yet whether it is gone; says why.
    InDoubt(String),
    /// Everything was stopped before its turn came.
    NotReached,
}

/// How an attachment went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gone {
    /// The service deleted it when asked, and said so.
    Deleted,
    /// It had gone before anything was asked for.
    Already,
    /// The answer was lost, and afterwards the record no longer had it.
    Found,
}

/// Why an attachment is left as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LeftAlone {
    /// What has its id is not what we sent.
    Differs(Difference),
    /// The record's list lacks it, and yet the service does not say that it is gone.
    NotListed,
    /// The service gave no list of the record; its words.
    NoList(String),
    /// The service refuses to delete it; its words.
    Refused(String),
    /// The service could not be asked, as often as it was tried; its words.
    GaveUp(String),
}

impl LeftAlone {
    /// The word for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            LeftAlone::Differs(_) => "differs",
            LeftAlone::NotListed => "not-listed",
            LeftAlone::NoList(_) => "no-list",
            LeftAlone::Refused(_) => "refused",
            LeftAlone::GaveUp(_) => "gave-up",
        }
    }
}

impl fmt::Display for LeftAlone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LeftAlone::Differs(difference) => difference.fmt(f),
            LeftAlone::NotListed => {
                f.write_str("the list of its record lacks it, and the service does not say that it is gone")
            }
            LeftAlone::NoList(said) => write!(f, "its record could not be listed: {said}"),
            LeftAlone::Refused(said) => write!(f, "the service refuses to delete it: {said}"),
            LeftAlone::GaveUp(said) => write!(f, "tried as often as it may be: {said}"),
        }
    }
}

impl UndoEnd {
    /// The word for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            UndoEnd::Deleted(_) => "deleted",
            UndoEnd::LeftAlone(_) => "left-alone",
            UndoEnd::InDoubt(_) => "in-doubt",
            UndoEnd::NotReached => "not-reached",
        }
    }
}

/// What came of it all.
#[derive(Clone, PartialEq, Debug)]
pub struct Undone {
    /// Every attachment that was to go, with what became of it, in the order of the results.
    pub rows: Vec<(UndoRow, UndoEnd)>,
    /// What the service said to the first deletion, where it refused it: then nothing further was asked for.
    pub refused_at_first: Option<String>,
    /// Requests made and credits used.
    pub totals: RequestTotals,
    /// Why it ended before all was done, if it did.
    pub stop: Option<RequestStop>,
}

impl Undone {
    /// How many ended so.
    pub fn count(&self, is: impl Fn(&UndoEnd) -> bool) -> usize {
        self.rows.iter().filter(|(_, end)| is(end)).count()
    }
}
