//! What each code means and what to do about it: the pages of `attache explain`.

mod problems;

pub use problems::{Extent, NotAProblemCode, Page, ProblemCode};
