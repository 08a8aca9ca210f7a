//! Known secrets through every kind of trouble, at the highest verbosity: they turn up nowhere.

use std::fs;
use std::path::Path;

use attache::internals::sandbox::{SandboxCredentials, SandboxOptions};

use crate::case::{Case, Done};
use crate::raw::{Raw, Step, answer, error};
#[cfg(unix)]
use crate::resume::wait_until;
use crate::service::RunningSandbox;

const ID: &str = "1000.CANARYID";
const SECRET: &str = "canary-client-secret";
const REFRESH: &str = "1000.canary-refresh";
const ACCESS: &str = "1000.canary-access";
const PROXY: &str = "canary-proxy-password";

fn service(fault: &str) -> RunningSandbox {
    let faults = fault.split_whitespace().map(|fault| fault.parse().expect("a fault")).collect();
    let credentials = Some(SandboxCredentials {
        client_id: ID.to_owned(),
        client_secret: SECRET.to_owned(),
        refresh_token: REFRESH.to_owned(),
    });
    RunningSandbox::start(SandboxOptions { faults, credentials, ..SandboxOptions::default() })
}

/// Every file below a folder, but for those that are there to hold a token: the user's own, which only the user can
/// read.
fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        match entry.is_dir() {
            true if entry.ends_with("home") => {}
            true => files(&entry, found),
            false => found.push(entry),
        }
    }
}

#[test]
fn no_secret_turns_up_whatever_goes_wrong() {
    for fault in [
        "",
        "429,times=2",
        "500-before,times=1",
        "500-after,times=1",
        "cut-before,times=1",
        "cut-inside,times=1",
        "cut-after,times=1",
        "cut-stored,times=1",
        "truncated,times=1",
        "garbage,times=1",
        "html,times=1",
        "early-401,times=1",
        "redirect",
        "no-permission",
        "not-authorized",
        "500-before,on=token",
        "garbage,on=token",
        "redirect,on=token",
        "cut-after,on=token",
        "429,on=list,times=1",
    ] {
        let service = service(fault);
        let case = Case::new()
            .rows(&[("Leads", "738964000000291009", "a.txt"), ("Leads", "738964000000291010", "b.txt")])
            .env("ZOHO_CLIENT_ID", ID)
            .env("ZOHO_CLIENT_SECRET", SECRET)
            .env("ZOHO_REFRESH_TOKEN", REFRESH)
            .env("HTTPS_PROXY", &format!("http://user:{PROXY}@127.0.0.1:9"));
        let mut command = service.command(&case, &["-vvv", "--log-file", "run.log", "--retries", "1"]);
        command.env("ZOHO_ACCESS_TOKEN", ACCESS);
        let done = case.finish(command.output());
        shows_none(&case, &done, fault);
    }
}

/// Looks for secrets in everything that a run printed and left.
#[track_caller]
fn shows_none(case: &Case, done: &Done, what: &str) {
    let mut shown =
        vec![("standard output".to_owned(), done.stdout.clone()), ("standard error".to_owned(), done.stderr.clone())];
    let mut paths = Vec::new();
    files(case.folder(), &mut paths);
    for path in paths {
        let text = String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned();
        shown.push((path.display().to_string(), text));
    }
    for (place, text) in shown {
        for secret in [ID, SECRET, REFRESH, ACCESS, PROXY, "Zoho-oauthtoken"] {
            assert!(!text.contains(secret), "with `{what}`, {secret} turns up in {place}:\n{text}");
        }
    }
}

#[test]
fn an_answer_that_repeats_the_token_is_not_written_down() {
    for (what, answer) in [
        ("an echo", answer(400, "", &error("SOMETHING_NEW", &format!("{ACCESS} is not known")))),
        ("a page", answer(500, "", &format!("<html>Authorization: {ACCESS}</html>"))),
        ("a redirect", answer(302, &format!("Location: http://127.0.0.1:9/?token={ACCESS}\r\n"), "")),
    ] {
        for output in ["human", "json"] {
            let case = case();
            let raw = Raw::start(&case, vec![Step::says(answer.clone())], true);
            let mut command = raw.command(&case, &["-vvv", "--log-file", "run.log", "--output", output]);
            command.env("ZOHO_ACCESS_TOKEN", ACCESS);
            shows_none(&case, &case.finish(command.output()), what);
        }
    }
}

/// A case whose temporary files go where they are searched.
fn case() -> Case {
    let case = Case::new().many_rows(2).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "1");
    fs::create_dir(case.path("tmp")).expect("a folder");
    let temporary = case.path("tmp").display().to_string();
    case.env("TMPDIR", &temporary)
}

#[test]
fn no_mistake_in_the_settings_is_shown_with_the_secret_in_it() {
    let profile = |more: &str| {
        let rest = format!("client_secret = \"{SECRET}\"\nrefresh_token = \"{REFRESH}\"\n{more}");
        format!("[profiles.default]\ndc = \"eu\"\nclient_id = \"{ID}\"\n{rest}")
    };
    for (what, text) in [
        ("a sound profile", profile("")),
        ("an unknown key", profile(&format!("acces_token = \"{ACCESS}\"\n"))),
        ("an open quote", profile(&format!("access_token = \"{ACCESS}\n"))),
        ("a wrong type", profile(&format!("access_token = [\"{ACCESS}\"]\n"))),
        ("a key twice", profile(&format!("refresh_token = \"{REFRESH}\"\n"))),
    ] {
        let case = case().file("home/config/attache/attache.toml", text);
        for mode in [0o600, 0o644] {
            set_mode(&case.path("home/config/attache/attache.toml"), mode);
            shows_none(&case, &case.run(&["run", "m.csv", "--dry-run", "-vvv"]), what);
        }
    }
    let case = case();
    let beside = format!("[profiles.default]\naccess_token = \"{ACCESS}\"\n");
    case.write("attache.toml", &beside);
    let done = case.run(&["run", "m.csv", "--dry-run", "-vvv"]).exits(2);
    assert!(!done.stderr.contains(ACCESS) && !done.stdout.contains(ACCESS), "{}", done.stderr);
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions can be set");
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) {}

#[test]
fn no_variable_and_no_option_is_shown_with_the_secret_in_it() {
    let case = case();
    for (variable, value) in [
        ("ZOHO_ACCESS_TOKEN", format!("{ACCESS}\nX-Evil: 1")),
        ("ZOHO_ACCESS_TOKEN", format!("{ACCESS}ü")),
        ("HTTPS_PROXY", format!("socks5://user:{PROXY}@proxy.example.org:1")),
        ("HTTPS_PROXY", format!("http://user:{PROXY}@proxy.example.org:1")),
    ] {
        let mut command = case.command(&["run", "m.csv", "--dc", "eu", "--dry-run", "-vvv"]);
        shows_none(&case, &case.finish(command.env(variable, value).output()), variable);
    }
    let done = case.run(&["run", "m.csv", "--dc", "eu", "--token", ACCESS]).exits(2).says("ZOHO_ACCESS_TOKEN");
    shows_none(&case, &done, "a token as an option");
}

#[cfg(target_os = "linux")]
#[test]
fn no_secret_stands_among_the_arguments_of_the_process() {
    let case = case();
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let raw = Raw::watched(&case, move |_, _| {
        // An error says that nobody will ever send.
        let _ = held.lock().map(|held| held.recv());
    });
    let mut command = raw.command(&case, &["-vvv"]);
    let mut child =
        command.env("ZOHO_ACCESS_TOKEN", ACCESS).stderr(std::process::Stdio::null()).spawn().expect("a run");
    wait_until(|| case.path("m.results.csv").exists());
    let arguments = fs::read(format!("/proc/{}/cmdline", child.id())).expect("the arguments");
    drop(hold);
    assert!(child.wait().expect("it ends").success());
    let arguments = String::from_utf8_lossy(&arguments);
    assert!(arguments.contains("m.csv") && !arguments.contains(ACCESS), "{arguments}");
}
