//! The run as a state machine: asked what to do next at a given instant, told what came of it.
//!
//! It does no input and no output, owns no thread and reads no clock, so the same code runs under the thread pool of a
//! real run and under a simulator that gets through thousands of virtual days a second.

use std::time::Duration;

use crate::outcome::Outcome;
use crate::reply::{ListReply, Reply};

/// An instant: time since the run began, on a clock that never goes back.
pub type At = Duration;

/// Which job: an index into the list that the engine was made with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct JobId(pub u32);

/// Which record: an index given out by the plan, equal for equal (module, record).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordIx(pub u32);

/// One upload as the engine sees it. What it is called and where its bytes are is known only to the driver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Job {
    /// Index of the module; rows of one module are gated together.
    pub module: u16,
    /// Jobs of one record are settled together.
    pub record: RecordIx,
    /// Jobs with equal twin (same record, same name under NFC; links: same address) are never in flight or in doubt
    /// together.
    pub twin: u32,
    /// What earlier runs left behind.
    pub past: Past,
}

/// What earlier runs left behind for a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Past {
    /// Nothing was ever sent, or surely nothing was created.
    Clean,
    /// Sent at this time of the service (seconds since 1970), never settled.
    InDoubt {
        /// Service's time of the first `sending` line.
        sent_at: i64,
        /// Whether the row is still in the manifest: if not, it is settled and reported but never sent again.
        resend: bool,
    },
}

/// The next thing to do.
#[derive(Clone, PartialEq, Debug)]
pub enum Next {
    /// Do this now, then [`tell`](Told) what came of it.
    Do(Task),
    /// Nothing can be done before this instant, or before something is told; `None`: only a telling can help.
    Wait(Option<At>),
    /// The run is over.
    End,
}

/// A thing to do. Each costs one or more requests.
#[derive(Clone, PartialEq, Debug)]
pub enum Task {
    /// List the record's attachments: the first request of a run, a baseline (`--if-exists`), or a settling.
    List {
        /// The record to list.
        record: RecordIx,
        /// A job of that record, for its module and id.
        job: JobId,
    },
    /// Send one row.
    Upload {
        /// The row.
        job: JobId,
        /// Whether a `sending` line has to be durable before the first byte leaves (first try of the row in this run,
        /// or first after it was proved absent).
        announce: bool,
    },
}

/// What came of a task.
#[derive(Clone, PartialEq, Debug)]
pub enum Told {
    /// Of [`Task::List`].
    Listed(ListReply),
    /// Of [`Task::Upload`], with the service's time (seconds since 1970) at its `sending` line.
    Replied(Reply, i64),
    /// The `sending` line could not be made durable: nothing was sent, and the run must stop.
    NotAnnounced(String),
}

/// A row has ended; the driver writes its final line.
#[derive(Clone, PartialEq, Debug)]
pub struct Ended {
    /// Which.
    pub job: JobId,
    /// How.
    pub outcome: Outcome,
}
