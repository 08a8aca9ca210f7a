//! Why there is no token.

use std::time::Duration;

use crate::outcome::OwnCode;
use crate::reply::{RetryBecause, StopBecause, Verdict};

/// Why there is no token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TokenError {
    pub(crate) verdict: Verdict,
    pub(crate) code: OwnCode,
    pub(crate) message: String,
    /// How long the accounts server asked to wait.
    pub(crate) retry_after: Option<Duration>,
}

impl TokenError {
    pub(crate) fn stop(because: StopBecause, code: OwnCode, message: impl Into<String>) -> TokenError {
        TokenError { verdict: Verdict::Stop(because), code, message: message.into(), retry_after: None }
    }

    pub(crate) fn credentials(message: impl Into<String>) -> TokenError {
        TokenError::stop(StopBecause::Credentials, OwnCode::CredentialsRefused, message)
    }

    pub(crate) fn passing(because: RetryBecause, code: OwnCode, message: impl Into<String>) -> TokenError {
        TokenError { verdict: Verdict::Retry(because), code, message: message.into(), retry_after: None }
    }

    pub(crate) fn is_final(&self) -> bool {
        matches!(self.verdict, Verdict::Stop(_))
    }
}

pub(crate) fn nothing_to_renew_with() -> TokenError {
    TokenError::credentials(
        "the access token was refused or has expired, and nothing was given to get a new one with (see `attache auth login`)",
    )
}

pub(crate) fn too_many() -> TokenError {
    TokenError::stop(
        StopBecause::Credentials,
        OwnCode::TooManyTokens,
        "the accounts server still gives out no token, because too many were asked for; run again in 15 minutes to go on",
    )
}
