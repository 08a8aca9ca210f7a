//! Texts of users without the user names and passwords of the addresses in them. Whatever repeats a value, in a message, a
//! plan or a results file of another run, takes it through here.

use std::borrow::Cow;

/// More characters than this of a value are not shown.
const VALUE_CHARS: usize = 200;

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
