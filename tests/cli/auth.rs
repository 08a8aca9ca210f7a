//! `attache auth`, and where credentials may come from.

use std::io::Write;
use std::process::Stdio;

use attache::internals::sandbox::{SandboxCredentials, SandboxOptions, SandboxServer};

use crate::case::{Case, Done};
use crate::service::RunningSandbox;

const SECRETS: [&str; 3] = ["1000.CANARYID", "canary-secret", "1000.canary.refresh"];

fn service() -> SandboxServer {
    let [client_id, client_secret, refresh_token] = SECRETS.map(str::to_owned);
    let credentials = Some(SandboxCredentials { client_id, client_secret, refresh_token });
    SandboxServer::start(SandboxOptions { credentials, ..SandboxOptions::default() })
        .expect("a sandbox can be started on loopback")
}

fn case() -> Case {
    Case::new().rows(&[("Leads", "738964000000291009", "a.txt")])
}

/// Runs the program with lines on its standard input.
fn with_input(case: &Case, arguments: &[&str], input: &str) -> Done {
    let mut command = case.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program can be started");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it listens");
    case.finish(child.wait_with_output())
}

fn login(case: &Case, service: &SandboxServer) -> Done {
    let [id, secret, _] = SECRETS;
    with_input(case, &["auth", "login", "--api-domain", service.url()], &format!("{id}\n{secret}\n1000.grant\n"))
}

#[track_caller]
fn shows_no_secret(done: &Done) {
    for secret in SECRETS {
        assert!(!done.stdout.contains(secret) && !done.stderr.contains(secret), "{}{}", done.stdout, done.stderr);
    }
}

#[test]
fn a_login_is_stored_shown_used_and_removed() {
    let (case, service) = (case(), service());
    let done = login(&case, &service).exits(0).says("stored the profile default");
    shows_no_secret(&done);

    let done = case.run(&["auth", "status", "m.csv"]).exits(0).prints("profile default").prints("requests at once");
    shows_no_secret(&done);
    let json = case.run(&["auth", "status", "--output", "json"]).exits(0);
    let status: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON and nothing else");
    assert_eq!(status["api_domain"], service.url());
    assert!(status["organisation"]["credits_per_day"].is_u64(), "{status}");

    let done = case.run(&["run", "m.csv", "--yes", "--settle-time", "0s"]).exits(0);
    shows_no_secret(&done);
    assert_eq!(service.created().len(), 1);

    case.run(&["auth", "logout"]).exits(0);
    case.run(&["auth", "status"]).exits(2).says("no target");
    case.run(&["auth", "logout"]).exits(2);
}

#[test]
fn a_login_that_is_refused_stores_nothing_and_names_the_likely_cause() {
    let (case, service) = (case(), service());
    let wrong = with_input(&case, &["auth", "login", "--api-domain", service.url()], "1000.other\nwrong\n1000.grant\n");
    wrong.exits(4).says("--dc");
    assert!(!case.path("home/config/attache/attache.toml").exists());
    case.run(&["auth", "login"]).exits(2).says("no target");
    case.run(&["auth", "login", "--api-domain", service.url()]).exits(2).says("Client id");
}

#[cfg(unix)]
#[test]
fn credentials_that_others_can_read_are_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let (case, service) = (case(), service());
    login(&case, &service).exits(0);
    let file = case.path("home/config/attache/attache.toml");
    let mode = std::fs::metadata(&file).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("permissions");
    case.run(&["auth", "status"]).exits(2).says("chmod 600");
    case.run(&["run", "m.csv", "--yes"]).exits(2).says("chmod 600");
}

#[test]
fn a_folder_from_a_stranger_cannot_take_the_token() {
    let (case, service, thief) = (case(), service(), service());
    login(&case, &service).exits(0);
    for text in [
        format!("api_domain = \"{}\"", thief.url()),
        format!("[profiles.default]\naccounts_url = \"{}\"", thief.url()),
        "token_command = [\"touch\", \"taken\"]".to_owned(),
        "allow_outside = true".to_owned(),
    ] {
        case.write("attache.toml", &text);
        case.run(&["run", "m.csv", "--yes"]).exits(2).says("may not stand in a file beside a manifest");
    }
    assert!(!case.path("taken").exists());
    let stats = thief.stats();
    assert_eq!((stats.uploads, stats.lists), (0, 0));
    case.write("attache.toml", "concurrency = 1\n");
    case.run(&["run", "m.csv", "--yes", "--settle-time", "0s"]).exits(0);
}

#[test]
fn a_refresh_token_revoked_in_mid_run_stops_it_after_one_try() {
    let case = Case::new().many_rows(60);
    let credentials = Some(SandboxCredentials {
        client_id: SECRETS[0].to_owned(),
        client_secret: SECRETS[1].to_owned(),
        refresh_token: "1000.the.next.one".to_owned(),
    });
    let token_life = std::time::Duration::from_millis(600);
    let latency = std::time::Duration::from_millis(50);
    let service =
        RunningSandbox::start(SandboxOptions { credentials, token_life, latency, ..SandboxOptions::default() });
    let url = service.url();
    let mut command = service.command(&case, &["--accounts-url", &url, "--concurrency", "2"]);
    for (name, secret) in ["ZOHO_CLIENT_ID", "ZOHO_CLIENT_SECRET", "ZOHO_REFRESH_TOKEN"].iter().zip(SECRETS) {
        command.env(name, secret);
    }
    let done = case.finish(command.output()).exits(4).says("revoked");
    shows_no_secret(&done);
    assert_eq!(service.stats().tokens, 1, "a refused refresh is not repeated");
    let ended = case.column("m.results.csv", "status");
    let uploaded = ended.iter().filter(|status| *status == "uploaded").count();
    assert_eq!(uploaded, service.created().len());
    assert_eq!(uploaded + ended.iter().filter(|status| *status == "not_sent").count(), 60);
}

#[test]
fn what_a_strangers_settings_say_moves_no_cursor() {
    let case = case();
    case.write("attache.toml", "\"\\u001b[2J\\u202e\" = 1\n");
    let done = case.run(&["run", "m.csv", "--dry-run"]).exits(2).says("\\u{1b}[2J\\u{202e}");
    assert!(!done.stderr.contains(['\u{1b}', '\u{202e}']));
}

#[cfg(unix)]
#[test]
fn settings_that_are_a_pipe_are_refused_and_not_waited_for() {
    let case = case();
    let made = std::process::Command::new("mkfifo").arg(case.path("attache.toml")).status();
    assert!(made.expect("every Unix has it").success());
    case.run(&["run", "m.csv", "--dry-run"]).exits(2).says("no settings file");
}

#[test]
fn a_login_that_replaces_a_profile_says_so_and_all_profiles_can_be_listed() {
    let (case, service) = (case(), service());
    case.run(&["auth", "list"]).exits(0).prints("No profile is stored");
    let first = login(&case, &service).exits(0);
    assert!(!first.stderr.contains("replace"), "{}", first.stderr);
    let again = |code: &str, more: &[&str]| {
        let [id, secret, _] = SECRETS;
        let arguments: Vec<&str> =
            ["auth", "login", "--api-domain", service.url()].iter().chain(more).copied().collect();
        with_input(&case, &arguments, &format!("{id}\n{secret}\n{code}\n"))
    };
    let second =
        again("1000.grant2", &[]).exits(0).says("which this login replaces").says("replaced the profile default");
    shows_no_secret(&second);
    let url = service.url();
    again("1000.grant3", &["--profile", "acme"]).exits(0);
    let listed = case.run(&["auth", "list"]).exits(0).prints("default").prints("acme").prints(url);
    shows_no_secret(&listed);
    let json = case.run(&["auth", "list", "--output", "json"]).exits(0);
    shows_no_secret(&json);
    let document: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON and nothing else");
    let names: Vec<&str> =
        document["profiles"].as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["acme", "default"]);
    assert_eq!(document["profiles"][0]["credentials"], "a client with its refresh token");
}

#[test]
fn a_status_that_nobody_answers_fails_and_one_that_tells_no_scopes_names_those_that_are_needed() {
    let deaf = case().env("ZOHO_ACCESS_TOKEN", "1000.CANARYID");
    let done = deaf.run(&["auth", "status", "--api-domain", "http://127.0.0.1:9"]).exits(4);
    shows_no_secret(&done);
    let sandbox = RunningSandbox::with_faults(&[]);
    let case = case().env("ZOHO_ACCESS_TOKEN", &sandbox.token());
    let status = case.run(&["auth", "status", "m.csv", "--api-domain", &sandbox.url()]).exits(0);
    let status = status.prints("needs ZohoCRM.modules.leads.CREATE").prints("did not say which scopes");
    assert!(!status.stdout.contains("suffice"), "{}", status.stdout);
}
