//! Exports that nobody would write by hand: each line and each file of them must come out somewhere, once.

mod documents;
mod files;
mod lines;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// An export that was made up, and what is known of it.
#[derive(Default)]
struct GeneratedExport {
    /// Tables and other files by path; the same path once.
    files: BTreeMap<String, String>,
    /// Files among the attachments, and the id by which a line would name them; empty where none could.
    attachments: BTreeMap<String, String>,
    /// Ids that lines name.
    named: BTreeSet<String>,
    /// Lines of the tables that must each end somewhere.
    lines: usize,
    /// Lines of these that no broken quote could have cut or swallowed.
    are_whole: bool,
}

/// What tells rows that came of a document from others, by all cells of the row: the id of the version.
type VersionOf = fn(&[&str]) -> Option<String>;

impl GeneratedExport {
    fn new() -> GeneratedExport {
        GeneratedExport { are_whole: true, ..GeneratedExport::default() }
    }

    /// Adds a table whose lines end somewhere.
    fn table(&mut self, path: &str, headings: &str, lines: &[GeneratedLine]) {
        self.lines += lines.len();
        self.are_whole &= lines.iter().all(|line| !line.is_broken);
        self.look_up(path, headings, lines);
    }

    /// Adds a table that others are looked up in.
    fn look_up(&mut self, path: &str, headings: &str, lines: &[GeneratedLine]) {
        let mut text = format!("{headings}\n");
        for line in lines {
            let cells: Vec<_> = line.cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
            text.push_str(&cells.join(","));
            text.push_str(if line.is_broken { ",\"\"x\"\n" } else { ",\"\"\n" });
        }
        self.files.insert(path.to_owned(), text);
    }

    fn attachment(&mut self, path: String, id: String, is_empty: bool) {
        self.files.insert(path.clone(), if is_empty { String::new() } else { "content".to_owned() });
        self.attachments.insert(path, id);
    }

    /// Puts it on the disk, as it is or in a zip.
    fn lay_down(&self, case: ExportCase, is_zipped: bool) -> ExportCase {
        fs::create_dir_all(case.path("WE")).expect("a folder");
        if is_zipped {
            let members: Vec<_> = self.files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
            case.zip("WE/WE_1.zip", &members)
        } else {
            self.files.iter().fold(case, |case, (path, text)| case.file(&format!("WE/{path}"), text))
        }
    }

    /// Collects it, and holds what came out against what went in.
    fn account(&self, recipe: &str, case: &ExportCase, version: VersionOf) -> Result<(), TestCaseError> {
        self.account_at("WE", recipe, case, version)
    }

    /// The same for an export at another place.
    fn account_at(
        &self,
        place: &str,
        recipe: &str,
        case: &ExportCase,
        version: VersionOf,
    ) -> Result<(), TestCaseError> {
        let done = case.collect(recipe, &[place]);
        let rows: Vec<Vec<&str>> = done.rows.iter().map(|row| row.split('|').collect()).collect();
        let of_lines = done.left_out.iter().filter(|line| line.contains(".csv:")).count();
        let versions: BTreeSet<String> = rows.iter().filter_map(|row| version(row)).collect();
        // Those lines that are listed without having been counted: what others are looked up in.
        let uncounted = done.left_out.iter().filter(|line| line.contains("documents.csv:")).count();
        let lines = done.collected.counts.lines as usize + uncounted;
        let of_files = if recipe == "folder" { rows.len() } else { 0 };
        let ended = rows.len() + versions.len() + of_lines - of_files;
        prop_assert_eq!(lines, ended, "{:?} {:?}", done.rows, done.left_out);
        prop_assert!(lines == self.lines || !self.are_whole && lines > self.lines / 2, "{lines} of {}", self.lines);

        let places: BTreeSet<&str> = done.left_out.iter().filter_map(|line| line.split('|').next()).collect();
        prop_assert_eq!(places.len(), done.left_out.len(), "something is listed twice: {:?}", done.left_out);
        for (path, id) in &self.attachments {
            let is_it = |place: &str| place.strip_suffix(path.as_str()).is_some_and(|rest| rest.ends_with('/'));
            let taken = rows.iter().any(|row| is_it(row[2]));
            let listed = places.iter().any(|place| is_it(place));
            prop_assert!(taken || listed || self.named.contains(id), "{path} is nowhere: {:?}", done.left_out);
            prop_assert!(!(taken && listed), "{path} is taken and left out");
        }
        let wrong = problems(case, None);
        let is_harmless =
            |code: &&String| ["identical-rows", "link-twice", "no-rows"].iter().any(|known| code.starts_with(known));
        let wrong: Vec<_> = wrong.iter().filter(|code| !is_harmless(code)).collect();
        prop_assert!(wrong.is_empty(), "a run would refuse what was collected: {wrong:?} {:?}", done.rows);
        Ok(())
    }
}

/// A line of a table.
#[derive(Clone, Debug)]
struct GeneratedLine {
    cells: Vec<String>,
    /// Whether its last cell has a quote where none may be.
    is_broken: bool,
}

impl GeneratedLine {
    fn new<const CELLS: usize>(cells: [&str; CELLS], is_broken: bool) -> GeneratedLine {
        GeneratedLine { cells: cells.map(str::to_owned).to_vec(), is_broken }
    }
}

/// No rows come of documents.
fn no_version(_: &[&str]) -> Option<String> {
    None
}

/// Names of attachments as old systems have them.
fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a.pdf",
        "b/c.pdf",
        "setup.EXE",
        "setup.exe. ",
        "",
        " blank ",
        "=1+1",
        "'quoted",
        "..",
        "CON",
        "say \"no\".pdf",
        "விலை, \u{2028}.pdf",
        "a\nb.pdf",
        "a\tb.pdf",
        "\u{202e}fdp.txt",
        LONG,
    ])
}

/// More than a name may have.
const LONG: &str = concat!(
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789.pdf"
);

/// Most are not.
fn is_broken() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.1)
}

/// How many cases; the bodies write files, so not the usual 256.
fn some_cases() -> ProptestConfig {
    ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() }
}
