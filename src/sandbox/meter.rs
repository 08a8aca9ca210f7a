//! Counts what the server is asked for, and holds the limits on calls under way and on credits.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde::Serialize;

use super::route::{Call, CrmCall};

/// Counters of a server, as `GET /_sandbox/stats` tells them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
pub struct Stats {
    /// Requests to upload a file or a link, refused ones too.
    pub uploads: u64,
    /// Requests for a page of a record's list.
    pub lists: u64,
    /// Requests for the bytes of an attachment.
    pub downloads: u64,
    /// Requests to delete.
    pub deletes: u64,
    /// Requests for records, modules, users and the organisation.
    pub others: u64,
    /// Requests for an access token.
    pub tokens: u64,
    /// Requests that followed a redirect.
    pub redirected: u64,
    /// Calls refused because too many were under way.
    pub too_many: u64,
    /// Calls refused because no credits were left.
    pub out_of_credits: u64,
    /// Faults that struck.
    pub faults: u64,
    /// The most calls that were under way at the same time, refused ones apart.
    pub most_in_flight: usize,
    /// Credits used.
    pub credits_used: u64,
}

/// The counters and limits.
#[derive(Debug)]
pub(super) struct Meter {
    counts: MeterCounts,
    in_flight: AtomicUsize,
    max_in_flight: Option<usize>,
    credits: Option<u64>,
}

#[derive(Default, Debug)]
struct MeterCounts {
    uploads: AtomicU64,
    lists: AtomicU64,
    downloads: AtomicU64,
    deletes: AtomicU64,
    others: AtomicU64,
    tokens: AtomicU64,
    redirected: AtomicU64,
    too_many: AtomicU64,
    out_of_credits: AtomicU64,
    faults: AtomicU64,
    most_in_flight: AtomicUsize,
    credits_used: AtomicU64,
}

/// A call that is under way; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct InFlight<'m>(&'m AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Which limit a call ran into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Limit {
    Concurrency,
    Credits,
}

impl Meter {
    pub(super) fn new(max_in_flight: Option<usize>, credits: Option<u64>) -> Meter {
        Meter { counts: MeterCounts::default(), in_flight: AtomicUsize::new(0), max_in_flight, credits }
    }

    pub(super) fn count(&self, call: &Call) {
        let counter = match call {
            Call::Created | Call::Stats => return,
            Call::Redirected => &self.counts.redirected,
            Call::Token => &self.counts.tokens,
            Call::Crm(_, CrmCall::Upload(_)) => &self.counts.uploads,
            Call::Crm(_, CrmCall::List(_)) => &self.counts.lists,
            Call::Crm(_, CrmCall::Download(..)) => &self.counts.downloads,
            Call::Crm(_, CrmCall::Delete(..) | CrmCall::DeleteMany(_)) => &self.counts.deletes,
            Call::Crm(..) => &self.counts.others,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_fault(&self) {
        self.counts.faults.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets a call of the CRM in and takes its credits, or says which limit keeps it out. What is kept out costs nothing.
    pub(super) fn enter(&self, price: u64) -> Result<InFlight<'_>, Limit> {
        let max = self.max_in_flight.unwrap_or(usize::MAX);
        let one_more = |now: usize| (now < max).then(|| now + 1);
        let Ok(before) = self.in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more) else {
            self.counts.too_many.fetch_add(1, Ordering::Relaxed);
            return Err(Limit::Concurrency);
        };
        let slot = InFlight(&self.in_flight);
        let limit = self.credits.unwrap_or(u64::MAX);
        let take = |used: u64| (used < limit).then(|| used + price);
        if self.counts.credits_used.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_err() {
            self.counts.out_of_credits.fetch_add(1, Ordering::Relaxed);
            return Err(Limit::Credits);
        }
        self.counts.most_in_flight.fetch_max(before + 1, Ordering::Relaxed);
        Ok(slot)
    }

    /// Takes what a call costs beyond what it was let in for, known only once it is understood.
    pub(super) fn spend(&self, credits: u64) {
        self.counts.credits_used.fetch_add(credits, Ordering::AcqRel);
    }

    /// The credits left, once at least half of them are used: then the service begins to tell.
    pub(super) fn credits_to_tell(&self) -> Option<u64> {
        let credits = self.credits?;
        let used = self.counts.credits_used.load(Ordering::Acquire);
        (used.saturating_mul(2) >= credits).then(|| credits.saturating_sub(used))
    }

    pub(super) fn stats(&self) -> Stats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            uploads: get(&self.counts.uploads),
            lists: get(&self.counts.lists),
            downloads: get(&self.counts.downloads),
            deletes: get(&self.counts.deletes),
            others: get(&self.counts.others),
            tokens: get(&self.counts.tokens),
            redirected: get(&self.counts.redirected),
            too_many: get(&self.counts.too_many),
            out_of_credits: get(&self.counts.out_of_credits),
            faults: get(&self.counts.faults),
            most_in_flight: self.counts.most_in_flight.load(Ordering::Relaxed),
            credits_used: get(&self.counts.credits_used),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_too_many_is_kept_out_until_another_ends() {
        let meter = Meter::new(Some(2), None);
        let first = meter.enter(1).unwrap();
        let _second = meter.enter(1).unwrap();
        assert_eq!(meter.enter(1).unwrap_err(), Limit::Concurrency);
        drop(first);
        assert!(meter.enter(1).is_ok());
        assert_eq!((meter.stats().most_in_flight, meter.stats().too_many), (2, 1));
    }

    #[test]
    fn the_credits_left_are_told_from_the_middle_on() {
        let meter = Meter::new(None, Some(4));
        let told: Vec<Option<u64>> = (0..4)
            .map(|_| {
                let _call = meter.enter(1).unwrap();
                meter.credits_to_tell()
            })
            .collect();
        assert_eq!(told, [None, Some(2), Some(1), Some(0)]);
        assert_eq!(meter.enter(1).unwrap_err(), Limit::Credits);
        assert_eq!(meter.stats().credits_used, 4);
    }
}
