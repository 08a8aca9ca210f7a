//! An error together with the exit status that it leads to.

use std::fmt;

use crate::exit::Exit;

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
        // The modules' errors name their causes themselves.
        write!(f, "{}", self.error)
    }
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
