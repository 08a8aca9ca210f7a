//! What is wrong with a manifest, and where: the vocabulary between reading, checking and showing.

use serde::Serialize;

/// How much a problem weighs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    /// Which kind of problem, for people and for `attache explain`.
    pub code: crate::explain::ProblemCode,
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
