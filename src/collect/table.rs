//! The tables of an export: CSV files and sheets whose lines each end somewhere, whatever is wrong with them.

use csv::StringRecord;

use super::LeftOutReason;
use super::collector::{Collector, LineEnd, LineOrigin};
use super::error::CollectError;
use super::export::{Export, ExportFileIx};
use super::sheet::{SheetFlaw, SheetTable};
use crate::manifest::{CELL_LIMIT, CsvRow, CsvSheet, SheetBounds, SheetCutOff};
use crate::text::system_words;
use crate::units;

/// What a table that describes files may have. A million lines of the widest one have some 300 MB.
const OF_LINES: SheetBounds = SheetBounds { row: 16 << 20, file: 16 << 30 };

/// What a table with whole files in base64 may have. The largest file that the service takes has 140 MB so.
pub(super) const WITH_FILES: SheetBounds = SheetBounds { row: 160 << 20, file: 1 << 40 };

/// A table whose heading has been read.
pub(super) struct ExportTable {
    rows: TableRows,
    /// As a person finds it again.
    name: String,
    /// The headings without case, blanks and signs.
    headings: Vec<String>,
}

/// What a table is read from.
enum TableRows {
    Csv(Box<CsvSheet>),
    Sheet(Box<SheetTable>),
}

/// A row as it was read.
enum TableRow<'t> {
    /// Its line, its cells, and what a sheet has done to some of them.
    Cells(u32, &'t StringRecord, &'t [(usize, SheetFlaw)]),
    /// The line of one that cannot be taken apart.
    Broken(u32),
}

impl TableRows {
    fn next(&mut self) -> Option<TableRow<'_>> {
        match self {
            TableRows::Csv(sheet) => sheet.next().map(|row| match row {
                CsvRow::Cells(line, cells) => TableRow::Cells(line, cells, &[]),
                CsvRow::Broken(problem) => TableRow::Broken(problem.line.unwrap_or_default()),
            }),
            TableRows::Sheet(sheet) => sheet.next().map(|(line, cells, flaws)| TableRow::Cells(line, cells, flaws)),
        }
    }

    fn headings(&self) -> &[String] {
        match self {
            TableRows::Csv(sheet) => sheet.headings(),
            TableRows::Sheet(sheet) => &sheet.headings,
        }
    }
}

/// Which columns of a table are read: in these a cell must be whole, and no longer than a manifest may have it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct TableUse {
    /// Columns by which a row is made.
    meant: Vec<usize>,
    /// Columns that are only carried along: a sheet may show their values as it likes.
    carried: Vec<usize>,
}

impl TableUse {
    /// These columns, as far as there are any.
    pub(super) fn of(columns: impl IntoIterator<Item = Option<usize>>) -> TableUse {
        TableUse { meant: columns.into_iter().flatten().collect(), carried: Vec::new() }
    }

    /// The same, carrying others along.
    pub(super) fn carrying(self, columns: impl IntoIterator<Item = Option<usize>>) -> TableUse {
        TableUse { carried: columns.into_iter().flatten().collect(), ..self }
    }

    /// Why a row cannot be used, if it cannot.
    fn unfit(&self, cells: &StringRecord, flaws: &[(usize, SheetFlaw)]) -> Option<LeftOutReason> {
        let is_spoilt = |(column, flaw): &(usize, SheetFlaw)| {
            self.meant.contains(column) || (*flaw == SheetFlaw::Gone && self.carried.contains(column))
        };
        if flaws.iter().any(is_spoilt) {
            return Some(LeftOutReason::CellLost);
        }
        // Nearly no row is as long as one of its cells may be.
        let is_long = |column: &usize| cells.get(*column).is_some_and(|cell| cell.len() > CELL_LIMIT);
        let has_long = cells.as_slice().len() > CELL_LIMIT && self.meant.iter().chain(&self.carried).any(is_long);
        has_long.then_some(LeftOutReason::CellTooLong)
    }
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
    /// Reads the heading.
    ///
    /// # Errors
    ///
    /// The heading cannot be taken apart, or the table is too large.
    pub(super) fn open(export: &Export, file: ExportFileIx) -> Result<ExportTable, CollectError> {
        ExportTable::within(OF_LINES, export, file)
    }

    /// The same of a table that may have other sizes.
    ///
    /// # Errors
    ///
    /// As [`ExportTable::open`].
    pub(super) fn within(
        bounds: SheetBounds,
        export: &Export,
        file: ExportFileIx,
    ) -> Result<ExportTable, CollectError> {
        let name = export.written(file);
        if export.size(file) > bounds.file {
            let (size, most) = (units::size(export.size(file)), bounds.file >> 30);
            return Err(CollectError::Usage(format!(
                "{name} has {size}, and a table of an export may have {most} GiB: check that it is the right file, or \
                 split it, each part with the heading"
            )));
        }
        let known = |name: &str| !name.is_empty();
        let sheet = CsvSheet::within(bounds, export.open(file)?, &known).map_err(|problem| {
            CollectError::Usage(format!("the heading of {name} cannot be read: {}", problem.message))
        })?;
        Ok(ExportTable::new(TableRows::Csv(Box::new(sheet)), name))
    }

    /// Reads the heading of a CSV, or of a workbook's sheet of this name.
    ///
    /// # Errors
    ///
    /// As [`ExportTable::open`].
    pub(super) fn open_any(
        export: &Export,
        file: ExportFileIx,
        sheet: Option<&str>,
    ) -> Result<ExportTable, CollectError> {
        if !export.is_workbook(file) {
            return ExportTable::open(export, file);
        }
        let sheet = SheetTable::open(export, file, sheet)?;
        Ok(ExportTable::new(TableRows::Sheet(Box::new(sheet)), export.written(file)))
    }

    fn new(rows: TableRows, name: String) -> ExportTable {
        let headings = rows.headings().iter().map(|heading| plain(heading)).collect();
        ExportTable { rows, name, headings }
    }

    /// The headings as they are written.
    pub(super) fn headings(&self) -> &[String] {
        self.rows.headings()
    }

    /// The first column with one of these headings, the earlier ones preferred; case, blanks and signs do not count.
    pub(super) fn column(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| {
            let wanted = plain(name);
            self.headings.iter().position(|heading| *heading == wanted)
        })
    }

    /// Hands every line to `each`, which says where it ends. Lines that cannot be taken apart are left out, and so are
    /// those in which a column that is used cannot be.
    pub(super) fn each_line(
        &mut self,
        used: &TableUse,
        out: &mut Collector<'_>,
        each: &mut dyn FnMut(ExportRow<'_>, &mut Collector<'_>) -> Result<LineEnd, CollectError>,
    ) -> Result<(), CollectError> {
        let (width, table) = (self.headings.len(), self.name.as_str());
        while let Some(row) = self.rows.next() {
            let end = match row {
                TableRow::Broken(line) => {
                    out.leave_out(LineOrigin { table, line }, "", "", LeftOutReason::BrokenLine)?
                }
                TableRow::Cells(line, cells, flaws) => {
                    let origin = LineOrigin { table, line };
                    let is_whole = cells.len() == width || is_only_longer_by_nothing(cells, width);
                    let unfit = if is_whole { used.unfit(cells, flaws) } else { Some(LeftOutReason::BrokenLine) };
                    match unfit {
                        None => each(ExportRow { cells, origin }, out)?,
                        Some(reason) => out.leave_out(origin, cells.get(0).unwrap_or_default(), "", reason)?,
                    }
                }
            };
            out.count_line(end);
        }
        self.finish()
    }

    /// Hands every line that can be used to `each`, for looking things up: these lines end nowhere.
    pub(super) fn look_up(&mut self, used: &TableUse, each: &mut dyn FnMut(ExportRow<'_>)) -> Result<(), CollectError> {
        while let Some(row) = self.rows.next() {
            if let TableRow::Cells(line, cells, flaws) = row
                && used.unfit(cells, flaws).is_none()
            {
                each(ExportRow { cells, origin: LineOrigin { table: &self.name, line } });
            }
        }
        self.finish()
    }

    fn finish(&self) -> Result<(), CollectError> {
        let TableRows::Csv(sheet) = &self.rows else { return Ok(()) };
        match sheet.cut_off() {
            None => Ok(()),
            Some(why @ SheetCutOff::TooLarge(_)) => Err(CollectError::Usage(format!("{}: {why}", self.name))),
            Some(SheetCutOff::Unreadable(error)) => {
                let error = std::io::Error::new(error.kind(), system_words(error));
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
