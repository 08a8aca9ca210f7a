//! What only all record ids together can tell: a spreadsheet that rounded them, ids of two organisations.

use super::CheckFinding;
use super::record::{digits, looks_rounded, organisation};
use crate::problem::{Place, Problem, ProblemCode, Severity, remedies};
use crate::units::{count, counted};
use crate::upload::RecordId;

/// More organisations than this are not told apart.
const MAX_ORGANISATIONS: usize = 50;

/// Counts as ids come by.
#[derive(Default)]
pub(super) struct Ids {
    organisations: Vec<IdOrganisation>,
    /// Where ids stand that look rounded. What that means, only all of them together tell.
    rounded: Vec<RoundedId>,
}

/// A place where an id stands that looks rounded.
#[derive(Clone, Copy)]
struct RoundedId {
    id: RecordId,
    place: Place,
    /// The number of the row; 0 for the defaults.
    row: u32,
    /// The column that names the record: its id, or its key.
    column: &'static str,
}

/// What it means that some of the ids of one length end in zeros.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum RoundedShare {
    /// About as many as chance makes.
    Chance,
    /// More than that, but not most of them.
    Odd,
    /// At least 3, and at least half of all: a spreadsheet did it.
    Spreadsheet,
}

impl RoundedShare {
    /// Of so many different ids with so many digits, so many look rounded.
    ///
    /// The digits behind the 15th of an id that nobody damaged are as good as random: one in 100 ids of 17 digits has zeros
    /// there, one in 1,000 of 18, one in 10,000 of 19. So of 200,000 ids of 18 digits about 200 do, and warnings about each
    /// would hide the ones that matter. Up to three standard deviations above what is expected counts as chance (the counts
    /// are as those of rare events, so the deviation is the root of the expected): one of 92 ids of 18 digits, the first
    /// number for which one is no surprise.
    fn of(digits: usize, rounded: usize, all: usize) -> RoundedShare {
        if rounded >= 3 && 2 * rounded >= all {
            return RoundedShare::Spreadsheet;
        }
        let lost = i32::try_from(digits.saturating_sub(KEPT_DIGITS)).unwrap_or(i32::MAX);
        let expected = all as f64 * 0.1_f64.powi(lost);
        if rounded as f64 <= expected + 3.0 * expected.sqrt() { RoundedShare::Chance } else { RoundedShare::Odd }
    }
}

/// So many digits of a number a spreadsheet keeps.
const KEPT_DIGITS: usize = 15;

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

    /// Notes that an id looks rounded, and where it stands. `row`: 0 for the defaults.
    pub(super) fn add_rounded(&mut self, id: RecordId, place: Place, row: u32, column: &'static str) {
        self.rounded.push(RoundedId { id, place, row, column });
    }

    /// What is to be said of ids that look rounded: an error for each where a spreadsheet did it, unless that is `allowed`; a
    /// warning for each where they are more than chance makes; else one note for all. `is_done`: of which rows nothing is to
    /// be said, since earlier runs have settled them. `all`: the ids of all rows.
    pub(super) fn judge_rounded(
        &self,
        mut all: Vec<RecordId>,
        allowed: bool,
        is_done: impl Fn(u32) -> bool,
    ) -> Vec<Problem> {
        if self.rounded.is_empty() {
            return Vec::new();
        }
        all.sort_unstable();
        all.dedup();
        let mut problems = Vec::new();
        for length in 17..=19 {
            let of_length = || all.iter().copied().filter(|id| digits(*id) == length);
            let (rounded, of) = (of_length().filter(|id| looks_rounded(*id)).count(), of_length().count());
            let share = RoundedShare::of(length, rounded, of);
            let told: Vec<&RoundedId> =
                self.rounded.iter().filter(|at| digits(at.id) == length && !is_done(at.row)).collect();
            if share == RoundedShare::Chance {
                problems.extend(by_chance(&told, of));
            } else {
                let damaged = share == RoundedShare::Spreadsheet && !allowed;
                problems.extend(told.iter().map(|at| at.problem(damaged)));
            }
        }
        problems
    }
}

impl RoundedId {
    fn problem(self, damaged: bool) -> Problem {
        let message = format!("the record id {} ends in zeros, as if a spreadsheet had rounded it", self.id);
        let problem = Problem::new(ProblemCode::RecordRounded, message, remedies::ALLOW_ROUNDED).at(self.place);
        let mut problem = if self.row == 0 { problem } else { problem.in_row(self.row) };
        if damaged {
            problem.severity = Severity::Error;
        }
        problem.about(self.column, &self.id.to_string())
    }
}

/// One note for ids that end in zeros by chance.
fn by_chance(told: &[&RoundedId], all: usize) -> Option<Problem> {
    let first = told.first()?;
    let places: Vec<String> = told.iter().take(3).map(|at| at.place.line.to_string()).collect();
    let message = format!(
        "{} {} in zeros, about as many as chance makes of {} (line {}{})",
        counted(told.len(), "record id"),
        if told.len() == 1 { "ends" } else { "end" },
        counted(all, "different id"),
        places.join(", "),
        if told.len() > places.len() {
            format!(" and {} more", count(told.len() - places.len()))
        } else {
            String::new()
        }
    );
    Some(Problem::new(ProblemCode::RecordZerosByChance, message, "").at(first.place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_at_the_end_of_ids_are_weighed_against_what_chance_makes() {
        for (digits, rounded, all, share) in [
            (18, 1, 1, RoundedShare::Odd),
            (18, 1, 90, RoundedShare::Odd),
            (18, 1, 92, RoundedShare::Chance),
            (18, 210, 200_000, RoundedShare::Chance),
            (18, 300, 200_000, RoundedShare::Odd),
            (18, 100_000, 200_000, RoundedShare::Spreadsheet),
            (17, 2_000, 200_000, RoundedShare::Chance),
            (19, 30, 200_000, RoundedShare::Chance),
            (19, 40, 200_000, RoundedShare::Odd),
            (18, 2, 3, RoundedShare::Odd),
            (18, 3, 6, RoundedShare::Spreadsheet),
            (18, 3, 7, RoundedShare::Odd),
        ] {
            assert_eq!(RoundedShare::of(digits, rounded, all), share, "{rounded} of {all} with {digits} digits");
        }
    }
}
