//! What is known while an undo goes on: of each attachment, of each record, of whether deletions are allowed at all.

use std::collections::VecDeque;

use super::UndoEnd;
use crate::engine::brakes::failure_streaks::ModuleStreak;
use crate::reply::{FailedBy, Reply};

/// How far an attachment is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RowStage {
    /// Its record has not been listed yet, or is to be listed once more.
    Waiting,
    /// It may go once the first deletion has shown that deletions are allowed.
    Held,
    /// It was asked for, or stands in the queue.
    Asked,
    /// It is asked whether it is there.
    Looking,
    /// It has come to its end.
    Ended,
}

/// What is known of an attachment so far.
#[derive(Debug)]
pub(super) struct RowState {
    pub(super) stage: RowStage,
    /// Whether the results say `deleting`.
    pub(super) is_begun: bool,
    /// Why nobody knows whether it is gone; `None` while it surely is there, or its list has not been asked for.
    pub(super) doubt: Option<String>,
    /// What the service said when it refused to delete it in words that it also has for what is gone.
    pub(super) refusal: Option<(FailedBy, Reply)>,
    /// How often it was asked for.
    pub(super) asked: u32,
    pub(super) end: Option<UndoEnd>,
}

/// What is under way about a record.
#[derive(Clone, Default, Debug)]
pub(super) struct RecordState {
    /// Its attachments that were asked for or are asked about.
    pub(super) open: u32,
    /// Whether its list is read, or is to be.
    pub(super) is_listing: bool,
}

/// Whether deletions of one kind are allowed. The service's own pages contradict each other about files.
#[derive(Default, Debug)]
pub(super) struct DeletionProof {
    pub(super) is_allowed: bool,
    /// The first deletion, while its answer is not there.
    pub(super) probe: Option<u32>,
    /// What waits for it.
    pub(super) held: VecDeque<u32>,
}

/// What speaks against asking for more in a module.
#[derive(Default)]
pub(super) struct ModuleDeletions {
    pub(super) streak: ModuleStreak,
    /// The answer for which nothing further is asked for.
    pub(super) closed: Option<String>,
}

/// Whether the service has these words also for what is not there any more.
pub(super) fn may_be_gone(reply: &Reply) -> bool {
    reply.code == "INVALID_DATA" || reply.http_status == Some(404)
}
