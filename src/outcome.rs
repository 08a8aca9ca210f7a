//! How an upload ended: the vocabulary between the engine, the results file and the screen.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;

use crate::upload::ServiceId;

/// The status of a row in the results.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Status {
    /// The attachment exists; created by us.
    Uploaded,
    /// The record had it before we sent anything, or the service says that the link is already there.
    AlreadyPresent,
    /// Refused, or given up: nothing was created. The code says whether it goes again by itself.
    Failed,
    /// Bytes left and no usable answer came; the next run settles it before anything else.
    InDoubt,
    /// What became of it cannot be told from the record's list. Never sent again by itself.
    Unknown,
    /// Not tried in this run; the code says why.
    NotSent,
    /// Left out by `--skip-invalid`.
    Invalid,
    /// Only in the log: the request may be under way. A finished file has none.
    Sending,
}

impl Status {
    /// Every status, in the order of the documentation.
    pub const ALL: [Status; 8] = [
        Status::Uploaded,
        Status::AlreadyPresent,
        Status::Failed,
        Status::InDoubt,
        Status::Unknown,
        Status::NotSent,
        Status::Invalid,
        Status::Sending,
    ];

    /// The word in the results file.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Uploaded => "uploaded",
            Status::AlreadyPresent => "already_present",
            Status::Failed => "failed",
            Status::InDoubt => "in_doubt",
            Status::Unknown => "unknown",
            Status::NotSent => "not_sent",
            Status::Invalid => "invalid",
            Status::Sending => "sending",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is none of the statuses of the results file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAStatus;

impl FromStr for Status {
    type Err = NotAStatus;

    fn from_str(text: &str) -> Result<Status, NotAStatus> {
        Status::ALL.into_iter().find(|status| status.as_str() == text).ok_or(NotAStatus)
    }
}

/// The end of one upload in one run: what its final line in the results says.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// How it ended; never [`Status::Sending`].
    pub status: Status,
    /// The service's code as it came (`INVALID_DATA`), or one of ours in kebab-case (`settled-by-listing`); empty for
    /// a plain success.
    pub code: String,
    /// The service's own words or ours, control characters taken out; may be empty.
    pub message: String,
    /// The attachment, where one is known.
    pub attachment_id: Option<ServiceId>,
    /// The HTTP status of the answer that decided, if one came.
    pub http_status: Option<u16>,
    /// Requests made for this row in this run, listings not counted.
    pub tries: u32,
    /// From the first byte sent to the answer of the deciding try, waits left out.
    pub took: Duration,
    /// The service's time at the first `sending` line.
    pub sent_at: Option<Timestamp>,
    /// The service's time when the status was known.
    pub finished_at: Option<Timestamp>,
    /// Creation time as the service wrote it.
    pub created_time: Option<String>,
    /// The id of the user it was created as.
    pub created_by: Option<ServiceId>,
}
