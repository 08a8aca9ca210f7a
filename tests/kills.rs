//! The built program, killed again and again, must in the end have attached everything exactly once.
//!
//! Each story is a manifest, a server with faults and latencies of its own, and a number of kills: at a named step, seen
//! from outside (a line in the results, a request at the server, an attachment in its store, the table being written),
//! or at a random moment. Then the run goes on until it says that all is done, and the server's own store is counted.
//!
//! Between two runs the manifest is exported otherwise: paths with a dot, absolute ones, other headings, another order,
//! rows taken out, put back and added, files moved. None of that may attach anything a second time, or lose a row.
//!
//! 240 kills run with the other tests. For more: `ATTACHE_KILLS=2000 cargo test --release --test kills`. A story that
//! fails names its seed; `ATTACHE_KILLS_SEED=SEED` begins with that one.

#![cfg(unix)]

#[path = "cli/case.rs"]
#[expect(dead_code, reason = "the other tests use more of it")]
mod case;
#[path = "kills/export.rs"]
mod export;
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
use export::{AttachmentIdentity, ManifestEdit, StoryManifest};
use service::RunningSandbox;

/// Kills in one story before it is let run to its end.
const KILLS_EACH: u64 = 6;
/// Stories at a time: most of a story is waiting.
const AT_ONCE: u64 = 8;
/// How long after its last byte an upload in doubt is looked up: much longer than the server may need.
const SETTLE: &str = "700ms";

/// What the user says of rows that may have been sent from another path.
const MOVED: &str = "moved.csv";

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
    let stories = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                // A run that ends before its moment comes is no kill, so stories are told until there were enough.
                while done.load(Ordering::Relaxed) < kills {
                    let story = tell(next.fetch_add(1, Ordering::Relaxed));
                    done.fetch_add(story.moments.len() as u64, Ordering::Relaxed);
                    stories.lock().expect("no story failed").push(story);
                }
            });
        }
    });
    let stories = stories.into_inner().expect("no story failed");
    let (mut reached, mut edits) = (BTreeMap::<&str, u32>::new(), BTreeMap::<ManifestEdit, u32>::new());
    for story in &stories {
        story.moments.iter().for_each(|moment| *reached.entry(moment).or_default() += 1);
        story.edits.iter().for_each(|edit| *edits.entry(*edit).or_default() += 1);
    }
    let sum = |of: fn(&Damage) -> usize| stories.iter().map(|story| of(&story.damage)).sum::<usize>();
    println!("{} stories; kills by moment: {reached:?}; edits between runs: {edits:?}", stories.len());
    println!(
        "lost {}, twice {}, unknown {}, forgotten {}",
        sum(|damage| damage.lost),
        sum(|damage| damage.twice),
        sum(|damage| damage.unknown),
        sum(|damage| damage.forgotten)
    );
    for moment in NAMED {
        assert!(reached.contains_key(format!("{moment:?}").as_str()), "no run was killed at {moment:?}: {reached:?}");
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What one story came to.
struct ToldStory {
    /// At which moments runs were killed.
    moments: Vec<String>,
    /// What was done to the manifest.
    edits: Vec<ManifestEdit>,
    damage: Damage,
}

/// What must not be, counted in attachments or rows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Damage {
    /// Attachments that the last manifest asks for and the server does not have.
    lost: usize,
    /// Attachments that the server has more often than any manifest ever asked for.
    twice: usize,
    /// Rows that do not end with the attachment that they ask for.
    unknown: usize,
    /// Attachments at the server that no line of the results tells of.
    forgotten: usize,
}

/// Tells one story to its end.
fn tell(seed: u64) -> ToldStory {
    let mut random = fastrand::Rng::with_seed(seed);
    let case = Case::new();
    let mut manifest = StoryManifest::new(&case, &mut random);
    let service = server(&mut random);
    let (mut moments, mut edits) = (Vec::new(), Vec::new());
    for _ in 0..KILLS_EACH {
        let moment = if random.bool() {
            NAMED[random.usize(..NAMED.len())]
        } else {
            KillMoment::After(Duration::from_micros(random.u64(..120_000)))
        };
        if kill_at(moment, &case, &service, &mut random) {
            moments.push(match moment {
                KillMoment::After(_) => "After".to_owned(),
                named => format!("{named:?}"),
            });
        }
        if random.u8(..3) > 0 {
            edits.extend(manifest.edit(&case, &mut random));
        }
    }
    let done = run_to_the_end(&case, &service);
    let told = format!("seed {seed}; edits {edits:?}; {}", done.stderr);
    assert_eq!(done.status, Some(0), "{told}");
    let damage = damage(&case, &service, &manifest);
    assert_eq!(damage, Damage::default(), "{told}");
    ToldStory { moments, edits, damage }
}

/// Compares what the server has with what the manifests asked for, and with what the results say.
fn damage(case: &Case, service: &RunningSandbox, manifest: &StoryManifest) -> Damage {
    let mut stored = BTreeMap::<AttachmentIdentity, usize>::new();
    for created in service.created() {
        let name = if created.url.is_empty() { created.name } else { String::new() };
        *stored.entry((created.record, name, created.url)).or_default() += 1;
    }
    let wanted = manifest.wanted();
    let has = |attachment: &AttachmentIdentity| stored.get(attachment).copied().unwrap_or(0);
    let results = case.results("m.results.csv");
    // The lines of rows that are no longer in the manifest have no number.
    let (rows, gone): (Vec<_>, Vec<_>) = results.iter().partition(|row| !row["line"].is_empty());
    let is_done = |row: &&&BTreeMap<String, String>| matches!(row["status"].as_str(), "uploaded" | "already_present");
    let known = rows.iter().chain(&gone).filter(|row| !row["attachment_id"].is_empty()).count();
    Damage {
        lost: wanted.iter().map(|(attachment, count)| count.saturating_sub(has(attachment))).sum(),
        twice: stored.iter().map(|(attachment, count)| count.saturating_sub(manifest.most(attachment))).sum(),
        unknown: manifest.len().abs_diff(rows.iter().filter(is_done).count()),
        forgotten: service.stored().saturating_sub(known),
    }
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
        // A file that was moved before its content was known can only be told by its name and size; the user knows.
        // A row that was taken out may have had the content of one that came in.
        "--renamed",
        "send",
        "--moved",
        if case.path(MOVED).exists() { MOVED } else { "same" },
    ]);
    command.env("ZOHO_ACCESS_TOKEN", service.token());
    command
}

fn run_to_the_end(case: &Case, service: &RunningSandbox) -> case::Done {
    let mut done = case.finish(command(case, service).output());
    for _ in 0..5 {
        match done.status {
            Some(0) => break,
            Some(3) => say_which_rows_are_new(case, service),
            _ => {}
        }
        done = case.finish(command(case, service).output());
    }
    done
}

/// Answers for the user where two rows say the same, one of them was under way when its run was killed, and their file was
/// moved since: the other one was not sent.
fn say_which_rows_are_new(case: &Case, service: &RunningSandbox) {
    let checked = case.finish(command(case, service).args(["--dry-run", "--output", "json"]).output());
    let document: serde_json::Value = serde_json::from_str(&checked.stdout).expect("JSON");
    let problems = document["problems"].as_array().expect("a list of problems");
    let new: Vec<u64> = problems
        .iter()
        .filter(|problem| problem["code"] == "sent-before")
        .map(|problem| problem["line"].as_u64().expect("a line"))
        .collect();
    let lines = std::fs::read_to_string(case.path("m.csv")).expect("the manifest").lines().count() as u64;
    let answers = (2..=lines).map(|line| format!("{line},{}\n", if new.contains(&line) { "new" } else { "same" }));
    case.write(MOVED, format!("line,moved\n{}", answers.collect::<String>()));
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
        )
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
