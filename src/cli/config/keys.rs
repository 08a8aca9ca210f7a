//! Every key of `attache.toml` as a user should know it: what it is good for, how it is written, what holds without it, and what
//! a file beside a manifest may say of it. The page in `docs/`, the manual page and `attache config` are made from these tables.

/// One key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SettingKey {
    /// As it is written in the file.
    pub name: &'static str,
    /// The option that says the same, without its dashes; `None`: there is none.
    pub option: Option<&'static str>,
    /// A value as it may stand behind the `=`.
    pub example: &'static str,
    /// What it is, without a full stop.
    pub meaning: &'static str,
    /// What holds where nobody says anything.
    pub default: &'static str,
    /// What a file beside a manifest may say.
    pub beside: &'static str,
}

/// Settings of a run, which either file may hold.
pub const RUN_SETTINGS: &[SettingKey] = &[
    SettingKey {
        name: "concurrency",
        option: Some("concurrency"),
        example: "2",
        meaning: "most requests under way at once, 1 to 25",
        default: "4",
        beside: "fewer only",
    },
    SettingKey {
        name: "rate",
        option: Some("rate"),
        example: "\"5/s\"",
        meaning: "most requests in a time: \"5/s\", \"90/min\" or \"none\"",
        default: "10/s",
        beside: "slower only",
    },
    SettingKey {
        name: "bandwidth",
        option: Some("bandwidth"),
        example: "\"5MB/s\"",
        meaning: "most bytes sent in a second",
        default: "no limit",
        beside: "less only",
    },
    SettingKey {
        name: "credits_per_day",
        option: Some("credits-per-day"),
        example: "50000",
        meaning: "what the organisation gets in 24 hours, for the plan's estimate of time",
        default: "50000",
        beside: "fewer only",
    },
    SettingKey {
        name: "max_size",
        option: Some("max-size"),
        example: "\"95MiB\"",
        meaning: "largest request body",
        default: "104857600",
        beside: "smaller only",
    },
    SettingKey {
        name: "strict",
        option: Some("strict"),
        example: "true",
        meaning: "take warnings about rows as problems",
        default: "false",
        beside: "true only",
    },
    SettingKey {
        name: "allow_empty",
        option: Some("allow-empty"),
        example: "true",
        meaning: "let empty files pass",
        default: "false",
        beside: "false only",
    },
    SettingKey {
        name: "allow_identical",
        option: Some("allow-identical"),
        example: "true",
        meaning: "let the same file pass twice on one record",
        default: "false",
        beside: "false only",
    },
    SettingKey {
        name: "allow_rounded_ids",
        option: Some("allow-rounded-ids"),
        example: "true",
        meaning: "let record ids pass that look rounded by a spreadsheet",
        default: "false",
        beside: "false only",
    },
    SettingKey {
        name: "ignore_columns",
        option: Some("ignore-columns"),
        example: "true",
        meaning: "pass over columns that have no meaning here",
        default: "false",
        beside: "false only",
    },
    SettingKey {
        name: "columns",
        option: Some("column"),
        example: "{ record = \"Record Id\" }",
        meaning: "headings of the manifest that are to be read as columns",
        default: "none",
        beside: "anything",
    },
    SettingKey {
        name: "custom_modules",
        option: Some("custom-module"),
        example: "[\"Vessels\", \"Site_Visits\"]",
        meaning: "API names of custom modules; those of both files and of the command line count together",
        default: "none",
        beside: "anything",
    },
    SettingKey {
        name: "crosswalk",
        option: Some("crosswalk"),
        example: "\"crosswalk.csv\"",
        meaning: "file, or list of files, that says which record each key stands for",
        default: "none",
        beside: "files inside its folder",
    },
    SettingKey {
        name: "root",
        option: Some("root"),
        example: "\"scans\"",
        meaning: "folder that the manifest's paths are relative to and may not leave",
        default: "the manifest's folder",
        beside: "a folder inside its own",
    },
];

/// What a profile of the user's own file may hold. In a file beside a manifest all of it is an error.
pub const PROFILE_SETTINGS: &[SettingKey] = &[
    profile("dc", Some("dc"), "\"eu\"", "data centre of the organisation"),
    profile("api_domain", Some("api-domain"), "\"https://crm.example.zohoplatform.com\"", "address of the API instead"),
    profile(
        "accounts_url",
        Some("accounts-url"),
        "\"https://accounts.zoho.eu\"",
        "address that gives out tokens, where it is not that of the data centre",
    ),
    profile("api_version", Some("api-version"), "\"v8\"", "version of the API, v2 to v8"),
    profile("ca_file", Some("ca-file"), "\"company.pem\"", "trust only the certificates in this PEM file"),
    profile("client_id", None, "\"1000.…\"", "the client's id, stored by attache auth login"),
    profile("client_secret", None, "\"…\"", "the client's secret, stored by attache auth login"),
    profile("refresh_token", None, "\"1000.…\"", "what access tokens are fetched with, stored by attache auth login"),
    profile("access_token", None, "\"1000.…\"", "an access token, used until it is refused"),
    profile("token_command", None, "[\"pass\", \"zoho\"]", "a program and its arguments that prints an access token"),
    profile("scopes", None, "[\"ZohoCRM.modules.ALL\"]", "what was granted, as the accounts server said at the login"),
];

const fn profile(
    name: &'static str,
    option: Option<&'static str>,
    example: &'static str,
    meaning: &'static str,
) -> SettingKey {
    SettingKey { name, option, example, meaning, default: "", beside: "never" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::config::profiles::PROFILE_KEYS;
    use crate::cli::config::run_settings::RUN_KEYS;
    use crate::cli::config::{RunSettings, UserFile, beside};

    fn names<'a, T: 'a>(keys: impl IntoIterator<Item = &'a T>, name: impl Fn(&T) -> &'static str) -> Vec<&'static str> {
        let mut names: Vec<&str> = keys.into_iter().map(name).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn every_key_that_is_read_is_told_and_no_other() {
        assert_eq!(names(RUN_SETTINGS, |key| key.name), names(RUN_KEYS, |key| key.0));
        assert_eq!(names(PROFILE_SETTINGS, |key| key.name), names(PROFILE_KEYS, |key| key.0));
    }

    #[test]
    fn the_page_in_the_documentation_tells_every_key_as_it_is() {
        let page = include_str!("../../../docs/config.md").replace("\r\n", "\n");
        for SettingKey { name, example, meaning, default, beside, .. } in RUN_SETTINGS {
            let row = format!("| `{name}` | `{example}` | {meaning} | {default} | {beside} |\n");
            assert!(page.contains(&row), "docs/config.md lacks\n{row}");
        }
        for SettingKey { name, example, meaning, .. } in PROFILE_SETTINGS {
            let row = format!("| `{name}` | `{example}` | {meaning} |\n");
            assert!(page.contains(&row), "docs/config.md lacks\n{row}");
        }
        let rows = page.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(rows, RUN_SETTINGS.len() + PROFILE_SETTINGS.len(), "a key is told that there is not");
    }

    #[test]
    fn every_example_can_be_written_as_it_stands() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("attache.toml");
        for key in RUN_SETTINGS {
            std::fs::write(&path, format!("{} = {}\n", key.name, key.example)).expect("written");
            let read = UserFile::load(&path).map(|user| user.run);
            assert!(read.as_ref().is_ok_and(|run| *run != RunSettings::default()), "{}: {read:?}", key.name);
        }
        for key in PROFILE_SETTINGS {
            let example = key.example.replace('…', "x");
            let toml = format!("[profiles.a]\n{} = {example}\n", key.name);
            crate::cli::config::profiles::write_private(&path, &toml).expect("written");
            let user = UserFile::load(&path);
            assert!(user.is_ok(), "{}: {user:?}", key.name);
        }
    }

    #[test]
    fn what_a_file_beside_a_manifest_may_say_is_told_as_it_is_judged() {
        let folder = tempfile::tempdir().expect("a folder");
        let manifest = folder.path().join("m.csv");
        std::fs::create_dir(folder.path().join("scans")).expect("a folder");
        std::fs::write(folder.path().join("crosswalk.csv"), "module,key,record\n").expect("written");
        let judged = |name: &str, value: &str| {
            std::fs::write(folder.path().join("attache.toml"), format!("{name} = {value}\n")).expect("written");
            beside(&manifest, &RunSettings { bandwidth: Some(6), credits_per_day: Some(6), ..RunSettings::default() })
        };
        for key in RUN_SETTINGS {
            let (right, wrong) = match key.beside {
                "fewer only" => ("1", Some(if key.name == "concurrency" { "25" } else { "7" })),
                "slower only" => ("\"1/s\"", Some("\"none\"")),
                "less only" => ("\"5B/s\"", Some("\"7B/s\"")),
                "smaller only" => ("1000", Some("104857601")),
                "true only" => ("true", None),
                "false only" => ("false", Some("true")),
                "a folder inside its own" => (key.example, Some("\"..\"")),
                "files inside its folder" => (key.example, Some("\"/etc/hosts\"")),
                "anything" => (key.example, None),
                other => panic!("{other} is not known here"),
            };
            assert!(judged(key.name, right).is_ok(), "{} = {right}: {:?}", key.name, judged(key.name, right));
            assert!(wrong.is_none_or(|wrong| judged(key.name, wrong).is_err()), "{}", key.name);
        }
        for key in PROFILE_SETTINGS {
            assert!(judged(key.name, key.example).is_err(), "{}", key.name);
        }
    }
}
