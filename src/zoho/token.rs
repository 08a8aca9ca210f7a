//! The access token: one for all threads, renewed by one of them at a time, shared with other processes on request.
//!
//! A token lives an hour, and the accounts server locks a client out that asks for more than ten in ten minutes. So a
//! generation number says which token a refusal is about, a lock lets one thread renew while the others wait for the
//! result, and a file that only the user can read lets the next process take over a token that is still good.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};
use ureq::Agent;
use zeroize::Zeroizing;

use super::answer::{strip_for_terminal, web_page};
use super::classify::{TransportError, broken_code};
use super::credentials::{Credentials, Renewal, Secret};
use super::hosts::{Base, Target};
use super::http;
use crate::outcome::OwnCode;
use crate::reply::{RetryBecause, StopBecause, Verdict};

/// A token that lives at least twice this long is renewed this long before its end, so that none expires on the way.
const RENEW_AHEAD: Duration = Duration::from_secs(300);
/// What a token lives if the answer does not say.
const USUAL_LIFE: Duration = Duration::from_secs(3600);
/// After a renewal ahead of time failed for a passing reason, the old token is used this long before the next try.
const AHEAD_AGAIN: Duration = Duration::from_secs(30);
/// So many new tokens without one request that succeeds: the fault is not the token's.
const UNPROVED_AT_MOST: u32 = 3;
/// A longer pause than this that the accounts server names is not sat through: the usual tries are made, and then the run
/// stops.
const LONGEST_DENIED_WAIT: Duration = Duration::from_secs(15 * 60);
/// How long another process may be busy renewing.
const LOCK_AT_MOST: Duration = Duration::from_secs(15 * 60);

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
    fn stop(because: StopBecause, code: OwnCode, message: impl Into<String>) -> TokenError {
        TokenError { verdict: Verdict::Stop(because), code, message: message.into(), retry_after: None }
    }

    fn credentials(message: impl Into<String>) -> TokenError {
        TokenError::stop(StopBecause::Credentials, OwnCode::CredentialsRefused, message)
    }

    fn passing(because: RetryBecause, code: OwnCode, message: impl Into<String>) -> TokenError {
        TokenError { verdict: Verdict::Retry(because), code, message: message.into(), retry_after: None }
    }

    fn is_final(&self) -> bool {
        matches!(self.verdict, Verdict::Stop(_))
    }
}

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

    fn wait(&self, time: Duration) -> Result<(), TokenError> {
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

/// A token lent for one request.
pub(crate) struct Lease {
    pub(crate) token: Arc<Secret>,
    /// Where it may be used.
    pub(crate) target: Arc<Target>,
    /// To be handed back with a refusal.
    pub(crate) generation: u64,
}

/// A token as it was got.
struct NewToken {
    token: Secret,
    /// How old it was when we got it; more than nothing if another process had got it.
    age: Duration,
    life: Option<Duration>,
    api_domain: Option<String>,
    scope: Option<String>,
}

/// A moment by both clocks of the machine: one stands still while it sleeps, the other can be set.
#[derive(Clone, Copy)]
struct ClockReading {
    steady: Instant,
    wall: SystemTime,
}

impl ClockReading {
    fn now() -> ClockReading {
        ClockReading { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// What has passed by the clock that says more: an hour in a closed laptop ages a token like any other hour.
    fn elapsed(self) -> Duration {
        self.steady.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

struct HeldToken {
    token: Arc<Secret>,
    /// When we got it, and how old it was then; `None` for a token that the user gave.
    got: Option<(ClockReading, Duration)>,
    life: Option<Duration>,
    /// The age from which on it is to be renewed.
    due_at: Option<Duration>,
}

impl HeldToken {
    fn given(token: Secret) -> HeldToken {
        HeldToken { token: Arc::new(token), got: None, life: None, due_at: None }
    }

    fn issued(token: Secret, age: Duration, life: Option<Duration>) -> HeldToken {
        let ahead = life.filter(|life| *life >= 2 * RENEW_AHEAD).map_or(Duration::ZERO, |_| RENEW_AHEAD);
        HeldToken {
            token: Arc::new(token),
            got: Some((ClockReading::now(), age)),
            life,
            due_at: life.map(|life| life.saturating_sub(ahead)),
        }
    }

    fn age(&self) -> Option<Duration> {
        self.got.map(|(got, age)| got.elapsed() + age)
    }

    fn is_older_than(&self, limit: Option<Duration>) -> bool {
        self.age().zip(limit).is_some_and(|(age, limit)| age >= limit)
    }

    fn is_due(&self) -> bool {
        self.is_older_than(self.due_at)
    }

    fn has_ended(&self) -> bool {
        self.is_older_than(self.life)
    }
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
            let message = format!("the token belongs to {told}, not to {named}: name it with --api-domain {told}");
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
            Renewal::Command(content) => get_from_command(content)?,
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
                "which server gives out tokens is not known: name it with --accounts-url or --dc",
            ));
        };
        let cache = self.settings.cache_folder.as_ref().map(|folder| Cache::new(folder.clone(), accounts, keys));
        let _lock = cache.as_ref().map(|cache| cache.lock(&self.cut)).transpose()?.flatten();
        if let Some(issued) = cache.as_ref().and_then(Cache::read)
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

fn nothing_to_renew_with() -> TokenError {
    TokenError::credentials(
        "the access token was refused or has expired, and nothing was given to get a new one with (see `attache auth login`)",
    )
}

fn too_many() -> TokenError {
    TokenError::stop(
        StopBecause::Credentials,
        OwnCode::TooManyTokens,
        "the accounts server still gives out no token, because too many were asked for; run again in 15 minutes to go on",
    )
}

/// The first line that the user's program prints.
fn get_from_command(content: &[String]) -> Result<NewToken, TokenError> {
    let failure = |why: String| TokenError::credentials(format!("token_command {why}"));
    let (program, arguments) = content.split_first().ok_or_else(|| failure("is empty".to_owned()))?;
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| failure(format!("`{program}` cannot be started: {error}")))?;
    let printed = Zeroizing::new(output.stdout);
    if !output.status.success() {
        return Err(failure(format!("`{program}` failed ({})", output.status)));
    }
    let line = printed.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let token = std::str::from_utf8(line).ok().and_then(|line| Secret::new(line).ok());
    let token = token.ok_or_else(|| failure(format!("`{program}` printed no token on its first line")))?;
    Ok(NewToken { token, age: Duration::ZERO, life: None, api_domain: None, scope: None })
}

struct ClientKeys<'a> {
    client_id: &'a Secret,
    client_secret: &'a Secret,
    refresh_token: &'a Secret,
}

/// What the accounts server grants.
pub(crate) struct Grant {
    pub(crate) access_token: Secret,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) life: Option<Duration>,
    pub(crate) api_domain: Option<String>,
    pub(crate) scope: Option<String>,
}

/// Why it grants nothing.
pub(crate) enum OAuthRefusal {
    /// Too many were asked for; passes after minutes.
    TooMany(Option<Duration>),
    /// Anything else.
    Other(TokenError),
}

impl From<OAuthRefusal> for TokenError {
    fn from(refusal: OAuthRefusal) -> TokenError {
        match refusal {
            OAuthRefusal::TooMany(_) => too_many(),
            OAuthRefusal::Other(failure) => failure,
        }
    }
}

/// Asks the accounts server. Secrets go in the body, where no log of addresses sees them.
pub(crate) fn ask(agent: &Agent, accounts: &Base, form: &[(&str, &str)]) -> Result<Grant, OAuthRefusal> {
    let result = agent.post(format!("{accounts}/oauth/v2/token")).send_form(form.iter().copied());
    let mut response = match result {
        Ok(response) => response,
        Err(error) => return Err(OAuthRefusal::Other(not_reached(accounts, &error))),
    };
    let status = response.status().as_u16();
    if (300..400).contains(&status) {
        let message = format!("{accounts} redirects instead of answering; check --dc or --accounts-url");
        return Err(OAuthRefusal::Other(TokenError::stop(StopBecause::Target, OwnCode::Redirected, message)));
    }
    let retry_after = http::asks_to_wait(&response);
    let body = Zeroizing::new(http::read_body(&mut response).unwrap_or_default());
    granted(accounts, status, &body).map_err(|refusal| match refusal {
        OAuthRefusal::TooMany(_) => OAuthRefusal::TooMany(retry_after),
        OAuthRefusal::Other(failure) => {
            let message = without_secrets(failure.message, form);
            OAuthRefusal::Other(TokenError { message, retry_after, ..failure })
        }
    })
}

/// A complaint of the server's without what it was sent, which it may well repeat.
fn without_secrets(message: String, form: &[(&str, &str)]) -> String {
    let secrets = form.iter().filter(|(key, _)| *key != "grant_type").filter_map(|(_, value)| Secret::new(*value).ok());
    secrets.fold(message, |message, secret| secret.masked_in(message))
}

fn not_reached(accounts: &Base, error: &ureq::Error) -> TokenError {
    let message = format!("{accounts}: {}", http::detail(error));
    let how = http::broken(error);
    let verdict = match how {
        TransportError::Certificate | TransportError::Proxy => Verdict::Stop(StopBecause::Target),
        TransportError::Shortage => Verdict::Retry(RetryBecause::LocalShortage),
        TransportError::Connection => Verdict::Retry(RetryBecause::NotConnected),
    };
    TokenError { verdict, code: broken_code(how), message, retry_after: None }
}

/// The answer of the accounts server; whether it is a grant is told by the token in it, since refusals come with status
/// 200 too.
#[derive(Deserialize, Default)]
struct GrantAnswer {
    access_token: Option<Secret>,
    refresh_token: Option<Secret>,
    expires_in: Option<Value>,
    expires_in_sec: Option<Value>,
    api_domain: Option<String>,
    scope: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

fn granted(accounts: &Base, status: u16, body: &[u8]) -> Result<Grant, OAuthRefusal> {
    let answer: GrantAnswer = serde_json::from_slice(body).unwrap_or_default();
    if let Some(token) = answer.access_token {
        return Ok(Grant {
            access_token: token,
            refresh_token: answer.refresh_token,
            life: life(answer.expires_in.as_ref(), answer.expires_in_sec.as_ref()),
            api_domain: answer.api_domain,
            scope: answer.scope,
        });
    }
    let error = strip_for_terminal(answer.error.as_deref().unwrap_or_default(), 100);
    let described = answer.error_description.unwrap_or_default().to_ascii_lowercase();
    let in_text =
        || String::from_utf8_lossy(&body[..body.len().min(512)]).to_ascii_lowercase().contains("access denied");
    let denied = matches!(error.to_ascii_lowercase().as_str(), "access_denied" | "access denied");
    if denied || status == 429 || described.contains("too many requests") || (error.is_empty() && in_text()) {
        return Err(OAuthRefusal::TooMany(None));
    }
    let refused = |message: String| TokenError::credentials(message);
    Err(OAuthRefusal::Other(match error.as_str() {
        "invalid_code" => refused(
            "the refresh token (or grant code) is revoked, expired or already used: make a new one and run `attache auth login`"
                .to_owned(),
        ),
        "invalid_client" | "invalid_client_secret" => refused(format!(
            "{accounts} does not know this client id and secret ({error}); most often the data centre is the wrong one: the \
             client must have been made where the organisation lives, and --dc must name that place"
        )),
        "" if status < 500 && let Some(page) = web_page(body) => TokenError::stop(
            StopBecause::Target,
            OwnCode::LoginPage,
            format!(
                "{accounts} gave {page}, instead of a token (HTTP {status}): is it the address of an accounts server? Check \
                 --accounts-url and --dc"
            ),
        ),
        "" if (400..500).contains(&status) => refused(format!("{accounts} refused to give a token (HTTP {status})")),
        "" => TokenError::passing(RetryBecause::Passing, OwnCode::ServerError, format!("{accounts} gave no usable answer (HTTP {status})")),
        other => refused(format!("{accounts} refused to give a token: {other}")),
    }))
}

/// Where `expires_in_sec` stands too, `expires_in` counts milliseconds; and some answers have only a number that makes
/// sense as milliseconds.
fn life(expires_in: Option<&Value>, expires_in_sec: Option<&Value>) -> Option<Duration> {
    const DAY: u64 = 24 * 60 * 60;
    let life = match (number(expires_in_sec), number(expires_in)) {
        (Some(seconds), _) if seconds > 0 => Duration::from_secs(seconds),
        (Some(_), Some(millis)) => Duration::from_millis(millis),
        (_, Some(millis)) if millis > DAY => Duration::from_millis(millis),
        (_, Some(seconds)) => Duration::from_secs(seconds),
        (_, None) => USUAL_LIFE,
    };
    // A life of nothing would be renewed for ever; such a token is used until it is refused.
    Some(life.min(Duration::from_secs(DAY))).filter(|life| !life.is_zero())
}

fn number(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    }
}

/// The file in which processes hand a token to each other. Trouble with it costs a refresh, never a run.
struct Cache {
    folder: PathBuf,
    name: String,
}

#[derive(Serialize, Deserialize)]
struct Cached {
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

impl Cache {
    /// One file for each set of keys; its name tells nothing about them.
    fn new(folder: PathBuf, accounts: &Base, keys: &ClientKeys<'_>) -> Cache {
        let mut hash = Sha256::new();
        for part in [accounts.to_string().as_str(), keys.client_id.expose(), keys.refresh_token.expose()] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let name = hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        Cache { folder, name }
    }

    /// Waits for any other process that is renewing. `None`: locks do not work here, so we go on without.
    fn lock(&self, cut: &CutSignal) -> Result<Option<File>, TokenError> {
        let path = self.folder.join(format!("{}.lock", self.name));
        let opened = create_private_folder(&self.folder).and_then(|()| private_file(&path));
        let file = match opened {
            Ok(file) => file,
            Err(error) => {
                log::warn!("tokens are not shared with other runs: {}: {error}", path.display());
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

    fn read(&self) -> Option<NewToken> {
        let mut file = File::open(self.path()).ok()?;
        if !super::is_private(&file.metadata().ok()?) {
            log::warn!("{} can be read by others, so it is not used", self.path().display());
            return None;
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).ok()?;
        let cached: Cached = serde_json::from_str(&text).ok()?;
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

    fn write(&self, issued: &NewToken) {
        let cached = Cached {
            access_token: issued.token.clone(),
            api_domain: issued.api_domain.clone(),
            scope: issued.scope.clone(),
            since: now(),
            life_ms: issued.life.and_then(|life| u64::try_from(life.as_millis()).ok()),
        };
        if let Err(error) = self.replace(&cached) {
            log::warn!("the token is not shared with other runs: {}: {error}", self.path().display());
        }
    }

    fn replace(&self, cached: &Cached) -> std::io::Result<()> {
        let text = Zeroizing::new(serde_json::to_vec(cached)?);
        // Made readable by its owner alone, then moved into place as a whole.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&text)?;
        file.persist(self.path())?;
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.name))
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn create_private_folder(folder: &std::path::Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

fn private_file(path: &std::path::Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
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
            life: Some(USUAL_LIFE),
            api_domain: Some(api_domain.to_owned()),
            scope: None,
        }
    }

    #[test]
    fn a_complaint_that_repeats_the_secrets_is_told_without_them() {
        let form =
            [("grant_type", "refresh_token"), ("client_secret", "hush-hush-1"), ("refresh_token", "1000.abc.def")];
        let told = without_secrets("no refresh_token 1000.abc.def for hush-hush-1".to_owned(), &form);
        assert_eq!(told, "no refresh_token *** for ***");
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
        assert!(refused.message.contains("--api-domain https://sandbox.zohoapis.eu"), "{}", refused.message);
    }

    #[test]
    fn a_life_is_read_in_every_spelling() {
        let life = |expires_in: Value, expires_in_sec: Value| {
            let given = |value: &Value| Some(value.clone()).filter(|value| !value.is_null());
            super::life(given(&expires_in).as_ref(), given(&expires_in_sec).as_ref()).map(|life| life.as_millis())
        };
        assert_eq!(life(json!(3600), json!(null)), Some(3_600_000));
        assert_eq!(life(json!("3600"), json!(null)), Some(3_600_000));
        assert_eq!(life(json!(3_600_000), json!(3600)), Some(3_600_000));
        assert_eq!(life(json!(3_600_000), json!(null)), Some(3_600_000));
        assert_eq!(life(json!(200), json!(0)), Some(200));
        assert_eq!(life(json!(null), json!(null)), Some(3_600_000));
        assert_eq!(life(json!("soon"), json!(null)), Some(3_600_000));
        assert_eq!(life(json!(0), json!(null)), None);
        assert_eq!(life(json!(u64::MAX), json!(null)), Some(86_400_000));
    }

    #[test]
    fn a_token_is_renewed_five_minutes_before_its_end_unless_it_lives_shortly() {
        let held = |life: u64, age: u64| {
            let token = Secret::new("1000.a").expect("a secret");
            HeldToken::issued(token, Duration::from_secs(age), Some(Duration::from_secs(life)))
        };
        assert!(!held(3600, 3200).is_due());
        assert!(held(3600, 3301).is_due() && !held(3600, 3301).has_ended());
        assert!(!held(500, 400).is_due());
        assert!(held(500, 500).is_due() && held(500, 500).has_ended());
        let slept = ClockReading { wall: SystemTime::now() - Duration::from_secs(7200), ..ClockReading::now() };
        let held = HeldToken { got: Some((slept, Duration::ZERO)), ..held(3600, 0) };
        assert!(held.has_ended(), "the machine slept");
        assert!(!HeldToken::given(Secret::new("1000.a").expect("a secret")).is_due());
    }
}
