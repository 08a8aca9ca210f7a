//! The end of a check: weighs what was found, and lets through what may be sent.

use std::collections::HashMap;
use std::sync::Arc;

use super::Checkup;
use super::checked::Checked;
use super::checker::Checker;
use super::left_out::LeftOut;
use crate::manifest::ManifestInfo;
use crate::problem::{Extent, ProblemCode, Severity};

impl Checker<'_> {
    /// Weighs everything, and lets through what may be sent.
    pub(super) fn conclude(mut self, manifest: ManifestInfo, rows: u32) -> Checkup {
        if self.options.strict {
            self.problems.make_errors_of_warnings(ProblemCode::MixedOrganisations);
        }
        self.problems.sort();
        let mut first_error: HashMap<u32, usize> = HashMap::new();
        let mut fatal = self.problems.more().iter().any(|more| is_fatal(more.code, more.severity));
        for (ix, problem) in self.problems.iter().enumerate().filter(|(_, p)| p.severity == Severity::Error) {
            fatal |= problem.row.is_none() || is_fatal(problem.code, problem.severity);
            if let Some(row) = problem.row {
                first_error.entry(row).or_insert(ix);
            }
        }
        let wrong = self.wrong_rows(rows);
        let is_wrong = |row: u32| wrong.get(row as usize).copied().unwrap_or(false);
        let count = wrong.iter().filter(|wrong| **wrong).count();
        let sound = rows.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
        let keep: Vec<bool> = self.details.iter().map(|detail| !is_wrong(detail.number)).collect();
        let unsound = self.unsound(&keep, &first_error);
        let carried_columns = self.store.carried.columns.clone();
        let crosswalk = self.keys.info();
        let may_send = !fatal && sound > 0 && (count == 0 || self.options.skip_invalid);
        let checked = may_send.then(|| {
            let kept = |row: usize| keep.get(row).copied().unwrap_or(false);
            let ambiguous = self.ambiguous.kept(keep.len(), kept);
            self.store.modules = std::mem::take(&mut self.modules.used);
            self.store.keep(kept);
            Checked::new(self.store, manifest.base.clone(), ambiguous, Arc::clone(&unsound))
        });
        Checkup { manifest, problems: self.problems, rows, sound, carried_columns, unsound, crosswalk, checked }
    }

    /// By number, whether a row has an error, its own or one of the defaults.
    fn wrong_rows(&self, rows: u32) -> Vec<bool> {
        let mut wrong = vec![false; rows as usize + 1];
        let kept = self.problems.iter().filter(|problem| problem.severity == Severity::Error);
        let beyond = self.problems.beyond().iter().filter(|problem| problem.severity == Severity::Error);
        let own = kept.filter_map(|problem| problem.row).chain(beyond.map(|problem| problem.row));
        for row in own.chain(self.wrong_by_default.iter().copied()) {
            if let Some(wrong) = wrong.get_mut(row as usize) {
                *wrong = true;
            }
        }
        wrong
    }

    /// All rows that are not sound, with their first error.
    fn unsound(&mut self, keep: &[bool], first_error: &HashMap<u32, usize>) -> Arc<Vec<LeftOut>> {
        let mut unsound = std::mem::take(&mut self.incomplete);
        for (ix, detail) in self.details.iter().enumerate() {
            if !keep.get(ix).copied().unwrap_or(true) {
                unsound.push(self.store.left_out(&self.modules.used, ix, detail.number));
            }
        }
        unsound.sort_unstable_by_key(|left_out| left_out.row);
        // A row without an error of its own is wrong by a default, which is an error of the whole file.
        let of_all = self.problems.iter().find(|problem| problem.severity == Severity::Error && problem.row.is_none());
        for left_out in &mut unsound {
            let beyond =
                || self.problems.beyond_of(left_out.row).iter().find(|beyond| beyond.severity == Severity::Error);
            if let Some(error) = first_error.get(&left_out.row).and_then(|ix| self.problems.get(*ix)) {
                left_out.set_error(error.code, Some(&error.message));
            } else if let Some(error) = beyond() {
                left_out.set_error(error.code, None);
            } else if let Some(error) = of_all {
                left_out.set_error(error.code, Some(&error.message));
            }
        }
        unsound.into()
    }
}

/// Whether an error of this code is in the way of every row.
fn is_fatal(code: ProblemCode, severity: Severity) -> bool {
    severity == Severity::Error && code.extent() == Extent::Whole
}
