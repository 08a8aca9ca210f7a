//! Remembers: the results CSV, which is the log while a run goes on and the table when it is done.
//!
//! | to change | open |
//! | --- | --- |
//! | a column | `columns.rs`, `line.rs` |
//! | how a line is written and read, its check | `codec.rs` |
//! | what becomes of an edited line | `edited.rs`, `salvage.rs` |
//! | how a cell is escaped | `cell.rs` |
//! | which rows are settled, which go again | `history.rs` |
//! | what of a file that is found is refused | `snapshot.rs` |
//! | how a run takes the file | `held.rs` |
//! | what is durable when, how the file is made ready | `log.rs` |
//! | where lines stand, by record | `placed.rs` |
//! | when threads wait for the disk | `journal.rs` |
//! | how the log becomes the table | `compact.rs` |
//! | what is refused as shortened or vanished | `complete.rs` |
//! | what runs that are under way announce | `under_way.rs` |
//! | how an older copy is told from the file that a run left | `watermark.rs` |
//! | what is saved when somebody takes the file away | `end.rs` |
//! | what `verify` and `report` read | `read.rs` |
//! | what is read and written where no manifest is at hand | `without_manifest.rs` |
//! | the list of runs beside the results | `runs.rs` |
//! | where the files are, what places are refused | `paths.rs` |
//! | an operation on a file | `disk.rs` |
//!
//! Everything about it follows from one rule: a row's `sending` line is on the disk before the first byte of its
//! request leaves. So whatever is missing after a crash was either never sent, or has a line that says it may have been.

mod cell;
mod claims;
mod codec;
mod columns;
mod compact;
mod complete;
mod disk;
mod edited;
mod end;
mod error;
#[cfg(test)]
mod fault_tests;
mod held;
mod history;
mod journal;
mod line;
mod log;
mod log_error;
mod paths;
mod placed;
mod read;
mod runs;
mod salvage;
mod scan;
mod snapshot;
#[cfg(test)]
mod tests;
mod under_way;
mod watermark;
mod without_manifest;

pub(crate) use cell::{decode as decode_cell, push as push_cell, split as split_cells, text as cell_text};
pub use columns::Layout;
pub use compact::{ResultsRows, ResultsTally, ResultsTotals};
#[cfg(test)]
pub use disk::Placement;
pub use disk::{Disk, RealDisk};
pub use end::EndError;
pub use error::ResultsError;
pub use held::{LockedResults, hold};
pub use history::{ResendRules, Standing, Why};
pub use journal::{GroupLog, SharedLog};
pub use line::Line;
pub use log::{Finished, ResultsLog};
pub use log_error::LogError;
pub use paths::PlaceError;
pub use paths::{default_results, findings_of, is_same_file, lock_of, others_beside, runs_of};
pub use placed::{LineReader, PlacedLine, SentFileFacts};
pub use read::{ResultsTable, read};
pub use runs::{
    KnownRuns, ManifestRef, RunOrigin, RunRecord, bases_of_runs, new_run_id, owner_names, record_origin, record_run,
    runs,
};
pub use snapshot::{MarkRule, ResultsOptions, ResultsSnapshot, Taking, look};
pub use under_way::{Announcement, RunUnderWay, announce};
pub use without_manifest::StoredLines;
