//! The module-level list of attachments, `GET /crm/{v}/Attachments`, and every way in which it may disappoint: no page
//! of the service's documents it.

use std::str::FromStr;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::answer::{self, SandboxRefusal, json_answer};
use super::list;
use super::options::{SandboxOptions, Version};
use super::route::Params;
use super::service::{SandboxService, locked};
use super::store::{Attachment, rfc3339};

/// Entries that page tokens reach in one order.
const REACH_OF_TOKENS: usize = 100_000;
/// Entries that page numbers reach, in versions without tokens.
const REACH_OF_PAGE: usize = 2_000;
const MOST_PER_PAGE: usize = 200;
/// Entries that a census without end makes up for a page.
const MADE_UP_PER_PAGE: usize = 5;
/// After so many entries one of an e-mail is mixed in.
const ONE_EMAIL_IN: usize = 7;

/// What the module-level list does. The default is that it does not exist.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct CensusOptions {
    /// How it answers.
    pub answer: CensusAnswer,
    /// Whether links are left out.
    pub without_links: bool,
    /// Whether attachments of e-mails are mixed in.
    pub emails: bool,
    /// How much longer than in the lists of records a new attachment stays out of it.
    pub lag: Duration,
    /// So many of a hundred attachments are never shown.
    pub hides_percent: u8,
    /// Whether it stays in its own order, the oldest first, whatever is asked for.
    pub own_order: bool,
    /// Whether it puts every attachment on a record that has none.
    pub other_parents: bool,
    /// Whether every page is the first one again.
    pub repeats: bool,
    /// Whether it makes up further entries for ever.
    pub never_ends: bool,
}

/// How the module-level list answers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum CensusAnswer {
    /// It does not exist: `INVALID_MODULE`.
    #[default]
    Off,
    /// Nobody may see it: `NO_PERMISSION`.
    Refused,
    /// With pages.
    On,
}

impl FromStr for CensusOptions {
    type Err = String;

    /// Reads words such as `on,hides=10%,lag=5s`.
    fn from_str(text: &str) -> Result<CensusOptions, String> {
        let mut census = CensusOptions { answer: CensusAnswer::On, ..CensusOptions::default() };
        for word in text.split(',').map(str::trim) {
            match word.split_once('=').unwrap_or((word, "")) {
                ("on", "") => {}
                ("off", "") => census.answer = CensusAnswer::Off,
                ("refused", "") => census.answer = CensusAnswer::Refused,
                ("without-links", "") => census.without_links = true,
                ("emails", "") => census.emails = true,
                ("own-order", "") => census.own_order = true,
                ("other-parents", "") => census.other_parents = true,
                ("repeats", "") => census.repeats = true,
                ("never-ends", "") => census.never_ends = true,
                ("lag", seconds) => census.lag = seconds_of(seconds).ok_or("lag is so many seconds, such as lag=5s")?,
                ("hides", share) => {
                    census.hides_percent = percent_of(share).ok_or("hides is a share, such as hides=10%")?;
                }
                _ => return Err(format!("\"{word}\" is nothing that the census can do")),
            }
        }
        Ok(census)
    }
}

fn seconds_of(text: &str) -> Option<Duration> {
    text.strip_suffix('s')?.parse().ok().map(Duration::from_secs)
}

fn percent_of(text: &str) -> Option<u8> {
    text.strip_suffix('%')?.parse().ok().filter(|percent| *percent <= 100)
}

/// Where a page begins, as its token has it.
#[derive(Clone, Copy)]
struct CensusPosition {
    /// Entries before it.
    offset: usize,
    newest_first: bool,
}

impl CensusPosition {
    fn parse(params: &Params, version: Version, census: &CensusOptions) -> Result<CensusPosition, SandboxRefusal> {
        let newest_first = !census.own_order && params.get("sort_order") != Some("asc");
        let Some(token) = params.get("page_token") else {
            let page = params.get("page").map_or(Some(1), |page| page.parse().ok()).filter(|page| *page > 0);
            let offset =
                (page.ok_or_else(|| SandboxRefusal::bad_param("page"))? - 1_usize).saturating_mul(MOST_PER_PAGE);
            return if offset < REACH_OF_PAGE {
                Ok(CensusPosition { offset, newest_first })
            } else {
                Err(SandboxRefusal::page_too_deep())
            };
        };
        let parsed = token.strip_prefix(if newest_first { "d" } else { "a" }).and_then(|offset| offset.parse().ok());
        match parsed {
            _ if version < Version::V3 => Err(SandboxRefusal::bad_param("page_token")),
            Some(offset) if offset < REACH_OF_TOKENS => Ok(CensusPosition { offset, newest_first }),
            Some(_) => Err(SandboxRefusal::page_too_deep()),
            None => Err(SandboxRefusal::page_token_mismatch()),
        }
    }

    fn token(self, further: usize) -> String {
        format!("{}{}", if self.newest_first { "d" } else { "a" }, self.offset + further)
    }
}

/// Answers a request for a page.
pub(super) fn page(service: &SandboxService, version: Version, query: &Params) -> Result<Response, SandboxRefusal> {
    let options = &service.options;
    let census = &options.census;
    match census.answer {
        CensusAnswer::Off => return Err(SandboxRefusal::no_module()),
        CensusAnswer::Refused => return Err(SandboxRefusal::no_permission()),
        CensusAnswer::On => {}
    }
    let fields = list::fields(query, version, options)?;
    let mut at = CensusPosition::parse(query, version, census)?;
    if census.repeats {
        at.offset = 0;
    }
    let store = locked(&service.store);
    let is_shown = |attachment: &Attachment| is_shown(census, attachment);
    let until = Instant::now().checked_sub(census.lag);
    let (shown, has_more) = store.all(until, at.newest_first, at.offset, MOST_PER_PAGE, is_shown);
    let mut data: Vec<Value> = Vec::with_capacity(MOST_PER_PAGE);
    for (place, attachment) in shown.into_iter().enumerate() {
        data.push(entry(attachment, fields.as_deref(), options));
        if census.emails && (at.offset + place).is_multiple_of(ONE_EMAIL_IN) {
            data.push(email(at.offset + place));
        }
    }
    if census.never_ends && !has_more {
        data.extend((0..MADE_UP_PER_PAGE).map(|place| email(at.offset + place)));
    }
    if data.is_empty() {
        return Ok(answer::empty(StatusCode::NO_CONTENT));
    }
    let has_more = has_more || census.repeats || census.never_ends;
    let next = (has_more && version >= Version::V3).then(|| at.token(MOST_PER_PAGE));
    let info = json!({
        "per_page": MOST_PER_PAGE, "count": data.len(), "page": at.offset / MOST_PER_PAGE + 1,
        "more_records": has_more, "next_page_token": next,
    });
    Ok(json_answer(200, &json!({"data": data, "info": info})))
}

fn is_shown(census: &CensusOptions, attachment: &Attachment) -> bool {
    if census.without_links && attachment.url.is_some() {
        return false;
    }
    // Ids follow each other: a multiplication spreads them over the hundred.
    let number: u64 = attachment.id.parse().unwrap_or_default();
    let draw = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    draw % 100 >= u64::from(census.hides_percent)
}

fn entry(attachment: &Attachment, fields: Option<&[String]>, options: &SandboxOptions) -> Value {
    let mut whole: Map<String, Value> = list::entry(attachment, options);
    let record = if options.census.other_parents { "700000000000999999" } else { &attachment.record };
    whole.insert(
        "Parent_Id".to_owned(),
        json!({"id": record, "name": list::parent_name(attachment), "module": {"api_name": attachment.module, "id": "700000000000002001"}}),
    );
    if let Some(fields) = fields {
        whole.retain(|key, _| key == "id" || fields.iter().any(|field| field == key));
    }
    whole.into()
}

/// An attachment of an e-mail, which no list of a record shows.
fn email(number: usize) -> Value {
    json!({
        "id": (790_000_000_000_000_001 + number as u64).to_string(),
        "File_Name": format!("image{number}.png"),
        "Size": 1000 + number,
        "Created_Time": rfc3339(jiff::Timestamp::now().as_second()),
        "Parent_Id": {"id": "790000000000500000", "module": {"api_name": "Emails", "id": "700000000000002099"}},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_census_does_is_said_in_words() {
        let census: CensusOptions = "on,hides=10%,lag=5s,emails".parse().unwrap();
        assert_eq!((census.answer, census.hides_percent, census.emails), (CensusAnswer::On, 10, true));
        assert_eq!(census.lag, Duration::from_secs(5));
        assert_eq!("off".parse::<CensusOptions>().unwrap().answer, CensusAnswer::Off);
        for wrong in ["", "hide", "hides=101%", "lag=5", "on=1"] {
            assert!(wrong.parse::<CensusOptions>().is_err(), "{wrong}");
        }
    }
}
