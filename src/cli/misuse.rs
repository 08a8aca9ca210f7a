//! What is said of a command line that cannot be used, where the words of the library that reads it do not help.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// An option that would hold a secret gets an answer of its own: the nearest option by its letters is no help.
pub(super) fn about_secrets(error: clap::Error, command: &mut clap::Command) -> clap::Error {
    const SECRETS: [&str; 9] = [
        "--token",
        "--access-token",
        "--refresh-token",
        "--client-id",
        "--client-secret",
        "--secret",
        "--grant-code",
        "--code",
        "--password",
    ];
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return error };
    if error.kind() != ErrorKind::UnknownArgument || !SECRETS.contains(&option.as_str()) {
        return error;
    }
    let text = format!(
        "there is no {option}: what stands on a command line can be read by other programs and stays in the shell's \
         history. Set ZOHO_ACCESS_TOKEN, or ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET and ZOHO_REFRESH_TOKEN, in the \
         environment, or store them once with attache auth login"
    );
    command.error(ErrorKind::UnknownArgument, text)
}

/// A value that nobody typed is told with the variable that it comes from.
pub(super) fn about_variables(error: clap::Error, args: &[OsString], command: &mut clap::Command) -> clap::Error {
    let (Some(ContextValue::String(arg)), Some(ContextValue::String(value))) =
        (error.get(ContextKind::InvalidArg), error.get(ContextKind::InvalidValue))
    else {
        return error;
    };
    let Some(option) = arg.split_whitespace().next().and_then(|word| word.strip_prefix("--")) else { return error };
    let option = option.trim_end_matches('.');
    let is_typed = args
        .iter()
        .filter_map(|arg| arg.to_str()?.strip_prefix("--"))
        .any(|typed| typed.split_once('=').map_or(typed, |(name, _)| name) == option);
    let name = variables_of(command, option)
        .into_iter()
        .find(|name| std::env::var_os(name).is_some_and(|set| set.to_string_lossy().contains(value.as_str())));
    let Some(name) = name.filter(|_| !is_typed) else { return error };
    let text = error.render().to_string();
    let text = text.trim_start_matches("error: ");
    let text = text.split_once("\n\n").map_or(text, |(first, _)| first).trim_end();
    let text = format!("{text}\n  it comes from the environment variable {name}");
    command.error(error.kind(), text)
}

/// The variables that an option of this name has, by the commands that take it.
fn variables_of(command: &clap::Command, option: &str) -> Vec<String> {
    let own = command.get_arguments().filter(|arg| arg.get_long() == Some(option));
    let own = own.filter_map(|arg| Some(arg.get_env()?.to_str()?.to_owned()));
    own.chain(command.get_subcommands().flat_map(|sub| variables_of(sub, option))).collect()
}
