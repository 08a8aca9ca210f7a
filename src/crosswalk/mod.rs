//! Which record of the service an old system's key stands for: crosswalk files, and finding keys in them.
//!
//! | to change | open |
//! | --- | --- |
//! | what may be a key, which damage of a spreadsheet is refused | `key.rs` |
//! | which spellings of a key mean the same | `spelling.rs` |
//! | how a million keys are held and found | `index.rs` |
//! | how a crosswalk file is read | `reader.rs` |
//!
//! Nothing here asks the service, and nothing decides what becomes of a manifest's row: that is left to `check`.

mod index;
mod key;
mod reader;
mod spelling;

pub(crate) use self::index::{Crosswalk, KeyMatch, Misses};
pub(crate) use self::key::{KeyFlaw, judge_key};
pub(crate) use self::reader::{CrosswalkFlaw, CrosswalkRead, CrosswalkRules, read_crosswalk};
