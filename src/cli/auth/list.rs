//! `attache auth list`: which profiles are stored, without a secret.

use schemars::JsonSchema;
use serde::Serialize;

use super::{shown_place, user_file};
use crate::cli::config::{self, DEFAULT_PROFILE, UserFile};
use crate::cli::failure::Failure;
use crate::cli::show_config::kind;
use crate::cli::stdio;
use crate::cli::values::Output;
use crate::exit::Exit;
use crate::text::{escape_for_terminal, mask_secrets};

/// What `auth list --output json` says.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Profiles")]
pub(in crate::cli) struct ProfilesDocument {
    /// The version of this shape. Fields may be added without a new one.
    version: u8,
    /// The file that holds them.
    file: String,
    /// The profiles, by name.
    profiles: Vec<ListedProfile>,
}

/// A profile as it is listed; never a secret.
#[derive(Serialize, JsonSchema)]
struct ListedProfile {
    /// Its name.
    name: String,
    /// Whether it is used where none is named.
    is_default: bool,
    /// Its data centre; null where it names an address, or nothing.
    dc: Option<String>,
    /// Its address of the API; null where it names none.
    api_domain: Option<String>,
    /// What it gets in with; null: nothing.
    credentials: Option<&'static str>,
    /// The scopes that it was granted, as far as the login was told.
    scopes: Vec<String>,
}

/// Prints the profiles that are stored.
///
/// # Errors
///
/// The file cannot be read.
pub(super) fn list(only_names: bool, form: Output) -> Result<Exit, Failure> {
    let path = user_file()?;
    let user = UserFile::load(&path).map_err(Failure::usage)?;
    if only_names {
        let names: String = user.profiles.keys().map(|name| format!("{name}\n")).collect();
        return Ok(stdio::print(&names));
    }
    let listed = |(name, profile): (&String, &config::Profile)| ListedProfile {
        name: name.clone(),
        is_default: name == DEFAULT_PROFILE,
        dc: profile.place.dc.map(|dc| dc.to_string()),
        api_domain: profile.place.api_domain.as_deref().map(|address| mask_secrets(address).into_owned()),
        credentials: profile.credentials().ok().and_then(|credentials| kind(&credentials)),
        scopes: profile.scopes.clone(),
    };
    let text = match form {
        Output::Json => {
            let profiles = user.profiles.iter().map(listed).collect();
            crate::console::json::pretty(&ProfilesDocument { version: 1, file: path.display().to_string(), profiles })
                + "\n"
        }
        Output::Human if user.profiles.is_empty() => {
            format!("No profile is stored in {} yet: attache auth login makes one.\n", path.display())
        }
        Output::Human => user.profiles.iter().map(|(name, profile)| listed_line(name, profile)).collect(),
    };
    Ok(stdio::print(&text))
}

fn listed_line(name: &str, profile: &config::Profile) -> String {
    let what = match profile.credentials() {
        Ok(credentials) => kind(&credentials).unwrap_or("no credentials").to_owned(),
        Err(missing) => missing,
    };
    let scopes = if profile.scopes.is_empty() { String::new() } else { format!(", {}", profile.scopes.join(" ")) };
    let mark = if name == DEFAULT_PROFILE { "  (used where none is named)" } else { "" };
    let (name, what) = (escape_for_terminal(name), escape_for_terminal(&what).into_owned());
    format!("{name:<14}{:<24}{what}{}{mark}\n", shown_place(&profile.place), escape_for_terminal(&scopes))
}
