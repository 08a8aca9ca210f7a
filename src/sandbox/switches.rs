//! What nobody knows of the service, as switches: each decides one such question. The defaults are what asks most of a
//! client.

use std::str::FromStr;
use std::time::Duration;

/// Every such question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Switches {
    /// Whether COQL finds a text in another case than it was asked for.
    pub coql_blind_to_case: bool,
    /// How many values `in` takes.
    pub coql_in: usize,
    /// How many rows a COQL query may ask for.
    pub coql_rows: usize,
    /// How long a Bulk Read job takes from its creation to its end.
    pub bulk_delay: Duration,
    /// How many of the first Bulk Read jobs fail.
    pub bulk_failures: u32,
    /// How long the result of a job can be downloaded once it is there; the service says a day.
    pub bulk_life: Duration,
    /// The most records of one job.
    pub bulk_page: usize,
    /// How many results can be downloaded in a minute.
    pub bulk_downloads: usize,
    /// What each look at a job and each download costs.
    pub bulk_poll_credits: u64,
    /// How many licences the organisation has bought.
    pub licences: u64,
    /// Whether COQL and Bulk Read find leads that became contacts.
    pub shows_converted: bool,
    /// How many ids one question for records takes.
    pub ids: usize,
    /// Modules that have no list of attachments.
    pub no_attachments: Vec<String>,
    /// Modules that the user may not change.
    pub read_only: Vec<String>,
    /// Which attachments may be deleted. One sentence of the service's interface description speaks of links only; every
    /// other page takes files for granted.
    pub deletion: DeletionRight,
    /// Whether the recycle bin shows single attachments that were deleted.
    pub bin_shows_attachments: bool,
}

/// Which attachments may be deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeletionRight {
    /// All.
    Allowed,
    /// Links only.
    LinksOnly,
    /// None: the profile lacks the right.
    Refused,
}

impl Default for Switches {
    fn default() -> Switches {
        Switches {
            coql_blind_to_case: false,
            coql_in: 50,
            coql_rows: 200,
            bulk_delay: Duration::from_secs(2),
            bulk_failures: 0,
            bulk_life: Duration::from_secs(24 * 3600),
            bulk_page: 200_000,
            bulk_downloads: 10,
            bulk_poll_credits: 0,
            licences: 10,
            shows_converted: false,
            ids: 50,
            no_attachments: Vec::new(),
            read_only: Vec::new(),
            deletion: DeletionRight::Allowed,
            bin_shows_attachments: false,
        }
    }
}

/// The names of all switches, for messages.
const NAMES: &str = "coql-case=exact|blind, coql-in=N, coql-rows=N, bulk-delay=MS, bulk-failures=N, bulk-life=MS, \
                     bulk-page=N, bulk-downloads=N, bulk-poll-credits=N, licences=N, converted=hidden|shown, ids=N, \
                     no-attachments=MODULE, read-only=MODULE, deletion=allowed|links|refused, bin=empty|attachments";

impl Switches {
    /// Sets what `NAME=VALUE` says.
    ///
    /// # Errors
    ///
    /// There is no such switch, or it has no such value.
    pub fn set(&mut self, text: &str) -> Result<(), String> {
        let (name, value) = text.split_once('=').ok_or_else(|| format!("a switch is NAME=VALUE: {NAMES}"))?;
        let milliseconds = || number::<u64>(name, value).map(Duration::from_millis);
        match name {
            "coql-case" => match value {
                "exact" => self.coql_blind_to_case = false,
                "blind" => self.coql_blind_to_case = true,
                _ => return Err(format!("coql-case is exact or blind, not \"{value}\"")),
            },
            "coql-in" => self.coql_in = number(name, value)?,
            "coql-rows" => self.coql_rows = number(name, value)?,
            "bulk-delay" => self.bulk_delay = milliseconds()?,
            "bulk-failures" => self.bulk_failures = number(name, value)?,
            "bulk-life" => self.bulk_life = milliseconds()?,
            "bulk-page" => self.bulk_page = number::<usize>(name, value)?.max(1),
            "bulk-downloads" => self.bulk_downloads = number(name, value)?,
            "bulk-poll-credits" => self.bulk_poll_credits = number(name, value)?,
            "licences" => self.licences = number(name, value)?,
            "converted" => match value {
                "hidden" => self.shows_converted = false,
                "shown" => self.shows_converted = true,
                _ => return Err(format!("converted is hidden or shown, not \"{value}\"")),
            },
            "ids" => self.ids = number::<usize>(name, value)?.max(1),
            "no-attachments" => self.no_attachments.push(value.to_owned()),
            "read-only" => self.read_only.push(value.to_owned()),
            "deletion" => match value {
                "allowed" => self.deletion = DeletionRight::Allowed,
                "links" => self.deletion = DeletionRight::LinksOnly,
                "refused" => self.deletion = DeletionRight::Refused,
                _ => return Err(format!("deletion is allowed, links or refused, not \"{value}\"")),
            },
            "bin" => match value {
                "empty" => self.bin_shows_attachments = false,
                "attachments" => self.bin_shows_attachments = true,
                _ => return Err(format!("bin is empty or attachments, not \"{value}\"")),
            },
            _ => return Err(format!("\"{name}\" is no switch; they are {NAMES}")),
        }
        Ok(())
    }
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} takes a whole number, not \"{value}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_switch_is_set_by_its_name() {
        let mut switches = Switches::default();
        for set in ["coql-case=blind", "coql-in=100", "bulk-delay=50", "bulk-page=0"] {
            switches.set(set).unwrap();
        }
        assert!(switches.coql_blind_to_case && switches.coql_in == 100 && switches.bulk_page == 1);
        assert_eq!(switches.bulk_delay, Duration::from_millis(50));
        for wrong in ["coql-case=perhaps", "coql-inn=1", "coql-in=many", "x"] {
            assert!(switches.set(wrong).is_err(), "{wrong}");
        }
    }
}
