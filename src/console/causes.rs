//! Gathers the rows that did not end well by their cause, with the first few of each: what a summary shows of them.

use schemars::JsonSchema;
use serde::Serialize;

use super::names::JobName;
use crate::outcome::{Outcome, Status};

/// Rows of one cause that are kept.
const FIRST: usize = 5;

/// Causes that are kept apart; a service that made up a new code for each row must not fill the memory.
const MOST_CAUSES: usize = 200;

/// Rows that ended alike.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Cause")]
pub struct FailureCause {
    /// Their status in the results.
    pub status: String,
    /// Their code in the results.
    pub code: String,
    /// How many they are.
    pub rows: u64,
    /// The words of the first of them: the service's own, or ours.
    pub message: String,
    /// The first few.
    pub first: Vec<CauseRow>,
}

/// One row among them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Row")]
pub struct CauseRow {
    /// Its line in the manifest; null if it is no longer there.
    pub line: Option<u32>,
    /// The module's API name.
    pub module: String,
    /// The record's id.
    pub record: String,
    /// The path or address as written.
    pub source: String,
}

/// The causes of a run so far.
#[derive(Clone, Default, Debug)]
pub struct Causes(Vec<FailureCause>);

impl Causes {
    /// Takes in one more row; the ones that ended well are left aside.
    pub fn add(&mut self, outcome: &Outcome, name: impl FnOnce() -> JobName) {
        if matches!(outcome.status, Status::Uploaded | Status::AlreadyPresent) {
            return;
        }
        let status = outcome.status.as_str();
        let known = self.0.iter().position(|cause| cause.status == status && cause.code == outcome.code);
        let at = match known {
            Some(at) => at,
            None if self.0.len() < MOST_CAUSES => {
                self.0.push(FailureCause {
                    status: status.to_owned(),
                    code: outcome.code.clone(),
                    rows: 0,
                    message: outcome.message.clone(),
                    first: Vec::new(),
                });
                self.0.len() - 1
            }
            None => self.0.len() - 1,
        };
        let Some(cause) = self.0.get_mut(at) else { return };
        cause.rows += 1;
        if cause.first.len() < FIRST {
            let JobName { line, module, record, source, .. } = name();
            cause.first.push(CauseRow { line, module, record, source });
        }
    }

    /// The causes, those of most rows first; rows that were merely not sent come last.
    pub fn worst_first(mut self) -> Vec<FailureCause> {
        self.0.sort_by_key(|cause| (cause.status == Status::NotSent.as_str(), std::cmp::Reverse(cause.rows)));
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::run_tally::tests::ended;
    use super::*;

    fn name(line: u32) -> JobName {
        JobName {
            line: Some(line),
            module: "Leads".to_owned(),
            record: "738964000000291009".to_owned(),
            source: "a.pdf".to_owned(),
            bytes: Some(1),
        }
    }

    #[test]
    fn rows_are_grouped_by_cause_and_only_the_first_few_are_kept() {
        let mut causes = Causes::default();
        for line in 2..20 {
            let failed = ended(line, Status::Failed, "INVALID_DATA", "the related id given seems to be invalid");
            causes.add(&failed.outcome, || name(line));
        }
        causes.add(&ended(20, Status::Unknown, "several-matches", "two are alike").outcome, || name(20));
        causes.add(&ended(21, Status::Uploaded, "", "").outcome, || panic!("not looked at"));
        let causes = causes.worst_first();
        assert_eq!(causes.iter().map(|cause| cause.rows).collect::<Vec<_>>(), [18, 1]);
        assert_eq!(causes[0].first.len(), FIRST);
        assert_eq!(causes[0].first[0].line, Some(2));
    }

    #[test]
    fn a_service_that_invents_codes_does_not_fill_the_memory() {
        let mut causes = Causes::default();
        for job in 0..1_000 {
            causes.add(&ended(job, Status::Failed, &format!("CODE_{job}"), "").outcome, || name(job));
        }
        let causes = causes.worst_first();
        assert_eq!(causes.len(), MOST_CAUSES);
        assert_eq!(causes.iter().map(|cause| cause.rows).sum::<u64>(), 1_000);
    }
}
