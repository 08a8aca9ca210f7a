//! Every file operation of the log fails once, or is the last one before a crash, in turn; and after each, the run is
//! repeated until it is done. What the service then has is counted: each row once, whatever happened.

use std::collections::BTreeMap;
use std::path::Path;

use super::log::Batch;
use super::tests::{PATH, TestManifest, line, options, sent};
use super::*;
use crate::outcome::Status;
use crate::simulation::disk::{Meddling, SimDisk};
use crate::upload::RowKey;

pub(super) const ROWS: u64 = 5;
/// The row that the service refuses.
const REFUSED: u64 = 3;

/// The service: how often it created each row's attachment. What it has done no crash undoes.
#[derive(Clone, Default)]
pub(super) struct CountingService {
    created: BTreeMap<u64, u32>,
}

impl CountingService {
    /// One that has these rows.
    pub(super) fn with(created: &[u64]) -> CountingService {
        CountingService { created: created.iter().map(|key| (*key, 1)).collect() }
    }

    fn send(&mut self, key: u64) -> Line {
        if key == REFUSED {
            return Line { code: "INVALID_DATA".to_owned(), ..line(key, Status::Failed) };
        }
        *self.created.entry(key).or_default() += 1;
        line(key, Status::Uploaded)
    }

    fn has(&self, key: u64) -> bool {
        self.created.contains_key(&key)
    }
}

/// Why a run stopped.
#[derive(Debug)]
pub(super) enum StoppedAt {
    /// Before it had begun.
    Refused(ResultsError),
    /// On the way.
    Ended(EndError<SimDisk>),
}

impl std::fmt::Display for StoppedAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoppedAt::Refused(error) => error.fmt(f),
            StoppedAt::Ended(error) => error.fmt(f),
        }
    }
}

/// One run by the rules: announce durably, send, write the end; look first for what is in doubt.
pub(super) fn run(
    disk: &SimDisk,
    manifest: &TestManifest,
    service: &mut CountingService,
) -> Result<ResultsTotals, StoppedAt> {
    let held = hold(disk.clone(), Path::new(PATH), &options()).map_err(StoppedAt::Refused)?;
    let mut log = held.begin(manifest).map_err(StoppedAt::Refused)?;
    if let Err(cause) = send_all(&mut log, service) {
        return Err(StoppedAt::Ended(log.ended(cause, Batch::default())));
    }
    log.compact(manifest).map(|finished| finished.totals).map_err(StoppedAt::Ended)
}

fn send_all(log: &mut ResultsLog<SimDisk>, service: &mut CountingService) -> Result<(), LogError> {
    for key in 1..=ROWS {
        let end = match log.history().standing(RowKey(key), &ResendRules::default()) {
            Standing::Settled(_) => continue,
            Standing::InDoubt { .. } if service.has(key) => line(key, Status::Uploaded),
            Standing::New | Standing::Again(_) | Standing::InDoubt { .. } => {
                let at = i64::try_from(key).expect("small");
                log.append(&sent(key, at)).and_then(|()| log.sync())?;
                service.send(key)
            }
        };
        log.append(&end)?;
    }
    Ok(())
}

/// The truth of what the file says now: no row is called `uploaded` that is not there, or `failed` that is.
fn no_end_is_a_lie(disk: &SimDisk, service: &CountingService, context: &str) {
    let seen = look(disk.clone(), Path::new(PATH), &options()).unwrap_or_else(|error| panic!("{context}: {error}"));
    for key in 1..=ROWS {
        match seen.history().status(RowKey(key)) {
            Some(Status::Uploaded) => assert!(service.has(key), "{context}: row {key} was never created"),
            Some(Status::Failed) => assert!(!service.has(key), "{context}: row {key} was created"),
            None | Some(Status::NotSent) => assert!(!service.has(key), "{context}: row {key} is forgotten"),
            _ => {}
        }
    }
}

pub(super) fn finish(disk: &SimDisk, manifest: &TestManifest, service: &mut CountingService, context: &str) {
    no_end_is_a_lie(disk, service, context);
    let totals = run(disk, manifest, service).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!((totals.rows.of(Status::Uploaded), totals.rows.of(Status::Failed)), (4, 1), "{context}");
    assert_eq!(service.created, BTreeMap::from([(1, 1), (2, 1), (4, 1), (5, 1)]), "{context}");
    no_end_is_a_lie(disk, service, context);
}

/// How many operations an undisturbed run takes, on a disk where an earlier run has left `lines` of its log.
pub(super) fn prepared(lines: &[Line]) -> (SimDisk, u64) {
    let manifest = TestManifest::of(1..=ROWS);
    let disk = SimDisk::default();
    let mut log = hold(disk.clone(), Path::new(PATH), &options()).expect("free").begin(&manifest).expect("begins");
    for line in lines {
        log.append(line).expect("written");
    }
    log.sync().expect("synced");
    let begun = disk.operations();
    (disk, begun)
}

/// Starts: no file at all; and the log of a run that was killed, with a row in doubt that was created and one that was
/// not.
fn starts() -> Vec<(&'static str, Vec<Line>, Vec<u64>)> {
    vec![
        ("new", vec![], vec![]),
        ("resumed", vec![sent(1, 1), line(1, Status::Uploaded), sent(2, 2), sent(4, 4)], vec![1, 2]),
    ]
}

fn disk_for(lines: &[Line]) -> SimDisk {
    if lines.is_empty() { SimDisk::default() } else { prepared(lines).0 }
}

/// The numbers of the operations that an undisturbed run from this start makes.
fn operations(lines: &[Line], created: &[u64]) -> std::ops::Range<u64> {
    let disk = disk_for(lines);
    let first = disk.operations();
    run(&disk, &TestManifest::of(1..=ROWS), &mut CountingService::with(created)).expect("undisturbed");
    first..disk.operations()
}

#[test]
fn any_one_operation_may_fail_and_no_row_gets_a_wrong_end() {
    let manifest = TestManifest::of(1..=ROWS);
    for (start, lines, created) in starts() {
        for operation in operations(&lines, &created) {
            let (disk, mut service) = (disk_for(&lines), CountingService::with(&created));
            disk.fail_at(operation);
            // A failure that is of no consequence, such as that of listing stray files, may pass.
            let _ = run(&disk, &manifest, &mut service);
            finish(&disk, &manifest, &mut service, &format!("{start}, operation {operation} fails"));
        }
    }
}

#[test]
fn any_operation_may_be_the_last_before_a_crash() {
    let manifest = TestManifest::of(1..=ROWS);
    for (start, lines, created) in starts() {
        for operation in operations(&lines, &created) {
            for seed in 0..12 {
                let (disk, mut service) = (disk_for(&lines), CountingService::with(&created));
                disk.crash_at(operation);
                let _ = run(&disk, &manifest, &mut service);
                let mut random = fastrand::Rng::with_seed(seed);
                if seed == 0 {
                    disk.kill();
                } else {
                    disk.lose_power(&mut random);
                }
                finish(&disk, &manifest, &mut service, &format!("{start}, crash at {operation}, seed {seed}"));
            }
        }
    }
}

#[test]
fn crashes_may_follow_each_other() {
    let manifest = TestManifest::of(1..=ROWS);
    for seed in 0..400 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (disk, mut service) = (SimDisk::default(), CountingService::default());
        for _ in 0..random.u32(1..6) {
            disk.crash_at(disk.operations() + random.u64(..40));
            let _ = run(&disk, &manifest, &mut service);
            if random.bool() {
                disk.kill();
            } else {
                disk.lose_power(&mut random);
            }
            no_end_is_a_lie(&disk, &service, &format!("seed {seed}"));
        }
        finish(&disk, &manifest, &mut service, &format!("seed {seed}"));
    }
}

/// Every file that somebody may have kept of these results: as they were at first, and cut off behind each line.
fn older_copies(at_first: Option<Vec<u8>>, now: &[u8]) -> Vec<Vec<u8>> {
    let ends = now.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let cut_off = ends.filter(|end| *end < now.len()).map(|end| now[..end].to_vec());
    at_first.into_iter().filter(|first| first != now).chain(cut_off).collect()
}

#[test]
fn after_a_kill_at_any_operation_no_older_copy_of_the_results_makes_a_row_go_twice() {
    let manifest = TestManifest::of(1..=ROWS);
    let (mut refused, mut harmless) = (0, 0);
    for (start, lines, created) in starts() {
        for operation in operations(&lines, &created) {
            let killed = || {
                let (disk, mut service) = (disk_for(&lines), CountingService::with(&created));
                disk.crash_at(operation);
                let _ = run(&disk, &manifest, &mut service);
                disk.kill();
                (disk, service)
            };
            let at_first = disk_for(&lines).contents(Path::new(PATH));
            let now = killed().0.contents(Path::new(PATH)).unwrap_or_default();
            for copy in older_copies(at_first, &now) {
                let context = format!("{start}, killed at {operation}, then a copy of {} bytes", copy.len());
                let (disk, mut service) = killed();
                disk.put(Path::new(PATH), &copy);
                match run(&disk, &manifest, &mut service) {
                    Err(StoppedAt::Refused(ResultsError::BelowMark { .. })) => {
                        refused += 1;
                        disk.put(Path::new(PATH), &now);
                    }
                    Ok(_) => harmless += 1,
                    Err(error) => panic!("{context}: {error}"),
                }
                finish(&disk, &manifest, &mut service, &context);
            }
        }
    }
    assert!(refused > 100 && harmless > 10, "{refused} refused, {harmless} that lacked nothing");
}

const ELSEWHERE: &str = "work/b.results.csv";

/// What others may do to the file, with what puts it right where the run was refused.
fn meddlings(older: &[u8]) -> [Meddling; 4] {
    let (path, elsewhere) = (Path::new(PATH).to_owned(), Path::new(ELSEWHERE).to_owned());
    [
        Meddling::Remove(path.clone()),
        Meddling::Replace(path.clone(), older.to_vec()),
        Meddling::Link(path.clone(), elsewhere.clone()),
        Meddling::Rename(path, elsewhere),
    ]
}

/// How many operations it takes until the file is open: what is done to it before is another beginning.
fn until_open(disk: &SimDisk) -> u64 {
    hold(disk.clone(), Path::new(PATH), &options()).expect("free");
    disk.operations()
}

#[test]
fn whatever_others_do_to_the_file_no_row_is_sent_twice_or_lost() {
    let manifest = TestManifest::of(1..=ROWS);
    let (mut noticed, mut refused) = (0, 0);
    for (start, lines, created) in starts() {
        let older = disk_for(&lines).contents(Path::new(PATH)).unwrap_or_default();
        let opened = until_open(&disk_for(&lines));
        for operation in operations(&lines, &created).filter(|operation| *operation >= opened) {
            for meddling in meddlings(&older) {
                let context = format!("{start}, before operation {operation}: {meddling:?}");
                let (disk, mut service) = (disk_for(&lines), CountingService::with(&created));
                disk.meddle_at(operation, meddling);
                match run(&disk, &manifest, &mut service) {
                    // It came when the table was in its place already, or right before.
                    Ok(_) => {}
                    Err(StoppedAt::Refused(_)) => {
                        assert_eq!(service.created, CountingService::with(&created).created, "{context}");
                        refused += 1;
                    }
                    Err(StoppedAt::Ended(EndError::Displaced(displaced))) => {
                        noticed += 1;
                        let saved = displaced.rescue(displaced.folder(), "run").expect("saved");
                        drop(displaced);
                        disk.meddle(&Meddling::Rename(saved, Path::new(PATH).to_owned()));
                        finish(&disk, &manifest, &mut service, &context);
                    }
                    Err(StoppedAt::Ended(error)) => panic!("{context}: {error}"),
                }
            }
        }
    }
    assert!(noticed > 100 && refused > 0, "{noticed} noticed, {refused} refused");
}

#[test]
fn what_was_saved_survives_a_loss_of_power() {
    let manifest = TestManifest::of(1..=ROWS);
    for seed in 0..20 {
        let (disk, mut service) = (SimDisk::default(), CountingService::default());
        let mut log = hold(disk.clone(), Path::new(PATH), &options()).expect("free").begin(&manifest).expect("begins");
        log.append(&sent(1, 1)).and_then(|()| log.sync()).expect("durable");
        disk.meddle(&Meddling::Remove(Path::new(PATH).to_owned()));
        log.append(&service.send(1)).expect("taken");
        let cause = log.append(&sent(2, 2)).and_then(|()| log.sync()).expect_err("noticed before row 2 is sent");
        let mut unwritten = Batch::default();
        unwritten.push(&line(4, Status::Unknown), log.layout());
        let EndError::Displaced(displaced) = log.ended(cause, unwritten) else { panic!("displaced") };
        assert_eq!(displaced.tally().of(Status::Uploaded), 1);
        let saved = displaced.rescue(displaced.folder(), "run").expect("saved");
        drop(displaced);
        disk.lose_power(&mut fastrand::Rng::with_seed(seed));
        let seen = look(disk.clone(), &saved, &options()).expect("sound");
        let statuses = [1, 2, 3, 4].map(|key| seen.history().status(RowKey(key)));
        assert_eq!(
            statuses,
            [Some(Status::Uploaded), Some(Status::Sending), None, Some(Status::Unknown)],
            "seed {seed}"
        );
    }
}

/// A run that sends row 1 once more.
pub(super) fn run_further(disk: &SimDisk, manifest: &TestManifest, sent_again: &mut bool) -> Result<(), String> {
    let mut held = hold(disk.clone(), Path::new(PATH), &options()).map_err(|error| error.to_string())?;
    held.seen_mut().supersede([RowKey(1)]);
    let mut log = held.begin(manifest).map_err(|error| error.to_string())?;
    log.append(&sent(1, 90)).and_then(|()| log.sync()).map_err(|error| error.to_string())?;
    *sent_again = true;
    let again = Line { attachment_id: Some(crate::upload::ServiceId::new(9_001)), ..line(1, Status::Uploaded) };
    log.append(&again).map_err(|error| error.to_string())?;
    log.compact(manifest).map(drop).map_err(|error| error.to_string())
}

#[test]
fn whatever_fails_when_a_row_is_sent_once_more_its_first_attachment_is_never_forgotten() {
    let manifest = TestManifest::of(1..=ROWS);
    let lines: Vec<Line> = (1..=ROWS).map(|key| line(key, Status::Uploaded)).collect();
    let undisturbed = disk_for(&lines);
    let first = undisturbed.operations();
    run_further(&undisturbed, &manifest, &mut false).expect("undisturbed");
    let mut moments = BTreeMap::new();
    for operation in first..undisturbed.operations() {
        for seed in 0..12 {
            let (disk, mut sent_again) = (disk_for(&lines), false);
            disk.crash_at(operation);
            let _ = run_further(&disk, &manifest, &mut sent_again);
            if seed == 0 {
                disk.kill();
            } else {
                disk.lose_power(&mut fastrand::Rng::with_seed(seed));
            }
            let context = format!("crash at {operation}, seed {seed}");
            let seen =
                look(disk.clone(), Path::new(PATH), &options()).unwrap_or_else(|error| panic!("{context}: {error}"));
            let (row, set_aside) = (RowKey(1), RowKey(1).superseded(1));
            let holder = if seen.history().status(set_aside).is_some() { set_aside } else { row };
            let kept = seen.line(holder).expect("read").unwrap_or_else(|| panic!("{context}: the row is forgotten"));
            assert_eq!(kept.attachment_id, line(1, Status::Uploaded).attachment_id, "{context}");
            assert!(!sent_again || holder == set_aside, "{context}: sent before its line was set aside");
            assert!(!sent_again || seen.history().status(row).is_some(), "{context}: what was sent is forgotten");
            for other in 2..=ROWS {
                assert_eq!(seen.history().status(RowKey(other)), Some(Status::Uploaded), "{context}");
            }
            *moments.entry((holder == set_aside, sent_again)).or_insert(0) += 1;
        }
    }
    assert_eq!(moments.len(), 3, "before it was set aside, after, and sent: {moments:?}");
}
