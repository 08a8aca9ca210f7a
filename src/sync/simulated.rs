//! Threads that shuttle schedules, and a clock that only goes on when it is told to.
//!
//! Within [`run`] every lock, every wait and every step of the disk is a point where another thread may go on; which one
//! is drawn from a number. Shuttle knows no time, so that a thread of its own is the clock: it wakes who waits for the
//! next instant and calls that instant now, sometimes while others could still do something, as on a machine that is
//! busy. A thread that waits for nothing that will ever come is reported by shuttle as a deadlock. Outside of [`run`] all
//! this is what the system has.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::system;

thread_local! {
    /// The clock of the simulation that runs on this thread of the system, if one does: shuttle's threads all run on one.
    static CLOCK: RefCell<Option<ThreadClock>> = const { RefCell::new(None) };
}

/// The time, and who waits for which.
struct ThreadClock {
    began: Instant,
    now: Duration,
    /// Who is to be woken when, each under a number of its own.
    alarms: BTreeMap<(Duration, u64), Arc<Sleeper>>,
    numbers: u64,
    /// The clock's own thread, while no alarm is set.
    idle: Option<shuttle::thread::Thread>,
    over: bool,
    random: fastrand::Rng,
}

/// A thread that waits.
struct Sleeper {
    woken: AtomicBool,
    thread: shuttle::thread::Thread,
}

impl Sleeper {
    fn this_thread() -> Arc<Sleeper> {
        Arc::new(Sleeper { woken: AtomicBool::new(false), thread: shuttle::thread::current() })
    }

    fn wake(&self) {
        self.woken.store(true, Ordering::Relaxed);
        self.thread.unpark();
    }

    fn sleep(&self) {
        while !self.woken.load(Ordering::Relaxed) {
            shuttle::thread::park();
        }
    }
}

fn is_simulated() -> bool {
    CLOCK.with_borrow(Option::is_some)
}

fn with_clock<T>(work: impl FnOnce(&mut ThreadClock) -> T) -> T {
    CLOCK.with_borrow_mut(|clock| work(clock.as_mut().expect("a simulation is under way")))
}

/// Runs this under the scheduler, from this number. Panics where it panics, and where a thread waits for ever.
pub(crate) fn run(seed: u64, work: impl Fn() + Send + Sync + 'static) {
    let scheduler = shuttle::scheduler::RandomScheduler::new_from_seed(seed, 1);
    let mut config = shuttle::Config::new();
    config.stack_size = 8 << 20;
    config.failure_persistence = shuttle::FailurePersistence::None;
    config.max_steps = shuttle::MaxSteps::FailAfter(4_000_000);
    let whole = move || {
        CLOCK.set(Some(ThreadClock {
            began: Instant::now(),
            now: Duration::ZERO,
            alarms: BTreeMap::new(),
            numbers: 0,
            idle: None,
            over: false,
            random: fastrand::Rng::with_seed(seed),
        }));
        let clock = shuttle::thread::spawn(tick);
        work();
        with_clock(|clock| {
            clock.over = true;
            clock.idle.take()
        })
        .inspect(shuttle::thread::Thread::unpark);
        clock.join().expect("the clock cannot fail");
        CLOCK.set(None);
    };
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        shuttle::Runner::new(scheduler, config).run(whole);
    }));
    CLOCK.set(None);
    if let Err(panic) = ran {
        std::panic::resume_unwind(panic);
    }
}

/// The clock's own thread.
fn tick() {
    loop {
        // Most of the time the others get on before time does.
        for _ in 0..with_clock(|clock| clock.random.u8(..24)) {
            shuttle::thread::yield_now();
        }
        let next = with_clock(|clock| {
            if clock.over {
                return None;
            }
            let alarm = clock.alarms.pop_first();
            match &alarm {
                Some(((at, _), _)) => clock.now = clock.now.max(*at),
                None => clock.idle = Some(shuttle::thread::current()),
            }
            Some(alarm)
        });
        match next {
            None => return,
            Some(Some((_, sleeper))) => sleeper.wake(),
            Some(None) => shuttle::thread::park(),
        }
    }
}

/// Wakes the sleeper after this time; gives the number of the alarm.
fn set_alarm(after: Duration, sleeper: &Arc<Sleeper>) -> (Duration, u64) {
    let (alarm, idle) = with_clock(|clock| {
        clock.numbers += 1;
        let alarm = (clock.now + after, clock.numbers);
        clock.alarms.insert(alarm, Arc::clone(sleeper));
        (alarm, clock.idle.take())
    });
    idle.inspect(shuttle::thread::Thread::unpark);
    alarm
}

/// A point where another thread may go on.
pub(crate) fn yield_now() {
    if is_simulated() {
        shuttle::thread::yield_now();
    }
}

/// How much time has gone by in the simulation.
pub(crate) fn elapsed() -> Duration {
    with_clock(|clock| clock.now)
}

pub(crate) fn now() -> Instant {
    if is_simulated() { with_clock(|clock| clock.began + clock.now) } else { system::now() }
}

pub(crate) fn sleep(time: Duration) {
    if !is_simulated() {
        return system::sleep(time);
    }
    let sleeper = Sleeper::this_thread();
    set_alarm(time, &sleeper);
    sleeper.sleep();
}

/// See [`system::Mutex`].
pub(crate) enum Mutex<T> {
    System(system::Mutex<T>),
    Simulated(shuttle::sync::Mutex<T>),
}

pub(crate) enum MutexGuard<'a, T> {
    System(system::MutexGuard<'a, T>),
    Simulated(&'a shuttle::sync::Mutex<T>, shuttle::sync::MutexGuard<'a, T>),
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Mutex<T> {
        if is_simulated() {
            Mutex::Simulated(shuttle::sync::Mutex::new(value))
        } else {
            Mutex::System(system::Mutex::new(value))
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        match self {
            Mutex::System(mutex) => MutexGuard::System(mutex.lock()),
            Mutex::Simulated(mutex) => simulated_lock(mutex),
        }
    }

    pub(crate) fn into_inner(self) -> T {
        match self {
            Mutex::System(mutex) => mutex.into_inner(),
            Mutex::Simulated(mutex) => mutex.into_inner().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

fn simulated_lock<T>(mutex: &shuttle::sync::Mutex<T>) -> MutexGuard<'_, T> {
    MutexGuard::Simulated(mutex, mutex.lock().unwrap_or_else(PoisonError::into_inner))
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex")
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            MutexGuard::System(guard) => guard,
            MutexGuard::Simulated(_, guard) => guard,
        }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        match self {
            MutexGuard::System(guard) => guard,
            MutexGuard::Simulated(_, guard) => guard,
        }
    }
}

/// See [`system::Condvar`]. Shuttle's own knows no time, so who waits here is parked.
#[derive(Default)]
pub(crate) struct Condvar {
    system: system::Condvar,
    sleepers: std::sync::Mutex<Vec<Arc<Sleeper>>>,
}

impl Condvar {
    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        match guard {
            MutexGuard::System(guard) => MutexGuard::System(self.system.wait(guard)),
            MutexGuard::Simulated(mutex, guard) => self.sleep(mutex, guard, None),
        }
    }

    pub(crate) fn wait_timeout<'a, T>(&self, guard: MutexGuard<'a, T>, most: Duration) -> MutexGuard<'a, T> {
        match guard {
            MutexGuard::System(guard) => MutexGuard::System(self.system.wait_timeout(guard, most)),
            MutexGuard::Simulated(mutex, guard) => self.sleep(mutex, guard, Some(most)),
        }
    }

    fn sleep<'a, T>(
        &self,
        mutex: &'a shuttle::sync::Mutex<T>,
        guard: shuttle::sync::MutexGuard<'a, T>,
        most: Option<Duration>,
    ) -> MutexGuard<'a, T> {
        let sleeper = Sleeper::this_thread();
        self.sleepers().push(Arc::clone(&sleeper));
        let alarm = most.map(|most| set_alarm(most, &sleeper));
        drop(guard);
        sleeper.sleep();
        self.sleepers().retain(|other| !Arc::ptr_eq(other, &sleeper));
        if let Some(alarm) = alarm {
            with_clock(|clock| clock.alarms.remove(&alarm));
        }
        simulated_lock(mutex)
    }

    fn sleepers(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Sleeper>>> {
        // Never held while another thread may go on.
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn notify_one(&self) {
        if !is_simulated() {
            return self.system.notify_one();
        }
        let sleeper = {
            let mut sleepers = self.sleepers();
            // Whom the alarm woke already may still stand here, and no call is lost on him.
            sleepers.retain(|sleeper| !sleeper.woken.load(Ordering::Relaxed));
            let count = sleepers.len();
            (count > 0).then(|| sleepers.swap_remove(with_clock(|clock| clock.random.usize(..count))))
        };
        sleeper.inspect(|sleeper| sleeper.wake());
    }

    pub(crate) fn notify_all(&self) {
        if !is_simulated() {
            return self.system.notify_all();
        }
        let sleepers = std::mem::take(&mut *self.sleepers());
        sleepers.iter().for_each(|sleeper| sleeper.wake());
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condvar")
    }
}

/// See [`system::Thread`].
#[derive(Debug)]
pub(crate) enum Thread {
    System(system::Thread),
    Simulated(shuttle::thread::JoinHandle<()>),
}

impl Thread {
    pub(crate) fn join(self) {
        match self {
            Thread::System(thread) => thread.join(),
            Thread::Simulated(thread) => drop(thread.join()),
        }
    }
}

pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Thread> {
    if is_simulated() {
        Ok(Thread::Simulated(shuttle::thread::spawn(work)))
    } else {
        system::spawn(name, work).map(Thread::System)
    }
}

pub(crate) fn beside(aside: impl FnOnce() + Send, here: impl FnOnce() + Send) {
    if !is_simulated() {
        return system::beside(aside, here);
    }
    // Both are threads: shuttle wakes who opened a scope when its last thread ends, whatever he waits for by then, so
    // he must have nothing else to wait for.
    shuttle::thread::scope(|scope| {
        scope.spawn(aside);
        scope.spawn(here);
    });
}

/// Shuttle cannot schedule the pool of the program, so that these are threads of their own.
pub(crate) fn crowd(threads: usize, work: &(dyn Fn() + Sync)) {
    if !is_simulated() {
        return system::crowd(threads, work);
    }
    shuttle::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
}
