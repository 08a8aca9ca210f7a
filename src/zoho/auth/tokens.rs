//! The keeper of the access token: lends it, renews it when it is due or refused, and gives up for good when there can be
//! none.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ureq::Agent;

use super::TokenOptions;
use super::cache::TokenCache;
use super::command::token_from_command;
use super::credentials::{Credentials, Renewal};
use super::cut_signal::CutSignal;
use super::error::{TokenError, nothing_to_renew_with, too_many};
use super::held_token::{HeldToken, NewToken};
use super::oauth::{ClientKeys, OAuthRefusal, ask};
use super::secret::Secret;
use crate::outcome::OwnCode;
use crate::reply::StopBecause;
use crate::zoho::hosts::{Base, Target};

/// After a renewal ahead of time failed for a passing reason, the old token is used this long before the next try.
const AHEAD_AGAIN: Duration = Duration::from_secs(30);
/// So many new tokens without one request that succeeds: the fault is not the token's.
const UNPROVED_AT_MOST: u32 = 3;
/// A longer pause than this that the accounts server names is not sat through: the usual tries are made, and then the run
/// stops.
const LONGEST_DENIED_WAIT: Duration = Duration::from_secs(15 * 60);

/// A token lent for one request.
pub(crate) struct Lease {
    pub(crate) token: Arc<Secret>,
    /// Where it may be used.
    pub(crate) target: Arc<Target>,
    /// To be handed back with a refusal.
    pub(crate) generation: u64,
}

struct TokenState {
    held: Option<HeldToken>,
    generation: u64,
    target: Arc<Target>,
    /// The same as the token's own answer completes it; another one than `target` until that is accepted.
    completed: Option<Arc<Target>>,
    scopes: Option<String>,
    /// Once there can be no token, nobody asks again.
    ended: Option<TokenError>,
}

/// Keeper of the access token.
pub(crate) struct Tokens {
    renewal: Option<Renewal>,
    agent: Option<Agent>,
    settings: TokenOptions,
    state: Mutex<TokenState>,
    /// New tokens since the last request that was let in.
    unproved: AtomicU32,
    /// One more than the latest generation with which a request was let in; 0 if none was.
    proved: AtomicU64,
    cut: Arc<CutSignal>,
}

impl Tokens {
    /// `agent` connects to the target's accounts server.
    pub(crate) fn new(
        target: Target,
        credentials: Credentials,
        agent: Option<Agent>,
        settings: TokenOptions,
        cut: Arc<CutSignal>,
    ) -> Tokens {
        let state = TokenState {
            held: credentials.access.map(HeldToken::given),
            generation: 0,
            target: Arc::new(target),
            completed: None,
            scopes: None,
            ended: None,
        };
        Tokens {
            renewal: credentials.renewal,
            agent,
            settings,
            state: Mutex::new(state),
            unproved: AtomicU32::new(0),
            proved: AtomicU64::new(0),
            cut,
        }
    }

    /// A token that is good as far as we know, for the target that everybody was told of.
    pub(crate) fn lease(&self) -> Result<Lease, TokenError> {
        let mut state = self.lock();
        self.ensure_token(&mut state)?;
        if let Some(completed) = state.completed.as_ref().filter(|completed| **completed != state.target) {
            let (told, named) = (completed.api(), state.target.api());
            let message = format!("the token belongs to {told}, not to {named}: name {told} as the API domain");
            return Err(TokenError::stop(StopBecause::Target, OwnCode::OtherTarget, message));
        }
        let token = state.held.as_ref().map(|held| Arc::clone(&held.token)).ok_or_else(nothing_to_renew_with)?;
        Ok(Lease { token, target: Arc::clone(&state.target), generation: state.generation })
    }

    /// Gets a token and takes on the target that its own answer names, where the user named none. Results are kept by
    /// target, so this is for the beginning only.
    pub(crate) fn find_target(&self) -> Result<Arc<Target>, TokenError> {
        let mut state = self.lock();
        self.ensure_token(&mut state)?;
        if let Some(completed) = state.completed.clone() {
            state.target = completed;
        }
        Ok(Arc::clone(&state.target))
    }

    fn ensure_token(&self, state: &mut TokenState) -> Result<(), TokenError> {
        if let Some(ended) = &state.ended {
            return Err(ended.clone());
        }
        if state.held.as_ref().is_none_or(HeldToken::is_due) {
            self.renew_ahead(state)?;
        }
        Ok(())
    }

    /// After a refusal of the token of this generation: `Ok` means that there is another one by now.
    pub(crate) fn refused(&self, generation: u64) -> Result<(), TokenError> {
        let mut state = self.lock();
        if let Some(ended) = &state.ended {
            return Err(ended.clone());
        }
        if state.generation != generation {
            return Ok(());
        }
        let result = self.check_age(&state).and_then(|()| self.renew(&mut state));
        self.remember(&mut state, result)
    }

    /// A request with the token of this generation was let in.
    pub(crate) fn worked(&self, generation: u64) {
        self.unproved.store(0, Ordering::Relaxed);
        self.proved.fetch_max(generation + 1, Ordering::Relaxed);
    }

    /// Where the current token may be used.
    pub(crate) fn target(&self) -> Arc<Target> {
        Arc::clone(&self.lock().target)
    }

    /// What the current token was granted, in the accounts server's words.
    pub(crate) fn scopes(&self) -> Option<String> {
        self.lock().scopes.clone()
    }

    /// When the current token ends, if that is known.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let state = self.lock();
        let held = state.held.as_ref()?;
        Some(held.life?.saturating_sub(held.age()?))
    }

    fn lock(&self) -> MutexGuard<'_, TokenState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, state: &mut TokenState, result: Result<(), TokenError>) -> Result<(), TokenError> {
        if let Err(failure) = &result
            && failure.is_final()
        {
            state.ended = Some(failure.clone());
        }
        result
    }

    /// A token that was let in and is refused now has lapsed, however young it is: somebody revoked it, or asked for so
    /// many that the oldest ended. One that never worked is refused for another reason, and more of them would only lock
    /// us out. Before another is asked for, the least time between two renewals passes.
    fn check_age(&self, state: &TokenState) -> Result<(), TokenError> {
        let Some(held) = &state.held else { return Ok(()) };
        let Some(age) = held.age() else { return Ok(()) };
        let Some(rest) = self.settings.least_between.checked_sub(age).filter(|rest| !rest.is_zero()) else {
            return Ok(());
        };
        if held.has_ended() || self.proved.load(Ordering::Relaxed) > state.generation {
            return self.cut.wait(rest);
        }
        Err(TokenError::credentials(format!(
            "a token only {} s old was refused before it ever worked, so its age is not the reason",
            age.as_secs()
        )))
    }

    /// While the old token still works, a renewal that fails for a passing reason can wait.
    fn renew_ahead(&self, state: &mut TokenState) -> Result<(), TokenError> {
        if let Some(held) = &state.held {
            let age = held.age().unwrap_or(Duration::MAX);
            if age < self.settings.least_between {
                if !held.has_ended() {
                    return Ok(());
                }
                self.cut.wait(self.settings.least_between - age)?;
            }
        }
        match self.renew(state) {
            Err(failure) if !failure.is_final() && state.held.as_ref().is_some_and(|held| !held.has_ended()) => {
                if let Some(held) = &mut state.held {
                    held.due_at = held.age().map(|age| age + AHEAD_AGAIN);
                }
                Ok(())
            }
            result => self.remember(state, result),
        }
    }

    fn renew(&self, state: &mut TokenState) -> Result<(), TokenError> {
        if self.unproved.load(Ordering::Relaxed) >= UNPROVED_AT_MOST {
            return Err(TokenError::credentials(format!(
                "{UNPROVED_AT_MOST} new tokens in a row were refused, so more of them will not help"
            )));
        }
        let old = state.held.as_ref().map(|held| Arc::clone(&held.token));
        let issued = match self.renewal.as_ref().ok_or_else(nothing_to_renew_with)? {
            Renewal::Command(content) => token_from_command(content)?,
            Renewal::Refresh { client_id, client_secret, refresh_token } => {
                let keys = ClientKeys { client_id, client_secret, refresh_token };
                self.get_from_server(&state.target, &keys, old.as_deref())?
            }
        };
        self.adopt(state, issued)
    }

    fn adopt(&self, state: &mut TokenState, issued: NewToken) -> Result<(), TokenError> {
        if issued.token.is_of_rehearsal() && !state.target.api().is_loopback() {
            return Err(TokenError::credentials("the token was made by a rehearsal server and is not sent elsewhere"));
        }
        if let Some(told) = &issued.api_domain {
            let target = state.target.completed_by(told);
            let target = target
                .map_err(|error| TokenError::stop(StopBecause::Target, OwnCode::OtherTarget, error.to_string()))?;
            state.completed = Some(Arc::new(target));
        }
        state.scopes = issued.scope.or(state.scopes.take());
        state.held = Some(HeldToken::issued(issued.token, issued.age, issued.life));
        state.generation += 1;
        self.unproved.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Takes it from the cache if another process has renewed meanwhile, else from the accounts server.
    fn get_from_server(
        &self,
        target: &Target,
        keys: &ClientKeys<'_>,
        old: Option<&Secret>,
    ) -> Result<NewToken, TokenError> {
        let (Some(accounts), Some(agent)) = (target.accounts(), &self.agent) else {
            return Err(TokenError::credentials(
                "which server gives out tokens is not known: name it, or the data centre",
            ));
        };
        let cache = self.settings.cache_folder.as_ref().map(|folder| TokenCache::new(folder.clone(), accounts, keys));
        let _lock = cache.as_ref().map(|cache| cache.lock(&self.cut)).transpose()?.flatten();
        if let Some(issued) = cache.as_ref().and_then(TokenCache::read)
            && old != Some(&issued.token)
        {
            return Ok(issued);
        }
        let issued = self.ask_patiently(agent, accounts, keys)?;
        if let Some(cache) = &cache {
            cache.write(&issued);
        }
        Ok(issued)
    }

    fn ask_patiently(&self, agent: &Agent, accounts: &Base, keys: &ClientKeys<'_>) -> Result<NewToken, TokenError> {
        let mut waits = self.settings.denied_waits.iter();
        loop {
            let form = [
                ("grant_type", "refresh_token"),
                ("client_id", keys.client_id.expose()),
                ("client_secret", keys.client_secret.expose()),
                ("refresh_token", keys.refresh_token.expose()),
            ];
            match (ask(agent, accounts, &form), waits.next()) {
                (Ok(grant), _) => {
                    return Ok(NewToken {
                        token: grant.access_token,
                        age: Duration::ZERO,
                        life: grant.life,
                        api_domain: grant.api_domain,
                        scope: grant.scope,
                    });
                }
                (Err(OAuthRefusal::TooMany(named)), Some(wait)) => {
                    let wait = named.filter(|named| *named <= LONGEST_DENIED_WAIT).unwrap_or_default().max(*wait);
                    log::warn!(
                        "the accounts server gives out no more tokens for now; asking again in {} s",
                        wait.as_secs()
                    );
                    self.cut.wait(wait)?;
                }
                (Err(OAuthRefusal::TooMany(_)), None) => return Err(too_many()),
                (Err(OAuthRefusal::Other(failure)), _) => return Err(failure),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Verdict;
    use crate::zoho::Where;

    fn tokens(place: Where) -> Tokens {
        let target = place.target().expect("a target");
        Tokens::new(target, Credentials::default(), None, TokenOptions::default(), Arc::default())
    }

    fn issued(token: &str, api_domain: &str) -> NewToken {
        let token = Secret::new(token).expect("a secret");
        NewToken {
            token,
            age: Duration::ZERO,
            life: Some(Duration::from_secs(3600)),
            api_domain: Some(api_domain.to_owned()),
            scope: None,
        }
    }

    fn adopt(tokens: &Tokens, token: &str, api_domain: &str) -> Result<(), TokenError> {
        tokens.adopt(&mut tokens.lock(), issued(token, api_domain))
    }

    const SANDBOX: &str = "https://sandbox.zohoapis.eu";

    #[test]
    fn a_token_of_another_place_than_was_named_is_not_used() {
        let named = tokens(Where { api_domain: Some("https://www.zohoapis.eu".to_owned()), ..Where::default() });
        let refused = adopt(&named, "1000.a", "https://www.zohoapis.com").expect_err("another data centre");
        assert_eq!((refused.verdict, refused.code), (Verdict::Stop(StopBecause::Target), OwnCode::OtherTarget));
        assert_eq!(adopt(&named, "1000.a", "https://www.zohoapis.eu"), Ok(()));
        let rehearsal = adopt(&named, "sandbox-1", "https://www.zohoapis.eu").expect_err("a rehearsal's token");
        assert_eq!(rehearsal.code, OwnCode::CredentialsRefused);
    }

    #[test]
    fn where_none_was_named_the_tokens_own_place_is_taken_at_the_beginning_only() {
        let unnamed =
            || tokens(Where { accounts_url: Some("https://accounts.zoho.eu".to_owned()), ..Where::default() });
        let asked_first = unnamed();
        adopt(&asked_first, "1000.a", SANDBOX).expect("adopted");
        assert_eq!(asked_first.find_target().map(|target| target.label()).as_deref(), Ok("sandbox.zohoapis.eu"));
        assert_eq!(asked_first.lease().map(|lease| lease.target.api().to_string()).as_deref(), Ok(SANDBOX));

        let in_mid_run = unnamed();
        adopt(&in_mid_run, "1000.a", SANDBOX).expect("adopted");
        let refused = in_mid_run.lease().err().expect("results are kept under another name");
        assert!(refused.message.contains("name https://sandbox.zohoapis.eu as the API domain"), "{}", refused.message);
    }
}
