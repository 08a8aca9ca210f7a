//! Several results files read as one: a migration, and after it the rows that had to be mended.
//!
//! Rows that could not be sent are mended in a file of their own (`--problems`), which is run as a manifest of its own
//! and has results of its own. A report on both counts each row once: a later file's row stands in place of an earlier
//! one that is the same row, or that it says it was made from (its column `x_line`).

use std::collections::{HashMap, HashSet};
use std::io;

use super::model::is_in_place;
use crate::results::{Line, ResultsTable};
use crate::upload::RowKey;

/// The column in which a mended row names the line that it was made from.
const MADE_FROM: &str = "x_line";

/// Results files in the order in which they came about.
pub struct CombinedResults<'t> {
    tables: &'t [ResultsTable],
    /// The columns that rows carry from their manifests, each once.
    carried: Vec<String>,
    /// Of each file: the rows that do not count, since another file's row stands in their place.
    replaced: Vec<HashSet<RowKey>>,
}

impl<'t> CombinedResults<'t> {
    /// Finds out which rows count.
    ///
    /// # Errors
    ///
    /// When a row cannot be read.
    pub fn of(tables: &'t [ResultsTable]) -> io::Result<CombinedResults<'t>> {
        let mut carried: Vec<String> = Vec::new();
        for name in tables.iter().flat_map(|table| table.layout().carried()) {
            if !carried.contains(name) {
                carried.push(name.clone());
            }
        }
        // One file needs no second reading.
        let replaced = if let [_] = tables { vec![HashSet::new()] } else { replaced(tables)? };
        Ok(CombinedResults { tables, carried, replaced })
    }

    /// The columns that rows carry from their manifests.
    pub fn carried(&self) -> &[String] {
        &self.carried
    }

    /// Every row that counts, its carried cells in the order of [`CombinedResults::carried`].
    pub fn lines(&self) -> impl Iterator<Item = io::Result<Line>> + '_ {
        self.tables.iter().zip(&self.replaced).flat_map(|(table, replaced)| {
            let places = places(&self.carried, table);
            let counts = |line: &io::Result<Line>| line.as_ref().map_or(true, |line| !replaced.contains(&line.key));
            table.rows().filter(counts).map(move |line| {
                line.map(|line| {
                    let cell = |place: &Option<usize>| place.and_then(|at| line.carried.get(at).cloned());
                    let carried = places.iter().map(|place| cell(place).unwrap_or_default()).collect();
                    Line { carried, ..line }
                })
            })
        })
    }
}

/// Where each of these columns stands among those that the lines of a file carry.
fn places(carried: &[String], table: &ResultsTable) -> Vec<Option<usize>> {
    let own = table.layout().carried();
    carried.iter().map(|name| own.iter().position(|other| other == name)).collect()
}

fn replaced(tables: &[ResultsTable]) -> io::Result<Vec<HashSet<RowKey>>> {
    let mut replaced = vec![HashSet::new(); tables.len()];
    // The row that stands, and the file that it is in.
    let mut standing: HashMap<RowKey, (usize, bool)> = HashMap::new();
    let mut mended: HashSet<u32> = HashSet::new();
    for (file, table) in tables.iter().enumerate().rev() {
        let made_from = table.layout().carried().iter().position(|name| name == MADE_FROM);
        let mut mended_before = HashSet::new();
        for line in table.rows() {
            let line = line?;
            let in_place = is_in_place(line.status);
            mended_before.extend(made_from.and_then(|at| line.carried.get(at)?.parse::<u32>().ok()));
            match standing.get(&line.key).copied() {
                // What is in place is not put in doubt by a later file that did not get to it.
                Some((later, false)) if in_place => {
                    replaced[later].insert(line.key);
                    standing.insert(line.key, (file, true));
                }
                Some(_) => {
                    replaced[file].insert(line.key);
                }
                None if !in_place && mended.contains(&line.line) => {
                    replaced[file].insert(line.key);
                }
                None => {
                    standing.insert(line.key, (file, in_place));
                }
            }
        }
        mended = mended_before;
    }
    Ok(replaced)
}
