//! The keys that a manifest names, by module: what a look-up is for.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::key::judge_key;
use super::spelling::{NormalForm, has_unlisted_spellings, normal_form, spellings};
use crate::manifest::{Field, Manifest, RawRow};
use crate::problem::ProblemList;

/// The keys that rows name.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct WantedKeys {
    /// By module as written, the different keys.
    pub(crate) by_module: BTreeMap<String, BTreeSet<String>>,
    /// Rows whose key is damaged, so that nobody can be asked for it.
    pub(crate) damaged: u32,
}

/// What to ask for in one module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct WantedSpellings {
    /// Every spelling that can be listed, once.
    pub(crate) all: Vec<String>,
    /// Whether some keys may be spelled in further ways.
    pub(crate) has_unlisted: bool,
}

impl WantedKeys {
    /// Reads a manifest to its end. What is wrong with it is the business of the check.
    pub(crate) fn of(manifest: Manifest) -> WantedKeys {
        let mut wanted = WantedKeys::default();
        let mut problems = ProblemList::default();
        let mut reader = manifest.read(&mut problems);
        let mut row = RawRow::default();
        while reader.next(&mut row, &mut problems) {
            problems = ProblemList::default();
            let (module, key) = (row.get(Field::Module).trim(), row.get(Field::Key).trim());
            if module.is_empty() || key.is_empty() {
                continue;
            }
            if judge_key(key).is_err() {
                wanted.damaged += 1;
                continue;
            }
            let keys = match wanted.by_module.get_mut(module) {
                Some(keys) => keys,
                None => wanted.by_module.entry(module.to_owned()).or_default(),
            };
            if !keys.contains(key) {
                keys.insert(key.to_owned());
            }
        }
        wanted
    }

    /// What tells the keys that are wanted from all others.
    pub(crate) fn filter(&self) -> WantedFilter<'_> {
        let forms = self
            .by_module
            .iter()
            .map(|(module, keys)| (module.as_str(), keys.iter().filter_map(|key| normal_form(key)).collect()));
        WantedFilter { wanted: self, forms: forms.collect() }
    }

    /// What to ask for in a module; `None` where no row names a key of it.
    pub(crate) fn spellings(&self, module: &str) -> Option<WantedSpellings> {
        let keys = self.by_module.get(module)?;
        let mut all: Vec<String> = keys.iter().flat_map(|key| spellings(key)).collect();
        all.sort_unstable();
        all.dedup();
        Some(WantedSpellings { all, has_unlisted: keys.iter().any(|key| has_unlisted_spellings(key)) })
    }
}

/// Tells the keys that are wanted from all others, in whatever spelling.
pub(crate) struct WantedFilter<'w> {
    wanted: &'w WantedKeys,
    /// By module, the normal forms of the keys.
    forms: BTreeMap<&'w str, HashSet<NormalForm<'w>>>,
}

impl WantedFilter<'_> {
    /// Whether a row of the manifest names this key, or another spelling of it.
    pub(crate) fn has(&self, module: &str, key: &str) -> bool {
        let is_named = |key: &str| self.wanted.by_module.get(module).is_some_and(|keys| keys.contains(key));
        let is_spelled = || {
            let forms = self.forms.get(module).filter(|forms| !forms.is_empty());
            forms.is_some_and(|forms| normal_form(key).is_some_and(|form| forms.contains(&form)))
        };
        is_named(key.trim()) || is_spelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{self, Input, ReadOptions};

    #[test]
    fn keys_of_a_manifest_are_wanted_once_in_every_spelling() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("m.csv");
        let text = "module,key,record,file\nContacts,C-1,,a\nContacts, C-1 ,,b\nContacts,1.0,,c\nLeads,,738964000000291009,d\n\
                    Accounts,001A0000006Vm9r,,e\n";
        std::fs::write(&path, text).expect("written");
        let manifest = manifest::open(&Input::Path(path), &ReadOptions::default()).expect("a manifest");
        let wanted = WantedKeys::of(manifest);
        assert_eq!(wanted.damaged, 1);
        assert_eq!(wanted.by_module.len(), 2);
        let accounts = wanted.spellings("Accounts").expect("keys");
        assert_eq!(accounts.all, ["001A0000006Vm9r", "001A0000006Vm9rIAC"]);
        assert_eq!(wanted.spellings("Leads"), None);
    }
}
