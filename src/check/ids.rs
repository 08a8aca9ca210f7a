//! What only all record ids together can tell: a spreadsheet that rounded them, ids of two organisations.

use super::CheckFinding;
use super::record::{digits, looks_rounded, organisation};
use crate::problem::{ProblemCode, ProblemIx};
use crate::upload::RecordId;

/// More organisations than this are not told apart.
const MAX_ORGANISATIONS: usize = 50;

/// Counts as ids come by.
#[derive(Default)]
pub(super) struct Ids {
    organisations: Vec<IdOrganisation>,
    /// Problems that were reported for rounded ids, by their places, and how many digits the id has.
    pub(super) rounded: Vec<(ProblemIx, usize)>,
}

struct IdOrganisation {
    prefix: u64,
    rows: u32,
    first_line: u32,
}

impl Ids {
    pub(super) fn add(&mut self, id: RecordId, line: u32) {
        let Some(prefix) = organisation(id) else { return };
        match self.organisations.iter_mut().find(|organisation| organisation.prefix == prefix) {
            Some(organisation) => organisation.rows = organisation.rows.saturating_add(1),
            None => {
                if self.organisations.len() < MAX_ORGANISATIONS {
                    self.organisations.push(IdOrganisation { prefix, rows: 1, first_line: line });
                }
            }
        }
    }

    /// Says so if there is more than one organisation.
    pub(super) fn mixed(&self) -> Option<CheckFinding> {
        let mut found: Vec<&IdOrganisation> = self.organisations.iter().collect();
        found.sort_by_key(|organisation| std::cmp::Reverse(organisation.rows));
        let [most, next, ..] = found.as_slice() else { return None };
        Some(CheckFinding::new(
            ProblemCode::MixedOrganisations,
            format!(
                "the record ids begin differently: {}… in {} rows, {}… in {} (first on line {}){}",
                most.prefix,
                most.rows,
                next.prefix,
                next.rows,
                next.first_line,
                if found.len() > 2 { ", and others" } else { "" }
            ),
            "check that all of them belong to the organisation that the run goes to",
        ))
    }

    /// Which lengths of ids a spreadsheet has rounded: at least 3 different rounded ones, at least half of all
    /// different ones of that length.
    pub(super) fn rounded_lengths(&self, mut ids: Vec<RecordId>) -> Vec<usize> {
        if self.rounded.is_empty() {
            return Vec::new();
        }
        ids.sort_unstable();
        ids.dedup();
        (17..=19)
            .filter(|length| {
                let of_length = || ids.iter().filter(|id| digits(**id) == *length);
                let rounded = of_length().filter(|id| looks_rounded(**id)).count();
                rounded >= 3 && 2 * rounded >= of_length().count()
            })
            .collect()
    }
}
