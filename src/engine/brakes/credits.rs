//! What a budget of API credits allows: `--max-credits` of the user, `--keep-credits` for everybody else.
//!
//! The service gives each credit back 24 hours after its use; there is no midnight at which all come back.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::Elapsed;

/// After this time the service gives a used credit back.
const GIVEN_BACK_AFTER: Duration = Duration::from_secs(24 * 3_600);
/// Uses within this time are kept as one number: a run makes millions.
const GRAIN: Duration = Duration::from_secs(60);
/// How long to sleep when the service has no credits to spare, since nothing says when it will have some.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(3_600);

/// The budget of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credits {
    max: Option<u64>,
    keep: u64,
    wait: bool,
    used: u64,
    /// When how many were used, oldest first; only kept where waiting for their return is allowed.
    spent: VecDeque<(Elapsed, u64)>,
    left: Option<(Elapsed, u64)>,
}

/// Whether so many credits may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Allowed {
    /// They may.
    Yes,
    /// Not before this instant.
    Wait(Elapsed),
    /// The budget of the run does not have them.
    OverMax,
    /// The service has so many left, which is what must be kept for others.
    Kept(u64),
}

impl Credits {
    /// A budget: at most `max` credits, `keep` left for others, and whether to wait for more instead of stopping.
    pub fn new(max: Option<u64>, keep: u64, wait: bool) -> Credits {
        Credits { max, keep, wait, used: 0, spent: VecDeque::new(), left: None }
    }

    /// Whether a request may be made while so many credits are held back for later.
    pub fn allow(&mut self, now: Elapsed, held_back: u64) -> Allowed {
        match self.within_max(now, held_back) {
            Allowed::Yes => self.beyond_kept(now),
            other => other,
        }
    }

    /// Whether a request may be made for which credits were held back. What must be kept for others does not count
    /// here: an upload that is looked up late costs more than one that is looked up now.
    pub fn allow_held_back(&mut self, now: Elapsed) -> Allowed {
        self.within_max(now, 0)
    }

    fn within_max(&mut self, now: Elapsed, held_back: u64) -> Allowed {
        self.give_back(now);
        let Some(max) = self.max else { return Allowed::Yes };
        if self.used + 1 + held_back <= max {
            return Allowed::Yes;
        }
        match self.spent.front() {
            Some(&(at, _)) if self.wait && max > held_back => Allowed::Wait(at + GIVEN_BACK_AFTER + GRAIN),
            _ => Allowed::OverMax,
        }
    }

    fn beyond_kept(&mut self, now: Elapsed) -> Allowed {
        match self.left {
            Some((_, left)) if left > self.keep => Allowed::Yes,
            None => Allowed::Yes,
            Some((_, left)) if !self.wait => Allowed::Kept(left),
            Some((heard, _)) if now < heard + ASK_AGAIN_AFTER => Allowed::Wait(heard + ASK_AGAIN_AFTER),
            Some(_) => {
                // Nobody knows until somebody asks.
                self.left = None;
                Allowed::Yes
            }
        }
    }

    /// So many credits are used.
    pub fn spend(&mut self, now: Elapsed, count: u64) {
        self.used += count;
        if let Some((_, left)) = &mut self.left {
            *left = left.saturating_sub(count);
        }
        if self.wait && self.max.is_some() {
            match self.spent.back_mut() {
                Some((at, spent)) if now - *at < GRAIN => *spent += count,
                _ => self.spent.push_back((now, count)),
            }
        }
    }

    /// The service says that it has so many left.
    pub fn learn(&mut self, now: Elapsed, left: u64) {
        self.left = Some((now, left));
    }

    /// How many are left, as far as the service has said.
    pub fn left(&self) -> Option<u64> {
        self.left.map(|(_, left)| left)
    }

    fn give_back(&mut self, now: Elapsed) {
        // The last use within a grain decides, so that nothing is given back too early.
        while let Some(&(at, count)) = self.spent.front()
            && now >= at + GIVEN_BACK_AFTER + GRAIN
        {
            self.used = self.used.saturating_sub(count);
            self.spent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Elapsed {
        Elapsed::from_secs(seconds)
    }

    #[test]
    fn a_run_never_uses_more_than_its_budget_less_what_is_held_back() {
        let mut credits = Credits::new(Some(5), 0, false);
        let mut used = 0;
        while credits.allow(s(0), 2) == Allowed::Yes {
            credits.spend(s(0), 1);
            used += 1;
        }
        assert_eq!(used, 3);
        assert_eq!(credits.allow(s(0), 2), Allowed::OverMax);
        assert_eq!(credits.allow_held_back(s(0)), Allowed::Yes);
        credits.spend(s(0), 2);
        assert_eq!(credits.allow_held_back(s(0)), Allowed::OverMax);
    }

    #[test]
    fn a_run_that_waits_goes_on_when_used_credits_come_back() {
        let mut credits = Credits::new(Some(2), 0, true);
        credits.spend(s(10), 1);
        credits.spend(s(30), 1);
        let Allowed::Wait(until) = credits.allow(s(40), 0) else { panic!("must wait") };
        assert!(until >= s(86_400 + 10));
        assert!(matches!(credits.allow(s(86_400 + 20), 0), Allowed::Wait(_)), "the second use is too young");
        assert_eq!(credits.allow(s(86_400 + 70), 0), Allowed::Yes);
    }

    #[test]
    fn a_budget_smaller_than_what_is_held_back_is_not_waited_for() {
        let mut credits = Credits::new(Some(2), 0, true);
        credits.spend(s(0), 1);
        assert_eq!(credits.allow(s(0), 2), Allowed::OverMax);
    }

    #[test]
    fn what_must_be_kept_for_others_is_kept() {
        let mut credits = Credits::new(None, 500, false);
        assert_eq!(credits.allow(s(0), 0), Allowed::Yes, "nothing is known yet");
        credits.learn(s(0), 502);
        assert_eq!(credits.allow(s(0), 0), Allowed::Yes);
        credits.spend(s(0), 2);
        assert_eq!(credits.allow(s(0), 0), Allowed::Kept(500));
    }

    #[test]
    fn waiting_for_the_service_means_asking_again_after_an_hour() {
        let mut credits = Credits::new(None, 500, true);
        credits.learn(s(100), 400);
        assert_eq!(credits.allow(s(101), 0), Allowed::Wait(s(3_700)));
        assert_eq!(credits.allow(s(3_700), 0), Allowed::Yes);
    }
}
