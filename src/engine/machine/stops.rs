//! How a run stops before its last row, and what it says about it.

use super::{AfterStop, Engine, NextTask, Phase};
use crate::engine::brakes::circuit_breaker::BreakerChange;
use crate::engine::{Elapsed, Notice, PauseReason, Purpose, StopCause, Stopped};
use crate::reply::{Reply, StopBecause};
use crate::units;

impl Engine<'_> {
    pub(super) fn apply_breaker(&mut self, now: Elapsed, change: BreakerChange) {
        match change {
            BreakerChange::None => {}
            BreakerChange::Tripped { until, reason } => self.notices.push(Notice::Paused { until, reason }),
            BreakerChange::Reset => self.notices.push(Notice::Resumed),
            BreakerChange::GiveUp { reason: PauseReason::Throttled, until: Some(until) } => {
                let wait = units::duration(until.saturating_sub(now));
                self.stop(
                    AfterStop::End,
                    StopCause::LongWait,
                    format!("the service asks for a pause of {wait}"),
                    "Run the same command again after that time.",
                    Some(until),
                );
            }
            BreakerChange::GiveUp { reason, .. } => {
                let patience = units::duration(self.policy.patience);
                let what = match reason {
                    PauseReason::Throttled => "took no request",
                    PauseReason::Doubts => "lost every answer",
                    PauseReason::Outage | PauseReason::Credits => "could not be reached or failed",
                };
                self.stop(
                    AfterStop::End,
                    StopCause::ServiceDown,
                    format!("the service {what} for {patience}"),
                    "Run the same command again later.",
                    None,
                );
            }
        }
    }

    pub(super) fn stop_by_service<V>(&mut self, because: StopBecause, reply: &Reply<V>) {
        let advice = match because {
            StopBecause::Credentials => "Sign in again, then run the same command.",
            StopBecause::Scope => "Get a token with the scopes that the plan names, then run the same command.",
            StopBecause::Limit => "Wait until there are credits or storage again, then run the same command.",
            StopBecause::Target => "Check the address, the proxy and the certificate, then run the same command.",
            StopBecause::Disk => "Make room or mend the disk, then run the same command again.",
            StopBecause::OurMistake => "This is a mistake in attache: please report it with the answer above.",
        };
        let then = match because {
            // Lists would be refused for the same reason.
            StopBecause::Credentials | StopBecause::Target | StopBecause::Disk => AfterStop::End,
            StopBecause::Scope | StopBecause::Limit | StopBecause::OurMistake => AfterStop::Settle,
        };
        self.stop(then, StopCause::Service(because), reply.answer_text(), advice, None);
    }

    pub(super) fn stop_for_failures(&mut self, failed: u32, of: u32) {
        self.stop(
            AfterStop::Settle,
            StopCause::MaxFailures,
            format!("{failed} of {of} rows failed, which is as much as the run allows"),
            "Look at the failures in the results, mend their cause, then run the same command again.",
            None,
        );
    }

    pub(super) fn stop_for_time(&mut self, now: Elapsed) {
        let message = format!("the time that the run may take is over after {}", units::duration(now));
        self.stop(AfterStop::Settle, StopCause::MaxDuration, message, "Run the same command again to go on.", None);
    }

    pub(super) fn stop_for_max_credits(&mut self, task: &NextTask) {
        let then = match task {
            NextTask::List { purpose: Purpose::Settle, .. } => AfterStop::End,
            NextTask::List { .. } | NextTask::Upload { .. } => AfterStop::Settle,
        };
        self.stop(
            then,
            StopCause::Credits,
            format!("the credits that the run may use, {}, are used up", self.policy.max_credits.unwrap_or_default()),
            "Run the same command again to go on.",
            None,
        );
    }

    pub(super) fn stop_for_kept_credits(&mut self, left: u64) {
        self.stop(
            AfterStop::Settle,
            StopCause::Credits,
            format!("the service has {left} API credits left; {} are kept for others", self.policy.keep_credits),
            "Credits come back 24 hours after their use: run the same command again later, or let the run wait for them.",
            None,
        );
    }

    pub(super) fn stop_for_modules(&mut self) {
        let answer_text =
            self.closed_modules.iter().min().map(|(_, answer_text)| answer_text.clone()).unwrap_or_default();
        self.stop(
            AfterStop::Settle,
            StopCause::ModulesClosed,
            format!("the service takes no row of any module: {answer_text}"),
            "Mend what the answer says, then run the same command again.",
            None,
        );
    }

    /// The run stops, and there is no use in settling what is in doubt.
    pub(super) fn end_settling(&mut self) {
        if let Some(stopped) = self.phase.stopped() {
            self.phase = Phase::Ending(stopped.clone());
        }
    }

    /// The first cause speaks; a later one may leave less to do.
    pub(super) fn stop(
        &mut self,
        then: AfterStop,
        cause: StopCause,
        message: String,
        advice: &str,
        until: Option<Elapsed>,
    ) {
        let stopped = self.phase.stopped().cloned().unwrap_or_else(|| {
            let stopped = Stopped { cause, message, advice: advice.to_owned(), until };
            self.notices.push(Notice::Stopping(stopped.clone()));
            stopped
        });
        self.phase = match then {
            AfterStop::Settle if self.phase.settles() => Phase::Settling(stopped),
            AfterStop::Settle | AfterStop::End => Phase::Ending(stopped),
        };
    }
}
