//! The fault matrix: each way in which the network or the service can fail, and what must come of it: the exit status,
//! the row's status and code, and how many attachments exist at the end.

use crate::case::Case;
use crate::service::Service;

/// What a fault leads to.
struct Expected {
    exit: i32,
    status: &'static str,
    code: &'static str,
    created: usize,
}

/// One row, one fault, one run.
#[track_caller]
fn a_fault(fault: &str, expected: &Expected) {
    let case = Case::new().rows(&[("Leads", "738964000000291009", "a.txt")]);
    let service = Service::with_faults(&[fault]);
    service.run(&case, &[]).exits(expected.exit);
    let rows = case.results("m.results.csv");
    assert_eq!(rows.len(), 1, "{fault}");
    assert_eq!((rows[0]["status"].as_str(), rows[0]["code"].as_str()), (expected.status, expected.code), "{fault}");
    assert_eq!(service.created().len(), expected.created, "{fault}");
}

#[test]
fn what_surely_created_nothing_is_tried_again() {
    for fault in ["429,times=2", "429,retry-after=0,times=1", "cut-before,times=1"] {
        a_fault(fault, &Expected { exit: 0, status: "uploaded", code: "", created: 1 });
    }
}

#[test]
fn a_lost_answer_is_settled_by_listing_and_never_sent_twice() {
    for fault in ["cut-stored,times=1", "500-after,times=1", "truncated,times=1", "garbage,times=1"] {
        a_fault(fault, &Expected { exit: 0, status: "uploaded", code: "settled-by-listing", created: 1 });
    }
}

#[test]
fn a_lost_request_is_proved_absent_and_sent_again() {
    for fault in ["cut-inside,times=1", "cut-after,times=1", "500-before,times=1", "html,times=1"] {
        a_fault(fault, &Expected { exit: 0, status: "uploaded", code: "", created: 1 });
    }
}

#[test]
fn three_rounds_without_an_attachment_are_a_failure_of_the_row() {
    a_fault("cut-after", &Expected { exit: 1, status: "failed", code: "no-reply", created: 0 });
}

#[test]
fn a_redirect_is_no_success_and_stops_the_run() {
    let case = Case::new().rows(&[("Leads", "738964000000291009", "a.txt")]);
    let service = Service::with_faults(&["redirect"]);
    service.run(&case, &[]).exits(4);
    assert_eq!(service.created().len(), 0);
}

#[test]
fn a_refused_permission_fails_the_row() {
    a_fault("no-permission", &Expected { exit: 1, status: "failed", code: "NO_PERMISSION", created: 0 });
    a_fault("not-authorized", &Expected { exit: 1, status: "failed", code: "AUTHORIZATION_FAILED", created: 0 });
}
