//! Going on: after a kill, after an edit, after a signal; two runs at once.

use std::time::{Duration, Instant};

use crate::case::Case;
use crate::service::RunningSandbox;

/// Waits for something that another process does; fails the test after a minute.
#[track_caller]
pub fn wait_until(mut happened: impl FnMut() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed() < Duration::from_secs(60), "what was waited for did not happen within a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Sends a signal to a process that this test started.
#[cfg(unix)]
pub fn send(signal: i32, process: u32) {
    let status = std::process::Command::new("kill").arg(format!("-{signal}")).arg(process.to_string()).status();
    assert!(status.expect("kill can be run").success());
}

#[test]
fn settled_rows_cost_no_request_and_their_files_may_be_gone() {
    let (case, service) = (Case::new().many_rows(5), RunningSandbox::with_faults(&[]));
    service.run(&case, &[]).exits(0);
    let before = service.requests();
    std::fs::remove_dir_all(case.path("f")).expect("the files can be removed");
    service.run(&case, &[]).exits(0);
    assert_eq!(service.requests(), before);
    assert_eq!(case.column("m.results.csv", "status"), ["uploaded"; 5]);
}

#[test]
fn a_manifest_may_be_reordered_and_extended_between_runs() {
    let (case, service) = (Case::new().many_rows(3), RunningSandbox::with_faults(&[]));
    service.run(&case, &[]).exits(0);
    let manifest = std::fs::read_to_string(case.path("m.csv")).expect("the manifest");
    let mut lines: Vec<&str> = manifest.lines().collect();
    lines[1..].reverse();
    lines.insert(2, "Deals,738964000000999999,f/0.txt");
    case.write("m.csv", lines.join("\n") + "\n");
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created().len(), 4);
    assert_eq!(case.column("m.results.csv", "line"), ["2", "3", "4", "5"]);
    assert!(service.copies().values().all(|copies| *copies == 1));
}

#[test]
fn an_edited_result_is_refused_by_line_and_column_and_can_be_accepted() {
    let (case, service) = (Case::new().many_rows(3), RunningSandbox::with_faults(&[]));
    service.run(&case, &[]).exits(0);
    let results = std::fs::read_to_string(case.path("m.results.csv")).expect("the results");
    case.write("m.results.csv", results.replacen("uploaded", "not_sent", 1));
    service.run(&case, &[]).exits(6).says("--accept-edited-results");
    assert_eq!(service.created().len(), 3);
}

#[test]
fn results_that_have_lost_lines_are_refused_and_send_nothing_again() {
    let (case, service) = (Case::new().many_rows(5), RunningSandbox::with_faults(&[]));
    service.run(&case, &[]).exits(0);
    let whole = std::fs::read_to_string(case.path("m.results.csv")).expect("the results");
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let without_one = [&lines[..2], &lines[3..]].concat().concat();
    for shortened in ["", lines[0], &lines[..3].concat(), &whole[..whole.len() - 5], &without_one] {
        case.write("m.results.csv", shortened);
        service.run(&case, &[]).exits(6).says("lines are missing");
    }
    case.write("m.results.csv", whole.trim_end());
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created().len(), 5);
    std::fs::remove_file(case.path("m.results.csv")).expect("the results can be removed");
    service.run(&case, &["--limit", "1"]).exits(6).says("--new-results");
    assert_eq!(service.created().len(), 5, "results that vanished are no new beginning");
    service.run(&case, &["--limit", "1", "--new-results"]).exits(0);
    assert_eq!(service.created().len(), 6, "but who says so begins anew");
}

#[test]
fn results_of_another_target_are_refused() {
    let (case, service) = (Case::new().many_rows(2), RunningSandbox::with_faults(&[]));
    service.run(&case, &[]).exits(0);
    let results = case.path("m.results.csv").display().to_string();
    case.run(&["run", "m.csv", "--sandbox", "--results", &results]).exits(6).says("sandbox");
}

#[test]
fn two_runs_at_once_on_one_results_file_are_told_apart() {
    let case = Case::new().many_rows(3);
    let settings = attache::internals::sandbox::SandboxOptions {
        latency: Duration::from_millis(300),
        ..attache::internals::sandbox::SandboxOptions::default()
    };
    let service = RunningSandbox::start(settings);
    let mut first = service.command(&case, &[]).stderr(std::process::Stdio::null()).spawn().expect("a first run");
    wait_until(|| service.requests() > 0);
    service.run(&case, &[]).exits(6).says(".lock");
    assert!(first.wait().expect("the first run ends").success());
    assert_eq!(service.created().len(), 3);
}

#[test]
fn the_summary_counts_every_byte_that_left() {
    let (case, service) = (Case::new().many_rows(3), RunningSandbox::with_faults(&[]));
    case.write("f/1.txt", vec![b'x'; 300_000]);
    let done = service.run(&case, &["--output", "json"]).exits(0);
    let summary: serde_json::Value = serde_json::from_str(&done.stdout).expect("one document");
    let bytes = summary["requests"]["bytes"].as_u64().expect("a number of bytes");
    let files: u64 = service.created().iter().map(|created| created.size).sum();
    assert!(bytes > files && bytes < files + 3 * 1_000, "{bytes} for files of {files}");
}
