//! The rows to mend as a table of their own (`--problems FILE`): the cells as they were, and behind them what is wrong and
//! what to do. The columns about problems are ones that a manifest may have, so that the file is itself a manifest once its
//! cells are mended.
//!
//! As a CSV it has the manifest's delimiter, and no cell of it is a formula; as a workbook it has nothing but text, so that
//! a spreadsheet leaves ids as they are.

mod csv_file;
mod workbook;

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Seek, Write};
use std::path::Path;

use crate::check::{LeftOut, LeftOutCells};
use crate::problem::{Problem, ProblemCode, ProblemList, RowProblem, Severity};

/// What the table is written as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MendForm {
    /// A CSV with this delimiter, which is one byte.
    Csv(char),
    /// An .xlsx workbook.
    Workbook,
}

impl MendForm {
    /// The form that the name of a file asks for. A CSV has the delimiter of the manifest, if that has one.
    pub fn of(path: &Path, delimiter: Option<char>) -> MendForm {
        match path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xlsx")) {
            true => MendForm::Workbook,
            false => MendForm::Csv(delimiter.unwrap_or(',')),
        }
    }
}

/// A row that was sound and failed at the service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedRow {
    /// Its cells, and where it stands.
    pub row: LeftOut,
    /// Code and words of the refusal.
    pub wrong: String,
    /// What to do about it.
    pub what_to_do: String,
}

/// Everything that is to be mended.
#[derive(Clone, Copy, Debug)]
pub struct MendTable<'t> {
    /// The names of the carried cells of every row.
    pub columns: &'t [String],
    /// Rows that the check found wrong.
    pub unsound: &'t [LeftOut],
    /// What it found. One that was not kept in full is told as its code is explained.
    pub problems: &'t ProblemList,
    /// Rows that failed at the service.
    pub refused: &'t [RefusedRow],
}

/// What a manifest may name, `key` apart.
const OWN: [&str; 5] = ["module", "record", "file", "url", "name"];

/// What it may name as well, and what is written only where some row has it: what an old system calls the record, and
/// checksums.
const WHERE_GIVEN: [(&str, CellReader); 3] =
    [("key", |row| row.record_key), ("sha256", |row| row.sha256), ("md5", |row| row.md5)];

/// A cell of a row.
type CellReader = for<'c> fn(&LeftOutCells<'c>) -> &'c str;

/// Of what this adds, the columns that speak of a row as it was before it was mended.
pub const ABOUT_MENDING: [&str; 2] = ["x_problem", "x_what_to_do"];

/// What this adds. A manifest that was written by this before and still has problems has them already.
const ADDED: [&str; 3] = ["x_line", ABOUT_MENDING[0], ABOUT_MENDING[1]];

/// Takes the rows one by one, the header first.
trait MendWriter {
    /// Writes one row. Columns are those of the header.
    fn row(&mut self, cells: &[Cow<'_, str>]) -> io::Result<()>;
}

impl MendTable<'_> {
    /// Whether there is nothing to mend.
    pub fn is_empty(&self) -> bool {
        self.unsound.is_empty() && self.refused.is_empty()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.unsound.len() + self.refused.len()
    }

    /// Writes all of it.
    ///
    /// # Errors
    ///
    /// It cannot be written, or is more than a workbook takes.
    pub fn write(&self, form: MendForm, out: impl Write + Seek + Send) -> io::Result<()> {
        match form {
            MendForm::Csv(delimiter) => {
                let mut file = csv_file::CsvFile::begin(out, delimiter)?;
                self.write_rows(&mut file)?;
                file.finish()
            }
            MendForm::Workbook => {
                let mut book = workbook::MendWorkbook::begin(self.len())?;
                self.write_rows(&mut book)?;
                book.finish(out)
            }
        }
    }

    fn write_rows(&self, out: &mut dyn MendWriter) -> io::Result<()> {
        let kept: Vec<usize> = (0..self.columns.len()).filter(|at| !is_added(&self.columns[*at])).collect();
        let all = || self.unsound.iter().chain(self.refused.iter().map(|refused| &refused.row));
        let is_given = |cell: &CellReader| all().any(|row| !cell(&row.cells()).is_empty());
        let given: Vec<_> = WHERE_GIVEN.into_iter().filter(|(_, cell)| is_given(cell)).collect();
        let carried = kept.iter().filter_map(|at| self.columns.get(*at)).map(String::as_str);
        let names = OWN.into_iter().chain(given.iter().map(|(name, _)| *name)).chain(carried).chain(ADDED);
        out.row(&names.map(Cow::Borrowed).collect::<Vec<_>>())?;
        let of_row = by_row(self.problems);
        let mut line = |row: &LeftOut, cells: LeftOutCells<'_>, wrong: String, what_to_do: String| {
            let own = [cells.module, cells.record, cells.file, cells.url, cells.name];
            let given = given.iter().map(|(_, cell)| cell(&cells));
            let carried: Vec<&str> = row.carried(self.columns.len()).collect();
            let carried = kept.iter().map(|at| carried.get(*at).copied().unwrap_or_default());
            let said = [row.line.to_string(), wrong, what_to_do].map(Cow::Owned);
            let cells = own.into_iter().chain(given).chain(carried).map(Cow::Borrowed).chain(said);
            out.row(&cells.collect::<Vec<_>>())
        };
        let unsound = self.unsound.iter().map(|row| (row, None));
        let refused = self.refused.iter().map(|refused| (&refused.row, Some(refused)));
        let mut rows: Vec<(&LeftOut, Option<&RefusedRow>)> = unsound.chain(refused).collect();
        // In the order of the manifest, whoever refused them.
        rows.sort_by_key(|(row, _)| row.line);
        for (row, refused) in rows {
            if let Some(RefusedRow { wrong, what_to_do, .. }) = refused {
                line(row, row.cells(), wrong.clone(), what_to_do.clone())?;
                continue;
            }
            let problems = of_row.get(&row.row).map_or(&[] as &[&Problem], Vec::as_slice);
            let beyond = || self.problems.beyond_of(row.row).iter().filter(|beyond| beyond.severity == Severity::Error);
            let wrong = joined(problems.iter().map(|problem| wrong(problem)).chain(beyond().map(wrong_by_code)));
            let what_to_do = joined(problems.iter().map(|problem| todo(problem)).chain(beyond().map(todo_by_code)));
            let codes = problems.iter().map(|problem| problem.code).chain(beyond().map(|beyond| beyond.code));
            line(row, to_fill(row.cells(), codes), wrong, what_to_do)?;
        }
        Ok(())
    }
}

/// The cells without an id or key whose digits are gone. As text it would look like any other: whoever ran the table before
/// mending it would attach the file to somebody else. What stood there is told with what is wrong.
fn to_fill(mut cells: LeftOutCells<'_>, mut codes: impl Iterator<Item = ProblemCode>) -> LeftOutCells<'_> {
    if codes.any(|code| code == ProblemCode::RecordNumberCell) {
        (cells.record, cells.record_key) = ("", "");
    }
    cells
}

fn is_added(column: &str) -> bool {
    ADDED.iter().any(|added| column.eq_ignore_ascii_case(added))
}

fn by_row(problems: &[Problem]) -> HashMap<u32, Vec<&Problem>> {
    let mut by_row: HashMap<u32, Vec<&Problem>> = HashMap::new();
    for problem in problems.iter().filter(|problem| problem.severity == Severity::Error) {
        if let Some(row) = problem.row {
            by_row.entry(row).or_default().push(problem);
        }
    }
    by_row
}

/// What is wrong, the code in front: a cell that began with `=`, `+`, `-` or `@` would be a formula to a spreadsheet.
fn wrong(problem: &Problem) -> String {
    format!("{}: {}", problem.code.as_str(), problem.message)
}

/// What to do, with a word in front of an option for the same reason.
fn todo(problem: &Problem) -> String {
    let hint = &problem.hint;
    if hint.starts_with(['=', '+', '-', '@']) { format!("give {hint}") } else { hint.clone() }
}

fn wrong_by_code(problem: &RowProblem) -> String {
    format!("{}: {}", problem.code, problem.code.title())
}

fn todo_by_code(problem: &RowProblem) -> String {
    problem.code.remedy().to_owned()
}

/// One text for all problems of a row, each said once.
fn joined(texts: impl Iterator<Item = String>) -> String {
    let mut said: Vec<String> = Vec::new();
    for text in texts {
        if !text.is_empty() && !said.contains(&text) {
            said.push(text);
        }
    }
    said.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Checkup;
    use crate::problem::Extent;
    use crate::upload::RowKey;

    fn left_out(line: u32, file: &str) -> LeftOut {
        let cells = LeftOutCells { module: "Lead", record: "738964000000291009", file, ..LeftOutCells::default() };
        let carried = ["from the old CRM", "an earlier problem"];
        LeftOut::new(line, line - 1, RowKey(1), &cells, carried.into_iter())
    }

    fn check(path: &Path) -> Checkup {
        let input = crate::manifest::Input::Path(path.to_owned());
        let manifest = crate::manifest::open(&input, &crate::manifest::ReadOptions::default()).unwrap();
        crate::check::check(manifest, &crate::check::CheckOptions::default(), &|_| false)
    }

    #[test]
    fn the_file_is_itself_a_manifest_once_it_is_mended() {
        let folder = tempfile::tempdir().unwrap();
        let [manifest, bad] = ["m.csv", "bad.csv"].map(|name| folder.path().join(name));
        let rows =
            "module;record;file;x_old\nLeads;738964000000291009;a.txt;1\nLead;738964000000291009;b.txt;\"2;2\"\n";
        std::fs::write(&manifest, rows).unwrap();
        std::fs::write(folder.path().join("a.txt"), "a").unwrap();
        std::fs::write(folder.path().join("b.txt"), "b").unwrap();
        let Checkup { carried_columns, unsound, problems, .. } = check(&manifest);
        let table = MendTable { columns: &carried_columns, unsound: &unsound, problems: &problems, refused: &[] };
        table.write(MendForm::Csv(';'), std::fs::File::create(&bad).unwrap()).unwrap();
        let mended = std::fs::read_to_string(&bad).unwrap().replace("Lead;", "Leads;");
        std::fs::write(&bad, mended).unwrap();
        let checkup = check(&bad);
        assert_eq!((checkup.rows, checkup.sound), (1, 1), "{:?}", checkup.problems);
        assert_eq!(checkup.carried_columns, ["x_old", "x_line", "x_problem", "x_what_to_do"]);
    }

    #[test]
    fn an_id_whose_digits_are_gone_has_to_be_filled_in_again() {
        let cells = || LeftOutCells { record: "738964000000291000", file: "a.pdf", ..LeftOutCells::default() };
        let filled = to_fill(cells(), [ProblemCode::FileMissing, ProblemCode::RecordNumberCell].into_iter());
        assert_eq!((filled.record, filled.file), ("", "a.pdf"));
        assert_eq!(to_fill(cells(), [ProblemCode::FileMissing].into_iter()).record, "738964000000291000");
    }

    #[test]
    fn a_workbook_of_rows_to_mend_is_a_manifest_with_its_ids_whole() {
        let folder = tempfile::tempdir().unwrap();
        let [manifest, bad] = ["m.csv", "bad.xlsx"].map(|name| folder.path().join(name));
        let rows = "module,record,file,note\nLeads,4150868000001944196,gone.txt,\"=HYPERLINK(\"\"http://a\"\")\"\n";
        std::fs::write(&manifest, rows).unwrap();
        let Checkup { carried_columns, unsound, problems, .. } = check(&manifest);
        let mut refused =
            RefusedRow { row: unsound[0].clone(), wrong: "DENIED: no".to_owned(), what_to_do: "Ask.".to_owned() };
        refused.row.line = 9;
        let refused = [refused];
        let table = MendTable { columns: &carried_columns, unsound: &unsound, problems: &problems, refused: &refused };
        table.write(MendForm::Workbook, std::fs::File::create(&bad).unwrap()).unwrap();
        std::fs::write(folder.path().join("gone.txt"), "found").unwrap();
        let options = crate::check::CheckOptions { allow_identical: true, ..Default::default() };
        let input = crate::manifest::Input::Path(bad);
        let manifest = crate::manifest::open(&input, &crate::manifest::ReadOptions::default()).unwrap();
        let checkup = crate::check::check(manifest, &options, &|_| false);
        assert_eq!((checkup.rows, checkup.sound), (2, 2), "{:?}", checkup.problems);
        let checked = checkup.checked.unwrap();
        let rows: Vec<Vec<&str>> = checked.rows().map(|row| checked.carried(row).collect()).collect();
        assert_eq!(checked.record(checked.rows().next().unwrap()).to_string(), "4150868000001944196");
        assert_eq!(rows[0][..2], ["=HYPERLINK(\"http://a\")", "2"]);
        assert_eq!(rows[1][1..], ["9", "DENIED: no", "Ask."]);
    }

    #[test]
    fn bad_rows_are_written_with_their_problems_and_their_own_cells_untouched() {
        let mut codes = ProblemCode::ALL.iter().copied().filter(|code| code.extent() == Extent::Row);
        let (first, second) = (codes.next().unwrap(), codes.next().unwrap());
        let mut problems = vec![Problem::new(first, "no module `Lead`", "use Leads"), Problem::new(second, "gone", "")];
        for problem in &mut problems {
            (problem.row, problem.severity) = (Some(6), Severity::Error);
        }
        let bad = [left_out(7, "scans/\"plan\", வரைபடம்.pdf")];
        let columns = ["note".to_owned(), "X_Problem".to_owned()];
        let mut out = io::Cursor::new(Vec::new());
        let (unsound, problems) = (&bad[..], &problems.into());
        MendTable { columns: &columns, unsound, problems, refused: &[] }.write(MendForm::Csv(','), &mut out).unwrap();
        let text = String::from_utf8(out.into_inner()).unwrap();
        let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let header = reader.headers().unwrap().clone();
        assert_eq!(
            header.iter().collect::<Vec<_>>(),
            ["module", "record", "file", "url", "name", "note", "x_line", "x_problem", "x_what_to_do"]
        );
        let row = reader.records().next().unwrap().unwrap();
        assert_eq!(&row[2], "scans/\"plan\", வரைபடம்.pdf");
        assert_eq!((&row[5], &row[6], &row[8]), ("from the old CRM", "7", "use Leads"));
        assert_eq!(row[7], format!("{}: no module `Lead`; {}: gone", first.as_str(), second.as_str()));
    }
}
