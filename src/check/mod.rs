//! Judges the rows of a manifest: every rule, every row, every problem at once.
//!
//! | to change | open |
//! | --- | --- |
//! | which modules there are, what a wrong name was meant to be | `module.rs` |
//! | what is a record id; ids as a whole | `record.rs`, `ids.rs` |
//! | keys of an old system in place of ids | `keys.rs` |
//! | what is a link | `link.rs` |
//! | names, and programs in disguise | `name.rs` |
//! | what is asked of each cell, in which order | `cells.rs` |
//! | how files are looked at, what may be wrong with one | `files.rs`, `presence.rs` |
//! | members of zip archives | `members.rs` |
//! | files against the checksums that rows give | `checksums.rs` |
//! | rows that say the same | `ambiguity.rs` |
//! | what is asked about earlier runs | `earlier.rs` |
//! | the way of a check; what is let through | `checker.rs`, `conclude.rs` |
//! | how a million rows are held | `store.rs`, `checked.rs`, `left_out.rs` |

mod ambiguity;
mod cells;
mod checked;
mod checker;
mod checksums;
mod conclude;
mod earlier;
mod files;
mod ids;
mod keys;
mod left_out;
mod link;
mod members;
mod module;
mod name;
mod presence;
mod record;
mod store;

use std::path::PathBuf;
use std::sync::Arc;

pub use checked::{Checked, RowIx};
pub use checksums::ChecksumWatch;
pub use earlier::{Earlier, Recognised, RowDoubt, RowsSoFar, Stage};
pub use files::FileStamp;
pub(crate) use keys::CrosswalkNames;
pub use left_out::{LeftOut, LeftOutCells};
pub(crate) use link::may_be_link;
pub(crate) use module::meant_module;
pub(crate) use name::{is_program as is_program_name, replacement as own_name_replacement};

use crate::crm::ApiVersion;
use crate::crm::limits::MAX_REQUEST_BYTES;
use crate::manifest::{Manifest, ManifestInfo};
use crate::problem::{Problem, ProblemCode, ProblemList};
use crate::upload::RowKey;

/// What the user lets pass, and what the rules depend on.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// Which modules and whether links have titles hang on it.
    pub version: ApiVersion,
    /// Declared on the command line or in a settings file; the manifest may declare more.
    pub custom_modules: Vec<String>,
    /// The crosswalk files that the user named; the manifest may name more.
    pub crosswalks: Vec<PathBuf>,
    /// Leave rows with errors out instead of sending nothing.
    pub skip_invalid: bool,
    /// Take warnings about rows as errors.
    pub strict: bool,
    /// Let empty files pass.
    pub allow_empty: bool,
    /// Let the same file under the same name pass twice on one record.
    pub allow_identical: bool,
    /// Let ids pass that look rounded by a spreadsheet.
    pub allow_rounded_ids: bool,
    /// Let paths leave the base folder.
    pub allow_outside: bool,
    /// Look at no file, which need not be on this machine: rows are judged by their form alone.
    pub by_form_only: bool,
    /// Largest request body, in bytes.
    pub max_size: u64,
    /// Who is told how far the reading of files for their checksums is.
    pub checksum_watch: ChecksumWatch,
}

impl Default for CheckOptions {
    fn default() -> CheckOptions {
        CheckOptions {
            version: ApiVersion::default(),
            custom_modules: Vec::new(),
            crosswalks: Vec::new(),
            skip_invalid: false,
            strict: false,
            allow_empty: false,
            allow_identical: false,
            allow_rounded_ids: false,
            allow_outside: false,
            by_form_only: false,
            max_size: MAX_REQUEST_BYTES,
            checksum_watch: ChecksumWatch::default(),
        }
    }
}

/// Everything that a check found out.
pub struct Checkup {
    /// The manifest as a whole.
    pub manifest: ManifestInfo,
    /// Problems of the whole file first, then by line; of each code the first thousand in full.
    pub problems: ProblemList,
    /// How many rows were read; where reading broke off, up to there.
    pub rows: u32,
    /// How many of them have no error.
    pub sound: u32,
    /// The names of the columns that are carried into the results.
    pub carried_columns: Vec<String>,
    /// The rows that are not sound, in manifest order.
    pub unsound: Arc<Vec<LeftOut>>,
    /// What stands for the keys of rows; `None` where no crosswalk was named.
    pub crosswalk: Option<CrosswalkInfo>,
    /// What may be sent; `None` when nothing may be (exit status 3).
    pub checked: Option<Checked>,
}

/// What is known of the crosswalks of a manifest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CrosswalkInfo {
    /// Each file as named, and the SHA-256 of its bytes in hexadecimal.
    pub files: Vec<(PathBuf, String)>,
    /// How many different keys they have.
    pub keys: usize,
    /// How many rows name their record by a key.
    pub rows: u32,
    /// The id of the organisation that the files are of, where they say it.
    pub organisation: Option<String>,
}

/// Reads a manifest to its end and judges it. `settled` says which rows earlier runs have settled: of those only the form
/// is judged, since their files may be gone.
pub fn check(manifest: Manifest, options: &CheckOptions, settled: &(dyn Fn(RowKey) -> bool + Sync)) -> Checkup {
    check_after(manifest, options, &mut |key| settled(key))
}

/// [`check`] with somebody who also recognises rows that earlier runs sent under other words.
pub fn check_after(manifest: Manifest, options: &CheckOptions, earlier: &mut dyn Earlier) -> Checkup {
    checker::Checker::new(options, Some(earlier)).judge(manifest)
}

/// [`check`] where no earlier run can have settled anything. Keys, which only serve to find a row again, are then not
/// worked out before somebody asks for one.
pub fn check_anew(manifest: Manifest, options: &CheckOptions) -> Checkup {
    checker::Checker::new(options, None).judge(manifest)
}

/// Something wrong, before it is known where.
#[derive(Clone, PartialEq, Eq, Debug)]
struct CheckFinding {
    code: ProblemCode,
    message: String,
    hint: String,
}

impl CheckFinding {
    fn new(code: ProblemCode, message: impl Into<String>, hint: impl Into<String>) -> CheckFinding {
        CheckFinding { code, message: message.into(), hint: hint.into() }
    }

    fn problem(self) -> Problem {
        Problem::new(self.code, self.message, self.hint)
    }
}

#[cfg(test)]
mod tests;
