//! A crosswalk from a table that has both the keys and the record ids, such as an export of the service.

use std::path::Path;

use anyhow::anyhow;

use super::summary::{CrosswalkSummary, ModuleSummary};
use super::{CrosswalkArgs, Screen};
use crate::cli::failure::Failure;
use crate::crosswalk::CrosswalkRules as _;
use crate::crosswalk::table::{TableColumns, TableRead, read_table};
use crate::crosswalk::writer::CrosswalkOrigin;
use crate::exit::Exit;

/// Reads the table and writes the file.
pub(super) fn run(args: &CrosswalkArgs, table: &Path, to: &Path, screen: Screen) -> Result<Exit, Failure> {
    let names = super::names(args)?;
    // The command line requires the three with a table.
    let (Some(module), Some(key), Some(record)) = (&args.module, &args.key, &args.record) else {
        return Err(Failure::usage(anyhow!("--table needs --module, --key and --record")));
    };
    names.module(module).map_err(|(message, hint)| Failure::usage(anyhow!("--module: {message}; {hint}")))?;
    let columns = TableColumns { key: key.clone(), record: record.clone(), sheet: args.sheet.clone() };
    let read = read_table(table, module, &columns, &names)
        .map_err(|why| Failure::usage(anyhow!("cannot use {}: {why}", table.display())))?;
    if read.flaw_count > 0 {
        return Err(damaged(table, &read));
    }
    if read.rows.is_empty() {
        let what = format!("{} has no line with a key, so no file was written", table.display());
        return Err(Failure { exit: Exit::Unsound, error: anyhow!(what) });
    }
    let (lines, without_key) = (read.lines, read.without_key);
    let module_summary = ModuleSummary::of(module, key, None, &read.rows, None);
    let origin = |_: &str| CrosswalkOrigin { field: key.clone(), ..CrosswalkOrigin::default() };
    let written = super::write(to, read.rows, origin)?;
    let summary = CrosswalkSummary::of_table(to, &written, module_summary, lines, without_key, args);
    super::show(&summary, args, screen)?;
    Ok(summary.status())
}

/// One damaged line makes the whole table unusable: those that look sound may be damaged as well.
fn damaged(table: &Path, read: &TableRead) -> Failure {
    let shown = read.flaws.join("\n  ");
    let more = read.flaw_count - read.flaws.len() as u64;
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    let error = anyhow!(
        "{} is damaged, and no file was written:\n  {shown}{more}\nTake the export again; in a spreadsheet the columns must \
         be text",
        table.display()
    );
    Failure { exit: Exit::Unsound, error }
}
