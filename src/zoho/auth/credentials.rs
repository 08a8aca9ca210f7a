//! What a user may hand over to get into the CRM.

use super::secret::Secret;

/// How to get a new access token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Renewal {
    /// Ask the accounts server.
    Refresh {
        /// The client's id; not a secret, but not shown either.
        client_id: Secret,
        /// The client's secret.
        client_secret: Secret,
        /// The refresh token, which lives until it is revoked.
        refresh_token: Secret,
    },
    /// Run this program; the first line it prints is the token.
    Command(Vec<String>),
}

/// What a run gets in with: an access token, a way to get one, or both.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Credentials {
    /// Used as it is until it is refused.
    pub access: Option<Secret>,
    /// How to get the next one.
    pub renewal: Option<Renewal>,
}

impl Credentials {
    /// Whether there is nothing to get in with.
    pub fn is_empty(&self) -> bool {
        self.access.is_none() && self.renewal.is_none()
    }

    /// An access token alone: that of a rehearsal server.
    pub fn token(token: Secret) -> Credentials {
        Credentials { access: Some(token), renewal: None }
    }
}
