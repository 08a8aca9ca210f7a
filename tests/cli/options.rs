//! The brakes and choices of a run, each as a user meets it: what it stops at, what it leaves for another run, what that
//! run then does.

use std::fs;
use std::time::Duration;

use attache::internals::sandbox::SandboxOptions;

use crate::case::Case;
use crate::raw::{Raw, Step, answer, error, success};
#[cfg(unix)]
use crate::resume::wait_until;
use crate::service::RunningSandbox;

const ONE: [(&str, &str, &str); 1] = [("Leads", "738964000000291009", "a.txt")];

fn statuses(case: &Case) -> Vec<String> {
    case.column("m.results.csv", "status")
}

#[test]
fn a_limit_leaves_the_rest_for_later_and_is_no_failure() {
    let (case, service) = (Case::new().many_rows(5), RunningSandbox::with_faults(&[]));
    service.run(&case, &["--limit", "2"]).exits(0).says("2 of 5 rows done");
    assert_eq!(statuses(&case), ["uploaded", "uploaded", "not_sent", "not_sent", "not_sent"]);
    service.run(&case, &["--limit", "2"]).exits(0);
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created().len(), 5);
}

#[test]
fn a_slip_in_a_fault_is_told_before_the_manifest_is_read() {
    let arguments = ["run", "not-there.csv", "--sandbox", "--sandbox-fault", "cut-stord"];
    Case::new().run(&arguments).exits(2).says("\"cut-stord\" is no fault");
}

#[test]
fn too_many_failures_stop_the_run_by_number_and_by_share() {
    let refused = || vec![Step::refuses(415, &error("INVALID_DATA", "invalid file type"))];
    let case = Case::new().many_rows(9);
    let raw = Raw::start(&case, refused(), true);
    raw.run(&case, &["--max-failures", "3"]).exits(4).says("--max-failures");
    assert_eq!(raw.arrived().len(), 3);
    assert_eq!(statuses(&case)[2..5], ["failed", "not_sent", "not_sent"]);

    // By default, nine of ten of the first hundred.
    let case = Case::new().many_rows(130);
    let raw = Raw::start(&case, refused(), true);
    raw.run(&case, &[]).exits(4);
    assert_eq!(raw.arrived().len(), 100);
}

#[test]
fn a_longest_time_stops_softly() {
    let case = Case::new().many_rows(40);
    let settings = SandboxOptions { latency: Duration::from_millis(50), ..SandboxOptions::default() };
    let service = RunningSandbox::start(settings);
    service.run(&case, &["--concurrency", "1", "--max-duration", "300ms"]).exits(4).says("--max-duration");
    let statuses = statuses(&case);
    let sent = service.created().len();
    assert!((1..40).contains(&sent), "{sent}");
    assert_eq!(statuses.iter().filter(|status| *status == "uploaded").count(), sent, "what was under way has ended");
    assert!(statuses.iter().all(|status| status == "uploaded" || status == "not_sent"), "{statuses:?}");
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created().len(), 40);
}

#[test]
fn credits_are_kept_for_others() {
    let with_credits = |left: u64, number| Step {
        stores: true,
        ..Step::says(answer(200, &format!("X-API-CREDITS-REMAINING: {left}\r\n"), &success(number)))
    };
    let case = Case::new().many_rows(5);
    let raw = Raw::start(&case, vec![with_credits(502, 0), with_credits(501, 1), with_credits(500, 2)], false);
    raw.run(&case, &[]).exits(4).says("500 are kept for others");
    assert_eq!(raw.arrived().len(), 3);
    raw.run(&case, &["--keep-credits", "0"]).exits(0);
    assert_eq!(raw.arrived().len(), 5);
}

#[cfg(unix)]
#[test]
fn who_waits_for_credits_waits_instead_of_stopping() {
    let case = Case::new().many_rows(5);
    let service = RunningSandbox::with_faults(&[]);
    let mut command = service.command(&case, &["--max-credits", "4", "--wait-for-credits", "--concurrency", "1"]);
    let child = command.stderr(std::process::Stdio::piped()).spawn().expect("a run");
    // One credit went for the list at the beginning, and two are held back for what may be in doubt.
    wait_until(|| service.stored() >= 1);
    let sent = service.stored();
    crate::resume::send(libc::SIGTERM, child.id());
    case.finish(child.wait_with_output()).exits(143);
    assert!(sent < 5);
    assert!(statuses(&case).contains(&"not_sent".to_owned()));
}

#[test]
fn bandwidth_is_held() {
    let case = Case::new().file("a.bin", vec![b'a'; 300_000]);
    let case = case.file("m.csv", "module,record,file\nLeads,738964000000291009,a.bin\n");
    let service = RunningSandbox::with_faults(&[]);
    service.run(&case, &["--bandwidth", "500KB/s"]).exits(0);
    let seconds: f64 = case.column("m.results.csv", "seconds")[0].parse().expect("seconds");
    assert!(seconds >= 0.3, "{seconds} seconds for 300,000 bytes");
}

#[test]
fn what_exists_already_is_left_or_counts_as_a_failure() {
    let service = RunningSandbox::with_faults(&[]);
    service.run(&Case::new().rows(&ONE), &[]).exits(0);
    for (choice, exit, status, code, created) in [
        ("skip", 0, "already_present", "exists", 1),
        ("fail", 1, "failed", "exists", 1),
        ("upload", 0, "uploaded", "", 2),
    ] {
        let case = Case::new().rows(&ONE);
        case.write("a.txt", "another size");
        service.run(&case, &["--if-exists", choice]).exits(exit);
        let row = &case.results("m.results.csv")[0];
        assert_eq!((row["status"].as_str(), row["code"].as_str()), (status, code));
        assert_eq!(row["attachment_id"].is_empty(), status == "failed", "{row:?}");
        assert_eq!(service.created().len(), created);
    }
}

#[test]
fn a_permanent_failure_goes_again_only_when_asked_for() {
    for resend in ["failed", "code=NO_PERMISSION", "failed,unknown"] {
        let case = Case::new().rows(&ONE);
        let service = RunningSandbox::with_faults(&["no-permission,times=1"]);
        service.run(&case, &[]).exits(1);
        let before = service.requests();
        service.run(&case, &[]).exits(1);
        service.run(&case, &["--resend", "code=OTHER"]).exits(1);
        service.run(&case, &["--resend", "unknown"]).exits(1);
        assert_eq!(service.requests(), before, "nothing is asked for a row that stays as it is");
        service.run(&case, &["--resend", resend]).exits(0);
        assert_eq!((statuses(&case), service.created().len()), (vec!["uploaded".to_owned()], 1));
    }
}

#[test]
fn a_passing_failure_goes_again_by_itself_and_so_does_a_changed_row() {
    let case = Case::new().rows(&ONE);
    let service = RunningSandbox::with_faults(&["429,times=2"]);
    let done = service.run(&case, &["--retries", "1"]).exits(1).says("Run the same command again");
    assert!(!done.stderr.contains("--resend failed"), "{}", done.stderr);
    service.run(&case, &[]).exits(0);
    assert_eq!(case.column("m.results.csv", "tries"), ["3"]);

    let case = Case::new().rows(&ONE);
    let service = RunningSandbox::with_faults(&["no-permission,times=1"]);
    service.run(&case, &[]).exits(1);
    case.write("m.csv", "module,record,file,name\nLeads,738964000000291009,a.txt,b.txt\n");
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created()[0].name, "b.txt");
}

/// A row of which nobody can tell: stored, the answer lost, the list refused as long as the faults say.
fn unknown(list_faults: &str) -> (Case, RunningSandbox) {
    let case = Case::new().rows(&ONE);
    let service = RunningSandbox::with_faults(&["cut-stored,times=1", list_faults]);
    service.run(&case, &[]).exits(5);
    assert_eq!(statuses(&case), ["unknown"]);
    (case, service)
}

#[test]
fn an_unknown_row_is_looked_up_again_when_asked_for() {
    // The first list is that of the run's beginning.
    let (case, service) = unknown("no-permission,on=list,times=2");
    service.run(&case, &[]).exits(5);
    service.run(&case, &["--resend", "unknown"]).exits(0);
    assert_eq!(case.column("m.results.csv", "code"), ["settled-by-listing"]);
    assert_eq!(service.created().len(), 1);
}

#[test]
fn what_still_cannot_be_told_is_taken_as_the_user_says() {
    let (case, service) = unknown("no-permission,on=list");
    service.run(&case, &["--resend", "unknown"]).exits(5);
    service.run(&case, &["--resend", "unknown", "--assume", "present"]).exits(0);
    assert_eq!((statuses(&case), service.created().len()), (vec!["uploaded".to_owned()], 1));

    let (case, service) = unknown("no-permission,on=list");
    service.run(&case, &["--resend", "unknown", "--assume", "absent"]).exits(0);
    assert_eq!((statuses(&case), service.created().len()), (vec!["uploaded".to_owned()], 2), "the user took that on");
}

#[test]
fn warnings_about_rows_become_problems_when_strict() {
    let case = Case::new().rows(&[("Leads", "738964000000291009", "a.txt"), ("Leads", "738964000000291009", "b.txt")]);
    case.write(
        "m.csv",
        "module,record,file,name\nLeads,738964000000291009,a.txt,same\nLeads,738964000000291009,b.txt,same\n",
    );
    let service = RunningSandbox::with_faults(&[]);
    service.run(&case, &["--strict"]).exits(3).says("same-name");
    assert_eq!(service.requests(), 0);
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created().len(), 2);
}

#[test]
fn unsound_rows_are_left_out_when_asked_for_and_written_down_to_be_mended() {
    let case = Case::new().rows(&ONE);
    case.write(
        "m.csv",
        "module,record,file\nLeads,738964000000291009,a.txt\nLeads,12,a.txt\nLaeds,738964000000291009,a.txt\n",
    );
    let service = RunningSandbox::with_faults(&[]);
    service.run(&case, &["--skip-invalid", "--problems", "mend.csv"]).exits(1);
    assert_eq!(statuses(&case), ["uploaded", "invalid", "invalid"]);
    let mend = fs::read_to_string(case.path("mend.csv")).expect("the rows to mend");
    assert!(mend.contains("record-length") && mend.contains("module-unknown"), "{mend}");
    // Nothing sound left is not sound.
    case.write("m.csv", "module,record,file\nLeads,12,a.txt\n");
    service.run(&case, &["--skip-invalid", "--results", "other.csv"]).exits(3);
}

#[test]
fn identical_rows_and_empty_files_go_when_they_are_meant() {
    let case = Case::new().file("a.txt", "");
    case.write("m.csv", "module,record,file\nLeads,738964000000291009,a.txt\nLeads,738964000000291009,a.txt\n");
    let service = RunningSandbox::with_faults(&[]);
    service.run(&case, &[]).exits(3).says("identical-rows").says("file-empty");
    service.run(&case, &["--allow-identical", "--allow-empty"]).exits(0);
    service.run(&case, &["--allow-identical", "--allow-empty"]).exits(0);
    assert_eq!(service.created().len(), 2);
}
