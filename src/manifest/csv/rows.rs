//! Reads the rows of a CSV manifest.
//!
//! `lines` cuts the file into well-formed rows, `cells` takes those apart.

use super::cells::Splitter;
use super::delimiter;

use super::lines::{ManifestLines, Piece};
use crate::manifest::header::{self, Header, ManifestColumn};
use crate::manifest::headings::HeadingRules;
use crate::manifest::limits::{self, CELL_LIMIT, MAX_COLUMNS};
use crate::manifest::reader::Tolerance;
use crate::manifest::row::RawRow;
use crate::manifest::spreadsheet_errors::is_spreadsheet_error;
use crate::problem::{Place, Problem, ProblemCode, ProblemList};

/// The rows of a CSV manifest.
pub(crate) struct CsvRows {
    pub(crate) lines: ManifestLines,
    pub(crate) delimiter: u8,
    pub(crate) header: Header,
    cells: Splitter,
    /// `false` when the header leaves no way to read rows.
    readable: bool,
}

impl CsvRows {
    /// Reads the header. What is wrong with it is reported, and rows are read nevertheless if that makes sense.
    pub(crate) fn open(
        mut lines: ManifestLines,
        tab_only: bool,
        rules: &HeadingRules,
        tolerance: &mut Tolerance,
        problems: &mut ProblemList,
    ) -> CsvRows {
        tolerance.blank_lines += lines.skip_blank_lines();
        let asked = lines.peek_line().and_then(delimiter::sep_line);
        let sep_at = lines.line();
        if asked.is_some() {
            lines.skip_line();
            tolerance.blank_lines += lines.skip_blank_lines();
        }
        let line = lines.line();
        let chosen = match lines.peek_line() {
            None => Err(None),
            Some(first) if first.contains('\r') => Err(Some(Box::new(lone_crs(line)))),
            Some(first) => delimiter::choose(first, asked, tab_only, sep_at, line, rules).map_err(Some),
        };
        let delimiter = *chosen.as_ref().unwrap_or(&b',');
        let mut table = CsvRows {
            lines,
            delimiter,
            header: Header::default(),
            cells: Splitter::new(delimiter),
            readable: chosen.is_ok(),
        };
        match chosen {
            Ok(_) => table.read_header(rules, problems),
            Err(Some(problem)) => problems.push(*problem),
            // An empty file; that there are no rows is said by whoever counts them.
            Err(None) => {}
        }
        table
    }

    fn read_header(&mut self, rules: &HeadingRules, problems: &mut ProblemList) {
        match self.lines.next(self.delimiter, &|_| false, &mut self.cells.starts) {
            None => {}
            Some(Piece::Broken { problem, .. }) => {
                problems.push(problem);
                self.readable = false;
            }
            Some(Piece::Row { line, range }) => {
                // The csv crate takes a byte order mark off whatever it reads first, so that must not be a row.
                self.cells.split_quoted(self.lines.text(range.clone()));
                let cells = self.header_cells(line, range);
                if self.cells.record.len() > MAX_COLUMNS {
                    problems.push(limits::too_wide(self.cells.record.len(), line));
                    self.readable = false;
                } else if header::is_results(&cells) {
                    problems.push(header::results_as_manifest(line));
                    self.readable = false;
                } else {
                    self.header = Header::read(&cells, rules, problems);
                }
            }
        }
        while let Some(flaw) = self.lines.decoder.next_flaw(self.lines.line() - 1) {
            problems.push(flaw);
        }
    }

    /// The names in the header, which has no line breaks, as far as there may be any.
    fn header_cells(&self, line: u32, range: std::ops::Range<usize>) -> Vec<(String, Place)> {
        let (mut column, mut counted) = (1, 0);
        let text = self.lines.text(range);
        let names = self.cells.record.iter().take(MAX_COLUMNS).enumerate();
        let placed = names.map(|(ix, name)| {
            let start = self.cells.start_of(ix);
            column += text.get(counted..start).unwrap_or_default().chars().count();
            counted = start;
            (name.to_owned(), Place { line, column: u32::try_from(column).ok() })
        });
        placed.collect()
    }

    /// Takes one row apart.
    fn split(&mut self, range: std::ops::Range<usize>, row: &mut RawRow) {
        let text = self.lines.text(range);
        row.set_raw(text);
        self.cells.split(text);
    }

    /// Reads the next row that is not blank; `false` at the end. A row that cannot be taken apart comes as one with
    /// empty cells that is broken.
    pub(crate) fn next(&mut self, row: &mut RawRow, tolerance: &mut Tolerance, problems: &mut ProblemList) -> bool {
        while self.readable {
            let header = &self.header;
            let piece = self.lines.next(self.delimiter, &|cell| header.may_break(cell), &mut self.cells.starts);
            match piece {
                None => {
                    tolerance.unended |= !self.lines.ended();
                    tolerance.end_mark |= self.lines.had_end_mark();
                    return false;
                }
                Some(Piece::Broken { line, problem, lost }) => {
                    // Read on, and every line of a long text would be a bad row.
                    self.readable = !lost;
                    row.begin(line);
                    row.number = tolerance.count_row();
                    row.broken = true;
                    problems.push(problem.in_row(row.number));
                    self.report_flaws(row, problems);
                    return true;
                }
                Some(Piece::Row { line, range }) => {
                    if self.lines.text(range.clone()).trim_ascii().is_empty() {
                        tolerance.blank_lines += 1;
                        continue;
                    }
                    row.begin(line);
                    self.split(range, row);
                    if self.fill(row, tolerance, problems) {
                        self.report_flaws(row, problems);
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Puts the cells where they belong; `false` for a row of empty cells.
    fn fill(&mut self, row: &mut RawRow, tolerance: &mut Tolerance, problems: &mut ProblemList) -> bool {
        let mut superfluous = None;
        for (ix, cell) in self.cells.record.iter().enumerate() {
            match self.header.columns.get(ix) {
                Some(ManifestColumn::Field(field)) => row.set_cell(*field, cell, self.cells.start_of(ix)),
                Some(ManifestColumn::Carried(column)) => row.set_carried(*column, cell),
                Some(ManifestColumn::Refused) => {}
                Some(ManifestColumn::Unnamed) | None if cell.trim().is_empty() => {}
                Some(ManifestColumn::Unnamed) | None => superfluous = superfluous.or(Some(ix)),
            }
        }
        if row.is_blank() && superfluous.is_none() {
            tolerance.empty_rows += 1;
            return false;
        }
        row.number = tolerance.count_row();
        // What a failed formula left is a row whose value was lost; whoever removed it as a comment would lose the row.
        if self.cells.record.get(0).is_some_and(|cell| cell.starts_with('#') && !is_spreadsheet_error(cell)) {
            problems.push(comment(row.place_of_byte(0)).in_row(row.number));
            row.discard();
            return true;
        }
        let width = self.header.width();
        tolerance.short_rows += u32::from(self.cells.record.len() < width);
        tolerance.unnamed_columns |= superfluous.is_none() && self.cells.record.len() > width;
        if let Some(ix) = superfluous {
            problems.push(self.superfluous(ix, row));
            row.broken = true;
        }
        self.report_bad_cells(row, problems);
        true
    }

    fn superfluous(&self, ix: usize, row: &RawRow) -> Problem {
        let value = self.cells.record.get(ix).unwrap_or_default();
        let problem = if ix < self.header.columns.len() {
            Problem::new(
                ProblemCode::ColumnUnnamed,
                format!("a value in column {} , which has no name", ix + 1).replace(" ,", ","),
                "name the column in the header (x_something to carry it along), or empty the cell",
            )
        } else {
            Problem::new(
                ProblemCode::TooManyCells,
                format!("{} cells, where the header has {}", self.cells.record.len(), self.header.columns.len()),
                format!("put a cell that contains {} in quotes", delimiter::delimiter_name(self.delimiter)),
            )
        };
        let mut problem = problem.at(row.place_of_byte(self.cells.start_of(ix))).in_row(row.number);
        problem.value = Some(crate::text::masked_excerpt(value));
        problem
    }

    /// Cells that are too long, and stray CRs.
    fn report_bad_cells(&self, row: &mut RawRow, problems: &mut ProblemList) {
        let mut broken = false;
        let text = self.cells.record.as_slice();
        if text.len() > CELL_LIMIT {
            for (ix, cell) in self.cells.record.iter().enumerate().filter(|(_, cell)| cell.len() > CELL_LIMIT) {
                problems.push(
                    limits::cell_too_large(cell.len())
                        .at(row.place_of_byte(self.cells.start_of(ix)))
                        .in_row(row.number),
                );
                broken = true;
            }
        }
        if memchr::memchr(b'\r', text.as_bytes()).is_some() {
            // Beyond the header one is as good as all.
            let cells = self.cells.record.iter().enumerate().take(self.header.columns.len() + 1);
            for (ix, cell) in cells.filter(|(_, cell)| has_lone_cr(cell)) {
                problems.push(lone_cr(row.place_of_byte(self.cells.start_of(ix)), cell).in_row(row.number));
                broken = true;
            }
        }
        row.broken |= broken;
    }

    fn report_flaws(&mut self, row: &mut RawRow, problems: &mut ProblemList) {
        let last_line = self.lines.line().saturating_sub(u32::from(self.lines.ended()));
        while let Some(flaw) = self.lines.decoder.next_flaw(last_line) {
            problems.push(flaw.in_row(row.number));
            row.broken = true;
        }
    }
}

fn comment(place: Place) -> Problem {
    Problem::new(
        ProblemCode::CommentLine,
        "this looks like a comment, and CSV has none",
        "remove the line; remarks can go into a column named note",
    )
    .at(place)
}

/// A header that goes on behind a carriage return: to every other program this is the first of many lines.
pub(super) fn lone_crs(line: u32) -> Problem {
    Problem::new(
        ProblemCode::LoneCr,
        "the lines of this file end in carriage returns alone, as spreadsheets on a Mac may write them",
        "save it as CSV UTF-8 or as .xlsx",
    )
    .on_line(line)
}

fn lone_cr(place: Place, cell: &str) -> Problem {
    let mut problem = Problem::new(
        ProblemCode::LoneCr,
        "a carriage return without a line feed behind it",
        "save the file with the line ends of Windows or Unix, and take it out of the cell",
    )
    .at(place);
    problem.value = Some(crate::text::masked_excerpt(cell));
    problem
}

fn has_lone_cr(cell: &str) -> bool {
    let bytes = cell.as_bytes();
    memchr::memchr_iter(b'\r', bytes).any(|at| bytes.get(at + 1) != Some(&b'\n'))
}
