//! What the parts of a run cost: reading and checking rows, planning them, a step of the engine, one request. The
//! results have a file of their own, `results.rs`.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use attache::internals::check::{self, Checkup};
use attache::internals::engine::{
    self, Clock, Descriptor, Descriptors, Engine, Job, JobId, ListResult, Next, RecordClaims, RecordIx, UploadResult,
};
use attache::internals::listing::ListPage;
use attache::internals::manifest::{self, Input};
use attache::internals::plan;
use attache::internals::reply::{Created, PageReply, Reply, Verdict};
use attache::internals::results::{self, RealDisk, ResendRules};
use attache::internals::units::Rate;
use attache::internals::upload::{FileFacts, FileSource, RecordId, RowKey, ServiceId, SourceKind, Upload};
use attache::internals::zoho::{ApiVersion, Client, Credentials, HttpOptions, Secret, Target, TokenOptions};
use divan::Bencher;
use divan::counter::ItemsCount;

const ROWS: u32 = 10_000;
const FILES: u32 = 100;

fn main() {
    divan::main();
}

/// A manifest of [`ROWS`] rows over [`FILES`] files.
fn manifest(folder: &Path, format: &str) -> PathBuf {
    let mut text = String::from(if format == "csv" { "module,record,file\n" } else { "version: 1\nuploads:\n" });
    for row in 0..ROWS {
        let (record, file) = (738_964_000_000_000_000 + u64::from(row), row % FILES);
        let _ = if format == "csv" {
            writeln!(text, "Leads,{record},offer-{file}.pdf")
        } else {
            writeln!(text, "  - module: Leads\n    record: {record}\n    file: offer-{file}.pdf")
        };
    }
    for file in 0..FILES {
        std::fs::write(folder.join(format!("offer-{file}.pdf")), "content").expect("a file");
    }
    let path = folder.join(format!("manifest.{format}"));
    std::fs::write(&path, text).expect("a manifest");
    path
}

fn checkup(manifest: &Path) -> Checkup {
    let manifest =
        manifest::open(&Input::Path(manifest.to_owned()), &manifest::ReadOptions::default()).expect("opened");
    check::check(manifest, &check::CheckOptions::default(), &|_| false)
}

#[divan::bench(args = ["csv", "yaml"], sample_count = 20, sample_size = 1)]
fn read_and_check_10_000_rows(bencher: Bencher<'_, '_>, format: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = manifest(folder.path(), format);
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| checkup(&path).sound);
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn plan_10_000_rows(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = manifest(folder.path(), "csv");
    let results = folder.path().join("manifest.results.csv");
    let seen = results::look(RealDisk, &results, &results::ResultsOptions::default()).expect("none yet");
    let settings = plan::PlanOptions {
        results,
        target: None,
        engine: engine::Policy::default(),
        bandwidth: None,
        credits_per_day: None,
        flags: Vec::new(),
        crosswalk: None,
        changed_files: Default::default(),
        warnings: Vec::new(),
    };
    bencher.counter(ItemsCount::new(ROWS)).with_inputs(|| checkup(&path)).bench_local_values(|mut checkup| {
        let checked = checkup.checked.take().expect("sound");
        plan::plan(&checkup.manifest, checked, &seen, &ResendRules::default(), &settings).expect("readable")
    });
}

struct OneDescriptor;

impl Descriptors for OneDescriptor {
    fn descriptor(&self, _job: JobId) -> Descriptor<'_> {
        Descriptor { name: Cow::Borrowed("offer.pdf"), size: Some(7), link: None }
    }
}

fn uploaded(id: u64) -> Reply {
    let created = Created { id: ServiceId::new(738_964_000_002_000_000 + id), time: None, by: None };
    Reply {
        verdict: Verdict::Uploaded(created),
        code: String::new(),
        message: String::new(),
        http_status: Some(200),
        took: Duration::from_millis(1),
        retry_after: None,
        credits_left: None,
    }
}

/// Every row asked for and told of, eight under way at a time.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn engine_steps_of_10_000_rows(bencher: Bencher<'_, '_>) {
    let jobs: Vec<Job> = (0..ROWS).map(|row| Job { module: 0, record: RecordIx(row), ambiguity_group: row }).collect();
    let settings = engine::Policy { concurrency: 8, rate: Rate::Unlimited, ..engine::Policy::default() };
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        let mut engine = Engine::new(jobs.clone(), Vec::new(), &OneDescriptor, settings.clone());
        let (mut now, mut under_way, mut ended) = (Duration::ZERO, Vec::new(), 0);
        loop {
            now += Duration::from_micros(10);
            match engine.poll(now) {
                Next::Upload(ticket) => under_way.push(ticket),
                Next::List(ticket) => {
                    ended += engine.handle_list(now, ticket, empty_list()).len();
                }
                Next::Wait(_) => {
                    for ticket in under_way.drain(..) {
                        let result = UploadResult::Replied {
                            reply: uploaded(u64::from(ticket.job.0)),
                            sent_at: Some(jiff::Timestamp::UNIX_EPOCH),
                            held: false,
                        };
                        ended += engine.handle_upload(now, ticket, result).len();
                    }
                }
                Next::End => return ended,
            }
        }
    });
}

fn empty_list() -> ListResult {
    let reply = PageReply::Page { page: ListPage::default(), credits_left: None };
    ListResult::Page { reply, claims: RecordClaims::default(), clock: Clock::Service }
}

/// One request, form and answer included, over a connection that stays open to a server in this process.
#[divan::bench(args = [4 * 1024, 1024 * 1024], sample_count = 20, sample_size = 50)]
fn upload_a_file_of(bencher: Bencher<'_, '_>, bytes: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("offer.pdf");
    std::fs::write(&path, vec![7; bytes]).expect("a file");
    let facts = FileFacts::of(&path.metadata().expect("a file"));
    let target = Target::rehearsal(&serve(), ApiVersion::default()).expect("loopback");
    let token = Secret::new("sandbox-none").expect("a token");
    let client = Client::new(target, Credentials::token(token), &HttpOptions::default(), TokenOptions::default());
    let client = client.expect("a client");
    let upload = Upload {
        line: 2,
        module: "Leads",
        record: RecordId::new(738_964_000_000_291_009).expect("an id"),
        kind: SourceKind::File,
        source: "offer.pdf",
        name: "offer.pdf",
        key: RowKey(1),
    };
    bencher.bench_local(|| {
        let reply = client.upload(&upload, Some(&FileSource::plain(&path, facts)), &|_| {}).reply;
        assert!(matches!(reply.verdict, Verdict::Uploaded(_)), "{reply:?}");
    });
}

/// A server for one connection, which reads a request to its end and answers; says where it is.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || -> std::io::Result<()> {
        let (stream, _) = listener.accept()?;
        let mut reader = BufReader::with_capacity(256 * 1024, stream);
        let body = r#"{"data":[{"code":"SUCCESS","details":{"id":"738964000002118002"},"status":"success"}]}"#;
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        loop {
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line)? > 2 {
                let head = line.to_ascii_lowercase();
                length = head.strip_prefix("content-length:").map_or(length, |value| value.trim().parse().unwrap_or(0));
                line.clear();
            }
            std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
            reader.get_mut().write_all(answer.as_bytes())?;
        }
    });
    url
}
