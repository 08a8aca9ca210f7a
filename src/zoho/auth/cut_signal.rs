//! Ends every wait for a token at once.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::error::TokenError;
use crate::outcome::OwnCode;
use crate::reply::RetryBecause;

/// Ends all waiting at once, for the second Ctrl-C.
#[derive(Default, Debug)]
pub(crate) struct CutSignal {
    is_cut: Mutex<bool>,
    changed: Condvar,
}

impl CutSignal {
    pub(crate) fn cut(&self) {
        *self.is_cut.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    pub(crate) fn is_cut(&self) -> bool {
        *self.is_cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits so long.
    ///
    /// # Errors
    ///
    /// When it is cut short.
    pub(crate) fn wait(&self, time: Duration) -> Result<(), TokenError> {
        let is_cut = self.is_cut.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(is_cut, time, |is_cut| !*is_cut);
        let (is_cut, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *is_cut {
            return Err(TokenError::passing(
                RetryBecause::NotConnected,
                OwnCode::Interrupted,
                "interrupted before a token came",
            ));
        }
        Ok(())
    }
}
