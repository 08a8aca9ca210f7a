//! Facts about Zoho CRM: its modules, API versions, data centres, scopes, limits and prices. Nothing here does anything with
//! them; when the service changes, this is where the program learns of it.
//!
//! Each fact names its source. "API reference" is Zoho's documentation of the CRM API, version 2 where nothing else is said;
//! "OpenAPI" its published description of version 8; "Kaizen" its series of posts for developers. What nobody documents is
//! marked as seen or assumed.
//!
//! | to change | open |
//! | --- | --- |
//! | which modules take attachments, what they are called on the screen | `modules.rs` |
//! | what a version of the API can | `api_version.rs` |
//! | the data centres and their hosts | `data_centre.rs` |
//! | how a scope is spelled | `scopes.rs` |
//! | sizes, lengths, pages, requests at once, credits | `limits.rs` |

mod api_version;
mod data_centre;
pub(crate) mod limits;
pub(crate) mod modules;
mod scopes;

pub use self::api_version::ApiVersion;
pub use self::data_centre::DataCentre;
pub use self::scopes::{FOR_ANY_MODULE, lacking_scopes, read_scope, scopes};
