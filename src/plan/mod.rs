//! Decides what a run is going to do; one value that the dry run prints and the run executes.
//!
//! It is made only from rows that passed the check and from what earlier runs left in the results. `facts` is what it
//! says to people and programs, `time` how long that takes, `recognise` which rows were sent under
//! other words. How it is shown is the business of `console`.

pub mod facts;
mod orphans;
pub mod recognise;
pub mod saved;
pub mod selection;
mod tally;
pub mod time;

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

pub use orphans::Orphan;

use crate::check::{Checked, RowIx};
use crate::engine::{self, Descriptor, Descriptors, IfAbsent, Job, JobId, PriorAttempt, PriorDoubt, RecordIx};
use crate::manifest::ManifestInfo;
use crate::outcome::Status;
use crate::results::{Disk, Line, ResendRules, ResultsSnapshot, Standing, Why};
use crate::upload::{RecordId, RowKey, SourceKind, Upload};
use facts::{ChangedFiles, CrosswalkFacts, Facts, TargetFacts, Warning};
use selection::SelectedRows;
use tally::PlanTally;

/// What a plan depends on besides the rows.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// The results file as the user will know it.
    pub results: PathBuf,
    /// Where to, if that is known.
    pub target: Option<TargetFacts>,
    /// How the run will behave.
    pub engine: engine::Policy,
    /// `--bandwidth`, in bytes a second.
    pub bandwidth: Option<u64>,
    /// What the organisation gets in 24 hours, if the user said so.
    pub credits_per_day: Option<u64>,
    /// Switches that are on, as typed.
    pub flags: Vec<String>,
    /// What the check knows of the crosswalks; `None` where none was named.
    pub crosswalk: Option<CrosswalkFacts>,
    /// Files that changed after they were sent, and that this run leaves as they are.
    pub changed_files: ChangedFiles,
    /// Warnings that were found on the way.
    pub warnings: Vec<Warning>,
}

/// What a run is going to do.
pub struct Plan {
    checked: Checked,
    jobs: Vec<Job>,
    /// The rows of the first jobs; those behind are the orphans', in their order.
    rows: Vec<RowIx>,
    orphans: Vec<Orphan>,
    /// API names by the index that jobs have them by.
    modules: Vec<String>,
    prior_attempts: Vec<(JobId, PriorAttempt)>,
    /// Rows that have an attachment of ours already and are to get a further one.
    further: Vec<RowKey>,
    /// The rows that the user chose; `None`: all.
    selected: Option<SelectedRows>,
    facts: Facts,
}

/// Makes the plan for a whole manifest.
///
/// # Errors
///
/// When the results cannot be read.
pub fn plan<D: Disk>(
    manifest: &ManifestInfo,
    checked: Checked,
    seen: &ResultsSnapshot<D>,
    resend: &ResendRules,
    settings: &PlanOptions,
) -> io::Result<Plan> {
    plan_selected(manifest, checked, seen, resend, settings, None)
}

/// Makes the plan for the rows that the user chose; `None`: for all.
///
/// # Errors
///
/// When the results cannot be read.
pub fn plan_selected<D: Disk>(
    manifest: &ManifestInfo,
    checked: Checked,
    seen: &ResultsSnapshot<D>,
    resend: &ResendRules,
    settings: &PlanOptions,
    selected: Option<SelectedRows>,
) -> io::Result<Plan> {
    let mut draft = Draft::new(&checked);
    let chosen = Chosen::of(selected.as_ref(), &draft);
    let mut orphans = orphans::orphans(&checked, seen, resend)?;
    orphans.retain(|orphan| chosen.concerns_record(&checked, &orphan.line.module, orphan.record));
    let mut tally = PlanTally::new(&checked, settings.engine.limit, selected.as_ref());
    let mut further = Vec::new();
    for row in checked.rows() {
        let is_chosen = chosen.contains(row);
        if seen.history().is_empty() {
            tally.known(false);
            if !is_chosen {
                tally.not_selected(row);
                continue;
            }
            let record = draft.row(row, &orphans).1;
            tally.unsettled(row, record, None);
            continue;
        }
        let key = checked.key(row);
        let standing = seen.history().standing(key, resend);
        tally.known(seen.history().status(key).is_some());
        tally.recognised(seen.history().is_taken_over(key));
        match standing {
            Standing::Settled(status) => tally.settled(row, status),
            Standing::New | Standing::Again(_) if !is_chosen => tally.not_selected(row),
            // What is sent to a record is only told apart from what is in doubt there once that is settled.
            Standing::InDoubt { .. } if !is_chosen && !chosen.concerns(row) => tally.not_selected(row),
            Standing::New => {
                let record = draft.row(row, &orphans).1;
                tally.unsettled(row, record, None);
            }
            Standing::Again(why) => {
                let record = draft.row(row, &orphans).1;
                if seen.history().status(key).is_some_and(Status::tells_of_attachment) {
                    further.push(key);
                }
                tally.unsettled(row, record, Some(why));
            }
            Standing::InDoubt { sent_at, why } => {
                let line = seen.line(key)?;
                let (job, _) = draft.row(row, &orphans);
                let if_absent = if is_chosen { IfAbsent::SendAgain } else { IfAbsent::NotSelected };
                draft.prior_attempts.push((job, prior(sent_at, why, line.as_ref(), if_absent)));
                tally.in_doubt(row);
            }
        }
    }
    for orphan in &orphans {
        let Standing::InDoubt { sent_at, why } = seen.history().standing(orphan.line.key, resend) else { continue };
        let job = draft.orphan(orphan, &orphans);
        draft.prior_attempts.push((job, prior(sent_at, why, Some(&orphan.line), IfAbsent::NotInManifest)));
        tally.orphan(orphan);
    }
    let left_out_known = checked.left_out().iter().filter(|row| seen.history().status(row.key).is_some());
    let superseded = seen.history().set_aside().len();
    let gone = seen.history().len().saturating_sub(tally.known_rows() + left_out_known.count() + superseded);
    let Draft { jobs, rows, modules, prior_attempts, .. } = draft;
    let facts = tally.facts(manifest, settings, &rows, gone as u64);
    Ok(Plan { jobs, rows, orphans, modules, prior_attempts, further, selected, facts, checked })
}

/// What earlier runs left of a row in doubt, whose last line this is.
fn prior(sent_at: i64, why: Why, line: Option<&Line>, if_absent: IfAbsent) -> PriorAttempt {
    let size = line.filter(|line| line.kind() == Some(SourceKind::File)).and_then(|line| line.bytes);
    let refusal = line
        .filter(|line| line.status == Status::InDoubt)
        .and_then(|line| engine::PriorRefusal::of_line(&line.code, &line.message, line.http_status));
    let was = match why {
        Why::Asked => PriorDoubt::Unknown,
        Why::Unfinished | Why::Passing => PriorDoubt::InDoubt,
    };
    let sent_at = Timestamp::from_second(sent_at).unwrap_or(Timestamp::UNIX_EPOCH);
    PriorAttempt { sent_at, size, was, if_absent, refusal }
}

/// Which rows are chosen, and which records they concern.
struct Chosen<'s> {
    selected: Option<&'s SelectedRows>,
    /// Of each row: the first one with the same record.
    firsts: Vec<u32>,
    /// Of each of these first ones: whether a chosen row has its record. Empty where all rows are chosen.
    concerned: Vec<bool>,
}

impl<'s> Chosen<'s> {
    fn of(selected: Option<&'s SelectedRows>, draft: &Draft<'_>) -> Chosen<'s> {
        let Some(rows) = selected else {
            return Chosen { selected: None, firsts: Vec::new(), concerned: Vec::new() };
        };
        let firsts = draft.firsts.clone();
        let mut concerned = vec![false; firsts.len()];
        for row in draft.checked.rows().filter(|row| rows.contains(*row)) {
            let first = firsts.get(row.0 as usize).copied().unwrap_or(row.0);
            if let Some(concerned) = concerned.get_mut(first as usize) {
                *concerned = true;
            }
        }
        Chosen { selected, firsts, concerned }
    }

    fn contains(&self, row: RowIx) -> bool {
        self.selected.is_none_or(|selected| selected.contains(row))
    }

    /// Whether a chosen row has the record of this one.
    fn concerns(&self, row: RowIx) -> bool {
        let first = self.firsts.get(row.0 as usize).copied().unwrap_or(row.0);
        self.selected.is_none() || self.concerned.get(first as usize).copied().unwrap_or(false)
    }

    fn concerns_record(&self, checked: &Checked, module: &str, record: RecordId) -> bool {
        let of_it = |row: &RowIx| checked.record(*row) == record && checked.upload(*row).module == module;
        self.selected.is_none() || checked.rows().find(of_it).is_some_and(|row| self.concerns(row))
    }
}

/// The jobs under construction.
struct Draft<'c> {
    checked: &'c Checked,
    jobs: Vec<Job>,
    rows: Vec<RowIx>,
    modules: Vec<String>,
    /// Of each row: the first one with the same record.
    firsts: Vec<u32>,
    /// Of each of these first ones: the index of the record, once something is to be done about it.
    numbers: Vec<Option<RecordIx>>,
    /// How many records have an index.
    records: u32,
    /// The same by module and id, made when an orphan asks.
    by_id: Option<HashMap<(u16, RecordId), RecordIx>>,
    /// The ambiguity group of each orphan; `None` where no row could be mistaken for it.
    ambiguity_groups: Vec<Option<u32>>,
    prior_attempts: Vec<(JobId, PriorAttempt)>,
}

impl<'c> Draft<'c> {
    fn new(checked: &'c Checked) -> Draft<'c> {
        Draft {
            checked,
            jobs: Vec::with_capacity(checked.len()),
            rows: Vec::with_capacity(checked.len()),
            modules: checked.modules().map(str::to_owned).collect(),
            firsts: first_rows(checked),
            numbers: vec![None; checked.len()],
            records: 0,
            by_id: None,
            ambiguity_groups: Vec::new(),
            prior_attempts: Vec::new(),
        }
    }

    fn row(&mut self, row: RowIx, orphans: &[Orphan]) -> (JobId, RecordIx) {
        let module = self.checked.module(row);
        let record = self.record(row);
        let ambiguity_group = self.checked.ambiguity_group(row).0;
        self.ambiguity_groups.resize(orphans.len(), None);
        for (known, orphan) in self.ambiguity_groups.iter_mut().zip(orphans) {
            if orphan.is_ambiguous_with(self.checked, row) {
                *known = Some(ambiguity_group);
            }
        }
        self.rows.push(row);
        (self.push(Job { module, record, ambiguity_group }), record)
    }

    /// A job for a row that the manifest no longer has. Rows must all be in before.
    fn orphan(&mut self, orphan: &Orphan, orphans: &[Orphan]) -> JobId {
        let module = self.module(&orphan.line.module);
        let record = self.record_of_orphan(module, orphan.record);
        // Of several that could be mistaken for each other, the first one's place stands for all; numbers from the
        // count of rows on are no row's.
        let first = orphans.iter().position(|other| orphan.is_ambiguous_with_orphan(other)).unwrap_or(0);
        let own = u32::try_from(self.checked.len() + first).unwrap_or(u32::MAX);
        let ambiguity_group = self.ambiguity_groups.get(first).copied().flatten().unwrap_or(own);
        self.push(Job { module, record, ambiguity_group })
    }

    fn push(&mut self, job: Job) -> JobId {
        self.jobs.push(job);
        // Rows are numbered in 32 bits, and there are fewer jobs than rows and orphans.
        JobId(u32::try_from(self.jobs.len() - 1).unwrap_or(u32::MAX))
    }

    fn module(&mut self, name: &str) -> u16 {
        let known = self.modules.iter().position(|module| module == name);
        let ix = known.unwrap_or_else(|| {
            self.modules.push(name.to_owned());
            self.modules.len() - 1
        });
        u16::try_from(ix).unwrap_or(u16::MAX)
    }

    fn record(&mut self, row: RowIx) -> RecordIx {
        let fresh = RecordIx(self.records);
        let first = self.firsts.get(row.0 as usize).copied().unwrap_or(row.0);
        let record = self.numbers.get_mut(first as usize).map_or(fresh, |number| *number.get_or_insert(fresh));
        self.records += u32::from(record == fresh);
        record
    }

    fn record_of_orphan(&mut self, module: u16, id: RecordId) -> RecordIx {
        let fresh = RecordIx(self.records);
        let of_rows = || {
            let rows = self.rows.iter().zip(&self.jobs);
            rows.map(|(row, job)| ((job.module, self.checked.record(*row)), job.record)).collect()
        };
        let record = *self.by_id.get_or_insert_with(of_rows).entry((module, id)).or_insert(fresh);
        self.records += u32::from(record == fresh);
        record
    }
}

/// Of each row, the first one with the same record. Sorted, since a table of a million records would cost a cache miss
/// for each row.
fn first_rows(checked: &Checked) -> Vec<u32> {
    // Exports write records in order, and where each has one row there is nothing to sort.
    if checked.rows().is_sorted_by(|one, next| checked.record(*one) < checked.record(*next)) {
        return checked.rows().map(|row| row.0).collect();
    }
    let mut by_record: Vec<_> = checked.rows().map(|row| (checked.record(row), checked.module(row), row)).collect();
    by_record.sort_unstable();
    let mut firsts = vec![0; checked.len()];
    for rows in by_record.chunk_by(|one, next| (one.0, one.1) == (next.0, next.1)) {
        for (.., row) in rows {
            if let (Some(first), Some((.., lowest))) = (firsts.get_mut(row.0 as usize), rows.first()) {
                *first = lowest.0;
            }
        }
    }
    firsts
}

impl Plan {
    /// Adds whose CRM it is, once that was found out; where nobody can tell, the warning says so.
    pub fn know_owner(&mut self, owner: Result<String, Warning>) {
        match (owner, &mut self.facts.target) {
            (Ok(owner), Some(target)) => target.owner = Some(owner),
            (Ok(_), None) => {}
            (Err(warning), _) => self.facts.warnings.push(warning),
        }
    }

    /// What it says.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The rows that it was made from.
    pub fn checked(&self) -> &Checked {
        &self.checked
    }

    /// What the engine is to do, rows in manifest order.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// What earlier runs left in doubt, by job.
    pub fn prior_attempts(&self) -> &[(JobId, PriorAttempt)] {
        &self.prior_attempts
    }

    /// API names by the index that jobs have them by.
    pub fn modules(&self) -> &[String] {
        &self.modules
    }

    /// The row of a job; `None` if the manifest no longer has it.
    pub fn row(&self, job: JobId) -> Option<RowIx> {
        self.rows.get(job.0 as usize).copied()
    }

    /// What a job is to upload; `None` if the manifest no longer has it.
    pub fn upload(&self, job: JobId) -> Option<Upload<'_>> {
        self.row(job).map(|row| self.checked.upload(row))
    }

    /// What is known of a job that the manifest no longer has.
    pub fn orphan(&self, job: JobId) -> Option<&Orphan> {
        (job.0 as usize).checked_sub(self.rows.len()).and_then(|ix| self.orphans.get(ix))
    }

    /// Module and record of a job.
    ///
    /// `None` only for a job that is not of this plan.
    pub fn record(&self, job: JobId) -> Option<(&str, RecordId)> {
        match self.upload(job) {
            Some(upload) => Some((upload.module, upload.record)),
            None => self.orphan(job).map(|orphan| (orphan.line.module.as_str(), orphan.record)),
        }
    }

    /// Rows that have an attachment of ours already and are to get a further one: their lines must be set aside before
    /// anything is sent.
    pub fn further(&self) -> &[RowKey] {
        &self.further
    }

    /// Whether a row is one of those that the user chose; all are where nobody chose.
    pub fn is_selected(&self, row: RowIx) -> bool {
        self.selected.as_ref().is_none_or(|selected| selected.contains(row))
    }

    /// Whether a run would have anything to do.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }
}

impl Descriptors for Plan {
    fn descriptor(&self, job: JobId) -> Descriptor<'_> {
        if let Some(row) = self.row(job) {
            let upload = self.checked.upload(row);
            let link = (upload.kind == SourceKind::Link).then_some(Cow::Borrowed(upload.source));
            let size = self.checked.facts(row).map(|facts| facts.size);
            return Descriptor { name: Cow::Borrowed(upload.name), size, link };
        }
        match self.orphan(job) {
            Some(Orphan { line, .. }) => {
                let is_link = line.kind() == Some(SourceKind::Link);
                let link = is_link.then_some(Cow::Borrowed(line.url.as_str()));
                let size = line.bytes.filter(|_| !is_link);
                Descriptor { name: Cow::Borrowed(&line.name), size, link }
            }
            None => Descriptor { name: Cow::Borrowed(""), size: None, link: None },
        }
    }
}

#[cfg(test)]
mod tests;
