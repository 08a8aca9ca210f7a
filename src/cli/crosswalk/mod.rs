//! `attache crosswalk`: makes the file that says which record each key of an old system stands for, from the service or
//! from a table.

mod from_service;
mod from_table;
mod port;
mod summary;
mod wording;

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use anyhow::anyhow;

pub(crate) use self::summary::CrosswalkSummary;
use super::args::CrosswalkArgs;
use super::failure::Failure;
use super::screen::Screen;
use super::values::Output;
use crate::check::CrosswalkNames;
use crate::crosswalk::writer::{CrosswalkOrigin, CrosswalkRow, CrosswalkWritten, write_crosswalk};
use crate::exit::Exit;
use crate::results::is_same_file;
use crate::text::system_words;

/// The file that is written where the user names none.
const DEFAULT_FILE: &str = "crosswalk.csv";

/// How such a file begins, so that no other one is taken for one that may be replaced.
const FIRST_COLUMNS: &str = "module,key,record";

/// Runs the command.
///
/// # Errors
///
/// Why no file was written.
pub(crate) fn run(args: &CrosswalkArgs, screen: Screen) -> Result<Exit, Failure> {
    let to = args.to.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    may_be_replaced(&to, args).map_err(Failure::usage)?;
    match &args.table {
        Some(table) => from_table::run(args, table, &to, screen),
        None if args.fields.is_empty() => Err(Failure::usage(anyhow!(
            "say what to look up: MODULE=FIELD, such as Contacts=Legacy_Id; or --table FILE for an export that has both \
             the keys and the record ids"
        ))),
        None => from_service::run(args, &to, screen),
    }
}

/// Nothing may be lost to a slip of the hand: only a crosswalk is replaced by one.
fn may_be_replaced(to: &Path, args: &CrosswalkArgs) -> anyhow::Result<()> {
    let given = [args.for_manifest.as_deref(), args.table.as_deref()];
    if given.into_iter().flatten().any(|given| is_same_file(given, to)) {
        return Err(anyhow!("{} is what is read; name another file with --to", to.display()));
    }
    let Ok(file) = std::fs::File::open(to) else { return Ok(()) };
    if !file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0) {
        return Ok(());
    }
    let mut first = String::new();
    // What is not text is no crosswalk either.
    let _ = io::BufReader::new(io::Read::take(file, 4096)).read_line(&mut first);
    match first.trim_start_matches('\u{feff}').starts_with(FIRST_COLUMNS) {
        true => Ok(()),
        false => Err(anyhow!("{} is there already and is no crosswalk; name another file with --to", to.display())),
    }
}

/// Writes the file, as a whole or not at all.
fn write(
    to: &Path,
    rows: Vec<CrosswalkRow>,
    origin: impl Fn(&str) -> CrosswalkOrigin,
) -> Result<CrosswalkWritten, Failure> {
    let mut written = CrosswalkWritten::default();
    let filled = crate::atomic_file::replace(to, |out| {
        written = write_crosswalk(out, rows, origin)?;
        Ok(())
    });
    match filled {
        Ok(()) => Ok(written),
        Err(error) => {
            let error = anyhow!("cannot write {}: {}", to.display(), system_words(&error));
            Err(Failure { exit: Exit::Results, error })
        }
    }
}

/// Names and ids as a manifest may have them.
fn names(args: &CrosswalkArgs) -> Result<CrosswalkNames, Failure> {
    let version = args.target.api_version.unwrap_or_default();
    CrosswalkNames::new(version, &args.custom_module).map_err(|why| Failure::usage(anyhow!(why)))
}

fn show(summary: &CrosswalkSummary, args: &CrosswalkArgs, screen: Screen) -> Result<(), Failure> {
    match args.output {
        Output::Json => screen.print_data(&summary.json()),
        Output::Human => screen.print(&summary.human(screen.out_look())),
    }
}
