//! The log for many threads: whoever needs a line on the disk waits for a sync that covers it, and one sync covers all
//! the lines that came together.
//!
//! There is no thread whose only work is writing: the first that has to wait writes and syncs for all that wait with it
//! (a sync costs as much processor time as a small upload, and so it is shared). One thread stands by for the lines for
//! which nobody waits.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::disk::Disk;
use super::line::{Layout, Line};
use super::log::{Batch, Log};
use crate::upload::{RecordId, ServiceId};

/// How long a line for which nobody waits may stay in memory: at a crash, so much is looked up at the service instead.
const LINGER: Duration = Duration::from_millis(50);

/// A [`Log`] that threads share.
#[derive(Debug)]
pub struct GroupLog<D: Disk> {
    shared: Arc<Shared<D>>,
    standby: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared<D: Disk> {
    queue: Mutex<Queue>,
    /// Told when a sync is done, or has failed.
    synced: Condvar,
    /// Told when there is something for the standby to do.
    standby: Condvar,
    /// Locked only by who leads, and never while `queue` is.
    log: Mutex<Log<D>>,
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
    standby_sleeps: bool,
    closing: bool,
    failed: Option<String>,
}

impl<D: Disk> GroupLog<D> {
    /// Shares the log.
    pub fn new(log: Log<D>) -> io::Result<GroupLog<D>> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            synced: Condvar::new(),
            standby: Condvar::new(),
            layout: log.layout().clone(),
            log: Mutex::new(log),
        });
        let theirs = Arc::clone(&shared);
        let standby = std::thread::Builder::new().name("results".to_owned()).spawn(move || theirs.stand_by())?;
        Ok(GroupLog { shared, standby })
    }

    /// Writes a line and returns once it is on the disk. After an error, here or elsewhere, the line may or may not be
    /// in the file, and nothing further is written.
    pub fn begin(&self, line: &Line) -> io::Result<()> {
        let (queue, ours) = self.shared.enqueue(line)?;
        self.shared.wait_for(queue, ours)
    }

    /// Writes a line soon, and has it on the disk soon after.
    pub fn finish(&self, line: &Line) -> io::Result<()> {
        let (queue, _) = self.shared.enqueue(line)?;
        if queue.standby_sleeps {
            self.shared.standby.notify_one();
        }
        Ok(())
    }

    /// Returns once every line so far is on the disk.
    pub fn flush(&self) -> io::Result<()> {
        let queue = self.shared.queue();
        let all = queue.queued;
        self.shared.wait_for(queue, all)
    }

    /// Every attachment that the file names for this record.
    pub fn claimed(&self, record: RecordId) -> io::Result<Vec<ServiceId>> {
        self.flush()?;
        self.shared.log().claimed(record)
    }

    /// Writes what is left and gives the log back.
    pub fn close(self) -> io::Result<Log<D>> {
        let flushed = self.flush();
        self.shared.queue().closing = true;
        self.shared.standby.notify_one();
        let stopped = self.standby.join();
        flushed?;
        let shared = Arc::into_inner(self.shared).filter(|_| stopped.is_ok());
        let shared = shared.ok_or_else(|| io::Error::other("the thread that writes the results has failed"))?;
        Ok(shared.log.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<D: Disk> Shared<D> {
    /// A thread that panicked while it held a lock cannot have left half a change: the queue is changed in steps that
    /// cannot fail, and the log refuses to go on after an error of its own.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> MutexGuard<'_, Log<D>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, line: &Line) -> io::Result<(MutexGuard<'_, Queue>, u64)> {
        let mut queue = self.queue();
        queue.check()?;
        queue.waiting.push(line, &self.layout);
        queue.queued += 1;
        let ours = queue.queued;
        Ok((queue, ours))
    }

    /// Returns once so many lines are on the disk; leads if nobody does.
    fn wait_for<'q>(&'q self, mut queue: MutexGuard<'q, Queue>, lines: u64) -> io::Result<()> {
        loop {
            if queue.durable >= lines {
                return Ok(());
            }
            queue.check()?;
            queue = if queue.led {
                self.synced.wait(queue).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.lead(queue)
            };
        }
    }

    /// Writes and syncs all that is waiting, with the queue free for others meanwhile.
    fn lead<'q>(&'q self, mut queue: MutexGuard<'q, Queue>) -> MutexGuard<'q, Queue> {
        queue.led = true;
        let spare = std::mem::take(&mut queue.spare);
        let mut batch = std::mem::replace(&mut queue.waiting, spare);
        let upto = queue.queued;
        drop(queue);

        let mut log = self.log();
        let done = log.append_all(&batch).and_then(|()| log.sync());
        drop(log);

        batch.clear();
        let mut queue = self.queue();
        queue.led = false;
        queue.spare = batch;
        match done {
            Ok(()) => queue.durable = upto,
            Err(error) => queue.failed = Some(error.to_string()),
        }
        self.synced.notify_all();
        queue
    }

    /// Sees to the lines for which nobody waits.
    fn stand_by(&self) {
        let mut queue = self.queue();
        while !queue.closing && queue.failed.is_none() {
            if queue.durable == queue.queued {
                queue.standby_sleeps = true;
                queue = self.standby.wait(queue).unwrap_or_else(PoisonError::into_inner);
                queue.standby_sleeps = false;
                continue;
            }
            let due = queue.queued;
            let waited = self.standby.wait_timeout_while(queue, LINGER, |queue| !queue.closing);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
            // Most often a line that somebody waited for has taken these with it.
            if queue.durable < due && !queue.led && !queue.closing {
                queue = self.lead(queue);
            }
        }
    }
}

impl Queue {
    fn check(&self) -> io::Result<()> {
        match &self.failed {
            Some(why) => Err(io::Error::other(why.clone())),
            None => Ok(()),
        }
    }
}
