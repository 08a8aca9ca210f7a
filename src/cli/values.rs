//! The words that options take, as types: what the command line says in a word, the rooms get as a value.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;

use crate::units::parse_duration;

/// A word that an option does not know; says which it knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadWord(&'static str);

impl fmt::Display for BadWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadWord {}

/// How a manifest is written (`--format`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Format {
    /// Rows of cells, whatever the delimiter.
    Csv,
    /// The YAML form with `uploads:`.
    Yaml,
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
pub enum Progress {
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

/// What to do about a row whose name the record already has (`--if-exists`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum IfExists {
    /// Upload all the same; nothing is listed beforehand.
    Upload,
    /// Leave the row out, as already present.
    Skip,
    /// Fail the row.
    Fail,
}

/// How to read an upload of which even a second listing tells nothing (`--assume`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Assume {
    /// It is there: never send it.
    Present,
    /// It is not there: send it again.
    Absent,
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
    /// A row of the results.
    Results,
    /// What a run writes with `--output json`.
    Summary,
    /// A line of `--progress json`.
    Event,
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
pub enum Resend {
    /// Every `failed` row.
    Failed,
    /// Every `unknown` row, after another listing.
    Unknown,
    /// Every `failed` row with this code.
    Code(String),
}

impl FromStr for Resend {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Resend, BadWord> {
        match text {
            "failed" => Ok(Resend::Failed),
            "unknown" => Ok(Resend::Unknown),
            _ => match text.strip_prefix("code=") {
                Some(code) if !code.is_empty() => Ok(Resend::Code(code.to_owned())),
                _ => Err(BadWord("rows to resend are: failed, unknown, or code=CODE (a code from the results)")),
            },
        }
    }
}

/// Between which times a failed try waits (`--backoff`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// The bound of the first wait; doubles with each try.
    pub base: Duration,
    /// The bound of every wait.
    pub cap: Duration,
}

impl FromStr for Backoff {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Backoff, BadWord> {
        const WANTED: BadWord = BadWord("a backoff is two times, the shorter first: 500ms..30s");
        let (base, cap) = text.split_once("..").ok_or(WANTED)?;
        let base = parse_duration(base).map_err(|_| WANTED)?;
        let cap = parse_duration(cap).map_err(|_| WANTED)?;
        if base > cap { Err(WANTED) } else { Ok(Backoff { base, cap }) }
    }
}

/// How many failed rows end a run (`--max-failures`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MaxFailures {
    /// So many rows.
    Rows(u32),
    /// So many in a hundred of the rows that have ended, from the hundredth on.
    Percent(u8),
}

impl FromStr for MaxFailures {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<MaxFailures, BadWord> {
        const WANTED: BadWord = BadWord("failures are a number of rows or a share up to 100%: 50, 10%");
        match text.strip_suffix('%') {
            Some(percent) => percent.parse().ok().filter(|percent| *percent <= 100).map(MaxFailures::Percent),
            None => text.parse().ok().map(MaxFailures::Rows),
        }
        .ok_or(WANTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_to_resend_are_named_by_status_or_code() {
        assert_eq!("failed".parse(), Ok(Resend::Failed));
        assert_eq!("code=NO_PERMISSION".parse(), Ok(Resend::Code("NO_PERMISSION".to_owned())));
        for wrong in ["", "all", "code=", "Failed"] {
            assert!(wrong.parse::<Resend>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_backoff_has_its_shorter_time_first() {
        let backoff = Backoff { base: Duration::from_millis(500), cap: Duration::from_secs(30) };
        assert_eq!("500ms..30s".parse(), Ok(backoff));
        for wrong in ["500ms", "30s..500ms", "..", "1..2"] {
            assert!(wrong.parse::<Backoff>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn failures_are_rows_or_at_most_a_hundred_percent() {
        assert_eq!("50".parse(), Ok(MaxFailures::Rows(50)));
        assert_eq!("100%".parse(), Ok(MaxFailures::Percent(100)));
        for wrong in ["101%", "256%", "-1", "%", "ten"] {
            assert!(wrong.parse::<MaxFailures>().is_err(), "{wrong}");
        }
    }
}
