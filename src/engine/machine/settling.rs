//! Rows in doubt: when their record has been read, what becomes of them.

use std::time::Duration;

use jiff::Timestamp;

use super::Engine;
use super::ends::internal_error;
use crate::engine::list_inquiry::RecordList;
use crate::engine::policy::Assume;
use crate::engine::settle::compare::{self, Evidence, Suspect};
use crate::engine::settle::decide::{self, AfterAbsence, SettleDecision};
use crate::engine::settle::queue::Turn;
use crate::engine::{Clock, Elapsed, Ended, JobId, ListTicket, PriorDoubt, RecordIx};
use crate::outcome::{OwnCode, Status};
use crate::reply::{DoubtBecause, FailedBy, Refusal, Reply, RetryBecause, StopBecause, Verdict};
#[cfg(test)]
use crate::simulation::mistakes::{Mistake, is_made};

/// The second read of a record comes so long after the first, or after the settle time if that is less.
const SECOND_READ_AFTER: Duration = Duration::from_secs(5);
/// By how much two clocks of the service may differ.
const GREY_SECONDS: i64 = 120;

impl Engine<'_> {
    pub(super) fn doubt(&mut self, now: Elapsed, id: JobId, reply: Reply, out: &mut Vec<Ended>) {
        let record = self.job(id).record;
        let progress = self.in_progress.entry(id).or_default();
        progress.doubt = Some(match reply.verdict {
            Verdict::InDoubt(because) => because,
            _ => DoubtBecause::AnswerLost,
        });
        progress.last = Some(reply);
        self.settling_announced = false;
        self.doubts.add(record, id, now + self.policy.settle_time, Turn::AtTheEnd);
        if !self.listable {
            self.give_up_listing(record, "", out);
        }
    }

    /// Nothing can be told of the record's rows in doubt.
    pub(super) fn give_up_listing(&mut self, record: RecordIx, why: &str, out: &mut Vec<Ended>) {
        let message = match why {
            "" => "the token may not read attachments, so what became of the upload cannot be told".to_owned(),
            _ => format!("the record's attachments cannot be listed: {why}"),
        };
        for id in self.doubts.rows_of(record).to_vec() {
            self.decide(id, SettleDecision::Untold(OwnCode::NotListable, message.clone()), out);
        }
        self.scheduler.release_record(&self.jobs, record);
    }

    pub(super) fn handle_no_settle_list(
        &mut self,
        now: Elapsed,
        ticket: &ListTicket,
        reply: Reply<Refusal>,
        out: &mut Vec<Ended>,
    ) {
        let record = ticket.record;
        match reply.verdict {
            Refusal::Failed(_) => self.give_up_listing(record, &reply.answer_text(), out),
            Refusal::Stop(StopBecause::Scope) => self.unlistable(&reply.answer_text(), record, out),
            Refusal::Stop(because) if self.waits_for_credits(now, because, &reply) => {
                self.doubts.postpone(record, now, self.doubts.failures(record));
                self.free(record);
            }
            Refusal::Stop(because) => {
                self.stop_by_service(because, &reply);
                // Whatever stopped this list stops the next one, too.
                self.end_settling();
                self.leave_in_doubt(record);
            }
            Refusal::Retry(because) => {
                // A list that happens to try whether a pause is over must not use its tries up on that.
                let failures = self.doubts.failures(record) + u32::from(!ticket.dispatch.probe);
                let at = now + self.backoff(RetryBecause::Passing, failures);
                self.doubts.postpone(record, at, failures);
                if !self.policy.retry_policy().allows(because, failures) {
                    self.leave_in_doubt(record);
                }
                self.free(record);
            }
        }
    }

    pub(super) fn leave_in_doubt(&mut self, record: RecordIx) {
        self.doubts.give_up(record);
        self.free(record);
    }

    /// Rows may start on the record again, unless they must first be compared with what it has (`--if-exists`): while a
    /// row is in doubt, its attachment would pass for somebody else's.
    pub(super) fn free(&mut self, record: RecordIx) {
        if !self.baselines.needs(record) || self.doubts.rows_of(record).is_empty() {
            self.scheduler.release_record(&self.jobs, record);
        }
    }

    /// Reads one list. Rows that are found are settled at once; the others after a second read.
    pub(super) fn read(&mut self, now: Elapsed, record: RecordIx, list: &RecordList, out: &mut Vec<Ended>) {
        let rows = self.doubts.rows_of(record).to_vec();
        let findings = self.compare(&rows, list);
        let absent_at_first = self.doubts.absent_at_first(record).map(<[JobId]>::to_vec);
        let mut absent = Vec::new();
        for (id, finding) in rows.into_iter().zip(findings) {
            let at_first = absent_at_first.as_ref().map(|first| first.contains(&id));
            #[cfg(test)]
            let at_first = if is_made(Mistake::SettlesByOneReading) { Some(true) } else { at_first };
            let is_absent = finding == SettleDecision::Absent;
            match decide::after_read(finding, at_first) {
                Some(decision) => {
                    if decision == SettleDecision::Absent {
                        let had = list.listed.iter().map(|listed| listed.id).collect();
                        self.in_progress.entry(id).or_default().had = Some(had);
                    }
                    self.decide(id, decision, out);
                }
                None if is_absent => absent.push(id),
                None => {}
            }
        }
        if self.doubts.rows_of(record).is_empty() {
            self.scheduler.release_record(&self.jobs, record);
        } else {
            self.doubts.read_again(record, now + SECOND_READ_AFTER.min(self.policy.settle_time), absent);
        }
    }

    fn compare(&self, rows: &[JobId], list: &RecordList) -> Vec<SettleDecision> {
        let suspects: Vec<Suspect<'_>> = rows.iter().map(|id| self.suspect(*id)).collect();
        let grey_seconds = match list.clock {
            Clock::Service => Some(GREY_SECONDS + self.behind_seconds),
            Clock::Local => None,
        };
        let evidence = Evidence { listed: &list.listed, claimed: &list.claimed, grey_seconds };
        let findings = compare::compare(&suspects, evidence);
        findings.into_iter().map(SettleDecision::from).collect()
    }

    fn suspect(&self, id: JobId) -> Suspect<'_> {
        let progress = self.in_progress.get(&id);
        let prior = progress.and_then(|progress| progress.prior.as_ref());
        let mut descriptor = self.descriptors.descriptor(id);
        // A row that was sent again in this run was sent as the file is now.
        if let Some(prior) = prior.filter(|_| !progress.is_some_and(|progress| progress.begun)) {
            descriptor.size = prior.size.or(descriptor.size);
        }
        let sent_at = progress.and_then(|progress| progress.sent_at).map_or(i64::MIN, Timestamp::as_second);
        // Where every success of ours seems made a second too early, so will the one that is looked for.
        let sent_at = sent_at.saturating_sub(self.behind_seconds.min(GREY_SECONDS));
        // Who an earlier run sent as is not known: it may have been somebody else.
        let given_up = prior.is_some_and(|prior| prior.was == PriorDoubt::Unknown);
        let had = progress.and_then(|progress| progress.had.as_deref());
        Suspect { descriptor, sent_at, author: if prior.is_some() { None } else { self.author }, given_up, had }
    }

    fn decide(&mut self, id: JobId, decision: SettleDecision, out: &mut Vec<Ended>) {
        let record = self.job(id).record;
        self.doubts.remove(record, id);
        let progress = self.in_progress.entry(id).or_default();
        // What the user said holds for the doubt that the earlier run left, not for one of this run.
        let looked_again =
            !progress.begun && progress.prior.as_ref().is_some_and(|prior| prior.was == PriorDoubt::Unknown);
        let doubt = progress.doubt.take();
        match (decision, self.policy.assume.filter(|_| looked_again)) {
            (SettleDecision::Found(listed), _) => {
                let mut outcome = self.outcome(id, Status::Uploaded, OwnCode::SettledByListing.into(), String::new());
                outcome.attachment_id = Some(listed.id);
                outcome.created_time =
                    listed.created.and_then(|time| Timestamp::from_second(time).ok()).map(|time| time.to_string());
                outcome.created_by = listed.created_by;
                self.finish(id, outcome, out);
            }
            (SettleDecision::Absent, _) | (SettleDecision::Untold(..), Some(Assume::Absent)) => {
                self.absent(id, doubt, out);
            }
            (SettleDecision::Untold(..), Some(Assume::Present)) => {
                let message = "what the record's list cannot tell is taken for present, as was said".to_owned();
                let outcome = self.outcome(id, Status::Uploaded, OwnCode::Assumed.into(), message);
                self.finish(id, outcome, out);
            }
            (SettleDecision::Untold(code, message), None) => {
                let outcome = self.outcome(id, Status::Unknown, code.into(), message);
                self.finish(id, outcome, out);
            }
        }
    }

    /// The row's attachment was surely not created: it goes again, unless there is a reason why not.
    fn absent(&mut self, id: JobId, doubt: Option<DoubtBecause>, out: &mut Vec<Ended>) {
        let job = self.job(id);
        let progress = self.in_progress.entry(id).or_default();
        match decide::after_absence(doubt, progress.prior.as_ref(), progress.rounds) {
            AfterAbsence::SendAgain => {}
            AfterAbsence::End(status, code, message) => {
                let outcome = self.outcome(id, status, code.into(), message);
                self.finish(id, outcome, out);
                return;
            }
            AfterAbsence::EndByAnswer => {
                let answer = progress.last.take().unwrap_or_else(|| internal_error(Verdict::Failed(FailedBy::Row)));
                self.end_by_reply(id, Status::Failed, &answer, out);
                return;
            }
        }
        // What an earlier run sent is no round of this one.
        progress.rounds += u32::from(progress.begun);
        progress.announced = false;
        // Two that hold each other back (both left behind by earlier runs) would wait for ever.
        if self.scheduler.is_held_by_group(job.ambiguity_group, id) {
            self.scheduler.release_group(&self.jobs, id);
        }
        self.scheduler.bring_back(&job, id);
    }
}
