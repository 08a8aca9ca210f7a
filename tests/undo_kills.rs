//! `attache undo`, killed again and again, must in the end have deleted everything that the results created, nothing of
//! anybody else, and must have said what became of each.
//!
//! A small story runs with the other tests. A long one:
//! `ATTACHE_UNDO_ROWS=10000 ATTACHE_UNDO_KILLS=200 cargo test --release --test undo_kills -- --nocapture`.

#![cfg(unix)]

#[path = "cli/case.rs"]
#[expect(dead_code, reason = "the other tests use more of it")]
mod case;
#[path = "cli/service.rs"]
#[expect(dead_code, reason = "the other tests use more of it")]
mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use attache::internals::sandbox::{SandboxOptions, SandboxUser};
use case::Case;
use service::RunningSandbox;

/// When an undo is killed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum UndoKillMoment {
    /// So many more requests to delete have reached the server.
    Requested(u64),
    /// The results have grown by so many bytes.
    Written(u64),
    /// So long after the start.
    After(Duration),
}

#[test]
fn an_undo_that_is_killed_at_any_moment_and_goes_on_deletes_what_is_ours_and_nothing_else() {
    let rows = number("ATTACHE_UNDO_ROWS", 120);
    let kills = number("ATTACHE_UNDO_KILLS", 12);
    let mut random = fastrand::Rng::with_seed(number("ATTACHE_UNDO_SEED", 1));
    let faults = ["cut-stored,on=delete,p=0.03,seed=1", "500-after,on=delete,p=0.03,seed=2"]
        .into_iter()
        .chain([
            "500-before,on=delete,p=0.03,seed=3",
            "truncated,on=delete,p=0.03,seed=4",
            "429,on=delete,p=0.01,seed=5",
        ])
        .map(|fault| fault.parse().expect("a fault"))
        .collect();
    let service = RunningSandbox::start(SandboxOptions { faults, page_size: 3, ..SandboxOptions::default() });
    let case = manifest(rows);
    let foreign = foreign_before(&service, rows);
    service.run(&case, &["--allow-rounded-ids"]).exits(0);
    let foreign = foreign + foreign_after(&service, rows);
    assert_eq!(service.alive() as u64, rows + foreign);

    let mut killed = BTreeMap::<&str, u64>::new();
    let began = Instant::now();
    let each = (rows / kills).max(1);
    while killed.values().sum::<u64>() < kills && service.alive() as u64 > foreign {
        let moment = match random.u8(..7) {
            0..3 => UndoKillMoment::Requested(random.u64(..=each)),
            3..6 => UndoKillMoment::Written(random.u64(1..=each * 700)),
            _ => UndoKillMoment::After(Duration::from_millis(random.u64(..20 + 2 * each))),
        };
        if kill_at(moment, &case, &service) {
            let name = match moment {
                UndoKillMoment::Requested(_) => "requested",
                UndoKillMoment::Written(_) => "written",
                UndoKillMoment::After(_) => "after",
            };
            *killed.entry(name).or_default() += 1;
        }
    }
    let mut done = case.finish(command(&case, &service).output());
    for _ in 0..5 {
        if done.status != Some(5) {
            break;
        }
        done = case.finish(command(&case, &service).output());
    }
    let done = done.exits(0);
    let stats = service.stats();
    println!(
        "{rows} attachments, kills {killed:?}, {} requests to delete, {} lists, {} questions by id, {:.0?} for it all",
        stats.deletes,
        stats.lists,
        stats.downloads,
        began.elapsed()
    );
    assert!(killed.values().sum::<u64>() >= kills / 2, "{killed:?}: the undo was done before it could be killed");

    // Nothing foreign was deleted, and all of ours is gone.
    let alive: BTreeSet<String> = service.alive_names();
    assert_eq!(alive.len() as u64, foreign, "{}", done.stdout);
    assert!(alive.iter().all(|name| name.starts_with("foreign")), "{alive:?}");
    // Nothing is left unsaid: every line says that its attachment is gone.
    let statuses = case.column("m.results.csv", "status");
    assert_eq!(statuses.len() as u64, rows);
    assert!(statuses.iter().all(|status| status == "deleted"), "{statuses:?}");
    // And a run sends nothing again.
    let before = service.stored();
    service.run(&case, &["--allow-rounded-ids"]).exits(0);
    assert_eq!(service.stored(), before);
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn record(number: u64) -> String {
    (738_964_000_000_291_000 + number / 4).to_string()
}

/// Four rows on each record; few files, since what they hold does not matter.
fn manifest(rows: u64) -> Case {
    let mut case = Case::new();
    for number in 0..40 {
        case = case.file(&format!("{number}.txt"), format!("content of {number}"));
    }
    let mut manifest = String::from("module,record,file,name\n");
    for number in 0..rows {
        manifest.push_str(&format!("Leads,{},{}.txt,ours-{number}.txt\n", record(number), number % 40));
    }
    case.file("m.csv", manifest)
}

fn colleague() -> SandboxUser {
    SandboxUser { id: "700000000000101002".to_owned(), name: "A colleague".to_owned() }
}

/// What others have on some of the records before the run.
fn foreign_before(service: &RunningSandbox, rows: u64) -> u64 {
    let some = (0..rows).step_by(40);
    let count = some.clone().count() as u64;
    some.for_each(|number| {
        service.attach_as(colleague(), "Leads", &record(number), &format!("foreign-{number}.txt"), b"x");
    });
    count
}

/// What others, and our own user, put there by hand after it, with the bytes of ours.
fn foreign_after(service: &RunningSandbox, rows: u64) -> u64 {
    let some = (1..rows).step_by(40);
    let count = some.clone().count() as u64;
    some.for_each(|number| {
        let name = format!("foreign-after-{number}.txt");
        service.attach_as(SandboxUser::default(), "Leads", &record(number), &name, b"content of 1");
    });
    count
}

fn command(case: &Case, service: &RunningSandbox) -> std::process::Command {
    let url = service.url();
    let mut command = case.command(&[
        "undo",
        "m.results.csv",
        "--delete",
        "--api-domain",
        &url,
        "--rate",
        "none",
        "--settle-time",
        "50ms",
        "--concurrency",
        "4",
        "--progress",
        "off",
    ]);
    command.env("ZOHO_ACCESS_TOKEN", service.token());
    command
}

/// Undoes until the moment has come or it is over; says whether it was killed.
fn kill_at(moment: UndoKillMoment, case: &Case, service: &RunningSandbox) -> bool {
    let length = || std::fs::metadata(case.path("m.results.csv")).map_or(0, |file| file.len());
    let (requests, bytes) = (service.stats().deletes, length());
    let mut child =
        command(case, service).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program can be started");
    let began = Instant::now();
    while child.try_wait().expect("the program can be waited for").is_none() {
        let has_come = match moment {
            UndoKillMoment::Requested(more) => service.stats().deletes > requests + more,
            UndoKillMoment::Written(more) => length() > bytes + more,
            UndoKillMoment::After(time) => began.elapsed() >= time,
        };
        if has_come {
            return kill(&mut child);
        }
        assert!(began.elapsed() < Duration::from_secs(300), "an undo does not end");
        std::thread::sleep(Duration::from_micros(200));
    }
    false
}

/// SIGKILL to a child that is not yet waited for; says whether it was that which ended it.
fn kill(child: &mut Child) -> bool {
    child.kill().expect("a child can be killed");
    !child.wait().expect("a child can be waited for").success()
}
