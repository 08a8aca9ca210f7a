//! The limits of a run that a user may set, and what they are when nobody sets them.

use std::num::NonZeroU32;
use std::time::Duration;

pub use super::retry::Backoff;
use super::retry::RetryPolicy;
use crate::units::Rate;

/// Requests a second when nobody says otherwise.
pub const DEFAULT_EACH_SECOND: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// How a run behaves. Made from flags; the defaults are those of the command line.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    /// Most requests at once; the window grows up to this, and never above what the service
    /// allows anybody.
    pub concurrency: u32,
    /// Most requests in a time, listings included.
    pub rate: Rate,
    /// How often a row or a list is tried again where surely nothing was created.
    pub retries: u32,
    /// How long to wait before a further try.
    pub backoff: Backoff,
    /// How long everybody waits for a service that does not work, before the run stops; no flag sets this.
    pub patience: Duration,
    /// How long after its last byte an upload in doubt is looked up.
    pub settle_time: Duration,
    /// What to do when the record has an attachment of that name already.
    pub if_exists: IfExists,
    /// What to take for true of rows that `--resend unknown` looked up and that still cannot be told.
    pub assume: Option<Assume>,
    /// Most API credits to use.
    pub max_credits: Option<u64>,
    /// API credits that must be left for others.
    pub keep_credits: u64,
    /// Whether to wait until there are credits again instead of stopping.
    pub wait_for_credits: bool,
    /// Most rows to send in this run.
    pub limit: Option<u32>,
    /// When to stop because too much fails.
    pub max_failures: MaxFailures,
    /// When to stop because it takes too long.
    pub max_duration: Option<Duration>,
    /// What the random waits are drawn from; the same number gives the same run.
    pub seed: u64,
}

impl Policy {
    /// When a row or a list is tried again.
    pub fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy { retries: self.retries, backoff: self.backoff }
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            concurrency: 4,
            rate: Rate::per_second(DEFAULT_EACH_SECOND),
            retries: 5,
            backoff: Backoff::default(),
            patience: Duration::from_secs(15 * 60),
            settle_time: Duration::from_secs(60),
            if_exists: IfExists::Upload,
            assume: None,
            max_credits: None,
            keep_credits: 500,
            wait_for_credits: false,
            limit: None,
            max_failures: MaxFailures::default(),
            max_duration: None,
            seed: 0,
        }
    }
}

/// What to do when the record has an attachment of that name already (a link: of that address).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum IfExists {
    /// Upload all the same; nothing is listed beforehand.
    #[default]
    Upload,
    /// Leave it: `already_present`.
    Skip,
    /// Count it as a failure.
    Fail,
}

impl IfExists {
    /// The word for it on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            IfExists::Upload => "upload",
            IfExists::Skip => "skip",
            IfExists::Fail => "fail",
        }
    }
}

/// What to take for true when a list cannot tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Assume {
    /// The attachment is there.
    Present,
    /// It is not; send it again.
    Absent,
}

/// When to stop because too much fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MaxFailures {
    /// At this many failed rows.
    Rows(u32),
    /// At this share of the rows that have ended, once the first [`MaxFailures::JUDGED_FROM`] have.
    Percent(u8),
}

impl MaxFailures {
    /// A share means little before so many rows have ended.
    pub const JUDGED_FROM: u32 = 100;
}

impl Default for MaxFailures {
    fn default() -> MaxFailures {
        MaxFailures::Percent(90)
    }
}
