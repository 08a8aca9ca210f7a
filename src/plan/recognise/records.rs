//! Rows that name their record by a key which led to another record when they were sent: records were merged, or the
//! crosswalk was made anew.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io;

use super::assign::assign_by_record_key;
use super::contents::{ContentPair, Contents};
use super::groups::{PlacedRow, RecordGroup, groups};
use super::{BATCH, LoadedGroup, Recogniser, is_gone, keys_of};
use crate::check::{Recognised, RowsSoFar, Stage};
use crate::outcome::Status;
use crate::results::{Disk, PlacedLine};
use crate::upload::RowKey;

impl<D: Disk> Recogniser<'_, D> {
    /// Rows that nothing on their own record stands for, held against what went to other records under their keys.
    pub(super) fn by_record_key(
        &mut self,
        rows: &RowsSoFar<'_>,
        recognised: &mut Recognised,
        stage: Stage,
    ) -> io::Result<()> {
        if !rows.has_record_keys() || !self.has_gone(rows) {
            return Ok(());
        }
        let (placed_rows, lines) = self.left_by_record_key(rows, recognised)?;
        let all: Vec<RecordGroup<'_>> = groups(&placed_rows, &lines).collect();
        let (seen, options) = (self.seen, self.options);
        let mut reader = seen.reader();
        let mut contents = Contents::default();
        for batch in all.chunks(BATCH) {
            let loaded = batch.iter().map(|group| {
                let loaded = LoadedGroup::read(group, &mut reader, rows, options)?;
                Ok(LoadedGroup { by_record_key: true, ..loaded })
            });
            let mut loaded = loaded.collect::<io::Result<Vec<_>>>()?;
            // Before files are looked at, what is written must do.
            if stage == Stage::AfterFiles {
                let pairs: Vec<ContentPair<'_>> = loaded.iter().flat_map(LoadedGroup::pairs_by_content).collect();
                contents.learn(&pairs, rows);
            }
            for (group, loaded) in batch.iter().zip(&mut loaded) {
                loaded.contents = (stage == Stage::AfterFiles).then_some(&contents);
                let mut fates = assign_by_record_key(group.rows.len(), loaded.lines.len(), loaded);
                if stage == Stage::BeforeFiles {
                    fates.iter_mut().for_each(|fate| fate.leave_unless_taken());
                }
                self.carry_out(rows, group, loaded, fates, recognised);
            }
        }
        Ok(())
    }

    /// The rows with a key that have neither a line nor a problem yet, and the lines of rows that are gone and that no row
    /// took, by the key of their record.
    fn left_by_record_key(
        &self,
        rows: &RowsSoFar<'_>,
        recognised: &Recognised,
    ) -> io::Result<(Vec<PlacedRow>, Vec<PlacedLine>)> {
        let taken: HashSet<RowKey> = self.takings.iter().map(|taking| taking.from).collect();
        let takers: HashSet<RowKey> = self.takings.iter().map(|taking| taking.to).collect();
        let in_doubt: HashSet<u32> = recognised.problems.iter().map(|doubt| doubt.row).collect();
        let is_left = |row: &u32| {
            let key = rows.key(*row);
            !rows.record_key(*row).is_empty() && !self.has_own(key) && !takers.contains(&key) && !in_doubt.contains(row)
        };
        let place = |row| PlacedRow { group: group_of(rows.upload(row).module, rows.record_key(row)), row };
        let mut left: Vec<PlacedRow> = (0..rows.len()).filter(is_left).map(place).collect();
        left.sort_unstable();
        if left.is_empty() {
            return Ok((left, Vec::new()));
        }
        let keys = keys_of(rows);
        let set_aside = self.seen.history().set_aside();
        let lines = self.seen.placed_by_record_key(
            |key, status| {
                // What was deleted there is nothing that went to another record.
                status != Status::Deleted && is_gone(&keys, &set_aside, key) && !taken.contains(&key)
            },
            |module, record_key| {
                let group = group_of(module, record_key);
                left.binary_search_by_key(&group, |row| row.group).is_ok().then_some(group)
            },
        )?;
        Ok((left, lines))
    }
}

/// A number for the key of a record. Two keys may have the same one, so they are compared as well.
fn group_of(module: &str, record_key: &str) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one((module, record_key))
}
