//! Questions about records: how an answer goes on to the next question, and the lists that come before rows: the first
//! request of a run, and what a record has already (`--if-exists`).

use std::collections::BTreeSet;

use hashbrown::{HashMap, HashSet};

use super::answers::temporary;
use super::ends::internal_error;
use super::{AfterStop, Engine, FirstRequest, FirstTry};
use crate::engine::list_inquiry::{InquiryStep, ListInquiry, RecordList};
use crate::engine::policy::IfExists;
use crate::engine::{
    Clock, Dispatch, Elapsed, Ended, Job, JobId, ListResult, ListTicket, Notice, Purpose, RecordClaims, RecordIx,
    StopCause,
};
use crate::listing::ListPage;
use crate::outcome::{OwnCode, Status};
use crate::reply::{Listed, PageReply, PresenceReply, Refusal, Reply, RetryBecause, StopBecause};
use crate::text::same_name;
use crate::units;
use crate::upload::ServiceId;

/// So many records are asked about at the beginning, where one list after the other is of no use.
const FIRST_RECORDS: usize = 5;

impl Engine<'_> {
    pub(super) fn apply_list(&mut self, now: Elapsed, ticket: &ListTicket, result: ListResult, out: &mut Vec<Ended>) {
        match result {
            ListResult::Page { reply: PageReply::Page { page, credits_left }, claims, clock } => {
                self.note_list_served(now, ticket.dispatch, credits_left);
                self.handle_page(now, ticket, page, &claims, clock, out);
            }
            ListResult::Page { reply: PageReply::AskAgain, .. } => {
                self.note_list_served(now, ticket.dispatch, None);
                self.ask_again(now, ticket);
            }
            ListResult::Presence(PresenceReply::Told { presence, credits_left }) => {
                self.note_list_served(now, ticket.dispatch, credits_left);
                let Some(inquiry) = self.inquiries.remove(&ticket.record) else { return };
                self.follow(now, ticket, inquiry.handle_presence(presence), out);
            }
            ListResult::Page { reply: PageReply::Not(reply), .. } | ListResult::Presence(PresenceReply::Not(reply)) => {
                self.note_list_refused(now, ticket.dispatch, &reply);
                let named = reply.retry_after;
                self.handle_no_list(now, ticket, reply, out);
                self.wait_as_named(now, named);
            }
            // Lists change nothing: if our own code failed during one, that is one more passing failure.
            ListResult::Panicked => {
                let reply = internal_error(Refusal::Retry(RetryBecause::Passing));
                self.note_list_refused(now, ticket.dispatch, &reply);
                self.handle_no_list(now, ticket, reply, out);
            }
            ListResult::ResultsFailed(why) => {
                self.first = FirstRequest::Done;
                self.probe_wasted(now, ticket.dispatch);
                self.handle_results_failure(&why);
            }
        }
    }

    fn note_list_served(&mut self, now: Elapsed, dispatch: Dispatch, credits_left: Option<u64>) {
        if let Some(left) = credits_left {
            self.credits.learn(now, left);
        }
        self.note_served(now, dispatch);
    }

    fn note_list_refused(&mut self, now: Elapsed, dispatch: Dispatch, reply: &Reply<Refusal>) {
        if let Some(left) = reply.credits_left {
            self.credits.learn(now, left);
        }
        match reply.verdict {
            Refusal::Retry(because) => {
                if matches!(because, RetryBecause::LocalShortage | RetryBecause::TokenRenewed) {
                    self.probe_wasted(now, dispatch);
                }
                self.brake(now, dispatch, because, reply.retry_after);
            }
            Refusal::Failed(_) => self.note_served(now, dispatch),
            Refusal::Stop(_) => self.probe_wasted(now, dispatch),
        }
    }

    fn probe_wasted(&mut self, now: Elapsed, dispatch: Dispatch) {
        if dispatch.probe {
            self.breaker.probe_wasted(now);
        }
    }

    /// The same question is due again, in another form.
    fn ask_again(&mut self, now: Elapsed, ticket: &ListTicket) {
        match std::mem::replace(&mut self.first, FirstRequest::Done) {
            FirstRequest::UnderWay(first) if ticket.purpose == Purpose::First => {
                self.first = FirstRequest::Due(FirstTry { at: now, ..first });
            }
            first => {
                self.first = first;
                self.questions.push_back(ticket.record);
            }
        }
    }

    fn handle_page(
        &mut self,
        now: Elapsed,
        ticket: &ListTicket,
        page: ListPage,
        claims: &RecordClaims,
        clock: Clock,
        out: &mut Vec<Ended>,
    ) {
        let record = ticket.record;
        self.known.extend(page.entries.iter().map(|listed| listed.id));
        let inquiry = match ticket.purpose {
            Purpose::First => {
                self.first = FirstRequest::Done;
                // The first page alone proves token, scope and module. What more it says is of use if the record must be
                // listed anyway.
                if !self.baselines.needs(record) || !self.doubts.rows_of(record).is_empty() {
                    return;
                }
                self.scheduler.hold_record(record);
                Some(ListInquiry::new(Purpose::Baseline))
            }
            Purpose::Baseline | Purpose::Settle => self.inquiries.remove(&record),
        };
        let Some(inquiry) = inquiry else { return };
        // What was uploaded within the settle time the service need not list yet; what is older, it must.
        let settle_time = self.policy.settle_time;
        let is_young = |id: ServiceId| self.recent.iter().any(|(at, recent)| *recent == id && *at + settle_time > now);
        let excused = |id: ServiceId| self.gone.contains(&id) || is_young(id);
        let step = inquiry.handle_page(page, claims, clock, excused);
        self.follow(now, ticket, step, out);
    }

    /// Goes on with an inquiry: to its next question, or to what is made of its list.
    fn follow(&mut self, now: Elapsed, ticket: &ListTicket, step: InquiryStep, out: &mut Vec<Ended>) {
        let record = ticket.record;
        match step {
            InquiryStep::Ask(inquiry) => {
                self.inquiries.insert(record, inquiry);
                self.questions.push_back(record);
            }
            InquiryStep::Done { list, gone } => {
                self.gone.extend(gone);
                match ticket.purpose {
                    Purpose::First | Purpose::Baseline => self.handle_baseline(record, &list, out),
                    Purpose::Settle => self.read(now, record, &list, out),
                }
            }
            InquiryStep::Unusable(why) => {
                let verdict = Refusal::Retry(RetryBecause::Passing);
                let reply = Reply { code: OwnCode::Unreadable.into(), message: why, ..internal_error(verdict) };
                let change = self.breaker.good(ticket.dispatch.probe);
                self.apply_breaker(now, change);
                self.handle_no_list(now, ticket, reply, out);
            }
        }
    }

    /// The record's list cannot be had, or cannot be believed. That is no trouble of other records.
    fn handle_no_list(&mut self, now: Elapsed, ticket: &ListTicket, reply: Reply<Refusal>, out: &mut Vec<Ended>) {
        self.inquiries.remove(&ticket.record);
        match ticket.purpose {
            Purpose::First => self.handle_no_first(now, ticket.record, reply, out),
            Purpose::Baseline => self.handle_no_baseline(now, ticket.record, reply, out),
            Purpose::Settle => self.handle_no_settle_list(now, ticket, reply, out),
        }
    }

    fn handle_no_first(&mut self, now: Elapsed, record: RecordIx, reply: Reply<Refusal>, out: &mut Vec<Ended>) {
        let FirstRequest::UnderWay(first) = std::mem::replace(&mut self.first, FirstRequest::Done) else { return };
        match reply.verdict {
            Refusal::Retry(because) if self.policy.retry_policy().allows(because, first.failures + 1) => {
                let failures = first.failures + 1;
                let at = now + self.backoff(because, failures);
                self.first = FirstRequest::Due(FirstTry { at, failures, ..first });
            }
            Refusal::Retry(RetryBecause::Passing) => self.ask_about_another(now, first, record, &reply),
            Refusal::Retry(_) => self.stop_for_no_answer(&reply),
            Refusal::Stop(StopBecause::Scope) => self.unlistable(&reply.answer_text(), record, out),
            Refusal::Stop(because) if self.waits_for_credits(now, because, &reply) => {
                self.first = FirstRequest::Due(FirstTry { at: now, ..first });
            }
            Refusal::Stop(because) => self.stop_by_service(because, &reply),
            // The row itself will hear the same, and in better words.
            Refusal::Failed(_) => {}
        }
    }

    /// A list that is of no use proves nothing, but it may be this record's trouble alone.
    fn ask_about_another(&mut self, now: Elapsed, first: FirstTry, record: RecordIx, reply: &Reply<Refusal>) {
        let mut useless = first.useless;
        useless.push(record);
        let other = self.jobs.iter().position(|job| !useless.contains(&job.record));
        match other.and_then(|index| u32::try_from(index).ok()) {
            Some(index) if useless.len() < FIRST_RECORDS => {
                self.first = FirstRequest::Due(FirstTry { at: now, job: JobId(index), failures: 0, useless });
            }
            // There are no five records; and the service did answer, if with a list that cannot be relied on.
            None if reply.code == OwnCode::Unreadable.as_str() => {}
            _ => self.stop_for_no_answer(reply),
        }
    }

    fn stop_for_no_answer(&mut self, reply: &Reply<Refusal>) {
        self.stop(
            AfterStop::Settle,
            StopCause::ServiceDown,
            format!("the first request got no answer of use: {}", reply.answer_text()),
            "Check the connection and the address, then run the same command again.",
            None,
        );
    }

    /// The token may not list: doubts cannot be settled in this run.
    pub(super) fn unlistable(&mut self, answer_text: &str, record: RecordIx, out: &mut Vec<Ended>) {
        if self.policy.if_exists != IfExists::Upload {
            self.stop(
                AfterStop::End,
                StopCause::Service(StopBecause::Scope),
                format!("the token may not read attachments, and so not look for those that exist: {answer_text}"),
                "Ask for a token with ZohoCRM.modules.attachments.READ as well, or do not look for what exists.",
                None,
            );
            self.leave_in_doubt(record);
            return;
        }
        self.listable = false;
        self.notices.push(Notice::Warning {
            code: "not-listable",
            message: format!(
                "the token may not read attachments: uploads whose answer is lost end `unknown` ({answer_text})"
            ),
        });
        for record in self.doubts.all_queued().into_iter().chain([record]) {
            self.give_up_listing(record, "", out);
        }
    }

    fn handle_baseline(&mut self, record: RecordIx, list: &RecordList, out: &mut Vec<Ended>) {
        self.baselines.done.insert(record);
        for id in self.untouched_rows(record) {
            self.end_if_it_exists(id, &list.listed, &list.claimed, out);
        }
        self.scheduler.release_record(&self.jobs, record);
    }

    fn handle_no_baseline(&mut self, now: Elapsed, record: RecordIx, reply: Reply<Refusal>, out: &mut Vec<Ended>) {
        match reply.verdict {
            Refusal::Retry(because) => {
                let failures = self.baselines.failures.entry(record).or_default();
                *failures += 1;
                let failures = *failures;
                if self.policy.retry_policy().allows(because, failures) {
                    let at = now + self.backoff(because, failures);
                    self.baselines.delayed.insert((at, record));
                } else {
                    self.fail_untouched_rows(record, &temporary(because, reply), out);
                }
            }
            Refusal::Stop(StopBecause::Scope) => self.unlistable(&reply.answer_text(), record, out),
            Refusal::Stop(because) if self.waits_for_credits(now, because, &reply) => {
                self.baselines.delayed.insert((now, record));
            }
            Refusal::Stop(because) => self.stop_by_service(because, &reply),
            Refusal::Failed(_) => self.fail_untouched_rows(record, &reply, out),
        }
    }

    /// Without a list nobody can say whether the record has the attachment: its rows cannot be sent.
    fn fail_untouched_rows(&mut self, record: RecordIx, reply: &Reply<Refusal>, out: &mut Vec<Ended>) {
        self.baselines.done.insert(record);
        for id in self.untouched_rows(record) {
            self.end_by_reply(id, Status::Failed, reply, out);
        }
        self.scheduler.release_record(&self.jobs, record);
    }

    fn untouched_rows(&self, record: RecordIx) -> Vec<JobId> {
        let untouched =
            |id: &JobId| !self.in_progress.contains_key(id) && !self.ended.get(id.0 as usize).copied().unwrap_or(true);
        self.baselines.rows_of(record).filter(untouched).collect()
    }

    fn end_if_it_exists(&mut self, id: JobId, listed: &[Listed], claimed: &[ServiceId], out: &mut Vec<Ended>) {
        let descriptor = self.descriptors.descriptor(id);
        let same = |listed: &&Listed| match (&descriptor.link, &listed.url) {
            (Some(link), Some(url)) => link == url.as_str(),
            (None, None) => same_name(&descriptor.name, &listed.name),
            _ => false,
        };
        // What our own results hold was put there by another row: a run that was interrupted must not end differently
        // from one that was not.
        let Some(there) = listed.iter().filter(|listed| !claimed.contains(&listed.id)).find(same) else { return };
        let size = there.size.filter(|_| descriptor.link.is_none());
        let size = size.map(|size| format!(", {}", units::size(size))).unwrap_or_default();
        let message = format!("the record has one already: {}{size}", there.name);
        let (status, attachment_id) = match self.policy.if_exists {
            IfExists::Upload => return,
            IfExists::Skip => (Status::AlreadyPresent, Some(there.id)),
            IfExists::Fail => (Status::Failed, None),
        };
        let mut outcome = self.outcome(id, status, OwnCode::Exists.into(), message);
        outcome.attachment_id = attachment_id;
        self.finish(id, outcome, out);
    }
}

/// Lists made before the first row of a record (`--if-exists`).
#[derive(Default, Debug)]
pub(super) struct Baselines {
    /// All rows by record; empty where nothing is listed beforehand.
    pub(super) by_record: Vec<(RecordIx, JobId)>,
    pub(super) done: HashSet<RecordIx>,
    pub(super) delayed: BTreeSet<(Elapsed, RecordIx)>,
    pub(super) failures: HashMap<RecordIx, u32>,
}

impl Baselines {
    pub(super) fn of(jobs: &[Job], if_exists: IfExists) -> Baselines {
        if if_exists == IfExists::Upload {
            return Baselines::default();
        }
        let mut by_record: Vec<(RecordIx, JobId)> =
            (0..).map(JobId).zip(jobs).map(|(id, job)| (job.record, id)).collect();
        by_record.sort_unstable();
        Baselines { by_record, ..Baselines::default() }
    }

    pub(super) fn needs(&self, record: RecordIx) -> bool {
        !self.by_record.is_empty() && !self.done.contains(&record)
    }

    pub(super) fn rows_of(&self, record: RecordIx) -> impl Iterator<Item = JobId> {
        let from = self.by_record.partition_point(|(other, _)| *other < record);
        self.by_record.iter().skip(from).take_while(move |(other, _)| *other == record).map(|(_, id)| *id)
    }

    pub(super) fn row_of(&self, record: RecordIx) -> Option<JobId> {
        self.rows_of(record).next()
    }
}
