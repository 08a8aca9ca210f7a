//! What follows from an answer to an upload.

use std::time::Duration;

use jiff::Timestamp;

use super::ends::internal_error;
use super::{AfterStop, Engine};
use crate::engine::brakes::circuit_breaker::BreakerChange;
use crate::engine::brakes::failure_streaks::StreakVerdict;
use crate::engine::retry::named_wait;
use crate::engine::{Dispatch, Elapsed, Ended, JobId, Notice, PauseReason, StopCause, UploadResult, UploadTicket};
use crate::outcome::{OwnCode, Status, is_temporary};
use crate::reply::{Created, DoubtBecause, FailedBy, Reply, RetryBecause, StopBecause, Verdict};

/// How long to sleep where the service says that no credits are left, since it does not say when there will be some.
const CREDITS_PAUSE: Duration = Duration::from_secs(3_600);

impl Engine<'_> {
    pub(super) fn apply_upload(
        &mut self,
        now: Elapsed,
        ticket: &UploadTicket,
        result: UploadResult,
        out: &mut Vec<Ended>,
    ) {
        let id = ticket.job;
        let job = self.job(id);
        self.scheduler.returned(&job);
        if let Some(count) = self.uploading.get_mut(&job.record) {
            *count -= 1;
            if *count == 0 {
                self.uploading.remove(&job.record);
            }
        }
        match result {
            UploadResult::Replied { reply, sent_at, held } => {
                self.note_sent_at(id, sent_at);
                let reply = self.believed(reply, held);
                self.handle_reply(now, id, ticket.dispatch, reply, out);
            }
            UploadResult::ResultsFailed(why) => {
                if let Some(progress) = self.in_progress.get_mut(&id) {
                    progress.announced = false;
                    progress.tries -= 1;
                }
                self.handle_results_failure(&why);
            }
            UploadResult::Panicked { begun, sent_at } => {
                self.note_sent_at(id, sent_at);
                self.handle_panic(now, id, begun, out);
            }
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

    /// An answer that names an attachment which some row has already is the answer to another request: a proxy repeats
    /// it, or a connection is out of step. It says nothing about this row. An attachment that was named once, believed or
    /// not, is never believed of another row.
    fn believed(&mut self, reply: Reply, held: bool) -> Reply {
        match &reply.verdict {
            Verdict::Uploaded(created) if !self.known.insert(created.id) || held => Reply {
                message: format!(
                    "the answer names attachment {}, which was there already or is another row's",
                    created.id
                ),
                code: OwnCode::Unreadable.into(),
                verdict: Verdict::InDoubt(DoubtBecause::Unreadable),
                ..reply
            },
            _ => reply,
        }
    }

    fn handle_reply(&mut self, now: Elapsed, id: JobId, dispatch: Dispatch, reply: Reply, out: &mut Vec<Ended>) {
        if let Some(left) = reply.credits_left {
            self.credits.learn(now, left);
        }
        let module = self.job(id).module;
        let named = reply.retry_after;
        match reply.verdict.clone() {
            Verdict::Uploaded(created) => {
                self.note_served(now, dispatch);
                self.learn(id, &created);
                self.note_success(module);
                self.end_uploaded(id, &reply, created, out);
            }
            Verdict::AlreadyPresent => {
                self.note_served(now, dispatch);
                self.note_success(module);
                self.end_by_reply(id, Status::AlreadyPresent, &reply, out);
            }
            Verdict::Failed(by) => {
                if by != FailedBy::File {
                    self.note_served(now, dispatch);
                }
                self.end_by_reply(id, Status::Failed, &reply, out);
                self.handle_refusal(module, by, &reply);
            }
            Verdict::Retry(because) => self.retry(now, id, dispatch, because, reply, out),
            Verdict::InDoubt(because) => {
                self.brake_in_doubt(now, dispatch, because);
                self.doubt(now, id, reply, out);
            }
            Verdict::Stop(because) => self.stopped_by_upload(now, id, because, reply),
            Verdict::StopInDoubt(because) => {
                self.stop_by_service(because, &reply);
                self.doubt(now, id, reply, out);
            }
        }
        self.wait_as_named(now, named);
    }

    fn brake_in_doubt(&mut self, now: Elapsed, dispatch: Dispatch, because: DoubtBecause) {
        let server_error = matches!(because, DoubtBecause::ServerError | DoubtBecause::InternalError);
        if because.is_trouble() {
            let change = self.breaker.doubted(now, dispatch.probe, server_error);
            self.apply_breaker(now, change);
        } else if dispatch.probe {
            // It says nothing about what the pause is for: the next row tries.
            self.breaker.probe_wasted(now);
        }
    }

    /// A time to wait that any answer names is kept by everybody.
    pub(super) fn wait_as_named(&mut self, now: Elapsed, named: Option<Duration>) {
        let Some(named) = named else { return };
        let wait = named_wait(named, &mut self.random);
        let change = self.breaker.named(now, wait);
        self.apply_breaker(now, change);
    }

    /// The service answered as it should.
    pub(super) fn note_served(&mut self, now: Elapsed, dispatch: Dispatch) {
        self.concurrency.served();
        let change = self.breaker.good(dispatch.probe);
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
        let answer_text = reply.answer_text();
        match self.run_streak.refusal(streak, by, &reply.code) {
            StreakVerdict::GoOn => {}
            StreakVerdict::CloseModule => self.close_module(module, answer_text),
            StreakVerdict::StopForRecords(count) => self.stop(
                AfterStop::Settle,
                StopCause::Streak,
                format!("{count} records in a row are not known to the service (last answer: {answer_text})"),
                "Were the ids rounded by a spreadsheet, or are they of another organisation? Mend them and run again.",
                None,
            ),
            StreakVerdict::StopForUnlisted(count) => self.stop(
                AfterStop::Settle,
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
        dispatch: Dispatch,
        because: RetryBecause,
        reply: Reply,
        out: &mut Vec<Ended>,
    ) {
        self.brake(now, dispatch, because, reply.retry_after);
        let progress = self.in_progress.entry(id).or_default();
        // A row that happens to try whether a pause is over must not use its tries up on that; but a row whose token is
        // refused each time would have it renewed for ever.
        progress.failures += u32::from(!dispatch.probe || because == RetryBecause::TokenRenewed);
        let failures = progress.failures;
        if self.policy.retry_policy().allows(because, failures) {
            progress.last = Some(reply);
            let at = now + self.backoff(because, failures);
            self.delayed.insert((at, id));
        } else if because == RetryBecause::TokenRenewed {
            self.stopped_by_upload(now, id, StopBecause::Credentials, reply);
        } else {
            self.end_by_reply(id, Status::Failed, &temporary(because, reply), out);
        }
    }

    /// Slows everybody down as the answer asks.
    pub(super) fn brake(
        &mut self,
        now: Elapsed,
        dispatch: Dispatch,
        because: RetryBecause,
        retry_after: Option<Duration>,
    ) {
        let change = match because {
            RetryBecause::Throttled => {
                self.ending.throttled += 1;
                let change = match retry_after {
                    // The named time is kept for every kind of answer.
                    Some(_) => BreakerChange::None,
                    None => self.breaker.throttled(now, dispatch.probe, self.in_flight == 0),
                };
                self.reduce_concurrency(now, dispatch);
                change
            }
            RetryBecause::NotConnected | RetryBecause::Passing => self.breaker.missed(now, dispatch.probe),
            RetryBecause::LocalShortage => {
                self.reduce_concurrency(now, dispatch);
                BreakerChange::None
            }
            RetryBecause::TokenRenewed => BreakerChange::None,
        };
        self.apply_breaker(now, change);
    }

    fn reduce_concurrency(&mut self, now: Elapsed, dispatch: Dispatch) {
        self.concurrency.throttled(now, dispatch.started, self.in_flight);
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
    pub(super) fn waits_for_credits<V>(&mut self, now: Elapsed, because: StopBecause, reply: &Reply<V>) -> bool {
        let waits = because == StopBecause::Limit && self.policy.wait_for_credits && reply.credits_left == Some(0);
        if waits {
            let change = self.breaker.wait_until(now + CREDITS_PAUSE, PauseReason::Credits);
            self.apply_breaker(now, change);
        }
        waits
    }
}

/// Whether the request came back without a word of the service.
pub(super) fn never_reached_service(result: &UploadResult) -> bool {
    match result {
        UploadResult::Replied { reply, .. } => matches!(
            reply.verdict,
            Verdict::Failed(FailedBy::File)
                | Verdict::Retry(RetryBecause::LocalShortage | RetryBecause::TokenRenewed)
                | Verdict::Stop(_)
                | Verdict::StopInDoubt(_)
        ),
        UploadResult::ResultsFailed(_) | UploadResult::Panicked { .. } => true,
    }
}

/// The end of a row whose tries were used up by something that will pass: with a code that the next run knows to try
/// again, and with the service's own, if that is another, in its words.
pub(super) fn temporary<V>(because: RetryBecause, reply: Reply<V>) -> Reply<V> {
    if is_temporary(&reply.code) {
        return reply;
    }
    let code = match because {
        RetryBecause::Throttled => OwnCode::Throttled,
        RetryBecause::LocalShortage => OwnCode::LocalShortage,
        RetryBecause::NotConnected | RetryBecause::TokenRenewed | RetryBecause::Passing => OwnCode::NotConnected,
    };
    let message = if code.as_str() == reply.code { reply.message } else { reply.answer_text() };
    Reply { code: code.into(), message, ..reply }
}
