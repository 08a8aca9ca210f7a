//! The report on a plan as text for a wiki or a ticket: GitHub's Markdown, in which a name stays text.

use std::fmt::Write as _;

use super::PlanReport;
use super::wording;
use crate::plan::saved::SavedRow;
use crate::report::markdown::text;
use crate::report::wording::time;
use crate::units;

/// The whole report.
pub(super) fn write(report: &PlanReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_to(report, &mut out);
    out
}

fn write_to(report: &PlanReport, out: &mut String) -> std::fmt::Result {
    let title = report.origin.title.as_ref().map(|title| format!("{title}: ")).unwrap_or_default();
    writeln!(out, "# {}{}\n", text(&title), text(&wording::headline(report)))?;
    writeln!(out, "{}. {}\n", text(&wording::subline(report)), text(&wording::statement(report)))?;
    modules(report, out)?;
    not_sent(report, out)?;
    list("Cost and time", &wording::cost(report), out)?;
    if !report.largest.is_empty() {
        writeln!(out, "## The largest files\n")?;
        rows(&report.largest, 0, out)?;
    }
    names(report, out)?;
    let notes = wording::notes(report);
    if !notes.is_empty() {
        writeln!(out, "## To know beforehand\n")?;
        for note in notes {
            writeln!(out, "- {}", text(&note))?;
        }
        writeln!(out)?;
    }
    list("What is pinned, and where it comes from", &wording::origin(report), out)?;
    let made = format!("Made by attache {} on {}.", env!("CARGO_PKG_VERSION"), time(report.origin.made_at));
    writeln!(out, "{}\n", text(&made))?;
    if !report.listed.is_empty() {
        writeln!(out, "## Rows that are sent\n\n{}\n", text(&wording::listed(report)))?;
        rows(&report.listed, 0, out)?;
    }
    for group in &report.left_out {
        writeln!(out, "## Left out: {} ({})\n", text(&group.code), units::counted(group.count, "row"))?;
        writeln!(out, "{}\n", text(group.meaning.unwrap_or_default()))?;
        rows(&group.rows, group.count.saturating_sub(group.rows.len() as u64), out)?;
    }
    Ok(())
}

fn modules(report: &PlanReport, out: &mut String) -> std::fmt::Result {
    writeln!(out, "## What goes where, by module\n\n| Module | {} | Size |", wording::MODULE_COLUMNS.join(" | "))?;
    writeln!(out, "| --- |{} ---: |", " ---: |".repeat(wording::MODULE_COLUMNS.len()))?;
    for (module, counts) in &report.modules {
        let numbers = wording::module_counts(counts).map(units::count).join(" | ");
        writeln!(out, "| {} | {numbers} | {} |", text(module), units::size(counts.bytes))?;
    }
    writeln!(out)
}

fn not_sent(report: &PlanReport, out: &mut String) -> std::fmt::Result {
    writeln!(out, "## All rows\n\n| Rows | | |\n| ---: | --- | --- |")?;
    for (_, name, count, why) in wording::parts(report) {
        writeln!(out, "| {} | {name} | {why} |", units::count(count))?;
    }
    for group in &report.left_out {
        let (count, code) = (units::count(group.count), text(&group.code));
        writeln!(out, "| {count} | of these {code} | {} |", text(group.meaning.unwrap_or_default()))?;
    }
    writeln!(out)
}

fn list(heading: &str, facts: &[(&'static str, String)], out: &mut String) -> std::fmt::Result {
    writeln!(out, "## {heading}\n")?;
    for (name, value) in facts {
        writeln!(out, "- {name}: {}", text(value))?;
    }
    writeln!(out)
}

fn names(report: &PlanReport, out: &mut String) -> std::fmt::Result {
    let summary = &report.head.summary;
    if summary.names_changed == 0 {
        return Ok(());
    }
    writeln!(out, "## Names that change ({})\n", units::count(summary.names_changed))?;
    writeln!(out, "| Line | File | Name in the CRM |\n| ---: | --- | --- |")?;
    for change in &summary.first_names_changed {
        writeln!(out, "| {} | {} | {} |", change.line, text(&change.own), text(&change.sent))?;
    }
    writeln!(out)
}

fn rows(rows: &[SavedRow], more: u64, out: &mut String) -> std::fmt::Result {
    writeln!(out, "| Line | Module | Record | File or link | Size |\n| ---: | --- | --- | --- | ---: |")?;
    for row in rows {
        let source = [vec![wording::source(row).to_owned()], wording::details(row)].concat().join(", ");
        let size = row.bytes.map(units::size).unwrap_or_default();
        let cells = [&row.module, &row.record, &source].map(|cell| text(cell)).join(" | ");
        writeln!(out, "| {} | {cells} | {size} |", row.line)?;
    }
    match more {
        0 => writeln!(out),
        more => writeln!(out, "\nAnd {}; the workbook lists them all.\n", units::counted(more, "more row")),
    }
}
