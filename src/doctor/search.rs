//! Which records of a manifest exist, as jobs of the request engine: what is asked next, given what has come so far.
//!
//! ```text
//! few records:   lists of ids ─────────────────────────────┐
//! many records:  Bulk Read ─▶ what it lacks, by lists of ids ┴─▶ deleted records: who, when
//! ```
//!
//! A failed look never reads as "there is no such record": a module about which anything is left open has no missing
//! records, but an outcome that says why. What Bulk Read lacks is asked for once more by id, since nobody says that it reads
//! converted leads and the like. If none of the first thousands is there, the others are believed to be missing, too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::answers::{self, Deletion};
use super::inquiry::is_in_the_way;
use super::jobs::{DoctorAnswer, DoctorJob, IDS};
use crate::crosswalk::bulk::{self, BulkPage, BulkState};
use crate::crosswalk::cost::{LookupSize, LookupWay, choose_way};
use crate::crosswalk::lookup::Polling;
use crate::engine::Elapsed;
use crate::engine::requests::{RequestEngine, RequestFailure, RequestHandler, RequestStop};
use crate::reply::StopBecause;
use crate::upload::RecordId;

/// As many lists of ids that Bulk Read lacked are asked for before the others are believed to be missing.
const CONFIRMED: usize = 50;

/// As many pages of the list of deleted records are read: it cannot be asked for single records.
const MOST_DELETED: u32 = 10;

/// How the records of a module are looked for, and what that costs at least.
pub(crate) fn way_for(module: &str, records: usize, has_bulk: bool) -> (LookupWay, u64) {
    // Bulk Read does not know notes.
    if has_bulk && module != "Notes" {
        return choose_way(LookupSize { spellings: Some(records), has_unlisted: false, in_list: IDS });
    }
    (LookupWay::Coql, records.div_ceil(IDS) as u64)
}

/// Why it is not known which records of a module exist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum SearchFailure {
    /// The token lacks a scope: that of the module, or that of Bulk Read.
    NoScope {
        /// Whether it is that of Bulk Read.
        of_bulk: bool,
    },
    /// The service refuses or gives no answer, with its words.
    Refused(String),
    /// An answer that is none to what was asked.
    Unreadable,
    /// The Bulk Read job failed, with the service's words.
    JobFailed(String),
    /// The result of the job cannot be used.
    BadResult(String),
    /// The time that the user gave is over.
    OutOfTime,
    /// The organisation has no such module.
    NoModule,
}

impl fmt::Display for SearchFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SearchFailure::NoScope { of_bulk: false } => f.write_str("the token may not read them"),
            SearchFailure::NoScope { of_bulk: true } => f.write_str("the token may not use Bulk Read"),
            SearchFailure::Refused(words) => write!(f, "the service refuses ({words})"),
            SearchFailure::Unreadable => f.write_str("an answer has something else than was asked for"),
            SearchFailure::JobFailed(words) => write!(f, "the Bulk Read job failed ({words})"),
            SearchFailure::BadResult(why) => write!(f, "the result of the Bulk Read job cannot be used: {why}"),
            SearchFailure::NoModule => f.write_str("there is no such module"),
            SearchFailure::OutOfTime => f.write_str("the Bulk Read job was not done in time"),
        }
    }
}

/// How far the search in a module is.
#[derive(Clone, PartialEq, Eq, Debug)]
enum SearchStage {
    /// Nobody has begun.
    Waiting,
    /// Lists of ids are under way, so many of them.
    Lists(usize),
    /// Jobs of Bulk Read are under way, with so many requests to come.
    Bulk(usize),
    /// What Bulk Read lacked is asked for by id.
    Confirming {
        /// Lists under way.
        left: usize,
        /// Records that wait until it is known whether Bulk Read can be believed.
        rest: Vec<RecordId>,
        /// Whether any of them is there after all.
        was_wrong: bool,
    },
    /// Which exist is known; the list of deleted records may still be read.
    Whole,
    /// It will not be known.
    Failed(SearchFailure),
}

/// The records of one module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SearchedModule {
    /// The module's API name.
    pub(crate) name: String,
    /// The records of the manifest, in order, each once.
    pub(crate) wanted: Vec<RecordId>,
    /// Those of them that were seen.
    seen: Vec<bool>,
    /// How many were.
    seen_count: usize,
    stage: SearchStage,
    /// What the list of deleted records says of the missing ones.
    pub(crate) deletions: BTreeMap<RecordId, Deletion>,
}

impl SearchedModule {
    fn new(name: String, wanted: BTreeSet<RecordId>) -> SearchedModule {
        let wanted: Vec<RecordId> = wanted.into_iter().collect();
        let seen = vec![false; wanted.len()];
        SearchedModule { name, wanted, seen, seen_count: 0, stage: SearchStage::Waiting, deletions: BTreeMap::new() }
    }

    /// The records that do not exist; `None` where that is not known.
    pub(crate) fn missing(&self) -> Option<Vec<RecordId>> {
        (self.stage == SearchStage::Whole).then(|| self.unseen())
    }

    /// Why it is not known which exist, where it was tried.
    pub(crate) fn failure(&self) -> Option<&SearchFailure> {
        match &self.stage {
            SearchStage::Failed(why) => Some(why),
            _ => None,
        }
    }

    fn unseen(&self) -> Vec<RecordId> {
        self.wanted.iter().zip(&self.seen).filter(|(_, seen)| !**seen).map(|(id, _)| *id).collect()
    }

    fn see(&mut self, id: RecordId) {
        if let Ok(at) = self.wanted.binary_search(&id) {
            self.seen_count += usize::from(!std::mem::replace(&mut self.seen[at], true));
        }
    }

    /// Of how many records it is known whether they exist, as far as that goes.
    fn known(&self) -> usize {
        match self.stage {
            SearchStage::Whole | SearchStage::Failed(_) => self.wanted.len(),
            _ => self.seen_count,
        }
    }
}

/// The state of the search in all modules.
pub(crate) struct RecordSearch {
    /// In the order of their names.
    pub(crate) modules: Vec<SearchedModule>,
    polling: Polling,
}

impl RecordSearch {
    /// A search for these records.
    pub(crate) fn new(records: BTreeMap<String, BTreeSet<RecordId>>, polling: Polling) -> RecordSearch {
        let modules = records.into_iter().map(|(name, wanted)| SearchedModule::new(name, wanted)).collect();
        RecordSearch { modules, polling }
    }

    /// Of how many records it is known whether they exist, and how many are looked for.
    pub(crate) fn progress(&self) -> (u64, Option<u64>) {
        let sum = |of: fn(&SearchedModule) -> usize| self.modules.iter().map(of).sum::<usize>() as u64;
        (sum(SearchedModule::known), Some(sum(|module| module.wanted.len())))
    }

    /// Whether a record was seen.
    pub(crate) fn has_seen(&self, module: &str, record: RecordId) -> bool {
        let found = self.modules.iter().find(|searched| searched.name == module);
        found.is_some_and(|module| module.wanted.binary_search(&record).is_ok_and(|at| module.seen[at]))
    }

    /// A module that does not exist has no records to look for.
    pub(crate) fn skip(&mut self, at: usize) {
        if let Some(module) = self.modules.get_mut(at) {
            module.stage = SearchStage::Failed(SearchFailure::NoModule);
        }
    }

    /// Begins to look for the records of a module: the jobs that do so.
    pub(crate) fn begin(&mut self, at: usize, way: LookupWay) -> Vec<DoctorJob> {
        let Some(module) = self.modules.get_mut(at) else { return Vec::new() };
        match way {
            LookupWay::BulkRead => {
                module.stage = SearchStage::Bulk(1);
                vec![DoctorJob::Order(at, module.name.clone(), BulkPage::Number(1))]
            }
            LookupWay::Coql => {
                let jobs = lists(at, &module.name, &module.wanted);
                module.stage = SearchStage::Lists(jobs.len());
                jobs
            }
        }
    }

    fn fail(&mut self, engine: &mut RequestEngine<DoctorJob>, at: usize, why: SearchFailure) {
        if let Some(module) = self.modules.get_mut(at) {
            module.stage = SearchStage::Failed(why);
        }
        engine.withdraw(|job| job.module() == Some(at));
    }

    /// One request of a stage is over, and `more` were queued for it.
    fn step(&mut self, engine: &mut RequestEngine<DoctorJob>, at: usize, more: usize) {
        let Some(module) = self.modules.get_mut(at) else { return };
        let left = match &mut module.stage {
            SearchStage::Lists(left) | SearchStage::Bulk(left) | SearchStage::Confirming { left, .. } => left,
            SearchStage::Waiting | SearchStage::Whole | SearchStage::Failed(_) => return,
        };
        *left = (*left + more).saturating_sub(1);
        if *left > 0 {
            return;
        }
        match std::mem::replace(&mut module.stage, SearchStage::Whole) {
            SearchStage::Bulk(_) => confirm(engine, at, module),
            SearchStage::Confirming { rest, was_wrong: true, .. } if !rest.is_empty() => {
                let jobs = lists(at, &module.name, &rest);
                module.stage = SearchStage::Confirming { left: jobs.len(), rest: Vec::new(), was_wrong: true };
                jobs.into_iter().for_each(|job| engine.push(job));
            }
            _ => {}
        }
        if module.stage == SearchStage::Whole && module.seen.contains(&false) {
            engine.push(DoctorJob::Deleted(at, module.name.clone(), 1));
        }
    }

    fn exist(&mut self, engine: &mut RequestEngine<DoctorJob>, at: usize, asked: &[RecordId], answer: Option<&Value>) {
        let Some(found) = answers::existing(answer, asked) else {
            return self.fail(engine, at, SearchFailure::Unreadable);
        };
        if let Some(module) = self.modules.get_mut(at) {
            if let SearchStage::Confirming { was_wrong, .. } = &mut module.stage {
                *was_wrong |= !found.is_empty();
            }
            found.into_iter().for_each(|id| module.see(id));
        }
        self.step(engine, at, 0);
    }

    fn looked(&mut self, engine: &mut RequestEngine<DoctorJob>, now: Elapsed, job: DoctorJob, answer: Option<&Value>) {
        let DoctorJob::Look(at, number, page, waited) = job else { return };
        match bulk::state(answer.unwrap_or(&Value::Null), &page) {
            BulkState::Underway => {
                let wait = (waited * 3 / 2).min(self.polling.longest);
                if self.polling.until.is_some_and(|until| now + wait > until) {
                    return self.fail(engine, at, SearchFailure::OutOfTime);
                }
                engine.push_at(now + wait, DoctorJob::Look(at, number, page, wait));
                self.step(engine, at, 1);
            }
            BulkState::Done(next) => {
                let name = self.modules.get(at).map(|module| module.name.clone()).unwrap_or_default();
                engine.push_next(DoctorJob::Fetch(at, number));
                let more = 1 + usize::from(next.is_some());
                if let Some(next) = next {
                    engine.push(DoctorJob::Order(at, name, next));
                }
                self.step(engine, at, more);
            }
            BulkState::Failed(words) => self.fail(engine, at, SearchFailure::JobFailed(words)),
            BulkState::Unreadable => self.fail(engine, at, SearchFailure::Unreadable),
        }
    }

    fn deleted(&mut self, engine: &mut RequestEngine<DoctorJob>, at: usize, page: u32, answer: Option<&Value>) {
        let (Some(module), Some(found)) = (self.modules.get_mut(at), answers::deleted(answer)) else { return };
        for record in found.records {
            let Some(id) = RecordId::new(record.id) else { continue };
            if module.wanted.binary_search(&id).is_ok_and(|at| !module.seen[at]) {
                module.deletions.insert(id, record.deletion);
            }
        }
        let missing = module.seen.iter().filter(|seen| !**seen).count();
        if found.has_more && page < MOST_DELETED && module.deletions.len() < missing {
            engine.push(DoctorJob::Deleted(at, module.name.clone(), page + 1));
        }
    }

    fn answered(&mut self, engine: &mut RequestEngine<DoctorJob>, now: Elapsed, job: DoctorJob, answer: DoctorAnswer) {
        match (job, answer) {
            (DoctorJob::Exist(at, _, asked), DoctorAnswer::Json(json)) => self.exist(engine, at, &asked, json.as_ref()),
            (DoctorJob::Order(at, _, page), DoctorAnswer::Json(json)) => match json.as_ref().and_then(bulk::ordered) {
                Some(number) => {
                    let wait = self.polling.first;
                    engine.push_at(now + wait, DoctorJob::Look(at, number, page, wait));
                    self.step(engine, at, 1);
                }
                None => self.fail(engine, at, SearchFailure::Unreadable),
            },
            (job @ DoctorJob::Look(..), DoctorAnswer::Json(json)) => self.looked(engine, now, job, json.as_ref()),
            (DoctorJob::Fetch(at, _), DoctorAnswer::Ids(Ok(ids))) => {
                if let Some(module) = self.modules.get_mut(at) {
                    ids.into_iter().filter_map(RecordId::new).for_each(|id| module.see(id));
                }
                self.step(engine, at, 0);
            }
            (DoctorJob::Fetch(at, _), DoctorAnswer::Ids(Err(why))) => {
                self.fail(engine, at, SearchFailure::BadResult(why));
            }
            (DoctorJob::Deleted(at, _, page), DoctorAnswer::Json(json)) => {
                self.deleted(engine, at, page, json.as_ref());
            }
            // No other job is asked here, and no other answer belongs to these.
            _ => {}
        }
    }

    fn refused(&mut self, engine: &mut RequestEngine<DoctorJob>, job: DoctorJob, failure: RequestFailure) {
        let Some(at) = job.module() else { return };
        match (job, failure) {
            // Who deleted a record is good to know, and no more.
            (DoctorJob::Deleted(..), _) => {}
            (DoctorJob::Exist(_, name, ids), RequestFailure::Tolerated { because: StopBecause::Limit, reply }) => {
                if reply.code != "LIMIT_EXCEEDED" || ids.len() < 2 {
                    return engine.stop(RequestStop::Service { because: StopBecause::Limit, reply });
                }
                let (one, other) = ids.split_at(ids.len() / 2);
                engine.push(DoctorJob::Exist(at, name.clone(), one.to_vec()));
                engine.push(DoctorJob::Exist(at, name, other.to_vec()));
                self.step(engine, at, 2);
            }
            (job, RequestFailure::Tolerated { because: StopBecause::Scope, .. }) => {
                let of_bulk = !matches!(job, DoctorJob::Exist(..));
                self.fail(engine, at, SearchFailure::NoScope { of_bulk });
            }
            (_, failure) => self.fail(engine, at, SearchFailure::Refused(failure.reply().answer_text())),
        }
    }
}

fn lists(at: usize, name: &str, ids: &[RecordId]) -> Vec<DoctorJob> {
    ids.chunks(IDS).map(|ids| DoctorJob::Exist(at, name.to_owned(), ids.to_vec())).collect()
}

/// Asks by id for what Bulk Read lacks, the first thousands at once.
fn confirm(engine: &mut RequestEngine<DoctorJob>, at: usize, module: &mut SearchedModule) {
    let mut unseen = module.unseen();
    if unseen.is_empty() {
        return;
    }
    let rest = unseen.split_off(unseen.len().min(CONFIRMED * IDS));
    let jobs = lists(at, &module.name, &unseen);
    module.stage = SearchStage::Confirming { left: jobs.len(), rest, was_wrong: false };
    jobs.into_iter().for_each(|job| engine.push(job));
}

impl RequestHandler<DoctorJob, DoctorAnswer> for RecordSearch {
    fn handle(
        &mut self,
        engine: &mut RequestEngine<DoctorJob>,
        now: Elapsed,
        job: DoctorJob,
        outcome: Result<DoctorAnswer, RequestFailure>,
    ) {
        match outcome {
            Ok(answer) => self.answered(engine, now, job, answer),
            Err(failure) => match is_in_the_way(&failure) {
                Some(stop) => engine.stop(stop),
                None => self.refused(engine, job, failure),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::engine::requests::RequestPolicy;
    use crate::engine::requests::machine::NextRequest;
    use crate::reply::{FailedBy, Reply, Verdict};
    use crate::units::Rate;

    const BASE: u64 = 738_964_000_000_291_000;

    fn id(number: u64) -> RecordId {
        RecordId::new(BASE + number).expect("an id")
    }

    fn search(records: u64, until: Option<Duration>) -> RecordSearch {
        let wanted = (0..records).map(id).collect();
        RecordSearch::new(BTreeMap::from([("Leads".to_owned(), wanted)]), Polling::of(false, until))
    }

    fn reply(verdict: Verdict, code: &str) -> Box<Reply> {
        let took = Duration::ZERO;
        let (code, message) = (code.to_owned(), String::new());
        Box::new(Reply { verdict, code, message, http_status: Some(400), took, retry_after: None, credits_left: None })
    }

    type Answering<'s> = &'s mut dyn FnMut(&DoctorJob) -> Result<DoctorAnswer, Box<Reply>>;

    /// Plays a search against a service with a clock of its own; gives what was asked.
    fn play(search: &mut RecordSearch, way: LookupWay, service: Answering<'_>) -> Vec<DoctorJob> {
        let policy = RequestPolicy { rate: Rate::Unlimited, concurrency: 1, ..RequestPolicy::default() };
        let mut engine = RequestEngine::new(policy);
        search.begin(0, way).into_iter().for_each(|job| engine.push(job));
        let (mut now, mut asked) = (Elapsed::ZERO, Vec::new());
        loop {
            match engine.poll_next(now) {
                NextRequest::Send(ticket) => {
                    asked.push(ticket.job.clone());
                    let result = service(&ticket.job);
                    if let Some((job, outcome)) = engine.handle_reply(now, ticket, result, None) {
                        search.handle(&mut engine, now, job, outcome);
                    }
                }
                NextRequest::Wait(Some(until)) => now = until,
                NextRequest::Wait(None) | NextRequest::End => return asked,
            }
        }
    }

    /// Those of the ids that are there.
    fn there(ids: &[RecordId], is_there: impl Fn(u64) -> bool) -> DoctorAnswer {
        let found: Vec<_> = ids.iter().filter(|id| is_there(id.get() - BASE)).map(|id| json!({"id": id})).collect();
        DoctorAnswer::Json((!found.is_empty()).then(|| json!({"data": found})))
    }

    /// A Bulk Read that finds these.
    fn bulk(job: &DoctorJob, ids: impl Iterator<Item = u64>) -> DoctorAnswer {
        match job {
            DoctorJob::Order(..) => DoctorAnswer::Json(Some(json!({"data": [{"details": {"id": "77"}}]}))),
            DoctorJob::Look(..) => DoctorAnswer::Json(Some(json!({"data": [{"state": "COMPLETED"}]}))),
            DoctorJob::Fetch(..) => DoctorAnswer::Ids(Ok(ids.map(|number| BASE + number).collect())),
            _ => DoctorAnswer::Json(None),
        }
    }

    #[test]
    fn records_that_no_list_has_are_missing_and_deleted_ones_are_looked_up_until_all_are_found() {
        let mut search = search(120, None);
        let asked = play(&mut search, LookupWay::Coql, &mut |job| {
            Ok(match job {
                DoctorJob::Exist(_, _, ids) => there(ids, |number| number != 7 && number != 110),
                DoctorJob::Deleted(_, _, page) => {
                    let id = if *page == 1 { id(110) } else { id(7) };
                    let entry = json!({"id": id, "deleted_by": {"name": "Anna"}, "type": "recycle"});
                    DoctorAnswer::Json(Some(json!({"data": [entry], "info": {"more_records": true}})))
                }
                other => panic!("{other:?}"),
            })
        });
        assert_eq!(search.modules[0].missing(), Some(vec![id(7), id(110)]));
        assert_eq!(search.modules[0].deletions.len(), 2);
        assert_eq!(asked.len(), 3 + 2, "three lists, and two pages of deleted records");
    }

    #[test]
    fn what_bulk_read_lacks_is_asked_for_by_id_and_the_first_thousands_speak_for_the_others() {
        let lists = |asked: &[DoctorJob]| asked.iter().filter(|job| matches!(job, DoctorJob::Exist(..))).count();
        let mut none = search(6_000, None);
        let asked = play(&mut none, LookupWay::BulkRead, &mut |job| Ok(bulk(job, std::iter::empty())));
        assert_eq!((lists(&asked), none.modules[0].missing().map(|all| all.len())), (50, Some(6_000)));
        // Bulk Read lacks some that are there: then each of them is asked for.
        let mut some = search(6_000, None);
        let asked = play(&mut some, LookupWay::BulkRead, &mut |job| match job {
            DoctorJob::Exist(_, _, ids) => Ok(there(ids, |number| number % 2 == 1)),
            other => Ok(bulk(other, std::iter::empty())),
        });
        assert_eq!((lists(&asked), some.modules[0].missing().map(|all| all.len())), (120, Some(3_000)));
        // Where it has all of them nothing else is asked.
        let mut all = search(3_000, None);
        let asked = play(&mut all, LookupWay::BulkRead, &mut |job| Ok(bulk(job, 0..3_000)));
        assert_eq!((asked.len(), all.modules[0].missing()), (3, Some(Vec::new())));
    }

    #[test]
    fn a_look_that_failed_makes_no_record_missing() {
        let ended = |way, answer: fn(&DoctorJob) -> Result<DoctorAnswer, Box<Reply>>| {
            let mut search = search(120, Some(Duration::from_secs(30)));
            play(&mut search, way, &mut |job| answer(job));
            assert_eq!(search.modules[0].missing(), None);
            search.modules.remove(0).failure().cloned().expect("a failure")
        };
        let unlisted = |_: &DoctorJob| Err(reply(Verdict::Failed(FailedBy::Unlisted), "SOMETHING"));
        assert_eq!(ended(LookupWay::Coql, unlisted), SearchFailure::Refused("SOMETHING".to_owned()));
        let scope = |_: &DoctorJob| Err(reply(Verdict::Stop(StopBecause::Scope), "OAUTH_SCOPE_MISMATCH"));
        assert_eq!(ended(LookupWay::Coql, scope), SearchFailure::NoScope { of_bulk: false });
        assert_eq!(ended(LookupWay::BulkRead, scope), SearchFailure::NoScope { of_bulk: true });
        let odd = |_: &DoctorJob| Ok(DoctorAnswer::Json(Some(json!({"data": [{"id": 1}]}))));
        assert_eq!(ended(LookupWay::Coql, odd), SearchFailure::Unreadable);
        let never = |job: &DoctorJob| match job {
            DoctorJob::Look(..) => Ok(DoctorAnswer::Json(Some(json!({"data": [{"state": "QUEUED"}]})))),
            other => Ok(bulk(other, std::iter::empty())),
        };
        assert_eq!(ended(LookupWay::BulkRead, never), SearchFailure::OutOfTime);
        let broken = |job: &DoctorJob| match job {
            DoctorJob::Fetch(..) => Ok(DoctorAnswer::Ids(Err("no ZIP".to_owned()))),
            other => Ok(bulk(other, std::iter::empty())),
        };
        assert_eq!(ended(LookupWay::BulkRead, broken), SearchFailure::BadResult("no ZIP".to_owned()));
    }

    #[test]
    fn a_list_that_is_too_long_for_the_service_is_halved() {
        let mut search = search(50, None);
        let asked = play(&mut search, LookupWay::Coql, &mut |job| match job {
            DoctorJob::Exist(_, _, ids) if ids.len() > 20 => {
                Err(reply(Verdict::Stop(StopBecause::Limit), "LIMIT_EXCEEDED"))
            }
            DoctorJob::Exist(_, _, ids) => Ok(there(ids, |_| true)),
            other => panic!("{other:?}"),
        });
        assert_eq!((asked.len(), search.modules[0].missing()), (1 + 2 + 4, Some(Vec::new())));
    }

    #[test]
    fn the_cheaper_way_is_taken_and_notes_know_only_one() {
        assert_eq!(way_for("Leads", 2_500, true), (LookupWay::Coql, 50));
        assert_eq!(way_for("Leads", 200_000, true), (LookupWay::BulkRead, 50));
        assert_eq!(way_for("Leads", 200_000, false), (LookupWay::Coql, 4_000));
        assert_eq!(way_for("Notes", 200_000, true), (LookupWay::Coql, 4_000));
    }
}
