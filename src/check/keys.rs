//! Rows that name their record by a key of the old system: reads the crosswalks, looks each key up, says what came of it.

use std::path::{Path, PathBuf};

use super::checker::{Checker, FirstAndCount};
use super::module::KnownModules;
use super::record::{self, ReadRecord};
use super::{CheckFinding, CrosswalkInfo};
use crate::crosswalk::{
    Crosswalk, CrosswalkFlaw, CrosswalkRead, CrosswalkRules, KeyFlaw, KeyMatch, Misses, judge_key, read_crosswalk,
};
use crate::manifest::{Field, ManifestReader, RawRow};
use crate::path_text::PathHazard;
use crate::problem::remedies;
use crate::problem::{Problem, ProblemCode};
use crate::text::{masked_excerpt, system_words};
use crate::upload::RecordId;
use crate::zoho::ApiVersion;

/// What a check knows of keys.
#[derive(Default)]
pub(super) struct Keys {
    /// What the crosswalks say; `None` where no crosswalk was named.
    read: Option<CrosswalkRead>,
    /// Whether something is wrong with one of them, so that no row is joined by any.
    is_damaged: bool,
    /// By the number of a module of the manifest: its number in the crosswalk, once it has been looked for.
    modules: Vec<Option<Option<u16>>>,
    /// Keys that were found in another spelling.
    spelled: FirstAndCount,
    /// Rows that name their record by a key.
    rows: u32,
    /// Bounds the search for keys that are nearly the same.
    misses: Misses,
}

impl Keys {
    /// What is known of the crosswalks, for the plan.
    pub(super) fn info(&self) -> Option<CrosswalkInfo> {
        let read = self.read.as_ref()?;
        Some(CrosswalkInfo {
            files: read.files.clone(),
            keys: read.crosswalk.len(),
            rows: self.rows,
            organisation: read.organisation.as_ref().map(|(organisation, ..)| organisation.clone()),
        })
    }

    fn find(&mut self, module: u16, name: &str, key: &str) -> KeyMatch {
        let Some(read) = &self.read else { return KeyMatch::Unknown };
        let at = usize::from(module);
        if self.modules.len() <= at {
            self.modules.resize(at + 1, None);
        }
        let known = self.modules.get_mut(at).map(|known| *known.get_or_insert_with(|| read.crosswalk.module(name)));
        match known.flatten() {
            Some(module) => read.crosswalk.find(module, key),
            None => KeyMatch::Unknown,
        }
    }
}

/// The modules and ids that a crosswalk may have, for whoever makes one.
pub(crate) struct CrosswalkNames(KnownModules);

impl CrosswalkNames {
    /// The names of this version of the API, and these custom modules.
    ///
    /// # Errors
    ///
    /// One of these cannot be declared, and why.
    pub(crate) fn new(version: ApiVersion, custom_modules: &[String]) -> Result<CrosswalkNames, String> {
        let mut modules = KnownModules::new(version);
        for name in custom_modules {
            modules.declare(name).map_err(|finding| format!("{}; {}", finding.message, finding.hint))?;
        }
        Ok(CrosswalkNames(modules))
    }
}

impl CrosswalkRules for CrosswalkNames {
    fn module(&self, name: &str) -> Result<(), (String, String)> {
        CrosswalkRules::module(&self.0, name)
    }

    fn record(&self, text: &str) -> Result<(RecordId, bool), (String, String)> {
        self.0.record(text)
    }
}

/// The rules for modules and ids are those for the rows of a manifest.
impl CrosswalkRules for KnownModules {
    fn module(&self, name: &str) -> Result<(), (String, String)> {
        match self.judge(name) {
            // A crosswalk may have more modules than this run can use.
            Err(finding) if finding.code != ProblemCode::ModuleVersion => Err((finding.message, finding.hint)),
            _ => Ok(()),
        }
    }

    fn record(&self, text: &str) -> Result<(RecordId, bool), (String, String)> {
        match record::read(text) {
            Ok(ReadRecord { id, had_prefix }) => Ok((id, had_prefix)),
            Err(finding) => Err((finding.message, finding.hint)),
        }
    }
}

impl Checker<'_> {
    /// Reads the crosswalks that the user and the manifest name. Comes before the first row.
    pub(super) fn read_crosswalks(&mut self, reader: &ManifestReader) {
        let mut files = self.options.crosswalks.clone();
        for (named, place) in reader.crosswalks() {
            match inside(&reader.own_folder(), named, self.options.allow_outside) {
                Ok(file) => files.push(file),
                Err(why) => {
                    let hint = remedies::NAME_CROSSWALK;
                    let problem =
                        Problem::new(ProblemCode::CrosswalkDamaged, format!("crosswalk cannot be used: {why}"), hint);
                    self.problems.push(problem.at(*place).about("crosswalk", named));
                    self.keys.is_damaged = true;
                }
            }
        }
        if files.is_empty() {
            return;
        }
        let mut read = CrosswalkRead::default();
        for file in &files {
            read_crosswalk(file, &self.modules, &mut read);
        }
        self.problems.extend(read.flaws.iter().map(flaw_problem));
        let more = read.flaw_count as usize - read.flaws.len();
        if more > 0 {
            let message = format!("the crosswalks have {more} more damaged lines");
            self.problems.push(Problem::new(ProblemCode::CrosswalkDamaged, message, "make them anew"));
        }
        self.problems.extend(tolerated(&read));
        self.keys.is_damaged |= read.flaw_count > 0;
        self.keys.read = Some(read);
    }

    /// The record that the key of a row stands for.
    pub(super) fn record_by_key(&mut self, row: &RawRow, module: Option<u16>, key: &str) -> Option<RecordId> {
        self.keys.rows += u32::from(row.number > 0);
        if let Err(flaw) = judge_key(key) {
            self.report(row, Field::Key, key_finding(flaw));
            return None;
        }
        // A row whose module is not known has been reported for that.
        let module = module?;
        if self.keys.read.is_none() || self.keys.is_damaged {
            // Reported once, for the whole manifest; the row is wrong by that.
            self.wrong_by_default.insert(row.number);
            return None;
        }
        let name = self.modules.used.get(usize::from(module)).cloned().unwrap_or_default();
        let finding = match self.keys.find(module, &name, key) {
            KeyMatch::Exact(record) => return Some(record),
            KeyMatch::Spelled(record) => {
                if !row.is_inherited(Field::Key) {
                    self.keys.spelled.add(row.place(Field::Key), row.number);
                }
                return Some(record);
            }
            KeyMatch::Unknown => self.unknown(&name, key),
            KeyMatch::Ambiguous(records, has_more) => ambiguous(key, &records, has_more),
        };
        self.report(row, Field::Key, finding);
        None
    }

    fn unknown(&mut self, module: &str, key: &str) -> CheckFinding {
        let message = format!("no record of {module} has the key {}", masked_excerpt(key));
        let crosswalk = self.keys.read.as_ref().map(|read| &read.crosswalk);
        let hint = crosswalk.and_then(|crosswalk| near(crosswalk, module, key, &mut self.keys.misses));
        let hint = hint.unwrap_or_else(|| {
            "compare it with the old system; if the record is in the CRM by now, make the crosswalk anew".to_owned()
        });
        CheckFinding::new(ProblemCode::RecordKeyUnknown, message, hint)
    }

    /// Says what can only be said of all keys together.
    pub(super) fn conclude_keys(&mut self) {
        let rows = self.keys.rows;
        if rows > 0 && self.keys.read.is_none() && !self.keys.is_damaged {
            let counted =
                if rows == 1 { "1 row names its record".to_owned() } else { format!("{rows} rows name their record") };
            self.problems.push(Problem::new(
                ProblemCode::CrosswalkMissing,
                format!("{counted} by a key, and no crosswalk says what the keys stand for"),
                remedies::MAKE_CROSSWALK,
            ));
        }
        if let Some((place, row, count)) = self.keys.spelled.first() {
            let counted = if count == 1 { "1 key was".to_owned() } else { format!("{count} keys were") };
            let message = format!("{counted} found in another spelling that means the same");
            let problem = Problem::new(ProblemCode::RecordKeySpelling, message, "").at(place);
            self.problems.push(if row == 0 { problem } else { problem.in_row(row) });
        }
    }
}

/// What may have been meant by a key that is not there.
fn near(crosswalk: &Crosswalk, module: &str, key: &str, misses: &mut Misses) -> Option<String> {
    let Some(number) = crosswalk.module(module) else {
        let others: Vec<&str> = crosswalk.modules().take(5).collect();
        return Some(match others[..] {
            [] => "the crosswalk is empty: make it anew".to_owned(),
            _ => format!("the crosswalk has no keys of {module}, only of {}", others.join(", ")),
        });
    };
    if let Some(ambiguity_group) = crosswalk.numeric_twin(number, key) {
        return Some(format!(
            "the crosswalk has {}, the same number: did a spreadsheet take the zeros away? Take the keys from the export again, as text",
            masked_excerpt(ambiguity_group)
        ));
    }
    let near = misses.nearest(crosswalk, number, key);
    (!near.is_empty())
        .then(|| format!("did you mean {}?", near.into_iter().map(masked_excerpt).collect::<Vec<_>>().join(" or ")))
}

fn ambiguous(key: &str, records: &[RecordId], has_more: bool) -> CheckFinding {
    let listed: Vec<String> = records.iter().map(RecordId::to_string).collect();
    let more = if has_more { " and more" } else { "" };
    CheckFinding::new(
        ProblemCode::RecordKeyAmbiguous,
        format!("the key {} stands for several records: {}{more}", masked_excerpt(key), listed.join(", ")),
        "name the right one by its id in the column record, or merge them and make the crosswalk anew",
    )
}

fn key_finding(flaw: KeyFlaw) -> CheckFinding {
    match flaw {
        KeyFlaw::Damaged { message } => {
            let hint = "take the keys from the export again, as text: in a spreadsheet the column must not be a number";
            CheckFinding::new(ProblemCode::RecordKeyDamaged, message, hint)
        }
        KeyFlaw::NotText { message } => {
            CheckFinding::new(ProblemCode::RecordKeyText, message, "compare it with the old system")
        }
    }
}

/// A flaw of a crosswalk as a problem of the manifest, which cannot be sent because of it. Its place is in another file,
/// so it stands in the words.
fn flaw_problem(flaw: &CrosswalkFlaw) -> Problem {
    let line = flaw.line.map(|line| format!(" line {line}")).unwrap_or_default();
    let message = format!("{}{line}: {}", flaw.file.display(), flaw.message);
    let problem = Problem::new(ProblemCode::CrosswalkDamaged, message, flaw.hint.clone());
    if flaw.value.is_empty() { problem } else { problem.about("crosswalk", &flaw.value) }
}

/// One note for everything that was read with tolerance.
fn tolerated(read: &CrosswalkRead) -> Option<Problem> {
    let counted = |count: u32, one: &str, many: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{count} {many}")),
    };
    let columns = &read.ignored_columns;
    let ignored = (!columns.is_empty()).then(|| {
        let shown: Vec<String> = columns.iter().take(5).map(|name| masked_excerpt(name)).collect();
        let more = if columns.len() > 5 { " and others" } else { "" };
        format!("columns that are not used: {}{more}", shown.join(", "))
    });
    let found: Vec<String> = [
        counted(read.without_key, "line without a key", "lines without a key"),
        counted(read.tidied, "value with blanks or zcrm_ around it", "values with blanks or zcrm_ around them"),
        ignored,
    ]
    .into_iter()
    .flatten()
    .collect();
    let message = format!("crosswalk read with tolerance: {}", found.join("; "));
    (!found.is_empty()).then(|| Problem::new(ProblemCode::CrosswalkTolerated, message, ""))
}

/// The crosswalk that a manifest names. A manifest may come from anyone, so it lies in its folder unless the user lets
/// paths leave that.
fn inside(folder: &Path, named: &str, allow_outside: bool) -> Result<PathBuf, String> {
    if let Some(hazard) = PathHazard::of(named) {
        return Err(format!("it {hazard}"));
    }
    let path = folder.join(named);
    let resolved = path.canonicalize().map_err(|error| system_words(&error))?;
    let base = folder.canonicalize().map_err(|error| system_words(&error))?;
    if resolved.starts_with(base) || allow_outside {
        Ok(path)
    } else {
        Err("it lies outside the folder of the manifest".to_owned())
    }
}
