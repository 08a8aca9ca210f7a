//! Looks at the files: each distinct path once, in parallel, without reading content.
//!
//! Each folder is resolved once, so that a path costs one look and no walk through all its parents; only files that are
//! symbolic links are resolved on their own.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use unicode_normalization::UnicodeNormalization;

use super::members::{MemberTrouble, look_inside};
use super::store::{RowStore, SourceIx, StoredSource};
use crate::text::system_words;
use crate::upload::{FileFacts, SourceKind};

/// Looks wait for disks and networks, not for processors.
const THREADS: std::ops::RangeInclusive<usize> = 8..=16;

/// So many looks are one errand of a thread.
const CHUNK: usize = 256;

/// Why a file cannot be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum FileFault {
    /// There is nothing.
    Missing,
    /// A symbolic link that leads nowhere.
    Dangling,
    /// The system refuses.
    Denied,
    /// Something else than a file; what it is.
    NotAFile(&'static str),
    /// It leads here, outside the folder.
    Outside(PathBuf),
    /// Another error of the system.
    Unreadable(String),
    /// The archive that holds it cannot be read; says why.
    Archive(String),
    /// The archive that should hold it has no such member, or none that can be sent.
    Member(MemberTrouble),
}

/// Looks at these files. What is found goes into the store; what is wrong is given back, by source.
pub(super) fn look(
    store: &mut RowStore,
    wanted: &[SourceIx],
    base: &Path,
    allow_outside: bool,
) -> HashMap<SourceIx, FileFault> {
    if wanted.is_empty() {
        return HashMap::new();
    }
    let fence = Fence { base, allow_outside };
    let sources = store.sources.len();
    let (parents, parent_of) = parents(store, wanted);
    let folder = |parent: &String| fence.folder(parent);
    let file = |folders: &[Result<PathBuf, FileFault>], source: &SourceIx, parent: &u32| {
        let text = store.texts.get(store.sources.get(*source).text);
        match folders.get(*parent as usize) {
            Some(Ok(folder)) => fence.file(folder, text),
            Some(Err(FileFault::Outside(folder))) => {
                Err(FileFault::Outside(folder.join(Path::new(text).file_name().unwrap_or_default())))
            }
            Some(Err(trouble)) => Err(trouble.clone()),
            None => Err(FileFault::Missing),
        }
    };
    let one_by_one = || {
        let folders: Vec<_> = parents.iter().map(folder).collect();
        let looks: Vec<_> =
            wanted.iter().zip(&parent_of).map(|(source, parent)| file(&folders, source, parent)).collect();
        (folders, looks)
    };
    let at_once = || {
        let folders: Vec<_> = parents.par_chunks(CHUNK / 8).flat_map_iter(|chunk| chunk.iter().map(folder)).collect();
        let chunks = wanted.par_chunks(CHUNK).zip(parent_of.par_chunks(CHUNK));
        let looks: Vec<_> = chunks
            .flat_map_iter(|(chunk, parents)| {
                chunk.iter().zip(parents).map(|(source, parent)| file(&folders, source, parent))
            })
            .collect();
        (folders, looks)
    };
    let (folders, looks) = match pool_for(wanted.len()) {
        Some(pool) => pool.install(at_once),
        None => one_by_one(),
    };
    let mut troubles = HashMap::new();
    store.paths.folder_of = vec![None; sources];
    for ((source, parent), look) in wanted.iter().zip(parent_of).zip(looks) {
        if let Some(Ok(_)) = folders.get(parent as usize)
            && let Some(folder) = store.paths.folder_of.get_mut(source.0 as usize)
        {
            *folder = Some(parent);
        }
        match look {
            Ok(Looked { facts, target }) => {
                store.sources.get_mut(*source).facts = Some(facts);
                if let Some(target) = target {
                    store.paths.targets.insert(source.0, target);
                }
            }
            Err(trouble) => {
                troubles.insert(*source, trouble);
            }
        }
    }
    store.paths.folders = folders.into_iter().map(Result::unwrap_or_default).collect();
    look_for_other_forms(store, &mut troubles, &fence);
    look_inside(store, &mut troubles, &fence);
    troubles
}

/// Threads for so many looks. A few files need no pool; a system that grants no threads gets the work done in this one.
fn pool_for(looks: usize) -> Option<ThreadPool> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.clamp(*THREADS.start(), *THREADS.end()).min(looks.div_ceil(CHUNK));
    if threads < 2 {
        return None;
    }
    ThreadPoolBuilder::new().num_threads(threads).thread_name(|ix| format!("look-{ix}")).build().ok()
}

/// What a look at a file says that nobody opens: enough to see that it is not what it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileStamp {
    /// Its bytes.
    pub size: u64,
    /// When it was last written to, in whole seconds since 1970; 0 where the system does not say.
    pub modified: i64,
}

impl FileStamp {
    /// Of the file with this path, or where it leads; `None` where there is none.
    fn at(path: &Path) -> Option<FileStamp> {
        let metadata = fs::metadata(path).ok().filter(Metadata::is_file)?;
        let modified = metadata.modified().ok().and_then(|time| jiff::Timestamp::try_from(time).ok());
        Some(FileStamp { size: metadata.len(), modified: modified.map_or(0, jiff::Timestamp::as_second) })
    }
}

/// Looks at these files, each once. Nothing is opened and nothing judged, so it does not matter where they are.
pub(super) fn stamps(
    store: &RowStore,
    base: &Path,
    sources: impl Iterator<Item = SourceIx> + Clone,
) -> Vec<Option<FileStamp>> {
    let mut distinct: Vec<SourceIx> = sources.clone().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let look = |source: &SourceIx| {
        let StoredSource { kind, text, .. } = *store.sources.get(*source);
        // The path of a member leads to nothing that the system knows.
        (kind == SourceKind::File).then(|| FileStamp::at(&base.join(store.texts.get(text)))).flatten()
    };
    let looks: Vec<Option<FileStamp>> = match pool_for(distinct.len()) {
        Some(pool) => {
            pool.install(|| distinct.par_chunks(CHUNK).flat_map_iter(|chunk| chunk.iter().map(look)).collect())
        }
        None => distinct.iter().map(look).collect(),
    };
    let of = |source: SourceIx| distinct.binary_search(&source).ok().and_then(|at| looks.get(at).copied().flatten());
    sources.map(of).collect()
}

/// Finds missing files under another Unicode form of their names: accents that are one character here are two there. One
/// that is the only one of its kind is the file that was meant, as every system that does not tell the forms apart has it.
fn look_for_other_forms(store: &mut RowStore, troubles: &mut HashMap<SourceIx, FileFault>, fence: &Fence<'_>) {
    let mut forms = UnicodeForms::default();
    let text = |store: &RowStore, source: SourceIx| store.texts.get(store.sources.get(source).text).to_owned();
    let is_missing = |(_, fault): &(&SourceIx, &FileFault)| **fault == FileFault::Missing;
    let mut missing: Vec<SourceIx> = troubles.iter().filter(is_missing).map(|(source, _)| *source).collect();
    missing.sort_unstable_by_key(|source| source.0);
    for source in missing {
        let written = text(store, source);
        if written.is_ascii() {
            continue;
        }
        let Some(found) = forms.find(fence.base, &written) else { continue };
        if let Ok((path, facts)) = fence.file_at(&found) {
            store.sources.get_mut(source).facts = Some(facts);
            store.paths.targets.insert(source.0, path);
            store.paths.other_forms.insert(source.0);
            troubles.remove(&source);
        }
    }
}

/// The distinct folders of these files as written, and which is whose.
fn parents(store: &RowStore, wanted: &[SourceIx]) -> (Vec<String>, Vec<u32>) {
    let mut parents = Vec::new();
    let mut known: HashMap<&str, u32> = HashMap::new();
    let parent_of = wanted
        .iter()
        .map(|source| {
            let text = store.texts.get(store.sources.get(*source).text);
            let parent = Path::new(text).parent().and_then(Path::to_str).unwrap_or_default();
            *known.entry(parent).or_insert_with(|| {
                parents.push(parent.to_owned());
                // There are no more folders than files, which are counted in 32 bits.
                (parents.len() - 1) as u32
            })
        })
        .collect();
    (parents, parent_of)
}

/// What a look found.
struct Looked {
    facts: FileFacts,
    /// Where it leads, if it is a symbolic link.
    target: Option<PathBuf>,
}

/// The folder that files must be in.
pub(super) struct Fence<'a> {
    base: &'a Path,
    allow_outside: bool,
}

impl Fence<'_> {
    fn folder(&self, parent: &str) -> Result<PathBuf, FileFault> {
        let joined = self.base.join(parent);
        match joined.canonicalize() {
            Ok(folder) => self.inside(folder),
            Err(error) => {
                // It is not there; whether it would be outside is told by its name, and by what of it is there: the base is
                // resolved, and an absolute path may be written another way.
                self.inside(resolved_as_far_as_there(&lexical(&joined)))?;
                Err(trouble_of(&error))
            }
        }
    }

    fn inside(&self, path: PathBuf) -> Result<PathBuf, FileFault> {
        if self.allow_outside || path.starts_with(self.base) { Ok(path) } else { Err(FileFault::Outside(path)) }
    }

    /// Looks at the file with this path as written, and resolves it.
    pub(super) fn file_at(&self, text: &str) -> Result<(PathBuf, FileFacts), FileFault> {
        let parent = Path::new(text).parent().and_then(Path::to_str).unwrap_or_default();
        let folder = self.folder(parent)?;
        let Looked { facts, target } = self.file(&folder, text)?;
        Ok((target.unwrap_or_else(|| folder.join(Path::new(text).file_name().unwrap_or_default())), facts))
    }

    fn file(&self, folder: &Path, text: &str) -> Result<Looked, FileFault> {
        let Some(name) = Path::new(text).file_name() else { return Err(FileFault::NotAFile("a folder")) };
        let path = folder.join(name);
        let metadata = fs::symlink_metadata(&path).map_err(|error| trouble_of(&error))?;
        if !metadata.is_symlink() {
            return look_at(&path, &metadata).map(|facts| Looked { facts, target: None });
        }
        let target = path.canonicalize().map_err(|error| match trouble_of(&error) {
            FileFault::Missing => FileFault::Dangling,
            other => other,
        })?;
        let target = self.inside(target)?;
        let metadata = fs::metadata(&target).map_err(|error| trouble_of(&error))?;
        look_at(&target, &metadata).map(|facts| Looked { facts, target: Some(target) })
    }
}

/// The facts of what is there, if it is a file that can be read.
fn look_at(path: &Path, metadata: &Metadata) -> Result<FileFacts, FileFault> {
    if !metadata.is_file() {
        return Err(FileFault::NotAFile(kind_of(metadata)));
    }
    if everyone_may_read(metadata) {
        return Ok(FileFacts::of(metadata));
    }
    let facts = File::open(path).and_then(|file| FileFacts::of_open(&file, metadata));
    facts.map_err(|error| trouble_of(&error))
}

/// Whether the mode alone says that it can be read, so that it need not be opened to find out.
#[cfg(unix)]
fn everyone_may_read(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o444 == 0o444
}

#[cfg(not(unix))]
fn everyone_may_read(_: &Metadata) -> bool {
    false
}

fn kind_of(metadata: &Metadata) -> &'static str {
    if metadata.is_dir() {
        return "a folder";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = metadata.file_type();
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_block_device() || kind.is_char_device() {
            return "a device";
        }
    }
    "no regular file"
}

fn trouble_of(error: &io::Error) -> FileFault {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileFault::Missing,
        io::ErrorKind::PermissionDenied => FileFault::Denied,
        _ => FileFault::Unreadable(system_words(error)),
    }
}

/// A path without `.` and `..`, by its name alone.
fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

/// The path with the longest part of it resolved that is there.
fn resolved_as_far_as_there(path: &Path) -> PathBuf {
    let resolved = path.ancestors().find_map(|there| Some((there, there.canonicalize().ok()?)));
    match resolved {
        Some((there, resolved)) => resolved.join(path.strip_prefix(there).unwrap_or(Path::new(""))),
        None => path.to_owned(),
    }
}

/// Names on the disk by their composed form, listing each folder once; `None` where several names have one form.
#[derive(Default)]
struct UnicodeForms {
    listings: HashMap<PathBuf, HashMap<String, Option<String>>>,
}

impl UnicodeForms {
    /// The path as it is on the disk, if it differs in nothing but Unicode forms and is the only one.
    fn find(&mut self, base: &Path, written: &str) -> Option<String> {
        let mut at = base.to_owned();
        let mut found = PathBuf::new();
        for component in Path::new(written).components() {
            let Component::Normal(name) = component else {
                at.push(component);
                found.push(component);
                continue;
            };
            let name = name.to_str()?;
            let there = match fs::symlink_metadata(at.join(name)) {
                Ok(_) => name.to_owned(),
                Err(_) => self.listing(&at).get(&name.nfc().collect::<String>())?.clone()?,
            };
            at.push(&there);
            found.push(there);
        }
        found.to_str().map(str::to_owned)
    }

    fn listing(&mut self, folder: &Path) -> &HashMap<String, Option<String>> {
        self.listings.entry(folder.to_owned()).or_insert_with(|| {
            let mut names: HashMap<String, Option<String>> = HashMap::new();
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            for name in entries.filter_map(|entry| entry.file_name().into_string().ok()) {
                let others = names.entry(name.nfc().collect());
                others.and_modify(|known| *known = None).or_insert(Some(name));
            }
            names
        })
    }
}

/// Finds files of nearly the same name, listing each folder once.
#[derive(Default)]
pub(super) struct Nearby {
    listings: HashMap<PathBuf, HashMap<String, String>>,
}

impl Nearby {
    /// The path as it would be right, if it only differs in case, Unicode form, blanks, quotes and signs that cannot be seen.
    pub(super) fn find(&mut self, base: &Path, text: &str) -> Option<String> {
        let mut at = if Path::new(text).is_absolute() { PathBuf::new() } else { base.to_owned() };
        let mut right: Vec<String> = Vec::new();
        let mut differs = false;
        for component in Path::new(text).components() {
            let Component::Normal(name) = component else {
                at.push(component);
                right.push(match component {
                    Component::RootDir => String::new(),
                    other => other.as_os_str().to_str()?.to_owned(),
                });
                continue;
            };
            let name = name.to_str()?;
            if fs::symlink_metadata(at.join(name)).is_ok() {
                right.push(name.to_owned());
            } else {
                differs = true;
                right.push(self.listing(&at).get(&folded(name))?.clone());
            }
            at.push(right.last()?);
        }
        differs.then(|| right.join("/"))
    }

    fn listing(&mut self, folder: &Path) -> &HashMap<String, String> {
        self.listings.entry(folder.to_owned()).or_insert_with(|| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.filter_map(|entry| entry.file_name().into_string().ok()).map(|name| (folded(&name), name)).collect()
        })
    }
}

/// What is left of a name without case, Unicode form and outer blanks, with one kind of blank and of quote, and without what
/// cannot be seen.
fn folded(name: &str) -> String {
    let plain = |c: char| match c {
        '\u{2018}' | '\u{2019}' | '\u{201B}' | '\u{2032}' => '\'',
        '\u{201C}' | '\u{201D}' | '\u{201F}' | '\u{2033}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        c if c.is_whitespace() => ' ',
        c => c,
    };
    let seen = name.nfkc().filter(|c| !is_invisible(*c)).map(plain).flat_map(char::to_lowercase);
    seen.nfc().collect::<String>().trim().to_owned()
}

/// Signs that take no room: marks of direction, joiners, soft hyphens, byte order marks.
pub(super) fn is_invisible(c: char) -> bool {
    super::name::is_direction_mark(c)
        || matches!(c, '\u{AD}' | '\u{34F}' | '\u{180E}' | '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}' | '\u{FE00}'..='\u{FE0F}')
}
