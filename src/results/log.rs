//! The results while a run goes on: held by a lock, read once, then only appended to until they are made a table.
//!
//! [`look`] reads without touching anything (dry run), [`hold`] takes the lock as well, [`LockedResults::begin`] makes the file
//! ready to be written, and [`ResultsLog`] writes it. None of them knows threads; see [`GroupLog`](super::GroupLog).

use std::io;
use std::path::{Path, PathBuf};

use super::claims::Claims;
use super::columns::Layout;
use super::compact::{self, Old, OldLines, ResultsRows, ResultsTotals, Which};
use super::disk::{Disk, Placement};
use super::end::{Displaced, EndError};
use super::error::ResultsError;
use super::history::{History, Note};
use super::line::Line;
use super::log_error::LogError;
use super::paths::{folder_of, is_temp_of, lock_of, mark_of};
use super::scan::{OrderHash, Scan, ScanExpectation, scan, tells_only_of};
use super::watermark::{self, FillLevel, MarkFound, WatermarkFile};
use crate::outcome::Status;
use crate::upload::{RecordId, RowKey, ServiceId};

/// How a results file is to be taken.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ResultsOptions {
    /// The target of this run; a file that tells of another one is refused. `None`: any will do.
    pub target: Option<String>,
    /// Whether lines that somebody edited are taken at what their key and status say.
    pub accept_edited: bool,
    /// Whether what is there is to be replaced: only where all of it tells of the same target.
    pub afresh: bool,
    /// Whether the user decided about rows of theirs, so that they belong to the manifest whatever its rows are today.
    pub ours: bool,
    /// What is made of a file that does not reach the mark beside it.
    pub mark: MarkRule,
}

/// What is made of results that hold less, by the mark beside them, than a run had made durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MarkRule {
    /// They are refused: what is missing would be sent again.
    #[default]
    Heed,
    /// They are taken as they are: nothing is sent on the strength of what they lack.
    PassOver,
}

/// A results file as it was found.
#[derive(Debug)]
pub struct ResultsSnapshot<D: Disk> {
    disk: D,
    path: PathBuf,
    file: Option<D::File>,
    scan: Scan,
    /// What stood beside the file before it was read.
    mark: MarkFound,
    /// See [`ResultsOptions::ours`].
    ours: bool,
    /// Rows whose lines are set aside, since each is to have a further attachment.
    set_aside: Vec<RowKey>,
}

/// Reads the results as they are, without lock and without writing anything. A file that is not there is an empty one.
///
/// # Errors
///
/// No results can be kept in this place, the file cannot be read, or it is none that these options let a run use.
pub fn look<D: Disk>(disk: D, path: &Path, options: &ResultsOptions) -> Result<ResultsSnapshot<D>, ResultsError> {
    disk.check_place(path).map_err(ResultsError::Place)?;
    unlocked(|| {
        let file = disk.open_to_read(path).map_err(|cause| ResultsError::io("open", path, cause))?;
        if let Some(file) = &file
            // What a run was cut off at may have left a second name, which the next run takes away.
            && strays(&disk, path).next().is_none()
        {
            has_one_name(&disk, path, file)?;
        }
        see(disk.clone(), path, file, options)
    })
}

/// Reads without a lock. A run that ends between the look at the file and the look at its mark puts a table in its place:
/// then another look finds both as they belong together.
pub(super) fn unlocked<T>(mut read: impl FnMut() -> Result<T, ResultsError>) -> Result<T, ResultsError> {
    for _ in 0..2 {
        match read() {
            Err(ResultsError::BelowMark { .. }) => {}
            other => return other,
        }
    }
    read()
}

/// Refuses a file that has further names: by each of them another run could use it.
fn has_one_name<D: Disk>(disk: &D, path: &Path, file: &D::File) -> Result<Placement, ResultsError> {
    match disk.placement(file, path).map_err(|cause| ResultsError::io("look at", path, cause))? {
        Placement::Linked { names } => Err(ResultsError::Linked { path: path.to_owned(), names }),
        other => Ok(other),
    }
}

pub(super) fn see<D: Disk>(
    disk: D,
    path: &Path,
    file: Option<D::File>,
    options: &ResultsOptions,
) -> Result<ResultsSnapshot<D>, ResultsError> {
    // Before the file: a run that goes on meanwhile fills that first.
    let mark = watermark::find(&disk, path).map_err(|cause| ResultsError::io("read", &mark_of(path), cause))?;
    let wanted = ScanExpectation {
        path,
        target: options.target.as_deref(),
        accept_edited: options.accept_edited,
        mark: mark.known(),
    };
    let scan = match &file {
        Some(file) if options.afresh => may_be_replaced(&disk, file, &wanted).map(|()| Scan::default())?,
        Some(file) => scan(&disk, file, &wanted)?,
        None => Scan::default(),
    };
    let heeds_mark = !options.afresh && !options.accept_edited && options.mark == MarkRule::Heed;
    if let Some(mark) = mark.known().filter(|_| heeds_mark && file.is_some() && !scan.reaches_mark) {
        let (there, known) = (scan.level.lines, mark.least_lines());
        return Err(ResultsError::BelowMark { path: path.to_owned(), there, known });
    }
    Ok(ResultsSnapshot { disk, path: path.to_owned(), file, scan, mark, ours: options.ours, set_aside: Vec::new() })
}

/// Refuses to write over a file that tells of anything but the target of this run: what it says would be lost.
fn may_be_replaced<D: Disk>(disk: &D, file: &D::File, wanted: &ScanExpectation<'_>) -> Result<(), ResultsError> {
    let target = wanted.target.unwrap_or_default();
    match tells_only_of(disk, file, target).map_err(|cause| ResultsError::io("read", wanted.path, cause))? {
        true => Ok(()),
        false => Err(ResultsError::NotReplaced { path: wanted.path.to_owned() }),
    }
}

/// The line of a row that the manifest no longer has goes to one that is the same upload in other words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taking {
    /// The key that the line has.
    pub from: RowKey,
    /// The key of the row that takes it.
    pub to: RowKey,
}

impl<D: Disk> ResultsSnapshot<D> {
    pub(super) fn source(&self) -> OldLines<'_, D> {
        let old = Old { disk: &self.disk, path: &self.path, file: self.file.as_ref(), layout: &self.scan.layout };
        OldLines::new(&old)
    }

    pub(super) fn scan(&self) -> &Scan {
        &self.scan
    }

    pub(super) fn mark(&self) -> MarkFound {
        self.mark
    }

    /// Whether there is no file.
    pub(super) fn is_missing(&self) -> bool {
        self.file.is_none()
    }

    /// Where the results are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The columns of the file as it was found.
    pub fn layout(&self) -> &Layout {
        &self.scan.layout
    }

    /// What earlier runs left behind.
    pub fn history(&self) -> &History {
        &self.scan.history
    }

    /// Gives the last lines of rows to others, each to at most one: what was sent is then known under the key of the row
    /// that asks for it today. The file says so once a run begins to write it.
    pub fn take_over(&mut self, takings: impl IntoIterator<Item = Taking>) {
        for Taking { from, to } in takings {
            self.scan.history.take_over(from, to);
        }
    }

    /// Rows of the manifest were found in the file under other words: it is the manifest's, even if no key of its rows is.
    pub fn belongs_to_manifest(&mut self) {
        self.ours = true;
    }

    /// Sets the lines of these rows aside as `superseded`, since each row is to have a further attachment: what its line
    /// tells of stays known for good. The file says so, in one step, before a run sends anything.
    pub fn supersede(&mut self, rows: impl IntoIterator<Item = RowKey>) {
        let history = &mut self.scan.history;
        self.set_aside.extend(rows.into_iter().filter(|row| history.supersede(*row)));
    }

    /// The last line of a row.
    pub fn line(&self, key: RowKey) -> io::Result<Option<Line>> {
        self.history().find(key).map(|kept| self.source().stored(kept)).transpose()
    }

    /// How many lines were dropped because a crash had torn them.
    pub fn torn(&self) -> u32 {
        self.scan.torn
    }

    /// How many edited lines were accepted.
    pub fn edited(&self) -> u32 {
        self.scan.edited
    }

    /// Refuses the results of another manifest: those of which no row is in this one. Where nothing was ever created
    /// they do no harm; a manifest of a single row that was put right looks like this.
    pub fn belongs_to(&self, rows: &dyn ResultsRows) -> Result<(), ResultsError> {
        let history = self.history();
        let harmless = |status| matches!(status, Status::Failed | Status::NotSent | Status::Invalid);
        if self.ours
            || history.iter().all(|kept| harmless(kept.status))
            || (0..rows.len()).any(|row| history.knows_row(rows.key(row)))
        {
            return Ok(());
        }
        let first = history.iter().min_by_key(|kept| kept.offset).map(|kept| self.line(kept.key()));
        let theirs = match first {
            Some(Ok(Some(line))) => format!("{} {} {}{}", line.module, line.record, line.file, line.url),
            _ => "unreadable".to_owned(),
        };
        Err(ResultsError::OtherManifest { path: self.path.clone(), theirs })
    }
}

/// The results, read and locked: no other run can use them. Nothing has been written yet.
#[derive(Debug)]
pub struct LockedResults<D: Disk> {
    seen: ResultsSnapshot<D>,
    lock: D::Lock,
}

/// Takes the lock, clears away what a cut-off run left behind, and reads the results.
///
/// # Errors
///
/// No results can be kept in this place, another run has the lock, the file cannot be read, or it is none that these
/// options let a run use.
pub fn hold<D: Disk>(disk: D, path: &Path, options: &ResultsOptions) -> Result<LockedResults<D>, ResultsError> {
    disk.check_place(path).map_err(ResultsError::Place)?;
    let lock_path = lock_of(path);
    let lock = disk.lock(&lock_path).map_err(|cause| ResultsError::io("lock", &lock_path, cause))?;
    let lock = lock.ok_or(ResultsError::Locked { lock: lock_path })?;
    remove_strays(&disk, path);
    let file = disk.open(path).map_err(|cause| ResultsError::io("open", path, cause))?;
    if let Some(file) = &file {
        claim(&disk, path, file)?;
    }
    Ok(LockedResults { seen: see(disk, path, file, options)?, lock })
}

/// Locks the file itself, beside the lock that stands next to it: who comes to it by another name, or took that lock's
/// file away, must not get at it either.
fn claim<D: Disk>(disk: &D, path: &Path, file: &D::File) -> Result<(), ResultsError> {
    let in_use = || ResultsError::Locked { lock: path.to_owned() };
    if !disk.claim(file).map_err(|cause| ResultsError::io("lock", path, cause))? {
        return Err(in_use());
    }
    match has_one_name(disk, path, file)? {
        // A run that was ending has put its table there since the file was opened.
        Placement::Replaced | Placement::Gone => Err(in_use()),
        Placement::InPlace | Placement::Linked { .. } => Ok(()),
    }
}

/// Only under the lock, so that no file that somebody is still writing is taken away.
fn remove_strays<D: Disk>(disk: &D, path: &Path) {
    for stray in strays(disk, path) {
        // It does no harm, so neither does failing to remove it.
        let _ = disk.remove(&stray);
    }
}

/// What runs that were cut off left behind when they were replacing the file.
fn strays<D: Disk>(disk: &D, path: &Path) -> impl Iterator<Item = PathBuf> {
    disk.list(folder_of(path)).unwrap_or_default().into_iter().filter(move |name| is_temp_of(path, name))
}

impl<D: Disk> LockedResults<D> {
    /// The results as they were found.
    pub fn seen(&self) -> &ResultsSnapshot<D> {
        &self.seen
    }

    /// The same, to have lines taken over.
    pub fn seen_mut(&mut self) -> &mut ResultsSnapshot<D> {
        &mut self.seen
    }

    /// Makes the file ready to be appended to: a new one gets its header, a torn end is cut off, a file with damage
    /// inside or with other carried columns is written anew.
    pub fn begin(self, rows: &dyn ResultsRows) -> Result<ResultsLog<D>, ResultsError> {
        self.seen.belongs_to(rows)?;
        self.open(rows)
    }

    pub(super) fn open(self, rows: &dyn ResultsRows) -> Result<ResultsLog<D>, ResultsError> {
        let LockedResults { seen: ResultsSnapshot { disk, path, file, mut scan, set_aside, .. }, lock } = self;
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

/// The results are a table. They stay locked until this is dropped.
#[derive(Debug)]
pub struct Finished<D: Disk> {
    /// What the table says.
    pub totals: ResultsTotals,
    _lock: D::Lock,
    _file: D::File,
}
