//! The work of the calls: storing, listing, handing out and deleting attachments, and what the CRM tells of itself.

use std::io::Read;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::json;

use super::admit::admit_module;
use super::answer::{self, SandboxRefusal, insert, json_answer};
use super::body;
use super::bulk::BulkRequest;
use super::census;
use super::list::ListQuery;
use super::metadata;
use super::options::{Dialect, Downloads, Version};
use super::records::Records;
use super::route::{CrmCall, Params, Parent};
use super::service::{SandboxService, locked};
use super::store::{Incoming, NotStored};
use super::strike::wait;
use super::switches::DeletionRight;

/// The answer of some work, or why it was not done.
pub(super) type WorkResult = Result<Response, SandboxRefusal>;

/// The work of a call that is allowed.
pub(super) async fn work(service: &SandboxService, version: Version, call: &CrmCall, request: Request) -> WorkResult {
    let query = Params::parse(request.uri().query().unwrap_or_default());
    match call {
        CrmCall::Upload(parent) => upload(service, version, parent, request).await,
        CrmCall::List(parent) => list(service, version, parent, &query),
        CrmCall::Download(parent, id) => download(service, parent, id),
        CrmCall::Delete(parent, id) => delete(service, parent, &[id]),
        CrmCall::DeleteMany(parent) => {
            let ids = query.get("ids").filter(|ids| !ids.is_empty()).ok_or_else(|| SandboxRefusal::bad_param("ids"))?;
            delete(service, parent, &ids.split(',').map(str::trim).collect::<Vec<&str>>())
        }
        CrmCall::Census => census::page(service, version, &query),
        CrmCall::Records { module } => metadata::records(service, module, &query),
        CrmCall::Record(parent) => {
            metadata::records(service, &parent.module, &Params::parse(&format!("ids={}", parent.record)))
        }
        CrmCall::Deleted { module } => metadata::deleted(service, module, &query),
        CrmCall::Fields(one) => metadata::only("fields", one, metadata::fields(service, version, &query)?),
        CrmCall::RelatedLists(one) => {
            metadata::only("related_lists", one, metadata::related_lists(service, version, &query)?)
        }
        CrmCall::Licences => Ok(json_answer(200, &metadata::licences(service))),
        CrmCall::Apis => metadata::apis(service, version, &query),
        CrmCall::Coql => metadata::coql(service, version, &json_body(request, MediaType::May).await?),
        CrmCall::BulkCreate => bulk_create(service, version, &json_body(request, MediaType::Must).await?),
        CrmCall::BulkState(job) => bulk_state(service, version, job),
        CrmCall::BulkResult(job) => bulk_result(service, job),
        CrmCall::Modules(one) => metadata::only("modules", one, metadata::modules(service, version)),
        CrmCall::Org => Ok(json_answer(200, &metadata::org(service))),
        CrmCall::Users(one) => metadata::only("users", one, metadata::users(service)),
        CrmCall::RecycleBin => Ok(recycle_bin(service, &query)),
    }
}

/// Reads what an upload brings.
pub(super) async fn arrive(
    service: &SandboxService,
    version: Version,
    request: Request,
) -> Result<Incoming, SandboxRefusal> {
    let query = Params::parse(request.uri().query().unwrap_or_default());
    let vault = locked(&service.store).vault();
    let rules = body::UploadRules {
        profile: service.options.profile,
        max_bytes: service.options.max_bytes,
        takes_incomplete: service.options.stores_incomplete,
        has_titles: version >= Version::V5,
        vault: &vault,
    };
    body::arrive(request, &query, rules).await
}

async fn upload(service: &SandboxService, version: Version, parent: &Parent, request: Request) -> WorkResult {
    let arrived = arrive(service, version, request).await?;
    // Nothing is awaited between the last byte and the store: whether a client that goes away now has an attachment
    // must not depend on how fast it goes.
    let stored = store(service, parent, arrived);
    wait(Some(service.options.latency)).await;
    stored
}

pub(super) fn store(service: &SandboxService, parent: &Parent, arrived: Incoming) -> WorkResult {
    match locked(&service.store).add(parent, arrived, service.now()) {
        Ok(attachment) => Ok(json_answer(200, &answer::uploaded(&attachment))),
        Err(NotStored::LinkExists) => Err(SandboxRefusal::link_exists()),
        Err(NotStored::Full) => Err(SandboxRefusal::storage_full()),
        Err(NotStored::Disk(_)) => Err(SandboxRefusal::internal()),
    }
}

fn list(service: &SandboxService, version: Version, parent: &Parent, query: &Params) -> WorkResult {
    let mut wanted = ListQuery::parse(query, version, &service.options)?;
    if wanted.is_later_page() && drifts(service, parent) {
        wanted = wanted.drifted();
    }
    let store = locked(&service.store);
    let all = store.list(parent, Instant::now());
    match (wanted.page(&all, version, &service.options), service.options.profile) {
        (Some(page), _) => Ok(json_answer(200, &page)),
        (None, Dialect::DocsV2) => Ok(answer::empty(StatusCode::NO_CONTENT)),
        (None, Dialect::OasV8) => Ok(json_answer(200, &json!({"data": []}))),
    }
}

/// Whether the list of a record drifts once more.
fn drifts(service: &SandboxService, parent: &Parent) -> bool {
    let mut drifts = locked(&service.drifts);
    let done = drifts.entry(parent.clone()).or_default();
    let is_due = *done < service.options.drifting_pages;
    *done += u32::from(is_due);
    is_due
}

fn download(service: &SandboxService, parent: &Parent, id: &str) -> WorkResult {
    let store = locked(&service.store);
    let Some(attachment) = store.find(parent, id) else { return Ok(answer::empty(StatusCode::NO_CONTENT)) };
    if attachment.url.is_some() {
        return Err(SandboxRefusal::download_of_link());
    }
    let file = match store.vault().read(id) {
        None => return Err(SandboxRefusal::content_not_kept()),
        Some(file) => file.map_err(|_| SandboxRefusal::internal())?,
    };
    let downloads = service.options.downloads;
    if downloads == Downloads::Redirected {
        return Ok(answer::redirect(&service.url));
    }
    let size = if downloads == Downloads::Shortened { attachment.size.saturating_sub(1) } else { attachment.size };
    let content = ContentStream { file, downloads, left: size, is_first: true };
    let mut response = Response::new(Body::from_stream(content));
    if downloads == Downloads::Compressed {
        insert(&mut response, header::CONTENT_ENCODING, "gzip");
    }
    insert(&mut response, header::CONTENT_TYPE, "application/octet-stream");
    insert(&mut response, header::CONTENT_LENGTH, &size.to_string());
    insert(&mut response, header::CONTENT_DISPOSITION, &disposition(&attachment.name));
    Ok(response)
}

/// `attachment; filename*=…` with every byte escaped that is not plain.
fn disposition(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escaped: String = name
        .bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    format!("attachment;filename*=UTF-8''{escaped}")
}

/// The kept bytes of a file, piece by piece.
struct ContentStream {
    file: std::fs::File,
    downloads: Downloads,
    /// Bytes that have not been handed out.
    left: u64,
    is_first: bool,
}

impl futures_core::Stream for ContentStream {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<std::io::Result<Bytes>>> {
        // A read of the local disk: short enough not to need a thread of its own in a rehearsal.
        let mut piece = vec![0; 64 << 10];
        let is_first = std::mem::replace(&mut self.is_first, false);
        if self.downloads == Downloads::Cut && (!is_first || self.left <= 1) {
            return Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionAborted.into())));
        }
        if self.downloads == Downloads::Cut {
            let half = usize::try_from(self.left / 2).unwrap_or(usize::MAX).min(piece.len());
            piece.truncate(half);
        }
        Poll::Ready(match self.file.read(&mut piece) {
            Ok(0) => None,
            Ok(_) if self.left == 0 => None,
            Ok(read) => {
                piece.truncate(read.min(usize::try_from(self.left).unwrap_or(usize::MAX)));
                if let (true, Downloads::Altered, Some(byte)) = (is_first, self.downloads, piece.first_mut()) {
                    *byte ^= 1;
                }
                self.left = self.left.saturating_sub(read as u64);
                Some(Ok(piece.into()))
            }
            Err(error) => Some(Err(error)),
        })
    }
}

fn delete(service: &SandboxService, parent: &Parent, ids: &[&str]) -> WorkResult {
    let mut store = locked(&service.store);
    let mut data = Vec::new();
    let now = service.now();
    for id in ids {
        let is_file = store.find(parent, id).is_some_and(|attachment| attachment.url.is_none());
        let refusal = match service.options.switches.deletion {
            DeletionRight::Refused => Some(SandboxRefusal::no_permission_to_delete()),
            DeletionRight::LinksOnly if is_file => Some(SandboxRefusal::only_links_deleted()),
            DeletionRight::LinksOnly | DeletionRight::Allowed => None,
        };
        match refusal {
            Some(refusal) if ids.len() == 1 => return Err(refusal),
            Some(refusal) => {
                data.push(refusal.to_json());
                continue;
            }
            None => {}
        }
        match store.delete(parent, id, now) {
            Ok(true) => data.push(answer::deleted(id)),
            Ok(false) if ids.len() == 1 => return Err(SandboxRefusal::not_deleted()),
            Ok(false) => data.push(SandboxRefusal::not_deleted().to_json()),
            Err(_) => return Err(SandboxRefusal::internal()),
        }
    }
    Ok(json_answer(200, &json!({"data": data})))
}

/// What was deleted, where the recycle bin shows single attachments at all.
fn recycle_bin(service: &SandboxService, query: &Params) -> Response {
    let wanted: Option<Vec<&str>> = query.get("ids").map(|ids| ids.split(',').map(str::trim).collect());
    let is_wanted = |id: &str| wanted.as_ref().is_none_or(|wanted| wanted.contains(&id));
    let store = locked(&service.store);
    let shown = store.deleted().filter(|_| service.options.switches.bin_shows_attachments);
    let entries: Vec<serde_json::Value> =
        shown.filter(|(one, _)| is_wanted(&one.id)).map(|(one, at)| answer::in_bin(one, at)).collect();
    if entries.is_empty() {
        return answer::empty(StatusCode::NO_CONTENT);
    }
    let info = json!({"per_page": 200, "count": entries.len(), "page": 1, "more_records": false});
    json_answer(200, &json!({"recycle_bin": entries, "info": info}))
}

/// More bytes than any query or order of a job has.
const MOST_JSON: usize = 1 << 20;

/// Whether a request has to say that its body is JSON. Queries of the service's own SDK do not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MediaType {
    Must,
    May,
}

async fn json_body(request: Request, media_type: MediaType) -> Result<Bytes, SandboxRefusal> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_json =
        kind.to_ascii_lowercase().starts_with("application/json") || (kind.is_empty() && media_type == MediaType::May);
    let body = axum::body::to_bytes(request.into_body(), MOST_JSON).await.map_err(|_| SandboxRefusal::bad_body())?;
    if is_json { Ok(body) } else { Err(SandboxRefusal::media_type()) }
}

fn bulk_create(service: &SandboxService, version: Version, body: &[u8]) -> WorkResult {
    let request = BulkRequest::parse(body)?;
    admit_module(service, version, &request.module)?;
    let now = (Instant::now(), service.now());
    let (user, switches) = (&service.options.user, &service.options.switches);
    let made = locked(&service.bulk).create(request, records(service), now, (user, switches))?;
    Ok(json_answer(201, &made))
}

fn bulk_state(service: &SandboxService, version: Version, job: &str) -> WorkResult {
    let (user, switches) = (&service.options.user, &service.options.switches);
    let state = locked(&service.bulk).state(job, records(service), (Instant::now(), version), (user, switches))?;
    Ok(json_answer(200, &state))
}

fn bulk_result(service: &SandboxService, job: &str) -> WorkResult {
    let switches = &service.options.switches;
    let zip = locked(&service.bulk).download(job, records(service), Instant::now(), switches)?;
    let mut response = Response::new(Body::from(zip));
    insert(&mut response, header::CONTENT_TYPE, "application/octet-stream");
    insert(&mut response, header::CONTENT_DISPOSITION, &disposition(&format!("{job}.zip")));
    Ok(response)
}

/// The records that exist, where that is limited; otherwise none that could be read.
pub(super) fn records(service: &SandboxService) -> &Records {
    static NONE: std::sync::LazyLock<Records> = std::sync::LazyLock::new(Records::default);
    service.options.records.as_ref().unwrap_or(&NONE)
}
