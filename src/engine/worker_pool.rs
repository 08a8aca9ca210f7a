//! Runs an engine for real: threads that ask it what to do, do it, and tell it what came of it.
//!
//! All that is waited for is waited for outside the engine's lock, but for one thing: a final line is handed to the
//! journal under it, so that an attachment is known as ours before anybody can list its record.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::ports::{Journal, Observer, RunEvent, Service, StopSignal};
use super::{
    Elapsed, Ended, Ending, Engine, JobId, JournalError, ListQuestion, ListResult, ListTicket, Next, RecordClaims,
    UploadResult, UploadTicket,
};
use crate::reply::{PageReply, PresenceReply, Reply, Verdict};
use crate::sync::{self, Condvar, Mutex, MutexGuard};

/// Rows whose lines are written at a time when the run is over.
const REST_AT_ONCE: usize = 1_000;

/// Whom the threads work with.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// Who sends.
    pub service: &'a dyn Service,
    /// Who remembers.
    pub journal: &'a dyn Journal,
    /// Who looks on.
    pub observer: &'a dyn Observer,
    /// Who may end it all.
    pub stop: &'a StopSignal,
}

impl Ports<'_> {
    /// A mistake in what is shown must cost no row.
    fn show(&self, at: Elapsed, event: RunEvent<'_>) {
        // The panic itself has been told by then.
        let _ = catch_unwind(AssertUnwindSafe(|| self.observer.event(at, event)));
    }
}

/// Runs the engine to its end with so many threads. Every row that it was made with comes out exactly once.
pub fn run(engine: Engine<'_>, threads: usize, ports: Ports<'_>) -> Ending {
    let pool = WorkerPool {
        ports,
        started: sync::now(),
        shared: Mutex::new(PoolState { engine, alarm: None, idle: 0 }),
        changed: Condvar::default(),
    };
    let work = || {
        // The listener must hear of the end even if a worker panics.
        let _released = Released(ports.stop);
        sync::crowd(threads, &|| pool.work());
    };
    sync::beside(|| pool.listen(), work);
    pool.close()
}

/// Where the threads meet.
struct WorkerPool<'a> {
    ports: Ports<'a>,
    started: Instant,
    shared: Mutex<PoolState<'a>>,
    changed: Condvar,
}

struct PoolState<'a> {
    engine: Engine<'a>,
    /// The earliest instant for which an idle thread has set its alarm. The others sleep until they are called, so
    /// that one instant wakes one thread.
    alarm: Option<Elapsed>,
    idle: usize,
}

/// What a thread is to do.
enum PoolWork {
    Upload(UploadTicket),
    List(ListTicket),
}

struct Released<'a>(&'a StopSignal);

impl Drop for Released<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl<'a> WorkerPool<'a> {
    fn work(&self) {
        while let Some(work) = self.ask() {
            match work {
                PoolWork::Upload(ticket) => {
                    let result = self.upload(&ticket);
                    self.tell(|engine, now| engine.handle_upload(now, ticket, result));
                }
                PoolWork::List(ticket) => {
                    let result = self.list(&ticket);
                    self.tell(|engine, now| engine.handle_list(now, ticket, result));
                }
            }
        }
    }

    /// Waits for the next thing to do; `None` when there will be none.
    fn ask(&self) -> Option<PoolWork> {
        let mut shared = self.lock();
        loop {
            let next = shared.engine.poll(self.now());
            self.pass_on_notices(&mut shared);
            let work = match next {
                Next::Upload(ticket) => PoolWork::Upload(ticket),
                Next::List(ticket) => PoolWork::List(ticket),
                Next::Wait(until) => {
                    shared = self.sleep(shared, until);
                    continue;
                }
                Next::End => {
                    self.changed.notify_all();
                    return None;
                }
            };
            // There may be more where that came from: whoever is called looks, and calls the next one.
            if shared.idle > 0 {
                self.changed.notify_one();
            }
            return Some(work);
        }
    }

    /// Sleeps until called, or until that instant if nobody else has set an alarm as early.
    fn sleep<'g>(
        &self,
        mut shared: MutexGuard<'g, PoolState<'a>>,
        until: Option<Elapsed>,
    ) -> MutexGuard<'g, PoolState<'a>> {
        shared.idle += 1;
        let until = until.filter(|until| shared.alarm.is_none_or(|alarm| *until < alarm));
        let mut shared = match until {
            Some(until) => {
                shared.alarm = Some(until);
                let wait = until.saturating_sub(self.now());
                self.changed.wait_timeout(shared, wait)
            }
            None => self.changed.wait(shared),
        };
        shared.idle -= 1;
        if until.is_some() && shared.alarm == until {
            shared.alarm = None;
        }
        shared
    }

    fn list(&self, ticket: &ListTicket) -> ListResult {
        let Ports { service, journal, .. } = self.ports;
        let job = ticket.job;
        let asking = || match &ticket.question {
            ListQuestion::Attachment(attachment) => ListResult::Presence(service.presence(job, *attachment)),
            ListQuestion::Page(page) => {
                let reply = service.page(job, page);
                // In this order: what was claimed while the page was on its way is on it, and must be known as ours. Today
                // nothing is claimed meanwhile, since no row of a record is on its way while the record is listed for its
                // rows in doubt (a rule that the simulation breaks to see it noticed); a list for another purpose settles
                // nothing. So claims that are read first would make no difference that a test could see, and this order
                // costs nothing.
                let claims = match &reply {
                    PageReply::Page { page, .. } if page.may_be_last() => journal.claims(job),
                    _ => Ok(RecordClaims::default()),
                };
                match claims {
                    Ok(claims) => ListResult::Page { reply, claims, clock: service.now().1 },
                    Err(why) => ListResult::ResultsFailed(why),
                }
            }
        };
        let result = catch_unwind(AssertUnwindSafe(asking)).unwrap_or(ListResult::Panicked);
        self.note_credits(&result);
        result
    }

    fn note_credits(&self, result: &ListResult) {
        let left = match result {
            ListResult::Page { reply: PageReply::Page { credits_left, .. }, .. }
            | ListResult::Presence(PresenceReply::Told { credits_left, .. }) => *credits_left,
            ListResult::Page { reply: PageReply::Not(reply), .. } | ListResult::Presence(PresenceReply::Not(reply)) => {
                reply.credits_left
            }
            _ => None,
        };
        if let Some(left) = left {
            self.show(RunEvent::Credits { left });
        }
    }

    fn upload(&self, ticket: &UploadTicket) -> UploadResult {
        let UploadTicket { job, announce, tries, .. } = *ticket;
        let Ports { service, journal, .. } = self.ports;
        self.show(RunEvent::Started { job });
        let mut sent_at = None;
        if announce {
            let (time, _) = service.now();
            match catch_unwind(AssertUnwindSafe(|| journal.begin(job, time, tries.saturating_sub(1)))) {
                Ok(Ok(())) => sent_at = Some(time),
                Ok(Err(why)) => return UploadResult::ResultsFailed(why),
                Err(_) => return UploadResult::Panicked { begun: false, sent_at },
            }
        }
        let sent = |bytes| self.show(RunEvent::Sent { job, bytes });
        match catch_unwind(AssertUnwindSafe(|| service.upload(job, &sent))) {
            Ok(reply) => {
                self.note_reply(job, &reply);
                let held = match &reply.verdict {
                    Verdict::Uploaded(created) => catch_unwind(AssertUnwindSafe(|| journal.holds(created.id))),
                    _ => Ok(Ok(false)),
                };
                // What cannot be looked up is not believed: the row is in doubt then. The answer must still be told, for its
                // attachment may be named once more, by something that repeats it to another request.
                let held = !matches!(held, Ok(Ok(false)));
                UploadResult::Replied { reply, sent_at, held }
            }
            Err(_) => UploadResult::Panicked { begun: true, sent_at },
        }
    }

    fn note_reply(&self, job: JobId, reply: &Reply) {
        if let Some(left) = reply.credits_left {
            self.show(RunEvent::Credits { left });
        }
        if matches!(reply.verdict, Verdict::Retry(_) | Verdict::InDoubt(_) | Verdict::StopInDoubt(_)) {
            self.show(RunEvent::Postponed { job, reply });
        }
    }

    fn tell(&self, handle: impl FnOnce(&mut Engine<'a>, Elapsed) -> Vec<Ended>) {
        let mut shared = self.lock();
        let mut all = handle(&mut shared.engine, self.now());
        let written: Vec<Result<(), JournalError>> =
            all.iter_mut().map(|ended| self.write(&mut shared, ended)).collect();
        self.pass_on_notices(&mut shared);
        drop(shared);
        for (ended, written) in all.iter().zip(&written) {
            let event = match written {
                Ok(()) => RunEvent::Ended(ended),
                Err(why) => RunEvent::Unwritten { ended, why },
            };
            self.show(event);
        }
    }

    fn write(&self, shared: &mut PoolState<'_>, ended: &mut Ended) -> Result<(), JournalError> {
        ended.outcome.finished_at = Some(self.ports.service.now().0);
        let written = self.ports.journal.finish(ended);
        if let Err(why) = &written {
            shared.engine.handle_results_failure(why);
        }
        written
    }

    /// Waits for a signal; gives what is under way its grace, then cuts it off.
    fn listen(&self) {
        if !self.ports.stop.wait() {
            return;
        }
        let mut shared = self.lock();
        shared.engine.handle_interrupt();
        self.pass_on_notices(&mut shared);
        drop(shared);
        self.changed.notify_all();
        if !self.ports.stop.wait_released() {
            self.ports.service.cut();
        }
    }

    /// Writes what the run did not get to, once the threads have gone home.
    fn close(self) -> Ending {
        let WorkerPool { ports, shared, started, .. } = self;
        let show = |event: RunEvent<'_>| ports.show(sync::now() - started, event);
        let PoolState { mut engine, .. } = shared.into_inner();
        let mut writable = true;
        loop {
            let mut rest = engine.poll_remaining(REST_AT_ONCE);
            if rest.is_empty() {
                break;
            }
            for ended in &mut rest {
                ended.outcome.finished_at = Some(ports.service.now().0);
                // A results file that is broken stays so: its own reader knows what to make of the rows without a line.
                if writable && let Err(why) = ports.journal.finish(ended) {
                    writable = false;
                    engine.handle_results_failure(&why);
                }
                show(RunEvent::Ended(ended));
            }
        }
        for notice in engine.poll_notices() {
            show(RunEvent::Notice(&notice));
        }
        engine.into_ending()
    }

    fn pass_on_notices(&self, shared: &mut PoolState<'_>) {
        for notice in shared.engine.poll_notices() {
            self.show(RunEvent::Notice(&notice));
        }
    }

    fn show(&self, event: RunEvent<'_>) {
        self.ports.show(self.now(), event);
    }

    fn now(&self) -> Elapsed {
        sync::now() - self.started
    }

    fn lock(&self) -> MutexGuard<'_, PoolState<'a>> {
        self.shared.lock()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::engine::policy::Backoff;
    use crate::engine::{Clock, Descriptor, Descriptors, Job, Policy, RecordIx, StopCause};
    use crate::listing::{ListPage, PageRequest};
    use crate::outcome::Status;
    use crate::reply::{AttachmentPresence, Created, DoubtBecause, RetryBecause, StopBecause};
    use crate::units::Rate;
    use crate::upload::ServiceId;

    /// A service in memory, that remembers in what order things were done.
    struct MemoryService<'a> {
        upload: &'a (dyn Fn(JobId) -> Reply + Sync),
        stop: StopSignal,
        /// Rows whose line is on the disk, and how their final lines said they ended.
        begun: Mutex<BTreeSet<JobId>>,
        finished: Mutex<BTreeMap<JobId, Status>>,
        sent: AtomicU32,
        busy: AtomicU32,
        busiest: AtomicU32,
        disk: AtomicU32,
        blind: AtomicBool,
        cut: (Mutex<bool>, Condvar),
        settle_time: Duration,
        /// Whether a row was put off.
        postponed: (Mutex<bool>, Condvar),
    }

    impl<'a> MemoryService<'a> {
        fn new(upload: &'a (dyn Fn(JobId) -> Reply + Sync)) -> MemoryService<'a> {
            MemoryService {
                upload,
                stop: StopSignal::with_grace(Duration::from_millis(20)),
                begun: Mutex::default(),
                finished: Mutex::default(),
                sent: AtomicU32::new(0),
                busy: AtomicU32::new(0),
                busiest: AtomicU32::new(0),
                disk: AtomicU32::new(u32::MAX),
                blind: AtomicBool::new(false),
                cut: (Mutex::new(false), Condvar::new()),
                settle_time: Duration::ZERO,
                postponed: (Mutex::new(false), Condvar::new()),
            }
        }

        fn run(&self, rows: u32, threads: usize) -> Ending {
            let jobs = (0..rows).map(|row| Job { module: 0, record: RecordIx(row), ambiguity_group: row }).collect();
            let policy = Policy {
                concurrency: u32::try_from(threads).expect("few"),
                rate: Rate::Unlimited,
                backoff: Backoff { base: Duration::from_micros(10), cap: Duration::from_millis(1) },
                settle_time: self.settle_time,
                ..Policy::default()
            };
            let engine = Engine::new(jobs, Vec::new(), &Nameless, policy);
            run(engine, threads, Ports { service: self, journal: self, observer: self, stop: &self.stop })
        }

        fn wait_for_the_cut(&self) {
            let (cut, changed) = &self.cut;
            let guard = cut.lock().expect("not poisoned");
            drop(changed.wait_while(guard, |cut| !*cut).expect("not poisoned"));
        }
    }

    impl MemoryService<'_> {
        fn wait_for_postponed(&self) {
            let (postponed, changed) = &self.postponed;
            let guard = postponed.lock().expect("not poisoned");
            drop(changed.wait_while(guard, |postponed| !*postponed).expect("not poisoned"));
        }
    }

    struct Nameless;

    impl Descriptors for Nameless {
        fn descriptor(&self, job: JobId) -> Descriptor<'_> {
            Descriptor { name: job.0.to_string().into(), size: Some(1), link: None }
        }
    }

    impl Service for MemoryService<'_> {
        fn upload(&self, job: JobId, sent: &(dyn Fn(u64) + Sync)) -> Reply {
            assert!(self.begun.lock().expect("not poisoned").contains(&job), "its line is on the disk");
            self.busiest.fetch_max(self.busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            self.sent.fetch_add(1, Ordering::SeqCst);
            sent(1);
            let reply = catch_unwind(AssertUnwindSafe(|| (self.upload)(job)));
            self.busy.fetch_sub(1, Ordering::SeqCst);
            reply.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        }

        fn page(&self, _job: JobId, _page: &PageRequest) -> PageReply {
            PageReply::Page { page: ListPage::default(), credits_left: None }
        }

        fn presence(&self, _job: JobId, _attachment: ServiceId) -> PresenceReply {
            PresenceReply::Told { presence: AttachmentPresence::There, credits_left: None }
        }

        fn now(&self) -> (Timestamp, Clock) {
            (Timestamp::UNIX_EPOCH, Clock::Service)
        }

        fn cut(&self) {
            *self.cut.0.lock().expect("not poisoned") = true;
            self.cut.1.notify_all();
        }
    }

    impl Journal for MemoryService<'_> {
        fn begin(&self, job: JobId, _sent_at: Timestamp, _tries: u32) -> Result<(), JournalError> {
            if self.disk.fetch_sub(1, Ordering::SeqCst) == 0 {
                return Err(JournalError::Unwritten("the disk is full".to_owned()));
            }
            self.begun.lock().expect("not poisoned").insert(job);
            Ok(())
        }

        fn finish(&self, ended: &Ended) -> Result<(), JournalError> {
            assert!(ended.outcome.finished_at.is_some());
            let before = self.finished.lock().expect("not poisoned").insert(ended.job, ended.outcome.status);
            assert_eq!(before, None, "a row ends once");
            Ok(())
        }

        fn claims(&self, _job: JobId) -> Result<RecordClaims, JournalError> {
            Ok(RecordClaims::default())
        }

        fn holds(&self, _attachment: ServiceId) -> Result<bool, JournalError> {
            Ok(false)
        }
    }

    impl Observer for MemoryService<'_> {
        fn event(&self, _at: Elapsed, event: RunEvent<'_>) {
            if matches!(event, RunEvent::Postponed { .. }) {
                *self.postponed.0.lock().expect("not poisoned") = true;
                self.postponed.1.notify_all();
            }
            if self.blind.load(Ordering::SeqCst) {
                std::panic::resume_unwind(Box::new("a mistake"));
            }
        }
    }

    fn reply(verdict: Verdict) -> Reply {
        Reply {
            verdict,
            code: String::new(),
            message: String::new(),
            http_status: None,
            took: Duration::ZERO,
            retry_after: None,
            credits_left: None,
        }
    }

    fn uploaded(job: JobId) -> Reply {
        reply(Verdict::Uploaded(Created { id: ServiceId::new(job.0.into()), time: None, by: None }))
    }

    #[test]
    fn every_row_ends_once_and_no_more_are_under_way_than_allowed() {
        let world = MemoryService::new(&uploaded);
        let ending = world.run(2_000, 8);
        assert_eq!(ending.counts.of(Status::Uploaded), 2_000);
        assert_eq!(world.finished.lock().expect("not poisoned").len(), 2_000);
        assert!(world.busiest.load(Ordering::SeqCst) <= 8);
    }

    #[test]
    fn one_thread_is_enough() {
        let world = MemoryService::new(&uploaded);
        assert_eq!(world.run(50, 1).counts.of(Status::Uploaded), 50);
    }

    #[test]
    fn answers_that_are_lost_now_and_then_are_settled_and_sent_again() {
        let lost = AtomicU32::new(0);
        let flaky = |job: JobId| match lost.fetch_add(1, Ordering::SeqCst) % 7 {
            3 => reply(Verdict::InDoubt(DoubtBecause::AnswerLost)),
            _ => uploaded(job),
        };
        let world = MemoryService::new(&flaky);
        let ending = world.run(200, 4);
        assert_eq!(ending.counts.of(Status::Uploaded) + ending.counts.of(Status::Failed), 200);
        assert!(ending.counts.of(Status::Uploaded) > 190);
    }

    #[test]
    fn a_panic_in_one_row_leaves_it_in_doubt_and_the_others_go_on() {
        let first = AtomicU32::new(0);
        let fragile = |job: JobId| {
            if job == JobId(5) && first.fetch_add(1, Ordering::SeqCst) == 0 {
                std::panic::resume_unwind(Box::new("a mistake"));
            }
            uploaded(job)
        };
        let world = MemoryService::new(&fragile);
        assert_eq!(world.run(40, 4).counts.of(Status::Uploaded), 40, "looked up, proved absent, and sent again");
        assert_eq!(world.sent.load(Ordering::SeqCst), 41);
    }

    #[test]
    fn a_panic_of_whoever_looks_on_costs_no_row() {
        let world = MemoryService::new(&uploaded);
        world.blind.store(true, Ordering::SeqCst);
        assert_eq!(world.run(50, 4).counts.of(Status::Uploaded), 50);
    }

    #[test]
    fn a_line_that_cannot_be_written_keeps_its_row_from_being_sent_and_stops_the_run() {
        let world = MemoryService::new(&uploaded);
        world.disk.store(10, Ordering::SeqCst);
        let ending = world.run(500, 4);
        assert_eq!(ending.stopped.map(|stopped| stopped.cause), Some(StopCause::Service(StopBecause::Disk)));
        assert_eq!(ending.counts.of(Status::Uploaded), world.sent.load(Ordering::SeqCst));
        assert_eq!(ending.counts.total(), 500);
    }

    #[test]
    fn a_signal_while_the_run_only_waits_ends_it_at_once() {
        const LONG: Duration = Duration::from_secs(600);
        // A pause that the service asked for, and the time that a lost answer is given to settle.
        let throttled = |_| Reply { retry_after: Some(LONG), ..reply(Verdict::Retry(RetryBecause::Throttled)) };
        let lost = |_| reply(Verdict::InDoubt(DoubtBecause::AnswerLost));
        for answer in [&throttled as &(dyn Fn(JobId) -> Reply + Sync), &lost] {
            let mut world = MemoryService::new(answer);
            world.stop = StopSignal::with_grace(LONG);
            world.settle_time = LONG;
            let ending = std::thread::scope(|scope| {
                let running = scope.spawn(|| world.run(1, 4));
                world.wait_for_postponed();
                world.stop.soft();
                running.join().expect("ends")
            });
            assert_eq!(ending.stopped.map(|stopped| stopped.cause), Some(StopCause::Signal));
            assert_eq!(ending.counts.total(), 1);
        }
    }

    #[test]
    fn a_signal_ends_the_run_and_cuts_off_what_outlasts_the_grace() {
        let world = std::sync::OnceLock::new();
        let stuck = |job: JobId| {
            if job != JobId(20) {
                return uploaded(job);
            }
            let world: &MemoryService<'_> = world.get().expect("is set");
            world.stop.soft();
            world.wait_for_the_cut();
            reply(Verdict::InDoubt(DoubtBecause::AnswerLost))
        };
        let world = world.get_or_init(|| MemoryService::new(&stuck));
        let ending = world.run(50_000, 4);
        assert_eq!(ending.stopped.map(|stopped| stopped.cause), Some(StopCause::Signal));
        assert_eq!(ending.counts.of(Status::InDoubt), 1);
        assert!(ending.counts.of(Status::NotSent) > 0);
        assert_eq!(ending.counts.total(), 50_000);
    }
}
