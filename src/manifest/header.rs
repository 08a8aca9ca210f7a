//! Understands the first line of a CSV manifest: which delimiter, which column is what.

use std::collections::HashSet;

use super::row::{self, Field};
use crate::problem::{Place, Problem, ProblemCode, ProblemList};

/// What a CSV manifest may be separated by.
pub(super) const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// More carried columns than this are not wanted.
pub(super) const MAX_CARRIED: usize = 1_000;

/// More columns than this are no table. The widest sheet of a spreadsheet has as many, and saved as CSV it may show them
/// all.
pub(super) const MAX_COLUMNS: usize = 16_384;

/// What a column is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ManifestColumn {
    Field(Field),
    /// The carried column with this index.
    Carried(usize),
    /// Without a name, at the end: must be empty.
    Unnamed,
    /// Reported already; its cells mean nothing.
    Refused,
}

/// The columns of a CSV manifest.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Header {
    pub(super) columns: Vec<ManifestColumn>,
    pub(super) carried: Vec<String>,
}

/// Names that stand in a results file and, but for `key`, in no manifest.
const RESULTS_ONLY: [&str; 6] = ["line", "status", "attachment_id", "run", "key", "check"];

impl Header {
    /// Whether there is such a column.
    pub(super) fn has(&self, field: Field) -> bool {
        self.columns.contains(&ManifestColumn::Field(field))
    }

    /// How many columns have names, up to the last one that has.
    pub(super) fn width(&self) -> usize {
        self.columns.iter().rposition(|column| *column != ManifestColumn::Unnamed).map_or(0, |last| last + 1)
    }

    /// Whether the cells of this column may hold line breaks.
    pub(super) fn may_break(&self, column: usize) -> bool {
        matches!(self.columns.get(column), Some(ManifestColumn::Carried(_) | ManifestColumn::Refused))
    }

    /// Understands the names, each with its place. Problems are reported and the rest is understood nevertheless.
    pub(super) fn read(cells: &[(String, Place)], problems: &mut ProblemList) -> Header {
        let mut header = Header::default();
        let mut seen: HashSet<String> = HashSet::new();
        let last_named = cells.iter().rposition(|(name, _)| !name.trim().is_empty());
        for (ix, (written, place)) in cells.iter().enumerate() {
            let name = written.trim();
            let lower = name.to_lowercase();
            let column = if lower.is_empty() {
                if Some(ix) < last_named {
                    problems.push(unnamed(*place));
                }
                ManifestColumn::Unnamed
            } else if seen.contains(&lower) {
                problems.push(twice(&lower, *place));
                ManifestColumn::Refused
            } else {
                header.column(name, &lower, *place, problems)
            };
            seen.insert(lower);
            header.columns.push(column);
        }
        header.report_missing(cells.first().map_or(1, |(_, place)| place.line), problems);
        header
    }

    fn column(&mut self, name: &str, lower: &str, place: Place, problems: &mut ProblemList) -> ManifestColumn {
        if let Some(field) = Field::named(lower) {
            return ManifestColumn::Field(field);
        }
        if !row::is_carried(lower) {
            problems.push(unknown(name, place));
            return ManifestColumn::Refused;
        }
        if self.carried.len() == MAX_CARRIED {
            problems.push(too_many(place));
        }
        if self.carried.len() >= MAX_CARRIED {
            return ManifestColumn::Refused;
        }
        // The name of the user's own stays as written; what marks it as carried is always in lower case.
        let kept = match name.get(2..) {
            Some(rest) if lower.starts_with("x_") => format!("x_{rest}"),
            _ => lower.to_owned(),
        };
        self.carried.push(kept);
        ManifestColumn::Carried(self.carried.len() - 1)
    }

    fn report_missing(&self, line: u32, problems: &mut ProblemList) {
        let mut missing = |message, hint| {
            problems.push(Problem::new(ProblemCode::ColumnMissing, message, hint).on_line(line));
        };
        if !self.has(Field::Module) {
            missing("there is no column module", "add a column named module");
        }
        if !self.has(Field::Record) && !self.has(Field::Key) {
            let hint = "add a column named record for ids of the CRM, or key for those of the old system";
            missing("there is neither a column record nor a column key", hint);
        }
        if !self.has(Field::File) && !self.has(Field::Url) {
            let hint = "add a column named file for paths, or url for links";
            missing("there is neither a column file nor a column url", hint);
        }
    }
}

/// Too many columns are to be carried.
pub(super) fn too_many(place: Place) -> Problem {
    Problem::new(
        ProblemCode::TooManyColumns,
        format!("more than {MAX_CARRIED} columns are to be carried"),
        "keep only those that the results need",
    )
    .at(place)
}

/// A header of so many columns.
pub(super) fn too_wide(columns: usize, line: u32) -> Problem {
    Problem::new(
        ProblemCode::TooManyColumns,
        format!("the header has {columns} columns; {MAX_COLUMNS} are allowed"),
        "keep only the columns that are needed",
    )
    .on_line(line)
}

fn unnamed(place: Place) -> Problem {
    Problem::new(ProblemCode::ColumnUnnamed, "a column without a name", "name it, or remove it").at(place)
}

fn twice(name: &str, place: Place) -> Problem {
    Problem::new(ProblemCode::ColumnTwice, format!("a second column named {name}"), "rename or remove one of them")
        .at(place)
        .about(name, name)
}

fn unknown(name: &str, place: Place) -> Problem {
    let known = Field::ALL.map(Field::as_str).into_iter().chain(["note"]);
    let hint = match row::nearest(name, known) {
        Some(near) => format!("did you mean {near}? A column of your own begins with x_"),
        None => {
            format!("a column of your own begins with x_: x_{}", crate::problem::masked_excerpt(name).replace(' ', "_"))
        }
    };
    Problem::new(
        ProblemCode::ColumnUnknown,
        format!("there is no column named \"{}\"", crate::problem::masked_excerpt(name)),
        hint,
    )
    .at(place)
    .about(name, name)
}

/// Whether these are the columns of a results file.
pub(super) fn is_results(cells: &[(String, Place)]) -> bool {
    let has = |wanted: &&str| cells.iter().any(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
    RESULTS_ONLY.iter().filter(|wanted| has(wanted)).count() >= 4
}

/// What separates the cells of a header line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Delimiter {
    Found(u8),
    /// Two of them give known names.
    Unclear(u8, u8),
    /// None gives a known name.
    NoHeader,
}

/// Finds the delimiter: the one that makes the most known names of the line.
pub(super) fn find_delimiter(line: &str) -> Delimiter {
    let mut scored = DELIMITERS.map(|delimiter| (known_names(line, delimiter), delimiter));
    // Stable, so that a header of one column is taken for one with commas.
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    let [(best, delimiter), (second, other), ..] = scored;
    let splits = |delimiter: u8| memchr::memchr(delimiter, line.as_bytes()).is_some();
    match best {
        0 => Delimiter::NoHeader,
        _ if best == second && splits(delimiter) && splits(other) => Delimiter::Unclear(delimiter, other),
        _ => Delimiter::Found(if splits(delimiter) || !splits(other) || second < best { delimiter } else { other }),
    }
}

/// How many names of a header line are known if it is separated by this.
pub(super) fn known_names(line: &str, delimiter: u8) -> usize {
    line.split(char::from(delimiter))
        .map(|cell| cell.trim().trim_matches('"').trim().to_lowercase())
        .filter(|name| Field::named(name).is_some() || row::is_carried(name) || RESULTS_ONLY.contains(&name.as_str()))
        .count()
}

/// The delimiter that a first line of the form `sep=;` asks for; `Some(None)` if it asks for one that is not possible.
pub(super) fn sep_line(line: &str) -> Option<Option<u8>> {
    let line = line.trim_matches([' ', '"']);
    let wanted = line.get(..4).filter(|start| start.eq_ignore_ascii_case("sep=")).and_then(|_| line.get(4..))?;
    let only = match wanted.as_bytes() {
        [byte] if DELIMITERS.contains(byte) => Some(*byte),
        _ => None,
    };
    Some(only)
}

/// A delimiter as people call it.
pub(super) fn delimiter_name(delimiter: u8) -> String {
    match delimiter {
        b'\t' => "TAB".to_owned(),
        other => format!("`{}`", char::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_one_that_makes_known_names() {
        for (line, wanted) in [
            ("module,record,file", Delimiter::Found(b',')),
            ("Module;Record;File;x_a,b", Delimiter::Found(b';')),
            ("module\trecord\turl", Delimiter::Found(b'\t')),
            ("\"module\"|\"record\"|\"file\"", Delimiter::Found(b'|')),
            ("file", Delimiter::Found(b',')),
            ("module;record,file", Delimiter::Unclear(b',', b';')),
            ("owner;module", Delimiter::Found(b';')),
            ("Leads,738964000000291009,a.pdf", Delimiter::NoHeader),
            ("", Delimiter::NoHeader),
        ] {
            assert_eq!(find_delimiter(line), wanted, "{line}");
        }
    }

    #[test]
    fn a_sep_line_is_known_in_every_spelling() {
        assert_eq!(sep_line("sep=;"), Some(Some(b';')));
        assert_eq!(sep_line("\"SEP=,\""), Some(Some(b',')));
        assert_eq!(sep_line("sep=\t"), Some(Some(b'\t')));
        assert_eq!(sep_line("sep=#"), Some(None));
        assert_eq!(sep_line("module,record"), None);
    }

    #[test]
    fn a_carried_column_keeps_its_spelling() {
        let place = Place { line: 1, column: Some(1) };
        let cells = ["Module", " RECORD ", "File", "X_Old_ID", "NOTE", ""].map(|name| (name.to_owned(), place));
        let mut problems = ProblemList::default();
        let header = Header::read(&cells, &mut problems);
        assert_eq!(*problems, []);
        assert_eq!(header.carried, ["x_Old_ID", "note"]);
        assert_eq!(header.width(), 5);
    }
}
