//! What follows from an answer to an upload.

use std::time::Duration;

use jiff::Timestamp;

use super::Engine;
use super::ends::{answer_text, internal_error};
use crate::engine::brakes::circuit_breaker::BreakerChange;
use crate::engine::brakes::failure_streaks::StreakVerdict;
use crate::engine::retry::named_wait;
use crate::engine::{Elapsed, Ended, JobId, Notice, PauseReason, StopCause, TaskResult, Ticket};
use crate::outcome::{OwnCode, Status, is_temporary};
use crate::reply::{Created, DoubtBecause, FailedBy, ListReply, Reply, RetryBecause, StopBecause, Verdict};

/// How long to sleep where the service says that no credits are left, since it does not say when there will be some.
const CREDITS_PAUSE: Duration = Duration::from_secs(3_600);

impl Engine<'_> {
    pub(super) fn handle_upload(
        &mut self,
        now: Elapsed,
        id: JobId,
        ticket: &Ticket,
        result: TaskResult,
        out: &mut Vec<Ended>,
    ) {
        let job = self.job(id);
        self.scheduler.returned(&job);
        if let Some(count) = self.uploading.get_mut(&job.record) {
            *count -= 1;
            if *count == 0 {
                self.uploading.remove(&job.record);
            }
        }
        match result {
            TaskResult::Replied { reply, sent_at } => {
                self.note_sent_at(id, sent_at);
                self.handle_reply(now, id, ticket, reply, out);
            }
            TaskResult::ResultsFailed(why) => {
                if let Some(progress) = self.in_progress.get_mut(&id) {
                    progress.announced = false;
                    progress.tries -= 1;
                }
                self.handle_results_failure(&why);
            }
            TaskResult::Panicked { begun, sent_at } => {
                self.note_sent_at(id, sent_at);
                self.handle_panic(now, id, begun, out);
            }
            TaskResult::Listed { .. } => {}
        }
    }

    fn note_sent_at(&mut self, id: JobId, sent_at: Option<Timestamp>) {
        let progress = self.in_progress.entry(id).or_default();
        progress.sent_at = progress.sent_at.or(sent_at);
    }

    pub(super) fn handle_panic(&mut self, now: Elapsed, id: JobId, begun: bool, out: &mut Vec<Ended>) {
        if begun {
            self.doubt(now, id, internal_error(Verdict::InDoubt(DoubtBecause::AnswerLost)), out);
            return;
        }
        let progress = self.in_progress.entry(id).or_default();
        // Whether its line is on the disk is not known: it is written once more.
        progress.announced = false;
        if std::mem::replace(&mut progress.panicked, true) {
            let reply = internal_error(Verdict::Failed(FailedBy::Row));
            self.end_by_reply(id, Status::Failed, &reply, out);
        } else {
            self.delayed.insert((now, id));
        }
    }

    fn handle_reply(&mut self, now: Elapsed, id: JobId, ticket: &Ticket, reply: Reply, out: &mut Vec<Ended>) {
        if let Some(left) = reply.credits_left {
            self.credits.learn(now, left);
        }
        let module = self.job(id).module;
        match reply.verdict.clone() {
            Verdict::Uploaded(created) => {
                self.note_served(now, ticket);
                self.learn(id, &created);
                self.note_success(module);
                self.end_uploaded(id, &reply, created, out);
            }
            Verdict::AlreadyPresent => {
                self.note_served(now, ticket);
                self.note_success(module);
                self.end_by_reply(id, Status::AlreadyPresent, &reply, out);
            }
            Verdict::Failed(by) => {
                if by != FailedBy::File {
                    self.note_served(now, ticket);
                }
                self.end_by_reply(id, Status::Failed, &reply, out);
                self.handle_refusal(module, by, &reply);
            }
            Verdict::Retry(because) => self.retry(now, id, ticket, because, reply, out),
            Verdict::InDoubt(because) => {
                let change = self.breaker.doubted(now, ticket.probe, because == DoubtBecause::ServerError);
                self.apply_breaker(now, change);
                self.doubt(now, id, reply, out);
            }
            Verdict::Stop(because) => self.stopped_by_upload(now, id, because, reply),
        }
    }

    /// The service answered as it should.
    pub(super) fn note_served(&mut self, now: Elapsed, ticket: &Ticket) {
        self.concurrency.served();
        let change = self.breaker.good(ticket.probe);
        self.apply_breaker(now, change);
    }

    fn note_success(&mut self, module: u16) {
        self.scheduler.prove(module);
        if let Some(streak) = self.module_streaks.get_mut(usize::from(module)) {
            self.run_streak.success(streak);
        }
    }

    /// Learns from a success who we are, and how far the clock of `Created_Time` is behind.
    pub(super) fn learn(&mut self, id: JobId, created: &Created) {
        self.author = self.author.or(created.by);
        let made = created.time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
        let sent = self.in_progress.get(&id).and_then(|progress| progress.sent_at);
        if let (Some(made), Some(sent)) = (made, sent) {
            self.behind_seconds = self.behind_seconds.max(sent.as_second() - made.as_second());
        }
    }

    fn handle_refusal(&mut self, module: u16, by: FailedBy, reply: &Reply) {
        if matches!(by, FailedBy::Record | FailedBy::Row) {
            self.scheduler.prove(module);
        }
        let Some(streak) = self.module_streaks.get_mut(usize::from(module)) else { return };
        let answer_text = answer_text(reply);
        match self.run_streak.refusal(streak, by, &reply.code) {
            StreakVerdict::GoOn => {}
            StreakVerdict::CloseModule => self.close_module(module, answer_text),
            StreakVerdict::StopForRecords(count) => self.stop(
                StopCause::Streak,
                format!("{count} records in a row are not known to the service (last answer: {answer_text})"),
                "Were the ids rounded by a spreadsheet, or are they of another organisation? Mend them and run again.",
                None,
            ),
            StreakVerdict::StopForUnlisted(count) => self.stop(
                StopCause::Streak,
                format!("the service refused {count} rows in a row in a way that is not documented: {answer_text}"),
                "Find out what the answer means, then run the same command again.",
                None,
            ),
        }
    }

    fn close_module(&mut self, module: u16, answer_text: String) {
        self.scheduler.close(module);
        self.notices.push(Notice::ModuleClosed { module, message: answer_text.clone() });
        self.closed_modules.insert(module, answer_text);
    }

    fn retry(
        &mut self,
        now: Elapsed,
        id: JobId,
        ticket: &Ticket,
        because: RetryBecause,
        reply: Reply,
        out: &mut Vec<Ended>,
    ) {
        self.brake(now, ticket, because, &reply);
        let progress = self.in_progress.entry(id).or_default();
        // A row that happens to try whether a pause is over must not use its tries up on that.
        progress.failures += u32::from(!ticket.probe);
        let failures = progress.failures;
        if self.policy.retry_policy().allows(because, failures) {
            progress.last = Some(reply);
            let at = now + self.backoff(because, failures);
            self.delayed.insert((at, id));
        } else if because == RetryBecause::TokenRenewed {
            self.stopped_by_upload(now, id, StopBecause::Credentials, reply);
        } else {
            let code = temporary_code(because, &reply.code);
            self.end_by_reply(id, Status::Failed, &Reply { code, ..reply }, out);
        }
    }

    /// Slows everybody down as the answer asks.
    pub(super) fn brake(&mut self, now: Elapsed, ticket: &Ticket, because: RetryBecause, reply: &Reply) {
        let change = match because {
            RetryBecause::Throttled => {
                self.ending.throttled += 1;
                let named = reply.retry_after.map(|named| named_wait(named, &mut self.random));
                let change = self.breaker.throttled(now, ticket.probe, named, self.in_flight == 0);
                self.reduce_concurrency(now, ticket);
                change
            }
            RetryBecause::NotConnected | RetryBecause::Passing => self.breaker.missed(now, ticket.probe),
            RetryBecause::LocalShortage => {
                self.reduce_concurrency(now, ticket);
                BreakerChange::None
            }
            RetryBecause::TokenRenewed => BreakerChange::None,
        };
        self.apply_breaker(now, change);
    }

    fn reduce_concurrency(&mut self, now: Elapsed, ticket: &Ticket) {
        self.concurrency.throttled(now, ticket.started, self.in_flight);
        let window = self.concurrency.limit(now);
        self.notices.push(Notice::Throttled { window });
    }

    pub(super) fn backoff(&mut self, because: RetryBecause, failures: u32) -> Duration {
        self.policy.retry_policy().delay(because, failures, &mut self.random)
    }

    fn stopped_by_upload(&mut self, now: Elapsed, id: JobId, because: StopBecause, reply: Reply) {
        if self.waits_for_credits(now, because, &reply) {
            self.delayed.insert((now, id));
        } else {
            self.stop_by_service(because, &reply);
        }
        self.in_progress.entry(id).or_default().last = Some(reply);
    }

    /// Whether the answer says that no credits are left and the user wants to wait for more: then nothing is asked for a
    /// while.
    pub(super) fn waits_for_credits(&mut self, now: Elapsed, because: StopBecause, reply: &Reply) -> bool {
        let waits = because == StopBecause::Limit && self.policy.wait_for_credits && reply.credits_left == Some(0);
        if waits {
            let change = self.breaker.wait_until(now + CREDITS_PAUSE, PauseReason::Credits);
            self.apply_breaker(now, change);
        }
        waits
    }
}

/// Whether the task came back without a word of the service.
pub(super) fn never_reached_service(result: &TaskResult) -> bool {
    match result {
        TaskResult::Listed { reply: ListReply::Listed(_), .. } => false,
        TaskResult::Listed { reply: ListReply::Not(reply), .. } | TaskResult::Replied { reply, .. } => matches!(
            reply.verdict,
            Verdict::Failed(FailedBy::File)
                | Verdict::Retry(RetryBecause::LocalShortage | RetryBecause::TokenRenewed)
                | Verdict::Stop(_)
        ),
        TaskResult::ResultsFailed(_) | TaskResult::Panicked { .. } => true,
    }
}

/// The code of a failure whose cause will pass: one that the next run knows to try again.
pub(super) fn temporary_code(because: RetryBecause, code: &str) -> String {
    if is_temporary(code) {
        return code.to_owned();
    }
    match because {
        RetryBecause::Throttled => OwnCode::Throttled.into(),
        RetryBecause::LocalShortage => OwnCode::LocalShortage.into(),
        RetryBecause::NotConnected | RetryBecause::TokenRenewed | RetryBecause::Passing => OwnCode::NotConnected.into(),
    }
}
