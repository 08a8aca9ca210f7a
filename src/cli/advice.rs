//! What would help after an error: the options by which somebody goes on, spelled as he types them.
//!
//! Errors of the inner modules say what happened and know no command line. Here each gets its remedies, and of those only
//! the ones are said whose options the command has: `verify` advises nothing that only `run` takes.

use std::collections::HashSet;
use std::ffi::OsString;

use super::args::command;
use crate::manifest::ManifestError;
use crate::results::{PlaceError, ResultsError};
use crate::zoho::{ClientError, HttpError, TargetError};

/// The options that one command takes, with their dashes.
pub struct CommandOptions(HashSet<String>);

impl CommandOptions {
    /// Of the command that these arguments call; the first is the program's name.
    pub fn of(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> CommandOptions {
        let mut described = command();
        described.build();
        let mut called = described.try_get_matches_from_mut(args).ok();
        let mut found = &described;
        while let Some((name, matches)) = called.as_ref().and_then(|matches| matches.subcommand()) {
            let Some(inner) = found.find_subcommand(name) else { break };
            found = inner;
            let matches = matches.clone();
            called = Some(matches);
        }
        let options = found.get_arguments().filter_map(|argument| argument.get_long());
        CommandOptions(options.map(|name| format!("--{name}")).collect())
    }

    /// Whether every option that a text names is one of the command.
    fn have_all_of(&self, text: &str) -> bool {
        options_in(text).all(|option| self.0.contains(option))
    }
}

/// The options that a text names.
fn options_in(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '-';
    text.split(move |c: char| !is_part(c)).filter(|word| word.starts_with("--") && word.len() > 2)
}

/// What would help after this error, as the end of a sentence; `None` if nothing of the command line does.
pub fn advice(error: &anyhow::Error, options: &CommandOptions) -> Option<String> {
    let remedies: Vec<&str> =
        error.chain().flat_map(remedies).copied().filter(|remedy| options.have_all_of(remedy)).collect();
    (!remedies.is_empty()).then(|| remedies.join(", or "))
}

fn remedies(error: &(dyn std::error::Error + 'static)) -> &'static [&'static str] {
    if let Some(error) = error.downcast_ref::<ManifestError>() {
        of_manifest(error)
    } else if let Some(error) = error.downcast_ref::<ResultsError>() {
        of_results(error)
    } else if let Some(error) = error.downcast_ref::<PlaceError>() {
        of_place(error)
    } else if let Some(error) = error.downcast_ref::<TargetError>() {
        of_target(error)
    } else if let Some(error) = error.downcast_ref::<ClientError>() {
        of_client(error)
    } else if let Some(error) = error.downcast_ref::<HttpError>() {
        of_http(error)
    } else {
        &[]
    }
}

fn of_manifest(error: &ManifestError) -> &'static [&'static str] {
    match error {
        ManifestError::UnknownFormat(_) | ManifestError::StdinFormat => {
            &["say it with --format csv, --format xlsx or --format yaml"]
        }
        ManifestError::NoSheets(_) => &["leave --sheet out"],
        ManifestError::Base(..) => &["name another with --root"],
        _ => &[],
    }
}

fn of_results(error: &ResultsError) -> &'static [&'static str] {
    match error {
        ResultsError::Place(error) => of_place(error),
        ResultsError::Linked { .. } => &["make a copy and name it with --results"],
        ResultsError::NotReplaced { .. } | ResultsError::OtherTarget { .. } | ResultsError::OtherManifest { .. } => {
            &["name another file with --results"]
        }
        ResultsError::Vanished { .. } => {
            &["name it where it is now with --results", "if all rows are to be sent anew, go on with --new-results"]
        }
        ResultsError::Edited { accepted: false, .. } => {
            &["go on with --accept-edited-results, which relies on the columns key and status only"]
        }
        ResultsError::LinesMissing { .. } => &["if it was shortened on purpose, go on with --accept-edited-results"],
        ResultsError::BelowMark { .. } => {
            &["where there is none any more, go on with --accept-edited-results --if-exists \
                                            skip, which sends only what the records do not have"]
        }
        ResultsError::MarkMissing { .. } => {
            &["if nothing was done to the results since, go on with --accept-edited-results"]
        }
        ResultsError::Io { action: "lock", .. } => &["name a file on a local disk with --results"],
        ResultsError::Edited { .. }
        | ResultsError::Locked { .. }
        | ResultsError::NotResults { .. }
        | ResultsError::Io { .. } => &[],
    }
}

fn of_place(error: &PlaceError) -> &'static [&'static str] {
    if error.is_link() { &["name the file it leads to with --results"] } else { &["name another file with --results"] }
}

fn of_target(error: &TargetError) -> &'static [&'static str] {
    match error {
        TargetError::Missing => {
            &["name the place with --dc us|eu|in|au|jp|cn|ca|sa|uk or --api-domain URL", "rehearse with --sandbox"]
        }
        TargetError::NoApiDomain => &["name it with --api-domain URL"],
        TargetError::Contradiction { .. } => &["give only one of --dc and --api-domain"],
        TargetError::TokenOfElsewhere { .. } => &["name the right one with --dc or --api-domain"],
        TargetError::Address { .. } => &[],
    }
}

fn of_client(error: &ClientError) -> &'static [&'static str] {
    match error {
        ClientError::NoCredentials => &["rehearse without any, with --sandbox"],
        ClientError::Http(error) => of_http(error),
        ClientError::RehearsalToken => &[],
    }
}

fn of_http(error: &HttpError) -> &'static [&'static str] {
    match error {
        HttpError::CaFile { .. } => &["name another file with --ca-file"],
        HttpError::Proxy { .. } => &["leave all proxies out with --no-proxy"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(args: &[&str], error: impl Into<anyhow::Error>) -> Option<String> {
        advice(&error.into(), &CommandOptions::of(args))
    }

    #[test]
    fn only_options_that_the_command_has_are_advised() {
        let run = said(&["attache", "run", "m.csv"], TargetError::Missing).expect("advice");
        assert!(run.contains("--dc us|eu") && run.ends_with(", or rehearse with --sandbox"), "{run}");
        let login = said(&["attache", "auth", "login"], TargetError::Missing).expect("advice");
        assert!(login.contains("--dc us|eu") && !login.contains("--sandbox"), "{login}");
        let edited = || ResultsError::Edited { path: "r.csv".into(), line: 2, column: None, accepted: false };
        assert!(said(&["attache", "run", "m.csv"], edited()).is_some());
        assert_eq!(said(&["attache", "verify", "r.csv"], edited()), None);
    }

    #[test]
    fn an_error_keeps_its_advice_under_what_is_said_above_it() {
        let error = anyhow::Error::from(ManifestError::StdinFormat).context("cannot start");
        let options = CommandOptions::of(["attache", "run", "-"]);
        assert_eq!(
            advice(&error, &options).as_deref(),
            Some("say it with --format csv, --format xlsx or --format yaml")
        );
        assert_eq!(advice(&anyhow::anyhow!("something else"), &options), None);
    }

    #[test]
    fn options_are_found_between_other_words() {
        let found: Vec<&str> = options_in("use --dc us|eu, --api-domain URL or -- no-dash").collect();
        assert_eq!(found, ["--dc", "--api-domain"]);
    }
}
