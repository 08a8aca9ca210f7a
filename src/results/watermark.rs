//! The high-water mark beside the results: how far they had been filled when they were last made durable. By it an older
//! copy that somebody puts back, or a file that lost whole lines, is told from the one that the last run left.
//!
//! What is counted are lines that may have created something, and those of what was deleted since, in the order of the file:
//! others may be taken out without harm, since their rows are only sent again.
//!
//! The mark is written over in place **after** the results were synced and **before** the rows of those lines may be sent,
//! and is not synced itself:
//!
//! - After a kill everything that was written is there: the mark knows of every row that was sent.
//! - After a loss of power the mark may be older than the results, or unreadable, but never ahead of them. So results of
//!   which the loss took what was not synced are never refused; only, an older copy that is put back after a loss of
//!   power is noticed as far as the mark reached the disk.
//!
//! Where a new file takes the place of the results, the mark first names both as right, and that is synced: whichever of
//! them a crash leaves, it fits.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::paths::mark_of;
use crate::outcome::Status;
use crate::upload::RowKey;

/// Bytes of the mark, always: written over in place, no part of an older one is left. Less than a sector, which disks write
/// whole.
const SIZE: usize = 256;

/// How far a results file is filled: a measure of its first lines that may have created something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct FillLevel {
    /// How many such lines there are.
    pub lines: u64,
    /// A sum over their keys and statuses, whatever their order: a table may be sorted anew.
    sum: u64,
}

impl FillLevel {
    /// Takes in the next line of the file; says whether it counts.
    pub(super) fn push(&mut self, key: RowKey, status: Status) -> bool {
        let counts = status.tells_of_attachment();
        if counts {
            self.lines += 1;
            self.sum = self.sum.wrapping_add(weight(key, status));
        }
        counts
    }
}

/// A number for a line, as good as drawn by lot. It stands in files, so it never changes.
fn weight(key: RowKey, status: Status) -> u64 {
    status.as_str().bytes().fold(mixed(key.0), |so_far, byte| mixed(so_far ^ u64::from(byte)))
}

/// The finalizer of the generator SplitMix64.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// What the mark says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Watermark {
    /// The results hold at least this.
    reached: FillLevel,
    /// Or this: a new file was about to take their place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    or: Option<FillLevel>,
}

impl Watermark {
    /// Whether results whose first lines come to this fit the mark.
    pub(super) fn is(&self, level: FillLevel) -> bool {
        self.reached == level || self.or == Some(level)
    }

    /// The fewest lines that the results must have.
    pub(super) fn least_lines(&self) -> u64 {
        self.or.map_or(self.reached.lines, |or| or.lines.min(self.reached.lines))
    }

    fn encode(&self) -> io::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self)?;
        let check = crc32fast::hash(&bytes);
        bytes.extend_from_slice(format!(" {check:08x}").as_bytes());
        bytes.resize(SIZE - 1, b' ');
        bytes.push(b'\n');
        Ok(bytes)
    }

    fn decode(bytes: &[u8]) -> Option<Watermark> {
        let end = bytes.iter().position(|byte| *byte == b' ')?;
        let mark: Watermark = serde_json::from_slice(bytes.get(..end)?).ok()?;
        // What is not exactly what would be written, its check included, was torn.
        (mark.encode().ok()? == bytes).then_some(mark)
    }
}

/// What stands beside the results.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum MarkFound {
    /// Nothing: an earlier version wrote the results, or they were brought here without it.
    #[default]
    None,
    /// Something that is no mark: a loss of power may have torn it.
    Unreadable,
    /// A mark.
    Is(Watermark),
}

impl MarkFound {
    pub(super) fn known(self) -> Option<Watermark> {
        match self {
            MarkFound::Is(mark) => Some(mark),
            MarkFound::None | MarkFound::Unreadable => None,
        }
    }
}

/// Reads the mark of these results.
pub(super) fn find<D: Disk>(disk: &D, results: &Path) -> io::Result<MarkFound> {
    let Some(file) = disk.open_to_read(&mark_of(results))? else { return Ok(MarkFound::None) };
    let mut bytes = Vec::new();
    let mut buffer = [0; SIZE];
    while bytes.len() <= SIZE {
        let read = disk.read_at(&file, bytes.len() as u64, &mut buffer)?;
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
    Ok(Watermark::decode(&bytes).map_or(MarkFound::Unreadable, MarkFound::Is))
}

/// The mark of results that are being written.
#[derive(Debug)]
pub(super) struct WatermarkFile<D: Disk> {
    disk: D,
    file: D::File,
    /// What stands in it; `None` before anything was written.
    written: Option<Watermark>,
}

impl<D: Disk> WatermarkFile<D> {
    /// Opens the mark of these results, and makes it if there is none.
    pub(super) fn open(disk: &D, results: &Path) -> io::Result<WatermarkFile<D>> {
        let file = disk.open_to_overwrite(&mark_of(results))?;
        Ok(WatermarkFile { disk: disk.clone(), file, written: None })
    }

    /// Notes what the results hold, which must be durable. Not synced.
    pub(super) fn note(&mut self, reached: FillLevel) -> io::Result<()> {
        self.write(Watermark { reached, or: None })
    }

    /// Notes that a new file takes the place of the results, before it does. Synced.
    pub(super) fn announce(&mut self, now: FillLevel, new: FillLevel) -> io::Result<()> {
        self.write(Watermark { reached: now, or: Some(new) })?;
        self.sync()
    }

    /// Returns once what was noted is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.disk.sync(&self.file)
    }

    fn write(&mut self, mark: Watermark) -> io::Result<()> {
        if self.written != Some(mark) {
            self.written = None;
            self.disk.overwrite(&self.file, &mark.encode()?)?;
            self.written = Some(mark);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::disk::SimDisk;

    fn level(keys: impl IntoIterator<Item = u64>) -> FillLevel {
        let mut level = FillLevel::default();
        keys.into_iter().for_each(|key| assert!(level.push(RowKey(key), Status::Uploaded)));
        level
    }

    #[test]
    fn a_level_tells_which_lines_there_were_and_not_in_which_order() {
        assert_eq!(level([1, 2, 3]), level([3, 1, 2]));
        assert_ne!(level([1, 2]), level([1, 3]));
        assert_ne!(level([1, 1]), level([1]));
        let mut sent = level([1]);
        assert!(sent.push(RowKey(2), Status::Sending) && !sent.push(RowKey(3), Status::Failed));
        assert!(sent.lines == 2 && sent != level([1, 2]), "a row under way is not one that was uploaded");
    }

    #[test]
    fn a_mark_is_read_back_and_a_torn_one_is_none() {
        let results = Path::new("work/a.results.csv");
        let disk = SimDisk::default();
        assert_eq!(find(&disk, results).expect("read"), MarkFound::None);
        let mut file = WatermarkFile::open(&disk, results).expect("made");
        assert_eq!(find(&disk, results).expect("read"), MarkFound::Unreadable, "nothing stands in it yet");
        let (one, two) = (level([1]), level(1..=40_000));
        file.announce(one, two).expect("written");
        let found = find(&disk, results).expect("read").known().expect("a mark");
        assert!(found.is(one) && found.is(two) && !found.is(level([2])) && found.least_lines() == 1);
        file.note(two).expect("written");
        let found = find(&disk, results).expect("read").known().expect("a mark");
        assert!(!found.is(one) && found.is(two) && found.least_lines() == 40_000);
        let whole = disk.contents(&mark_of(results)).expect("there");
        assert_eq!(whole.len(), SIZE);
        for at in 0..SIZE {
            let mut torn = whole.clone();
            torn[at] ^= 1;
            assert_eq!(Watermark::decode(&torn), None, "byte {at}");
            assert_eq!(Watermark::decode(&whole[..at]), None, "{at} bytes");
        }
    }

    #[test]
    fn the_largest_mark_has_room() {
        let largest = FillLevel { lines: u64::MAX, sum: u64::MAX };
        let mark = Watermark { reached: largest, or: Some(largest) };
        let bytes = mark.encode().expect("encoded");
        assert_eq!((bytes.len(), Watermark::decode(&bytes)), (SIZE, Some(mark)));
    }
}
