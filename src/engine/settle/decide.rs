//! What follows from a record's list for its rows in doubt: found, absent or not to be told, and whether a row that is
//! absent goes again.

use super::compare::SettleFinding;
use crate::engine::{IfAbsent, PriorAttempt};
use crate::outcome::{OwnCode, Status};
use crate::reply::{DoubtBecause, Listed};

/// How often a row that was proved absent is sent again before it is given up.
const ROUNDS: u32 = 3;

/// What was found out about a row in doubt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SettleDecision {
    /// This attachment is the row's.
    Found(Listed),
    /// Nothing was created.
    Absent,
    /// It cannot be told, for this reason.
    Untold(OwnCode, String),
}

impl From<SettleFinding<'_>> for SettleDecision {
    fn from(finding: SettleFinding<'_>) -> SettleDecision {
        match finding {
            SettleFinding::Found(listed) => SettleDecision::Found(listed.clone()),
            SettleFinding::Absent => SettleDecision::Absent,
            SettleFinding::Several => {
                let message = "more than one attachment of the record could be this one".to_owned();
                SettleDecision::Untold(OwnCode::SeveralMatches, message)
            }
            SettleFinding::Untold(listed) => {
                let message = format!("the list does not say enough of attachment {} to tell", listed.id);
                SettleDecision::Untold(OwnCode::UncertainMatch, message)
            }
            SettleFinding::Uncertain(listed) => {
                let message = format!("attachment {} ({}) agrees with it in part only", listed.id, listed.name);
                SettleDecision::Untold(OwnCode::UncertainMatch, message)
            }
        }
    }
}

/// What a read of the record comes to for a row; `None`: the next read decides. An attachment that is there is there, so
/// one read proves it; that there is none, or that it cannot be told, takes two that agree. `absent_at_first` says whether
/// the first read did not have it; `None`: this is the first read.
pub fn after_read(finding: SettleDecision, absent_at_first: Option<bool>) -> Option<SettleDecision> {
    match (finding, absent_at_first) {
        (found @ SettleDecision::Found(_), _) => Some(found),
        (SettleDecision::Absent | SettleDecision::Untold(..), None) => None,
        (SettleDecision::Absent, Some(false)) => {
            let message = "an attachment that could be this one was listed and then was not".to_owned();
            Some(SettleDecision::Untold(OwnCode::UncertainMatch, message))
        }
        (decision, Some(_)) => Some(decision),
    }
}

/// What becomes of a row whose attachment was surely not created.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AfterAbsence {
    /// It is sent again.
    SendAgain,
    /// It ends by the answer that left it in doubt, in the service's words.
    EndByAnswer,
    /// It ends so.
    End(Status, OwnCode, String),
}

/// Decides what becomes of a row that was proved absent: why it was in doubt in this run, what an earlier run left, and
/// how often it was proved absent before.
pub fn after_absence(doubt: Option<DoubtBecause>, prior: Option<&PriorAttempt>, rounds: u32) -> AfterAbsence {
    if let Some((code, why)) = prior.and_then(|prior| kept_back(prior.if_absent)) {
        let message = format!("its answer was lost in an earlier run; the record does not have it, and {why}");
        AfterAbsence::End(Status::NotSent, code, message)
    } else if doubt.is_some_and(|because| because == DoubtBecause::FileChanged || because.is_refusal()) {
        AfterAbsence::EndByAnswer
    } else if rounds == ROUNDS {
        let times = ROUNDS + 1;
        let message = format!("sent {times} times; no answer came, and each time nothing had been created");
        AfterAbsence::End(Status::Failed, OwnCode::NoReply, message)
    } else {
        AfterAbsence::SendAgain
    }
}

/// Why a row that is proved absent is not sent again, if it is not.
fn kept_back(if_absent: IfAbsent) -> Option<(OwnCode, &'static str)> {
    match if_absent {
        IfAbsent::SendAgain => None,
        IfAbsent::NotInManifest => Some((OwnCode::NotInManifest, "the manifest no longer has the row")),
        IfAbsent::NotSelected => Some((OwnCode::NotSelected, "this run was told to send other rows")),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::engine::PriorDoubt;

    const UNTOLD: SettleDecision = SettleDecision::Untold(OwnCode::SeveralMatches, String::new());

    #[test]
    fn that_nothing_is_there_takes_two_reads_that_agree() {
        assert_eq!(after_read(SettleDecision::Absent, None), None);
        assert_eq!(after_read(SettleDecision::Absent, Some(true)), Some(SettleDecision::Absent));
        let flapped = after_read(SettleDecision::Absent, Some(false));
        assert!(matches!(flapped, Some(SettleDecision::Untold(OwnCode::UncertainMatch, _))));
        assert_eq!(after_read(UNTOLD, None), None);
        assert_eq!(after_read(UNTOLD, Some(true)), Some(UNTOLD));
    }

    #[test]
    fn a_row_proved_absent_ends_by_what_the_answer_was() {
        for (because, expected) in [
            (DoubtBecause::AnswerLost, AfterAbsence::SendAgain),
            (DoubtBecause::ServerError, AfterAbsence::SendAgain),
            (DoubtBecause::Unreadable, AfterAbsence::SendAgain),
            (DoubtBecause::TokenRefused, AfterAbsence::SendAgain),
            (DoubtBecause::Refused, AfterAbsence::EndByAnswer),
            (DoubtBecause::InternalError, AfterAbsence::EndByAnswer),
            (DoubtBecause::FileChanged, AfterAbsence::EndByAnswer),
        ] {
            assert_eq!(after_absence(Some(because), None, 0), expected, "{because:?}");
        }
        assert_eq!(after_absence(None, None, ROUNDS - 1), AfterAbsence::SendAgain);
        assert!(matches!(
            after_absence(Some(DoubtBecause::AnswerLost), None, ROUNDS),
            AfterAbsence::End(Status::Failed, OwnCode::NoReply, _)
        ));
    }

    #[test]
    fn a_row_that_has_left_the_manifest_or_was_not_chosen_is_never_sent_again() {
        let prior = |if_absent| PriorAttempt {
            sent_at: Timestamp::UNIX_EPOCH,
            size: None,
            was: PriorDoubt::InDoubt,
            if_absent,
            refusal: None,
        };
        for (if_absent, code) in
            [(IfAbsent::NotInManifest, OwnCode::NotInManifest), (IfAbsent::NotSelected, OwnCode::NotSelected)]
        {
            let after = after_absence(Some(DoubtBecause::AnswerLost), Some(&prior(if_absent)), 0);
            assert!(matches!(after, AfterAbsence::End(Status::NotSent, said, _) if said == code), "{after:?}");
        }
        assert_eq!(after_absence(None, Some(&prior(IfAbsent::SendAgain)), 0), AfterAbsence::SendAgain);
    }
}
