//! Says how far a command is with something long before or besides a run: a bar on a terminal, a line now and then
//! elsewhere, nothing for programs.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::progress::Mode;
use crate::units;

/// How often the bar moves by itself.
const TICK: Duration = Duration::from_millis(250);

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GaugeUnit {
    /// Bytes, shown as KB, MB and so on.
    Bytes,
    /// Rows, files and the like; what one is called.
    Things(&'static str),
}

/// How far it is. A stream that is closed stops nothing: what cannot be written is let go.
pub struct Gauge {
    mode: Mode,
    /// What is done, such as `checking`.
    doing: &'static str,
    unit: GaugeUnit,
    began: Instant,
    state: Mutex<GaugeState>,
}

struct GaugeState {
    /// When a line was written last, since the beginning.
    said: Duration,
    /// Where lines go in all modes but the live one.
    out: Box<dyn Write + Send>,
    /// The bar on the terminal, from the first count on.
    bar: Option<ProgressBar>,
}

impl Gauge {
    /// Begins at nothing, and shows nothing yet.
    pub fn new(mode: Mode, doing: &'static str, unit: GaugeUnit, out: Box<dyn Write + Send>) -> Gauge {
        let state = Mutex::new(GaugeState { said: Duration::ZERO, out, bar: None });
        Gauge { mode, doing, unit, began: Instant::now(), state }
    }

    /// So much is done, of so much where that is known. May be called from several threads.
    pub fn at(&self, done: u64, of: Option<u64>) {
        match self.mode {
            Mode::Live => self.draw(done, of),
            Mode::Plain => self.say(done, of),
            Mode::Json | Mode::Off => {}
        }
    }

    fn draw(&self, done: u64, of: Option<u64>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = state.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(of, ProgressDrawTarget::stderr_with_hz(8));
            let template = if of.is_some() { "{spinner} {bar:30} {msg}" } else { "{spinner} {msg}" };
            let bar = match ProgressStyle::with_template(template) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            };
            // Whoever waits for a minute between two counts sees that the program lives.
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.set_position(done);
        bar.set_message(self.text(done, of));
    }

    fn say(&self, done: u64, of: Option<u64>) {
        let now = self.began.elapsed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(state.said) >= self.mode.period() {
            state.said = now;
            let text = self.text(done, of);
            let _ = writeln!(state.out, "{text}").and_then(|()| state.out.flush());
        }
    }

    fn text(&self, done: u64, of: Option<u64>) -> String {
        let amount = |amount| match self.unit {
            GaugeUnit::Bytes => units::size(amount),
            GaugeUnit::Things(_) => units::count(usize::try_from(amount).unwrap_or(usize::MAX)),
        };
        let of = of.map_or(String::new(), |of| format!(" of {}", amount(of)));
        let things = match self.unit {
            GaugeUnit::Bytes => String::new(),
            GaugeUnit::Things(things) => format!(" {things}"),
        };
        format!("{}: {}{of}{things}", self.doing, amount(done))
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_says_how_much_of_how_much() {
        let gauge = |unit| Gauge::new(Mode::Off, "checking", unit, Box::new(std::io::sink()));
        assert_eq!(gauge(GaugeUnit::Things("files")).text(1_200, None), "checking: 1,200 files");
        assert_eq!(gauge(GaugeUnit::Things("files")).text(5, Some(9)), "checking: 5 of 9 files");
        assert_eq!(
            gauge(GaugeUnit::Bytes).text(0, Some(1_500_000)),
            format!("checking: {} of {}", units::size(0), units::size(1_500_000))
        );
    }

    #[test]
    fn nothing_is_written_for_programs_or_at_once() {
        for mode in [Mode::Json, Mode::Off, Mode::Plain] {
            struct Refuses;
            impl Write for Refuses {
                fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                    panic!("nothing is to be said yet")
                }
                fn flush(&mut self) -> std::io::Result<()> {
                    Ok(())
                }
            }
            Gauge::new(mode, "reading", GaugeUnit::Bytes, Box::new(Refuses)).at(1, None);
        }
    }
}
