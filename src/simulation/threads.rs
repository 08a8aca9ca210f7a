//! The worker pool and the threaded log as the program has them, under a scheduler that draws who goes on at every lock,
//! every wait and every operation on the disk.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::mistakes::{self, Mistake};
use super::process::{Dead, Fate, lock};
use super::server::SimServer;
use super::service_watch::ServiceWatch;
use super::wire::WireAnswer;
use super::wishes::Wish;
use super::world::SimWorld;
use crate::cli::run::ports::ResultsJournal;
use crate::engine::ports::{Observer, RunEvent};
use crate::engine::worker_pool::{self, Ports};
use crate::engine::{Clock, Elapsed, Ended, Engine, JobId, Journal, JournalError, RecordClaims, Service, StopSignal};
use crate::listing::PageRequest;
use crate::plan::Plan;
use crate::reply::{PageReply, PresenceReply, Reply};
use crate::results::GroupLog;
use crate::simulation::disk::SimDisk;
use crate::sync;
use crate::sync::simulated::elapsed;
use crate::upload::ServiceId;

/// Does the work of a run. `Dead`: the process has ended before its time, or cannot write its results any more.
pub(super) fn work(
    world: &Mutex<SimWorld>,
    plan: &Plan,
    journal: &ResultsJournal<'_, GroupLog<SimDisk>>,
    engine: Engine<'_>,
    fate: Fate,
) -> Result<Result<(), Dead>, String> {
    let (began, workers, wishes, settings) = {
        let world = lock(world);
        // The preparations took no time.
        let began = world.clock.saturating_sub(elapsed());
        (began, world.workers, world.rows().cloned().collect(), world.settings_of_the_run())
    };
    let stop = StopSignal::default();
    let floor = Floor {
        world,
        plan,
        journal,
        wishes,
        fate,
        stop: &stop,
        began,
        state: Mutex::new(FloorState {
            steps: 0,
            died: None,
            watch: ServiceWatch::new(&settings),
            broken: None,
            ended: vec![0; plan.jobs().len()],
            late: HashMap::new(),
        }),
    };
    let ports = Ports { service: &floor, journal: &floor, observer: &floor, stop: &stop };
    let ending = worker_pool::run(engine, workers, ports);
    let state = floor.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut world = lock(world);
    let end = state.died.unwrap_or(began + elapsed());
    world.clock = world.clock.max(end);
    if state.died.is_some() || world.disk.is_down() {
        return Ok(Err(Dead));
    }
    if let Some(broken) = state.broken {
        return Err(broken);
    }
    if ending.counts.total() as usize != plan.jobs().len() {
        return Err(format!("{} jobs, but the ending counts {:?}", plan.jobs().len(), ending.counts));
    }
    // Once a line could not be written, those after it are not even tried.
    let unwritten = matches!(fate, Fate::DiskFails(_) | Fate::Meddled { .. });
    if let Some(job) = state.ended.iter().position(|times| *times != 1)
        && !unwritten
    {
        return Err(format!("job {job} was written {} times", state.ended[job]));
    }
    Ok(Ok(()))
}

/// Whom the workers work with. Nothing here is locked while another thread may go on.
struct Floor<'a> {
    world: &'a Mutex<SimWorld>,
    plan: &'a Plan,
    journal: &'a ResultsJournal<'a, GroupLog<SimDisk>>,
    /// The wishes of the manifest, row by row.
    wishes: Vec<Wish>,
    fate: Fate,
    stop: &'a StopSignal,
    /// The time of the world when the scheduler began.
    began: Duration,
    state: Mutex<FloorState>,
}

struct FloorState {
    /// Requests that began or ended.
    steps: u32,
    /// When the process was killed: what its threads do from then on is done by nobody.
    died: Option<Duration>,
    watch: ServiceWatch,
    /// The first limit that was not kept.
    broken: Option<String>,
    /// How often each job's final line was written.
    ended: Vec<u32>,
    /// Final lines that are written too late, by mistake.
    late: HashMap<JobId, Ended>,
}

impl Floor<'_> {
    fn state(&self) -> MutexGuard<'_, FloorState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clock(&self) -> Duration {
        self.began + elapsed()
    }

    /// A request begins or ends. `Err`: there is no process any more.
    fn step(&self) -> Result<(), Dead> {
        let step = {
            let mut state = self.state();
            state.steps += 1;
            state.steps - 1
        };
        match self.fate {
            Fate::Kill(at) | Fate::PowerCut(at) if at == step => lock(self.world).disk.end_process(),
            Fate::Signal(at) if at == step => self.stop.soft(),
            _ => {}
        }
        if !lock(self.world).disk.is_down() {
            return Ok(());
        }
        let now = self.clock();
        self.state().died.get_or_insert(now);
        Err(Dead)
    }

    /// A request reaches the service.
    fn request(&self) -> Result<(), Dead> {
        self.step()?;
        let now = elapsed();
        let mut state = self.state();
        if let Err(broken) = state.watch.request_of_thread(now) {
            state.broken.get_or_insert(broken);
        }
        Ok(())
    }

    /// Asks the service something that changes nothing.
    fn ask(
        &self,
        ask: impl FnOnce(&mut SimServer, &mut fastrand::Rng, Duration, bool) -> (Duration, WireAnswer),
    ) -> WireAnswer {
        if self.request().is_err() {
            return SimServer::unreachable();
        }
        let now = self.clock();
        let (at, answer) = {
            let mut world = lock(self.world);
            let bad = world.is_bad();
            world.clock = world.clock.max(now);
            let SimWorld { server, random, .. } = &mut *world;
            ask(server, random, now, bad)
        };
        self.wait_until(at);
        self.state().watch.answered();
        // Whether the process is still there makes no difference to who has heard.
        let _ = self.step();
        answer
    }

    fn wait_until(&self, at: Duration) {
        let now = self.clock();
        if at > now {
            sync::sleep(at - now);
        }
    }
}

impl Service for Floor<'_> {
    fn upload(&self, job: JobId, _sent: &(dyn Fn(u64) + Sync)) -> Reply {
        let row = self.plan.row(job).expect("only rows of the manifest are sent");
        let wish = &self.wishes[row.0 as usize];
        if self.request().is_err() {
            return SimServer::unreachable().upload_reply(wish.source_kind(), SimServer::time(self.clock()));
        }
        let now = self.clock();
        let (at, answer) = {
            let mut world = lock(self.world);
            let bad = world.is_bad();
            world.clock = world.clock.max(now);
            let SimWorld { server, random, .. } = &mut *world;
            server.upload(random, now, bad, wish)
        };
        if let Some(content) = wish.content() {
            self.journal.contents.note(job, content);
        }
        self.wait_until(at);
        let reply = answer.upload_reply(wish.source_kind(), SimServer::time(self.clock()));
        self.state().watch.answered();
        // Whether the process is still there makes no difference to who has heard.
        let _ = self.step();
        reply
    }

    fn page(&self, job: JobId, page: &PageRequest) -> PageReply {
        let (_, record) = self.plan.record(job).expect("a job of the plan");
        let ask =
            |server: &mut SimServer, random: &mut fastrand::Rng, now, bad| server.list(random, now, bad, record, page);
        self.ask(ask).page_reply(SimServer::time(self.clock()))
    }

    fn presence(&self, _job: JobId, attachment: ServiceId) -> PresenceReply {
        let ask = |server: &mut SimServer, random: &mut fastrand::Rng, now, bad| {
            server.presence(random, now, bad, attachment)
        };
        self.ask(ask).presence_reply(SimServer::time(self.clock()))
    }

    fn now(&self) -> (Timestamp, Clock) {
        let now = self.clock();
        let world = lock(self.world);
        (world.server.client_time(now), world.server.client_clock())
    }

    fn cut(&self) {}
}

impl Journal for Floor<'_> {
    fn begin(&self, job: JobId, sent_at: Timestamp, tries: u32) -> Result<(), JournalError> {
        self.journal.begin(job, sent_at, tries)
    }

    fn finish(&self, ended: &Ended) -> Result<(), JournalError> {
        self.state().ended[ended.job.0 as usize] += 1;
        if mistakes::is_made(Mistake::FinishesAfterTheLock) {
            self.state().late.insert(ended.job, ended.clone());
            return Ok(());
        }
        self.journal.finish(ended)
    }

    fn claims(&self, job: JobId) -> Result<RecordClaims, JournalError> {
        self.journal.claims(job)
    }

    fn holds(&self, attachment: ServiceId) -> Result<bool, JournalError> {
        self.journal.holds(attachment)
    }
}

impl Observer for Floor<'_> {
    fn event(&self, _at: Elapsed, event: RunEvent<'_>) {
        if let RunEvent::Ended(ended) = event {
            lock(self.world).tell(|| format!("{:?} has ended: {:?}", ended.job, ended.outcome));
            let late = self.state().late.remove(&ended.job);
            if let Some(late) = late {
                // The pool has let go of the engine by now, and others have time to be given something to do.
                sync::sleep(Duration::from_secs(3));
                let _ = self.journal.finish(&late);
            }
        }
    }
}
