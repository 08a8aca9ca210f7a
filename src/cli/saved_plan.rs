//! Reads a saved plan for the commands that use one, and says how they end where it cannot be relied on.

use std::fs::File;
use std::path::Path;

use anyhow::anyhow;

use super::failure::Failure;
use crate::exit::Exit;
use crate::plan::saved::{self, PlanHead, SavedPlanError, SavedRow};

/// Hands on every row of a plan and gives its head. What was handed on counts only if this succeeds. `consequence` ends the
/// message of a failure.
///
/// # Errors
///
/// It cannot be read (2), or is not as it was saved (3).
pub fn read(path: &Path, consequence: &str, each: &mut dyn FnMut(&SavedRow)) -> Result<PlanHead, Failure> {
    let named = |error: SavedPlanError| {
        let exit = match &error {
            SavedPlanError::Unreadable(_) => Exit::Usage,
            _ => Exit::Unsound,
        };
        Failure { exit, error: anyhow!("the plan {} {error}{consequence}", path.display()) }
    };
    let file = File::open(path).map_err(|error| named(SavedPlanError::Unreadable(error)))?;
    saved::read(file, each).map_err(named)
}
