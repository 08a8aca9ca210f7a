//! Reads one sheet of a workbook, within bounds: no more memory than a stated size, whatever the file says of itself.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{DataRef, Reader as _, SheetType, SheetVisible, Xlsx, XlsxError};

use super::cell::{CellFlaw, text_of};
use super::hidden::hidden_rows;
use crate::archive::{MemberReader, Unusable, read_directory};
use crate::text::system_words;
use crate::units::count;

/// A sheet may have so many rows with something in them, its header not counted.
pub(crate) const MAX_ROWS: usize = 200_000;

/// The texts of a workbook, which are held while a sheet is read, may have so many bytes.
const MAX_SHARED_TEXT: u64 = 96 << 20;

/// The cells of a sheet may have so many bytes of text together.
const MAX_TEXT: usize = 128 << 20;

/// A sheet may have so many cells with something in them.
const MAX_CELLS: usize = 6_000_000;

/// The parts of a workbook may have so many bytes when they are unpacked.
const MAX_UNPACKED: u64 = 1 << 30;

/// A part may be packed as tightly as it likes up to this size: a small sheet of equal rows is no bomb.
const HARMLESS: u64 = 16 << 20;

/// A sheet may have so many merged areas.
const MAX_MERGED: usize = 10_000;

/// A sheet of the widest kind has so many columns.
const MAX_COLUMNS: u32 = 16_384;

/// Why no sheet can be read.
#[derive(Debug)]
pub enum WorkbookError {
    /// It is no workbook, or a damaged one; says how.
    Damaged(String),
    /// Written by a program of the time before .xlsx, or encrypted, which looks the same from outside.
    OldOrLocked,
    /// It has no sheet with cells that is not hidden.
    NoSheet,
    /// It has no sheet of that name.
    SheetUnknown {
        /// The name.
        wanted: String,
        /// The sheets that it has.
        sheets: Vec<String>,
    },
    /// It is beyond a bound; says which.
    TooLarge(String),
    /// The system does not give it back.
    Io(io::Error),
}

impl fmt::Display for WorkbookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WorkbookError::Damaged(how) => write!(f, "it is no workbook that can be read ({how}); open it and save it anew as .xlsx"),
            WorkbookError::OldOrLocked => f.write_str(
                "it is encrypted with a password, or of the kind that was written before .xlsx; save it as .xlsx without a \
                 password, or as CSV UTF-8",
            ),
            WorkbookError::NoSheet => f.write_str("it has no sheet with cells that is not hidden"),
            WorkbookError::SheetUnknown { wanted, sheets } => {
                write!(f, "it has no sheet \"{wanted}\"; its sheets are {}", sheets.join(", "))
            }
            WorkbookError::TooLarge(what) => {
                write!(f, "{what}, which is more than is read of a workbook; save the sheet as CSV UTF-8, which may have any number of rows")
            }
            WorkbookError::Io(error) => f.write_str(&system_words(error)),
        }
    }
}

impl From<XlsxError> for WorkbookError {
    fn from(error: XlsxError) -> WorkbookError {
        match error {
            XlsxError::Io(error) => WorkbookError::Io(error),
            XlsxError::Password => WorkbookError::OldOrLocked,
            other => WorkbookError::Damaged(other.to_string()),
        }
    }
}

/// A sheet that has been read; gives its rows one by one.
#[derive(Debug)]
pub(crate) struct WorkbookSheet {
    name: String,
    /// The other sheets that a person sees and in which something stands, in their order.
    others: Vec<String>,
    /// The numbers of the rows in which something stands and which the sheet hides, in order.
    hidden: Vec<u32>,
    rows: std::vec::IntoIter<StoredRow>,
    /// The row that was given last.
    current: StoredRow,
    /// Merged areas that are still to come, the next one last.
    merged: Vec<MergedArea>,
    /// Those that reach into the current row.
    active: Vec<MergedArea>,
}

/// A row in which something stands.
#[derive(Default, Debug)]
struct StoredRow {
    /// From 1, as the sheet counts.
    number: u32,
    /// The texts of its cells, one behind the other.
    text: Box<str>,
    cells: Box<[StoredCell]>,
}

#[derive(Clone, Copy, Debug)]
struct StoredCell {
    /// From 0.
    column: u16,
    flaw: Option<CellFlaw>,
    /// Where its text ends in that of the row.
    end: u32,
}

/// Cells that are shown as one; only the first of them has a value. Rows and columns from 0, the last ones included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct MergedArea {
    rows: (u32, u32),
    columns: (u32, u32),
}

/// A row of a [`WorkbookSheet`].
#[derive(Clone, Copy)]
pub(crate) struct WorkbookRow<'s> {
    row: &'s StoredRow,
    merged: &'s [MergedArea],
}

/// A cell in which something stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct WorkbookCell<'s> {
    /// From 0.
    pub(crate) column: usize,
    /// What stands in it, as text.
    pub(crate) text: &'s str,
    /// Why that may not be what it was; `None`: it is.
    pub(crate) flaw: Option<CellFlaw>,
}

impl<'s> WorkbookRow<'s> {
    /// Its number, from 1, as the sheet counts.
    pub(crate) fn number(self) -> u32 {
        self.row.number
    }

    /// The cells in which something stands, in their order.
    pub(crate) fn cells(self) -> impl Iterator<Item = WorkbookCell<'s>> {
        let mut start = 0;
        self.row.cells.iter().map(move |cell| {
            let end = cell.end as usize;
            let text = self.row.text.get(start..end).unwrap_or_default();
            start = end;
            WorkbookCell { column: usize::from(cell.column), text, flaw: cell.flaw }
        })
    }

    /// The merged area that hides the cell in this column, as a sheet names it; `None` for the first cell of one, which has
    /// the value, and for every other cell.
    pub(crate) fn hidden_by(self, column: usize) -> Option<String> {
        let (row, column) = (self.row.number.saturating_sub(1), u32::try_from(column).ok()?);
        let covers = |area: &&MergedArea| {
            (area.columns.0..=area.columns.1).contains(&column) && (area.rows.0, area.columns.0) != (row, column)
        };
        let area = self.merged.iter().find(covers)?;
        let [first, last] = [(area.rows.0, area.columns.0), (area.rows.1, area.columns.1)];
        Some(format!("{}:{}", cell_name(first.0 + 1, first.1 as usize), cell_name(last.0 + 1, last.1 as usize)))
    }
}

impl WorkbookSheet {
    /// Reads the sheet of this name, or the first one that has cells and is not hidden.
    ///
    /// # Errors
    ///
    /// The file is no workbook, has no such sheet, or is beyond the bounds.
    pub(crate) fn open(file: File, sheet: Option<&str>) -> Result<WorkbookSheet, WorkbookError> {
        stay_within_bounds(&file)?;
        let file = from_the_start(&file)?;
        // The library reads what anybody may have written, and some of that it meets with a panic.
        catch_unwind(AssertUnwindSafe(|| read(file, sheet)))
            .unwrap_or_else(|_| Err(WorkbookError::Damaged("its parts contradict each other".to_owned())))
    }

    /// The other sheets that a person sees and in which something stands, in their order.
    pub(crate) fn others(&self) -> &[String] {
        &self.others
    }

    /// The numbers of the rows in which something stands and which the sheet hides, in order.
    pub(crate) fn hidden(&self) -> &[u32] {
        &self.hidden
    }

    /// The name of the sheet.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The next row in which something stands; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<WorkbookRow<'_>> {
        self.current = self.rows.next()?;
        let row = self.current.number.saturating_sub(1);
        while self.merged.last().is_some_and(|area| area.rows.0 <= row) {
            self.active.extend(self.merged.pop());
        }
        self.active.retain(|area| area.rows.1 >= row);
        Some(WorkbookRow { row: &self.current, merged: &self.active })
    }
}

/// A stream as a file that can be read from any place: a workbook's directory stands at its end.
///
/// # Errors
///
/// Reading fails, or there is no room for it.
pub(crate) fn spool(source: &mut dyn Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(source, &mut file)?;
    Ok(file)
}

pub(super) fn from_the_start(file: &File) -> Result<File, WorkbookError> {
    let mut file = file.try_clone().map_err(WorkbookError::Io)?;
    file.seek(SeekFrom::Start(0)).map_err(WorkbookError::Io)?;
    Ok(file)
}

/// Refuses what would need more memory than is meant for it, and proves that no part is larger than the file's directory
/// says: the library believes that.
fn stay_within_bounds(file: &File) -> Result<(), WorkbookError> {
    if is_old_or_locked(file)? {
        return Err(WorkbookError::OldOrLocked);
    }
    let (mut members, mut wrong, mut unpacked, mut shared) = (Vec::new(), None, 0_u64, 0);
    read_directory(from_the_start(file)?, &mut |entry| match entry.member {
        Ok(member) => {
            unpacked = unpacked.saturating_add(member.size());
            shared = if entry.name.ends_with("sharedStrings.xml") { member.size() } else { shared };
            members.push(member);
        }
        Err(Unusable::Bomb { size, .. }) if size <= HARMLESS => {}
        Err(unusable) => wrong = Some(format!("{}: {unusable}", entry.name)),
    })
    .map_err(|error| WorkbookError::Damaged(error.to_string()))?;
    let mib = |bytes: u64| format!("{} MiB", count(bytes >> 20));
    if let Some(how) = wrong {
        return Err(WorkbookError::Damaged(how));
    }
    if unpacked > MAX_UNPACKED || shared > MAX_SHARED_TEXT {
        return Err(WorkbookError::TooLarge(format!("its sheets and texts have {} when unpacked", mib(unpacked))));
    }
    for member in members {
        let read = MemberReader::open(from_the_start(file)?, &member);
        let proved = read.and_then(|mut member| io::copy(&mut member, &mut io::sink()));
        proved.map_err(|error| WorkbookError::Damaged(system_words(&error)))?;
    }
    Ok(())
}

/// Whether the file is of the kind that holds encrypted workbooks and those of old programs.
fn is_old_or_locked(file: &File) -> Result<bool, WorkbookError> {
    const COMPOUND_FILE: [u8; 8] = [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1];
    let mut first = Vec::new();
    from_the_start(file)?.take(COMPOUND_FILE.len() as u64).read_to_end(&mut first).map_err(WorkbookError::Io)?;
    Ok(first == COMPOUND_FILE)
}

fn read(file: File, sheet: Option<&str>) -> Result<WorkbookSheet, WorkbookError> {
    let again = from_the_start(&file)?;
    let mut book = Xlsx::new(io::BufReader::new(file))?;
    let name = choose(&book, sheet)?;
    let merged = merged_areas(&mut book, &name)?;
    let rows = read_rows(&mut book, &name)?;
    let mut hidden = hidden_rows(&again, &name);
    hidden.retain(|row| rows.binary_search_by_key(row, |stored| stored.number).is_ok());
    let is_other = |sheet: &&calamine::Sheet| {
        sheet.typ == SheetType::WorkSheet && sheet.visible == SheetVisible::Visible && sheet.name != name
    };
    let mut others: Vec<String> =
        book.sheets_metadata().iter().filter(is_other).map(|sheet| sheet.name.clone()).collect();
    others.retain(|other| has_cells(&mut book, other));
    let (rows, current, active) = (rows.into_iter(), StoredRow::default(), Vec::new());
    Ok(WorkbookSheet { name, others, hidden, rows, current, merged, active })
}

fn choose<R: Read + io::Seek>(book: &Xlsx<R>, wanted: Option<&str>) -> Result<String, WorkbookError> {
    let sheets = || book.sheets_metadata().iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
    match wanted {
        None => {
            let shown = sheets().find(|sheet| sheet.visible == SheetVisible::Visible);
            shown.map(|sheet| sheet.name.clone()).ok_or(WorkbookError::NoSheet)
        }
        Some(wanted) => {
            // A sheet program takes names case-blind, so no two differ by case alone.
            let is_it = |name: &str| name.trim().to_lowercase() == wanted.trim().to_lowercase();
            let found = sheets().find(|sheet| is_it(&sheet.name)).map(|sheet| sheet.name.clone());
            found.ok_or_else(|| WorkbookError::SheetUnknown {
                wanted: wanted.to_owned(),
                sheets: sheets().map(|sheet| sheet.name.clone()).collect(),
            })
        }
    }
}

/// Whether something stands in a sheet: a program may begin every workbook with three of them.
fn has_cells<R: Read + io::Seek>(book: &mut Xlsx<R>, name: &str) -> bool {
    let Ok(mut reader) = book.worksheet_cells_reader(name) else { return false };
    let mut cells = std::iter::from_fn(|| reader.next_cell().ok().flatten());
    cells.any(|cell| !matches!(cell.get_value(), DataRef::Empty))
}

/// The merged areas of a sheet, the first one last.
fn merged_areas<R: Read + io::Seek>(book: &mut Xlsx<R>, name: &str) -> Result<Vec<MergedArea>, WorkbookError> {
    let areas = book.merge_cells_by_sheet_name(name)?;
    if areas.len() > MAX_MERGED {
        return Err(WorkbookError::TooLarge(format!("it has {} merged areas", count(areas.len() as u64))));
    }
    let area = |area: &calamine::Dimensions| MergedArea {
        rows: (area.start.0, area.end.0),
        columns: (area.start.1, area.end.1),
    };
    let mut areas: Vec<MergedArea> = areas.iter().map(area).collect();
    areas.sort_unstable_by_key(|area| std::cmp::Reverse(area.rows.0));
    Ok(areas)
}

/// A row while its cells come in.
#[derive(Default)]
struct RowBuilder {
    text: String,
    cells: Vec<StoredCell>,
}

impl RowBuilder {
    fn take(&mut self, row: u32) -> Option<StoredRow> {
        let is_empty = self.cells.is_empty();
        let stored = StoredRow {
            number: row.saturating_add(1),
            text: self.text.as_str().into(),
            cells: self.cells.as_slice().into(),
        };
        self.text.clear();
        self.cells.clear();
        (!is_empty).then_some(stored)
    }
}

fn read_rows<R: Read + io::Seek>(book: &mut Xlsx<R>, name: &str) -> Result<Vec<StoredRow>, WorkbookError> {
    let mut reader = book.worksheet_cells_reader(name)?;
    let (mut rows, mut builder, mut at) = (Vec::new(), RowBuilder::default(), 0);
    let (mut cells, mut bytes) = (0, 0);
    while let Some(cell) = reader.next_cell_with_formula_metadata()? {
        let (row, column) = cell.pos;
        if row != at {
            rows.extend(builder.take(at));
            at = row;
        }
        let (text, flaw) = text_of(&cell.value, cell.formula.is_some());
        if text.is_empty() && flaw.is_none() {
            continue;
        }
        let column = u16::try_from(column).ok().filter(|column| u32::from(*column) < MAX_COLUMNS);
        let column = column.ok_or_else(|| WorkbookError::Damaged("a cell beyond the last column".to_owned()))?;
        builder.text.push_str(&text);
        let end = u32::try_from(builder.text.len()).unwrap_or(u32::MAX);
        builder.cells.push(StoredCell { column, flaw, end });
        (cells, bytes) = (cells + 1, bytes + text.len());
        if cells > MAX_CELLS || bytes > MAX_TEXT || rows.len() > MAX_ROWS {
            let mut what = format!("the sheet {name} has more than ");
            let _ = match (cells > MAX_CELLS, bytes > MAX_TEXT) {
                (true, _) => write!(what, "{} cells", count(MAX_CELLS as u64)),
                (_, true) => write!(what, "{} MiB of text", MAX_TEXT >> 20),
                _ => write!(what, "{} rows", count(MAX_ROWS as u64)),
            };
            return Err(WorkbookError::TooLarge(what));
        }
    }
    rows.extend(builder.take(at));
    Ok(rows)
}

/// A cell as a sheet names it, such as `B7`: the row from 1, the column from 0.
pub(crate) fn cell_name(row: u32, column: usize) -> String {
    let (mut letters, mut rest) = (Vec::new(), column + 1);
    while rest > 0 {
        letters.push(b'A' + ((rest - 1) % 26) as u8);
        rest = (rest - 1) / 26;
    }
    let letters: String = letters.iter().rev().map(|letter| char::from(*letter)).collect();
    format!("{letters}{row}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_the_names_that_a_sheet_gives_them() {
        for (row, column, name) in [(7, 1, "B7"), (1, 25, "Z1"), (2, 26, "AA2"), (9, 701, "ZZ9"), (3, 16_383, "XFD3")] {
            assert_eq!(cell_name(row, column), name);
        }
    }

    #[test]
    fn what_is_no_workbook_is_refused_by_what_it_is() {
        for (bytes, wanted) in [
            (&b"module,record,file\n"[..], "it is no workbook that can be read"),
            (&b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1rest"[..], "encrypted with a password"),
            (b"", "it is no workbook that can be read"),
        ] {
            let file = spool(&mut &*bytes).unwrap();
            let error = WorkbookSheet::open(file, None).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
