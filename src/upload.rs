//! The words that every module uses for one upload: record ids, sources, row keys.
//!
//! A value of these types cannot be malformed. How the text of a manifest becomes one is the business of `check`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::archive::Member;
use crate::checksum::Checksums;
use crate::file_id::{FileId, Identity};

/// The id of a CRM record: 10 to 19 digits, no leading zero, at most 9223372036854775807.
///
/// Held as a number because a million of them are held at once; always written as text, since spreadsheets and
/// JavaScript keep only the first 15 or 16 digits of a number this long.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordId(u64);

impl RecordId {
    /// The largest id: the service keeps ids as signed 64-bit numbers.
    pub const MAX: u64 = i64::MAX as u64;

    /// The id with this value, if it has 10 to 19 digits and is not above [`RecordId::MAX`].
    pub fn new(value: u64) -> Option<RecordId> {
        (1_000_000_000..=Self::MAX).contains(&value).then_some(RecordId(value))
    }

    /// The id as a number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for RecordId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The id of an attachment or of a user, as the service gave it: digits only, at most 20 of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServiceId(u64);

impl ServiceId {
    /// The id with this value.
    pub const fn new(value: u64) -> ServiceId {
        ServiceId(value)
    }

    /// The id as a number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is not an id: something other than digits, nothing at all, or too large.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAnId;

impl FromStr for ServiceId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<ServiceId, NotAnId> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAnId);
        }
        text.parse().map(ServiceId).map_err(|_| NotAnId)
    }
}

impl Serialize for ServiceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Says which row of a manifest a line of the results is about, whatever the order of either.
///
/// The first 8 bytes of a SHA-256 over what the row says (see [`RowKey::of`]); written as `r` and 16 hex digits, so
/// that no spreadsheet takes it for a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RowKey(pub u64);

impl RowKey {
    /// The key of a row: `source` is as written in the manifest, `name` as sent, `ordinal` counts from 1 among rows that
    /// say the same. A link is known by its address alone, whatever its title: whether one is sent depends on the version
    /// of the API.
    pub fn of(module: &str, record: &str, kind: SourceKind, source: &str, name: &str, ordinal: u32) -> RowKey {
        use sha2::{Digest, Sha256};
        let name = if kind == SourceKind::Link { "" } else { name };
        let ordinal = ordinal.to_string();
        let parts = [module, record, kind.column(), source, name, &ordinal];
        // In one piece, since there may be a million rows and each call costs as much as some ten bytes.
        let mut text = Vec::with_capacity(parts.iter().map(|part| part.len() + 1).sum());
        for part in parts {
            text.extend_from_slice(part.as_bytes());
            text.push(0);
        }
        RowKey::first_of(Sha256::digest(&text).as_slice())
    }

    /// The key of a line of this row that a further attachment superseded; `generation` counts from 1 in the order in
    /// which that happened. It is no row's key, so that a row has one line that counts however often it was sent, and all
    /// that knows lines by their keys leaves the others alone.
    #[must_use]
    pub fn superseded(self, generation: u32) -> RowKey {
        use sha2::{Digest, Sha256};
        RowKey::first_of(Sha256::digest(format!("{self}\0superseded\0{generation}")).as_slice())
    }

    fn first_of(digest: &[u8]) -> RowKey {
        RowKey(digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{:016x}", self.0)
    }
}

impl FromStr for RowKey {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<RowKey, NotAnId> {
        let digits = text.strip_prefix('r').filter(|digits| digits.len() == 16).ok_or(NotAnId)?;
        if !digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(NotAnId);
        }
        u64::from_str_radix(digits, 16).map(RowKey).map_err(|_| NotAnId)
    }
}

impl Serialize for RowKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether a row attaches a file of this machine or a link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SourceKind {
    /// The bytes of a file are sent.
    File,
    /// Only an address is sent; the service fetches nothing but, perhaps, the page's title.
    Link,
}

impl SourceKind {
    /// The manifest's column for this kind of source: `file` or `url`.
    pub fn column(self) -> &'static str {
        match self {
            SourceKind::File => "file",
            SourceKind::Link => "url",
        }
    }
}

/// One row that passed every check, as all modules after the check see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Upload<'a> {
    /// The physical line of the manifest on which the row begins, from 1.
    pub line: u32,
    /// The module's API name.
    pub module: &'a str,
    /// The record that gets the attachment.
    pub record: RecordId,
    /// File or link.
    pub kind: SourceKind,
    /// The path or the address as written in the manifest.
    pub source: &'a str,
    /// The name as it is sent: never empty for a file; for a link its title, or empty.
    pub name: &'a str,
    /// Which row this is, for the results.
    pub key: RowKey,
}

/// What a look at a file told the check, so that the sender can tell whether it is still the same file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileFacts {
    /// Bytes.
    pub size: u64,
    /// Time of the last change, in nanoseconds since 1970 (negative before).
    pub modified_ns: i64,
    /// Which file it is. On Windows only [`FileFacts::of_open`] can tell.
    pub identity: FileId,
}

impl FileFacts {
    /// The facts in a file's metadata. On Windows these do not say which file it is.
    pub fn of(metadata: &std::fs::Metadata) -> FileFacts {
        let modified_ns = metadata.modified().map_or(0, |time| match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
        });
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt;
            FileId { volume: metadata.dev(), index: metadata.ino() }
        };
        #[cfg(not(unix))]
        let identity = FileId::UNKNOWN;
        FileFacts { size: metadata.len(), modified_ns, identity }
    }

    /// The facts of an open file, with which file it is on every system.
    ///
    /// # Errors
    ///
    /// The system does not say.
    pub fn of_open(file: &std::fs::File, metadata: &std::fs::Metadata) -> std::io::Result<FileFacts> {
        let facts = FileFacts::of(metadata);
        if cfg!(unix) { Ok(facts) } else { Ok(FileFacts { identity: Identity::of(file)?.id, ..facts }) }
    }

    /// The facts of the file that a path leads to.
    ///
    /// # Panics
    ///
    /// There is no such file.
    #[cfg(test)]
    pub fn at(path: &std::path::Path) -> FileFacts {
        let file = std::fs::File::open(path).expect("a file");
        FileFacts::of_open(&file, &file.metadata().expect("metadata")).expect("told")
    }
}

/// Where the bytes of a file lie and what the check saw of them: all that a sender needs to send just these bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileSource {
    /// The file itself, or the archive that holds it.
    pub path: PathBuf,
    /// What the look said. Of a member of an archive: the member's size, and time and identity of the archive.
    pub facts: FileFacts,
    /// Where in the archive; `None` for a file that stands by itself.
    pub member: Option<Member>,
    /// What the manifest says that the bytes hash to.
    pub checksums: Checksums,
}

impl FileSource {
    /// A file that stands by itself, of which nothing is known but what the look said.
    pub fn plain(path: impl Into<PathBuf>, facts: FileFacts) -> FileSource {
        FileSource { path: path.into(), facts, member: None, checksums: Checksums::default() }
    }

    /// What the file at `path` must still be like when it is opened, and when its last byte was read.
    pub fn facts_on_disk(&self) -> FileFacts {
        match &self.member {
            Some(member) => FileFacts { size: member.archive_size(), ..self.facts },
            None => self.facts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_id_has_ten_to_nineteen_digits() {
        assert_eq!(RecordId::new(999_999_999), None);
        assert_eq!(RecordId::new(1_000_000_000).map(|id| id.to_string()).as_deref(), Some("1000000000"));
        assert_eq!(RecordId::new(RecordId::MAX).map(RecordId::get), Some(9_223_372_036_854_775_807));
        assert_eq!(RecordId::new(RecordId::MAX + 1), None);
    }

    #[test]
    fn a_row_key_reads_back_what_it_writes() {
        let key = RowKey::of("Leads", "738964000000291009", SourceKind::File, "a.pdf", "a.pdf", 1);
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(key.to_string().len(), 17);
        for wrong in ["", "r", "r123", "k0123456789abcdef", "r0123456789ABCDEF", "r+123456789abcdef"] {
            assert_eq!(wrong.parse::<RowKey>(), Err(NotAnId), "{wrong}");
        }
    }

    #[test]
    fn a_row_key_depends_on_every_part() {
        let base = RowKey::of("Leads", "1000000000", SourceKind::File, "a", "b", 1);
        for other in [
            RowKey::of("Deals", "1000000000", SourceKind::File, "a", "b", 1),
            RowKey::of("Leads", "1000000001", SourceKind::File, "a", "b", 1),
            RowKey::of("Leads", "1000000000", SourceKind::Link, "a", "b", 1),
            RowKey::of("Leads", "1000000000", SourceKind::File, "ab", "", 1),
            RowKey::of("Leads", "1000000000", SourceKind::File, "a", "c", 1),
            RowKey::of("Leads", "1000000000", SourceKind::File, "a", "b", 2),
        ] {
            assert_ne!(base, other);
        }
    }
}
