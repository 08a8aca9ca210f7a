//! What was sent is recognised, however its row is written today: nothing is attached twice.

use attache::internals::content::{Fingerprint, FingerprintKind};
use attache::internals::outcome::Status;
use attache::internals::results::{Line, read};
use attache::internals::sandbox::SandboxOptions;

use crate::case::{Case, Done};
use crate::service::RunningSandbox;

const RECORD: &str = "738964000000291000";

/// A case with three files on one record, sent.
fn sent(service: &RunningSandbox) -> Case {
    let case = Case::new().file("scans/1.pdf", "one").file("scans/2.pdf", "two").file("scans/3.pdf", "three");
    write_manifest(&case, &["scans/1.pdf", "scans/2.pdf", "scans/3.pdf"]);
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created().len(), 3);
    case
}

fn write_manifest(case: &Case, files: &[&str]) {
    let rows: String = files.iter().map(|file| format!("Leads,{RECORD},{file}\n")).collect();
    case.write("m.csv", format!("module,record,file\n{rows}"));
}

/// Writes the results anew with each line changed.
pub fn rewrite(case: &Case, change: impl Fn(Line) -> Line) {
    let path = case.path("m.results.csv");
    let text = std::fs::read_to_string(&path).expect("the results");
    let table = read(&path, false).expect("sound results");
    let mut again = text.lines().next().expect("a header").to_owned().into_bytes();
    again.push(b'\n');
    for line in table.rows() {
        change(line.expect("a line")).encode(table.layout(), &mut again);
    }
    std::fs::write(&path, again).expect("written");
    // It would say that these are not the lines that the run wrote.
    std::fs::remove_file(case.path("m.results.csv.mark")).expect("removed");
}

/// Takes the fingerprints out of the results, as if an earlier version had written them.
fn forget_contents(case: &Case) {
    rewrite(case, |line| Line { content: None, ..line });
}

fn content_of(case: &Case, file: &str, kind: FingerprintKind) -> String {
    let bytes = std::fs::read(case.path(file)).expect("the file is there");
    Fingerprint::of(&bytes[..], kind).expect("memory can be read").0.to_string()
}

#[test]
fn the_results_hold_the_fingerprint_of_the_bytes_that_were_sent() {
    let (case, service) = (Case::new().many_rows(2), RunningSandbox::with_faults(&[]));
    case.write(
        "m.csv",
        "module,record,file,url\nLeads,738964000000291000,f/0.txt,\nLeads,738964000000291000,,https://example.com/a\n\
         Leads,738964000000291001,f/1.txt,\n",
    );
    service.run(&case, &["--limit", "2"]).exits(0);
    service.run(&case, &["--sha256"]).exits(0);
    assert_eq!(
        case.column("m.results.csv", "content"),
        [
            content_of(&case, "f/0.txt", FingerprintKind::Xxh3),
            String::new(),
            content_of(&case, "f/1.txt", FingerprintKind::Sha256),
        ]
    );
}

#[test]
fn what_was_settled_by_a_list_has_the_fingerprint_of_what_was_sent() {
    let case = Case::new().many_rows(1);
    let service = RunningSandbox::with_faults(&["cut-stored,nth=1,times=1"]);
    service.run(&case, &[]).exits(0);
    assert_eq!(case.column("m.results.csv", "code"), ["settled-by-listing"]);
    assert_eq!(case.column("m.results.csv", "content"), [content_of(&case, "f/0.txt", FingerprintKind::Xxh3)]);
}

#[test]
fn a_manifest_that_was_exported_anew_attaches_nothing_twice() {
    let service = RunningSandbox::with_faults(&[]);
    let case = sent(&service);
    let before = service.requests();
    let absolute = |name: &str| case.path(name).display().to_string();
    let forms = [
        ["./scans/1.pdf", "scans//2.pdf", "scans/../scans/3.pdf"].map(str::to_owned),
        [absolute("scans/1.pdf"), absolute("./scans/2.pdf"), "scans/3.pdf".to_owned()],
        ["scans/3.pdf", "scans/1.pdf", "./scans/2.pdf"].map(str::to_owned),
    ];
    for form in forms {
        let files: Vec<&str> = form.iter().map(String::as_str).collect();
        write_manifest(&case, &files);
        service.run(&case, &["--dry-run"]).exits(0).prints("written otherwise than before and recognised");
        service.run(&case, &[]).exits(0);
        assert_eq!(case.column("m.results.csv", "status"), ["uploaded"; 3], "{form:?}");
        assert_eq!(case.column("m.results.csv", "file"), form, "one line for each row, as it is written today");
    }
    std::fs::remove_dir_all(case.path("scans")).expect("the files can be removed");
    write_manifest(&case, &["./scans/1.pdf", "./scans/2.pdf", "./scans/3.pdf"]);
    service.run(&case, &[]).exits(0);
    assert_eq!((service.requests(), service.created().len()), (before, 3), "not even a list was asked for");
}

#[test]
fn files_that_were_moved_are_recognised_by_their_content() {
    let service = RunningSandbox::with_faults(&[]);
    let case = sent(&service);
    std::fs::rename(case.path("scans"), case.path("archive")).expect("moved");
    case.write("archive/new/1.pdf", "eno");
    write_manifest(&case, &["archive/1.pdf", "archive/2.pdf", "archive/3.pdf", "archive/new/1.pdf"]);
    service.run(&case, &["--dry-run"]).exits(0).prints("3 rows written otherwise than before and recognised");
    service.run(&case, &[]).exits(0);
    assert_eq!(case.column("m.results.csv", "status"), ["uploaded"; 4]);
    assert_eq!(service.created().len(), 4, "of the same name and size, but another content");
}

#[test]
fn files_of_unknown_content_are_asked_about_and_the_answer_holds() {
    let service = RunningSandbox::with_faults(&[]);
    let case = sent(&service);
    forget_contents(&case);
    std::fs::rename(case.path("scans"), case.path("archive")).expect("moved");
    write_manifest(&case, &["archive/1.pdf", "archive/2.pdf", "archive/3.pdf"]);
    let asked = service.run(&case, &[]).exits(3).says("sent-before").says("--moved same");
    assert!(asked.stderr.contains("scans/1.pdf"), "{}", asked.stderr);
    case.write("moved.csv", "line,moved\n2,same\n3,same\n");
    service.run(&case, &["--moved", "moved.csv"]).exits(3).says("sent-before");
    assert_eq!(service.created().len(), 3);
    case.write("moved.csv", "line,moved\n2,same\n3,same\n4,new\n");
    service.run(&case, &["--moved", "moved.csv"]).exits(0);
    assert_eq!(service.created().len(), 4);
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created().len(), 4);
}

#[test]
fn the_file_that_was_sent_tells_its_content_while_it_is_as_it_was() {
    let service = RunningSandbox::with_faults(&[]);
    let case = Case::new().file("scans/1.pdf", "one");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3_600);
    let file = std::fs::File::options().append(true).open(case.path("scans/1.pdf")).expect("opened");
    file.set_modified(long_ago).expect("dated back");
    write_manifest(&case, &["scans/1.pdf"]);
    service.run(&case, &[]).exits(0);
    forget_contents(&case);
    case.write("copy/1.pdf", "one");
    write_manifest(&case, &["copy/1.pdf"]);
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created().len(), 1);
}

#[test]
fn another_name_for_a_file_that_was_sent_is_asked_about() {
    let service = RunningSandbox::with_faults(&[]);
    let case = sent(&service);
    let named = |name: &str| {
        case.write("m.csv", format!("module,record,file,name\nLeads,{RECORD},scans/1.pdf,{name}\n"));
    };
    named("Offer.pdf");
    service.run(&case, &[]).exits(3).says("sent-under-another-name").says("--renamed keep");
    service.run(&case, &["--renamed", "keep"]).exits(0);
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created().len(), 3);
    assert_eq!(case.results("m.results.csv")[0]["name"], "1.pdf", "the name that it has in the CRM");
    named("Invoice.pdf");
    service.run(&case, &["--renamed", "send"]).exits(0);
    assert_eq!(service.created().len(), 4);
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created().len(), 4);
}

#[test]
fn a_link_is_known_by_its_address_whatever_its_title_and_the_version() {
    let (case, service) = (Case::new(), RunningSandbox::with_faults(&[]));
    let manifest = |title: &str| {
        case.write("m.csv", format!("module,record,url,name\nLeads,{RECORD},https://example.com/a,{title}\n"));
    };
    manifest("A title");
    for version in ["v2", "v8", "v3"] {
        service.run(&case, &["--api-version", version]).exits(0);
        assert_eq!(service.created().len(), 1, "{version}");
    }
    manifest("Another title");
    service.run(&case, &["--api-version", "v8"]).exits(0);
    manifest("");
    service.run(&case, &["--api-version", "v8"]).exits(0);
    assert_eq!(service.created().len(), 1);
}

#[test]
fn two_rows_for_equal_files_stay_two() {
    let (case, service) =
        (Case::new().file("a/x.pdf", "same").file("b/x.pdf", "same"), RunningSandbox::with_faults(&[]));
    write_manifest(&case, &["a/x.pdf"]);
    service.run(&case, &[]).exits(0);
    write_manifest(&case, &["a/x.pdf", "b/x.pdf"]);
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created().len(), 2, "the row that was sent is still in the manifest");
}

#[test]
fn what_was_in_doubt_is_looked_up_under_the_new_path_and_not_sent_twice() {
    let service = RunningSandbox::with_faults(&[]);
    let case = sent(&service);
    rewrite(&case, |line| Line { status: Status::InDoubt, attachment_id: None, ..line });
    // The list of runs would say that lines are missing.
    std::fs::remove_file(case.path("m.runs.jsonl")).expect("removed");
    write_manifest(&case, &["./scans/1.pdf", "scans//2.pdf", "scans/3.pdf"]);
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created().len(), 3);
    assert_eq!(case.column("m.results.csv", "code"), ["settled-by-listing"; 3]);
    let contents = ["scans/1.pdf", "scans/2.pdf", "scans/3.pdf"];
    let contents = contents.map(|file| content_of(&case, file, FingerprintKind::Xxh3));
    assert_eq!(case.column("m.results.csv", "content"), contents, "of what was sent then");
}

#[test]
fn a_manifest_that_was_copied_to_another_name_sends_nothing_again_without_a_word() {
    let service = RunningSandbox::with_faults(&[]);
    let case = sent(&service);
    std::fs::copy(case.path("m.csv"), case.path("n.csv")).expect("copied");
    let run = |more: &[&str]| {
        let arguments = service.arguments();
        let mut all = vec!["run", "n.csv"];
        all.extend(arguments.iter().map(String::as_str));
        all.extend(more);
        let mut command = case.command(&all);
        command.env("ZOHO_ACCESS_TOKEN", service.token());
        case.finish(command.output())
    };
    run(&[]).exits(3).says("sent-by-another-manifest").says("--results m.results.csv");
    run(&["--results", "m.results.csv"]).exits(0);
    assert_eq!(service.created().len(), 3);
    case.write("n.csv", format!("module,record,file\nLeads,{RECORD},./scans/1.pdf\nDeals,{RECORD},scans/2.pdf\n"));
    run(&["--skip-invalid"]).exits(1);
    assert_eq!(service.created().len(), 4, "only what the other results do not know");
    run(&["--new-results"]).exits(0);
    assert_eq!(service.created().len(), 5);
}

/// A service whose tokens say what they may ask for.
fn with_scopes(scopes: &[&str]) -> RunningSandbox {
    let scopes = Some(scopes.iter().map(|scope| (*scope).to_owned()).collect());
    RunningSandbox::start(SandboxOptions { scopes, ..SandboxOptions::default() })
}

/// A run with the credentials of a client.
fn run_as(client: &str, service: &RunningSandbox, case: &Case, more: &[&str]) -> Done {
    let arguments = service.arguments();
    let all: Vec<&str> =
        ["run", "m.csv"].into_iter().chain(arguments.iter().map(String::as_str)).chain(more.iter().copied()).collect();
    as_client(client, service, case, &all)
}

/// An undo of the whole results with the credentials of a client.
fn undo_as(client: &str, service: &RunningSandbox, case: &Case, more: &[&str]) -> Done {
    let url = service.url();
    let all = [&["undo", "m.results.csv", "--delete", "--api-domain", &url, "--rate", "none"], more].concat();
    as_client(client, service, case, &all)
}

/// A command with the credentials of a client.
fn as_client(client: &str, service: &RunningSandbox, case: &Case, arguments: &[&str]) -> Done {
    let url = service.url();
    let mut command = case.command(&[arguments, &["--accounts-url", &url]].concat());
    command.env("ZOHO_CLIENT_ID", client).env("ZOHO_CLIENT_SECRET", "secret").env("ZOHO_REFRESH_TOKEN", "1000.refresh");
    case.finish(command.output())
}

#[test]
fn results_remember_the_organisation_where_the_token_may_ask_for_it() {
    let service = with_scopes(&["ZohoCRM.modules.ALL", "ZohoCRM.org.READ"]);
    let case = Case::new().many_rows(2);
    run_as("1000.ONE", &service, &case, &["--limit", "1"]).exits(0).says("the CRM of Sandbox (org:700000001)");
    run_as("1000.TWO", &service, &case, &[]).exits(0);
    assert_eq!(case.column("m.results.csv", "org"), ["org:700000001"; 2], "another client of the same organisation");
}

#[test]
fn results_of_another_client_are_refused_unless_the_user_knows_better() {
    let service = with_scopes(&["ZohoCRM.modules.ALL"]);
    let case = Case::new().many_rows(3);
    run_as("1000.ONE", &service, &case, &["--limit", "1"]).exits(0);
    let one = case.results("m.results.csv")[0]["org"].clone();
    assert!(one.starts_with("client:") && !one.contains("1000.ONE"), "{one}");
    let refused = run_as("1000.TWO", &service, &case, &["--limit", "1"]).exits(6).says("--same-organisation");
    assert!(refused.stderr.contains(&one), "{}", refused.stderr);
    assert_eq!(service.created().len(), 1);
    run_as("1000.TWO", &service, &case, &["--limit", "1", "--same-organisation"]).exits(0);
    run_as("1000.ONE", &service, &case, &[]).exits(0);
    assert_eq!(service.created().len(), 3);
}

#[test]
fn nothing_is_deleted_on_the_word_of_results_of_another_client_or_organisation() {
    let service = with_scopes(&["ZohoCRM.modules.ALL"]);
    let case = Case::new().many_rows(3);
    run_as("1000.ONE", &service, &case, &[]).exits(0);
    let one = case.results("m.results.csv")[0]["org"].clone();
    let refused = undo_as("1000.TWO", &service, &case, &[]).exits(6).says("--same-organisation");
    assert!(refused.stderr.contains(&one), "{}", refused.stderr);
    assert_eq!((service.alive(), service.stats().deletes), (3, 0));
    undo_as("1000.TWO", &service, &case, &["--same-organisation", "--lines", "2"]).exits(0);
    undo_as("1000.ONE", &service, &case, &[]).exits(0);
    assert_eq!(service.alive(), 0);

    let service = with_scopes(&["ZohoCRM.modules.ALL", "ZohoCRM.org.READ"]);
    let case = Case::new().many_rows(2);
    run_as("1000.ONE", &service, &case, &[]).exits(0);
    rewrite(&case, |line| Line { org: "org:700000002".parse().ok(), ..line });
    let refused = undo_as("1000.ONE", &service, &case, &[]).exits(6);
    refused.says("org:700000002").says("Sandbox (org:700000001)");
    undo_as("1000.ONE", &service, &case, &["--same-organisation"]).exits(6);
    assert_eq!((service.alive(), service.stats().deletes), (2, 0));
}

#[test]
fn a_plan_is_carried_out_in_the_organisation_that_it_was_approved_for() {
    let service = with_scopes(&["ZohoCRM.modules.ALL", "ZohoCRM.org.READ"]);
    let case = Case::new().many_rows(3);
    run_as("1000.ONE", &service, &case, &["--limit", "1"]).exits(0);
    rewrite(&case, |line| Line { org: "org:700000002".parse().ok(), ..line });
    let results = std::fs::read(case.path("m.results.csv")).expect("results");
    run_as("1000.ONE", &service, &case, &["--dry-run", "--save-plan", "plan.json"]).exits(0);
    // The results of another organisation are not even looked at; the plan alone is held against the credentials.
    std::fs::rename(case.path("m.results.csv"), case.path("other.csv")).expect("moved");
    let carried_out = ["--plan", "plan.json", "--new-results"];
    let refused = run_as("1000.ONE", &service, &case, &carried_out);
    assert_ne!(refused.status, Some(0), "{}", refused.stderr);
    assert_eq!(service.stored(), 1, "nothing was sent");
    case.write("m.results.csv", results);
    run_as("1000.ONE", &service, &case, &["--plan", "plan.json"]).exits(6).says("org:700000002");
    assert_eq!(service.stored(), 1);
}

#[test]
fn a_first_try_that_failed_at_the_door_binds_nothing() {
    let case = Case::new().file("a.txt", "x");
    write_manifest(&case, &["a.txt"]);
    let refusing = RunningSandbox::with_faults(&["no-permission"]);
    run_as("1000.ONE", &refusing, &case, &["--results", "r.csv"]);
    assert_eq!(case.column("r.csv", "status"), ["failed"]);
    assert_eq!(refusing.created().len(), 0);
    run_as("1000.TWO", &refusing, &case, &["--results", "r.csv", "--resend", "failed", "--dry-run"]).exits(0);
    let again = run_as("1000.TWO", &refusing, &case, &["--results", "r.csv", "--resend", "failed"]);
    assert_ne!(again.status, Some(6), "{}", again.stderr);
}

#[test]
fn a_first_try_that_failed_does_not_bind_the_results_to_its_target() {
    let service = RunningSandbox::with_faults(&["no-permission,times=2"]);
    let case = Case::new().many_rows(2);
    service.run(&case, &[]).exits(1);
    let elsewhere = |line: Line| Line { target: "www.zohoapis.com".to_owned(), ..line };
    rewrite(&case, elsewhere);
    service.run(&case, &[]).exits(0);
    assert_eq!((case.column("m.results.csv", "status"), service.created().len()), (vec!["uploaded".to_owned(); 2], 2));
    rewrite(&case, elsewhere);
    service.run(&case, &[]).exits(6).says("www.zohoapis.com");
    assert_eq!(service.created().len(), 2);
}
