//! The command line of `attache report`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::values::ReportOutput;

/// `attache report`.
#[derive(Args, Clone, PartialEq, Debug)]
pub struct ReportArgs {
    /// The results of a run; behind them those of rows that were mended, in the order of their runs
    #[arg(required_unless_present = "plan", conflicts_with = "plan")]
    pub results: Vec<PathBuf>,
    /// A plan that a dry run saved, to be approved: what will go where, what is left out, cost and time
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// The file to write: .html, .xlsx, .json or .md [default: NAME.report.html beside the results, or NAME.html beside the plan]
    #[arg(short = 'o', long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// What to make [default: by the file's extension]
    #[arg(long, value_name = "FORM")]
    pub output: Option<ReportOutput>,
    /// What the report is called, such as the name of the project
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Whom it is for
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
}
