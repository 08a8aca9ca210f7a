//! The codes of problems in a manifest.

use serde::Serialize;

use super::Page;

/// A kind of problem in a manifest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemCode {
    /// The manifest has no rows.
    NoRows,
}

impl ProblemCode {
    /// The code as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            ProblemCode::NoRows => "no-rows",
        }
    }
}

/// Their pages.
pub const PAGES: &[Page] = &[Page {
    code: "no-rows",
    title: "the manifest has no rows",
    meaning: "There is a header, or nothing at all, and no row that says what to attach.",
    remedy: "Check that the right file was named, and that the export that wrote it was not empty.",
}];
