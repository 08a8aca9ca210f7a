//! The page, the workbook and the text about a plan that was saved, for whoever is to approve it: what will go where, the
//! largest files, what is not sent and why, what it costs and how long it takes.
//!
//! | to change | open |
//! | --- | --- |
//! | what is counted, which rows are kept | here |
//! | a sentence or a label | `wording.rs` |
//! | the page | `html.rs` |
//! | the text for a wiki | `markdown.rs` |
//! | the workbook | `xlsx.rs` |
//!
//! A plan of a million rows is taken in row by row; what is kept of it does not grow with the rows, the numbers of the
//! records aside.

mod html;
mod markdown;
mod wording;
mod xlsx;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use jiff::Timestamp;

use super::model::{SIZE_CLASSES, SizeClass};
use crate::explain;
use crate::plan::saved::{PlanHead, PlannedAction, SavedRow};

/// Files that are named as the largest.
const LARGEST: usize = 10;

/// Up to so many rows, the page lists each that is sent.
const ALL_LISTED: usize = 200;

/// Rows of each module that it lists where there are more.
const EXAMPLES: usize = 10;

/// Rows of each reason to leave some out that are listed.
const LEFT_OUT_LISTED: usize = 200;

/// Hands on every row of a plan once more.
type PlanRows<'r> = &'r mut dyn FnMut(&mut dyn FnMut(&SavedRow)) -> io::Result<()>;

/// Where a report on a plan comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlanOrigin {
    /// What the report is called, if somebody said so.
    pub title: Option<String>,
    /// Whom it is for, if somebody said so.
    pub client: Option<String>,
    /// The plan file's own name.
    pub plan: String,
    /// SHA-256 of its bytes, in hex: what is approved is this file and no other.
    pub plan_sha256: String,
    /// When the report is made.
    pub made_at: Timestamp,
}

/// What a saved plan says, counted once for every form of the report.
#[derive(Clone, PartialEq, Debug)]
pub struct PlanReport {
    origin: PlanOrigin,
    head: PlanHead,
    /// All that is to be sent.
    all: ToSend,
    /// The same by module, in the order in which modules first appear.
    modules: Vec<(String, ToSend)>,
    /// The largest files, the largest first.
    largest: Vec<SavedRow>,
    /// Files to send by size.
    sizes: Vec<SizeClass>,
    /// Rows that are sent: all of them, or the first of each module.
    listed: Vec<SavedRow>,
    /// Why rows are left out, the most frequent reason first.
    left_out: Vec<LeftOutBecause>,
}

/// What is to be sent, in numbers. Rows to look up first count as well: they are sent if they are not there.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct ToSend {
    /// Rows that the plan has, whatever becomes of them.
    rows: u64,
    /// Rows that are sent.
    sent: u64,
    /// Rows whose answer was lost before: they are looked up, and sent if they are not there.
    looked_up: u64,
    /// Distinct records that get something.
    records: u64,
    /// Files among the rows to send.
    files: u64,
    /// Links among them.
    links: u64,
    /// Bytes of the files.
    bytes: u64,
}

impl ToSend {
    /// Everything that may be attached.
    fn attachments(&self) -> u64 {
        self.sent + self.looked_up
    }

    fn add(&mut self, row: &SavedRow) {
        self.rows += 1;
        match row.action {
            PlannedAction::Send => self.sent += 1,
            PlannedAction::LookUp => self.looked_up += 1,
            PlannedAction::Nothing | PlannedAction::NotChosen | PlannedAction::LeftOut => return,
        }
        self.bytes += row.bytes.unwrap_or(0);
        *if row.url.is_empty() { &mut self.files } else { &mut self.links } += 1;
    }
}

/// Rows that are left out for problems of one kind.
#[derive(Clone, PartialEq, Eq, Debug)]
struct LeftOutBecause {
    /// The problem's code.
    code: String,
    /// What it means, where that is known.
    meaning: Option<&'static str>,
    /// How many there are.
    count: u64,
    /// The first of them.
    rows: Vec<SavedRow>,
}

/// What is kept of one module.
#[derive(Default, Debug)]
struct ModuleOfPlan {
    counts: ToSend,
    records: HashSet<u64>,
    examples: Vec<SavedRow>,
}

/// Takes in the rows of a plan one by one; the [`PlanReport`] is its end.
#[derive(Default, Debug)]
pub struct PlanReportBuilder {
    all: ToSend,
    names: Vec<String>,
    modules: HashMap<String, ModuleOfPlan>,
    /// The largest files so far, the largest first; among equals the one that came first.
    largest: Vec<SavedRow>,
    sizes: [u64; SIZE_CLASSES.len() + 1],
    listed: Vec<SavedRow>,
    left_out: BTreeMap<String, LeftOutBecause>,
}

impl PlanReportBuilder {
    /// Takes one row in.
    pub fn add(&mut self, row: &SavedRow) {
        self.all.add(row);
        if row.action == PlannedAction::LeftOut {
            return self.add_left_out(row);
        }
        if !self.modules.contains_key(&row.module) {
            self.names.push(row.module.clone());
        }
        let module = self.modules.entry(row.module.clone()).or_default();
        module.counts.add(row);
        if !row.action.sends() {
            return;
        }
        module.records.extend(row.record.parse::<u64>());
        if module.examples.len() < EXAMPLES {
            module.examples.push(row.clone());
        }
        // One more than is shown says that not all are.
        if self.listed.len() <= ALL_LISTED {
            self.listed.push(row.clone());
        }
        if let (Some(bytes), true) = (row.bytes, row.url.is_empty()) {
            self.add_file(row, bytes);
        }
    }

    fn add_file(&mut self, row: &SavedRow, bytes: u64) {
        if let Some(files) = self.sizes.get_mut(SIZE_CLASSES.partition_point(|below| *below <= bytes)) {
            *files += 1;
        }
        let at = self.largest.partition_point(|larger| larger.bytes >= Some(bytes));
        if at < LARGEST {
            self.largest.insert(at, row.clone());
            self.largest.truncate(LARGEST);
        }
    }

    fn add_left_out(&mut self, row: &SavedRow) {
        let group = self.left_out.entry(row.why.clone()).or_insert_with(|| LeftOutBecause {
            code: row.why.clone(),
            meaning: explain::find(&row.why).ok().map(|page| page.title),
            count: 0,
            rows: Vec::new(),
        });
        group.count += 1;
        if group.rows.len() < LEFT_OUT_LISTED {
            group.rows.push(row.clone());
        }
    }

    /// The report on all rows taken in.
    pub fn finish(mut self, head: PlanHead, origin: PlanOrigin) -> PlanReport {
        let (mut modules, mut examples) = (Vec::new(), Vec::new());
        for name in self.names {
            let Some(mut module) = self.modules.remove(&name) else { continue };
            module.counts.records = module.records.len() as u64;
            self.all.records += module.counts.records;
            modules.push((name, module.counts));
            examples.append(&mut module.examples);
        }
        let mut left_out: Vec<LeftOutBecause> = self.left_out.into_values().collect();
        left_out.sort_by_key(|group| Reverse(group.count));
        let bounds = SIZE_CLASSES.into_iter().map(Some).chain([None]);
        PlanReport {
            origin,
            head,
            all: self.all,
            modules,
            largest: self.largest,
            sizes: bounds.zip(self.sizes).map(|(below, files)| SizeClass { below, files }).collect(),
            listed: if self.listed.len() > ALL_LISTED { examples } else { self.listed },
            left_out,
        }
    }
}

impl PlanReport {
    /// What the report says first.
    pub fn headline(&self) -> String {
        wording::headline(self)
    }

    /// The head of the plan that it is about.
    pub fn plan_head(&self) -> &PlanHead {
        &self.head
    }

    /// Writes the page.
    pub fn write_html(&self, out: &mut dyn io::Write) -> io::Result<()> {
        html::write(self, out)
    }

    /// Writes the Markdown text.
    pub fn write_markdown(&self, out: &mut dyn io::Write) -> io::Result<()> {
        out.write_all(markdown::write(self).as_bytes())
    }

    /// Writes the workbook. It lists every row, so `rows` hands on all rows of the plan once more.
    pub fn write_xlsx(&self, rows: PlanRows<'_>, out: impl io::Write + io::Seek + Send) -> io::Result<()> {
        xlsx::write(self, rows, out).map_err(|error| match error {
            rust_xlsxwriter::XlsxError::IoError(error) => error,
            error => io::Error::other(error),
        })
    }

    /// Rows to send that are not listed.
    fn unlisted(&self) -> u64 {
        self.all.attachments().saturating_sub(self.listed.len() as u64)
    }
}

#[cfg(test)]
mod tests;
