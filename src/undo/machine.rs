//! Asks the service: the list of each record first, then for one deletion that shows whether deletions are allowed at all,
//! then for the others. How fast and how often is the request engine's business; what an answer means for an attachment
//! is decided here.
//!
//! ```text
//! waiting ─ list ─▶ held ─▶ asked ─ answer ─▶ ended
//!                              └─ lost ─▶ in doubt ─ list, later ─▶ asked again, or ended
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use super::judge::{Judgement, judge};
use super::ports::{UndoAnswer, UndoJob, UndoJournal, UndoPolicy, UndoPort, UndoService, unwritten};
use super::state::{DeletionProof, ModuleDeletions, RecordState, RowStage, RowState, may_be_gone};
use super::{Gone, LeftAlone, UndoEnd, UndoRow, UndoWork, Undone};
use crate::engine::Elapsed;
use crate::engine::brakes::failure_streaks::{RunStreak, StreakVerdict};
use crate::engine::ports::StopSignal;
use crate::engine::requests::{RequestEngine, RequestFailure, RequestHandler, RequestStop, driver};
use crate::reply::{AttachmentPresence, FailedBy, Listed, Reply, StopBecause};

/// So often the service must say that an attachment is gone: once could be a mistake of the moment.
const GONE_TIMES: u32 = 2;

/// Deletes what is to go, and calls `progress` with the number of attachments that have come to their end.
pub fn undo(
    work: UndoWork,
    service: &dyn UndoService,
    journal: &dyn UndoJournal,
    policy: &UndoPolicy,
    stop: &StopSignal,
    progress: &(dyn Fn(usize) + Sync),
) -> Undone {
    let mut engine = RequestEngine::new(policy.requests.clone());
    let mut undoing = Undoing::new(&work, journal, policy, progress);
    undoing.begin(&mut engine);
    let port = UndoPort { work: &work, service, journal };
    let ending = driver::run(engine, policy.requests.concurrency, &port, &mut undoing, stop);
    let (ends, refused_at_first) = undoing.conclude(&ending.left);
    Undone {
        rows: work.rows.into_iter().zip(ends).collect(),
        refused_at_first,
        totals: ending.totals,
        stop: ending.stop,
    }
}

/// Hears the answers.
pub struct Undoing<'a> {
    work: &'a UndoWork,
    journal: &'a dyn UndoJournal,
    policy: &'a UndoPolicy,
    progress: &'a (dyn Fn(usize) + Sync),
    /// By row.
    rows: Vec<RowState>,
    /// By record.
    records: Vec<RecordState>,
    files: DeletionProof,
    links: DeletionProof,
    refused_at_first: Option<String>,
    streak: RunStreak,
    modules: HashMap<Arc<str>, ModuleDeletions>,
    /// Attachments that have come to their end.
    ended: usize,
}

impl<'a> Undoing<'a> {
    /// Nothing is asked for yet.
    pub fn new(
        work: &'a UndoWork,
        journal: &'a dyn UndoJournal,
        policy: &'a UndoPolicy,
        progress: &'a (dyn Fn(usize) + Sync),
    ) -> Undoing<'a> {
        let state = |row: &UndoRow| RowState {
            stage: RowStage::Waiting,
            is_begun: row.is_begun,
            doubt: row.is_begun.then(|| "an earlier undo was cut off while it was being deleted".to_owned()),
            refusal: None,
            asked: 0,
            end: None,
        };
        Undoing {
            work,
            journal,
            policy,
            progress,
            rows: work.rows.iter().map(state).collect(),
            records: vec![RecordState::default(); work.records.len()],
            files: DeletionProof::default(),
            links: DeletionProof::default(),
            refused_at_first: None,
            streak: RunStreak::default(),
            modules: HashMap::new(),
            ended: 0,
        }
    }

    /// Queues the list of each record. Where an earlier undo was cut off, the service may still be at work.
    pub fn begin(&mut self, engine: &mut RequestEngine<UndoJob>) {
        for (number, record) in (0..).zip(&self.work.records) {
            self.records[number as usize].is_listing = true;
            let job = UndoJob::List { record: number, reading: None };
            match record.rows.iter().any(|row| self.work.rows[*row as usize].is_begun) {
                true => engine.push_at(self.policy.settle_time, job),
                false => engine.push(job),
            }
        }
    }

    /// What became of each attachment, and what the service said to the first deletion if it refused it. `left` are the
    /// requests that were not made, or not to their end.
    pub fn conclude(mut self, left: &[UndoJob]) -> (Vec<UndoEnd>, Option<String>) {
        for job in left {
            if let UndoJob::Delete { row, is_begun } = job {
                self.rows[*row as usize].is_begun |= is_begun;
            }
        }
        let (work, journal) = (self.work, self.journal);
        let ends = work.rows.iter().zip(std::mem::take(&mut self.rows)).map(|(row, state)| {
            if let Some(end) = state.end {
                return end;
            }
            let end = state.doubt.map_or(UndoEnd::NotReached, UndoEnd::InDoubt);
            if state.is_begun {
                // Should it not be written, the line before says `deleting`, which is true as well.
                let _ = journal.finish(row, &end);
            }
            end
        });
        (ends.collect(), self.refused_at_first)
    }

    fn row(&self, row: u32) -> &'a UndoRow {
        &self.work.rows[row as usize]
    }

    fn proof(&mut self, row: u32) -> &mut DeletionProof {
        if self.row(row).is_link { &mut self.links } else { &mut self.files }
    }

    /// The record of an attachment, as an index into [`UndoWork::records`].
    fn record_of(&self, row: u32) -> u32 {
        self.row(row).place
    }

    /// What is under way about the record of an attachment.
    fn record_state(&mut self, row: u32) -> &mut RecordState {
        let record = self.record_of(row);
        &mut self.records[record as usize]
    }

    fn list_read(&mut self, engine: &mut RequestEngine<UndoJob>, now: Elapsed, record: u32, listed: &[Listed]) {
        self.records[record as usize].is_listing = false;
        for &row in &self.work.records[record as usize].rows {
            if self.rows[row as usize].stage != RowStage::Waiting {
                continue;
            }
            match judge(self.row(row), listed) {
                Judgement::AsSent => self.is_there(engine, row),
                Judgement::Differs(difference) => {
                    self.end(engine, row, UndoEnd::LeftAlone(LeftAlone::Differs(difference)));
                }
                Judgement::NotListed => self.look_for(engine, row),
            }
        }
        self.list_again_if_due(engine, now, record);
    }

    /// The list shows the attachment as it was sent: whatever was in doubt about it, it is not deleted.
    fn is_there(&mut self, engine: &mut RequestEngine<UndoJob>, row: u32) {
        let state = &mut self.rows[row as usize];
        let doubt = state.doubt.take();
        if state.asked > self.policy.requests.retry.retries {
            let said = doubt.unwrap_or_default();
            return self.end(engine, row, UndoEnd::LeftAlone(LeftAlone::GaveUp(said)));
        }
        let module = self.modules.get(&self.row(row).module);
        if let Some(said) = module.and_then(|module| module.closed.clone()) {
            return self.end(engine, row, UndoEnd::LeftAlone(LeftAlone::Refused(said)));
        }
        let proof = self.proof(row);
        if proof.is_allowed {
            return self.ask(engine, row);
        }
        proof.held.push_back(row);
        self.rows[row as usize].stage = RowStage::Held;
        self.ask_first(engine, row);
    }

    /// Lets out the first deletion of the kind of this attachment, if none is under way.
    fn ask_first(&mut self, engine: &mut RequestEngine<UndoJob>, of_kind: u32) {
        let proof = self.proof(of_kind);
        if proof.probe.is_none()
            && let Some(first) = proof.held.pop_front()
        {
            proof.probe = Some(first);
            self.ask(engine, first);
        }
    }

    /// Before everything that is queued: what was listed just now is best known now.
    fn ask(&mut self, engine: &mut RequestEngine<UndoJob>, row: u32) {
        let state = &mut self.rows[row as usize];
        state.stage = RowStage::Asked;
        state.asked += 1;
        let is_begun = state.is_begun;
        self.record_state(row).open += 1;
        engine.push_next(UndoJob::Delete { row, is_begun });
    }

    fn look_for(&mut self, engine: &mut RequestEngine<UndoJob>, row: u32) {
        self.rows[row as usize].stage = RowStage::Looking;
        self.record_state(row).open += 1;
        engine.push_next(UndoJob::Presence { row, said_gone: 0 });
    }

    fn was_deleted(&mut self, engine: &mut RequestEngine<UndoJob>, row: u32) {
        self.streak.success(&mut self.modules.entry(Arc::clone(&self.row(row).module)).or_default().streak);
        self.end(engine, row, UndoEnd::Deleted(Gone::Deleted));
        let proof = self.proof(row);
        proof.is_allowed = true;
        proof.probe = None;
        let held = std::mem::take(&mut proof.held);
        for row in held.into_iter().rev() {
            self.ask(engine, row);
        }
    }

    fn not_deleted(&mut self, engine: &mut RequestEngine<UndoJob>, row: u32, failure: RequestFailure) {
        match failure {
            RequestFailure::InDoubt { reply, .. } => {
                let state = &mut self.rows[row as usize];
                state.doubt = Some(reply.answer_text());
                state.stage = RowStage::Waiting;
            }
            RequestFailure::Refused { by, reply } if may_be_gone(&reply) => {
                self.rows[row as usize].refusal = Some((by, *reply));
                self.look_for(engine, row);
            }
            RequestFailure::Refused { by, reply } => self.refused(engine, row, by, &reply),
            RequestFailure::GaveUp { reply, .. } | RequestFailure::Tolerated { reply, .. } => {
                self.end(engine, row, UndoEnd::LeftAlone(LeftAlone::GaveUp(reply.answer_text())));
            }
        }
        let proof = self.proof(row);
        if proof.probe == Some(row) {
            proof.probe = None;
            self.ask_first(engine, row);
        }
    }

    fn refused(&mut self, engine: &mut RequestEngine<UndoJob>, row: u32, by: FailedBy, reply: &Reply) {
        let words = reply.answer_text();
        self.end(engine, row, UndoEnd::LeftAlone(LeftAlone::Refused(words.clone())));
        if !self.proof(row).is_allowed {
            self.refused_at_first.get_or_insert(words);
            return engine.stop(RequestStop::Refusals { count: 1, reply: Box::new(reply.clone()) });
        }
        let module = Arc::clone(&self.row(row).module);
        self.note_refusal(engine, &module, by, reply);
    }

    /// The same refusal again and again closes a module, or ends it all.
    fn note_refusal(&mut self, engine: &mut RequestEngine<UndoJob>, module: &Arc<str>, by: FailedBy, reply: &Reply) {
        let streak = &mut self.modules.entry(Arc::clone(module)).or_default().streak;
        match self.streak.refusal(streak, by, &reply.code) {
            StreakVerdict::GoOn => {}
            StreakVerdict::CloseModule => self.close_module(engine, module, &reply.answer_text()),
            StreakVerdict::StopForRecords(count) | StreakVerdict::StopForUnlisted(count) => {
                engine.stop(RequestStop::Refusals { count, reply: Box::new(reply.clone()) });
            }
        }
    }

    /// Nothing further is asked for in this module. What is under way, and what is in doubt, comes to its end.
    fn close_module(&mut self, engine: &mut RequestEngine<UndoJob>, module: &Arc<str>, words: &str) {
        self.modules.entry(Arc::clone(module)).or_default().closed = Some(words.to_owned());
        let (work, rows) = (self.work, &self.rows);
        let is_given_up = |job: &UndoJob| match job {
            UndoJob::Delete { row, .. } => work.rows[*row as usize].module == *module,
            UndoJob::List { record, .. } => {
                let record = &work.records[*record as usize];
                record.module == *module && record.rows.iter().all(|row| rows[*row as usize].doubt.is_none())
            }
            UndoJob::Presence { .. } => false,
        };
        let refused = || LeftAlone::Refused(words.to_owned());
        for job in engine.withdraw(is_given_up) {
            match job {
                UndoJob::Delete { row, is_begun } => {
                    self.rows[row as usize].is_begun |= is_begun;
                    self.record_state(row).open -= 1;
                    self.end(engine, row, UndoEnd::LeftAlone(refused()));
                }
                UndoJob::List { record, .. } => self.leave_record(engine, record, &refused),
                UndoJob::Presence { .. } => {}
            }
        }
    }

    fn presence_told(
        &mut self,
        engine: &mut RequestEngine<UndoJob>,
        row: u32,
        said_gone: u32,
        presence: AttachmentPresence,
    ) {
        match presence {
            AttachmentPresence::Gone if said_gone + 1 < GONE_TIMES => {
                engine.push_next(UndoJob::Presence { row, said_gone: said_gone + 1 });
                self.record_state(row).open += 1;
            }
            AttachmentPresence::Gone => {
                let is_ours = self.rows[row as usize].doubt.is_some();
                let gone = if is_ours { Gone::Found } else { Gone::Already };
                self.end(engine, row, UndoEnd::Deleted(gone));
            }
            AttachmentPresence::There | AttachmentPresence::Untold => self.is_not_gone(engine, row),
        }
    }

    /// The list lacks it, or the service refused to delete it, and yet it is not gone.
    fn is_not_gone(&mut self, engine: &mut RequestEngine<UndoJob>, row: u32) {
        let state = &mut self.rows[row as usize];
        if let Some((by, reply)) = state.refusal.take() {
            return self.refused(engine, row, by, &reply);
        }
        let end = match state.doubt.take() {
            Some(doubt) => UndoEnd::InDoubt(doubt),
            None => UndoEnd::LeftAlone(LeftAlone::NotListed),
        };
        self.end(engine, row, end);
    }

    fn presence_failed(&mut self, engine: &mut RequestEngine<UndoJob>, row: u32, failure: &RequestFailure) {
        let state = &mut self.rows[row as usize];
        let end = match (state.doubt.take(), state.refusal.take()) {
            (Some(doubt), _) => UndoEnd::InDoubt(doubt),
            (None, Some((_, reply))) => UndoEnd::LeftAlone(LeftAlone::Refused(reply.answer_text())),
            (None, None) => UndoEnd::LeftAlone(LeftAlone::GaveUp(failure.reply().answer_text())),
        };
        self.end(engine, row, end);
    }

    fn list_failed(&mut self, engine: &mut RequestEngine<UndoJob>, record: u32, failure: &RequestFailure) {
        let words = failure.reply().answer_text();
        self.leave_record(engine, record, &|| LeftAlone::NoList(words.clone()));
        let RequestFailure::Refused { by, reply } = failure else { return };
        // A record that was deleted has taken its attachments with it, and says nothing about the others.
        if *by == FailedBy::Record {
            return;
        }
        let module = Arc::clone(&self.work.records[record as usize].module);
        self.note_refusal(engine, &module, *by, reply);
    }

    /// The record is not asked about any more.
    fn leave_record(&mut self, engine: &mut RequestEngine<UndoJob>, record: u32, why: &dyn Fn() -> LeftAlone) {
        self.records[record as usize].is_listing = false;
        for &row in &self.work.records[record as usize].rows {
            let state = &mut self.rows[row as usize];
            if state.stage != RowStage::Waiting {
                continue;
            }
            let end = match state.doubt.take() {
                Some(doubt) => UndoEnd::InDoubt(format!("{doubt}; {}", why())),
                None => UndoEnd::LeftAlone(why()),
            };
            self.end(engine, row, end);
        }
    }

    /// Once nothing of a record is under way, it is listed again for what is in doubt.
    fn list_again_if_due(&mut self, engine: &mut RequestEngine<UndoJob>, now: Elapsed, record: u32) {
        let state = &self.records[record as usize];
        let waits = |row: &u32| {
            let row = &self.rows[*row as usize];
            row.stage == RowStage::Waiting && row.doubt.is_some()
        };
        if state.open == 0 && !state.is_listing && self.work.records[record as usize].rows.iter().any(waits) {
            self.records[record as usize].is_listing = true;
            engine.push_at(now + self.policy.settle_time, UndoJob::List { record, reading: None });
        }
    }

    fn end(&mut self, engine: &mut RequestEngine<UndoJob>, row: u32, end: UndoEnd) {
        let state = &mut self.rows[row as usize];
        state.stage = RowStage::Ended;
        if let Err(why) = self.journal.finish(self.row(row), &end) {
            engine.stop(RequestStop::Service { because: StopBecause::Disk, reply: Box::new(unwritten(why)) });
        }
        self.rows[row as usize].end = Some(end);
        self.ended += 1;
        (self.progress)(self.ended);
    }
}

impl RequestHandler<UndoJob, UndoAnswer> for Undoing<'_> {
    fn handle(
        &mut self,
        engine: &mut RequestEngine<UndoJob>,
        now: Elapsed,
        job: UndoJob,
        outcome: Result<UndoAnswer, RequestFailure>,
    ) {
        let row = match job {
            UndoJob::List { record, reading } => {
                return match outcome {
                    Ok(UndoAnswer::List(Some(listed))) => self.list_read(engine, now, record, &listed),
                    Ok(_) => engine.push_next(UndoJob::List { record, reading }),
                    Err(failure) => self.list_failed(engine, record, &failure),
                };
            }
            UndoJob::Presence { row, said_gone } => {
                self.record_state(row).open -= 1;
                match outcome {
                    Ok(UndoAnswer::Presence(presence)) => self.presence_told(engine, row, said_gone, presence),
                    Ok(_) => {}
                    Err(failure) => self.presence_failed(engine, row, &failure),
                }
                row
            }
            UndoJob::Delete { row, is_begun } => {
                self.rows[row as usize].is_begun |= is_begun;
                self.record_state(row).open -= 1;
                match outcome {
                    Ok(_) => self.was_deleted(engine, row),
                    Err(failure) => self.not_deleted(engine, row, failure),
                }
                row
            }
        };
        self.list_again_if_due(engine, now, self.record_of(row));
    }
}
