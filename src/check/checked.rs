//! The rows that passed: the only thing a plan can be made of.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::left_out::LeftOut;
use super::store::{RowStore, TextId};
use crate::checksum::Checksums;
use crate::upload::{FileFacts, FileSource, RecordId, RowKey, SourceKind, Upload};

/// Which of the rows that passed, from 0, in manifest order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RowIx(pub u32);

impl RowIx {
    fn get(self) -> usize {
        self.0 as usize
    }
}

/// The rows that passed every check, in manifest order. Only the check makes one.
pub struct Checked {
    store: RowStore,
    base: PathBuf,
    /// Rows that must never be under way together with an earlier one, and that one; sorted.
    ambiguous: Vec<(RowIx, RowIx)>,
    left_out: Arc<Vec<LeftOut>>,
}

impl Checked {
    pub(super) fn new(
        store: RowStore,
        base: PathBuf,
        ambiguous: Vec<(RowIx, RowIx)>,
        left_out: Arc<Vec<LeftOut>>,
    ) -> Checked {
        Checked { store, base, ambiguous, left_out }
    }

    /// How many rows passed.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether none did; the check gives no such value away.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every row, in manifest order.
    pub fn rows(&self) -> impl Iterator<Item = RowIx> + use<> {
        // Line numbers are 32 bits wide, so row numbers fit as well.
        (0..self.len() as u32).map(RowIx)
    }

    /// What one row says.
    pub fn upload(&self, row: RowIx) -> Upload<'_> {
        let ix = row.get();
        Upload {
            line: self.store.rests[ix].line,
            module: self.store.module(ix),
            record: self.store.records[ix],
            kind: self.store.source(ix).kind,
            source: self.store.source_text(ix),
            name: self.store.name(ix),
            key: self.key(row),
        }
    }

    /// The key of a row alone.
    pub fn key(&self, row: RowIx) -> RowKey {
        self.store.key(&self.store.modules, row.get(), 1)
    }

    /// The line of a row alone.
    pub fn line(&self, row: RowIx) -> u32 {
        self.store.rests[row.get()].line
    }

    /// The record of a row alone.
    pub fn record(&self, row: RowIx) -> RecordId {
        self.store.records[row.get()]
    }

    /// Whether a row is about a file or a link.
    pub fn kind(&self, row: RowIx) -> SourceKind {
        self.store.source(row.get()).kind
    }

    /// The distinct modules.
    pub fn modules(&self) -> impl ExactSizeIterator<Item = &str> {
        self.store.modules.iter().map(|name| &**name)
    }

    /// Which of [`Checked::modules`] a row's is.
    pub fn module(&self, row: RowIx) -> u16 {
        self.store.rests[row.get()].module
    }

    /// The file of a row, for reading; `None` for a link, and for a file that was not looked at.
    pub fn file(&self, row: RowIx) -> Option<FileSource> {
        self.store.file(self.store.rests[row.get()].source, &self.base, self.store.checksums_of(row.get()))
    }

    /// What the manifest says that the bytes of a row hash to.
    pub fn checksums(&self, row: RowIx) -> Checksums {
        self.store.checksums_of(row.get())
    }

    /// What the look at the file of a row said; `None` for a link, and for a file that only rows name which an earlier
    /// run settled: it may be gone.
    pub fn facts(&self, row: RowIx) -> Option<FileFacts> {
        self.store.source(row.get()).facts
    }

    /// What two uploads to one record could be mistaken for each other by: the name in composed form, or the address.
    pub fn ambiguity_name(&self, row: RowIx) -> Cow<'_, str> {
        ambiguity_name(&self.store, row.get())
    }

    /// The earlier row that this one could be mistaken for, or itself: rows of one group are never in flight or
    /// in doubt together.
    pub fn ambiguity_group(&self, row: RowIx) -> RowIx {
        match self.ambiguous.binary_search_by_key(&row, |(row, _)| *row) {
            Ok(at) => self.ambiguous.get(at).map_or(row, |(_, ambiguity_group)| *ambiguity_group),
            Err(_) => row,
        }
    }

    /// What the old system calls the record of a row; empty for a row that names it by its id.
    pub fn record_key(&self, row: RowIx) -> &str {
        self.store.record_key(row.get())
    }

    /// Whether any row names its record by a key of the old system.
    pub fn has_record_keys(&self) -> bool {
        !self.store.record_keys.is_empty()
    }

    /// The names of the columns that are carried into the results.
    pub fn carried_columns(&self) -> &[String] {
        &self.store.carried.columns
    }

    /// The cells of these columns.
    pub fn carried(&self, row: RowIx) -> impl Iterator<Item = &str> {
        self.store.carried.row(row.get())
    }

    /// The rows that `--skip-invalid` leaves out.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// A row that is sound after all that is known here, as one that is not; `number` is its number in the manifest.
    pub fn left_out_row(&self, row: RowIx, number: u32) -> LeftOut {
        self.store.left_out(&self.store.modules, row.get(), number)
    }

    /// Rows whose file cannot be sent under its own name: that name, and the one sent instead.
    pub fn renamed(&self) -> impl Iterator<Item = (RowIx, &str, &str)> {
        self.rows().filter_map(|row| {
            let ix = row.get();
            let source = self.store.source(ix);
            let own = self.store.rests[ix].name == TextId::NONE && source.renamed;
            own.then(|| (row, file_name(self.store.source_text(ix)), self.store.name(ix)))
        })
    }
}

/// The last component of a path as written.
pub(super) fn file_name(path: &str) -> &str {
    let bytes = path.as_bytes();
    let separator = if cfg!(windows) { memchr::memrchr2(b'/', b'\\', bytes) } else { memchr::memrchr(b'/', bytes) };
    separator.and_then(|at| path.get(at + 1..)).unwrap_or(path)
}

/// The name of a file in composed form, or the address of a link.
pub(super) fn ambiguity_name(store: &RowStore, row: usize) -> Cow<'_, str> {
    match store.source(row).kind {
        SourceKind::Link => Cow::Borrowed(store.source_text(row)),
        SourceKind::File => composed(store.name(row)),
    }
}

/// A text in Unicode's composed form.
pub(super) fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}
