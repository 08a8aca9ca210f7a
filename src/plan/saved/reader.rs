//! Reads a saved plan row by row, and says why one cannot be relied on.

use std::fmt;
use std::io::{self, BufReader, Read};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{FORMAT, PinnedSettings, PlanHead, SavedRow, Seal, VERSION};
use crate::plan::facts::Facts;
use crate::text::system_words;

/// Why a saved plan cannot be relied on.
#[derive(Debug)]
pub enum SavedPlanError {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// It is something else.
    NotAPlan,
    /// It has another form than this program knows.
    OtherVersion(u32),
    /// It is not whole, or has something in it that no plan has; what exactly.
    Damaged(String),
    /// Its values are not those that were saved.
    Edited,
}

impl fmt::Display for SavedPlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SavedPlanError::Unreadable(error) => write!(f, "cannot be read: {}", system_words(error)),
            SavedPlanError::NotAPlan => f.write_str("is no plan that attache saved"),
            SavedPlanError::OtherVersion(version) => write!(
                f,
                "has version {version} of the form of saved plans, and this attache knows version {VERSION}: carry it out with \
                 the attache that saved it, or save it anew"
            ),
            SavedPlanError::Damaged(what) => write!(f, "is damaged or was edited: {what}"),
            SavedPlanError::Edited => f.write_str(
                "was edited: its values are not those that were saved. Mend the manifest, and save a plan anew",
            ),
        }
    }
}

impl std::error::Error for SavedPlanError {}

/// Reads a plan and hands on each of its rows. What was handed on counts only if this succeeds.
///
/// # Errors
///
/// See [`SavedPlanError`].
pub fn read(from: impl Read, each: &mut dyn FnMut(&SavedRow)) -> Result<PlanHead, SavedPlanError> {
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(256 * 1024, from));
    let mut parts = PlanParts::default();
    let read = PlanSeed { parts: &mut parts, each }.deserialize(&mut json).and_then(|()| json.end());
    match (&parts.format, parts.version) {
        (Some(format), Some(version)) if format == FORMAT && version != VERSION => {
            return Err(SavedPlanError::OtherVersion(version));
        }
        (Some(format), _) if format != FORMAT => return Err(SavedPlanError::NotAPlan),
        _ => {}
    }
    if let Err(error) = read {
        return Err(match parts.format {
            _ if error.is_io() => SavedPlanError::Unreadable(error.into()),
            None => SavedPlanError::NotAPlan,
            Some(_) => SavedPlanError::Damaged(error.to_string()),
        });
    }
    if parts.format.is_none() { Err(SavedPlanError::NotAPlan) } else { parts.close() }
}

/// What was read so far.
#[derive(Default)]
struct PlanParts {
    format: Option<String>,
    version: Option<u32>,
    program: Option<String>,
    saved_at: Option<String>,
    pinned: Option<PinnedSettings>,
    summary: Option<Facts>,
    seal: Option<String>,
    rows: Option<Seal>,
}

impl PlanParts {
    /// The head, if all is there and the seal is whole.
    fn close(self) -> Result<PlanHead, SavedPlanError> {
        let (head, rows, seal) =
            self.whole().ok_or_else(|| SavedPlanError::Damaged("a part of it is missing".to_owned()))?;
        let made = rows.close(&head).map_err(|error| SavedPlanError::Damaged(error.to_string()))?;
        if made == seal { Ok(head) } else { Err(SavedPlanError::Edited) }
    }

    fn whole(self) -> Option<(PlanHead, Seal, String)> {
        let head = PlanHead {
            format: self.format?,
            version: self.version?,
            program: self.program?,
            saved_at: self.saved_at?,
            pinned: self.pinned?,
            summary: self.summary?,
        };
        Some((head, self.rows?, self.seal?))
    }
}

/// Reads the whole as a stream: no list of all rows is ever made.
struct PlanSeed<'r> {
    parts: &'r mut PlanParts,
    each: &'r mut dyn FnMut(&SavedRow),
}

impl<'de> DeserializeSeed<'de> for PlanSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PlanSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a saved plan")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let PlanSeed { parts, each } = self;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "format" => put(&mut parts.format, map.next_value()?)?,
                "version" => {
                    put(&mut parts.version, map.next_value()?)?;
                    if parts.version != Some(VERSION) {
                        return Err(M::Error::custom("another version"));
                    }
                }
                "program" => put(&mut parts.program, map.next_value()?)?,
                "saved_at" => put(&mut parts.saved_at, map.next_value()?)?,
                "pinned" => put(&mut parts.pinned, map.next_value()?)?,
                "summary" => put(&mut parts.summary, map.next_value()?)?,
                "seal" => put(&mut parts.seal, map.next_value()?)?,
                "rows" => put(&mut parts.rows, map.next_value_seed(RowsSeed { each: &mut *each })?)?,
                // Other files have members of their own; to be one of ours, it must say so first.
                _ if parts.format.is_none() => drop(map.next_value::<IgnoredAny>()?),
                other => return Err(M::Error::custom(format!("no plan has the member \"{other}\""))),
            }
        }
        Ok(())
    }
}

/// A member counts once: of two, nobody could say which was approved.
fn put<T, E: serde::de::Error>(place: &mut Option<T>, value: T) -> Result<(), E> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::custom("a member stands in it twice")),
    }
}

struct RowsSeed<'r> {
    each: &'r mut dyn FnMut(&SavedRow),
}

impl<'de> DeserializeSeed<'de> for RowsSeed<'_> {
    type Value = Seal;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Seal, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowsSeed<'_> {
    type Value = Seal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the rows of a saved plan")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut rows: S) -> Result<Seal, S::Error> {
        let mut seal = Seal::default();
        while let Some(row) = rows.next_element::<SavedRow>()? {
            seal.row(&row).map_err(S::Error::custom)?;
            (self.each)(&row);
        }
        Ok(seal)
    }
}
