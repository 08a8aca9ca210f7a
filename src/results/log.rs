//! The results while a run goes on: only appended to until they are made a table.
//!
//! [`look`](super::look) reads without touching anything (dry run), [`hold`](super::hold) takes the lock as well, and
//! [`ResultsLog`] makes the file ready and writes it. None of them knows threads; see [`GroupLog`](super::GroupLog).

use std::io;
use std::path::{Path, PathBuf};

use super::claims::Claims;
use super::columns::Layout;
use super::compact::{self, Old, ResultsRows, ResultsTotals, Which};
use super::disk::{Disk, Placement};
use super::end::{Displaced, EndError};
use super::error::ResultsError;
use super::held::LockedResults;
use super::history::{History, Note};
use super::line::Line;
use super::log_error::LogError;
use super::paths::folder_of;
use super::scan::{OrderHash, Scan};
use super::snapshot::ResultsSnapshot;
use super::watermark::{FillLevel, WatermarkFile};
use crate::upload::{RecordId, RowKey, ServiceId};

/// Lines on their way to the file.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Each line's place in `bytes`, and what it says.
    notes: Vec<(usize, Note<'static>)>,
}

impl Batch {
    /// Adds a line.
    pub fn push(&mut self, line: &Line, layout: &Layout) {
        self.notes.push((self.bytes.len(), Note::of(line)));
        line.encode(layout, &mut self.bytes);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes all lines out and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.notes.clear();
    }
}

/// In what condition the log is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Condition {
    /// All is well.
    Sound,
    /// The path leads elsewhere. Lines are still taken, to be saved, but none is called durable any more.
    Displaced(Placement),
    /// A write or a sync failed.
    Broken,
}

/// The results being written. After the first error nothing more is written, so that what stands there stays true.
#[derive(Debug)]
pub struct ResultsLog<D: Disk> {
    disk: D,
    path: PathBuf,
    lock: D::Lock,
    file: D::File,
    layout: Layout,
    len: u64,
    /// How far the file is filled.
    level: FillLevel,
    /// What is known of that elsewhere.
    mark: WatermarkFile<D>,
    /// Where this run's lines begin.
    begun_at: u64,
    history: History,
    order: Option<OrderHash>,
    claims: Claims,
    /// Rows whose lines were set aside when this run began.
    set_aside: Vec<RowKey>,
    condition: Condition,
}

impl<D: Disk> ResultsLog<D> {
    /// Makes the results ready to be appended to: a new file gets its header, a torn end is cut off, a file with damage
    /// inside or with other carried columns is written anew.
    pub(super) fn begin(held: LockedResults<D>, rows: &dyn ResultsRows) -> Result<ResultsLog<D>, ResultsError> {
        let LockedResults { seen: ResultsSnapshot { disk, path, file, mut scan, set_aside, .. }, lock } = held;
        let layout = Layout::new(rows.columns()).with_older(&scan.layout);
        let failed = |cause| ResultsError::io("write", &path, cause);
        let mut mark = WatermarkFile::open(&disk, &path).map_err(failed)?;
        let moved = scan.history.has_moves();
        let usable = scan.len > 0 && scan.layout == layout && !scan.damaged_inside && !moved;
        let (file, len) = match file {
            Some(file) if usable => {
                if scan.whole < scan.len {
                    disk.truncate(&file, scan.whole).map_err(failed)?;
                }
                // An earlier run may have been killed between writing a line and syncing it, or between making the file
                // and syncing its folder: then a power cut would take the whole file.
                disk.sync(&file).map_err(failed)?;
                disk.sync_folder(folder_of(&path)).map_err(failed)?;
                (file, scan.whole)
            }
            old => {
                let fresh = rewrite(&disk, &path, old, &mut scan, &layout, rows, &mut mark).map_err(failed)?;
                (fresh.file, fresh.len)
            }
        };
        // What is there is durable by now.
        mark.note(scan.level).and_then(|()| mark.sync()).map_err(failed)?;
        let order = scan.order;
        let claims = Claims::default();
        Ok(ResultsLog {
            disk,
            path,
            lock,
            file,
            layout,
            len,
            level: scan.level,
            mark,
            begun_at: len,
            history: scan.history,
            order,
            claims,
            set_aside,
            condition: Condition::Sound,
        })
    }

    /// The columns of the file.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What the file says of each row, this run's lines included.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Writes one line at the end. It is durable after the next [`sync`](ResultsLog::sync).
    ///
    /// # Errors
    ///
    /// It could not be written, or an earlier line could not; then nothing further ever is.
    pub fn append(&mut self, line: &Line) -> Result<(), LogError> {
        let mut batch = Batch::default();
        batch.push(line, &self.layout);
        self.append_all(&batch)
    }

    /// Writes lines at the end with one call.
    ///
    /// # Errors
    ///
    /// They could not be written, or an earlier line could not; then nothing further ever is.
    pub fn append_all(&mut self, batch: &Batch) -> Result<(), LogError> {
        self.unless_broken(|log| log.disk.append(&log.file, &batch.bytes))?;
        for (at, note) in &batch.notes {
            self.history.note(note, self.len + *at as u64);
            self.level.push(note.key, note.status);
        }
        self.len += batch.bytes.len() as u64;
        self.order = None;
        Ok(())
    }

    /// Every attachment that the file names for this record, in whichever line.
    ///
    /// # Errors
    ///
    /// The file cannot be read again.
    pub fn claimed(&mut self, record: RecordId) -> Result<Vec<ServiceId>, LogError> {
        self.read_claims()?;
        Ok(self.claims.of(record))
    }

    /// Those of the attachments that the file names for this record that must be there, as far as the file knows: not
    /// those that a line of another status names, too.
    ///
    /// # Errors
    ///
    /// The file cannot be read again.
    pub fn expected(&mut self, record: RecordId) -> Result<Vec<ServiceId>, LogError> {
        self.read_claims()?;
        Ok(self.claims.expected_of(record))
    }

    fn read_claims(&mut self) -> Result<(), LogError> {
        self.claims.read_on(&self.disk, &self.file, &self.layout).map_err(|error| LogError::read(&error))
    }

    /// Whether the file named this attachment for some row when it was opened.
    ///
    /// # Errors
    ///
    /// The file cannot be read again.
    pub fn held_before(&mut self, attachment: ServiceId) -> Result<bool, LogError> {
        if self.history.is_empty() {
            return Ok(false);
        }
        let held = self.claims.held_before(&self.disk, &self.file, &self.layout, attachment);
        held.map_err(|error| LogError::read(&error))
    }

    /// Returns once everything appended is on the disk, in the file that the next run will find, and the mark knows of it.
    ///
    /// # Errors
    ///
    /// They could not be made durable, or the path leads to another file by now; then nothing further is written.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.unless_broken(|log| log.disk.sync(&log.file))?;
        self.check_placement()?;
        self.unless_broken(|log| log.mark.note(log.level))
    }

    /// A file that somebody moved away, replaced or linked is not what the next run goes by: nothing may be sent on the
    /// strength of it.
    fn check_placement(&mut self) -> Result<(), LogError> {
        if self.condition == Condition::Sound {
            let mut placement = Placement::InPlace;
            self.unless_broken(|log| {
                placement = log.disk.placement(&log.file, &log.path)?;
                Ok(())
            })?;
            if placement != Placement::InPlace {
                self.condition = Condition::Displaced(placement);
            }
        }
        match self.condition {
            Condition::Displaced(placement) => Err(LogError::Displaced(placement)),
            Condition::Sound | Condition::Broken => Ok(()),
        }
    }

    fn unless_broken(&mut self, work: impl FnOnce(&mut Self) -> io::Result<()>) -> Result<(), LogError> {
        if self.condition == Condition::Broken {
            return Err(LogError::Broken);
        }
        let done = work(self);
        if done.is_err() {
            self.condition = Condition::Broken;
        }
        done.map_err(|error| LogError::write(&error))
    }

    /// What is to be said when this log can be written no further. `unwritten` are lines that it was not even asked for.
    pub(super) fn ended(self, cause: LogError, unwritten: Batch) -> EndError<D> {
        match self.condition {
            Condition::Displaced(placement) => {
                EndError::Displaced(Box::new(Displaced::new(self, placement, unwritten)))
            }
            Condition::Sound | Condition::Broken => EndError::Unwritten { path: self.path, cause },
        }
    }

    /// Takes in lines that are in no file.
    pub(super) fn note_unwritten(&mut self, batch: &Batch) {
        for (at, note) in &batch.notes {
            self.history.note(note, self.len + *at as u64);
        }
    }

    pub(super) fn disk(&self) -> &D {
        &self.disk
    }

    pub(super) fn file(&self) -> &D::File {
        &self.file
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the file a table: one line for each row of the manifest, in its order; what was under way is in doubt.
    /// Where it is one already, nothing is written.
    ///
    /// # Errors
    ///
    /// The table could not be written in full. The error holds what is to be saved; the file is as it was.
    pub fn compact(mut self, rows: &dyn ResultsRows) -> Result<Finished<D>, EndError<D>> {
        let in_order = self.order.take().and_then(|order| compact::totals_if_in_order(&mut self.history, &order, rows));
        if let Some(totals) = in_order {
            return Ok(Finished { totals, _lock: self.lock, _file: self.file });
        }
        // What goes into the table must be in the log, should the machine go down in between.
        if let Err(cause) = self.sync() {
            return Err(self.ended(cause, Batch::default()));
        }
        // What was to be sent once more and was not, because the run ended first, stands as before.
        for row in &self.set_aside {
            self.history.reinstate_unless_sent(*row);
        }
        let run_start = self.begun_at;
        self.write_table(&Which::Table { rows, run_start })
    }

    pub(super) fn write_table(mut self, which: &Which<'_>) -> Result<Finished<D>, EndError<D>> {
        let old = Old { disk: &self.disk, path: &self.path, file: Some(&self.file), layout: &self.layout };
        let fresh = match compact::write(&old, &mut self.history, &self.layout, which) {
            Ok(fresh) => fresh,
            Err(cause) => return Err(EndError::Unordered { path: self.path, cause }),
        };
        // Once more, for writing the table may have taken a while.
        if let Err(cause) = self.check_placement() {
            compact::abandon(&self.disk, fresh);
            return Err(self.ended(cause, Batch::default()));
        }
        if let Err(cause) = self.mark.announce(self.level, fresh.level) {
            compact::abandon(&self.disk, fresh);
            return Err(EndError::Unordered { path: self.path, cause });
        }
        let ResultsLog { disk, path, lock, file, mut mark, .. } = self;
        match compact::replace(&disk, &fresh, &path, Some(file)) {
            Ok(()) => {
                // Where this fails the mark goes on to call both files right.
                let _ = mark.note(fresh.level).and_then(|()| mark.sync());
                Ok(Finished { totals: fresh.totals, _lock: lock, _file: fresh.file })
            }
            Err(cause) => Err(EndError::Unordered { path, cause }),
        }
    }
}

fn rewrite<D: Disk>(
    disk: &D,
    path: &Path,
    file: Option<D::File>,
    scan: &mut Scan,
    layout: &Layout,
    rows: &dyn ResultsRows,
    mark: &mut WatermarkFile<D>,
) -> io::Result<compact::Fresh<D>> {
    let old = Old { disk, path, file: file.as_ref(), layout: &scan.layout };
    let mut fresh = compact::write(&old, &mut scan.history, layout, &Which::Kept { rows })?;
    if !compact::is_as_it_was(disk, &fresh, path, file.as_ref())? {
        compact::abandon(disk, fresh);
        return Err(io::Error::other("another program has put another file in its place"));
    }
    if let Some(old) = &file {
        // The mark must never be ahead of what is durable, and an earlier run may have been killed before it synced.
        disk.sync(old)?;
        disk.sync_folder(folder_of(path))?;
    }
    mark.announce(scan.level, fresh.level)?;
    compact::replace(disk, &fresh, path, file)?;
    scan.level = fresh.level;
    scan.history = std::mem::take(&mut fresh.history);
    scan.order = None;
    Ok(fresh)
}

/// The results are a table. They stay locked until this is dropped.
#[derive(Debug)]
pub struct Finished<D: Disk> {
    /// What the table says.
    pub totals: ResultsTotals,
    _lock: D::Lock,
    _file: D::File,
}
