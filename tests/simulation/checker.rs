//! Holds the promises against what the server has and what the results say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use attache::internals::outcome::Status;
use attache::internals::results::{Line, ResendRules, ResultsOptions, look};

use crate::world::World;

/// What the worlds were like, to see that they were not all easy.
#[derive(Clone, Copy, Default, Debug)]
pub struct WorldTally {
    runs: u64,
    crashes: u64,
    uploaded: u64,
    settled: u64,
    already_present: u64,
    failed: u64,
    unknown: u64,
    orphans: u64,
}

impl std::ops::Add for WorldTally {
    type Output = WorldTally;

    fn add(self, other: WorldTally) -> WorldTally {
        WorldTally {
            runs: self.runs + other.runs,
            crashes: self.crashes + other.crashes,
            uploaded: self.uploaded + other.uploaded,
            settled: self.settled + other.settled,
            already_present: self.already_present + other.already_present,
            failed: self.failed + other.failed,
            unknown: self.unknown + other.unknown,
            orphans: self.orphans + other.orphans,
        }
    }
}

impl fmt::Display for WorldTally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WorldTally { runs, crashes, uploaded, settled, already_present, failed, unknown, orphans } = self;
        write!(
            f,
            "{runs} runs, {crashes} of them cut off; {uploaded} rows uploaded ({settled} known by listing), \
             {already_present} already present, {failed} refused, {unknown} unknown for good reason, \
             {orphans} settled after they had left the manifest"
        )
    }
}

impl WorldTally {
    pub fn assert_interesting(&self) {
        let all = [self.crashes, self.settled, self.already_present, self.failed, self.unknown, self.orphans];
        assert!(all.iter().all(|count| *count > 10), "the worlds are too easy: {self:?}");
    }
}

/// At any time, no row has made more than one attachment.
pub fn check_any_time(world: &World) -> Result<(), String> {
    let mut made_by: BTreeMap<usize, u32> = BTreeMap::new();
    for row in world.server.made.iter().filter_map(|made| made.by) {
        *made_by.entry(row).or_default() += 1;
    }
    match made_by.iter().find(|(_, count)| **count > 1) {
        Some((row, count)) => Err(format!("row {row} made {count} attachments: {}", story(world))),
        None => Ok(()),
    }
}

/// In the end every row has one line, and it tells the truth.
pub fn check_the_end(world: &World) -> Result<WorldTally, String> {
    if !world.done {
        return Err(format!("after {} runs rows are still not at their end: {}", world.runs, story(world)));
    }
    let seen = look(world.disk.clone(), &world.path, &ResultsOptions::default()).map_err(|why| format!("{why:?}"))?;
    let mut tally = WorldTally { runs: world.runs.into(), crashes: world.crashes.into(), ..WorldTally::default() };
    let mut ids = BTreeSet::new();
    for (index, row) in world.rows.iter().enumerate() {
        let Some(line) = seen.line(row.key).map_err(|why| why.to_string())? else {
            if row.kept || made_by(world, index).is_some() {
                return Err(format!("row {index} is in no line: {}", story(world)));
            }
            continue;
        };
        if lines_of(world, &line) != 1 {
            return Err(format!("row {index} has {} lines: {}", lines_of(world, &line), story(world)));
        }
        check_line(world, index, &line).map_err(|why| format!("row {index} {why}: {line:?}\n{}", story(world)))?;
        if let Some(id) = line.attachment_id.filter(|_| line.status == Status::Uploaded)
            && !ids.insert(id)
        {
            return Err(format!("two rows claim attachment {id}: {}", story(world)));
        }
        if row.kept && !seen.history().is_settled(row.key, &ResendRules::default()) {
            return Err(format!("row {index} is called done, but is not settled: {line:?}"));
        }
        tally.count(&line, row.kept);
    }
    Ok(tally)
}

impl WorldTally {
    fn count(&mut self, line: &Line, kept: bool) {
        match line.status {
            Status::Uploaded => {
                self.uploaded += 1;
                self.settled += u64::from(!line.code.is_empty());
            }
            Status::AlreadyPresent => self.already_present += 1,
            Status::Failed => self.failed += 1,
            Status::Unknown => self.unknown += 1,
            _ => {}
        }
        self.orphans += u64::from(!kept);
    }
}

fn check_line(world: &World, index: usize, line: &Line) -> Result<(), String> {
    let row = &world.rows[index];
    let made = made_by(world, index);
    match line.status {
        Status::Uploaded => {
            let made = made.ok_or("is called uploaded, but made nothing")?;
            if line.attachment_id != Some(made) {
                return Err(format!("made attachment {made}, not the one of its line"));
            }
        }
        Status::AlreadyPresent => {
            let present = |record, name: &str, url: Option<&str>| {
                record == row.record && (name == row.name || url == Some(row.source.as_str()))
            };
            if !world.server.made.iter().any(|made| present(made.record, &made.name, made.url.as_deref())) {
                return Err("is called present, but is not".to_owned());
            }
            if made.is_some() && line.attachment_id.is_some() {
                return Err("was skipped, and yet made an attachment".to_owned());
            }
        }
        Status::Failed if made.is_some() => return Err("is called failed, and yet made an attachment".to_owned()),
        Status::Failed if !row.refused && row.kept => return Err("failed without cause".to_owned()),
        Status::Failed => {}
        Status::Unknown if world.server.may_confuse(row) => {}
        Status::Unknown => return Err("is called unknown without cause".to_owned()),
        // A row that left the manifest is never sent.
        Status::NotSent if !row.kept && made.is_none() => {}
        other => return Err(format!("ended as {other}")),
    }
    Ok(())
}

fn made_by(world: &World, row: usize) -> Option<attache::internals::upload::ServiceId> {
    world.server.made.iter().find(|made| made.by == Some(row)).map(|made| made.id)
}

fn lines_of(world: &World, line: &Line) -> usize {
    let contents = world.disk.contents(&world.path).unwrap_or_default();
    let text = String::from_utf8_lossy(&contents);
    text.lines().filter(|physical| physical.contains(&format!(",{},", line.key))).count()
}

fn story(world: &World) -> String {
    let contents = world.disk.contents(&world.path).unwrap_or_default();
    format!(
        "world {} ({:?}) after {} runs\nserver: lag {:?}, work {:?}, has {:#?}\nrows: {:#?}\nresults:\n{}",
        world.seed,
        world.broken,
        world.runs,
        world.server.lag,
        world.server.work,
        world.server.made,
        world.rows,
        String::from_utf8_lossy(&contents)
    )
}
