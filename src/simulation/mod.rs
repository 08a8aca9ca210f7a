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
pub(crate) mod mistakes;
mod process;
mod server;
mod service_watch;
mod virtual_pool;
mod wire;
mod wishes;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use checker::WorldTally;
use mistakes::{Making, Mistake};
use world::SimWorld;

/// Worlds that every run of the test suite looks at.
const WORLDS: u64 = 2_000;
/// Within so many worlds each broken rule must show.
const WORLDS_UNTIL_CAUGHT: u64 = 5_000;

/// Lives through one world; what promise it broke, if it did.
fn live(seed: u64, mistake: Option<Mistake>) -> Result<WorldTally, String> {
    let _making = Making::of(mistake);
    let mut world = SimWorld::new(seed, mistake);
    while world.goes_on() {
        process::run(&mut world)?;
        checker::check_any_time(&world)?;
    }
    checker::check_the_end(&world)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// All worlds, on all cores; the first failure that was met, by number. Threads of its own, since the worlds use a pool
/// themselves.
fn live_all(seeds: std::ops::Range<u64>) -> Result<WorldTally, (u64, String)> {
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

#[test]
fn the_promises_hold_in_every_world() {
    let seeds = match (number("ATTACHE_SIM_SEED"), number("ATTACHE_SIM_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(WORLDS),
    };
    let worlds = seeds.end - seeds.start;
    match live_all(seeds) {
        Ok(census) => {
            println!("{worlds} worlds: {census}");
            if worlds > 1_000 {
                census.assert_interesting();
            }
        }
        Err((seed, why)) => {
            panic!("{why}\nsee it again: ATTACHE_SIM_SEED={seed} cargo test --lib simulation::the_promises")
        }
    }
}

/// The broken rule must show, and soon.
fn caught(mistake: Mistake) {
    let shows = (0..WORLDS_UNTIL_CAUGHT).find_map(|seed| live(seed, Some(mistake)).err().map(|why| (seed, why)));
    let Some((seed, why)) = shows else { panic!("{mistake:?} was not noticed in {WORLDS_UNTIL_CAUGHT} worlds") };
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
fn settling_faster_than_the_rate_allows_is_noticed() {
    caught(Mistake::SettlesUnpaced);
}

#[test]
fn taking_over_a_torn_file_without_syncing_its_folder_is_noticed() {
    caught(Mistake::TakesOverTornWithoutFolder);
}

#[test]
fn listing_a_record_while_one_of_its_rows_is_on_its_way_is_noticed() {
    caught(Mistake::ListsWhileSending);
}
