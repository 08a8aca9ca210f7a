//! Turns a self client's grant code into a refresh token.

use std::fmt;

use super::error::TokenError;
use super::oauth::ask;
use super::secret::Secret;
use crate::zoho::hosts::Base;
use crate::zoho::http::{self, HttpError, HttpOptions};

/// What a grant code was exchanged for.
#[derive(Debug)]
pub struct Login {
    /// Lives until it is revoked.
    pub refresh_token: Secret,
    /// Where its organisation's API is.
    pub api_domain: Option<String>,
    /// The scopes it was granted, if the answer says so.
    pub scopes: Vec<String>,
}

/// Why there is no refresh token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoginError {
    /// Certificates or proxy.
    Http(HttpError),
    /// The accounts server does not grant it, or could not be asked; in words for the user.
    NotGranted(String),
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoginError::Http(error) => error.fmt(f),
            LoginError::NotGranted(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for LoginError {}

/// Exchanges a grant code; it can be used once, within minutes of being made.
///
/// # Errors
///
/// The code, the client or the data centre is wrong, or the server cannot be reached.
pub fn log_in(
    accounts: &Base,
    client_id: &Secret,
    client_secret: &Secret,
    code: &Secret,
    settings: &HttpOptions,
) -> Result<Login, LoginError> {
    let agent = http::agent(settings, accounts).map_err(LoginError::Http)?;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id.expose()),
        ("client_secret", client_secret.expose()),
        ("code", code.expose()),
    ];
    let grant =
        ask(&agent, accounts, &form).map_err(|refusal| LoginError::NotGranted(TokenError::from(refusal).message))?;
    let refresh_token = grant.refresh_token.ok_or_else(|| {
        LoginError::NotGranted(
            "the answer holds no refresh token: make the grant code with a self client in the API console, or with \
             access_type=offline"
                .to_owned(),
        )
    })?;
    let scopes = grant.scope.unwrap_or_default();
    let scopes = scopes.split([' ', ',']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    Ok(Login { refresh_token, api_domain: grant.api_domain, scopes })
}
