//! Answers requests: the order in which the service judges them, the work they ask for, and the faults they meet.

use std::collections::HashMap;
use std::io::Read;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::answer::{self, Refusal, json_answer};
use super::body;
use super::fault::{FaultBook, Kind, Moment, On, Strike};
use super::list::Wanted;
use super::meter::{Limit, Meter};
use super::route::{Call, CrmCall, Params, Parent, is_id, route};
use super::settings::{DateHeader, Profile, Settings, Version};
use super::store::{Arrived, NotStored, Store};
use super::token::{self, Denied, Ledger, Need};
use super::wire::{Bend, Wire};

/// The most bytes of path, query and headers together that are listened to.
const MOST_HEAD: usize = 32 << 10;
/// How long a slow answer takes if nobody says.
const SLOW: Duration = Duration::from_secs(10);

/// Everything that the requests share.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) settings: Settings,
    pub(super) meter: Meter,
    pub(super) store: Mutex<Store>,
    ledger: Mutex<Ledger>,
    faults: Mutex<FaultBook>,
    /// How often each record's list has drifted.
    drifts: Mutex<HashMap<Parent, u32>>,
    /// Where this server is, without a slash at the end.
    pub(super) url: String,
}

/// A lock of the service. What stands behind it is whole even if another request panicked: each change is one step.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A way out: the answer that ends a request early.
type Answer = Result<Response, Refusal>;

impl Service {
    pub(super) fn new(mut settings: Settings, token: &str, store: Store, url: String) -> Service {
        let faults = FaultBook::new(std::mem::take(&mut settings.faults));
        Service {
            meter: Meter::new(settings.max_in_flight, settings.credits),
            store: Mutex::new(store),
            ledger: Mutex::new(Ledger::new(token, &settings, Instant::now())),
            faults: Mutex::new(faults),
            drifts: Mutex::new(HashMap::new()),
            settings,
            url,
        }
    }

    /// Seconds since 1970 by the server's clock, which need not be right.
    pub(super) fn now(&self) -> i64 {
        let ahead = match self.settings.date {
            DateHeader::Skewed(seconds) => seconds,
            DateHeader::Right | DateHeader::Off => 0,
        };
        jiff::Timestamp::now().as_second().saturating_add(ahead)
    }

    fn refuse(&self, refusal: &Refusal) -> Response {
        refusal.answer(self.settings.error_shape)
    }

    /// Refuses a request whose body nobody wants, but reads it: a client that is cut off never sees the reason.
    async fn refuse_after_body(&self, request: Request, wire: &Wire, refusal: &Refusal) -> Response {
        if body::drain(request.into_body()).await.is_err() {
            wire.cut();
        }
        self.refuse(refusal)
    }
}

/// Answers one request.
pub(super) async fn handle(
    State(service): State<Arc<Service>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request,
) -> Response {
    let mut response = answer(&service, &wire, request).await;
    if let DateHeader::Skewed(_) = service.settings.date {
        insert(&mut response, header::DATE, &http_date(service.now()));
    }
    response
}

async fn answer(service: &Arc<Service>, wire: &Wire, request: Request) -> Response {
    if head_size(&request) > MOST_HEAD {
        return service.refuse_after_body(request, wire, &Refusal::head_too_large()).await;
    }
    let call = match route(request.method(), request.uri().path()) {
        Ok(call) => call,
        Err(lost) => return service.refuse_after_body(request, wire, &Refusal::lost(lost)).await,
    };
    service.meter.count(&call);
    match call {
        Call::Created => json_answer(200, &created(service)),
        Call::Stats => json_answer(200, &json!(service.meter.stats())),
        Call::Redirected => service.refuse_after_body(request, wire, &Refusal::lost(super::route::Lost::Path)).await,
        Call::Token => token_call(service, wire, request).await,
        Call::Crm(version, call) => {
            let mut response = crm(service, wire, version, &call, request).await;
            if let Some(credits) = service.meter.credits_to_tell() {
                insert(&mut response, HeaderName::from_static("x-api-credits-remaining"), &credits.to_string());
            }
            response
        }
    }
}

fn created(service: &Service) -> Value {
    let store = locked(&service.store);
    let attachments: Vec<Value> = store
        .created()
        .map(|a| {
            json!({"id": a.id, "module": a.module, "record": a.record, "name": a.name, "size": a.size,
                   "sha256": a.sha256, "url": a.url})
        })
        .collect();
    json!({"created": attachments.len(), "attachments": attachments})
}

async fn token_call(service: &Service, wire: &Wire, request: Request) -> Response {
    let strike = locked(&service.faults).decide(On::Token, "", "");
    let deny = |denied: Denied| json_answer(service.settings.refusal_status, &denied.to_json());
    let denied = strike.and_then(|strike| match strike.kind {
        Kind::TooMany => Some(Denied::TooOften),
        Kind::NoPermission => Some(Denied::InvalidClient),
        Kind::NotAuthorized => Some(Denied::InvalidCode),
        _ => None,
    });
    if let (Some(strike), Some(denied)) = (strike, denied) {
        service.meter.count_fault();
        wait(strike.delay).await;
        return deny(denied);
    }
    under(service, wire, strike, request, |request| async {
        let query = Params::parse(request.uri().query().unwrap_or_default());
        let Ok(form) = body::form(request).await else { return deny(Denied::UnknownGrant) };
        let granted = locked(&service.ledger).grant(&query.and(form), &service.url, Instant::now());
        granted.map_or_else(deny, |token| json_answer(200, &token))
    })
    .await
}

/// A call of the CRM: limits, then token, module, scope and record, then faults, then the work.
async fn crm(service: &Arc<Service>, wire: &Wire, version: Version, call: &CrmCall, request: Request) -> Response {
    let _in_flight = match service.meter.enter() {
        Ok(in_flight) => in_flight,
        // The service does not say which of its limits was hit.
        Err(Limit::Concurrency | Limit::Credits) => {
            let too_many = Refusal::too_many(service.settings.profile, service.settings.busy_status);
            return service.refuse_after_body(request, wire, &too_many).await;
        }
    };
    if let Err(refusal) = admit(service, version, call, request.headers()) {
        return service.refuse_after_body(request, wire, &refusal).await;
    }
    let strike = match call {
        CrmCall::Upload(parent) => locked(&service.faults).decide(On::Upload, &parent.module, &parent.record),
        CrmCall::List(parent) => locked(&service.faults).decide(On::List, &parent.module, &parent.record),
        _ => None,
    };
    if let (CrmCall::Upload(parent), Some(Strike { kind: Kind::CutStored, delay: Some(after), .. })) = (call, strike) {
        return cut_then_store(service, wire, version, parent, request, after).await;
    }
    under(service, wire, strike, request, |request| async {
        let answer = work(service, version, call, request).await;
        answer.unwrap_or_else(|refusal| service.refuse(&refusal))
    })
    .await
}

/// Whether a call may be made at all, by its head alone.
fn admit(service: &Service, version: Version, call: &CrmCall, headers: &HeaderMap) -> Result<(), Refusal> {
    let token = headers.get(header::AUTHORIZATION).ok_or_else(Refusal::no_token)?;
    let token = token.to_str().ok().and_then(|value| value.strip_prefix("Zoho-oauthtoken "));
    if !token.is_some_and(|token| locked(&service.ledger).is_valid(token.trim(), Instant::now())) {
        return Err(Refusal::bad_token());
    }
    if let Some(module) = module_of(call) {
        check_module(service, module, version)?;
    }
    if !is_in_scope(service, call) {
        return Err(Refusal::scope(service.settings.profile));
    }
    match call {
        CrmCall::Upload(parent)
        | CrmCall::List(parent)
        | CrmCall::Download(parent, _)
        | CrmCall::Delete(parent, _)
        | CrmCall::DeleteMany(parent)
            if !exists(service, parent) =>
        {
            Err(Refusal::no_record())
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
        CrmCall::Modules | CrmCall::Org | CrmCall::Users => None,
    }
}

fn check_module(service: &Service, module: &str, version: Version) -> Result<(), Refusal> {
    match module {
        "Documents" | "Projects" => Err(Refusal::unsupported_module()),
        _ if service.settings.modules.has(module, version) => Ok(()),
        _ => Err(Refusal::no_module()),
    }
}

fn is_in_scope(service: &Service, call: &CrmCall) -> bool {
    let Some(scopes) = &service.settings.scopes else { return true };
    let attachments = |parent: &Parent, need| token::allows_attachments(scopes, &parent.module, need);
    match call {
        CrmCall::Upload(parent) => attachments(parent, Need::Create),
        CrmCall::List(parent) | CrmCall::Download(parent, _) => attachments(parent, Need::Read),
        CrmCall::Delete(parent, _) | CrmCall::DeleteMany(parent) => attachments(parent, Need::Delete),
        CrmCall::Records { module } => token::allows_records(scopes, module, Need::Read),
        CrmCall::Record(parent) => token::allows_records(scopes, &parent.module, Need::Read),
        CrmCall::Modules => token::allows_reading(scopes, "settings.modules"),
        CrmCall::Org => token::allows_reading(scopes, "org"),
        CrmCall::Users => token::allows_reading(scopes, "users"),
    }
}

fn exists(service: &Service, parent: &Parent) -> bool {
    let is_listed = |records: &std::collections::HashSet<(String, String)>| {
        records.contains(&(parent.module.clone(), parent.record.clone()))
    };
    is_id(&parent.record) && service.settings.records.as_ref().is_none_or(is_listed)
}

/// Does some work as a fault wants it done.
async fn under<F>(
    service: &Service,
    wire: &Wire,
    strike: Option<Strike>,
    request: Request,
    work: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Response>,
{
    let Some(strike) = strike else { return work(request).await };
    service.meter.count_fault();
    match strike.kind.moment() {
        Moment::BeforeBody => {
            wait(strike.delay).await;
            let mut response = instead(service, wire, strike);
            insert(&mut response, header::CONNECTION, "close");
            response
        }
        Moment::InsideBody => {
            work(body::halved(request)).await;
            wait(strike.delay).await;
            instead(service, wire, strike)
        }
        Moment::InsteadOfWork => {
            if body::drain(request.into_body()).await.is_err() {
                wire.cut();
            }
            wait(strike.delay).await;
            instead(service, wire, strike)
        }
        Moment::AfterWork => {
            let response = work(request).await;
            // What the service would have refused anyway, it refuses: nothing was done that could be hidden.
            if !response.status().is_success() {
                return response;
            }
            afterwards(service, wire, strike, response).await
        }
    }
}

/// The answer, or the cut, of a fault that keeps the work from being done.
fn instead(service: &Service, wire: &Wire, strike: Strike) -> Response {
    let profile = service.settings.profile;
    match strike.kind {
        Kind::TooMany => retry_later(service.refuse(&Refusal::too_many(profile, 429)), strike),
        Kind::Early401 => service.refuse(&Refusal::bad_token()),
        Kind::Early413 => service.refuse(&answer::body_too_large()),
        Kind::NoPermission => service.refuse(&Refusal::no_permission()),
        Kind::NotAuthorized => service.refuse(&Refusal::not_authorized()),
        Kind::Html => answer::web_page(),
        Kind::Redirect => {
            let mut response = answer::empty(StatusCode::FOUND);
            insert(&mut response, header::LOCATION, &format!("{}/_sandbox/redirected", service.url));
            response
        }
        Kind::CutBefore | Kind::CutInside | Kind::CutAfter | Kind::CutStored => {
            wire.cut();
            answer::empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
        Kind::ErrorBefore | Kind::ErrorAfter | Kind::Truncated | Kind::Garbage | Kind::Slow => {
            retry_later(service.refuse(&Refusal::internal()), strike)
        }
    }
}

/// What a fault does to the answer of work that was done.
async fn afterwards(service: &Service, wire: &Wire, strike: Strike, response: Response) -> Response {
    let bend = match strike.kind {
        Kind::Truncated => Bend::Truncate,
        Kind::Garbage => Bend::Garble,
        Kind::Slow => {
            wire.bend(Bend::Trickle(strike.delay.unwrap_or(SLOW)));
            return response;
        }
        _ => {
            wait(strike.delay).await;
            return instead(service, wire, strike);
        }
    };
    wait(strike.delay).await;
    wire.bend(bend);
    response
}

fn retry_later(mut response: Response, strike: Strike) -> Response {
    if let Some(seconds) = strike.retry_after {
        insert(&mut response, header::RETRY_AFTER, &seconds.to_string());
    }
    response
}

async fn wait(time: Option<Duration>) {
    if let Some(time) = time.filter(|time| !time.is_zero()) {
        tokio::time::sleep(time).await;
    }
}

/// The work of a call that is allowed.
async fn work(service: &Service, version: Version, call: &CrmCall, request: Request) -> Answer {
    if let CrmCall::Upload(parent) = call {
        return upload(service, version, parent, request).await;
    }
    let query = Params::parse(request.uri().query().unwrap_or_default());
    body::drain(request.into_body()).await.map_err(|body::Broken| Refusal::bad_body())?;
    match call {
        CrmCall::Upload(_) => Err(Refusal::internal()),
        CrmCall::List(parent) => list(service, version, parent, &query),
        CrmCall::Download(parent, id) => download(service, parent, id),
        CrmCall::Delete(parent, id) => delete(service, parent, &[id]),
        CrmCall::DeleteMany(parent) => {
            let ids = query.get("ids").filter(|ids| !ids.is_empty()).ok_or_else(|| Refusal::bad_param("ids"))?;
            delete(service, parent, &ids.split(',').map(str::trim).collect::<Vec<&str>>())
        }
        CrmCall::Records { module } => records(service, module, &query),
        CrmCall::Record(parent) => records(service, &parent.module, &Params::parse(&format!("ids={}", parent.record))),
        CrmCall::Modules => Ok(json_answer(200, &modules(service, version))),
        CrmCall::Org => Ok(json_answer(200, &org(service))),
        CrmCall::Users => Ok(json_answer(200, &users(service))),
    }
}

/// Reads what an upload brings.
async fn arrive(service: &Service, version: Version, request: Request) -> Result<Arrived, Refusal> {
    let query = Params::parse(request.uri().query().unwrap_or_default());
    let vault = locked(&service.store).vault();
    let rules = body::Rules {
        profile: service.settings.profile,
        max_bytes: service.settings.max_bytes,
        takes_incomplete: service.settings.stores_incomplete,
        has_titles: version >= Version::V5,
        vault: &vault,
    };
    body::arrive(request, &query, rules).await
}

async fn upload(service: &Service, version: Version, parent: &Parent, request: Request) -> Answer {
    let arrived = arrive(service, version, request).await?;
    // Nothing is awaited between the last byte and the store: whether a client that goes away now has an attachment
    // must not depend on how fast it goes.
    let stored = store(service, parent, arrived);
    wait(Some(service.settings.latency)).await;
    stored
}

/// Cuts the connection when all has arrived, and stores it only after a while.
async fn cut_then_store(
    service: &Arc<Service>,
    wire: &Wire,
    version: Version,
    parent: &Parent,
    request: Request,
    after: Duration,
) -> Response {
    service.meter.count_fault();
    let arrived = match arrive(service, version, request).await {
        Ok(arrived) => arrived,
        Err(refusal) => return service.refuse(&refusal),
    };
    wire.cut();
    let (service, parent) = (Arc::clone(service), parent.clone());
    // A task of its own: what answers a request ends with its connection.
    tokio::spawn(async move {
        tokio::time::sleep(after).await;
        store(&service, &parent, arrived)
    });
    answer::empty(StatusCode::INTERNAL_SERVER_ERROR)
}

fn store(service: &Service, parent: &Parent, arrived: Arrived) -> Answer {
    match locked(&service.store).add(parent, arrived, service.now()) {
        Ok(attachment) => Ok(json_answer(200, &answer::uploaded(&attachment))),
        Err(NotStored::LinkExists) => Err(Refusal::link_exists()),
        Err(NotStored::Full) => Err(Refusal::storage_full()),
        Err(NotStored::Disk(_)) => Err(Refusal::internal()),
    }
}

fn list(service: &Service, version: Version, parent: &Parent, query: &Params) -> Answer {
    let mut wanted = Wanted::parse(query, version, &service.settings)?;
    if wanted.is_later_page() && drifts(service, parent) {
        wanted = wanted.drifted();
    }
    let store = locked(&service.store);
    let all = store.list(parent, Instant::now());
    match (wanted.page(&all, version, &service.settings), service.settings.profile) {
        (Some(page), _) => Ok(json_answer(200, &page)),
        (None, Profile::DocsV2) => Ok(answer::empty(StatusCode::NO_CONTENT)),
        (None, Profile::OasV8) => Ok(json_answer(200, &json!({"data": []}))),
    }
}

/// Whether the list of a record drifts once more.
fn drifts(service: &Service, parent: &Parent) -> bool {
    let mut drifts = locked(&service.drifts);
    let done = drifts.entry(parent.clone()).or_default();
    let is_due = *done < service.settings.drifting_pages;
    *done += u32::from(is_due);
    is_due
}

fn download(service: &Service, parent: &Parent, id: &str) -> Answer {
    let store = locked(&service.store);
    let Some(attachment) = store.find(parent, id) else { return Ok(answer::empty(StatusCode::NO_CONTENT)) };
    if attachment.url.is_some() {
        return Err(Refusal::download_of_link());
    }
    let file = match store.vault().read(id) {
        None => return Err(Refusal::content_not_kept()),
        Some(file) => file.map_err(|_| Refusal::internal())?,
    };
    let mut response = Response::new(Body::from_stream(Content { file }));
    insert(&mut response, header::CONTENT_TYPE, "application/octet-stream");
    insert(&mut response, header::CONTENT_LENGTH, &attachment.size.to_string());
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
struct Content {
    file: std::fs::File,
}

impl futures_core::Stream for Content {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<std::io::Result<Bytes>>> {
        // A read of the local disk: short enough not to need a thread of its own in a rehearsal.
        let mut piece = vec![0; 64 << 10];
        Poll::Ready(match self.file.read(&mut piece) {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                Some(Ok(piece.into()))
            }
            Err(error) => Some(Err(error)),
        })
    }
}

fn delete(service: &Service, parent: &Parent, ids: &[&str]) -> Answer {
    let mut store = locked(&service.store);
    let mut data = Vec::new();
    for id in ids {
        match store.delete(parent, id) {
            Ok(true) => data.push(answer::deleted(id)),
            Ok(false) if ids.len() == 1 => return Err(Refusal::not_deleted()),
            Ok(false) => data.push(Refusal::not_deleted().to_json()),
            Err(_) => return Err(Refusal::internal()),
        }
    }
    Ok(json_answer(200, &json!({"data": data})))
}

/// Which of the records asked for exist.
fn records(service: &Service, module: &str, query: &Params) -> Answer {
    let ids: Vec<&str> = match query.get("ids") {
        Some(ids) => ids.split(',').map(str::trim).collect(),
        None => {
            let listed = service.settings.records.iter().flatten().filter(|(of, _)| of == module);
            listed.map(|(_, record)| record.as_str()).take(200).collect()
        }
    };
    if ids.iter().any(|id| !is_id(id)) {
        return Err(Refusal::bad_param("ids"));
    }
    let parent = |id: &str| Parent { module: module.to_owned(), record: id.to_owned() };
    let found: Vec<Value> = ids.iter().filter(|id| exists(service, &parent(id))).map(|id| json!({"id": id})).collect();
    if found.is_empty() {
        return Ok(answer::empty(StatusCode::NO_CONTENT));
    }
    let info = json!({"per_page": 200, "count": found.len(), "page": 1, "more_records": false});
    Ok(json_answer(200, &json!({"data": found, "info": info})))
}

fn modules(service: &Service, version: Version) -> Value {
    let module = |(place, name): (usize, &str)| {
        let label = name.trim_end_matches("__s").replace('_', " ");
        let kind = if super::settings::is_standard(name) { "default" } else { "custom" };
        json!({
            "id": (700_000_000_000_002_001 + place as u64).to_string(),
            "api_name": name,
            "module_name": name,
            "singular_label": label.trim_end_matches('s'),
            "plural_label": label,
            "generated_type": kind,
            "api_supported": true,
            "viewable": true,
            "creatable": true,
            "editable": true,
            "deletable": true,
            "visible": true,
            "visibility": 1,
            "status": "visible",
            "profiles": [],
        })
    };
    let names = service.settings.modules.names(version);
    json!({"modules": names.into_iter().enumerate().map(module).collect::<Vec<Value>>()})
}

fn org(service: &Service) -> Value {
    json!({"org": [{
        "id": "700000000000000001",
        "zgid": "700000001",
        "company_name": "Sandbox",
        "currency": "Euro",
        "iso_code": "EUR",
        "time_zone": "Etc/UTC",
        "license_details": {
            "paid": service.settings.edition != "free",
            "paid_type": service.settings.edition,
            "users_license_purchased": 10,
            "trial_type": null,
            "trial_expiry": null,
            "paid_expiry": null,
        },
    }]})
}

/// The one user there is, whatever kind of users was asked for.
fn users(service: &Service) -> Value {
    let user = &service.settings.user;
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

fn head_size(request: &Request) -> usize {
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    request.uri().path_and_query().map_or(0, |path| path.as_str().len()) + headers.sum::<usize>()
}

fn insert(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Seconds since 1970 as HTTP spells a date.
fn http_date(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
