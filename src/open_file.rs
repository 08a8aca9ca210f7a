//! Opens a file that was looked at before and reads it so that only the bytes that were planned come out: the same file,
//! as many bytes, unchanged to the end, and those that a checksum is given of.
//!
//! The one way in which the content of files is read, for sending as well as for checking.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::archive::MemberReader;
use crate::checksum::{ChecksumDifference, Checksums, Hashing};
use crate::content::{Fingerprint, FingerprintKind, Fingerprinter};
use crate::text::{is_held_by_another, is_shortage, system_words};
use crate::upload::{FileFacts, FileSource};

/// Why a file could not be sent, or not to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum FileTrouble {
    /// It is not there any more.
    Gone,
    /// It may not be read any more.
    Denied,
    /// It is another one than was checked; says in what.
    Changed(&'static str),
    /// Its bytes are not those that the manifest gives a checksum of.
    Checksum(Box<ChecksumDifference>),
    /// The disk does not give it back.
    Read(String),
    /// This machine has no file handle left; nothing is wrong with the file.
    Shortage,
    /// Another program has it to itself for a moment, as virus scanners and synchronisers do on Windows.
    Busy,
}

impl FileTrouble {
    fn of(error: &io::Error) -> FileTrouble {
        if is_shortage(error) {
            return FileTrouble::Shortage;
        }
        if is_held_by_another(error) {
            return FileTrouble::Busy;
        }
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileTrouble::Gone,
            io::ErrorKind::PermissionDenied => FileTrouble::Denied,
            _ => FileTrouble::Read(system_words(error)),
        }
    }
}

impl fmt::Display for FileTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileTrouble::Gone => f.write_str("the file is not there any more"),
            FileTrouble::Denied => f.write_str("the file may not be read any more"),
            FileTrouble::Changed(how) => write!(f, "since the check, the file {how}"),
            FileTrouble::Checksum(difference) => difference.fmt(f),
            FileTrouble::Read(error) => write!(f, "the file cannot be read: {error}"),
            FileTrouble::Shortage => f.write_str("no file handle is left on this machine"),
            FileTrouble::Busy => f.write_str("another program holds the file at this moment"),
        }
    }
}

/// A file that is open and, so far, the one that was checked. All reads go through this handle, never the path again.
pub(crate) struct OpenFile {
    bytes: Bytes,
    /// Bytes of the file, as planned.
    size: u64,
    /// Bytes that are still to come.
    left: u64,
    /// What the file on the disk must be like from the first byte to the last: the archive, for a member of one.
    on_disk: FileFacts,
    /// What the manifest says that the bytes hash to.
    checksums: Checksums,
    /// Sees every byte that is read, for the checksums.
    hashing: Hashing,
    /// Sees every byte that is read, for the results; `None` where nobody asks.
    fingerprinter: Option<Fingerprinter>,
}

/// Where the bytes come from.
enum Bytes {
    /// A file that stands by itself.
    Plain(File),
    /// A member of an archive, unpacked as it is read; ends only if it is whole.
    Member(MemberReader),
}

impl OpenFile {
    pub(crate) fn open(source: &FileSource) -> Result<OpenFile, FileTrouble> {
        let file = open_without_waiting(&source.path).map_err(|error| FileTrouble::of(&error))?;
        let on_disk = source.facts_on_disk();
        check_unchanged(&file, on_disk)?;
        let bytes = match &source.member {
            None => Bytes::Plain(file),
            Some(member) => Bytes::Member(MemberReader::open(file, member).map_err(|error| FileTrouble::of(&error))?),
        };
        let (size, checksums) = (source.facts.size, source.checksums);
        Ok(OpenFile {
            bytes,
            size,
            left: size,
            on_disk,
            checksums,
            hashing: Hashing::of_kinds(&checksums),
            fingerprinter: None,
        })
    }

    /// Has the fingerprint of the bytes worked out while they are read.
    #[must_use]
    pub(crate) fn fingerprinting(self, kind: FingerprintKind) -> OpenFile {
        OpenFile { fingerprinter: Some(Fingerprinter::new(kind)), ..self }
    }

    /// The fingerprint of the bytes that were read so far, if it was asked for.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprinter.clone().map(Fingerprinter::finish)
    }

    /// Bytes of the file, as planned.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    fn read_bytes(&mut self, out: &mut [u8]) -> Result<usize, FileTrouble> {
        loop {
            let read = match &mut self.bytes {
                Bytes::Plain(file) => file.read(out),
                Bytes::Member(member) => member.read(out),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.map_err(|error| FileTrouble::Read(system_words(&error))),
            }
        }
    }

    /// Reads some of the bytes that are still to come: none only when all have.
    pub(crate) fn read(&mut self, out: &mut [u8]) -> Result<usize, FileTrouble> {
        let wanted = usize::try_from(self.left).map_or(out.len(), |left| left.min(out.len()));
        let count = self.read_bytes(&mut out[..wanted])?;
        if count == 0 && wanted > 0 {
            return Err(FileTrouble::Changed("has become shorter"));
        }
        self.hashing.update(&out[..count]);
        if let Some(fingerprinter) = &mut self.fingerprinter {
            fingerprinter.update(&out[..count]);
        }
        self.left -= count as u64;
        Ok(count)
    }

    /// Bytes that are still to come.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// What all bytes hash to, if the file ends where it should and is still the same. Its metadata alone does not tell:
    /// some file systems say 0 bytes of files that have more.
    pub(crate) fn end(&mut self) -> Result<Checksums, FileTrouble> {
        if self.read_bytes(&mut [0])? > 0 {
            return Err(FileTrouble::Changed("has become longer"));
        }
        let on_disk = match &self.bytes {
            Bytes::Plain(file) => file,
            Bytes::Member(member) => member.archive(),
        };
        check_unchanged(on_disk, self.on_disk)?;
        Ok(self.hashing.finish())
    }

    /// Whether the file ends as in [`OpenFile::end`] and has the bytes that the manifest says.
    pub(crate) fn check_end(&mut self) -> Result<(), FileTrouble> {
        let found = self.end()?;
        match self.checksums.difference(&found) {
            Some(difference) => Err(FileTrouble::Checksum(Box::new(difference))),
            None => Ok(()),
        }
    }
}

/// The fingerprint of a whole file, if it is the one that was looked at from its first byte to its last.
pub(crate) fn fingerprint_of(source: &FileSource, kind: FingerprintKind) -> Result<Fingerprint, FileTrouble> {
    let mut file = OpenFile::open(source)?;
    let mut fingerprinter = Fingerprinter::new(kind);
    let mut buffer = vec![0; 256 * 1024];
    while file.left() > 0 {
        let count = file.read(&mut buffer)?;
        fingerprinter.update(&buffer[..count]);
    }
    file.end()?;
    Ok(fingerprinter.finish())
}

/// A pipe in the place of the file must not make us wait for its writer.
fn open_without_waiting(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NONBLOCK);
    }
    options.open(path)
}

fn check_unchanged(file: &File, planned: FileFacts) -> Result<(), FileTrouble> {
    let metadata = file.metadata().map_err(|error| FileTrouble::of(&error))?;
    let found = FileFacts::of_open(file, &metadata).map_err(|error| FileTrouble::of(&error))?;
    if !metadata.is_file() {
        Err(FileTrouble::Changed("is no regular file any more"))
    } else if found.identity != planned.identity {
        Err(FileTrouble::Changed("is another file now"))
    } else if found.size != planned.size {
        Err(FileTrouble::Changed("has another size now"))
    } else if found.modified_ns != planned.modified_ns {
        Err(FileTrouble::Changed("was written to"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::tests::{Pack, write_zip};
    use crate::archive::{Member, read_directory};
    use crate::checksum::ChecksumKind;

    const TEXT: &[u8] = b"the quick brown fox jumps over the lazy dog, twice: the quick brown fox";

    /// A file with this text, and what a look at it says.
    fn plain(folder: &Path) -> FileSource {
        let path = folder.join("a.txt");
        std::fs::write(&path, TEXT).expect("written");
        let facts = FileFacts::at(&path);
        FileSource::plain(path, facts)
    }

    /// The same text as a member of an archive.
    fn member(folder: &Path, pack: Pack) -> FileSource {
        let path = folder.join("a.zip");
        write_zip(&path, &[("first", b"another", pack), ("dir/a.txt", TEXT, pack)]);
        let mut found: Option<Member> = None;
        let mut each = |entry: crate::archive::DirectoryEntry<'_>| found = entry.member.ok();
        read_directory(File::open(&path).expect("open"), &mut each).expect("a directory");
        let on_disk = FileFacts::at(&path);
        let member = found.expect("usable");
        let facts = FileFacts { size: member.size(), ..on_disk };
        FileSource { member: Some(member), ..FileSource::plain(path, facts) }
    }

    fn read(source: &FileSource) -> Result<Vec<u8>, FileTrouble> {
        let mut open = OpenFile::open(source)?;
        let (mut all, mut part) = (Vec::new(), [0; 16]);
        while open.left() > 0 {
            let count = open.read(&mut part)?;
            all.extend_from_slice(&part[..count]);
        }
        open.check_end().map(|()| all)
    }

    fn with_checksum(source: FileSource, bytes: &[u8]) -> FileSource {
        let mut kinds = Checksums::default();
        assert!(kinds.set(ChecksumKind::Sha256, &"0".repeat(64)) && kinds.set(ChecksumKind::Md5, &"0".repeat(32)));
        let mut hashing = Hashing::of_kinds(&kinds);
        hashing.update(bytes);
        FileSource { checksums: hashing.finish(), ..source }
    }

    #[test]
    fn a_file_and_a_member_come_out_alike() {
        let folder = tempfile::tempdir().expect("a folder");
        let makers: [fn(&Path) -> FileSource; 3] =
            [plain, |folder| member(folder, Pack::Store), |folder| member(folder, Pack::Deflate)];
        for make in makers {
            let source = make(folder.path());
            assert_eq!(read(&source).as_deref(), Ok(TEXT));
            assert_eq!(read(&with_checksum(source, TEXT)).as_deref(), Ok(TEXT));
        }
    }

    #[test]
    fn bytes_that_are_not_those_of_the_checksum_have_no_good_end() {
        let folder = tempfile::tempdir().expect("a folder");
        for source in [plain(folder.path()), member(folder.path(), Pack::Deflate)] {
            let read = read(&with_checksum(source, b"something else"));
            assert!(matches!(read, Err(FileTrouble::Checksum(_))), "{read:?}");
        }
    }

    #[test]
    fn an_archive_that_was_written_anew_after_the_plan_is_another_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = member(folder.path(), Pack::Store);
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
        File::options().append(true).open(&source.path).and_then(|file| file.set_modified(later)).expect("set");
        assert_eq!(read(&source), Err(FileTrouble::Changed("was written to")));
        std::fs::write(&source.path, b"PK").expect("written");
        assert_eq!(read(&source), Err(FileTrouble::Changed("has another size now")));
    }

    #[test]
    fn a_member_whose_bytes_are_damaged_has_no_good_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = member(folder.path(), Pack::Store);
        let mut bytes = std::fs::read(&source.path).expect("there");
        let at = bytes.windows(TEXT.len()).position(|window| window == TEXT).expect("stored as it is");
        bytes[at + 3] ^= 1;
        std::fs::write(&source.path, &bytes).expect("written");
        let on_disk = FileFacts::at(&source.path);
        let damaged = FileSource { facts: FileFacts { size: source.facts.size, ..on_disk }, ..source };
        let read = read(&damaged);
        assert!(matches!(&read, Err(FileTrouble::Read(why)) if why.contains("CRC")), "{read:?}");
    }
}
