//! The options of `attache config`: those of a run that settings files may set as well, and what only they say of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args};

use crate::cli::args::{CheckArgs, PaceArgs, ReadArgs, RunPaceArgs, TargetArgs};
use crate::cli::values::Output;

/// `attache config`.
#[derive(Args, Clone, PartialEq, Debug)]
pub struct ConfigArgs {
    /// The manifest whose folder may hold settings [default: the folder here]
    pub manifest: Option<PathBuf>,
    /// Where to.
    #[command(flatten, next_help_heading = "Where to")]
    pub target: TargetArgs,
    /// How to read the manifest.
    #[command(flatten, next_help_heading = "Reading the manifest")]
    pub read: ReadArgs,
    /// What to let pass.
    #[command(flatten, next_help_heading = "Checks")]
    pub checks: CheckArgs,
    /// How fast.
    #[command(flatten, next_help_heading = "Pace and credits")]
    pub pace: PaceArgs,
    /// How fast, in what only a run needs.
    #[command(flatten)]
    pub run_pace: RunPaceArgs,
    /// Who reads it
    #[arg(long, value_name = "FORM", default_value = "human", help_heading = "Output")]
    pub output: Output,
    /// What the command line and the environment say, by the options' names.
    #[arg(skip)]
    pub given: BTreeMap<String, GivenOption>,
}

/// An option that somebody gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GivenOption {
    /// Where.
    pub by: GivenBy,
    /// Its value as given; several with commas.
    pub text: String,
}

/// Where an option was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GivenBy {
    /// On the command line.
    CommandLine,
    /// In this environment variable.
    Environment(String),
}

/// What was given for the options of these names, without their dashes.
pub fn given(matches: &ArgMatches, command: &clap::Command) -> BTreeMap<String, GivenOption> {
    let options = command.get_arguments().filter_map(|arg| Some((arg.get_long()?, arg)));
    let found = options.filter_map(|(option, arg)| {
        let id = arg.get_id().as_str();
        let by = match matches.value_source(id)? {
            ValueSource::CommandLine => GivenBy::CommandLine,
            ValueSource::EnvVariable => GivenBy::Environment(arg.get_env()?.to_string_lossy().into_owned()),
            _ => return None,
        };
        let text = match matches.try_get_one::<bool>(id) {
            Ok(Some(is_on)) => is_on.to_string(),
            _ => {
                let raw = matches.get_raw(id)?.map(|value| value.to_string_lossy().into_owned());
                raw.collect::<Vec<_>>().join(", ")
            }
        };
        Some((option.to_owned(), GivenOption { by, text }))
    });
    found.collect()
}
