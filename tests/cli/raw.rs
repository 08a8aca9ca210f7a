//! A service for what the sandbox does not do: it answers uploads with any bytes at all, reads them with somebody else's
//! parser, and looks into the results file at the moment in which an upload arrives.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::case::{Case, Done};

/// What the service does with one upload.
#[derive(Clone)]
pub struct Step {
    /// Whether it keeps it.
    pub stores: bool,
    /// Its answer, head and all.
    pub answer: Vec<u8>,
    /// Whether it then closes the connection.
    pub closes: bool,
}

impl Step {
    /// Answers with this status and body, keeping nothing.
    pub fn refuses(status: u16, body: &str) -> Step {
        Step::says(answer(status, "", body))
    }

    /// Keeps the upload and answers with this status and body.
    pub fn stores(status: u16, body: &str) -> Step {
        Step { stores: true, ..Step::refuses(status, body) }
    }

    /// Answers with these bytes, keeping nothing.
    pub fn says(answer: Vec<u8>) -> Step {
        Step { stores: false, answer, closes: false }
    }

    /// Keeps the upload, answers with these bytes and closes the connection.
    pub fn breaks(answer: Vec<u8>) -> Step {
        Step { stores: true, answer, closes: true }
    }
}

/// An answer with a body and further headers, each of these ended by CR LF.
pub fn answer(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Scripted\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n");
    format!("{head}{headers}\r\n{body}").into_bytes()
}

/// The body of an error as the service words it.
pub fn error(code: &str, message: &str) -> String {
    serde_json::json!({"code": code, "details": {}, "message": message, "status": "error"}).to_string()
}

/// One upload as it arrived.
#[derive(Clone, Debug)]
pub struct RawUpload {
    pub record: String,
    /// The name of its only form field.
    pub field: String,
    /// The file's name; empty for a link.
    pub name: String,
    pub bytes: Vec<u8>,
    /// The status of each line that the results file held at this moment.
    pub log: Vec<String>,
    /// Whether it was kept.
    pub stored: bool,
}

/// When a test may do something in between.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RawMoment {
    /// The head of an upload has arrived; its body waits.
    Head,
    /// The whole upload has arrived; its answer waits.
    Whole,
}

/// Told of each moment, with the number of the upload, from 0.
type Meanwhile = Box<dyn Fn(RawMoment, usize) + Send + Sync>;

/// Answers a question about a record: its path with the query, and what was asked before. `None`: the service behaves.
type Answers = Box<dyn Fn(&str, &[String]) -> Option<Vec<u8>> + Send + Sync>;

/// What the service knows and does.
struct RawState {
    script: Vec<Step>,
    for_ever: bool,
    results: PathBuf,
    arrived: Mutex<Vec<RawUpload>>,
    begun: AtomicUsize,
    meanwhile: Meanwhile,
    about: Answers,
    asked: Mutex<Vec<String>>,
}

/// A running service. Its threads end with the test program.
pub struct Raw {
    url: String,
    book: Arc<RawState>,
}

impl Raw {
    /// One that does the steps of the script in turn, one for each upload, and behaves after them; or, `for_ever`,
    /// repeats the last one. It looks into `m.results.csv` of the case.
    pub fn start(case: &Case, script: Vec<Step>, for_ever: bool) -> Raw {
        Raw::open(case, script, for_ever, Box::new(|_, _| ()), Box::new(|_, _| None))
    }

    /// One that does the steps of the script in turn and behaves after them, but for questions about records, which
    /// `about` may answer instead.
    pub fn asked_about(
        case: &Case,
        script: Vec<Step>,
        about: impl Fn(&str, &[String]) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Raw {
        Raw::open(case, script, false, Box::new(|_, _| ()), Box::new(about))
    }

    /// One that behaves, and calls `meanwhile` in the middle of each upload.
    pub fn watched(case: &Case, meanwhile: impl Fn(RawMoment, usize) + Send + Sync + 'static) -> Raw {
        Raw::open(case, Vec::new(), false, Box::new(meanwhile), Box::new(|_, _| None))
    }

    fn open(case: &Case, script: Vec<Step>, for_ever: bool, meanwhile: Meanwhile, about: Answers) -> Raw {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let book = Arc::new(RawState {
            script,
            for_ever,
            results: case.path("m.results.csv"),
            arrived: Mutex::default(),
            begun: AtomicUsize::new(0),
            meanwhile,
            about,
            asked: Mutex::default(),
        });
        let shared = Arc::clone(&book);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let book = Arc::clone(&shared);
                // A connection that ends in the middle is what many tests are about.
                thread::spawn(move || book.serve(stream).unwrap_or_default());
            }
        });
        Raw { url, book }
    }

    /// `attache run m.csv` against this service, one request at a time, with further arguments.
    pub fn run(&self, case: &Case, more: &[&str]) -> Done {
        case.finish(self.command(case, more).output())
    }

    /// The command of [`Raw::run`], not started.
    pub fn command(&self, case: &Case, more: &[&str]) -> Command {
        let mut arguments = vec!["run", "m.csv", "--api-domain", &self.url, "--yes", "--rate", "none"];
        arguments.extend(["--concurrency", "1", "--backoff", "1ms..5ms", "--settle-time", "0s"]);
        arguments.extend(more);
        let mut command = case.command(&arguments);
        command.env("ZOHO_ACCESS_TOKEN", "1000.scripted");
        command
    }

    /// The address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The paths with queries of all questions about records so far, in order.
    pub fn asked(&self) -> Vec<String> {
        self.book.asked.lock().expect("no thread of the service failed").clone()
    }

    /// Every upload that arrived whole, in order.
    pub fn arrived(&self) -> Vec<RawUpload> {
        self.book.arrived.lock().expect("no thread of the service failed").clone()
    }
}

impl RawState {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        loop {
            let Some(mut request) = RawRequest::read_head(&mut reader)? else { return Ok(()) };
            let (answer, closes) = if request.method == "GET" {
                let mut asked = self.asked.lock().expect("no thread of the service failed");
                let answer = (self.about)(&request.path, &asked);
                asked.push(request.path.clone());
                drop(asked);
                (answer.unwrap_or_else(|| self.list(&request)), false)
            } else {
                let number = self.begun.fetch_add(1, Ordering::SeqCst);
                (self.meanwhile)(RawMoment::Head, number);
                reader.read_exact(&mut request.body)?;
                let step = self.take(&request);
                (self.meanwhile)(RawMoment::Whole, number);
                (step.answer, step.closes)
            };
            stream.write_all(&answer)?;
            if closes {
                return Ok(());
            }
        }
    }

    fn list(&self, request: &RawRequest) -> Vec<u8> {
        let arrived = self.arrived.lock().expect("no thread of the service failed");
        let record = request.record();
        let entries: Vec<_> = (0u64..)
            .zip(arrived.iter())
            .filter(|(_, upload)| upload.stored && upload.record == record)
            .map(|(number, upload)| entry(number, upload))
            .collect();
        match entries.is_empty() {
            true => answer(204, &date(), ""),
            false => {
                answer(200, &date(), &serde_json::json!({"data": entries, "info": {"more_records": false}}).to_string())
            }
        }
    }

    fn take(&self, request: &RawRequest) -> Step {
        let log = self.log();
        let (field, name, bytes) = part(request);
        let mut arrived = self.arrived.lock().expect("no thread of the service failed");
        let number = arrived.len();
        let step = self.script.get(number).or_else(|| self.script.last().filter(|_| self.for_ever));
        let well = Step { stores: true, ..Step::says(answer(200, &date(), &success(number as u64))) };
        let step = step.cloned().unwrap_or(well);
        arrived.push(RawUpload { record: request.record(), field, name, bytes, log, stored: step.stores });
        step
    }

    fn log(&self) -> Vec<String> {
        let Ok(mut reader) = csv::Reader::from_path(&self.results) else { return Vec::new() };
        let status = reader.headers().ok().and_then(|names| names.iter().position(|name| name == "status"));
        let Some(status) = status else { return Vec::new() };
        reader.records().flatten().filter_map(|line| line.get(status).map(str::to_owned)).collect()
    }
}

/// The answer to a question about a record: entries of files of other people, made long ago, and whether more follow.
pub fn list_page(ids: std::ops::Range<u64>, more: bool) -> Vec<u8> {
    let entry = |number: u64| {
        serde_json::json!({"id": id(number + 500_000), "File_Name": format!("old {number}"), "Size": 7, "$link_url": null,
            "Created_Time": "2020-01-01T00:00:00+00:00", "Created_By": {"id": USER, "name": "Scripted"}})
    };
    let count = ids.end - ids.start;
    let data: Vec<_> = ids.map(entry).collect();
    let body = serde_json::json!({"data": data, "info": {"more_records": more, "count": count}});
    answer(200, &date(), &body.to_string())
}

/// The answer that says: nothing.
pub fn no_content() -> Vec<u8> {
    answer(204, &date(), "")
}

const USER: &str = "700000000000101001";

fn id(number: u64) -> String {
    (700_000_000_002_000_001 + number).to_string()
}

fn date() -> String {
    let now = jiff::Timestamp::now();
    format!(
        "Date: {}\r\n",
        jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now).expect("a date")
    )
}

/// The body of a success.
pub fn success(number: u64) -> String {
    let details = serde_json::json!({"id": id(number), "Created_By": {"id": USER, "name": "Scripted"}});
    serde_json::json!({"data": [{"code": "SUCCESS", "details": details, "message": "ok", "status": "success"}]})
        .to_string()
}

fn entry(number: u64, upload: &RawUpload) -> serde_json::Value {
    let created = jiff::Timestamp::now().to_string();
    let link = (upload.field == "attachmentUrl").then(|| String::from_utf8_lossy(&upload.bytes).into_owned());
    let user = serde_json::json!({"id": USER, "name": "Scripted"});
    serde_json::json!({"id": id(number), "File_Name": upload.name, "Size": upload.bytes.len(), "$link_url": link,
        "Created_Time": created, "Created_By": user})
}

/// One request.
struct RawRequest {
    method: String,
    path: String,
    content_type: String,
    body: Vec<u8>,
}

impl RawRequest {
    /// Leaves the body, for which there is room, to be read; `None` at the end of the connection.
    fn read_head(reader: &mut impl BufRead) -> io::Result<Option<RawRequest>> {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (mut length, mut content_type) = (0, String::new());
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().expect("a length"),
                "content-type" => value.clone_into(&mut content_type),
                _ => {}
            }
        }
        Ok(Some(RawRequest { method, path, content_type, body: vec![0; length] }))
    }

    /// `/crm/v2/{module}/{record}/Attachments`.
    fn record(&self) -> String {
        self.path.split('/').nth(4).unwrap_or_default().to_owned()
    }
}

/// The only part of a form, as a parser reads it that is not ours: field, file name, content.
fn part(request: &RawRequest) -> (String, String, Vec<u8>) {
    if request.content_type.starts_with("application/json") {
        return (String::new(), String::new(), request.body.clone());
    }
    let boundary = multer::parse_boundary(&request.content_type).expect("a form");
    let stream = Box::pin(Once(Some(request.body.clone())));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async move {
        let mut form = multer::Multipart::new(stream, boundary);
        let field = form.next_field().await.expect("a readable form").expect("a part");
        let about = (field.name().unwrap_or_default().to_owned(), field.file_name().unwrap_or_default().to_owned());
        let bytes = field.bytes().await.expect("readable content");
        assert!(form.next_field().await.expect("a readable form").is_none(), "one part and no other");
        (about.0, about.1, bytes.to_vec())
    })
}

/// A stream of one piece.
struct Once(Option<Vec<u8>>);

impl futures_core::Stream for Once {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.take().map(Ok))
    }
}
