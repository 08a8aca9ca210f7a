//! The `attache` program; everything happens in the library's `cli` module.

use std::process::ExitCode;

fn main() -> ExitCode {
    attache::main()
}
