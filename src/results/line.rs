//! One line of the results file: its columns, how it becomes bytes, and how bytes that are not what was written are
//! told apart: **torn** (the machine went down while it was written) from **edited** (somebody saved the file).

use std::borrow::Cow;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

use super::cell;
use super::edited;
use crate::outcome::{Outcome, OwnCode, Status};
use crate::upload::{RowKey, ServiceId, SourceKind, Upload};

/// The columns in front of the carried ones.
pub const FIRST_COLUMNS: [&str; 18] = [
    "line",
    "module",
    "record",
    "file",
    "url",
    "name",
    "status",
    "attachment_id",
    "code",
    "message",
    "http_status",
    "tries",
    "bytes",
    "seconds",
    "sent_at",
    "finished_at",
    "created_time",
    "created_by",
];

/// The columns behind the carried ones.
pub const LAST_COLUMNS: [&str; 4] = ["target", "run", "key", "check"];

/// Bytes that the check and the comma in front of it take.
const CHECK_LEN: usize = 10;

/// A column of ours, by its place in a file without carried columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub(super) enum Column {
    Line,
    Module,
    Record,
    File,
    Url,
    Name,
    Status,
    AttachmentId,
    Code,
    Message,
    HttpStatus,
    Tries,
    Bytes,
    Seconds,
    SentAt,
    FinishedAt,
    CreatedTime,
    CreatedBy,
    Target,
    Run,
    Key,
    Check,
}

/// The columns of one results file: ours, and those carried over from the manifest.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Layout {
    carried: Vec<String>,
}

impl Layout {
    /// The layout with these carried columns.
    pub fn new(carried: impl IntoIterator<Item = impl Into<String>>) -> Layout {
        Layout { carried: carried.into_iter().map(Into::into).collect() }
    }

    /// The carried columns, in their order.
    pub fn carried(&self) -> &[String] {
        &self.carried
    }

    /// All columns, in their order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        FIRST_COLUMNS.into_iter().chain(self.carried.iter().map(String::as_str)).chain(LAST_COLUMNS)
    }

    /// The layout that holds what `self` carries and then what only `older` does.
    pub(super) fn with_older(mut self, older: &Layout) -> Layout {
        for column in &older.carried {
            if !self.carried.contains(column) {
                self.carried.push(column.clone());
            }
        }
        self
    }

    /// Carried cells of another layout as they stand in this one.
    pub fn rearranged(&self, other: &Layout, mut cells: Vec<String>) -> Vec<String> {
        if self == other {
            return cells;
        }
        let place = |column| other.carried.iter().position(|other| other == column);
        let mut cell = |at| cells.get_mut(at).map(std::mem::take);
        self.carried.iter().map(|column| place(column).and_then(&mut cell).unwrap_or_default()).collect()
    }

    pub(super) fn encode_header(&self, out: &mut Vec<u8>) {
        for (at, column) in self.columns().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            cell::push(out, column);
        }
        out.push(b'\n');
    }

    /// The layout that a header line (without its newline) tells of; `None` if it is not a header of ours.
    pub(super) fn decode_header(line: &[u8]) -> Option<Layout> {
        // Spreadsheets put a mark of UTF-8 in front.
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut ranges = Vec::new();
        cell::split(line, &mut ranges)?;
        let columns: Vec<Cow<'_, str>> =
            ranges.into_iter().map(|range| cell::text(&line[range])).collect::<Option<_>>()?;
        let carried_end = columns.len().checked_sub(LAST_COLUMNS.len())?;
        let carried = columns.get(FIRST_COLUMNS.len()..carried_end)?;
        let ours = columns.iter().take(FIRST_COLUMNS.len()).eq(FIRST_COLUMNS.iter())
            && columns.iter().skip(carried_end).eq(LAST_COLUMNS.iter());
        ours.then(|| Layout::new(carried.iter().map(|column| column.as_ref())))
    }

    fn len(&self) -> usize {
        FIRST_COLUMNS.len() + self.carried.len() + LAST_COLUMNS.len()
    }

    pub(super) fn index(&self, column: Column) -> usize {
        let at = column as usize;
        if at < FIRST_COLUMNS.len() { at } else { at + self.carried.len() }
    }

    pub(super) fn name(&self, index: usize) -> &str {
        self.columns().nth(index).unwrap_or_default()
    }
}

/// One line of the results: a row of the manifest and what is known of its upload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The row's physical line in the manifest, from 1; 0, and empty in the file, if the row is no longer there.
    pub line: u32,
    /// The module's API name, or what an invalid row says.
    pub module: String,
    /// The record's id, or what an invalid row says.
    pub record: String,
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
            seconds: Duration::ZERO,
            sent_at: None,
            finished_at: None,
            created_time: None,
            created_by: None,
            carried: Vec::new(),
            target: target.to_owned(),
            run: run.to_owned(),
            key: upload.key,
        }
    }

    /// The same row, about to be sent at this time of the service.
    pub fn sending(mut self, sent_at: Timestamp) -> Line {
        self.status = Status::Sending;
        self.sent_at = Some(sent_at);
        self
    }

    /// The same row with its end. `tries_before` are those of earlier runs.
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

    /// Appends the line with its check and newline. Where the line has more carried cells than the layout, the rest is
    /// left out.
    pub fn encode(&self, layout: &Layout, out: &mut Vec<u8>) {
        let start = out.len();
        for index in 0..layout.len() - 1 {
            if index > 0 {
                out.push(b',');
            }
            self.encode_cell(index, layout, out);
        }
        seal(out, start);
    }

    /// Whether there is a time to tell. An answer may come within a millisecond; where none came, nothing was measured.
    fn took_time(&self) -> bool {
        !self.seconds.is_zero() || self.http_status.is_some()
    }

    /// Appends one cell as it stands in the file.
    fn encode_cell(&self, index: usize, layout: &Layout, out: &mut Vec<u8>) {
        match index {
            0 => push_number(out, (self.line > 0).then_some(self.line)),
            1 => cell::push(out, &self.module),
            2 => cell::push(out, &self.record),
            3 => cell::push(out, &self.file),
            4 => cell::push(out, &self.url),
            5 => cell::push(out, &self.name),
            6 => out.extend_from_slice(self.status.as_str().as_bytes()),
            7 => push_number(out, self.attachment_id.map(ServiceId::get)),
            8 => cell::push(out, &self.code),
            9 => cell::push(out, &self.message),
            10 => push_number(out, self.http_status),
            11 => push_number(out, Some(self.tries)),
            12 => push_number(out, self.bytes),
            13 => push_seconds(out, self.took_time().then_some(self.seconds)),
            14 => push_time(out, self.sent_at),
            15 => push_time(out, self.finished_at),
            16 => cell::push(out, self.created_time.as_deref().unwrap_or_default()),
            17 => push_number(out, self.created_by.map(ServiceId::get)),
            _ => match (index - FIRST_COLUMNS.len()).checked_sub(layout.carried.len()) {
                None => cell::push(out, self.carried.get(index - FIRST_COLUMNS.len()).map_or("", String::as_str)),
                Some(0) => cell::push(out, &self.target),
                Some(1) => cell::push(out, &self.run),
                Some(_) => push_hex::<16>(out, b"r", self.key.0),
            },
        }
    }

    /// Reads a line as [`Line::encode`] wrote it, without its newline.
    pub fn decode(line: &[u8], layout: &Layout) -> Result<Line, Broken> {
        let mut ranges = Vec::new();
        Cells::split(line, layout, &mut ranges)?.intact_line()
    }
}

/// Appends a check over the bytes from `start`, and the newline.
fn seal(out: &mut Vec<u8>, start: usize) {
    let sum = crc32fast::hash(&out[start..]);
    push_hex::<8>(out, b",k", sum.into());
    out.push(b'\n');
}

// Two lines are written for every upload, and the formatting of the standard library would cost more processor time than
// all the rest of a line: so the cells that need no escaping are spelt here.

fn push_number(out: &mut Vec<u8>, value: Option<impl itoa::Integer>) {
    if let Some(value) = value {
        out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }
}

/// Appends a duration as seconds with three decimals.
fn push_seconds(out: &mut Vec<u8>, value: Option<Duration>) {
    if let Some(value) = value {
        push_number(out, Some(value.as_secs()));
        // With 1,000 added there are always three digits behind the first, in whose place the point comes.
        let point = out.len();
        push_number(out, Some(1_000 + value.subsec_millis()));
        out[point] = b'.';
    }
}

fn push_time(out: &mut Vec<u8>, value: Option<Timestamp>) {
    if let Some(value) = value {
        // Writing to memory cannot fail.
        let _ = DateTimePrinter::new().print_timestamp(&value, out);
    }
}

/// Appends the mark and that many digits, the last ones.
fn push_hex<const DIGITS: usize>(out: &mut Vec<u8>, mark: &[u8], value: u64) {
    out.extend_from_slice(mark);
    out.extend((0..DIGITS).rev().map(|place| b"0123456789abcdef"[(value >> (4 * place)) as usize % 16]));
}

/// Why bytes are not a line as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Broken {
    /// The machine went down while it was written: it holds NUL bytes.
    Torn,
    /// Not our number of columns, or quoting that no line of ours has. At the very end of a log a write cut short looks
    /// like this too.
    Shape,
    /// Whole, but not what was written. The column is the first one that shows it, where any does.
    Edited {
        /// Its name.
        column: Option<String>,
    },
}

/// The cells of one line, not read yet.
pub(super) struct Cells<'a> {
    line: &'a [u8],
    ranges: &'a [Range<usize>],
    layout: &'a Layout,
}

impl<'a> Cells<'a> {
    /// Splits a line (without its newline); `ranges` is room to be used again.
    pub(super) fn split(
        line: &'a [u8],
        layout: &'a Layout,
        ranges: &'a mut Vec<Range<usize>>,
    ) -> Result<Cells<'a>, Broken> {
        // Where a block never reached the disk, file systems show zeros.
        if memchr::memchr(0, line).is_some() {
            return Err(Broken::Torn);
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        cell::split(line, ranges).ok_or(Broken::Shape)?;
        if ranges.len() != layout.len() {
            return Err(Broken::Shape);
        }
        Ok(Cells { line, ranges, layout })
    }

    /// Whether the check is right.
    pub(super) fn intact(&self) -> bool {
        let (covered, check) = self.line.split_at(self.line.len().saturating_sub(CHECK_LEN));
        let Some(digits) = check.strip_prefix(b",k") else { return false };
        std::str::from_utf8(digits).ok().and_then(|digits| u32::from_str_radix(digits, 16).ok())
            == Some(crc32fast::hash(covered))
    }

    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    pub(super) fn layout(&self) -> &Layout {
        self.layout
    }

    /// The bytes of the line.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.line
    }

    /// The bytes of a cell as they stand in the file.
    pub(super) fn raw_at(&self, index: usize) -> &'a [u8] {
        self.ranges.get(index).map_or(b"", |range| &self.line[range.clone()])
    }

    pub(super) fn raw(&self, column: Column) -> &'a [u8] {
        self.raw_at(self.layout.index(column))
    }

    /// The cells of the carried columns as they stand in the file.
    pub(super) fn raw_carried(&self) -> impl Iterator<Item = &'a [u8]> {
        (0..self.layout.carried.len()).map(|at| self.raw_at(FIRST_COLUMNS.len() + at))
    }

    fn text(&self, column: Column) -> Result<String, Column> {
        cell::text(self.raw(column)).map(Cow::into_owned).ok_or(column)
    }

    /// A cell as a value that the text of the cell must spell.
    pub(super) fn parsed<T: FromStr>(&self, column: Column) -> Result<T, Column> {
        let text = std::str::from_utf8(self.raw(column)).map_err(|_| column)?;
        text.parse().map_err(|_| column)
    }

    pub(super) fn line_number(&self) -> Result<u32, Column> {
        Ok(self.optional(Column::Line)?.unwrap_or_default())
    }

    /// A cell that may be empty.
    pub(super) fn optional<T: FromStr>(&self, column: Column) -> Result<Option<T>, Column> {
        if self.raw(column).is_empty() { Ok(None) } else { self.parsed(column).map(Some) }
    }

    /// The line, if it is what was written. Quoting and line ends that another program changed do no harm: then the
    /// line, written again, has the old check.
    pub(super) fn intact_line(&self) -> Result<Line, Broken> {
        let edited =
            |column: Option<usize>| Broken::Edited { column: column.map(|index| self.layout.name(index).to_owned()) };
        let line = self.line().map_err(|column| edited(Some(self.layout.index(column))))?;
        if self.intact() || edited::only_its_dress_changed(self, &line) {
            return Ok(line);
        }
        Err(edited(edited::find(self, &line)))
    }

    /// The line that the cells spell, whatever the check says; else the first column that cannot be read.
    fn line(&self) -> Result<Line, Column> {
        let created_time = self.text(Column::CreatedTime)?;
        Ok(Line {
            line: self.line_number()?,
            module: self.text(Column::Module)?,
            record: self.text(Column::Record)?,
            file: self.text(Column::File)?,
            url: self.text(Column::Url)?,
            name: self.text(Column::Name)?,
            status: self.parsed(Column::Status)?,
            attachment_id: self.optional(Column::AttachmentId)?,
            code: self.text(Column::Code)?,
            message: self.text(Column::Message)?,
            http_status: self.optional(Column::HttpStatus)?,
            tries: self.parsed(Column::Tries)?,
            bytes: self.optional(Column::Bytes)?,
            seconds: self.seconds()?,
            sent_at: self.optional(Column::SentAt)?,
            finished_at: self.optional(Column::FinishedAt)?,
            created_time: (!created_time.is_empty()).then_some(created_time),
            created_by: self.optional(Column::CreatedBy)?,
            carried: self.carried(),
            target: self.text(Column::Target)?,
            run: self.text(Column::Run)?,
            key: self.parsed(Column::Key)?,
        })
    }

    fn carried(&self) -> Vec<String> {
        self.raw_carried().map(|raw| cell::text(raw).unwrap_or_default().into_owned()).collect()
    }

    fn seconds(&self) -> Result<Duration, Column> {
        let raw = self.raw(Column::Seconds);
        if raw.is_empty() {
            return Ok(Duration::ZERO);
        }
        let text = std::str::from_utf8(raw).map_err(|_| Column::Seconds)?;
        // A spreadsheet takes zeros at the end away.
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        if decimals.len() > 3 {
            return Err(Column::Seconds);
        }
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| Column::Seconds);
        let millis = number(&format!("{decimals:0<3}"))?;
        Ok(Duration::from_secs(number(whole)?).saturating_add(Duration::from_millis(millis)))
    }

    /// What an edited line still tells once the user accepted it: its key and its status. `None` if not even the key
    /// can be read: then nobody can say which row must not be sent again.
    ///
    /// The other cells are kept where they can be read. Where the status needs one that cannot (the time of sending, to
    /// settle a doubt), or cannot be read itself, the row becomes `unknown` and is not sent again by itself.
    pub(super) fn salvaged_line(&self) -> Option<Line> {
        let status: Option<Status> = self.parsed(Column::Status).ok();
        let sent_at = self.optional(Column::SentAt).ok().flatten();
        let open = matches!(status, None | Some(Status::Sending | Status::InDoubt));
        let lost = status.is_none() || (open && sent_at.is_none());
        let mut line = Line {
            line: self.line_number().unwrap_or_default(),
            module: self.text(Column::Module).unwrap_or_default(),
            record: self.text(Column::Record).unwrap_or_default(),
            file: self.text(Column::File).unwrap_or_default(),
            url: self.text(Column::Url).unwrap_or_default(),
            name: self.text(Column::Name).unwrap_or_default(),
            status: status.filter(|_| !lost).unwrap_or(Status::Unknown),
            attachment_id: self.optional(Column::AttachmentId).ok().flatten(),
            code: self.text(Column::Code).unwrap_or_default(),
            message: self.text(Column::Message).unwrap_or_default(),
            http_status: self.optional(Column::HttpStatus).ok().flatten(),
            tries: self.parsed(Column::Tries).unwrap_or_default(),
            bytes: self.optional(Column::Bytes).ok().flatten(),
            seconds: self.seconds().unwrap_or_default(),
            sent_at,
            finished_at: self.optional(Column::FinishedAt).ok().flatten(),
            created_time: self.text(Column::CreatedTime).ok().filter(|time| !time.is_empty()),
            created_by: self.optional(Column::CreatedBy).ok().flatten(),
            carried: self.carried(),
            target: self.text(Column::Target).unwrap_or_default(),
            run: self.text(Column::Run).unwrap_or_default(),
            key: self.parsed(Column::Key).ok()?,
        };
        if lost {
            line.code = OwnCode::Edited.into();
            line.message = "this line was edited, and what became of the row cannot be told from it".to_owned();
        }
        Some(line)
    }
}

#[cfg(test)]
pub(super) mod samples {
    use super::*;

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
        line
    }

    pub(in crate::results) fn layout() -> Layout {
        Layout::new(["note", "x_batch"])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::samples::{full, layout};
    use super::*;

    fn encoded(line: &Line, layout: &Layout) -> String {
        let mut out = Vec::new();
        line.encode(layout, &mut out);
        String::from_utf8(out).expect("lines are UTF-8").strip_suffix('\n').expect("a newline ends it").to_owned()
    }

    #[test]
    fn a_line_is_written_as_the_format_says() {
        let expected = "7,Leads,738964000000291009,\"Angebote/50% März, \"\"neu\"\".pdf\",,'=März%0A.pdf,uploaded,\
             738964000000300001,settled-by-listing,\"found in the record's list, 2 tries\",200,3,52431,1.234,\
             2026-03-10T09:15:00Z,2026-03-10T09:15:02.5Z,2026-03-10T14:45:01+05:30,738964000000100001,\"see, mail\",,\
             www.zohoapis.eu,20260310T091459Z-4f2a,r0123456789abcdef";
        let line = encoded(&full(), &layout());
        assert_eq!(line.get(..line.len() - 10), Some(expected));
        assert_eq!(
            line.get(line.len() - 10..),
            Some(format!(",k{:08x}", crc32fast::hash(expected.as_bytes())).as_str())
        );
        assert_eq!(Line::decode(line.as_bytes(), &layout()), Ok(full()));
    }

    #[test]
    fn a_header_reads_back_its_carried_columns_and_nothing_else_is_a_header() {
        let mut header = Vec::new();
        layout().encode_header(&mut header);
        let header = header.strip_suffix(b"\n").expect("newline");
        assert_eq!(Layout::decode_header(header), Some(layout()));
        assert_eq!(Layout::decode_header(&[b"\xEF\xBB\xBF", header, b"\r"].concat()), Some(layout()));
        let text = String::from_utf8(header.to_vec()).expect("UTF-8");
        for other in ["", "module,record,file", &text.replace(',', ";"), &text.replace("status", "Status"), &text[..40]]
        {
            assert_eq!(Layout::decode_header(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn columns_of_older_runs_are_kept_behind_those_of_the_manifest() {
        let merged = Layout::new(["x_b", "note"]).with_older(&Layout::new(["x_a", "note"]));
        assert_eq!(merged, Layout::new(["x_b", "note", "x_a"]));
    }

    #[test]
    fn other_quoting_and_other_line_ends_do_no_harm() {
        let whole = Line { seconds: Duration::from_millis(1_200), ..full() };
        let shorter = encoded(&whole, &layout()).replace(",1.200,", ",1.2,");
        assert_eq!(Line::decode(shorter.as_bytes(), &layout()), Ok(whole));
        let line = encoded(&full(), &layout());
        for dressed in [format!("{line}\r"), line.replace("Leads", "\"Leads\""), line.replace(",52431,", ",052431,")] {
            assert_eq!(Line::decode(dressed.as_bytes(), &layout()), Ok(full()), "{dressed}");
        }
    }

    #[test]
    fn an_edited_cell_is_found() {
        let line = encoded(&full(), &layout());
        for (from, to, column) in [
            ("738964000000300001", "7.38964E+17", "attachment_id"),
            ("2026-03-10T09:15:00Z", "10.03.2026 09:15", "sent_at"),
            ("uploaded", "failed", "status"),
            ("uploaded", "done", "status"),
            (",200,", ",201,", "http_status"),
            ("Leads", "Lead", "module"),
            ("see, mail", "see, mails", "note"),
            ("r0123456789abcdef", "r0123456789abcdee", "key"),
            (",52431,", ",52432,", "bytes"),
            ("www.zohoapis.eu", "www.zohoapis.in", "target"),
        ] {
            let changed = line.replace(from, to);
            assert_ne!(changed, line);
            let broken = Line::decode(changed.as_bytes(), &layout());
            if column == "target" {
                // Two letters were changed: that is more than can be told from the check.
                assert_eq!(broken, Err(Broken::Edited { column: None }));
            } else {
                assert_eq!(broken, Err(Broken::Edited { column: Some(column.to_owned()) }), "{from} -> {to}");
            }
        }
        let (rest, _) = line.rsplit_once(',').expect("a check");
        let unchecked = format!("{rest},k1234");
        assert_eq!(
            Line::decode(unchecked.as_bytes(), &layout()),
            Err(Broken::Edited { column: Some("check".to_owned()) })
        );
    }

    #[test]
    fn torn_lines_and_lines_of_another_shape_are_told_from_edited_ones() {
        let line = encoded(&full(), &layout());
        assert_eq!(Line::decode(line.replace("Leads", "Le\0ds").as_bytes(), &layout()), Err(Broken::Torn));
        assert_eq!(Line::decode(&line.as_bytes()[..60], &layout()), Err(Broken::Shape));
        assert_eq!(Line::decode(line.as_bytes(), &Layout::default()), Err(Broken::Shape));
    }

    fn times() -> impl Strategy<Value = Option<Timestamp>> {
        prop::option::of(
            (0_i64..4_102_444_800, 0_i32..1_000)
                .prop_map(|(seconds, millis)| Timestamp::new(seconds, millis * 1_000_000).expect("in range")),
        )
    }

    prop_compose! {
        fn lines()(
            texts in prop::collection::vec("[\\PC\\p{Cc}%,\"'=+@-]{0,12}", 9),
            carried in prop::collection::vec("[\\PC\\p{Cc}]{0,6}", 2),
            numbers in (any::<u32>(), any::<u32>(), any::<u64>(), 0_u64..1_000_000_000),
            ids in (prop::option::of(any::<u64>()), prop::option::of(any::<u64>()), prop::option::of(any::<u16>()), prop::option::of(any::<u64>())),
            status in prop::sample::select(Status::ALL.to_vec()),
            times in (times(), times()),
        ) -> Line {
            let mut texts = texts.into_iter();
            let mut text = || texts.next().unwrap_or_default();
            Line {
                line: numbers.0,
                module: text(), record: text(), file: text(), url: text(), name: text(),
                status,
                attachment_id: ids.0.map(ServiceId::new),
                code: text(), message: text(),
                http_status: ids.2,
                tries: numbers.1,
                bytes: ids.3,
                seconds: Duration::from_millis(numbers.3),
                sent_at: times.0, finished_at: times.1,
                created_time: Some("2026-03-10T14:45:01+05:30".to_owned()),
                created_by: ids.1.map(ServiceId::new),
                carried,
                target: text(), run: text(),
                key: RowKey(numbers.2),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn any_line_reads_back_as_it_was(line in lines()) {
            let text = encoded(&line, &layout());
            prop_assert!(!text.contains(['\n', '\r', '\0']));
            prop_assert_eq!(Line::decode(text.as_bytes(), &layout()), Ok(line));
        }

        #[test]
        fn no_cut_line_passes_for_a_whole_one(line in lines(), cut in 0.0_f64..1.0) {
            let text = encoded(&line, &layout());
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place inside the line")]
            let at = (text.len() as f64 * cut) as usize;
            prop_assert!(Line::decode(&text.as_bytes()[..at.min(text.len() - 1)], &layout()).is_err());
        }
    }
}
