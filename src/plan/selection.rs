//! Which rows of a sound manifest a run is about, where somebody begins with a part of it: by module or record, by line,
//! by a sample. It is made after every row was judged and compared with the results, so that a pilot meets the same
//! problems as the whole.

use std::collections::BinaryHeap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::{Checked, RowIx};
use crate::line_set::LineSet;
use crate::upload::{RecordId, RowKey};

/// What was asked for. Words of one kind widen it, different kinds narrow it; nothing asked for means every row.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Selection {
    /// Rows of these modules.
    pub modules: Vec<String>,
    /// Rows of these records.
    pub records: Vec<RecordName>,
    /// Rows that begin on these lines of the manifest.
    pub lines: Option<LineSet>,
    /// So many rows of each module, of what the others leave.
    pub sample: Option<SampleRule>,
}

/// A record as somebody names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordName {
    /// By its id.
    Id(RecordId),
    /// By the key that the manifest has for it.
    Key(String),
}

/// So many rows of each module.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleRule {
    /// Rows of each module; all where it has fewer.
    pub per_module: u32,
    /// What they were chosen by: the same seed chooses the same rows of the same manifest, in whatever order they stand
    /// and whatever became of them since.
    pub seed: u64,
}

/// A selection as plans and reports show it.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SelectionFacts {
    /// Rows of these modules only; empty: of all.
    pub modules: Vec<String>,
    /// Rows of the records with these ids only, or with these `keys`; both empty: of all.
    pub records: Vec<String>,
    /// Rows of the records with these keys of the old system only.
    pub keys: Vec<String>,
    /// Rows on these lines of the manifest only, as in `3,10-200`.
    pub lines: Option<String>,
    /// So many rows of each module only.
    pub sample: Option<SampleRule>,
    /// How many rows it comes to.
    pub rows: u64,
}

/// Why a selection selects nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SelectionError {
    /// No sound row is of this module; it has these.
    NoSuchModule(String, Vec<String>),
    /// No sound row is of this record.
    NoSuchRecord(String),
    /// No sound row stands on these lines.
    NoSuchLines(String),
    /// Each part has rows, and no row is in all of them.
    NothingInCommon,
}

impl fmt::Display for SelectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SelectionError::NoSuchModule(module, known) => {
                write!(f, "no sound row of the manifest is of the module {module}; it has {}", known.join(", "))
            }
            SelectionError::NoSuchRecord(record) => write!(f, "no sound row of the manifest is of the record {record}"),
            SelectionError::NoSuchLines(lines) => write!(f, "no sound row of the manifest begins on the lines {lines}"),
            SelectionError::NothingInCommon => f.write_str("no row of the manifest is all that was asked for at once"),
        }
    }
}

impl std::error::Error for SelectionError {}

/// The rows that were selected.
#[derive(Clone, Debug)]
pub struct SelectedRows {
    rows: Vec<bool>,
    facts: SelectionFacts,
}

impl SelectedRows {
    /// Whether a row is one of them.
    pub fn contains(&self, row: RowIx) -> bool {
        self.rows.get(row.0 as usize).copied().unwrap_or(false)
    }

    /// What they were selected by, for showing.
    pub fn facts(&self) -> &SelectionFacts {
        &self.facts
    }
}

impl Selection {
    /// The selection that a saved plan shows; `None` if it shows none that can be.
    pub fn of(facts: &SelectionFacts) -> Option<Selection> {
        let id = |text: &String| text.parse().ok().and_then(RecordId::new).map(RecordName::Id);
        let mut records = facts.records.iter().map(id).collect::<Option<Vec<_>>>()?;
        records.extend(facts.keys.iter().cloned().map(RecordName::Key));
        let lines = facts.lines.as_deref().map(str::parse).transpose().ok()?;
        Some(Selection { modules: facts.modules.clone(), records, lines, sample: facts.sample })
    }

    /// Whether every row is meant.
    pub fn is_everything(&self) -> bool {
        *self == Selection::default()
    }

    /// The rows that are meant; `None` where that is every row because nothing was asked for.
    ///
    /// # Errors
    ///
    /// A part of it names nothing in this manifest, or the whole selects no row.
    pub fn select(&self, checked: &Checked) -> Result<Option<SelectedRows>, SelectionError> {
        if self.is_everything() {
            return Ok(None);
        }
        let mut rows = vec![true; checked.len()];
        self.keep_modules(checked, &mut rows)?;
        self.keep_records(checked, &mut rows)?;
        self.keep_lines(checked, &mut rows)?;
        if let Some(sample) = self.sample {
            keep_sample(checked, sample, &mut rows);
        }
        match rows.iter().filter(|selected| **selected).count() {
            0 => Err(SelectionError::NothingInCommon),
            count => Ok(Some(SelectedRows { facts: self.facts(count as u64), rows })),
        }
    }

    fn keep_modules(&self, checked: &Checked, rows: &mut [bool]) -> Result<(), SelectionError> {
        if self.modules.is_empty() {
            return Ok(());
        }
        let known: Vec<&str> = checked.modules().collect();
        let ix = |module: &String| {
            known.iter().position(|known| known == module).ok_or_else(|| {
                SelectionError::NoSuchModule(module.clone(), known.iter().map(|known| (*known).to_owned()).collect())
            })
        };
        let wanted = self.modules.iter().map(ix).collect::<Result<Vec<_>, _>>()?;
        keep(checked, rows, |row| wanted.contains(&usize::from(checked.module(row))));
        Ok(())
    }

    fn keep_records(&self, checked: &Checked, rows: &mut [bool]) -> Result<(), SelectionError> {
        if self.records.is_empty() {
            return Ok(());
        }
        let mut found = vec![false; self.records.len()];
        let of_any = |row| {
            let mut any = false;
            for (name, found) in self.records.iter().zip(&mut found) {
                let is_this = match name {
                    RecordName::Id(id) => checked.record(row) == *id,
                    RecordName::Key(key) => checked.record_key(row) == key,
                };
                *found |= is_this;
                any |= is_this;
            }
            any
        };
        keep_all(checked, rows, of_any);
        match self.records.iter().zip(found).find(|(_, found)| !found) {
            Some((RecordName::Id(id), _)) => Err(SelectionError::NoSuchRecord(id.to_string())),
            Some((RecordName::Key(key), _)) => Err(SelectionError::NoSuchRecord(format!("with the key \"{key}\""))),
            None => Ok(()),
        }
    }

    fn keep_lines(&self, checked: &Checked, rows: &mut [bool]) -> Result<(), SelectionError> {
        let Some(lines) = &self.lines else { return Ok(()) };
        if !checked.rows().any(|row| lines.contains(checked.line(row))) {
            return Err(SelectionError::NoSuchLines(shortened(&lines.to_string())));
        }
        keep(checked, rows, |row| lines.contains(checked.line(row)));
        Ok(())
    }

    /// In words.
    pub fn in_words(&self) -> String {
        self.facts(0).in_words()
    }

    fn facts(&self, rows: u64) -> SelectionFacts {
        let (mut records, mut keys) = (Vec::new(), Vec::new());
        for name in &self.records {
            match name {
                RecordName::Id(id) => records.push(id.to_string()),
                RecordName::Key(key) => keys.push(key.clone()),
            }
        }
        let lines = self.lines.as_ref().map(LineSet::to_string);
        SelectionFacts { modules: self.modules.clone(), records, keys, lines, sample: self.sample, rows }
    }
}

impl SelectionFacts {
    /// In words, without the number of rows.
    pub fn in_words(&self) -> String {
        let mut parts = Vec::new();
        if !self.modules.is_empty() {
            parts.push(format!("of {}", self.modules.join(", ")));
        }
        let records: Vec<&str> = self.records.iter().chain(&self.keys).map(String::as_str).collect();
        if !records.is_empty() {
            parts.push(format!("of the records {}", shortened(&records.join(", "))));
        }
        if let Some(lines) = &self.lines {
            parts.push(format!("on the lines {}", shortened(lines)));
        }
        if let Some(SampleRule { per_module, seed }) = self.sample {
            parts.push(format!("a sample of {per_module} of each module (seed {seed})"));
        }
        parts.join(", ")
    }
}

/// Long lists are cut for people; programs get them whole.
fn shortened(list: &str) -> String {
    const MOST: usize = 60;
    match list.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", list.get(..at).unwrap_or(list)),
        None => list.to_owned(),
    }
}

fn keep(checked: &Checked, rows: &mut [bool], wanted: impl Fn(RowIx) -> bool) {
    keep_all(checked, rows, wanted);
}

/// Asks about every row, those that are out already too.
fn keep_all(checked: &Checked, rows: &mut [bool], mut wanted: impl FnMut(RowIx) -> bool) {
    for (row, selected) in checked.rows().zip(rows) {
        *selected &= wanted(row);
    }
}

/// Keeps the rows of each module that its seed puts first. Each row's rank depends on nothing but the seed and the row, so
/// that the choice stays the same while rows come to their end, and when the manifest is sorted otherwise.
fn keep_sample(checked: &Checked, sample: SampleRule, rows: &mut [bool]) {
    let wanted = sample.per_module as usize;
    let mut chosen: Vec<BinaryHeap<(u64, RowIx)>> = checked.modules().map(|_| BinaryHeap::new()).collect();
    for row in checked.rows().filter(|row| rows.get(row.0 as usize).copied().unwrap_or(false)) {
        let Some(of_module) = chosen.get_mut(usize::from(checked.module(row))) else { continue };
        of_module.push((rank(sample.seed, checked.key(row)), row));
        if of_module.len() > wanted {
            of_module.pop();
        }
    }
    rows.fill(false);
    for (_, row) in chosen.into_iter().flatten() {
        if let Some(selected) = rows.get_mut(row.0 as usize) {
            *selected = true;
        }
    }
}

fn rank(seed: u64, key: RowKey) -> u64 {
    // Keys are parts of a SHA-256, so any seed mixed in evenly will do; this must never change, or samples would.
    let mixed = (key.0 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xd1b5_4a32_d192_ed03);
    let mixed = (mixed ^ mixed >> 32).wrapping_mul(0x8cb9_2ba7_2f3d_8dd7);
    mixed ^ mixed >> 29
}
