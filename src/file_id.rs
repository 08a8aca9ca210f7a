//! Which file a file is, however it is named: the identity that the operating system gives it, and how many names it has.

use std::fs::File;
use std::io;
use std::path::Path;

/// Tells two files of this machine apart; equal for all names of one file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId {
    /// The device on Unix, the volume's serial number on Windows.
    pub volume: u64,
    /// The inode on Unix, the file index on Windows.
    pub index: u64,
}

impl FileId {
    /// Stands for a file of which the system has not said which it is.
    pub const UNKNOWN: FileId = FileId { volume: 0, index: 0 };

    /// Whether the system has said which file it is.
    pub fn is_known(self) -> bool {
        self != FileId::UNKNOWN
    }

    /// Whether these are two files for certain. A system that does not name the volume of one, as Wine does of a file that
    /// was renamed while it was open, leaves it to the index.
    pub fn is_another_than(self, other: FileId) -> bool {
        let names_both = self.volume != 0 && other.volume != 0;
        self.index != other.index || (names_both && self.volume != other.volume)
    }
}

/// What the system says of a file beside its content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Which file it is.
    pub id: FileId,
    /// How many names (hard links) lead to it; 0 when the last one was removed.
    pub names: u64,
}

impl Identity {
    /// Of an open file.
    ///
    /// # Errors
    ///
    /// The system does not say.
    pub fn of(file: &File) -> io::Result<Identity> {
        system::of(file)
    }

    /// Of what a path leads to; a symbolic link is not followed on Unix.
    ///
    /// # Errors
    ///
    /// There is nothing, or the system does not say.
    pub fn at(path: &Path) -> io::Result<Identity> {
        system::at(path)
    }
}

#[cfg(unix)]
mod system {
    use std::fs::{File, Metadata};
    use std::io;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use super::{FileId, Identity};

    pub(super) fn of(file: &File) -> io::Result<Identity> {
        file.metadata().map(|metadata| identity(&metadata))
    }

    pub(super) fn at(path: &Path) -> io::Result<Identity> {
        path.symlink_metadata().map(|metadata| identity(&metadata))
    }

    fn identity(metadata: &Metadata) -> Identity {
        Identity { id: FileId { volume: metadata.dev(), index: metadata.ino() }, names: metadata.nlink() }
    }
}

#[cfg(windows)]
mod system {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    use super::{FileId, Identity};

    pub(super) fn of(file: &File) -> io::Result<Identity> {
        let information = winapi_util::file::information(file)?;
        let id = FileId { volume: information.volume_serial_number(), index: information.file_index() };
        Ok(Identity { id, names: information.number_of_links() })
    }

    pub(super) fn at(path: &Path) -> io::Result<Identity> {
        of(&File::open(path)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_that_is_not_named_leaves_it_to_the_index() {
        let id = |volume, index| FileId { volume, index };
        assert!(!id(5, 1).is_another_than(id(0, 1)) && !id(5, 1).is_another_than(id(5, 1)));
        assert!(id(5, 1).is_another_than(id(0, 2)) && id(5, 1).is_another_than(id(6, 1)));
    }

    #[test]
    fn a_file_keeps_its_identity_under_every_name_and_no_other_file_has_it() {
        let dir = tempfile::tempdir().expect("temp dir");
        let (one, other, linked) = (dir.path().join("one"), dir.path().join("other"), dir.path().join("linked"));
        std::fs::write(&one, "a").expect("written");
        std::fs::write(&other, "a").expect("written");
        let open = File::open(&one).expect("opened");
        let at = |path: &Path| Identity::at(path).expect("told");
        assert_eq!(Identity::of(&open).expect("told"), at(&one));
        assert_eq!(at(&one).names, 1);
        assert_ne!(at(&one).id, at(&other).id);
        std::fs::hard_link(&one, &linked).expect("linked");
        assert_eq!(Identity::of(&open).expect("told"), at(&linked));
        assert_eq!(at(&linked).names, 2);
        // Windows does not let an open file be replaced.
        #[cfg(unix)]
        {
            std::fs::rename(&other, &one).expect("renamed");
            assert_ne!(Identity::of(&open).expect("told").id, at(&one).id);
        }
    }
}
