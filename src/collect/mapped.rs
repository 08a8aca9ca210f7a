//! The recipe `table`: any CSV or workbook whose columns the user names, for exports that no other recipe knows.
//!
//! | column | from |
//! | --- | --- |
//! | `key`, `file` or `url`, `name`, `module`, `sha256`, `md5` | the column that the user says |
//! | `x_…` | any other column that the user says |
//!
//! Paths are relative to the folder of the table, or to a folder or zip that was given beside it.

use std::collections::HashMap;

use super::collector::{CollectedRow, CollectedSource, Collector, LineEnd};
use super::error::{CollectError, CollectNeed};
use super::export::{Export, ExportFileIx, FileMatch};
use super::table::{ExportRow, ExportTable, TableUse};
use super::{LeftOutReason, Recipe, RecipeColumn, RecipeOptions};

/// A table of the user's own.
pub(super) struct MappedTable;

/// What may be named besides `x_…`.
const KNOWN: [&str; 7] = ["module", "key", "file", "url", "name", "sha256", "md5"];

impl Recipe for MappedTable {
    fn name(&self) -> &'static str {
        "table"
    }

    fn columns(&self, options: &RecipeOptions) -> Vec<RecipeColumn> {
        let more = options.columns.iter().filter(|(column, _)| is_more(column));
        more.map(|(column, heading)| RecipeColumn::new(column, heading)).collect()
    }

    fn collect(
        &self,
        export: &Export,
        options: &RecipeOptions,
        out: &mut Collector<'_>,
    ) -> Result<Vec<ExportFileIx>, CollectError> {
        check(options)?;
        let (mut tables, mut looked_at) = (Vec::new(), Vec::new());
        let sheet = options.sheet.as_deref();
        for file in export.tables(|_| true).into_iter().chain(export.workbooks()) {
            // What cannot be read is no table here: exports have files of any kind, and somebody attached them.
            match ExportTable::open_any(export, file, sheet) {
                Ok(table) => match MappedColumns::find(&table, options) {
                    Some(columns) => tables.push((file, columns)),
                    None => looked_at.push(format!("{} with {}", export.written(file), table.headings().join(", "))),
                },
                Err(why) => looked_at.push(why.to_string()),
            }
        }
        if tables.is_empty() {
            let wanted: Vec<&str> = options.columns.iter().map(|(_, heading)| heading.as_str()).collect();
            return Err(CollectError::NoLayout {
                recipe: self.name(),
                wanted: format!("a CSV or a workbook with the columns {}", wanted.join(", ")),
                found: if looked_at.is_empty() { export.sample() } else { looked_at },
            });
        }
        let is_table = |file: &ExportFileIx| tables.iter().any(|(table, _)| table == file);
        let candidates: Vec<ExportFileIx> = export.files().filter(|file| !is_table(file)).collect();
        let mut by_path: HashMap<&str, Vec<ExportFileIx>> = HashMap::with_capacity(candidates.len());
        for file in &candidates {
            by_path.entry(export.inner(*file)).or_default().push(*file);
        }
        for (table, columns) in &tables {
            let files = MappedFiles { export, by_path: &by_path, table: *table };
            ExportTable::open_any(export, *table, sheet)?
                .each_line(&columns.used(), out, &mut |row, out| columns.end(row, &files, options, out))?;
        }
        Ok(candidates)
    }
}

fn is_more(column: &str) -> bool {
    column.starts_with("x_") || matches!(column, "sha256" | "md5")
}

/// What the user says must make sense.
fn check(options: &RecipeOptions) -> Result<(), CollectError> {
    let has = |wanted: &str| options.columns.iter().filter(|(column, _)| column == wanted).count();
    let wrong = |what: String| Err(CollectError::Usage(what));
    if has("key") == 0 || has("file") + has("url") == 0 {
        return Err(CollectError::Needs(CollectNeed::Columns));
    }
    if has("module") == 0 && options.modules.otherwise().is_none() {
        return Err(CollectError::Needs(CollectNeed::Module));
    }
    for (column, _) in &options.columns {
        if !KNOWN.contains(&column.as_str()) && column.strip_prefix("x_").is_none_or(str::is_empty) {
            return wrong(format!("there is no column {column}; there are {} and x_…", KNOWN.join(", ")));
        }
        if has(column) > 1 {
            return wrong(format!("the column {column} is named twice"));
        }
    }
    Ok(())
}

/// Which column is which.
struct MappedColumns {
    module: Option<usize>,
    key: Option<usize>,
    file: Option<usize>,
    url: Option<usize>,
    name: Option<usize>,
    more: Vec<Option<usize>>,
}

/// The files that the paths in a table may mean.
struct MappedFiles<'e> {
    export: &'e Export,
    /// By their paths within the folders and zips that were given.
    by_path: &'e HashMap<&'e str, Vec<ExportFileIx>>,
    /// Where the paths stand.
    table: ExportFileIx,
}

impl MappedFiles<'_> {
    /// What a path means: relative to the table's folder, in whichever place the file was given, or else to one of the places.
    fn find(&self, path: &str) -> Vec<ExportFileIx> {
        let table = self.export.written(self.table);
        let beside = &table[..table.len() - self.export.name(self.table).len()];
        let beside = format!("{beside}{path}");
        let in_place = |(place, inner)| {
            let files = self.by_path.get(inner).into_iter().flatten();
            files.copied().filter(move |file| self.export.container_of(*file) == place)
        };
        let found: Vec<ExportFileIx> = self.export.places_of(&beside).flat_map(in_place).collect();
        if found.is_empty() { self.by_path.get(path).cloned().unwrap_or_default() } else { found }
    }
}

impl MappedColumns {
    /// Finds the columns; `None` unless all are there.
    fn find(table: &ExportTable, options: &RecipeOptions) -> Option<MappedColumns> {
        let heading = |wanted: &str| options.columns.iter().find(|(column, _)| column == wanted);
        let find = |wanted: &str| match heading(wanted) {
            Some((_, heading)) => table.column(&[heading]).map(Some),
            None => Some(None),
        };
        let more = options.columns.iter().filter(|(column, _)| is_more(column));
        let more = more.map(|(column, _)| find(column)).collect::<Option<Vec<_>>>()?;
        Some(MappedColumns {
            module: find("module")?,
            key: find("key")?,
            file: find("file")?,
            url: find("url")?,
            name: find("name")?,
            more,
        })
    }

    fn used(&self) -> TableUse {
        let meant = [self.module, self.key, self.file, self.url, self.name];
        TableUse::of(meant).carrying(self.more.iter().copied())
    }

    fn end(
        &self,
        row: ExportRow<'_>,
        files: &MappedFiles<'_>,
        options: &RecipeOptions,
        out: &mut Collector<'_>,
    ) -> Result<LineEnd, CollectError> {
        let (key, path, url, name) = (row.get(self.key), row.get(self.file), row.get(self.url), row.get(self.name));
        let kind = row.get(self.module);
        let module = match kind {
            "" => options.modules.otherwise(),
            kind => options.modules.find_by_name(kind),
        };
        let Some(module) = module else {
            let id = if kind.is_empty() { key } else { kind };
            return out.leave_out(row.origin, id, name, LeftOutReason::ModuleUnknown);
        };
        let more: Vec<&str> = self.more.iter().map(|column| row.get(*column)).collect();
        let (source, name) = if path.is_empty() && !url.is_empty() {
            (CollectedSource::Link(url), name)
        } else {
            let path = path.replace('\\', "/");
            let path = path.strip_prefix("./").unwrap_or(&path);
            let found = files.find(path);
            let found = match found.as_slice() {
                [] => FileMatch::None,
                [file] => FileMatch::One(*file),
                several => FileMatch::Several(several),
            };
            match out.only(row.origin, key, if name.is_empty() { path } else { name }, found)? {
                Ok(file) => (CollectedSource::File(file), name),
                Err(end) => return Ok(end),
            }
        };
        out.row(row.origin, key, CollectedRow { module, key, source, name, more: &more })
    }
}
