//! Holds files against the checksums that rows give: reads each such file once, in parallel, before anything is sent.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::CheckFinding;
use super::store::{RowStore, SourceIx};
use crate::checksum::Checksums;
use crate::open_file::OpenFile;
use crate::problem::ProblemCode;
use crate::upload::FileSource;

/// Bytes read at once: large enough that reading costs little beside hashing.
const CHUNK: usize = 256 * 1024;

/// Who is told how far the reading is: bytes so far, and of how many. May be told from several threads.
#[derive(Clone, Default)]
pub struct ChecksumWatch(Option<Arc<WatchedBytes>>);

/// How far the reading is.
struct WatchedBytes {
    told: Box<dyn Fn(u64, u64) + Send + Sync>,
    so_far: AtomicU64,
    of: AtomicU64,
}

impl ChecksumWatch {
    /// Tells this function.
    pub fn new(told: impl Fn(u64, u64) + Send + Sync + 'static) -> ChecksumWatch {
        let watched = WatchedBytes { told: Box::new(told), so_far: AtomicU64::new(0), of: AtomicU64::new(0) };
        ChecksumWatch(Some(Arc::new(watched)))
    }

    /// So many more bytes are going to be read.
    pub(crate) fn expect(&self, bytes: u64) {
        if let Some(watched) = &self.0 {
            watched.of.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// So many more bytes were read.
    pub(crate) fn add(&self, bytes: u64) {
        if let Some(watched) = &self.0 {
            let so_far = watched.so_far.fetch_add(bytes, Ordering::Relaxed) + bytes;
            (watched.told)(so_far, watched.of.load(Ordering::Relaxed));
        }
    }
}

impl fmt::Debug for ChecksumWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "ChecksumWatch(told)" } else { "ChecksumWatch(nobody)" })
    }
}

/// What these sources hash to, or why they cannot be read. `wanted` says which kinds of checksum somebody asks for.
pub(super) fn read(
    files: &[(SourceIx, FileSource)],
    watch: &ChecksumWatch,
) -> HashMap<SourceIx, Result<Checksums, String>> {
    watch.expect(files.iter().map(|(_, file)| file.facts.size).sum());
    let read = |(source, file): &(SourceIx, FileSource)| (*source, hash(file, &|bytes| watch.add(bytes)));
    // Hashing keeps a processor busy, unlike looking: as many threads as there are processors.
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len());
    match rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|ix| format!("hash-{ix}")).build() {
        // One by one: a few large files among many small ones must not wait for each other in one thread.
        Ok(pool) if threads > 1 => pool.install(|| files.par_iter().with_max_len(1).map(read).collect()),
        _ => files.iter().map(read).collect(),
    }
}

fn hash(file: &FileSource, progress: &dyn Fn(u64)) -> Result<Checksums, String> {
    let mut open = OpenFile::open(file).map_err(|trouble| trouble.to_string())?;
    let mut chunk = vec![0; CHUNK];
    loop {
        match open.read(&mut chunk).map_err(|error| error.to_string())? {
            0 => return open.end().map_err(|trouble| trouble.to_string()),
            count => progress(count as u64),
        }
    }
}

/// What is wrong with a file of which a row gives these checksums.
pub(super) fn judge(wanted: &Checksums, read: &Result<Checksums, String>) -> Option<CheckFinding> {
    match read {
        Err(why) => Some(CheckFinding::new(
            ProblemCode::FileUnreadable,
            format!("the file cannot be read for its checksum: {why}"),
            "look at the path and at what it leads to",
        )),
        Ok(found) => wanted.difference(found).map(|difference| {
            CheckFinding::new(
                ProblemCode::ChecksumDiffers,
                difference.to_string(),
                "copy the file anew from where it came, or correct the checksum",
            )
        }),
    }
}

/// The files that checksums are given of, each once, with the kinds that some row asks for.
pub(super) fn files(
    store: &RowStore,
    base: &std::path::Path,
    rows: impl Iterator<Item = (SourceIx, Checksums)>,
) -> Vec<(SourceIx, FileSource)> {
    let mut kinds: HashMap<SourceIx, Checksums> = HashMap::new();
    for (source, checksums) in rows {
        let known = kinds.entry(source).or_default();
        *known = known.kinds_of_both(checksums);
    }
    let mut files: Vec<_> =
        kinds.into_iter().filter_map(|(source, kinds)| Some((source, store.file(source, base, kinds)?))).collect();
    files.sort_unstable_by_key(|(source, _)| *source);
    files
}
