//! A run about a part of its manifest: what it sends, what it leaves as it is, and how the rest goes later.

use crate::case::Case;
use crate::process::killed_with_the_second_row_in_doubt;
use crate::service::RunningSandbox;

/// Three modules, of which two have several rows.
fn pilot() -> Case {
    Case::new().rows(&[
        ("Leads", "738964000000291001", "a.txt"),
        ("Leads", "738964000000291002", "b.txt"),
        ("Leads", "738964000000291003", "c.txt"),
        ("Contacts", "738964000000291004", "d.txt"),
        ("Contacts", "738964000000291005", "e.txt"),
        ("Deals", "738964000000291006", "f.txt"),
    ])
}

fn statuses(case: &Case) -> Vec<String> {
    case.column("m.results.csv", "status")
}

#[test]
fn a_module_is_tried_alone_and_the_rest_goes_later() {
    let (case, service) = (pilot(), RunningSandbox::with_faults(&[]));
    service
        .run(&case, &["--only", "module=Contacts,Deals"])
        .exits(0)
        .says("3 rows of Contacts, Deals")
        .says("3 rows were not chosen for this run");
    assert_eq!(statuses(&case), ["not_sent", "not_sent", "not_sent", "uploaded", "uploaded", "uploaded"]);
    assert_eq!(case.column("m.results.csv", "code")[..3], ["not-selected", "not-selected", "not-selected"]);
    service.run(&case, &[]).exits(0).says("All 6 rows are attached");
    assert_eq!(service.created().len(), 6, "and none twice");
}

#[test]
fn kinds_of_choice_narrow_each_other_and_words_of_one_kind_widen_it() {
    let (case, service) = (pilot(), RunningSandbox::with_faults(&[]));
    case.write("some.csv", "line,why\n2,pilot\n3,pilot\n7,pilot\n");
    let both = ["--only", "module=Leads", "--lines", "some.csv"];
    service.run(&case, &both).exits(0).says("2 rows of Leads, on the lines 2-3,7");
    assert_eq!(service.created().iter().map(|sent| sent.name.as_str()).collect::<Vec<_>>(), ["a.txt", "b.txt"]);
    let records = ["--only", "record=738964000000291003", "--only", "record=zcrm_738964000000291006"];
    service.run(&case, &records).exits(0);
    assert_eq!(service.created().len(), 4);
}

#[test]
fn a_sample_has_rows_of_each_module_and_the_same_command_goes_on_with_it() {
    let (case, service) = (pilot(), RunningSandbox::with_faults(&[]));
    service.run(&case, &["--sample", "2", "--limit", "2"]).exits(0).says("sample of 2 of each module (seed 1)");
    service.run(&case, &["--sample", "2"]).exits(0);
    let created = service.created();
    let of = |module: &str| created.iter().filter(|sent| sent.module == module).count();
    assert_eq!((of("Leads"), of("Contacts"), of("Deals")), (2, 2, 1));
    // Nothing is left of this sample, whatever the order of the manifest.
    let text = std::fs::read_to_string(case.path("m.csv")).expect("the manifest");
    let (header, rows) = text.split_once('\n').expect("a header");
    let reversed: Vec<&str> = rows.lines().rev().collect();
    case.write("m.csv", format!("{header}\n{}\n", reversed.join("\n")));
    service.run(&case, &["--sample", "2"]).exits(0);
    assert_eq!(service.created().len(), 5);
}

#[test]
fn every_seed_is_another_sample() {
    let case = Case::new().many_rows(200);
    let lines = |seed: &str| {
        let results = format!("{seed}.csv");
        case.run(&["run", "m.csv", "--sandbox", "--sample", "5", "--seed", seed, "--results", &results]).exits(0);
        let rows = case.results(&results);
        rows.iter().filter(|row| row["status"] == "uploaded").map(|row| row["line"].clone()).collect::<Vec<_>>()
    };
    let (one, two) = (lines("1"), lines("2"));
    assert_eq!((one.len(), two.len()), (5, 5));
    assert_ne!(one, two);
}

#[test]
fn what_selects_nothing_is_named_and_nothing_is_sent() {
    let case = pilot();
    for (choice, said) in [
        (&["--only", "module=Lead"] as &[&str], "of the module Lead; it has Leads, Contacts, Deals"),
        (&["--only", "record=738964000000291009"], "of the record 738964000000291009"),
        (&["--only", "key=A-1"], "with the key \"A-1\""),
        (&["--lines", "90-"], "on the lines 90-"),
        (&["--only", "module=Deals", "--lines", "2"], "all that was asked for at once"),
        (&["--lines", "none.csv"], "\"none.csv\" is no line"),
        (&["--only", "file=a.txt"], "module=NAME"),
        (&["--only", "record=12"], "\"12\" is no record id"),
        (&["--seed", "3"], "needs --sample"),
    ] {
        let arguments: Vec<&str> = ["run", "m.csv", "--sandbox"].iter().chain(choice).copied().collect();
        case.run(&arguments).exits(2).says(said);
    }
    assert!(!case.path("m.sandbox-results.csv").exists());
}

#[test]
fn the_whole_manifest_is_checked_whatever_is_chosen() {
    let case = pilot().file("m.csv", "module,record,file\nLeads,738964000000291001,a.txt\nDeals,12,f.txt\n");
    case.run(&["run", "m.csv", "--sandbox", "--only", "module=Leads"]).exits(3);
    case.run(&["run", "m.csv", "--sandbox", "--only", "module=Leads", "--skip-invalid"]).exits(1);
}

#[test]
fn rows_that_ended_before_keep_their_end() {
    let (case, service) = (pilot(), RunningSandbox::with_faults(&["no-permission,module=Deals"]));
    service.run(&case, &[]).exits(1);
    service.run(&case, &["--only", "module=Leads", "--resend", "failed"]).exits(1);
    assert_eq!(statuses(&case)[5], "failed");
    assert_eq!(service.created().len(), 5);
}

#[test]
fn a_row_in_doubt_is_left_alone_unless_something_is_sent_to_its_record() {
    // The row in doubt is the second one.
    let case = Case::new().many_rows(4);
    let raw = killed_with_the_second_row_in_doubt(&case);
    let before = raw.arrived().len();
    raw.run(&case, &["--lines", "4"]).exits(5);
    assert_eq!(statuses(&case), ["uploaded", "in_doubt", "uploaded", "not_sent"]);
    assert_eq!(raw.arrived().len(), before + 1);
    raw.run(&case, &[]).exits(0);
    assert_eq!(statuses(&case), ["uploaded"; 4]);
}

#[test]
fn a_row_in_doubt_is_settled_before_something_is_sent_to_its_record_and_not_sent_itself() {
    let case = Case::new().rows(&[
        ("Leads", "738964000000291000", "a.txt"),
        ("Leads", "738964000000291001", "b.txt"),
        ("Leads", "738964000000291001", "c.txt"),
    ]);
    let raw = killed_with_the_second_row_in_doubt(&case);
    let before = raw.arrived().len();
    raw.run(&case, &["--lines", "4"]).exits(0);
    let rows = case.results("m.results.csv");
    assert_eq!([&rows[1]["status"], &rows[1]["code"]], ["uploaded", "settled-by-listing"]);
    assert_eq!(rows[2]["status"], "uploaded");
    assert_eq!(raw.arrived().len(), before + 1, "only the row that was chosen is sent");
}

#[test]
fn programs_are_told_what_was_chosen() {
    let case = pilot();
    let done = case.run(&[
        "run",
        "m.csv",
        "--dry-run",
        "--sandbox",
        "--output",
        "json",
        "--only",
        "module=Leads",
        "--sample",
        "1",
        "--seed",
        "7",
    ]);
    let document: serde_json::Value = serde_json::from_str(&done.exits(0).stdout).expect("JSON");
    let plan = &document["plan"];
    assert_eq!(plan["selection"]["modules"], serde_json::json!(["Leads"]));
    assert_eq!(plan["selection"]["sample"], serde_json::json!({"per_module": 1, "seed": 7}));
    assert_eq!((plan["rows"]["to_send"].as_u64(), plan["rows"]["not_selected"].as_u64()), (Some(1), Some(5)));
}

#[test]
fn the_plan_of_a_part_names_the_scopes_of_its_modules_only() {
    let case = pilot();
    let scopes = |more: &[&str]| {
        let all = [&["run", "m.csv", "--sandbox", "--dry-run", "--output", "json"], more].concat();
        let plan: serde_json::Value = serde_json::from_str(&case.run(&all).exits(0).stdout).expect("JSON");
        plan["plan"]["scopes"].to_string().to_lowercase()
    };
    let (all, part) = (scopes(&[]), scopes(&["--only", "module=Leads"]));
    assert!(all.contains("modules.deals.create") && all.contains("modules.leads.create"), "{all}");
    assert!(part.contains("modules.leads.create") && !part.contains("modules.deals"), "{part}");
}
