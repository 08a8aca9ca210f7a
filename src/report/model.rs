//! What a results file says, counted and grouped once, for every form of the report.
//!
//! Rows that are where they should be are only counted: two hundred thousand of them prove nothing by being printed,
//! and the workbook holds them all. Rows that are not are kept one by one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Display;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::record_pages::record_page;
use super::taken_back::TakenBack;
use super::timeline::{Answered, Timeline};
use super::verified::ReportedVerification;
use crate::console::mend::ABOUT_MENDING;
use crate::explain::{
    self,
    outcomes::{advice, remedy},
};
use crate::outcome::{OwnCode, Status};
use crate::results::{Line, RunRecord};
use crate::upload::{RowKey, ServiceId, SourceKind};

/// Rows of a cause of `not_sent` that are listed; a stopped run may leave the larger part of a manifest unsent, and the
/// next run sends it. Failures are always listed in full.
const WAITING_ROWS_LISTED: usize = 20;

/// Bounds of the classes of file sizes, in bytes.
pub(super) const SIZE_CLASSES: [u64; 6] = [10_000, 100_000, 1_000_000, 10_000_000, 50_000_000, 100_000_000];

/// Everything that a report says.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// Shape of the JSON.
    pub version: u32,
    /// Where it comes from.
    pub source: ReportSource,
    /// All rows together.
    pub totals: ReportTotals,
    /// The same by module, in order of name.
    pub modules: Vec<Module>,
    /// Why rows are not in place: what a person must look at first, then the larger groups first.
    pub causes: Vec<ReportCause>,
    /// When the uploads happened and how long they took; absent without uploads.
    pub timeline: Option<Timeline>,
    /// Sizes of the files that are in place, by class.
    pub sizes: Vec<SizeClass>,
    /// The runs that made the results, oldest first; empty if their record is lost.
    pub runs: Vec<RunRecord>,
    /// What the last verification found; absent if none was kept beside the results.
    pub verification: Option<ReportedVerification>,
    /// What was taken back; absent if nothing was.
    pub taken_back: Option<TakenBack>,
    /// Lines that are no rows of their own, since their rows were sent once more.
    #[serde(skip)]
    pub(super) aside: HashSet<RowKey>,
}

/// Where a report comes from.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Source")]
pub struct ReportSource {
    /// What the report is called; absent if nobody said so.
    pub title: Option<String>,
    /// Whom it is for; absent if nobody said so.
    pub client: Option<String>,
    /// The results file's own name.
    pub results: String,
    /// SHA-256 of its bytes, in hex: the report speaks of this file and no other.
    pub results_sha256: String,
    /// Whether a run came to its end: then there is a line for each row of the manifest. Otherwise rows that a run had
    /// not begun when it was cut off, or when the report was made, are not in it.
    pub complete: bool,
    /// Further results files, of rows that were mended, in the order in which they came about.
    pub later_results: Vec<LaterResults>,
    /// The API hosts that the rows went to, or `sandbox`.
    pub targets: Vec<String>,
    /// Whose CRM it is: `org:` and the organisation's id, or `client:` and a hash where only the client is known.
    pub owners: Vec<String>,
    /// The users that the service names as creators.
    #[schemars(with = "Vec<String>")]
    pub created_by: Vec<ServiceId>,
    /// When the first row was sent, by the service's clock.
    #[serde(serialize_with = "text_or_null")]
    #[schemars(with = "Option<String>")]
    pub first_sent: Option<Timestamp>,
    /// When the last row ended, by the service's clock.
    #[serde(serialize_with = "text_or_null")]
    #[schemars(with = "Option<String>")]
    pub last_finished: Option<Timestamp>,
    /// When the report was made.
    #[serde(serialize_with = "text")]
    #[schemars(with = "String")]
    pub made_at: Timestamp,
    /// Which version of this program made the report.
    pub made_by: String,
}

/// A results file whose rows stand in place of some of an earlier one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct LaterResults {
    /// The file's own name.
    pub results: String,
    /// SHA-256 of its bytes, in hex.
    pub results_sha256: String,
}

/// What the rows themselves do not say of where they come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// What the report is called, if somebody said so.
    pub title: Option<String>,
    /// Whom it is for, if somebody said so.
    pub client: Option<String>,
    /// The results file's own name.
    pub results: String,
    /// SHA-256 of its bytes, in hex.
    pub results_sha256: String,
    /// Whether a run came to its end, for each of the files.
    pub complete: bool,
    /// Further results files.
    pub later_results: Vec<LaterResults>,
    /// When the report is made.
    pub made_at: Timestamp,
    /// What the last verification found, if it was kept.
    pub verification: Option<ReportedVerification>,
    /// Lines that are no rows of their own, since their rows were sent once more.
    pub aside: HashSet<RowKey>,
}

/// How many rows ended in which way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "Totals")]
pub struct ReportTotals {
    /// All rows of the results.
    pub rows: u64,
    /// Created by us.
    pub uploaded: u64,
    /// On the record before we sent anything.
    pub already_present: u64,
    /// Refused or given up; nothing was created.
    pub failed: u64,
    /// Left out by `--skip-invalid`.
    pub invalid: u64,
    /// Not to be told from the record's list.
    pub unknown: u64,
    /// Sent without an answer, to be settled by the next run; rows that are under way count here.
    pub in_doubt: u64,
    /// Not tried yet.
    pub not_sent: u64,
    /// Attachments of rows that were sent once more: they stand beside those of the rows, and are no rows of their own.
    pub superseded: u64,
    /// Attachments of ours that were taken back. Those of rows that were sent once more since are counted as well, and are
    /// no rows of their own.
    pub deleted: u64,
    /// Attachments of ours that were being taken back when the undo was cut off: they may be gone. Those of rows that were
    /// sent once more since are counted as well.
    pub deleting: u64,
    /// Of those taken back, the attachments of rows that were sent once more since.
    pub deleted_aside: u64,
    /// The same of those that were being taken back.
    pub deleting_aside: u64,
    /// Rows in place that are files.
    pub files: u64,
    /// Rows in place that are links.
    pub links: u64,
    /// Bytes of the files that were uploaded.
    pub bytes_uploaded: u64,
    /// The largest file that was uploaded.
    pub bytes_largest: u64,
    /// Requests made to upload rows.
    pub tries: u64,
    /// Uploads whose answer was lost and that were found on the record: sent blindly again they would be there twice.
    pub settled_by_listing: u64,
    /// Records with at least one row in place.
    pub records: u64,
}

/// One module's rows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Module {
    /// Its API name.
    pub module: String,
    /// Its share of the totals.
    pub totals: ReportTotals,
}

/// Rows that are not in place for one reason.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Cause")]
pub struct ReportCause {
    /// How they ended.
    #[serde(serialize_with = "text")]
    #[schemars(with = "String")]
    pub status: Status,
    /// The service's code or ours.
    pub code: String,
    /// The words of the first of them.
    pub message: String,
    /// What the code means, where it is known.
    pub meaning: Option<&'static str>,
    /// What to do about it, where that is known.
    pub advice: Option<&'static str>,
    /// How many there are.
    pub count: u64,
    /// The rows, in the order of the results; of `not_sent` only the first.
    pub rows: Vec<ReportRow>,
}

/// One row that is not in place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Row")]
pub struct ReportRow {
    /// Its line in the manifest; absent if it is in the manifest no more.
    pub line: Option<u32>,
    /// The module as written.
    pub module: String,
    /// The record as written.
    pub record: String,
    /// What the old system calls the record; empty where the row names it by its id.
    pub record_key: String,
    /// The file or the link as written.
    pub source: String,
    /// The name sent, where it is not the file's own.
    pub name: String,
    /// What was said of it, where it is not what was said of the first row of its cause.
    pub message: String,
    /// The page of the record in the CRM; absent where nobody knows its address.
    pub record_page: Option<String>,
    /// The cells that it carries from the manifest (`note`, `x_…`), but empty ones and those about its mending.
    pub carried: BTreeMap<String, String>,
}

/// How many files are of about one size.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct SizeClass {
    /// Files below this many bytes and not in a smaller class; absent for the largest.
    pub below: Option<u64>,
    /// Files.
    pub files: u64,
}

impl ReportTotals {
    /// Rows that are where they should be.
    pub fn in_place(&self) -> u64 {
        self.uploaded + self.already_present
    }

    /// Rows that a person or another run has to see to.
    pub fn open(&self) -> u64 {
        self.rows - self.in_place()
    }

    /// Lines of the results: rows, and attachments that are no rows of their own.
    pub(super) fn lines(&self) -> u64 {
        self.rows + self.superseded + self.deleted_aside + self.deleting_aside
    }

    fn add(&mut self, line: &Line, is_aside: bool) {
        self.rows += u64::from(!is_aside);
        self.deleted_aside += u64::from(is_aside && line.status == Status::Deleted);
        self.deleting_aside += u64::from(is_aside && line.status == Status::Deleting);
        self.tries += u64::from(line.tries);
        let count = match line.status {
            Status::Uploaded => &mut self.uploaded,
            Status::AlreadyPresent => &mut self.already_present,
            Status::Failed => &mut self.failed,
            Status::Invalid => &mut self.invalid,
            Status::Unknown => &mut self.unknown,
            Status::InDoubt | Status::Sending => &mut self.in_doubt,
            Status::NotSent => &mut self.not_sent,
            Status::Superseded => &mut self.superseded,
            Status::Deleting => &mut self.deleting,
            Status::Deleted => &mut self.deleted,
        };
        *count += 1;
        if is_in_place(line.status) {
            *if line.url.is_empty() { &mut self.files } else { &mut self.links } += 1;
        }
        if line.status == Status::Uploaded {
            let bytes = line.bytes.unwrap_or(0);
            self.bytes_uploaded += bytes;
            self.bytes_largest = self.bytes_largest.max(bytes);
            self.settled_by_listing += u64::from(line.code == OwnCode::SettledByListing.as_str());
        }
    }
}

/// Reads the rows of a results file one by one; the [`Report`] is its end.
#[derive(Debug, Default)]
pub(super) struct Counting {
    totals: ReportTotals,
    modules: BTreeMap<String, Counted>,
    causes: HashMap<(Status, String, String), ReportCause>,
    answered: Vec<Answered>,
    sizes: [u64; SIZE_CLASSES.len() + 1],
    targets: BTreeSet<String>,
    owners: BTreeSet<String>,
    created_by: BTreeSet<ServiceId>,
    first_sent: Option<Timestamp>,
    last_finished: Option<Timestamp>,
    taken_back: TakenBack,
    /// Lines that are no rows of their own.
    aside: HashSet<RowKey>,
}

/// What is counted of one module.
#[derive(Debug, Default)]
struct Counted {
    totals: ReportTotals,
    /// A million rows may be on a million records: as numbers they take 8 bytes each.
    records: HashSet<u64>,
}

impl Counting {
    /// No row yet. `aside`: the lines that are no rows of their own.
    pub(super) fn new(aside: HashSet<RowKey>) -> Counting {
        Counting { aside, ..Counting::default() }
    }

    /// Takes one row in. `carried` names the cells that it carries from the manifest.
    pub(super) fn add(&mut self, line: &Line, carried: &[String]) {
        let is_aside = line.status == Status::Superseded || self.aside.contains(&line.key);
        self.totals.add(line, is_aside);
        self.taken_back.add(line, is_aside);
        let module = self.modules.entry(line.module.clone()).or_default();
        module.totals.add(line, is_aside);
        if !line.target.is_empty() && !self.targets.contains(&line.target) {
            self.targets.insert(line.target.clone());
        }
        if let Some(owner) = line.org.map(|owner| owner.to_string()).filter(|owner| !self.owners.contains(owner)) {
            self.owners.insert(owner);
        }
        self.first_sent = line.sent_at.map(|at| self.first_sent.map_or(at, |first| first.min(at))).or(self.first_sent);
        self.last_finished = self.last_finished.max(line.finished_at);
        if is_aside {
            // What is gone has no place in the counts of what is there.
            if line.status != Status::Deleted {
                module.records.extend(line.record.parse::<u64>());
                self.created_by.extend(line.created_by);
            }
            return;
        }
        if !is_in_place(line.status) {
            return self.add_open(line, carried);
        }
        module.records.extend(line.record.parse::<u64>());
        self.created_by.extend(line.created_by);
        if line.status == Status::Uploaded {
            self.add_uploaded(line);
        }
    }

    fn add_uploaded(&mut self, line: &Line) {
        if let (Some(SourceKind::File), Some(bytes)) = (line.kind(), line.bytes) {
            let class = SIZE_CLASSES.partition_point(|below| *below <= bytes);
            if let Some(files) = self.sizes.get_mut(class) {
                *files += 1;
            }
        }
        // A row that was settled later says when that was, not when its upload was answered.
        if let (Some(finished_at), "") = (line.finished_at, line.code.as_str()) {
            self.answered.push(Answered { at: finished_at.as_second(), seconds: line.seconds.as_secs_f32() });
        }
    }

    fn add_open(&mut self, line: &Line, carried: &[String]) {
        let status = if line.status == Status::Sending { Status::InDoubt } else { line.status };
        let key = (status, line.code.clone(), same_for_all(&line.code, &line.message));
        let cause = self.causes.entry(key).or_insert_with(|| ReportCause {
            status,
            code: line.code.clone(),
            message: line.message.clone(),
            meaning: explain::find(&line.code).ok().map(|page| page.title),
            advice: advice(&line.code, line.http_status, &line.message),
            count: 0,
            rows: Vec::new(),
        });
        cause.count += 1;
        // What holds for the first row may not hold for this one: then only what the code means holds for all.
        if cause.advice != advice(&line.code, line.http_status, &line.message) {
            cause.advice = remedy(&line.code);
        }
        if status != Status::NotSent || cause.rows.len() < WAITING_ROWS_LISTED {
            let message = if line.message == cause.said() { String::new() } else { line.message.clone() };
            cause.rows.push(ReportRow::of(line, message, carried));
        }
    }

    /// The report on all rows taken in.
    pub(super) fn finish(mut self, origin: Origin, runs: Vec<RunRecord>) -> Report {
        for module in self.modules.values_mut() {
            module.totals.records = module.records.len() as u64;
            self.totals.records += module.totals.records;
        }
        let mut causes: Vec<ReportCause> = self.causes.into_values().collect();
        causes.sort_by(|a, b| {
            let order = |cause: &ReportCause| (urgency(cause.status), Reverse(cause.count));
            order(a).cmp(&order(b)).then_with(|| a.code.cmp(&b.code)).then_with(|| a.message.cmp(&b.message))
        });
        let modules = self.modules.into_iter().map(|(module, counted)| Module { module, totals: counted.totals });
        let bounds = SIZE_CLASSES.into_iter().map(Some).chain([None]);
        Report {
            version: 1,
            source: ReportSource {
                title: origin.title,
                client: origin.client,
                results: origin.results,
                results_sha256: origin.results_sha256,
                complete: origin.complete,
                later_results: origin.later_results,
                targets: self.targets.into_iter().collect(),
                owners: self.owners.into_iter().collect(),
                created_by: self.created_by.into_iter().collect(),
                first_sent: self.first_sent,
                last_finished: self.last_finished,
                made_at: origin.made_at,
                made_by: concat!("attache ", env!("CARGO_PKG_VERSION")).to_owned(),
            },
            totals: self.totals,
            modules: modules.collect(),
            causes,
            timeline: Timeline::of(self.answered),
            sizes: bounds.zip(self.sizes).map(|(below, files)| SizeClass { below, files }).collect(),
            runs,
            verification: origin.verification,
            taken_back: Some(self.taken_back).filter(|taken_back| !taken_back.is_empty()),
            aside: self.aside,
        }
    }
}

impl ReportCause {
    /// What is said of all its rows: our own words for a code of our own, else those of the service.
    pub(super) fn said(&self) -> &str {
        let told = if self.status == Status::Deleted { "it was taken back" } else { &self.message };
        self.meaning.filter(|_| is_own(&self.code)).unwrap_or(told)
    }
}

impl Report {
    /// Whether a line is that of a row which a person or another run has to see to.
    pub(super) fn is_open(&self, line: &Line) -> bool {
        !is_in_place(line.status) && line.status != Status::Superseded && !self.aside.contains(&line.key)
    }
}

impl ReportRow {
    fn of(line: &Line, message: String, carried: &[String]) -> ReportRow {
        let is_own = |name: &str| !ABOUT_MENDING.iter().any(|about| about.eq_ignore_ascii_case(name));
        let cells = carried.iter().zip(&line.carried).filter(|(name, cell)| !cell.is_empty() && is_own(name));
        // An invalid row may have both or neither; the file is then the likelier intention.
        let source = if line.file.is_empty() { &line.url } else { &line.file };
        ReportRow {
            line: (line.line > 0).then_some(line.line),
            module: line.module.clone(),
            record: line.record.clone(),
            record_key: line.record_key.clone(),
            source: source.clone(),
            name: line.name.clone(),
            message,
            record_page: record_page(&line.target, line.org, &line.module, &line.record),
            carried: cells.map(|(name, cell)| (name.clone(), cell.clone())).collect(),
        }
    }
}

pub(super) fn is_in_place(status: Status) -> bool {
    matches!(status, Status::Uploaded | Status::AlreadyPresent)
}

/// Writes a value as the text it is shown by.
pub(super) fn text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(super) fn text_or_null<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

/// What must be looked at first comes first.
fn urgency(status: Status) -> u8 {
    match status {
        Status::Unknown => 0,
        Status::Failed => 1,
        Status::Invalid => 2,
        Status::InDoubt | Status::Sending | Status::Deleting => 3,
        Status::NotSent => 4,
        Status::Deleted => 5,
        Status::Uploaded | Status::AlreadyPresent | Status::Superseded => 6,
    }
}

/// Codes of our own are written in small letters, those of the service in capitals.
fn is_own(code: &str) -> bool {
    code.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// What of a message is the same for all rows with the same trouble: without what is quoted in it and without numbers.
///
/// A code of our own stands for one cause, whatever the message says of the row. The service says different things
/// under one code, and tells them apart only in its words.
fn same_for_all(code: &str, message: &str) -> String {
    if is_own(code) {
        return String::new();
    }
    let mut shape = String::with_capacity(message.len());
    let mut quoted_by = None;
    for char in message.chars() {
        match quoted_by {
            Some(end) if char == end => quoted_by = None,
            Some(_) => continue,
            None => quoted_by = closing_quote(char),
        }
        let last_is_digit = shape.ends_with('#');
        match char.is_ascii_digit() {
            true if last_is_digit => {}
            true => shape.push('#'),
            false => shape.push(char),
        }
    }
    shape
}

/// The quote that ends what this one begins. An apostrophe is none: it also stands in "isn't".
fn closing_quote(char: char) -> Option<char> {
    match char {
        '"' => Some('"'),
        '`' => Some('`'),
        '\u{201c}' => Some('\u{201d}'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_row_is_counted_once() {
        let report = sample::report(5_000);
        let totals = report.totals;
        let open = totals.failed + totals.invalid + totals.unknown + totals.in_doubt + totals.not_sent;
        assert_eq!((totals.rows, totals.in_place(), totals.open()), (5_000, 5_000 - open, open));
        assert_eq!(report.causes.iter().map(|cause| cause.count).sum::<u64>(), open);
        assert_eq!(report.modules.iter().map(|module| module.totals.rows).sum::<u64>(), 5_000);
        assert_eq!(totals.files + totals.links, totals.in_place());
        assert_eq!((totals.settled_by_listing, totals.already_present), (25, 45));
    }

    #[test]
    fn what_was_taken_back_or_set_aside_is_told_and_is_no_row_where_its_row_was_sent_again() {
        let mut lines: Vec<Line> = sample::lines(6).collect();
        for (line, status) in lines.iter_mut().zip([Status::Deleted, Status::Superseded, Status::Deleted]) {
            line.status = status;
        }
        let mut origin = sample::origin();
        origin.aside = [lines[0].key, lines[1].key].into();
        let report = Report::of(&[], lines.into_iter().map(Ok), origin, Vec::new()).expect("rows");
        let totals = &report.totals;
        assert_eq!(
            (totals.rows, totals.deleted, totals.deleted_aside, totals.superseded, totals.lines()),
            (4, 2, 1, 1, 6)
        );
        assert_eq!(report.causes.iter().map(|cause| cause.count).sum::<u64>(), totals.open());
        let mut page = Vec::new();
        report.write_html(&mut page).expect("a vector takes everything");
        report.write_markdown(&mut page).expect("a vector takes everything");
        let text = String::from_utf8(page).expect("UTF-8");
        for said in
            ["What was taken back", "2 attachments that had been made were taken back on 2 March 2026.", "superseded"]
        {
            assert_eq!(text.matches(said).count(), 2, "{said}");
        }
        assert!(
            text.contains("1 older attachment") && text.contains("Of rows that were sent once more since: 1"),
            "{text}"
        );
    }

    #[test]
    fn one_code_of_the_service_with_two_meanings_is_two_causes() {
        let report = sample::report(2_000);
        let said: Vec<&str> = report
            .causes
            .iter()
            .filter(|cause| cause.code == "INVALID_DATA")
            .map(|cause| cause.message.as_str())
            .collect();
        assert_eq!(said, ["invalid file type", "the related id given seems to be invalid"]);
    }

    #[test]
    fn words_that_differ_by_row_stay_one_cause_and_are_kept_with_the_row() {
        let report = sample::report(2_000);
        let gone = report.causes.iter().find(|cause| cause.code == "file-gone").expect("a cause");
        assert_eq!((gone.count, gone.rows.len()), (2, 2));
        assert_eq!(gone.said(), "the file is not there any more");
        assert!(gone.rows[1].message.contains("Agreement 1219"), "{:?}", gone.rows);
    }

    #[test]
    fn failures_are_listed_in_full_and_rows_that_only_wait_are_not() {
        let report = sample::report(50_000);
        for cause in &report.causes {
            let listed = if cause.status == Status::NotSent { WAITING_ROWS_LISTED as u64 } else { cause.count };
            assert_eq!(cause.rows.len() as u64, listed, "{}", cause.code);
        }
    }

    #[test]
    fn what_a_person_must_look_at_comes_first() {
        let statuses: Vec<Status> = sample::report(2_000).causes.iter().map(|cause| cause.status).collect();
        assert_eq!(statuses.first(), Some(&Status::Unknown));
        assert_eq!(statuses.last(), Some(&Status::NotSent));
    }

    #[test]
    fn numbers_and_quoted_values_do_not_tell_causes_apart() {
        let shape = |message| same_for_all("SOME_CODE", message);
        assert_eq!(shape("limit 100 of \"a\" reached"), shape("limit 27 of \"b 7\" reached"));
        assert_ne!(shape("it isn't there"), shape("it isn't here"));
        assert_eq!(same_for_all("file-gone", "a is gone"), same_for_all("file-gone", "b is gone"));
    }

    #[test]
    fn ids_and_times_are_text_in_the_json() {
        let json = serde_json::to_value(sample::report(900)).expect("the report can be JSON");
        assert_eq!(json["version"], 1);
        assert_eq!(json["source"]["created_by"][0], "738964000000191017");
        assert_eq!(json["source"]["first_sent"], "2026-03-02T08:00:00Z");
        assert_eq!(json["causes"][0]["status"], "unknown");
        assert!(json["causes"][0]["rows"][0]["record"].is_string());
        assert!(json["timeline"]["stretches"][0]["from"].is_string());
    }
}
