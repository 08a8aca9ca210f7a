//! The recipe `folder`: any folder whose names say which record a file belongs to.
//!
//! | column | from |
//! | --- | --- |
//! | `module`, `key`, `name` | the path, by the pattern |
//! | `file` | the file |

use super::collector::{CollectedRow, CollectedSource, Collector};
use super::error::{CollectError, CollectNeed};
use super::export::{Export, ExportFileIx, ZipsInFolders};
use super::names::is_system_file;
use super::pattern::Pattern;
use super::{LeftOutReason, Recipe, RecipeColumn, RecipeOptions};

/// A folder for each record, or names that begin with the record's key.
pub(super) struct Folder;

/// Where nobody says how names are built.
pub(crate) const WITH_MODULE: &str = "{module}/{key}/{name}";
pub(crate) const WITHOUT_MODULE: &str = "{key}/{name}";

impl Recipe for Folder {
    fn name(&self) -> &'static str {
        "folder"
    }

    fn columns(&self, _: &RecipeOptions) -> Vec<RecipeColumn> {
        Vec::new()
    }

    /// A zip in a customer's folder is a file of the customer.
    fn zips(&self) -> ZipsInFolders {
        ZipsInFolders::None
    }

    fn collect(
        &self,
        export: &Export,
        options: &RecipeOptions,
        out: &mut Collector<'_>,
    ) -> Result<Vec<ExportFileIx>, CollectError> {
        let standard = if options.modules.otherwise().is_some() { WITHOUT_MODULE } else { WITH_MODULE };
        let pattern = Pattern::read(options.pattern.as_deref().unwrap_or(standard))?;
        if !pattern.has_module() && options.modules.otherwise().is_none() {
            return Err(CollectError::Needs(CollectNeed::Module));
        }
        let files: Vec<ExportFileIx> = export.files().collect();
        for file in &files {
            let path = export.inner(*file);
            let found = if is_system_file(path) { None } else { pattern.matches(path) };
            let Some(found) = found else {
                let reason = if is_system_file(path) { LeftOutReason::SystemFile } else { LeftOutReason::NoPattern };
                out.leave_file(*file, reason)?;
                continue;
            };
            let module = match found.module {
                Some(module) => options.modules.find_by_name(module),
                None => options.modules.otherwise(),
            };
            let Some(module) = module else {
                out.leave_file(*file, LeftOutReason::ModuleUnknown)?;
                continue;
            };
            let name = found.name.unwrap_or_else(|| export.name(*file));
            let source = CollectedSource::File(*file);
            out.row_of_file(*file, CollectedRow { module, key: found.key.trim(), source, name, more: &[] })?;
        }
        Ok(files)
    }
}
