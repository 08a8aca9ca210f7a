//! Leads through a check: rows as they come, then what only files and other rows can tell, then the verdict.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::ambiguity::AmbiguousRows;
use super::cells::RowSource;
use super::checked::file_name;
use super::checksums;
use super::earlier::{Earlier, RowsSoFar, Stage};
use super::files::look;
use super::ids::Ids;
use super::keys::Keys;
use super::left_out::{LeftOut, LeftOutCells};
use super::module::KnownModules;
use super::presence::Presence;
use super::store::{Rest, RowStore, SourceIx, StoreFull, TextId};
use super::{CheckOptions, Checkup, name};
use crate::manifest::{Field, Manifest, ManifestReader, RawRow};
use crate::problem::{Place, Problem, ProblemCode, ProblemList};
use crate::text::mask_secrets;
use crate::units::counted;
use crate::upload::{RecordId, RowKey, SourceKind};

/// So many rows that cannot be complete are held for mending; with the next one reading is given up. Whoever has a million
/// such rows has one mistake, and sees it in the first thousand.
const MAX_INCOMPLETE: usize = 1_000_000;

/// The state of a check while rows come in.
pub(super) struct Checker<'a> {
    pub(super) options: &'a CheckOptions,
    /// Who knows earlier runs; `None`: there was none.
    earlier: Option<&'a mut dyn Earlier>,
    pub(super) problems: ProblemList,
    pub(super) modules: KnownModules,
    pub(super) store: RowStore,
    pub(super) ambiguous: AmbiguousRows,
    pub(super) ids: Ids,
    /// What keys of an old system stand for.
    pub(super) keys: Keys,
    /// By row of the store: its number, where its source stands, and whether its file is of no interest any more.
    pub(super) details: Vec<Detail>,
    /// Rows that cannot be complete, with what can still be said of their files.
    pub(super) incomplete: Vec<LeftOut>,
    /// With so many of them reading is given up.
    pub(super) most_incomplete: usize,
    files_of_incomplete: Vec<FileOfIncomplete>,
    /// How many rows so far have a key that stands for the first of them, by the hash of it.
    seen_incomplete: SeenKeys,
    records_of_incomplete: Vec<RecordId>,
    /// Rows that are wrong only by a default, which is reported where it stands.
    pub(super) wrong_by_default: HashSet<u32>,
    /// Columns that the header was reported for lacking, so that no row need repeat it.
    pub(super) absent: Vec<Field>,
    pub(super) blanks: FirstAndCount,
    pub(super) prefixes: FirstAndCount,
    /// Files that were found under another Unicode form of their names.
    forms: FirstAndCount,
}

/// What is needed of a row of the store only during the check.
#[derive(Clone, Copy)]
pub(super) struct Detail {
    pub(super) number: u32,
    /// Lines below the row's own, and column, of its source; 0 where it does not fit.
    below: u16,
    column: u16,
    settled: bool,
}

struct FileOfIncomplete {
    number: u32,
    source: SourceIx,
    place: Place,
    name_bytes: usize,
}

/// Counts how often a key came. Most come once, and of those little is kept.
#[derive(Default)]
struct SeenKeys {
    once: HashSet<RowKey>,
    /// Those that came again, and how often they came in all.
    again: HashMap<RowKey, u32>,
}

impl SeenKeys {
    /// Counts a key; says how often it has come, this time included.
    fn count(&mut self, key: RowKey) -> u32 {
        if self.once.insert(key) {
            return 1;
        }
        let count = self.again.entry(key).or_insert(1);
        *count = count.saturating_add(1);
        *count
    }
}

/// Something harmless, counted, with its first place.
#[derive(Default)]
pub(super) struct FirstAndCount {
    count: u32,
    first: Option<(Place, u32)>,
}

impl FirstAndCount {
    pub(super) fn add(&mut self, place: Place, row: u32) {
        self.count = self.count.saturating_add(1);
        self.first = self.first.or(Some((place, row)));
    }

    /// Its first place, the row of that, and how many there are; `None` if there are none.
    pub(super) fn first(&self) -> Option<(Place, u32, u32)> {
        self.first.map(|(place, row)| (place, row, self.count))
    }
}

impl<'a> Checker<'a> {
    pub(super) fn new(options: &'a CheckOptions, earlier: Option<&'a mut dyn Earlier>) -> Checker<'a> {
        Checker {
            options,
            earlier,
            problems: ProblemList::default(),
            modules: KnownModules::new(options.version),
            store: RowStore::default(),
            ambiguous: AmbiguousRows::default(),
            ids: Ids::default(),
            keys: Keys::default(),
            details: Vec::new(),
            incomplete: Vec::new(),
            most_incomplete: MAX_INCOMPLETE,
            files_of_incomplete: Vec::new(),
            seen_incomplete: SeenKeys::default(),
            records_of_incomplete: Vec::new(),
            wrong_by_default: HashSet::new(),
            absent: Vec::new(),
            blanks: FirstAndCount::default(),
            prefixes: FirstAndCount::default(),
            forms: FirstAndCount::default(),
        }
    }

    /// Judges the whole manifest.
    pub(super) fn judge(mut self, manifest: Manifest) -> Checkup {
        let mut reader = manifest.read(&mut self.problems);
        self.absent = Field::ALL.into_iter().filter(|field| reader.is_absent(*field)).collect();
        self.declare_modules(&reader);
        self.read_crosswalks(&reader);
        if let Some(defaults) = reader.defaults() {
            self.judge_defaults(&defaults);
        }
        let mut row = RawRow::default();
        while reader.next(&mut row, &mut self.problems) {
            if self.judge_row(&row).is_err() {
                self.problems.push(
                    Problem::new(
                        ProblemCode::ManifestTooLarge,
                        "paths, addresses and names together have more than 4 GiB",
                        "split the manifest; each part gets its own results file",
                    )
                    .on_line(row.line),
                );
                break;
            }
            if self.incomplete.len() >= self.most_incomplete {
                self.problems.push(
                    Problem::new(
                        ProblemCode::TooManyBadRows,
                        format!(
                            "{} cannot be complete; what follows was not read",
                            counted(self.most_incomplete as u64, "row")
                        ),
                        "check that this is the right file; mend what most rows have in common first",
                    )
                    .on_line(row.line),
                );
                break;
            }
        }
        self.find_ambiguous();
        self.store.carried.columns = reader.carried_columns().to_vec();
        let rows = reader.count();
        let base = reader.base().to_owned();
        if rows == 0 && !self.problems.has_error() {
            self.problems.push(Problem::new(
                ProblemCode::NoRows,
                "the manifest has no rows",
                "check that this is the right file, and that the export that made it was complete",
            ));
        }
        self.recognise(&base, Stage::BeforeFiles);
        if !self.options.by_form_only {
            self.judge_files(&base);
        }
        self.recognise(&base, Stage::AfterFiles);
        self.judge_checksums(&base);
        self.judge_ambiguous(&base);
        self.judge_ids();
        self.add_notes();
        self.conclude_keys();
        let info = reader.finish(&mut self.problems);
        self.conclude(info, rows)
    }

    fn declare_modules(&mut self, reader: &ManifestReader) {
        for name in &self.options.custom_modules {
            if let Err(finding) = self.modules.declare(name) {
                self.problems.push(finding.problem().about("custom_modules", name));
            }
        }
        for (name, place) in reader.custom_modules() {
            if let Err(finding) = self.modules.declare(name) {
                self.problems.push(finding.problem().at(*place).about("custom_modules", name));
            }
        }
    }

    /// Judges the defaults even if no row uses them.
    fn judge_defaults(&mut self, defaults: &RawRow) {
        let module = self.module_of(defaults);
        self.record_of(defaults, module);
        if defaults.get(Field::File).is_empty() && defaults.get(Field::Url).is_empty() {
            self.given_name_of(defaults, None);
            return;
        }
        if let Some(source) = self.source_of(defaults) {
            let given = self.given_name_of(defaults, Some(source.kind));
            // A manifest of which the defaults alone fill 4 GiB is refused with its first row.
            let _ = self.look_later(defaults, &source, given.flatten());
        }
    }

    /// Judges one row by form, and puts it where it belongs.
    fn judge_row(&mut self, row: &RawRow) -> Result<(), StoreFull> {
        let module = self.module_of(row);
        let record = self.record_of(row, module);
        let source = self.source_of(row);
        let given = self.given_name_of(row, source.as_ref().map(|source| source.kind));
        let checksums = self.checksums_of(row, source.as_ref().map(|source| source.kind));
        let own_is_good = match (&source, given) {
            (Some(source), Some(None)) => self.judge_own_name(row, source),
            _ => true,
        };
        match (module, record, source, given, checksums) {
            (Some(module), Some(record), Some(source), Some(given), Some(checksums)) if own_is_good && !row.broken => {
                if !checksums.is_empty() {
                    self.store.checksums.push((self.store.len() as u32, checksums));
                }
                self.add_complete(row, module, record, &source, given)
            }
            (_, record, source, given, _) => {
                self.records_of_incomplete.extend(record);
                if let Some(source) = &source {
                    self.look_later(row, source, given.flatten())?;
                }
                self.add_incomplete(row);
                Ok(())
            }
        }
    }

    fn add_complete(
        &mut self,
        row: &RawRow,
        module: u16,
        record: RecordId,
        source: &RowSource<'_>,
        given: Option<&str>,
    ) -> Result<(), StoreFull> {
        let ix = self.store.len();
        let source_ix = self.intern(source)?;
        let name = match given {
            None => TextId::NONE,
            Some(given) => self.store.texts.push(given)?,
        };
        self.store.records.push(record);
        self.store.rests.push(Rest { line: row.line, source: source_ix, name, module });
        let key = row.get(Field::Key).trim_matches([' ', '\t']);
        self.store.push_record_key(ix, Some(key).filter(|key| !key.is_empty()))?;
        let mut settled = false;
        if self.earlier.is_some() {
            let key = self.key(ix, 1);
            self.store.keys.push(key);
            settled = self.is_settled(key);
        }
        self.store.carried.push(ix, row.carried())?;
        let place = row.place(source.field);
        self.details.push(Detail {
            number: row.number,
            below: u16::try_from(place.line.saturating_sub(row.line)).unwrap_or(u16::MAX),
            column: place.column.and_then(|column| u16::try_from(column).ok()).unwrap_or(0),
            settled,
        });
        Ok(())
    }

    /// The key of a row of the store that is the so many-th of those that say the same.
    fn key(&self, ix: usize, ordinal: u32) -> RowKey {
        self.store.key(&self.modules.used, ix, ordinal)
    }

    /// Finds the rows that could be mistaken for each other; those that say just the same get keys of their own.
    fn find_ambiguous(&mut self) {
        self.ambiguous = AmbiguousRows::find(&self.store);
        if self.ambiguous.is_empty() {
            return;
        }
        for ix in self.store.keys.len()..self.store.len() {
            let key = self.key(ix, 1);
            self.store.keys.push(key);
        }
        for (ix, ordinal) in self.ambiguous.ordinals(&self.store.keys) {
            let key = self.key(ix, ordinal);
            self.store.keys[ix] = key;
            let settled = self.is_settled(key);
            if let Some(detail) = self.details.get_mut(ix) {
                detail.settled = settled;
            }
        }
    }

    fn is_settled(&self, key: RowKey) -> bool {
        self.earlier.as_deref().is_some_and(|earlier| earlier.is_settled(key))
    }

    /// Asks for rows that earlier runs sent under other words.
    fn recognise(&mut self, base: &Path, stage: Stage) {
        let Some(earlier) = self.earlier.as_deref_mut() else { return };
        let (store, modules, incomplete) = (&self.store, &self.modules.used[..], &self.incomplete[..]);
        let recognised = earlier.recognise(&RowsSoFar { store, modules, base, incomplete }, stage);
        for row in recognised.settled {
            if let Some(detail) = self.details.get_mut(row as usize) {
                detail.settled = true;
            }
        }
        for row in recognised.again {
            if let Some(detail) = self.details.get_mut(row as usize) {
                detail.settled = false;
            }
        }
        for doubt in recognised.problems {
            let ix = doubt.row as usize;
            let (Some(detail), rest) = (self.details.get(ix), self.store.rests[ix]) else { continue };
            let problem = Problem::new(doubt.code, doubt.message, doubt.hint).at(detail.place(rest.line));
            let field = self.store.source(ix).kind.column();
            self.problems.push(problem.in_row(detail.number).about(field, self.store.source_text(ix)));
        }
    }

    fn intern(&mut self, source: &RowSource<'_>) -> Result<SourceIx, StoreFull> {
        if let Some(known) = source.known {
            return Ok(known);
        }
        let ix = self.store.sources.intern(source.kind, source.text, &mut self.store.texts, || {
            let own = file_name(source.text);
            (source.text.len() - own.len(), name::replacement(own))
        })?;
        self.store.sources.get_mut(ix).clean |= source.clean;
        Ok(ix)
    }

    /// Has the file of a row looked at that will not be sent, so that all its problems are found at once.
    fn look_later(&mut self, row: &RawRow, source: &RowSource<'_>, given: Option<&str>) -> Result<(), StoreFull> {
        if source.kind == SourceKind::File && !row.is_inherited(source.field) {
            let name_bytes = given.unwrap_or_else(|| file_name(source.text)).len();
            let (number, place) = (row.number, row.place(source.field));
            let source = self.intern(source)?;
            self.files_of_incomplete.push(FileOfIncomplete { number, source, place, name_bytes });
        }
        Ok(())
    }

    fn add_incomplete(&mut self, row: &RawRow) {
        let (kind, source) = match (row.get(Field::File), row.get(Field::Url)) {
            ("", url) => (SourceKind::Link, url.to_owned()),
            (file, "") => (SourceKind::File, file.to_owned()),
            // No source of a sound row has a NUL, so no such row can have the same key.
            (file, url) => (SourceKind::File, format!("{file}\0{url}")),
        };
        let (module, record, name) = (row.get(Field::Module), row.get(Field::Record), row.get(Field::Name));
        // The prefix sets these keys apart from those of rows that say the same and are complete.
        let record = match row.get(Field::Key) {
            "" => format!("?{record}"),
            key => format!("?{record}?{key}"),
        };
        let of = |ordinal| RowKey::of(module, &record, kind, &source, name, ordinal);
        let key = of(self.seen_incomplete.count(of(1)));
        let cells = LeftOutCells {
            module,
            record: row.get(Field::Record),
            record_key: row.get(Field::Key),
            file: row.get(Field::File),
            url: &mask_secrets(row.get(Field::Url)),
            name,
            sha256: row.get(Field::Sha256),
            md5: row.get(Field::Md5),
        };
        self.incomplete.push(LeftOut::new(row.line, row.number, key, &cells, row.carried()));
    }

    /// Looks at the files of all rows that may still be sent, and of those that will not, so that everything is found at
    /// once.
    fn judge_files(&mut self, base: &Path) {
        let wanted = self.files_to_look_at();
        let troubles = look(&mut self.store, &wanted, base, self.options.allow_outside);
        let store = &self.store;
        let mut presence = Presence::new(self.options, store, base, troubles);
        let text = |source| store.texts.get(store.sources.get(source).text);
        for (ix, detail) in self.details.iter().enumerate() {
            if detail.settled || store.source(ix).kind == SourceKind::Link {
                continue;
            }
            let Rest { line, source, .. } = store.rests[ix];
            if store.paths.other_forms.contains(&source.0) {
                self.forms.add(detail.place(line), detail.number);
            }
            if let Some(finding) = presence.judge(source, || store.name(ix).len()) {
                let problem = finding.problem().at(detail.place(line)).in_row(detail.number);
                self.problems.push(problem.about("file", text(source)));
            }
        }
        for file in &self.files_of_incomplete {
            if let Some(finding) = presence.judge(file.source, || file.name_bytes) {
                let problem = finding.problem().at(file.place).about("file", text(file.source));
                self.problems.push(if file.number == 0 { problem } else { problem.in_row(file.number) });
            }
        }
    }

    /// Reads the files that rows give checksums of. One that cannot be sent anyway is not read: a row with two problems
    /// about one file helps nobody, and it may have any size.
    fn judge_checksums(&mut self, base: &Path) {
        let store = &self.store;
        let sendable = |row: usize| {
            let size = store.source(row).facts.map(|facts| facts.size);
            size.is_some_and(|size| size <= self.options.max_size)
        };
        let details = &self.details;
        let judged = || {
            let given = store.checksums.iter().map(|(row, checksums)| (*row as usize, *checksums));
            given.filter(|(row, _)| !details.get(*row).is_some_and(|detail| detail.settled) && sendable(*row))
        };
        let of_sources = judged().map(|(row, checksums)| (store.rests[row].source, checksums));
        let files = checksums::files(store, base, of_sources);
        let read = checksums::read(&files, &self.options.checksum_watch);
        let mut problems = Vec::new();
        for (row, wanted) in judged() {
            let (Some(detail), Rest { line, source, .. }) = (details.get(row), store.rests[row]) else { continue };
            if let Some(finding) = read.get(&source).and_then(|read| checksums::judge(&wanted, read)) {
                let problem = finding.problem().at(detail.place(line)).in_row(detail.number);
                problems.push(problem.about("file", store.source_text(row)));
            }
        }
        self.problems.extend(problems);
    }

    /// Distinct files of rows that may still be sent, in the order of their first appearance.
    fn files_to_look_at(&self) -> Vec<SourceIx> {
        let mut wanted = vec![false; self.store.sources.len()];
        let of_rows = self.store.rests.iter().zip(&self.details).filter(|(_, detail)| !detail.settled);
        let of_incomplete = self.files_of_incomplete.iter().map(|file| file.source);
        for source in of_rows.map(|(rest, _)| rest.source).chain(of_incomplete) {
            if let Some(wanted) = wanted.get_mut(source.0 as usize) {
                *wanted = self.store.sources.get(source).kind == SourceKind::File;
            }
        }
        (0..wanted.len() as u32).map(SourceIx).filter(|source| wanted[source.0 as usize]).collect()
    }

    fn judge_ambiguous(&mut self, base: &Path) {
        for (ix, finding) in self.ambiguous.judge(&self.store, base, self.options.allow_identical) {
            let (Some(detail), rest) = (self.details.get(ix), self.store.rests[ix]) else { continue };
            let problem = finding.problem().at(detail.place(rest.line)).in_row(detail.number);
            let field = self.store.source(ix).kind.column();
            self.problems.push(problem.about(field, self.store.source_text(ix)));
        }
    }

    fn judge_ids(&mut self) {
        // What is done is not to be mended any more, and the same warnings in every run would hide new ones.
        let done: HashSet<u32> =
            self.details.iter().filter(|detail| detail.settled).map(|detail| detail.number).collect();
        self.problems.forget_warnings(|row| done.contains(&row));
        let all = self.store.records.iter().copied().chain(self.records_of_incomplete.drain(..)).collect();
        let rounded = self.ids.judge_rounded(all, self.options.allow_rounded_ids, |row| done.contains(&row));
        self.problems.extend(rounded);
        self.problems.extend(self.ids.mixed().map(super::CheckFinding::problem));
    }

    fn add_notes(&mut self) {
        let times =
            |count: u32, one: &str, many: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {many}") };
        let blanks = times(self.blanks.count, "value had blanks around it", "values had blanks around them");
        let prefixes = times(self.prefixes.count, "record id had", "record ids had");
        let forms = times(self.forms.count, "file was", "files were");
        for (tally, code, message) in [
            (
                &self.forms,
                ProblemCode::FileUnicodeForm,
                format!("{forms} found under another Unicode form of the name, the only one there is"),
            ),
            (&self.blanks, ProblemCode::OuterBlanks, format!("{blanks}, which were taken off")),
            (&self.prefixes, ProblemCode::ZcrmPrefix, format!("{prefixes} the prefix zcrm_, which was taken off")),
        ] {
            if let Some((place, row)) = tally.first {
                let problem = Problem::new(code, message, "").at(place);
                self.problems.push(if row == 0 { problem } else { problem.in_row(row) });
            }
        }
    }
}

impl Detail {
    fn place(self, line: u32) -> Place {
        let column = (self.column > 0 && self.below < u16::MAX).then_some(u32::from(self.column));
        Place { line: line.saturating_add(if column.is_some() { u32::from(self.below) } else { 0 }), column }
    }
}
