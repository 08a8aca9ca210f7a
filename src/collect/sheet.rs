//! A workbook as a table of an export: one of its sheets, with what a sheet does to values, which a CSV cannot tell any more.

use csv::StringRecord;

use super::error::CollectError;
use super::export::{Export, ExportFileIx};
use crate::manifest::{CellFlaw, WorkbookSheet};

/// A sheet whose heading has been read.
pub(super) struct SheetTable {
    sheet: WorkbookSheet,
    /// The headings from the first column on, empty ones included.
    pub(super) headings: Vec<String>,
    /// The cells of the row that was read last, from the first column on.
    record: StringRecord,
    /// What is odd about some of them.
    flaws: Vec<(usize, SheetFlaw)>,
}

/// Why a cell may not hold what stood in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SheetFlaw {
    /// The sheet shows it in a form of its own, or has lost digits of it.
    Changed,
    /// There is nothing: a formula that was never worked out, or a cell that a merged area hides.
    Gone,
}

/// The number of a row, its cells, and what is odd about some of them, by column.
pub(super) type SheetRow<'s> = (u32, &'s StringRecord, &'s [(usize, SheetFlaw)]);

impl SheetTable {
    /// Reads a sheet and takes its first row for the heading.
    ///
    /// # Errors
    ///
    /// It is no workbook, has no such sheet, or is too large.
    pub(super) fn open(export: &Export, file: ExportFileIx, sheet: Option<&str>) -> Result<SheetTable, CollectError> {
        let mut sheet = WorkbookSheet::open(export.open_file(file)?, sheet)
            .map_err(|error| CollectError::Usage(format!("{} cannot be read: {error}", export.written(file))))?;
        let mut headings: Vec<String> = Vec::new();
        if let Some(first) = sheet.next() {
            for cell in first.cells() {
                headings.resize(cell.column, String::new());
                headings.push(cell.text.trim().to_owned());
            }
        }
        Ok(SheetTable { sheet, headings, record: StringRecord::new(), flaws: Vec::new() })
    }

    /// The next row in which something stands: its number, its cells, and what is odd about some of them.
    pub(super) fn next(&mut self) -> Option<SheetRow<'_>> {
        let number = loop {
            let row = self.sheet.next()?;
            self.record.clear();
            self.flaws.clear();
            for cell in row.cells() {
                while self.record.len() < cell.column {
                    self.record.push_field("");
                }
                self.record.push_field(cell.text);
                let flaw = cell.flaw.map(|flaw| match flaw {
                    CellFlaw::LongNumber | CellFlaw::Date | CellFlaw::Truth => SheetFlaw::Changed,
                    CellFlaw::NoValue => SheetFlaw::Gone,
                });
                self.flaws.extend(flaw.map(|flaw| (cell.column, flaw)));
            }
            while self.record.len() < self.headings.len() {
                self.record.push_field("");
            }
            let hidden = (0..self.headings.len()).filter(|column| row.hidden_by(*column).is_some());
            self.flaws.extend(hidden.map(|column| (column, SheetFlaw::Gone)));
            if self.record.iter().any(|cell| !cell.trim().is_empty()) || !self.flaws.is_empty() {
                break row.number();
            }
        };
        Some((number, &self.record, &self.flaws))
    }
}
