//! Whose CRM a results file is bound to.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::upload::ServiceId;

/// Whose CRM attachments were made in, as far as a run could tell: the column `org` of the results.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CrmOwner {
    /// The organisation, by the id that the service gave it: `org:` and digits.
    Organisation(ServiceId),
    /// Only the client whose credentials were used is known: `client:` and 16 hex digits, a hash of the client's id.
    Client(u64),
}

impl CrmOwner {
    /// The owner where only the id of the client is known. The id itself is shown to nobody.
    pub fn of_client(id: &str) -> CrmOwner {
        let digest = Sha256::digest(id.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        CrmOwner::Client(u64::from_be_bytes(first))
    }
}

impl fmt::Display for CrmOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CrmOwner::Organisation(id) => write!(f, "org:{id}"),
            CrmOwner::Client(hash) => write!(f, "client:{hash:016x}"),
        }
    }
}

/// The text names no owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAnOwner;

impl FromStr for CrmOwner {
    type Err = NotAnOwner;

    fn from_str(text: &str) -> Result<CrmOwner, NotAnOwner> {
        match text.split_once(':') {
            Some(("org", id)) => id.parse().map(CrmOwner::Organisation).map_err(|_| NotAnOwner),
            Some(("client", hash)) if hash.len() == 16 => {
                u64::from_str_radix(hash, 16).map(CrmOwner::Client).map_err(|_| NotAnOwner)
            }
            _ => Err(NotAnOwner),
        }
    }
}

/// What a run knows of whose CRM it sends to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KnownOwner {
    /// The organisation's id, where the token may ask for it.
    pub organisation: Option<ServiceId>,
    /// Its name.
    pub name: Option<String>,
    /// The hash of the client's id; `None` for a bare access token.
    pub client: Option<u64>,
}

impl KnownOwner {
    /// What lines of this run are bound to; `None` where nobody can tell.
    pub fn binding(&self) -> Option<CrmOwner> {
        self.organisation.map(CrmOwner::Organisation).or(self.client.map(CrmOwner::Client))
    }
}

/// Whether results belong to the CRM of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OwnerMatch {
    /// As far as anybody can tell: like is compared with like, and what cannot be compared says nothing.
    Fits,
    /// To another one.
    Other {
        /// The one that the results name.
        theirs: CrmOwner,
        /// The one of this run.
        ours: CrmOwner,
    },
}

/// Holds the owners that results name against what a run knows. Organisations decide where both sides have one; a client
/// that is bound becomes an organisation once that is known, so the client is asked only where no organisation is.
pub fn match_owner(bound: &[CrmOwner], known: &KnownOwner) -> OwnerMatch {
    let is_organisation = |owner: &&CrmOwner| matches!(owner, CrmOwner::Organisation(_));
    let organisations: Vec<CrmOwner> = bound.iter().filter(is_organisation).copied().collect();
    let clients: Vec<CrmOwner> = bound.iter().filter(|owner| !is_organisation(owner)).copied().collect();
    let ours = [
        (organisations, known.organisation.map(CrmOwner::Organisation)),
        (clients, known.client.map(CrmOwner::Client)),
    ];
    for (theirs, ours) in ours {
        let (Some(first), Some(ours)) = (theirs.first().copied(), ours) else { continue };
        // A file may name several clients of one organisation: the user said so.
        return match (ours, theirs.iter().find(|theirs| **theirs != ours)) {
            (CrmOwner::Organisation(_), Some(other)) => OwnerMatch::Other { theirs: *other, ours },
            (CrmOwner::Client(_), Some(_)) if !theirs.contains(&ours) => OwnerMatch::Other { theirs: first, ours },
            _ => OwnerMatch::Fits,
        };
    }
    OwnerMatch::Fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_elses_results_are_told_by_what_can_be_compared() {
        let org = |id| CrmOwner::Organisation(ServiceId::new(id));
        let (one, two) = (CrmOwner::Client(1), CrmOwner::Client(2));
        let known = |organisation: Option<u64>, client| KnownOwner {
            organisation: organisation.map(ServiceId::new),
            name: None,
            client,
        };
        let other = |theirs, ours| OwnerMatch::Other { theirs, ours };
        for (bound, known, expected) in [
            (&[][..], known(Some(7), Some(1)), OwnerMatch::Fits),
            (&[org(7)], known(Some(7), Some(1)), OwnerMatch::Fits),
            (&[org(8)], known(Some(7), Some(1)), other(org(8), org(7))),
            (&[org(7), org(8)], known(Some(7), Some(1)), other(org(8), org(7))),
            // Of one organisation, whatever the client.
            (&[org(7), two], known(Some(7), Some(1)), OwnerMatch::Fits),
            // The client's binding becomes an organisation's.
            (&[one], known(Some(7), Some(1)), OwnerMatch::Fits),
            (&[two], known(Some(7), Some(1)), other(two, one)),
            (&[one], known(None, Some(1)), OwnerMatch::Fits),
            (&[one, two], known(None, Some(1)), OwnerMatch::Fits),
            (&[two], known(None, Some(1)), other(two, one)),
            (&[org(7), two], known(None, Some(1)), other(two, one)),
            // What cannot be compared says nothing.
            (&[org(7)], known(None, Some(1)), OwnerMatch::Fits),
            (&[org(7), one], known(None, None), OwnerMatch::Fits),
        ] {
            assert_eq!(match_owner(bound, &known), expected, "{bound:?} {known:?}");
        }
    }

    #[test]
    fn an_owner_reads_back_as_it_was_written() {
        for owner in [CrmOwner::Organisation(ServiceId::new(10_234_695)), CrmOwner::of_client("1000.ABC")] {
            assert_eq!(owner.to_string().parse(), Ok(owner));
        }
        assert!(!CrmOwner::of_client("1000.ABC").to_string().contains("ABC"));
        for wrong in ["", "org:", "org:abc", "client:12", "10234695"] {
            assert_eq!(wrong.parse::<CrmOwner>(), Err(NotAnOwner), "{wrong}");
        }
    }
}
