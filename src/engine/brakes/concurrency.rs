//! How many requests at once. The service allows a customer 5 to 25, says nowhere how many, and refuses the rest; so
//! the window starts at one, doubles until it meets the first refusal, goes back to what was being served, and tries
//! one more every minute.
//!
//! Halving at each refusal, as networks do, would leave a service that allows five with three most of the time.

use std::time::Duration;

use crate::engine::Elapsed;

/// How long after a refusal one request more is tried.
const TRY_ONE_MORE: Duration = Duration::from_secs(60);
/// A further refusal within this time means that the service has less to give than it had a moment ago.
const SOON: Duration = Duration::from_secs(1);

/// The concurrency window.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConcurrencyLimit {
    ceiling: u32,
    limit: u32,
    phase: GrowthPhase,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum GrowthPhase {
    /// No refusal yet: so many answers have come since the last doubling.
    Doubling { served: u32 },
    /// The last cut, and when one more is tried.
    Probing { cut_at: Elapsed, grow_at: Elapsed },
}

impl ConcurrencyLimit {
    /// A window that never grows above the ceiling.
    pub fn new(ceiling: u32) -> ConcurrencyLimit {
        ConcurrencyLimit { ceiling: ceiling.max(1), limit: 1, phase: GrowthPhase::Doubling { served: 0 } }
    }

    /// Requests allowed at once at this instant.
    pub fn limit(&mut self, now: Elapsed) -> u32 {
        if let GrowthPhase::Probing { grow_at, .. } = &mut self.phase
            && now >= *grow_at
            && self.limit < self.ceiling
        {
            self.limit += 1;
            *grow_at = now + TRY_ONE_MORE;
        }
        self.limit
    }

    /// When the window will grow by itself.
    pub fn grows_at(&self) -> Option<Elapsed> {
        match self.phase {
            GrowthPhase::Probing { grow_at, .. } if self.limit < self.ceiling => Some(grow_at),
            _ => None,
        }
    }

    /// An answer came that did not ask to slow down.
    pub fn served(&mut self) {
        if let GrowthPhase::Doubling { served } = &mut self.phase {
            *served += 1;
            if *served >= self.limit {
                *served = 0;
                self.limit = (self.limit * 2).min(self.ceiling);
            }
        }
    }

    /// A request that was started at `started` was refused while so many others were under way.
    pub fn throttled(&mut self, now: Elapsed, started: Elapsed, others: u32) {
        let again =
            matches!(self.phase, GrowthPhase::Probing { cut_at, .. } if started >= cut_at && now - cut_at <= SOON);
        self.limit = if again { self.limit / 2 } else { self.limit.min(others) }.max(1);
        self.phase = GrowthPhase::Probing { cut_at: now, grow_at: now + TRY_ONE_MORE };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Elapsed {
        Elapsed::from_millis(millis)
    }

    #[test]
    fn it_doubles_each_round_up_to_the_ceiling() {
        let mut window = ConcurrencyLimit::new(6);
        let mut limits = vec![window.limit(ms(0))];
        for _ in 0..1 + 2 + 4 + 6 {
            window.served();
            limits.push(window.limit(ms(0)));
        }
        assert_eq!(limits, [1, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6, 6, 6, 6]);
        assert_eq!(window.grows_at(), None);
    }

    #[test]
    fn at_the_first_refusals_it_goes_back_to_what_was_served() {
        let mut window = ConcurrencyLimit { limit: 8, ..ConcurrencyLimit::new(25) };
        // Eight were sent at once; the service took five.
        for others in [7, 6, 5] {
            window.throttled(ms(100), ms(90), others);
        }
        assert_eq!(window.limit(ms(101)), 5);
    }

    #[test]
    fn it_tries_one_more_each_minute_and_comes_back() {
        let mut window = ConcurrencyLimit { limit: 8, ..ConcurrencyLimit::new(25) };
        window.throttled(ms(0), ms(0), 5);
        assert_eq!(window.limit(ms(59_999)), 5);
        assert_eq!(window.grows_at(), Some(ms(60_000)));
        assert_eq!(window.limit(ms(60_000)), 6);
        window.throttled(ms(60_010), ms(60_001), 5);
        assert_eq!(window.limit(ms(60_011)), 5);
    }

    #[test]
    fn a_further_refusal_within_a_second_halves_it_but_never_below_one() {
        let mut window = ConcurrencyLimit { limit: 8, ..ConcurrencyLimit::new(25) };
        window.throttled(ms(0), ms(0), 6);
        window.throttled(ms(500), ms(100), 5);
        assert_eq!(window.limit(ms(501)), 3);
        window.throttled(ms(600), ms(550), 2);
        window.throttled(ms(700), ms(650), 0);
        assert_eq!(window.limit(ms(701)), 1);
    }
}
