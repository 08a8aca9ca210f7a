//! Settings of a run that either file may hold.

use std::path::PathBuf;

use toml_edit::Value;

use super::file::{ValueReader, parsed, positive, text, texts, yes_or_no};
use crate::cli::args::RunArgs;
use crate::manifest::HeadingRule;
use crate::units::{Rate, parse_bandwidth, parse_size};

/// Settings that either file may hold: pace, size and warning rules, custom modules, root.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RunSettings {
    /// As `--concurrency`.
    pub concurrency: Option<u8>,
    /// As `--rate`.
    pub rate: Option<Rate>,
    /// As `--bandwidth`.
    pub bandwidth: Option<u64>,
    /// As `--credits-per-day`.
    pub credits_per_day: Option<u64>,
    /// As `--max-size`.
    pub max_size: Option<u64>,
    /// As `--strict`.
    pub strict: Option<bool>,
    /// As `--allow-empty`.
    pub allow_empty: Option<bool>,
    /// As `--allow-identical`.
    pub allow_identical: Option<bool>,
    /// As `--allow-rounded-ids`.
    pub allow_rounded_ids: Option<bool>,
    /// As `--custom-module`.
    pub custom_modules: Vec<String>,
    /// As `--root`; from a file beside the manifest, a folder inside its own.
    pub root: Option<PathBuf>,
    /// As `--crosswalk`; from a file beside the manifest, files inside its own folder.
    pub crosswalks: Vec<PathBuf>,
    /// As `--column`.
    pub columns: Vec<HeadingRule>,
    /// As `--ignore-columns`.
    pub ignore_columns: Option<bool>,
}

impl RunSettings {
    /// These where they say something, and those of the user's own file where they do not. Modules and headings of both count.
    #[must_use]
    pub fn over(self, own: RunSettings) -> RunSettings {
        let with_own = |mut ours: Vec<String>, theirs: Vec<String>| {
            ours.extend(theirs);
            ours
        };
        let mut columns = self.columns;
        for rule in own.columns {
            if columns.iter().all(|ours| ours.column() != rule.column()) {
                columns.push(rule);
            }
        }
        RunSettings {
            concurrency: self.concurrency.or(own.concurrency),
            rate: self.rate.or(own.rate),
            bandwidth: self.bandwidth.or(own.bandwidth),
            credits_per_day: self.credits_per_day.or(own.credits_per_day),
            max_size: self.max_size.or(own.max_size),
            strict: self.strict.or(own.strict),
            allow_empty: self.allow_empty.or(own.allow_empty),
            allow_identical: self.allow_identical.or(own.allow_identical),
            allow_rounded_ids: self.allow_rounded_ids.or(own.allow_rounded_ids),
            custom_modules: with_own(self.custom_modules, own.custom_modules),
            root: self.root.or(own.root),
            crosswalks: if self.crosswalks.is_empty() { own.crosswalks } else { self.crosswalks },
            columns,
            ignore_columns: self.ignore_columns.or(own.ignore_columns),
        }
    }

    /// Fills in what the command line and the environment left open.
    pub fn fill(self, run: &mut RunArgs) {
        let (pace, checks) = (&mut run.pace, &mut run.checks);
        pace.concurrency = pace.concurrency.or(self.concurrency);
        pace.rate = pace.rate.or(self.rate);
        run.run_pace.bandwidth = run.run_pace.bandwidth.or(self.bandwidth);
        run.run_pace.credits_per_day = run.run_pace.credits_per_day.or(self.credits_per_day);
        checks.max_size = checks.max_size.or(self.max_size);
        checks.strict |= self.strict.unwrap_or(false);
        checks.allow_empty |= self.allow_empty.unwrap_or(false);
        checks.allow_identical |= self.allow_identical.unwrap_or(false);
        checks.allow_rounded_ids |= self.allow_rounded_ids.unwrap_or(false);
        run.read.custom_module.extend(self.custom_modules);
        run.read.root = run.read.root.take().or(self.root);
        run.read.ignore_columns |= self.ignore_columns.unwrap_or(false);
        run.read.add_columns(self.columns);
        if run.read.crosswalk.is_empty() {
            run.read.crosswalk = self.crosswalks;
        }
    }
}

/// What either file may hold.
pub(super) const RUN_KEYS: &[(&str, ValueReader<RunSettings>)] = &[
    ("concurrency", |run, value| {
        let number = value.as_integer().and_then(|number| u8::try_from(number).ok());
        run.concurrency =
            Some(number.filter(|number| (1..=25).contains(number)).ok_or("must be a number from 1 to 25")?);
        Ok(())
    }),
    ("rate", |run, value| {
        run.rate = Some(parsed(value, "must be a text like \"10/s\", \"90/min\" or \"none\"")?);
        Ok(())
    }),
    ("bandwidth", |run, value| {
        const WANTED: &str = "must be a text like \"5MB/s\"";
        run.bandwidth = Some(value.as_str().and_then(|text| parse_bandwidth(text).ok()).ok_or(WANTED)?);
        Ok(())
    }),
    ("credits_per_day", |run, value| {
        run.credits_per_day = Some(positive(value).ok_or("must be a number from 1")?);
        Ok(())
    }),
    ("max_size", |run, value| {
        let size = positive(value).or_else(|| value.as_str().and_then(|text| parse_size(text).ok()));
        run.max_size = Some(size.ok_or("must be a number of bytes or a text like \"95MiB\"")?);
        Ok(())
    }),
    ("strict", |run, value| {
        run.strict = Some(yes_or_no(value)?);
        Ok(())
    }),
    ("allow_empty", |run, value| {
        run.allow_empty = Some(yes_or_no(value)?);
        Ok(())
    }),
    ("allow_identical", |run, value| {
        run.allow_identical = Some(yes_or_no(value)?);
        Ok(())
    }),
    ("allow_rounded_ids", |run, value| {
        run.allow_rounded_ids = Some(yes_or_no(value)?);
        Ok(())
    }),
    ("custom_modules", |run, value| {
        run.custom_modules = texts(value)?;
        Ok(())
    }),
    ("crosswalk", |run, value| {
        let files = value.as_str().map_or_else(|| texts(value), |one| Ok(vec![one.to_owned()]));
        run.crosswalks =
            files.map_err(|_| "must be a path or a list of paths")?.into_iter().map(PathBuf::from).collect();
        Ok(())
    }),
    ("columns", |run, value| {
        const WANTED: &str = "must name columns and headings, like { record = \"Record Id\" }";
        let table = value.as_inline_table().ok_or(WANTED)?;
        let rule = |(column, heading): (&str, &Value)| HeadingRule::new(column, heading.as_str()?).ok();
        run.columns = table.iter().map(rule).collect::<Option<_>>().ok_or(WANTED)?;
        Ok(())
    }),
    ("ignore_columns", |run, value| {
        run.ignore_columns = Some(yes_or_no(value)?);
        Ok(())
    }),
    ("root", |run, value| {
        run.root = Some(PathBuf::from(text(value)?));
        Ok(())
    }),
];

pub(super) fn run_key_names() -> Vec<&'static str> {
    RUN_KEYS.iter().map(|(name, _)| *name).collect()
}
