//! What came of a request, and what that means for the row: one table.
//!
//! Once bytes have left, only the service's own refusal takes a row out of doubt: a 4xx with a JSON error object that has
//! a code, 429, 503 with the code of a throttle, or a 2xx that holds one error under a code that is known. Whoever else
//! answers (a proxy, a firewall, a page for signing in) may do so after the service has done the work. There is no arm
//! that sends again by default.

use super::answer::{Answer, AnswerContent, ApiError};
use crate::outcome::OwnCode;
use crate::reply::{DoubtBecause, FailedBy, RetryBecause, StopBecause, Verdict};

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ask {
    /// To attach a file.
    File,
    /// To attach a link.
    Link,
    /// To list a record's attachments; changes nothing, so it may always be asked again.
    List,
    /// To delete an attachment.
    Delete,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Exchange {
    /// An answer, if perhaps a strange one.
    Answer(Answer),
    /// No answer.
    Broken {
        /// How.
        how: TransportError,
        /// Whether any byte of the body had been handed out.
        bytes_left: bool,
        /// The library's words, made safe.
        detail: String,
    },
}

/// How a request ended without an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TransportError {
    /// The connection did not come about, or ended, or fell silent.
    Connection,
    /// The other side could not show that it is who it should be.
    Certificate,
    /// The proxy would not let us through.
    Proxy,
    /// This machine has no file handle left.
    Shortage,
}

/// What that means.
pub(crate) fn classify(ask: Ask, exchange: &Exchange) -> Verdict {
    match exchange {
        Exchange::Answer(answer) => answered(ask, answer),
        Exchange::Broken { bytes_left: true, .. } => doubt(ask, DoubtBecause::AnswerLost),
        Exchange::Broken { how: TransportError::Connection, .. } => Verdict::Retry(RetryBecause::NotConnected),
        Exchange::Broken { how: TransportError::Shortage, .. } => Verdict::Retry(RetryBecause::LocalShortage),
        Exchange::Broken { how: TransportError::Certificate | TransportError::Proxy, .. } => {
            Verdict::Stop(StopBecause::Target)
        }
    }
}

fn answered(ask: Ask, answer: &Answer) -> Verdict {
    let (status, error) = (answer.status, answer.content.error());
    if is_throttle(status, error) {
        return match answer.credits_left {
            Some(0) => Verdict::Stop(StopBecause::Limit),
            _ => Verdict::Retry(RetryBecause::Throttled),
        };
    }
    match (status, &answer.content, error) {
        (200 | 201, AnswerContent::Created(created), _) if matches!(ask, Ask::File | Ask::Link) => {
            Verdict::Uploaded(created.clone())
        }

        // Never followed: the token belongs to the host that the user named, and a POST would become a GET. A redirect
        // may come after the work was done (303 says so), and 407 from a proxy that has passed the body on.
        (300..=399 | 407, ..) => match ask {
            Ask::File | Ask::Link | Ask::Delete => Verdict::StopInDoubt(StopBecause::Target),
            Ask::List => Verdict::Stop(StopBecause::Target),
        },

        // Whatever a broken server says, it may have done the work.
        (500.. | 408 | ..=199, ..) => doubt(ask, DoubtBecause::ServerError),

        (200..=299, _, Some(error)) => match refusal(ask, status, error) {
            Some(verdict) => verdict,
            None if is_internal(error) => doubt(ask, DoubtBecause::ServerError),
            None => doubt(ask, DoubtBecause::Refused),
        },
        (400..=499, _, Some(error)) if is_internal(error) => doubt(ask, DoubtBecause::InternalError),
        (400..=499, _, Some(error)) => refusal(ask, status, error).unwrap_or(Verdict::Failed(FailedBy::Unlisted)),

        // Success and refusal in one answer.
        (400..=499, AnswerContent::Created(_), None) => doubt(ask, DoubtBecause::Unreadable),
        // A 4xx without a code of the service: perhaps not of the service at all.
        (401, _, None) => match ask {
            Ask::File | Ask::Link | Ask::Delete => Verdict::InDoubt(DoubtBecause::TokenRefused),
            Ask::List => Verdict::Retry(RetryBecause::TokenRenewed),
        },
        (400..=499, _, None) => doubt(ask, DoubtBecause::Refused),

        (200..=299, _, None) => doubt(ask, DoubtBecause::Unreadable),
    }
}

/// The meaning of the service's own codes where they are known; `None` for any other code.
fn refusal(ask: Ask, status: u16, error: &ApiError) -> Option<Verdict> {
    let message = error.message.to_ascii_lowercase();
    let fields_refused = error.param.as_deref() == Some("fields");
    Some(match (error.code.as_str(), status) {
        // The same for every row to come.
        ("OAUTH_SCOPE_MISMATCH", _) => Verdict::Stop(StopBecause::Scope),
        ("LIMIT_EXCEEDED", _) if fields_refused => Verdict::Stop(StopBecause::OurMistake),
        _ if is_used_up(error) => Verdict::Stop(StopBecause::Limit),
        // A service that knows no deletion here says so of each.
        ("INVALID_REQUEST_METHOD", _) if ask == Ask::Delete => Verdict::Failed(FailedBy::Unlisted),
        ("INVALID_REQUEST_METHOD" | "MANDATORY_NOT_FOUND" | "REQUIRED_PARAM_MISSING", _) => {
            Verdict::Stop(StopBecause::OurMistake)
        }
        ("INVALID_URL_PATTERN", 400) if ask == Ask::Link => Verdict::Failed(FailedBy::Row),
        ("INVALID_URL_PATTERN" | "INVALID_HOST", _) => Verdict::Stop(StopBecause::Target),

        // About this list: it may go better from the start, or it is too long to be had at all.
        ("EXPIRED_VALUE" | "TOKEN_BOUND_DATA_MISMATCH", _) if ask == Ask::List => Verdict::Retry(RetryBecause::Passing),
        ("DISCRETE_PAGINATION_LIMIT_EXCEEDED", _) if ask == Ask::List => Verdict::Failed(FailedBy::Record),

        // About the module, the user's rights, the record, the row.
        ("INVALID_MODULE", _) => Verdict::Failed(FailedBy::Module),
        ("NO_PERMISSION" | "AUTHORIZATION_FAILED", _) => Verdict::Failed(FailedBy::Permission),
        ("INVALID_DATA" | "DUPLICATE_DATA", _) if ask == Ask::Link && message.contains("link already exists") => {
            Verdict::AlreadyPresent
        }
        ("INVALID_DATA", 415) => Verdict::Failed(FailedBy::Row),
        ("INVALID_DATA", _) if message.contains("invalid file type") => Verdict::Failed(FailedBy::Row),
        ("INVALID_DATA", _) if error.path_index == Some(1) || message.contains("related id") => {
            Verdict::Failed(FailedBy::Record)
        }
        ("INVALID_DATA", 400..=499) => Verdict::Failed(FailedBy::Unlisted),
        ("FILE_SIZE_MORE_THAN_ALLOWED_SIZE" | "BODY_SIZE_REACHED" | "EMPTY_FILE_NOT_ALLOWED", _)
        | ("INVALID_FILE_NAME" | "INVALID_FILE_EXTENSION" | "UNMATCHED_FILE_CONTENT_TYPE" | "VIRUS_DETECTED", _)
        | (_, 413 | 415) => Verdict::Failed(FailedBy::Row),

        // The token, whatever this version calls it. That a fresh one is fetched is seen to by the caller.
        ("INVALID_TOKEN" | "INVALID_OAUTHTOKEN" | "AUTHENTICATION_FAILURE", _) | (_, 401) => {
            Verdict::Retry(RetryBecause::TokenRenewed)
        }
        _ => return None,
    })
}

/// Whether the service says that something went wrong inside. With a status of 4xx, too, that may be after the work.
fn is_internal(error: &ApiError) -> bool {
    matches!(error.code.as_str(), "INTERNAL_ERROR" | "INTERNAL_SERVER_ERROR")
}

/// Words that ask to slow down, in codes and messages, as they begin.
const THROTTLES: [&str; 5] = ["THROTTL", "CONCURREN", "RATE_LIMIT", "TOO_MANY_REQUEST", "REQUEST_LIMIT"];

/// Codes whose messages may quote what the row holds, so that only the code counts.
const ABOUT_THE_ROW: [&str; 7] = [
    "INVALID_DATA",
    "DUPLICATE_DATA",
    "INVALID_FILE_NAME",
    "INVALID_FILE_EXTENSION",
    "UNMATCHED_FILE_CONTENT_TYPE",
    "INVALID_URL_PATTERN",
    "VIRUS_DETECTED",
];

/// Whether the service asks to slow down, under whatever name. A 5xx or 2xx needs a code that says so: what went wrong
/// inside may have gone wrong after the work.
fn is_throttle(status: u16, error: Option<&ApiError>) -> bool {
    let by_code = || error.is_some_and(|error| says_throttle(&error.code) && !says_size(error));
    let by_message = || {
        error.is_some_and(|error| {
            says_throttle(&error.message) && !says_size(error) && !ABOUT_THE_ROW.contains(&error.code.as_str())
        })
    };
    match status {
        429 => !error.is_some_and(is_used_up),
        400..=499 => by_code() || by_message(),
        503 | 200..=299 => by_code(),
        _ => false,
    }
}

fn says_throttle(text: &str) -> bool {
    let text = underscored(text);
    THROTTLES.iter().any(|word| text.starts_with(word) || text.contains(&format!("_{word}")))
}

/// A limit of a size is no limit of a pace.
fn says_size(error: &ApiError) -> bool {
    [&error.code, &error.message].iter().any(|text| text.to_ascii_uppercase().contains("SIZE"))
}

/// Whether storage or credits of the whole organisation are used up, which passes, but not within a run.
fn is_used_up(error: &ApiError) -> bool {
    let code = underscored(&error.code);
    if ABOUT_THE_ROW.contains(&code.as_str()) || says_size(error) {
        return false;
    }
    let has_word = |text: &str| text.split('_').any(|word| matches!(word, "STORAGE" | "CREDIT" | "CREDITS"));
    let message = underscored(&error.message);
    let ends = ["EXCEED", "EXHAUST", "INSUFFICIENT", "LIMIT", "FULL", "NOT_ENOUGH", "NO_MORE", "USED_UP", "OUT_OF"];
    matches!(code.as_str(), "LIMIT_REACHED" | "LIMIT_EXCEEDED") && !says_throttle(&message)
        || has_word(&code)
        || has_word(&message) && ends.iter().any(|end| message.contains(end))
}

/// In capitals, with `_` for everything that is neither letter nor digit.
fn underscored(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

fn doubt(ask: Ask, why: DoubtBecause) -> Verdict {
    match ask {
        Ask::File | Ask::Link | Ask::Delete => Verdict::InDoubt(why),
        Ask::List => Verdict::Retry(RetryBecause::Passing),
    }
}

/// Our own code for an ending to which the service gave none.
pub(crate) fn own_code(exchange: &Exchange) -> OwnCode {
    match exchange {
        Exchange::Broken { bytes_left: true, .. } => OwnCode::AnswerLost,
        Exchange::Broken { how, .. } => broken_code(*how),
        Exchange::Answer(answer) => match answer.status {
            500.. | 408 | ..=199 => OwnCode::ServerError,
            300..=399 => OwnCode::Redirected,
            401 => OwnCode::CredentialsRefused,
            407 => OwnCode::ProxyRefused,
            413 => OwnCode::TooLarge,
            429 => OwnCode::Throttled,
            200..=299 => OwnCode::Unreadable,
            400..=499 => OwnCode::Refused,
        },
    }
}

/// Our own code for a connection that did not come about.
pub(crate) fn broken_code(how: TransportError) -> OwnCode {
    match how {
        TransportError::Connection => OwnCode::NotConnected,
        TransportError::Certificate => OwnCode::Certificate,
        TransportError::Proxy => OwnCode::ProxyRefused,
        TransportError::Shortage => OwnCode::LocalShortage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Created;
    use crate::upload::ServiceId;

    fn answer(status: u16, code: &str, message: &str) -> Exchange {
        let content = match code {
            "" => AnswerContent::Nothing(String::new()),
            "SUCCESS" => AnswerContent::Created(Created { id: ServiceId::new(7), time: None, by: None }),
            code => {
                let (code, message) = (code.to_owned(), message.to_owned());
                AnswerContent::Error(ApiError { code, message, ..ApiError::default() })
            }
        };
        Exchange::Answer(Answer { status, content, body: None, retry_after: None, credits_left: None, date: None })
    }

    const LOST: Verdict = Verdict::InDoubt(DoubtBecause::AnswerLost);
    const SERVER: Verdict = Verdict::InDoubt(DoubtBecause::ServerError);
    const UNREADABLE: Verdict = Verdict::InDoubt(DoubtBecause::Unreadable);
    const REFUSED: Verdict = Verdict::InDoubt(DoubtBecause::Refused);
    const INTERNAL: Verdict = Verdict::InDoubt(DoubtBecause::InternalError);
    const TOKEN_IN_DOUBT: Verdict = Verdict::InDoubt(DoubtBecause::TokenRefused);
    const ELSEWHERE: Verdict = Verdict::StopInDoubt(StopBecause::Target);
    const ROW: Verdict = Verdict::Failed(FailedBy::Row);
    const RECORD: Verdict = Verdict::Failed(FailedBy::Record);
    const MODULE: Verdict = Verdict::Failed(FailedBy::Module);
    const PERMISSION: Verdict = Verdict::Failed(FailedBy::Permission);
    const UNLISTED: Verdict = Verdict::Failed(FailedBy::Unlisted);
    const THROTTLED: Verdict = Verdict::Retry(RetryBecause::Throttled);
    const TOKEN: Verdict = Verdict::Retry(RetryBecause::TokenRenewed);
    const PASSING: Verdict = Verdict::Retry(RetryBecause::Passing);
    const TARGET: Verdict = Verdict::Stop(StopBecause::Target);
    const LIMIT: Verdict = Verdict::Stop(StopBecause::Limit);
    const SCOPE: Verdict = Verdict::Stop(StopBecause::Scope);
    const MISTAKE: Verdict = Verdict::Stop(StopBecause::OurMistake);

    #[test]
    fn every_answer_to_an_upload_has_its_class() {
        let created = || Verdict::Uploaded(Created { id: ServiceId::new(7), time: None, by: None });
        let related = "the related id given seems to be invalid";
        let table: &[(u16, &str, &str, Verdict)] = &[
            (200, "SUCCESS", "", created()),
            (201, "SUCCESS", "", created()),
            // Any other 2xx that is not one clean success.
            (202, "SUCCESS", "", UNREADABLE),
            (200, "", "", UNREADABLE),
            (204, "", "", UNREADABLE),
            (206, "", "", UNREADABLE),
            // One error under a known code counts as that 4xx.
            (200, "INVALID_DATA", related, RECORD),
            (202, "INVALID_MODULE", "", MODULE),
            (207, "NO_PERMISSION", "", PERMISSION),
            (200, "TOO_MANY_REQUESTS", "", THROTTLED),
            (200, "LIMIT_REACHED", "", LIMIT),
            (200, "INVALID_TOKEN", "", TOKEN),
            (200, "SOMETHING_NEW", "", REFUSED),
            (200, "INVALID_DATA", "nobody has described this", REFUSED),
            (200, "INTERNAL_ERROR", "", SERVER),
            (200, "INTERNAL_ERROR", "URL_FIXED_THROTTLES_LIMIT_EXCEEDED", SERVER),
            // The documented errors.
            (400, "INVALID_MODULE", "the module name given seems to be invalid", MODULE),
            (400, "INVALID_MODULE", "The given module is not supported in API", MODULE),
            (404, "INVALID_MODULE", "", MODULE),
            (404, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one", TARGET),
            (400, "INVALID_URL_PATTERN", "", TARGET),
            (400, "INVALID_HOST", "", TARGET),
            (401, "OAUTH_SCOPE_MISMATCH", "Unauthorized", SCOPE),
            (403, "OAUTH_SCOPE_MISMATCH", "required oauth scope is missing", SCOPE),
            (403, "NO_PERMISSION", "Permission denied to upload attachment", PERMISSION),
            (400, "AUTHORIZATION_FAILED", "User does not have sufficient privilege", PERMISSION),
            (500, "INTERNAL_ERROR", "Internal Server Error", SERVER),
            (400, "INVALID_REQUEST_METHOD", "The http request method type is not a valid one", MISTAKE),
            (400, "INVALID_DATA", related, RECORD),
            (415, "INVALID_DATA", "invalid file type", ROW),
            (400, "INVALID_DATA", "Invalid file type", ROW),
            (415, "INVALID_DATA", "nobody has described this", ROW),
            (401, "INVALID_DATA", "nobody has described this", UNLISTED),
            (415, "FILE_SIZE_MORE_THAN_ALLOWED_SIZE", "please check the size", ROW),
            // Their variants in other versions and on the way there.
            (413, "FILE_SIZE_MORE_THAN_ALLOWED_SIZE", "", ROW),
            (413, "BODY_SIZE_REACHED", "The request body limit reached", ROW),
            (413, "SOMETHING_NEW", "", ROW),
            (400, "VIRUS_DETECTED", "", ROW),
            (400, "EMPTY_FILE_NOT_ALLOWED", "", ROW),
            (400, "MANDATORY_NOT_FOUND", "required field not found", MISTAKE),
            (400, "INVALID_DATA", "the request does not contain any file", UNLISTED),
            (400, "INVALID_DATA", "Attachment link already exists", UNLISTED),
            // What the whole organisation has used up.
            (400, "LIMIT_REACHED", "", LIMIT),
            (403, "LIMIT_EXCEEDED", "", LIMIT),
            (400, "STORAGE_LIMIT_EXCEEDED", "", LIMIT),
            (400, "NOT_ALLOWED", "File storage is full", LIMIT),
            (403, "NOT_ENOUGH_CREDITS", "", LIMIT),
            (429, "LIMIT_EXCEEDED", "API credits exhausted", LIMIT),
            (400, "NOT_ALLOWED", "the storage type is unknown", UNLISTED),
            (400, "INVALID_DATA", "the storage room.pdf is full", UNLISTED),
            (400, "NOT_ALLOWED", "the size exceeds the limit of the storage", UNLISTED),
            // The token, under all its names.
            (401, "INVALID_TOKEN", "invalid oauth token", TOKEN),
            (401, "INVALID_OAUTHTOKEN", "", TOKEN),
            (401, "AUTHENTICATION_FAILURE", "Authentication failed", TOKEN),
            (400, "INVALID_TOKEN", "", TOKEN),
            (401, "SOMETHING_NEW", "", TOKEN),
            // Slower, please.
            (429, "TOO_MANY_REQUESTS", "", THROTTLED),
            (429, "RATE_LIMIT_EXCEEDED", "", THROTTLED),
            (429, "SOMETHING_NEW", "", THROTTLED),
            (429, "", "", THROTTLED),
            (503, "TOO_MANY_REQUESTS", "", THROTTLED),
            (400, "INTERNAL_ERROR", "URL_FIXED_THROTTLES_LIMIT_EXCEEDED", THROTTLED),
            (400, "THROTTLED", "", THROTTLED),
            (403, "api_throttled", "", THROTTLED),
            (400, "CONCURRENCY_LIMIT_EXCEEDED", "", THROTTLED),
            (400, "BAD_REQUEST", "Too many requests", THROTTLED),
            (400, "BAD_REQUEST", "concurrent calls exceed the limit", THROTTLED),
            (403, "LIMIT_EXCEEDED", "you exceeded the concurrency limit", THROTTLED),
            (400, "REQUEST_LIMIT_EXCEEDED", "", THROTTLED),
            (400, "Rate-Limit-Reached", "", THROTTLED),
            // A limit of a size is none of a pace, and a message that may quote the row is not taken at its word.
            (400, "REQUEST_LIMIT_SIZE", "", UNLISTED),
            (400, "BAD_REQUEST", "request limit: the size is too large", UNLISTED),
            (400, "INVALID_DATA", "the name throttle.pdf is not allowed", UNLISTED),
            (400, "SOMETHING_NEW", "unthrottled", UNLISTED),
            // Broken servers: the work may have been done.
            (502, "", "", SERVER),
            (503, "", "", SERVER),
            (503, "SERVICE_UNAVAILABLE", "", SERVER),
            (503, "SERVICE_UNAVAILABLE", "too many requests", SERVER),
            (504, "", "", SERVER),
            (507, "", "", SERVER),
            (520, "", "", SERVER),
            (599, "", "", SERVER),
            (999, "", "", SERVER),
            (500, "SUCCESS", "", SERVER),
            (500, "INVALID_DATA", related, SERVER),
            (500, "TOO_MANY_REQUESTS", "", SERVER),
            (408, "", "", SERVER),
            (101, "", "", SERVER),
            (400, "INTERNAL_ERROR", "Internal Server Error", INTERNAL),
            (404, "INTERNAL_SERVER_ERROR", "", INTERNAL),
            // Somewhere else: the run stops, and the row may have arrived.
            (300, "", "", ELSEWHERE),
            (301, "", "", ELSEWHERE),
            (301, "SUCCESS", "", ELSEWHERE),
            (302, "", "", ELSEWHERE),
            (302, "INVALID_DATA", related, ELSEWHERE),
            (303, "", "", ELSEWHERE),
            (307, "", "", ELSEWHERE),
            (308, "", "", ELSEWHERE),
            (407, "", "", ELSEWHERE),
            (407, "INVALID_DATA", related, ELSEWHERE),
            // Refusals nobody has described; without a code they need not be the service's own.
            (400, "SUCCESS", "", UNREADABLE),
            (400, "SOMETHING_NEW", "", UNLISTED),
            (400, "", "", REFUSED),
            (401, "", "", TOKEN_IN_DOUBT),
            (403, "", "", REFUSED),
            (404, "", "", REFUSED),
            (413, "", "", REFUSED),
            (415, "", "", REFUSED),
            (418, "", "", REFUSED),
            (451, "", "", REFUSED),
        ];
        for (status, code, message, verdict) in table {
            let exchange = answer(*status, code, message);
            assert_eq!(classify(Ask::File, &exchange), *verdict, "{status} {code} {message}");
        }
    }

    #[test]
    fn links_have_endings_of_their_own() {
        for (status, code, message, verdict) in [
            (400, "INVALID_DATA", "Attachment link already exists", Verdict::AlreadyPresent),
            (400, "DUPLICATE_DATA", "the link already exists", Verdict::AlreadyPresent),
            (200, "INVALID_DATA", "Attachment link already exists", Verdict::AlreadyPresent),
            (500, "INVALID_DATA", "Attachment link already exists", SERVER),
            (400, "INVALID_URL_PATTERN", "the given attachment URL is incorrect", ROW),
            (404, "INVALID_URL_PATTERN", "", TARGET),
        ] {
            assert_eq!(classify(Ask::Link, &answer(status, code, message)), verdict, "{status} {code} {message}");
        }
    }

    #[test]
    fn a_listing_may_be_asked_again_for_every_passing_reason() {
        for (status, code, verdict) in [
            (500, "INTERNAL_ERROR", PASSING),
            (502, "", PASSING),
            (408, "", PASSING),
            (200, "", PASSING),
            (400, "EXPIRED_VALUE", PASSING),
            (429, "", THROTTLED),
            (401, "INVALID_TOKEN", TOKEN),
            (401, "", TOKEN),
            (403, "", PASSING),
            (400, "INTERNAL_ERROR", PASSING),
            (400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", RECORD),
            (401, "OAUTH_SCOPE_MISMATCH", SCOPE),
            (403, "NO_PERMISSION", PERMISSION),
            (400, "INVALID_MODULE", MODULE),
            (302, "", TARGET),
            (303, "", TARGET),
            (407, "", TARGET),
        ] {
            assert_eq!(classify(Ask::List, &answer(status, code, "")), verdict, "{status} {code}");
        }
    }

    #[test]
    fn what_is_said_of_a_deletion_is_no_word_about_uploads_and_the_other_way_round() {
        for (ask, status, code, verdict) in [
            // That of another request: the caller has looked for the right one already.
            (Ask::Delete, 200, "SUCCESS", UNREADABLE),
            (Ask::List, 200, "SUCCESS", PASSING),
            (Ask::Delete, 400, "INVALID_REQUEST_METHOD", UNLISTED),
            (Ask::List, 400, "INVALID_REQUEST_METHOD", MISTAKE),
            (Ask::Delete, 302, "", ELSEWHERE),
            (Ask::Delete, 401, "", TOKEN_IN_DOUBT),
            (Ask::Delete, 502, "", SERVER),
            // Only of a list.
            (Ask::File, 400, "EXPIRED_VALUE", UNLISTED),
            (Ask::Link, 400, "TOKEN_BOUND_DATA_MISMATCH", UNLISTED),
            (Ask::File, 400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", UNLISTED),
        ] {
            assert_eq!(classify(ask, &answer(status, code, "")), verdict, "{ask:?} {status} {code}");
        }
    }

    #[test]
    fn a_refusal_is_read_by_the_field_that_it_names() {
        let refused = |code: &str, param: Option<&str>, path_index| {
            let error =
                ApiError { code: code.to_owned(), param: param.map(str::to_owned), path_index, ..ApiError::default() };
            let content = AnswerContent::Error(error);
            let (body, retry_after, credits_left, date) = (None, None, None, None);
            Exchange::Answer(Answer { status: 400, content, body, retry_after, credits_left, date })
        };
        for (code, param, path_index, verdict) in [
            ("LIMIT_EXCEEDED", Some("fields"), None, MISTAKE),
            ("LIMIT_EXCEEDED", Some("per_page"), None, LIMIT),
            ("LIMIT_EXCEEDED", None, None, LIMIT),
            ("INVALID_DATA", None, Some(1), RECORD),
            ("INVALID_DATA", None, Some(0), UNLISTED),
        ] {
            let verdicts = [Ask::File, Ask::List].map(|ask| classify(ask, &refused(code, param, path_index)));
            assert_eq!(verdicts, [verdict.clone(), verdict], "{code} {param:?} {path_index:?}");
        }
    }

    #[test]
    fn without_an_answer_the_first_byte_decides() {
        let broken = |how, bytes_left| Exchange::Broken { how, bytes_left, detail: String::new() };
        let retry = |why| Verdict::Retry(why);
        for (ask, how, bytes_left, verdict) in [
            (Ask::File, TransportError::Connection, false, retry(RetryBecause::NotConnected)),
            (Ask::File, TransportError::Connection, true, LOST),
            (Ask::Link, TransportError::Connection, true, LOST),
            (Ask::File, TransportError::Shortage, false, retry(RetryBecause::LocalShortage)),
            (Ask::File, TransportError::Certificate, false, TARGET),
            (Ask::File, TransportError::Proxy, false, TARGET),
            (Ask::File, TransportError::Certificate, true, LOST),
            (Ask::File, TransportError::Shortage, true, LOST),
            (Ask::List, TransportError::Connection, false, retry(RetryBecause::NotConnected)),
            (Ask::List, TransportError::Connection, true, PASSING),
        ] {
            assert_eq!(classify(ask, &broken(how, bytes_left)), verdict, "{ask:?} {how:?} {bytes_left}");
        }
    }

    #[test]
    fn used_up_credits_stop_the_run() {
        let content = AnswerContent::Nothing(String::new());
        let exchange = Exchange::Answer(Answer {
            status: 429,
            content,
            body: None,
            retry_after: None,
            credits_left: Some(0),
            date: None,
        });
        assert_eq!(classify(Ask::File, &exchange), LIMIT);
    }
}
