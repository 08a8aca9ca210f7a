//! Whether results are all that earlier runs left, by the list of runs and the mark beside them: a file that vanished is no
//! new beginning, and one that lost lines would have their rows sent again.

use super::disk::Disk;
use super::error::{ResultsError, VanishedHold};
use super::paths::{mark_of, runs_of};
use super::runs::KnownRuns;
use super::snapshot::ResultsSnapshot;
use super::watermark::MarkFound;
use crate::outcome::Status;

impl<D: Disk> ResultsSnapshot<D> {
    /// Refuses a file that has lost lines, which looks like one of fewer rows. (One that does not reach its mark is not even
    /// opened.)
    ///
    /// # Errors
    ///
    /// Which rows are missing.
    pub fn is_as_long_as_known(&self, runs: &KnownRuns) -> Result<(), ResultsError> {
        if self.is_missing() {
            return Ok(());
        }
        if let (Some(unended), MarkFound::None) = (runs.unended.as_ref().filter(|run| run.marked), self.mark()) {
            let (path, mark, run) = (self.path().to_owned(), mark_of(self.path()), unended.id.clone());
            return Err(ResultsError::MarkMissing { path, mark, run });
        }
        let Some(last) = runs.ended.last() else { return Ok(()) };
        let history = self.history();
        // How many rows were uploaded never falls by itself. A line that was set aside was one of them.
        // So was one whose attachment was taken back since.
        let were = [Status::Uploaded, Status::Superseded, Status::Deleting, Status::Deleted];
        let uploaded: usize = were.into_iter().map(|status| history.count(status)).sum();
        let short = |there, known| ResultsError::LinesMissing { path: self.path().to_owned(), there, known };
        if uploaded < last.ever_uploaded() as usize {
            return Err(short(uploaded, last.ever_uploaded()));
        }
        // What was in doubt may have been settled by a run that was cut off since.
        let created = history.created() + history.count(Status::Deleted);
        if runs.unended.is_none() && created < last.created() as usize {
            return Err(short(created, last.created()));
        }
        Ok(())
    }

    /// Refuses to begin anew where earlier runs left results.
    ///
    /// # Errors
    ///
    /// What the results must have held.
    pub fn has_not_vanished(&self, runs: &KnownRuns) -> Result<(), ResultsError> {
        if !self.is_missing() {
            return Ok(());
        }
        let list = || runs_of(self.path());
        let last = runs.ended.iter().rfind(|run| run.created() > 0).map(|run| VanishedHold::Created {
            uploaded: run.uploaded(),
            others: run.created() - run.uploaded(),
            finished: run.finished,
        });
        let held = last
            .or_else(|| runs.unended.as_ref().map(|run| VanishedHold::Unended { run: run.id.clone() }))
            .map(|held| (list(), held))
            .or_else(|| runs.damaged.then(|| (list(), VanishedHold::Unknown)))
            .or_else(|| self.held_by_mark().map(|held| (mark_of(self.path()), held)));
        match held {
            Some((known_by, held)) => {
                Err(ResultsError::Vanished { path: self.path().to_owned(), list: known_by, held })
            }
            None => Ok(()),
        }
    }

    /// What the mark says that a file held which is gone.
    fn held_by_mark(&self) -> Option<VanishedHold> {
        let lines = self.mark().known()?.least_lines();
        (lines > 0).then_some(VanishedHold::Lines { lines })
    }

    /// Whether a mark stands beside the file that cannot be read, so that nobody can tell whether lines are missing.
    pub fn is_mark_unreadable(&self) -> bool {
        !self.is_missing() && self.mark() == MarkFound::Unreadable
    }
}
