//! Judges the rows of a manifest: every rule, every row, every problem at once.
