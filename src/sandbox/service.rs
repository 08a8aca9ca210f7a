//! Answers requests: what all of them share, and the order in which each is judged, struck by a fault, and worked on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::admit::admit;
use super::answer::{SandboxRefusal, insert, json_answer};
use super::body;
use super::bulk::BulkJobs;
use super::fault::{FaultBook, FaultKind, On, Strike};
use super::meter::{Limit, Meter};
use super::options::{DateHeader, SandboxOptions, Version};
use super::route::{Call, CrmCall, Lost, Params, Parent, route};
use super::store::AttachmentStore;
use super::strike::{cut_then_store, under, wait};
use super::switches::Switches;
use super::token::{Denied, Ledger};
use super::wire::Wire;
use super::work::work;

/// The most bytes of path, query and headers together that are listened to.
const MOST_HEAD: usize = 32 << 10;

/// Everything that the requests share.
#[derive(Debug)]
pub(super) struct SandboxService {
    pub(super) options: SandboxOptions,
    pub(super) meter: Meter,
    pub(super) store: Mutex<AttachmentStore>,
    pub(super) ledger: Mutex<Ledger>,
    pub(super) bulk: Mutex<BulkJobs>,
    faults: Mutex<FaultBook>,
    /// How often each record's list has drifted.
    pub(super) drifts: Mutex<HashMap<Parent, u32>>,
    /// Where this server is, without a slash at the end.
    pub(super) url: String,
}

/// A lock of the service. What stands behind it is whole even if another request panicked: each change is one step.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SandboxService {
    pub(super) fn new(mut options: SandboxOptions, token: &str, store: AttachmentStore, url: String) -> SandboxService {
        let faults = FaultBook::new(std::mem::take(&mut options.faults));
        SandboxService {
            meter: Meter::new(options.max_in_flight, options.credits),
            store: Mutex::new(store),
            ledger: Mutex::new(Ledger::new(token, &options, Instant::now())),
            bulk: Mutex::default(),
            faults: Mutex::new(faults),
            drifts: Mutex::new(HashMap::new()),
            options,
            url,
        }
    }

    /// Seconds since 1970 by the server's clock, which need not be right.
    pub(super) fn now(&self) -> i64 {
        let ahead = match self.options.date {
            DateHeader::Skewed(seconds) => seconds,
            DateHeader::Right | DateHeader::Off => 0,
        };
        jiff::Timestamp::now().as_second().saturating_add(ahead)
    }

    pub(super) fn refuse(&self, refusal: &SandboxRefusal) -> Response {
        refusal.answer(self.options.error_shape)
    }

    /// Refuses a request whose body nobody wants, but reads it: a client that is cut off never sees the reason.
    async fn refuse_after_body(&self, request: Request, wire: &Wire, refusal: &SandboxRefusal) -> Response {
        if body::drain(request.into_body()).await.is_err() {
            wire.cut();
        }
        self.refuse(refusal)
    }
}

/// Answers one request.
pub(super) async fn handle(
    State(service): State<Arc<SandboxService>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request,
) -> Response {
    let mut response = answer(&service, &wire, request).await;
    if let DateHeader::Skewed(_) = service.options.date {
        insert(&mut response, header::DATE, &http_date(service.now()));
    }
    response
}

/// Whether the request names this machine. A web page can have a name of its own lead here, and would read what the
/// rehearsal holds as if it were its own server.
fn is_asked_for_by_its_own_name(request: &Request) -> bool {
    let Some(host) = request.headers().get(header::HOST) else { return true };
    let authority = host.to_str().ok().and_then(|host| host.parse::<axum::http::uri::Authority>().ok());
    authority.is_some_and(|authority| {
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

async fn answer(service: &Arc<SandboxService>, wire: &Wire, request: Request) -> Response {
    if head_size(&request) > MOST_HEAD {
        return service.refuse_after_body(request, wire, &SandboxRefusal::head_too_large()).await;
    }
    if !is_asked_for_by_its_own_name(&request) {
        return service.refuse_after_body(request, wire, &SandboxRefusal::other_host()).await;
    }
    let call = match route(request.method(), request.uri().path()) {
        Ok(call) => call,
        Err(lost) => return service.refuse_after_body(request, wire, &SandboxRefusal::lost(lost)).await,
    };
    service.meter.count(&call);
    match call {
        Call::Created => json_answer(200, &created(service)),
        Call::Stats => json_answer(200, &json!(service.meter.stats())),
        Call::Redirected => service.refuse_after_body(request, wire, &SandboxRefusal::lost(Lost::Path)).await,
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

fn created(service: &SandboxService) -> Value {
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

async fn token_call(service: &SandboxService, wire: &Wire, request: Request) -> Response {
    let strike = locked(&service.faults).decide(On::Token, "", "");
    let deny = |denied: Denied| json_answer(service.options.refusal_status, &denied.to_json());
    let denied = strike.and_then(|strike| match strike.kind {
        FaultKind::TooMany => Some(Denied::TooOften),
        FaultKind::NoPermission => Some(Denied::InvalidClient),
        FaultKind::NotAuthorized => Some(Denied::InvalidCode),
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
async fn crm(
    service: &Arc<SandboxService>,
    wire: &Wire,
    version: Version,
    call: &CrmCall,
    request: Request,
) -> Response {
    let _in_flight = match service.meter.enter(price(call, &service.options.switches)) {
        Ok(in_flight) => in_flight,
        // The service does not say which of its limits was hit.
        Err(Limit::Concurrency | Limit::Credits) => {
            let too_many = SandboxRefusal::too_many(service.options.profile, service.options.busy_status);
            return service.refuse_after_body(request, wire, &too_many).await;
        }
    };
    if let Err(refusal) = admit(service, version, call, request.headers()) {
        return service.refuse_after_body(request, wire, &refusal).await;
    }
    let strike = match call {
        CrmCall::Upload(parent) => locked(&service.faults).decide(On::Upload, &parent.module, &parent.record),
        CrmCall::List(parent) => locked(&service.faults).decide(On::List, &parent.module, &parent.record),
        CrmCall::Delete(parent, _) | CrmCall::DeleteMany(parent) => {
            locked(&service.faults).decide(On::Delete, &parent.module, &parent.record)
        }
        CrmCall::Coql | CrmCall::BulkCreate | CrmCall::BulkState(_) | CrmCall::BulkResult(_) | CrmCall::Fields(_) => {
            locked(&service.faults).decide(On::Query, "", "")
        }
        _ => None,
    };
    if let (CrmCall::Upload(parent), Some(Strike { kind: FaultKind::CutStored, delay: Some(after), .. })) =
        (call, strike)
    {
        return cut_then_store(service, wire, version, parent, request, after).await;
    }
    under(service, wire, strike, request, |request| async {
        let answer = work(service, version, call, request).await;
        answer.unwrap_or_else(|refusal| service.refuse(&refusal))
    })
    .await
}

/// What a call costs, as far as its head tells. Zoho's list prices the creation of a Bulk Read job and says nothing of
/// the looks at it.
fn price(call: &CrmCall, switches: &Switches) -> u64 {
    match call {
        CrmCall::BulkCreate => 50,
        CrmCall::BulkState(_) | CrmCall::BulkResult(_) => switches.bulk_poll_credits,
        CrmCall::Deleted { .. } => 2,
        _ => 1,
    }
}

fn head_size(request: &Request) -> usize {
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    request.uri().path_and_query().map_or(0, |path| path.as_str().len()) + headers.sum::<usize>()
}

/// Seconds since 1970 as HTTP spells a date.
fn http_date(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
