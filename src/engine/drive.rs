//! Runs an engine for real: threads that ask it what to do, do it, and tell it what came of it.
//!
//! All that is waited for is waited for outside the engine's lock, but for one thing: a final line is handed to the
//! journal under it, so that an attachment is known as ours before anybody can list its record.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::ports::{Event, Journal, Service, Stop, Watch};
use super::{At, Ended, Ending, Engine, JobId, Next, Task, Ticket, Told};
use crate::reply::{Reply, Verdict};

/// How long requests under way may go on after a signal.
pub const GRACE: Duration = Duration::from_secs(30);

/// Rows whose lines are written at a time when the run is over.
const REST_AT_ONCE: usize = 1_000;

/// Whom the threads work with.
#[derive(Clone, Copy)]
pub struct Crew<'a> {
    /// Who sends.
    pub service: &'a dyn Service,
    /// Who remembers.
    pub journal: &'a dyn Journal,
    /// Who looks on.
    pub watch: &'a dyn Watch,
    /// Who may end it all.
    pub stop: &'a Stop,
}

/// Runs the engine to its end with so many threads. Every row that it was made with comes out exactly once.
pub fn run(engine: Engine<'_>, threads: usize, crew: Crew<'_>) -> Ending {
    let floor = Floor {
        crew,
        started: Instant::now(),
        shared: Mutex::new(Shared { engine, alarm: None, idle: 0 }),
        changed: Condvar::new(),
    };
    std::thread::scope(|scope| {
        scope.spawn(|| floor.listen());
        // The listener must hear of the end even if a worker panics.
        let _released = Released(crew.stop);
        floor.work_with(threads);
    });
    floor.close()
}

/// Where the threads meet.
struct Floor<'a> {
    crew: Crew<'a>,
    started: Instant,
    shared: Mutex<Shared<'a>>,
    changed: Condvar,
}

struct Shared<'a> {
    engine: Engine<'a>,
    /// The earliest instant for which an idle thread has set its alarm. The others sleep until they are called, so
    /// that one instant wakes one thread.
    alarm: Option<At>,
    idle: usize,
}

struct Released<'a>(&'a Stop);

impl Drop for Released<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl<'a> Floor<'a> {
    /// Works with a private pool of that many threads, with fewer if the system gives no more, and in the end alone.
    fn work_with(&self, threads: usize) {
        let mut threads = threads.max(1);
        while threads > 1 {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|at| format!("upload-{at}"));
            match pool.build() {
                Ok(pool) => {
                    pool.broadcast(|_| self.work());
                    return;
                }
                Err(_) => threads /= 2,
            }
        }
        self.work();
    }

    fn work(&self) {
        while let Some(ticket) = self.ask() {
            let told = self.perform(ticket.task);
            self.tell(ticket, told);
        }
    }

    /// Waits for the next thing to do; `None` when there will be none.
    fn ask(&self) -> Option<Ticket> {
        let mut shared = self.lock();
        loop {
            let next = shared.engine.next(self.now());
            self.pass_on_notices(&mut shared);
            match next {
                Next::Do(ticket) => {
                    // There may be more where that came from: whoever is called looks, and calls the next one.
                    if shared.idle > 0 {
                        self.changed.notify_one();
                    }
                    return Some(ticket);
                }
                Next::Wait(until) => shared = self.sleep(shared, until),
                Next::End => {
                    self.changed.notify_all();
                    return None;
                }
            }
        }
    }

    /// Sleeps until called, or until that instant if nobody else has set an alarm as early.
    fn sleep<'g>(&self, mut shared: MutexGuard<'g, Shared<'a>>, until: Option<At>) -> MutexGuard<'g, Shared<'a>> {
        shared.idle += 1;
        let until = until.filter(|until| shared.alarm.is_none_or(|alarm| *until < alarm));
        let mut shared = match until {
            Some(until) => {
                shared.alarm = Some(until);
                let wait = until.saturating_sub(self.now());
                self.changed.wait_timeout(shared, wait).unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait(shared).unwrap_or_else(PoisonError::into_inner),
        };
        shared.idle -= 1;
        if until.is_some() && shared.alarm == until {
            shared.alarm = None;
        }
        shared
    }

    fn perform(&self, task: Task) -> Told {
        match task {
            Task::List { job, .. } => self.list(job),
            Task::Upload { job, announce, tries } => self.upload(job, announce, tries),
        }
    }

    fn list(&self, job: JobId) -> Told {
        let Crew { service, journal, .. } = self.crew;
        let listing = || {
            let reply = service.list(job);
            // In this order: what was claimed while the list was on its way is on it, and must be known as ours.
            match journal.claimed(job) {
                Ok(claimed) => Told::Listed { reply, claimed, clock: service.now().1 },
                Err(why) => Told::ResultsFailed(why),
            }
        };
        catch_unwind(AssertUnwindSafe(listing)).unwrap_or(Told::Panicked { begun: false, sent_at: None })
    }

    fn upload(&self, job: JobId, announce: bool, tries: u32) -> Told {
        let Crew { service, journal, watch, .. } = self.crew;
        watch.event(self.now(), Event::Started { job, tries });
        let mut sent_at = None;
        if announce {
            let (time, _) = service.now();
            match catch_unwind(AssertUnwindSafe(|| journal.begin(job, time, tries.saturating_sub(1)))) {
                Ok(Ok(())) => sent_at = Some(time),
                Ok(Err(why)) => return Told::ResultsFailed(why),
                Err(_) => return Told::Panicked { begun: false, sent_at },
            }
        }
        let sent = |bytes| watch.event(self.now(), Event::Sent { job, bytes });
        match catch_unwind(AssertUnwindSafe(|| service.upload(job, &sent))) {
            Ok(reply) => {
                self.note_reply(job, &reply);
                Told::Replied { reply, sent_at }
            }
            Err(_) => Told::Panicked { begun: true, sent_at },
        }
    }

    fn note_reply(&self, job: JobId, reply: &Reply) {
        if let Some(left) = reply.credits_left {
            self.crew.watch.event(self.now(), Event::Credits { left });
        }
        if matches!(reply.verdict, Verdict::Retry(_) | Verdict::InDoubt(_)) {
            self.crew.watch.event(self.now(), Event::Postponed { job, reply });
        }
    }

    fn tell(&self, ticket: Ticket, told: Told) {
        let mut shared = self.lock();
        let mut all = shared.engine.tell(self.now(), ticket, told);
        let written: Vec<Result<(), String>> = all.iter_mut().map(|ended| self.write(&mut shared, ended)).collect();
        self.pass_on_notices(&mut shared);
        drop(shared);
        for (ended, written) in all.iter().zip(&written) {
            let event = match written {
                Ok(()) => Event::Ended(ended),
                Err(why) => Event::Unwritten { ended, why },
            };
            self.crew.watch.event(self.now(), event);
        }
    }

    fn write(&self, shared: &mut Shared<'_>, ended: &mut Ended) -> Result<(), String> {
        ended.outcome.finished_at = Some(self.crew.service.now().0);
        let written = self.crew.journal.finish(ended);
        if let Err(why) = &written {
            shared.engine.results_failed(why);
        }
        written
    }

    /// Waits for a signal; gives what is under way its grace, then cuts it off.
    fn listen(&self) {
        if !self.crew.stop.wait() {
            return;
        }
        let mut shared = self.lock();
        shared.engine.interrupt();
        self.pass_on_notices(&mut shared);
        drop(shared);
        self.changed.notify_all();
        if !self.crew.stop.wait_released(GRACE) {
            self.crew.service.cut();
        }
    }

    /// Writes what the run did not get to, once the threads have gone home.
    fn close(self) -> Ending {
        let Floor { crew, shared, started, .. } = self;
        let Shared { mut engine, .. } = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut writable = true;
        loop {
            let mut rest = engine.rest(REST_AT_ONCE);
            if rest.is_empty() {
                break;
            }
            for ended in &mut rest {
                ended.outcome.finished_at = Some(crew.service.now().0);
                // A results file that is broken stays so: its own reader knows what to make of the rows without a line.
                if writable && let Err(why) = crew.journal.finish(ended) {
                    writable = false;
                    engine.results_failed(&why);
                }
                crew.watch.event(started.elapsed(), Event::Ended(ended));
            }
        }
        for notice in engine.take_notices() {
            crew.watch.event(started.elapsed(), Event::Notice(&notice));
        }
        engine.into_ending()
    }

    fn pass_on_notices(&self, shared: &mut Shared<'_>) {
        for notice in shared.engine.take_notices() {
            self.crew.watch.event(self.now(), Event::Notice(&notice));
        }
    }

    fn now(&self) -> At {
        self.started.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Shared<'a>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
