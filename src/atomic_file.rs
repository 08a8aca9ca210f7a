//! Writes a file as a whole or not at all: whoever opens it, or loses power, never sees half of it. And files that are for
//! their owner alone.

use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// Who may read a file that is made here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Readers {
    /// Whoever may read any new file of the user: a report is for others, too.
    AsUsual,
    /// The owner alone: it holds secrets.
    Owner,
}

/// Makes `path` hold what `fill` writes. What was there before stays until all of it is on the disk.
///
/// A terminal, a pipe or another device is written to and never replaced: whoever may write to `/dev` would lose it.
///
/// # Errors
///
/// Whatever `fill` or the disk says; then all is as before.
pub(crate) fn replace(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    prepare(path, fill)?.put()
}

/// As [`replace`], for what only its owner may read: it holds secrets.
pub(crate) fn replace_private(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    prepare_for(Readers::Owner, path, fill)?.put()
}

/// A file whose content is on the disk, beside the place that it is going to take.
#[must_use]
#[derive(Debug)]
pub(crate) struct PreparedFile {
    /// The file and its place; `None` of a device, which has got its bytes already.
    waiting: Option<(tempfile::TempPath, PathBuf)>,
}

impl PreparedFile {
    /// Takes the place of what is there. One that is dropped instead leaves nothing.
    pub(crate) fn put(self) -> io::Result<()> {
        match self.waiting {
            Some((temporary, path)) => temporary.persist(&path).map_err(|error| error.error),
            None => Ok(()),
        }
    }
}

/// Does all of [`replace`] but the last step, so that several files can be whole before the first takes its place.
pub(crate) fn prepare(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<PreparedFile> {
    prepare_for(Readers::AsUsual, path, fill)
}

fn prepare_for(
    readers: Readers,
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<PreparedFile> {
    let path = match fs::metadata(path) {
        Ok(there) if !there.is_file() && !there.is_dir() => {
            let mut out = BufWriter::new(File::options().write(true).open(path)?);
            fill(&mut out)?;
            out.flush()?;
            return Ok(PreparedFile { waiting: None });
        }
        // A link stays one, and what it leads to is replaced.
        Ok(_) => fs::canonicalize(path)?,
        Err(_) => path.to_owned(),
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    let file = with_rights(&mut builder, readers).prefix(".attache-").suffix(".tmp").tempfile_in(folder);
    let file = file.map_err(without_its_path)?;
    let (file, temporary) = file.into_parts();
    let mut out = BufWriter::new(file);
    fill(&mut out)?;
    out.flush()?;
    out.get_ref().sync_all()?;
    // An open file cannot be renamed everywhere.
    drop(out);
    Ok(PreparedFile { waiting: Some((temporary, path)) })
}

/// The library names the file that it could not make, of which nobody ever heard; what the system said is enough.
fn without_its_path(error: io::Error) -> io::Error {
    // It hides the system's error behind its text.
    let text = error.to_string();
    let number = text.split_once("(os error ").and_then(|(_, rest)| rest.split_once(')')?.0.parse().ok());
    number.map_or(error, io::Error::from_raw_os_error)
}

/// Temporary files are their owner's alone unless somebody says otherwise.
#[cfg(unix)]
fn with_rights<'b>(
    builder: &'b mut tempfile::Builder<'static, 'static>,
    readers: Readers,
) -> &'b mut tempfile::Builder<'static, 'static> {
    use std::os::unix::fs::PermissionsExt as _;
    match readers {
        Readers::AsUsual => builder.permissions(fs::Permissions::from_mode(0o666)),
        Readers::Owner => builder,
    }
}

/// Elsewhere the folder says who may read.
#[cfg(not(unix))]
fn with_rights<'b>(
    builder: &'b mut tempfile::Builder<'static, 'static>,
    _readers: Readers,
) -> &'b mut tempfile::Builder<'static, 'static> {
    builder
}

/// Makes a folder that only its owner may look into, and those above it.
pub(crate) fn create_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// Opens a file that only its owner may read, to be written; makes it if there is none.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// Whether a file is its owner's alone: nobody else may read or write it.
#[cfg(unix)]
pub(crate) fn is_private(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o077 == 0
}

/// Elsewhere the user's profile folder protects it.
#[cfg(not(unix))]
pub(crate) fn is_private(_metadata: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_filled_leaves_the_old_one_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.html");
        replace(&path, |out| out.write_all(b"old")).expect("written");
        let failed = replace(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert_eq!(failed.map_err(|error| error.kind()), Err(io::ErrorKind::StorageFull));
        assert_eq!(fs::read(&path).expect("still there"), b"old");
        replace(&path, |out| out.write_all(b"new")).expect("written");
        assert_eq!(fs::read(&path).expect("still there"), b"new");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_a_device_a_device() {
        let folder = tempfile::tempdir().expect("a folder");
        let (device, link) = (folder.path().join("device"), folder.path().join("link"));
        std::os::unix::fs::symlink("/dev/null", &device).expect("a link");
        std::os::unix::fs::symlink("report.html", &link).expect("a link");
        fs::write(folder.path().join("report.html"), "old").expect("written");
        for path in [&device, &link] {
            replace(path, |out| out.write_all(b"new")).expect("written");
            assert!(fs::symlink_metadata(path).expect("there").is_symlink(), "{}", path.display());
        }
        assert_eq!(fs::read(folder.path().join("report.html")).expect("there"), b"new");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 3);
    }

    #[test]
    fn no_file_that_nobody_ever_heard_of_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let error =
            replace(&folder.path().join("none").join("report.html"), |_| Ok(())).expect_err("there is no folder");
        assert!(!error.to_string().contains(".attache-"), "{error}");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
