//! Tells people and programs what would go, and what became of it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use super::{Gone, NotUndone, UndoEnd, UndoRow, UndoWork, Undone};
use crate::text::escape_for_terminal;
use crate::units;

/// Attachments of each kind that a person is shown.
const FIRST_ROWS: usize = 10;
/// The version of the document.
const VERSION: u32 = 1;

/// What an undo does not know of itself.
#[derive(Clone, Debug)]
pub struct UndoContext {
    /// The results file as the user called it.
    pub results: String,
    /// The host that the attachments are at.
    pub target: String,
    /// Why it ended early, as a sentence without its full stop.
    pub stopped: Option<String>,
    /// The exit status.
    pub exit: u8,
}

/// One document of an undo, or of a look at what one would do.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Undo")]
pub struct UndoOutput<'a> {
    /// Version of this form.
    version: u32,
    /// The results file.
    results: &'a str,
    /// The host that the attachments are at.
    target: &'a str,
    /// Whether it only says what would be deleted.
    dry_run: bool,
    /// The attachments that are to go, by what became of them.
    totals: UndoTotals,
    /// Lines that stay as they are, by the reason.
    not_undone: BTreeMap<&'static str, u64>,
    /// Requests made and API credits used.
    requests: u64,
    /// API credits used.
    credits: u64,
    /// What the service said to the first deletion, if it refused that one; then nothing was deleted.
    refused_at_first: Option<&'a str>,
    /// Why it ended early, if it did.
    stopped: Option<&'a str>,
    /// The exit status.
    exit: u8,
    /// Each attachment, in the order of the results.
    rows: Vec<UndoneRow<'a>>,
}

/// How many attachments came to which end.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, JsonSchema)]
pub struct UndoTotals {
    /// All that were to go.
    pub rows: u64,
    /// Gone, whoever deleted them.
    pub deleted: u64,
    /// Of these, gone before anything was asked for.
    pub already_gone: u64,
    /// Of these, gone although the answer was lost.
    pub found_gone: u64,
    /// Left as they are.
    pub left_alone: u64,
    /// Asked for, and nobody knows yet whether they are gone.
    pub in_doubt: u64,
    /// Not come to.
    pub not_reached: u64,
}

/// One attachment.
#[derive(Serialize, JsonSchema)]
struct UndoneRow<'a> {
    /// The line of its row in the manifest; null if the row is no longer there.
    line: Option<u32>,
    /// The module's API name.
    module: &'a str,
    /// The record.
    record: String,
    /// The attachment.
    attachment_id: String,
    /// The file or the address, as written in the manifest.
    source: &'a str,
    /// The name as sent.
    name: &'a str,
    /// Bytes of the file.
    bytes: Option<u64>,
    /// What became of it: deleted, left-alone, in-doubt or not-reached; would-go where nothing was asked for.
    end: &'static str,
    /// Why it is left alone, as a word.
    reason: Option<&'static str>,
    /// The same as a sentence, or why it is in doubt.
    message: Option<String>,
}

impl UndoTotals {
    /// Of an undo.
    pub fn of(undone: &Undone) -> UndoTotals {
        let mut totals = UndoTotals { rows: undone.rows.len() as u64, ..UndoTotals::default() };
        for (_, end) in &undone.rows {
            *match end {
                UndoEnd::Deleted(_) => &mut totals.deleted,
                UndoEnd::LeftAlone(_) => &mut totals.left_alone,
                UndoEnd::InDoubt(_) => &mut totals.in_doubt,
                UndoEnd::NotReached => &mut totals.not_reached,
            } += 1;
            totals.already_gone += u64::from(*end == UndoEnd::Deleted(Gone::Already));
            totals.found_gone += u64::from(*end == UndoEnd::Deleted(Gone::Found));
        }
        totals
    }
}

impl<'a> UndoneRow<'a> {
    fn of(row: &'a UndoRow, end: Option<&UndoEnd>) -> UndoneRow<'a> {
        let (reason, message) = match end {
            Some(UndoEnd::LeftAlone(why)) => (Some(why.as_str()), Some(why.to_string())),
            Some(UndoEnd::InDoubt(why)) => (None, Some(why.clone())),
            _ => (None, None),
        };
        UndoneRow {
            line: (row.line > 0).then_some(row.line),
            module: &row.module,
            record: row.record.to_string(),
            attachment_id: row.attachment.to_string(),
            source: &row.source,
            name: &row.name,
            bytes: row.bytes,
            end: end.map_or("would-go", UndoEnd::as_str),
            reason,
            message,
        }
    }
}

fn not_undone(lines: &[(NotUndone, u64)]) -> BTreeMap<&'static str, u64> {
    lines.iter().map(|(why, count)| (why.as_str(), *count)).collect()
}

fn write_json(output: &UndoOutput<'_>, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, output)?;
    writeln!(out)
}

impl UndoWork {
    /// Writes what would go, for a program.
    pub fn write_json(&self, context: &UndoContext, out: &mut dyn Write) -> io::Result<()> {
        let rows = self.rows.iter().map(|row| UndoneRow::of(row, None)).collect();
        let totals = UndoTotals { rows: self.rows.len() as u64, ..UndoTotals::default() };
        let output = UndoOutput {
            version: VERSION,
            results: &context.results,
            target: &context.target,
            dry_run: true,
            totals,
            not_undone: not_undone(&self.not_undone),
            requests: 0,
            credits: 0,
            refused_at_first: None,
            stopped: None,
            exit: context.exit,
            rows,
        };
        write_json(&output, out)
    }

    /// Writes what would go, for a person: how much of each module, and the first attachments.
    pub fn write_human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut modules: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
        for row in &self.rows {
            let (files, links, bytes) = modules.entry(&row.module).or_default();
            *(if row.is_link { links } else { files }) += 1;
            *bytes += row.bytes.filter(|_| !row.is_link).unwrap_or(0);
        }
        let width = modules.keys().map(|module| module.len()).max().unwrap_or(0);
        for (module, (files, links, bytes)) in modules {
            let links = if links > 0 { format!(", {}", units::counted(links, "link")) } else { String::new() };
            let module = escape_for_terminal(module);
            writeln!(out, "  {module:<width$}  {}, {}{links}", units::counted(files, "file"), units::size(bytes))?;
        }
        write_rows(self.rows.iter().map(|row| (row, String::new())), out)?;
        self.write_not_undone(out)
    }

    /// Writes which lines stay as they are.
    pub fn write_not_undone(&self, out: &mut dyn Write) -> io::Result<()> {
        let said: Vec<String> = self.not_undone.iter().map(|(why, count)| not_undone_said(*why, *count)).collect();
        if said.is_empty() { Ok(()) } else { writeln!(out, "Left as they are: {}.", said.join("; ")) }
    }
}

fn not_undone_said(why: NotUndone, count: u64) -> String {
    let lines = units::counted(count, "line");
    match why {
        NotUndone::AlreadyPresent => format!("{lines} of attachments that were there before us"),
        NotUndone::Settled => format!("{lines} settled by a listing, which could in theory be a stranger's"),
        NotUndone::InDoubt => format!("{lines} in doubt or unknown, for a run to settle first"),
        NotUndone::Deleted => format!("{lines} deleted before"),
        NotUndone::NothingCreated => format!("{lines} that created nothing"),
        NotUndone::Unnamed => format!("{lines} that name no attachment of a record"),
        NotUndone::NotSelected => format!("{lines} not selected"),
    }
}

/// Writes the first of these attachments, a line each.
fn write_rows<'r>(rows: impl ExactSizeIterator<Item = (&'r UndoRow, String)>, out: &mut dyn Write) -> io::Result<()> {
    let more = rows.len().saturating_sub(FIRST_ROWS);
    for (row, why) in rows.take(FIRST_ROWS) {
        let line = if row.line > 0 { format!("line {}", row.line) } else { "no line".to_owned() };
        let why = if why.is_empty() { why } else { format!(": {}", escape_for_terminal(&why)) };
        let (module, record, source) = (escape_for_terminal(&row.module), row.record, escape_for_terminal(&row.source));
        writeln!(out, "    {line}, {module} {record}, {source}{why}")?;
    }
    if more > 0 {
        writeln!(out, "    and {} more", units::count(more))?;
    }
    Ok(())
}

impl Undone {
    /// Writes the document for a program.
    pub fn write_json(&self, lines: &[(NotUndone, u64)], context: &UndoContext, out: &mut dyn Write) -> io::Result<()> {
        let output = UndoOutput {
            version: VERSION,
            results: &context.results,
            target: &context.target,
            dry_run: false,
            totals: UndoTotals::of(self),
            not_undone: not_undone(lines),
            requests: self.totals.requests,
            credits: self.totals.credits,
            refused_at_first: self.refused_at_first.as_deref(),
            stopped: context.stopped.as_deref(),
            exit: context.exit,
            rows: self.rows.iter().map(|(row, end)| UndoneRow::of(row, Some(end))).collect(),
        };
        write_json(&output, out)
    }

    /// Writes the text for a person.
    pub fn write_human(&self, context: &UndoContext, out: &mut dyn Write) -> io::Result<()> {
        let totals = UndoTotals::of(self);
        let target = escape_for_terminal(&context.target);
        let attachments = units::counted(totals.deleted, "attachment");
        let (requests, credits) = (self.totals.requests, self.totals.credits);
        writeln!(
            out,
            "Deleted {attachments} of {} at {target}, with {} and {}.",
            units::count(totals.rows),
            units::counted(requests, "request"),
            units::counted(credits, "API credit")
        )?;
        for (count, what) in [
            (totals.already_gone, "of them had gone already"),
            (totals.found_gone, "of them were gone after an answer was lost"),
        ] {
            if count > 0 {
                writeln!(out, "  {} {what}", units::count(count))?;
            }
        }
        self.write_group("left alone", |end| matches!(end, UndoEnd::LeftAlone(_)), out)?;
        self.write_group("in doubt", |end| matches!(end, UndoEnd::InDoubt(_)), out)?;
        if totals.not_reached > 0 {
            writeln!(out, "\n{} not come to.", units::count(totals.not_reached))?;
        }
        if let Some(stopped) = &context.stopped {
            writeln!(out, "\nStopped: {}.", escape_for_terminal(stopped))?;
        }
        Ok(())
    }

    fn write_group(&self, what: &str, is: impl Fn(&UndoEnd) -> bool, out: &mut dyn Write) -> io::Result<()> {
        let why = |end: &UndoEnd| match end {
            UndoEnd::LeftAlone(why) => why.to_string(),
            UndoEnd::InDoubt(why) => why.clone(),
            UndoEnd::Deleted(_) | UndoEnd::NotReached => String::new(),
        };
        let rows: Vec<(&UndoRow, String)> =
            self.rows.iter().filter(|(_, end)| is(end)).map(|(row, end)| (row, why(end))).collect();
        if rows.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{} {what}:", units::count(rows.len()))?;
        write_rows(rows.into_iter(), out)
    }
}
