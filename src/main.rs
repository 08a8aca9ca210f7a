//! The `attache` program; everything happens in the library's `cli` room.

use std::process::ExitCode;

fn main() -> ExitCode {
    attache::main()
}
