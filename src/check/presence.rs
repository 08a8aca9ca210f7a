//! What is wrong with a file, given what the look at it said.

use std::collections::HashMap;
use std::path::Path;

use super::files::{FileFault, Nearby};
use super::members::MemberTrouble;
use super::store::{RowStore, SourceIx};
use super::{CheckFinding, CheckOptions};
use crate::archive::{self, Unusable};
use crate::crm::limits::{LARGE_REQUEST_BYTES, MAX_NAME_CHARS};
use crate::problem::ProblemCode;
use crate::problem::remedies;
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
                format!("a request of {body} bytes is needed for it; {} are allowed", self.options.max_size),
                "make the file smaller, or attach a link to it",
            ));
        }
        (body >= LARGE_REQUEST_BYTES).then(|| {
            CheckFinding::new(
                ProblemCode::FileLarge,
                format!("a request of {body} bytes is needed for it, close to the limit of the service"),
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

/// What may help with a file that is not there.
fn missing_hint(text: &str, base: &Path, nearby: &mut Nearby) -> String {
    if let Some(right) = nearby.find(base, text) {
        return format!("there is {right}: upper and lower case, accents and blanks must be as they are there");
    }
    let scheme = |prefix: &str| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if scheme("http://") || scheme("https://") {
        return "an address belongs in the column url".to_owned();
    }
    if let Some((outside, _)) = text.split_once(archive::SEPARATOR) {
        let outside = crate::text::masked_excerpt(outside);
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
