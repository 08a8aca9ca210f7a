//! The results under their lock, read once: no other run can use them, what a run that was cut off left beside them is
//! cleared away, and nothing has been written yet.

use std::path::Path;

use super::compact::ResultsRows;
use super::disk::{Disk, Placement};
use super::error::ResultsError;
use super::log::ResultsLog;
use super::paths::lock_of;
use super::snapshot::{ResultsOptions, ResultsSnapshot, has_one_name, see, strays};

/// The results, read and locked: no other run can use them. Nothing has been written yet.
#[derive(Debug)]
pub struct LockedResults<D: Disk> {
    pub(super) seen: ResultsSnapshot<D>,
    pub(super) lock: D::Lock,
}

/// Takes the lock, clears away what a cut-off run left behind, and reads the results.
///
/// # Errors
///
/// No results can be kept in this place, another run has the lock, the file cannot be read, or it is none that these
/// options let a run use.
pub fn hold<D: Disk>(disk: D, path: &Path, options: &ResultsOptions) -> Result<LockedResults<D>, ResultsError> {
    disk.check_place(path).map_err(ResultsError::Place)?;
    let lock_path = lock_of(path);
    let lock = disk.lock(&lock_path).map_err(|cause| ResultsError::io("lock", &lock_path, cause))?;
    let lock = lock.ok_or(ResultsError::Locked { lock: lock_path })?;
    remove_strays(&disk, path);
    let file = disk.open(path).map_err(|cause| ResultsError::io("open", path, cause))?;
    if let Some(file) = &file {
        claim(&disk, path, file)?;
    }
    Ok(LockedResults { seen: see(disk, path, file, options)?, lock })
}

/// Locks the file itself, beside the lock that stands next to it: who comes to it by another name, or took that lock's
/// file away, must not get at it either.
fn claim<D: Disk>(disk: &D, path: &Path, file: &D::File) -> Result<(), ResultsError> {
    let in_use = || ResultsError::Locked { lock: path.to_owned() };
    if !disk.claim(file).map_err(|cause| ResultsError::io("lock", path, cause))? {
        return Err(in_use());
    }
    match has_one_name(disk, path, file)? {
        // A run that was ending has put its table there since the file was opened.
        Placement::Replaced | Placement::Gone => Err(in_use()),
        Placement::InPlace | Placement::Linked { .. } => Ok(()),
    }
}

/// Only under the lock, so that no file that somebody is still writing is taken away.
fn remove_strays<D: Disk>(disk: &D, path: &Path) {
    for stray in strays(disk, path) {
        // It does no harm, so neither does failing to remove it.
        let _ = disk.remove(&stray);
    }
}

impl<D: Disk> LockedResults<D> {
    /// The results as they were found.
    pub fn seen(&self) -> &ResultsSnapshot<D> {
        &self.seen
    }

    /// The same, to have lines taken over.
    pub fn seen_mut(&mut self) -> &mut ResultsSnapshot<D> {
        &mut self.seen
    }

    /// Makes the file ready to be appended to: a new one gets its header, a torn end is cut off, a file with damage
    /// inside or with other carried columns is written anew.
    pub fn begin(self, rows: &dyn ResultsRows) -> Result<ResultsLog<D>, ResultsError> {
        self.seen.belongs_to(rows)?;
        ResultsLog::begin(self, rows)
    }
}
