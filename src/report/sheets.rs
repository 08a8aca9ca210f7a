//! What the workbooks share: how cells look, how sheets are printed, and rows that are spread over as many sheets as they
//! need.

use rust_xlsxwriter::{Color, Format, Workbook, Worksheet, XlsxError};

use crate::outcome::Status;

/// Rows of a sheet, its head among them.
const SHEET_ROWS: u32 = 1_048_576;
/// UTF-16 units of a cell.
const CELL_UNITS: usize = 32_767;
/// The last column that is printed, where there is one of this name. On paper only what a person reads has room: with hashes,
/// hosts and keys beside it nobody could.
const LAST_PRINTED: &str = "message";

/// Rows under one heading, on as many sheets as they need. Rows go straight to the disk; memory does not grow with them.
pub(super) struct RowSheets {
    /// Places of the sheets in the workbook, in order.
    sheets: Vec<usize>,
    /// Rows so far.
    rows: u32,
    /// Columns of each sheet.
    columns: u16,
    /// Of these, so many are printed.
    printed: u16,
}

impl RowSheets {
    /// Adds sheets for so many rows, called `name`, `name 2` and so on. `columns`: what stands above each, and how wide it
    /// is in characters.
    pub(super) fn add(
        workbook: &mut Workbook,
        name: &str,
        rows: u64,
        columns: &[(String, u16)],
        formats: &Formats,
    ) -> Result<RowSheets, XlsxError> {
        let mut sheets = Vec::new();
        for number in 0..rows.div_ceil(u64::from(SHEET_ROWS - 1)).max(1) {
            sheets.push(workbook.worksheets().len());
            let sheet = workbook.add_worksheet_with_constant_memory()?;
            let name = if number == 0 { name.to_owned() } else { format!("{name} {}", number + 1) };
            on_paper(sheet.set_name(name)?.set_freeze_panes(1, 0)?).set_repeat_rows(0, 0)?;
            for (column, (heading, width)) in (0..).zip(columns) {
                sheet.set_column_width(column, f64::from(*width))?;
                sheet.write_string_with_format(0, column, cut(heading), &formats.head)?;
            }
        }
        let printed =
            columns.iter().position(|(heading, _)| heading == LAST_PRINTED).map_or(columns.len(), |at| at + 1);
        let [columns, printed] = [columns.len(), printed].map(|count| u16::try_from(count).unwrap_or(u16::MAX));
        Ok(RowSheets { sheets, rows: 0, columns, printed })
    }

    /// The place of the next row; `None` if more come than were announced.
    pub(super) fn next_row<'b>(
        &mut self,
        workbook: &'b mut Workbook,
    ) -> Result<Option<(&'b mut Worksheet, u32)>, XlsxError> {
        let (sheet, row) = (self.rows / (SHEET_ROWS - 1), self.rows % (SHEET_ROWS - 1) + 1);
        let Some(index) = self.sheets.get(sheet as usize) else { return Ok(None) };
        self.rows += 1;
        Ok(Some((workbook.worksheet_from_index(*index)?, row)))
    }

    /// Lets readers filter the rows of each sheet, and says what of it is printed.
    pub(super) fn finish(&self, workbook: &mut Workbook) -> Result<(), XlsxError> {
        for (number, index) in (0..).zip(&self.sheets) {
            let rows = self.rows.saturating_sub(number * (SHEET_ROWS - 1)).min(SHEET_ROWS - 1);
            let sheet = workbook.worksheet_from_index(*index)?;
            sheet.autofilter(0, 0, rows, self.columns.saturating_sub(1))?;
            sheet.set_print_area(0, 0, rows, self.printed.saturating_sub(1))?;
        }
        Ok(())
    }
}

/// How cells look.
pub(super) struct Formats {
    /// Heads of columns.
    pub(super) head: Format,
    /// A time to the second.
    pub(super) time: Format,
    /// A whole number.
    pub(super) count: Format,
    /// Seconds with a fraction.
    pub(super) seconds: Format,
    /// The title of the first sheet.
    pub(super) title: Format,
    /// The names of facts.
    pub(super) label: Format,
    /// What is well, what is not, and what is open.
    pub(super) statuses: [Format; 3],
}

impl Formats {
    pub(super) fn new() -> Formats {
        let coloured =
            |font, ground| Format::new().set_font_color(Color::RGB(font)).set_background_color(Color::RGB(ground));
        Formats {
            head: Format::new()
                .set_bold()
                .set_text_wrap()
                .set_background_color(Color::RGB(0xE8_ECF2))
                .set_border_bottom(rust_xlsxwriter::FormatBorder::Thin),
            time: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            count: Format::new().set_num_format("#,##0"),
            seconds: Format::new().set_num_format("0.000"),
            title: Format::new().set_bold().set_font_size(15),
            label: Format::new().set_font_color(Color::RGB(0x5B_6675)),
            statuses: [coloured(0x14_5A3C, 0xDF_F2E8), coloured(0x8F_231A, 0xFB_E3E0), coloured(0x6B_4E00, 0xFB_F0CC)],
        }
    }

    /// How a status looks.
    pub(super) fn status(&self, status: Status) -> &Format {
        let [good, bad, open] = &self.statuses;
        match status {
            Status::Uploaded | Status::AlreadyPresent | Status::Superseded => good,
            Status::Failed | Status::Invalid => bad,
            Status::Unknown
            | Status::InDoubt
            | Status::Sending
            | Status::NotSent
            | Status::Deleting
            | Status::Deleted => open,
        }
    }
}

/// How a sheet is printed: A4 across, as many pages long as it needs, one page wide.
pub(super) fn on_paper(sheet: &mut Worksheet) -> &mut Worksheet {
    const A4: u8 = 9;
    sheet.set_landscape().set_paper_size(A4).set_print_fit_to_pages(1, 0);
    sheet.set_footer("&L&F, &A&RPage &P of &N")
}

/// Writes the heads of a table; gives the row below.
pub(super) fn head(sheet: &mut Worksheet, row: u32, names: &[&str], formats: &Formats) -> Result<u32, XlsxError> {
    for (column, name) in (0..).zip(names) {
        sheet.write_string_with_format(row, column, *name, &formats.head)?;
    }
    Ok(row + 1)
}

/// As much of a text as a cell can hold.
pub(super) fn cut(text: &str) -> String {
    let mut units = 0;
    let end = text.char_indices().find(|(_, char)| {
        units += char.len_utf16();
        units > CELL_UNITS
    });
    end.map_or(text, |(end, _)| &text[..end]).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_cell_can_hold_is_cut_between_characters() {
        let long = "𝄞".repeat(CELL_UNITS);
        assert_eq!(cut(&long).encode_utf16().count(), CELL_UNITS - 1);
        assert_eq!(cut("short"), "short");
    }
}
