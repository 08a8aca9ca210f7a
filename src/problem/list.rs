//! All problems of one manifest, in bounded memory: the first thousand of each code in full, and of the others how many
//! there are, where, and which rows have them.

use std::collections::BTreeMap;
use std::ops::Deref;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Problem, ProblemCode, Severity};

/// So many problems of each code are kept in full. Nobody reads more of one kind; whoever mends by program has the rows
/// with their codes.
const KEPT_OF_EACH: u32 = 1_000;

/// The problems of a manifest. It can be read as a slice of those that are kept in full.
#[derive(Clone, Default, Debug)]
pub struct ProblemList {
    kept: Vec<Problem>,
    /// How many of a code are kept, by code, and apart those of rows and those of the whole file: what ends the reading must
    /// not drown in what stands in rows.
    kept_of: BTreeMap<(ProblemCode, bool), u32>,
    /// The problems of rows beyond those. One row's problems of one code that follow each other are one entry.
    rows: Vec<RowProblem>,
    /// What else is known of those beyond, by code.
    beyond: BTreeMap<ProblemCode, Beyond>,
    /// All that were ever added.
    total: usize,
}

/// That a row has a problem of this code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RowProblem {
    /// Which row, from 1.
    pub row: u32,
    /// What is wrong with it.
    pub code: ProblemCode,
    /// How much that weighs.
    pub severity: Severity,
}

/// What is known of the problems of one code that are not kept.
#[derive(Clone, Copy, Default, Debug)]
struct Beyond {
    /// How many are not in [`ProblemList::rows`]: of the whole file, or of a row that is there already.
    apart: u64,
    /// The first and the last line that has one; `None` while none has a line.
    lines: Option<(u32, u32)>,
}

/// How many problems of a code there are beyond those that are listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct MoreProblems {
    /// Which kind of problem.
    #[schemars(with = "String")]
    pub code: ProblemCode,
    /// How much they weigh in this run.
    pub severity: Severity,
    /// How many there are.
    pub count: u64,
    /// The first line that has one; null where none is about a line.
    pub first_line: Option<u32>,
    /// The last line that has one.
    pub last_line: Option<u32>,
}

impl Deref for ProblemList {
    type Target = [Problem];

    fn deref(&self) -> &[Problem] {
        &self.kept
    }
}

impl From<Vec<Problem>> for ProblemList {
    fn from(problems: Vec<Problem>) -> ProblemList {
        let mut list = ProblemList::default();
        list.extend(problems);
        list
    }
}

impl Extend<Problem> for ProblemList {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        for problem in problems {
            self.push(problem);
        }
    }
}

impl ProblemList {
    /// Adds a problem.
    pub fn push(&mut self, problem: Problem) {
        self.total += 1;
        let kept = self.kept_of.entry((problem.code, problem.row.is_some())).or_default();
        if *kept < KEPT_OF_EACH {
            *kept += 1;
            self.kept.push(problem);
            return;
        }
        let beyond = self.beyond.entry(problem.code).or_default();
        if let Some(line) = problem.line {
            let (first, last) = beyond.lines.unwrap_or((line, line));
            beyond.lines = Some((first.min(line), last.max(line)));
        }
        let entry = problem.row.map(|row| RowProblem { row, code: problem.code, severity: problem.severity });
        match entry.filter(|entry| self.rows.last() != Some(entry)) {
            Some(entry) => self.rows.push(entry),
            None => beyond.apart += 1,
        }
    }

    /// How many were added, kept or not.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Whether one of them is an error.
    pub fn has_error(&self) -> bool {
        self.kept.iter().any(|problem| problem.severity == Severity::Error)
            || self.rows.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Takes out what is no error and about one of these rows.
    pub fn forget_warnings(&mut self, of: impl Fn(u32) -> bool) {
        let stays = |row: Option<u32>, severity: Severity| severity == Severity::Error || !row.is_some_and(&of);
        let before = self.kept.len() + self.rows.len();
        self.kept.retain(|problem| stays(problem.row, problem.severity));
        self.rows.retain(|problem| stays(Some(problem.row), problem.severity));
        self.total -= before - self.kept.len() - self.rows.len();
    }

    /// Makes errors of the warnings about rows, and of those of this code.
    pub fn make_errors_of_warnings(&mut self, and_of: ProblemCode) {
        for problem in &mut self.kept {
            if problem.severity == Severity::Warning && (problem.row.is_some() || problem.code == and_of) {
                problem.severity = Severity::Error;
            }
        }
        for problem in self.rows.iter_mut().filter(|problem| problem.severity == Severity::Warning) {
            problem.severity = Severity::Error;
        }
    }

    /// Looks once more at the problems of rows of this code, given the row and, of those that are kept in full, the problem
    /// itself; those that are not to stay are taken away.
    pub fn revise(&mut self, code: ProblemCode, stays: &mut dyn FnMut(u32, Option<&mut Problem>) -> bool) {
        let before = self.kept.len() + self.rows.len();
        self.kept.retain_mut(|problem| match problem.row {
            Some(row) if problem.code == code => stays(row, Some(problem)),
            _ => true,
        });
        self.rows.retain(|problem| problem.code != code || stays(problem.row, None));
        self.total -= before - self.kept.len() - self.rows.len();
    }

    /// Puts them in order: those of the whole file first, then by line. What is asked of rows needs it.
    pub fn sort(&mut self) {
        self.kept.sort_by_key(|problem| (problem.line, problem.column, problem.row));
        self.rows.sort_unstable();
    }

    /// The problems of rows that are not kept in full, by row.
    pub fn beyond(&self) -> &[RowProblem] {
        &self.rows
    }

    /// Those of one row that are not kept in full. The list must be in order.
    pub fn beyond_of(&self, row: u32) -> &[RowProblem] {
        let from = self.rows.partition_point(|problem| problem.row < row);
        let rest = self.rows.get(from..).unwrap_or_default();
        rest.get(..rest.iter().take_while(|problem| problem.row == row).count()).unwrap_or_default()
    }

    /// The codes of the errors of each row that has any, row by row, each code once. The list must be in order.
    pub fn errors_by_row(&self, each: &mut dyn FnMut(&[ProblemCode])) {
        let is_error = |problem: &RowProblem| problem.severity == Severity::Error;
        let of_kept = |problem: &Problem| {
            let row = problem.row?;
            Some(RowProblem { row, code: problem.code, severity: problem.severity })
        };
        let mut kept: Vec<RowProblem> = self.kept.iter().filter_map(of_kept).filter(is_error).collect();
        kept.sort_unstable();
        let (mut kept, mut beyond) =
            (kept.into_iter().peekable(), self.rows.iter().copied().filter(is_error).peekable());
        let mut codes = Vec::new();
        while let Some(row) = kept.peek().into_iter().chain(beyond.peek()).map(|problem| problem.row).min() {
            codes.clear();
            codes.extend(std::iter::from_fn(|| kept.next_if(|problem| problem.row == row)).map(|problem| problem.code));
            codes.extend(
                std::iter::from_fn(|| beyond.next_if(|problem| problem.row == row)).map(|problem| problem.code),
            );
            codes.sort_unstable();
            codes.dedup();
            each(&codes);
        }
    }

    /// How many there are of each code and weight beyond those that are kept.
    pub fn more(&self) -> Vec<MoreProblems> {
        let mut counts: BTreeMap<(Severity, ProblemCode), u64> = BTreeMap::new();
        for problem in &self.rows {
            *counts.entry((problem.severity, problem.code)).or_default() += 1;
        }
        for (code, beyond) in self.beyond.iter().filter(|(_, beyond)| beyond.apart > 0) {
            *counts.entry((code.severity(), *code)).or_default() += beyond.apart;
        }
        let more = counts.into_iter().map(|((severity, code), count)| {
            let lines = self.beyond.get(&code).and_then(|beyond| beyond.lines).unzip();
            MoreProblems { code, severity, count, first_line: lines.0, last_line: lines.1 }
        });
        more.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(code: ProblemCode, row: u32) -> Problem {
        Problem::new(code, "wrong", "mend it").on_line(row + 1).in_row(row)
    }

    #[test]
    fn all_are_counted_and_the_first_thousand_of_each_code_are_kept() {
        let mut list = ProblemList::default();
        for row in 1..=2_500 {
            list.push(problem(ProblemCode::FileMissing, row));
        }
        list.push(problem(ProblemCode::ModuleUnknown, 2_400));
        assert_eq!((list.total(), list.len()), (2_501, 1_001));
        assert_eq!(
            list.more(),
            [MoreProblems {
                code: ProblemCode::FileMissing,
                severity: Severity::Error,
                count: 1_500,
                first_line: Some(1_002),
                last_line: Some(2_501)
            }]
        );
        list.sort();
        let mut rows = Vec::new();
        list.errors_by_row(&mut |codes| rows.push(codes.len()));
        assert_eq!((rows.len(), rows.iter().filter(|codes| **codes == 2).count()), (2_500, 1));
        assert_eq!(list.beyond_of(2_400).len(), 1);
        assert_eq!(list.beyond_of(1_000), []);
    }

    #[test]
    fn what_turns_out_to_be_no_problem_is_taken_away_and_others_stay() {
        let mut list = ProblemList::default();
        for row in 1..=1_500 {
            list.push(problem(ProblemCode::RecordRounded, row));
            list.push(problem(ProblemCode::FileMissing, row));
        }
        list.revise(ProblemCode::RecordRounded, &mut |row, problem| {
            problem.into_iter().for_each(|problem| problem.hint = "look again".to_owned());
            row % 2 == 0
        });
        assert_eq!(list.total(), 2_250);
        let rounded: Vec<_> = list.iter().filter(|problem| problem.code == ProblemCode::RecordRounded).collect();
        assert!(
            rounded.iter().all(|problem| problem.row.is_some_and(|row| row % 2 == 0) && problem.hint == "look again")
        );
        assert_eq!((rounded.len(), list.more().iter().map(|more| more.count).sum::<u64>()), (500, 750));
    }

    #[test]
    fn warnings_about_some_rows_are_forgotten_and_errors_never() {
        let mut list = ProblemList::default();
        (1..=1_002).for_each(|row| list.push(problem(ProblemCode::RecordRounded, row)));
        list.push(problem(ProblemCode::KeyUnknown, 7));
        list.forget_warnings(|row| row != 3 && row != 1_001);
        assert_eq!((list.total(), list.len(), list.beyond().len()), (3, 2, 1));
        assert!(list.has_error());
    }

    #[test]
    fn one_row_with_a_million_problems_takes_no_room() {
        let mut list = ProblemList::default();
        for _ in 0..5_000 {
            list.push(problem(ProblemCode::KeyUnknown, 7));
        }
        assert_eq!(list.beyond().len(), 1);
        assert_eq!(list.more()[0].count, 4_000);
    }
}
