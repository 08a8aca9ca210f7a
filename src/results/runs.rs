//! The list of runs beside the results, one line of JSON each: what a report says at its head, and how many rows were
//! uploaded when the last run ended, by which results that vanished or were shortened are noticed. No run needs it, so a
//! line that cannot be read is passed over.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::disk::{Disk as _, RealDisk};
use super::paths::{folder_of, runs_of};
use crate::outcome::Status;

/// One run, or one undo.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Run")]
pub struct RunRecord {
    /// What the lines of the run carry in their column `run`.
    pub id: String,
    /// Version of attache.
    pub version: String,
    /// When it began, by this machine's clock.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When it ended, by this machine's clock.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub finished: Timestamp,
    /// Host of the API, or `sandbox`.
    pub target: String,
    /// Which manifest.
    pub manifest: ManifestRef,
    /// The folder that the manifest's paths were relative to; `None` in lines of earlier versions.
    #[serde(default)]
    pub root: Option<String>,
    /// The settings that applied, by the names of their flags. Never a secret.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Rows of the manifest by status, when the run ended.
    #[serde(default)]
    pub counts: BTreeMap<String, u32>,
    /// For an undo: how many attachments it took back. A run has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undid: Option<u32>,
    /// Why it stopped early, if it did.
    #[serde(default)]
    pub stopped: Option<String>,
    /// Its exit status.
    pub exit: u8,
}

impl RunRecord {
    /// How many rows were uploaded when it ended, by it and by those before it.
    pub fn uploaded(&self) -> u32 {
        self.count(Status::Uploaded)
    }

    /// How many rows had been uploaded when it ended, those that were taken back since included.
    pub fn ever_uploaded(&self) -> u32 {
        [Status::Uploaded, Status::Deleting, Status::Deleted].into_iter().map(|status| self.count(status)).sum()
    }

    /// How many rows may have created something when it ended, those that were uploaded included.
    pub fn created(&self) -> u32 {
        Status::ALL.into_iter().filter(|status| status.may_have_created()).map(|status| self.count(status)).sum()
    }

    fn count(&self, status: Status) -> u32 {
        self.counts.get(status.as_str()).copied().unwrap_or(0)
    }
}

/// Which manifest a run was about.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ManifestRef {
    /// Its path as the user wrote it.
    pub path: String,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
}

/// A name for a run that begins now: sorts by time, and differs from those of other machines.
pub fn new_run_id(now: Timestamp) -> String {
    format!("{}-{:04x}", now.strftime("%Y%m%dT%H%M%SZ"), fastrand::u16(..))
}

/// What is known of a run when it begins: its line is on the disk before anything is sent, so that what a run that was
/// killed left behind can be understood.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RunOrigin {
    /// What the lines of the run carry in their column `run`.
    pub id: String,
    /// Version of attache.
    #[serde(default)]
    pub version: String,
    /// Host of the API, or `sandbox`.
    #[serde(default)]
    pub target: String,
    /// The folder that the manifest's paths were relative to.
    #[serde(default)]
    pub root: Option<String>,
    /// Whose CRM, as in the column `org`.
    #[serde(default)]
    pub owner: Option<String>,
    /// The name of the organisation.
    #[serde(default)]
    pub owner_name: Option<String>,
    /// Whether it keeps a mark beside the results of how far they are filled; earlier versions did not.
    #[serde(default)]
    pub marked: bool,
}

/// What is known of the runs that used these results before.
#[derive(Clone, Debug, Default)]
pub struct KnownRuns {
    /// Those that said how they ended, oldest first.
    pub ended: Vec<RunRecord>,
    /// The last run, if it began and never said how it ended: it was killed, or the machine went down, or it is under way.
    /// What earlier ones of this kind did, the run after them has counted.
    pub unended: Option<RunOrigin>,
    /// Whether there is a list of runs that cannot be read, or not to its end.
    pub damaged: bool,
}

impl KnownRuns {
    /// Reads the list of these results. No run needs it: what cannot be read is passed over, and said to be.
    pub fn read(results: &Path) -> KnownRuns {
        match list_of(results) {
            Ok(Some(bytes)) => KnownRuns::of_list(&bytes),
            Ok(None) => KnownRuns::default(),
            Err(_) => KnownRuns { damaged: true, ..KnownRuns::default() },
        }
    }

    fn of_list(bytes: &[u8]) -> KnownRuns {
        let ended: Vec<RunRecord> = entries(bytes);
        // A line that says how a run ended can be read as one that says how it began: what counts is which ids have ended.
        let begun: Vec<RunOrigin> = entries(bytes);
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
        let damaged = lines == 0 || begun.len() < lines || bytes.last() != Some(&b'\n');
        let unended = begun.into_iter().next_back().filter(|run| !ended.iter().any(|ended| ended.id == run.id));
        KnownRuns { ended, unended, damaged }
    }
}

/// Adds a run that begins to the list of these results; returns once that is on the disk.
pub fn record_origin(results: &Path, origin: &RunOrigin) -> io::Result<()> {
    add_line(results, origin)?;
    RealDisk.sync_folder(folder_of(results))
}

/// Adds a run to the list of these results.
pub fn record_run(results: &Path, run: &RunRecord) -> io::Result<()> {
    add_line(results, run)
}

fn add_line(results: &Path, entry: &impl Serialize) -> io::Result<()> {
    let path = runs_of(results);
    let disk = RealDisk;
    let file = match disk.open(&path)? {
        Some(file) => file,
        None => disk.create(&path)?,
    };
    let mut line = Vec::new();
    // Behind a line that was cut short, begin a new one.
    let len = file.metadata()?.len();
    let mut last = [b'\n'];
    if len > 0 {
        disk.read_at(&file, len - 1, &mut last)?;
    }
    if last != [b'\n'] {
        line.push(b'\n');
    }
    serde_json::to_writer(&mut line, entry)?;
    line.push(b'\n');
    disk.append(&file, &line)?;
    disk.sync(&file)
}

/// The runs of these results, oldest first; none if there is no list.
pub fn runs(results: &Path) -> io::Result<Vec<RunRecord>> {
    Ok(entries(&list_of(results)?.unwrap_or_default()))
}

/// The bytes of the list; `None` if there is none.
fn list_of(results: &Path) -> io::Result<Option<Vec<u8>>> {
    let Some(mut file) = RealDisk.open_to_read(&runs_of(results))? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The lines of a list that can be read as this. A run that began has a line of fewer fields than one that ended.
fn entries<T: serde::de::DeserializeOwned>(list: &[u8]) -> Vec<T> {
    list.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// Every run of the list, as it began. A list that cannot be read says nothing.
fn origins(results: &Path) -> Vec<RunOrigin> {
    list_of(results).ok().flatten().map(|list| entries(&list)).unwrap_or_default()
}

/// The names of the organisations that these runs sent to, by what stands in the column `org`.
pub fn owner_names(results: &Path) -> HashMap<String, String> {
    origins(results).into_iter().filter_map(|origin| origin.owner.zip(origin.owner_name)).collect()
}

/// The folders that the paths of these runs were relative to, by the run's id. A list that cannot be read says nothing.
pub fn bases_of_runs(results: &Path) -> HashMap<String, PathBuf> {
    origins(results).into_iter().filter_map(|run| Some((run.id, PathBuf::from(run.root?)))).collect()
}

mod rfc3339 {
    use jiff::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(time)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A run with this name, for tests.
#[cfg(test)]
pub(super) fn sample(id: &str) -> RunRecord {
    let now: Timestamp = "2026-03-10T09:15:00Z".parse().expect("a time");
    RunRecord {
        id: id.to_owned(),
        version: "0.1.0".to_owned(),
        started: now,
        finished: now,
        target: "sandbox".to_owned(),
        manifest: ManifestRef { path: "a.yaml".to_owned(), sha256: "00".to_owned() },
        root: Some("/work".to_owned()),
        options: BTreeMap::from([("rate".to_owned(), "10/s".to_owned())]),
        counts: BTreeMap::from([("uploaded".to_owned(), 3)]),
        undid: None,
        stopped: None,
        exit: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_runs_is_read_back_even_where_a_line_was_cut_short() {
        let dir = tempfile::tempdir().expect("temp dir");
        let results = dir.path().join("a.results.csv");
        assert_eq!(runs(&results).expect("no list"), []);
        let run = sample;
        let origin = RunOrigin {
            id: "one".to_owned(),
            root: Some("/export".to_owned()),
            owner: Some("org:7".to_owned()),
            owner_name: Some("Alpha".to_owned()),
            ..RunOrigin::default()
        };
        record_origin(&results, &origin).expect("written");
        assert_eq!(runs(&results).expect("read"), [], "it has not ended");
        assert_eq!(bases_of_runs(&results)["one"], Path::new("/export"));
        assert_eq!(owner_names(&results)["org:7"], "Alpha");
        assert_eq!(KnownRuns::read(&results).unended.map(|run| run.id).as_deref(), Some("one"));
        record_run(&results, &run("one")).expect("written");
        assert!(KnownRuns::read(&results).unended.is_none() && !KnownRuns::read(&results).damaged);
        let list = runs_of(&results);
        let whole = std::fs::read(&list).expect("there");
        std::fs::write(&list, [&whole[..], br#"{"id":"to"#].concat()).expect("written");
        record_run(&results, &run("two")).expect("written");
        assert_eq!(runs(&results).expect("read"), [run("one"), run("two")]);
    }

    #[test]
    fn a_list_that_lost_something_is_known_to_be_damaged() {
        let line = |text: &str| KnownRuns::of_list(text.as_bytes());
        let whole = format!("{}\n", serde_json::to_string(&sample("one")).expect("written"));
        assert!(!line(&whole).damaged && line(&whole).ended.len() == 1);
        for damaged in ["", "\n", &whole[..whole.len() / 2], whole.trim_end(), "{}\n", &format!("{whole}\0\0\n")] {
            assert!(line(damaged).damaged, "{damaged:?}");
        }
    }

    #[test]
    fn the_name_of_a_run_begins_with_its_time() {
        let id = new_run_id("2026-03-10T09:15:00Z".parse().expect("a time"));
        assert!(id.starts_with("20260310T091500Z-") && id.len() == 21, "{id}");
    }
}
