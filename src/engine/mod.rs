//! The run as a state machine: asked what to do next at a given instant, told what came of it.
//!
//! It does no input and no output, owns no thread and reads no clock, so the same code runs under the thread pool of a
//! real run and under a simulator that gets through thousands of bad days a second. It knows neither HTTP
//! nor files: rows are numbers to it, answers are verdicts.
//!
//! | to change | open |
//! | --- | --- |
//! | which row comes next, what follows from an answer | [`machine`] |
//! | who must wait for whom | [`scheduler`] |
//! | what a record's list says about rows in doubt, and what follows | [`settle`] |
//! | when the record of a row in doubt is listed | [`settle::queue`] |
//! | what is asked about a record, and when its list is believed | [`list_inquiry`] |
//! | how many requests a second | [`brakes::rate`] |
//! | how many requests at once | [`brakes::concurrency`] |
//! | how long a request waits before a second try, how often it is tried | [`retry`] |
//! | when everybody waits, and for how long | [`brakes::circuit_breaker`] |
//! | when a module is given up, or the whole run | [`brakes::failure_streaks`] |
//! | what a budget of API credits allows | [`brakes::credits`] |
//! | the limits a user may set | [`policy`] |
//! | the threads, the signals, what is written when | [`worker_pool`] |
//! | lists, censuses, downloads and queries outside of a run | [`requests`] |
//! | what the engine needs of the rest of the program | [`ports`] |

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;

use crate::listing::PageRequest;
use crate::outcome::{Outcome, Status};
use crate::reply::{PageReply, PresenceReply, Reply, StopBecause};
use crate::upload::ServiceId;

pub mod brakes;
pub mod list_inquiry;
pub mod machine;
pub mod policy;
pub mod ports;
mod prior;
pub mod requests;
pub mod retry;
pub mod scheduler;
pub mod settle;
#[cfg(test)]
mod tests;
pub mod worker_pool;

pub use machine::Engine;
pub use policy::Policy;
pub use ports::{Journal, JournalError, Service, StopSignal};
pub use prior::{IfAbsent, PriorAttempt, PriorDoubt, PriorRefusal};

/// An instant: time since the run began, on a clock that never goes back.
pub type Elapsed = Duration;

/// Which job: an index into the list that the engine was made with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct JobId(pub u32);

/// Which record: an index given out by the plan, equal for equal (module, record).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordIx(pub u32);

/// One upload as the engine sees it. Small, since there may be a million; what it is called is asked of [`Descriptors`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Job {
    /// Index of the module, counted from 0; a module is proven by its first row that succeeds, and the others wait for that.
    pub module: u16,
    /// Jobs of one record are settled together.
    pub record: RecordIx,
    /// Jobs of one group (same record, same name under NFC; links: same address) could be mistaken for each other in a
    /// list, so they are never in flight or in doubt together.
    pub ambiguity_group: u32,
}

/// What the engine must know of a job only when it is compared with a record's list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Descriptor<'a> {
    /// The name as sent; for a link its title, or empty.
    pub name: Cow<'a, str>,
    /// Bytes of the file; `None` for a link, or where nobody knows.
    pub size: Option<u64>,
    /// The address, if the job is a link.
    pub link: Option<Cow<'a, str>>,
}

/// Looks up what a job is called. Reading what is in memory, no more.
pub trait Descriptors: Sync {
    /// The face of a job.
    fn descriptor(&self, job: JobId) -> Descriptor<'_>;
}

/// The next thing to do.
#[derive(PartialEq, Debug)]
pub enum Next {
    /// Send a row now, then tell what came of it ([`Engine::handle_upload`]).
    Upload(UploadTicket),
    /// Ask about a record now, then tell what came of it ([`Engine::handle_list`]).
    List(ListTicket),
    /// Nothing can be done before this instant, or before something is told; `None`: only a telling can help.
    Wait(Option<Elapsed>),
    /// Nothing is left to do: fetch the rest of the rows, then the ending.
    End,
}

/// A row to send. It cannot be copied, so it cannot be told twice.
#[derive(PartialEq, Debug)]
pub struct UploadTicket {
    /// The row.
    pub job: JobId,
    /// Whether a `sending` line has to be durable before the first byte leaves (first try of the row in this run, or
    /// first after it was proved absent). Later tries go out under the same line.
    pub announce: bool,
    /// Which try of the row in this run, from 1.
    pub tries: u32,
    dispatch: Dispatch,
}

/// A question about a record: one request. It cannot be copied, so it cannot be told twice.
#[derive(PartialEq, Debug)]
pub struct ListTicket {
    /// The record.
    pub record: RecordIx,
    /// A job of that record, for its module and id.
    pub job: JobId,
    /// What for.
    pub purpose: Purpose,
    /// What to ask.
    pub question: ListQuestion,
    dispatch: Dispatch,
}

/// How a request was let out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Dispatch {
    /// When.
    started: Elapsed,
    /// Whether it is the one that tries whether a pause is over.
    probe: bool,
}

/// What is asked about a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ListQuestion {
    /// A page of its list.
    Page(PageRequest),
    /// Whether this attachment is there.
    Attachment(ServiceId),
}

/// Why a record is listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// The first request of a run: proves token, scope and module, and brings the service's clock.
    First,
    /// Before the first row of a record, to see what it has (`--if-exists`).
    Baseline,
    /// To settle the record's rows in doubt.
    Settle,
}

/// What came of sending a row.
#[derive(Clone, PartialEq, Debug)]
pub enum UploadResult {
    /// The request was made.
    Replied {
        /// The verdict.
        reply: Reply,
        /// The service's time at the `sending` line, if one was written for this try.
        sent_at: Option<Timestamp>,
        /// Whether the attachment that a success names is one that the results held before this run began, or nobody can
        /// tell whether it is.
        held: bool,
    },
    /// The `sending` line could not be made durable, so nothing was sent. The run must stop.
    ResultsFailed(JournalError),
    /// Our own code failed while doing it.
    Panicked {
        /// Whether the request may have begun.
        begun: bool,
        /// The service's time at the `sending` line, if one was written for this try.
        sent_at: Option<Timestamp>,
    },
}

/// What came of a question about a record.
#[derive(Clone, PartialEq, Debug)]
pub enum ListResult {
    /// To `ListQuestion::Page`.
    Page {
        /// The page, or why there is none.
        reply: PageReply,
        /// What our results hold for this record, read *after* the page was; may be empty where the page says that
        /// another one follows.
        claims: RecordClaims,
        /// Whether times of ours come from the service's own clock; without a `Date` header they do not.
        clock: Clock,
    },
    /// To `ListQuestion::Attachment`.
    Presence(PresenceReply),
    /// What the results hold for the record could not be read. The run must stop.
    ResultsFailed(JournalError),
    /// Our own code failed while asking.
    Panicked,
}

/// The attachments that our results hold for a record.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RecordClaims {
    /// All of them: none of these is another row's.
    pub all: Vec<ServiceId>,
    /// Those of them that must be there, as far as our results know: a list without them is not whole.
    pub expected: Vec<ServiceId>,
}

/// Whose clock the times in `sending` lines come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    /// The service's, learnt from its `Date` header.
    Service,
    /// This machine's, for want of a better one.
    Local,
}

/// A row has ended; its final line is due.
#[derive(Clone, PartialEq, Debug)]
pub struct Ended {
    /// Which.
    pub job: JobId,
    /// How. `finished_at` is left open: the engine has no calendar.
    pub outcome: Outcome,
}

/// What a person may want to see while the run goes on.
#[derive(Clone, PartialEq, Debug)]
pub enum Notice {
    /// The service asked to slow down; so many requests may be under way from now on.
    Throttled {
        /// Requests at once.
        window: u32,
    },
    /// Nobody sends anything before this instant.
    Paused {
        /// When one request tries whether things have got better.
        until: Elapsed,
        /// Why.
        reason: PauseReason,
    },
    /// The pause is over.
    Resumed,
    /// Rows in doubt wait to be looked up.
    Settling {
        /// Rows in doubt.
        rows: u32,
        /// When the first record is listed.
        from: Elapsed,
    },
    /// Something that changes nothing now but may later.
    Warning {
        /// Stable, in kebab-case.
        code: &'static str,
        /// A sentence.
        message: String,
    },
    /// No further row of the module is sent.
    ModuleClosed {
        /// Index of the module.
        module: u16,
        /// The answer that decided.
        message: String,
    },
    /// The run stops; what is under way is finished, what is in doubt is settled where that can work.
    Stopping(Stopped),
}

/// Why everybody waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PauseReason {
    /// The service named a time (`Retry-After`), or refuses even a single request at a time.
    Throttled,
    /// No connection, or server errors, several times in a row.
    Outage,
    /// Many answers lost in a row.
    Doubts,
    /// API credits are used up, and the user said to wait for new ones.
    Credits,
}

/// Why a run stopped before its last row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stopped {
    /// The cause, for the exit status and for programs.
    pub cause: StopCause,
    /// What happened, as a sentence that names the values.
    pub message: String,
    /// What to do next, as a sentence.
    pub advice: String,
    /// How long from the start of this run until going on makes sense, where that is known.
    pub until: Option<Elapsed>,
}

/// What stopped a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StopCause {
    /// An answer that nothing can work after.
    Service(StopBecause),
    /// No success for too long.
    ServiceDown,
    /// The service asks for a longer wait than a run should sit through.
    LongWait,
    /// The same refusal too often in a row.
    Streak,
    /// Every module is closed.
    ModulesClosed,
    /// `--max-failures`.
    MaxFailures,
    /// `--max-credits` or `--keep-credits`.
    Credits,
    /// `--max-duration`.
    MaxDuration,
    /// A signal.
    Signal,
}

/// How a run ended.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Ending {
    /// Rows of this run by status.
    pub counts: StatusCounts,
    /// Why it stopped early, if it did.
    pub stopped: Option<Stopped>,
    /// Rows that `--limit` left for another run.
    pub over_limit: u32,
    /// Requests for uploads.
    pub uploads: u64,
    /// Requests for lists.
    pub lists: u64,
    /// Answers that asked to slow down.
    pub throttled: u64,
    /// API credits left, if an answer said so.
    pub credits_left: Option<u64>,
    /// From the first question to the last.
    pub took: Duration,
}

/// Rows by status.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct StatusCounts([u32; Status::ALL.len()]);

impl StatusCounts {
    /// Rows with this status.
    pub fn of(&self, status: Status) -> u32 {
        Status::ALL.iter().zip(self.0).find_map(|(each, count)| (*each == status).then_some(count)).unwrap_or(0)
    }

    /// Counts one more row.
    pub fn add(&mut self, status: Status) {
        for (each, count) in Status::ALL.iter().zip(&mut self.0) {
            *count += u32::from(*each == status);
        }
    }

    /// All rows.
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }
}
