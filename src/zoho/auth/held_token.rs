//! How old a token is, when it is due to be renewed, when it has ended.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::secret::Secret;

/// A token that lives at least twice this long is renewed this long before its end, so that none expires on the way.
const RENEW_AHEAD: Duration = Duration::from_secs(300);

/// A token as it was got.
pub(crate) struct NewToken {
    pub(crate) token: Secret,
    /// How old it was when we got it; more than nothing if another process had got it.
    pub(crate) age: Duration,
    pub(crate) life: Option<Duration>,
    pub(crate) api_domain: Option<String>,
    pub(crate) scope: Option<String>,
}

/// A moment by both clocks of the machine: one stands still while it sleeps, the other can be set.
#[derive(Clone, Copy)]
struct ClockReading {
    steady: Instant,
    wall: SystemTime,
}

impl ClockReading {
    fn now() -> ClockReading {
        ClockReading { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// What has passed by the clock that says more: an hour in a closed laptop ages a token like any other hour.
    fn elapsed(self) -> Duration {
        self.steady.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

pub(crate) struct HeldToken {
    pub(crate) token: Arc<Secret>,
    /// When we got it, and how old it was then; `None` for a token that the user gave.
    got: Option<(ClockReading, Duration)>,
    pub(crate) life: Option<Duration>,
    /// The age from which on it is to be renewed.
    pub(crate) due_at: Option<Duration>,
}

impl HeldToken {
    pub(crate) fn given(token: Secret) -> HeldToken {
        HeldToken { token: Arc::new(token), got: None, life: None, due_at: None }
    }

    pub(crate) fn issued(token: Secret, age: Duration, life: Option<Duration>) -> HeldToken {
        let ahead = life.filter(|life| *life >= 2 * RENEW_AHEAD).map_or(Duration::ZERO, |_| RENEW_AHEAD);
        HeldToken {
            token: Arc::new(token),
            got: Some((ClockReading::now(), age)),
            life,
            due_at: life.map(|life| life.saturating_sub(ahead)),
        }
    }

    pub(crate) fn age(&self) -> Option<Duration> {
        self.got.map(|(got, age)| got.elapsed() + age)
    }

    pub(crate) fn is_older_than(&self, limit: Option<Duration>) -> bool {
        self.age().zip(limit).is_some_and(|(age, limit)| age >= limit)
    }

    pub(crate) fn is_due(&self) -> bool {
        self.is_older_than(self.due_at)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.is_older_than(self.life)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_five_minutes_before_its_end_unless_it_lives_shortly() {
        let held = |life: u64, age: u64| {
            let token = Secret::new("1000.a").expect("a secret");
            HeldToken::issued(token, Duration::from_secs(age), Some(Duration::from_secs(life)))
        };
        assert!(!held(3600, 3200).is_due());
        assert!(held(3600, 3301).is_due() && !held(3600, 3301).has_ended());
        assert!(!held(500, 400).is_due());
        assert!(held(500, 500).is_due() && held(500, 500).has_ended());
        let slept = ClockReading { wall: SystemTime::now() - Duration::from_secs(7200), ..ClockReading::now() };
        let held = HeldToken { got: Some((slept, Duration::ZERO)), ..held(3600, 0) };
        assert!(held.has_ended(), "the machine slept");
        assert!(!HeldToken::given(Secret::new("1000.a").expect("a secret")).is_due());
    }
}
