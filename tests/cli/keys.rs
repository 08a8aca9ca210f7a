//! Rows that name their record by a key of an old system, through the built program.

use crate::case::Case;

const CROSSWALK: &str = "module,key,record\nContacts,C-1,738964000000291001\nContacts,C-2,738964000000291002\n";

fn case() -> Case {
    Case::new()
        .file("a.pdf", "a")
        .file("crosswalk.csv", CROSSWALK)
        .file("m.csv", "module,key,file\nContacts,C-1,a.pdf\nContacts,C-2,a.pdf\n")
}

#[test]
fn rows_by_key_go_to_their_records_and_the_results_have_both() {
    let case = case();
    let done = case.run(&["run", "m.csv", "--crosswalk", "crosswalk.csv", "--sandbox"]);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    let results = std::fs::read_to_string(case.path("m.sandbox-results.csv")).expect("results");
    assert!(results.starts_with("line,module,record,record_key,file,"), "{results}");
    assert!(results.contains("\n2,Contacts,738964000000291001,C-1,a.pdf,,a.pdf,uploaded,"), "{results}");
    assert!(results.contains("\n3,Contacts,738964000000291002,C-2,a.pdf,,a.pdf,uploaded,"), "{results}");
}

#[test]
fn a_crosswalk_is_found_in_the_settings_beside_the_manifest() {
    let case = case().file("attache.toml", "crosswalk = \"crosswalk.csv\"\n");
    assert_eq!(case.run(&["run", "m.csv", "--dry-run"]).status, Some(0));
    case.write("attache.toml", "crosswalk = [\"../crosswalk.csv\"]\n");
    let done = case.run(&["run", "m.csv", "--dry-run"]);
    assert_eq!(done.status, Some(2));
    assert!(done.stderr.contains("must be a file inside the folder of the manifest"), "{}", done.stderr);
}

#[test]
fn rows_to_mend_keep_their_key_and_are_a_manifest_again() {
    let case = case();
    case.write("m.csv", "module,key,file\nContacts,C-1,a.pdf\nContacts,C-9,a.pdf\n");
    let run = ["run", "m.csv", "--dry-run", "--crosswalk", "crosswalk.csv", "--problems", "wrong.csv"];
    let done = case.run(&run);
    assert_eq!(done.status, Some(3));
    assert!(done.stdout.contains("record-key-unknown"), "{}", done.stdout);
    let wrong = std::fs::read_to_string(case.path("wrong.csv")).expect("written");
    assert!(wrong.contains("Contacts,,a.pdf,,,C-9,"), "{wrong}");
    case.write("wrong.csv", wrong.replace("C-9", "C-2"));
    assert_eq!(case.run(&["run", "wrong.csv", "--dry-run", "--crosswalk", "crosswalk.csv"]).status, Some(0));
}

#[test]
fn a_crosswalk_that_cannot_be_used_sends_nothing() {
    let case = case();
    let no_file = case.run(&["run", "m.csv", "--dry-run", "--crosswalk", "crosswalks.csv"]);
    assert_eq!(no_file.status, Some(2));
    assert!(no_file.stderr.contains("cannot read the crosswalk crosswalks.csv"), "{}", no_file.stderr);
    let none = case.run(&["run", "m.csv", "--sandbox"]);
    assert_eq!(none.status, Some(3));
    assert!(none.stderr.contains("crosswalk-missing"), "{}", none.stderr);
    case.write("crosswalk.csv", "module,key,record\nContacts,C-1,7.38964E+17\n");
    let damaged = case.run(&["run", "m.csv", "--sandbox", "--crosswalk", "crosswalk.csv"]);
    assert_eq!(damaged.status, Some(3));
    assert!(damaged.stderr.contains("crosswalk.csv line 2"), "{}", damaged.stderr);
    assert!(!case.path("m.sandbox-results.csv").exists());
}

#[test]
fn the_example_with_keys_of_an_old_system_runs_in_two_commands() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/keys/");
    let read = |name: &str| std::fs::read(format!("{example}{name}")).expect("a file of the example");
    let mut case = Case::new();
    for name in [
        "manifest.csv",
        "contacts.csv",
        "files/00412 agreement.txt",
        "files/00977 offer.txt",
        "files/01304 minutes.txt",
    ] {
        case = case.file(name, read(name));
    }
    let table = ["--table", "contacts.csv", "--module", "Contacts", "--key", "Legacy ID", "--record", "Record Id"];
    case.run(&[&["crosswalk"][..], &table].concat()).exits(0);
    case.run(&["run", "manifest.csv", "--crosswalk", "crosswalk.csv", "--sandbox"]).exits(0);
    assert_eq!(case.column("manifest.sandbox-results.csv", "record_key"), ["00412", "00977", "01304", "00412"]);
    assert_eq!(case.column("manifest.sandbox-results.csv", "record")[0], "738964000000412001");
}
