//! The text of a COQL query that finds keys, and what its answer says.

use serde_json::Value;

use crate::crm::limits::COQL_ROWS;

/// A query for keys of one field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KeyQuery {
    /// Where to look.
    pub(crate) module: String,
    /// The API name of the field, through a point where it is a parent's.
    pub(crate) field: String,
    /// Whether the field holds whole numbers, which stand in a query without quotes.
    pub(crate) is_number: bool,
    /// What to look for.
    pub(crate) keys: Vec<String>,
    /// Only records with a greater id: where the page before was full.
    pub(crate) after: Option<u64>,
}

impl KeyQuery {
    /// The query as the service wants it.
    pub(crate) fn text(&self) -> String {
        let KeyQuery { module, field, .. } = self;
        let columns = if field == "id" { "id".to_owned() } else { format!("id, {field}") };
        let values: Vec<String> = self.keys.iter().map(|key| self.literal(key)).collect();
        let after = self.after.map(|id| format!(" and id > {id}")).unwrap_or_default();
        // Sorted by id, so that the next page can go on behind the last one's end however many records there are.
        format!(
            "select {columns} from {module} where {field} in ({}){after} order by id asc limit {COQL_ROWS}",
            values.join(",")
        )
    }

    fn literal(&self, key: &str) -> String {
        match self.is_number {
            true => key.to_owned(),
            false => format!("'{}'", key.replace('\'', "''")),
        }
    }
}

/// A page of the answer.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct KeyPage {
    /// The key as the service has it, and the id of its record.
    pub(crate) rows: Vec<(String, u64)>,
    /// The id behind which the next page goes on, where there is one.
    pub(crate) next: Option<u64>,
}

/// Reads an answer; `None` where it is not one to such a query. No answer at all (204) says that nothing was found.
pub(crate) fn page(answer: Option<&Value>, field: &str) -> Option<KeyPage> {
    let Some(answer) = answer else { return Some(KeyPage::default()) };
    let mut rows = Vec::new();
    let mut last = 0;
    let data = answer.get("data")?.as_array()?;
    for entry in data {
        let id = text(entry.get("id")?)?.parse::<u64>().ok()?;
        last = last.max(id);
        // A record without the key was not asked for; whoever answers so has answered something else.
        rows.push((text(entry.get(field)?)?, id));
    }
    let says_more = answer.pointer("/info/more_records").and_then(Value::as_bool);
    // A full page may be the end or not, whatever is said of it.
    let has_more = says_more.unwrap_or(false) || data.len() >= COQL_ROWS;
    Some(KeyPage { rows, next: has_more.then_some(last).filter(|last| *last > 0) })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn query(keys: &[&str]) -> KeyQuery {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        let (module, field) = ("Contacts".to_owned(), "Legacy_Id".to_owned());
        KeyQuery { module, field, is_number: false, keys, after: None }
    }

    #[test]
    fn quotes_are_doubled_and_nothing_else_is_changed() {
        assert_eq!(
            query(&["a", "it's", "50%\\"]).text(),
            "select id, Legacy_Id from Contacts where Legacy_Id in ('a','it''s','50%\\') order by id asc limit 200"
        );
        let next = KeyQuery { after: Some(738_964_000_000_291_009), ..query(&["a"]) };
        assert!(next.text().contains("in ('a') and id > 738964000000291009 order by id"));
        let numbers = KeyQuery { is_number: true, ..query(&["1", "2"]) };
        assert!(numbers.text().contains("in (1,2)"));
        let ids = KeyQuery { field: "id".to_owned(), ..query(&["1"]) };
        assert!(ids.text().starts_with("select id from Contacts where id in ('1')"));
    }

    #[test]
    fn an_answer_is_a_page_or_it_is_none() {
        let answer = json!({"data": [{"id": "7", "Legacy_Id": "a"}, {"id": 9, "Legacy_Id": 4711}], "info": {"more_records": false}});
        let read = page(Some(&answer), "Legacy_Id").expect("a page");
        assert_eq!((read.rows, read.next), (vec![("a".to_owned(), 7), ("4711".to_owned(), 9)], None));
        let more = json!({"data": [{"id": "7", "A.B": "a"}], "info": {"more_records": true}});
        assert_eq!(page(Some(&more), "A.B").and_then(|page| page.next), Some(7));
        let full: Vec<Value> = (1..=200).map(|id| json!({"id": id, "Legacy_Id": "a"})).collect();
        assert_eq!(page(Some(&json!({"data": full})), "Legacy_Id").and_then(|page| page.next), Some(200));
        assert_eq!(page(None, "Legacy_Id"), Some(KeyPage::default()));
        for odd in [json!({}), json!({"data": [{"id": "7"}]}), json!({"data": [{"Legacy_Id": "a"}]})] {
            assert_eq!(page(Some(&odd), "Legacy_Id"), None, "{odd}");
        }
    }
}
