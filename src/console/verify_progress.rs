//! Says how far a command is that works through what a run left: `attache verify` with its listings, `attache undo` with its
//! deletions. There is less to say than of a run.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::events::{EventBody, EventLine, VERSION};
use super::live_block::{bar, packed, rate};
use super::progress::Mode;
use super::terminal_width;
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
    /// So many records or attachments are done.
    done: usize,
    /// What is done beside them, as it was told last.
    aside: Option<Aside>,
}

impl Listing {
    /// Begins with none of so many records. `out` is where lines go in all modes but the live one; `color`: whether the bar
    /// of that one has colour.
    pub fn new(of: usize, mode: Mode, color: bool, out: Box<dyn Write + Send>) -> Listing {
        Listing::counting(ProgressUnit::Listed, of, mode, color, out)
    }

    /// The same, of so many attachments to delete.
    pub fn of_deletions(of: usize, mode: Mode, color: bool, out: Box<dyn Write + Send>) -> Listing {
        Listing::counting(ProgressUnit::Deleted, of, mode, color, out)
    }

    fn counting(what: ProgressUnit, of: usize, mode: Mode, color: bool, out: Box<dyn Write + Send>) -> Listing {
        let bar = (mode == Mode::Live).then(|| bar(of as u64, color));
        Listing {
            mode,
            what,
            of,
            began: Instant::now(),
            state: Mutex::new(ListingState { said: Duration::ZERO, out, bar, done: 0, aside: None }),
        }
    }

    /// So many pages of the census are read, or so many files compared. May be called from several threads.
    pub fn aside(&self, step: Aside) {
        let now = self.began.elapsed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.aside = Some(step);
        if state.bar.is_some() {
            return self.draw(&state, now);
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

    fn draw(&self, state: &ListingState, now: Duration) {
        let Some(bar) = &state.bar else { return };
        let parts = parts(self.what, state.done, self.of, state.aside, now);
        bar.set_position(state.done as u64);
        bar.set_message(packed(&parts, "   ", terminal_width().saturating_sub(1)).join("\n"));
    }

    /// So many are done. May be called from several threads.
    pub fn listed(&self, records: usize) {
        let now = self.began.elapsed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.done = records;
        if state.bar.is_some() {
            return self.draw(&state, now);
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

fn done_of(what: ProgressUnit, done: usize, of: usize) -> String {
    let (thing, is_done) = match what {
        ProgressUnit::Listed => ("record", "listed"),
        ProgressUnit::Deleted => ("attachment", "done"),
    };
    format!("{} of {} {is_done}", units::count(done), units::counted(of, thing))
}

/// How long the rest takes at the pace so far; zero where nothing is left, or nothing is known.
fn left(done: usize, of: usize, now: Duration) -> Duration {
    if done == 0 { Duration::ZERO } else { now.mul_f64(of.saturating_sub(done) as f64 / done as f64) }
}

fn line(what: ProgressUnit, records: usize, of: usize, now: Duration) -> String {
    let done = done_of(what, records, of);
    let left = left(records, of, now);
    if left.is_zero() { format!("{done}\n") } else { format!("{done}, {} left\n", units::duration(left)) }
}

/// The parts of the block below the bar, as those of a run.
fn parts(what: ProgressUnit, done: usize, of: usize, aside: Option<Aside>, now: Duration) -> Vec<String> {
    let mut parts = vec![done_of(what, done, of)];
    if done > 0 {
        parts.push(format!("{}/s", rate(done as f64 / now.as_secs_f64().max(0.1))));
    }
    let left = left(done, of, now);
    if !left.is_zero() {
        parts.push(format!("{} left", units::duration(left)));
    }
    parts.extend(aside.map(Aside::text));
    parts
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
    fn the_block_says_what_that_of_a_run_says_as_far_as_there_is_something_to_say() {
        let minute = Duration::from_secs(60);
        let said = |done, aside| parts(ProgressUnit::Listed, done, 1_800, aside, minute).join(" | ");
        assert_eq!(said(0, Some(Aside::CensusPages(12))), "0 of 1,800 records listed | 12 pages of the census read");
        assert_eq!(said(600, None), "600 of 1,800 records listed | 10/s | 2 min left");
    }

    #[test]
    fn an_event_has_the_shape_of_all_events() {
        let event = event(ProgressUnit::Listed, 3, 9, Duration::from_millis(1_500));
        let event: serde_json::Value = serde_json::from_str(&event).expect("JSON");
        let wanted = serde_json::json!({ "version": 1, "at": 1.5, "event": "listed", "records": 3, "of": 9 });
        assert_eq!(event, wanted);
    }
}
