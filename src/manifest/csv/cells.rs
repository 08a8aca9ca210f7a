//! Takes a well-formed CSV row apart into its cells.
//!
//! The csv crate does it where something is quoted; between the cells of all other rows stand delimiters and nothing
//! else.

use std::io::{self, Read};

use csv::StringRecord;

/// The cells of one row after another.
pub(crate) struct Splitter {
    delimiter: u8,
    csv: csv::Reader<OneRow>,
    /// The cells of the row that was taken apart last.
    pub(crate) record: StringRecord,
    /// Where they begin, as [`super::lines::ManifestLines::next`] measured it; empty where nothing is quoted.
    pub(crate) starts: Vec<u32>,
}

/// Hands one row after another to the csv crate, which so never sees what comes behind it.
#[derive(Default)]
struct OneRow {
    text: Vec<u8>,
    given: usize,
}

impl OneRow {
    fn load(&mut self, row: &str) {
        self.text.clear();
        self.text.extend_from_slice(row.as_bytes());
        self.text.push(b'\n');
        self.given = 0;
    }
}

impl Read for OneRow {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut rest = self.text.get(self.given..).unwrap_or_default();
        let read = rest.read(out)?;
        self.given += read;
        Ok(read)
    }
}

impl Splitter {
    pub(crate) fn new(delimiter: u8) -> Splitter {
        let csv = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            // CRLF is taken off before, so that a stray CR stays in its cell, where it is found.
            .terminator(csv::Terminator::Any(b'\n'))
            .from_reader(OneRow::default());
        Splitter { delimiter, csv, record: StringRecord::new(), starts: Vec::new() }
    }

    /// Takes apart the row whose cells `starts` has been measured for.
    pub(crate) fn split(&mut self, text: &str) {
        if !self.starts.is_empty() {
            return self.split_quoted(text);
        }
        self.record.clear();
        let mut from = 0;
        for end in memchr::memchr_iter(self.delimiter, text.as_bytes()).chain([text.len()]) {
            self.record.push_field(text.get(from..end).unwrap_or_default());
            from = end + 1;
        }
    }

    /// The same by the csv crate, whatever stands in the row.
    pub(crate) fn split_quoted(&mut self, text: &str) {
        self.csv.get_mut().load(text);
        // The text is valid UTF-8 and in memory, so there is nothing that could go wrong.
        let read = self.csv.read_record(&mut self.record);
        debug_assert!(matches!(read, Ok(true)), "{read:?}");
    }

    /// Where a cell begins in the text of its row: without any quotes only delimiters stand between the cells.
    pub(crate) fn start_of(&self, ix: usize) -> usize {
        match self.starts.get(ix) {
            Some(start) => *start as usize,
            None => self.record.range(ix).map_or(0, |range| range.start + ix),
        }
    }
}
