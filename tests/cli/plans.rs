//! Plans that are saved, approved and carried out: what may change meanwhile, and what may not.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::case::{Case, Done};
use crate::service::RunningSandbox;

/// A manifest of four rows, its plan saved as `plan.json`.
fn approved(service: &RunningSandbox, more: &[&str]) -> Case {
    let case = Case::new().many_rows(4);
    save(&case, service, more).exits(0).says("--plan plan.json");
    case
}

fn save(case: &Case, service: &RunningSandbox, more: &[&str]) -> Done {
    service.run(case, &[&["--dry-run", "--save-plan", "plan.json"], more].concat())
}

fn carry_out(case: &Case, service: &RunningSandbox, more: &[&str]) -> Done {
    service.run(case, &[&["--plan", "plan.json"], more].concat())
}

fn manifest(case: &Case) -> Vec<String> {
    fs::read_to_string(case.path("m.csv")).expect("the manifest").lines().map(str::to_owned).collect()
}

fn set_manifest(case: &Case, lines: &[String]) {
    case.write("m.csv", lines.join("\n") + "\n");
}

fn touch(case: &Case, file: &str) {
    let file = fs::File::options().write(true).open(case.path(file)).expect("a file");
    file.set_modified(SystemTime::now() + Duration::from_secs(100)).expect("its time can be set");
}

#[test]
fn a_plan_is_carried_out_and_goes_on_until_it_is_done() {
    let service = RunningSandbox::with_faults(&[]);
    let case = approved(&service, &[]);
    assert!(!case.path("m.results.csv").exists(), "a dry run leaves nothing but the plan");
    carry_out(&case, &service, &["--limit", "1", "--concurrency", "1"]).exits(0);
    assert_eq!(service.created().len(), 1);
    // What is done may be gone.
    fs::remove_file(case.path("f/0.txt")).expect("removed");
    carry_out(&case, &service, &[]).exits(0).says("All 4 rows are attached");
    carry_out(&case, &service, &[]).exits(0);
    assert_eq!(service.created().len(), 4);
}

#[test]
fn rows_may_stand_in_another_order_and_be_written_otherwise() {
    let service = RunningSandbox::with_faults(&[]);
    let case = approved(&service, &[]);
    let mut lines = manifest(&case);
    lines[1..].reverse();
    let lines: Vec<String> = lines.into_iter().map(|line| line.replace(",f/", ",./f//")).collect();
    set_manifest(&case, &lines);
    carry_out(&case, &service, &[]).exits(0).says("All 4 rows are attached");
}

#[test]
fn whatever_differs_is_named_row_by_row_and_nothing_is_sent() {
    let service = RunningSandbox::with_faults(&[]);
    let case = approved(&service, &[]);
    let lines = manifest(&case);
    // Row 0 stays, row 1 gets another file, row 2 goes, row 3 goes to another record, and a fifth one comes.
    case.write("f/1.txt", "other, and longer than before");
    let mut changed = lines.clone();
    changed.remove(3);
    changed[3] = changed[3].replace("291003", "291093");
    changed.push("Leads,738964000000291050,f/0.txt".to_owned());
    set_manifest(&case, &changed);
    let done = carry_out(&case, &service, &[]).exits(3);
    for said in [
        "planned-file-differs",
        "f/1.txt",
        "planned-row-missing",
        "what stood in line 4: Leads 738964000000291002, f/2.txt",
        "what stood in line 5: Leads 738964000000291003, f/3.txt",
        "row-not-in-plan",
        "Leads 738964000000291093, f/3.txt",
        "Leads 738964000000291050, f/0.txt",
    ] {
        assert!(done.stderr.contains(said), "{said}: {}", done.stderr);
    }
    assert!(service.created().is_empty());
    // Put right, it goes.
    set_manifest(&case, &lines);
    case.write("f/1.txt", "content of 1");
    carry_out(&case, &service, &[]).exits(3).says("last written to");
    save(&case, &service, &[]).exits(2).says("plan.json is there already");
}

#[test]
fn programs_get_the_differences_as_problems() {
    let service = RunningSandbox::with_faults(&[]);
    let case = approved(&service, &[]);
    touch(&case, "f/2.txt");
    let done = carry_out(&case, &service, &["--dry-run", "--output", "json"]).exits(3);
    let document: serde_json::Value = serde_json::from_str(&done.stdout).expect("JSON");
    let problem = &document["problems"][0];
    assert_eq!((problem["code"].as_str(), problem["line"].as_u64()), (Some("planned-file-differs"), Some(4)));
    assert!(document["plan"].is_null());
}

#[test]
fn a_file_that_is_gone_is_told_whether_or_not_rows_may_be_left_out() {
    let service = RunningSandbox::with_faults(&[]);
    let case = approved(&service, &["--skip-invalid"]);
    fs::remove_file(case.path("f/2.txt")).expect("removed");
    carry_out(&case, &service, &["--skip-invalid"]).exits(3).says("planned-row-missing").says("file-missing");
    assert!(service.created().is_empty());
}

#[test]
fn with_hashes_the_content_decides_and_not_the_time() {
    let service = RunningSandbox::with_faults(&[]);
    let case = approved(&service, &["--sha256"]);
    touch(&case, "f/2.txt");
    carry_out(&case, &service, &["--limit", "1"]).exits(0);
    // As long as before.
    case.write("f/2.txt", "Content of 2");
    carry_out(&case, &service, &[]).exits(3).says("SHA-256");
    assert_eq!(service.created().len(), 1);
}

#[test]
fn other_settings_than_those_approved_are_named() {
    let service = RunningSandbox::with_faults(&[]);
    let case = approved(&service, &[]);
    for (more, said) in [
        (&["--skip-invalid"] as &[&str], "--skip-invalid was off when the plan was saved, and is on now"),
        (&["--max-size", "5MB"], "--max-size was 104857600"),
        (&["--if-exists", "skip"], "--if-exists was upload"),
        (&["--api-version", "v8"], "version v2 of the API"),
        (&["--only", "module=Leads"], "the plan is about all rows"),
    ] {
        carry_out(&case, &service, more).exits(3).says("plan-differs").says(said);
    }
    case.run(&["run", "m.csv", "--sandbox", "--plan", "plan.json"]).exits(3).says("and this run to sandbox");
    assert!(service.created().is_empty());
}

#[test]
fn the_rows_that_were_chosen_are_part_of_the_plan() {
    let service = RunningSandbox::with_faults(&[]);
    let case = approved(&service, &["--sample", "2", "--seed", "5"]);
    carry_out(&case, &service, &["--sample", "2"]).exits(3).says("seed 5").says("seed 1");
    carry_out(&case, &service, &[]).exits(0);
    assert_eq!(service.created().len(), 2, "the plan knows its rows");
    carry_out(&case, &service, &["--sample", "2", "--seed", "5"]).exits(0);
    assert_eq!(service.created().len(), 2);
}

#[test]
fn a_plan_does_not_send_again_what_it_took_for_done() {
    let service = RunningSandbox::with_faults(&["no-permission,record=738964000000291001"]);
    let case = Case::new().many_rows(2);
    service.run(&case, &[]).exits(1);
    save(&case, &service, &[]).exits(1);
    carry_out(&case, &service, &["--resend", "failed"]).exits(3).says("row-not-in-plan").says("leaves it as it is");
    carry_out(&case, &service, &["--new-results", "--results", "other.csv"]).exits(3).says("row-not-in-plan");
    assert_eq!(service.created().len(), 1);
}

#[test]
fn a_file_that_is_no_plan_or_not_the_one_that_was_saved_is_named() {
    let service = RunningSandbox::with_faults(&[]);
    let case = approved(&service, &[]);
    let text = fs::read_to_string(case.path("plan.json")).expect("the plan");
    assert!(!text.contains(&service.token()), "no secret stands in it");
    for (plan, said) in [
        (text.replace("738964000000291001", "738964000000291009"), "was edited"),
        (text.replacen("\"version\": 1", "\"version\": 9", 1), "has version 9"),
        (text[..text.len() / 3].to_owned(), "is damaged"),
        ("module,record,file\n".to_owned(), "is no plan that attache saved"),
    ] {
        case.write("plan.json", plan);
        carry_out(&case, &service, &[]).exits(3).says(said);
    }
    fs::remove_file(case.path("plan.json")).expect("removed");
    carry_out(&case, &service, &[]).exits(2).says("cannot be read");
    assert!(service.created().is_empty());
}

#[test]
fn the_plan_of_another_manifest_is_told_as_that() {
    let service = RunningSandbox::with_faults(&[]);
    let case = approved(&service, &[]);
    case.write("m.csv", "module,record,file\nDeals,738964000000291077,f/0.txt\n");
    let done = carry_out(&case, &service, &[]).exits(3).says("this manifest has none of its rows");
    assert!(!done.stderr.contains("planned-row-missing"), "{}", done.stderr);
}

#[test]
fn a_plan_is_saved_by_a_dry_run_that_knows_where_it_goes() {
    let case = Case::new().many_rows(1);
    case.run(&["run", "m.csv", "--sandbox", "--save-plan", "p.json"]).exits(2).says("needs --dry-run");
    case.run(&["run", "m.csv", "--dry-run", "--save-plan", "p.json"]).exits(2).says("name the target");
    case.write("m.csv", "module,record,file\nLeads,1,f/0.txt\n");
    case.run(&["run", "m.csv", "--dry-run", "--sandbox", "--save-plan", "p.json"]).exits(3);
    assert!(!case.path("p.json").exists());
}

#[test]
fn a_report_on_a_plan_is_made_in_every_form_but_the_one_that_it_has() {
    let service = RunningSandbox::with_faults(&[]);
    let case = Case::new().many_rows(4);
    let with_bad = manifest(&case).into_iter().chain(["Leads,738964000000291009,f/gone.txt".to_owned()]);
    set_manifest(&case, &with_bad.collect::<Vec<_>>());
    save(&case, &service, &["--skip-invalid"]).exits(1);
    let said = case.run(&["report", "--plan", "plan.json", "--client", "Miller Ltd"]).exits(0);
    said.says("plan.html: 4 attachments to 4 records");
    let page = fs::read_to_string(case.path("plan.html")).expect("the page");
    for text in ["Miller Ltd", "file-missing", "f/gone.txt", "Leads", "f/3.txt"] {
        assert!(page.contains(text), "{text}");
    }
    case.run(&["report", "--plan", "plan.json", "--output", "markdown"])
        .exits(0)
        .prints("# 4 attachments to 4 records");
    case.run(&["report", "--plan", "plan.json", "-o", "plan.xlsx"]).exits(0);
    assert!(fs::metadata(case.path("plan.xlsx")).is_ok_and(|file| file.len() > 1_000));
    case.run(&["report", "--plan", "plan.json", "--output", "json"]).exits(2).says("is JSON already");
    case.run(&["report", "--plan", "plan.json", "-o", "plan.json"]).exits(2).says("would be overwritten");
    case.run(&["report", "m.results.csv", "--plan", "plan.json"]).exits(2).says("cannot be used with");
    case.run(&["report"]).exits(2);
    carry_out(&case, &service, &["--skip-invalid"]).exits(1);
    assert_eq!(service.created().len(), 4, "the plan is as it was");
}

#[test]
fn no_report_is_made_on_a_plan_that_cannot_be_relied_on() {
    let service = RunningSandbox::with_faults(&[]);
    let case = approved(&service, &[]);
    let text = fs::read_to_string(case.path("plan.json")).expect("the plan");
    case.run(&["report", "--plan", "none.json"]).exits(2).says("cannot be read");
    case.write("plan.json", text.replace("738964000000291001", "738964000000291009"));
    case.run(&["report", "--plan", "plan.json"]).exits(3).says("was edited");
    assert!(!case.path("plan.html").exists());
}
