//! Where settings and shared tokens lie on this machine.

use std::path::PathBuf;

use etcetera::BaseStrategy;

/// The name of both files.
pub(super) const FILE_NAME: &str = "attache.toml";

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
    match std::env::var_os(variable).filter(|folder| !folder.to_string_lossy().trim().is_empty()) {
        Some(folder) => Some(PathBuf::from(folder)),
        None => of_system().map(|folder| folder.join("attache")),
    }
}
