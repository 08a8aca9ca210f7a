//! Whether the token may do what the run will do, as far as that is known before the first upload: a run of days should not
//! end at its first row.

use anyhow::anyhow;

use super::prepare::{Destination, Prepared};
use crate::cli::failure::Failure;
use crate::crm::{lacking_scopes, scopes};
use crate::exit::Exit;
use crate::plan::facts::Facts;

/// Holds the scopes that the accounts server or the profile names against those that the rows to send need. Where nobody
/// names any, the service will say.
///
/// # Errors
///
/// Records of a module cannot be attached to. Of the scopes for attachments themselves the service's own pages say two
/// things, so they are a warning, and so is what only serves to settle lost answers.
pub(super) fn check(prepared: &Prepared, destination: &Destination, plan: &Facts) -> Result<(), Failure> {
    let of_token = destination.client().scopes().unwrap_or_default();
    let granted = if of_token.is_empty() { prepared.scopes_of_profile() } else { &of_token };
    if granted.is_empty() {
        return Ok(());
    }
    let modules = plan.modules.iter().filter(|module| module.to_send > 0).map(|module| module.module.as_str());
    let mut modules = modules.peekable();
    if modules.peek().is_none() {
        return Ok(());
    }
    let lacking = lacking_scopes(&scopes(modules), granted);
    let is_certain = |scope: &&String| scope.ends_with(".CREATE") && !scope.contains(".attachments.");
    if lacking.iter().any(|scope| is_certain(&scope)) {
        let error = anyhow!(
            "the token lacks {}: make a new grant code with the scopes that the plan names, and sign in with it (attache auth \
             login). Nothing was sent",
            lacking.join(", ")
        );
        return Err(Failure { exit: Exit::Stopped, error });
    }
    if !lacking.is_empty() {
        let lacking = lacking.join(", ");
        prepared
            .screen
            .note(&format!("warning: the token lacks {lacking}; the service may refuse uploads, or lists\n"));
    }
    Ok(())
}
