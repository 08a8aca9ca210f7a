//! CSV: cuts a file into rows, finds the delimiter, understands the header, and gives the rows of a manifest or of any
//! other table.
//!
//! | to change | open |
//! | --- | --- |
//! | how the delimiter is found | `delimiter.rs` |
//! | where a row ends, broken quoting | `quotes.rs`, `lines.rs` |
//! | taking a row apart | `cells.rs` |
//! | the rows of a manifest | `rows.rs` |
//! | tables that are no manifest | `sheet.rs` |

mod cells;
mod delimiter;
mod lines;
mod quotes;
mod rows;
mod sheet;

#[cfg(test)]
pub(super) use self::delimiter::DELIMITERS;
pub(super) use self::lines::ManifestLines;
pub(super) use self::rows::CsvRows;
pub(crate) use self::sheet::{CsvRow, CsvSheet, SheetBounds, SheetCutOff};
