//! Who may start next: rows in manifest order, but for those that must wait for another.
//!
//! A row waits while another of its ambiguity group has an open `sending` line (they could be mistaken for each other), while its record is
//! being listed (the list would not know of it), and while its module is not proven and has a row on its way. A row
//! that waits is overtaken by the next one and comes back to the front when what it waited for is over.

use std::collections::{BTreeSet, VecDeque};

use hashbrown::HashMap;

use super::{Job, JobId, RecordIx};

/// The rows that have not started, and what some of them wait for.
#[derive(Debug)]
pub struct Scheduler {
    modules: Vec<ModuleQueue>,
    groups: HashMap<u32, AmbiguityGroup>,
    held: HashMap<RecordIx, Vec<JobId>>,
}

/// The rows of one module.
#[derive(Default, Debug)]
struct ModuleQueue {
    rows: Vec<JobId>,
    next: usize,
    /// Rows before `next` that came back to the front.
    back: BTreeSet<JobId>,
    proven: bool,
    closed: bool,
    in_flight: u32,
}

/// Rows that could be mistaken for each other.
#[derive(Default, Debug)]
struct AmbiguityGroup {
    holders: Vec<JobId>,
    waiting: VecDeque<JobId>,
}

impl Scheduler {
    /// The rows in the order of the jobs, those left out that `absent` names.
    pub fn new(jobs: &[Job], absent: impl Fn(JobId) -> bool) -> Scheduler {
        let count = jobs.iter().map(|job| usize::from(job.module) + 1).max().unwrap_or(0);
        let mut modules: Vec<ModuleQueue> = Vec::new();
        modules.resize_with(count, ModuleQueue::default);
        for (id, job) in (0..).map(JobId).zip(jobs) {
            if !absent(id) {
                modules[usize::from(job.module)].rows.push(id);
            }
        }
        Scheduler { modules, groups: HashMap::new(), held: HashMap::new() }
    }

    /// The row to start next, which stays where it is; `None`: nobody may start now. Rows that `wanted` refuses are
    /// dropped for good.
    pub fn peek(&mut self, jobs: &[Job], wanted: impl Fn(JobId) -> bool) -> Option<JobId> {
        loop {
            let id = self.front()?;
            let job = &jobs[id.0 as usize];
            if !wanted(id) {
                self.remove(job.module, id);
                self.wake_group(jobs, job.ambiguity_group);
            } else if let Some(parked) = self.held.get_mut(&job.record) {
                parked.push(id);
                self.remove(job.module, id);
            } else if self.is_held_by_group(job.ambiguity_group, id) {
                self.groups.entry(job.ambiguity_group).or_default().waiting.push_back(id);
                self.remove(job.module, id);
            } else {
                return Some(id);
            }
        }
    }

    /// The row that was peeked at is on its way, and holds the others of its ambiguity group back.
    pub fn start(&mut self, job: &Job, id: JobId) {
        self.remove(job.module, id);
        self.hold_group(job, id);
        self.modules[usize::from(job.module)].in_flight += 1;
    }

    /// The row is back from its way; it still holds its ambiguity group back.
    pub fn returned(&mut self, job: &Job) {
        self.modules[usize::from(job.module)].in_flight -= 1;
    }

    /// The row may start (again).
    pub fn bring_back(&mut self, job: &Job, id: JobId) {
        self.modules[usize::from(job.module)].back.insert(id);
    }

    /// The row holds the others of its ambiguity group back, on its way or not.
    pub fn hold_group(&mut self, job: &Job, id: JobId) {
        let holders = &mut self.groups.entry(job.ambiguity_group).or_default().holders;
        if !holders.contains(&id) {
            holders.push(id);
        }
    }

    /// Whether another row holds this one back, too.
    pub fn is_held_by_group(&self, ambiguity_group: u32, id: JobId) -> bool {
        self.groups.get(&ambiguity_group).is_some_and(|groups| groups.holders.iter().any(|holder| *holder != id))
    }

    /// The row holds nobody back any more.
    pub fn release_group(&mut self, jobs: &[Job], id: JobId) {
        let ambiguity_group = jobs[id.0 as usize].ambiguity_group;
        if let Some(groups) = self.groups.get_mut(&ambiguity_group) {
            groups.holders.retain(|holder| *holder != id);
        }
        self.wake_group(jobs, ambiguity_group);
    }

    /// Nobody may start on the record.
    pub fn hold_record(&mut self, record: RecordIx) {
        self.held.entry(record).or_default();
    }

    /// The record is free again.
    pub fn release_record(&mut self, jobs: &[Job], record: RecordIx) {
        for id in self.held.remove(&record).unwrap_or_default() {
            self.bring_back(&jobs[id.0 as usize], id);
        }
    }

    /// The module took a row, or found fault with one: it works, so several rows may be on their way.
    pub fn prove(&mut self, module: u16) {
        self.modules[usize::from(module)].proven = true;
    }

    /// No further row of the module starts.
    pub fn close(&mut self, module: u16) {
        self.modules[usize::from(module)].closed = true;
    }

    /// Whether every module that has rows is closed.
    pub fn all_closed(&self) -> bool {
        self.modules.iter().all(|module| module.closed || module.rows.is_empty())
    }

    /// Whether rows are left that were never looked at.
    pub fn has_unseen(&self) -> bool {
        self.modules.iter().any(|module| !module.closed && module.next < module.rows.len())
    }

    /// The first row of all modules that may start one.
    fn front(&self) -> Option<JobId> {
        self.modules.iter().filter_map(ModuleQueue::front).min()
    }

    fn remove(&mut self, module: u16, id: JobId) {
        let line = &mut self.modules[usize::from(module)];
        if !line.back.remove(&id) {
            line.next += 1;
        }
    }

    fn wake_group(&mut self, jobs: &[Job], ambiguity_group: u32) {
        let Some(groups) = self.groups.get_mut(&ambiguity_group) else { return };
        if !groups.holders.is_empty() {
            return;
        }
        match groups.waiting.pop_front() {
            Some(id) => self.bring_back(&jobs[id.0 as usize], id),
            None => {
                self.groups.remove(&ambiguity_group);
            }
        }
    }
}

impl ModuleQueue {
    fn front(&self) -> Option<JobId> {
        if self.closed || (!self.proven && self.in_flight > 0) {
            return None;
        }
        let unseen = self.rows.get(self.next).copied();
        self.back.first().copied().into_iter().chain(unseen).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [u32; 0] = [];

    fn jobs(rows: &[(u16, u32, u32)]) -> Vec<Job> {
        rows.iter()
            .map(|&(module, record, ambiguity_group)| Job { module, record: RecordIx(record), ambiguity_group })
            .collect()
    }

    /// Starts rows until none may, and says which.
    fn start_all(scheduler: &mut Scheduler, jobs: &[Job]) -> Vec<u32> {
        let mut started = Vec::new();
        while let Some(id) = scheduler.peek(jobs, |_| true) {
            scheduler.start(&jobs[id.0 as usize], id);
            started.push(id.0);
        }
        started
    }

    #[test]
    fn an_unproven_module_has_one_row_on_its_way_and_others_go_on() {
        let jobs = jobs(&[(0, 0, 0), (0, 1, 1), (1, 2, 2), (0, 3, 3)]);
        let mut scheduler = Scheduler::new(&jobs, |_| false);
        assert_eq!(start_all(&mut scheduler, &jobs), [0, 2]);
        scheduler.prove(0);
        assert_eq!(start_all(&mut scheduler, &jobs), [1, 3]);
    }

    #[test]
    fn a_twin_is_overtaken_and_comes_back_to_the_front() {
        let jobs = jobs(&[(0, 0, 0), (0, 0, 0), (0, 1, 1), (0, 0, 0), (0, 2, 2)]);
        let mut scheduler = Scheduler::new(&jobs, |_| false);
        scheduler.prove(0);
        assert_eq!(start_all(&mut scheduler, &jobs), [0, 2, 4]);
        scheduler.returned(&jobs[0]);
        assert_eq!(start_all(&mut scheduler, &jobs), NONE, "its line is still open");
        scheduler.release_group(&jobs, JobId(0));
        assert_eq!(start_all(&mut scheduler, &jobs), [1]);
        scheduler.release_group(&jobs, JobId(1));
        assert_eq!(start_all(&mut scheduler, &jobs), [3]);
    }

    #[test]
    fn a_held_record_keeps_its_rows_until_it_is_let_go() {
        let jobs = jobs(&[(0, 0, 0), (0, 1, 1), (0, 0, 2)]);
        let mut scheduler = Scheduler::new(&jobs, |_| false);
        scheduler.prove(0);
        scheduler.hold_record(RecordIx(0));
        assert_eq!(start_all(&mut scheduler, &jobs), [1]);
        scheduler.release_record(&jobs, RecordIx(0));
        assert_eq!(start_all(&mut scheduler, &jobs), [0, 2]);
    }

    #[test]
    fn a_row_that_is_not_wanted_any_more_does_not_keep_its_twins_waiting() {
        let jobs = jobs(&[(0, 0, 0), (0, 0, 0), (0, 0, 0)]);
        let mut scheduler = Scheduler::new(&jobs, |_| false);
        assert_eq!(start_all(&mut scheduler, &jobs), [0]);
        scheduler.prove(0);
        assert_eq!(start_all(&mut scheduler, &jobs), NONE);
        scheduler.release_group(&jobs, JobId(0));
        assert_eq!(scheduler.peek(&jobs, |id| id != JobId(1)), Some(JobId(2)));
    }

    #[test]
    fn a_closed_module_starts_nothing() {
        let jobs = jobs(&[(0, 0, 0), (1, 1, 1)]);
        let mut scheduler = Scheduler::new(&jobs, |_| false);
        scheduler.close(0);
        assert!(!scheduler.all_closed());
        assert_eq!(start_all(&mut scheduler, &jobs), [1]);
        scheduler.close(1);
        assert!(scheduler.all_closed());
    }
}
