//! A row that is not sound, held so that a million of them fit into memory: its cells as one text.

use super::store::{RowStore, TextId};
use crate::checksum::ChecksumKind;
use crate::problem::ProblemCode;
use crate::upload::{RowKey, SourceKind};

/// A row that is not sound, with its cells as they were read, so that it can be written out and mended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeftOut {
    /// Physical line, from 1.
    pub line: u32,
    /// Which row, from 1.
    pub row: u32,
    /// Which row this is, for the results.
    pub key: RowKey,
    /// Its first error.
    code: ProblemCode,
    /// What that error says; `None` where there were so many that it was not kept.
    message: Option<Box<str>>,
    /// The named cells and then the carried ones, with a NUL between each two: no text of a manifest has one.
    cells: Box<str>,
}

/// The cells of a row that is not sound. Each is empty where the row has none, or could not be taken apart.
#[derive(Clone, Copy, Default, Debug)]
pub struct LeftOutCells<'a> {
    /// The cell of that name.
    pub module: &'a str,
    /// The cell of that name.
    pub record: &'a str,
    /// The cell `key`: what the old system calls the record.
    pub record_key: &'a str,
    /// The cell of that name.
    pub file: &'a str,
    /// The cell of that name; without a password.
    pub url: &'a str,
    /// The cell of that name.
    pub name: &'a str,
    /// The cell of that name.
    pub sha256: &'a str,
    /// The cell of that name.
    pub md5: &'a str,
}

/// How many cells have names.
const NAMED: usize = 8;

impl LeftOut {
    /// A row whose error is still to be found.
    pub fn new<'a>(
        line: u32,
        row: u32,
        key: RowKey,
        named: &LeftOutCells<'_>,
        carried: impl Iterator<Item = &'a str>,
    ) -> LeftOut {
        let LeftOutCells { module, record, record_key, file, url, name, sha256, md5 } = named;
        let mut cells = [*module, record, record_key, file, url, name, sha256, md5].join("\0");
        for cell in carried {
            cells.push('\0');
            cells.push_str(cell);
        }
        let cells = cells.into_boxed_str();
        LeftOut { line, row, key, code: ProblemCode::Tolerated, message: None, cells }
    }

    /// Says what is wrong with it.
    pub fn set_error(&mut self, code: ProblemCode, message: Option<&str>) {
        self.code = code;
        self.message = message.map(Box::from);
    }

    /// Its first error.
    pub fn code(&self) -> ProblemCode {
        self.code
    }

    /// What its first error says; where that was not kept, what its code means.
    pub fn message(&self) -> &str {
        self.message.as_deref().unwrap_or_else(|| self.code.title())
    }

    /// The named cells.
    pub fn cells(&self) -> LeftOutCells<'_> {
        let mut cells = self.cells.splitn(NAMED + 1, '\0');
        let mut next = || cells.next().unwrap_or_default();
        LeftOutCells {
            module: next(),
            record: next(),
            record_key: next(),
            file: next(),
            url: next(),
            name: next(),
            sha256: next(),
            md5: next(),
        }
    }

    /// So many carried cells. A row may come before the columns that later ones add; those of it are empty.
    pub fn carried(&self, columns: usize) -> impl Iterator<Item = &str> {
        self.cells.split('\0').skip(NAMED).chain(std::iter::repeat("")).take(columns)
    }
}

impl RowStore {
    /// A complete row as one that is not sound, its cells as they were; `modules` are the names of the modules.
    pub(super) fn left_out(&self, modules: &[Box<str>], ix: usize, number: u32) -> LeftOut {
        let source = self.source_text(ix);
        let (file, url) = match self.source(ix).kind {
            SourceKind::File => (source, ""),
            SourceKind::Link => ("", source),
        };
        let (given, checksums) = (self.rests[ix].name, self.checksums_of(ix));
        // As the cells were: a row has one of the two.
        let record = if self.record_key(ix).is_empty() { self.records[ix].to_string() } else { String::new() };
        let cells = LeftOutCells {
            module: modules.get(usize::from(self.rests[ix].module)).map_or("", |name| name),
            record: &record,
            record_key: self.record_key(ix),
            file,
            url,
            name: if given == TextId::NONE { "" } else { self.texts.get(given) },
            sha256: &checksums.hex(ChecksumKind::Sha256),
            md5: &checksums.hex(ChecksumKind::Md5),
        };
        LeftOut::new(self.rests[ix].line, number, self.key(modules, ix, 1), &cells, self.carried.row(ix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_back_as_they_were() {
        let named = LeftOutCells { module: "Lead", file: "a b.pdf", md5: "x", ..LeftOutCells::default() };
        let mut row = LeftOut::new(2, 1, RowKey(7), &named, ["", "b"].into_iter());
        let cells = row.cells();
        assert_eq!((cells.module, cells.record, cells.file, cells.md5), ("Lead", "", "a b.pdf", "x"));
        assert_eq!(row.carried(3).collect::<Vec<_>>(), ["", "b", ""]);
        assert_eq!(LeftOut::new(2, 1, RowKey(7), &named, [].into_iter()).carried(1).collect::<Vec<_>>(), [""]);
        row.set_error(ProblemCode::FileMissing, None);
        assert_eq!(row.message(), ProblemCode::FileMissing.title());
    }
}
