//! An undo in a world: the user takes back some of what the runs so far attached, as `attache undo` puts it together; and
//! it ends well, or by a kill, a power cut, a signal or a disk that fails.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use super::disk::SimDisk;
use super::process::{Dead, Fate, TARGET, held_by, take_hold};
use super::server::SimServer;
use super::service_watch::ServiceWatch;
use super::virtual_pool::Alone;
use super::world::SimWorld;
use crate::engine::requests::machine::{NextRequest, RequestTicket};
use crate::engine::requests::{RequestEngine, RequestHandler as _, RequestPolicy, RequestStop};
use crate::listing::ListReading;
use crate::outcome::Status;
use crate::reply::{PageReply, PresenceReply, Reply, RetryBecause, StopBecause, Verdict};
use crate::results::{Disk as _, EndError, Line, LockedResults, ResultsOptions};
use crate::undo::UndoWork;
use crate::undo::journal::ResultsUndoJournal;
use crate::undo::machine::Undoing;
use crate::undo::ports::{UndoAnswer, UndoJob, UndoJournal, UndoPolicy};
use crate::undo::select::UndoSelection;
use crate::upload::RowKey;

/// No undo of a few rows needs more turns than this.
const MOST_TURNS: u32 = 20_000;
/// Nor more time.
const LONGEST: Duration = Duration::from_secs(6 * 3_600);

/// Whether the results became a table in the end.
type UndoFinish = Result<(), EndError<SimDisk>>;

/// Takes back what chance chooses; when things have calmed down, only what earlier undos left in doubt.
pub(super) fn take_back(world: &mut SimWorld, fate: Fate) -> Result<Result<UndoFinish, Dead>, String> {
    let options = ResultsOptions { target: Some(TARGET.to_owned()), ..ResultsOptions::default() };
    let Ok(held) = take_hold(world, &options)? else { return Ok(Err(Dead)) };
    let Ok(work) = work(world, &held) else { return Ok(Err(Dead)) };
    world.tell(|| format!("an undo of {} attachments; others: {:?}", work.rows.len(), work.not_undone));
    if work.rows.is_empty() {
        return Ok(Ok(Ok(())));
    }
    let undone: Vec<RowKey> = work.rows.iter().map(|row| row.key).collect();
    let Ok(attachments) = held_by(held.seen(), &undone) else { return Ok(Err(Dead)) };
    world.server.lists.begin_run(attachments);
    let Ok(log) = held.begin_without_manifest() else { return Ok(Err(Dead)) };
    world.mark_is_sure = true;
    let Ok(lines) = log.stored_lines(work.rows.iter().map(|row| row.key)) else { return Ok(Err(Dead)) };
    let log = Alone::new(log);
    let clock = Mutex::new(world.clock);
    let now = || SimServer::time(*clock.lock().expect("one thread"));
    let journal = ResultsUndoJournal::new(&log, lines, &now);
    let settings = world.settings_of_the_run();
    let requests = RequestPolicy {
        concurrency: settings.concurrency,
        rate: settings.rate,
        retry: settings.retry_policy(),
        max_credits: settings.max_credits,
        keep_credits: 0,
        seed: settings.seed,
        ..RequestPolicy::default()
    };
    let policy = UndoPolicy { requests, settle_time: settings.settle_time };
    let progress = |_: usize| ();
    let mut undoing = Undoing::new(&work, &journal, &policy, &progress);
    let mut engine = RequestEngine::new(policy.requests.clone());
    undoing.begin(&mut engine);
    let hands = UndoHands {
        began: world.clock,
        watch: ServiceWatch::new(&settings),
        world,
        work: &work,
        journal: &journal,
        engine,
        undoing,
        clock: &clock,
        news: BinaryHeap::new(),
        under_way: Vec::new(),
        busy: 0,
    };
    let ended = hands.drive(fate)?;
    Ok(ended.map(|()| log.into_inner().compact_without_manifest().map(drop)))
}

fn work(world: &mut SimWorld, held: &LockedResults<SimDisk>) -> io::Result<UndoWork> {
    let seen = held.seen();
    let is_calm = !world.is_bad();
    let share = world.random.u8(1..4);
    let mut lines: Vec<Line> = seen.lines()?.collect::<io::Result<_>>()?;
    lines.retain(|line| line.status == Status::Deleting || (!is_calm && world.random.u8(..4) < share));
    UndoWork::of(lines.into_iter().map(Ok), &seen.lines_of_superseded()?, &UndoSelection::default())
}

/// What came of a request, once it is heard.
struct UndoNews {
    ticket: RequestTicket<UndoJob>,
    result: Result<UndoAnswer, Box<Reply>>,
}

struct UndoHands<'a> {
    world: &'a mut SimWorld,
    work: &'a UndoWork,
    journal: &'a dyn UndoJournal,
    engine: RequestEngine<UndoJob>,
    undoing: Undoing<'a>,
    watch: ServiceWatch,
    /// The world's time when the undo began.
    began: Duration,
    /// The world's time, for the journal.
    clock: &'a Mutex<Duration>,
    news: BinaryHeap<Reverse<(Duration, usize)>>,
    under_way: Vec<Option<UndoNews>>,
    busy: usize,
}

impl UndoHands<'_> {
    fn drive(mut self, fate: Fate) -> Result<Result<(), Dead>, String> {
        for turn in 0..MOST_TURNS {
            match fate {
                Fate::Kill(at) | Fate::PowerCut(at) if at == turn => return Ok(Err(Dead)),
                Fate::Signal(at) if at == turn => self.engine.stop(RequestStop::Signal),
                _ => {}
            }
            let alarm = match self.hand_out()? {
                Ok(Some(alarm)) => alarm,
                Ok(None) => return Ok(self.conclude()),
                Err(Dead) => return Ok(Err(Dead)),
            };
            let heard = self.news.peek().map(|Reverse((at, _))| *at);
            let Some(next) = [alarm, heard].into_iter().flatten().min() else {
                return Err("the undo waits for something that never comes".to_owned());
            };
            self.world.clock = self.world.clock.max(next);
            *self.clock.lock().expect("one thread") = self.world.clock;
            if self.world.clock - self.began > LONGEST {
                return Err(format!("the undo does not end within {LONGEST:?}"));
            }
            self.hear();
            if self.is_down() {
                return Ok(Err(Dead));
            }
        }
        Err(format!("the undo does not end within {MOST_TURNS} turns"))
    }

    fn now(&self) -> Duration {
        self.world.clock - self.began
    }

    fn is_down(&self) -> bool {
        // A process that is gone cannot even look at a folder.
        self.world.disk.list(&self.world.path).is_err()
    }

    /// Gives out what can be; until when there is nothing more, `None` at the end.
    fn hand_out(&mut self) -> Result<Result<Option<Option<Duration>>, Dead>, String> {
        loop {
            if self.busy >= self.world.workers {
                return Ok(Ok(Some(None)));
            }
            match self.engine.poll_next(self.now()) {
                NextRequest::Send(ticket) => {
                    self.watch.request(self.now())?;
                    let (at, news) = self.request(ticket);
                    if self.is_down() {
                        return Ok(Err(Dead));
                    }
                    self.busy += 1;
                    self.under_way.push(Some(news));
                    self.news.push(Reverse((at, self.under_way.len() - 1)));
                }
                NextRequest::Wait(at) => return Ok(Ok(Some(at.map(|at| self.began + at)))),
                NextRequest::End => return Ok(Ok(None)),
            }
        }
    }

    fn request(&mut self, mut ticket: RequestTicket<UndoJob>) -> (Duration, UndoNews) {
        let bad = self.world.is_bad();
        let work = self.work;
        self.world.tell(|| format!("{:?}", ticket.job));
        let SimWorld { server, random, clock, .. } = &mut *self.world;
        let (at, result) = match &mut ticket.job {
            UndoJob::List { record, reading } => {
                let reading = reading.get_or_insert_default();
                let record = work.records[*record as usize].id;
                let (at, answer) = server.list(random, *clock, bad, record, reading.next_page());
                (at, listed(answer.page_reply(SimServer::time(at)), reading))
            }
            UndoJob::Presence { row, .. } => {
                let (at, answer) = server.presence(random, *clock, bad, work.rows[*row as usize].attachment);
                let result = match answer.presence_reply(SimServer::time(at)) {
                    PresenceReply::Told { presence, .. } => Ok(UndoAnswer::Presence(presence)),
                    PresenceReply::Not(reply) => Err(Box::new(reply.into_kind())),
                };
                (at, result)
            }
            UndoJob::Delete { row, is_begun } => {
                let row = &work.rows[*row as usize];
                if !*is_begun && let Err(why) = self.journal.begin(row) {
                    let stop = passing(Verdict::Stop(StopBecause::Disk), &why);
                    return (*clock, UndoNews { ticket, result: Err(Box::new(stop)) });
                }
                *is_begun = true;
                let (at, answer) = server.delete(random, *clock, bad, row.attachment);
                let result = answer.delete_reply(row.attachment, SimServer::time(at));
                (at, result.map(|()| UndoAnswer::Deleted))
            }
        };
        (at, UndoNews { ticket, result })
    }

    fn hear(&mut self) {
        while let Some(Reverse((at, number))) = self.news.peek().copied()
            && at <= self.world.clock
        {
            self.news.pop();
            let Some(UndoNews { ticket, result }) = self.under_way[number].take() else { continue };
            self.busy -= 1;
            let now = self.now();
            match &result {
                Ok(_) => self.watch.answered(),
                Err(reply) => self.watch.heard(now, reply),
            }
            if let Some((job, outcome)) = self.engine.handle_reply(now, ticket, result, None) {
                self.world.tell(|| format!("{job:?}: {}", outcome.as_ref().err().map_or("done", |_| "not done")));
                self.undoing.handle(&mut self.engine, now, job, outcome);
            }
        }
    }

    fn conclude(self) -> Result<(), Dead> {
        let (_, left, _) = self.engine.into_parts();
        self.undoing.conclude(&left);
        Ok(())
    }
}

/// A page of a list as the client takes it in.
fn listed(page: PageReply, reading: &mut ListReading) -> Result<UndoAnswer, Box<Reply>> {
    match page {
        PageReply::Page { page, .. } => match reading.take(page) {
            Ok(listed) => Ok(UndoAnswer::List(listed)),
            Err(why) => Err(Box::new(passing(Verdict::Retry(RetryBecause::Passing), why))),
        },
        PageReply::AskAgain => Ok(UndoAnswer::List(None)),
        PageReply::Not(reply) => {
            *reading = ListReading::default();
            Err(Box::new(reply.into_kind()))
        }
    }
}

fn passing(verdict: Verdict, why: &str) -> Reply {
    Reply {
        verdict,
        code: String::new(),
        message: why.to_owned(),
        http_status: None,
        took: Duration::ZERO,
        retry_after: None,
        credits_left: None,
    }
}
