//! The table as a workbook. Every cell is text and every column is formatted as text, so that a spreadsheet keeps ids as they
//! are, those that are typed into it as well. Text is never a formula.

use std::borrow::Cow;
use std::io::{self, Seek, Write};

use rust_xlsxwriter::{Format, Workbook, XlsxError};

use super::MendWriter;
use crate::manifest::MAX_SHEET_ROWS;

/// UTF-16 units of a cell.
const CELL_UNITS: usize = 32_767;

/// A workbook while its rows come in.
pub(super) struct MendWorkbook {
    workbook: Workbook,
    /// Rows written, the header among them.
    rows: u32,
    text: Format,
    head: Format,
}

impl MendWorkbook {
    /// # Errors
    ///
    /// So many rows are more than are read of a workbook again.
    pub(super) fn begin(rows: usize) -> io::Result<MendWorkbook> {
        if rows > MAX_SHEET_ROWS {
            let what = format!("{rows} rows are more than are read of a workbook again; name a file that ends in .csv");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
        }
        let mut workbook = Workbook::new();
        workbook.add_worksheet().set_name("To mend").and_then(|sheet| sheet.set_freeze_panes(1, 0)).map_err(into_io)?;
        let text = Format::new().set_num_format("@");
        let head = Format::new().set_bold().set_num_format("@");
        Ok(MendWorkbook { workbook, rows: 0, text, head })
    }

    pub(super) fn finish(mut self, out: impl Write + Seek + Send) -> io::Result<()> {
        self.workbook.save_to_writer(out).map_err(into_io)
    }
}

impl MendWriter for MendWorkbook {
    fn row(&mut self, cells: &[Cow<'_, str>]) -> io::Result<()> {
        let sheet = self.workbook.worksheet_from_index(0).map_err(into_io)?;
        for (column, cell) in (0_u16..).zip(cells) {
            if cell.len() > CELL_UNITS && cell.encode_utf16().count() > CELL_UNITS {
                let what = "a value is longer than a cell of a workbook may be; name a file that ends in .csv";
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
            }
            let written = match self.rows {
                0 => sheet
                    .set_column_format(column, &self.text)
                    .and_then(|sheet| sheet.set_column_width(column, width(cell)))
                    .and_then(|sheet| sheet.write_string_with_format(0, column, cell.as_ref(), &self.head)),
                row if !cell.is_empty() => sheet.write_string_with_format(row, column, cell.as_ref(), &self.text),
                _ => continue,
            };
            written.map_err(into_io)?;
        }
        self.rows += 1;
        Ok(())
    }
}

/// How wide a column is, in characters.
fn width(heading: &str) -> u16 {
    match heading {
        "x_line" => 8,
        "module" => 16,
        "record" | "key" => 23,
        "file" | "url" | "x_problem" | "x_what_to_do" => 44,
        _ => 24,
    }
}

fn into_io(error: XlsxError) -> io::Error {
    match error {
        XlsxError::IoError(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
