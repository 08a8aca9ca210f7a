//! The report as text for a wiki or a ticket: GitHub's Markdown, in which a name stays text.

use std::fmt::Write as _;

use super::model::{Report, ReportCause, ReportTotals};
use super::wording;
use crate::text::is_unsafe;
use crate::units;

/// The whole report.
pub(super) fn write(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_to(report, &mut out);
    out
}

fn write_to(report: &Report, out: &mut String) -> std::fmt::Result {
    let title = report.source.title.as_ref().map(|title| format!("{title}: ")).unwrap_or_default();
    writeln!(out, "# {}{}\n", text(&title), text(&wording::headline(report)))?;
    writeln!(out, "{}. {}\n", text(&wording::subline(report)), text(&wording::statement(report)))?;
    totals(&report.totals, out)?;
    modules(report, out)?;
    causes(report, out)?;
    if let Some(taken_back) = &report.taken_back {
        writeln!(out, "## What was taken back\n\n{}\n", taken_back.sentence())?;
        for (name, value) in taken_back.facts() {
            writeln!(out, "- {name}: {}", text(&value))?;
        }
        writeln!(out)?;
    }
    if let Some(timeline) = &report.timeline {
        let answers = timeline.answers;
        writeln!(out, "## Time to answer\n")?;
        writeln!(
            out,
            "Half of all uploads took at most {}, 95 % at most {}, the slowest {}.\n",
            wording::answer_time(answers.median),
            wording::answer_time(answers.p95),
            wording::answer_time(answers.longest)
        )?;
    }
    origin(report, out)?;
    for cause in &report.causes {
        rows(cause, out)?;
    }
    Ok(())
}

fn totals(totals: &ReportTotals, out: &mut String) -> std::fmt::Result {
    writeln!(out, "| Status | Rows |\n| --- | ---: |")?;
    for (status, count) in wording::counts(totals) {
        writeln!(out, "| {} | {} |", wording::status(status), units::count(count))?;
    }
    writeln!(out, "| **All** | **{}** |\n", units::count(totals.rows))?;
    writeln!(
        out,
        "{} on {}: {} and {}. {} sent, the largest {}. {} found by listing after a lost answer, so not sent twice.\n",
        units::counted(totals.in_place(), "attachment"),
        units::counted(totals.records, "record"),
        units::counted(totals.files, "file"),
        units::counted(totals.links, "link"),
        units::size(totals.bytes_uploaded),
        units::size(totals.bytes_largest),
        units::count(totals.settled_by_listing),
    )?;
    match wording::superseded(totals) {
        Some(superseded) => writeln!(out, "{superseded}\n"),
        None => Ok(()),
    }
}

fn modules(report: &Report, out: &mut String) -> std::fmt::Result {
    writeln!(out, "## By module\n\n| Module | {} | Sent |", wording::MODULE_COLUMNS.join(" | "))?;
    writeln!(out, "| --- |{} ---: |", " ---: |".repeat(wording::MODULE_COLUMNS.len()))?;
    for module in &report.modules {
        let counts = wording::module_counts(&module.totals).map(units::count).join(" | ");
        writeln!(out, "| {} | {counts} | {} |", text(&module.module), units::size(module.totals.bytes_uploaded))?;
    }
    writeln!(out)
}

fn causes(report: &Report, out: &mut String) -> std::fmt::Result {
    writeln!(out, "## What is not in place\n")?;
    if report.causes.is_empty() {
        return writeln!(out, "{}\n", wording::nothing_amiss(report));
    }
    writeln!(out, "| Status | Cause | What was said | Rows |\n| --- | --- | --- | ---: |")?;
    for cause in &report.causes {
        let (status, count) = (wording::status(cause.status), units::count(cause.count));
        writeln!(out, "| {status} | {} | {} | {count} |", text(&cause.code), text(cause.said()))?;
    }
    writeln!(out)
}

fn origin(report: &Report, out: &mut String) -> std::fmt::Result {
    writeln!(out, "## Where this comes from\n")?;
    for (name, value) in wording::origin(report) {
        writeln!(out, "- {name}: {}", text(&value))?;
    }
    if !report.runs.is_empty() {
        let names = wording::RUN_COLUMNS.join(" | ");
        writeln!(out, "\n| {names} |\n|{}", " --- |".repeat(wording::RUN_COLUMNS.len()))?;
        for run in &report.runs {
            writeln!(out, "| {} |", wording::run_cells(run).map(|cell| text(&cell)).join(" | "))?;
        }
    }
    let made = format!("Made by {} on {}.", report.source.made_by, wording::time(report.source.made_at));
    writeln!(out, "\n{}\n", text(&made))
}

fn rows(cause: &ReportCause, out: &mut String) -> std::fmt::Result {
    let code = if cause.code.is_empty() { String::new() } else { format!(": {}", text(&cause.code)) };
    writeln!(out, "## {}{code} ({})\n", wording::status(cause.status), units::counted(cause.count, "row"))?;
    writeln!(
        out,
        "{}\n\n| Line | Module | Record | File or link | More |\n| ---: | --- | --- | --- | --- |",
        text(cause.said())
    )?;
    for row in &cause.rows {
        let carried = row.carried.iter().map(|(name, cell)| format!("{name}: {cell}"));
        let said =
            wording::key(row).into_iter().chain(wording::sent_as(row)).chain([row.message.clone()]).chain(carried);
        let said: Vec<String> = said.collect();
        let cells = [&row.module, &row.record, &row.source, said.join(" ").trim()].map(|cell: &str| text(cell));
        writeln!(out, "| {} | {} |", wording::line(row), cells.join(" | "))?;
    }
    match cause.count.saturating_sub(cause.rows.len() as u64) {
        0 => writeln!(out),
        left => writeln!(out, "\nAnd {} that wait for the next run.\n", units::counted(left, "more row")),
    }
}

/// Text that no Markdown reader takes for anything else; also none that makes a link of whatever looks like an address.
pub(super) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, char) in text.char_indices() {
        match char {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            ':' if text[at..].starts_with("://") => out.push_str("&#58;"),
            '.' if text[..at].ends_with("www") => out.push_str("&#46;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '!' | '|' | '~' => {
                out.push('\\');
                out.push(char);
            }
            char if is_unsafe(char) => {
                let _ = write!(out, "‹U+{:04X}›", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_text_in_one_cell() {
        assert_eq!(text("a|b<img src=x>\n`c`"), "a\\|b&lt;img src=x&gt;‹U+000A›\\`c\\`");
        assert_eq!(text("[click](https://evil.example)"), "\\[click\\]\\(https&#58;//evil.example\\)");
        assert_eq!(text("www.evil.example at 08:00"), "www&#46;evil.example at 08:00");
    }
}
