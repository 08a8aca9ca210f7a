//! What runs that are under way are about to send: each announces it beside its results, so that two manifests with the same
//! rows that are started at one moment do not both send them. (Once a row was sent, the results of its run tell of it.)
//!
//! A run announces what it is about to send and reads what others have announced in one go, under a lock of the folder: of
//! two, the second sees the first. An announcement counts as long as its run holds it; what a run that was killed left behind
//! counts for nothing, and what that run had sent stands in its results.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::disk::{Disk as _, RealDisk};
use super::paths::{announcement_of, folder_lock_of, folder_of, results_of_announcement};
use crate::text::is_held_by_another;
use crate::upload::RowKey;

/// How long the lock of the folder is waited for. Who has it needs moments.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// How an announcement begins; the target and a newline follow, then the keys, 8 bytes each.
const HEAD: &str = "attache under way 1 ";

/// What this run announced. Withdrawn when dropped.
#[derive(Debug)]
pub struct Announcement {
    path: PathBuf,
    /// Open and locked: that is how others see that the run is under way.
    file: File,
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // What is left behind counts for nothing, and the next run takes it away.
        let _ = RealDisk.remove(&self.path);
    }
}

/// What another run is about to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunUnderWay {
    /// Its results file.
    pub results: PathBuf,
    /// Its uploads, sorted.
    uploads: Vec<RowKey>,
}

impl RunUnderWay {
    /// Whether it is about to send this.
    pub fn sends(&self, upload: RowKey) -> bool {
        self.uploads.binary_search(&upload).is_ok()
    }
}

/// Announces what the run with these results is about to send to this target, and says what others in the folder are.
///
/// # Errors
///
/// When the folder cannot be read or written.
pub fn announce(
    results: &Path,
    target: &str,
    mut uploads: Vec<RowKey>,
) -> io::Result<(Announcement, Vec<RunUnderWay>)> {
    let _locked = lock_folder(&folder_lock_of(results))?;
    let path = announcement_of(results);
    // A run that was killed left it: this one has the lock of the results.
    match RealDisk.remove(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    uploads.sort_unstable();
    let file = RealDisk.create(&path)?;
    RealDisk.claim(&file)?;
    let announcement = Announcement { path, file };
    RealDisk.append(&announcement.file, &encode(target, &uploads))?;
    Ok((announcement, others(results, target)?))
}

fn lock_folder(path: &Path) -> io::Result<File> {
    let mut waited = Duration::ZERO;
    loop {
        if let Some(lock) = RealDisk.lock(path)? {
            return Ok(lock);
        }
        if waited >= PATIENCE {
            let what = format!("another run has not given {} up for {PATIENCE:?}", path.display());
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        }
        std::thread::sleep(PAUSE);
        waited += PAUSE;
    }
}

fn others(results: &Path, target: &str) -> io::Result<Vec<RunUnderWay>> {
    let mut found = Vec::new();
    let mut paths = RealDisk.list(folder_of(results))?;
    paths.sort_unstable();
    for path in paths {
        let Some(theirs) = results_of_announcement(&path).filter(|theirs| theirs.file_name() != results.file_name())
        else {
            continue;
        };
        if !is_held(&path)? {
            let _ = RealDisk.remove(&path);
            continue;
        }
        let mut bytes = Vec::new();
        if let Some(mut file) = RealDisk.open_to_read(&path)? {
            file.read_to_end(&mut bytes)?;
        }
        found.extend(decode(&bytes, target).map(|uploads| RunUnderWay { results: theirs, uploads }));
    }
    Ok(found)
}

/// Whether the run that made the announcement is still there.
fn is_held(path: &Path) -> io::Result<bool> {
    match RealDisk.open(path) {
        Ok(Some(file)) => Ok(!RealDisk.claim(&file)?),
        Ok(None) => Ok(false),
        Err(error) if is_held_by_another(&error) => Ok(true),
        Err(error) => Err(error),
    }
}

fn encode(target: &str, uploads: &[RowKey]) -> Vec<u8> {
    let mut bytes = format!("{HEAD}{target}\n").into_bytes();
    bytes.extend(uploads.iter().flat_map(|key| key.0.to_le_bytes()));
    bytes
}

/// The uploads, if they go to this target.
fn decode(bytes: &[u8], target: &str) -> Option<Vec<RowKey>> {
    let keys = bytes.strip_prefix(format!("{HEAD}{target}\n").as_bytes())?;
    Some(keys.as_chunks::<8>().0.iter().map(|key| RowKey(u64::from_le_bytes(*key))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_runs_the_second_sees_what_the_first_is_about_to_send() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let keys = |keys: &[u64]| keys.iter().copied().map(RowKey).collect::<Vec<_>>();
        let (first, seen) = announce(&at("a.results.csv"), "here", keys(&[3, 1])).expect("announced");
        assert_eq!(seen, []);
        let (second, seen) = announce(&at("b.results.csv"), "here", keys(&[1, 2])).expect("announced");
        let [seen] = &seen[..] else { panic!("one run: {seen:?}") };
        assert_eq!(seen.results, at("a.results.csv"));
        assert!(seen.sends(RowKey(1)) && seen.sends(RowKey(3)) && !seen.sends(RowKey(2)));
        let (third, seen) = announce(&at("c.results.csv"), "elsewhere", keys(&[1])).expect("announced");
        assert_eq!(seen, [], "what goes to another target is another thing");
        drop((first, third));
        let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").flatten().collect();
        assert_eq!(left.len(), 2, "the lock of the folder, and what the second announced: {left:?}");
        drop(second);
    }

    #[test]
    fn what_a_killed_run_announced_counts_for_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let (killed, new) = (folder.path().join("a.results.csv"), folder.path().join("b.results.csv"));
        for results in [&new, &killed] {
            std::fs::write(announcement_of(&killed), encode("here", &[RowKey(1)])).expect("written");
            let (announced, seen) = announce(results, "here", vec![RowKey(1)]).expect("announced");
            assert_eq!(seen, [], "{}", results.display());
            drop(announced);
            assert!(!announcement_of(&killed).exists());
        }
    }
}
