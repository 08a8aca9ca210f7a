//! The end of a check: weighs what was found, and lets through what may be sent.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Checkup;
use super::checked::{Checked, LeftOut};
use super::checker::Checker;
use super::store::TextId;
use crate::checksum::ChecksumKind;
use crate::manifest::ManifestInfo;
use crate::problem::{Extent, ProblemCode, Severity};
use crate::upload::SourceKind;

impl Checker<'_> {
    /// Weighs everything, and lets through what may be sent.
    pub(super) fn conclude(mut self, manifest: ManifestInfo, rows: u32) -> Checkup {
        if self.options.strict {
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
        let crosswalk = self.keys.info();
        let may_send = !fatal && sound > 0 && (wrong.is_empty() || self.options.skip_invalid);
        let checked = may_send.then(|| {
            let kept = |row: usize| keep.get(row).copied().unwrap_or(false);
            let ambiguous = self.ambiguous.kept(keep.len(), kept);
            self.store.modules = std::mem::take(&mut self.modules.used);
            self.store.keep(kept);
            Checked::new(self.store, manifest.base.clone(), ambiguous, Arc::clone(&unsound))
        });
        Checkup { manifest, problems: self.problems, rows, sound, carried_columns, unsound, crosswalk, checked }
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
            // As the cells were: a row has one of the two.
            record: if store.record_key(ix).is_empty() { store.records[ix].to_string() } else { String::new() },
            record_key: store.record_key(ix).to_owned(),
            file,
            url,
            name: if given == TextId::NONE { String::new() } else { store.texts.get(given).to_owned() },
            sha256: store.checksums_of(ix).hex(ChecksumKind::Sha256),
            md5: store.checksums_of(ix).hex(ChecksumKind::Md5),
            carried: store.carried.row(ix).map(str::to_owned).collect(),
            key: store.key(&self.modules.used, ix, 1),
            code: ProblemCode::Tolerated,
            message: String::new(),
        }
    }
}
