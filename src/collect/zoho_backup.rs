//! The recipe `zoho-backup`: Zoho CRM's own backup, as `Data_001.zip`, `Attachments_001.zip` and so on, or unpacked.
//!
//! | column | from |
//! | --- | --- |
//! | `module` | `Parent Id.Module`, which is an internal name (`Potentials`, `CustomModule23`) |
//! | `key` | `Parent.id`, as written (`zcrm_…`); of a file on a note or an e-mail, the record's |
//! | `file` | the entry whose name begins with the code of `Record Id`, up to the first `_` |
//! | `name` | `File Name` |
//! | `url` | `Link URL` |
//! | `x_old_id` | `Record Id` |
//! | `x_parent` | module and id as the backup has them, where the file hangs on a note or an e-mail |
//! | `x_owner`, `x_created` | `Attachment Owner.id`, `Created Time` |
//!
//! All headings but `Parent Id.Module` are in the language of whoever asked for the backup. So the columns are found by
//! what stands in them where their heading is none that is known.

use std::collections::{HashMap, HashSet};

use super::collector::{CollectedRow, CollectedSource, Collector, LineEnd};
use super::error::CollectError;
use super::export::{Export, ExportFileIx, FileIndex, FileMatch};
use super::modules::ModuleAliases;
use super::table::{ExportRow, ExportTable, TableUse};
use super::{LeftOutReason, Recipe, RecipeColumn, RecipeOptions};

/// The backup of Zoho CRM.
pub(super) struct ZohoBackup;

/// Internal names of modules that are called otherwise today.
const MODULES: &ModuleAliases = &[
    ("Potentials", "Deals"),
    ("PriceBooks", "Price_Books"),
    ("SalesOrders", "Sales_Orders"),
    ("PurchaseOrders", "Purchase_Orders"),
    ("Leads", "Leads"),
    ("Accounts", "Accounts"),
    ("Contacts", "Contacts"),
    ("Deals", "Deals"),
    ("Campaigns", "Campaigns"),
    ("Tasks", "Tasks"),
    ("Events", "Events"),
    ("Calls", "Calls"),
    ("Cases", "Cases"),
    ("Solutions", "Solutions"),
    ("Products", "Products"),
    ("Vendors", "Vendors"),
    ("Price_Books", "Price_Books"),
    ("Quotes", "Quotes"),
    ("Sales_Orders", "Sales_Orders"),
    ("Purchase_Orders", "Purchase_Orders"),
    ("Invoices", "Invoices"),
];

/// The one heading that is not translated.
const PARENT_MODULE: &str = "Parent Id.Module";

/// Lines that are looked at to find out which column is which.
const SAMPLE: usize = 2_000;

impl Recipe for ZohoBackup {
    fn name(&self) -> &'static str {
        "zoho-backup"
    }

    fn columns(&self, _: &RecipeOptions) -> Vec<RecipeColumn> {
        vec![
            RecipeColumn::new("x_old_id", "Record Id"),
            RecipeColumn::new("x_parent", "Parent Id.Module and Parent.id"),
            RecipeColumn::new("x_owner", "Attachment Owner.id"),
            RecipeColumn::new("x_created", "Created Time"),
        ]
    }

    fn collect(
        &self,
        export: &Export,
        options: &RecipeOptions,
        out: &mut Collector<'_>,
    ) -> Result<Vec<ExportFileIx>, CollectError> {
        let tables = numbered(export, "attachments");
        let candidates: Vec<ExportFileIx> = export.files().filter(|file| is_attachment(export, *file)).collect();
        let files = export.index(&candidates, code);
        let mut found = Vec::new();
        for table in tables {
            if let Some(columns) = BackupColumns::find(export, table, &files)? {
                found.push((table, columns));
            }
        }
        if found.is_empty() {
            return Err(CollectError::NoLayout {
                recipe: self.name(),
                wanted: format!("Attachments_001.csv with a column {PARENT_MODULE}, in a folder or in Data_001.zip"),
                found: export.sample(),
            });
        }
        let parents = Parents::read(export)?;
        let modules = custom_modules(export)?;
        for (table, columns) in found {
            ExportTable::open(export, table)?.each_line(&columns.used(), out, &mut |row, out| {
                let line = BackupLine { columns: &columns, row };
                line.end(&parents, &modules, &files, options, out)
            })?;
        }
        Ok(candidates)
    }
}

/// Tables of this name with a number behind it.
fn numbered(export: &Export, name: &str) -> Vec<ExportFileIx> {
    export.tables(|stem| {
        let stem = stem.to_lowercase();
        let rest = stem.strip_prefix(name).unwrap_or("-");
        rest.bytes().all(|byte| byte == b'_' || byte.is_ascii_digit())
    })
}

/// Attachments lie in a folder of that name, or in a zip of it.
fn is_attachment(export: &Export, file: ExportFileIx) -> bool {
    let folder = export.folder(file).to_lowercase();
    let is_table = export.name(file).to_lowercase().ends_with(".csv")
        && export.name(file).to_lowercase().starts_with("attachments_");
    folder.starts_with("attachments") && !is_table
}

/// What stands before the first `_` of a name: what comes behind it is often spoilt inside zips.
fn code(name: &str) -> Option<&str> {
    name.split_once('_').map(|(code, _)| code).filter(|code| !code.is_empty())
}

/// The digits of an id such as `zcrm_738964000000291009`.
fn zcrm_number(cell: &str) -> Option<u64> {
    cell.strip_prefix("zcrm_")?.parse().ok()
}

/// Which column is which.
struct BackupColumns {
    parent_module: usize,
    parent: usize,
    entry: Option<usize>,
    name: Option<usize>,
    link: Option<usize>,
    status: Option<usize>,
    upload_field: Option<usize>,
    owner: Option<usize>,
    created: Option<usize>,
}

/// What was counted of a column.
#[derive(Clone, Default)]
struct ColumnSample {
    /// Cells that begin with a code that a file has.
    entries: usize,
    /// Cells that are what an entry has behind its code.
    names: usize,
    /// Cells that are addresses.
    links: usize,
    /// Distinct ids of Zoho.
    ids: HashSet<u64>,
}

impl BackupColumns {
    fn used(&self) -> TableUse {
        let needed = [Some(self.parent_module), Some(self.parent)];
        let others = [self.entry, self.name, self.link, self.status, self.upload_field, self.owner, self.created];
        TableUse::of(needed.into_iter().chain(others))
    }

    /// Finds the columns; `None` where the table is not of attachments.
    fn find(
        export: &Export,
        table: ExportFileIx,
        files: &FileIndex<'_>,
    ) -> Result<Option<BackupColumns>, CollectError> {
        let mut table = ExportTable::open(export, table)?;
        let Some(parent_module) = table.column(&[PARENT_MODULE]) else { return Ok(None) };
        let samples = sample(&mut table, files)?;
        let most = |count: &dyn Fn(&ColumnSample) -> usize| {
            let best = (0..samples.len()).max_by_key(|column| (count(&samples[*column]), samples.len() - column))?;
            (count(&samples[best]) > 0).then_some(best)
        };
        let parent = table
            .column(&[
                "Parent.id",
                "Parent Id.id",
                "ID principale.id",
                "ID principal.id",
                "Übergeordnete.id",
                "Parent Id",
            ])
            .or_else(|| parent_beside(&table, parent_module, &samples))
            .or_else(|| most(&|sample| sample.ids.len()));
        let Some(parent) = parent else { return Ok(None) };
        let entry = most(&|sample| sample.entries).or_else(|| table.column(&["Record Id", "ID record"]));
        let name = table.column(&["File Name", "Nome file", "Dateiname", "Nombre de archivo"]);
        Ok(Some(BackupColumns {
            parent_module,
            parent,
            entry,
            name: name.or_else(|| most(&|sample| sample.names)),
            link: table.column(&["Link URL"]).or_else(|| most(&|sample| sample.links)),
            status: table.column(&["Record Status"]),
            upload_field: table.column(&["Field.id", "Campo.id", "Feld.id", "Champ.id"]),
            owner: table.column(&["Attachment Owner.id"]),
            created: table.column(&["Created Time", "Ora creazione"]),
        }))
    }
}

/// The column of ids that stands beside the one of the parents' modules.
fn parent_beside(table: &ExportTable, parent_module: usize, samples: &[ColumnSample]) -> Option<usize> {
    let is_id = |column: &usize| {
        let named_so = table.headings().get(*column).is_some_and(|heading| heading.trim().ends_with(".id"));
        named_so && samples.get(*column).is_some_and(|sample| !sample.ids.is_empty())
    };
    [parent_module.checked_sub(1), Some(parent_module + 1)].into_iter().flatten().find(is_id)
}

fn sample(table: &mut ExportTable, files: &FileIndex<'_>) -> Result<Vec<ColumnSample>, CollectError> {
    let mut samples = vec![ColumnSample::default(); table.headings().len()];
    let mut lines = 0;
    table.look_up(&TableUse::default(), &mut |row| {
        lines += 1;
        if lines > SAMPLE {
            return;
        }
        let has_file = |cell: &&str| code(cell).is_some_and(|code| files.find(code) != FileMatch::None);
        let behind = row.cells().find(has_file).and_then(|entry| entry.split_once('_')).map(|(_, name)| name);
        for (cell, sample) in row.cells().zip(&mut samples) {
            sample.entries += usize::from(has_file(&cell));
            sample.names += usize::from(Some(cell) == behind);
            sample.links += usize::from(cell.starts_with("http://") || cell.starts_with("https://"));
            sample.ids.extend(zcrm_number(cell));
        }
    })?;
    Ok(samples)
}

/// What notes and e-mails belong to.
#[derive(Default)]
struct Parents {
    /// Names of modules, each once.
    modules: Vec<String>,
    /// By kind of parent (`notes` or `emails`) and id: the module, as an index, and the id of what it belongs to.
    of: HashMap<(bool, u64), (u16, u64)>,
}

impl Parents {
    fn read(export: &Export) -> Result<Parents, CollectError> {
        let mut parents = Parents::default();
        for (is_note, table) in [(true, "notes"), (false, "emails")] {
            for file in numbered(export, table) {
                parents.add(&mut ExportTable::open(export, file)?, is_note)?;
            }
        }
        Ok(parents)
    }

    /// Notes name their parent as attachments do; e-mails have `Module` and `Record Name.id`.
    fn add(&mut self, table: &mut ExportTable, is_note: bool) -> Result<(), CollectError> {
        let headings: &[&str] = if is_note { &[PARENT_MODULE] } else { &["Module", PARENT_MODULE] };
        let Some(module) = table.column(headings) else { return Ok(()) };
        let named = table.column(&[
            "Record Name.id",
            "Parent.id",
            "Parent Id.id",
            "ID principale.id",
            "ID principal.id",
            "Übergeordnete.id",
        ]);
        let beside = |heading: Option<&String>| heading.is_some_and(|heading| heading.trim().ends_with(".id"));
        let parent = named.or_else(|| {
            let at = module.checked_sub(1)?;
            beside(table.headings().get(at)).then_some(at)
        });
        let Some(parent) = parent else { return Ok(()) };
        // The first column with an id is the line's own, whatever its heading is called.
        let own = table.column(&["Record Id", "Note Id", "ID record"]);
        table.look_up(&TableUse::of([own, Some(module), Some(parent)]), &mut |row| {
            let own = zcrm_number(row.get(own)).or_else(|| row.cells().find_map(zcrm_number));
            if let (Some(own), Some(parent)) = (own, zcrm_number(row.get(Some(parent)))) {
                let module = self.module(row.get(Some(module)));
                self.of.insert((is_note, own), (module, parent));
            }
        })
    }

    fn module(&mut self, name: &str) -> u16 {
        let known = self.modules.iter().position(|module| module == name);
        let at = known.unwrap_or_else(|| {
            self.modules.push(name.to_owned());
            self.modules.len() - 1
        });
        // Far fewer modules exist than numbers of 16 bits.
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// The record that a note or an e-mail belongs to: its module and its id. A note may hang on an e-mail.
    fn climb<'p>(&'p self, module: &'p str, id: u64) -> Option<(&'p str, u64)> {
        let (mut module, mut id) = (module, id);
        for _ in 0..4 {
            let Some(is_note) = is_between(module) else { return Some((module, id)) };
            let (number, parent) = *self.of.get(&(is_note, id))?;
            (module, id) = (self.modules.get(usize::from(number))?.as_str(), parent);
        }
        None
    }
}

/// Whether a module's records only stand between a file and its record, and whether they are notes.
fn is_between(module: &str) -> Option<bool> {
    match module.to_lowercase().as_str() {
        "notes" => Some(true),
        "emails" => Some(false),
        _ => None,
    }
}

/// API names of custom modules by their internal ones, as `Modules_001.csv` gives them.
fn custom_modules(export: &Export) -> Result<HashMap<String, String>, CollectError> {
    let mut modules = HashMap::new();
    for file in numbered(export, "modules") {
        let mut table = ExportTable::open(export, file)?;
        let internal = table.column(&["Module Name", "module_name", "Internal Name", "Name"]);
        let Some(api) = table.column(&["API Name", "api_name", "Module API Name"]) else { continue };
        table.look_up(&TableUse::of([internal, Some(api)]), &mut |row| {
            // Where the heading is translated, the internal name is known by how it is built.
            let built_so = |cell: &&str| cell.starts_with("CustomModule");
            let internal =
                Some(row.get(internal)).filter(|name| !name.is_empty()).or_else(|| row.cells().find(built_so));
            if let (Some(internal), api @ [_, ..]) = (internal, row.get(Some(api)).as_bytes()) {
                modules.insert(internal.to_owned(), String::from_utf8_lossy(api).into_owned());
            }
        })?;
    }
    Ok(modules)
}

/// A line about an attachment.
struct BackupLine<'l> {
    columns: &'l BackupColumns,
    row: ExportRow<'l>,
}

impl BackupLine<'_> {
    fn end(
        &self,
        parents: &Parents,
        custom: &HashMap<String, String>,
        files: &FileIndex<'_>,
        options: &RecipeOptions,
        out: &mut Collector<'_>,
    ) -> Result<LineEnd, CollectError> {
        let (columns, row) = (self.columns, self.row);
        let (entry, link) = (row.get(columns.entry), row.get(columns.link));
        let name = self.name(entry, link);
        let found = code(entry).map_or(FileMatch::None, |code| files.find(code));
        let leave = |out: &mut Collector<'_>, reason| {
            out.speak_of_all(found.clone());
            out.leave_out(row.origin, entry, name, reason)
        };
        let (parent_module, parent) = (row.get(Some(columns.parent_module)), row.get(Some(columns.parent)));
        let status = row.get(columns.status);
        if !status.is_empty() && !status.eq_ignore_ascii_case("available") {
            return leave(out, LeftOutReason::NotAvailable);
        }
        if !row.get(columns.upload_field).is_empty() {
            return leave(out, LeftOutReason::UploadField);
        }
        if parent.is_empty() || parent_module.is_empty() {
            return leave(out, LeftOutReason::NoParent);
        }
        let climbed;
        let (module, key, between) = match is_between(parent_module) {
            None => (parent_module, parent, String::new()),
            Some(_) => match zcrm_number(parent).and_then(|id| parents.climb(parent_module, id)) {
                Some((module, id)) => {
                    climbed = format!("zcrm_{id}");
                    (module, climbed.as_str(), format!("{parent_module} {parent}"))
                }
                None => return leave(out, LeftOutReason::ParentMissing),
            },
        };
        // A custom module is found in the backup itself, before the module for all that nobody knows.
        let known = custom.get(module).map(String::as_str).filter(|_| options.modules.given(module).is_none());
        let Some(api_name) = known.or_else(|| options.modules.find(module, MODULES)) else {
            out.speak_of_all(found);
            return out.leave_out(row.origin, module, name, LeftOutReason::ModuleUnknown);
        };
        let more = [entry, &between, row.get(columns.owner), row.get(columns.created)];
        let source = match link {
            "" => match out.only(row.origin, entry, name, found)? {
                Ok(file) => CollectedSource::File(file),
                Err(end) => return Ok(end),
            },
            link => CollectedSource::Link(link),
        };
        out.row(row.origin, entry, CollectedRow { module: api_name, key, source, name, more: &more })
    }

    /// The name of the file; a link needs none.
    fn name<'n>(&'n self, entry: &'n str, link: &str) -> &'n str {
        match self.row.get(self.columns.name) {
            "" if link.is_empty() => entry.split_once('_').map_or(entry, |(_, name)| name),
            name => name,
        }
    }
}
