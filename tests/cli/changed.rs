//! Files that changed after they were sent: told in the plan, and attached once more only where the user asks for it.

use std::fs::File;
use std::time::{Duration, SystemTime};

use attache::internals::results::{Line, read};

use crate::archives::zip_of;
use crate::case::Case;
use crate::service::RunningSandbox;

/// A service that has three files, and their case.
fn uploaded() -> (RunningSandbox, Case) {
    let (service, case) = (RunningSandbox::with_faults(&[]), Case::new().many_rows(3));
    service.run(&case, &[]).exits(0);
    (service, case)
}

/// Gives a file the time of an hour from now, as if somebody had written to it then.
fn write_later(case: &Case, file: &str) {
    let later = SystemTime::now() + Duration::from_secs(3_600);
    let open = File::options().append(true).open(case.path(file)).expect("the file is there");
    open.set_modified(later).expect("times can be set");
}

/// A text without its line ends.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn plan(service: &RunningSandbox, case: &Case, more: &[&str]) -> serde_json::Value {
    let done = service.run(case, &[&["--dry-run", "--output", "json"], more].concat());
    serde_json::from_str::<serde_json::Value>(&done.stdout).expect("JSON")["plan"].clone()
}

#[test]
fn files_that_changed_are_told_and_left_alone() {
    let (service, case) = uploaded();
    assert_eq!(plan(&service, &case, &[])["rows"]["perhaps_changed"], 0, "what was just sent has not changed");
    case.write("f/0.txt", "another content, and longer");
    write_later(&case, "f/1.txt");
    let before = service.requests();
    let words = words(&service.run(&case, &["--dry-run"]).exits(0).stdout);
    assert!(words.contains("1 row done with a file that has another size now: line 2, f/0.txt; left as"), "{words}");
    assert!(
        words.contains("1 row done with a file that was written to since it was sent: line 3, f/1.txt;"),
        "{words}"
    );
    assert!(words.contains("(--resend changed reads them and attaches again what differs)"), "{words}");
    let plan = plan(&service, &case, &[]);
    assert_eq!((&plan["rows"]["changed"], &plan["rows"]["perhaps_changed"]), (&1.into(), &1.into()));
    assert_eq!(plan["first_changed"], serde_json::json!([{"line": 2, "file": "f/0.txt"}]));
    assert_eq!(plan["first_perhaps_changed"][0]["file"], "f/1.txt");
    service.run(&case, &[]).exits(0).says("f/0.txt");
    assert_eq!((service.stored(), service.requests()), (3, before), "nothing is asked and nothing sent");
    for code in ["changed", "perhaps-changed"] {
        case.run(&["explain", code]).exits(0).prints("--resend changed");
    }
}

#[test]
fn what_changed_is_attached_once_more_when_asked_and_never_a_third_time() {
    let (service, case) = uploaded();
    let first = case.column("m.results.csv", "attachment_id");
    // Of another size, of the same size, and only touched.
    case.write("f/0.txt", "another content, and longer");
    case.write("f/1.txt", "content of !");
    write_later(&case, "f/1.txt");
    write_later(&case, "f/2.txt");
    let dry = plan(&service, &case, &["--resend", "changed"]);
    assert_eq!((&dry["rows"]["asked_again"], &dry["rows"]["perhaps_changed"]), (&2.into(), &0.into()));
    service.run(&case, &["--resend", "changed"]).exits(0);
    assert_eq!(service.stored(), 5);
    let statuses = ["uploaded", "uploaded", "uploaded", "superseded", "superseded"];
    assert_eq!(case.column("m.results.csv", "status"), statuses);
    let ids = case.column("m.results.csv", "attachment_id");
    assert!(ids[0] != first[0] && ids[1] != first[1] && ids[2] == first[2], "{ids:?}");
    assert_eq!(ids[3..], first[..2], "the older attachments are not forgotten");
    // The time of one file is still later than any sending, but its content is what was sent.
    service.run(&case, &["--resend", "changed"]).exits(0);
    assert_eq!((service.stored(), case.column("m.results.csv", "status")), (5, statuses.map(str::to_owned).to_vec()));
}

#[test]
fn a_changed_file_is_found_however_its_row_is_written_today() {
    for moved in [false, true] {
        let (service, case) = uploaded();
        case.write("f/2.txt", "another content, and longer");
        let manifest = std::fs::read_to_string(case.path("m.csv")).expect("the manifest");
        if moved {
            std::fs::rename(case.path("f"), case.path("g")).expect("moved");
            case.write("m.csv", manifest.replace(",f/", ",g/"));
            // Of the moved files only those are the same upload that have the same size; the other one is new.
            service.run(&case, &["--resend", "changed"]).exits(0);
            assert_eq!(service.stored(), 4);
            continue;
        }
        case.write("m.csv", manifest.replace(",f/", ",./f/"));
        service.run(&case, &["--dry-run"]).exits(0).prints("./f/2.txt");
        service.run(&case, &["--resend", "changed"]).exits(0);
        assert_eq!(case.column("m.results.csv", "status"), ["uploaded", "uploaded", "uploaded", "superseded"]);
        service.run(&case, &["--resend", "changed"]).exits(0);
        assert_eq!(service.stored(), 4);
    }
}

#[test]
fn files_that_are_gone_have_not_changed() {
    let (service, case) = uploaded();
    std::fs::remove_dir_all(case.path("f")).expect("removed");
    service.run(&case, &["--resend", "changed"]).exits(0);
    let plan = plan(&service, &case, &[]);
    assert_eq!((&plan["rows"]["changed"], &plan["rows"]["perhaps_changed"]), (&0.into(), &0.into()));
    assert_eq!(service.stored(), 3);
}

#[test]
fn what_was_sent_before_contents_were_kept_is_told_and_not_sent() {
    let (service, case) = uploaded();
    let path = case.path("m.results.csv");
    let text = std::fs::read_to_string(&path).expect("the results");
    let table = read(&path, false).expect("sound results");
    let mut again = text.lines().next().expect("a header").to_owned().into_bytes();
    again.push(b'\n');
    for line in table.rows() {
        Line { content: None, ..line.expect("a line") }.encode(table.layout(), &mut again);
    }
    std::fs::write(&path, again).expect("written");
    write_later(&case, "f/1.txt");
    let dry = service.run(&case, &["--resend", "changed", "--dry-run"]).exits(0);
    let words = words(&dry.stdout);
    assert!(words.contains("nobody can tell whether they differ") && words.contains("line 3, f/1.txt"), "{words}");
    service.run(&case, &["--resend", "changed"]).exits(0);
    assert_eq!(service.stored(), 3);
}

#[test]
fn a_changed_file_that_cannot_be_sent_is_a_problem_and_its_line_stays() {
    let (service, case) = uploaded();
    case.write("f/1.txt", "");
    service.run(&case, &["--resend", "changed"]).exits(3).says("file-empty").says("f/1.txt");
    service
        .run(&case, &["--resend", "changed", "--skip-invalid"])
        .says("1 of 3 rows is not sound. Left out of the run.");
    assert_eq!(case.column("m.results.csv", "status"), ["uploaded"; 3]);
    assert_eq!(service.stored(), 3);
}

#[test]
fn members_of_archives_are_left_out() {
    let row = "module,record,file\nLeads,738964000000291009,A.zip!/x.txt\n";
    let case = Case::new().file("A.zip", zip_of(&[("x.txt", b"hello")])).file("m.csv", row);
    let service = RunningSandbox::with_faults(&[]);
    service.run(&case, &[]).exits(0);
    case.write("A.zip", zip_of(&[("x.txt", b"hello, and more")]));
    service.run(&case, &["--resend", "changed"]).exits(0);
    let plan = plan(&service, &case, &[]);
    assert_eq!((&plan["rows"]["changed"], service.stored()), (&0.into(), 1));
}

#[test]
fn one_file_for_many_records_is_sent_once_more_to_each() {
    let rows: String = (0..4).map(|number| format!("Leads,73896400000029100{number},offer.txt\n")).collect();
    let case = Case::new().file("offer.txt", "one").file("m.csv", format!("module,record,file\n{rows}"));
    let service = RunningSandbox::with_faults(&[]);
    service.run(&case, &[]).exits(0);
    case.write("offer.txt", "two");
    write_later(&case, "offer.txt");
    service.run(&case, &["--resend", "changed"]).exits(0);
    assert_eq!((service.stored(), service.copies().into_values().collect::<Vec<_>>()), (8, vec![2; 4]));
}
