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

#[cfg(test)]
mod tests {
    use super::*;

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
