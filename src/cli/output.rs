//! Writes data to standard output. Whoever reads it may have seen enough: a closed pipe is no mistake.

use std::io::{self, ErrorKind, Write};

use crate::console::text::escape_lines_for_terminal;
use crate::exit::Exit;

/// Prints a text that is the whole answer to a command.
pub fn print(text: &str) -> Exit {
    match try_print(text) {
        Ok(()) => Exit::Done,
        Err(error) => {
            complain(format_args!("standard output cannot be written: {error}"));
            Exit::Usage
        }
    }
}

/// Says on standard error what went wrong. It may repeat an argument or a name that came from anyone.
pub fn complain(what: impl std::fmt::Display) {
    // Standard error may be closed as well; the exit status still tells.
    let _ = writeln!(io::stderr(), "error: {}", escape_lines_for_terminal(&what.to_string()));
}

/// Prints a text.
///
/// # Errors
///
/// When it cannot be written for another reason than that nobody reads it.
pub fn try_print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
