//! Why nothing could be collected.

use std::fmt;
use std::io;

use crate::text::{masked_excerpt, system_words};

/// What a recipe needs to be told and was not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CollectNeed {
    /// The folder for files that the export holds as text.
    ExtractFolder,
    /// The module of records for which the export says none.
    Module,
    /// Which columns hold key and file or link.
    Columns,
}

impl fmt::Display for CollectNeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CollectNeed::ExtractFolder => "the files are inside the table, and need a folder to be put into",
            CollectNeed::Module => "nothing says which module the records are in",
            CollectNeed::Columns => "nothing says which column holds the key, and which the file or the link",
        })
    }
}

/// Why a collection came to nothing. What is wrong with single lines and files is no error: it is listed.
#[derive(Debug)]
pub enum CollectError {
    /// What was given is not laid out as the recipe needs it.
    NoLayout {
        /// The recipe.
        recipe: &'static str,
        /// What it looked for.
        wanted: String,
        /// Some names of what is there.
        found: Vec<String>,
    },
    /// Something that the user said makes no sense; says what.
    Usage(String),
    /// The recipe needs to be told something.
    Needs(CollectNeed),
    /// The system does not give something back, or does not take it: what, and why.
    Io(String, io::Error),
    /// Lines that were read and ended nowhere: a mistake in this program.
    Unaccounted {
        /// Lines that were read.
        lines: u64,
        /// Lines that are in the manifest or in the list of what was left out.
        ended: u64,
    },
}

impl fmt::Display for CollectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CollectError::NoLayout { recipe, wanted, found } => {
                write!(f, "this is no export that the recipe {recipe} knows: it looked for {wanted}, and ")?;
                match found.as_slice() {
                    [] => f.write_str("there is no file at all"),
                    names => {
                        let names: Vec<_> = names.iter().map(|name| masked_excerpt(name)).collect();
                        write!(f, "found {}", names.join(", "))
                    }
                }
            }
            CollectError::Usage(what) => f.write_str(what),
            CollectError::Needs(need) => need.fmt(f),
            CollectError::Io(what, error) => write!(f, "{what}: {}", system_words(error)),
            CollectError::Unaccounted { lines, ended } => write!(
                f,
                "{lines} lines were read and {ended} of them came out, which is a mistake in this program; nothing was \
                 written"
            ),
        }
    }
}

impl std::error::Error for CollectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CollectError::Io(_, error) => Some(error),
            _ => None,
        }
    }
}

/// Says what could not be read or written.
pub(super) trait OrWhat<T> {
    /// The value, or the error with this in front.
    fn or_what(self, what: impl FnOnce() -> String) -> Result<T, CollectError>;
}

impl<T> OrWhat<T> for io::Result<T> {
    fn or_what(self, what: impl FnOnce() -> String) -> Result<T, CollectError> {
        self.map_err(|error| CollectError::Io(what(), error))
    }
}
