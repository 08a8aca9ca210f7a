//! The built program, killed again and again, must in the end have attached everything exactly once.
//!
//! Each story is a manifest, a server with faults and latencies of its own, and a number of kills: at a named step, seen
//! from outside (a line in the results, a request at the server, an attachment in its store, the table being written),
//! or at a random moment. Then the run goes on until it says that all is done, and the server's own store is counted.
//!
//! 240 kills run with the other tests. For more: `ATTACHE_KILLS=2000 cargo test --release --test kills`. A story that
//! fails names its seed; `ATTACHE_KILLS_SEED=SEED` begins with that one.

#![cfg(unix)]

#[path = "cli/case.rs"]
#[expect(dead_code, reason = "the other tests use more of it")]
mod case;
#[path = "cli/service.rs"]
#[expect(dead_code, reason = "the other tests use more of it")]
mod service;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use attache::internals::sandbox::SandboxOptions;
use case::Case;
use service::RunningSandbox;

/// Kills in one story before it is let run to its end.
const KILLS_EACH: u64 = 6;
/// Stories at a time: most of a story is waiting.
const AT_ONCE: u64 = 8;
/// How long after its last byte an upload in doubt is looked up: much longer than the server may need.
const SETTLE: &str = "700ms";

/// When a run is killed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum KillMoment {
    /// The lock file is there, the results perhaps not.
    Started,
    /// One more `sending` line is in the file.
    Announced,
    /// One more request has reached the server.
    Requested,
    /// One more attachment is in the server's store; its answer may be on the way.
    Stored,
    /// One more row has its final line.
    Finished,
    /// The table is being written beside the log.
    Compacting,
    /// So long after the start.
    After(Duration),
}

const NAMED: [KillMoment; 6] = [
    KillMoment::Started,
    KillMoment::Announced,
    KillMoment::Requested,
    KillMoment::Stored,
    KillMoment::Finished,
    KillMoment::Compacting,
];

#[test]
fn a_run_that_is_killed_at_any_moment_and_goes_on_attaches_everything_once() {
    let kills = number("ATTACHE_KILLS", 240);
    let first = number("ATTACHE_KILLS_SEED", 1);
    let (next, done) = (AtomicU64::new(first), AtomicU64::new(0));
    let reached = std::sync::Mutex::new(BTreeMap::<String, u32>::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                // A run that ends before its moment comes is no kill, so stories are told until there were enough.
                while done.load(Ordering::Relaxed) < kills {
                    for moment in tell(next.fetch_add(1, Ordering::Relaxed)) {
                        done.fetch_add(1, Ordering::Relaxed);
                        *reached.lock().expect("no story failed").entry(moment).or_default() += 1;
                    }
                }
            });
        }
    });
    let reached = reached.into_inner().expect("no story failed");
    println!("kills by moment: {reached:?}");
    for moment in NAMED {
        assert!(reached.contains_key(&format!("{moment:?}")), "no run was killed at {moment:?}: {reached:?}");
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Tells one story to its end and says at which moments runs were killed in it.
fn tell(seed: u64) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let case = manifest(&mut random);
    let service = server(&mut random);
    let mut killed = Vec::new();
    for _ in 0..KILLS_EACH {
        let moment = if random.bool() {
            NAMED[random.usize(..NAMED.len())]
        } else {
            KillMoment::After(Duration::from_micros(random.u64(..120_000)))
        };
        if kill_at(moment, &case, &service, &mut random) {
            killed.push(match moment {
                KillMoment::After(_) => "After".to_owned(),
                named => format!("{named:?}"),
            });
        }
    }
    let done = run_to_the_end(&case, &service);
    let told = format!("seed {seed}; {}", done.stderr);
    assert_eq!(done.status, Some(0), "{told}");
    let results = case.results("m.results.csv");
    assert_eq!(results.len(), 14, "{told}");
    for row in &results {
        assert!(matches!(row["status"].as_str(), "uploaded" | "already_present"), "{row:?} {told}");
    }
    // What the server has must be what the manifest asks for, each as often as it asks.
    let mut wanted = BTreeMap::<(String, String, String), usize>::new();
    for row in &results {
        let name = if row["url"].is_empty() { row["name"].clone() } else { String::new() };
        *wanted.entry((row["record"].clone(), name, row["url"].clone())).or_default() += 1;
    }
    let mut stored = BTreeMap::<(String, String, String), usize>::new();
    for created in service.created() {
        let name = if created.url.is_empty() { created.name } else { String::new() };
        *stored.entry((created.record, name, created.url)).or_default() += 1;
    }
    assert_eq!(stored, wanted, "{told}");
    killed
}

/// Fourteen rows: several of one record, equal sizes, the same file twice on one record, links.
fn manifest(random: &mut fastrand::Rng) -> Case {
    let mut case = Case::new();
    let mut manifest = String::from("module,record,file,url,name\n");
    for number in 0..12u64 {
        let record = 738_964_000_000_291_000 + number / 3;
        let size = if number % 2 == 0 { 200 } else { random.usize(1..60_000) };
        case = case.file(&format!("{number}.bin"), vec![b'x'; size]);
        let (source, name) = match number {
            5 => (",https://example.com/a".to_owned(), ""),
            // The same source and name as row 6 on the same record.
            7 => ("6.bin,".to_owned(), ""),
            _ => (format!("{number}.bin,"), ""),
        };
        manifest.push_str(&format!("Leads,{record},{source},{name}\n"));
    }
    manifest
        .push_str("Deals,738964000000292000,0.bin,,renamed.bin\nDeals,738964000000292000,,https://example.com/b,\n");
    case.file("m.csv", manifest)
}

/// A server that is slow and loses answers, but not for ever.
fn server(random: &mut fastrand::Rng) -> RunningSandbox {
    let mut faults = Vec::new();
    for kind in ["cut-stored", "500-after", "cut-inside", "cut-after", "429", "truncated", "500-before", "cut-before"] {
        if random.u8(..4) == 0 {
            faults.push(format!("{kind},p=0.2,times=2,seed={}", random.u32(..)).parse().expect("a fault"));
        }
    }
    RunningSandbox::start(SandboxOptions {
        faults,
        latency: Duration::from_millis(random.u64(..20)),
        lag: Duration::from_millis(random.u64(..100)),
        page_size: random.usize(1..5),
        ..SandboxOptions::default()
    })
}

fn command(case: &Case, service: &RunningSandbox) -> std::process::Command {
    let url = service.url();
    let mut command = case.command(&[
        "run",
        "m.csv",
        "--api-domain",
        &url,
        "--yes",
        "--rate",
        "none",
        "--backoff",
        "1ms..10ms",
        "--settle-time",
        SETTLE,
        "--concurrency",
        "3",
        "--allow-identical",
        "--progress",
        "off",
    ]);
    command.env("ZOHO_ACCESS_TOKEN", service.token());
    command
}

fn run_to_the_end(case: &Case, service: &RunningSandbox) -> case::Done {
    let mut done = case.finish(command(case, service).output());
    for _ in 0..5 {
        if done.status == Some(0) {
            break;
        }
        done = case.finish(command(case, service).output());
    }
    done
}

/// Runs until the moment has come or the run is over; says whether it was killed.
fn kill_at(moment: KillMoment, case: &Case, service: &RunningSandbox, random: &mut fastrand::Rng) -> bool {
    let more = random.usize(1..4);
    let before = observe(case.folder(), service);
    let mut child =
        command(case, service).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program can be started");
    let began = Instant::now();
    let come = |now: &KilledRun| match moment {
        KillMoment::Started => now.lock,
        KillMoment::Announced => now.sending >= before.sending + more,
        KillMoment::Requested => now.requests >= before.requests + more as u64,
        KillMoment::Stored => now.stored >= before.stored + more,
        KillMoment::Finished => now.finished >= before.finished + more,
        KillMoment::Compacting => now.temporary,
        KillMoment::After(time) => began.elapsed() >= time,
    };
    while child.try_wait().expect("the program can be waited for").is_none() {
        if come(&observe(case.folder(), service)) {
            return kill(&mut child);
        }
        assert!(began.elapsed() < Duration::from_secs(120), "a run does not end");
        std::thread::sleep(Duration::from_micros(200));
    }
    false
}

/// SIGKILL to a child that is not yet waited for; says whether it was that which ended it.
fn kill(child: &mut Child) -> bool {
    child.kill().expect("a child can be killed");
    !child.wait().expect("a child can be waited for").success()
}

/// What can be seen of a run from outside.
struct KilledRun {
    lock: bool,
    sending: usize,
    finished: usize,
    temporary: bool,
    requests: u64,
    stored: usize,
}

fn observe(folder: &Path, service: &RunningSandbox) -> KilledRun {
    let log = std::fs::read_to_string(folder.join("m.results.csv")).unwrap_or_default();
    let names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    let known = |name: &String| {
        matches!(
            name.as_str(),
            "m.csv" | "m.results.csv" | "m.results.csv.lock" | "m.results.csv.mark" | "m.runs.jsonl"
        ) || name.ends_with(".bin")
    };
    KilledRun {
        lock: folder.join("m.results.csv.lock").exists(),
        sending: log.matches(",sending,").count(),
        finished: log.matches(",uploaded,").count(),
        temporary: names.iter().any(|name| name.contains("results") && !known(name)),
        requests: service.requests(),
        stored: service.stored(),
    }
}
