//! Rules of the protocol that tests break on purpose, one at a time, to see that the checker notices. None of this is
//! in the program that users run: what asks for a mistake in the code itself is compiled for tests only.

use std::cell::Cell;

/// A rule that is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mistake {
    /// A row is sent before its `sending` line is on the disk.
    NoSyncBeforeSending,
    /// Rows in doubt are looked up before the list has caught up.
    SettlesBeforeTheList,
    /// Rows in doubt are looked up before a slow server is done.
    SettlesBeforeTheServer,
    /// An attachment that the results give to another row passes for new.
    ForgetsOwnAttachments,
    /// An attachment that was there before passes for new.
    ForgetsTime,
    /// The requests that settle rows in doubt are not held to the rate.
    SettlesUnpaced,
    /// A final line is written when others may already have been given something to do.
    FinishesAfterTheLock,
    /// A list is believed though it lacks an attachment that the results hold.
    BelievesPartialLists,
    /// One reading of a list proves that something is not there.
    SettlesByOneReading,
    /// Times of the machine's own clock pass for the service's.
    TrustsItsOwnClock,
    /// The line of a row that is sent once more is not set aside.
    ForgetsTheOlder,
    /// A torn file is taken over without its name being made durable.
    TakesOverTornWithoutFolder,
    /// Results that hold less than the mark beside them are taken all the same.
    PassesOverTheMark,
    /// A record is listed for its rows in doubt while another of its rows is on its way.
    ListsWhileSending,
}

thread_local! {
    /// What the world that this thread lives in does wrong.
    static MADE: Cell<Option<Mistake>> = const { Cell::new(None) };
}

/// Whether this mistake is to be made here and now.
pub(crate) fn is_made(mistake: Mistake) -> bool {
    MADE.get() == Some(mistake)
}

/// While this lives, its thread makes the mistake.
pub(super) struct Making;

impl Making {
    pub(super) fn of(mistake: Option<Mistake>) -> Making {
        MADE.set(mistake);
        Making
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        MADE.set(None);
    }
}
