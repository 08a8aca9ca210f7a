//! Rows that would be new here, but that another results file of the folder knows, or that another run is about to send: a
//! manifest that was copied under another name attaches everything again, unless somebody looks.

use std::io;
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization as _;

use super::assign::{ContentMatch, Pairs};
use super::compare::Likeness;
use super::contents::{ContentPair, Contents};
use super::groups::{PlacedRow, RecordGroup, groups};
use super::{BATCH, LoadedGroup, RecogniseOptions, words};
use crate::check::{RowDoubt, RowsSoFar};
use crate::outcome::Status;
use crate::results::{
    Announcement, MarkRule, RealDisk, ResultsError, ResultsOptions, ResultsSnapshot, RunUnderWay, announce,
    bases_of_runs, look, others_beside,
};
use crate::upload::{RowKey, SourceKind, Upload};

/// Where other results are looked for, and whose uploads count.
#[derive(Clone, Debug, Default)]
pub struct OtherResults {
    /// The results of this run, beside which others stand; `None` where nothing is compared: in a rehearsal, or without a
    /// target.
    pub beside: Option<PathBuf>,
    /// The target of this run: what went to another one says nothing.
    pub target: String,
    /// Whether what others know or are about to send is to be sent all the same.
    pub send_all_the_same: bool,
    /// Whether this run is about to send, so that others must know.
    pub announces: bool,
}

impl OtherResults {
    /// The other results of the folder that are to be looked at.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.beside.as_deref().filter(|_| !self.send_all_the_same).map(others_beside).unwrap_or_default()
    }

    /// Announces what this run is about to send. Says what others are, as far as that counts.
    pub(super) fn announce(
        &self,
        rows: &[PlacedRow],
        all: &RowsSoFar<'_>,
    ) -> io::Result<(Option<Announcement>, Vec<RunUnderWay>)> {
        let Some(results) = self.beside.as_deref().filter(|_| self.announces && !rows.is_empty()) else {
            return Ok((None, Vec::new()));
        };
        let uploads = rows.iter().map(|placed| announced(&all.upload(placed.row))).collect();
        let (announcement, mut under_way) = announce(results, &self.target, uploads)?;
        if self.send_all_the_same {
            under_way.clear();
        }
        Ok((Some(announcement), under_way))
    }
}

/// What an upload is announced as: by all that makes two rows of two manifests the same, whatever the path is called.
fn announced(upload: &Upload<'_>) -> RowKey {
    let source = if upload.kind == SourceKind::Link { upload.source } else { "" };
    let name: String = upload.name.nfc().collect();
    RowKey::of(upload.module, &upload.record.to_string(), upload.kind, source, &name, 1)
}

/// The rows that another file knows or another run is about to send, each with the first that does. Rows must be sorted by
/// record. `is_first`: nothing was sent yet by the results of this run.
pub(super) fn known_elsewhere(
    rows: &[PlacedRow],
    all: &RowsSoFar<'_>,
    others: &OtherResults,
    under_way: &[RunUnderWay],
    is_first: bool,
) -> io::Result<Vec<RowDoubt>> {
    let sender = |row: u32| {
        let upload = announced(&all.upload(row));
        under_way.iter().find(|run| run.sends(upload))
    };
    let mut doubts: Vec<RowDoubt> = Vec::new();
    let mut left = Vec::new();
    for placed in rows {
        match if under_way.is_empty() { None } else { sender(placed.row) } {
            Some(run) => doubts.push(words::under_way(placed.row, &all.upload(placed.row), &run.results)),
            None => left.push(*placed),
        }
    }
    // Behind the look at what is under way: what was sent since stands in results.
    for path in others.paths() {
        if left.is_empty() {
            break;
        }
        // What those have lost, and what was edited in them, is for their own runs to mend.
        let (mark, accept_edited) = (MarkRule::PassOver, true);
        let options = ResultsOptions { target: Some(others.target.clone()), mark, accept_edited, ..Default::default() };
        match look(RealDisk, &path, &options) {
            Ok(seen) => {
                let found = known_by(&seen, &path, &left, all, is_first)?;
                left.retain(|placed| !found.iter().any(|doubt| doubt.row == placed.row));
                doubts.extend(found);
            }
            // What went elsewhere, and what only has the name of results, says nothing about these rows.
            Err(ResultsError::OtherTarget { .. } | ResultsError::NotResults { .. }) => {}
            Err(error) => return Err(words::unreadable_other(&path, &error)),
        }
    }
    Ok(doubts)
}

fn known_by(
    seen: &ResultsSnapshot<RealDisk>,
    path: &Path,
    rows: &[PlacedRow],
    all: &RowsSoFar<'_>,
    is_first: bool,
) -> io::Result<Vec<RowDoubt>> {
    let asked = |record| rows.binary_search_by_key(&record, |row| row.group).is_ok();
    let lines = seen.placed(|_, status| status.may_have_created(), asked)?;
    let options = RecogniseOptions { bases: bases_of_runs(path), ..RecogniseOptions::default() };
    let all_groups: Vec<RecordGroup<'_>> = groups(rows, &lines).collect();
    let mut reader = seen.reader();
    let mut contents = Contents::default();
    let mut doubts = Vec::new();
    for batch in all_groups.chunks(BATCH) {
        let loaded = batch.iter().map(|group| LoadedGroup::read(group, &mut reader, all, &options));
        let mut loaded = loaded.collect::<io::Result<Vec<_>>>()?;
        let pairs: Vec<ContentPair<'_>> = loaded.iter().flat_map(LoadedGroup::pairs_by_content).collect();
        contents.learn(&pairs, all);
        drop(pairs);
        for (group, loaded) in batch.iter().zip(&mut loaded) {
            loaded.contents = Some(&contents);
            for (at, placed) in group.rows.iter().enumerate() {
                // Of a line that was edited the key is what can be believed.
                let is_known = seen.history().status(all.key(placed.row)).is_some_and(Status::may_have_created);
                if is_known || (0..loaded.lines.len()).any(|line| may_be(loaded, at, line)) {
                    doubts.push(words::sent_by_another(placed.row, &all.upload(placed.row), path, is_first));
                }
            }
        }
    }
    Ok(doubts)
}

/// Whether the row may be what the line tells of. Where nobody knows what was sent, it may.
fn may_be(pairs: &impl Pairs, row: usize, line: usize) -> bool {
    match pairs.likeness(row, line) {
        Likeness::Same => true,
        Likeness::ByContent => pairs.content(row, line) != ContentMatch::Different,
        Likeness::OtherName | Likeness::RenamedByContent | Likeness::Different => false,
    }
}
