//! The machine itself: [`Engine::next`] says what to do, [`Engine::tell`] hears what came of it.
//!
//! It decides which row comes next and what follows from an answer. What it decides by is kept in the small rooms
//! beside it: who may start ([`lineup`](super::lineup)), who is in doubt ([`doubts`](super::doubts)), and the brakes.

use std::collections::BTreeSet;
use std::time::Duration;

use hashbrown::HashMap;
use jiff::Timestamp;

use super::credits::{Allowed, Credits};
use super::doubts::{Doubts, Turn};
use super::gate::{Change, Gate, Permit};
use super::lineup::LineUp;
use super::pace::Pace;
use super::settings::{Assume, IfExists};
use super::settle::{self, Evidence, Finding, Suspect};
use super::streak::{Judgement, ModuleStreak, RunStreak};
use super::window::Window;
use super::{
    At, Clock, Ended, Ending, Faces, Job, JobId, Next, Notice, Past, PastDoubt, PauseReason, Purpose, RecordIx,
    Settings, StopCause, Stopped, Task, Ticket, Told,
};
use crate::outcome::{Outcome, OwnCode, Status, is_temporary};
use crate::reply::{Created, DoubtBecause, FailedBy, ListReply, Listed, Reply, RetryBecause, StopBecause, Verdict};
use crate::units;
use crate::upload::ServiceId;

/// How often a row that was proved absent is sent again before it is given up.
const ROUNDS: u32 = 3;
/// The second read of a record comes so long after the first, or after the settle time if that is less.
const SECOND_READ_AFTER: Duration = Duration::from_secs(5);
/// By how much two clocks of the service may differ.
const GREY_SECONDS: i64 = 120;
/// The same where only this machine's clock is known.
const GREY_SECONDS_LOCAL: i64 = 15 * 60;
/// Entries on one page of a list; each page is a request.
const PAGE: u64 = 200;
/// A wait that the service names is clamped to this before anything is made of it.
const LONGEST_NAMED_WAIT: Duration = Duration::from_secs(3_600);
/// How long to sleep where the service says that no credits are left, since it does not say when there will be some.
const CREDITS_PAUSE: Duration = Duration::from_secs(3_600);

/// The run as a state machine.
pub struct Engine<'a> {
    faces: &'a dyn Faces,
    settings: Settings,
    random: fastrand::Rng,
    jobs: Vec<Job>,
    ended: Vec<bool>,
    lineup: LineUp,
    open: HashMap<JobId, Open>,
    uploading: HashMap<RecordIx, u32>,
    doubts: Doubts,
    /// Rows that wait for a further try.
    delayed: BTreeSet<(At, JobId)>,
    baselines: Baselines,
    first: First,
    pace: Pace,
    window: Window,
    gate: Gate,
    credits: Credits,
    run_streak: RunStreak,
    module_streaks: Vec<ModuleStreak>,
    closed_modules: HashMap<u16, String>,
    /// Whether records may be listed; not, once the service has refused that for want of a scope.
    listable: bool,
    /// The user that our attachments belong to.
    author: Option<ServiceId>,
    /// By how many seconds an attachment of ours ever seemed older than its `sending` line.
    behind_seconds: i64,
    in_flight: u32,
    begun: u32,
    stopped: Option<Stopped>,
    settles: bool,
    told_settling: bool,
    notices: Vec<Notice>,
    rest_from: usize,
    ending: Ending,
}

/// A row that has begun and not ended.
#[derive(Default, Debug)]
struct Open {
    past: Option<Past>,
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
}

/// The first request of the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum First {
    Due { at: At, failures: u32 },
    UnderWay { failures: u32 },
    Done,
}

/// Lists made before the first row of a record (`--if-exists`).
#[derive(Default, Debug)]
struct Baselines {
    /// All rows by record; empty where nothing is listed beforehand.
    by_record: Vec<(RecordIx, JobId)>,
    done: hashbrown::HashSet<RecordIx>,
    delayed: BTreeSet<(At, RecordIx)>,
    failures: HashMap<RecordIx, u32>,
}

/// What was found out about a row in doubt.
enum Decision {
    Found(Listed),
    Absent,
    /// It cannot be told.
    Untold(OwnCode, String),
}

/// What came with a list.
#[derive(Clone, Copy)]
struct Seen<'a> {
    claimed: &'a [ServiceId],
    clock: Clock,
}

/// What could be done next, the brakes aside.
enum Choice {
    Do(Task),
    Wait(Option<At>),
    Nothing,
}

impl<'a> Engine<'a> {
    /// An engine for these jobs, in manifest order, with what earlier runs left behind for some of them.
    pub fn new(jobs: Vec<Job>, past: Vec<(JobId, Past)>, faces: &'a dyn Faces, settings: Settings) -> Engine<'a> {
        let before: HashMap<JobId, Past> = past.into_iter().collect();
        let modules = jobs.iter().map(|job| usize::from(job.module) + 1).max().unwrap_or(0);
        let mut engine = Engine {
            faces,
            random: fastrand::Rng::with_seed(settings.seed),
            ended: vec![false; jobs.len()],
            lineup: LineUp::new(&jobs, |id| before.contains_key(&id)),
            open: HashMap::new(),
            uploading: HashMap::new(),
            doubts: Doubts::default(),
            delayed: BTreeSet::new(),
            baselines: Baselines::of(&jobs, settings.if_exists),
            first: if jobs.is_empty() { First::Done } else { First::Due { at: At::ZERO, failures: 0 } },
            pace: Pace::new(settings.rate),
            window: Window::new(settings.concurrency.min(super::settings::MOST_AT_ONCE)),
            gate: Gate::new(settings.gate),
            credits: Credits::new(settings.max_credits, settings.keep_credits, settings.wait_for_credits),
            run_streak: RunStreak::default(),
            module_streaks: vec![ModuleStreak::default(); modules],
            closed_modules: HashMap::new(),
            listable: true,
            author: None,
            behind_seconds: 0,
            in_flight: 0,
            begun: 0,
            stopped: None,
            settles: true,
            told_settling: false,
            notices: Vec::new(),
            rest_from: 0,
            ending: Ending::default(),
            settings,
            jobs,
        };
        engine.take_over(before);
        engine
    }

    /// Rows in doubt from before are settled like those of this run, the settle time counted from now.
    fn take_over(&mut self, before: HashMap<JobId, Past>) {
        let mut before: Vec<(JobId, Past)> = before.into_iter().collect();
        before.sort_by_key(|(id, _)| *id);
        for (id, past) in before {
            let Some(job) = self.jobs.get(id.0 as usize).copied() else { continue };
            self.lineup.hold_twins(&job, id);
            self.open.insert(id, Open { past: Some(past), sent_at: Some(past.sent_at), ..Open::default() });
            self.doubts.add(job.record, id, self.settings.settle_time, Turn::Soon);
            if self.settings.if_exists != IfExists::Upload {
                // What the row in doubt may have put there must be known as ours before anything is compared with it.
                self.lineup.hold_record(job.record);
            }
        }
    }

    /// The next thing to do.
    pub fn next(&mut self, now: At) -> Next {
        self.ending.took = now;
        self.wake(now);
        if self.settings.max_duration.is_some_and(|most| now >= most) {
            self.stop_for_time(now);
        }
        loop {
            if self.in_flight > 0 && self.in_flight >= self.window.limit(now) {
                return Next::Wait(self.window.grows_at());
            }
            let task = match self.choose(now) {
                Choice::Do(task) => task,
                Choice::Wait(at) => return Next::Wait(self.before_time_is_up(at)),
                Choice::Nothing if self.in_flight > 0 => return Next::Wait(None),
                Choice::Nothing => return self.end(),
            };
            let probe = match self.gate.permit(now) {
                Permit::Go => false,
                Permit::Probe => true,
                Permit::Wait(at) => return Next::Wait(self.before_time_is_up(at)),
            };
            match self.afford(now, task) {
                Allowed::Yes => {}
                Allowed::Wait(until) => {
                    let change = self.gate.wait_until(until, PauseReason::Credits);
                    self.heed(now, change);
                    return Next::Wait(self.before_time_is_up(Some(until)));
                }
                Allowed::OverMax => {
                    self.stop_for_max_credits(task);
                    continue;
                }
                Allowed::Kept(left) => {
                    self.stop_for_kept_credits(left);
                    continue;
                }
            }
            return match self.pace.take(now) {
                Ok(()) => Next::Do(self.start(now, task, probe)),
                Err(at) => Next::Wait(Some(at)),
            };
        }
    }

    /// What came of a task. Gives back the rows that have ended by it.
    pub fn tell(&mut self, now: At, ticket: Ticket, told: Told) -> Vec<Ended> {
        let mut out = Vec::new();
        self.ending.took = now;
        self.in_flight -= 1;
        if let Ticket { probe: true, .. } = ticket
            && asked_nothing(&told)
        {
            self.gate.probe_wasted(now);
        }
        match (ticket.task, without_panic(ticket.task, told)) {
            (Task::Upload { job, .. }, told) => self.upload_told(now, job, &ticket, told, &mut out),
            (Task::List { record, job, purpose }, Told::Listed { reply, claimed, clock }) => {
                let reply = sober(reply);
                self.list_told(now, &ticket, &reply);
                match purpose {
                    Purpose::First => self.first_told(now, job, reply, &claimed, &mut out),
                    Purpose::Baseline => self.baseline_told(now, record, reply, &claimed, &mut out),
                    Purpose::Settle => {
                        let seen = Seen { claimed: &claimed, clock };
                        self.settle_told(now, record, &ticket, reply, seen, &mut out);
                    }
                }
            }
            (Task::List { .. }, Told::ResultsFailed(why)) => {
                self.first = First::Done;
                self.results_failed(&why);
            }
            // No driver tells this of a list.
            (Task::List { .. }, Told::Replied { .. } | Told::Panicked { .. }) => {}
        }
        for ended in &out {
            self.ending.counts.add(ended.outcome.status);
            let failed = ended.outcome.status == Status::Failed;
            if let Some((failed, of)) = self.run_streak.ended(failed, self.settings.max_failures) {
                self.stop_for_failures(failed, of);
            }
        }
        out
    }

    /// A signal came: nothing new starts, nothing is settled; what is under way may finish.
    pub fn interrupt(&mut self) {
        self.stop(
            StopCause::Signal,
            "the run was interrupted".to_owned(),
            "Run the same command again: it goes on where it was.",
            None,
        );
        self.settles = false;
    }

    /// The results file cannot be written any more: nothing new starts, nothing is settled.
    pub fn results_failed(&mut self, why: &str) {
        self.stop(
            StopCause::Service(StopBecause::Disk),
            format!("the results file cannot be written: {why}"),
            "Make room or mend the disk, then run the same command again.",
            None,
        );
        self.settles = false;
    }

    /// What people may want to know since this was last asked.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// After [`Next::End`]: the rows that have not ended, some at a time, until none is left.
    pub fn rest(&mut self, most: usize) -> Vec<Ended> {
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
        Ending { stopped: self.stopped, credits_left: self.credits.left(), ..self.ending }
    }

    // ---- What comes next ----

    fn wake(&mut self, now: At) {
        while let Some(&(at, id)) = self.delayed.first()
            && at <= now
        {
            self.delayed.pop_first();
            let job = self.job(id);
            self.lineup.bring_back(&job, id);
        }
    }

    fn choose(&mut self, now: At) -> Choice {
        match self.first {
            First::Due { at, .. } if self.stopped.is_none() => {
                return if at <= now { Choice::Do(self.first_task()) } else { Choice::Wait(Some(at)) };
            }
            First::UnderWay { .. } => return Choice::Wait(None),
            First::Due { .. } | First::Done => {}
        }
        if let Some(record) = self.due(now, Turn::Soon) {
            return Choice::Do(self.settle_task(record));
        }
        if self.stopped.is_none()
            && let Some(task) = self.row_task(now)
        {
            return Choice::Do(task);
        }
        let at_the_end = self.stopped.is_some() || self.in_flight == 0 || !self.has_fresh_rows();
        if at_the_end && let Some(record) = self.due(now, Turn::AtTheEnd) {
            return Choice::Do(self.settle_task(record));
        }
        self.idle(now, at_the_end)
    }

    /// Nothing can start: until when?
    fn idle(&mut self, now: At, at_the_end: bool) -> Choice {
        let rows = (self.delayed.first().map(|(at, _)| *at), self.baselines.delayed.first().map(|(at, _)| *at));
        let rows = if self.stopped.is_none() { rows } else { (None, None) };
        let settling = if self.settles && at_the_end {
            let lists = [Turn::Soon, Turn::AtTheEnd].into_iter().flat_map(|turn| self.doubts.queued(turn));
            lists.map(|(at, _)| at).min()
        } else if self.settles {
            self.doubts.queued(Turn::Soon).map(|(at, _)| at).next()
        } else {
            None
        };
        if at_the_end && let Some(from) = settling {
            self.announce_settling(from);
        }
        // What is due already waits for something to be told, and needs no alarm.
        let later = [rows.0, rows.1, settling].into_iter().flatten().filter(|at| *at > now).min();
        later.map_or(Choice::Nothing, |at| Choice::Wait(Some(at)))
    }

    fn announce_settling(&mut self, from: At) {
        if !self.told_settling {
            self.told_settling = true;
            self.notices.push(Notice::Settling { rows: self.doubts.rows(), from });
        }
    }

    /// The first record that is due to be listed and has no row on its way.
    fn due(&mut self, now: At, turn: Turn) -> Option<RecordIx> {
        if !self.settles {
            return None;
        }
        let due = || self.doubts.queued(turn).take_while(|(at, _)| *at <= now).map(|(_, record)| record);
        // At most as many records are passed over as rows are on their way.
        let busy: Vec<RecordIx> = due().take_while(|record| self.uploading.contains_key(record)).collect();
        let free = due().nth(busy.len());
        for record in busy {
            self.lineup.hold_record(record);
        }
        free
    }

    /// A row to start, or the list that must come before it.
    fn row_task(&mut self, now: At) -> Option<Task> {
        if let Some(&(at, record)) = self.baselines.delayed.first()
            && at <= now
        {
            return self.baselines.row_of(record).map(|job| Task::List { record, job, purpose: Purpose::Baseline });
        }
        let fresh = self.may_begin();
        let (ended, open) = (&self.ended, &self.open);
        let wanted = |id: JobId| {
            let ended = ended.get(id.0 as usize).copied().unwrap_or(true);
            !ended && (fresh || open.get(&id).is_some_and(|open| open.begun))
        };
        let id = self.lineup.peek(&self.jobs, wanted)?;
        let job = self.job(id);
        if !self.open.contains_key(&id) && self.baselines.needs(job.record) {
            return Some(Task::List { record: job.record, job: id, purpose: Purpose::Baseline });
        }
        let open = self.open.get(&id);
        let announce = !open.is_some_and(|open| open.announced);
        Some(Task::Upload { job: id, announce, tries: open.map_or(0, |open| open.tries) + 1 })
    }

    fn may_begin(&self) -> bool {
        self.settings.limit.is_none_or(|limit| self.begun < limit)
    }

    fn has_fresh_rows(&self) -> bool {
        self.may_begin() && self.lineup.has_unseen()
    }

    fn first_task(&self) -> Task {
        let id = JobId(0);
        Task::List { record: self.job(id).record, job: id, purpose: Purpose::First }
    }

    fn settle_task(&self, record: RecordIx) -> Task {
        let job = self.doubts.rows_of(record).first().copied().unwrap_or(JobId(0));
        Task::List { record, job, purpose: Purpose::Settle }
    }

    fn afford(&mut self, now: At, task: Task) -> Allowed {
        match task {
            Task::List { purpose: Purpose::Settle, .. } => self.credits.allow_held_back(now),
            Task::List { .. } | Task::Upload { .. } => self.credits.allow(now, 2 * self.doubts.records() as u64),
        }
    }

    fn start(&mut self, now: At, task: Task, probe: bool) -> Ticket {
        self.in_flight += 1;
        self.credits.spend(now, 1);
        if probe {
            self.gate.probe_sent();
        }
        match task {
            Task::Upload { job: id, .. } => self.start_upload(id),
            Task::List { record, purpose, .. } => self.start_list(record, purpose),
        }
        Ticket { task, started: now, probe }
    }

    fn start_upload(&mut self, id: JobId) {
        self.ending.uploads += 1;
        let job = self.job(id);
        self.lineup.start(&job, id);
        *self.uploading.entry(job.record).or_default() += 1;
        let open = self.open.entry(id).or_default();
        open.announced = true;
        open.tries += 1;
        self.begun += u32::from(!open.begun);
        open.begun = true;
    }

    fn start_list(&mut self, record: RecordIx, purpose: Purpose) {
        self.ending.lists += 1;
        match purpose {
            Purpose::First => {
                let First::Due { failures, .. } = self.first else { return };
                self.first = First::UnderWay { failures };
            }
            Purpose::Baseline => {
                self.baselines.delayed.retain(|(_, delayed)| *delayed != record);
                self.lineup.hold_record(record);
            }
            Purpose::Settle => {
                self.doubts.listing(record);
                self.lineup.hold_record(record);
            }
        }
    }

    fn before_time_is_up(&self, at: Option<At>) -> Option<At> {
        match (at, self.settings.max_duration) {
            (Some(at), Some(most)) if self.stopped.is_none() => Some(at.min(most)),
            _ => at,
        }
    }

    fn end(&mut self) -> Next {
        if self.stopped.is_none() && !self.closed_modules.is_empty() && self.lineup.all_closed() {
            self.stop_for_modules();
        }
        Next::End
    }

    // ---- What follows from an answer to an upload ----

    fn upload_told(&mut self, now: At, id: JobId, ticket: &Ticket, told: Told, out: &mut Vec<Ended>) {
        let job = self.job(id);
        self.lineup.returned(&job);
        if let Some(count) = self.uploading.get_mut(&job.record) {
            *count -= 1;
            if *count == 0 {
                self.uploading.remove(&job.record);
            }
        }
        match told {
            Told::Replied { reply, sent_at } => {
                self.note_sent_at(id, sent_at);
                self.replied(now, id, ticket, reply, out);
            }
            Told::ResultsFailed(why) => {
                if let Some(open) = self.open.get_mut(&id) {
                    open.announced = false;
                    open.tries -= 1;
                }
                self.results_failed(&why);
            }
            Told::Panicked { begun, sent_at } => {
                self.note_sent_at(id, sent_at);
                self.panicked(now, id, begun, out);
            }
            Told::Listed { .. } => {}
        }
    }

    fn note_sent_at(&mut self, id: JobId, sent_at: Option<Timestamp>) {
        let open = self.open.entry(id).or_default();
        open.sent_at = open.sent_at.or(sent_at);
    }

    fn panicked(&mut self, now: At, id: JobId, begun: bool, out: &mut Vec<Ended>) {
        if begun {
            self.doubt(now, id, internal_error(Verdict::InDoubt(DoubtBecause::AnswerLost)), out);
            return;
        }
        let open = self.open.entry(id).or_default();
        if std::mem::replace(&mut open.panicked, true) {
            let reply = internal_error(Verdict::Failed(FailedBy::Row));
            self.end_by_reply(id, Status::Failed, &reply, out);
        } else {
            self.delayed.insert((now, id));
        }
    }

    fn replied(&mut self, now: At, id: JobId, ticket: &Ticket, reply: Reply, out: &mut Vec<Ended>) {
        if let Some(left) = reply.credits_left {
            self.credits.learn(now, left);
        }
        let module = self.job(id).module;
        match reply.verdict.clone() {
            Verdict::Uploaded(created) => {
                self.answered(now, ticket);
                self.learn(id, &created);
                self.went_well(module);
                self.end_uploaded(id, &reply, created, out);
            }
            Verdict::AlreadyPresent => {
                self.answered(now, ticket);
                self.went_well(module);
                self.end_by_reply(id, Status::AlreadyPresent, &reply, out);
            }
            Verdict::Failed(by) => {
                if by != FailedBy::File {
                    self.answered(now, ticket);
                }
                self.end_by_reply(id, Status::Failed, &reply, out);
                self.judge(module, by, &reply);
            }
            Verdict::Retry(because) => self.retry(now, id, ticket, because, reply, out),
            Verdict::InDoubt(because) => {
                let change = self.gate.doubted(now, ticket.probe, because == DoubtBecause::ServerError);
                self.heed(now, change);
                self.doubt(now, id, reply, out);
            }
            Verdict::Stop(because) => self.stopped_by_upload(now, id, because, reply),
        }
    }

    /// The service answered as it should.
    fn answered(&mut self, now: At, ticket: &Ticket) {
        self.window.served();
        let change = self.gate.good(ticket.probe);
        self.heed(now, change);
    }

    fn went_well(&mut self, module: u16) {
        self.lineup.prove(module);
        if let Some(streak) = self.module_streaks.get_mut(usize::from(module)) {
            self.run_streak.success(streak);
        }
    }

    /// Learns from a success who we are, and how far the clock of `Created_Time` is behind.
    fn learn(&mut self, id: JobId, created: &Created) {
        self.author = self.author.or(created.by);
        let made = created.time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
        let sent = self.open.get(&id).and_then(|open| open.sent_at);
        if let (Some(made), Some(sent)) = (made, sent) {
            self.behind_seconds = self.behind_seconds.max(sent.as_second() - made.as_second());
        }
    }

    fn judge(&mut self, module: u16, by: FailedBy, reply: &Reply) {
        if matches!(by, FailedBy::Record | FailedBy::Row) {
            self.lineup.prove(module);
        }
        let Some(streak) = self.module_streaks.get_mut(usize::from(module)) else { return };
        let said = said(reply);
        match self.run_streak.refusal(streak, by, &reply.code) {
            Judgement::GoOn => {}
            Judgement::CloseModule => self.close_module(module, said),
            Judgement::StopForRecords(count) => self.stop(
                StopCause::Streak,
                format!("{count} records in a row are not known to the service (last answer: {said})"),
                "Were the ids rounded by a spreadsheet, or are they of another organisation? Mend them and run again.",
                None,
            ),
            Judgement::StopForUnlisted(count) => self.stop(
                StopCause::Streak,
                format!("the service refused {count} rows in a row in a way that is not documented: {said}"),
                "Find out what the answer means, then run the same command again.",
                None,
            ),
        }
    }

    fn close_module(&mut self, module: u16, said: String) {
        self.lineup.close(module);
        self.notices.push(Notice::ModuleClosed { module, message: said.clone() });
        self.closed_modules.insert(module, said);
    }

    fn retry(
        &mut self,
        now: At,
        id: JobId,
        ticket: &Ticket,
        because: RetryBecause,
        reply: Reply,
        out: &mut Vec<Ended>,
    ) {
        self.brake(now, ticket, because, &reply);
        let open = self.open.entry(id).or_default();
        // A row that happens to try whether a pause is over must not use its tries up on that.
        open.failures += u32::from(!ticket.probe);
        let failures = open.failures;
        if failures <= self.settings.retries {
            open.last = Some(reply);
            let at = now + self.backoff(because, failures);
            self.delayed.insert((at, id));
        } else if because == RetryBecause::TokenRenewed {
            self.stopped_by_upload(now, id, StopBecause::Credentials, reply);
        } else {
            let code = temporary_code(because, &reply.code);
            self.end_by_reply(id, Status::Failed, &Reply { code, ..reply }, out);
        }
    }

    /// Slows everybody down as the answer asks.
    fn brake(&mut self, now: At, ticket: &Ticket, because: RetryBecause, reply: &Reply) {
        let change = match because {
            RetryBecause::Throttled => {
                self.ending.throttled += 1;
                let named = reply.retry_after.map(|named| self.with_jitter(named));
                let change = self.gate.throttled(now, ticket.probe, named, self.in_flight == 0);
                self.narrow(now, ticket);
                change
            }
            RetryBecause::NotConnected | RetryBecause::Passing => self.gate.missed(now, ticket.probe),
            RetryBecause::LocalShortage => {
                self.narrow(now, ticket);
                Change::None
            }
            RetryBecause::TokenRenewed => Change::None,
        };
        self.heed(now, change);
    }

    fn narrow(&mut self, now: At, ticket: &Ticket) {
        self.window.throttled(now, ticket.started, self.in_flight);
        let window = self.window.limit(now);
        self.notices.push(Notice::Throttled { window });
    }

    fn with_jitter(&mut self, named: Duration) -> Duration {
        let named = named.min(LONGEST_NAMED_WAIT);
        named + named.mul_f64(self.random.f64() * 0.1)
    }

    fn backoff(&mut self, because: RetryBecause, failures: u32) -> Duration {
        let factor = match because {
            RetryBecause::TokenRenewed => return Duration::ZERO,
            RetryBecause::Throttled => 4,
            RetryBecause::NotConnected | RetryBecause::LocalShortage | RetryBecause::Passing => 1,
        };
        let longest = self.settings.backoff.base.saturating_mul(factor << failures.saturating_sub(1).min(16));
        longest.min(self.settings.backoff.cap).mul_f64(self.random.f64())
    }

    fn stopped_by_upload(&mut self, now: At, id: JobId, because: StopBecause, reply: Reply) {
        if because == StopBecause::Limit && self.settings.wait_for_credits && reply.credits_left == Some(0) {
            let change = self.gate.wait_until(now + CREDITS_PAUSE, PauseReason::Credits);
            self.heed(now, change);
            self.delayed.insert((now, id));
        } else {
            self.stop_by_service(because, &reply);
        }
        self.open.entry(id).or_default().last = Some(reply);
    }

    // ---- Doubt, and how it ends ----

    fn doubt(&mut self, now: At, id: JobId, reply: Reply, out: &mut Vec<Ended>) {
        let record = self.job(id).record;
        let open = self.open.entry(id).or_default();
        open.doubt = Some(match reply.verdict {
            Verdict::InDoubt(because) => because,
            _ => DoubtBecause::AnswerLost,
        });
        open.last = Some(reply);
        self.told_settling = false;
        self.doubts.add(record, id, now + self.settings.settle_time, Turn::AtTheEnd);
        if !self.listable {
            self.give_up_listing(record, "", out);
        }
    }

    /// Nothing can be told of the record's rows in doubt.
    fn give_up_listing(&mut self, record: RecordIx, why: &str, out: &mut Vec<Ended>) {
        let message = match why {
            "" => "the token may not read attachments, so what became of the upload cannot be told".to_owned(),
            _ => format!("the record's attachments cannot be listed: {why}"),
        };
        for id in self.doubts.rows_of(record).to_vec() {
            self.decide(id, Decision::Untold(OwnCode::NotListable, message.clone()), out);
        }
        self.lineup.let_record_go(&self.jobs, record);
    }

    fn settle_told(
        &mut self,
        now: At,
        record: RecordIx,
        ticket: &Ticket,
        reply: ListReply,
        seen: Seen<'_>,
        out: &mut Vec<Ended>,
    ) {
        match reply {
            ListReply::Listed(listed) => self.read(now, record, &listed, seen, out),
            ListReply::Not(reply) => match reply.verdict {
                Verdict::Failed(_) => self.give_up_listing(record, &said(&reply), out),
                Verdict::Stop(StopBecause::Scope) => self.unlistable(&said(&reply), record, out),
                Verdict::Stop(because) => {
                    self.stop_by_service(because, &reply);
                    self.leave_in_doubt(record);
                    // Whatever stopped this list stops the next one, too.
                    self.settles = false;
                }
                _ => {
                    // A list that happens to try whether a pause is over must not use its tries up on that.
                    let failures = self.doubts.failures(record) + u32::from(!ticket.probe);
                    let at = now + self.backoff(RetryBecause::Passing, failures);
                    self.doubts.postpone(record, at, failures);
                    if failures > self.settings.retries {
                        self.leave_in_doubt(record);
                    }
                    self.free(record);
                }
            },
        }
    }

    fn leave_in_doubt(&mut self, record: RecordIx) {
        self.doubts.give_up(record);
        self.free(record);
    }

    /// Rows may start on the record again, unless they must first be compared with what it has (`--if-exists`): while a
    /// row is in doubt, its attachment would pass for somebody else's.
    fn free(&mut self, record: RecordIx) {
        if !self.baselines.needs(record) || self.doubts.rows_of(record).is_empty() {
            self.lineup.let_record_go(&self.jobs, record);
        }
    }

    /// Reads one list. Rows that are found are settled at once; the others after a second read.
    fn read(&mut self, now: At, record: RecordIx, listed: &[Listed], seen: Seen<'_>, out: &mut Vec<Ended>) {
        let rows = self.doubts.rows_of(record).to_vec();
        let findings = self.compare(&rows, listed, seen);
        let absent_at_first = self.doubts.absent_at_first(record).map(<[JobId]>::to_vec);
        let mut absent = Vec::new();
        for (id, finding) in rows.into_iter().zip(findings) {
            match (finding, &absent_at_first) {
                (Decision::Found(listed), _) => self.decide(id, Decision::Found(listed), out),
                (Decision::Absent, None) => absent.push(id),
                (Decision::Absent, Some(first)) if first.contains(&id) => self.decide(id, Decision::Absent, out),
                (Decision::Absent, Some(_)) => {
                    let message = "an attachment that could be this one was listed and then was not".to_owned();
                    self.decide(id, Decision::Untold(OwnCode::UncertainMatch, message), out);
                }
                (Decision::Untold(..), None) => {}
                (untold @ Decision::Untold(..), Some(_)) => self.decide(id, untold, out),
            }
        }
        if self.doubts.rows_of(record).is_empty() {
            self.lineup.let_record_go(&self.jobs, record);
        } else {
            self.doubts.read_again(record, now + SECOND_READ_AFTER.min(self.settings.settle_time), absent);
        }
    }

    fn compare(&self, rows: &[JobId], listed: &[Listed], seen: Seen<'_>) -> Vec<Decision> {
        let suspects: Vec<Suspect<'_>> = rows.iter().map(|id| self.suspect(*id)).collect();
        let grey_seconds = match seen.clock {
            Clock::Service => GREY_SECONDS,
            Clock::Local => GREY_SECONDS_LOCAL,
        } + self.behind_seconds;
        let findings = settle::compare(&suspects, Evidence { listed, claimed: seen.claimed, grey_seconds });
        findings.into_iter().map(Decision::from).collect()
    }

    fn suspect(&self, id: JobId) -> Suspect<'_> {
        let open = self.open.get(&id);
        let past = open.and_then(|open| open.past);
        let mut face = self.faces.face(id);
        // A row that was sent again in this run was sent as the file is now.
        if let Some(past) = past.filter(|_| !open.is_some_and(|open| open.begun)) {
            face.size = past.size.or(face.size);
        }
        let sent_at = open.and_then(|open| open.sent_at).map_or(i64::MIN, Timestamp::as_second);
        // Where every success of ours seems made a second too early, so will the one that is looked for.
        let sent_at = sent_at.saturating_sub(self.behind_seconds.min(GREY_SECONDS));
        // Who an earlier run sent as is not known: it may have been somebody else.
        Suspect { face, sent_at, author: if past.is_some() { None } else { self.author } }
    }

    fn decide(&mut self, id: JobId, decision: Decision, out: &mut Vec<Ended>) {
        let record = self.job(id).record;
        self.doubts.remove(record, id);
        let open = self.open.entry(id).or_default();
        let looked_again = open.past.is_some_and(|past| past.was == PastDoubt::Unknown);
        let doubt = open.doubt.take();
        match (decision, self.settings.assume.filter(|_| looked_again)) {
            (Decision::Found(listed), _) => {
                let mut outcome = self.outcome(id, Status::Uploaded, OwnCode::SettledByListing.into(), String::new());
                outcome.attachment_id = Some(listed.id);
                outcome.created_time =
                    listed.created.and_then(|time| Timestamp::from_second(time).ok()).map(|time| time.to_string());
                outcome.created_by = listed.created_by;
                self.finish(id, outcome, out);
            }
            (Decision::Absent, _) | (Decision::Untold(..), Some(Assume::Absent)) => self.absent(id, doubt, out),
            (Decision::Untold(..), Some(Assume::Present)) => {
                let message = "what the record's list cannot tell is taken for present (--assume)".to_owned();
                let outcome = self.outcome(id, Status::Uploaded, OwnCode::Assumed.into(), message);
                self.finish(id, outcome, out);
            }
            (Decision::Untold(code, message), None) => {
                let outcome = self.outcome(id, Status::Unknown, code.into(), message);
                self.finish(id, outcome, out);
            }
        }
    }

    /// The row's attachment was surely not created: it goes again, unless there is a reason why not.
    fn absent(&mut self, id: JobId, doubt: Option<DoubtBecause>, out: &mut Vec<Ended>) {
        let job = self.job(id);
        let open = self.open.entry(id).or_default();
        let ending = if open.past.is_some_and(|past| !past.resend) {
            let message = "its answer was lost in an earlier run; the record does not have it, and the manifest no \
                           longer has the row";
            Some((Status::NotSent, OwnCode::NotInManifest, message.to_owned()))
        } else if doubt == Some(DoubtBecause::FileChanged) {
            let message = open.last.as_ref().map(said).unwrap_or_default();
            Some((Status::Failed, OwnCode::FileChanged, message))
        } else if open.rounds == ROUNDS {
            let times = ROUNDS + 1;
            let message = format!("sent {times} times; no answer came, and each time nothing had been created");
            Some((Status::Failed, OwnCode::NoReply, message))
        } else {
            None
        };
        if let Some((status, code, message)) = ending {
            let outcome = self.outcome(id, status, code.into(), message);
            self.finish(id, outcome, out);
            return;
        }
        // What an earlier run sent is no round of this one.
        open.rounds += u32::from(open.begun);
        open.announced = false;
        // Two that hold each other back (both left behind by earlier runs) would wait for ever.
        if self.lineup.is_held_by_twin(job.twin, id) {
            self.lineup.let_twins_go(&self.jobs, id);
        }
        self.lineup.bring_back(&job, id);
    }

    // ---- Lists that come before rows ----

    fn list_told(&mut self, now: At, ticket: &Ticket, reply: &ListReply) {
        match reply {
            ListReply::Listed(listed) => {
                self.answered(now, ticket);
                let more_pages = (listed.len() as u64).saturating_sub(1) / PAGE;
                self.credits.spend(now, more_pages);
            }
            ListReply::Not(reply) => {
                if let Some(left) = reply.credits_left {
                    self.credits.learn(now, left);
                }
                match reply.verdict {
                    Verdict::Retry(because) => self.brake(now, ticket, because, reply),
                    Verdict::Failed(_) => self.answered(now, ticket),
                    _ => {}
                }
            }
        }
    }

    fn first_told(&mut self, now: At, job: JobId, reply: ListReply, claimed: &[ServiceId], out: &mut Vec<Ended>) {
        let First::UnderWay { failures } = self.first else { return };
        self.first = First::Done;
        let record = self.job(job).record;
        match reply {
            ListReply::Listed(listed) if self.baselines.needs(record) && self.doubts.rows_of(record).is_empty() => {
                self.baseline_told(now, record, ListReply::Listed(listed), claimed, out);
            }
            ListReply::Listed(_) => {}
            ListReply::Not(reply) => match reply.verdict {
                Verdict::Retry(because) if failures < self.settings.retries => {
                    let failures = failures + 1;
                    self.first = First::Due { at: now + self.backoff(because, failures), failures };
                }
                Verdict::Retry(_) => self.stop(
                    StopCause::ServiceDown,
                    format!("the first request got no answer of use: {}", said(&reply)),
                    "Check the connection and the address, then run the same command again.",
                    None,
                ),
                Verdict::Stop(StopBecause::Scope) => self.unlistable(&said(&reply), record, out),
                Verdict::Stop(because) => self.stop_by_service(because, &reply),
                // The row itself will hear the same, and in better words.
                _ => {}
            },
        }
    }

    /// The token may not list: doubts cannot be settled in this run.
    fn unlistable(&mut self, said: &str, record: RecordIx, out: &mut Vec<Ended>) {
        if self.settings.if_exists != IfExists::Upload {
            self.stop(
                StopCause::Service(StopBecause::Scope),
                format!("the token may not read attachments, which --if-exists needs: {said}"),
                "Ask for a token with ZohoCRM.modules.attachments.READ as well, or leave --if-exists out.",
                None,
            );
            self.leave_in_doubt(record);
            self.settles = false;
            return;
        }
        self.listable = false;
        self.notices.push(Notice::Warning {
            code: "not-listable",
            message: format!("the token may not read attachments: uploads whose answer is lost end `unknown` ({said})"),
        });
        for record in self.doubts.all_queued().into_iter().chain([record]) {
            self.give_up_listing(record, "", out);
        }
    }

    fn baseline_told(
        &mut self,
        now: At,
        record: RecordIx,
        reply: ListReply,
        claimed: &[ServiceId],
        out: &mut Vec<Ended>,
    ) {
        match reply {
            ListReply::Listed(listed) => {
                self.baselines.done.insert(record);
                for id in self.untouched_rows(record) {
                    self.end_if_it_exists(id, &listed, claimed, out);
                }
                self.lineup.let_record_go(&self.jobs, record);
            }
            ListReply::Not(reply) => match reply.verdict {
                Verdict::Retry(because) => {
                    let failures = self.baselines.failures.entry(record).or_default();
                    *failures += 1;
                    let failures = *failures;
                    if failures <= self.settings.retries {
                        let at = now + self.backoff(because, failures);
                        self.baselines.delayed.insert((at, record));
                    } else {
                        let code = temporary_code(because, &reply.code);
                        self.fail_untouched_rows(record, &Reply { code, ..reply }, out);
                    }
                }
                Verdict::Stop(StopBecause::Scope) => self.unlistable(&said(&reply), record, out),
                Verdict::Stop(because) => self.stop_by_service(because, &reply),
                _ => self.fail_untouched_rows(record, &reply, out),
            },
        }
    }

    /// Without a list nobody can say whether the record has the attachment: its rows cannot be sent.
    fn fail_untouched_rows(&mut self, record: RecordIx, reply: &Reply, out: &mut Vec<Ended>) {
        self.baselines.done.insert(record);
        for id in self.untouched_rows(record) {
            self.end_by_reply(id, Status::Failed, reply, out);
        }
        self.lineup.let_record_go(&self.jobs, record);
    }

    fn untouched_rows(&self, record: RecordIx) -> Vec<JobId> {
        let untouched =
            |id: &JobId| !self.open.contains_key(id) && !self.ended.get(id.0 as usize).copied().unwrap_or(true);
        self.baselines.rows_of(record).filter(untouched).collect()
    }

    fn end_if_it_exists(&mut self, id: JobId, listed: &[Listed], claimed: &[ServiceId], out: &mut Vec<Ended>) {
        let face = self.faces.face(id);
        let same = |listed: &&Listed| match (&face.link, &listed.url) {
            (Some(link), Some(url)) => link == url.as_str(),
            (None, None) => settle::same_name(&face.name, &listed.name),
            _ => false,
        };
        // What our own results hold was put there by another row: a run that was interrupted must not end differently
        // from one that was not.
        let Some(there) = listed.iter().filter(|listed| !claimed.contains(&listed.id)).find(same) else { return };
        let size = there.size.filter(|_| face.link.is_none());
        let size = size.map(|size| format!(", {}", units::size(size))).unwrap_or_default();
        let message = format!("the record has one already: {}{size}", there.name);
        let (status, attachment_id) = match self.settings.if_exists {
            IfExists::Upload => return,
            IfExists::Skip => (Status::AlreadyPresent, Some(there.id)),
            IfExists::Fail => (Status::Failed, None),
        };
        let mut outcome = self.outcome(id, status, OwnCode::Exists.into(), message);
        outcome.attachment_id = attachment_id;
        self.finish(id, outcome, out);
    }

    // ---- Ends ----

    fn end_uploaded(&mut self, id: JobId, reply: &Reply, created: Created, out: &mut Vec<Ended>) {
        let mut outcome = self.outcome(id, Status::Uploaded, String::new(), String::new());
        outcome.attachment_id = Some(created.id);
        outcome.created_time = created.time;
        outcome.created_by = created.by;
        outcome.http_status = reply.http_status;
        outcome.took = reply.took;
        self.finish(id, outcome, out);
    }

    fn end_by_reply(&mut self, id: JobId, status: Status, reply: &Reply, out: &mut Vec<Ended>) {
        let mut outcome = self.outcome(id, status, reply.code.clone(), reply.message.clone());
        outcome.http_status = reply.http_status;
        outcome.took = reply.took;
        self.finish(id, outcome, out);
    }

    fn finish(&mut self, id: JobId, outcome: Outcome, out: &mut Vec<Ended>) {
        let Some(ended) = self.ended.get_mut(id.0 as usize).filter(|ended| !**ended) else { return };
        *ended = true;
        self.open.remove(&id);
        self.lineup.let_twins_go(&self.jobs, id);
        out.push(Ended { job: id, outcome });
    }

    /// An outcome with what is known of the row so far.
    fn outcome(&self, id: JobId, status: Status, code: String, message: String) -> Outcome {
        let open = self.open.get(&id);
        let last = open.and_then(|open| open.last.as_ref());
        Outcome {
            status,
            code,
            message,
            attachment_id: None,
            http_status: last.and_then(|reply| reply.http_status),
            tries: open.map_or(0, |open| open.tries),
            took: last.map(|reply| reply.took).unwrap_or_default(),
            sent_at: open.and_then(|open| open.sent_at),
            finished_at: None,
            created_time: None,
            created_by: None,
        }
    }

    /// How a row ends that the run did not get to, or did not get to the end of.
    fn left_over(&mut self, id: JobId) -> Outcome {
        let interrupted = self.stopped.as_ref().is_some_and(|stopped| stopped.cause == StopCause::Signal);
        let doubtful = self.doubts.rows_of(self.job(id).record).contains(&id);
        let (status, code, message) = match self.open.get(&id) {
            Some(Open { past: Some(Past { was: PastDoubt::Unknown, .. }), begun: false, .. }) if doubtful => {
                let message = "it was to be looked up again, but the run ended first";
                (Status::Unknown, OwnCode::UncertainMatch.into(), message.to_owned())
            }
            Some(open) if doubtful => {
                let last = open.last.as_ref();
                let code = match last {
                    _ if interrupted => OwnCode::Interrupted.into(),
                    Some(last) => last.code.clone(),
                    None => OwnCode::AnswerLost.into(),
                };
                let message = last.map(said).unwrap_or_else(|| "an earlier run sent it and heard no answer".to_owned());
                (Status::InDoubt, code, format!("{message}; the next run looks it up first"))
            }
            open => {
                let last = open.and_then(|open| open.last.as_ref()).map(said);
                self.not_sent(id, interrupted, last)
            }
        };
        self.outcome(id, status, code, message)
    }

    fn not_sent(&mut self, id: JobId, interrupted: bool, last: Option<String>) -> (Status, String, String) {
        let (code, why) = match (self.closed_modules.get(&self.job(id).module), &self.stopped) {
            (Some(said), _) => (OwnCode::ModuleClosed, format!("every row of the module would be refused: {said}")),
            (None, Some(_)) if interrupted => (OwnCode::Interrupted, "the run was interrupted".to_owned()),
            (None, Some(stopped)) => (OwnCode::RunEnded, stopped.message.clone()),
            (None, None) => {
                self.ending.over_limit += 1;
                (OwnCode::RunEnded, "--limit was reached before its turn came".to_owned())
            }
        };
        let message = match last {
            Some(last) if !why.contains(&last) => format!("{why}; last answer: {last}"),
            _ => why,
        };
        (Status::NotSent, code.into(), message)
    }

    // ---- Stopping ----

    fn heed(&mut self, now: At, change: Change) {
        match change {
            Change::None => {}
            Change::Closed { until, reason } => self.notices.push(Notice::Paused { until, reason }),
            Change::Opened => self.notices.push(Notice::Resumed),
            Change::GiveUp { reason: PauseReason::Throttled, until: Some(until) } => {
                let wait = units::duration(until.saturating_sub(now));
                self.stop(
                    StopCause::LongWait,
                    format!("the service asks for a pause of {wait}"),
                    "Run the same command again after that time.",
                    Some(until),
                );
                self.settles = false;
            }
            Change::GiveUp { reason, .. } => {
                let patience = units::duration(self.settings.gate.patience);
                let what = match reason {
                    PauseReason::Throttled => "took no request",
                    PauseReason::Doubts => "lost every answer",
                    PauseReason::Outage | PauseReason::Credits => "could not be reached or failed",
                };
                self.stop(
                    StopCause::ServiceDown,
                    format!("the service {what} for {patience}"),
                    "Run the same command again later.",
                    None,
                );
                self.settles = false;
            }
        }
    }

    fn stop_by_service(&mut self, because: StopBecause, reply: &Reply) {
        let advice = match because {
            StopBecause::Credentials => "Sign in again (attache auth login), then run the same command.",
            StopBecause::Scope => "Get a token with the scopes that the plan names, then run the same command.",
            StopBecause::Limit => "Wait until there are credits or storage again, then run the same command.",
            StopBecause::Target => "Check the address, the proxy and the certificate, then run the same command.",
            StopBecause::Disk => "Make room or mend the disk, then run the same command again.",
            StopBecause::OurMistake => "This is a mistake in attache: please report it with the answer above.",
        };
        self.stop(StopCause::Service(because), said(reply), advice, None);
        // Lists would be refused for the same reason.
        self.settles &= !matches!(because, StopBecause::Credentials | StopBecause::Target | StopBecause::Disk);
    }

    fn stop_for_failures(&mut self, failed: u32, of: u32) {
        self.stop(
            StopCause::MaxFailures,
            format!("{failed} of {of} rows failed, which is as much as --max-failures allows"),
            "Look at the failures in the results, mend their cause, then run the same command again.",
            None,
        );
    }

    fn stop_for_time(&mut self, now: At) {
        let message = format!("--max-duration is reached after {}", units::duration(now));
        self.stop(StopCause::MaxDuration, message, "Run the same command again to go on.", None);
    }

    fn stop_for_max_credits(&mut self, task: Task) {
        if matches!(task, Task::List { purpose: Purpose::Settle, .. }) {
            self.settles = false;
        }
        self.stop(
            StopCause::Credits,
            format!("--max-credits {} is used up", self.settings.max_credits.unwrap_or_default()),
            "Run the same command again to go on.",
            None,
        );
    }

    fn stop_for_kept_credits(&mut self, left: u64) {
        self.stop(
            StopCause::Credits,
            format!("the service has {left} API credits left; {} are kept for others", self.settings.keep_credits),
            "Credits come back 24 hours after their use: run the same command again later, or with --wait-for-credits.",
            None,
        );
    }

    fn stop_for_modules(&mut self) {
        let said = self.closed_modules.iter().min().map(|(_, said)| said.clone()).unwrap_or_default();
        self.stop(
            StopCause::ModulesClosed,
            format!("the service takes no row of any module: {said}"),
            "Mend what the answer says, then run the same command again.",
            None,
        );
    }

    /// The first cause speaks.
    fn stop(&mut self, cause: StopCause, message: String, advice: &str, until: Option<At>) {
        if self.stopped.is_none() {
            let stopped = Stopped { cause, message, advice: advice.to_owned(), until };
            self.notices.push(Notice::Stopping(stopped.clone()));
            self.stopped = Some(stopped);
        }
    }

    fn job(&self, id: JobId) -> Job {
        self.jobs[id.0 as usize]
    }
}

impl Baselines {
    fn of(jobs: &[Job], if_exists: IfExists) -> Baselines {
        if if_exists == IfExists::Upload {
            return Baselines::default();
        }
        let mut by_record: Vec<(RecordIx, JobId)> =
            (0..).map(JobId).zip(jobs).map(|(id, job)| (job.record, id)).collect();
        by_record.sort_unstable();
        Baselines { by_record, ..Baselines::default() }
    }

    fn needs(&self, record: RecordIx) -> bool {
        !self.by_record.is_empty() && !self.done.contains(&record)
    }

    fn rows_of(&self, record: RecordIx) -> impl Iterator<Item = JobId> {
        let from = self.by_record.partition_point(|(other, _)| *other < record);
        self.by_record.iter().skip(from).take_while(move |(other, _)| *other == record).map(|(_, id)| *id)
    }

    fn row_of(&self, record: RecordIx) -> Option<JobId> {
        self.rows_of(record).next()
    }
}

impl From<Finding<'_>> for Decision {
    fn from(finding: Finding<'_>) -> Decision {
        match finding {
            Finding::Found(listed) => Decision::Found(listed.clone()),
            Finding::Absent => Decision::Absent,
            Finding::Several => {
                let message = "more than one attachment of the record could be this one".to_owned();
                Decision::Untold(OwnCode::SeveralMatches, message)
            }
            Finding::Uncertain(listed) => {
                let message = format!("attachment {} ({}) agrees with it in part only", listed.id, listed.name);
                Decision::Untold(OwnCode::UncertainMatch, message)
            }
        }
    }
}

/// Whether the task came back without a word of the service.
fn asked_nothing(told: &Told) -> bool {
    match told {
        Told::Listed { reply: ListReply::Listed(_), .. } => false,
        Told::Listed { reply: ListReply::Not(reply), .. } | Told::Replied { reply, .. } => matches!(
            reply.verdict,
            Verdict::Failed(FailedBy::File)
                | Verdict::Retry(RetryBecause::LocalShortage | RetryBecause::TokenRenewed)
                | Verdict::Stop(_)
        ),
        Told::ResultsFailed(_) | Told::Panicked { .. } => true,
    }
}

/// Lists change nothing: if our own code failed during one, that is one more passing failure.
fn without_panic(task: Task, told: Told) -> Told {
    match (task, told) {
        (Task::List { .. }, Told::Panicked { .. }) => Told::Listed {
            reply: ListReply::Not(internal_error(Verdict::Retry(RetryBecause::Passing))),
            claimed: Vec::new(),
            clock: Clock::Local,
        },
        (_, told) => told,
    }
}

/// A list changes nothing: an answer to it that would leave an upload in doubt is a passing failure, no more.
fn sober(reply: ListReply) -> ListReply {
    match reply {
        ListReply::Not(reply)
            if matches!(reply.verdict, Verdict::Uploaded(_) | Verdict::AlreadyPresent | Verdict::InDoubt(_)) =>
        {
            ListReply::Not(Reply { verdict: Verdict::Retry(RetryBecause::Passing), ..reply })
        }
        other => other,
    }
}

/// The code of a failure whose cause will pass: one that the next run knows to try again.
fn temporary_code(because: RetryBecause, code: &str) -> String {
    if is_temporary(code) {
        return code.to_owned();
    }
    match because {
        RetryBecause::Throttled => OwnCode::Throttled.into(),
        RetryBecause::LocalShortage => OwnCode::LocalShortage.into(),
        RetryBecause::NotConnected | RetryBecause::TokenRenewed | RetryBecause::Passing => OwnCode::NotConnected.into(),
    }
}

fn said(reply: &Reply) -> String {
    match (reply.code.as_str(), reply.message.as_str()) {
        ("", message) => message.to_owned(),
        (code, "") => code.to_owned(),
        (code, message) => format!("{code}: {message}"),
    }
}

fn internal_error(verdict: Verdict) -> Reply {
    Reply {
        verdict,
        code: OwnCode::InternalError.into(),
        message: "attache itself failed while it worked on this; please report it".to_owned(),
        http_status: None,
        took: Duration::ZERO,
        retry_after: None,
        credits_left: None,
    }
}
