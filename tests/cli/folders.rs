//! What comes with a client's folder and may have been made by anyone: its settings, and paths that lead elsewhere.

use crate::case::Case;

const OWN: &str = "concurrency = 2\nrate = \"5/s\"\nmax_size = \"1MB\"\nstrict = true\n";

/// A case with a client's settings beside the manifest, and perhaps the user's own.
fn with_settings(own: Option<&str>, theirs: &str) -> Case {
    let rows = [("Leads", "738964000000291009", "a.txt"), ("Leads", "738964000000291011", "b.txt")];
    let case = Case::new().rows(&rows).file("attache.toml", theirs);
    match own {
        Some(own) => case.env("ATTACHE_CONFIG_DIR", "own").file("own/attache.toml", own),
        None => case,
    }
}

fn plan(case: &Case, more: &[&str]) -> serde_json::Value {
    let mut arguments = vec!["run", "m.csv", "--dry-run", "--output", "json"];
    arguments.extend(more);
    let done = case.run(&arguments).exits(0);
    serde_json::from_str(&done.stdout).expect("JSON")
}

#[test]
fn a_clients_folder_makes_a_run_slower_and_stricter() {
    let settings = |case: &Case, more: &[&str]| plan(case, more)["plan"]["settings"].clone();
    let tighter = with_settings(Some(OWN), "concurrency = 1\nrate = \"60/min\"\n");
    let found = settings(&tighter, &[]);
    assert_eq!((&found["concurrency"], &found["rate"]), (&1.into(), &"60/min".into()));
    let found = settings(&tighter, &["--concurrency", "6", "--rate", "7/s"]);
    assert_eq!((&found["concurrency"], &found["rate"]), (&6.into(), &"7/s".into()), "the command line is over all");
    let found = settings(&with_settings(None, "concurrency = 3\nstrict = true"), &[]);
    assert_eq!((&found["concurrency"], &found["flags"][0]), (&3.into(), &"--strict".into()));
}

#[test]
fn a_clients_folder_loosens_nothing() {
    for (own, theirs, said) in [
        (Some(OWN), "concurrency = 25", "`concurrency` is 25 here, but your own attache.toml has it 2"),
        (
            Some(OWN),
            "# mine\nrate = \"none\"",
            "line 2: `rate` is \"none\" here, but your own attache.toml has it \"5/s\"",
        ),
        (Some(OWN), "rate = \"600/min\"", "\"600/min\""),
        (Some(OWN), "max_size = \"100MB\"", "`max_size` is 100000000 here, but your own attache.toml has it 1000000"),
        (Some(OWN), "strict = false", "`strict` is false here, but your own attache.toml has it true"),
        (None, "concurrency = 5", "`concurrency` is 5 here, but the default is 4"),
        (None, "rate = \"11/s\"", "the default is \"10/s\""),
        (None, "allow_identical = true", "`allow_identical` is true here, but the default is false"),
        (None, "allow_empty = true", "`allow_empty`"),
        (None, "allow_rounded_ids = true", "`allow_rounded_ids`"),
        (None, "new_results = true", "new_results"),
        (None, "yes = true", "yes"),
    ] {
        with_settings(own, theirs).run(&["run", "m.csv", "--dry-run"]).exits(2).says(said);
    }
}

#[test]
fn a_path_to_another_machine_is_refused_by_its_text_on_every_system() {
    for path in
        ["//srv/share/x", "\\\\srv\\share\\x", "\\/srv/share/x", "/\\srv/share/x", "\\\\?\\C:\\x", "\\??\\C:\\x"]
    {
        let case = Case::new().file("m.csv", format!("module,record,file\nLeads,738964000000291009,{path}\n"));
        let outside = ["run", "m.csv", "--dry-run", "--allow-outside"];
        case.run(&outside).exits(3).prints("file-network");
        let quoted = path.replace('\\', "\\\\");
        let rows = "uploads:\n  - {module: Leads, record: 738964000000291009, file: a}\n";
        for line in ["root", "crosswalk"] {
            let case = Case::new().file("a", "a").file("m.yaml", format!("version: 1\n{line}: \"{quoted}\"\n{rows}"));
            case.run(&["run", "m.yaml", "--dry-run"]).exits(3).prints("another machine");
        }
        with_settings(None, &format!("root = '{path}'")).run(&["run", "m.csv", "--dry-run"]).exits(2).says("root");
    }
}

#[test]
fn a_missing_folder_inside_is_missing_and_not_outside() {
    let case = Case::new();
    let absolute = case.path("scans/missing/a.pdf").display().to_string();
    let case = case.file("m.csv", format!("module,record,file\nLeads,738964000000291009,{absolute}\n"));
    case.run(&["run", "m.csv", "--dry-run"]).exits(3).prints("file-missing");
    #[cfg(unix)]
    {
        // As the temporary folder of macOS is one.
        let link = case.path("link");
        std::os::unix::fs::symlink(case.folder(), &link).expect("linked");
        let through = link.join("scans/missing/a.pdf");
        case.write("m.csv", format!("module,record,file\nLeads,738964000000291009,{}\n", through.display()));
        case.run(&["run", "m.csv", "--dry-run"]).exits(3).prints("file-missing");
    }
}

#[test]
fn one_file_by_two_names_is_one_file() {
    let case = Case::new().file("a.pdf", "a");
    std::fs::hard_link(case.path("a.pdf"), case.path("b.pdf")).expect("linked");
    let row = |file: &str| format!("Leads,738964000000291009,{file},one.pdf\n");
    let case = case.file("m.csv", format!("module,record,file,name\n{}{}", row("a.pdf"), row("b.pdf")));
    case.run(&["run", "m.csv", "--dry-run"]).exits(3).prints("identical-rows");
}

#[test]
fn a_variable_that_is_set_to_nothing_counts_as_not_set() {
    for name in ["ROOT", "CONCURRENCY", "DC", "API_DOMAIN", "DRY_RUN", "RATE", "RESULTS", "COLOR", "YES"] {
        let case = Case::new().many_rows(1).env(&format!("ATTACHE_{name}"), "");
        case.run(&["run", "m.csv", "--sandbox", "--yes"]).exits(0);
    }
}
