//! Keeps a million rows in little memory: every distinct text once, everything else as numbers side by side.
//!
//! Nothing here knows a rule; rows are put in by the check, which knows that they are complete.

use std::hash::BuildHasher;
use std::path::{Path, PathBuf};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::checked::composed;
use crate::archive::{self, Member};
use crate::checksum::Checksums;
use crate::upload::{FileFacts, FileSource, RecordId, RowKey, SourceKind};

/// Which text of a [`Texts`]: where it begins.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct TextId(u32);

impl TextId {
    /// Stands for no text, in places where an `Option` would double the room.
    pub(super) const NONE: TextId = TextId(u32::MAX);
}

/// Texts one behind the other, each ended by a NUL, which no text of a sound row can contain.
#[derive(Default, Debug)]
pub(super) struct Texts {
    all: String,
}

/// The texts of a manifest do not fit into 4 GiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct StoreFull;

impl Texts {
    pub(super) fn push(&mut self, text: &str) -> Result<TextId, StoreFull> {
        debug_assert!(!text.contains('\0'), "the reader takes NULs out");
        let start = u32::try_from(self.all.len()).ok().filter(|start| *start != u32::MAX).ok_or(StoreFull)?;
        self.all.push_str(text);
        self.all.push('\0');
        Ok(TextId(start))
    }

    pub(super) fn get(&self, id: TextId) -> &str {
        let rest = self.all.get(id.0 as usize..).unwrap_or_default();
        let end = memchr::memchr(0, rest.as_bytes()).unwrap_or(rest.len());
        &rest[..end]
    }

    /// Whether this is the text with that number, which takes less than getting it.
    fn is(&self, id: TextId, text: &str) -> bool {
        let rest = self.all.as_bytes().get(id.0 as usize..).unwrap_or_default();
        rest.strip_prefix(text.as_bytes()).is_some_and(|behind| behind.first() == Some(&0))
    }

    /// A text that is the end of another, from this many bytes on.
    fn tail(id: TextId, skipped: usize) -> TextId {
        u32::try_from(skipped).ok().and_then(|skipped| id.0.checked_add(skipped)).map_or(TextId::NONE, TextId)
    }

    fn shrink(&mut self) {
        self.all.shrink_to_fit();
    }
}

/// Which source: an index into the distinct files and links of a manifest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct SourceIx(pub(super) u32);

/// One distinct file or link.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredSource {
    /// As written.
    pub(super) text: TextId,
    /// The name it is sent under when the row gives none; for a link [`TextId::NONE`].
    pub(super) own_name: TextId,
    pub(super) kind: SourceKind,
    /// Whether the own name had to be changed.
    pub(super) renamed: bool,
    /// Whether its form gave no reason to say anything, so that further rows with it need not be judged again.
    pub(super) clean: bool,
    /// Of what rows with it could be mistaken by, if they give no name: the own name in composed form, or the address.
    pub(super) ambiguity_hash: u32,
    /// What the look at the file said; stays `None` for links and for files that nobody needed to look at.
    pub(super) facts: Option<FileFacts>,
}

/// Every distinct file and link.
#[derive(Default)]
pub(super) struct Sources {
    list: Vec<StoredSource>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// The one found last.
    last: u32,
}

impl Sources {
    /// The source with this text, if it is known.
    pub(super) fn find(&mut self, kind: SourceKind, text: &str, texts: &Texts) -> Option<SourceIx> {
        let same = |ix: &u32| {
            self.list.get(*ix as usize).is_some_and(|known| known.kind == kind && texts.is(known.text, text))
        };
        // Manifests tend to name one file for many records, or the same files in the same order for each record.
        let guesses = [self.last, self.last.saturating_add(1)];
        let found = guesses.into_iter().find(same).or_else(|| {
            let hash = self.hasher.hash_one((kind, text));
            self.table.find(hash, same).copied()
        })?;
        self.last = found;
        Some(SourceIx(found))
    }

    /// The source with this text, new or known.
    ///
    /// `own_name` is asked only for a new file: where in its text the last component begins, and what replaces it if
    /// it cannot be sent as it is.
    pub(super) fn intern(
        &mut self,
        kind: SourceKind,
        text: &str,
        texts: &mut Texts,
        own_name: impl FnOnce() -> (usize, Option<String>),
    ) -> Result<SourceIx, StoreFull> {
        if let Some(known) = self.find(kind, text, texts) {
            return Ok(known);
        }
        let ix = u32::try_from(self.list.len()).map_err(|_| StoreFull)?;
        let id = texts.push(text)?;
        let mut ambiguity_hash = self.ambiguity_hash(text);
        let (own_name, renamed) = match kind {
            SourceKind::Link => (TextId::NONE, false),
            SourceKind::File => match own_name() {
                (start, None) => {
                    ambiguity_hash = self.ambiguity_hash(&composed(text.get(start..).unwrap_or_default()));
                    (Texts::tail(id, start), false)
                }
                (_, Some(replaced)) => {
                    ambiguity_hash = self.ambiguity_hash(&composed(&replaced));
                    (texts.push(&replaced)?, true)
                }
            },
        };
        self.list.push(StoredSource { text: id, own_name, kind, renamed, clean: false, ambiguity_hash, facts: None });
        let hash = self.hasher.hash_one((kind, text));
        let (list, hasher) = (&self.list, &self.hasher);
        self.table.insert_unique(hash, ix, |ix| match list.get(*ix as usize) {
            Some(known) => hasher.hash_one((known.kind, texts.get(known.text))),
            None => 0,
        });
        Ok(SourceIx(ix))
    }

    /// The hash of a name in composed form, or of an address.
    pub(super) fn ambiguity_hash(&self, name: &str) -> u32 {
        self.hasher.hash_one(name) as u32
    }

    pub(super) fn get(&self, ix: SourceIx) -> &StoredSource {
        &self.list[ix.0 as usize]
    }

    pub(super) fn get_mut(&mut self, ix: SourceIx) -> &mut StoredSource {
        &mut self.list[ix.0 as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    fn forget_how_to_find(&mut self) {
        self.table = HashTable::new();
        self.list.shrink_to_fit();
    }
}

/// What of a row is neither its key nor its record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    pub(super) line: u32,
    pub(super) source: SourceIx,
    /// [`TextId::NONE`]: the source's own.
    pub(super) name: TextId,
    pub(super) module: u16,
}

/// Rows whose parts are all well-formed, in manifest order.
#[derive(Default)]
pub(super) struct RowStore {
    pub(super) modules: Vec<Box<str>>,
    pub(super) texts: Texts,
    pub(super) sources: Sources,
    /// Empty if nobody has needed them, when each row is the first that says what it says.
    pub(super) keys: Vec<RowKey>,
    pub(super) records: Vec<RecordId>,
    pub(super) rests: Vec<Rest>,
    /// What the old system calls the records, [`TextId::NONE`] where a row names it by its id. Empty while no row has
    /// a key.
    pub(super) record_keys: Vec<TextId>,
    pub(super) carried: CarriedCells,
    /// The path of a file, where it is not the base folder and the text of the source.
    pub(super) paths: Paths,
    /// Of the rows that give any: the row and its checksums, in manifest order.
    pub(super) checksums: Vec<(u32, Checksums)>,
}

impl RowStore {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// The key of the row, being the so many-th of those that say the same, where modules have these names.
    pub(super) fn key(&self, modules: &[Box<str>], row: usize, ordinal: u32) -> RowKey {
        if let (1, Some(key)) = (ordinal, self.keys.get(row)) {
            return *key;
        }
        let module = modules.get(usize::from(self.rests[row].module)).map_or("", |name| name);
        let record = self.records[row].to_string();
        RowKey::of(module, &record, self.source(row).kind, self.source_text(row), self.name(row), ordinal)
    }

    /// Adds the key that names the record of the row that comes next.
    pub(super) fn push_record_key(&mut self, row: usize, key: Option<&str>) -> Result<(), StoreFull> {
        let id = match key {
            None if self.record_keys.is_empty() => return Ok(()),
            None => TextId::NONE,
            // Several files of one record mostly stand together.
            Some(key) => match self.record_keys.last() {
                Some(last) if *last != TextId::NONE && self.texts.is(*last, key) => *last,
                _ => self.texts.push(key)?,
            },
        };
        self.record_keys.resize(row, TextId::NONE);
        self.record_keys.push(id);
        Ok(())
    }

    /// What the old system calls the record of a row; empty where the row names it by its id.
    pub(super) fn record_key(&self, row: usize) -> &str {
        match self.record_keys.get(row) {
            None | Some(&TextId::NONE) => "",
            Some(id) => self.texts.get(*id),
        }
    }

    pub(super) fn module(&self, row: usize) -> &str {
        self.modules.get(usize::from(self.rests[row].module)).map_or("", |name| name)
    }

    pub(super) fn source(&self, row: usize) -> &StoredSource {
        self.sources.get(self.rests[row].source)
    }

    pub(super) fn source_text(&self, row: usize) -> &str {
        self.texts.get(self.source(row).text)
    }

    /// The name as sent.
    pub(super) fn name(&self, row: usize) -> &str {
        match self.rests[row].name {
            TextId::NONE => match self.source(row).own_name {
                TextId::NONE => "",
                own => self.texts.get(own),
            },
            given => self.texts.get(given),
        }
    }

    /// The checksums that a row gives.
    pub(super) fn checksums_of(&self, row: usize) -> Checksums {
        let found = self.checksums.binary_search_by_key(&row, |(row, _)| *row as usize).ok();
        found.and_then(|at| self.checksums.get(at)).map_or(Checksums::default(), |(_, checksums)| *checksums)
    }

    /// A file that was looked at, for reading; `None` for a link, and where there was nothing.
    pub(super) fn file(&self, source: SourceIx, base: &Path, checksums: Checksums) -> Option<FileSource> {
        let facts = self.sources.get(source).facts?;
        let (path, member) = match self.paths.members.get(&source.0) {
            Some((archive, member)) => (self.paths.archives.get(*archive as usize)?.clone(), Some(*member)),
            None => (self.path(source, base)?, None),
        };
        Some(FileSource { path, facts, member, checksums })
    }

    /// Where a file is, as something to tell it from others by: for a member of an archive that is no path of the
    /// system. `None` for a link. A file that was not looked at is where its text says.
    pub(super) fn path(&self, source: SourceIx, base: &Path) -> Option<PathBuf> {
        let StoredSource { kind, text, .. } = *self.sources.get(source);
        if kind == SourceKind::Link {
            return None;
        }
        if let Some(target) = self.paths.targets.get(&source.0) {
            return Some(target.clone());
        }
        let text = self.texts.get(text);
        if let Some((archive, _)) = self.paths.members.get(&source.0)
            && let Some(archive) = self.paths.archives.get(*archive as usize)
        {
            let (_, member) = text.split_once(archive::SEPARATOR).unwrap_or(("", text));
            return Some(archive.join(member));
        }
        let folder = self.paths.folder_of.get(source.0 as usize).copied().flatten();
        let folder = folder.and_then(|folder| self.paths.folders.get(folder as usize));
        Some(match (folder, Path::new(text).file_name()) {
            (Some(folder), Some(name)) => folder.join(name),
            _ => base.join(text),
        })
    }

    /// Keeps only these rows, and gives back what only adding more needs.
    pub(super) fn keep(&mut self, wanted: impl Fn(usize) -> bool) {
        fn retain<T>(list: &mut Vec<T>, wanted: &impl Fn(usize) -> bool) {
            let mut row = 0;
            list.retain(|_| {
                row += 1;
                wanted(row - 1)
            });
        }
        self.keep_checksums(&wanted);
        retain(&mut self.keys, &wanted);
        retain(&mut self.records, &wanted);
        retain(&mut self.rests, &wanted);
        retain(&mut self.record_keys, &wanted);
        retain(&mut self.carried.starts, &wanted);
        self.sources.forget_how_to_find();
        self.texts.shrink();
        self.carried.cells.shrink();
    }
}

impl RowStore {
    /// Keeps the checksums of these rows, by the numbers that the rows will have.
    fn keep_checksums(&mut self, wanted: &impl Fn(usize) -> bool) {
        let (mut row, mut kept) = (0, 0);
        self.checksums.retain_mut(|(of, _)| {
            while row < *of {
                kept += u32::from(wanted(row as usize));
                row += 1;
            }
            let keep = wanted(*of as usize);
            *of = kept;
            keep
        });
        self.checksums.shrink_to_fit();
    }
}

/// The cells of the columns that are only passed through.
#[derive(Default)]
pub(super) struct CarriedCells {
    /// In the order of their first appearance.
    pub(super) columns: Vec<String>,
    /// Of each row: the cells up to its last one that is not empty, one behind the other. Empty while no row has any.
    starts: Vec<(TextId, u16)>,
    cells: Texts,
}

impl CarriedCells {
    /// Adds the cells of the row with this index. As long as no row has any, they take no room.
    pub(super) fn push<'a>(&mut self, row: usize, cells: impl Iterator<Item = &'a str>) -> Result<(), StoreFull> {
        let (mut start, mut count, mut blanks) = (TextId::NONE, 0_u16, 0_u16);
        for cell in cells {
            if cell.is_empty() {
                blanks += 1;
                continue;
            }
            for text in std::iter::repeat_n("", usize::from(blanks)).chain([cell]) {
                let id = self.cells.push(text)?;
                start = if start == TextId::NONE { id } else { start };
            }
            count += blanks + 1;
            blanks = 0;
        }
        if count > 0 || !self.starts.is_empty() {
            self.starts.resize(row, (TextId::NONE, 0));
            self.starts.push((start, count));
        }
        Ok(())
    }

    /// The cells of a row, one for each column.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = &str> {
        let (mut next, count) = self.starts.get(row).copied().unwrap_or((TextId::NONE, 0));
        (0..self.columns.len()).map(move |column| {
            if column >= usize::from(count) {
                return "";
            }
            let text = self.cells.get(next);
            next = Texts::tail(next, text.len() + 1);
            text
        })
    }
}

/// Where the files are: one folder for many, so that a path costs four bytes.
#[derive(Default)]
pub(super) struct Paths {
    /// Resolved folders.
    pub(super) folders: Vec<PathBuf>,
    /// By source: the folder it is in, if that could be resolved.
    pub(super) folder_of: Vec<Option<u32>>,
    /// Files that are symbolic links, by source: where they lead.
    pub(super) targets: std::collections::HashMap<u32, PathBuf>,
    /// Files that were found under another Unicode form of their names, by source.
    pub(super) other_forms: std::collections::HashSet<u32>,
    /// Archives that rows name members of, resolved.
    pub(super) archives: Vec<PathBuf>,
    /// Sources that are members, by source: in which of the archives, and where in it.
    pub(super) members: std::collections::HashMap<u32, (u32, Member)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_kept_once() {
        let (mut sources, mut texts) = (Sources::default(), Texts::default());
        let mut intern = |kind, text: &str| sources.intern(kind, text, &mut texts, || (text.len() - 1, None)).unwrap();
        let first = intern(SourceKind::File, "docs/a");
        assert_eq!(intern(SourceKind::File, "docs/a"), first);
        assert_ne!(intern(SourceKind::Link, "docs/a"), first);
        assert_ne!(intern(SourceKind::File, "docs/b"), first);
        assert_eq!(texts.get(sources.get(first).own_name), "a");
        assert_eq!(sources.len(), 3);
    }

    #[test]
    fn carried_cells_come_back_whatever_is_empty() {
        let mut carried = CarriedCells::default();
        carried.push(0, [].into_iter()).unwrap();
        carried.columns = ["note", "x_a", "x_b"].map(str::to_owned).to_vec();
        let rows = [["", "", ""], ["a", "", "b"], ["", "c", ""], ["", "", "d"]];
        for (ix, row) in rows.iter().enumerate() {
            carried.push(ix + 1, row.iter().copied()).unwrap();
        }
        assert_eq!(carried.row(0).collect::<Vec<_>>(), ["", "", ""]);
        for (ix, row) in rows.iter().enumerate() {
            assert_eq!(carried.row(ix + 1).collect::<Vec<_>>(), row);
        }
    }
}
