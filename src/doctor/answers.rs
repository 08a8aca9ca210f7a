//! Reads what the service tells of itself. `None`: the answer is none to what was asked, so it says nothing.

use serde_json::Value;

use crate::text::masked_excerpt;
use crate::upload::RecordId;

/// A module as the service lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ServiceModule {
    /// The name in the API.
    pub(crate) api_name: String,
    /// What people call it: one of them, several of them, and the name that it had at first.
    pub(crate) labels: Vec<String>,
    /// Whether the API knows it at all.
    pub(crate) is_supported: bool,
    /// Whether this user may change its records.
    pub(crate) is_editable: bool,
    /// Whether the organisation shows it.
    pub(crate) is_visible: bool,
}

/// The modules of the organisation.
pub(crate) fn modules(answer: Option<&Value>) -> Option<Vec<ServiceModule>> {
    let list = answer?.get("modules")?.as_array()?;
    Some(list.iter().filter_map(service_module).collect())
}

fn service_module(entry: &Value) -> Option<ServiceModule> {
    let is = |name: &str| entry.get(name).and_then(Value::as_bool).unwrap_or(true);
    let labels = ["singular_label", "plural_label", "module_name"].into_iter().filter_map(|name| text(entry.get(name)));
    Some(ServiceModule {
        api_name: text(entry.get("api_name"))?,
        labels: labels.collect(),
        is_supported: is("api_supported"),
        is_editable: is("editable"),
        is_visible: entry.get("status").and_then(Value::as_str).is_none_or(|status| status == "visible"),
    })
}

/// Whether a module has the list of attachments that files are attached to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AttachmentList {
    /// It has, and people see it.
    There,
    /// It has, but the page of a record does not show it.
    Hidden,
    /// It is about to go.
    Leaving,
    /// It has none.
    Missing,
}

/// Looks for the attachments among the related lists of a module.
pub(crate) fn attachment_list(answer: Option<&Value>) -> Option<AttachmentList> {
    let Some(answer) = answer else { return Some(AttachmentList::Missing) };
    let lists = answer.get("related_lists")?.as_array()?;
    let is_it = |list: &&Value| {
        let names = [list.get("api_name"), list.pointer("/module/api_name")];
        names.into_iter().flatten().any(|name| name == "Attachments")
    };
    Some(match lists.iter().find(is_it).map(|list| list.get("status").and_then(Value::as_str)) {
        None => AttachmentList::Missing,
        Some(Some("scheduled_for_deletion")) => AttachmentList::Leaving,
        Some(Some("user_hidden")) => AttachmentList::Hidden,
        Some(_) => AttachmentList::There,
    })
}

/// What the service's own list of its calls says of an upload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct UploadCall {
    /// API credits, at most.
    pub(crate) credits: u64,
    /// The scope that it names; `None` where it names none.
    pub(crate) scope: Option<String>,
}

/// Looks for the call that attaches to records of a module; inside `None` where the list is one and lacks it.
pub(crate) fn upload_call(answer: Option<&Value>, module: &str) -> Option<Option<UploadCall>> {
    let Some(answer) = answer else { return Some(None) };
    let calls = answer.get("__apis")?.as_array()?;
    let is_it = |call: &&Value| {
        let path = call.get("path").and_then(Value::as_str).unwrap_or_default();
        path.trim_end_matches('/').ends_with("/Attachments") && path.split('/').any(|segment| segment == module)
    };
    let methods = calls.iter().filter(is_it).filter_map(|call| call.get("operation_types")?.as_array()).flatten();
    let mut posts = methods.filter(|one| one.get("method").and_then(Value::as_str) == Some("POST"));
    Some(posts.next().map(|post| UploadCall {
        credits: post.get("max_credits").and_then(Value::as_u64).unwrap_or(1),
        scope: text(post.get("oauth_scope")),
    }))
}

/// How many licences the organisation has bought.
pub(crate) fn licences(answer: Option<&Value>) -> Option<u64> {
    let features = answer?.get("__features")?.as_array()?;
    features.iter().find_map(|feature| feature.pointer("/details/limits/total")?.as_u64())
}

/// Those of the records asked for that are there.
pub(crate) fn existing(answer: Option<&Value>, asked: &[RecordId]) -> Option<Vec<RecordId>> {
    let Some(answer) = answer else { return Some(Vec::new()) };
    // A page that is not the last one, or has records that nobody asked for, proves nothing about the others.
    if answer.pointer("/info/more_records").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let entries = answer.get("data")?.as_array()?;
    let id = |entry: &Value| RecordId::new(number(entry.get("id")?)?).filter(|id| asked.contains(id));
    entries.iter().map(id).collect()
}

/// A record that is no more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DeletedRecord {
    /// Its id.
    pub(crate) id: u64,
    /// Who deleted it, and when, as far as the list says.
    pub(crate) deletion: Deletion,
}

/// Who deleted a record, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Deletion {
    /// The user's name.
    pub(crate) by: Option<String>,
    /// The time in the service's spelling.
    pub(crate) at: Option<String>,
    /// Whether it has left the recycle bin too.
    pub(crate) is_for_good: bool,
}

/// A page of the list of deleted records.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct DeletedPage {
    /// The records on it.
    pub(crate) records: Vec<DeletedRecord>,
    /// Whether another page follows.
    pub(crate) has_more: bool,
}

/// Reads a page of the deleted records of a module.
pub(crate) fn deleted(answer: Option<&Value>) -> Option<DeletedPage> {
    let Some(answer) = answer else { return Some(DeletedPage::default()) };
    let record = |entry: &Value| {
        let deletion = Deletion {
            by: text(entry.pointer("/deleted_by/name")),
            at: text(entry.get("deleted_time")),
            is_for_good: entry.get("type").and_then(Value::as_str) == Some("permanent"),
        };
        Some(DeletedRecord { id: number(entry.get("id")?)?, deletion })
    };
    Some(DeletedPage {
        records: answer.get("data")?.as_array()?.iter().filter_map(record).collect(),
        has_more: answer.pointer("/info/more_records").and_then(Value::as_bool).unwrap_or(false),
    })
}

/// A text that is not empty, as it may be shown.
fn text(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?.trim();
    (!text.is_empty()).then(|| masked_excerpt(text))
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(last: u64) -> RecordId {
        RecordId::new(738_964_000_000_291_000 + last).expect("an id")
    }

    #[test]
    fn records_exist_that_the_answer_names_and_only_a_believable_answer_counts() {
        let asked = [id(1), id(2)];
        let answer = json!({"data": [{"id": "738964000000291002"}], "info": {"more_records": false}});
        assert_eq!(existing(Some(&answer), &asked), Some(vec![id(2)]));
        assert_eq!(existing(None, &asked), Some(Vec::new()));
        for odd in [
            json!({"data": [{"id": "738964000000291003"}]}),
            json!({"data": [{"id": "738964000000291001"}], "info": {"more_records": true}}),
            json!({"data": [{}]}),
            json!({"code": "SOMETHING"}),
        ] {
            assert_eq!(existing(Some(&odd), &asked), None, "{odd}");
        }
    }

    #[test]
    fn the_list_of_attachments_is_found_by_either_name() {
        let list = |entry: Value| attachment_list(Some(&json!({"related_lists": [{"api_name": "Notes"}, entry]})));
        assert_eq!(list(json!({"api_name": "Attachments", "status": "visible"})), Some(AttachmentList::There));
        let far = json!({"api_name": "Files", "module": {"api_name": "Attachments"}, "status": "user_hidden"});
        assert_eq!(list(far), Some(AttachmentList::Hidden));
        let leaving = json!({"api_name": "Attachments", "status": "scheduled_for_deletion"});
        assert_eq!(list(leaving), Some(AttachmentList::Leaving));
        assert_eq!(list(json!({"api_name": "Emails"})), Some(AttachmentList::Missing));
        assert_eq!(attachment_list(None), Some(AttachmentList::Missing));
        assert_eq!(attachment_list(Some(&json!({}))), None);
    }

    #[test]
    fn an_upload_is_found_in_the_list_of_calls_however_its_path_is_written() {
        let post = json!({"method": "POST", "oauth_scope": "ZohoCRM.modules.deals.CREATE", "max_credits": 1});
        for path in ["/crm/v7/Deals/{{id}}/Attachments", "/crm/v8/Deals/{id}/Attachments/"] {
            let answer = json!({"__apis": [
                {"path": "/crm/v7/Leads/{id}/Attachments", "operation_types": [post]},
                {"path": path, "operation_types": [{"method": "GET"}, post]},
            ]});
            let call = upload_call(Some(&answer), "Deals").flatten().expect("a call");
            assert_eq!((call.credits, call.scope.as_deref()), (1, Some("ZohoCRM.modules.deals.CREATE")));
            assert_eq!(upload_call(Some(&answer), "Quotes"), Some(None));
        }
        assert_eq!(upload_call(Some(&json!({})), "Deals"), None);
    }

    #[test]
    fn modules_have_labels_and_what_is_not_said_is_allowed() {
        let answer = json!({"modules": [
            {"api_name": "Deals", "plural_label": "Potentials", "module_name": "Potentials", "editable": false},
            {"api_name": "Old", "status": "user_hidden", "api_supported": false},
            {"module_name": "nameless"},
        ]});
        let modules = modules(Some(&answer)).expect("modules");
        assert_eq!(modules.len(), 2);
        assert!(modules[0].is_supported && modules[0].is_visible && !modules[0].is_editable);
        assert!(!modules[1].is_supported && !modules[1].is_visible && modules[1].is_editable);
    }

    #[test]
    fn the_list_of_deleted_records_says_who_and_when() {
        let answer = json!({"data": [
            {"id": "738964000000291001", "deleted_by": {"name": "Patricia Boyle"}, "deleted_time": "2026-10-01T10:00:00+02:00",
             "type": "recycle"},
            {"id": "738964000000291002", "deleted_by": null, "type": "permanent"},
        ], "info": {"more_records": true}});
        let page = deleted(Some(&answer)).expect("a page");
        assert!(page.has_more && page.records.len() == 2);
        assert_eq!(page.records[0].deletion.by.as_deref(), Some("Patricia Boyle"));
        assert!(page.records[1].deletion.is_for_good && page.records[1].deletion.by.is_none());
        assert_eq!(deleted(None), Some(DeletedPage::default()));
    }
}
