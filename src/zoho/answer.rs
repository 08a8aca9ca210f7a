//! Reads an answer: status, the service's own words, and the few headers that matter.
//!
//! Answers are not trusted: everything is bounded, ids are digits only, and words are made safe for a terminal before
//! they go anywhere.

use std::time::Duration;

use jiff::Timestamp;
use ureq::http::HeaderMap;

use super::json::Json;
use crate::reply::Created;
use crate::upload::ServiceId;

/// Longest answer body that is read; a longer one cannot be an answer to what we asked.
pub(crate) const MAX_BODY: usize = 1024 * 1024;

const MAX_CODE_CHARS: usize = 80;
const MAX_MESSAGE_CHARS: usize = 300;
/// A wait longer than this is as good as for ever.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// An answer that came, head and body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content: AnswerContent,
    /// The body as it came, whole; `None` if it was cut off or too long.
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) credits_left: Option<u64>,
    /// The service's clock.
    pub(crate) date: Option<Timestamp>,
}

/// What the body of an answer says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum AnswerContent {
    /// An attachment was made.
    Created(Created),
    /// A code and a message.
    Said(ApiError),
    /// Nothing that the service is known to say; a bit of it, for people.
    Nothing(String),
}

/// A code with its message.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct ApiError {
    pub(crate) code: String,
    pub(crate) message: String,
    /// Which segment of the path is at fault: 0 the module, 1 the record.
    pub(crate) path_index: Option<u64>,
}

impl AnswerContent {
    /// Reads a body; `None` stands for one that was cut off or too long.
    pub(crate) fn of(body: Option<&[u8]>) -> AnswerContent {
        let Some(body) = body else { return AnswerContent::Nothing("the answer was cut off".to_owned()) };
        match serde_json::from_slice(body) {
            Ok(json) => AnswerContent::of_json(&json),
            Err(_) => AnswerContent::Nothing(excerpt(body)),
        }
    }

    /// Errors stand at the top or, in some versions, inside `data` like a success; so both places are looked at, and a
    /// success is one only if it says so and gives an id.
    fn of_json(json: &Json<'_>) -> AnswerContent {
        let inner = json.get("data").and_then(Json::as_list).and_then(<[_]>::first).unwrap_or(json);
        let text = |name| inner.get(name).and_then(Json::as_str);
        let details = inner.get("details");
        match (text("code"), text("status")) {
            (Some("SUCCESS"), Some("success") | None) => match details.and_then(created) {
                Some(created) => AnswerContent::Created(created),
                None => AnswerContent::Nothing("the answer speaks of success but gives no attachment id".to_owned()),
            },
            (Some(code), _) => AnswerContent::Said(ApiError {
                code: strip_for_terminal(code, MAX_CODE_CHARS),
                message: strip_for_terminal(text("message").unwrap_or_default(), MAX_MESSAGE_CHARS),
                path_index: details.and_then(|details| details.get("resource_path_index")).and_then(Json::as_u64),
            }),
            (None, _) => AnswerContent::Nothing("the answer has no code".to_owned()),
        }
    }

    pub(crate) fn api_error(&self) -> Option<&ApiError> {
        match self {
            AnswerContent::Said(api_error) => Some(api_error),
            AnswerContent::Created(_) | AnswerContent::Nothing(_) => None,
        }
    }
}

fn created(details: &Json<'_>) -> Option<Created> {
    Some(Created {
        id: id(details.get("id")?)?,
        time: details.get("Created_Time").and_then(Json::as_str).map(|time| strip_for_terminal(time, 40)),
        by: details.get("Created_By").and_then(|by| by.get("id")).and_then(id),
    })
}

/// An id as the service writes it, or as a number, which some versions of its clients produce.
pub(crate) fn id(json: &Json<'_>) -> Option<ServiceId> {
    match json {
        Json::Text(text) => text.parse().ok(),
        Json::Number(number) => Some(ServiceId::new(*number)),
        _ => None,
    }
}

fn excerpt(body: &[u8]) -> String {
    if body.is_empty() {
        return "the answer is empty".to_owned();
    }
    let start = &body[..body.len().min(4096)];
    format!("the answer is not JSON: {}", strip_for_terminal(&String::from_utf8_lossy(start), 120))
}

/// The text without anything a terminal would act on or that would change the order of reading; line ends and tabs
/// become blanks.
pub(crate) fn strip_for_terminal(text: &str, max_chars: usize) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    let mut count = 0;
    while let Some(c) = chars.next() {
        let keep = match c {
            '\n' | '\r' | '\t' => ' ',
            '\u{1b}' => {
                skip_escape(&mut chars);
                continue;
            }
            c if c.is_control() || reorders(c) => continue,
            c => c,
        };
        if count == max_chars {
            out.push('…');
            break;
        }
        out.push(keep);
        count += 1;
    }
    out.trim().to_owned()
}

fn reorders(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Drops the rest of a terminal's control sequence: `ESC [ … letter`, or `ESC ] … BEL`.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            chars.find(|c| ('\u{40}'..='\u{7e}').contains(c));
        }
        Some(']') => {
            chars.find(|c| matches!(c, '\u{7}' | '\u{1b}'));
        }
        _ => {}
    }
}

/// The service's clock, from the `Date` header: whole seconds.
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(text(headers, "date")?)
}

/// `Retry-After`, in seconds or as a date, which is measured against the service's own clock.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, "retry-after")?;
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let wait = http_date(value)?.as_second() - date(headers)?.as_second();
            Duration::from_secs(u64::try_from(wait).unwrap_or(0))
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
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

    fn api_error(code: &str, message: &str, path_index: Option<u64>) -> AnswerContent {
        AnswerContent::Said(ApiError { code: code.to_owned(), message: message.to_owned(), path_index })
    }

    #[test]
    fn a_success_needs_its_code_and_an_id() {
        let full = br#"{"data":[{"code":"SUCCESS","details":{"Created_Time":"2021-05-05T05:33:33+00:00",
            "id":"738964000002118002","Created_By":{"name":"P","id":"738964000000291009"}},"status":"success"}]}"#;
        let AnswerContent::Created(created) = AnswerContent::of(Some(full)) else { panic!("not a success") };
        assert_eq!(created.id.to_string(), "738964000002118002");
        assert_eq!(created.by.map(|by| by.to_string()).as_deref(), Some("738964000000291009"));
        assert_eq!(created.time.as_deref(), Some("2021-05-05T05:33:33+00:00"));
        for without in [
            r#"{"data":[{"code":"SUCCESS","status":"success"}]}"#,
            r#"{"data":[{"code":"SUCCESS","status":"success","details":{"id":"12a"}}]}"#,
            r#"{"data":[{"code":"SUCCESS","status":"success","details":{"id":-5}}]}"#,
            r#"{"data":[]}"#,
            r#"[]"#,
            r#""SUCCESS""#,
            r#"{"status":"success"}"#,
        ] {
            assert!(matches!(AnswerContent::of(Some(without.as_bytes())), AnswerContent::Nothing(_)), "{without}");
        }
    }

    #[test]
    fn an_error_is_read_at_the_top_and_inside_data() {
        let error = r#"{"code":"INVALID_DATA","details":{"resource_path_index":1},"message":"the related id given seems to be invalid","status":"error"}"#;
        let expected = api_error("INVALID_DATA", "the related id given seems to be invalid", Some(1));
        assert_eq!(AnswerContent::of(Some(error.as_bytes())), expected);
        assert_eq!(AnswerContent::of(Some(format!("{{\"data\":[{error}]}}").as_bytes())), expected);
        let dressed_up = br#"{"data":[{"code":"SUCCESS","status":"error","message":"no"}]}"#;
        assert_eq!(AnswerContent::of(Some(dressed_up)), api_error("SUCCESS", "no", None));
    }

    #[test]
    fn what_is_not_json_is_shown_in_part() {
        let page = AnswerContent::of(Some(b"<html>\n<title>502</title>"));
        assert_eq!(page, AnswerContent::Nothing("the answer is not JSON: <html> <title>502</title>".to_owned()));
        assert_eq!(AnswerContent::of(Some(b"")), AnswerContent::Nothing("the answer is empty".to_owned()));
        let deep = "[".repeat(100_000);
        assert!(matches!(AnswerContent::of(Some(deep.as_bytes())), AnswerContent::Nothing(_)));
    }

    #[test]
    fn words_cannot_act_on_a_terminal() {
        assert_eq!(strip_for_terminal("a\u{1b}[31mred\u{1b}[0m b\u{1b}]0;title\u{7}c", 99), "ared bc");
        assert_eq!(strip_for_terminal("x\u{202e}y\u{9b}31mz\r\nw\u{0}", 99), "xy31mz  w");
        assert_eq!(strip_for_terminal(&"ä".repeat(10), 3), "äää…");
    }

    #[test]
    fn waits_are_read_in_both_forms_against_the_services_clock() {
        let wait = |value: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", value.parse().expect("a header"));
            if let Some(date) = date {
                headers.insert("date", date.parse().expect("a header"));
            }
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        let date = Some("Wed, 21 Oct 2015 07:28:00 GMT");
        assert_eq!(wait("30", None), Some(30));
        assert_eq!(wait("Wed, 21 Oct 2015 07:29:30 GMT", date), Some(90));
        assert_eq!(wait("Wed, 21 Oct 2015 07:00:00 GMT", date), Some(0));
        assert_eq!(wait("Wed, 21 Oct 2015 07:29:30 GMT", None), None);
        assert_eq!(wait("99999999999", None), Some(86_400));
        for wrong in ["soon", "-5", "1.5", ""] {
            assert_eq!(wait(wrong, date), None, "{wrong}");
        }
    }
}
