//! The sentences and labels that the page, the workbook and the text share.

use std::time::Duration;

use jiff::Timestamp;

use super::model::{Report, ReportRow, ReportTotals, SizeClass};
use super::verified::ReportedVerification;
use crate::outcome::Status;
use crate::results::{ManifestRef, RunRecord};
use crate::units;

/// The one sentence that a reader takes away.
pub(super) fn headline(report: &Report) -> String {
    let totals = &report.totals;
    if !report.source.complete {
        return format!("{} in place so far", units::counted(totals.in_place(), "attachment"));
    }
    // What the results say gives way to what the service was seen to have.
    if let Some(amiss) = found_amiss(report) {
        return format!("A verification found {} not as the results say", units::counted(amiss, "attachment"));
    }
    let rows = units::counted(totals.rows, "row");
    match (totals.rows, totals.in_place(), totals.open()) {
        (0, ..) => "No rows yet".to_owned(),
        (1, 1, _) => "The attachment is in place".to_owned(),
        (_, in_place, 0) => format!("All {} attachments are in place", units::count(in_place)),
        (_, in_place, _) => format!("{} of {rows} in place", units::count(in_place)),
    }
}

/// How many attachments a verification found missing, changed or more than once; `None` where it found none such.
fn found_amiss(report: &Report) -> Option<u64> {
    report.verification.as_ref().map(ReportedVerification::amiss).filter(|amiss| *amiss > 0)
}

/// What the report is called.
pub(super) fn title(report: &Report) -> &str {
    report.source.title.as_deref().unwrap_or("Attachments to Zoho CRM")
}

/// What is signed.
pub(super) fn statement(report: &Report) -> String {
    match &report.verification {
        Some(verification) => format!("{} {}", claim(report), verification.sentence()),
        None => claim(report),
    }
}

/// What the results say.
fn claim(report: &Report) -> String {
    let totals = &report.totals;
    if !report.source.complete {
        return "The migration is not at its end: this report is not one to sign yet.".to_owned();
    }
    if found_amiss(report).is_some() {
        return "This report is not one to sign yet.".to_owned();
    }
    match totals.open() {
        0 => "Every attachment of the migration is in place as this report says.".to_owned(),
        open => format!(
            "{} in place as this report says; what is to be done about {} stands in the annex.",
            match totals.in_place() {
                1 => "1 attachment is".to_owned(),
                in_place => format!("{} attachments are", units::count(in_place)),
            },
            match open {
                1 => "the other row".to_owned(),
                open => format!("the other {} rows", units::count(open)),
            },
        ),
    }
}

/// Where to and when, in one line.
pub(super) fn subline(report: &Report) -> String {
    let source = &report.source;
    let target = match source.targets.as_slice() {
        [] => "Nothing was sent yet".to_owned(),
        targets if targets.iter().all(|target| target == "sandbox") => {
            "A rehearsal: sent to the sandbox only".to_owned()
        }
        targets => match source.owners.as_slice() {
            [owner] if owner.starts_with("org:") => {
                format!("Sent to the organisation {} at {}", owned_by(owner), targets.join(", "))
            }
            _ => format!("Sent to {}", targets.join(", ")),
        },
    };
    let sent = match (source.first_sent, source.last_finished) {
        (Some(first), Some(last)) if date(first) == date(last) => format!("{target} on {}", date(first)),
        (Some(first), Some(last)) => format!("{target} from {} to {}", date(first), date(last)),
        _ => target,
    };
    if source.complete { sent } else { format!("{sent}. The run was going on or cut off; {NOT_COUNTED}") }
}

const NOT_COUNTED: &str = "rows that it had not begun are not counted";

/// What is said where no row is amiss.
pub(super) fn nothing_amiss(report: &Report) -> String {
    if let (Some(_), Some(verification)) = (found_amiss(report), &report.verification) {
        format!("By the results nothing, but the service was seen otherwise. {}", verification.sentence())
    } else if report.source.complete {
        "Nothing. Every row of the manifest has its attachment.".to_owned()
    } else {
        format!("Nothing so far: of a run that was going on or cut off, {NOT_COUNTED}.")
    }
}

/// What a status is called in running text.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Uploaded => "Uploaded",
        Status::AlreadyPresent => "Already present",
        Status::Failed => "Failed",
        Status::InDoubt | Status::Sending => "In doubt",
        Status::Unknown => "Unknown",
        Status::NotSent => "Not sent yet",
        Status::Invalid => "Left out",
        Status::Superseded => "Superseded",
        Status::Deleting => "Being deleted",
        Status::Deleted => "Deleted",
    }
}

/// What stands beside the attachments of the rows, if anything does.
pub(super) fn superseded(totals: &ReportTotals) -> Option<String> {
    let older = units::counted(totals.superseded, "older attachment");
    (totals.superseded > 0).then(|| {
        format!(
            "Not counted: {older} (superseded) of rows that were sent once more. As far as nobody has removed it, what was \
             there before stands beside what came later."
        )
    })
}

/// How many rows have each status; a row under way counts as one in doubt.
pub(super) fn counts(totals: &ReportTotals) -> [(Status, u64); 9] {
    [
        (Status::Uploaded, totals.uploaded),
        (Status::AlreadyPresent, totals.already_present),
        (Status::Failed, totals.failed),
        (Status::Invalid, totals.invalid),
        (Status::Unknown, totals.unknown),
        (Status::InDoubt, totals.in_doubt),
        (Status::NotSent, totals.not_sent),
        (Status::Deleting, totals.deleting - totals.deleting_aside),
        (Status::Deleted, totals.deleted - totals.deleted_aside),
    ]
}

/// Heads of what [`module_counts`] gives.
pub(super) const MODULE_COLUMNS: [&str; 7] =
    ["Rows", "Uploaded", "Already present", "Failed or left out", "Unknown or in doubt", "Not sent", "Records"];

/// What is counted of one module.
pub(super) fn module_counts(totals: &ReportTotals) -> [u64; 7] {
    let (refused, unsettled) = (totals.failed + totals.invalid, totals.unknown + totals.in_doubt);
    [totals.rows, totals.uploaded, totals.already_present, refused, unsettled, totals.not_sent, totals.records]
}

/// A time to answer.
pub(super) fn answer_time(seconds: f32) -> String {
    match seconds {
        below if below < 1.0 => format!("{:.0} ms", below * 1_000.0),
        seconds => units::duration(Duration::try_from_secs_f32(seconds).unwrap_or(Duration::MAX)),
    }
}

/// A time to the second, in UTC.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%-d %B %Y, %H:%M:%S UTC").to_string()
}

pub(super) fn date(at: Timestamp) -> String {
    at.strftime("%-d %B %Y").to_string()
}

/// The line of a row in the manifest, if it is still in it.
pub(super) fn line(row: &ReportRow) -> String {
    row.line.map_or_else(|| "–".to_owned(), |line| line.to_string())
}

/// What the old system calls the record of a row, where the row names it so.
pub(super) fn key(row: &ReportRow) -> Option<String> {
    (!row.record_key.is_empty()).then(|| format!("key {}", row.record_key))
}

/// The name that a row was sent under, where its source does not say it.
pub(super) fn sent_as(row: &ReportRow) -> Option<String> {
    let own = row.source.rsplit(['/', '\\']).next().unwrap_or(&row.source);
    (!row.name.is_empty() && row.name != own).then(|| format!("as {}", row.name))
}

/// Classes of sizes with their labels, up to the last that has a file.
pub(super) fn size_classes(classes: &[SizeClass]) -> Vec<(String, u64)> {
    let mut from = None;
    let label = |from: Option<u64>, below: Option<u64>| match (from, below) {
        (None, Some(below)) => format!("under {}", short(below)),
        (Some(from), Some(below)) => format!("{} – {}", short(from), short(below)),
        (Some(from), None) => format!("{} or more", short(from)),
        (None, None) => "any".to_owned(),
    };
    let used = classes.iter().rposition(|class| class.files > 0).map_or(0, |last| last + 1);
    let labelled = classes
        .iter()
        .take(used)
        .map(|class| (label(std::mem::replace(&mut from, class.below), class.below), class.files));
    labelled.collect()
}

/// A round size without decimals: `100 kB`.
fn short(bytes: u64) -> String {
    units::size(bytes).replace(".00 ", " ").replace(".0 ", " ")
}

/// Where a report comes from, as label and value.
pub(super) fn origin(report: &Report) -> Vec<(&'static str, String)> {
    let source = &report.source;
    let list = |items: Vec<String>| if items.is_empty() { "–".to_owned() } else { items.join(", ") };
    let mut facts: Vec<(&'static str, String)> = Vec::new();
    facts.extend(source.client.clone().map(|client| ("For", client)));
    facts.extend([
        ("Sent to", list(source.targets.clone())),
        ("Organisation", list(source.owners.iter().map(|owner| owned_by(owner)).collect())),
        ("As user", list(source.created_by.iter().map(ToString::to_string).collect())),
        ("First row sent", source.first_sent.map_or_else(|| "–".to_owned(), time)),
        ("Last row ended", source.last_finished.map_or_else(|| "–".to_owned(), time)),
        ("Uploads tried", units::count(report.totals.tries)),
        ("Results file", source.results.clone()),
        ("Its SHA-256", source.results_sha256.clone()),
    ]);
    facts.extend(report.verification.as_ref().map(|verification| ("Verified", verification.sentence())));
    for later in &source.later_results {
        facts.push(("And then", later.results.clone()));
        facts.push(("Its SHA-256", later.results_sha256.clone()));
    }
    facts.extend(manifests(&report.runs));
    facts
}

/// Whose CRM it is, in words.
pub(super) fn owned_by(owner: &str) -> String {
    match owner.split_once(':') {
        Some(("org", id)) => id.to_owned(),
        Some(("client", _)) => "not known: the credentials may not ask for it".to_owned(),
        _ => owner.to_owned(),
    }
}

/// The manifests of the runs, each once, with their hashes.
fn manifests(runs: &[RunRecord]) -> Vec<(&'static str, String)> {
    let mut facts: Vec<(&'static str, String)> = Vec::new();
    for run in runs.iter().filter(|run| run.undid.is_none()) {
        let ManifestRef { path, sha256 } = &run.manifest;
        let manifest = format!("{path} (SHA-256 {sha256})");
        if facts.iter().all(|(_, known)| *known != manifest) {
            facts.push((if facts.is_empty() { "Manifest" } else { "and then" }, manifest));
        }
    }
    facts
}

/// Heads of what [`run_cells`] gives.
pub(super) const RUN_COLUMNS: [&str; 6] = ["Began (UTC)", "Took", "Ended", "Version", "Target", "Options"];

/// One run as cells of a table.
pub(super) fn run_cells(run: &RunRecord) -> [String; 6] {
    let took = Duration::try_from(run.finished - run.started).unwrap_or_default();
    let options = run.options.iter().map(|(name, value)| format!("{name} {value}"));
    [
        run.started.strftime("%Y-%m-%d %H:%M").to_string(),
        units::duration(took),
        match run.undid {
            Some(deleted) => undone(deleted, run),
            None => run.stopped.clone().unwrap_or_else(|| ended(run.exit)),
        },
        run.version.clone(),
        run.target.clone(),
        options.collect::<Vec<_>>().join(", "),
    ]
}

/// How an undo ended.
fn undone(deleted: u32, run: &RunRecord) -> String {
    let deleted = format!("undo: {} deleted", units::count(deleted));
    match (&run.stopped, run.exit) {
        (Some(stopped), _) => format!("{deleted}; {stopped}"),
        (None, 1) => format!("{deleted}, some left alone"),
        (None, 5) => format!("{deleted}, some in doubt"),
        (None, _) => deleted,
    }
}

fn ended(exit: u8) -> String {
    match exit {
        0 => "all done".to_owned(),
        1 => "some rows failed".to_owned(),
        4 => "stopped early".to_owned(),
        5 => "rows left unsettled".to_owned(),
        130 | 143 => "interrupted".to_owned(),
        other => format!("exit status {other}"),
    }
}
