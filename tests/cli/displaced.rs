//! What others do to the results file: other names, other files in its place, no file at all, a lock taken away.

use std::fs;
use std::path::{Path, PathBuf};

use crate::case::Case;
use crate::raw::{Raw, RawMoment};
use crate::service::RunningSandbox;

/// A service that does this to the folder while it has the second upload and has not answered it yet.
fn while_the_second_row_is_under_way(case: &Case, meddle: impl Fn(&Path) + Send + Sync + 'static) -> Raw {
    let folder = case.folder().to_owned();
    Raw::watched(case, move |moment, number| {
        if (moment, number) == (RawMoment::Whole, 1) {
            meddle(&folder);
        }
    })
}

/// The file in which lines were saved, if there is one.
fn rescued(case: &Case) -> Option<PathBuf> {
    let names = fs::read_dir(case.folder()).expect("a folder").map(|entry| entry.expect("an entry").path());
    names.into_iter().find(|path| path.to_string_lossy().contains(".rescued-"))
}

#[test]
fn results_that_are_replaced_or_taken_away_stop_the_run_and_are_saved() {
    type Meddle = fn(&Path);
    let results = |folder: &Path| folder.join("m.results.csv");
    let cases: [(&str, Meddle); 3] = [
        ("another file took its place", |folder| {
            fs::write(folder.join("new"), "an editor's copy").expect("written");
            fs::rename(folder.join("new"), folder.join("m.results.csv")).expect("replaced");
        }),
        ("it was removed", |folder| fs::remove_file(folder.join("m.results.csv")).expect("removed")),
        ("given another name", |folder| {
            fs::rename(folder.join("m.results.csv"), folder.join("elsewhere.csv")).expect("renamed");
        }),
    ];
    for (said, meddle) in cases {
        let case = Case::new().many_rows(8);
        let raw = while_the_second_row_is_under_way(&case, meddle);
        let done = raw.run(&case, &[]).exits(6).says(said).says(".rescued-");
        let sent = raw.arrived().len();
        assert!((2..=4).contains(&sent), "{sent} of 8 were sent\n{}", done.stderr);
        let saved = rescued(&case).expect("a file with what was saved");
        let before = fs::read(results(case.folder())).ok();
        raw.run(&case, &[]).exits(6);
        assert_eq!((raw.arrived().len(), fs::read(results(case.folder())).ok()), (sent, before), "left alone");
        fs::rename(saved, results(case.folder())).expect("put back");
        raw.run(&case, &[]).exits(0);
        assert_eq!(raw.arrived().len(), 8, "{said}: none is sent twice");
        assert_eq!(case.column("m.results.csv", "status"), ["uploaded"; 8]);
    }
}

#[test]
fn a_second_name_given_during_a_run_stops_it() {
    let case = Case::new().many_rows(8);
    let raw = while_the_second_row_is_under_way(&case, |folder| {
        fs::hard_link(folder.join("m.results.csv"), folder.join("other.csv")).expect("linked");
    });
    raw.run(&case, &[]).exits(6).says("second name");
    assert!(raw.arrived().len() <= 4);
    raw.run(&case, &[]).exits(6).says("2 names");
    raw.run(&case, &["--dry-run"]).exits(6).says("2 names");
    fs::remove_file(case.path("other.csv")).expect("removed");
    raw.run(&case, &[]).exits(0);
    assert_eq!(raw.arrived().len(), 8);
}

#[cfg(unix)]
#[test]
fn a_second_run_is_kept_off_the_file_by_whatever_name_it_comes() {
    type Prepare = fn(&Path) -> &'static str;
    let ways: [Prepare; 2] = [
        |folder| {
            fs::remove_file(folder.join("m.results.csv.lock")).expect("removed");
            "m.results.csv"
        },
        |folder| {
            fs::rename(folder.join("m.results.csv"), folder.join("moved.csv")).expect("renamed");
            "moved.csv"
        },
    ];
    for prepare in ways {
        let case = Case::new().many_rows(6);
        let second = std::sync::Arc::new(std::sync::Mutex::new(None));
        let (folder, seen) = (case.folder().to_owned(), std::sync::Arc::clone(&second));
        let manifest = case.path("m.csv").display().to_string();
        let raw = Raw::watched(&case, move |moment, number| {
            if (moment, number) == (RawMoment::Whole, 1) {
                let name = prepare(&folder);
                // No target is reached, since the results are refused before.
                let done = std::process::Command::new(env!("CARGO_BIN_EXE_attache"))
                    .args(["run", &manifest, "--results"])
                    .arg(folder.join(name))
                    .args(["--api-domain", "http://127.0.0.1:9", "--yes"])
                    .env("ZOHO_ACCESS_TOKEN", "1000.second")
                    .output()
                    .expect("it can be started");
                *seen.lock().expect("whole") = done.status.code();
            }
        });
        raw.run(&case, &[]);
        assert_eq!(*second.lock().expect("whole"), Some(6));
    }
}

#[test]
fn results_of_a_run_that_was_killed_are_missed_where_they_vanished() {
    let (case, service) = (Case::new().many_rows(2), RunningSandbox::with_faults(&["no-permission,times=2"]));
    service.run(&case, &[]).exits(1);
    let list = fs::read_to_string(case.path("m.runs.jsonl")).expect("the list of runs");
    fs::remove_file(case.path("m.results.csv")).expect("removed");
    service.run(&case, &["--dry-run"]).exits(0);
    // As a run leaves it that was killed.
    case.write("m.runs.jsonl", list.lines().next().expect("a run began"));
    service.run(&case, &[]).exits(6).says("was cut off").says("--new-results");
    assert_eq!(service.created().len(), 0);
    service.run(&case, &["--new-results"]).exits(0);
    assert_eq!(service.created().len(), 2);
}

#[test]
fn results_that_vanished_are_told_of_and_begun_anew_only_if_the_user_says_so() {
    let (case, service) = (Case::new().many_rows(3), RunningSandbox::with_faults(&[]));
    service.run(&case, &[]).exits(0);
    fs::remove_file(case.path("m.results.csv")).expect("removed");
    for more in [&[] as &[&str], &["--dry-run"]] {
        service.run(&case, more).exits(6).says("m.runs.jsonl").says("3 rows uploaded").says("--new-results");
    }
    assert_eq!(service.created().len(), 3);
    service.run(&case, &["--new-results"]).exits(0);
    assert_eq!(service.created().len(), 6);
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created().len(), 6);
}

#[test]
fn a_first_try_that_uploaded_nothing_is_no_earlier_result() {
    let case = Case::new().many_rows(2);
    let service = RunningSandbox::with_faults(&["no-permission"]);
    service.run(&case, &[]);
    fs::remove_file(case.path("m.results.csv")).expect("removed");
    service.run(&case, &["--dry-run"]).exits(0);
}

#[test]
fn a_rehearsal_does_not_write_over_real_results() {
    let (case, service) = (Case::new().many_rows(3), RunningSandbox::with_faults(&[]));
    service.run(&case, &[]).exits(0);
    let real = fs::read(case.path("m.results.csv")).expect("the results");
    case.write("m.sandbox-results.csv", &real);
    case.run(&["run", "m.csv", "--sandbox"]).exits(6).says("not the results of a rehearsal");
    assert_eq!(fs::read(case.path("m.sandbox-results.csv")).expect("there"), real);
    fs::remove_file(case.path("m.sandbox-results.csv")).expect("removed");
    case.run(&["run", "m.csv", "--sandbox"]).exits(0);
    case.run(&["run", "m.csv", "--sandbox"]).exits(0);
}
