//! How the threads of a run meet: locks, waking each other, time, and their beginning and end.
//!
//! Everything that [`worker_pool`](crate::engine::worker_pool) and the [`journal`](crate::results) do with threads goes
//! through here. In the program these are the system's own; under test a scheduler may stand in their place that decides
//! who goes on at every step, and what time it is, from one number (`simulated`).

#[cfg(test)]
pub(crate) mod simulated;
mod system;

#[cfg(test)]
pub(crate) use simulated::{Condvar, Mutex, MutexGuard, Thread, beside, crowd, now, sleep, spawn};
#[cfg(not(test))]
pub(crate) use system::{Condvar, Mutex, MutexGuard, Thread, beside, crowd, now, sleep, spawn};
