//! The plan as a person reads it, on one screen: what, how much, what is done already, what it costs, how long, where to.

use std::fmt::Write as _;

use super::{Look, Paint};
use crate::plan::facts::{
    ChangedFile, CreditFacts, CrosswalkFacts, CrosswalkFileFacts, Facts, ModuleFacts, RowFacts, TargetFacts,
};
use crate::plan::time::{Bound, TimeRange};
use crate::text::{escape_for_terminal, shorten_for_terminal, wrap};
use crate::units::{count, counted, duration, size};

/// Modules listed before the rest is summed up.
const MODULES_SHOWN: usize = 8;

/// Changed names shown before the rest is only counted.
const NAMES_SHOWN: usize = 3;

/// The plan as text.
pub fn render(plan: &Facts, look: Look) -> String {
    let mut page = PlanText { text: String::new(), paint: Paint::new(look), width: look.width };
    page.title(&format!("Plan for {}", escape_for_terminal(&plan.manifest.path)));
    page.field("Read as", &read_as(plan));
    if let Some(crosswalk) = &plan.crosswalk {
        page.field("Keys", &keys(crosswalk));
    }
    page.field("Target", &target(plan.target.as_ref()));
    page.field("Results", &escape_for_terminal(&plan.results));
    page.field("Rows", &rows(&plan.rows));
    if let Some(selection) = &plan.selection {
        let chosen = counted(selection.rows, "row");
        page.field("Chosen", &format!("{chosen} {}", escape_for_terminal(&selection.in_words())));
    }
    if plan.rows.recognised > 0 {
        let recognised = counted(plan.rows.recognised, "row");
        page.line(&format!("{recognised} written otherwise than before and recognised: not new"));
    }
    for line in changed(plan) {
        page.field("Changed", &line);
    }
    page.field("To send", &to_send(plan));
    for line in modules(&plan.modules) {
        page.line(&line);
    }
    if let Some(largest) = &plan.largest {
        let name = shorten_for_terminal(&largest.file, 48);
        page.field("Largest", &format!("{} in line {}, {name}", size(largest.bytes), count(largest.line)));
    }
    for line in names(plan) {
        page.line(&line);
    }
    if let Some(time) = &plan.time {
        page.field("Credits", &credits(&plan.credits));
        page.field("Time", &time_range(time, plan));
        page.for_copying("Scopes", &plan.scopes.join(","));
        page.line(&format!("or {}", plan.scopes_for_any_module.join(",")));
        page.field("Settings", &settings(plan));
    }
    for warning in &plan.warnings {
        page.warning(&escape_for_terminal(&warning.message));
    }
    page.text
}

/// Lines under construction: names of fields in front, values filled to the width behind them.
struct PlanText {
    text: String,
    paint: Paint,
    width: usize,
}

const INDENT: usize = 10;

impl PlanText {
    fn title(&mut self, title: &str) {
        let _ = writeln!(self.text, "{}", self.paint.strong(title));
    }

    fn field(&mut self, name: &str, value: &str) {
        let name = self.paint.dim(&format!("{name:>8}  "));
        self.filled(&name, value);
    }

    /// A list that people copy into a form. Where it is too long for one line, it begins at the edge and is broken behind
    /// commas, so that nothing but line ends, which such a form drops, gets between its parts.
    fn for_copying(&mut self, name: &str, value: &str) {
        let name = self.paint.dim(&format!("{name:>8}"));
        let width = self.width.clamp(40, 100);
        let lines = wrap(value, width);
        match lines.as_slice() {
            [line] if line.chars().count() <= width - INDENT => {
                let _ = writeln!(self.text, "{name}  {line}");
            }
            lines => {
                let _ = writeln!(self.text, "{name}\n{}", lines.join("\n"));
            }
        }
    }

    fn line(&mut self, value: &str) {
        let _ = writeln!(self.text, "{:INDENT$}{value}", "");
    }

    fn warning(&mut self, message: &str) {
        let name = self.paint.warning(&format!("{:>8}  ", "Note"));
        self.filled(&name, message);
    }

    fn filled(&mut self, name: &str, value: &str) {
        let room = self.width.clamp(40, 100) - INDENT;
        let mut lead = name.to_owned();
        for line in wrap(value, room) {
            let _ = writeln!(self.text, "{lead}{line}");
            lead = " ".repeat(INDENT);
        }
    }
}

fn read_as(plan: &Facts) -> String {
    let manifest = &plan.manifest;
    let hash: String = manifest.sha256.chars().take(12).collect();
    let base = shorten_for_terminal(&manifest.base, 40);
    // A workbook has no encoding to speak of.
    let encoding =
        if manifest.read_as.starts_with("XLSX") { String::new() } else { format!(", {}", manifest.encoding) };
    format!("{}{encoding}, paths from {base}, SHA-256 {hash}…", manifest.read_as)
}

/// How many rows are named by key, and by which files; the beginning of a hash tells whether it is the same file still.
fn keys(crosswalk: &CrosswalkFacts) -> String {
    let file = |file: &CrosswalkFileFacts| {
        let hash: String = file.sha256.chars().take(12).collect();
        format!("{}, SHA-256 {hash}…", shorten_for_terminal(&file.path, 40))
    };
    let files: Vec<String> = crosswalk.files.iter().map(file).collect();
    let (rows, keys) = (counted(crosswalk.rows, "row"), counted(crosswalk.keys, "key"));
    format!("{rows} by key, {keys} in {}", files.join("; "))
}

fn target(target: Option<&TargetFacts>) -> String {
    let Some(target) = target else {
        return "none named: give --dc or --api-domain, or rehearse with --sandbox".to_owned();
    };
    if target.rehearsal {
        return format!("a rehearsal on this machine, API {}; nothing leaves it", target.version);
    }
    let mut text = format!("{}, API {}", target.address.as_deref().unwrap_or(&target.name), target.version);
    if let Some(owner) = &target.owner {
        let _ = write!(text, ", the CRM of {}", escape_for_terminal(owner));
    }
    if let Some(whom) = &target.whom {
        let _ = write!(text, ", credentials: {}", escape_for_terminal(whom));
    }
    if let Some(proxy) = &target.proxy {
        let _ = write!(text, ", through the proxy {}", escape_for_terminal(proxy));
    }
    text
}

fn rows(rows: &RowFacts) -> String {
    let mut parts = vec![format!("{} in the manifest", count(rows.total))];
    for (number, what) in [
        (rows.done, "done by earlier runs"),
        (rows.failed, "failed for good (--resend failed sends them again)"),
        (rows.unknown, "unknown (--resend unknown looks again)"),
        (rows.deleted, "deleted since (--resend deleted attaches them again)"),
        (rows.deleting, "being deleted (attache undo settles them)"),
        (rows.left_out, "left out for their problems"),
        (rows.not_selected, "not chosen for this run"),
        (rows.in_doubt, "in doubt: looked up first"),
        (rows.in_doubt_not_in_manifest, "in doubt and no longer in the manifest: looked up, never sent"),
    ] {
        if number > 0 {
            parts.push(format!("{} {what}", count(number)));
        }
    }
    parts.join(", ")
}

/// What is done and whose file is not, or may not be, what was sent; and how it is sent once more.
fn changed(plan: &Facts) -> Vec<String> {
    let rows = &plan.rows;
    let why = if plan.changes_compared {
        "nobody can tell whether they differ, since the results do not hold what was sent; they are left as they are"
    } else {
        "they are left as they are (--resend changed reads them and attaches again what differs)"
    };
    let mut lines = Vec::new();
    if rows.changed > 0 {
        lines.push(format!(
            "{} done with a file that has another size now: {}; left as they are (--resend changed attaches them again)",
            counted(rows.changed, "row"),
            first_files(&plan.first_changed, rows.changed)
        ));
    }
    if rows.perhaps_changed > 0 {
        lines.push(format!(
            "{} done with a file that was written to since it was sent: {}; {why}",
            counted(rows.perhaps_changed, "row"),
            first_files(&plan.first_perhaps_changed, rows.perhaps_changed)
        ));
    }
    lines
}

fn first_files(first: &[ChangedFile], all: u64) -> String {
    let shown = first.iter().take(NAMES_SHOWN);
    let mut parts: Vec<String> = shown
        .map(|changed| format!("line {}, {}", count(changed.line), shorten_for_terminal(&changed.file, 40)))
        .collect();
    let hidden = all.saturating_sub(parts.len() as u64);
    if hidden > 0 {
        parts.push(format!("and {} more", count(hidden)));
    }
    parts.join("; ")
}

fn to_send(plan: &Facts) -> String {
    let rows = &plan.rows;
    if rows.to_send == 0 {
        return "nothing".to_owned();
    }
    let mut text = match (plan.files, plan.links) {
        (files, 0) => counted(files, "file"),
        (0, links) => counted(links, "link"),
        (files, links) => format!("{} and {}", counted(files, "file"), counted(links, "link")),
    };
    if plan.files > 0 {
        let _ = write!(text, ", {}", size(plan.bytes));
    }
    let again = [(rows.again, "left by earlier runs"), (rows.asked_again, "again as asked")];
    for (number, why) in again.into_iter().filter(|(number, _)| *number > 0) {
        let _ = write!(text, ", of which {} {why}", count(number));
    }
    if rows.beyond_limit > 0 {
        let _ = write!(text, "; --limit leaves {} for later", count(rows.beyond_limit));
    }
    text
}

fn modules(modules: &[ModuleFacts]) -> Vec<String> {
    let mut largest: Vec<&ModuleFacts> = modules.iter().filter(|module| module.to_send > 0).collect();
    largest.sort_by_key(|module| std::cmp::Reverse(module.to_send));
    let rest = largest.split_off(largest.len().min(MODULES_SHOWN));
    let width = largest.iter().map(|module| module.module.chars().count()).max().unwrap_or(0).min(30);
    let mut lines: Vec<String> = largest
        .iter()
        .map(|module| {
            let name = shorten_for_terminal(&module.module, 30);
            let records = counted(module.records, "record");
            format!("{name:width$}  {:>9}  on {records:>17}  {:>8}", count(module.to_send), size(module.bytes))
        })
        .collect();
    if !rest.is_empty() {
        let rows: u64 = rest.iter().map(|module| module.to_send).sum();
        lines.push(format!("and {} with {}", counted(rest.len() as u64, "further module"), counted(rows, "row")));
    }
    lines
}

fn names(plan: &Facts) -> Vec<String> {
    let mut lines = Vec::new();
    let shown_names = plan.first_names_changed.iter().take(NAMES_SHOWN);
    for change in shown_names {
        let (own, sent) = (shorten_for_terminal(&change.own, 28), shorten_for_terminal(&change.sent, 28));
        // In quotes, since many a name is changed for blanks at its ends.
        lines.push(format!("line {}: “{own}” is sent as “{sent}”", count(change.line)));
    }
    let hidden = plan.names_changed.saturating_sub(lines.len() as u64);
    if hidden > 0 && !lines.is_empty() {
        lines.push(format!("and {} changed for what names may not hold", counted(hidden, "more name")));
    }
    lines
}

fn credits(credits: &CreditFacts) -> String {
    let mut text = format!(
        "{} ({} to upload, {} to list), and up to {} for each answer that is lost",
        count(credits.needed),
        count(credits.uploads),
        count(credits.lists),
        credits.each_lost_answer
    );
    // Where it does not suffice, a warning says so.
    if let Some(allowed) = credits.allowed.filter(|_| credits.suffice()) {
        let _ = write!(text, "; --max-credits allows {}", count(allowed));
    }
    text
}

/// How long a plan takes, and which limit it runs into.
pub fn time_range(time: &TimeRange, plan: &Facts) -> String {
    let (least, most) = (duration(time.least.duration()), duration(time.most.duration()));
    let bound = |bound| match bound {
        Bound::Rate => format!("the rate of {}", plan.settings.rate),
        Bound::Concurrency => format!("{} at once", counted(plan.settings.concurrency, "request")),
        Bound::Bandwidth => "the bandwidth that you allow".to_owned(),
        Bound::Line => "the speed of the line".to_owned(),
        Bound::CreditsPerDay => {
            let assumed = if plan.credits.per_day_is_assumed { " (the least of a paid edition)" } else { "" };
            format!("{} credits a day{assumed}", count(plan.credits.per_day))
        }
    };
    if least == most {
        return format!("about {least}, bound by {}", bound(time.least.bound_by));
    }
    if time.least.bound_by == time.most.bound_by {
        return format!("{least} to {most}, bound by {}", bound(time.least.bound_by));
    }
    format!("{least} to {most}, bound by {}, on a bad day by {}", bound(time.least.bound_by), bound(time.most.bound_by))
}

fn settings(plan: &Facts) -> String {
    let settings = &plan.settings;
    let mut parts = vec![format!("{} at once", settings.concurrency), format!("rate {}", settings.rate)];
    if let Some(bandwidth) = settings.bandwidth {
        parts.push(format!("{}/s", size(bandwidth)));
    }
    parts.push(counted(settings.retries, "retry").replace("retrys", "retries"));
    parts.push(format!("settle after {} s", settings.settle_seconds));
    parts.push(format!("keep {} credits", count(settings.keep_credits)));
    parts.push(format!("stop at {} failures", settings.max_failures));
    if settings.if_exists != "upload" {
        parts.push(format!("--if-exists {}", settings.if_exists));
    }
    if let Some(seconds) = settings.max_duration_seconds {
        parts.push(format!("stop after {}", duration(std::time::Duration::from_secs(seconds))));
    }
    parts.extend(settings.flags.iter().cloned());
    parts.join(", ")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::crm::{FOR_ANY_MODULE, scopes};
    use crate::plan::facts::{LargestFile, ManifestFacts, NameChange, SettingFacts, Warning};
    use crate::plan::time::Estimate;

    const LOOK: Look = Look { color: false, width: 80 };

    fn module(name: &str, to_send: u64, records: u64, bytes: u64) -> ModuleFacts {
        let files = if bytes > 0 { to_send } else { 0 };
        let (module, links) = (name.to_owned(), to_send - files);
        ModuleFacts { module, rows: to_send, to_send, records, files, links, bytes }
    }

    pub(crate) fn large() -> Facts {
        Facts {
            manifest: ManifestFacts {
                path: "migration.csv".to_owned(),
                sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
                read_as: "CSV with semicolons".to_owned(),
                encoding: "UTF-8".to_owned(),
                base: "/home/kim/migration".to_owned(),
            },
            crosswalk: Some(CrosswalkFacts {
                files: vec![CrosswalkFileFacts {
                    path: "crosswalk.csv".to_owned(),
                    sha256: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752".to_owned(),
                }],
                keys: 151_204,
                rows: 200_000,
                organisation: Some("700000001".to_owned()),
            }),
            target: Some(TargetFacts {
                name: "www.zohoapis.eu".to_owned(),
                address: Some("https://www.zohoapis.eu".to_owned()),
                version: "v2".to_owned(),
                rehearsal: false,
                whom: Some("the profile acme".to_owned()),
                owner: None,
                proxy: None,
            }),
            results: "migration.results.csv".to_owned(),
            selection: None,
            rows: RowFacts {
                total: 200_000,
                to_send: 151_000,
                again: 1_200,
                done: 48_988,
                failed: 12,
                in_doubt: 4,
                ..RowFacts::default()
            },
            modules: vec![
                module("Leads", 100_000, 98_000, 40_000_000_000),
                module("Sales_Orders", 50_000, 50_000, 22_500_000_000),
                module("Machines", 1_000, 1, 0),
            ],
            files: 150_000,
            links: 1_000,
            bytes: 62_500_000_000,
            largest: Some(LargestFile { line: 4_012, file: "scans/floor plan.pdf".to_owned(), bytes: 104_000_000 }),
            changes_compared: false,
            first_changed: Vec::new(),
            first_perhaps_changed: Vec::new(),
            names_changed: 12,
            first_names_changed: vec![NameChange {
                line: 17,
                own: "12\" pipe.pdf".to_owned(),
                sent: "12_ pipe.pdf".to_owned(),
            }],
            credits: CreditFacts {
                needed: 151_009,
                uploads: 151_000,
                lists: 9,
                each_lost_answer: 3,
                allowed: Some(100_000),
                per_day: 50_000,
                per_day_is_assumed: true,
            },
            time: Some(TimeRange {
                least: Estimate { seconds: 259_300, bound_by: Bound::CreditsPerDay },
                most: Estimate { seconds: 259_700, bound_by: Bound::CreditsPerDay },
            }),
            scopes: scopes(["Leads", "Sales_Orders", "Machines"]),
            scopes_for_any_module: FOR_ANY_MODULE.map(str::to_owned).to_vec(),
            settings: SettingFacts {
                concurrency: 4,
                rate: "10/s".to_owned(),
                bandwidth: None,
                retries: 5,
                settle_seconds: 60,
                if_exists: "upload".to_owned(),
                keep_credits: 500,
                limit: None,
                max_failures: "90%".to_owned(),
                max_duration_seconds: None,
                flags: vec!["--allow-empty".to_owned()],
            },
            warnings: vec![Warning::new(
                "owner-and-date",
                "the owner and the date of an attachment cannot be set: they will be the user whose credentials are \
                 used and the time of the upload",
            )],
        }
    }

    #[test]
    fn a_plan_of_a_long_migration_fits_a_screen() {
        let text = render(&large(), LOOK);
        assert!(text.lines().count() <= 40, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_plan_with_nothing_to_do_says_so() {
        let mut plan = large();
        plan.rows = RowFacts { total: 2, done: 2, ..RowFacts::default() };
        plan.modules.clear();
        (plan.files, plan.links, plan.bytes, plan.largest, plan.time) = (0, 0, 0, None, None);
        plan.first_names_changed.clear();
        plan.credits = CreditFacts::default();
        plan.target = None;
        insta::assert_snapshot!(render(&plan, LOOK));
    }
}
