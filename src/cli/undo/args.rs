//! The command line of `attache undo`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::args::{PaceArgs, TargetArgs};
use crate::cli::values::{Output, ProgressMode};
use crate::line_set::LineSet;
use crate::undo::select::UndoSelection;
use crate::units::parse_duration;

/// Options that no environment variable stands for: what deletes, and what does not, must be said where it is done.
pub const WITHOUT_VARIABLE: [&str; 6] = ["delete", "yes", "run", "lines", "module", "include-settled"];

/// `attache undo`.
#[derive(Args, Clone, PartialEq, Debug)]
pub struct UndoArgs {
    /// The results of the run that attached too much
    pub results: PathBuf,
    /// Delete; without it, what would go is only listed
    #[arg(long)]
    pub delete: bool,
    /// Delete without asking first (it asks on a terminal, unless the target is this machine)
    #[arg(short, long)]
    pub yes: bool,
    /// What goes.
    #[command(flatten, next_help_heading = "What goes")]
    pub what: UndoWhatArgs,
    /// Where to.
    #[command(flatten, next_help_heading = "Where to")]
    pub target: TargetArgs,
    /// How fast.
    #[command(flatten, next_help_heading = "Pace and credits")]
    pub pace: PaceArgs,
    /// What the organisation gets in 24 hours, to hold the cost against [default: 50000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub credits_per_day: Option<u64>,
    /// Wait before a lost answer is looked up in the record [default: 60s, on this machine 0]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub settle_time: Option<Duration>,
    /// Who reads the result
    #[arg(long, value_name = "FORM", default_value = "human", help_heading = "Output")]
    pub output: Output,
    /// How to say how far it is
    #[arg(long, value_name = "FORM", default_value = "auto", help_heading = "Output")]
    pub progress: ProgressMode,
}

/// Which of the attachments that can be undone.
#[derive(Args, Clone, PartialEq, Debug, Default)]
pub struct UndoWhatArgs {
    /// Only what this run created, as the column run of the results calls it; repeatable
    #[arg(long = "run", value_name = "ID", value_delimiter = ',')]
    pub runs: Vec<String>,
    /// Only these lines of the manifest: 12, 10-20, 300-, several with commas, or a CSV with a column line
    #[arg(long, value_name = "LINES|FILE", value_parser = lines)]
    pub lines: Option<LineSet>,
    /// Only records of this module, by its API name; repeatable
    #[arg(long = "module", value_name = "NAME", value_delimiter = ',')]
    pub modules: Vec<String>,
    /// Also what a listing gave to its row after a lost answer: in theory it could be a stranger's
    #[arg(long)]
    pub include_settled: bool,
    /// Go on with results of another client of the same organisation
    #[arg(long)]
    pub same_organisation: bool,
}

impl UndoWhatArgs {
    /// What was said, as the list of runs shows it.
    pub fn shown(&self) -> BTreeMap<String, String> {
        let lines = self.lines.as_ref().map(LineSet::to_string).unwrap_or_default();
        let settled = if self.include_settled { "yes" } else { "" };
        let said = [
            ("run", self.runs.join(",")),
            ("lines", lines),
            ("module", self.modules.join(",")),
            ("include-settled", settled.to_owned()),
        ];
        said.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The same as the selection of an undo.
    pub fn selection(&self) -> UndoSelection {
        UndoSelection {
            runs: self.runs.clone(),
            lines: self.lines.clone(),
            modules: self.modules.clone(),
            include_settled: self.include_settled,
        }
    }
}

fn lines(text: &str) -> Result<LineSet, String> {
    LineSet::of_argument(text).map_err(|error| error.to_string())
}
