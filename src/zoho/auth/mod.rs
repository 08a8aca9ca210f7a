//! Getting in: the access token, one for all threads, renewed by one of them at a time, shared with other processes on
//! request.
//!
//! A token lives an hour, and the accounts server locks a client out that asks for more than ten in ten minutes. So a
//! generation number says which token a refusal is about, a lock lets one thread renew while the others wait for the
//! result, and a file that only the user can read lets the next process take over a token that is still good.
//!
//! | to change | open |
//! | --- | --- |
//! | how a secret stays out of logs and messages | `secret.rs` |
//! | what a user may hand over to get in | `credentials.rs` |
//! | when a token is renewed, who waits for it | `tokens.rs`, `held_token.rs` |
//! | what is asked of the accounts server, what it grants or refuses | `oauth.rs` |
//! | the tokens that processes share | `cache.rs` |
//! | the program that prints a token | `command.rs` |
//! | a login with a grant code | `login.rs` |
//! | how the second Ctrl-C ends waiting | `cut_signal.rs` |

mod cache;
mod command;
mod credentials;
mod cut_signal;
mod error;
mod held_token;
mod login;
mod oauth;
mod secret;
mod tokens;

pub use self::credentials::{Credentials, Renewal};
pub(super) use self::cut_signal::CutSignal;
pub(super) use self::error::TokenError;
pub use self::login::log_in;
pub use self::secret::Secret;
pub(super) use self::tokens::{Lease, Tokens};

use std::path::PathBuf;
use std::time::Duration;

/// How tokens are renewed.
#[derive(Clone, Debug)]
pub struct TokenOptions {
    /// Least time between two renewals.
    pub least_between: Duration,
    /// Waits when the accounts server says that too many tokens were asked for; after the last one the run stops.
    pub denied_waits: Vec<Duration>,
    /// Folder of the tokens shared between processes; none: not shared.
    pub cache_folder: Option<PathBuf>,
}

impl Default for TokenOptions {
    fn default() -> TokenOptions {
        TokenOptions {
            least_between: Duration::from_secs(60),
            // Asking again too early makes the lockout longer; it has been seen to end after 3 to 15 minutes.
            denied_waits: [60, 120, 240].map(Duration::from_secs).to_vec(),
            cache_folder: None,
        }
    }
}
