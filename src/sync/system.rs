//! The system's own threads and locks.
//!
//! No lock is ever poisoned: whoever changes what a lock guards does so in steps that cannot fail half-way.

use std::io;
use std::sync::PoisonError;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A value for one thread at a time.
#[derive(Default, Debug)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

pub(crate) type MutexGuard<'a, T> = std::sync::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Mutex<T> {
        Mutex(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets threads wait for each other. One may wake up without being called.
#[derive(Default, Debug)]
pub(crate) struct Condvar(std::sync::Condvar);

impl Condvar {
    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits to be called, but not longer than this.
    pub(crate) fn wait_timeout<'a, T>(&self, guard: MutexGuard<'a, T>, most: Duration) -> MutexGuard<'a, T> {
        self.0.wait_timeout(guard, most).unwrap_or_else(PoisonError::into_inner).0
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// A thread that was begun and is waited for.
#[derive(Debug)]
pub(crate) struct Thread(JoinHandle<()>);

impl Thread {
    /// Waits for its end. If it panicked, it has said so by itself.
    pub(crate) fn join(self) {
        let _ = self.0.join();
    }
}

/// Begins a thread.
///
/// # Errors
///
/// When the system has none left.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Thread> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(Thread)
}

/// Does the one thing in a thread of its own and the other in this one, and returns when both are done.
pub(crate) fn beside(aside: impl FnOnce() + Send, here: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        scope.spawn(aside);
        here();
    });
}

/// Does the same in so many threads at once, in fewer if the system gives no more, and in the end alone; returns when
/// all are done.
pub(crate) fn crowd(threads: usize, work: &(dyn Fn() + Sync)) {
    let mut threads = threads.max(1);
    while threads > 1 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|at| format!("upload-{at}"));
        match pool.build() {
            Ok(pool) => {
                pool.broadcast(|_| work());
                return;
            }
            Err(_) => threads /= 2,
        }
    }
    work();
}

/// The time, on a clock that never goes back.
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn sleep(time: Duration) {
    std::thread::sleep(time);
}
