//! Where requests may go: the rule that decides which host may see a token.
//!
//! A token opens a whole CRM. It goes to https hosts of Zoho, to an https host that the user named, and to this machine
//! itself; a [`Base`] cannot be made for anything else.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ureq::http::Uri;

use crate::crm::{ApiVersion, DataCentre};

/// Where the hosts of a data centre are, and which data centre a host belongs to.
impl DataCentre {
    fn api_base(self) -> Base {
        Base::https(&format!("www.{}", self.api_domain()))
    }

    fn accounts_base(self) -> Base {
        Base::https(self.accounts_host())
    }

    fn of_api_host(host: &str) -> Option<DataCentre> {
        DataCentre::ALL.into_iter().find(|dc| is_at_or_below(host, dc.api_domain()))
    }

    fn of_accounts_host(host: &str) -> Option<DataCentre> {
        DataCentre::ALL.into_iter().find(|dc| host == dc.accounts_host())
    }
}

/// The portals of Zoho's industry editions; API and tokens come from one host.
const PORTALS: &str = "zohoplatform.com";

/// Scheme, host and port of a server that may see a token: `https://www.zohoapis.eu`.
///
/// Never plain http except to this machine, never with user info or a path.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Base {
    https: bool,
    host: String,
    port: Option<u16>,
}

impl Base {
    fn https(host: &str) -> Base {
        Base { https: true, host: host.to_owned(), port: None }
    }

    /// The host without port, in lower case; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether this is the machine we run on.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Whether the host is one of Zoho's own.
    pub fn is_zoho(&self) -> bool {
        self.https
            && self.port.is_none()
            && (DataCentre::of_api_host(&self.host).is_some()
                || DataCentre::of_accounts_host(&self.host).is_some()
                || is_at_or_below(&self.host, PORTALS))
    }

    /// Whether requests to it are encrypted.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Host, and port where one was given.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

impl FromStr for Base {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Base, TargetError> {
        let wrong = |why| TargetError::Address { text: without_user_info(text), why };
        let uri: Uri = text.parse().map_err(|_| wrong(NOT_AN_ADDRESS))?;
        let authority = uri.authority().ok_or_else(|| wrong(NOT_AN_ADDRESS))?;
        if authority.as_str().contains('@') {
            return Err(wrong(
                "has a user name in it; credentials are given another way: `attache auth login` asks for them",
            ));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("has a path; give only scheme and host, the rest is added"));
        }
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() {
            return Err(wrong(NOT_AN_ADDRESS));
        }
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_loopback(&host) => false,
            Some("http") => {
                return Err(wrong("is plain http, over which anybody on the way could read the token; use https"));
            }
            _ => return Err(wrong(NOT_AN_ADDRESS)),
        };
        let port = match authority.as_str().rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') => {
                Some(port.parse().map_err(|_| wrong("has a port that is not a number"))?)
            }
            _ => None,
        };
        Ok(Base { https, host, port })
    }
}

const NOT_AN_ADDRESS: &str = "is not an address like https://www.zohoapis.eu";

fn without_user_info(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((before, after)) => match before.find("://") {
            Some(at) => format!("{}***@{after}", &before[..at + 3]),
            None => format!("***@{after}"),
        },
        None => text.to_owned(),
    }
}

fn is_at_or_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What the user said about where to send, before it is made sense of.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Where {
    /// `--dc`.
    pub dc: Option<DataCentre>,
    /// `--api-domain`.
    pub api_domain: Option<String>,
    /// `--accounts-url`.
    pub accounts_url: Option<String>,
    /// `--api-version`.
    pub version: ApiVersion,
}

/// Where a run sends to: the API's address, the one that gives out tokens, and the version of the API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    api: Base,
    api_is_named: bool,
    accounts: Option<Base>,
    version: ApiVersion,
}

impl Where {
    /// The target that the user named.
    ///
    /// # Errors
    ///
    /// Nothing was named, an address is malformed or would expose the token, or `--dc` and an address contradict.
    pub fn target(&self) -> Result<Target, TargetError> {
        let api: Option<Base> = self.api_domain.as_deref().map(str::parse).transpose()?;
        let accounts: Option<Base> = self.accounts_url.as_deref().map(str::parse).transpose()?;
        if let (Some(dc), Some(named)) = (self.dc, api.as_ref().and_then(|api| DataCentre::of_api_host(api.host())))
            && dc != named
        {
            return Err(TargetError::Contradiction { dc, named });
        }
        let dc = self.dc.or_else(|| DataCentre::of_accounts_host(accounts.as_ref()?.host()));
        let api_is_named = api.is_some() || self.dc.is_some();
        let api = api.or_else(|| dc.map(DataCentre::api_base)).or_else(|| accounts.clone().filter(is_portal));
        let api = api.ok_or(if accounts.is_some() { TargetError::NoApiDomain } else { TargetError::Missing })?;
        let accounts = accounts
            .or_else(|| dc.or_else(|| DataCentre::of_api_host(api.host())).map(DataCentre::accounts_base))
            .or_else(|| Some(api.clone()).filter(|api| is_portal(api) || api.is_loopback()));
        Ok(Target { api, api_is_named, accounts, version: self.version })
    }
}

fn is_portal(base: &Base) -> bool {
    is_at_or_below(base.host(), PORTALS)
}

impl Target {
    /// The embedded server of a rehearsal, or any other on this machine.
    ///
    /// # Errors
    ///
    /// The address is malformed or not on this machine.
    pub fn rehearsal(url: &str, version: ApiVersion) -> Result<Target, TargetError> {
        let api: Base = url.parse()?;
        if !api.is_loopback() {
            return Err(TargetError::Address { text: url.to_owned(), why: "is not on this machine" });
        }
        Ok(Target { accounts: Some(api.clone()), api, api_is_named: true, version })
    }

    /// Whether the user named the API's address, or a data centre, which has one; otherwise the token's answer may.
    pub fn names_api(&self) -> bool {
        self.api_is_named
    }

    /// The API's address.
    pub fn api(&self) -> &Base {
        &self.api
    }

    /// The address that gives out tokens, where one is known.
    pub fn accounts(&self) -> Option<&Base> {
        self.accounts.as_ref()
    }

    /// The version of the API.
    pub fn version(&self) -> ApiVersion {
        self.version
    }

    /// What the results file calls this target: the API's host, with its port where it has one.
    pub fn label(&self) -> String {
        self.api.authority()
    }

    /// This target as the token's own answer completes it.
    ///
    /// Where the user named no API domain, the token's is taken. `www.` of the same data centre agrees with a named
    /// `sandbox.` or `developer.`: all three are reached with tokens of one accounts server.
    ///
    /// # Errors
    ///
    /// The token belongs to another place than the user named, or to a place that must not see it.
    pub fn completed_by(&self, api_domain: &str) -> Result<Target, TargetError> {
        let told: Base = api_domain.parse()?;
        if told == self.api || self.api.is_loopback() {
            return Ok(self.clone());
        }
        let dc = DataCentre::of_api_host(told.host());
        let same_place = dc.is_some() && dc == DataCentre::of_api_host(self.api.host());
        if self.api_is_named && same_place && dc.is_some_and(|dc| told == dc.api_base()) {
            return Ok(self.clone());
        }
        if self.api_is_named || !told.is_zoho() {
            return Err(TargetError::TokenOfElsewhere { named: self.api.to_string(), told: told.to_string() });
        }
        Ok(Target { api: told, ..self.clone() })
    }
}

/// What is wrong with where the user wants to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TargetError {
    /// No target at all; there is no default.
    Missing,
    /// A token server that is not in the table, and no API domain.
    NoApiDomain,
    /// An address that is malformed or would expose the token.
    Address {
        /// What was given, without user info.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The data centre and the API domain that the user named belong to different places.
    Contradiction {
        /// The data centre that was named.
        dc: DataCentre,
        /// What the address belongs to.
        named: DataCentre,
    },
    /// The token's answer names another API domain than the user did.
    TokenOfElsewhere {
        /// What the user named.
        named: String,
        /// What the token's answer says.
        told: String,
    },
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetError::Missing => f.write_str("no target: nothing says where your CRM lives"),
            TargetError::NoApiDomain => {
                write!(f, "no API domain: this accounts server is not one of the known ones")
            }
            TargetError::Address { text, why } => write!(f, "`{text}` {why}"),
            TargetError::Contradiction { dc, named } => {
                write!(f, "the data centre is to be `{dc}`, but the API domain belongs to `{named}`")
            }
            TargetError::TokenOfElsewhere { named, told } => write!(
                f,
                "the token belongs to {told}, but the target is {named}: use the credentials of that organisation"
            ),
        }
    }
}

impl std::error::Error for TargetError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(dc: &str, api: &str, accounts: &str) -> Result<Target, TargetError> {
        let text = |value: &str| (!value.is_empty()).then(|| value.to_owned());
        Where {
            dc: (!dc.is_empty()).then(|| dc.parse().expect("a data centre")),
            api_domain: text(api),
            accounts_url: text(accounts),
            version: ApiVersion::V2,
        }
        .target()
    }

    fn places(dc: &str, api: &str, accounts: &str) -> (String, Option<String>) {
        let target = target(dc, api, accounts).expect("a target");
        (target.api().to_string(), target.accounts().map(Base::to_string))
    }

    #[test]
    fn a_target_is_found_from_whatever_names_it() {
        let both = |api: &str, accounts: &str| (api.to_owned(), Some(accounts.to_owned()));
        let eu = both("https://www.zohoapis.eu", "https://accounts.zoho.eu");
        assert_eq!(places("eu", "", ""), eu);
        assert_eq!(places("", "https://www.zohoapis.eu/", ""), eu);
        assert_eq!(places("", "", "https://accounts.zoho.eu"), eu);
        assert_eq!(places("ca", "", "").1.as_deref(), Some("https://accounts.zohocloud.ca"));
        assert_eq!(
            places("", "https://sandbox.zohoapis.com.au", "").1.as_deref(),
            Some("https://accounts.zoho.com.au")
        );
        let portal = "https://zylker.zohoplatform.com";
        assert_eq!(places("", portal, ""), both(portal, portal));
        assert_eq!(places("", "", portal), both(portal, portal));
        assert_eq!(places("", "http://127.0.0.1:8080", ""), both("http://127.0.0.1:8080", "http://127.0.0.1:8080"));
        assert_eq!(places("", "https://crm.example.org", ""), ("https://crm.example.org".to_owned(), None));
    }

    #[test]
    fn a_token_goes_nowhere_it_could_be_read_or_was_not_meant_for() {
        for address in [
            "http://www.zohoapis.eu",
            "http://127.0.0.1.example.org",
            "http://localhost.example.org",
            "ftp://www.zohoapis.eu",
            "www.zohoapis.eu",
            "https://",
            "https://user:pass@www.zohoapis.eu",
            "https://www.zohoapis.eu/crm",
            "https://www.zohoapis.eu?x=1",
            "https://www.zohoapis.eu:port",
            "",
        ] {
            let refused = address.parse::<Base>().expect_err(address).to_string();
            assert!(!refused.contains("pass@"), "{refused}");
        }
        assert_eq!("http://[::1]:9".parse::<Base>().map(|base| base.to_string()), Ok("http://[::1]:9".to_owned()));
        assert_eq!(
            "https://[2001:db8::1]".parse::<Base>().map(|base| base.to_string()),
            Ok("https://[2001:db8::1]".to_owned())
        );
    }

    #[test]
    fn only_whole_domains_of_zoho_count_as_zoho() {
        let is_zoho = |text: &str| text.parse::<Base>().expect(text).is_zoho();
        assert!(is_zoho("https://www.zohoapis.com.cn"));
        assert!(is_zoho("https://portal.zohoplatform.com"));
        assert!(is_zoho("https://accounts.zoho.eu"));
        for other in ["https://evilzohoapis.com", "https://zohoapis.com.example.org", "https://www.zohoapis.com:444"] {
            assert!(!is_zoho(other), "{other}");
        }
    }

    #[test]
    fn a_missing_or_contradictory_target_says_what_to_give() {
        assert_eq!(target("", "", ""), Err(TargetError::Missing));
        assert_eq!(target("", "", "https://login.example.org"), Err(TargetError::NoApiDomain));
        let contradiction = target("us", "https://www.zohoapis.eu", "").expect_err("two data centres").to_string();
        assert_eq!(contradiction, "the data centre is to be `us`, but the API domain belongs to `eu`");
    }

    #[test]
    fn the_tokens_own_api_domain_completes_a_target_and_never_overrules_a_named_one() {
        let derived = target("", "", "https://accounts.zoho.eu").expect("a target");
        let sandbox = derived.completed_by("https://sandbox.zohoapis.eu").expect("a target");
        assert_eq!(sandbox.label(), "sandbox.zohoapis.eu");
        assert!(derived.completed_by("https://www.example.org").is_err());
        let named = target("", "https://sandbox.zohoapis.eu", "").expect("a target");
        assert_eq!(named.completed_by("https://www.zohoapis.eu"), Ok(named.clone()));
        assert!(named.completed_by("https://www.zohoapis.com").is_err());
        assert!(target("eu", "", "").expect("a target").completed_by("https://www.zohoapis.com").is_err());
    }

    #[test]
    fn api_versions_know_what_they_can() {
        let version = |text: &str| text.parse::<ApiVersion>();
        assert_eq!(version("v2.1").map(|v| (v.to_string(), v.has_calls())), Ok(("v2.1".to_owned(), true)));
        assert!(!ApiVersion::V2.has_calls());
        assert!(version("v8").is_ok_and(ApiVersion::has_link_titles));
        for wrong in ["2", "v1", "v9", "v", "v10", "v3.1", "latest", "v-1", "v+3", ""] {
            assert!(version(wrong).is_err(), "{wrong}");
        }
    }
}
