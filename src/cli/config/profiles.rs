//! Profiles of the user's file: what one may hold, and how a login stores or a logout removes it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table};
use zeroize::Zeroizing;

use super::file::{ConfigError, ConfigSource, ValueReader, parsed, read_small, secret, text, texts};
use crate::atomic_file::replace_private;
use crate::text::system_words;
use crate::zoho::{ApiVersion, Credentials, DataCentre, Renewal, Secret, Where};

/// The profile that is used when none is named.
pub const DEFAULT_PROFILE: &str = "default";

/// Where to, and what to get in with, under one name.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Profile {
    /// Where the organisation lives.
    pub place: Where,
    /// The version of the API, where the profile names one.
    pub api_version: Option<ApiVersion>,
    /// As `--ca-file`.
    pub ca_file: Option<PathBuf>,
    /// What was granted, if the login was told.
    pub scopes: Vec<String>,
    access: Option<Secret>,
    client_id: Option<Secret>,
    client_secret: Option<Secret>,
    refresh_token: Option<Secret>,
    token_command: Option<Vec<String>>,
}

/// What a profile may hold.
pub(super) const PROFILE_KEYS: &[(&str, ValueReader<Profile>)] = &[
    ("dc", |profile, value| {
        profile.place.dc = Some(parsed(value, "must be one of us, eu, in, au, jp, cn, ca, sa, uk")?);
        Ok(())
    }),
    ("api_domain", |profile, value| {
        profile.place.api_domain = Some(text(value)?.to_owned());
        Ok(())
    }),
    ("accounts_url", |profile, value| {
        profile.place.accounts_url = Some(text(value)?.to_owned());
        Ok(())
    }),
    ("api_version", |profile, value| {
        profile.api_version = Some(parsed(value, "must be a version like \"v2\"")?);
        Ok(())
    }),
    ("ca_file", |profile, value| {
        profile.ca_file = Some(PathBuf::from(text(value)?));
        Ok(())
    }),
    ("scopes", |profile, value| {
        profile.scopes = texts(value)?;
        Ok(())
    }),
    ("access_token", |profile, value| {
        profile.access = Some(secret(value)?);
        Ok(())
    }),
    ("client_id", |profile, value| {
        profile.client_id = Some(secret(value)?);
        Ok(())
    }),
    ("client_secret", |profile, value| {
        profile.client_secret = Some(secret(value)?);
        Ok(())
    }),
    ("refresh_token", |profile, value| {
        profile.refresh_token = Some(secret(value)?);
        Ok(())
    }),
    ("token_command", |profile, value| {
        let words = texts(value).map_err(|_| "must be a list: the program and its arguments, each a text")?;
        profile.token_command = Some(words).filter(|words| !words.is_empty());
        Ok(())
    }),
];

impl Profile {
    /// What this profile gets in with.
    ///
    /// # Errors
    ///
    /// Which of the three keys of a refresh is missing.
    pub fn credentials(&self) -> Result<Credentials, String> {
        let keys = [
            ("client_id", &self.client_id),
            ("client_secret", &self.client_secret),
            ("refresh_token", &self.refresh_token),
        ];
        let renewal = match refresh(keys)? {
            Some(refresh) => Some(refresh),
            None => self.token_command.clone().map(Renewal::Command),
        };
        Ok(Credentials { access: self.access.clone(), renewal })
    }
}

/// All three or none.
pub(super) fn refresh(keys: [(&str, &Option<Secret>); 3]) -> Result<Option<Renewal>, String> {
    match keys.map(|(_, value)| value.clone()) {
        [Some(client_id), Some(client_secret), Some(refresh_token)] => {
            Ok(Some(Renewal::Refresh { client_id, client_secret, refresh_token }))
        }
        [None, None, None] => Ok(None),
        _ => {
            let missing: Vec<_> = keys.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| *name).collect();
            Err(format!("{} is missing; a refresh needs all three", missing.join(" and ")))
        }
    }
}

/// What a login stores.
#[derive(Debug)]
pub struct NewProfile<'a> {
    /// Where the organisation lives.
    pub place: &'a Where,
    /// The client and its refresh token.
    pub client_id: &'a Secret,
    /// The client's secret.
    pub client_secret: &'a Secret,
    /// Its refresh token.
    pub refresh_token: &'a Secret,
    /// What was granted, if known.
    pub scopes: &'a [String],
}

/// Stores a profile; what else stands in the file stays as it is, comments included.
///
/// # Errors
///
/// The file cannot be read as TOML or not be written.
pub fn store_profile(path: &Path, name: &str, new: &NewProfile<'_>) -> Result<(), ConfigError> {
    edit(path, |profiles| {
        let mut table = Table::new();
        let mut put = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                table.insert(key, toml_edit::value(value));
            }
        };
        put("dc", new.place.dc.map(DataCentre::as_str));
        put("api_domain", new.place.api_domain.as_deref());
        put("accounts_url", new.place.accounts_url.as_deref());
        put("client_id", Some(new.client_id.expose()));
        put("client_secret", Some(new.client_secret.expose()));
        put("refresh_token", Some(new.refresh_token.expose()));
        if !new.scopes.is_empty() {
            table.insert("scopes", toml_edit::value(new.scopes.iter().collect::<toml_edit::Array>()));
        }
        profiles.insert(name, Item::Table(table));
        true
    })
    .map(|_| ())
}

/// Removes a profile; says whether there was one.
///
/// # Errors
///
/// The file cannot be read as TOML or not be written.
pub fn remove_profile(path: &Path, name: &str) -> Result<bool, ConfigError> {
    edit(path, |profiles| profiles.remove(name).is_some())
}

/// Changes the table of profiles; writes only if `change` says that it did.
fn edit(path: &Path, change: impl FnOnce(&mut Table) -> bool) -> Result<bool, ConfigError> {
    let trouble = |what: String| ConfigError::at(path, None, what);
    let text = read_small(path)?.map(|(text, _)| text).unwrap_or_default();
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        let source = ConfigSource { path, text: &text };
        source.trouble(error.span(), format!("not TOML: {}", error.message()))
    })?;
    let mut empty = Table::new();
    empty.set_implicit(true);
    let profiles = document.entry("profiles").or_insert(Item::Table(empty));
    let profiles = profiles.as_table_mut().ok_or_else(|| trouble("`profiles` is not a table".to_owned()))?;
    if !change(profiles) {
        return Ok(false);
    }
    write_private(path, &Zeroizing::new(document.to_string())).map_err(|error| trouble(system_words(&error)))?;
    Ok(true)
}

/// As a whole or not at all, readable by its owner alone.
pub(in crate::cli::config) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    replace_private(path, |file| file.write_all(text.as_bytes()))
}
