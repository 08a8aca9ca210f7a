//! The recipe `suitecrm`: the tables `notes`, `documents` and `document_revisions` as CSV, and the folder `upload/`, flat or
//! spread over folders of the first three characters.
//!
//! | column | notes | documents |
//! | --- | --- | --- |
//! | `module` | `parent_type` | the table of links, such as `documents_accounts` |
//! | `key` | `parent_id`, or `contact_id` | the other id of that table |
//! | `file` | `upload/ID` | `upload/` and the revision's id |
//! | `name` | `filename` | the revision's `filename` |
//! | `x_old_id` | `id` | the revision's `id` |
//! | `x_owner`, `x_created` | `created_by`, `date_entered` | the same |
//!
//! A note may hang on another one, which then says the record.

use std::collections::HashMap;

use super::collector::{CollectedRow, CollectedSource, Collector, LineEnd, LineOrigin};
use super::documents::{Documents, LatestVersion, ReadVersion};
use super::error::CollectError;
use super::export::{Export, ExportFileIx, FileIndex};
use super::modules::ModuleAliases;
use super::table::{ExportRow, ExportTable, TableUse};
use super::{LeftOutReason, Recipe, RecipeColumn, RecipeOptions};

/// An export of SugarCRM or SuiteCRM.
pub(super) struct SuiteCrm;

/// The modules of SuiteCRM.
const MODULES: &ModuleAliases = &[
    ("Accounts", "Accounts"),
    ("Contacts", "Contacts"),
    ("Leads", "Leads"),
    ("Prospects", "Leads"),
    ("Opportunities", "Deals"),
    ("Cases", "Cases"),
    ("Tasks", "Tasks"),
    ("Calls", "Calls"),
    ("Meetings", "Events"),
    ("Campaigns", "Campaigns"),
    ("AOS_Products", "Products"),
    ("AOS_Quotes", "Quotes"),
    ("AOS_Invoices", "Invoices"),
];

/// Tables that say which record a document belongs to: table, module, heading of the record's id.
const LINKS: [(&str, &str, &str); 6] = [
    ("documents_accounts", "Accounts", "account_id"),
    ("documents_contacts", "Contacts", "contact_id"),
    ("documents_opportunities", "Opportunities", "opportunity_id"),
    ("documents_cases", "Cases", "case_id"),
    ("linked_documents", "", "parent_id"),
    ("documents_leads", "Leads", "lead_id"),
];

impl Recipe for SuiteCrm {
    fn name(&self) -> &'static str {
        "suitecrm"
    }

    fn columns(&self, _: &RecipeOptions) -> Vec<RecipeColumn> {
        vec![
            RecipeColumn::new("x_old_id", "id"),
            RecipeColumn::new("x_owner", "created_by"),
            RecipeColumn::new("x_created", "date_entered"),
        ]
    }

    fn collect(
        &self,
        export: &Export,
        options: &RecipeOptions,
        out: &mut Collector<'_>,
    ) -> Result<Vec<ExportFileIx>, CollectError> {
        let tables = |name: &'static str| export.tables(move |stem| stem.eq_ignore_ascii_case(name));
        let (notes, revisions) = (tables("notes"), tables("document_revisions"));
        if notes.is_empty() && revisions.is_empty() {
            return Err(CollectError::NoLayout {
                recipe: self.name(),
                wanted: "notes.csv or document_revisions.csv, with a folder upload".to_owned(),
                found: export.sample(),
            });
        }
        let candidates: Vec<ExportFileIx> = export.files().filter(|file| is_upload(export, *file)).collect();
        let files = export.index(&candidates, Some);
        let mut parents = HashMap::new();
        for table in &notes {
            read_parents(&mut ExportTable::open(export, *table)?, &mut parents)?;
        }
        for table in notes {
            read_notes(&mut ExportTable::open(export, table)?, &parents, &files, options, out)?;
        }
        let mut documents = SuiteDocuments::read(export, &tables("documents"))?;
        for table in revisions {
            documents.read_revisions(&mut ExportTable::open(export, table)?, &files, out)?;
        }
        for (name, module, heading) in LINKS {
            for table in tables(name) {
                let mut table = ExportTable::open(export, table)?;
                read_links(&mut table, (module, heading), &mut documents, &files, options, out)?;
            }
        }
        documents.finish(&files, out)?;
        Ok(candidates)
    }
}

/// Files lie in `upload/`, or one folder deeper.
fn is_upload(export: &Export, file: ExportFileIx) -> bool {
    let written = export.written(file);
    let mut folders = written.rsplit('/').skip(1).take(2);
    folders.any(|folder| matches!(folder.to_ascii_lowercase().as_str(), "upload" | "uploads"))
}

fn is_true(cell: &str) -> bool {
    matches!(cell, "1" | "true" | "TRUE" | "yes")
}

/// What a note hangs on: its module and id.
type NoteParent = (String, String);

/// What the notes hang on that other notes may hang on.
fn read_parents(table: &mut ExportTable, parents: &mut HashMap<String, NoteParent>) -> Result<(), CollectError> {
    let Some(above) = table.column(&["note_parent_id"]) else { return Ok(()) };
    let [id, kind, parent] = [&["id"], &["parent_type"], &["parent_id"]].map(|names| table.column(names));
    table.look_up(&TableUse::of([Some(above), id, kind, parent]), &mut |row| {
        if row.get(Some(above)).is_empty() && !row.get(parent).is_empty() && !row.get(id).is_empty() {
            parents.insert(row.get(id).to_owned(), (row.get(kind).to_owned(), row.get(parent).to_owned()));
        }
    })
}

fn read_notes(
    table: &mut ExportTable,
    parents: &HashMap<String, NoteParent>,
    files: &FileIndex<'_>,
    options: &RecipeOptions,
    out: &mut Collector<'_>,
) -> Result<(), CollectError> {
    let names: [&[&str]; 10] = [
        &["id"],
        &["filename"],
        &["parent_type"],
        &["parent_id"],
        &["contact_id"],
        &["deleted"],
        &["note_parent_id"],
        &["created_by"],
        &["date_entered"],
        &["name"],
    ];
    let columns = names.map(|names| table.column(names));
    table.each_line(&TableUse::of(columns), out, &mut |row, out| {
        let [id, filename, kind, parent, contact, deleted, above, owner, created, title] =
            columns.map(|column| row.get(column));
        let found = files.find(id);
        let reason = if is_true(deleted) {
            Some(LeftOutReason::Deleted)
        } else if filename.is_empty() {
            Some(LeftOutReason::TextNote)
        } else {
            None
        };
        if let Some(reason) = reason {
            out.speak_of_all(found);
            return out.leave_out(row.origin, id, if filename.is_empty() { title } else { filename }, reason);
        }
        let (kind, parent) = match (parent, parents.get(above)) {
            ("", Some((kind, parent))) => (kind.as_str(), parent.as_str()),
            ("", None) if !contact.is_empty() => ("Contacts", contact),
            ("", None) if !above.is_empty() => {
                out.speak_of_all(found);
                return out.leave_out(row.origin, id, filename, LeftOutReason::ParentMissing);
            }
            _ => (kind, parent),
        };
        let Some(module) = options.modules.find(kind, MODULES) else {
            out.speak_of_all(found);
            let (id, reason) = match kind {
                "" => (id, LeftOutReason::NoParent),
                kind => (kind, LeftOutReason::ModuleUnknown),
            };
            return out.leave_out(row.origin, id, filename, reason);
        };
        let file = match out.only(row.origin, id, filename, found)? {
            Ok(file) => file,
            Err(end) => return Ok(end),
        };
        let more = [id, owner, created];
        let source = CollectedSource::File(file);
        out.row(row.origin, id, CollectedRow { module, key: parent, source, name: filename, more: &more })
    })
}

/// The documents of an export.
struct SuiteDocuments {
    /// By document: its line in `documents`.
    described: HashMap<String, DescribedDocument>,
    /// By document: id, name, owner and time of its revision.
    latest: Documents<4>,
}

/// What the table `documents` says of a document.
struct DescribedDocument {
    /// Where it says so.
    table: String,
    line: u32,
    name: String,
    /// The id of its revision of today, empty where none is said; `None` of a deleted document.
    current: Option<String>,
    /// Whether the other table has any revision of it.
    has_revision: bool,
}

impl SuiteDocuments {
    fn read(export: &Export, tables: &[ExportFileIx]) -> Result<SuiteDocuments, CollectError> {
        let mut documents = SuiteDocuments { described: HashMap::new(), latest: Documents::new() };
        for table in tables {
            let mut table = ExportTable::open(export, *table)?;
            let [id, revision, deleted, name] =
                [&["id"], &["document_revision_id"], &["deleted"], &["document_name"]].map(|names| table.column(names));
            table.look_up(&TableUse::of([id, revision, deleted, name]), &mut |row| {
                let current = (!is_true(row.get(deleted))).then(|| row.get(revision).to_owned());
                let LineOrigin { table, line } = row.origin;
                let (table, name) = (table.to_owned(), row.get(name).to_owned());
                let described = DescribedDocument { table, line, name, current, has_revision: false };
                documents.described.insert(row.get(id).to_owned(), described);
            })?;
        }
        Ok(documents)
    }

    fn read_revisions(
        &mut self,
        table: &mut ExportTable,
        files: &FileIndex<'_>,
        out: &mut Collector<'_>,
    ) -> Result<(), CollectError> {
        let names: [&[&str]; 7] =
            [&["id"], &["document_id"], &["filename"], &["deleted"], &["created_by"], &["date_entered"], &["revision"]];
        let columns = names.map(|names| table.column(names));
        table.each_line(&TableUse::of(columns), out, &mut |row, out| {
            let [id, document, name, deleted, owner, created, number] = columns.map(|column| row.get(column));
            let described = self.described.get_mut(document);
            let current = described.map(|described| {
                described.has_revision = true;
                described.current.as_deref()
            });
            let reason = match current {
                _ if is_true(deleted) => LeftOutReason::Deleted,
                Some(None) => LeftOutReason::Deleted,
                Some(Some(current)) if !current.is_empty() && current != id => LeftOutReason::OldVersion,
                _ => {
                    let number = number.parse().unwrap_or_default();
                    let version = ReadVersion { document, number, cells: [id, name, owner, created] };
                    return self.latest.add(row.origin, &version, &|id| files.find(id), out);
                }
            };
            out.speak_of_all(files.find(id));
            out.leave_out(row.origin, id, name, reason)
        })
    }

    /// Ends the lines of all revisions, and lists the documents that have none.
    fn finish(self, files: &FileIndex<'_>, out: &mut Collector<'_>) -> Result<(), CollectError> {
        self.latest.finish(&|id| files.find(id), out)?;
        let is_lost = |described: &DescribedDocument| {
            !described.has_revision && described.current.as_ref().is_some_and(|current| !current.is_empty())
        };
        let mut lost: Vec<_> = self.described.iter().filter(|(_, described)| is_lost(described)).collect();
        lost.sort_unstable_by_key(|(_, described)| (&described.table, described.line));
        for (id, DescribedDocument { table, line, name, .. }) in lost {
            // It is no line that was counted: what it describes is, and that is not there.
            let _ = out.leave_out(LineOrigin { table, line: *line }, id, name, LeftOutReason::NoFile)?;
        }
        Ok(())
    }
}

/// Reads a table of links between documents and records of one module; without a module, a column names it.
fn read_links(
    table: &mut ExportTable,
    (kind, heading): (&str, &str),
    documents: &mut SuiteDocuments,
    files: &FileIndex<'_>,
    options: &RecipeOptions,
    out: &mut Collector<'_>,
) -> Result<(), CollectError> {
    let [document, deleted, named] =
        [&["document_id"], &["deleted"], &["parent_type"]].map(|names| table.column(names));
    let record = table.column(&[heading]);
    table.each_line(&TableUse::of([document, deleted, named, record]), out, &mut |row, out| {
        let [document, deleted, record] = [document, deleted, record].map(|column| row.get(column));
        let kind = if kind.is_empty() { row.get(named) } else { kind };
        if is_true(deleted) {
            return out.leave_out(row.origin, document, record, LeftOutReason::Deleted);
        }
        if record.is_empty() {
            return out.leave_out(row.origin, document, record, LeftOutReason::NoParent);
        }
        let Some(module) = options.modules.find(kind, MODULES) else {
            return out.leave_out(row.origin, kind, record, LeftOutReason::ModuleUnknown);
        };
        let Some(revision) = documents.latest.find(document) else {
            return out.leave_out(row.origin, document, record, LeftOutReason::NoDocument);
        };
        let end = attach(row, revision, (module, record), files, out)?;
        revision.linked(&end);
        Ok(end)
    })
}

/// Makes the row that attaches a document to a record, given its module and id.
fn attach(
    row: ExportRow<'_>,
    revision: &LatestVersion<4>,
    (module, record): (&str, &str),
    files: &FileIndex<'_>,
    out: &mut Collector<'_>,
) -> Result<LineEnd, CollectError> {
    let [id, name, owner, created] = revision.cells();
    let file = match out.only(row.origin, id, name, files.find(id))? {
        Ok(file) => file,
        Err(end) => return Ok(end),
    };
    let more = [id, owner, created];
    let source = CollectedSource::File(file);
    out.row(row.origin, id, CollectedRow { module, key: record, source, name, more: &more })
}
