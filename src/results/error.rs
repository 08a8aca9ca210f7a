//! What can be wrong with a results file before a run, in words for the person who has to go on from there.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::paths::PlaceError;
use crate::exit::Exit;
use crate::text::system_words;
use crate::units::counted;

/// The results file cannot be used. Nothing was sent, and the file is as it was.
#[derive(Debug)]
pub enum ResultsError {
    /// Nothing can be written at this place.
    Place(PlaceError),
    /// Another run has the lock.
    Locked {
        /// The lock file, or the results file itself.
        lock: PathBuf,
    },
    /// Other names lead to the file, by which another run could use it at the same time.
    Linked {
        /// The file.
        path: PathBuf,
        /// How many names it has in all.
        names: u64,
    },
    /// The file was to be replaced, but tells of something else than rehearsals.
    NotReplaced {
        /// The file.
        path: PathBuf,
    },
    /// Earlier runs left results here, and now there are none.
    Vanished {
        /// The results file.
        path: PathBuf,
        /// What knows of it: the list of runs, or the mark.
        list: PathBuf,
        /// What the list says was in it.
        held: VanishedHold,
    },
    /// The file is not a results file.
    NotResults {
        /// Which.
        path: PathBuf,
    },
    /// A line is not what was written.
    Edited {
        /// The file.
        path: PathBuf,
        /// Its physical line, from 1.
        line: u64,
        /// The first column that shows it.
        column: Option<String>,
        /// Whether edits were accepted, and this one is beyond repair.
        accepted: bool,
    },
    /// The file tells of another target.
    OtherTarget {
        /// The file.
        path: PathBuf,
        /// The target it names.
        theirs: String,
        /// The target of this run.
        ours: String,
    },
    /// No row of the manifest is in the file.
    OtherManifest {
        /// The file.
        path: PathBuf,
        /// The first row it tells of, to recognise its manifest by.
        theirs: String,
    },
    /// Fewer rows were uploaded, by the file, than when the last run ended.
    LinesMissing {
        /// The file.
        path: PathBuf,
        /// So many rows of it are uploaded.
        there: usize,
        /// So many were.
        known: u32,
    },
    /// The file does not hold what a run had made durable, by the mark beside it.
    BelowMark {
        /// The file.
        path: PathBuf,
        /// So many lines of it tell of what may have been created.
        there: u64,
        /// So many there were at least.
        known: u64,
    },
    /// The run that used the file last was cut off, and what it noted beside it is gone.
    MarkMissing {
        /// The file.
        path: PathBuf,
        /// The mark that should be there.
        mark: PathBuf,
        /// Id of that run.
        run: String,
    },
    /// The operating system refused something.
    Io {
        /// What was tried: "read", "lock".
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it came to nothing.
        cause: io::Error,
    },
}

impl ResultsError {
    pub(super) fn io(action: &'static str, path: &Path, cause: io::Error) -> ResultsError {
        ResultsError::Io { action, path: path.to_owned(), cause }
    }

    /// The exit status that this leads to.
    pub fn exit(&self) -> Exit {
        Exit::Results
    }
}

/// What results that are gone must have held, by the list of runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VanishedHold {
    /// Rows that were uploaded, or may have been.
    Created {
        /// So many were.
        uploaded: u32,
        /// So many may have been, or were there before.
        others: u32,
        /// When the last run ended that says so.
        finished: jiff::Timestamp,
    },
    /// Whatever a run did that began and never said how it ended.
    Unended {
        /// Its id.
        run: String,
    },
    /// Nobody knows: the list is damaged.
    Unknown,
    /// Lines that tell of something that was sent, by the mark.
    Lines {
        /// So many at least.
        lines: u64,
    },
}

impl fmt::Display for VanishedHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VanishedHold::Created { uploaded, others: 0, finished } => {
                write!(f, "the run that ended at {finished} left {} uploaded in it", counted(*uploaded, "row"))
            }
            VanishedHold::Created { uploaded, others, finished } => write!(
                f,
                "the run that ended at {finished} left {} uploaded in it, and {others} more that may be there",
                counted(*uploaded, "row")
            ),
            VanishedHold::Unknown => f.write_str("earlier runs may have left rows in it, for that list is damaged"),
            VanishedHold::Lines { lines } => {
                write!(f, "an earlier run had written {} to it that tell of what was sent", counted(*lines, "line"))
            }
            VanishedHold::Unended { run } => {
                write!(f, "the run {run} began and was cut off, and may have sent rows that only that file tells of")
            }
        }
    }
}

impl fmt::Display for ResultsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResultsError::Place(error) => error.fmt(f),
            ResultsError::Locked { lock } => write!(
                f,
                "another run is using these results (it holds the lock {}); wait for it to end, or stop it",
                lock.display()
            ),
            ResultsError::Linked { path, names } => write!(
                f,
                "{} has {names} names (hard links), and a run that uses it by another one would send rows twice; remove \
                 the others",
                path.display()
            ),
            ResultsError::NotReplaced { path } => write!(
                f,
                "{} is not the results of a rehearsal, so a rehearsal does not write over it; move it away",
                path.display()
            ),
            ResultsError::Vanished { path, list, held } => write!(
                f,
                "there is no {}, but by {} {held}; without it every row would be sent again. Put it back",
                path.display(),
                list.display(),
            ),
            ResultsError::NotResults { path } => write!(
                f,
                "{} is not a results file of attache: its first line is not the header of one (was it saved by a \
                 spreadsheet?); name the one that a run wrote, or put back the copy from before it was changed",
                path.display()
            ),
            ResultsError::Edited { path, line, column, accepted } => {
                write!(f, "line {line} of {} is not what attache wrote", path.display())?;
                if let Some(column) = column {
                    write!(f, ": column {column} was changed")?;
                }
                f.write_str(if *accepted {
                    "; which row it is about cannot be told any more, so it cannot be accepted: put back this line, or \
                     the copy of the file from before it was edited"
                } else {
                    "; put back the copy from before it was edited"
                })
            }
            ResultsError::OtherTarget { path, theirs, ours } => {
                write!(f, "{} tells of uploads to {theirs}, but this run sends to {ours}", path.display())
            }
            ResultsError::OtherManifest { path, theirs } => write!(
                f,
                "{} belongs to another manifest: it has no row of this one (its first is {theirs})",
                path.display()
            ),
            ResultsError::LinesMissing { path, there, known } => write!(
                f,
                "{} tells of {} that were sent, but when the last run ended there were {known}: lines are missing, \
                 and their rows would be sent again. Put back the whole file",
                path.display(),
                counted(*there, "row"),
            ),
            ResultsError::BelowMark { path, there, known } => {
                write!(f, "{} is not as the last run left it: ", path.display())?;
                if there < known {
                    let there = counted(*there, "line");
                    write!(f, "{there} of it tell of what was sent, and there were {known}, so lines are missing")?;
                } else {
                    f.write_str("the lines that tell of what was sent are other ones")?;
                }
                f.write_str(
                    ". Is it an older copy, or was its end cut off? What is missing would be sent again. Put back the \
                     file as that run left it",
                )
            }
            ResultsError::MarkMissing { path, mark, run } => write!(
                f,
                "the run {run} was cut off, and there is no {} by which to tell whether {} is still all that it had \
                 written. Put it back",
                mark.display(),
                path.display(),
            ),
            ResultsError::Io { action, path, cause } => {
                write!(f, "cannot {action} {}: {}", path.display(), system_words(cause))?;
                if *action == "lock" {
                    f.write_str("; some network folders know no locks")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ResultsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ResultsError::Io { cause, .. } => Some(cause),
            ResultsError::Place(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}

#[cfg(all(test, windows))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_another_program_holds_is_to_be_closed_there() {
        let held = ResultsError::io("open", Path::new("a.results.csv"), io::Error::from_raw_os_error(32));
        assert!(held.to_string().ends_with("another program has it open; close it there and try again"), "{held}");
    }
}
