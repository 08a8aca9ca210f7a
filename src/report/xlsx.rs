//! The workbook: totals, the rows that are not in place, and every row.
//!
//! Whatever looks like a number but is an id is written as text, because a spreadsheet keeps only 15 digits of a number.
//! Text is always written as text, so a name that begins with `=` is a name and no formula. Rows go straight to the
//! disk; memory does not grow with them.

use std::borrow::Cow;
use std::io::{self, Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::model::Report;
use super::sheets::{Formats, RowSheets, cut, head, on_paper};
use super::wording;
use crate::results::{Layout, Line};

const TOTALS: &str = "Totals";
const OPEN: &str = "Not in place";
const ALL: &str = "All rows";

/// How wide a column of the sheets of rows is. Which there are, and in which order, the results say.
fn width(column: &str) -> u16 {
    match column {
        "line" => 8,
        "tries" => 7,
        "http_status" => 11,
        "bytes" => 13,
        "seconds" => 10,
        "module" | "status" => 16,
        "sent_at" | "finished_at" => 19,
        "code" => 22,
        "record" | "attachment_id" | "created_by" => 23,
        "target" => 24,
        "created_time" => 27,
        "url" | "name" => 30,
        "content" => 38,
        "file" | "message" => 44,
        _ => 20,
    }
}

/// The heading of a column.
fn heading(column: &str) -> String {
    match column {
        "sent_at" | "finished_at" => format!("{column} (UTC)"),
        _ => column.to_owned(),
    }
}

/// Writes the workbook. `carried` names the columns that the lines carry from the manifest.
pub(super) fn write(
    report: &Report,
    carried: &[String],
    lines: impl Iterator<Item = io::Result<Line>>,
    out: impl Write + Seek + Send,
) -> Result<(), XlsxError> {
    let build = || {
        let mut book = WorkbookWriter::new(report, carried)?;
        for line in lines {
            book.add(&line?)?;
        }
        book.finish()?.save_to_writer(out)
    };
    // The library holds rows in temporary files and panics where one cannot be written.
    catch_unwind(AssertUnwindSafe(build)).unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::StorageFull).into()))
}

/// A workbook with its rows on the way in.
struct WorkbookWriter<'r> {
    report: &'r Report,
    workbook: Workbook,
    formats: Formats,
    columns: Vec<String>,
    /// The rows that are not in place, and all rows.
    parts: [RowSheets; 2],
}

impl<'r> WorkbookWriter<'r> {
    fn new(report: &'r Report, carried: &[String]) -> Result<WorkbookWriter<'r>, XlsxError> {
        // The check is about the bytes of the file, which are not here.
        let columns: Vec<String> =
            Layout::new(carried).columns().filter(|name| *name != "check").map(str::to_owned).collect();
        let (mut workbook, formats) = (Workbook::new(), Formats::new());
        totals(workbook.add_worksheet().set_name(TOTALS)?, report, &formats)?;
        let heads: Vec<(String, u16)> = columns.iter().map(|name| (heading(name), width(name))).collect();
        let open = RowSheets::add(&mut workbook, OPEN, report.totals.open(), &heads, &formats)?;
        let all = RowSheets::add(&mut workbook, ALL, report.totals.lines(), &heads, &formats)?;
        Ok(WorkbookWriter { report, workbook, formats, columns, parts: [open, all] })
    }

    fn add(&mut self, line: &Line) -> Result<(), XlsxError> {
        let [open, all] = &mut self.parts;
        for part in [self.report.is_open(line).then_some(open), Some(all)].into_iter().flatten() {
            // The results may grow between counting and writing; what came later is not in this report.
            let Some((sheet, row)) = part.next_row(&mut self.workbook)? else { continue };
            write_line(sheet, row, line, &self.columns, &self.formats)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Workbook, XlsxError> {
        for part in &self.parts {
            part.finish(&mut self.workbook)?;
        }
        Ok(self.workbook)
    }
}

fn write_line(
    sheet: &mut Worksheet,
    row: u32,
    line: &Line,
    columns: &[String],
    formats: &Formats,
) -> Result<(), XlsxError> {
    // A line may carry fewer cells than the head names.
    let mut carried = line.carried.iter();
    for (column, name) in (0..).zip(columns) {
        write_cell(sheet, (row, column), name, line, &mut carried, formats)?;
    }
    Ok(())
}

fn write_cell<'l>(
    sheet: &mut Worksheet,
    (row, column): (u32, u16),
    name: &str,
    line: &'l Line,
    carried: &mut impl Iterator<Item = &'l String>,
    formats: &Formats,
) -> Result<(), XlsxError> {
    let time = |at: Option<jiff::Timestamp>| at.and_then(|at| ExcelDateTime::from_timestamp(at.as_second()).ok());
    let number = |number: Option<f64>| number.map(SheetCell::Number);
    let cell = match name {
        "line" => number((line.line > 0).then(|| f64::from(line.line))),
        "http_status" => number(line.http_status.map(f64::from)),
        "tries" => number(Some(f64::from(line.tries))),
        "bytes" => line.bytes.map(|bytes| SheetCell::Formatted(bytes as f64, &formats.count)),
        "seconds" if line.seconds.is_zero() => None,
        "seconds" => Some(SheetCell::Formatted(line.seconds.as_secs_f64(), &formats.seconds)),
        "sent_at" => time(line.sent_at).map(SheetCell::Time),
        "finished_at" => time(line.finished_at).map(SheetCell::Time),
        "status" => {
            sheet.write_string_with_format(row, column, line.status.as_str(), formats.status(line.status))?;
            None
        }
        _ => Some(SheetCell::Text(text_of(name, line, carried))),
    };
    match cell {
        None => {}
        Some(SheetCell::Number(number)) => drop(sheet.write_number(row, column, number)?),
        Some(SheetCell::Formatted(number, format)) => {
            sheet.write_number_with_format(row, column, number, format)?;
        }
        Some(SheetCell::Time(time)) => drop(sheet.write_datetime_with_format(row, column, time, &formats.time)?),
        Some(SheetCell::Text(text)) => drop(sheet.write_string(row, column, cut(&text))?),
    }
    Ok(())
}

/// What stands in one cell.
enum SheetCell<'l, 'f> {
    Text(Cow<'l, str>),
    Number(f64),
    Formatted(f64, &'f Format),
    Time(ExcelDateTime),
}

fn text_of<'l>(name: &str, line: &'l Line, carried: &mut impl Iterator<Item = &'l String>) -> Cow<'l, str> {
    let shown = |value: Option<&dyn ToString>| Cow::Owned(value.map_or_else(String::new, ToString::to_string));
    match name {
        "module" => Cow::Borrowed(&line.module),
        "record" => Cow::Borrowed(&line.record),
        "record_key" => Cow::Borrowed(&line.record_key),
        "file" => Cow::Borrowed(&line.file),
        "url" => Cow::Borrowed(&line.url),
        "name" => Cow::Borrowed(&line.name),
        "code" => Cow::Borrowed(&line.code),
        "message" => Cow::Borrowed(&line.message),
        "created_time" => Cow::Borrowed(line.created_time.as_deref().unwrap_or_default()),
        "target" => Cow::Borrowed(&line.target),
        "run" => Cow::Borrowed(&line.run),
        "attachment_id" => shown(line.attachment_id.as_ref().map(|id| id as &dyn ToString)),
        "content" => shown(line.content.as_ref().map(|sum| sum as &dyn ToString)),
        "created_by" => shown(line.created_by.as_ref().map(|id| id as &dyn ToString)),
        "org" => shown(line.org.as_ref().map(|owner| owner as &dyn ToString)),
        "key" => shown(Some(&line.key)),
        _ => carried.next().map_or(Cow::Borrowed(""), |cell| Cow::Borrowed(cell)),
    }
}

/// The first sheet: what the page says above its charts.
fn totals(sheet: &mut Worksheet, report: &Report, formats: &Formats) -> Result<(), XlsxError> {
    on_paper(sheet);
    for (column, width) in [(0, 30), (1, 24), (2, 60), (3, 18), (4, 18), (5, 18), (6, 14), (7, 14), (8, 18)] {
        sheet.set_column_width(column, width)?;
    }
    let title = format!("{}: {}", wording::title(report), wording::headline(report));
    sheet.write_string_with_format(0, 0, cut(&title), &formats.title)?;
    sheet.write_string_with_format(1, 0, cut(&wording::subline(report)), &formats.label)?;
    sheet.write_string_with_format(2, 0, cut(&wording::statement(report)), &formats.label)?;
    let mut row = statuses(sheet, 4, report, formats)?;
    row = causes(sheet, row + 1, report, formats)?;
    row = modules(sheet, row + 1, report, formats)?;
    origin(sheet, row + 1, report, formats)
}

fn statuses(sheet: &mut Worksheet, row: u32, report: &Report, formats: &Formats) -> Result<u32, XlsxError> {
    let mut row = head(sheet, row, &["Status", "Rows"], formats)?;
    for (status, count) in wording::counts(&report.totals) {
        sheet.write_string_with_format(row, 0, wording::status(status), formats.status(status))?;
        sheet.write_number_with_format(row, 1, count as f64, &formats.count)?;
        row += 1;
    }
    let totals = &report.totals;
    let sums = [
        ("All rows", totals.rows),
        ("Records with an attachment", totals.records),
        ("Files in place", totals.files),
        ("Links in place", totals.links),
        ("Bytes sent", totals.bytes_uploaded),
        ("Found by listing, so not sent twice", totals.settled_by_listing),
        ("Older attachments of rows that were sent once more", totals.superseded),
        ("Taken back, of rows that were sent once more since", totals.deleted_aside),
    ];
    for (name, count) in sums {
        sheet.write_string(row, 0, name)?.write_number_with_format(row, 1, count as f64, &formats.count)?;
        row += 1;
    }
    Ok(row)
}

fn causes(sheet: &mut Worksheet, row: u32, report: &Report, formats: &Formats) -> Result<u32, XlsxError> {
    let mut row = head(sheet, row, &["Not in place", "Code", "What was said", "Rows"], formats)?;
    for cause in &report.causes {
        sheet.write_string_with_format(row, 0, wording::status(cause.status), formats.status(cause.status))?;
        sheet.write_string(row, 1, cut(&cause.code))?.write_string(row, 2, cut(cause.said()))?;
        sheet.write_number_with_format(row, 3, cause.count as f64, &formats.count)?;
        row += 1;
    }
    Ok(row)
}

fn modules(sheet: &mut Worksheet, row: u32, report: &Report, formats: &Formats) -> Result<u32, XlsxError> {
    let names: Vec<&str> = ["Module"].into_iter().chain(wording::MODULE_COLUMNS).chain(["Bytes sent"]).collect();
    let mut row = head(sheet, row, &names, formats)?;
    for module in &report.modules {
        sheet.write_string(row, 0, cut(&module.module))?;
        let counts = wording::module_counts(&module.totals).into_iter().chain([module.totals.bytes_uploaded]);
        for (column, count) in (1..).zip(counts) {
            sheet.write_number_with_format(row, column, count as f64, &formats.count)?;
        }
        row += 1;
    }
    Ok(row)
}

fn origin(sheet: &mut Worksheet, mut row: u32, report: &Report, formats: &Formats) -> Result<(), XlsxError> {
    for (name, value) in wording::origin(report) {
        sheet.write_string_with_format(row, 0, name, &formats.label)?.write_string(row, 1, cut(&value))?;
        row += 1;
    }
    row = head(sheet, row + 1, &wording::RUN_COLUMNS, formats)?;
    for run in &report.runs {
        for (column, cell) in (0..).zip(wording::run_cells(run)) {
            sheet.write_string(row, column, cut(&cell))?;
        }
        row += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use calamine::{Data, Reader, Xlsx};

    use super::super::sample;
    use super::*;

    fn opened(rows: u32) -> Xlsx<Cursor<Vec<u8>>> {
        let mut out = Cursor::new(Vec::new());
        let carried = ["x_case".to_owned()];
        write(&sample::report(rows), &carried, sample::lines(rows).map(Ok), &mut out).expect("the workbook is written");
        Xlsx::new(Cursor::new(out.into_inner())).expect("the workbook is read")
    }

    fn text(cell: &Data) -> &str {
        match cell {
            Data::String(text) => text,
            other => panic!("not a text cell: {other:?}"),
        }
    }

    #[test]
    fn every_row_is_there_with_its_ids_as_text() {
        let mut workbook = opened(900);
        assert_eq!(workbook.sheet_names(), [TOTALS, OPEN, ALL]);
        let sheet = workbook.worksheet_range(ALL).expect("the sheet");
        assert_eq!(sheet.rows().count(), 901);
        for (row, line) in sheet.rows().skip(1).zip(sample::lines(900)) {
            assert_eq!(row[0], Data::Float(f64::from(line.line)));
            assert_eq!(text(&row[2]), line.record);
            if let Some(id) = line.attachment_id {
                assert_eq!(text(&row[8]), id.to_string());
            }
            assert_eq!(text(&row[20]), line.carried[0]);
            assert_eq!(text(&row[24]), line.key.to_string());
        }
    }

    #[test]
    fn the_sheet_of_what_is_not_in_place_has_those_rows_only() {
        let sheet = opened(900).worksheet_range(OPEN).expect("the sheet");
        let statuses: Vec<&str> = sheet.rows().skip(1).map(|row| text(&row[7])).collect();
        assert_eq!(statuses, ["failed", "failed", "failed", "unknown", "in_doubt", "invalid", "not_sent", "not_sent"]);
    }

    #[test]
    fn a_name_that_looks_like_a_formula_or_markup_is_that_name() {
        let mut workbook = opened(40);
        let sheet = workbook.worksheet_range(OPEN).expect("the sheet");
        assert_eq!(text(&sheet.rows().nth(1).expect("a row")[6]), sample::HOSTILE);
        let formulas = workbook.worksheet_formula(OPEN).expect("the sheet");
        assert!(formulas.rows().flatten().all(String::is_empty));
    }

    #[test]
    fn a_workbook_that_cannot_be_stored_is_an_error() {
        struct FullDisk;
        impl Write for FullDisk {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        impl Seek for FullDisk {
            fn seek(&mut self, _: io::SeekFrom) -> io::Result<u64> {
                Ok(0)
            }
        }
        assert!(write(&sample::report(3), &[], sample::lines(3).map(Ok), FullDisk).is_err());
    }
}
