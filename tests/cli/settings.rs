//! `attache config`: what holds, and who says so.

use std::fs;

use serde_json::Value;

use crate::case::Case;

const SECRETS: [&str; 4] = ["1000.CANARYID", "canary-secret", "1000.canary-refresh", "1000.canary-access"];

/// A user with a file of his own, and a folder that came from somebody else.
fn case() -> Case {
    let [id, secret, refresh, access] = SECRETS;
    let own = format!(
        "concurrency = 3\nstrict = true\ncustom_modules = [\"Mine\"]\n\n[profiles.default]\ndc = \"eu\"\n\
         client_id = \"{id}\"\nclient_secret = \"{secret}\"\nrefresh_token = \"{refresh}\"\n\n[profiles.acme]\n\
         api_domain = \"https://me:{secret}@www.zohoapis.com\"\naccess_token = \"{access}\"\n"
    );
    let case = Case::new().rows(&[("Leads", "738964000000291009", "a.txt")]);
    let case = case.file("home/config/attache/attache.toml", own).file("attache.toml", "rate = \"1/s\"\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let path = case.path("home/config/attache/attache.toml");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("permissions");
    }
    case
}

fn document(case: &Case, more: &[&str]) -> Value {
    let arguments: Vec<&str> = ["config", "m.csv", "--output", "json"].iter().chain(more).copied().collect();
    let done = case.run(&arguments).exits(0);
    for secret in SECRETS {
        assert!(!done.stdout.contains(secret) && !done.stderr.contains(secret), "{}", done.stdout);
    }
    serde_json::from_str(&done.stdout).expect("JSON and nothing else")
}

/// Value, kind of source and place of a setting.
fn told<'a>(document: &'a Value, part: &str, name: &str) -> (&'a str, &'a str, &'a str) {
    let settings = document[part].as_array().expect("a list");
    let setting = settings.iter().find(|setting| setting["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    let text = |key: &str| setting[key].as_str().unwrap_or_default();
    (text("value"), text("source"), text("place"))
}

#[test]
fn every_value_is_told_with_its_place_and_no_secret() {
    let case = case().env("ATTACHE_MAX_SIZE", "20MB");
    let told_of = document(&case, &["--bandwidth", "5MB/s"]);
    let setting = |name| told(&told_of, "settings", name);
    assert_eq!(setting("bandwidth"), ("5MB/s", "command_line", "--bandwidth"));
    assert_eq!(setting("max_size"), ("20MB", "environment", "ATTACHE_MAX_SIZE"));
    assert_eq!((setting("rate").0, setting("rate").1), ("1/s", "project_file"));
    assert!(setting("rate").2.ends_with("attache.toml, line 1"), "{}", setting("rate").2);
    assert_eq!((setting("concurrency").0, setting("concurrency").1), ("3", "user_file"));
    assert_eq!(setting("allow_empty"), ("false", "default", ""));
    assert_eq!(told(&told_of, "target", "dc"), ("eu", "profile", "profile default"));
    assert_eq!(told_of["credentials"]["kind"], "a client with its refresh token");
    let schema: Value = serde_json::from_str(&case.run(&["schema", "config"]).exits(0).stdout).expect("a schema");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(&told_of).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0]);
}

#[test]
fn people_read_the_same_and_a_profile_is_shown_by_its_place() {
    let case = case();
    let done = case.run(&["config", "m.csv"]).exits(0).prints("beside the manifest").prints("profile default");
    assert!(SECRETS.iter().all(|secret| !done.stdout.contains(secret)), "{}", done.stdout);
    let acme = document(&case, &["--profile", "acme"]);
    assert_eq!(told(&acme, "target", "api_domain").0, "https://***@www.zohoapis.com");
    assert_eq!(acme["credentials"]["kind"], "an access token");
    assert_eq!(told(&document(&case, &["--dc", "us"]), "target", "dc"), ("us", "command_line", "--dc"));
    let by_variable = case.env("ATTACHE_DC", "in");
    assert_eq!(told(&document(&by_variable, &[]), "target", "dc"), ("in", "environment", "ATTACHE_DC"));
    by_variable.run(&["config", "--profile", "nobody"]).exits(2).says("no such profile");
}

#[test]
fn what_a_run_refuses_is_refused_here_and_a_folder_can_forbid_what_its_user_allows() {
    let case = case();
    case.write("attache.toml", "concurrency = 20\n");
    case.run(&["config", "m.csv"]).exits(2).says("your own attache.toml has it 3");
    case.write("attache.toml", "dc = \"us\"\n");
    case.run(&["config", "m.csv"]).exits(2).says("may not stand in a file beside a manifest");

    let lenient = Case::new().rows(&[("Leads", "738964000000291009", "a.txt")]).file("a.txt", "");
    let lenient = lenient.file("home/config/attache/attache.toml", "allow_empty = true\n");
    lenient.run(&["run", "m.csv", "--dry-run"]).exits(0);
    lenient.write("attache.toml", "allow_empty = false\n");
    lenient.run(&["run", "m.csv", "--dry-run"]).exits(3).prints("file-empty");
    let held = document(&lenient, &[]);
    assert_eq!(
        (told(&held, "settings", "allow_empty").0, told(&held, "settings", "allow_empty").1),
        ("false", "project_file")
    );
}
