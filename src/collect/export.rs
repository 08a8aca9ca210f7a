//! The files of an export, on the disk and inside zips alike: their names and sizes, read once; their bytes on request.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::LeftOutReason;
use super::error::{CollectError, OrWhat as _};
use crate::archive::{self, Member, MemberReader};
use crate::manifest::spool;

/// Which file of an [`Export`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct ExportFileIx(u32);

impl ExportFileIx {
    pub(super) fn get(self) -> usize {
        self.0 as usize
    }
}

/// Which of the folders and zips that were given or found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ContainerIx(u32);

/// A folder, a file or a zip that the user named, or a zip found in such a folder.
struct Container {
    /// Where it is.
    path: PathBuf,
    /// What stands in a manifest before the names of its files, `/` or `!/` at the end.
    prefix: String,
    /// Its own name, for files that lie directly in it.
    name: String,
}

/// A file, by what the directory says of it.
struct ExportFile {
    container: u32,
    /// Where its path within the container begins in `paths`.
    start: usize,
    /// How long that path is.
    len: u32,
    /// Bytes; 1 of one that cannot be read, which is not empty.
    size: u64,
    bytes: ExportBytes,
}

/// Where the bytes of a file are.
enum ExportBytes {
    OnDisk,
    InZip(Box<Member>),
    /// In a zip, and not to be had: encrypted, unknown packing, out of proportion, or several of one name.
    Unusable,
}

/// Something that is there and cannot be a file of the export.
pub(crate) struct Unfit {
    /// Its path, as far as it can be shown.
    pub(crate) path: String,
    /// Why.
    pub(crate) reason: LeftOutReason,
}

/// How paths are written into the manifest.
pub(crate) struct PathStyle {
    /// The folder of the manifest, resolved.
    manifest_folder: PathBuf,
    /// The folder that holds everything, where the manifest's own does not.
    root: Option<PathBuf>,
}

impl PathStyle {
    /// Decides how paths are written so that a manifest in `manifest_folder` finds all of `places`: relative to its
    /// folder where all lie inside it, absolute otherwise.
    pub(crate) fn new(manifest_folder: &Path, places: &[PathBuf]) -> Result<PathStyle, CollectError> {
        let manifest_folder = resolved(manifest_folder)?;
        let places = places.iter().map(|place| resolved(place)).collect::<Result<Vec<_>, _>>()?;
        let inside = places.iter().all(|place| place.starts_with(&manifest_folder));
        let root = if inside { None } else { common_folder(&places) };
        Ok(PathStyle { manifest_folder, root })
    }

    /// The folder for the option that names one, where the manifest's own does not hold everything.
    pub(crate) fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// A path as it is written, with `/` between its parts; `None` if it is no text.
    pub(crate) fn written(&self, path: &Path) -> Result<Option<String>, CollectError> {
        let path = resolved(path)?;
        let path = match (&self.root, path.strip_prefix(&self.manifest_folder)) {
            (None, Ok(relative)) => relative.to_owned(),
            _ => path,
        };
        Ok(path.to_str().map(|text| if cfg!(windows) { text.replace('\\', "/") } else { text.to_owned() }))
    }
}

fn resolved(path: &Path) -> Result<PathBuf, CollectError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let resolved = path.canonicalize().or_what(|| format!("cannot look at {}", path.display()))?;
    // On Windows a resolved path begins with `\\?\`, which no manifest may name.
    match resolved.to_str().and_then(|text| text.strip_prefix(r"\\?\")) {
        Some(plain) if cfg!(windows) => Ok(PathBuf::from(plain)),
        _ => Ok(resolved),
    }
}

/// What lies in two places of an export would be read twice, and every row of it made twice.
fn none_inside_another(places: &[PathBuf]) -> Result<(), CollectError> {
    let mut whole = Vec::with_capacity(places.len());
    for place in places {
        whole.push((resolved(place)?, place));
    }
    // In this order, what lies in a folder follows it.
    whole.sort_unstable();
    for pair in whole.windows(2) {
        let [(outer, outer_given), (inner, inner_given)] = pair else { continue };
        if inner.starts_with(outer) {
            let (inner, outer) = (inner_given.display(), outer_given.display());
            return Err(CollectError::Usage(format!(
                "{inner} lies in {outer}, which is given too: give one of the two"
            )));
        }
    }
    Ok(())
}

fn common_folder(places: &[PathBuf]) -> Option<PathBuf> {
    let (first, rest) = places.split_first()?;
    let mut common = if first.is_dir() { first.clone() } else { first.parent()?.to_owned() };
    while !rest.iter().all(|place| place.starts_with(&common)) {
        common = common.parent()?.to_owned();
    }
    Some(common)
}

/// Which zips in folders are looked into. Zips that the user names always are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ZipsInFolders {
    /// Those that lie at the top: the parts of an export. Deeper ones are files that somebody attached.
    AtTop,
    /// None.
    None,
}

/// Everything that was given.
pub(crate) struct Export {
    containers: Vec<Container>,
    files: Vec<ExportFile>,
    /// The paths of all files within their containers, one behind the other.
    paths: String,
    unfit: Vec<Unfit>,
}

impl Export {
    /// Looks at everything below `places`. `besides` are files that are not part of it though they lie there: what is
    /// about to be written.
    pub(crate) fn look(
        places: &[PathBuf],
        besides: &[PathBuf],
        style: &PathStyle,
        zips: ZipsInFolders,
        each: &mut dyn FnMut(u64),
    ) -> Result<Export, CollectError> {
        let mut export = Export { containers: Vec::new(), files: Vec::new(), paths: String::new(), unfit: Vec::new() };
        let besides: Vec<PathBuf> = besides.iter().filter_map(|path| path.canonicalize().ok()).collect();
        none_inside_another(places)?;
        for place in places {
            let metadata = fs::metadata(place).or_what(|| format!("cannot look at {}", place.display()))?;
            if !metadata.is_dir() && !metadata.is_file() {
                return Err(CollectError::Usage(format!("{} is neither a folder nor a file", place.display())));
            }
            if metadata.is_dir() {
                export.add_folder(place, &besides, style, zips, each)?;
            } else if is_zip(place) {
                export.add_zip(place, style)?;
            } else {
                export.add_file(place, &metadata, style)?;
            }
            each(export.files.len() as u64);
        }
        Ok(export)
    }

    fn add_folder(
        &mut self,
        folder: &Path,
        besides: &[PathBuf],
        style: &PathStyle,
        zips: ZipsInFolders,
        each: &mut dyn FnMut(u64),
    ) -> Result<(), CollectError> {
        let Some(written) = style.written(folder)? else {
            return self.leave_out(folder, LeftOutReason::PathUnfit);
        };
        let prefix = if written.is_empty() { String::new() } else { format!("{}/", written.trim_end_matches('/')) };
        let container = self.add_container(folder, prefix);
        for entry in WalkDir::new(folder).min_depth(1).sort_by_file_name() {
            let entry = entry.map_err(|error| {
                let what = format!("cannot look at {}", error.path().unwrap_or(folder).display());
                CollectError::Io(what, error.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into()))
            })?;
            if entry.file_type().is_dir() {
                continue;
            }
            let path = entry.path();
            // A link is what it leads to; one that leads nowhere is no file.
            let Some(metadata) = fs::metadata(path).ok().filter(Metadata::is_file) else {
                self.leave_out(path, LeftOutReason::PathUnfit)?;
                continue;
            };
            // To resolve each of 200,000 paths takes seconds; nearly none has the name of what is written.
            let is_called_so = besides.iter().any(|besides| besides.file_name() == path.file_name());
            if is_called_so && path.canonicalize().is_ok_and(|path| besides.contains(&path)) {
                continue;
            }
            if zips == ZipsInFolders::AtTop && entry.depth() == 1 && is_zip(path) {
                self.add_zip(path, style)?;
                continue;
            }
            match path.strip_prefix(folder).ok().and_then(Path::to_str) {
                Some(inner) if cfg!(windows) => {
                    self.push(container, &inner.replace('\\', "/"), metadata.len(), ExportBytes::OnDisk);
                }
                Some(inner) => self.push(container, inner, metadata.len(), ExportBytes::OnDisk),
                None => self.leave_out(path, LeftOutReason::PathUnfit)?,
            }
            if self.files.len().is_multiple_of(1024) {
                each(self.files.len() as u64);
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: &Path, metadata: &Metadata, style: &PathStyle) -> Result<(), CollectError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        match (style.written(folder)?, path.file_name().and_then(|name| name.to_str())) {
            (Some(written), Some(name)) => {
                let prefix = if written.is_empty() { String::new() } else { format!("{written}/") };
                let container = self.add_container(folder, prefix);
                self.push(container, name, metadata.len(), ExportBytes::OnDisk);
                Ok(())
            }
            _ => self.leave_out(path, LeftOutReason::PathUnfit),
        }
    }

    fn add_zip(&mut self, path: &Path, style: &PathStyle) -> Result<(), CollectError> {
        let Some(written) = style.written(path)? else {
            return self.leave_out(path, LeftOutReason::PathUnfit);
        };
        let container = self.add_container(path, format!("{written}{}", archive::SEPARATOR));
        let before = self.files.len();
        let file = File::open(path).or_what(|| format!("cannot open {}", path.display()))?;
        let read = archive::read_directory(file, &mut |entry| match entry.member {
            Ok(member) => {
                self.push(container, &entry.name, member.size(), ExportBytes::InZip(Box::new(member)));
            }
            Err(_) => self.push(container, &entry.name, 1, ExportBytes::Unusable),
        });
        match read {
            Ok(()) => {
                self.mark_twins(before);
                Ok(())
            }
            Err(archive::ArchiveError::Io(error)) => {
                Err(CollectError::Io(format!("cannot read {}", path.display()), error))
            }
            Err(_) => {
                self.files.truncate(before);
                self.leave_out(path, LeftOutReason::ZipDamaged)
            }
        }
    }

    /// Members of one name cannot be told apart by it.
    fn mark_twins(&mut self, from: usize) {
        let mut known: HashMap<&str, usize> = HashMap::with_capacity(self.files.len() - from);
        let mut twins = Vec::new();
        for at in from..self.files.len() {
            if let Some(first) = known.insert(self.inner(ExportFileIx(at as u32)), at) {
                twins.extend([first, at]);
            }
        }
        for at in twins {
            self.files[at].bytes = ExportBytes::Unusable;
        }
    }

    fn add_container(&mut self, path: &Path, prefix: String) -> u32 {
        let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.containers.push(Container { path: path.to_owned(), prefix, name });
        (self.containers.len() - 1) as u32
    }

    fn push(&mut self, container: u32, path: &str, size: u64, bytes: ExportBytes) {
        let start = self.paths.len();
        self.paths.push_str(path);
        self.files.push(ExportFile { container, start, len: path.len() as u32, size, bytes });
    }

    fn leave_out(&mut self, path: &Path, reason: LeftOutReason) -> Result<(), CollectError> {
        self.unfit.push(Unfit { path: path.to_string_lossy().into_owned(), reason });
        Ok(())
    }

    /// Every file, in the order in which it was found.
    pub(crate) fn files(&self) -> impl Iterator<Item = ExportFileIx> + use<> {
        (0..self.files.len() as u32).map(ExportFileIx)
    }

    /// What is there and cannot be a file of the export.
    pub(crate) fn unfit(&self) -> &[Unfit] {
        &self.unfit
    }

    fn container(&self, file: ExportFileIx) -> &Container {
        &self.containers[self.files[file.get()].container as usize]
    }

    /// The path within the folder or zip that was given.
    pub(crate) fn inner(&self, file: ExportFileIx) -> &str {
        let ExportFile { start, len, .. } = self.files[file.get()];
        &self.paths[start..start + len as usize]
    }

    /// The file's own name.
    pub(crate) fn name(&self, file: ExportFileIx) -> &str {
        let inner = self.inner(file);
        inner.rsplit_once('/').map_or(inner, |(_, name)| name)
    }

    /// The name of the folder or zip that it lies in.
    pub(crate) fn folder(&self, file: ExportFileIx) -> &str {
        match self.inner(file).rsplit_once('/') {
            Some((folders, _)) => folders.rsplit_once('/').map_or(folders, |(_, folder)| folder),
            None => &self.container(file).name,
        }
    }

    /// The path as a manifest names it.
    pub(crate) fn written(&self, file: ExportFileIx) -> String {
        format!("{}{}", self.container(file).prefix, self.inner(file))
    }

    /// Where a path, written as a manifest names it, lies: in which folders and zips, and the path within each.
    pub(crate) fn places_of<'p>(&self, written: &'p str) -> impl Iterator<Item = (ContainerIx, &'p str)> {
        let inside = |container: &Container| written.strip_prefix(container.prefix.as_str());
        let all = self.containers.iter().zip(0..);
        all.filter_map(move |(container, at)| Some((ContainerIx(at), inside(container)?)))
    }

    /// Which folder or zip a file lies in.
    pub(crate) fn container_of(&self, file: ExportFileIx) -> ContainerIx {
        ContainerIx(self.files[file.get()].container)
    }

    /// Bytes; of a member that cannot be read, not 0.
    pub(crate) fn size(&self, file: ExportFileIx) -> u64 {
        self.files[file.get()].size
    }

    /// Whether it can be read.
    pub(crate) fn is_usable(&self, file: ExportFileIx) -> bool {
        !matches!(self.files[file.get()].bytes, ExportBytes::Unusable)
    }

    /// The bytes of a file.
    pub(crate) fn open(&self, file: ExportFileIx) -> Result<Box<dyn Read>, CollectError> {
        let container = self.container(file);
        let what = || format!("cannot open {}", self.written(file));
        match &self.files[file.get()].bytes {
            ExportBytes::OnDisk => {
                let file = File::open(container.path.join(self.inner(file))).or_what(what)?;
                Ok(Box::new(file))
            }
            ExportBytes::InZip(member) => {
                let archive = File::open(&container.path).or_what(what)?;
                Ok(Box::new(MemberReader::open(archive, member).or_what(what)?))
            }
            ExportBytes::Unusable => {
                let why = io::Error::new(io::ErrorKind::InvalidData, "it cannot be read inside its zip");
                Err(CollectError::Io(what(), why))
            }
        }
    }

    /// The bytes of a file as a file that can be read from any place: a member of a zip is laid down first.
    pub(crate) fn open_file(&self, file: ExportFileIx) -> Result<File, CollectError> {
        let what = || format!("cannot open {}", self.written(file));
        match &self.files[file.get()].bytes {
            ExportBytes::OnDisk => File::open(self.container(file).path.join(self.inner(file))).or_what(what),
            ExportBytes::InZip(_) | ExportBytes::Unusable => spool(&mut *self.open(file)?).or_what(what),
        }
    }

    /// Whether a file is called as workbooks are.
    pub(crate) fn is_workbook(&self, file: ExportFileIx) -> bool {
        let ending = self.name(file).rsplit_once('.').map(|(_, ending)| ending).unwrap_or_default();
        ["xlsx", "xlsm"].iter().any(|known| ending.eq_ignore_ascii_case(known))
    }

    /// Workbooks at the top of what was given: deeper ones are files that somebody attached, and to look into each of them
    /// costs more than everything else.
    pub(crate) fn workbooks(&self) -> impl Iterator<Item = ExportFileIx> {
        self.files().filter(|file| !self.inner(*file).contains('/') && self.is_workbook(*file))
    }

    /// CSV files whose name without its ending is one that is wanted.
    pub(crate) fn tables(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<ExportFileIx> {
        self.files()
            .filter(|file| {
                let (stem, ending) = self.name(*file).rsplit_once('.').unwrap_or_default();
                ending.eq_ignore_ascii_case("csv") && is_wanted(stem)
            })
            .collect()
    }

    /// Finds files by a part of their name.
    pub(crate) fn index<'e>(
        &'e self,
        candidates: &[ExportFileIx],
        key: impl Fn(&'e str) -> Option<&'e str>,
    ) -> FileIndex<'e> {
        let mut index = FileIndex { by_key: HashMap::with_capacity(candidates.len()), several: HashMap::new() };
        for file in candidates {
            if let Some(key) = key(self.name(*file)) {
                index.add(key, *file);
            }
        }
        index
    }

    /// Some names of what is there, for saying what was found.
    pub(crate) fn sample(&self) -> Vec<String> {
        let mut names: Vec<String> = self.files().take(8).map(|file| self.written(file)).collect();
        if self.files.len() > names.len() {
            names.push(format!("and {} more", self.files.len() - names.len()));
        }
        names
    }
}

/// Whether a name is one that stands for a zip.
fn is_zip(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip"))
}

/// Files by a part of their name.
pub(crate) struct FileIndex<'e> {
    by_key: HashMap<&'e str, ExportFileIx>,
    /// All files of a key that has more than one.
    several: HashMap<&'e str, Vec<ExportFileIx>>,
}

/// What an index has for a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum FileMatch<'i> {
    /// Nothing.
    None,
    /// One file.
    One(ExportFileIx),
    /// More than one.
    Several(&'i [ExportFileIx]),
}

impl<'e> FileIndex<'e> {
    fn add(&mut self, key: &'e str, file: ExportFileIx) {
        if let Some(first) = self.by_key.insert(key, file) {
            self.several.entry(key).or_insert_with(|| vec![first]).push(file);
        }
    }

    /// The files of a key.
    pub(crate) fn find(&self, key: &str) -> FileMatch<'_> {
        match (self.several.get(key), self.by_key.get(key)) {
            (Some(files), _) => FileMatch::Several(files),
            (None, Some(file)) => FileMatch::One(*file),
            (None, None) => FileMatch::None,
        }
    }
}
