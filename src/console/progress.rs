//! Looks on at a run and says how far it is: a live block on a terminal, a line now and then elsewhere, or JSON events.
//!
//! Everything goes to standard error. A stream that is closed or full never stops an upload: what cannot be written is
//! let go.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget};

use super::causes::{Causes, FailureCause};
use super::events::{self, EventBody, EventLine, worded};
use super::live_block::{bar, block, line};
use super::names::{JobName, JobNames};
use super::run_tally::{RunTally, Scope, View};
use super::{Look, ON_RECORD, terminal_width};
use crate::engine::ports::{Observer, RunEvent};
use crate::engine::{Elapsed, Ended, JournalError, Notice, PauseReason, StopCause, Stopped};
use crate::outcome::Outcome;
use crate::text::{escape_for_terminal, mask_secrets, wrap_lines};
use crate::units;

/// How a run says how far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// A block on the terminal that standard error is.
    Live,
    /// A line every half minute.
    Plain,
    /// One JSON event a line.
    Json,
    /// Only what a person must not miss.
    Off,
}

/// How progress is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProgressOptions {
    /// How.
    pub mode: Mode,
    /// For what.
    pub look: Look,
    /// Whether to tell of every row that ends and every throttling as well.
    pub verbose: bool,
}

impl Mode {
    /// How often it has something to say of itself.
    pub(super) fn period(self) -> Duration {
        match self {
            Mode::Live => Duration::from_millis(250),
            Mode::Plain => Duration::from_secs(30),
            Mode::Json => Duration::from_secs(5),
            // Nothing to say; the thread sleeps until the end.
            Mode::Off => Duration::from_secs(3_600),
        }
    }
}

/// What was seen of a run when it is over.
#[derive(Clone, PartialEq, Debug)]
pub struct ProgressTotals {
    /// The counts at the end.
    pub view: View,
    /// The rows that did not end well, by cause.
    pub causes: Vec<FailureCause>,
}

/// Looks on while `run` goes on, and says what it saw. `out` is where lines go in all modes but the live one.
pub fn watched<R>(
    scope: Scope,
    names: &dyn JobNames,
    options: ProgressOptions,
    out: Box<dyn Write + Send>,
    run: impl FnOnce(&dyn Observer) -> R,
) -> (R, ProgressTotals) {
    let screen = ProgressScreen::new(scope, names, options, out);
    screen.say_progress(EventBody::Begun);
    let result = std::thread::scope(|threads| {
        threads.spawn(|| screen.tick());
        // Also when the run panics: the thread that draws must not be waited for for ever.
        let _over = DrawingGuard(&screen);
        run(&screen)
    });
    screen.say_progress(EventBody::Ended);
    (result, screen.seen())
}

/// Tells the drawing thread that the run is over.
struct DrawingGuard<'a, 'n>(&'a ProgressScreen<'n>);

impl Drop for DrawingGuard<'_, '_> {
    fn drop(&mut self) {
        *self.0.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_all();
    }
}

struct ProgressScreen<'n> {
    names: &'n dyn JobNames,
    options: ProgressOptions,
    began: Instant,
    state: Mutex<ProgressState>,
    over: Mutex<bool>,
    changed: Condvar,
}

struct ProgressState {
    tally: RunTally,
    causes: Causes,
    out: Box<dyn Write + Send>,
    bar: Option<ProgressBar>,
}

impl<'n> ProgressScreen<'n> {
    fn new(
        scope: Scope,
        names: &'n dyn JobNames,
        options: ProgressOptions,
        out: Box<dyn Write + Send>,
    ) -> ProgressScreen<'n> {
        let bar = (options.mode == Mode::Live).then(|| bar(scope.rows, options.look.color));
        let state = ProgressState { tally: RunTally::new(scope), causes: Causes::default(), out, bar };
        ProgressScreen {
            names,
            options,
            began: Instant::now(),
            state: Mutex::new(state),
            over: Mutex::new(false),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, ProgressState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self) {
        let period = self.options.mode.period();
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        while !*over {
            over = self.changed.wait_timeout(over, period).unwrap_or_else(PoisonError::into_inner).0;
            if !*over {
                self.say_progress(EventBody::Progress);
            }
        }
    }

    /// Says how far the run is, in the way that was asked for.
    fn say_progress(&self, event: impl FnOnce(events::ProgressEvent) -> EventBody) {
        let now = self.began.elapsed();
        let mut state = self.state();
        let view = state.tally.view(now);
        match self.options.mode {
            Mode::Live => state.draw(&view, self.names),
            Mode::Plain if view.ended() > 0 || view.in_doubt > 0 => {
                let line = line(&view);
                state.say(&line);
                log::info!(target: ON_RECORD, "{line}");
            }
            Mode::Json => state.say_event(now, event(events::ProgressEvent::of(&view))),
            Mode::Plain | Mode::Off => {}
        }
    }

    fn seen(&self) -> ProgressTotals {
        let mut state = self.state();
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        ProgressTotals {
            view: state.tally.view(self.began.elapsed()),
            causes: std::mem::take(&mut state.causes).worst_first(),
        }
    }

    /// What a person is told at once. Losing sight of an attachment that exists is told whatever was switched off.
    fn told(&self, at: Elapsed, event: &RunEvent<'_>) -> Option<String> {
        let loud = self.options.mode != Mode::Off;
        // The block counts throttlings and shows a pause as long as it lasts: told as well, they would scroll away what
        // happens once.
        let in_block = self.options.mode == Mode::Live && !self.options.verbose;
        match event {
            RunEvent::Unwritten { ended, why } => Some(self.unwritten(ended, why)),
            RunEvent::Notice(notice) => {
                let (_, text) = worded(notice, at, |module| self.names.module(module));
                let wanted = match notice {
                    Notice::Warning { .. } | Notice::ModuleClosed { .. } | Notice::Stopping(_) => true,
                    Notice::Throttled { .. } => loud && self.options.verbose,
                    Notice::Paused { reason: PauseReason::Throttled, .. } | Notice::Resumed => loud && !in_block,
                    Notice::Paused { .. } | Notice::Settling { .. } => loud,
                };
                wanted.then_some(text)
            }
            RunEvent::Ended(ended) if loud && self.options.verbose => Some(self.row(ended)),
            _ => None,
        }
    }

    fn unwritten(&self, ended: &Ended, why: &JournalError) -> String {
        let name = self.names.name(ended.job);
        let id = ended.outcome.attachment_id.map_or(String::new(), |id| format!(" as attachment {id}"));
        format!(
            "{}{} is {}{id}, but its line could not be written: {why}",
            name.line.map_or(String::new(), |line| format!("line {line}, ")),
            name.source,
            ended.outcome.status,
        )
    }

    fn row(&self, ended: &Ended) -> String {
        row_line(&self.names.name(ended.job), &ended.outcome)
    }

    /// For the log, where the screen is not told: what became of a row, and whatever else happened.
    fn kept(&self, at: Elapsed, event: &RunEvent<'_>) -> Option<String> {
        match event {
            _ if !log::log_enabled!(target: ON_RECORD, log::Level::Info) => None,
            RunEvent::Ended(ended) => Some(self.row(ended)),
            RunEvent::Unwritten { ended, why } => Some(self.unwritten(ended, why)),
            RunEvent::Notice(notice) => Some(worded(notice, at, |module| self.names.module(module)).1),
            _ => None,
        }
    }
}

impl Observer for ProgressScreen<'_> {
    fn event(&self, at: Elapsed, event: RunEvent<'_>) {
        let mut state = self.state();
        state.tally.event(at, &event);
        if let RunEvent::Ended(ended) | RunEvent::Unwritten { ended, .. } = event {
            state.causes.add(&ended.outcome, || self.names.name(ended.job));
        }
        if let RunEvent::Notice(Notice::Stopping(Stopped { cause: StopCause::Signal, .. })) = event {
            let scope = state.tally.view(at).scope;
            state.go_on_below(|| bar(scope.rows, self.options.look.color));
        }
        if self.options.mode == Mode::Json {
            let (name, module) = (|job| self.names.name(job), |module| self.names.module(module));
            if let Some(body) = events::body(at, &event, name, module) {
                state.say_event(at, body);
            }
        } else if let Some(text) = self.told(at, &event) {
            state.say(&escape_for_terminal(&text));
        }
        if let Some(text) = self.kept(at, &event) {
            log::info!(target: ON_RECORD, "{text}");
        }
    }
}

/// What became of a row, in one line.
fn row_line(name: &JobName, outcome: &Outcome) -> String {
    let place = name.line.map_or(String::new(), |line| format!("line {line}, "));
    let mut text = format!("{place}{}: {}", without_query(&name.source), outcome.status);
    if let Some(id) = outcome.attachment_id {
        let _ = write!(text, " as {id}");
    }
    for words in [&outcome.code, &outcome.message] {
        if !words.is_empty() {
            let _ = write!(text, " {words}");
        }
    }
    let mut figures: Vec<String> = name.bytes.map(units::size).into_iter().collect();
    if outcome.tries > 0 {
        figures.push(units::duration(outcome.took));
    }
    if outcome.tries > 1 {
        figures.push(format!("{} tries", outcome.tries));
    }
    if !figures.is_empty() {
        let _ = write!(text, " ({})", figures.join(", "));
    }
    text
}

/// An address without what stands behind `?`: whoever shares a file by a link often puts the key to it there. A path stays
/// as it is.
fn without_query(source: &str) -> Cow<'_, str> {
    let masked = mask_secrets(source);
    match masked.split_once('?') {
        Some((address, _)) if address.contains("://") => Cow::Owned(format!("{address}?…")),
        _ => masked,
    }
}

impl ProgressState {
    fn draw(&mut self, view: &View, names: &dyn JobNames) {
        if let Some(bar) = &self.bar {
            bar.set_position(view.overall());
            // One column stays free: some terminals begin a new line as soon as the last one is used.
            bar.set_message(block(view, names, terminal_width().saturating_sub(1)).join("\n"));
        }
    }

    /// Leaves the block as it stands and goes on with another one below it. The terminal has written `^C` behind the
    /// block, which moves it by a line: cleared from there, half of it would stay.
    fn go_on_below(&mut self, fresh: impl FnOnce() -> ProgressBar) {
        if let Some(old) = self.bar.take() {
            old.set_draw_target(ProgressDrawTarget::hidden());
            let _ = writeln!(std::io::stderr());
            self.bar = Some(fresh());
        }
    }

    fn say(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(wrap_lines(text, terminal_width())),
            None => {
                let _ = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
            }
        }
    }

    fn say_event(&mut self, at: Elapsed, event: EventBody) {
        let line = EventLine { version: events::VERSION, at: (at.as_secs_f64() * 1_000.0).round() / 1_000.0, event };
        self.say(&super::json::line(&line));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::live_block::tests::Scans;
    use super::super::run_tally::tests::{ended, reply};
    use super::*;
    use crate::engine::JobId;
    use crate::outcome::Status;
    use crate::reply::{RetryBecause, Verdict};

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    }

    const SCOPE: Scope = Scope { rows: 10, untouched: 7, attached_before: 7, failed_before: 0, to_do: 3, bytes: 0 };

    fn options(mode: Mode) -> ProgressOptions {
        ProgressOptions { mode, look: Look { color: false, width: 80 }, verbose: false }
    }

    fn eventful(watch: &dyn Observer) {
        let at = Duration::from_millis(1_500);
        let throttled = reply(Verdict::Retry(RetryBecause::Throttled));
        watch.event(at, RunEvent::Started { job: JobId(0) });
        watch.event(at, RunEvent::Postponed { job: JobId(0), reply: &throttled });
        watch.event(at, RunEvent::Ended(&ended(0, Status::Uploaded, "", "")));
        watch.event(at, RunEvent::Ended(&ended(1, Status::Failed, "NO_PERMISSION", "permission \u{1b}[2Jdenied")));
        let stopped = Stopped {
            cause: StopCause::MaxFailures,
            message: "1 of 2 rows failed.".to_owned(),
            advice: "Look at the results.".to_owned(),
            until: None,
        };
        watch.event(at, RunEvent::Notice(&Notice::Stopping(stopped)));
    }

    fn written(mode: Mode) -> String {
        let paper = Paper::default();
        watched(SCOPE, &Scans, options(mode), Box::new(paper.clone()), eventful);
        let bytes = paper.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_events_are_one_a_line_in_their_documented_shape() {
        let text = written(Mode::Json);
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let schema = serde_json::to_value(schemars::schema_for!(EventLine)).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for line in &lines {
            assert!(validator.is_valid(line), "{line}");
        }
        let kinds: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["begun", "postponed", "row", "row", "notice", "ended"]);
        assert_eq!(lines[5]["overall"], 9);
        assert_eq!(lines[3]["status"], "failed");
    }

    #[test]
    fn plain_lines_say_what_matters_and_nothing_moves_the_cursor() {
        let text = written(Mode::Plain);
        assert!(text.contains("stopping: 1 of 2 rows failed. Look at the results."), "{text}");
        assert!(text.contains("9 of 10 rows done; this run 2 of 3; 1 failed"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn switched_off_it_still_says_why_a_run_stops() {
        assert_eq!(written(Mode::Off), "stopping: 1 of 2 rows failed. Look at the results.\n");
    }

    #[test]
    fn a_row_that_ends_is_told_in_one_line_without_the_key_of_a_link() {
        let name = |source: &str, bytes| JobName {
            line: Some(7),
            module: "Leads".to_owned(),
            record: "738964000000291009".to_owned(),
            source: source.to_owned(),
            bytes,
        };
        let mut outcome = ended(0, Status::Failed, "NO_PERMISSION", "permission denied").outcome;
        (outcome.tries, outcome.took) = (2, Duration::from_millis(1_250));
        assert_eq!(
            row_line(&name("scans/a.pdf", Some(1_500_000)), &outcome),
            "line 7, scans/a.pdf: failed NO_PERMISSION permission denied (1.50 MB, 1.2 s, 2 tries)"
        );
        let link = ended(0, Status::NotSent, "limit", "").outcome;
        assert_eq!(
            row_line(&name("https://me:pw@files.example/a?sig=hush", None), &link),
            "line 7, https://***@files.example/a?…: not_sent limit (0.3 s)"
        );
    }

    #[test]
    fn why_a_run_stops_and_what_to_do_are_two_sentences() {
        for message in ["the token was refused", "the token was refused."] {
            let stopped = Stopped {
                cause: StopCause::MaxFailures,
                message: message.to_owned(),
                advice: "Sign in again.".to_owned(),
                until: None,
            };
            let (_, text) = worded(&Notice::Stopping(stopped), Duration::ZERO, |_| String::new());
            assert_eq!(text, "stopping: the token was refused. Sign in again.");
        }
    }

    #[test]
    fn a_closed_stream_stops_nothing() {
        let (result, seen) = watched(SCOPE, &Scans, options(Mode::Plain), Box::new(Closed), |watch| {
            eventful(watch);
            42
        });
        assert_eq!(result, 42);
        assert_eq!(seen.view.ended(), 2);
        assert_eq!(seen.causes.len(), 1);
        assert_eq!(seen.causes[0].code, "NO_PERMISSION");
    }

    #[test]
    fn a_run_that_panics_does_not_leave_the_screen_waiting() {
        let panicked = std::panic::catch_unwind(|| {
            watched(SCOPE, &Scans, options(Mode::Off), Box::new(Closed), |_| -> u32 { panic!("a mistake of ours") })
        });
        assert!(panicked.is_err());
    }
}
