//! What a settings file states, for showing: settings of a run as they are written, with their lines. Profiles are left out,
//! since they hold secrets.

use std::path::Path;

use super::file::{ConfigError, ConfigSource, read_small};
use super::run_settings::run_key_names;

/// A setting of a run as it stands in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatedSetting {
    /// The key.
    pub key: String,
    /// The value as it is written.
    pub value: String,
    /// The line, from 1.
    pub line: usize,
}

/// What a file states; `None` if there is no such file.
///
/// # Errors
///
/// It cannot be read, or is not TOML.
pub fn stated(path: &Path) -> Result<Option<Vec<StatedSetting>>, ConfigError> {
    let Some((text, _)) = read_small(path)? else { return Ok(None) };
    let source = ConfigSource { path, text: &text };
    let table = source.parse()?;
    let known = run_key_names();
    let found = table.iter().filter(|(key, _)| known.contains(key)).filter_map(|(key, item)| {
        let span = item.span()?;
        let line = 1 + text.get(..span.start)?.bytes().filter(|byte| *byte == b'\n').count();
        let words: Vec<&str> = text.get(span)?.split_whitespace().collect();
        Some(StatedSetting { key: key.to_owned(), value: words.join(" "), line })
    });
    Ok(Some(found.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_told_as_they_are_written_and_profiles_are_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("attache.toml");
        assert_eq!(stated(&path), Ok(None));
        std::fs::write(
            &path,
            "# mine\nrate = \"5/s\" # slowly\ncustom_modules = [\n  \"A\",\n  \"B\",\n]\n[profiles.a]\naccess_token = \"hush\"\n",
        )
        .expect("written");
        let found = stated(&path).expect("readable").expect("there");
        let told: Vec<(&str, &str, usize)> =
            found.iter().map(|one| (one.key.as_str(), one.value.as_str(), one.line)).collect();
        assert_eq!(told, [("rate", "\"5/s\"", 2), ("custom_modules", "[ \"A\", \"B\", ]", 3)]);
    }
}
