//! Shows: problems, plan, progress and summary, for people or as JSON.
//!
//! Every function here makes text or writes to a stream that it is given; which stream that is, and what happens when
//! it is closed, is decided in `cli`.

pub mod text;
