//! Rows and lines of one record, side by side, or of one key of a record. Both stand in lists that are sorted by that, so
//! that a million of each need no table of records.

use crate::results::PlacedLine;

/// A row of the manifest, by the record that it is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct PlacedRow {
    /// The record, or a number that stands for its key.
    pub(super) group: u64,
    /// Its number among the rows of the check.
    pub(super) row: u32,
}

/// The rows and the lines of one group that has both.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordGroup<'a> {
    pub(super) rows: &'a [PlacedRow],
    pub(super) lines: &'a [PlacedLine],
}

/// Every group that has rows as well as lines.
pub(super) fn groups<'a>(
    mut rows: &'a [PlacedRow],
    mut lines: &'a [PlacedLine],
) -> impl Iterator<Item = RecordGroup<'a>> {
    std::iter::from_fn(move || {
        loop {
            let (row, line) = (rows.first()?, lines.first()?);
            let (of_row, of_line) = (row.group, line.group);
            let rows_here = rows.iter().take_while(|row| row.group == of_row).count();
            let lines_here = lines.iter().take_while(|line| line.group == of_line).count();
            if of_row < of_line {
                rows = rows.get(rows_here..)?;
            } else if of_line < of_row {
                lines = lines.get(lines_here..)?;
            } else {
                let group = RecordGroup { rows: rows.get(..rows_here)?, lines: lines.get(..lines_here)? };
                (rows, lines) = (rows.get(rows_here..)?, lines.get(lines_here..)?);
                return Some(group);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::RowKey;

    #[test]
    fn only_records_with_rows_and_lines_are_met_each_once() {
        let rows = [1, 2, 2, 5].map(|number| PlacedRow { group: number, row: 0 });
        let lines = [0, 2, 2, 2, 3, 5, 6].map(|number| PlacedLine {
            group: number,
            is_open: false,
            offset: 0,
            key: RowKey(number),
        });
        let met: Vec<_> = groups(&rows, &lines).map(|group| (group.rows.len(), group.lines.len())).collect();
        assert_eq!(met, [(2, 3), (1, 1)]);
        assert_eq!(groups(&rows, &[]).count() + groups(&[], &lines).count(), 0);
    }
}
