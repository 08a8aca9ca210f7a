//! Whether the crosswalk of a run is of the organisation that the run goes to: elsewhere its record ids mean nothing, or
//! other records.

use anyhow::anyhow;

use super::prepare::{Destination, Prepared};
use crate::cli::failure::Failure;
use crate::exit::Exit;
use crate::owner::KnownOwner;

/// Asks whose CRM it is, where the crosswalk says whose it is of. A rehearsal goes to nobody's.
///
/// # Errors
///
/// It is another organisation's.
pub(super) fn compare(
    prepared: &Prepared,
    destination: &Destination,
    known: &KnownOwner,
    of_crosswalk: Option<&str>,
) -> Result<(), Failure> {
    let Some(of_crosswalk) = of_crosswalk.filter(|_| !prepared.args.sandbox) else { return Ok(()) };
    // Often it has been asked for already.
    if known.organisation.is_some_and(|known| known.to_string() == of_crosswalk) {
        return Ok(());
    }
    match destination.client().organisation() {
        Ok(organisation) if organisation.id == of_crosswalk => Ok(()),
        Ok(organisation) => {
            let (id, name) = (&organisation.id, &organisation.name);
            let error = anyhow!(
                "crosswalk-organisation: the crosswalk is of the organisation {of_crosswalk}, but this run goes to {name} \
                 ({id}); its record ids mean nothing there. Make the crosswalk from that organisation. Nothing was sent"
            );
            Err(Failure { exit: Exit::Unsound, error })
        }
        Err(reply) => {
            prepared.screen.say(&format!(
                "warning: the crosswalk is of the organisation {of_crosswalk}, and whether this run goes there could not be \
                 found out ({}); it takes the scope ZohoCRM.org.READ\n",
                reply.code
            ));
            Ok(())
        }
    }
}
