//! Reads a CSV or YAML manifest into rows with their places; judges nothing that stands in them.
//!
//! | to change | open |
//! | --- | --- |
//! | encodings, byte order marks, what is not text | `decode.rs` |
//! | how large a manifest, a cell, a header may be | `limits.rs` |
//! | which columns there may be | `header.rs` |
//! | headings of real exports (`columns`) | `headings.rs` |
//! | what a row is to the check | `row.rs` |
//! | what is said of the file as a whole | `reader.rs` |
//! | showing lines of the file again | `excerpt.rs` |
//! | `#N/A` and its like | `spreadsheet_errors.rs` |
//! | everything about CSV: delimiter, header, rows, quotes | `csv/` |
//! | everything about YAML: head, schema, rows | `yaml/` |
//! | workbooks | `xlsx/` |

mod csv;
mod decode;
mod excerpt;
mod header;
mod headings;
mod limits;
mod reader;
mod row;
mod spreadsheet_errors;
mod xlsx;
mod yaml;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use encoding_rs::Encoding;
use serde::Serialize;

pub(crate) use self::csv::{CsvRow, CsvSheet, SheetBounds, SheetCutOff};
pub use self::headings::{HeadingRule, HeadingRules};
pub(crate) use self::limits::CELL_LIMIT;
pub(crate) use self::reader::ManifestReader;
pub(crate) use self::row::{Field, RawRow};
pub(crate) use self::spreadsheet_errors::is_spreadsheet_error;
pub use self::xlsx::WorkbookError;
#[cfg(test)]
pub(crate) use self::xlsx::testing as xlsx_testing;
pub(crate) use self::xlsx::{CellFlaw, MAX_SHEET_ROWS, WorkbookSheet, cell_name, spool};
pub use self::yaml::schema;

use self::csv::{CsvRows, ManifestLines};
use self::decode::Decoder;
use self::limits::MAX_BYTES;
use self::reader::{RowReader, Tolerance};
use self::xlsx::WorkbookRows;
use self::yaml::{LateKey, YamlDocument};
use crate::problem::ProblemList;
use crate::text::system_words;
use crate::upload::FileFacts;

/// How a manifest is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ManifestFormat {
    /// A header and rows of cells.
    Csv,
    /// `version`, perhaps `defaults`, and a list of `uploads`.
    Yaml,
    /// A sheet of a workbook with a header and rows of cells.
    Xlsx,
}

impl fmt::Display for ManifestFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ManifestFormat::Csv => "CSV",
            ManifestFormat::Yaml => "YAML",
            ManifestFormat::Xlsx => "XLSX",
        })
    }
}

/// Where a manifest comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A file.
    Path(PathBuf),
    /// Standard input; its paths belong to the current folder.
    Stdin,
}

impl Input {
    /// Whether it surely is no file, such as a pipe; a folder is told as one when it is opened.
    pub fn is_stream(&self) -> bool {
        match self {
            Input::Stdin => true,
            Input::Path(path) => path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()),
        }
    }
}

/// What the user said about how to read it.
#[derive(Clone, Default, Debug)]
pub struct ReadOptions {
    /// `--format`; otherwise the extension says it.
    pub format: Option<ManifestFormat>,
    /// `--encoding`; a byte order mark in the file is believed over it.
    pub encoding: Option<&'static Encoding>,
    /// `--root`: the folder that paths are relative to and may not leave.
    pub root: Option<PathBuf>,
    /// `--sheet`: the sheet of a workbook; otherwise the first one.
    pub sheet: Option<String>,
    /// `--column` and `--ignore-columns`: what headings mean.
    pub headings: HeadingRules,
}

/// A manifest that is open and not yet read.
pub struct Manifest {
    info: ManifestInfo,
    source: ManifestSource,
    /// Held to find out whether the file changed while it was read; absent for pipes.
    file: Option<(File, FileFacts)>,
    tab_only: bool,
    encoding: Option<&'static Encoding>,
    root_is_given: bool,
    headings: HeadingRules,
    /// Keys of the head that stand behind the rows of a YAML manifest, with their lines.
    late_keys: Vec<(LateKey, u32)>,
}

/// What a manifest is read from.
enum ManifestSource {
    /// Text, read as it comes.
    Text(Box<dyn Read>),
    /// A sheet, which has been read.
    Sheet(Box<WorkbookSheet>),
}

/// What is known of the file as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ManifestInfo {
    /// Its path as given; `-` for standard input.
    pub path: PathBuf,
    /// Of its bytes, in hexadecimal; empty until all are read.
    pub sha256: String,
    /// How it is written.
    pub format: ManifestFormat,
    /// What separates the cells of a CSV manifest.
    pub delimiter: Option<char>,
    /// The sheet of a workbook that was read.
    pub sheet: Option<String>,
    /// The name of its encoding, such as `UTF-8`.
    pub encoding: &'static str,
    /// The folder that its paths are relative to, resolved; what they may not leave.
    pub base: PathBuf,
}

/// Why a manifest cannot be opened: a mistake in the command, not in the manifest.
#[derive(Debug)]
pub enum ManifestError {
    /// The file is missing, forbidden, or otherwise not to be had.
    Unreadable(PathBuf, io::Error),
    /// A folder.
    Folder(PathBuf),
    /// It has so many bytes, which is more than [`MAX_BYTES`].
    TooLarge(PathBuf, u64),
    /// It is no workbook that can be read, or has no such sheet.
    Workbook(PathBuf, WorkbookError),
    /// `--sheet` is given, and it is no workbook.
    NoSheets(PathBuf),
    /// The extension says nothing, and neither does `--format`.
    UnknownFormat(PathBuf),
    /// Standard input has no extension.
    StdinFormat,
    /// `--root` names no folder, or the folder of the manifest cannot be resolved.
    Base(PathBuf, io::Error),
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ManifestError::Unreadable(path, error) => {
                write!(f, "cannot read the manifest {}: {}", path.display(), system_words(error))
            }
            ManifestError::Folder(path) => {
                write!(f, "{} is a folder; name the CSV or YAML manifest itself", path.display())
            }
            ManifestError::TooLarge(path, bytes) => write!(
                f,
                "{} has {}, and a manifest may have {} GiB; check that this is the right file, or split it into several, \
                 each with its own header and its own results file",
                path.display(),
                crate::units::size(*bytes),
                MAX_BYTES >> 30
            ),
            ManifestError::Workbook(path, error) => write!(f, "cannot read the manifest {}: {error}", path.display()),
            ManifestError::NoSheets(path) => {
                write!(f, "{} is no workbook and has no sheets", path.display())
            }
            ManifestError::UnknownFormat(path) if is_other_sheet(path) => write!(
                f,
                "{} is of a kind that is not read here; in the program that made it, save it as .xlsx or as CSV UTF-8",
                path.display()
            ),
            ManifestError::UnknownFormat(path) => write!(
                f,
                "cannot tell how {} is written; a manifest ends in .csv, .tsv, .xlsx, .yaml or .yml",
                path.display()
            ),
            ManifestError::StdinFormat => f.write_str("nothing says how the manifest on standard input is written"),
            ManifestError::Base(path, error) => {
                write!(f, "cannot use {} as the folder of the files: {}", path.display(), system_words(error))
            }
        }
    }
}

impl std::error::Error for ManifestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ManifestError::Unreadable(_, error) | ManifestError::Base(_, error) => Some(error),
            ManifestError::Folder(_)
            | ManifestError::TooLarge(..)
            | ManifestError::Workbook(..)
            | ManifestError::NoSheets(_)
            | ManifestError::UnknownFormat(_)
            | ManifestError::StdinFormat => None,
        }
    }
}

impl Manifest {
    /// Reads the head; what is wrong with it is reported, and the rows that can be read come nevertheless.
    pub(crate) fn read(self, problems: &mut ProblemList) -> ManifestReader {
        let mut tolerance = Tolerance::default();
        let is_yaml = self.info.format == ManifestFormat::Yaml;
        let rows = match self.source {
            ManifestSource::Sheet(sheet) => {
                RowReader::Workbook(Box::new(WorkbookRows::open(*sheet, &self.headings, problems)))
            }
            ManifestSource::Text(source) => {
                let decoder = Decoder::new(source, self.encoding, is_yaml).with_limit(MAX_BYTES);
                if is_yaml {
                    RowReader::Yaml(Box::new(YamlDocument::open(decoder, self.headings, &self.late_keys, problems)))
                } else {
                    let lines = ManifestLines::new(decoder);
                    RowReader::Csv(Box::new(CsvRows::open(
                        lines,
                        self.tab_only,
                        &self.headings,
                        &mut tolerance,
                        problems,
                    )))
                }
            }
        };
        let mut reader = ManifestReader { info: self.info, file: self.file, rows, tolerance };
        if !self.root_is_given {
            reader.enter_root(problems);
        }
        reader
    }

    /// Whether it can be read again: a run needs that, a dry run does not.
    pub fn is_repeatable(&self) -> bool {
        self.file.is_some()
    }

    /// What is known before it is read.
    pub fn info(&self) -> &ManifestInfo {
        &self.info
    }
}

/// Opens a manifest; reads nothing of it yet.
///
/// # Errors
///
/// When it cannot be opened at all or nothing says how it is written. What is wrong inside it is found by the check.
pub fn open(input: &Input, options: &ReadOptions) -> Result<Manifest, ManifestError> {
    let (path, opened, format, tab_only) = match input {
        Input::Stdin => (PathBuf::from("-"), None, options.format.ok_or(ManifestError::StdinFormat)?, false),
        Input::Path(path) => {
            let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
            let (format, tab_only) = match (options.format, extension.as_deref()) {
                (None | Some(ManifestFormat::Csv), Some("tsv")) => (ManifestFormat::Csv, true),
                (Some(format), _) => (format, false),
                (None, Some("csv")) => (ManifestFormat::Csv, false),
                // With macros or without: the sheets are the same.
                (None, Some("xlsx" | "xlsm")) => (ManifestFormat::Xlsx, false),
                (None, Some("yaml" | "yml")) => (ManifestFormat::Yaml, false),
                (None, _) => {
                    // A path that leads nowhere is the likelier mistake, so it is named first.
                    open_file(path)?;
                    return Err(ManifestError::UnknownFormat(path.clone()));
                }
            };
            (path.clone(), Some(open_file(path)?), format, tab_only)
        }
    };
    let base = options.root.clone().unwrap_or_else(|| folder_of(input));
    let base = resolve_folder(&base).map_err(|error| ManifestError::Base(base, error))?;
    if options.sheet.is_some() && format != ManifestFormat::Xlsx {
        return Err(ManifestError::NoSheets(path));
    }
    let (text, file): (Box<dyn Read>, _) = match opened {
        None => (Box::new(io::stdin()), None),
        Some((file, None)) => (Box::new(file), None),
        Some((file, Some(facts))) => {
            let again = file.try_clone().map_err(|error| ManifestError::Unreadable(path.clone(), error))?;
            (Box::new(file), Some((again, facts)))
        }
    };
    let late_keys = match (input, format) {
        // What cannot be read once more is found while it is read.
        (Input::Path(path), ManifestFormat::Yaml) if file.is_some() => yaml::late_keys(path).unwrap_or_default(),
        _ => Vec::new(),
    };
    let (source, sha256, sheet) = match format {
        ManifestFormat::Csv | ManifestFormat::Yaml => (ManifestSource::Text(text), String::new(), None),
        ManifestFormat::Xlsx => {
            let file = file.as_ref().map(|(file, _)| file);
            let (sheet, sha256) = read_sheet(text, file, options.sheet.as_deref())
                .map_err(|error| ManifestError::Workbook(path.clone(), error))?;
            let name = sheet.name().to_owned();
            (ManifestSource::Sheet(Box::new(sheet)), sha256, Some(name))
        }
    };
    Ok(Manifest {
        info: ManifestInfo {
            path,
            sha256,
            format,
            delimiter: None,
            sheet,
            encoding: options.encoding.unwrap_or(encoding_rs::UTF_8).name(),
            base,
        },
        source,
        file,
        tab_only,
        encoding: options.encoding,
        root_is_given: options.root.is_some(),
        headings: options.headings.clone(),
        late_keys,
    })
}

/// Reads a sheet whole, and the hash of the file. `file` is absent for a pipe, which is laid down first.
fn read_sheet(
    mut text: Box<dyn Read>,
    file: Option<&File>,
    sheet: Option<&str>,
) -> Result<(WorkbookSheet, String), WorkbookError> {
    let file = match file {
        Some(file) => file.try_clone(),
        None => spool(&mut text),
    }
    .map_err(WorkbookError::Io)?;
    let sha256 = decode::digest_of(&file).map_err(WorkbookError::Io)?;
    Ok((WorkbookSheet::open(file, sheet)?, sha256))
}

/// Whether a file is a sheet of a kind that is not read here.
fn is_other_sheet(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    matches!(extension.as_deref(), Some("xls" | "xlsb" | "ods" | "numbers" | "gsheet"))
}

/// The file and, unless it is a pipe, what it was like when it was opened.
fn open_file(path: &Path) -> Result<(File, Option<FileFacts>), ManifestError> {
    let unreadable = |error| ManifestError::Unreadable(path.to_owned(), error);
    // Windows opens no folder, and says only that it may not be opened.
    if path.is_dir() {
        return Err(ManifestError::Folder(path.to_owned()));
    }
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_file() && metadata.len() > MAX_BYTES {
        return Err(ManifestError::TooLarge(path.to_owned(), metadata.len()));
    }
    let facts = metadata.is_file().then(|| FileFacts::of_open(&file, &metadata)).transpose().map_err(unreadable)?;
    Ok((file, facts))
}

fn folder_of(input: &Input) -> PathBuf {
    match input {
        Input::Path(path) => match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        },
        Input::Stdin => PathBuf::from("."),
    }
}

fn resolve_folder(folder: &Path) -> io::Result<PathBuf> {
    let resolved = folder.canonicalize()?;
    if resolved.is_dir() { Ok(resolved) } else { Err(io::Error::from(io::ErrorKind::NotADirectory)) }
}

#[cfg(test)]
mod tests;
