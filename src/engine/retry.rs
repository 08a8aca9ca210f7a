//! When a request is made again, and when no more. Pure; it holds for uploads and for everything that only reads.
//!
//! It decides about one request by itself. When *everybody* waits is the business of the [`breaker`](super::brakes::circuit_breaker).

use std::time::Duration;

use crate::reply::RetryBecause;

/// A wait that the service names is held to this before anything is made of it: beyond, a run stops anyway.
const LONGEST_NAMED_WAIT: Duration = Duration::from_secs(24 * 3_600);

/// A wait that the service names is stretched by up to this share of it, so that many programs do not come back at once.
const JITTER: f64 = 0.1;

/// How often a request is made again, and after which waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryPolicy {
    /// Further tries after the first.
    pub retries: u32,
    /// The waits before them.
    pub backoff: Backoff,
}

/// Waits between tries: drawn evenly from nothing to `base` doubled for each try made, and never above `cap`. The waits
/// of everybody when nothing works are taken from it, too: ten times `base` at first, and at most twice `cap`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// The longest first wait.
    pub base: Duration,
    /// The longest wait of all.
    pub cap: Duration,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { base: Duration::from_millis(500), cap: Duration::from_secs(30) }
    }
}

impl RetryPolicy {
    /// Whether a request that has failed so often is made again: once at least where only the token was too old, which
    /// is nobody's failure.
    pub fn allows(&self, because: RetryBecause, failures: u32) -> bool {
        let retries = match because {
            RetryBecause::TokenRenewed => self.retries.max(1),
            _ => self.retries,
        };
        failures <= retries
    }

    /// How long a request waits that has failed so often, the last time for this reason.
    pub fn delay(&self, because: RetryBecause, failures: u32, random: &mut fastrand::Rng) -> Duration {
        let factor = match because {
            RetryBecause::TokenRenewed => return Duration::ZERO,
            // Coming back at once would only be throttled again.
            RetryBecause::Throttled => 4,
            RetryBecause::NotConnected | RetryBecause::LocalShortage | RetryBecause::Passing => 1,
        };
        let longest = self.backoff.base.saturating_mul(factor << failures.saturating_sub(1).min(16));
        longest.min(self.backoff.cap).mul_f64(random.f64())
    }
}

/// The wait that is made of one that the service names (`Retry-After`): never shorter, a little longer.
pub fn named_wait(named: Duration, random: &mut fastrand::Rng) -> Duration {
    let named = named.min(LONGEST_NAMED_WAIT);
    named + named.mul_f64(random.f64() * JITTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy =
        RetryPolicy { retries: 2, backoff: Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(10) } };

    fn longest(because: RetryBecause, failures: u32) -> Duration {
        let mut random = fastrand::Rng::with_seed(7);
        (0..2_000).map(|_| POLICY.delay(because, failures, &mut random)).max().unwrap_or_default()
    }

    #[test]
    fn waits_double_up_to_the_cap_and_are_longer_where_the_service_is_busy() {
        let near = |wait: Duration, seconds: u64| {
            let most = Duration::from_secs(seconds);
            assert!(wait <= most && wait > most.mul_f64(0.95), "{wait:?} of {most:?}");
        };
        near(longest(RetryBecause::NotConnected, 1), 1);
        near(longest(RetryBecause::NotConnected, 3), 4);
        near(longest(RetryBecause::NotConnected, 90), 10);
        near(longest(RetryBecause::Throttled, 1), 4);
        assert_eq!(longest(RetryBecause::TokenRenewed, 5), Duration::ZERO);
    }

    #[test]
    fn a_renewed_token_is_tried_once_even_where_nothing_else_is_tried_again() {
        let none = RetryPolicy { retries: 0, ..POLICY };
        assert!(none.allows(RetryBecause::TokenRenewed, 1) && !none.allows(RetryBecause::TokenRenewed, 2));
        assert!(!none.allows(RetryBecause::Passing, 1));
        assert!(POLICY.allows(RetryBecause::Passing, 2) && !POLICY.allows(RetryBecause::Passing, 3));
    }

    #[test]
    fn a_named_wait_is_never_shortened_below_a_day_and_never_endless() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..100 {
            let wait = named_wait(Duration::from_secs(100), &mut random);
            assert!(wait >= Duration::from_secs(100) && wait <= Duration::from_secs(110));
            assert!(named_wait(Duration::MAX, &mut random) < Duration::from_secs(27 * 3_600));
        }
    }
}
