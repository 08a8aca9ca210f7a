//! What was sent is recognised, however its row is written today: nothing is attached twice.

use attache::internals::content::{Fingerprint, FingerprintKind};

use crate::case::Case;
use crate::service::RunningSandbox;

fn content_of(case: &Case, file: &str, kind: FingerprintKind) -> String {
    let bytes = std::fs::read(case.path(file)).expect("the file is there");
    Fingerprint::of(&bytes[..], kind).expect("memory can be read").0.to_string()
}

#[test]
fn the_results_hold_the_fingerprint_of_the_bytes_that_were_sent() {
    let (case, service) = (Case::new().many_rows(2), RunningSandbox::with_faults(&[]));
    case.write(
        "m.csv",
        "module,record,file,url\nLeads,738964000000291000,f/0.txt,\nLeads,738964000000291000,,https://example.com/a\n\
         Leads,738964000000291001,f/1.txt,\n",
    );
    service.run(&case, &["--limit", "2"]).exits(0);
    service.run(&case, &["--sha256"]).exits(0);
    assert_eq!(
        case.column("m.results.csv", "content"),
        [
            content_of(&case, "f/0.txt", FingerprintKind::Xxh3),
            String::new(),
            content_of(&case, "f/1.txt", FingerprintKind::Sha256),
        ]
    );
}

#[test]
fn what_was_settled_by_a_list_has_the_fingerprint_of_what_was_sent() {
    let case = Case::new().many_rows(1);
    let service = RunningSandbox::with_faults(&["cut-stored,nth=1,times=1"]);
    service.run(&case, &[]).exits(0);
    assert_eq!(case.column("m.results.csv", "code"), ["settled-by-listing"]);
    assert_eq!(case.column("m.results.csv", "content"), [content_of(&case, "f/0.txt", FingerprintKind::Xxh3)]);
}
