//! How rows end: what their last line says.

use std::time::Duration;

use super::{Engine, InProgress};
use crate::engine::{Ended, JobId, PriorAttempt, PriorDoubt, PriorRefusal, StopCause};
use crate::outcome::{Outcome, OwnCode, Status};
use crate::reply::{Created, DoubtBecause, Reply};

impl Engine<'_> {
    pub(super) fn end_uploaded(&mut self, id: JobId, reply: &Reply, created: Created, out: &mut Vec<Ended>) {
        let mut outcome = self.outcome(id, Status::Uploaded, String::new(), String::new());
        outcome.attachment_id = Some(created.id);
        outcome.created_time = created.time;
        outcome.created_by = created.by;
        outcome.http_status = reply.http_status;
        outcome.took = reply.took;
        self.finish(id, outcome, out);
    }

    pub(super) fn end_by_reply<V>(&mut self, id: JobId, status: Status, reply: &Reply<V>, out: &mut Vec<Ended>) {
        let mut outcome = self.outcome(id, status, reply.code.clone(), reply.message.clone());
        outcome.http_status = reply.http_status;
        outcome.took = reply.took;
        self.finish(id, outcome, out);
    }

    pub(super) fn finish(&mut self, id: JobId, outcome: Outcome, out: &mut Vec<Ended>) {
        let Some(ended) = self.ended.get_mut(id.0 as usize).filter(|ended| !**ended) else { return };
        *ended = true;
        self.in_progress.remove(&id);
        if let Some(attachment) = outcome.attachment_id {
            self.known.insert(attachment);
            if outcome.status == Status::Uploaded {
                self.recent.push_back((self.ending.took, attachment));
            }
        }
        while self.recent.front().is_some_and(|(at, _)| *at + self.policy.settle_time < self.ending.took) {
            self.recent.pop_front();
        }
        self.scheduler.release_group(&self.jobs, id);
        out.push(Ended { job: id, outcome });
    }

    /// An outcome with what is known of the row so far.
    pub(super) fn outcome(&self, id: JobId, status: Status, code: String, message: String) -> Outcome {
        let progress = self.in_progress.get(&id);
        let last = progress.and_then(|progress| progress.last.as_ref());
        Outcome {
            status,
            code,
            message,
            attachment_id: None,
            http_status: last.and_then(|reply| reply.http_status),
            tries: progress.map_or(0, |progress| progress.tries),
            took: last.map(|reply| reply.took).unwrap_or_default(),
            sent_at: progress.and_then(|progress| progress.sent_at),
            finished_at: None,
            created_time: None,
            created_by: None,
        }
    }

    /// How a row ends that the run did not get to, or did not get to the end of.
    pub(super) fn left_over(&mut self, id: JobId) -> Outcome {
        let interrupted = self.phase.stopped().is_some_and(|stopped| stopped.cause == StopCause::Signal);
        let doubtful = self.doubts.rows_of(self.job(id).record).contains(&id);
        let (status, code, message) = match self.in_progress.get(&id) {
            Some(InProgress { prior: Some(PriorAttempt { was: PriorDoubt::Unknown, .. }), begun: false, .. })
                if doubtful =>
            {
                let message = "it was to be looked up again, but the run ended first";
                (Status::Unknown, OwnCode::UncertainMatch.into(), message.to_owned())
            }
            Some(progress) if doubtful => {
                let last = progress.last.as_ref();
                // By a refusal the row will fail, if nothing came of it; that must not be forgotten.
                let refused = progress.doubt.is_some_and(DoubtBecause::is_refusal);
                let code = match last {
                    _ if interrupted && !refused => OwnCode::Interrupted.into(),
                    Some(last) => last.code.clone(),
                    None => OwnCode::AnswerLost.into(),
                };
                let message = last
                    .map(Reply::answer_text)
                    .unwrap_or_else(|| "an earlier run sent it and heard no answer".to_owned());
                (Status::InDoubt, code, format!("{message}{}", PriorRefusal::LOOKED_UP_NEXT))
            }
            progress => {
                let last = progress.and_then(|progress| progress.last.as_ref()).map(Reply::answer_text);
                self.not_sent(id, interrupted, last)
            }
        };
        self.outcome(id, status, code, message)
    }

    fn not_sent(&mut self, id: JobId, interrupted: bool, last: Option<String>) -> (Status, String, String) {
        let (code, why) = match (self.closed_modules.get(&self.job(id).module), self.phase.stopped()) {
            (Some(answer_text), _) => {
                (OwnCode::ModuleClosed, format!("every row of the module would be refused: {answer_text}"))
            }
            (None, Some(_)) if interrupted => (OwnCode::Interrupted, "the run was interrupted".to_owned()),
            (None, Some(stopped)) => (OwnCode::RunEnded, stopped.message.clone()),
            (None, None) => {
                self.ending.over_limit += 1;
                (OwnCode::RunEnded, "the limit of rows for this run was reached before its turn came".to_owned())
            }
        };
        let message = match last {
            Some(last) if !why.contains(&last) => format!("{why}; last answer: {last}"),
            _ => why,
        };
        (Status::NotSent, code.into(), message)
    }
}

pub(super) fn internal_error<V>(verdict: V) -> Reply<V> {
    Reply {
        verdict,
        code: OwnCode::InternalError.into(),
        message: "attache itself failed while it worked on this; please report it".to_owned(),
        http_status: None,
        took: Duration::ZERO,
        retry_after: None,
        credits_left: None,
    }
}
