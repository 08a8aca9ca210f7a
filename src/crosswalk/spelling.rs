//! Which spellings of a key mean the same: the normal form, in which keys are compared where the exact text is not found.
//!
//! Only what a rule of the system that gave out the key proves is taken for the same. Leading zeros are no spelling: `007`
//! and `7` may be two customers.

use std::borrow::Cow;

/// What kind of key a text is, which says how it may be spelled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum KeyKind {
    /// An id of Salesforce: 15 characters whose case counts, or those and three that say what their case is.
    Salesforce,
    /// A GUID, as of Dynamics: with or without braces, in any case.
    Guid,
    /// An e-mail address: with or without `mailto:`, in any case.
    Email,
    /// An id of another organisation of Zoho's: with or without `zcrm_`.
    Zoho,
}

/// A key in its normal form; two keys with the same one mean the same.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct NormalForm<'k> {
    pub(crate) kind: KeyKind,
    pub(crate) text: Cow<'k, str>,
}

/// The normal form of a key; `None` where it has only the one spelling.
pub(crate) fn normal_form(key: &str) -> Option<NormalForm<'_>> {
    let form = |kind, text| Some(NormalForm { kind, text });
    if let Some(digits) = zoho(key) {
        return form(KeyKind::Zoho, Cow::Borrowed(digits));
    }
    if let Some(guid) = guid(key) {
        return form(KeyKind::Guid, guid);
    }
    if let Some(id) = salesforce(key) {
        return form(KeyKind::Salesforce, id);
    }
    form(KeyKind::Email, email(key)?)
}

/// Every spelling of a key that can be listed. Those that differ in case cannot, beyond all small and all large.
pub(crate) fn spellings(key: &str) -> Vec<String> {
    let mut all = vec![key.to_owned()];
    if let Some(NormalForm { kind, text }) = normal_form(key) {
        match kind {
            KeyKind::Salesforce => all.extend([text.to_string(), text.chars().take(15).collect()]),
            KeyKind::Zoho => all.extend([text.to_string(), format!("zcrm_{text}")]),
            KeyKind::Email => all.push(text.to_string()),
            KeyKind::Guid => {
                let (small, large) = (text.to_string(), text.to_uppercase());
                all.extend([format!("{{{small}}}"), format!("{{{large}}}"), small, large]);
            }
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether there may be spellings of the key that [`spellings`] does not list.
pub(crate) fn has_unlisted_spellings(key: &str) -> bool {
    normal_form(key).is_some_and(|form| matches!(form.kind, KeyKind::Guid | KeyKind::Email))
}

/// `zcrm_` and digits, or so many digits that it may be such an id without it. Ids of Zoho's never begin with 0, while
/// those of Salesforce nearly always do.
fn zoho(key: &str) -> Option<&str> {
    let digits = key.strip_prefix("zcrm_").unwrap_or(key);
    let is_id = (10..=19).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    is_id.then_some(digits)
}

/// The 18 characters of an id of Salesforce, given those or the first 15.
fn salesforce(key: &str) -> Option<Cow<'_, str>> {
    if !matches!(key.len(), 15 | 18) || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let (id, given) = key.split_at(15);
    let check = check_characters(id);
    match given {
        "" => Some(Cow::Owned(format!("{id}{check}"))),
        given if given == check => Some(Cow::Borrowed(key)),
        given if given.eq_ignore_ascii_case(&check) => Some(Cow::Owned(format!("{id}{check}"))),
        // 18 characters of something else.
        _ => None,
    }
}

/// One character for every five of the id: which of them are capital letters, as a number with the first one lowest.
fn check_characters(id: &str) -> String {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    let of_five = |five: &[u8]| {
        let bits = five.iter().enumerate().map(|(at, byte)| usize::from(byte.is_ascii_uppercase()) << at);
        char::from(DIGITS[bits.sum::<usize>() % DIGITS.len()])
    };
    id.as_bytes().chunks(5).map(of_five).collect()
}

/// A GUID in small letters without braces.
fn guid(key: &str) -> Option<Cow<'_, str>> {
    const DASHES: [usize; 4] = [8, 13, 18, 23];
    let inner = key.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(key);
    let fits = |(at, byte): (usize, u8)| if DASHES.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    if inner.len() != 36 || !inner.bytes().enumerate().all(fits) {
        return None;
    }
    Some(small(inner))
}

/// An address in small letters without `mailto:`.
fn email(key: &str) -> Option<Cow<'_, str>> {
    let scheme = key.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    let address = scheme.and_then(|_| key.get(7..)).unwrap_or(key);
    let (local, domain) = address.split_once('@')?;
    let is_one = !local.is_empty() && domain.contains('.') && !domain.contains('@') && !address.contains(' ');
    is_one.then(|| small(address))
}

fn small(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_uppercase) { Cow::Owned(text.to_lowercase()) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        normal_form(one).is_some_and(|form| normal_form(other) == Some(form))
    }

    #[test]
    fn the_check_characters_of_salesforce_are_computed() {
        // `001A0` has its one capital in the fourth place: 2 to the power of 3 is 8, and the letter behind 8 others is I.
        for (short, long) in [
            ("001A0000006Vm9r", "001A0000006Vm9rIAC"),
            ("00530000003xqAb", "00530000003xqAbAAI"),
            ("a0E5000000Dw0Dd", "a0E5000000Dw0DdEAJ"),
        ] {
            assert!(same(short, long), "{short} {long}: {}", check_characters(short));
        }
        assert!(same("001A0000006Vm9r", "001A0000006Vm9riac"));
        assert!(!same("001A0000006Vm9r", "001a0000006vm9rIAC"), "case counts");
        assert_eq!(normal_form("001A0000006Vm9rXXX"), None, "the check is wrong, so it is no id");
    }

    #[test]
    fn guids_addresses_and_old_ids_have_several_spellings() {
        let guid = "2f1b0c6e-9d9a-4c0b-8e57-0123456789ab";
        assert!(same(guid, "{2F1B0C6E-9D9A-4C0B-8E57-0123456789AB}"));
        assert!(same("a@Example.com", "mailto:A@example.COM"));
        assert!(same("zcrm_410405000002462001", "410405000002462001"));
        for (one, other) in [("007", "7"), ("A-1", "a-1"), ("4711", "zcrm_4711"), ("a@b", "A@B"), (guid, &guid[1..])] {
            assert!(!same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn the_spellings_that_can_be_listed_are() {
        assert_eq!(spellings("4711"), ["4711"]);
        assert_eq!(spellings("001A0000006Vm9r"), ["001A0000006Vm9r", "001A0000006Vm9rIAC"]);
        assert_eq!(spellings("zcrm_410405000002462001"), ["410405000002462001", "zcrm_410405000002462001"]);
        assert_eq!(spellings("{2F1B0C6E-9D9A-4C0B-8E57-0123456789AB}").len(), 4);
        assert!(has_unlisted_spellings("a@example.com") && !has_unlisted_spellings("4711"));
    }
}
