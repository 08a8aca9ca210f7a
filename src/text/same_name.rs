//! Whether two names are one to people. macOS takes letters apart from their accents, and the service may put them together.

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

/// Whether two names are the same but for how their accents are written.
pub(crate) fn same_name(left: &str, right: &str) -> bool {
    let plain = |name: &str| is_nfc_quick(name.chars()) == IsNormalized::Yes;
    left == right || (!(plain(left) && plain(right)) && left.nfc().eq(right.nfc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_are_the_same_however_their_accents_are_written_and_not_for_their_accents_alone() {
        assert!(same_name("re\u{301}sume\u{301}", "r\u{e9}sum\u{e9}"));
        // Neither is in the form that is compared.
        assert!(same_name("a\u{323}\u{302}", "\u{e2}\u{323}"));
        assert!(!same_name("re\u{301}sume\u{301}", "an other e\u{301}") && !same_name("a", "b"));
    }
}
