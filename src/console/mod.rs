//! Shows: problems, plan, progress and summary, for people or as JSON.
//!
//! Every function here makes text or writes to a stream that it is given; which stream that is, and what happens when
//! it is closed, is decided in `cli`.

pub mod problems;
pub mod text;

/// What text for people is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    /// Whether to colour.
    pub color: bool,
    /// Characters in a line.
    pub width: usize,
}
