//! One settings file: its text, its keys, and messages that name the line of a mistake without showing what stands there.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use toml_edit::{Document, Item, Table, Value};
use zeroize::Zeroizing;

use crate::atomic_file::is_private;
use crate::text::{nearest, system_words};
use crate::zoho::Secret;

/// No settings file is larger; what is larger is something else.
const MAX_BYTES: u64 = 256 * 1024;

/// What is wrong with a settings file, or with where credentials come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    pub(super) place: String,
    pub(super) what: String,
}

impl ConfigError {
    pub(super) fn at(path: &Path, line: Option<usize>, what: impl Into<String>) -> ConfigError {
        let place = match line {
            Some(line) => format!("{}, line {line}", path.display()),
            None => path.display().to_string(),
        };
        ConfigError { place, what: what.into() }
    }

    pub(super) fn in_environment(variable: &str, what: impl Into<String>) -> ConfigError {
        ConfigError { place: format!("the environment variable {variable}"), what: what.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl std::error::Error for ConfigError {}

/// Puts the value of one key where it belongs, or says what would be right.
pub(super) type ValueReader<T> = fn(&mut T, &Value) -> Result<(), &'static str>;

pub(super) fn text(value: &Value) -> Result<&str, &'static str> {
    value.as_str().filter(|text| !text.is_empty()).ok_or("must be a text in quotes")
}

pub(super) fn texts(value: &Value) -> Result<Vec<String>, &'static str> {
    const WANTED: &str = "must be a list of texts, like [\"a\", \"b\"]";
    let array = value.as_array().ok_or(WANTED)?;
    array.iter().map(|item| item.as_str().map(str::to_owned).ok_or(WANTED)).collect()
}

pub(super) fn secret(value: &Value) -> Result<Secret, &'static str> {
    value.as_str().and_then(|text| Secret::new(text).ok()).ok_or("must be a text without blanks, in quotes")
}

pub(super) fn parsed<T: std::str::FromStr>(value: &Value, wanted: &'static str) -> Result<T, &'static str> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or(wanted)
}

pub(super) fn positive(value: &Value) -> Option<u64> {
    value.as_integer().and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0)
}

pub(super) fn yes_or_no(value: &Value) -> Result<bool, &'static str> {
    value.as_bool().ok_or("must be true or false")
}

/// Where in the file, in bytes.
pub(super) type Span = Option<std::ops::Range<usize>>;

/// A settings file as read, for messages that name the line.
pub(super) struct ConfigSource<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl ConfigSource<'_> {
    pub(super) fn parse(&self) -> Result<Table, ConfigError> {
        // The parser's own display shows the line at fault, which may hold a secret: only its message and place are used.
        let document = Document::parse(self.text.to_owned());
        let document =
            document.map_err(|error| self.trouble(error.span(), format!("not TOML: {}", error.message())))?;
        Ok(document.into_table())
    }

    pub(super) fn trouble(&self, span: Span, what: impl Into<String>) -> ConfigError {
        let line = span.map(|span| 1 + self.text.bytes().take(span.start).filter(|byte| *byte == b'\n').count());
        ConfigError::at(self.path, line, what)
    }

    /// Reads the keys of a table into `into`; `other` decides on those that are not in `known`.
    pub(super) fn read<T>(
        &self,
        table: &Table,
        known: &[(&str, ValueReader<T>)],
        into: &mut T,
        mut other: impl FnMut(&str, &Item, Span) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        for (key, item) in table {
            let span = table.key(key).and_then(toml_edit::Key::span).or_else(|| item.span());
            match (known.iter().find(|(name, _)| *name == key), item.as_value()) {
                (Some((_, read)), Some(value)) => {
                    read(into, value).map_err(|wanted| self.trouble(span, format!("`{key}` {wanted}")))?;
                }
                (Some(_), None) => return Err(self.trouble(span, format!("`{key}` must be a plain value"))),
                (None, _) => other(key, item, span)?,
            }
        }
        Ok(())
    }

    pub(super) fn unknown(&self, key: &str, span: Span, known: &[&str]) -> ConfigError {
        let hint = match nearest(key, known.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("known are {}", known.join(", ")),
        };
        self.trouble(span, format!("there is no setting `{key}`; {hint}"))
    }
}

pub(super) fn not_private(path: &Path) -> ConfigError {
    let how = format!("holds credentials but can be read by others; run: chmod 600 {}", path.display());
    ConfigError::at(path, None, how)
}

/// The text of a file and whether only its owner may read it; `None` if there is no such file.
pub(super) fn read_small(path: &Path) -> Result<Option<(Zeroizing<String>, bool)>, ConfigError> {
    let trouble = |what: String| ConfigError::at(path, None, what);
    let no_settings = || trouble("is no settings file".to_owned());
    // To open a pipe is to wait for somebody at its other end.
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Err(no_settings());
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(trouble(system_words(&error))),
    };
    let metadata = file.metadata().map_err(|error| trouble(system_words(&error)))?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Err(no_settings());
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(|error| trouble(system_words(&error)))?;
    Ok(Some((text, is_private(&metadata))))
}
