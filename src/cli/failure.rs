//! An error together with the exit status that it leads to.

use std::fmt;
use std::io;

use crate::exit::Exit;
use crate::text::system_words;

/// Why a command cannot go on, and how the program ends.
#[derive(Debug)]
pub struct Failure {
    /// The exit status.
    pub exit: Exit,
    /// What happened, with everything that led to it.
    pub error: anyhow::Error,
}

impl Failure {
    /// A mistake in how the program was called or set up.
    pub fn usage(error: impl Into<anyhow::Error>) -> Failure {
        Failure { exit: Exit::Usage, error: error.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words(&self.error))
    }
}

/// An error with what led to it. The modules' errors name their causes themselves; one that was only put into a context is
/// told behind it.
pub(super) fn words(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let words = match cause.downcast_ref::<io::Error>() {
            Some(error) => system_words(error),
            None => cause.to_string(),
        };
        if text.is_empty() {
            text = words;
        } else if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
    }
    text
}

/// Says how the program ends if this is an error.
pub trait OrExit<T> {
    /// The value, or the failure with this exit status.
    ///
    /// # Errors
    ///
    /// The same error, with the status.
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure { exit, error: error.into() })
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn what_an_error_was_put_into_does_not_hide_it_and_nothing_is_said_twice() {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let read: Result<(), io::Error> = Err(missing());
        let failure = Failure::usage(read.context("cannot read m.csv").expect_err("an error"));
        assert_eq!(failure.to_string(), "cannot read m.csv: there is no such file or folder");
        let named = crate::manifest::ManifestError::Unreadable("m.csv".into(), missing());
        let said = "cannot read the manifest m.csv: there is no such file or folder";
        assert_eq!(Failure::usage(named).to_string(), said);
    }
}
