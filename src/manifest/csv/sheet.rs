//! Reads any CSV file that has a header, row by row, with the strictness and the tolerance of a manifest: encodings,
//! delimiters, broken quoting. What the columns mean is left to whoever asks.

use std::fmt;
use std::io::{self, Read};

use super::cells::Splitter;
use super::delimiter::{self, DELIMITERS};
use super::lines::{ManifestLines, Piece, ROW_LIMIT};
use super::rows::lone_crs;
use crate::manifest::decode::Decoder;
use crate::manifest::limits::{self, MAX_BYTES, MAX_COLUMNS};
use crate::problem::Problem;
use crate::text::system_words;

/// How much of a table is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SheetBounds {
    /// A row may not be longer than this, in bytes.
    pub(crate) row: usize,
    /// Nor the file, in bytes.
    pub(crate) file: u64,
}

impl Default for SheetBounds {
    /// What holds for a manifest.
    fn default() -> SheetBounds {
        SheetBounds { row: ROW_LIMIT, file: MAX_BYTES }
    }
}

/// Why the rest of a table was not read.
#[derive(Debug)]
pub(crate) enum SheetCutOff<'s> {
    /// It is longer than this, in bytes.
    TooLarge(u64),
    /// The system does not give it back.
    Unreadable(&'s io::Error),
}

impl fmt::Display for SheetCutOff<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SheetCutOff::TooLarge(bytes) => {
                write!(f, "it has more than {} GiB, and the rest was not read", bytes >> 30)
            }
            SheetCutOff::Unreadable(error) => write!(f, "it could not be read to its end: {}", system_words(error)),
        }
    }
}

/// A CSV file whose header has been read.
pub(crate) struct CsvSheet {
    /// What it may have.
    bounds: SheetBounds,
    lines: ManifestLines,
    delimiter: u8,
    cells: Splitter,
    headings: Vec<String>,
    heading_line: u32,
}

/// A row of a [`CsvSheet`].
pub(crate) enum CsvRow<'s> {
    /// Its line and its cells.
    Cells(u32, &'s csv::StringRecord),
    /// One that cannot be taken apart: what is wrong with it, with its place.
    Broken(Problem),
}

impl CsvSheet {
    /// Reads the header. The delimiter is the one that makes the most of the names that `is_known`, case-blind; of equals
    /// the one that makes the most cells. An empty file has no headings.
    ///
    /// # Errors
    ///
    /// The header cannot be taken apart, or is too wide for a table.
    pub(crate) fn open(source: Box<dyn Read>, is_known: &dyn Fn(&str) -> bool) -> Result<CsvSheet, Box<Problem>> {
        CsvSheet::within(SheetBounds::default(), source, is_known)
    }

    /// The same within other bounds: exports have whole files in a cell.
    ///
    /// # Errors
    ///
    /// As [`CsvSheet::open`].
    pub(crate) fn within(
        bounds: SheetBounds,
        source: Box<dyn Read>,
        is_known: &dyn Fn(&str) -> bool,
    ) -> Result<CsvSheet, Box<Problem>> {
        let decoder = Decoder::new(source, None, false).with_limit(bounds.file);
        let mut lines = ManifestLines::new(decoder).with_row_limit(bounds.row);
        lines.skip_blank_lines();
        let asked = lines.peek_line().and_then(delimiter::sep_line).flatten();
        if asked.is_some() {
            lines.skip_line();
            lines.skip_blank_lines();
        }
        let first = lines.peek_line().unwrap_or_default();
        let delimiter = asked.unwrap_or_else(|| delimiter_of(first, is_known));
        // In quotes a heading may have any line break.
        let has_lone_crs = first.contains('\r') && !first.contains('"');
        let heading_line = lines.line();
        if has_lone_crs {
            return Err(Box::new(lone_crs(heading_line)));
        }
        let mut cells = Splitter::new(delimiter);
        let headings = match lines.next(delimiter, &|_| true, &mut cells.starts) {
            None => Vec::new(),
            Some(Piece::Broken { problem, .. }) => return Err(Box::new(problem)),
            Some(Piece::Row { range, .. }) => {
                // The csv crate takes a byte order mark off whatever it reads first, so that must not be a row.
                cells.split_quoted(lines.text(range));
                cells.record.iter().map(|name| name.trim().to_owned()).collect()
            }
        };
        if headings.len() > MAX_COLUMNS {
            return Err(Box::new(limits::too_wide(headings.len(), heading_line)));
        }
        Ok(CsvSheet { bounds, lines, delimiter, cells, headings, heading_line })
    }

    /// The names in the header, outer blanks taken off.
    pub(crate) fn headings(&self) -> &[String] {
        &self.headings
    }

    /// The line of the header.
    pub(crate) fn heading_line(&self) -> u32 {
        self.heading_line
    }

    /// The line that has been come to.
    pub(crate) fn line(&self) -> u32 {
        self.lines.line()
    }

    /// The next row in which something stands; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<CsvRow<'_>> {
        loop {
            // Any cell may hold line breaks: exports have remarks and addresses.
            let piece = self.lines.next(self.delimiter, &|_| true, &mut self.cells.starts)?;
            let (line, range) = match piece {
                Piece::Broken { problem, .. } => return Some(CsvRow::Broken(problem)),
                Piece::Row { line, range } => (line, range),
            };
            if let Some(flaw) = self.lines.decoder.next_flaw(self.lines.line().saturating_sub(1).max(line)) {
                return Some(CsvRow::Broken(flaw));
            }
            self.cells.split(self.lines.text(range));
            if self.cells.record.iter().any(|cell| !cell.trim().is_empty()) {
                return Some(CsvRow::Cells(line, &self.cells.record));
            }
        }
    }

    /// Why reading broke off before the end of the file, if it did.
    pub(crate) fn cut_off(&self) -> Option<SheetCutOff<'_>> {
        self.lines.decoder.error().map(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => SheetCutOff::TooLarge(self.bounds.file),
            _ => SheetCutOff::Unreadable(error),
        })
    }

    /// SHA-256 of the whole file in hexadecimal.
    pub(crate) fn digest(&mut self) -> String {
        self.lines.decoder.digest()
    }
}

fn delimiter_of(header: &str, is_known: &dyn Fn(&str) -> bool) -> u8 {
    let score = |delimiter: &u8| {
        let cells = || header.split(char::from(*delimiter)).map(|cell| cell.trim().trim_matches('"').trim());
        (cells().filter(|name| is_known(name)).count(), cells().count())
    };
    // Of equals the last one is taken, and a comma is the likeliest.
    DELIMITERS.into_iter().rev().max_by_key(score).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> (Vec<String>, Vec<String>) {
        let known = |name: &str| ["key", "record id"].contains(&name.to_lowercase().as_str());
        let mut sheet = CsvSheet::open(Box::new(text.as_bytes()), &known).unwrap();
        let mut rows = Vec::new();
        while let Some(row) = sheet.next() {
            rows.push(match row {
                CsvRow::Cells(line, cells) => format!("{line}: {}", cells.iter().collect::<Vec<_>>().join("/")),
                CsvRow::Broken(problem) => format!("{:?}: {}", problem.line, problem.code),
            });
        }
        (sheet.headings().to_vec(), rows)
    }

    #[test]
    fn any_table_is_read_with_its_lines() {
        let (headings, rows) = read("\u{feff}Record Id;Key ;Remarks\r\n1;a;\"two\r\nlines\"\r\n;;\r\n2;\"b;c\";\r\n");
        assert_eq!(headings, ["Record Id", "Key", "Remarks"]);
        assert_eq!(rows, ["2: 1/a/two\r\nlines", "5: 2/b;c/"]);
    }

    #[test]
    fn what_cannot_be_taken_apart_is_named_and_the_rest_is_read() {
        let (_, rows) = read("Key,Record Id\n\"a\"b,1\nc,2\n");
        assert_eq!(rows, ["Some(2): text-after-quote", "3: c/2"]);
        assert_eq!(read("").0, [""; 0]);
        let sheet = CsvSheet::open(Box::new(&b"Key,Record Id\ra,1\rb,2\r"[..]), &|_| false);
        assert_eq!(sheet.err().map(|problem| problem.code), Some(crate::problem::ProblemCode::LoneCr));
    }

    #[test]
    fn a_table_without_end_is_read_as_far_as_a_table_may_go() {
        let bounds = SheetBounds { row: 1 << 10, file: 1 << 20 };
        for endless in ["Key,Record Id\n", "x", "\0", "\"a\n"] {
            let source = io::Cursor::new("Key,Record Id\n").chain(Repeated(endless.as_bytes(), 0));
            let mut sheet = CsvSheet::within(bounds, Box::new(source), &|_| false).unwrap();
            while sheet.next().is_some() {
                assert!(sheet.lines.decoder.bytes_read() <= (1 << 20) + (1 << 16));
            }
            assert!(matches!(sheet.cut_off(), Some(SheetCutOff::TooLarge(bytes)) if bytes == 1 << 20), "{endless}");
            assert_eq!(sheet.digest().len(), 64, "what was read is hashed, and no more");
        }
    }

    /// The same bytes over and over.
    struct Repeated(&'static [u8], usize);

    impl Read for Repeated {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            for byte in out.iter_mut() {
                *byte = self.0[self.1 % self.0.len()];
                self.1 += 1;
            }
            Ok(out.len())
        }
    }

    #[test]
    fn the_delimiter_is_the_one_that_makes_the_wanted_columns() {
        assert_eq!(read("a,b;Key;x,y\n").0, ["a,b", "Key", "x,y"]);
        assert_eq!(read("Key\tRecord Id\n").0, ["Key", "Record Id"]);
        assert_eq!(read("sep=|\nKey|Record Id\n").0, ["Key", "Record Id"]);
    }
}
