//! Reads a results file once from front to back, in a window of bounded size, and learns everything but the lines
//! themselves: where each row's last line stands, what it says, and whether the file is sound.

use std::hash::{DefaultHasher, Hasher as _};
use std::io;
use std::path::Path;

use super::codec::{Cells, LineError};
use super::columns::{Layout, ResultsColumn};
use super::disk::Disk;
use super::error::ResultsError;
use super::history::{History, Kept, Note};
use super::line::Line;
use super::watermark::{FillLevel, Watermark};
use crate::outcome::Status;
use crate::owner::CrmOwner;
use crate::upload::RowKey;

/// Bytes read in one go after a jump, and at most: who goes on reading gets more each time.
const FIRST_READ: usize = 4 * 1024;
const LARGEST_READ: usize = 256 * 1024;

/// The physical lines of a file, from any offset on.
pub(super) struct ResultsLines<'f, D: Disk> {
    disk: &'f D,
    file: &'f D::File,
    /// Bytes of the file from `offset` on.
    window: Vec<u8>,
    offset: u64,
    /// Where in the window the next line begins.
    next: usize,
    /// Bytes to read the next time.
    step: usize,
}

/// One physical line, without its newline.
pub(super) struct Physical<'a> {
    pub(super) offset: u64,
    pub(super) bytes: &'a [u8],
    /// Whether a newline ends it.
    pub(super) whole: bool,
}

impl Physical<'_> {
    /// The offset behind the line and its newline.
    pub(super) fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64 + u64::from(self.whole)
    }
}

impl<'f, D: Disk> ResultsLines<'f, D> {
    pub(super) fn new(disk: &'f D, file: &'f D::File) -> Self {
        ResultsLines { disk, file, window: Vec::new(), offset: 0, next: 0, step: FIRST_READ }
    }

    /// The line that begins at this offset. Going forward in small steps costs no reading.
    pub(super) fn at(&mut self, offset: u64) -> io::Result<Option<Physical<'_>>> {
        match offset.checked_sub(self.offset).and_then(|ahead| usize::try_from(ahead).ok()) {
            Some(ahead) if ahead <= self.window.len() => self.next = ahead,
            _ => {
                self.window.clear();
                self.offset = offset;
                self.next = 0;
                self.step = FIRST_READ;
            }
        }
        self.next()
    }

    /// The next line; `None` at the end of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<Physical<'_>>> {
        let mut searched = self.next;
        let end = loop {
            let unsearched = self.window.get(searched..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', unsearched) {
                break Some(searched + at);
            }
            searched = self.window.len() - self.next;
            if !self.read_more()? {
                break None;
            }
        };
        let start = self.next;
        let stop = end.unwrap_or(self.window.len());
        self.next = end.map_or(stop, |end| end + 1);
        if start == self.window.len() {
            return Ok(None);
        }
        let bytes = self.window.get(start..stop).unwrap_or_default();
        Ok(Some(Physical { offset: self.offset + start as u64, bytes, whole: end.is_some() }))
    }

    /// Drops what is behind and reads what is ahead; `false` at the end of the file.
    fn read_more(&mut self) -> io::Result<bool> {
        self.window.drain(..self.next);
        self.offset += self.next as u64;
        self.next = 0;
        let kept = self.window.len();
        self.window.resize(kept + self.step, 0);
        self.step = (self.step * 2).min(LARGEST_READ);
        let read = self.disk.read_at(self.file, self.offset + kept as u64, &mut self.window[kept..]);
        self.window.truncate(kept + *read.as_ref().unwrap_or(&0));
        Ok(read? > 0)
    }
}

/// What a results file says, and in what condition it is.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) layout: Layout,
    pub(super) history: History,
    /// Bytes up to the end of the last line that counts; what is behind is torn.
    pub(super) whole: u64,
    /// Bytes in all.
    pub(super) len: u64,
    /// Lines dropped because they were torn.
    pub(super) torn: u32,
    /// Lines that were edited, and accepted.
    pub(super) edited: u32,
    /// Whether torn or edited lines stand in front of good ones.
    pub(super) damaged_inside: bool,
    /// Tells of rows, their order and their carried cells; `None` if a row has more than one line or is under way.
    pub(super) order: Option<OrderHash>,
    /// Every owner that a line names which may have created something, at the time or in the end.
    pub(super) owners: Vec<CrmOwner>,
    /// How far the file is filled.
    pub(super) level: FillLevel,
    /// Whether its first lines come to what the mark beside it says.
    pub(super) reaches_mark: bool,
}

/// A fingerprint over the rows of a table: equal if they stand in the same order, with the same line numbers and
/// carried cells.
#[derive(Clone, Debug, Default)]
pub(super) struct OrderHash(DefaultHasher);

impl OrderHash {
    pub(super) fn push<'c>(&mut self, line: u32, key: RowKey, carried: impl Iterator<Item = &'c [u8]>) {
        self.0.write_u32(line);
        self.0.write_u64(key.0);
        for cell in carried {
            self.0.write(cell);
            self.0.write_u8(b',');
        }
    }
}

impl PartialEq for OrderHash {
    fn eq(&self, other: &OrderHash) -> bool {
        self.0.finish() == other.0.finish()
    }
}

/// What the file is held against while it is read.
pub(super) struct ScanExpectation<'a> {
    pub(super) path: &'a Path,
    /// The target of this run; a file of another one is refused.
    pub(super) target: Option<&'a str>,
    pub(super) accept_edited: bool,
    /// What the mark beside the file says.
    pub(super) mark: Option<Watermark>,
}

/// Reads the whole file.
pub(super) fn scan<D: Disk>(disk: &D, file: &D::File, wanted: &ScanExpectation<'_>) -> Result<Scan, ResultsError> {
    let failed = |cause| ResultsError::io("read", wanted.path, cause);
    let mut lines = ResultsLines::new(disk, file);
    let Some(header) = lines.next().map_err(failed)? else {
        let reaches_mark = wanted.mark.is_some_and(|mark| mark.is(FillLevel::default()));
        return Ok(Scan { order: None, reaches_mark, ..Scan::default() });
    };
    let layout = Layout::decode_header(header.bytes).filter(|_| header.whole);
    let layout = layout.ok_or_else(|| ResultsError::NotResults { path: wanted.path.to_owned() })?;
    let start = header.end();
    let mut reading = Reading {
        wanted,
        scan: Scan {
            layout: layout.clone(),
            whole: start,
            len: start,
            order: Some(OrderHash::default()),
            ..Scan::default()
        },
        line: 1,
        misshapen: None,
        torn_pending: false,
        first_torn: None,
        hole: None,
        is_log: false,
        elsewhere: false,
    };
    reading.look_at_level();
    let mut ranges = Vec::new();
    while let Some(physical) = lines.next().map_err(failed)? {
        reading.line += 1;
        reading.take(&physical, &layout, &mut ranges)?;
    }
    reading.check_hole()?;
    if reading.elsewhere {
        leave_out_what_went_elsewhere(disk, file, &mut reading.scan, wanted)?;
    }
    Ok(reading.scan)
}

/// Refuses a file of which a row's last line tells that something may have been created at another target. Rows of which
/// nothing was created there do not bind the file: their lines say nothing about this target, and the rows are new.
fn leave_out_what_went_elsewhere<D: Disk>(
    disk: &D,
    file: &D::File,
    scan: &mut Scan,
    wanted: &ScanExpectation<'_>,
) -> Result<(), ResultsError> {
    let Some(ours) = wanted.target else { return Ok(()) };
    let mut last: Vec<Kept> = scan.history.iter().copied().collect();
    last.sort_unstable_by_key(|kept| kept.offset);
    let (mut lines, mut ranges) = (ResultsLines::new(disk, file), Vec::new());
    for kept in last {
        let physical = lines.at(kept.offset).map_err(|cause| ResultsError::io("read", wanted.path, cause))?;
        let Some(cells) = physical.and_then(|physical| Cells::split(physical.bytes, &scan.layout, &mut ranges).ok())
        else {
            continue;
        };
        let theirs = cells.raw(ResultsColumn::Target);
        if theirs == ours.as_bytes() || (!cells.intact() && cells.text(ResultsColumn::Target).as_deref() == Ok(ours)) {
            continue;
        }
        if kept.status.may_have_created() {
            let theirs = String::from_utf8_lossy(theirs).into_owned();
            return Err(ResultsError::OtherTarget { path: wanted.path.to_owned(), theirs, ours: ours.to_owned() });
        }
        scan.history.forget(kept.key());
    }
    scan.order = None;
    Ok(())
}

/// Whether every line of the file that can be read at all tells of this target. An empty file is anybody's; one without
/// our header is not ours.
pub(super) fn tells_only_of<D: Disk>(disk: &D, file: &D::File, target: &str) -> io::Result<bool> {
    let mut lines = ResultsLines::new(disk, file);
    let Some(header) = lines.next()? else { return Ok(true) };
    let Some(layout) = Layout::decode_header(header.bytes) else { return Ok(false) };
    let mut ranges = Vec::new();
    while let Some(physical) = lines.next()? {
        let cells = Cells::split(physical.bytes, &layout, &mut ranges);
        if cells.is_ok_and(|cells| cells.raw(ResultsColumn::Target) != target.as_bytes()) {
            return Ok(false);
        }
    }
    Ok(true)
}

struct Reading<'a> {
    wanted: &'a ScanExpectation<'a>,
    scan: Scan,
    /// Number of the physical line, from 1.
    line: u64,
    /// A line that is not of our shape: torn if it turns out to be the last, edited if another follows.
    misshapen: Option<u64>,
    /// Whether torn lines stand behind the last good one: inside the file if another good one follows.
    torn_pending: bool,
    /// The first line that was dropped as torn.
    first_torn: Option<u64>,
    /// The same, if an uploaded row follows it.
    hole: Option<u64>,
    /// Whether a row has more than one line, or is under way.
    is_log: bool,
    /// Whether a line tells of another target than that of this run.
    elsewhere: bool,
}

impl Reading<'_> {
    fn take(
        &mut self,
        physical: &Physical<'_>,
        layout: &Layout,
        ranges: &mut Vec<std::ops::Range<usize>>,
    ) -> Result<(), ResultsError> {
        self.scan.len = physical.end();
        if let Some(line) = self.misshapen {
            return Err(self.edited(line, None));
        }
        let cells = Cells::split(physical.bytes, layout, ranges);
        // Some editors take the last newline away. A line whose check is right is whole all the same.
        let whole = physical.whole || cells.as_ref().is_ok_and(Cells::intact);
        let cells = match cells {
            Ok(cells) if whole => cells,
            broken => {
                self.misshapen = (whole && matches!(broken, Err(LineError::Shape))).then_some(self.line);
                self.drop_torn();
                return Ok(());
            }
        };
        let status = self.read(&cells, physical.offset)?;
        if status == Status::Uploaded {
            self.hole = self.hole.or(self.first_torn);
        }
        self.scan.damaged_inside |= self.torn_pending || !physical.whole;
        self.scan.whole = physical.end();
        Ok(())
    }

    fn drop_torn(&mut self) {
        self.scan.torn += 1;
        self.torn_pending = true;
        self.first_torn.get_or_insert(self.line);
        self.scan.order = None;
    }

    /// A crash leaves holes only in what was being written, and nothing is uploaded before its `sending` line is on the
    /// disk. So a hole in front of an uploaded row, in a file without such a line (a table), is damage of another kind,
    /// and what it has swallowed may have been the end of a row that must not be sent again.
    fn check_hole(&self) -> Result<(), ResultsError> {
        match self.hole {
            Some(line) if !self.is_log => Err(self.edited(line, None)),
            _ => Ok(()),
        }
    }

    fn read(&mut self, cells: &Cells<'_>, offset: u64) -> Result<Status, ResultsError> {
        let known = if cells.intact() { known(cells).ok() } else { None };
        let (note, target, line) = match known {
            Some((note, line)) => (note, None, line),
            None => {
                let line = self.accept(cells)?;
                (Note::of(&line), Some(line.target), line.line)
            }
        };
        self.elsewhere |= self.is_of_another_target(cells, target.as_deref());
        if self.scan.level.push(note.key, note.status) {
            self.look_at_level();
            self.note_owner(cells);
        }
        let again = self.scan.history.note(&note, offset);
        if again || note.status == Status::Sending {
            self.is_log = true;
            self.scan.order = None;
        }
        if let Some(order) = &mut self.scan.order {
            order.push(line, note.key, cells.raw_carried());
        }
        Ok(note.status)
    }

    /// Whether the lines so far are what the mark knows of.
    fn look_at_level(&mut self) {
        self.scan.reaches_mark |= self.wanted.mark.is_some_and(|mark| mark.is(self.scan.level));
    }

    /// Keeps whose CRM the line names. There are few, and mostly the one of the line before.
    fn note_owner(&mut self, cells: &Cells<'_>) {
        if let Ok(Some(owner)) = cells.optional(ResultsColumn::Org)
            && !self.scan.owners.contains(&owner)
        {
            self.scan.owners.push(owner);
        }
    }

    /// A line whose check is wrong: fine if only its quoting changed or the user accepts edits, else refused.
    fn accept(&mut self, cells: &Cells<'_>) -> Result<Line, ResultsError> {
        let broken = match cells.intact_line() {
            Ok(line) => return Ok(line),
            Err(broken) => broken,
        };
        let column = match broken {
            LineError::Edited { column } => column,
            LineError::Torn | LineError::Shape => None,
        };
        let salvaged = if self.wanted.accept_edited { cells.salvaged_line() } else { None };
        let line = salvaged.ok_or_else(|| self.edited(self.line, column))?;
        self.scan.edited += 1;
        self.scan.damaged_inside = true;
        Ok(line)
    }

    fn edited(&self, line: u64, column: Option<String>) -> ResultsError {
        let accepted = self.wanted.accept_edited;
        ResultsError::Edited { path: self.wanted.path.to_owned(), line, column, accepted }
    }

    fn is_of_another_target(&self, cells: &Cells<'_>, salvaged: Option<&str>) -> bool {
        // Hosts need no escaping, so the cell can be compared as it stands.
        let is_ours = |ours: &str| cells.raw(ResultsColumn::Target) == ours.as_bytes() || salvaged == Some(ours);
        self.wanted.target.is_some_and(|ours| !is_ours(ours))
    }
}

/// What history needs of an intact line, without reading the other cells.
fn known<'a>(cells: &Cells<'a>) -> Result<(Note<'a>, u32), ResultsColumn> {
    let status: Status = cells.parsed(ResultsColumn::Status)?;
    let code = cells.raw(ResultsColumn::Code);
    let sent_at = if status.is_open() { cells.optional::<jiff::Timestamp>(ResultsColumn::SentAt)? } else { None };
    let note = Note {
        key: cells.parsed(ResultsColumn::Key)?,
        status,
        // Codes with escapes are none that any rule knows; they are looked up in the line itself.
        code: std::str::from_utf8(code).map_err(|_| ResultsColumn::Code)?.into(),
        sent_at: sent_at.map(jiff::Timestamp::as_second),
    };
    Ok((note, cells.line_number()?))
}
