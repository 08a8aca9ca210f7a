//! Plans of some rows and of many, in every form of the report on them.

use std::io::Cursor;

use calamine::{Data, Reader as _, Xlsx};

use super::*;
use crate::plan::facts::{CreditFacts, Facts, ManifestFacts, NameChange, RowFacts, SettingFacts, TargetFacts, Warning};
use crate::plan::saved::{FORMAT, PinnedSettings, VERSION};
use crate::plan::time::{Bound, Estimate, TimeRange};
use crate::report::sample::HOSTILE;

const MODULES: [&str; 3] = ["Leads", "Accounts", "Sales_Orders"];

fn row(number: u32) -> SavedRow {
    let is_link = number % 23 == 5;
    let name = if number == 7 { HOSTILE.to_owned() } else { format!("Agreement {number} – signed.pdf") };
    SavedRow {
        line: number + 2,
        key: format!("r{number:016x}"),
        action: if number % 100 == 50 { PlannedAction::Nothing } else { PlannedAction::Send },
        module: MODULES[number as usize % MODULES.len()].to_owned(),
        record: (738_964_000_000_291_000 + u64::from(number / 2)).to_string(),
        record_key: format!("K-{number}"),
        file: if is_link { String::new() } else { format!("scans/{name}") },
        url: if is_link { format!("https://archive.example.com/{number}") } else { String::new() },
        name: if is_link { String::new() } else { name },
        bytes: (!is_link && number % 100 != 50).then_some(2_000 << (number % 15)),
        modified: (!is_link).then(|| "2026-03-01T10:00:00.5Z".to_owned()),
        sha256: None,
        why: String::new(),
    }
}

fn left_out(number: u32) -> SavedRow {
    SavedRow { action: PlannedAction::LeftOut, why: "file-missing".to_owned(), bytes: None, ..row(number) }
}

/// The rows of a plan of so many rows and some that are left out.
fn rows(sound: u32, out: u32) -> impl Iterator<Item = SavedRow> {
    (0..sound).map(row).chain((sound..sound + out).map(left_out))
}

fn head(sound: u32, out: u32) -> PlanHead {
    let done = u64::from(sound / 100);
    let pinned = PinnedSettings {
        target: "www.zohoapis.eu".to_owned(),
        api_version: "v2".to_owned(),
        organisation: Some("org:10234695".to_owned()),
        crosswalks: Vec::new(),
        checks: [("max-size", "104857600"), ("skip-invalid", "on"), ("strict", "off"), ("custom-module", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    };
    let summary = Facts {
        manifest: ManifestFacts {
            path: "migration.csv".to_owned(),
            sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
            read_as: "CSV with commas".to_owned(),
            encoding: "UTF-8".to_owned(),
            base: "/home/kim/migration".to_owned(),
        },
        crosswalk: None,
        target: Some(TargetFacts {
            name: "www.zohoapis.eu".to_owned(),
            address: None,
            version: "v2".to_owned(),
            rehearsal: false,
            whom: None,
            owner: None,
            proxy: None,
        }),
        results: "migration.results.csv".to_owned(),
        selection: None,
        rows: RowFacts {
            total: u64::from(sound + out),
            to_send: u64::from(sound) - done,
            done,
            left_out: out.into(),
            ..RowFacts::default()
        },
        modules: Vec::new(),
        files: 0,
        links: 0,
        bytes: 1,
        largest: None,
        names_changed: 21,
        first_names_changed: vec![NameChange { line: 9, own: "a<b>.pdf".to_owned(), sent: "a_b_.pdf".to_owned() }],
        changes_compared: false,
        first_changed: Vec::new(),
        first_perhaps_changed: Vec::new(),
        credits: CreditFacts {
            needed: 120_000,
            uploads: 119_999,
            lists: 1,
            each_lost_answer: 3,
            allowed: None,
            per_day: 50_000,
            per_day_is_assumed: true,
        },
        time: Some(TimeRange {
            least: Estimate { seconds: 259_300, bound_by: Bound::CreditsPerDay },
            most: Estimate { seconds: 259_700, bound_by: Bound::CreditsPerDay },
        }),
        scopes: vec!["ZohoCRM.modules.leads.CREATE".to_owned()],
        scopes_for_any_module: Vec::new(),
        settings: SettingFacts {
            concurrency: 4,
            rate: "10/s".to_owned(),
            bandwidth: None,
            retries: 5,
            settle_seconds: 60,
            if_exists: "upload".to_owned(),
            keep_credits: 500,
            limit: None,
            max_failures: "20".to_owned(),
            max_duration_seconds: None,
            flags: Vec::new(),
        },
        warnings: vec![Warning::new("storage", "the files will take much")],
    };
    PlanHead {
        format: FORMAT.to_owned(),
        version: VERSION,
        program: "0.1.0".to_owned(),
        saved_at: "2026-03-02T08:00:00Z".to_owned(),
        pinned,
        summary,
    }
}

/// The report on such a plan.
pub(in crate::report) fn report(sound: u32, out: u32) -> PlanReport {
    let mut builder = PlanReportBuilder::default();
    rows(sound, out).for_each(|row| builder.add(&row));
    let origin = PlanOrigin {
        title: None,
        client: Some("Miller & Sons".to_owned()),
        plan: "plan.json".to_owned(),
        plan_sha256: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752".to_owned(),
        made_at: "2026-03-02T09:00:00Z".parse().expect("a time"),
    };
    builder.finish(head(sound, out), origin)
}

fn page(report: &PlanReport) -> String {
    let mut out = Vec::new();
    report.write_html(&mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("the page is UTF-8")
}

fn text(report: &PlanReport) -> String {
    let mut out = Vec::new();
    report.write_markdown(&mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("the text is UTF-8")
}

#[test]
fn every_row_is_counted_once_and_by_its_module() {
    let report = report(1_000, 30);
    let all = report.all;
    assert_eq!((all.rows, all.sent, all.files + all.links), (1_030, 990, 990));
    let sum = |of: fn(&ToSend) -> u64| report.modules.iter().map(|(_, counts)| of(counts)).sum::<u64>();
    assert_eq!((sum(|counts| counts.rows), sum(|counts| counts.sent)), (1_000, all.sent));
    assert_eq!((sum(|counts| counts.records), sum(|counts| counts.bytes)), (all.records, all.bytes));
    assert_eq!(report.modules.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), MODULES);
    assert_eq!(report.sizes.iter().map(|class| class.files).sum::<u64>(), all.files);
    assert_eq!(report.left_out[0].count, 30);
    assert_eq!(report.headline(), format!("990 attachments to {} records", crate::units::count(all.records)));
}

#[test]
fn the_largest_files_are_the_largest_of_all_and_come_in_order() {
    let report = report(1_000, 0);
    let mut all: Vec<SavedRow> = rows(1_000, 0).filter(|row| row.bytes.is_some()).collect();
    all.sort_by_key(|row| (Reverse(row.bytes), row.line));
    assert_eq!(report.largest, all[..LARGEST]);
}

#[test]
fn few_rows_are_listed_in_full_and_of_many_the_first_of_each_module() {
    let few = report(150, 0);
    assert_eq!((few.listed.len(), few.unlisted()), (149, 0));
    let many = report(5_000, 900);
    assert_eq!(many.listed.len(), EXAMPLES * MODULES.len());
    assert_eq!((many.left_out[0].rows.len(), many.left_out[0].count), (LEFT_OUT_LISTED, 900));
    let page = page(&many);
    assert!(page.contains("lists all 4,950") && page.contains("And 700 more rows"));
}

#[test]
fn the_page_says_what_goes_where_what_it_costs_and_what_stays() {
    let page = page(&report(1_000, 30));
    for said in [
        "For <bdi>Miller &amp; Sons",
        "To be approved: ",
        "organisation 10234695",
        "Approved by: name, date, signature",
        "What goes where, by module",
        "The largest files",
        "In place already",
        "<code>file-missing</code>",
        "the file does not exist",
        "120,000: 119,999 to upload, 1 to list",
        "those of 3 days, at 50,000 a day (the least of a paid edition)",
        "bound by 50,000 credits a day",
        "a&lt;b&gt;.pdf",
        "And 20 more files.",
        "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
        "max-size 105 MB, skip-invalid<",
        "https://crm.zoho.eu/crm/org10234695/tab/Leads/738964000000291000",
    ] {
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn the_page_needs_no_network_and_a_hostile_name_is_text_in_every_form() {
    let report = report(40, 3);
    let page = page(&report);
    for loads in ["src=\"", "<script", "<link", "url(", "@import", "<img"] {
        assert!(!page.contains(loads), "{loads}");
    }
    assert!(page.contains("=HYPERLINK(&quot;x&quot;)&lt;img src=x onerror=alert(1)&gt;|‹U+202E›fdp"));
    let text = text(&report);
    assert!(!text.contains("<img") && text.contains("&lt;img src=x onerror=alert"));
    assert!(text.contains("## Left out: file-missing (3 rows)"));
}

#[test]
fn every_link_on_the_page_leads_to_a_place_on_it() {
    let page = page(&report(40, 3));
    let targets: Vec<&str> = page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(targets, ["left-out-1"]);
    assert!(targets.iter().all(|target| page.contains(&format!("id=\"{target}\""))));
}

#[test]
fn a_plan_that_sends_nothing_says_so() {
    let nothing = report(0, 0);
    assert_eq!(nothing.headline(), "Nothing to send");
    assert!(page(&nothing).contains("There is nothing to approve"));
    assert!(page(&nothing).contains("Nothing is left out") && !page(&nothing).contains("The largest files"));
}

#[test]
fn rows_to_look_up_first_are_told_apart() {
    let mut builder = PlanReportBuilder::default();
    for number in 0..5 {
        let action = if number < 2 { PlannedAction::LookUp } else { PlannedAction::Send };
        builder.add(&SavedRow { action, ..row(number) });
    }
    let report = builder.finish(head(5, 0), report(0, 0).origin);
    assert_eq!(report.headline(), "5 attachments to 5 records, 2 of them to look up first");
    assert!(page(&report).contains("To look up first"));
}

#[test]
fn the_workbook_has_every_row_with_its_ids_as_text() {
    let report = report(300, 20);
    let mut out = Cursor::new(Vec::new());
    let mut all = |each: &mut dyn FnMut(&SavedRow)| {
        rows(300, 20).for_each(|row| each(&row));
        Ok(())
    };
    report.write_xlsx(&mut all, &mut out).expect("the workbook is written");
    let mut workbook = Xlsx::new(Cursor::new(out.into_inner())).expect("the workbook is read");
    assert_eq!(workbook.sheet_names(), ["Plan", "To send", "Not sent"]);
    let sent = workbook.worksheet_range("To send").expect("the sheet");
    assert_eq!(sent.rows().count(), 1 + 297);
    for (cells, row) in sent.rows().skip(1).zip(rows(300, 20).filter(|row| row.action.sends())) {
        assert_eq!((&cells[0], &cells[2]), (&Data::Float(row.line.into()), &Data::String(row.record)));
    }
    let formulas = workbook.worksheet_formula("To send").expect("the sheet");
    assert!(formulas.rows().flatten().all(String::is_empty));
    let left = workbook.worksheet_range("Not sent").expect("the sheet");
    assert_eq!(left.rows().count(), 1 + 3 + 20);
    assert_eq!(left.rows().next_back().expect("a row")[10], Data::String("file-missing".to_owned()));
}

#[test]
fn rows_that_cannot_be_read_again_make_no_workbook() {
    let gone = |_: &mut dyn FnMut(&SavedRow)| Err(io::Error::other("the plan was changed"));
    let error = report(3, 0).write_xlsx(&mut { gone }, Cursor::new(Vec::new())).expect_err("no rows");
    assert!(error.to_string().contains("the plan was changed"), "{error}");
}
