//! Access tokens: which are valid, and what the token endpoint grants or refuses.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::options::{Expiry, SandboxCredentials, SandboxOptions};
use super::route::Params;

/// At most so many tokens of one refresh token in [`WINDOW`].
const PER_WINDOW: usize = 10;
const WINDOW: Duration = Duration::from_secs(600);
/// At most so many tokens of one refresh token live; one more ends the oldest.
const LIVING: usize = 15;

/// All tokens that the server has given out.
#[derive(Debug)]
pub(super) struct Ledger {
    valid_until: HashMap<String, Instant>,
    by_refresh_token: HashMap<String, IssuedTokens>,
    used_codes: HashSet<String>,
    rules: TokenRules,
}

#[derive(Debug)]
struct TokenRules {
    life: Duration,
    has_limits: bool,
    expiry: Expiry,
    credentials: Option<SandboxCredentials>,
    scopes: Option<Vec<String>>,
}

/// What one refresh token has been given.
#[derive(Default, Debug)]
struct IssuedTokens {
    lately: VecDeque<Instant>,
    living: VecDeque<String>,
}

/// A refusal of the token endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Denied {
    InvalidClient,
    InvalidCode,
    UnknownGrant,
    TooOften,
}

impl Denied {
    pub(super) fn to_json(self) -> Value {
        match self {
            Denied::InvalidClient => json!({"error": "invalid_client"}),
            Denied::InvalidCode => json!({"error": "invalid_code"}),
            Denied::UnknownGrant => json!({"error": "unsupported_grant_type"}),
            Denied::TooOften => json!({
                "error": "Access Denied",
                "error_description": "You have made too many requests continuously. Please try again after some time.",
                "status": "failure",
            }),
        }
    }
}

impl Ledger {
    /// A ledger in which one token is valid from the start.
    pub(super) fn new(first: &str, options: &SandboxOptions, now: Instant) -> Ledger {
        let rules = TokenRules {
            life: options.token_life,
            has_limits: options.token_limits,
            expiry: options.expiry,
            credentials: options.credentials.clone(),
            scopes: options.scopes.clone(),
        };
        Ledger {
            valid_until: HashMap::from([(first.to_owned(), now + rules.life)]),
            by_refresh_token: HashMap::new(),
            used_codes: HashSet::new(),
            rules,
        }
    }

    pub(super) fn is_valid(&self, token: &str, now: Instant) -> bool {
        self.valid_until.get(token).is_some_and(|until| now < *until)
    }

    /// Answers a request for a token. `api_domain` is where the token is good for.
    pub(super) fn grant(&mut self, params: &Params, api_domain: &str, now: Instant) -> Result<Value, Denied> {
        let (refresh_token, is_new) = self.judge(params)?;
        let token = self.issue(&refresh_token, now)?;
        let mut answer = Map::new();
        answer.insert("access_token".to_owned(), token.into());
        if is_new {
            answer.insert("refresh_token".to_owned(), refresh_token.into());
        }
        answer.insert("api_domain".to_owned(), api_domain.into());
        answer.insert("token_type".to_owned(), "Bearer".into());
        if let Some(scopes) = &self.rules.scopes {
            answer.insert("scope".to_owned(), scopes.join(" ").into());
        }
        match self.rules.expiry {
            Expiry::Absent => {}
            Expiry::Seconds => {
                answer.insert("expires_in".to_owned(), self.rules.life.as_secs().into());
            }
            Expiry::SecondsAndMillis => {
                answer.insert("expires_in_sec".to_owned(), self.rules.life.as_secs().into());
                answer.insert("expires_in".to_owned(), (self.rules.life.as_secs() * 1000).into());
            }
        }
        Ok(answer.into())
    }

    /// The refresh token that a request is entitled to, and whether it is a new one.
    fn judge(&mut self, params: &Params) -> Result<(String, bool), Denied> {
        let given = |key| params.get(key).filter(|value: &&str| !value.is_empty());
        let (id, secret) = (given("client_id"), given("client_secret"));
        let is_client = match &self.rules.credentials {
            Some(right) => id == Some(&right.client_id) && secret == Some(&right.client_secret),
            None => id.is_some() && secret.is_some(),
        };
        if !is_client {
            return Err(Denied::InvalidClient);
        }
        match given("grant_type") {
            Some("refresh_token") => {
                let token = given("refresh_token").ok_or(Denied::InvalidCode)?;
                let is_right = self.rules.credentials.as_ref().is_none_or(|right| right.refresh_token == token);
                if is_right { Ok((token.to_owned(), false)) } else { Err(Denied::InvalidCode) }
            }
            Some("authorization_code") => {
                let code = given("code").ok_or(Denied::InvalidCode)?;
                if !self.used_codes.insert(code.to_owned()) {
                    return Err(Denied::InvalidCode);
                }
                let right = self.rules.credentials.as_ref().map(|right| right.refresh_token.clone());
                Ok((right.unwrap_or_else(|| made_up("sandbox-refresh-")), true))
            }
            _ => Err(Denied::UnknownGrant),
        }
    }

    fn issue(&mut self, refresh_token: &str, now: Instant) -> Result<String, Denied> {
        let issued = self.by_refresh_token.entry(refresh_token.to_owned()).or_default();
        issued.lately.retain(|at| now.duration_since(*at) < WINDOW);
        if self.rules.has_limits && issued.lately.len() >= PER_WINDOW {
            return Err(Denied::TooOften);
        }
        let token = made_up("sandbox-");
        issued.lately.push_back(now);
        issued.living.push_back(token.clone());
        if self.rules.has_limits && issued.living.len() > LIVING {
            issued.living.pop_front().and_then(|oldest| self.valid_until.remove(&oldest));
        }
        self.valid_until.insert(token.clone(), now + self.rules.life);
        Ok(token)
    }
}

/// A token nobody can guess by accident. It protects nothing that is worth more: the server is on loopback.
pub(super) fn made_up(prefix: &str) -> String {
    format!("{prefix}{:032x}", fastrand::u128(..))
}

/// What a call needs to be allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Need {
    Create,
    Read,
    Delete,
}

impl Need {
    fn word(self) -> &'static str {
        match self {
            Need::Create => "CREATE",
            Need::Read => "READ",
            Need::Delete => "DELETE",
        }
    }
}

/// Whether scopes allow something with the attachments of a module.
pub(super) fn allows_attachments(scopes: &[String], module: &str, need: Need) -> bool {
    has(scopes, "ZohoCRM.modules.ALL")
        || (has_any(scopes, "ZohoCRM.modules.attachments", need) && allows_records(scopes, module, need))
}

/// Whether scopes allow to list the attachments of all modules together.
pub(super) fn allows_all_attachments(scopes: &[String]) -> bool {
    has(scopes, "ZohoCRM.modules.ALL") || has_any(scopes, "ZohoCRM.modules.attachments", Need::Read)
}

/// Whether scopes allow something with the records of a module.
pub(super) fn allows_records(scopes: &[String], module: &str, need: Need) -> bool {
    let name = if super::options::is_standard(module) {
        module.trim_end_matches("__s").replace('_', "")
    } else {
        "custom".to_owned()
    };
    has(scopes, "ZohoCRM.modules.ALL") || has_any(scopes, &format!("ZohoCRM.modules.{name}"), need)
}

/// Whether scopes allow to read settings (`settings.modules`), the organisation (`org`) or its `users`.
pub(super) fn allows_reading(scopes: &[String], what: &str) -> bool {
    has_any(scopes, &format!("ZohoCRM.{what}"), Need::Read)
        || (what.starts_with("settings.") && has(scopes, "ZohoCRM.settings.ALL"))
}

fn has_any(scopes: &[String], area: &str, need: Need) -> bool {
    has(scopes, &format!("{area}.ALL")) || has(scopes, &format!("{area}.{}", need.word()))
}

fn has(scopes: &[String], scope: &str) -> bool {
    scopes.iter().any(|known| known.eq_ignore_ascii_case(scope))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(list: &str) -> Vec<String> {
        list.split(',').map(str::to_owned).collect()
    }

    fn refresh() -> Params {
        Params::parse("grant_type=refresh_token&client_id=a&client_secret=b&refresh_token=c")
    }

    #[test]
    fn an_upload_needs_the_scopes_of_its_module_and_of_attachments() {
        let both = scopes("ZohoCRM.modules.salesorders.CREATE,ZohoCRM.modules.attachments.CREATE");
        assert!(allows_attachments(&both, "Sales_Orders", Need::Create));
        assert!(!allows_attachments(&both, "Sales_Orders", Need::Read));
        assert!(!allows_attachments(&both, "Leads", Need::Create));
        assert!(!allows_attachments(&scopes("ZohoCRM.modules.leads.ALL"), "Leads", Need::Create));
        assert!(allows_attachments(&scopes("zohocrm.MODULES.all"), "Vessels", Need::Create));
        let custom = scopes("ZohoCRM.modules.custom.ALL,ZohoCRM.modules.Attachments.ALL");
        assert!(allows_attachments(&custom, "Vessels", Need::Delete));
        assert!(allows_reading(&scopes("ZohoCRM.settings.ALL"), "settings.modules"));
        assert!(!allows_reading(&scopes("ZohoCRM.settings.ALL"), "org"));
    }

    #[test]
    fn a_token_is_valid_for_its_life() {
        let now = Instant::now();
        let options = SandboxOptions { token_life: Duration::from_secs(60), ..SandboxOptions::default() };
        let mut ledger = Ledger::new("first", &options, now);
        assert!(ledger.is_valid("first", now) && !ledger.is_valid("other", now));
        assert!(!ledger.is_valid("first", now + Duration::from_secs(60)));
        let answer = ledger.grant(&refresh(), "http://127.0.0.1:1", now).unwrap();
        assert_eq!(answer["expires_in"], 60);
        assert_eq!(answer["api_domain"], "http://127.0.0.1:1");
        assert!(ledger.is_valid(answer["access_token"].as_str().unwrap(), now));
    }

    #[test]
    fn the_eleventh_token_in_ten_minutes_is_refused() {
        let mut now = Instant::now();
        let mut ledger = Ledger::new("first", &SandboxOptions::default(), now);
        let mut tokens = Vec::new();
        for _ in 0..10 {
            tokens.push(ledger.grant(&refresh(), "", now).unwrap()["access_token"].as_str().unwrap().to_owned());
        }
        assert_eq!(ledger.grant(&refresh(), "", now), Err(Denied::TooOften));
        now += WINDOW;
        for _ in 0..6 {
            ledger.grant(&refresh(), "", now).unwrap();
        }
        assert!(!ledger.is_valid(&tokens[0], now), "the sixteenth ended the oldest");
        assert!(ledger.is_valid(&tokens[1], now));
    }

    #[test]
    fn a_code_works_once_and_wrong_credentials_never() {
        let now = Instant::now();
        let right = SandboxCredentials { client_id: "a".into(), client_secret: "b".into(), refresh_token: "c".into() };
        let options =
            SandboxOptions { credentials: Some(right), expiry: Expiry::SecondsAndMillis, ..SandboxOptions::default() };
        let mut ledger = Ledger::new("first", &options, now);
        let mut ask = |text: &str| ledger.grant(&Params::parse(text), "", now);
        let code = "grant_type=authorization_code&client_id=a&client_secret=b&code=x";
        let answer = ask(code).unwrap();
        assert_eq!((&answer["refresh_token"], &answer["expires_in_sec"]), (&json!("c"), &json!(3600)));
        assert_eq!(answer["expires_in"], 3_600_000);
        assert_eq!(ask(code), Err(Denied::InvalidCode));
        let wrong = "grant_type=refresh_token&client_id=a&client_secret=x&refresh_token=c";
        assert_eq!(ask(wrong), Err(Denied::InvalidClient));
        let revoked = "grant_type=refresh_token&client_id=a&client_secret=b&refresh_token=x";
        assert_eq!(ask(revoked), Err(Denied::InvalidCode));
        assert_eq!(ask("grant_type=password&client_id=a&client_secret=b"), Err(Denied::UnknownGrant));
        assert_eq!(ask(""), Err(Denied::InvalidClient));
    }
}
