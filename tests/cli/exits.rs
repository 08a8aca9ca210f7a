//! Every exit status, each reached by the situation it stands for.

use crate::case::Case;
use crate::service::RunningSandbox;

const TWO: [(&str, &str, &str); 2] =
    [("Leads", "738964000000291009", "a.txt"), ("Deals", "738964000000291010", "b.txt")];

#[test]
fn all_done_is_0() {
    let (case, service) = (Case::new().rows(&TWO), RunningSandbox::with_faults(&[]));
    service.run(&case, &[]).exits(0);
    assert_eq!(case.column("m.results.csv", "status"), ["uploaded", "uploaded"]);
    assert_eq!(service.created().len(), 2);
}

#[test]
fn some_rows_failed_is_1_and_stays_1_until_they_are_mended() {
    let (case, service) = (Case::new().rows(&TWO), RunningSandbox::with_faults(&["no-permission,module=Deals"]));
    service.run(&case, &[]).exits(1).says("NO_PERMISSION");
    assert_eq!(case.column("m.results.csv", "status"), ["uploaded", "failed"]);
    service.run(&case, &[]).exits(1);
    assert_eq!(service.created().len(), 1);
}

#[test]
fn rows_left_out_are_1() {
    let case = Case::new().rows(&TWO);
    case.write("m.csv", "module,record,file\nLeads,738964000000291009,a.txt\nLeads,12,b.txt\n");
    let service = RunningSandbox::with_faults(&[]);
    service.run(&case, &["--skip-invalid"]).exits(1);
    assert_eq!(case.column("m.results.csv", "status"), ["uploaded", "invalid"]);
}

#[test]
fn usage_is_2() {
    let case = Case::new().rows(&TWO);
    case.run(&["run", "m.csv", "--concurency", "3"]).exits(2).says("--concurrency");
    case.run(&["run", "missing.csv", "--sandbox"]).exits(2).says("missing.csv");
    case.run(&["run", "m.csv"]).exits(2).says("--dc");
}

#[test]
fn a_real_run_without_credentials_is_2_and_a_dry_run_only_warns() {
    let case = Case::new().rows(&TWO);
    case.run(&["run", "m.csv", "--dc", "eu", "--yes"]).exits(2).says("ZOHO_ACCESS_TOKEN");
    case.run(&["run", "m.csv", "--dc", "eu", "--dry-run"]).exits(0);
    assert!(!case.path("m.results.csv").exists());
}

#[test]
fn an_unsound_manifest_is_3_and_nothing_is_sent() {
    let case = Case::new().file("m.csv", "module,record,file\nLeads,738964000000291009,missing.txt\n");
    let service = RunningSandbox::with_faults(&[]);
    service.run(&case, &[]).exits(3).says("missing.txt");
    assert_eq!(service.requests(), 0);
    assert!(!case.path("m.results.csv").exists());
}

#[test]
fn stopped_early_is_4_and_says_how_to_go_on() {
    let case = Case::new().many_rows(6);
    let service = RunningSandbox::with_faults(&[]);
    service.run(&case, &["--max-credits", "4", "--keep-credits", "0"]).exits(4);
    let done = service.created().len();
    assert!((1..6).contains(&done), "{done}");
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created().len(), 6);
}

#[test]
fn a_refused_token_is_4() {
    let (case, service) = (Case::new().rows(&TWO), RunningSandbox::with_faults(&[]));
    let mut command = service.command(&case, &[]);
    command.env("ZOHO_ACCESS_TOKEN", "sandbox-wrong");
    case.finish(command.output()).exits(4);
    assert_eq!(case.column("m.results.csv", "status"), ["not_sent", "not_sent"]);
}

#[test]
fn a_row_that_cannot_be_told_is_5() {
    let case = Case::new().rows(&TWO);
    // The answer is lost, and the record's list may not be read: nobody can say what became of the row.
    let service = RunningSandbox::with_faults(&["cut-stored,module=Deals", "no-permission,on=list,module=Deals"]);
    service.run(&case, &[]).exits(5);
    assert_eq!(case.column("m.results.csv", "status"), ["uploaded", "unknown"]);
    service.run(&case, &[]).exits(5);
    assert_eq!(service.created().len(), 2);
}

#[test]
fn results_that_cannot_be_written_are_6_before_anything_is_sent() {
    let (case, service) = (Case::new().rows(&TWO), RunningSandbox::with_faults(&[]));
    std::fs::create_dir(case.path("taken.csv")).expect("a folder can be made");
    service.run(&case, &["--results", "taken.csv"]).exits(6).says("taken.csv");
    service.run(&case, &["--results", "nowhere/r.csv"]).exits(6).says("nowhere");
    assert_eq!(service.requests(), 0);
}

#[test]
fn results_over_the_manifest_are_2() {
    let (case, service) = (Case::new().rows(&TWO), RunningSandbox::with_faults(&[]));
    let manifest = std::fs::read(case.path("m.csv")).expect("the manifest");
    service.run(&case, &["--results", "m.csv"]).exits(2);
    assert_eq!(std::fs::read(case.path("m.csv")).expect("the manifest"), manifest);
}

#[cfg(unix)]
#[test]
fn interrupted_is_130_and_terminated_143_and_the_same_command_goes_on() {
    for (signal, status) in [(libc::SIGINT, 130), (libc::SIGTERM, 143)] {
        let case = Case::new().many_rows(12);
        let settings = attache::internals::sandbox::SandboxOptions {
            latency: std::time::Duration::from_millis(100),
            ..attache::internals::sandbox::SandboxOptions::default()
        };
        let service = RunningSandbox::start(settings);
        let mut command = service.command(&case, &["--concurrency", "2"]);
        let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn();
        let child = child.expect("the program can be started");
        crate::resume::wait_until(|| service.created().len() >= 2);
        crate::resume::send(signal, child.id());
        case.finish(child.wait_with_output()).exits(status).says("again");
        let statuses = case.column("m.results.csv", "status");
        assert_eq!(statuses.len(), 12);
        assert!(statuses.iter().any(|status| status == "not_sent"), "{statuses:?}");
        service.run(&case, &[]).exits(0);
        assert!(service.copies().values().all(|copies| *copies == 1));
        assert_eq!(service.created().len(), 12);
    }
}

#[cfg(unix)]
#[test]
fn a_manifest_that_can_be_read_only_once_is_2_in_a_real_run() {
    let (case, service) = (Case::new().rows(&TWO), RunningSandbox::with_faults(&[]));
    let mkfifo = std::process::Command::new("mkfifo").arg(case.path("pipe.csv")).status();
    assert!(mkfifo.expect("mkfifo can be run").success());
    // Nobody writes into it: it must be refused without being opened, which would wait for a writer.
    let url = service.url();
    let mut command = case.command(&["run", "pipe.csv", "--api-domain", &url, "--yes"]);
    command.env("ZOHO_ACCESS_TOKEN", service.token());
    case.finish(command.output()).exits(2).says("save it as a file");
    assert_eq!(service.requests(), 0);
}
