//! Holds the rows of a plan that is about to be carried out against those that were approved.
//!
//! A row is found by its key. One that has none there is looked for by what it says, so that a manifest that was exported
//! anew (`./scans/2.pdf` for `scans/2.pdf`) is not taken for another one: the same record, the same name, a path that leads
//! to the same place. A file that lies elsewhere now is not the one that was approved, whatever is in it.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::Path;

use jiff::Timestamp;

use super::rows::{actions, hash, modified};
use super::{PlannedAction, SavedRow};
use crate::check::{LeftOut, RowIx};
use crate::plan::Plan;
use crate::plan::recognise::WrittenPath;
use crate::text::hex;
use crate::upload::{RowKey, SourceKind};

/// Rows of a plan that are described in full; of others the line must do.
const DESCRIBED: usize = 1_000;

/// Files that are hashed at a time.
const BATCH: usize = 1_024;

/// How a row is not as it was approved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotAsApproved {
    /// The manifest has none of the rows of the plan.
    OtherManifest,
    /// The run would send a row that the plan does not have.
    NotInPlan {
        /// Its line in the manifest.
        line: u32,
        /// What it says.
        row: String,
    },
    /// The run would send a row that the plan has, but does not send.
    NotToBeSent {
        /// Its line in the manifest.
        line: u32,
        /// What it says.
        row: String,
        /// What the plan does about it.
        action: PlannedAction,
    },
    /// The plan has a row that the manifest does not have.
    Gone {
        /// Its line in the manifest at that time.
        line: u32,
        /// What it says; empty where too many rows are gone to tell of each.
        row: String,
    },
    /// The plan sends a row that is left out now.
    LeftOut {
        /// Its line in the manifest.
        line: u32,
        /// What it says.
        row: String,
        /// The code of its problem.
        why: String,
    },
    /// The file is not the one that was approved.
    OtherFile {
        /// Its line in the manifest.
        line: u32,
        /// The file as written.
        file: String,
        /// How it differs.
        how: FileChange,
    },
}

impl NotAsApproved {
    /// The line of the manifest, of today or of that time; 0 for the whole.
    pub fn line(&self) -> u32 {
        match self {
            NotAsApproved::OtherManifest => 0,
            NotAsApproved::NotInPlan { line, .. }
            | NotAsApproved::NotToBeSent { line, .. }
            | NotAsApproved::Gone { line, .. }
            | NotAsApproved::LeftOut { line, .. }
            | NotAsApproved::OtherFile { line, .. } => *line,
        }
    }
}

/// How a file differs from the one that was approved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileChange {
    /// It has other bytes than these many.
    Size(u64, u64),
    /// It was written to.
    Modified(String, String),
    /// It has another SHA-256.
    Content,
}

impl fmt::Display for FileChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileChange::Size(then, now) => write!(f, "it had {then} bytes and has {now} now"),
            FileChange::Modified(then, now) => write!(f, "it was last written to at {then}, and now at {now}"),
            FileChange::Content => f.write_str("its content (SHA-256) is another one"),
        }
    }
}

/// What the comparison needs of a row of the plan.
struct Approved {
    line: u32,
    action: PlannedAction,
    bytes: Option<u64>,
    modified_ns: Option<i64>,
    sha256: Option<Box<str>>,
    /// In words; empty where there are too many rows to keep them.
    words: String,
}

impl Approved {
    fn of(saved: &SavedRow, words: String) -> Approved {
        let time = saved.modified.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
        Approved {
            line: saved.line,
            action: saved.action,
            bytes: saved.bytes,
            modified_ns: time.and_then(|time| time.as_nanosecond().try_into().ok()),
            sha256: saved.sha256.as_deref().map(Box::from),
            words,
        }
    }
}

/// A row of the plan that has no row of the same key in the manifest. Where a manifest was exported anew, that may be each.
struct Unmatched {
    identity: u64,
    row: Approved,
}

/// The comparison under way.
pub struct PlanFit<'p> {
    plan: &'p Plan,
    actions: Vec<PlannedAction>,
    /// Rows of the manifest by key, sorted.
    keys: Vec<(RowKey, RowIx)>,
    left_out: HashMap<RowKey, &'p LeftOut>,
    /// Which rows of the manifest the plan has.
    found: Vec<bool>,
    unmatched: Vec<Unmatched>,
    to_hash: Vec<(RowIx, Box<str>)>,
    differences: Vec<NotAsApproved>,
}

impl<'p> PlanFit<'p> {
    /// For a plan that is about to be carried out.
    pub fn new(plan: &'p Plan) -> PlanFit<'p> {
        let checked = plan.checked();
        let mut keys: Vec<(RowKey, RowIx)> = checked.rows().map(|row| (checked.key(row), row)).collect();
        keys.sort_unstable();
        PlanFit {
            plan,
            actions: actions(plan),
            keys,
            left_out: checked.left_out().iter().map(|row| (row.key, row)).collect(),
            found: vec![false; checked.len()],
            unmatched: Vec::new(),
            to_hash: Vec::new(),
            differences: Vec::new(),
        }
    }

    /// Takes in a row of the plan that was approved.
    pub fn approved(&mut self, saved: &SavedRow) {
        let key: Option<RowKey> = saved.key.parse().ok();
        let at = key.and_then(|key| self.keys.binary_search_by_key(&key, |(key, _)| *key).ok());
        if let Some((_, row)) = at.and_then(|at| self.keys.get(at)).copied() {
            return self.pair(row, &Approved::of(saved, String::new()));
        }
        if let Some(left_out) = key.and_then(|key| self.left_out.get(&key)) {
            if saved.action.sends() {
                let (line, why) = (left_out.line, left_out.code().as_str().to_owned());
                self.differences.push(NotAsApproved::LeftOut { line, row: described(saved), why });
            }
            return;
        }
        let words = if self.unmatched.len() < DESCRIBED { described(saved) } else { String::new() };
        let identity = identity_of_saved(saved, self.plan);
        self.unmatched.push(Unmatched { identity, row: Approved::of(saved, words) });
    }

    fn pair(&mut self, row: RowIx, approved: &Approved) {
        if let Some(found) = self.found.get_mut(row.0 as usize) {
            *found = true;
        }
        if !self.is_sent(row) {
            return;
        }
        let checked = self.plan.checked();
        let upload = checked.upload(row);
        if !approved.action.sends() {
            let (row, action) =
                (in_words(upload.module, &upload.record.to_string(), upload.source, upload.name), approved.action);
            self.differences.push(NotAsApproved::NotToBeSent { line: upload.line, row, action });
            return;
        }
        let Some(facts) = checked.facts(row) else { return };
        let is_later = approved.modified_ns.is_some_and(|then| then != facts.modified_ns);
        let how = match approved.bytes {
            Some(bytes) if bytes != facts.size => FileChange::Size(bytes, facts.size),
            // What the bytes are says more than when they were written.
            _ if is_later && approved.sha256.is_none() => {
                let then = approved.modified_ns.unwrap_or_default();
                FileChange::Modified(modified(then), modified(facts.modified_ns))
            }
            _ => return self.to_hash.extend(approved.sha256.clone().map(|hash| (row, hash))),
        };
        let file = upload.source.to_owned();
        self.differences.push(NotAsApproved::OtherFile { line: upload.line, file, how });
    }

    fn is_sent(&self, row: RowIx) -> bool {
        self.actions.get(row.0 as usize).is_some_and(|action| action.sends())
    }

    /// What is not as it was approved, in the order of the manifest.
    ///
    /// # Errors
    ///
    /// When a file cannot be read for its hash.
    pub fn finish(mut self) -> io::Result<Vec<NotAsApproved>> {
        self.pair_by_identity();
        if !self.unmatched.is_empty() && !self.found.contains(&true) {
            return Ok(vec![NotAsApproved::OtherManifest]);
        }
        self.compare_contents()?;
        let checked = self.plan.checked();
        for row in checked.rows() {
            let at = row.0 as usize;
            let is_new = !self.found.get(at).copied().unwrap_or(true);
            if is_new && self.is_sent(row) {
                let upload = checked.upload(row);
                let record = upload.record.to_string();
                let row = in_words(upload.module, &record, upload.source, upload.name);
                self.differences.push(NotAsApproved::NotInPlan { line: upload.line, row });
            }
        }
        let gone = self.unmatched.into_iter().map(|unmatched| unmatched.row).filter(|row| row.action.sends());
        self.differences.extend(gone.map(|gone| NotAsApproved::Gone { line: gone.line, row: gone.words }));
        Ok(self.differences)
    }

    /// Finds rows that are written otherwise today.
    fn pair_by_identity(&mut self) {
        if self.unmatched.is_empty() {
            return;
        }
        let mut new: HashMap<u64, Vec<RowIx>> = HashMap::new();
        let checked = self.plan.checked();
        // In the order of the manifest, the first last: each is taken from the end.
        for row in checked.rows().collect::<Vec<_>>().into_iter().rev() {
            if !self.found.get(row.0 as usize).copied().unwrap_or(true) {
                new.entry(identity_of_row(self.plan, row)).or_default().push(row);
            }
        }
        for unmatched in std::mem::take(&mut self.unmatched) {
            match new.get_mut(&unmatched.identity).and_then(Vec::pop) {
                Some(row) => self.pair(row, &unmatched.row),
                None => self.unmatched.push(unmatched),
            }
        }
    }

    fn compare_contents(&mut self) -> io::Result<()> {
        for batch in std::mem::take(&mut self.to_hash).chunks(BATCH) {
            let hashes = hash(self.plan, batch.iter().map(|(row, _)| *row))?;
            for (row, then) in batch {
                if hashes.get(row).is_none_or(|now| hex(now) != **then) {
                    let upload = self.plan.checked().upload(*row);
                    let (line, file) = (upload.line, upload.source.to_owned());
                    self.differences.push(NotAsApproved::OtherFile { line, file, how: FileChange::Content });
                }
            }
        }
        Ok(())
    }
}

fn described(row: &SavedRow) -> String {
    let source = if row.file.is_empty() { &row.url } else { &row.file };
    in_words(&row.module, &row.record, source, &row.name)
}

fn in_words(module: &str, record: &str, source: &str, name: &str) -> String {
    let own = source.rsplit(['/', '\\']).next().unwrap_or(source);
    let named = if name.is_empty() || name == own { String::new() } else { format!(" as {name}") };
    format!("{module} {record}, {source}{named}")
}

/// What a row says, whatever way its path is written.
fn identity(module: &str, record: &str, kind: SourceKind, source: &str, name: &str, base: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    (module, record, kind).hash(&mut hasher);
    match kind {
        // The title of a link is no part of it: whether one is sent depends on the version of the API.
        SourceKind::Link => source.hash(&mut hasher),
        SourceKind::File => {
            name.hash(&mut hasher);
            WrittenPath { text: source, base: Some(base) }.absolute(base).hash(&mut hasher);
        }
    }
    hasher.finish()
}

fn identity_of_row(plan: &Plan, row: RowIx) -> u64 {
    let upload = plan.checked().upload(row);
    let base = Path::new(&plan.facts().manifest.base);
    identity(upload.module, &upload.record.to_string(), upload.kind, upload.source, upload.name, base)
}

fn identity_of_saved(saved: &SavedRow, plan: &Plan) -> u64 {
    let base = Path::new(&plan.facts().manifest.base);
    let (kind, source) = match saved.url.as_str() {
        "" => (SourceKind::File, &saved.file),
        _ => (SourceKind::Link, &saved.url),
    };
    identity(&saved.module, &saved.record, kind, source, &saved.name, base)
}
