//! What a check asks about earlier runs: which rows they settled, and which they sent though they are written otherwise
//! today. Who answers is the business of `plan`; the check only puts what it hears in its place among the problems.

use std::path::Path;

use super::files::{FileStamp, stamps};
use super::left_out::LeftOut;
use super::store::RowStore;
use crate::checksum::Checksums;
use crate::content::{Fingerprint, FingerprintKind};
use crate::open_file::fingerprint_of;
use crate::problem::ProblemCode;
use crate::upload::{FileFacts, RecordId, RowKey, Upload};

/// Knows earlier runs.
pub trait Earlier {
    /// Whether the row with this key has its end, so that its file may be gone.
    fn is_settled(&self, key: RowKey) -> bool;

    /// Asked once before any file is looked at, and once after: looks for rows that were sent under other words.
    fn recognise(&mut self, _rows: &RowsSoFar<'_>, _stage: Stage) -> Recognised {
        Recognised::default()
    }
}

/// Somebody who knows nothing of other words.
impl<F: Fn(RowKey) -> bool> Earlier for F {
    fn is_settled(&self, key: RowKey) -> bool {
        self(key)
    }
}

/// How far a check is when it asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Only what the manifest says is known. A row that turns out to be settled needs no file any more.
    BeforeFiles,
    /// The files were looked at.
    AfterFiles,
}

/// What was found out about rows, by their index among [`RowsSoFar`].
#[derive(Default, Debug)]
pub struct Recognised {
    /// Rows that turned out to be settled.
    pub settled: Vec<u32>,
    /// Rows that an earlier run settled and that are to be sent once more: their files are wanted after all.
    pub again: Vec<u32>,
    /// Rows that somebody has to decide about.
    pub problems: Vec<RowDoubt>,
}

/// Why a row cannot be sent, nor left alone, without a word of the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowDoubt {
    /// Which row.
    pub row: u32,
    /// Which kind of problem.
    pub code: ProblemCode,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// The rows of a manifest whose parts are all well-formed, in the middle of a check.
pub struct RowsSoFar<'c> {
    pub(super) store: &'c RowStore,
    pub(super) modules: &'c [Box<str>],
    pub(super) base: &'c Path,
    pub(super) incomplete: &'c [LeftOut],
}

impl<'c> RowsSoFar<'c> {
    /// How many there are; they are numbered from 0.
    pub fn len(&self) -> u32 {
        // Line numbers are 32 bits wide, so row numbers fit as well.
        self.store.len() as u32
    }

    /// Which row this is.
    pub fn key(&self, row: u32) -> RowKey {
        self.store.key(self.modules, row as usize, 1)
    }

    /// The record of a row alone.
    pub fn record(&self, row: u32) -> RecordId {
        self.store.records[row as usize]
    }

    /// What the old system calls the record of a row; empty where the row names it by its id.
    pub fn record_key(&self, row: u32) -> &'c str {
        self.store.record_key(row as usize)
    }

    /// Whether any row names its record by a key.
    pub fn has_record_keys(&self) -> bool {
        !self.store.record_keys.is_empty()
    }

    /// What a row says.
    pub fn upload(&self, row: u32) -> Upload<'c> {
        let ix = row as usize;
        let rest = &self.store.rests[ix];
        Upload {
            line: rest.line,
            module: self.modules.get(usize::from(rest.module)).map_or("", |name| name),
            record: self.store.records[ix],
            kind: self.store.source(ix).kind,
            source: self.store.source_text(ix),
            name: self.store.name(ix),
            key: self.key(row),
        }
    }

    /// What the look at the file of a row said; `None` before it, and where it cannot be sent.
    pub fn facts(&self, row: u32) -> Option<FileFacts> {
        self.store.source(row as usize).facts
    }

    /// What a look at the files of these rows says, without opening them; `None` for a link, for a member of an archive,
    /// which has no time of its own, and where there is no file.
    pub fn stamps(&self, rows: &[u32]) -> Vec<Option<FileStamp>> {
        let sources = rows.iter().map(|row| self.store.rests[*row as usize].source);
        stamps(self.store, self.base, sources)
    }

    /// The fingerprint of the file of a row; `None` for a link, and for a file that cannot be read as it was looked at.
    pub fn fingerprint(&self, row: u32, kind: FingerprintKind) -> Option<Fingerprint> {
        let source = self.store.file(self.store.rests[row as usize].source, self.base, Checksums::default())?;
        fingerprint_of(&source, kind).ok()
    }

    /// The folder that paths are relative to.
    pub fn base(&self) -> &'c Path {
        self.base
    }

    /// The keys of rows that cannot be complete, but are in the manifest all the same.
    pub fn incomplete_keys(&self) -> impl Iterator<Item = RowKey> + use<'c> {
        self.incomplete.iter().map(|row| row.key)
    }
}
