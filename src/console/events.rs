//! The lines of `--progress json`: one event each, in a documented shape with a version.
//! `schemas/event.schema.json` is made from these types.

use schemars::JsonSchema;
use serde::Serialize;

use super::names::JobName;
use super::run_tally::View;
use crate::engine::ports::RunEvent;
use crate::engine::{Elapsed, JobId, Notice, PauseReason, StopCause};
use crate::outcome::Status;
use crate::reply::Verdict;

/// The version of the shape. Fields may be added without a new one.
pub const VERSION: u32 = 1;

/// One line.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct EventLine {
    /// The version of this shape.
    pub version: u32,
    /// Seconds since the run began.
    pub at: f64,
    /// What happened.
    #[serde(flatten)]
    pub event: EventBody,
}

/// What can happen.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventBody {
    /// The run begins.
    Begun(ProgressEvent),
    /// A row has ended; its line stands in the results.
    Row(RowEvent),
    /// A row has ended, but the results file could not take its line.
    Unwritten {
        /// What the line would have said.
        row: RowEvent,
        /// Why it could not be written.
        why: String,
    },
    /// A try was refused for a passing reason, or its answer was lost; the row goes on later.
    Postponed {
        /// Its line in the manifest; null if it is no longer there.
        line: Option<u32>,
        /// Whether the answer was lost; otherwise surely nothing was created.
        in_doubt: bool,
        /// The service's code or ours.
        code: String,
        /// The service's words or ours.
        message: String,
        /// The HTTP status, if an answer came.
        http_status: Option<u16>,
    },
    /// Something about the run as a whole.
    Notice {
        /// Stable, in kebab-case.
        code: String,
        /// A sentence.
        message: String,
    },
    /// Every few seconds: how far the run is.
    Progress(ProgressEvent),
    /// `attache verify`: the lists of so many records are compared.
    Listed {
        /// Records done.
        records: u64,
        /// All records.
        of: u64,
    },
    /// `attache verify`: so many pages of the census of all attachments are read.
    Census {
        /// Pages, of 200 attachments each.
        pages: u64,
    },
    /// `attache verify`: the bytes of so many files are compared.
    Compared {
        /// Files done.
        files: u64,
        /// All files of the sample that can be compared.
        of: u64,
    },
    /// `attache undo`: so many attachments are deleted or left alone.
    Undone {
        /// Attachments done.
        attachments: u64,
        /// All that are to go.
        of: u64,
    },
    /// The run is over; the summary follows on standard output if that was asked for.
    Ended(ProgressEvent),
}

/// The end of one row.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Row")]
pub struct RowEvent {
    /// Its line in the manifest; null if it is no longer there.
    pub line: Option<u32>,
    /// The module's API name.
    pub module: String,
    /// The record's id.
    pub record: String,
    /// The path or address as written.
    pub source: String,
    /// As in the results.
    pub status: String,
    /// As in the results.
    pub code: String,
    /// The service's words or ours.
    pub message: String,
    /// The attachment, where one is known.
    pub attachment_id: Option<String>,
    /// The HTTP status of the answer that decided.
    pub http_status: Option<u16>,
    /// Requests made for the row in this run.
    pub tries: u32,
    /// From the first byte to the answer.
    pub seconds: f64,
    /// Bytes of the file; null for a link.
    pub bytes: Option<u64>,
}

/// How far a run is.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Progress")]
pub struct ProgressEvent {
    /// Rows of the manifest.
    pub rows: u64,
    /// Of these, the ones that need nothing more, of all runs.
    pub overall: u64,
    /// Rows that this run is to bring to their end.
    pub to_do: u64,
    /// Of these, the ones that have ended, however.
    pub ended: u64,
    /// Of these, attached.
    pub attached: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Of these, unknown.
    pub unknown: u64,
    /// Rows whose answers were lost and that are not settled yet.
    pub in_doubt: u64,
    /// Answers that asked to slow down.
    pub throttled: u64,
    /// Bytes that have left.
    pub bytes: u64,
    /// Rows a second in the last half minute.
    pub rows_per_second: f64,
    /// Rows a second since the run began.
    pub mean_rows_per_second: f64,
    /// Bytes a second in the last half minute.
    pub bytes_per_second: f64,
    /// Until the last row ends, by what rows and bytes have cost.
    pub seconds_left: Option<u64>,
    /// API credits left, if an answer said so.
    pub credits_left: Option<u64>,
    /// Until they run out, at the present rate, where that is before the last row.
    pub credits_last_seconds: Option<u64>,
}

/// A notice as a code and a sentence. `module` looks up what a module is called.
pub(super) fn worded(notice: &Notice, now: Elapsed, module: impl Fn(u16) -> String) -> (&'static str, String) {
    let in_seconds = |until: &Elapsed| crate::units::duration(until.saturating_sub(now));
    match notice {
        Notice::Throttled { window } => {
            ("throttled", format!("the service asks to slow down: {window} requests at once from now on"))
        }
        Notice::Paused { until, reason } => {
            let why = match reason {
                PauseReason::Throttled => "the service asks for a pause",
                PauseReason::Outage => "the service cannot be reached or is in trouble",
                PauseReason::Doubts => "many answers in a row were lost",
                PauseReason::Credits => "API credits are used up",
            };
            ("paused", format!("{why}; one request tries again in {}", in_seconds(until)))
        }
        Notice::Resumed => ("resumed", "the pause is over".to_owned()),
        Notice::Settling { rows, from } => {
            let records = if *rows == 1 { "its record is" } else { "their records are" };
            let rows = crate::units::counted(*rows, "row");
            ("settling", format!("{rows} in doubt: {records} listed in {}", in_seconds(from)))
        }
        Notice::Warning { code, message } => (code, message.clone()),
        Notice::ModuleClosed { module: index, message } => {
            ("module-closed", format!("no further row of {} is sent: {message}", module(*index)))
        }
        Notice::Stopping(stopped) => {
            // Words of the service and of the system end without a full stop.
            let message = stopped.message.trim_end_matches('.');
            match stopped.cause {
                // Whoever interrupts a run knows why, and is told at its end how it goes on, which is otherwise in a rehearsal.
                StopCause::Signal => ("stopping", format!("stopping: {message}")),
                _ => ("stopping", format!("stopping: {message}. {}", stopped.advice)),
            }
        }
    }
}

/// The event of a run's event, if it has one; bytes on their way have none.
pub(super) fn body(
    at: Elapsed,
    event: &RunEvent<'_>,
    name: impl Fn(JobId) -> JobName,
    module: impl Fn(u16) -> String,
) -> Option<EventBody> {
    Some(match event {
        RunEvent::Started { .. } | RunEvent::Sent { .. } | RunEvent::Credits { .. } => return None,
        RunEvent::Postponed { job, reply } => EventBody::Postponed {
            line: name(*job).line,
            in_doubt: matches!(reply.verdict, Verdict::InDoubt(_)),
            code: reply.code.clone(),
            message: reply.message.clone(),
            http_status: reply.http_status,
        },
        RunEvent::Ended(ended) => EventBody::Row(row(&ended.outcome, name(ended.job))),
        RunEvent::Unwritten { ended, why } => {
            EventBody::Unwritten { row: row(&ended.outcome, name(ended.job)), why: why.to_string() }
        }
        RunEvent::Notice(notice) => {
            let (code, message) = worded(notice, at, module);
            EventBody::Notice { code: code.to_owned(), message }
        }
    })
}

fn row(outcome: &crate::outcome::Outcome, name: JobName) -> RowEvent {
    let JobName { line, module, record, source, bytes } = name;
    RowEvent {
        line,
        module,
        record,
        source,
        status: outcome.status.as_str().to_owned(),
        code: outcome.code.clone(),
        message: outcome.message.clone(),
        attachment_id: outcome.attachment_id.map(|id| id.to_string()),
        http_status: outcome.http_status,
        tries: outcome.tries,
        seconds: outcome.took.as_secs_f64(),
        bytes,
    }
}

impl ProgressEvent {
    pub(super) fn of(view: &View) -> ProgressEvent {
        ProgressEvent {
            rows: view.scope.rows,
            overall: view.overall(),
            to_do: view.scope.to_do,
            ended: view.ended(),
            attached: view.attached(),
            failed: view.ended.of(Status::Failed).into(),
            unknown: view.ended.of(Status::Unknown).into(),
            in_doubt: view.in_doubt + u64::from(view.ended.of(Status::InDoubt)),
            throttled: view.throttled,
            bytes: view.bytes,
            rows_per_second: rounded(view.rows_each_second.now),
            mean_rows_per_second: rounded(view.rows_each_second.mean),
            bytes_per_second: rounded(view.bytes_each_second.now),
            seconds_left: view.time_left.map(|left| left.as_secs()),
            credits_left: view.credits_left,
            credits_last_seconds: view.credits_last.map(|last| last.as_secs()),
        }
    }
}

fn rounded(rate: f64) -> f64 {
    (rate * 1_000.0).round() / 1_000.0
}
