//! Whether a row asks for what a line of the results tells of, by what both say. Reads no file: where the content must
//! decide, it says so.

use std::borrow::Cow;
use std::path::Path;

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use super::paths::{PathLikeness, WrittenPath, compare_paths};
use crate::results::Line;
use crate::upload::{SourceKind, Upload};

/// An upload by all that it is recognised by, whether a row asks for it or a line tells of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct UploadIdentity<'a> {
    /// The module's API name.
    pub(super) module: &'a str,
    /// File or link.
    pub(super) kind: SourceKind,
    /// The path or the address as written.
    pub(super) source: &'a str,
    /// The folder that a path is relative to; `None` where nobody knows it any more.
    pub(super) base: Option<&'a Path>,
    /// The name as sent.
    pub(super) name: &'a str,
    /// Bytes of the file; `None` where nobody knows.
    pub(super) size: Option<u64>,
    /// What the old system calls the record; empty where it is named by its id.
    pub(super) record_key: &'a str,
}

/// How a row and a line of its record go together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Likeness {
    /// They are about different things.
    Different,
    /// They are about the same: the same address, or the same file under the same name.
    Same,
    /// The same file was sent under another name.
    OtherName,
    /// Another path, the same name and size: the content must tell.
    ByContent,
    /// Another path, another name, the same size: the same file, renamed, if the content is the same.
    RenamedByContent,
}

impl Likeness {
    /// Whether the contents must be asked.
    pub(super) fn is_left_to_content(self) -> bool {
        matches!(self, Likeness::ByContent | Likeness::RenamedByContent)
    }
}

impl<'a> UploadIdentity<'a> {
    /// What a row asks for.
    pub(super) fn of_row(
        upload: &Upload<'a>,
        record_key: &'a str,
        base: &'a Path,
        size: Option<u64>,
    ) -> UploadIdentity<'a> {
        let Upload { module, kind, source, name, .. } = *upload;
        UploadIdentity { module, kind, source, base: Some(base), name, size, record_key }
    }

    /// What a line tells of; `None` for one that was left out as invalid.
    pub(super) fn of_line(line: &'a Line, base: Option<&'a Path>) -> Option<UploadIdentity<'a>> {
        let kind = line.kind()?;
        let source = if kind == SourceKind::File { &line.file } else { &line.url };
        let Line { module, name, record_key, bytes: size, .. } = line;
        Some(UploadIdentity { module, kind, source, base, name, size: *size, record_key })
    }

    /// Whether both name one record by the same key.
    pub(super) fn has_record_key_of(&self, other: &UploadIdentity<'_>) -> bool {
        !self.record_key.is_empty() && self.record_key == other.record_key && self.module == other.module
    }

    pub(super) fn path(&self) -> WrittenPath<'a> {
        WrittenPath { text: self.source, base: self.base }
    }

    fn has_name_of(&self, other: &UploadIdentity<'_>) -> bool {
        self.name == other.name || composed(self.name) == composed(other.name)
    }
}

/// Compares a row with a line of the same record. `is_one_file` is asked where two paths differ in case or Unicode form
/// only, whether the file system takes them for one.
pub(super) fn compare(
    row: &UploadIdentity<'_>,
    line: &UploadIdentity<'_>,
    is_one_file: &dyn Fn(&WrittenPath<'_>, &WrittenPath<'_>) -> bool,
) -> Likeness {
    if row.kind != line.kind || row.module != line.module {
        return Likeness::Different;
    }
    if row.kind == SourceKind::Link {
        return if row.source == line.source { Likeness::Same } else { Likeness::Different };
    }
    let same_path = match compare_paths(&row.path(), &line.path()) {
        PathLikeness::Same => true,
        PathLikeness::SpelledAlike => is_one_file(&row.path(), &line.path()),
        PathLikeness::Different => false,
    };
    let sizes_agree = row.size.zip(line.size).is_none_or(|(row, line)| row == line);
    match (same_path, row.has_name_of(line)) {
        (true, true) => Likeness::Same,
        (true, false) => Likeness::OtherName,
        (false, true) if sizes_agree => Likeness::ByContent,
        // Of any other name, a file of unknown size may be anything.
        (false, false) if sizes_agree && row.size.and(line.size).is_some() => Likeness::RenamedByContent,
        (false, _) => Likeness::Different,
    }
}

/// A text in Unicode's composed form.
fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file<'a>(source: &'a str, name: &'a str, size: Option<u64>) -> UploadIdentity<'a> {
        let base = Some(Path::new("/work"));
        UploadIdentity { module: "Leads", kind: SourceKind::File, source, base, name, size, record_key: "" }
    }

    fn link<'a>(source: &'a str, name: &'a str) -> UploadIdentity<'a> {
        UploadIdentity { kind: SourceKind::Link, ..file(source, name, None) }
    }

    #[test]
    fn a_row_is_compared_with_a_line_by_what_both_say() {
        use Likeness::{ByContent, Different, OtherName, RenamedByContent, Same};
        let a = file("a.pdf", "a.pdf", Some(5));
        for (row, line, expected) in [
            (file("./a.pdf", "a.pdf", Some(5)), a, Same),
            (file("./a.pdf", "a.pdf", Some(9)), a, Same),
            (file("a.pdf", "b.pdf", Some(5)), a, OtherName),
            (file("new/a.pdf", "a.pdf", Some(5)), a, ByContent),
            (file("new/a.pdf", "a.pdf", Some(6)), a, Different),
            (file("new/a.pdf", "a.pdf", None), a, ByContent),
            (file("new/b.pdf", "b.pdf", Some(5)), a, RenamedByContent),
            (file("new/b.pdf", "b.pdf", Some(6)), a, Different),
            (file("new/b.pdf", "b.pdf", None), a, Different),
            (file("new/b.pdf", "b.pdf", Some(5)), file("a.pdf", "a.pdf", None), Different),
            (file("b.pdf", "a.pdf", Some(5)), a, ByContent),
            (file("x/M\u{fc}.pdf", "M\u{fc}.pdf", Some(5)), file("M.pdf", "Mu\u{308}.pdf", Some(5)), ByContent),
            (UploadIdentity { module: "Deals", ..a }, a, Different),
            (link("https://a.example", "title"), link("https://a.example", ""), Same),
            (link("https://a.example", ""), link("https://a.example", "title"), Same),
            (link("https://a.example/1", ""), link("https://a.example/2", ""), Different),
            (link("a.pdf", "a.pdf"), a, Different),
        ] {
            assert_eq!(compare(&row, &line, &|_, _| false), expected, "{row:?} {line:?}");
        }
    }

    #[test]
    fn the_file_system_says_whether_two_spellings_are_one_file() {
        let (row, line) = (file("Scans/a.pdf", "a.pdf", Some(5)), file("scans/a.pdf", "a.pdf", Some(5)));
        assert_eq!(compare(&row, &line, &|_, _| true), Likeness::Same);
        assert_eq!(compare(&row, &line, &|_, _| false), Likeness::ByContent);
    }
}
