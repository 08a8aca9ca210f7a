//! Rows that would be new here, but that another results file of the folder knows: a manifest that was copied under
//! another name attaches everything again, unless somebody looks.

use std::io;
use std::path::{Path, PathBuf};

use super::assign::{ContentMatch, Pairs};
use super::compare::Likeness;
use super::contents::{ContentPair, Contents};
use super::groups::{PlacedRow, RecordGroup, groups};
use super::{BATCH, LoadedGroup, RecogniseOptions, words};
use crate::check::{RowDoubt, RowsSoFar};
use crate::results::{MarkRule, RealDisk, ResultsError, ResultsOptions, ResultsSnapshot, bases_of_runs, look};

/// Other results, and whose uploads count.
#[derive(Clone, Debug, Default)]
pub struct OtherResults {
    /// The files.
    pub paths: Vec<PathBuf>,
    /// The target of this run: what went to another one says nothing.
    pub target: String,
}

/// The rows that another file knows, each with the first file that does. Rows must be sorted by record.
pub(super) fn known_elsewhere(
    rows: &[PlacedRow],
    all: &RowsSoFar<'_>,
    others: &OtherResults,
) -> io::Result<Vec<RowDoubt>> {
    let mut left = rows.to_vec();
    let mut doubts = Vec::new();
    for path in &others.paths {
        if left.is_empty() {
            break;
        }
        // What those have lost is for their own runs to mend.
        let mark = MarkRule::PassOver;
        let options = ResultsOptions { target: Some(others.target.clone()), mark, ..ResultsOptions::default() };
        match look(RealDisk, path, &options) {
            Ok(seen) => {
                let found = known_by(&seen, path, &left, all)?;
                left.retain(|placed| !found.iter().any(|doubt| doubt.row == placed.row));
                doubts.extend(found);
            }
            // What went elsewhere, and what only has the name of results, says nothing about these rows.
            Err(ResultsError::OtherTarget { .. } | ResultsError::NotResults { .. }) => {}
            Err(error) => return Err(io::Error::other(error.to_string())),
        }
    }
    Ok(doubts)
}

fn known_by(
    seen: &ResultsSnapshot<RealDisk>,
    path: &Path,
    rows: &[PlacedRow],
    all: &RowsSoFar<'_>,
) -> io::Result<Vec<RowDoubt>> {
    let asked = |record| rows.binary_search_by_key(&record, |row| row.group).is_ok();
    let lines = seen.placed(|_, _| true, asked)?;
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
                if (0..loaded.lines.len()).any(|line| may_be(loaded, at, line)) {
                    doubts.push(words::sent_by_another(placed.row, &all.upload(placed.row), path));
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
