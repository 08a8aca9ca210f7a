//! The words of the live block and of the lines that stand in for it where there is no terminal. Pure.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::names::JobNames;
use super::run_tally::View;
use crate::engine::{PauseReason, StopCause};
use crate::outcome::Status;
use crate::text::shorten_for_terminal;
use crate::units::{count, counted, duration, size};

/// Files from this size on are shown while they are on their way.
const LARGE: u64 = 5_000_000;

/// Of those, so many at once.
const LARGE_SHOWN: usize = 5;

/// The bar above the block, for this command and all others that take long. One column of the terminal stays free: some begin a
/// new line as soon as the last one is used.
pub(super) fn bar(of: u64, color: bool) -> ProgressBar {
    let template = if color { "{wide_bar:.green} {percent:>3}%\n{msg}" } else { "{wide_bar} {percent:>3}%\n{msg}" };
    // The template is ours, so it can be read; the usual bar would do as well.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(of), ProgressDrawTarget::stderr_with_hz(8))
        .with_style(style.progress_chars("=> "))
}

/// The lines below the bar, none wider than the terminal.
pub(super) fn block(view: &View, names: &dyn JobNames, width: usize) -> Vec<String> {
    let mut lines = packed(&parts(view), "   ", width);
    lines.extend(halt(view).map(|line| shorten_for_terminal(&line, width).into_owned()));
    lines.extend(large_files(view, names, width));
    lines
}

/// One line with the same numbers.
pub(super) fn line(view: &View) -> String {
    let mut text = format!("[{}] {}", clock(view), parts(view).join("; "));
    if let Some(halt) = halt(view) {
        text.push_str("; ");
        text.push_str(&halt);
    }
    text
}

fn clock(view: &View) -> String {
    let seconds = view.elapsed.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

fn parts(view: &View) -> Vec<String> {
    let mut parts = vec![format!("{} of {} done", count(view.overall()), counted(view.scope.rows, "row"))];
    if view.scope.untouched > 0 {
        parts.push(format!("this run {} of {}", count(view.done()), count(view.scope.to_do)));
    }
    parts.push(format!("{} failed", count(view.ended.of(Status::Failed))));
    parts.push(format!("{} in doubt", count(view.in_doubt)));
    parts.push(format!("{} throttled", count(view.throttled)));
    parts.push(format!("{} sent", size(view.bytes)));
    let rates = view.rows_each_second;
    parts.push(format!("{} rows/s now, {} mean", rate(rates.now), rate(rates.mean)));
    if view.bytes > 0 {
        parts.push(format!("{}/s", size(view.bytes_each_second.now as u64)));
    }
    if let Some(left) = view.time_left {
        parts.push(format!("{} left", duration(left)));
    }
    if let Some(credits) = view.credits_left {
        parts.push(match view.credits_last {
            Some(last) => format!("{} left, enough for {}", counted(credits, "credit"), duration(last)),
            None => format!("{} left", counted(credits, "credit")),
        });
    }
    parts
}

pub(super) fn rate(each_second: f64) -> String {
    if each_second < 9.95 { format!("{each_second:.1}") } else { count(each_second.round() as u64) }
}

/// Why nothing moves, where it does not.
fn halt(view: &View) -> Option<String> {
    if let Some(cause) = view.stopping {
        let again = if cause == StopCause::Signal { "; Ctrl-C again ends at once" } else { "" };
        return Some(format!("stopping: what is under way is being finished{again}"));
    }
    let (reason, left) = view.pause?;
    let why = match reason {
        PauseReason::Throttled => "the service asked to wait",
        PauseReason::Outage => "the service cannot be reached or is in trouble",
        PauseReason::Doubts => "many answers were lost",
        PauseReason::Credits => "no credits",
    };
    Some(format!("pausing: {why}; next try in {}", duration(left)))
}

fn large_files(view: &View, names: &dyn JobNames, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (job, sent) in &view.under_way {
        let name = names.name(*job);
        let Some(bytes) = name.bytes.filter(|bytes| *bytes >= LARGE) else { continue };
        // The head of the request counts as sent, so a little more than the file may have left.
        let percent = (sent.min(&bytes) * 100) / bytes;
        let tail = format!("  {percent:>3} % of {}", size(bytes));
        let room = width.saturating_sub(tail.chars().count() + 2).min(60);
        lines.push(format!("  {:room$}{tail}", shorten_for_terminal(&name.source, room)));
        if lines.len() == LARGE_SHOWN {
            break;
        }
    }
    lines
}

/// Puts as many parts into a line as fit.
pub(super) fn packed(parts: &[String], gap: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.chars().count() + gap.len() + part.chars().count() <= width => {
                line.push_str(gap);
                line.push_str(part);
            }
            _ => lines.push(shorten_for_terminal(part, width).into_owned()),
        }
    }
    lines
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::super::names::JobName;
    use super::super::run_tally::{Rates, RunTally, Scope};
    use super::*;
    use crate::engine::{JobId, StatusCounts};

    pub(in crate::console) struct Scans;

    impl JobNames for Scans {
        fn name(&self, job: JobId) -> JobName {
            JobName {
                line: Some(job.0 + 2),
                module: "Leads".to_owned(),
                record: "738964000000291009".to_owned(),
                source: format!("scans/2019/plan of floor {}.pdf", job.0),
                bytes: Some(u64::from(job.0) * 10_000_000),
            }
        }

        fn module(&self, _module: u16) -> String {
            "Leads".to_owned()
        }
    }

    pub(in crate::console) fn busy() -> View {
        let mut ended = StatusCounts::default();
        for status in [Status::Uploaded, Status::Uploaded, Status::Failed] {
            ended.add(status);
        }
        let scope = Scope {
            rows: 200_000,
            untouched: 48_000,
            attached_before: 47_990,
            failed_before: 10,
            to_do: 152_000,
            bytes: 0,
        };
        View {
            elapsed: Duration::from_secs(3_725),
            ended,
            in_doubt: 1,
            throttled: 3,
            postponed: 4,
            bytes: 30_200_000_000,
            rows_each_second: Rates { now: 9.84, mean: 9.1 },
            bytes_each_second: Rates { now: 12_100_000.0, mean: 11_000_000.0 },
            time_left: Some(Duration::from_secs(11_520)),
            credits_left: Some(38_112),
            credits_last: Some(Duration::from_secs(3_873)),
            under_way: vec![(JobId(0), 10), (JobId(8), 60_000_000), (JobId(9), 1)],
            ..RunTally::new(scope).view(Duration::ZERO)
        }
    }

    #[test]
    fn the_block_fits_its_terminal() {
        for width in [40, 80, 120] {
            let lines = block(&busy(), &Scans, width);
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{lines:#?}");
            insta::assert_snapshot!(format!("block-{width}"), lines.join("\n"));
        }
    }

    #[test]
    fn a_line_says_the_same_and_why_nothing_moves() {
        let mut view = busy();
        view.pause = Some((PauseReason::Outage, Duration::from_secs(20)));
        insta::assert_snapshot!(line(&view));
    }
}
