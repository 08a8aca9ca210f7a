//! Tells people and programs what was found.

use std::collections::BTreeMap;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::census::CensusEnd;
use super::content::ContentCheck;
use super::lookup::{CensusReport, Verified, VerifiedRow};
use super::{VerifyFinding, VerifyRow};
use crate::engine::requests::RequestStop;
use crate::results::push_cell;
use crate::text::escape_for_terminal;
use crate::units;

/// Rows of each finding that a person is shown.
const FIRST_ROWS: usize = 10;

/// Findings in the order in which a person wants to hear of them, with what they mean.
pub(crate) const MEANINGS: [(&str, &str); 10] = [
    ("present", "there, once"),
    ("missing", "not in the record's list"),
    ("size-differs", "there, but with another size than the file that was sent"),
    ("content-differs", "there, but with other bytes than were sent"),
    ("extra-copies", "there, and so is at least one more of the same name and size, or of the same address"),
    ("twice-by-us", "there, and so is another one of ours with the same name and size"),
    ("still-there", "deleted, by the results, and yet there"),
    ("open", "the results leave open whether it is there"),
    ("unchecked", "the service gave no list"),
    ("not-expected", "not uploaded, so not looked for"),
];

/// What this program does not know of itself: where it asked, and why it stopped, in the words of the command line.
#[derive(Clone, Debug)]
pub struct VerifyContext {
    /// The host that was asked.
    pub target: String,
    /// Why it ended early, as a sentence without its full stop.
    pub stopped: Option<String>,
}

/// How many files were compared with which result.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct ContentCounts {
    same: usize,
    different: usize,
    not_compared: usize,
}

impl Verified {
    /// How many rows have this finding.
    pub fn count(&self, finding: &str) -> usize {
        self.rows.iter().filter(|row| row.finding.as_str() == finding).count()
    }

    /// Whether every row that the results call uploaded is there, whole and once, and none is left open.
    pub fn is_sound(&self) -> bool {
        self.stop.is_none() && self.rows.iter().all(|row| row.finding.is_sound())
    }

    fn contents(&self) -> ContentCounts {
        let mut counts = ContentCounts::default();
        for content in self.rows.iter().filter_map(|row| row.content.as_deref()) {
            match content {
                ContentCheck::Same { .. } => counts.same += 1,
                ContentCheck::Differs { .. } => counts.different += 1,
                ContentCheck::NotCompared(_) => counts.not_compared += 1,
            }
        }
        counts
    }

    /// Writes the text for a person.
    pub fn write_human(&self, context: &VerifyContext, out: &mut dyn Write) -> io::Result<()> {
        let (rows, lists) = (units::counted(self.rows.len(), "row"), units::counted(self.listed, "record"));
        let target = escape_for_terminal(&context.target);
        match &self.census {
            None => writeln!(out, "Compared {rows} with the lists of {lists} at {target}.")?,
            Some(census) => {
                writeln!(out, "Compared {rows} with the census and the lists of {lists} at {target}.")?;
                writeln!(out, "{}", census_said(census))?;
            }
        }
        let (requests, credits) = (self.totals.requests, self.totals.credits);
        writeln!(
            out,
            "It took {} and {}.\n",
            units::counted(requests, "request"),
            units::counted(credits, "API credit")
        )?;
        let width = units::count(self.rows.len()).len();
        for (finding, meaning) in MEANINGS {
            match self.count(finding) {
                0 => {}
                count => writeln!(out, "  {:>width$}  {finding:<15}  {meaning}", units::count(count))?,
            }
        }
        let seen_once = self.rows.iter().filter(|row| row.by_census && row.finding == VerifyFinding::Present).count();
        if seen_once > 0 {
            writeln!(
                out,
                "\n{} of them seen once in the census; their records were not asked for more copies.",
                units::counted(seen_once, "row")
            )?;
        }
        self.write_contents(out)?;
        for (finding, _) in MEANINGS.iter().filter(|(finding, _)| !matches!(*finding, "present" | "not-expected")) {
            self.write_rows(finding, out)?;
        }
        if self.on_purpose > 0 {
            let rows = units::counted(self.on_purpose, "row");
            writeln!(
                out,
                "\n{rows} of the manifest repeat another one on purpose: their attachments are there as often."
            )?;
        }
        writeln!(out, "\n{}", self.conclusion(context))
    }

    fn write_contents(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(sample) = &self.sample else { return Ok(()) };
        let ContentCounts { same, different, not_compared } = self.contents();
        writeln!(
            out,
            "\nBytes of {} of {} looked at (seed {}): {} the same, {} different, {} not compared.",
            units::count(sample.rows.len()),
            units::counted(sample.of, "file"),
            sample.seed,
            units::count(same),
            units::count(different),
            units::count(not_compared)
        )?;
        let mut reasons: BTreeMap<String, (usize, &VerifiedRow)> = BTreeMap::new();
        for row in &self.rows {
            if let Some(ContentCheck::NotCompared(why)) = row.content.as_deref() {
                reasons.entry(why.sentence()).or_insert((0, row)).0 += 1;
            }
        }
        for (reason, (count, row)) in reasons {
            let first = format!("line {}  {}", line_of(&row.row), row.row.source);
            writeln!(
                out,
                "  {} not compared: {} (first: {})",
                units::count(count),
                escape_for_terminal(&reason),
                escape_for_terminal(&first)
            )?;
        }
        Ok(())
    }

    fn write_rows(&self, finding: &str, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = self.rows.iter().filter(|row| row.finding.as_str() == finding);
        let mut first = rows.by_ref().take(FIRST_ROWS).peekable();
        if first.peek().is_none() {
            return Ok(());
        }
        writeln!(out, "\n{finding}:")?;
        for VerifiedRow { row, finding, .. } in first {
            let place = format!("line {}  {} {}", line_of(row), row.module, row.record);
            writeln!(
                out,
                "  {}  {}{}",
                escape_for_terminal(&place),
                escape_for_terminal(&row.source),
                escape_for_terminal(&detail(row, finding))
            )?;
        }
        match rows.count() {
            0 => Ok(()),
            more => writeln!(out, "  … and {}; the CSV output lists them all", units::counted(more, "more row")),
        }
    }

    fn conclusion(&self, context: &VerifyContext) -> String {
        let wrong = self.rows.iter().filter(|row| !row.finding.is_sound()).count();
        match (&self.stop, &context.stopped) {
            (Some(RequestStop::Signal), _) => "Interrupted before everything was asked for.".to_owned(),
            (Some(_), Some(why)) => format!("Stopped before everything was asked for: {}.", escape_for_terminal(why)),
            (Some(_), None) => "Stopped before everything was asked for.".to_owned(),
            (None, _) if wrong == 1 => "1 row needs a look.".to_owned(),
            (None, _) if wrong > 0 => format!("{} rows need a look.", units::count(wrong)),
            (None, _) if self.count("present") == 0 => {
                "The results call nothing uploaded, so nothing was to be found.".to_owned()
            }
            (None, _) => "Everything that the results call uploaded is there, once.".to_owned(),
        }
    }

    /// Writes the JSON document: one entry for each row, in the order of the results.
    pub fn write_json(&self, context: &VerifyContext, out: &mut dyn Write) -> io::Result<()> {
        let counts = MEANINGS.iter().map(|(finding, _)| ((*finding).to_owned(), self.count(finding).into())).collect();
        let ContentCounts { same, different, not_compared } = self.contents();
        let document = VerifyDocument {
            version: 1,
            target: &context.target,
            rows: self.rows.len(),
            records_listed: self.listed,
            requests: self.totals.requests,
            credits: self.totals.credits,
            census: self.census.as_ref().map(CensusDocument::of),
            contents: self.sample.as_ref().map(|sample| ContentsDocument {
                seed: sample.seed,
                of: sample.of,
                sampled: sample.rows.len(),
                same,
                different,
                not_compared,
            }),
            complete: self.stop.is_none(),
            stopped: self.stop.as_ref().map(|stop| match stop {
                RequestStop::Signal => "interrupted",
                _ => context.stopped.as_deref().unwrap_or("stopped"),
            }),
            counts,
            findings: Findings(&self.rows),
        };
        crate::console::json::write(&mut *out, &document)?;
        out.write_all(b"\n")
    }

    /// Writes one CSV line for each row, in the order of the results. Cells are made safe for spreadsheets as in the
    /// results.
    pub fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(
            b"line,module,record,file,url,name,status,attachment_id,finding,bytes,listed_bytes,alike,message,key\n",
        )?;
        let mut line = Vec::new();
        for verified in &self.rows {
            line.clear();
            push_row(&verified.row, &verified.finding, &mut line);
            out.write_all(&line)?;
        }
        Ok(())
    }
}

fn line_of(row: &VerifyRow) -> String {
    if row.line == 0 { "-".to_owned() } else { row.line.to_string() }
}

/// How the census went, as a sentence.
fn census_said(census: &CensusReport) -> String {
    let pages = units::counted(census.pages, "page");
    let settled = units::counted(census.settled, "record");
    let settled = format!("The census of all attachments ({pages}) settled {settled}");
    match &census.end {
        Some(CensusEnd::GivenUp(flaw)) => {
            format!(
                "The census of all attachments was given up after {pages}: {}. It counts for nothing.",
                flaw.as_str()
            )
        }
        Some(CensusEnd::Refused(said)) if census.pages == 0 => {
            format!("There is no census of all attachments here ({}).", escape_for_terminal(said))
        }
        Some(CensusEnd::Refused(said)) => {
            format!("{settled}; then the service refused it ({}).", escape_for_terminal(said))
        }
        Some(CensusEnd::Reach) => format!("{settled}; it reaches no further."),
        Some(CensusEnd::Whole | CensusEnd::OurTimeOver) | None => format!("{settled}."),
    }
}

fn push_row(row: &VerifyRow, finding: &VerifyFinding, out: &mut Vec<u8>) {
    let (file, url) = if row.is_link { ("", row.source.as_str()) } else { (row.source.as_str(), "") };
    let shown = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    let id = row.attachment.map_or_else(String::new, |id| id.to_string());
    let message = detail(row, finding);
    let cells: [&str; 14] = [
        &row.line.to_string(),
        &row.module,
        &row.record,
        file,
        url,
        &row.name,
        row.status.as_str(),
        &id,
        finding.as_str(),
        &shown(row.bytes),
        &shown(listed_bytes(finding)),
        &shown(alike(finding).map(|alike| alike as u64)),
        message.trim_start_matches(DASH),
        &row.key.to_string(),
    ];
    for (column, cell) in cells.into_iter().enumerate() {
        if column > 0 {
            out.push(b',');
        }
        push_cell(out, cell);
    }
    out.push(b'\n');
}

/// Between a row and what is to be said of it.
const DASH: &str = " – ";

/// What more there is to say of a finding than its word.
fn detail(row: &VerifyRow, finding: &VerifyFinding) -> String {
    match finding {
        VerifyFinding::Present | VerifyFinding::NotExpected => String::new(),
        VerifyFinding::Missing => {
            row.attachment.map_or_else(String::new, |id| format!("{DASH}attachment {id} is not listed"))
        }
        VerifyFinding::SizeDiffers { listed } => {
            let sent = row.bytes.unwrap_or_default();
            format!("{DASH}{} bytes listed, {} sent", units::count(*listed), units::count(sent))
        }
        VerifyFinding::StillThere => {
            row.attachment.map_or_else(String::new, |id| format!("{DASH}attachment {id} is listed"))
        }
        VerifyFinding::ContentDiffers => format!("{DASH}its bytes are not those that were sent"),
        VerifyFinding::ExtraCopies { others } | VerifyFinding::TwiceByUs { others } => {
            let ids: Vec<String> = others.iter().map(ToString::to_string).collect();
            format!("{DASH}also {}", ids.join(", "))
        }
        VerifyFinding::Open { alike: 0 } => format!("{DASH}{}, and nothing like it is listed", row.status),
        VerifyFinding::Open { alike } => format!("{DASH}{}, and {} like it listed", row.status, units::count(*alike)),
        VerifyFinding::Unchecked { why } => format!("{DASH}{why}"),
    }
}

fn listed_bytes(finding: &VerifyFinding) -> Option<u64> {
    match finding {
        VerifyFinding::SizeDiffers { listed } => Some(*listed),
        _ => None,
    }
}

/// How many attachments like the row there are that are not its own.
fn alike(finding: &VerifyFinding) -> Option<usize> {
    match finding {
        VerifyFinding::ExtraCopies { others } | VerifyFinding::TwiceByUs { others } => Some(others.len()),
        VerifyFinding::Open { alike } => Some(*alike),
        _ => None,
    }
}

/// What `verify --output json` says.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Verification")]
pub(crate) struct VerifyDocument<'a> {
    /// The version of this shape. Fields may be added without a new one.
    version: u32,
    /// The host that was asked.
    target: &'a str,
    /// Rows of the results.
    rows: usize,
    /// Records whose lists were read.
    records_listed: usize,
    /// Requests made, further tries included.
    requests: u64,
    /// API credits used for them.
    credits: u64,
    /// How the census of all attachments went; null if none was taken.
    census: Option<CensusDocument<'a>>,
    /// What came of comparing bytes; null if nobody asked for that.
    contents: Option<ContentsDocument>,
    /// Whether everything was asked for.
    complete: bool,
    /// Why it was not, if it was not.
    stopped: Option<&'a str>,
    /// Rows by finding.
    #[schemars(with = "std::collections::BTreeMap<String, u64>")]
    counts: serde_json::Map<String, serde_json::Value>,
    /// Every row, in the order of the results.
    #[schemars(with = "Vec<VerifyEntry<'a>>")]
    findings: Findings<'a>,
}

/// How the census went.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Census")]
struct CensusDocument<'a> {
    /// Pages read, of 200 attachments each.
    pages: u32,
    /// Records that were settled by it and not listed themselves.
    records_settled: usize,
    /// `whole`, `our-time-over`, `reach`, `refused`, `given-up`, or `stopped`.
    end: &'static str,
    /// Why it was refused or given up.
    why: Option<&'a str>,
}

impl<'a> CensusDocument<'a> {
    fn of(census: &'a CensusReport) -> CensusDocument<'a> {
        let (end, why) = match &census.end {
            None => ("stopped", None),
            Some(CensusEnd::Whole) => ("whole", None),
            Some(CensusEnd::OurTimeOver) => ("our-time-over", None),
            Some(CensusEnd::Reach) => ("reach", None),
            Some(CensusEnd::Refused(said)) => ("refused", Some(said.as_str())),
            Some(CensusEnd::GivenUp(flaw)) => ("given-up", Some(flaw.as_str())),
        };
        CensusDocument { pages: census.pages, records_settled: census.settled, end, why }
    }
}

/// What came of comparing bytes.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Contents")]
struct ContentsDocument {
    /// What the sample was chosen by.
    seed: u64,
    /// Files that it was chosen from.
    of: usize,
    /// Files in the sample.
    sampled: usize,
    /// Those whose bytes are the ones that were sent.
    same: usize,
    /// Those whose bytes are others.
    different: usize,
    /// Those that were not compared; each says why.
    not_compared: usize,
}

/// Written row by row: as one value, two hundred thousand of them would take as much memory again.
struct Findings<'a>(&'a [VerifiedRow]);

impl Serialize for Findings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for row in self.0 {
            list.serialize_element(&VerifyEntry::of(row))?;
        }
        list.end()
    }
}

/// One row in the JSON document. Ids are text, as everywhere.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Finding")]
struct VerifyEntry<'a> {
    /// Its line in the manifest; 0 if it is no longer there.
    line: u32,
    /// The module's API name.
    module: &'a str,
    /// The record's id.
    record: &'a str,
    /// The path as written, of a file.
    file: Option<&'a str>,
    /// The address as written, of a link.
    url: Option<&'a str>,
    /// The name as sent.
    name: &'a str,
    /// The status in the results.
    status: &'a str,
    /// The attachment in the results.
    #[schemars(with = "Option<String>")]
    attachment_id: Option<crate::upload::ServiceId>,
    /// `present`, `missing`, `size-differs`, `content-differs`, `extra-copies`, `twice-by-us`, `still-there`, `open`,
    /// `unchecked` or `not-expected`.
    finding: &'a str,
    /// Bytes that were sent.
    bytes: Option<u64>,
    /// Bytes that the list gives.
    listed_bytes: Option<u64>,
    /// The further copies.
    #[schemars(with = "Vec<String>")]
    copies: &'a [crate::upload::ServiceId],
    /// How many attachments of the record look like this row.
    alike: Option<usize>,
    /// Why the row was not checked.
    why: Option<&'a str>,
    /// `census` if it was seen there, once, and its record was not asked; `list` if the record's own list was read.
    seen_in: Option<&'static str>,
    /// When it was looked for, by the service's clock where that is known.
    checked_at: Option<String>,
    /// `same`, `different` or `not-compared`; null if the row is not in the sample.
    content: Option<&'static str>,
    /// The fingerprint of the bytes there, where they were compared.
    fingerprint: Option<String>,
    /// Why they were not compared: `file-gone`, `file-changed`, `file-unreadable`, `not-there`, `no-download`,
    /// `compressed`, `other-length` or `not-asked`.
    not_compared: Option<&'static str>,
    /// Which row it is, as in the results.
    #[schemars(with = "String")]
    key: crate::upload::RowKey,
}

impl<'a> VerifyEntry<'a> {
    fn of(verified: &'a VerifiedRow) -> VerifyEntry<'a> {
        let VerifiedRow { row, finding, .. } = verified;
        let content = verified.content.as_deref();
        VerifyEntry {
            line: row.line,
            module: &row.module,
            record: &row.record,
            file: (!row.is_link).then_some(&row.source),
            url: row.is_link.then_some(&row.source),
            name: &row.name,
            status: row.status.as_str(),
            attachment_id: row.attachment,
            finding: finding.as_str(),
            bytes: row.bytes,
            listed_bytes: verified.there.and_then(|there| there.size),
            copies: match finding {
                VerifyFinding::ExtraCopies { others } | VerifyFinding::TwiceByUs { others } => others,
                _ => &[],
            },
            alike: alike(finding),
            why: match finding {
                VerifyFinding::Unchecked { why } => Some(why),
                _ => None,
            },
            seen_in: verified.checked_at.map(|_| if verified.by_census { "census" } else { "list" }),
            checked_at: verified.checked_at.map(|time| time.to_string()),
            content: content.map(|content| match content {
                ContentCheck::Same { .. } => "same",
                ContentCheck::Differs { .. } => "different",
                ContentCheck::NotCompared(_) => "not-compared",
            }),
            fingerprint: content.and_then(|content| match content {
                ContentCheck::Same { there } | ContentCheck::Differs { there, .. } => Some(there.to_string()),
                ContentCheck::NotCompared(_) => None,
            }),
            not_compared: content.and_then(|content| match content {
                ContentCheck::NotCompared(why) => Some(why.as_str()),
                _ => None,
            }),
            key: row.key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::Attached;
    use super::super::content::NotCompared;
    use super::super::sample::Sample;
    use super::*;
    use crate::content::{Fingerprint, FingerprintKind};
    use crate::engine::requests::RequestTotals;
    use crate::outcome::Status;
    use crate::upload::{RowKey, ServiceId, SourceKind};

    fn one_of_each() -> Verified {
        let row = |line: u32, status, source: &str| VerifyRow {
            line,
            module: "Leads".into(),
            record: "738964000000291009".to_owned(),
            key: RowKey::of("Leads", "738964000000291009", SourceKind::File, source, source, 1),
            status,
            source: source.to_owned(),
            is_link: source.starts_with("https:"),
            name: source.to_owned(),
            bytes: Some(5_000),
            content: None,
            sent_at: None,
            is_plain: true,
            target: "www.zohoapis.eu".into(),
            org: None,
            attachment: (status == Status::Uploaded).then(|| ServiceId::new(738_964_000_000_300_000 + u64::from(line))),
        };
        let others = vec![ServiceId::new(738_964_000_000_300_099)];
        let rows = vec![
            (row(2, Status::Uploaded, "a.pdf"), VerifyFinding::Present),
            (row(3, Status::Uploaded, "=b,\u{1b}[2J.pdf"), VerifyFinding::Missing),
            (row(4, Status::Uploaded, "c.pdf"), VerifyFinding::SizeDiffers { listed: 4_999 }),
            (row(5, Status::Uploaded, "https://example.com/"), VerifyFinding::ExtraCopies { others: others.clone() }),
            (row(6, Status::Unknown, "d.pdf"), VerifyFinding::Open { alike: 1 }),
            (row(9, Status::Uploaded, "g.pdf"), VerifyFinding::TwiceByUs { others: others.clone() }),
            (row(10, Status::Uploaded, "h.pdf"), VerifyFinding::ContentDiffers),
            (row(11, Status::Deleted, "i.pdf"), VerifyFinding::StillThere),
            (row(7, Status::Uploaded, "e.pdf"), VerifyFinding::Unchecked { why: "NO_PERMISSION".to_owned() }),
            (row(8, Status::Failed, "f.pdf"), VerifyFinding::NotExpected),
        ];
        let checked_at: Option<jiff::Timestamp> = "2026-05-05T05:33:33Z".parse().ok();
        let (one, _) = Fingerprint::of(&b"1"[..], FingerprintKind::Xxh3).expect("bytes");
        let (two, _) = Fingerprint::of(&b"2"[..], FingerprintKind::Xxh3).expect("bytes");
        let rows = rows.into_iter().map(|(row, finding)| VerifiedRow {
            there: match &finding {
                VerifyFinding::SizeDiffers { listed } => Some(Attached { id: ServiceId::new(1), size: Some(*listed) }),
                _ => None,
            },
            checked_at: checked_at.filter(|_| finding.as_str() != "unchecked" && finding != VerifyFinding::NotExpected),
            by_census: finding == VerifyFinding::Present,
            content: match &finding {
                VerifyFinding::Present => Some(ContentCheck::Same { there: one }),
                VerifyFinding::ContentDiffers => Some(ContentCheck::Differs { there: one, sent: two }),
                VerifyFinding::Missing => Some(ContentCheck::NotCompared(NotCompared::NotThere)),
                _ => None,
            }
            .map(Box::new),
            row,
            finding,
        });
        let census = CensusReport { pages: 2, settled: 1, end: Some(CensusEnd::Whole) };
        let totals = RequestTotals { requests: 6, credits: 6, throttled: 0 };
        let sample = Sample { rows: vec![0, 1, 6], of: 7, seed: 42, bytes: 15_000 };
        Verified {
            rows: rows.collect(),
            listed: 1,
            census: Some(census),
            sample: Some(sample),
            on_purpose: 2,
            totals,
            stop: None,
        }
    }

    fn context() -> VerifyContext {
        VerifyContext { target: "www.zohoapis.eu".to_owned(), stopped: None }
    }

    fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).expect("a vector takes everything");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_person_reads_counts_then_what_is_wrong_then_what_follows() {
        insta::assert_snapshot!(written(|out| one_of_each().write_human(&context(), out)));
    }

    #[test]
    fn a_program_gets_one_document_with_every_row() {
        let json = written(|out| one_of_each().write_json(&context(), out));
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        insta::assert_json_snapshot!(json);
    }

    #[test]
    fn a_spreadsheet_gets_one_line_for_each_row_and_no_formula() {
        insta::assert_snapshot!(written(|out| one_of_each().write_csv(out)));
    }

    #[test]
    fn it_is_sound_only_if_all_was_asked_and_all_is_there() {
        let sound = Verified { rows: one_of_each().rows[..1].to_vec(), ..one_of_each() };
        assert!(sound.is_sound() && !one_of_each().is_sound());
        assert!(!Verified { stop: Some(RequestStop::Signal), ..sound }.is_sound());
    }

    #[test]
    fn many_rows_of_one_finding_are_cut_with_their_number() {
        let rows = vec![one_of_each().rows[1].clone(); 1_234];
        let text = written(|out| Verified { rows, sample: None, ..one_of_each() }.write_human(&context(), out));
        assert!(
            text.lines().count() < 25 && text.contains("… and 1,224 more rows; the CSV output lists them all"),
            "{text}"
        );
    }
}
