//! The words that options take, as types: what the command line says in a word, the modules get as a value.

use std::fmt;

use clap::ValueEnum;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};

use crate::engine::policy::{Assume, Backoff, IfExists, MaxFailures};
use crate::explain::CHAPTERS;
use crate::manifest::ManifestFormat;
use crate::plan::recognise::RenamedRule;
use crate::units::parse_duration;
use crate::upload::RecordId;
use crate::verify::sample::SampleSize;

/// A word that an option does not know; says which it knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadWord(&'static str);

impl fmt::Display for BadWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadWord {}

/// Takes any text as a code of `attache explain`, which says itself what it does not know, and tells shells which codes
/// there are.
#[derive(Clone, Copy, Debug)]
pub struct CodeParser;

impl TypedValueParser for CodeParser {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let pages = CHAPTERS.iter().flat_map(|chapter| chapter.pages);
        Some(Box::new(pages.map(|page| PossibleValue::new(page.code).help(page.title))))
    }
}

/// Who reads the output (`--output`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Output {
    /// A person.
    Human,
    /// A program: one JSON document.
    Json,
}

/// What `verify` writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum VerifyOutput {
    /// A person.
    Human,
    /// One JSON document.
    Json,
    /// One line for each row.
    Csv,
}

/// What `report` makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ReportOutput {
    /// One page with everything in it.
    Html,
    /// A workbook.
    Xlsx,
    /// One JSON document.
    Json,
    /// Text for a wiki or a ticket.
    Markdown,
}

/// How a run says how far it is (`--progress`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ProgressMode {
    /// A live block on a terminal, else as `plain`.
    Auto,
    /// A line every 30 seconds.
    Plain,
    /// One JSON event a line.
    Json,
    /// Not at all.
    Off,
}

/// When to colour (`--color`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Also into files and pipes.
    Always,
    /// Never.
    Never,
}

/// Which face of the service the sandbox shows (`sandbox --profile`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum SandboxProfile {
    /// As the documentation of version 2 says.
    DocsV2,
    /// As the published interface description of version 8 says.
    OasV8,
}

/// Which schema to print.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum SchemaName {
    /// A YAML manifest.
    Manifest,
    /// What a dry run writes with `--output json`.
    Plan,
    /// What `--save-plan` writes.
    SavedPlan,
    /// A row of the results.
    Results,
    /// What a run writes with `--output json`.
    Summary,
    /// A line of `--progress json`.
    Event,
    /// What `report --output json` writes.
    Report,
    /// What `verify --output json` writes.
    Verify,
    /// What `auth status --output json` writes.
    Auth,
    /// What `auth list --output json` writes.
    Profiles,
    /// What `config --output json` writes.
    Config,
    /// What `crosswalk --output json` writes.
    Crosswalk,
    /// What `doctor --output json` writes.
    Doctor,
    /// What `undo --output json` writes.
    Undo,
}

/// The shells that completions exist for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// fish.
    Fish,
    /// PowerShell, on any system.
    Powershell,
    /// zsh.
    Zsh,
}

/// Which settled rows to send again (`--resend`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ResendChoice {
    /// Every `failed` row.
    Failed,
    /// Every `unknown` row, after another listing.
    Unknown,
    /// Every row that a verification found missing, after another look.
    Missing,
    /// Every row whose file changed after it was sent.
    Changed,
    /// Every row whose attachment was deleted.
    Deleted,
    /// Every `failed` row with this code.
    Code(String),
}

impl ValueEnum for ManifestFormat {
    fn value_variants<'a>() -> &'a [ManifestFormat] {
        &[ManifestFormat::Csv, ManifestFormat::Xlsx, ManifestFormat::Yaml]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            ManifestFormat::Csv => ("csv", "Rows of cells, whatever the delimiter"),
            ManifestFormat::Xlsx => ("xlsx", "A sheet of a workbook"),
            ManifestFormat::Yaml => ("yaml", "The YAML form with `uploads:`"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

impl ValueEnum for IfExists {
    fn value_variants<'a>() -> &'a [IfExists] {
        &[IfExists::Upload, IfExists::Skip, IfExists::Fail]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            IfExists::Upload => ("upload", "Upload all the same; nothing is listed beforehand"),
            IfExists::Skip => ("skip", "Leave the row out, as already present"),
            IfExists::Fail => ("fail", "Fail the row"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

impl ValueEnum for RenamedRule {
    fn value_variants<'a>() -> &'a [RenamedRule] {
        &[RenamedRule::Keep, RenamedRule::Send]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            RenamedRule::Ask => None,
            RenamedRule::Keep => Some(PossibleValue::new("keep").help("Leave what is there, under its old name")),
            RenamedRule::Send => Some(PossibleValue::new("send").help("Attach it again, under the new name")),
        }
    }
}

impl ValueEnum for Assume {
    fn value_variants<'a>() -> &'a [Assume] {
        &[Assume::Present, Assume::Absent]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Assume::Present => ("present", "It is there: never send it"),
            Assume::Absent => ("absent", "It is not there: send it again"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

/// Reads which settled rows to send again (`--resend`).
///
/// # Errors
///
/// For a word that names no rows.
pub fn resend(text: &str) -> Result<ResendChoice, BadWord> {
    match text {
        "failed" => Ok(ResendChoice::Failed),
        "unknown" => Ok(ResendChoice::Unknown),
        "missing" => Ok(ResendChoice::Missing),
        "changed" => Ok(ResendChoice::Changed),
        "deleted" => Ok(ResendChoice::Deleted),
        _ => match text.strip_prefix("code=") {
            Some(code) if !code.is_empty() => Ok(ResendChoice::Code(code.to_owned())),
            _ => Err(BadWord(
                "rows to resend are: failed, unknown, missing, changed, deleted, or code=CODE (a code from the results)",
            )),
        },
    }
}

/// Which rows a run is about (`--only`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OnlyChoice {
    /// Rows of these modules.
    Modules(Vec<String>),
    /// Rows of these records.
    Records(Vec<RecordId>),
    /// Rows of the record with this key. Keys may have commas in them.
    Key(String),
}

/// Reads which rows a run is about (`--only`).
///
/// # Errors
///
/// For a word that names no rows, and for what is no record id.
pub fn only(text: &str) -> Result<OnlyChoice, String> {
    const WANTED: &str = "rows are chosen by module=NAME, record=ID or key=KEY; several modules or ids with commas";
    let (what, value) = text.split_once('=').ok_or(WANTED)?;
    let listed = || value.split(',').map(str::trim).filter(|part| !part.is_empty());
    match what.trim() {
        "module" if listed().next().is_some() => Ok(OnlyChoice::Modules(listed().map(str::to_owned).collect())),
        "record" if listed().next().is_some() => {
            let id = |text: &str| {
                let id = text.strip_prefix("zcrm_").unwrap_or(text).parse().ok().and_then(RecordId::new);
                id.ok_or_else(|| {
                    format!("\"{text}\" is no record id: 10 to 19 digits; a key of the old system is key=…")
                })
            };
            listed().map(id).collect::<Result<_, _>>().map(OnlyChoice::Records)
        }
        "key" if !value.trim().is_empty() => Ok(OnlyChoice::Key(value.trim().to_owned())),
        _ => Err(WANTED.to_owned()),
    }
}

/// Reads between which times a failed try waits (`--backoff`).
///
/// # Errors
///
/// For anything but two times of which the second is not the shorter.
pub fn backoff(text: &str) -> Result<Backoff, BadWord> {
    const WANTED: BadWord = BadWord("a backoff is two times, the shorter first: 500ms..30s");
    let (base, cap) = text.split_once("..").ok_or(WANTED)?;
    let base = parse_duration(base).map_err(|_| WANTED)?;
    let cap = parse_duration(cap).map_err(|_| WANTED)?;
    if base > cap { Err(WANTED) } else { Ok(Backoff { base, cap }) }
}

/// Reads how many files have their bytes compared (`--contents`).
///
/// # Errors
///
/// For anything but a number above 0, a share up to 100 % and `all`.
pub fn sample_size(text: &str) -> Result<SampleSize, BadWord> {
    text.parse().map_err(|_| BadWord("a sample is a number of files, a share or all of them: 50, 5%, all"))
}

/// Reads how many failed rows end a run (`--max-failures`).
///
/// # Errors
///
/// For anything but a number of rows or at most a hundred percent.
pub fn max_failures(text: &str) -> Result<MaxFailures, BadWord> {
    match text.strip_suffix('%') {
        Some(percent) => percent.parse().ok().filter(|percent| *percent <= 100).map(MaxFailures::Percent),
        None => text.parse().ok().map(MaxFailures::Rows),
    }
    .ok_or(BadWord("failures are a number of rows or a share up to 100%: 50, 10%"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn rows_to_resend_are_named_by_status_or_code() {
        assert_eq!(resend("failed"), Ok(ResendChoice::Failed));
        assert_eq!(resend("changed"), Ok(ResendChoice::Changed));
        assert_eq!(resend("code=NO_PERMISSION"), Ok(ResendChoice::Code("NO_PERMISSION".to_owned())));
        for wrong in ["", "all", "code=", "Failed"] {
            assert!(resend(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_backoff_has_its_shorter_time_first() {
        let expected = Backoff { base: Duration::from_millis(500), cap: Duration::from_secs(30) };
        assert_eq!(backoff("500ms..30s"), Ok(expected));
        for wrong in ["500ms", "30s..500ms", "..", "1..2"] {
            assert!(backoff(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn failures_are_rows_or_at_most_a_hundred_percent() {
        assert_eq!(max_failures("50"), Ok(MaxFailures::Rows(50)));
        assert_eq!(max_failures("100%"), Ok(MaxFailures::Percent(100)));
        for wrong in ["101%", "256%", "-1", "%", "ten"] {
            assert!(max_failures(wrong).is_err(), "{wrong}");
        }
    }
}
