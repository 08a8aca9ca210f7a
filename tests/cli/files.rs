//! Files that change between the plan and their turn, or while they are sent: never half a file in the CRM, never another
//! one than was planned.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use crate::case::Case;
use crate::raw::{Raw, RawMoment};
use crate::service::RunningSandbox;

/// Two rows; something is done to the second one's file while the first one is under way.
fn second_file_meets(change: fn(&Path)) -> (Case, Raw) {
    let case = Case::new().rows(&[("Leads", "738964000000291009", "a.txt"), ("Deals", "738964000000291010", "b.txt")]);
    let path = case.path("b.txt");
    let raw = Raw::watched(&case, move |moment, number| {
        if (moment, number) == (RawMoment::Whole, 0) {
            change(&path);
        }
    });
    (case, raw)
}

#[track_caller]
fn nothing_of_it_is_sent(change: fn(&Path), code: &str) {
    let (case, raw) = second_file_meets(change);
    raw.run(&case, &[]).exits(1).says("b.txt");
    assert_eq!(case.column("m.results.csv", "status"), ["uploaded", "failed"]);
    assert_eq!(case.column("m.results.csv", "code"), ["", code]);
    assert_eq!(raw.arrived().len(), 1);
}

#[test]
fn a_file_that_vanished_is_not_sent() {
    nothing_of_it_is_sent(|path| fs::remove_file(path).expect("it can be removed"), "file-gone");
}

#[test]
fn a_file_that_grew_is_not_sent() {
    nothing_of_it_is_sent(
        |path| {
            OpenOptions::new().append(true).open(path).and_then(|mut file| file.write_all(b"more")).expect("written");
        },
        "file-changed",
    );
}

#[test]
fn a_file_that_shrank_is_not_sent() {
    nothing_of_it_is_sent(|path| fs::write(path, "less").expect("it can be written"), "file-changed");
}

#[test]
fn a_folder_in_its_place_is_not_sent() {
    nothing_of_it_is_sent(
        |path| fs::remove_file(path).and_then(|()| fs::create_dir(path)).expect("it can be replaced"),
        "file-changed",
    );
}

#[cfg(unix)]
#[test]
fn a_replaced_file_of_the_same_size_is_not_sent() {
    nothing_of_it_is_sent(
        |path| {
            let other = path.with_extension("new");
            fs::write(&other, "CONTENT OF B.TXT").and_then(|()| fs::rename(&other, path)).expect("it can be replaced");
        },
        "file-changed",
    );
}

#[cfg(unix)]
#[test]
fn a_symlink_that_was_turned_leads_to_the_file_that_was_planned() {
    let (case, raw) = second_file_meets(|path| {
        let link = path.with_file_name("link");
        fs::remove_file(&link).and_then(|()| std::os::unix::fs::symlink("a.txt", &link)).expect("it can be turned");
    });
    std::os::unix::fs::symlink("b.txt", case.path("link")).expect("a symlink");
    case.write("m.csv", "module,record,file\nLeads,738964000000291009,a.txt\nDeals,738964000000291010,link\n");
    raw.run(&case, &[]).exits(0);
    let arrived = raw.arrived();
    assert_eq!((arrived[1].name.as_str(), arrived[1].bytes.as_slice()), ("link", &b"content of b.txt"[..]));
}

#[cfg(unix)]
#[test]
fn a_pipe_in_its_place_is_refused_without_waiting_for_a_writer() {
    nothing_of_it_is_sent(
        |path| {
            fs::remove_file(path).expect("it can be removed");
            assert!(std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo can be run").success());
        },
        "file-changed",
    );
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_any_more_is_not_sent() {
    use std::os::unix::fs::PermissionsExt;
    let (case, raw) = second_file_meets(|path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).expect("permissions can be taken");
    });
    let done = raw.run(&case, &[]);
    // Whoever may read everything, as root does, cannot be refused.
    if fs::File::open(case.path("b.txt")).is_err() {
        done.exits(1);
        assert_eq!(case.column("m.results.csv", "code"), ["", "file-denied"]);
        assert_eq!(raw.arrived().len(), 1);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_manifest_is_a_problem_at_once() {
    let case = Case::new().rows(&[("Leads", "738964000000291009", "a.txt")]);
    case.write("m.csv", "module,record,file\nLeads,738964000000291009,pipe\n");
    let made = std::process::Command::new("mkfifo").arg(case.path("pipe")).status();
    assert!(made.expect("mkfifo can be run").success());
    case.run(&["run", "m.csv", "--dry-run", "--sandbox"]).exits(3).prints("pipe");
}

/// A file too large for the buffers on its way changes when its first bytes have arrived.
#[track_caller]
fn a_file_changes_while_it_is_sent(change: fn(&Path)) {
    let case = Case::new().file("a.bin", vec![b'a'; 24 << 20]);
    case.write("m.csv", "module,record,file\nLeads,738964000000291009,a.bin\n");
    let path = case.path("a.bin");
    let raw = Raw::watched(&case, move |moment, _| {
        if moment == RawMoment::Head {
            change(&path);
        }
    });
    raw.run(&case, &[]).exits(1);
    assert_eq!(case.column("m.results.csv", "status"), ["failed"]);
    assert_eq!(case.column("m.results.csv", "code"), ["file-changed"]);
    assert!(raw.arrived().is_empty(), "no whole body may arrive");
}

#[test]
fn a_file_that_grows_while_it_is_sent_never_arrives_whole() {
    a_file_changes_while_it_is_sent(|path| {
        OpenOptions::new().append(true).open(path).and_then(|mut file| file.write_all(b"more")).expect("written");
    });
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_never_arrives_whole() {
    a_file_changes_while_it_is_sent(|path| {
        OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(20 << 20)).expect("cut");
    });
}

#[test]
fn a_file_that_is_written_over_while_it_is_sent_never_arrives_whole() {
    a_file_changes_while_it_is_sent(|path| {
        use std::io::{Seek, SeekFrom};
        let mut file = OpenOptions::new().write(true).open(path).expect("it can be opened");
        file.seek(SeekFrom::Start(23 << 20)).and_then(|_| file.write_all(b"other")).expect("written");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_says_it_is_empty_and_is_not_never_arrives_whole() {
    let case = Case::new().file("m.csv", "module,record,file\nLeads,738964000000291009,/proc/self/status\n");
    let raw = Raw::start(&case, Vec::new(), false);
    raw.run(&case, &["--allow-outside", "--allow-empty"]).exits(1);
    assert_eq!(case.column("m.results.csv", "status"), ["failed"]);
    assert!(raw.arrived().is_empty());
}

#[test]
fn a_mistyped_name_leaves_no_file_behind() {
    let (case, service) = (Case::new().many_rows(1), RunningSandbox::with_faults(&[]));
    fs::rename(case.path("m.csv"), case.path("n.csv")).expect("renamed");
    service.run(&case, &[]).exits(2).says("m.csv");
    let names = fs::read_dir(case.folder()).expect("a folder").flatten().map(|entry| entry.file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().starts_with('m')).count(), 0);
}

#[cfg(unix)]
#[test]
fn a_run_waits_for_nobody_at_the_other_end_of_a_pipe() {
    let (case, service) = (Case::new().many_rows(1), RunningSandbox::with_faults(&[]));
    fs::remove_file(case.path("m.csv")).expect("removed");
    let made = std::process::Command::new("mkfifo").arg(case.path("m.csv")).status();
    assert!(made.expect("every Unix has it").success());
    service.run(&case, &[]).exits(2).says("only once");
}
