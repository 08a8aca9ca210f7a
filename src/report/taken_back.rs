//! What was taken back: attachments of ours that an undo deleted, as the report shows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::model::text_or_null;
use super::wording;
use crate::outcome::{OwnCode, Status};
use crate::results::Line;
use crate::units;

/// Attachments that were taken back, those of rows that were sent once more since included.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, JsonSchema)]
pub struct TakenBack {
    /// How many are gone.
    pub deleted: u64,
    /// Of these, those that had gone before anybody asked.
    pub already_gone: u64,
    /// Of these, those whose answer was lost and that were found gone afterwards.
    pub found_gone: u64,
    /// Being taken back when that was cut off: they may be gone.
    pub deleting: u64,
    /// Of these two, those whose rows were sent once more since: they are no rows of their own.
    pub sent_again: u64,
    /// How many are gone, by module.
    pub modules: BTreeMap<String, u64>,
    /// When the first went, by the service's clock.
    #[serde(serialize_with = "text_or_null")]
    #[schemars(with = "Option<String>")]
    pub from: Option<Timestamp>,
    /// When the last went.
    #[serde(serialize_with = "text_or_null")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
}

impl TakenBack {
    /// Takes in a line. `is_aside`: whether its row was sent once more since.
    pub(super) fn add(&mut self, line: &Line, is_aside: bool) {
        match line.status {
            Status::Deleted => {
                self.deleted += 1;
                self.already_gone += u64::from(line.code == OwnCode::AlreadyGone.as_str());
                self.found_gone += u64::from(line.code == OwnCode::FoundGone.as_str());
                *self.modules.entry(line.module.clone()).or_default() += 1;
                self.from = self.from.into_iter().chain(line.finished_at).min();
                self.until = self.until.max(line.finished_at);
            }
            Status::Deleting => self.deleting += 1,
            _ => return,
        }
        self.sent_again += u64::from(is_aside);
    }

    /// Whether there is nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.deleted + self.deleting == 0
    }

    /// What happened, in one sentence.
    pub(super) fn sentence(&self) -> String {
        let deleted = units::counted(self.deleted, "attachment");
        let was = if self.deleted == 1 { "was" } else { "were" };
        match (self.from.map(wording::date), self.until.map(wording::date)) {
            (Some(from), Some(until)) if from != until => {
                format!("{deleted} that had been made {was} taken back, from {from} to {until}.")
            }
            (Some(from), _) => format!("{deleted} that had been made {was} taken back on {from}."),
            (None, _) => format!("{deleted} that had been made {was} taken back."),
        }
    }

    /// The numbers, as label and value, without those that are nought.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let modules = self.modules.iter().map(|(module, count)| format!("{module} {}", units::count(*count)));
        let counts = [
            ("Gone before anybody asked", self.already_gone),
            ("Found gone after a lost answer", self.found_gone),
            ("Being taken back when that was cut off", self.deleting),
            ("Of rows that were sent once more since", self.sent_again),
        ];
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        let by_module = (!self.modules.is_empty()).then(|| ("By module", modules.collect::<Vec<_>>().join(", ")));
        by_module.into_iter().chain(counts.map(|(name, count)| (name, units::count(count)))).collect()
    }
}
