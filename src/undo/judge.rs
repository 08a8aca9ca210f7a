//! What a record's list says about an attachment that is to go. Pure.
//!
//! An id names one attachment, so name and size are a second look: where what has the id is not what was sent, our results
//! are wrong about something, and then nothing is deleted on their word.

use std::fmt;

use super::UndoRow;
use crate::reply::Listed;
use crate::text::same_name;

/// What a list says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Judgement {
    /// It is there, as it was sent.
    AsSent,
    /// Something else has its id.
    Differs(Difference),
    /// The list does not have it.
    NotListed,
}

/// In what an attachment is not what was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Difference {
    /// It is called otherwise.
    Name {
        /// What it is called.
        there: String,
    },
    /// It has another size.
    Size {
        /// Bytes as sent.
        sent: u64,
        /// Bytes there.
        there: u64,
    },
    /// A file is a link there, or the other way round.
    Kind,
    /// A link leads elsewhere.
    Address {
        /// Where to.
        there: String,
    },
    /// The list, or our line, does not say what is needed to tell.
    Untold {
        /// What that is.
        what: &'static str,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Name { there } => write!(f, "it is called \"{there}\" there"),
            Difference::Size { sent, there } => write!(f, "it has {there} bytes there, {sent} were sent"),
            Difference::Kind => f.write_str("a file was sent and a link is there, or the other way round"),
            Difference::Address { there } => write!(f, "it leads to {there} there"),
            Difference::Untold { what } => write!(f, "its {what} cannot be compared"),
        }
    }
}

/// Holds the attachment against the list of its record.
pub fn judge(row: &UndoRow, listed: &[Listed]) -> Judgement {
    match listed.iter().find(|one| one.id == row.attachment) {
        None => Judgement::NotListed,
        Some(there) => difference(row, there).map_or(Judgement::AsSent, Judgement::Differs),
    }
}

fn difference(row: &UndoRow, there: &Listed) -> Option<Difference> {
    match (row.is_link, &there.url) {
        (true, Some(url)) if *url == row.source => None,
        (true, Some(url)) => Some(Difference::Address { there: url.clone() }),
        (true, None) if there.address_told => Some(Difference::Kind),
        (true, None) => Some(Difference::Untold { what: "address" }),
        (false, Some(_)) => Some(Difference::Kind),
        (false, None) if !same_name(&row.name, &there.name) => Some(Difference::Name { there: there.name.clone() }),
        (false, None) => match (row.bytes, there.size) {
            (Some(sent), Some(there)) if sent == there => None,
            (Some(sent), Some(there)) => Some(Difference::Size { sent, there }),
            (None, _) | (_, None) => Some(Difference::Untold { what: "size" }),
        },
    }
}
