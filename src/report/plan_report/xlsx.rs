//! The workbook about a plan: the summary, every row that is sent, and every row that is not.

use std::io::{self, Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;
use rust_xlsxwriter::{ExcelDateTime, Workbook, Worksheet, XlsxError};

use super::{PlanReport, PlanRows, wording};
use crate::plan::saved::{PlannedAction, SavedRow};
use crate::report::sheets::{Formats, RowSheets, cut, head, on_paper};

const SUMMARY: &str = "Plan";
const SENT: &str = "To send";
const NOT_SENT: &str = "Not sent";

/// Columns of the sheets of rows, with their widths in characters.
const COLUMNS: [(&str, u16); 11] = [
    ("line", 8),
    ("module", 16),
    ("record", 23),
    ("record_key", 20),
    ("file", 44),
    ("url", 30),
    ("name", 30),
    ("bytes", 13),
    ("modified (UTC)", 19),
    ("action", 14),
    ("why", 22),
];

/// Writes the workbook. `rows` hands on every row of the plan.
pub(super) fn write(report: &PlanReport, rows: PlanRows<'_>, out: impl Write + Seek + Send) -> Result<(), XlsxError> {
    let build = || {
        let (mut workbook, formats) = (Workbook::new(), Formats::new());
        summary(workbook.add_worksheet().set_name(SUMMARY)?, report, &formats)?;
        let heads = COLUMNS.map(|(name, width)| (name.to_owned(), width));
        let sent = report.all.attachments();
        let mut to_send = RowSheets::add(&mut workbook, SENT, sent, &heads, &formats)?;
        let mut not_sent = RowSheets::add(&mut workbook, NOT_SENT, report.all.rows - sent, &heads, &formats)?;
        let mut written = Ok(());
        rows(&mut |row| {
            let sheets = if row.action.sends() { &mut to_send } else { &mut not_sent };
            if written.is_ok() {
                written = add(sheets, &mut workbook, row, &formats);
            }
        })?;
        written?;
        to_send.finish(&mut workbook)?;
        not_sent.finish(&mut workbook)?;
        workbook.save_to_writer(out)
    };
    // The library holds rows in temporary files and panics where one cannot be written.
    catch_unwind(AssertUnwindSafe(build)).unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::StorageFull).into()))
}

fn add(sheets: &mut RowSheets, workbook: &mut Workbook, row: &SavedRow, formats: &Formats) -> Result<(), XlsxError> {
    let Some((sheet, at)) = sheets.next_row(workbook)? else { return Ok(()) };
    sheet.write_number(at, 0, f64::from(row.line))?;
    let action = match row.action {
        PlannedAction::Send => "send",
        PlannedAction::LookUp => "look up",
        PlannedAction::Nothing => "nothing",
        PlannedAction::NotChosen => "not chosen",
        PlannedAction::LeftOut => "left out",
    };
    // Ids are text: a spreadsheet keeps only 15 digits of a number.
    let texts = [
        (1, row.module.as_str()),
        (2, &row.record),
        (3, &row.record_key),
        (4, &row.file),
        (5, &row.url),
        (6, &row.name),
        (9, action),
        (10, &row.why),
    ];
    for (column, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        sheet.write_string(at, column, cut(text))?;
    }
    if let Some(bytes) = row.bytes {
        sheet.write_number_with_format(at, 7, bytes as f64, &formats.count)?;
    }
    let modified = row.modified.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
    if let Some(time) = modified.and_then(|time| ExcelDateTime::from_timestamp(time.as_second()).ok()) {
        sheet.write_datetime_with_format(at, 8, time, &formats.time)?;
    }
    Ok(())
}

fn summary(sheet: &mut Worksheet, report: &PlanReport, formats: &Formats) -> Result<(), XlsxError> {
    on_paper(sheet);
    for (column, width) in [(0, 30), (1, 24), (2, 60), (3, 14), (4, 14), (5, 14), (6, 18)] {
        sheet.set_column_width(column, width)?;
    }
    let title = format!("{}: {}", wording::title(report), wording::headline(report));
    sheet.write_string_with_format(0, 0, cut(&title), &formats.title)?;
    sheet.write_string_with_format(1, 0, cut(&wording::subline(report)), &formats.label)?;
    sheet.write_string_with_format(2, 0, cut(&wording::statement(report)), &formats.label)?;
    let mut row = head(sheet, 4, &["Rows that are", "Rows", "What that means"], formats)?;
    for (_, name, count, why) in wording::parts(report) {
        sheet.write_string(row, 0, name)?.write_number_with_format(row, 1, count as f64, &formats.count)?;
        sheet.write_string(row, 2, why)?;
        row += 1;
    }
    for group in &report.left_out {
        sheet.write_string(row, 0, cut(&format!("of these {}", group.code)))?;
        sheet.write_number_with_format(row, 1, group.count as f64, &formats.count)?;
        sheet.write_string(row, 2, group.meaning.unwrap_or_default())?;
        row += 1;
    }
    row = modules(sheet, row + 1, report, formats)?;
    for facts in [wording::cost(report), wording::origin(report)] {
        row += 1;
        for (name, value) in facts {
            sheet.write_string_with_format(row, 0, name, &formats.label)?.write_string(row, 1, cut(&value))?;
            row += 1;
        }
    }
    for note in wording::notes(report) {
        row += 1;
        sheet.write_string(row, 0, cut(&note))?;
    }
    Ok(())
}

fn modules(sheet: &mut Worksheet, row: u32, report: &PlanReport, formats: &Formats) -> Result<u32, XlsxError> {
    let names: Vec<&str> = ["Module"].into_iter().chain(wording::MODULE_COLUMNS).chain(["Bytes"]).collect();
    let mut row = head(sheet, row, &names, formats)?;
    for (module, counts) in &report.modules {
        sheet.write_string(row, 0, cut(module))?;
        for (column, count) in (1..).zip(wording::module_counts(counts).into_iter().chain([counts.bytes])) {
            sheet.write_number_with_format(row, column, count as f64, &formats.count)?;
        }
        row += 1;
    }
    Ok(row)
}
