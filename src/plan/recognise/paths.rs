//! Whether two paths lead to one file, by their text: as they are written in two manifests, or in one at two times.

use std::path::{Component, Path, PathBuf};

use unicode_normalization::UnicodeNormalization as _;

/// A path as a manifest has it.
#[derive(Clone, Copy, Debug)]
pub(in crate::plan) struct WrittenPath<'a> {
    /// The text.
    pub(in crate::plan) text: &'a str,
    /// The folder that it is relative to; `None` where nobody knows it any more.
    pub(in crate::plan) base: Option<&'a Path>,
}

/// What two texts say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PathLikeness {
    /// They lead to one file, whatever the file system.
    Same,
    /// They differ in case or Unicode form only: one file where the file system does not tell these apart.
    SpelledAlike,
    /// They lead to different files, or to what may be copies of one.
    Different,
}

impl WrittenPath<'_> {
    /// The whole path, without `.`, `//` and inner `..`. Where the folder is not known, `otherwise` stands for it.
    pub(in crate::plan) fn absolute(&self, otherwise: &Path) -> PathBuf {
        lexical(&self.base.unwrap_or(otherwise).join(self.text))
    }
}

/// Compares two paths by their text. A path whose folder nobody knows is taken to be relative to the other's.
pub(super) fn compare_paths(one: &WrittenPath<'_>, other: &WrittenPath<'_>) -> PathLikeness {
    let unknown = Path::new("");
    let (base, other_base) = (one.base.or(other.base).unwrap_or(unknown), other.base.or(one.base).unwrap_or(unknown));
    if base == other_base && one.text == other.text {
        return PathLikeness::Same;
    }
    // Most pairs of paths end in different names, and need no closer look.
    if !last_names_alike(one.text, other.text) {
        return PathLikeness::Different;
    }
    let (one, other) = (one.absolute(base), other.absolute(other_base));
    if one == other {
        PathLikeness::Same
    } else if folded(&one).is_some_and(|one| folded(&other) == Some(one)) {
        PathLikeness::SpelledAlike
    } else {
        PathLikeness::Different
    }
}

fn last_names_alike(one: &str, other: &str) -> bool {
    let last = |text: &str| Path::new(text).file_name().and_then(|name| name.to_str()).map(fold);
    let end = |text: &str| text.as_bytes().last().map(u8::to_ascii_lowercase);
    let may_be_alike = end(one) == end(other) || !one.is_ascii() || !other.is_ascii();
    may_be_alike && last(one) == last(other)
}

/// A path without `.` and, where something stands before it, `..`; by its text alone.
fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(clean.components().next_back(), Some(Component::Normal(_))) => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

fn folded(path: &Path) -> Option<String> {
    path.to_str().map(fold)
}

/// What is left of a text without case and Unicode form.
fn fold(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.nfc().flat_map(char::to_lowercase).nfc().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_by_where_they_lead() {
        use PathLikeness::{Different, Same, SpelledAlike};
        let (here, there) = (Some("/data/export"), Some("/mnt/export"));
        for (one, base, other, other_base, expected) in [
            ("scans/2.pdf", here, "./scans/2.pdf", here, Same),
            ("scans/2.pdf", here, "scans//2.pdf", here, Same),
            ("scans/2.pdf", here, "scans/old/../2.pdf", here, Same),
            ("scans/2.pdf", here, "/data/export/scans/2.pdf", here, Same),
            ("scans/2.pdf", here, "/data/export/./scans/2.pdf", there, Same),
            ("2.pdf", Some("/data/export/scans"), "scans/2.pdf", here, Same),
            ("../2.pdf", Some("/data/export/scans"), "2.pdf", here, Same),
            ("scans/2.pdf", here, "Scans/2.pdf", here, SpelledAlike),
            ("scans/2.pdf", here, "./scans/2.PDF", here, SpelledAlike),
            ("scans/Mu\u{308}ller.pdf", here, "scans/M\u{fc}ller.pdf", here, SpelledAlike),
            ("scans/2.pdf", here, "scans/2.pdf", there, Different),
            ("scans/2.pdf", here, "scans/3.pdf", here, Different),
            ("scans/2.pdf", here, "copies/2.pdf", here, Different),
            ("scans/2.pdf", here, "scans/12.pdf", here, Different),
            ("scans/2.pdf", None, "./scans/2.pdf", here, Same),
            ("/data/export/scans/2.pdf", None, "scans/2.pdf", here, Same),
            ("scans/2.pdf", None, "copies/2.pdf", None, Different),
            ("../../2.pdf", None, "../2.pdf", None, Different),
        ] {
            let written = |text, base: Option<&'static str>| WrittenPath { text, base: base.map(Path::new) };
            let (one, other) = (written(one, base), written(other, other_base));
            assert_eq!(compare_paths(&one, &other), expected, "{one:?} {other:?}");
            assert_eq!(compare_paths(&other, &one), expected, "{other:?} {one:?}");
        }
    }
}
