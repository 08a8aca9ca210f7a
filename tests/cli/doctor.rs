//! `attache doctor` against a sandbox: what it finds, what it costs, and that it changes nothing.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use attache::internals::sandbox::{SandboxOptions, Switches, read_records};

use crate::case::{Case, Done};
use crate::raw::{self, Raw};
use crate::service::RunningSandbox;

const RECORDS: &str = "\
module,record,Legacy_Id,$deleted_time,$deleted_by,$deleted_type,$converted
Leads,738964000000291001,L-1,,,,
Leads,738964000000291002,L-2,2026-10-01T10:00:00+02:00,Patricia Boyle,recycle,
Leads,738964000000291003,L-3,2026-09-01T10:00:00+02:00,,permanent,
Leads,738964000000291004,L-4,,,,true
Contacts,738964000000291011,C-1,,,,
";

const MANIFEST: &str = "module,record,file,x_old
Leads,738964000000291001,a.pdf,1
Leads,738964000000291002,b.pdf,2
Leads,738964000000291003,b.pdf,3
Leads,738964000000291004,b.pdf,4
Contacts,738964000000291011,a.pdf,5
Leads,738964000000291099,a.pdf,6
";

/// A sandbox with these records, quick jobs, and what else is set.
fn service(case: &Case, records: &str, switches: &[&str], options: SandboxOptions) -> RunningSandbox {
    case.write("records.csv", records);
    let records = read_records(&case.path("records.csv")).expect("records");
    let mut set = Switches::default();
    for switch in ["bulk-delay=1"].iter().chain(switches) {
        set.set(switch).expect("a switch");
    }
    RunningSandbox::start(SandboxOptions { records: Some(records), switches: set, ..options })
}

fn ask(case: &Case, service: &RunningSandbox, more: &[&str]) -> Done {
    let url = service.url();
    let arguments = [&["doctor", "--api-domain", &url, "--rate", "none"], more].concat();
    let mut command = case.command(&arguments);
    command.env("ZOHO_ACCESS_TOKEN", service.token());
    case.finish(command.output())
}

fn document(done: &Done) -> serde_json::Value {
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", done.stdout, done.stderr))
}

/// The status of a check and what was found.
fn check(document: &serde_json::Value, name: &str) -> (String, String) {
    let checks = document["checks"].as_array().expect("checks");
    let one = checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("no {name}: {document}"));
    let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
    (text("status"), text("detail"))
}

/// The lines of the rows whose record does not exist.
fn lines_without_record(document: &serde_json::Value) -> Vec<u64> {
    let problems = document["problems"].as_array().expect("problems").iter();
    problems.filter(|problem| problem["code"] == "record-not-found").filter_map(|one| one["line"].as_u64()).collect()
}

/// The text with every gap as one blank, wherever its lines were broken.
fn unbroken(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn status(document: &serde_json::Value, name: &str) -> String {
    check(document, name).0
}

/// Nothing but questions came.
#[track_caller]
fn nothing_was_changed(service: &RunningSandbox) {
    let stats = service.stats();
    assert_eq!((stats.uploads, stats.deletes, service.stored()), (0, 0, 0), "{stats:?}");
}

/// Lets everything pass between a client and a server, and remembers the first line of every request.
struct Wiretap {
    url: String,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Wiretap {
    fn before(server: &str) -> Wiretap {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (heard, server) = (Arc::default(), server.trim_start_matches("http://").to_owned());
        let tap = Wiretap { url, heard: Arc::clone(&heard) };
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&server).expect("the server is there");
                let halves =
                    [(&client, &server), (&server, &client)].map(|(from, to)| (from.try_clone(), to.try_clone()));
                for (number, (from, to)) in halves.into_iter().enumerate() {
                    let (from, to, heard) = (from.expect("a half"), to.expect("a half"), Arc::clone(&heard));
                    std::thread::spawn(move || pass(from, to, (number == 0).then_some(&*heard)));
                }
            }
        });
        tap
    }

    /// Method and path of each request.
    fn requests(&self) -> Vec<String> {
        let heard = self.heard.lock().expect("no half failed");
        let text = String::from_utf8_lossy(&heard);
        let lines = text.split(" HTTP/1.1\r\n").map(|head| head.rsplit(['\n', '}']).next().unwrap_or_default());
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.pop();
        lines
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, heard: Option<&Mutex<Vec<u8>>>) {
    let mut piece = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        if let Some(heard) = heard {
            heard.lock().expect("no half failed").extend_from_slice(&piece[..length]);
        }
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[test]
fn nothing_is_sent_that_could_change_anything() {
    let case = Case::new();
    let mut manifest = MANIFEST.to_owned();
    for number in 0..2_600_u64 {
        let _ = writeln!(manifest, "Contacts,{},a.pdf,", 738_964_000_000_292_000 + number);
    }
    case.write("m.csv", manifest);
    let service = service(&case, RECORDS, &[], SandboxOptions::default());
    let tap = Wiretap::before(&service.url());
    let mut command =
        case.command(&["doctor", "m.csv", "--api-domain", &tap.url, "--rate", "none", "--concurrency", "1"]);
    command.env("ZOHO_ACCESS_TOKEN", service.token());
    case.finish(command.output()).exits(3);
    let requests = tap.requests();
    let (reads, others): (Vec<&String>, Vec<&String>) = requests.iter().partition(|line| line.starts_with("GET /crm/"));
    assert_eq!(others, ["POST /crm/bulk/v2/read"], "{requests:?}");
    for wanted in
        ["/crm/v2/org", "/read/1", "?ids=", "/deleted?type=all", "/result", "/Attachments?fields=id", "/__apis?"]
    {
        assert!(reads.iter().any(|line| line.contains(wanted)), "{wanted} was not asked: {requests:?}");
    }
    nothing_was_changed(&service);
}

#[test]
fn without_a_manifest_it_says_whose_crm_it_is_and_which_pace_fits() {
    let case = Case::new();
    let service = service(&case, RECORDS, &[], SandboxOptions { edition: "free".to_owned(), ..Default::default() });
    let done = ask(&case, &service, &[]).exits(0);
    for wanted in
        ["organisation", "5,000 API credits a day, 5 calls at once", "--concurrency 4 --rate 8/s", "3 requests"]
    {
        assert!(unbroken(&done.stdout).contains(wanted), "{wanted}\n{}", done.stdout);
    }
    done.says("it is and allows: 3 API credits.");
    assert_eq!(service.stats().credits_used, 3);
    nothing_was_changed(&service);
}

#[test]
fn records_that_do_not_exist_are_problems_of_their_rows_with_who_deleted_them() {
    let case = Case::new().file("m.csv", MANIFEST);
    let service = service(&case, RECORDS, &[], SandboxOptions::default());
    let done = ask(&case, &service, &["m.csv", "--problems", "gone.csv"]).exits(3);
    for wanted in [
        "3 of 6 records do not exist, named by 3 rows",
        "Leads has no record 738964000000291002: deleted by Patricia Boyle on 2026-10-01T10:00:00+02:00, it is in the recycle bin",
        "Leads has no record 738964000000291003: deleted by Sandbox User on 2026-09-01T10:00:00+02:00, it has left the recycle bin",
        "Leads has no record 738964000000291099",
        "restore the record from the recycle bin",
    ] {
        assert!(unbroken(&done.stdout).contains(wanted), "{wanted}\n{}", done.stdout);
    }
    let gone = std::fs::read_to_string(case.path("gone.csv")).expect("the rows");
    assert!(gone.contains("Leads,738964000000291002,b.pdf,,,2,3,") && gone.contains("record-not-found: "), "{gone}");
    assert_eq!(gone.lines().count(), 4, "{gone}");
    // What is left of the file is a manifest.
    case.write("gone.csv", gone.replace("738964000000291002", "738964000000291001"));
    case.write("b.pdf", "b");
    case.write("a.pdf", "a");
    service.run(&case, &["--dry-run"]).exits(0);
    let more = ["run", "gone.csv", "--dry-run", "--sandbox"];
    case.run(&more).exits(0);
    nothing_was_changed(&service);
}

#[test]
fn an_id_that_looks_rounded_is_no_problem_once_its_record_was_seen() {
    let case = Case::new().file(
        "m.csv",
        "module,record,file\nLeads,738964000000291000,a.pdf\nLeads,738964000000292000,a.pdf\nLeads,7389640000002910,a.pdf\n",
    );
    let records = "module,record\nLeads,738964000000291000\n";
    let service = service(&case, records, &[], SandboxOptions::default());
    let rounded = |more: &[&str]| {
        let done = document(&ask(&case, &service, &[&["m.csv", "--output", "json"], more].concat()));
        let all = done["problems"].as_array().expect("problems").clone();
        all.into_iter().filter(|problem| problem["code"] == "record-rounded").collect::<Vec<_>>()
    };
    let found = rounded(&[]);
    assert_eq!(found.iter().map(|one| one["line"].as_u64()).collect::<Vec<_>>(), [Some(3)], "{found:?}");
    assert!(!found[0]["hint"].as_str().expect("a hint").contains("--"), "{found:?}");
    // Without the search nobody knows.
    assert_eq!(rounded(&["--max-credits", "7"]).len(), 2);
}

#[test]
fn the_cost_is_shown_before_and_is_what_was_used() {
    let case = Case::new();
    let mut manifest = String::from("module,record,file\n");
    let mut records = String::from("module,record\n");
    for number in 0..120_u64 {
        let id = 738_964_000_000_291_000 + number;
        let _ = writeln!(manifest, "Leads,{id},a.pdf\nLeads,{id},b.pdf");
        let _ = writeln!(records, "Leads,{id}");
    }
    case.write("m.csv", manifest);
    let service = service(&case, &records, &[], SandboxOptions::default());
    let done = ask(&case, &service, &["m.csv", "--output", "json"]).exits(0);
    assert!(done.stderr.contains("it is and allows: 7 API credits."), "{}", done.stderr);
    assert!(done.stderr.contains("Leads: 120 records by id, 3 API credits"), "{}", done.stderr);
    let document = document(&done);
    assert_eq!(check(&document, "records"), ("ok".to_owned(), "120 records of Leads, all there".to_owned()));
    assert_eq!((&document["credits"], service.stats().credits_used), (&10.into(), 10));
    assert_eq!(document["records"][0]["records"], 120);
    // A budget that does not suffice leaves the records out and does the rest.
    let done = ask(&case, &service, &["m.csv", "--output", "json", "--max-credits", "9"]).exits(0);
    let document = self::document(&done);
    assert_eq!(check(&document, "records"), ("not_asked".to_owned(), "it takes 3 API credits at least".to_owned()));
    assert_eq!(status(&document, "attachments"), "ok");
    let done = ask(&case, &service, &["m.csv", "--output", "json", "--max-credits", "2"]).exits(4);
    assert_eq!(status(&self::document(&done), "credits"), "fail");
}

#[test]
fn many_records_are_looked_for_by_bulk_read_and_what_it_lacks_is_asked_for_by_id() {
    let case = Case::new();
    let mut manifest = String::from("module,record,file\n");
    let mut records = String::from("module,record,$converted\n");
    for number in 0..2_600_u64 {
        let id = 738_964_000_000_291_000 + number;
        let _ = writeln!(manifest, "Leads,{id},a.pdf");
        match number {
            7 => {}
            8 => writeln!(records, "Leads,{id},true").expect("written"),
            _ => writeln!(records, "Leads,{id},").expect("written"),
        }
    }
    case.write("m.csv", manifest);
    let service = service(&case, &records, &["bulk-page=1000"], SandboxOptions::default());
    let done = ask(&case, &service, &["m.csv", "--output", "json"]).exits(3);
    assert!(done.stderr.contains("Leads: 2,600 records by Bulk Read, 50 API credits"), "{}", done.stderr);
    let document = document(&done);
    assert_eq!(lines_without_record(&document), [9]);
    nothing_was_changed(&service);
    // Without Bulk Read each list is asked for, and said so before.
    let scopes = "ZohoCRM.modules.ALL,ZohoCRM.org.READ,ZohoCRM.users.READ".split(',').map(str::to_owned).collect();
    let service = self::service(&case, &records, &[], SandboxOptions { scopes: Some(scopes), ..Default::default() });
    let done = ask(&case, &service, &["m.csv", "--output", "json"]).exits(3);
    assert!(done.stderr.contains("Leads: 2,600 records by id, 52 API credits"), "{}", done.stderr);
    assert_eq!(lines_without_record(&self::document(&done)), [9]);
}

#[test]
fn each_scope_that_is_missing_is_a_check_that_is_not_asked() {
    let all = [
        ("ZohoCRM.org.READ", &["credentials", "credits"] as &[&str]),
        ("ZohoCRM.users.READ", &["credentials"]),
        ("ZohoCRM.settings.modules.READ", &["modules", "writing"]),
        ("ZohoCRM.settings.related_lists.READ", &["attachments"]),
        ("ZohoCRM.apis.READ", &["api-version"]),
        ("ZohoCRM.modules.contacts.READ", &["records"]),
    ];
    let others = ["ZohoCRM.features.READ", "ZohoCRM.modules.attachments.READ"];
    for (missing, checks) in all {
        let case = Case::new().file("m.csv", "module,record,file\nContacts,738964000000291011,a.pdf\n");
        let scopes = all.iter().map(|(scope, _)| *scope).chain(others).filter(|scope| *scope != missing);
        let scopes = Some(scopes.map(str::to_owned).collect());
        let service = service(&case, RECORDS, &[], SandboxOptions { scopes, ..SandboxOptions::default() });
        // What the run itself lacks is a failure of the check of scopes, and of no other.
        let lacks_reading = missing == "ZohoCRM.modules.contacts.READ";
        let done = ask(&case, &service, &["m.csv", "--output", "json"]).exits(if lacks_reading { 4 } else { 0 });
        let document = document(&done);
        for check in checks {
            assert_eq!(status(&document, check), "not_asked", "{missing}: {document}");
        }
        let advice = document["checks"].as_array().expect("checks").iter().map(|check| check["scopes"].to_string());
        assert!(advice.collect::<String>().contains(missing), "{missing}: {document}");
        for check in ["connection", "data-centre"] {
            assert_eq!(status(&document, check), "ok");
        }
        assert_eq!(status(&document, "scopes"), if lacks_reading { "fail" } else { "not_asked" });
    }
}

#[test]
fn scopes_that_the_token_names_are_held_against_what_the_manifest_needs() {
    let case = Case::new().file("m.csv", "module,record,file\nContacts,738964000000291011,a.pdf\n");
    let scopes = "ZohoCRM.modules.contacts.ALL,ZohoCRM.modules.attachments.READ,ZohoCRM.org.READ";
    let scopes = Some(scopes.split(',').map(str::to_owned).collect());
    let service = service(&case, RECORDS, &[], SandboxOptions { scopes, ..SandboxOptions::default() });
    let url = service.url();
    let mut command = case.command(&["doctor", "m.csv", "--api-domain", &url, "--output", "json"]);
    command.env("ZOHO_CLIENT_ID", "a").env("ZOHO_CLIENT_SECRET", "b").env("ZOHO_REFRESH_TOKEN", "c");
    let document = document(&case.finish(command.output()).exits(4));
    let lacks = ("fail".to_owned(), "the token lacks ZohoCRM.modules.attachments.CREATE".to_owned());
    assert_eq!(check(&document, "scopes"), lacks);
}

#[test]
fn modules_are_told_by_their_api_names_and_must_take_attachments() {
    let case = Case::new();
    case.write(
        "m.csv",
        "module,record,file\nLeads,738964000000291001,a\nSales Orders,738964000000291001,a\nMachines,738964000000291001,a\n\
         Boats,738964000000291001,a\n",
    );
    let modules = attache::internals::sandbox::SandboxModules::parse("+Machines").expect("modules");
    let options = SandboxOptions { modules, ..SandboxOptions::default() };
    let service = service(&case, RECORDS, &["no-attachments=Leads", "read-only=Leads"], options);
    let done = ask(&case, &service, &["m.csv"]).exits(3);
    let text = unbroken(&done.stdout);
    for wanted in [
        "Sales Orders is the label of Sales_Orders",
        "there is no module Boats",
        "Machines exists and was not declared",
        "write Sales_Orders in place of Sales Orders; declare it with --custom-module Machines",
        "Leads has no list of attachments",
        "Leads may only be read by this user",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{}", done.stdout);
    }
    assert!(!done.stdout.contains("file-missing"), "files need not be here: {}", done.stdout);
    // A custom module that does not exist is asked for nothing.
    let done = ask(&case, &service, &["m.csv", "--custom-module", "Boats", "--output", "json"]).exits(3);
    let document = document(&done);
    assert!(check(&document, "records").1.contains("Boats not known: there is no such module"), "{document}");
}

#[test]
fn a_manifest_by_key_is_asked_about_by_its_crosswalk() {
    let case = Case::new().file("m.csv", "module,key,file\nLeads,L-1,a.pdf\nLeads,L-2,a.pdf\n");
    let line = |key: &str, record: &str, org: &str| format!("Leads,{key},{record},Legacy_Id,{org},\n");
    let crosswalk = |org: &str| {
        let lines = line("L-1", "738964000000291001", org) + &line("L-2", "738964000000291002", org);
        format!("module,key,record,field,org,read_at\n{lines}")
    };
    case.write("crosswalk.csv", crosswalk("700000001"));
    let service = service(&case, RECORDS, &[], SandboxOptions::default());
    let done = ask(&case, &service, &["m.csv", "--crosswalk", "crosswalk.csv", "--problems", "gone.csv"]).exits(3);
    assert!(done.stdout.contains("no record 738964000000291002, for which the key L-2 stands"), "{}", done.stdout);
    assert!(done.stdout.contains("it is of this organisation (700000001)"), "{}", done.stdout);
    let gone = std::fs::read_to_string(case.path("gone.csv")).expect("the rows");
    assert!(gone.contains("Leads,,a.pdf,,,L-2,3,"), "{gone}");
    case.write("crosswalk.csv", crosswalk("700000002"));
    let done = ask(&case, &service, &["m.csv", "--crosswalk", "crosswalk.csv", "--output", "json"]).exits(3);
    assert_eq!(status(&document(&done), "crosswalk"), "fail");
}

#[test]
fn more_rows_than_a_day_has_credits_are_a_warning_with_the_days_it_takes() {
    let case = Case::new();
    let mut manifest = String::from("module,record,file\n");
    for number in 0..6_000 {
        let _ = writeln!(manifest, "Leads,738964000000291001,{number}.pdf");
    }
    case.write("m.csv", manifest);
    let options = SandboxOptions { edition: "free".to_owned(), ..SandboxOptions::default() };
    let service = service(&case, RECORDS, &[], options);
    let done = ask(&case, &service, &["m.csv", "--output", "json"]).exits(1);
    let (word, detail) = check(&document(&done), "credits");
    assert!(word == "warn" && detail.contains("the rows need 6,000, which takes 2 days at least"), "{detail}");
    assert!(done.stdout.contains("--credits-per-day 5000 --wait-for-credits"), "{}", done.stdout);
}

#[test]
fn what_stands_in_the_way_is_named_and_the_rest_is_not_asked() {
    let case = Case::new().file("m.csv", MANIFEST);
    let service = service(&case, RECORDS, &[], SandboxOptions::default());
    let url = service.url();
    let mut command = case.command(&["doctor", "m.csv", "--api-domain", &url, "--output", "json"]);
    command.env("ZOHO_ACCESS_TOKEN", "another-one");
    let refused = document(&case.finish(command.output()).exits(4));
    assert_eq!(status(&refused, "credentials"), "fail");
    assert_eq!(status(&refused, "records"), "not_asked");
    assert_eq!(status(&refused, "connection"), "ok");
    drop(service);
    let mut command = case.command(&["doctor", "--api-domain", &url, "--output", "json"]);
    command.env("ZOHO_ACCESS_TOKEN", "another-one");
    let gone = document(&case.finish(command.output()).exits(4));
    assert_eq!(status(&gone, "connection"), "fail");
    assert_eq!(status(&gone, "credentials"), "not_asked");
}

#[test]
fn mistakes_of_the_command_end_it_with_two() {
    let case = Case::new().file("m.csv", MANIFEST).file("old.csv", "mended");
    let service = service(&case, RECORDS, &[], SandboxOptions::default());
    ask(&case, &service, &["none.csv"]).exits(2);
    ask(&case, &service, &["m.csv", "--problems", "m.csv"]).exits(2);
    ask(&case, &service, &["m.csv", "--problems", "old.csv"]).exits(2);
    ask(&case, &service, &["--problems", "new.csv"]).exits(2);
    case.run(&["doctor", "m.csv"]).exits(2);
    assert_eq!(service.stats().credits_used, 0);
}

#[test]
fn an_answer_with_other_records_than_were_asked_for_makes_nobody_missing() {
    let case = Case::new().file("m.csv", MANIFEST);
    let raw = Raw::asked_about(&case, Vec::new(), move |path, _| {
        let ignores_ids = r#"{"data":[{"id":"738964000000299999"}],"info":{"more_records":false}}"#;
        Some(match path {
            path if path.contains("?ids=") => raw::answer(200, "", ignores_ids),
            _ => raw::answer(400, "", &raw::error("SOMETHING_ELSE", "not here")),
        })
    });
    let mut command = case.command(&["doctor", "m.csv", "--api-domain", raw.url(), "--output", "json"]);
    command.env("ZOHO_ACCESS_TOKEN", "t0ken-for-this-test");
    let document = document(&case.finish(command.output()).exits(0));
    let (word, detail) = check(&document, "records");
    assert!(word == "not_asked" && detail.contains("something else than was asked for"), "{detail}");
    assert_eq!(document["problems"].as_array().map(Vec::len), Some(0));
    assert!(raw.asked().iter().any(|path| path.contains("converted=both")));
}

#[test]
fn a_run_without_enough_scope_ends_before_the_first_upload_where_the_token_names_its_scopes() {
    let run = |scopes: &str, status| {
        let case = Case::new().rows(&[("Contacts", "738964000000291011", "a.pdf")]);
        let scopes = Some(scopes.split(',').map(str::to_owned).collect());
        let service = service(&case, RECORDS, &[], SandboxOptions { scopes, ..SandboxOptions::default() });
        let mut command = service.command(&case, &[]);
        command.env_remove("ZOHO_ACCESS_TOKEN");
        command.env("ZOHO_CLIENT_ID", "a").env("ZOHO_CLIENT_SECRET", "b").env("ZOHO_REFRESH_TOKEN", "c");
        (case.finish(command.output()).exits(status), service)
    };
    let (done, service) = run("ZohoCRM.modules.leads.ALL,ZohoCRM.modules.attachments.ALL", 4);
    assert!(done.stderr.contains("the token lacks ZohoCRM.modules.contacts.CREATE"), "{}", done.stderr);
    assert_eq!((service.stats().uploads, service.stats().others), (0, 0));
    // What the service's pages contradict each other about is left to the service.
    let (done, service) = run("ZohoCRM.modules.ALL", 0);
    assert!(done.stderr.contains("warning: the token lacks ZohoCRM.modules.attachments.CREATE"), "{}", done.stderr);
    assert_eq!(service.stored(), 1);
    let (done, _) = run("ZohoCRM.modules.contacts.ALL,ZohoCRM.modules.attachments.ALL", 0);
    assert!(!done.stderr.contains("lacks"), "{}", done.stderr);
}

/// A question that has no end: the job of Bulk Read takes an hour.
#[cfg(unix)]
fn endless(case: &Case) -> RunningSandbox {
    let mut manifest = String::from("module,record,file\n");
    for number in 0..2_600_u64 {
        let _ = writeln!(manifest, "Contacts,{},a.pdf", 738_964_000_000_292_000 + number);
    }
    case.write("m.csv", manifest);
    service(case, RECORDS, &["bulk-delay=3600000"], SandboxOptions::default())
}

#[test]
#[cfg(unix)]
fn an_interrupted_search_makes_no_record_missing_and_says_what_it_knows() {
    let case = Case::new();
    let service = endless(&case);
    let url = service.url();
    let mut command = case.command(&["doctor", "m.csv", "--api-domain", &url, "--rate", "none", "--output", "json"]);
    command.env("ZOHO_ACCESS_TOKEN", service.token());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().expect("the program can be started");
    service.wait_for(|stats| stats.credits_used >= 50);
    crate::resume::send(libc::SIGINT, child.id());
    let document = document(&case.finish(child.wait_with_output()).exits(130));
    assert_eq!(status(&document, "records"), "not_asked");
    assert_eq!(status(&document, "connection"), "ok");
    assert_eq!(lines_without_record(&document), Vec::<u64>::new());
}

/// A service that takes a question and never answers.
#[cfg(unix)]
fn silent() -> (String, std::sync::mpsc::Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // Whoever asked may be gone, and the test with it.
            let _ = sender.send(client);
        }
    });
    (url, asked)
}

#[test]
#[cfg(unix)]
fn a_signal_during_the_first_questions_ends_them_and_what_is_known_is_said() {
    let case = Case::new().file("m.csv", "module,key,file\nLeads,L-1,m.csv\n");
    for (arguments, says) in [
        (&["doctor", "--output", "json"][..], "interrupted"),
        (&["crosswalk", "Leads=Legacy_Id", "--for", "m.csv"], "stopped by a signal. No file was written"),
    ] {
        let (url, asked) = silent();
        let base = ["--api-domain", &url, "--rate", "none"];
        let mut command = case.command(&[arguments, &base].concat());
        command.env("ZOHO_ACCESS_TOKEN", "1000.x");
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let child = command.spawn().expect("the program can be started");
        let held = asked.recv().expect("a question");
        crate::resume::send(libc::SIGINT, child.id());
        // What is under way is given time to end; here it ends at once.
        drop(held);
        std::thread::spawn(move || asked.iter().for_each(drop));
        let done = case.finish(child.wait_with_output()).exits(130);
        assert!(format!("{}{}", done.stdout, done.stderr).contains(says), "{}\n{}", done.stdout, done.stderr);
        assert!(!case.path("crosswalk.csv").exists());
    }
}
