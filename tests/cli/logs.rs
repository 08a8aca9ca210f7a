//! What is said beside the plan and the summary: more of it, less of it, all of it in a file.

use std::fs;

use attache::internals::sandbox::SandboxOptions;

use crate::case::Case;
#[cfg(unix)]
use crate::resume::wait_until;
use crate::service::RunningSandbox;

const TWO: [(&str, &str, &str); 2] =
    [("Leads", "738964000000291009", "a.txt"), ("Leads", "738964000000291010", "b.txt")];

fn log(case: &Case) -> String {
    fs::read_to_string(case.path("run.log")).unwrap_or_default()
}

#[test]
fn a_log_holds_what_the_screen_does_not_show_any_more() {
    let (case, service) = (Case::new().rows(&TWO), RunningSandbox::with_faults(&["no-permission,nth=2"]));
    let done = service.run(&case, &["-q", "--log-file", "run.log"]).exits(1);
    assert!(!done.stderr.contains("Plan for"), "{}", done.stderr);
    let text = log(&case);
    for wanted in [
        "# attache log, times in UTC\n",
        "attache run m.csv --api-domain",
        "Plan for m.csv",
        "line 2, a.txt: ",
        "line 3, b.txt: ",
        ": failed NO_PERMISSION",
        ": uploaded as ",
        "DEBUG POST /crm/v2/Leads/738964000000291009/Attachments",
        ": 200 SUCCESS, ",
        ": 403 NO_PERMISSION, ",
        "1 of 2 rows",
        "ends with exit status 1: some rows failed",
    ] {
        assert!(text.contains(wanted), "`{wanted}` is not in the log\n{text}");
    }
    let stamp = |line: &str| line.get(..24).is_some_and(|stamp| stamp.parse::<jiff::Timestamp>().is_ok());
    assert!(text.lines().skip(1).all(stamp), "{text}");
    service.run(&case, &["--log-file", "run.log"]).exits(1);
    assert!(log(&case).starts_with(&text) && log(&case).len() > text.len(), "the same command goes on in the same log");
}

#[test]
fn a_log_is_not_written_into_another_file() {
    let case = Case::new().rows(&TWO);
    let manifest = fs::read(case.path("m.csv")).expect("the manifest");
    case.run(&["run", "m.csv", "--dry-run", "--log-file", "m.csv"]).exits(2).says("is not a log of attache");
    assert_eq!(fs::read(case.path("m.csv")).expect("the manifest"), manifest);
    case.run(&["run", "m.csv", "--dry-run", "--log-file", "no/such/folder/x.log"]).exits(2).says("cannot be opened");
}

#[test]
fn a_log_has_every_problem_of_which_the_screen_shows_a_few() {
    let mut manifest = "module,record,file\n".to_owned();
    (0..20).for_each(|row| manifest.push_str(&format!("Leads,7389640000002910{row:02},gone-{row}.txt\n")));
    let case = Case::new().file("m.csv", manifest);
    let few = case.run(&["run", "m.csv", "--dry-run", "--log-file", "run.log"]).exits(3);
    assert!(few.stdout.contains("and 17 more") && few.stdout.contains("-v shows every problem"), "{}", few.stdout);
    assert_eq!(few.stdout.matches("]: there is no such file").count(), 3);
    assert_eq!(log(&case).matches("]: there is no such file").count(), 20);
    let all = case.run(&["run", "m.csv", "--dry-run", "-v"]).exits(3);
    assert_eq!(all.stdout.matches("]: there is no such file").count(), 20);
    assert!(!all.stdout.contains("more error"), "{}", all.stdout);
}

#[test]
fn a_word_more_tells_of_each_row_and_two_of_each_request() {
    let service = RunningSandbox::with_faults(&["429,nth=1"]);
    let case = Case::new().rows(&TWO);
    let done = service.run(&case, &["-v"]).exits(0).says("line 2, a.txt: uploaded as ");
    assert!(!done.stderr.contains("POST"), "{}", done.stderr);
    let case = Case::new().rows(&[("Leads", "738964000000291011", "c.txt")]);
    let done = RunningSandbox::with_faults(&["429,nth=1"]).run(&case, &["-vv"]).exits(0);
    for wanted in [
        "GET /crm/v2/Leads/738964000000291011/Attachments: 204",
        "POST /crm/v2/Leads/738964000000291011/Attachments, ",
        ": 429 TOO_MANY_REQUESTS, ",
        ": 200 SUCCESS, ",
    ] {
        assert!(done.stderr.contains(wanted), "`{wanted}` is not said\n{}", done.stderr);
    }
    for library in ["ureq", "Call<", "user-agent", "Connected", "boundary="] {
        assert!(!done.stderr.contains(library), "{}", done.stderr);
    }
}

#[test]
fn quiet_says_nothing_where_nothing_is_wrong_in_a_dry_run_too() {
    let case = Case::new().rows(&TWO);
    for arguments in [&["--dry-run", "-q"] as &[&str], &["--sandbox", "-q"], &["--sandbox", "--dry-run", "-q"]] {
        let all: Vec<&str> = ["run", "m.csv"].iter().chain(arguments).copied().collect();
        let done = case.run(&all).exits(0);
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""), "{arguments:?}");
    }
    let unsound = Case::new().file("m.csv", "module,record,file\nLeads,12,a.txt\n");
    unsound.run(&["run", "m.csv", "--dry-run", "-q"]).exits(3).prints("error[");
}

#[test]
fn the_key_of_a_link_is_not_told() {
    let manifest = "module,record,url\nLeads,738964000000291009,https://files.example/a.pdf?sig=hush-hush-1\n\
                    Leads,738964000000291010,https://me:hush-hush-2@files.example/b.pdf\n";
    let case = Case::new().file("m.csv", manifest);
    let service = RunningSandbox::with_faults(&[]);
    let refused = service.run(&case, &["-vv", "--log-file", "run.log"]).exits(3);
    let sent = service.run(&case, &["-vv", "--log-file", "run.log", "--skip-invalid"]).exits(1);
    assert!(sent.stderr.contains("https://files.example/a.pdf?…: uploaded"), "{}", sent.stderr);
    for text in [refused.stderr + &refused.stdout, log(&case)] {
        assert!(!text.contains("hush-hush-2"), "{text}");
    }
    let requests_and_rows = log(&case);
    let told = requests_and_rows.lines().filter(|line| line.contains("uploaded") || line.contains("DEBUG"));
    assert!(told.inspect(|line| assert!(!line.contains("hush-hush-1"), "{line}")).count() >= 3);
}

#[test]
fn a_variable_that_is_wrong_is_named_and_one_that_is_empty_is_none() {
    let case = Case::new().rows(&TWO).env("ATTACHE_CONCURRENCY", "99");
    case.run(&["run", "m.csv", "--dry-run"]).exits(2).says("environment variable ATTACHE_CONCURRENCY");
    case.run(&["run", "m.csv", "--dry-run", "--concurrency", "2"]).exits(0);
    let typed = case.run(&["run", "m.csv", "--dry-run", "--concurrency", "98"]).exits(2);
    assert!(!typed.stderr.contains("environment"), "{}", typed.stderr);
    for empty in ["", "  "] {
        let mut case = Case::new().rows(&TWO);
        for name in ["DC", "ROOT", "CONCURRENCY", "STRICT", "QUIET", "PROFILE", "CONFIG_DIR", "LOG_FILE", "CA_FILE"] {
            case = case.env(&format!("ATTACHE_{name}"), empty);
        }
        let case = case.env("ZOHO_ACCESS_TOKEN", empty).env("HTTPS_PROXY", empty).env("ZOHO_CREDENTIALS_FILE", empty);
        case.run(&["run", "m.csv", "--dry-run"]).exits(0).prints("Plan for");
    }
    let quiet = Case::new().rows(&TWO).env("ATTACHE_QUIET", "1");
    quiet.run(&["run", "m.csv", "--dry-run", "-v"]).exits(0).prints("Plan for");
}

#[cfg(unix)]
#[test]
fn a_second_interruption_says_in_one_line_what_it_leaves() {
    let case = Case::new().many_rows(8);
    let latency = std::time::Duration::from_secs(60);
    let service = RunningSandbox::start(SandboxOptions { latency, ..SandboxOptions::default() });
    let mut command = service.command(&case, &["--log-file", "run.log"]);
    let child = command.stderr(std::process::Stdio::piped()).spawn().expect("a run");
    wait_until(|| service.requests() >= 2);
    crate::resume::send(libc::SIGINT, child.id());
    wait_until(|| log(&case).contains("stopping"));
    crate::resume::send(libc::SIGINT, child.id());
    let done =
        case.finish(child.wait_with_output()).exits(130).says("interrupted again: ended at once; 1 upload under way");
    let last = done.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("the same command finds out"), "{}", done.stderr);
}
