//! `attache collect`: an old system's export becomes a manifest and a list of what was left out.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::args::CollectArgs;
use super::command_line::CommandLine;
use super::failure::Failure;
use super::screen::Screen;
use crate::collect::{
    COLUMNS, CollectCounts, CollectError, CollectNeed, CollectOptions, Collected, LEFT_OUT_COLUMNS, WITH_MODULE,
    WITHOUT_MODULE, collect,
};
use crate::console::gauge::{Gauge, GaugeUnit};
use crate::crm::modules::is_standard;
use crate::exit::Exit;
use crate::explain::reasons::LeftOutReason;
use crate::results::is_same_file;
use crate::text::escape_for_terminal;
use crate::units;

/// Collects.
///
/// # Errors
///
/// There is no layout that the recipe knows, an option makes no sense, or the disk does not play along.
pub fn run(args: &CollectArgs, screen: Screen) -> Result<Exit, Failure> {
    let left_out = args.left_out.clone().unwrap_or_else(|| list_beside(&args.to));
    may_be_written(args, &left_out).map_err(Failure::usage)?;
    let options = CollectOptions {
        manifest: args.to.clone(),
        left_out,
        module: args.module.clone(),
        map: args.map.clone(),
        pattern: args.pattern.clone(),
        columns: args.columns.clone(),
        sheet: args.sheet.clone(),
        extract: args.extract.clone(),
    };
    let collected = {
        let gauge = Gauge::new(screen.progress(), "collecting", GaugeUnit::Things("read"), Box::new(io::stderr()));
        collect(&args.recipe, &args.places, &options, &mut |read| gauge.at(read, None))
    };
    let collected = collected.map_err(failure)?;
    screen.print_note(&summary(&collected, &options))?;
    Ok(if collected.counts.all_left_out() > 0 { Exit::SomeFailed } else { Exit::Done })
}

/// Where the list goes if nobody says: beside the manifest, named after it, so that the next collection of the folder takes no
/// other one's list away.
fn list_beside(manifest: &Path) -> PathBuf {
    match manifest.file_stem().and_then(|stem| stem.to_str()) {
        None | Some("manifest") => manifest.with_file_name("left-out.csv"),
        Some(stem) => manifest.with_file_name(format!("{stem}.left-out.csv")),
    }
}

/// What went wrong in the words of the command line.
fn failure(error: CollectError) -> Failure {
    let help = match &error {
        CollectError::NoLayout { recipe: "table", .. } => "; name its headings with --columns",
        CollectError::NoLayout { recipe: "folder", .. } => "",
        CollectError::NoLayout { .. } => "; attache collect table takes any CSV with --columns, and folder any folder",
        CollectError::Needs(CollectNeed::ExtractFolder) => ": name one with --extract DIR",
        CollectError::Needs(CollectNeed::Module) => ": name one for all with --module NAME",
        CollectError::Needs(CollectNeed::Columns) => ": say it with --columns 'key=Old Id,file=Path'",
        _ => "",
    };
    let exit = match &error {
        CollectError::Io(..) | CollectError::Unaccounted { .. } => Exit::Results,
        CollectError::NoLayout { .. } | CollectError::Usage(_) | CollectError::Needs(_) => Exit::Usage,
    };
    Failure { exit, error: anyhow!("{error}{help}") }
}

/// Nothing may be lost to a slip of the hand: what is written takes the place of an earlier collection only.
fn may_be_written(args: &CollectArgs, left_out: &Path) -> anyhow::Result<()> {
    if args.to == left_out || is_same_file(&args.to, left_out) {
        return Err(anyhow!(
            "the manifest and the list of what was left out need a file each: name one with --left-out"
        ));
    }
    let csv = |path: &Path| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
    if !csv(&args.to) {
        return Err(anyhow!("{} does not end in .csv; the manifest is a CSV", args.to.display()));
    }
    for (path, columns, option) in [(args.to.as_path(), COLUMNS, "--to"), (left_out, LEFT_OUT_COLUMNS, "--left-out")] {
        if !is_ours(path, &columns.join(",")) {
            return Err(anyhow!(
                "{} is there already and no earlier collection made it; remove it, or name another file with {option}",
                path.display()
            ));
        }
    }
    Ok(())
}

/// Whether there is nothing, or a file with this heading.
fn is_ours(path: &Path, heading: &str) -> bool {
    let Ok(file) = File::open(path) else { return !path.exists() };
    let mut first = String::new();
    let is_empty = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
    is_empty || (BufReader::new(file).read_line(&mut first).is_ok() && first.starts_with(heading))
}

fn summary(collected: &Collected, options: &CollectOptions) -> String {
    let CollectCounts { modules, left_out, lines, files } = &collected.counts;
    let mut text = String::new();
    let (manifest, list) = (shown(&options.manifest), shown(&options.left_out));
    let rows = collected.counts.rows();
    let read = format!("{} and {} looked at", units::counted(*lines, "line"), units::counted(*files, "file"));
    let _ = writeln!(text, "{manifest}: {} ({read})", units::counted(rows, "row"));
    let width = modules.keys().map(|module| module.chars().count()).max().unwrap_or(0);
    for (module, count) in modules {
        let module = escape_for_terminal(module);
        let _ = writeln!(text, "  {module:width$}  {:>11}", units::count(*count));
    }
    let _ = writeln!(text, "{list}: {} left out", units::count(collected.counts.all_left_out()));
    let width = left_out.keys().map(|reason| reason.as_str().len()).max().unwrap_or(0);
    let mut most_first: Vec<_> = left_out.iter().collect();
    most_first.sort_by_key(|(reason, count)| (std::cmp::Reverse(**count), **reason));
    for (reason, count) in most_first {
        let _ = writeln!(text, "  {reason:width$}  {:>11}  {}", units::count(*count), reason.title());
    }
    if let Some((reason, _)) = left_out.iter().next() {
        let _ = writeln!(text, "attache explain {reason} says more, and so for each.");
    }
    if left_out.contains_key(&LeftOutReason::NoPattern) {
        let pattern =
            options.pattern.as_deref().unwrap_or(if options.module.is_some() { WITHOUT_MODULE } else { WITH_MODULE });
        let _ = writeln!(text, "Names were read as {}; --pattern says it otherwise.", escape_for_terminal(pattern));
    }
    if rows > 0 {
        let _ = writeln!(text, "Next, ask the CRM which record each key stands for, then check the rows:");
        let _ = writeln!(text, "  {}", crosswalk_command(collected, options));
        let _ = writeln!(text, "  {}", next_command(collected, options));
    }
    text
}

/// The command that makes the file with the records; `FIELD` is the one in which the CRM keeps the old keys.
fn crosswalk_command(collected: &Collected, options: &CollectOptions) -> CommandLine {
    let line = CommandLine::new("crosswalk");
    let line = collected.counts.modules.keys().fold(line, |line, module| line.word(format!("{module}=FIELD")));
    declare_custom(line.option("--for", &options.manifest), collected)
}

/// With the modules that have to be declared.
fn declare_custom(line: CommandLine, collected: &Collected) -> CommandLine {
    let custom = collected.counts.modules.keys().filter(|module| !is_standard(module));
    custom.fold(line, |line, module| line.option("--custom-module", module))
}

/// The command that checks the manifest.
fn next_command(collected: &Collected, options: &CollectOptions) -> CommandLine {
    let line = CommandLine::new("run").file(&options.manifest).option("--crosswalk", "crosswalk.csv").flag("--dry-run");
    declare_custom(line.maybe("--root", collected.root.as_ref()), collected)
}

fn shown(path: &Path) -> String {
    escape_for_terminal(&path.display().to_string()).into_owned()
}

/// One `name=heading` of `--columns`.
///
/// # Errors
///
/// It is none.
pub fn column(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((column, heading)) if !column.trim().is_empty() && !heading.trim().is_empty() => {
            Ok((column.trim().to_owned(), heading.trim().to_owned()))
        }
        _ => Err("say it as column=Heading, such as key=Old Id"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_command_can_be_pasted_and_is_one_that_the_program_takes() {
        let counts_of = |modules: &[&str]| CollectCounts {
            modules: modules.iter().map(|module| ((*module).to_owned(), 1)).collect(),
            ..CollectCounts::default()
        };
        let counts = counts_of(&["Contacts", "Vessels"]);
        let root = Some(PathBuf::from("/data/old crm"));
        let options = CollectOptions { manifest: PathBuf::from("it's.csv"), ..CollectOptions::default() };
        let command = next_command(&Collected { counts, root }, &options);
        #[cfg(unix)]
        assert_eq!(
            command.to_string(),
            "attache run 'it'\\''s.csv' --crosswalk crosswalk.csv --dry-run --root '/data/old crm' --custom-module Vessels"
        );
        assert!(crate::cli::args::parse(command.words()).is_ok());
        let crosswalk = crosswalk_command(&Collected { counts: counts_of(&["Vessels"]), root: None }, &options);
        assert!(crosswalk.to_string().contains("crosswalk Vessels=FIELD --for"));
        assert!(crate::cli::args::parse(crosswalk.words()).is_ok());
    }

    #[test]
    fn a_column_is_a_name_and_a_heading() {
        assert_eq!(column("key = Old Id"), Ok(("key".to_owned(), "Old Id".to_owned())));
        assert!(column("key").is_err() && column("=a").is_err() && column("a=").is_err());
    }

    #[test]
    fn each_manifest_has_a_list_of_its_own() {
        for (manifest, list) in [
            ("manifest.csv", "left-out.csv"),
            ("x/manifest.csv", "x/left-out.csv"),
            ("x/old.csv", "x/old.left-out.csv"),
        ] {
            assert_eq!(list_beside(Path::new(manifest)), Path::new(list));
        }
    }

    #[test]
    fn only_an_earlier_collection_is_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("m.csv");
        assert!(is_ours(&path, "module,key"));
        for (content, ours) in [("", true), ("module,key,file\n", true), ("module,record,file\n", false)] {
            std::fs::write(&path, content).expect("written");
            assert_eq!(is_ours(&path, "module,key"), ours, "{content}");
        }
    }
}
