//! The way of an answer's body, without a server: for the fuzz targets.

use super::answer::{Answer, AnswerContent, Arrived};
use super::classify::{Ask, Exchange, classify};
use super::list::read_page;
use crate::reply::Verdict;

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AskedFor {
    /// To attach a file.
    File,
    /// To attach a link.
    Link,
    /// To list a record's attachments.
    List,
}

/// What an answer with this status and this body means. A list's body is read as a page, too.
pub fn verdict_of(asked: AskedFor, status: u16, body: &[u8]) -> Verdict {
    let ask = match asked {
        AskedFor::File => Ask::File,
        AskedFor::Link => Ask::Link,
        AskedFor::List => {
            // Either a page or a reason why it is none.
            let _ = read_page(Some(body));
            Ask::List
        }
    };
    let content = AnswerContent::of(&Arrived::Whole(body.to_vec()));
    let body = Some(body.to_vec());
    classify(
        ask,
        &Exchange::Answer(Answer { status, content, body, retry_after: None, credits_left: None, date: None }),
    )
}
