//! The table as a CSV. It begins with a byte order mark, without which spreadsheets read names in other scripts wrongly.

use std::borrow::Cow;
use std::io::{self, Write};

use super::MendWriter;

/// What is put in front of a cell that begins like a formula, by column: something that the cell means the same with, where
/// there is such a thing.
const FRONTS: [(&str, &str); 2] = [("file", "./"), ("name", " ")];

/// A CSV while its rows come in.
pub(super) struct CsvFile<W: Write> {
    out: csv::Writer<W>,
    /// For each column what makes a formula harmless; empty before the header.
    fronts: Vec<&'static str>,
}

impl<W: Write> CsvFile<W> {
    pub(super) fn begin(mut out: W, delimiter: char) -> io::Result<CsvFile<W>> {
        out.write_all("\u{feff}".as_bytes())?;
        let delimiter = u8::try_from(delimiter).unwrap_or(b',');
        let out = csv::WriterBuilder::new().delimiter(delimiter).terminator(csv::Terminator::CRLF).from_writer(out);
        Ok(CsvFile { out, fronts: Vec::new() })
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> MendWriter for CsvFile<W> {
    fn row(&mut self, cells: &[Cow<'_, str>]) -> io::Result<()> {
        if self.fronts.is_empty() {
            let front =
                |name: &Cow<'_, str>| FRONTS.iter().find(|(column, _)| column == name).map_or("'", |(_, front)| front);
            self.fronts = cells.iter().map(front).collect();
            return Ok(self.out.write_record(cells.iter().map(AsRef::as_ref))?);
        }
        let safe = cells.iter().zip(&self.fronts).map(|(cell, front)| no_formula(cell, front));
        for cell in safe {
            self.out.write_field(cell.as_ref())?;
        }
        Ok(self.out.write_record(None::<&[u8]>)?)
    }
}

/// The cell as no spreadsheet takes it for a formula, whichever of comma and semicolon it splits lines at. What is put in
/// front of one that begins like a formula is `front`: something that the cell means the same with, where there is such a
/// thing. Behind a semicolon it is an apostrophe, which spreadsheets show and a manifest takes as it stands.
fn no_formula<'c>(cell: &'c str, front: &str) -> Cow<'c, str> {
    let begins = |text: &str| text.trim_start_matches(['"', ' ']).starts_with(begins_a_formula);
    if !cell.split(';').any(begins) {
        return Cow::Borrowed(cell);
    }
    let mut safe = String::with_capacity(cell.len() + 2);
    for (at, part) in cell.split(';').enumerate() {
        if at > 0 {
            safe.push(';');
        }
        if begins(part) {
            safe.push_str(if at == 0 { front } else { "'" });
        }
        safe.push_str(part);
    }
    Cow::Owned(safe)
}

fn begins_a_formula(character: char) -> bool {
    matches!(character, '=' | '+' | '-' | '@' | '\t' | '\r' | '＝' | '＋' | '－' | '＠')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_wherever_a_spreadsheet_splits_the_line() {
        for (cell, front, safe) in [
            ("=cmd|' /C calc'!A0", "'", "'=cmd|' /C calc'!A0"),
            ("=1.pdf", "./", "./=1.pdf"),
            ("-5 degrees.pdf", " ", " -5 degrees.pdf"),
            ("a;=1+1;b", "./", "a;'=1+1;b"),
            ("＝1", "'", "'＝1"),
            ("a; ＠x", "'", "a;' ＠x"),
            ("\t=1", "'", "'\t=1"),
            ("a=b;c-d", "'", "a=b;c-d"),
            ("", "'", ""),
        ] {
            assert_eq!(no_formula(cell, front), safe);
        }
    }
}
