//! The fault matrix: each way in which the network or the service can fail, and what must come of it: the exit status,
//! the row's status and code, and how many attachments exist at the end.

use std::time::Duration;

use attache::internals::sandbox::{DateHeader, Dialect, ListOrder, Rename, SandboxModules, SandboxOptions, SizeAs};

use crate::case::Case;
use crate::service::RunningSandbox;

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
    let service = RunningSandbox::with_faults(&[fault]);
    let done = service.run(&case, &[]);
    assert_eq!(done.status, Some(expected.exit), "{fault}\n{}", done.stderr);
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
    let service = RunningSandbox::with_faults(&["redirect"]);
    service.run(&case, &[]).exits(4);
    assert_eq!(service.created().len(), 0);
}

#[test]
fn a_refused_permission_fails_the_row() {
    a_fault("no-permission", &Expected { exit: 1, status: "failed", code: "NO_PERMISSION", created: 0 });
    a_fault("not-authorized", &Expected { exit: 1, status: "failed", code: "AUTHORIZATION_FAILED", created: 0 });
}

#[test]
fn an_answer_before_the_body_is_read_counts_as_it_stands() {
    let refused = Expected { exit: 1, status: "failed", code: "BODY_SIZE_REACHED", created: 0 };
    a_fault("early-413", &refused);
    let case = Case::new().rows(&[("Leads", "738964000000291009", "a.txt")]);
    let service = RunningSandbox::with_faults(&["early-401"]);
    service.run(&case, &[]).exits(4).says("credentials-refused");
    assert_eq!(service.created().len(), 0);
}

#[test]
fn a_slow_answer_is_waited_for() {
    a_fault("slow,delay=300ms", &Expected { exit: 0, status: "uploaded", code: "", created: 1 });
}

#[test]
fn a_list_that_fails_for_a_passing_reason_is_asked_for_again() {
    for fault in ["429", "500-before", "500-after", "cut-before", "cut-after", "truncated", "garbage", "html"] {
        let case = Case::new().rows(&[("Leads", "738964000000291009", "a.txt")]);
        // The second list is the one that settles.
        let service = RunningSandbox::with_faults(&["cut-stored,times=1", &format!("{fault},on=list,nth=2")]);
        let done = service.run(&case, &[]);
        assert_eq!(done.status, Some(0), "{fault}\n{}", done.stderr);
        assert_eq!(case.column("m.results.csv", "code"), ["settled-by-listing"], "{fault}");
        assert_eq!(service.created().len(), 1, "{fault}");
    }
}

/// Three rows of one record meet a service with its own ways, which also loses the answer to the second row.
#[track_caller]
fn a_service(what: &str, settings: SandboxOptions, more: &[&str], exit: i32, codes: [&str; 3]) {
    let record = "738964000000291009";
    let case = Case::new().rows(&[("Leads", record, "a.txt"), ("Leads", record, "b.txt"), ("Leads", record, "c.txt")]);
    let faults = vec!["cut-stored,nth=2".parse().expect("a fault")];
    let service = RunningSandbox::start(SandboxOptions { faults, ..settings });
    let done = service.run(&case, &[&["--concurrency", "1"], more].concat());
    assert_eq!(done.status, Some(exit), "{what}\n{}", done.stderr);
    assert_eq!(case.column("m.results.csv", "code"), codes, "{what}");
    assert_eq!(service.created().len(), 3, "{what}");
}

#[test]
fn what_nobody_knows_of_the_service_may_be_either_way() {
    let usual = SandboxOptions::default;
    let settled = ["", "settled-by-listing", ""];
    let service = |what, settings, more: &[&str]| a_service(what, settings, more, 0, settled);
    service("oldest first", SandboxOptions { order: ListOrder::OldestFirst, ..usual() }, &[]);
    service("short pages", SandboxOptions { page_size: 1, ..usual() }, &[]);
    service("drifting pages", SandboxOptions { page_size: 2, drifting_pages: 1, ..usual() }, &[]);
    // Times prove nothing then: what looks like the row may have been there before.
    let untold = ["", "uncertain-match", ""];
    a_service("no date", SandboxOptions { date: DateHeader::Off, ..usual() }, &[], 5, untold);
    service("a clock ahead", SandboxOptions { date: DateHeader::Skewed(7_200), ..usual() }, &[]);
    service("a clock behind", SandboxOptions { date: DateHeader::Skewed(-7_200), ..usual() }, &[]);
    service("sizes as text", SandboxOptions { size_as: SizeAs::Text, ..usual() }, &[]);
    service("another version", SandboxOptions { profile: Dialect::OasV8, ..usual() }, &["--api-version", "v8"]);
    let fussy = SandboxOptions { profile: Dialect::OasV8, refuse_dollar_fields: true, ..usual() };
    service("no dollar fields", fussy, &["--api-version", "v8"]);
    // A name that is not the one that was sent proves nothing: never adopted, never sent again.
    let unknown = ["", "uncertain-match", ""];
    a_service("every name changed", SandboxOptions { rename: Rename::Every, ..usual() }, &[], 5, unknown);
}

#[test]
fn a_list_that_lags_is_given_the_time_to_settle() {
    let case = Case::new().rows(&[("Leads", "738964000000291009", "a.txt")]);
    let faults = vec!["cut-stored,times=1".parse().expect("a fault")];
    let service =
        RunningSandbox::start(SandboxOptions { faults, lag: Duration::from_millis(300), ..SandboxOptions::default() });
    let url = service.url();
    let arguments = ["run", "m.csv", "--api-domain", &url, "--yes", "--backoff", "1ms..20ms", "--settle-time", "700ms"];
    let mut command = case.command(&arguments);
    case.finish(command.env("ZOHO_ACCESS_TOKEN", service.token()).output()).exits(0);
    assert_eq!(case.column("m.results.csv", "code"), ["settled-by-listing"]);
    assert_eq!(service.created().len(), 1);
}

#[test]
fn a_part_of_a_file_that_was_kept_is_for_a_person_to_judge() {
    let case = Case::new().file("a.txt", vec![b'a'; 100_000]);
    case.write("m.csv", "module,record,file\nLeads,738964000000291009,a.txt\n");
    let faults = vec!["cut-inside,times=1".parse().expect("a fault")];
    let service =
        RunningSandbox::start(SandboxOptions { faults, stores_incomplete: true, ..SandboxOptions::default() });
    service.run(&case, &[]).exits(5);
    assert_eq!(case.column("m.results.csv", "status"), ["unknown"]);
    service.run(&case, &[]).exits(5);
    assert_eq!(service.created().len(), 1);
}

/// One row meets a service that has a reason to refuse it.
#[track_caller]
fn a_refusal(settings: SandboxOptions, exit: i32, status: &str, says: &str) {
    let case = Case::new().rows(&[("Leads", "738964000000291009", "a.txt")]);
    let service = RunningSandbox::start(settings);
    service.run(&case, &[]).exits(exit).says(says);
    assert_eq!(case.column("m.results.csv", "status"), [status], "{says}");
    assert_eq!(service.created().len(), usize::from(status == "uploaded"), "{says}");
}

#[test]
fn documented_refusals_have_their_own_ends() {
    let usual = SandboxOptions::default;
    let records = [("Leads".to_owned(), "738964000000291010".to_owned())].into_iter().collect();
    a_refusal(SandboxOptions { records: Some(records), ..usual() }, 1, "failed", "INVALID_DATA");
    a_refusal(
        SandboxOptions { modules: SandboxModules::Only(vec!["Deals".to_owned()]), ..usual() },
        4,
        "failed",
        "INVALID_MODULE",
    );
    a_refusal(SandboxOptions { max_bytes: 5, ..usual() }, 1, "failed", "FILE_SIZE_MORE_THAN_ALLOWED_SIZE");
    a_refusal(SandboxOptions { storage: Some(5), ..usual() }, 4, "not_sent", "LIMIT_REACHED");
    a_refusal(SandboxOptions { credits: Some(1), ..usual() }, 4, "not_sent", "credits");
    let read_only = vec!["ZohoCRM.modules.leads.READ".to_owned(), "ZohoCRM.modules.attachments.READ".to_owned()];
    a_refusal(SandboxOptions { scopes: Some(read_only), ..usual() }, 4, "not_sent", "OAUTH_SCOPE_MISMATCH");
    let write_only = vec!["ZohoCRM.modules.leads.ALL".to_owned(), "ZohoCRM.modules.attachments.CREATE".to_owned()];
    a_refusal(SandboxOptions { scopes: Some(write_only), ..usual() }, 0, "uploaded", "may not read attachments");
}

#[test]
fn a_service_that_is_busy_is_given_less_at_once() {
    for busy_status in [429, 400, 503] {
        let case = Case::new().many_rows(20);
        let latency = Duration::from_millis(20);
        let settings = SandboxOptions { max_in_flight: Some(2), busy_status, latency, ..SandboxOptions::default() };
        let service = RunningSandbox::start(settings);
        service.run(&case, &["--concurrency", "8", "--retries", "20"]).exits(0);
        assert_eq!(service.created().len(), 20, "{busy_status}");
    }
}

#[test]
fn a_service_that_cannot_be_reached_is_tried_again_and_creates_nothing() {
    let case = Case::new().rows(&[("Leads", "738964000000291009", "a.txt")]);
    let service = RunningSandbox::with_faults(&[]);
    let mut command = service.command(&case, &["--retries", "1", "--max-duration", "3s"]);
    drop(service);
    let done = case.finish(command.output());
    let row = &case.results("m.results.csv")[0];
    assert!(matches!((done.status, row["status"].as_str()), (Some(1), "failed") | (Some(4), "not_sent")), "{row:?}");
}

#[test]
fn a_certificate_that_nobody_vouches_for_stops_the_run_before_a_token_is_sent() {
    let address = with_own_certificate();
    let case = Case::new().rows(&[("Leads", "738964000000291009", "a.txt")]).env("ZOHO_ACCESS_TOKEN", "1000.token");
    let done =
        case.run(&["run", "m.csv", "--yes", "--api-domain", &format!("https://{address}"), "--settle-time", "0s"]);
    done.exits(4).says("--ca-file");
    assert_eq!(case.column("m.results.csv", "status"), ["not_sent"]);
}

/// A server with a certificate that it made itself; panics in its thread should a request get through to it.
fn with_own_certificate() -> std::net::SocketAddr {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a server's certificate");
    let config = std::sync::Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut connection = rustls::ServerConnection::new(config.clone()).expect("a connection");
            let refused = connection.complete_io(&mut stream).is_err();
            assert!(refused, "the client accepted a certificate that nobody vouches for");
        }
    });
    address
}
