//! The problems of a manifest as a good compiler would show them: the place, the line with the value marked, what is
//! wrong, what to do. Grouped by code, worst first, a few of each, and at the end what would mend most rows.
//!
//! Which lines of the file are quoted is said by [`quoted_lines`]; whoever read the manifest fetches their text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::Look;
use crate::explain;
use crate::manifest::cell_name;
use crate::problem::{Extent, MoreProblems, Problem, ProblemCode, ProblemList, Severity};
use crate::text::{escape_for_terminal, shorten_for_terminal};
use crate::units::{count, counted};

/// A line longer than this is not quoted: the eye would not find anything in it.
const LONGEST_QUOTED: usize = 2_000;

/// What a check found, as far as it is shown.
#[derive(Clone, Copy, Debug)]
pub struct CheckReport<'a> {
    /// The manifest as the user called it.
    pub manifest: &'a str,
    /// The sheet that was read, where it is a workbook: places are then told by cell.
    pub sheet: Option<&'a str>,
    /// The problems, by line.
    pub problems: &'a ProblemList,
    /// Rows read.
    pub rows: u32,
    /// Rows without an error.
    pub sound: u32,
    /// Whether rows with errors are left out and the others sent.
    pub skipping: bool,
    /// Whether every problem is shown, and not the first few of each kind.
    pub every: bool,
}

/// The problems of one code and weight.
struct ProblemGroup<'a> {
    code: ProblemCode,
    severity: Severity,
    /// Those that are kept in full, by line.
    problems: Vec<&'a Problem>,
    /// Those beyond; `None`: all are kept.
    more: Option<MoreProblems>,
}

impl ProblemGroup<'_> {
    /// How many there are in all.
    fn count(&self) -> u64 {
        self.problems.len() as u64 + self.more.map_or(0, |more| more.count)
    }
}

/// The lines of the manifest that [`render`] quotes: a few for each code, however many problems there are, unless `every`
/// one of them is shown.
pub fn quoted_lines(problems: &ProblemList, every: bool) -> Vec<u32> {
    let kinds = kinds(problems);
    let each = shown_of_each(kinds.len(), every);
    let shown = kinds.iter().flat_map(|kind| kind.problems.iter().take(each));
    let lines: BTreeSet<u32> = shown.filter_map(|problem| problem.line).collect();
    lines.into_iter().collect()
}

/// Every kind of problem with its first few, then how many rows are sound and what would mend most of the others.
/// `lines` has the text of [`quoted_lines`]; a problem whose line is missing there is shown by its place alone.
pub fn render(found: &CheckReport<'_>, lines: &BTreeMap<u32, String>, look: Look) -> String {
    render_problems(found, lines, look) + &verdict(found)
}

/// The same without the words at the end.
pub fn render_problems(found: &CheckReport<'_>, lines: &BTreeMap<u32, String>, look: Look) -> String {
    let renderer = if look.color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(look.width).decor_style(DecorStyle::Ascii);
    let kinds = kinds(found.problems);
    let each = shown_of_each(kinds.len(), found.every);
    let mut text = String::new();
    for kind in &kinds {
        let mut hint = "";
        for problem in kind.problems.iter().take(each) {
            let line = problem.line.and_then(|line| lines.get(&line));
            let place = found.sheet.map(|sheet| place_in_workbook(found.manifest, sheet, problem));
            let _ = writeln!(text, "{}\n", excerpt(found.manifest, place, problem, line, hint, &renderer));
            hint = &problem.hint;
        }
        text.push_str(&more_of(kind, each, found.sheet.is_some()));
    }
    text
}

/// Problems of one code: those that were kept, and how many more there are.
type ProblemsOfOneKind<'p> = (Vec<&'p Problem>, Option<MoreProblems>);

fn kinds(problems: &ProblemList) -> Vec<ProblemGroup<'_>> {
    let mut kinds: BTreeMap<(Severity, ProblemCode), ProblemsOfOneKind<'_>> = BTreeMap::new();
    for problem in problems.iter() {
        kinds.entry((problem.severity, problem.code)).or_default().0.push(problem);
    }
    for more in problems.more() {
        kinds.entry((more.severity, more.code)).or_default().1 = Some(more);
    }
    let group = |((severity, code), (problems, more))| ProblemGroup { code, severity, problems, more };
    let mut kinds: Vec<ProblemGroup<'_>> = kinds.into_iter().map(group).collect();
    kinds.sort_by_key(|kind| (kind.severity, std::cmp::Reverse(kind.count())));
    kinds
}

/// The more kinds there are, the fewer of each, so that all of it stays readable.
fn shown_of_each(kinds: usize, every: bool) -> usize {
    match kinds {
        _ if every => usize::MAX,
        0..=3 => 3,
        4..=8 => 2,
        _ => 1,
    }
}

/// Where a problem is in a workbook, as its program names it: `move.xlsx Sheet1!B7`, or the row where it has no one cell.
fn place_in_workbook(manifest: &str, sheet: &str, problem: &Problem) -> String {
    // As a sheet program writes it, so that it can be typed into its field for names.
    let is_plain = sheet.chars().all(|c| c.is_alphanumeric() || c == '_');
    let sheet = if is_plain { sheet.to_owned() } else { format!("'{}'", sheet.replace('\'', "''")) };
    let place = match (problem.line, problem.column.and_then(|column| column.checked_sub(1))) {
        (Some(line), Some(column)) => format!("!{}", cell_name(line, column as usize)),
        (Some(line), None) => format!(", row {line}"),
        (None, _) => String::new(),
    };
    escape_for_terminal(&format!("{manifest} {sheet}{place}")).into_owned()
}

/// One problem. `place`: where it is, where that is not told by line and column. `told` is the hint that stands right above
/// it already.
fn excerpt(
    manifest: &str,
    place: Option<String>,
    problem: &Problem,
    line: Option<&String>,
    told: &str,
    renderer: &Renderer,
) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let manifest = escape_for_terminal(manifest);
    let title = level.primary_title(escape_for_terminal(&problem.message)).id(problem.code.as_str());
    let quoted = line.map(|line| quotable(line)).filter(|line| line.len() <= LONGEST_QUOTED);
    let mut group: Group<'_> = match (&quoted, problem.line) {
        _ if place.is_some() => title.element(Origin::path(place.unwrap_or_default())),
        (Some(text), Some(line)) => {
            let mut snippet = Snippet::source(text.as_str()).line_start(line as usize).path(manifest);
            // A snippet without a mark would be painted without its text.
            if let Some(span) = marked(text, problem).or_else(|| whole_line(text)) {
                snippet = snippet.annotation(AnnotationKind::Primary.span(span));
            }
            title.element(snippet)
        }
        (None, Some(line)) => {
            let origin = Origin::path(manifest).line(line as usize);
            title.element(match problem.column {
                Some(column) => origin.char_column(column as usize),
                None => origin,
            })
        }
        (_, None) => title.element(Origin::path(manifest)),
    };
    if !problem.hint.is_empty() && problem.hint != told {
        group = group.element(Level::HELP.message(escape_for_terminal(&problem.hint)));
    }
    renderer.render(&[group])
}

/// Where the value stands in its line, in bytes. The value may be cut or masked, so where it is not found as it is, the
/// cell's end is looked for instead.
fn marked(line: &str, problem: &Problem) -> Option<Range<usize>> {
    let column = problem.column?.checked_sub(1)? as usize;
    let start = line.char_indices().map(|(at, _)| at).chain([line.len()]).nth(column)?;
    let rest = line.get(start..)?;
    let value = problem.value.as_deref().unwrap_or_default();
    let length = if !value.is_empty() && rest.starts_with(value) {
        value.len()
    } else {
        rest.find([',', ';', '\t', '|']).unwrap_or(rest.len())
    };
    // An empty cell is marked at its place.
    Some(start..start + length)
}

/// Everything on a line but blanks at its ends: what is marked where a problem has no column.
fn whole_line(line: &str) -> Option<Range<usize>> {
    let start = line.len() - line.trim_start().len();
    let length = line.trim().len();
    (length > 0).then_some(start..start + length)
}

/// The line as it may be shown: what the excerpt's painter lets through and should not is replaced, each character by
/// one so that columns stay true. Passwords were taken out where the line was read.
fn quotable(line: &str) -> String {
    line.chars()
        .map(|character| match character {
            '\u{80}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}' => '\u{fffd}',
            other => other,
        })
        .collect()
}

/// How many of a kind were not shown, and where they are.
fn more_of(kind: &ProblemGroup<'_>, each: usize, in_sheet: bool) -> String {
    let hidden = kind.problems.get(each..).unwrap_or_default();
    let count_hidden = hidden.len() as u64 + kind.more.map_or(0, |more| more.count);
    if count_hidden == 0 {
        return String::new();
    }
    let of_kept = hidden.first().and_then(|first| first.line).zip(hidden.last().and_then(|last| last.line));
    let of_more = kind.more.and_then(|more| more.first_line.zip(more.last_line));
    let lines = of_kept.into_iter().chain(of_more).reduce(|(a, b), (c, d)| (a.min(c), b.max(d)));
    let line = if in_sheet { "row" } else { "line" };
    let place = match lines {
        Some((first, last)) if first == last => format!(" ({line} {first})"),
        Some((first, last)) => format!(" ({line}s {first} to {last})"),
        None => String::new(),
    };
    let word = match kind.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    format!("... and {} more {word}[{}]{place}\n\n", count(count_hidden), kind.code.as_str())
}

/// How many rows are sound, and which two or three kinds of problems stand in the way of most of the others.
fn verdict(found: &CheckReport<'_>) -> String {
    let unsound = found.rows.saturating_sub(found.sound);
    if !found.problems.has_error() {
        return match found.problems.total() {
            0 => String::new(),
            _ if found.rows == 1 => "The only row is sound.\n".to_owned(),
            _ => format!("All {} are sound.\n", counted(found.rows, "row")),
        };
    }
    let mut text = String::new();
    if unsound > 0 {
        let then = if found.skipping { "Left out of the run." } else { "Nothing is sent." };
        let verb = if unsound == 1 { "is" } else { "are" };
        let _ = match found.rows {
            1 => writeln!(text, "The only row is not sound. {then}"),
            rows => writeln!(text, "{} of {} {verb} not sound. {then}", count(unsound), counted(rows, "row")),
        };
        text.push_str(&whole_file(found.problems));
        text.push_str(&worth_mending(found.problems));
    } else {
        text.push_str("The manifest cannot be used as it is. Nothing is sent.\n");
    }
    let kinds = kinds(found.problems);
    let each = shown_of_each(kinds.len(), found.every);
    let is_cut = kinds.iter().any(|kind| kind.problems.len() > each);
    text.push_str("\nattache explain CODE says more about a code");
    text.push_str(if is_cut { ", -v shows every problem." } else { "." });
    if unsound > 0 {
        text.push_str(" --problems FILE writes the rows to mend to a .csv or .xlsx.\n");
        let whole = |problem: &Problem| problem.severity == Severity::Error && problem.code.extent() == Extent::Whole;
        if !found.skipping && found.sound > 0 && !found.problems.iter().any(whole) {
            let others = if found.sound == 1 { "one".to_owned() } else { count(found.sound) };
            let _ = writeln!(text, "--skip-invalid leaves them out and sends the other {others}.");
        }
    } else {
        text.push('\n');
    }
    text
}

/// What is wrong with the file and not with a row of it: no row goes before that is mended.
fn whole_file(problems: &[Problem]) -> String {
    let codes: BTreeSet<ProblemCode> = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error && problem.code.extent() == Extent::Whole)
        .map(|problem| problem.code)
        .collect();
    if codes.is_empty() {
        return String::new();
    }
    let codes: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    format!("First mend what is in the way of every row: {}.\n", codes.join(", "))
}

/// The codes in the way of most rows, up to three, each with its rows.
fn worth_mending(problems: &ProblemList) -> String {
    let mut rows_of: BTreeMap<ProblemCode, u64> = BTreeMap::new();
    problems.errors_by_row(&mut |codes| codes.iter().for_each(|code| *rows_of.entry(*code).or_default() += 1));
    let mut largest: Vec<(ProblemCode, u64)> = rows_of.into_iter().collect();
    largest.sort_by_key(|(code, rows)| (std::cmp::Reverse(*rows), *code));
    let others = largest.len().saturating_sub(3);
    largest.truncate(3);
    let mut mended = 0_u64;
    problems.errors_by_row(&mut |codes| {
        mended += u64::from(codes.iter().all(|code| largest.iter().any(|(large, _)| large == code)));
    });
    if mended == 0 {
        return String::new();
    }
    let these = if largest.len() == 1 { "this".to_owned() } else { format!("these {}", largest.len()) };
    let mut text = format!("Mending {these} makes {} sound:\n", counted(mended, "row"));
    for (code, rows) in largest {
        let title = explain::find(code.as_str()).map_or("", |page| page.title);
        let _ = writeln!(
            text,
            "{:>12}  {}: {}",
            counted(rows, "row"),
            code.as_str(),
            shorten_for_terminal(title, 100 - 17 - code.as_str().len())
        );
    }
    if others > 0 {
        let _ = writeln!(text, "{:>12}  and {}", "", counted(others as u64, "further kind"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { color: false, width: 100 };

    fn problem(code: ProblemCode, line: u32, column: u32, field: &str, value: &str) -> Problem {
        Problem {
            code,
            severity: code.severity(),
            line: Some(line),
            column: Some(column),
            row: Some(line - 1),
            field: Some(field.to_owned()),
            value: Some(value.to_owned()),
            message: format!("something about `{value}`"),
            hint: "this would mend it".to_owned(),
        }
    }

    fn codes(wanted: usize) -> Vec<ProblemCode> {
        let of_a_row = |code: &&ProblemCode| code.severity() == Severity::Error && code.extent() == Extent::Row;
        let errors = ProblemCode::ALL.iter().filter(of_a_row);
        errors.copied().take(wanted).collect()
    }

    #[test]
    fn a_problem_is_shown_with_its_line_and_the_value_marked() {
        let code = codes(1)[0];
        let problems = vec![problem(code, 3, 27, "file", "scans/a b.pdf")].into();
        let found = CheckReport {
            manifest: "move.csv",
            sheet: None,
            problems: &problems,
            rows: 10,
            sound: 9,
            skipping: false,
            every: false,
        };
        let lines = BTreeMap::from([(3, "Leads,738964000000291009,\"scans/a b.pdf\",x".to_owned())]);
        insta::assert_snapshot!(render(&found, &lines, PLAIN));
    }

    #[test]
    fn a_problem_of_the_whole_header_shows_it_and_is_named_first() {
        let header = Problem {
            line: Some(1),
            column: None,
            row: None,
            value: None,
            ..Problem::new(ProblemCode::ColumnMissing, "there is no column record", "add a column named record")
        };
        let problems = vec![header, problem(ProblemCode::ModuleLabel, 3, 1, "module", "Lead")].into();
        let found = CheckReport {
            manifest: "move.csv",
            sheet: None,
            problems: &problems,
            rows: 3,
            sound: 2,
            skipping: false,
            every: false,
        };
        let lines = BTreeMap::from([(1, "Module,Record Id,File".to_owned()), (3, "Lead,1,a.pdf".to_owned())]);
        let text = render(&found, &lines, PLAIN);
        assert!(text.contains("1 | Module,Record Id,File\n  | ^^^^^^^^^^^^^^^^^^^^^\n"), "{text}");
        assert!(text.contains("First mend what is in the way of every row: column-missing.\n"), "{text}");
        assert!(!text.contains("--skip-invalid") && !text.contains(" \n"), "{text}");
    }

    #[test]
    fn three_thousand_problems_stay_readable_and_the_most_rewarding_are_named() {
        let codes = codes(4);
        let mut problems = Vec::new();
        for line in 2..3_002 {
            let code = if line % 3 == 0 { codes[1] } else { codes[0] };
            problems.push(problem(code, line, 1, "module", "Lead"));
        }
        problems.push(problem(codes[2], 2, 7, "record", "7,39E+17"));
        problems.push(problem(codes[3], 199_000, 7, "record", "1"));
        let mut problems = ProblemList::from(problems);
        problems.sort();
        let found = CheckReport {
            manifest: "move.csv",
            sheet: None,
            problems: &problems,
            rows: 200_000,
            sound: 197_000,
            skipping: false,
            every: false,
        };
        let quoted = quoted_lines(&problems, false);
        assert!(quoted.len() < 10);
        let lines = quoted.iter().map(|line| (*line, "Lead,7,39E+17,a.pdf".to_owned())).collect();
        let text = render(&found, &lines, PLAIN);
        assert!(text.lines().count() < 80, "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn invisible_characters_in_a_quoted_line_are_not_shown_and_columns_stay() {
        let line = "Leads,1,a\u{200e}b\u{85}.pdf";
        assert_eq!(quotable(line), "Leads,1,a\u{fffd}b\u{fffd}.pdf");
    }

    #[test]
    fn a_mark_never_leaves_its_line_whatever_the_column_says() {
        let code = codes(1)[0];
        for (line, column, value) in [("a,b", 1, "a"), ("a,b", 4, ""), ("a,b", 9, "b"), ("é,x", 3, "y"), ("", 1, "z")]
        {
            let problem = problem(code, 2, column, "file", value);
            if let Some(span) = marked(line, &problem) {
                assert!(line.get(span).is_some(), "{line} {column} {value}");
            }
            let found = CheckReport {
                manifest: "m",
                sheet: None,
                problems: &vec![problem].into(),
                rows: 1,
                sound: 0,
                skipping: true,
                every: false,
            };
            let text = render(&found, &BTreeMap::from([(2, line.to_owned())]), PLAIN);
            assert!(text.contains("The only row is not sound. Left out of the run."), "{text}");
        }
    }
}
