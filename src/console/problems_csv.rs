//! The rows with problems as a CSV of their own (`--problems FILE`): the cells as they were, and behind them what is
//! wrong and what to do. The columns about problems are ones that a manifest may have, so that the file is itself a
//! manifest once its cells are mended.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Write};

use crate::check::{LeftOut, LeftOutCells};
use crate::problem::{Problem, ProblemList, RowProblem, Severity};

/// What a manifest may name, `key` apart.
const OWN: [&str; 5] = ["module", "record", "file", "url", "name"];

/// What it may name as well, and what is written only where some row has it: what an old system calls the record, and
/// checksums.
const WHERE_GIVEN: [(&str, CellReader); 3] =
    [("key", |row| row.record_key), ("sha256", |row| row.sha256), ("md5", |row| row.md5)];

/// A cell of a row.
type CellReader = for<'c> fn(&LeftOutCells<'c>) -> &'c str;

/// What this adds. A manifest that was written by this before and still has problems has them already.
const ADDED: [&str; 3] = ["x_line", "x_problem", "x_what_to_do"];

/// Writes the rows. `columns` are the names of their carried cells. A problem that was not kept in full is told as its code
/// is explained.
///
/// It begins with a byte order mark, without which spreadsheets read names in other scripts wrongly.
///
/// # Errors
///
/// When it cannot be written.
pub fn write(mut out: impl Write, columns: &[String], rows: &[LeftOut], problems: &ProblemList) -> io::Result<()> {
    out.write_all("\u{feff}".as_bytes())?;
    let mut out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    let kept: Vec<usize> = (0..columns.len()).filter(|at| !is_added(&columns[*at])).collect();
    let carried = kept.iter().filter_map(|at| columns.get(*at)).map(String::as_str);
    let given: Vec<_> =
        WHERE_GIVEN.into_iter().filter(|(_, cell)| rows.iter().any(|row| !cell(&row.cells()).is_empty())).collect();
    let names = given.iter().map(|(name, _)| *name);
    out.write_record(OWN.into_iter().chain(names).chain(carried).chain(ADDED))?;
    let (all, of_row) = (problems, by_row(problems));
    for row in rows {
        let problems = of_row.get(&row.row).map_or(&[] as &[&Problem], Vec::as_slice);
        let cells = row.cells();
        let (file, name) = (no_formula(cells.file, "./"), no_formula(cells.name, " "));
        let [module, record, url] = [cells.module, cells.record, cells.url].map(|cell| no_formula(cell, "'"));
        let given = given.iter().map(|(_, cell)| no_formula(cell(&cells), "'"));
        let own: Vec<&str> = row.carried(columns.len()).collect();
        let carried = kept.iter().map(|at| no_formula(own.get(*at).copied().unwrap_or_default(), "'"));
        let beyond = || all.beyond_of(row.row).iter().filter(|beyond| beyond.severity == Severity::Error);
        let wrong = joined(problems.iter().map(|problem| wrong(problem)).chain(beyond().map(wrong_by_code)));
        let what_to_do = joined(problems.iter().map(|problem| todo(problem)).chain(beyond().map(todo_by_code)));
        let said =
            [row.line.to_string(), wrong, what_to_do].map(|cell| Cow::Owned(no_formula(&cell, "'").into_owned()));
        let mut cells = [module, record, file, url, name].into_iter().chain(given).chain(carried).chain(said);
        cells.try_for_each(|cell| out.write_field(cell.as_ref()))?;
        out.write_record(None::<&[u8]>)?;
    }
    out.flush()
}

/// The cell as no spreadsheet takes it for a formula, whichever of comma and semicolon it splits lines at. What is put in
/// front of one that begins like a formula is `front`: something that the cell means the same with, where there is such a
/// thing. Behind a semicolon it is an apostrophe, which spreadsheets show and a manifest takes as it stands.
fn no_formula<'c>(cell: &'c str, front: &str) -> Cow<'c, str> {
    let begins = |text: &str| text.trim_start_matches(['"', ' ']).starts_with(begins_a_formula);
    if !cell.split(';').any(begins) {
        return Cow::Borrowed(cell);
    }
    let mut safe = String::with_capacity(cell.len() + 2);
    for (at, part) in cell.split(';').enumerate() {
        if at > 0 {
            safe.push(';');
        }
        if begins(part) {
            safe.push_str(if at == 0 { front } else { "'" });
        }
        safe.push_str(part);
    }
    Cow::Owned(safe)
}

fn begins_a_formula(character: char) -> bool {
    matches!(character, '=' | '+' | '-' | '@' | '\t' | '\r' | '＝' | '＋' | '－' | '＠')
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
    use std::path::Path;

    use super::*;
    use crate::check::Checkup;
    use crate::problem::{Extent, ProblemCode};
    use crate::upload::RowKey;

    #[test]
    fn no_cell_is_a_formula_wherever_a_spreadsheet_splits_the_line() {
        for (cell, front, safe) in [
            ("=cmd|' /C calc'!A0", "'", "'=cmd|' /C calc'!A0"),
            ("=1.pdf", "./", "./=1.pdf"),
            ("-5 degrees.pdf", " ", " -5 degrees.pdf"),
            ("a;=1+1;b", "./", "a;'=1+1;b"),
            ("＝1", "'", "'＝1"),
            ("a; ＠x", "'", "a;' ＠x"),
            ("\t=1", "'", "'\t=1"),
            ("a=b;c-d", "'", "a=b;c-d"),
            ("", "'", ""),
        ] {
            assert_eq!(no_formula(cell, front), safe);
        }
    }

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
        write(std::fs::File::create(&bad).unwrap(), &carried_columns, &unsound, &problems).unwrap();
        let mended = std::fs::read_to_string(&bad).unwrap().replace("Lead,", "Leads,");
        std::fs::write(&bad, mended).unwrap();
        let checkup = check(&bad);
        assert_eq!((checkup.rows, checkup.sound), (1, 1), "{:?}", checkup.problems);
        assert_eq!(checkup.carried_columns, ["x_old", "x_line", "x_problem", "x_what_to_do"]);
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
        let mut out = Vec::new();
        write(&mut out, &columns, &bad, &problems.into()).unwrap();
        let text = String::from_utf8(out).unwrap();
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
