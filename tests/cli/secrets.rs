//! Known secrets through every kind of trouble, at the highest verbosity: they turn up nowhere.

use std::fs;
use std::path::Path;

use attache::sandbox::{Credentials, Settings};

use crate::case::Case;
use crate::service::Service;

const ID: &str = "1000.CANARYID";
const SECRET: &str = "canary-client-secret";
const REFRESH: &str = "1000.canary-refresh";
const ACCESS: &str = "1000.canary-access";
const PROXY: &str = "canary-proxy-password";

fn service(fault: &str) -> Service {
    let faults = fault.split_whitespace().map(|fault| fault.parse().expect("a fault")).collect();
    let credentials = Some(Credentials {
        client_id: ID.to_owned(),
        client_secret: SECRET.to_owned(),
        refresh_token: REFRESH.to_owned(),
    });
    Service::start(Settings { faults, credentials, ..Settings::default() })
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
        let mut command = service.command(&case, &["-vvv", "--retries", "1"]);
        command.env("ZOHO_ACCESS_TOKEN", ACCESS);
        let done = case.finish(command.output());
        let mut shown = vec![("standard output".to_owned(), done.stdout), ("standard error".to_owned(), done.stderr)];
        let mut paths = Vec::new();
        files(case.folder(), &mut paths);
        for path in paths {
            let text = String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned();
            shown.push((path.display().to_string(), text));
        }
        for (place, text) in shown {
            for secret in [ID, SECRET, REFRESH, ACCESS, PROXY, "Zoho-oauthtoken"] {
                assert!(!text.contains(secret), "with the fault `{fault}`, {secret} turns up in {place}:\n{text}");
            }
        }
    }
}
