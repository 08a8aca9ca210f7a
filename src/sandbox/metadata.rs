//! What the CRM tells of itself and of its records: modules, fields, related lists, organisation, users, licences, prices.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::admit::{admit_module, exists};
use super::answer::{self, SandboxRefusal, json_answer};
use super::options::{self, Version};
use super::records::{DeletedEntry, FieldKind, ModuleRecords, RecordField};
use super::route::{Params, Parent, is_id};
use super::service::SandboxService;
use super::work::WorkResult;

/// Entries of a page of deleted records.
const DELETED_PAGE: usize = 200;

/// The records asked for that exist, with their fields.
pub(super) fn records(service: &SandboxService, module: &str, query: &Params) -> WorkResult {
    let none = ModuleRecords::default();
    let known = service.options.records.as_ref().and_then(|records| records.module(module)).unwrap_or(&none);
    let ids: Vec<String> = match query.get("ids") {
        Some(ids) => ids.split(',').map(|id| id.trim().to_owned()).collect(),
        None => known.rows.keys().take(200).map(u64::to_string).collect(),
    };
    if ids.iter().any(|id| !is_id(id)) {
        return Err(SandboxRefusal::bad_param("ids"));
    }
    if query.get("ids").is_some() && ids.len() > service.options.switches.ids {
        return Err(SandboxRefusal::too_many_ids(service.options.switches.ids));
    }
    // Leads that became contacts are left out unless asked for.
    let shows_converted = matches!(query.get("converted"), Some("both" | "true"));
    let is_shown = |id: &str| shows_converted || !id.parse().is_ok_and(|id: u64| known.converted.contains(&id));
    let fields: Option<Vec<&str>> = query.get("fields").map(|fields| fields.split(',').map(str::trim).collect());
    let parent = |id: &str| Parent { module: module.to_owned(), record: id.to_owned() };
    let found: Vec<Value> = ids
        .iter()
        .filter(|id| exists(service, &parent(id)) && is_shown(id))
        .map(|id| entry(service, known, id, fields.as_deref()))
        .collect();
    if found.is_empty() {
        return Ok(answer::empty(StatusCode::NO_CONTENT));
    }
    let info = json!({"per_page": 200, "count": found.len(), "page": 1, "more_records": false});
    Ok(json_answer(200, &json!({"data": found, "info": info})))
}

fn entry(service: &SandboxService, module: &ModuleRecords, id: &str, fields: Option<&[&str]>) -> Value {
    let mut entry = Map::from_iter([("id".to_owned(), id.into())]);
    let number = id.parse().unwrap_or_default();
    if let (Some(cells), Some(records)) = (module.rows.get(&number), &service.options.records) {
        let wanted = |name: &str| fields.is_none_or(|fields| fields.contains(&name));
        for field in module.fields.iter().filter(|field| wanted(&field.api_name)) {
            let cell = records.cell(module, &field.api_name, number, cells).filter(|cell| !cell.is_empty());
            let value = match (field.kind, cell) {
                (FieldKind::Lookup, Some(id)) => json!({"id": id, "name": null}),
                (_, cell) => cell.into(),
            };
            entry.insert(field.api_name.clone(), value);
        }
    }
    entry.into()
}

/// A list, or of its entries only the one with this name or id. A list without entries has no body.
pub(super) fn only(list: &str, one: &Option<String>, mut listed: Value) -> WorkResult {
    if let Some(one) = one {
        let is_it = |entry: &Value| [&entry["api_name"], &entry["id"]].into_iter().any(|key| key == one.as_str());
        let entries = listed[list].as_array_mut().ok_or_else(SandboxRefusal::internal)?;
        entries.retain(is_it);
        if entries.is_empty() {
            return Err(SandboxRefusal::bad_param("id"));
        }
    }
    match listed[list].as_array().is_some_and(Vec::is_empty) {
        true => Ok(answer::empty(StatusCode::NO_CONTENT)),
        false => Ok(json_answer(200, &listed)),
    }
}

/// A page of the records of a module that were deleted.
pub(super) fn deleted(service: &SandboxService, module: &str, query: &Params) -> WorkResult {
    let kind = query.get("type").unwrap_or("all");
    if !matches!(kind, "all" | "recycle" | "permanent") {
        return Err(SandboxRefusal::bad_param("type"));
    }
    let page = query.get("page").map_or(Some(1), |page| page.parse::<usize>().ok().filter(|page| *page > 0));
    let page = page.ok_or_else(|| SandboxRefusal::bad_param("page"))?;
    let all = super::work::records(service).module(module).map(|module| &module.deleted[..]).unwrap_or_default();
    let fitting = all.iter().filter(|entry| kind == "all" || entry.is_permanent == (kind == "permanent"));
    let mut rest = fitting.skip((page - 1) * DELETED_PAGE);
    let user = &service.options.user;
    let entry = |entry: &DeletedEntry| {
        json!({
            "id": entry.id.to_string(),
            "display_name": null,
            "type": if entry.is_permanent { "permanent" } else { "recycle" },
            "created_by": answer::user(user),
            "deleted_by": {"id": user.id, "name": if entry.by.is_empty() { &user.name } else { &entry.by }},
            "deleted_time": entry.time,
        })
    };
    let data: Vec<Value> = rest.by_ref().take(DELETED_PAGE).map(entry).collect();
    if data.is_empty() {
        return Ok(answer::empty(StatusCode::NO_CONTENT));
    }
    let has_more = rest.next().is_some();
    let info = json!({"per_page": DELETED_PAGE, "count": data.len(), "page": page, "more_records": has_more});
    Ok(json_answer(200, &json!({"data": data, "info": info})))
}

pub(super) fn modules(service: &SandboxService, version: Version) -> Value {
    let may_change = |name: &str| !service.options.switches.read_only.iter().any(|module| module == name);
    let module = |(place, name): (usize, &str)| {
        let label = label(name);
        let kind = if options::is_standard(name) { "default" } else { "custom" };
        json!({
            "id": (700_000_000_000_002_001 + place as u64).to_string(),
            "api_name": name,
            "module_name": name,
            "singular_label": label.trim_end_matches('s'),
            "plural_label": label,
            "generated_type": kind,
            "api_supported": true,
            "viewable": true,
            "creatable": may_change(name),
            "editable": may_change(name),
            "deletable": may_change(name),
            "visible": true,
            "visibility": 1,
            "status": "visible",
            "profiles": [],
        })
    };
    let names = service.options.modules.names(version);
    json!({"modules": names.into_iter().enumerate().map(module).collect::<Vec<Value>>()})
}

fn label(name: &str) -> String {
    name.trim_end_matches("__s").replace('_', " ")
}

/// The module that a query names, if its metadata may be read.
fn module_of<'q>(service: &SandboxService, version: Version, query: &'q Params) -> Result<&'q str, SandboxRefusal> {
    let module = query.get("module").filter(|module| !module.is_empty());
    let module = module.ok_or_else(|| SandboxRefusal::param_missing("module"))?;
    match service.options.modules.has(module, version) {
        true => Ok(module),
        false => Err(SandboxRefusal::bad_param("module")),
    }
}

/// The fields of a module: `id`, and those that its records have.
pub(super) fn fields(service: &SandboxService, version: Version, query: &Params) -> Result<Value, SandboxRefusal> {
    let module = module_of(service, version, query)?;
    let own = RecordField { api_name: "id".to_owned(), label: "Record Id".to_owned(), kind: FieldKind::Number };
    let known = service.options.records.as_ref().and_then(|records| records.module(module));
    let all = std::iter::once(&own).chain(known.map(|known| &known.fields[..]).unwrap_or_default());
    let fields: Vec<Value> = all.enumerate().map(|(place, field)| field_entry(place, field)).collect();
    Ok(json!({"fields": fields}))
}

fn field_entry(place: usize, field: &RecordField) -> Value {
    let data_type = match field.kind {
        _ if field.api_name == "id" => "bigint",
        FieldKind::Text | FieldKind::Encrypted | FieldKind::ExternalUser | FieldKind::ExternalOrg => "text",
        FieldKind::Email => "email",
        FieldKind::Number => "bigint",
        FieldKind::TextArea => "textarea",
        FieldKind::Lookup => "lookup",
    };
    let external = match field.kind {
        FieldKind::ExternalUser => json!({"type": "user", "show": true}),
        FieldKind::ExternalOrg => json!({"type": "org", "show": true}),
        _ => Value::Null,
    };
    let crypt = match field.kind {
        FieldKind::Encrypted => json!({"mode": "encryption", "status": 1}),
        _ => Value::Null,
    };
    json!({
        "id": (700_000_000_000_004_001 + place as u64).to_string(),
        "api_name": field.api_name,
        "field_label": field.label,
        "display_label": field.label,
        "data_type": data_type,
        "json_type": "string",
        "length": if data_type == "textarea" { 2000 } else { 255 },
        "custom_field": true,
        "external": external,
        "crypt": crypt,
        "unique": {},
        "visible": true,
        "type": "used",
    })
}

/// The related lists of a module: that of its attachments.
pub(super) fn related_lists(
    service: &SandboxService,
    version: Version,
    query: &Params,
) -> Result<Value, SandboxRefusal> {
    let module = module_of(service, version, query)?;
    if service.options.switches.no_attachments.iter().any(|name| name == module) {
        return Ok(json!({"related_lists": []}));
    }
    Ok(json!({"related_lists": [{
        "id": "700000000000005001",
        "api_name": "Attachments",
        "name": "Attachments",
        "display_label": "Attachments",
        "sequence_number": "1",
        "module": {"api_name": "Attachments", "id": "700000000000002099"},
        "href": format!("{module}/{{ENTITYID}}/Attachments"),
        "type": "default",
        "status": "visible",
    }]}))
}

pub(super) fn org(service: &SandboxService) -> Value {
    json!({"org": [{
        "id": "700000000000000001",
        "zgid": service.options.organisation,
        "company_name": "Sandbox",
        "currency": "Euro",
        "iso_code": "EUR",
        "time_zone": "Etc/UTC",
        "type": "sandbox",
        "license_details": {
            "paid": service.options.edition != "free",
            "paid_type": service.options.edition,
            "users_license_purchased": service.options.switches.licences,
            "trial_type": null,
            "trial_expiry": null,
            "paid_expiry": null,
        },
    }]})
}

/// The one user there is, whatever kind of users was asked for.
pub(super) fn users(service: &SandboxService) -> Value {
    let user = &service.options.user;
    json!({
        "users": [{
            "id": user.id,
            "full_name": user.name,
            "last_name": user.name,
            "email": "sandbox@example.invalid",
            "status": "active",
            "confirm": true,
        }],
        "info": {"per_page": 200, "count": 1, "page": 1, "more_records": false},
    })
}

pub(super) fn licences(service: &SandboxService) -> Value {
    let bought = service.options.switches.licences;
    json!({"__features": [{
        "api_name": "user_licenses",
        "parent_feature": null,
        "details": {"limits": {"total": bought}, "available_count": {"total": bought.saturating_sub(1)}, "used_count": {"total": 1}},
        "feature_label": "User Licenses",
        "components": [],
    }]})
}

/// The prices and scopes of the calls that attach files, of the one module that a filter names or of all.
pub(super) fn apis(service: &SandboxService, version: Version, query: &Params) -> WorkResult {
    let filter = query.get("filters").map(serde_json::from_str::<Value>).transpose();
    let filter = filter.map_err(|_| SandboxRefusal::bad_param("filters"))?;
    let wanted = filter.as_ref().and_then(|filter| filter["value"].as_str());
    let of_module = |module: &str| {
        let area = module.trim_end_matches("__s").replace('_', "").to_lowercase();
        let one = |method: &str, need: &str| {
            json!({
                "method": method, "oauth_scope": format!("ZohoCRM.modules.{area}.{need}"),
                "min_credits": 1, "max_credits": 1,
            })
        };
        json!({
            "path": format!("/crm/{}/{module}/{{id}}/Attachments", version.segment()),
            "operation_types": [one("GET", "READ"), one("POST", "CREATE"), one("DELETE", "DELETE")],
        })
    };
    let names = service.options.modules.names(version).into_iter();
    let calls: Vec<Value> = names.filter(|name| wanted.is_none_or(|wanted| wanted == *name)).map(of_module).collect();
    match calls.is_empty() {
        true => Ok(answer::empty(StatusCode::NO_CONTENT)),
        false => Ok(json_answer(200, &json!({"__apis": calls}))),
    }
}

/// Answers a COQL query.
pub(super) fn coql(service: &SandboxService, version: Version, body: &[u8]) -> WorkResult {
    let body: Value = serde_json::from_slice(body).map_err(|_| SandboxRefusal::bad_body())?;
    let query = body["select_query"].as_str().ok_or_else(|| SandboxRefusal::param_missing("select_query"))?;
    let query = super::coql::Query::parse(query)?;
    admit_module(service, version, &query.module)?;
    service.meter.spend(query.credits().saturating_sub(1));
    Ok(match query.run(super::work::records(service), version, &service.options.switches)? {
        Some(found) => json_answer(200, &found),
        None => answer::empty(StatusCode::NO_CONTENT),
    })
}
