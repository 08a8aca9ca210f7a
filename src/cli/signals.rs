//! Signals: the first asks the run to end, the second ends the program at once.

use std::io;
use std::sync::{Arc, OnceLock};

use crate::engine::StopSignal;
use crate::exit::Exit;

/// Listens from now on. The first signal is remembered and asks the run to stop; the second leaves without another
/// word: everything that must survive is in the log already.
///
/// # Errors
///
/// The system lets nobody listen.
pub fn listen(stop: Arc<StopSignal>) -> io::Result<Arc<OnceLock<Exit>>> {
    let first = Arc::new(OnceLock::new());
    hear(Arc::clone(&first), stop)?;
    Ok(first)
}

fn heard(exit: Exit, first: &OnceLock<Exit>, stop: &StopSignal) {
    if first.set(exit).is_err() {
        std::process::exit(i32::from(exit.code()));
    }
    stop.soft();
}

/// A lost terminal ends a run as a termination does: softly.
#[cfg(unix)]
fn hear(first: Arc<OnceLock<Exit>>, stop: Arc<StopSignal>) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    // A file that may not grow further is told by the write that fails; the signal would end the program on top of it.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let exit = if signal == SIGINT { Exit::Interrupted } else { Exit::Terminated };
            heard(exit, &first, &stop);
        }
    })?;
    Ok(())
}

#[cfg(windows)]
fn hear(first: Arc<OnceLock<Exit>>, stop: Arc<StopSignal>) -> io::Result<()> {
    ctrlc::set_handler(move || heard(Exit::Interrupted, &first, &stop)).map_err(io::Error::other)
}
