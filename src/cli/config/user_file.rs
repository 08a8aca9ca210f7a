//! The user's own file: profiles and run settings.

use std::collections::BTreeMap;
use std::path::Path;

use toml_edit::Table;

use super::file::{ConfigError, ConfigSource, not_private, read_small};
use super::profiles::{PROFILE_KEYS, Profile};
use super::run_settings::{RUN_KEYS, RunSettings, run_key_names};

/// What the user's own file holds.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct UserFile {
    /// Its run settings.
    pub run: RunSettings,
    /// Its profiles by name.
    pub profiles: BTreeMap<String, Profile>,
}

impl UserFile {
    /// Reads the file; one that is not there holds nothing.
    ///
    /// # Errors
    ///
    /// It cannot be read, holds something unknown, or holds profiles and can be read by others.
    pub fn load(path: &Path) -> Result<UserFile, ConfigError> {
        let Some((text, private)) = read_small(path)? else { return Ok(UserFile::default()) };
        let source = ConfigSource { path, text: &text };
        let mut user = UserFile::default();
        let mut profiles = BTreeMap::new();
        source.read(&source.parse()?, RUN_KEYS, &mut user.run, |key, item, span| match (key, item.as_table()) {
            ("profiles", Some(tables)) => read_profiles(&source, tables, &mut profiles),
            ("profiles", None) => Err(source.trouble(span, "profiles are written as [profiles.NAME]")),
            _ => Err(source.unknown(key, span, &[&run_key_names()[..], &["profiles"]].concat())),
        })?;
        if !profiles.is_empty() && !private {
            return Err(not_private(path));
        }
        user.profiles = profiles;
        Ok(user)
    }
}

fn read_profiles(
    source: &ConfigSource<'_>,
    tables: &Table,
    into: &mut BTreeMap<String, Profile>,
) -> Result<(), ConfigError> {
    let names: Vec<_> = PROFILE_KEYS.iter().map(|(name, _)| *name).collect();
    for (name, item) in tables {
        let Some(table) = item.as_table() else {
            return Err(source.trouble(item.span(), format!("the profile `{name}` must be a table")));
        };
        let mut profile = Profile::default();
        source.read(table, PROFILE_KEYS, &mut profile, |key, _, span| Err(source.unknown(key, span, &names)))?;
        into.insert(name.to_owned(), profile);
    }
    Ok(())
}
