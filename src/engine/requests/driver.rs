//! Drives a [`RequestEngine`] for real: threads that ask it what to do, do it, and hand in what came of it.
//!
//! Only the handler runs under the engine's lock; all that is waited for is waited for outside.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::machine::{NextRequest, RequestTicket};
use super::{RequestEngine, RequestHandler, RequestJob as _, RequestPort, RequestStop, RequestTotals};
use crate::crm::limits::MOST_AT_ONCE;
use crate::engine::Elapsed;
use crate::engine::ports::StopSignal;
use crate::outcome::OwnCode;
use crate::reply::{DoubtBecause, Reply, RetryBecause, Verdict};

/// How it ended.
pub struct RequestEnding<J> {
    /// Why it ended before the last job; `None` if every job was done.
    pub stop: Option<RequestStop>,
    /// The jobs that were not done.
    pub left: Vec<J>,
    /// What it took.
    pub totals: RequestTotals,
}

/// Works off the engine's jobs with up to `threads` threads, this one among them, until none is left or it is stopped.
/// Each [`StopSignal`] serves one call: afterwards, signals are not heard any more.
pub fn run<P: RequestPort>(
    engine: RequestEngine<P::Job>,
    threads: u32,
    port: &P,
    handler: &mut dyn RequestHandler<P::Job, P::Answer>,
    stop: &StopSignal,
) -> RequestEnding<P::Job> {
    let shared = Mutex::new(Shared { engine, handler, alarm: None, idle: 0 });
    let workers = Workers { port, stop, started: Instant::now(), shared, changed: Condvar::new() };
    thread::scope(|scope| {
        scope.spawn(|| workers.listen());
        // The listener must hear of the end even if a worker panics.
        let _released = ReleasedRequests(stop);
        for number in 1..threads.min(MOST_AT_ONCE) {
            let worker = thread::Builder::new().name(format!("request-{number}"));
            // With fewer threads than were asked for it takes longer, no more.
            if worker.spawn_scoped(scope, || workers.work()).is_err() {
                break;
            }
        }
        workers.work();
    });
    let shared = workers.shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (stop, left, totals) = shared.engine.into_parts();
    RequestEnding { stop, left, totals }
}

/// Where the threads meet.
struct Workers<'a, P: RequestPort> {
    port: &'a P,
    stop: &'a StopSignal,
    started: Instant,
    shared: Mutex<Shared<'a, P>>,
    /// Somebody has handed in a reply, or nothing is left to do.
    changed: Condvar,
}

struct Shared<'a, P: RequestPort> {
    engine: RequestEngine<P::Job>,
    handler: &'a mut dyn RequestHandler<P::Job, P::Answer>,
    /// The earliest instant for which an idle thread has set its alarm. The others sleep until they are called, so
    /// that one instant wakes one thread.
    alarm: Option<Elapsed>,
    /// Threads that sleep.
    idle: u32,
}

struct ReleasedRequests<'a>(&'a StopSignal);

impl Drop for ReleasedRequests<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl<'a, P: RequestPort> Workers<'a, P> {
    fn work(&self) {
        while let Some(mut ticket) = self.next() {
            let changes = ticket.job.changes_something();
            let job = &mut ticket.job;
            let result = catch_unwind(AssertUnwindSafe(|| self.port.request(job)));
            let result = result.unwrap_or_else(|_| Err(panicked(changes)));
            self.hand_in(ticket, result);
        }
    }

    /// Waits for the next thing to do; `None` when there will be none.
    fn next(&self) -> Option<RequestTicket<P::Job>> {
        let mut shared = self.lock();
        loop {
            let next = shared.engine.poll_next(self.now());
            self.pass_on_notices(&mut shared);
            match next {
                NextRequest::Send(ticket) => {
                    // There may be more where that came from: whoever is called looks, and calls the next one.
                    if shared.idle > 0 {
                        self.changed.notify_one();
                    }
                    return Some(ticket);
                }
                NextRequest::Wait(until) => shared = self.sleep(shared, until),
                NextRequest::End => {
                    self.changed.notify_all();
                    return None;
                }
            }
        }
    }

    /// Sleeps until called, or until that instant if nobody else has set an alarm as early.
    fn sleep<'g>(
        &self,
        mut shared: MutexGuard<'g, Shared<'a, P>>,
        until: Option<Elapsed>,
    ) -> MutexGuard<'g, Shared<'a, P>> {
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

    fn hand_in(&self, ticket: RequestTicket<P::Job>, result: Result<P::Answer, Box<Reply>>) {
        let left = self.port.credits_left();
        let mut shared = self.lock();
        let now = self.now();
        let Shared { engine, handler, .. } = &mut *shared;
        if let Some((job, outcome)) = engine.handle_reply(now, ticket, result, left) {
            handler.handle(engine, now, job, outcome);
        }
        // Nobody need be called: this thread asks next, and calls another one if there is more to do than one job.
        self.pass_on_notices(&mut shared);
    }

    fn pass_on_notices(&self, shared: &mut Shared<'a, P>) {
        let now = self.now();
        for notice in shared.engine.poll_notices() {
            shared.handler.notice(now, &notice);
        }
    }

    /// Waits for a signal; gives what is under way its grace, then cuts it off.
    fn listen(&self) {
        if !self.stop.wait() {
            return;
        }
        self.lock().engine.stop(RequestStop::Signal);
        self.changed.notify_all();
        if !self.stop.wait_released() {
            self.port.cut();
        }
    }

    fn now(&self) -> Elapsed {
        self.started.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Shared<'a, P>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// If our own code failed during a request that changes nothing, that is one more passing failure. One that changes
/// something may have been done.
fn panicked(changes: bool) -> Box<Reply> {
    Box::new(Reply {
        verdict: match changes {
            true => Verdict::InDoubt(DoubtBecause::Unreadable),
            false => Verdict::Retry(RetryBecause::Passing),
        },
        code: OwnCode::InternalError.into(),
        message: "attache itself failed while it worked on this; please report it".to_owned(),
        http_status: None,
        took: Duration::ZERO,
        retry_after: None,
        credits_left: None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::engine::requests::{RequestFailure, RequestJob, RequestPolicy};
    use crate::engine::retry::{Backoff, RetryPolicy};
    use crate::reply::FailedBy;
    use crate::units::Rate;

    /// Job by number.
    struct Numbered(u32);

    impl RequestJob for Numbered {}

    /// A service in memory; what it answers to which job is the test's.
    struct World<F> {
        answer: F,
        busy: AtomicU32,
        busiest: AtomicU32,
        cut: Arc<(Mutex<bool>, Condvar)>,
    }

    impl<F: Fn(u32) -> Result<u32, Box<Reply>> + Sync> RequestPort for World<F> {
        type Job = Numbered;
        type Answer = u32;

        fn request(&self, job: &mut Numbered) -> Result<u32, Box<Reply>> {
            let busy = self.busy.fetch_add(1, Ordering::SeqCst) + 1;
            self.busiest.fetch_max(busy, Ordering::SeqCst);
            let answer = (self.answer)(job.0);
            self.busy.fetch_sub(1, Ordering::SeqCst);
            answer
        }

        fn credits_left(&self) -> Option<u64> {
            None
        }

        fn cut(&self) {
            *self.cut.0.lock().expect("not poisoned") = true;
            self.cut.1.notify_all();
        }
    }

    fn world<F: Fn(u32) -> Result<u32, Box<Reply>> + Sync>(answer: F) -> World<F> {
        World { answer, busy: AtomicU32::new(0), busiest: AtomicU32::new(0), cut: Arc::default() }
    }

    /// How often each job was answered, or was refused; and what is queued behind which job.
    #[derive(Default)]
    struct Heard {
        note_served: BTreeMap<u32, u32>,
        refused: u32,
        follows: BTreeMap<u32, u32>,
    }

    impl RequestHandler<Numbered, u32> for Heard {
        fn handle(
            &mut self,
            engine: &mut RequestEngine<Numbered>,
            _now: Elapsed,
            job: Numbered,
            outcome: Result<u32, RequestFailure>,
        ) {
            match outcome {
                Ok(_) => *self.note_served.entry(job.0).or_default() += 1,
                Err(_) => self.refused += 1,
            }
            if let Some(next) = self.follows.get(&job.0) {
                engine.push(Numbered(*next));
            }
        }
    }

    fn engine(jobs: u32) -> RequestEngine<Numbered> {
        let backoff = Backoff { base: Duration::ZERO, cap: Duration::ZERO };
        let retry = RetryPolicy { retries: 3, backoff };
        let mut engine =
            RequestEngine::new(RequestPolicy { rate: Rate::Unlimited, concurrency: 8, retry, ..Default::default() });
        (0..jobs).for_each(|job| engine.push(Numbered(job)));
        engine
    }

    fn reply(verdict: Verdict) -> Box<Reply> {
        Box::new(Reply { verdict, code: "SOME_CODE".to_owned(), message: String::new(), ..*panicked(false) })
    }

    #[test]
    fn every_job_is_answered_once_and_no_more_are_under_way_than_allowed() {
        let (world, mut heard) = (world(Ok), Heard::default());
        let ending = run(engine(2_000), 8, &world, &mut heard, &StopSignal::default());
        assert!(heard.note_served.len() == 2_000 && heard.note_served.values().all(|times| *times == 1));
        assert!(world.busiest.into_inner() <= 8);
        assert_eq!((ending.stop, ending.left.len(), ending.totals.requests), (None, 0, 2_000));
    }

    #[test]
    fn jobs_that_are_queued_by_the_last_answer_are_done_too() {
        let mut heard = Heard { follows: (0..50).map(|job| (job, job + 1)).collect(), ..Heard::default() };
        let ending = run(engine(1), 4, &world(Ok), &mut heard, &StopSignal::default());
        assert_eq!((heard.note_served.len(), ending.totals.requests), (51, 51));
    }

    #[test]
    fn a_panic_during_a_request_is_a_passing_failure_of_it_alone() {
        let first = AtomicU32::new(0);
        let fragile = |job: u32| match job == 5 && first.fetch_add(1, Ordering::SeqCst) == 0 {
            true => std::panic::resume_unwind(Box::new("a mistake")),
            false => Ok(job),
        };
        let mut heard = Heard::default();
        let ending = run(engine(40), 4, &world(fragile), &mut heard, &StopSignal::default());
        assert_eq!((heard.note_served.len(), ending.totals.requests, ending.stop), (40, 41, None));
    }

    #[test]
    fn refusals_reach_the_handler_and_the_others_go_on() {
        let refuse = |job: u32| match job % 4 {
            0 => Err(reply(Verdict::Failed(FailedBy::Record))),
            _ => Ok(job),
        };
        let mut heard = Heard::default();
        let ending = run(engine(40), 4, &world(refuse), &mut heard, &StopSignal::default());
        assert_eq!((heard.note_served.len(), heard.refused, ending.stop), (30, 10, None));
    }

    #[test]
    fn a_signal_leaves_the_rest_undone_and_cuts_off_what_outlasts_the_grace() {
        let stop = StopSignal::with_grace(Duration::from_millis(20));
        let cut: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        let stuck = |job: u32| {
            if job != 20 {
                return Ok(job);
            }
            stop.soft();
            let mut is_cut = cut.0.lock().expect("not poisoned");
            while !*is_cut {
                is_cut = cut.1.wait(is_cut).expect("not poisoned");
            }
            Err(reply(Verdict::Retry(RetryBecause::NotConnected)))
        };
        let port = World { cut: Arc::clone(&cut), ..world(stuck) };
        let mut heard = Heard::default();
        let ending = run(engine(50_000), 4, &port, &mut heard, &stop);
        assert_eq!(ending.stop, Some(RequestStop::Signal));
        assert_eq!(ending.left.len() + heard.note_served.len(), 50_000);
        assert!(ending.left.iter().any(|job| job.0 == 20));
    }
}
