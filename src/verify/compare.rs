//! What a record's list says about the rows that were sent there. Pure.

use super::{VerifyFinding, VerifyRow};
use crate::outcome::Status;
use crate::reply::Listed;
use crate::text::same_name;
use crate::upload::ServiceId;

/// What came of one row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compared {
    /// What was found.
    pub finding: VerifyFinding,
    /// The attachment that is the row's, where one is.
    pub there: Option<Attached>,
    /// Whether an earlier row of the record made the same attachment, and both did so on purpose.
    pub repeats: bool,
}

/// An attachment as it was listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attached {
    /// Its id, which need not be the one that the results name.
    pub id: ServiceId,
    /// Its size in bytes, where that is told.
    pub size: Option<u64>,
}

/// Judges the rows of a record by its list; one answer for each row, in their order.
///
/// Every attachment is given to one row at most: first to the row that names its id, then to rows that look like it,
/// in their order. What is left over and looks like an attachment that a row has is an extra copy.
pub fn compare(rows: &[&VerifyRow], listed: &[Listed]) -> Vec<Compared> {
    let mut left: Vec<&Listed> = listed.iter().collect();
    let by_id = |row: &&VerifyRow| take(&mut left, |one| Some(one.id) == row.attachment);
    let mut owned: Vec<Option<&Listed>> = rows.iter().map(by_id).collect();
    for (row, owned) in rows.iter().zip(&mut owned) {
        if row.is_expected() && owned.is_none() {
            *owned = take(&mut left, |one| row.looks_like(one));
        }
    }
    let one = |(row, owned): (&&VerifyRow, Option<&Listed>)| Compared {
        finding: finding(row, owned, &mut left),
        there: owned.map(|listed| Attached { id: listed.id, size: listed.size }),
        repeats: false,
    };
    let mut compared: Vec<Compared> = rows.iter().zip(owned).map(one).collect();
    note_twins(rows, &mut compared);
    compared
}

/// Takes out the first that fits.
fn take<'a>(left: &mut Vec<&'a Listed>, fits: impl Fn(&Listed) -> bool) -> Option<&'a Listed> {
    let place = left.iter().position(|one| fits(one))?;
    Some(left.remove(place))
}

/// Judges one row by the attachment that is its own, and takes its copies out of what is left.
fn finding(row: &VerifyRow, owned: Option<&Listed>, left: &mut Vec<&Listed>) -> VerifyFinding {
    if row.is_gone() {
        return if owned.is_some() { VerifyFinding::StillThere } else { VerifyFinding::NotExpected };
    }
    if !row.is_expected() {
        return if row.is_being_deleted() {
            VerifyFinding::Open { alike: usize::from(owned.is_some()) }
        } else if row.is_open() {
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

/// Of rows that made the same attachment twice, the later ones say so and name the first. Rows that name one file twice
/// did so on purpose: without being told, no run takes them.
fn note_twins(rows: &[&VerifyRow], compared: &mut [Compared]) {
    for later in 1..rows.len() {
        if compared[later].finding != VerifyFinding::Present || !is_ours(rows[later], &compared[later]) {
            continue;
        }
        let first =
            (0..later).find(|&first| is_twin(rows[first], rows[later]) && is_ours(rows[first], &compared[first]));
        let Some(first) = first else { continue };
        if rows[first].source == rows[later].source {
            compared[later].repeats = true;
        } else if let Some(there) = compared[first].there {
            compared[later].finding = VerifyFinding::TwiceByUs { others: vec![there.id] };
        }
    }
}

/// Whether what is there was made by the row, and not by somebody before it.
fn is_ours(row: &VerifyRow, compared: &Compared) -> bool {
    row.status == Status::Uploaded && row.attachment.is_some() && row.attachment == compared.there.map(|there| there.id)
}

/// Whether two rows stand for files with the same name and the same bytes, as far as that is known.
fn is_twin(one: &VerifyRow, other: &VerifyRow) -> bool {
    let same_bytes = match (one.content, other.content) {
        (Some(one), Some(other)) if one.kind() == other.kind() => one == other,
        _ => one.bytes == other.bytes,
    };
    !one.is_link && !other.is_link && same_bytes && same_name(&one.name, &other.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::{RowKey, SourceKind};

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
            content: None,
            sent_at: None,
            is_plain: true,
            target: "sandbox".into(),
            org: None,
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
            address_told: true,
        }
    }

    fn url(id: u64, url: &str) -> Listed {
        Listed { url: Some(url.to_owned()), ..file(id, "a title", 0) }
    }

    fn found(rows: Vec<VerifyRow>, listed: &[Listed]) -> Vec<VerifyFinding> {
        compare(&rows.iter().collect::<Vec<_>>(), listed).into_iter().map(|row| row.finding).collect()
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

    #[test]
    fn two_rows_that_made_the_same_attachment_are_told_once_with_the_first_one() {
        let other = |source: &str, id| VerifyRow { source: source.to_owned(), ..row(Status::Uploaded, "a.pdf", 5, id) };
        let listed = [file(7, "a.pdf", 5), file(8, "a.pdf", 5)];
        let twins = vec![other("old/a.pdf", 7), other("new/a.pdf", 8)];
        let others = vec![ServiceId::new(7)];
        assert_eq!(found(twins.clone(), &listed), [VerifyFinding::Present, VerifyFinding::TwiceByUs { others }]);

        let prints = ["99aa06d3014798d86001c324468d497f", "00000000000000000000000000000001"];
        let prints = prints.map(|hex| format!("xxh3:{hex}").parse().ok());
        let told_apart: Vec<VerifyRow> =
            twins.into_iter().zip(prints).map(|(row, content)| VerifyRow { content, ..row }).collect();
        assert_eq!(
            found(told_apart, &listed),
            [VerifyFinding::Present, VerifyFinding::Present],
            "other bytes under one name"
        );
        let on_purpose = [other("a.pdf", 7), other("a.pdf", 8)];
        let compared = compare(&on_purpose.iter().collect::<Vec<_>>(), &listed);
        assert!(compared.iter().all(|row| row.finding == VerifyFinding::Present));
        assert_eq!(compared.iter().map(|row| row.repeats).collect::<Vec<_>>(), [false, true]);
    }
}
