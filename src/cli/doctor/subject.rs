//! The manifest that the doctor is asked about: read and judged by its form, with its records by module.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::anyhow;

use crate::check::{self, Checkup};
use crate::cli::args::{DoctorArgs, PaceArgs};
use crate::cli::config::{self, UserFile};
use crate::cli::failure::{Failure, OrExit as _};
use crate::console::mend::{MendForm, MendTable};
use crate::doctor::findings::DoctorManifest;
use crate::doctor::rows;
use crate::exit::Exit;
use crate::manifest;
use crate::text::system_words;
use crate::upload::RecordId;

/// A manifest under examination.
pub(super) struct Subject {
    /// As the user called it.
    pub(super) name: String,
    /// What its check found; later with the rows whose record does not exist.
    pub(super) checkup: Checkup,
    /// Rows that are sound by their form, before any record was asked for.
    sound: u32,
    /// By module, the distinct records of these rows.
    pub(super) records: BTreeMap<String, BTreeSet<RecordId>>,
    /// Names in the column module that are none here.
    pub(super) unknown_modules: BTreeSet<String>,
}

impl Subject {
    /// Reads the manifest that the options name, if they name one, with what a settings file beside it says; gives the pace
    /// that this leaves.
    ///
    /// # Errors
    ///
    /// It cannot be read, or the rows to mend must not be written where the user wants them.
    pub(super) fn read(args: &DoctorArgs, user: &UserFile) -> Result<(Option<Subject>, PaceArgs), Failure> {
        let mut pace = args.pace.clone();
        let Some(path) = &args.manifest else {
            return match &args.problems {
                Some(_) => Err(Failure::usage(anyhow!("--problems is for the rows of a manifest: name one"))),
                None => Ok((None, pace)),
            };
        };
        if let Some(problems) = &args.problems {
            super::may_hold_problems(problems, path).map_err(Failure::usage)?;
        }
        let mut read = args.read.clone();
        let beside = config::beside(path, &user.run).map_err(Failure::usage)?;
        (pace.concurrency, pace.rate) = (pace.concurrency.or(beside.concurrency), pace.rate.or(beside.rate));
        let settings = beside.over(user.run.clone());
        read.custom_module.extend(settings.custom_modules);
        read.root = read.root.take().or(settings.root);
        read.ignore_columns |= settings.ignore_columns.unwrap_or(false);
        read.add_columns(settings.columns);
        if read.crosswalk.is_empty() {
            read.crosswalk = settings.crosswalks;
        }
        let options = read.options();
        let manifest = manifest::open(&manifest::Input::Path(path.clone()), &options).map_err(Failure::usage)?;
        // The service is asked about what would only be doubted here: ids that look rounded, for example.
        let options = check::CheckOptions {
            version: args.target.api_version.unwrap_or_default(),
            custom_modules: read.custom_module,
            crosswalks: read.crosswalk,
            skip_invalid: true,
            allow_empty: true,
            allow_identical: true,
            allow_rounded_ids: true,
            allow_outside: read.allow_outside,
            by_form_only: true,
            ..check::CheckOptions::default()
        };
        let checkup = check::check_anew(manifest, &options);
        let subject = Subject {
            name: path.display().to_string(),
            sound: checkup.sound,
            records: rows::records_of(&checkup),
            unknown_modules: rows::unknown_modules(&checkup),
            checkup,
        };
        Ok((Some(subject), pace))
    }

    /// The modules of the sound rows, each with one of its records.
    pub(super) fn modules(&self) -> Vec<(&str, Option<RecordId>)> {
        self.records.iter().map(|(name, records)| (name.as_str(), records.first().copied())).collect()
    }

    /// What findings are made of.
    pub(super) fn facts(&self) -> DoctorManifest {
        DoctorManifest {
            name: self.name.clone(),
            rows: self.checkup.rows,
            sound: self.sound,
            modules: self.records.keys().cloned().collect(),
            unknown_modules: self.unknown_modules.iter().cloned().collect(),
            has_keys: self.checkup.crosswalk.is_some(),
            crosswalk_organisation: self.checkup.crosswalk.as_ref().and_then(|of| of.organisation.clone()),
        }
    }

    /// The rows with problems as a table of their own. It takes its place at once, so that a reader never meets half of it.
    pub(super) fn write_problems(&self, path: &Path) -> Result<(), Failure> {
        let Checkup { manifest, carried_columns, unsound, problems, .. } = &self.checkup;
        let table = MendTable { columns: carried_columns, unsound, problems, refused: &[] };
        let form = MendForm::of(path, manifest.delimiter);
        crate::atomic_file::replace(path, |out| table.write(form, out))
            .map_err(|error| anyhow!("cannot write {}: {}", path.display(), system_words(&error)))
            .or_exit(Exit::Usage)
    }
}
