//! Results that hold less than a run had written: an older copy, a file without its end, a line taken out.

use std::fs;
use std::time::Duration;

use attache::internals::sandbox::SandboxOptions;

use crate::case::Case;
use crate::raw::{Raw, Step, answer, error};
use crate::resume::wait_until;
use crate::service::RunningSandbox;

const ROWS: u64 = 12;

/// A service that takes its time.
fn slow() -> RunningSandbox {
    RunningSandbox::start(SandboxOptions { latency: Duration::from_millis(60), ..SandboxOptions::default() })
}

/// A run that is killed once so many rows are there in all.
fn killed_after(service: &RunningSandbox, case: &Case, rows: usize) {
    let mut command = service.command(case, &["--concurrency", "2"]);
    let mut run = command.stderr(std::process::Stdio::null()).spawn().expect("it can be started");
    wait_until(|| service.created().len() >= rows);
    run.kill().expect("it can be killed");
    assert!(!run.wait().expect("it has ended").success(), "it was not done yet");
    // What was under way at the service comes to its end there.
    std::thread::sleep(Duration::from_millis(150));
}

fn results(case: &Case) -> Vec<u8> {
    fs::read(case.path("m.results.csv")).expect("the results")
}

#[test]
fn after_a_kill_an_older_copy_of_the_results_is_refused() {
    let (case, service) = (Case::new().many_rows(ROWS), slow());
    service.run(&case, &["--limit", "2"]).exits(0);
    let older = results(&case);
    killed_after(&service, &case, 5);
    let right = results(&case);
    let last_lines = right.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').nth(4).expect("lines").0;
    let (stored, list) = (service.stored(), fs::read(case.path("m.runs.jsonl")).expect("the list of runs"));
    for copy in [&older[..], &right[..=last_lines], b""] {
        case.write("m.results.csv", copy);
        service.run(&case, &[]).exits(6).says("lines are missing").says("--if-exists skip");
        service.run(&case, &["--dry-run"]).exits(6);
        case.run(&["report", "m.results.csv"]).exits(6).says("lines are missing");
    }
    fs::remove_file(case.path("m.results.csv")).expect("removed");
    for damaged in [&list[..], b"", b"\n", &list[..list.len() / 2]] {
        case.write("m.runs.jsonl", damaged);
        service.run(&case, &[]).exits(6).says("--new-results");
    }
    fs::remove_file(case.path("m.runs.jsonl")).expect("removed");
    service.run(&case, &[]).exits(6).says("m.results.csv.mark").says("--new-results");
    assert_eq!(service.stored(), stored, "nothing was sent all the while");
    case.write("m.runs.jsonl", list);
    case.write("m.results.csv", right);
    service.run(&case, &[]).exits(0);
    assert_eq!(service.stored() as u64, ROWS);
    assert!(service.copies().values().all(|copies| *copies == 1), "{:?}", service.copies());
}

#[test]
fn who_has_only_an_older_copy_goes_on_as_is_advised_and_nothing_goes_twice() {
    let (case, service) = (Case::new().many_rows(ROWS), slow());
    service.run(&case, &["--limit", "2"]).exits(0);
    let older = results(&case);
    killed_after(&service, &case, 5);
    case.write("m.results.csv", older);
    service.run(&case, &[]).exits(6);
    service.run(&case, &["--accept-edited-results", "--if-exists", "skip"]).exits(0);
    assert_eq!(service.stored() as u64, ROWS);
    assert!(service.copies().values().all(|copies| *copies == 1), "{:?}", service.copies());
    service.run(&case, &[]).exits(0);
    assert_eq!(service.stored() as u64, ROWS);
}

#[test]
fn a_mark_that_was_removed_after_a_kill_is_missed_and_a_damaged_one_is_told_of() {
    let (case, service) = (Case::new().many_rows(ROWS), slow());
    killed_after(&service, &case, 4);
    let mark = fs::read(case.path("m.results.csv.mark")).expect("the mark");
    fs::remove_file(case.path("m.results.csv.mark")).expect("removed");
    service.run(&case, &[]).exits(6).says("m.results.csv.mark").says("--accept-edited-results");
    case.write("m.results.csv.mark", &mark[..mark.len() / 2]);
    service.run(&case, &[]).exits(0).says("the mark beside");
    assert_eq!(service.stored() as u64, ROWS);
}

#[test]
fn the_line_of_a_row_in_doubt_that_was_taken_out_is_missed() {
    let first = "738964000000291009";
    let case = Case::new().rows(&[("Leads", first, "a.txt"), ("Leads", "738964000000291010", "b.txt")]);
    let broken =
        move |path: &str, _: &[String]| path.contains(first).then(|| answer(500, "", &error("INTERNAL_ERROR", "")));
    let raw = Raw::asked_about(&case, vec![Step::breaks(Vec::new())], broken);
    raw.run(&case, &["--retries", "1"]);
    assert_eq!(case.column("m.results.csv", "status"), ["in_doubt", "uploaded"]);
    let whole = String::from_utf8(results(&case)).expect("text");
    let without: String = whole.split_inclusive('\n').filter(|line| !line.contains("in_doubt")).collect();
    case.write("m.results.csv", without);
    // By the mark, and should that be gone, by the list of runs.
    for _ in 0..2 {
        raw.run(&case, &[]).exits(6).says("lines are missing");
        case.run(&["report", "m.results.csv"]).exits(6).says("lines are missing");
        case.run(&["verify", "m.results.csv"]).exits(6).says("lines are missing");
        let _ = fs::remove_file(case.path("m.results.csv.mark"));
    }
    assert_eq!(raw.arrived().len(), 2);
    assert!(case.path("m.report.html").metadata().is_err(), "no report was made of it");
}
