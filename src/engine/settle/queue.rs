//! Which rows are in doubt, and when their records are listed: bookkeeping only. What a list means is decided in
//! [`compare`](super::compare), what follows in [`decide`](super::decide).

use std::collections::BTreeSet;

use hashbrown::HashMap;

use crate::engine::{Elapsed, JobId, RecordIx};

/// Rows in doubt, by record.
#[derive(Default, Debug)]
pub struct SettleQueue {
    records: HashMap<RecordIx, Doubt>,
    /// Records that are listed as soon as they are due: rows of earlier runs, and second reads.
    soon: BTreeSet<(Elapsed, RecordIx)>,
    /// Records that wait for the end of the run, when waiting costs nothing.
    at_the_end: BTreeSet<(Elapsed, RecordIx)>,
    rows: u32,
}

/// The rows in doubt of one record.
#[derive(Debug)]
struct Doubt {
    rows: Vec<JobId>,
    due: Elapsed,
    urgent: bool,
    failures: u32,
    read: Read,
}

/// How far the reading of a record has come.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Read {
    /// Not begun. The record is queued, unless it was given up.
    NotYet,
    /// Once; these rows were not there. Any other row that is left could not be told.
    Once { absent: Vec<JobId> },
}

/// When a record may be listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// As soon as it is due.
    Soon,
    /// At the end of the run.
    AtTheEnd,
}

impl SettleQueue {
    /// A row is in doubt; its record is not listed before `due`.
    pub fn add(&mut self, record: RecordIx, job: JobId, due: Elapsed, turn: Turn) {
        self.rows += 1;
        let urgent = turn == Turn::Soon;
        let doubt = self.records.entry(record).or_insert_with(|| Doubt {
            rows: Vec::new(),
            due,
            urgent,
            failures: 0,
            read: Read::NotYet,
        });
        doubt.rows.push(job);
        let (due, urgent) = (doubt.due.max(due), doubt.urgent || urgent);
        // A row that joins late starts the reading afresh: one read of two would not speak of it.
        self.unqueue(record);
        self.queue(record, due, urgent, Read::NotYet);
    }

    /// The records of that turn, the first due first.
    pub fn queued(&self, turn: Turn) -> impl Iterator<Item = (Elapsed, RecordIx)> {
        match turn {
            Turn::Soon => self.soon.iter().copied(),
            Turn::AtTheEnd => self.at_the_end.iter().copied(),
        }
    }

    /// Every record with rows in doubt that is queued.
    pub fn all_queued(&self) -> Vec<RecordIx> {
        self.soon.iter().chain(&self.at_the_end).map(|(_, record)| *record).collect()
    }

    /// The rows in doubt of the record.
    pub fn rows_of(&self, record: RecordIx) -> &[JobId] {
        self.records.get(&record).map_or(&[], |doubt| &doubt.rows)
    }

    /// Rows in doubt.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Records in doubt.
    pub fn records(&self) -> usize {
        self.records.len()
    }

    /// The record is being listed.
    pub fn listing(&mut self, record: RecordIx) {
        self.unqueue(record);
    }

    /// What the first read said, if there was one: the rows that were not there.
    pub fn absent_at_first(&self, record: RecordIx) -> Option<&[JobId]> {
        match &self.records.get(&record)?.read {
            Read::NotYet => None,
            Read::Once { absent } => Some(absent),
        }
    }

    /// The record was read once and is read again at that instant.
    pub fn read_again(&mut self, record: RecordIx, at: Elapsed, absent: Vec<JobId>) {
        self.queue(record, at, true, Read::Once { absent });
    }

    /// How often listing the record has failed.
    pub fn failures(&self, record: RecordIx) -> u32 {
        self.records.get(&record).map_or(0, |doubt| doubt.failures)
    }

    /// The list failed for a passing reason: both reads are made afresh from that instant. So often it
    /// has failed now.
    pub fn postpone(&mut self, record: RecordIx, at: Elapsed, failures: u32) {
        let Some(doubt) = self.records.get_mut(&record) else { return };
        doubt.failures = failures;
        let urgent = doubt.urgent;
        self.queue(record, at, urgent, Read::NotYet);
    }

    /// The record is not listed again in this run; its rows stay in doubt.
    pub fn give_up(&mut self, record: RecordIx) {
        self.unqueue(record);
    }

    /// The row is not in doubt any more. Says whether it was the record's last.
    pub fn remove(&mut self, record: RecordIx, job: JobId) -> bool {
        let Some(doubt) = self.records.get_mut(&record) else { return true };
        let before = doubt.rows.len();
        doubt.rows.retain(|row| *row != job);
        self.rows -= u32::try_from(before - doubt.rows.len()).unwrap_or(0);
        let last = doubt.rows.is_empty();
        if last {
            self.unqueue(record);
            self.records.remove(&record);
        }
        last
    }

    fn queue(&mut self, record: RecordIx, due: Elapsed, soon: bool, read: Read) {
        let Some(doubt) = self.records.get_mut(&record) else { return };
        doubt.due = due;
        doubt.read = read;
        doubt.urgent |= soon;
        if soon {
            self.soon.insert((due, record))
        } else {
            self.at_the_end.insert((due, record))
        };
    }

    fn unqueue(&mut self, record: RecordIx) {
        let Some(doubt) = self.records.get(&record) else { return };
        self.soon.remove(&(doubt.due, record));
        self.at_the_end.remove(&(doubt.due, record));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Elapsed {
        Duration::from_secs(seconds)
    }

    fn queued(queue: &SettleQueue, turn: Turn) -> Vec<(Elapsed, RecordIx)> {
        queue.queued(turn).collect()
    }

    #[test]
    fn a_record_is_listed_once_for_all_its_rows_when_the_last_of_them_is_due() {
        let (one, other) = (RecordIx(1), RecordIx(2));
        let mut queue = SettleQueue::default();
        queue.add(one, JobId(10), at(5), Turn::Soon);
        queue.add(one, JobId(11), at(9), Turn::AtTheEnd);
        queue.add(other, JobId(12), at(7), Turn::AtTheEnd);
        // A row of an earlier run is settled soon, and takes the others of its record along.
        assert_eq!(queued(&queue, Turn::Soon), [(at(9), one)]);
        assert_eq!(queued(&queue, Turn::AtTheEnd), [(at(7), other)]);
        assert_eq!((queue.rows(), queue.records(), queue.all_queued()), (3, 2, vec![one, other]));
        assert!(!queue.remove(one, JobId(10)) && queue.remove(one, JobId(11)), "then none of its rows is left");
        assert_eq!((queue.rows(), queue.records(), queue.all_queued()), (1, 1, vec![other]));
    }

    #[test]
    fn a_row_that_joins_late_starts_the_reading_afresh_and_a_failed_one_begins_later() {
        let record = RecordIx(1);
        let mut queue = SettleQueue::default();
        queue.add(record, JobId(10), at(5), Turn::AtTheEnd);
        queue.listing(record);
        assert!(queue.all_queued().is_empty(), "it is being listed");
        queue.read_again(record, at(8), vec![JobId(10)]);
        assert_eq!(queue.absent_at_first(record), Some(&[JobId(10)][..]));
        queue.add(record, JobId(11), at(6), Turn::AtTheEnd);
        assert_eq!((queue.absent_at_first(record), queued(&queue, Turn::Soon)), (None, vec![(at(8), record)]));
        queue.listing(record);
        queue.postpone(record, at(20), 2);
        assert_eq!((queue.failures(record), queued(&queue, Turn::Soon)), (2, vec![(at(20), record)]));
        queue.give_up(record);
        assert_eq!((queue.rows(), queue.all_queued()), (2, Vec::new()), "its rows stay in doubt");
    }
}
