//! Writes the results anew, one line a row, into a file beside them that then takes their place at once: a crash leaves
//! either the old file or the new one, both of which the next run can read.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::cell;
use super::codec::{Cells, LineError};
use super::columns::{Layout, ResultsColumn};
use super::disk::{Disk, Placement};
use super::history::{History, Kept, Note};
use super::line::Line;
use super::paths::{folder_of, temp_of};
use super::scan::{OrderHash, ResultsLines};
use super::watermark::FillLevel;
use super::without_manifest::{NoRows, in_manifest_order};
use crate::outcome::{OwnCode, Status};
use crate::upload::RowKey;

/// Bytes gathered before they are written.
const CHUNK: usize = 256 * 1024;

/// The rows of a manifest as the results need them: all of them, those left out included, in manifest order.
pub trait ResultsRows {
    /// Names of the carried columns.
    fn columns(&self) -> &[String];
    /// How many rows there are.
    fn len(&self) -> u32;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Which row this is.
    fn key(&self, row: u32) -> RowKey;
    /// Its physical line in the manifest.
    fn line(&self, row: u32) -> u32;
    /// Its carried cells, in the order of the columns.
    fn carried(&self, row: u32, each: &mut dyn FnMut(&str));
    /// The line of the row if the results know nothing better: `not_sent` or `invalid`, with the code that says why.
    fn blank(&self, row: u32) -> Line;
}

/// How many rows have which status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ResultsTally([u32; Status::ALL.len()]);

impl ResultsTally {
    /// How many rows have this status.
    pub fn of(&self, status: Status) -> u32 {
        self.0[status as usize]
    }

    /// How many rows there are.
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// The statuses that occur, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Status, u32)> + '_ {
        Status::ALL.into_iter().map(|status| (status, self.of(status))).filter(|(_, count)| *count > 0)
    }

    pub(super) fn add(&mut self, status: Status) {
        self.0[status as usize] += 1;
    }
}

/// What a finished results file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ResultsTotals {
    /// Of the rows of the manifest.
    pub rows: ResultsTally,
    /// Of rows that are no longer in the manifest.
    pub gone: ResultsTally,
    /// Of the rows of the manifest that were not sent: those that the user chose to leave for another run.
    pub not_selected: u32,
}

/// The file that is to be read, if there is one.
pub(super) struct Old<'a, D: Disk> {
    pub(super) disk: &'a D,
    pub(super) path: &'a Path,
    pub(super) file: Option<&'a D::File>,
    pub(super) layout: &'a Layout,
}

/// Which lines go into the new file.
pub(super) enum Which<'a> {
    /// Those that the old one has, in their order. A row that took a line over says where its file is today.
    Kept { rows: &'a dyn ResultsRows },
    /// One for each row of the manifest, then those of rows that are no longer in it.
    Table {
        rows: &'a dyn ResultsRows,
        /// Lines from this offset on are of this run.
        run_start: u64,
    },
    /// One for each row that has a line, in manifest order, as far as lines say it: where no manifest is at hand.
    AsItStands,
}

/// The new file, written and synced under a name of its own.
pub(super) struct Fresh<D: Disk> {
    pub(super) temp: PathBuf,
    pub(super) file: D::File,
    pub(super) len: u64,
    pub(super) level: FillLevel,
    pub(super) totals: ResultsTotals,
    /// Of the new file; a table has none, because nothing is added to it.
    pub(super) history: History,
}

/// Writes the new file. On an error nothing of it is left behind, as far as the disk lets us.
pub(super) fn write<D: Disk>(
    old: &Old<'_, D>,
    history: &mut History,
    layout: &Layout,
    which: &Which<'_>,
) -> io::Result<Fresh<D>> {
    let temp = temp_of(old.path, fastrand::u64(..));
    let file = old.disk.create(&temp)?;
    let buffer = Vec::with_capacity(CHUNK);
    let rows = match *which {
        Which::Kept { rows } | Which::Table { rows, .. } => rows,
        Which::AsItStands => &NoRows,
    };
    let takers = takers(history, rows);
    let (level, kept) = (FillLevel::default(), History::default());
    let mut writer = Writer { old, layout, file: &file, buffer, len: 0, level, history: kept, rows, takers };
    match writer.write_all(history, which) {
        Ok(totals) => {
            let Writer { len, level, history, .. } = writer;
            Ok(Fresh { temp, file, len, level, totals, history })
        }
        Err(error) => {
            drop(file);
            // A leftover is harmless: the next run takes it away.
            let _ = old.disk.remove(&temp);
            Err(error)
        }
    }
}

/// Puts the new file in the place of the old one, or of none. The new one is locked before it gets there, so that at no
/// moment it can be taken by somebody else.
pub(super) fn replace<D: Disk>(disk: &D, fresh: &Fresh<D>, path: &Path, old: Option<D::File>) -> io::Result<()> {
    // Windows replaces no file that is open: it is closed first. Elsewhere it stays locked until the new one is there.
    let old = old.filter(|_| !cfg!(windows));
    let placed = claim(disk, fresh).and_then(|()| disk.rename(&fresh.temp, path));
    drop(old);
    if placed.is_err() {
        let _ = disk.remove(&fresh.temp);
    }
    placed?;
    disk.sync_folder(folder_of(path))
}

fn claim<D: Disk>(disk: &D, fresh: &Fresh<D>) -> io::Result<()> {
    if disk.claim(&fresh.file)? { Ok(()) } else { Err(io::Error::other("another program has locked the new file")) }
}

/// Whether the path still leads where it led when it was read. Where there was no file, one that is there now is another
/// run's that began at the same moment.
pub(super) fn is_as_it_was<D: Disk>(
    disk: &D,
    fresh: &Fresh<D>,
    path: &Path,
    old: Option<&D::File>,
) -> io::Result<bool> {
    Ok(match old {
        Some(old) => disk.placement(old, path)? == Placement::InPlace,
        None => disk.placement(&fresh.file, path)? == Placement::Gone,
    })
}

/// Takes away a new file that is not wanted any more. A leftover is harmless: the next run takes it away.
pub(super) fn abandon<D: Disk>(disk: &D, fresh: Fresh<D>) {
    let Fresh { temp, file, .. } = fresh;
    drop(file);
    let _ = disk.remove(&temp);
}

/// What the table says if it need not be written: one line for each row, in order, as the manifest now is.
pub(super) fn totals_if_in_order(
    history: &mut History,
    order: &OrderHash,
    rows: &dyn ResultsRows,
) -> Option<ResultsTotals> {
    let mut wanted = OrderHash::default();
    let mut totals = ResultsTotals::default();
    let mut carried = CarriedBytes::default();
    for row in 0..rows.len() {
        let kept = history.find(rows.key(row))?;
        // The reason why a row was not sent may be another one today.
        if matches!(kept.status, Status::NotSent | Status::Invalid | Status::Sending) {
            return None;
        }
        totals.rows.add(kept.status);
        wanted.push(rows.line(row), rows.key(row), carried.of(rows, row));
    }
    (history.len() == rows.len() as usize && wanted == *order).then_some(totals)
}

/// The carried cells of a row as they stand in the file.
#[derive(Debug, Default)]
struct CarriedBytes(Vec<u8>);

impl CarriedBytes {
    fn of(&mut self, rows: &dyn ResultsRows, row: u32) -> impl Iterator<Item = &[u8]> {
        self.0.clear();
        rows.carried(row, &mut |text| {
            cell::push(&mut self.0, text);
            self.0.push(b'\n');
        });
        // No cell has a newline in it.
        self.0.split_inclusive(|byte| *byte == b'\n').map(|cell| cell.strip_suffix(b"\n").unwrap_or(cell))
    }
}

struct Writer<'a, D: Disk> {
    old: &'a Old<'a, D>,
    layout: &'a Layout,
    file: &'a D::File,
    buffer: Vec<u8>,
    len: u64,
    level: FillLevel,
    history: History,
    /// The rows of the manifest.
    rows: &'a dyn ResultsRows,
    /// Which of them took over the line of another one, by key.
    takers: HashMap<RowKey, u32>,
}

/// A line as it stands once no run is under way: what was being sent when a run was killed, and this one had no reason to
/// look for, is in doubt.
fn at_rest(line: Line) -> Line {
    if line.status != Status::Sending {
        return line;
    }
    let message = "an earlier run sent it and heard no answer; the next run that it is chosen for looks it up first";
    Line { status: Status::InDoubt, code: OwnCode::AnswerLost.into(), message: message.to_owned(), ..line }
}

/// Whether a row was not sent because the user chose others.
fn is_left_by_choice(status: Status, code: &str) -> bool {
    status == Status::NotSent && code == OwnCode::NotSelected.as_str()
}

/// The rows that took over the line of another one, as they are written today.
fn takers(history: &History, rows: &dyn ResultsRows) -> HashMap<RowKey, u32> {
    if !history.has_moves() {
        return HashMap::new();
    }
    (0..rows.len()).map(|row| (rows.key(row), row)).filter(|(key, _)| history.is_taken_over(*key)).collect()
}

impl<D: Disk> Writer<'_, D> {
    fn write_all(&mut self, history: &mut History, which: &Which<'_>) -> io::Result<ResultsTotals> {
        self.layout.encode_header(&mut self.buffer);
        let mut source = OldLines::new(self.old);
        let mut totals = ResultsTotals::default();
        match *which {
            Which::Kept { .. } => self.write_rest(history, &mut source, None, 0)?,
            Which::Table { rows, run_start } => {
                for row in 0..rows.len() {
                    let (status, by_choice) = self.write_row(history, &mut source, rows, row, run_start)?;
                    totals.rows.add(status);
                    totals.not_selected += u32::from(by_choice);
                }
                self.write_rest(history, &mut source, Some(&mut totals.gone), run_start)?;
            }
            Which::AsItStands => {
                for kept in in_manifest_order(history, &mut source)? {
                    let mut line = at_rest(source.line(&kept)?);
                    line.carried = self.layout.rearranged(source.layout, line.carried);
                    if line.line > 0 { &mut totals.rows } else { &mut totals.gone }.add(line.status);
                    self.push(&line)?;
                }
            }
        }
        self.flush()?;
        self.old.disk.sync(self.file)?;
        Ok(totals)
    }

    /// Writes a row, and says how it ended and whether it is one that the user left for another run.
    fn write_row(
        &mut self,
        history: &mut History,
        source: &mut OldLines<'_, D>,
        rows: &dyn ResultsRows,
        row: u32,
        run_start: u64,
    ) -> io::Result<(Status, bool)> {
        let kept = history.find_mut(rows.key(row)).map(|kept| {
            kept.mark_written();
            *kept
        });
        // What an earlier run did not come to says less than what the manifest says today.
        let kept =
            kept.filter(|kept| kept.offset >= run_start || !matches!(kept.status, Status::NotSent | Status::Invalid));
        if let Some(kept) = kept
            && kept.status != Status::Sending
            && source.layout == self.layout
            && let Some(bytes) = source.as_it_stands(&kept, rows, row)?
        {
            self.buffer.extend_from_slice(bytes);
            self.buffer.push(b'\n');
            self.level.push(kept.key(), kept.status);
            self.flush_if_full()?;
            return Ok((kept.status, is_left_by_choice(kept.status, history.code_of(&kept))));
        }
        let mut line = match kept {
            Some(kept) => at_rest(source.line(&kept)?),
            None => rows.blank(row),
        };
        line.line = rows.line(row);
        // Behind the cells of the manifest stand those of columns that only older ones had.
        let older = line.carried.split_off(rows.columns().len().min(line.carried.len()));
        line.carried.clear();
        rows.carried(row, &mut |text| line.carried.push(text.to_owned()));
        line.carried.extend(older);
        self.push(&line)?;
        Ok((line.status, is_left_by_choice(line.status, &line.code)))
    }

    /// Writes what has not been written yet, in the order in which it stands in the old file.
    fn write_rest(
        &mut self,
        history: &History,
        source: &mut OldLines<'_, D>,
        mut gone: Option<&mut ResultsTally>,
        run_start: u64,
    ) -> io::Result<()> {
        let mut rest: Vec<Kept> = history.iter().filter(|kept| !kept.is_written()).copied().collect();
        rest.sort_unstable_by_key(|kept| kept.offset);
        for kept in rest {
            let mut line = source.line(&kept)?;
            line.carried = self.layout.rearranged(source.layout, line.carried);
            if let Some(row) = self.takers.get(&kept.key()) {
                let Line { record, record_key, file, url, .. } = self.rows.blank(*row);
                line = Line { line: self.rows.line(*row), record, record_key, file, url, ..line };
            }
            if let Some(gone) = &mut gone {
                // Nothing was ever created for such a row, and the manifest does not ask for it any more. What this run
                // found out is reported once.
                if matches!(line.status, Status::NotSent | Status::Invalid) && kept.offset < run_start {
                    continue;
                }
                line = Line { line: 0, ..at_rest(line) };
                gone.add(line.status);
            }
            let offset = self.len + self.buffer.len() as u64;
            self.history.note(&Note::of(&line), offset);
            self.push(&line)?;
        }
        Ok(())
    }

    fn push(&mut self, line: &Line) -> io::Result<()> {
        line.encode(self.layout, &mut self.buffer);
        self.level.push(line.key, line.status);
        self.flush_if_full()
    }

    fn flush_if_full(&mut self) -> io::Result<()> {
        if self.buffer.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.old.disk.append(self.file, &self.buffer)?;
        self.len += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// The old file's lines, each read where it stands and made ready for the new one.
pub(super) struct OldLines<'a, D: Disk> {
    lines: Option<ResultsLines<'a, D>>,
    layout: &'a Layout,
    ranges: Vec<Range<usize>>,
    carried: CarriedBytes,
}

impl<'a, D: Disk> OldLines<'a, D> {
    pub(super) fn new(old: &Old<'a, D>) -> Self {
        let lines = old.file.map(|file| ResultsLines::new(old.disk, file));
        OldLines { lines, layout: old.layout, ranges: Vec::new(), carried: CarriedBytes::default() }
    }

    /// The bytes of a row's last line if they can go into the table as they are: most of them after a first run.
    fn as_it_stands(&mut self, kept: &Kept, rows: &dyn ResultsRows, row: u32) -> io::Result<Option<&[u8]>> {
        if kept.status.is_open() {
            return Ok(None);
        }
        let cells = cells_at(self.lines.as_mut(), self.layout, &mut self.ranges, kept)?;
        let same = cells.intact()
            && cells.parsed(ResultsColumn::Key) == Ok(kept.key())
            && cells.line_number() == Ok(rows.line(row))
            && cells.raw_carried().eq(self.carried.of(rows, row));
        Ok(same.then(|| cells.bytes()))
    }

    /// The last line of a row, as a finished table has it: what was under way is in doubt.
    fn line(&mut self, kept: &Kept) -> io::Result<Line> {
        let mut line = self.stored(kept)?;
        if line.status == Status::Sending {
            line.status = Status::InDoubt;
            line.code = OwnCode::Interrupted.into();
            line.message = "the run ended before the answer came".to_owned();
        }
        if let Some(sent_at) = kept.sent_at().filter(|_| kept.status.is_open()) {
            line.sent_at = jiff::Timestamp::from_second(sent_at).ok().or(line.sent_at);
        }
        Ok(line)
    }

    /// The cells of a row's last line, unread.
    pub(super) fn cells(&mut self, kept: &Kept) -> io::Result<Cells<'_>> {
        cells_at(self.lines.as_mut(), self.layout, &mut self.ranges, kept)
    }

    /// The last line of a row as it stands. An edited line gets here only if the user accepted it.
    pub(super) fn stored(&mut self, kept: &Kept) -> io::Result<Line> {
        let cells = cells_at(self.lines.as_mut(), self.layout, &mut self.ranges, kept)?;
        let line = match cells.intact_line() {
            Ok(line) => Some(line),
            Err(LineError::Edited { .. }) => cells.salvaged_line(),
            Err(LineError::Torn | LineError::Shape) => None,
        };
        let line = line.filter(|line| kept.is_moved() || line.key == kept.key()).ok_or_else(changed)?;
        Ok(Line { key: kept.key(), status: if kept.is_moved() { kept.status } else { line.status }, ..line })
    }
}

fn cells_at<'c, D: Disk>(
    lines: Option<&'c mut ResultsLines<'_, D>>,
    layout: &'c Layout,
    ranges: &'c mut Vec<Range<usize>>,
    kept: &Kept,
) -> io::Result<Cells<'c>> {
    let physical = lines.ok_or_else(changed)?.at(kept.offset)?.ok_or_else(changed)?;
    Cells::split(physical.bytes, layout, ranges).map_err(|_| changed())
}

fn changed() -> io::Error {
    io::Error::other("the file was changed by another program while it was in use")
}
