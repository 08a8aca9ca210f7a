//! The proof of the promise: the real manifest reader, check, plan, engine and results, the real reading of answers and
//! lists, under a virtual clock, against a faulty virtual service that answers in bytes, killed and cut off from power at
//! any moment, over and over until every row has its end.
//!
//! Every world comes from one number. A world that breaks a promise is printed with its number; to see it again:
//!
//! ```text
//! ATTACHE_SIM_SEED=17 cargo test --lib simulation::the_promises -- --nocapture
//! ```
//!
//! More worlds than the suite takes time for:
//!
//! ```text
//! ATTACHE_SIM_SEEDS=1000000 cargo test --release --lib simulation::the_promises -- --nocapture
//! ```
//!
//! The other tests break one rule of the protocol at a time, and expect the checker to notice: a checker that cannot
//! fail proves nothing.

mod checker;
pub(crate) mod disk;
mod list_habits;
mod meddlers;
pub(crate) mod mistakes;
mod process;
mod server;
mod service_watch;
mod threads;
mod undo;
mod virtual_pool;
mod wire;
mod wishes;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use checker::WorldTally;
use mistakes::{Making, Mistake};
use process::{Hands, lock};
use world::SimWorld;

use crate::sync::simulated;

/// Worlds that every run of the test suite looks at.
const WORLDS: u64 = 2_000;
/// The same with threads, each step of which may be followed by a step of any other.
const WORLDS_WITH_THREADS: u64 = 200;
/// Within so many worlds each broken rule must show.
const WORLDS_UNTIL_CAUGHT: u64 = 5_000;

/// Lives through one world; what promise it broke, if it did.
fn live(seed: u64, mistake: Option<Mistake>) -> Result<WorldTally, String> {
    let _making = Making::of(mistake);
    let world = Mutex::new(SimWorld::new(seed, mistake));
    while lock(&world).goes_on() {
        process::run(&world, Hands::Virtual)?;
        checker::check_any_time(&lock(&world))?;
    }
    checker::check_the_end(&lock(&world))
}

/// The same with threads; each run has a schedule of its own.
fn live_with_threads(seed: u64, mistake: Option<Mistake>) -> Result<WorldTally, String> {
    let _making = Making::of(mistake);
    let world = Arc::new(Mutex::new(SimWorld::new(seed, mistake)));
    while lock(&world).goes_on() {
        let run = seed.wrapping_mul(1_000) + u64::from(lock(&world).runs);
        let ended = Arc::new(Mutex::new(Ok(())));
        let (theirs, told) = (Arc::clone(&world), Arc::clone(&ended));
        let scheduled = std::panic::catch_unwind(move || {
            simulated::run(run, move || {
                let ended = process::run(&theirs, Hands::Threads);
                *told.lock().unwrap_or_else(PoisonError::into_inner) = ended;
            });
        });
        scheduled.map_err(|_| format!("a thread panicked or waits for ever in run {run} of world {seed}"))?;
        ended.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        checker::check_any_time(&lock(&world))?;
    }
    checker::check_the_end(&lock(&world))
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// All worlds, on all cores; the first failure that was met, by number. Threads of its own, since the worlds use a pool
/// themselves.
fn live_all(seeds: std::ops::Range<u64>, live: Live) -> Result<WorldTally, (u64, String)> {
    let next = AtomicU64::new(seeds.start);
    let all = Mutex::new(Ok(WorldTally::default()));
    let worker = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let lived = live(seed, None).map_err(|why| (seed, why));
            let mut all = all.lock().expect("no worker panics here");
            match (&mut *all, lived) {
                (Ok(sum), Ok(census)) => *sum = *sum + census,
                (Ok(_), Err(failure)) => {
                    *all = Err(failure);
                    next.store(seeds.end, Ordering::Relaxed);
                }
                (Err(_), _) => return,
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
    all.into_inner().expect("no worker panics here")
}

/// How a world is lived through.
type Live = fn(u64, Option<Mistake>) -> Result<WorldTally, String>;

/// Lives through all worlds that were asked for, or so many.
fn promises_hold(live: Live, most: u64, test: &str) {
    let seeds = match (number("ATTACHE_SIM_SEED"), number("ATTACHE_SIM_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(most),
    };
    let worlds = seeds.end - seeds.start;
    match live_all(seeds, live) {
        Ok(tally) => {
            println!("{worlds} worlds: {tally}");
            if worlds > 1_000 {
                tally.assert_interesting();
            }
        }
        Err((seed, why)) => panic!("{why}\nsee it again: ATTACHE_SIM_SEED={seed} cargo test --lib {test}"),
    }
}

#[test]
fn the_promises_hold_in_every_world() {
    promises_hold(live, WORLDS, "simulation::the_promises");
}

#[test]
fn with_threads_the_promises_hold_in_every_world() {
    promises_hold(live_with_threads, WORLDS_WITH_THREADS, "simulation::with_threads");
}

/// The broken rule must show, and soon.
fn caught(mistake: Mistake) {
    caught_in(live, 0, mistake);
}

/// The same from this world on: the suite has no time for those before a mistake that shows rarely.
fn caught_in(live: Live, first: u64, mistake: Mistake) {
    let most = WORLDS_UNTIL_CAUGHT;
    let shows = (first..first + most).find_map(|seed| live(seed, Some(mistake)).err().map(|why| (seed, why)));
    let Some((seed, why)) = shows else { panic!("{mistake:?} was not noticed in {most} worlds") };
    println!("{mistake:?} shows in world {seed}: {}", why.lines().next().unwrap_or_default());
}

#[test]
fn sending_before_the_line_is_on_the_disk_is_noticed() {
    caught(Mistake::NoSyncBeforeSending);
}

#[test]
fn settling_before_the_list_has_caught_up_is_noticed() {
    caught(Mistake::SettlesBeforeTheList);
}

#[test]
fn settling_before_a_slow_server_is_done_is_noticed() {
    caught(Mistake::SettlesBeforeTheServer);
}

#[test]
fn taking_our_own_attachments_for_new_ones_is_noticed() {
    caught(Mistake::ForgetsOwnAttachments);
}

#[test]
fn taking_old_attachments_for_new_ones_is_noticed() {
    caught(Mistake::ForgetsTime);
}

#[test]
fn believing_a_list_that_lacks_what_the_results_hold_is_noticed() {
    caught_in(live, 1_900, Mistake::BelievesPartialLists);
}

#[test]
fn settling_by_one_reading_of_a_list_is_noticed() {
    caught(Mistake::SettlesByOneReading);
}

#[test]
fn taking_its_own_clock_for_that_of_the_service_is_noticed() {
    caught(Mistake::TrustsItsOwnClock);
}

#[test]
fn forgetting_the_older_attachment_of_a_row_that_is_sent_once_more_is_noticed() {
    caught(Mistake::ForgetsTheOlder);
}

#[test]
fn settling_faster_than_the_rate_allows_is_noticed() {
    caught(Mistake::SettlesUnpaced);
}

#[test]
fn taking_over_a_torn_file_without_syncing_its_folder_is_noticed() {
    caught(Mistake::TakesOverTornWithoutFolder);
}

#[test]
fn taking_an_older_copy_of_the_results_is_noticed() {
    caught(Mistake::PassesOverTheMark);
}

#[test]
fn listing_a_record_while_one_of_its_rows_is_on_its_way_is_noticed() {
    caught(Mistake::ListsWhileSending);
}

#[test]
fn writing_a_final_line_after_the_lock_is_given_up_is_noticed() {
    caught_in(live_with_threads, 0, Mistake::FinishesAfterTheLock);
}
