//! Tells people and programs what was found.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::drive::{Halt, Verified};
use super::{VerifyFinding, VerifyRow};
use crate::console::text::escape_for_terminal;
use crate::results::push_cell;
use crate::units;

/// Rows of each finding that a person is shown.
const FIRST_ROWS: usize = 10;

/// Findings in the order in which a person wants to hear of them, with what they mean.
const MEANINGS: [(&str, &str); 7] = [
    ("present", "there, once"),
    ("missing", "not in the record's list"),
    ("size-differs", "there, but with another size than the file that was sent"),
    ("extra-copies", "there, and so is at least one more of the same name and size, or of the same address"),
    ("open", "the results leave open whether it is there"),
    ("unchecked", "the service gave no list"),
    ("not-expected", "not uploaded, so not looked for"),
];

impl Verified {
    /// How many rows have this finding.
    pub fn count(&self, finding: &str) -> usize {
        self.rows.iter().filter(|(_, found)| found.as_str() == finding).count()
    }

    /// Whether every row that the results call uploaded is there, whole and once, and none is left open.
    pub fn is_sound(&self) -> bool {
        self.halted.is_none() && self.rows.iter().all(|(_, finding)| finding.is_sound())
    }

    /// Writes the text for a person.
    pub fn write_human(&self, target: &str, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "Compared {} with the lists of {} at {}.\n",
            units::counted(self.rows.len(), "row"),
            units::counted(self.listed, "record"),
            escape_for_terminal(target)
        )?;
        let width = units::count(self.rows.len()).len();
        for (finding, meaning) in MEANINGS {
            match self.count(finding) {
                0 => {}
                count => writeln!(out, "  {:>width$}  {finding:<12}  {meaning}", units::count(count))?,
            }
        }
        for (finding, _) in MEANINGS.iter().filter(|(finding, _)| !matches!(*finding, "present" | "not-expected")) {
            self.write_rows(finding, out)?;
        }
        writeln!(out, "\n{}", self.conclusion())
    }

    fn write_rows(&self, finding: &str, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = self.rows.iter().filter(|(_, found)| found.as_str() == finding);
        let mut first = rows.by_ref().take(FIRST_ROWS).peekable();
        if first.peek().is_none() {
            return Ok(());
        }
        writeln!(out, "\n{finding}:")?;
        for (row, found) in first {
            let line = if row.line == 0 { "-".to_owned() } else { row.line.to_string() };
            let place = format!("line {line}  {} {}", row.module, row.record);
            writeln!(
                out,
                "  {}  {}{}",
                escape_for_terminal(&place),
                escape_for_terminal(&row.source),
                escape_for_terminal(&detail(row, found))
            )?;
        }
        match rows.count() {
            0 => Ok(()),
            more => writeln!(out, "  … and {}; --output csv lists them all", units::counted(more, "more row")),
        }
    }

    fn conclusion(&self) -> String {
        let wrong = self.rows.iter().filter(|(_, finding)| !finding.is_sound()).count();
        match &self.halted {
            Some(Halt::Signal) => "Interrupted before every record was listed.".to_owned(),
            Some(Halt::Stopped(why)) => {
                format!("Stopped before every record was listed: {}.", escape_for_terminal(why))
            }
            None if wrong == 1 => "1 row needs a look.".to_owned(),
            None if wrong > 0 => format!("{} rows need a look.", units::count(wrong)),
            None if self.count("present") == 0 => {
                "The results call nothing uploaded, so nothing was to be found.".to_owned()
            }
            None => "Everything that the results call uploaded is there, once.".to_owned(),
        }
    }

    /// Writes the JSON document: one entry for each row, in the order of the results.
    pub fn write_json(&self, target: &str, out: &mut dyn Write) -> io::Result<()> {
        let counts = MEANINGS.iter().map(|(finding, _)| ((*finding).to_owned(), self.count(finding).into())).collect();
        let document = VerifyDocument {
            version: 1,
            target,
            rows: self.rows.len(),
            records_listed: self.listed,
            complete: self.halted.is_none(),
            stopped: self.halted.as_ref().map(|halt| match halt {
                Halt::Signal => "interrupted",
                Halt::Stopped(why) => why,
            }),
            counts,
            findings: Findings(&self.rows),
        };
        serde_json::to_writer(&mut *out, &document)?;
        out.write_all(b"\n")
    }

    /// Writes one CSV line for each row, in the order of the results. Cells are made safe for spreadsheets as in the
    /// results.
    pub fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(
            b"line,module,record,file,url,name,status,attachment_id,finding,bytes,listed_bytes,alike,message,key\n",
        )?;
        let mut line = Vec::new();
        for (row, finding) in &self.rows {
            line.clear();
            push_row(row, finding, &mut line);
            out.write_all(&line)?;
        }
        Ok(())
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
        VerifyFinding::ExtraCopies { others } => {
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
        VerifyFinding::ExtraCopies { others } => Some(others.len()),
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
    /// Whether every record was listed.
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

/// Written row by row: as one value, two hundred thousand of them would take as much memory again.
struct Findings<'a>(&'a [(VerifyRow, VerifyFinding)]);

impl Serialize for Findings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for (row, finding) in self.0 {
            list.serialize_element(&VerifyEntry::of(row, finding))?;
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
    /// `present`, `missing`, `size-differs`, `extra-copies`, `open`, `unchecked` or `not-expected`.
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
    /// Which row it is, as in the results.
    #[schemars(with = "String")]
    key: crate::upload::RowKey,
}

impl<'a> VerifyEntry<'a> {
    fn of(row: &'a VerifyRow, finding: &'a VerifyFinding) -> VerifyEntry<'a> {
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
            listed_bytes: listed_bytes(finding),
            copies: match finding {
                VerifyFinding::ExtraCopies { others } => others,
                _ => &[],
            },
            alike: alike(finding),
            why: match finding {
                VerifyFinding::Unchecked { why } => Some(why),
                _ => None,
            },
            key: row.key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            attachment: (status == Status::Uploaded).then(|| ServiceId::new(738_964_000_000_300_000 + u64::from(line))),
        };
        let others = vec![ServiceId::new(738_964_000_000_300_099)];
        let rows = vec![
            (row(2, Status::Uploaded, "a.pdf"), VerifyFinding::Present),
            (row(3, Status::Uploaded, "=b,\u{1b}[2J.pdf"), VerifyFinding::Missing),
            (row(4, Status::Uploaded, "c.pdf"), VerifyFinding::SizeDiffers { listed: 4_999 }),
            (row(5, Status::Uploaded, "https://example.com/"), VerifyFinding::ExtraCopies { others }),
            (row(6, Status::Unknown, "d.pdf"), VerifyFinding::Open { alike: 1 }),
            (row(7, Status::Uploaded, "e.pdf"), VerifyFinding::Unchecked { why: "NO_PERMISSION".to_owned() }),
            (row(8, Status::Failed, "f.pdf"), VerifyFinding::NotExpected),
        ];
        Verified { rows, listed: 1, halted: None }
    }

    fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).expect("a vector takes everything");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_person_reads_counts_then_what_is_wrong_then_what_follows() {
        insta::assert_snapshot!(written(|out| one_of_each().write_human("www.zohoapis.eu", out)));
    }

    #[test]
    fn a_program_gets_one_document_with_every_row() {
        let json = written(|out| one_of_each().write_json("www.zohoapis.eu", out));
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
        assert!(!Verified { halted: Some(Halt::Signal), ..sound }.is_sound());
    }

    #[test]
    fn many_rows_of_one_finding_are_cut_with_their_number() {
        let [(row, finding)] = &one_of_each().rows[1..2] else { panic!("one row") };
        let rows = vec![(row.clone(), finding.clone()); 1_234];
        let text = written(|out| Verified { rows, listed: 3, halted: None }.write_human("sandbox", out));
        assert!(
            text.lines().count() < 20 && text.contains("… and 1,224 more rows; --output csv lists them all"),
            "{text}"
        );
    }
}
