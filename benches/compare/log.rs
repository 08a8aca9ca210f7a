//! The durable log alone: what 10,000 uploads write to it, by eight threads, with nothing sent.
//!
//! It runs in a process of its own, this same program called with [`ALONE`], so that its cost is accounted like that of
//! a whole run and can be taken off it.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use attache::internals::outcome::{Outcome, Status};
use attache::internals::results::{GroupLog, Line, RealDisk, ResultsOptions, ResultsRows, SharedLog, hold};
use attache::internals::upload::{RecordId, RowKey, ServiceId, SourceKind, Upload};

use crate::input::FIRST_RECORD;

/// The first argument of the process; the results file to write follows it.
pub const ALONE: &str = "--log-alone";
/// Uploads.
pub const ROWS: u32 = 10_000;
const THREADS: u32 = 8;
const TARGET: &str = "localhost";

/// The work of the process.
pub fn write(path: &Path) -> io::Result<()> {
    let settings = ResultsOptions { target: Some(TARGET.to_owned()), ..ResultsOptions::default() };
    let log = hold(RealDisk, path, &settings).and_then(|held| held.begin(&LogRows)).map_err(io::Error::other)?;
    let log = GroupLog::new(log)?;
    let next = AtomicU32::new(0);
    let work = || -> io::Result<()> {
        loop {
            let row = next.fetch_add(1, Ordering::Relaxed);
            if row >= ROWS {
                return Ok(());
            }
            log.begin(&LogRows.blank(row).sending(jiff::Timestamp::now())).map_err(io::Error::other)?;
            log.finish(&LogRows.blank(row).ended(&outcome(row), 0)).map_err(io::Error::other)?;
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| io::Error::other("a thread panicked"))?)
    })?;
    log.close().and_then(|log| log.compact(&LogRows)).map_err(io::Error::other)?;
    Ok(())
}

fn outcome(row: u32) -> Outcome {
    Outcome {
        status: Status::Uploaded,
        code: String::new(),
        message: String::new(),
        attachment_id: Some(ServiceId::new(738_964_000_002_000_000 + u64::from(row))),
        http_status: Some(200),
        tries: 1,
        took: Duration::from_millis(1),
        sent_at: Some(jiff::Timestamp::now()),
        finished_at: Some(jiff::Timestamp::now()),
        created_time: Some("2026-01-02T03:04:05+00:00".to_owned()),
        created_by: Some(ServiceId::new(738_964_000_000_291_009)),
    }
}

/// The rows that the `small` comparison uploads.
struct LogRows;

impl ResultsRows for LogRows {
    fn columns(&self) -> &[String] {
        &[]
    }

    fn len(&self) -> u32 {
        ROWS
    }

    fn key(&self, row: u32) -> RowKey {
        RowKey(u64::from(row).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn line(&self, row: u32) -> u32 {
        row + 2
    }

    fn carried(&self, _row: u32, _each: &mut dyn FnMut(&str)) {}

    fn blank(&self, row: u32) -> Line {
        let source = format!("small/{:03}/file-{row:07}.bin", row / 1000);
        let upload = Upload {
            line: self.line(row),
            module: "Leads",
            record: RecordId::new(FIRST_RECORD + u64::from(row)).expect("an id"),
            kind: SourceKind::File,
            source: &source,
            name: source.rsplit('/').next().unwrap_or_default(),
            key: self.key(row),
        };
        Line::of(&upload, Some(4_096), TARGET, "20260102T030405Z-0000")
    }
}
