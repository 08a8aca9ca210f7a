//! Keys of the head that stand behind the rows. Rows are read as they come, so they would be judged without their defaults,
//! a problem for each of a million rows; a look through the file beforehand makes that one problem.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use crate::manifest::limits::MAX_BYTES;
use crate::problem::{Place, Problem, ProblemCode};

/// A key without which rows mean something else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LateKey {
    Version,
    Defaults,
    Columns,
}

impl LateKey {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            LateKey::Version => "version",
            LateKey::Defaults => "defaults",
            LateKey::Columns => "columns",
        }
    }
}

/// The keys behind `uploads:` at the edge of the file, with their lines. Other ways to write them are met while reading.
pub(crate) fn late_keys(path: &Path) -> io::Result<Vec<(LateKey, u32)>> {
    let mut source = BufReader::with_capacity(1 << 16, File::open(path)?.take(MAX_BYTES));
    let (mut found, mut line, mut in_rows, mut number) = (Vec::new(), Vec::new(), false, 0_u32);
    loop {
        line.clear();
        if source.read_until(b'\n', &mut line)? == 0 {
            return Ok(found);
        }
        number = number.saturating_add(1);
        if !in_rows {
            in_rows = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&line).starts_with(b"uploads:");
            continue;
        }
        for key in [LateKey::Version, LateKey::Defaults, LateKey::Columns] {
            let behind = line.strip_prefix(key.as_str().as_bytes());
            if behind.is_some_and(|behind| behind.starts_with(b":")) && found.iter().all(|(known, _)| *known != key) {
                found.push((key, number));
            }
        }
    }
}

/// What is said of one.
pub(super) fn key_after_uploads(key: &str, place: Place) -> Problem {
    Problem::new(
        ProblemCode::KeyAfterUploads,
        format!("{key} stands behind uploads"),
        "move it before uploads: rows are read as they come",
    )
    .at(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_at_the_edge_and_behind_the_rows_are_late() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.yaml");
        let text = "version: 1\nuploads:\n  - module: Leads\n    version: 3\ndefaults: {}\ndefaultsx: 1\nversion: 1\n";
        std::fs::write(&path, text).unwrap();
        assert_eq!(late_keys(&path).unwrap(), [(LateKey::Defaults, 5), (LateKey::Version, 7)]);
    }
}
