//! A server that imitates the documented attachment service of Zoho CRM, to rehearse against. Imports nothing of the
//! rest of the crate.
//!
//! It listens on loopback only, keeps no account of anybody, and can be told to misbehave in every way that a real
//! service and the network before it do. A request passes through `route` (what is asked for), `service`
//! and `admit` (may it), `work` (do it, with `body`, `store` and `list`) and `answer`. `fault` decides which requests go
//! wrong, `strike` does it to their work and answers, `wire` to the bytes of their connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use tokio::runtime::{Builder, Runtime};

mod admit;
mod answer;
mod body;
mod bulk;
mod bulk_criteria;
mod census;
mod coql;
mod fault;
mod list;
mod metadata;
mod meter;
mod options;
mod records;
mod route;
mod service;
mod store;
mod strike;
mod switches;
mod token;
mod vault;
mod wire;
mod work;

#[cfg(test)]
pub use census::CensusOptions;
pub use fault::{Fault, FaultKind};
pub use meter::Stats;
#[cfg(test)]
pub use options::Downloads;
pub use options::{
    DateHeader, Dialect, Keep, ListOrder, Rename, SandboxCredentials, SandboxModules, SandboxOptions, SandboxUser,
    SizeAs,
};
pub use records::read_records;
pub use store::Attachment;
pub use switches::Switches;

use service::{SandboxService, locked};
use store::AttachmentStore;

/// A running sandbox. It ends when this is dropped, and with it every connection to it.
#[derive(Debug)]
pub struct SandboxServer {
    service: Arc<SandboxService>,
    token: String,
    /// Present until the server stops.
    runtime: Option<Runtime>,
}

impl SandboxServer {
    /// Starts a server in threads of its own. When this returns, it accepts connections.
    ///
    /// # Errors
    ///
    /// The address is not of this machine or is taken, the token cannot stand in a header, or what was stored before cannot
    /// be read.
    pub fn start(options: SandboxOptions) -> io::Result<SandboxServer> {
        refuse_other_places(options.listen)?;
        refuse_odd_token(options.token.as_deref())?;
        let tcp = TcpListener::bind(options.listen)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {}: {error}", options.listen)))?;
        tcp.set_nonblocking(true)?;
        let url = format!("http://{}", tcp.local_addr()?);
        let token = options.token.clone().unwrap_or_else(|| token::made_up("sandbox-"));
        let store = AttachmentStore::open(&options)?;
        let hide_date = options.date == DateHeader::Off;
        let service = Arc::new(SandboxService::new(options, &token, store, url));
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("sandbox").enable_all().build()?;
        let listening = {
            let _inside = runtime.enter();
            wire::Listening { tcp: tokio::net::TcpListener::from_std(tcp)?, hide_date }
        };
        // Limits on bodies are the service's own: its answer to a large one is part of what is imitated.
        let router = Router::new()
            .fallback(service::handle)
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&service))
            .into_make_service_with_connect_info::<wire::Wire>();
        runtime.spawn(async move { axum::serve(listening, router).await });
        Ok(SandboxServer { service, token, runtime: Some(runtime) })
    }

    /// Where it is: `http://127.0.0.1:PORT`. Both the API and the token endpoint are there.
    pub fn url(&self) -> &str {
        &self.service.url
    }

    /// The access token that is valid from the start.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Every attachment ever created, in order.
    pub fn created(&self) -> Vec<Attachment> {
        locked(&self.service.store).created().cloned().collect()
    }

    /// Every attachment that was not deleted, in order.
    pub fn alive(&self) -> Vec<Attachment> {
        locked(&self.service.store).alive().cloned().collect()
    }

    /// What it has been asked for so far.
    pub fn stats(&self) -> Stats {
        self.service.meter.stats()
    }

    /// Lets somebody else attach a file, as a colleague at the web page would. Returns its id.
    ///
    /// # Errors
    ///
    /// The space of the organisation is used up, or the disk takes no more.
    pub fn attach_as(
        &self,
        user: SandboxUser,
        module: &str,
        record: &str,
        name: &str,
        bytes: &[u8],
    ) -> io::Result<String> {
        let mut store = locked(&self.service.store);
        let mut content = vault::ContentWriter::new(&store.vault())?;
        content.push(bytes)?;
        let parent = route::Parent { module: module.to_owned(), record: record.to_owned() };
        let arrived = store::Incoming::File { name: name.to_owned(), content };
        match store.add_as(&parent, arrived, self.service.now(), Arc::new(user)) {
            Ok(attachment) => Ok(attachment.id),
            Err(store::NotStored::Disk(error)) => Err(error),
            Err(store::NotStored::LinkExists) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(store::NotStored::Full) => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    /// Stops the server and waits until it has let go of its port and its files.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for SandboxServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
    }
}

/// A sandbox has no secrets worth the name and believes everything it is sent: it is for this machine alone.
fn refuse_other_places(listen: SocketAddr) -> io::Result<()> {
    if listen.ip().is_loopback() {
        return Ok(());
    }
    let message = format!("a sandbox listens on loopback only, such as 127.0.0.1:{}, not on {listen}", listen.port());
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// The token goes into a header.
fn refuse_odd_token(token: Option<&str>) -> io::Result<()> {
    if token.is_none_or(|token| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "a token is made of visible ASCII characters"))
}

#[cfg(test)]
mod tests;
