//! Which record of the service an old system's key stands for: crosswalk files, and where they come from.
//!
//! | to change | open |
//! | --- | --- |
//! | what may be a key, which damage of a spreadsheet is refused | `key.rs` |
//! | which spellings of a key mean the same | `spelling.rs` |
//! | how a million keys are held and found | `index.rs` |
//! | how a crosswalk file is read, and written | `reader.rs`, `writer.rs` |
//! | which keys a manifest names | `wanted.rs` |
//! | which way the service is asked, and what it costs | `cost.rs` |
//! | what is asked next | `lookup.rs` |
//! | which field holds the keys | `field.rs` |
//! | queries, and jobs that read a whole module | `coql.rs`, `bulk.rs` |
//! | making one from a table | `table.rs` |
//!
//! Nothing here speaks to the service, and nothing decides what becomes of a manifest's row: that is left to `zoho` and to
//! `check`.

pub(crate) mod bulk;
pub(crate) mod coql;
pub(crate) mod cost;
pub(crate) mod field;
mod index;
mod key;
pub(crate) mod lookup;
mod reader;
mod spelling;
pub(crate) mod table;
pub(crate) mod wanted;
pub(crate) mod writer;

pub(crate) use self::index::{Crosswalk, KeyMatch, Misses};
pub(crate) use self::key::{KeyFlaw, judge_key};
pub(crate) use self::reader::{CrosswalkFlaw, CrosswalkRead, CrosswalkRules, read_crosswalk};
