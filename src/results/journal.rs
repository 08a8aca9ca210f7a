//! The log for many threads: whoever needs a line on the disk waits for a sync that covers it, and one sync covers all
//! the lines that came together.
//!
//! There is no thread whose only work is writing: the first that has to wait writes and syncs for all that wait with it
//! (a sync costs as much processor time as a small upload, and so it is shared). One thread stands by for the lines for
//! which nobody waits.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::columns::Layout;
use super::disk::Disk;
use super::end::EndError;
use super::line::Line;
use super::log::{Batch, ResultsLog};
use super::log_error::LogError;
use crate::sync::{self, Condvar, Mutex, MutexGuard, Thread};
use crate::upload::{RecordId, ServiceId};

/// How long a line for which nobody waits may stay in memory: at a crash, so much is looked up at the service instead.
const LINGER: Duration = Duration::from_millis(50);

/// Syncs begin no closer together than this; lines that come in between share the next one. A sync costs as much
/// processor time as half an upload, whereas an upload to a real service takes hundreds of times this long. On a disk
/// that needs longer for a sync nobody waits for this, and neither does the first line after a quiet while.
///
/// Measured with 10,000 small uploads to a server that answers at once: without it a fifth more processor time, for
/// the syncs; with twice this pause it takes nearly twice as long and saves nothing, as processors that went idle have
/// to be woken.
const APART: Duration = Duration::from_millis(1);

/// A [`ResultsLog`] that threads share.
#[derive(Debug)]
pub struct GroupLog<D: Disk> {
    standby: Standby<D>,
    shared: Arc<GroupState<D>>,
}

/// The thread for lines for which nobody waits; it ends when this is dropped.
#[derive(Debug)]
struct Standby<D: Disk> {
    shared: Arc<GroupState<D>>,
    thread: Option<Thread>,
}

impl<D: Disk> Drop for Standby<D> {
    fn drop(&mut self) {
        self.shared.queue().closing = true;
        self.shared.standby.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been told by itself, and whoever waits for a line writes it himself.
            thread.join();
        }
    }
}

#[derive(Debug)]
struct GroupState<D: Disk> {
    queue: Mutex<Queue>,
    /// Told when a sync is done, or has failed.
    synced: Condvar,
    /// Told when there is something for the standby to do.
    standby: Condvar,
    /// Locked only by who leads, and never while `queue` is.
    log: Mutex<ResultsLog<D>>,
    layout: Layout,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Batch,
    /// An empty batch that keeps its room, to be exchanged for `waiting`.
    spare: Batch,
    /// Lines ever queued, and how many of them are on the disk.
    queued: u64,
    durable: u64,
    /// Whether somebody is writing.
    led: bool,
    /// When the last sync began.
    synced_at: Option<Instant>,
    standby_sleeps: bool,
    closing: bool,
    failed: Option<LogError>,
}

/// What the threads of a run do with the log.
pub trait SharedLog {
    /// The columns of the file.
    fn layout(&self) -> &Layout;

    /// Writes a line and returns once it is on the disk. After an error, here or elsewhere, the line may or may not be
    /// in the file, and nothing further is written.
    ///
    /// # Errors
    ///
    /// The line could not be written or made durable, or an earlier one could not.
    fn begin(&self, line: &Line) -> Result<(), LogError>;

    /// Writes a line soon, and has it on the disk soon after. Where nothing is written any more it is kept in memory all
    /// the same, for whoever saves what there is.
    ///
    /// # Errors
    ///
    /// Nothing is written any more, since an earlier line could not be.
    fn finish(&self, line: &Line) -> Result<(), LogError>;

    /// Every attachment that the file names for this record, and those of them that must be there, as far as the file
    /// knows.
    ///
    /// # Errors
    ///
    /// The file cannot be read again.
    fn claims(&self, record: RecordId) -> Result<(Vec<ServiceId>, Vec<ServiceId>), LogError>;

    /// Whether the file named this attachment for some row before this run began.
    ///
    /// # Errors
    ///
    /// The file cannot be read again.
    fn held_before(&self, attachment: ServiceId) -> Result<bool, LogError>;
}

impl<D: Disk> GroupLog<D> {
    /// Shares the log.
    ///
    /// # Errors
    ///
    /// The system starts no further thread.
    pub fn new(log: ResultsLog<D>) -> io::Result<GroupLog<D>> {
        let shared = Arc::new(GroupState {
            queue: Mutex::default(),
            synced: Condvar::default(),
            standby: Condvar::default(),
            layout: log.layout().clone(),
            log: Mutex::new(log),
        });
        let theirs = Arc::clone(&shared);
        let thread = sync::spawn("results", move || theirs.stand_by())?;
        let standby = Standby { shared: Arc::clone(&shared), thread: Some(thread) };
        Ok(GroupLog { standby, shared })
    }

    /// Returns once every line so far is on the disk.
    ///
    /// # Errors
    ///
    /// A line could not be written or made durable.
    pub fn flush(&self) -> Result<(), LogError> {
        let queue = self.shared.queue();
        let all = queue.queued;
        self.shared.wait_for(queue, all)
    }

    /// Writes what is left and gives the log back.
    ///
    /// # Errors
    ///
    /// A line could not be written or made durable. The error holds what is to be saved.
    pub fn close(self) -> Result<ResultsLog<D>, EndError<D>> {
        let flushed = self.flush();
        let GroupLog { standby, shared } = self;
        drop(standby);
        // The standby had the only other handle.
        let Some(GroupState { queue, log, .. }) = Arc::into_inner(shared) else {
            unreachable!("nobody but the standby shares the log, and it has ended")
        };
        let log = log.into_inner();
        let queue = queue.into_inner();
        match flushed {
            Ok(()) => Ok(log),
            Err(cause) => Err(log.ended(cause, queue.waiting)),
        }
    }
}

impl<D: Disk> SharedLog for GroupLog<D> {
    fn layout(&self) -> &Layout {
        &self.shared.layout
    }

    fn begin(&self, line: &Line) -> Result<(), LogError> {
        let mut queue = self.shared.queue();
        queue.check()?;
        queue.push(line, &self.shared.layout);
        let ours = queue.queued;
        self.shared.wait_for(queue, ours)
    }

    fn finish(&self, line: &Line) -> Result<(), LogError> {
        let mut queue = self.shared.queue();
        queue.push(line, &self.shared.layout);
        queue.check()?;
        if queue.standby_sleeps {
            self.shared.standby.notify_one();
        }
        Ok(())
    }

    fn claims(&self, record: RecordId) -> Result<(Vec<ServiceId>, Vec<ServiceId>), LogError> {
        self.flush()?;
        let mut log = self.shared.log();
        Ok((log.claimed(record)?, log.expected(record)?))
    }

    fn held_before(&self, attachment: ServiceId) -> Result<bool, LogError> {
        self.shared.log().held_before(attachment)
    }
}

impl<D: Disk> GroupState<D> {
    /// A thread that panicked while it held a lock cannot have left half a change: the queue is changed in steps that
    /// cannot fail, and the log refuses to go on after an error of its own.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock()
    }

    fn log(&self) -> MutexGuard<'_, ResultsLog<D>> {
        self.log.lock()
    }

    /// Returns once so many lines are on the disk; leads if nobody does.
    fn wait_for<'q>(&'q self, mut queue: MutexGuard<'q, Queue>, lines: u64) -> Result<(), LogError> {
        loop {
            if queue.durable >= lines {
                return Ok(());
            }
            queue.check()?;
            queue = if queue.led { self.synced.wait(queue) } else { self.lead(queue) };
        }
    }

    /// Writes and syncs all that is waiting, with the queue free for others meanwhile.
    fn lead<'q>(&'q self, mut queue: MutexGuard<'q, Queue>) -> MutexGuard<'q, Queue> {
        queue.led = true;
        let wait = queue.synced_at.map_or(Duration::ZERO, |at| APART.saturating_sub(sync::now() - at));
        if !wait.is_zero() {
            drop(queue);
            sync::sleep(wait);
            queue = self.queue();
        }
        queue.synced_at = Some(sync::now());
        let spare = std::mem::take(&mut queue.spare);
        let mut batch = std::mem::replace(&mut queue.waiting, spare);
        let upto = queue.queued;
        drop(queue);

        let write = || {
            let mut log = self.log();
            log.append_all(&batch).and_then(|()| log.sync())
        };
        // A mistake of ours in here must not leave the others waiting for ever.
        let mistake = |_| Err(LogError::OurMistake);
        let done = catch_unwind(AssertUnwindSafe(write)).unwrap_or_else(mistake);

        batch.clear();
        let mut queue = self.queue();
        queue.led = false;
        queue.spare = batch;
        match done {
            Ok(()) => queue.durable = upto,
            Err(error) => queue.failed = Some(error),
        }
        // Whoever is called wants the queue at once.
        drop(queue);
        self.synced.notify_all();
        self.queue()
    }

    /// Sees to the lines for which nobody waits.
    fn stand_by(&self) {
        let mut queue = self.queue();
        while !queue.closing && queue.failed.is_none() {
            if queue.durable == queue.queued {
                queue.standby_sleeps = true;
                queue = self.standby.wait(queue);
                queue.standby_sleeps = false;
                continue;
            }
            let due = queue.queued;
            let until = sync::now() + LINGER;
            while !queue.closing && sync::now() < until {
                queue = self.standby.wait_timeout(queue, until - sync::now());
            }
            // Most often a line that somebody waited for has taken these with it.
            if queue.durable < due && !queue.led && !queue.closing {
                queue = self.lead(queue);
            }
        }
    }
}

impl Queue {
    fn push(&mut self, line: &Line, layout: &Layout) {
        self.waiting.push(line, layout);
        self.queued += 1;
    }

    fn check(&self) -> Result<(), LogError> {
        self.failed.clone().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Barrier;

    use super::super::disk::RealDisk;
    use super::super::tests::{PATH, TestManifest, line, options, sent};
    use super::super::{hold, look};
    use super::*;
    use crate::outcome::Status;
    use crate::simulation::disk::SimDisk;
    use crate::upload::RowKey;

    fn begun<D: Disk>(disk: D, path: &Path, manifest: &TestManifest) -> GroupLog<D> {
        let log = hold(disk, path, &options()).expect("free").begin(manifest).expect("begins");
        GroupLog::new(log).expect("a thread")
    }

    #[test]
    fn many_threads_write_one_sound_file() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("a.results.csv");
        let manifest = TestManifest::of(0..400);
        let log = begun(RealDisk, &path, &manifest);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let log = &log;
                scope.spawn(move || {
                    for key in (thread..400).step_by(8) {
                        log.begin(&sent(key, 5)).expect("begun");
                        log.finish(&line(key, Status::Uploaded)).expect("finished");
                    }
                });
            }
        });
        let seen = look(RealDisk, &path, &options()).expect("readable while it is written");
        assert_eq!(seen.history().len(), 400);
        let totals = log.close().expect("closed").compact(&manifest).expect("compacted").totals;
        assert_eq!(totals.rows.of(Status::Uploaded), 400);
    }

    #[test]
    fn a_line_that_began_survives_a_loss_of_power() {
        for seed in 0..20 {
            let disk = SimDisk::default();
            let log = begun(disk.clone(), Path::new(PATH), &TestManifest::of([1, 2]));
            log.begin(&sent(1, 5)).expect("begun");
            disk.lose_power(&mut fastrand::Rng::with_seed(seed));
            let seen = look(disk.clone(), Path::new(PATH), &options()).expect("sound");
            assert_eq!(seen.history().status(RowKey(1)), Some(Status::Sending));
        }
    }

    #[test]
    fn a_line_for_which_nobody_waits_gets_to_the_disk_by_itself() {
        let disk = SimDisk::default();
        let log = begun(disk.clone(), Path::new(PATH), &TestManifest::of([1]));
        log.finish(&line(1, Status::Uploaded)).expect("queued");
        let begun = Instant::now();
        while memchr::memmem::find(&disk.contents(Path::new(PATH)).unwrap_or_default(), b"uploaded").is_none() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the line never came");
            std::thread::yield_now();
        }
        drop(log.close().expect("closed"));
    }

    #[test]
    fn a_mistake_of_ours_while_writing_lets_nobody_wait_for_ever() {
        let disk = SimDisk::default();
        let log = begun(disk.clone(), Path::new(PATH), &TestManifest::of(0..8));
        disk.panic_at(disk.operations());
        std::thread::scope(|scope| {
            for key in 0..8 {
                let log = &log;
                scope.spawn(move || assert!(log.begin(&sent(key, 5)).is_err()));
            }
        });
        assert!(log.flush().is_err() && log.close().is_err());
    }

    #[test]
    fn after_a_failed_write_nobody_is_told_that_a_line_is_safe() {
        let disk = SimDisk::default();
        let log = begun(disk.clone(), Path::new(PATH), &TestManifest::of(0..8));
        // Writing works, syncing fails: the lines may or may not survive.
        disk.fail_at(disk.operations() + 1);
        let together = Barrier::new(8);
        std::thread::scope(|scope| {
            for key in 0..8 {
                let (log, together) = (&log, &together);
                scope.spawn(move || {
                    together.wait();
                    assert!(log.begin(&sent(key, 5)).is_err());
                });
            }
        });
        let operations = disk.operations();
        assert!(
            log.begin(&sent(1, 5)).is_err() && log.finish(&line(2, Status::Failed)).is_err() && log.flush().is_err()
        );
        assert!(log.close().is_err());
        assert_eq!(disk.operations(), operations, "no sync is tried again");
    }
}
