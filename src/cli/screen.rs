//! Which stream gets what, in which look. A reader that has gone away never stops anything: what it would have read is
//! in the results file. What people are told is kept on record, too, for the log file.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use anyhow::anyhow;

use super::args::CommonArgs;
use super::failure::Failure;
use super::stdio;
use super::values::ColorWhen;
use crate::console::progress::Mode;
use crate::console::{Look, ON_RECORD, terminal_width};
use crate::text::{escape_lines_for_terminal, system_words, wrap_lines};

/// The two streams of the program.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    color: ColorWhen,
    /// Whether only what went wrong is said.
    pub quiet: bool,
    /// How much more is said.
    pub verbose: u8,
}

impl Screen {
    /// The streams as the user wants them.
    pub fn new(common: &CommonArgs) -> Screen {
        Screen { color: common.color, quiet: common.quiet, verbose: common.verbose }
    }

    /// For text on standard output.
    pub fn out_look(&self) -> Look {
        self.look(io::stdout().is_terminal())
    }

    /// For text on standard error.
    pub fn err_look(&self) -> Look {
        self.look(io::stderr().is_terminal())
    }

    fn look(&self, is_terminal: bool) -> Look {
        let color = match self.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            // A variable that is set but empty does not count, as the convention has it.
            ColorWhen::Auto => is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        Look { color, width: terminal_width() }
    }

    /// How a command without an option for it says how far it is.
    pub fn progress(&self) -> Mode {
        match self.quiet {
            true => Mode::Off,
            false if io::stderr().is_terminal() && self.verbose < 2 => Mode::Live,
            false => Mode::Plain,
        }
    }

    /// What a person asked for, to standard output.
    ///
    /// # Errors
    ///
    /// As [`Screen::print_data`].
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        keep(text);
        self.print_data(&fitted(text, io::stdout().is_terminal()))
    }

    /// What a person asked for and `--quiet` takes off the screen: it goes on record all the same.
    ///
    /// # Errors
    ///
    /// As [`Screen::print_data`].
    pub fn print_note(&self, text: &str) -> Result<(), Failure> {
        keep(text);
        if self.quiet { Ok(()) } else { self.print_data(&fitted(text, io::stdout().is_terminal())) }
    }

    /// What a program reads, to standard output. No log has it.
    ///
    /// # Errors
    ///
    /// When it cannot be written for another reason than that nobody reads it.
    pub fn print_data(&self, text: &str) -> Result<(), Failure> {
        let written = write_all(&mut anstream::AutoStream::always(io::stdout().lock()), text);
        stdio::read_or_not(written)
            .map_err(|error| Failure::usage(anyhow!("standard output cannot be written: {}", system_words(&error))))
    }

    /// Everything else, to standard error.
    pub fn say(&self, text: &str) {
        keep(text);
        self.show(text);
    }

    /// What only those read who want to hear more than what went wrong: with `--quiet` it goes on record alone.
    pub fn note(&self, text: &str) {
        keep(text);
        if !self.quiet {
            self.show(text);
        }
    }

    /// To standard error, and not on record.
    pub(super) fn show(&self, text: &str) {
        let text = fitted(text, io::stderr().is_terminal());
        let _ = write_all(&mut anstream::AutoStream::always(io::stderr().lock()), &text);
    }

    /// What a person must not miss, to standard error. It may quote a file or a path that came from anyone.
    pub fn error(&self, text: impl std::fmt::Display) {
        let text = format!("error: {}", escape_lines_for_terminal(&text.to_string()));
        self.say(&(text + "\n"));
    }
}

/// The text as it fits the terminal. Elsewhere a line is one message, whatever its length.
fn fitted(text: &str, is_terminal: bool) -> Cow<'_, str> {
    if is_terminal { Cow::Owned(wrap_lines(text, terminal_width())) } else { Cow::Borrowed(text) }
}

/// Whether there is a log that everything goes into.
pub(super) fn is_on_record() -> bool {
    log::log_enabled!(target: ON_RECORD, log::Level::Info)
}

/// Puts a text on record as it is read, without its colours.
pub(super) fn keep(text: &str) {
    if is_on_record() {
        let plain = anstream::adapter::strip_str(text).to_string();
        let level = match plain.split_once(": ") {
            Some(("error", _)) => log::Level::Error,
            Some(("warning", _)) => log::Level::Warn,
            _ => log::Level::Info,
        };
        log::log!(target: ON_RECORD, level, "{plain}");
    }
}

fn write_all(stream: &mut impl Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}
