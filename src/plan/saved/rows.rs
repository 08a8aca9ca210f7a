//! What a plan is going to do about each row, as it is saved.

use std::collections::HashMap;
use std::io;

use jiff::Timestamp;
use rayon::prelude::*;

use super::{PlannedAction, SavedRow};
use crate::check::RowIx;
use crate::content::{Fingerprint, FingerprintKind};
use crate::engine::{IfAbsent, JobId};
use crate::open_file::fingerprint_of;
use crate::plan::Plan;
use crate::text::hex;
use crate::upload::SourceKind;

/// Rows whose files are hashed at a time.
const BATCH: usize = 1_024;

/// Whether the bytes of files are pinned as well as size and time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileHashes {
    /// Size and time.
    Without,
    /// SHA-256 as well: every file to send is read.
    Sha256,
}

/// Hands on every row of a plan's manifest, those left out at the end.
///
/// # Errors
///
/// When a file cannot be read for its hash, or when `each` fails.
pub fn saved_rows(
    plan: &Plan,
    hashes: FileHashes,
    each: &mut dyn FnMut(&SavedRow) -> io::Result<()>,
) -> io::Result<()> {
    let checked = plan.checked();
    let actions = actions(plan);
    let rows: Vec<RowIx> = checked.rows().collect();
    for batch in rows.chunks(BATCH) {
        let hashed = match hashes {
            FileHashes::Without => HashMap::new(),
            FileHashes::Sha256 => hash(plan, batch.iter().copied().filter(|row| is_sent(&actions, *row)))?,
        };
        for row in batch {
            let action = actions.get(row.0 as usize).copied().unwrap_or(PlannedAction::Nothing);
            let mut saved = saved_row(plan, *row, action);
            saved.sha256 = hashed.get(row).map(|hash| hex(hash));
            each(&saved)?;
        }
    }
    checked.left_out().iter().try_for_each(|row| {
        let cells = row.cells();
        each(&SavedRow {
            line: row.line,
            key: row.key.to_string(),
            action: PlannedAction::LeftOut,
            module: cells.module.to_owned(),
            record: cells.record.to_owned(),
            record_key: cells.record_key.to_owned(),
            file: cells.file.to_owned(),
            url: cells.url.to_owned(),
            name: cells.name.to_owned(),
            bytes: None,
            modified: None,
            sha256: None,
            why: row.code().as_str().to_owned(),
        })
    })
}

fn is_sent(actions: &[PlannedAction], row: RowIx) -> bool {
    actions.get(row.0 as usize).is_some_and(|action| action.sends())
}

/// What is to become of each row.
pub(super) fn actions(plan: &Plan) -> Vec<PlannedAction> {
    let rows = plan.checked().rows();
    let mut actions: Vec<PlannedAction> =
        rows.map(|row| if plan.is_selected(row) { PlannedAction::Nothing } else { PlannedAction::NotChosen }).collect();
    let mut set = |job: JobId, action| {
        if let Some(of_row) = plan.row(job).and_then(|row| actions.get_mut(row.0 as usize)) {
            *of_row = action;
        }
    };
    for job in 0..plan.jobs().len() {
        // Jobs are numbered in 32 bits.
        set(JobId(u32::try_from(job).unwrap_or(u32::MAX)), PlannedAction::Send);
    }
    for (job, prior) in plan.prior_attempts() {
        set(
            *job,
            if prior.if_absent == IfAbsent::SendAgain { PlannedAction::LookUp } else { PlannedAction::NotChosen },
        );
    }
    actions
}

fn saved_row(plan: &Plan, row: RowIx, action: PlannedAction) -> SavedRow {
    let checked = plan.checked();
    let upload = checked.upload(row);
    // A file of a row that is not sent may be gone, or may have been left unlooked at.
    let facts = checked.facts(row).filter(|_| action.sends());
    let source = upload.source.to_owned();
    let (file, url) = match upload.kind {
        SourceKind::File => (source, String::new()),
        SourceKind::Link => (String::new(), source),
    };
    SavedRow {
        line: upload.line,
        key: upload.key.to_string(),
        action,
        module: upload.module.to_owned(),
        record: upload.record.to_string(),
        record_key: checked.record_key(row).to_owned(),
        file,
        url,
        name: upload.name.to_owned(),
        bytes: facts.map(|facts| facts.size),
        modified: facts.map(|facts| modified(facts.modified_ns)),
        sha256: None,
        why: String::new(),
    }
}

/// The time of a file's last change as it is saved.
pub(super) fn modified(nanoseconds: i64) -> String {
    Timestamp::from_nanosecond(nanoseconds.into()).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// The SHA-256 of the files of these rows, several at once; each file once.
pub(super) fn hash(plan: &Plan, rows: impl Iterator<Item = RowIx>) -> io::Result<HashMap<RowIx, [u8; 32]>> {
    let checked = plan.checked();
    let mut of_file: HashMap<&str, Vec<RowIx>> = HashMap::new();
    for row in rows.filter(|row| checked.kind(*row) == SourceKind::File) {
        of_file.entry(checked.upload(row).source).or_default().push(row);
    }
    let hash = |(source, rows): (&str, Vec<RowIx>)| {
        let first = rows.first().copied().unwrap_or(RowIx(0));
        let Some(file) = checked.file(first) else { return Ok(Vec::new()) };
        match fingerprint_of(&file, FingerprintKind::Sha256) {
            Ok(Fingerprint::Sha256(hash)) => Ok(rows.into_iter().map(|row| (row, hash)).collect::<Vec<_>>()),
            Ok(Fingerprint::Xxh3(_)) => Ok(Vec::new()),
            Err(trouble) => Err(io::Error::other(format!("{source}: {trouble}"))),
        }
    };
    let hashed: Vec<Vec<(RowIx, [u8; 32])>> = of_file.into_par_iter().map(hash).collect::<io::Result<_>>()?;
    Ok(hashed.into_iter().flatten().collect())
}
