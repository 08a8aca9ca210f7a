//! YAML: the head of a manifest with its schema, and its rows one by one.
//!
//! | to change | open |
//! | --- | --- |
//! | what may stand in the head; the schema for editors | `head.rs` |
//! | reading the head and the rows | `document.rs` |
//! | keys of the head behind the rows | `late_keys.rs` |
//! | rows that need no events, since they are plain | `plain.rs` |
//! | what is said of wrong keys and values | `problems.rs` |
//! | the text that both ways of reading share | `window.rs` |
//! | what YAML has and a manifest may not: anchors, tags, several documents | `events.rs` |

mod document;
mod events;
mod head;
mod late_keys;
mod plain;
mod problems;
mod window;

pub(super) use self::document::YamlDocument;
pub use self::head::schema;
pub(super) use self::late_keys::{LateKey, late_keys};
