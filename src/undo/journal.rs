//! What the results say when: `deleting`, on the disk before the request; then `deleted`, or what the line said before
//! with the reason why its attachment is still there.
//!
//! The run that a line names stays the one that created the attachment, so that the same selection finds the same lines
//! again. A code that the line has tells how its upload was settled, and stays until the attachment is gone.

use jiff::Timestamp;

use super::ports::UndoJournal;
use super::{Gone, UndoEnd, UndoRow};
use crate::outcome::{OwnCode, Status};
use crate::results::{Disk, Line, LogError, SharedLog, StoredLines};
use crate::sync::Mutex;
use crate::text::system_words;

/// Writes into the results.
pub struct ResultsUndoJournal<'a, L, D: Disk> {
    log: &'a L,
    /// The lines of the attachments as they were when the undo began.
    lines: Mutex<StoredLines<D>>,
    /// The time, the service's where it is known.
    now: &'a (dyn Fn() -> Timestamp + Sync),
}

impl<'a, L: SharedLog + Sync, D: Disk> ResultsUndoJournal<'a, L, D> {
    /// One that writes into this log.
    pub fn new(log: &'a L, lines: StoredLines<D>, now: &'a (dyn Fn() -> Timestamp + Sync)) -> Self {
        ResultsUndoJournal { log, lines: Mutex::new(lines), now }
    }

    fn line(&self, row: &UndoRow) -> Result<Line, String> {
        self.lines
            .lock()
            .line(row.key)
            .map_err(|error| format!("the results file cannot be read: {}", system_words(&error)))
    }
}

impl<L: SharedLog + Sync, D: Disk> UndoJournal for ResultsUndoJournal<'_, L, D> {
    fn begin(&self, row: &UndoRow) -> Result<(), String> {
        let line = Line { status: Status::Deleting, message: String::new(), ..self.line(row)? };
        self.log.begin(&line).map_err(|error| told(&error))
    }

    fn finish(&self, row: &UndoRow, end: &UndoEnd) -> Result<(), String> {
        self.log.finish(&ended(self.line(row)?, row.was, end, (self.now)())).map_err(|error| told(&error))
    }
}

fn told(error: &LogError) -> String {
    format!("the results file cannot be written: {error}")
}

/// The line that says what became of the attachment.
fn ended(line: Line, was: Status, end: &UndoEnd, now: Timestamp) -> Line {
    match end {
        UndoEnd::Deleted(gone) => Line {
            status: Status::Deleted,
            code: match gone {
                Gone::Deleted => String::new(),
                Gone::Already => OwnCode::AlreadyGone.into(),
                Gone::Found => OwnCode::FoundGone.into(),
            },
            message: String::new(),
            finished_at: Some(now),
            ..line
        },
        UndoEnd::LeftAlone(why) => Line { status: was, message: format!("not deleted: {why}"), ..line },
        UndoEnd::NotReached => {
            Line { status: was, message: "not deleted: the undo ended before its turn came".to_owned(), ..line }
        }
        UndoEnd::InDoubt(why) => Line { status: Status::Deleting, message: why.clone(), ..line },
    }
}
