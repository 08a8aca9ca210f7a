//! Which field of a module holds the keys, found by API name or label, and whether the service can compare it.

use serde_json::Value;

use crate::text::{masked_excerpt, nearest};

/// A field that can be looked into.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KeyField {
    /// Its API name; of a parent's field, through a point.
    pub(crate) api_name: String,
    /// Whether it holds whole numbers.
    pub(crate) is_number: bool,
    /// Whether it is known not to tell letters by their case.
    pub(crate) is_blind_to_case: bool,
}

/// Why a field cannot be looked into.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum FieldFlaw {
    /// There is none of this name; these are near.
    Unknown(Vec<String>),
    /// Several have this label; their API names.
    SeveralOfLabel(Vec<String>),
    /// The service compares encrypted fields with nothing.
    Encrypted,
    /// The service compares fields of several lines with nothing.
    MultiLine,
    /// Every user has his own values in it, and sees no other ones.
    PerUser,
    /// Before the point stands a field that leads to no record.
    NoLookup,
    /// The answer is no list of fields.
    Unreadable,
}

/// Finds the field that the user names in the answer to `settings/fields`.
///
/// # Errors
///
/// Why it cannot be looked into.
pub(crate) fn find_field(answer: &Value, named: &str) -> Result<KeyField, FieldFlaw> {
    if named.eq_ignore_ascii_case("id") {
        return Ok(KeyField { api_name: "id".to_owned(), is_number: false, is_blind_to_case: true });
    }
    let fields = answer.get("fields").and_then(Value::as_array).ok_or(FieldFlaw::Unreadable)?;
    if let Some((own, far)) = named.split_once('.') {
        // Whether the parent has such a field is said by the service when it is asked.
        let own = by_name(fields, own)?;
        let leads_somewhere = text(own, "data_type").is_some_and(|kind| kind.contains("lookup"));
        let api_name = format!("{}.{far}", text(own, "api_name").ok_or(FieldFlaw::Unreadable)?);
        let field = KeyField { api_name, is_number: false, is_blind_to_case: false };
        return if leads_somewhere { Ok(field) } else { Err(FieldFlaw::NoLookup) };
    }
    judge(by_name(fields, named)?)
}

fn by_name<'f>(fields: &'f [Value], named: &str) -> Result<&'f Value, FieldFlaw> {
    if let Some(field) = fields.iter().find(|field| text(field, "api_name") == Some(named)) {
        return Ok(field);
    }
    let is_called = |field: &&Value| {
        ["api_name", "field_label", "display_label"]
            .iter()
            .any(|key| text(field, key).is_some_and(|name| name.trim().to_lowercase() == named.trim().to_lowercase()))
    };
    let found: Vec<&Value> = fields.iter().filter(is_called).collect();
    match found[..] {
        [field] => Ok(field),
        [] => Err(FieldFlaw::Unknown(near(fields, named))),
        _ => Err(FieldFlaw::SeveralOfLabel(
            found.iter().filter_map(|field| text(field, "api_name")).map(masked_excerpt).collect(),
        )),
    }
}

fn judge(field: &Value) -> Result<KeyField, FieldFlaw> {
    let kind = text(field, "data_type").unwrap_or_default();
    let is_encrypted = field.get("crypt").is_some_and(|crypt| !crypt.is_null())
        || field.get("encrypted").and_then(Value::as_bool) == Some(true);
    if is_encrypted {
        return Err(FieldFlaw::Encrypted);
    }
    if matches!(kind, "textarea" | "rich_text" | "multi_line") {
        return Err(FieldFlaw::MultiLine);
    }
    if field.pointer("/external/type").and_then(Value::as_str) == Some("user") {
        return Err(FieldFlaw::PerUser);
    }
    Ok(KeyField {
        api_name: text(field, "api_name").ok_or(FieldFlaw::Unreadable)?.to_owned(),
        is_number: matches!(kind, "integer" | "bigint" | "long"),
        is_blind_to_case: field.pointer("/unique/case_sensitive").and_then(Value::as_bool) == Some(false),
    })
}

/// The API names that the user may have meant.
fn near(fields: &[Value], named: &str) -> Vec<String> {
    let names: Vec<&str> = fields.iter().filter_map(|field| text(field, "api_name")).collect();
    let labels = fields.iter().filter_map(|field| Some((text(field, "field_label")?, text(field, "api_name")?)));
    let by_label = labels.filter(|(label, _)| nearest(named, [*label]).is_some()).map(|(_, name)| name);
    let mut near: Vec<&str> = nearest(named, names.iter().copied()).into_iter().chain(by_label).collect();
    near.dedup();
    near.into_iter().take(3).map(masked_excerpt).collect()
}

fn text<'v>(field: &'v Value, key: &str) -> Option<&'v str> {
    field.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields() -> Value {
        json!({"fields": [
            {"api_name": "Legacy_Id", "field_label": "Old account number", "data_type": "text", "unique": {"case_sensitive": false}},
            {"api_name": "Number", "field_label": "Number", "data_type": "bigint"},
            {"api_name": "Secret", "field_label": "Secret", "data_type": "text", "crypt": {"mode": "encryption"}},
            {"api_name": "Remarks", "field_label": "Remarks", "data_type": "textarea"},
            {"api_name": "Mine", "field_label": "Mine", "data_type": "text", "external": {"type": "user"}},
            {"api_name": "Account_Name", "field_label": "Account", "data_type": "lookup"},
            {"api_name": "A1", "field_label": "Twin", "data_type": "text"},
            {"api_name": "A2", "field_label": "Twin", "data_type": "text"},
        ]})
    }

    #[test]
    fn a_field_is_found_by_api_name_and_by_label() {
        for named in ["Legacy_Id", "legacy_id", "Old account number", "old ACCOUNT number "] {
            let field = find_field(&fields(), named).expect(named);
            assert_eq!((field.api_name.as_str(), field.is_blind_to_case), ("Legacy_Id", true));
        }
        assert!(find_field(&fields(), "Number").is_ok_and(|field| field.is_number));
        assert_eq!(find_field(&fields(), "ID").map(|field| field.api_name), Ok("id".to_owned()));
        let parent = find_field(&fields(), "Account.Legacy_Id").map(|field| field.api_name);
        assert_eq!(parent, Ok("Account_Name.Legacy_Id".to_owned()));
    }

    #[test]
    fn a_field_that_cannot_be_compared_is_refused_with_the_reason() {
        for (named, flaw) in [
            ("Secret", FieldFlaw::Encrypted),
            ("Remarks", FieldFlaw::MultiLine),
            ("Mine", FieldFlaw::PerUser),
            ("Number.x", FieldFlaw::NoLookup),
            ("Twin", FieldFlaw::SeveralOfLabel(vec!["A1".to_owned(), "A2".to_owned()])),
            ("Legacy_Ids", FieldFlaw::Unknown(vec!["Legacy_Id".to_owned()])),
            ("Old acount number", FieldFlaw::Unknown(vec!["Legacy_Id".to_owned()])),
            ("nothing like it", FieldFlaw::Unknown(Vec::new())),
        ] {
            assert_eq!(find_field(&fields(), named), Err(flaw), "{named}");
        }
        assert_eq!(find_field(&json!([]), "x"), Err(FieldFlaw::Unreadable));
    }
}
