//! A manifest of either format as rows, one by one, and what can only be said of the file when it ends.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::csv::CsvRows;
use super::decode::Decoder;
use super::row::{Field, RawRow};
use super::xlsx::WorkbookRows;
use super::yaml::YamlDocument;
use super::{ManifestInfo, resolve_folder};
use crate::path_text::PathHazard;
use crate::problem::remedies;
use crate::problem::{Place, Problem, ProblemCode, ProblemList};
use crate::text::{masked_excerpt, system_words};
use crate::units::counted;
use crate::upload::FileFacts;

/// A manifest whose head has been read: gives its rows one by one.
pub(crate) struct ManifestReader {
    pub(super) info: ManifestInfo,
    pub(super) file: Option<(File, FileFacts)>,
    pub(super) rows: RowReader,
    pub(super) tolerance: Tolerance,
}

pub(super) enum RowReader {
    Csv(Box<CsvRows>),
    Yaml(Box<YamlDocument>),
    Workbook(Box<WorkbookRows>),
}

impl ManifestReader {
    /// Fills the next row that is not blank; `false` at the end.
    pub(crate) fn next(&mut self, row: &mut RawRow, problems: &mut ProblemList) -> bool {
        // Row numbers are 32 bits wide; a file with more rows is larger than the texts that can be held.
        match &mut self.rows {
            RowReader::Csv(table) => table.next(row, &mut self.tolerance, problems),
            RowReader::Yaml(document) => document.next(row, &mut self.tolerance, problems),
            RowReader::Workbook(rows) => rows.next(row, &mut self.tolerance, problems),
        }
    }

    /// The values that rows inherit, as a row of their own.
    pub(crate) fn defaults(&self) -> Option<RawRow> {
        match &self.rows {
            RowReader::Csv(_) | RowReader::Workbook(_) => None,
            RowReader::Yaml(document) => document.defaults_row(),
        }
    }

    /// The custom modules that the manifest declares.
    pub(crate) fn custom_modules(&self) -> &[(String, Place)] {
        match &self.rows {
            RowReader::Csv(_) | RowReader::Workbook(_) => &[],
            RowReader::Yaml(document) => &document.custom_modules,
        }
    }

    /// The crosswalk files that the manifest names, as written.
    pub(crate) fn crosswalks(&self) -> &[(String, Place)] {
        match &self.rows {
            RowReader::Csv(_) | RowReader::Workbook(_) => &[],
            RowReader::Yaml(document) => &document.crosswalks,
        }
    }

    /// The carried columns that are known so far; a YAML row may add some.
    pub(crate) fn carried_columns(&self) -> &[String] {
        match &self.rows {
            RowReader::Csv(table) => &table.header.carried,
            RowReader::Yaml(document) => &document.carried,
            RowReader::Workbook(rows) => &rows.header.carried,
        }
    }

    /// Whether the header was reported for lacking this column, so that rows need not repeat it.
    pub(crate) fn is_absent(&self, field: Field) -> bool {
        match &self.rows {
            RowReader::Csv(table) => table.header.lacks(field),
            RowReader::Yaml(_) => false,
            RowReader::Workbook(rows) => rows.is_absent(field),
        }
    }

    /// The folder that the manifest lies in; the current one for standard input.
    pub(crate) fn own_folder(&self) -> PathBuf {
        super::folder_of(&match self.info.path.as_os_str() == "-" {
            true => super::Input::Stdin,
            false => super::Input::Path(self.info.path.clone()),
        })
    }

    /// The folder that paths are relative to.
    pub(crate) fn base(&self) -> &Path {
        &self.info.base
    }

    /// How many rows came.
    pub(crate) fn count(&self) -> u32 {
        self.tolerance.rows
    }

    /// Makes the folder that a YAML manifest names the one that its paths belong to.
    pub(super) fn enter_root(&mut self, problems: &mut ProblemList) {
        let RowReader::Yaml(document) = &self.rows else { return };
        let Some((root, place)) = &document.root else { return };
        let resolved = match PathHazard::of(root) {
            Some(hazard) => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it {hazard}"))),
            None => resolve_folder(&self.info.base.join(root)),
        };
        let trouble = match resolved {
            Ok(folder) if folder.starts_with(&self.info.base) => {
                self.info.base = folder;
                return;
            }
            Ok(_) => "it leads outside the folder of the manifest".to_owned(),
            Err(error) => system_words(&error),
        };
        problems.push(
            Problem::new(ProblemCode::RootUnusable, format!("root cannot be used: {trouble}"), remedies::NAME_ROOT)
                .at(*place)
                .about("root", root),
        );
    }

    /// Ends the reading: what can only be said of the whole file is reported now.
    pub(crate) fn finish(mut self, problems: &mut ProblemList) -> ManifestInfo {
        if let RowReader::Workbook(rows) = &self.rows {
            problems.extend(rows.conclude(&mut self.tolerance));
        }
        problems.extend(self.tolerance.note());
        match self.rows {
            RowReader::Csv(mut table) => {
                self.info.delimiter = Some(char::from(table.delimiter));
                let line = table.lines.line();
                close(&mut table.lines.decoder, line, self.file, &mut self.info, problems);
            }
            RowReader::Yaml(document) => {
                let text = document.text();
                let decoder = &mut text.borrow_mut().decoder;
                let line = decoder.line();
                close(decoder, line, self.file, &mut self.info, problems);
            }
            // It was read whole when it was opened.
            RowReader::Workbook(_) => problems.extend(changed(self.file, None)),
        }
        self.info
    }
}

/// Reports what ended the reading before the end of the file, and whether the file is still the one that was opened.
fn close(
    decoder: &mut Decoder,
    line: u32,
    file: Option<(File, FileFacts)>,
    info: &mut ManifestInfo,
    problems: &mut ProblemList,
) {
    info.sha256 = decoder.digest();
    info.encoding = decoder.encoding();
    if decoder.error().is_some_and(|error| error.kind() == io::ErrorKind::FileTooLarge) {
        problems.push(
            Problem::new(
                ProblemCode::ManifestTooLarge,
                format!("the manifest has more than {} GiB, and the rest was not read", super::limits::MAX_BYTES >> 30),
                "check that this is the right file, or split it; each part gets its own results file",
            )
            .on_line(line),
        );
        return;
    }
    if let Some(error) = decoder.error() {
        problems.push(
            Problem::new(
                ProblemCode::ReadFailed,
                format!("the manifest could not be read further: {}", system_words(error)),
                "copy it to a local disk and start again",
            )
            .on_line(line),
        );
        return;
    }
    problems.extend(changed(file, Some(decoder.bytes_read())));
}

/// Whether the file is another one than was opened, or other than so many bytes of it were read.
fn changed(file: Option<(File, FileFacts)>, bytes_read: Option<u64>) -> Option<Problem> {
    let (file, opened) = file?;
    let now = file.metadata().and_then(|metadata| FileFacts::of_open(&file, &metadata)).ok();
    let is_the_same = now == Some(opened) && bytes_read.is_none_or(|bytes| bytes == opened.size);
    let problem = || {
        Problem::new(
            ProblemCode::ManifestChanged,
            "the manifest was changed while it was being read",
            "wait until nothing writes to it any more, and start again",
        )
    };
    (!is_the_same).then(problem)
}

/// Counts rows, and the small irregularities that change nothing.
#[derive(Default, Debug)]
pub(super) struct Tolerance {
    pub(super) rows: u32,
    pub(super) blank_lines: u32,
    pub(super) empty_rows: u32,
    pub(super) short_rows: u32,
    pub(super) unnamed_columns: bool,
    /// Sheets of the workbook that are not read.
    pub(super) other_sheets: Vec<String>,
    /// The last line has no end.
    pub(super) unended: bool,
    /// The file ends with the mark that old programs put behind a text.
    pub(super) end_mark: bool,
}

impl Tolerance {
    /// Counts a row and gives its number.
    pub(super) fn count_row(&mut self) -> u32 {
        self.rows = self.rows.saturating_add(1);
        self.rows
    }

    /// One note for all of it.
    fn note(&self) -> Option<Problem> {
        let times = |count: u32, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            _ => Some(format!("{count} {many}")),
        };
        let found: Vec<String> = [
            times(self.blank_lines, "blank line", "blank lines"),
            times(self.empty_rows, "row of empty cells", "rows of empty cells"),
            times(self.short_rows, "row that ends early", "rows that end early"),
            self.unnamed_columns.then(|| "empty columns without a name at the end".to_owned()),
            (!self.other_sheets.is_empty()).then(|| self.sheets()),
            self.unended.then(|| "a last line without an end".to_owned()),
            self.end_mark.then(|| "an end mark (Ctrl-Z) behind the last line".to_owned()),
        ]
        .into_iter()
        .flatten()
        .collect();
        let message = format!("read with tolerance: {}", found.join(", "));
        (!found.is_empty()).then(|| Problem::new(ProblemCode::Tolerated, message, ""))
    }

    /// The sheets that are not read.
    fn sheets(&self) -> String {
        let named: Vec<String> = self.other_sheets.iter().take(3).map(|name| masked_excerpt(name)).collect();
        let more = match self.other_sheets.len() - named.len() {
            0 => String::new(),
            more => format!(" and {}", counted(more, "further sheet")),
        };
        let not_read = if self.other_sheets.len() == 1 { "a sheet that is" } else { "sheets that are" };
        format!("{not_read} not read ({}{more})", named.join(", "))
    }
}
