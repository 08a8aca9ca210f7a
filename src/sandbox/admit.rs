//! Whether a call of the CRM may be made at all, judged by its head alone: token, module, scope, record.

use std::time::Instant;

use axum::http::{HeaderMap, header};

use super::answer::SandboxRefusal;
use super::options::Version;
use super::records::Records;
use super::route::{CrmCall, Parent, is_id};
use super::service::{SandboxService, locked};
use super::token::{self, Need};

/// Says why a call may not be made.
pub(super) fn admit(
    service: &SandboxService,
    version: Version,
    call: &CrmCall,
    headers: &HeaderMap,
) -> Result<(), SandboxRefusal> {
    let token = headers.get(header::AUTHORIZATION).ok_or_else(SandboxRefusal::no_token)?;
    let token = token.to_str().ok().and_then(|value| value.strip_prefix("Zoho-oauthtoken "));
    if !token.is_some_and(|token| locked(&service.ledger).is_valid(token.trim(), Instant::now())) {
        return Err(SandboxRefusal::bad_token());
    }
    if let Some(module) = module_of(call) {
        check_module(service, module, version)?;
    }
    if !is_in_scope(service, call) {
        return Err(SandboxRefusal::scope(service.options.profile));
    }
    match call {
        CrmCall::Upload(parent)
        | CrmCall::List(parent)
        | CrmCall::Download(parent, _)
        | CrmCall::Delete(parent, _)
        | CrmCall::DeleteMany(parent)
            if !exists(service, parent) =>
        {
            Err(SandboxRefusal::no_record())
        }
        _ => Ok(()),
    }
}

fn module_of(call: &CrmCall) -> Option<&str> {
    match call {
        CrmCall::Upload(parent)
        | CrmCall::List(parent)
        | CrmCall::Download(parent, _)
        | CrmCall::Delete(parent, _)
        | CrmCall::DeleteMany(parent)
        | CrmCall::Record(parent) => Some(&parent.module),
        CrmCall::Records { module } => Some(module),
        CrmCall::Deleted { module } => Some(module),
        // Where a body or a query names the module, it is judged there.
        CrmCall::Census
        | CrmCall::Modules(_)
        | CrmCall::Fields(_)
        | CrmCall::RelatedLists(_)
        | CrmCall::Org
        | CrmCall::Users(_)
        | CrmCall::RecycleBin
        | CrmCall::Licences
        | CrmCall::Apis
        | CrmCall::Coql
        | CrmCall::BulkCreate
        | CrmCall::BulkState(_)
        | CrmCall::BulkResult(_) => None,
    }
}

/// Whether the records of a module that a query or a body names may be read.
pub(super) fn admit_module(service: &SandboxService, version: Version, module: &str) -> Result<(), SandboxRefusal> {
    check_module(service, module, version)?;
    let scopes = service.options.scopes.as_ref();
    match scopes.is_none_or(|scopes| token::allows_records(scopes, module, Need::Read)) {
        true => Ok(()),
        false => Err(SandboxRefusal::scope(service.options.profile)),
    }
}

fn check_module(service: &SandboxService, module: &str, version: Version) -> Result<(), SandboxRefusal> {
    match module {
        "Documents" | "Projects" => Err(SandboxRefusal::unsupported_module()),
        _ if service.options.modules.has(module, version) => Ok(()),
        _ => Err(SandboxRefusal::no_module()),
    }
}

fn is_in_scope(service: &SandboxService, call: &CrmCall) -> bool {
    let Some(scopes) = &service.options.scopes else { return true };
    let attachments = |parent: &Parent, need| token::allows_attachments(scopes, &parent.module, need);
    match call {
        CrmCall::Upload(parent) => attachments(parent, Need::Create),
        CrmCall::List(parent) | CrmCall::Download(parent, _) => attachments(parent, Need::Read),
        CrmCall::Delete(parent, _) | CrmCall::DeleteMany(parent) => attachments(parent, Need::Delete),
        CrmCall::Census => token::allows_all_attachments(scopes),
        CrmCall::Records { module } => token::allows_records(scopes, module, Need::Read),
        CrmCall::Record(parent) => token::allows_records(scopes, &parent.module, Need::Read),
        CrmCall::Modules(_) => token::allows_reading(scopes, "settings.modules"),
        CrmCall::Deleted { module } => token::allows_records(scopes, module, Need::Read),
        CrmCall::Fields(_) => token::allows_reading(scopes, "settings.fields"),
        CrmCall::RelatedLists(_) => token::allows_reading(scopes, "settings.related_lists"),
        CrmCall::Licences => token::allows_reading(scopes, "features"),
        CrmCall::Apis => token::allows_reading(scopes, "apis"),
        CrmCall::Coql => token::allows_reading(scopes, "coql"),
        CrmCall::BulkCreate | CrmCall::BulkState(_) | CrmCall::BulkResult(_) => token::allows_reading(scopes, "bulk"),
        CrmCall::Org => token::allows_reading(scopes, "org"),
        CrmCall::Users(_) => token::allows_reading(scopes, "users"),
        CrmCall::RecycleBin => token::allows_reading(scopes, "settings.recycle_bin"),
    }
}

pub(super) fn exists(service: &SandboxService, parent: &Parent) -> bool {
    let is_listed = |records: &Records| records.has(&parent.module, &parent.record);
    is_id(&parent.record) && service.options.records.as_ref().is_none_or(is_listed)
}
