//! The machine itself: [`Engine::next`] says what to do, [`Engine::tell`] hears what came of it.
//!
//! It decides which row comes next and what follows from an answer. What it decides by is kept in the small rooms
//! beside it: who may start ([`lineup`](super::lineup)), who is in doubt ([`doubts`](super::doubts)), and the brakes.
//! Here stands what comes next; what follows from which answer stands in the files below: `answers` to uploads,
//! `settling` of doubts, `lists` that come before rows, the `ends` of rows and the `stops` of runs.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use jiff::Timestamp;

use self::answers::asked_nothing;
use self::lists::{Baselines, sober, without_panic};
use self::settling::Seen;
use super::credits::{Allowed, Credits};
use super::doubts::{Doubts, Turn};
use super::gate::{Gate, Permit, Waits};
use super::lineup::LineUp;
use super::pace::Pace;
use super::settings::IfExists;
use super::streak::{ModuleStreak, RunStreak};
use super::window::Window;
use super::{
    At, Ended, Ending, Faces, Job, JobId, Next, Notice, Past, PauseReason, Purpose, RecordIx, Settings, StopCause,
    Stopped, Task, Ticket, Told,
};
use crate::outcome::Status;
use crate::reply::{DoubtBecause, Reply, StopBecause};
use crate::upload::ServiceId;

mod answers;
mod ends;
mod lists;
mod settling;
mod stops;

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
    /// What the record had when the row was last proved absent.
    had: Option<Vec<ServiceId>>,
}

/// The first request of the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum First {
    Due { at: At, failures: u32 },
    UnderWay { failures: u32 },
    Done,
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
            gate: Gate::new(Waits::of(settings.backoff, settings.patience)),
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
        if ticket.probe && asked_nothing(&told) {
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

    pub(super) fn job(&self, id: JobId) -> Job {
        self.jobs[id.0 as usize]
    }
}
