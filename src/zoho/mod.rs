//! Speaks HTTP to the CRM; the only room that does.
//!
//! | to change | open |
//! | --- | --- |
//! | data centres, which hosts may see a token | `hosts.rs` |
//! | what stands in the body of an upload | `multipart.rs`, `body.rs` |
//! | what an answer means for a row | `classify.rs` |
//! | how answers are read | `answer.rs`, `list.rs` |
//! | where secrets come from, how a token is renewed | `credentials.rs`, `token.rs` |
//! | time limits, proxy, certificates | `http.rs` |

mod hosts;
mod multipart;

pub use hosts::{ApiVersion, Base, DataCentre, Target, TargetError, Where};
pub use multipart::overhead;
