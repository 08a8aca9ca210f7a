//! Why the log of a run takes no further line, or does not give back what it holds.

use std::fmt;
use std::io;

use super::disk::Placement;
use super::end::displacement;
use crate::text::system_words;

/// An error of the log. It can be copied to everybody who waited for the same lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogError {
    /// The system refused to write, or to see the lines to the disk; its words.
    Write(String),
    /// The system refused to read, or what it gave is not what was written; its words.
    Read(String),
    /// The path of the results leads elsewhere: what is written here is not what the next run goes by.
    Displaced(Placement),
    /// An error came before; nothing is written after one, so that what stands there stays true.
    Broken,
    /// Our own code failed while it was writing.
    OurMistake,
}

impl LogError {
    pub(super) fn write(error: &io::Error) -> LogError {
        LogError::Write(system_words(error))
    }

    pub(super) fn read(error: &io::Error) -> LogError {
        LogError::Read(system_words(error))
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogError::Write(words) | LogError::Read(words) => f.write_str(words),
            LogError::Displaced(placement) => f.write_str(displacement(*placement)),
            LogError::Broken => f.write_str("writing the results failed before"),
            LogError::OurMistake => f.write_str("attache made a mistake, which it told above; please report it"),
        }
    }
}

impl std::error::Error for LogError {}
