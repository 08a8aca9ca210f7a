//! Rows that a verification found missing (`--resend missing`): which findings still hold, and the look at the service
//! before anything is sent again.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use super::prepare::Prepared;
use crate::cli::failure::{Failure, OrExit as _};
use crate::cli::requests;
use crate::cli::verify::ClientLister;
use crate::engine::StopSignal;
use crate::engine::requests::RequestPolicy;
use crate::exit::Exit;
use crate::outcome::Status;
use crate::results::{Taking, findings_of, read};
use crate::units;
use crate::upload::{RowKey, ServiceId};
use crate::verify::lookup::{VerifyScope, verify};
use crate::verify::{VerifyFinding, VerifyWork, findings};

/// The rows that the findings beside the results call missing. A finding holds only while a row still names the
/// attachment that was looked for, so that the same command sends nothing a second time. It is found by that attachment
/// and not by the row's key: a row that is written otherwise since has another key and is the same row.
pub(super) fn found(results: &Path, accept_edited: bool) -> Result<HashSet<RowKey>, Failure> {
    let path = findings_of(results);
    let mut missing: HashSet<ServiceId> = HashSet::new();
    findings::read(&path, |line| {
        if let ("missing", Some(id)) = (line.finding.as_str(), line.attachment) {
            missing.insert(id);
        }
    })
    .with_context(|| {
        let (results, findings) = (results.display(), path.display());
        format!(
            "--resend missing needs what attache verify {results} finds, and {findings} cannot be used; run that first"
        )
    })
    .or_exit(Exit::Usage)?;
    if missing.is_empty() {
        return Ok(HashSet::new());
    }
    let mut rows = HashSet::new();
    for line in read(results, accept_edited).or_exit(Exit::Results)?.rows() {
        let line = line.context("cannot read the results").or_exit(Exit::Results)?;
        if line.status == Status::Uploaded && line.attachment_id.is_some_and(|id| missing.contains(&id)) {
            rows.insert(line.key);
        }
    }
    Ok(rows)
}

/// Those of them that are to be sent, by the keys that they have once they took their lines over. A dry run asks nobody.
pub(super) fn to_send(
    prepared: &Prepared,
    rows: HashSet<RowKey>,
    takings: &[Taking],
) -> Result<HashSet<RowKey>, Failure> {
    let rows = if prepared.args.dry_run { rows } else { still(prepared, rows)? };
    let taken = takings.iter().filter(|taking| rows.contains(&taking.from)).map(|taking| taking.to).collect();
    Ok(&rows | &taken)
}

/// Those of them that the lists of their records still do not have. In a rehearsal nobody can be asked.
fn still(prepared: &Prepared, rows: HashSet<RowKey>) -> Result<HashSet<RowKey>, Failure> {
    let Some(client) = prepared.reader()?.filter(|_| !rows.is_empty()) else {
        return Ok(rows);
    };
    let work = on_their_records(prepared, &rows)?;
    let (count, records) = (units::counted(rows.len(), "row"), units::counted(work.records.len(), "record"));
    prepared.screen.note(&format!("Looking once more for {count} that were missing, on {records}.\n"));
    let policy = policy(prepared);
    let scope = VerifyScope { census: false, sample: None, root: PathBuf::new() };
    let verified = verify(work, &scope, &ClientLister(client), &policy, &StopSignal::default(), &|_| ());
    if let Some(stop) = &verified.stop {
        let why = requests::stopped(stop, &policy);
        return Err(Failure {
            exit: requests::exit(stop, None),
            error: anyhow!("cannot look for what was missing: {why}"),
        });
    }
    let still = verified.rows.iter().filter(|row| row.finding == VerifyFinding::Missing).map(|row| row.row.key);
    Ok(still.filter(|key| rows.contains(key)).collect())
}

/// All rows of the records that these rows are about: which attachment is whose can only be told of all together.
fn on_their_records(prepared: &Prepared, rows: &HashSet<RowKey>) -> Result<VerifyWork, Failure> {
    let table = read(&prepared.plan.results, prepared.results.accept_edited).or_exit(Exit::Results)?;
    let mut records: HashSet<(String, String)> = HashSet::new();
    for line in table.rows() {
        let line = line.context("cannot read the results").or_exit(Exit::Results)?;
        if rows.contains(&line.key) {
            records.insert((line.module, line.record));
        }
    }
    let concerned = table.rows().filter(|line| {
        line.as_ref().map_or(true, |line| records.contains(&(line.module.clone(), line.record.clone())))
    });
    VerifyWork::of(concerned).context("cannot read the results").or_exit(Exit::Results)
}

fn policy(prepared: &Prepared) -> RequestPolicy {
    let run = &prepared.plan.engine;
    RequestPolicy {
        concurrency: run.concurrency,
        rate: run.rate,
        retry: run.retry_policy(),
        patience: run.patience,
        max_credits: run.max_credits,
        keep_credits: run.keep_credits,
        seed: run.seed,
    }
}
