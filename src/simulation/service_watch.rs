//! What the service would notice of a run: how many requests come at once, how many in a time, how many altogether, and
//! whether they come while it asked for a pause.

use std::collections::VecDeque;
use std::time::Duration;

use crate::crm::limits::MOST_AT_ONCE;
use crate::engine::Policy;
use crate::reply::Reply;
use crate::units::Rate;

/// Watches one run.
pub(super) struct ServiceWatch {
    at_once: u32,
    rate: Rate,
    credits: Option<u64>,
    under_way: u32,
    requests: u64,
    /// When the requests of the last period came.
    recent: VecDeque<Duration>,
    /// Until when the service asked everybody to wait.
    pause: Duration,
}

impl ServiceWatch {
    pub(super) fn new(settings: &Policy) -> ServiceWatch {
        ServiceWatch {
            at_once: settings.concurrency.min(MOST_AT_ONCE),
            rate: settings.rate,
            credits: settings.max_credits,
            under_way: 0,
            requests: 0,
            recent: VecDeque::new(),
            pause: Duration::ZERO,
        }
    }

    /// A request comes.
    pub(super) fn request(&mut self, now: Duration) -> Result<(), String> {
        self.under_way += 1;
        self.requests += 1;
        if self.under_way > self.at_once {
            return Err(format!("{} requests at once, {} are allowed", self.under_way, self.at_once));
        }
        if self.credits.is_some_and(|most| self.requests > most) {
            return Err(format!("{} requests, {:?} credits are allowed", self.requests, self.credits));
        }
        if now < self.pause {
            return Err(format!("a request at {now:?}, the service asked to wait until {:?}", self.pause));
        }
        self.within_the_rate(now)
    }

    /// A request comes from a thread, which may have been held up between the engine's leave and this.
    pub(super) fn request_of_thread(&mut self, now: Duration) -> Result<(), String> {
        self.rate = Rate::Unlimited;
        self.pause = Duration::ZERO;
        self.request(now)
    }

    fn within_the_rate(&mut self, now: Duration) -> Result<(), String> {
        let Rate::Limited { count, per } = self.rate else { return Ok(()) };
        while self.recent.front().is_some_and(|at| *at + per <= now) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        // Where a second is counted, what may come at once comes on top of what trickles in.
        let burst = if per <= Duration::from_secs(1) { crate::engine::brakes::rate::burst(self.rate).get() } else { 0 };
        let most = (count.get() + burst) as usize;
        if self.recent.len() > most {
            return Err(format!("{} requests within {per:?}, the rate is {count}", self.recent.len()));
        }
        Ok(())
    }

    /// An answer that is no more than an answer is heard.
    pub(super) fn answered(&mut self) {
        self.under_way -= 1;
    }

    /// The request was given up before it left.
    pub(super) fn unsent(&mut self) {
        self.under_way -= 1;
    }

    /// An answer is heard.
    pub(super) fn heard<V>(&mut self, now: Duration, reply: &Reply<V>) {
        self.under_way -= 1;
        if let Some(wait) = reply.retry_after {
            self.pause = self.pause.max(now + wait);
        }
    }
}
