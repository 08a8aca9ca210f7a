//! Rows that earlier runs left in doubt and that the manifest no longer has: they are looked up and reported, and never
//! sent.

use std::collections::HashSet;
use std::io;

use unicode_normalization::UnicodeNormalization;

use crate::check::{Checked, RowIx};
use crate::results::{Disk, Line, ResendRules, ResultsSnapshot};
use crate::upload::{RecordId, RowKey, SourceKind};

/// One of them.
#[derive(Clone, Debug)]
pub struct Orphan {
    /// Its last line in the results.
    pub line: Line,
    /// The record that it was sent to.
    pub record: RecordId,
    /// What others could be mistaken for it by: the name in composed form, or the address.
    ambiguity_name: String,
}

impl Orphan {
    fn of(line: Line) -> Option<Orphan> {
        let record = RecordId::new(line.record.parse().ok()?)?;
        let ambiguity_name = match line.kind()? {
            SourceKind::File => line.name.nfc().collect(),
            SourceKind::Link => line.url.clone(),
        };
        Some(Orphan { line, record, ambiguity_name })
    }

    /// Whether a row of the manifest could be mistaken for it.
    pub(super) fn is_ambiguous_with(&self, checked: &Checked, row: RowIx) -> bool {
        let upload = checked.upload(row);
        upload.record == self.record
            && upload.module == self.line.module
            && Some(upload.kind) == self.line.kind()
            && checked.ambiguity_name(row) == self.ambiguity_name
    }

    /// Whether another of them could be.
    pub(super) fn is_ambiguous_with_orphan(&self, other: &Orphan) -> bool {
        self.record == other.record
            && self.line.module == other.line.module
            && self.line.kind() == other.line.kind()
            && self.ambiguity_name == other.ambiguity_name
    }
}

/// All of them, in the order in which their lines stand. A line that tells no record cannot have been sent.
pub(super) fn orphans<D: Disk>(
    checked: &Checked,
    seen: &ResultsSnapshot<D>,
    resend: &ResendRules,
) -> io::Result<Vec<Orphan>> {
    let doubted = seen.history().in_doubt(resend);
    if doubted.is_empty() {
        return Ok(Vec::new());
    }
    let mut gone: HashSet<RowKey> = doubted.iter().copied().collect();
    for row in checked.rows() {
        gone.remove(&checked.key(row));
    }
    let lines = doubted.into_iter().filter(|key| gone.contains(key)).filter_map(|key| seen.line(key).transpose());
    lines.filter_map(|line| line.map(Orphan::of).transpose()).collect()
}
