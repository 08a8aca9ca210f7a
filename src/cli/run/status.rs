//! The exit status of a run, and of a dry run that stands for it.

use std::sync::OnceLock;

use crate::engine::{Ending, StopCause};
use crate::exit::Exit;
use crate::outcome::Status;
use crate::plan::facts::Facts;
use crate::reply::StopBecause;
use crate::results::ResultsTotals;

/// What the run's exit status would be if it had come to this point: rows that failed for good yesterday are failed
/// still, and credits that do not suffice will stop it.
pub(super) fn of_dry_run(facts: &Facts) -> Exit {
    let rows = facts.rows;
    let mut exit = Exit::Done;
    if rows.left_out > 0 || rows.failed > 0 {
        exit = exit.max(Exit::SomeFailed);
    }
    if rows.unknown + rows.deleting > 0 {
        exit = exit.max(Exit::Unsettled);
    }
    if !facts.credits.suffice() {
        exit = exit.max(Exit::Stopped);
    }
    exit
}

/// The exit status: of the whole results file, not of this run alone.
pub(super) fn of_run(ending: &Ending, totals: Option<&ResultsTotals>, signal: &OnceLock<Exit>) -> Exit {
    let stopped = ending.stopped.as_ref().map(|stopped| match stopped.cause {
        StopCause::Signal => signal.get().copied().unwrap_or(Exit::Interrupted),
        StopCause::Service(StopBecause::Disk) => Exit::Results,
        _ => Exit::Stopped,
    });
    let Some(totals) = totals else { return Exit::Results };
    let count = |status| totals.rows.of(status) + totals.gone.of(status);
    let unsettled = count(Status::Unknown) + count(Status::InDoubt) + count(Status::Deleting) > 0;
    // Rows behind `--limit` and rows that were not chosen are what the user asked for; any other row that was not sent is
    // one that failed to be.
    let unsent = totals.rows.of(Status::NotSent) > ending.over_limit + totals.not_selected;
    let failed = totals.rows.of(Status::Failed) + totals.rows.of(Status::Invalid) > 0 || unsent;
    [stopped, unsettled.then_some(Exit::Unsettled), failed.then_some(Exit::SomeFailed)]
        .into_iter()
        .flatten()
        .max()
        .unwrap_or(Exit::Done)
}
