//! One row as it stands in the file: its cells and their places, whatever the format.

use std::fmt;

use crate::problem::Place;

/// The columns that have a meaning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Field {
    Module,
    Record,
    Key,
    File,
    Url,
    Name,
    Sha256,
    Md5,
}

impl Field {
    pub(crate) const ALL: [Field; 8] =
        [Field::Module, Field::Record, Field::Key, Field::File, Field::Url, Field::Name, Field::Sha256, Field::Md5];

    /// As the column or key is called.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Field::Module => "module",
            Field::Record => "record",
            Field::Key => "key",
            Field::File => "file",
            Field::Url => "url",
            Field::Name => "name",
            Field::Sha256 => "sha256",
            Field::Md5 => "md5",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Field> {
        Field::ALL.into_iter().find(|field| field.as_str() == name)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a column of this name is carried into the results: `note`, or `x_` with something behind it.
pub(super) fn is_carried(name: &str) -> bool {
    name == "note" || name.strip_prefix("x_").is_some_and(|rest| !rest.is_empty())
}

/// Where a cell is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum CellPlace {
    /// It does not stand in the file.
    #[default]
    Nowhere,
    /// At this byte of a CSV row; line and column are worked out when somebody asks.
    Byte(u32),
    Known(Place),
}

#[derive(Clone, Copy, Default, Debug)]
struct Cell {
    start: u32,
    end: u32,
    at: CellPlace,
    inherited: bool,
    refused: bool,
}

/// A row; made once and filled again and again.
#[derive(Default, Debug)]
pub(crate) struct RawRow {
    /// From 1, blank ones not counted; 0 for the defaults of a YAML manifest.
    pub(crate) number: u32,
    /// The physical line on which it begins.
    pub(crate) line: u32,
    /// Whether the reader reported an error in it, so that it cannot be sent whatever its cells say.
    pub(crate) broken: bool,
    /// All cells one behind the other.
    text: String,
    cells: [Cell; Field::ALL.len()],
    carried: Vec<Cell>,
    /// A CSV row as it stands in the file.
    raw: String,
}

impl RawRow {
    /// Empties it for the row that begins on this line.
    pub(super) fn begin(&mut self, line: u32) {
        self.number = 0;
        self.line = line;
        self.broken = false;
        self.text.clear();
        self.cells = [Cell::default(); Field::ALL.len()];
        self.carried.clear();
        self.raw.clear();
    }

    /// Takes everything back but that it is there: what it says means nothing.
    pub(super) fn discard(&mut self) {
        let (number, line) = (self.number, self.line);
        self.begin(line);
        self.number = number;
        self.broken = true;
    }

    /// Notes how a CSV row stands in the file, so that the places of its cells can be told.
    pub(super) fn set_raw(&mut self, raw: &str) {
        self.raw.push_str(raw);
    }

    /// Sets a cell of a CSV row that begins at this byte of it.
    pub(super) fn set_cell(&mut self, field: Field, text: &str, start: usize) {
        let at = u32::try_from(start).map_or(CellPlace::Nowhere, CellPlace::Byte);
        self.cells[field as usize] = self.add(text, at);
    }

    pub(super) fn set_value(&mut self, field: Field, text: &str, place: Place) {
        self.cells[field as usize] = self.add(text, CellPlace::Known(place));
    }

    /// Takes a value from the defaults.
    pub(super) fn inherit(&mut self, field: Field, text: &str, place: Place) {
        self.set_value(field, text, place);
        self.cells[field as usize].inherited = true;
    }

    /// Notes that there is something that is no text, which has been reported.
    pub(super) fn refuse(&mut self, field: Field) {
        self.cells[field as usize].refused = true;
    }

    pub(super) fn set_carried(&mut self, column: usize, text: &str) {
        if self.carried.len() <= column {
            self.carried.resize(column + 1, Cell::default());
        }
        self.carried[column] = self.add(text, CellPlace::Nowhere);
    }

    fn add(&mut self, text: &str, at: CellPlace) -> Cell {
        // A row has at most a few MiB, so 32 bits are enough.
        let start = self.text.len() as u32;
        self.text.push_str(text);
        Cell { start, end: self.text.len() as u32, at, ..Cell::default() }
    }

    fn text_of(&self, cell: Cell) -> &str {
        self.text.get(cell.start as usize..cell.end as usize).unwrap_or_default()
    }

    /// A cell; empty if it is not there.
    pub(crate) fn get(&self, field: Field) -> &str {
        self.text_of(self.cells[field as usize])
    }

    /// Whether the value comes from the defaults, where it has been judged already.
    pub(crate) fn is_inherited(&self, field: Field) -> bool {
        self.cells[field as usize].inherited
    }

    /// Whether the value has been reported for what it is, so that nothing more can be said of it.
    pub(crate) fn is_refused(&self, field: Field) -> bool {
        self.cells[field as usize].refused || (self.broken && self.get(field).contains('\u{FFFD}'))
    }

    /// The carried cells, as far as there are any.
    pub(crate) fn carried(&self) -> impl Iterator<Item = &str> {
        self.carried.iter().map(|cell| self.text_of(*cell))
    }

    /// Where a cell begins; of one that is not there, the line of the row.
    pub(crate) fn place(&self, field: Field) -> Place {
        match self.cells[field as usize].at {
            CellPlace::Known(place) => place,
            CellPlace::Byte(start) => self.place_of_byte(start as usize),
            CellPlace::Nowhere => Place { line: self.line, column: None },
        }
    }

    /// Where the CSV cell is that begins at this byte of the row.
    pub(super) fn place_of_byte(&self, start: usize) -> Place {
        place_after(self.line, self.raw.get(..start).unwrap_or_default())
    }

    /// Whether no cell holds anything but blanks.
    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

/// The place behind a text that begins a line.
pub(super) fn place_after(line: u32, text: &str) -> Place {
    let breaks = memchr::memchr_iter(b'\n', text.as_bytes()).count() as u32;
    let last_line = if breaks == 0 { text } else { text.rsplit('\n').next().unwrap_or_default() };
    // Asked of every row; nearly all are ASCII up to here.
    let chars = if last_line.is_ascii() { last_line.len() } else { last_line.chars().count() };
    Place { line: line.saturating_add(breaks), column: u32::try_from(chars + 1).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_and_lines() {
        let mut row = RawRow::default();
        row.begin(7);
        row.set_raw("é,b,c");
        row.set_cell(Field::Record, "b", 3);
        assert_eq!(row.place(Field::Record), Place { line: 7, column: Some(3) });
        assert_eq!(row.place(Field::Name), Place { line: 7, column: None });
        row.begin(7);
        row.set_raw("\"x\ny\",b");
        row.set_cell(Field::Record, "b", 6);
        assert_eq!(row.place(Field::Record), Place { line: 8, column: Some(4) });
    }
}
