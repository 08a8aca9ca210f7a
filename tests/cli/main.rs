//! The built program, driven as a user drives it, against the sandbox.

#![cfg(feature = "sandbox")]

mod answers;
mod archives;
mod auth;
mod case;
mod changed;
mod collect;
#[cfg(unix)]
mod consent;
mod crosswalk;
mod displaced;
mod doctor;
mod exits;
mod faults;
mod files;
mod first;
mod folders;
mod identity;
mod interface;
mod keys;
mod lists;
mod logs;
mod names;
mod options;
mod output;
mod plans;
mod problems;
mod process;
mod proofs;
mod raw;
mod renamed;
mod report;
mod resume;
mod secrets;
mod select;
mod service;
mod settings;
mod shortened;
mod together;
mod undo;
mod verify;
