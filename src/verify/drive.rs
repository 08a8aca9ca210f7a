//! Asks the service for the list of each record, several at once and no faster than the user said, and has each judged.
//!
//! A listing changes nothing, so whatever fails for a passing reason is simply asked again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{VerifyFinding, VerifyRecord, VerifyRow, VerifyWork};
use crate::engine::StopSignal;
use crate::engine::brakes::rate::RequestRate;
use crate::engine::policy::{Backoff, MOST_AT_ONCE};
use crate::reply::{FailedBy, ListReply, Reply, Verdict};
use crate::units::{self, Rate};
use crate::upload::RecordId;

/// As often in a row may the lists of one module be refused for lack of permission before the rest is not asked for.
const REFUSALS: u32 = 5;
/// How long a waiting thread may overlook that it should stop.
const HEED: Duration = Duration::from_millis(100);

/// Gives the lists of records. Called from several threads at once.
pub trait Lists: Sync {
    /// The attachments of a record, every page.
    fn list(&self, module: &str, record: RecordId) -> ListReply;

    /// The API credits that the organisation has left, where the last answer said so.
    fn credits_left(&self) -> Option<u64>;
}

/// How hard the service may be asked.
#[derive(Clone, PartialEq, Debug)]
pub struct VerifyPolicy {
    /// Most listings at once.
    pub concurrency: u32,
    /// Most listings in a time.
    pub rate: Rate,
    /// How often a listing is asked for again.
    pub retries: u32,
    /// How long to wait before that.
    pub backoff: Backoff,
    /// Most listings in all: each costs an API credit.
    pub max_credits: Option<u64>,
    /// API credits that must be left for others.
    pub keep_credits: u64,
}

impl Default for VerifyPolicy {
    fn default() -> VerifyPolicy {
        let run = crate::engine::Policy::default();
        VerifyPolicy {
            concurrency: run.concurrency,
            rate: run.rate,
            retries: run.retries,
            backoff: run.backoff,
            max_credits: None,
            keep_credits: run.keep_credits,
        }
    }
}

/// What came of it all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// Every row with what was found of it, in the order of the results.
    pub rows: Vec<(VerifyRow, VerifyFinding)>,
    /// Records whose list was read.
    pub listed: usize,
    /// Why it ended before all records were asked for, if it did.
    pub halted: Option<Halt>,
}

/// Why not all records were asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Halt {
    /// A signal.
    Signal,
    /// The service, or a limit that the user set; in words.
    Stopped(String),
}

/// Compares every row with the lists of the records, and tells `progress` how many records are done.
pub fn verify(
    work: VerifyWork,
    lists: &dyn Lists,
    settings: &VerifyPolicy,
    stop: &StopSignal,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Verified, rayon::ThreadPoolBuildError> {
    let asking = Asking::new(&work, lists, settings, stop, progress);
    let threads = settings.concurrency.clamp(1, MOST_AT_ONCE) as usize;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.min(work.records.len()).max(1)).build()?;
    pool.broadcast(|_| asking.work_off());
    let Asking { findings, listed, halted, .. } = asking;
    let halted = into_inner(halted).or_else(|| stop.asked().then_some(Halt::Signal));
    let mut found: Vec<Option<VerifyFinding>> = vec![None; work.rows.len()];
    for (record, findings) in into_inner(findings) {
        for (&row, finding) in work.records[record].rows.iter().zip(findings) {
            found[row] = Some(finding);
        }
    }
    let rows = work.rows.into_iter().zip(found).map(|(row, finding)| {
        let finding = finding.unwrap_or_else(|| without_list(&row));
        (row, finding)
    });
    Ok(Verified { rows: rows.collect(), listed: listed.into_inner(), halted })
}

/// What is found of a row whose record was not asked for.
fn without_list(row: &VerifyRow) -> VerifyFinding {
    match row.is_expected() || row.is_open() {
        true => VerifyFinding::Unchecked { why: "not asked for before the end".to_owned() },
        false => VerifyFinding::NotExpected,
    }
}

/// What the threads share.
struct Asking<'a> {
    work: &'a VerifyWork,
    lists: &'a dyn Lists,
    settings: &'a VerifyPolicy,
    stop: &'a StopSignal,
    progress: &'a (dyn Fn(usize) + Sync),
    began: Instant,
    next: AtomicUsize,
    done: AtomicUsize,
    listed: AtomicUsize,
    requests: Mutex<Requests>,
    modules: Mutex<HashMap<&'a str, Refusals>>,
    findings: Mutex<Vec<(usize, Vec<VerifyFinding>)>>,
    is_over: AtomicBool,
    halted: Mutex<Option<Halt>>,
}

/// When a request may go out, and how many did.
struct Requests {
    pace: RequestRate,
    made: u64,
    not_before: Duration,
}

/// What speaks against asking for further lists of a module.
#[derive(Default)]
struct Refusals {
    in_a_row: u32,
    closed: Option<String>,
}

impl<'a> Asking<'a> {
    fn new(
        work: &'a VerifyWork,
        lists: &'a dyn Lists,
        settings: &'a VerifyPolicy,
        stop: &'a StopSignal,
        progress: &'a (dyn Fn(usize) + Sync),
    ) -> Asking<'a> {
        Asking {
            work,
            lists,
            settings,
            stop,
            progress,
            began: Instant::now(),
            next: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            listed: AtomicUsize::new(0),
            requests: Mutex::new(Requests {
                pace: RequestRate::new(settings.rate),
                made: 0,
                not_before: Duration::ZERO,
            }),
            modules: Mutex::default(),
            findings: Mutex::default(),
            is_over: AtomicBool::new(false),
            halted: Mutex::default(),
        }
    }

    /// One thread: record after record, until none is left or the end has come.
    fn work_off(&self) {
        loop {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(record) = self.work.records.get(place) else { return };
            let Some(findings) = self.judge(record) else { return };
            lock(&self.findings).push((place, findings));
            (self.progress)(self.done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    }

    /// The findings of a record; `None` when the end has come first.
    fn judge(&self, record: &'a VerifyRecord) -> Option<Vec<VerifyFinding>> {
        for tried in 0.. {
            if let Some(why) = lock(&self.modules).get(&*record.module).and_then(|module| module.closed.clone()) {
                return Some(self.unchecked(record, &why));
            }
            self.permit()?;
            let reply = match self.lists.list(&record.module, record.id) {
                ListReply::Listed(listed) => {
                    self.listed.fetch_add(1, Ordering::Relaxed);
                    lock(&self.modules).entry(&record.module).or_default().in_a_row = 0;
                    return Some(self.work.compare(record, &listed));
                }
                ListReply::Not(reply) => reply,
            };
            match reply.verdict {
                Verdict::Stop(_) => return self.halt(words(&reply)),
                Verdict::Failed(by) => {
                    self.refused(record, by, &reply);
                    return Some(self.unchecked(record, &words(&reply)));
                }
                // The service cannot answer; it would not answer for the next record either.
                _ if tried >= self.settings.retries => {
                    return self.halt(format!("no list after {} tries: {}", tried + 1, words(&reply)));
                }
                _ => self.put_off(tried, &reply),
            }
        }
        None
    }

    /// Waits until a request may go out; `None` when the end has come first.
    fn permit(&self) -> Option<()> {
        loop {
            if self.stop.asked() || self.is_over.load(Ordering::Relaxed) {
                return None;
            }
            let now = self.began.elapsed();
            let later = {
                let mut requests = lock(&self.requests);
                if let Some(why) = self.over_budget(requests.made) {
                    return self.halt(why);
                }
                let free = if requests.not_before > now { Err(requests.not_before) } else { requests.pace.take(now) };
                match free {
                    Ok(()) => {
                        requests.made += 1;
                        return Some(());
                    }
                    Err(later) => later,
                }
            };
            thread::sleep(later.saturating_sub(now).min(HEED));
        }
    }

    /// Why no further credit may be used, if none may.
    fn over_budget(&self, made: u64) -> Option<String> {
        let VerifyPolicy { max_credits, keep_credits, .. } = self.settings;
        if let Some(most) = max_credits.filter(|most| made >= *most) {
            return Some(format!("the {} of --max-credits are used up", units::counted(most, "API credit")));
        }
        // Before the first answer the service has said nothing.
        let left = self.lists.credits_left().filter(|left| *left <= *keep_credits)?;
        Some(format!(
            "the organisation has {} left, and --keep-credits leaves {} for others",
            units::counted(left, "API credit"),
            units::count(*keep_credits)
        ))
    }

    /// Holds all threads back for a while: what was wrong for one listing is wrong for the others too.
    fn put_off(&self, tried: u32, reply: &Reply) {
        let backoff = self.settings.backoff;
        let longest = backoff.base.saturating_mul(2_u32.saturating_pow(tried)).min(backoff.cap);
        let wait = reply.retry_after.unwrap_or_else(|| longest.mul_f64(fastrand::f64()));
        let mut requests = lock(&self.requests);
        requests.not_before = requests.not_before.max(self.began.elapsed() + wait);
    }

    /// Remembers a refusal, so that a whole module is not asked for in vain.
    fn refused(&self, record: &'a VerifyRecord, by: FailedBy, reply: &Reply) {
        let mut modules = lock(&self.modules);
        let module = modules.entry(&record.module).or_default();
        module.in_a_row += 1;
        let is_closed = match by {
            FailedBy::Module => true,
            FailedBy::Permission | FailedBy::Unlisted => module.in_a_row >= REFUSALS,
            FailedBy::Record | FailedBy::Row | FailedBy::File => false,
        };
        if is_closed {
            module.closed = Some(words(reply));
        }
    }

    fn unchecked(&self, record: &VerifyRecord, why: &str) -> Vec<VerifyFinding> {
        let finding = |&row: &usize| match without_list(&self.work.rows[row]) {
            VerifyFinding::Unchecked { .. } => VerifyFinding::Unchecked { why: why.to_owned() },
            finding => finding,
        };
        record.rows.iter().map(finding).collect()
    }

    /// Ends the work of all threads; the first reason is kept.
    fn halt<T>(&self, why: String) -> Option<T> {
        self.is_over.store(true, Ordering::Relaxed);
        lock(&self.halted).get_or_insert(Halt::Stopped(why));
        None
    }
}

/// What the service said, code and words.
fn words(reply: &Reply) -> String {
    match (reply.code.as_str(), reply.message.as_str()) {
        (code, "") => code.to_owned(),
        ("", message) => message.to_owned(),
        (code, message) => format!("{code}: {message}"),
    }
}

/// What is behind a lock. A thread that panicked cannot have left anything half done there.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use super::*;
    use crate::outcome::Status;
    use crate::reply::{Listed, RetryBecause, StopBecause};
    use crate::upload::{RowKey, ServiceId, SourceKind};

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
                    attachment: Some(ServiceId::new(n)),
                });
            }
        }
        work
    }

    fn settings() -> VerifyPolicy {
        let backoff = Backoff { base: Duration::ZERO, cap: Duration::ZERO };
        VerifyPolicy { rate: Rate::Unlimited, backoff, retries: 2, ..VerifyPolicy::default() }
    }

    fn listed(id: RecordId) -> ListReply {
        let id = ServiceId::new(id.get() - 1_000_000_000);
        ListReply::Listed(vec![Listed {
            id,
            name: "a".to_owned(),
            size: Some(1),
            url: None,
            created: None,
            created_by: None,
        }])
    }

    fn not(verdict: Verdict, code: &str) -> ListReply {
        ListReply::Not(Reply {
            verdict,
            code: code.to_owned(),
            message: String::new(),
            http_status: None,
            took: Duration::ZERO,
            retry_after: None,
            credits_left: None,
        })
    }

    /// A service that counts how often it is asked.
    struct Asked<F> {
        list: F,
        times: AtomicUsize,
        credits: u64,
    }

    impl<F: Fn(&str, RecordId) -> ListReply + Sync> Lists for Asked<F> {
        fn list(&self, module: &str, record: RecordId) -> ListReply {
            self.times.fetch_add(1, Ordering::Relaxed);
            (self.list)(module, record)
        }

        fn credits_left(&self) -> Option<u64> {
            let times = self.times.load(Ordering::Relaxed) as u64;
            (times > 0).then_some(self.credits.saturating_sub(times))
        }
    }

    fn asked<F: Fn(&str, RecordId) -> ListReply + Sync>(list: F) -> Asked<F> {
        Asked { list, times: AtomicUsize::new(0), credits: 50_000 }
    }

    fn run(
        work: VerifyWork,
        settings: &VerifyPolicy,
        list: impl Fn(&str, RecordId) -> ListReply + Sync,
    ) -> (Verified, usize) {
        let service = asked(list);
        let verified = verify(work, &service, settings, &StopSignal::default(), &|_| ()).expect("threads");
        (verified, service.times.into_inner())
    }

    fn found(verified: &Verified, word: &str) -> usize {
        verified.rows.iter().filter(|(_, finding)| finding.as_str() == word).count()
    }

    #[test]
    fn every_record_is_listed_once() {
        let (verified, asked) = run(work(&["Leads"], 100), &settings(), |_, id| listed(id));
        assert_eq!((asked, verified.listed, found(&verified, "present")), (100, 100, 100));
        assert_eq!(verified.halted, None);
    }

    #[test]
    fn a_listing_that_failed_for_a_passing_reason_is_asked_for_again() {
        let first = AtomicBool::new(true);
        let (verified, asked) =
            run(work(&["Leads"], 3), &settings(), |_, id| match first.swap(false, Ordering::Relaxed) {
                true => not(Verdict::Retry(RetryBecause::Throttled), "TOO_MANY_REQUESTS"),
                false => listed(id),
            });
        assert_eq!((asked, found(&verified, "present")), (4, 3));
    }

    #[test]
    fn a_service_that_never_answers_ends_it_with_the_rest_unchecked() {
        let one = VerifyPolicy { concurrency: 1, ..settings() };
        let (verified, asked) =
            run(work(&["Leads"], 9), &one, |_, _| not(Verdict::Retry(RetryBecause::Passing), "down"));
        assert_eq!((asked, found(&verified, "unchecked")), (3, 9));
        assert_eq!(verified.halted, Some(Halt::Stopped("no list after 3 tries: down".to_owned())));
    }

    #[test]
    fn refused_credentials_end_it_at_once() {
        let one = VerifyPolicy { concurrency: 1, ..settings() };
        let stop = Verdict::Stop(StopBecause::Credentials);
        let (verified, asked) = run(work(&["Leads"], 9), &one, |_, _| not(stop.clone(), "INVALID_TOKEN"));
        assert_eq!((asked, verified.halted), (1, Some(Halt::Stopped("INVALID_TOKEN".to_owned()))));
    }

    #[test]
    fn a_module_that_is_refused_is_not_asked_for_again_and_the_others_are() {
        let one = VerifyPolicy { concurrency: 1, ..settings() };
        let (verified, asked) = run(work(&["Leads", "Deals"], 20), &one, |module, id| match module {
            "Leads" => not(Verdict::Failed(FailedBy::Permission), "NO_PERMISSION"),
            _ => listed(id),
        });
        assert_eq!((asked, found(&verified, "unchecked"), found(&verified, "present")), (25, 20, 20));
        assert_eq!(verified.halted, None);
    }

    #[test]
    fn no_more_credits_are_used_than_allowed() {
        let few = VerifyPolicy { max_credits: Some(7), ..settings() };
        let (verified, asked) = run(work(&["Leads"], 20), &few, |_, id| listed(id));
        assert_eq!((asked, found(&verified, "present"), found(&verified, "unchecked")), (7, 7, 13));
        assert!(matches!(verified.halted, Some(Halt::Stopped(_))));
    }

    #[test]
    fn the_credits_of_others_are_left_to_them() {
        let one = VerifyPolicy { concurrency: 1, keep_credits: 490, ..settings() };
        let service = Asked { credits: 500, ..asked(|_, id| listed(id)) };
        let verified = verify(work(&["Leads"], 20), &service, &one, &StopSignal::default(), &|_| ()).expect("threads");
        assert_eq!((verified.listed, found(&verified, "unchecked")), (10, 10));
        let said = Halt::Stopped(
            "the organisation has 490 API credits left, and --keep-credits leaves 490 for others".to_owned(),
        );
        assert_eq!(verified.halted, Some(said));
    }

    #[test]
    fn a_stop_leaves_the_rest_unchecked() {
        let stop = StopSignal::default();
        let ask = |_: &str, id: RecordId| {
            stop.soft();
            listed(id)
        };
        let one = VerifyPolicy { concurrency: 1, rate: Rate::per_second(NonZeroU32::MAX), ..settings() };
        let verified = verify(work(&["Leads"], 5), &asked(ask), &one, &stop, &|_| ()).expect("threads");
        assert_eq!((found(&verified, "present"), verified.halted), (1, Some(Halt::Signal)));
    }
}
