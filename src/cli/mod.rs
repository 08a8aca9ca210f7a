//! Wires the rooms: flags in, exit status out.

pub mod args;
pub mod completions;
pub mod config;
pub mod explain;
pub mod output;
pub mod report;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod values;

use std::process::ExitCode;

/// Runs the program on the arguments of this process.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
