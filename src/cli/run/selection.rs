//! Which rows a run is about (`--only`, `--lines`, `--sample`): from the options to the rows.

use anyhow::anyhow;

use super::approved;
use super::prepare::Prepared;
use crate::check::Checked;
use crate::cli::args::SelectArgs;
use crate::cli::failure::Failure;
use crate::cli::values::OnlyChoice;
use crate::exit::Exit;
use crate::line_set::LineSet;
use crate::plan::saved::PlanHead;
use crate::plan::selection::{RecordName, SampleRule, SelectedRows, Selection};

/// Without a seed the same command always chooses the same rows, so that it can go on after a crash.
const USUAL_SEED: u64 = 1;

/// What the options say.
///
/// # Errors
///
/// The lines are neither lines nor a file that names some.
pub(super) fn selection(args: &SelectArgs) -> anyhow::Result<Selection> {
    let mut selection = Selection::default();
    for choice in &args.only {
        match choice {
            OnlyChoice::Modules(modules) => selection.modules.extend(modules.iter().cloned()),
            OnlyChoice::Records(ids) => selection.records.extend(ids.iter().copied().map(RecordName::Id)),
            OnlyChoice::Key(key) => selection.records.push(RecordName::Key(key.clone())),
        }
    }
    if let Some(given) = &args.lines {
        let lines = LineSet::of_argument(given).map_err(|error| anyhow!("--lines {given}: {error}"))?;
        selection.lines = Some(lines);
    }
    let rule = |per_module| SampleRule { per_module, seed: args.seed.unwrap_or(USUAL_SEED) };
    selection.sample = args.sample.map(rule);
    Ok(selection)
}

/// The rows that were chosen; `None`: all.
pub(super) fn select(
    prepared: &Prepared,
    approved: Option<&PlanHead>,
    checked: &Checked,
) -> Result<Option<SelectedRows>, Failure> {
    approved::selection(approved, &prepared.selection)?.select(checked).map_err(|error| {
        if prepared.selection.is_everything() {
            let what = format!("the plan does not fit this manifest any more: {error}; nothing was sent");
            return Failure { exit: Exit::Unsound, error: anyhow!(what) };
        }
        Failure::usage(anyhow!("nothing is left to send by --only, --lines and --sample: {error}"))
    })
}
