//! Drives the engine on the virtual clock with so many virtual workers: what a thread would wait for is put down as news
//! for later. Fast, since nothing waits; [`drive`](crate::engine::worker_pool) does the same with threads.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::mistakes::{self, Mistake};
use super::process::{Dead, Fate};
use super::server::SimServer;
use super::service_watch::ServiceWatch;
use super::wishes::Wish;
use super::world::SimWorld;
use crate::cli::run::ports::ResultsJournal;
use crate::engine::{
    Ended, Engine, Journal, JournalError, ListQuestion, ListResult, ListTicket, Next, Purpose, UploadResult,
    UploadTicket,
};
use crate::plan::Plan;
use crate::reply::{PageReply, PresenceReply, Reply, Verdict};
use crate::results::{Disk, Layout, Line, LogError, ResultsLog, SharedLog};
use crate::simulation::disk::SimDisk;
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

    fn begin(&self, line: &Line) -> Result<(), LogError> {
        let mut log = self.log();
        log.append(line)?;
        if mistakes::is_made(Mistake::NoSyncBeforeSending) { Ok(()) } else { log.sync() }
    }

    fn finish(&self, line: &Line) -> Result<(), LogError> {
        self.log().append(line)
    }

    fn claims(&self, record: RecordId) -> Result<(Vec<ServiceId>, Vec<ServiceId>), LogError> {
        if mistakes::is_made(Mistake::ForgetsOwnAttachments) {
            return Ok((Vec::new(), Vec::new()));
        }
        let mut log = self.log();
        Ok((log.claimed(record)?, log.expected(record)?))
    }

    fn held_before(&self, attachment: ServiceId) -> Result<bool, LogError> {
        self.log().held_before(attachment)
    }
}

/// Something that will be heard.
enum News {
    Replied { ticket: UploadTicket, reply: Reply, sent_at: Option<Timestamp> },
    ResultsFailed { ticket: UploadTicket, why: JournalError },
    Page { ticket: ListTicket, reply: PageReply },
    Presence { ticket: ListTicket, reply: PresenceReply },
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
    under_way: Vec<Option<News>>,
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
                Next::Upload(ticket) => {
                    self.watcher.request(self.now())?;
                    match self.upload(ticket) {
                        Ok(news) => self.begin(news),
                        Err(Dead) => return Ok(Err(Dead)),
                    }
                }
                Next::List(ticket) => {
                    self.watcher.request(self.now())?;
                    self.check_that_nothing_is_on_its_way(&ticket)?;
                    let news = self.ask(ticket);
                    self.begin(news);
                }
                Next::Wait(at) => return Ok(Ok(Handed::Waits(at.map(|at| self.began + at)))),
                Next::End => return Ok(Ok(Handed::Over)),
            }
        }
    }

    fn now(&self) -> Duration {
        self.world.clock - self.began
    }

    fn begin(&mut self, (at, news): (Duration, News)) {
        self.busy += 1;
        let number = u32::try_from(self.under_way.len()).expect("few requests");
        self.under_way.push(Some(news));
        self.news.push(Reverse((at, number)));
    }

    /// What is on its way to a record could be taken for what is in doubt there.
    fn check_that_nothing_is_on_its_way(&self, ticket: &ListTicket) -> Result<(), String> {
        let record = |job| self.plan.record(job).map(|(_, record)| record);
        let is_there = |news: &News| match news {
            News::Replied { ticket: upload, .. } => record(upload.job) == record(ticket.job),
            _ => false,
        };
        match ticket.purpose == Purpose::Settle && self.under_way.iter().flatten().any(is_there) {
            true => Err(format!("a record is listed for {:?} while a row of it is on its way", ticket.job)),
            false => Ok(()),
        }
    }

    fn ask(&mut self, ticket: ListTicket) -> (Duration, News) {
        let (_, record) = self.plan.record(ticket.job).expect("a job of the plan");
        let bad = self.world.is_bad();
        let SimWorld { server, random, clock, .. } = &mut *self.world;
        let (at, news) = match &ticket.question {
            ListQuestion::Page(page) => {
                let (at, answer) = server.list(random, *clock, bad, record, page);
                let reply = answer.page_reply(SimServer::time(at));
                (at, News::Page { ticket, reply })
            }
            ListQuestion::Attachment(id) => {
                let (at, answer) = server.presence(random, *clock, bad, *id);
                let reply = answer.presence_reply(SimServer::time(at));
                (at, News::Presence { ticket, reply })
            }
        };
        self.world.tell(|| format!("a question about {record}, heard at {at:?}"));
        (at, news)
    }

    fn upload(&mut self, ticket: UploadTicket) -> Result<(Duration, News), Dead> {
        let UploadTicket { job, announce, tries, .. } = ticket;
        let mut sent_at = None;
        if announce {
            let time = self.world.server.client_time(self.world.clock);
            if let Err(why) = self.memory.begin(job, time, tries - 1) {
                self.die_if_down()?;
                return Ok((self.world.clock, News::ResultsFailed { ticket, why }));
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
        let reply = exchange.upload_reply(wish.source_kind(), SimServer::time(at));
        self.world.tell(|| format!("{ticket:?}, heard at {at:?}"));
        Ok((at, News::Replied { ticket, reply, sent_at }))
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
            let Some(news) = self.under_way[number as usize].take() else { continue };
            self.busy -= 1;
            for ended in self.tell_engine(news)? {
                self.write(ended)?;
            }
        }
        Ok(())
    }

    fn tell_engine(&mut self, news: News) -> Result<Vec<Ended>, Dead> {
        let now = self.now();
        Ok(match news {
            News::Replied { ticket, reply, sent_at } => {
                self.watcher.heard(now, &reply);
                let result = self.replied(reply, sent_at)?;
                self.world.tell(|| format!("{ticket:?}: {result:?}"));
                self.engine.handle_upload(now, ticket, result)
            }
            News::ResultsFailed { ticket, why } => {
                self.watcher.unsent();
                self.engine.handle_upload(now, ticket, UploadResult::ResultsFailed(why))
            }
            News::Page { ticket, reply } => {
                match &reply {
                    PageReply::Page { .. } | PageReply::AskAgain => self.watcher.answered(),
                    PageReply::Not(reply) => self.watcher.heard(now, reply),
                }
                let result = match self.memory.claims(ticket.job) {
                    Ok(claims) => ListResult::Page { reply, claims, clock: self.world.server.client_clock() },
                    Err(why) => {
                        self.die_if_down()?;
                        ListResult::ResultsFailed(why)
                    }
                };
                self.world.tell(|| format!("{ticket:?}: {result:?}"));
                self.engine.handle_list(now, ticket, result)
            }
            News::Presence { ticket, reply } => {
                match &reply {
                    PresenceReply::Told { .. } => self.watcher.answered(),
                    PresenceReply::Not(reply) => self.watcher.heard(now, reply),
                }
                self.world.tell(|| format!("{ticket:?}: {reply:?}"));
                self.engine.handle_list(now, ticket, ListResult::Presence(reply))
            }
        })
    }

    fn replied(&mut self, reply: Reply, sent_at: Option<Timestamp>) -> Result<UploadResult, Dead> {
        let held = match &reply.verdict {
            Verdict::Uploaded(created) => self.memory.holds(created.id),
            _ => Ok(false),
        };
        match held {
            Ok(held) => Ok(UploadResult::Replied { reply, sent_at, held }),
            Err(_) => {
                self.die_if_down()?;
                Ok(UploadResult::Replied { reply, sent_at, held: true })
            }
        }
    }

    fn write(&mut self, mut ended: Ended) -> Result<(), Dead> {
        self.ended[ended.job.0 as usize] += 1;
        ended.outcome.finished_at = Some(SimServer::time(self.world.clock));
        self.world.tell(|| format!("{:?} has ended: {:?}", ended.job, ended.outcome));
        // Results that somebody took away still take lines in, to be saved.
        if let Err(why) = self.memory.finish(&ended) {
            self.die_if_down()?;
            if !self.broken_log {
                self.broken_log = true;
                self.engine.handle_results_failure(&why);
            }
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
            self.engine.handle_results_failure(&JournalError::Unwritten(why.to_string()));
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
