//! What may be a key: any text that one line can show, but for the damage that spreadsheets do to numbers.

use crate::crm::limits::MAX_FIELD_CHARS;
use crate::text::masked_excerpt;

/// Why a text is no key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum KeyFlaw {
    /// A spreadsheet took it for a number and changed it.
    Damaged {
        /// What is wrong, naming the value.
        message: String,
    },
    /// It is longer than any key, or has characters that no key has.
    NotText {
        /// What is wrong, naming the value.
        message: String,
    },
}

impl KeyFlaw {
    /// What is wrong, naming the value.
    pub(crate) fn into_message(self) -> String {
        match self {
            KeyFlaw::Damaged { message } | KeyFlaw::NotText { message } => message,
        }
    }
}

/// Judges a key whose outer blanks have been taken off.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn judge_key(key: &str) -> Result<(), KeyFlaw> {
    // Whatever is wrong with a short key, it takes more than letters and digits; nearly all keys have nothing else.
    if key.len() <= MAX_FIELD_CHARS && key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    if key.len() > MAX_FIELD_CHARS && key.chars().count() > MAX_FIELD_CHARS {
        let message = format!("the key has {} characters; {MAX_FIELD_CHARS} are allowed", key.chars().count());
        return Err(KeyFlaw::NotText { message });
    }
    if let Some(control) = key.chars().find(|c| c.is_control()) {
        let message = format!("the key has the control character U+{:04X} in it", u32::from(control));
        return Err(KeyFlaw::NotText { message });
    }
    match damage(key) {
        None => Ok(()),
        Some(what) => Err(KeyFlaw::Damaged { message: format!("the key {} {what}", masked_excerpt(key)) }),
    }
}

/// How a spreadsheet damaged the key, if it did.
///
/// Stricter than for record ids, because a key may honestly look a little like a number: `1E5` is a product code, while
/// every spreadsheet writes `1E+05`.
fn damage(key: &str) -> Option<&'static str> {
    if !key.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    if is_scientific(key) {
        Some("is in scientific notation: its last digits are lost")
    } else if is_decimal(key) {
        Some("has decimals that are all 0: a program took it for a number")
    } else if is_grouped(key) {
        Some("has separators between thousands: a program took it for a number")
    } else {
        None
    }
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `7.38964E+17`: a number, `E`, a sign, digits.
fn is_scientific(key: &str) -> bool {
    let Some((number, exponent)) = key.split_once(['e', 'E']) else { return false };
    let Some(exponent) = exponent.strip_prefix(['+', '-']) else { return false };
    all_digits(exponent)
        && match number.split_once(['.', ',']) {
            Some((whole, fraction)) => all_digits(whole) && all_digits(fraction),
            None => all_digits(number),
        }
}

/// `4711.0`: digits, a point or comma, zeros.
fn is_decimal(key: &str) -> bool {
    let Some((whole, fraction)) = key.split_once(['.', ',']) else { return false };
    let is_group = fraction.len() == 3 && whole.len() <= 3;
    all_digits(whole) && !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0') && !is_group
}

/// `1.234.567`: groups of three digits behind a first one of up to three, with one of the separators that spreadsheets
/// put there. A plain blank is none of them: many registers write their numbers so.
fn is_grouped(key: &str) -> bool {
    let Some(separator) = key.chars().find(|c| !c.is_ascii_digit()) else { return false };
    if !matches!(separator, '.' | ',' | '\'' | '\u{2019}' | '\u{A0}' | '\u{202F}' | '\u{2009}') {
        return false;
    }
    let mut groups = key.split(separator);
    let first = groups.next().unwrap_or_default();
    first.len() <= 3 && groups.all(|group| group.len() == 3 && all_digits(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_did_to_a_key_is_refused_and_what_only_looks_like_it_is_not() {
        for (key, wanted) in [
            ("7.38964E+17", "scientific"),
            ("7,38964E+17", "scientific"),
            ("1E+05", "scientific"),
            ("7e-3", "scientific"),
            ("4711.0", "decimals"),
            ("4711,00", "decimals"),
            ("1.234.567", "thousands"),
            ("1,234", "thousands"),
            ("12\u{A0}345", "thousands"),
            ("1.000", "thousands"),
            ("4711.000", "decimals"),
            ("1E5", ""),
            ("12E3X", ""),
            ("0012", ""),
            ("123 456 789", ""),
            ("1234.567", ""),
            ("4711.5", ""),
            ("10.2.300", ""),
            ("A-4711", ""),
            ("a@example.com", ""),
            ("{2F1B0C6E-9D9A-4C0B-8E57-0123456789AB}", ""),
            ("2024-05-01", ""),
            ("=1+1", ""),
            ("客户 4711", ""),
        ] {
            let found = match judge_key(key) {
                Ok(()) => String::new(),
                Err(KeyFlaw::Damaged { message } | KeyFlaw::NotText { message }) => message,
            };
            assert_eq!(found.is_empty(), wanted.is_empty(), "{key}: {found}");
            assert!(found.contains(wanted), "{key}: {found}");
        }
    }

    #[test]
    fn a_key_has_at_most_as_many_characters_as_a_field_of_the_service() {
        assert_eq!(judge_key(&"é".repeat(255)), Ok(()));
        assert!(matches!(judge_key(&"é".repeat(256)), Err(KeyFlaw::NotText { .. })));
        assert!(matches!(judge_key("a\tb"), Err(KeyFlaw::NotText { .. })));
    }
}
