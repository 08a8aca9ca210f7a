//! The records that exist and what stands in their fields: a CSV with the columns `module` and `record`, every other
//! column being a field by its API name. Columns that begin with `$` are none: `$deleted_time`, `$deleted_by` and
//! `$deleted_type` make a line one of a record that is no more, `$converted` makes it a lead that became a contact.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};

use super::route::is_id;

/// All records of the organisation.
#[derive(Clone, Default, Debug)]
pub struct Records {
    modules: BTreeMap<String, ModuleRecords>,
}

/// The records of one module.
#[derive(Clone, Default, Debug)]
pub(super) struct ModuleRecords {
    /// The fields besides `id`, in the order of the columns.
    pub(super) fields: Vec<RecordField>,
    /// By id, the cells of these fields.
    pub(super) rows: BTreeMap<u64, Vec<Box<str>>>,
    /// The records that were deleted, in the order of the file.
    pub(super) deleted: Vec<DeletedEntry>,
    /// Those of `rows` that are leads which became contacts.
    pub(super) converted: BTreeSet<u64>,
}

/// A record that was deleted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct DeletedEntry {
    pub(super) id: u64,
    /// When, as the file has it.
    pub(super) time: String,
    /// The name of the user who did it; empty where the file names none.
    pub(super) by: String,
    /// Whether it has left the recycle bin.
    pub(super) is_permanent: bool,
}

/// Which columns of the file are no fields, besides module and record.
#[derive(Clone, Copy, Default)]
struct MarkColumns {
    deleted_time: Option<usize>,
    deleted_by: Option<usize>,
    deleted_type: Option<usize>,
    converted: Option<usize>,
}

impl MarkColumns {
    fn find(header: &StringRecord) -> Result<MarkColumns, String> {
        let mut marks = MarkColumns::default();
        for (at, heading) in header.iter().enumerate().filter(|(_, heading)| heading.starts_with('$')) {
            *match heading {
                "$deleted_time" => &mut marks.deleted_time,
                "$deleted_by" => &mut marks.deleted_by,
                "$deleted_type" => &mut marks.deleted_type,
                "$converted" => &mut marks.converted,
                other => {
                    const KNOWN: &str = "$deleted_time, $deleted_by, $deleted_type and $converted";
                    return Err(format!("\"{other}\" is no column that this server knows; they are {KNOWN}"));
                }
            } = Some(at);
        }
        Ok(marks)
    }

    /// What the line says of the end of its record; `None` where it still exists.
    fn deleted(self, row: &StringRecord, id: u64) -> Option<DeletedEntry> {
        let cell = |at: Option<usize>| at.and_then(|at| row.get(at)).unwrap_or_default().to_owned();
        let time = cell(self.deleted_time);
        let is_permanent = cell(self.deleted_type) == "permanent";
        (!time.is_empty()).then(|| DeletedEntry { id, time, by: cell(self.deleted_by), is_permanent })
    }

    fn is_converted(self, row: &StringRecord) -> bool {
        self.converted.and_then(|at| row.get(at)) == Some("true")
    }
}

/// A field of a module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RecordField {
    /// The name in the API.
    pub(super) api_name: String,
    /// The name on the screen.
    pub(super) label: String,
    /// What it may be used for.
    pub(super) kind: FieldKind,
}

/// The kinds of fields that the service treats differently when records are looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FieldKind {
    /// A single line.
    Text,
    /// An e-mail address.
    Email,
    /// A whole number.
    Number,
    /// Several lines: may not stand in criteria.
    TextArea,
    /// Encrypted: may only be compared with nothing.
    Encrypted,
    /// An external id of which every user has his own value.
    ExternalUser,
    /// An external id that all users share.
    ExternalOrg,
    /// The id of a record of another module.
    Lookup,
}

impl FieldKind {
    fn parse(word: &str) -> Option<FieldKind> {
        Some(match word {
            "text" => FieldKind::Text,
            "email" => FieldKind::Email,
            "number" => FieldKind::Number,
            "textarea" => FieldKind::TextArea,
            "encrypted" => FieldKind::Encrypted,
            "external-user" => FieldKind::ExternalUser,
            "external-org" => FieldKind::ExternalOrg,
            "lookup" => FieldKind::Lookup,
            _ => return None,
        })
    }
}

impl RecordField {
    /// Reads a heading: `Legacy_Id`, `Legacy_Id=Old number`, `Secret:encrypted`, `Legacy_Id=Old number:text`.
    fn parse(heading: &str) -> Result<RecordField, String> {
        const KINDS: &str = "text, email, number, textarea, encrypted, external-user, external-org or lookup";
        let (name, kind) = match heading.rsplit_once(':') {
            None => (heading, FieldKind::Text),
            Some((name, word)) => {
                let kind = FieldKind::parse(word.trim());
                (name, kind.ok_or_else(|| format!("\"{word}\" is no kind of field; they are {KINDS}"))?)
            }
        };
        let (api_name, label) = name.split_once('=').unwrap_or((name, ""));
        let api_name = api_name.trim();
        let is_name = api_name.starts_with(|c: char| c.is_ascii_alphabetic())
            && api_name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            return Err(format!("\"{api_name}\" is not the API name of a field: letters, digits and underscores"));
        }
        let label = if label.is_empty() { api_name.replace('_', " ") } else { label.trim().to_owned() };
        Ok(RecordField { api_name: api_name.to_owned(), label, kind })
    }
}

impl Records {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.modules.values().map(|module| module.rows.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn module(&self, name: &str) -> Option<&ModuleRecords> {
        self.modules.get(name)
    }

    /// Whether any module has a field of this API name.
    pub(super) fn has_field(&self, api_name: &str) -> bool {
        api_name == "id" || self.modules.values().any(|module| module.field(api_name).is_some())
    }

    /// What stands in a field of a record of this module; behind a point, a field of the record that a lookup leads to.
    /// `None` where there is no such field or record.
    pub(super) fn cell(&self, module: &ModuleRecords, column: &str, id: u64, cells: &[Box<str>]) -> Option<String> {
        if column == "id" {
            return Some(id.to_string());
        }
        if let Some((own, far)) = column.split_once('.') {
            let parent = self.cell(module, own, id, cells)?.parse().ok()?;
            // Ids are unique in the whole organisation.
            let (module, cells) = self.modules.values().find_map(|of| of.rows.get(&parent).map(|cells| (of, cells)))?;
            return self.cell(module, far, parent, cells);
        }
        let (at, _) = module.field(column)?;
        cells.get(at).map(|cell| cell.to_string())
    }

    pub(super) fn has(&self, module: &str, record: &str) -> bool {
        let id = record.parse::<u64>().ok();
        id.is_some_and(|id| self.modules.get(module).is_some_and(|module| module.rows.contains_key(&id)))
    }
}

impl FromIterator<(String, String)> for Records {
    /// Records without fields, given their modules and ids; what is no id is left out.
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Records {
        let mut records = Records::default();
        for (module, record) in pairs {
            if let Ok(id) = record.parse() {
                records.modules.entry(module).or_default().rows.insert(id, Vec::new());
            }
        }
        records
    }
}

impl ModuleRecords {
    /// The records that queries and jobs find.
    pub(super) fn readable(&self, shows_converted: bool) -> impl Iterator<Item = (&u64, &Vec<Box<str>>)> {
        self.rows.iter().filter(move |(id, _)| shows_converted || !self.converted.contains(*id))
    }

    /// Which of the fields has this API name; `None` for `id` too, which is no cell.
    pub(super) fn field(&self, api_name: &str) -> Option<(usize, &RecordField)> {
        self.fields.iter().enumerate().find(|(_, field)| field.api_name == api_name)
    }
}

/// Reads the records of a file. An error names the file and the line.
///
/// # Errors
///
/// The file cannot be read, or what stands in it are no records.
pub fn read_records(path: &Path) -> io::Result<Records> {
    let text = std::fs::read_to_string(path).map_err(|error| at(path, None, &error.to_string()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| at(path, None, &error.to_string()))?.clone();
    let column = |name: &str| header.iter().position(|known| known.eq_ignore_ascii_case(name));
    let (Some(module), Some(record)) = (column("module"), column("record")) else {
        return Err(at(path, Some(1), "the header must name the columns module and record"));
    };
    let marks = MarkColumns::find(&header).map_err(|message| at(path, Some(1), &message))?;
    let is_field = |at: usize| at != module && at != record && !header[at].starts_with('$');
    let fields: Vec<RecordField> = (0..header.len())
        .filter(|at| is_field(*at))
        .map(|column| RecordField::parse(&header[column]).map_err(|message| at(path, Some(1), &message)))
        .collect::<io::Result<_>>()?;
    let mut records = Records::default();
    for row in reader.records() {
        let row = row.map_err(|error| at(path, None, &error.to_string()))?;
        let line = row.position().map(csv::Position::line);
        let (name, id) = identity(&row, module, record).map_err(|message| at(path, line, &message))?;
        let cells = row.iter().enumerate().filter(|(at, _)| is_field(*at)).map(|(_, cell)| cell.into()).collect();
        let new = || ModuleRecords { fields: fields.clone(), ..ModuleRecords::default() };
        let of = records.modules.entry(name.to_owned()).or_insert_with(new);
        if let Some(deleted) = marks.deleted(&row, id) {
            of.deleted.push(deleted);
            continue;
        }
        if marks.is_converted(&row) {
            of.converted.insert(id);
        }
        if of.rows.insert(id, cells).is_some() {
            return Err(at(path, line, &format!("the record {id} stands here a second time")));
        }
    }
    Ok(records)
}

fn identity(row: &StringRecord, module: usize, record: usize) -> Result<(&str, u64), String> {
    let (module, record) = (row.get(module).unwrap_or_default(), row.get(record).unwrap_or_default());
    if module.is_empty() {
        return Err("no module".to_owned());
    }
    let id = Some(record).filter(|record| is_id(record)).and_then(|record| record.parse().ok());
    id.map(|id| (module, id)).ok_or_else(|| format!("\"{record}\" is not a record id: 10 to 19 digits"))
}

fn at(path: &Path, line: Option<u64>, message: &str) -> io::Error {
    let line = line.map(|line| format!(" line {line}")).unwrap_or_default();
    io::Error::new(io::ErrorKind::InvalidData, format!("{}{line}: {message}", path.display()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::sandbox) fn read(text: &str) -> Result<Records, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let name = file.path().display().to_string();
        read_records(file.path()).map_err(|error| error.to_string().replace(&name, "FILE"))
    }

    #[test]
    fn records_are_read_by_the_names_of_their_columns_and_the_others_are_fields() {
        let records =
            read("\u{feff}Name,Record, module,Secret=Pass number:encrypted\r\nx, 738964000000291009 ,Leads,7\r\n")
                .unwrap();
        assert!(records.has("Leads", "738964000000291009") && !records.has("Deals", "738964000000291009"));
        let leads = records.module("Leads").unwrap();
        let (at, secret) = leads.field("Secret").unwrap();
        assert_eq!((secret.label.as_str(), secret.kind), ("Pass number", FieldKind::Encrypted));
        assert_eq!(&*leads.rows[&738_964_000_000_291_009][at], "7");
    }

    #[test]
    fn a_record_that_cannot_be_is_named_with_its_line() {
        let message = |text: &str| read(text).unwrap_err();
        assert_eq!(message("a,b\n"), "FILE line 1: the header must name the columns module and record");
        let rounded = message("module,record\nLeads,738964000000291009\nLeads,7.38964E+17\n");
        assert_eq!(rounded, "FILE line 3: \"7.38964E+17\" is not a record id: 10 to 19 digits");
        assert_eq!(message("module,record\n,738964000000291009\n"), "FILE line 2: no module");
        assert!(message("module,record\nLeads\n").contains("found record with 1 field"));
        assert!(message("module,record,Old Id\n").contains("\"Old Id\" is not the API name"));
        assert!(message("module,record,a:blob\n").contains("no kind of field"));
        assert!(
            message("module,record\nLeads,738964000000291009\nLeads,738964000000291009\n").contains("a second time")
        );
    }
}
