//! When to give up a module, or the whole run, because the same refusal comes again and again.

use crate::engine::policy::MaxFailures;
use crate::reply::FailedBy;

/// Refusals for want of permission in one module, in a row.
const PERMISSION: u32 = 5;
/// Record ids that the service does not know, in a row.
const RECORD: u32 = 50;
/// Refusals of one kind that is documented nowhere, in a row.
const UNLISTED: u32 = 5;

/// The streaks of one module.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ModuleStreak {
    permission: u32,
}

/// The streaks of the whole run.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RunStreak {
    record: u32,
    unlisted: u32,
    unlisted_code: String,
    ended: u32,
    failed: u32,
}

/// What a refusal leads to beyond its row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreakVerdict {
    /// Nothing.
    GoOn,
    /// No further row of the module.
    CloseModule,
    /// No further row at all: so many record ids in a row were unknown.
    StopForRecords(u32),
    /// No further row at all: so many refusals of one undocumented kind in a row.
    StopForUnlisted(u32),
}

impl RunStreak {
    /// A row went well.
    pub fn success(&mut self, module: &mut ModuleStreak) {
        *module = ModuleStreak::default();
        (self.record, self.unlisted) = (0, 0);
    }

    /// A row was refused for good.
    pub fn refusal(&mut self, module: &mut ModuleStreak, by: FailedBy, code: &str) -> StreakVerdict {
        match by {
            FailedBy::Module => StreakVerdict::CloseModule,
            FailedBy::Permission => {
                module.permission += 1;
                if module.permission >= PERMISSION { StreakVerdict::CloseModule } else { StreakVerdict::GoOn }
            }
            FailedBy::Record => {
                self.record += 1;
                if self.record >= RECORD { StreakVerdict::StopForRecords(self.record) } else { StreakVerdict::GoOn }
            }
            FailedBy::Unlisted => {
                if self.unlisted_code != code {
                    code.clone_into(&mut self.unlisted_code);
                    self.unlisted = 0;
                }
                self.unlisted += 1;
                if self.unlisted >= UNLISTED {
                    StreakVerdict::StopForUnlisted(self.unlisted)
                } else {
                    StreakVerdict::GoOn
                }
            }
            FailedBy::Row | FailedBy::File => StreakVerdict::GoOn,
        }
    }

    /// A row has ended; says whether that is one failure too many, and of how many rows.
    pub fn ended(&mut self, failed: bool, max: MaxFailures) -> Option<(u32, u32)> {
        self.ended += 1;
        self.failed += u32::from(failed);
        let too_many = match max {
            MaxFailures::Rows(rows) => failed && self.failed >= rows,
            MaxFailures::Percent(percent) => {
                failed
                    && self.ended >= MaxFailures::JUDGED_FROM
                    && u64::from(self.failed) * 100 >= u64::from(self.ended) * u64::from(percent)
            }
        };
        too_many.then_some((self.failed, self.ended))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [StreakVerdict; 0] = [];

    fn refuse(times: u32, by: FailedBy, code: &str) -> Vec<StreakVerdict> {
        let (mut run, mut module) = (RunStreak::default(), ModuleStreak::default());
        (0..times)
            .map(|_| run.refusal(&mut module, by, code))
            .filter(|judgement| *judgement != StreakVerdict::GoOn)
            .collect()
    }

    #[test]
    fn each_cause_has_its_own_patience() {
        assert_eq!(refuse(1, FailedBy::Module, "INVALID_MODULE"), [StreakVerdict::CloseModule]);
        assert_eq!(refuse(4, FailedBy::Permission, "NO_PERMISSION"), NONE);
        assert_eq!(refuse(5, FailedBy::Permission, "NO_PERMISSION"), [StreakVerdict::CloseModule]);
        assert_eq!(refuse(49, FailedBy::Record, "INVALID_DATA"), NONE);
        assert_eq!(refuse(50, FailedBy::Record, "INVALID_DATA"), [StreakVerdict::StopForRecords(50)]);
        assert_eq!(refuse(5, FailedBy::Unlisted, "NEW"), [StreakVerdict::StopForUnlisted(5)]);
        assert_eq!(refuse(500, FailedBy::Row, "INVALID_DATA"), NONE);
        assert_eq!(refuse(500, FailedBy::File, "file-gone"), NONE);
    }

    #[test]
    fn a_success_breaks_a_streak_and_another_code_begins_a_new_one() {
        let (mut run, mut module) = (RunStreak::default(), ModuleStreak::default());
        for _ in 0..4 {
            assert_eq!(run.refusal(&mut module, FailedBy::Permission, "NO_PERMISSION"), StreakVerdict::GoOn);
            assert_eq!(run.refusal(&mut module, FailedBy::Unlisted, "NEW"), StreakVerdict::GoOn);
        }
        run.success(&mut module);
        assert_eq!(run.refusal(&mut module, FailedBy::Permission, "NO_PERMISSION"), StreakVerdict::GoOn);
        for code in ["A", "B", "A", "B", "A", "B"] {
            assert_eq!(run.refusal(&mut module, FailedBy::Unlisted, code), StreakVerdict::GoOn);
        }
    }

    #[test]
    fn a_share_of_failures_is_judged_from_the_hundredth_row() {
        let mut run = RunStreak::default();
        let stops = |run: &mut RunStreak, failed| run.ended(failed, MaxFailures::Percent(90));
        for row in 0..99 {
            assert_eq!(stops(&mut run, row >= 5), None);
        }
        assert_eq!(stops(&mut run, true), Some((95, 100)));
        let mut run = RunStreak::default();
        assert!((0..1_000).all(|row| stops(&mut run, row % 8 != 0).is_none()), "87 % is not 90 %");
    }

    #[test]
    fn a_number_of_failures_is_taken_as_said() {
        let mut run = RunStreak::default();
        assert_eq!(run.ended(true, MaxFailures::Rows(2)), None);
        assert_eq!(run.ended(false, MaxFailures::Rows(2)), None);
        assert_eq!(run.ended(true, MaxFailures::Rows(2)), Some((2, 3)));
    }
}
