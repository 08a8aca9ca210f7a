//! Puts together where to, and what to get in with: from the command line, the environment, the user's file.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::file::{ConfigError, ConfigSource, not_private, read_small};
use super::profiles::{DEFAULT_PROFILE, PROFILE_KEYS, Profile, refresh};
use super::user_file::UserFile;
use crate::cli::args::TargetArgs;
use crate::text::system_words;
use crate::zoho::{ApiVersion, Credentials, HttpError, HttpOptions, Proxies, Secret, Where};

/// How to connect, as the command line and the environment say.
///
/// # Errors
///
/// A proxy variable holds no usable address.
pub fn http(args: &TargetArgs, ca_file: Option<PathBuf>) -> Result<HttpOptions, HttpError> {
    let proxies = match args.no_proxy {
        true => Proxies::default(),
        false => Proxies::from_vars(|name| std::env::var(name).ok())?,
    };
    Ok(HttpOptions { ca_file, proxies, ..HttpOptions::default() })
}

/// Where to, what to get in with, and which authority to trust.
#[derive(Clone, PartialEq, Debug)]
pub struct Access {
    /// Where to, as far as named.
    pub place: Where,
    /// What to get in with; may be nothing.
    pub credentials: Credentials,
    /// As `--ca-file`.
    pub ca_file: Option<PathBuf>,
    /// Where the credentials come from, for people.
    pub source: String,
    /// Scopes that the profile says were granted.
    pub scopes: Vec<String>,
}

/// Puts together what the command line, the environment and the user's file say.
///
/// A profile that is named wins over credentials in the environment; one that is merely there, under the name `default`,
/// does not. An address on the command line replaces the profile's as a whole, so that a data centre of one and a token
/// server of the other never mix.
///
/// # Errors
///
/// A profile that is not there, incomplete or malformed credentials, a file that others can read.
pub fn access(
    args: &TargetArgs,
    user: &UserFile,
    var: impl Fn(&str) -> Option<String>,
    stdin: impl BufRead,
) -> Result<Access, ConfigError> {
    let named = args.profile.as_deref();
    let name = named.unwrap_or(DEFAULT_PROFILE);
    let profile = user.profiles.get(name);
    if named.is_some() && profile.is_none() {
        let known: Vec<_> = user.profiles.keys().map(String::as_str).collect();
        let known = if known.is_empty() {
            "none are stored yet".to_owned()
        } else {
            format!("stored are {}", known.join(", "))
        };
        return Err(ConfigError {
            place: format!("--profile {name}"),
            what: format!("there is no such profile; {known}"),
        });
    }
    let no_profile = Profile::default();
    let profile = profile.unwrap_or(&no_profile);
    let of_profile = || -> Result<(Credentials, String), ConfigError> {
        let place = format!("profile {name}");
        let credentials = profile.credentials().map_err(|what| ConfigError { place: place.clone(), what })?;
        Ok((credentials, place))
    };
    let (credentials, source) = match named {
        Some(_) => of_profile()?,
        None => match from_environment(&var, stdin)? {
            Some(found) => found,
            None => of_profile()?,
        },
    };
    let by_args = args.dc.is_some() || args.api_domain.is_some() || args.accounts_url.is_some();
    let place = if by_args {
        Where {
            dc: args.dc,
            api_domain: args.api_domain.clone(),
            accounts_url: args.accounts_url.clone(),
            version: ApiVersion::default(),
        }
    } else {
        profile.place.clone()
    };
    let version = args.api_version.or(profile.api_version).unwrap_or_default();
    Ok(Access {
        place: Where { version, ..place },
        credentials,
        ca_file: args.ca_file.clone().or_else(|| profile.ca_file.clone()),
        source,
        scopes: profile.scopes.clone(),
    })
}

/// `ZOHO_ACCESS_TOKEN` (`-`: the first line of standard input), the three variables of a refresh, or a file of them.
fn from_environment(
    var: &impl Fn(&str) -> Option<String>,
    stdin: impl BufRead,
) -> Result<Option<(Credentials, String)>, ConfigError> {
    let set = |name: &str| var(name).filter(|value| !value.trim().is_empty());
    let secret_in = |name: &str| -> Result<Option<Secret>, ConfigError> {
        let secret = set(name).map(Secret::new).transpose();
        secret.map_err(|wrong| ConfigError::in_environment(name, wrong.to_string()))
    };
    let access = match set("ZOHO_ACCESS_TOKEN").as_deref().map(str::trim) {
        Some("-") => Some(first_line(stdin)?),
        _ => secret_in("ZOHO_ACCESS_TOKEN")?,
    };
    let names = ["ZOHO_CLIENT_ID", "ZOHO_CLIENT_SECRET", "ZOHO_REFRESH_TOKEN"];
    let [id, client_secret, token] = names.map(secret_in);
    let keys = [(names[0], &id?), (names[1], &client_secret?), (names[2], &token?)];
    let renewal = refresh(keys).map_err(|what| ConfigError { place: "the environment".to_owned(), what })?;
    if access.is_some() || renewal.is_some() {
        return Ok(Some((Credentials { access, renewal }, "environment".to_owned())));
    }
    let Some(path) = set("ZOHO_CREDENTIALS_FILE").map(PathBuf::from) else { return Ok(None) };
    credentials_file(&path).map(|credentials| Some((credentials, path.display().to_string())))
}

fn first_line(stdin: impl BufRead) -> Result<Secret, ConfigError> {
    let trouble = |what: String| ConfigError { place: "the token on standard input".to_owned(), what };
    let mut line = Zeroizing::new(Vec::new());
    stdin.take(4096).read_until(b'\n', &mut line).map_err(|error| trouble(system_words(&error)))?;
    let text = std::str::from_utf8(&line).unwrap_or_default();
    Secret::new(text).map_err(|wrong| trouble(wrong.to_string()))
}

/// A file with the keys of a profile and nothing else.
fn credentials_file(path: &Path) -> Result<Credentials, ConfigError> {
    let missing = || ConfigError::at(path, None, "there is no such file, but ZOHO_CREDENTIALS_FILE names it");
    let (text, private) = read_small(path)?.ok_or_else(missing)?;
    if !private {
        return Err(not_private(path));
    }
    let source = ConfigSource { path, text: &text };
    let mut profile = Profile::default();
    let names: Vec<_> = PROFILE_KEYS.iter().map(|(name, _)| *name).collect();
    source.read(&source.parse()?, PROFILE_KEYS, &mut profile, |key, _, span| Err(source.unknown(key, span, &names)))?;
    profile.credentials().map_err(|what| ConfigError::at(path, None, what))
}
