//! What the fuzz targets feed: bytes of strangers, taken in as the program takes them in. Each function returns if the
//! bytes are harmless and panics if a rule is broken.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;

use crate::check::{CheckOptions, check};
use crate::manifest::{Input, ReadOptions, open};
use crate::outcome::Status;
use crate::reply::Verdict;
use crate::results;
use crate::zoho::fuzz::{AskedFor, verdict_of};

/// A manifest: read to its end and judged. The first byte chooses how it is written.
pub fn manifest(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let path = scratch(["m.csv", "m.tsv", "m.yaml"][usize::from(kind % 3)], bytes);
    let Ok(manifest) = open(&Input::Path(path), &ReadOptions::default()) else { return };
    let checkup = check(manifest, &CheckOptions::default(), &|_| false);
    assert!(checkup.sound <= checkup.rows, "more sound rows than rows");
    if let Some(checked) = &checkup.checked {
        assert_eq!(checked.rows().count(), checkup.sound as usize, "what may be sent are the sound rows");
    }
}

/// A results file: read as `report` and `verify` read it, every line. The first byte chooses whether edits are accepted.
pub fn results(bytes: &[u8]) {
    let Some((accept, bytes)) = bytes.split_first() else { return };
    let path = scratch("m.results.csv", bytes);
    let Ok(table) = results::read(&path, accept % 2 == 1) else { return };
    let mut lines = 0;
    for line in table.rows() {
        let line = line.expect("a file that was read once is read again");
        let in_place = line.attachment_id.is_some() || line.status != Status::Uploaded || accept % 2 == 1;
        assert!(in_place || !line.code.is_empty(), "uploaded, but neither an id nor a reason why there is none");
        lines += 1;
    }
    assert_eq!(lines, table.len(), "as many lines as rows");
}

/// An answer of the service: the first two bytes choose what was asked for and the status, the rest is the body.
pub fn answer(bytes: &[u8]) {
    let [ask, status, body @ ..] = bytes else { return };
    let ask = [AskedFor::File, AskedFor::Link, AskedFor::List][usize::from(ask % 3)];
    let status = [200, 201, 202, 204, 303, 400, 401, 404, 429, 500, 502, 503][usize::from(status % 12)];
    let verdict = verdict_of(ask, status, body);
    match (ask, &verdict) {
        (AskedFor::List, Verdict::Uploaded(_) | Verdict::InDoubt(_)) => panic!("a list creates nothing: {verdict:?}"),
        (_, Verdict::Uploaded(_)) => assert!(matches!(status, 200 | 201), "created, says an answer {status}"),
        (AskedFor::File | AskedFor::Link, Verdict::Retry(_)) => {
            assert!(status < 500 || status == 503, "sent again after an answer {status}: {verdict:?}");
        }
        _ => {}
    }
}

/// A file with these bytes, in a folder that lives as long as the thread.
fn scratch(name: &str, bytes: &[u8]) -> PathBuf {
    thread_local!(static FOLDER: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) });
    FOLDER.with_borrow_mut(|folder| {
        let folder = folder.get_or_insert_with(|| tempfile::tempdir().expect("a folder"));
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("a scratch file can be written");
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads bytes that may be anything.
    type FuzzTarget = fn(&[u8]);

    /// Whatever begins the fuzzing must get through it, on every machine that runs the tests.
    #[test]
    fn the_seeds_of_the_fuzz_targets_are_harmless() {
        let targets: [(&str, FuzzTarget); 3] = [("manifest", manifest), ("results", results), ("answer", answer)];
        for (name, target) in targets {
            let seeds = fs::read_dir(PathBuf::from("fuzz/seeds").join(name)).expect("seeds");
            let mut count = 0;
            for seed in seeds {
                target(&fs::read(seed.expect("an entry").path()).expect("a seed"));
                count += 1;
            }
            assert!(count > 1, "{name} has no seeds");
        }
    }
}
