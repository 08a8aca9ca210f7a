//! A disk in memory that loses power, tears what was not synced, fails when it is told to, and on which others do to files
//! what they like.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::results::{Disk, PlaceError, Placement};
use crate::simulation::mistakes::{Mistake, is_made};

/// The disk; a clone is the same disk.
#[derive(Clone, Debug, Default)]
pub struct SimDisk(Arc<Mutex<SimDiskState>>);

#[derive(Debug, Default)]
struct SimDiskState {
    files: Vec<SimContents>,
    /// The names as programs see them.
    names: BTreeMap<PathBuf, usize>,
    /// The names that a loss of power leaves.
    durable_names: BTreeMap<PathBuf, usize>,
    /// What happened to names since, in order.
    pending: Vec<Naming>,
    /// Who has each lock.
    locks: BTreeMap<PathBuf, u64>,
    /// Which open file has locked each file itself.
    claims: BTreeMap<usize, u64>,
    /// How many locks were taken and files opened: the next one's number.
    holders: u64,
    operations: u64,
    trouble: Option<DiskFault>,
    /// What others are going to do, each before the operation of this number.
    meddlings: Vec<(u64, Meddling)>,
    /// After a crash nothing works until the machine is up again.
    down: bool,
    /// Whether the last change to a file as a whole was that its end was cut off.
    cut: bool,
}

#[derive(Clone, Debug, Default)]
struct SimContents {
    bytes: Vec<u8>,
    /// How many of them a loss of power leaves for sure.
    durable: usize,
    /// What stood in the file before each time that it was written over since the last sync: a loss of power may leave any.
    overwritten: Vec<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Naming {
    Is(PathBuf, usize),
    IsNot(PathBuf),
}

#[derive(Clone, Copy, Debug)]
enum DiskFault {
    /// This operation fails, and all others work.
    Fail(u64),
    /// The process ends in the middle of this operation.
    Crash(u64),
    /// This operation panics.
    Panic(u64),
}

/// What another program does to a results file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Meddling {
    /// It removes this name.
    Remove(PathBuf),
    /// It puts another file in its place.
    Replace(PathBuf, Vec<u8>),
    /// It gives the file a second name.
    Link(PathBuf, PathBuf),
    /// It gives the file another name.
    Rename(PathBuf, PathBuf),
}

/// An open file of a [`SimDisk`].
#[derive(Debug)]
pub struct SimFile {
    disk: SimDisk,
    file: usize,
    holder: u64,
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut world = self.disk.world();
        if world.claims.get(&self.file) == Some(&self.holder) {
            world.claims.remove(&self.file);
        }
    }
}

/// A lock of a [`SimDisk`].
#[derive(Debug)]
pub struct SimLock {
    disk: SimDisk,
    path: PathBuf,
    holder: u64,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        // After a kill another process may have it.
        let mut world = self.disk.world();
        if world.locks.get(&self.path) == Some(&self.holder) {
            world.locks.remove(&self.path);
        }
    }
}

/// How an operation goes.
enum Course {
    Well,
    /// It fails half-way.
    Half(io::Error),
}

impl SimDisk {
    fn world(&self) -> MutexGuard<'_, SimDiskState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.world().operations
    }

    /// Lets one operation fail: the one with this number, counted from 0 since the disk was made.
    pub fn fail_at(&self, operation: u64) {
        self.world().trouble = Some(DiskFault::Fail(operation));
    }

    /// Lets one operation panic, as if our own code were wrong.
    pub fn panic_at(&self, operation: u64) {
        self.world().trouble = Some(DiskFault::Panic(operation));
    }

    /// Lets the process end in the middle of this operation. From then on nothing works before [`SimDisk::kill`] or
    /// [`SimDisk::lose_power`].
    pub fn crash_at(&self, operation: u64) {
        self.world().trouble = Some(DiskFault::Crash(operation));
    }

    /// The process ends here and now. From then on nothing works before [`SimDisk::kill`] or [`SimDisk::lose_power`].
    pub fn end_process(&self) {
        self.world().down = true;
    }

    /// Whether the process has ended.
    pub fn is_down(&self) -> bool {
        self.world().down
    }

    /// The process is gone, with its locks; all that it wrote is there.
    pub fn kill(&self) {
        let mut world = self.world();
        world.down = false;
        world.trouble = None;
        world.meddlings.clear();
        world.locks.clear();
        world.claims.clear();
    }

    /// Lets another program come in before this operation.
    pub fn meddle_at(&self, operation: u64, meddling: Meddling) {
        self.world().meddlings.push((operation, meddling));
    }

    /// Lets another program come in now. What it does to names is as lasting as if its folder were synced.
    pub fn meddle(&self, meddling: &Meddling) {
        self.world().meddle(meddling);
    }

    /// The machine is gone: what was not synced is lost, or there in part, or there with holes.
    pub fn lose_power(&self, random: &mut fastrand::Rng) {
        self.kill();
        let mut world = self.world();
        let survives = random.usize(..=world.pending.len());
        let pending = std::mem::take(&mut world.pending);
        for naming in pending.into_iter().take(survives) {
            naming.apply(&mut world.durable_names);
        }
        world.names = world.durable_names.clone();
        for contents in &mut world.files {
            contents.tear(random);
        }
    }

    /// Every disk that a loss of power may leave now, without the process: each beginning of what happened to names since
    /// they were last safe, with all that may be left of the files that have a name then.
    pub fn losses_of_power(&self) -> Vec<SimDisk> {
        let world = self.world();
        let mut left = Vec::new();
        let mut names = world.durable_names.clone();
        for naming in std::iter::once(None).chain(world.pending.iter().map(Some)) {
            naming.into_iter().for_each(|naming| naming.apply(&mut names));
            left.extend(world.losses_of_files(&names).into_iter().map(|files| {
                let (operations, holders) = (world.operations, world.holders);
                let (names, durable_names) = (names.clone(), names.clone());
                let state =
                    SimDiskState { files, names, durable_names, operations, holders, ..SimDiskState::default() };
                SimDisk(Arc::new(Mutex::new(state)))
            }));
        }
        left
    }

    /// A disk of its own that holds the same. Nobody has anything open on it.
    pub fn copy(&self) -> SimDisk {
        let world = self.world();
        let state = SimDiskState {
            files: world.files.clone(),
            names: world.names.clone(),
            durable_names: world.durable_names.clone(),
            pending: world.pending.clone(),
            operations: world.operations,
            holders: world.holders,
            ..SimDiskState::default()
        };
        SimDisk(Arc::new(Mutex::new(state)))
    }

    /// What a file holds.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let world = self.world();
        world.names.get(path).map(|file| world.files[*file].bytes.clone())
    }

    /// Puts a file there, safe and sound: what happened to its name before is of no account any more.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut world = self.world();
        world.pending.retain(|naming| naming.path() != path);
        world.files.push(SimContents::of(bytes));
        let file = world.files.len() - 1;
        world.names.insert(path.to_owned(), file);
        world.durable_names.insert(path.to_owned(), file);
    }

    /// Takes a name away for good.
    pub fn take_away(&self, path: &Path) {
        let mut world = self.world();
        world.pending.retain(|naming| naming.path() != path);
        world.names.remove(path);
        world.durable_names.remove(path);
    }

    /// The user replaces a file by a copy of it, and nobody sees to it that the name is on the disk.
    pub fn copy_over(&self, path: &Path) {
        let mut world = self.world();
        let Ok(file) = world.named(path) else { return };
        let bytes = world.files[file].bytes.clone();
        world.files.push(SimContents::of(&bytes));
        let copy = world.files.len() - 1;
        world.name(Naming::Is(path.to_owned(), copy));
    }

    /// All names.
    pub fn names(&self) -> Vec<PathBuf> {
        self.world().names.keys().cloned().collect()
    }

    fn handle(&self, (file, holder): (usize, u64)) -> SimFile {
        SimFile { disk: self.clone(), file, holder }
    }

    fn begin(&self) -> io::Result<(MutexGuard<'_, SimDiskState>, Course)> {
        crate::sync::simulated::yield_now();
        let mut world = self.world();
        if world.down {
            return Err(io::Error::other("the process has ended"));
        }
        let operation = world.operations;
        world.operations += 1;
        let (now, later) = std::mem::take(&mut world.meddlings).into_iter().partition(|(at, _)| *at == operation);
        world.meddlings = later;
        now.into_iter().for_each(|(_, meddling): (u64, Meddling)| world.meddle(&meddling));
        let course = match world.trouble {
            Some(DiskFault::Fail(at)) if at == operation => Course::Half(io::Error::other("told to fail")),
            Some(DiskFault::Crash(at)) if at == operation => {
                world.down = true;
                Course::Half(io::Error::other("the process ends here"))
            }
            Some(DiskFault::Panic(at)) if at == operation => {
                drop(world);
                std::panic::resume_unwind(Box::new("told to panic"));
            }
            _ => Course::Well,
        };
        Ok((world, course))
    }

    /// An operation that is done or not, nothing between. One that ends in a crash may have been done.
    fn whole<T>(&self, work: impl FnOnce(&mut SimDiskState) -> io::Result<T>) -> io::Result<T> {
        let (mut world, course) = self.begin()?;
        match course {
            Course::Well => work(&mut world),
            Course::Half(error) => {
                if world.down && world.operations.is_multiple_of(2) {
                    let _ = work(&mut world);
                }
                Err(error)
            }
        }
    }
}

impl SimDiskState {
    fn name(&mut self, naming: Naming) {
        naming.apply(&mut self.names);
        self.pending.push(naming);
    }

    fn meddle(&mut self, meddling: &Meddling) {
        let there = |world: &SimDiskState, path: &Path| world.names.get(path).copied();
        match meddling {
            Meddling::Remove(path) => self.name(Naming::IsNot(path.clone())),
            Meddling::Replace(path, bytes) => {
                self.files.push(SimContents::of(bytes));
                self.name(Naming::Is(path.clone(), self.files.len() - 1));
            }
            Meddling::Link(path, link) => {
                if let Some(file) = there(self, path) {
                    self.name(Naming::Is(link.clone(), file));
                }
            }
            Meddling::Rename(from, to) => {
                if let Some(file) = there(self, from) {
                    self.name(Naming::Is(to.clone(), file));
                    self.name(Naming::IsNot(from.clone()));
                }
            }
        }
    }

    /// All that a loss of power may leave of the files with these names; of others nobody will ever know.
    fn losses_of_files(&self, names: &BTreeMap<PathBuf, usize>) -> Vec<Vec<SimContents>> {
        let mut named: Vec<usize> = names.values().copied().collect();
        named.sort_unstable();
        named.dedup();
        let mut all = vec![self.files.clone()];
        for file in named {
            let lost = self.files[file].losses();
            let with = |files: &Vec<SimContents>, bytes: &Vec<u8>| {
                let mut files = files.clone();
                files[file] = SimContents::of(bytes);
                files
            };
            all = all.iter().flat_map(|files| lost.iter().map(move |bytes| with(files, bytes))).collect();
        }
        all
    }

    /// The file, and the number of who has it open now.
    fn opened(&mut self, file: usize) -> (usize, u64) {
        self.holders += 1;
        (file, self.holders)
    }

    fn named(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Naming {
    fn path(&self) -> &Path {
        match self {
            Naming::Is(path, _) | Naming::IsNot(path) => path,
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Naming::Is(path, file) => names.insert(path.clone(), *file),
            Naming::IsNot(path) => names.remove(path),
        };
    }
}

impl SimContents {
    fn of(bytes: &[u8]) -> SimContents {
        SimContents { bytes: bytes.to_vec(), durable: bytes.len(), overwritten: Vec::new() }
    }

    fn overwrite(&mut self, bytes: &[u8]) {
        self.overwritten.push(self.bytes.clone());
        self.bytes = bytes.to_vec();
    }

    fn sync(&mut self) {
        self.durable = self.bytes.len();
        self.overwritten.clear();
    }

    /// Any of the contents that the file had since it was synced last, or the beginning of one before the rest of another.
    fn tear_overwritten(&mut self, random: &mut fastrand::Rng) {
        let mut versions = std::mem::take(&mut self.overwritten);
        versions.push(std::mem::take(&mut self.bytes));
        let (one, other) = (&versions[random.usize(..versions.len())], &versions[random.usize(..versions.len())]);
        let cut = if random.u8(..4) == 0 { random.usize(..=one.len()) } else { one.len() };
        self.bytes = one[..cut].iter().chain(other.get(cut..).unwrap_or_default()).copied().collect();
        self.durable = self.bytes.len();
    }

    /// What a loss of power may leave: of a file that was written over, each of its contents since the last sync, or half of
    /// one before the rest of another; of one that was added to, each beginning, by whole and by half lines, and the end
    /// without what is before it.
    fn losses(&self) -> Vec<Vec<u8>> {
        let mut lost = Vec::new();
        if self.overwritten.is_empty() {
            let ends = |at: &usize| self.bytes.get(at - 1) == Some(&b'\n') || at.is_multiple_of(100);
            lost.push(self.bytes.clone());
            lost.extend((self.durable.max(1)..self.bytes.len()).filter(ends).map(|end| self.bytes[..end].to_vec()));
            lost.push(self.bytes[..self.durable].to_vec());
            let mut holed = self.bytes.clone();
            let hole_end = self.durable + (self.bytes.len() - self.durable) / 2;
            holed[self.durable..hole_end].fill(0);
            lost.push(holed);
        } else {
            lost.extend(self.overwritten.iter().chain([&self.bytes]).cloned());
            let (first, half) = (&self.overwritten[0], self.bytes.len() / 2);
            lost.push(self.bytes[..half].iter().chain(first.get(half..).unwrap_or_default()).copied().collect());
        }
        lost.sort_unstable();
        lost.dedup();
        lost
    }

    fn tear(&mut self, random: &mut fastrand::Rng) {
        if !self.overwritten.is_empty() {
            return self.tear_overwritten(random);
        }
        let loose = self.bytes.len().saturating_sub(self.durable);
        self.bytes.truncate(self.durable + random.usize(..=loose));
        // Blocks reach the disk in any order; one that did not reads as zeros.
        if self.bytes.len() > self.durable && random.u8(..3) == 0 {
            let from = random.usize(self.durable..self.bytes.len());
            let to = random.usize(from..=self.bytes.len());
            self.bytes[from..to].fill(0);
        }
        self.durable = self.bytes.len();
    }
}

impl Disk for SimDisk {
    type File = SimFile;
    type Lock = SimLock;

    fn check_place(&self, _results: &Path) -> Result<(), PlaceError> {
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<SimLock>> {
        let holder = self.whole(|world| {
            world.holders += 1;
            let holder = world.holders;
            Ok(match world.locks.entry(path.to_owned()) {
                Entry::Vacant(free) => Some(*free.insert(holder)),
                Entry::Occupied(_) => None,
            })
        })?;
        Ok(holder.map(|holder| SimLock { disk: self.clone(), path: path.to_owned(), holder }))
    }

    fn claim(&self, file: &SimFile) -> io::Result<bool> {
        self.whole(|world| Ok(*world.claims.entry(file.file).or_insert(file.holder) == file.holder))
    }

    fn placement(&self, file: &SimFile, path: &Path) -> io::Result<Placement> {
        self.whole(|world| {
            let names = world.names.values().filter(|named| **named == file.file).count() as u64;
            Ok(match world.names.get(path) {
                None => Placement::Gone,
                Some(there) if *there != file.file => Placement::Replaced,
                Some(_) if names > 1 => Placement::Linked { names },
                Some(_) => Placement::InPlace,
            })
        })
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Option<SimFile>> {
        self.open(path)
    }

    fn open(&self, path: &Path) -> io::Result<Option<SimFile>> {
        let opened = self.whole(|world| Ok(world.names.get(path).copied().map(|file| world.opened(file))))?;
        Ok(opened.map(|opened| self.handle(opened)))
    }

    fn create(&self, path: &Path) -> io::Result<SimFile> {
        let opened = self.whole(|world| {
            if world.names.contains_key(path) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            world.files.push(SimContents::default());
            let file = world.files.len() - 1;
            world.name(Naming::Is(path.to_owned(), file));
            Ok(world.opened(file))
        })?;
        Ok(self.handle(opened))
    }

    fn open_to_overwrite(&self, path: &Path) -> io::Result<SimFile> {
        match self.open(path)? {
            Some(file) => Ok(file),
            None => self.create(path),
        }
    }

    fn overwrite(&self, file: &SimFile, bytes: &[u8]) -> io::Result<()> {
        let (mut world, course) = self.begin()?;
        let is_down = world.down;
        let done_before_the_end = world.operations.is_multiple_of(2);
        let contents = &mut world.files[file.file];
        match course {
            Course::Well => contents.overwrite(bytes),
            // A process that is killed leaves the write done or not.
            Course::Half(error) if is_down => {
                if done_before_the_end {
                    contents.overwrite(bytes);
                }
                return Err(error);
            }
            Course::Half(error) => {
                let half = bytes.len() / 2;
                let mixed: Vec<u8> =
                    bytes[..half].iter().chain(contents.bytes.get(half..).unwrap_or_default()).copied().collect();
                contents.overwrite(&mixed);
                return Err(error);
            }
        }
        Ok(())
    }

    fn read_at(&self, file: &SimFile, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.whole(|world| {
            let bytes = &world.files[file.file].bytes;
            let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
            let read = rest.len().min(buffer.len());
            buffer[..read].copy_from_slice(&rest[..read]);
            Ok(read)
        })
    }

    fn append(&self, file: &SimFile, bytes: &[u8]) -> io::Result<()> {
        let (mut world, course) = self.begin()?;
        let (written, done) = match course {
            Course::Well => (bytes.len(), Ok(())),
            Course::Half(error) => (bytes.len() / 2, Err(error)),
        };
        world.files[file.file].bytes.extend_from_slice(&bytes[..written]);
        done
    }

    fn truncate(&self, file: &SimFile, len: u64) -> io::Result<()> {
        self.whole(|world| {
            let contents = &mut world.files[file.file];
            contents.bytes.truncate(usize::try_from(len).unwrap_or(usize::MAX));
            contents.durable = contents.bytes.len();
            world.cut = true;
            Ok(())
        })
    }

    fn sync(&self, file: &SimFile) -> io::Result<()> {
        self.whole(|world| {
            world.files[file.file].sync();
            Ok(())
        })
    }

    fn sync_folder(&self, _folder: &Path) -> io::Result<()> {
        self.whole(|world| {
            if std::mem::take(&mut world.cut) && is_made(Mistake::TakesOverTornWithoutFolder) {
                return Ok(());
            }
            world.durable_names = world.names.clone();
            world.pending.clear();
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.whole(|world| {
            let file = world.named(from)?;
            world.name(Naming::Is(to.to_owned(), file));
            world.name(Naming::IsNot(from.to_owned()));
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.whole(|world| {
            world.named(path)?;
            world.name(Naming::IsNot(path.to_owned()));
            Ok(())
        })
    }

    fn list(&self, _folder: &Path) -> io::Result<Vec<PathBuf>> {
        self.whole(|world| Ok(world.names.keys().cloned().collect()))
    }
}
