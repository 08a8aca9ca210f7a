//! Understands the first line of a table, CSV or sheet: which column is what.

use std::collections::HashSet;

use super::headings::{HeadingRules, ignored};
use super::limits::{self, MAX_CARRIED};
use super::row::{self, Field};
use crate::problem::remedies;
use crate::problem::{Place, Problem, ProblemCode, ProblemList};

/// What a column is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ManifestColumn {
    Field(Field),
    /// The carried column with this index.
    Carried(usize),
    /// Without a name, at the end: must be empty.
    Unnamed,
    /// Reported already; its cells mean nothing.
    Refused,
}

/// The columns of a manifest that is a table.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Header {
    pub(crate) columns: Vec<ManifestColumn>,
    pub(crate) carried: Vec<String>,
}

/// Names that stand in a results file and, but for `key`, in no manifest.
const RESULTS_ONLY: [&str; 6] = ["line", "status", "attachment_id", "run", "key", "check"];

impl Header {
    /// Whether there is such a column.
    pub(crate) fn has(&self, field: Field) -> bool {
        self.columns.contains(&ManifestColumn::Field(field))
    }

    /// Whether this column's absence is reported with the header, so that rows need not repeat it.
    pub(crate) fn lacks(&self, field: Field) -> bool {
        match field {
            Field::File | Field::Url => !self.has(Field::File) && !self.has(Field::Url),
            Field::Record | Field::Key => !self.has(Field::Record) && !self.has(Field::Key),
            Field::Module | Field::Name | Field::Sha256 | Field::Md5 => !self.has(field),
        }
    }

    /// How many columns have names, up to the last one that has.
    pub(crate) fn width(&self) -> usize {
        self.columns.iter().rposition(|column| *column != ManifestColumn::Unnamed).map_or(0, |last| last + 1)
    }

    /// Whether the cells of this column may hold line breaks.
    pub(crate) fn may_break(&self, column: usize) -> bool {
        matches!(self.columns.get(column), Some(ManifestColumn::Carried(_) | ManifestColumn::Refused))
    }

    /// Understands the names, each with its place. Problems are reported and the rest is understood nevertheless.
    pub(crate) fn read(cells: &[(String, Place)], rules: &HeadingRules, problems: &mut ProblemList) -> Header {
        let mut header = Header::default();
        let mut unused: Vec<&str> = Vec::new();
        let mut seen: HashSet<String> = HashSet::new();
        let last_named = cells.iter().rposition(|(name, _)| !name.trim().is_empty());
        for (ix, (written, place)) in cells.iter().enumerate() {
            let name = rules.column_of(written.trim());
            let lower = name.to_lowercase();
            let column = if lower.is_empty() {
                if Some(ix) < last_named {
                    problems.push(unnamed(*place));
                }
                ManifestColumn::Unnamed
            } else if seen.contains(&lower) {
                problems.push(twice(&lower, *place));
                ManifestColumn::Refused
            } else if rules.ignore_unknown && !is_column(&lower) {
                unused.push(name);
                ManifestColumn::Refused
            } else {
                header.column(name, &lower, *place, problems)
            };
            seen.insert(lower);
            header.columns.push(column);
        }
        let place = cells.first().map_or(Place { line: 1, column: None }, |(_, place)| *place);
        let missing = rules.missing(cells.iter().map(|(name, _)| name.as_str()), place);
        // What was to be read as a column that is needed is missing once.
        if missing.is_empty() {
            header.report_missing(place.line, problems);
        }
        problems.extend(missing);
        problems.extend(ignored(&unused, place.line));
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
            problems.push(limits::too_many(place));
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
    let hint = match crate::text::nearest(name, known) {
        Some(near) => format!("did you mean {near}? A column of your own begins with x_"),
        None => {
            format!("a column of your own begins with x_: x_{}", crate::text::masked_excerpt(name).replace(' ', "_"))
        }
    };
    Problem::new(
        ProblemCode::ColumnUnknown,
        format!("there is no column named \"{}\"", crate::text::masked_excerpt(name)),
        hint,
    )
    .at(place)
    .about(name, name)
}

/// Whether these are the columns of a results file.
pub(crate) fn is_results(cells: &[(String, Place)]) -> bool {
    let has = |wanted: &&str| cells.iter().any(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
    RESULTS_ONLY.iter().filter(|wanted| has(wanted)).count() >= 4
}

/// A results file in place of a manifest.
pub(crate) fn results_as_manifest(line: u32) -> Problem {
    Problem::new(ProblemCode::ResultsAsManifest, "this is a results file, not a manifest", remedies::RUN_MANIFEST_AGAIN)
        .on_line(line)
}

/// Whether a manifest, or a results file, has a column of this name, or the user gives it the meaning of one.
pub(crate) fn is_known(name: &str, rules: &HeadingRules) -> bool {
    let name = rules.column_of(name.trim()).to_lowercase();
    is_column(&name) || RESULTS_ONLY.contains(&name.as_str())
}

/// Whether a manifest has a column of this name, which is in lower case.
fn is_column(name: &str) -> bool {
    Field::named(name).is_some() || row::is_carried(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carried_column_keeps_its_spelling() {
        let place = Place { line: 1, column: Some(1) };
        let cells = ["Module", " RECORD ", "File", "X_Old_ID", "NOTE", ""].map(|name| (name.to_owned(), place));
        let mut problems = ProblemList::default();
        let header = Header::read(&cells, &HeadingRules::default(), &mut problems);
        assert_eq!(*problems, []);
        assert_eq!(header.carried, ["x_Old_ID", "note"]);
        assert_eq!(header.width(), 5);
    }
}
