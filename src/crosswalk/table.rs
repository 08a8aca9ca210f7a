//! Makes a crosswalk from a table: an export of the service itself, or any CSV file or workbook that has both the key and
//! the record id.

use std::fs::File;
use std::path::Path;

use calamine::{Data, Reader as _, Xlsx, open_workbook};

use super::reader::CrosswalkRules;
use super::writer::CrosswalkRow;
use crate::manifest::{CsvRow, CsvSheet};
use crate::text::{masked_excerpt, nearest};

/// Which columns of a table to take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TableColumns {
    /// The heading of the column with the keys, case-blind.
    pub(crate) key: String,
    /// The heading of the column with the record ids.
    pub(crate) record: String,
}

/// What a table holds.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct TableRead {
    /// Its lines that have both.
    pub(crate) rows: Vec<CrosswalkRow>,
    /// Lines in all.
    pub(crate) lines: u64,
    /// Lines without a key: records that did not come from the old system.
    pub(crate) without_key: u64,
    /// What is wrong, with its place; at most [`MOST_FLAWS`].
    pub(crate) flaws: Vec<String>,
    /// How many flaws there are.
    pub(crate) flaw_count: u64,
}

/// So many flaws are kept.
const MOST_FLAWS: usize = 20;

/// Reads a table.
///
/// # Errors
///
/// It cannot be opened at all, or has no such columns.
pub(crate) fn read_table(
    path: &Path,
    module: &str,
    columns: &TableColumns,
    rules: &dyn CrosswalkRules,
) -> Result<TableRead, String> {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    match extension.as_deref() {
        Some("xlsx") => read_workbook(path, module, columns, rules),
        _ => read_csv(path, module, columns, rules),
    }
}

/// Where the two columns are.
fn find_columns<'h>(
    headings: impl Iterator<Item = &'h str> + Clone,
    wanted: &TableColumns,
) -> Result<(usize, usize), String> {
    let find = |name: &str| {
        let is_it = |heading: &str| heading.trim().to_lowercase() == name.trim().to_lowercase();
        let mut found = headings.clone().enumerate().filter(|(_, heading)| is_it(heading)).map(|(at, _)| at);
        match (found.next(), found.next()) {
            (Some(at), None) => Ok(at),
            (Some(_), Some(_)) => Err(format!("it has more than one column \"{}\"", masked_excerpt(name))),
            (None, _) => {
                let all: Vec<&str> = headings.clone().collect();
                let near = nearest(name, all.iter().copied())
                    .map(|near| format!("; did you mean \"{}\"?", masked_excerpt(near)));
                Err(format!("it has no column \"{}\"{}", masked_excerpt(name), near.unwrap_or_default()))
            }
        }
    };
    Ok((find(&wanted.key)?, find(&wanted.record)?))
}

fn read_csv(
    path: &Path,
    module: &str,
    columns: &TableColumns,
    rules: &dyn CrosswalkRules,
) -> Result<TableRead, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err("it is a folder".to_owned());
    }
    let is_known =
        |name: &str| [&columns.key, &columns.record].iter().any(|known| known.trim().eq_ignore_ascii_case(name));
    let mut sheet = CsvSheet::open(Box::new(file), None, &is_known).map_err(|problem| problem.message)?;
    let (key_at, record_at) = find_columns(sheet.headings().iter().map(String::as_str), columns)?;
    let mut read = TableRead::default();
    while let Some(row) = sheet.next() {
        match row {
            CsvRow::Broken(problem) => {
                let line = problem.line.unwrap_or_default();
                read.flaw(format!("line {line}: {}", problem.message));
            }
            CsvRow::Cells(line, cells) => {
                let cell = |at: usize| cells.get(at).unwrap_or_default();
                read.add(&format_args!("line {line}"), module, (cell(key_at), cell(record_at)), rules);
            }
        }
    }
    match sheet.error() {
        Some(error) => Err(format!("it could not be read to its end: {error}")),
        None => Ok(read),
    }
}

fn read_workbook(
    path: &Path,
    module: &str,
    columns: &TableColumns,
    rules: &dyn CrosswalkRules,
) -> Result<TableRead, String> {
    let mut book: Xlsx<_> = open_workbook(path).map_err(|error: calamine::XlsxError| error.to_string())?;
    let name = book.sheet_names().first().cloned().ok_or("the workbook has no sheet")?;
    let sheet = book.worksheet_range_at(0).ok_or("the workbook has no sheet")?.map_err(|error| error.to_string())?;
    let first_row = sheet.start().map_or(0, |(row, _)| row);
    let mut rows = sheet.rows();
    let headings: Vec<String> =
        rows.next().map(|row| row.iter().map(ToString::to_string).collect()).unwrap_or_default();
    let (key_at, record_at) = find_columns(headings.iter().map(String::as_str), columns)?;
    let mut read = TableRead::default();
    for (number, row) in (first_row + 2..).zip(rows) {
        if row.iter().all(|cell| matches!(cell, Data::Empty)) {
            continue;
        }
        let place = format!("{name} row {number}");
        match (cell_text(row.get(key_at)), cell_text(row.get(record_at))) {
            (Ok(key), Ok(record)) => read.add(&format_args!("{place}"), module, (&key, &record), rules),
            (Err(why), _) | (_, Err(why)) => {
                read.lines += 1;
                read.flaw(format!("{place}: {why}"));
            }
        }
    }
    Ok(read)
}

/// The text of a cell. A number of 16 digits or more has lost some: a sheet keeps 15.
fn cell_text(cell: Option<&Data>) -> Result<String, String> {
    const EXACT: f64 = 1e15;
    match cell {
        None | Some(Data::Empty) => Ok(String::new()),
        Some(Data::String(text)) => Ok(text.clone()),
        Some(Data::Int(number)) if number.unsigned_abs() < EXACT as u64 => Ok(number.to_string()),
        Some(Data::Float(number)) if number.fract() == 0.0 && number.abs() < EXACT => Ok(format!("{number:.0}")),
        Some(Data::Int(_) | Data::Float(_)) => {
            Err("the cell is a number, which has lost digits; in the sheet the column must be text".to_owned())
        }
        Some(Data::Error(error)) => Err(format!("the cell is an error ({error})")),
        Some(_) => Err("the cell is a date or a truth value; in the sheet the column must be text".to_owned()),
    }
}

impl TableRead {
    fn flaw(&mut self, flaw: String) {
        self.flaw_count += 1;
        if self.flaws.len() < MOST_FLAWS {
            self.flaws.push(flaw);
        }
    }

    fn add(
        &mut self,
        place: &std::fmt::Arguments<'_>,
        module: &str,
        (key, record): (&str, &str),
        rules: &dyn CrosswalkRules,
    ) {
        self.lines += 1;
        let (key, record) = (key.trim(), record.trim());
        if key.is_empty() {
            self.without_key += 1;
            return;
        }
        let key_flaw = super::key::judge_key(key).err().map(super::key::KeyFlaw::into_message);
        match (key_flaw, rules.record(record)) {
            (None, Ok((record, _))) => {
                self.rows.push(CrosswalkRow { module: module.to_owned(), key: key.to_owned(), record });
            }
            (Some(why), _) => self.flaw(format!("{place}: {why}")),
            (None, Err(_)) if record.is_empty() => self.flaw(format!("{place}: the record id is missing")),
            (None, Err((why, _))) => self.flaw(format!("{place}: {why}")),
        }
    }
}
