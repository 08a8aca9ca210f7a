//! Decides what a run is going to do; one value that the dry run prints and the run executes.

/// Which settled rows to send again (`--resend`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resend {
    /// Every `failed` row.
    Failed,
    /// Every `unknown` row, after another listing.
    Unknown,
    /// Every `failed` row with this code.
    Code(String),
}
