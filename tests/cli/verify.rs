//! `attache verify`, what it keeps, and what is built on it.

use attache::internals::sandbox::{Keep, SandboxOptions, SandboxUser};

use crate::case::{Case, Done};
use crate::service::RunningSandbox;

/// `attache verify m.results.csv` against this service.
fn verify(service: &RunningSandbox, case: &Case, more: &[&str]) -> Done {
    let url = service.url();
    let mut command =
        case.command(&[&["verify", "m.results.csv", "--api-domain", &url, "--rate", "none"], more].concat());
    case.finish(command.env("ZOHO_ACCESS_TOKEN", service.token()).output())
}

/// A sandbox that has the files of a case, which is run once.
fn uploaded(rows: u64) -> (RunningSandbox, Case) {
    let service = RunningSandbox::start(SandboxOptions { keep: Keep::Temporarily, ..SandboxOptions::default() });
    let case = Case::new().many_rows(rows);
    assert_eq!(service.run(&case, &[]).status, Some(0));
    (service, case)
}

/// The record of the third row.
const THIRD: &str = "738964000000291002";

/// The attachment of the third row, as the results have it.
fn third_attachment(case: &Case) -> String {
    case.column("m.results.csv", "attachment_id")[2].clone()
}

#[test]
fn what_is_missing_is_kept_and_sent_once_more_and_never_a_third_time() {
    let (service, case) = uploaded(5);
    service.delete("Leads", THIRD, &third_attachment(&case));
    let verified = verify(&service, &case, &[]);
    assert_eq!(verified.status, Some(1), "{}", verified.stderr);
    assert!(verified.stdout.contains("1  missing"), "{}", verified.stdout);
    let kept = std::fs::read_to_string(case.path("m.verify.csv")).expect("findings");
    assert_eq!(kept.lines().filter(|line| line.contains(",missing,")).count(), 1);
    assert_eq!(kept.lines().count(), 6, "a line for each row");

    let dry = service.run(&case, &["--resend", "missing", "--dry-run"]);
    assert_eq!((dry.status, service.stored()), (Some(0), 5), "{}", dry.stderr);
    let again = service.run(&case, &["--resend", "missing"]);
    assert_eq!((again.status, service.stored()), (Some(0), 6), "{}", again.stderr);
    let third = service.run(&case, &["--resend", "missing"]);
    assert_eq!((third.status, service.stored()), (Some(0), 6), "the finding speaks of another attachment");
    let verified = verify(&service, &case, &[]);
    assert_eq!(verified.status, Some(0), "{}", verified.stdout);
}

#[test]
fn what_is_missing_is_sent_once_more_however_its_row_is_written_today() {
    for a_run_between in [false, true] {
        let (service, case) = uploaded(5);
        service.delete("Leads", THIRD, &third_attachment(&case));
        assert_eq!(verify(&service, &case, &[]).status, Some(1));
        let manifest = std::fs::read_to_string(case.path("m.csv")).expect("the manifest");
        case.write("m.csv", manifest.replace(",f/", ",./f/"));
        if a_run_between {
            service.run(&case, &[]).exits(0);
        }
        let again = service.run(&case, &["--resend", "missing"]);
        assert_eq!((again.status, service.stored()), (Some(0), 6), "{a_run_between} {}", again.stderr);
        let third = service.run(&case, &["--resend", "missing"]);
        assert_eq!((third.status, service.stored()), (Some(0), 6), "{}", third.stderr);
    }
}

#[test]
fn a_row_that_is_sent_once_more_keeps_the_line_of_its_first_attachment() {
    let (service, case) = uploaded(4);
    let first = third_attachment(&case);
    service.delete("Leads", THIRD, &first);
    assert_eq!(verify(&service, &case, &[]).status, Some(1));
    // The run ends before its turn comes: it stands as it stood.
    let stopped = service.run(&case, &["--resend", "missing", "--max-credits", "1"]);
    assert_eq!((stopped.status, service.stored()), (Some(4), 4), "{}", stopped.stderr);
    assert_eq!(case.column("m.results.csv", "status"), ["uploaded"; 4]);
    service.run(&case, &["--resend", "missing"]).exits(0);
    let statuses = ["uploaded", "uploaded", "uploaded", "uploaded", "superseded"];
    assert_eq!(case.column("m.results.csv", "status"), statuses);
    let ids = case.column("m.results.csv", "attachment_id");
    assert!(ids[4] == first && ids[2] != first, "{ids:?}");
    let plan = service.run(&case, &["--dry-run"]);
    assert!(plan.status == Some(0) && !plan.stdout.contains("not in this manifest"), "{}", plan.stdout);
    service.run(&case, &[]).exits(0);
    assert_eq!(case.column("m.results.csv", "status"), statuses);
    assert_eq!(verify(&service, &case, &[]).status, Some(0));
    let report = case.run(&["report", "m.results.csv", "--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&report.stdout).expect("JSON");
    assert_eq!((&report["totals"]["rows"], &report["totals"]["superseded"]), (&4.into(), &1.into()));
}

#[test]
fn what_has_come_back_since_is_not_sent_again() {
    let (service, case) = uploaded(3);
    service.delete("Leads", THIRD, &third_attachment(&case));
    assert_eq!(verify(&service, &case, &[]).status, Some(1));
    // Somebody puts it back by hand, as the same user.
    service.attach_as(SandboxUser::default(), "Leads", THIRD, "2.txt", b"content of 2");
    let again = service.run(&case, &["--resend", "missing"]);
    assert_eq!((again.status, service.stored()), (Some(0), 4), "{}", again.stderr);
}

#[test]
fn without_findings_or_with_damaged_ones_nothing_is_sent_as_missing() {
    let (service, case) = uploaded(2);
    let none = service.run(&case, &["--resend", "missing"]);
    assert_eq!(none.status, Some(2));
    assert!(none.stderr.contains("m.verify.csv") && none.stderr.contains("attache verify"), "{}", none.stderr);
    case.write("m.verify.csv", "a,b\n1,2\n");
    let other = service.run(&case, &["--resend", "missing"]);
    assert_eq!((other.status, service.stored()), (Some(2), 2), "{}", other.stderr);
}

#[test]
fn the_report_says_what_a_verification_found() {
    let (service, case) = uploaded(3);
    assert_eq!(verify(&service, &case, &["--contents", "all"]).status, Some(0));
    let report = case.run(&["report", "m.results.csv", "--output", "markdown"]);
    assert!(
        report.stdout.contains("found 3 attachments there, once; the bytes of 3 files were compared"),
        "{}",
        report.stdout
    );
}

#[test]
fn a_wait_of_a_day_ends_a_verification_and_keeps_earlier_findings() {
    // The run lists one record, the first verification three.
    let service = RunningSandbox::with_faults(&["429,on=list,nth=5,retry-after=86400"]);
    let case = Case::new().many_rows(3);
    assert_eq!(service.run(&case, &[]).status, Some(0));
    assert_eq!(verify(&service, &case, &[]).status, Some(0));
    let before = std::fs::read(case.path("m.verify.csv")).expect("findings");
    let stopped = verify(&service, &case, &[]);
    assert_eq!(stopped.status, Some(4), "{}", stopped.stdout);
    assert!(stopped.stdout.contains("pause of"), "{}", stopped.stdout);
    assert!(service.stats().lists <= 8, "{:?}", service.stats());
    assert_eq!(std::fs::read(case.path("m.verify.csv")).expect("findings"), before);
}

#[test]
fn a_census_is_taken_of_many_records_and_costs_a_request_for_two_hundred() {
    let census = "on".parse().expect("a census");
    let service = RunningSandbox::start(SandboxOptions { census, ..SandboxOptions::default() });
    let case = Case::new().many_rows(401);
    assert_eq!(service.run(&case, &["--concurrency", "25"]).status, Some(0));
    let lists = service.stats().lists;
    let verified = verify(&service, &case, &[]);
    assert_eq!(verified.status, Some(0), "{}", verified.stdout);
    assert!(verified.stderr.contains("First the census"), "{}", verified.stderr);
    assert!(verified.stdout.contains("settled 401 records"), "{}", verified.stdout);
    assert_eq!(service.stats().lists, lists, "no record is listed itself");
    let without = verify(&service, &case, &["--no-census", "--concurrency", "25"]);
    assert_eq!((without.status, service.stats().lists), (Some(0), lists + 401));
}

#[test]
fn whatever_the_census_does_the_verdicts_are_those_of_the_lists() {
    for (words, said) in [
        ("on,repeats", "census"),
        ("on,never-ends", "census"),
        ("on,other-parents", "census"),
        ("on,own-order", ""),
        ("on,emails", ""),
        ("on,hides=10%", ""),
        ("on,hides=100%", "census"),
        ("on,lag=3600s", "census"),
        ("refused", "census"),
        ("off", "census"),
    ] {
        let census = words.parse().expect("a census");
        let service = RunningSandbox::start(SandboxOptions { census, ..SandboxOptions::default() });
        let case = Case::new().many_rows(230);
        service.run(&case, &["--concurrency", "25"]).exits(0);
        service.delete("Leads", THIRD, &third_attachment(&case));
        service.attach_as(SandboxUser::default(), "Leads", "738964000000291003", "3.txt", b"content of 3");
        let before = service.requests();
        let done = verify(&service, &case, &["--concurrency", "25"]).exits(1);
        let found = |what: &str| done.stdout.contains(what);
        assert!(found("228  present") && found("1  missing") && found("1  extra-copies"), "{words}: {}", done.stdout);
        assert!(done.stdout.contains(said), "{words}: {}", done.stdout);
        let asked = service.requests() - before;
        assert!(asked <= 230 + 25, "{words}: {asked} requests");
    }
}

#[test]
fn a_census_that_hides_a_tenth_costs_one_request_more_for_each_record_concerned() {
    let census = "on,hides=10%".parse().expect("a census");
    let service = RunningSandbox::start(SandboxOptions { census, ..SandboxOptions::default() });
    let case = Case::new().many_rows(450);
    service.run(&case, &["--concurrency", "25"]).exits(0);
    let before = (service.requests(), service.stats().lists);
    let done = verify(&service, &case, &["--concurrency", "25"]).exits(0);
    let lists = service.stats().lists - before.1;
    assert!((1..=90).contains(&lists), "{lists} of 450 records were listed: {}", done.stdout);
    assert!(done.stdout.contains(&format!("settled {} records", 450 - lists)), "{}", done.stdout);
}

// A download that is cut is tried again with longer and longer waits; src/verify/content.rs holds what becomes of it.
#[test]
fn a_download_that_is_not_the_whole_file_as_it_is_proves_nothing() {
    for (downloads, code, said) in [
        ("right", 0, "3 files"),
        ("compressed", 5, "3 not compared: it came compressed"),
        ("redirected", 5, "3 not compared: it could not be downloaded"),
        ("shortened", 1, "content-differs"),
        ("altered", 1, "content-differs"),
    ] {
        let (keep, what) = (Keep::Temporarily, downloads.parse().expect("a word"));
        let service = RunningSandbox::start(SandboxOptions { downloads: what, keep, ..SandboxOptions::default() });
        let case = Case::new().many_rows(3);
        service.run(&case, &[]).exits(0);
        let done = verify(&service, &case, &["--contents", "all"]);
        assert_eq!((done.status, done.stdout.contains(said)), (Some(code), true), "{downloads}: {}", done.stdout);
    }
}
