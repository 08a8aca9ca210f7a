//! Standard output and standard error. Whoever reads them may have seen enough: a closed pipe is no mistake, and stops
//! nothing. The rule stands here, for all commands.

use std::io::{self, ErrorKind, Write};

use crate::console::ON_RECORD;
use crate::exit::Exit;
use crate::text::{escape_lines_for_terminal, system_words};

/// Prints a text that is the whole answer to a command.
pub fn print(text: &str) -> Exit {
    match try_print(text) {
        Ok(()) => Exit::Done,
        Err(error) => {
            complain(format_args!("standard output cannot be written: {}", system_words(&error)));
            Exit::Usage
        }
    }
}

/// Says on standard error what went wrong. It may repeat an argument or a name that came from anyone.
pub fn complain(what: impl std::fmt::Display) {
    let what = escape_lines_for_terminal(&what.to_string());
    log::error!(target: ON_RECORD, "error: {what}");
    // Standard error may be closed as well; the exit status still tells.
    let _ = writeln!(io::stderr(), "error: {what}");
}

/// Prints a text.
///
/// # Errors
///
/// When it cannot be written for another reason than that nobody reads it.
pub fn try_print(text: &str) -> io::Result<()> {
    print_with(|out| out.write_all(text.as_bytes()))
}

/// Prints what `fill` writes, piece by piece.
///
/// # Errors
///
/// As [`try_print`].
pub fn print_with(fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    read_or_not(fill(&mut out).and_then(|()| out.flush()))
}

/// The result of writing to somebody who may have gone: he has read what he wanted, and the exit status says the rest.
///
/// # Errors
///
/// Whatever else went wrong.
pub fn read_or_not(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_no_mistake_and_a_full_disk_is_one() {
        assert!(read_or_not(Err(ErrorKind::BrokenPipe.into())).is_ok());
        assert!(read_or_not(Err(ErrorKind::StorageFull.into())).is_err());
    }
}
