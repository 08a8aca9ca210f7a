//! One run of the program: takes the results as the last run left them, drives the engine on the virtual clock with so
//! many workers, and ends well, or by a signal, a kill, a power cut or a disk that fails.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use attache::internals::engine::{
    Clock, Descriptor, Descriptors, Ended, Engine, Job, JobId, Next, PriorAttempt, PriorDoubt, RecordIx, Task,
    TaskResult, Ticket,
};
use attache::internals::reply::{ListReply, Reply, Verdict};
use attache::internals::results::SimDisk;
use attache::internals::results::{Line, ResultsError, ResultsLog, ResultsOptions, ResultsRows, Standing, Why, hold};
use attache::internals::upload::{RecordId, RowKey, ServiceId};
use jiff::Timestamp;

use crate::server::SimServer;
use crate::world::{BrokenRule, World, WorldRow, module_name};

/// No run of a few rows needs more turns than this.
const MOST_TURNS: u32 = 50_000;
/// Nor more time.
const LONGEST: Duration = Duration::from_secs(6 * 3_600);
/// Final lines are on the disk after this time at the latest.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// How a run is going to end, if not well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Well,
    /// Killed at this turn.
    Kill(u32),
    /// Power lost at this turn.
    PowerCut(u32),
    /// The process ends within this operation on the disk; afterwards the power may be lost, too.
    CrashInDisk {
        operation: u64,
        power: bool,
    },
    /// The disk fails once, at this operation.
    DiskFails(u64),
    /// A signal at this turn.
    Signal(u32),
}

/// The process has ended before its time.
struct Dead;

/// Runs once. `Err` tells of a run that does not end.
pub fn run(world: &mut World) -> Result<(), String> {
    world.runs += 1;
    world.done = false;
    world.edit_manifest();
    let fate = if world.is_bad() { fate(&mut world.random) } else { Fate::Well };
    world.tell(|| format!("a run begins, and ends so: {fate:?}"));
    let operations = world.disk.operations();
    match fate {
        Fate::CrashInDisk { operation, .. } => world.disk.crash_at(operations + operation),
        Fate::DiskFails(operation) => world.disk.fail_at(operations + operation),
        _ => {}
    }
    let ended = process(world, fate)?;
    let power = match fate {
        Fate::PowerCut(_) | Fate::CrashInDisk { power: true, .. } => ended.is_err(),
        _ => false,
    };
    if ended.is_err() {
        world.crashes += 1;
        world.server.client_dies(world.clock);
    }
    if power {
        world.disk.lose_power(&mut world.random)
    } else {
        world.disk.kill()
    }
    world.clock += Duration::from_millis(world.random.u64(..3_000));
    Ok(())
}

fn fate(random: &mut fastrand::Rng) -> Fate {
    match random.u8(..10) {
        0 | 1 => Fate::Kill(random.u32(..80)),
        2 | 3 => Fate::PowerCut(random.u32(..80)),
        4 | 5 => Fate::CrashInDisk { operation: random.u64(..60), power: random.bool() },
        6 => Fate::DiskFails(random.u64(..60)),
        7 => Fate::Signal(random.u32(..60)),
        _ => Fate::Well,
    }
}

/// A process, from its start to its end.
fn process(world: &mut World, fate: Fate) -> Result<Result<(), Dead>, String> {
    let settings = ResultsOptions { target: Some("api.test".to_owned()), ..ResultsOptions::default() };
    let Ok(held) = hold(world.disk.clone(), &world.path, &settings) else { return Ok(Err(Dead)) };
    let mut work = RunWork::default();
    for (index, row) in world.rows.iter().enumerate() {
        let standing = held.seen().history().standing(row.key, &world.resend());
        let bytes = match held.seen().line(row.key) {
            Ok(line) => line.and_then(|line| line.bytes),
            Err(_) => return Ok(Err(Dead)),
        };
        work.add(index, row, standing, bytes, world.broken);
    }
    let manifest =
        WorldManifest { rows: world.rows.iter().filter(|row| row.kept).cloned().collect(), columns: Vec::new() };
    let log = match held.begin(&manifest) {
        Ok(log) => log,
        Err(ResultsError::OtherManifest { .. }) => {
            // No row is left that the results know: refused, and rightly so. The user takes the edits back.
            world.rows.iter_mut().for_each(|row| row.kept = true);
            return Ok(Err(Dead));
        }
        Err(_) => return Ok(Err(Dead)),
    };
    if work.jobs.is_empty() {
        let finished = log.compact(&manifest);
        world.done = finished.is_ok();
        return Ok(finished.map(drop).map_err(|_| Dead));
    }
    let descriptors = WorldDescriptors(work.rows.iter().map(|index| world.rows[*index].clone()).collect());
    let engine = Engine::new(work.jobs.clone(), work.prior.clone(), &descriptors, world.settings_of_the_run());
    VirtualPool::new(world, &work, log, engine).drive(fate, &manifest)
}

/// What a run has to do: job by job, which row of the world it is.
#[derive(Default)]
struct RunWork {
    jobs: Vec<Job>,
    rows: Vec<usize>,
    prior: Vec<(JobId, PriorAttempt)>,
    records: Vec<RecordId>,
    ambiguity_groups: Vec<(RecordId, String)>,
}

impl RunWork {
    fn add(
        &mut self,
        index: usize,
        row: &WorldRow,
        standing: Standing,
        bytes: Option<u64>,
        broken: Option<BrokenRule>,
    ) {
        let prior = match standing {
            Standing::New | Standing::Again(_) if row.kept => None,
            Standing::InDoubt { sent_at, why } => Some(PriorAttempt {
                sent_at: if broken == Some(BrokenRule::ForgetsTime) {
                    Timestamp::UNIX_EPOCH
                } else {
                    Timestamp::from_second(sent_at).expect("a time that we wrote")
                },
                size: bytes,
                was: if why == Why::Asked { PriorDoubt::Unknown } else { PriorDoubt::InDoubt },
                resend: row.kept,
            }),
            Standing::New | Standing::Again(_) | Standing::Settled(_) => return,
        };
        let id = JobId(u32::try_from(self.jobs.len()).expect("few rows"));
        let record = number_of(&mut self.records, row.record);
        let descriptor = if row.name.is_empty() { row.source.clone() } else { row.name.clone() };
        let ambiguity_group = number_of(&mut self.ambiguity_groups, (row.record, descriptor));
        self.jobs.push(Job { module: row.module, record: RecordIx(record), ambiguity_group });
        self.rows.push(index);
        self.prior.extend(prior.map(|prior| (id, prior)));
    }
}

fn number_of<T: PartialEq>(all: &mut Vec<T>, one: T) -> u32 {
    let found = all.iter().position(|other| *other == one).unwrap_or_else(|| {
        all.push(one);
        all.len() - 1
    });
    u32::try_from(found).expect("few")
}

struct WorldDescriptors(Vec<WorldRow>);

impl Descriptors for WorldDescriptors {
    fn descriptor(&self, job: JobId) -> Descriptor<'_> {
        self.0[job.0 as usize].descriptor()
    }
}

/// The manifest as the results know it.
struct WorldManifest {
    rows: Vec<WorldRow>,
    columns: Vec<String>,
}

impl ResultsRows for WorldManifest {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn len(&self) -> u32 {
        u32::try_from(self.rows.len()).expect("few rows")
    }

    fn key(&self, row: u32) -> RowKey {
        self.rows[row as usize].key
    }

    fn line(&self, row: u32) -> u32 {
        self.rows[row as usize].line
    }

    fn carried(&self, _row: u32, _each: &mut dyn FnMut(&str)) {}

    fn blank(&self, row: u32) -> Line {
        blank(&self.rows[row as usize])
    }
}

fn blank(row: &WorldRow) -> Line {
    assert_eq!(row.upload().module, module_name(row.module));
    Line::of(&row.upload(), Some(row.bytes()), "api.test", "run")
}

/// Something that will be heard.
enum News {
    Replied { reply: Reply, sent_at: Option<Timestamp> },
    Listed { reply: ListReply, record: RecordId },
    ResultsFailed(String),
}

/// Where the virtual workers meet.
struct VirtualPool<'a, 'e> {
    world: &'a mut World,
    work: &'a RunWork,
    log: ResultsLog<SimDisk>,
    engine: Engine<'e>,
    began: Duration,
    synced: Duration,
    /// What is on its way, by when it is heard.
    news: BinaryHeap<Reverse<(Duration, u32)>>,
    under_way: Vec<Option<(Ticket, News)>>,
    busy: usize,
    /// How often each job has ended.
    ended: Vec<u32>,
    /// No line can be written any more.
    broken_log: bool,
}

impl<'a, 'e> VirtualPool<'a, 'e> {
    fn new(
        world: &'a mut World,
        work: &'a RunWork,
        log: ResultsLog<SimDisk>,
        engine: Engine<'e>,
    ) -> VirtualPool<'a, 'e> {
        let began = world.clock;
        VirtualPool {
            work,
            log,
            engine,
            began,
            synced: began,
            news: BinaryHeap::new(),
            under_way: Vec::new(),
            busy: 0,
            ended: vec![0; work.jobs.len()],
            broken_log: false,
            world,
        }
    }

    fn drive(mut self, fate: Fate, manifest: &WorldManifest) -> Result<Result<(), Dead>, String> {
        for turn in 0..MOST_TURNS {
            match fate {
                Fate::Kill(at) | Fate::PowerCut(at) if at == turn => return Ok(Err(Dead)),
                Fate::Signal(at) if at == turn => self.engine.handle_interrupt(),
                _ => {}
            }
            let alarm = match self.hand_out() {
                Ok(Handed::Waits(alarm)) => alarm,
                Ok(Handed::Over) => return self.close(manifest),
                Err(Dead) => return Ok(Err(Dead)),
            };
            let heard = self.news.peek().map(|Reverse((at, _))| *at);
            let Some(next) = [alarm, heard].into_iter().flatten().min() else {
                return Err("the engine waits for something that never comes".to_owned());
            };
            self.world.clock = self.world.clock.max(next);
            if self.world.clock - self.began > LONGEST {
                return Err(format!("the run does not end within {LONGEST:?}"));
            }
            if self.sync_now_and_then().and_then(|()| self.hear()).is_err() {
                return Ok(Err(Dead));
            }
        }
        Err(format!("the run does not end within {MOST_TURNS} turns"))
    }

    /// Gives every idle worker something to do, as long as there is something.
    fn hand_out(&mut self) -> Result<Handed, Dead> {
        loop {
            if self.busy >= self.world.workers {
                return Ok(Handed::Waits(None));
            }
            match self.engine.poll(self.now()) {
                Next::Do(ticket) => self.begin(ticket)?,
                Next::Wait(at) => return Ok(Handed::Waits(at.map(|at| self.began + at))),
                Next::End => return Ok(Handed::Over),
            }
        }
    }

    fn now(&self) -> Duration {
        self.world.clock - self.began
    }

    fn begin(&mut self, ticket: Ticket) -> Result<(), Dead> {
        self.busy += 1;
        let (at, news) = match ticket.task {
            Task::List { job, .. } => {
                let record = self.row(job).record;
                let (clock, bad) = (self.world.clock, self.world.is_bad());
                let (at, reply) = self.world.server.list(&mut self.world.random, clock, bad, record);
                (at, News::Listed { reply, record })
            }
            Task::Upload { job, announce, .. } => self.upload(job, announce)?,
        };
        self.world.tell(|| format!("{:?}, heard at {at:?}", ticket.task));
        let number = u32::try_from(self.under_way.len()).expect("few requests");
        self.under_way.push(Some((ticket, news)));
        self.news.push(Reverse((at, number)));
        Ok(())
    }

    fn upload(&mut self, job: JobId, announce: bool) -> Result<(Duration, News), Dead> {
        let mut sent_at = None;
        if announce {
            let time = SimServer::time(self.world.clock);
            let line = blank(self.row(job)).sending(time);
            let written = self.log.append(&line).and_then(|()| match self.world.broken {
                Some(BrokenRule::NoSyncBeforeSending) => Ok(()),
                _ => self.log.sync(),
            });
            if let Err(why) = written {
                self.die_if_down()?;
                return Ok((self.world.clock, News::ResultsFailed(why.to_string())));
            }
            self.synced = self.world.clock;
            sent_at =
                Some(if self.world.broken == Some(BrokenRule::ForgetsTime) { Timestamp::UNIX_EPOCH } else { time });
        }
        let index = self.work.rows[job.0 as usize];
        let bad = self.world.is_bad();
        let World { server, random, clock, rows, .. } = &mut *self.world;
        let (at, reply) = server.upload(random, *clock, bad, (index, &rows[index]));
        Ok((at, News::Replied { reply, sent_at }))
    }

    /// An operation failed: was it the end of the process?
    fn die_if_down(&self) -> Result<(), Dead> {
        // A process that is gone cannot even look at a folder.
        use attache::internals::results::Disk;
        self.world.disk.list(&self.world.path).map(drop).map_err(|_| Dead)
    }

    fn row(&self, job: JobId) -> &WorldRow {
        &self.world.rows[self.work.rows[job.0 as usize]]
    }

    fn hear(&mut self) -> Result<(), Dead> {
        while let Some(Reverse((at, number))) = self.news.peek().copied()
            && at <= self.world.clock
        {
            self.news.pop();
            let Some((ticket, news)) = self.under_way[number as usize].take() else { continue };
            self.busy -= 1;
            let told = match news {
                News::Replied { reply, sent_at } => match self.held(&reply) {
                    Ok(held) => TaskResult::Replied { reply, sent_at, held },
                    Err(_) => {
                        self.die_if_down()?;
                        TaskResult::Panicked { begun: true, sent_at }
                    }
                },
                News::ResultsFailed(why) => TaskResult::ResultsFailed(why),
                News::Listed { reply, record } => match self.claimed(record) {
                    Ok(claimed) => TaskResult::Listed { reply, claimed, clock: Clock::Service },
                    Err(why) => {
                        self.die_if_down()?;
                        TaskResult::ResultsFailed(why)
                    }
                },
            };
            self.world.tell(|| format!("{:?}: {told:?}", ticket.task));
            for ended in self.engine.handle_result(self.now(), ticket, told) {
                self.write(&ended)?;
            }
        }
        Ok(())
    }

    fn held(&mut self, reply: &Reply) -> std::io::Result<bool> {
        match &reply.verdict {
            Verdict::Uploaded(created) => self.log.held_before(created.id),
            _ => Ok(false),
        }
    }

    fn claimed(&mut self, record: RecordId) -> Result<Vec<ServiceId>, String> {
        match self.world.broken {
            Some(BrokenRule::ForgetsOwnAttachments) => Ok(Vec::new()),
            _ => self.log.claimed(record).map_err(|why| why.to_string()),
        }
    }

    fn write(&mut self, ended: &Ended) -> Result<(), Dead> {
        self.ended[ended.job.0 as usize] += 1;
        self.world.tell(|| format!("{:?} has ended: {:?}", ended.job, ended.outcome));
        if self.broken_log {
            return Ok(());
        }
        let line = blank(self.row(ended.job)).ended(&ended.outcome, 0);
        if let Err(why) = self.log.append(&line) {
            self.die_if_down()?;
            self.broken_log = true;
            self.engine.handle_results_failure(&why.to_string());
        }
        Ok(())
    }

    fn sync_now_and_then(&mut self) -> Result<(), Dead> {
        if self.world.broken == Some(BrokenRule::NoSyncBeforeSending) || self.world.clock - self.synced < SYNC_EVERY {
            return Ok(());
        }
        self.synced = self.world.clock;
        if let Err(why) = self.log.sync() {
            self.die_if_down()?;
            self.broken_log = true;
            self.engine.handle_results_failure(&why.to_string());
        }
        Ok(())
    }

    /// The run is over: what it did not get to is written, and the log becomes a table.
    fn close(mut self, manifest: &WorldManifest) -> Result<Result<(), Dead>, String> {
        loop {
            let rest = self.engine.poll_remaining(3);
            if rest.is_empty() {
                break;
            }
            for ended in rest {
                if self.write(&ended).is_err() {
                    return Ok(Err(Dead));
                }
            }
        }
        if let Some(job) = self.ended.iter().position(|times| *times != 1) {
            return Err(format!("job {job} has ended {} times", self.ended[job]));
        }
        let ending = self.engine.into_ending();
        if ending.counts.total() as usize != self.work.jobs.len() {
            return Err(format!("{} jobs, but the ending counts {:?}", self.work.jobs.len(), ending.counts));
        }
        Ok(self.log.compact(manifest).map(drop).map_err(|_| Dead))
    }
}

enum Handed {
    /// Until then there is nothing to hand out.
    Waits(Option<Duration>),
    Over,
}
