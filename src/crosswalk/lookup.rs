//! A look-up of keys in the service as jobs of the request engine: what is asked next, given what has come so far.
//!
//! Decides and remembers; asks nothing itself. A module that fails ends the whole look-up without a result: a failed look
//! must never read as "there is no such record".

use std::time::Duration;

use serde_json::Value;

use super::bulk::{BulkPage, BulkState};
use super::coql::{KeyPage, KeyQuery};
use super::cost::LookupWay;
use super::field::{FieldFlaw, KeyField};
use crate::crm::limits::{BULK_READ_CREDITS, COQL_VALUES};
use crate::engine::Elapsed;
use crate::engine::requests::{RequestEngine, RequestFailure, RequestHandler, RequestJob, RequestStop};
use crate::reply::{FailedBy, Reply, StopBecause};

/// One question to the service. `module` is an index into the modules of the look-up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum LookupJob {
    /// Which fields a module has.
    Fields(usize),
    /// Which organisation this is; the look-up goes on without knowing.
    Organisation,
    /// A list of keys.
    Keys(usize, KeyQuery),
    /// To read a module, or what follows a page of it.
    Order(usize, BulkPage),
    /// How far a job is that reads a page, and how long to wait for the next look.
    Look(usize, String, BulkPage, Duration),
    /// The result of a job.
    Fetch(usize, String),
}

impl RequestJob for LookupJob {
    fn credits(&self) -> u64 {
        match self {
            LookupJob::Order(..) => BULK_READ_CREDITS,
            _ => 1,
        }
    }

    fn tolerates(&self, because: StopBecause) -> bool {
        match self {
            LookupJob::Organisation => because == StopBecause::Scope,
            // The limit may be that of the query, which can be made smaller.
            LookupJob::Keys(..) => because == StopBecause::Limit,
            _ => false,
        }
    }
}

/// What an answer holds.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum LookupAnswer {
    /// The fields of a module, as the service lists them.
    Fields(Value),
    /// The id of the organisation.
    Organisation(String),
    /// A page of keys; `None` where the answer is none to the query.
    Keys(Option<KeyPage>),
    /// The number of a job; `None` where the answer has none.
    Ordered(Option<String>),
    /// How far a job is.
    State(BulkState),
    /// What a result holds, or why it cannot be read.
    Result(Result<Vec<(String, u64)>, String>),
}

/// Why a module cannot be looked up.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum LookupFailure {
    /// The field cannot be compared.
    Field(FieldFlaw),
    /// The service has no such module, or none that can be asked.
    Module(Box<Reply>),
    /// The service refuses, with its words.
    Refused(Box<Reply>),
    /// Even one key is more than the query may have.
    LimitTooLow(Box<Reply>),
    /// It failed for passing reasons as often as it may.
    GaveUp(Box<Reply>),
    /// The Bulk Read job failed, with the service's words.
    JobFailed(String),
    /// The result of the job is gone, or was never there.
    ResultGone,
    /// The result is none.
    BadResult(String),
    /// An answer that says something else than was asked.
    Unreadable(&'static str),
    /// The time that the user gave is over.
    OutOfTime,
}

/// A module that is looked up.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct LookupModule {
    /// Its API name.
    pub(crate) name: String,
    /// The field as the user names it.
    pub(crate) named: String,
    /// The field, once it is known.
    pub(crate) field: Option<KeyField>,
    /// What went wrong, if something did.
    pub(crate) failure: Option<LookupFailure>,
}

/// A key that was found, and its record; both as the service has them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FoundKey {
    /// Which of the modules.
    pub(crate) module: usize,
    /// The key.
    pub(crate) key: String,
    /// The id of the record.
    pub(crate) record: u64,
}

/// When to look how far a Bulk Read job is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Polling {
    /// The wait before the first look.
    pub(crate) first: Duration,
    /// The longest wait between two looks.
    pub(crate) longest: Duration,
    /// When all of it must be over; `None` for no limit.
    pub(crate) until: Option<Elapsed>,
}

impl Polling {
    /// The waits, given whether the service is on this machine, where it answers at once or not at all.
    pub(crate) fn of(is_near: bool, until: Option<Elapsed>) -> Polling {
        let (first, longest) = (Duration::from_secs(5), Duration::from_secs(60));
        match is_near {
            true => Polling { first: first / 50, longest: longest / 50, until },
            false => Polling { first, longest, until },
        }
    }
}

/// The state of a look-up.
pub(crate) struct Lookup {
    /// In the order of the command.
    pub(crate) modules: Vec<LookupModule>,
    /// What was found.
    pub(crate) found: Vec<FoundKey>,
    /// The organisation's id; `None` until somebody says it.
    pub(crate) organisation: Option<String>,
    /// How many values the service takes in a list, as far as is known.
    pub(crate) in_list: usize,
    /// Values in lists to which all answers have come.
    pub(crate) listed: u64,
    polling: Polling,
}

impl Lookup {
    /// A look-up of these modules and fields.
    pub(crate) fn new(modules: Vec<LookupModule>, polling: Polling) -> Lookup {
        Lookup { modules, found: Vec::new(), organisation: None, in_list: COQL_VALUES, listed: 0, polling }
    }

    /// The jobs that find out what can be asked.
    pub(crate) fn first_jobs(&self) -> impl Iterator<Item = LookupJob> {
        std::iter::once(LookupJob::Organisation).chain((0..self.modules.len()).map(LookupJob::Fields))
    }

    /// The jobs that ask for the keys of a module whose field is known. `spellings` are what to look for by COQL.
    pub(crate) fn jobs_of(&self, module: usize, way: LookupWay, spellings: &[String]) -> Vec<LookupJob> {
        match way {
            LookupWay::BulkRead => vec![LookupJob::Order(module, BulkPage::Number(1))],
            LookupWay::Coql => {
                let lists = spellings.chunks(self.in_list).filter_map(|keys| self.query(module, keys.to_vec()));
                lists.map(|query| LookupJob::Keys(module, query)).collect()
            }
        }
    }

    fn query(&self, module: usize, keys: Vec<String>) -> Option<KeyQuery> {
        let LookupModule { name, field: Some(field), .. } = self.modules.get(module)? else { return None };
        let (module, field, is_number) = (name.clone(), field.api_name.clone(), field.is_number);
        Some(KeyQuery { module, field, is_number, keys, after: None })
    }

    fn fail(&mut self, engine: &mut RequestEngine<LookupJob>, module: usize, why: LookupFailure) {
        if let Some(module) = self.modules.get_mut(module) {
            module.failure.get_or_insert(why);
        }
        // Nothing is written any more, so nothing more need be asked of this module; fields of others may be wrong as well.
        engine.withdraw(|job| !matches!(job, LookupJob::Fields(_)));
    }

    fn answered(&mut self, engine: &mut RequestEngine<LookupJob>, now: Elapsed, job: LookupJob, answer: LookupAnswer) {
        match (job, answer) {
            (LookupJob::Organisation, LookupAnswer::Organisation(id)) => {
                self.organisation = Some(id).filter(|id| !id.is_empty());
            }
            (LookupJob::Fields(module), LookupAnswer::Fields(fields)) => self.take_fields(engine, module, &fields),
            (LookupJob::Keys(module, query), LookupAnswer::Keys(Some(page))) => {
                self.found.extend(page.rows.into_iter().map(|(key, record)| FoundKey { module, key, record }));
                match page.next {
                    Some(after) => {
                        engine.push_next(LookupJob::Keys(module, KeyQuery { after: Some(after), ..query }));
                    }
                    None => self.listed += query.keys.len() as u64,
                }
            }
            (LookupJob::Order(module, page), LookupAnswer::Ordered(Some(number))) => {
                engine.push_at(now + self.polling.first, LookupJob::Look(module, number, page, self.polling.first));
            }
            (LookupJob::Look(module, number, page, waited), LookupAnswer::State(state)) => {
                self.looked(engine, now, (module, number, page, waited), state);
            }
            (LookupJob::Fetch(module, _), LookupAnswer::Result(Ok(rows))) => {
                self.found.extend(rows.into_iter().map(|(key, record)| FoundKey { module, key, record }));
            }
            (LookupJob::Fetch(module, _), LookupAnswer::Result(Err(why))) => {
                self.fail(engine, module, LookupFailure::BadResult(why));
            }
            (LookupJob::Organisation, _) => {}
            (LookupJob::Fields(module) | LookupJob::Keys(module, _), _)
            | (LookupJob::Order(module, _) | LookupJob::Look(module, ..) | LookupJob::Fetch(module, _), _) => {
                self.fail(engine, module, LookupFailure::Unreadable("it does not answer what was asked"));
            }
        }
    }

    fn take_fields(&mut self, engine: &mut RequestEngine<LookupJob>, module: usize, fields: &Value) {
        let Some(named) = self.modules.get(module).map(|module| module.named.clone()) else { return };
        match super::field::find_field(fields, &named) {
            Ok(field) => {
                if let Some(module) = self.modules.get_mut(module) {
                    module.field = Some(field);
                }
            }
            Err(flaw) => self.fail(engine, module, LookupFailure::Field(flaw)),
        }
    }

    fn looked(
        &mut self,
        engine: &mut RequestEngine<LookupJob>,
        now: Elapsed,
        (module, number, page, waited): (usize, String, BulkPage, Duration),
        state: BulkState,
    ) {
        match state {
            BulkState::Underway => {
                let wait = (waited * 3 / 2).min(self.polling.longest);
                if self.polling.until.is_some_and(|until| now + wait > until) {
                    return self.fail(engine, module, LookupFailure::OutOfTime);
                }
                engine.push_at(now + wait, LookupJob::Look(module, number, page, wait));
            }
            BulkState::Done(next) => {
                engine.push_next(LookupJob::Fetch(module, number));
                if let Some(next) = next {
                    engine.push(LookupJob::Order(module, next));
                }
            }
            BulkState::Failed(words) => self.fail(engine, module, LookupFailure::JobFailed(words)),
            BulkState::Unreadable => {
                self.fail(engine, module, LookupFailure::Unreadable("it says nothing of the Bulk Read job"));
            }
        }
    }

    fn refused(&mut self, engine: &mut RequestEngine<LookupJob>, job: LookupJob, failure: RequestFailure) {
        let module = match &job {
            // Whoever may not ask this may still look up keys.
            LookupJob::Organisation => return,
            LookupJob::Fields(module) | LookupJob::Keys(module, _) | LookupJob::Order(module, _) => *module,
            LookupJob::Look(module, ..) | LookupJob::Fetch(module, _) => *module,
        };
        let is_gone = failure.reply().code == "RESOURCE_NOT_FOUND";
        match (job, failure) {
            (LookupJob::Keys(_, query), RequestFailure::Tolerated { because, reply }) => {
                if reply.code != "LIMIT_EXCEEDED" {
                    return engine.stop(RequestStop::Service { because, reply });
                }
                self.make_smaller(engine, module, query, reply);
            }
            (LookupJob::Look(..) | LookupJob::Fetch(..), RequestFailure::Refused { .. }) if is_gone => {
                self.fail(engine, module, LookupFailure::ResultGone);
            }
            (_, RequestFailure::Refused { by: FailedBy::Module, reply }) => {
                self.fail(engine, module, LookupFailure::Module(reply));
            }
            (_, RequestFailure::GaveUp { reply, .. }) => self.fail(engine, module, LookupFailure::GaveUp(reply)),
            (_, RequestFailure::Refused { reply, .. })
            | (_, RequestFailure::Tolerated { reply, .. } | RequestFailure::InDoubt { reply, .. }) => {
                self.fail(engine, module, LookupFailure::Refused(reply));
            }
        }
    }

    /// The service takes fewer values in a list than it was given: from now on half as many.
    fn make_smaller(
        &mut self,
        engine: &mut RequestEngine<LookupJob>,
        module: usize,
        query: KeyQuery,
        reply: Box<Reply>,
    ) {
        let half = query.keys.len() / 2;
        if half == 0 {
            return self.fail(engine, module, LookupFailure::LimitTooLow(reply));
        }
        // Another list may have taught more in the meantime.
        self.in_list = self.in_list.min(half);
        let most = self.in_list;
        let too_long = |job: &LookupJob| matches!(job, LookupJob::Keys(_, query) if query.keys.len() > most);
        let mut all = engine.withdraw(too_long);
        all.push(LookupJob::Keys(module, query));
        let mut merged: Vec<(usize, KeyQuery)> = Vec::new();
        for job in all {
            let LookupJob::Keys(module, query) = job else { continue };
            // Remainders of lists become full lists again, unless they are in the middle of their pages.
            match merged.iter_mut().find(|(of, known)| *of == module && known.after == query.after) {
                Some((_, known)) => known.keys.extend(query.keys),
                None => merged.push((module, query)),
            }
        }
        for (module, query) in merged {
            for keys in query.keys.chunks(most) {
                engine.push(LookupJob::Keys(module, KeyQuery { keys: keys.to_vec(), ..query.clone() }));
            }
        }
    }
}

impl RequestHandler<LookupJob, LookupAnswer> for Lookup {
    fn handle(
        &mut self,
        engine: &mut RequestEngine<LookupJob>,
        now: Elapsed,
        job: LookupJob,
        outcome: Result<LookupAnswer, RequestFailure>,
    ) {
        match outcome {
            Ok(answer) => self.answered(engine, now, job, answer),
            Err(failure) => self.refused(engine, job, failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::requests::RequestPolicy;
    use crate::engine::requests::machine::NextRequest;
    use crate::reply::Verdict;
    use crate::units::Rate;
    use serde_json::json;

    const POLLING: Polling = Polling { first: Duration::from_secs(5), longest: Duration::from_secs(60), until: None };

    fn lookup(polling: Polling) -> Lookup {
        let field = KeyField { api_name: "Legacy_Id".to_owned(), is_number: false, is_blind_to_case: false };
        let module = LookupModule {
            name: "Contacts".to_owned(),
            named: "Legacy_Id".to_owned(),
            field: Some(field),
            failure: None,
        };
        Lookup::new(vec![module], polling)
    }

    fn reply(verdict: Verdict, code: &str) -> Box<Reply> {
        let (code, message) = (code.to_owned(), String::new());
        Box::new(Reply {
            verdict,
            code,
            message,
            http_status: None,
            took: Duration::ZERO,
            retry_after: None,
            credits_left: None,
        })
    }

    type Service<'s> = &'s mut dyn FnMut(Elapsed, &LookupJob) -> Result<LookupAnswer, Box<Reply>>;

    /// Plays a look-up against a service with a clock of its own; gives what was asked, by time.
    fn play(lookup: &mut Lookup, jobs: Vec<LookupJob>, service: Service<'_>) -> Vec<(u64, LookupJob)> {
        let policy = RequestPolicy { rate: Rate::Unlimited, concurrency: 1, ..RequestPolicy::default() };
        let mut engine = RequestEngine::new(policy);
        jobs.into_iter().for_each(|job| engine.push(job));
        let (mut now, mut asked) = (Elapsed::ZERO, Vec::new());
        loop {
            match engine.poll_next(now) {
                NextRequest::Send(ticket) => {
                    asked.push((now.as_secs(), ticket.job.clone()));
                    let result = service(now, &ticket.job);
                    if let Some((job, outcome)) = engine.handle_reply(now, ticket, result, None) {
                        lookup.handle(&mut engine, now, job, outcome);
                    }
                }
                NextRequest::Wait(Some(until)) => now = until,
                NextRequest::Wait(None) | NextRequest::End => return asked,
            }
        }
    }

    fn keys(number: usize) -> Vec<String> {
        (0..number).map(|key| format!("C-{key}")).collect()
    }

    #[test]
    fn a_limit_that_was_refused_is_halved_and_every_key_is_asked_for_once() {
        let mut lookup = lookup(POLLING);
        let jobs = lookup.jobs_of(0, LookupWay::Coql, &keys(120));
        let asked = play(&mut lookup, jobs, &mut |_, job| match job {
            LookupJob::Keys(_, query) if query.keys.len() > 20 => {
                Err(reply(Verdict::Stop(StopBecause::Limit), "LIMIT_EXCEEDED"))
            }
            LookupJob::Keys(_, query) => {
                let rows = query.keys.iter().map(|key| (key.clone(), 7)).collect();
                Ok(LookupAnswer::Keys(Some(KeyPage { rows, next: None })))
            }
            other => panic!("{other:?}"),
        });
        let mut found: Vec<&str> = lookup.found.iter().map(|found| found.key.as_str()).collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(
            (found.len(), lookup.found.len(), lookup.in_list, lookup.modules[0].failure.is_some()),
            (120, 120, 12, false)
        );
        assert_eq!(asked.len(), 2 + 1 + 9, "two refusals, a short list that passed, then lists of twelve");
    }

    #[test]
    fn a_query_that_cannot_be_made_smaller_fails_the_lookup() {
        let mut lookup = lookup(POLLING);
        let jobs = lookup.jobs_of(0, LookupWay::Coql, &keys(2));
        play(&mut lookup, jobs, &mut |_, _| Err(reply(Verdict::Stop(StopBecause::Limit), "LIMIT_EXCEEDED")));
        assert!(matches!(lookup.modules[0].failure, Some(LookupFailure::LimitTooLow(_))));
    }

    #[test]
    fn a_full_page_goes_on_behind_its_last_record() {
        let mut lookup = lookup(POLLING);
        let jobs = lookup.jobs_of(0, LookupWay::Coql, &keys(1));
        let asked = play(&mut lookup, jobs, &mut |_, job| {
            let LookupJob::Keys(_, query) = job else { panic!("{job:?}") };
            let next = query.after.is_none().then_some(200);
            Ok(LookupAnswer::Keys(Some(KeyPage { rows: vec![("C-0".to_owned(), 1)], next })))
        });
        assert_eq!((asked.len(), lookup.found.len()), (2, 2));
    }

    #[test]
    fn a_bulk_job_is_looked_at_ever_more_seldom_and_its_pages_follow_each_other() {
        let mut lookup = lookup(POLLING);
        let jobs = lookup.jobs_of(0, LookupWay::BulkRead, &[]);
        let asked = play(&mut lookup, jobs, &mut |now, job| {
            Ok(match job {
                LookupJob::Order(_, page) => {
                    LookupAnswer::Ordered(Some(if *page == BulkPage::Number(1) { "1" } else { "2" }.to_owned()))
                }
                LookupJob::Look(_, number, ..) => LookupAnswer::State(match number.as_str() {
                    "1" if now < Duration::from_secs(20) => BulkState::Underway,
                    "1" => BulkState::Done(Some(BulkPage::Number(2))),
                    _ => BulkState::Done(None),
                }),
                LookupJob::Fetch(_, number) => LookupAnswer::Result(Ok(vec![(format!("K-{number}"), 7)])),
                other => panic!("{other:?}"),
            })
        });
        let times: Vec<u64> =
            asked.iter().filter(|(_, job)| matches!(job, LookupJob::Look(..))).map(|(at, _)| *at).collect();
        assert_eq!(times[..3], [5, 12, 23]);
        assert_eq!(lookup.found.len(), 2);
    }

    #[test]
    fn a_job_that_never_ends_fails_and_expired_and_broken_results_are_told_apart() {
        let ended = |polling: Polling, answer: fn(&LookupJob) -> Result<LookupAnswer, Box<Reply>>| {
            let mut lookup = lookup(polling);
            let jobs = lookup.jobs_of(0, LookupWay::BulkRead, &[]);
            play(&mut lookup, jobs, &mut |_, job| match job {
                LookupJob::Order(..) => Ok(LookupAnswer::Ordered(Some("1".to_owned()))),
                other => answer(other),
            });
            lookup.modules.remove(0).failure.expect("a failure")
        };
        let bounded = Polling { until: Some(Duration::from_secs(30)), ..POLLING };
        let never = ended(bounded, |_| Ok(LookupAnswer::State(BulkState::Underway)));
        assert_eq!(never, LookupFailure::OutOfTime);
        let failed = ended(POLLING, |_| Ok(LookupAnswer::State(BulkState::Failed("X".to_owned()))));
        assert_eq!(failed, LookupFailure::JobFailed("X".to_owned()));
        let gone = ended(POLLING, |job| match job {
            LookupJob::Look(..) => Ok(LookupAnswer::State(BulkState::Done(None))),
            _ => Err(reply(Verdict::Failed(FailedBy::Unlisted), "RESOURCE_NOT_FOUND")),
        });
        assert_eq!(gone, LookupFailure::ResultGone);
        let odd = ended(POLLING, |job| match job {
            LookupJob::Look(..) => Ok(LookupAnswer::State(BulkState::Done(None))),
            _ => Ok(LookupAnswer::Result(Err("no ZIP".to_owned()))),
        });
        assert_eq!(odd, LookupFailure::BadResult("no ZIP".to_owned()));
    }

    #[test]
    fn one_module_that_fails_leaves_no_result_and_a_missing_organisation_does_no_harm() {
        let mut lookup = lookup(POLLING);
        lookup.modules[0].field = None;
        let jobs: Vec<LookupJob> = lookup.first_jobs().collect();
        play(&mut lookup, jobs, &mut |_, job| match job {
            LookupJob::Organisation => Err(reply(Verdict::Stop(StopBecause::Scope), "OAUTH_SCOPE_MISMATCH")),
            _ => Ok(LookupAnswer::Fields(json!({"fields": []}))),
        });
        assert_eq!(lookup.organisation, None);
        assert!(matches!(lookup.modules[0].failure, Some(LookupFailure::Field(FieldFlaw::Unknown(_)))));
    }
}
