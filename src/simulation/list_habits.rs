//! Lists as they may be: without some entries now and then, cut in the middle, with entries that lack what is needed to
//! tell, at odds with themselves about where they end.
//!
//! Nothing can be proved against a service that hides an attachment in every list and shows all others; so what is left out
//! here can be noticed. A list lacks something that the results held before the run, too; or it lacks once in a run what
//! the next reading has.

use std::collections::{BTreeMap, BTreeSet};

use super::server::Made;
use crate::upload::{RecordId, ServiceId};

/// How a page of a list is at odds with itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PageQuirk {
    /// It ends in the middle.
    Cut,
    /// It says that more follows, and nothing does.
    EndlessEnd,
    /// Nothing at all, though the page before said that more follows; or though there are attachments.
    Empty,
    /// An entry lacks name and size.
    Lean,
    /// An entry stands on it twice.
    Twice,
}

/// What the lists of a service are like.
#[derive(Default)]
pub(super) struct ListHabits {
    /// Of 100 lists and pages, so many are not as they should be.
    percent: u8,
    /// Attachments that the results held when the run began: a list without one of them is not whole.
    held: BTreeSet<ServiceId>,
    /// What the list of a record lacks until it is asked for from its first page again.
    lacking: BTreeMap<RecordId, BTreeSet<ServiceId>>,
    /// Records whose list lacked, in this run, what nobody could miss.
    flapped: BTreeSet<RecordId>,
    /// Records of which a list, ever, may have left nobody able to tell.
    confusing: BTreeSet<RecordId>,
}

impl ListHabits {
    pub(super) fn draw(random: &mut fastrand::Rng) -> ListHabits {
        ListHabits { percent: [0, 0, 15, 50][random.usize(..4)], ..ListHabits::default() }
    }

    /// A run begins, whose results hold these attachments.
    pub(super) fn begin_run(&mut self, held: BTreeSet<ServiceId>) {
        self.held = held;
        self.lacking.clear();
        self.flapped.clear();
    }

    /// Whether a list of this record may have left nobody able to tell.
    pub(super) fn confused(&self, record: RecordId) -> bool {
        self.confusing.contains(&record)
    }

    fn strikes(&self, random: &mut fastrand::Rng, bad: bool) -> bool {
        bad && random.u8(..100) < self.percent
    }

    /// A list is asked for from its first page: decides what it is going to lack.
    pub(super) fn begin_list(&mut self, random: &mut fastrand::Rng, bad: bool, record: RecordId, all: &[&Made]) {
        self.lacking.remove(&record);
        if !self.strikes(random, bad) {
            return;
        }
        let (held, other): (Vec<&Made>, Vec<&Made>) =
            all.iter().copied().partition(|made| self.held.contains(&made.id));
        let mut lacking: BTreeSet<ServiceId> = BTreeSet::new();
        if !held.is_empty() && random.bool() {
            lacking.insert(held[random.usize(..held.len())].id);
            lacking.extend(all.iter().filter(|_| random.bool()).map(|made| made.id));
        } else if !other.is_empty() && self.flapped.insert(record) {
            self.confusing.insert(record);
            lacking.insert(other[random.usize(..other.len())].id);
            lacking.extend(other.iter().filter(|_| random.bool()).map(|made| made.id));
        }
        self.lacking.insert(record, lacking);
    }

    /// Whether the list of a record that is being read has this attachment.
    pub(super) fn shows(&self, record: RecordId, made: &Made) -> bool {
        self.lacking.get(&record).is_none_or(|lacking| !lacking.contains(&made.id))
    }

    /// What is wrong with a page, if anything is.
    pub(super) fn quirk(
        &mut self,
        random: &mut fastrand::Rng,
        bad: bool,
        record: RecordId,
        number: usize,
    ) -> Option<PageQuirk> {
        if !self.strikes(random, bad) {
            return None;
        }
        let quirk = match random.u8(..5) {
            0 => PageQuirk::Cut,
            1 => PageQuirk::EndlessEnd,
            // The first page may be empty where there is nothing.
            2 if number > 1 => PageQuirk::Empty,
            3 => PageQuirk::Lean,
            _ => PageQuirk::Twice,
        };
        if quirk == PageQuirk::Lean {
            self.confusing.insert(record);
        }
        Some(quirk)
    }
}
