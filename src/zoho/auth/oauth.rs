//! Asks the accounts server for a token, and understands what it grants or refuses.
//!
//! It answers refusals with status 200 and spells the life of a token in three ways, so what an answer is, is told by what
//! stands in it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use ureq::Agent;
use zeroize::Zeroizing;

use super::error::{TokenError, too_many};
use super::secret::Secret;
use crate::outcome::OwnCode;
use crate::reply::{RetryBecause, StopBecause, Verdict};
use crate::text::strip_for_terminal;
use crate::zoho::answer::web_page;
use crate::zoho::classify::{TransportError, broken_code};
use crate::zoho::hosts::Base;
use crate::zoho::http;
use crate::zoho::request_log::{self, RequestNote};

/// What a token lives if the answer does not say.
const USUAL_LIFE: Duration = Duration::from_secs(3600);

pub(crate) struct ClientKeys<'a> {
    pub(crate) client_id: &'a Secret,
    pub(crate) client_secret: &'a Secret,
    pub(crate) refresh_token: &'a Secret,
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
    let request = agent.post(format!("{accounts}/oauth/v2/token"));
    let note = RequestNote::of(&request).map(|note| note.with(accounts.host()));
    let mut response = match request.send_form(form.iter().copied()) {
        Ok(response) => response,
        Err(error) => {
            request_log::tell_broken(note, &http::detail(&error));
            return Err(OAuthRefusal::Other(not_reached(accounts, &error)));
        }
    };
    let status = response.status().as_u16();
    if (300..400).contains(&status) {
        let message = format!(
            "{accounts} redirects instead of answering: is it the address of an accounts server, and of the right data centre?"
        );
        return Err(OAuthRefusal::Other(TokenError::stop(StopBecause::Target, OwnCode::Redirected, message)));
    }
    let retry_after = http::asks_to_wait(&response);
    let body = Zeroizing::new(http::read_body(&mut response).unwrap_or_default());
    let grant = granted(accounts, status, &body);
    // What is wrong is told by whoever needs the token; a refusal comes with status 200 as well.
    request_log::tell_status(note, status, if grant.is_ok() { "a token" } else { "no token" });
    grant.map_err(|refusal| match refusal {
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
             client must have been made where the organisation lives, and that place must be named"
        )),
        "" if status < 500 && let Some(page) = web_page(body) => TokenError::stop(
            StopBecause::Target,
            OwnCode::LoginPage,
            format!(
                "{accounts} gave {page}, instead of a token (HTTP {status}): is it the address of an accounts server?"
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_complaint_that_repeats_the_secrets_is_told_without_them() {
        let form =
            [("grant_type", "refresh_token"), ("client_secret", "hush-hush-1"), ("refresh_token", "1000.abc.def")];
        let told = without_secrets("no refresh_token 1000.abc.def for hush-hush-1".to_owned(), &form);
        assert_eq!(told, "no refresh_token *** for ***");
    }

    #[test]
    fn a_life_is_read_in_every_spelling() {
        let life = |expires_in: Value, expires_in_sec: Value| {
            let given = |value: &Value| Some(value.clone()).filter(|value| !value.is_null());
            life(given(&expires_in).as_ref(), given(&expires_in_sec).as_ref()).map(|life| life.as_millis())
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
}
