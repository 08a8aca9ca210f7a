//! Speaks HTTP to the CRM; the only module that does.
//!
//! | to change | open |
//! | --- | --- |
//! | which hosts may see a token | `hosts.rs` |
//! | what stands in the body of an upload | `multipart.rs`, `body.rs` |
//! | what an answer means for a row | `classify.rs` |
//! | how answers are read | `encoding.rs`, `json.rs`, `answer.rs`, `list.rs` |
//! | COQL, Bulk Read, metadata | `query.rs` |
//! | how a token is renewed, shared, kept out of logs | `auth/` |
//! | time limits, proxy, certificates | `http.rs` |

mod account;
pub(crate) mod answer;
mod auth;
mod body;
mod census;
pub(crate) mod classify;
pub(crate) mod client;
mod download;
mod encoding;
pub mod fuzz;
mod hosts;
mod http;
mod json;
pub(crate) mod list;
mod multipart;
mod query;
mod request_log;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use crate::crm::{ApiVersion, DataCentre};
pub use account::{Organisation, User};
pub use auth::{Credentials, Renewal, Secret, TokenOptions, log_in};
#[cfg(test)]
pub use census::CensusParent;
pub use census::{CensusEntry, CensusOrder, CensusPage, CensusQuery};
pub use client::{Client, ClientError};
pub use download::DownloadEnd;
pub use hosts::{Base, Target, TargetError, Where};
pub use http::{HttpError, HttpOptions, Proxies};
pub use multipart::overhead;
pub(crate) use query::ApiRoot;
