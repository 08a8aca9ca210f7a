//! Requests that are not uploads: lists, censuses, downloads, queries, deletions. One way to be gentle for all of them: rate,
//! concurrency, credits, waits that the service names, tries, refreshed tokens, and when to give up.
//!
//! A command brings three things: a job type ([`RequestJob`]), somebody who makes one request ([`RequestPort`]), and
//! somebody who hears what came of it and may queue more ([`RequestHandler`]). [`RequestEngine`] is the state machine,
//! without clock or I/O; [`run`](driver::run) drives it with threads.
//!
//! ```text
//! let mut engine = RequestEngine::new(policy);
//! engine.push(job);                                        // before, or later from the handler
//! let ending = driver::run(engine, &port, &mut handler, &stop);
//! ending.stop, ending.left, ending.totals                  // why early, which jobs were not done, what it took
//! ```
//!
//! It differs from the upload engine in what it may assume: a read changes nothing, so it is made again without looking,
//! and no job waits for another one. A job that changes something says so; where nobody knows whether it was done, the
//! handler is told. What a refusal means for the rest of the work is the handler's choice.

use std::time::Duration;

use super::retry::RetryPolicy;
use super::{Elapsed, Notice, PauseReason};
use crate::reply::{DoubtBecause, FailedBy, Reply, RetryBecause, StopBecause};
use crate::units::Rate;

pub mod driver;
pub mod machine;

pub use machine::RequestEngine;

/// What is to be asked. The engine never looks inside.
pub trait RequestJob: Send {
    /// API credits that one try costs.
    fn credits(&self) -> u64 {
        1
    }

    /// Whether the request changes something: then whatever went wrong after it may have left is a doubt, since it may have
    /// been done.
    fn changes_something(&self) -> bool {
        false
    }

    /// Whether the command can do without the answer, such as a look that only saves other looks. Whatever is wrong with
    /// this one request is then the handler's to judge, and stops nothing.
    fn is_expendable(&self) -> bool {
        false
    }

    /// Whether the other jobs go on where the service answers this one with something that would stop a run.
    fn tolerates(&self, because: StopBecause) -> bool {
        self.is_expendable() && matches!(because, StopBecause::Scope | StopBecause::Target | StopBecause::OurMistake)
    }
}

/// Makes requests. Called from several threads at once.
pub trait RequestPort: Sync {
    /// What is to be asked. A port may keep what it has read so far in it: a further try gets the same value.
    type Job: RequestJob;
    /// What an answer holds.
    type Answer: Send;

    /// Makes one request.
    ///
    /// # Errors
    ///
    /// The reply, when there is no answer of use; its verdict says what follows.
    fn request(&self, job: &mut Self::Job) -> Result<Self::Answer, Box<Reply>>;

    /// The API credits that the organisation has left, as the last answer said; `None` while none has.
    fn credits_left(&self) -> Option<u64>;

    /// Ends every request under way as soon as that can be done: the grace after a signal is over.
    fn cut(&self);
}

/// Hears what came of each job, one at a time and in the order in which the answers came. Called under the engine's
/// lock, so it must not wait for anything.
pub trait RequestHandler<J, A>: Send {
    /// A job is done. Further jobs may be queued, queued ones withdrawn, and everything be stopped.
    fn handle(&mut self, engine: &mut RequestEngine<J>, now: Elapsed, job: J, outcome: Result<A, RequestFailure>);

    /// Something that a person may want to see: a pause, its end, fewer requests at once.
    fn notice(&mut self, _now: Elapsed, _notice: &Notice) {}
}

/// How the service may be asked.
#[derive(Clone, PartialEq, Debug)]
pub struct RequestPolicy {
    /// Most requests at once; the window grows up to this.
    pub concurrency: u32,
    /// Most requests in a time.
    pub rate: Rate,
    /// When a request is made again.
    pub retry: RetryPolicy,
    /// How long everybody waits for a service that does not work before all is given up; no longer wait that the service
    /// names is sat through either.
    pub patience: Duration,
    /// Most API credits to use; `None` for no limit.
    pub max_credits: Option<u64>,
    /// API credits that must be left for others.
    pub keep_credits: u64,
    /// What the random waits are drawn from; the same number gives the same waits.
    pub seed: u64,
}

impl Default for RequestPolicy {
    /// As a run behaves when nobody says otherwise.
    fn default() -> RequestPolicy {
        let run = super::Policy::default();
        RequestPolicy {
            concurrency: run.concurrency,
            rate: run.rate,
            retry: run.retry_policy(),
            patience: run.patience,
            max_credits: run.max_credits,
            keep_credits: run.keep_credits,
            seed: run.seed,
        }
    }
}

/// Why a job has no answer.
#[derive(Clone, PartialEq, Debug)]
pub enum RequestFailure {
    /// The service refuses it for good.
    Refused {
        /// What is at fault.
        by: FailedBy,
        /// Its words.
        reply: Box<Reply>,
    },
    /// What would have stopped everything, had the job not been one that tolerates it.
    Tolerated {
        /// What it would have been stopped for.
        because: StopBecause,
        /// Its words.
        reply: Box<Reply>,
    },
    /// It failed for a passing reason, as often as it may.
    GaveUp {
        /// The last reason.
        because: RetryBecause,
        /// The last answer.
        reply: Box<Reply>,
    },
    /// It may have been done: nobody knows. Only requests that change something end so.
    InDoubt {
        /// Why.
        because: DoubtBecause,
        /// What came back.
        reply: Box<Reply>,
    },
}

impl RequestFailure {
    /// The answer that decided.
    pub fn reply(&self) -> &Reply {
        match self {
            RequestFailure::Refused { reply, .. }
            | RequestFailure::Tolerated { reply, .. }
            | RequestFailure::GaveUp { reply, .. }
            | RequestFailure::InDoubt { reply, .. } => reply,
        }
    }
}

/// Why it ended before the last job.
#[derive(Clone, PartialEq, Debug)]
pub enum RequestStop {
    /// A signal.
    Signal,
    /// An answer that nothing can work after.
    Service {
        /// What is wrong.
        because: StopBecause,
        /// The answer.
        reply: Box<Reply>,
    },
    /// Not one request had an answer of use.
    NoAnswer {
        /// What the last one had.
        reply: Box<Reply>,
    },
    /// The service asks for a longer wait than anybody should sit through.
    LongWait {
        /// The wait, counted from its answer.
        wait: Duration,
    },
    /// Nothing worked for as long as the policy's patience.
    ServiceDown {
        /// What went wrong.
        reason: PauseReason,
    },
    /// The policy's credits are used up.
    MaxCredits {
        /// So many they were.
        max: u64,
    },
    /// The organisation has only the credits left that are kept for others.
    KeptCredits {
        /// So many it has.
        left: u64,
    },
    /// The service refused so many jobs in a row in a way that is not documented.
    Refusals {
        /// How many.
        count: u32,
        /// The last answer.
        reply: Box<Reply>,
    },
}

/// What it took.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RequestTotals {
    /// Requests made, further tries included.
    pub requests: u64,
    /// API credits for them, by the price of each job.
    pub credits: u64,
    /// Answers that asked to slow down.
    pub throttled: u64,
}
