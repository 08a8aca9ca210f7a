//! Whole sessions with the log: taken, written, torn, resumed, made a table.

mod power_loss;

use std::path::Path;

use super::line::samples::full;
use super::placed::PlacedLine;
use super::snapshot::Taking;
use super::*;
use crate::outcome::{OwnCode, Status};
use crate::simulation::disk::{Meddling, SimDisk};
use crate::upload::{RowKey, ServiceId};

pub(super) const PATH: &str = "work/a.results.csv";

/// A manifest of rows with these keys.
pub(super) struct TestManifest {
    columns: Vec<String>,
    rows: Vec<(u64, &'static str)>,
}

impl TestManifest {
    pub(super) fn of(keys: impl IntoIterator<Item = u64>) -> TestManifest {
        TestManifest { columns: vec!["note".to_owned()], rows: keys.into_iter().map(|key| (key, "a note")).collect() }
    }

    /// The same rows with one more carried column.
    pub(super) fn with_column(mut self, name: &str) -> TestManifest {
        self.columns.push(name.to_owned());
        self
    }
}

impl ResultsRows for TestManifest {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn len(&self) -> u32 {
        u32::try_from(self.rows.len()).expect("few rows")
    }

    fn key(&self, row: u32) -> RowKey {
        RowKey(self.rows[row as usize].0)
    }

    fn line(&self, row: u32) -> u32 {
        row + 2
    }

    fn carried(&self, row: u32, each: &mut dyn FnMut(&str)) {
        self.columns.iter().for_each(|_| each(self.rows[row as usize].1));
    }

    fn blank(&self, row: u32) -> Line {
        Line { code: OwnCode::RunEnded.into(), ..line(self.rows[row as usize].0, Status::NotSent) }
    }
}

/// A line about the row with this key.
pub(super) fn line(key: u64, status: Status) -> Line {
    let uploaded = status == Status::Uploaded;
    Line {
        line: 1,
        record: (1_000_000_000 + key % 2).to_string(),
        status,
        attachment_id: uploaded.then(|| ServiceId::new(5_000 + key)),
        code: String::new(),
        message: String::new(),
        carried: vec!["a note".to_owned()],
        key: RowKey(key),
        ..full()
    }
}

pub(super) fn sent(key: u64, at: i64) -> Line {
    line(key, Status::Sending).sending(jiff::Timestamp::from_second(at).expect("in range"))
}

pub(super) fn options() -> ResultsOptions {
    ResultsOptions { target: Some(full().target), ..ResultsOptions::default() }
}

fn held(disk: &SimDisk) -> LockedResults<SimDisk> {
    hold(disk.clone(), Path::new(PATH), &options()).expect("the results are free and sound")
}

fn begun(disk: &SimDisk, manifest: &TestManifest) -> ResultsLog<SimDisk> {
    held(disk).begin(manifest).expect("the log begins")
}

fn text(disk: &SimDisk) -> String {
    String::from_utf8(disk.contents(Path::new(PATH)).expect("the results are there")).expect("UTF-8")
}

/// Key, status and line number of each line of the file, as the file has them.
fn table(disk: &SimDisk) -> Vec<(u64, Status, u32)> {
    let text = text(disk);
    let mut lines = text.lines();
    let layout = Layout::decode_header(lines.next().expect("a header").as_bytes()).expect("our header");
    let decoded = lines.map(|line| Line::decode(line.as_bytes(), &layout).expect("a sound line"));
    decoded.map(|line| (line.key.0, line.status, line.line)).collect()
}

#[test]
fn a_run_leaves_one_line_for_each_row_in_the_order_of_the_manifest() {
    let disk = SimDisk::default();
    let manifest = TestManifest::of([1, 2, 3, 4]);
    let mut log = begun(&disk, &manifest);
    for line in [sent(2, 10), sent(1, 11), line(1, Status::Uploaded), sent(4, 12), line(2, Status::Failed)] {
        log.append(&line).expect("written");
    }
    let finished = log.compact(&manifest).expect("compacted");
    assert_eq!(
        table(&disk),
        [(1, Status::Uploaded, 2), (2, Status::Failed, 3), (3, Status::NotSent, 4), (4, Status::InDoubt, 5)]
    );
    assert_eq!(finished.totals.rows.total(), 4);
    assert_eq!(finished.totals.rows.of(Status::InDoubt), 1);
    let [table, mark] = &disk.names()[..] else { panic!("no other file is left behind: {:?}", disk.names()) };
    assert!(table.ends_with("a.results.csv") && mark.ends_with("a.results.csv.mark"));
}

#[test]
fn the_next_run_knows_where_each_row_stands() {
    let disk = SimDisk::default();
    let manifest = TestManifest::of(1..=8);
    let mut log = begun(&disk, &manifest);
    let temporary = Line { code: OwnCode::NoReply.into(), ..line(3, Status::Failed) };
    let refused = Line { code: "INVALID_DATA".to_owned(), ..line(2, Status::Failed) };
    for line in [
        line(1, Status::Uploaded),
        refused,
        temporary,
        sent(4, 500),
        sent(5, 600),
        Line { sent_at: jiff::Timestamp::from_second(590).ok(), ..line(5, Status::Unknown) },
        line(6, Status::NotSent),
    ] {
        log.append(&line).expect("written");
    }
    drop(log);
    let held = held(&disk);
    let stands = |key, resend: &ResendRules| held.seen().history().standing(RowKey(key), resend);
    let alone = ResendRules::default();
    assert_eq!(stands(1, &alone), Standing::Settled(Status::Uploaded));
    assert_eq!(stands(2, &alone), Standing::Settled(Status::Failed));
    assert_eq!(stands(3, &alone), Standing::Again(Why::Passing));
    assert_eq!(stands(4, &alone), Standing::InDoubt { sent_at: 500, why: Why::Unfinished });
    assert_eq!(stands(5, &alone), Standing::Settled(Status::Unknown));
    assert_eq!(stands(6, &alone), Standing::Again(Why::Unfinished));
    assert_eq!(stands(7, &alone), Standing::New);
    let all = ResendRules { failed: true, unknown: true, ..ResendRules::default() };
    assert_eq!(stands(1, &all), Standing::Settled(Status::Uploaded));
    assert_eq!(stands(2, &all), Standing::Again(Why::Asked));
    assert_eq!(stands(5, &all), Standing::InDoubt { sent_at: 590, why: Why::Asked });
    let coded = ResendRules { codes: vec!["INVALID_DATA".to_owned()], ..ResendRules::default() };
    assert_eq!(stands(2, &coded), Standing::Again(Why::Asked));
    assert_eq!(stands(5, &coded), Standing::Settled(Status::Unknown));
    assert_eq!(held.seen().history().in_doubt(&all), [RowKey(4), RowKey(5)]);
    assert_eq!(held.seen().line(RowKey(4)).expect("read").map(|line| line.status), Some(Status::Sending));
}

#[test]
fn a_row_in_doubt_keeps_the_time_of_its_first_sending_through_all_runs() {
    let disk = SimDisk::default();
    let manifest = TestManifest::of([1]);
    let mut log = begun(&disk, &manifest);
    log.append(&sent(1, 500)).expect("written");
    log.compact(&manifest).expect("compacted");
    let mut log = begun(&disk, &manifest);
    log.append(&sent(1, 900)).expect("written");
    log.compact(&manifest).expect("compacted");
    let doubt = held(&disk).seen().history().standing(RowKey(1), &ResendRules::default());
    assert_eq!(doubt, Standing::InDoubt { sent_at: 500, why: Why::Unfinished });
    assert!(text(&disk).contains("1970-01-01T00:08:20Z"));

    let mut log = begun(&disk, &manifest);
    log.append(&line(1, Status::Failed)).expect("written");
    log.append(&sent(1, 2_000)).expect("written");
    let doubt = log.history().standing(RowKey(1), &ResendRules::default());
    assert_eq!(
        doubt,
        Standing::InDoubt { sent_at: 2_000, why: Why::Unfinished },
        "a refusal proves that nothing is there"
    );
}

#[test]
fn a_reordered_and_edited_manifest_finds_its_rows_again() {
    let disk = SimDisk::default();
    let mut log = begun(&disk, &TestManifest::of([1, 2, 3, 4, 5]));
    for line in [line(1, Status::Uploaded), line(2, Status::Failed), sent(3, 9), line(4, Status::NotSent)] {
        log.append(&line).expect("written");
    }
    drop(log);
    let edited = TestManifest::of([6, 1]);
    begun(&disk, &edited).compact(&edited).expect("compacted");
    let rows = [(6, Status::NotSent, 2), (1, Status::Uploaded, 3), (2, Status::Failed, 0), (3, Status::InDoubt, 0)];
    assert_eq!(table(&disk), rows);

    // What a run finds out about a row that is no longer there stands in the table of that run, and in no later one.
    let mut log = begun(&disk, &edited);
    log.append(&line(3, Status::NotSent)).expect("written");
    log.compact(&edited).expect("compacted");
    assert_eq!(table(&disk).last(), Some(&(3, Status::NotSent, 0)));
    begun(&disk, &edited).compact(&edited).expect("compacted");
    assert_eq!(table(&disk), rows[..3]);
}

#[test]
fn a_table_in_order_is_not_written_again() {
    let disk = SimDisk::default();
    let manifest = TestManifest::of([1, 2]);
    let mut log = begun(&disk, &manifest);
    log.append(&line(2, Status::Uploaded)).expect("written");
    log.append(&line(1, Status::Failed)).expect("written");
    log.compact(&manifest).expect("compacted");

    let log = begun(&disk, &manifest);
    let before = disk.operations();
    let totals = log.compact(&manifest).expect("compacted").totals;
    assert_eq!(disk.operations(), before, "nothing touches the disk");
    assert_eq!((totals.rows.of(Status::Uploaded), totals.rows.of(Status::Failed)), (1, 1));

    let moved = TestManifest::of([2, 1]);
    begun(&disk, &moved).compact(&moved).expect("compacted");
    assert_eq!(table(&disk), [(2, Status::Uploaded, 2), (1, Status::Failed, 3)]);
    let mut noted = TestManifest::of([2, 1]);
    noted.rows[0].1 = "another, longer note";
    begun(&disk, &noted).compact(&noted).expect("compacted");
    assert!(text(&disk).contains("\"another, longer note\""));
}

#[test]
fn other_carried_columns_do_not_lose_the_old_ones() {
    let disk = SimDisk::default();
    let mut manifest = TestManifest::of([1]);
    let mut log = begun(&disk, &manifest);
    log.append(&line(1, Status::Uploaded)).expect("written");
    drop(log);
    manifest.columns = vec!["x_new".to_owned()];
    manifest.rows[0].1 = "new";
    let log = begun(&disk, &manifest);
    assert_eq!(log.layout(), &Layout::new(["x_new", "note"]));
    assert!(text(&disk).contains(",a note,"), "{}", text(&disk));
    log.compact(&manifest).expect("compacted");
    assert!(text(&disk).contains(",new,a note,"), "{}", text(&disk));
}

#[test]
fn a_file_of_another_target_or_of_another_manifest_is_refused() {
    let disk = SimDisk::default();
    let mut log = begun(&disk, &TestManifest::of([1]));
    log.append(&line(1, Status::Uploaded)).expect("written");
    drop(log);
    let elsewhere = ResultsOptions { target: Some("www.zohoapis.com".to_owned()), ..ResultsOptions::default() };
    let refused = hold(disk.clone(), Path::new(PATH), &elsewhere).expect_err("another target").to_string();
    assert!(refused.contains("www.zohoapis.eu") && refused.contains("www.zohoapis.com"), "{refused}");
    let refused = held(&disk).begin(&TestManifest::of([2])).expect_err("another manifest").to_string();
    assert!(refused.contains("another manifest") && refused.contains("Angebote"), "{refused}");
}

#[test]
fn only_rows_that_may_have_created_something_bind_a_file_to_its_target() {
    let elsewhere = ResultsOptions { target: Some("www.zohoapis.com".to_owned()), ..ResultsOptions::default() };
    let manifest = TestManifest::of([1, 2, 3]);
    let take = |lines: &[Line]| {
        let disk = SimDisk::default();
        let mut log = begun(&disk, &manifest);
        lines.iter().try_for_each(|line| log.append(line)).expect("written");
        drop(log);
        (disk.clone(), hold(disk, Path::new(PATH), &elsewhere))
    };
    for status in [Status::Uploaded, Status::AlreadyPresent, Status::Unknown, Status::InDoubt, Status::Sending] {
        let (_, held) = take(&[line(1, Status::Failed), sent(2, 10), line(2, status)]);
        assert!(matches!(held, Err(ResultsError::OtherTarget { .. })), "{status}");
    }
    let (disk, held) =
        take(&[sent(1, 10), line(1, Status::Failed), line(2, Status::NotSent), line(3, Status::Invalid)]);
    let mut log = held.expect("a first try that failed at the door").begin(&manifest).expect("the log begins");
    for row in [1, 2, 3].map(RowKey) {
        let standing = log.history().standing(row, &ResendRules::default());
        assert_eq!(standing, Standing::New, "what was refused elsewhere says nothing here");
    }
    let here = Line { target: "www.zohoapis.com".to_owned(), ..line(1, Status::Uploaded) };
    log.append(&here).expect("written");
    log.compact(&manifest).expect("compacted");
    let back = hold(disk.clone(), Path::new(PATH), &options());
    assert!(matches!(back, Err(ResultsError::OtherTarget { .. })), "{back:?}");
    assert_eq!(look(disk, Path::new(PATH), &elsewhere).expect("ours").history().count(Status::Uploaded), 1);
}

#[test]
fn results_that_created_nothing_may_be_those_of_a_manifest_put_right() {
    let disk = SimDisk::default();
    let mut log = begun(&disk, &TestManifest::of([1]));
    log.append(&line(1, Status::Failed)).expect("written");
    drop(log);
    assert!(held(&disk).begin(&TestManifest::of([2])).is_ok());
}

#[test]
fn a_file_that_is_no_results_file_is_refused_and_left_alone() {
    for other in ["module,record,file\nLeads,1,a\n", "\n", "PK\u{3}\u{4}"] {
        let disk = SimDisk::default();
        disk.put(Path::new(PATH), other.as_bytes());
        let refused = hold(disk.clone(), Path::new(PATH), &options()).expect_err("not ours");
        assert!(matches!(refused, ResultsError::NotResults { .. }));
        assert_eq!(text(&disk), other);
    }
}

#[test]
fn only_one_run_at_a_time_has_the_results() {
    let disk = SimDisk::default();
    let first = held(&disk);
    let refused = hold(disk.clone(), Path::new(PATH), &options()).expect_err("locked").to_string();
    assert!(refused.contains("a.results.csv.lock"), "{refused}");
    drop(first);
    held(&disk);
}

#[test]
fn what_a_cut_off_compaction_left_behind_is_removed_and_nothing_else() {
    let disk = SimDisk::default();
    let stray = Path::new("work/.a.results.csv.0123456789abcdef.tmp");
    let other = Path::new("work/.b.results.csv.0123456789abcdef.tmp");
    disk.put(stray, b"half");
    disk.put(other, b"half");
    held(&disk);
    assert_eq!(disk.names(), [other.to_owned()]);
}

#[test]
fn a_log_cut_at_any_byte_goes_on_from_its_last_whole_line() {
    let whole = SimDisk::default();
    let manifest = TestManifest::of([1, 2]);
    let mut log = begun(&whole, &manifest);
    for line in [sent(1, 5), line(1, Status::Uploaded), sent(2, 6), line(2, Status::Uploaded)] {
        log.append(&line).expect("written");
    }
    drop(log);
    let bytes = whole.contents(Path::new(PATH)).expect("there");
    let header = memchr::memchr(b'\n', &bytes).expect("a header") + 1;
    for cut in header..bytes.len() {
        let tails = [&b""[..], b"\0\0\0", b"\0\0\n"];
        for tail in tails.into_iter().take(if cut % 16 == 0 { 3 } else { 1 }) {
            let disk = SimDisk::default();
            disk.put(Path::new(PATH), &[&bytes[..cut], tail].concat());
            let log = begun(&disk, &manifest);
            let complete = bytes[header..cut].iter().filter(|byte| **byte == b'\n').count();
            // Only its newline is missing: the line counts, and the file is written anew.
            let bare = tail.is_empty() && bytes[cut] == b'\n';
            let under_way = if bare { Status::InDoubt } else { Status::Sending };
            let expected = [None, Some(under_way), Some(Status::Uploaded)][(complete + usize::from(bare)).min(2)];
            assert_eq!(log.history().status(RowKey(1)), expected, "cut at {cut}");
            assert!(text(&disk).ends_with('\n'));
            assert!(bare || table(&disk).len() == complete);
        }
    }
}

#[test]
fn a_hole_inside_is_taken_out_before_anything_is_written() {
    let disk = SimDisk::default();
    let manifest = TestManifest::of([1, 2, 3]);
    let mut log = begun(&disk, &manifest);
    for line in [sent(1, 5), line(1, Status::Uploaded), sent(2, 6), sent(3, 7)] {
        log.append(&line).expect("written");
    }
    drop(log);
    let mut bytes = disk.contents(Path::new(PATH)).expect("there");
    let lines: Vec<usize> = memchr::memchr_iter(b'\n', &bytes).collect();
    bytes[lines[1] + 20..lines[3] - 20].fill(0);
    disk.put(Path::new(PATH), &bytes);
    let mut log = begun(&disk, &manifest);
    log.append(&sent(2, 8)).expect("written");
    drop(log);
    assert_eq!(
        table(&disk).iter().map(|(key, status, _)| (*key, *status)).collect::<Vec<_>>(),
        [(1, Status::InDoubt), (3, Status::InDoubt), (2, Status::Sending)]
    );
}

#[test]
fn a_hole_in_a_table_is_no_trace_of_a_crash_and_is_refused() {
    let disk = SimDisk::default();
    let manifest = TestManifest::of([1, 2, 3]);
    let mut log = begun(&disk, &manifest);
    for key in 1..=3 {
        log.append(&sent(key, 5)).expect("written");
        log.append(&line(key, Status::Uploaded)).expect("written");
    }
    drop(log.compact(&manifest).expect("a table"));
    let whole = disk.contents(Path::new(PATH)).expect("there");
    let lines: Vec<usize> = memchr::memchr_iter(b'\n', &whole).collect();
    for hole in [lines[0] + 9..lines[0] + 10, lines[1] + 1..lines[2]] {
        let mut bytes = whole.clone();
        bytes[hole].fill(0);
        disk.put(Path::new(PATH), &bytes);
        let refused = hold(disk.clone(), Path::new(PATH), &options()).expect_err("damaged");
        assert!(matches!(refused, ResultsError::Edited { line: 2 | 3, .. }), "{refused}");
        assert_eq!(disk.contents(Path::new(PATH)), Some(bytes), "left alone");
    }
    // A newline that an editor took away does no harm.
    disk.put(Path::new(PATH), &whole[..whole.len() - 1]);
    assert_eq!(begun(&disk, &manifest).history().status(RowKey(3)), Some(Status::Uploaded));
    assert_eq!(disk.contents(Path::new(PATH)), Some(whole));
}

#[test]
fn a_hole_among_rows_that_were_never_sent_is_a_trace_of_a_crash() {
    let disk = SimDisk::default();
    let manifest = TestManifest::of([1, 2, 3]);
    let mut log = begun(&disk, &manifest);
    for key in 1..=3 {
        log.append(&line(key, Status::NotSent)).expect("written");
    }
    drop(log);
    let mut bytes = disk.contents(Path::new(PATH)).expect("there");
    let lines: Vec<usize> = memchr::memchr_iter(b'\n', &bytes).collect();
    bytes[lines[0] + 9..lines[1] - 9].fill(0);
    disk.put(Path::new(PATH), &bytes);
    assert_eq!(begun(&disk, &manifest).history().status(RowKey(2)), Some(Status::NotSent));
}

#[test]
fn an_edited_line_is_refused_by_line_and_column_and_the_file_left_alone() {
    let disk = SimDisk::default();
    let manifest = TestManifest::of([1, 2]);
    let mut log = begun(&disk, &manifest);
    for line in [line(1, Status::Uploaded), line(2, Status::Uploaded)] {
        log.append(&line).expect("written");
    }
    drop(log);
    let edited = text(&disk).replace(",5002,", ",5.0E+3,");
    disk.put(Path::new(PATH), edited.as_bytes());
    let refused = hold(disk.clone(), Path::new(PATH), &options()).expect_err("edited").to_string();
    assert!(refused.contains("line 3 of"), "{refused}");
    assert!(refused.contains("column attachment_id") && refused.contains("put back the copy"), "{refused}");
    assert_eq!(text(&disk), edited);

    let fewer = text(&disk).replacen("uploaded,", "uploaded", 1);
    disk.put(Path::new(PATH), fewer.as_bytes());
    let refused = hold(disk.clone(), Path::new(PATH), &options()).expect_err("edited").to_string();
    assert!(refused.contains("line 2 of"), "a line that is too short is torn only at the very end: {refused}");
}

#[test]
fn accepted_edits_count_by_key_and_status_and_what_cannot_be_told_is_unknown() {
    let disk = SimDisk::default();
    let manifest = TestManifest::of(1..=4);
    let mut log = begun(&disk, &manifest);
    let lines = [line(1, Status::Uploaded), line(2, Status::Uploaded), sent(3, 500), line(4, Status::Failed)];
    for line in &lines {
        log.append(line).expect("written");
    }
    drop(log);
    let edited =
        text(&disk).replace(",5001,", ",5E3,").replace("1970-01-01T00:08:20Z", "1.1.70").replacen("failed", "fine", 1);
    disk.put(Path::new(PATH), edited.as_bytes());
    let accepting = ResultsOptions { accept_edited: true, ..options() };
    let held = hold(disk.clone(), Path::new(PATH), &accepting).expect("accepted");
    assert_eq!(held.seen().edited(), 3);
    let log = held.begin(&manifest).expect("begins");
    let statuses: Vec<_> = table(&disk).into_iter().map(|(key, status, _)| (key, status)).collect();
    assert_eq!(statuses, [(1, Status::Uploaded), (2, Status::Uploaded), (3, Status::Unknown), (4, Status::Unknown)]);
    assert_eq!(log.history().code(RowKey(3)), Some("edited"));
    drop(log);
    assert!(hold(disk.clone(), Path::new(PATH), &options()).is_ok(), "from then on the file is sound");

    let keyless = text(&disk).replace("r0000000000000002", "r2");
    disk.put(Path::new(PATH), keyless.as_bytes());
    let refused = hold(disk, Path::new(PATH), &accepting).expect_err("no key").to_string();
    assert!(refused.contains("cannot be accepted"), "{refused}");
}

#[test]
fn a_rehearsal_begins_afresh_over_a_rehearsal_and_over_nothing_else() {
    let disk = SimDisk::default();
    let rehearsal = ResultsOptions { target: Some("sandbox".to_owned()), afresh: true, ..ResultsOptions::default() };
    let mut log = begun(&disk, &TestManifest::of([1]));
    log.append(&line(1, Status::Uploaded)).expect("written");
    drop(log);
    let real = text(&disk);
    for there in [real.as_str(), "anything at all"] {
        disk.put(Path::new(PATH), there.as_bytes());
        for refused in [
            hold(disk.clone(), Path::new(PATH), &rehearsal).map(|_| ()),
            look(disk.clone(), Path::new(PATH), &rehearsal).map(|_| ()),
        ] {
            let refused = refused.expect_err("not a rehearsal's").to_string();
            assert!(refused.contains("not the results of a rehearsal"), "{refused}");
        }
        assert_eq!(text(&disk), there, "left alone");
    }
    let rehearsed = real.replace(&full().target, "sandbox");
    let torn = &rehearsed[..rehearsed.len() - 20];
    for there in [rehearsed.as_str(), torn, ""] {
        disk.put(Path::new(PATH), there.as_bytes());
        let held = hold(disk.clone(), Path::new(PATH), &rehearsal).expect("free");
        held.begin(&TestManifest::of([1])).expect("begins");
        assert!(text(&disk).starts_with("line,module,record,"));
        assert_eq!(table(&disk), []);
    }
}

#[test]
fn a_file_with_two_names_is_refused_by_both() {
    let disk = SimDisk::default();
    drop(begun(&disk, &TestManifest::of([1])));
    let other = Path::new("work/b.results.csv");
    disk.meddle(&Meddling::Link(Path::new(PATH).to_owned(), other.to_owned()));
    for path in [Path::new(PATH), other] {
        for refused in
            [hold(disk.clone(), path, &options()).map(|_| ()), look(disk.clone(), path, &options()).map(|_| ())]
        {
            assert!(matches!(refused, Err(ResultsError::Linked { names: 2, .. })), "{refused:?}");
        }
    }
}

#[test]
fn a_file_in_use_is_refused_by_its_new_name_and_without_its_lock_file() {
    let disk = SimDisk::default();
    let manifest = TestManifest::of([1, 2]);
    let mut log = begun(&disk, &manifest);
    let other = Path::new("work/b.results.csv");
    disk.meddle(&Meddling::Rename(Path::new(PATH).to_owned(), other.to_owned()));
    assert!(matches!(hold(disk.clone(), other, &options()), Err(ResultsError::Locked { .. })));
    disk.meddle(&Meddling::Rename(other.to_owned(), Path::new(PATH).to_owned()));
    log.append(&sent(1, 5)).and_then(|()| log.sync()).expect("it is back before anything was asked of it");
    let finished = log.compact(&manifest).expect("compacted");
    // Its table is locked as the log was.
    disk.meddle(&Meddling::Rename(Path::new(PATH).to_owned(), other.to_owned()));
    assert!(matches!(hold(disk.clone(), other, &options()), Err(ResultsError::Locked { .. })));
    drop(finished);
    assert!(hold(disk, other, &options()).is_ok());
}

/// What the list of runs says of a run that left so many rows uploaded and so many in doubt.
fn ended(uploaded: u32, in_doubt: u32) -> RunRecord {
    let counts = [("uploaded".to_owned(), uploaded), ("in_doubt".to_owned(), in_doubt)].into();
    RunRecord { counts, ..runs::sample("one") }
}

fn known(ended: Vec<RunRecord>) -> KnownRuns {
    KnownRuns { ended, ..KnownRuns::default() }
}

#[test]
fn results_that_vanished_are_no_new_beginning() {
    let disk = SimDisk::default();
    let seen = look(disk.clone(), Path::new(PATH), &options()).expect("none");
    let refused = |runs: &KnownRuns| seen.has_not_vanished(runs).expect_err("no new beginning").to_string();
    assert!(seen.has_not_vanished(&known(vec![])).is_ok() && seen.has_not_vanished(&known(vec![ended(0, 0)])).is_ok());
    let three = known(vec![ended(3, 0), ended(0, 0)]);
    assert!(refused(&three).contains("3 rows") && refused(&three).contains("Put it back"), "{}", refused(&three));
    let doubtful = known(vec![ended(0, 2)]);
    assert!(refused(&doubtful).contains("2 more that may be there"), "{}", refused(&doubtful));
    let killed = RunOrigin { id: "two".to_owned(), ..RunOrigin::default() };
    let unended = KnownRuns { unended: Some(killed), ..known(vec![ended(0, 0)]) };
    assert!(refused(&unended).contains("the run two began and was cut off"), "{}", refused(&unended));
    let damaged = KnownRuns { damaged: true, ..known(vec![ended(0, 0)]) };
    assert!(refused(&damaged).contains("that list is damaged"), "{}", refused(&damaged));
    drop(begun(&disk, &TestManifest::of([1])));
    let seen = look(disk, Path::new(PATH), &options()).expect("there");
    assert!(seen.has_not_vanished(&three).is_ok(), "a file that is there is held against its length");
}

#[test]
fn without_a_list_of_runs_the_mark_knows_that_results_vanished() {
    let disk = SimDisk::default();
    let mut log = begun(&disk, &TestManifest::of([1, 2]));
    log.append(&sent(1, 5)).and_then(|()| log.sync()).expect("durable");
    drop(log);
    disk.meddle(&Meddling::Remove(Path::new(PATH).to_owned()));
    let seen = look(disk.clone(), Path::new(PATH), &options()).expect("none");
    let refused = seen.has_not_vanished(&known(vec![])).expect_err("a row may have been sent").to_string();
    assert!(refused.contains("a.results.csv.mark") && refused.contains("1 line"), "{refused}");
    drop(begun(&disk, &TestManifest::of([1, 2])));
    let seen = look(disk, Path::new(PATH), &options()).expect("begun anew as the user said");
    assert!(seen.history().is_empty());
}

#[test]
fn a_row_in_doubt_that_was_taken_out_of_a_table_is_missed() {
    let disk = SimDisk::default();
    let manifest = TestManifest::of([1, 2]);
    let mut log = begun(&disk, &manifest);
    for line in [line(1, Status::Uploaded), sent(2, 5), line(2, Status::Unknown)] {
        log.append(&line).expect("written");
    }
    drop(log.compact(&manifest).expect("a table"));
    let whole = text(&disk);
    let shortened: String =
        whole.lines().filter(|line| !line.contains("unknown")).map(|line| format!("{line}\n")).collect();
    disk.put(Path::new(PATH), shortened.as_bytes());
    let refused = look(disk.clone(), Path::new(PATH), &options()).expect_err("row 2 would be sent again").to_string();
    assert!(refused.contains("1 line of it") && refused.contains("there were 2"), "{refused}");
    // By the list of runs as well, should the mark be gone.
    disk.meddle(&Meddling::Remove(Path::new("work/a.results.csv.mark").to_owned()));
    let seen = look(disk.clone(), Path::new(PATH), &options()).expect("no mark");
    assert!(matches!(
        seen.is_as_long_as_known(&known(vec![ended(1, 1)])),
        Err(ResultsError::LinesMissing { there: 1, known: 2, .. })
    ));
    let settled_since = KnownRuns { unended: Some(RunOrigin::default()), ..known(vec![ended(1, 1)]) };
    assert!(seen.is_as_long_as_known(&settled_since).is_ok(), "a run that was cut off may have proved the row absent");
    let marked = RunOrigin { id: "two".to_owned(), marked: true, ..RunOrigin::default() };
    let marked = KnownRuns { unended: Some(marked), ..known(vec![ended(1, 0)]) };
    assert!(matches!(seen.is_as_long_as_known(&marked), Err(ResultsError::MarkMissing { .. })));
    let accepting = ResultsOptions { accept_edited: true, ..options() };
    disk.put(Path::new(PATH), whole.as_bytes());
    assert_eq!(look(disk, Path::new(PATH), &accepting).expect("accepted").history().len(), 2);
}

#[test]
fn a_table_may_be_sorted_and_lose_its_last_newline() {
    let disk = SimDisk::default();
    let manifest = TestManifest::of([1, 2, 3]);
    let mut log = begun(&disk, &manifest);
    for key in 1..=3 {
        log.append(&line(key, Status::Uploaded)).expect("written");
    }
    drop(log.compact(&manifest).expect("a table"));
    let whole = text(&disk);
    let mut lines: Vec<&str> = whole.lines().collect();
    lines[1..].reverse();
    disk.put(Path::new(PATH), lines.join("\n").as_bytes());
    drop(begun(&disk, &manifest).compact(&manifest).expect("as before"));
    assert_eq!(table(&disk).len(), 3);
}

#[test]
fn every_attachment_in_the_file_is_claimed_for_its_record() {
    let disk = SimDisk::default();
    let manifest = TestManifest::of(1..=4);
    let mut log = begun(&disk, &manifest);
    let even = "1000000000".parse().ok().and_then(crate::upload::RecordId::new).expect("an id");
    log.append(&line(2, Status::Uploaded)).expect("written");
    log.append(&line(1, Status::Uploaded)).expect("written");
    assert_eq!(log.claimed(even).expect("read"), [ServiceId::new(5_002)]);
    log.append(&sent(4, 3)).expect("written");
    log.append(&line(4, Status::Uploaded)).expect("written");
    assert_eq!(log.claimed(even).expect("read"), [ServiceId::new(5_002), ServiceId::new(5_004)]);
}

#[test]
fn after_an_error_nothing_more_is_written() {
    for broken in 0..2 {
        let disk = SimDisk::default();
        let manifest = TestManifest::of([1]);
        let mut log = begun(&disk, &manifest);
        disk.fail_at(disk.operations() + broken);
        assert!(log.append(&sent(1, 5)).and_then(|()| log.sync()).is_err());
        let operations = disk.operations();
        assert!(log.append(&sent(1, 5)).is_err() && log.sync().is_err() && log.compact(&manifest).is_err());
        assert_eq!(disk.operations(), operations);
    }
}

/// A file that stands in `tests/data`. Such files are never changed: they are what users of that version have.
fn frozen(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

#[test]
fn a_table_of_the_first_version_is_read_and_would_be_written_alike() {
    let path = frozen("results-v1.csv");
    let table = read(&path, false).expect("sound");
    let rows: Vec<Line> = table.rows().collect::<Result<_, _>>().expect("readable");
    assert_eq!(table.target().expect("readable").as_deref(), Some("www.zohoapis.eu"));
    assert_eq!(
        table.tally().iter().map(|(status, count)| format!("{status} {count}")).collect::<Vec<_>>(),
        ["uploaded 2", "already_present 1", "failed 2", "in_doubt 1", "unknown 1", "not_sent 1", "invalid 1"]
    );
    let mut again = Vec::new();
    table.layout().encode_header(&mut again);
    rows.iter().for_each(|line| line.encode(table.layout(), &mut again));
    assert_eq!(String::from_utf8(again).expect("UTF-8"), std::fs::read_to_string(&path).expect("there"));
    assert_eq!(
        (rows[2].name.as_str(), rows[3].name.as_str(), rows[1].carried[1].as_str()),
        ("-50%09.pdf", "b\n.txt", "=A1")
    );
    for row in rows.iter().filter(|row| row.status != Status::Invalid) {
        let kind = row.kind().expect("a file or a link");
        let source = if row.url.is_empty() { &row.file } else { &row.url };
        assert_eq!(row.key, RowKey::of(&row.module, &row.record, kind, source, &row.name, 1), "line {}", row.line);
    }
}

#[test]
fn a_log_of_the_first_version_is_read_by_its_last_lines() {
    let table = read(&frozen("results-v1-log.csv"), false).expect("sound");
    assert_eq!(table.torn(), 1);
    let rows: Vec<_> =
        table.rows().map(|line| line.map(|line| (line.line, line.status))).collect::<Result<_, _>>().expect("readable");
    assert_eq!(rows, [(2, Status::Uploaded), (3, Status::Uploaded), (6, Status::InDoubt), (8, Status::Sending)]);
}

#[test]
fn a_file_of_the_first_version_is_written_anew_before_the_first_line() {
    let disk = SimDisk::default();
    let old = std::fs::read(frozen("results-v1.csv")).expect("there");
    let file = disk.create(Path::new(PATH)).expect("created");
    disk.append(&file, &old).expect("written");
    drop(file);
    let options = ResultsOptions { target: Some("www.zohoapis.eu".to_owned()), ..ResultsOptions::default() };
    let keys: Vec<u64> = {
        let seen = look(disk.clone(), Path::new(PATH), &options).expect("sound");
        assert_eq!(seen.history().len(), 9);
        seen.history().iter().map(|kept| kept.key().0).collect()
    };
    assert_eq!(disk.contents(Path::new(PATH)).expect("there"), old, "a look changes nothing");
    let manifest = TestManifest { columns: ["note", "x_batch"].map(str::to_owned).to_vec(), ..TestManifest::of(keys) };
    let held = hold(disk.clone(), Path::new(PATH), &options).expect("free");
    let log = held.begin(&manifest).expect("begins");
    assert!(text(&disk).starts_with("line,module,record,record_key,file,url,name,status,attachment_id,code,message,"));
    assert!(text(&disk).lines().next().is_some_and(|header| header.contains(",bytes,content,seconds,")));
    assert!(
        text(&disk).lines().next().is_some_and(|header| header.ends_with(",note,x_batch,target,org,run,key,check"))
    );
    drop(log);
    let before = read(&frozen("results-v1.csv"), false).expect("sound");
    let before: Vec<Line> = before.rows().collect::<Result<_, _>>().expect("readable");
    let seen = look(disk.clone(), Path::new(PATH), &options).expect("sound");
    for line in before {
        let line = if line.status == Status::Sending { Line { status: Status::InDoubt, ..line } } else { line };
        assert_eq!(seen.line(line.key).expect("readable"), Some(line));
    }
}

#[test]
fn a_line_that_a_row_takes_over_is_moved_by_one_rewrite_and_never_copied() {
    let disk = SimDisk::default();
    let before = TestManifest::of([1, 2, 3]);
    let mut log = begun(&disk, &before);
    for line in [line(1, Status::Uploaded), line(2, Status::Failed), sent(3, 700)] {
        log.append(&line).expect("written");
    }
    drop(log);
    // The rows 1 and 3 are written otherwise today, as 11 and 13; the row 13 has failed under that name before.
    let after = TestManifest::of([11, 2, 13]);
    let takings = [(1, 11), (3, 13)].map(|(from, to)| Taking { from: RowKey(from), to: RowKey(to) });
    let old = text(&disk);
    let mut seen = look(disk.clone(), Path::new(PATH), &options()).expect("sound");
    seen.take_over(takings);
    assert_eq!(seen.history().standing(RowKey(11), &ResendRules::default()), Standing::Settled(Status::Uploaded));
    assert_eq!(seen.history().standing(RowKey(1), &ResendRules::default()), Standing::New);
    assert_eq!(seen.line(RowKey(11)).expect("readable").map(|line| line.key), Some(RowKey(11)));
    assert_eq!(text(&disk), old, "a look changes nothing");
    let mut held = held(&disk);
    held.seen_mut().take_over(takings);
    let log = held.begin(&after).expect("begins");
    assert_eq!(
        log.history().standing(RowKey(13), &ResendRules::default()),
        Standing::InDoubt { sent_at: 700, why: Why::Unfinished }
    );
    assert_eq!(table(&disk), [(11, Status::Uploaded, 2), (2, Status::Failed, 1), (13, Status::InDoubt, 4)]);
    log.compact(&after).expect("compacted");
    assert_eq!(table(&disk), [(11, Status::Uploaded, 2), (2, Status::Failed, 3), (13, Status::InDoubt, 4)]);
}

#[test]
fn lines_are_found_by_their_record_with_those_that_are_open_behind_the_others() {
    let disk = SimDisk::default();
    let mut log = begun(&disk, &TestManifest::of(1..=6));
    for line in [sent(1, 5), line(3, Status::Uploaded), line(5, Status::Failed), line(2, Status::Uploaded)] {
        log.append(&line).expect("written");
    }
    drop(log);
    let seen = look(disk.clone(), Path::new(PATH), &options()).expect("sound");
    let keys = |found: Vec<PlacedLine>| found.into_iter().map(|placed| placed.key.0).collect::<Vec<_>>();
    assert_eq!(
        keys(seen.placed(|_, _| true, |_| true).expect("readable")),
        [2, 3, 1],
        "even keys are of another record"
    );
    assert_eq!(keys(seen.placed(|key, _| key.0 > 1, |record| record % 2 == 1).expect("readable")), [3]);
    assert_eq!(seen.reader().line(RowKey(3)).expect("readable"), seen.line(RowKey(3)).expect("readable"));
}

/// Four rows: two uploaded, one refused, one in doubt, as an earlier run left them.
fn left_behind() -> (SimDisk, TestManifest) {
    let (disk, manifest) = (SimDisk::default(), TestManifest::of([1, 2, 3, 4]));
    let mut log = begun(&disk, &manifest);
    for line in [line(1, Status::Uploaded), line(2, Status::Uploaded), line(3, Status::Failed), sent(4, 12)] {
        log.append(&line).expect("written");
    }
    log.compact(&manifest).expect("compacted");
    (disk, manifest)
}

/// A log of the same results with the lines of these rows set aside.
fn set_aside(disk: &SimDisk, manifest: &TestManifest, rows: &[u64]) -> ResultsLog<SimDisk> {
    let mut held = held(disk);
    held.seen_mut().supersede(rows.iter().copied().map(RowKey));
    held.begin(manifest).expect("the log begins")
}

#[test]
fn a_row_that_is_sent_once_more_has_one_line_that_counts_and_its_older_ones_keep_their_attachments() {
    let (disk, manifest) = left_behind();
    for (generation, id) in [(1, 7_001), (2, 7_002)] {
        let mut log = set_aside(&disk, &manifest, &[1]);
        assert_eq!(log.history().standing(RowKey(1), &ResendRules::default()), Standing::New);
        let again = Line { attachment_id: Some(ServiceId::new(id)), ..line(1, Status::Uploaded) };
        log.append(&sent(1, 20)).and_then(|()| log.sync()).and_then(|()| log.append(&again)).expect("written");
        let record = again.record.parse().ok().and_then(crate::upload::RecordId::new).expect("a record");
        let claimed = log.claimed(record).expect("read");
        assert!(claimed.contains(&ServiceId::new(5_001)) && claimed.contains(&ServiceId::new(id)), "{claimed:?}");
        let expected = log.expected(record).expect("read");
        assert!(!expected.contains(&ServiceId::new(5_001)), "it may be gone: {expected:?}");
        let finished = log.compact(&manifest).expect("compacted");
        assert_eq!(finished.totals.rows.of(Status::Superseded), 0, "it is no row's standing");
        assert_eq!(finished.totals.gone.of(Status::Superseded), generation);
    }
    let seen = look(disk.clone(), Path::new(PATH), &options()).expect("sound");
    let id = |key| seen.line(key).expect("read").expect("there").attachment_id.map(ServiceId::get);
    let keys = [RowKey(1), RowKey(1).superseded(1), RowKey(1).superseded(2)];
    assert_eq!(keys.map(id), [Some(7_002), Some(5_001), Some(7_001)]);
    assert_eq!(seen.history().standing(keys[1], &ResendRules::default()), Standing::Settled(Status::Superseded));
    assert!(
        table(&disk).iter().skip(4).all(|(.., line)| *line == 0),
        "they stand behind, and are no row of the manifest"
    );
}

#[test]
fn a_row_whose_turn_did_not_come_stands_as_before() {
    let (disk, manifest) = left_behind();
    let mut log = set_aside(&disk, &manifest, &[1, 2]);
    log.append(&sent(1, 20)).and_then(|()| log.append(&line(1, Status::Failed))).expect("written");
    log.append(&line(2, Status::NotSent)).expect("written");
    log.compact(&manifest).expect("compacted");
    let rows = table(&disk);
    assert_eq!(rows[0], (1, Status::Failed, 2), "what was tried is told");
    assert_eq!(rows[1], (2, Status::Uploaded, 3), "what was not tried is as it was");
    assert_eq!(rows[4], (RowKey(1).superseded(1).0, Status::Superseded, 0));
    assert_eq!(rows.len(), 5);
}

#[test]
fn results_whose_only_row_is_set_aside_still_belong_to_their_manifest() {
    let (disk, manifest) = (SimDisk::default(), TestManifest::of([1]));
    let mut log = begun(&disk, &manifest);
    log.append(&line(1, Status::Uploaded)).expect("written");
    log.compact(&manifest).expect("compacted");
    drop(set_aside(&disk, &manifest, &[1]));
    disk.kill();
    let log = begun(&disk, &manifest);
    assert_eq!(log.history().status(RowKey(1).superseded(1)), Some(Status::Superseded));
    drop(log);
    let other = hold(disk, Path::new(PATH), &options()).expect("free").begin(&TestManifest::of([2]));
    assert!(matches!(other, Err(ResultsError::OtherManifest { .. })), "{other:?}");
}
