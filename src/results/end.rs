//! How the results can fail to become a table, and what is saved when somebody else took the file away meanwhile.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::compact::ResultsTally;
use super::disk::{Disk, Placement};
use super::log::{Batch, ResultsLog};
use super::log_error::LogError;
use super::paths::{folder_of, rescued_of};
use crate::text::system_words;

/// Bytes copied in one go.
const CHUNK: usize = 256 * 1024;

/// The results of a run could not be brought to their end.
#[derive(Debug)]
pub enum EndError<D: Disk> {
    /// The path of the results leads elsewhere. What was written is still open, and can be saved.
    Displaced(Box<Displaced<D>>),
    /// Not every line could be written.
    Unwritten {
        /// The results file.
        path: PathBuf,
        /// Why not.
        cause: LogError,
    },
    /// The log is whole but could not be made a table. It loses nothing: the next run goes on from it.
    Unordered {
        /// The results file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

impl<D: Disk> fmt::Display for EndError<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndError::Displaced(displaced) => {
                write!(f, "{}: {}", displaced.path().display(), displacement(displaced.placement))
            }
            EndError::Unwritten { path, cause } => write!(
                f,
                "cannot write {}: {cause}; make room or mend the disk, then run the same command again",
                path.display()
            ),
            EndError::Unordered { path, cause } => write!(
                f,
                "{} could not be put in order: {}; nothing is lost: close it if another program has it open, then run the \
                 same command again",
                path.display(),
                system_words(cause)
            ),
        }
    }
}

impl<D: Disk> std::error::Error for EndError<D> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            EndError::Displaced(_) => None,
            EndError::Unwritten { cause, .. } => Some(cause),
            EndError::Unordered { cause, .. } => Some(cause),
        }
    }
}

/// What happened to the results file, in words that go on from its name.
pub(super) fn displacement(placement: Placement) -> &'static str {
    match placement {
        Placement::InPlace => "it is where it was",
        Placement::Linked { .. } => {
            "it was given a second name (a hard link) while this run was writing it, by which another run could use it too"
        }
        Placement::Replaced => "another file took its place while this run was writing it",
        Placement::Gone => "it was removed or given another name while this run was writing it",
    }
}

/// A log whose path leads elsewhere. The file is still open and locked, and every line that was asked for stands in it
/// or in memory.
#[derive(Debug)]
pub struct Displaced<D: Disk> {
    log: ResultsLog<D>,
    /// Where the path of the results leads.
    pub placement: Placement,
    /// Lines that were asked for when nothing was written any more.
    unwritten: Batch,
}

impl<D: Disk> Displaced<D> {
    pub(super) fn new(mut log: ResultsLog<D>, placement: Placement, unwritten: Batch) -> Displaced<D> {
        log.note_unwritten(&unwritten);
        Displaced { log, placement, unwritten }
    }

    /// Where the results were.
    pub fn path(&self) -> &Path {
        self.log.path()
    }

    /// How many rows have which status, by all lines that there are.
    pub fn tally(&self) -> ResultsTally {
        let mut tally = ResultsTally::default();
        self.log.history().iter().for_each(|kept| tally.add(kept.status));
        tally
    }

    /// The folder of the results.
    pub fn folder(&self) -> &Path {
        folder_of(self.path())
    }

    /// Saves every line of the run, and of those before it, in a new file in this folder, and says where.
    ///
    /// # Errors
    ///
    /// It cannot be read or written; then nothing is left of the new file.
    pub fn rescue(&self, folder: &Path, run: &str) -> io::Result<PathBuf> {
        let path = folder.join(rescued_of(self.path(), run));
        let disk = self.log.disk();
        let file = disk.create(&path)?;
        let saved = self.copy_to(&file).and_then(|()| disk.sync(&file)).and_then(|()| disk.sync_folder(folder));
        if saved.is_err() {
            drop(file);
            // Half of it would pass for the whole.
            let _ = disk.remove(&path);
        }
        saved.map(|()| path)
    }

    fn copy_to(&self, file: &D::File) -> io::Result<()> {
        let (disk, from) = (self.log.disk(), self.log.file());
        let mut buffer = vec![0; CHUNK];
        let mut offset = 0;
        loop {
            let read = disk.read_at(from, offset, &mut buffer)?;
            if read == 0 {
                return disk.append(file, self.unwritten.bytes());
            }
            disk.append(file, buffer.get(..read).unwrap_or_default())?;
            offset += read as u64;
        }
    }
}
