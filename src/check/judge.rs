//! Judges rows as they come: every cell by its rules, then what only files and other rows can tell.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::checked::{Checked, LeftOut, file_name};
use super::files::{Nearby, Trouble, look};
use super::ids::Ids;
use super::module::Modules;
use super::record::Record;
use super::store::{Full, Rest, SourceIx, Store, TextId};
use super::twins::Twins;
use super::{Checkup, Finding, Settings, link, name, record};
use crate::explain::{Extent, ProblemCode};
use crate::manifest::{Field, Manifest, RawRow, Reader};
use crate::problem::{Place, Problem, Severity, without_passwords};
use crate::upload::{RecordId, RowKey, SourceKind};
use crate::zoho::overhead;

/// From this size of a request on the service may refuse it, since nobody says which megabyte it means.
const LARGE_BODY: u64 = 100_000_000;

/// The state of a check while rows come in.
pub(super) struct Judge<'a> {
    settings: &'a Settings,
    settled: &'a (dyn Fn(RowKey) -> bool + Sync),
    problems: Vec<Problem>,
    modules: Modules,
    store: Store,
    twins: Twins,
    ids: Ids,
    /// By row of the store: its number, where its source stands, and whether its file is of no interest any more.
    details: Vec<Detail>,
    /// Rows that cannot be complete, with what can still be said of their files.
    incomplete: Vec<LeftOut>,
    files_of_incomplete: Vec<FileOfIncomplete>,
    seen_incomplete: HashMap<RowKey, u32>,
    records_of_incomplete: Vec<RecordId>,
    /// Rows that are wrong only by a default, which is reported where it stands.
    wrong_by_default: HashSet<u32>,
    /// Columns that the header was reported for lacking, so that no row need repeat it.
    absent: Vec<Field>,
    blanks: Tally,
    prefixes: Tally,
}

/// What is needed of a row of the store only during the check.
#[derive(Clone, Copy)]
struct Detail {
    number: u32,
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

/// Something harmless, counted, with its first place.
#[derive(Default)]
struct Tally {
    count: u32,
    first: Option<(Place, u32)>,
}

impl Tally {
    fn add(&mut self, place: Place, row: u32) {
        self.count = self.count.saturating_add(1);
        self.first = self.first.or(Some((place, row)));
    }
}

/// The source of a row, well-formed.
struct Source<'r> {
    kind: SourceKind,
    text: &'r str,
    field: Field,
}

impl<'a> Judge<'a> {
    pub(super) fn new(settings: &'a Settings, settled: &'a (dyn Fn(RowKey) -> bool + Sync)) -> Judge<'a> {
        Judge {
            settings,
            settled,
            problems: Vec::new(),
            modules: Modules::new(settings.version),
            store: Store::default(),
            twins: Twins::default(),
            ids: Ids::default(),
            details: Vec::new(),
            incomplete: Vec::new(),
            files_of_incomplete: Vec::new(),
            seen_incomplete: HashMap::new(),
            records_of_incomplete: Vec::new(),
            wrong_by_default: HashSet::new(),
            absent: Vec::new(),
            blanks: Tally::default(),
            prefixes: Tally::default(),
        }
    }

    /// Judges the whole manifest.
    pub(super) fn judge(mut self, manifest: Manifest) -> Checkup {
        let mut reader = manifest.read(&mut self.problems);
        self.absent = Field::ALL.into_iter().filter(|field| reader.is_absent(*field)).collect();
        self.declare_modules(&reader);
        if let Some(defaults) = reader.defaults() {
            self.judge_defaults(&defaults);
        }
        let mut row = RawRow::default();
        while reader.next(&mut row, &mut self.problems) {
            if self.judge_row(&row, &reader).is_err() {
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
        }
        self.twins.close();
        self.store.carried.columns = reader.carried_columns().to_vec();
        let rows = reader.count();
        let base = reader.base().to_owned();
        if rows == 0 && !self.problems.iter().any(|problem| problem.severity == Severity::Error) {
            self.problems.push(Problem::new(
                ProblemCode::NoRows,
                "the manifest has no rows",
                "check that this is the right file, and that the export that made it was complete",
            ));
        }
        self.judge_files(&base);
        self.judge_twins(&base);
        self.judge_ids();
        self.add_notes();
        let info = reader.finish(&mut self.problems);
        self.conclude(info, rows)
    }

    fn declare_modules(&mut self, reader: &Reader) {
        for name in &self.settings.custom_modules {
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
        self.module_of(defaults);
        self.record_of(defaults);
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
    fn judge_row(&mut self, row: &RawRow, reader: &Reader) -> Result<(), Full> {
        let module = self.module_of(row);
        let record = self.record_of(row);
        let source = self.source_of(row);
        let given = self.given_name_of(row, source.as_ref().map(|source| source.kind));
        let own_is_good = match (&source, given) {
            (Some(source), Some(None)) => self.judge_own_name(row, source),
            _ => true,
        };
        match (module, record, source, given) {
            (Some(module), Some(record), Some(source), Some(given)) if own_is_good && !row.broken => {
                self.add_complete(row, module, record, &source, given)
            }
            (_, record, source, given) => {
                self.records_of_incomplete.extend(record);
                if let Some(source) = &source {
                    self.look_later(row, source, given.flatten())?;
                }
                self.add_incomplete(row, reader);
                Ok(())
            }
        }
    }

    fn module_of(&mut self, row: &RawRow) -> Option<u16> {
        let text = self.trimmed(row, Field::Module)?;
        if text.is_empty() {
            self.missing(
                row,
                Field::Module,
                ProblemCode::ModuleMissing,
                "the module is missing",
                "fill in the module's API name, such as Leads",
            );
            return None;
        }
        match self.modules.find(text) {
            Ok(module) => Some(module),
            Err(finding) => {
                self.report(row, Field::Module, finding);
                None
            }
        }
    }

    fn record_of(&mut self, row: &RawRow) -> Option<RecordId> {
        let text = self.trimmed(row, Field::Record)?;
        if text.is_empty() {
            self.missing(
                row,
                Field::Record,
                ProblemCode::RecordMissing,
                "the record id is missing",
                "fill in the id of the record",
            );
            return None;
        }
        let Record { id, had_prefix } = match record::read(text) {
            Ok(record) => record,
            Err(finding) => {
                self.report(row, Field::Record, finding);
                return None;
            }
        };
        if had_prefix && !row.is_inherited(Field::Record) {
            self.prefixes.add(row.place(Field::Record), row.number);
        }
        self.ids.add(id, row.line);
        if record::looks_rounded(id) && !row.is_inherited(Field::Record) {
            self.ids.rounded.push((self.problems.len(), record::digits(id)));
            let message = format!("the record id {id} ends in zeros, as if a spreadsheet had rounded it");
            let hint = "compare it with the export; --allow-rounded-ids if it is right";
            self.report(row, Field::Record, Finding::new(ProblemCode::RecordRounded, message, hint));
        }
        Some(id)
    }

    /// The one source of a row, if its form is right.
    fn source_of<'r>(&mut self, row: &'r RawRow) -> Option<Source<'r>> {
        if row.is_refused(Field::File) || row.is_refused(Field::Url) {
            return None;
        }
        let file = row.get(Field::File);
        let url = self.trimmed(row, Field::Url)?;
        // A path may begin with a blank, but nothing is only blanks.
        match (file.trim().is_empty(), url.is_empty()) {
            (true, true) => {
                if !self.absent.contains(&Field::File) && !self.has_nothing(row) {
                    let finding = Finding::new(
                        ProblemCode::SourceMissing,
                        "neither a file nor a url is given",
                        "fill in file or url",
                    );
                    self.problems.push(located(finding.problem(), row.place(Field::File), row));
                }
                None
            }
            (false, false) => {
                let finding = Finding::new(
                    ProblemCode::SourceBoth,
                    "both a file and a url are given",
                    "make two rows of it, or empty one of the two",
                );
                self.report(row, Field::Url, finding);
                None
            }
            (false, true) => {
                self.judge_path(row, file).then_some(Source { kind: SourceKind::File, text: file, field: Field::File })
            }
            (true, false) => {
                let findings = link::judge(url);
                let good = findings.is_empty();
                for finding in findings {
                    self.report(row, Field::Url, finding);
                }
                good.then_some(Source { kind: SourceKind::Link, text: url, field: Field::Url })
            }
        }
    }

    /// Judges a path by its form; whether anything is there is looked at later.
    fn judge_path(&mut self, row: &RawRow, path: &str) -> bool {
        let mut good = true;
        if path.starts_with("\\\\") || (cfg!(windows) && path.starts_with("//")) {
            let message = "the path names a share on another machine";
            let hint = "map the share to a drive, or mount it, and name that with --root";
            self.report(row, Field::File, Finding::new(ProblemCode::FileNetwork, message, hint));
            good = false;
        } else if !cfg!(windows) && path.contains('\\') {
            let hint = format!("write {}", crate::problem::shown(&path.replace('\\', "/")));
            let finding = Finding::new(ProblemCode::FileBackslash, "the path has a backslash in it", hint);
            self.report(row, Field::File, finding);
            good = false;
        } else if matches!(file_name(path), "" | "." | "..") {
            let finding = Finding::new(
                ProblemCode::FileNotRegular,
                "the path names a folder, not a file",
                "name a file; a folder needs a row for each of its files",
            );
            self.report(row, Field::File, finding);
            good = false;
        }
        let own = path.rsplit(['/', '\\']).next().unwrap_or(path);
        if name::is_program(own) {
            self.report(row, Field::File, program(own));
            good = false;
        }
        if name::is_device(own) {
            let message = format!("\"{}\" is the name of a device on Windows", crate::problem::shown(own));
            let hint = "give another name in the column name";
            self.report(row, Field::File, Finding::new(ProblemCode::FileDevice, message, hint));
        }
        good
    }

    /// The name that the row gives: `None` if it is wrong, `Some(None)` if it gives none that is sent.
    fn given_name_of<'r>(&mut self, row: &'r RawRow, kind: Option<SourceKind>) -> Option<Option<&'r str>> {
        let given = self.trimmed(row, Field::Name)?;
        if given.is_empty() {
            return Some(None);
        }
        let mut findings = name::judge_given(given);
        if kind == Some(SourceKind::File) && name::is_program(given) {
            findings.push(program(given));
        }
        let titleless = kind == Some(SourceKind::Link) && !self.settings.version.has_link_titles();
        if titleless {
            findings.push(Finding::new(
                ProblemCode::LinkTitle,
                format!("links have no title in API version {}, so this name is not sent", self.settings.version),
                "choose a version from v5 on with --api-version, or leave the name empty",
            ));
        }
        let good = findings.iter().all(|finding| finding.code.severity() != Severity::Error);
        for finding in findings {
            self.report(row, Field::Name, finding);
        }
        good.then_some(if titleless { None } else { Some(given) })
    }

    /// Judges a file's own name as it would be sent.
    fn judge_own_name(&mut self, row: &RawRow, source: &Source<'_>) -> bool {
        if source.kind == SourceKind::Link {
            return true;
        }
        let own = file_name(source.text);
        // Long and marked names are never plain ASCII of moderate length, and nearly all names are.
        if own.is_ascii() && own.len() <= name::MAX_CHARS {
            return true;
        }
        let findings = name::judge_own(own);
        let good = findings.iter().all(|finding| finding.code.severity() != Severity::Error);
        for finding in findings {
            self.report(row, source.field, finding);
        }
        good
    }

    fn add_complete(
        &mut self,
        row: &RawRow,
        module: u16,
        record: RecordId,
        source: &Source<'_>,
        given: Option<&str>,
    ) -> Result<(), Full> {
        let ix = self.store.len();
        let source_ix = self.intern(source)?;
        let name = match given {
            None => TextId::NONE,
            Some(given) => self.store.texts.push(given)?,
        };
        self.store.records.push(record);
        self.store.rests.push(Rest { line: row.line, source: source_ix, name, module });
        let key = |store: &Store, ordinal| {
            let module = self.modules.used.get(usize::from(module)).map_or("", |name| name);
            RowKey::of(module, &record.to_string(), source.kind, source.text, store.name(ix), ordinal)
        };
        let alike = key(&self.store, 1);
        self.store.keys.push(alike);
        let ordinal = self.twins.add(&self.store, ix, alike);
        let key = if ordinal == 1 { alike } else { key(&self.store, ordinal) };
        if let Some(last) = self.store.keys.last_mut() {
            *last = key;
        }
        self.store.carried.push(ix, row.carried())?;
        let place = row.place(source.field);
        self.details.push(Detail {
            number: row.number,
            below: u16::try_from(place.line.saturating_sub(row.line)).unwrap_or(u16::MAX),
            column: place.column.and_then(|column| u16::try_from(column).ok()).unwrap_or(0),
            settled: (self.settled)(key),
        });
        Ok(())
    }

    fn intern(&mut self, source: &Source<'_>) -> Result<SourceIx, Full> {
        self.store.sources.intern(source.kind, source.text, &mut self.store.texts, || {
            let own = file_name(source.text);
            (source.text.len() - own.len(), name::replacement(own))
        })
    }

    /// Has the file of a row looked at that will not be sent, so that all its problems are found at once.
    fn look_later(&mut self, row: &RawRow, source: &Source<'_>, given: Option<&str>) -> Result<(), Full> {
        if source.kind == SourceKind::File && !row.is_inherited(source.field) {
            let name_bytes = given.unwrap_or_else(|| file_name(source.text)).len();
            let (number, place) = (row.number, row.place(source.field));
            let source = self.intern(source)?;
            self.files_of_incomplete.push(FileOfIncomplete { number, source, place, name_bytes });
        }
        Ok(())
    }

    fn add_incomplete(&mut self, row: &RawRow, reader: &Reader) {
        let cell = |field| row.get(field).to_owned();
        let mut carried: Vec<String> = row.carried().map(str::to_owned).collect();
        carried.resize(reader.carried_columns().len(), String::new());
        let (kind, source) = match (row.get(Field::File), row.get(Field::Url)) {
            ("", url) => (SourceKind::Link, url.to_owned()),
            (file, "") => (SourceKind::File, file.to_owned()),
            // No source of a sound row has a NUL, so no such row can have the same key.
            (file, url) => (SourceKind::File, format!("{file}\0{url}")),
        };
        let (module, record, name) = (row.get(Field::Module), row.get(Field::Record), row.get(Field::Name));
        // The prefix sets these keys apart from those of rows that say the same and are complete.
        let of = |ordinal| RowKey::of(module, &format!("?{record}"), kind, &source, name, ordinal);
        let seen = self.seen_incomplete.entry(of(1)).or_insert(0);
        *seen += 1;
        self.incomplete.push(LeftOut {
            line: row.line,
            row: row.number,
            module: cell(Field::Module),
            record: cell(Field::Record),
            file: cell(Field::File),
            url: without_passwords(row.get(Field::Url)).into_owned(),
            name: cell(Field::Name),
            carried,
            key: of(*seen),
            code: ProblemCode::Tolerated,
            message: String::new(),
        });
    }

    /// A cell without outer blanks; `None` if it has been reported for what it is.
    fn trimmed<'r>(&mut self, row: &'r RawRow, field: Field) -> Option<&'r str> {
        if row.is_refused(field) {
            return None;
        }
        let text = row.get(field);
        let inner = text.trim_matches([' ', '\t']);
        if inner.len() < text.len() && !inner.is_empty() && !row.is_inherited(field) {
            self.blanks.add(row.place(field), row.number);
        }
        Some(inner)
    }

    /// Reports a cell that is empty, unless the header was reported for it or the row cannot be taken apart.
    fn missing(&mut self, row: &RawRow, field: Field, code: ProblemCode, message: &str, hint: &str) {
        if row.number == 0 || self.absent.contains(&field) || self.has_nothing(row) {
            return;
        }
        let mut problem = located(Finding::new(code, message, hint).problem(), row.place(field), row);
        problem.field = Some(field.as_str().to_owned());
        self.problems.push(problem);
    }

    /// Whether the row could not be taken apart, so that its cells are not known.
    fn has_nothing(&self, row: &RawRow) -> bool {
        row.broken && Field::ALL.into_iter().all(|field| row.get(field).is_empty() && !row.is_refused(field))
    }

    /// Reports a cell. A value that comes from the defaults is reported there and only there.
    fn report(&mut self, row: &RawRow, field: Field, finding: Finding) {
        if row.is_inherited(field) {
            if finding.code.severity() == Severity::Error {
                self.wrong_by_default.insert(row.number);
            }
            return;
        }
        let problem = located(finding.problem(), row.place(field), row);
        self.problems.push(problem.about(field.as_str(), row.get(field)));
    }

    fn judge_files(&mut self, base: &Path) {
        let wanted = self.files_to_look_at();
        let troubles = look(&mut self.store, &wanted, base, self.settings.allow_outside);
        let mut nearby = Nearby::default();
        let mut hints: HashMap<SourceIx, String> = HashMap::new();
        for ix in 0..self.store.len() {
            let (Some(detail), Rest { line, source, .. }) = (self.details.get(ix).copied(), self.store.rests[ix])
            else {
                continue;
            };
            if detail.settled || self.store.source(ix).kind == SourceKind::Link {
                continue;
            }
            let name_bytes = self.store.name(ix).len();
            if let Some(finding) = self.judge_file(source, name_bytes, &troubles, base, &mut nearby, &mut hints) {
                let place = detail.place(line);
                let text = self.store.texts.get(self.store.sources.get(source).text);
                let problem = finding.problem().at(place).in_row(detail.number).about("file", text);
                self.problems.push(problem);
            }
        }
        for file in std::mem::take(&mut self.files_of_incomplete) {
            let found = self.judge_file(file.source, file.name_bytes, &troubles, base, &mut nearby, &mut hints);
            if let Some(finding) = found {
                let text = self.store.texts.get(self.store.sources.get(file.source).text);
                let problem = finding.problem().at(file.place).about("file", text);
                self.problems.push(if file.number == 0 { problem } else { problem.in_row(file.number) });
            }
        }
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

    fn judge_file(
        &self,
        source: SourceIx,
        name_bytes: usize,
        troubles: &HashMap<SourceIx, Trouble>,
        base: &Path,
        nearby: &mut Nearby,
        hints: &mut HashMap<SourceIx, String>,
    ) -> Option<Finding> {
        let known = self.store.sources.get(source);
        if let Some(facts) = known.facts {
            return self.judge_size(facts.size, name_bytes);
        }
        let text = self.store.texts.get(known.text);
        let trouble = troubles.get(&source)?;
        let mut hint = |otherwise: &str| match trouble {
            Trouble::Missing | Trouble::Outside(_) => {
                hints.entry(source).or_insert_with(|| missing_hint(text, trouble, base, nearby)).clone()
            }
            _ => otherwise.to_owned(),
        };
        Some(match trouble {
            Trouble::Missing => Finding::new(ProblemCode::FileMissing, "there is no such file", hint("")),
            Trouble::Dangling => Finding::new(
                ProblemCode::FileMissing,
                "this is a symbolic link that leads nowhere",
                "mend the link, or name the file itself",
            ),
            Trouble::Denied => {
                Finding::new(ProblemCode::FileDenied, "the file may not be read", "give yourself leave to read it")
            }
            Trouble::NotAFile(what) => Finding::new(
                ProblemCode::FileNotRegular,
                format!("this is {what}, not a file"),
                "name a file; a folder needs a row for each of its files",
            ),
            Trouble::Outside(path) => Finding::new(
                ProblemCode::FileOutside,
                format!("the file leads outside the folder {}, to {}", base.display(), path.display()),
                "name the folder that holds all files with --root DIR, or add --allow-outside if you trust the rows",
            ),
            Trouble::Unreadable(why) => Finding::new(
                ProblemCode::FileUnreadable,
                format!("the file cannot be looked at: {why}"),
                "look at the path and at what it leads to",
            ),
        })
    }

    fn judge_size(&self, size: u64, name_bytes: usize) -> Option<Finding> {
        let body = size.saturating_add(overhead(name_bytes));
        if size == 0 && !self.settings.allow_empty {
            return Some(Finding::new(
                ProblemCode::FileEmpty,
                "the file is empty",
                "replace it, leave the row out, or add --allow-empty",
            ));
        }
        if body > self.settings.max_size {
            return Some(Finding::new(
                ProblemCode::FileTooLarge,
                format!("a request of {body} bytes is needed for it; {} are allowed", self.settings.max_size),
                "make the file smaller, or attach a link to it",
            ));
        }
        (body >= LARGE_BODY).then(|| {
            Finding::new(
                ProblemCode::FileLarge,
                format!("a request of {body} bytes is needed for it, close to the limit of the service"),
                "be ready for a refusal, or make the file smaller",
            )
        })
    }

    fn judge_twins(&mut self, base: &Path) {
        for (ix, finding) in self.twins.judge(&self.store, base, self.settings.allow_identical) {
            let (Some(detail), rest) = (self.details.get(ix), self.store.rests[ix]) else { continue };
            let problem = finding.problem().at(detail.place(rest.line)).in_row(detail.number);
            let field = self.store.source(ix).kind.column();
            self.problems.push(problem.about(field, self.store.source_text(ix)));
        }
    }

    fn judge_ids(&mut self) {
        if !self.settings.allow_rounded_ids && !self.ids.rounded.is_empty() {
            let all = self.store.records.iter().copied().chain(self.records_of_incomplete.drain(..)).collect();
            let lengths = self.ids.rounded_lengths(all);
            for (problem, digits) in &self.ids.rounded {
                if lengths.contains(digits)
                    && let Some(problem) = self.problems.get_mut(*problem)
                {
                    problem.severity = Severity::Error;
                }
            }
        }
        self.problems.extend(self.ids.mixed().map(Finding::problem));
    }

    fn add_notes(&mut self) {
        let times =
            |count: u32, one: &str, many: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {many}") };
        let blanks = times(self.blanks.count, "value had blanks around it", "values had blanks around them");
        let prefixes = times(self.prefixes.count, "record id had", "record ids had");
        for (tally, code, message) in [
            (&self.blanks, ProblemCode::OuterBlanks, format!("{blanks}, which were taken off")),
            (&self.prefixes, ProblemCode::ZcrmPrefix, format!("{prefixes} the prefix zcrm_, which was taken off")),
        ] {
            if let Some((place, row)) = tally.first {
                let problem = Problem::new(code, message, "").at(place);
                self.problems.push(if row == 0 { problem } else { problem.in_row(row) });
            }
        }
    }

    /// Weighs everything, and lets through what may be sent.
    fn conclude(mut self, manifest: crate::manifest::ManifestInfo, rows: u32) -> Checkup {
        if self.settings.strict {
            for problem in &mut self.problems {
                let about_rows = problem.row.is_some() || problem.code == ProblemCode::MixedOrganisations;
                if problem.severity == Severity::Warning && about_rows {
                    problem.severity = Severity::Error;
                }
            }
        }
        self.problems.sort_by_key(|problem| (problem.line, problem.column, problem.row));
        let mut first_error: HashMap<u32, usize> = HashMap::new();
        let mut fatal = false;
        for (ix, problem) in self.problems.iter().enumerate().filter(|(_, p)| p.severity == Severity::Error) {
            match problem.row {
                Some(row) => {
                    first_error.entry(row).or_insert(ix);
                    fatal |= problem.code.extent() == Extent::Whole;
                }
                None => fatal = true,
            }
        }
        let wrong: HashSet<u32> = first_error.keys().chain(&self.wrong_by_default).copied().collect();
        let sound = rows.saturating_sub(u32::try_from(wrong.len()).unwrap_or(u32::MAX));
        let keep: Vec<bool> = self.details.iter().map(|detail| !wrong.contains(&detail.number)).collect();
        let unsound = self.unsound(&keep, &first_error);
        let carried_columns = self.store.carried.columns.clone();
        let may_send = !fatal && sound > 0 && (wrong.is_empty() || self.settings.skip_invalid);
        let checked = may_send.then(|| {
            let kept = |row: usize| keep.get(row).copied().unwrap_or(false);
            let twins = self.twins.kept(keep.len(), kept);
            self.store.modules = std::mem::take(&mut self.modules.used);
            self.store.keep(kept);
            Checked::new(self.store, manifest.base.clone(), twins, Arc::clone(&unsound))
        });
        Checkup { manifest, problems: self.problems, rows, sound, carried_columns, unsound, checked }
    }

    /// All rows that are not sound, with their first error.
    fn unsound(&mut self, keep: &[bool], first_error: &HashMap<u32, usize>) -> Arc<[LeftOut]> {
        let mut unsound = std::mem::take(&mut self.incomplete);
        for (ix, detail) in self.details.iter().enumerate() {
            if !keep.get(ix).copied().unwrap_or(true) {
                unsound.push(self.left_out(ix, detail.number));
            }
        }
        unsound.sort_by_key(|left_out| left_out.row);
        let columns = self.store.carried.columns.len();
        for left_out in &mut unsound {
            left_out.carried.resize(columns, String::new());
            // A row without an error of its own is wrong by a default, which is an error of the whole file.
            let error = match first_error.get(&left_out.row) {
                Some(ix) => self.problems.get(*ix),
                None => {
                    self.problems.iter().find(|problem| problem.severity == Severity::Error && problem.row.is_none())
                }
            };
            if let Some(error) = error {
                left_out.code = error.code;
                left_out.message.clone_from(&error.message);
            }
        }
        unsound.into()
    }

    fn left_out(&self, ix: usize, number: u32) -> LeftOut {
        let store = &self.store;
        let source = store.source_text(ix).to_owned();
        let (file, url) = match store.source(ix).kind {
            SourceKind::File => (source, String::new()),
            SourceKind::Link => (String::new(), source),
        };
        let given = store.rests[ix].name;
        LeftOut {
            line: store.rests[ix].line,
            row: number,
            module: self.modules.used.get(usize::from(store.rests[ix].module)).map_or("", |name| name).to_owned(),
            record: store.records[ix].to_string(),
            file,
            url,
            name: if given == TextId::NONE { String::new() } else { store.texts.get(given).to_owned() },
            carried: store.carried.row(ix).map(str::to_owned).collect(),
            key: store.keys[ix],
            code: ProblemCode::Tolerated,
            message: String::new(),
        }
    }
}

impl Detail {
    fn place(self, line: u32) -> Place {
        let column = (self.column > 0 && self.below < u16::MAX).then_some(u32::from(self.column));
        Place { line: line.saturating_add(if column.is_some() { u32::from(self.below) } else { 0 }), column }
    }
}

/// At this place, in this row, if it is one.
fn located(problem: Problem, place: Place, row: &RawRow) -> Problem {
    let problem = problem.at(place);
    if row.number == 0 { problem } else { problem.in_row(row.number) }
}

fn program(name: &str) -> Finding {
    Finding::new(
        ProblemCode::FileExe,
        format!("\"{}\" is the name of a Windows program, which the service refuses", crate::problem::shown(name)),
        "pack it into a zip file, or attach a link to it",
    )
}

/// What may help with a file that is not there.
fn missing_hint(text: &str, trouble: &Trouble, base: &Path, nearby: &mut Nearby) -> String {
    if *trouble == Trouble::Missing
        && let Some(right) = nearby.find(base, text)
    {
        return format!("there is {right}: upper and lower case, accents and blanks must be as they are there");
    }
    let scheme = |prefix: &str| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if scheme("http://") || scheme("https://") {
        return "an address belongs into the column url".to_owned();
    }
    if text.starts_with('~') {
        return "~ does not stand for your home folder here; write the path out".to_owned();
    }
    let drive = matches!(text.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    if drive && !cfg!(windows) {
        return "drive letters mean nothing on this system; write the path from the folder of the manifest".to_owned();
    }
    if text.trim_matches([' ', '\t']) != text {
        return "the path begins or ends with a blank, which is not taken off".to_owned();
    }
    format!("paths are relative to {}; --root names another folder", base.display())
}
