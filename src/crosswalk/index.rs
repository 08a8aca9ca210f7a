//! Holds a million keys in little memory, and finds the record that one of them stands for.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::OnceLock;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::spelling::{NormalForm, normal_form};
use crate::upload::RecordId;

/// Which record a key stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum KeyMatch {
    /// This one, by the exact text.
    Exact(RecordId),
    /// This one, by another spelling of the key and only by that.
    Spelled(RecordId),
    /// None.
    Unknown,
    /// Several: the first of them, and whether there are more.
    Ambiguous(Vec<RecordId>, bool),
}

/// As many records of an ambiguous key are named.
const SHOWN_RECORDS: usize = 5;

/// A key of a module.
#[derive(Clone, Copy, Debug)]
struct CrosswalkEntry {
    /// The record of the first line that has the key.
    record: RecordId,
    /// Where the key begins in the texts.
    key: u32,
    /// Which of the modules.
    module: u16,
    /// Whether further lines give it other records.
    is_ambiguous: bool,
}

/// The keys of an old system and the records that they stand for, by module.
#[derive(Default)]
pub(crate) struct Crosswalk {
    /// API names, in the order of their first appearance.
    modules: Vec<Box<str>>,
    /// Every key, each ended by a NUL, which no key can contain.
    texts: String,
    /// The distinct keys, in the order of their first appearance.
    entries: Vec<CrosswalkEntry>,
    /// The entries, by the hash of module and key.
    by_key: HashTable<u32>,
    /// The further records of ambiguous entries, as far as they are ever shown: a field that says the same in a million
    /// records must not cost a million comparisons a line.
    further: HashMap<u32, Vec<RecordId>>,
    hasher: DefaultHashBuilder,
    /// The entries, by the normal form of the key; made when the first exact text is not found.
    spellings: OnceLock<Spellings>,
    /// The entries whose key has only digits, by the number; made when the first such key is not found.
    by_number: OnceLock<HashTable<u32>>,
}

/// Where to find a key by another spelling of it.
struct Spellings {
    /// The first entry of each normal form.
    first: HashTable<u32>,
    /// The further entries of a normal form, by its first one, as far as their records are ever shown.
    further: HashMap<u32, Vec<u32>>,
}

/// More keys than can be held: their texts have more than 4 GiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CrosswalkFull;

impl Crosswalk {
    /// The crosswalk that these lines make; what does not fit is left out.
    pub(crate) fn of<'l>(lines: impl Iterator<Item = (&'l str, &'l str, RecordId)>) -> Crosswalk {
        let mut crosswalk = Crosswalk::default();
        for (module, key, record) in lines {
            let added = crosswalk.add_module(module).and_then(|module| crosswalk.add(module, key, record));
            if added.is_err() {
                break;
            }
        }
        crosswalk
    }

    /// The keys that stand for several records.
    pub(crate) fn ambiguous(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(|entry| entry.is_ambiguous).map(|entry| self.key(entry))
    }

    /// How many different keys there are, each counted in its module.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The API names of the modules that have keys.
    pub(crate) fn modules(&self) -> impl Iterator<Item = &str> {
        self.modules.iter().map(|name| &**name)
    }

    /// The number of a module, for the other methods; `None` for one that has no keys.
    pub(crate) fn module(&self, name: &str) -> Option<u16> {
        // There are a handful of them.
        self.modules.iter().position(|known| &**known == name).and_then(|at| u16::try_from(at).ok())
    }

    /// The number of a module, new or known.
    pub(super) fn add_module(&mut self, name: &str) -> Result<u16, CrosswalkFull> {
        if let Some(known) = self.module(name) {
            return Ok(known);
        }
        let number = u16::try_from(self.modules.len()).map_err(|_| CrosswalkFull)?;
        self.modules.push(name.into());
        Ok(number)
    }

    /// Adds what one line says. A line that says the same as an earlier one changes nothing.
    pub(super) fn add(&mut self, module: u16, key: &str, record: RecordId) -> Result<(), CrosswalkFull> {
        debug_assert!(!key.contains('\0'), "a key has no control characters");
        let hash = self.hasher.hash_one((module, key));
        if let Some(known) = self.entry_of(hash, module, key) {
            self.add_record(known, record);
            return Ok(());
        }
        let ix = u32::try_from(self.entries.len()).map_err(|_| CrosswalkFull)?;
        let start = u32::try_from(self.texts.len()).map_err(|_| CrosswalkFull)?;
        self.texts.push_str(key);
        self.texts.push('\0');
        self.entries.push(CrosswalkEntry { record, key: start, module, is_ambiguous: false });
        let Crosswalk { entries, texts, hasher, by_key, .. } = self;
        by_key.insert_unique(hash, ix, |ix| match entries.get(*ix as usize) {
            Some(entry) => hasher.hash_one((entry.module, text_at(texts, entry.key))),
            None => 0,
        });
        Ok(())
    }

    fn add_record(&mut self, ix: u32, record: RecordId) {
        let Some(entry) = self.entries.get_mut(ix as usize).filter(|entry| entry.record != record) else { return };
        entry.is_ambiguous = true;
        let further = self.further.entry(ix).or_default();
        if further.len() < SHOWN_RECORDS && !further.contains(&record) {
            further.push(record);
        }
    }

    /// Gives back the room that only adding needs.
    pub(super) fn shrink(&mut self) {
        self.texts.shrink_to_fit();
        self.entries.shrink_to_fit();
    }

    /// Which record a key of a module stands for. The exact text wins; where it is not there, another spelling counts if
    /// all that is spelled so stands for one record.
    pub(crate) fn find(&self, module: u16, key: &str) -> KeyMatch {
        if let Some(ix) = self.entry_of(self.hasher.hash_one((module, key)), module, key) {
            return match self.entries.get(ix as usize) {
                Some(entry) if !entry.is_ambiguous => KeyMatch::Exact(entry.record),
                _ => one_or_many(self.records(ix), KeyMatch::Exact),
            };
        }
        let Some(form) = normal_form(key) else { return KeyMatch::Unknown };
        let spellings = self.spellings.get_or_init(|| self.spelled());
        let hash = self.hasher.hash_one((module, &form));
        let Some(first) = spellings.first.find(hash, |ix| self.is_spelled(*ix, module, &form)).copied() else {
            return KeyMatch::Unknown;
        };
        let further = spellings.further.get(&first).map(|further| &further[..]).unwrap_or_default();
        one_or_many([first].iter().chain(further).flat_map(|ix| self.records(*ix)), KeyMatch::Spelled)
    }

    fn is_spelled(&self, ix: u32, module: u16, form: &NormalForm<'_>) -> bool {
        let entry = self.entries.get(ix as usize).filter(|entry| entry.module == module);
        entry.is_some_and(|entry| normal_form(self.key(entry)).as_ref() == Some(form))
    }

    fn spelled(&self) -> Spellings {
        let mut all = Spellings { first: HashTable::new(), further: HashMap::new() };
        for (ix, entry) in (0..).zip(&self.entries) {
            let Some(form) = normal_form(self.key(entry)) else { continue };
            let hash = self.hasher.hash_one((entry.module, &form));
            if let Some(first) = all.first.find(hash, |ix| self.is_spelled(*ix, entry.module, &form)).copied() {
                let further = all.further.entry(first).or_default();
                if further.len() < SHOWN_RECORDS {
                    further.push(ix);
                }
                continue;
            }
            all.first.insert_unique(hash, ix, |ix| match self.entries.get(*ix as usize) {
                Some(entry) => {
                    normal_form(self.key(entry)).map_or(0, |form| self.hasher.hash_one((entry.module, &form)))
                }
                None => 0,
            });
        }
        all
    }

    fn entry_of(&self, hash: u64, module: u16, key: &str) -> Option<u32> {
        let is_it = |ix: &u32| {
            let entry = self.entries.get(*ix as usize);
            entry.is_some_and(|entry| entry.module == module && is_text_at(&self.texts, entry.key, key))
        };
        self.by_key.find(hash, is_it).copied()
    }

    /// The records of an entry, as far as they are ever shown.
    fn records(&self, ix: u32) -> impl Iterator<Item = RecordId> {
        let first = self.entries.get(ix as usize).map(|entry| entry.record);
        first.into_iter().chain(self.further.get(&ix).into_iter().flatten().copied())
    }

    fn key(&self, entry: &CrosswalkEntry) -> &str {
        text_at(&self.texts, entry.key)
    }

    /// A key of the module that is the same number, with more or fewer zeros in front. Not the same key: only a hint.
    pub(crate) fn numeric_twin(&self, module: u16, key: &str) -> Option<&str> {
        let wanted = number(key)?;
        let table = self.by_number.get_or_init(|| self.numbered());
        let is_twin = |ix: &u32| {
            let entry = self.entries.get(*ix as usize).filter(|entry| entry.module == module);
            entry.is_some_and(|entry| number(self.key(entry)) == Some(wanted))
        };
        let ix = table.find(self.hasher.hash_one((module, wanted)), is_twin)?;
        self.entries.get(*ix as usize).map(|entry| self.key(entry))
    }

    fn numbered(&self) -> HashTable<u32> {
        let mut table = HashTable::new();
        for (ix, entry) in (0..).zip(&self.entries) {
            let Some(value) = number(self.key(entry)) else { continue };
            table.insert_unique(self.hasher.hash_one((entry.module, value)), ix, |ix| {
                let entry = self.entries.get(*ix as usize);
                entry.map_or(0, |entry| {
                    self.hasher.hash_one((entry.module, number(self.key(entry)).unwrap_or_default()))
                })
            });
        }
        table
    }

    /// Keys of the module that are one slip of the pen away, at most `most`. Looks at every key.
    pub(crate) fn nearest(&self, module: u16, key: &str, most: usize) -> Vec<&str> {
        let of_module = self.entries.iter().filter(|entry| entry.module == module);
        let mut near: Vec<&str> = of_module.map(|entry| self.key(entry)).filter(|other| is_near(key, other)).collect();
        near.dedup();
        near.truncate(most);
        near
    }
}

/// Hands out the nearest keys of those that were not found, as long as that takes a bounded time.
#[derive(Default, Debug)]
pub(crate) struct Misses {
    looked_at: usize,
}

impl Misses {
    /// So many keys are compared in all: a second of work.
    const MOST: usize = 20_000_000;

    /// The nearest keys; none once too many have been looked at. The first few of a kind are what people read.
    pub(crate) fn nearest<'c>(&mut self, crosswalk: &'c Crosswalk, module: u16, key: &str) -> Vec<&'c str> {
        if self.looked_at + crosswalk.len() > Misses::MOST {
            return Vec::new();
        }
        self.looked_at += crosswalk.len();
        crosswalk.nearest(module, key, 3)
    }
}

fn one_or_many(records: impl Iterator<Item = RecordId>, one: fn(RecordId) -> KeyMatch) -> KeyMatch {
    let mut all: Vec<RecordId> = Vec::new();
    for record in records {
        if !all.contains(&record) {
            all.push(record);
        }
    }
    match all[..] {
        [] => KeyMatch::Unknown,
        [record] => one(record),
        _ => {
            let has_more = all.len() > SHOWN_RECORDS;
            all.truncate(SHOWN_RECORDS);
            KeyMatch::Ambiguous(all, has_more)
        }
    }
}

fn text_at(texts: &str, start: u32) -> &str {
    let rest = texts.get(start as usize..).unwrap_or_default();
    let end = memchr::memchr(0, rest.as_bytes()).unwrap_or(rest.len());
    &rest[..end]
}

/// Whether this text stands there, which takes less than getting it.
fn is_text_at(texts: &str, start: u32, text: &str) -> bool {
    let rest = texts.as_bytes().get(start as usize..).unwrap_or_default();
    rest.strip_prefix(text.as_bytes()).is_some_and(|behind| behind.first() == Some(&0))
}

/// A key of digits without the zeros in front; `None` for one that has anything else.
fn number(key: &str) -> Option<&str> {
    let is_number = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| key.trim_start_matches('0'))
}

/// Whether two keys differ by one character more, less or other, by two neighbours that have changed places, or only in
/// case.
fn is_near(one: &str, other: &str) -> bool {
    let (a, b) = (one.as_bytes(), other.as_bytes());
    // Bytes are enough: a hint is all that comes of it. What differs in length by more is told apart first.
    if a.len().abs_diff(b.len()) > 1 || a.len().min(b.len()) < 2 {
        return false;
    }
    let front = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let back = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let longest = a.len().max(b.len());
    if front + back >= longest - 1 {
        return true;
    }
    let swapped =
        a.len() == b.len() && front + back + 2 == longest && a[front] == b[front + 1] && a[front + 1] == b[front];
    swapped || a.eq_ignore_ascii_case(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> RecordId {
        RecordId::new(738_964_000_000_291_000 + number).expect("an id")
    }

    fn crosswalk(lines: &[(&str, u64)]) -> (Crosswalk, u16) {
        let mut crosswalk = Crosswalk::default();
        let module = crosswalk.add_module("Contacts").unwrap();
        for (key, record) in lines {
            crosswalk.add(module, key, id(*record)).unwrap();
        }
        (crosswalk, module)
    }

    #[test]
    fn the_exact_text_wins_over_every_other_spelling() {
        let (crosswalk, contacts) = crosswalk(&[("a@example.com", 1), ("A@example.com", 2), ("b@Example.com", 3)]);
        assert_eq!(crosswalk.find(contacts, "a@example.com"), KeyMatch::Exact(id(1)));
        assert_eq!(crosswalk.find(contacts, "A@example.com"), KeyMatch::Exact(id(2)));
        assert_eq!(crosswalk.find(contacts, "mailto:B@example.com"), KeyMatch::Spelled(id(3)));
        let both = KeyMatch::Ambiguous(vec![id(1), id(2)], false);
        assert_eq!(crosswalk.find(contacts, "a@EXAMPLE.com"), both, "either could be meant");
    }

    #[test]
    fn a_key_of_several_records_stands_for_none_of_them() {
        let (crosswalk, contacts) =
            crosswalk(&[("7", 1), ("8", 2), ("7", 3), ("7", 1), ("7", 4), ("7", 5), ("7", 6), ("7", 7), ("8", 2)]);
        let five = [1, 3, 4, 5, 6].map(id).to_vec();
        assert_eq!(crosswalk.find(contacts, "7"), KeyMatch::Ambiguous(five, true));
        assert_eq!(crosswalk.find(contacts, "8"), KeyMatch::Exact(id(2)));
    }

    #[test]
    fn keys_belong_to_their_module() {
        let (mut crosswalk, contacts) = crosswalk(&[("7", 1)]);
        let accounts = crosswalk.add_module("Accounts").unwrap();
        crosswalk.add(accounts, "7", id(2)).unwrap();
        assert_eq!(crosswalk.find(contacts, "7"), KeyMatch::Exact(id(1)));
        assert_eq!(crosswalk.find(accounts, "7"), KeyMatch::Exact(id(2)));
        assert_eq!(crosswalk.module("Leads"), None);
    }

    #[test]
    fn leading_zeros_are_hinted_at_and_not_guessed() {
        let (crosswalk, contacts) = crosswalk(&[("0004711", 1), ("A12", 2)]);
        assert_eq!(crosswalk.find(contacts, "4711"), KeyMatch::Unknown);
        assert_eq!(crosswalk.numeric_twin(contacts, "4711"), Some("0004711"));
        assert_eq!(crosswalk.numeric_twin(contacts, "4712"), None);
        assert_eq!(crosswalk.numeric_twin(contacts, "A12"), None);
    }

    #[test]
    fn a_slip_of_the_pen_has_a_nearest_key() {
        let (crosswalk, contacts) = crosswalk(&[("C-4711", 1), ("C-4712", 2), ("K-9000", 3)]);
        for (slip, near) in [
            ("C-4713", &["C-4711", "C-4712"] as &[&str]),
            ("C4711", &["C-4711"]),
            ("C-47112", &["C-4711", "C-4712"]),
            ("C-7411", &["C-4711"]),
            ("k-9000", &["K-9000"]),
            ("X-1", &[]),
        ] {
            assert_eq!(crosswalk.nearest(contacts, slip, 3), near, "{slip}");
        }
    }
}
