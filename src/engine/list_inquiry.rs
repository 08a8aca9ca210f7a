//! What is asked of the service about one record, question by question, until its list can be believed.
//!
//! A list proves that something is not there only if it is whole, and if it has all that is known to be there. An
//! attachment that the results hold and that the list lacks is asked for by its id: the service may list late or in part,
//! or somebody may have removed it. Pure; when a question goes out is the machine's business.

use super::{Clock, ListQuestion, Purpose, RecordClaims};
use crate::listing::{ListPage, ListReading};
use crate::reply::{AttachmentPresence, Listed};
#[cfg(test)]
use crate::simulation::mistakes::{Mistake, is_made};
use crate::upload::ServiceId;

/// So often the service must say that an attachment is gone: once could be the same mistake that the list makes.
const GONE_TIMES: u32 = 2;

/// The questions about one record that belong together.
#[derive(Debug)]
pub struct ListInquiry {
    purpose: Purpose,
    stage: InquiryStage,
}

#[derive(Debug)]
enum InquiryStage {
    /// Pages are being read.
    Pages(ListReading),
    /// The list is whole, but lacks attachments that the results hold.
    Lacking(LackingStage),
}

#[derive(Debug)]
struct LackingStage {
    list: RecordList,
    /// The attachment that is asked for.
    asked: ServiceId,
    /// How often it was said to be gone.
    said_gone: u32,
    /// Those to ask for after it.
    left: Vec<ServiceId>,
    /// Those that are gone for sure.
    gone: Vec<ServiceId>,
}

/// A list that can be believed, with what there is to compare it with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordList {
    /// Every attachment of the record.
    pub listed: Vec<Listed>,
    /// Every attachment that our results hold for the record, read after the list was.
    pub claimed: Vec<ServiceId>,
    /// Whose clock our own times come from.
    pub clock: Clock,
}

/// What follows from an answer.
#[derive(Debug)]
pub enum InquiryStep {
    /// Another question.
    Ask(ListInquiry),
    /// The list can be believed.
    Done {
        /// The list.
        list: RecordList,
        /// The attachments that our results hold, that it lacks, and that are gone for sure.
        gone: Vec<ServiceId>,
    },
    /// It cannot; to ask afresh may help.
    Unusable(String),
}

impl ListInquiry {
    /// An inquiry that begins with the first page.
    pub fn new(purpose: Purpose) -> ListInquiry {
        ListInquiry { purpose, stage: InquiryStage::Pages(ListReading::default()) }
    }

    /// What the record is listed for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// What to ask now.
    pub fn question(&self) -> ListQuestion {
        match &self.stage {
            InquiryStage::Pages(reading) => ListQuestion::Page(reading.next_page().clone()),
            InquiryStage::Lacking(stage) => ListQuestion::Attachment(stage.asked),
        }
    }

    /// Takes in the page that was asked for, and what the results hold, read after it. `excused` says which of their
    /// attachments need not be on the list.
    pub fn handle_page(
        self,
        page: ListPage,
        claims: &RecordClaims,
        clock: Clock,
        excused: impl Fn(ServiceId) -> bool,
    ) -> InquiryStep {
        let InquiryStage::Pages(mut reading) = self.stage else {
            return InquiryStep::Unusable("a page came that was not asked for".to_owned());
        };
        let listed = match reading.take(page) {
            Ok(Some(listed)) => listed,
            Ok(None) => return InquiryStep::Ask(ListInquiry { stage: InquiryStage::Pages(reading), ..self }),
            Err(why) => return InquiryStep::Unusable(why.to_owned()),
        };
        let is_listed = |id: &ServiceId| listed.iter().any(|listed| listed.id == *id);
        let mut left: Vec<ServiceId> =
            claims.expected.iter().copied().filter(|id| !is_listed(id) && !excused(*id)).collect();
        #[cfg(test)]
        if is_made(Mistake::BelievesPartialLists) {
            left.clear();
        }
        let list = RecordList { listed, claimed: claims.all.clone(), clock };
        match left.pop() {
            None => InquiryStep::Done { list, gone: Vec::new() },
            Some(asked) => {
                let stage = LackingStage { list, asked, said_gone: 0, left, gone: Vec::new() };
                InquiryStep::Ask(ListInquiry { stage: InquiryStage::Lacking(stage), ..self })
            }
        }
    }

    /// Takes in what the service says of the attachment that was asked for.
    pub fn handle_presence(self, presence: AttachmentPresence) -> InquiryStep {
        let InquiryStage::Lacking(mut stage) = self.stage else {
            return InquiryStep::Unusable("an attachment came that was not asked for".to_owned());
        };
        let asked = stage.asked;
        match presence {
            AttachmentPresence::There => {
                return InquiryStep::Unusable(format!("the list lacks attachment {asked}, which is there"));
            }
            AttachmentPresence::Untold => {
                return InquiryStep::Unusable(format!("the list lacks attachment {asked}, which the results hold"));
            }
            AttachmentPresence::Gone => stage.said_gone += 1,
        }
        if stage.said_gone == GONE_TIMES {
            stage.gone.push(asked);
            match stage.left.pop() {
                None => return InquiryStep::Done { list: stage.list, gone: stage.gone },
                Some(next) => (stage.asked, stage.said_gone) = (next, 0),
            }
        }
        InquiryStep::Ask(ListInquiry { stage: InquiryStage::Lacking(stage), ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::PageRequest;

    fn id(number: u64) -> ServiceId {
        ServiceId::new(number)
    }

    fn page(ids: &[u64], more: bool) -> ListPage {
        let entry = |number: &u64| Listed {
            id: id(*number),
            name: number.to_string(),
            size: Some(1),
            url: None,
            created: None,
            created_by: None,
            address_told: true,
        };
        ListPage { entries: ids.iter().map(entry).collect(), more: Some(more), ..ListPage::default() }
    }

    fn claims(ids: &[u64]) -> RecordClaims {
        let all: Vec<ServiceId> = ids.iter().map(|number| id(*number)).collect();
        RecordClaims { expected: all.clone(), all }
    }

    fn asked(step: InquiryStep) -> ListInquiry {
        match step {
            InquiryStep::Ask(inquiry) => inquiry,
            other => panic!("{other:?}"),
        }
    }

    fn list(ids: &[u64], held: &[u64]) -> InquiryStep {
        let inquiry = ListInquiry::new(Purpose::Settle);
        inquiry.handle_page(page(ids, false), &claims(held), Clock::Service, |_| false)
    }

    #[test]
    fn a_whole_list_that_has_all_that_is_held_is_believed_at_once() {
        let first = ListInquiry::new(Purpose::Settle);
        assert_eq!(first.question(), ListQuestion::Page(PageRequest::First));
        let second = asked(first.handle_page(page(&[1, 2], true), &claims(&[]), Clock::Service, |_| false));
        assert_eq!(second.question(), ListQuestion::Page(PageRequest::Number(2)));
        let done = second.handle_page(page(&[3], false), &claims(&[1, 3]), Clock::Service, |_| false);
        assert!(matches!(done, InquiryStep::Done { list, gone } if list.listed.len() == 3 && gone.is_empty()));
    }

    #[test]
    fn what_is_held_and_lacking_is_asked_for_and_must_be_said_to_be_gone_twice() {
        let inquiry = asked(list(&[1], &[1, 7, 8]));
        assert_eq!(inquiry.question(), ListQuestion::Attachment(id(8)));
        let inquiry = asked(inquiry.handle_presence(AttachmentPresence::Gone));
        assert_eq!(inquiry.question(), ListQuestion::Attachment(id(8)), "once is not enough");
        let inquiry = asked(inquiry.handle_presence(AttachmentPresence::Gone));
        assert_eq!(inquiry.question(), ListQuestion::Attachment(id(7)));
        let inquiry = asked(inquiry.handle_presence(AttachmentPresence::Gone));
        let done = inquiry.handle_presence(AttachmentPresence::Gone);
        assert!(matches!(done, InquiryStep::Done { gone, .. } if gone == [id(8), id(7)]));
    }

    #[test]
    fn a_list_that_lacks_what_is_there_or_may_be_there_is_not_believed() {
        for presence in [AttachmentPresence::There, AttachmentPresence::Untold] {
            let inquiry = asked(list(&[], &[7]));
            assert!(matches!(inquiry.handle_presence(presence), InquiryStep::Unusable(_)), "{presence:?}");
            let inquiry = asked(asked(list(&[], &[7])).handle_presence(AttachmentPresence::Gone));
            assert!(matches!(inquiry.handle_presence(presence), InquiryStep::Unusable(_)), "{presence:?}");
        }
    }

    #[test]
    fn what_is_excused_need_not_be_there() {
        let inquiry = ListInquiry::new(Purpose::Settle);
        let done = inquiry.handle_page(page(&[], false), &claims(&[7]), Clock::Service, |held| held == id(7));
        assert!(matches!(done, InquiryStep::Done { list, .. } if list.claimed == [id(7)]));
    }
}
