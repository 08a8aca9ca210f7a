//! What an answer of the service means for a row: the vocabulary between `zoho`, which reads answers, and `engine`,
//! which decides what follows. Neither HTTP nor retry rules appear here.

use std::time::Duration;

use crate::listing::ListPage;
// An entry of a list is what several replies are made of.
pub use crate::listing::Listed;
use crate::upload::ServiceId;

/// What came of one try to upload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply<V = Verdict> {
    /// What it means.
    pub verdict: V,
    /// The code, as the service wrote it or ours in kebab-case.
    pub code: String,
    /// The service's words or ours, made safe for a terminal.
    pub message: String,
    /// HTTP status, if an answer was read.
    pub http_status: Option<u16>,
    /// From the first byte to the answer.
    pub took: Duration,
    /// How long the service asked everybody to wait (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// API credits left, if the answer said so.
    pub credits_left: Option<u64>,
}

impl<V> Reply<V> {
    /// The same answer, understood as one of another kind.
    pub fn into_kind<W: From<V>>(self) -> Reply<W> {
        let Reply { verdict, code, message, http_status, took, retry_after, credits_left } = self;
        Reply { verdict: verdict.into(), code, message, http_status, took, retry_after, credits_left }
    }

    /// What was said, the code first.
    pub fn answer_text(&self) -> String {
        match (self.code.as_str(), self.message.as_str()) {
            ("", message) => message.to_owned(),
            (code, message) if message.is_empty() || message == code => code.to_owned(),
            (code, message) => format!("{code}: {message}"),
        }
    }
}

/// The classes of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The attachment exists.
    Uploaded(Created),
    /// A link that the record already has.
    AlreadyPresent,
    /// Permanently refused; nothing was created.
    Failed(FailedBy),
    /// Surely nothing was created; may be tried again.
    Retry(RetryBecause),
    /// Bytes left and no answer proves anything: only a listing can tell.
    InDoubt(DoubtBecause),
    /// Nothing further can work; the row itself was surely not created.
    Stop(StopBecause),
    /// Nothing further can work, and bytes of the row have left without a proof: it is in doubt, too.
    StopInDoubt(StopBecause),
}

/// What a success says of the new attachment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Created {
    /// Its id.
    pub id: ServiceId,
    /// RFC 3339 with offset, as the service wrote it.
    pub time: Option<String>,
    /// The user it belongs to.
    pub by: Option<ServiceId>,
}

/// Why a row failed for good; streaks are counted by this.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FailedBy {
    /// `INVALID_MODULE`: every row of the module would fail alike.
    Module,
    /// `NO_PERMISSION`, `AUTHORIZATION_FAILED`.
    Permission,
    /// `INVALID_DATA` about the record id.
    Record,
    /// File type, size, name, link: only this row is at fault.
    Row,
    /// The file is not the one that was planned, or cannot be read any more. No byte was sent.
    File,
    /// A refusal that is not documented; the engine stops after several of one kind.
    Unlisted,
}

/// Why a try may be repeated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RetryBecause {
    /// The service asks to slow down.
    Throttled,
    /// No connection came about, or it ended before the first byte of the body left.
    NotConnected,
    /// The token was refused; a fresh one has been fetched.
    TokenRenewed,
    /// This machine is short of file handles or threads.
    LocalShortage,
    /// A listing failed for a passing reason (listings change nothing, so they may always be repeated).
    Passing,
}

/// Why a try is in doubt.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DoubtBecause {
    /// The connection ended or fell silent after bytes had left.
    AnswerLost,
    /// A 5xx or 408: the work may have been done.
    ServerError,
    /// An answer came that proves neither success nor refusal.
    Unreadable,
    /// A refusal that need not be the service's own: a 4xx without one of its codes (a firewall's page, a proxy's 413),
    /// or a code that nobody knows in an answer that speaks of success. Where nothing came of it, the row fails by it.
    Refused,
    /// The service says with a 4xx that something went wrong inside. Where nothing came of it, the row fails by it.
    InternalError,
    /// A 401 without a code of the service; a fresh token has been fetched.
    TokenRefused,
    /// The file changed while it was being sent; after settling, the row fails.
    FileChanged,
}

impl DoubtBecause {
    /// Whether the row, once it is proved that nothing was created, fails by the answer instead of being sent again.
    pub fn is_refusal(self) -> bool {
        matches!(self, DoubtBecause::Refused | DoubtBecause::InternalError)
    }

    /// Whether the service may be in trouble. A firewall that dislikes some files is not: others get through.
    pub fn is_trouble(self) -> bool {
        !matches!(self, DoubtBecause::Refused | DoubtBecause::TokenRefused)
    }
}

/// Why the run as a whole must stop.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StopBecause {
    /// The token is refused and cannot be renewed.
    Credentials,
    /// The token lacks a scope.
    Scope,
    /// API credits or storage are used up.
    Limit,
    /// Certificate, redirect, wrong address, proxy: the target is not what it should be.
    Target,
    /// The results file or the disk cannot be written.
    Disk,
    /// We asked in a way the service does not know: our mistake.
    OurMistake,
}

/// What an answer means that is none to a question: to ask changes nothing, so it leaves nothing in doubt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Permanently refused.
    Failed(FailedBy),
    /// May be asked again.
    Retry(RetryBecause),
    /// Nothing further can work.
    Stop(StopBecause),
}

impl From<Refusal> for Verdict {
    fn from(refusal: Refusal) -> Verdict {
        match refusal {
            Refusal::Failed(by) => Verdict::Failed(by),
            Refusal::Retry(because) => Verdict::Retry(because),
            Refusal::Stop(because) => Verdict::Stop(because),
        }
    }
}

impl From<Verdict> for Refusal {
    /// Whoever answers a question with what only answers an upload is not the service, or not in order.
    fn from(verdict: Verdict) -> Refusal {
        match verdict {
            Verdict::Failed(by) => Refusal::Failed(by),
            Verdict::Retry(because) => Refusal::Retry(because),
            Verdict::Stop(because) | Verdict::StopInDoubt(because) => Refusal::Stop(because),
            Verdict::Uploaded(_) | Verdict::AlreadyPresent | Verdict::InDoubt(_) => {
                Refusal::Retry(RetryBecause::Passing)
            }
        }
    }
}

/// What came of one listing of a record's attachments, all pages read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ListReply {
    /// Every attachment of the record.
    Listed(Vec<Listed>),
    /// No list; the verdict is never `Uploaded`, `AlreadyPresent` or `InDoubt`.
    Not(Reply),
}

/// What came of one page of a record's list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PageReply {
    /// The page, and the API credits left, if the answer said so.
    Page {
        /// What is on it.
        page: ListPage,
        /// From the `X-API-CREDITS-REMAINING` header.
        credits_left: Option<u64>,
    },
    /// This version of the service wants to be asked in another way, which has been learnt: the same page is due again.
    AskAgain,
    /// No page.
    Not(Reply<Refusal>),
}

/// What came of asking for one attachment by its id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PresenceReply {
    /// It is there, or it is not, and the API credits left, if the answer said so.
    Told {
        /// What the answer says.
        presence: AttachmentPresence,
        /// From the `X-API-CREDITS-REMAINING` header.
        credits_left: Option<u64>,
    },
    /// No answer to that.
    Not(Reply<Refusal>),
}

/// Whether an attachment is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttachmentPresence {
    /// It is: its content came, or it is a link, which has none.
    There,
    /// It is not, in the words that the service has for that.
    Gone,
    /// The answer says neither.
    Untold,
}
