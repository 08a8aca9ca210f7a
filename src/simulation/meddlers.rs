//! Somebody else who does something to the results file while a run uses it, and the user who finds the right file
//! afterwards: the one that the run saved, or the one that was put aside.

use std::path::PathBuf;

use super::world::SimWorld;
use crate::simulation::disk::Meddling;

/// What somebody does to the results file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SimMeddler {
    /// It gets another name.
    Renames,
    /// It gets a second name.
    Links,
    /// It gets another name, and a copy of how it was when the run began takes its place.
    Replaces,
}

/// The other name.
pub(super) fn aside() -> PathBuf {
    PathBuf::from("/somewhere/aside.csv")
}

impl SimMeddler {
    pub(super) fn draw(random: &mut fastrand::Rng) -> SimMeddler {
        match random.u8(..3) {
            0 => SimMeddler::Renames,
            1 => SimMeddler::Links,
            _ => SimMeddler::Replaces,
        }
    }

    /// Lets it happen before this operation on the disk, if there are results then.
    pub(super) fn meddle_at(self, world: &SimWorld, operation: u64) {
        let (disk, path) = (&world.disk, &world.path);
        let Some(now) = disk.contents(path).filter(|_| !world.has_wrong_results()) else { return };
        match self {
            SimMeddler::Renames => disk.meddle_at(operation, Meddling::Rename(path.clone(), aside())),
            SimMeddler::Links => disk.meddle_at(operation, Meddling::Link(path.clone(), aside())),
            SimMeddler::Replaces => {
                disk.meddle_at(operation, Meddling::Rename(path.clone(), aside()));
                disk.meddle_at(operation, Meddling::Replace(path.clone(), now));
            }
        }
    }

    /// The run is over, and the user puts the right file where it belongs. Of a file that was put aside, the run may have
    /// put its table in the place since.
    pub(super) fn is_put_right(self, world: &mut SimWorld) {
        let there = world.disk.contents(&world.path);
        let put_aside = world.disk.contents(&aside());
        let right = match (world.rescued.take(), self) {
            (Some(rescued), _) => {
                let saved = world.disk.contents(&rescued);
                world.disk.take_away(&rescued);
                saved
            }
            (None, SimMeddler::Renames) => there.or(put_aside),
            (None, SimMeddler::Links) => None,
            (None, SimMeddler::Replaces) => put_aside.filter(|_| there == world.last_copy()),
        };
        world.tell(|| format!("somebody {self:?} the results; put right: {}", right.is_some()));
        if let Some(right) = right {
            world.disk.put(&world.path, &right);
        }
        world.disk.take_away(&aside());
    }
}
