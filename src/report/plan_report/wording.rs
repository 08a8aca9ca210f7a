//! The sentences and labels that the page, the workbook and the text about a plan share.

use std::time::Duration;

use super::{PlanReport, ToSend};
use crate::console::plan::time_range;
use crate::plan::saved::SavedRow;
use crate::report::record_pages::record_page;
use crate::report::wording::owned_by;
use crate::units::{count, counted, duration, size};

/// What the report is called.
pub(super) fn title(report: &PlanReport) -> &str {
    report.origin.title.as_deref().unwrap_or("Attachments to Zoho CRM: a plan to approve")
}

/// The one sentence that a reader takes away.
pub(super) fn headline(report: &PlanReport) -> String {
    let all = &report.all;
    match (all.sent, all.looked_up) {
        (0, 0) => "Nothing to send".to_owned(),
        (0, looked_up) => format!("{} to look up again", counted(looked_up, "attachment")),
        (_, 0) => format!("{} to {}", counted(all.sent, "attachment"), counted(all.records, "record")),
        (_, looked_up) => format!(
            "{} to {}, {} of them to look up first",
            counted(all.attachments(), "attachment"),
            counted(all.records, "record"),
            count(looked_up)
        ),
    }
}

/// Where to and when it was planned, in one line.
pub(super) fn subline(report: &PlanReport) -> String {
    format!("{}. Planned on {}", target(report), saved_at(report))
}

fn target(report: &PlanReport) -> String {
    let pinned = &report.head.pinned;
    let rehearsal = report.head.summary.target.as_ref().is_some_and(|target| target.rehearsal);
    if rehearsal || pinned.target == "sandbox" {
        return "A rehearsal: to a sandbox only".to_owned();
    }
    match organisation(report) {
        Some(organisation) => format!("To {}, organisation {organisation}", pinned.target),
        None => format!("To {}", pinned.target),
    }
}

/// The organisation's id and, where it is known, its name.
fn organisation(report: &PlanReport) -> Option<String> {
    let pinned = report.head.pinned.organisation.as_deref()?;
    let id = pinned.strip_prefix("org:")?;
    let named = report.head.summary.target.as_ref().and_then(|target| target.owner.as_deref());
    Some(named.map_or_else(|| id.to_owned(), str::to_owned))
}

fn saved_at(report: &PlanReport) -> String {
    match report.head.saved_at.parse() {
        Ok(at) => crate::report::wording::time(at),
        Err(_) => report.head.saved_at.clone(),
    }
}

/// What is signed.
pub(super) fn statement(report: &PlanReport) -> String {
    const KEPT: &str = "A run with this plan compares every row, every file and the target with it first. If anything \
                        differs, it sends nothing and names each difference.";
    let all = &report.all;
    if all.attachments() == 0 {
        return format!("There is nothing to approve: by this plan nothing is sent. {KEPT}");
    }
    format!(
        "To be approved: {} are attached to {} as this report says, and nothing else. {KEPT}",
        what(all),
        counted(all.records, "record")
    )
}

/// Files and links, with their size.
pub(super) fn what(all: &ToSend) -> String {
    let files = format!("{} ({})", counted(all.files, "file"), size(all.bytes));
    match (all.files, all.links) {
        (_, 0) => files,
        (0, links) => counted(links, "link"),
        (_, links) => format!("{files} and {}", counted(links, "link")),
    }
}

/// Rows by what becomes of them: the colour, what it is called, how many, and what that means.
pub(super) fn parts(report: &PlanReport) -> Vec<(&'static str, &'static str, u64, &'static str)> {
    let rows = &report.head.summary.rows;
    let all = &report.all;
    let parts = [
        ("planned", "To send", all.sent, ""),
        ("in-doubt", "To look up first", all.looked_up, "the answer was lost before; sent only if it is not there"),
        ("uploaded", "In place already", rows.done, "by earlier runs; left as they are"),
        ("failed", "Refused before", rows.failed, "failed for good in an earlier run; not tried again"),
        ("unknown", "Unknown", rows.unknown, "an earlier run could not tell whether they are there; not sent"),
        ("not-sent", "Deleted", rows.deleted, "attached before and taken back; not sent again"),
        ("in-doubt", "Being deleted", rows.deleting, "being taken back; not sent"),
        ("not-sent", "Not chosen", rows.not_selected, "not part of this plan; they stay as they are"),
        ("invalid", "Left out", rows.left_out, "they have problems, which are listed below"),
    ];
    parts.into_iter().filter(|(_, name, count, _)| *count > 0 || *name == "To send").collect()
}

/// Heads of what [`module_counts`] gives.
pub(super) const MODULE_COLUMNS: [&str; 5] = ["Rows", "To send", "Records", "Files", "Links"];

/// What is counted of one module.
pub(super) fn module_counts(counts: &ToSend) -> [u64; 5] {
    [counts.rows, counts.attachments(), counts.records, counts.files, counts.links]
}

/// Cost and time, as label and value.
pub(super) fn cost(report: &PlanReport) -> Vec<(&'static str, String)> {
    let summary = &report.head.summary;
    let credits = &summary.credits;
    let mut facts = vec![(
        "API credits",
        format!(
            "{}: {} to upload, {} to list; and up to {} for each answer that is lost",
            count(credits.needed),
            count(credits.uploads),
            count(credits.lists),
            credits.each_lost_answer
        ),
    )];
    let assumed = if credits.per_day_is_assumed { " (the least of a paid edition)" } else { "" };
    let days = credits.needed.div_ceil(credits.per_day.max(1));
    let share = match days {
        0 | 1 => format!("within the {}{assumed} of one day", count(credits.per_day)),
        days => format!("those of {}, at {} a day{assumed}", counted(days, "day"), count(credits.per_day)),
    };
    facts.push(("Days of credits", share));
    if let Some(time) = &summary.time {
        facts.push(("Time", time_range(time, summary)));
    }
    if summary.rows.beyond_limit > 0 {
        let limited = format!(
            "one run sends {} and leaves {} to further runs of this plan; credits and time are those of one run",
            count(summary.rows.to_send),
            count(summary.rows.beyond_limit)
        );
        facts.push(("In parts", limited));
    }
    if summary.bytes > 0 {
        facts.push(("Storage", format!("{} in the CRM", size(report.all.bytes))));
    }
    let settings = &summary.settings;
    let bandwidth = settings.bandwidth.map(|bytes| format!(", {}/s", size(bytes))).unwrap_or_default();
    let at_once = counted(settings.concurrency, "request");
    facts.push(("Pace", format!("{at_once} at once, {}{bandwidth}", settings.rate)));
    let ends = settings.max_duration_seconds.map(|seconds| duration(Duration::from_secs(seconds)));
    facts.extend(ends.map(|time| ("Ends after", time)));
    facts
}

/// What is pinned and where it comes from, as label and value.
pub(super) fn origin(report: &PlanReport) -> Vec<(&'static str, String)> {
    let (head, origin) = (&report.head, &report.origin);
    let (pinned, summary) = (&head.pinned, &head.summary);
    let mut facts: Vec<(&'static str, String)> = Vec::new();
    facts.extend(origin.client.clone().map(|client| ("For", client)));
    facts.push(("Target", format!("{}, version {} of the API", pinned.target, pinned.api_version)));
    facts.push((
        "Organisation",
        match (&pinned.organisation, organisation(report)) {
            (_, Some(organisation)) => organisation,
            (Some(owner), None) => owned_by(owner),
            (None, None) => "not known when the plan was saved".to_owned(),
        },
    ));
    if let Some(selection) = &summary.selection {
        facts.push(("Chosen", format!("{} {}", counted(selection.rows, "row"), selection.in_words())));
    }
    let manifest = &summary.manifest;
    facts.push(("Manifest", format!("{} ({})", manifest.path, manifest.read_as)));
    facts.push(("Its SHA-256", manifest.sha256.clone()));
    for file in summary.crosswalk.iter().flat_map(|crosswalk| &crosswalk.files) {
        facts.extend([("Crosswalk", file.path.clone()), ("Its SHA-256", file.sha256.clone())]);
    }
    facts.push(("Checks", checks(report)));
    facts.push(("Scopes", summary.scopes.join(", ")));
    facts.push(("Plan", origin.plan.clone()));
    facts.push(("Its SHA-256", origin.plan_sha256.clone()));
    facts.push(("Saved", format!("{}, by attache {}", saved_at(report), head.program)));
    facts
}

/// What the checks let pass and how rows were read, the usual aside.
fn checks(report: &PlanReport) -> String {
    let checks = report.head.pinned.checks.iter().filter(|(_, value)| !matches!(value.as_str(), "" | "off"));
    let words = checks.map(|(name, value)| match (name.as_str(), value.parse()) {
        ("max-size", Ok(bytes)) => format!("{name} {}", size(bytes)),
        (name, _) if value == "on" => name.to_owned(),
        (name, _) => format!("{name} {value}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// What a reader should know besides.
pub(super) fn notes(report: &PlanReport) -> Vec<String> {
    let summary = &report.head.summary;
    let mut notes: Vec<String> = summary.warnings.iter().map(|warning| capital(&warning.message)).collect();
    for (rows, how) in [
        (summary.rows.changed, "has another size than the one that was attached"),
        (summary.rows.perhaps_changed, "was written to since it was attached"),
    ] {
        if rows > 0 {
            let rows = counted(rows, "row");
            notes.push(format!("{rows} in place already, with a file that {how}: what is there stays"));
        }
    }
    notes
}

fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The file or the link of a row.
pub(super) fn source(row: &SavedRow) -> &str {
    if row.file.is_empty() { &row.url } else { &row.file }
}

/// What stands below the source: the name in the CRM where the source does not say it, and the key of the record.
pub(super) fn details(row: &SavedRow) -> Vec<String> {
    let own = source(row).rsplit(['/', '\\']).next().unwrap_or_default();
    let named = (!row.name.is_empty() && row.name != own).then(|| format!("as {}", row.name));
    let key = (!row.record_key.is_empty()).then(|| format!("key {}", row.record_key));
    named.into_iter().chain(key).collect()
}

/// The page of a row's record in the CRM, where its address is known.
pub(super) fn page_of(report: &PlanReport, row: &SavedRow) -> Option<String> {
    let pinned = &report.head.pinned;
    let owner = pinned.organisation.as_deref().and_then(|owner| owner.parse().ok());
    record_page(&pinned.target, owner, &row.module, &row.record)
}

/// Which rows are listed.
pub(super) fn listed(report: &PlanReport) -> String {
    match report.unlisted() {
        0 => "Every row that is sent.".to_owned(),
        _ => format!("The first rows of each module; the workbook of this plan lists all {}.", {
            count(report.all.attachments())
        }),
    }
}
