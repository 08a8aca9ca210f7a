//! Writes a plan: the head for people, then one row a line.

use std::io::{self, Write};

use super::{PlanHead, SavedRow, Seal};

/// Takes the rows of a plan one by one.
type RowTaker<'t> = &'t mut dyn FnMut(&SavedRow) -> io::Result<()>;

/// Writes a plan with these rows.
///
/// # Errors
///
/// When writing fails, or a row could not be had.
pub fn write(
    out: &mut dyn Write,
    head: &PlanHead,
    rows: &mut dyn FnMut(RowTaker<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let text = serde_json::to_string_pretty(head)?;
    // The members of the head, and those of the rows behind them.
    let open = text.trim_end().strip_suffix('}').unwrap_or(&text).trim_end();
    write!(out, "{open},\n  \"rows\": [")?;
    let mut seal = Seal::default();
    let mut line = Vec::new();
    let mut comma = "";
    rows(&mut |row| {
        seal.row(row)?;
        line.clear();
        serde_json::to_writer(&mut line, row)?;
        write!(out, "{comma}\n    ")?;
        comma = ",";
        out.write_all(&line)
    })?;
    let seal = seal.close(head)?;
    writeln!(out, "\n  ],\n  \"seal\": \"{seal}\"\n}}")
}
