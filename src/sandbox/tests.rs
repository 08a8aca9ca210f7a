//! The server as its clients meet it, over real connections and byte for byte.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::options::ErrorShape;
use super::{DateHeader, Dialect, Keep, ListOrder, Rename, SandboxModules, SandboxOptions, SandboxServer, SandboxUser};

const RECORD: &str = "738964000000291009";
const ATTACHMENTS: &str = "/crm/v2/Leads/738964000000291009/Attachments";

fn start(options: SandboxOptions) -> SandboxServer {
    SandboxServer::start(SandboxOptions { token: Some("sandbox-test".into()), ..options }).unwrap()
}

fn with_fault(spec: &str) -> SandboxServer {
    start(SandboxOptions { faults: vec![spec.parse().unwrap()], ..SandboxOptions::default() })
}

/// An answer, taken apart.
struct RawAnswer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl RawAnswer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")))?;
        line.split_once(':').map(|(_, value)| value.trim())
    }

    /// Status and code of an error, or of a success inside `data`.
    fn code(&self) -> (u16, String) {
        let json = self.json();
        let code = json["code"].as_str().or(json["data"][0]["code"].as_str()).or(json["error"].as_str());
        (self.status, code.unwrap_or_default().to_owned())
    }
}

fn connect(server: &SandboxServer) -> TcpStream {
    let stream = TcpStream::connect(server.url().trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Everything that comes until the connection ends, however it ends.
fn read_all(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(read) = stream.read(&mut piece) {
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(&piece[..read]);
    }
    bytes
}

fn head(method: &str, path: &str, token: &str, more: &str, length: usize) -> String {
    let token = if token.is_empty() { String::new() } else { format!("Authorization: {token}\r\n") };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{token}{more}Content-Length: {length}\r\n\r\n"
    )
}

fn raw(server: &SandboxServer, method: &str, path: &str, token: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let mut stream = connect(server);
    let _ = stream.write_all(head(method, path, token, more, body.len()).as_bytes());
    // The connection may have been cut or closed already: what came back says so.
    let _ = stream.write_all(body);
    read_all(stream)
}

fn parse(bytes: &[u8]) -> RawAnswer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer with a head");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    RawAnswer { status, head, body: bytes[end + 4..].to_vec() }
}

fn call(server: &SandboxServer, method: &str, path: &str) -> RawAnswer {
    parse(&raw(server, method, path, "Zoho-oauthtoken sandbox-test", "", b""))
}

fn post(server: &SandboxServer, path: &str, kind: &str, body: &[u8]) -> RawAnswer {
    let more = format!("Content-Type: {kind}\r\n");
    parse(&raw(server, "POST", path, "Zoho-oauthtoken sandbox-test", &more, body))
}

const MULTIPART: &str = "multipart/form-data; boundary=xyz";

fn file_part(name: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!("--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
    [head.as_bytes(), bytes, b"\r\n"].concat()
}

fn text_part(name: &str, value: &str) -> Vec<u8> {
    format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes()
}

fn multipart(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), b"--xyz--\r\n".to_vec()].concat()
}

fn upload(server: &SandboxServer, name: &str, bytes: &[u8]) -> RawAnswer {
    post(server, ATTACHMENTS, MULTIPART, &multipart(&[file_part(name, bytes)]))
}

fn link(server: &SandboxServer, url: &str) -> RawAnswer {
    post(server, ATTACHMENTS, MULTIPART, &multipart(&[text_part("attachmentUrl", url)]))
}

/// An upload whose answer may be anything at all.
fn raw_upload(server: &SandboxServer, bytes: &[u8]) -> Vec<u8> {
    let body = multipart(&[file_part("a.txt", bytes)]);
    let more = format!("Content-Type: {MULTIPART}\r\n");
    raw(server, "POST", ATTACHMENTS, "Zoho-oauthtoken sandbox-test", &more, &body)
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_file_is_stored_listed_downloaded_and_deleted() {
    let server = start(SandboxOptions { keep: Keep::Temporarily, ..SandboxOptions::default() });
    let name = "Größe; தமிழ் 100% 🎉.txt";
    let content: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
    let answer = upload(&server, name, &content);
    assert_eq!(answer.code(), (200, "SUCCESS".into()));
    let details = answer.json()["data"][0]["details"].clone();
    let id = details["id"].as_str().unwrap();
    assert_eq!(details["Created_By"], json!({"id": "700000000000101001", "name": "Sandbox User"}));

    let listed = call(&server, "GET", ATTACHMENTS).json();
    let entry = &listed["data"][0];
    assert_eq!((&entry["id"], &entry["File_Name"], &entry["Size"]), (&json!(id), &json!(name), &json!(300_000)));
    assert_eq!(entry["Created_Time"], details["Created_Time"]);
    assert_eq!(listed["info"], json!({"per_page": 200, "count": 1, "page": 1, "more_records": false}));

    let one = format!("{ATTACHMENTS}/{id}");
    let download = call(&server, "GET", &one);
    assert_eq!(download.body, content);
    assert_eq!(download.header("content-type"), Some("application/octet-stream"));
    assert!(
        download.header("content-disposition").unwrap().starts_with("attachment;filename*=UTF-8''Gr%C3%B6%C3%9Fe%3B")
    );

    assert_eq!(call(&server, "DELETE", &one).json()["data"][0]["message"], "record deleted");
    assert_eq!(call(&server, "DELETE", &one).code(), (400, "INVALID_DATA".into()));
    assert_eq!(call(&server, "GET", &one).status, 204);
    assert_eq!(call(&server, "GET", ATTACHMENTS).status, 204);
    let created = parse(&raw(&server, "GET", "/_sandbox/created", "", "", b"")).json();
    let expected = json!({"id": id, "module": "Leads", "record": RECORD, "name": name, "size": 300_000,
                          "sha256": hex(&content), "url": null});
    assert_eq!(created, json!({"created": 1, "attachments": [expected]}), "also what was deleted, and without token");
}

#[test]
fn a_link_comes_in_the_form_or_in_the_query_and_only_once_a_record() {
    let server = start(SandboxOptions::default());
    assert_eq!(link(&server, "https://example.test/a?b=c").code(), (200, "SUCCESS".into()));
    let again = link(&server, "https://example.test/a?b=c");
    assert_eq!(again.code(), (400, "INVALID_DATA".into()));
    assert_eq!(again.json()["message"], "Attachment link already exists");
    let path = format!("{ATTACHMENTS}?attachmentUrl=https%3A%2F%2Fexample.test%2Fq&title=T");
    assert_eq!(call(&server, "POST", &path).code(), (200, "SUCCESS".into()));
    let titled = path.replace("/v2/", "/v8/").replace("Leads", "Deals");
    assert_eq!(call(&server, "POST", &titled).code(), (200, "SUCCESS".into()));
    let other = ATTACHMENTS.replace("291009", "291010");
    let form = b"attachmentUrl=https%3A%2F%2Fexample.test%2Fa%3Fb%3Dc";
    assert_eq!(post(&server, &other, "application/x-www-form-urlencoded", form).code().0, 200, "another record");

    let names: Vec<String> = server.created().into_iter().map(|link| link.name).collect();
    let expected = ["https://example.test/a?b=c", "https://example.test/q", "T", "https://example.test/a?b=c"];
    assert_eq!(names, expected, "version 2 knows no titles");
    let entry = call(&server, "GET", ATTACHMENTS).json()["data"][1].clone();
    assert_eq!((&entry["$link_url"], &entry["Size"]), (&json!("https://example.test/a?b=c"), &json!(0)));
    let id = entry["id"].as_str().unwrap();
    assert_eq!(call(&server, "GET", &format!("{ATTACHMENTS}/{id}")).code().1, "DOWNLOAD_NOT_ALLOWED");
}

#[test]
fn every_documented_error_of_an_upload_can_be_met() {
    let server = start(SandboxOptions { max_bytes: 1000, scopes: None, ..SandboxOptions::default() });
    let body = multipart(&[file_part("a.txt", b"a")]);
    let code_at = |path: &str| post(&server, path, MULTIPART, &body).code();
    let of = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(code_at(&ATTACHMENTS.replace("Leads", "leads")), of(400, "INVALID_MODULE"));
    assert_eq!(code_at(&ATTACHMENTS.replace("Leads", "Documents")), of(400, "INVALID_MODULE"));
    assert_eq!(code_at(&ATTACHMENTS.replace(RECORD, "7.38964E+17")), of(400, "INVALID_DATA"));
    assert_eq!(code_at(&ATTACHMENTS.replace("Attachments", "Attachment")), of(404, "INVALID_URL_PATTERN"));
    assert_eq!(call(&server, "PUT", ATTACHMENTS).code(), of(400, "INVALID_REQUEST_METHOD"));
    assert_eq!(upload(&server, "setup.EXE", b"MZ").code(), of(415, "INVALID_DATA"));
    assert_eq!(upload(&server, "a.txt", &[7; 1001]).code(), of(415, "FILE_SIZE_MORE_THAN_ALLOWED_SIZE"));
    assert_eq!(upload(&server, "a.txt", &[7; 1000]).code(), of(200, "SUCCESS"));
    assert_eq!(link(&server, "ftp://example.test").code(), of(400, "INVALID_URL_PATTERN"));
    assert_eq!(post(&server, ATTACHMENTS, MULTIPART, b"--xyz--\r\n").code(), of(400, "INVALID_DATA"));
    assert_eq!(post(&server, ATTACHMENTS, MULTIPART, b"nonsense").code(), of(400, "INVALID_REQUEST"));
    let both = multipart(&[file_part("a.txt", b"a"), text_part("attachmentUrl", "https://example.test")]);
    assert_eq!(post(&server, ATTACHMENTS, MULTIPART, &both).code(), of(400, "INVALID_DATA"));
    let two = multipart(&[file_part("a.txt", b"a"), file_part("b.txt", b"b")]);
    assert_eq!(post(&server, ATTACHMENTS, MULTIPART, &two).code(), of(400, "INVALID_DATA"));
    assert_eq!(server.created().len(), 1);
}

#[test]
fn a_missing_and_a_wrong_token_are_told_apart() {
    let server = start(SandboxOptions::default());
    let code = |token: &str| parse(&raw(&server, "GET", ATTACHMENTS, token, "", b"")).code();
    assert_eq!(code(""), (401, "AUTHENTICATION_FAILURE".into()));
    assert_eq!(code("Zoho-oauthtoken sandbox-other"), (401, "INVALID_TOKEN".into()));
    assert_eq!(code("Bearer sandbox-test"), (401, "INVALID_TOKEN".into()));
}

#[test]
fn scopes_modules_and_records_can_be_narrowed() {
    let only = |list: &str| Some(list.split(',').map(str::to_owned).collect());
    let reader = start(SandboxOptions {
        scopes: only("ZohoCRM.modules.leads.READ,ZohoCRM.modules.attachments.READ"),
        ..SandboxOptions::default()
    });
    assert_eq!(call(&reader, "GET", ATTACHMENTS).status, 204);
    assert_eq!(upload(&reader, "a", b"").code(), (401, "OAUTH_SCOPE_MISMATCH".into()));
    assert_eq!(call(&reader, "GET", "/crm/v2/org").code(), (401, "OAUTH_SCOPE_MISMATCH".into()));

    let narrow = start(SandboxOptions {
        modules: SandboxModules::Only(vec!["Vessels".into()]),
        records: Some([("Vessels".to_owned(), RECORD.to_owned())].into_iter().collect()),
        ..SandboxOptions::default()
    });
    assert_eq!(upload(&narrow, "a", b"").code().1, "INVALID_MODULE");
    assert_eq!(call(&narrow, "GET", &ATTACHMENTS.replace("Leads", "Vessels")).status, 204);
    let other = ATTACHMENTS.replace("Leads", "Vessels").replace("291009", "291010");
    assert_eq!(call(&narrow, "GET", &other).code(), (400, "INVALID_DATA".into()));
    let ids = format!("/crm/v2/Vessels?ids=738964000000291010,{RECORD}&fields=id");
    assert_eq!(call(&narrow, "GET", &ids).json()["data"], json!([{"id": RECORD}]));
    assert_eq!(call(&narrow, "GET", "/crm/v2/Vessels/738964000000291010").status, 204);
    let users = call(&narrow, "GET", "/crm/v2/users?type=CurrentUser").json();
    assert_eq!(users["users"][0]["id"], SandboxUser::default().id);
    let modules = call(&narrow, "GET", "/crm/v2/settings/modules").json();
    assert_eq!(modules["modules"][0]["api_name"], "Vessels");
    assert_eq!(modules["modules"][0]["generated_type"], "custom");
    assert_eq!(call(&narrow, "GET", "/crm/v2/org").json()["org"][0]["license_details"]["paid_type"], "enterprise");
}

#[test]
fn the_newer_profile_answers_as_the_newer_specification_has_it() {
    let server = start(SandboxOptions { profile: Dialect::OasV8, max_bytes: 500, ..SandboxOptions::default() });
    assert_eq!(upload(&server, "a.txt", &[0; 600]).code(), (413, "BODY_SIZE_REACHED".into()));
    assert_eq!(upload(&server, "setup.exe", b"MZ").code(), (200, "SUCCESS".into()));
    assert_eq!(post(&server, ATTACHMENTS, MULTIPART, b"--xyz--\r\n").code(), (400, "MANDATORY_NOT_FOUND".into()));
    let v8 = ATTACHMENTS.replace("/v2/", "/v8/");
    assert_eq!(call(&server, "GET", &v8).code(), (400, "REQUIRED_PARAM_MISSING".into()));
    let listed = call(&server, "GET", &format!("{v8}?fields=Size")).json();
    assert_eq!(listed["data"], json!([{"id": "700000000002000001", "Size": "2"}]));
    let empty = call(&server, "GET", &ATTACHMENTS.replace("291009", "291010"));
    assert_eq!((empty.status, empty.json()), (200, json!({"data": []})));
}

#[test]
fn tokens_run_out_and_new_ones_are_granted() {
    let server = start(SandboxOptions { token_life: Duration::ZERO, ..SandboxOptions::default() });
    assert_eq!(call(&server, "GET", ATTACHMENTS).code(), (401, "INVALID_TOKEN".into()));
    let server = start(SandboxOptions { refusal_status: 400, ..SandboxOptions::default() });
    let kind = "application/x-www-form-urlencoded";
    let form = b"grant_type=refresh_token&client_id=a&client_secret=b&refresh_token=c";
    let granted = post(&server, "/oauth/v2/token", kind, form).json();
    assert_eq!((&granted["api_domain"], &granted["expires_in"]), (&json!(server.url()), &json!(3600)));
    let token = format!("Zoho-oauthtoken {}", granted["access_token"].as_str().unwrap());
    assert_eq!(parse(&raw(&server, "GET", ATTACHMENTS, &token, "", b"")).status, 204);
    let query = "/oauth/v2/token?grant_type=refresh_token&client_id=a&client_secret=b&refresh_token=c";
    for _ in 1..10 {
        assert!(call(&server, "POST", query).json()["access_token"].is_string());
    }
    let refused = call(&server, "POST", query);
    assert_eq!(refused.code(), (400, "Access Denied".into()));
    assert_eq!(server.stats().tokens, 11);
}

#[test]
fn pages_are_cut_as_told_and_can_drift_once() {
    let server = start(SandboxOptions { page_size: 2, drifting_pages: 1, ..SandboxOptions::default() });
    for name in ["1", "2", "3", "4", "5"] {
        upload(&server, name, b"");
    }
    let names = |query: &str| -> Vec<String> {
        let page = call(&server, "GET", &format!("{ATTACHMENTS}{query}")).json();
        let data = page["data"].as_array().cloned().unwrap_or_default();
        data.iter().map(|entry| entry["File_Name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("?page=1"), ["5", "4"]);
    assert_eq!(names("?page=2"), ["2", "1"], "3 is missed, as if 4 or 5 had gone meanwhile");
    assert_eq!(names("?page=2"), ["3", "2"]);
    assert_eq!(names("?page=3&per_page=200"), ["1"]);
}

#[test]
fn lists_can_begin_with_what_came_first() {
    let server = start(SandboxOptions { order: ListOrder::OldestFirst, ..SandboxOptions::default() });
    upload(&server, "1", b"");
    upload(&server, "2", b"");
    assert_eq!(call(&server, "GET", ATTACHMENTS).json()["data"][0]["File_Name"], "1");
}

#[test]
fn the_storage_can_be_full() {
    let server = start(SandboxOptions { storage: Some(5), ..SandboxOptions::default() });
    assert_eq!(upload(&server, "a", b"1234").status, 200);
    assert_eq!(upload(&server, "b", b"12").code(), (400, "LIMIT_REACHED".into()));
    assert_eq!(upload(&server, "c", b"1").status, 200);
}

#[test]
fn new_attachments_stay_out_of_lists_for_the_lag() {
    let server = start(SandboxOptions { lag: Duration::from_secs(3600), ..SandboxOptions::default() });
    upload(&server, "a", b"");
    assert_eq!(call(&server, "GET", ATTACHMENTS).status, 204);
    assert_eq!(server.created().len(), 1);
}

#[test]
fn a_name_that_the_record_has_already_gets_a_number_if_told_so() {
    let server = start(SandboxOptions { rename: Rename::Twins, ..SandboxOptions::default() });
    upload(&server, "a.txt", b"1");
    server.attach_as(SandboxUser::default(), "Leads", RECORD, "a.txt", b"2").unwrap();
    let names: Vec<String> = server.created().into_iter().map(|file| file.name).collect();
    assert_eq!(names, ["a.txt", "a (1).txt"]);
}

#[test]
fn credits_run_out_and_their_rest_is_told_from_the_middle_on() {
    let server = start(SandboxOptions { credits: Some(2), ..SandboxOptions::default() });
    let rest = || {
        let answer = call(&server, "GET", ATTACHMENTS);
        (answer.status, answer.header("x-api-credits-remaining").map(str::to_owned))
    };
    assert_eq!([rest(), rest()], [(204, Some("1".into())), (204, Some("0".into()))]);
    assert_eq!(rest(), (429, Some("0".into())));
}

#[test]
fn more_calls_at_once_than_allowed_are_refused() {
    let options =
        SandboxOptions { max_in_flight: Some(1), latency: Duration::from_secs(5), ..SandboxOptions::default() };
    let server = start(options);
    let body = multipart(&[file_part("a.txt", b"a")]);
    let mut first = connect(&server);
    let more = format!("Content-Type: {MULTIPART}\r\n");
    let head = head("POST", ATTACHMENTS, "Zoho-oauthtoken sandbox-test", &more, body.len());
    first.write_all(&[head.as_bytes(), &body].concat()).unwrap();
    until(|| server.created().len() == 1);
    assert_eq!(call(&server, "GET", ATTACHMENTS).code(), (429, "TOO_MANY_REQUESTS".into()));
    drop(first);
    until(|| call(&server, "GET", ATTACHMENTS).status == 200);
    assert!(server.stats().most_in_flight == 1 && server.stats().too_many >= 1);
}

/// Waits for something that must come.
fn until(mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < end, "it did not come");
        std::thread::yield_now();
    }
}

#[test]
fn a_client_that_hangs_up_midway_leaves_nothing() {
    let server = start(SandboxOptions { keep: Keep::Temporarily, ..SandboxOptions::default() });
    let body = multipart(&[file_part("a.txt", &[1; 5000])]);
    for sent in [0, 40, 3000, body.len() - 12] {
        let mut stream = connect(&server);
        let more = format!("Content-Type: {MULTIPART}\r\n");
        let head = head("POST", ATTACHMENTS, "Zoho-oauthtoken sandbox-test", &more, body.len());
        stream.write_all(&[head.as_bytes(), &body[..sent]].concat()).unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
    }
    until(|| server.stats().uploads == 4);
    // A complete one after them: had one of the others been stored, it would stand before it.
    assert_eq!(upload(&server, "b.txt", b"b").status, 200);
    let names: Vec<String> = server.created().into_iter().map(|file| file.name).collect();
    assert_eq!(names, ["b.txt"]);
}

#[test]
fn the_date_can_be_wrong_or_missing() {
    let date = |date| {
        call(&start(SandboxOptions { date, ..SandboxOptions::default() }), "GET", ATTACHMENTS)
            .header("date")
            .map(parse_date)
    };
    let right = date(DateHeader::Right).unwrap();
    let ahead = date(DateHeader::Skewed(7200)).unwrap();
    assert!((7190..7210).contains(&(ahead - right)), "{ahead} {right}");
    assert_eq!(date(DateHeader::Off), None);
}

fn parse_date(text: &str) -> i64 {
    let time = text.trim_end_matches(" GMT");
    let time = jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S", time).unwrap();
    jiff::tz::TimeZone::UTC.to_timestamp(time).unwrap().as_second()
}

#[test]
fn errors_can_stand_inside_data() {
    let server = start(SandboxOptions { error_shape: ErrorShape::InData, ..SandboxOptions::default() });
    let answer = call(&server, "GET", &ATTACHMENTS.replace("Leads", "leads"));
    assert_eq!(answer.json()["data"][0]["code"], "INVALID_MODULE");
}

#[test]
fn a_head_without_end_is_refused() {
    let server = start(SandboxOptions::default());
    let answer = raw(&server, "GET", &format!("/{}", "x".repeat(40_000)), "", "", b"");
    assert_eq!(parse(&answer).status, 431);
}

#[test]
fn only_this_machine_is_served() {
    let listen = "0.0.0.0:0".parse().unwrap();
    let error = SandboxServer::start(SandboxOptions { listen, ..SandboxOptions::default() }).unwrap_err();
    assert_eq!(error.to_string(), "a sandbox listens on loopback only, such as 127.0.0.1:0, not on 0.0.0.0:0");
}

#[test]
fn a_token_that_no_header_could_carry_is_refused() {
    for token in ["", "two words", "ümlaut", "line\n"] {
        assert!(
            SandboxServer::start(SandboxOptions { token: Some(token.into()), ..SandboxOptions::default() }).is_err(),
            "{token}"
        );
    }
}

#[test]
fn a_server_that_stopped_lets_go_of_its_port() {
    let server = start(SandboxOptions::default());
    let listen = server.url().trim_start_matches("http://").parse().unwrap();
    let mut open = connect(&server);
    server.stop();
    assert_eq!(open.read(&mut [0; 1]).unwrap_or(0), 0, "connections end with it");
    assert!(SandboxServer::start(SandboxOptions { listen, ..SandboxOptions::default() }).is_ok());
}

mod faults {
    use super::*;

    /// Meets a fault with a small and with a large upload. Says what came back for the small one, and how many of the
    /// two were stored.
    fn meet(spec: &str) -> (Vec<u8>, usize) {
        let server = with_fault(spec);
        let answer = raw_upload(&server, b"small");
        raw_upload(&server, &vec![7; 3 << 20]);
        (answer, server.created().len())
    }

    #[test]
    fn refusals_answer_and_store_nothing() {
        let cases = [
            ("429", 429, "TOO_MANY_REQUESTS"),
            ("500-before", 500, "INTERNAL_ERROR"),
            ("early-401", 401, "INVALID_TOKEN"),
            ("early-413", 413, "BODY_SIZE_REACHED"),
            ("no-permission", 403, "NO_PERMISSION"),
            ("not-authorized", 400, "AUTHORIZATION_FAILED"),
        ];
        for (spec, status, code) in cases {
            let (answer, stored) = meet(spec);
            assert_eq!((parse(&answer).code(), stored), ((status, code.to_owned()), 0), "{spec}");
        }
    }

    #[test]
    fn an_early_answer_to_a_large_body_is_lost_with_the_connection() {
        let server = with_fault("early-413");
        assert_eq!(post(&server, ATTACHMENTS, MULTIPART, &[7; 60_000]).status, 413);
        let mut stream = connect(&server);
        let more = format!("Content-Type: {MULTIPART}\r\n");
        let request = head("POST", ATTACHMENTS, "Zoho-oauthtoken sandbox-test", &more, 64 << 20);
        stream.write_all(request.as_bytes()).unwrap();
        let piece = [7; 64 << 10];
        assert!((0..1024).any(|_| stream.write_all(&piece).is_err()), "a client in the middle of its body is cut off");
    }

    #[test]
    fn a_connection_is_cut_without_a_word_where_it_is_told() {
        for (spec, expected) in [("cut-before", 0), ("cut-inside", 0), ("cut-after", 0), ("cut-stored", 2)] {
            let (answer, stored) = meet(spec);
            assert_eq!((answer.as_slice(), stored), (&b""[..], expected), "{spec}");
        }
    }

    #[test]
    fn an_attachment_can_be_stored_after_its_connection_was_cut() {
        let server = with_fault("cut-stored,delay=100ms");
        let begin = Instant::now();
        assert_eq!(raw_upload(&server, b"a"), b"");
        until(|| server.created().len() == 1);
        assert!(begin.elapsed() >= Duration::from_millis(90), "{:?}", begin.elapsed());
    }

    #[test]
    fn half_a_file_is_stored_only_if_told_so() {
        let faults = vec!["cut-inside".parse().unwrap()];
        let server = start(SandboxOptions { faults, stores_incomplete: true, ..SandboxOptions::default() });
        assert_eq!(raw_upload(&server, &[7; 1000]), b"");
        until(|| server.created().len() == 1);
        assert!((400..600).contains(&server.created()[0].size));
    }

    #[test]
    fn an_answer_without_a_body_stops_in_its_head() {
        let server = with_fault("truncated,on=list");
        let answer = raw(&server, "GET", ATTACHMENTS, "Zoho-oauthtoken sandbox-test", "", b"");
        assert!(answer.starts_with(b"HTTP/1.1 204") && !answer.ends_with(b"\r\n\r\n"));
    }

    #[test]
    fn a_500_can_hide_that_the_attachment_was_stored() {
        let (answer, stored) = meet("500-after");
        assert_eq!((parse(&answer).code(), stored), ((500, "INTERNAL_ERROR".to_owned()), 2));
    }

    #[test]
    fn an_answer_stops_in_the_middle() {
        let (answer, stored) = meet("truncated");
        let answer = parse(&answer);
        let promised: usize = answer.header("content-length").unwrap().parse().unwrap();
        assert_eq!((answer.status, answer.body.len(), stored), (200, promised / 2, 2));
        assert_eq!(answer.json(), Value::Null);
    }

    #[test]
    fn an_answer_is_no_http() {
        let (answer, stored) = meet("garbage");
        assert!(!answer.is_empty() && !answer.starts_with(b"HTTP"));
        assert_eq!(stored, 2);
    }

    #[test]
    fn a_web_page_answers_in_the_place_of_the_service() {
        let (answer, stored) = meet("html");
        let answer = parse(&answer);
        assert_eq!((answer.status, answer.header("content-type"), stored), (200, Some("text/html; charset=utf-8"), 0));
    }

    #[test]
    fn a_slow_answer_takes_its_time_and_is_whole() {
        let server = with_fault("slow,delay=200ms");
        let begin = Instant::now();
        let answer = upload(&server, "a.txt", b"a");
        assert!(begin.elapsed() >= Duration::from_millis(190), "{:?}", begin.elapsed());
        assert_eq!(answer.code(), (200, "SUCCESS".into()));
    }

    #[test]
    fn a_redirect_leads_to_a_place_that_counts_its_visitors() {
        let server = with_fault("redirect");
        let answer = upload(&server, "a.txt", b"a");
        let place = format!("{}/_sandbox/redirected", server.url());
        assert_eq!((answer.status, answer.header("location")), (302, Some(place.as_str())));
        call(&server, "GET", "/_sandbox/redirected");
        let stats = parse(&raw(&server, "GET", "/_sandbox/stats", "", "", b"")).json();
        assert_eq!((&stats["redirected"], &stats["faults"]), (&json!(1), &json!(1)));
    }

    #[test]
    fn a_busy_answer_says_when_to_come_again_if_told_so() {
        let retry_after = |spec: &str| upload(&with_fault(spec), "a", b"").header("retry-after").map(str::to_owned);
        assert_eq!(retry_after("429"), None);
        assert_eq!(retry_after("429,retry-after=7"), Some("7".into()));
    }

    #[test]
    fn a_fault_strikes_lists_and_token_requests_when_it_is_about_them() {
        let server = with_fault("500-before,on=list,nth=2");
        assert_eq!(upload(&server, "a.txt", b"a").status, 200);
        let page = || call(&server, "GET", ATTACHMENTS).status;
        assert_eq!([page(), page(), page()], [200, 500, 200]);
        let grant = "/oauth/v2/token?grant_type=refresh_token&client_id=a&client_secret=b&refresh_token=c";
        let denial = |spec: &str| call(&with_fault(spec), "POST", grant).code();
        assert_eq!(denial("429,on=token"), (200, "Access Denied".into()));
        assert_eq!(denial("not-authorized,on=token"), (200, "invalid_code".into()));
        assert_eq!(denial("no-permission,on=token"), (200, "invalid_client".into()));
        assert_eq!(denial("500-before,on=token").0, 500);
    }

    #[test]
    fn what_the_service_refuses_anyway_meets_no_fault_of_the_answer() {
        let server = with_fault("cut-stored");
        assert_eq!(upload(&server, "a.exe", b"MZ").status, 415);
    }

    #[test]
    fn a_connection_goes_on_after_a_slow_answer() {
        let server = with_fault("slow,delay=20ms,nth=1");
        let mut stream = connect(&server);
        let body = multipart(&[file_part("a.txt", b"a")]);
        let more = format!("Content-Type: {MULTIPART}\r\n");
        let request = head("POST", ATTACHMENTS, "Zoho-oauthtoken sandbox-test", &more, body.len());
        let kept_open = request.replace("Connection: close\r\n", "");
        stream.write_all(&[kept_open.as_bytes(), &body, request.as_bytes(), &body].concat()).unwrap();
        let answers = String::from_utf8(read_all(stream)).unwrap();
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2);
    }
}

#[test]
fn a_name_that_leads_here_by_somebody_elses_doing_is_refused() {
    let server = SandboxServer::start(SandboxOptions::default()).expect("a server");
    for (host, status) in [
        ("evil.example", "421"),
        ("evil.example:8080", "421"),
        ("192.168.1.5", "421"),
        ("", "421"),
        ("localhost", "200"),
        ("LOCALHOST:1", "200"),
        ("127.0.0.1:9", "200"),
        ("[::1]:9", "200"),
    ] {
        let mut stream = connect(&server);
        let request = format!("GET /_sandbox/created HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let answer = String::from_utf8_lossy(&read_all(stream)).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
    }
}

const KEYS: &str = "module,record,Legacy_Id=Old number,Secret:encrypted\n\
                    Contacts,1000000001,a,x\nContacts,1000000002,b,\nContacts,1000000003,,\n";

fn with_records(options: SandboxOptions) -> SandboxServer {
    start(SandboxOptions { records: Some(super::records::tests::read(KEYS).unwrap()), ..options })
}

#[test]
fn records_are_found_by_what_stands_in_their_fields() {
    let server = with_records(SandboxOptions::default());
    let ask = |query: &str| {
        let body = json!({"select_query": query}).to_string();
        post(&server, "/crm/v2/coql", "application/json", body.as_bytes())
    };
    let found = ask("select id, Legacy_Id from Contacts where Legacy_Id in ('a','z') limit 200").json();
    assert_eq!(found["data"], json!([{"Legacy_Id": "a", "id": "1000000001"}]));
    assert_eq!(ask("select id from Contacts where Legacy_Id = 'z' limit 200").status, 204);
    assert_eq!(ask("select id from Contacts where Secret = 'x' limit 200").code(), (400, "INVALID_QUERY".into()));
    assert_eq!(ask("select id from Kontakte where Secret = 'x'").code(), (400, "INVALID_MODULE".into()));
    assert_eq!(post(&server, "/crm/v2/coql", "text/plain", b"{}").code(), (415, "MEDIA_TYPE_NOT_SUPPORTED".into()));
    let one = |path: &str| call(&server, "GET", path).json();
    assert_eq!(one("/crm/v2/settings/modules/Contacts")["modules"].as_array().map(Vec::len), Some(1));
    assert_eq!(call(&server, "GET", "/crm/v2/settings/modules/Kontakte").code(), (400, "INVALID_DATA".into()));
    assert_eq!(
        one("/crm/v2/settings/related_lists/700000000000005001?module=Leads")["related_lists"][0]["name"],
        "Attachments"
    );
    let fields = call(&server, "GET", "/crm/v2/settings/fields?module=Contacts").json();
    assert_eq!(
        (&fields["fields"][1]["api_name"], &fields["fields"][1]["field_label"]),
        (&json!("Legacy_Id"), &json!("Old number"))
    );
    let record = call(&server, "GET", "/crm/v2/Contacts?ids=1000000001&fields=Legacy_Id").json();
    assert_eq!(record["data"], json!([{"id": "1000000001", "Legacy_Id": "a"}]));
    assert_eq!(server.stats().credits_used, 10);
}

#[test]
fn a_bulk_job_takes_its_time_and_its_result_is_a_packed_table_in_pages() {
    let mut switches = super::Switches::default();
    for set in ["bulk-delay=0", "bulk-page=2", "bulk-downloads=2"] {
        switches.set(set).unwrap();
    }
    let server = with_records(SandboxOptions { switches, ..SandboxOptions::default() });
    let order = |page: Value| {
        let query = json!({"query": {"module": {"api_name": "Contacts"}, "fields": ["id", "Legacy_Id"], "page": page}});
        let made = post(&server, "/crm/bulk/v2/read", "application/json", query.to_string().as_bytes());
        assert_eq!(made.code(), (201, "ADDED_SUCCESSFULLY".into()));
        made.json()["data"][0]["details"]["id"].as_str().unwrap().to_owned()
    };
    let first = order(json!(1));
    let state = call(&server, "GET", &format!("/crm/bulk/v2/read/{first}")).json()["data"][0].clone();
    assert_eq!((&state["state"], &state["result"]["more_records"]), (&json!("COMPLETED"), &json!(true)));
    let zip = call(&server, "GET", state["result"]["download_url"].as_str().unwrap()).body;
    assert_eq!(unpacked(&zip), "id,Legacy_Id\n1000000001,a\n1000000002,b\n");
    let second = order(json!(2));
    let result = format!("/crm/bulk/v2/read/{second}/result");
    assert_eq!(unpacked(&call(&server, "GET", &result).body), "id,Legacy_Id\n1000000003,\n");
    assert_eq!(call(&server, "GET", &result).code(), (429, "TOO_MANY_REQUESTS".into()));
    assert_eq!(call(&server, "GET", "/crm/bulk/v2/read/1").code(), (404, "RESOURCE_NOT_FOUND".into()));
    assert_eq!(server.stats().credits_used, 100, "looks at a job and downloads are not priced");
}

#[test]
fn a_bulk_job_reads_what_its_criteria_choose_page_by_page() {
    let mut switches = super::Switches::default();
    for set in ["bulk-delay=0", "bulk-page=1"] {
        switches.set(set).unwrap();
    }
    let server = with_records(SandboxOptions { switches, ..SandboxOptions::default() });
    let read = |query: Value| {
        let made =
            post(&server, "/crm/bulk/v8/read", "application/json", json!({"query": query}).to_string().as_bytes());
        let job = made.json()["data"][0]["details"]["id"].as_str().unwrap_or_default().to_owned();
        let result = call(&server, "GET", &format!("/crm/bulk/v8/read/{job}")).json()["data"][0]["result"].clone();
        (unpacked(&call(&server, "GET", &format!("/crm/bulk/v8/read/{job}/result")).body), result)
    };
    let criteria = json!({"field": {"api_name": "Legacy_Id"}, "comparator": "in", "value": ["a", "b"]});
    let query = json!({"module": {"api_name": "Contacts"}, "fields": ["id"], "page": 1, "criteria": criteria});
    let (first, result) = read(query);
    assert_eq!((first.as_str(), &result["more_records"]), ("id\n1000000001\n", &json!(true)));
    let (second, result) = read(json!({"page_token": result["next_page_token"]}));
    assert_eq!((second.as_str(), &result["more_records"]), ("id\n1000000002\n", &json!(false)));
}

#[test]
fn lists_have_the_types_of_the_interface_description() {
    let server = start(SandboxOptions { profile: Dialect::OasV8, ..SandboxOptions::default() });
    let base = "/crm/v8/Leads/738964000000291009/Attachments";
    let user = || SandboxUser::default();
    server.attach_as(user(), "Leads", "738964000000291009", "a.txt", b"hello").unwrap();
    assert_eq!(call(&server, "POST", &format!("{base}?attachmentUrl=https%3A%2F%2Fexample.com&title=x")).status, 200);
    let fields = "Owner,Modified_By,Created_By,Parent_Id,Modified_Time,Created_Time,File_Name,Size,$editable,$file_id,$type,\
                  $se_module,$state,$link_url,$attachment_type";
    let list = call(&server, "GET", &format!("{base}?fields={fields}")).json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(2));
    for entry in list["data"].as_array().unwrap() {
        for text in
            ["id", "Modified_Time", "Created_Time", "File_Name", "Size", "$file_id", "$type", "$se_module", "$state"]
        {
            assert!(entry[text].is_string(), "{text} of {entry}");
        }
        for named in ["Owner", "Modified_By", "Created_By", "Parent_Id"] {
            assert!(entry[named]["id"].is_string() && entry[named]["name"].is_string(), "{named} of {entry}");
        }
        assert!(entry["$editable"].is_boolean() && entry["$attachment_type"].is_i64(), "{entry}");
        assert!(entry["$link_url"].is_string() || entry["$link_url"].is_null(), "{entry}");
    }
    for number in ["per_page", "page", "count"] {
        assert!(list["info"][number].is_u64(), "{number}");
    }
    assert!(list["info"]["more_records"].is_boolean());
}

fn unpacked(zip: &[u8]) -> String {
    let archive = rawzip::ZipArchive::from_slice(zip).unwrap();
    let entry = archive.entries().next_entry().unwrap().unwrap();
    let packed = archive.get_entry(entry.wayfinder()).unwrap();
    let mut text = String::new();
    flate2::read::DeflateDecoder::new(packed.data()).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn every_question_has_its_scope() {
    let server =
        with_records(SandboxOptions { scopes: Some(vec!["ZohoCRM.coql.READ".into()]), ..SandboxOptions::default() });
    let no_scope = (401, "OAUTH_SCOPE_MISMATCH".to_owned());
    for path in [
        "/crm/v2/settings/fields?module=Contacts",
        "/crm/v2/settings/related_lists?module=Contacts",
        "/crm/v2/__features/user_licenses",
        "/crm/v2/__apis",
        "/crm/v2/Contacts/deleted?type=all",
        "/crm/bulk/v2/read/1",
    ] {
        assert_eq!(call(&server, "GET", path).code(), no_scope, "{path}");
    }
    let body = json!({"select_query": "select id from Contacts where id = 1000000001"}).to_string();
    let answer = post(&server, "/crm/v2/coql", "application/json", body.as_bytes());
    assert_eq!(answer.code(), no_scope, "the module's own scope is needed as well");
}
