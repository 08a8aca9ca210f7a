//! When everybody waits: the service named a time, cannot be reached, or loses answer after answer. One circuit
//! breaker for all threads: while it is open nobody sends, but for one request at a time that tries whether things have got
//! better, ever more rarely; one good answer closes it.
//!
//! Single failures are none of its business: those wait each for itself.

use std::time::Duration;

use crate::engine::policy::Backoff;
use crate::engine::{Elapsed, PauseReason};

/// So many missed connections or server errors in a row are an outage.
const OUTAGE_FROM: u32 = 5;
/// So many answers lost in a row are a storm: each costs two lists and the settle time.
const STORM_FROM: u32 = 10;
/// So many refusals in a row with nothing else under way: the service has nothing to give at all.
const SHUT_OUT_FROM: u32 = 3;

/// How long the breaker stays open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BreakerWaits {
    /// From the moment it trips to the first try; doubled for each further one.
    pub first: Duration,
    /// The longest between two tries.
    pub longest: Duration,
    /// A wait of more than this, or so long without a good answer, and the run stops instead.
    pub patience: Duration,
}

impl BreakerWaits {
    /// Waits in proportion to those of a single row: from 5 s to a minute where nobody says otherwise.
    pub fn of(backoff: Backoff, patience: Duration) -> BreakerWaits {
        BreakerWaits { first: backoff.base.saturating_mul(10), longest: backoff.cap.saturating_mul(2), patience }
    }
}

/// The circuit breaker of a run. Closed at the beginning; see the three states.
#[derive(Clone, Debug)]
pub struct CircuitBreaker {
    waits: BreakerWaits,
    state: BreakerState,
    /// Since when there was no good answer; `None` while there is nothing to complain of.
    failing: Option<FailingSince>,
    /// Requests in a row that did not reach the service or met an error of it; [`OUTAGE_FROM`] of them trip it.
    missed: u32,
    /// Answers in a row that were lost on the way; [`STORM_FROM`] of them trip it.
    doubted: u32,
    /// Refusals in a row for want of capacity, with nothing else under way; [`SHUT_OUT_FROM`] of them trip it.
    refused: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum BreakerState {
    /// Everybody may send.
    Closed,
    /// Nobody may send before this instant; then one request tries.
    Open { until: Elapsed, reason: PauseReason },
    /// The one that tries is under way; nobody else may send.
    HalfOpen { reason: PauseReason },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct FailingSince {
    /// The instant of the first failure after the last good answer.
    since: Elapsed,
    /// How often it has tripped since; each time doubles the wait.
    trips: u32,
}

/// Whether a request may go out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permit {
    /// It may.
    Go,
    /// It may, as the one that tries.
    Probe,
    /// Not before this instant; `None`: not before the one that tries has come back.
    Wait(Option<Elapsed>),
}

/// What an answer did to the breaker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BreakerChange {
    /// Nothing that anybody would notice.
    None,
    /// It tripped: nobody sends.
    Tripped {
        /// Until when.
        until: Elapsed,
        /// Why.
        reason: PauseReason,
    },
    /// It is closed again: everybody may send.
    Reset,
    /// The run should stop rather than wait on; the instant from which going on makes sense, where it was named.
    GiveUp {
        /// Why.
        reason: PauseReason,
        /// When to come back.
        until: Option<Elapsed>,
    },
}

impl CircuitBreaker {
    /// A closed one: everybody may send.
    pub fn new(waits: BreakerWaits) -> CircuitBreaker {
        CircuitBreaker { waits, state: BreakerState::Closed, failing: None, missed: 0, doubted: 0, refused: 0 }
    }

    /// Whether a request may go out now.
    pub fn permit(&self, now: Elapsed) -> Permit {
        match self.state {
            BreakerState::Closed => Permit::Go,
            BreakerState::Open { until, .. } if now < until => Permit::Wait(Some(until)),
            BreakerState::Open { .. } => Permit::Probe,
            BreakerState::HalfOpen { .. } => Permit::Wait(None),
        }
    }

    /// The one that tries has been sent.
    pub fn probe_sent(&mut self) {
        if let BreakerState::Open { reason, .. } = self.state {
            self.state = BreakerState::HalfOpen { reason };
        }
    }

    /// The one that tried came back without having asked the service anything.
    pub fn probe_wasted(&mut self, now: Elapsed) {
        if let BreakerState::HalfOpen { reason } = self.state {
            self.state = BreakerState::Open { until: now, reason };
        }
    }

    /// The service answered as it should.
    pub fn good(&mut self, probe: bool) -> BreakerChange {
        (self.missed, self.doubted, self.refused) = (0, 0, 0);
        let opens = match self.state {
            BreakerState::Closed => false,
            // What was sent before the service asked for a pause proves nothing about the pause.
            BreakerState::Open { reason, .. } | BreakerState::HalfOpen { reason } => {
                probe || matches!(reason, PauseReason::Outage | PauseReason::Doubts)
            }
        };
        if opens {
            self.state = BreakerState::Closed;
        }
        if self.state == BreakerState::Closed {
            self.failing = None;
        }
        if opens { BreakerChange::Reset } else { BreakerChange::None }
    }

    /// No connection came about.
    pub fn missed(&mut self, now: Elapsed, probe: bool) -> BreakerChange {
        self.missed += 1;
        self.bad(now, probe, self.missed >= OUTAGE_FROM, PauseReason::Outage)
    }

    /// An answer was lost, or told of a mishap of the service.
    pub fn doubted(&mut self, now: Elapsed, probe: bool, server_error: bool) -> BreakerChange {
        self.doubted += 1;
        self.missed += u32::from(server_error);
        if self.missed >= OUTAGE_FROM {
            self.bad(now, probe, true, PauseReason::Outage)
        } else {
            self.bad(now, probe, self.doubted >= STORM_FROM, PauseReason::Doubts)
        }
    }

    /// The service asked to slow down without naming a time, while something or nothing else was under way.
    pub fn throttled(&mut self, now: Elapsed, probe: bool, alone: bool) -> BreakerChange {
        self.refused = if alone { self.refused + 1 } else { 0 };
        self.bad(now, probe, self.refused >= SHUT_OUT_FROM, PauseReason::Throttled)
    }

    /// An answer of whatever kind named the time (jitter included) that everybody is to wait.
    pub fn named(&mut self, now: Elapsed, wait: Duration) -> BreakerChange {
        let failing = self.failing.get_or_insert(FailingSince { since: now, trips: 0 });
        if wait > self.waits.patience || now - failing.since > self.waits.patience {
            return BreakerChange::GiveUp { reason: PauseReason::Throttled, until: Some(now + wait) };
        }
        self.trip(now + wait, PauseReason::Throttled)
    }

    /// There is nothing to spend before this instant.
    pub fn wait_until(&mut self, until: Elapsed, reason: PauseReason) -> BreakerChange {
        self.trip(until, reason)
    }

    fn bad(&mut self, now: Elapsed, probe: bool, enough: bool, reason: PauseReason) -> BreakerChange {
        let failing = self.failing.get_or_insert(FailingSince { since: now, trips: 0 });
        if !probe && (self.state != BreakerState::Closed || !enough) {
            return BreakerChange::None;
        }
        if now - failing.since > self.waits.patience {
            return BreakerChange::GiveUp { reason, until: None };
        }
        let wait = self.waits.first.saturating_mul(1 << failing.trips.min(16)).min(self.waits.longest);
        failing.trips += 1;
        self.trip(now + wait, reason)
    }

    /// Opens until then, or for longer if it is open for longer already.
    fn trip(&mut self, until: Elapsed, reason: PauseReason) -> BreakerChange {
        if let BreakerState::Open { until: before, .. } = self.state
            && before >= until
        {
            return BreakerChange::None;
        }
        self.state = BreakerState::Open { until, reason };
        BreakerChange::Tripped { until, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Elapsed {
        Elapsed::from_secs(seconds)
    }

    fn breaker() -> CircuitBreaker {
        CircuitBreaker::new(BreakerWaits::of(Backoff::default(), s(15 * 60)))
    }

    #[test]
    fn an_outage_is_tried_ever_more_rarely_until_patience_ends() {
        let mut breaker = breaker();
        let mut now = s(0);
        for _ in 1..OUTAGE_FROM {
            assert_eq!(breaker.missed(now, false), BreakerChange::None);
        }
        let mut change = breaker.missed(now, false);
        let mut waits = Vec::new();
        while let BreakerChange::Tripped { until, reason: PauseReason::Outage } = change {
            waits.push((until - now).as_secs());
            assert_eq!(breaker.permit(now), Permit::Wait(Some(until)));
            now = until;
            assert_eq!(breaker.permit(now), Permit::Probe);
            breaker.probe_sent();
            assert_eq!(breaker.permit(now), Permit::Wait(None));
            change = breaker.missed(now, true);
        }
        assert_eq!(waits[..6], [5, 10, 20, 40, 60, 60]);
        assert_eq!(change, BreakerChange::GiveUp { reason: PauseReason::Outage, until: None });
        assert!(now > s(900) && now <= s(960), "{now:?}");
    }

    #[test]
    fn one_good_answer_opens_it_and_forgets() {
        let mut breaker = breaker();
        for _ in 0..OUTAGE_FROM {
            breaker.missed(s(0), false);
        }
        breaker.probe_sent();
        assert_eq!(breaker.good(true), BreakerChange::Reset);
        assert_eq!(breaker.permit(s(0)), Permit::Go);
        assert_eq!(breaker.missed(s(1), false), BreakerChange::None);
    }

    #[test]
    fn ten_lost_answers_in_a_row_are_a_storm_and_nine_with_a_good_one_between_are_not() {
        let mut breaker = breaker();
        for _ in 0..9 {
            assert_eq!(breaker.doubted(s(0), false, false), BreakerChange::None);
        }
        breaker.good(false);
        for _ in 0..9 {
            assert_eq!(breaker.doubted(s(0), false, false), BreakerChange::None);
        }
        assert_eq!(
            breaker.doubted(s(0), false, false),
            BreakerChange::Tripped { until: s(5), reason: PauseReason::Doubts }
        );
    }

    #[test]
    fn server_errors_are_an_outage_sooner_than_a_storm() {
        let mut breaker = breaker();
        for _ in 1..OUTAGE_FROM {
            assert_eq!(breaker.doubted(s(0), false, true), BreakerChange::None);
        }
        assert_eq!(
            breaker.doubted(s(0), false, true),
            BreakerChange::Tripped { until: s(5), reason: PauseReason::Outage }
        );
    }

    #[test]
    fn a_time_that_the_service_names_is_kept_whatever_comes_back_meanwhile() {
        let mut breaker = breaker();
        let closed = breaker.named(s(0), s(30));
        assert_eq!(closed, BreakerChange::Tripped { until: s(30), reason: PauseReason::Throttled });
        assert_eq!(breaker.good(false), BreakerChange::None);
        assert_eq!(breaker.named(s(1), s(10)), BreakerChange::None, "an earlier end changes nothing");
        assert_eq!(breaker.permit(s(29)), Permit::Wait(Some(s(30))));
        assert_eq!(breaker.permit(s(30)), Permit::Probe);
    }

    #[test]
    fn a_named_time_beyond_patience_stops_the_run() {
        let change = breaker().named(s(0), s(901));
        assert_eq!(change, BreakerChange::GiveUp { reason: PauseReason::Throttled, until: Some(s(901)) });
    }

    #[test]
    fn refusals_pause_everybody_only_when_nothing_at_all_is_served() {
        let mut breaker = breaker();
        for alone in [true, true, false, true, true] {
            assert_eq!(breaker.throttled(s(0), false, alone), BreakerChange::None);
        }
        assert_eq!(
            breaker.throttled(s(0), false, true),
            BreakerChange::Tripped { until: s(5), reason: PauseReason::Throttled }
        );
    }

    #[test]
    fn a_probe_that_asked_nothing_is_followed_by_another_at_once() {
        let mut breaker = breaker();
        breaker.named(s(0), s(3));
        breaker.probe_sent();
        breaker.probe_wasted(s(4));
        assert_eq!(breaker.permit(s(4)), Permit::Probe);
    }
}
