//! One run of the program, as `attache run` puts it together: takes the results as the last run left them, reads and
//! checks the manifest, plans, and lets the engine work; and ends well, or by a signal, a kill, a power cut or a disk
//! that fails.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::meddlers::SimMeddler;
use super::mistakes::{Mistake, is_made};
use super::virtual_pool::{Alone, VirtualPool};
use super::wishes::{self, WishKind};
use super::world::SimWorld;
use super::{meddlers, threads, undo};
use crate::check::{self, Checked, Checkup, Earlier};
use crate::cli::run::ports::{self, ResultsJournal};
use crate::cli::run::rows::ManifestRows;
use crate::engine::{Engine, JobId, PriorAttempt};
use crate::manifest::{self, ManifestInfo};
use crate::outcome::Status;
use crate::plan::recognise::{MovedRule, RecogniseOptions, Recogniser, RenamedRule};
use crate::plan::{self, Plan};
use crate::results::{
    EndError, GroupLog, KnownRuns, LockedResults, MarkRule, ResendRules, ResultsError, ResultsOptions, ResultsSnapshot,
    Taking, hold,
};
use crate::simulation::disk::SimDisk;
use crate::upload::{RowKey, ServiceId};

pub(super) const TARGET: &str = "www.zohoapis.test";

/// How a run is going to end, if not well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Well,
    /// Killed at this turn.
    Kill(u32),
    /// Power lost at this turn.
    PowerCut(u32),
    /// The process ends within this operation on the disk; afterwards the power may be lost, too.
    CrashInDisk {
        operation: u64,
        power: bool,
    },
    /// The disk fails once, at this operation.
    DiskFails(u64),
    /// A signal at this turn.
    Signal(u32),
    /// Before this operation on the disk, somebody else does something to the results file.
    Meddled {
        operation: u64,
        how: SimMeddler,
    },
}

/// The process has ended before its time.
pub(super) struct Dead;

/// Who does the work of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hands {
    /// Workers that are only reckoned with: fast.
    Virtual,
    /// The worker pool and the threaded log of the program, under a scheduler.
    Threads,
}

pub(super) fn lock(world: &Mutex<SimWorld>) -> MutexGuard<'_, SimWorld> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs once. `Err` tells of a promise that was broken, or of a run that does not end.
pub(super) fn run(world: &Mutex<SimWorld>, hands: Hands) -> Result<(), String> {
    let fate = begin(&mut lock(world));
    let takes_back = lock(world).takes_back();
    let ended = match takes_back {
        true => {
            let taken_back = undo::take_back(&mut lock(world), fate)?;
            taken_back.and_then(|finished| ended(world, finished))
        }
        false => process(world, fate, hands)?,
    };
    let power = match fate {
        Fate::PowerCut(_) | Fate::CrashInDisk { power: true, .. } => ended.is_err(),
        _ => false,
    };
    let mut world = lock(world);
    if power {
        // The mark may not outlast the loss: nobody could tell the copy from the right ones then.
        world.put_right_ones_back();
    }
    if let Fate::Meddled { how, .. } = fate {
        how.is_put_right(&mut world);
    }
    let SimWorld { disk, server, random, clock, mark_is_sure, .. } = &mut *world;
    if ended.is_err() {
        server.client_dies(*clock);
    }
    server.connections_end();
    if power {
        disk.lose_power(random);
        *mark_is_sure = false;
    } else {
        disk.kill();
    }
    *clock += Duration::from_millis(random.u64(..3_000));
    world.crashes += u32::from(ended.is_err());
    Ok(())
}

fn begin(world: &mut SimWorld) -> Fate {
    world.runs += 1;
    world.done = false;
    world.edit_manifest();
    world.put_older_copy_back();
    let fate = if world.is_bad() { fate(&mut world.random) } else { Fate::Well };
    world.tell(|| format!("a run begins, and ends so: {fate:?}"));
    let operations = world.disk.operations();
    match fate {
        Fate::CrashInDisk { operation, .. } => world.disk.crash_at(operations + operation),
        Fate::DiskFails(operation) => world.disk.fail_at(operations + operation),
        Fate::Meddled { operation, how } => how.meddle_at(world, operations + operation),
        _ => {}
    }
    fate
}

fn fate(random: &mut fastrand::Rng) -> Fate {
    match random.u8(..20) {
        0..4 => Fate::Kill(random.u32(..80)),
        4..8 => Fate::PowerCut(random.u32(..80)),
        8..12 => Fate::CrashInDisk { operation: random.u64(..60), power: random.bool() },
        12..14 => Fate::DiskFails(random.u64(..60)),
        14..16 => Fate::Signal(random.u32(..60)),
        16..18 => Fate::Meddled { operation: random.u64(..60), how: SimMeddler::draw(random) },
        _ => Fate::Well,
    }
}

/// Takes hold of the results. Where they are refused as an older copy, the user puts the right ones back: whatever else
/// happens to that process, nobody goes on with the copy.
pub(super) fn take_hold(
    world: &mut SimWorld,
    options: &ResultsOptions,
) -> Result<Result<LockedResults<SimDisk>, Dead>, String> {
    match hold(world.disk.clone(), &world.path, options) {
        Ok(held) => match held.seen().has_not_vanished(&KnownRuns::default()) {
            Ok(()) => {
                world.results_are_right();
                Ok(Ok(held))
            }
            Err(_) if world.disk.contents(&meddlers::aside()).is_some() || world.put_right_ones_back() => Ok(Err(Dead)),
            Err(error) => Err(format!("results as a run left them: {error}")),
        },
        Err(error @ ResultsError::BelowMark { .. }) => match world.put_right_ones_back() {
            true => Ok(Err(Dead)),
            false => Err(format!("results as a run left them: {error}")),
        },
        Err(_) => Ok(Err(Dead)),
    }
}

/// A process, from its start to its end.
fn process(shared: &Mutex<SimWorld>, fate: Fate, hands: Hands) -> Result<Result<(), Dead>, String> {
    let mut world = lock(shared);
    let mark = if is_made(Mistake::PassesOverTheMark) { MarkRule::PassOver } else { MarkRule::Heed };
    let settings = ResultsOptions { target: Some(TARGET.to_owned()), mark, ..ResultsOptions::default() };
    let Ok(mut held) = take_hold(&mut world, &settings)? else { return Ok(Err(Dead)) };
    let mut resend = world.resend(&rows_of(held.seen(), Status::Uploaded));
    let Ok((info, checked, takings)) = check(&world, &held, &resend)? else { return Ok(Err(Dead)) };
    let taken = takings.iter().filter(|taking| resend.changed.contains(&taking.from)).map(|taking| taking.to);
    resend.changed = resend.changed.iter().copied().chain(taken).collect();
    held.seen_mut().take_over(takings);
    let Ok(plan) = plan::plan(&info, checked, held.seen(), &resend, &plan_settings(&world)) else {
        return Ok(Err(Dead));
    };
    want_further(&mut world, &plan);
    let Ok(attachments) = held_by(held.seen(), plan.further()) else { return Ok(Err(Dead)) };
    world.server.lists.begin_run(attachments);
    if !is_made(Mistake::ForgetsTheOlder) {
        held.seen_mut().supersede(plan.further().iter().copied());
    }
    let run = format!("run-{}", world.runs);
    let rows = ManifestRows::new(&plan, TARGET, &run);
    let Ok(earlier) = ports::earlier_tries(&plan, held.seen()) else { return Ok(Err(Dead)) };
    let old_layout = held.seen().layout().clone();
    let log = match held.begin(&rows) {
        Ok(log) => log,
        Err(ResultsError::OtherManifest { .. }) => {
            // No row is left that the results know: refused, and rightly so.
            world.take_edits_back();
            return Ok(Err(Dead));
        }
        Err(_) => return Ok(Err(Dead)),
    };
    world.accept();
    if plan.is_empty() {
        let finished = log.compact(&rows);
        world.done = finished.is_ok();
        drop(world);
        return Ok(ended(shared, finished.map(drop)));
    }
    let contents = ports::SentContents::default();
    let engine =
        Engine::new(plan.jobs().to_vec(), prior_attempts(&plan, world.mistake), &plan, world.settings_of_the_run());
    drop(world);
    let log = match hands {
        Hands::Virtual => {
            let log = Alone::new(log);
            let journal = ResultsJournal {
                plan: &plan,
                log: &log,
                target: TARGET,
                run: &run,
                owner: None,
                earlier,
                contents: &contents,
                old_layout,
            };
            let pool_ended = VirtualPool::new(&mut lock(shared), &plan, &journal, engine).drive(fate)?;
            pool_ended.map(|()| log.into_inner())
        }
        Hands::Threads => {
            let log = GroupLog::new(log).map_err(|error| error.to_string())?;
            let journal = ResultsJournal {
                plan: &plan,
                log: &log,
                target: TARGET,
                run: &run,
                owner: None,
                earlier,
                contents: &contents,
                old_layout,
            };
            let pool_ended = threads::work(shared, &plan, &journal, engine, fate)?;
            // What is left in memory is written now, unless nothing can be written any more.
            let closed = log.close();
            pool_ended.and_then(|()| ended(shared, closed))
        }
    };
    Ok(log.and_then(|log| ended(shared, log.compact(&rows).map(drop))))
}

/// How a run ended. Where somebody took the results away, what they held is saved.
pub(super) fn ended<T>(world: &Mutex<SimWorld>, ended: Result<T, EndError<SimDisk>>) -> Result<T, Dead> {
    ended.map_err(|error| {
        if let EndError::Displaced(displaced) = error {
            let rescued = displaced.rescue(displaced.folder(), "run").ok();
            drop(displaced);
            lock(world).rescued = rescued;
        }
        Dead
    })
}

/// The rows that have this status by the results, in an order that hangs on nothing else.
fn rows_of(seen: &ResultsSnapshot<SimDisk>, status: Status) -> Vec<RowKey> {
    let mut rows: Vec<RowKey> =
        seen.history().keys().filter(|key| seen.history().status(*key) == Some(status)).collect();
    rows.sort_unstable();
    rows
}

/// Counts one attachment more for each row that is to get a further one.
fn want_further(world: &mut SimWorld, plan: &Plan) {
    let further: Vec<WishKind> = world
        .rows()
        .zip(plan.checked().rows())
        .filter(|(_, row)| plan.further().contains(&plan.checked().key(*row)))
        .map(|(wish, _)| wish.kind())
        .collect();
    for kind in further {
        *world.further.entry(kind).or_default() += 1;
    }
}

/// The attachments that the results hold and expect in every list: not those of rows that are to get a further one.
pub(super) fn held_by(seen: &ResultsSnapshot<SimDisk>, further: &[RowKey]) -> std::io::Result<BTreeSet<ServiceId>> {
    let mut held = BTreeSet::new();
    for key in rows_of(seen, Status::Uploaded).into_iter().filter(|key| !further.contains(key)) {
        held.extend(seen.line(key)?.and_then(|line| line.attachment_id));
    }
    Ok(held)
}

/// A manifest that passed the check, with the lines that its rows take over.
type SoundManifest = (ManifestInfo, Checked, Vec<Taking>);

/// Writes the manifest, checks it, and finds the rows that earlier runs sent under other words.
fn check(
    world: &SimWorld,
    held: &LockedResults<SimDisk>,
    resend: &ResendRules,
) -> Result<Result<SoundManifest, Dead>, String> {
    let options = RecogniseOptions {
        resend: resend.clone(),
        moved: MovedRule::New,
        renamed: RenamedRule::Send,
        ..RecogniseOptions::default()
    };
    let mut recogniser = Recogniser::new(held.seen(), &options);
    let checked = checked(world, &mut recogniser);
    // Why the results cannot be read matters more than what follows from that.
    let Ok(recognition) = recogniser.finish() else { return Ok(Err(Dead)) };
    checked.map(|(info, checked)| Ok((info, checked, recognition.takings)))
}

/// The rows of the manifest, row by row those of [`SimWorld::rows`].
pub(super) fn checked(world: &SimWorld, earlier: &mut dyn Earlier) -> Result<(ManifestInfo, Checked), String> {
    let path = wishes::place(world.seed, world.format);
    std::fs::write(&path, wishes::written(world.rows(), world.format)).map_err(|error| error.to_string())?;
    let read = manifest::ReadOptions { root: Some(wishes::root().to_owned()), ..manifest::ReadOptions::default() };
    let opened = manifest::open(&manifest::Input::Path(path.clone()), &read).map_err(|error| error.to_string())?;
    let settings = check::CheckOptions { allow_identical: true, ..check::CheckOptions::default() };
    let Checkup { manifest, checked, problems, .. } = check::check_after(opened, &settings, earlier);
    std::fs::remove_file(&path).map_err(|error| error.to_string())?;
    let checked = checked.ok_or_else(|| format!("the manifest is not sound: {problems:#?}"))?;
    if checked.len() != world.rows().count() {
        return Err(format!("{} rows were written, {} came", world.rows().count(), checked.len()));
    }
    Ok((manifest, checked))
}

fn plan_settings(world: &SimWorld) -> plan::PlanOptions {
    plan::PlanOptions {
        results: world.path.clone(),
        target: None,
        engine: world.settings_of_the_run(),
        bandwidth: None,
        credits_per_day: None,
        flags: Vec::new(),
        crosswalk: None,
        changed_files: plan::facts::ChangedFiles::default(),
        warnings: Vec::new(),
    }
}

fn prior_attempts(plan: &Plan, mistake: Option<Mistake>) -> Vec<(JobId, PriorAttempt)> {
    let mut prior = plan.prior_attempts().to_vec();
    if mistake == Some(Mistake::ForgetsTime) {
        prior.iter_mut().for_each(|(_, prior)| prior.sent_at = Timestamp::UNIX_EPOCH);
    }
    prior
}
