//! Rows of one record that could be mistaken for each other: found while rows come in, judged when files are known.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::Finding;
use super::checked::{RowIx, twin_name};
use super::store::{Store, TextId};
use crate::explain::ProblemCode;
use crate::upload::{RowKey, SourceKind};

/// Rows grouped by module, record and what they could be mistaken by.
#[derive(Default)]
pub(super) struct Twins {
    /// The first row of each group, with its hash, so that growing need not look at a million rows again.
    firsts: HashTable<(u32, u32)>,
    hasher: DefaultHashBuilder,
    /// Every further row, and the first one of its group; in manifest order.
    later: Vec<(u32, u32)>,
    /// How often a row that says the same has been seen, in groups of several.
    seen: HashMap<RowKey, u32>,
}

impl Twins {
    /// Takes note of the row that was added last; `alike` is its key if it is the first that says the same. Returns
    /// which one it is among those.
    pub(super) fn add(&mut self, store: &Store, row: usize, alike: RowKey) -> u32 {
        let hash = hash_of(store, row, &self.hasher);
        let same = |(other, its): &(u32, u32)| *its == hash && same_group(store, row, *other as usize);
        let Some((first, _)) = self.firsts.find(spread(hash), same).copied() else {
            self.firsts.insert_unique(spread(hash), (row as u32, hash), |(_, hash)| spread(*hash));
            return 1;
        };
        self.later.push((row as u32, first));
        if let Some(key) = store.keys.get(first as usize) {
            self.seen.entry(*key).or_insert(1);
        }
        let count = self.seen.entry(alike).or_insert(0);
        *count += 1;
        *count
    }

    /// Nothing more is added; gives the memory back that only adding needs.
    pub(super) fn close(&mut self) {
        self.firsts = HashTable::new();
        self.seen = HashMap::new();
    }

    /// What is wrong with rows that have a twin: the row and the finding.
    pub(super) fn judge(&self, store: &Store, base: &Path, allow_identical: bool) -> Vec<(usize, Finding)> {
        let mut places: HashMap<(u32, PathBuf), u32> = HashMap::new();
        let mut findings = Vec::new();
        for (row, first) in self.later.iter().map(|(row, first)| (*row as usize, *first)) {
            let record = store.records[row];
            let first_line = store.rests[first as usize].line;
            if store.source(row).kind == SourceKind::Link {
                findings.push((
                    row,
                    Finding::new(
                        ProblemCode::LinkTwice,
                        format!("the record {record} gets this link on line {first_line} already"),
                        "remove one of the rows; the service refuses the second, whatever its title",
                    ),
                ));
                continue;
            }
            let path = |row: usize| store.path(store.rests[row].source, base).unwrap_or_default();
            places.entry((first, path(first as usize))).or_insert(first_line);
            let line = store.rests[row].line;
            let finding = match places.entry((first, path(row))) {
                Entry::Vacant(entry) => {
                    entry.insert(line);
                    Finding::new(
                        ProblemCode::SameName,
                        format!(
                            "the record {record} gets another file named \"{}\" on line {first_line}",
                            crate::problem::shown(store.name(row))
                        ),
                        "give one of them another name in the column name, if people must tell them apart",
                    )
                }
                Entry::Occupied(_) if allow_identical => continue,
                Entry::Occupied(earlier) => Finding::new(
                    ProblemCode::IdenticalRows,
                    format!("the record {record} gets this file under the same name on line {} already", earlier.get()),
                    "remove one of the rows, or add --allow-identical if it is meant so",
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
            let twin = *representative.entry(*first).or_insert(row);
            if twin != row {
                pairs.push((row, twin));
            }
        }
        pairs
    }
}

fn hash_of(store: &Store, row: usize, hasher: &DefaultHashBuilder) -> u32 {
    let rest = store.rests[row];
    let name = match rest.name {
        TextId::NONE => store.source(row).twin_hash,
        _ => store.sources.twin_hash(&twin_name(store, row)),
    };
    hasher.hash_one((store.records[row], rest.module, name)) as u32
}

/// Tables want all 64 bits of a hash to differ.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn same_group(store: &Store, one: usize, other: usize) -> bool {
    store.records[one] == store.records[other]
        && store.rests[one].module == store.rests[other].module
        && store.source(one).kind == store.source(other).kind
        && twin_name(store, one) == twin_name(store, other)
}
