//! What each code means and what to do about it: the pages of `attache explain`.

use serde::Serialize;

/// A kind of problem in a manifest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemCode {
    /// The manifest has no rows.
    NoRows,
}
