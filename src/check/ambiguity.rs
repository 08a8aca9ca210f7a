//! Rows of one record that could be mistaken for each other: found when all rows are in, judged when files are known.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::CheckFinding;
use super::checked::{RowIx, ambiguity_name};
use super::store::{RowStore, TextId};
use crate::file_id::FileId;
use crate::problem::ProblemCode;
use crate::problem::remedies;
use crate::upload::{RowKey, SourceKind};

/// Rows grouped by module, record and what they could be mistaken by.
#[derive(Default)]
pub(super) struct AmbiguousRows {
    /// Every row but the first of its group, and that first one; in manifest order.
    later: Vec<(u32, u32)>,
}

impl AmbiguousRows {
    /// Groups all rows.
    pub(super) fn find(store: &RowStore) -> AmbiguousRows {
        // Exports write records in order, and where each has one row there is nothing to find.
        if store.records.is_sorted_by(|one, next| one < next) {
            return AmbiguousRows::default();
        }
        // A table of a million records would cost a cache miss for each row, and sorting goes along them.
        let mut by_record: Vec<_> = store.records.iter().copied().zip(0..).collect();
        by_record.sort_unstable();
        let mut later = Vec::new();
        let mut of_record = Vec::new();
        for rows in by_record.chunk_by(|one, next| one.0 == next.0).filter(|rows| rows.len() > 1) {
            of_record.clear();
            of_record
                .extend(rows.iter().map(|(_, row)| (store.rests[*row as usize].module, hash_of(store, *row), *row)));
            of_record.sort_unstable();
            for alike in of_record.chunk_by(|one, next| (one.0, one.1) == (next.0, next.1)) {
                add_groups(store, alike.iter().map(|(.., row)| *row), &mut later);
            }
        }
        later.sort_unstable();
        AmbiguousRows { later }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.later.is_empty()
    }

    /// The rows that say just what earlier ones say, and which one each is among those, counted from 1. The keys must
    /// be those of rows that are the first of their kind.
    pub(super) fn ordinals(&self, keys: &[RowKey]) -> Vec<(usize, u32)> {
        let mut seen: HashMap<RowKey, u32> = HashMap::new();
        let mut ordinals = Vec::new();
        for (row, first) in self.later.iter().map(|(row, first)| (*row as usize, *first as usize)) {
            seen.entry(keys[first]).or_insert(1);
            let count = seen.entry(keys[row]).or_insert(0);
            *count += 1;
            if *count > 1 {
                ordinals.push((row, *count));
            }
        }
        ordinals
    }

    /// What is wrong with rows that could be mistaken for another: the row and the finding.
    pub(super) fn judge(&self, store: &RowStore, base: &Path, allow_identical: bool) -> Vec<(usize, CheckFinding)> {
        let mut places: HashMap<(u32, FilePlace), u32> = HashMap::new();
        let mut findings = Vec::new();
        for (row, first) in self.later.iter().map(|(row, first)| (*row as usize, *first)) {
            let record = store.records[row];
            let first_line = store.rests[first as usize].line;
            if store.source(row).kind == SourceKind::Link {
                findings.push((
                    row,
                    CheckFinding::new(
                        ProblemCode::LinkTwice,
                        format!("the record {record} gets this link on line {first_line} already"),
                        "remove one of the rows; the service refuses the second, whatever its title",
                    ),
                ));
                continue;
            }
            for place in places_of(store, first as usize, base) {
                places.entry((first, place)).or_insert(first_line);
            }
            let line = store.rests[row].line;
            let own = places_of(store, row, base);
            let earlier = own.iter().find_map(|place| places.get(&(first, place.clone())).copied());
            for place in own {
                places.entry((first, place)).or_insert(line);
            }
            let finding = match earlier {
                None => CheckFinding::new(
                    ProblemCode::SameName,
                    format!(
                        "the record {record} gets another file named \"{}\" on line {first_line}",
                        crate::text::masked_excerpt(store.name(row))
                    ),
                    "give one of them another name in the column name, if people must tell them apart",
                ),
                Some(_) if allow_identical => continue,
                Some(earlier) => CheckFinding::new(
                    ProblemCode::IdenticalRows,
                    format!("the record {record} gets this file under the same name on line {earlier} already"),
                    remedies::ALLOW_IDENTICAL,
                ),
            };
            findings.push((row, finding));
        }
        findings
    }

    /// The pairs among the rows that are kept, by their new numbers; sorted.
    pub(super) fn kept(&self, rows: usize, keep: impl Fn(usize) -> bool) -> Vec<(RowIx, RowIx)> {
        if self.later.is_empty() {
            return Vec::new();
        }
        let mut next = 0;
        let new: Vec<Option<RowIx>> = (0..rows)
            .map(|row| {
                keep(row).then(|| {
                    next += 1;
                    RowIx(next - 1)
                })
            })
            .collect();
        let of = |row: u32| new.get(row as usize).copied().flatten();
        let mut representative: HashMap<u32, RowIx> = HashMap::new();
        let mut pairs = Vec::new();
        for (row, first) in &self.later {
            if let Some(first_row) = of(*first) {
                representative.entry(*first).or_insert(first_row);
            }
            let Some(row) = of(*row) else { continue };
            let ambiguity_group = *representative.entry(*first).or_insert(row);
            if ambiguity_group != row {
                pairs.push((row, ambiguity_group));
            }
        }
        pairs
    }
}

/// By what one file is known again.
#[derive(Clone, PartialEq, Eq, Hash)]
enum FilePlace {
    /// Its path, resolved.
    Path(PathBuf),
    /// What the system calls it: one file may be written in two spellings where capitals or accents do not count.
    File(FileId),
}

fn places_of(store: &RowStore, row: usize, base: &Path) -> Vec<FilePlace> {
    let source = store.rests[row].source;
    let path = store.path(source, base).map(FilePlace::Path);
    // The members of an archive all have its identity.
    let is_member = store.paths.members.contains_key(&source.0);
    let facts = store.source(row).facts.filter(|facts| !is_member && facts.identity.is_known());
    path.into_iter().chain(facts.map(|facts| FilePlace::File(facts.identity))).collect()
}

/// Groups rows of one record whose hashes are the same, which says nearly, but not quite, that they could be mistaken for each other.
fn add_groups(store: &RowStore, rows: impl Iterator<Item = u32>, later: &mut Vec<(u32, u32)>) {
    let mut firsts: Vec<u32> = Vec::new();
    for row in rows {
        match firsts.iter().find(|first| same_name(store, row as usize, **first as usize)) {
            Some(first) => later.push((row, *first)),
            None => firsts.push(row),
        }
    }
}

fn hash_of(store: &RowStore, row: u32) -> u32 {
    let row = row as usize;
    match store.rests[row].name {
        TextId::NONE => store.source(row).ambiguity_hash,
        _ => store.sources.ambiguity_hash(&ambiguity_name(store, row)),
    }
}

fn same_name(store: &RowStore, one: usize, other: usize) -> bool {
    store.source(one).kind == store.source(other).kind && ambiguity_name(store, one) == ambiguity_name(store, other)
}
