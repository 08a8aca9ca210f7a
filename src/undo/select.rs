//! Which lines of the results can be undone, and which of those are asked for. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::Arc;

use super::{NotUndone, UndoRecord, UndoRow, UndoWork};
use crate::line_set::LineSet;
use crate::outcome::Status;
use crate::results::Line;
use crate::upload::{RecordId, RowKey, SourceKind};

/// What is asked for. Everything that can be undone, unless something narrows it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UndoSelection {
    /// Only what these runs created; none means all.
    pub runs: Vec<String>,
    /// Only these lines of the manifest.
    pub lines: Option<LineSet>,
    /// Only these modules; none means all.
    pub modules: Vec<String>,
    /// Whether attachments go, too, that a listing gave to their rows.
    pub include_settled: bool,
}

impl UndoSelection {
    /// Whether only a part of what can be undone is asked for.
    pub fn is_part(&self) -> bool {
        !self.runs.is_empty() || self.lines.is_some() || !self.modules.is_empty()
    }

    fn names(&self, line: &Line, number: u32) -> bool {
        (self.runs.is_empty() || self.runs.contains(&line.run))
            && (self.modules.is_empty() || self.modules.contains(&line.module))
            && self.lines.as_ref().is_none_or(|lines| lines.contains(number))
    }
}

impl UndoWork {
    /// What the lines of a results file make of it. `earlier` are the lines of attachments that were superseded, by their
    /// keys, each with the line of its row in the manifest: such a line has no number of its own.
    ///
    /// # Errors
    ///
    /// When a line cannot be read.
    pub fn of(
        lines: impl Iterator<Item = io::Result<Line>>,
        earlier: &HashMap<RowKey, u32>,
        selection: &UndoSelection,
    ) -> io::Result<UndoWork> {
        let mut making = WorkBuilder::default();
        let mut not_undone: BTreeMap<NotUndone, u64> = BTreeMap::new();
        for line in lines {
            let line = line?;
            let number = earlier.get(&line.key).copied().unwrap_or(line.line);
            match judge(&line, number, selection) {
                Ok(record) => making.add(line, number, record, earlier),
                Err(why) => *not_undone.entry(why).or_default() += 1,
            }
        }
        Ok(UndoWork { not_undone: not_undone.into_iter().collect(), ..making.work })
    }

    /// How many lines stay as they are for this reason.
    pub fn count(&self, why: NotUndone) -> u64 {
        self.not_undone.iter().find(|(other, _)| *other == why).map_or(0, |(_, count)| *count)
    }
}

/// Whether the line's attachment goes: then its record.
fn judge(line: &Line, number: u32, selection: &UndoSelection) -> Result<RecordId, NotUndone> {
    if !selection.names(line, number) {
        return Err(NotUndone::NotSelected);
    }
    match line.status {
        Status::Uploaded | Status::Superseded | Status::Deleting => {}
        Status::AlreadyPresent => return Err(NotUndone::AlreadyPresent),
        Status::InDoubt | Status::Unknown | Status::Sending => return Err(NotUndone::InDoubt),
        Status::Deleted => return Err(NotUndone::Deleted),
        Status::Failed | Status::NotSent | Status::Invalid => return Err(NotUndone::NothingCreated),
    }
    // A plain success has no code. Any other one says that the answer to the upload was not what decided.
    if !line.code.is_empty() && !selection.include_settled {
        return Err(NotUndone::Settled);
    }
    let record = line.record.parse().ok().and_then(RecordId::new);
    record.filter(|_| line.attachment_id.is_some() && line.kind().is_some()).ok_or(NotUndone::Unnamed)
}

#[derive(Default)]
struct WorkBuilder {
    work: UndoWork,
    texts: HashSet<Arc<str>>,
    places: HashMap<(Arc<str>, RecordId), usize>,
}

impl WorkBuilder {
    fn add(&mut self, line: Line, number: u32, record: RecordId, earlier: &HashMap<RowKey, u32>) {
        let Some(attachment) = line.attachment_id else { return };
        let module = self.shared(&line.module);
        let row = u32::try_from(self.work.rows.len()).unwrap_or(u32::MAX);
        let records = &mut self.work.records;
        let place = *self.places.entry((Arc::clone(&module), record)).or_insert_with(|| {
            records.push(UndoRecord { module: Arc::clone(&module), id: record, rows: Vec::new() });
            records.len() - 1
        });
        records[place].rows.push(row);
        let is_link = line.kind() == Some(SourceKind::Link);
        self.work.rows.push(UndoRow {
            line: number,
            module,
            record,
            place: u32::try_from(place).unwrap_or(u32::MAX),
            key: line.key,
            attachment,
            source: if is_link { line.url } else { line.file },
            is_link,
            name: line.name,
            bytes: line.bytes,
            was: if earlier.contains_key(&line.key) { Status::Superseded } else { Status::Uploaded },
            is_begun: line.status == Status::Deleting,
        });
    }

    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&text));
        text
    }
}
