//! When everybody waits: the service named a time, cannot be reached, or loses answer after answer. One gate for all
//! threads; behind a closed gate, one request at a time tries whether things have got better, ever more rarely, and one
//! good answer opens it.
//!
//! Single failures are none of its business: those wait each for itself.

use std::time::Duration;

use super::settings::Backoff;
use super::{At, PauseReason};

/// So many missed connections or server errors in a row are an outage.
const OUTAGE_FROM: u32 = 5;
/// So many answers lost in a row are a storm: each costs two lists and the settle time.
const STORM_FROM: u32 = 10;
/// So many refusals in a row with nothing else under way: the service has nothing to give at all.
const SHUT_OUT_FROM: u32 = 3;

/// The waits of the gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waits {
    /// Before the first try of a closed gate; doubled for each further one.
    pub first: Duration,
    /// The longest between two tries.
    pub longest: Duration,
    /// A wait of more than this, or so long without a good answer, and the run stops instead.
    pub patience: Duration,
}

impl Waits {
    /// Waits in proportion to those of a single row: from 5 s to a minute where nobody says otherwise.
    pub fn of(backoff: Backoff, patience: Duration) -> Waits {
        Waits { first: backoff.base.saturating_mul(10), longest: backoff.cap.saturating_mul(2), patience }
    }
}

/// The pause gate.
#[derive(Clone, Debug)]
pub struct Gate {
    waits: Waits,
    state: State,
    /// Since when there was no good answer, and how many tries of the gate failed since.
    trouble: Option<Trouble>,
    missed: u32,
    doubted: u32,
    refused: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Open,
    Closed { until: At, reason: PauseReason },
    Probing { reason: PauseReason },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Trouble {
    since: At,
    closed: u32,
}

/// Whether a request may go out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permit {
    /// It may.
    Go,
    /// It may, as the one that tries.
    Probe,
    /// Not before this instant; `None`: not before the one that tries has come back.
    Wait(Option<At>),
}

/// What an answer did to the gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Nothing that anybody would notice.
    None,
    /// It closed.
    Closed {
        /// Until when.
        until: At,
        /// Why.
        reason: PauseReason,
    },
    /// It opened.
    Opened,
    /// The run should stop rather than wait on; the instant from which going on makes sense, where it was named.
    GiveUp {
        /// Why.
        reason: PauseReason,
        /// When to come back.
        until: Option<At>,
    },
}

impl Gate {
    /// An open gate.
    pub fn new(waits: Waits) -> Gate {
        Gate { waits, state: State::Open, trouble: None, missed: 0, doubted: 0, refused: 0 }
    }

    /// Whether a request may go out now.
    pub fn permit(&self, now: At) -> Permit {
        match self.state {
            State::Open => Permit::Go,
            State::Closed { until, .. } if now < until => Permit::Wait(Some(until)),
            State::Closed { .. } => Permit::Probe,
            State::Probing { .. } => Permit::Wait(None),
        }
    }

    /// The one that tries has been sent.
    pub fn probe_sent(&mut self) {
        if let State::Closed { reason, .. } = self.state {
            self.state = State::Probing { reason };
        }
    }

    /// The one that tried came back without having asked the service anything.
    pub fn probe_wasted(&mut self, now: At) {
        if let State::Probing { reason } = self.state {
            self.state = State::Closed { until: now, reason };
        }
    }

    /// The service answered as it should.
    pub fn good(&mut self, probe: bool) -> Change {
        (self.missed, self.doubted, self.refused) = (0, 0, 0);
        let opens = match self.state {
            State::Open => false,
            // What was sent before the service asked for a pause proves nothing about the pause.
            State::Closed { reason, .. } | State::Probing { reason } => {
                probe || matches!(reason, PauseReason::Outage | PauseReason::Doubts)
            }
        };
        if opens {
            self.state = State::Open;
        }
        if self.state == State::Open {
            self.trouble = None;
        }
        if opens { Change::Opened } else { Change::None }
    }

    /// No connection came about.
    pub fn missed(&mut self, now: At, probe: bool) -> Change {
        self.missed += 1;
        self.bad(now, probe, self.missed >= OUTAGE_FROM, PauseReason::Outage)
    }

    /// An answer was lost, or told of a mishap of the service.
    pub fn doubted(&mut self, now: At, probe: bool, server_error: bool) -> Change {
        self.doubted += 1;
        self.missed += u32::from(server_error);
        if self.missed >= OUTAGE_FROM {
            self.bad(now, probe, true, PauseReason::Outage)
        } else {
            self.bad(now, probe, self.doubted >= STORM_FROM, PauseReason::Doubts)
        }
    }

    /// The service asked to slow down, perhaps for a time that it named (jitter included), while something or nothing
    /// else was under way.
    pub fn throttled(&mut self, now: At, probe: bool, named: Option<Duration>, alone: bool) -> Change {
        self.refused = if alone { self.refused + 1 } else { 0 };
        let Some(named) = named else {
            return self.bad(now, probe, self.refused >= SHUT_OUT_FROM, PauseReason::Throttled);
        };
        let trouble = self.trouble.get_or_insert(Trouble { since: now, closed: 0 });
        if named > self.waits.patience || now - trouble.since > self.waits.patience {
            return Change::GiveUp { reason: PauseReason::Throttled, until: Some(now + named) };
        }
        self.close(now + named, PauseReason::Throttled)
    }

    /// There is nothing to spend before this instant.
    pub fn wait_until(&mut self, until: At, reason: PauseReason) -> Change {
        self.close(until, reason)
    }

    fn bad(&mut self, now: At, probe: bool, enough: bool, reason: PauseReason) -> Change {
        let trouble = self.trouble.get_or_insert(Trouble { since: now, closed: 0 });
        if !probe && (self.state != State::Open || !enough) {
            return Change::None;
        }
        if now - trouble.since > self.waits.patience {
            return Change::GiveUp { reason, until: None };
        }
        let wait = self.waits.first.saturating_mul(1 << trouble.closed.min(16)).min(self.waits.longest);
        trouble.closed += 1;
        self.close(now + wait, reason)
    }

    /// Closes until then, or for longer if it was closed for longer already.
    fn close(&mut self, until: At, reason: PauseReason) -> Change {
        if let State::Closed { until: before, .. } = self.state
            && before >= until
        {
            return Change::None;
        }
        self.state = State::Closed { until, reason };
        Change::Closed { until, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> At {
        At::from_secs(seconds)
    }

    fn gate() -> Gate {
        Gate::new(Waits::of(Backoff::default(), s(15 * 60)))
    }

    #[test]
    fn an_outage_is_tried_ever_more_rarely_until_patience_ends() {
        let mut gate = gate();
        let mut now = s(0);
        for _ in 1..OUTAGE_FROM {
            assert_eq!(gate.missed(now, false), Change::None);
        }
        let mut change = gate.missed(now, false);
        let mut waits = Vec::new();
        while let Change::Closed { until, reason: PauseReason::Outage } = change {
            waits.push((until - now).as_secs());
            assert_eq!(gate.permit(now), Permit::Wait(Some(until)));
            now = until;
            assert_eq!(gate.permit(now), Permit::Probe);
            gate.probe_sent();
            assert_eq!(gate.permit(now), Permit::Wait(None));
            change = gate.missed(now, true);
        }
        assert_eq!(waits[..6], [5, 10, 20, 40, 60, 60]);
        assert_eq!(change, Change::GiveUp { reason: PauseReason::Outage, until: None });
        assert!(now > s(900) && now <= s(960), "{now:?}");
    }

    #[test]
    fn one_good_answer_opens_it_and_forgets() {
        let mut gate = gate();
        for _ in 0..OUTAGE_FROM {
            gate.missed(s(0), false);
        }
        gate.probe_sent();
        assert_eq!(gate.good(true), Change::Opened);
        assert_eq!(gate.permit(s(0)), Permit::Go);
        assert_eq!(gate.missed(s(1), false), Change::None);
    }

    #[test]
    fn ten_lost_answers_in_a_row_are_a_storm_and_nine_with_a_good_one_between_are_not() {
        let mut gate = gate();
        for _ in 0..9 {
            assert_eq!(gate.doubted(s(0), false, false), Change::None);
        }
        gate.good(false);
        for _ in 0..9 {
            assert_eq!(gate.doubted(s(0), false, false), Change::None);
        }
        assert_eq!(gate.doubted(s(0), false, false), Change::Closed { until: s(5), reason: PauseReason::Doubts });
    }

    #[test]
    fn server_errors_are_an_outage_sooner_than_a_storm() {
        let mut gate = gate();
        for _ in 1..OUTAGE_FROM {
            assert_eq!(gate.doubted(s(0), false, true), Change::None);
        }
        assert_eq!(gate.doubted(s(0), false, true), Change::Closed { until: s(5), reason: PauseReason::Outage });
    }

    #[test]
    fn a_time_that_the_service_names_is_kept_whatever_comes_back_meanwhile() {
        let mut gate = gate();
        let closed = gate.throttled(s(0), false, Some(s(30)), false);
        assert_eq!(closed, Change::Closed { until: s(30), reason: PauseReason::Throttled });
        assert_eq!(gate.good(false), Change::None);
        assert_eq!(gate.throttled(s(1), false, Some(s(10)), false), Change::None, "an earlier end changes nothing");
        assert_eq!(gate.permit(s(29)), Permit::Wait(Some(s(30))));
        assert_eq!(gate.permit(s(30)), Permit::Probe);
    }

    #[test]
    fn a_named_time_beyond_patience_stops_the_run() {
        let change = gate().throttled(s(0), false, Some(s(901)), false);
        assert_eq!(change, Change::GiveUp { reason: PauseReason::Throttled, until: Some(s(901)) });
    }

    #[test]
    fn refusals_pause_everybody_only_when_nothing_at_all_is_served() {
        let mut gate = gate();
        for alone in [true, true, false, true, true] {
            assert_eq!(gate.throttled(s(0), false, None, alone), Change::None);
        }
        assert_eq!(
            gate.throttled(s(0), false, None, true),
            Change::Closed { until: s(5), reason: PauseReason::Throttled }
        );
    }

    #[test]
    fn a_probe_that_asked_nothing_is_followed_by_another_at_once() {
        let mut gate = gate();
        gate.throttled(s(0), false, Some(s(3)), false);
        gate.probe_sent();
        gate.probe_wasted(s(4));
        assert_eq!(gate.permit(s(4)), Permit::Probe);
    }
}
