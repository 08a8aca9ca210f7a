//! The power is lost at each operation in turn, and all that may be left of results and mark then is tried, one after the
//! other: the results are never refused as an older copy, and each row is there once in the end.

use std::path::Path;

use super::super::fault_tests::{CountingService, ROWS, finish, prepared, run, run_further};
use super::super::*;
use super::{PATH, TestManifest, line, options, sent};
use crate::outcome::Status;
use crate::simulation::disk::SimDisk;
use crate::upload::RowKey;

/// How a run begins that the power will end.
struct Beginning {
    name: &'static str,
    /// The disk as it is found. What is not durable on it, a kill has left there.
    disk: SimDisk,
    manifest: TestManifest,
    /// The rows that the service has already.
    created: &'static [u64],
}

/// The log of a run that was killed: rows 1 and 2 were created, and of row 2 nobody knows. The last two lines are not synced.
fn killed() -> SimDisk {
    let (disk, _) = prepared(&[]);
    let manifest = TestManifest::of(1..=ROWS);
    let mut log = hold(disk.clone(), Path::new(PATH), &options()).expect("free").begin(&manifest).expect("begins");
    log.append(&sent(1, 1)).and_then(|()| log.append(&sent(2, 2))).and_then(|()| log.sync()).expect("durable");
    log.append(&line(1, Status::Uploaded)).expect("written");
    log.append(&sent(4, 4)).expect("written");
    drop(log);
    disk.kill();
    disk
}

fn beginnings() -> Vec<Beginning> {
    let all = || TestManifest::of(1..=ROWS);
    let other_columns = || all().with_column("shelf");
    let copied = killed();
    copied.copy_over(Path::new(PATH));
    vec![
        Beginning { name: "no results", disk: SimDisk::default(), manifest: all(), created: &[] },
        Beginning { name: "killed", disk: killed(), manifest: all(), created: &[1, 2] },
        // The file is written anew before anything is sent.
        Beginning { name: "killed, then rewritten", disk: killed(), manifest: other_columns(), created: &[1, 2] },
        // The user has put a copy in the place of the file, and nobody saw to it that its name is on the disk.
        Beginning { name: "copied, then rewritten", disk: copied, manifest: other_columns(), created: &[1, 2] },
    ]
}

#[test]
fn whatever_a_loss_of_power_leaves_of_results_and_mark_no_run_is_refused_and_no_row_goes_twice() {
    let mut tried = 0;
    for Beginning { name, disk, manifest, created } in beginnings() {
        let undisturbed = disk.copy();
        let first = undisturbed.operations();
        run(&undisturbed, &manifest, &mut CountingService::with(created)).expect("undisturbed");
        for operation in first..undisturbed.operations() {
            let (cut_off, mut service) = (disk.copy(), CountingService::with(created));
            cut_off.crash_at(operation);
            let _ = run(&cut_off, &manifest, &mut service);
            for (number, left) in cut_off.losses_of_power().into_iter().enumerate() {
                let context = format!("{name}, cut off at {operation}, remains {number}");
                finish(&left, &manifest, &mut service.clone(), &context);
                tried += 1;
            }
        }
    }
    println!("{tried} remains");
    assert!(tried > 1_000, "{tried}");
}

#[test]
fn whatever_a_loss_of_power_leaves_of_a_row_that_is_sent_once_more_both_attachments_stay_known() {
    let manifest = TestManifest::of(1..=ROWS);
    let lines: Vec<Line> = (1..=ROWS).map(|key| line(key, Status::Uploaded)).collect();
    let (disk, _) = prepared(&lines);
    let undisturbed = disk.copy();
    let first = undisturbed.operations();
    run_further(&undisturbed, &manifest, &mut false).expect("undisturbed");
    for operation in first..undisturbed.operations() {
        let (cut_off, mut sent_again) = (disk.copy(), false);
        cut_off.crash_at(operation);
        let _ = run_further(&cut_off, &manifest, &mut sent_again);
        for (number, left) in cut_off.losses_of_power().into_iter().enumerate() {
            let context = format!("cut off at {operation}, remains {number}");
            let seen = look(left, Path::new(PATH), &options()).unwrap_or_else(|error| panic!("{context}: {error}"));
            let (row, set_aside) = (RowKey(1), RowKey(1).superseded(1));
            let holder = if seen.history().status(set_aside).is_some() { set_aside } else { row };
            let kept = seen.line(holder).expect("read").unwrap_or_else(|| panic!("{context}: the row is forgotten"));
            assert_eq!(kept.attachment_id, line(1, Status::Uploaded).attachment_id, "{context}");
            assert!(!sent_again || holder == set_aside, "{context}: sent before its line was set aside");
            assert!(!sent_again || seen.history().status(row).is_some(), "{context}: what was sent is forgotten");
        }
    }
}

#[test]
fn a_file_that_is_put_somewhere_survives_whatever_happened_to_its_name_before() {
    let (disk, path) = (SimDisk::default(), Path::new(PATH));
    disk.put(path, b"older");
    disk.copy_over(path);
    disk.put(path, b"right");
    for left in disk.losses_of_power() {
        assert_eq!(left.contents(path).as_deref(), Some(&b"right"[..]));
    }
}
