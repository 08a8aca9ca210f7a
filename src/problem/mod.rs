//! What is wrong with a manifest, and where: the vocabulary between reading, checking and showing.

mod codes;
mod list;

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::codes::{Extent, ProblemCode};
pub use self::list::{MoreProblems, ProblemIx, ProblemList, RowProblem};

/// How much a problem weighs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is sent while there is one.
    Error,
    /// Probably not what the user wants; changes nothing unless `--strict`.
    Warning,
    /// Something was read with tolerance, and this says so.
    Note,
}

/// One thing wrong with a manifest. Field order is the order in the JSON output.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Problem {
    /// Which kind of problem, for people and for `attache explain`.
    #[schemars(with = "String")]
    pub code: ProblemCode,
    /// How much it weighs in this run.
    pub severity: Severity,
    /// Physical line, from 1; `None` for a problem of the whole file.
    pub line: Option<u32>,
    /// Column of the value on that line, counted in characters from 1, where it is known.
    pub column: Option<u32>,
    /// Which row, from 1, blank rows not counted.
    pub row: Option<u32>,
    /// Which column or key of the manifest.
    pub field: Option<String>,
    /// The value at fault, cut at 200 characters, passwords masked.
    pub value: Option<String>,
    /// What is wrong, as a sentence fragment that names the value.
    pub message: String,
    /// What to do about it; empty only where the message says it all.
    pub hint: String,
}

/// More characters than this of a value are not shown.
const VALUE_CHARS: usize = 200;

impl Problem {
    /// A problem of the whole file; the other methods say more.
    pub fn new(code: ProblemCode, message: impl Into<String>, hint: impl Into<String>) -> Problem {
        Problem {
            code,
            severity: code.severity(),
            line: None,
            column: None,
            row: None,
            field: None,
            value: None,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// On this line.
    #[must_use]
    pub fn on_line(mut self, line: u32) -> Problem {
        self.line = Some(line);
        self
    }

    /// At this line and column.
    #[must_use]
    pub fn at(mut self, place: Place) -> Problem {
        self.line = Some(place.line);
        self.column = place.column;
        self
    }

    /// In this row.
    #[must_use]
    pub fn in_row(mut self, row: u32) -> Problem {
        self.row = Some(row);
        self
    }

    /// In this column, with this value.
    #[must_use]
    pub fn about(mut self, field: &str, value: &str) -> Problem {
        self.field = Some(field.to_owned());
        self.value = Some(masked_excerpt(value));
        self
    }
}

/// A place in a manifest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// Physical line, from 1.
    pub line: u32,
    /// Column in characters, from 1, where it is known.
    pub column: Option<u32>,
}

/// A value as it may be shown: cut, and without passwords.
pub fn masked_excerpt(value: &str) -> String {
    let masked = mask_secrets(value);
    match masked.char_indices().nth(VALUE_CHARS) {
        Some((end, _)) => masked[..end].to_owned(),
        None => masked.into_owned(),
    }
}

/// A text with the user names and passwords of the addresses in it replaced by `***`.
///
/// Whoever writes a password into an address does not always escape it, so where something other than a port follows
/// a colon, everything up to the last `@` before a blank is taken for the password.
pub fn mask_secrets(text: &str) -> Cow<'_, str> {
    mask(text, |_| "***".to_owned())
}

/// The same with one `*` for each character, so that columns stay where they are.
pub fn with_passwords_starred(text: &str) -> Cow<'_, str> {
    mask(text, |secret| "*".repeat(secret.chars().count()))
}

fn mask(text: &str, stars: impl Fn(&str) -> String) -> Cow<'_, str> {
    if !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    for word in text.split_inclusive(is_gap) {
        if word.contains("//") {
            mask_addresses(word, &stars, &mut out);
        } else {
            mask_torsos(word, &stars, &mut out);
        }
    }
    Cow::Owned(out)
}

/// Whether no address goes on behind this.
fn is_gap(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '<' | '>')
}

fn mask_addresses(word: &str, stars: &impl Fn(&str) -> String, out: &mut String) {
    let mut rest = word;
    while let Some(found) = rest.find("//") {
        let (before, after) = rest.split_at(found + 2);
        out.push_str(before);
        let end = user_info_end(after.trim_end_matches(is_gap)).unwrap_or_default();
        if end > 0 {
            out.push_str(&stars(&after[..end]));
        }
        rest = &after[end..];
    }
    out.push_str(rest);
}

/// An address that lost its `//` still has its password: `me:secret@example.com`, `https:/me:secret@example.com`.
fn mask_torsos(word: &str, stars: &impl Fn(&str) -> String, out: &mut String) {
    for part in word.split_inclusive(['/', '\\', ',', ';', '|']) {
        let secret = part.rsplit_once('@').map(|(before, _)| before);
        match secret.filter(|secret| secret.split_once(':').is_some_and(|(_, password)| !password.is_empty())) {
            Some(secret) => {
                out.push_str(&stars(secret));
                out.push_str(&part[secret.len()..]);
            }
            None => out.push_str(part),
        }
    }
}

/// Where the `@` is that ends the user information of an address, given what follows its `//`.
fn user_info_end(address: &str) -> Option<usize> {
    let authority_end = address.find(['/', '?', '#', '\\']).unwrap_or(address.len());
    let authority = &address[..authority_end];
    if let Some(at) = authority.rfind('@') {
        return Some(at);
    }
    let (_, port) = authority.split_once(':')?;
    if port.bytes().all(|byte| byte.is_ascii_digit()) || authority.ends_with(']') {
        return None;
    }
    address.rfind('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_address_is_never_shown() {
        for (written, masked) in [
            ("https://me:secret@example.com/a", "https://***@example.com/a"),
            ("https://me@example.com/a", "https://***@example.com/a"),
            ("see https://me:a/b@c@example.com/x and http://u:p@h", "see https://***@example.com/x and http://***@h"),
            ("https://example.com:8080/@me", "https://example.com:8080/@me"),
            ("https://[::1]/@me", "https://[::1]/@me"),
            ("mail@example.com", "mail@example.com"),
            ("//u:p@h", "//***@h"),
            ("https://web.example/https://u:p@h", "https://web.example/https://***@h"),
            ("https:/me:secret@example.com/a", "https:/***@example.com/a"),
            ("https:\\\\me:secret@example.com", "https:\\\\***@example.com"),
            ("Leads,7,,me:secret@example.com/a,", "Leads,7,,***@example.com/a,"),
            ("C:\\photos\\a@2x.png", "C:\\photos\\a@2x.png"),
        ] {
            assert_eq!(mask_secrets(written), masked);
        }
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let long = "é".repeat(300);
        assert_eq!(masked_excerpt(&long).chars().count(), 200);
    }
}
