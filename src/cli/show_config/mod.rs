//! `attache config`: which settings hold for a run, and where each comes from. Never a secret.

mod args;
mod in_force;

use std::fmt::Write as _;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::args::ConfigArgs;
pub(super) use self::args::given;
use self::in_force::{SettingInForce, SettingSource, StatedFile, of_option, settings};
use super::config::{self, Access, DEFAULT_PROFILE, UserFile};
use super::failure::Failure;
use super::screen::Screen;
use super::values::Output;
use crate::exit::Exit;
use crate::text::{escape_for_terminal, mask_secrets};
use crate::zoho::{ApiVersion, Credentials, HttpError, Renewal};

/// What `config --output json` says.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Config")]
pub(super) struct ConfigDocument {
    /// The version of this shape. Fields may be added without a new one.
    version: u8,
    /// The two places where settings are looked for.
    files: Vec<ConfigFile>,
    /// Where to, with what is named only.
    target: Vec<SettingInForce>,
    /// What a run would get in with; never a secret.
    credentials: ConfigCredentials,
    /// The settings of a run.
    settings: Vec<SettingInForce>,
}

/// A place where settings are looked for.
#[derive(Serialize, JsonSchema)]
struct ConfigFile {
    /// Whose it is.
    role: ConfigFileRole,
    /// Its path; null where the system has no folder for it.
    path: Option<String>,
    /// Whether it is there.
    present: bool,
}

/// Whose settings file it is.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ConfigFileRole {
    /// The user's own, with profiles.
    User,
    /// The one beside the manifest, which may have come from anyone.
    Project,
}

/// What a run would get in with.
#[derive(Serialize, JsonSchema)]
struct ConfigCredentials {
    /// What kind it is; null: there are none.
    kind: Option<&'static str>,
    /// Where they come from; null: there are none.
    place: Option<String>,
}

/// Shows what holds.
///
/// # Errors
///
/// A settings file holds what it may not, as for a run; a profile that is named is not there.
pub fn run(args: &ConfigArgs, screen: Screen) -> Result<Exit, Failure> {
    let document = document(args).map_err(Failure::usage)?;
    match args.output {
        Output::Json => screen.print_data(&(crate::console::json::pretty(&document) + "\n"))?,
        Output::Human => screen.print(&human(&document))?,
    }
    Ok(Exit::Done)
}

fn document(args: &ConfigArgs) -> anyhow::Result<ConfigDocument> {
    let user_path = config::user_file();
    let user = user_path.as_deref().map_or(Ok(UserFile::default()), UserFile::load)?;
    let manifest = args.manifest.clone().unwrap_or_else(|| PathBuf::from("manifest.csv"));
    // Refused here as it would be for a run.
    config::beside(&manifest, &user.run)?;
    let read = |path: PathBuf| config::stated(&path).map(|settings| StatedFile { path, settings });
    let project = read(config::beside_path(&manifest))?;
    let own = user_path.map(read).transpose()?;
    // The token itself does not matter, so nobody has to type one for this.
    let access = config::access(&args.target, &user, |name| std::env::var(name).ok(), &b"typed-later\n"[..])?;
    Ok(ConfigDocument {
        version: 1,
        files: vec![file(ConfigFileRole::User, own.as_ref()), file(ConfigFileRole::Project, Some(&project))],
        target: target(args, &access)?,
        credentials: ConfigCredentials {
            kind: kind(&access.credentials),
            place: (!access.credentials.is_empty()).then(|| access.source.clone()),
        },
        settings: settings(args, Some(&project), own.as_ref()),
    })
}

fn file(role: ConfigFileRole, file: Option<&StatedFile>) -> ConfigFile {
    ConfigFile {
        role,
        path: file.map(|file| file.path.display().to_string()),
        present: file.is_some_and(|file| file.settings.is_some()),
    }
}

/// What kind of credentials these are.
pub(super) fn kind(credentials: &Credentials) -> Option<&'static str> {
    match (&credentials.renewal, &credentials.access) {
        (Some(Renewal::Refresh { .. }), _) => Some("a client with its refresh token"),
        (Some(Renewal::Command(_)), _) => Some("a token command"),
        (None, Some(_)) => Some("an access token"),
        (None, None) => None,
    }
}

/// Where to, and over which way.
fn target(args: &ConfigArgs, access: &Access) -> Result<Vec<SettingInForce>, HttpError> {
    let name = args.target.profile.as_deref().unwrap_or(DEFAULT_PROFILE);
    let by_profile = |setting: &str, value: Option<String>| {
        Some(SettingInForce {
            name: setting.to_owned(),
            value: mask_secrets(&value?).into_owned(),
            source: SettingSource::Profile,
            place: Some(format!("profile {name}")),
        })
    };
    let by_default = |setting: &str, value: &str| SettingInForce {
        name: setting.to_owned(),
        value: value.to_owned(),
        source: SettingSource::Default,
        place: None,
    };
    let place = &access.place;
    let of = |setting: &str, option: &str, value: Option<String>| {
        of_option(args, setting, option).or_else(|| by_profile(setting, value))
    };
    let mut found =
        vec![of_option(args, "profile", "profile").unwrap_or_else(|| by_default("profile", DEFAULT_PROFILE))];
    found.extend(of("dc", "dc", place.dc.map(|dc| dc.to_string())).filter(|_| place.dc.is_some()));
    found.extend(of("api_domain", "api-domain", place.api_domain.clone()).filter(|_| place.api_domain.is_some()));
    found.extend(of("accounts_url", "accounts-url", place.accounts_url.clone()));
    let version = (place.version != ApiVersion::default()).then(|| place.version.to_string());
    found.push(
        of("api_version", "api-version", version)
            .unwrap_or_else(|| by_default("api_version", &ApiVersion::default().to_string())),
    );
    found.extend(of("ca_file", "ca-file", access.ca_file.as_ref().map(|path| path.display().to_string())));
    found.extend(of_option(args, "no_proxy", "no-proxy").filter(|setting| setting.value == "true"));
    let http = config::http(&args.target, None)?;
    let proxy = place.target().ok().and_then(|target| http.proxies.shown_for(target.api()));
    found.extend(proxy.map(|value| SettingInForce {
        name: "proxy".to_owned(),
        value,
        source: SettingSource::Environment,
        place: Some("HTTPS_PROXY or ALL_PROXY".to_owned()),
    }));
    Ok(found)
}

fn human(document: &ConfigDocument) -> String {
    let mut text = "Settings files\n".to_owned();
    for file in &document.files {
        let whose = match file.role {
            ConfigFileRole::User => "your own",
            ConfigFileRole::Project => "beside the manifest",
        };
        let path = file.path.as_deref().unwrap_or("this system has no folder for it");
        let missing = if file.present { "" } else { "  (not there)" };
        let _ = writeln!(text, "  {whose:<21}{}{missing}", escape_for_terminal(path));
    }
    text.push_str("\nWhere to\n");
    lines(&mut text, &document.target);
    let none = "none: attache auth login stores some".to_owned();
    let credentials = match (&document.credentials.kind, &document.credentials.place) {
        (Some(kind), Some(place)) => (*kind).to_owned() + "  " + place,
        _ => none,
    };
    let _ = writeln!(text, "  {:<21}{}", "credentials", escape_for_terminal(&credentials));
    text.push_str("\nRuns\n");
    lines(&mut text, &document.settings);
    text
}

fn lines(text: &mut String, settings: &[SettingInForce]) {
    for setting in settings {
        let place = match setting.source {
            SettingSource::Default => "built in",
            _ => setting.place.as_deref().unwrap_or_default(),
        };
        let (value, place) = (escape_for_terminal(&setting.value), escape_for_terminal(place));
        let _ = writeln!(text, "  {:<21}{value:<24}  {place}", setting.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoho::Secret;

    #[test]
    fn credentials_are_told_by_their_kind_alone() {
        let secret = |text: &str| Secret::new(text).expect("a secret");
        let renewal = Renewal::Refresh {
            client_id: secret("1000.id"),
            client_secret: secret("hush"),
            refresh_token: secret("1000.r"),
        };
        assert_eq!(
            kind(&Credentials { access: None, renewal: Some(renewal) }),
            Some("a client with its refresh token")
        );
        assert_eq!(kind(&Credentials::token(secret("1000.a"))), Some("an access token"));
        assert_eq!(kind(&Credentials::default()), None);
    }
}
