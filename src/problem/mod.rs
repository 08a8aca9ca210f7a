//! What is wrong with a manifest, and where: the vocabulary between reading, checking and showing.

mod codes;
mod list;
pub(crate) mod remedies;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::codes::{Extent, ProblemCode};
pub use self::list::{MoreProblems, ProblemList, RowProblem};
use crate::text::masked_excerpt;

/// How much a problem weighs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is sent while there is one.
    Error,
    /// Probably not what the user wants; changes nothing unless `--strict`.
    Warning,
    /// Something was read with tolerance, and this says so.
    Note,
}

/// One thing wrong with a manifest. Field order is the order in the JSON output.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Problem {
    /// Which kind of problem, for people and for `attache explain`.
    #[schemars(with = "String")]
    pub code: ProblemCode,
    /// How much it weighs in this run.
    pub severity: Severity,
    /// Physical line, from 1; `None` for a problem of the whole file.
    pub line: Option<u32>,
    /// Column of the value on that line, counted in characters from 1, where it is known.
    pub column: Option<u32>,
    /// Which row, from 1, blank rows not counted.
    pub row: Option<u32>,
    /// Which column or key of the manifest.
    pub field: Option<String>,
    /// The value at fault, cut at 200 characters, passwords masked.
    pub value: Option<String>,
    /// What is wrong, as a sentence fragment that names the value.
    pub message: String,
    /// What to do about it; empty only where the message says it all.
    pub hint: String,
}

impl Problem {
    /// A problem of the whole file; the other methods say more.
    pub fn new(code: ProblemCode, message: impl Into<String>, hint: impl Into<String>) -> Problem {
        Problem {
            code,
            severity: code.severity(),
            line: None,
            column: None,
            row: None,
            field: None,
            value: None,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// On this line.
    #[must_use]
    pub fn on_line(mut self, line: u32) -> Problem {
        self.line = Some(line);
        self
    }

    /// At this line and column.
    #[must_use]
    pub fn at(mut self, place: Place) -> Problem {
        self.line = Some(place.line);
        self.column = place.column;
        self
    }

    /// In this row.
    #[must_use]
    pub fn in_row(mut self, row: u32) -> Problem {
        self.row = Some(row);
        self
    }

    /// In this column, with this value.
    #[must_use]
    pub fn about(mut self, field: &str, value: &str) -> Problem {
        self.field = Some(field.to_owned());
        self.value = Some(masked_excerpt(value));
        self
    }
}

/// A place in a manifest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// Physical line, from 1.
    pub line: u32,
    /// Column in characters, from 1, where it is known.
    pub column: Option<u32>,
}
