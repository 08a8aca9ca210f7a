//! `attache` attaches files and links to Zoho CRM records in bulk.
//!
//! # The way of a run
//!
//! ```text
//! manifest file → Manifest → Checked → Plan → engine → results CSV + exit status
//!     manifest/     check/    plan/   engine/   results/
//! ```
//!
//! Each step takes the value of the one before it and is the only maker of its own, so that unchecked input cannot
//! reach the network.
//!
//! # Where is what
//!
//! | to change | open |
//! | --- | --- |
//! | what a flag is called, its help | `cli/args.rs` |
//! | what `attache.toml` may hold | `cli/config/` |
//! | which settings hold and who says so (`attache config`) | `cli/show_config/` |
//! | what goes into the log file, what `-v` shows | `cli/logging.rs`, `cli/log_file.rs`, `zoho/request_log.rs` |
//! | the order of steps of `attache run` | `cli/run/mod.rs` |
//! | how an old export becomes a manifest; a recipe for another system | `collect/` |
//! | how a CSV or YAML manifest is read | `manifest/` |
//! | how the delimiter is found | `manifest/csv/delimiter.rs` |
//! | how the encoding is found | `manifest/decode.rs` |
//! | a rule about rows, ids, files, links, names | `check/` |
//! | what makes an id refused as rounded | `check/ids.rs`, `check/record.rs` |
//! | old keys in place of record ids | `crosswalk/`, `check/keys.rs` |
//! | what a code means to a user (`attache explain`) | `problem/codes.rs`, `explain/` |
//! | what a run is going to do, its credits | `plan/` |
//! | which rows a pilot takes | `plan/selection.rs` |
//! | what the service limits, charges, calls its modules | `crm/` |
//! | what a saved plan holds, when a run still is the one that was approved | `plan/saved/`, `cli/run/approved.rs` |
//! | how the plan's duration is made | `plan/time.rs` |
//! | which rows may not be under way together | `engine/scheduler.rs` |
//! | how long a row waits before a further try | `engine/retry.rs` |
//! | rate, concurrency, pauses, credits, giving up | `engine/brakes/` |
//! | what a list says about a row in doubt | `engine/settle/compare.rs` |
//! | what is asked about a record, when its list is believed | `engine/list_inquiry.rs` |
//! | how the pages of a list make a whole one | `listing.rs` |
//! | which lines `10-200` or a CSV of lines mean | `line_set.rs` |
//! | the threads of a run, what is written when | `engine/worker_pool.rs` |
//! | requests that only read | `engine/requests/` |
//! | which answers put a row in doubt | `zoho/classify.rs` |
//! | how a token is renewed and shared | `zoho/auth/` |
//! | how a token stays out of logs | `zoho/auth/secret.rs` |
//! | how the bytes of a file are read, where a changed file is noticed | `open_file.rs` |
//! | how a member of a zip is found and read | `archive.rs` |
//! | checksums that a manifest gives | `checksum.rs`, `check/checksums.rs` |
//! | the columns of the results and their order | `results/columns.rs` |
//! | where a `sending` line becomes durable | `results/journal.rs`, `results/log.rs` |
//! | keys of an old system, and the records that they stand for | `crosswalk/`, `check/keys.rs` |
//! | what a person sees on the screen | `console/` |
//! | the page or workbook for the client | `report/` |
//! | whether the service has what the results say | `verify/` |
//! | what is asked of the service before a long run | `doctor/` |
//! | taking attachments back: what goes, what is left alone | `undo/` |
//! | the server to rehearse against | `sandbox/` |
//! | what happens on Ctrl-C | `cli/signals.rs`, then `engine/ports.rs` |
//! | the exit statuses and which of them speaks | `exit.rs` |
//! | by what an upload's bytes, and a CRM, are recognised | `content.rs`, `owner.rs` |
//! | the words shared by all modules | `upload.rs`, `problem/`, `outcome.rs`, `reply.rs`, `units.rs` |
//!
//! # What always holds
//!
//! 1. Nothing is sent unless the whole manifest is sound, or the user said to leave the unsound rows out.
//! 2. Every row of the manifest ends with exactly one status in the results.
//! 3. No row creates more than one attachment, whatever crashes, times out or is run again: its `sending` line is on
//!    the disk before its first byte leaves, and what was sent without an answer is settled by listing, never resent
//!    blindly.
//! 4. The engine does no input and no output; time is passed in.
//! 5. Only `zoho` speaks HTTP to the CRM; `sandbox` imports nothing of the rest.

// In tests an unwrap says enough; here every value that may not be there has its answer, and one module writes to the
// standard streams.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr))]

// Nothing is public but the way in, so the compiler sees what nobody uses.
mod archive;
mod atomic_file;
mod check;
mod checksum;
mod cli;
mod collect;
mod console;
mod content;
mod crm;
mod crosswalk;
mod doctor;
mod engine;
mod exit;
mod explain;
mod file_id;
#[doc(hidden)]
pub mod internals;
mod line_set;
mod listing;
mod manifest;
mod open_file;
mod outcome;
mod owner;
mod path_text;
mod plan;
mod problem;
mod reply;
mod report;
mod results;
#[cfg(feature = "sandbox")]
mod sandbox;
#[cfg(test)]
mod simulation;
mod sync;
mod text;
mod undo;
mod units;
mod upload;
mod verify;
mod zoho;

pub use cli::main;
