//! Shows: problems, plan, progress and summary, for people or as JSON.
//!
//! Every function here makes text or writes to a stream that it is given; which stream that is, and what happens when
//! it is closed, is decided in `cli`.

pub mod causes;
pub mod check;
pub mod checklist;
pub mod events;
pub mod gauge;
pub(crate) mod json;
mod live_block;
pub mod mend;
pub mod names;
pub mod plan;
pub mod problems;
pub mod progress;
pub mod run_tally;
pub mod summary;
pub mod verify_progress;
mod work_pace;

use anstyle::{AnsiColor, Style};

/// The target of log records that are kept and never shown: whoever makes them shows them himself, or nobody has to see them
/// as they come.
pub const ON_RECORD: &str = "attache::on_record";

/// What text for people is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    /// Whether to colour.
    pub color: bool,
    /// Characters in a line.
    pub width: usize,
}

/// Characters in a line of the terminal; 80 where there is none.
pub fn terminal_width() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0))
}

/// Puts colour around words, or does not.
#[derive(Clone, Copy, Debug)]
struct Paint {
    color: bool,
}

impl Paint {
    fn new(look: Look) -> Paint {
        Paint { color: look.color }
    }

    fn strong(self, text: &str) -> String {
        self.with(Style::new().bold(), text)
    }

    fn dim(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }

    fn warning(self, text: &str) -> String {
        self.with(AnsiColor::Yellow.on_default(), text)
    }

    fn with(self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}
