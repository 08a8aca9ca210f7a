//! Which module of Zoho CRM a kind of record of the old system is: what recipes know, and what the user says.

use std::collections::HashMap;
use std::path::Path;

use super::error::{CollectError, OrWhat as _};

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

impl ModuleNames {
    /// Reads the user's own list, a CSV with the columns `prefix` and `module`.
    ///
    /// # Errors
    ///
    /// It cannot be read, or lacks a column or a cell.
    pub(crate) fn read(map: Option<&Path>, otherwise: Option<String>) -> Result<ModuleNames, CollectError> {
        let mut names = ModuleNames { given: HashMap::new(), otherwise };
        let Some(path) = map else { return Ok(names) };
        let text = std::fs::read_to_string(path).or_what(|| format!("cannot read {}", path.display()))?;
        let unusable = |what: String| CollectError::Usage(format!("{}: {what}", path.display()));
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let headings = reader.headers().map_err(|error| unusable(error.to_string()))?.clone();
        let column = |name: &str| headings.iter().position(|heading| heading.eq_ignore_ascii_case(name));
        let (Some(prefix), Some(module)) = (column("prefix"), column("module")) else {
            return Err(unusable("it needs the columns prefix,module".to_owned()));
        };
        for row in reader.records() {
            let row = row.map_err(|error| unusable(error.to_string()))?;
            let cell = |column: usize| row.get(column).unwrap_or_default();
            if cell(prefix).is_empty() || cell(module).is_empty() {
                let line = row.position().map_or(0, csv::Position::line);
                return Err(unusable(format!("line {line} has an empty cell")));
            }
            names.given.insert(cell(prefix).to_lowercase(), cell(module).to_owned());
        }
        Ok(names)
    }

    /// The module of a kind of record; `None` if nobody knows. The user knows better than the recipe.
    pub(super) fn find<'n>(&'n self, kind: &str, known: &ModuleAliases) -> Option<&'n str> {
        self.given(kind)
            .or_else(|| known.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind)).map(|(_, module)| *module))
            .or(self.otherwise.as_deref())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_knows_better_than_the_recipe_and_a_given_module_is_for_the_rest() {
        let folder = tempfile::tempdir().expect("a folder");
        let map = folder.path().join("map.csv");
        std::fs::write(&map, "\u{feff}Prefix, Module\na0B,Vessels\n006,Projects__c\n").expect("written");
        let known: &ModuleAliases = &[("003", "Contacts"), ("006", "Deals")];
        let names = ModuleNames::read(Some(&map), None).expect("read");
        assert_eq!(names.find("006", known), Some("Projects__c"));
        assert_eq!(names.find("A0b", known), Some("Vessels"));
        assert_eq!((names.find("003", known), names.find("xyz", known)), (Some("Contacts"), None));
        let names = ModuleNames::read(None, Some("Leads".to_owned())).expect("read");
        assert_eq!(names.find("xyz", known), Some("Leads"));
        for wrong in ["a,b\n1,2\n", "prefix,module\n,Leads\n"] {
            std::fs::write(&map, wrong).expect("written");
            assert!(ModuleNames::read(Some(&map), None).is_err(), "{wrong}");
        }
    }
}
