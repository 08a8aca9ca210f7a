//! A secret: never shown, never logged, wiped from memory. How tokens stay out of logs and messages.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// Tokens that a rehearsal server makes begin with this, so that one can never be taken for a real one.
const REHEARSAL_PREFIX: &str = "sandbox-";

/// A text that must never be shown: no `Display`, a blank `Debug`, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The secret in this text, without what files, commands and hands leave around it: blanks, a line end, a byte order mark,
    /// a pair of quotes.
    ///
    /// # Errors
    ///
    /// There is none, or it holds something that no token holds, such as a blank in the middle.
    pub fn new(text: impl Into<String>) -> Result<Secret, NotASecret> {
        let text = Zeroizing::new(text.into());
        let bare = without_quotes(without_marks(&text));
        if bare.is_empty() || !bare.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(NotASecret);
        }
        Ok(Secret(Zeroizing::new(bare.to_owned())))
    }

    /// The text itself, for the wire and for the user's own files.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// A text of others without this secret: who is sent one may well repeat it in a complaint. The beginning of a secret
    /// counts as one, since texts are cut short.
    pub(crate) fn masked_in(&self, text: String) -> String {
        const TELLING: usize = 12;
        let beginnings = (TELLING.min(self.0.len())..=self.0.len()).rev().filter_map(|length| self.0.get(..length));
        beginnings.fold(text, |text, part| if text.contains(part) { text.replace(part, "***") } else { text })
    }

    /// Whether a rehearsal server made it.
    pub(crate) fn is_of_rehearsal(&self) -> bool {
        self.0.starts_with(REHEARSAL_PREFIX)
    }
}

/// A text without blanks and byte order marks around it.
fn without_marks(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{FEFF}' | '\u{200B}'))
}

/// A text without one pair of quotes around it: no token has any.
fn without_quotes(text: &str) -> &str {
    const PAIRS: [(char, char); 4] = [('"', '"'), ('\'', '\''), ('\u{201C}', '\u{201D}'), ('\u{2018}', '\u{2019}')];
    let bare = PAIRS.iter().find_map(|(open, close)| text.strip_prefix(*open)?.strip_suffix(*close));
    without_marks(bare.unwrap_or(text))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        Secret::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The text is empty or cannot be a token; the text itself is not kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotASecret;

impl fmt::Display for NotASecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is empty or holds blanks, line ends or other characters that no token has")
    }
}

impl std::error::Error for NotASecret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_files_and_hands_leave_around_a_secret_is_taken_off() {
        for text in
            ["\u{feff}1000.abc\r\n", "\"1000.abc\"", " '1000.abc' ", "\u{201C}1000.abc\u{201D}", "1000.abc\u{A0}"]
        {
            assert_eq!(Secret::new(text).expect("a secret").expose(), "1000.abc", "{text:?}");
        }
        for text in ["\u{feff}", "\"\"", "1000 abc", "1000.äbc"] {
            assert!(Secret::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_secret_is_not_shown_and_not_malformed() {
        let secret = Secret::new(" 1000.canary\r\n").expect("a secret");
        assert_eq!(secret.expose(), "1000.canary");
        let credentials = crate::zoho::Credentials::token(secret);
        assert_eq!(format!("{credentials:?}"), "Credentials { access: Some(***), renewal: None }");
        let cut = "a 1000.canary-token and 1000.canary-to".to_owned();
        assert_eq!(Secret::new("1000.canary-token").expect("a secret").masked_in(cut), "a *** and ***");
        for wrong in ["", "  \n", "a b", "a\nb", "ä"] {
            assert_eq!(Secret::new(wrong), Err(NotASecret), "{wrong:?}");
        }
    }
}
