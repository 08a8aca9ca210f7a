//! Questions that change nothing and are answered with JSON or a file: COQL, Bulk Read, metadata. One request each; what
//! is asked again, and when, is the request engine's choice.

use std::fs::File;
use std::io::{self, Read, Write};
use std::time::Duration;

use serde_json::Value;

use super::answer::Answer;
use super::auth::Lease;
use super::classify::{Ask, Exchange};
use super::client::{Client, authorization, no_token, plain};
use super::http;
use super::request_log::{self, RequestNote};
use crate::outcome::OwnCode;
use crate::reply::{Reply, RetryBecause, Verdict};
use crate::text::system_words;

/// Under which root of the API something is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ApiRoot {
    /// `/crm/{version}/`.
    Crm,
    /// `/crm/bulk/{version}/`.
    Bulk,
}

/// No download takes longer than this; what the service packs into one result comes in a minute or two.
const LONGEST_DOWNLOAD: Duration = Duration::from_secs(30 * 60);

/// No result is larger, packed.
const MOST_BYTES: u64 = 4 << 30;

impl Client {
    /// Gets JSON; `None` where the service answers that there is nothing.
    ///
    /// # Errors
    ///
    /// The reply that came instead.
    pub(crate) fn get_json(&self, root: ApiRoot, path: &str) -> Result<Option<Value>, Box<Reply>> {
        let lease = self.tokens.lease().map_err(|error| Box::new(no_token(error)))?;
        let request = self.agent.get(address(&lease, root, path)).header("authorization", authorization(&lease.token));
        let note = RequestNote::of(&request);
        self.json(&lease, note, request.call())
    }

    /// Sends a question as JSON and gets JSON; `None` where the service answers that there is nothing.
    ///
    /// # Errors
    ///
    /// The reply that came instead.
    pub(crate) fn post_json(&self, root: ApiRoot, path: &str, body: &Value) -> Result<Option<Value>, Box<Reply>> {
        let lease = self.tokens.lease().map_err(|error| Box::new(no_token(error)))?;
        let request = self
            .agent
            .post(address(&lease, root, path))
            .header("authorization", authorization(&lease.token))
            .header("content-type", "application/json");
        let note = RequestNote::of(&request);
        self.json(&lease, note, request.send(body.to_string()))
    }

    fn json(
        &self,
        lease: &Lease,
        note: Option<RequestNote>,
        result: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Option<Value>, Box<Reply>> {
        let exchange = self.heard(note, lease, http::exchange(result, false));
        match &exchange {
            Exchange::Answer(Answer { status: 204, .. }) => {
                self.tokens.worked(lease.generation);
                return Ok(None);
            }
            Exchange::Answer(Answer { status: 200 | 201, body: Some(body), content, .. })
                if content.error().is_none() =>
            {
                if let Ok(value) = serde_json::from_slice(body) {
                    self.tokens.worked(lease.generation);
                    return Ok(Some(value));
                }
            }
            _ => {}
        }
        Err(Box::new(self.reply(Ask::List, &exchange, lease, format_args!(""))))
    }

    /// Downloads a file to the end of `out`.
    ///
    /// # Errors
    ///
    /// The reply that came instead, or how the download broke off.
    pub(crate) fn get_file(&self, root: ApiRoot, path: &str, out: &mut File) -> Result<(), Box<Reply>> {
        let lease = self.tokens.lease().map_err(|error| Box::new(no_token(error)))?;
        let request = self.agent.get(address(&lease, root, path)).config().timeout_recv_body(Some(LONGEST_DOWNLOAD));
        let request = request.build().header("authorization", authorization(&lease.token));
        let note = RequestNote::of(&request);
        let mut response = match request.call() {
            Ok(response) if response.status() == 200 => response,
            result => {
                let exchange = self.heard(note, &lease, http::exchange(result, false));
                return Err(Box::new(self.reply(Ask::List, &exchange, &lease, format_args!(""))));
            }
        };
        request_log::tell_status(note, 200, "a file");
        self.tokens.worked(lease.generation);
        let mut body = response.body_mut().as_reader().take(MOST_BYTES);
        match io::copy(&mut body, out).and_then(|_| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) => {
                let message = format!("the download broke off: {}", system_words(&error));
                Err(Box::new(plain(Verdict::Retry(RetryBecause::Passing), OwnCode::AnswerLost, message)))
            }
        }
    }
}

fn address(lease: &Lease, root: ApiRoot, path: &str) -> String {
    let between = match root {
        ApiRoot::Crm => "crm",
        ApiRoot::Bulk => "crm/bulk",
    };
    format!("{}/{between}/{}/{path}", lease.target.api(), lease.target.version())
}
