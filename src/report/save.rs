//! Writes a file as a whole or not at all: whoever opens it, or loses power, never sees half a report.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

/// Makes `path` hold what `fill` writes. What was there before stays until all of it is on the disk.
///
/// A terminal, a pipe or another device is written to and never replaced: whoever may write to `/dev` would lose it.
pub fn replace(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let path = match fs::metadata(path) {
        Ok(there) if !there.is_file() && !there.is_dir() => {
            let mut out = BufWriter::new(File::options().write(true).open(path)?);
            fill(&mut out)?;
            return out.flush();
        }
        // A link stays one, and what it leads to is replaced.
        Ok(_) => Cow::Owned(fs::canonicalize(path)?),
        Err(_) => Cow::Borrowed(path),
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = builder().prefix(".attache-report-").suffix(".tmp").tempfile_in(folder)?;
    let (file, temporary) = file.into_parts();
    let mut out = BufWriter::new(file);
    fill(&mut out)?;
    out.flush()?;
    out.get_ref().sync_all()?;
    // An open file cannot be renamed everywhere.
    drop(out);
    temporary.persist(&path).map_err(|error| error.error)
}

#[cfg(unix)]
fn builder() -> tempfile::Builder<'static, 'static> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut builder = tempfile::Builder::new();
    // A report is for others to read, unlike most temporary files: it gets the rights of any new file of the user.
    builder.permissions(std::fs::Permissions::from_mode(0o666));
    builder
}

#[cfg(not(unix))]
fn builder() -> tempfile::Builder<'static, 'static> {
    tempfile::Builder::new()
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
        assert_eq!(std::fs::read(&path).expect("still there"), b"old");
        replace(&path, |out| out.write_all(b"new")).expect("written");
        assert_eq!(std::fs::read(&path).expect("still there"), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
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
}
