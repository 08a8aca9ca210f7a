//! Holds the promises against what the server has and what the results say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::process::checked;
use super::wishes::{Wish, WishKind};
use super::world::SimWorld;
use crate::outcome::Status;
use crate::results::{Line, ResendRules, ResultsOptions, look};
use crate::upload::{RowKey, ServiceId};

/// What the worlds were like, to see that they were not all easy.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct WorldTally {
    runs: u64,
    crashes: u64,
    uploaded: u64,
    settled: u64,
    already_present: u64,
    failed: u64,
    unknown: u64,
    gone: u64,
    deleted: u64,
    found_gone: u64,
    superseded: u64,
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
            gone: self.gone + other.gone,
            deleted: self.deleted + other.deleted,
            found_gone: self.found_gone + other.found_gone,
            superseded: self.superseded + other.superseded,
        }
    }
}

impl fmt::Display for WorldTally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WorldTally {
            runs,
            crashes,
            uploaded,
            settled,
            already_present,
            failed,
            unknown,
            gone,
            deleted,
            found_gone,
            superseded,
        } = self;
        write!(
            f,
            "{runs} runs, {crashes} of them cut off; {uploaded} rows uploaded ({settled} known by listing), \
             {already_present} already present, {failed} refused, {unknown} unknown for good reason, \
             {gone} settled after they had left the manifest, {deleted} taken back ({found_gone} known by looking), \
             {superseded} superseded by a further attachment"
        )
    }
}

impl WorldTally {
    pub(super) fn assert_interesting(&self) {
        let WorldTally {
            crashes,
            settled,
            already_present,
            failed,
            unknown,
            gone,
            deleted,
            found_gone,
            superseded,
            ..
        } = *self;
        let all = [crashes, settled, already_present, failed, unknown, gone, deleted, found_gone, superseded];
        assert!(all.iter().all(|count| *count > 10), "the worlds are too easy: {self:?}");
    }

    fn count(&mut self, line: &Line) {
        match line.status {
            Status::Uploaded => {
                self.uploaded += 1;
                self.settled += u64::from(!line.code.is_empty());
            }
            Status::AlreadyPresent => self.already_present += 1,
            Status::Failed => self.failed += 1,
            Status::Unknown => self.unknown += 1,
            Status::Deleted => {
                self.deleted += 1;
                self.found_gone += u64::from(!line.code.is_empty());
            }
            _ => {}
        }
    }
}

/// At any time, there are no more attachments of a kind than there were ever rows that wanted one at once.
pub(super) fn check_any_time(world: &SimWorld) -> Result<(), String> {
    let mut made: BTreeMap<&WishKind, usize> = BTreeMap::new();
    for kind in world.server.made.iter().filter_map(|made| made.by.as_ref()) {
        *made.entry(kind).or_default() += 1;
    }
    if let Some(made) = world.server.made.iter().find(|made| made.by.is_none() && made.is_deleted()) {
        return Err(format!("attachment {} is somebody else's and was deleted: {}", made.id, story(world)));
    }
    let most = |kind: &WishKind| [&world.wanted, &world.further].iter().filter_map(|of| of.get(kind)).sum::<usize>();
    match made.iter().find(|(kind, count)| **count > most(kind)) {
        Some((kind, count)) => Err(format!("{count} attachments were made of {kind:?}: {}", story(world))),
        None => Ok(()),
    }
}

/// In the end every row has one line, it tells the truth, and no attachment of ours is forgotten.
pub(super) fn check_the_end(world: &SimWorld) -> Result<WorldTally, String> {
    if !world.done {
        return Err(format!("after {} runs rows are still not at their end: {}", world.runs, story(world)));
    }
    let seen = look(world.disk.clone(), &world.path, &ResultsOptions::default()).map_err(|why| format!("{why:?}"))?;
    let mut census = WorldTally { runs: world.runs.into(), crashes: world.crashes.into(), ..WorldTally::default() };
    let (_, checked) = checked(world, &mut |_: RowKey| true)?;
    let mut of_rows = BTreeSet::new();
    for (wish, row) in world.rows().zip(checked.rows()) {
        let key = checked.key(row);
        let Some(line) = seen.line(key).map_err(|why| why.to_string())? else {
            return Err(format!("line {} of the manifest is in no line: {}", checked.line(row), story(world)));
        };
        if lines_of(world, &line) != 1 {
            return Err(format!("{key} has {} lines: {}", lines_of(world, &line), story(world)));
        }
        check_line(world, wish, &line).map_err(|why| format!("{key} {why}: {line:?}\n{}", story(world)))?;
        if !seen.history().is_settled(key, &ResendRules::default()) {
            return Err(format!("{key} is called done, but is not settled: {line:?}"));
        }
        census.count(&line);
        of_rows.insert(key);
    }
    let mut owners: BTreeMap<ServiceId, Line> = BTreeMap::new();
    let mut untold = BTreeSet::new();
    for key in seen.history().keys() {
        let Some(line) = seen.line(key).map_err(|why| why.to_string())? else { continue };
        census.superseded += u64::from(line.status == Status::Superseded);
        census.gone += u64::from(!of_rows.contains(&key) && line.status != Status::Superseded);
        if line.status == Status::Unknown {
            untold.insert(line.record.clone());
        }
        let is_ours = matches!(line.status, Status::Uploaded | Status::Superseded | Status::Deleted);
        if let Some(id) = line.attachment_id.filter(|_| is_ours)
            && let Some(other) = owners.insert(id, line)
        {
            return Err(format!("two rows claim attachment {id}, one is {other:?}: {}", story(world)));
        }
    }
    for line in owners.values().filter(|line| line.status == Status::Uploaded) {
        let gone = |made: &&super::server::Made| Some(made.id) == line.attachment_id && made.is_deleted();
        if world.server.made.iter().any(|made| gone(&made)) {
            return Err(format!("is called uploaded, and was deleted: {line:?}: {}", story(world)));
        }
    }
    for made in world.server.made.iter().filter(|made| made.by.is_some()) {
        if !owners.contains_key(&made.id) && !untold.contains(&made.record.to_string()) {
            return Err(format!("attachment {} is ours and in no line: {}", made.id, story(world)));
        }
    }
    Ok(census)
}

fn check_line(world: &SimWorld, wish: &Wish, line: &Line) -> Result<(), String> {
    let kind = wish.kind();
    let made = || world.server.made_for(&kind);
    match line.status {
        Status::Uploaded if made().any(|id| line.attachment_id == Some(id)) => Ok(()),
        Status::Uploaded => Err("is called uploaded, but no such attachment was made for it".to_owned()),
        Status::AlreadyPresent => {
            let present = |made: &&super::server::Made| {
                let same_name = made.name == kind.name && made.url.is_none();
                made.record == kind.record && (same_name || made.url.as_deref() == Some(&*line.url))
            };
            match world.server.made.iter().find(present) {
                Some(_) => Ok(()),
                None => Err("is called present, but is not".to_owned()),
            }
        }
        Status::Deleted if made().any(|id| line.attachment_id == Some(id)) && is_deleted(world, line) => Ok(()),
        Status::Deleted => Err("is called deleted, but such an attachment is there".to_owned()),
        Status::Failed if wish.refused || world.server.was_turned_away(&kind) => Ok(()),
        Status::Failed => Err("failed without cause".to_owned()),
        Status::Unknown if world.server.may_confuse(&kind, wish.size()) => Ok(()),
        Status::Unknown => Err("is called unknown without cause".to_owned()),
        other => Err(format!("ended as {other}")),
    }
}

fn is_deleted(world: &SimWorld, line: &Line) -> bool {
    world.server.made.iter().any(|made| Some(made.id) == line.attachment_id && made.is_deleted())
}

fn lines_of(world: &SimWorld, line: &Line) -> usize {
    let contents = world.disk.contents(&world.path).unwrap_or_default();
    let text = String::from_utf8_lossy(&contents);
    text.lines().filter(|physical| physical.contains(&format!(",{},", line.key))).count()
}

fn story(world: &SimWorld) -> String {
    let contents = world.disk.contents(&world.path).unwrap_or_default();
    format!(
        "world {} ({:?}) after {} runs\nserver: lag {:?}, work {:?}, has {:#?}\nwishes: {:#?}\nresults:\n{}",
        world.seed,
        world.mistake,
        world.runs,
        world.server.lag,
        world.server.work,
        world.server.made,
        world.wishes,
        String::from_utf8_lossy(&contents)
    )
}
