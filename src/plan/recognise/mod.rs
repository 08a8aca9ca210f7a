//! Recognises what was sent, however its row is written today: a manifest that was exported anew must not attach
//! everything a second time.
//!
//! | to change | open |
//! | --- | --- |
//! | when two paths lead to one file | `paths.rs` |
//! | when a row asks for what a line tells of | `compare.rs` |
//! | which row gets which line, what the user decides | `assign.rs` |
//! | what contents are known, what is read for them | `contents.rs` |
//! | what other results of the folder know | `elsewhere.rs` |
//! | which files changed after they were sent | `changes.rs` |
//! | which keys led to another record before | `records.rs` |
//! | how a million rows are held against a million lines | `groups.rs` |
//! | what a row is told that somebody must decide about | `words.rs` |
//!
//! Only rows are compared whose own line created nothing, and only with lines that may have created something and whose
//! rows are no longer in the manifest. What comes of it is a list of takings; the results carry them out.

mod assign;
mod changes;
mod compare;
mod contents;
mod elsewhere;
mod groups;
mod paths;
mod records;
mod words;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use self::assign::{ContentMatch, Pairs, RowFate, assign_as_written, assign_by_content};
pub use self::assign::{MovedAnswer, MovedRule, RenamedRule};
use self::changes::{ChangeSign, UploadedRow};
pub use self::changes::{ChangedRule, FileChanges};
use self::compare::{Likeness, UploadIdentity, compare};
use self::contents::{ContentPair, Contents};
pub use self::elsewhere::OtherResults;
use self::groups::{PlacedRow, RecordGroup, groups};
pub(in crate::plan) use self::paths::WrittenPath;
use crate::check::{ChecksumWatch, Earlier, Recognised, RowDoubt, RowsSoFar, Stage};
use crate::file_id::Identity;
use crate::outcome::Status;
use crate::results::{
    Announcement, Disk, Line, LineReader, PlacedLine, ResendRules, ResultsSnapshot, Standing, Taking,
};
use crate::upload::RowKey;

/// So many records are read and compared at a time where contents must be.
const BATCH: usize = 512;

/// What the user said, and what is known of earlier runs besides their lines.
#[derive(Clone, Debug, Default)]
pub struct RecogniseOptions {
    /// Which rows go again.
    pub resend: ResendRules,
    /// What is said of rows that may have been sent from another path.
    pub moved: MovedRule,
    /// What is said of rows whose file was sent under another name.
    pub renamed: RenamedRule,
    /// What becomes of rows whose file changed after it was sent.
    pub changed: ChangedRule,
    /// Who is told how far the reading of such files is.
    pub watch: ChecksumWatch,
    /// The folder that the paths of a run were relative to, by the run's id.
    pub bases: HashMap<String, PathBuf>,
    /// Other results that may know these rows.
    pub others: OtherResults,
}

/// What was recognised.
#[derive(Debug, Default)]
pub struct Recognition {
    /// Which lines go to which rows; the results carry it out.
    pub takings: Vec<Taking>,
    /// Which files changed after they were sent.
    pub changes: FileChanges,
    /// Whether rows of the manifest were found in the results under other words, so that the results are the manifest's
    /// even where no row is known by its key.
    pub related: bool,
    /// What others were told that this run is about to send: to be held until it has ended. `None` if it sends nothing new.
    pub announcement: Option<Announcement>,
}

/// Recognises rows for a check.
pub struct Recogniser<'s, D: Disk> {
    seen: &'s ResultsSnapshot<D>,
    options: &'s RecogniseOptions,
    /// Rows and lines that have nobody yet, by record.
    rows: Vec<PlacedRow>,
    lines: Vec<PlacedLine>,
    takings: Vec<Taking>,
    /// Rows whose file is to be compared with what was sent, once it was looked at.
    may_have_changed: Vec<(UploadedRow, ChangeSign)>,
    changes: FileChanges,
    /// Whether somebody must decide about a row, since a line of these results may tell of it.
    doubts: bool,
    /// What others were told that this run is about to send.
    announcement: Option<Announcement>,
    /// Why the results could not be read, if they could not.
    error: Option<io::Error>,
}

impl<'s, D: Disk> Recogniser<'s, D> {
    /// One for these results.
    pub fn new(seen: &'s ResultsSnapshot<D>, options: &'s RecogniseOptions) -> Recogniser<'s, D> {
        Recogniser {
            seen,
            options,
            rows: Vec::new(),
            lines: Vec::new(),
            takings: Vec::new(),
            may_have_changed: Vec::new(),
            changes: FileChanges::default(),
            doubts: false,
            announcement: None,
            error: None,
        }
    }

    /// Which lines go to which rows, and which files changed.
    ///
    /// # Errors
    ///
    /// When the results could not be read.
    pub fn finish(self) -> io::Result<Recognition> {
        match self.error {
            None => {
                let related = self.doubts || !self.takings.is_empty();
                Ok(Recognition {
                    takings: self.takings,
                    changes: self.changes,
                    related,
                    announcement: self.announcement,
                })
            }
            Some(error) => Err(error),
        }
    }

    fn is_settled(&self, key: RowKey) -> bool {
        matches!(self.seen.history().standing(key, &self.options.resend), Standing::Settled(_))
    }

    /// Whether a row has a line of its own that tells of an attachment, of one that was deleted as well.
    fn has_own(&self, key: RowKey) -> bool {
        self.seen.history().status(key).is_some_and(Status::tells_of_attachment)
    }

    /// Whether there are lines of rows that are no longer in the manifest.
    fn has_gone(&self, rows: &RowsSoFar<'_>) -> bool {
        let own = (0..rows.len()).filter(|row| self.has_own(rows.key(*row))).count();
        let history = self.seen.history();
        own + history.set_aside().len() != history.created() + history.count(Status::Deleted)
    }

    /// The rows that may have been sent under other words, and the lines that tell of rows that are no longer there.
    fn gather(&mut self, rows: &RowsSoFar<'_>) -> io::Result<()> {
        if !self.has_gone(rows) {
            return Ok(());
        }
        let keys = keys_of(rows);
        let set_aside = self.seen.history().set_aside();
        let is_gone = |key, _| is_gone(&keys, &set_aside, key);
        self.rows = (0..rows.len())
            .filter(|row| !self.has_own(rows.key(*row)))
            .map(|row| PlacedRow { group: rows.record(row).get(), row })
            .collect();
        self.rows.sort_unstable();
        let asked = |record| self.rows.binary_search_by_key(&record, |row| row.group).is_ok();
        self.lines = self.seen.placed(is_gone, asked)?;
        Ok(())
    }

    fn as_written(&mut self, rows: &RowsSoFar<'_>) -> io::Result<Recognised> {
        self.gather(rows)?;
        let mut recognised = Recognised::default();
        let (mut rows_left, mut lines_left) = (Vec::new(), Vec::new());
        let (all_rows, all_lines) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.lines));
        let mut reader = self.seen.reader();
        for group in groups(&all_rows, &all_lines) {
            let loaded = LoadedGroup::read(&group, &mut reader, rows, self.options)?;
            let taken = assign_as_written(group.rows.len(), loaded.lines.len(), &loaded, self.options.renamed);
            for (row, line) in &taken {
                self.take(rows, group.rows[*row].row, group.lines[*line].key, &mut recognised);
            }
            if taken.len() < group.rows.len().min(group.lines.len()) {
                let is_left = |at: usize, of: fn(&(usize, usize)) -> usize| !taken.iter().any(|pair| of(pair) == at);
                let left = |(at, row): (usize, &PlacedRow)| is_left(at, |pair| pair.0).then_some(*row);
                rows_left.extend(group.rows.iter().enumerate().filter_map(left));
                let left = |(at, line): (usize, &PlacedLine)| is_left(at, |pair| pair.1).then_some(*line);
                lines_left.extend(group.lines.iter().enumerate().filter_map(left));
            }
        }
        (self.rows, self.lines) = (rows_left, lines_left);
        Ok(recognised)
    }

    /// The rows that would be new, held against the other results of the folder.
    fn elsewhere(&mut self, rows: &RowsSoFar<'_>, so_far: &Recognised) -> io::Result<Vec<RowDoubt>> {
        let others = &self.options.others;
        if others.beside.is_none() {
            return Ok(Vec::new());
        }
        let taken: HashSet<RowKey> = self.takings.iter().map(|taking| taking.to).collect();
        let in_doubt: HashSet<u32> = so_far.problems.iter().map(|doubt| doubt.row).collect();
        let is_new = |row: u32| {
            let key = rows.key(row);
            !self.has_own(key) && !self.is_settled(key) && !taken.contains(&key) && !in_doubt.contains(&row)
        };
        let new =
            (0..rows.len()).filter(|row| is_new(*row)).map(|row| PlacedRow { group: rows.record(row).get(), row });
        let mut new: Vec<PlacedRow> = new.collect();
        new.sort_unstable();
        let (announcement, under_way) = others.announce(&new, rows)?;
        self.announcement = announcement;
        elsewhere::known_elsewhere(&new, rows, others, &under_way, self.seen.history().created() == 0)
    }

    /// Rows that earlier runs uploaded, each with the line that tells of it.
    fn uploaded(&self, rows: &RowsSoFar<'_>) -> Vec<UploadedRow> {
        let is_uploaded = |line| {
            let standing = self.seen.history().standing(line, &self.options.resend);
            standing == Standing::Settled(Status::Uploaded)
        };
        let taken: HashMap<RowKey, RowKey> = self.takings.iter().map(|taking| (taking.to, taking.from)).collect();
        let all = (0..rows.len()).map(|row| {
            let key = rows.key(row);
            UploadedRow { row, line: taken.get(&key).copied().unwrap_or(key) }
        });
        all.filter(|uploaded| is_uploaded(uploaded.line)).collect()
    }

    /// Looks for files that changed after they were sent. Those that are to be sent once more are wanted like any other.
    fn look_for_changes(&mut self, rows: &RowsSoFar<'_>, recognised: &mut Recognised) -> io::Result<()> {
        let found = changes::find(&self.uploaded(rows), rows, &mut self.seen.reader())?;
        match self.options.changed {
            ChangedRule::Tell => found.iter().for_each(|(of, sign)| self.changes.tell(rows, of.row, *sign)),
            ChangedRule::Resend => {
                recognised.again.extend(found.iter().map(|(of, _)| of.row));
                self.may_have_changed = found;
            }
        }
        Ok(())
    }

    fn before_files(&mut self, rows: &RowsSoFar<'_>) -> io::Result<Recognised> {
        let mut recognised = self.as_written(rows)?;
        // A row that takes over what went to another record needs no file.
        if self.options.moved != MovedRule::Ask {
            self.by_record_key(rows, &mut recognised, Stage::BeforeFiles)?;
        }
        self.look_for_changes(rows, &mut recognised)?;
        Ok(recognised)
    }

    fn after_files(&mut self, rows: &RowsSoFar<'_>) -> io::Result<Recognised> {
        let mut recognised = self.by_content(rows)?;
        self.by_record_key(rows, &mut recognised, Stage::AfterFiles)?;
        self.doubts = !recognised.problems.is_empty();
        if self.options.changed == ChangedRule::Resend {
            let found = std::mem::take(&mut self.may_have_changed);
            let stay = self.changes.decide(&found, rows, &mut self.seen.reader(), &self.options.watch)?;
            recognised.settled.extend(stay);
        }
        let elsewhere = self.elsewhere(rows, &recognised)?;
        recognised.problems.extend(elsewhere);
        Ok(recognised)
    }

    fn take(&mut self, rows: &RowsSoFar<'_>, row: u32, from: RowKey, recognised: &mut Recognised) {
        if self.is_settled(from) {
            recognised.settled.push(row);
        }
        self.takings.push(Taking { from, to: rows.key(row) });
    }

    fn by_content(&mut self, rows: &RowsSoFar<'_>) -> io::Result<Recognised> {
        let mut recognised = Recognised::default();
        let (rows_left, lines_left) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.lines));
        let all: Vec<RecordGroup<'_>> = groups(&rows_left, &lines_left).collect();
        let mut reader = self.seen.reader();
        let mut contents = Contents::default();
        for batch in all.chunks(BATCH) {
            let loaded = batch.iter().map(|group| LoadedGroup::read(group, &mut reader, rows, self.options));
            let mut loaded = loaded.collect::<io::Result<Vec<_>>>()?;
            let pairs: Vec<ContentPair<'_>> = loaded.iter().flat_map(LoadedGroup::pairs_by_content).collect();
            contents.learn(&pairs, rows);
            drop(pairs);
            for (group, loaded) in batch.iter().zip(&mut loaded) {
                loaded.contents = Some(&contents);
                let fates = assign_by_content(group.rows.len(), loaded.lines.len(), loaded, self.options.renamed);
                self.carry_out(rows, group, loaded, fates, &mut recognised);
            }
        }
        Ok(recognised)
    }

    fn carry_out(
        &mut self,
        rows: &RowsSoFar<'_>,
        group: &RecordGroup<'_>,
        loaded: &LoadedGroup<'_>,
        fates: Vec<RowFate>,
        recognised: &mut Recognised,
    ) {
        for (row, fate) in group.rows.iter().zip(fates) {
            if let RowFate::Takes(line) = fate {
                self.take(rows, row.row, group.lines[line].key, recognised);
            }
            let (upload, key) = (rows.upload(row.row), rows.record_key(row.row));
            recognised.problems.extend(words::doubt(row.row, &upload, key, fate, &loaded.lines));
        }
    }
}

/// The keys of all rows of the manifest, sorted.
fn keys_of(rows: &RowsSoFar<'_>) -> Vec<RowKey> {
    let mut keys: Vec<RowKey> = (0..rows.len()).map(|row| rows.key(row)).chain(rows.incomplete_keys()).collect();
    keys.sort_unstable();
    keys
}

/// Whether a line is of a row that is no longer in the manifest. What was set aside for a further attachment is of a row that
/// has, or is to get, a line of its own.
fn is_gone(keys: &[RowKey], set_aside: &HashSet<RowKey>, key: RowKey) -> bool {
    !set_aside.contains(&key) && keys.binary_search(&key).is_err()
}

impl<D: Disk> Earlier for Recogniser<'_, D> {
    fn is_settled(&self, key: RowKey) -> bool {
        Recogniser::is_settled(self, key)
    }

    fn recognise(&mut self, rows: &RowsSoFar<'_>, stage: Stage) -> Recognised {
        let recognised = match stage {
            Stage::BeforeFiles => self.before_files(rows),
            Stage::AfterFiles => self.after_files(rows),
        };
        recognised.unwrap_or_else(|error| {
            self.error = Some(error);
            Recognised::default()
        })
    }
}

/// The rows and lines of one record, with all that they are compared by.
struct LoadedGroup<'g> {
    numbers: &'g [PlacedRow],
    rows: Vec<UploadIdentity<'g>>,
    lines: Vec<Line>,
    /// The folder that the path of a line is relative to, where it is known.
    bases: Vec<Option<&'g Path>>,
    /// Line of the manifest of each row.
    manifest_lines: Vec<u32>,
    base: &'g Path,
    options: &'g RecogniseOptions,
    contents: Option<&'g Contents>,
    /// Whether they are of one key and not of one record: then only what has the same key is compared.
    by_record_key: bool,
}

impl<'g> LoadedGroup<'g> {
    fn read<D: Disk>(
        group: &RecordGroup<'g>,
        reader: &mut LineReader<'_, D>,
        rows: &RowsSoFar<'g>,
        options: &'g RecogniseOptions,
    ) -> io::Result<LoadedGroup<'g>> {
        let lines = group.lines.iter().map(|placed| {
            let gone = || io::Error::other("the results were changed by another program while they were in use");
            reader.line(placed.key)?.ok_or_else(gone)
        });
        let lines = lines.collect::<io::Result<Vec<Line>>>()?;
        let uploads: Vec<_> = group.rows.iter().map(|placed| (placed.row, rows.upload(placed.row))).collect();
        Ok(LoadedGroup {
            numbers: group.rows,
            rows: uploads
                .iter()
                .map(|(row, upload)| {
                    let size = rows.facts(*row).map(|facts| facts.size);
                    UploadIdentity::of_row(upload, rows.record_key(*row), rows.base(), size)
                })
                .collect(),
            bases: lines.iter().map(|line| options.bases.get(&line.run).map(PathBuf::as_path)).collect(),
            lines,
            manifest_lines: uploads.iter().map(|(_, upload)| upload.line).collect(),
            base: rows.base(),
            options,
            contents: None,
            by_record_key: false,
        })
    }

    fn is_deleted(&self, line: usize) -> bool {
        self.lines.get(line).is_some_and(|line| line.status == Status::Deleted)
    }

    fn line(&self, line: usize) -> Option<UploadIdentity<'_>> {
        UploadIdentity::of_line(self.lines.get(line)?, self.bases.get(line).copied().flatten())
    }

    /// Every pair about which the contents must be asked.
    fn pairs_by_content(&self) -> impl Iterator<Item = ContentPair<'_>> {
        let all = (0..self.rows.len()).flat_map(|row| (0..self.lines.len()).map(move |line| (row, line)));
        all.filter(|(row, line)| self.likeness(*row, *line).is_left_to_content()).map(|(row, line)| ContentPair {
            row: self.numbers[row].row,
            line: &self.lines[line],
            path: self.line(line).map(|identity| identity.path().absolute(self.base)),
        })
    }
}

impl Pairs for LoadedGroup<'_> {
    fn likeness(&self, row: usize, line: usize) -> Likeness {
        let is_one_file = |one: &WrittenPath<'_>, other: &WrittenPath<'_>| {
            let id = |path: &WrittenPath<'_>| Identity::at(&path.absolute(self.base)).ok().map(|identity| identity.id);
            id(one).is_some_and(|one| id(other) == Some(one))
        };
        let (row, of_line) = (&self.rows[row], self.line(line));
        let of_line = of_line.filter(|line| !self.by_record_key || row.has_record_key_of(line));
        match of_line.map_or(Likeness::Different, |line| compare(row, &line, &is_one_file)) {
            Likeness::Same => Likeness::Same,
            Likeness::ByContent => Likeness::ByContent,
            // What was deleted stands in nobody's way: only what is known to be the same upload is known to be gone.
            _ if self.is_deleted(line) => Likeness::Different,
            other => other,
        }
    }

    fn content(&self, row: usize, line: usize) -> ContentMatch {
        let contents = self.contents.zip(self.lines.get(line));
        match contents.map_or(ContentMatch::Unknown, |(found, line)| found.compare(self.numbers[row].row, line)) {
            // Nobody is asked about what was deleted.
            ContentMatch::Unknown if contents.is_some() && self.is_deleted(line) => ContentMatch::Different,
            other => other,
        }
    }

    fn moved(&self, row: usize) -> Option<MovedAnswer> {
        self.options.moved.answer(self.manifest_lines[row])
    }
}
