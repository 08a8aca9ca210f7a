//! Signals: the first asks the run to end, the second ends the program at once. What was ignored when the program began, as
//! `nohup` and a shell's background jobs have it, stays ignored.

use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::screen::Screen;
use crate::engine::StopSignal;
use crate::exit::Exit;

/// Listens from now on. The first signal is remembered and asks the run to stop; the second leaves at once, with one line of
/// `last_words` on what is left behind: everything that must survive is on the disk already.
///
/// # Errors
///
/// The system lets nobody listen.
pub fn listen(
    stop: Arc<StopSignal>,
    screen: Screen,
    last_words: impl Fn() -> String + Send + Sync + 'static,
) -> io::Result<Arc<OnceLock<Exit>>> {
    let first = Arc::new(OnceLock::new());
    let (remembered, leaving) = (Arc::clone(&first), Leaving { screen, last_words: Box::new(last_words) });
    hear(move |exit| heard(exit, &remembered, &stop, &leaving))?;
    Ok(first)
}

fn heard(exit: Exit, first: &OnceLock<Exit>, stop: &StopSignal, leaving: &Leaving) {
    if first.set(exit).is_err() {
        leaving.leave(exit);
    }
    stop.soft();
}

/// The end at once that a second signal asks for.
struct Leaving {
    screen: Screen,
    /// What is left behind, in one line.
    last_words: Box<dyn Fn() -> String + Send + Sync>,
}

impl Leaving {
    fn leave(&self, exit: Exit) -> ! {
        // A block that is drawn at this moment has no line end behind it, and neither has the terminal's own `^C`.
        let begin = if io::stderr().is_terminal() { "\n" } else { "" };
        self.screen.say(&format!("{begin}{}\n", (self.last_words)()));
        std::process::exit(i32::from(exit.code()));
    }
}

/// Signals for a command that asks the service in several steps, and a person between them.
pub struct StepSignals {
    /// What the first signal during a step asks the exit status to be.
    first: OnceLock<Exit>,
    /// How the step of now is stopped; `None` while nothing is under way, when a signal ends the program at once.
    step: Mutex<Option<Arc<StopSignal>>>,
    leaving: Leaving,
}

impl StepSignals {
    /// Listens from now on; `last_words` are those of a second signal.
    ///
    /// # Errors
    ///
    /// The system lets nobody listen.
    pub fn listen(screen: Screen, last_words: &'static str) -> io::Result<Arc<StepSignals>> {
        let leaving = Leaving { screen, last_words: Box::new(|| last_words.to_owned()) };
        let signals = Arc::new(StepSignals { first: OnceLock::new(), step: Mutex::default(), leaving });
        let listener = Arc::clone(&signals);
        hear(move |exit| listener.heard(exit))?;
        Ok(signals)
    }

    fn heard(&self, exit: Exit) {
        let step = self.step.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match step {
            Some(stop) => heard(exit, &self.first, &stop, &self.leaving),
            None => std::process::exit(i32::from(exit.code())),
        }
    }

    fn set(&self, step: Option<Arc<StopSignal>>) {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    /// Does a step that can be stopped. What follows it, such as writing a file, is not broken off by the first signal.
    pub fn during<T>(&self, step: impl FnOnce(&StopSignal) -> T) -> T {
        let stop = Arc::new(StopSignal::default());
        self.set(Some(Arc::clone(&stop)));
        if self.first.get().is_some() {
            stop.soft();
        }
        step(&stop)
    }

    /// Waits for a person: a signal is an answer, too, and ends the program.
    pub fn asking<T>(&self, question: impl FnOnce() -> T) -> T {
        self.set(None);
        question()
    }

    /// What a signal asks the exit status to be, if one came during a step.
    pub fn exit(&self) -> Option<Exit> {
        self.first.get().copied()
    }
}

/// A lost terminal ends a run as a termination does: softly.
#[cfg(unix)]
fn hear(heard: impl Fn(Exit) + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    // A file that may not grow further is told by the write that fails; the signal would end the program on top of it.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    let ignored = ignored::at_start();
    let heeded = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !ignored.contains(signal));
    let mut signals = signal_hook::iterator::Signals::new(heeded)?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let exit = if signal == SIGINT { Exit::Interrupted } else { Exit::Terminated };
            heard(exit);
        }
    })?;
    Ok(())
}

/// Which signals whoever started this program wants ignored. To ask the system itself takes code that this program does
/// without, so the answer is read where the system writes it down, or seen in a child, which inherits it.
#[cfg(unix)]
mod ignored {
    use std::process::{Command, Stdio};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    /// Of those that a run heeds.
    pub(super) fn at_start() -> Vec<i32> {
        let mask = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| mask_in(&status));
        match mask {
            Some(mask) => {
                [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| mask >> (signal - 1) & 1 == 1).collect()
            }
            None => [(SIGHUP, "HUP"), (SIGINT, "INT"), (SIGTERM, "TERM")]
                .into_iter()
                .filter(|(_, name)| is_survived(name))
                .map(|(signal, _)| signal)
                .collect(),
        }
    }

    /// The line of Linux: a bit for each signal, the lowest for signal 1.
    fn mask_in(status: &str) -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(line.trim(), 16).ok()
    }

    /// Whether a shell that this program starts outlives the signal.
    fn is_survived(name: &str) -> bool {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("kill -s {name} $$; exit 0")]);
        let status = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_mask_of_linux_is_read() {
            assert_eq!(mask_in("Name:\tattache\nSigBlk:\t0\nSigIgn:\t0000000000001001\n"), Some(0x1001));
            assert_eq!(mask_in("Name:\tattache\n"), None);
        }

        #[test]
        fn a_shell_shows_what_is_ignored() {
            assert!(!is_survived("TERM"), "tests are not started with it ignored");
            let ignoring = ["-c", "trap '' TERM; sh -c 'kill -s TERM $$; exit 0'"];
            assert!(Command::new("/bin/sh").args(ignoring).status().is_ok_and(|status| status.success()));
        }
    }
}

#[cfg(windows)]
fn hear(heard: impl Fn(Exit) + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(move || heard(Exit::Interrupted)).map_err(io::Error::other)
}
