//! The file beside the results that keeps what a verification found, `NAME.verify.csv`: one line for each row.
//!
//! A finding holds only for the attachment that was looked for. Whoever uses one compares its attachment id with the one
//! that the results name now.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write};
use std::path::Path;

use jiff::Timestamp;

use super::content::ContentCheck;
use super::lookup::VerifiedRow;
use crate::content::Fingerprint;
use crate::results::{cell_text, push_cell, split_cells};
use crate::text::system_words;
use crate::upload::{RowKey, ServiceId};

/// The columns, in their order.
pub const COLUMNS: [&str; 14] = [
    "line",
    "module",
    "record",
    "file",
    "url",
    "name",
    "attachment_id",
    "finding",
    "size",
    "content",
    "checked_at",
    "target",
    "org",
    "key",
];

/// What a line tells whoever uses the findings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FindingLine {
    /// Which row it is about.
    pub key: RowKey,
    /// The attachment that was looked for; `None` where the results named none.
    pub attachment: Option<ServiceId>,
    /// The finding's word.
    pub finding: String,
    /// The fingerprint of the bytes there, where they were compared.
    pub content: Option<Fingerprint>,
    /// When it was looked for; `None` if it was not.
    pub checked_at: Option<Timestamp>,
}

/// Why the findings cannot be read.
#[derive(Debug)]
pub enum FindingsError {
    /// The file cannot be read.
    Io(io::Error),
    /// It has other columns.
    Columns,
    /// A line is not as it was written.
    Line(usize),
}

impl fmt::Display for FindingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FindingsError::Io(error) => f.write_str(&system_words(error)),
            FindingsError::Columns => f.write_str("it does not have the columns of a verification"),
            FindingsError::Line(line) => write!(f, "line {line} is not as attache wrote it"),
        }
    }
}

impl std::error::Error for FindingsError {}

impl From<io::Error> for FindingsError {
    fn from(error: io::Error) -> FindingsError {
        FindingsError::Io(error)
    }
}

/// Writes the findings of all rows.
///
/// # Errors
///
/// When `out` takes no more.
pub fn write(rows: &[VerifiedRow], out: &mut dyn Write) -> io::Result<()> {
    let mut line = Vec::new();
    push_line(&COLUMNS, &mut line);
    out.write_all(&line)?;
    for row in rows {
        line.clear();
        push_row(row, &mut line);
        out.write_all(&line)?;
    }
    Ok(())
}

fn push_row(verified: &VerifiedRow, out: &mut Vec<u8>) {
    let row = &verified.row;
    let (file, url) = if row.is_link { ("", row.source.as_str()) } else { (row.source.as_str(), "") };
    let compared = verified.content.as_deref().and_then(|content| match content {
        ContentCheck::Same { there } | ContentCheck::Differs { there, .. } => Some(there),
        ContentCheck::NotCompared(_) => None,
    });
    let cells: [&str; 14] = [
        &if row.line == 0 { String::new() } else { row.line.to_string() },
        &row.module,
        &row.record,
        file,
        url,
        &row.name,
        &text(row.attachment),
        verified.finding.as_str(),
        &text(verified.there.and_then(|there| there.size)),
        &text(compared),
        &text(verified.checked_at.and_then(|time| Timestamp::from_second(time.as_second()).ok())),
        &row.target,
        &text(row.org),
        &row.key.to_string(),
    ];
    push_line(&cells, out);
}

fn text(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn push_line(cells: &[&str], out: &mut Vec<u8>) {
    for (column, cell) in cells.iter().enumerate() {
        if column > 0 {
            out.push(b',');
        }
        push_cell(out, cell);
    }
    out.push(b'\n');
}

/// Reads the findings at this path, line by line, and hands each one on.
///
/// # Errors
///
/// The file cannot be read, or is not as it was written.
pub fn read(path: &Path, mut each: impl FnMut(FindingLine)) -> Result<(), FindingsError> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut raw, mut number) = (Vec::new(), 0);
    loop {
        raw.clear();
        if file.read_until(b'\n', &mut raw)? == 0 {
            return if number == 0 { Err(FindingsError::Columns) } else { Ok(()) };
        }
        number += 1;
        let line = raw.strip_suffix(b"\n").unwrap_or(&raw);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if number == 1 {
            let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
            if cells(line).is_none_or(|cells| cells != COLUMNS) {
                return Err(FindingsError::Columns);
            }
        } else {
            each(parse(line).ok_or(FindingsError::Line(number))?);
        }
    }
}

fn cells(line: &[u8]) -> Option<Vec<String>> {
    let mut ranges = Vec::new();
    split_cells(line, &mut ranges)?;
    ranges.into_iter().map(|range| cell_text(&line[range]).map(std::borrow::Cow::into_owned)).collect()
}

fn parse(line: &[u8]) -> Option<FindingLine> {
    let cells: [String; COLUMNS.len()] = cells(line)?.try_into().ok()?;
    let [_, _, _, _, _, _, attachment, finding, _, content, checked_at, _, _, key] = cells;
    Some(FindingLine {
        key: key.parse().ok()?,
        attachment: optional(&attachment)?,
        finding,
        content: optional(&content)?,
        checked_at: optional(&checked_at)?,
    })
}

/// An empty cell is nothing; any other must be what it should.
fn optional<T: std::str::FromStr>(text: &str) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::FingerprintKind;
    use crate::outcome::Status;
    use crate::upload::SourceKind;
    use crate::verify::compare::Attached;
    use crate::verify::{VerifyFinding, VerifyRow};

    fn verified(source: &str, finding: VerifyFinding) -> VerifiedRow {
        let (there, _) = Fingerprint::of(&b"1"[..], FingerprintKind::Sha256).expect("bytes");
        let row = VerifyRow {
            line: 2,
            module: "Leads".into(),
            record: "738964000000291009".to_owned(),
            key: RowKey::of("Leads", "738964000000291009", SourceKind::File, source, source, 1),
            status: Status::Uploaded,
            source: source.to_owned(),
            is_link: false,
            name: source.to_owned(),
            bytes: Some(5),
            content: None,
            sent_at: None,
            attachment: Some(ServiceId::new(738_964_000_000_300_001)),
            is_plain: true,
            target: "www.zohoapis.eu".into(),
            org: None,
        };
        let present = finding == VerifyFinding::Present;
        VerifiedRow {
            row,
            there: present.then_some(Attached { id: ServiceId::new(738_964_000_000_300_001), size: Some(5) }),
            checked_at: "2026-05-05T05:33:33Z".parse().ok(),
            by_census: false,
            content: present.then(|| Box::new(ContentCheck::Same { there })),
            finding,
        }
    }

    fn read_back(bytes: &[u8]) -> Result<Vec<FindingLine>, FindingsError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.verify.csv");
        std::fs::write(&path, bytes).expect("written");
        let mut lines = Vec::new();
        read(&path, |line| lines.push(line)).map(|()| lines)
    }

    #[test]
    fn what_is_written_reads_back_whatever_the_names_hold() {
        let rows = [verified("a.pdf", VerifyFinding::Present), verified("=b,\"\n\u{1b}.pdf", VerifyFinding::Missing)];
        let mut bytes = Vec::new();
        write(&rows, &mut bytes).expect("a vector takes everything");
        insta::assert_snapshot!(String::from_utf8_lossy(&bytes));
        let lines = read_back(&bytes).expect("findings");
        for (line, row) in lines.iter().zip(&rows) {
            assert_eq!((line.key, line.attachment), (row.row.key, row.row.attachment));
            assert_eq!((line.finding.as_str(), line.checked_at), (row.finding.as_str(), row.checked_at));
        }
        assert!(lines.len() == 2 && lines[0].content.is_some() && lines[1].content.is_none());
    }

    #[test]
    fn a_file_that_is_not_as_it_was_written_is_named_by_its_line() {
        let mut bytes = Vec::new();
        write(&[verified("a.pdf", VerifyFinding::Present)], &mut bytes).expect("a vector takes everything");
        let text = String::from_utf8(bytes).expect("UTF-8");
        let saved_on_windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(read_back(saved_on_windows.as_bytes()).expect("findings").len(), 1);
        let (head, row) = text.split_once('\n').expect("a header");
        let rows = [row.replace("738964000000300001", "7.38964E+17"), row.replace(",r", ",k"), format!("{row}x\n")];
        for damaged in rows.map(|row| format!("{head}\n{row}")) {
            let error = read_back(damaged.as_bytes()).expect_err(&damaged).to_string();
            assert!(error.starts_with("line "), "{error}");
        }
        for other in ["", "a,b\n", "line,module\n"] {
            assert!(matches!(read_back(other.as_bytes()), Err(FindingsError::Columns)), "{other}");
        }
    }
}
