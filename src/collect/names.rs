//! Names for attachments, made fit: what the check would refuse in a manifest is replaced before it gets there.

use std::borrow::Cow;

use crate::check::{is_program_name, own_name_replacement};
use crate::crm::limits::MAX_NAME_CHARS;

/// A name that a manifest may give: the service's limits kept, and none of the characters that do not arrive everywhere.
pub(super) fn fit(name: &str) -> Cow<'_, str> {
    let replaced = match own_name_replacement(name) {
        Some(replaced) => Cow::Owned(replaced),
        None => Cow::Borrowed(name),
    };
    let replaced = match replaced.contains(['/', '\\']) {
        true => Cow::Owned(replaced.replace(['/', '\\'], "_")),
        false => replaced,
    };
    match replaced.as_ref() {
        "." | ".." => Cow::Owned("_".to_owned()),
        long if long.len() > MAX_NAME_CHARS && long.chars().count() > MAX_NAME_CHARS => Cow::Owned(cut(long)),
        _ => replaced,
    }
}

/// A name that is too long, cut before its ending.
fn cut(name: &str) -> String {
    let ending =
        name.rfind('.').map(|at| &name[at..]).filter(|ending| ending.chars().count() <= 16).unwrap_or_default();
    let kept = MAX_NAME_CHARS - ending.chars().count();
    let stem = &name[..name.len() - ending.len()];
    stem.chars().take(kept).chain(ending.chars()).collect()
}

/// Whether the service would refuse it as a program.
pub(super) fn is_program(name: &str) -> bool {
    is_program_name(name)
}

/// A title with its extension, which is not added where it is there already.
pub(super) fn with_extension<'t>(title: &'t str, extension: &str) -> Cow<'t, str> {
    let has = |title: &str| {
        let (_, ending) = title.rsplit_once('.')?;
        ending.eq_ignore_ascii_case(extension).then_some(())
    };
    if extension.is_empty() || has(title).is_some() {
        Cow::Borrowed(title)
    } else {
        Cow::Owned(format!("{title}.{extension}"))
    }
}

/// Files that systems and programs make for themselves.
pub(super) fn is_system_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.split('/').any(|part| part.starts_with('.') || part == "__MACOSX")
        || name.starts_with("~$")
        || ["thumbs.db", "desktop.ini", "ehthumbs.db"].contains(&name.to_ascii_lowercase().as_str())
}

/// A name for a file on any disk: what some system refuses is replaced.
pub(super) fn fit_for_disk(name: &str) -> String {
    let fit: String = fit(name.trim_end_matches(['.', ' ']))
        .chars()
        .map(|c| if matches!(c, '<' | '>' | ':' | '|' | '?' | '*') { '_' } else { c })
        .collect();
    let fit = fit.trim_end_matches(['.', ' ']);
    // Disks count bytes, and the id of the row comes before it.
    let mut end = fit.len().min(150);
    while !fit.is_char_boundary(end) {
        end -= 1;
    }
    match fit.get(..end).unwrap_or_default() {
        "" => "_".to_owned(),
        short if short.len() == fit.len() => short.to_owned(),
        short => {
            let ending = fit.rfind('.').map(|at| &fit[at..]).filter(|ending| ending.len() <= 16).unwrap_or_default();
            format!("{short}{ending}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_fit_and_good_ones_left_alone() {
        for (name, wanted) in [
            ("a.pdf", "a.pdf"),
            ("Q1/Q2: \"plan\".pdf", "Q1_Q2: _plan_.pdf"),
            ("C:\\temp\\a.pdf", "C:_temp_a.pdf"),
            (" a\t.pdf", "_a_.pdf"),
            ("..", "_"),
            ("விலை 📎.pdf", "விலை 📎.pdf"),
        ] {
            assert_eq!(fit(name), wanted);
        }
        let long = format!("{}.pdf", "é".repeat(300));
        let short = fit(&long);
        assert_eq!((short.chars().count(), short.ends_with("é.pdf")), (MAX_NAME_CHARS, true));
    }

    #[test]
    fn an_extension_is_added_once() {
        assert_eq!(with_extension("Offer", "pdf"), "Offer.pdf");
        assert_eq!(with_extension("Offer.PDF", "pdf"), "Offer.PDF");
        assert_eq!(with_extension("Offer v1.2", "pdf"), "Offer v1.2.pdf");
        assert_eq!(with_extension("README", ""), "README");
    }

    #[test]
    fn names_that_no_disk_takes_become_ones_that_every_disk_takes() {
        assert_eq!(fit_for_disk("a:b?.pdf. "), "a_b_.pdf");
        assert_eq!(fit_for_disk("..."), "_");
        let long = fit_for_disk(&format!("{}.pdf", "விலை".repeat(100)));
        assert!(long.len() <= 170 && long.ends_with(".pdf"), "{long}");
    }

    #[test]
    fn files_of_systems_are_known() {
        for name in [".DS_Store", "a/Thumbs.db", "~$offer.docx", "__MACOSX/a.pdf", ".git/x", "desktop.INI"] {
            assert!(is_system_file(name), "{name}");
        }
        for name in ["a.pdf", "dir.d/a", "thumbs.db.pdf"] {
            assert!(!is_system_file(name), "{name}");
        }
    }
}
