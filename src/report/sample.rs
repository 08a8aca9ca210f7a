//! Made-up results for the tests of the report: a migration of three days in which most goes well.

use std::time::Duration;

use jiff::Timestamp;

use super::model::{Origin, Report};
use crate::content::Fingerprint;
use crate::outcome::{OwnCode, Status};
use crate::owner::CrmOwner;
use crate::results::{Line, ManifestRef, RunRecord};
use crate::upload::{RowKey, ServiceId, SourceKind};

/// A name that would be markup, a formula and a disguise, if any reader let it.
pub(super) const HOSTILE: &str = "=HYPERLINK(\"x\")<img src=x onerror=alert(1)>|\u{202e}fdp";

/// 2 March 2026, 00:00 UTC.
const MONDAY: i64 = 1_772_409_600;
const MODULES: [&str; 4] = ["Accounts", "Contacts", "Deals", "Sales_Orders"];

/// Every row of the results.
pub(super) fn lines(rows: u32) -> impl Iterator<Item = Line> {
    (0..rows).map(move |n| line(n, rows))
}

fn line(n: u32, rows: u32) -> Line {
    let module = MODULES[(u64::from(n) * 7 / u64::from(rows.max(1))) as usize % 4];
    let record = (738_964_000_000_200_000 + u64::from(n / 3)).to_string();
    let is_link = n % 23 == 5;
    let file = format!("contracts/{}/Agreement {n} – signed.pdf", 2_015 + n % 9);
    let source = if is_link { format!("https://archive.example.com/doc/{n}") } else { file };
    let kind = if is_link { SourceKind::Link } else { SourceKind::File };
    let seconds = 300 + u64::from(n * 37 % 500) + if n.is_multiple_of(19) { u64::from(n % 7) * 900 } else { 0 };
    let sent = sent_at(n, rows);
    let mut line = Line {
        line: n + 2,
        module: module.to_owned(),
        key: RowKey::of(module, &record, kind, &source, "", 1),
        record,
        record_key: if n.is_multiple_of(4) { format!("OLD-{n:05}") } else { String::new() },
        file: if is_link { String::new() } else { source.clone() },
        url: if is_link { source } else { String::new() },
        name: if is_link { String::new() } else { format!("Agreement {n} – signed.pdf") },
        status: Status::Uploaded,
        attachment_id: Some(ServiceId::new(738_964_000_100_000_000 + u64::from(n))),
        code: String::new(),
        message: "attachment uploaded successfully".to_owned(),
        http_status: Some(200),
        tries: 1,
        bytes: Some(if is_link { 0 } else { 2_000 << (n % 15) }),
        content: (!is_link).then_some(Fingerprint::Xxh3(u128::from(n))),
        seconds: Duration::from_millis(seconds),
        sent_at: Timestamp::from_second(sent).ok(),
        finished_at: Timestamp::from_second(sent + 1).ok(),
        created_time: Some("2026-03-02T09:00:00+01:00".to_owned()),
        created_by: Some(ServiceId::new(738_964_000_000_191_017)),
        carried: vec![format!("case {n}")],
        target: "www.zohoapis.eu".to_owned(),
        org: Some(CrmOwner::Organisation(ServiceId::new(10_234_695))),
        run: "20260302-080000-1f2e".to_owned(),
    };
    spoil(&mut line, n);
    line
}

/// Two days of work from morning to evening and the morning of a third, busier around noon.
fn sent_at(n: u32, rows: u32) -> i64 {
    let share = f64::from(n) / f64::from(rows.max(1)) * 2.3;
    let (day, part) = (share.floor(), share.fract());
    let uneven = part + 0.04 * (part * 19.0).sin();
    MONDAY + 8 * 3_600 + (day * 86_400.0 + uneven * 9.0 * 3_600.0) as i64
}

/// What goes wrong with the row, if anything does.
fn spoil(line: &mut Line, n: u32) {
    let (status, code, message) = match n % 1_000 {
        17 => (Status::Failed, "INVALID_DATA".to_owned(), "the related id given seems to be invalid".to_owned()),
        118 => (Status::Failed, "INVALID_DATA".to_owned(), "invalid file type".to_owned()),
        219 => (Status::Failed, OwnCode::FileGone.into(), format!("{} is not there any more", line.file)),
        320 => (Status::Unknown, OwnCode::SeveralMatches.into(), "2 attachments of the record could be it".to_owned()),
        421 => (Status::InDoubt, OwnCode::AnswerLost.into(), "the connection ended before an answer came".to_owned()),
        522 => (Status::Invalid, "record-id".to_owned(), "\"7.38964E+17\" was made a rounded number".to_owned()),
        523 | 524 => (Status::NotSent, OwnCode::RunEnded.into(), "the run ended before its turn came".to_owned()),
        625..630 => (Status::Uploaded, OwnCode::SettledByListing.into(), "found in the record's list".to_owned()),
        731..740 => (Status::AlreadyPresent, OwnCode::Exists.into(), "an attachment of this name is there".to_owned()),
        _ => return,
    };
    if status == Status::Failed && message.starts_with("the related") {
        line.file = format!("{}/{HOSTILE}", line.file);
        line.name = HOSTILE.to_owned();
        line.carried = vec![HOSTILE.to_owned()];
    }
    if !matches!(status, Status::Uploaded | Status::AlreadyPresent) {
        line.attachment_id = None;
        line.created_by = None;
    }
    if matches!(status, Status::NotSent | Status::Invalid) {
        (line.sent_at, line.finished_at, line.tries) = (None, None, 0);
    }
    (line.status, line.code, line.message) = (status, code, message);
}

/// Where the report on these rows comes from.
pub(super) fn origin() -> Origin {
    Origin {
        title: None,
        client: None,
        later_results: Vec::new(),
        results: "migration.results.csv".to_owned(),
        results_sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        complete: true,
        made_at: Timestamp::from_second(MONDAY + 200_000).expect("a time"),
        verification: None,
        aside: Default::default(),
    }
}

/// The report on so many rows.
pub(super) fn report(rows: u32) -> Report {
    let runs = vec![run(0, 4, Some("API credits used up")), run(1, 130, None), run(2, 5, None)];
    Report::of(&["x_case".to_owned()], lines(rows).map(Ok), origin(), runs).expect("every row can be read")
}

/// A run on such a day.
fn run(day: i64, exit: u8, stopped: Option<&str>) -> RunRecord {
    let at = |hour: i64| Timestamp::from_second(MONDAY + day * 86_400 + hour * 3_600).expect("a time");
    let option = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    RunRecord {
        root: None,
        id: format!("2026030{}T080000Z-1f2e", 2 + day),
        version: "0.1.0".to_owned(),
        started: at(8),
        finished: at(17),
        target: "www.zohoapis.eu".to_owned(),
        manifest: ManifestRef {
            path: "migration.csv".to_owned(),
            sha256: "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae".to_owned(),
        },
        options: [("concurrency", "8"), ("rate", "10/s")].map(option).into(),
        counts: [("uploaded".to_owned(), 1_000)].into(),
        undid: None,
        stopped: stopped.map(str::to_owned),
        exit,
    }
}
