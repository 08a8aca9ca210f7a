//! Reads any CSV file that has a header, row by row, with the strictness and the tolerance of a manifest: encodings,
//! delimiters, broken quoting. What the columns mean is left to whoever asks.

use std::io::{self, Read};

use super::cells::Splitter;
use super::delimiter::{self, DELIMITERS};
use super::lines::{ManifestLines, Piece, ROW_LIMIT};
use crate::manifest::decode::Decoder;
use crate::manifest::limits::{self, MAX_COLUMNS};
use crate::problem::Problem;

/// A CSV file whose header has been read.
pub(crate) struct CsvSheet {
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
    pub(crate) fn open(
        source: Box<dyn Read>,
        encoding: Option<&'static encoding_rs::Encoding>,
        is_known: &dyn Fn(&str) -> bool,
    ) -> Result<CsvSheet, Box<Problem>> {
        CsvSheet::with_rows_up_to(ROW_LIMIT, source, encoding, is_known)
    }

    /// The same, with rows of up to so many bytes: exports have whole files in a cell.
    ///
    /// # Errors
    ///
    /// As [`CsvSheet::open`].
    pub(crate) fn with_rows_up_to(
        row_limit: usize,
        source: Box<dyn Read>,
        encoding: Option<&'static encoding_rs::Encoding>,
        is_known: &dyn Fn(&str) -> bool,
    ) -> Result<CsvSheet, Box<Problem>> {
        let mut lines = ManifestLines::new(Decoder::new(source, encoding, false)).with_row_limit(row_limit);
        lines.skip_blank_lines();
        let asked = lines.peek_line().and_then(delimiter::sep_line).flatten();
        if asked.is_some() {
            lines.skip_line();
            lines.skip_blank_lines();
        }
        let first = lines.peek_line().unwrap_or_default();
        let delimiter = asked.unwrap_or_else(|| delimiter_of(first, is_known));
        let heading_line = lines.line();
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
        Ok(CsvSheet { lines, delimiter, cells, headings, heading_line })
    }

    /// The names in the header, outer blanks taken off.
    pub(crate) fn headings(&self) -> &[String] {
        &self.headings
    }

    /// The line of the header.
    pub(crate) fn heading_line(&self) -> u32 {
        self.heading_line
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
    pub(crate) fn error(&self) -> Option<&io::Error> {
        self.lines.decoder.error()
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
        let mut sheet = CsvSheet::open(Box::new(text.as_bytes()), None, &known).unwrap();
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
    }

    #[test]
    fn the_delimiter_is_the_one_that_makes_the_wanted_columns() {
        assert_eq!(read("a,b;Key;x,y\n").0, ["a,b", "Key", "x,y"]);
        assert_eq!(read("Key\tRecord Id\n").0, ["Key", "Record Id"]);
        assert_eq!(read("sep=|\nKey|Record Id\n").0, ["Key", "Record Id"]);
    }
}
