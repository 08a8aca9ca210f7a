//! What goes over the wire, as far as the client can tell: a status, headers and bytes, or no answer. From here on the
//! real reader takes over.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use ureq::http::{HeaderMap, HeaderName, StatusCode};

use crate::reply::{PageReply, PresenceReply, Reply};
use crate::upload::{ServiceId, SourceKind};
use crate::zoho::answer::{Answer, Arrived};
use crate::zoho::classify::{Ask, Exchange, TransportError, classify};
use crate::zoho::client::{self, reply_for};

/// What came of a request.
#[derive(Debug)]
pub(super) enum WireAnswer {
    Answer { status: u16, headers: HeaderMap, body: Arrived },
    Broken { how: TransportError, bytes_left: bool },
}

impl WireAnswer {
    /// An answer with this body.
    pub(super) fn answer(status: u16, body: impl Into<String>) -> WireAnswer {
        WireAnswer::Answer { status, headers: HeaderMap::new(), body: Arrived::Whole(body.into().into_bytes()) }
    }

    /// The service's own refusal.
    pub(super) fn refusal(status: u16, code: &str, message: &str) -> WireAnswer {
        let body = format!(r#"{{"code":"{code}","details":{{}},"message":"{message}","status":"error"}}"#);
        WireAnswer::answer(status, body)
    }

    /// The same answer with one more header.
    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> WireAnswer {
        if let WireAnswer::Answer { headers, .. } = &mut self {
            let value = value.to_string().parse().expect("a header's value");
            headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    fn exchange(self) -> Exchange {
        match self {
            WireAnswer::Answer { status, headers, body } => {
                let status = StatusCode::from_u16(status).expect("a status");
                Exchange::Answer(Answer::of(status, &headers, body))
            }
            WireAnswer::Broken { how, bytes_left } => {
                Exchange::Broken { how, bytes_left, detail: "connection reset".to_owned() }
            }
        }
    }

    /// What the client makes of an answer to an upload.
    pub(super) fn upload_reply(self, kind: SourceKind, now: Timestamp) -> Reply {
        let ask = match kind {
            SourceKind::File => Ask::File,
            SourceKind::Link => Ask::Link,
        };
        Reply { took: Duration::from_millis(1), ..reply(ask, &self.exchange(), now) }
    }

    /// What the client makes of an answer to the question for a page.
    pub(super) fn page_reply(self, now: Timestamp) -> PageReply {
        let exchange = self.exchange();
        client::page_reply(&exchange, || reply(Ask::List, &exchange, now))
    }

    /// What the client makes of an answer to a deletion.
    pub(super) fn delete_reply(self, attachment: ServiceId, now: Timestamp) -> Result<(), Box<Reply>> {
        let exchange = self.exchange();
        client::delete_reply(&exchange, attachment, || reply(Ask::Delete, &exchange, now))
    }

    /// What the client makes of an answer to the question for one attachment.
    pub(super) fn presence_reply(self, now: Timestamp) -> PresenceReply {
        let exchange = self.exchange();
        client::presence_reply(&exchange, || reply(Ask::List, &exchange, now))
    }
}

fn reply(ask: Ask, exchange: &Exchange, now: Timestamp) -> Reply {
    reply_for(classify(ask, exchange), exchange, format_args!(""), Some(now))
}

/// The body that tells of a new attachment.
pub(super) fn success(id: ServiceId, created: Timestamp, by: ServiceId) -> String {
    format!(
        r#"{{"data":[{{"code":"SUCCESS","details":{{"Created_Time":"{created}","id":"{id}","Created_By":{{"name":"P","id":"{by}"}}}},"message":"attachment uploaded successfully","status":"success"}}]}}"#
    )
}

/// The body that tells of a deletion.
pub(super) fn deleted(id: ServiceId) -> String {
    format!(
        r#"{{"data":[{{"code":"SUCCESS","details":{{"id":"{id}"}},"message":"record deleted","status":"success"}}]}}"#
    )
}

/// An attachment as a list shows it.
#[derive(Clone, Copy)]
pub(super) struct SimEntry<'a> {
    pub(super) id: ServiceId,
    pub(super) name: &'a str,
    pub(super) size: u64,
    pub(super) url: Option<&'a str>,
    pub(super) created: Timestamp,
    pub(super) by: ServiceId,
    /// Whether name and size are left out.
    pub(super) lean: bool,
}

/// How a version of the API writes its lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ListDialect {
    /// Sizes are texts, and each page says which it is and what it holds.
    Texts,
    /// Sizes are numbers.
    Numbers,
    /// Sizes are numbers, and a page says no more than whether another one follows.
    Terse,
}

impl ListDialect {
    /// Draws one, and leaves what is drawn next as it would have been.
    pub(super) fn draw(random: &fastrand::Rng) -> ListDialect {
        match random.clone().u8(..4) {
            0 => ListDialect::Numbers,
            1 => ListDialect::Terse,
            _ => ListDialect::Texts,
        }
    }
}

/// A page of a list.
pub(super) fn page(dialect: ListDialect, entries: &[SimEntry<'_>], number: usize, more: bool) -> String {
    let quote = if dialect == ListDialect::Texts { "\"" } else { "" };
    let mut data = String::new();
    for entry in entries {
        let comma = if data.is_empty() { "" } else { "," };
        let SimEntry { id, name, size, url, created, by, lean } = entry;
        let url = url.map_or("null".to_owned(), |url| format!("\"{url}\""));
        let told = if *lean { String::new() } else { format!(r#""File_Name":"{name}","Size":{quote}{size}{quote},"#) };
        // Writing into a text cannot fail.
        let _ = write!(
            data,
            r#"{comma}{{"id":"{id}",{told}"Created_Time":"{created}","Created_By":{{"id":"{by}"}},"$link_url":{url}}}"#
        );
    }
    let place = match dialect {
        ListDialect::Terse => String::new(),
        _ => format!(r#""page":{number},"count":{},"#, entries.len()),
    };
    format!(r#"{{"data":[{data}],"info":{{{place}"more_records":{more}}}}}"#)
}
