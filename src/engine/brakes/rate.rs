//! How many requests a second: the user's `--rate`, kept by governor on a clock that is passed in.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::engine::Elapsed;
use crate::units::Rate;

/// Gives out permits, one a request.
#[derive(Debug)]
pub struct RequestRate {
    clock: PassedClock,
    limiter: Option<RateLimiter<NotKeyed, InMemoryState, PassedClock, NoOpMiddleware<Nanos>>>,
}

impl RequestRate {
    /// A pace of this rate, with its whole [`burst`] at hand.
    pub fn new(rate: Rate) -> RequestRate {
        let clock = PassedClock::default();
        let limiter = quota(rate).map(|quota| RateLimiter::direct_with_clock(quota, clock.clone()));
        RequestRate { clock, limiter }
    }

    /// Takes a permit.
    ///
    /// # Errors
    ///
    /// When there is none yet: the instant at which there will be one.
    pub fn take(&mut self, now: Elapsed) -> Result<(), Elapsed> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        self.clock.set(now);
        limiter.check().map_err(|not_until| now + not_until.wait_time_from(nanos(now)))
    }
}

/// How many requests may go out at the same instant after a quiet time. Where the rate is high, a few, since a thread
/// that wakes up a moment late would otherwise lose that moment for good.
pub fn burst(rate: Rate) -> NonZeroU32 {
    let burst = match rate {
        Rate::Limited { count, per } if per <= Duration::from_secs(1) => count.get() / 20,
        Rate::Limited { .. } | Rate::Unlimited => 1,
    };
    NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN)
}

fn quota(rate: Rate) -> Option<Quota> {
    let Rate::Limited { count, per } = rate else { return None };
    let burst = burst(rate);
    // A service that allows N in a minute counts them in any minute, and the burst comes on top of what trickles in:
    // without leaving room for it, N + 1 would fit.
    let trickle =
        if per > Duration::from_secs(1) { count.get().saturating_sub(burst.get()).max(1) } else { count.get() };
    Quota::with_period(per / trickle).map(|quota| quota.allow_burst(burst))
}

/// Governor's clock: whatever time it was told last.
#[derive(Clone, Default, Debug)]
struct PassedClock(Arc<AtomicU64>);

impl PassedClock {
    fn set(&self, now: Elapsed) {
        self.0.store(nanos(now).as_u64(), Ordering::Relaxed);
    }
}

impl Clock for PassedClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.load(Ordering::Relaxed))
    }
}

fn nanos(at: Elapsed) -> Nanos {
    Nanos::new(u64::try_from(at.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When permits are given in the time, asked for without pause.
    fn permits(rate: &str, time: Duration) -> Vec<Elapsed> {
        let mut pace = RequestRate::new(rate.parse().expect("a rate"));
        let mut now = Elapsed::ZERO;
        let mut given = Vec::new();
        while now < time {
            match pace.take(now) {
                Ok(()) => given.push(now),
                Err(later) => {
                    assert!(later > now, "waiting for {later:?} at {now:?} would spin");
                    now = later;
                }
            }
        }
        given
    }

    fn most_in_any(window: Duration, given: &[Elapsed]) -> usize {
        given
            .iter()
            .map(|start| given.iter().filter(|at| *at >= start && **at - *start < window).count())
            .max()
            .unwrap_or(0)
    }

    #[test]
    fn a_rate_is_reached_and_never_passed_by_more_than_its_burst() {
        for (rate, count, burst) in [("1/s", 1, 1), ("10/s", 10, 1), ("50/s", 50, 2), ("400/s", 400, 20)] {
            let given = permits(rate, Duration::from_secs(10));
            assert!(given.len() >= count * 10, "{rate}: {}", given.len());
            assert!(most_in_any(Duration::from_secs(1), &given) <= count + burst, "{rate}");
        }
    }

    #[test]
    fn a_rate_per_minute_holds_in_any_minute_from_the_first() {
        for (rate, count) in [("60/min", 60), ("90/min", 90), ("2/min", 2)] {
            let given = permits(rate, Duration::from_secs(300));
            assert!(most_in_any(Duration::from_secs(60), &given) <= count, "{rate}");
            assert!(given.len() >= (count - 1) * 5, "{rate}: {}", given.len());
        }
    }

    #[test]
    fn without_a_rate_there_is_always_a_permit() {
        let mut pace = RequestRate::new(Rate::Unlimited);
        assert!((0..1000).all(|_| pace.take(Elapsed::ZERO).is_ok()));
    }
}
