//! The recipe `dynamics`: the table `annotation` of Dynamics 365 as CSV, with the files in it as text.
//!
//! | column | from |
//! | --- | --- |
//! | `module` | `objecttypecode`, by name or by number |
//! | `key` | `objectid` |
//! | `file` | `documentbody`, decoded into the folder for it |
//! | `name` | `filename` |
//! | `x_old_id` | `annotationid` |
//! | `x_owner`, `x_created` | `ownerid`, `createdon` |

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::collector::{CollectedRow, CollectedSource, Collector, LineEnd};
use super::error::{CollectError, CollectNeed};
use super::export::{Export, ExportFileIx};
use super::modules::ModuleAliases;
use super::names::{fit_for_disk, is_program};
use super::table::{ExportRow, ExportTable, TableUse, WITH_FILES};
use super::{LeftOutReason, Recipe, RecipeColumn, RecipeOptions};
use crate::crosswalk::judge_key;

/// Notes with files of Dynamics 365.
pub(super) struct Dynamics;

/// Entities by name and by number.
const MODULES: &ModuleAliases = &[
    ("account", "Accounts"),
    ("contact", "Contacts"),
    ("lead", "Leads"),
    ("opportunity", "Deals"),
    ("incident", "Cases"),
    ("campaign", "Campaigns"),
    ("task", "Tasks"),
    ("appointment", "Events"),
    ("phonecall", "Calls"),
    ("product", "Products"),
    ("quote", "Quotes"),
    ("salesorder", "Sales_Orders"),
    ("invoice", "Invoices"),
    ("1", "Accounts"),
    ("2", "Contacts"),
    ("4", "Leads"),
    ("3", "Deals"),
    ("112", "Cases"),
    ("4400", "Campaigns"),
    ("4212", "Tasks"),
    ("4201", "Events"),
    ("4210", "Calls"),
    ("1024", "Products"),
    ("1084", "Quotes"),
    ("1088", "Sales_Orders"),
    ("1090", "Invoices"),
];

impl Recipe for Dynamics {
    fn name(&self) -> &'static str {
        "dynamics"
    }

    fn columns(&self, _: &RecipeOptions) -> Vec<RecipeColumn> {
        vec![
            RecipeColumn::new("x_old_id", "annotationid"),
            RecipeColumn::new("x_owner", "ownerid"),
            RecipeColumn::new("x_created", "createdon"),
        ]
    }

    fn collect(
        &self,
        export: &Export,
        options: &RecipeOptions,
        out: &mut Collector<'_>,
    ) -> Result<Vec<ExportFileIx>, CollectError> {
        let Some((folder, written)) = &options.extract else {
            return Err(CollectError::Needs(CollectNeed::ExtractFolder));
        };
        let tables = export.tables(|stem| matches!(stem.to_lowercase().as_str(), "annotation" | "annotations"));
        let mut found = false;
        for table in tables {
            let mut table = ExportTable::within(WITH_FILES, export, table)?;
            let Some(columns) = AnnotationColumns::find(&table) else { continue };
            found = true;
            table.each_line(&columns.used(), out, &mut |row, out| columns.end(row, (folder, written), options, out))?;
        }
        if found {
            return Ok(Vec::new());
        }
        Err(CollectError::NoLayout {
            recipe: self.name(),
            wanted: "annotation.csv with the columns annotationid, objectid and documentbody".to_owned(),
            found: export.sample(),
        })
    }
}

/// Which column is which.
struct AnnotationColumns {
    id: Option<usize>,
    object: Option<usize>,
    kind: Option<usize>,
    name: Option<usize>,
    subject: Option<usize>,
    body: Option<usize>,
    owner: Option<usize>,
    created: Option<usize>,
}

impl AnnotationColumns {
    fn find(table: &ExportTable) -> Option<AnnotationColumns> {
        let found = |names: &[&str]| table.column(names);
        Some(AnnotationColumns {
            id: Some(found(&["annotationid"])?),
            object: Some(found(&["objectid", "_objectid_value"])?),
            body: Some(found(&["documentbody"])?),
            kind: found(&[
                "objecttypecode",
                "objectidtypecode",
                "_objectid_value@Microsoft.Dynamics.CRM.lookuplogicalname",
            ]),
            name: found(&["filename"]),
            subject: found(&["subject"]),
            owner: found(&["ownerid", "_ownerid_value"]),
            created: found(&["createdon"]),
        })
    }

    /// All but the bodies, which are as long as their files.
    fn used(&self) -> TableUse {
        TableUse::of([self.id, self.object, self.kind, self.name, self.subject, self.owner, self.created])
    }

    fn end(
        &self,
        row: ExportRow<'_>,
        (folder, written): (&Path, &str),
        options: &RecipeOptions,
        out: &mut Collector<'_>,
    ) -> Result<LineEnd, CollectError> {
        let (id, object, kind) = (row.get(self.id), row.get(self.object), row.get(self.kind));
        let (name, body) = (row.get(self.name), row.get(self.body));
        if body.is_empty() {
            let (name, reason) = match name {
                "" => (row.get(self.subject), LeftOutReason::TextNote),
                name => (name, LeftOutReason::EmptyFile),
            };
            return out.leave_out(row.origin, id, name, reason);
        }
        if object.is_empty() {
            return out.leave_out(row.origin, id, name, LeftOutReason::NoParent);
        }
        if judge_key(object).is_err() {
            return out.leave_out(row.origin, id, name, LeftOutReason::KeyUnfit);
        }
        let Some(module) = options.modules.find(kind, MODULES) else {
            return out.leave_out(row.origin, kind, name, LeftOutReason::ModuleUnknown);
        };
        // Refused before it is decoded: nothing is put on the disk that no row names.
        if is_program(name) {
            return out.leave_out(row.origin, id, name, LeftOutReason::ProgramFile);
        }
        let name = if name.is_empty() { "file" } else { name };
        let file = match decode_into(folder, id, name, body) {
            Ok(file) => file,
            Err(DecodeError::NotBase64) => return out.leave_out(row.origin, id, name, LeftOutReason::NotBase64),
            Err(DecodeError::Io(path, error)) => {
                return Err(CollectError::Io(format!("cannot write {}", path.display()), error));
            }
        };
        let path = format!("{written}/{file}");
        let more = [id, row.get(self.owner), row.get(self.created)];
        let source = CollectedSource::Made(path.trim_start_matches('/'));
        out.row(row.origin, id, CollectedRow { module, key: object, source, name, more: &more })
    }
}

/// Why a body did not become a file.
#[derive(Debug)]
enum DecodeError {
    NotBase64,
    Io(PathBuf, io::Error),
}

/// Decodes a body into a file of its own, as a whole or not at all. Gives the name of the file: the one that a collection
/// before this one made, if it holds the same.
fn decode_into(folder: &Path, id: &str, name: &str, body: &str) -> Result<String, DecodeError> {
    let id: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect();
    let wanted = format!("{id}_{}", fit_for_disk(name));
    let mut file = tempfile::Builder::new()
        .prefix(".attache-collect-")
        .tempfile_in(folder)
        .map_err(|error| DecodeError::Io(folder.to_owned(), error))?;
    decode(body, file.as_file_mut()).map_err(|error| match error {
        DecodeError::Io(_, error) => DecodeError::Io(folder.join(&wanted), error),
        other => other,
    })?;
    let mut number = 1;
    let mut free = wanted.clone();
    loop {
        let path = folder.join(&free);
        if !path.exists() {
            let persisted = file.persist(&path).map_err(|error| DecodeError::Io(path, error.error));
            return persisted.map(|_| free);
        }
        let same = is_same(file.path(), &path).map_err(|error| DecodeError::Io(path, error))?;
        if same {
            return Ok(free);
        }
        number += 1;
        free = format!("{id}-{number}_{}", fit_for_disk(name));
    }
}

/// Decodes in pieces, so that a body is in memory once. Line breaks within it are passed over.
fn decode(body: &str, out: &mut impl io::Write) -> Result<(), DecodeError> {
    const PIECE: usize = 64 * 1024;
    let mut piece = Vec::with_capacity(PIECE);
    let mut bytes = Vec::with_capacity(PIECE);
    let mut ended = false;
    let mut digits = body.bytes().filter(|byte| !byte.is_ascii_whitespace());
    loop {
        piece.clear();
        piece.extend(digits.by_ref().take(PIECE));
        if piece.is_empty() {
            return Ok(());
        }
        // Padding ends a body; what comes behind it is none of it.
        if ended {
            return Err(DecodeError::NotBase64);
        }
        ended = piece.last() == Some(&b'=');
        bytes.clear();
        STANDARD.decode_vec(&piece, &mut bytes).map_err(|_| DecodeError::NotBase64)?;
        out.write_all(&bytes).map_err(|error| DecodeError::Io(PathBuf::new(), error))?;
    }
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    if fs::metadata(one)?.len() != fs::metadata(other)?.len() {
        return Ok(false);
    }
    let [mut one, mut other] = [fs::File::open(one)?, fs::File::open(other)?].map(io::BufReader::new);
    let (mut left, mut right) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let count = one.read(&mut left)?;
        if count == 0 {
            return Ok(true);
        }
        other.read_exact(&mut right[..count])?;
        if left[..count] != right[..count] {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(body: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        decode(body, &mut bytes).ok().map(|()| bytes)
    }

    #[test]
    fn bodies_are_decoded_in_pieces_and_line_breaks_passed_over() {
        let long: Vec<u8> = (0..=255).cycle().take(300_001).collect();
        let text = STANDARD.encode(&long);
        let broken =
            text.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\r\n");
        assert_eq!(decoded(&text).as_deref(), Some(&long[..]));
        assert_eq!(decoded(&broken).as_deref(), Some(&long[..]));
        assert_eq!(decoded("aGVsbG8=").as_deref(), Some(&b"hello"[..]));
        for wrong in ["no base64!", "aGVsbG8", "aGVsbG8=aGVsbG8=", "=", "%PDF-1.4"] {
            assert_eq!(decoded(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_second_collection_finds_its_files_and_never_writes_over_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let make = |body: &str| decode_into(folder.path(), "{A-1}", "a:b.txt", body).expect("made");
        assert_eq!(make("aGVsbG8="), "A-1_a_b.txt");
        assert_eq!(make("aGVsbG8="), "A-1_a_b.txt");
        assert_eq!(make("d29ybGQ="), "A-1-2_a_b.txt");
        assert_eq!(fs::read(folder.path().join("A-1_a_b.txt")).expect("there"), b"hello");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2, "nothing else is left");
    }
}
