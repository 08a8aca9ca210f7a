//! The results under their lock, read once: no other run can use them, and nothing has been written yet. What a run that was
//! cut off left beside them is cleared away, and the file is made ready to be appended to.

use std::io;
use std::path::{Path, PathBuf};

use super::claims::Claims;
use super::columns::Layout;
use super::compact::{self, Old, ResultsRows, Which};
use super::disk::{Disk, Placement};
use super::error::ResultsError;
use super::log::{Condition, ResultsLog};
use super::paths::{folder_of, is_temp_of, lock_of};
use super::scan::Scan;
use super::snapshot::{ResultsOptions, ResultsSnapshot, has_one_name, see};
use super::watermark::WatermarkFile;

/// The results, read and locked: no other run can use them. Nothing has been written yet.
#[derive(Debug)]
pub struct LockedResults<D: Disk> {
    seen: ResultsSnapshot<D>,
    lock: D::Lock,
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

/// What runs that were cut off left behind when they were replacing the file.
pub(super) fn strays<D: Disk>(disk: &D, path: &Path) -> impl Iterator<Item = PathBuf> {
    disk.list(folder_of(path)).unwrap_or_default().into_iter().filter(move |name| is_temp_of(path, name))
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
        self.open(rows)
    }

    pub(super) fn open(self, rows: &dyn ResultsRows) -> Result<ResultsLog<D>, ResultsError> {
        let LockedResults { seen: ResultsSnapshot { disk, path, file, mut scan, set_aside, .. }, lock } = self;
        let layout = Layout::new(rows.columns()).with_older(&scan.layout);
        let failed = |cause| ResultsError::io("write", &path, cause);
        let mut mark = WatermarkFile::open(&disk, &path).map_err(failed)?;
        let moved = scan.history.has_moves();
        let usable = scan.len > 0 && scan.layout == layout && !scan.damaged_inside && !moved;
        let (file, len) = match file {
            Some(file) if usable => {
                if scan.whole < scan.len {
                    disk.truncate(&file, scan.whole).map_err(failed)?;
                }
                // An earlier run may have been killed between writing a line and syncing it, or between making the file
                // and syncing its folder: then a power cut would take the whole file.
                disk.sync(&file).map_err(failed)?;
                disk.sync_folder(folder_of(&path)).map_err(failed)?;
                (file, scan.whole)
            }
            old => {
                let fresh = rewrite(&disk, &path, old, &mut scan, &layout, rows, &mut mark).map_err(failed)?;
                (fresh.file, fresh.len)
            }
        };
        // What is there is durable by now.
        mark.note(scan.level).and_then(|()| mark.sync()).map_err(failed)?;
        let order = scan.order;
        let claims = Claims::default();
        Ok(ResultsLog {
            disk,
            path,
            lock,
            file,
            layout,
            len,
            level: scan.level,
            mark,
            begun_at: len,
            history: scan.history,
            order,
            claims,
            set_aside,
            condition: Condition::Sound,
        })
    }
}

fn rewrite<D: Disk>(
    disk: &D,
    path: &Path,
    file: Option<D::File>,
    scan: &mut Scan,
    layout: &Layout,
    rows: &dyn ResultsRows,
    mark: &mut WatermarkFile<D>,
) -> io::Result<compact::Fresh<D>> {
    let old = Old { disk, path, file: file.as_ref(), layout: &scan.layout };
    let mut fresh = compact::write(&old, &mut scan.history, layout, &Which::Kept { rows })?;
    if !compact::is_as_it_was(disk, &fresh, path, file.as_ref())? {
        compact::abandon(disk, fresh);
        return Err(io::Error::other("another program has put another file in its place"));
    }
    if let Some(old) = &file {
        // The mark must never be ahead of what is durable, and an earlier run may have been killed before it synced.
        disk.sync(old)?;
        disk.sync_folder(folder_of(path))?;
    }
    mark.announce(scan.level, fresh.level)?;
    compact::replace(disk, &fresh, path, file)?;
    scan.level = fresh.level;
    scan.history = std::mem::take(&mut fresh.history);
    scan.order = None;
    Ok(fresh)
}
