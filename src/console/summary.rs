//! The end of a run: what happened, why what did not work did not, what to do next. For people, and as JSON in the shape
//! of `schemas/summary.schema.json`, which is made from these types.

use std::fmt::{self, Display, Write as _};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::causes::{CauseRow, FailureCause};
use super::progress::ProgressTotals;
use super::{Look, Paint};
use crate::engine::{Ending, StopCause};
use crate::exit::Exit;
use crate::explain::exits;
use crate::outcome::Status;
use crate::plan::facts::{Facts, TargetFacts};
use crate::reply::StopBecause;
use crate::results::ResultsTotals;
use crate::text::{escape_for_terminal, shorten_for_terminal, wrap};
use crate::units::{count, counted, duration, size};

/// The version of the JSON form. Fields may be added without a new one.
pub const VERSION: u32 = 1;

/// Causes that a person is shown; the results have them all.
const CAUSES_SHOWN: usize = 8;

/// Lines that the words of a cause may take.
const MESSAGE_LINES: usize = 3;

/// What is to be said at the end of a run.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Summary {
    /// The version of this form.
    pub version: u32,
    /// The manifest as the user called it.
    pub manifest: String,
    /// The target's name in the results; null for want of one.
    pub target: Option<String>,
    /// Whether this was a rehearsal.
    pub rehearsal: bool,
    /// The results file.
    pub results: String,
    /// The name of this run in the results.
    pub run: String,
    /// How the program ends.
    pub exit: ExitFacts,
    /// Rows that this run brought to an end, by status.
    pub this_run: RowCounts,
    /// Rows of the manifest by status, of all runs.
    pub overall: RowCounts,
    /// Rows that `--limit` left for another run.
    pub over_limit: u64,
    /// What was asked of the service.
    pub requests: RequestFacts,
    /// From the first request to the last.
    pub seconds: f64,
    /// Why the run stopped early; null if it did not.
    pub stopped: Option<StopFacts>,
    /// Rows of this run that did not end well, by cause.
    pub causes: Vec<FailureCause>,
    /// What to do next, most urgent first; empty until the command line has said it, which alone knows its options.
    #[schemars(with = "Vec<String>")]
    pub next: Vec<NextStep>,
}

/// Something to do after a run. In JSON it is one text, the command behind a colon.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NextStep {
    text: String,
    command: Option<String>,
}

impl NextStep {
    /// What to do, in a sentence without its full stop.
    pub fn new(text: impl Into<String>) -> NextStep {
        NextStep { text: text.into(), command: None }
    }

    /// Done by this command, which is shown on a line of its own: broken in two, it could not be pasted.
    #[must_use]
    pub fn by(self, command: impl Display) -> NextStep {
        NextStep { command: Some(command.to_string()), ..self }
    }
}

impl Display for NextStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.command.iter().try_for_each(|command| write!(f, ": {command}"))
    }
}

impl Serialize for NextStep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How the program ends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct ExitFacts {
    /// The exit status.
    pub status: u8,
    /// What it means.
    pub meaning: String,
}

/// Rows by status.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, JsonSchema)]
pub struct RowCounts {
    /// All of these.
    pub rows: u64,
    /// Attached.
    pub uploaded: u64,
    /// There already.
    pub already_present: u64,
    /// Failed.
    pub failed: u64,
    /// Answer lost, not settled yet.
    pub in_doubt: u64,
    /// Nobody can tell.
    pub unknown: u64,
    /// Not tried.
    pub not_sent: u64,
    /// Left out, since they have problems.
    pub invalid: u64,
    /// Attached once, and taken back since.
    pub deleted: u64,
    /// Being taken back when that was cut off: only a further undo settles them.
    pub deleting: u64,
}

/// What was asked of the service.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, JsonSchema)]
pub struct RequestFacts {
    /// Requests for uploads, each try counted.
    pub uploads: u64,
    /// Requests for lists.
    pub lists: u64,
    /// Answers that asked to slow down.
    pub throttled: u64,
    /// Bytes that left.
    pub bytes: u64,
    /// API credits left, if an answer said so.
    pub credits_left: Option<u64>,
}

/// Why a run stopped early.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct StopFacts {
    /// Stable, in kebab-case.
    pub cause: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub advice: String,
    /// How long from the start of the run until going on makes sense, where that is known.
    pub again_in_seconds: Option<u64>,
}

/// What a summary is made of.
#[derive(Clone, Copy, Debug)]
pub struct SummaryInput<'a> {
    /// What the run was to do.
    pub plan: &'a Facts,
    /// The name of the run in the results.
    pub run: &'a str,
    /// How it ended.
    pub ending: &'a Ending,
    /// What was seen of it.
    pub seen: &'a ProgressTotals,
    /// What the finished results file says; `None` where it could not be finished.
    pub totals: Option<&'a ResultsTotals>,
    /// How the program ends.
    pub exit: Exit,
}

impl Summary {
    /// The summary of a run.
    pub fn of(over: &SummaryInput<'_>) -> Summary {
        let SummaryInput { plan, run, ending, seen, totals, exit } = *over;
        let this_run = counts(|status| ending.counts.of(status));
        let overall = totals.map_or(this_run, |totals| counts(|status| totals.rows.of(status)));
        let rehearsal = plan.target.as_ref().is_some_and(|target: &TargetFacts| target.rehearsal);
        Summary {
            version: VERSION,
            manifest: plan.manifest.path.clone(),
            target: plan.target.as_ref().map(|target| target.name.clone()),
            rehearsal,
            results: plan.results.clone(),
            run: run.to_owned(),
            exit: ExitFacts { status: exit.code(), meaning: exits::title(exit).to_owned() },
            this_run,
            overall,
            over_limit: ending.over_limit.into(),
            requests: RequestFacts {
                uploads: ending.uploads,
                lists: ending.lists,
                throttled: ending.throttled,
                bytes: seen.view.bytes,
                credits_left: ending.credits_left,
            },
            seconds: (ending.took.as_secs_f64() * 1_000.0).round() / 1_000.0,
            stopped: ending.stopped.as_ref().map(|stopped| StopFacts {
                cause: cause_code(stopped.cause).to_owned(),
                message: stopped.message.clone(),
                advice: stopped.advice.clone(),
                again_in_seconds: stopped.until.map(|until| until.as_secs()),
            }),
            causes: seen.causes.clone(),
            next: Vec::new(),
        }
    }

    /// The summary as one JSON document.
    pub fn json(&self) -> String {
        // All keys are text and no value can refuse to be written.
        super::json::pretty(self) + "\n"
    }

    /// The summary as text.
    pub fn render(&self, look: Look) -> String {
        let paint = Paint::new(look);
        let mut text = format!("\n{}\n\n", self.headline(paint));
        text.push_str(&self.table(paint));
        if let Some(StopFacts { cause, message, advice, .. }) = &self.stopped {
            let _ = writeln!(text, "\n{}", paint.warning(&format!("Stopped early: {}", escape_for_terminal(message))));
            // A rehearsal that somebody interrupts does not go on where it was; the steps below say so.
            if !self.rehearsal || cause != cause_code(StopCause::Signal) {
                let _ = writeln!(text, "{}", escape_for_terminal(advice));
            }
        }
        for cause in self.causes.iter().take(CAUSES_SHOWN) {
            text.push_str(&cause_text(cause, paint, look.width));
        }
        let hidden = self.causes.len().saturating_sub(CAUSES_SHOWN);
        if hidden > 0 {
            let _ = writeln!(text, "\nand {}; the results have them all", counted(hidden as u64, "further cause"));
        }
        let _ = writeln!(text, "\n{}", self.effort());
        let _ = writeln!(text, "Results: {}", paint.strong(&escape_for_terminal(&self.results)));
        self.next.iter().for_each(|step| text.push_str(&step_text(step, look.width)));
        if self.exit.status != 0 {
            let _ = writeln!(text, "Exit status {}: {}", self.exit.status, self.exit.meaning);
        }
        text
    }

    fn headline(&self, paint: Paint) -> String {
        let RowCounts { rows, uploaded, already_present, .. } = self.overall;
        let there = uploaded + already_present;
        let rehearsed = if self.rehearsal { " in the rehearsal" } else { "" };
        if there == rows && rows > 0 {
            let all = if rows == 1 { "The row is".to_owned() } else { format!("All {} are", counted(rows, "row")) };
            let text = format!("{all} attached{rehearsed}.");
            return paint.with(AnsiColor::Green.on_default().bold(), &text);
        }
        let text = format!("{} of {} attached{rehearsed}.", count(there), counted(rows, "row"));
        paint.with(Style::new().bold(), &text)
    }

    fn table(&self, paint: Paint) -> String {
        let mut text = format!("{}\n", paint.dim(&format!("{:>27}{:>12}", "this run", "overall")));
        let RowCounts {
            uploaded,
            already_present,
            failed,
            in_doubt,
            unknown,
            not_sent,
            invalid,
            deleted,
            deleting,
            ..
        } = self.overall;
        let now = &self.this_run;
        for (name, this_run, overall) in [
            ("uploaded", now.uploaded, uploaded),
            ("already present", now.already_present, already_present),
            ("failed", now.failed, failed),
            ("in doubt", now.in_doubt, in_doubt),
            ("unknown", now.unknown, unknown),
            ("not sent", now.not_sent, not_sent),
            ("left out", now.invalid, invalid),
            ("deleted", now.deleted, deleted),
            ("being deleted", now.deleting, deleting),
        ] {
            if this_run > 0 || overall > 0 {
                let _ = writeln!(text, "{name:>15}{:>12}{:>12}", count(this_run), count(overall));
            }
        }
        text
    }

    fn effort(&self) -> String {
        let RequestFacts { uploads, lists, throttled, bytes, credits_left } = self.requests;
        let took = duration(Duration::try_from_secs_f64(self.seconds).unwrap_or_default());
        let mut text = format!("Took {took}: {}, {}", counted(uploads, "upload"), counted(lists, "listing"));
        if throttled > 0 {
            let _ = write!(text, ", {} asked to slow down", counted(throttled, "answer"));
        }
        if bytes > 0 {
            let _ = write!(text, ", {} sent", size(bytes));
        }
        if let Some(credits) = credits_left {
            let _ = write!(text, "; {} left", counted(credits, "API credit"));
        }
        text
    }
}

fn counts(of: impl Fn(Status) -> u32) -> RowCounts {
    let of = |status| u64::from(of(status));
    RowCounts {
        rows: Status::ALL.into_iter().map(of).sum(),
        uploaded: of(Status::Uploaded),
        already_present: of(Status::AlreadyPresent),
        failed: of(Status::Failed),
        in_doubt: of(Status::InDoubt) + of(Status::Sending),
        unknown: of(Status::Unknown),
        not_sent: of(Status::NotSent),
        invalid: of(Status::Invalid),
        deleted: of(Status::Deleted),
        deleting: of(Status::Deleting),
    }
}

fn cause_code(cause: StopCause) -> &'static str {
    match cause {
        StopCause::Service(because) => match because {
            StopBecause::Credentials => "credentials",
            StopBecause::Scope => "scope",
            StopBecause::Limit => "service-limit",
            StopBecause::Target => "target",
            StopBecause::Disk => "disk",
            StopBecause::OurMistake => "internal-error",
        },
        StopCause::ServiceDown => "service-down",
        StopCause::LongWait => "long-wait",
        StopCause::Streak => "same-refusal-again-and-again",
        StopCause::ModulesClosed => "modules-closed",
        StopCause::MaxFailures => "max-failures",
        StopCause::Credits => "credits",
        StopCause::MaxDuration => "max-duration",
        StopCause::Signal => "signal",
    }
}

/// One step: what to do, and the command that does it whole on the next line.
fn step_text(step: &NextStep, width: usize) -> String {
    let colon = if step.command.is_some() { ":" } else { "" };
    let words = format!("{}{colon}", escape_for_terminal(&step.text));
    let mut text = String::new();
    for (at, line) in wrap(&words, width.clamp(40, 100) - 2).iter().enumerate() {
        let _ = writeln!(text, "{} {line}", if at == 0 { "-" } else { " " });
    }
    if let Some(command) = &step.command {
        let _ = writeln!(text, "    {}", escape_for_terminal(command));
    }
    text
}

/// One cause: how many, the words of the service, the first few rows.
fn cause_text(cause: &FailureCause, paint: Paint, width: usize) -> String {
    let FailureCause { status, code, rows, message, first } = cause;
    let width = width.clamp(40, 120);
    let code_shown = escape_for_terminal(code);
    let head = if code.is_empty() { escape_for_terminal(status) } else { code_shown };
    let status = status.replace('_', " ");
    let mut text = format!("\n{}", paint.strong(&format!("{} {status}: {head}", count(*rows))));
    let _ = writeln!(text);
    let room = width.saturating_sub(2);
    for line in wrap(&shorten_for_terminal(message, room * MESSAGE_LINES), room).iter().filter(|line| !line.is_empty())
    {
        let _ = writeln!(text, "  {line}");
    }
    // Rows that were merely not reached are no news, however many there are.
    if status == Status::NotSent.as_str().replace('_', " ") {
        return text;
    }
    for CauseRow { line, module, record, source } in first {
        let line = line.map_or("not in the manifest".to_owned(), |line| format!("line {}", count(line)));
        let place = format!("  {line:<12} {} {} ", escape_for_terminal(module), escape_for_terminal(record));
        let room = width.saturating_sub(place.chars().count()).max(10);
        let _ = writeln!(text, "{place} {}", shorten_for_terminal(source, room - 1));
    }
    let hidden = rows.saturating_sub(first.len() as u64);
    if hidden > 0 {
        let _ = writeln!(text, "  and {} more", count(hidden));
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::live_block::tests::busy;
    use super::super::plan::tests::large;
    use super::*;
    use crate::engine::{StatusCounts, Stopped};

    const LOOK: Look = Look { color: false, width: 80 };

    /// A summary of a run of this plan that ended so.
    pub(crate) fn example(plan: &Facts, ending: &Ending, causes: Vec<FailureCause>, exit: Exit) -> Summary {
        let seen = ProgressTotals { view: busy(), causes };
        Summary::of(&SummaryInput { plan, run: "20261124T060000Z-1a2b", ending, seen: &seen, totals: None, exit })
    }

    pub(crate) fn ending(statuses: &[(Status, u32)]) -> Ending {
        let mut counts = StatusCounts::default();
        for (status, rows) in statuses {
            for _ in 0..*rows {
                counts.add(*status);
            }
        }
        Ending {
            counts,
            stopped: None,
            over_limit: 0,
            uploads: 33,
            lists: 3,
            throttled: 2,
            credits_left: Some(38_112),
            took: Duration::from_millis(62_345),
        }
    }

    pub(crate) fn cause(status: Status, code: &str, rows: u64, message: &str) -> FailureCause {
        let row = |line: u32| CauseRow {
            line: Some(line),
            module: "Leads".to_owned(),
            record: "738964000000291009".to_owned(),
            source: format!("scans/2019/a rather long folder name/plan of floor {line}.pdf"),
        };
        let first = (2..2 + rows.min(5) as u32).map(row).collect();
        FailureCause {
            status: status.as_str().to_owned(),
            code: code.to_owned(),
            rows,
            message: message.to_owned(),
            first,
        }
    }

    fn summary(ending: &Ending, causes: Vec<FailureCause>, exit: Exit) -> Summary {
        let next = vec![
            NextStep::new(
                "Look in the CRM for what is unknown (1 row), which takes more words than go into one line of it",
            ),
            NextStep::new("Ask the service").by("attache verify migration.results.csv"),
        ];
        Summary { next, ..example(&large(), ending, causes, exit) }
    }

    #[test]
    fn a_run_that_worked_says_so_and_what_comes_next() {
        let summary = summary(&ending(&[(Status::Uploaded, 31), (Status::AlreadyPresent, 1)]), Vec::new(), Exit::Done);
        insta::assert_snapshot!(summary.render(LOOK));
    }

    #[test]
    fn an_interrupted_rehearsal_is_not_told_that_it_goes_on() {
        let mut plan = large();
        if let Some(target) = &mut plan.target {
            target.rehearsal = true;
        }
        let mut ending = ending(&[(Status::Uploaded, 1), (Status::NotSent, 2)]);
        ending.stopped = Some(Stopped {
            cause: StopCause::Signal,
            message: "the run was interrupted".to_owned(),
            advice: "Run the same command again: it goes on where it was.".to_owned(),
            until: None,
        });
        let shown = example(&plan, &ending, Vec::new(), Exit::Stopped).render(LOOK);
        assert!(!shown.contains("goes on"), "{shown}");
    }

    #[test]
    fn words_that_are_longer_than_a_line_are_not_cut_in_the_middle() {
        let words = "answer-lost: the connection ended before the answer was complete, after the whole file was sent; \
                     the next run looks it up first";
        let text = cause_text(&cause(Status::InDoubt, "interrupted", 1, words), Paint::new(LOOK), LOOK.width);
        assert!(
            text.contains("was sent;") && text.contains("looks it up first") && !text.contains("complete,…"),
            "{text}"
        );
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn failures_are_grouped_by_cause_with_the_words_of_the_service() {
        let statuses = [(Status::Uploaded, 20), (Status::Failed, 12), (Status::Unknown, 1), (Status::NotSent, 300)];
        let mut ending = ending(&statuses);
        ending.stopped = Some(Stopped {
            cause: StopCause::Credits,
            message: "500 API credits are left, and --keep-credits keeps them.".to_owned(),
            advice: "Run the same command again after 14:00 UTC.".to_owned(),
            until: Some(Duration::from_secs(3_600)),
        });
        let causes = vec![
            cause(Status::Failed, "NO_PERMISSION", 11, "permission denied to upload the attachment"),
            cause(Status::Failed, "file-changed", 1, "it is not the file that was planned: its size was 12, is 13"),
            cause(Status::Unknown, "several-matches", 1, "two attachments could be this one"),
            cause(Status::NotSent, "run-ended", 300, "the run stopped before"),
        ];
        let summary = summary(&ending, causes, Exit::Stopped);
        insta::assert_snapshot!(summary.render(LOOK));
        insta::assert_json_snapshot!("summary-json", summary);
        assert!(summary.render(LOOK).lines().all(|line| line.chars().count() <= 125));
    }
}
