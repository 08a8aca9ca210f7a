//! Reads a CSV or YAML manifest into rows with their places; judges nothing that stands in them.
//!
//! | to change | open |
//! | --- | --- |
//! | encodings, byte order marks, what is not text | `decode.rs` |
//! | where a CSV row ends, broken quoting | `quotes.rs`, `lines.rs` |
//! | the CSV header, the delimiter | `header.rs` |
//! | CSV rows | `table.rs` |
//! | what a row is to the check | `row.rs` |
//! | the head of a YAML manifest and its schema | `head.rs` |
//! | YAML rows | `document.rs` |
//! | showing lines of the file again | `excerpt.rs` |

mod decode;
mod document;
mod excerpt;
mod head;
mod header;
mod lines;
mod quotes;
mod row;
mod table;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use encoding_rs::Encoding;
use serde::Serialize;

pub use self::head::schema;
pub(crate) use self::row::{Field, RawRow};

use self::decode::Decoder;
use self::document::Document;
use self::lines::Lines;
use self::table::Table;
use crate::explain::ProblemCode;
use crate::problem::{Place, Problem};
use crate::upload::FileFacts;

/// How a manifest is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A header and rows of cells.
    Csv,
    /// `version`, perhaps `defaults`, and a list of `uploads`.
    Yaml,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Csv => "CSV",
            Format::Yaml => "YAML",
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

/// What the user said about how to read it.
#[derive(Clone, Default, Debug)]
pub struct Settings {
    /// `--format`; otherwise the extension says it.
    pub format: Option<Format>,
    /// `--encoding`; a byte order mark in the file is believed over it.
    pub encoding: Option<&'static Encoding>,
    /// `--root`: the folder that paths are relative to and may not leave.
    pub root: Option<PathBuf>,
}

/// A manifest that is open and not yet read.
pub struct Manifest {
    info: ManifestInfo,
    source: Box<dyn Read>,
    /// Held to find out whether the file changed while it was read; absent for pipes.
    file: Option<(File, FileFacts)>,
    tab_only: bool,
    encoding: Option<&'static Encoding>,
    root_is_given: bool,
}

/// What is known of the file as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ManifestInfo {
    /// Its path as given; `-` for standard input.
    pub path: PathBuf,
    /// Of its bytes, in hexadecimal; empty until all are read.
    pub sha256: String,
    /// How it is written.
    pub format: Format,
    /// What separates the cells of a CSV manifest.
    pub delimiter: Option<char>,
    /// The name of its encoding, such as `UTF-8`.
    pub encoding: &'static str,
    /// The folder that its paths are relative to, resolved; what they may not leave.
    pub base: PathBuf,
}

/// Why a manifest cannot be opened: a mistake in the command, not in the manifest.
#[derive(Debug)]
pub enum OpenError {
    /// The file is missing, forbidden, or otherwise not to be had.
    Unreadable(PathBuf, io::Error),
    /// A folder.
    Folder(PathBuf),
    /// The extension says nothing, and neither does `--format`.
    UnknownFormat(PathBuf),
    /// Standard input has no extension.
    StdinFormat,
    /// `--root` names no folder, or the folder of the manifest cannot be resolved.
    Base(PathBuf, io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Unreadable(path, error) => write!(f, "cannot read the manifest {}: {error}", path.display()),
            OpenError::Folder(path) => {
                write!(f, "{} is a folder; name the CSV or YAML manifest itself", path.display())
            }
            OpenError::UnknownFormat(path) => write!(
                f,
                "cannot tell how {} is written; a manifest ends in .csv, .tsv, .yaml or .yml, or say it with --format \
                 csv or --format yaml",
                path.display()
            ),
            OpenError::StdinFormat => f.write_str("for a manifest on standard input say --format csv or --format yaml"),
            OpenError::Base(path, error) => {
                write!(f, "cannot use {} as the folder of the files: {error}; --root names another", path.display())
            }
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OpenError::Unreadable(_, error) | OpenError::Base(_, error) => Some(error),
            OpenError::Folder(_) | OpenError::UnknownFormat(_) | OpenError::StdinFormat => None,
        }
    }
}

impl Manifest {
    /// Reads the head; what is wrong with it is reported, and the rows that can be read come nevertheless.
    pub(crate) fn read(self, problems: &mut Vec<Problem>) -> Reader {
        let decoder = Decoder::new(self.source, self.encoding, self.info.format == Format::Yaml);
        let mut tolerance = Tolerance::default();
        let rows = match self.info.format {
            Format::Csv => {
                Rows::Csv(Box::new(Table::open(Lines::new(decoder), self.tab_only, &mut tolerance, problems)))
            }
            Format::Yaml => Rows::Yaml(Box::new(Document::open(decoder, problems))),
        };
        let mut reader = Reader { info: self.info, file: self.file, rows, tolerance };
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
pub fn open(input: &Input, settings: &Settings) -> Result<Manifest, OpenError> {
    let (path, opened, format, tab_only) = match input {
        Input::Stdin => (PathBuf::from("-"), None, settings.format.ok_or(OpenError::StdinFormat)?, false),
        Input::Path(path) => {
            let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
            let (format, tab_only) = match (settings.format, extension.as_deref()) {
                (given, Some("tsv")) if given != Some(Format::Yaml) => (Format::Csv, true),
                (Some(format), _) => (format, false),
                (None, Some("csv")) => (Format::Csv, false),
                (None, Some("yaml" | "yml")) => (Format::Yaml, false),
                (None, _) => {
                    // A path that leads nowhere is the likelier mistake, so it is named first.
                    open_file(path)?;
                    return Err(OpenError::UnknownFormat(path.clone()));
                }
            };
            (path.clone(), Some(open_file(path)?), format, tab_only)
        }
    };
    let base = settings.root.clone().unwrap_or_else(|| folder_of(input));
    let base = resolve_folder(&base).map_err(|error| OpenError::Base(base, error))?;
    let (source, file): (Box<dyn Read>, _) = match opened {
        None => (Box::new(io::stdin()), None),
        Some((file, None)) => (Box::new(file), None),
        Some((file, Some(facts))) => {
            let again = file.try_clone().map_err(|error| OpenError::Unreadable(path.clone(), error))?;
            (Box::new(file), Some((again, facts)))
        }
    };
    Ok(Manifest {
        info: ManifestInfo {
            path,
            sha256: String::new(),
            format,
            delimiter: None,
            encoding: settings.encoding.unwrap_or(encoding_rs::UTF_8).name(),
            base,
        },
        source,
        file,
        tab_only,
        encoding: settings.encoding,
        root_is_given: settings.root.is_some(),
    })
}

/// The file and, unless it is a pipe, what it was like when it was opened.
fn open_file(path: &Path) -> Result<(File, Option<FileFacts>), OpenError> {
    let unreadable = |error| OpenError::Unreadable(path.to_owned(), error);
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(OpenError::Folder(path.to_owned()));
    }
    Ok((file, metadata.is_file().then(|| FileFacts::of(&metadata))))
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

/// A manifest whose head has been read: gives its rows one by one.
pub(crate) struct Reader {
    info: ManifestInfo,
    file: Option<(File, FileFacts)>,
    rows: Rows,
    tolerance: Tolerance,
}

enum Rows {
    Csv(Box<Table>),
    Yaml(Box<Document>),
}

impl Reader {
    /// Fills the next row that is not blank; `false` at the end.
    pub(crate) fn next(&mut self, row: &mut RawRow, problems: &mut Vec<Problem>) -> bool {
        // Row numbers are 32 bits wide; a file with more rows is larger than the texts that can be held.
        match &mut self.rows {
            Rows::Csv(table) => table.next(row, &mut self.tolerance, problems),
            Rows::Yaml(document) => document.next(row, &mut self.tolerance, problems),
        }
    }

    /// The values that rows inherit, as a row of their own.
    pub(crate) fn defaults(&self) -> Option<RawRow> {
        match &self.rows {
            Rows::Csv(_) => None,
            Rows::Yaml(document) => document.defaults_row(),
        }
    }

    /// The custom modules that the manifest declares.
    pub(crate) fn custom_modules(&self) -> &[(String, Place)] {
        match &self.rows {
            Rows::Csv(_) => &[],
            Rows::Yaml(document) => &document.custom_modules,
        }
    }

    /// The carried columns that are known so far; a YAML row may add some.
    pub(crate) fn carried_columns(&self) -> &[String] {
        match &self.rows {
            Rows::Csv(table) => &table.header.carried,
            Rows::Yaml(document) => &document.carried,
        }
    }

    /// Whether the header was reported for lacking this column, so that rows need not repeat it.
    pub(crate) fn is_absent(&self, field: Field) -> bool {
        match &self.rows {
            Rows::Csv(table) => table::absent(&table.header, field),
            Rows::Yaml(_) => false,
        }
    }

    /// The folder that paths are relative to.
    pub(crate) fn base(&self) -> &Path {
        &self.info.base
    }

    /// How many rows came.
    pub(crate) fn count(&self) -> u32 {
        self.tolerance.rows
    }

    fn enter_root(&mut self, problems: &mut Vec<Problem>) {
        let Rows::Yaml(document) = &self.rows else { return };
        let Some((root, place)) = &document.root else { return };
        let trouble = match resolve_folder(&self.info.base.join(root)) {
            Ok(folder) if folder.starts_with(&self.info.base) => {
                self.info.base = folder;
                return;
            }
            Ok(_) => "it leads outside the folder of the manifest".to_owned(),
            Err(error) => error.to_string(),
        };
        problems.push(
            Problem::new(
                ProblemCode::RootUnusable,
                format!("root cannot be used: {trouble}"),
                "name a folder below the manifest's own, or any folder with --root DIR",
            )
            .at(*place)
            .about("root", root),
        );
    }

    /// Ends the reading: what can only be said of the whole file is reported now.
    pub(crate) fn finish(mut self, problems: &mut Vec<Problem>) -> ManifestInfo {
        problems.extend(self.tolerance.note());
        match self.rows {
            Rows::Csv(mut table) => {
                self.info.delimiter = Some(char::from(table.delimiter));
                let line = table.lines.line();
                close(&mut table.lines.decoder, line, self.file, &mut self.info, problems);
            }
            Rows::Yaml(document) => {
                let decoder = document.decoder();
                let mut decoder = decoder.borrow_mut();
                let line = decoder.line();
                close(&mut decoder, line, self.file, &mut self.info, problems);
            }
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
    problems: &mut Vec<Problem>,
) {
    info.sha256 = decoder.digest();
    info.encoding = decoder.encoding();
    if let Some(error) = decoder.error() {
        problems.push(
            Problem::new(
                ProblemCode::ReadFailed,
                format!("the manifest could not be read further: {error}"),
                "copy it to a local disk and start again",
            )
            .on_line(line),
        );
        return;
    }
    let Some((file, opened)) = file else { return };
    let now = file.metadata().map(|metadata| FileFacts::of(&metadata)).ok();
    if now != Some(opened) || decoder.bytes_read() != opened.size {
        problems.push(Problem::new(
            ProblemCode::ManifestChanged,
            "the manifest was changed while it was being read",
            "wait until nothing writes to it any more, and start again",
        ));
    }
}

/// Counts rows, and the small irregularities that change nothing.
#[derive(Default, Debug)]
struct Tolerance {
    rows: u32,
    blank_lines: u32,
    empty_rows: u32,
    short_rows: u32,
    unnamed_columns: bool,
    /// The last line has no end.
    unended: bool,
}

impl Tolerance {
    /// Counts a row and gives its number.
    fn count_row(&mut self) -> u32 {
        self.rows = self.rows.saturating_add(1);
        self.rows
    }

    /// One note for all of it.
    fn note(&self) -> Option<Problem> {
        let counted = |count: u32, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            _ => Some(format!("{count} {many}")),
        };
        let found: Vec<String> = [
            counted(self.blank_lines, "blank line", "blank lines"),
            counted(self.empty_rows, "row of empty cells", "rows of empty cells"),
            counted(self.short_rows, "row that ends early", "rows that end early"),
            self.unnamed_columns.then(|| "empty columns without a name at the end".to_owned()),
            self.unended.then(|| "a last line without an end".to_owned()),
        ]
        .into_iter()
        .flatten()
        .collect();
        let message = format!("read with tolerance: {}", found.join(", "));
        (!found.is_empty()).then(|| Problem::new(ProblemCode::Tolerated, message, ""))
    }
}

#[cfg(test)]
mod tests;
