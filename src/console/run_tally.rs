//! Counts what happens in a run: the numbers behind the live block, the lines and the JSON events. Pure; the time is
//! passed in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::work_pace::WorkPace;
use crate::engine::ports::RunEvent;
use crate::engine::{Elapsed, JobId, Notice, PauseReason, StatusCounts, StopCause};
use crate::outcome::Status;
use crate::plan::facts::Facts;
use crate::reply::{RetryBecause, Verdict};

/// Seconds over which the present rate is taken.
const RECENT_SECONDS: u64 = 30;

/// What is known before the run begins.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Scope {
    /// Rows of the manifest.
    pub rows: u64,
    /// Of these, those that need nothing more: settled by earlier runs, or left out.
    pub untouched: u64,
    /// Of the untouched, those that are attached.
    pub attached_before: u64,
    /// Of the untouched, those that failed or were left out.
    pub failed_before: u64,
    /// Rows that this run is to bring to their end.
    pub to_do: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

impl Scope {
    /// What a run of this plan is to do.
    pub fn of(plan: &Facts) -> Scope {
        let rows = plan.rows;
        let to_do = rows.to_send + rows.in_doubt + rows.in_doubt_not_in_manifest;
        Scope {
            rows: rows.total + rows.in_doubt_not_in_manifest,
            untouched: rows.done + rows.failed + rows.unknown + rows.left_out,
            attached_before: rows.done,
            failed_before: rows.failed + rows.left_out,
            to_do,
            bytes: plan.bytes,
        }
    }
}

/// The counts at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct View {
    /// Since the run began.
    pub elapsed: Duration,
    /// What was known before.
    pub scope: Scope,
    /// Rows of this run that have ended, by status.
    pub ended: StatusCounts,
    /// Rows whose answers were lost and that are not settled yet.
    pub in_doubt: u64,
    /// Answers that asked to slow down.
    pub throttled: u64,
    /// Tries that will be repeated.
    pub postponed: u64,
    /// Bytes that have left.
    pub bytes: u64,
    /// Rows a second of late, and over the whole run.
    pub rows_each_second: Rates,
    /// Bytes a second of late, and over the whole run.
    pub bytes_each_second: Rates,
    /// Until the last row ends, by what rows and bytes have cost.
    pub time_left: Option<Duration>,
    /// API credits left, if an answer said so.
    pub credits_left: Option<u64>,
    /// Until they run out, at the present rate, where that is before the last row.
    pub credits_last: Option<Duration>,
    /// Why nobody sends anything, and for how long still.
    pub pause: Option<(PauseReason, Duration)>,
    /// Whether the run is stopping, and why.
    pub stopping: Option<StopCause>,
    /// Jobs under way, with the bytes of each that have left.
    pub under_way: Vec<(JobId, u64)>,
}

impl View {
    /// Rows of this run that are attached.
    pub fn attached(&self) -> u64 {
        u64::from(self.ended.of(Status::Uploaded)) + u64::from(self.ended.of(Status::AlreadyPresent))
    }

    /// Rows of this run that have ended, however: also those whose turn did not come.
    pub fn ended(&self) -> u64 {
        u64::from(self.ended.total())
    }

    /// Rows of this run that need nothing more: what a stop left for the next run is not done.
    pub fn done(&self) -> u64 {
        Status::ALL.into_iter().filter(|status| is_done(*status)).map(|status| u64::from(self.ended.of(status))).sum()
    }

    /// Rows of the manifest that need nothing more, of all runs.
    pub fn overall(&self) -> u64 {
        self.scope.untouched.saturating_add(self.done()).min(self.scope.rows)
    }
}

/// Whether a row that ended like this needs nothing more.
fn is_done(status: Status) -> bool {
    !matches!(status, Status::NotSent | Status::Sending | Status::InDoubt)
}

/// A rate now and over all.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Rates {
    /// In the last half minute.
    pub now: f64,
    /// Since the run began.
    pub mean: f64,
}

/// The counts of a run under way.
#[derive(Debug)]
pub struct RunTally {
    scope: Scope,
    ended: StatusCounts,
    done: u32,
    in_doubt: BTreeSet<JobId>,
    throttled: u64,
    postponed: u64,
    bytes: u64,
    /// Bytes of rows that have ended: those of a try that is repeated are to be sent again.
    ended_bytes: u64,
    credits_left: Option<u64>,
    pause: Option<(PauseReason, Elapsed)>,
    stopping: Option<StopCause>,
    under_way: BTreeMap<JobId, u64>,
    /// What rows and bytes have cost.
    pace: WorkPace,
    /// Rows and bytes of each of the last seconds in which there were any.
    recent: VecDeque<(u64, u64, u64)>,
}

impl RunTally {
    /// Nothing has happened yet.
    pub fn new(scope: Scope) -> RunTally {
        RunTally {
            scope,
            ended: StatusCounts::default(),
            done: 0,
            in_doubt: BTreeSet::new(),
            throttled: 0,
            postponed: 0,
            bytes: 0,
            ended_bytes: 0,
            credits_left: None,
            pause: None,
            stopping: None,
            under_way: BTreeMap::new(),
            pace: WorkPace::default(),
            recent: VecDeque::new(),
        }
    }

    /// Counts an event.
    pub fn event(&mut self, at: Elapsed, event: &RunEvent<'_>) {
        match event {
            RunEvent::Started { job } => {
                self.under_way.insert(*job, 0);
            }
            RunEvent::Sent { job, bytes } => {
                let before = self.under_way.insert(*job, *bytes).unwrap_or(0);
                let more = bytes.saturating_sub(before);
                self.bytes += more;
                self.lately(at, 0, more);
            }
            RunEvent::Postponed { job, reply } => {
                self.under_way.remove(job);
                self.postponed += 1;
                match reply.verdict {
                    Verdict::InDoubt(_) => {
                        self.in_doubt.insert(*job);
                    }
                    Verdict::Retry(RetryBecause::Throttled) => self.throttled += 1,
                    _ => {}
                }
            }
            RunEvent::Credits { left } => self.credits_left = Some(*left),
            RunEvent::Ended(ended) | RunEvent::Unwritten { ended, .. } => {
                self.ended_bytes += self.under_way.remove(&ended.job).unwrap_or(0);
                self.in_doubt.remove(&ended.job);
                self.ended.add(ended.outcome.status);
                if is_done(ended.outcome.status) {
                    self.done += 1;
                    self.lately(at, 1, 0);
                }
            }
            RunEvent::Notice(notice) => self.notice(notice),
        }
    }

    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Paused { until, reason } => self.pause = Some((*reason, *until)),
            Notice::Resumed => self.pause = None,
            Notice::Stopping(stopped) => self.stopping = Some(stopped.cause),
            _ => {}
        }
    }

    fn lately(&mut self, at: Elapsed, rows: u64, bytes: u64) {
        self.pace.note(at, rows, bytes);
        let second = at.as_secs();
        match self.recent.back_mut() {
            Some((last, known_rows, known_bytes)) if *last >= second => {
                *known_rows += rows;
                *known_bytes += bytes;
            }
            _ => self.recent.push_back((second, rows, bytes)),
        }
        while self.recent.front().is_some_and(|(first, ..)| first + RECENT_SECONDS < second) {
            self.recent.pop_front();
        }
    }

    /// The counts at this moment.
    pub fn view(&self, now: Elapsed) -> View {
        let (rows_each_second, bytes_each_second) = self.rates(now);
        let left = self.scope.to_do.saturating_sub(u64::from(self.ended.total()));
        let lasting = |amount: u64, rate: f64| (rate > 0.0).then(|| seconds(amount as f64 / rate));
        let sent = self.ended_bytes.saturating_add(self.under_way.values().sum());
        let by_pace = self.pace.lasting(left, self.scope.bytes.saturating_sub(sent));
        // In the first seconds only rows are known.
        let time_left = (left > 0).then(|| by_pace.or_else(|| lasting(left, rows_each_second.now))).flatten();
        // A row costs one credit, or more where answers are lost; so this is the latest that they last.
        let credits_last = self.credits_left.filter(|credits| *credits < left);
        View {
            elapsed: now,
            scope: self.scope,
            ended: self.ended,
            in_doubt: self.in_doubt.len() as u64,
            throttled: self.throttled,
            postponed: self.postponed,
            bytes: self.bytes,
            rows_each_second,
            bytes_each_second,
            time_left,
            credits_left: self.credits_left,
            credits_last: credits_last.and_then(|credits| lasting(credits, rows_each_second.now)),
            pause: self.pause.map(|(reason, until)| (reason, until.saturating_sub(now))),
            stopping: self.stopping,
            under_way: self.under_way.iter().map(|(job, bytes)| (*job, *bytes)).collect(),
        }
    }

    fn rates(&self, now: Elapsed) -> (Rates, Rates) {
        let since = now.as_secs().saturating_sub(RECENT_SECONDS);
        let recent = self.recent.iter().filter(|(second, ..)| *second >= since);
        let (rows, bytes) = recent.fold((0, 0), |(rows, bytes), (_, r, b)| (rows + r, bytes + b));
        let elapsed = now.as_secs_f64().max(0.1);
        let span = elapsed.min(RECENT_SECONDS as f64);
        (
            Rates { now: rows as f64 / span, mean: f64::from(self.done) / elapsed },
            Rates { now: bytes as f64 / span, mean: self.bytes as f64 / elapsed },
        )
    }
}

/// A time that arithmetic on rates cannot make invalid.
fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or(Duration::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::engine::Ended;
    use crate::outcome::Outcome;
    use crate::reply::{DoubtBecause, Reply};

    pub(in crate::console) fn ended(job: u32, status: Status, code: &str, message: &str) -> Ended {
        let outcome = Outcome {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            attachment_id: None,
            http_status: None,
            tries: 1,
            took: Duration::from_millis(300),
            sent_at: None,
            finished_at: None,
            created_time: None,
            created_by: None,
        };
        Ended { job: JobId(job), outcome }
    }

    pub(in crate::console) fn reply(verdict: Verdict) -> Reply {
        Reply {
            verdict,
            code: "TOO_MANY_REQUESTS".to_owned(),
            message: String::new(),
            http_status: Some(429),
            took: Duration::ZERO,
            retry_after: None,
            credits_left: None,
        }
    }

    fn at(seconds: u64) -> Elapsed {
        Duration::from_secs(seconds)
    }

    const SCOPE: Scope = Scope { rows: 100, untouched: 40, attached_before: 39, failed_before: 1, to_do: 60, bytes: 0 };

    #[test]
    fn this_run_and_all_runs_are_counted_apart() {
        let mut tally = RunTally::new(SCOPE);
        tally.event(at(1), &RunEvent::Ended(&ended(0, Status::Uploaded, "", "")));
        tally.event(
            at(2),
            &RunEvent::Ended(&ended(1, Status::Failed, "INVALID_DATA", "the related id given is invalid")),
        );
        let view = tally.view(at(2));
        assert_eq!((view.attached(), view.ended(), view.overall()), (1, 2, 42));
    }

    #[test]
    fn rows_that_a_stop_leaves_for_later_are_not_done_and_make_no_rate() {
        let mut tally = RunTally::new(SCOPE);
        tally.event(at(1), &RunEvent::Ended(&ended(0, Status::Uploaded, "", "")));
        tally.event(at(2), &RunEvent::Ended(&ended(1, Status::InDoubt, "interrupted", "")));
        for job in 2..60 {
            tally.event(at(2), &RunEvent::Ended(&ended(job, Status::NotSent, "interrupted", "")));
        }
        let view = tally.view(at(2));
        assert_eq!((view.ended(), view.done(), view.overall()), (60, 1, 41));
        assert!((view.rows_each_second.mean - 0.5).abs() < 0.01, "{view:?}");
        assert!((view.rows_each_second.now - 0.5).abs() < 0.01, "{view:?}");
    }

    #[test]
    fn a_row_in_doubt_counts_until_it_is_settled() {
        let mut tally = RunTally::new(SCOPE);
        let lost = reply(Verdict::InDoubt(DoubtBecause::AnswerLost));
        tally.event(at(1), &RunEvent::Started { job: JobId(7) });
        tally.event(at(1), &RunEvent::Postponed { job: JobId(7), reply: &lost });
        assert_eq!(tally.view(at(1)).in_doubt, 1);
        assert!(tally.view(at(1)).under_way.is_empty());
        tally.event(at(2), &RunEvent::Ended(&ended(7, Status::Uploaded, "settled-by-listing", "")));
        assert_eq!(tally.view(at(2)).in_doubt, 0);
    }

    #[test]
    fn bytes_of_every_try_count_once() {
        let mut tally = RunTally::new(SCOPE);
        for bytes in [100, 250, 250] {
            tally.event(at(1), &RunEvent::Sent { job: JobId(0), bytes });
        }
        let throttled = reply(Verdict::Retry(RetryBecause::Throttled));
        tally.event(at(1), &RunEvent::Postponed { job: JobId(0), reply: &throttled });
        tally.event(at(2), &RunEvent::Started { job: JobId(0) });
        tally.event(at(2), &RunEvent::Sent { job: JobId(0), bytes: 250 });
        let view = tally.view(at(2));
        assert_eq!((view.bytes, view.throttled, view.under_way), (500, 1, vec![(JobId(0), 250)]));
    }

    #[test]
    fn rates_speak_of_the_last_half_minute_and_of_all_the_time() {
        let mut tally = RunTally::new(Scope { rows: 1_000, to_do: 1_000, ..Scope::default() });
        for second in 1..=100 {
            tally.event(at(second), &RunEvent::Ended(&ended(second as u32, Status::Uploaded, "", "")));
        }
        tally.event(at(100), &RunEvent::Credits { left: 300 });
        let view = tally.view(at(115));
        assert!((view.rows_each_second.now - 16.0 / 30.0).abs() < 0.01, "{view:?}");
        assert!((view.rows_each_second.mean - 100.0 / 115.0).abs() < 0.01, "{view:?}");
        assert!(view.credits_last.unwrap() < view.time_left.unwrap());
        assert_eq!(RunTally::new(SCOPE).view(at(0)).time_left, None);
    }
}
