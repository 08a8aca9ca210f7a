//! Compares what the results say with what the service lists: is every attachment there, whole, and only once?
//!
//! [`compare`] judges one record and does nothing else, [`drive`] asks the service for one list a record, and [`show`]
//! tells people and programs. Nothing here changes anything at the service or in the results.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

use crate::outcome::Status;
use crate::reply::Listed;
use crate::results::Line;
use crate::upload::{RecordId, RowKey, ServiceId, SourceKind};

pub mod drive;
pub mod show;

/// What there is to compare: the rows of a results file, and the records whose lists can say something about them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VerifyWork {
    /// Every row, in the order of the results.
    pub rows: Vec<VerifyRow>,
    /// The records to ask for, in the order of their first row.
    pub records: Vec<VerifyRecord>,
}

/// A row of the results, as far as it matters here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyRow {
    /// Its line in the manifest.
    pub line: u32,
    /// The module, as the results say.
    pub module: Arc<str>,
    /// The record, as the results say.
    pub record: String,
    /// Which row it is.
    pub key: RowKey,
    /// What the results say of it.
    pub status: Status,
    /// The file or the address, as written in the manifest.
    pub source: String,
    /// Whether it is a link.
    pub is_link: bool,
    /// The name as sent.
    pub name: String,
    /// Bytes of the file, where they are known.
    pub bytes: Option<u64>,
    /// The attachment that the results name.
    pub attachment: Option<ServiceId>,
}

/// A record whose list is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyRecord {
    /// The module's API name.
    pub module: Arc<str>,
    /// The record.
    pub id: RecordId,
    /// Which of [`VerifyWork::rows`] are about it.
    pub rows: Vec<usize>,
}

/// What was found of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VerifyFinding {
    /// It is there, once.
    Present,
    /// It is not in the record's list.
    Missing,
    /// It is there, but has another size than the file that was sent.
    SizeDiffers {
        /// Bytes as listed.
        listed: u64,
    },
    /// It is there, and so are more of the same name and size, or of the same address.
    ExtraCopies {
        /// The others.
        others: Vec<ServiceId>,
    },
    /// The results do not say that it is there, so it is not looked for.
    NotExpected,
    /// The results leave open whether it is there; so many like it are on the record and belong to no other row.
    Open {
        /// How many.
        alike: usize,
    },
    /// The service gave no list of the record.
    Unchecked {
        /// Why.
        why: String,
    },
}

impl VerifyFinding {
    /// The word in every output.
    pub fn as_str(&self) -> &'static str {
        match self {
            VerifyFinding::Present => "present",
            VerifyFinding::Missing => "missing",
            VerifyFinding::SizeDiffers { .. } => "size-differs",
            VerifyFinding::ExtraCopies { .. } => "extra-copies",
            VerifyFinding::NotExpected => "not-expected",
            VerifyFinding::Open { .. } => "open",
            VerifyFinding::Unchecked { .. } => "unchecked",
        }
    }

    /// Whether the results and the service agree on the row.
    pub fn is_sound(&self) -> bool {
        matches!(self, VerifyFinding::Present | VerifyFinding::NotExpected)
    }
}

impl VerifyWork {
    /// The work that the lines of a results file make. Records of which no row was ever sent are not asked for.
    ///
    /// # Errors
    ///
    /// When a line cannot be read.
    pub fn of(lines: impl Iterator<Item = io::Result<Line>>) -> io::Result<VerifyWork> {
        let mut work = VerifyWork::default();
        let mut modules: HashSet<Arc<str>> = HashSet::new();
        let mut records: HashMap<(Arc<str>, RecordId), usize> = HashMap::new();
        for line in lines {
            let row = VerifyRow::of(line?, &mut modules);
            let id = row.record.parse().ok().and_then(RecordId::new);
            if let Some(id) = id {
                let place = *records.entry((Arc::clone(&row.module), id)).or_insert_with(|| {
                    work.records.push(VerifyRecord { module: Arc::clone(&row.module), id, rows: Vec::new() });
                    work.records.len() - 1
                });
                work.records[place].rows.push(work.rows.len());
            }
            work.rows.push(row);
        }
        let rows = &work.rows;
        work.records.retain(|record| record.rows.iter().any(|&row| rows[row].is_expected() || rows[row].is_open()));
        Ok(work)
    }

    /// Judges the rows of a record by its list, as [`compare`] does.
    pub fn compare(&self, record: &VerifyRecord, listed: &[Listed]) -> Vec<VerifyFinding> {
        let rows: Vec<&VerifyRow> = record.rows.iter().map(|&row| &self.rows[row]).collect();
        compare(&rows, listed)
    }
}

impl VerifyRow {
    fn of(line: Line, modules: &mut HashSet<Arc<str>>) -> VerifyRow {
        let is_link = line.kind() == Some(SourceKind::Link);
        let module = modules.get(line.module.as_str()).cloned().unwrap_or_else(|| {
            let module: Arc<str> = line.module.into();
            modules.insert(Arc::clone(&module));
            module
        });
        VerifyRow {
            line: line.line,
            module,
            record: line.record,
            key: line.key,
            status: line.status,
            source: if is_link { line.url } else { line.file },
            is_link,
            name: line.name,
            bytes: line.bytes,
            attachment: line.attachment_id,
        }
    }

    /// Whether the results say that it is on the record.
    fn is_expected(&self) -> bool {
        matches!(self.status, Status::Uploaded | Status::AlreadyPresent)
    }

    /// Whether the results leave open if it is on the record.
    fn is_open(&self) -> bool {
        matches!(self.status, Status::Unknown | Status::InDoubt | Status::Sending)
    }

    /// The size that the attachment must have. One that was there before us only had to have the name.
    fn expected_size(&self) -> Option<u64> {
        self.bytes.filter(|_| !self.is_link && self.status != Status::AlreadyPresent)
    }

    /// Whether an attachment could be this row's by its looks: the address of a link; name and size of a file.
    fn looks_like(&self, listed: &Listed) -> bool {
        if self.is_link {
            return listed.url.as_deref() == Some(self.source.as_str());
        }
        let size_agrees = match (self.expected_size(), listed.size) {
            (Some(expected), Some(listed)) => expected == listed,
            _ => true,
        };
        listed.url.is_none() && size_agrees && same_name(&self.name, &listed.name)
    }
}

/// Equal under NFC: what macOS decomposes is the same name to people and to the service's search.
fn same_name(a: &str, b: &str) -> bool {
    a == b || a.nfc().eq(b.nfc())
}

/// Judges the rows of a record by its list; one finding for each row, in their order.
///
/// Every attachment is given to one row at most: first to the row that names its id, then to rows that look like it,
/// in their order. What is left over and looks like an attachment that a row has is an extra copy.
pub fn compare(rows: &[&VerifyRow], listed: &[Listed]) -> Vec<VerifyFinding> {
    let mut left: Vec<&Listed> = listed.iter().collect();
    let by_id = |row: &&VerifyRow| take(&mut left, |one| Some(one.id) == row.attachment);
    let mut owned: Vec<Option<&Listed>> = rows.iter().map(by_id).collect();
    for (row, owned) in rows.iter().zip(&mut owned) {
        if row.is_expected() && owned.is_none() {
            *owned = take(&mut left, |one| row.looks_like(one));
        }
    }
    rows.iter().zip(owned).map(|(row, owned)| finding(row, owned, &mut left)).collect()
}

/// Takes out the first that fits.
fn take<'a>(left: &mut Vec<&'a Listed>, fits: impl Fn(&Listed) -> bool) -> Option<&'a Listed> {
    let place = left.iter().position(|one| fits(one))?;
    Some(left.remove(place))
}

/// Judges one row by the attachment that is its own, and takes its copies out of what is left.
fn finding(row: &VerifyRow, owned: Option<&Listed>, left: &mut Vec<&Listed>) -> VerifyFinding {
    if !row.is_expected() {
        return if row.is_open() {
            let found = left.extract_if(.., |one| row.looks_like(one)).count() + usize::from(owned.is_some());
            VerifyFinding::Open { alike: found }
        } else {
            VerifyFinding::NotExpected
        };
    }
    let Some(owned) = owned else { return VerifyFinding::Missing };
    if let (Some(expected), Some(listed)) = (row.expected_size(), owned.size)
        && expected != listed
    {
        return VerifyFinding::SizeDiffers { listed };
    }
    // The service may have stored another name than was sent; a copy would have been renamed alike.
    let is_copy = |one: &&mut &Listed| {
        row.looks_like(one)
            || (!row.is_link && one.url.is_none() && one.size == owned.size && same_name(&one.name, &owned.name))
    };
    let others: Vec<ServiceId> = left.extract_if(.., |one| is_copy(&one)).map(|one| one.id).collect();
    if others.is_empty() { VerifyFinding::Present } else { VerifyFinding::ExtraCopies { others } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(status: Status, name: &str, bytes: u64, id: u64) -> VerifyRow {
        VerifyRow {
            line: 2,
            module: "Leads".into(),
            record: "1000000000".to_owned(),
            key: RowKey::of("Leads", "1000000000", SourceKind::File, name, name, 1),
            status,
            source: format!("files/{name}"),
            is_link: false,
            name: name.to_owned(),
            bytes: Some(bytes),
            attachment: (id > 0).then(|| ServiceId::new(id)),
        }
    }

    fn link(status: Status, url: &str) -> VerifyRow {
        VerifyRow {
            source: url.to_owned(),
            is_link: true,
            name: String::new(),
            bytes: Some(0),
            attachment: None,
            ..row(status, "", 0, 0)
        }
    }

    fn file(id: u64, name: &str, size: u64) -> Listed {
        Listed {
            id: ServiceId::new(id),
            name: name.to_owned(),
            size: Some(size),
            url: None,
            created: None,
            created_by: None,
        }
    }

    fn url(id: u64, url: &str) -> Listed {
        Listed { url: Some(url.to_owned()), ..file(id, "a title", 0) }
    }

    fn found(rows: Vec<VerifyRow>, listed: &[Listed]) -> Vec<VerifyFinding> {
        compare(&rows.iter().collect::<Vec<_>>(), listed)
    }

    #[test]
    fn an_attachment_with_the_id_of_the_row_is_present_whatever_it_is_called() {
        assert_eq!(
            found(vec![row(Status::Uploaded, "a.pdf", 5, 7)], &[file(7, "a (1).pdf", 5)]),
            [VerifyFinding::Present]
        );
    }

    #[test]
    fn an_attachment_that_is_not_listed_is_missing() {
        assert_eq!(found(vec![row(Status::Uploaded, "a.pdf", 5, 7)], &[]), [VerifyFinding::Missing]);
        assert_eq!(found(vec![row(Status::Uploaded, "a.pdf", 5, 7)], &[file(8, "b.pdf", 5)]), [VerifyFinding::Missing]);
    }

    #[test]
    fn another_size_is_told_with_what_is_listed() {
        let listed = [file(7, "a.pdf", 4)];
        assert_eq!(
            found(vec![row(Status::Uploaded, "a.pdf", 5, 7)], &listed),
            [VerifyFinding::SizeDiffers { listed: 4 }]
        );
    }

    #[test]
    fn one_that_was_there_before_us_may_have_any_size() {
        assert_eq!(
            found(vec![row(Status::AlreadyPresent, "a.pdf", 5, 7)], &[file(7, "a.pdf", 4)]),
            [VerifyFinding::Present]
        );
    }

    #[test]
    fn a_second_one_of_same_name_and_size_is_an_extra_copy() {
        let listed = [file(7, "a.pdf", 5), file(8, "a.pdf", 5), file(9, "a.pdf", 6)];
        let others = vec![ServiceId::new(8)];
        assert_eq!(found(vec![row(Status::Uploaded, "a.pdf", 5, 7)], &listed), [VerifyFinding::ExtraCopies { others }]);
    }

    #[test]
    fn copies_that_the_service_renamed_like_the_first_are_found() {
        let listed = [file(7, "A.PDF", 5), file(8, "A.PDF", 5)];
        let others = vec![ServiceId::new(8)];
        assert_eq!(found(vec![row(Status::Uploaded, "a.pdf", 5, 7)], &listed), [VerifyFinding::ExtraCopies { others }]);
    }

    #[test]
    fn identical_rows_need_as_many_attachments_and_share_none() {
        let rows = vec![row(Status::Uploaded, "a.pdf", 5, 7), row(Status::Uploaded, "a.pdf", 5, 8)];
        assert_eq!(
            found(rows.clone(), &[file(8, "a.pdf", 5), file(7, "a.pdf", 5)]),
            [VerifyFinding::Present, VerifyFinding::Present]
        );
        assert_eq!(found(rows, &[file(7, "a.pdf", 5)]), [VerifyFinding::Present, VerifyFinding::Missing]);
    }

    #[test]
    fn an_attachment_named_by_a_later_row_is_not_taken_by_an_earlier_one() {
        let rows = vec![row(Status::AlreadyPresent, "a.pdf", 5, 0), row(Status::Uploaded, "a.pdf", 5, 7)];
        assert_eq!(
            found(rows, &[file(7, "a.pdf", 5), file(6, "a.pdf", 5)]),
            [VerifyFinding::Present, VerifyFinding::Present]
        );
    }

    #[test]
    fn a_name_counts_under_its_composed_form() {
        let rows = vec![row(Status::AlreadyPresent, "Gro\u{308}ße.pdf", 5, 0)];
        assert_eq!(found(rows, &[file(7, "Größe.pdf", 5)]), [VerifyFinding::Present]);
    }

    #[test]
    fn a_link_is_found_by_its_address_alone() {
        let listed = [url(7, "https://example.com/a"), file(8, "https://example.com/b", 0)];
        let rows = vec![
            link(Status::AlreadyPresent, "https://example.com/a"),
            link(Status::Uploaded, "https://example.com/b"),
        ];
        assert_eq!(found(rows, &listed), [VerifyFinding::Present, VerifyFinding::Missing]);
    }

    #[test]
    fn a_row_that_is_not_uploaded_is_not_expected_and_an_open_one_counts_what_is_like_it() {
        let rows = vec![
            row(Status::Failed, "a.pdf", 5, 0),
            row(Status::Unknown, "b.pdf", 5, 0),
            row(Status::NotSent, "c", 1, 0),
        ];
        let listed = [file(7, "b.pdf", 5), file(8, "b.pdf", 5)];
        assert_eq!(
            found(rows, &listed),
            [VerifyFinding::NotExpected, VerifyFinding::Open { alike: 2 }, VerifyFinding::NotExpected]
        );
    }
}
