//! What is told of each request to whoever wants to hear it: what was asked for, what came back, how long it took, in the
//! words of the service's own reference. Bodies, headers and tokens are not told, and of a query nothing.

use std::fmt::Write as _;
use std::time::Instant;

use ureq::RequestBuilder;

use super::answer::{Answer, AnswerContent};
use super::auth::Secret;
use super::classify::Exchange;
use crate::text::strip_for_terminal;
use crate::units;

/// A request that is under way.
pub(crate) struct RequestNote {
    /// Method and path, with what else tells it from others.
    what: String,
    began: Instant,
}

impl RequestNote {
    /// Notes a request that is about to leave; `None` where nobody wants to hear of it.
    pub(crate) fn of<B>(request: &RequestBuilder<B>) -> Option<RequestNote> {
        if !log::log_enabled!(log::Level::Debug) {
            return None;
        }
        let (method, uri) = (request.method_ref()?, request.uri_ref()?);
        Some(RequestNote { what: format!("{method} {}", uri.path()), began: Instant::now() })
    }

    /// The same, told apart from others of its kind: `page 2`.
    pub(crate) fn with(mut self, detail: &str) -> RequestNote {
        if !detail.is_empty() {
            let _ = write!(self.what, ", {detail}");
        }
        self
    }
}

/// Tells how a request ended. An answer may repeat the token that it was sent.
pub(crate) fn tell(note: Option<RequestNote>, exchange: &Exchange, token: &Secret) {
    let Some(note) = note else { return };
    let (came, credits) = match exchange {
        Exchange::Answer(answer) => (came(answer), answer.credits_left),
        Exchange::Broken { detail, .. } => (format!("no answer: {detail}"), None),
    };
    finish(&note, &token.masked_in(came), credits);
}

/// Tells of an answer that is not read here: its status, and what is known of it besides.
pub(crate) fn tell_status(note: Option<RequestNote>, status: u16, code: &str) {
    let Some(note) = note else { return };
    finish(&note, format!("{status} {code}").trim_end(), None);
}

/// Tells that no answer came.
pub(crate) fn tell_broken(note: Option<RequestNote>, detail: &str) {
    let Some(note) = note else { return };
    finish(&note, &format!("no answer: {detail}"), None);
}

fn finish(note: &RequestNote, came: &str, credits: Option<u64>) {
    let took = note.began.elapsed().as_secs_f64();
    let credits = credits.map_or(String::new(), |left| format!(", {} left", units::counted(left, "credit")));
    log::debug!("{}: {came}, {took:.3} s{credits}", note.what);
}

/// Status and code of an answer.
fn came(answer: &Answer) -> String {
    match &answer.content {
        AnswerContent::Created(_) => format!("{} SUCCESS", answer.status),
        AnswerContent::Error(error) => format!("{} {}", answer.status, strip_for_terminal(&error.code, 80)),
        AnswerContent::Nothing(_) => answer.status.to_string(),
    }
}
