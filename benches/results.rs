//! What the results cost: one line, one row through the log with eight threads, and taking up a file of 200,000 rows.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use attache::internals::outcome::{Outcome, Status};
use attache::internals::results::{
    GroupLog, Layout, Line, RealDisk, ResultsOptions, ResultsRows, SharedLog, hold, read,
};
use attache::internals::upload::{RecordId, RowKey, ServiceId, SourceKind, Upload};
use divan::Bencher;

fn main() {
    divan::main();
}

const TARGET: &str = "www.zohoapis.eu";
const SETTLED: u32 = 200_000;

fn line(key: u32) -> Line {
    let source = format!("offers/2024/angebot-{key}.pdf");
    let upload = Upload {
        line: key + 2,
        module: "Leads",
        record: RecordId::new(738_964_000_000_291_009 + u64::from(key / 3)).expect("an id"),
        kind: SourceKind::File,
        source: &source,
        name: &source[12..],
        key: RowKey(u64::from(key).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
    };
    Line::of(&upload, Some(4_096), TARGET, "20260310T091459Z-4f2a")
}

fn outcome(key: u32) -> Outcome {
    Outcome {
        status: Status::Uploaded,
        code: String::new(),
        message: "attachment uploaded successfully".to_owned(),
        attachment_id: Some(ServiceId::new(738_964_000_001_000_000 + u64::from(key))),
        http_status: Some(200),
        tries: 1,
        took: Duration::from_millis(312),
        sent_at: "2026-03-10T09:15:00Z".parse().ok(),
        finished_at: "2026-03-10T09:15:01Z".parse().ok(),
        created_time: Some("2026-03-10T10:15:01+01:00".to_owned()),
        created_by: Some(ServiceId::new(738_964_000_000_100_001)),
    }
}

struct BenchRows(u32);

impl ResultsRows for BenchRows {
    fn columns(&self) -> &[String] {
        &[]
    }

    fn len(&self) -> u32 {
        self.0
    }

    fn key(&self, row: u32) -> RowKey {
        RowKey(u64::from(row).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn line(&self, row: u32) -> u32 {
        row + 2
    }

    fn carried(&self, _row: u32, _each: &mut dyn FnMut(&str)) {}

    fn blank(&self, row: u32) -> Line {
        line(row)
    }
}

fn settings() -> ResultsOptions {
    ResultsOptions { target: Some(TARGET.to_owned()), ..ResultsOptions::default() }
}

/// A table of 200,000 rows that are all done.
fn settled(folder: &Path) -> PathBuf {
    let path = folder.join("settled.results.csv");
    let manifest = BenchRows(SETTLED);
    let mut log = hold(RealDisk, &path, &settings()).expect("free").begin(&manifest).expect("begins");
    for key in 0..SETTLED {
        log.append(&line(key).ended(&outcome(key), 0)).expect("written");
    }
    log.compact(&manifest).expect("compacted");
    path
}

#[divan::bench]
fn write_a_line(bencher: Bencher<'_, '_>) {
    let (line, layout) = (line(7).ended(&outcome(7), 0), Layout::default());
    let mut out = Vec::new();
    bencher.bench_local(|| {
        out.clear();
        line.encode(&layout, &mut out);
        out.len()
    });
}

#[divan::bench]
fn read_a_line(bencher: Bencher<'_, '_>) {
    let (line, layout) = (line(7).ended(&outcome(7), 0), Layout::default());
    let mut out = Vec::new();
    line.encode(&layout, &mut out);
    bencher.bench_local(|| Line::decode(&out[..out.len() - 1], &layout));
}

/// Both lines of a row, the first of them waited for, with eight threads at once.
#[divan::bench(threads = [1, 8], sample_count = 1, sample_size = 2_000)]
fn a_row_through_the_log(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir_in(".").expect("a folder");
    let path = folder.path().join("a.results.csv");
    let log = hold(RealDisk, &path, &settings()).expect("free").begin(&BenchRows(1)).expect("begins");
    let log = GroupLog::new(log).expect("a thread");
    let next = AtomicU64::new(0);
    bencher.bench(|| {
        let key = u32::try_from(next.fetch_add(1, Ordering::Relaxed)).expect("few rows");
        log.begin(&line(key).sending(jiff::Timestamp::UNIX_EPOCH)).expect("begun");
        log.finish(&line(key).ended(&outcome(key), 0)).expect("finished");
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn take_up_200_000_settled_rows(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = settled(folder.path());
    let manifest = BenchRows(SETTLED);
    bencher.bench_local(|| {
        let log = hold(RealDisk, &path, &settings()).expect("free").begin(&manifest).expect("begins");
        log.compact(&manifest).expect("in order").totals
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn put_200_000_rows_in_order(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = settled(folder.path());
    let manifest = BenchRows(SETTLED);
    bencher.bench_local(|| {
        let mut log = hold(RealDisk, &path, &settings()).expect("free").begin(&manifest).expect("begins");
        log.append(&line(0).ended(&outcome(0), 0)).expect("written");
        log.compact(&manifest).expect("compacted").totals
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn read_200_000_rows(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = settled(folder.path());
    bencher.bench_local(|| read(&path, false).expect("sound").rows().filter(Result::is_ok).count());
}
