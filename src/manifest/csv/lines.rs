//! Cuts the text of a CSV manifest into rows, counting physical lines, with no more than a row in memory.

use super::quotes::{self, QuoteFault, RowScan};
use crate::manifest::decode::Decoder;
use crate::problem::{Place, Problem, ProblemCode};

/// A row may not be longer than this, in bytes.
pub(crate) const ROW_LIMIT: usize = 1 << 20;

/// Ctrl-Z.
const END_MARK: char = '\u{1a}';

/// The text of the file, row by row.
pub(crate) struct ManifestLines {
    pub(crate) decoder: Decoder,
    buffer: String,
    /// What of the buffer is done with.
    start: usize,
    /// Physical line at `start`.
    line: u32,
    at_end: bool,
    /// Whether the last row had a line end.
    ended: bool,
    /// Whether the text ended with the mark of old programs, which is taken off.
    end_mark: bool,
    /// A row may not be longer than this, in bytes.
    row_limit: usize,
}

/// A row that was cut off.
pub(crate) enum Piece {
    /// A well-formed one: its text without line end is [`ManifestLines::text`] of this.
    Row { line: u32, range: std::ops::Range<usize> },
    /// One that cannot be taken apart. `lost`: a quote in it is still open after as much text as a row may have, so nobody
    /// knows where the next row begins; what follows is one line after another.
    Broken { line: u32, problem: Problem, lost: bool },
}

impl ManifestLines {
    pub(crate) fn new(decoder: Decoder) -> ManifestLines {
        ManifestLines {
            decoder,
            buffer: String::new(),
            start: 0,
            line: 1,
            at_end: false,
            ended: true,
            end_mark: false,
            row_limit: ROW_LIMIT,
        }
    }

    /// The same with rows of up to so many bytes.
    pub(crate) fn with_row_limit(self, row_limit: usize) -> ManifestLines {
        ManifestLines { row_limit, ..self }
    }

    /// The text that a piece stands for; valid until the next one is cut.
    pub(crate) fn text(&self, range: std::ops::Range<usize>) -> &str {
        self.buffer.get(range).unwrap_or_default()
    }

    /// The line that has been come to.
    pub(crate) fn line(&self) -> u32 {
        self.line
    }

    /// Whether the last line was ended properly.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Whether the text ended with Ctrl-Z, by which programs of the first PCs knew the end of a file.
    pub(crate) fn had_end_mark(&self) -> bool {
        self.end_mark
    }

    /// The next physical line without its end, not yet taken; `None` at the end of the file.
    pub(crate) fn peek_line(&mut self) -> Option<&str> {
        loop {
            let found = memchr::memchr(b'\n', self.rest().as_bytes());
            if found.is_some() || self.rest().len() > ROW_LIMIT || !self.load() {
                let end = found.unwrap_or(self.rest().len());
                let line = self.buffer.get(self.start..self.start + end).unwrap_or_default();
                return (found.is_some() || end > 0).then(|| line.strip_suffix('\r').unwrap_or(line));
            }
        }
    }

    /// Takes the physical line that was peeked at.
    pub(crate) fn skip_line(&mut self) {
        self.skip_past_newline(self.start);
    }

    /// Takes lines that hold nothing but blanks; returns how many.
    pub(crate) fn skip_blank_lines(&mut self) -> u32 {
        let mut skipped = 0;
        while self.peek_line().is_some_and(|line| line.trim_ascii().is_empty()) {
            self.skip_line();
            skipped += 1;
        }
        skipped
    }

    /// Cuts off the next row; `None` at the end of the file. The starts of its cells go to `starts`, unless nothing in
    /// it is quoted, when there is no need.
    pub(crate) fn next(
        &mut self,
        delimiter: u8,
        may_break: &dyn Fn(usize) -> bool,
        starts: &mut Vec<u32>,
    ) -> Option<Piece> {
        starts.clear();
        if let Some(piece) = self.next_plain() {
            return Some(piece);
        }
        loop {
            let complete = self.at_end || self.rest().len() > self.row_limit;
            if self.rest().is_empty() && self.at_end {
                return None;
            }
            match quotes::measure(self.rest(), complete, delimiter, may_break, starts) {
                RowScan::NeedsMore => self.load_as_much_again(),
                RowScan::Row { len, .. } if len > self.row_limit => return Some(self.too_large()),
                RowScan::Row { len, next } => return Some(self.take(len, next)),
                RowScan::Newline { open, next } => {
                    let problem = Problem::new(
                        ProblemCode::NewlineInCell,
                        "a line break in a cell that may not have one",
                        "close the quote on the line where it opens, or take the line break out",
                    );
                    return Some(self.broken(problem, open, Some(next)));
                }
                RowScan::Broken(QuoteFault::Unended, at) if self.rest().len() - at > self.row_limit => {
                    let mut piece = self.broken(left_open(self.row_limit), at, None);
                    if let Piece::Broken { lost, .. } = &mut piece {
                        *lost = true;
                    }
                    return Some(piece);
                }
                RowScan::Broken(fault, at) => return Some(self.broken(fault_problem(fault), at, None)),
            }
        }
    }

    /// The common case: a line that is here as a whole and has no quote in it.
    fn next_plain(&mut self) -> Option<Piece> {
        let bytes = self.rest().as_bytes();
        let end = memchr::memchr2(b'\n', b'"', bytes)?;
        if bytes.get(end) != Some(&b'\n') || end > self.row_limit {
            return None;
        }
        let (len, next) = quotes::line_end(bytes, end);
        let (line, start) = (self.line, self.start);
        self.line = line.saturating_add(1);
        self.start += next;
        self.ended = true;
        Some(Piece::Row { line, range: start..start + len })
    }

    fn rest(&self) -> &str {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    fn load(&mut self) -> bool {
        self.buffer.drain(..self.start);
        self.start = 0;
        let more = self.decoder.read_into(&mut self.buffer);
        self.at_end = !more;
        if !more && self.buffer.ends_with(END_MARK) {
            self.buffer.pop();
            self.end_mark = true;
        }
        more
    }

    /// Doubles what is there of a row. It is measured from its beginning each time, which must not be for each piece of a
    /// row of a hundred megabytes.
    fn load_as_much_again(&mut self) {
        let wanted = 2 * self.rest().len();
        while self.load() && self.rest().len() < wanted {}
    }

    fn take(&mut self, len: usize, next: usize) -> Piece {
        let (line, start) = (self.line, self.start);
        self.advance(next);
        Piece::Row { line, range: start..start + len }
    }

    /// Moves on by so many bytes.
    fn advance(&mut self, bytes: usize) {
        let end = self.start + bytes;
        let taken = self.buffer.get(self.start..end).unwrap_or_default().as_bytes();
        self.ended = taken.last() == Some(&b'\n');
        let breaks = memchr::memchr_iter(b'\n', taken).count();
        self.line = self.line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
        self.start = end;
    }

    /// A row that cannot be taken apart: reading goes on behind the physical line of the culprit.
    fn broken(&mut self, problem: Problem, at: usize, next: Option<usize>) -> Piece {
        let line = self.line;
        let place = crate::manifest::row::place_after(line, self.rest().get(..at).unwrap_or_default());
        match next {
            Some(next) => self.advance(next),
            None => self.skip_past_newline(self.start + at),
        }
        Piece::Broken { line, problem: problem.at(place), lost: false }
    }

    fn too_large(&mut self) -> Piece {
        let line = self.line;
        self.skip_past_newline(self.start);
        let problem = Problem::new(
            ProblemCode::RowTooLarge,
            "a row of more than 1 MiB",
            "check that this is the right file, and look at its quotes and line ends",
        );
        Piece::Broken { line, problem: problem.at(Place { line, column: None }), lost: false }
    }

    /// Moves on behind the first newline at or after this byte of the buffer, however far away it is.
    fn skip_past_newline(&mut self, from: usize) {
        let mut from = from;
        loop {
            let tail = self.buffer.get(from..).unwrap_or_default();
            if let Some(found) = memchr::memchr(b'\n', tail.as_bytes()) {
                self.advance(from + found + 1 - self.start);
                return;
            }
            self.advance(self.buffer.len() - self.start);
            if !self.load() {
                return;
            }
            from = self.start;
        }
    }
}

/// A quote that is open for so many bytes.
fn left_open(bytes: usize) -> Problem {
    Problem::new(
        ProblemCode::UnclosedQuote,
        format!("the quote that opens here is not closed within {} KiB", bytes >> 10),
        "close it, or take it away; what stands below it cannot be told apart before that",
    )
}

fn fault_problem(fault: QuoteFault) -> Problem {
    match fault {
        QuoteFault::Unended | QuoteFault::Unclosed => Problem::new(
            ProblemCode::UnclosedQuote,
            "the quote that opens here is never closed",
            "close it, or take it away; a quote inside quotes is written twice",
        ),
        QuoteFault::TextAfter => Problem::new(
            ProblemCode::TextAfterQuote,
            "text follows the closing quote",
            "put the whole cell in quotes, and write quotes inside it twice",
        ),
        QuoteFault::BlankAround => Problem::new(
            ProblemCode::BlankAroundQuote,
            "a blank stands between the quotes and the delimiter",
            "take the blank away",
        ),
    }
}
