//! How large a manifest and its parts may be, whatever its format, and what is said of what is larger.
//!
//! The limits keep a file that is no manifest (an export with whole documents in its cells, a quote that is never closed)
//! from costing memory and hours; none of them is near what a real manifest has.

use crate::problem::{Place, Problem, ProblemCode};
use crate::units::count;

/// A manifest may not have more bytes than this. Rows of 100 to 150 bytes, as exports write them, make seven to ten million
/// in it, which is the work of weeks for one organisation; what is larger was most likely not meant to be a manifest.
pub(crate) const MAX_BYTES: u64 = 1 << 30;

/// A cell may not be longer than this, in bytes.
pub(crate) const CELL_LIMIT: usize = 64 * 1024;

/// More carried columns than this are not wanted.
pub(crate) const MAX_CARRIED: usize = 1_000;

/// More columns than this are no table. The widest sheet of a spreadsheet has as many, and saved as CSV it may show them
/// all.
pub(crate) const MAX_COLUMNS: usize = 16_384;

/// Too many columns are to be carried.
pub(crate) fn too_many(place: Place) -> Problem {
    Problem::new(
        ProblemCode::TooManyColumns,
        format!("more than {MAX_CARRIED} columns are to be carried"),
        "keep only those that the results need",
    )
    .at(place)
}

/// A header of so many columns.
pub(crate) fn too_wide(columns: usize, line: u32) -> Problem {
    Problem::new(
        ProblemCode::TooManyColumns,
        format!("the header has {columns} columns; {MAX_COLUMNS} are allowed"),
        "keep only the columns that are needed",
    )
    .on_line(line)
}

/// A cell of so many bytes.
pub(crate) fn cell_too_large(bytes: usize) -> Problem {
    Problem::new(
        ProblemCode::CellTooLarge,
        format!("a value of {} bytes; {} are allowed", count(bytes), count(CELL_LIMIT)),
        "look at the quotes around this line, or shorten the value",
    )
}
