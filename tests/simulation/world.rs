//! One world: a manifest, a server with its weaknesses, a disk, and what is going to go wrong. All of it is drawn from
//! one number.

use std::path::PathBuf;
use std::time::Duration;

use attache::internals::engine::{Backoff, IfExists, MaxFailures};
use attache::internals::engine::{Descriptor, Policy};
use attache::internals::results::ResendRules;
use attache::internals::results::SimDisk;
use attache::internals::upload::{RecordId, RowKey, SourceKind, Upload};

use crate::server::SimServer;

/// A rule of the protocol that a test breaks on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BrokenRule {
    NoSyncBeforeSending,
    SettlesBeforeTheList,
    SettlesBeforeTheServer,
    ForgetsOwnAttachments,
    ForgetsTime,
}

/// Runs in which things go wrong; in later ones they do not, so every row must come to its end.
const BAD_RUNS: u32 = 4;
/// Runs within which every row must come to its end.
const MOST_RUNS: u32 = 12;

/// A row of the manifest.
#[derive(Clone, Debug)]
pub struct WorldRow {
    pub line: u32,
    pub module: u16,
    pub record: RecordId,
    pub kind: SourceKind,
    pub source: String,
    pub name: String,
    pub size: u64,
    pub key: RowKey,
    /// The service refuses this row for good.
    pub refused: bool,
    /// Still in the manifest.
    pub kept: bool,
}

impl WorldRow {
    pub fn upload(&self) -> Upload<'_> {
        Upload {
            line: self.line,
            module: module_name(self.module),
            record: self.record,
            kind: self.kind,
            source: &self.source,
            name: &self.name,
            key: self.key,
        }
    }

    pub fn descriptor(&self) -> Descriptor<'_> {
        match self.kind {
            SourceKind::File => Descriptor { name: (&*self.name).into(), size: Some(self.size), link: None },
            SourceKind::Link => {
                Descriptor { name: (&*self.name).into(), size: None, link: Some((&*self.source).into()) }
            }
        }
    }

    pub fn bytes(&self) -> u64 {
        match self.kind {
            SourceKind::File => self.size,
            SourceKind::Link => 0,
        }
    }
}

pub fn module_name(module: u16) -> &'static str {
    if module == 0 { "Leads" } else { "Deals" }
}

pub struct World {
    pub seed: u64,
    pub broken: Option<BrokenRule>,
    pub random: fastrand::Rng,
    pub rows: Vec<WorldRow>,
    pub server: SimServer,
    pub disk: SimDisk,
    pub path: PathBuf,
    /// The time of the world, whatever runs.
    pub clock: Duration,
    pub settings: Policy,
    pub workers: usize,
    pub runs: u32,
    pub crashes: u32,
    /// The last run came to its end, and nothing is left to do.
    pub done: bool,
    /// Whether what happens is printed.
    pub traced: bool,
}

impl World {
    pub fn new(seed: u64, broken: Option<BrokenRule>) -> World {
        let mut random = fastrand::Rng::with_seed(seed);
        let rows = manifest(&mut random);
        let server = SimServer::new(&mut random, &rows);
        let settings = settings(&mut random, &server, broken);
        World {
            seed,
            broken,
            rows,
            server,
            disk: SimDisk::default(),
            path: PathBuf::from("/somewhere/m.results.csv"),
            clock: Duration::from_secs(1_000),
            workers: settings.concurrency as usize,
            settings,
            runs: 0,
            crashes: 0,
            done: false,
            traced: std::env::var_os("ATTACHE_SIM_SEED").is_some(),
            random,
        }
    }

    /// Says what happens, to whoever looks at this one world.
    pub fn tell(&self, what: impl FnOnce() -> String) {
        if self.traced {
            println!("{:>12.3?} {}", self.clock, what());
        }
    }

    /// Whether another run is due.
    pub fn goes_on(&self) -> bool {
        (!self.done || self.runs <= BAD_RUNS) && self.runs < MOST_RUNS
    }

    /// Whether things still go wrong.
    pub fn is_bad(&self) -> bool {
        self.runs <= BAD_RUNS
    }

    /// In the end, nothing but the service may keep a row from its end.
    pub fn settings_of_the_run(&self) -> Policy {
        let settings = self.settings.clone();
        if self.is_bad() {
            return settings;
        }
        Policy { limit: None, max_credits: None, max_failures: MaxFailures::default(), ..settings }
    }

    /// Once, when things have calmed down, what is `unknown` is looked at again.
    pub fn resend(&self) -> ResendRules {
        ResendRules { unknown: self.runs == BAD_RUNS + 1, ..ResendRules::default() }
    }

    /// Takes a row out of the manifest now and then, between two runs.
    pub fn edit_manifest(&mut self) {
        if self.is_bad() && self.random.u8(..8) == 0 {
            let row = self.random.usize(..self.rows.len());
            self.rows[row].kept = self.rows.iter().filter(|row| row.kept).count() <= 1;
        }
    }
}

fn manifest(random: &mut fastrand::Rng) -> Vec<WorldRow> {
    let records = random.u64(1..=4);
    let count = random.usize(1..=14);
    let mut rows: Vec<WorldRow> = Vec::new();
    for line in 0..count {
        // Rows that look alike are the hard ones: few names, fewer sizes, identical rows.
        let copied = if line > 0 && random.u8(..4) == 0 { rows.get(random.usize(..line)).cloned() } else { None };
        let mut row = match copied.filter(|row| row.kind == SourceKind::File) {
            Some(row) => WorldRow { refused: random.u8(..20) == 0, ..row },
            None => new_row(random, records, line, &rows),
        };
        row.line = u32::try_from(line).unwrap_or(0) + 2;
        let same = |other: &&WorldRow| {
            (other.record, other.kind, &other.source, &other.name) == (row.record, row.kind, &row.source, &row.name)
        };
        let ordinal = u32::try_from(rows.iter().filter(same).count()).unwrap_or(0) + 1;
        let record = row.record.to_string();
        row.key = RowKey::of(module_name(row.module), &record, row.kind, &row.source, &row.name, ordinal);
        rows.push(row);
    }
    rows
}

fn new_row(random: &mut fastrand::Rng, records: u64, line: usize, rows: &[WorldRow]) -> WorldRow {
    let number = random.u64(..records);
    let record = RecordId::new(1_000_000_000 + number).expect("ten digits");
    let link = random.u8(..5) == 0;
    let name = random.u8(..4);
    // A file keeps its size whichever row names it; several have the same one.
    let size = u64::from(name / 2) * 100 + 10;
    let url = format!("https://example.test/{line}");
    let taken = rows.iter().any(|row| row.record == record && row.source == url);
    WorldRow {
        line: 0,
        module: u16::from(number % 2 == 1),
        record,
        kind: if link && !taken { SourceKind::Link } else { SourceKind::File },
        source: if link && !taken { url } else { format!("n{name}.pdf") },
        name: if link && !taken { String::new() } else { format!("n{name}.pdf") },
        size,
        key: RowKey(0),
        refused: random.u8(..20) == 0,
        kept: true,
    }
}

fn settings(random: &mut fastrand::Rng, server: &SimServer, broken: Option<BrokenRule>) -> Policy {
    let defaults = Policy::default();
    let (lag, work) = (server.lag, server.work);
    let settle_time = match broken {
        Some(BrokenRule::SettlesBeforeTheList) => work,
        Some(BrokenRule::SettlesBeforeTheServer) => lag,
        _ => lag + work + Duration::from_millis(1),
    };
    Policy {
        concurrency: random.u32(1..=5),
        rate: if random.bool() { attache::internals::units::Rate::Unlimited } else { defaults.rate },
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
