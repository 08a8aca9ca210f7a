//! What a plan says: the part of it that people and programs are shown. `schemas/plan.schema.json` is made from these
//! types; a field that is absent elsewhere is null here.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::selection::SelectionFacts;
use super::time::TimeRange;
use crate::check::CrosswalkInfo;

/// Everything that a plan says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Plan")]
pub struct Facts {
    /// The manifest that it was made from.
    pub manifest: ManifestFacts,
    /// What stands for the keys of rows; null where no crosswalk was named.
    pub crosswalk: Option<CrosswalkFacts>,
    /// Where the attachments go; null in a dry run that names no target.
    pub target: Option<TargetFacts>,
    /// The results file.
    pub results: String,
    /// What rows the run was told to be about; null: all.
    pub selection: Option<SelectionFacts>,
    /// Rows by what is done about them.
    pub rows: RowFacts,
    /// The same by module, in the order in which modules first appear.
    pub modules: Vec<ModuleFacts>,
    /// Files to send.
    pub files: u64,
    /// Links to send.
    pub links: u64,
    /// Bytes of the files to send.
    pub bytes: u64,
    /// The largest of them.
    pub largest: Option<LargestFile>,
    /// Rows to send whose name in the CRM differs from the file's own.
    pub names_changed: u64,
    /// The first of them.
    pub first_names_changed: Vec<NameChange>,
    /// Whether the user asked to have such files compared with what was sent and sent once more where they differ. What is
    /// `perhaps_changed` then is what nobody can compare, since the results do not hold what was sent.
    pub changes_compared: bool,
    /// The first rows whose file has another size than when it was sent.
    pub first_changed: Vec<ChangedFile>,
    /// The first rows whose file was written to after it was sent.
    pub first_perhaps_changed: Vec<ChangedFile>,
    /// API credits.
    pub credits: CreditFacts,
    /// How long it takes; null if there is nothing to do.
    pub time: Option<TimeRange>,
    /// The scopes that a token needs, in the service's spelling.
    pub scopes: Vec<String>,
    /// What suffices instead, for any module.
    pub scopes_for_any_module: Vec<String>,
    /// The settings that apply.
    pub settings: SettingFacts,
    /// What the user should know before going on.
    pub warnings: Vec<Warning>,
}

/// The manifest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ManifestFacts {
    /// As the user called it.
    pub path: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// How it was read: `CSV with semicolons`, `YAML`.
    pub read_as: String,
    /// The encoding it was read in.
    pub encoding: String,
    /// The folder that its paths are relative to.
    pub base: String,
}

/// The crosswalk files of a plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CrosswalkFacts {
    /// The files, in the order in which they were named.
    pub files: Vec<CrosswalkFileFacts>,
    /// How many different keys they have.
    pub keys: u64,
    /// How many rows name their record by a key.
    pub rows: u64,
    /// The id of the organisation that they are of; null where they do not say it.
    pub organisation: Option<String>,
}

impl From<&CrosswalkInfo> for CrosswalkFacts {
    fn from(info: &CrosswalkInfo) -> CrosswalkFacts {
        let file = |(path, sha256): &(PathBuf, String)| CrosswalkFileFacts {
            path: path.display().to_string(),
            sha256: sha256.clone(),
        };
        CrosswalkFacts {
            files: info.files.iter().map(file).collect(),
            keys: info.keys as u64,
            rows: u64::from(info.rows),
            organisation: info.organisation.clone(),
        }
    }
}

/// One crosswalk file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CrosswalkFileFacts {
    /// As the user called it.
    pub path: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// Where to, as whom.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TargetFacts {
    /// The name of the target in the results: the API's host, or `sandbox`.
    pub name: String,
    /// The API's address; null if the server of a rehearsal is not started yet.
    pub address: Option<String>,
    /// The version of the API.
    pub version: String,
    /// Whether this is a rehearsal on this machine.
    pub rehearsal: bool,
    /// Whose credentials are used, as far as is known before they are.
    #[serde(rename = "as")]
    pub whom: Option<String>,
    /// Whose CRM it is: the organisation with its name, or the client; null where nobody can tell, and in a dry run,
    /// which asks nobody.
    pub owner: Option<String>,
    /// The proxy that requests go through, without user and password.
    pub proxy: Option<String>,
}

/// Rows by what is done about them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RowFacts {
    /// In the manifest.
    pub total: u64,
    /// To send, the ones sent again included.
    pub to_send: u64,
    /// To send again, since an earlier run failed for a passing cause or left them unsent.
    pub again: u64,
    /// To send again, since the user asked (`--resend`).
    pub asked_again: u64,
    /// Settled by earlier runs: uploaded or there already.
    pub done: u64,
    /// Settled by earlier runs: failed for good.
    pub failed: u64,
    /// Settled by earlier runs: nobody can tell.
    pub unknown: u64,
    /// Attached by earlier runs and taken back since.
    pub deleted: u64,
    /// Attached by earlier runs, and being taken back when that was cut off: only a further undo settles them.
    pub deleting: u64,
    /// Sent by an earlier run, answer lost: looked up first, sent again only if proved absent.
    pub in_doubt: u64,
    /// In doubt as well, but no longer in the manifest: looked up and reported, never sent.
    pub in_doubt_not_in_manifest: u64,
    /// Written otherwise than when they were sent (another path, another title, a file that was moved), and recognised:
    /// they are counted above by what became of them then.
    pub recognised: u64,
    /// Left out, since they have problems.
    pub left_out: u64,
    /// In the results, but no longer in the manifest.
    pub not_in_manifest: u64,
    /// Settled as uploaded, but their file has another size than when it was sent.
    pub changed: u64,
    /// Settled as uploaded, but their file was written to after it was sent: it may have changed.
    pub perhaps_changed: u64,
    /// Sent by a later run, since `--limit` ends this one before.
    pub beyond_limit: u64,
    /// Not settled and not chosen for this run: they stay as they are.
    pub not_selected: u64,
}

/// Rows of one module.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ModuleFacts {
    /// Its API name.
    pub module: String,
    /// Sound rows in the manifest.
    pub rows: u64,
    /// Of these, to send.
    pub to_send: u64,
    /// Distinct records to send to.
    pub records: u64,
    /// Files to send.
    pub files: u64,
    /// Links to send.
    pub links: u64,
    /// Bytes to send.
    pub bytes: u64,
}

/// The largest file to send.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LargestFile {
    /// Its line in the manifest.
    pub line: u32,
    /// Its path as written there.
    pub file: String,
    /// Its bytes.
    pub bytes: u64,
}

/// A file whose name cannot be sent as it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NameChange {
    /// The line in the manifest.
    pub line: u32,
    /// The file's own name.
    pub own: String,
    /// The name sent.
    pub sent: String,
}

/// A file that is not, or may not be, what was sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ChangedFile {
    /// Its line in the manifest.
    pub line: u32,
    /// Its path as written there.
    pub file: String,
}

/// Rows that are done and stay as they are, though their file is not, or may not be, what was sent.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ChangedFiles {
    /// Whether contents were compared, as far as they are known.
    pub compared: bool,
    /// How many have a file of another size.
    pub changed: u64,
    /// How many have a file that was only written to later.
    pub perhaps_changed: u64,
    /// The first of another size.
    pub first_changed: Vec<ChangedFile>,
    /// The first that were written to later.
    pub first_perhaps_changed: Vec<ChangedFile>,
}

/// API credits that the run needs.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CreditFacts {
    /// Altogether, if no answer is lost and nothing has to be tried again.
    pub needed: u64,
    /// Of these, for uploads.
    pub uploads: u64,
    /// Of these, for lists of records: the first request, `--if-exists`, and what earlier runs left in doubt.
    pub lists: u64,
    /// What each further answer that is lost may cost.
    pub each_lost_answer: u64,
    /// What the user allows (`--max-credits`).
    pub allowed: Option<u64>,
    /// What an organisation is taken to get in 24 hours.
    pub per_day: u64,
    /// Whether the user said so, or it is the least that a paid edition gets.
    pub per_day_is_assumed: bool,
}

impl CreditFacts {
    /// Whether what the user allows suffices.
    pub fn suffice(&self) -> bool {
        self.allowed.is_none_or(|allowed| allowed >= self.needed)
    }
}

/// The settings that apply, as on the command line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SettingFacts {
    /// `--concurrency`.
    pub concurrency: u32,
    /// `--rate`.
    pub rate: String,
    /// `--bandwidth`, in bytes a second.
    pub bandwidth: Option<u64>,
    /// `--retries`.
    pub retries: u32,
    /// `--settle-time`, in seconds.
    pub settle_seconds: u64,
    /// `--if-exists`.
    pub if_exists: String,
    /// `--keep-credits`.
    pub keep_credits: u64,
    /// `--limit`.
    pub limit: Option<u32>,
    /// `--max-failures`.
    pub max_failures: String,
    /// `--max-duration`, in seconds.
    pub max_duration_seconds: Option<u64>,
    /// What was let pass or changed besides, as typed: `--skip-invalid`, `--allow-empty`.
    pub flags: Vec<String>,
}

/// What the user should know before going on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// Stable, in kebab-case.
    pub code: String,
    /// A sentence.
    pub message: String,
}

/// Everything that a plan can warn of.
pub const WARNING_CODES: &[&str] = &[
    "no-target",
    "no-credentials",
    "owner-unknown",
    "rows-not-in-manifest",
    "max-credits",
    "storage",
    "owner-and-date",
];

impl Warning {
    /// A warning with this code, one of [`WARNING_CODES`], and sentence.
    pub fn new(code: &str, message: impl Into<String>) -> Warning {
        debug_assert!(WARNING_CODES.contains(&code), "{code} has no page in attache explain");
        Warning { code: code.to_owned(), message: message.into() }
    }
}
