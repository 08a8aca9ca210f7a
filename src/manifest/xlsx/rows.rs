//! The rows of a manifest that is a workbook. What a sheet does to values, and a CSV cannot tell any more, is said here.

use super::cell::CellFlaw;
use super::workbook::{WorkbookCell, WorkbookRow, WorkbookSheet, cell_name};
use crate::manifest::header::{self, Header, ManifestColumn};
use crate::manifest::headings::HeadingRules;
use crate::manifest::limits::{CELL_LIMIT, cell_too_large};
use crate::manifest::reader::Tolerance;
use crate::manifest::row::{Field, RawRow};
use crate::problem::{Place, Problem, ProblemCode, ProblemList};
use crate::text::masked_excerpt;
use crate::units::{count, counted};

/// What to do about a cell that is no text.
const AS_TEXT: &str = "format the column as Text in the sheet, then write the value into the cell again";

/// So many hidden rows are named.
const ROWS_NAMED: usize = 5;

/// The rows of a sheet whose header has been read.
pub(in crate::manifest) struct WorkbookRows {
    sheet: WorkbookSheet,
    pub(in crate::manifest) header: Header,
    /// The row of the header.
    header_row: u32,
    /// Empty columns to the left of the header.
    margin: usize,
    /// `false` when the header leaves no way to read rows.
    readable: bool,
}

impl WorkbookRows {
    /// Takes the first row in which something stands for the header. What is wrong with it is reported, and rows are read
    /// nevertheless if that makes sense.
    pub(in crate::manifest) fn open(
        mut sheet: WorkbookSheet,
        rules: &HeadingRules,
        problems: &mut ProblemList,
    ) -> WorkbookRows {
        let (mut names, mut margin) = (Vec::new(), 0);
        if let Some(first) = sheet.next() {
            margin = first.cells().map(|cell| cell.column).next().unwrap_or_default();
            names = header_cells(first, margin);
        }
        let line = names.first().map_or(1, |(_, place)| place.line);
        let (header, readable) = (Header::default(), !names.is_empty());
        let mut rows = WorkbookRows { sheet, header, header_row: line, margin, readable };
        if header::is_results(&names) {
            problems.push(header::results_as_manifest(line));
            rows.readable = false;
        } else if rows.readable && !names.iter().any(|(name, _)| header::is_known(name, rules)) {
            problems.push(header_missing(&names));
            rows.readable = false;
        } else if rows.readable {
            rows.header = Header::read(&names, rules, problems);
        }
        rows
    }

    /// What the sheet keeps from whoever looks at it, and what of the workbook is not read.
    pub(in crate::manifest) fn conclude(&self, tolerance: &mut Tolerance) -> Option<Problem> {
        tolerance.other_sheets = self.sheet.others().to_vec();
        let rows: Vec<u32> = self.sheet.hidden().iter().copied().filter(|row| *row > self.header_row).collect();
        let first: Vec<String> = rows.iter().take(ROWS_NAMED).map(u32::to_string).collect();
        let (is, what) = if rows.len() == 1 { ("is", "row") } else { ("are", "rows") };
        let more = match rows.len() - first.len() {
            0 => String::new(),
            more => format!(" and {} more", count(more)),
        };
        let message = format!(
            "{} {is} hidden in the sheet and {is} read like all others: {what} {}{more}",
            counted(rows.len(), "row"),
            first.join(", ")
        );
        let hint =
            "if they are not meant, delete them from the sheet, or copy what a filter shows to a sheet of its own";
        (!rows.is_empty()).then(|| Problem::new(ProblemCode::RowsHidden, message, hint))
    }

    /// Whether the header was reported for lacking this column.
    pub(in crate::manifest) fn is_absent(&self, field: Field) -> bool {
        self.header.lacks(field)
    }

    /// Reads the next row that is not blank; `false` at the end.
    pub(in crate::manifest) fn next(
        &mut self,
        row: &mut RawRow,
        tolerance: &mut Tolerance,
        problems: &mut ProblemList,
    ) -> bool {
        while let Some(found) = self.readable.then(|| self.sheet.next()).flatten() {
            if found.cells().all(|cell| cell.text.trim().is_empty() && cell.flaw.is_none()) {
                tolerance.empty_rows += 1;
                continue;
            }
            row.begin(found.number());
            row.number = tolerance.count_row();
            let before = problems.total();
            for cell in found.cells() {
                put(cell, &self.header, self.margin, row, problems);
            }
            report_hidden(found, &self.header, self.margin, row, problems);
            row.broken = problems.total() > before;
            return true;
        }
        false
    }
}

/// The names in the header, from its first column on, empty ones between them included.
fn header_cells(row: WorkbookRow<'_>, margin: usize) -> Vec<(String, Place)> {
    let mut names: Vec<(String, Place)> = Vec::new();
    for cell in row.cells() {
        while names.len() + margin < cell.column {
            names.push((String::new(), place(row.number(), names.len() + margin)));
        }
        names.push((cell.text.to_owned(), place(row.number(), cell.column)));
    }
    names
}

fn place(row: u32, column: usize) -> Place {
    Place { line: row, column: u32::try_from(column + 1).ok() }
}

/// Puts a cell where it belongs, and says what is odd about it.
fn put(cell: WorkbookCell<'_>, header: &Header, margin: usize, row: &mut RawRow, problems: &mut ProblemList) {
    let at = place(row.line, cell.column);
    let column = cell.column.checked_sub(margin).and_then(|column| header.columns.get(column));
    let field = match column {
        Some(ManifestColumn::Field(field)) => {
            row.set_value(*field, cell.text, at);
            Some(*field)
        }
        Some(ManifestColumn::Carried(carried)) => {
            row.set_carried(*carried, cell.text);
            None
        }
        Some(ManifestColumn::Refused) => return,
        Some(ManifestColumn::Unnamed) | None => {
            if !cell.text.trim().is_empty() {
                problems.push(located(unnamed(row.line, cell.column), at, cell.text, row));
            }
            return;
        }
    };
    if cell.text.len() > CELL_LIMIT {
        problems.push(cell_too_large(cell.text.len()).at(at).in_row(row.number));
    }
    let Some(problem) = cell.flaw.and_then(|flaw| flawed(flaw, field, &cell, row.line)) else { return };
    let mut problem = located(problem, at, cell.text, row);
    if let Some(field) = field {
        problem.field = Some(field.as_str().to_owned());
        row.refuse(field);
    }
    problems.push(problem);
}

fn located(problem: Problem, at: Place, value: &str, row: &RawRow) -> Problem {
    let mut problem = problem.at(at).in_row(row.number);
    problem.value = Some(masked_excerpt(value));
    problem
}

/// What a flaw means in this column. A column that is only carried takes what the sheet shows; a formula that was never
/// worked out has nothing to show anywhere.
fn flawed(flaw: CellFlaw, field: Option<Field>, cell: &WorkbookCell<'_>, row: u32) -> Option<Problem> {
    let (name, text) = (cell_name(row, cell.column), masked_excerpt(cell.text));
    let problem = match (flaw, field) {
        (CellFlaw::NoValue, _) => Problem::new(
            ProblemCode::CellFormula,
            format!("{name} has a formula whose value is not in the file"),
            "open the workbook in a spreadsheet program, let it calculate, and save it; or put the value in place of the \
             formula",
        ),
        (_, None) => return None,
        (CellFlaw::LongNumber, Some(Field::Record | Field::Key)) => Problem::new(
            ProblemCode::RecordNumberCell,
            format!("{name} is a number, {text}: a sheet keeps 15 digits of one, and those behind are gone"),
            "format the column as Text in the sheet, then take the ids from the export again; no program can bring the \
             lost digits back",
        ),
        (CellFlaw::LongNumber, Some(_)) => Problem::new(
            ProblemCode::CellNotText,
            format!("{name} is a number, {text}: a sheet keeps 15 digits of one, and those behind are gone"),
            AS_TEXT,
        ),
        (CellFlaw::Date, Some(_)) => Problem::new(
            ProblemCode::CellNotText,
            format!("{name} is a date or a time, {text}, which a sheet shows in a form of its own"),
            AS_TEXT,
        ),
        (CellFlaw::Truth, Some(_)) => Problem::new(
            ProblemCode::CellNotText,
            format!("{name} is a truth value, {text}, which a sheet shows in its own language"),
            AS_TEXT,
        ),
    };
    Some(problem)
}

/// Says which cells of a row a merged area hides: they look filled and are empty.
fn report_hidden(found: WorkbookRow<'_>, header: &Header, margin: usize, row: &mut RawRow, problems: &mut ProblemList) {
    for (ix, column) in header.columns.iter().enumerate() {
        let field = match column {
            ManifestColumn::Field(field) => Some(*field),
            ManifestColumn::Carried(_) => None,
            ManifestColumn::Unnamed | ManifestColumn::Refused => continue,
        };
        let Some(area) = found.hidden_by(ix + margin) else { continue };
        let name = cell_name(row.line, ix + margin);
        let mut problem = Problem::new(
            ProblemCode::CellMerged,
            format!("{name} is hidden by the merged cells {area}, of which only the first has a value"),
            "take the cells apart in the sheet, and fill each of them",
        )
        .at(place(row.line, ix + margin))
        .in_row(row.number);
        if let Some(field) = field {
            problem.field = Some(field.as_str().to_owned());
            row.refuse(field);
        }
        problems.push(problem);
    }
}

fn unnamed(row: u32, column: usize) -> Problem {
    Problem::new(
        ProblemCode::ColumnUnnamed,
        format!("a value in {}, whose column has no name", cell_name(row, column)),
        "name the column in the header (x_something to carry it along), or empty the cell",
    )
}

fn header_missing(names: &[(String, Place)]) -> Problem {
    let all: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
    let mut problem = Problem::new(
        ProblemCode::HeaderMissing,
        "the first row names no known column",
        "put the names of the columns, such as module, record and file, into the first row; what stands above them has \
         to go",
    );
    problem.value = Some(masked_excerpt(&all.join(", ")));
    names.first().map_or(problem.clone(), |(_, place)| problem.at(*place))
}
