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
//! | what a flag is called, what it means | [`cli`] |
//! | how a CSV or YAML manifest is read | [`manifest`] |
//! | a rule about rows, ids, files, links, names | [`check`] |
//! | how a member of a zip is found and read | `archive` |
//! | how the bytes of a file are read, and what must hold of them | `open_file` |
//! | checksums that a manifest gives | [`checksum`] |
//! | what a code means to a user (`attache explain`) | [`explain`] |
//! | what a run is going to do, credits, scopes, time | [`plan`] |
//! | order, pacing, retry, settling, when to stop | [`engine`] |
//! | what an answer of the service means | [`zoho`] |
//! | a column of the results, what is durable when | [`results`] |
//! | what a person sees on the screen | [`console`] |
//! | the page or workbook for the client | [`report`] |
//! | whether the service has what the results say | [`verify`] |
//! | the server to rehearse against | `sandbox` |
//! | the exit statuses and which of them speaks | [`exit`] |
//! | by what an upload's bytes, and a CRM, are recognised | [`content`], [`owner`] |
//! | the words shared by all rooms | [`upload`], [`problem`], [`outcome`], [`reply`], [`units`] |
//!
//! # What always holds
//!
//! 1. Nothing is sent unless the whole manifest is sound, or the user said to leave the unsound rows out.
//! 2. Every row of the manifest ends with exactly one status in the results.
//! 3. No row creates more than one attachment, whatever crashes, times out or is run again: its `sending` line is on
//!    the disk before its first byte leaves, and what was sent without an answer is settled by listing, never resent
//!    blindly.
//! 4. The engine does no input and no output; time is passed in.
//! 5. Only [`zoho`] speaks HTTP to the CRM; `sandbox` imports nothing of the rest.

#![forbid(unsafe_code)]
#![warn(missing_docs, rust_2018_idioms, unreachable_pub, clippy::dbg_macro, clippy::todo, clippy::unimplemented)]

pub(crate) mod archive;
pub mod check;
pub mod checksum;
pub mod cli;
pub mod console;
pub mod content;
mod crosswalk;
pub mod engine;
pub mod exit;
pub mod explain;
pub mod file_id;
pub mod manifest;
pub(crate) mod open_file;
pub mod outcome;
pub mod owner;
pub mod plan;
pub mod problem;
pub mod reply;
pub mod report;
pub mod results;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod units;
pub mod upload;
pub mod verify;
pub mod zoho;
