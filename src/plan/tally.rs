//! Adds up, row by row, what a plan says in numbers.

use std::collections::HashSet;
use std::num::NonZeroU64;

use super::facts::{
    CreditFacts, Facts, LargestFile, ManifestFacts, ModuleFacts, NameChange, RowFacts, SettingFacts, Warning,
};
use super::orphans::Orphan;
use super::selection::SelectedRows;
use super::time::{TimeInputs, estimate};
use super::{PlanOptions, engine};
use crate::check::{Checked, RowIx};
use crate::crm::limits::{CREDITS_PER_DAY, LISTS_TO_SETTLE};
use crate::crm::{FOR_ANY_MODULE, scopes};
use crate::engine::RecordIx;
use crate::engine::policy::{IfExists, MaxFailures};
use crate::manifest::ManifestInfo;
use crate::outcome::Status;
use crate::results::Why;
use crate::units::{counted, size};
use crate::upload::{RecordId, SourceKind};

/// Changed names that a plan names one by one.
const NAMES_SHOWN: usize = 20;

/// The sums so far.
pub(super) struct PlanTally<'c> {
    checked: &'c Checked,
    limit: u64,
    rows: RowFacts,
    modules: Vec<ModuleFacts>,
    /// Whether a run has anything to do in a module, by its index.
    needed: Vec<bool>,
    /// Whether something is sent to a record, by its index.
    sent_to: Vec<bool>,
    doubted_records: HashSet<(String, RecordId)>,
    known: usize,
    largest: Option<(RowIx, u64)>,
    selection: Option<&'c SelectedRows>,
}

impl<'c> PlanTally<'c> {
    pub(super) fn new(checked: &'c Checked, limit: Option<u32>, selection: Option<&'c SelectedRows>) -> PlanTally<'c> {
        let left_out = checked.left_out().len() as u64;
        let rows = RowFacts { total: checked.len() as u64 + left_out, left_out, ..RowFacts::default() };
        let modules: Vec<ModuleFacts> = checked
            .modules()
            .map(|module| ModuleFacts { module: module.to_owned(), ..ModuleFacts::default() })
            .collect();
        PlanTally {
            checked,
            limit: limit.map_or(u64::MAX, u64::from),
            rows,
            sent_to: Vec::new(),
            needed: vec![false; modules.len()],
            modules,
            doubted_records: HashSet::new(),
            known: 0,
            largest: None,
            selection,
        }
    }

    /// Counts whether the results have a line of a row.
    pub(super) fn known(&mut self, known: bool) {
        self.known += usize::from(known);
    }

    /// Counts whether a row was sent under other words.
    pub(super) fn recognised(&mut self, recognised: bool) {
        self.rows.recognised += u64::from(recognised);
    }

    pub(super) fn known_rows(&self) -> usize {
        self.known
    }

    /// Notes that there is something to do in the module of a row.
    fn need(&mut self, row: RowIx) {
        if let Some(needed) = self.needed.get_mut(usize::from(self.checked.module(row))) {
            *needed = true;
        }
    }

    /// The modules that a token must be good for: those in which there is something to do, or all where there is nothing.
    fn needed_modules(&self) -> impl Iterator<Item = &str> {
        let is_idle = !self.needed.contains(&true);
        let modules = self.modules.iter().zip(&self.needed);
        modules.filter(move |(_, needed)| is_idle || **needed).map(|(module, _)| module.module.as_str())
    }

    fn module(&mut self, row: RowIx) -> Option<&mut ModuleFacts> {
        self.modules.get_mut(usize::from(self.checked.module(row)))
    }

    /// Counts a row that needs nothing more.
    pub(super) fn settled(&mut self, row: RowIx, status: Status) {
        match status {
            Status::Failed => self.rows.failed += 1,
            Status::Unknown => self.rows.unknown += 1,
            Status::Deleted => self.rows.deleted += 1,
            Status::Deleting => self.rows.deleting += 1,
            _ => self.rows.done += 1,
        }
        if let Some(module) = self.module(row) {
            module.rows += 1;
        }
    }

    /// Counts a row that waits for a run that it is chosen for.
    pub(super) fn not_selected(&mut self, row: RowIx) {
        self.rows.not_selected += 1;
        if let Some(module) = self.module(row) {
            module.rows += 1;
        }
    }

    /// Counts a row to send, and why it is sent again if it is.
    pub(super) fn unsettled(&mut self, row: RowIx, record: RecordIx, again: Option<Why>) {
        let within_limit = self.rows.to_send < self.limit;
        self.need(row);
        if let Some(module) = self.module(row) {
            module.rows += 1;
        }
        if !within_limit {
            self.rows.beyond_limit += 1;
            return;
        }
        self.rows.to_send += 1;
        match again {
            None => {}
            Some(Why::Asked) => self.rows.asked_again += 1,
            Some(Why::Unfinished | Why::Passing) => self.rows.again += 1,
        }
        let kind = self.checked.kind(row);
        let bytes = self.checked.facts(row).map_or(0, |facts| facts.size);
        let new_record = self.is_new(record);
        if let Some(module) = self.module(row) {
            module.to_send += 1;
            module.records += u64::from(new_record);
            module.bytes += bytes;
            match kind {
                SourceKind::File => module.files += 1,
                SourceKind::Link => module.links += 1,
            }
        }
        if kind == SourceKind::File && self.largest.is_none_or(|(_, largest)| bytes > largest) {
            self.largest = Some((row, bytes));
        }
    }

    fn is_new(&mut self, record: RecordIx) -> bool {
        let ix = record.0 as usize;
        if ix >= self.sent_to.len() {
            self.sent_to.resize(ix + 1, false);
        }
        self.sent_to.get_mut(ix).is_some_and(|sent_to| !std::mem::replace(sent_to, true))
    }

    /// Counts a row whose answer was lost in an earlier run.
    pub(super) fn in_doubt(&mut self, row: RowIx) {
        self.rows.in_doubt += 1;
        self.need(row);
        if let Some(module) = self.module(row) {
            module.rows += 1;
        }
        let upload = self.checked.upload(row);
        self.doubted_records.insert((upload.module.to_owned(), upload.record));
    }

    /// Counts one that the manifest no longer has.
    pub(super) fn orphan(&mut self, orphan: &Orphan) {
        self.rows.in_doubt_not_in_manifest += 1;
        self.doubted_records.insert((orphan.line.module.clone(), orphan.record));
    }

    /// What the sums say. `jobs`: the rows that are not settled, in order; `gone`: rows of the results that the manifest
    /// does not have.
    pub(super) fn facts(mut self, manifest: &ManifestInfo, settings: &PlanOptions, jobs: &[RowIx], gone: u64) -> Facts {
        let changed = settings.changed_files.clone();
        self.rows.not_in_manifest = gone;
        (self.rows.changed, self.rows.perhaps_changed) = (changed.changed, changed.perhaps_changed);
        let total = |of: fn(&ModuleFacts) -> u64| self.modules.iter().map(of).sum::<u64>();
        let (files, links, bytes) = (total(|m| m.files), total(|m| m.links), total(|m| m.bytes));
        let credits = self.credits(settings);
        let time = (credits.needed > 0).then(|| estimate(&work(&credits, bytes, settings)));
        let (names_changed, first_names_changed) = self.names(jobs);
        let mut facts = Facts {
            manifest: manifest_facts(manifest),
            crosswalk: settings.crosswalk.clone(),
            target: settings.target.clone(),
            results: settings.results.display().to_string(),
            selection: self.selection.map(|selected| selected.facts().clone()),
            rows: self.rows,
            files,
            links,
            bytes,
            largest: self.largest.map(|(row, bytes)| largest(self.checked, row, bytes)),
            names_changed,
            first_names_changed,
            changes_compared: changed.compared,
            first_changed: changed.first_changed,
            first_perhaps_changed: changed.first_perhaps_changed,
            credits,
            time,
            scopes: scopes(self.needed_modules()),
            scopes_for_any_module: FOR_ANY_MODULE.map(str::to_owned).to_vec(),
            settings: setting_facts(settings),
            warnings: Vec::new(),
            modules: self.modules,
        };
        facts.warnings = warnings(&facts, settings);
        facts
    }

    fn credits(&self, settings: &PlanOptions) -> CreditFacts {
        let uploads = self.rows.to_send;
        let settling = LISTS_TO_SETTLE * self.doubted_records.len() as u64;
        let first = u64::from(uploads + settling > 0);
        let baselines = match settings.engine.if_exists {
            IfExists::Upload => 0,
            IfExists::Skip | IfExists::Fail => self.modules.iter().map(|module| module.records).sum(),
        };
        let lists = first + baselines + settling;
        CreditFacts {
            needed: uploads + lists,
            uploads,
            lists,
            each_lost_answer: LISTS_TO_SETTLE + 1,
            allowed: settings.engine.max_credits,
            per_day: settings.credits_per_day.unwrap_or(CREDITS_PER_DAY),
            per_day_is_assumed: settings.credits_per_day.is_none(),
        }
    }

    fn names(&self, jobs: &[RowIx]) -> (u64, Vec<NameChange>) {
        let mut count = 0;
        let mut first = Vec::new();
        for (row, own, sent) in self.checked.renamed().filter(|(row, ..)| jobs.binary_search(row).is_ok()) {
            count += 1;
            if first.len() < NAMES_SHOWN {
                let line = self.checked.line(row);
                first.push(NameChange { line, own: own.to_owned(), sent: sent.to_owned() });
            }
        }
        (count, first)
    }
}

fn work(credits: &CreditFacts, bytes: u64, settings: &PlanOptions) -> TimeInputs {
    let kept = credits.per_day.saturating_sub(settings.engine.keep_credits);
    TimeInputs {
        uploads: credits.uploads,
        credits: credits.needed,
        bytes,
        concurrency: settings.engine.concurrency,
        rate: settings.engine.rate,
        bandwidth: settings.bandwidth,
        credits_per_day: NonZeroU64::new(kept).unwrap_or(NonZeroU64::MIN),
    }
}

fn largest(checked: &Checked, row: RowIx, bytes: u64) -> LargestFile {
    let upload = checked.upload(row);
    LargestFile { line: upload.line, file: upload.source.to_owned(), bytes }
}

fn manifest_facts(manifest: &ManifestInfo) -> ManifestFacts {
    let read_as = match manifest.delimiter {
        Some(delimiter) => format!("{} with {}", manifest.format, delimiter_in_words(delimiter)),
        None => match &manifest.sheet {
            Some(sheet) => format!("{}, sheet {sheet}", manifest.format),
            None => manifest.format.to_string(),
        },
    };
    ManifestFacts {
        path: manifest.path.display().to_string(),
        sha256: manifest.sha256.clone(),
        read_as,
        encoding: manifest.encoding.to_owned(),
        base: manifest.base.display().to_string(),
    }
}

fn setting_facts(settings: &PlanOptions) -> SettingFacts {
    let engine::Policy { concurrency, retries, keep_credits, limit, .. } = settings.engine;
    SettingFacts {
        concurrency,
        rate: settings.engine.rate.to_string(),
        bandwidth: settings.bandwidth,
        retries,
        settle_seconds: settings.engine.settle_time.as_secs(),
        if_exists: settings.engine.if_exists.as_str().to_owned(),
        keep_credits,
        limit,
        max_failures: match settings.engine.max_failures {
            MaxFailures::Rows(rows) => rows.to_string(),
            MaxFailures::Percent(percent) => format!("{percent}%"),
        },
        max_duration_seconds: settings.engine.max_duration.map(|time| time.as_secs()),
        flags: settings.flags.clone(),
    }
}

/// What the user should know.
fn warnings(facts: &Facts, settings: &PlanOptions) -> Vec<Warning> {
    let mut warnings = settings.warnings.clone();
    let gone = facts.rows.not_in_manifest;
    if gone > 0 {
        warnings.push(Warning::new(
            "rows-not-in-manifest",
            format!("{} of the results are not in this manifest; their lines are kept", counted(gone, "row")),
        ));
    }
    if !facts.credits.suffice() {
        let CreditFacts { needed, allowed, .. } = facts.credits;
        let allowed = allowed.unwrap_or(0);
        warnings.push(Warning::new(
            "max-credits",
            format!("the {allowed} credits that the run may use do not suffice for {needed}: it will send what it can and stop"),
        ));
    }
    if facts.rows.to_send == 0 {
        return warnings;
    }
    if facts.bytes > 0 {
        warnings.push(Warning::new(
            "storage",
            format!("the files will take {} of the organisation's storage", size(facts.bytes)),
        ));
    }
    warnings.push(Warning::new(
        "owner-and-date",
        "the owner and the date of an attachment cannot be set: they are the user whose credentials are used, and the \
         time of the upload",
    ));
    warnings
}

/// A comma among commas is hard to see.
fn delimiter_in_words(delimiter: char) -> String {
    match delimiter {
        ',' => "commas".to_owned(),
        ';' => "semicolons".to_owned(),
        '\t' => "tabs".to_owned(),
        '|' => "bars (|)".to_owned(),
        other => format!("`{other}`"),
    }
}
