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
    /// The attachment was made by us for a row that was then sent once more: the row has a line of its own, and this one
    /// only keeps the attachment from being forgotten.
    Superseded,
    /// Only in the log: the request may be under way. A finished file has none.
    Sending,
    /// The attachment was made by us, and is being taken back: it may be gone already. A later undo settles it; no run
    /// sends the row again.
    Deleting,
    /// The attachment was made by us and taken back. Never sent again by itself.
    Deleted,
}

impl Status {
    /// Every status, in the order of the documentation.
    pub const ALL: [Status; 11] = [
        Status::Uploaded,
        Status::AlreadyPresent,
        Status::Failed,
        Status::InDoubt,
        Status::Unknown,
        Status::NotSent,
        Status::Invalid,
        Status::Superseded,
        Status::Sending,
        Status::Deleting,
        Status::Deleted,
    ];

    /// Whether an attachment may exist of which nobody knows yet.
    pub fn is_open(self) -> bool {
        matches!(self, Status::InDoubt | Status::Unknown | Status::Sending)
    }

    /// Whether there may be an attachment that the line tells of, made by us or there before: it is never forgotten. One
    /// that was deleted binds nothing any more.
    pub fn may_have_created(self) -> bool {
        match self {
            Status::Uploaded
            | Status::AlreadyPresent
            | Status::InDoubt
            | Status::Unknown
            | Status::Superseded
            | Status::Sending
            | Status::Deleting => true,
            Status::Failed | Status::NotSent | Status::Invalid | Status::Deleted => false,
        }
    }

    /// Whether the line tells of an attachment, be it deleted since: where it were lost, its row would be sent again.
    pub fn tells_of_attachment(self) -> bool {
        self.may_have_created() || self == Status::Deleted
    }

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
            Status::Superseded => "superseded",
            Status::Sending => "sending",
            Status::Deleting => "deleting",
            Status::Deleted => "deleted",
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

/// The codes of our own, beside those of the service, which are written as they came.
///
/// They say in the results why a row has its status where no answer of the service says it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum OwnCode {
    /// `uploaded`: the answer was lost, and the record's list shows the attachment.
    SettledByListing,
    /// `already_present` (`--if-exists skip`) or `failed` (`--if-exists fail`): the record has one of this name.
    Exists,
    /// `uploaded` or `failed`: the user decided by `--assume` what could not be told.
    Assumed,
    /// `failed`: answers were lost again and again, each time the list proved that nothing had been created.
    NoReply,
    /// `failed`: no connection came about in all tries.
    NotConnected,
    /// `failed`: the service asked to slow down in all tries.
    Throttled,
    /// `failed`: this machine was short of file handles or threads in all tries.
    LocalShortage,
    /// `failed`: the file is not there any more.
    FileGone,
    /// `failed`: the file may not be read any more.
    FileDenied,
    /// `failed`: the file is not the one that was planned.
    FileChanged,
    /// `failed`: reading the file went wrong.
    FileRead,
    /// `failed`: the bytes that were read while sending are not those that the manifest gives a checksum of.
    ChecksumDiffers,
    /// `in_doubt`: the connection ended or fell silent after bytes had left.
    AnswerLost,
    /// `in_doubt`: the service answered that something went wrong on its side, maybe after the work was done.
    ServerError,
    /// `in_doubt`: an answer came that proves neither success nor refusal.
    Unreadable,
    /// `in_doubt` or `not_sent`: a signal ended the run first.
    Interrupted,
    /// `unknown`: more than one attachment could be this one.
    SeveralMatches,
    /// `unknown`: an attachment agrees in part only.
    UncertainMatch,
    /// `unknown`: the record's list may not be read.
    NotListable,
    /// `unknown`: the line of the results was edited, and what it said cannot be relied on.
    Edited,
    /// `not_sent`: the run ended before its turn came (`--limit`, credits, time, failures, credentials).
    RunEnded,
    /// `not_sent`: every row of its module would fail alike.
    ModuleClosed,
    /// `not_sent`: in doubt from before, proved absent, and the manifest no longer has the row.
    NotInManifest,
    /// `not_sent`: the run was told to send other rows (`--only`, `--lines`, `--sample`, or the plan that was approved).
    NotSelected,
    /// `failed`: the service refused the row without saying why in a code.
    Refused,
    /// `failed`: something on the way to the service takes no request of this size.
    TooLarge,
    /// Ends the run: the token is refused, and no other one is to be had.
    CredentialsRefused,
    /// Ends the run: too many tokens were asked for, and the accounts server gives out no more for some minutes.
    TooManyTokens,
    /// Ends the run: the accounts server's address answers with a web page instead of a token.
    LoginPage,
    /// Ends the run: the token belongs to another data centre than the target.
    OtherTarget,
    /// Ends the run: the other side could not show that it is who it should be.
    Certificate,
    /// Ends the run: the proxy would not let us through.
    ProxyRefused,
    /// Ends the run: the target sent us to another address.
    Redirected,
    /// `failed` or `in_doubt`: a mistake in this program.
    InternalError,
    /// `deleted`: the attachment had gone before an undo asked for anything.
    AlreadyGone,
    /// `deleted`: the answer was lost, and afterwards the record no longer had the attachment.
    FoundGone,
}

impl OwnCode {
    /// Every code of our own, in the order of the documentation.
    pub const ALL: [OwnCode; 36] = [
        OwnCode::SettledByListing,
        OwnCode::Exists,
        OwnCode::Assumed,
        OwnCode::NoReply,
        OwnCode::NotConnected,
        OwnCode::Throttled,
        OwnCode::LocalShortage,
        OwnCode::FileGone,
        OwnCode::FileDenied,
        OwnCode::FileChanged,
        OwnCode::FileRead,
        OwnCode::ChecksumDiffers,
        OwnCode::AnswerLost,
        OwnCode::ServerError,
        OwnCode::Unreadable,
        OwnCode::Interrupted,
        OwnCode::SeveralMatches,
        OwnCode::UncertainMatch,
        OwnCode::NotListable,
        OwnCode::Edited,
        OwnCode::RunEnded,
        OwnCode::ModuleClosed,
        OwnCode::NotInManifest,
        OwnCode::NotSelected,
        OwnCode::Refused,
        OwnCode::TooLarge,
        OwnCode::CredentialsRefused,
        OwnCode::TooManyTokens,
        OwnCode::LoginPage,
        OwnCode::OtherTarget,
        OwnCode::Certificate,
        OwnCode::ProxyRefused,
        OwnCode::Redirected,
        OwnCode::InternalError,
        OwnCode::AlreadyGone,
        OwnCode::FoundGone,
    ];

    /// The word in the results file.
    pub fn as_str(self) -> &'static str {
        match self {
            OwnCode::SettledByListing => "settled-by-listing",
            OwnCode::Exists => "exists",
            OwnCode::Assumed => "assumed",
            OwnCode::NoReply => "no-reply",
            OwnCode::NotConnected => "not-connected",
            OwnCode::Throttled => "throttled",
            OwnCode::LocalShortage => "local-shortage",
            OwnCode::FileGone => "file-gone",
            OwnCode::FileDenied => "file-denied",
            OwnCode::FileChanged => "file-changed",
            OwnCode::FileRead => "file-read",
            OwnCode::ChecksumDiffers => "checksum-differs",
            OwnCode::AnswerLost => "answer-lost",
            OwnCode::ServerError => "server-error",
            OwnCode::Unreadable => "unreadable",
            OwnCode::Interrupted => "interrupted",
            OwnCode::SeveralMatches => "several-matches",
            OwnCode::UncertainMatch => "uncertain-match",
            OwnCode::NotListable => "not-listable",
            OwnCode::Edited => "edited",
            OwnCode::RunEnded => "run-ended",
            OwnCode::ModuleClosed => "module-closed",
            OwnCode::NotInManifest => "not-in-manifest",
            OwnCode::NotSelected => "not-selected",
            OwnCode::Refused => "refused",
            OwnCode::TooLarge => "too-large",
            OwnCode::CredentialsRefused => "credentials-refused",
            OwnCode::TooManyTokens => "too-many-tokens",
            OwnCode::LoginPage => "login-page",
            OwnCode::OtherTarget => "other-target",
            OwnCode::Certificate => "certificate",
            OwnCode::ProxyRefused => "proxy-refused",
            OwnCode::Redirected => "redirected",
            OwnCode::InternalError => "program-error",
            OwnCode::AlreadyGone => "already-gone",
            OwnCode::FoundGone => "found-gone",
        }
    }
}

impl fmt::Display for OwnCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<OwnCode> for String {
    fn from(code: OwnCode) -> String {
        code.as_str().to_owned()
    }
}

/// Whether a `failed` row with this code goes again by itself in the next run: its cause was a passing one, tried until
/// the retries were used up. All other failures go again only with `--resend`, or when the row was changed.
pub fn is_temporary(code: &str) -> bool {
    const OURS: [OwnCode; 4] = [OwnCode::NoReply, OwnCode::NotConnected, OwnCode::Throttled, OwnCode::LocalShortage];
    const SERVICE: [&str; 4] =
        ["TOO_MANY_REQUESTS", "RATE_LIMIT_EXCEEDED", "CONCURRENCY_LIMIT_EXCEEDED", "SERVICE_UNAVAILABLE"];
    OURS.iter().any(|own| own.as_str() == code) || SERVICE.contains(&code)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_passing_causes_go_again_by_themselves() {
        for code in [OwnCode::NoReply, OwnCode::NotConnected, OwnCode::Throttled, OwnCode::LocalShortage] {
            assert!(is_temporary(code.as_str()), "{code}");
        }
        assert!(is_temporary("TOO_MANY_REQUESTS"));
        for code in ["INVALID_DATA", "NO_PERMISSION", "", "file-changed", "exists"] {
            assert!(!is_temporary(code), "{code}");
        }
    }

    #[test]
    fn every_own_code_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<_> = OwnCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), OwnCode::ALL.len());
    }
}
