//! Drives the engine on the virtual clock with so many virtual workers: what a thread would wait for is put down as news
//! for later. Fast, since nothing waits; [`drive`](crate::engine::worker_pool) does the same with threads.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::mistakes::{self, Mistake};
use super::process::{Dead, Fate};
use super::server::SimServer;
use super::service_watch::ServiceWatch;
use super::wire::SimListing;
use super::wishes::Wish;
use super::world::SimWorld;
use crate::cli::run::ports::ResultsJournal;
use crate::engine::{Clock, Ended, Engine, JobId, Journal, Next, Task, TaskResult, Ticket};
use crate::plan::Plan;
use crate::reply::{ListReply, Reply, Verdict};
use crate::results::sim_disk::SimDisk;
use crate::results::{Disk, Layout, Line, ResultsLog, SharedLog};
use crate::upload::{RecordId, ServiceId};

/// No run of a few rows needs more turns than this.
const MOST_TURNS: u32 = 50_000;
/// Nor more time.
const LONGEST: Duration = Duration::from_secs(6 * 3_600);
/// Final lines are on the disk after this time at the latest.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// The log for virtual workers: there is only one thread, so nobody waits for anybody.
#[derive(Debug)]
pub(super) struct Alone {
    log: Mutex<ResultsLog<SimDisk>>,
    layout: Layout,
}

impl Alone {
    pub(super) fn new(log: ResultsLog<SimDisk>) -> Alone {
        Alone { layout: log.layout().clone(), log: Mutex::new(log) }
    }

    fn log(&self) -> MutexGuard<'_, ResultsLog<SimDisk>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn into_inner(self) -> ResultsLog<SimDisk> {
        self.log.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SharedLog for Alone {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn begin(&self, line: &Line) -> io::Result<()> {
        let mut log = self.log();
        log.append(line)?;
        if mistakes::is_made(Mistake::NoSyncBeforeSending) { Ok(()) } else { log.sync() }
    }

    fn finish(&self, line: &Line) -> io::Result<()> {
        self.log().append(line)
    }

    fn claimed(&self, record: RecordId) -> io::Result<Vec<ServiceId>> {
        if mistakes::is_made(Mistake::ForgetsOwnAttachments) { Ok(Vec::new()) } else { self.log().claimed(record) }
    }

    fn held_before(&self, attachment: ServiceId) -> io::Result<bool> {
        self.log().held_before(attachment)
    }
}

/// Something that will be heard.
enum News {
    Replied { reply: Reply, sent_at: Option<Timestamp> },
    Listed { reply: ListReply },
    ResultsFailed(String),
}

/// Where the virtual workers meet.
pub(super) struct VirtualPool<'a> {
    world: &'a mut SimWorld,
    plan: &'a Plan,
    /// The wishes of the manifest, row by row.
    wishes: Vec<Wish>,
    memory: &'a ResultsJournal<'a, Alone>,
    engine: Engine<'a>,
    watcher: ServiceWatch,
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

impl<'a> VirtualPool<'a> {
    pub(super) fn new(
        world: &'a mut SimWorld,
        plan: &'a Plan,
        memory: &'a ResultsJournal<'a, Alone>,
        engine: Engine<'a>,
    ) -> VirtualPool<'a> {
        let began = world.clock;
        VirtualPool {
            plan,
            wishes: world.rows().cloned().collect(),
            memory,
            engine,
            watcher: ServiceWatch::new(&world.settings_of_the_run()),
            began,
            synced: began,
            news: BinaryHeap::new(),
            under_way: Vec::new(),
            busy: 0,
            ended: vec![0; plan.jobs().len()],
            broken_log: false,
            world,
        }
    }

    pub(super) fn drive(mut self, fate: Fate) -> Result<Result<(), Dead>, String> {
        for turn in 0..MOST_TURNS {
            match fate {
                Fate::Kill(at) | Fate::PowerCut(at) if at == turn => return Ok(Err(Dead)),
                Fate::Signal(at) if at == turn => self.engine.handle_interrupt(),
                _ => {}
            }
            let alarm = match self.hand_out()? {
                Ok(Handed::Waits(alarm)) => alarm,
                Ok(Handed::Over) => return self.close(),
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
    fn hand_out(&mut self) -> Result<Result<Handed, Dead>, String> {
        loop {
            if self.busy >= self.world.workers {
                return Ok(Ok(Handed::Waits(None)));
            }
            match self.engine.poll(self.now()) {
                Next::Do(ticket) => {
                    self.watcher.request(self.now())?;
                    if self.begin(ticket).is_err() {
                        return Ok(Err(Dead));
                    }
                }
                Next::Wait(at) => return Ok(Ok(Handed::Waits(at.map(|at| self.began + at)))),
                Next::End => return Ok(Ok(Handed::Over)),
            }
        }
    }

    fn now(&self) -> Duration {
        self.world.clock - self.began
    }

    fn begin(&mut self, ticket: Ticket) -> Result<(), Dead> {
        self.busy += 1;
        let (at, news) = match ticket.task {
            Task::List { job, .. } => self.list(job),
            Task::Upload { job, announce, tries } => self.upload(job, announce, tries)?,
        };
        self.world.tell(|| format!("{:?}, heard at {at:?}", ticket.task));
        let number = u32::try_from(self.under_way.len()).expect("few requests");
        self.under_way.push(Some((ticket, news)));
        self.news.push(Reverse((at, number)));
        Ok(())
    }

    fn list(&mut self, job: JobId) -> (Duration, News) {
        let (_, record) = self.plan.record(job).expect("a job of the plan");
        let bad = self.world.is_bad();
        let mut clock = self.world.clock;
        let mut listing = SimListing::new();
        loop {
            let SimWorld { server, random, .. } = &mut *self.world;
            let (at, exchange) = server.list(random, clock, bad, record, listing.page());
            clock = at;
            if let Some(reply) = listing.hear(exchange, SimServer::time(at)) {
                return (clock, News::Listed { reply });
            }
        }
    }

    fn upload(&mut self, job: JobId, announce: bool, tries: u32) -> Result<(Duration, News), Dead> {
        let mut sent_at = None;
        if announce {
            let time = SimServer::time(self.world.clock);
            if let Err(why) = self.memory.begin(job, time, tries - 1) {
                self.die_if_down()?;
                return Ok((self.world.clock, News::ResultsFailed(why)));
            }
            self.synced = self.world.clock;
            sent_at = Some(if self.world.mistake == Some(Mistake::ForgetsTime) { Timestamp::UNIX_EPOCH } else { time });
        }
        let row = self.plan.row(job).expect("only rows of the manifest are sent");
        let wish = &self.wishes[row.0 as usize];
        let bad = self.world.is_bad();
        let SimWorld { server, random, clock, .. } = &mut *self.world;
        let (at, exchange) = server.upload(random, *clock, bad, wish);
        if let Some(content) = wish.content() {
            self.memory.contents.note(job, content);
        }
        Ok((at, News::Replied { reply: exchange.upload_reply(wish.source_kind(), SimServer::time(at)), sent_at }))
    }

    /// An operation failed: was it the end of the process?
    fn die_if_down(&self) -> Result<(), Dead> {
        // A process that is gone cannot even look at a folder.
        self.world.disk.list(&self.world.path).map(drop).map_err(|_| Dead)
    }

    fn hear(&mut self) -> Result<(), Dead> {
        while let Some(Reverse((at, number))) = self.news.peek().copied()
            && at <= self.world.clock
        {
            self.news.pop();
            let Some((ticket, news)) = self.under_way[number as usize].take() else { continue };
            self.busy -= 1;
            let told = match news {
                News::Replied { reply, sent_at } => {
                    self.watcher.heard(self.now(), &reply);
                    self.replied(reply, sent_at)?
                }
                News::ResultsFailed(why) => {
                    self.watcher.unsent();
                    TaskResult::ResultsFailed(why)
                }
                News::Listed { reply } => self.listed(ticket.task, reply)?,
            };
            self.world.tell(|| format!("{:?}: {told:?}", ticket.task));
            for ended in self.engine.handle_result(self.now(), ticket, told) {
                self.write(ended)?;
            }
        }
        Ok(())
    }

    fn replied(&mut self, reply: Reply, sent_at: Option<Timestamp>) -> Result<TaskResult, Dead> {
        let held = match &reply.verdict {
            Verdict::Uploaded(created) => self.memory.holds(created.id),
            _ => Ok(false),
        };
        match held {
            Ok(held) => Ok(TaskResult::Replied { reply, sent_at, held }),
            Err(_) => {
                self.die_if_down()?;
                Ok(TaskResult::Panicked { begun: true, sent_at })
            }
        }
    }

    fn listed(&mut self, task: Task, reply: ListReply) -> Result<TaskResult, Dead> {
        match &reply {
            ListReply::Listed(_) => self.watcher.answered(),
            ListReply::Not(reply) => self.watcher.heard(self.now(), reply),
        }
        let Task::List { job, .. } = task else { unreachable!("a list is told of lists") };
        match self.memory.claimed(job) {
            Ok(claimed) => Ok(TaskResult::Listed { reply, claimed, clock: Clock::Service }),
            Err(why) => {
                self.die_if_down()?;
                Ok(TaskResult::ResultsFailed(why))
            }
        }
    }

    fn write(&mut self, mut ended: Ended) -> Result<(), Dead> {
        self.ended[ended.job.0 as usize] += 1;
        ended.outcome.finished_at = Some(SimServer::time(self.world.clock));
        self.world.tell(|| format!("{:?} has ended: {:?}", ended.job, ended.outcome));
        if self.broken_log {
            return Ok(());
        }
        if let Err(why) = self.memory.finish(&ended) {
            self.die_if_down()?;
            self.broken_log = true;
            self.engine.handle_results_failure(&why);
        }
        Ok(())
    }

    fn sync_now_and_then(&mut self) -> Result<(), Dead> {
        if self.world.mistake == Some(Mistake::NoSyncBeforeSending) || self.world.clock - self.synced < SYNC_EVERY {
            return Ok(());
        }
        self.synced = self.world.clock;
        let synced = self.memory.log.log().sync();
        if let Err(why) = synced {
            self.die_if_down()?;
            self.broken_log = true;
            self.engine.handle_results_failure(&why.to_string());
        }
        Ok(())
    }

    /// The run is over: what it did not get to is written.
    fn close(mut self) -> Result<Result<(), Dead>, String> {
        loop {
            let rest = self.engine.poll_remaining(3);
            if rest.is_empty() {
                break;
            }
            for ended in rest {
                if self.write(ended).is_err() {
                    return Ok(Err(Dead));
                }
            }
        }
        if let Some(job) = self.ended.iter().position(|times| *times != 1) {
            return Err(format!("job {job} has ended {} times", self.ended[job]));
        }
        let ending = self.engine.into_ending();
        if ending.counts.total() as usize != self.plan.jobs().len() {
            return Err(format!("{} jobs, but the ending counts {:?}", self.plan.jobs().len(), ending.counts));
        }
        Ok(Ok(()))
    }
}

enum Handed {
    /// Until then there is nothing to hand out.
    Waits(Option<Duration>),
    Over,
}
