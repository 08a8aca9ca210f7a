//! Makes a crosswalk from a table: an export of the service itself, or any CSV file or workbook that has both the key and
//! the record id.

use std::fs::File;
use std::path::Path;

use super::reader::CrosswalkRules;
use super::writer::CrosswalkRow;
use crate::manifest::{CellFlaw, CsvRow, CsvSheet, SheetBounds, SheetCutOff, WorkbookSheet, cell_name};
use crate::text::{masked_excerpt, nearest, system_words};

/// Which columns of a table to take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TableColumns {
    /// The heading of the column with the keys, case-blind.
    pub(crate) key: String,
    /// The heading of the column with the record ids.
    pub(crate) record: String,
    /// The sheet of a workbook; `None`: the first one.
    pub(crate) sheet: Option<String>,
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

/// What to do about a table that is too large.
const SPLIT: &str = "keep the two columns with key and record id, or split it: a run takes several crosswalks";

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
    let file = File::open(path).map_err(|error| system_words(&error))?;
    let most = SheetBounds::default().file;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => return Err("it is a folder".to_owned()),
        Ok(metadata) if metadata.is_file() && metadata.len() > most => {
            let size = crate::units::size(metadata.len());
            return Err(format!("it has {size}, and a table may have {} GiB; {SPLIT}", most >> 30));
        }
        _ => {}
    }
    let is_known =
        |name: &str| [&columns.key, &columns.record].iter().any(|known| known.trim().eq_ignore_ascii_case(name));
    let mut sheet = CsvSheet::open(Box::new(file), &is_known).map_err(|problem| problem.message)?;
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
    match sheet.cut_off() {
        Some(why @ SheetCutOff::TooLarge(_)) => Err(format!("{why}; {SPLIT}")),
        Some(why) => Err(why.to_string()),
        None => Ok(read),
    }
}

fn read_workbook(
    path: &Path,
    module: &str,
    columns: &TableColumns,
    rules: &dyn CrosswalkRules,
) -> Result<TableRead, String> {
    let file = File::open(path).map_err(|error| system_words(&error))?;
    let mut sheet = WorkbookSheet::open(file, columns.sheet.as_deref()).map_err(|error| error.to_string())?;
    let name = sheet.name().to_owned();
    let mut headings: Vec<String> = Vec::new();
    if let Some(first) = sheet.next() {
        for cell in first.cells() {
            headings.resize(cell.column, String::new());
            headings.push(cell.text.to_owned());
        }
    }
    let (key_at, record_at) = find_columns(headings.iter().map(String::as_str), columns)?;
    let mut read = TableRead::default();
    while let Some(row) = sheet.next() {
        let place = |column| format!("{name}!{}", cell_name(row.number(), column));
        let cell = |column| row.cells().find(|cell| cell.column == column);
        let text = |column| cell(column).map_or("", |cell| cell.text);
        let flaw = |column| cell(column).and_then(|cell| cell.flaw).map(why_not_text);
        let hidden =
            |column| row.hidden_by(column).map(|area| format!("the cell is hidden by the merged cells {area}"));
        let wrong =
            [key_at, record_at].into_iter().find_map(|column| Some((column, flaw(column).or_else(|| hidden(column))?)));
        match wrong {
            Some((column, why)) => {
                read.lines += 1;
                read.flaw(format!("{}: {why}", place(column)));
            }
            None => read.add(&format_args!("{}", place(record_at)), module, (text(key_at), text(record_at)), rules),
        }
    }
    Ok(read)
}

/// Why a cell cannot be a key or an id.
fn why_not_text(flaw: CellFlaw) -> String {
    match flaw {
        CellFlaw::LongNumber => "the cell is a number, which has lost digits; in the sheet the column must be text",
        CellFlaw::Date => "the cell is a date; in the sheet the column must be text",
        CellFlaw::Truth => "the cell is a truth value; in the sheet the column must be text",
        CellFlaw::NoValue => {
            "the cell has a formula without a value; open and save the workbook in a spreadsheet program"
        }
    }
    .to_owned()
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
