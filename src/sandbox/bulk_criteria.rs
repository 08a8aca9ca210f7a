//! The criteria of a Bulk Read job: comparisons of fields with values, in groups.

use serde_json::Value;

use super::answer::SandboxRefusal;

/// A job may have so many comparisons.
const MOST_COMPARISONS: usize = 25;

/// A value may have so many characters.
const MOST_VALUE_CHARS: usize = 255;

/// Stands for a field without a value.
const EMPTY: &str = "${EMPTY}";

/// Criteria that have been understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum BulkCriteria {
    /// A field has one of these values, or (`is_not`) none of them.
    OneOf { field: String, values: Vec<String>, is_not: bool },
    /// A field contains a text, or (`is_not`) does not.
    Contains { field: String, text: String, is_not: bool },
    /// All of these hold, or (`is_or`) any of them.
    Group { of: Vec<BulkCriteria>, is_or: bool },
}

impl BulkCriteria {
    /// Reads what stands under `criteria`.
    pub(super) fn parse(criteria: &Value) -> Result<BulkCriteria, SandboxRefusal> {
        let parsed = BulkCriteria::read(criteria)?;
        match parsed.fields().len() > MOST_COMPARISONS {
            true => Err(SandboxRefusal::bulk_limit("criteria", MOST_COMPARISONS)),
            false => Ok(parsed),
        }
    }

    fn read(criteria: &Value) -> Result<BulkCriteria, SandboxRefusal> {
        if let Some(group) = criteria["group"].as_array() {
            let is_or = match criteria["group_operator"].as_str().map(str::to_lowercase).as_deref() {
                Some("and") => false,
                Some("or") => true,
                _ => return Err(SandboxRefusal::bad_param("group_operator")),
            };
            let of = group.iter().map(BulkCriteria::read).collect::<Result<Vec<_>, _>>()?;
            return match of.is_empty() {
                true => Err(SandboxRefusal::bad_param("group")),
                false => Ok(BulkCriteria::Group { of, is_or }),
            };
        }
        let field = criteria["field"]["api_name"].as_str().or_else(|| criteria["api_name"].as_str());
        let field = field.ok_or_else(|| SandboxRefusal::bad_param("api_name"))?.to_owned();
        let comparator = criteria["comparator"].as_str().unwrap_or_default();
        let is_not = comparator.starts_with("not_");
        match comparator {
            "equal" | "not_equal" => Ok(BulkCriteria::OneOf { field, values: vec![text(&criteria["value"])?], is_not }),
            "in" | "not_in" => {
                let values = criteria["value"].as_array().ok_or_else(|| SandboxRefusal::bad_param("value"))?;
                let values = values.iter().map(text).collect::<Result<Vec<_>, _>>()?;
                Ok(BulkCriteria::OneOf { field, values, is_not })
            }
            "contains" | "not_contains" => {
                Ok(BulkCriteria::Contains { field, text: text(&criteria["value"])?, is_not })
            }
            _ => Err(SandboxRefusal::bulk_not_imitated()),
        }
    }

    /// The fields that are compared, one for each comparison.
    pub(super) fn fields(&self) -> Vec<&str> {
        match self {
            BulkCriteria::OneOf { field, .. } | BulkCriteria::Contains { field, .. } => vec![field],
            BulkCriteria::Group { of, .. } => of.iter().flat_map(BulkCriteria::fields).collect(),
        }
    }

    /// Whether a record is one of those that are wanted; `cell` gives the value of a field.
    pub(super) fn holds(&self, cell: &dyn Fn(&str) -> String) -> bool {
        match self {
            BulkCriteria::OneOf { field, values, is_not } => {
                let cell = cell(field);
                let is_it = |value: &String| if value == EMPTY { cell.is_empty() } else { *value == cell };
                values.iter().any(is_it) != *is_not
            }
            BulkCriteria::Contains { field, text, is_not } => cell(field).contains(text.as_str()) != *is_not,
            BulkCriteria::Group { of, is_or: true } => of.iter().any(|one| one.holds(cell)),
            BulkCriteria::Group { of, is_or: false } => of.iter().all(|one| one.holds(cell)),
        }
    }
}

fn text(value: &Value) -> Result<String, SandboxRefusal> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        _ => return Err(SandboxRefusal::bad_param("value")),
    };
    match text.chars().count() > MOST_VALUE_CHARS {
        true => Err(SandboxRefusal::bulk_limit("value", MOST_VALUE_CHARS)),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(criteria: &Value, legacy: &str) -> Result<bool, &'static str> {
        let criteria = BulkCriteria::parse(criteria).map_err(|refusal| refusal.code)?;
        Ok(criteria.holds(&|field| if field == "Legacy_Id" { legacy.to_owned() } else { String::new() }))
    }

    fn one(comparator: &str, value: Value) -> Value {
        json!({"field": {"api_name": "Legacy_Id"}, "comparator": comparator, "value": value})
    }

    #[test]
    fn records_are_chosen_by_comparisons_and_groups_of_them() {
        for (criteria, legacy, wanted) in [
            (one("equal", json!("C-1")), "C-1", true),
            (one("equal", json!("C-1")), "c-1", false),
            (one("not_equal", json!("C-1")), "C-2", true),
            (one("in", json!(["C-1", 7])), "7", true),
            (one("not_in", json!(["C-1"])), "C-1", false),
            (one("contains", json!("-")), "C-1", true),
            (one("equal", json!(EMPTY)), "", true),
            (
                json!({"group_operator": "AND", "group": [one("equal", json!("C-1")), one("contains", json!("x"))]}),
                "C-1",
                false,
            ),
            (
                json!({"group_operator": "or", "group": [one("equal", json!("C-1")), one("contains", json!("x"))]}),
                "C-1",
                true,
            ),
        ] {
            assert_eq!(holds(&criteria, legacy), Ok(wanted), "{criteria} {legacy}");
        }
    }

    #[test]
    fn what_the_service_refuses_and_what_nobody_imitates_is_refused() {
        let many = json!({"group_operator": "and", "group": vec![one("equal", json!("a")); MOST_COMPARISONS + 1]});
        let long = one("equal", json!("x".repeat(MOST_VALUE_CHARS + 1)));
        for (criteria, code) in [
            (many, "LIMIT_EXCEEDED"),
            (long, "LIMIT_EXCEEDED"),
            (one("in", json!("C-1")), "INVALID_DATA"),
            (one("greater_than", json!("1")), "NOT_SUPPORTED"),
            (json!({"group_operator": "xor", "group": [one("equal", json!("a"))]}), "INVALID_DATA"),
            (json!({"comparator": "equal", "value": "a"}), "INVALID_DATA"),
        ] {
            assert_eq!(holds(&criteria, ""), Err(code), "{criteria}");
        }
    }
}
