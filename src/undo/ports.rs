//! What an undo needs of the rest of the program, and the requests that it is made of.

use std::time::Duration;

use super::{UndoEnd, UndoRow, UndoWork};
use crate::engine::requests::{RequestJob, RequestPolicy, RequestPort};
use crate::listing::ListReading;
use crate::reply::{AttachmentPresence, Listed, Reply, StopBecause, Verdict};
use crate::upload::{RecordId, ServiceId};

/// The service, as far as an undo needs it. Called from several threads at once.
pub trait UndoService: Sync {
    /// One page of a record's list; the whole list with the last one.
    ///
    /// # Errors
    ///
    /// The reply says why there is no page.
    fn list_page(
        &self,
        module: &str,
        record: RecordId,
        reading: &mut ListReading,
    ) -> Result<Option<Vec<Listed>>, Box<Reply>>;

    /// Whether an attachment is there, asked for by its id.
    ///
    /// # Errors
    ///
    /// The reply says why there is no answer to that.
    fn presence(&self, module: &str, record: RecordId, id: ServiceId) -> Result<AttachmentPresence, Box<Reply>>;

    /// Deletes an attachment. Where it returns without an error, the service said so.
    ///
    /// # Errors
    ///
    /// The reply says what came instead; a verdict of doubt means that it may be deleted all the same.
    fn delete(&self, module: &str, record: RecordId, id: ServiceId) -> Result<(), Box<Reply>>;

    /// The API credits that the organisation has left, where an answer said so.
    fn credits_left(&self) -> Option<u64>;

    /// Ends every request under way.
    fn cut(&self);
}

/// Remembers what is deleted. Called from several threads at once.
pub trait UndoJournal: Sync {
    /// Writes that an attachment is being deleted, and returns when that is on the disk.
    ///
    /// # Errors
    ///
    /// When it is not on the disk; the message says why. Nothing must be asked for then.
    fn begin(&self, row: &UndoRow) -> Result<(), String>;

    /// Writes what became of an attachment. Does not wait for the disk.
    ///
    /// # Errors
    ///
    /// When it could not be written; the message says why. Everything stops then.
    fn finish(&self, row: &UndoRow, end: &UndoEnd) -> Result<(), String>;
}

/// How an undo behaves.
#[derive(Clone, PartialEq, Debug)]
pub struct UndoPolicy {
    /// How the service may be asked.
    pub requests: RequestPolicy,
    /// How long after a lost answer the record is looked at: the service may still be at work.
    pub settle_time: Duration,
}

/// One request of an undo.
#[derive(Debug)]
pub enum UndoJob {
    /// A page of a record's list.
    List {
        /// The record, as an index into [`UndoWork::records`].
        record: u32,
        /// The pages so far; `None` before the first one.
        reading: Option<Box<ListReading>>,
    },
    /// Whether an attachment is there that its list lacks.
    Presence {
        /// The attachment, as an index into [`UndoWork::rows`].
        row: u32,
        /// How often it was said to be gone.
        said_gone: u32,
    },
    /// To delete an attachment.
    Delete {
        /// The attachment, as an index into [`UndoWork::rows`].
        row: u32,
        /// Whether the results say `deleting`.
        is_begun: bool,
    },
}

impl RequestJob for UndoJob {
    fn changes_something(&self) -> bool {
        matches!(self, UndoJob::Delete { .. })
    }
}

/// What an answer to one of them holds.
pub enum UndoAnswer {
    /// The whole list of a record; `None` while more pages follow.
    List(Option<Vec<Listed>>),
    /// Whether the attachment is there.
    Presence(AttachmentPresence),
    /// It is deleted.
    Deleted,
}

/// Makes the requests.
pub struct UndoPort<'a> {
    /// What is to go.
    pub work: &'a UndoWork,
    /// Whom to ask.
    pub service: &'a dyn UndoService,
    /// Where it is remembered.
    pub journal: &'a dyn UndoJournal,
}

impl RequestPort for UndoPort<'_> {
    type Job = UndoJob;
    type Answer = UndoAnswer;

    fn request(&self, job: &mut UndoJob) -> Result<UndoAnswer, Box<Reply>> {
        match job {
            UndoJob::List { record, reading } => {
                let record = &self.work.records[*record as usize];
                let reading = reading.get_or_insert_default();
                self.service.list_page(&record.module, record.id, reading).map(UndoAnswer::List)
            }
            UndoJob::Presence { row, .. } => {
                let row = &self.work.rows[*row as usize];
                self.service.presence(&row.module, row.record, row.attachment).map(UndoAnswer::Presence)
            }
            UndoJob::Delete { row, is_begun } => {
                let row = &self.work.rows[*row as usize];
                if !*is_begun {
                    self.journal.begin(row).map_err(|why| Box::new(unwritten(why)))?;
                    *is_begun = true;
                }
                self.service.delete(&row.module, row.record, row.attachment).map(|()| UndoAnswer::Deleted)
            }
        }
    }

    fn credits_left(&self) -> Option<u64> {
        self.service.credits_left()
    }

    fn cut(&self) {
        self.service.cut();
    }
}

/// The results take no line: nothing may be asked for that they would not know of.
pub(super) fn unwritten(why: String) -> Reply {
    Reply {
        verdict: Verdict::Stop(StopBecause::Disk),
        code: String::new(),
        message: why,
        http_status: None,
        took: Duration::ZERO,
        retry_after: None,
        credits_left: None,
    }
}
