//! Zip archives: what their directory says, and the bytes of one member as a stream.
//!
//! Nothing is ever unpacked to the disk. The directory at the end of an archive is the only part that is read before a
//! member is sent, so that an archive of 50 GB costs no more than its list of names. What that directory says of sizes and
//! CRCs is believed for planning and proved while reading: a [`MemberReader`] ends in an error rather than in bytes that
//! are not the ones announced.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Take};

use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, MAX_CENTRAL_DIRECTORY_RECORD_SIZE, ZipArchive, ZipArchiveEntryWayfinder};

use crate::text::system_words;

/// What stands between the path of an archive and the name of a member in it.
pub(crate) const SEPARATOR: &str = "!/";

/// A member may have at most so many times its packed size. Text packs to a fifth, dull spreadsheets to a fiftieth; beyond
/// this there is nothing but filling, which is how archives are made that burst a disk.
const MOST_EXPANSION: u64 = 200;

/// Packed bytes read at once.
const PACKED_CHUNK: usize = 64 * 1024;

/// How the bytes of a member are packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Packing {
    Stored,
    Deflated,
}

/// Where in an archive a member lies, and what its bytes must turn out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    wayfinder: ZipArchiveEntryWayfinder,
    packing: Packing,
    /// Of the bytes when unpacked.
    crc: u32,
    /// Bytes when unpacked.
    size: u64,
    /// Bytes of the whole archive when its directory was read, to tell whether it is still the same.
    archive_size: u64,
}

impl Member {
    /// Bytes when unpacked.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of the whole archive when its directory was read.
    pub fn archive_size(&self) -> u64 {
        self.archive_size
    }
}

/// Why a member cannot be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unusable {
    /// Its bytes are encrypted.
    Encrypted,
    /// It is packed in a way that is not read here; the number that the format gives it.
    Method(u16),
    /// It would grow from so few bytes to so many.
    Bomb {
        /// Bytes in the archive.
        packed: u64,
        /// Bytes when unpacked.
        size: u64,
    },
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::Encrypted => f.write_str("it is encrypted"),
            Unusable::Method(number) => match CompressionMethod::new(*number).name() {
                Some(name) => write!(f, "it is packed with {name}, which is not read here"),
                None => write!(f, "it is packed in a way that is not read here (method {number})"),
            },
            Unusable::Bomb { packed, size } => {
                let (packed, size) = (crate::units::size(*packed), crate::units::size(*size));
                write!(f, "its {packed} would become {size}, more than {MOST_EXPANSION} times as much")
            }
        }
    }
}

/// One line of an archive's directory; folders are not among them.
pub(crate) struct DirectoryEntry<'d> {
    /// The name with `/` between its parts.
    pub(crate) name: Cow<'d, str>,
    /// The member, or why it cannot be sent.
    pub(crate) member: Result<Member, Unusable>,
}

/// Why an archive cannot be read.
#[derive(Debug)]
pub(crate) enum ArchiveError {
    /// It has no directory at its end: it was cut off, or is no zip archive at all.
    NoDirectory,
    /// Its directory breaks off or contradicts itself; says how.
    Directory(String),
    /// The system does not give it back.
    Io(io::Error),
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArchiveError::NoDirectory => {
                f.write_str("it has no directory at its end, so it was cut off or is no zip archive")
            }
            ArchiveError::Directory(how) => write!(f, "its directory is damaged: {how}"),
            ArchiveError::Io(error) => f.write_str(&system_words(error)),
        }
    }
}

impl From<rawzip::Error> for ArchiveError {
    fn from(error: rawzip::Error) -> ArchiveError {
        match error.into_kind() {
            rawzip::ErrorKind::MissingEndOfCentralDirectory => ArchiveError::NoDirectory,
            rawzip::ErrorKind::IO(error) => ArchiveError::Io(error),
            other => ArchiveError::Directory(other.to_string()),
        }
    }
}

/// Reads the directory of an archive, entry by entry, in its order. Two entries may have one name.
pub(crate) fn read_directory(file: File, each: &mut dyn FnMut(DirectoryEntry<'_>)) -> Result<(), ArchiveError> {
    let archive_size = file.metadata().map_err(ArchiveError::Io)?.len();
    let mut buffer = vec![0; MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
    let archive = ZipArchive::from_file(file, &mut buffer)?;
    let announced = archive.entries_hint();
    let mut entries = archive.entries(&mut buffer);
    let mut count = 0_u64;
    while let Some(entry) = entries.next_entry()? {
        count += 1;
        if entry.is_dir() {
            continue;
        }
        let size = entry.uncompressed_size_hint();
        let packed = entry.compressed_size_hint();
        let method = entry.compression_method();
        let packing = match method {
            _ if entry.flags().is_encrypted() => Err(Unusable::Encrypted),
            CompressionMethod::STORE => Ok(Packing::Stored),
            CompressionMethod::DEFLATE => Ok(Packing::Deflated),
            CompressionMethod::AES => Err(Unusable::Encrypted),
            other => Err(Unusable::Method(other.as_u16())),
        };
        let packing = packing.and_then(|packing| match size > packed.saturating_mul(MOST_EXPANSION) {
            true => Err(Unusable::Bomb { packed, size }),
            false => Ok(packing),
        });
        let (wayfinder, crc) = (entry.wayfinder(), entry.crc32());
        let member = packing.map(|packing| Member { wayfinder, packing, crc, size, archive_size });
        each(DirectoryEntry { name: name(entry.file_path().as_bytes()), member });
    }
    // The count is kept in 16 bits where the archive is of the old kind, and wraps around.
    if count != announced && count & 0xFFFF != announced {
        return Err(ArchiveError::Directory(format!("it announces {announced} entries and has {count}")));
    }
    Ok(())
}

/// A member's name as text. Names are UTF-8 or, by the format's oldest rule, in the code page of the first PCs; some
/// programs on Windows separate folders by `\`.
fn name(bytes: &[u8]) -> Cow<'_, str> {
    let name = match std::str::from_utf8(bytes) {
        Ok(name) => Cow::Borrowed(name),
        Err(_) => Cow::Owned(bytes.iter().map(|byte| code_page_437(*byte)).collect()),
    };
    if name.contains('\\') && !name.contains('/') { Cow::Owned(name.replace('\\', "/")) } else { name }
}

fn code_page_437(byte: u8) -> char {
    const UPPER: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";
    match byte.checked_sub(0x80) {
        None => char::from(byte),
        Some(above) => UPPER.chars().nth(usize::from(above)).unwrap_or(char::REPLACEMENT_CHARACTER),
    }
}

/// The bytes of one member. Reading ends in an error unless they are as many as announced and have the announced CRC,
/// and no reader gets to see the end before that is known.
pub(crate) struct MemberReader {
    bytes: Unpacked,
    crc: crc32fast::Hasher,
    wanted_crc: u32,
    /// Bytes that are still to come.
    left: u64,
    proved: bool,
}

enum Unpacked {
    Stored(Take<File>),
    Deflated(Box<DeflateDecoder<BufReader<Take<File>>>>),
}

impl Unpacked {
    fn file(&self) -> &File {
        match self {
            Unpacked::Stored(packed) => packed.get_ref(),
            Unpacked::Deflated(decoder) => decoder.get_ref().get_ref().get_ref(),
        }
    }
}

impl MemberReader {
    /// Goes to the beginning of a member in the archive that is open here.
    pub(crate) fn open(archive: File, member: &Member) -> io::Result<MemberReader> {
        // Enough for the end of an archive without a comment; a longer one costs a few reads more.
        let mut buffer = [0; 4096];
        let archive = ZipArchive::from_file(archive, &mut buffer).map_err(into_io)?;
        let (start, end) = archive.get_entry(member.wayfinder).map_err(into_io)?.compressed_data_range();
        let mut file = archive.into_inner().into_inner();
        file.seek(SeekFrom::Start(start))?;
        let packed = file.take(end - start);
        let bytes = match member.packing {
            Packing::Stored => Unpacked::Stored(packed),
            Packing::Deflated => {
                let packed = BufReader::with_capacity(PACKED_CHUNK, packed);
                Unpacked::Deflated(Box::new(DeflateDecoder::new(packed)))
            }
        };
        let crc = crc32fast::Hasher::new();
        Ok(MemberReader { bytes, crc, wanted_crc: member.crc, left: member.size, proved: false })
    }

    /// The archive, for looking whether it is still the same.
    pub(crate) fn archive(&self) -> &File {
        self.bytes.file()
    }

    fn read_bytes(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &mut self.bytes {
            Unpacked::Stored(packed) => packed.read(out),
            Unpacked::Deflated(decoder) => decoder.read(out),
        }
    }

    /// All announced bytes have come: no more may, and they must be the right ones.
    fn prove(&mut self) -> io::Result<()> {
        if self.read_bytes(&mut [0])? > 0 {
            return Err(damaged("it has more bytes than the archive's directory says"));
        }
        if self.crc.clone().finalize() != self.wanted_crc {
            return Err(damaged("its bytes do not have the CRC that the archive's directory says"));
        }
        self.proved = true;
        Ok(())
    }
}

impl Read for MemberReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            if !self.proved {
                self.prove()?;
            }
            return Ok(0);
        }
        let wanted = usize::try_from(self.left).map_or(out.len(), |left| left.min(out.len()));
        let count = self.read_bytes(&mut out[..wanted])?;
        if count == 0 {
            return Err(damaged("it has fewer bytes than the archive's directory says"));
        }
        self.crc.update(&out[..count]);
        self.left -= count as u64;
        Ok(count)
    }
}

fn damaged(how: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, how)
}

fn into_io(error: rawzip::Error) -> io::Error {
    match ArchiveError::from(error) {
        ArchiveError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write as _;
    use std::path::Path;

    use rawzip::ZipArchiveWriter;

    use super::*;

    /// How a member of a made archive is packed.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) enum Pack {
        /// As it is.
        Store,
        /// With Deflate.
        Deflate,
    }

    /// The bytes of an archive with these members.
    pub(crate) fn zip_of(members: &[(&str, &[u8], Pack)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut archive = ZipArchiveWriter::new(&mut bytes);
        for (name, content, pack) in members {
            let method = match pack {
                Pack::Store => CompressionMethod::STORE,
                Pack::Deflate => CompressionMethod::DEFLATE,
            };
            let file = archive.new_file(*name).compression_method(method);
            let (mut entry, config) = file.start().expect("begun");
            let descriptor = match pack {
                Pack::Store => {
                    let mut data = config.wrap(&mut entry);
                    data.write_all(content).expect("written");
                    data.finish().expect("finished").1
                }
                Pack::Deflate => {
                    let encoder = flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::default());
                    let mut data = config.wrap(encoder);
                    data.write_all(content).expect("written");
                    let (encoder, descriptor) = data.finish().expect("finished");
                    encoder.finish().expect("packed");
                    descriptor
                }
            };
            entry.finish(descriptor).expect("ended");
        }
        archive.finish().expect("finished");
        bytes
    }

    /// The same in a file.
    pub(crate) fn write_zip(path: &Path, members: &[(&str, &[u8], Pack)]) {
        std::fs::write(path, zip_of(members)).expect("written");
    }

    /// Makes an archive of the large kind (zip64) of stored members: name, zeros in front, and what stands behind them.
    /// Zeros are holes of the file, so that gigabytes of them cost nothing; the CRC is that of the bytes behind.
    pub(crate) fn zip_of_large_files(path: &Path, members: &[(&str, u64, &[u8])]) {
        let mut file = File::create(path).expect("made");
        let mut directory: Vec<u8> = Vec::new();
        let mut at = 0_u64;
        for (name, zeros, content) in members {
            let size = zeros + content.len() as u64;
            let crc = crc32fast::hash(content);
            // Sizes and place stand in an extra field; the old ones of 32 bits say so.
            let sizes: Vec<u8> = [size, size].iter().flat_map(|number| number.to_le_bytes()).collect();
            let name_len = (name.len() as u16).to_le_bytes();
            let mut local: Vec<u8> = [&b"PK\x03\x04"[..], &[45, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
            local.extend([&crc.to_le_bytes()[..], &[0xFF; 8], &name_len, &20_u16.to_le_bytes()].concat());
            local.extend([name.as_bytes(), &[1, 0, 16, 0], &sizes].concat());
            let mut entry: Vec<u8> = [&b"PK\x01\x02"[..], &[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
            entry.extend([&crc.to_le_bytes()[..], &[0xFF; 8], &name_len, &28_u16.to_le_bytes(), &[0; 10]].concat());
            entry.extend([&[0xFF; 4][..], name.as_bytes(), &[1, 0, 24, 0], &sizes, &at.to_le_bytes()].concat());
            directory.extend(entry);
            file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(&local)).expect("written");
            at += local.len() as u64 + zeros;
            file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(content)).expect("written");
            at += content.len() as u64;
        }
        let (count, length) = ((members.len() as u64).to_le_bytes(), (directory.len() as u64).to_le_bytes());
        let mut end: Vec<u8> = [&b"PK\x06\x06"[..], &44_u64.to_le_bytes(), &[45, 0, 45, 0], &[0; 8]].concat();
        end.extend([&count[..], &count, &length, &at.to_le_bytes()].concat());
        let locator = at + directory.len() as u64;
        end.extend([&b"PK\x06\x07"[..], &[0; 4], &locator.to_le_bytes(), &1_u32.to_le_bytes()].concat());
        end.extend([&b"PK\x05\x06"[..], &[0; 4], &[0xFF; 12], &[0; 2]].concat());
        file.seek(SeekFrom::Start(at)).expect("there");
        file.write_all(&[directory, end].concat()).expect("written");
    }

    #[test]
    fn an_archive_beyond_four_gib_costs_no_more_than_its_list_of_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("large.zip");
        zip_of_large_files(&path, &[("zeros.bin", 5 << 30, b""), ("behind.txt", 0, b"hello")]);
        let mut found: Listed = Vec::new();
        let file = || File::open(&path).expect("there");
        read_directory(file(), &mut |entry| found.push((entry.name.into_owned(), entry.member))).expect("a directory");
        let [(zeros, Ok(large)), (behind, Ok(small))] = &found[..] else { panic!("{found:?}") };
        assert_eq!((zeros.as_str(), large.size(), behind.as_str()), ("zeros.bin", 5 << 30, "behind.txt"));
        assert!(small.archive_size() > 5 << 30);
        let mut text = String::new();
        MemberReader::open(file(), small).expect("found").read_to_string(&mut text).expect("read");
        assert_eq!(text, "hello");
        let mut some = [1; 1000];
        MemberReader::open(file(), large).expect("found").read_exact(&mut some).expect("read");
        assert_eq!(some, [0; 1000]);
    }

    #[test]
    fn an_archive_of_more_files_than_the_old_count_can_say_is_read_whole() {
        let members: Vec<(String, &[u8], Pack)> =
            (0..70_000).map(|number| (format!("f/{number}"), &b""[..], Pack::Store)).collect();
        let members: Vec<_> = members.iter().map(|(name, bytes, pack)| (name.as_str(), *bytes, *pack)).collect();
        assert_eq!(directory(&zip_of(&members)).expect("a directory").len(), 70_000);
    }

    fn opened(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(bytes).expect("written");
        file
    }

    /// Name and member of each entry.
    type Listed = Vec<(String, Result<Member, Unusable>)>;

    fn directory(bytes: &[u8]) -> Result<Listed, ArchiveError> {
        let mut found = Vec::new();
        read_directory(opened(bytes), &mut |entry| found.push((entry.name.into_owned(), entry.member)))?;
        Ok(found)
    }

    fn content(bytes: &[u8], member: &Member) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        MemberReader::open(opened(bytes), member)?.read_to_end(&mut all)?;
        Ok(all)
    }

    fn the_member(bytes: &[u8]) -> Member {
        directory(bytes).expect("a directory").remove(0).1.expect("usable")
    }

    #[test]
    fn members_come_out_as_they_went_in_whatever_they_are_packed_with() {
        let long = b"line of text\n".repeat(30_000);
        let bytes = zip_of(&[
            ("a/stored.bin", b"\x00\xff", Pack::Store),
            ("a/packed.txt", &long[..100], Pack::Deflate),
            ("Straße.txt", b"", Pack::Store),
        ]);
        let found = directory(&bytes).expect("a directory");
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a/stored.bin", "a/packed.txt", "Straße.txt"]);
        for ((_, member), wanted) in found.iter().zip([&b"\x00\xff"[..], &long[..100], b""]) {
            let member = member.expect("usable");
            assert_eq!(content(&bytes, &member).expect("read"), wanted);
            assert_eq!(member.size(), wanted.len() as u64);
        }
    }

    #[test]
    fn an_archive_that_is_cut_off_or_none_at_all_has_no_directory() {
        let bytes = zip_of(&[("a.txt", b"hello", Pack::Store)]);
        for cut in [0, 1, 20, bytes.len() / 2, bytes.len() - 1] {
            assert!(directory(&bytes[..cut]).is_err(), "{cut} of {}", bytes.len());
        }
        assert!(matches!(directory(b"no zip"), Err(ArchiveError::NoDirectory)));
    }

    #[test]
    fn a_byte_that_changed_never_passes_for_the_member() {
        for pack in [Pack::Store, Pack::Deflate] {
            let text = b"the quick brown fox jumps over the lazy dog";
            let bytes = zip_of(&[("a.txt", text, pack)]);
            let member = the_member(&bytes);
            let start = 30 + "a.txt".len();
            for at in start..start + 20 {
                let mut broken = bytes.clone();
                broken[at] ^= 0x10;
                let read = content(&broken, &member);
                assert!(read.is_err(), "{pack:?}: byte {at} was changed, and {read:?} came out");
            }
        }
    }

    #[test]
    fn what_a_directory_announces_wrongly_is_found_before_the_end() {
        let bytes = zip_of(&[("a.txt", b"hello", Pack::Store)]);
        let member = the_member(&bytes);
        for size in [4, 6] {
            let error = content(&bytes, &Member { size, ..member }).expect_err("another size");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
        assert!(content(&bytes, &Member { crc: member.crc ^ 1, ..member }).is_err());
    }

    #[test]
    fn encrypted_and_swelling_members_and_unknown_packing_are_named() {
        let zeros = vec![0; 1_000_000];
        let bytes = zip_of(&[("zeros", &zeros, Pack::Deflate)]);
        let found = directory(&bytes).expect("a directory").remove(0).1;
        assert!(matches!(found, Err(Unusable::Bomb { size: 1_000_000, .. })), "{found:?}");

        // The directory's own record of the only member: flags at its byte 8, the method at 10.
        let bytes = zip_of(&[("a", b"hello", Pack::Store)]);
        let record = bytes.windows(4).position(|four| four == b"PK\x01\x02").expect("a directory");
        let with = |at: usize, value: u8| {
            let mut changed = bytes.clone();
            changed[record + at] = value;
            directory(&changed).expect("a directory").remove(0).1
        };
        let flags = bytes[record + 8];
        assert_eq!(with(8, flags | 1), Err(Unusable::Encrypted));
        assert_eq!(with(10, 99), Err(Unusable::Encrypted));
        assert_eq!(with(10, 12), Err(Unusable::Method(12)));
        assert!(Unusable::Method(12).to_string().to_lowercase().contains("bzip2"));
    }

    #[test]
    fn names_of_other_times_and_systems_become_text_with_slashes() {
        assert_eq!(name("a/ü.txt".as_bytes()), "a/ü.txt");
        assert_eq!(name(b"a\\b.txt"), "a/b.txt");
        assert_eq!(name(b"a/b\\c.txt"), "a/b\\c.txt");
        assert_eq!(name(b"R\x82sum\x82.pdf"), "Résumé.pdf");
        let all: std::collections::BTreeSet<char> = (0..=255).map(code_page_437).collect();
        assert_eq!(all.len(), 256, "each byte has a character of its own");
    }
}
