//! Workbooks: one sheet of an .xlsx file as rows of text, with what is odd about single cells.
//!
//! | to change | open |
//! | --- | --- |
//! | how large a workbook may be, which sheet is read | `workbook.rs` |
//! | what the text of a cell is, what is odd about it | `cell.rs` |
//! | which rows are hidden | `hidden.rs` |
//! | the rows of a manifest | `rows.rs` |
//!
//! A sheet is read whole, since its texts stand together in another part of the file. What is beyond the bounds here is a
//! matter for CSV, which is read row by row and may have any number of rows.

mod cell;
mod hidden;
mod rows;
#[cfg(test)]
pub(crate) mod testing;
mod workbook;

pub(crate) use self::cell::CellFlaw;
pub(super) use self::rows::WorkbookRows;
pub use self::workbook::WorkbookError;
pub(crate) use self::workbook::{MAX_ROWS as MAX_SHEET_ROWS, WorkbookSheet, cell_name, spool};
