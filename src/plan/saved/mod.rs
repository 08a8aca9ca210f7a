//! A plan that was saved to be approved, and what has changed since: what goes where and as what, row by row, in a file that
//! people can read and programs can check.
//!
//! | to change | open |
//! | --- | --- |
//! | what the file holds | here |
//! | which row is to be what | `rows.rs` |
//! | how it is written | `writer.rs` |
//! | how it is read, what makes it unusable | `reader.rs` |
//! | when a row or a file is not as it was approved | `fit.rs` |
//!
//! The file of a million rows is written and read as a stream. At its end stands a seal, a hash over all values, by which a
//! hand in the file is noticed. It is no signature: whoever means to can make another one.

mod fit;
mod reader;
mod rows;
mod writer;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use self::fit::{NotAsApproved, PlanFit};
pub use self::reader::{SavedPlanError, read};
pub use self::rows::{FileHashes, saved_rows};
pub use self::writer::write;
use super::facts::Facts;
use crate::text::hex;

/// What the first member of the file says.
pub const FORMAT: &str = "attache-plan";

/// The version of its form. A program reads the one that it writes: what was approved must not be guessed at.
pub const VERSION: u32 = 1;

/// A plan as it is saved.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SavedPlan")]
pub struct SavedPlan {
    /// What the file is, and the settings that count.
    #[serde(flatten)]
    pub head: PlanHead,
    /// Every row of the manifest, those that are left out at the end.
    pub rows: Vec<SavedRow>,
    /// `sha256:` and the hash of all values above.
    pub seal: String,
}

/// All of a saved plan but its rows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PlanHead {
    /// Always `attache-plan`.
    pub format: String,
    /// The version of this form.
    pub version: u32,
    /// The version of the program that saved it.
    pub program: String,
    /// When it was saved (RFC 3339, UTC).
    pub saved_at: String,
    /// What must be the same when the plan is carried out, besides the rows.
    pub pinned: PinnedSettings,
    /// What the plan said when it was saved. Pace, limits and estimates in it are free.
    pub summary: Facts,
}

/// What must be the same when a plan is carried out.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PinnedSettings {
    /// The target as the results name it: the API's host, or `sandbox`.
    pub target: String,
    /// The version of the API.
    pub api_version: String,
    /// Whose CRM it is, as far as that was known without asking: `org:` and its id, or `client:` and a hash.
    pub organisation: Option<String>,
    /// SHA-256 of each crosswalk's bytes, in order.
    pub crosswalks: Vec<String>,
    /// What the checks let pass and how rows were read, by the names of their options.
    pub checks: BTreeMap<String, String>,
}

/// What is to become of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PlannedAction {
    /// It is sent.
    Send,
    /// Its answer was lost in an earlier run: it is looked up, and sent if it is not there.
    LookUp,
    /// Earlier runs brought it to its end, or it stays as it is.
    Nothing,
    /// It was not chosen for this run.
    NotChosen,
    /// It has problems and is left out.
    LeftOut,
}

impl PlannedAction {
    /// Whether the plan allows to send the row.
    pub fn sends(self) -> bool {
        matches!(self, PlannedAction::Send | PlannedAction::LookUp)
    }
}

/// A row of a saved plan. What does not apply is left out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SavedRow {
    /// Its line in the manifest.
    pub line: u32,
    /// The key that the results know it by.
    pub key: String,
    /// What is to become of it.
    pub action: PlannedAction,
    /// The module.
    pub module: String,
    /// The id of the record.
    pub record: String,
    /// What the old system calls the record, for a row that names it so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub record_key: String,
    /// The file, as the manifest writes it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// The link.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// The name in the CRM.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The size of the file in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// When the file was last written to (RFC 3339, UTC); of a member of an archive, the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    /// SHA-256 of its bytes in hexadecimal, where the plan was saved with hashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The code of the problem that a row was left out for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// The seal under construction. It is made of the values and not of the text, so that another line end or a program that
/// indents the file does not break it.
#[derive(Default)]
struct Seal {
    rows: Sha256,
}

impl Seal {
    fn row(&mut self, row: &SavedRow) -> serde_json::Result<()> {
        serde_json::to_writer(HashWriter(&mut self.rows), row)?;
        self.rows.update(b"\n");
        Ok(())
    }

    fn close(self, head: &PlanHead) -> serde_json::Result<String> {
        let mut all = Sha256::new();
        serde_json::to_writer(HashWriter(&mut all), head)?;
        all.update(self.rows.finalize());
        Ok(format!("sha256:{}", hex(&all.finalize())))
    }
}

/// Text goes into a hash in the pieces in which it is made.
struct HashWriter<'h>(&'h mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
