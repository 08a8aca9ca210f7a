//! What each cell of a row may hold, judged by its form alone: no file is looked at and no other row.

use super::checked::file_name;
use super::checker::Checker;
use super::record::ReadRecord;
use super::store::SourceIx;
use super::{CheckFinding, link, name, record};
use crate::archive;
use crate::checksum::{ChecksumKind, Checksums};
use crate::manifest::{Field, RawRow, is_spreadsheet_error};
use crate::path_text::PathHazard;
use crate::problem::remedies;
use crate::problem::{Place, Problem, ProblemCode, Severity};
use crate::upload::{RecordId, SourceKind};

/// The source of a row, well-formed.
pub(super) struct RowSource<'r> {
    pub(super) kind: SourceKind,
    pub(super) text: &'r str,
    pub(super) field: Field,
    /// A source of earlier rows, about whose form there is nothing to say.
    pub(super) known: Option<SourceIx>,
    /// Whether there is nothing to say about its form.
    pub(super) clean: bool,
}

impl Checker<'_> {
    /// The number of the module.
    pub(super) fn module_of(&mut self, row: &RawRow) -> Option<u16> {
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
        if self.is_lost(row, Field::Module, text) {
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

    /// The record that the row names, by its id or by a key.
    pub(super) fn record_of(&mut self, row: &RawRow, module: Option<u16>) -> Option<RecordId> {
        if row.is_refused(Field::Record) || row.is_refused(Field::Key) {
            return None;
        }
        let (text, key) = (self.trimmed(row, Field::Record)?, self.trimmed(row, Field::Key)?);
        if self.is_lost(row, Field::Record, text) || self.is_lost(row, Field::Key, key) {
            return None;
        }
        match (text.is_empty(), key.is_empty()) {
            (false, true) => self.record_by_id(row, text),
            (true, false) => {
                let record = self.record_by_key(row, module, key)?;
                self.note_record(row, Field::Key, record);
                Some(record)
            }
            (true, true) => {
                self.missing(
                    row,
                    Field::Record,
                    ProblemCode::RecordMissing,
                    "the record id is missing",
                    "fill in the id of the record, or its key of the old system in the column key",
                );
                None
            }
            (false, false) => {
                let message = "both a record id and a key are given";
                self.report(
                    row,
                    Field::Key,
                    CheckFinding::new(ProblemCode::RecordKeyBoth, message, "empty one of the two"),
                );
                None
            }
        }
    }

    fn record_by_id(&mut self, row: &RawRow, text: &str) -> Option<RecordId> {
        let ReadRecord { id, had_prefix } = match record::read(text) {
            Ok(record) => record,
            Err(finding) => {
                self.report(row, Field::Record, finding);
                return None;
            }
        };
        if had_prefix && !row.is_inherited(Field::Record) {
            self.prefixes.add(row.place(Field::Record), row.number);
        }
        self.note_record(row, Field::Record, id);
        Some(id)
    }

    /// Counts the id with all others, and notes it if a spreadsheet may have rounded it.
    fn note_record(&mut self, row: &RawRow, field: Field, id: RecordId) {
        self.ids.add(id, row.line);
        if record::looks_rounded(id) && !row.is_inherited(field) {
            self.ids.add_rounded(id, row.place(field), row.number, field.as_str());
        }
    }

    /// The one source of a row, if its form is right.
    pub(super) fn source_of<'r>(&mut self, row: &'r RawRow) -> Option<RowSource<'r>> {
        if row.is_refused(Field::File) || row.is_refused(Field::Url) {
            return None;
        }
        let file = row.get(Field::File);
        let url = self.trimmed(row, Field::Url)?;
        if self.is_lost(row, Field::File, file) || self.is_lost(row, Field::Url, url) {
            return None;
        }
        // A path may begin with a blank, but nothing is only blanks.
        match (file.trim().is_empty(), url.is_empty()) {
            (true, true) => {
                if !self.absent.contains(&Field::File) && !self.has_nothing(row) {
                    let finding = CheckFinding::new(
                        ProblemCode::SourceMissing,
                        "neither a file nor a url is given",
                        "fill in file or url",
                    );
                    self.problems.push(located(finding.problem(), row.place(Field::File), row));
                }
                None
            }
            (false, false) => {
                let finding = CheckFinding::new(
                    ProblemCode::SourceBoth,
                    "both a file and a url are given",
                    "make two rows of it, or empty one of the two",
                );
                self.report(row, Field::Url, finding);
                None
            }
            (false, true) => self.judge_source(row, SourceKind::File, file, Field::File),
            (true, false) => self.judge_source(row, SourceKind::Link, url, Field::Url),
        }
    }

    /// Judges the form of a source, unless earlier rows with the same one have shown that there is nothing to say.
    fn judge_source<'r>(
        &mut self,
        row: &RawRow,
        kind: SourceKind,
        text: &'r str,
        field: Field,
    ) -> Option<RowSource<'r>> {
        let sources = &mut self.store.sources;
        let known = sources.find(kind, text, &self.store.texts).filter(|known| sources.get(*known).clean);
        if known.is_some() {
            return Some(RowSource { kind, text, field, known, clean: true });
        }
        let before = self.problems.total();
        let good = match kind {
            SourceKind::File => self.judge_path(row, text),
            SourceKind::Link => self.judge_link(row, text),
        };
        let clean = self.problems.total() == before && !row.is_inherited(field);
        good.then_some(RowSource { kind, text, field, known, clean })
    }

    fn judge_link(&mut self, row: &RawRow, address: &str) -> bool {
        let findings = link::judge(address);
        let good = findings.is_empty();
        for finding in findings {
            self.report(row, Field::Url, finding);
        }
        good
    }

    /// Judges a path by its form; whether anything is there is looked at later.
    fn judge_path(&mut self, row: &RawRow, path: &str) -> bool {
        let mut good = true;
        if let Some(hazard) = PathHazard::of(path) {
            let (code, hint) = match hazard {
                PathHazard::AnotherMachine => (ProblemCode::FileNetwork, remedies::MAP_SHARE),
                PathHazard::DriveRelative => (
                    ProblemCode::FileDrive,
                    "write the path from the folder of the manifest, or whole: C:\\folder\\file",
                ),
            };
            self.report(row, Field::File, CheckFinding::new(code, format!("the path {hazard}"), hint));
            good = false;
        } else if !cfg!(windows) && outside_archives(path).contains('\\') {
            // Windows puts quotes around what "Copy as path" copies.
            let bare = path.trim_matches(['"', '\'', '\u{201C}', '\u{201D}']);
            let written = crate::text::masked_excerpt(&bare.replace('\\', "/"));
            let hint = match bare.len() == path.len() {
                true => format!("write {written}"),
                false => format!("the quotes around it are part of the value: take them off, and write {written}"),
            };
            let finding = CheckFinding::new(ProblemCode::FileBackslash, "the path has a backslash in it", hint);
            self.report(row, Field::File, finding);
            good = false;
        } else if matches!(file_name(path), "" | "." | "..") {
            let finding = CheckFinding::new(
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
            let message = format!("\"{}\" is the name of a device on Windows", crate::text::masked_excerpt(own));
            let hint = "give another name in the column name";
            self.report(row, Field::File, CheckFinding::new(ProblemCode::FileDevice, message, hint));
        }
        good
    }

    /// The name that the row gives: `None` if it is wrong, `Some(None)` if it gives none that is sent.
    pub(super) fn given_name_of<'r>(&mut self, row: &'r RawRow, kind: Option<SourceKind>) -> Option<Option<&'r str>> {
        let given = self.trimmed(row, Field::Name)?;
        if given.is_empty() {
            return Some(None);
        }
        if self.is_lost(row, Field::Name, given) {
            return None;
        }
        let mut findings = name::judge_given(given);
        if kind == Some(SourceKind::File) && name::is_program(given) {
            findings.push(program(given));
        }
        if kind == Some(SourceKind::File) && findings.is_empty() {
            findings.extend(name::judge_beside(given, file_name(row.get(Field::File))));
        }
        let titleless = kind == Some(SourceKind::Link) && !self.options.version.has_link_titles();
        if titleless {
            findings.push(CheckFinding::new(
                ProblemCode::LinkTitle,
                format!("links have no title in API version {}, so this name is not sent", self.options.version),
                remedies::LINK_TITLES,
            ));
        }
        let good = findings.iter().all(|finding| finding.code.severity() != Severity::Error);
        for finding in findings {
            self.report(row, Field::Name, finding);
        }
        good.then_some(if titleless { None } else { Some(given) })
    }

    /// The checksums that the row gives; `None` if one is wrong.
    pub(super) fn checksums_of(&mut self, row: &RawRow, kind: Option<SourceKind>) -> Option<Checksums> {
        let mut checksums = Checksums::default();
        let mut good = true;
        for (field, checksum) in [(Field::Sha256, ChecksumKind::Sha256), (Field::Md5, ChecksumKind::Md5)] {
            let given = self.trimmed(row, field)?;
            if given.is_empty() {
                continue;
            }
            let finding = if kind == Some(SourceKind::Link) {
                let message = format!("a link has no bytes that could have the {checksum} given here");
                CheckFinding::new(ProblemCode::ChecksumForm, message, "empty the cell")
            } else if !checksums.set(checksum, given) {
                let message = format!("this is no {checksum}, which has {} hexadecimal digits", checksum.digits());
                CheckFinding::new(ProblemCode::ChecksumForm, message, "correct it, or empty the cell")
            } else {
                continue;
            };
            self.report(row, field, finding);
            good = false;
        }
        good.then_some(checksums)
    }

    /// Judges a file's own name as it would be sent.
    pub(super) fn judge_own_name(&mut self, row: &RawRow, source: &RowSource<'_>) -> bool {
        if source.kind == SourceKind::Link {
            return true;
        }
        let own = file_name(source.text);
        // Long and marked names are never plain ASCII of moderate length, and nearly all names are.
        if own.is_ascii() && own.len() <= crate::crm::limits::MAX_NAME_CHARS {
            return true;
        }
        let findings = name::judge_own(own);
        let good = findings.iter().all(|finding| finding.code.severity() != Severity::Error);
        for finding in findings {
            self.report(row, source.field, finding);
        }
        good
    }

    /// Whether a failed formula of a spreadsheet left its error in place of a value, which is reported for that and nothing
    /// else.
    fn is_lost(&mut self, row: &RawRow, field: Field, text: &str) -> bool {
        let lost = is_spreadsheet_error(text);
        if lost {
            let message = format!(
                "\"{}\" is the error of a spreadsheet: the formula of this cell came to nothing",
                crate::text::masked_excerpt(text.trim())
            );
            let hint = "mend the formula in the table, and make the manifest from it again";
            self.report(row, field, CheckFinding::new(ProblemCode::SpreadsheetError, message, hint));
        }
        lost
    }

    /// A cell without outer blanks; `None` if it has been reported for what it is.
    fn trimmed<'r>(&mut self, row: &'r RawRow, field: Field) -> Option<&'r str> {
        if row.is_refused(field) {
            return None;
        }
        let text = row.get(field);
        let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
        if !is_blank(text.as_bytes().first()) && !is_blank(text.as_bytes().last()) {
            return Some(text);
        }
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
        let mut problem = located(CheckFinding::new(code, message, hint).problem(), row.place(field), row);
        problem.field = Some(field.as_str().to_owned());
        self.problems.push(problem);
    }

    /// Whether the row could not be taken apart, so that its cells are not known.
    fn has_nothing(&self, row: &RawRow) -> bool {
        row.broken && Field::ALL.into_iter().all(|field| row.get(field).is_empty() && !row.is_refused(field))
    }

    /// Reports a cell, and says where the problem went. A value that comes from the defaults is reported there and only
    /// there.
    pub(super) fn report(&mut self, row: &RawRow, field: Field, finding: CheckFinding) {
        if row.is_inherited(field) {
            if finding.code.severity() == Severity::Error {
                self.wrong_by_default.insert(row.number);
            }
            return;
        }
        let problem = located(finding.problem(), row.place(field), row);
        self.problems.push(problem.about(field.as_str(), row.get(field)));
    }
}

/// The part of a path that the system sees: names inside an archive are its own affair.
fn outside_archives(path: &str) -> &str {
    path.split_once(archive::SEPARATOR).map_or(path, |(outside, _)| outside)
}

/// At this place, in this row, if it is one.
fn located(problem: Problem, place: Place, row: &RawRow) -> Problem {
    let problem = problem.at(place);
    if row.number == 0 { problem } else { problem.in_row(row.number) }
}

fn program(name: &str) -> CheckFinding {
    CheckFinding::new(
        ProblemCode::FileExe,
        format!(
            "\"{}\" is the name of a Windows program, which the service refuses",
            crate::text::masked_excerpt(name)
        ),
        "pack it into a zip file, or attach a link to it",
    )
}
