//! What programs read: one JSON document on standard output, one event a line, in the shapes that `attache schema` gives.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::case::Case;
use crate::service::RunningSandbox;

#[track_caller]
fn fits(case: &Case, schema: &str, document: &Value) {
    let schema: Value = serde_json::from_str(&case.run(&["schema", schema]).exits(0).stdout).expect("a schema");
    let validator = jsonschema::validator_for(&schema).expect("a schema that can be used");
    let errors: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?}\n{document:#}");
}

/// The only thing on standard output.
#[track_caller]
fn document(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}\n{stdout}"))
}

/// Every file of a folder with its content and the time of its last change.
fn snapshot(folder: &Path) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let (path, about) = (entry.path(), entry.metadata().expect("it is there"));
        if about.is_dir() {
            all.extend(snapshot(&path));
        } else {
            let changed = about.modified().expect("a time");
            all.insert(path.display().to_string(), (std::fs::read(&path).expect("readable"), changed));
        }
    }
    all
}

#[test]
fn a_dry_run_is_one_document_sends_nothing_and_writes_nothing() {
    let (case, service) = (Case::new().many_rows(4), RunningSandbox::with_faults(&[]));
    service.run(&case, &["--limit", "2"]).exits(0);
    let (before, requests) = (snapshot(case.folder()), service.requests());
    let done = service.run(&case, &["--dry-run", "--output", "json"]).exits(0);
    let plan = document(&done.stdout);
    fits(&case, "plan", &plan);
    assert_eq!((plan["rows"].as_u64(), plan["sound"].as_u64()), (Some(4), Some(4)));
    service.run(&case, &["--dry-run"]).exits(0).prints("2");
    case.run(&["run", "m.csv", "--dry-run"]).exits(0);
    assert!(snapshot(case.folder()) == before, "a dry run changed the folder");
    assert_eq!(service.requests(), requests);
}

#[test]
fn an_unsound_manifest_is_one_document_without_a_plan() {
    let case = Case::new().file("m.csv", "module,record,file\nLeads,12,missing.txt\n");
    let service = RunningSandbox::with_faults(&[]);
    for more in [&["--dry-run", "--output", "json"] as &[&str], &["--output", "json"]] {
        let done = service.run(&case, more).exits(3);
        let found = document(&done.stdout);
        fits(&case, "plan", &found);
        assert!(found["plan"].is_null());
        let problems = found["problems"].as_array().expect("problems");
        assert_eq!(problems.len(), 2);
        assert_eq!((problems[0]["line"].as_u64(), problems[0]["value"].as_str()), (Some(2), Some("12")));
    }
    assert_eq!(service.requests(), 0);
}

#[test]
fn a_run_is_one_document_and_its_events_are_one_a_line() {
    let case = Case::new().many_rows(4);
    let faults = ["429,times=1", "no-permission,nth=3", "cut-stored,nth=4"];
    let service = RunningSandbox::with_faults(&faults);
    let done = service.run(&case, &["--output", "json", "--progress", "json"]).exits(1);
    let summary = document(&done.stdout);
    fits(&case, "summary", &summary);
    assert_eq!(summary["exit"]["status"].as_u64(), Some(1));
    let events: Vec<Value> = done.stderr.lines().filter(|line| line.starts_with('{')).map(document).collect();
    for event in &events {
        fits(&case, "event", event);
    }
    let rows = events.iter().filter(|event| event["event"] == "row").count();
    assert_eq!(rows, 4, "{}", done.stderr);
    for row in case.results("m.results.csv") {
        fits(&case, "results", &serde_json::to_value(row).expect("a row"));
    }
}

#[test]
fn a_run_that_has_nothing_to_do_is_one_document_too() {
    let (case, service) = (Case::new().many_rows(2), RunningSandbox::with_faults(&[]));
    service.run(&case, &[]).exits(0);
    let done = service.run(&case, &["--output", "json"]).exits(0);
    fits(&case, "summary", &document(&done.stdout));
}

#[test]
fn a_run_for_people_prints_nothing_on_standard_output() {
    let (case, service) = (Case::new().many_rows(2), RunningSandbox::with_faults(&[]));
    let done = service.run(&case, &[]).exits(0);
    assert_eq!(done.stdout, "");
    let done = service.run(&case, &["-q"]).exits(0);
    assert_eq!(done.stdout, "");
}

#[test]
fn times_in_the_results_are_in_order_and_no_finer_than_milliseconds() {
    let (case, service) = (Case::new().many_rows(6), RunningSandbox::with_faults(&["cut-stored,nth=2"]));
    service.run(&case, &[]).exits(0);
    for row in case.results("m.results.csv") {
        let time = |column: &str| row[column].parse::<jiff::Timestamp>().expect("a time");
        assert!(time("sent_at") <= time("finished_at"), "{row:?}");
        for column in ["sent_at", "finished_at"] {
            assert!(row[column].split_once('.').is_none_or(|(_, rest)| rest.len() <= "123Z".len()), "{row:?}");
        }
        let told = row["seconds"].split_once('.').is_some_and(|(_, rest)| rest.len() == 3);
        assert!(told || row["http_status"].is_empty(), "the time of each answer is told: {row:?}");
    }
}

/// What a terminal acts on, beside the ends of lines.
fn acts_on_a_terminal(character: char) -> bool {
    (character.is_control() && character != '\n')
        || matches!(character, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn nothing_that_came_from_others_acts_on_the_terminal() {
    const EVIL: &str = "x\u{1b}]0;t\u{7}\u{9b}31m\u{202e}y";
    let manifest = format!("module,record,file\nLeads{EVIL},738964000000291009,a{EVIL}\n");
    let sound = "module,record,file\nLeads,738964000000291009,a.pdf\n";
    let case = Case::new().file("m.csv", manifest).file("n.csv", sound).file("a.pdf", "a");
    let results = format!("n{EVIL}.results.csv");
    case.run(&["run", "n.csv", "--sandbox", "--results", &results]).exits(0);
    let report = format!("r{EVIL}.md");
    for arguments in [
        &["run", "m.csv", "--dry-run", "--output", "json"] as &[&str],
        &["run", "m.csv", "--dry-run"],
        &["sandbox", "--records", EVIL],
        &["sandbox", "--fault", EVIL],
        &["man", EVIL],
        &["man", "--dir", "m.csv/\u{9b}31m"],
        &["explain", EVIL],
        &["report", &results],
        &["report", &results, "-o", &report],
        &["report", &results, "--output", "json"],
    ] {
        let done = case.run(arguments);
        for said in [&done.stdout, &done.stderr] {
            assert!(!said.chars().any(acts_on_a_terminal), "{arguments:?}: {said:?}");
        }
    }
}
