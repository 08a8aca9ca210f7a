//! Reads a crosswalk file: a CSV with the columns `module`, `key` and `record`, and where known `field`, `org` and
//! `read_at`.
//!
//! What is wrong is returned with its place and not judged further: one damaged line makes the whole file unusable,
//! since nobody knows what its key was meant to stand for.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::index::{Crosswalk, CrosswalkFull};
use super::key::{KeyFlaw, judge_key};
use crate::manifest::{CsvRow, CsvSheet, SheetBounds, SheetCutOff};
use crate::problem::{Problem, ProblemCode};
use crate::results::decode_cell;
use crate::text::{masked_excerpt, system_words};
use crate::upload::RecordId;

/// Something wrong in a crosswalk file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CrosswalkFlaw {
    /// The file, as it was named.
    pub(crate) file: PathBuf,
    /// Physical line, from 1; `None` where it is about the file as a whole.
    pub(crate) line: Option<u32>,
    /// The value at fault, cut as for showing; empty where there is none.
    pub(crate) value: String,
    /// What is wrong, without the place.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: String,
}

/// What was read of all crosswalk files together.
#[derive(Default)]
pub(crate) struct CrosswalkRead {
    /// The keys of all files.
    pub(crate) crosswalk: Crosswalk,
    /// What is wrong, at most [`MOST_FLAWS`] of it.
    pub(crate) flaws: Vec<CrosswalkFlaw>,
    /// How many flaws there are, those that were not kept too.
    pub(crate) flaw_count: u32,
    /// Lines without a key, which say nothing.
    pub(crate) without_key: u32,
    /// Keys and ids that had blanks around them, and ids with the prefix of an export; taken off.
    pub(crate) tidied: u32,
    /// Headings of columns that mean nothing here.
    pub(crate) ignored_columns: Vec<String>,
    /// The organisation that the files name, and where first; `None` where they name none.
    pub(crate) organisation: Option<(String, PathBuf, u32)>,
    /// Each file as named, and the SHA-256 of its bytes.
    pub(crate) files: Vec<(PathBuf, String)>,
}

/// So many flaws are kept: whoever has to mend a thousand lines makes the file anew.
pub(crate) const MOST_FLAWS: usize = 20;

/// The rules for what stands in the columns `module` and `record`, which are those for a manifest.
pub(crate) trait CrosswalkRules {
    /// Whether there is a module of this name.
    ///
    /// # Errors
    ///
    /// What is wrong, and what to do about it.
    fn module(&self, name: &str) -> Result<(), (String, String)>;

    /// The id in this text, outer blanks taken off, and whether it had the prefix of an export.
    ///
    /// # Errors
    ///
    /// What is wrong, and what to do about it.
    fn record(&self, text: &str) -> Result<(RecordId, bool), (String, String)>;
}

/// Where the columns are.
struct CrosswalkColumns {
    module: usize,
    key: usize,
    record: usize,
    org: Option<usize>,
}

const NEEDED: [&str; 3] = ["module", "key", "record"];
const OPTIONAL: [&str; 3] = ["field", "org", "read_at"];

/// Adds what one file says.
pub(crate) fn read_crosswalk(path: &Path, rules: &dyn CrosswalkRules, into: &mut CrosswalkRead) {
    let source = match open(path) {
        Ok(file) => Box::new(file),
        Err((message, hint)) => return into.flaw(path, None, "", message, hint),
    };
    let is_known = |name: &str| NEEDED.iter().chain(&OPTIONAL).any(|known| known.eq_ignore_ascii_case(name));
    let mut sheet = match CsvSheet::open(source, &is_known) {
        Ok(sheet) => sheet,
        Err(problem) => return into.broken(path, *problem),
    };
    if let Some(columns) = find_columns(path, &sheet, into) {
        read_rows(path, &mut sheet, &columns, rules, into);
    }
    if let Some(why) = sheet.cut_off() {
        let hint = match why {
            SheetCutOff::TooLarge(_) => SPLIT,
            SheetCutOff::Unreadable(_) => "copy it to a local disk and start again",
        };
        into.flaw(path, Some(sheet.line()), "", why.to_string(), hint);
    }
    into.files.push((path.to_owned(), sheet.digest()));
    into.crosswalk.shrink();
}

/// What to do about a file that is too large.
const SPLIT: &str =
    "check that this is the right file; a crosswalk may stand in several files, one for each module, for example";

/// Opens the file, or says why not and what to do. A pipe may be as long as it likes here, and is cut off while it is read.
fn open(path: &Path) -> Result<File, (String, &'static str)> {
    // Windows opens no folder, and says only that it may not be opened.
    if path.is_dir() {
        return Err(("it is a folder".to_owned(), "name the file itself"));
    }
    let opened = File::open(path).and_then(|file| file.metadata().map(|metadata| (file, metadata)));
    let (file, metadata) = opened.map_err(|error| {
        (format!("it cannot be read: {}", system_words(&error)), "check its name; attache crosswalk makes such a file")
    })?;
    let most = SheetBounds::default().file;
    if metadata.is_file() && metadata.len() > most {
        let size = crate::units::size(metadata.len());
        Err((format!("it has {size}, and a crosswalk may have {} GiB", most >> 30), SPLIT))
    } else {
        Ok(file)
    }
}

fn find_columns(path: &Path, sheet: &CsvSheet, into: &mut CrosswalkRead) -> Option<CrosswalkColumns> {
    let headings = sheet.headings();
    let before = into.flaw_count;
    let line = Some(sheet.heading_line());
    let mut find = |name: &str| {
        let mut found = (0..headings.len()).filter(|at| headings[*at].eq_ignore_ascii_case(name));
        let first = found.next();
        if found.next().is_some() {
            into.flaw(path, line, name, format!("there is a second column {name}"), "remove one of the two");
        }
        if first.is_none() && NEEDED.contains(&name) {
            let message = format!("there is no column {name}");
            into.flaw(path, line, "", message, "a crosswalk has the columns module,key,record");
        }
        first
    };
    let [module, key, record] = NEEDED.map(&mut find);
    let [_, org, _] = OPTIONAL.map(&mut find);
    let is_meant = |name: &&String| NEEDED.iter().chain(&OPTIONAL).any(|known| known.eq_ignore_ascii_case(name));
    into.ignored_columns.extend(headings.iter().filter(|name| !name.is_empty() && !is_meant(name)).cloned());
    let columns = CrosswalkColumns { module: module?, key: key?, record: record?, org };
    (into.flaw_count == before).then_some(columns)
}

fn read_rows(
    path: &Path,
    sheet: &mut CsvSheet,
    columns: &CrosswalkColumns,
    rules: &dyn CrosswalkRules,
    into: &mut CrosswalkRead,
) {
    let mut last_module = LastModule::default();
    while let Some(row) = sheet.next() {
        let (line, cells) = match row {
            CsvRow::Broken(problem) => {
                into.broken(path, problem);
                continue;
            }
            CsvRow::Cells(line, cells) => (line, cells),
        };
        let cell = |at: usize| cells.get(at).unwrap_or_default();
        if let Some(org) = columns.org.map(|at| cell(at).trim()).filter(|org| !org.is_empty()) {
            into.organisation(path, line, org);
        }
        let written = decode_cell(cell(columns.key));
        let key = written.trim();
        if key.is_empty() {
            into.without_key += 1;
            continue;
        }
        let record = cell(columns.record).trim();
        into.tidied += u32::from(key.len() < written.len() || record.len() < cell(columns.record).len());
        let module = last_module.find(path, line, cell(columns.module).trim(), rules, into);
        let record = into.record(path, line, record, rules);
        let is_key = into.key(path, line, key);
        if let (Some(module), Some(record), true) = (module, record, is_key)
            && into.crosswalk.add(module, key, record).is_err()
        {
            let message = "its keys have more than 4 GiB".to_owned();
            return into.flaw(path, Some(line), "", message, "split the manifest and its crosswalk by module");
        }
    }
}

/// The module that was found last: lines of one module mostly stand together.
#[derive(Default)]
struct LastModule {
    text: String,
    number: Option<u16>,
}

impl LastModule {
    fn find(
        &mut self,
        path: &Path,
        line: u32,
        text: &str,
        rules: &dyn CrosswalkRules,
        into: &mut CrosswalkRead,
    ) -> Option<u16> {
        if self.number.is_some() && self.text == text {
            return self.number;
        }
        self.number = None;
        match rules.module(text) {
            Ok(()) => match into.crosswalk.add_module(text) {
                Ok(number) => {
                    text.clone_into(&mut self.text);
                    self.number = Some(number);
                }
                Err(CrosswalkFull) => {
                    let message = "more than 65,536 different modules".to_owned();
                    into.flaw(path, Some(line), text, message, "check that this is the right file");
                }
            },
            Err((message, hint)) => into.flaw(path, Some(line), text, message, hint),
        }
        self.number
    }
}

impl CrosswalkRead {
    fn flaw(&mut self, path: &Path, line: Option<u32>, value: &str, message: String, hint: impl Into<String>) {
        self.flaw_count = self.flaw_count.saturating_add(1);
        if self.flaws.len() < MOST_FLAWS {
            let (file, value, hint) = (path.to_owned(), masked_excerpt(value), hint.into());
            self.flaws.push(CrosswalkFlaw { file, line, value, message, hint });
        }
    }

    fn broken(&mut self, path: &Path, problem: Problem) {
        // No option says the encoding of a crosswalk.
        let hint = match problem.code {
            ProblemCode::NotText | ProblemCode::NulCharacter => "save the file as CSV UTF-8".to_owned(),
            _ => problem.hint,
        };
        self.flaw(path, problem.line, "", problem.message, hint);
    }

    fn record(&mut self, path: &Path, line: u32, text: &str, rules: &dyn CrosswalkRules) -> Option<RecordId> {
        if text.is_empty() {
            self.flaw(path, Some(line), "", "the record id is missing".to_owned(), "fill it in, or remove the line");
            return None;
        }
        match rules.record(text) {
            Ok((id, had_prefix)) => {
                self.tidied += u32::from(had_prefix);
                Some(id)
            }
            Err((message, hint)) => {
                self.flaw(path, Some(line), text, message, hint);
                None
            }
        }
    }

    fn key(&mut self, path: &Path, line: u32, key: &str) -> bool {
        match judge_key(key) {
            Ok(()) => true,
            Err(KeyFlaw::Damaged { message } | KeyFlaw::NotText { message }) => {
                let hint = "make the file anew: in a spreadsheet the column must be text, not a number";
                self.flaw(path, Some(line), key, message, hint);
                false
            }
        }
    }

    /// All lines of all files belong to one organisation.
    fn organisation(&mut self, path: &Path, line: u32, org: &str) {
        match &self.organisation {
            None => self.organisation = Some((org.to_owned(), path.to_owned(), line)),
            Some((known, ..)) if known == org => {}
            Some((known, file, first)) => {
                let message = format!(
                    "the record is of the organisation {}, but {} line {first} is of {}",
                    masked_excerpt(org),
                    file.display(),
                    masked_excerpt(known)
                );
                let hint = "use a crosswalk of the organisation that the run goes to and no other";
                self.flaw(path, Some(line), org, message, hint);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crosswalk::KeyMatch;

    struct Plain;

    impl CrosswalkRules for Plain {
        fn module(&self, name: &str) -> Result<(), (String, String)> {
            let known = ["Contacts", "Accounts"].contains(&name);
            if known { Ok(()) } else { Err((format!("there is no module \"{name}\""), String::new())) }
        }

        fn record(&self, text: &str) -> Result<(RecordId, bool), (String, String)> {
            let digits = text.strip_prefix("zcrm_").unwrap_or(text);
            let id = digits.parse().ok().and_then(RecordId::new);
            let id = id.ok_or_else(|| (format!("{text} is no id"), String::new()))?;
            Ok((id, digits.len() < text.len()))
        }
    }

    fn read(content: &str) -> CrosswalkRead {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let mut read = CrosswalkRead::default();
        read_crosswalk(file.path(), &Plain, &mut read);
        read
    }

    fn flaws(content: &str) -> Vec<String> {
        let line = |line: Option<u32>| line.map_or("-".to_owned(), |line| line.to_string());
        read(content).flaws.iter().map(|flaw| format!("{} {}", line(flaw.line), flaw.message)).collect()
    }

    #[test]
    fn columns_are_found_by_name_whatever_their_order_and_case() {
        let read = read(
            "Record;Owner;KEY;Module\nzcrm_738964000000291009;x; 0012 ;Contacts\n;;;\n\n738964000000291010;;;Contacts\n",
        );
        assert_eq!(read.flaws, []);
        assert_eq!(read.ignored_columns, ["Owner"]);
        assert_eq!((read.crosswalk.len(), read.without_key), (1, 1));
        let contacts = read.crosswalk.module("Contacts").unwrap();
        assert_eq!(
            read.crosswalk.find(contacts, "0012"),
            KeyMatch::Exact(RecordId::new(738_964_000_000_291_009).unwrap())
        );
    }

    #[test]
    fn cells_are_read_back_as_they_were_made_safe() {
        let read =
            read("module,key,record\nContacts,\"'=1,5\",738964000000291009\nContacts,100%25x,738964000000291010\n");
        let contacts = read.crosswalk.module("Contacts").unwrap();
        assert!(matches!(read.crosswalk.find(contacts, "=1,5"), KeyMatch::Exact(_)));
        assert!(matches!(read.crosswalk.find(contacts, "100%x"), KeyMatch::Exact(_)));
    }

    #[test]
    fn every_damage_is_named_with_its_line() {
        let found = flaws(
            "module,key,record\nContacts,1,738964000000291009\nContact,2,738964000000291010\nContacts,7.1E+12,738964000000291011\n\
             Contacts,4,7.38964E+17\nContacts,5,\nContacts,\"6\"x,738964000000291012\n",
        );
        assert_eq!(
            found,
            [
                "3 there is no module \"Contact\"",
                "4 the key 7.1E+12 is in scientific notation: its last digits are lost",
                "5 7.38964E+17 is no id",
                "6 the record id is missing",
                "7 text follows the closing quote",
            ]
        );
    }

    #[test]
    fn another_encoding_and_other_line_ends_are_told_for_what_they_are() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"module,key,record\nContacts,M\xFCller,738964000000291001\n").unwrap();
        let mut read = CrosswalkRead::default();
        read_crosswalk(file.path(), &Plain, &mut read);
        assert_eq!((read.flaws[0].line, read.flaws[0].hint.as_str()), (Some(2), "save the file as CSV UTF-8"));
        let found = flaws("module,key,record\rContacts,1,738964000000291001\r");
        assert!(found.len() == 1 && found[0].contains("carriage returns alone"), "{found:?}");
    }

    #[test]
    fn a_header_that_lacks_a_column_or_has_one_twice_is_named() {
        assert_eq!(flaws("module,key\nContacts,1\n"), ["1 there is no column record"]);
        assert_eq!(
            flaws("module,key,Key,record\nContacts,1,2,738964000000291009\n"),
            ["1 there is a second column key"]
        );
        assert_eq!(flaws("").len(), 3);
    }

    #[test]
    fn records_of_two_organisations_do_not_go_together() {
        let found = flaws("module,key,record,org\nContacts,1,738964000000291009,7\nContacts,2,738964000000291010,8\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("3 the record is of the organisation 8, but "), "{found:?}");
    }

    #[test]
    fn a_file_that_is_too_large_is_refused_by_its_size_and_a_folder_by_what_it_is() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len((1 << 30) + 1).unwrap();
        let mut read = CrosswalkRead::default();
        read_crosswalk(file.path(), &Plain, &mut read);
        assert!(read.flaws[0].message.contains("a crosswalk may have 1 GiB"), "{:?}", read.flaws);
        assert!(read.flaws[0].hint.contains("several files"));
        let folder = tempfile::tempdir().unwrap();
        let mut read = CrosswalkRead::default();
        read_crosswalk(folder.path(), &Plain, &mut read);
        assert_eq!(read.flaws[0].message, "it is a folder");
    }

    #[test]
    fn a_cell_of_megabytes_and_a_quote_without_end_are_named_by_their_lines() {
        let long = "x".repeat(2 << 20);
        let found = flaws(&format!(
            "module,key,record\nContacts,{long},738964000000291009\nContacts,{},738964000000291009\nContacts,\"{long},1\nContacts,2,x\n",
            "y".repeat(200_000)
        ));
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[0], "2 a row of more than 1 MiB");
        assert_eq!(found[1], "3 the key has 200000 characters; 255 are allowed");
        assert_eq!(found[2], "4 the quote that opens here is not closed within 1024 KiB");
        assert_eq!(found[3], "5 x is no id");
    }

    #[test]
    fn a_file_that_is_not_there_is_a_flaw_and_no_more_than_a_screenful_is_kept() {
        let mut read_none = CrosswalkRead::default();
        read_crosswalk(Path::new("no/such.csv"), &Plain, &mut read_none);
        assert!(read_none.flaws[0].message.starts_with("it cannot be read: "));
        let many = "module,key,record\n".to_owned() + &"Contacts,1,x\n".repeat(100);
        let read = read(&many);
        assert_eq!((read.flaws.len(), read.flaw_count), (MOST_FLAWS, 100));
    }
}
