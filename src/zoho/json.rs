//! An answer's JSON as a tree that borrows from the answer's bytes.
//!
//! Every upload gets such an answer. `serde_json::Value` would copy each name and each text of it into memory of its own
//! and sort the names, which costs more processor time than anything else that is done with an answer.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// No map of the service has so many names.
const MOST_NAMES: usize = 1_000;

/// What stands in a place of an answer.
#[derive(PartialEq, Debug)]
pub(crate) enum Json<'a> {
    Text(Cow<'a, str>),
    /// A number as ids, sizes and counts are: whole and not below zero.
    Number(u64),
    Bool(bool),
    List(Vec<Json<'a>>),
    Map(Vec<(JsonName<'a>, Json<'a>)>),
    /// `null`, or a number of another kind.
    Other,
}

/// A name in a map.
#[derive(PartialEq, Deserialize, Debug)]
pub(crate) struct JsonName<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Json<'a> {
    /// What a map has under this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Json<'a>> {
        let Json::Map(entries) = self else { return None };
        entries.iter().find(|(JsonName(known), _)| known == name).map(|(_, value)| value)
    }

    pub(crate) fn as_list(&self) -> Option<&[Json<'a>]> {
        if let Json::List(list) = self { Some(list) } else { None }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn as_u64(&self) -> Option<u64> {
        if let Json::Number(number) = self { Some(*number) } else { None }
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        if let Json::Bool(truth) = self { Some(*truth) } else { None }
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Other)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(truth))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(u64::try_from(number).map_or(Json::Other, Json::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json<'de>, E> {
        Ok(Json::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let mut entries: Vec<(JsonName<'de>, Json<'de>)> = Vec::new();
        while let Some((name, value)) = items.next_entry()? {
            // Of two that contradict each other neither can be relied on.
            if entries.len() == MOST_NAMES || entries.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom("a name stands twice, or there are too many"));
            }
            entries.push((name, value));
        }
        Ok(Json::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn read(text: &str) -> Json<'_> {
        serde_json::from_str(text).expect(text)
    }

    #[test]
    fn a_tree_says_what_the_librarys_own_tree_says() {
        let text = r#"{"a":"x","b":[1,"y\n",-1,1.5,18446744073709551616,null,true],"c":{"d":2},"e\u0041":[],"":{}}"#;
        let (tree, known) = (read(text), serde_json::from_str::<Value>(text).expect(text));
        for name in ["a", "b", "c", "eA", "", "none"] {
            agree(tree.get(name), known.get(name));
        }
        agree(tree.get("c").and_then(|inner| inner.get("d")), known.pointer("/c/d"));
        let list = tree.get("b").and_then(Json::as_list).expect("a list");
        for (at, item) in list.iter().enumerate() {
            agree(Some(item), known.pointer(&format!("/b/{at}")));
        }
    }

    fn agree(ours: Option<&Json<'_>>, known: Option<&Value>) {
        assert_eq!(ours.is_some(), known.is_some());
        let (Some(ours), Some(known)) = (ours, known) else { return };
        assert_eq!(ours.as_str(), known.as_str());
        assert_eq!(ours.as_u64(), known.as_u64());
        assert_eq!(ours.as_bool(), known.as_bool());
        assert_eq!(ours.as_list().map(<[_]>::len), known.as_array().map(Vec::len));
    }

    #[test]
    fn what_is_not_json_or_goes_too_deep_is_refused() {
        for wrong in [
            "",
            "{",
            "{\"a\":1,\"\\u0061\":2}",
            "[1,]",
            "{\"a\":1} x",
            "nul",
            &"[".repeat(100_000),
            &"{\"a\":".repeat(100_000),
        ] {
            assert!(serde_json::from_str::<Json<'_>>(wrong).is_err());
        }
    }
}
