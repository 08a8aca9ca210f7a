//! The state machine: [`RequestEngine::poll_next`] says what to do, [`RequestEngine::handle_reply`] hears what came of
//! it. The caller brings the clock.

use std::collections::{BTreeMap, VecDeque};

use super::{RequestFailure, RequestJob, RequestPolicy, RequestStop, RequestTotals};
use crate::crm::limits::MOST_AT_ONCE;
use crate::engine::brakes::circuit_breaker::{BreakerChange, BreakerWaits, CircuitBreaker, Permit};
use crate::engine::brakes::concurrency::ConcurrencyLimit;
use crate::engine::brakes::credits::{Allowed, Credits};
use crate::engine::brakes::rate::RequestRate;
use crate::engine::retry::named_wait;
use crate::engine::{Elapsed, Notice, PauseReason};
use crate::reply::{DoubtBecause, Reply, RetryBecause, StopBecause, Verdict};

/// Jobs that wait, the brakes, and what was learnt from the answers so far.
pub struct RequestEngine<J> {
    policy: RequestPolicy,
    random: fastrand::Rng,
    /// Jobs that may go out now, first come first served.
    ready: VecDeque<Waiting<J>>,
    /// Jobs that wait for an instant; the number keeps two of one instant apart.
    delayed: BTreeMap<(Elapsed, u64), Waiting<J>>,
    next_number: u64,
    rate: RequestRate,
    window: ConcurrencyLimit,
    breaker: CircuitBreaker,
    credits: Credits,
    /// Jobs given out whose reply has not come.
    in_flight: u32,
    /// Whether any request has ever had an answer of the service's own; before, one job that gives up stops them all.
    proved: bool,
    /// Why nothing further goes out; the first cause stays.
    stop: Option<RequestStop>,
    notices: Vec<Notice>,
    totals: RequestTotals,
}

/// A job in a queue.
struct Waiting<J> {
    job: J,
    /// Tries that failed for a passing reason.
    failures: u32,
}

/// A job that was given out. It cannot be copied, so it cannot be answered twice.
pub struct RequestTicket<J> {
    /// What to ask.
    pub job: J,
    failures: u32,
    started: Elapsed,
    /// Whether it is the one that tries if a pause is over.
    probe: bool,
}

/// The next thing to do.
pub enum NextRequest<J> {
    /// Ask this now, then hand in what came.
    Send(RequestTicket<J>),
    /// Nothing can be done before this instant, or before a reply is handed in; `None`: only a reply can help.
    Wait(Option<Elapsed>),
    /// Nothing is left to do.
    End,
}

impl<J: RequestJob> RequestEngine<J> {
    /// An engine without jobs.
    pub fn new(policy: RequestPolicy) -> RequestEngine<J> {
        RequestEngine {
            random: fastrand::Rng::with_seed(policy.seed),
            ready: VecDeque::new(),
            delayed: BTreeMap::new(),
            next_number: 0,
            rate: RequestRate::new(policy.rate),
            window: ConcurrencyLimit::new(policy.concurrency.min(MOST_AT_ONCE)),
            breaker: CircuitBreaker::new(BreakerWaits::of(policy.retry.backoff, policy.patience)),
            credits: Credits::new(policy.max_credits, policy.keep_credits, false),
            in_flight: 0,
            proved: false,
            stop: None,
            notices: Vec::new(),
            totals: RequestTotals::default(),
            policy,
        }
    }

    /// Queues a job behind the others.
    pub fn push(&mut self, job: J) {
        self.ready.push_back(Waiting { job, failures: 0 });
    }

    /// Queues a job before the others: what goes on with something begun, such as the next page of a list.
    pub fn push_next(&mut self, job: J) {
        self.ready.push_front(Waiting { job, failures: 0 });
    }

    /// Queues a job that must wait for an instant, such as a further look at something that the service works on.
    pub fn push_at(&mut self, at: Elapsed, job: J) {
        self.delay(at, Waiting { job, failures: 0 });
    }

    /// Takes back the queued jobs that fit. Those under way are not touched.
    pub fn withdraw(&mut self, fits: impl Fn(&J) -> bool) -> Vec<J> {
        let (gone, kept): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.ready).into_iter().partition(|waiting| fits(&waiting.job));
        self.ready = kept;
        let (late, kept): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.delayed).into_iter().partition(|(_, waiting)| fits(&waiting.job));
        self.delayed = kept;
        gone.into_iter().chain(late.into_values()).map(|waiting| waiting.job).collect()
    }

    /// Nothing further goes out; what is under way may finish. The first cause stays.
    pub fn stop(&mut self, why: RequestStop) {
        self.stop.get_or_insert(why);
    }

    /// Why nothing further goes out, if that is so.
    #[cfg(test)]
    pub fn stopped(&self) -> Option<&RequestStop> {
        self.stop.as_ref()
    }

    /// What it took so far.
    #[cfg(test)]
    pub fn totals(&self) -> RequestTotals {
        self.totals
    }

    /// What people may want to know since this was last asked.
    pub fn poll_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// How it ended, and the jobs that were not done.
    pub fn into_parts(self) -> (Option<RequestStop>, Vec<J>, RequestTotals) {
        let left = self.ready.into_iter().chain(self.delayed.into_values()).map(|waiting| waiting.job).collect();
        (self.stop, left, self.totals)
    }

    /// The next thing to do.
    pub fn poll_next(&mut self, now: Elapsed) -> NextRequest<J> {
        self.wake(now);
        if self.stop.is_some() {
            return if self.in_flight > 0 { NextRequest::Wait(None) } else { NextRequest::End };
        }
        if self.in_flight > 0 && self.in_flight >= self.window.limit(now) {
            return NextRequest::Wait(self.window.grows_at());
        }
        if !self.proved
            && let Some((at, _)) = self.delayed.iter().find(|(_, waiting)| waiting.failures > 0).map(|(key, _)| *key)
        {
            // Asking for another job would tell nothing that the next try of this one does not.
            return NextRequest::Wait(Some(at));
        }
        let Some(first) = self.ready.front() else {
            return match self.delayed.keys().next() {
                Some((at, _)) => NextRequest::Wait(Some(*at)),
                None if self.in_flight > 0 => NextRequest::Wait(None),
                None => NextRequest::End,
            };
        };
        let price = first.job.credits();
        let probe = match self.breaker.permit(now) {
            Permit::Go => false,
            Permit::Probe => true,
            Permit::Wait(at) => return NextRequest::Wait(at),
        };
        if let Some(why) = self.over_budget(now, price) {
            self.stop(why);
            return self.poll_next(now);
        }
        if let Err(at) = self.rate.take(now) {
            return NextRequest::Wait(Some(at));
        }
        match self.ready.pop_front() {
            Some(waiting) => NextRequest::Send(self.start(now, waiting, price, probe)),
            None => NextRequest::End,
        }
    }

    fn wake(&mut self, now: Elapsed) {
        while let Some(entry) = self.delayed.first_entry()
            && entry.key().0 <= now
        {
            let waiting = entry.remove();
            self.ready.push_front(waiting);
        }
    }

    fn over_budget(&mut self, now: Elapsed, price: u64) -> Option<RequestStop> {
        match self.credits.allow(now, price.saturating_sub(1)) {
            Allowed::Yes => None,
            Allowed::Kept(left) => Some(RequestStop::KeptCredits { left }),
            Allowed::OverMax | Allowed::Wait(_) => {
                Some(RequestStop::MaxCredits { max: self.policy.max_credits.unwrap_or_default() })
            }
        }
    }

    fn start(&mut self, now: Elapsed, waiting: Waiting<J>, price: u64, probe: bool) -> RequestTicket<J> {
        self.in_flight += 1;
        self.credits.spend(now, price);
        self.totals.requests += 1;
        self.totals.credits += price;
        if probe {
            self.breaker.probe_sent();
        }
        RequestTicket { job: waiting.job, failures: waiting.failures, started: now, probe }
    }

    /// What came of a job, and the credits that the organisation has left, where an answer said so. Gives the job back
    /// when it is done; `None` when it is tried again, or stays undone since everything stops.
    pub fn handle_reply<A>(
        &mut self,
        now: Elapsed,
        ticket: RequestTicket<J>,
        result: Result<A, Box<Reply>>,
        credits_left: Option<u64>,
    ) -> Option<(J, Result<A, RequestFailure>)> {
        self.in_flight -= 1;
        if let Some(left) = credits_left {
            self.credits.learn(now, left);
        }
        let reply = match result {
            Ok(answer) => {
                self.note_served(now, ticket.probe);
                return Some((ticket.job, Ok(answer)));
            }
            Err(reply) => reply,
        };
        let named = reply.retry_after;
        let done = self.handle_failure(now, ticket, reply);
        if let Some(named) = named {
            let wait = named_wait(named, &mut self.random);
            let change = self.breaker.named(now, wait);
            self.apply(now, change);
        }
        done.map(|(job, failure)| (job, Err(failure)))
    }

    /// What follows from an answer that is none to the job.
    fn handle_failure(
        &mut self,
        now: Elapsed,
        ticket: RequestTicket<J>,
        reply: Box<Reply>,
    ) -> Option<(J, RequestFailure)> {
        if ticket.probe && never_reached_service(&reply) {
            self.breaker.probe_wasted(now);
        }
        let failure = match reply.verdict {
            Verdict::Failed(by) => {
                self.note_served(now, ticket.probe);
                RequestFailure::Refused { by, reply }
            }
            Verdict::Stop(because) if ticket.job.tolerates(because) => RequestFailure::Tolerated { because, reply },
            Verdict::Stop(because) => {
                self.stop_with(ticket, RequestStop::Service { because, reply });
                return None;
            }
            Verdict::InDoubt(because) => {
                let change = self.breaker.doubted(now, ticket.probe, false);
                self.apply(now, change);
                RequestFailure::InDoubt { because, reply }
            }
            Verdict::StopInDoubt(because) => {
                self.stop(RequestStop::Service { because, reply: reply.clone() });
                RequestFailure::InDoubt { because: DoubtBecause::Unreadable, reply }
            }
            Verdict::Retry(because) => return self.retry(now, ticket, because, reply),
            // No answer to a request of this kind says so; whoever says it is not the service.
            Verdict::Uploaded(_) | Verdict::AlreadyPresent => {
                return self.retry(now, ticket, RetryBecause::Passing, reply);
            }
        };
        Some((ticket.job, failure))
    }

    /// The service answered as it should.
    fn note_served(&mut self, now: Elapsed, probe: bool) {
        self.proved = true;
        self.window.served();
        let change = self.breaker.good(probe);
        self.apply(now, change);
    }

    fn retry(
        &mut self,
        now: Elapsed,
        ticket: RequestTicket<J>,
        because: RetryBecause,
        reply: Box<Reply>,
    ) -> Option<(J, RequestFailure)> {
        self.brake(now, &ticket, because, &reply);
        // A job that happens to try whether a pause is over must not use its tries up on that. But while nothing has
        // ever worked there is nothing to wait for, and somebody in front of the screen.
        let failures = ticket.failures + u32::from(!ticket.probe || !self.proved);
        if self.policy.retry.allows(because, failures) {
            let at = now + self.policy.retry.delay(because, failures, &mut self.random);
            self.delay(at, Waiting { job: ticket.job, failures });
            return None;
        }
        if because == RetryBecause::TokenRenewed {
            self.stop_with(ticket, RequestStop::Service { because: StopBecause::Credentials, reply });
        } else if !self.proved && !ticket.job.is_expendable() {
            self.stop_with(ticket, RequestStop::NoAnswer { reply });
        } else {
            return Some((ticket.job, RequestFailure::GaveUp { because, reply }));
        }
        None
    }

    fn stop_with(&mut self, ticket: RequestTicket<J>, why: RequestStop) {
        self.ready.push_front(Waiting { job: ticket.job, failures: ticket.failures });
        self.stop(why);
    }

    fn delay(&mut self, at: Elapsed, waiting: Waiting<J>) {
        self.next_number += 1;
        self.delayed.insert((at, self.next_number), waiting);
    }

    /// Slows everybody down as the answer asks.
    fn brake(&mut self, now: Elapsed, ticket: &RequestTicket<J>, because: RetryBecause, reply: &Reply) {
        let change = match because {
            RetryBecause::Throttled => {
                self.totals.throttled += 1;
                let change = match reply.retry_after {
                    Some(_) => BreakerChange::None,
                    None => self.breaker.throttled(now, ticket.probe, self.in_flight == 0),
                };
                self.reduce_concurrency(now, ticket);
                change
            }
            RetryBecause::NotConnected | RetryBecause::Passing => match reply.retry_after {
                // Whoever says when to come back is down for that long.
                Some(_) => BreakerChange::None,
                None => self.breaker.missed(now, ticket.probe),
            },
            RetryBecause::LocalShortage => {
                self.reduce_concurrency(now, ticket);
                BreakerChange::None
            }
            RetryBecause::TokenRenewed => BreakerChange::None,
        };
        self.apply(now, change);
    }

    fn reduce_concurrency(&mut self, now: Elapsed, ticket: &RequestTicket<J>) {
        self.window.throttled(now, ticket.started, self.in_flight);
        self.notices.push(Notice::Throttled { window: self.window.limit(now) });
    }

    fn apply(&mut self, now: Elapsed, change: BreakerChange) {
        match change {
            BreakerChange::None => {}
            BreakerChange::Tripped { until, reason } => self.notices.push(Notice::Paused { until, reason }),
            BreakerChange::Reset => self.notices.push(Notice::Resumed),
            BreakerChange::GiveUp { reason: PauseReason::Throttled, until: Some(until) } => {
                self.stop(RequestStop::LongWait { wait: until.saturating_sub(now) });
            }
            BreakerChange::GiveUp { reason, .. } => self.stop(RequestStop::ServiceDown { reason }),
        }
    }
}

/// Whether the request came back without a word of the service about it.
fn never_reached_service(reply: &Reply) -> bool {
    matches!(reply.verdict, Verdict::Retry(RetryBecause::LocalShortage | RetryBecause::TokenRenewed) | Verdict::Stop(_))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::reply::FailedBy;

    /// A job of this price; one that tolerates a missing scope, if it says so.
    #[derive(Clone, Copy, PartialEq, Debug)]
    struct Priced {
        price: u64,
        tolerant: bool,
    }

    const JOB: Priced = Priced { price: 1, tolerant: false };

    impl RequestJob for Priced {
        fn credits(&self) -> u64 {
            self.price
        }

        fn tolerates(&self, because: StopBecause) -> bool {
            self.tolerant && because == StopBecause::Scope
        }
    }

    const fn s(seconds: u64) -> Elapsed {
        Elapsed::from_secs(seconds)
    }

    fn engine(jobs: usize, policy: RequestPolicy) -> RequestEngine<Priced> {
        let mut engine = RequestEngine::new(policy);
        (0..jobs).for_each(|_| engine.push(JOB));
        engine
    }

    fn reply(verdict: Verdict) -> Box<Reply> {
        Box::new(Reply {
            verdict,
            code: "CODE".to_owned(),
            message: String::new(),
            http_status: None,
            took: Duration::ZERO,
            retry_after: None,
            credits_left: None,
        })
    }

    fn throttled(seconds: u64) -> Box<Reply> {
        Box::new(Reply { retry_after: Some(s(seconds)), ..*reply(Verdict::Retry(RetryBecause::Throttled)) })
    }

    /// Runs the engine by itself, one request at a time, each a millisecond long. Gives what came of each job.
    fn work_off(
        engine: &mut RequestEngine<Priced>,
        mut now: Elapsed,
        mut answer: impl FnMut(Elapsed) -> Result<(), Box<Reply>>,
    ) -> (Elapsed, Vec<Result<(), RequestFailure>>) {
        let mut done = Vec::new();
        loop {
            match engine.poll_next(now) {
                NextRequest::Send(ticket) => {
                    let result = answer(now);
                    now += Elapsed::from_millis(1);
                    done.extend(engine.handle_reply(now, ticket, result, None).map(|(_, outcome)| outcome));
                }
                NextRequest::Wait(Some(at)) => {
                    assert!(at > now, "waiting for {at:?} at {now:?} would spin");
                    now = at;
                }
                NextRequest::Wait(None) => panic!("nothing is under way"),
                NextRequest::End => return (now, done),
            }
        }
    }

    #[test]
    fn the_rate_holds_for_tries_as_for_first_requests() {
        let mut engine = engine(100, RequestPolicy::default());
        let mut times = Vec::new();
        let (_, done) = work_off(&mut engine, s(0), |now| {
            times.push(now);
            if times.len() % 10 == 0 { Err(reply(Verdict::Retry(RetryBecause::NotConnected))) } else { Ok(()) }
        });
        assert_eq!(done.iter().filter(|outcome| outcome.is_ok()).count(), 100);
        assert!(times.windows(11).all(|eleven| eleven[10] - eleven[0] >= Elapsed::from_millis(900)), "10 a second");
    }

    #[test]
    fn a_job_that_gives_up_is_told_of_once_the_service_has_answered_before() {
        let mut engine = engine(3, RequestPolicy::default());
        let mut requests = 0;
        let (_, done) = work_off(&mut engine, s(0), |_| {
            requests += 1;
            if (2..=7).contains(&requests) { Err(reply(Verdict::Retry(RetryBecause::Passing))) } else { Ok(()) }
        });
        let gave_up = done.iter().filter(|outcome| matches!(outcome, Err(RequestFailure::GaveUp { .. }))).count();
        assert!(engine.stopped().is_none() && done.len() == 3 && gave_up <= 1, "{done:?}");
    }

    #[test]
    fn a_service_that_never_answers_ends_it_after_the_tries_of_one_job() {
        let mut engine = engine(9, RequestPolicy::default());
        let mut requests = 0;
        let (now, done) = work_off(&mut engine, s(0), |_| {
            requests += 1;
            Err(reply(Verdict::Retry(RetryBecause::NotConnected)))
        });
        assert_eq!((requests, done.len()), (6, 0));
        assert!(matches!(engine.stopped(), Some(RequestStop::NoAnswer { .. })) && now < s(60), "{now:?}");
        assert_eq!(engine.into_parts().1.len(), 9, "no job is lost");
    }

    #[test]
    fn a_wait_of_a_day_is_not_sat_through() {
        let mut engine = engine(9, RequestPolicy::default());
        let (now, done) = work_off(&mut engine, s(0), |_| Err(throttled(24 * 3_600)));
        assert!(now < s(1) && done.is_empty(), "{now:?}");
        let Some(RequestStop::LongWait { wait }) = engine.stopped() else { panic!("{:?}", engine.stopped()) };
        assert!(*wait >= s(24 * 3_600));
    }

    #[test]
    fn a_short_wait_holds_for_everybody_and_one_request_tries_whether_it_is_over() {
        let mut engine = engine(9, RequestPolicy::default());
        let mut times = Vec::new();
        let (_, done) = work_off(&mut engine, s(0), |now| {
            times.push(now);
            if times.len() == 3 { Err(throttled(30)) } else { Ok(()) }
        });
        assert_eq!(done.len(), 9);
        assert!(times[3] >= times[2] + s(30), "{times:?}");
        let heard = engine.poll_notices();
        assert!(heard.iter().any(|notice| matches!(notice, Notice::Paused { reason: PauseReason::Throttled, .. })));
        assert!(heard.contains(&Notice::Resumed));
    }

    #[test]
    fn behind_a_pause_only_one_request_goes_out_until_it_has_come_back() {
        let mut engine = engine(9, RequestPolicy { rate: crate::units::Rate::Unlimited, ..Default::default() });
        let mut now = s(0);
        for _ in 0..4 {
            let NextRequest::Send(ticket) = engine.poll_next(now) else { panic!("may go out") };
            engine.handle_reply(now, ticket, Ok(()), None);
        }
        let NextRequest::Send(ticket) = engine.poll_next(now) else { panic!("may go out") };
        engine.handle_reply::<()>(now, ticket, Err(throttled(30)), None);
        now = s(40);
        let NextRequest::Send(probe) = engine.poll_next(now) else { panic!("one may try") };
        assert!(matches!(engine.poll_next(now), NextRequest::Wait(_)));
        engine.handle_reply(now, probe, Ok(()), None);
        assert!(matches!(engine.poll_next(now), NextRequest::Send(_)));
    }

    #[test]
    fn no_credit_is_used_beyond_the_budget_whatever_a_job_costs() {
        let policy = RequestPolicy { max_credits: Some(101), ..RequestPolicy::default() };
        let mut engine = RequestEngine::new(policy);
        (0..5).for_each(|_| engine.push(Priced { price: 50, ..JOB }));
        let (_, done) = work_off(&mut engine, s(0), |_| Ok(()));
        assert_eq!((done.len(), engine.totals().credits), (2, 100));
        assert_eq!(engine.stopped(), Some(&RequestStop::MaxCredits { max: 101 }));
    }

    #[test]
    fn the_credits_of_others_are_left_to_them() {
        let mut engine = engine(20, RequestPolicy { keep_credits: 490, ..RequestPolicy::default() });
        let (mut now, mut asked) = (s(0), 0);
        loop {
            match engine.poll_next(now) {
                NextRequest::Send(ticket) => {
                    asked += 1;
                    engine.handle_reply(now, ticket, Ok(()), Some(500 - asked));
                }
                NextRequest::Wait(at) => now = at.expect("an instant"),
                NextRequest::End => break,
            }
        }
        assert_eq!((asked, engine.stopped()), (10, Some(&RequestStop::KeptCredits { left: 490 })));
    }

    #[test]
    fn what_stops_all_stops_all_unless_the_job_can_be_done_without() {
        let scope = || Err(reply(Verdict::Stop(StopBecause::Scope)));
        let mut engine = engine(5, RequestPolicy::default());
        let (_, done) = work_off(&mut engine, s(0), |_| scope());
        assert!(done.is_empty() && matches!(engine.stopped(), Some(RequestStop::Service { .. })));

        let mut engine = RequestEngine::new(RequestPolicy::default());
        engine.push(Priced { tolerant: true, ..JOB });
        engine.push(JOB);
        let mut first = true;
        let (_, done) = work_off(&mut engine, s(0), |_| if std::mem::take(&mut first) { scope() } else { Ok(()) });
        assert!(matches!(done[..], [Err(RequestFailure::Tolerated { .. }), Ok(())]), "{done:?}");
    }

    #[test]
    fn a_token_that_is_refused_again_and_again_ends_it() {
        let mut engine = engine(5, RequestPolicy::default());
        let (_, done) = work_off(&mut engine, s(0), |_| Err(reply(Verdict::Retry(RetryBecause::TokenRenewed))));
        assert!(done.is_empty());
        let why = engine.stopped();
        assert!(matches!(why, Some(RequestStop::Service { because: StopBecause::Credentials, .. })), "{why:?}");
    }

    #[test]
    fn jobs_that_are_withdrawn_never_go_out() {
        let mut engine = engine(5, RequestPolicy::default());
        engine.push(Priced { price: 7, ..JOB });
        engine.push_at(s(5), Priced { price: 7, ..JOB });
        assert_eq!(engine.withdraw(|job| job.price == 7).len(), 2);
        let (now, done) = work_off(&mut engine, s(0), |_| Err(reply(Verdict::Failed(FailedBy::Record))));
        assert!(done.len() == 5 && now < s(5));
    }
}
