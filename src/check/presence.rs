//! What is wrong with a file, given what the look at it said.

use std::collections::HashMap;
use std::path::Path;

use super::files::{FileFault, Nearby, is_invisible};
use super::members::MemberTrouble;
use super::store::{RowStore, SourceIx};
use super::{CheckFinding, CheckOptions};
use crate::archive::{self, Unusable};
use crate::crm::limits::{LARGE_REQUEST_BYTES, MAX_NAME_CHARS};
use crate::problem::ProblemCode;
use crate::problem::remedies;
use crate::text::masked_excerpt;
use crate::units::exact_size;
use crate::zoho::overhead;

/// Judges files that have been looked at.
pub(super) struct Presence<'a> {
    options: &'a CheckOptions,
    store: &'a RowStore,
    base: &'a Path,
    troubles: HashMap<SourceIx, FileFault>,
    nearby: Nearby,
    /// By missing file, since many rows may name one.
    hints: HashMap<SourceIx, String>,
}

impl<'a> Presence<'a> {
    pub(super) fn new(
        options: &'a CheckOptions,
        store: &'a RowStore,
        base: &'a Path,
        troubles: HashMap<SourceIx, FileFault>,
    ) -> Presence<'a> {
        Presence { options, store, base, troubles, nearby: Nearby::default(), hints: HashMap::new() }
    }

    /// What is wrong with a file that is to be sent under a name of so many bytes, which is asked only if it matters.
    pub(super) fn judge(&mut self, source: SourceIx, name_bytes: impl FnOnce() -> usize) -> Option<CheckFinding> {
        match self.store.sources.get(source).facts {
            Some(facts) => self.judge_size(facts.size, name_bytes),
            None => self.judge_trouble(source),
        }
    }

    fn judge_size(&self, size: u64, name_bytes: impl FnOnce() -> usize) -> Option<CheckFinding> {
        // Nearly all files are far from any limit, whatever their names.
        const MOST_OVERHEAD: u64 = overhead(4 * MAX_NAME_CHARS);
        if size > 0 && size.saturating_add(MOST_OVERHEAD) < LARGE_REQUEST_BYTES.min(self.options.max_size) {
            return None;
        }
        let body = size.saturating_add(overhead(name_bytes()));
        if size == 0 && !self.options.allow_empty {
            return Some(CheckFinding::new(ProblemCode::FileEmpty, "the file is empty", remedies::ALLOW_EMPTY));
        }
        if body > self.options.max_size {
            return Some(CheckFinding::new(
                ProblemCode::FileTooLarge,
                format!(
                    "a request of {} is needed for it; {} are allowed",
                    exact_size(body),
                    exact_size(self.options.max_size)
                ),
                "make the file smaller, or attach a link to it",
            ));
        }
        (body >= LARGE_REQUEST_BYTES).then(|| {
            CheckFinding::new(
                ProblemCode::FileLarge,
                format!("a request of {} is needed for it, close to the limit of the service", exact_size(body)),
                "be ready for a refusal, or make the file smaller",
            )
        })
    }

    fn judge_trouble(&mut self, source: SourceIx) -> Option<CheckFinding> {
        let base = self.base.display();
        Some(match self.troubles.get(&source)? {
            FileFault::Missing => {
                let text = self.store.texts.get(self.store.sources.get(source).text);
                let (base, nearby) = (self.base, &mut self.nearby);
                let hint = self.hints.entry(source).or_insert_with(|| missing_hint(text, base, nearby));
                CheckFinding::new(ProblemCode::FileMissing, "there is no such file", hint.as_str())
            }
            FileFault::Dangling => CheckFinding::new(
                ProblemCode::FileMissing,
                "this is a symbolic link that leads nowhere",
                "mend the link, or name the file itself",
            ),
            FileFault::Denied => {
                CheckFinding::new(ProblemCode::FileDenied, "the file may not be read", "give yourself leave to read it")
            }
            FileFault::NotAFile(what) => CheckFinding::new(
                ProblemCode::FileNotRegular,
                format!("this is {what}, not a file"),
                "name a file; a folder needs a row for each of its files",
            ),
            FileFault::Outside(path) => CheckFinding::new(
                ProblemCode::FileOutside,
                format!("the file leads outside the folder {base}, to {}", path.display()),
                remedies::ALLOW_OUTSIDE,
            ),
            FileFault::Unreadable(why) => CheckFinding::new(
                ProblemCode::FileUnreadable,
                format!("the file cannot be looked at: {why}"),
                "look at the path and at what it leads to",
            ),
            FileFault::Archive(why) => CheckFinding::new(
                ProblemCode::ArchiveUnreadable,
                format!("the zip archive that should hold the file cannot be read: {why}"),
                "download or copy the archive anew",
            ),
            FileFault::Member(trouble) => judge_member(*trouble),
        })
    }
}

/// What is wrong with a member of an archive.
fn judge_member(trouble: MemberTrouble) -> CheckFinding {
    let packed_anew = "unpack it with another program and name the file itself";
    match trouble {
        MemberTrouble::Missing => CheckFinding::new(
            ProblemCode::MemberMissing,
            "the zip archive has no file of this name",
            "write the name as the archive has it, with the folders in front and in the same case",
        ),
        MemberTrouble::Twice => CheckFinding::new(
            ProblemCode::MemberTwice,
            "the zip archive has more than one file of this name, and nobody knows which is meant",
            packed_anew,
        ),
        MemberTrouble::Unusable(unusable) => {
            let code = match unusable {
                Unusable::Encrypted => ProblemCode::MemberEncrypted,
                Unusable::Method(_) => ProblemCode::MemberPacking,
                Unusable::Bomb { .. } => ProblemCode::MemberBomb,
            };
            CheckFinding::new(code, format!("this file in the zip archive cannot be sent: {unusable}"), packed_anew)
        }
    }
}

/// The first difference between two paths, where the eye cannot find it: blanks of another kind, curly quotes, signs that
/// take no room. `None` where it is one that can be seen.
fn hidden_difference(written: &str, there: &str) -> Option<String> {
    let (mut ours, mut theirs) = (written.chars().peekable(), there.chars().peekable());
    let is_hidden = |c: char| {
        is_invisible(c) || (c.is_whitespace() && c != ' ') || matches!(c, '\u{2010}'..='\u{201F}' | '\u{2212}')
    };
    while ours.peek().is_some() || theirs.peek().is_some() {
        match (ours.peek().copied(), theirs.peek().copied()) {
            (Some(our), Some(their)) if our == their => {
                ours.next();
                theirs.next();
            }
            (Some(our), _) if is_invisible(our) => {
                return Some(format!("the manifest has {} where the disk has nothing", named(our)));
            }
            (_, Some(their)) if is_invisible(their) => {
                return Some(format!("the disk has {} where the manifest has nothing", named(their)));
            }
            (Some(our), Some(their)) if is_hidden(our) || is_hidden(their) => {
                return Some(format!("the manifest has {} where the disk has {}", named(our), named(their)));
            }
            _ => return None,
        }
    }
    None
}

/// A character by its code point, and by what people call it.
fn named(c: char) -> String {
    let name = match c {
        ' ' => " (a blank)",
        '\u{A0}' => " (a no-break space)",
        '\u{202F}' => " (a narrow no-break space)",
        '\u{3000}' => " (a wide blank)",
        '\u{AD}' => " (a soft hyphen)",
        '\u{200B}' => " (a blank without width)",
        '\u{200C}' | '\u{200D}' => " (a joiner)",
        '\u{FEFF}' => " (a byte order mark)",
        '\u{2018}' | '\u{2019}' | '\u{201C}' | '\u{201D}' => " (a curly quote)",
        '\u{2010}'..='\u{2015}' => " (a dash)",
        '\n' => " (a line break)",
        '\t' => " (a tab)",
        c if super::name::is_direction_mark(c) => " (a mark of direction)",
        _ => "",
    };
    format!("U+{:04X}{name}", u32::from(c))
}

/// What may help with a file that is not there.
fn missing_hint(text: &str, base: &Path, nearby: &mut Nearby) -> String {
    if let Some(right) = nearby.find(base, text) {
        let shown = masked_excerpt(&right);
        return match hidden_difference(text, &right) {
            Some(difference) => format!("there is {shown}, which looks the same: {difference}"),
            None => format!("there is {shown}: upper and lower case, accents and blanks must be as they are there"),
        };
    }
    if let Some(control) = text.chars().find(|c| c.is_control()) {
        return format!(
            "the path has the control character {} in it: between double quotes YAML takes \\n, \\t and the like for one; put \
             the path between single quotes",
            named(control)
        );
    }
    let bare = text.trim_matches(['"', '\'', '\u{201C}', '\u{201D}']);
    if bare.len() < text.len() && text.len() > 1 {
        return format!(
            "the quotes around it are part of the value: take them off, and write {}",
            masked_excerpt(bare)
        );
    }
    let scheme = |prefix: &str| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if scheme("http://") || scheme("https://") {
        return "an address belongs in the column url".to_owned();
    }
    if let Some((outside, _)) = text.split_once(archive::SEPARATOR) {
        let outside = masked_excerpt(outside);
        return format!("for a file inside a zip archive, the archive {outside} must be there");
    }
    if text.starts_with('~') {
        return "~ does not stand for your home folder here; write the path out".to_owned();
    }
    let drive = matches!(text.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    if drive && !cfg!(windows) {
        return "drive letters mean nothing on this system; write the path from the folder of the manifest".to_owned();
    }
    if text.trim_matches([' ', '\t']) != text {
        return "the path begins or ends with a blank, which is not taken off".to_owned();
    }
    remedies::relative_to(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_that_cannot_be_seen_is_named_by_its_code_point() {
        for (written, there, says) in [
            (
                "a b.pdf",
                "a\u{A0}b.pdf",
                Some("the manifest has U+0020 (a blank) where the disk has U+00A0 (a no-break space)"),
            ),
            ("ab.pdf", "a\u{AD}b.pdf", Some("the disk has U+00AD (a soft hyphen) where the manifest has nothing")),
            (
                "a\u{200E}b.pdf",
                "ab.pdf",
                Some("the manifest has U+200E (a mark of direction) where the disk has nothing"),
            ),
            (
                "Miller's.pdf",
                "Miller\u{2019}s.pdf",
                Some("the manifest has U+0027 where the disk has U+2019 (a curly quote)"),
            ),
            ("a.pdf", "A.pdf", None),
        ] {
            assert_eq!(hidden_difference(written, there).as_deref(), says);
        }
    }
}
