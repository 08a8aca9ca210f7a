//! Reads an answer: status, the service's own words, and the few headers that matter.
//!
//! Answers are not trusted: everything is bounded, ids are digits only, and words are made safe for a terminal before
//! they go anywhere.

use std::time::Duration;

use jiff::Timestamp;
use ureq::http::{HeaderMap, StatusCode};

use super::json::Json;
use crate::reply::Created;
use crate::text::strip_for_terminal;
use crate::upload::ServiceId;

/// Longest answer body that is read; a longer one cannot be an answer to what we asked.
pub(crate) const MAX_BODY: usize = 1024 * 1024;

const MAX_CODE_CHARS: usize = 80;
const MAX_MESSAGE_CHARS: usize = 300;
/// A wait longer than this is as good as for ever.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// So many codes and messages of an answer of an unknown shape are told.
const MAX_WORDS: usize = 4;

/// An answer that came, head and body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content: AnswerContent,
    /// The body, whole and plain; `None` if it was cut off, too long or compressed in a way that we do not read.
    pub(crate) body: Option<Vec<u8>>,
    /// How long everybody is asked to wait; only kept of a 4xx or 5xx.
    pub(crate) retry_after: Option<RetryAfter>,
    pub(crate) credits_left: Option<u64>,
    /// The service's clock.
    pub(crate) date: Option<Timestamp>,
}

impl Answer {
    /// Reads an answer.
    pub(crate) fn of(status: StatusCode, headers: &HeaderMap, arrived: Arrived) -> Answer {
        let content = match AnswerContent::of(&arrived) {
            AnswerContent::Nothing(_) if status.is_redirection() => elsewhere(headers),
            content => content,
        };
        Answer {
            status: status.as_u16(),
            content,
            body: match arrived {
                Arrived::Whole(body) => Some(body),
                Arrived::Cut | Arrived::Compressed(_) => None,
            },
            retry_after: retry_after(headers).filter(|_| status.as_u16() >= 400),
            credits_left: credits_left(headers),
            date: date(headers),
        }
    }
}

/// What the header `Retry-After` asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RetryAfter {
    /// To wait so long.
    Wait(Duration),
    /// To wait until the service's clock shows this.
    Until(Timestamp),
}

impl RetryAfter {
    /// How long that is where the clock that the service lives by shows `now`.
    pub(crate) fn wait(self, now: Timestamp) -> Duration {
        let wait = match self {
            RetryAfter::Wait(wait) => wait,
            RetryAfter::Until(until) => Duration::try_from(until.duration_since(now)).unwrap_or_default(),
        };
        wait.min(MAX_RETRY_AFTER)
    }
}

/// A body as it arrived.
#[derive(Debug)]
pub(crate) enum Arrived {
    /// Whole, and plain by now.
    Whole(Vec<u8>),
    /// Cut off, or too long.
    Cut,
    /// Compressed, which nobody asked for, in this way, which cannot be undone here.
    Compressed(String),
}

/// What the body of an answer says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum AnswerContent {
    /// One attachment was made, and nothing else is said.
    Created(Created),
    /// One error, as the service words errors: an object with a code.
    Error(ApiError),
    /// Nothing that the service is known to say; what there is of it, for people.
    Nothing(String),
}

/// An error of the service.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct ApiError {
    /// Never empty, never `SUCCESS`.
    pub(crate) code: String,
    /// May be empty.
    pub(crate) message: String,
    /// Which segment of the path is at fault: 0 the module, 1 the record, 3 the attachment.
    pub(crate) path_index: Option<u64>,
    /// Which parameter of the request is at fault.
    pub(crate) param: Option<String>,
}

impl AnswerContent {
    /// Reads a body.
    pub(crate) fn of(arrived: &Arrived) -> AnswerContent {
        let body = match arrived {
            Arrived::Whole(body) => body,
            Arrived::Cut => return AnswerContent::Nothing("the answer was cut off".to_owned()),
            Arrived::Compressed(how) => {
                return AnswerContent::Nothing(format!("the answer is compressed ({how}), which nobody asked for"));
            }
        };
        match serde_json::from_slice(body) {
            Ok(json) => AnswerContent::of_json(&json, body),
            Err(_) => AnswerContent::Nothing(excerpt(body)),
        }
    }

    /// An error stands at the top or, in some versions, inside `data` like a success. Only one entry counts: of several
    /// nobody knows which is ours, and of two places that speak, which is right.
    fn of_json(json: &Json<'_>, body: &[u8]) -> AnswerContent {
        let entry = match json.get("data").map(Json::as_list) {
            None => json,
            Some(Some([entry])) if json.get("code").is_none() => entry,
            Some(_) => return AnswerContent::Nothing(told_otherwise(json, body)),
        };
        let text = |name| entry.get(name).and_then(Json::as_str).filter(|text| !text.is_empty());
        let details = entry.get("details");
        match (text("code"), text("status")) {
            (Some("SUCCESS"), Some("success") | None) => match details.and_then(created) {
                Some(created) => AnswerContent::Created(created),
                None => AnswerContent::Nothing("the answer speaks of success but gives no attachment id".to_owned()),
            },
            (Some("SUCCESS"), _) | (Some(_), Some("success")) => AnswerContent::Nothing(told_otherwise(json, body)),
            (Some(code), _) => AnswerContent::Error(ApiError {
                code: strip_for_terminal(code, MAX_CODE_CHARS),
                message: strip_for_terminal(text("message").unwrap_or_default(), MAX_MESSAGE_CHARS),
                path_index: details.and_then(|details| details.get("resource_path_index")).and_then(Json::as_u64),
                param: details
                    .and_then(|details| details.get("param_name"))
                    .and_then(Json::as_str)
                    .map(|name| strip_for_terminal(name, MAX_CODE_CHARS)),
            }),
            (None, _) => AnswerContent::Nothing(told_otherwise(json, body)),
        }
    }

    pub(crate) fn error(&self) -> Option<&ApiError> {
        match self {
            AnswerContent::Error(error) => Some(error),
            AnswerContent::Created(_) | AnswerContent::Nothing(_) => None,
        }
    }
}

fn created(details: &Json<'_>) -> Option<Created> {
    Some(Created {
        id: attachment_id(details.get("id")?)?,
        time: details.get("Created_Time").and_then(Json::as_str).map(|time| strip_for_terminal(time, 40)),
        by: details.get("Created_By").and_then(|by| by.get("id")).and_then(id),
    })
}

/// An id that a success must give: 10 to 19 digits, as all of the service's have.
fn attachment_id(json: &Json<'_>) -> Option<ServiceId> {
    let digits = match json {
        Json::Text(text) => text.len(),
        Json::Number(number) => number.to_string().len(),
        _ => 0,
    };
    id(json).filter(|_| (10..=19).contains(&digits))
}

/// An id as the service writes it, or as a number, which some versions of its clients produce.
pub(crate) fn id(json: &Json<'_>) -> Option<ServiceId> {
    match json {
        Json::Text(text) => text.parse().ok(),
        Json::Number(number) => Some(ServiceId::new(*number)),
        _ => None,
    }
}

/// The words of an answer whose shape is not the service's: whatever stands under the usual names, else its beginning.
fn told_otherwise(json: &Json<'_>, body: &[u8]) -> String {
    let mut content = Vec::new();
    find_words(json, &mut content);
    match content.is_empty() {
        true => format!("the answer has no code: {}", beginning(body)),
        false => strip_for_terminal(&content.join(": "), MAX_MESSAGE_CHARS),
    }
}

fn find_words(json: &Json<'_>, content: &mut Vec<String>) {
    const NAMES: [&str; 9] = [
        "code",
        "error",
        "error_code",
        "errorCode",
        "message",
        "error_description",
        "error_message",
        "errorMessage",
        "detail",
    ];
    match json {
        Json::List(list) => list.iter().for_each(|item| find_words(item, content)),
        Json::Map(entries) => {
            for name in NAMES {
                let word = match json.get(name) {
                    Some(Json::Text(text)) => text.to_string(),
                    Some(Json::Number(number)) => number.to_string(),
                    _ => continue,
                };
                if content.len() < MAX_WORDS && !word.is_empty() && !content.contains(&word) {
                    content.push(word);
                }
            }
            entries.iter().for_each(|(_, inner)| find_words(inner, content));
        }
        _ => {}
    }
}

/// What people are told of a body that is no JSON.
fn excerpt(body: &[u8]) -> String {
    if body.is_empty() {
        return "the answer is empty".to_owned();
    }
    match web_page(body) {
        Some(page) => format!("the answer is {page}"),
        None => format!("the answer is not JSON: {}", beginning(body)),
    }
}

/// The beginning of a text; of bytes that are none, only how many there are.
fn beginning(body: &[u8]) -> String {
    let start = &body[..body.len().min(4096)];
    match std::str::from_utf8(start) {
        Err(error) if error.error_len().is_some() => format!("{} bytes that are no text", body.len()),
        _ => strip_for_terminal(&String::from_utf8_lossy(start), 120),
    }
}

/// What a body is called that is a web page, with its title if it has one; `None` if it is none.
pub(crate) fn web_page(body: &[u8]) -> Option<String> {
    let start = String::from_utf8_lossy(&body[..body.len().min(16 * 1024)]);
    let lower = start.to_ascii_lowercase();
    let text = lower.trim_start_matches('\u{feff}').trim_start();
    if !["<!doctype html", "<html", "<head", "<body", "<title"].iter().any(|tag| text.starts_with(tag)) {
        return None;
    }
    let title = lower.find("<title").and_then(|at| {
        let from = at + lower[at..].find('>')? + 1;
        let to = from + lower[from..].find('<')?;
        start.get(from..to).map(|title| strip_for_terminal(title, 80)).filter(|title| !title.is_empty())
    });
    Some(match title {
        Some(title) => format!("a web page, titled \u{201c}{title}\u{201d}"),
        None => "a web page".to_owned(),
    })
}

/// The service's clock, from the `Date` header: whole seconds.
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(text(headers, "date")?)
}

/// `Retry-After`, in seconds or as a date. A fraction of a second is rounded up, and a number too large to be read is a
/// very long wait: whoever asks for a pause in a form that is not quite right still asks for one.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<RetryAfter> {
    let value = text(headers, "retry-after")?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !whole.is_empty() && digits(whole) && digits(fraction) {
        let more = u64::from(fraction.bytes().any(|digit| digit != b'0'));
        let seconds = whole.parse::<u64>().unwrap_or(u64::MAX).saturating_add(more);
        return Some(RetryAfter::Wait(Duration::from_secs(seconds).min(MAX_RETRY_AFTER)));
    }
    http_date(value).map(RetryAfter::Until)
}

/// What a redirect says. Of the address only the host is told: the rest may hold anything.
pub(crate) fn elsewhere(headers: &HeaderMap) -> AnswerContent {
    let address = text(headers, "location").and_then(|address| address.parse::<ureq::http::Uri>().ok());
    let host = address.as_ref().and_then(ureq::http::Uri::host);
    let place = host.map_or_else(
        || "another address".to_owned(),
        |host| format!("another host, {}", strip_for_terminal(host, 100)),
    );
    AnswerContent::Nothing(format!("the answer redirects to {place}; redirects are never followed"))
}

/// API credits left, if the answer says so.
pub(crate) fn credits_left(headers: &HeaderMap) -> Option<u64> {
    text(headers, "x-api-credits-remaining")?.parse().ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, message: &str, path_index: Option<u64>) -> AnswerContent {
        AnswerContent::Error(ApiError { code: code.to_owned(), message: message.to_owned(), path_index, param: None })
    }

    fn content(body: &[u8]) -> AnswerContent {
        AnswerContent::of(&Arrived::Whole(body.to_vec()))
    }

    fn nothing(body: &str) -> String {
        match content(body.as_bytes()) {
            AnswerContent::Nothing(text) => text,
            other => panic!("{body}: {other:?}"),
        }
    }

    const CREATED: &str = r#"{"code":"SUCCESS","details":{"Created_Time":"2021-05-05T05:33:33+00:00",
        "id":"738964000002118002","Created_By":{"name":"P","id":"738964000000291009"}},"status":"success"}"#;

    #[test]
    fn a_success_needs_its_code_and_an_id() {
        let AnswerContent::Created(created) = content(format!(r#"{{"data":[{CREATED}]}}"#).as_bytes()) else {
            panic!("not a success")
        };
        assert_eq!(created.id.to_string(), "738964000002118002");
        assert_eq!(created.by.map(|by| by.to_string()).as_deref(), Some("738964000000291009"));
        assert_eq!(created.time.as_deref(), Some("2021-05-05T05:33:33+00:00"));
        let with_id =
            |id: &str| format!(r#"{{"data":[{{"code":"SUCCESS","status":"success","details":{{"id":{id}}}}}]}}"#);
        for ten_to_nineteen in ["\"1000000231\"", "1000000231", "\"9223372036854775807\""] {
            assert!(
                matches!(content(with_id(ten_to_nineteen).as_bytes()), AnswerContent::Created(_)),
                "{ten_to_nineteen}"
            );
        }
        for without in
            ["\"12a\"", "-5", "\"123456789\"", "123456789", "\"12345678901234567890\"", "\"\"", "null", "1.5e12"]
        {
            nothing(&with_id(without));
        }
        for without in [
            r#"{"data":[{"code":"SUCCESS","status":"success"}]}"#,
            r#"{"data":[]}"#,
            r#"[]"#,
            r#""SUCCESS""#,
            r#"{"status":"success"}"#,
        ] {
            nothing(without);
        }
    }

    #[test]
    fn a_success_is_one_entry_and_no_more() {
        nothing(&format!(r#"{{"data":[{CREATED},{CREATED}]}}"#));
        nothing(&format!(r#"{{"code":"SUCCESS","data":[{CREATED}]}}"#));
        nothing(&format!(r#"{{"code":"INVALID_DATA","data":[{CREATED}]}}"#));
        nothing(r#"{"data":[{"code":"INVALID_DATA","status":"error"},{"code":"INVALID_DATA","status":"error"}]}"#);
        assert_eq!(nothing(r#"{"code":"INVALID_DATA","message":"no","status":"success"}"#), "INVALID_DATA: no");
        assert_eq!(nothing(r#"{"data":[{"code":"SUCCESS","status":"error","message":"no"}]}"#), "SUCCESS: no");
    }

    #[test]
    fn an_error_is_read_at_the_top_and_inside_data() {
        let one = r#"{"code":"INVALID_DATA","details":{"resource_path_index":1},"message":"the related id given seems to be invalid","status":"error"}"#;
        let expected = error("INVALID_DATA", "the related id given seems to be invalid", Some(1));
        assert_eq!(content(one.as_bytes()), expected);
        assert_eq!(content(format!("{{\"data\":[{one}]}}").as_bytes()), expected);
    }

    #[test]
    fn the_words_of_an_error_are_kept_whatever_its_shape() {
        for (body, told) in [
            (r#"{"errors":[{"code":"NO_ACCESS","message":"not here"}]}"#, "NO_ACCESS: not here"),
            (r#"{"error":"invalid_token","error_description":"it is old"}"#, "invalid_token: it is old"),
            (r#"{"response":{"error":{"code":4834,"message":"nothing found"}}}"#, "4834: nothing found"),
            (r#"{"message":"forbidden"}"#, "forbidden"),
            (r#"[{"code":"A","message":"B"}]"#, "A: B"),
            (r#"{"data":{"code":"A","message":"B"}}"#, "A: B"),
            (r#"{"code":"","message":"no code"}"#, "no code"),
            (r#"{"no":"words"}"#, r#"the answer has no code: {"no":"words"}"#),
        ] {
            assert_eq!(nothing(body), told);
        }
    }

    #[test]
    fn what_is_not_json_is_shown_in_part() {
        assert_eq!(nothing("no JSON\nat all"), "the answer is not JSON: no JSON at all");
        assert_eq!(
            nothing("<html>\n<title>502\nBad</title>"),
            "the answer is a web page, titled \u{201c}502 Bad\u{201d}"
        );
        assert_eq!(nothing(" <!DOCTYPE HTML><body>x"), "the answer is a web page");
        assert_eq!(nothing(""), "the answer is empty");
        assert_eq!(
            content(b"\x1f\x8b\xff\x00"),
            AnswerContent::Nothing("the answer is not JSON: 4 bytes that are no text".to_owned())
        );
        let named = AnswerContent::of(&Arrived::Compressed("br".to_owned()));
        assert_eq!(named, AnswerContent::Nothing("the answer is compressed (br), which nobody asked for".to_owned()));
        nothing(&"[".repeat(100_000));
    }

    #[test]
    fn waits_are_read_in_both_forms_against_the_services_clock() {
        let now = http_date("Wed, 21 Oct 2015 07:28:00 GMT").expect("a date");
        let wait = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", value.parse().expect("a header"));
            retry_after(&headers).map(|wait| wait.wait(now).as_secs())
        };
        for (value, seconds) in [
            ("30", 30),
            ("0", 0),
            ("8.5", 9),
            ("8.000", 8),
            ("0.01", 1),
            ("8.", 8),
            ("99999999999", 86_400),
            ("99999999999999999999999999", 86_400),
            ("Wed, 21 Oct 2015 07:29:30 GMT", 90),
            ("Wed, 21 Oct 2015 07:00:00 GMT", 0),
            ("Wed, 21 Oct 2065 07:00:00 GMT", 86_400),
        ] {
            assert_eq!(wait(value), Some(seconds), "{value}");
        }
        for wrong in ["soon", "-5", "1,5", ".5", ""] {
            assert_eq!(wait(wrong), None, "{wrong}");
        }
    }
}
