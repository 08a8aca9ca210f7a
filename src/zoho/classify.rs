//! What came of a request, and what that means for the row: one table.
//!
//! The code decides first, then the status, then the shape. Once bytes have left, only an answer that proves a refusal
//! is not in doubt: there is no arm that resends by default.

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
    if let (AnswerContent::Created(created), 200 | 201, Ask::File | Ask::Link) = (&answer.content, answer.status, ask) {
        return Verdict::Uploaded(created.clone());
    }
    let nothing = ApiError::default();
    let api_error = answer.content.api_error().unwrap_or(&nothing);
    let message = api_error.message.to_ascii_lowercase();
    match (api_error.code.as_str(), answer.status) {
        // Whatever a broken server says, it may have done the work; only one that turned us away at the door did not.
        ("TOO_MANY_REQUESTS" | "RATE_LIMIT_EXCEEDED", 503) => Verdict::Retry(RetryBecause::Throttled),
        (_, 500.. | 408 | ..=199) => doubt(ask, DoubtBecause::ServerError),
        // Success and refusal in one answer; and `303 See Other`, which says that the work was done.
        _ if matches!(answer.content, AnswerContent::Created(_)) => doubt(ask, DoubtBecause::Unreadable),
        (_, 303) if ask != Ask::List => doubt(ask, DoubtBecause::Unreadable),

        // Never followed: the token belongs to the host that the user named, and a POST would become a GET.
        (_, 300..=399 | 407) => Verdict::Stop(StopBecause::Target),

        // The same for every row to come.
        ("OAUTH_SCOPE_MISMATCH", _) => Verdict::Stop(StopBecause::Scope),
        ("LIMIT_REACHED" | "LIMIT_EXCEEDED", _) => Verdict::Stop(StopBecause::Limit),
        ("TOO_MANY_REQUESTS" | "RATE_LIMIT_EXCEEDED", _) | (_, 429) if answer.credits_left == Some(0) => {
            Verdict::Stop(StopBecause::Limit)
        }
        ("INVALID_REQUEST_METHOD", _) => Verdict::Stop(StopBecause::OurMistake),
        ("MANDATORY_NOT_FOUND" | "REQUIRED_PARAM_MISSING", _) => Verdict::Stop(StopBecause::OurMistake),
        ("INVALID_URL_PATTERN", 400) if ask == Ask::Link => Verdict::Failed(FailedBy::Row),
        ("INVALID_URL_PATTERN", _) => Verdict::Stop(StopBecause::Target),

        // Later.
        ("TOO_MANY_REQUESTS" | "RATE_LIMIT_EXCEEDED", _) | (_, 429) => Verdict::Retry(RetryBecause::Throttled),
        ("DISCRETE_PAGINATION_LIMIT_EXCEEDED" | "EXPIRED_VALUE" | "TOKEN_BOUND_DATA_MISMATCH", _)
            if ask == Ask::List =>
        {
            Verdict::Retry(RetryBecause::Passing)
        }

        // About the module, the user's rights, the record, the row.
        ("INVALID_MODULE", _) => Verdict::Failed(FailedBy::Module),
        ("NO_PERMISSION" | "AUTHORIZATION_FAILED", _) => Verdict::Failed(FailedBy::Permission),
        ("INVALID_DATA" | "DUPLICATE_DATA", _) if ask == Ask::Link && message.contains("link already exists") => {
            Verdict::AlreadyPresent
        }
        ("INVALID_DATA", 415) => Verdict::Failed(FailedBy::Row),
        ("INVALID_DATA", _) if message.contains("invalid file type") => Verdict::Failed(FailedBy::Row),
        ("INVALID_DATA", _) if api_error.path_index == Some(1) || message.contains("related id") => {
            Verdict::Failed(FailedBy::Record)
        }
        ("FILE_SIZE_MORE_THAN_ALLOWED_SIZE" | "BODY_SIZE_REACHED" | "EMPTY_FILE_NOT_ALLOWED", _)
        | ("INVALID_FILE_NAME" | "INVALID_FILE_EXTENSION" | "UNMATCHED_FILE_CONTENT_TYPE" | "VIRUS_DETECTED", _)
        | (_, 413 | 415) => Verdict::Failed(FailedBy::Row),

        // The token, whatever this version calls it. That a fresh one was fetched is seen to by the caller.
        ("INVALID_TOKEN" | "INVALID_OAUTHTOKEN" | "AUTHENTICATION_FAILURE", _) | (_, 401) => {
            Verdict::Retry(RetryBecause::TokenRenewed)
        }

        (_, 200..=299) => doubt(ask, DoubtBecause::Unreadable),
        (_, 400..=499) => Verdict::Failed(FailedBy::Unlisted),
    }
}

fn doubt(ask: Ask, why: DoubtBecause) -> Verdict {
    match ask {
        Ask::File | Ask::Link => Verdict::InDoubt(why),
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
                AnswerContent::Said(ApiError { code: code.to_owned(), message: message.to_owned(), path_index: None })
            }
        };
        Exchange::Answer(Answer { status, content, body: None, retry_after: None, credits_left: None, date: None })
    }

    const LOST: Verdict = Verdict::InDoubt(DoubtBecause::AnswerLost);
    const SERVER: Verdict = Verdict::InDoubt(DoubtBecause::ServerError);
    const UNREADABLE: Verdict = Verdict::InDoubt(DoubtBecause::Unreadable);
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
            (202, "SUCCESS", "", UNREADABLE),
            (500, "SUCCESS", "", SERVER),
            // An error object in a 2xx counts by its code, as if it came with a 4xx.
            (200, "INVALID_DATA", related, RECORD),
            (202, "INVALID_MODULE", "", MODULE),
            (207, "NO_PERMISSION", "", PERMISSION),
            (200, "SOMETHING_NEW", "", UNREADABLE),
            (200, "INTERNAL_ERROR", "", UNREADABLE),
            (200, "", "", UNREADABLE),
            (204, "", "", UNREADABLE),
            // The documented errors.
            (400, "INVALID_MODULE", "the module name given seems to be invalid", MODULE),
            (400, "INVALID_MODULE", "The given module is not supported in API", MODULE),
            (404, "INVALID_MODULE", "", MODULE),
            (404, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one", TARGET),
            (400, "INVALID_URL_PATTERN", "", TARGET),
            (401, "OAUTH_SCOPE_MISMATCH", "Unauthorized", SCOPE),
            (403, "OAUTH_SCOPE_MISMATCH", "required oauth scope is missing", SCOPE),
            (403, "NO_PERMISSION", "Permission denied to upload attachment", PERMISSION),
            (400, "AUTHORIZATION_FAILED", "User does not have sufficient privilege", PERMISSION),
            (500, "INTERNAL_ERROR", "Internal Server Error", SERVER),
            (400, "INVALID_REQUEST_METHOD", "The http request method type is not a valid one", MISTAKE),
            (400, "INVALID_DATA", related, RECORD),
            (415, "INVALID_DATA", "invalid file type", ROW),
            (415, "FILE_SIZE_MORE_THAN_ALLOWED_SIZE", "please check the size", ROW),
            // Their variants in other versions and on the way there.
            (413, "FILE_SIZE_MORE_THAN_ALLOWED_SIZE", "", ROW),
            (413, "BODY_SIZE_REACHED", "", ROW),
            (413, "", "", ROW),
            (415, "", "", ROW),
            (400, "VIRUS_DETECTED", "", ROW),
            (400, "EMPTY_FILE_NOT_ALLOWED", "", ROW),
            (400, "MANDATORY_NOT_FOUND", "required field not found", MISTAKE),
            (400, "INVALID_DATA", "the request does not contain any file", UNLISTED),
            (400, "INVALID_DATA", "Attachment link already exists", UNLISTED),
            (400, "LIMIT_REACHED", "", LIMIT),
            (403, "LIMIT_EXCEEDED", "", LIMIT),
            // The token, under all its names.
            (401, "INVALID_TOKEN", "invalid oauth token", TOKEN),
            (401, "INVALID_OAUTHTOKEN", "", TOKEN),
            (401, "AUTHENTICATION_FAILURE", "Authentication failed", TOKEN),
            (400, "INVALID_TOKEN", "", TOKEN),
            (401, "SOMETHING_NEW", "", TOKEN),
            (401, "", "", TOKEN),
            // Slower, please.
            (429, "TOO_MANY_REQUESTS", "", THROTTLED),
            (429, "RATE_LIMIT_EXCEEDED", "", THROTTLED),
            (429, "", "", THROTTLED),
            (200, "TOO_MANY_REQUESTS", "", THROTTLED),
            (503, "TOO_MANY_REQUESTS", "", THROTTLED),
            // Broken servers: the work may have been done.
            (502, "", "", SERVER),
            (503, "", "", SERVER),
            (503, "SERVICE_UNAVAILABLE", "", SERVER),
            (504, "", "", SERVER),
            (520, "", "", SERVER),
            (599, "", "", SERVER),
            (999, "", "", SERVER),
            (500, "INVALID_DATA", related, SERVER),
            (500, "TOO_MANY_REQUESTS", "", SERVER),
            (408, "", "", SERVER),
            (101, "", "", SERVER),
            // Somewhere else.
            (301, "", "", TARGET),
            (302, "", "", TARGET),
            (303, "", "", UNREADABLE),
            (400, "SUCCESS", "", UNREADABLE),
            (301, "SUCCESS", "", UNREADABLE),
            (307, "", "", TARGET),
            (407, "", "", TARGET),
            // Refusals nobody has described.
            (400, "SOMETHING_NEW", "", UNLISTED),
            (400, "", "", UNLISTED),
            (403, "", "", UNLISTED),
            (404, "", "", UNLISTED),
            (418, "", "", UNLISTED),
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
            (401, "OAUTH_SCOPE_MISMATCH", SCOPE),
            (403, "NO_PERMISSION", PERMISSION),
            (400, "INVALID_MODULE", MODULE),
            (302, "", TARGET),
            (303, "", TARGET),
        ] {
            assert_eq!(classify(Ask::List, &answer(status, code, "")), verdict, "{status} {code}");
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
