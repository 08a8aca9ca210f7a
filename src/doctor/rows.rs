//! From the rows of a manifest to the records that are looked for, and back: a record that does not exist is a problem of
//! each row that names it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::answers::Deletion;
use super::search::RecordSearch;
use crate::check::{Checkup, LeftOut};
use crate::problem::{Problem, ProblemCode};
use crate::upload::{RecordId, Upload};

/// By module, the distinct records of the rows that are sound as far as can be told here.
pub(crate) fn records_of(checkup: &Checkup) -> BTreeMap<String, BTreeSet<RecordId>> {
    let Some(checked) = &checkup.checked else { return BTreeMap::new() };
    let names: Vec<&str> = checked.modules().collect();
    let mut by_module: Vec<BTreeSet<RecordId>> = vec![BTreeSet::new(); names.len()];
    for row in checked.rows() {
        if let Some(records) = by_module.get_mut(usize::from(checked.module(row))) {
            records.insert(checked.record(row));
        }
    }
    let by_name = names.into_iter().map(str::to_owned).zip(by_module);
    by_name.filter(|(_, records)| !records.is_empty()).collect()
}

/// The names in the column module that are none here: with what the service knows, one may still be told what it was meant
/// to be.
pub(crate) fn unknown_modules(checkup: &Checkup) -> BTreeSet<String> {
    let is_about_module = |code| {
        matches!(
            code,
            ProblemCode::ModuleUnknown
                | ProblemCode::ModuleLabel
                | ProblemCode::CustomModule
                | ProblemCode::ModuleVersion
        )
    };
    let rows = checkup.unsound.iter().filter(|row| is_about_module(row.code()));
    let names = rows.map(|row| row.cells().module.trim().to_owned()).filter(|name| !name.is_empty());
    names.take(MOST_NAMES).collect()
}

/// Whoever has more names that are none has no list of modules in that column.
const MOST_NAMES: usize = 1_000;

/// A record that does not exist, and what is known of its end.
struct MissingRecord {
    /// How many records of the module were looked for.
    looked_for: usize,
    /// How many of these do not exist.
    missing: usize,
    deletion: Option<Deletion>,
}

/// Adds a problem to each row whose record does not exist, and takes it from the sound ones. Says how many rows that are.
pub(crate) fn note_missing(checkup: &mut Checkup, search: &RecordSearch) -> u32 {
    let missing = missing_records(search);
    let Some(checked) = checkup.checked.as_ref().filter(|_| !missing.is_empty()) else { return 0 };
    let numbers = numbers_of_sound(checkup.rows, &checkup.unsound);
    let (mut unsound, mut problems) = (Vec::clone(&checkup.unsound), Vec::new());
    for (row, number) in checked.rows().zip(numbers) {
        let upload = checked.upload(row);
        let Some(record) = missing.get(&(upload.module, upload.record)) else { continue };
        let key = checked.record_key(row);
        let problem = problem(&upload, key, record).on_line(upload.line).in_row(number);
        unsound.push(with_error(checked.left_out_row(row, number), &problem));
        problems.push(problem);
    }
    unsound.sort_unstable_by_key(|row| row.row);
    let count = u32::try_from(problems.len()).unwrap_or(u32::MAX);
    checkup.problems.extend(problems);
    checkup.problems.sort();
    checkup.unsound = Arc::new(unsound);
    checkup.sound = checkup.sound.saturating_sub(count);
    count
}

/// Takes the doubt away that an id was rounded where its record was seen. Where it stays, what would help is not what helps
/// a run, which has to take somebody's word for it.
pub(crate) fn settle_rounded(checkup: &mut Checkup, search: Option<&RecordSearch>) {
    let Some(checked) = &checkup.checked else { return };
    let numbers = numbers_of_sound(checkup.rows, &checkup.unsound);
    let is_seen = |row| {
        let upload = checked.upload(row);
        search.is_some_and(|search| search.has_seen(upload.module, upload.record))
    };
    let seen: HashMap<u32, bool> = checked.rows().zip(numbers).map(|(row, number)| (number, is_seen(row))).collect();
    checkup.problems.revise(ProblemCode::RecordRounded, &mut |row, problem| {
        problem.into_iter().for_each(|problem| ROUNDED.clone_into(&mut problem.hint));
        !seen.get(&row).copied().unwrap_or_default()
    });
}

/// What to do about an id that looks rounded and is not known to exist.
const ROUNDED: &str = "compare it with the export, in which the column must be text";

fn missing_records(search: &RecordSearch) -> HashMap<(&str, RecordId), MissingRecord> {
    let of_module = search.modules.iter().flat_map(|module| {
        let ids = module.missing().unwrap_or_default();
        let missing = ids.len();
        ids.into_iter().map(move |id| {
            let deletion = module.deletions.get(&id).cloned();
            ((module.name.as_str(), id), MissingRecord { looked_for: module.wanted.len(), missing, deletion })
        })
    });
    of_module.collect()
}

/// The number of each sound row: every row is either sound or held as unsound.
fn numbers_of_sound(rows: u32, unsound: &[LeftOut]) -> impl Iterator<Item = u32> + use<> {
    let unsound: BTreeSet<u32> = unsound.iter().map(|row| row.row).collect();
    (1..=rows).filter(move |number| !unsound.contains(number))
}

fn problem(upload: &Upload<'_>, key: &str, record: &MissingRecord) -> Problem {
    let Upload { module, record: id, .. } = upload;
    let mut message = match key {
        "" => format!("{module} has no record {id}"),
        key => format!("{module} has no record {id}, for which the key {key} stands"),
    };
    if let Some(deletion) = &record.deletion {
        message += &format!(": {}", told(deletion));
    }
    let is_binned = record.deletion.as_ref().is_some_and(|deletion| !deletion.is_for_good);
    let hint = match (key, record.looked_for > 1 && record.missing == record.looked_for) {
        _ if is_binned => "restore the record from the recycle bin, or leave the row out",
        (_, true) => "none of the records of this module exists here: do the ids belong to another organisation?",
        ("", false) => "name the record that took its place, for example by a merge, or leave the row out",
        (_, false) => "the crosswalk is older than the end of this record: make it anew, or leave the row out",
    };
    let (field, value) = if key.is_empty() { ("record", id.to_string()) } else { ("key", key.to_owned()) };
    Problem::new(ProblemCode::RecordNotFound, message, hint).about(field, &value)
}

/// Who deleted a record and when, as a part of a sentence.
fn told(Deletion { by, at, is_for_good }: &Deletion) -> String {
    let by = by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let at = at.as_ref().map(|at| format!(" on {at}")).unwrap_or_default();
    let bin = if *is_for_good { "it has left the recycle bin" } else { "it is in the recycle bin" };
    format!("deleted{by}{at}, {bin}")
}

fn with_error(mut row: LeftOut, problem: &Problem) -> LeftOut {
    row.set_error(problem.code, Some(&problem.message));
    row
}
