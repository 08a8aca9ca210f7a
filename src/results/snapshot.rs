//! A results file as it was found: read once, without touching anything, and held against what these options let a run use.

use std::io;
use std::path::{Path, PathBuf};

use super::columns::Layout;
use super::compact::{Old, OldLines, ResultsRows};
use super::disk::{Disk, Placement};
use super::error::ResultsError;
use super::history::History;
use super::line::Line;
use super::paths::{folder_of, is_temp_of, mark_of};
use super::scan::{Scan, ScanExpectation, scan, tells_only_of};
use super::watermark::{self, MarkFound};
use crate::outcome::Status;
use crate::upload::RowKey;

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
    pub(super) disk: D,
    pub(super) path: PathBuf,
    pub(super) file: Option<D::File>,
    pub(super) scan: Scan,
    /// What stood beside the file before it was read.
    mark: MarkFound,
    /// See [`ResultsOptions::ours`].
    ours: bool,
    /// Rows whose lines are set aside, since each is to have a further attachment.
    pub(super) set_aside: Vec<RowKey>,
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
pub(super) fn has_one_name<D: Disk>(disk: &D, path: &Path, file: &D::File) -> Result<Placement, ResultsError> {
    match disk.placement(file, path).map_err(|cause| ResultsError::io("look at", path, cause))? {
        Placement::Linked { names } => Err(ResultsError::Linked { path: path.to_owned(), names }),
        other => Ok(other),
    }
}

/// What runs that were cut off left behind when they were replacing the file.
pub(super) fn strays<D: Disk>(disk: &D, path: &Path) -> impl Iterator<Item = PathBuf> {
    disk.list(folder_of(path)).unwrap_or_default().into_iter().filter(move |name| is_temp_of(path, name))
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
