//! The log file (`--log-file`): what was said on the screen and what would have been with all of it asked for, a line each
//! with its time.
//!
//! A migration is many calls of the same command, and the log of the first one matters on the last day, so a log is
//! continued and never replaced. So that a slip of the hand appends nothing to a manifest, only a file that begins as a log
//! does is continued.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use log::Level;

use super::command_line::CommandLine;
use super::stdio;
use crate::text::{escape_for_terminal, mask_secrets, system_words};

/// The first line of every log.
const HEAD: &str = "# attache log, times in UTC\n";

/// A log that is open.
pub struct LogFile {
    path: PathBuf,
    /// `None` once it could not be written: a run goes on without its log.
    file: Mutex<Option<File>>,
}

/// Why there is no log.
#[derive(Debug)]
pub enum LogFileError {
    /// The file is there and is no log.
    Other(PathBuf),
    /// The system refuses it.
    Io(PathBuf, io::Error),
}

impl fmt::Display for LogFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogFileError::Other(path) => write!(
                f,
                "{} is there and is not a log of attache, so nothing is added to it; name another file with --log-file",
                path.display()
            ),
            LogFileError::Io(path, error) => {
                write!(f, "the log {} cannot be opened: {}", path.display(), system_words(error))
            }
        }
    }
}

impl std::error::Error for LogFileError {}

impl LogFile {
    /// Opens a log to add to it, or begins one.
    ///
    /// # Errors
    ///
    /// It holds something else, or the system does not let it be opened.
    pub fn open(path: &Path) -> Result<LogFile, LogFileError> {
        let trouble = |error| LogFileError::Io(path.to_owned(), error);
        let is_new = match File::open(path) {
            Ok(file) if file.metadata().map_err(trouble)?.is_file() => {
                let mut head = Vec::new();
                file.take(HEAD.len() as u64).read_to_end(&mut head).map_err(trouble)?;
                if !head.is_empty() && head != HEAD.as_bytes() {
                    return Err(LogFileError::Other(path.to_owned()));
                }
                head.is_empty()
            }
            Ok(file) if file.metadata().is_ok_and(|file| file.is_dir()) => {
                return Err(trouble(ErrorKind::IsADirectory.into()));
            }
            // A pipe or a device of the user's own.
            Ok(_) => false,
            Err(error) if error.kind() == ErrorKind::NotFound => true,
            Err(error) => return Err(trouble(error)),
        };
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(trouble)?;
        if is_new {
            file.write_all(HEAD.as_bytes()).map_err(trouble)?;
        }
        Ok(LogFile { path: path.to_owned(), file: Mutex::new(Some(file)) })
    }

    /// Says which command begins.
    pub fn begin(&self, args: impl Iterator<Item = std::ffi::OsString>) {
        let version = env!("CARGO_PKG_VERSION");
        let process = std::process::id();
        let command = command_line(args.map(|arg| arg.to_string_lossy().into_owned()));
        self.write(Level::Info, &format!("begins, version {version}, process {process}: {command}"));
    }

    /// Adds a text, each of its lines with the time. Where it cannot be written, that is said once.
    pub fn write(&self, level: Level, text: &str) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = file.as_mut() else { return };
        // As one write, so that two processes do not mix their lines.
        if let Err(error) = open.write_all(stamped(Timestamp::now(), level, text).as_bytes()) {
            *file = None;
            // What is complained of goes on record, and so comes here again.
            drop(file);
            stdio::complain(format_args!(
                "the log {} cannot be written any more: {}; all else goes on without it",
                self.path.display(),
                system_words(&error)
            ));
        }
    }
}

/// The text as it stands in a log: every line with time and weight, nothing that a terminal acts on, no password.
fn stamped(now: Timestamp, level: Level, text: &str) -> String {
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let line = |line: &str| format!("{now:.3} {level:<5} {}\n", mask_secrets(&escape_for_terminal(line)));
    lines.map(line).collect()
}

/// The command as it was typed, but for the one option that takes a token, that of a rehearsal.
fn command_line(args: impl Iterator<Item = String>) -> String {
    let mut is_token = false;
    let word = |arg: String| match std::mem::take(&mut is_token) {
        true => "***".to_owned(),
        false if arg.starts_with("--token=") => "--token=***".to_owned(),
        false => {
            is_token = arg == "--token";
            mask_secrets(&arg).into_owned()
        }
    };
    args.skip(1).map(word).fold(CommandLine::default(), CommandLine::word).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_time_and_nothing_that_a_terminal_acts_on() {
        let now = "2026-03-10T09:14:59.123456Z".parse().expect("a time");
        let text = stamped(now, Level::Warn, "the first \u{1b}[2J line\n\n  https://me:secret@example.com/x  \n");
        assert_eq!(
            text,
            "2026-03-10T09:14:59.123Z WARN  the first \\u{1b}[2J line\n\
             2026-03-10T09:14:59.123Z WARN    https://***@example.com/x\n"
        );
    }

    #[test]
    fn a_log_is_continued_and_nothing_else_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run.log");
        LogFile::open(&path).expect("begun").write(Level::Info, "one");
        LogFile::open(&path).expect("continued").write(Level::Info, "two");
        let text = std::fs::read_to_string(&path).expect("readable");
        assert!(text.starts_with(HEAD) && text.matches(HEAD).count() == 1, "{text}");
        assert!(text.contains("INFO  one\n") && text.ends_with("INFO  two\n"), "{text}");

        let manifest = folder.path().join("m.csv");
        std::fs::write(&manifest, "module,record,file\n").expect("written");
        assert!(matches!(LogFile::open(&manifest), Err(LogFileError::Other(_))));
        assert_eq!(std::fs::read_to_string(&manifest).expect("readable"), "module,record,file\n");
        assert!(matches!(LogFile::open(folder.path()), Err(LogFileError::Io(..))));
    }

    #[test]
    fn the_command_is_told_as_it_was_typed_without_secrets() {
        let line = |args: &[&str]| command_line(args.iter().map(|arg| (*arg).to_owned()));
        let quoted = |word: &str| if cfg!(windows) { format!("\"{word}\"") } else { format!("'{word}'") };
        assert_eq!(
            line(&["/usr/bin/attache", "run", "my list.csv", "--dc", "eu"]),
            format!("attache run {} --dc eu", quoted("my list.csv"))
        );
        let hidden = format!("attache sandbox --token {}", quoted("***"));
        assert_eq!(line(&["attache", "sandbox", "--token", "t-1"]), hidden);
        assert_eq!(line(&["attache", "sandbox", "--token=t-1"]), format!("attache sandbox {}", quoted("--token=***")));
        assert_eq!(
            line(&["attache", "auth", "status", "--api-domain", "https://me:pw@h.example"]),
            format!("attache auth status --api-domain {}", quoted("https://***@h.example"))
        );
    }
}
