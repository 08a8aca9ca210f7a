//! The names of the files that belong to one results file, and what may be said of the place before anything is sent.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use crate::text::system_words;

const ENDING: &str = ".results.csv";
const SANDBOX_ENDING: &str = ".sandbox-results.csv";

/// Where the results of a manifest go unless the user says so: beside it, under its name with another ending.
pub fn default_results(manifest: &Path, sandbox: bool) -> PathBuf {
    let mut name = manifest.file_stem().unwrap_or(OsStr::new("manifest")).to_owned();
    name.push(if sandbox { SANDBOX_ENDING } else { ENDING });
    manifest.with_file_name(name)
}

/// What a verification found, beside the results that it looked at.
pub fn findings_of(results: &Path) -> PathBuf {
    results.with_file_name(with_ending(stem_of(results), ".verify.csv"))
}

/// The list of runs beside a results file.
pub fn runs_of(results: &Path) -> PathBuf {
    results.with_file_name(with_ending(stem_of(results), ".runs.jsonl"))
}

/// The name of the file in which the lines of a run are saved when the results file was taken away from it.
pub(super) fn rescued_of(results: &Path, run: &str) -> OsString {
    with_ending(stem_of(results), &format!(".rescued-{run}.csv"))
}

/// The name of the results without what says that they are results.
fn stem_of(results: &Path) -> &OsStr {
    let name = results.file_name().unwrap_or_default();
    match name.to_str() {
        Some(text) => OsStr::new(text.strip_suffix(ENDING).or(text.strip_suffix(".csv")).unwrap_or(text)),
        None => name,
    }
}

/// The other results in the folder of these, by name.
pub fn others_beside(results: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder_of(results)).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_results = |path: &PathBuf| path.to_str().is_some_and(|path| path.ends_with(ENDING)) && path.is_file();
    let mut others: Vec<PathBuf> =
        entries.filter(is_results).filter(|path| path.file_name() != results.file_name()).collect();
    others.sort_unstable();
    others
}

/// The lock beside a results file. It holds no state and is never removed.
pub fn lock_of(results: &Path) -> PathBuf {
    results.with_file_name(with_ending(results.file_name().unwrap_or_default(), ".lock"))
}

/// The high-water mark beside a results file.
pub(super) fn mark_of(results: &Path) -> PathBuf {
    results.with_file_name(with_ending(results.file_name().unwrap_or_default(), ".mark"))
}

const UNDER_WAY: &str = ".under-way";

/// What the run with these results announces that it is about to send.
pub(super) fn announcement_of(results: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(results.file_name().unwrap_or_default());
    name.push(UNDER_WAY);
    results.with_file_name(name)
}

/// The results of which this is the announcement, if it is one.
pub(super) fn results_of_announcement(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.strip_prefix('.')?.strip_suffix(UNDER_WAY)?;
    Some(path.with_file_name(name))
}

/// The lock of the folder of these results: who has it announces something. It holds no state and is never removed.
pub(super) fn folder_lock_of(results: &Path) -> PathBuf {
    results.with_file_name(".attache.lock")
}

/// A name for the file that is to replace the results; [`is_temp_of`] knows it again.
pub(super) fn temp_of(results: &Path, random: u64) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(results.file_name().unwrap_or_default());
    name.push(format!(".{random:016x}.tmp"));
    results.with_file_name(name)
}

/// Whether a run that was cut off left this behind when it was replacing `results`.
pub(super) fn is_temp_of(results: &Path, path: &Path) -> bool {
    let names = (path.file_name().and_then(OsStr::to_str), results.file_name().and_then(OsStr::to_str));
    let (Some(name), Some(results)) = names else { return false };
    let random = name
        .strip_prefix('.')
        .and_then(|rest| rest.strip_prefix(results))
        .and_then(|rest| rest.strip_prefix('.'))
        .and_then(|rest| rest.strip_suffix(".tmp"));
    random.is_some_and(|random| random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The folder of a file, `.` for a bare name.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Whether two paths lead to one file: results that are the manifest would destroy it.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    match (std::fs::canonicalize(one), std::fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// Whether results can be written here, as far as that can be told without writing anything.
pub fn preflight(results: &Path) -> Result<(), PlaceError> {
    let error = |reason| Err(PlaceError { path: results.to_owned(), reason });
    let folder = folder_of(results);
    let metadata = match std::fs::metadata(folder) {
        Ok(metadata) => metadata,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return error(Reason::NoFolder),
        Err(cause) => return error(Reason::Io(cause)),
    };
    if !metadata.is_dir() {
        return error(Reason::NoFolder);
    }
    if open_to_all(&metadata) {
        return error(Reason::OpenToAll);
    }
    if results.file_name().is_none() {
        return error(Reason::Folder);
    }
    match std::fs::symlink_metadata(results) {
        Ok(metadata) if metadata.is_dir() => error(Reason::Folder),
        Ok(metadata) if metadata.is_symlink() => error(Reason::Link),
        Ok(metadata) if !metadata.is_file() => error(Reason::NotRegular),
        Ok(metadata) if metadata.permissions().readonly() => error(Reason::ReadOnly),
        Ok(_) => writable(folder).or_else(error),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => writable(folder).or_else(error),
        Err(cause) => error(Reason::Io(cause)),
    }
}

/// Whether anybody on this machine may replace files in the folder.
#[cfg(unix)]
fn open_to_all(folder: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = folder.permissions().mode();
    mode & 0o002 != 0 && mode & 0o1000 == 0
}

#[cfg(not(unix))]
fn open_to_all(_folder: &std::fs::Metadata) -> bool {
    false
}

/// Whether this user may make files in the folder. A file without a name tells it and leaves nothing behind.
fn writable(folder: &Path) -> Result<(), Reason> {
    match tempfile::tempfile_in(folder) {
        Ok(_) => Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => Err(Reason::FolderReadOnly),
        Err(cause) if cause.kind() == io::ErrorKind::ReadOnlyFilesystem => Err(Reason::FolderReadOnly),
        Err(cause) => Err(Reason::Io(cause)),
    }
}

fn with_ending(name: &OsStr, ending: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(ending);
    name
}

/// Results cannot be written at this place.
#[derive(Debug)]
pub struct PlaceError {
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    NoFolder,
    OpenToAll,
    Folder,
    Link,
    NotRegular,
    ReadOnly,
    FolderReadOnly,
    Io(io::Error),
}

impl PlaceError {
    /// Whether the place is taken by a link, which leads to a better one.
    pub(crate) fn is_link(&self) -> bool {
        matches!(self.reason, Reason::Link)
    }
}

impl std::fmt::Display for PlaceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.display();
        let folder = folder_of(&self.path).display();
        match &self.reason {
            Reason::NoFolder => {
                write!(f, "the results cannot be written to {path}: there is no folder {folder}; make it first")
            }
            Reason::OpenToAll => {
                write!(
                    f,
                    "the results cannot be kept in {folder}: every user of this machine may replace files there; take that right away (chmod o-w)"
                )
            }
            Reason::Folder => write!(f, "{path} is a folder"),
            Reason::Link => write!(f, "{path} is a symbolic link"),
            Reason::NotRegular => write!(f, "{path} is not a regular file"),
            Reason::ReadOnly => {
                write!(f, "{path} is read-only; allow writing to it")
            }
            Reason::FolderReadOnly => {
                write!(f, "no file can be made in {folder}, where the results go; allow writing there")
            }
            Reason::Io(cause) => write!(f, "the results cannot be written to {path}: {}", system_words(cause)),
        }
    }
}

impl std::error::Error for PlaceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::Io(cause) => Some(cause),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_one_manifest_stand_side_by_side() {
        let results = default_results(Path::new("work/first.manifest.yaml"), false);
        assert_eq!(results, Path::new("work/first.manifest.results.csv"));
        assert_eq!(default_results(Path::new("a.csv"), true), Path::new("a.sandbox-results.csv"));
        assert_eq!(runs_of(&results), Path::new("work/first.manifest.runs.jsonl"));
        assert_eq!(runs_of(Path::new("out.csv")), Path::new("out.runs.jsonl"));
        assert_eq!(runs_of(Path::new("a.sandbox-results.csv")), Path::new("a.sandbox-results.runs.jsonl"));
        assert_eq!(runs_of(Path::new("out")), Path::new("out.runs.jsonl"));
        assert_eq!(rescued_of(&results, "R"), "first.manifest.rescued-R.csv");
        assert_eq!(lock_of(&results), Path::new("work/first.manifest.results.csv.lock"));
        let announced = announcement_of(&results);
        assert_eq!(announced, Path::new("work/.first.manifest.results.csv.under-way"));
        assert_eq!(results_of_announcement(&announced).as_deref(), Some(&*results));
        assert_eq!(results_of_announcement(&results), None);
        assert_eq!(mark_of(&results), Path::new("work/first.manifest.results.csv.mark"));
    }

    #[test]
    fn the_other_results_of_a_folder_are_found_by_their_names() {
        let dir = tempfile::tempdir().expect("temp dir");
        let at = |name: &str| dir.path().join(name);
        for name in ["a.results.csv", "b.results.csv", "c.results.csv.lock", "d.sandbox-results.csv", "results.csv"] {
            std::fs::write(at(name), "").expect("written");
        }
        std::fs::create_dir(at("e.results.csv")).expect("made");
        assert_eq!(others_beside(&at("a.results.csv")), [at("b.results.csv")]);
        assert!(others_beside(&at("none/a.results.csv")).is_empty());
    }

    #[test]
    fn only_our_own_stray_files_are_known_as_ours() {
        let results = Path::new("d/a.results.csv");
        assert!(is_temp_of(results, &temp_of(results, 7)));
        assert!(!is_temp_of(Path::new("d/b.results.csv"), &temp_of(results, 7)));
        for other in [
            "d/.a.results.csv.tmp",
            "d/a.results.csv",
            "d/.a.results.csv.000000000000000g.tmp",
            "d/.a.results.csv.7.tmp",
        ] {
            assert!(!is_temp_of(results, Path::new(other)), "{other}");
        }
    }

    #[test]
    fn a_place_where_nothing_can_be_written_is_told_before_the_run() {
        let dir = tempfile::tempdir().expect("temp dir");
        let says = |path: &Path| preflight(path).map_err(|error| error.to_string());
        assert_eq!(says(&dir.path().join("r.csv")), Ok(()));
        assert!(std::fs::read_dir(dir.path()).expect("list").next().is_none(), "preflight leaves nothing behind");
        assert!(says(&dir.path().join("none/r.csv")).is_err_and(|text| text.contains("there is no folder")));
        assert!(says(dir.path()).is_err_and(|text| text.contains("is a folder")));
        std::fs::write(dir.path().join("plain"), "").expect("write");
        assert!(says(&dir.path().join("plain/r.csv")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn odd_places_are_refused_on_unix() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("temp dir");
        let link = dir.path().join("link.csv");
        std::os::unix::fs::symlink("elsewhere.csv", &link).expect("link");
        assert!(preflight(&link).is_err_and(|error| error.to_string().contains("symbolic link")));
        assert!(preflight(Path::new("/dev/null")).is_err());
        let open = dir.path().join("open");
        std::fs::create_dir(&open).expect("folder");
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).expect("chmod");
        assert!(preflight(&open.join("r.csv")).is_err_and(|error| error.to_string().contains("every user")));
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o1777)).expect("chmod");
        assert!(preflight(&open.join("r.csv")).is_ok());
    }
}
