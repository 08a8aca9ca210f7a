//! Says how far a command is that works through what a run left: `attache verify` with its listings, `attache undo` with its
//! deletions. There is less to say than of a run.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::events::{EventBody, EventLine, VERSION};
use super::progress::Mode;
use crate::units;

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ProgressUnit {
    /// Records whose list was read.
    Listed,
    /// Attachments that were deleted, or are left alone.
    Deleted,
}

/// How far it is. A stream that is closed never stops them: what cannot be written is let go.
pub struct Listing {
    mode: Mode,
    what: ProgressUnit,
    of: usize,
    began: Instant,
    state: Mutex<ListingState>,
}

struct ListingState {
    said: Duration,
    out: Box<dyn Write + Send>,
    bar: Option<ProgressBar>,
}

impl Listing {
    /// Begins with none of so many records. `out` is where lines go in all modes but the live one.
    pub fn new(of: usize, mode: Mode, out: Box<dyn Write + Send>) -> Listing {
        Listing::counting(ProgressUnit::Listed, of, mode, out)
    }

    /// The same, of so many attachments to delete.
    pub fn of_deletions(of: usize, mode: Mode, out: Box<dyn Write + Send>) -> Listing {
        Listing::counting(ProgressUnit::Deleted, of, mode, out)
    }

    fn counting(what: ProgressUnit, of: usize, mode: Mode, out: Box<dyn Write + Send>) -> Listing {
        let bar = (mode == Mode::Live).then(|| bar(what, of));
        Listing {
            mode,
            what,
            of,
            began: Instant::now(),
            state: Mutex::new(ListingState { said: Duration::ZERO, out, bar }),
        }
    }

    /// So many pages of the census are read, or so many files compared. May be called from several threads.
    pub fn aside(&self, step: Aside) {
        let now = self.began.elapsed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = &state.bar {
            return bar.set_message(step.text());
        }
        if now.saturating_sub(state.said) < self.mode.period() && !step.is_last() {
            return;
        }
        let text = match self.mode {
            Mode::Plain => step.text() + "\n",
            Mode::Json => event_line(step.event(), now),
            Mode::Live | Mode::Off => return,
        };
        state.said = now;
        let _ = state.out.write_all(text.as_bytes());
    }

    /// So many are done. May be called from several threads.
    pub fn listed(&self, records: usize) {
        let now = self.began.elapsed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = &state.bar {
            return bar.set_position(records as u64);
        }
        if now.saturating_sub(state.said) < self.mode.period() && records < self.of {
            return;
        }
        let text = match self.mode {
            Mode::Plain => line(self.what, records, self.of, now),
            Mode::Json => event(self.what, records, self.of, now),
            Mode::Live | Mode::Off => return,
        };
        state.said = now;
        let _ = state.out.write_all(text.as_bytes());
    }
}

/// What is done beside the lists of records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aside {
    /// Pages of the census that are read.
    CensusPages(u32),
    /// Files whose bytes are compared, and how many there are.
    Compared(usize, usize),
}

impl Aside {
    fn text(self) -> String {
        match self {
            Aside::CensusPages(pages) => format!("{} of the census read", units::counted(pages, "page")),
            Aside::Compared(done, of) => format!("{} of {} compared", units::count(done), units::counted(of, "file")),
        }
    }

    fn event(self) -> EventBody {
        match self {
            Aside::CensusPages(pages) => EventBody::Census { pages: pages.into() },
            Aside::Compared(done, of) => EventBody::Compared { files: done as u64, of: of as u64 },
        }
    }

    fn is_last(self) -> bool {
        matches!(self, Aside::Compared(done, of) if done == of)
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(what: ProgressUnit, of: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(of as u64), ProgressDrawTarget::stderr_with_hz(4));
    let style = ProgressStyle::with_template(match what {
        ProgressUnit::Listed => "{bar:30} {human_pos} of {human_len} records listed, {eta} left  {msg}",
        ProgressUnit::Deleted => "{bar:30} {human_pos} of {human_len} attachments done, {eta} left  {msg}",
    });
    // The template is ours, so it can be read; the usual bar would do as well.
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

fn line(what: ProgressUnit, records: usize, of: usize, now: Duration) -> String {
    let (thing, done) = match what {
        ProgressUnit::Listed => ("record", "listed"),
        ProgressUnit::Deleted => ("attachment", "done"),
    };
    let done = format!("{} of {} {done}", units::count(records), units::counted(of, thing));
    let left = now.mul_f64(of.saturating_sub(records) as f64 / records.max(1) as f64);
    if left.is_zero() { format!("{done}\n") } else { format!("{done}, {} left\n", units::duration(left)) }
}

fn event(what: ProgressUnit, done: usize, of: usize, now: Duration) -> String {
    let (done, of) = (done as u64, of as u64);
    let body = match what {
        ProgressUnit::Listed => EventBody::Listed { records: done, of },
        ProgressUnit::Deleted => EventBody::Undone { attachments: done, of },
    };
    event_line(body, now)
}

fn event_line(event: EventBody, now: Duration) -> String {
    let line = EventLine { version: VERSION, at: now.as_secs_f64(), event };
    super::json::line(&line) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_is_done_and_how_long_the_rest_takes() {
        let minute = Duration::from_secs(60);
        assert_eq!(line(ProgressUnit::Listed, 600, 1_800, minute), "600 of 1,800 records listed, 2 min left\n");
        assert_eq!(line(ProgressUnit::Listed, 1, 1, minute), "1 of 1 record listed\n");
        assert_eq!(line(ProgressUnit::Deleted, 1, 2, minute), "1 of 2 attachments done, 1 min left\n");
    }

    #[test]
    fn an_event_has_the_shape_of_all_events() {
        let event = event(ProgressUnit::Listed, 3, 9, Duration::from_millis(1_500));
        let event: serde_json::Value = serde_json::from_str(&event).expect("JSON");
        let wanted = serde_json::json!({ "version": 1, "at": 1.5, "event": "listed", "records": 3, "of": 9 });
        assert_eq!(event, wanted);
    }
}
