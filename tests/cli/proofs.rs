//! After the run: `attache verify` asks the service for every row, `attache report` makes the page for the sign-off.

use crate::case::{Case, Done};
use crate::service::RunningSandbox;

fn verify(case: &Case, service: &RunningSandbox, more: &[&str]) -> Done {
    let url = service.url();
    let mut command =
        case.command(&[&["verify", "m.results.csv", "--api-domain", &url, "--rate", "none"], more].concat());
    case.finish(command.env("ZOHO_ACCESS_TOKEN", service.token()).output())
}

#[test]
fn every_row_is_found_and_what_is_wrong_is_named() {
    let rows = [
        ("Leads", "738964000000291009", "a.txt"),
        ("Leads", "738964000000291010", "b.txt"),
        ("Deals", "738964000000291011", "c.txt"),
    ];
    let (case, service) = (Case::new().rows(&rows), RunningSandbox::with_faults(&[]));
    service.run(&case, &[]).exits(0);
    let (before, uploads) = (service.requests(), service.stats().uploads);
    verify(&case, &service, &[]).exits(0);
    assert_eq!(service.requests(), before + 3, "one list for each record");

    // A colleague attaches the same file again, and takes another one away.
    service.attach("Leads", "738964000000291009", "a.txt", b"content of a.txt");
    let gone = case.column("m.results.csv", "attachment_id")[1].clone();
    service.delete("Leads", "738964000000291010", &gone);
    verify(&case, &service, &[]).exits(1).prints("b.txt");
    let json = verify(&case, &service, &["--output", "json"]).exits(1);
    serde_json::from_str::<serde_json::Value>(&json.stdout).expect("one JSON document and nothing else");
    let csv = verify(&case, &service, &["--output", "csv"]).exits(1);
    let lines = csv::Reader::from_reader(csv.stdout.as_bytes()).records().filter(Result::is_ok).count();
    assert_eq!(lines, 3, "{}", csv.stdout);
    assert_eq!(service.stats().uploads, uploads, "verifying changes nothing");
}

#[test]
fn a_report_is_made_in_every_form() {
    let (case, service) = (Case::new().many_rows(3), RunningSandbox::with_faults(&["no-permission,nth=2"]));
    service.run(&case, &[]).exits(1);
    for (name, begins) in [("r.html", &b"<!"[..]), ("r.xlsx", b"PK"), ("r.md", b"#"), ("r.json", b"{")] {
        case.run(&["report", "m.results.csv", "-o", name]).exits(0);
        let report = std::fs::read(case.path(name)).expect("a report");
        assert!(report.starts_with(begins), "{name}");
    }
    case.run(&["report", "missing.csv", "-o", "r.html"]).exits(6).says("missing.csv: there is no such file");
}
