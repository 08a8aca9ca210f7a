//! Asks the service for what the results claim: the census first, where it saves requests, then the list of each record
//! that it does not settle, then the bytes of a sample. How fast and how often is the request engine's business; what an
//! answer means for the rest of the work is decided here.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::census::{Census, CensusEnd, CensusStep};
use super::compare::{Attached, Compared, compare};
use super::content::{ContentCheck, ContentComparer, NotCompared};
use super::sample::Sample;
use super::{VerifyFinding, VerifyRow, VerifyWork};
use crate::engine::Elapsed;
use crate::engine::brakes::failure_streaks::{ModuleStreak, RunStreak, StreakVerdict};
use crate::engine::ports::StopSignal;
use crate::engine::requests::{
    RequestEngine, RequestFailure, RequestHandler, RequestJob, RequestPolicy, RequestPort, RequestStop, RequestTotals,
    driver,
};
use crate::listing::ListReading;
use crate::reply::{FailedBy, Listed, Reply};
use crate::upload::{RecordId, ServiceId};
use crate::zoho::{CensusPage, CensusQuery, DownloadEnd};

/// The codes by which the service says that page tokens reach no further.
const REACH_CODES: [&str; 2] = ["DISCRETE_PAGINATION_LIMIT_EXCEEDED", "LIMIT_EXCEEDED"];

/// The service, as far as a verification needs it. Called from several threads at once.
pub trait VerifyService: Sync {
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

    /// One page of the census.
    ///
    /// # Errors
    ///
    /// The reply says why there is no page.
    fn census_page(&self, query: &CensusQuery) -> Result<CensusPage, Box<Reply>>;

    /// The bytes of an attachment.
    ///
    /// # Errors
    ///
    /// The reply says why they did not come, or not all.
    fn download(
        &self,
        module: &str,
        record: RecordId,
        id: ServiceId,
        expected: u64,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<DownloadEnd, Box<Reply>>;

    /// The time, the service's where it is known.
    fn now(&self) -> Timestamp;

    /// The API credits that the organisation has left, where an answer said so.
    fn credits_left(&self) -> Option<u64>;

    /// Ends every request under way.
    fn cut(&self);
}

/// What is to be looked at, and how.
#[derive(Clone, Debug)]
pub struct VerifyScope {
    /// Whether to take the census first.
    pub census: bool,
    /// The attachments whose bytes are compared; none where nobody asked for that.
    pub sample: Option<Sample>,
    /// The folder that the paths of the results start from.
    pub root: PathBuf,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VerifyStep {
    /// Pages of the census that are read.
    Census {
        /// So many.
        pages: u32,
    },
    /// Records that are done, by the census or by their lists.
    Records {
        /// So many.
        done: usize,
    },
    /// Files whose bytes are compared.
    Contents {
        /// So many.
        done: usize,
        /// Of so many.
        of: usize,
    },
}

/// What came of it all.
#[derive(Clone, PartialEq, Debug)]
pub struct Verified {
    /// Every row with what was found of it, in the order of the results.
    pub rows: Vec<VerifiedRow>,
    /// Records whose own list was read.
    pub listed: usize,
    /// How the census went, if it was taken.
    pub census: Option<CensusReport>,
    /// The sample whose bytes were compared, if one was.
    pub sample: Option<Sample>,
    /// Rows that repeat another one on purpose (equal rows that the user allowed).
    pub on_purpose: usize,
    /// Requests made and credits used.
    pub totals: RequestTotals,
    /// Why it ended before all was asked for, if it did.
    pub stop: Option<RequestStop>,
}

/// How the census went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CensusReport {
    /// Pages read.
    pub pages: u32,
    /// Records that it settled.
    pub settled: usize,
    /// How it ended; `None` if everything was stopped before.
    pub end: Option<CensusEnd>,
}

/// One row and what was found of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedRow {
    /// The row.
    pub row: VerifyRow,
    /// What was found.
    pub finding: VerifyFinding,
    /// The attachment that is the row's, where one is.
    pub there: Option<Attached>,
    /// When it was looked for; `None` if it was not.
    pub checked_at: Option<Timestamp>,
    /// Whether the census was all that was looked at: then it was seen once, and nobody asked the record for more.
    pub by_census: bool,
    /// What came of comparing its bytes; `None` if it is not in the sample.
    pub content: Option<Box<ContentCheck>>,
}

/// One request of a verification.
pub enum VerifyJob {
    /// A page of the census.
    Census(CensusQuery),
    /// A page of a record's list.
    List {
        /// The record, as an index into [`VerifyWork::records`].
        record: u32,
        /// The pages so far; `None` before the first one.
        reading: Option<Box<ListReading>>,
    },
    /// The bytes of an attachment.
    Content {
        /// The row, as an index into [`VerifyWork::rows`].
        row: usize,
        /// The attachment.
        id: ServiceId,
    },
}

impl RequestJob for VerifyJob {
    fn is_expendable(&self) -> bool {
        !matches!(self, VerifyJob::List { .. })
    }
}

/// What an answer to one of them holds.
pub enum VerifyAnswer {
    /// A page of the census.
    Census(CensusPage),
    /// The whole list of a record; `None` while more pages follow.
    List(Option<Vec<Listed>>),
    /// What came of comparing bytes.
    Content(ContentCheck),
}

/// Compares every row with what the service has, and tells `progress` how far it is.
pub fn verify(
    work: VerifyWork,
    scope: &VerifyScope,
    service: &dyn VerifyService,
    policy: &RequestPolicy,
    stop: &StopSignal,
    progress: &(dyn Fn(VerifyStep) + Sync),
) -> Verified {
    let mut engine = RequestEngine::new(policy.clone());
    let mut looking = Looking::new(&work, scope, service, progress);
    looking.begin(&mut engine);
    let port = VerifyPort { work: &work, root: &scope.root, service };
    let ending = driver::run(engine, policy.concurrency, &port, &mut looking, stop);
    looking.note_what_was_not_compared();
    let Looking { found, listed, on_purpose, census, census_end, census_settled, .. } = looking;
    let census = census.map(|census| CensusReport { pages: census.pages(), settled: census_settled, end: census_end });
    let rows = work.rows.into_iter().zip(found).map(|(row, found)| {
        let FoundRow { finding, there, checked_at, by_census, content } =
            found.unwrap_or_else(|| FoundRow::unasked(&row));
        VerifiedRow { row, finding, there, checked_at, by_census, content }
    });
    Verified {
        rows: rows.collect(),
        listed,
        on_purpose,
        census,
        sample: scope.sample.clone(),
        totals: ending.totals,
        stop: ending.stop,
    }
}

/// Makes the requests.
struct VerifyPort<'a> {
    work: &'a VerifyWork,
    root: &'a Path,
    service: &'a dyn VerifyService,
}

impl RequestPort for VerifyPort<'_> {
    type Job = VerifyJob;
    type Answer = VerifyAnswer;

    fn request(&self, job: &mut VerifyJob) -> Result<VerifyAnswer, Box<Reply>> {
        match job {
            VerifyJob::Census(query) => self.service.census_page(query).map(VerifyAnswer::Census),
            VerifyJob::List { record, reading } => {
                let record = &self.work.records[*record as usize];
                let reading = reading.get_or_insert_default();
                self.service.list_page(&record.module, record.id, reading).map(VerifyAnswer::List)
            }
            VerifyJob::Content { row, id } => self.compare_bytes(&self.work.rows[*row], *id),
        }
    }

    fn credits_left(&self) -> Option<u64> {
        self.service.credits_left()
    }

    fn cut(&self) {
        self.service.cut();
    }
}

impl VerifyPort<'_> {
    fn compare_bytes(&self, row: &VerifyRow, id: ServiceId) -> Result<VerifyAnswer, Box<Reply>> {
        let not_compared = |why| Ok(VerifyAnswer::Content(ContentCheck::NotCompared(why)));
        let Some(record) = row.record_id() else { return not_compared(NotCompared::NotThere) };
        let mut comparer = match ContentComparer::new(row, self.root) {
            Ok(comparer) => comparer,
            Err(why) => return not_compared(why),
        };
        let expected = row.bytes.unwrap_or_default();
        let end = self.service.download(&row.module, record, id, expected, &mut |bytes| comparer.update(bytes))?;
        Ok(VerifyAnswer::Content(comparer.finish(end)))
    }
}

/// What was found of one row so far.
struct FoundRow {
    finding: VerifyFinding,
    there: Option<Attached>,
    checked_at: Option<Timestamp>,
    by_census: bool,
    content: Option<Box<ContentCheck>>,
}

impl FoundRow {
    /// What is found of a row whose record was not asked for.
    fn unasked(row: &VerifyRow) -> FoundRow {
        FoundRow::unchecked(row, "not asked for before the end")
    }

    fn unchecked(row: &VerifyRow, why: &str) -> FoundRow {
        let finding = match row.is_asked_about() {
            true => VerifyFinding::Unchecked { why: why.to_owned() },
            false => VerifyFinding::NotExpected,
        };
        FoundRow { finding, there: None, checked_at: None, by_census: false, content: None }
    }
}

/// Hears the answers.
struct Looking<'a> {
    work: &'a VerifyWork,
    scope: &'a VerifyScope,
    service: &'a dyn VerifyService,
    progress: &'a (dyn Fn(VerifyStep) + Sync),
    /// By row.
    found: Vec<Option<FoundRow>>,
    /// `None` where none is taken.
    census: Option<Census>,
    census_end: Option<CensusEnd>,
    census_settled: usize,
    /// Lists that are queued or under way.
    open_lists: usize,
    /// Records whose lists were read.
    listed: usize,
    records_done: usize,
    /// Rows that repeat another one on purpose.
    on_purpose: usize,
    /// Whether the downloads were queued, and how many there are and are done.
    contents_begun: bool,
    contents: usize,
    contents_done: usize,
    streak: RunStreak,
    modules: HashMap<Arc<str>, ModuleAccess>,
}

/// What speaks against asking for further lists of a module.
#[derive(Default)]
struct ModuleAccess {
    streak: ModuleStreak,
    /// The answer for which no further list is asked for.
    closed: Option<String>,
}

impl<'a> Looking<'a> {
    fn new(
        work: &'a VerifyWork,
        scope: &'a VerifyScope,
        service: &'a dyn VerifyService,
        progress: &'a (dyn Fn(VerifyStep) + Sync),
    ) -> Looking<'a> {
        Looking {
            work,
            scope,
            service,
            progress,
            found: work.rows.iter().map(|_| None).collect(),
            census: None,
            census_end: None,
            census_settled: 0,
            open_lists: 0,
            listed: 0,
            records_done: 0,
            on_purpose: 0,
            contents_begun: false,
            contents: 0,
            contents_done: 0,
            streak: RunStreak::default(),
            modules: HashMap::new(),
        }
    }

    /// Queues what does not depend on any answer.
    fn begin(&mut self, engine: &mut RequestEngine<VerifyJob>) {
        let all = 0..u32::try_from(self.work.records.len()).unwrap_or(u32::MAX);
        if !self.scope.census {
            return self.queue_lists(engine, all);
        }
        let (census, others) = Census::of(self.work);
        engine.push(VerifyJob::Census(census.first()));
        self.census = Some(census);
        self.queue_lists(engine, others);
    }

    fn queue_lists(&mut self, engine: &mut RequestEngine<VerifyJob>, records: impl IntoIterator<Item = u32>) {
        for record in records {
            let module = self.work.records.get(record as usize).and_then(|record| self.modules.get(&record.module));
            match module.and_then(|module| module.closed.clone()) {
                Some(why) => self.leave_unchecked(record, &why),
                None => {
                    self.open_lists += 1;
                    engine.push(VerifyJob::List { record, reading: None });
                }
            }
        }
        self.queue_contents(engine);
    }

    /// Queues the downloads once all that must come before them is done.
    fn queue_contents(&mut self, engine: &mut RequestEngine<VerifyJob>) {
        let is_due = self.open_lists == 0 && (self.census.is_none() || self.census_end.is_some());
        let Some(sample) = self.scope.sample.as_ref().filter(|_| is_due && !self.contents_begun) else { return };
        self.contents_begun = true;
        for &place in &sample.rows {
            let (Some(row), Some(Some(found))) = (self.work.rows.get(place), self.found.get_mut(place)) else {
                continue;
            };
            let Some(there) = found.there else { continue };
            match ContentComparer::look(row, &self.scope.root) {
                Ok(()) => {
                    self.contents += 1;
                    engine.push(VerifyJob::Content { row: place, id: there.id });
                }
                Err(why) => found.content = Some(Box::new(ContentCheck::NotCompared(why))),
            }
        }
    }

    fn follow_census(&mut self, engine: &mut RequestEngine<VerifyJob>, step: CensusStep) {
        let Some(census) = &mut self.census else { return };
        (self.progress)(VerifyStep::Census { pages: census.pages() });
        let end = match step {
            CensusStep::Ask(query) => return engine.push_next(VerifyJob::Census(query)),
            CensusStep::End(end) => end,
        };
        let (settled, open) = census.settle(self.work);
        self.census_end = Some(end);
        self.census_settled = settled.len();
        for (record, compared) in settled {
            self.note(record, compared, true);
        }
        self.queue_lists(engine, open);
    }

    fn note(&mut self, record: u32, compared: Vec<Compared>, by_census: bool) {
        let checked_at = Some(self.service.now());
        let rows = self.work.records.get(record as usize).map(|record| &record.rows);
        for (&row, Compared { finding, there, repeats }) in rows.into_iter().flatten().zip(compared) {
            self.on_purpose += usize::from(repeats);
            self.found[row] = Some(FoundRow { finding, there, checked_at, by_census, content: None });
        }
        self.record_done();
    }

    fn leave_unchecked(&mut self, record: u32, why: &str) {
        let rows = self.work.records.get(record as usize).map(|record| &record.rows);
        for &row in rows.into_iter().flatten() {
            self.found[row] = Some(FoundRow::unchecked(&self.work.rows[row], why));
        }
        self.record_done();
    }

    fn record_done(&mut self) {
        self.records_done += 1;
        (self.progress)(VerifyStep::Records { done: self.records_done });
    }

    fn list_failed(&mut self, engine: &mut RequestEngine<VerifyJob>, record: u32, failure: &RequestFailure) {
        let said = failure.reply().answer_text();
        self.leave_unchecked(record, &said);
        let RequestFailure::Refused { by, reply } = failure else { return };
        // Records that were deleted since are what a verification finds out, and no reason to end it.
        let (Some(record), false) = (self.work.records.get(record as usize), *by == FailedBy::Record) else { return };
        let module = self.modules.entry(Arc::clone(&record.module)).or_default();
        match self.streak.refusal(&mut module.streak, *by, &reply.code) {
            StreakVerdict::GoOn | StreakVerdict::StopForRecords(_) => {}
            StreakVerdict::CloseModule => {
                module.closed = Some(said.clone());
                self.close_module(engine, &record.module, &said);
            }
            StreakVerdict::StopForUnlisted(count) => {
                engine.stop(RequestStop::Refusals { count, reply: reply.clone() });
            }
        }
    }

    fn close_module(&mut self, engine: &mut RequestEngine<VerifyJob>, module: &str, said: &str) {
        let work = self.work;
        let is_of_module = |job: &VerifyJob| match job {
            VerifyJob::List { record, .. } => {
                work.records.get(*record as usize).is_some_and(|record| &*record.module == module)
            }
            VerifyJob::Census(_) | VerifyJob::Content { .. } => false,
        };
        for job in engine.withdraw(is_of_module) {
            if let VerifyJob::List { record, .. } = job {
                self.open_lists -= 1;
                self.leave_unchecked(record, said);
            }
        }
    }

    fn content_done(&mut self, row: usize, check: ContentCheck) {
        if let Some(Some(found)) = self.found.get_mut(row) {
            if matches!(check, ContentCheck::Differs { .. }) {
                found.finding = VerifyFinding::ContentDiffers;
            }
            found.content = Some(Box::new(check));
        }
        self.contents_done += 1;
        (self.progress)(VerifyStep::Contents { done: self.contents_done, of: self.contents });
    }

    /// Rows of the sample that no download was made for say why.
    fn note_what_was_not_compared(&mut self) {
        for &row in self.scope.sample.iter().flat_map(|sample| &sample.rows) {
            let Some(found) = self.found.get_mut(row) else { continue };
            let found = found.get_or_insert_with(|| FoundRow::unasked(&self.work.rows[row]));
            if found.content.is_none() {
                let is_asked = found.there.is_none() && found.checked_at.is_some();
                let why = if is_asked { NotCompared::NotThere } else { NotCompared::Unasked };
                found.content = Some(Box::new(ContentCheck::NotCompared(why)));
            }
        }
    }
}

impl RequestHandler<VerifyJob, VerifyAnswer> for Looking<'_> {
    fn handle(
        &mut self,
        engine: &mut RequestEngine<VerifyJob>,
        _now: Elapsed,
        job: VerifyJob,
        outcome: Result<VerifyAnswer, RequestFailure>,
    ) {
        match (job, outcome) {
            (VerifyJob::Census(_), outcome) => {
                let Some(census) = &mut self.census else { return };
                let step = match outcome {
                    Ok(VerifyAnswer::Census(page)) => census.take(page),
                    Ok(_) => return,
                    Err(failure) => {
                        let reply = failure.reply();
                        census.refused(reply.answer_text(), REACH_CODES.contains(&reply.code.as_str()))
                    }
                };
                self.follow_census(engine, step);
            }
            (VerifyJob::List { record, reading }, Ok(VerifyAnswer::List(None))) => {
                engine.push_next(VerifyJob::List { record, reading });
            }
            (VerifyJob::List { record, .. }, outcome) => {
                self.open_lists -= 1;
                match outcome {
                    Ok(VerifyAnswer::List(listed)) => self.list_read(record, &listed.unwrap_or_default()),
                    Ok(_) => {}
                    Err(failure) => self.list_failed(engine, record, &failure),
                }
                self.queue_contents(engine);
            }
            (VerifyJob::Content { row, .. }, Ok(VerifyAnswer::Content(check))) => self.content_done(row, check),
            (VerifyJob::Content { row, .. }, outcome) => {
                let said = outcome.err().map(|failure| failure.reply().answer_text()).unwrap_or_default();
                self.content_done(row, ContentCheck::NotCompared(NotCompared::NoDownload(said)));
            }
        }
    }
}

impl Looking<'_> {
    fn list_read(&mut self, record: u32, listed: &[Listed]) {
        let Some(asked) = self.work.records.get(record as usize) else { return };
        self.listed += 1;
        self.streak.success(&mut self.modules.entry(Arc::clone(&asked.module)).or_default().streak);
        let compared = compare(&self.work.rows_of(asked), listed);
        self.note(record, compared, false);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::engine::retry::{Backoff, RetryPolicy};
    use crate::outcome::Status;
    use crate::reply::{RetryBecause, StopBecause, Verdict};
    use crate::units::Rate;
    use crate::upload::{RowKey, SourceKind};
    use crate::verify::VerifyRecord;

    /// Rows of as many records: row `n` is attachment `n` of record 1,000,000,000 + `n`.
    fn work(modules: &[&str], rows: u64) -> VerifyWork {
        let mut work = VerifyWork::default();
        for module in modules {
            for n in 0..rows {
                let module: Arc<str> = (*module).into();
                let record = (1_000_000_000 + n).to_string();
                let key = RowKey::of(&module, &record, SourceKind::File, "a", "a", 1);
                let id = RecordId::new(1_000_000_000 + n).expect("an id");
                work.records.push(VerifyRecord { module: Arc::clone(&module), id, rows: vec![work.rows.len()] });
                work.rows.push(VerifyRow {
                    line: u32::try_from(n).expect("few") + 2,
                    module,
                    record,
                    key,
                    status: Status::Uploaded,
                    source: "a".to_owned(),
                    is_link: false,
                    name: "a".to_owned(),
                    bytes: Some(1),
                    content: None,
                    sent_at: None,
                    attachment: Some(ServiceId::new(n)),
                    is_plain: true,
                    target: "sandbox".into(),
                    org: None,
                });
            }
        }
        work
    }

    fn policy() -> RequestPolicy {
        let backoff = Backoff { base: Duration::ZERO, cap: Duration::ZERO };
        RequestPolicy { rate: Rate::Unlimited, retry: RetryPolicy { retries: 2, backoff }, ..RequestPolicy::default() }
    }

    fn listed(id: RecordId) -> Result<Option<Vec<Listed>>, Box<Reply>> {
        let id = ServiceId::new(id.get() - 1_000_000_000);
        let one = Listed {
            id,
            name: "a".to_owned(),
            size: Some(1),
            url: None,
            created: None,
            created_by: None,
            address_told: true,
        };
        Ok(Some(vec![one]))
    }

    fn not(verdict: Verdict, code: &str) -> Result<Option<Vec<Listed>>, Box<Reply>> {
        Err(Box::new(Reply {
            verdict,
            code: code.to_owned(),
            message: String::new(),
            http_status: None,
            took: Duration::ZERO,
            retry_after: None,
            credits_left: None,
        }))
    }

    /// A service that counts how often it is asked.
    struct Asked<F> {
        list: F,
        times: AtomicUsize,
        credits: u64,
    }

    impl<F: Fn(&str, RecordId) -> Result<Option<Vec<Listed>>, Box<Reply>> + Sync> VerifyService for Asked<F> {
        fn list_page(
            &self,
            module: &str,
            record: RecordId,
            _reading: &mut ListReading,
        ) -> Result<Option<Vec<Listed>>, Box<Reply>> {
            self.times.fetch_add(1, Ordering::Relaxed);
            (self.list)(module, record)
        }

        fn census_page(&self, _query: &CensusQuery) -> Result<CensusPage, Box<Reply>> {
            panic!("nobody asks for a census here")
        }

        fn download(
            &self,
            _module: &str,
            _record: RecordId,
            _id: ServiceId,
            _expected: u64,
            _take: &mut dyn FnMut(&[u8]),
        ) -> Result<DownloadEnd, Box<Reply>> {
            panic!("nobody asks for bytes here")
        }

        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn credits_left(&self) -> Option<u64> {
            let times = self.times.load(Ordering::Relaxed) as u64;
            (times > 0).then_some(self.credits.saturating_sub(times))
        }

        fn cut(&self) {}
    }

    fn scope() -> VerifyScope {
        VerifyScope { census: false, sample: None, root: PathBuf::new() }
    }

    fn run(
        work: VerifyWork,
        policy: &RequestPolicy,
        list: impl Fn(&str, RecordId) -> Result<Option<Vec<Listed>>, Box<Reply>> + Sync,
    ) -> (Verified, usize) {
        let service = Asked { list, times: AtomicUsize::new(0), credits: 50_000 };
        let verified = verify(work, &scope(), &service, policy, &StopSignal::default(), &|_| ());
        (verified, service.times.into_inner())
    }

    #[test]
    fn every_record_is_listed_once() {
        let (verified, asked) = run(work(&["Leads"], 100), &policy(), |_, id| listed(id));
        assert_eq!((asked, verified.listed, verified.count("present")), (100, 100, 100));
        assert_eq!(verified.stop, None);
    }

    #[test]
    fn a_list_that_failed_for_a_passing_reason_is_asked_for_again() {
        let first = AtomicBool::new(true);
        let (verified, asked) =
            run(work(&["Leads"], 3), &policy(), |_, id| match first.swap(false, Ordering::Relaxed) {
                true => not(Verdict::Retry(RetryBecause::Throttled), "TOO_MANY_REQUESTS"),
                false => listed(id),
            });
        assert_eq!((asked, verified.count("present")), (4, 3));
    }

    #[test]
    fn a_service_that_never_answers_ends_it_with_the_rest_unchecked() {
        let (verified, asked) =
            run(work(&["Leads"], 9), &policy(), |_, _| not(Verdict::Retry(RetryBecause::Passing), "down"));
        assert_eq!((asked, verified.count("unchecked")), (3, 9));
        assert!(matches!(verified.stop, Some(RequestStop::NoAnswer { .. })));
    }

    #[test]
    fn one_record_whose_list_cannot_be_read_leaves_the_others_alone() {
        let (verified, _) = run(work(&["Leads"], 9), &policy(), |_, id| match id.get() {
            1_000_000_004 => not(Verdict::Retry(RetryBecause::Passing), "unreadable"),
            _ => listed(id),
        });
        assert_eq!((verified.count("unchecked"), verified.count("present"), verified.stop), (1, 8, None));
    }

    #[test]
    fn refused_credentials_end_it_at_once() {
        let stop = Verdict::Stop(StopBecause::Credentials);
        let (verified, asked) = run(work(&["Leads"], 9), &policy(), |_, _| not(stop.clone(), "INVALID_TOKEN"));
        assert_eq!((asked, verified.count("unchecked")), (1, 9));
        assert!(matches!(verified.stop, Some(RequestStop::Service { because: StopBecause::Credentials, .. })));
    }

    #[test]
    fn a_module_that_is_refused_is_not_asked_for_again_and_the_others_are() {
        let one = RequestPolicy { concurrency: 1, ..policy() };
        let (verified, asked) = run(work(&["Leads", "Deals"], 20), &one, |module, id| match module {
            "Leads" => not(Verdict::Failed(FailedBy::Permission), "NO_PERMISSION"),
            _ => listed(id),
        });
        assert_eq!((asked, verified.count("unchecked"), verified.count("present")), (25, 20, 20));
        assert_eq!(verified.stop, None);
    }

    #[test]
    fn records_that_are_gone_do_not_end_it_however_many_they_are() {
        let (verified, asked) =
            run(work(&["Leads"], 120), &policy(), |_, _| not(Verdict::Failed(FailedBy::Record), "INVALID_DATA"));
        assert_eq!((asked, verified.count("unchecked"), verified.stop), (120, 120, None));
    }

    #[test]
    fn no_more_credits_are_used_than_allowed() {
        let few = RequestPolicy { max_credits: Some(7), ..policy() };
        let (verified, asked) = run(work(&["Leads"], 20), &few, |_, id| listed(id));
        assert_eq!((asked, verified.count("present"), verified.count("unchecked")), (7, 7, 13));
        assert_eq!(verified.stop, Some(RequestStop::MaxCredits { max: 7 }));
    }

    #[test]
    fn the_credits_of_others_are_left_to_them() {
        let one = RequestPolicy { concurrency: 1, keep_credits: 490, ..policy() };
        let service = Asked { list: |_: &str, id| listed(id), times: AtomicUsize::new(0), credits: 500 };
        let verified = verify(work(&["Leads"], 20), &scope(), &service, &one, &StopSignal::default(), &|_| ());
        assert_eq!((verified.listed, verified.count("unchecked")), (10, 10));
        assert_eq!(verified.stop, Some(RequestStop::KeptCredits { left: 490 }));
    }

    #[test]
    fn a_signal_leaves_the_rest_unchecked() {
        let stop = StopSignal::default();
        // Asked once more and more often than once a second, the second request would wait for the first second's end.
        let slow = RequestPolicy { concurrency: 1, rate: "1/s".parse().expect("a rate"), ..policy() };
        let list = |_: &str, id: RecordId| {
            stop.soft();
            listed(id)
        };
        let service = Asked { list, times: AtomicUsize::new(0), credits: 50_000 };
        let verified = verify(work(&["Leads"], 5), &scope(), &service, &slow, &stop, &|_| ());
        assert_eq!((verified.count("present"), verified.stop), (1, Some(RequestStop::Signal)));
    }
}
