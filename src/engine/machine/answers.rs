//! What follows from an answer to an upload.

use std::time::Duration;

use jiff::Timestamp;

use super::Engine;
use super::ends::{internal_error, said};
use crate::engine::gate::Change;
use crate::engine::retry::named_wait;
use crate::engine::streak::Judgement;
use crate::engine::{At, Ended, JobId, Notice, PauseReason, StopCause, Ticket, Told};
use crate::outcome::{OwnCode, Status, is_temporary};
use crate::reply::{Created, DoubtBecause, FailedBy, ListReply, Reply, RetryBecause, StopBecause, Verdict};

/// How long to sleep where the service says that no credits are left, since it does not say when there will be some.
const CREDITS_PAUSE: Duration = Duration::from_secs(3_600);

impl Engine<'_> {
    pub(super) fn upload_told(&mut self, now: At, id: JobId, ticket: &Ticket, told: Told, out: &mut Vec<Ended>) {
        let job = self.job(id);
        self.lineup.returned(&job);
        if let Some(count) = self.uploading.get_mut(&job.record) {
            *count -= 1;
            if *count == 0 {
                self.uploading.remove(&job.record);
            }
        }
        match told {
            Told::Replied { reply, sent_at } => {
                self.note_sent_at(id, sent_at);
                self.replied(now, id, ticket, reply, out);
            }
            Told::ResultsFailed(why) => {
                if let Some(open) = self.open.get_mut(&id) {
                    open.announced = false;
                    open.tries -= 1;
                }
                self.results_failed(&why);
            }
            Told::Panicked { begun, sent_at } => {
                self.note_sent_at(id, sent_at);
                self.panicked(now, id, begun, out);
            }
            Told::Listed { .. } => {}
        }
    }

    fn note_sent_at(&mut self, id: JobId, sent_at: Option<Timestamp>) {
        let open = self.open.entry(id).or_default();
        open.sent_at = open.sent_at.or(sent_at);
    }

    pub(super) fn panicked(&mut self, now: At, id: JobId, begun: bool, out: &mut Vec<Ended>) {
        if begun {
            self.doubt(now, id, internal_error(Verdict::InDoubt(DoubtBecause::AnswerLost)), out);
            return;
        }
        let open = self.open.entry(id).or_default();
        // Whether its line is on the disk is not known: it is written once more.
        open.announced = false;
        if std::mem::replace(&mut open.panicked, true) {
            let reply = internal_error(Verdict::Failed(FailedBy::Row));
            self.end_by_reply(id, Status::Failed, &reply, out);
        } else {
            self.delayed.insert((now, id));
        }
    }

    fn replied(&mut self, now: At, id: JobId, ticket: &Ticket, reply: Reply, out: &mut Vec<Ended>) {
        if let Some(left) = reply.credits_left {
            self.credits.learn(now, left);
        }
        let module = self.job(id).module;
        match reply.verdict.clone() {
            Verdict::Uploaded(created) => {
                self.answered(now, ticket);
                self.learn(id, &created);
                self.went_well(module);
                self.end_uploaded(id, &reply, created, out);
            }
            Verdict::AlreadyPresent => {
                self.answered(now, ticket);
                self.went_well(module);
                self.end_by_reply(id, Status::AlreadyPresent, &reply, out);
            }
            Verdict::Failed(by) => {
                if by != FailedBy::File {
                    self.answered(now, ticket);
                }
                self.end_by_reply(id, Status::Failed, &reply, out);
                self.judge(module, by, &reply);
            }
            Verdict::Retry(because) => self.retry(now, id, ticket, because, reply, out),
            Verdict::InDoubt(because) => {
                let change = self.gate.doubted(now, ticket.probe, because == DoubtBecause::ServerError);
                self.heed(now, change);
                self.doubt(now, id, reply, out);
            }
            Verdict::Stop(because) => self.stopped_by_upload(now, id, because, reply),
        }
    }

    /// The service answered as it should.
    pub(super) fn answered(&mut self, now: At, ticket: &Ticket) {
        self.window.served();
        let change = self.gate.good(ticket.probe);
        self.heed(now, change);
    }

    fn went_well(&mut self, module: u16) {
        self.lineup.prove(module);
        if let Some(streak) = self.module_streaks.get_mut(usize::from(module)) {
            self.run_streak.success(streak);
        }
    }

    /// Learns from a success who we are, and how far the clock of `Created_Time` is behind.
    pub(super) fn learn(&mut self, id: JobId, created: &Created) {
        self.author = self.author.or(created.by);
        let made = created.time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
        let sent = self.open.get(&id).and_then(|open| open.sent_at);
        if let (Some(made), Some(sent)) = (made, sent) {
            self.behind_seconds = self.behind_seconds.max(sent.as_second() - made.as_second());
        }
    }

    fn judge(&mut self, module: u16, by: FailedBy, reply: &Reply) {
        if matches!(by, FailedBy::Record | FailedBy::Row) {
            self.lineup.prove(module);
        }
        let Some(streak) = self.module_streaks.get_mut(usize::from(module)) else { return };
        let said = said(reply);
        match self.run_streak.refusal(streak, by, &reply.code) {
            Judgement::GoOn => {}
            Judgement::CloseModule => self.close_module(module, said),
            Judgement::StopForRecords(count) => self.stop(
                StopCause::Streak,
                format!("{count} records in a row are not known to the service (last answer: {said})"),
                "Were the ids rounded by a spreadsheet, or are they of another organisation? Mend them and run again.",
                None,
            ),
            Judgement::StopForUnlisted(count) => self.stop(
                StopCause::Streak,
                format!("the service refused {count} rows in a row in a way that is not documented: {said}"),
                "Find out what the answer means, then run the same command again.",
                None,
            ),
        }
    }

    fn close_module(&mut self, module: u16, said: String) {
        self.lineup.close(module);
        self.notices.push(Notice::ModuleClosed { module, message: said.clone() });
        self.closed_modules.insert(module, said);
    }

    fn retry(
        &mut self,
        now: At,
        id: JobId,
        ticket: &Ticket,
        because: RetryBecause,
        reply: Reply,
        out: &mut Vec<Ended>,
    ) {
        self.brake(now, ticket, because, &reply);
        let open = self.open.entry(id).or_default();
        // A row that happens to try whether a pause is over must not use its tries up on that.
        open.failures += u32::from(!ticket.probe);
        let failures = open.failures;
        if self.settings.retry_policy().allows(because, failures) {
            open.last = Some(reply);
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
    pub(super) fn brake(&mut self, now: At, ticket: &Ticket, because: RetryBecause, reply: &Reply) {
        let change = match because {
            RetryBecause::Throttled => {
                self.ending.throttled += 1;
                let named = reply.retry_after.map(|named| named_wait(named, &mut self.random));
                let change = self.gate.throttled(now, ticket.probe, named, self.in_flight == 0);
                self.narrow(now, ticket);
                change
            }
            RetryBecause::NotConnected | RetryBecause::Passing => self.gate.missed(now, ticket.probe),
            RetryBecause::LocalShortage => {
                self.narrow(now, ticket);
                Change::None
            }
            RetryBecause::TokenRenewed => Change::None,
        };
        self.heed(now, change);
    }

    fn narrow(&mut self, now: At, ticket: &Ticket) {
        self.window.throttled(now, ticket.started, self.in_flight);
        let window = self.window.limit(now);
        self.notices.push(Notice::Throttled { window });
    }

    pub(super) fn backoff(&mut self, because: RetryBecause, failures: u32) -> Duration {
        self.settings.retry_policy().delay(because, failures, &mut self.random)
    }

    fn stopped_by_upload(&mut self, now: At, id: JobId, because: StopBecause, reply: Reply) {
        if self.waits_for_credits(now, because, &reply) {
            self.delayed.insert((now, id));
        } else {
            self.stop_by_service(because, &reply);
        }
        self.open.entry(id).or_default().last = Some(reply);
    }

    /// Whether the answer says that no credits are left and the user wants to wait for more: then nothing is asked for a
    /// while.
    pub(super) fn waits_for_credits(&mut self, now: At, because: StopBecause, reply: &Reply) -> bool {
        let waits = because == StopBecause::Limit && self.settings.wait_for_credits && reply.credits_left == Some(0);
        if waits {
            let change = self.gate.wait_until(now + CREDITS_PAUSE, PauseReason::Credits);
            self.heed(now, change);
        }
        waits
    }
}

/// Whether the task came back without a word of the service.
pub(super) fn asked_nothing(told: &Told) -> bool {
    match told {
        Told::Listed { reply: ListReply::Listed(_), .. } => false,
        Told::Listed { reply: ListReply::Not(reply), .. } | Told::Replied { reply, .. } => matches!(
            reply.verdict,
            Verdict::Failed(FailedBy::File)
                | Verdict::Retry(RetryBecause::LocalShortage | RetryBecause::TokenRenewed)
                | Verdict::Stop(_)
        ),
        Told::ResultsFailed(_) | Told::Panicked { .. } => true,
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
