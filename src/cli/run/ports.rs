//! Who does the work of a run: the client sends, the results remember. Both know rows only by the plan's numbers.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::content::Fingerprint;
use crate::engine::{Clock, Ended, JobId, Journal, JournalError, RecordClaims, Service};
use crate::listing::PageRequest;
use crate::outcome::OwnCode;
use crate::owner::CrmOwner;
use crate::plan::Plan;
use crate::reply::{FailedBy, PageReply, PresenceReply, Reply, Verdict};
use crate::results::{Disk, Layout, Line, LogError, ResultsSnapshot, SharedLog};
use crate::units::counted;
use crate::upload::{RowKey, ServiceId};
use crate::zoho::Client;

/// Sends the rows of a plan through a client.
pub(crate) struct ClientUploader<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) client: &'a Client,
    /// Where it is noted what was sent.
    pub(crate) contents: &'a SentContents,
    /// Uploads whose answer has not come.
    pub(crate) under_way: &'a UploadsUnderWay,
}

/// How many uploads are under way at this moment, for whoever ends the program in the middle of them.
#[derive(Default)]
pub(crate) struct UploadsUnderWay(AtomicU64);

impl UploadsUnderWay {
    /// What is left behind if the program ends now.
    pub(crate) fn last_words(&self) -> String {
        match self.0.load(Ordering::Relaxed) {
            0 => "interrupted again: ended at once, with no upload under way; the same command goes on".to_owned(),
            count => format!(
                "interrupted again: ended at once; {} under way may or may not have arrived, and the same command finds out \
                 before it sends anything",
                counted(count, "upload")
            ),
        }
    }

    /// Counts one more until it is dropped.
    fn one_more(&self) -> OneUnderWay<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        OneUnderWay(&self.0)
    }
}

/// One upload under way.
struct OneUnderWay<'a>(&'a AtomicU64);

impl Drop for OneUnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The fingerprints of what was sent and has no final line yet.
#[derive(Default)]
pub(crate) struct SentContents(Mutex<HashMap<JobId, Fingerprint>>);

impl SentContents {
    pub(crate) fn note(&self, job: JobId, content: Fingerprint) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(job, content);
    }

    fn take(&self, job: JobId) -> Option<Fingerprint> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&job)
    }
}

impl Service for ClientUploader<'_> {
    fn upload(&self, job: JobId, sent: &(dyn Fn(u64) + Sync)) -> Reply {
        let Some((row, upload)) = self.plan.row(job).zip(self.plan.upload(job)) else {
            return not_ours(job);
        };
        let checked = self.plan.checked();
        let file = checked.file(row);
        let _under_way = self.under_way.one_more();
        // The client tells of each piece; whoever looks on is told how far the row is.
        let so_far = AtomicU64::new(0);
        let piece = |bytes| sent(so_far.fetch_add(bytes, Ordering::Relaxed) + bytes);
        let sent = self.client.upload(&upload, file.as_ref(), &piece);
        // A row is sent again only while its file is the one that was checked, so the last one speaks for all.
        if let Some(content) = sent.content {
            self.contents.note(job, content);
        }
        sent.reply
    }

    fn page(&self, job: JobId, page: &PageRequest) -> PageReply {
        match self.plan.record(job) {
            Some((module, record)) => self.client.page(module, record, page),
            None => PageReply::Not(not_ours(job).into_kind()),
        }
    }

    fn presence(&self, job: JobId, attachment: ServiceId) -> PresenceReply {
        match self.plan.record(job) {
            Some((module, record)) => self.client.presence(module, record, attachment),
            None => PresenceReply::Not(not_ours(job).into_kind()),
        }
    }

    fn now(&self) -> (Timestamp, Clock) {
        let (time, clock) = match self.client.server_time() {
            Some(time) => (time, Clock::Service),
            None => (Timestamp::now(), Clock::Local),
        };
        (whole_milliseconds(time), clock)
    }

    fn cut(&self) {
        self.client.cut();
    }
}

/// More digits than that say nothing about a clock across a network. Cut off, not rounded: never ahead of the service.
fn whole_milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// The engine never asks for a row that the manifest no longer has; were it to, nothing must leave.
fn not_ours(job: JobId) -> Reply {
    Reply {
        verdict: Verdict::Failed(FailedBy::Row),
        code: OwnCode::InternalError.into(),
        message: JournalError::NoSuchJob(job).to_string(),
        http_status: None,
        took: std::time::Duration::ZERO,
        retry_after: None,
        credits_left: None,
    }
}

/// Writes the lines of a plan's rows.
pub(crate) struct ResultsJournal<'a, L> {
    pub(crate) plan: &'a Plan,
    pub(crate) log: &'a L,
    pub(crate) target: &'a str,
    pub(crate) run: &'a str,
    /// Whose CRM it is, where that is known.
    pub(crate) owner: Option<CrmOwner>,
    /// What earlier runs did about the rows that this one goes on with.
    pub(crate) earlier: HashMap<RowKey, EarlierTries>,
    /// What this run sent.
    pub(crate) contents: &'a SentContents,
    /// The columns of the file as the earlier runs left it.
    pub(crate) old_layout: Layout,
}

/// What earlier runs did about a row.
#[derive(Clone, Copy)]
pub(crate) struct EarlierTries {
    /// The requests that they made: a row's count is of all runs together.
    tries: u32,
    /// Size and content of what they sent, where it is still open what became of it: the file may be another one now.
    sent: Option<(Option<u64>, Option<Fingerprint>)>,
}

/// What earlier runs did about the rows that this one goes on with.
pub(crate) fn earlier_tries<D: Disk>(
    plan: &Plan,
    seen: &ResultsSnapshot<D>,
) -> io::Result<HashMap<RowKey, EarlierTries>> {
    let mut earlier = HashMap::new();
    if seen.history().is_empty() {
        return Ok(earlier);
    }
    for row in (0..plan.jobs().len()).filter_map(|job| plan.row(JobId(u32::try_from(job).ok()?))) {
        let key = plan.checked().key(row);
        if let Some(line) = seen.line(key)? {
            let sent = line.status.is_open().then_some((line.bytes, line.content));
            if line.tries > 0 || sent.is_some() {
                earlier.insert(key, EarlierTries { tries: line.tries, sent });
            }
        }
    }
    Ok(earlier)
}

impl<L: SharedLog> ResultsJournal<'_, L> {
    fn tries_before(&self, line: &Line) -> u32 {
        self.earlier.get(&line.key).map_or(0, |earlier| earlier.tries)
    }

    fn line(&self, job: JobId) -> Option<Line> {
        if let Some((row, upload)) = self.plan.row(job).zip(self.plan.upload(job)) {
            let checked = self.plan.checked();
            let bytes = checked.facts(row).map_or(0, |facts| facts.size);
            let carried = checked.carried(row).map(str::to_owned).collect();
            let record_key = checked.record_key(row).to_owned();
            let org = self.owner;
            return Some(Line { record_key, carried, org, ..Line::of(&upload, Some(bytes), self.target, self.run) });
        }
        let line = self.plan.orphan(job)?.line.clone();
        let carried = self.log.layout().rearranged(&self.old_layout, line.carried);
        Some(Line { carried, run: self.run.to_owned(), ..line })
    }
}

/// An error of the log, as the engine is told.
fn journal_error(error: LogError) -> JournalError {
    let words = error.to_string();
    match error {
        LogError::Write(_) | LogError::Broken | LogError::OurMistake => JournalError::Unwritten(words),
        LogError::Read(_) => JournalError::Unreadable(words),
        LogError::Displaced(_) => JournalError::Displaced(words),
    }
}

impl<L: SharedLog + Sync> Journal for ResultsJournal<'_, L> {
    fn begin(&self, job: JobId, sent_at: Timestamp, tries: u32) -> Result<(), JournalError> {
        let line = self.line(job).ok_or(JournalError::NoSuchJob(job))?;
        let tries = self.tries_before(&line).saturating_add(tries);
        self.log.begin(&Line { tries, ..line.sending(sent_at) }).map_err(journal_error)
    }

    fn finish(&self, ended: &Ended) -> Result<(), JournalError> {
        let mut line = self.line(ended.job).ok_or(JournalError::NoSuchJob(ended.job))?;
        let tries_before = self.tries_before(&line);
        if ended.outcome.tries > 0 {
            line.content = self.contents.take(ended.job);
        } else if let Some(EarlierTries { sent: Some((bytes, content)), .. }) = self.earlier.get(&line.key) {
            line.bytes = bytes.or(line.bytes);
            line.content = *content;
        }
        self.log.finish(&line.ended(&ended.outcome, tries_before)).map_err(journal_error)
    }

    fn claims(&self, job: JobId) -> Result<RecordClaims, JournalError> {
        let (_, record) = self.plan.record(job).ok_or(JournalError::NoSuchJob(job))?;
        let (all, expected) = self.log.claims(record).map_err(journal_error)?;
        Ok(RecordClaims { all, expected })
    }

    fn holds(&self, attachment: ServiceId) -> Result<bool, JournalError> {
        self.log.held_before(attachment).map_err(journal_error)
    }
}
