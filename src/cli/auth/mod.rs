//! `attache auth`: stores credentials, says whom they belong to and what they allow, and removes them.

mod args;
mod list;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

use anyhow::anyhow;
use schemars::JsonSchema;
use serde::Serialize;

pub use self::args::{AuthArgs, AuthCommand};
pub(super) use self::list::ProfilesDocument;
use self::list::list;
use super::args::{ReadArgs, TargetArgs};
use super::config::{self, Access, DEFAULT_PROFILE, NewProfile, UserFile};
use super::failure::{Failure, OrExit};
use super::stdio;
use super::values::Output;
use crate::check;
use crate::crm::{lacking_scopes, scopes};
use crate::exit::Exit;
use crate::manifest;
use crate::reply::{Reply, StopBecause, Verdict};
use crate::text::{escape_for_terminal, mask_secrets, system_words};
use crate::units;
use crate::zoho::{Client, Organisation, Secret, Target, TokenOptions, User, Where, log_in};

/// Runs one of the commands.
///
/// # Errors
///
/// What the user must say otherwise (2), or what the service or the way to it refuses, which would stop a run as well
/// (4).
pub fn run(args: &AuthArgs) -> Result<Exit, Failure> {
    match &args.command {
        AuthCommand::Login { target } => login(target),
        AuthCommand::Status { manifest, target, read, output } => status(manifest.as_deref(), target, read, *output),
        AuthCommand::List { names, output } => list(*names, *output),
        AuthCommand::Logout { profile } => logout(profile.as_deref().unwrap_or(DEFAULT_PROFILE)),
    }
}

fn user_file() -> Result<std::path::PathBuf, Failure> {
    config::user_file().ok_or_else(|| {
        Failure::usage(anyhow!(
            "this system has no folder for settings; name one in the environment variable ATTACHE_CONFIG_DIR"
        ))
    })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn login(args: &TargetArgs) -> Result<Exit, Failure> {
    let path = user_file()?;
    let name = args.profile.as_deref().unwrap_or(DEFAULT_PROFILE);
    let mut place = Where {
        dc: args.dc,
        api_domain: args.api_domain.clone(),
        accounts_url: args.accounts_url.clone(),
        version: args.api_version.unwrap_or_default(),
    };
    let target = place.target().map_err(Failure::usage)?;
    let accounts = target
        .accounts()
        .ok_or_else(|| Failure::usage(anyhow!("name the server that gives out tokens: --accounts-url URL")))?;
    let http = config::http(args, args.ca_file.clone()).map_err(Failure::usage)?;
    let replaced = stored_place(&path, name);
    if let Some(place) = &replaced {
        let shown = escape_for_terminal(name);
        let _ = writeln!(
            io::stderr(),
            "note: there is a profile {shown} ({place}), which this login replaces; --profile with another name keeps both"
        );
    }
    let mut answers = Prompter::new();
    let client_id = answers.secret("Client id", "ZOHO_CLIENT_ID", Echo::On)?;
    let client_secret = answers.secret("Client secret", "ZOHO_CLIENT_SECRET", Echo::Off)?;
    let code = answers.secret("Grant code", "", Echo::Off)?;
    let login = log_in(accounts, &client_id, &client_secret, &code, &http)
        .map_err(|error| anyhow!("{error} (--dc or --accounts-url)"))
        .or_exit(Exit::Stopped)?;
    if let Some(told) = &login.api_domain {
        let found = target.completed_by(told).or_exit(Exit::Stopped)?;
        if found != target {
            place.api_domain = Some(found.api().to_string());
        }
    }
    let new = NewProfile {
        place: &place,
        client_id: &client_id,
        client_secret: &client_secret,
        refresh_token: &login.refresh_token,
        scopes: &login.scopes,
    };
    config::store_profile(&path, name, &new).map_err(Failure::usage)?;
    let _ = writeln!(
        io::stderr(),
        "{} the profile {} in {}; attache auth status shows it",
        if replaced.is_some() { "replaced" } else { "stored" },
        escape_for_terminal(name),
        path.display()
    );
    Ok(Exit::Done)
}

/// Where a stored profile leads to, if there is one of this name.
fn stored_place(path: &Path, name: &str) -> Option<String> {
    let user = UserFile::load(path).ok()?;
    user.profiles.get(name).map(|profile| shown_place(&profile.place))
}

/// Where a profile leads to, for people.
fn shown_place(place: &Where) -> String {
    let named = place.dc.map(|dc| dc.to_string()).or_else(|| place.api_domain.clone());
    let named = named.or_else(|| place.accounts_url.clone()).unwrap_or_else(|| "no target".to_owned());
    mask_secrets(&escape_for_terminal(&named)).into_owned()
}

fn logout(name: &str) -> Result<Exit, Failure> {
    let path = user_file()?;
    if let Some(folder) = config::token_folder() {
        // Tokens of other profiles go too; each is fetched anew at no cost but one request.
        let _ = std::fs::remove_dir_all(folder);
    }
    let was_there = config::remove_profile(&path, name).map_err(Failure::usage)?;
    let name = escape_for_terminal(name);
    let said = match was_there {
        true => {
            format!("removed the profile {name}; the refresh token itself lives until it is revoked in the API console")
        }
        false => format!("there is no profile {name} in {}", path.display()),
    };
    let _ = writeln!(io::stderr(), "{said}");
    Ok(if was_there { Exit::Done } else { Exit::Usage })
}

/// Whether what is typed can be seen.
#[derive(Clone, Copy, PartialEq)]
enum Echo {
    On,
    Off,
}

/// Where answers come from: the environment, else the terminal, else a line each of standard input.
struct Prompter {
    stdin: io::StdinLock<'static>,
    terminal: bool,
}

impl Prompter {
    fn new() -> Prompter {
        Prompter { terminal: io::stdin().is_terminal(), stdin: io::stdin().lock() }
    }

    fn secret(&mut self, what: &str, variable_name: &str, echo: Echo) -> Result<Secret, Failure> {
        let text = match variable(variable_name).filter(|value| !value.is_empty()) {
            Some(text) => text,
            None => {
                self.ask(what, echo).map_err(|error| Failure::usage(anyhow!("{what}: {}", system_words(&error))))?
            }
        };
        Secret::new(text).map_err(|wrong| Failure::usage(anyhow!("{what} {wrong}")))
    }

    fn ask(&mut self, what: &str, echo: Echo) -> io::Result<String> {
        if self.terminal && echo == Echo::Off {
            return rpassword::prompt_password(format!("{what} (not shown): "));
        }
        if self.terminal {
            write!(io::stderr(), "{what}: ")?;
        }
        let mut line = String::new();
        self.stdin.read_line(&mut line)?;
        Ok(line)
    }
}

/// What `auth status --output json` says. Absent: not known.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuthStatus")]
pub(super) struct AuthStatus {
    /// The version of this shape. Fields may be added without a new one.
    version: u8,
    /// Where the credentials come from; never a secret.
    credentials: String,
    /// The API's address.
    api_domain: String,
    /// The address that gives out tokens.
    accounts_url: Option<String>,
    /// Whose credentials they are.
    user: Option<UserStatus>,
    /// Which organisation they open.
    organisation: Option<OrganisationStatus>,
    /// What they allow, in the service's spelling.
    scopes: Option<Vec<String>>,
    /// How long the present access token lives.
    token_seconds_left: Option<u64>,
    /// What the manifest needs; null where none was named.
    needed_scopes: Option<Vec<String>>,
    /// What the manifest needs besides; null where no manifest was named, or nobody says what was granted.
    missing_scopes: Option<Vec<String>>,
    /// Why something is not known.
    notes: Vec<String>,
}

/// A user of the CRM.
#[derive(Serialize, JsonSchema)]
struct UserStatus {
    /// The full name.
    name: String,
    /// The address.
    email: String,
    /// The id.
    id: String,
}

/// An organisation.
#[derive(Serialize, JsonSchema)]
struct OrganisationStatus {
    /// Its name.
    name: String,
    /// Its id.
    id: String,
    /// Its edition, as the service names it.
    edition: String,
    /// Licences bought.
    users: u64,
    /// API credits in 24 hours, by the public table of editions.
    credits_per_day: Option<u64>,
    /// Calls at the same time, by the same table.
    concurrency: Option<u32>,
}

impl From<User> for UserStatus {
    fn from(user: User) -> UserStatus {
        UserStatus { name: user.name, email: user.email, id: user.id }
    }
}

impl From<Organisation> for OrganisationStatus {
    fn from(organisation: Organisation) -> OrganisationStatus {
        let allowance = organisation.allowance();
        OrganisationStatus {
            credits_per_day: allowance.and_then(|allowance| allowance.credits_per_day),
            concurrency: allowance.map(|allowance| allowance.concurrency),
            name: organisation.name,
            id: organisation.id,
            edition: organisation.edition,
            users: organisation.users,
        }
    }
}

fn status(manifest: Option<&Path>, args: &TargetArgs, read: &ReadArgs, form: Output) -> Result<Exit, Failure> {
    let needed = manifest.map(|manifest| needed_scopes(manifest, args, read)).transpose()?;
    let user = UserFile::load(&user_file()?).map_err(Failure::usage)?;
    let access = config::access(args, &user, variable, io::stdin().lock()).map_err(Failure::usage)?;
    let target = access.place.target().map_err(Failure::usage)?;
    let http = config::http(args, access.ca_file.clone()).map_err(Failure::usage)?;
    let tokens = TokenOptions { cache_folder: config::token_folder(), ..TokenOptions::default() };
    let client = Client::new(target, access.credentials.clone(), &http, tokens).map_err(Failure::usage)?;
    let target = client.find_target().map_err(|reply| refused(*reply))?;
    let status = ask(&client, &target, &access, needed.as_deref())?;
    let exit = match status.missing_scopes.as_deref() {
        None | Some([]) => Exit::Done,
        Some(_) => Exit::Stopped,
    };
    let text = match form {
        Output::Human => human(&status),
        Output::Json => crate::console::json::pretty(&status) + "\n",
    };
    Ok(exit.max(stdio::print(&text)))
}

/// No usable token, or no way to the service.
fn refused(reply: Reply) -> Failure {
    Failure { exit: Exit::Stopped, error: anyhow!(reply.message) }
}

fn ask(client: &Client, target: &Target, access: &Access, needed: Option<&[String]>) -> Result<AuthStatus, Failure> {
    let mut notes = Vec::new();
    let organisation = known("the organisation", "ZohoCRM.org.READ", client.organisation(), &mut notes)?;
    let user = known("the user", "ZohoCRM.users.READ", client.user(), &mut notes)?;
    let granted = client.scopes().or_else(|| Some(access.scopes.clone()).filter(|scopes| !scopes.is_empty()));
    if granted.is_none() {
        notes.push("the service did not say which scopes were granted; the API console shows them".to_owned());
    }
    let missing = needed.zip(granted.as_deref()).map(|(needed, granted)| lacking_scopes(needed, granted));
    Ok(AuthStatus {
        version: 1,
        credentials: access.source.clone(),
        api_domain: target.api().to_string(),
        accounts_url: target.accounts().map(ToString::to_string),
        user: user.map(UserStatus::from),
        organisation: organisation.map(OrganisationStatus::from),
        scopes: granted,
        token_seconds_left: client.token_time_left().map(|left| left.as_secs()),
        needed_scopes: needed.map(<[String]>::to_vec),
        missing_scopes: missing,
        notes,
    })
}

/// What cannot be asked for want of a scope, or of a target that has it, is a note; a token that does not work at all is
/// an end.
fn known<T>(
    what: &str,
    scope: &str,
    answer: Result<T, Box<Reply>>,
    notes: &mut Vec<String>,
) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(reply) => match reply.verdict {
            Verdict::Stop(StopBecause::Credentials | StopBecause::Target) if reply.http_status != Some(404) => {
                Err(refused(*reply))
            }
            // Nothing answers, or nobody who can say anything: so would a run find.
            Verdict::Retry(_) => Err(refused(*reply)),
            _ => {
                let code = if reply.code.is_empty() { reply.message } else { reply.code };
                notes.push(format!("{what} is not known: {code} (it takes the scope {scope})"));
                Ok(None)
            }
        },
    }
}

/// The scopes for the modules of a manifest's sound rows; its files are not looked at.
fn needed_scopes(path: &Path, args: &TargetArgs, read: &ReadArgs) -> Result<Vec<String>, Failure> {
    let settings = read.options();
    let manifest = manifest::open(&manifest::Input::Path(path.to_owned()), &settings).map_err(Failure::usage)?;
    let settings = check::CheckOptions {
        version: args.api_version.unwrap_or_default(),
        custom_modules: read.custom_module.clone(),
        skip_invalid: true,
        allow_outside: read.allow_outside,
        by_form_only: true,
        ..check::CheckOptions::default()
    };
    let checkup = check::check_anew(manifest, &settings);
    let Some(checked) = checkup.checked else {
        let message = format!("{} has no sound row; attache run --dry-run says why", path.display());
        return Err(anyhow!(message)).or_exit(Exit::Unsound);
    };
    Ok(scopes(checked.modules()))
}

fn human(status: &AuthStatus) -> String {
    let mut lines = vec![("Credentials", status.credentials.clone()), ("API", status.api_domain.clone())];
    if let Some(accounts) = &status.accounts_url {
        lines.push(("Accounts", accounts.clone()));
    }
    if let Some(user) = &status.user {
        lines.push(("User", format!("{} <{}>, id {}", user.name, user.email, user.id)));
    }
    if let Some(organisation) = &status.organisation {
        lines.push(("Organisation", format!("{}, id {}", organisation.name, organisation.id)));
        let users = units::counted(organisation.users, "user");
        lines.push(("Edition", format!("{}, {users}", organisation.edition)));
        if let (Some(credits), Some(concurrency)) = (organisation.credits_per_day, organisation.concurrency) {
            let credits = units::count(credits);
            lines.push(("Allows", format!("{credits} API credits in 24 hours, {concurrency} requests at once")));
        }
    }
    if let Some(scopes) = &status.scopes {
        lines.push(("Scopes", scopes.join(", ")));
    }
    if let Some(seconds) = status.token_seconds_left {
        lines.push(("Token", format!("lives {} more", units::duration(std::time::Duration::from_secs(seconds)))));
    }
    match status.missing_scopes.as_deref() {
        None => {
            let needed = status.needed_scopes.as_ref().map(|needed| needed.join(", "));
            lines.extend(needed.map(|needed| ("Manifest", format!("needs {needed}"))));
        }
        Some([]) => lines.push(("Manifest", "the scopes suffice".to_owned())),
        Some(missing) => lines.push(("Manifest", format!("lacks {}", missing.join(", ")))),
    }
    lines.extend(status.notes.iter().map(|note| ("Note", note.clone())));
    lines.iter().map(|(name, value)| format!("{name:<14}{value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_status_is_told_in_a_few_lines() {
        let organisation = Organisation {
            name: "Zylker".to_owned(),
            id: "700000001".to_owned(),
            edition: "enterprise".to_owned(),
            users: 10,
        };
        let status = AuthStatus {
            version: 1,
            credentials: "profile default".to_owned(),
            api_domain: "https://www.zohoapis.eu".to_owned(),
            accounts_url: Some("https://accounts.zoho.eu".to_owned()),
            user: Some(UserStatus {
                name: "Patricia Boyle".to_owned(),
                email: "patricia@example.org".to_owned(),
                id: "738964000000291009".to_owned(),
            }),
            organisation: Some(organisation.into()),
            scopes: Some(words("ZohoCRM.modules.ALL")),
            token_seconds_left: Some(3120),
            needed_scopes: Some(words("ZohoCRM.modules.attachments.CREATE")),
            missing_scopes: Some(words("ZohoCRM.modules.attachments.CREATE")),
            notes: Vec::new(),
        };
        insta::assert_snapshot!(human(&status));
    }
}
