//! YAML: the head of a manifest with its schema, and its rows one by one.
//!
//! | to change | open |
//! | --- | --- |
//! | what may stand in the head; the schema for editors | `head.rs` |
//! | reading the head and the rows | `document.rs` |
//! | what YAML has and a manifest may not: anchors, tags, several documents | `events.rs` |

mod document;
mod events;
mod head;

pub(super) use self::document::YamlDocument;
pub use self::head::schema;
