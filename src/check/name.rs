//! Under which name a file or link is sent, and which names are refused.

use unicode_normalization::UnicodeNormalization;

use super::CheckFinding;
use crate::crm::limits::MAX_NAME_CHARS;
use crate::problem::ProblemCode;

/// Everything that is wrong with a name that the manifest gives, outer blanks taken off.
pub(super) fn judge_given(name: &str) -> Vec<CheckFinding> {
    let mut findings = judge_any(name);
    if name == "." || name == ".." {
        findings.push(CheckFinding::new(
            ProblemCode::NameDots,
            format!("\"{name}\" is not a name"),
            "give another one, or leave it empty to use the file's own",
        ));
    }
    if let Some(found) = name.chars().find(|c| matches!(c, '"' | '/' | '\\')) {
        findings.push(CheckFinding::new(
            ProblemCode::NameCharacter,
            format!("the name contains `{found}`, which does not arrive unchanged everywhere"),
            "use another character, such as - or _",
        ));
    }
    if let Some(found) = name.chars().find(|c| c.is_control()) {
        findings.push(CheckFinding::new(
            ProblemCode::NameControl,
            format!("the name contains the control character U+{:04X}", u32::from(found)),
            "remove it",
        ));
    }
    findings
}

/// Words that programs write where there is no value.
const PLACEHOLDERS: [&str; 11] =
    ["nan", "null", "(null)", "<null>", "[null]", "none", "nil", "nat", "<na>", "n.a.", "undefined"];

/// What a name that the manifest gives looks like beside the own name of its file: probably not meant so.
pub(super) fn judge_beside(name: &str, own: &str) -> Option<CheckFinding> {
    let stem = extension(name).map_or(name, |extension| &name[..name.len() - extension.len() - 1]);
    if PLACEHOLDERS.iter().any(|placeholder| stem.eq_ignore_ascii_case(placeholder)) {
        return Some(CheckFinding::new(
            ProblemCode::NamePlaceholder,
            format!("the name \"{name}\" is a word that programs write where a value is missing"),
            "give the name that is meant, or leave it empty to use the file's own",
        ));
    }
    let dropped = extension(own).filter(|_| extension(name).is_none())?;
    Some(CheckFinding::new(
        ProblemCode::NameExtension,
        format!("the name \"{name}\" has no extension, and the file ends in .{dropped}"),
        format!("whoever downloads it gets a file that no program opens: write {name}.{dropped}"),
    ))
}

/// The extension of a file's name, if it has one: up to five letters and digits behind the last point, and not digits alone,
/// which are a number or a date.
fn extension(name: &str) -> Option<&str> {
    let (stem, extension) = name.rsplit_once('.')?;
    let fits = (1..=5).contains(&extension.len()) && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (!stem.is_empty() && fits && extension.bytes().any(|byte| byte.is_ascii_alphabetic())).then_some(extension)
}

/// Everything that is wrong with a file's own name, as it would be sent.
pub(super) fn judge_own(name: &str) -> Vec<CheckFinding> {
    judge_any(name)
}

fn judge_any(name: &str) -> Vec<CheckFinding> {
    let mut findings = Vec::new();
    let length = name.chars().count();
    if length > MAX_NAME_CHARS {
        findings.push(CheckFinding::new(
            ProblemCode::NameTooLong,
            format!("the name has {length} characters; {MAX_NAME_CHARS} are allowed"),
            "give a shorter one in the column name",
        ));
    }
    if let Some(mark) = name.chars().find(|c| is_direction_mark(*c)) {
        findings.push(CheckFinding::new(
            ProblemCode::NameDirection,
            format!("the name contains the invisible direction mark U+{:04X}", u32::from(mark)),
            "check that it is meant so",
        ));
    }
    findings
}

/// What a file's own name has to be replaced by, if it cannot be sent as it is.
pub(crate) fn replacement(own: &str) -> Option<String> {
    let inner = own.trim_matches([' ', '\t']);
    let fine = inner.len() == own.len() && !own.chars().any(|c| c == '"' || c.is_control());
    if fine {
        return None;
    }
    let start = own.find(inner).unwrap_or(0);
    let end = start + inner.len();
    Some(
        own.char_indices()
            .map(|(at, c)| if at < start || at >= end || c == '"' || c.is_control() { '_' } else { c })
            .collect(),
    )
}

/// Marks that change the direction of writing and are invisible themselves.
pub(super) fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether Windows, or a lenient server, would take this for a program: `.exe` in any disguise.
pub(crate) fn is_program(name: &str) -> bool {
    // Most names are plain, and most of a million rows need no more than this.
    let bytes = name.as_bytes();
    let exe = |x: usize| x >= 2 && bytes.get(x - 2..x + 2).is_some_and(|four| four.eq_ignore_ascii_case(b".exe"));
    if name.is_ascii() && !memchr::memchr2_iter(b'x', b'X', bytes).any(exe) {
        return false;
    }
    let folded: String = name.nfkc().flat_map(char::to_lowercase).collect();
    let invisible = |c: char| {
        c == '.'
            || c.is_whitespace()
            || c.is_control()
            || is_direction_mark(c)
            || matches!(c, '\u{AD}' | '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}' | '\u{FE00}'..='\u{FE0F}')
    };
    // What stands behind a colon names a stream of the file on Windows.
    let streams = folded.match_indices(':').map(|(at, _)| &folded[..at]);
    streams.chain([folded.as_str()]).any(|name| name.trim_end_matches(invisible).ends_with(".exe"))
}

/// Whether Windows would take this for a device, with whatever ending.
pub(super) fn is_device(name: &str) -> bool {
    let stem = name.split(['.', ':']).next().unwrap_or_default().trim_end();
    if !(3..=4).contains(&stem.len()) {
        return false;
    }
    let stem = stem.to_ascii_uppercase();
    match stem.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" => true,
        _ => stem
            .strip_prefix("COM")
            .or_else(|| stem.strip_prefix("LPT"))
            .is_some_and(|number| matches!(number.as_bytes(), [b'1'..=b'9'])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_names_are_mended_and_given_ones_refused() {
        for (own, sent) in [
            ("a\"b.pdf", Some("a_b.pdf")),
            (" a.pdf  ", Some("_a.pdf__")),
            ("a\tb\u{1b}.pdf", Some("a_b_.pdf")),
            ("   ", Some("___")),
            ("Ärger; 50% {x}.pdf", None),
            ("ரசீது 收据 📎.pdf", None),
        ] {
            assert_eq!(replacement(own).as_deref(), sent, "{own:?}");
        }
        for (given, wanted) in [
            ("a.pdf", ""),
            ("a'b;c%.pdf", ""),
            ("a\"b", "name-character"),
            ("a/b", "name-character"),
            ("a\\b", "name-character"),
            ("a\u{7f}b", "name-control"),
            ("..", "name-dots"),
            ("a\u{202E}b", "name-direction"),
        ] {
            let found: Vec<_> = judge_given(given).iter().map(|finding| finding.code.as_str()).collect();
            assert_eq!(found.join(" "), wanted, "{given:?}");
        }
        assert!(judge_given(&"é".repeat(250)).is_empty());
        assert_eq!(judge_given(&"é".repeat(251)).len(), 1);
    }

    #[test]
    fn a_name_that_stands_for_nothing_or_drops_the_extension_is_noticed() {
        for (name, own, wanted) in [
            ("nan", "a.pdf", "name-placeholder"),
            ("NULL", "a.pdf", "name-placeholder"),
            ("Undefined.pdf", "a.pdf", "name-placeholder"),
            ("Contract", "c.pdf", "name-extension"),
            ("Contract v1.2", "c.PDF", "name-extension"),
            ("Letter of St. John", "c.docx", "name-extension"),
            ("2024.05.17", "c.7z", "name-extension"),
            ("Contract.pdf", "c.pdf", ""),
            ("photo.jpeg", "c.jpg", ""),
            ("Makefile", "makefile", ""),
            ("Nanny", "nanny", ""),
            ("README", ".profile", ""),
        ] {
            let found = judge_beside(name, own).map(|finding| finding.code.as_str());
            assert_eq!(found.unwrap_or_default(), wanted, "{name} {own}");
        }
    }

    #[test]
    fn programs_are_known_in_every_disguise() {
        for name in
            ["a.exe", "A.EXE", "a.exe.", "a.exe . ", "a.exe::$DATA", "a．exe", "a.ｅｘｅ", "a.exe\u{200B}", ".exe"]
        {
            assert!(is_program(name), "{name:?}");
        }
        for name in ["a.exe.txt", "exe", "aexe", "a.exec", "executive.pdf", "a.exe.zip"] {
            assert!(!is_program(name), "{name:?}");
        }
    }

    #[test]
    fn windows_devices_are_known() {
        for name in ["con", "NUL.txt", "com1.tar.gz", "Lpt9", "aux .pdf"] {
            assert!(is_device(name), "{name}");
        }
        for name in ["console.txt", "com.txt", "com10", "com0", "null"] {
            assert!(!is_device(name), "{name}");
        }
    }
}
