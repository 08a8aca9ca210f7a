//! The client against servers that are not ours: what goes over the wire, and what every kind of trouble leads to.

mod auth;
mod tls;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use super::testing::{CREATED, Receiver, TestRequest, answer, client, client_with, limited, with_headers};
use super::*;
use crate::reply::{DoubtBecause, FailedBy, ListReply, Reply, RetryBecause, StopBecause, Verdict};
use crate::upload::{FileFacts, FileSource, RecordId, RowKey, SourceKind, Upload};

fn record() -> RecordId {
    RecordId::new(738_964_000_000_291_009).expect("a record id")
}

fn upload<'a>(kind: SourceKind, source: &'a str, name: &'a str) -> Upload<'a> {
    Upload { line: 2, module: "Leads", record: record(), kind, source, name, key: RowKey(1) }
}

struct MultipartStream {
    _folder: tempfile::TempDir,
    path: PathBuf,
    facts: FileFacts,
}

fn content(bytes: &[u8]) -> MultipartStream {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("content");
    std::fs::write(&path, bytes).expect("written");
    let facts = FileFacts::at(&path);
    MultipartStream { _folder: folder, path, facts }
}

fn send_file(client: &Client, content: &MultipartStream, name: &str) -> Reply {
    client
        .upload(&upload(SourceKind::File, name, name), Some(&FileSource::plain(&content.path, content.facts)), &|_| {})
        .reply
}

fn send_link(client: &Client, address: &str, title: &str) -> Reply {
    client.upload(&upload(SourceKind::Link, address, title), None, &|_| {}).reply
}

/// The request with what differs from run to run replaced.
fn shown(request: &TestRequest) -> String {
    let boundary =
        request.header("content-type").and_then(|value| value.split_once("boundary=")).map(|(_, boundary)| boundary);
    let host = request.header("host").expect("a host");
    let body = String::from_utf8_lossy(&request.body);
    let text = format!("{}{body}", request.head).replace(host, "HOST").replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let text = boundary.map_or(text.clone(), |boundary| text.replace(boundary, "BOUNDARY"));
    text.replace("\r\n", "\u{240d}\u{240a}\n")
}

#[test]
fn an_uploaded_file_looks_like_this_on_the_wire() {
    let receiver = Receiver::start(|_, _| answer(200, CREATED));
    let reply = send_file(&receiver.client(), &content(b"hello"), "Grüße; 50% \u{1f600}.txt");
    assert!(matches!(reply.verdict, Verdict::Uploaded(_)), "{reply:?}");
    insta::assert_snapshot!(shown(&receiver.requests()[0]));
}

#[test]
fn an_attached_link_looks_like_this_on_the_wire() {
    let receiver = Receiver::start(|_, _| answer(200, CREATED));
    send_link(&receiver.client(), "https://example.org/a?b=c&d=%20", "not sent in v2");
    let target =
        Where { api_domain: Some(receiver.url()), version: "v5".parse().expect("a version"), ..Where::default() };
    let v5 = client(target.target().expect("a target"));
    send_link(&v5, "https://example.org/a", "Title");
    send_link(&v5, "https://example.org/a", "");
    let all: Vec<_> = receiver.requests().iter().map(shown).collect();
    insta::assert_snapshot!(all.join("\n----\n"));
}

#[cfg(feature = "sandbox")]
#[test]
fn a_receiver_of_others_gets_every_name_and_byte_back() {
    let names = [
        "plain.pdf".to_owned(),
        "a;b=c.pdf".to_owned(),
        "50% of it %22.pdf".to_owned(),
        "தமிழ் கோப்பு.pdf".to_owned(),
        "中文文件.docx".to_owned(),
        "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} family.png".to_owned(),
        "Cafe\u{301}.txt".to_owned(),
        "it's a, b & c + d.txt".to_owned(),
        "ü".repeat(250),
    ];
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let content = content(&bytes);
    let receiver = Receiver::start(|_, _| answer(200, CREATED));
    let client = receiver.client();
    for name in &names {
        assert!(matches!(send_file(&client, &content, name).verdict, Verdict::Uploaded(_)));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for (request, name) in receiver.requests().iter().zip(&names) {
        let boundary = multer::parse_boundary(request.header("content-type").expect("a type")).expect("a boundary");
        let body = request.body.clone();
        let stream = Box::pin(OnceStream(Some(body)));
        let (field, got, fields) = runtime.block_on(async move {
            let mut form = multer::Multipart::new(stream, boundary);
            let field = form.next_field().await.expect("readable").expect("a field");
            let about = (field.name().map(str::to_owned), field.file_name().map(str::to_owned));
            let got = field.bytes().await.expect("readable");
            let after = form.next_field().await.expect("readable").is_some();
            (about, got, after)
        });
        assert_eq!(field, (Some("file".to_owned()), Some(name.clone())));
        assert!(got == bytes, "{name}: other bytes arrived");
        assert!(!fields, "{name}: more than one field");
    }
}

/// One chunk, for a reader that wants a stream.
#[cfg(feature = "sandbox")]
struct OnceStream(Option<Vec<u8>>);

#[cfg(feature = "sandbox")]
impl futures_core::Stream for OnceStream {
    type Item = Result<Vec<u8>, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.take().map(Ok))
    }
}

#[test]
fn a_success_brings_id_time_and_user_and_the_clock_of_the_service() {
    let receiver = Receiver::start(|_, _| {
        with_headers(200, "Date: Tue, 05 May 2026 05:33:33 GMT\r\nX-API-CREDITS-REMAINING: 41\r\n", CREATED)
    });
    let client = receiver.client();
    assert_eq!(client.server_time(), None);
    let reply = send_file(&client, &content(b"hello"), "a.txt");
    let Verdict::Uploaded(created) = &reply.verdict else { panic!("{reply:?}") };
    assert_eq!(created.id.to_string(), "738964000002118002");
    assert_eq!((reply.http_status, reply.credits_left, reply.code.as_str()), (Some(200), Some(41), ""));
    let time = client.server_time().expect("a time");
    assert_eq!(time.to_string().split('.').next().map(|time| &time[..16]), Some("2026-05-05T05:33"));
}

#[test]
fn connections_are_used_again() {
    let receiver = Receiver::start(|_, _| answer(200, CREATED));
    let client = receiver.client();
    for _ in 0..3 {
        assert!(matches!(send_file(&client, &content(b"hello"), "a.txt").verdict, Verdict::Uploaded(_)));
    }
    assert_eq!(receiver.connections_made(), 1);
}

#[test]
fn a_redirect_is_never_followed_and_stops_the_run() {
    let elsewhere = Receiver::start(|_, _| answer(200, CREATED));
    let location = format!("Location: {}/x\r\n", elsewhere.url());
    let receiver = Receiver::start(move |number, _| with_headers([302, 307][number], &location, ""));
    for _ in 0..2 {
        let reply = send_file(&receiver.client(), &content(b"hello"), "a.txt");
        assert_eq!(reply.verdict, Verdict::StopInDoubt(StopBecause::Target));
        assert_eq!(reply.code, "redirected");
    }
    assert!(elsewhere.requests().is_empty());
}

/// Answers with these bytes and closes.
fn answering(bytes: &'static [u8]) -> Receiver {
    Receiver::connections(move |mut stream| {
        let _ = TestRequest::read(&mut stream);
        let _ = stream.write_all(bytes);
    })
}

#[test]
fn an_answer_that_proves_nothing_leaves_the_upload_in_doubt() {
    for bytes in [
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nConnection: close\r\n\r\n{\"data\":[{\"code\":\"SUCC" as &[u8],
        b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>hi</html>",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 502 X\r\nContent-Length: 6\r\n\r\n<html>",
        b"garbage without end\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n",
    ] {
        let reply = send_file(&answering(bytes).client(), &content(b"hello"), "a.txt");
        assert!(matches!(reply.verdict, Verdict::InDoubt(_)), "{}: {reply:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn an_answer_without_end_is_not_read_to_its_end() {
    let receiver = Receiver::connections(|mut stream| {
        let _ = TestRequest::read(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
        while stream.write_all(&[b'x'; 65536]).is_ok() {}
    });
    let reply = send_file(&receiver.client(), &content(b"hello"), "a.txt");
    assert_eq!(reply.verdict, Verdict::InDoubt(DoubtBecause::Unreadable));
}

#[test]
fn a_connection_that_ends_or_falls_silent_after_bytes_left_is_in_doubt() {
    let large = content(&vec![7; 3_000_000]);
    let cut_inside = Receiver::connections(|mut stream| {
        let _ = stream.read(&mut [0; 1000]);
    });
    let reply = send_file(&cut_inside.client(), &large, "a.bin");
    assert_eq!((reply.verdict, reply.code.as_str()), (Verdict::InDoubt(DoubtBecause::AnswerLost), "answer-lost"));
    assert!(reply.message.contains(" of 3000"), "{}", reply.message);

    let cut_after = Receiver::start(|_, _| Vec::new());
    let reply = send_file(&cut_after.client(), &content(b"hello"), "a.txt");
    assert_eq!(reply.verdict, Verdict::InDoubt(DoubtBecause::AnswerLost));

    let silent = Receiver::connections(|mut stream| {
        let _ = TestRequest::read(&mut stream);
        let _ = stream.read(&mut [0; 1]);
    });
    let impatient = client_with(silent.target(), &limited(Duration::from_millis(200)));
    let reply = send_file(&impatient, &content(b"hello"), "a.txt");
    assert_eq!(reply.verdict, Verdict::InDoubt(DoubtBecause::AnswerLost));
    assert!(reply.message.starts_with("no answer within the time limit; "), "{}", reply.message);
}

#[test]
fn without_a_connection_nothing_was_created() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let target = Where { api_domain: Some(format!("http://{port}")), ..Where::default() }.target().expect("a target");
    let reply = send_file(&client(target), &content(b"hello"), "a.txt");
    assert_eq!((reply.verdict, reply.code.as_str()), (Verdict::Retry(RetryBecause::NotConnected), "not-connected"));
}

#[test]
fn a_file_that_is_not_the_planned_one_fails_before_any_request() {
    let receiver = Receiver::start(|_, _| answer(200, CREATED));
    let content = content(b"hello");
    std::fs::write(&content.path, b"hello, longer").expect("written");
    let reply = send_file(&receiver.client(), &content, "a.txt");
    assert_eq!((reply.verdict, reply.code.as_str()), (Verdict::Failed(FailedBy::File), "file-changed"));
    std::fs::remove_file(&content.path).expect("removed");
    assert_eq!(send_file(&receiver.client(), &content, "a.txt").code, "file-gone");
    assert!(receiver.requests().is_empty());
}

#[test]
fn a_file_that_changes_on_the_way_is_in_doubt_and_never_complete() {
    let content = content(&vec![7; 8_000_000]);
    let path = content.path.clone();
    let (told, hear) = std::sync::mpsc::channel();
    let receiver = Receiver::connections(move |mut stream| {
        // More than the head, so that bytes of the file have left.
        let mut first = vec![0; 200_000];
        stream.read_exact(&mut first).expect("a request");
        std::fs::File::options().write(true).open(&path).and_then(|file| file.set_len(10)).expect("cut");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        let _ = stream.shutdown(Shutdown::Both);
        told.send(rest.ends_with(b"--\r\n")).expect("heard");
    });
    let reply = send_file(&receiver.client(), &content, "a.bin");
    assert_eq!((reply.verdict, reply.code.as_str()), (Verdict::InDoubt(DoubtBecause::FileChanged), "file-changed"));
    assert_eq!(hear.recv(), Ok(false), "the closing boundary was sent");
}

#[test]
fn a_refused_token_that_cannot_be_renewed_stops_the_run_with_what_to_do() {
    let receiver = Receiver::start(|_, _| answer(401, r#"{"code":"INVALID_TOKEN","message":"invalid oauth token"}"#));
    let client = receiver.client();
    let reply = send_file(&client, &content(b"hello"), "a.txt");
    assert_eq!((reply.verdict, reply.code.as_str()), (Verdict::Stop(StopBecause::Credentials), "credentials-refused"));
    assert_eq!(reply.http_status, Some(401));
    // Nobody asks again with it.
    send_file(&client, &content(b"hello"), "a.txt");
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn a_wait_that_the_service_asks_for_is_passed_on() {
    let receiver = Receiver::start(|_, _| with_headers(429, "Retry-After: 17\r\n", r#"{"code":"TOO_MANY_REQUESTS"}"#));
    let reply = send_file(&receiver.client(), &content(b"hello"), "a.txt");
    assert_eq!(reply.verdict, Verdict::Retry(RetryBecause::Throttled));
    assert_eq!(reply.retry_after.map(|wait| wait.as_secs()), Some(17));
}

fn list(client: &Client) -> ListReply {
    client.list("Leads", record())
}

fn listed(reply: ListReply) -> Vec<u64> {
    match reply {
        ListReply::Listed(items) => items.iter().map(|item| item.id.get()).collect(),
        ListReply::Not(reply) => panic!("{reply:?}"),
    }
}

#[test]
fn a_list_is_read_page_by_page() {
    let receiver = Receiver::start(|number, _| match number {
        0 => answer(200, r#"{"data":[{"id":"1","File_Name":"a"}],"info":{"more_records":true,"count":1}}"#),
        1 => answer(200, r#"{"data":[{"id":"2","File_Name":"b"}],"info":{"more_records":false,"count":1}}"#),
        _ => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
    });
    let client = receiver.client();
    assert_eq!(listed(list(&client)), [1, 2]);
    assert!(listed(list(&client)).is_empty());
    let lines: Vec<_> = receiver.requests().iter().map(|request| request.first_line().to_owned()).collect();
    assert_eq!(lines[0], "GET /crm/v2/Leads/738964000000291009/Attachments?per_page=200 HTTP/1.1");
    assert_eq!(lines[1], "GET /crm/v2/Leads/738964000000291009/Attachments?per_page=200&page=2 HTTP/1.1");
}

#[test]
fn the_fields_that_a_version_wants_are_learnt_once() {
    let receiver = Receiver::start(|_, request| match request.first_line() {
        line if !line.contains("fields=") => {
            answer(400, r#"{"code":"REQUIRED_PARAM_MISSING","details":{"param_name":"fields"}}"#)
        }
        line if line.contains("link_url") => answer(400, r#"{"code":"INVALID_DATA","message":"unknown field"}"#),
        _ => answer(200, r#"{"data":[{"id":"1"}],"info":{"more_records":false}}"#),
    });
    let client = receiver.client();
    assert_eq!(listed(list(&client)), [1]);
    assert_eq!(listed(list(&client)), [1]);
    assert_eq!(receiver.requests().len(), 4);
}

#[test]
fn a_list_is_never_taken_for_empty_when_it_could_not_be_read() {
    for (status, body) in
        [(200, ""), (200, "<html>"), (200, "{}"), (200, r#"{"data":[{"id":"x"}]}"#), (500, ""), (404, "")]
    {
        let receiver = Receiver::start(move |_, _| answer(status, body));
        let ListReply::Not(reply) = list(&receiver.client()) else { panic!("{status} {body} was taken for a list") };
        assert!(!matches!(reply.verdict, Verdict::InDoubt(_) | Verdict::Uploaded(_)), "{reply:?}");
    }
}
