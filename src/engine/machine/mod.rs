//! The machine itself: [`Engine::poll`] says what to do, [`Engine::handle_upload`] and [`Engine::handle_list`] hear what
//! came of it.
//!
//! It decides which row comes next and what follows from an answer. What it decides by is kept in the small modules
//! beside it: who may start ([`scheduler`](super::scheduler)), who is in doubt ([`settle::queue`](super::settle::queue)), and the brakes.
//! Here stands what comes next; what follows from which answer stands in the files below: `answers` to uploads,
//! `settling` of doubts, `lists` that come before rows, the `ends` of rows and the `stops` of runs.

use std::collections::{BTreeSet, VecDeque};

use hashbrown::{HashMap, HashSet};
use jiff::Timestamp;

use self::answers::never_reached_service;
use self::lists::Baselines;
use super::brakes::circuit_breaker::{BreakerWaits, CircuitBreaker, Permit};
use super::brakes::concurrency::ConcurrencyLimit;
use super::brakes::credits::{Allowed, Credits};
use super::brakes::failure_streaks::{ModuleStreak, RunStreak};
use super::brakes::rate::RequestRate;
use super::list_inquiry::ListInquiry;
use super::policy::IfExists;
use super::scheduler::Scheduler;
use super::settle::queue::{SettleQueue, Turn};
use super::{
    Descriptors, Dispatch, Elapsed, Ended, Ending, Job, JobId, JournalError, ListQuestion, ListResult, ListTicket,
    Next, Notice, PauseReason, Policy, PriorAttempt, PriorRefusal, Purpose, RecordIx, StopCause, Stopped, UploadResult,
    UploadTicket,
};
use crate::listing::PageRequest;
use crate::outcome::Status;
use crate::reply::{DoubtBecause, Reply, StopBecause};
#[cfg(test)]
use crate::simulation::mistakes::{Mistake, is_made};
use crate::upload::ServiceId;

mod answers;
mod ends;
mod lists;
mod settling;
mod stops;

/// The run as a state machine.
pub struct Engine<'a> {
    descriptors: &'a dyn Descriptors,
    policy: Policy,
    random: fastrand::Rng,
    jobs: Vec<Job>,
    ended: Vec<bool>,
    scheduler: Scheduler,
    in_progress: HashMap<JobId, InProgress>,
    uploading: HashMap<RecordIx, u32>,
    doubts: SettleQueue,
    /// Rows that wait for a further try.
    delayed: BTreeSet<(Elapsed, JobId)>,
    baselines: Baselines,
    first: FirstRequest,
    /// Questions about records that lead to more questions, by record; at most one inquiry for each.
    inquiries: HashMap<RecordIx, ListInquiry>,
    /// Records whose inquiry has its next question ready.
    questions: VecDeque<RecordIx>,
    rate: RequestRate,
    concurrency: ConcurrencyLimit,
    breaker: CircuitBreaker,
    credits: Credits,
    run_streak: RunStreak,
    module_streaks: Vec<ModuleStreak>,
    closed_modules: HashMap<u16, String>,
    /// Whether the token may list records; not, once the service has refused that for want of a scope. Rows in doubt
    /// then end `unknown` at once, while others are still sent.
    listable: bool,
    /// The user that our attachments belong to.
    author: Option<ServiceId>,
    /// Every attachment that a row of this run has or that a list has shown. An answer that names one of them is the
    /// answer to another request.
    known: HashSet<ServiceId>,
    /// What rows of this run got lately, oldest first: a list need not have it yet.
    recent: VecDeque<(Elapsed, ServiceId)>,
    /// Attachments that the results hold and that the service said twice to be gone.
    gone: HashSet<ServiceId>,
    /// By how many seconds an attachment of ours ever seemed older than its `sending` line.
    behind_seconds: i64,
    in_flight: u32,
    begun: u32,
    phase: Phase,
    settling_announced: bool,
    notices: Vec<Notice>,
    rest_from: usize,
    ending: Ending,
}

/// A row that has begun and not ended.
#[derive(Default, Debug)]
struct InProgress {
    prior: Option<PriorAttempt>,
    /// Whether it was sent in this run.
    begun: bool,
    /// Whether a `sending` line covers the next try.
    announced: bool,
    sent_at: Option<Timestamp>,
    tries: u32,
    failures: u32,
    rounds: u32,
    panicked: bool,
    doubt: Option<DoubtBecause>,
    last: Option<Reply>,
    /// What the record had when the row was last proved absent.
    had: Option<Vec<ServiceId>>,
}

impl InProgress {
    /// A row that an earlier run left in doubt: as if the answer that it heard had come in this run.
    fn after(prior: PriorAttempt) -> InProgress {
        let last = prior.refusal.clone().map(PriorRefusal::reply);
        InProgress {
            doubt: last.is_some().then_some(DoubtBecause::Refused),
            last,
            sent_at: Some(prior.sent_at),
            prior: Some(prior),
            ..InProgress::default()
        }
    }
}

/// How far the run has come.
#[derive(Clone, PartialEq, Debug)]
enum Phase {
    /// Rows are sent, and those in doubt are settled when it is their turn.
    Sending,
    /// No further row starts, for this reason; rows in doubt are settled.
    Settling(Stopped),
    /// Nothing further is asked, for this reason; what is under way comes to its end.
    Ending(Stopped),
}

impl Phase {
    fn is_sending(&self) -> bool {
        *self == Phase::Sending
    }

    /// Whether rows in doubt may still be settled.
    fn settles(&self) -> bool {
        !matches!(self, Phase::Ending(_))
    }

    /// Why the run stops; `None` while it does not.
    fn stopped(&self) -> Option<&Stopped> {
        match self {
            Phase::Sending => None,
            Phase::Settling(stopped) | Phase::Ending(stopped) => Some(stopped),
        }
    }
}

/// What a stop leaves to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum AfterStop {
    /// Rows in doubt can still be settled.
    Settle,
    /// Nothing: a list would fail for the same reason, or there is no time for one.
    End,
}

/// The first request of the run: the first page of a record's list. It proves token, scope and module.
#[derive(Clone, PartialEq, Eq, Debug)]
enum FirstRequest {
    /// To be made.
    Due(FirstTry),
    /// Its answer is awaited.
    UnderWay(FirstTry),
    /// Made, or not needed.
    Done,
}

/// Which record is asked about, and what came of earlier tries.
#[derive(Clone, PartialEq, Eq, Debug)]
struct FirstTry {
    /// Not before this instant.
    at: Elapsed,
    /// A row of the record.
    job: JobId,
    /// How often asking about this record has failed.
    failures: u32,
    /// Records whose lists were of no use.
    useless: Vec<RecordIx>,
}

/// A thing to do.
#[derive(Clone, PartialEq, Eq, Debug)]
enum NextTask {
    /// Ask about a record.
    List { record: RecordIx, job: JobId, purpose: Purpose, question: ListQuestion },
    /// Send one row.
    Upload { job: JobId, announce: bool, tries: u32 },
}

/// What could be done next, the brakes aside.
enum NextChoice {
    Do(NextTask),
    Wait(Option<Elapsed>),
    Nothing,
}

impl<'a> Engine<'a> {
    /// An engine for these jobs, in manifest order, with what earlier runs left behind for some of them.
    pub fn new(
        jobs: Vec<Job>,
        prior: Vec<(JobId, PriorAttempt)>,
        descriptors: &'a dyn Descriptors,
        policy: Policy,
    ) -> Engine<'a> {
        let before: HashMap<JobId, PriorAttempt> = prior.into_iter().collect();
        let modules = jobs.iter().map(|job| usize::from(job.module) + 1).max().unwrap_or(0);
        let mut engine = Engine {
            descriptors,
            random: fastrand::Rng::with_seed(policy.seed),
            ended: vec![false; jobs.len()],
            scheduler: Scheduler::new(&jobs, |id| before.contains_key(&id)),
            in_progress: HashMap::new(),
            uploading: HashMap::new(),
            doubts: SettleQueue::default(),
            delayed: BTreeSet::new(),
            baselines: Baselines::of(&jobs, policy.if_exists),
            inquiries: HashMap::new(),
            questions: VecDeque::new(),
            first: if jobs.is_empty() {
                FirstRequest::Done
            } else {
                FirstRequest::Due(FirstTry { at: Elapsed::ZERO, job: JobId(0), failures: 0, useless: Vec::new() })
            },
            rate: RequestRate::new(policy.rate),
            concurrency: ConcurrencyLimit::new(policy.concurrency.min(crate::crm::limits::MOST_AT_ONCE)),
            breaker: CircuitBreaker::new(BreakerWaits::of(policy.backoff, policy.patience)),
            credits: Credits::new(policy.max_credits, policy.keep_credits, policy.wait_for_credits),
            run_streak: RunStreak::default(),
            module_streaks: vec![ModuleStreak::default(); modules],
            closed_modules: HashMap::new(),
            listable: true,
            author: None,
            known: HashSet::new(),
            recent: VecDeque::new(),
            gone: HashSet::new(),
            behind_seconds: 0,
            in_flight: 0,
            begun: 0,
            phase: Phase::Sending,
            settling_announced: false,
            notices: Vec::new(),
            rest_from: 0,
            ending: Ending::default(),
            policy,
            jobs,
        };
        engine.take_over(before);
        engine
    }

    /// Rows in doubt from before are settled like those of this run, the settle time counted from now.
    fn take_over(&mut self, before: HashMap<JobId, PriorAttempt>) {
        let mut before: Vec<(JobId, PriorAttempt)> = before.into_iter().collect();
        before.sort_by_key(|(id, _)| *id);
        for (id, prior) in before {
            let Some(job) = self.jobs.get(id.0 as usize).copied() else { continue };
            self.scheduler.hold_group(&job, id);
            self.in_progress.insert(id, InProgress::after(prior));
            self.doubts.add(job.record, id, self.policy.settle_time, Turn::Soon);
            if self.policy.if_exists != IfExists::Upload {
                // What the row in doubt may have put there must be known as ours before anything is compared with it.
                self.scheduler.hold_record(job.record);
            }
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self, now: Elapsed) -> Next {
        self.ending.took = now;
        self.wake(now);
        if self.policy.max_duration.is_some_and(|most| now >= most) {
            self.stop_for_time(now);
        }
        loop {
            if self.in_flight > 0 && self.in_flight >= self.concurrency.limit(now) {
                return Next::Wait(self.concurrency.grows_at());
            }
            let task = match self.choose(now) {
                NextChoice::Do(task) => task,
                NextChoice::Wait(at) => return Next::Wait(self.before_time_is_up(at)),
                NextChoice::Nothing if self.in_flight > 0 => return Next::Wait(None),
                NextChoice::Nothing => return self.end(),
            };
            let probe = match self.breaker.permit(now) {
                Permit::Go => false,
                Permit::Probe => true,
                Permit::Wait(at) => return Next::Wait(self.before_time_is_up(at)),
            };
            match self.afford(now, &task) {
                Allowed::Yes => {}
                Allowed::Wait(until) => {
                    let change = self.breaker.wait_until(until, PauseReason::Credits);
                    self.apply_breaker(now, change);
                    return Next::Wait(self.before_time_is_up(Some(until)));
                }
                Allowed::OverMax => {
                    self.stop_for_max_credits(&task);
                    continue;
                }
                Allowed::Kept(left) => {
                    self.stop_for_kept_credits(left);
                    continue;
                }
            }
            #[cfg(test)]
            if matches!(task, NextTask::List { purpose: Purpose::Settle, .. }) && is_made(Mistake::SettlesUnpaced) {
                return self.start(now, task, probe);
            }
            return match self.rate.take(now) {
                Ok(()) => self.start(now, task, probe),
                Err(at) => Next::Wait(Some(at)),
            };
        }
    }

    /// What came of sending a row. Gives back the rows that have ended by it.
    pub fn handle_upload(&mut self, now: Elapsed, ticket: UploadTicket, result: UploadResult) -> Vec<Ended> {
        let mut out = Vec::new();
        self.ending.took = now;
        self.in_flight -= 1;
        if ticket.dispatch.probe && never_reached_service(&result) {
            self.breaker.probe_wasted(now);
        }
        self.apply_upload(now, &ticket, result, &mut out);
        self.count_ended(&out);
        out
    }

    /// What came of a question about a record. Gives back the rows that have ended by it.
    pub fn handle_list(&mut self, now: Elapsed, ticket: ListTicket, result: ListResult) -> Vec<Ended> {
        let mut out = Vec::new();
        self.ending.took = now;
        self.in_flight -= 1;
        self.apply_list(now, &ticket, result, &mut out);
        self.count_ended(&out);
        out
    }

    fn count_ended(&mut self, out: &[Ended]) {
        for ended in out {
            self.ending.counts.add(ended.outcome.status);
            let failed = ended.outcome.status == Status::Failed;
            if let Some((failed, of)) = self.run_streak.ended(failed, self.policy.max_failures) {
                self.stop_for_failures(failed, of);
            }
        }
    }

    /// A signal came: nothing new starts, nothing is settled; what is under way may finish.
    pub fn handle_interrupt(&mut self) {
        self.stop(
            AfterStop::End,
            StopCause::Signal,
            "the run was interrupted".to_owned(),
            "Run the same command again: it goes on where it was.",
            None,
        );
    }

    /// The results file can be used no longer: nothing new starts, nothing is settled.
    pub fn handle_results_failure(&mut self, why: &JournalError) {
        self.stop(AfterStop::End, StopCause::Service(StopBecause::Disk), why.to_string(), why.advice(), None);
    }

    /// What people may want to know since this was last asked.
    pub fn poll_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// After [`Next::End`]: the rows that have not ended, some at a time, until none is left.
    pub fn poll_remaining(&mut self, most: usize) -> Vec<Ended> {
        let mut rest = Vec::new();
        while rest.len() < most && self.rest_from < self.jobs.len() {
            let index = self.rest_from;
            self.rest_from += 1;
            if let Some(ended) = self.ended.get_mut(index).filter(|ended| !**ended) {
                *ended = true;
                let id = JobId(u32::try_from(index).unwrap_or(u32::MAX));
                let outcome = self.left_over(id);
                self.ending.counts.add(outcome.status);
                rest.push(Ended { job: id, outcome });
            }
        }
        rest
    }

    /// How the run ended, once the rest has been fetched.
    pub fn into_ending(self) -> Ending {
        Ending { stopped: self.phase.stopped().cloned(), credits_left: self.credits.left(), ..self.ending }
    }

    // ---- What comes next ----

    fn wake(&mut self, now: Elapsed) {
        while let Some(&(at, id)) = self.delayed.first()
            && at <= now
        {
            self.delayed.pop_first();
            let job = self.job(id);
            self.scheduler.bring_back(&job, id);
        }
    }

    fn choose(&mut self, now: Elapsed) -> NextChoice {
        match &self.first {
            FirstRequest::Due(first) if self.phase.is_sending() => {
                return match first.at <= now {
                    true => NextChoice::Do(self.first_task(first.job)),
                    false => NextChoice::Wait(Some(first.at)),
                };
            }
            FirstRequest::UnderWay(_) => return NextChoice::Wait(None),
            FirstRequest::Due(_) | FirstRequest::Done => {}
        }
        if let Some(task) = self.next_question() {
            return NextChoice::Do(task);
        }
        if let Some(record) = self.due(now, Turn::Soon) {
            return NextChoice::Do(self.settle_task(record));
        }
        if self.phase.is_sending()
            && let Some(task) = self.row_task(now)
        {
            return NextChoice::Do(task);
        }
        let at_the_end = !self.phase.is_sending() || self.in_flight == 0 || !self.has_fresh_rows();
        if at_the_end && let Some(record) = self.due(now, Turn::AtTheEnd) {
            return NextChoice::Do(self.settle_task(record));
        }
        self.idle(now, at_the_end)
    }

    /// Nothing can start: until when?
    fn idle(&mut self, now: Elapsed, at_the_end: bool) -> NextChoice {
        let rows = (self.delayed.first().map(|(at, _)| *at), self.baselines.delayed.first().map(|(at, _)| *at));
        let rows = if self.phase.is_sending() { rows } else { (None, None) };
        let settling = if self.phase.settles() && at_the_end {
            let lists = [Turn::Soon, Turn::AtTheEnd].into_iter().flat_map(|turn| self.doubts.queued(turn));
            lists.map(|(at, _)| at).min()
        } else if self.phase.settles() {
            self.doubts.queued(Turn::Soon).map(|(at, _)| at).next()
        } else {
            None
        };
        if at_the_end && let Some(from) = settling {
            self.announce_settling(from);
        }
        // What is due already waits for something to be told, and needs no alarm.
        let later = [rows.0, rows.1, settling].into_iter().flatten().filter(|at| *at > now).min();
        later.map_or(NextChoice::Nothing, |at| NextChoice::Wait(Some(at)))
    }

    fn announce_settling(&mut self, from: Elapsed) {
        if !self.settling_announced {
            self.settling_announced = true;
            self.notices.push(Notice::Settling { rows: self.doubts.rows(), from });
        }
    }

    /// The first record that is due to be listed and has no row on its way.
    fn due(&mut self, now: Elapsed, turn: Turn) -> Option<RecordIx> {
        if !self.phase.settles() {
            return None;
        }
        let due = || self.doubts.queued(turn).take_while(|(at, _)| *at <= now).map(|(_, record)| record);
        #[cfg(test)]
        if is_made(Mistake::ListsWhileSending) {
            return due().next();
        }
        // At most as many records are passed over as rows are on their way.
        let busy: Vec<RecordIx> = due().take_while(|record| self.uploading.contains_key(record)).collect();
        let free = due().nth(busy.len());
        for record in busy {
            self.scheduler.hold_record(record);
        }
        free
    }

    /// A row to start, or the list that must come before it.
    fn row_task(&mut self, now: Elapsed) -> Option<NextTask> {
        if let Some(&(at, record)) = self.baselines.delayed.first()
            && at <= now
        {
            return self.baselines.row_of(record).map(|job| begin(record, job, Purpose::Baseline));
        }
        let fresh = self.may_begin();
        let (ended, progress) = (&self.ended, &self.in_progress);
        let wanted = |id: JobId| {
            let ended = ended.get(id.0 as usize).copied().unwrap_or(true);
            !ended && (fresh || progress.get(&id).is_some_and(|progress| progress.begun))
        };
        let id = self.scheduler.peek(&self.jobs, wanted)?;
        let job = self.job(id);
        if !self.in_progress.contains_key(&id) && self.baselines.needs(job.record) {
            return Some(begin(job.record, id, Purpose::Baseline));
        }
        let progress = self.in_progress.get(&id);
        let announce = !progress.is_some_and(|progress| progress.announced);
        Some(NextTask::Upload { job: id, announce, tries: progress.map_or(0, |progress| progress.tries) + 1 })
    }

    fn may_begin(&self) -> bool {
        self.policy.limit.is_none_or(|limit| self.begun < limit)
    }

    fn has_fresh_rows(&self) -> bool {
        self.may_begin() && self.scheduler.has_unseen()
    }

    fn first_task(&self, job: JobId) -> NextTask {
        begin(self.job(job).record, job, Purpose::First)
    }

    fn settle_task(&self, record: RecordIx) -> NextTask {
        let job = self.doubts.rows_of(record).first().copied().unwrap_or(JobId(0));
        begin(record, job, Purpose::Settle)
    }

    /// The next question of an inquiry that has begun. One that nobody needs any more, since the run stops, ends here.
    fn next_question(&mut self) -> Option<NextTask> {
        while let Some(&record) = self.questions.front() {
            let inquiry = self.inquiries.get(&record).filter(|inquiry| match inquiry.purpose() {
                Purpose::Settle => self.phase.settles(),
                Purpose::First | Purpose::Baseline => self.phase.is_sending(),
            });
            let rows = match inquiry.map(ListInquiry::purpose) {
                Some(Purpose::Settle) => self.doubts.rows_of(record).first().copied(),
                Some(_) => self.baselines.row_of(record),
                None => None,
            };
            if let Some((inquiry, job)) = inquiry.zip(rows) {
                return Some(NextTask::List { record, job, purpose: inquiry.purpose(), question: inquiry.question() });
            }
            self.questions.pop_front();
            self.inquiries.remove(&record);
        }
        None
    }

    fn afford(&mut self, now: Elapsed, task: &NextTask) -> Allowed {
        match task {
            NextTask::List { purpose: Purpose::Settle, .. } => self.credits.allow_held_back(now),
            NextTask::List { .. } | NextTask::Upload { .. } => {
                self.credits.allow(now, 2 * self.doubts.records() as u64)
            }
        }
    }

    fn start(&mut self, now: Elapsed, task: NextTask, probe: bool) -> Next {
        self.in_flight += 1;
        self.credits.spend(now, 1);
        if probe {
            self.breaker.probe_sent();
        }
        let dispatch = Dispatch { started: now, probe };
        match task {
            NextTask::Upload { job, announce, tries } => {
                self.start_upload(job);
                Next::Upload(UploadTicket { job, announce, tries, dispatch })
            }
            NextTask::List { record, job, purpose, question } => {
                self.start_question(record, purpose);
                Next::List(ListTicket { record, job, purpose, question, dispatch })
            }
        }
    }

    fn start_upload(&mut self, id: JobId) {
        self.ending.uploads += 1;
        let job = self.job(id);
        self.scheduler.start(&job, id);
        *self.uploading.entry(job.record).or_default() += 1;
        let progress = self.in_progress.entry(id).or_default();
        progress.announced = true;
        progress.tries += 1;
        self.begun += u32::from(!progress.begun);
        progress.begun = true;
    }

    fn start_question(&mut self, record: RecordIx, purpose: Purpose) {
        self.ending.lists += 1;
        match purpose {
            Purpose::First => {
                if let FirstRequest::Due(first) = std::mem::replace(&mut self.first, FirstRequest::Done) {
                    self.first = FirstRequest::UnderWay(first);
                }
                return;
            }
            Purpose::Baseline => self.baselines.delayed.retain(|(_, delayed)| *delayed != record),
            Purpose::Settle => self.doubts.listing(record),
        }
        self.questions.retain(|ready| *ready != record);
        self.scheduler.hold_record(record);
        self.inquiries.entry(record).or_insert_with(|| ListInquiry::new(purpose));
    }

    fn before_time_is_up(&self, at: Option<Elapsed>) -> Option<Elapsed> {
        match (at, self.policy.max_duration) {
            (Some(at), Some(most)) if self.phase.is_sending() => Some(at.min(most)),
            _ => at,
        }
    }

    fn end(&mut self) -> Next {
        if self.phase.is_sending() && !self.closed_modules.is_empty() && self.scheduler.all_closed() {
            self.stop_for_modules();
        }
        Next::End
    }

    pub(super) fn job(&self, id: JobId) -> Job {
        self.jobs[id.0 as usize]
    }
}

/// The first question of an inquiry.
fn begin(record: RecordIx, job: JobId, purpose: Purpose) -> NextTask {
    NextTask::List { record, job, purpose, question: ListQuestion::Page(PageRequest::First) }
}
