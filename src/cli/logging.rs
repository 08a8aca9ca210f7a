//! What modules log on the way: their warnings always, more with `-v`, the HTTP library's own words with `-vv`.
//!
//! Never at the level `trace`: there the HTTP library would show whole requests, and with them the token.

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::screen::Screen;

struct ToScreen {
    screen: Screen,
}

/// Logs to standard error from now on.
pub fn start(screen: Screen) {
    let most = match (screen.quiet, screen.verbose) {
        (true, _) => LevelFilter::Error,
        (false, 0) => LevelFilter::Warn,
        (false, 1) => LevelFilter::Info,
        (false, _) => LevelFilter::Debug,
    };
    // Only a second call in one process could fail; the first logger then goes on.
    if log::set_boxed_logger(Box::new(ToScreen { screen })).is_ok() {
        log::set_max_level(most);
    }
}

/// Libraries are heard only by those who ask for all of it: their warnings are about things users cannot change.
fn is_heard(target: &str, verbose: u8) -> bool {
    verbose > 1 || target == "attache" || target.starts_with("attache::")
}

impl Log for ToScreen {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Debug && is_heard(metadata.target(), self.screen.verbose)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let weight = match record.level() {
                Level::Error => "error",
                Level::Warn => "warning",
                Level::Info | Level::Debug | Level::Trace => "note",
            };
            self.screen.say(&format!("{weight}: {}\n", crate::text::escape_for_terminal(&record.args().to_string())));
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_heard_only_when_all_is_asked_for() {
        assert!(is_heard("attache::zoho::token", 0) && is_heard("attache", 0));
        assert!(!is_heard("ureq::run", 1) && !is_heard("attached", 0));
        assert!(is_heard("ureq::run", 2));
    }
}
