//! The controlling terminal: where the person sits who started the program, whatever its standard streams lead to.

use std::io::{self, Read, Write};

/// Both directions of a terminal.
pub struct Terminal {
    /// What is typed.
    pub input: Box<dyn Read + Send>,
    /// What is shown.
    pub output: Box<dyn Write + Send>,
}

/// Whether this process has a terminal, and whether it may use it.
pub enum ControllingTerminal {
    /// It has none: cron, a CI job, a service.
    None,
    /// It has one, but another job of it is in the foreground: reading would stop the process. A console of Windows knows
    /// no such jobs.
    #[cfg(unix)]
    Background,
    /// Somebody can be asked.
    Foreground(Terminal),
}

impl ControllingTerminal {
    /// Finds it.
    ///
    /// # Errors
    ///
    /// It cannot be opened twice.
    #[cfg(unix)]
    pub fn open() -> io::Result<ControllingTerminal> {
        // The system refuses this name where there is no terminal.
        let Ok(terminal) = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty") else {
            return Ok(ControllingTerminal::None);
        };
        let Ok(foreground) = rustix::termios::tcgetpgrp(&terminal) else {
            // It is gone: the other side has hung up.
            return Ok(ControllingTerminal::None);
        };
        if foreground != rustix::process::getpgrp() {
            return Ok(ControllingTerminal::Background);
        }
        let input = Box::new(terminal.try_clone()?);
        Ok(ControllingTerminal::Foreground(Terminal { input, output: Box::new(terminal) }))
    }

    /// Finds it.
    ///
    /// # Errors
    ///
    /// Never.
    #[cfg(windows)]
    pub fn open() -> io::Result<ControllingTerminal> {
        let mut both = std::fs::OpenOptions::new();
        both.read(true).write(true);
        // These names lead to the console, whatever the streams lead to, and to nothing where there is none.
        Ok(match (both.open("CONIN$"), both.open("CONOUT$")) {
            (Ok(input), Ok(output)) => {
                ControllingTerminal::Foreground(Terminal { input: Box::new(input), output: Box::new(output) })
            }
            _ => ControllingTerminal::None,
        })
    }
}
