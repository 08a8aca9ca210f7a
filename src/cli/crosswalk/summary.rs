//! What a crosswalk has in it: for people a table and the next command, for programs JSON.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::CrosswalkArgs;
use crate::cli::command_line::CommandLine;
use crate::console::Look;
use crate::crosswalk::writer::{CrosswalkRow, CrosswalkWritten};
use crate::crosswalk::{Crosswalk, KeyMatch};
use crate::engine::requests::RequestTotals;
use crate::exit::Exit;
use crate::text::masked_excerpt;
use crate::units;

/// As many keys that were not found are named.
const SHOWN_KEYS: usize = 5;

/// What was made of a look-up or a table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Crosswalk")]
pub(crate) struct CrosswalkSummary {
    /// Version of this document.
    version: u32,
    /// The file that was written.
    file: String,
    /// Its lines without the header.
    lines: u64,
    /// By module.
    modules: Vec<ModuleSummary>,
    /// Lines of a table, its header not counted; null for a look-up.
    table_lines: Option<u64>,
    /// Lines of a table that have no key; null for a look-up.
    table_without_key: Option<u64>,
    /// Values that cannot be keys and were left out.
    left_out: u64,
    /// The first of them.
    first_left_out: Option<String>,
    /// Rows of the manifest whose key is damaged, so that nobody was asked for it.
    damaged_keys: u32,
    /// Modules of the manifest with keys that nobody asked for.
    modules_not_asked: Vec<String>,
    /// Requests made; 0 for a table.
    requests: u64,
    /// API credits that they cost by the price list.
    credits: u64,
    /// The command that comes next.
    next: String,
}

/// What was found in one module.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub(crate) struct ModuleSummary {
    /// Its API name.
    module: String,
    /// The field by its API name, or the heading of the column.
    field: String,
    /// How it was asked for: `coql`, `bulk-read`, `none`; null for a table.
    way: Option<&'static str>,
    /// Different keys that have a record.
    keys: u64,
    /// Keys that the manifest names; null where none was given.
    wanted: Option<u64>,
    /// Of these, such with one record.
    found: Option<u64>,
    /// Of these, such with no record.
    not_found: Option<u64>,
    /// Of these, such with several records; without a manifest, of all keys.
    ambiguous: u64,
    /// The first keys that were not found.
    first_not_found: Vec<String>,
    /// The first ambiguous keys.
    first_ambiguous: Vec<String>,
}

impl ModuleSummary {
    /// Counts what was found of the keys that are wanted, or of all.
    pub(super) fn of(
        module: &str,
        field: &str,
        way: Option<&'static str>,
        rows: &[CrosswalkRow],
        wanted: Option<&BTreeSet<String>>,
    ) -> ModuleSummary {
        let crosswalk =
            Crosswalk::of(rows.iter().filter(|row| row.module == module).map(|row| (module, &*row.key, row.record)));
        let number = crosswalk.module(module);
        let find = |key: &str| number.map_or(KeyMatch::Unknown, |number| crosswalk.find(number, key));
        let mut summary = ModuleSummary {
            module: module.to_owned(),
            field: field.to_owned(),
            way,
            keys: crosswalk.len() as u64,
            wanted: wanted.map(|keys| keys.len() as u64),
            found: wanted.map(|_| 0),
            not_found: wanted.map(|_| 0),
            ambiguous: 0,
            first_not_found: Vec::new(),
            first_ambiguous: Vec::new(),
        };
        let Some(wanted) = wanted else {
            summary.ambiguous = crosswalk.ambiguous().count() as u64;
            summary.first_ambiguous = crosswalk.ambiguous().take(SHOWN_KEYS).map(masked_excerpt).collect();
            return summary;
        };
        for key in wanted {
            let (count, names) = match find(key) {
                KeyMatch::Exact(_) | KeyMatch::Spelled(_) => (summary.found.get_or_insert(0), None),
                KeyMatch::Unknown => (summary.not_found.get_or_insert(0), Some(&mut summary.first_not_found)),
                KeyMatch::Ambiguous(..) => (&mut summary.ambiguous, Some(&mut summary.first_ambiguous)),
            };
            *count += 1;
            if let Some(names) = names.filter(|names| names.len() < SHOWN_KEYS) {
                names.push(masked_excerpt(key));
            }
        }
        summary
    }
}

/// What a look-up made.
pub(super) struct LookedUp<'a> {
    pub(super) modules: Vec<ModuleSummary>,
    pub(super) counts: RequestTotals,
    pub(super) damaged_keys: u32,
    pub(super) modules_not_asked: Vec<String>,
    pub(super) args: &'a CrosswalkArgs,
}

impl CrosswalkSummary {
    pub(super) fn of_table(
        to: &Path,
        written: &CrosswalkWritten,
        module: ModuleSummary,
        lines: u64,
        without_key: u64,
        args: &CrosswalkArgs,
    ) -> CrosswalkSummary {
        let looked_up = LookedUp {
            modules: vec![module],
            counts: RequestTotals::default(),
            damaged_keys: 0,
            modules_not_asked: Vec::new(),
            args,
        };
        let summary = CrosswalkSummary::of_lookup(to, written, looked_up);
        CrosswalkSummary { table_lines: Some(lines), table_without_key: Some(without_key), ..summary }
    }

    pub(super) fn of_lookup(to: &Path, written: &CrosswalkWritten, looked_up: LookedUp<'_>) -> CrosswalkSummary {
        CrosswalkSummary {
            version: 1,
            file: to.display().to_string(),
            lines: written.lines,
            modules: looked_up.modules,
            table_lines: None,
            table_without_key: None,
            left_out: written.no_keys,
            first_left_out: written.first_no_key.as_deref().map(masked_excerpt),
            damaged_keys: looked_up.damaged_keys,
            modules_not_asked: looked_up.modules_not_asked,
            requests: looked_up.counts.requests,
            credits: looked_up.counts.credits,
            next: dry_run(to, looked_up.args).to_string(),
        }
    }

    /// Keys that were not found or stand for several records are for somebody to look at.
    pub(super) fn status(&self) -> Exit {
        let is_whole = |module: &ModuleSummary| module.not_found.unwrap_or(0) == 0 && module.ambiguous == 0;
        let whole = self.modules.iter().all(is_whole) && self.damaged_keys == 0 && self.modules_not_asked.is_empty();
        if whole { Exit::Done } else { Exit::SomeFailed }
    }

    pub(super) fn json(&self) -> String {
        // It is made of texts and numbers; nothing in it can fail to be written.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    pub(super) fn human(&self, _look: Look) -> String {
        let mut text = table(&self.modules);
        for module in &self.modules {
            for (what, keys, all) in [
                ("not found", &module.first_not_found, module.not_found.unwrap_or(0)),
                ("ambiguous", &module.first_ambiguous, module.ambiguous),
            ] {
                if !keys.is_empty() {
                    let more = if all > keys.len() as u64 { ", …" } else { "" };
                    let _ = writeln!(text, "{} {what}: {}{more}", module.module, keys.join(", "));
                }
            }
        }
        self.write_notes(&mut text);
        let _ = writeln!(text, "Wrote {} with {}.", self.file, units::counted(self.lines, "line"));
        if self.requests > 0 {
            let (requests, credits) =
                (units::counted(self.requests, "request"), units::counted(self.credits, "API credit"));
            let _ = writeln!(text, "It took {requests}, {credits} by the price list.");
        }
        let _ = writeln!(text, "Next: {}", self.next);
        text
    }

    fn write_notes(&self, text: &mut String) {
        if let (Some(lines), Some(without)) = (self.table_lines, self.table_without_key) {
            let _ = writeln!(
                text,
                "{} read, {} of them without a key.",
                units::counted(lines, "line"),
                units::count(without)
            );
        }
        if let Some(first) = &self.first_left_out {
            let values = units::counted(self.left_out, "value");
            let _ = writeln!(
                text,
                "Left out: {values} that cannot be keys, the first \"{first}\" (attache explain record-key-damaged)."
            );
        }
        if self.damaged_keys > 0 {
            let rows = units::counted(self.damaged_keys, "row");
            let _ = writeln!(text, "{rows} of the manifest have a damaged key; a dry run names them.");
        }
        if !self.modules_not_asked.is_empty() {
            let modules = self.modules_not_asked.join(", ");
            let _ = writeln!(text, "The manifest has keys of {modules} as well; add MODULE=FIELD for each.");
        }
    }
}

/// The command that checks the manifest with this crosswalk, read as it was read here.
fn dry_run(crosswalk: &Path, args: &CrosswalkArgs) -> CommandLine {
    let manifest = args.for_manifest.as_deref().unwrap_or(Path::new("MANIFEST"));
    let line = CommandLine::new("run").file(manifest).option("--crosswalk", crosswalk).flag("--dry-run");
    let line = args.custom_module.iter().fold(line, |line, module| line.option("--custom-module", module));
    // Of a table these tell how it is read itself.
    if args.table.is_some() {
        return line;
    }
    let line = args.column.iter().fold(line, |line, rule| line.option("--column", rule.to_string()));
    line.maybe("--encoding", args.encoding.map(|encoding| encoding.name())).maybe("--sheet", args.sheet.as_ref())
}

fn table(modules: &[ModuleSummary]) -> String {
    let heads = ["module", "field", "asked by", "wanted", "found", "not found", "ambiguous"].map(str::to_owned);
    let number = |number: Option<u64>| number.map_or("-".to_owned(), units::count);
    let rows = modules.iter().map(|module| {
        let found = module.found.unwrap_or(module.keys);
        [
            module.module.clone(),
            module.field.clone(),
            module.way.unwrap_or("table").to_owned(),
            number(module.wanted),
            units::count(found),
            number(module.not_found),
            units::count(module.ambiguous),
        ]
    });
    let rows: Vec<[String; 7]> = std::iter::once(heads).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            let width = width(column);
            let _ = if column < 3 { write!(text, "{cell:width$}  ") } else { write!(text, "{cell:>width$}  ") };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
