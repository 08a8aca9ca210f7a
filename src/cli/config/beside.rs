//! The file beside a manifest: run settings, and nothing that loosens what the user allows or leads out of its folder.

use std::path::{Path, PathBuf};

use super::file::{ConfigError, ConfigSource, read_small};
use super::folders::FILE_NAME;
use super::run_settings::{RUN_KEYS, RunSettings, run_key_names};
use super::tighten::loosening;
use crate::path_text::PathHazard;

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

/// Reads the run settings beside a manifest; none if there is no such file. `own` are the user's.
///
/// # Errors
///
/// It holds anything else, allows more than the user does, or names a root outside its own folder.
pub fn beside(manifest: &Path, own: &RunSettings) -> Result<RunSettings, ConfigError> {
    let path = beside_path(manifest);
    let folder = path.parent().unwrap_or(Path::new("."));
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

/// Where the file beside a manifest is looked for.
pub fn beside_path(manifest: &Path) -> PathBuf {
    let folder = manifest.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    folder.join(FILE_NAME)
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
