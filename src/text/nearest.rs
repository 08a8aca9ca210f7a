//! What a mistyped name most likely stands for.

/// Bytes of the longest text that may be a mistyped name.
const LONGEST_SLIP: usize = 100;

/// The known name that a mistyped one most likely stands for, whatever the case of either.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // What is this long is no slip of the pen, and comparing it would take its time.
    if name.len() > LONGEST_SLIP {
        return None;
    }
    let wanted = name.trim().to_lowercase();
    let distance = |other: &str| strsim::damerau_levenshtein(&wanted, &other.to_lowercase());
    let distances = known.into_iter().map(|other| (distance(other), other));
    let (distance, other) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + wanted.chars().count() / 4).then_some(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_gets_the_nearest_known_one_and_nonsense_none() {
        let known = ["module", "record", "url", "Legacy_Id"];
        assert_eq!(nearest("Modul", known), Some("module"));
        assert_eq!(nearest("ulr", known), Some("url"));
        assert_eq!(nearest("LEGACY_IDD", known), Some("Legacy_Id"));
        assert_eq!(nearest("owner", known), None);
        assert_eq!(nearest(&"module".repeat(100_000), known), None);
    }
}
