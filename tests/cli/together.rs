//! Two manifests that share rows: one after the other, and at the same moment.

use std::process::Stdio;
use std::time::Duration;

use attache::internals::sandbox::SandboxOptions;

use crate::case::{Case, Done};
use crate::resume::wait_until;
use crate::service::RunningSandbox;

const RECORD: &str = "738964000000291009";

/// `attache run MANIFEST` against this service.
fn command(service: &RunningSandbox, case: &Case, manifest: &str, more: &[&str]) -> std::process::Command {
    let arguments = service.arguments();
    let mut all = vec!["run", manifest];
    all.extend(arguments.iter().map(String::as_str));
    all.extend(more);
    let mut command = case.command(&all);
    command.env("ZOHO_ACCESS_TOKEN", service.token());
    command
}

fn run(service: &RunningSandbox, case: &Case, manifest: &str, more: &[&str]) -> Done {
    case.finish(command(service, case, manifest, more).output())
}

/// A manifest of some of the files `1.pdf` to `6.pdf`.
fn write(case: &Case, name: &str, files: &[u8]) {
    let rows: String = files.iter().map(|file| format!("Leads,{RECORD},./{file}.pdf\n")).collect();
    case.write(name, format!("module,record,file\n{rows}"));
}

fn case() -> Case {
    (1..=6).fold(Case::new(), |case, file: u8| case.file(&format!("{file}.pdf"), format!("file {file}")))
}

fn none_is_there_twice(service: &RunningSandbox, all: usize) {
    assert_eq!(service.stored(), all);
    assert!(service.copies().values().all(|copies| *copies == 1), "{:?}", service.copies());
}

#[test]
fn of_two_manifests_at_the_same_moment_one_sends_what_they_share() {
    let latency = Duration::from_millis(40);
    for _ in 0..4 {
        let service = RunningSandbox::start(SandboxOptions { latency, ..SandboxOptions::default() });
        let case = case();
        write(&case, "m.csv", &[1, 2, 3, 4]);
        case.write("n.csv", std::fs::read_to_string(case.path("m.csv")).expect("a manifest").replace("./", ""));
        let start = |manifest| {
            let mut command = command(&service, &case, manifest, &[]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be started")
        };
        let runs = ["m.csv", "n.csv"].map(start);
        let [one, other] = runs.map(|run| case.finish(run.wait_with_output()));
        let mut exits = [one.status, other.status];
        exits.sort_unstable();
        assert_eq!(exits, [Some(0), Some(3)], "{}\n{}", one.stderr, other.stderr);
        none_is_there_twice(&service, 4);
        // What the second one is told leads on: it waits, and then goes on with the results of the first.
        let (later, first) = if one.status == Some(3) { ("m.csv", "n") } else { ("n.csv", "m") };
        let first = format!("{first}.results.csv");
        run(&service, &case, later, &[]).exits(3).says(&format!("--results {first}"));
        run(&service, &case, later, &["--results", &first]).exits(0);
        none_is_there_twice(&service, 4);
        let left = std::fs::read_dir(case.folder()).expect("a folder").flatten();
        let left = left.filter(|entry| entry.file_name().to_string_lossy().ends_with(".under-way")).count();
        assert_eq!(left, 0, "what was announced is withdrawn");
    }
}

#[test]
fn rows_that_a_run_under_way_is_about_to_send_are_not_sent_and_others_are() {
    let latency = Duration::from_millis(150);
    let service = RunningSandbox::start(SandboxOptions { latency, ..SandboxOptions::default() });
    let case = case();
    write(&case, "m.csv", &[1, 2, 3, 4]);
    write(&case, "n.csv", &[4, 5, 6]);
    let mut first = command(&service, &case, "m.csv", &["--concurrency", "1"]);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a run");
    wait_until(|| !service.created().is_empty());
    run(&service, &case, "n.csv", &[]).exits(3).says("which is under way").says("run the same command again");
    run(&service, &case, "n.csv", &["--skip-invalid"]).exits(1);
    assert!(first.wait().expect("it ends").success());
    none_is_there_twice(&service, 6);
}

#[test]
fn what_a_killed_run_was_about_to_send_is_free_again() {
    let latency = Duration::from_millis(100);
    let service = RunningSandbox::start(SandboxOptions { latency, ..SandboxOptions::default() });
    let case = case();
    write(&case, "m.csv", &[1, 2, 3, 4, 5]);
    write(&case, "n.csv", &[5, 6]);
    let mut killed = command(&service, &case, "m.csv", &["--concurrency", "1"]);
    let mut killed = killed.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a run");
    wait_until(|| !service.created().is_empty());
    killed.kill().expect("it can be killed");
    killed.wait().expect("it ends");
    run(&service, &case, "n.csv", &[]).exits(0);
    // Row 5 was sent by the other manifest meanwhile.
    run(&service, &case, "m.csv", &[]).exits(3).says("--skip-invalid");
    run(&service, &case, "m.csv", &["--skip-invalid"]).exits(1);
    none_is_there_twice(&service, 6);
}

#[test]
fn every_advice_about_two_manifests_leads_on() {
    let service = RunningSandbox::with_faults(&[]);
    let case = case();
    write(&case, "m.csv", &[1, 2, 3]);
    write(&case, "n.csv", &[4]);
    run(&service, &case, "m.csv", &[]).exits(0);
    run(&service, &case, "n.csv", &[]).exits(0);
    // Both have results of their own by now, and share rows from now on.
    write(&case, "n.csv", &[2, 3, 4, 5]);
    let told = run(&service, &case, "n.csv", &[]).exits(3).says("sent-by-another-manifest").says("--skip-invalid");
    assert!(!told.stderr.contains("--results m.results.csv"), "that would meet row 4 again: {}", told.stderr);
    run(&service, &case, "n.csv", &["--skip-invalid"]).exits(1);
    none_is_there_twice(&service, 5);
    // Whoever takes the results of the other one is led on as well.
    run(&service, &case, "n.csv", &["--results", "m.results.csv"]).exits(3).says("--skip-invalid");
    run(&service, &case, "n.csv", &["--results", "m.results.csv", "--skip-invalid"]).exits(1);
    none_is_there_twice(&service, 5);
    run(&service, &case, "n.csv", &["--new-results"]).exits(0);
    assert_eq!(service.stored(), 7, "the two that the other one knows, once more");
}

#[test]
fn new_results_send_everything_only_where_the_old_ones_are_not_used() {
    let service = RunningSandbox::with_faults(&[]);
    let case = case();
    write(&case, "m.csv", &[1, 2]);
    run(&service, &case, "m.csv", &[]).exits(0);
    run(&service, &case, "m.csv", &["--new-results"]).exits(0).says("name a new file with --results");
    none_is_there_twice(&service, 2);
    run(&service, &case, "m.csv", &["--new-results", "--results", "again.results.csv"]).exits(0);
    assert_eq!(service.stored(), 4);
}

#[test]
fn other_results_that_cannot_be_used_are_named_with_a_way_on() {
    let service = RunningSandbox::with_faults(&[]);
    let case = case();
    write(&case, "m.csv", &[1, 2]);
    write(&case, "n.csv", &[2, 3]);
    run(&service, &case, "m.csv", &[]).exits(0);
    let results = std::fs::read_to_string(case.path("m.results.csv")).expect("results");
    // Edited, it still tells which rows it is about.
    case.write("m.results.csv", results.replacen("2.pdf", "3.pdf", 1));
    run(&service, &case, "n.csv", &[]).exits(3).says("sent-by-another-manifest");
    // Beyond repair, nobody can tell.
    let (header, lines) = results.split_once('\n').expect("a header");
    let without_key = |line: &str| format!("{}\n", line.rsplit_once(",r").map_or(line, |(kept, _)| kept));
    let cut = format!("{header}\n{}", lines.lines().map(without_key).collect::<String>());
    case.write("m.results.csv", cut);
    run(&service, &case, "n.csv", &[]).exits(6).says("m.results.csv").says("move it to another folder");
    std::fs::create_dir(case.path("old")).expect("made");
    std::fs::rename(case.path("m.results.csv"), case.path("old/m.results.csv")).expect("moved");
    run(&service, &case, "n.csv", &[]).exits(0);
    assert_eq!(service.stored(), 4);
}
