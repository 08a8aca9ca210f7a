//! How a line becomes bytes, and how bytes that are not what was written are told apart: **torn** (the machine went down
//! while it was written) from **edited** (somebody saved the file).

use std::borrow::Cow;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

use super::cell;
use super::columns::{Layout, ResultsColumn, Slot};
use super::edited;
use super::line::Line;
use crate::content::Fingerprint;
use crate::owner::CrmOwner;
use crate::upload::ServiceId;

/// Bytes that the check and the comma in front of it take.
const CHECK_LEN: usize = 10;

impl Line {
    /// Appends the line with its check and newline. Where the line has more carried cells than the layout, the rest is
    /// left out.
    pub fn encode(&self, layout: &Layout, out: &mut Vec<u8>) {
        let start = out.len();
        // The check is the last column of every file.
        for (index, slot) in layout.slots().iter().take(layout.len() - 1).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match *slot {
                Slot::Ours(column) => self.encode_cell(column, out),
                Slot::Carried(at) => cell::push(out, self.carried.get(at).map_or("", String::as_str)),
            }
        }
        seal(out, start);
    }

    /// Whether there is a time to tell. An answer may come within a millisecond; where none came, nothing was measured.
    fn took_time(&self) -> bool {
        !self.seconds.is_zero() || self.http_status.is_some()
    }

    /// Appends one cell as it stands in the file.
    fn encode_cell(&self, column: ResultsColumn, out: &mut Vec<u8>) {
        match column {
            ResultsColumn::Line => push_number(out, (self.line > 0).then_some(self.line)),
            ResultsColumn::Module => cell::push(out, &self.module),
            ResultsColumn::Record => cell::push(out, &self.record),
            ResultsColumn::RecordKey => cell::push(out, &self.record_key),
            ResultsColumn::File => cell::push(out, &self.file),
            ResultsColumn::Url => cell::push(out, &self.url),
            ResultsColumn::Name => cell::push(out, &self.name),
            ResultsColumn::Status => out.extend_from_slice(self.status.as_str().as_bytes()),
            ResultsColumn::AttachmentId => push_number(out, self.attachment_id.map(ServiceId::get)),
            ResultsColumn::Code => cell::push(out, &self.code),
            ResultsColumn::Message => cell::push(out, &self.message),
            ResultsColumn::HttpStatus => push_number(out, self.http_status),
            ResultsColumn::Tries => push_number(out, Some(self.tries)),
            ResultsColumn::Bytes => push_number(out, self.bytes),
            ResultsColumn::Content => push_fingerprint(out, self.content),
            ResultsColumn::Seconds => push_seconds(out, self.took_time().then_some(self.seconds)),
            ResultsColumn::SentAt => push_time(out, self.sent_at),
            ResultsColumn::FinishedAt => push_time(out, self.finished_at),
            ResultsColumn::CreatedTime => cell::push(out, self.created_time.as_deref().unwrap_or_default()),
            ResultsColumn::CreatedBy => push_number(out, self.created_by.map(ServiceId::get)),
            ResultsColumn::Target => cell::push(out, &self.target),
            ResultsColumn::Org => push_owner(out, self.org),
            ResultsColumn::Run => cell::push(out, &self.run),
            ResultsColumn::Key => push_hex::<16>(out, b"r", self.key.0),
            // It covers the cells before it, and is written when they are.
            ResultsColumn::Check => {}
        }
    }

    /// Reads a line as [`Line::encode`] wrote it, without its newline.
    ///
    /// # Errors
    ///
    /// It is not a line of this layout, or its check does not fit it.
    pub fn decode(line: &[u8], layout: &Layout) -> Result<Line, LineError> {
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

fn push_fingerprint(out: &mut Vec<u8>, value: Option<Fingerprint>) {
    match value {
        None => {}
        Some(Fingerprint::Xxh3(sum)) => {
            push_hex::<16>(out, b"xxh3:", (sum >> 64) as u64);
            push_hex::<16>(out, b"", sum as u64);
        }
        Some(sum @ Fingerprint::Sha256(_)) => out.extend_from_slice(sum.to_string().as_bytes()),
    }
}

fn push_owner(out: &mut Vec<u8>, value: Option<CrmOwner>) {
    match value {
        None => {}
        Some(CrmOwner::Organisation(id)) => {
            out.extend_from_slice(b"org:");
            push_number(out, Some(id.get()));
        }
        Some(CrmOwner::Client(hash)) => push_hex::<16>(out, b"client:", hash),
    }
}

/// Appends the mark and that many digits, the last ones.
fn push_hex<const DIGITS: usize>(out: &mut Vec<u8>, mark: &[u8], value: u64) {
    out.extend_from_slice(mark);
    out.extend((0..DIGITS).rev().map(|place| b"0123456789abcdef"[(value >> (4 * place)) as usize % 16]));
}

/// Why bytes are not a line as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LineError {
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
    ) -> Result<Cells<'a>, LineError> {
        // Where a block never reached the disk, file systems show zeros.
        if memchr::memchr(0, line).is_some() {
            return Err(LineError::Torn);
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        cell::split(line, ranges).ok_or(LineError::Shape)?;
        if ranges.len() != layout.len() {
            return Err(LineError::Shape);
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

    /// The bytes of a cell as they stand in the file; none in a file from before there was such a column.
    pub(super) fn raw(&self, column: ResultsColumn) -> &'a [u8] {
        self.layout.index(column).map_or(b"", |index| self.raw_at(index))
    }

    /// The cells of the carried columns as they stand in the file.
    pub(super) fn raw_carried(&self) -> impl Iterator<Item = &'a [u8]> {
        self.layout.carried_places().map(|at| self.raw_at(at))
    }

    pub(super) fn text(&self, column: ResultsColumn) -> Result<String, ResultsColumn> {
        cell::text(self.raw(column)).map(Cow::into_owned).ok_or(column)
    }

    /// A cell as a value that the text of the cell must spell.
    pub(super) fn parsed<T: FromStr>(&self, column: ResultsColumn) -> Result<T, ResultsColumn> {
        let text = std::str::from_utf8(self.raw(column)).map_err(|_| column)?;
        text.parse().map_err(|_| column)
    }

    pub(super) fn line_number(&self) -> Result<u32, ResultsColumn> {
        Ok(self.optional(ResultsColumn::Line)?.unwrap_or_default())
    }

    /// A cell that may be empty.
    pub(super) fn optional<T: FromStr>(&self, column: ResultsColumn) -> Result<Option<T>, ResultsColumn> {
        if self.raw(column).is_empty() { Ok(None) } else { self.parsed(column).map(Some) }
    }

    /// The line, if it is what was written. Quoting and line ends that another program changed do no harm: then the
    /// line, written again, has the old check.
    pub(super) fn intact_line(&self) -> Result<Line, LineError> {
        let edited = |column: Option<usize>| LineError::Edited {
            column: column.map(|index| self.layout.name(index).to_owned()),
        };
        let line = self.line().map_err(|column| edited(self.layout.index(column)))?;
        if self.intact() || edited::only_its_dress_changed(self, &line) {
            return Ok(line);
        }
        Err(edited(edited::find(self, &line)))
    }

    /// The line that the cells spell, whatever the check says; else the first column that cannot be read.
    fn line(&self) -> Result<Line, ResultsColumn> {
        let created_time = self.text(ResultsColumn::CreatedTime)?;
        Ok(Line {
            line: self.line_number()?,
            module: self.text(ResultsColumn::Module)?,
            record: self.text(ResultsColumn::Record)?,
            record_key: self.text(ResultsColumn::RecordKey)?,
            file: self.text(ResultsColumn::File)?,
            url: self.text(ResultsColumn::Url)?,
            name: self.text(ResultsColumn::Name)?,
            status: self.parsed(ResultsColumn::Status)?,
            attachment_id: self.optional(ResultsColumn::AttachmentId)?,
            code: self.text(ResultsColumn::Code)?,
            message: self.text(ResultsColumn::Message)?,
            http_status: self.optional(ResultsColumn::HttpStatus)?,
            tries: self.parsed(ResultsColumn::Tries)?,
            bytes: self.optional(ResultsColumn::Bytes)?,
            content: self.optional(ResultsColumn::Content)?,
            seconds: self.seconds()?,
            sent_at: self.optional(ResultsColumn::SentAt)?,
            finished_at: self.optional(ResultsColumn::FinishedAt)?,
            created_time: (!created_time.is_empty()).then_some(created_time),
            created_by: self.optional(ResultsColumn::CreatedBy)?,
            carried: self.carried(),
            target: self.text(ResultsColumn::Target)?,
            org: self.optional(ResultsColumn::Org)?,
            run: self.text(ResultsColumn::Run)?,
            key: self.parsed(ResultsColumn::Key)?,
        })
    }

    pub(super) fn carried(&self) -> Vec<String> {
        self.raw_carried().map(|raw| cell::text(raw).unwrap_or_default().into_owned()).collect()
    }

    pub(super) fn seconds(&self) -> Result<Duration, ResultsColumn> {
        let raw = self.raw(ResultsColumn::Seconds);
        if raw.is_empty() {
            return Ok(Duration::ZERO);
        }
        let text = std::str::from_utf8(raw).map_err(|_| ResultsColumn::Seconds)?;
        // A spreadsheet takes zeros at the end away.
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        if decimals.len() > 3 {
            return Err(ResultsColumn::Seconds);
        }
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| ResultsColumn::Seconds);
        let millis = number(&format!("{decimals:0<3}"))?;
        Ok(Duration::from_secs(number(whole)?).saturating_add(Duration::from_millis(millis)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::line::samples::{full, layout};
    use super::*;
    use crate::outcome::Status;
    use crate::upload::RowKey;

    fn encoded(line: &Line, layout: &Layout) -> String {
        let mut out = Vec::new();
        line.encode(layout, &mut out);
        String::from_utf8(out).expect("lines are UTF-8").strip_suffix('\n').expect("a newline ends it").to_owned()
    }

    #[test]
    fn a_line_is_written_as_the_format_says() {
        let expected = "7,Leads,738964000000291009,K-7,\"Angebote/50% März, \"\"neu\"\".pdf\",,'=März%0A.pdf,uploaded,\
             738964000000300001,settled-by-listing,\"found in the record's list, 2 tries\",200,3,52431,xxh3:00112233445566778899aabbccddeeff,1.234,\
             2026-03-10T09:15:00Z,2026-03-10T09:15:02.5Z,2026-03-10T14:45:01+05:30,738964000000100001,\"see, mail\",,\
             www.zohoapis.eu,org:10234695,20260310T091459Z-4f2a,r0123456789abcdef";
        let line = encoded(&full(), &layout());
        assert_eq!(line.get(..line.len() - 10), Some(expected));
        assert_eq!(
            line.get(line.len() - 10..),
            Some(format!(",k{:08x}", crc32fast::hash(expected.as_bytes())).as_str())
        );
        assert_eq!(Line::decode(line.as_bytes(), &layout()), Ok(full()));
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
            ("xxh3:0011", "xxh3:0012", "content"),
            ("xxh3:0011", "XXH3:0011", "content"),
            ("org:10234695", "org:10234696", "org"),
            ("www.zohoapis.eu", "www.zohoapis.in", "target"),
        ] {
            let changed = line.replace(from, to);
            assert_ne!(changed, line);
            let broken = Line::decode(changed.as_bytes(), &layout());
            if column == "target" {
                // Two letters were changed: that is more than can be told from the check.
                assert_eq!(broken, Err(LineError::Edited { column: None }));
            } else {
                assert_eq!(broken, Err(LineError::Edited { column: Some(column.to_owned()) }), "{from} -> {to}");
            }
        }
        let (rest, _) = line.rsplit_once(',').expect("a check");
        let unchecked = format!("{rest},k1234");
        assert_eq!(
            Line::decode(unchecked.as_bytes(), &layout()),
            Err(LineError::Edited { column: Some("check".to_owned()) })
        );
    }

    #[test]
    fn torn_lines_and_lines_of_another_shape_are_told_from_edited_ones() {
        let line = encoded(&full(), &layout());
        assert_eq!(Line::decode(line.replace("Leads", "Le\0ds").as_bytes(), &layout()), Err(LineError::Torn));
        assert_eq!(Line::decode(&line.as_bytes()[..60], &layout()), Err(LineError::Shape));
        assert_eq!(Line::decode(line.as_bytes(), &Layout::default()), Err(LineError::Shape));
    }

    fn times() -> impl Strategy<Value = Option<Timestamp>> {
        prop::option::of(
            (0_i64..4_102_444_800, 0_i32..1_000)
                .prop_map(|(seconds, millis)| Timestamp::new(seconds, millis * 1_000_000).expect("in range")),
        )
    }

    prop_compose! {
        fn lines()(
            content in prop::option::of(prop_oneof![
                any::<u128>().prop_map(Fingerprint::Xxh3),
                any::<[u8; 32]>().prop_map(Fingerprint::Sha256),
            ]),
            org in prop::option::of(prop_oneof![
                any::<u64>().prop_map(|id| CrmOwner::Organisation(ServiceId::new(id))),
                any::<u64>().prop_map(CrmOwner::Client),
            ]),
            texts in prop::collection::vec("[\\PC\\p{Cc}%,\"'=+@-]{0,12}", 10),
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
                module: text(), record: text(), record_key: text(), file: text(), url: text(), name: text(),
                status,
                attachment_id: ids.0.map(ServiceId::new),
                code: text(), message: text(),
                http_status: ids.2,
                tries: numbers.1,
                bytes: ids.3,
                content,
                seconds: Duration::from_millis(numbers.3),
                sent_at: times.0, finished_at: times.1,
                created_time: Some("2026-03-10T14:45:01+05:30".to_owned()),
                created_by: ids.1.map(ServiceId::new),
                carried,
                target: text(), org, run: text(),
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
