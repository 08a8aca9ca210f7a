//! What a fault that strikes does to a request: what is done of its work, and what becomes of the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::Response;

use super::answer::{self, SandboxRefusal, insert};
use super::body;
use super::fault::{FaultKind, FaultMoment, Strike};
use super::options::Version;
use super::route::Parent;
use super::service::SandboxService;
use super::wire::{Bend, Wire};
use super::work;

/// How long a slow answer takes if nobody says.
const SLOW: Duration = Duration::from_secs(10);

/// Does some work as a fault wants it done.
pub(super) async fn under<F>(
    service: &SandboxService,
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
        FaultMoment::BeforeBody => {
            wait(strike.delay).await;
            let mut response = instead(service, wire, strike);
            insert(&mut response, header::CONNECTION, "close");
            response
        }
        FaultMoment::InsideBody => {
            work(body::halved(request)).await;
            wait(strike.delay).await;
            instead(service, wire, strike)
        }
        FaultMoment::InsteadOfWork => {
            if body::drain(request.into_body()).await.is_err() {
                wire.cut();
            }
            wait(strike.delay).await;
            instead(service, wire, strike)
        }
        FaultMoment::AfterWork => {
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
fn instead(service: &SandboxService, wire: &Wire, strike: Strike) -> Response {
    let profile = service.options.profile;
    match strike.kind {
        FaultKind::TooMany => retry_later(service.refuse(&SandboxRefusal::too_many(profile, 429)), strike),
        FaultKind::Early401 => service.refuse(&SandboxRefusal::bad_token()),
        FaultKind::Early413 => service.refuse(&answer::body_too_large()),
        FaultKind::NoPermission => service.refuse(&SandboxRefusal::no_permission()),
        FaultKind::NotAuthorized => service.refuse(&SandboxRefusal::not_authorized()),
        FaultKind::Html => answer::web_page(),
        FaultKind::Redirect => {
            let mut response = answer::empty(StatusCode::FOUND);
            insert(&mut response, header::LOCATION, &format!("{}/_sandbox/redirected", service.url));
            response
        }
        FaultKind::CutBefore | FaultKind::CutInside | FaultKind::CutAfter | FaultKind::CutStored => {
            wire.cut();
            answer::empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
        FaultKind::ErrorBefore
        | FaultKind::ErrorAfter
        | FaultKind::Truncated
        | FaultKind::Garbage
        | FaultKind::Slow => retry_later(service.refuse(&SandboxRefusal::internal()), strike),
    }
}

/// What a fault does to the answer of work that was done.
async fn afterwards(service: &SandboxService, wire: &Wire, strike: Strike, response: Response) -> Response {
    let bend = match strike.kind {
        FaultKind::Truncated => Bend::Truncate,
        FaultKind::Garbage => Bend::Garble,
        FaultKind::Slow => {
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

/// Waits, if there is anything to wait for.
pub(super) async fn wait(time: Option<Duration>) {
    if let Some(time) = time.filter(|time| !time.is_zero()) {
        tokio::time::sleep(time).await;
    }
}

/// Cuts the connection when all has arrived, and stores it only after a while.
pub(super) async fn cut_then_store(
    service: &Arc<SandboxService>,
    wire: &Wire,
    version: Version,
    parent: &Parent,
    request: Request,
    after: Duration,
) -> Response {
    service.meter.count_fault();
    let arrived = match work::arrive(service, version, request).await {
        Ok(arrived) => arrived,
        Err(refusal) => return service.refuse(&refusal),
    };
    wire.cut();
    let (service, parent) = (Arc::clone(service), parent.clone());
    // A task of its own: what answers a request ends with its connection.
    tokio::spawn(async move {
        tokio::time::sleep(after).await;
        work::store(&service, &parent, arrived)
    });
    answer::empty(StatusCode::INTERNAL_SERVER_ERROR)
}
