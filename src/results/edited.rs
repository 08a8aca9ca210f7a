//! Finds which cell of a line somebody edited, so that the message can name it.
//!
//! A check says only that a line is not what was written. Most edits show themselves all the same: a cell that no
//! longer has our form, or one small change that, taken back, makes the check right again.

use super::cell;
use super::codec::Cells;
use super::columns::ResultsColumn;
use super::line::Line;
use crate::outcome::Status;

/// Longest line on which small changes are taken back by trial; each byte costs some 200 checksums of the line.
const LONGEST_TRIAL: usize = 2_000;

/// Whether the cells are all as written and only quoting or the line's end differ.
pub(super) fn only_its_dress_changed(cells: &Cells<'_>, line: &Line) -> bool {
    let mut again = Vec::new();
    line.encode(cells.layout(), &mut again);
    let check = cells.raw(ResultsColumn::Check);
    !check.is_empty() && again.strip_suffix(b"\n").is_some_and(|again| again.ends_with(check))
}

/// The cell that was edited, if it can be told. `line` is what the cells spell now.
pub(super) fn find(cells: &Cells<'_>, line: &Line) -> Option<usize> {
    let Some(wanted) = check_of(cells) else { return cells.layout().index(ResultsColumn::Check) };
    not_as_we_write(cells, line)
        .or_else(|| other_status(cells, wanted))
        .or_else(|| smallest_change(cells, wanted))
        .or_else(|| contradiction(cells, line))
}

/// The checksum that the check cell tells of.
fn check_of(cells: &Cells<'_>) -> Option<u32> {
    let digits = cells.raw(ResultsColumn::Check).strip_prefix(b"k").filter(|digits| digits.len() == 8)?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// A cell that we would have written in another way.
fn not_as_we_write(cells: &Cells<'_>, line: &Line) -> Option<usize> {
    let mut again = Vec::new();
    line.encode(cells.layout(), &mut again);
    let mut ranges = Vec::new();
    cell::split(again.strip_suffix(b"\n")?, &mut ranges)?;
    let check = cells.layout().index(ResultsColumn::Check)?;
    ranges
        .iter()
        .take(check)
        .enumerate()
        .find(|(index, range)| &again[(*range).clone()] != cells.raw_at(*index))
        .map(|(index, _)| index)
}

/// The status, if another one makes the check right: the cell people are most likely to change by hand.
fn other_status(cells: &Cells<'_>, wanted: u32) -> Option<usize> {
    let index = cells.layout().index(ResultsColumn::Status)?;
    Status::ALL.into_iter().any(|status| with_cell(cells, index, status.as_str().as_bytes()) == wanted).then_some(index)
}

/// The checksum of the line with another cell in this place.
fn with_cell(cells: &Cells<'_>, index: usize, other: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for at in 0..cells.len() - 1 {
        if at > 0 {
            hasher.update(b",");
        }
        hasher.update(if at == index { other } else { cells.raw_at(at) });
    }
    hasher.finalize()
}

/// The cell in which one printable character replaced, added or taken away makes the check right. That a wrong place
/// fits by chance is a matter of one in tens of thousands, and costs only a misleading name.
fn smallest_change(cells: &Cells<'_>, wanted: u32) -> Option<usize> {
    if cells.bytes().len() > LONGEST_TRIAL {
        return None;
    }
    (0..cells.len() - 1).find(|&index| {
        let raw = cells.raw_at(index);
        let fits = |other: &[u8]| with_cell(cells, index, other) == wanted;
        (0..=raw.len()).any(|at| {
            let (before, rest) = raw.split_at(at);
            let after = rest.get(1..).unwrap_or_default();
            let shorter = !rest.is_empty() && fits(&[before, after].concat());
            shorter
                || (b' '..=b'~').any(|byte| {
                    fits(&[before, &[byte], rest].concat())
                        || (!rest.is_empty() && fits(&[before, &[byte], after].concat()))
                })
        })
    })
}

/// A cell that cannot go with the others.
fn contradiction(cells: &Cells<'_>, line: &Line) -> Option<usize> {
    let index = |column| cells.layout().index(column);
    match line.status {
        Status::Uploaded | Status::Superseded | Status::Deleting | Status::Deleted if line.attachment_id.is_none() => {
            index(ResultsColumn::AttachmentId)
        }
        Status::Uploaded
        | Status::Superseded
        | Status::AlreadyPresent
        | Status::Failed
        | Status::Unknown
        | Status::Deleting
        | Status::Deleted
            if line.finished_at.is_none() =>
        {
            index(ResultsColumn::FinishedAt)
        }
        Status::Sending | Status::InDoubt if line.sent_at.is_none() => index(ResultsColumn::SentAt),
        status if status != Status::Invalid && line.kind().is_none() => index(ResultsColumn::File),
        _ => None,
    }
}
