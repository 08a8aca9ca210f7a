//! Turns an export of an old system, as it lies on the disk, into a manifest with the old system's ids as keys, and a list
//! of everything that did not become a row.
//!
//! | to change | open |
//! | --- | --- |
//! | what a system's export looks like | its recipe: `folder.rs`, `zoho_backup.rs`, `salesforce.rs`, `suitecrm.rs`, `dynamics.rs`, `mapped.rs` |
//! | a reason for leaving something out | `explain/reasons.rs` |
//! | what of a row must hold, what is counted | `collector.rs` |
//! | how tables are read | `table.rs`, workbooks in `sheet.rs` |
//! | how folders and zips are looked through, how paths are written | `export.rs` |
//! | which version of a document is taken, what its line comes to | `documents.rs` |
//! | names that are made fit | `names.rs` |
//! | modules by other names | `modules.rs` |
//!
//! Nothing is sent, and files are looked at, not read. Which record of the CRM a key stands for is left to crosswalks.

mod collector;
mod documents;
mod dynamics;
mod error;
mod export;
mod folder;
mod mapped;
mod modules;
mod names;
mod pattern;
mod salesforce;
mod sheet;
mod suitecrm;
mod table;
#[cfg(test)]
mod tests;
mod zoho_backup;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use self::collector::CollectCounts;
pub use self::error::{CollectError, CollectNeed};
use crate::atomic_file::{PreparedFile, prepare};
use crate::explain::reasons::LeftOutReason;

pub(crate) use self::collector::{COLUMNS, LEFT_OUT_COLUMNS};
pub(crate) use self::folder::{WITH_MODULE, WITHOUT_MODULE};

use self::collector::Collector;
use self::error::OrWhat as _;
use self::export::{Export, ExportFileIx, PathStyle, ZipsInFolders};
use self::modules::ModuleNames;

/// One way in which exports are laid out. The next one is a file of its own: see CONTRIBUTING.
pub(crate) trait Recipe: Sync {
    /// As it is called on the command line.
    fn name(&self) -> &'static str;

    /// The columns that it adds to a manifest, each with where it comes from: checksums and `x_…`.
    fn columns(&self, options: &RecipeOptions) -> Vec<RecipeColumn>;

    /// Which zips in folders belong to the export.
    fn zips(&self) -> ZipsInFolders {
        ZipsInFolders::AtTop
    }

    /// Makes rows of everything that it knows, and says of each line that it reads where it ends. Gives the files that
    /// belong to the attachments: those that no line speaks of are listed afterwards.
    fn collect(
        &self,
        export: &Export,
        options: &RecipeOptions,
        out: &mut Collector<'_>,
    ) -> Result<Vec<ExportFileIx>, CollectError>;
}

/// A column that a recipe adds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RecipeColumn {
    /// Its heading in the manifest.
    pub(crate) name: String,
    /// The heading in the export that it comes from.
    pub(crate) from: String,
}

impl RecipeColumn {
    fn new(name: &str, from: &str) -> RecipeColumn {
        RecipeColumn { name: name.to_owned(), from: from.to_owned() }
    }
}

/// Every recipe, in the order of the documentation.
const RECIPES: [&dyn Recipe; 6] = [
    &folder::Folder,
    &zoho_backup::ZohoBackup,
    &salesforce::Salesforce,
    &suitecrm::SuiteCrm,
    &dynamics::Dynamics,
    &mapped::MappedTable,
];

/// The names of the recipes.
pub fn recipe_names() -> [&'static str; 6] {
    RECIPES.map(Recipe::name)
}

/// What the user says besides the recipe and the places.
#[derive(Clone, Default, Debug)]
pub struct CollectOptions {
    /// Where the manifest goes.
    pub manifest: PathBuf,
    /// Where the list of what was left out goes.
    pub left_out: PathBuf,
    /// The module of records of which the export says none.
    pub module: Option<String>,
    /// A CSV `prefix,module` of the user's own.
    pub map: Option<PathBuf>,
    /// How names are built, for `folder`.
    pub pattern: Option<String>,
    /// Which column is which, for `table`: manifest column and heading.
    pub columns: Vec<(String, String)>,
    /// Which sheet of a workbook, for `table`; `None`: the first one.
    pub sheet: Option<String>,
    /// Where files go that the export holds as text, for `dynamics`.
    pub extract: Option<PathBuf>,
}

/// What a recipe is told.
pub(crate) struct RecipeOptions {
    pub(crate) modules: ModuleNames,
    pub(crate) pattern: Option<String>,
    pub(crate) columns: Vec<(String, String)>,
    pub(crate) sheet: Option<String>,
    /// Where files go that are made from the export, and how that folder is written in the manifest.
    pub(crate) extract: Option<(PathBuf, String)>,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Collected {
    /// How much of what.
    pub counts: CollectCounts,
    /// The folder that a run has to be told of, where the manifest's own does not hold the files.
    pub root: Option<PathBuf>,
}

/// Reads an export to its end and writes both files, each as a whole. `progress` is told of files found and lines read.
///
/// # Errors
///
/// There is no such layout, an option makes no sense, or the disk gives or takes something not. Nothing is written then.
pub fn collect(
    recipe: &str,
    places: &[PathBuf],
    options: &CollectOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<Collected, CollectError> {
    let recipe = RECIPES.into_iter().find(|known| known.name() == recipe).ok_or_else(|| {
        CollectError::Usage(format!("there is no recipe {recipe}; there are {}", recipe_names().join(", ")))
    })?;
    let modules = ModuleNames::read(options.map.as_deref(), options.module.as_deref())?;
    if let Some(extract) = &options.extract {
        std::fs::create_dir_all(extract)
            .map_err(|error| CollectError::Io(format!("cannot make the folder {}", extract.display()), error))?;
    }
    let held: Vec<PathBuf> = places.iter().chain(&options.extract).cloned().collect();
    let folder = options.manifest.parent().unwrap_or(Path::new(""));
    let style = PathStyle::new(folder, &held)?;
    let extract = match &options.extract {
        None => None,
        Some(folder) => match style.written(folder)? {
            Some(written) => Some((folder.clone(), written)),
            None => return Err(CollectError::Usage(format!("the path {} is no text", folder.display()))),
        },
    };
    let besides = [options.manifest.clone(), options.left_out.clone()];
    let export = Export::look(places, &besides, &style, recipe.zips(), progress)?;
    let CollectOptions { pattern, columns, sheet, .. } = options.clone();
    let told = RecipeOptions { modules, pattern, columns, sheet, extract };
    let columns: Vec<String> = recipe.columns(&told).into_iter().map(|column| column.name).collect();
    let counts = write_both(options, |manifest, left_out| {
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let mut out = Collector::new(&export, &columns, manifest, left_out, progress)?;
        let candidates = recipe.collect(&export, &told, &mut out)?;
        out.finish(&candidates)
    })?;
    Ok(Collected { counts, root: style.root().map(Path::to_owned) })
}

/// Writes manifest and list; both take their places only when both are whole.
fn write_both(
    options: &CollectOptions,
    fill: impl FnOnce(&mut dyn Write, &mut dyn Write) -> Result<CollectCounts, CollectError>,
) -> Result<CollectCounts, CollectError> {
    let (mut filled, mut list) = (None, None);
    let manifest = prepare(&options.manifest, |manifest| {
        let prepared = prepare(&options.left_out, |left_out| {
            let result = fill(manifest, left_out);
            let outcome = if result.is_ok() { Ok(()) } else { Err(io::ErrorKind::Other.into()) };
            filled = Some(result);
            outcome
        })?;
        list = Some(prepared);
        Ok(())
    });
    let counts = match filled {
        Some(result) => result?,
        None => CollectCounts::default(),
    };
    let writing = || format!("cannot write {} and {}", options.manifest.display(), options.left_out.display());
    let (manifest, list) = (manifest.or_what(writing)?, list.ok_or(io::ErrorKind::Other.into()).or_what(writing)?);
    put_both(options, manifest, list).or_what(writing)?;
    Ok(counts)
}

/// Two files cannot take their places at once. So an earlier manifest goes first, then the list takes its place, and the
/// manifest last: wherever this breaks off, a manifest that is there has its own list beside it. The other way round a
/// manifest would stand beside the list of another collection, and whoever runs it would believe that nothing else is
/// missing. Without a manifest the same command makes both anew.
fn put_both(options: &CollectOptions, manifest: PreparedFile, list: PreparedFile) -> io::Result<()> {
    // A link stays one: what it leads to is the manifest.
    if let Ok(earlier) = options.manifest.canonicalize()
        && earlier.is_file()
    {
        std::fs::remove_file(earlier)?;
    }
    list.put()?;
    manifest.put()
}
