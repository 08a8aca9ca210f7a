//! Every file operation that the results need and that can fail, in one trait, so that tests can make each of them
//! fail, tear or come to nothing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::paths::{PlaceError, preflight};
use crate::file_id::Identity;
use crate::text::is_held_by_another;

/// What has become of the path under which a file was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement {
    /// It leads to the file, and no other name does.
    InPlace,
    /// It leads to the file, and so do other names.
    Linked {
        /// How many names the file has in all.
        names: u64,
    },
    /// It leads to another file.
    Replaced,
    /// It leads nowhere.
    Gone,
}

/// The operations. A file opened here is read at any place and written only at its end. Every error is the system's own.
#[expect(clippy::missing_errors_doc, reason = "one sentence above says it of all of them")]
pub trait Disk: std::fmt::Debug + Clone + Send + Sync + 'static {
    /// An open file.
    type File: std::fmt::Debug + Send + Sync + 'static;
    /// A lock that is given up when dropped.
    type Lock: std::fmt::Debug + Send + Sync + 'static;

    /// Whether results can be kept here, as far as that can be told without writing anything.
    fn check_place(&self, results: &Path) -> Result<(), PlaceError>;
    /// Takes the exclusive lock on this file without waiting, and makes the file if there is none; `None` if somebody
    /// else has it.
    fn lock(&self, path: &Path) -> io::Result<Option<Self::Lock>>;
    /// Takes the exclusive lock on an open file itself, without waiting; `false` if somebody else has it. It lasts until
    /// the file is closed. A lock beside a file does not hold those off who come to the file by another name, or who took
    /// the lock's file away.
    fn claim(&self, file: &Self::File) -> io::Result<bool>;
    /// Whether this path still leads to the open file, and to it alone.
    fn placement(&self, file: &Self::File, path: &Path) -> io::Result<Placement>;
    /// Opens a file that is there, only to read it; `None` if there is none.
    fn open_to_read(&self, path: &Path) -> io::Result<Option<Self::File>>;
    /// Opens a file that is there; `None` if there is none.
    fn open(&self, path: &Path) -> io::Result<Option<Self::File>>;
    /// Makes a new file, only for this user; an error if the name is taken.
    fn create(&self, path: &Path) -> io::Result<Self::File>;
    /// Opens a small file that is written over in place, and makes it, only for this user, if there is none.
    fn open_to_overwrite(&self, path: &Path) -> io::Result<Self::File>;
    /// Writes all of this from the beginning of the file on, over what stands there. After a crash of the process it is
    /// there or not; after a loss of power it may be there in part.
    fn overwrite(&self, file: &Self::File, bytes: &[u8]) -> io::Result<()>;
    /// Reads at this offset into `buffer`, as much as there is in one go; 0 at the end.
    fn read_at(&self, file: &Self::File, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes all of this at the file's end. After an error any part of it may stand there.
    fn append(&self, file: &Self::File, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file to this length.
    fn truncate(&self, file: &Self::File, len: u64) -> io::Result<()>;
    /// Returns once everything written to the file is on the disk. Never to be repeated after an error: the system may
    /// have thrown away what it could not write, and the second try would come back as if all were well.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Returns once the names in this folder are on the disk.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Gives a file the name of another, which is replaced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The names in a folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
}

/// The real one.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    type File = File;
    type Lock = File;

    fn check_place(&self, results: &Path) -> Result<(), PlaceError> {
        preflight(results)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<File>> {
        let mut options = OpenOptions::new();
        guarded(options.read(true).write(true).create(true).truncate(false));
        let file = patiently(|| options.open(path))?;
        only_regular(&file)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn claim(&self, file: &File) -> io::Result<bool> {
        // On Windows a lock would keep others from reading; there the file is opened so that nobody else may write it.
        if cfg!(windows) {
            return Ok(true);
        }
        match file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn placement(&self, file: &File, path: &Path) -> io::Result<Placement> {
        let ours = Identity::of(file)?;
        match Identity::at(path) {
            Ok(there) if there.id.is_another_than(ours.id) => Ok(Placement::Replaced),
            Ok(there) if there.names > 1 => Ok(Placement::Linked { names: there.names }),
            Ok(_) => Ok(Placement::InPlace),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(Placement::Gone)
            }
            Err(error) => Err(error),
        }
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Option<File>> {
        // Whoever only looks may look through a link, and at a file that he may not change.
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(not_regular());
        }
        if_there(patiently(|| File::open(path)))
    }

    fn open(&self, path: &Path) -> io::Result<Option<File>> {
        let mut options = OpenOptions::new();
        for_one_writer(guarded(appending(options.read(true))));
        if_there(patiently(|| options.open(path)))
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        for_one_writer(guarded(appending(OpenOptions::new().read(true).create_new(true)))).open(path)
    }

    fn open_to_overwrite(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        for_one_writer(guarded(options.read(true).write(true).create(true).truncate(false)));
        let file = patiently(|| options.open(path))?;
        only_regular(&file).map(|()| file)
    }

    fn overwrite(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(bytes)
    }

    fn read_at(&self, mut file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        // Moving the file's position does no harm: whoever appends goes to the end first.
        file.seek(SeekFrom::Start(offset))?;
        loop {
            match file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    fn append(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        #[cfg(windows)]
        file.seek(SeekFrom::End(0))?;
        file.write_all(bytes)
    }

    fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        file.set_len(len)?;
        file.sync_all()
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        // Windows has no such thing; its file systems keep names in their own journal.
        if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        patiently(|| std::fs::rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
    }
}

/// How long somebody is waited for who has a file open: virus scanners and indexers look at a new file for a moment.
const HELD_PAUSES_MS: [u64; 6] = [50, 100, 200, 400, 600, 650];

/// Tries again for two seconds while another program holds the file, which happens on Windows only.
fn patiently<T>(attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    retry_while(is_held_by_another, &mut std::thread::sleep, attempt)
}

/// Tries again after each pause as long as it fails for a reason that passes.
fn retry_while<T>(
    passes: impl Fn(&io::Error) -> bool,
    pause: &mut dyn FnMut(Duration),
    mut attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    for length in HELD_PAUSES_MS.map(Duration::from_millis) {
        match attempt() {
            Err(error) if passes(&error) => pause(length),
            done => return done,
        }
    }
    attempt()
}

/// On Unix a file made here is for its owner only, a symbolic link is not followed, and a pipe does not block.
fn guarded(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    options
}

/// Writes at the end. On Windows a file that may only be appended to cannot be cut, so the end is sought by hand there.
fn appending(options: &mut OpenOptions) -> &mut OpenOptions {
    if cfg!(windows) { options.write(true) } else { options.append(true) }
}

/// On Windows nobody else may write the file while it is open, by whatever name: others may read it, and it may be given
/// another name, since a new file takes the place of the results while it is open.
fn for_one_writer(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt as _;
        const FILE_SHARE_READ: u32 = 1;
        const FILE_SHARE_DELETE: u32 = 4;
        options.share_mode(FILE_SHARE_READ | FILE_SHARE_DELETE);
    }
    options
}

fn if_there(opened: io::Result<File>) -> io::Result<Option<File>> {
    match opened {
        Ok(file) => only_regular(&file).map(|()| Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn only_regular(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() { Ok(()) } else { Err(not_regular()) }
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn of_two_that_want_a_lock_at_once_only_one_gets_it() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("a.results.csv.lock");
        let barrier = Barrier::new(2);
        let tries = || {
            (0..200)
                .map(|_| {
                    barrier.wait();
                    let lock = RealDisk.lock(&path).expect("a try");
                    barrier.wait();
                    lock.is_some()
                })
                .collect::<Vec<_>>()
        };
        let (one, other) = std::thread::scope(|scope| {
            let one = scope.spawn(tries);
            let other = scope.spawn(tries);
            (one.join().expect("ends"), other.join().expect("ends"))
        });
        assert!(one.iter().zip(&other).all(|(one, other)| !(*one && *other)), "both got it");
        // A child that another test starts holds a copy of every lock until it has become another program, so that for a
        // moment neither may get it.
        assert!(one.iter().zip(&other).any(|(one, other)| one != other), "nobody ever got it");
    }

    #[test]
    fn a_file_that_is_held_for_a_moment_is_tried_again_and_not_for_ever() {
        let held = || io::Error::from_raw_os_error(32);
        let passes = |error: &io::Error| error.raw_os_error() == Some(32);
        let (mut waited, mut tries) = (Duration::ZERO, 0);
        let opened = retry_while(passes, &mut |pause| waited += pause, || {
            tries += 1;
            if tries < 4 { Err(held()) } else { Ok(tries) }
        });
        assert_eq!((opened.expect("opened"), waited), (4, Duration::from_millis(350)));
        let (mut waited, mut tries) = (Duration::ZERO, 0);
        let never = retry_while(passes, &mut |pause| waited += pause, || -> io::Result<()> {
            tries += 1;
            Err(held())
        });
        assert!(passes(&never.expect_err("held")));
        assert_eq!((tries, waited), (7, Duration::from_secs(2)));
        let mut tries = 0;
        let missing = retry_while(passes, &mut |_| panic!("no pause"), || -> io::Result<()> {
            tries += 1;
            Err(io::ErrorKind::NotFound.into())
        });
        assert!(missing.is_err() && tries == 1);
    }

    #[test]
    fn a_file_is_read_anywhere_and_written_at_its_end() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("a");
        assert!(RealDisk.open(&path).expect("asked").is_none());
        let file = RealDisk.create(&path).expect("created");
        assert!(RealDisk.create(&path).is_err(), "the name is taken");
        RealDisk.append(&file, b"one ").expect("written");
        let mut buffer = [0; 2];
        assert_eq!(RealDisk.read_at(&file, 1, &mut buffer).expect("read"), 2);
        assert_eq!(&buffer, b"ne");
        RealDisk.append(&file, b"two").expect("written");
        RealDisk.truncate(&file, 5).expect("cut");
        RealDisk.append(&file, b"!").expect("written");
        RealDisk.sync(&file).expect("synced");
        RealDisk.sync_folder(dir.path()).expect("synced");
        assert_eq!(std::fs::read(&path).expect("read"), b"one t!");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_itself_is_locked_whatever_name_it_is_opened_by() {
        let dir = tempfile::tempdir().expect("temp dir");
        let (path, link) = (dir.path().join("a"), dir.path().join("b"));
        let file = RealDisk.create(&path).expect("created");
        assert!(RealDisk.claim(&file).expect("asked"));
        std::fs::hard_link(&path, &link).expect("linked");
        let other = RealDisk.open(&link).expect("opened").expect("there");
        assert!(!RealDisk.claim(&other).expect("asked"));
        drop(file);
        assert!(RealDisk.claim(&other).expect("asked"));
    }

    #[test]
    fn what_becomes_of_an_open_files_path_is_told() {
        let dir = tempfile::tempdir().expect("temp dir");
        let (path, link) = (dir.path().join("a"), dir.path().join("b"));
        let file = RealDisk.create(&path).expect("created");
        let placement = || RealDisk.placement(&file, &path).expect("told");
        assert_eq!(placement(), Placement::InPlace);
        std::fs::hard_link(&path, &link).expect("linked");
        assert_eq!(placement(), Placement::Linked { names: 2 });
        std::fs::rename(&path, dir.path().join("c")).expect("renamed");
        assert_eq!(placement(), Placement::Gone);
        std::fs::write(&path, "another").expect("written");
        assert_eq!(placement(), Placement::Replaced);
    }

    #[cfg(unix)]
    #[test]
    fn files_are_made_for_their_owner_and_links_are_not_followed() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("a");
        let file = RealDisk.create(&path).expect("created");
        assert_eq!(file.metadata().expect("metadata").permissions().mode() & 0o777, 0o600);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        assert!(RealDisk.open(&link).is_err() && RealDisk.lock(&link).is_err());
        assert!(RealDisk.open_to_read(&link).is_ok_and(|file| file.is_some()), "but may be read through");
        assert!(RealDisk.open_to_read(dir.path()).is_err());
        assert!(RealDisk.open(dir.path()).is_err());
    }
}
