//! The tables of an export: CSV files whose lines each end somewhere, whatever is wrong with them.

use csv::StringRecord;

use super::LeftOutReason;
use super::collector::{Collector, LineEnd, LineOrigin};
use super::error::CollectError;
use super::export::{Export, ExportFileIx};
use crate::manifest::{CsvRow, CsvSheet};

/// No row of a table that describes files is longer than this, in bytes.
const MOST_OF_A_ROW: usize = 16 << 20;

/// A row may hold a whole file in base64.
pub(super) const MOST_OF_A_ROW_WITH_A_FILE: usize = 256 << 20;

/// A table whose heading has been read.
pub(super) struct ExportTable {
    sheet: CsvSheet,
    /// As a person finds it again.
    name: String,
    /// The headings without case, blanks and signs.
    headings: Vec<String>,
}

/// A line of a table.
#[derive(Clone, Copy)]
pub(super) struct ExportRow<'r> {
    cells: &'r StringRecord,
    /// Where it stands.
    pub(super) origin: LineOrigin<'r>,
}

impl<'r> ExportRow<'r> {
    /// A cell without outer blanks; empty where there is no such column.
    pub(super) fn get(&self, column: Option<usize>) -> &'r str {
        column.and_then(|column| self.cells.get(column)).unwrap_or_default().trim()
    }

    /// All cells.
    pub(super) fn cells(&self) -> impl Iterator<Item = &'r str> {
        self.cells.iter()
    }
}

impl ExportTable {
    /// Reads the heading. One that cannot be taken apart makes a table without columns.
    pub(super) fn open(export: &Export, file: ExportFileIx) -> Result<ExportTable, CollectError> {
        ExportTable::with_rows_up_to(MOST_OF_A_ROW, export, file)
    }

    /// The same, with rows of up to so many bytes.
    pub(super) fn with_rows_up_to(
        bytes: usize,
        export: &Export,
        file: ExportFileIx,
    ) -> Result<ExportTable, CollectError> {
        let name = export.written(file);
        let known = |name: &str| !name.is_empty();
        let sheet = CsvSheet::with_rows_up_to(bytes, export.open(file)?, None, &known).map_err(|problem| {
            CollectError::Usage(format!("the heading of {name} cannot be read: {}", problem.message))
        })?;
        let headings = sheet.headings().iter().map(|heading| plain(heading)).collect();
        Ok(ExportTable { sheet, name, headings })
    }

    /// The headings as they are written.
    pub(super) fn headings(&self) -> &[String] {
        self.sheet.headings()
    }

    /// The first column with one of these headings, the earlier ones preferred; case, blanks and signs do not count.
    pub(super) fn column(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| {
            let wanted = plain(name);
            self.headings.iter().position(|heading| *heading == wanted)
        })
    }

    /// Hands every line to `each`, which says where it ends. Lines that cannot be taken apart are left out.
    pub(super) fn each_line(
        &mut self,
        out: &mut Collector<'_>,
        each: &mut dyn FnMut(ExportRow<'_>, &mut Collector<'_>) -> Result<LineEnd, CollectError>,
    ) -> Result<(), CollectError> {
        let width = self.headings.len();
        while let Some(row) = self.sheet.next() {
            let end = match row {
                CsvRow::Broken(problem) => {
                    let origin = LineOrigin { table: &self.name, line: problem.line.unwrap_or_default() };
                    out.leave_out(origin, "", "", LeftOutReason::BrokenLine)?
                }
                CsvRow::Cells(line, cells) => {
                    let origin = LineOrigin { table: &self.name, line };
                    if cells.len() == width || is_only_longer_by_nothing(cells, width) {
                        each(ExportRow { cells, origin }, out)?
                    } else {
                        let id = cells.get(0).unwrap_or_default();
                        out.leave_out(origin, id, "", LeftOutReason::BrokenLine)?
                    }
                }
            };
            out.count_line(end);
        }
        self.finish()
    }

    /// Hands every line that can be taken apart to `each`, for looking things up: these lines end nowhere.
    pub(super) fn look_up(&mut self, each: &mut dyn FnMut(ExportRow<'_>)) -> Result<(), CollectError> {
        while let Some(row) = self.sheet.next() {
            if let CsvRow::Cells(line, cells) = row {
                each(ExportRow { cells, origin: LineOrigin { table: &self.name, line } });
            }
        }
        self.finish()
    }

    fn finish(&self) -> Result<(), CollectError> {
        match self.sheet.error() {
            None => Ok(()),
            Some(error) => {
                let error = std::io::Error::new(error.kind(), error.to_string());
                Err(CollectError::Io(format!("cannot read {} to its end", self.name), error))
            }
        }
    }
}

fn is_only_longer_by_nothing(cells: &StringRecord, width: usize) -> bool {
    cells.len() > width && cells.iter().skip(width).all(|cell| cell.trim().is_empty())
}

/// A heading without case, blanks and signs: `Parent Id` and `parent_id` are one.
fn plain(heading: &str) -> String {
    heading.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
