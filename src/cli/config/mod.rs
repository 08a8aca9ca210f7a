//! Settings files: the user's own `attache.toml`, and one beside the manifest.
//!
//! The user's own holds profiles (where to, and credentials) and run settings. One beside a manifest came with the
//! manifest, perhaps from somebody else: it may set how a run is paced and checked, and nothing that would send the
//! user's files or token to another place. Values are read by hand here and not by a deserialiser, whose messages repeat
//! what they could not read: this file holds secrets.
//!
//! | to change | open |
//! | --- | --- |
//! | what run settings there are | `run_settings.rs` |
//! | what a profile may hold; storing and removing one | `profiles.rs` |
//! | the user's own file | `user_file.rs` |
//! | what the file beside a manifest may say | `beside.rs`, `tighten.rs` |
//! | where credentials and addresses come from, and which of them wins | `access.rs` |
//! | how a file is read and a mistake in it named | `file.rs` |
//! | what is told of each key | `keys.rs` |
//! | what a file states, as it is written | `stated.rs` |
//! | in which folders the files lie | `folders.rs` |

mod access;
mod beside;
mod file;
mod folders;
mod keys;
mod profiles;
mod run_settings;
mod stated;
#[cfg(test)]
mod tests;
mod tighten;
mod user_file;

pub use self::access::{Access, access, http};
pub use self::beside::{beside, beside_path};
pub use self::folders::{token_folder, user_file};
pub use self::keys::{PROFILE_SETTINGS, RUN_SETTINGS, SettingKey};
pub use self::profiles::{DEFAULT_PROFILE, NewProfile, Profile, remove_profile, store_profile};
pub use self::run_settings::RunSettings;
pub use self::stated::{StatedSetting, stated};
pub use self::user_file::UserFile;
