//! Whose CRM a command sends to, and whether its results belong to that one: a results file tells of one CRM only, and with the
//! credentials of another client everything would be attached there.

use std::path::Path;

use anyhow::anyhow;

use super::prepare::Prepared;
use crate::cli::failure::{Failure, OrExit};
use crate::exit::Exit;
use crate::owner::{CrmOwner, KnownOwner, OwnerMatch, match_owner};
use crate::plan::{Plan, facts::Warning};
use crate::results::{self, Disk, ResultsSnapshot};
use crate::zoho::{Client, Credentials, Renewal};

/// The scopes of which each lets a token ask for its organisation.
const ASKING: [&str; 2] = ["ZohoCRM.org.READ", "ZohoCRM.org.ALL"];

/// What can be found out before anything is sent. The organisation is asked for only where the token is known to be allowed
/// to: a refusal would cost a request in every run, and tell nothing.
pub(in crate::cli) fn learn(client: &Client, credentials: &Credentials) -> KnownOwner {
    let Some(Renewal::Refresh { client_id, .. }) = &credentials.renewal else { return KnownOwner::default() };
    let CrmOwner::Client(hash) = CrmOwner::of_client(client_id.expose()) else { return KnownOwner::default() };
    // Whatever stands in the way of a token is told by the run itself, which knows what to do about it.
    let scopes = client.find_target().ok().and_then(|_| client.scopes()).unwrap_or_default();
    let may_ask = scopes.iter().any(|scope| ASKING.iter().any(|asking| asking.eq_ignore_ascii_case(scope)));
    let organisation = may_ask.then(|| client.organisation().ok()).flatten();
    let id = organisation.as_ref().and_then(|organisation| organisation.id.parse().ok());
    let name = organisation.map(|organisation| organisation.name).filter(|name| !name.is_empty());
    KnownOwner { organisation: id, name, client: Some(hash) }
}

/// What the results of a command are held against.
pub(in crate::cli) struct OwnerCheck<'a> {
    /// The results.
    pub(in crate::cli) results: &'a Path,
    /// Whether the user said that another client is of the same organisation.
    pub(in crate::cli) same_organisation: bool,
    /// What helps where they are somebody else's.
    pub(in crate::cli) way_on: &'a str,
}

impl OwnerCheck<'_> {
    /// Those of a run.
    pub(super) fn of_run(prepared: &Prepared) -> OwnerCheck<'_> {
        OwnerCheck {
            results: &prepared.plan.results,
            same_organisation: prepared.args.existing.same_organisation,
            way_on: "use the credentials of the first, or name another file with --results",
        }
    }
}

/// The client of these credentials; `None` for a bare token.
pub(super) fn of_client(credentials: &Credentials) -> Option<CrmOwner> {
    match &credentials.renewal {
        Some(Renewal::Refresh { client_id, .. }) => Some(CrmOwner::of_client(client_id.expose())),
        _ => None,
    }
}

/// Refuses results that belong to another CRM.
pub(in crate::cli) fn check<D: Disk>(
    check: &OwnerCheck<'_>,
    seen: &ResultsSnapshot<D>,
    known: &KnownOwner,
) -> Result<(), Failure> {
    if match_owner(seen.owners_named(), known) == OwnerMatch::Fits {
        return Ok(());
    }
    // A row that was refused has the owner of its try in the log, and binds nothing.
    let bound = seen.owners().or_exit(Exit::Results)?;
    match match_owner(&bound, known) {
        OwnerMatch::Fits => Ok(()),
        OwnerMatch::Other { theirs: CrmOwner::Client(_), .. } if check.same_organisation => Ok(()),
        OwnerMatch::Other { theirs, ours } => Err(refusal(check, theirs, ours, known)),
    }
}

fn refusal(check: &OwnerCheck<'_>, theirs: CrmOwner, ours: CrmOwner, known: &KnownOwner) -> Failure {
    let OwnerCheck { results: path, way_on: first, .. } = *check;
    let name = results::owner_names(path).remove(&theirs.to_string());
    let theirs_shown = shown(theirs, name.as_deref());
    let ours_shown = shown(ours, known.name.as_deref());
    let way_on = match theirs {
        CrmOwner::Organisation(_) => "",
        CrmOwner::Client(_) => "; if both are clients of one organisation, go on with --same-organisation",
    };
    let what = format!(
        "{} tells of attachments in the CRM of {theirs_shown}, but the credentials of this run are of {ours_shown}: {first}\
         {way_on}",
        path.display()
    );
    Failure { exit: Exit::Results, error: anyhow!(what) }
}

/// Says in the plan whose CRM it is, or that nobody can tell.
pub(super) fn say(prepared: &Prepared, known: &KnownOwner, plan: &mut Plan) {
    match known.binding() {
        Some(ours) => plan.know_owner(Ok(shown(ours, known.name.as_deref()))),
        None if !plan.is_empty() && prepared.is_for_real() => plan.know_owner(Err(Warning::new(
            "owner-unknown",
            "nobody can tell whose CRM this token belongs to, so nothing keeps rows from going to another one than before; \
             with a client and its refresh token (attache auth login) the results remember it",
        ))),
        None => {}
    }
}

/// An owner as a person knows it.
pub(in crate::cli) fn shown(owner: CrmOwner, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{name} ({owner})"),
        None => owner.to_string(),
    }
}
