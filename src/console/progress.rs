//! Looks on at a run and says how far it is: a live block on a terminal, a line now and then elsewhere, or JSON events.
//!
//! Everything goes to standard error. A stream that is closed or full never stops an upload: what cannot be written is
//! let go.

use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::block::{block, line};
use super::causes::{Cause, Causes};
use super::events::{self, EventBody, EventLine, worded};
use super::names::Names;
use super::tally::{Scope, Tally, View};
use super::text::shown;
use super::{Look, terminal_width};
use crate::engine::ports::{Event, Watch};
use crate::engine::{At, Ended, Notice, StopCause, Stopped};

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
pub struct Settings {
    /// How.
    pub mode: Mode,
    /// For what.
    pub look: Look,
    /// Whether to tell of every failed row and every throttling as well (`-v`).
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
pub struct Seen {
    /// The counts at the end.
    pub view: View,
    /// The rows that did not end well, by cause.
    pub causes: Vec<Cause>,
}

/// Looks on while `run` goes on, and says what it saw. `out` is where lines go in all modes but the live one.
pub fn watched<R>(
    scope: Scope,
    names: &dyn Names,
    settings: Settings,
    out: Box<dyn Write + Send>,
    run: impl FnOnce(&dyn Watch) -> R,
) -> (R, Seen) {
    let screen = Screen::new(scope, names, settings, out);
    screen.say_progress(EventBody::Begun);
    let result = std::thread::scope(|threads| {
        threads.spawn(|| screen.tick());
        // Also when the run panics: the thread that draws must not be waited for for ever.
        let _over = Over(&screen);
        run(&screen)
    });
    screen.say_progress(EventBody::Ended);
    (result, screen.seen())
}

/// Tells the drawing thread that the run is over.
struct Over<'a, 'n>(&'a Screen<'n>);

impl Drop for Over<'_, '_> {
    fn drop(&mut self) {
        *self.0.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_all();
    }
}

struct Screen<'n> {
    names: &'n dyn Names,
    settings: Settings,
    began: Instant,
    state: Mutex<State>,
    over: Mutex<bool>,
    changed: Condvar,
}

struct State {
    tally: Tally,
    causes: Causes,
    out: Box<dyn Write + Send>,
    bar: Option<ProgressBar>,
}

impl<'n> Screen<'n> {
    fn new(scope: Scope, names: &'n dyn Names, settings: Settings, out: Box<dyn Write + Send>) -> Screen<'n> {
        let bar = (settings.mode == Mode::Live).then(|| bar(scope, settings.look));
        let state = State { tally: Tally::new(scope), causes: Causes::default(), out, bar };
        Screen {
            names,
            settings,
            began: Instant::now(),
            state: Mutex::new(state),
            over: Mutex::new(false),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self) {
        let period = self.settings.mode.period();
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        while !*over {
            over = self.changed.wait_timeout(over, period).unwrap_or_else(PoisonError::into_inner).0;
            if !*over {
                self.say_progress(EventBody::Progress);
            }
        }
    }

    /// Says how far the run is, in the way that was asked for.
    fn say_progress(&self, event: impl FnOnce(events::Progress) -> EventBody) {
        let now = self.began.elapsed();
        let mut state = self.state();
        let view = state.tally.view(now);
        match self.settings.mode {
            Mode::Live => state.draw(&view, self.names),
            Mode::Plain if view.ended() > 0 || view.in_doubt > 0 => state.say(&line(&view)),
            Mode::Json => state.say_event(now, event(events::Progress::of(&view))),
            Mode::Plain | Mode::Off => {}
        }
    }

    fn seen(&self) -> Seen {
        let mut state = self.state();
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        Seen { view: state.tally.view(self.began.elapsed()), causes: std::mem::take(&mut state.causes).worst_first() }
    }

    /// What a person is told at once. Losing sight of an attachment that exists is told whatever was switched off.
    fn told(&self, at: At, event: &Event<'_>) -> Option<String> {
        let loud = self.settings.mode != Mode::Off;
        match event {
            Event::Unwritten { ended, why } => Some(self.unwritten(ended, why)),
            Event::Notice(notice) => {
                let (_, text) = worded(notice, at, |module| self.names.module(module));
                let wanted = match notice {
                    Notice::Warning { .. } | Notice::ModuleClosed { .. } | Notice::Stopping(_) => true,
                    Notice::Throttled { .. } => loud && self.settings.verbose,
                    Notice::Paused { .. } | Notice::Resumed | Notice::Settling { .. } => loud,
                };
                wanted.then_some(text)
            }
            Event::Ended(ended) if loud && self.settings.verbose => self.unhappy_end(ended),
            _ => None,
        }
    }

    fn unwritten(&self, ended: &Ended, why: &str) -> String {
        let name = self.names.name(ended.job);
        let id = ended.outcome.attachment_id.map_or(String::new(), |id| format!(" as attachment {id}"));
        format!(
            "{}{} is {}{id}, but the results file could not take that: {why}",
            name.line.map_or(String::new(), |line| format!("line {line}, ")),
            name.source,
            ended.outcome.status,
        )
    }

    fn unhappy_end(&self, ended: &Ended) -> Option<String> {
        use crate::outcome::Status::{AlreadyPresent, NotSent, Uploaded};
        let outcome = &ended.outcome;
        if matches!(outcome.status, Uploaded | AlreadyPresent | NotSent) {
            return None;
        }
        let name = self.names.name(ended.job);
        let place = name.line.map_or(String::new(), |line| format!("line {line}, "));
        Some(format!("{place}{}: {} {} {}", name.source, outcome.status, outcome.code, outcome.message))
    }
}

impl Watch for Screen<'_> {
    fn event(&self, at: At, event: Event<'_>) {
        let mut state = self.state();
        state.tally.event(at, &event);
        if let Event::Ended(ended) | Event::Unwritten { ended, .. } = event {
            state.causes.add(&ended.outcome, || self.names.name(ended.job));
        }
        if let Event::Notice(Notice::Stopping(Stopped { cause: StopCause::Signal, .. })) = event {
            let scope = state.tally.view(at).scope;
            state.go_on_below(|| bar(scope, self.settings.look));
        }
        if self.settings.mode == Mode::Json {
            let (name, module) = (|job| self.names.name(job), |module| self.names.module(module));
            if let Some(body) = events::body(at, &event, name, module) {
                state.say_event(at, body);
            }
        } else if let Some(text) = self.told(at, &event) {
            state.say(&shown(&text));
        }
    }
}

impl State {
    fn draw(&mut self, view: &View, names: &dyn Names) {
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
            Some(bar) => bar.println(text),
            None => {
                let _ = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
            }
        }
    }

    fn say_event(&mut self, at: At, event: EventBody) {
        let line = EventLine { version: events::VERSION, at: (at.as_secs_f64() * 1_000.0).round() / 1_000.0, event };
        if let Ok(text) = serde_json::to_string(&line) {
            self.say(&text);
        }
    }
}

fn bar(scope: Scope, look: Look) -> ProgressBar {
    let template =
        if look.color { "{wide_bar:.green} {percent:>3}%\n{msg}" } else { "{wide_bar} {percent:>3}%\n{msg}" };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(scope.rows), ProgressDrawTarget::stderr_with_hz(8))
        .with_style(style.progress_chars("=> "))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::block::tests::Scans;
    use super::super::tally::tests::{ended, reply};
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

    const SCOPE: Scope = Scope { rows: 10, untouched: 7, attached_before: 7, failed_before: 0, to_do: 3 };

    fn settings(mode: Mode) -> Settings {
        Settings { mode, look: Look { color: false, width: 80 }, verbose: false }
    }

    fn eventful(watch: &dyn Watch) {
        let at = Duration::from_millis(1_500);
        let throttled = reply(Verdict::Retry(RetryBecause::Throttled));
        watch.event(at, Event::Started { job: JobId(0), tries: 1 });
        watch.event(at, Event::Postponed { job: JobId(0), reply: &throttled });
        watch.event(at, Event::Ended(&ended(0, Status::Uploaded, "", "")));
        watch.event(at, Event::Ended(&ended(1, Status::Failed, "NO_PERMISSION", "permission \u{1b}[2Jdenied")));
        let stopped = Stopped {
            cause: StopCause::MaxFailures,
            message: "1 of 2 rows failed.".to_owned(),
            advice: "Look at the results.".to_owned(),
            until: None,
        };
        watch.event(at, Event::Notice(&Notice::Stopping(stopped)));
    }

    fn written(mode: Mode) -> String {
        let paper = Paper::default();
        watched(SCOPE, &Scans, settings(mode), Box::new(paper.clone()), eventful);
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
        let (result, seen) = watched(SCOPE, &Scans, settings(Mode::Plain), Box::new(Closed), |watch| {
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
            watched(SCOPE, &Scans, settings(Mode::Off), Box::new(Closed), |_| -> u32 { panic!("a mistake of ours") })
        });
        assert!(panicked.is_err());
    }
}
