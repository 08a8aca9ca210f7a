//! Which value of a setting holds, and who says so: the command line before the environment, before the file beside the manifest,
//! before the user's own, before what is built in.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::args::{ConfigArgs, GivenBy};
use crate::cli::config::{RUN_SETTINGS, SettingKey, StatedSetting};
use crate::text::mask_secrets;

/// A value that holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub(in crate::cli) struct SettingInForce {
    /// The setting's name, as in `attache.toml`.
    pub(super) name: String,
    /// The value as it was given.
    pub(super) value: String,
    /// What kind of place says so.
    pub(super) source: SettingSource,
    /// Which place: the option, the variable, the file with its line, the profile; null for what is built in.
    pub(super) place: Option<String>,
}

/// Kinds of places that say what holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum SettingSource {
    /// The command line.
    CommandLine,
    /// The environment.
    Environment,
    /// The file beside the manifest.
    ProjectFile,
    /// The user's own file.
    UserFile,
    /// A profile of the user's own file.
    Profile,
    /// Nobody: it is built in.
    Default,
}

/// A settings file and what it states.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct StatedFile {
    /// Where it is looked for.
    pub(super) path: PathBuf,
    /// What it states; `None`: there is no such file.
    pub(super) settings: Option<Vec<StatedSetting>>,
}

impl StatedFile {
    fn of(&self, key: &str) -> Option<(&StatedSetting, String)> {
        let stated = self.settings.iter().flatten().find(|setting| setting.key == key)?;
        Some((stated, format!("{}, line {}", self.path.display(), stated.line)))
    }
}

/// What the command line or the environment says of an option.
pub(super) fn of_option(args: &ConfigArgs, name: &str, option: &str) -> Option<SettingInForce> {
    let given = args.given.get(option)?;
    let (source, place) = match &given.by {
        GivenBy::CommandLine => (SettingSource::CommandLine, format!("--{option}")),
        GivenBy::Environment(variable) => (SettingSource::Environment, variable.clone()),
    };
    let value = mask_secrets(&given.text).into_owned();
    Some(SettingInForce { name: name.to_owned(), value, source, place: Some(place) })
}

/// The settings of a run that hold. Of those that add up, each source has an entry.
pub(super) fn settings(
    args: &ConfigArgs,
    project: Option<&StatedFile>,
    user: Option<&StatedFile>,
) -> Vec<SettingInForce> {
    RUN_SETTINGS.iter().flat_map(|key| of_key(key, args, project, user)).collect()
}

fn of_key(
    key: &SettingKey,
    args: &ConfigArgs,
    project: Option<&StatedFile>,
    user: Option<&StatedFile>,
) -> Vec<SettingInForce> {
    let of_file = |file: Option<&StatedFile>, source| {
        let (stated, place) = file?.of(key.name)?;
        Some(SettingInForce {
            name: key.name.to_owned(),
            value: mask_secrets(stated.value.trim_matches('"')).into_owned(),
            source,
            place: Some(place),
        })
    };
    // A switch that is off on the command line is one that nobody gave.
    let given = key.option.and_then(|option| of_option(args, key.name, option));
    let given = given.filter(|given| given.value != "false");
    let mut found: Vec<SettingInForce> =
        [given, of_file(project, SettingSource::ProjectFile), of_file(user, SettingSource::UserFile)]
            .into_iter()
            .flatten()
            .collect();
    if !matches!(key.name, "custom_modules" | "columns") {
        found.truncate(1);
    }
    if found.is_empty() {
        found.push(SettingInForce {
            name: key.name.to_owned(),
            value: key.default.to_owned(),
            source: SettingSource::Default,
            place: None,
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{self, Command};

    fn asked(words: &[&str]) -> ConfigArgs {
        let words = ["attache", "config"].iter().chain(words).copied();
        match args::parse(words).map(|cli| cli.command) {
            Ok(Command::Config(config)) => *config,
            other => panic!("{other:?}"),
        }
    }

    fn file(name: &str, settings: &[(&str, &str)]) -> StatedFile {
        let stated = settings.iter().enumerate().map(|(at, (key, value))| StatedSetting {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
            line: at + 1,
        });
        StatedFile { path: name.into(), settings: Some(stated.collect()) }
    }

    fn told(found: &[SettingInForce], name: &str) -> Vec<(String, SettingSource, Option<String>)> {
        let of_name = found.iter().filter(|setting| setting.name == name);
        of_name.map(|setting| (setting.value.clone(), setting.source, setting.place.clone())).collect()
    }

    #[test]
    fn the_command_line_goes_before_the_folder_before_the_user_before_what_is_built_in() {
        let project =
            file("p/attache.toml", &[("rate", "\"1/s\""), ("concurrency", "2"), ("custom_modules", "[\"P\"]")]);
        let user = file(
            "u/attache.toml",
            &[("strict", "true"), ("rate", "\"5/s\""), ("concurrency", "3"), ("custom_modules", "[\"U\"]")],
        );
        let found = settings(&asked(&["--concurrency", "9", "--custom-module", "A,B"]), Some(&project), Some(&user));
        let one = |value: &str, source, place: Option<&str>| (value.to_owned(), source, place.map(str::to_owned));
        assert_eq!(told(&found, "concurrency"), [one("9", SettingSource::CommandLine, Some("--concurrency"))]);
        assert_eq!(told(&found, "rate"), [one("1/s", SettingSource::ProjectFile, Some("p/attache.toml, line 1"))]);
        assert_eq!(told(&found, "strict"), [one("true", SettingSource::UserFile, Some("u/attache.toml, line 1"))]);
        assert_eq!(told(&found, "root"), [one("the manifest's folder", SettingSource::Default, None)]);
        let modules: Vec<SettingSource> = told(&found, "custom_modules").iter().map(|(_, source, _)| *source).collect();
        assert_eq!(modules, [SettingSource::CommandLine, SettingSource::ProjectFile, SettingSource::UserFile]);
    }
}
