//! Where records of the modules go: their warnings to the screen, more of them where more is asked for, and all of them into
//! the log file where there is one.
//!
//! Only our own records are kept. Those of the HTTP library would show whole requests, and with them the token; what users
//! have to know of a request is told by `zoho` in words of the service.

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::log_file::LogFile;
use super::screen::Screen;
use crate::console::ON_RECORD;

struct Logger {
    screen: Screen,
    /// Where everything is kept; `None`: nowhere.
    file: Option<LogFile>,
}

/// Logs from now on: to standard error as far as the user wants it, and all of it into `file`.
pub fn start(screen: Screen, file: Option<LogFile>) {
    let most = if file.is_some() { LevelFilter::Debug } else { shown(screen) };
    // Only a second call in one process could fail; the first logger then goes on.
    if log::set_boxed_logger(Box::new(Logger { screen, file })).is_ok() {
        log::set_max_level(most);
    }
}

/// Whether a record is of this program.
fn is_ours(target: &str) -> bool {
    target == "attache" || target.starts_with("attache::")
}

/// How much the screen shows.
fn shown(screen: Screen) -> LevelFilter {
    match (screen.quiet, screen.verbose) {
        (true, _) => LevelFilter::Error,
        (false, 0) => LevelFilter::Warn,
        (false, 1) => LevelFilter::Info,
        (false, _) => LevelFilter::Debug,
    }
}

/// Whether the screen shows a record.
fn is_shown(target: &str, level: Level, screen: Screen) -> bool {
    target != ON_RECORD && level <= shown(screen)
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let (target, level) = (metadata.target(), metadata.level());
        is_ours(target) && (self.file.is_some() || is_shown(target, level, self.screen))
    }

    fn log(&self, record: &Record<'_>) {
        if !is_ours(record.target()) {
            return;
        }
        let text = record.args().to_string();
        if is_shown(record.target(), record.level(), self.screen) {
            let weight = match record.level() {
                Level::Error => "error: ",
                Level::Warn => "warning: ",
                Level::Info => "note: ",
                // A request is no remark about anything.
                Level::Debug | Level::Trace => "",
            };
            self.screen.show(&format!("{weight}{}\n", crate::text::escape_for_terminal(&text)));
        }
        if let Some(file) = &self.file {
            file.write(record.level(), &text);
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(quiet: bool, verbose: u8) -> Screen {
        Screen::new(&crate::cli::args::CommonArgs {
            quiet,
            verbose,
            color: crate::cli::values::ColorWhen::Never,
            log_file: None,
        })
    }

    #[test]
    fn libraries_are_never_heard() {
        assert!(is_ours("attache::zoho::token") && is_ours("attache"));
        assert!(!is_ours("ureq::run") && !is_ours("attached"));
    }

    #[test]
    fn the_screen_shows_what_was_asked_for_and_nothing_twice() {
        let shown = |level, quiet, verbose| is_shown("attache::zoho", level, screen(quiet, verbose));
        assert!(shown(Level::Warn, false, 0) && !shown(Level::Info, false, 0));
        assert!(shown(Level::Debug, false, 2) && !shown(Level::Debug, false, 1));
        assert!(!shown(Level::Warn, true, 0) && shown(Level::Error, true, 0));
        assert!(!is_shown(ON_RECORD, Level::Warn, screen(false, 2)), "it was shown where it was made");
    }
}
