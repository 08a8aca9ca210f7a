//! What was sent and what would be sent, by fingerprint: known from the results, or read from files where these are still
//! what they were.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rayon::prelude::*;

use super::assign::ContentMatch;
use crate::check::RowsSoFar;
use crate::content::{Fingerprint, FingerprintKind};
use crate::results::Line;
use crate::upload::RowKey;

/// The fingerprints that were needed so far.
#[derive(Default)]
pub(super) struct Contents {
    /// Of rows, by how they were made; `None`: the file cannot be read.
    rows: HashMap<(u32, FingerprintKind), Option<Fingerprint>>,
    /// Of lines whose results do not say it; `None`: nobody can tell any more.
    lines: HashMap<RowKey, Option<Fingerprint>>,
}

/// A pair whose contents are to be compared.
pub(super) struct ContentPair<'l> {
    pub(super) row: u32,
    pub(super) line: &'l Line,
    /// Where the file of the line was, if that is known.
    pub(super) path: Option<PathBuf>,
}

impl Contents {
    /// Reads what is needed to compare these pairs, several files at once.
    pub(super) fn learn(&mut self, pairs: &[ContentPair<'_>], rows: &RowsSoFar<'_>) {
        self.rows.clear();
        self.lines.clear();
        let unknown = pairs.iter().filter(|pair| pair.line.content.is_none());
        let lines: HashMap<RowKey, &ContentPair<'_>> = unknown.map(|pair| (pair.line.key, pair)).collect();
        self.lines = lines.into_par_iter().map(|(key, pair)| (key, as_it_was_sent(pair))).collect();
        let wanted: HashMap<(u32, FingerprintKind), ()> =
            pairs.iter().filter_map(|pair| Some(((pair.row, self.of_line(pair.line)?.kind()), ()))).collect();
        self.rows =
            wanted.into_par_iter().map(|((row, kind), ())| ((row, kind), rows.fingerprint(row, kind))).collect();
    }

    fn of_line(&self, line: &Line) -> Option<Fingerprint> {
        line.content.or_else(|| self.lines.get(&line.key).copied().flatten())
    }

    /// What the contents of the row's file and of what the line tells of say.
    pub(super) fn compare(&self, row: u32, line: &Line) -> ContentMatch {
        let sent = self.of_line(line);
        let asked = sent.and_then(|sent| self.rows.get(&(row, sent.kind())).copied().flatten());
        match (sent, asked) {
            (Some(sent), Some(asked)) if sent == asked => ContentMatch::Same,
            (Some(_), Some(_)) => ContentMatch::Different,
            _ => ContentMatch::Unknown,
        }
    }
}

/// The fingerprint of the file that the line names, if it is still the one that was sent: there, of that size, and not
/// written to since.
fn as_it_was_sent(pair: &ContentPair<'_>) -> Option<Fingerprint> {
    let (path, sent_at, size) = (pair.path.as_deref()?, pair.line.sent_at?, pair.line.bytes?);
    let is_as_it_was = |path: &Path| {
        let metadata = path.metadata().ok()?;
        let older = Timestamp::try_from(metadata.modified().ok()?).ok()? < sent_at;
        (metadata.is_file() && metadata.len() == size && older).then_some(())
    };
    is_as_it_was(path)?;
    let (fingerprint, read) = Fingerprint::of(File::open(path).ok()?, FingerprintKind::default()).ok()?;
    is_as_it_was(path)?;
    (read == size).then_some(fingerprint)
}
