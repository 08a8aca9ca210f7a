//! `attache undo`, and what the rest makes of what it leaves.

use attache::internals::sandbox::{Rename, SandboxOptions, Switches};

use crate::case::{Case, Done};
use crate::service::RunningSandbox;

/// The command `attache undo m.results.csv` against this service.
pub fn command(service: &RunningSandbox, case: &Case, more: &[&str]) -> std::process::Command {
    let url = service.url();
    let arguments = ["undo", "m.results.csv", "--api-domain", &url, "--rate", "none", "--settle-time", "10ms"];
    let mut command = case.command(&[&arguments, more].concat());
    command.env("ZOHO_ACCESS_TOKEN", service.token());
    command
}

fn undo(service: &RunningSandbox, case: &Case, more: &[&str]) -> Done {
    case.finish(command(service, case, more).output())
}

/// A case of so many rows that was run once against such a sandbox.
fn uploaded_to(settings: SandboxOptions, rows: u64) -> (RunningSandbox, Case) {
    let service = RunningSandbox::start(settings);
    let case = Case::new().many_rows(rows);
    service.run(&case, &[]).exits(0);
    (service, case)
}

fn uploaded(rows: u64) -> (RunningSandbox, Case) {
    uploaded_to(SandboxOptions::default(), rows)
}

fn with_switch(switch: &str) -> SandboxOptions {
    let mut switches = Switches::default();
    switches.set(switch).expect("a switch");
    SandboxOptions { switches, ..SandboxOptions::default() }
}

fn statuses(case: &Case) -> Vec<String> {
    case.column("m.results.csv", "status")
}

fn count(case: &Case, status: &str) -> usize {
    statuses(case).iter().filter(|other| *other == status).count()
}

#[test]
fn without_delete_it_lists_what_would_go_and_asks_nobody() {
    let (service, case) = uploaded(12);
    let before = service.requests();
    // No target and no credentials: the results say all that is needed.
    let listed = case.run(&["undo", "m.results.csv"]).exits(0);
    let listed =
        listed.prints("12 attachments on 12 records").prints("Leads").prints("and 2 more").prints("24 API credits");
    listed.prints("add --delete");
    let json = case.run(&["undo", "m.results.csv", "--output", "json"]).exits(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!((json["dry_run"].as_bool(), json["totals"]["rows"].as_u64()), (Some(true), Some(12)));
    assert_eq!(json["rows"][0]["end"], "would-go");
    assert_eq!((service.requests(), count(&case, "uploaded")), (before, 12));
}

#[test]
fn it_deletes_what_the_results_created_and_nothing_of_anybody_else() {
    let (service, case) = uploaded(5);
    let record = "738964000000291002";
    service.attach("Leads", record, "theirs.txt", b"content of 2");
    let done = undo(&service, &case, &["--delete", "--output", "json"]).exits(0);
    let json: serde_json::Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!((json["totals"]["deleted"].as_u64(), json["exit"].as_u64()), (Some(5), Some(0)));
    let left: Vec<String> = service.alive_names().into_iter().collect();
    assert_eq!((left, count(&case, "deleted")), (vec!["theirs.txt".to_owned()], 5), "that of the colleague is there");
    let again = undo(&service, &case, &["--delete"]).exits(0);
    again.prints("There is nothing to delete").prints("5 lines deleted before");
    assert_eq!(service.stats().deletes, 5);
}

#[test]
fn what_was_deleted_is_known_to_all_other_commands() {
    let (service, case) = uploaded(4);
    undo(&service, &case, &["--delete", "--lines", "2-3"]).exits(0).prints("Deleted 2 attachments of 2");
    assert_eq!(statuses(&case), ["deleted", "deleted", "uploaded", "uploaded"]);
    // A run sends nothing again.
    let plan = service.run(&case, &["--dry-run"]).exits(0);
    plan.prints("2 deleted since");
    service.run(&case, &[]).exits(0).says("2 of 4 rows attached");
    assert_eq!((service.stored(), service.alive()), (4, 2));
    // Nor does one of a manifest that was exported anew.
    let manifest = std::fs::read_to_string(case.path("m.csv")).expect("the manifest");
    case.write("m.csv", manifest.replace(",f/", ",./f/"));
    service.run(&case, &[]).exits(0);
    assert_eq!(service.stored(), 4);
    // Nor does one whose files were moved.
    std::fs::rename(case.path("f"), case.path("moved")).expect("moved");
    case.write("m.csv", manifest.replace(",f/", ",moved/"));
    service.run(&case, &[]).exits(0);
    assert_eq!((service.stored(), count(&case, "deleted")), (4, 2));
    // A verification does not miss them, and finds one that was restored.
    let verified = verify(&service, &case);
    assert_eq!(verified.status, Some(0), "{}", verified.stdout);
    // The report counts them.
    let told = report(&case);
    assert_eq!((told["totals"]["deleted"].as_u64(), told["totals"]["uploaded"].as_u64()), (Some(2), Some(2)));
    assert_eq!((told["runs"][1]["undid"].as_u64(), told["taken_back"]["deleted"].as_u64()), (Some(2), Some(2)));
    // Asked to, a run attaches them once more, and only once.
    service.run(&case, &["--resend", "deleted"]).exits(0).says("All 4 rows are attached");
    assert_eq!((service.stored(), service.alive(), count(&case, "deleted")), (6, 4, 2));
    service.run(&case, &["--resend", "deleted"]).exits(0);
    assert_eq!((service.stored(), count(&case, "uploaded")), (6, 4));
    // The attachments that are gone are no rows of the report any more, and it still tells of them and of the undo.
    let totals = report(&case)["totals"].clone();
    assert_eq!(
        (totals["rows"].as_u64(), totals["uploaded"].as_u64(), totals["deleted"].as_u64()),
        (Some(4), Some(4), Some(2))
    );
    case.run(&["report", "m.results.csv", "-o", "page.html"]).exits(0).says("All 4 attachments are in place");
    let page = std::fs::read_to_string(case.path("page.html")).expect("the page");
    for said in
        ["What was taken back", "2 attachments that had been made were taken back", "undo: 2 deleted", "lines 2-3"]
    {
        assert!(page.contains(said), "{said}");
    }
    case.run(&["report", "m.results.csv", "-o", "page.xlsx"]).exits(0);
    // And what is there now can be taken back again.
    undo(&service, &case, &["--delete"]).exits(0).prints("Deleted 4 attachments of 4");
    assert_eq!((service.alive(), count(&case, "deleted")), (0, 6));
    assert_eq!(verify(&service, &case).status, Some(0));
}

fn report(case: &Case) -> serde_json::Value {
    let report = case.run(&["report", "m.results.csv", "--output", "json"]).exits(0);
    serde_json::from_str(&report.stdout).expect("JSON")
}

fn verify(service: &RunningSandbox, case: &Case) -> Done {
    let url = service.url();
    let mut command = case.command(&["verify", "m.results.csv", "--api-domain", &url, "--rate", "none"]);
    case.finish(command.env("ZOHO_ACCESS_TOKEN", service.token()).output())
}

#[test]
fn a_row_that_was_sent_twice_loses_both_of_its_attachments() {
    let (service, case) = uploaded(3);
    let second = case.column("m.results.csv", "attachment_id")[1].clone();
    service.delete("Leads", "738964000000291001", &second);
    assert_eq!(verify(&service, &case).status, Some(1));
    service.run(&case, &["--resend", "missing"]).exits(0);
    let done = undo(&service, &case, &["--delete", "--lines", "3"]).exits(0);
    done.prints("Deleted 2 attachments of 2").prints("1 of them had gone already");
    assert_eq!(service.alive(), 2);
    let codes: Vec<(String, String)> =
        case.results("m.results.csv").iter().map(|row| (row["status"].clone(), row["code"].clone())).collect();
    assert!(codes.contains(&("deleted".to_owned(), "already-gone".to_owned())), "{codes:?}");
}

#[test]
fn a_service_that_refuses_deletions_is_asked_once() {
    for switch in ["deletion=refused", "deletion=links"] {
        let (service, case) = uploaded_to(with_switch(switch), 30);
        let done = undo(&service, &case, &["--delete"]).exits(4);
        let done = done.prints("refuses to delete the first attachment").prints("Deleted 0 attachments of 30");
        done.prints("29 not come to");
        assert_eq!((service.alive(), service.stats().deletes, count(&case, "uploaded")), (30, 1, 30), "{switch}");
    }
}

#[test]
fn links_can_go_where_files_cannot() {
    let mut manifest = String::from("module,record,url\n");
    for number in 0..5 {
        manifest.push_str(&format!("Leads,{},https://example.com/{number}\n", 738_964_000_000_291_000u64 + number));
    }
    let service = RunningSandbox::start(with_switch("deletion=links"));
    let case = Case::new().file("m.csv", manifest);
    service.run(&case, &[]).exits(0);
    undo(&service, &case, &["--delete"]).exits(0);
    assert_eq!(service.alive(), 0);
}

#[test]
fn an_attachment_under_another_name_is_left_alone_and_said() {
    let settings = SandboxOptions { rename: Rename::Every, ..SandboxOptions::default() };
    let (service, case) = uploaded_to(settings, 3);
    undo(&service, &case, &["--delete"]).exits(1).prints("3 left alone").prints("it is called \"0 (1).txt\" there");
    assert_eq!((service.alive(), service.stats().deletes, count(&case, "uploaded")), (3, 0, 3));
    assert!(case.column("m.results.csv", "message")[0].contains("not deleted"), "the results say why");
}

#[test]
fn a_results_file_that_was_edited_or_shortened_deletes_nothing() {
    let (service, case) = uploaded(6);
    let results = std::fs::read_to_string(case.path("m.results.csv")).expect("results");
    let first_id = case.column("m.results.csv", "attachment_id")[0].clone();
    let mut other = first_id.clone();
    other.replace_range(other.len() - 1.., if first_id.ends_with('9') { "8" } else { "9" });
    for (text, said) in [
        (results.replacen(&first_id, &other, 1), "is not what attache wrote"),
        (results.lines().take(4).map(|line| format!("{line}\n")).collect(), "lines of it are missing"),
        ("some,other,file\n".to_owned(), "is not a results file"),
    ] {
        case.write("m.results.csv", text);
        for more in [&["--delete"][..], &[]] {
            undo(&service, &case, more).exits(6).says(said);
        }
    }
    case.write("m.results.csv", results);
    assert_eq!((service.alive(), service.stats().deletes), (6, 0));
}

#[test]
fn results_that_lost_what_was_taken_back_are_noticed() {
    let (service, case) = uploaded(6);
    undo(&service, &case, &["--delete", "--lines", "5-"]).exits(0);
    let results = std::fs::read_to_string(case.path("m.results.csv")).expect("results");
    std::fs::remove_file(case.path("m.results.csv.mark")).ok();
    case.write("m.results.csv", results.lines().take(5).map(|line| format!("{line}\n")).collect::<String>());
    service.run(&case, &[]).exits(6).says("m.results.csv");
    assert_eq!(service.stored(), 6);
    case.write("m.results.csv", results);
    service.run(&case, &[]).exits(0);
    assert_eq!(service.stored(), 6);
}

#[test]
fn results_of_another_place_delete_nothing_here() {
    let (service, case) = uploaded(2);
    let elsewhere = RunningSandbox::start(SandboxOptions::default());
    undo(&elsewhere, &case, &["--delete"]).exits(2).says("were sent to");
    assert_eq!((service.alive(), elsewhere.requests()), (2, 0));
}

#[test]
fn a_part_can_be_taken_back_by_run_module_and_a_list_of_lines() {
    let (service, case) = uploaded(6);
    let run = case.column("m.results.csv", "run")[0].clone();
    case.write("some.csv", "line;why\n4;wrong\n6;wrong\n");
    undo(&service, &case, &["--lines", "some.csv"]).exits(0).prints("2 attachments").prints("4 lines not selected");
    undo(&service, &case, &["--delete", "--lines", "some.csv", "--run", &run, "--module", "Leads"]).exits(0);
    assert_eq!(statuses(&case), ["uploaded", "uploaded", "deleted", "uploaded", "deleted", "uploaded"]);
    undo(&service, &case, &["--delete", "--run", "no-such-run"]).exits(2).says("no line of the results");
    undo(&service, &case, &["--delete", "--lines", "none.csv"]).exits(2).says("is no line and no range");
    assert_eq!(service.alive(), 4);
}

#[test]
fn lost_answers_are_settled_by_looking_and_nothing_is_left_unsaid() {
    let faults = ["cut-stored,on=delete,every=3", "500-before,on=delete,every=4", "html,on=delete,every=5"];
    let faults = faults.iter().map(|fault| fault.parse().expect("a fault")).collect();
    let (service, case) = uploaded_to(SandboxOptions { faults, ..SandboxOptions::default() }, 40);
    let done = undo(&service, &case, &["--delete"]);
    let done = done.exits(0).prints("Deleted 40 attachments of 40").prints("were gone after an answer was lost");
    assert_eq!((service.alive(), count(&case, "deleted")), (0, 40), "{}", done.stdout);
    assert!(case.column("m.results.csv", "code").contains(&"found-gone".to_owned()));
}

#[test]
fn what_cannot_be_settled_is_in_doubt_and_the_same_command_goes_on() {
    let second = "738964000000291001";
    let faults = ["cut-stored,on=delete,record=SECOND", "no-permission,on=list,nth=2,record=SECOND"];
    let faults = faults.map(|fault| fault.replace("SECOND", second));
    let faults = faults.iter().map(|fault| fault.parse().expect("a fault")).collect();
    let (service, case) = uploaded_to(SandboxOptions { faults, ..SandboxOptions::default() }, 5);
    let done = undo(&service, &case, &["--delete"]);
    let done = done.exits(5).prints("1 in doubt").prints("Run the same command again");
    assert_eq!(count(&case, "deleting"), 1, "{}", done.stdout);
    // A run knows that it cannot tell.
    service.run(&case, &[]).exits(5).says("attache undo");
    assert_eq!(count(&case, "deleting"), 1);
    undo(&service, &case, &["--delete"]).exits(0);
    assert_eq!((service.alive(), count(&case, "deleted"), service.stored()), (0, 5, 5));
}

#[test]
fn a_token_without_the_scope_deletes_nothing_and_names_it() {
    let scopes =
        ["ZohoCRM.modules.leads.ALL", "ZohoCRM.modules.attachments.CREATE", "ZohoCRM.modules.attachments.READ"];
    let scopes = Some(scopes.map(str::to_owned).to_vec());
    let (service, case) = uploaded_to(SandboxOptions { scopes, ..SandboxOptions::default() }, 3);
    undo(&service, &case, &["--delete"]).exits(4).prints("ZohoCRM.modules.attachments.DELETE");
    assert_eq!((service.alive(), count(&case, "uploaded")), (3, 3));
}

#[test]
fn the_budget_of_credits_holds() {
    let (service, case) = uploaded(10);
    let before = service.stats().credits_used;
    undo(&service, &case, &["--delete", "--max-credits", "7"]).exits(4).prints("--max-credits are used up");
    assert_eq!(service.stats().credits_used - before, 7);
    undo(&service, &case, &["--delete"]).exits(0);
    assert_eq!(service.alive(), 0);
}

#[test]
fn a_run_that_holds_the_results_keeps_an_undo_out() {
    let (service, case) = uploaded(2);
    let lock = std::fs::File::create(case.path("m.results.csv.lock")).expect("the lock");
    lock.lock().expect("free");
    undo(&service, &case, &["--delete"]).exits(6).says("is using these results");
    assert_eq!(service.alive(), 2);
}

#[test]
fn no_environment_variable_deletes() {
    let (service, case) = uploaded(2);
    let mut command = command(&service, &case, &[]);
    command.env("ATTACHE_DELETE", "1").env("ATTACHE_UNDO_DELETE", "1").env("ATTACHE_YES", "1");
    case.finish(command.output()).exits(0).prints("would be deleted");
    assert_eq!(service.alive(), 2);
}
