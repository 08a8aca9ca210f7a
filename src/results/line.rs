//! One line of the results: a row of the manifest and what is known of its upload. How it becomes bytes is the business
//! of `codec.rs`.

use std::time::Duration;

use jiff::Timestamp;

use crate::content::Fingerprint;
use crate::outcome::{Outcome, Status};
use crate::owner::CrmOwner;
use crate::upload::{RowKey, ServiceId, SourceKind, Upload};

/// One line of the results: a row of the manifest and what is known of its upload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The row's physical line in the manifest, from 1; 0, and empty in the file, if the row is no longer there.
    pub line: u32,
    /// The module's API name, or what an invalid row says.
    pub module: String,
    /// The record's id, or what an invalid row says.
    pub record: String,
    /// What the old system calls the record, as the row says; empty for a row that names it by its id.
    pub record_key: String,
    /// The path as written in the manifest; empty for a link.
    pub file: String,
    /// The address as written in the manifest; empty for a file.
    pub url: String,
    /// The name as sent.
    pub name: String,
    /// What became of it.
    pub status: Status,
    /// The attachment, where one is known.
    pub attachment_id: Option<ServiceId>,
    /// The service's code or one of ours.
    pub code: String,
    /// The service's words or ours.
    pub message: String,
    /// HTTP status of the answer that decided.
    pub http_status: Option<u16>,
    /// Requests made for the row, all runs together; listings are not counted.
    pub tries: u32,
    /// Size of the file, 0 for a link; `None` where the file was not looked at.
    pub bytes: Option<u64>,
    /// The fingerprint of the bytes that were sent to their end; `None` for a link, and where nobody knows it.
    pub content: Option<Fingerprint>,
    /// From the first byte to the answer of the deciding try, in whole milliseconds.
    pub seconds: Duration,
    /// The service's time at the first `sending`.
    pub sent_at: Option<Timestamp>,
    /// The service's time when the status was known.
    pub finished_at: Option<Timestamp>,
    /// Creation time as the service wrote it.
    pub created_time: Option<String>,
    /// The user it was created as.
    pub created_by: Option<ServiceId>,
    /// The cells of the carried columns, in the layout's order; missing ones are empty.
    pub carried: Vec<String>,
    /// Host of the API, or `sandbox`.
    pub target: String,
    /// Whose CRM it is, as far as the run could tell; `None` in a rehearsal and in lines of earlier versions.
    pub org: Option<CrmOwner>,
    /// Which run wrote the line.
    pub run: String,
    /// Which row it is about.
    pub key: RowKey,
}

impl Line {
    /// The line of a row of which nothing is known yet: `not_sent`, no code.
    pub fn of(upload: &Upload<'_>, bytes: Option<u64>, target: &str, run: &str) -> Line {
        let (file, url) = match upload.kind {
            SourceKind::File => (upload.source, ""),
            SourceKind::Link => ("", upload.source),
        };
        Line {
            line: upload.line,
            module: upload.module.to_owned(),
            record: upload.record.to_string(),
            record_key: String::new(),
            file: file.to_owned(),
            url: url.to_owned(),
            name: upload.name.to_owned(),
            status: Status::NotSent,
            attachment_id: None,
            code: String::new(),
            message: String::new(),
            http_status: None,
            tries: 0,
            bytes,
            content: None,
            seconds: Duration::ZERO,
            sent_at: None,
            finished_at: None,
            created_time: None,
            created_by: None,
            carried: Vec::new(),
            target: target.to_owned(),
            org: None,
            run: run.to_owned(),
            key: upload.key,
        }
    }

    /// The same row, about to be sent at this time of the service.
    #[must_use]
    pub fn sending(mut self, sent_at: Timestamp) -> Line {
        self.status = Status::Sending;
        self.sent_at = Some(sent_at);
        self
    }

    /// The same row with its end. `tries_before` are those of earlier runs.
    #[must_use]
    pub fn ended(mut self, outcome: &Outcome, tries_before: u32) -> Line {
        self.status = outcome.status;
        self.attachment_id = outcome.attachment_id;
        self.code.clone_from(&outcome.code);
        self.message.clone_from(&outcome.message);
        self.http_status = outcome.http_status;
        self.tries = tries_before.saturating_add(outcome.tries);
        self.seconds = Duration::from_millis(u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX));
        self.sent_at = outcome.sent_at;
        self.finished_at = outcome.finished_at;
        self.created_time.clone_from(&outcome.created_time);
        self.created_by = outcome.created_by;
        self
    }

    /// Whether the row attaches a file or a link; an invalid row may have neither or both.
    pub fn kind(&self) -> Option<SourceKind> {
        match (self.file.is_empty(), self.url.is_empty()) {
            (false, true) => Some(SourceKind::File),
            (true, false) => Some(SourceKind::Link),
            _ => None,
        }
    }
}

#[cfg(test)]
pub(super) mod samples {
    use super::super::columns::Layout;
    use super::*;
    use crate::outcome::OwnCode;

    /// A line with something in every column.
    pub(in crate::results) fn full() -> Line {
        let upload = Upload {
            line: 7,
            module: "Leads",
            record: crate::upload::RecordId::new(738_964_000_000_291_009).expect("an id"),
            kind: SourceKind::File,
            source: "Angebote/50% März, \"neu\".pdf",
            name: "=März\n.pdf",
            key: RowKey(0x0123_4567_89ab_cdef),
        };
        let outcome = Outcome {
            status: Status::Uploaded,
            code: OwnCode::SettledByListing.into(),
            message: "found in the record's list, 2 tries".to_owned(),
            attachment_id: Some(ServiceId::new(738_964_000_000_300_001)),
            http_status: Some(200),
            tries: 2,
            took: Duration::from_millis(1_234),
            sent_at: "2026-03-10T09:15:00Z".parse().ok(),
            finished_at: "2026-03-10T09:15:02.5Z".parse().ok(),
            created_time: Some("2026-03-10T14:45:01+05:30".to_owned()),
            created_by: Some(ServiceId::new(738_964_000_000_100_001)),
        };
        let mut line = Line::of(&upload, Some(52_431), "www.zohoapis.eu", "20260310T091459Z-4f2a").ended(&outcome, 1);
        line.carried = vec!["see, mail".to_owned(), String::new()];
        "K-7".clone_into(&mut line.record_key);
        line.content = Some(Fingerprint::Xxh3(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff));
        line.org = Some(CrmOwner::Organisation(ServiceId::new(10_234_695)));
        line
    }

    pub(in crate::results) fn layout() -> Layout {
        Layout::new(["note", "x_batch"])
    }
}
