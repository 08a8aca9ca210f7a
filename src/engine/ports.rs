//! What a run needs of the rest of the program: somebody who sends, somebody who remembers, somebody who looks on, and
//! a way to be stopped. The command line plugs `zoho`, `results` and `console` in here; tests plug in what they like.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::{Clock, Elapsed, Ended, JobId, Notice, RecordClaims};
use crate::listing::PageRequest;
use crate::reply::{PageReply, PresenceReply, Reply};
use crate::sync::{self, Condvar, Mutex};
use crate::upload::ServiceId;

/// How long requests under way may go on after a signal.
pub const GRACE: Duration = Duration::from_secs(30);

/// Does the requests. Called from several threads at once.
pub trait Service: Sync {
    /// Sends one row and says what came of it; calls `sent` now and then with the bytes that have left so far.
    fn upload(&self, job: JobId, sent: &(dyn Fn(u64) + Sync)) -> Reply;

    /// Asks for one page of the list of the job's record, with one request.
    fn page(&self, job: JobId, page: &PageRequest) -> PageReply;

    /// Asks whether an attachment of the job's record is there, with one request.
    fn presence(&self, job: JobId, attachment: ServiceId) -> PresenceReply;

    /// The time, and whose clock it is from.
    fn now(&self) -> (Timestamp, Clock);

    /// Ends every request under way as soon as that can be done: the grace after a signal is over.
    fn cut(&self);
}

/// Why a journal did not do what it was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JournalError {
    /// A line is not on the disk, or nobody knows whether it is; the system's words.
    Unwritten(String),
    /// What the results hold cannot be read; the system's words.
    Unreadable(String),
    /// The file that was written is not the one that the next run will find; what happened to it.
    Displaced(String),
    /// The job is none of this run: a mistake of ours.
    NoSuchJob(JobId),
}

impl JournalError {
    /// What to do next, as a sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            JournalError::Unwritten(_) => "Make room or mend the disk, then run the same command again.",
            JournalError::Unreadable(_) => "See what keeps the file from being read, then run the same command again.",
            JournalError::Displaced(_) => "Leave the file where it is while a run uses it.",
            JournalError::NoSuchJob(_) => "Please report it.",
        }
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JournalError::Unwritten(words) => write!(f, "the results file cannot be written: {words}"),
            JournalError::Unreadable(words) => write!(f, "the results file cannot be read: {words}"),
            JournalError::Displaced(words) => write!(f, "the results file cannot be used any more: {words}"),
            JournalError::NoSuchJob(job) => write!(f, "row {} is not in this manifest any more", job.0),
        }
    }
}

impl std::error::Error for JournalError {}

/// Remembers, so that a crash at any moment loses nothing. Called from several threads at once.
pub trait Journal: Sync {
    /// Writes the `sending` line of a row and returns when it is on the disk. `tries`: requests made for it in this
    /// run before this one.
    ///
    /// # Errors
    ///
    /// When it is not on the disk. The request must then not be made.
    fn begin(&self, job: JobId, sent_at: Timestamp, tries: u32) -> Result<(), JournalError>;

    /// Writes the final line of a row. Does not wait for the disk; called under a lock, so it must be quick.
    ///
    /// # Errors
    ///
    /// When it could not be written. The run then stops.
    fn finish(&self, ended: &Ended) -> Result<(), JournalError>;

    /// The attachments that the results hold for the job's record, earlier runs' and this one's.
    ///
    /// # Errors
    ///
    /// When they cannot be read. The run then stops: without them nothing can be settled.
    fn claims(&self, job: JobId) -> Result<RecordClaims, JournalError>;

    /// Whether the results held this attachment, for whatever row, before this run wrote its first line.
    ///
    /// # Errors
    ///
    /// When they cannot be read. The run then stops: a success cannot be believed without them.
    fn holds(&self, attachment: ServiceId) -> Result<bool, JournalError>;
}

/// Looks on. Called from several threads at once; must not block for long.
pub trait Observer: Sync {
    /// Something happened at this instant.
    fn event(&self, at: Elapsed, event: RunEvent<'_>);
}

/// What can be seen of a run.
#[derive(Clone, Copy, Debug)]
pub enum RunEvent<'a> {
    /// A try of a row begins.
    Started {
        /// Which.
        job: JobId,
    },
    /// Bytes of a row have left.
    Sent {
        /// Which.
        job: JobId,
        /// So many of this try, the head of the request included.
        bytes: u64,
    },
    /// A try was refused for a passing reason, or its answer was lost; the row is not at its end.
    Postponed {
        /// Which.
        job: JobId,
        /// The answer.
        reply: &'a Reply,
    },
    /// An answer, of whatever kind, said how many API credits are left.
    Credits {
        /// So many.
        left: u64,
    },
    /// A row has ended and its final line is written.
    Ended(&'a Ended),
    /// A row has ended, but the results file could not take its line: the only place where it can be seen is here.
    Unwritten {
        /// What the line would have said.
        ended: &'a Ended,
        /// Why it could not be written.
        why: &'a JournalError,
    },
    /// Something about the run as a whole.
    Notice(&'a Notice),
}

/// How a signal reaches a run. Shared between the run and whoever hears the signals.
#[derive(Debug)]
pub struct StopSignal {
    grace: Duration,
    state: Mutex<StopSignalState>,
    changed: Condvar,
}

impl Default for StopSignal {
    fn default() -> StopSignal {
        StopSignal::with_grace(GRACE)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct StopSignalState {
    asked: bool,
    released: bool,
}

impl StopSignal {
    /// A way to stop that gives requests under way so long to finish.
    pub fn with_grace(grace: Duration) -> StopSignal {
        StopSignal { grace, state: Mutex::default(), changed: Condvar::default() }
    }

    /// Asks the run to end: no new rows, a grace for those under way.
    pub fn soft(&self) {
        self.change(|state| state.asked = true);
    }

    /// Tells those who wait that there is nothing left to wait for.
    pub(super) fn release(&self) {
        self.change(|state| state.released = true);
    }

    /// Waits until the run is asked to end or is over anyway; says whether it was asked.
    pub(super) fn wait(&self) -> bool {
        let mut state = self.state.lock();
        while !state.asked && !state.released {
            state = self.changed.wait(state);
        }
        state.asked && !state.released
    }

    /// Waits until the run is over, but not longer than the grace; says whether it is over.
    pub(super) fn wait_released(&self) -> bool {
        let until = sync::now() + self.grace;
        let mut state = self.state.lock();
        while !state.released {
            let left = until.saturating_duration_since(sync::now());
            if left.is_zero() {
                break;
            }
            state = self.changed.wait_timeout(state, left);
        }
        state.released
    }

    fn change(&self, change: impl FnOnce(&mut StopSignalState)) {
        change(&mut self.state.lock());
        self.changed.notify_all();
    }
}
