//! The recipe `salesforce`: the weekly data export, with `Attachment.csv` and `Attachments/`, and with `ContentVersion.csv`,
//! `ContentDocumentLink.csv` and `ContentVersion/`.
//!
//! | column | attachments | documents |
//! | --- | --- | --- |
//! | `module` | the first three characters of `ParentId` | those of `LinkedEntityId` |
//! | `key` | `ParentId` | `LinkedEntityId` |
//! | `file` | `Attachments/ID` or `ID.*` | `ContentVersion/ID` or `ID.*` of the latest version |
//! | `name` | `Name` | `Title` and `FileExtension` |
//! | `md5` | | `Checksum` |
//! | `x_old_id` | `Id` | the version's `Id` |
//! | `x_owner`, `x_created` | `OwnerId`, `CreatedDate` | the same |
//!
//! A document gets a row for each record that it is linked to. One that is linked to none is listed, and so is each link to a
//! person.

use std::collections::HashSet;

use super::collector::{CollectedRow, CollectedSource, Collector, LineEnd};
use super::documents::{Documents, LatestVersion, ReadVersion};
use super::error::CollectError;
use super::export::{Export, ExportFileIx, FileIndex, FileMatch};
use super::modules::ModuleAliases;
use super::names::with_extension;
use super::table::{ExportRow, ExportTable, TableUse};
use super::{LeftOutReason, Recipe, RecipeColumn, RecipeOptions};

/// The weekly data export of Salesforce.
pub(super) struct Salesforce;

/// The first three characters of an id say what kind of record it is of.
const MODULES: &ModuleAliases = &[
    ("001", "Accounts"),
    ("003", "Contacts"),
    ("00Q", "Leads"),
    ("006", "Deals"),
    ("500", "Cases"),
    ("701", "Campaigns"),
    ("00T", "Tasks"),
    ("00U", "Events"),
    ("01t", "Products"),
    ("0Q0", "Quotes"),
    ("801", "Sales_Orders"),
];

/// Users, groups, their profiles, and libraries.
const PEOPLE: [&str; 4] = ["005", "00G", "0F9", "058"];

impl Recipe for Salesforce {
    fn name(&self) -> &'static str {
        "salesforce"
    }

    fn columns(&self, _: &RecipeOptions) -> Vec<RecipeColumn> {
        vec![
            RecipeColumn::new("md5", "Checksum"),
            RecipeColumn::new("x_old_id", "Id"),
            RecipeColumn::new("x_owner", "OwnerId"),
            RecipeColumn::new("x_created", "CreatedDate"),
        ]
    }

    fn collect(
        &self,
        export: &Export,
        options: &RecipeOptions,
        out: &mut Collector<'_>,
    ) -> Result<Vec<ExportFileIx>, CollectError> {
        let tables = |name: &'static str| export.tables(move |stem| stem.eq_ignore_ascii_case(name));
        let (attachments, versions) = (tables("Attachment"), tables("ContentVersion"));
        let links = tables("ContentDocumentLink");
        if attachments.is_empty() && versions.is_empty() {
            return Err(CollectError::NoLayout {
                recipe: self.name(),
                wanted: "Attachment.csv with a folder Attachments, or ContentVersion.csv and ContentDocumentLink.csv \
                         with a folder ContentVersion"
                    .to_owned(),
                found: export.sample(),
            });
        }
        let in_folder = |name: &'static str| -> Vec<ExportFileIx> {
            export.files().filter(|file| export.folder(*file).eq_ignore_ascii_case(name)).collect()
        };
        let mut candidates = in_folder("Attachments");
        let files = export.index(&candidates, id_in_name);
        for table in attachments {
            read_attachments(&mut ExportTable::open(export, table)?, &files, options, out)?;
        }
        let version_files = in_folder("ContentVersion");
        let files = export.index(&version_files, id_in_name);
        let mut documents = SalesforceDocuments { latest: Documents::new(), notes: HashSet::new() };
        for table in versions {
            documents.read(&mut ExportTable::open(export, table)?, &files, out)?;
        }
        for table in links {
            read_links(&mut ExportTable::open(export, table)?, &mut documents, &files, options, out)?;
        }
        documents.latest.finish(&|id| find(&files, id), out)?;
        candidates.extend(version_files);
        Ok(candidates)
    }
}

/// The 15 characters that tell one record from another: the last three of 18 only check those before.
fn short(id: &str) -> Option<&str> {
    let is_id = matches!(id.len(), 15 | 18) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_id { id.get(..15) } else { None }
}

/// A file is called by an id, with or without an ending.
fn id_in_name(name: &str) -> Option<&str> {
    short(name.split_once('.').map_or(name, |(stem, _)| stem))
}

fn find<'i>(files: &'i FileIndex<'_>, id: &str) -> FileMatch<'i> {
    short(id).map_or(FileMatch::None, |id| files.find(id))
}

fn module<'o>(options: &'o RecipeOptions, id: &str) -> Option<&'o str> {
    options.modules.find(id.get(..3).unwrap_or_default(), MODULES)
}

fn read_attachments(
    table: &mut ExportTable,
    files: &FileIndex<'_>,
    options: &RecipeOptions,
    out: &mut Collector<'_>,
) -> Result<(), CollectError> {
    let [id, parent, name, owner, created, deleted] =
        [&["Id"], &["ParentId"], &["Name"], &["OwnerId"], &["CreatedDate"], &["IsDeleted"]]
            .map(|names| table.column(names));
    let used = TableUse::of([id, parent, name, owner, created, deleted]);
    table.each_line(&used, out, &mut |row, out| {
        let (id, parent, name) = (row.get(id), row.get(parent), row.get(name));
        let file = match out.only(row.origin, id, name, find(files, id))? {
            Ok(file) => file,
            Err(end) => return Ok(end),
        };
        out.speak_of(file);
        let reason = if is_true(row.get(deleted)) {
            LeftOutReason::Deleted
        } else if parent.is_empty() {
            LeftOutReason::NoParent
        } else if short(parent).is_none() {
            LeftOutReason::KeyUnfit
        } else {
            let Some(module) = module(options, parent) else {
                return out.leave_out(row.origin, parent, name, LeftOutReason::ModuleUnknown);
            };
            let more = ["", id, row.get(owner), row.get(created)];
            let source = CollectedSource::File(file);
            return out.row(row.origin, id, CollectedRow { module, key: parent, source, name, more: &more });
        };
        out.leave_out(row.origin, id, name, reason)
    })
}

/// Salesforce writes `1` and `0`, other programs that make such exports the words.
fn is_true(cell: &str) -> bool {
    cell == "1" || cell.eq_ignore_ascii_case("true")
}

/// The documents of an export: id, name, MD5, owner and time of each.
struct SalesforceDocuments {
    /// By the 15 characters of the document's id.
    latest: Documents<5>,
    /// Documents that are notes, by the same.
    notes: HashSet<Box<str>>,
}

impl SalesforceDocuments {
    fn read(
        &mut self,
        table: &mut ExportTable,
        files: &FileIndex<'_>,
        out: &mut Collector<'_>,
    ) -> Result<(), CollectError> {
        let names: [&[&str]; 10] = [
            &["Id"],
            &["ContentDocumentId"],
            &["IsLatest"],
            &["Title"],
            &["FileExtension"],
            &["FileType"],
            &["Checksum"],
            &["OwnerId"],
            &["CreatedDate"],
            &["VersionNumber"],
        ];
        let columns = names.map(|names| table.column(names));
        let is_latest = columns[2];
        table.each_line(&TableUse::of(columns), out, &mut |row, out| {
            let cells = columns.map(|column| row.get(column));
            let [id, document, latest, title, extension, kind, md5, owner, created, number] = cells;
            let name = with_extension(title, extension);
            let is_old = is_latest.is_some() && !is_true(latest);
            let reason = match short(document) {
                short if kind.eq_ignore_ascii_case("SNOTE") || extension.eq_ignore_ascii_case("snote") => {
                    self.notes.extend(short.map(Into::into));
                    LeftOutReason::TextNote
                }
                _ if is_old => LeftOutReason::OldVersion,
                None => LeftOutReason::KeyUnfit,
                Some(document) => {
                    let number = number.parse().unwrap_or_default();
                    let version = ReadVersion { document, number, cells: [id, &name, md5, owner, created] };
                    return self.latest.add(row.origin, &version, &|id| find(files, id), out);
                }
            };
            out.speak_of_all(find(files, id));
            out.leave_out(row.origin, id, &name, reason)
        })
    }
}

fn read_links(
    table: &mut ExportTable,
    documents: &mut SalesforceDocuments,
    files: &FileIndex<'_>,
    options: &RecipeOptions,
    out: &mut Collector<'_>,
) -> Result<(), CollectError> {
    let [document, entity, deleted] =
        [&["ContentDocumentId"], &["LinkedEntityId"], &["IsDeleted"]].map(|names| table.column(names));
    table.each_line(&TableUse::of([document, entity, deleted]), out, &mut |row, out| {
        let link =
            DocumentLink { document: row.get(document), entity: row.get(entity), deleted: is_true(row.get(deleted)) };
        link.end(row, documents, files, options, out)
    })
}

/// A line of the list that says which document belongs to which record.
struct DocumentLink<'r> {
    document: &'r str,
    entity: &'r str,
    deleted: bool,
}

impl DocumentLink<'_> {
    fn end(
        &self,
        row: ExportRow<'_>,
        documents: &mut SalesforceDocuments,
        files: &FileIndex<'_>,
        options: &RecipeOptions,
        out: &mut Collector<'_>,
    ) -> Result<LineEnd, CollectError> {
        let leave = |out: &mut Collector<'_>, reason| out.leave_out(row.origin, self.document, self.entity, reason);
        if self.deleted {
            return leave(out, LeftOutReason::Deleted);
        }
        if self.entity.is_empty() {
            return leave(out, LeftOutReason::NoParent);
        }
        if short(self.entity).is_none() {
            return leave(out, LeftOutReason::KeyUnfit);
        }
        if PEOPLE.iter().any(|prefix| self.entity.starts_with(prefix)) {
            return leave(out, LeftOutReason::LinkedToUser);
        }
        let document = short(self.document).unwrap_or_default();
        let Some(version) = documents.latest.find(document) else {
            let is_note = documents.notes.contains(document);
            return leave(out, if is_note { LeftOutReason::TextNote } else { LeftOutReason::NoDocument });
        };
        let end = match module(options, self.entity) {
            Some(module) => self.attach(row, version, module, files, out)?,
            None => out.leave_out(row.origin, self.entity, self.document, LeftOutReason::ModuleUnknown)?,
        };
        version.linked(&end);
        Ok(end)
    }

    /// Makes the row that attaches the document to the record.
    fn attach(
        &self,
        row: ExportRow<'_>,
        version: &LatestVersion<5>,
        module: &str,
        files: &FileIndex<'_>,
        out: &mut Collector<'_>,
    ) -> Result<LineEnd, CollectError> {
        let [id, name, md5, owner, created] = version.cells();
        let file = match out.only(row.origin, id, name, find(files, id))? {
            Ok(file) => file,
            Err(end) => return Ok(end),
        };
        // What is none would make the whole manifest unsound, and is not worth that.
        let md5 = if md5.len() == 32 && md5.bytes().all(|byte| byte.is_ascii_hexdigit()) { md5 } else { "" };
        let more = [md5, id, owner, created];
        let source = CollectedSource::File(file);
        out.row(row.origin, id, CollectedRow { module, key: self.entity, source, name, more: &more })
    }
}
