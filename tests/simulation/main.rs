//! The proof of the promise: the real engine and the real results log, under a virtual clock, against a faulty virtual
//! server, killed and cut off from power at any moment, over and over until every row has its end.
//!
//! Every world comes from one number. A world that breaks a promise is printed with its number; to see it again:
//!
//! ```text
//! ATTACHE_SIM_SEED=17 cargo test --test simulation promises -- --nocapture
//! ```
//!
//! More worlds than the suite takes time for (in release well below five minutes):
//!
//! ```text
//! ATTACHE_SIM_SEEDS=100000 cargo test --release --test simulation promises -- --nocapture
//! ```
//!
//! The other tests break one rule of the protocol at a time, and expect the checker to notice: a checker that cannot
//! fail proves nothing.

mod checker;
mod run;
mod server;
mod world;

use world::{BrokenRule, World};

/// Worlds that every run of the test suite looks at.
const WORLDS: u64 = 2_000;
/// Within so many worlds each broken rule must show.
const WORLDS_UNTIL_CAUGHT: u64 = 5_000;

/// Lives through one world; what promise it broke, if it did.
fn live(seed: u64, broken: Option<BrokenRule>) -> Result<checker::WorldTally, String> {
    let mut world = World::new(seed, broken);
    while world.goes_on() {
        run::run(&mut world)?;
        checker::check_any_time(&world)?;
    }
    checker::check_the_end(&world)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// All worlds, on all cores; the first failure by number.
fn live_all(seeds: std::ops::Range<u64>) -> Result<checker::WorldTally, (u64, String)> {
    use rayon::prelude::*;
    let one = |seed| live(seed, None).map_err(|why| (seed, why));
    seeds.into_par_iter().map(one).try_reduce(checker::WorldTally::default, |left, right| Ok(left + right))
}

#[test]
fn the_promises_hold_in_every_world() {
    let seeds = match (number("ATTACHE_SIM_SEED"), number("ATTACHE_SIM_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(WORLDS),
    };
    let worlds = seeds.end - seeds.start;
    match live_all(seeds) {
        Ok(tally) => {
            println!("{worlds} worlds: {tally}");
            if worlds > 1_000 {
                tally.assert_interesting();
            }
        }
        Err((seed, why)) => {
            panic!("{why}\nsee it again: ATTACHE_SIM_SEED={seed} cargo test --test simulation promises")
        }
    }
}

/// The broken rule must show, and soon.
fn caught(broken: BrokenRule) {
    let shows = (0..WORLDS_UNTIL_CAUGHT).find(|seed| live(*seed, Some(broken)).is_err());
    let Some(seed) = shows else { panic!("{broken:?} was not noticed in {WORLDS_UNTIL_CAUGHT} worlds") };
    println!("{broken:?} shows in world {seed}");
}

#[test]
fn sending_before_the_line_is_on_the_disk_is_noticed() {
    caught(BrokenRule::NoSyncBeforeSending);
}

#[test]
fn settling_before_the_list_has_caught_up_is_noticed() {
    caught(BrokenRule::SettlesBeforeTheList);
}

#[test]
fn settling_before_a_slow_server_is_done_is_noticed() {
    caught(BrokenRule::SettlesBeforeTheServer);
}

#[test]
fn taking_our_own_attachments_for_new_ones_is_noticed() {
    caught(BrokenRule::ForgetsOwnAttachments);
}

#[test]
fn taking_old_attachments_for_new_ones_is_noticed() {
    caught(BrokenRule::ForgetsTime);
}
