//! Which module of Zoho CRM a kind of record of the old system is: what recipes know, and what the user says.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::error::{CollectError, OrWhat as _};
use crate::check::meant_module;
use crate::text::{masked_excerpt, system_words};

/// What the old system calls a kind of record, and the module's API name.
pub(super) type ModuleAliases = [(&'static str, &'static str)];

/// Modules by what the old system calls them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct ModuleNames {
    /// What the user says, in lower case.
    given: HashMap<String, String>,
    /// For everything else.
    otherwise: Option<String>,
}

/// No list of modules is longer, in bytes.
const MOST_OF_A_LIST: u64 = 4 << 20;

impl ModuleNames {
    /// Reads the user's own list, a CSV with the columns `prefix` and `module`.
    ///
    /// # Errors
    ///
    /// It cannot be read, or lacks a column or a cell, or names something that is no module.
    pub(crate) fn read(map: Option<&Path>, otherwise: Option<&str>) -> Result<ModuleNames, CollectError> {
        let otherwise = otherwise.map(|name| meant(name).map_err(CollectError::Usage)).transpose()?;
        let mut names = ModuleNames { given: HashMap::new(), otherwise };
        let Some(path) = map else { return Ok(names) };
        let text = list(path)?;
        let unusable = |what: String| CollectError::Usage(format!("{}: {what}", path.display()));
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let headings = reader.headers().map_err(|error| unusable(system_words(&error.into())))?.clone();
        let column = |name: &str| headings.iter().position(|heading| heading.eq_ignore_ascii_case(name));
        let (Some(prefix), Some(module)) = (column("prefix"), column("module")) else {
            return Err(unusable("it needs the columns prefix,module".to_owned()));
        };
        for row in reader.records() {
            let row = row.map_err(|error| unusable(system_words(&error.into())))?;
            let line = row.position().map_or(0, csv::Position::line);
            let cell = |column: usize| row.get(column).unwrap_or_default();
            if cell(prefix).is_empty() || cell(module).is_empty() {
                return Err(unusable(format!("line {line} has an empty cell")));
            }
            let module = meant(cell(module)).map_err(|what| unusable(format!("line {line}: {what}")))?;
            names.given.insert(cell(prefix).to_lowercase(), module);
        }
        Ok(names)
    }

    /// The module of a kind of record; `None` if nobody knows. The user knows better than the recipe.
    pub(super) fn find<'n>(&'n self, kind: &str, known: &ModuleAliases) -> Option<&'n str> {
        self.given(kind)
            .or_else(|| known.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind)).map(|(_, module)| *module))
            .or(self.otherwise.as_deref())
    }

    /// The module of a kind of record that the export calls as Zoho CRM does, in whatever spelling, or as the user says.
    pub(super) fn find_by_name<'n>(&'n self, kind: &'n str) -> Option<&'n str> {
        self.given(kind).or_else(|| meant_module(kind))
    }

    /// The module that the user says for a kind of record.
    pub(super) fn given(&self, kind: &str) -> Option<&str> {
        self.given.get(&kind.to_lowercase()).map(String::as_str)
    }

    /// The module for records of which the export names none.
    pub(super) fn otherwise(&self) -> Option<&str> {
        self.otherwise.as_deref()
    }
}

/// The API name of a module that the user names.
fn meant(name: &str) -> Result<String, String> {
    let what = || format!("\"{}\" cannot be the API name of a module that takes attachments", masked_excerpt(name));
    meant_module(name.trim()).map(str::to_owned).ok_or_else(what)
}

/// The text of the user's list.
fn list(path: &Path) -> Result<String, CollectError> {
    let what = || format!("cannot read {}", path.display());
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(MOST_OF_A_LIST + 1).read_to_string(&mut text)).or_what(what)?;
    if text.len() as u64 > MOST_OF_A_LIST {
        return Err(CollectError::Usage(format!("{} is too large for a list of modules", path.display())));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_knows_better_than_the_recipe_and_a_given_module_is_for_the_rest() {
        let folder = tempfile::tempdir().expect("a folder");
        let map = folder.path().join("map.csv");
        std::fs::write(&map, "\u{feff}Prefix, Module\na0B,Vessels\n006,Projects__c\n500,tickets\n").expect("written");
        let known: &ModuleAliases = &[("003", "Contacts"), ("006", "Deals")];
        let names = ModuleNames::read(Some(&map), None).expect("read");
        assert_eq!(names.find("006", known), Some("Projects__c"));
        assert_eq!(names.find("A0b", known), Some("Vessels"));
        assert_eq!((names.find("003", known), names.find("xyz", known)), (Some("Contacts"), None));
        assert_eq!((names.given("500"), names.find_by_name("sales orders")), (Some("Cases"), Some("Sales_Orders")));
        let names = ModuleNames::read(None, Some("leads")).expect("read");
        assert_eq!(names.find("xyz", known), Some("Leads"));
        for wrong in ["a,b\n1,2\n", "prefix,module\n,Leads\n", "prefix,module\na0B,My ships\n", &"x".repeat(5 << 20)] {
            std::fs::write(&map, wrong).expect("written");
            assert!(ModuleNames::read(Some(&map), None).is_err(), "{wrong}");
        }
    }
}
