//! Files that were given other names, and keys that lead to other records than when their files were sent.

use crate::case::Case;
use crate::service::RunningSandbox;

const RECORD: &str = "738964000000291000";

fn write_manifest(case: &Case, files: &[&str]) {
    let rows: String = files.iter().map(|file| format!("Leads,{RECORD},{file}\n")).collect();
    case.write("m.csv", format!("module,record,file\n{rows}"));
}

/// Three files that were sent and then renamed, all but the first `kept`.
fn renamed(service: &RunningSandbox, kept: usize) -> Case {
    let case = Case::new().file("s/1.pdf", "one").file("s/2.pdf", "two").file("s/3.pdf", "other");
    write_manifest(&case, &["s/1.pdf", "s/2.pdf", "s/3.pdf"]);
    service.run(&case, &[]).exits(0);
    let names: Vec<String> = (1..=3)
        .map(|number| {
            let (old, new) = (format!("s/{number}.pdf"), format!("s/contract-{number}.pdf"));
            if number <= kept {
                return old;
            }
            std::fs::rename(case.path(&old), case.path(&new)).expect("renamed");
            new
        })
        .collect();
    write_manifest(&case, &names.iter().map(String::as_str).collect::<Vec<_>>());
    case
}

#[test]
fn renamed_files_are_found_by_their_content_and_asked_about() {
    for kept in [0, 1] {
        for (answer, attachments) in [("keep", 3), ("send", 6 - kept)] {
            let service = RunningSandbox::with_faults(&[]);
            let case = renamed(&service, kept);
            for more in [&["--dry-run"][..], &[]] {
                let done = service.run(&case, more).exits(3);
                let said = format!("{}{}", done.stdout, done.stderr);
                assert!(said.contains("sent-under-another-name") && said.contains("--renamed keep"), "{said}");
                assert!(!said.contains("--results"), "no other results file is advised: {said}");
            }
            assert_eq!(service.created().len(), 3);
            for _ in 0..2 {
                service.run(&case, &["--renamed", answer]).exits(0);
                assert_eq!(service.created().len(), attachments, "{answer}");
            }
            assert_eq!(case.column("m.results.csv", "status")[..3], ["uploaded"; 3]);
        }
    }
}

#[test]
fn renamed_rows_may_be_left_out_where_no_other_is_known() {
    let service = RunningSandbox::with_faults(&[]);
    let case = renamed(&service, 0).file("s/new.pdf", "something new");
    write_manifest(&case, &["s/contract-1.pdf", "s/contract-2.pdf", "s/contract-3.pdf", "s/new.pdf"]);
    service.run(&case, &["--skip-invalid"]).exits(1);
    assert_eq!(service.created().len(), 4, "the results are known to be the manifest's");
    service.run(&case, &["--renamed", "keep"]).exits(0);
    assert_eq!(service.created().len(), 4);
}

#[test]
fn another_file_of_the_same_size_is_a_new_one() {
    let service = RunningSandbox::with_faults(&[]);
    let case = renamed(&service, 1);
    case.write("s/contract-2.pdf", "owt");
    case.write("s/contract-3.pdf", "longer than it was");
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created().len(), 5);
}

const KEYED: &[&str] = &["--crosswalk", "crosswalk.csv"];

/// A crosswalk of two keys that lead to these records.
fn write_crosswalk(case: &Case, one: &str, two: &str) {
    case.write("crosswalk.csv", format!("module,key,record\nLeads,K-1,{one}\nLeads,K-2,{two}\n"));
}

const ONE: &str = "738964000000291001";
const TWO: &str = "738964000000291002";
const THREE: &str = "738964000000291003";

/// A file and a link of the first key and a file of the second, sent.
fn keyed(service: &RunningSandbox) -> Case {
    let case = Case::new().file("a.pdf", "one").file("b.pdf", "another");
    case.write("m.csv", "module,key,file,url\nLeads,K-1,a.pdf,\nLeads,K-1,,https://example.com/a\nLeads,K-2,b.pdf,\n");
    write_crosswalk(&case, ONE, TWO);
    service.run(&case, KEYED).exits(0);
    assert_eq!(service.created().len(), 3);
    case
}

fn run_keyed(service: &RunningSandbox, case: &Case, more: &[&str]) -> crate::case::Done {
    service.run(case, &[KEYED, more].concat())
}

#[test]
fn a_key_that_leads_to_another_record_sends_nothing_there_without_a_word() {
    // All keys lead elsewhere, or one of two does.
    for (one, two, concerned) in [(TWO, ONE, 3), (THREE, TWO, 2)] {
        for (answer, attachments) in [("same", 3), ("new", 3 + concerned)] {
            let service = RunningSandbox::with_faults(&[]);
            let case = keyed(&service);
            write_crosswalk(&case, one, two);
            let done = run_keyed(&service, &case, &[]).exits(3).says("sent-to-another-record").says("--moved same");
            assert!(done.stderr.contains(ONE) && done.stderr.contains("K-1"), "{}", done.stderr);
            assert_eq!(service.created().len(), 3);
            for _ in 0..2 {
                run_keyed(&service, &case, &["--moved", answer]).exits(0);
                assert_eq!(service.created().len(), attachments, "{answer}");
            }
            run_keyed(&service, &case, &[]).exits(0);
            assert_eq!(service.created().len(), attachments, "the answer holds");
            assert_eq!(case.column("m.results.csv", "record")[..3], [one, one, two], "{answer}");
            assert_eq!(case.column("m.results.csv", "record_key")[..3], ["K-1", "K-1", "K-2"]);
        }
    }
}

#[test]
fn files_of_merged_records_may_be_gone() {
    let service = RunningSandbox::with_faults(&[]);
    let case = keyed(&service);
    write_crosswalk(&case, THREE, TWO);
    std::fs::remove_file(case.path("a.pdf")).expect("removed");
    run_keyed(&service, &case, &["--moved", "same"]).exits(0);
    assert_eq!(service.created().len(), 3);
}

#[test]
fn a_key_of_which_nothing_was_sent_and_a_file_that_differs_are_new() {
    let service = RunningSandbox::with_faults(&[]);
    let case = keyed(&service).file("c.pdf", "something else");
    case.write("m.csv", "module,key,file\nLeads,K-1,c.pdf\nLeads,K-2,b.pdf\n");
    write_crosswalk(&case, THREE, TWO);
    run_keyed(&service, &case, &[]).exits(0);
    assert_eq!(service.created().len(), 4);
}
