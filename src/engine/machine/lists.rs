//! Lists that come before rows: the first request of a run, and what a record has already (`--if-exists`).

use std::collections::BTreeSet;

use hashbrown::{HashMap, HashSet};

use super::answers::temporary;
use super::ends::{answer_text, internal_error};
use super::{Engine, FirstRequest};
use crate::engine::policy::IfExists;
use crate::engine::{Clock, Elapsed, Ended, Job, JobId, Notice, RecordIx, StopCause, Task, TaskResult, Ticket, settle};
use crate::outcome::{OwnCode, Status};
use crate::reply::{ListReply, Listed, Reply, RetryBecause, StopBecause, Verdict};
use crate::units;
use crate::upload::ServiceId;

/// Entries on one page of a list; each page is a request.
const PAGE: u64 = 200;

impl Engine<'_> {
    pub(super) fn handle_list(&mut self, now: Elapsed, ticket: &Ticket, reply: &ListReply) {
        match reply {
            ListReply::Listed(listed) => {
                self.note_served(now, ticket);
                let more_pages = (listed.len() as u64).saturating_sub(1) / PAGE;
                self.credits.spend(now, more_pages);
            }
            ListReply::Not(reply) => {
                if let Some(left) = reply.credits_left {
                    self.credits.learn(now, left);
                }
                match reply.verdict {
                    Verdict::Retry(because) => self.brake(now, ticket, because, reply),
                    Verdict::Failed(_) => self.note_served(now, ticket),
                    _ => {}
                }
                self.wait_as_named(now, reply.retry_after);
            }
        }
    }

    pub(super) fn handle_first_list(
        &mut self,
        now: Elapsed,
        job: JobId,
        reply: ListReply,
        claimed: &[ServiceId],
        out: &mut Vec<Ended>,
    ) {
        let FirstRequest::UnderWay { failures } = self.first else { return };
        self.first = FirstRequest::Done;
        let record = self.job(job).record;
        match reply {
            ListReply::Listed(listed) if self.baselines.needs(record) && self.doubts.rows_of(record).is_empty() => {
                self.handle_baseline(now, record, ListReply::Listed(listed), claimed, out);
            }
            ListReply::Listed(_) => {}
            ListReply::Not(reply) => match reply.verdict {
                Verdict::Retry(because) if self.policy.retry_policy().allows(because, failures + 1) => {
                    let failures = failures + 1;
                    self.first = FirstRequest::Due { at: now + self.backoff(because, failures), failures };
                }
                Verdict::Retry(_) => self.stop(
                    StopCause::ServiceDown,
                    format!("the first request got no answer of use: {}", answer_text(&reply)),
                    "Check the connection and the address, then run the same command again.",
                    None,
                ),
                Verdict::Stop(StopBecause::Scope) => self.unlistable(&answer_text(&reply), record, out),
                Verdict::Stop(because) if self.waits_for_credits(now, because, &reply) => {
                    self.first = FirstRequest::Due { at: now, failures };
                }
                Verdict::Stop(because) => self.stop_by_service(because, &reply),
                // The row itself will hear the same, and in better words.
                _ => {}
            },
        }
    }

    /// The token may not list: doubts cannot be settled in this run.
    pub(super) fn unlistable(&mut self, answer_text: &str, record: RecordIx, out: &mut Vec<Ended>) {
        if self.policy.if_exists != IfExists::Upload {
            self.stop(
                StopCause::Service(StopBecause::Scope),
                format!("the token may not read attachments, which --if-exists needs: {answer_text}"),
                "Ask for a token with ZohoCRM.modules.attachments.READ as well, or leave --if-exists out.",
                None,
            );
            self.leave_in_doubt(record);
            self.settles = false;
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

    pub(super) fn handle_baseline(
        &mut self,
        now: Elapsed,
        record: RecordIx,
        reply: ListReply,
        claimed: &[ServiceId],
        out: &mut Vec<Ended>,
    ) {
        match reply {
            ListReply::Listed(listed) => {
                self.baselines.done.insert(record);
                for id in self.untouched_rows(record) {
                    self.end_if_it_exists(id, &listed, claimed, out);
                }
                self.scheduler.release_record(&self.jobs, record);
            }
            ListReply::Not(reply) => match reply.verdict {
                Verdict::Retry(because) => {
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
                Verdict::Stop(StopBecause::Scope) => self.unlistable(&answer_text(&reply), record, out),
                Verdict::Stop(because) if self.waits_for_credits(now, because, &reply) => {
                    self.baselines.delayed.insert((now, record));
                }
                Verdict::Stop(because) => self.stop_by_service(because, &reply),
                _ => self.fail_untouched_rows(record, &reply, out),
            },
        }
    }

    /// Without a list nobody can say whether the record has the attachment: its rows cannot be sent.
    fn fail_untouched_rows(&mut self, record: RecordIx, reply: &Reply, out: &mut Vec<Ended>) {
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
            (None, None) => settle::same_name(&descriptor.name, &listed.name),
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

/// Lists change nothing: if our own code failed during one, that is one more passing failure.
pub(super) fn without_panic(task: Task, result: TaskResult) -> TaskResult {
    match (task, result) {
        (Task::List { .. }, TaskResult::Panicked { .. }) => TaskResult::Listed {
            reply: ListReply::Not(internal_error(Verdict::Retry(RetryBecause::Passing))),
            claimed: Vec::new(),
            clock: Clock::Local,
        },
        (_, result) => result,
    }
}

/// A list changes nothing: an answer to it that would leave an upload in doubt is a passing failure, no more.
pub(super) fn without_doubt(reply: ListReply) -> ListReply {
    match reply {
        ListReply::Not(reply)
            if matches!(
                reply.verdict,
                Verdict::Uploaded(_) | Verdict::AlreadyPresent | Verdict::InDoubt(_) | Verdict::StopInDoubt(_)
            ) =>
        {
            ListReply::Not(Reply { verdict: Verdict::Retry(RetryBecause::Passing), ..reply })
        }
        other => other,
    }
}
