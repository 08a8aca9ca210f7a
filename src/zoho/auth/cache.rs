//! The file in which processes hand a token to each other: readable by its owner alone, replaced as a whole, behind a lock
//! that lets one process renew while the others wait.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::cut_signal::CutSignal;
use super::error::TokenError;
use super::held_token::NewToken;
use super::oauth::ClientKeys;
use super::secret::Secret;
use crate::atomic_file::{create_private_folder, is_private, open_private, replace_private};
use crate::text::{hex, system_words};
use crate::zoho::hosts::Base;

/// How long another process may be busy renewing.
const LOCK_AT_MOST: Duration = Duration::from_secs(15 * 60);

/// The file in which processes hand a token to each other. Trouble with it costs a refresh, never a run.
pub(crate) struct TokenCache {
    folder: PathBuf,
    name: String,
}

#[derive(Serialize, Deserialize)]
struct CachedToken {
    #[serde(serialize_with = "for_the_owner")]
    access_token: Secret,
    api_domain: Option<String>,
    #[serde(default)]
    scope: Option<String>,
    /// Seconds since 1970, by the clock of this machine.
    since: u64,
    life_ms: Option<u64>,
}

/// Only this file may hold the text of a token.
fn for_the_owner<S: Serializer>(token: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(token.expose())
}

impl TokenCache {
    /// One file for each set of keys; its name tells nothing about them.
    pub(crate) fn new(folder: PathBuf, accounts: &Base, keys: &ClientKeys<'_>) -> TokenCache {
        let mut hash = Sha256::new();
        for part in [accounts.to_string().as_str(), keys.client_id.expose(), keys.refresh_token.expose()] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let name = hex(&hash.finalize()[..12]);
        TokenCache { folder, name }
    }

    /// Waits for any other process that is renewing. `None`: locks do not work here, so we go on without.
    pub(crate) fn lock(&self, cut: &CutSignal) -> Result<Option<File>, TokenError> {
        let path = self.folder.join(format!("{}.lock", self.name));
        let opened = create_private_folder(&self.folder).and_then(|()| open_private(&path));
        let file = match opened {
            Ok(file) => file,
            Err(error) => {
                log::warn!("tokens are not shared with other runs: {}: {}", path.display(), system_words(&error));
                return Ok(None);
            }
        };
        let started = Instant::now();
        while started.elapsed() < LOCK_AT_MOST {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(fs::TryLockError::WouldBlock) => cut.wait(Duration::from_millis(20))?,
                Err(fs::TryLockError::Error(_)) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The token that another process left, if it is still good.
    pub(crate) fn read(&self) -> Option<NewToken> {
        let mut file = File::open(self.path()).ok()?;
        if !is_private(&file.metadata().ok()?) {
            log::warn!("{} can be read by others, so it is not used", self.path().display());
            return None;
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).ok()?;
        let cached: CachedToken = serde_json::from_str(&text).ok()?;
        let life = cached.life_ms.map(Duration::from_millis)?;
        // A clock that was set back makes the age negative: then nothing is known of it.
        let age = Duration::from_secs(now().checked_sub(cached.since)?);
        if age >= life {
            return None;
        }
        Some(NewToken {
            token: cached.access_token,
            age,
            life: Some(life),
            api_domain: cached.api_domain,
            scope: cached.scope,
        })
    }

    /// Leaves a token for other processes. Where that fails, they renew for themselves.
    pub(crate) fn write(&self, issued: &NewToken) {
        let cached = CachedToken {
            access_token: issued.token.clone(),
            api_domain: issued.api_domain.clone(),
            scope: issued.scope.clone(),
            since: now(),
            life_ms: issued.life.and_then(|life| u64::try_from(life.as_millis()).ok()),
        };
        if let Err(error) = self.replace(&cached) {
            log::warn!("the token is not shared with other runs: {}: {}", self.path().display(), system_words(&error));
        }
    }

    fn replace(&self, cached: &CachedToken) -> std::io::Result<()> {
        let text = Zeroizing::new(serde_json::to_vec(cached)?);
        replace_private(&self.path(), |file| file.write_all(&text))
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.name))
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
