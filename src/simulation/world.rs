//! One world: what the user wants, a service with its weaknesses, a disk, and what is going to go wrong. All of it is
//! drawn from one number.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use super::mistakes::Mistake;
use super::server::SimServer;
use super::wishes::{self, Spelling, Wish, WishFormat, WishKind};
use crate::engine::Policy;
use crate::engine::policy::{Backoff, IfExists, MaxFailures};
use crate::outcome::Status;
use crate::results::{ResendRules, ResultsOptions, look};
use crate::simulation::disk::SimDisk;
use crate::units::Rate;
use crate::upload::RowKey;

/// Runs in which things go wrong; in later ones they do not, so every row must come to its end.
const BAD_RUNS: u32 = 4;
/// Runs within which every row must come to its end.
const MOST_RUNS: u32 = 12;

pub(super) struct SimWorld {
    pub(super) seed: u64,
    pub(super) mistake: Option<Mistake>,
    pub(super) random: fastrand::Rng,
    /// Every wish that the user ever had, in the order of the manifest.
    pub(super) wishes: Vec<Wish>,
    /// The wishes with which a run last began.
    accepted: Vec<Wish>,
    /// Of each kind of wish, how many there were at once at most: so many attachments may be made.
    pub(super) wanted: BTreeMap<WishKind, usize>,
    /// Of each kind of wish, how often the user asked for a further attachment beside one that is there.
    pub(super) further: BTreeMap<WishKind, usize>,
    /// Of each kind of wish that there ever was, whether the service refuses it: it never changes its mind.
    refused: BTreeMap<WishKind, bool>,
    pub(super) format: WishFormat,
    pub(super) server: SimServer,
    pub(super) disk: SimDisk,
    pub(super) path: PathBuf,
    /// The time of the world, whatever runs.
    pub(super) clock: Duration,
    settings: Policy,
    pub(super) workers: usize,
    pub(super) runs: u32,
    pub(super) crashes: u32,
    /// The results as they stood before each run: copies that the user has kept.
    copies: Vec<Vec<u8>>,
    /// Draws which copy is put back, and when: apart from the rest, so that this does not change what else happens.
    random_for_copies: fastrand::Rng,
    /// The results themselves, while an older copy stands in their place.
    set_aside: Option<Vec<u8>>,
    /// What a run saved of results that somebody took away.
    pub(super) rescued: Option<PathBuf>,
    /// Whether the mark beside the results knows all that they hold: a loss of power may have taken it back.
    pub(super) mark_is_sure: bool,
    /// The last run came to its end, and nothing is left to do.
    pub(super) done: bool,
    /// Whether what happens is printed.
    traced: bool,
}

impl SimWorld {
    pub(super) fn new(seed: u64, mistake: Option<Mistake>) -> SimWorld {
        let mut random = fastrand::Rng::with_seed(seed);
        let wishes = wishes::draw(&mut random);
        let server = SimServer::new(&mut random, &wishes);
        let settings = settings(&mut random, &server, mistake);
        SimWorld {
            seed,
            mistake,
            accepted: wishes.clone(),
            wishes,
            wanted: BTreeMap::new(),
            further: BTreeMap::new(),
            refused: BTreeMap::new(),
            format: WishFormat::Csv,
            server,
            disk: SimDisk::default(),
            path: PathBuf::from("/somewhere/m.results.csv"),
            clock: Duration::from_secs(1_000),
            workers: settings.concurrency as usize,
            settings,
            runs: 0,
            crashes: 0,
            copies: Vec::new(),
            random_for_copies: fastrand::Rng::with_seed(!seed),
            set_aside: None,
            rescued: None,
            mark_is_sure: true,
            done: false,
            traced: std::env::var_os("ATTACHE_SIM_SEED").is_some(),
            random,
        }
    }

    /// Says what happens, to whoever looks at this one world.
    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        if self.traced {
            println!("{:>12.3?} {}", self.clock, what());
        }
    }

    /// Whether another run is due.
    pub(super) fn goes_on(&self) -> bool {
        (!self.done || self.runs <= BAD_RUNS) && self.runs < MOST_RUNS
    }

    /// Whether things still go wrong.
    pub(super) fn is_bad(&self) -> bool {
        self.runs <= BAD_RUNS
    }

    /// In the end, nothing but the service may keep a row from its end.
    pub(super) fn settings_of_the_run(&self) -> Policy {
        let settings = self.settings.clone();
        if self.is_bad() {
            return settings;
        }
        Policy { limit: None, max_credits: None, max_failures: MaxFailures::default(), ..settings }
    }

    /// Once, when things have calmed down, what is `unknown` is looked at again. Before that, now and then a row that was
    /// uploaded is sent once more, and so are all whose attachment was taken back.
    pub(super) fn resend(&mut self, uploaded: &[RowKey]) -> ResendRules {
        let mut changed = HashSet::new();
        if self.is_bad() && !uploaded.is_empty() && self.random.u8(..6) == 0 {
            changed.insert(uploaded[self.random.usize(..uploaded.len())]);
        }
        let deleted = self.is_bad() && self.random.u8(..6) == 0;
        ResendRules { unknown: self.runs == BAD_RUNS + 1, changed, deleted, ..ResendRules::default() }
    }

    /// The wishes that the manifest has now, in its order: row by row.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Wish> {
        self.wishes.iter().filter(|wish| wish.kept)
    }

    /// Whether the user takes something back now instead of running; in the end, what is left of that is settled.
    pub(super) fn takes_back(&mut self) -> bool {
        match self.is_bad() {
            true => self.runs > 1 && self.random.u8(..4) == 0,
            false => {
                let seen = look(self.disk.clone(), &self.path, &ResultsOptions::default());
                seen.is_ok_and(|seen| seen.history().count(Status::Deleting) > 0)
            }
        }
    }

    /// What the user does to the manifest between two runs.
    pub(super) fn edit_manifest(&mut self) {
        if self.is_bad() && self.runs > 1 {
            match self.random.u8(..20) {
                0..3 => self.take_out_or_put_back(),
                3..5 => self.random.shuffle(&mut self.wishes),
                5 => self.add(),
                6 => self.move_to_another_record(),
                7 => self.rename(),
                8..12 => self.disk.copy_over(&self.path),
                14..17 => self.export_anew(),
                12..14 => self.format = if self.format == WishFormat::Csv { WishFormat::Yaml } else { WishFormat::Csv },
                _ => {}
            }
        }
        self.count_wishes();
    }

    fn take_out_or_put_back(&mut self) {
        let row = self.random.usize(..self.wishes.len());
        self.wishes[row].kept = self.rows().count() <= 1 || !self.wishes[row].kept;
    }

    /// A run has begun with this manifest.
    pub(super) fn accept(&mut self) {
        self.accepted = self.wishes.clone();
        self.mark_is_sure = true;
    }

    /// The user takes the edits back that left no row that the results know.
    pub(super) fn take_edits_back(&mut self) {
        self.wishes = self.accepted.clone();
        self.count_wishes();
    }

    /// The manifest is made anew by something that writes paths in another way, for all rows or for some.
    fn export_anew(&mut self) {
        let all = self.random.bool();
        let spellings = [Spelling::Plain, Spelling::Dotted, Spelling::Roundabout, Spelling::Absolute, Spelling::Moved];
        let spelling = spellings[self.random.usize(..spellings.len())];
        for wish in &mut self.wishes {
            if all || self.random.bool() {
                wish.spelling = spelling;
            }
        }
    }

    fn add(&mut self) {
        let wish = wishes::another(&mut self.random, 4, &self.wishes);
        let refused = self.refused.get(&wish.kind()).copied().unwrap_or(wish.refused);
        let wish = Wish { refused, ..wish };
        let at = self.random.usize(..=self.wishes.len());
        self.wishes.insert(at, wish);
    }

    fn move_to_another_record(&mut self) {
        let row = self.random.usize(..self.wishes.len());
        let fresh = wishes::another(&mut self.random, 4, &[]).record;
        self.ask_for(row, Wish { record: fresh, ..self.wishes[row].clone() });
    }

    /// A file is to have another name from now on: what was sent under the old one stays, and it is sent again.
    fn rename(&mut self) {
        let row = self.random.usize(..self.wishes.len());
        let wish = self.wishes[row].clone();
        if !wish.is_link() {
            let name = if wish.name.is_some() { None } else { Some("given.pdf".to_owned()) };
            self.ask_for(row, Wish { name, ..wish });
        }
    }

    /// A row asks for something else from now on, if that can be.
    fn ask_for(&mut self, row: usize, moved: Wish) {
        // The service knows only one link of an address on a record, and takes no side in what it refuses.
        let fits = |other: &Wish| other.kind() != moved.kind() || !moved.is_link();
        let refused = self.refused.get(&moved.kind()).copied().unwrap_or(moved.refused);
        if refused == moved.refused && self.wishes.iter().all(fits) {
            self.wishes[row] = moved;
        }
    }

    /// Somebody puts an older copy of the results in their place, or deletes them. After a loss of power nobody could tell.
    pub(super) fn put_older_copy_back(&mut self) {
        let Some(now) = self.disk.contents(&self.path) else { return };
        if self.is_bad() && self.mark_is_sure && self.random_for_copies.u8(..5) == 0 && !self.copies.is_empty() {
            let copy = self.copies[self.random_for_copies.usize(..self.copies.len())].clone();
            let is_deletion = self.random_for_copies.u8(..4) == 0;
            if is_deletion {
                self.tell(|| "the results are deleted".to_owned());
                self.disk.take_away(&self.path);
            } else if copy != now {
                self.tell(|| format!("a copy of {} bytes is put in the place of {}", copy.len(), now.len()));
                self.disk.put(&self.path, &copy);
            }
            if is_deletion || copy != now {
                // Where a copy is there already, that one is not the right one.
                self.set_aside.get_or_insert_with(|| now.clone());
            }
        }
        self.copies.push(now);
    }

    /// The results were refused: the user puts the right ones back. Says whether there was a reason.
    pub(super) fn put_right_ones_back(&mut self) -> bool {
        let right = self.set_aside.take();
        self.tell(|| format!("the results are refused, and the right ones put back: {}", right.is_some()));
        right.iter().for_each(|right| self.disk.put(&self.path, right));
        right.is_some()
    }

    /// Whether what stands in the place of the results is not what the last run left.
    pub(super) fn has_wrong_results(&self) -> bool {
        self.set_aside.is_some()
    }

    /// The results as they stood before this run began.
    pub(super) fn last_copy(&self) -> Option<Vec<u8>> {
        self.copies.last().cloned()
    }

    /// The results were not refused: nothing is missing from them, whether they are a copy or not.
    pub(super) fn results_are_right(&mut self) {
        self.set_aside = None;
    }

    fn count_wishes(&mut self) {
        let mut now: BTreeMap<WishKind, usize> = BTreeMap::new();
        for wish in self.rows() {
            *now.entry(wish.kind()).or_default() += 1;
        }
        for wish in &self.wishes {
            self.refused.insert(wish.kind(), wish.refused);
        }
        for (kind, count) in now {
            let most = self.wanted.entry(kind).or_default();
            *most = count.max(*most);
        }
    }
}

fn settings(random: &mut fastrand::Rng, server: &SimServer, mistake: Option<Mistake>) -> Policy {
    let defaults = Policy::default();
    let (lag, work) = (server.lag, server.work);
    let settle_time = match mistake {
        Some(Mistake::SettlesBeforeTheList) => work,
        Some(Mistake::SettlesBeforeTheServer) => lag,
        _ => lag + work + Duration::from_millis(1),
    };
    Policy {
        concurrency: random.u32(1..=5),
        rate: if random.bool() { Rate::Unlimited } else { defaults.rate },
        retries: random.u32(1..=5),
        backoff: Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(5) },
        settle_time,
        if_exists: if random.u8(..5) == 0 { IfExists::Skip } else { IfExists::Upload },
        max_credits: (random.u8(..8) == 0).then(|| random.u64(6..40)),
        limit: (random.u8(..8) == 0).then(|| random.u32(1..8)),
        max_failures: if random.u8(..8) == 0 { MaxFailures::Rows(3) } else { defaults.max_failures },
        seed: random.u64(..),
        ..defaults
    }
}
