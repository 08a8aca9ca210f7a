//! What a sandbox can be told: every mode, and every unknown of the service as a switch.
//!
//! The defaults imitate the documented service of a well-licensed organisation; the switches are for rehearsing the rest.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::census::CensusOptions;
use super::fault::Fault;
use super::records::Records;
use super::switches::Switches;

/// Everything a sandbox can be told. Start from [`SandboxOptions::default`] and change what matters.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Where to listen. Only loopback addresses are accepted; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The access token that is valid from the start; made up when absent.
    pub token: Option<String>,
    /// Which of Zoho's contradicting pages to follow.
    pub profile: Dialect,
    /// What becomes of the bytes of uploaded files.
    pub keep: Keep,
    /// The records that exist; `None` takes any well-formed record id, and knows no field of any.
    pub records: Option<Records>,
    /// The modules that exist.
    pub modules: SandboxModules,
    /// What is to go wrong. Of several that would strike the same request, the first one does.
    pub faults: Vec<Fault>,
    /// How long a new attachment stays out of the lists.
    pub lag: Duration,
    /// How the names of files are changed when they are stored.
    pub rename: Rename,
    /// Whether a file of which only a part arrived is stored all the same, with that part.
    pub stores_incomplete: bool,
    /// The room for files, in bytes; when it is used up, uploads are refused with `LIMIT_REACHED`.
    pub storage: Option<u64>,
    /// The order of lists.
    pub order: ListOrder,
    /// The most entries a page of a list has, whatever `per_page` asks for.
    pub page_size: usize,
    /// How many calls may be under way at the same time; one more is answered 429.
    pub max_in_flight: Option<usize>,
    /// The HTTP status of that answer; only the documentation of other calls says that it is 429.
    pub busy_status: u16,
    /// How many calls the organisation has left; then everything is answered 429.
    pub credits: Option<u64>,
    /// How long an access token is valid.
    pub token_life: Duration,
    /// The scopes that every token has; `None` allows everything.
    pub scopes: Option<Vec<String>>,
    /// How long the answer to an upload takes, counted from the end of its body.
    pub latency: Duration,
    /// The greatest file (`docs-v2`) or request body (`oas-v8`) accepted.
    pub max_bytes: u64,
    /// As whom the token acts: `Created_By` and `Owner` of what is uploaded.
    pub user: SandboxUser,
    /// The server's `Date` header.
    pub date: DateHeader,
    /// How often per record a later page of its list is read as if an earlier entry had just gone, so that one entry
    /// between two pages is missed.
    pub drifting_pages: u32,
    /// What the token endpoint accepts; `None` takes any client, secret and refresh token.
    pub credentials: Option<SandboxCredentials>,
    /// Whether the token endpoint grants only 10 tokens in 10 minutes and lets only 15 live.
    pub token_limits: bool,
    /// The HTTP status of the token endpoint's refusals; Zoho's has been seen to use 200 and 400.
    pub refusal_status: u16,
    /// How the token endpoint says how long a token lives.
    pub expiry: Expiry,
    /// Whether `Size` in lists is a number or a string of digits.
    pub size_as: SizeAs,
    /// Whether an error is the whole answer or an entry of `data`.
    pub error_shape: ErrorShape,
    /// Whether lists refuse `fields` that name keys beginning with `$`.
    pub refuse_dollar_fields: bool,
    /// The edition that `/org` tells.
    pub edition: String,
    /// What the list of all attachments does.
    pub census: CensusOptions,
    /// What becomes of downloads.
    pub downloads: Downloads,
    /// The id that `/org` tells.
    pub organisation: String,
    /// What nobody knows of the service.
    pub switches: Switches,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        SandboxOptions {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            token: None,
            profile: Dialect::DocsV2,
            keep: Keep::Facts,
            records: None,
            modules: SandboxModules::default(),
            faults: Vec::new(),
            lag: Duration::ZERO,
            rename: Rename::Never,
            stores_incomplete: false,
            storage: None,
            order: ListOrder::NewestFirst,
            page_size: 200,
            max_in_flight: None,
            busy_status: 429,
            credits: None,
            token_life: Duration::from_secs(3600),
            scopes: None,
            latency: Duration::ZERO,
            max_bytes: 100 << 20,
            user: SandboxUser::default(),
            date: DateHeader::Right,
            drifting_pages: 0,
            credentials: None,
            token_limits: true,
            refusal_status: 200,
            expiry: Expiry::Seconds,
            size_as: SizeAs::ByProfile,
            error_shape: ErrorShape::Bare,
            refuse_dollar_fields: false,
            edition: "enterprise".to_owned(),
            census: CensusOptions::default(),
            downloads: Downloads::Right,
            organisation: "700000001".to_owned(),
            switches: Switches::default(),
        }
    }
}

/// Which of Zoho's own descriptions to follow where they contradict each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// The pages of API version 2: oversize and `.exe` are 415, a missing scope is 401, an empty list has no body.
    DocsV2,
    /// The specification of version 8: oversize is 413, `.exe` passes, a missing scope is 403, an empty list is `[]`.
    OasV8,
}

/// What becomes of the bytes of uploaded files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Keep {
    /// Only name, size and SHA-256: nothing touches the disk, nothing can be downloaded.
    Facts,
    /// Kept in a temporary folder that goes with the server.
    Temporarily,
    /// Kept in this folder, beside a list of what they are; a server started on it again goes on with them.
    In(PathBuf),
}

/// The modules that exist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SandboxModules {
    /// The standard ones that take attachments (by API version) and these custom ones.
    StandardAnd(Vec<String>),
    /// These and no others.
    Only(Vec<String>),
}

impl Default for SandboxModules {
    fn default() -> Self {
        SandboxModules::StandardAnd(Vec::new())
    }
}

impl SandboxModules {
    /// Reads a list such as `Leads,Deals` (only these) or `+Vessels,+Boats` (these beside the standard ones).
    ///
    /// # Errors
    ///
    /// A name is no API name, or the two forms are mixed.
    pub fn parse(list: &str) -> Result<SandboxModules, String> {
        let names: Vec<&str> = list.split(',').map(str::trim).collect();
        if let Some(bad) = names.iter().find(|name| !is_api_name(name.trim_start_matches('+'))) {
            return Err(format!(
                "\"{bad}\" is not the API name of a module: letters, digits and underscores, a letter first"
            ));
        }
        match names.iter().filter(|name| name.starts_with('+')).count() {
            0 => Ok(SandboxModules::Only(names.iter().map(|name| (*name).to_owned()).collect())),
            added if added == names.len() => Ok(SandboxModules::StandardAnd(
                names.iter().map(|name| name.trim_start_matches('+').to_owned()).collect(),
            )),
            _ => Err("either every module has a + (beside the standard ones) or none has (only these)".to_owned()),
        }
    }

    /// The names, in the version of the API that a request uses.
    pub(super) fn names(&self, version: Version) -> Vec<&str> {
        match self {
            SandboxModules::Only(names) => names.iter().map(String::as_str).collect(),
            SandboxModules::StandardAnd(custom) => {
                let standard = STANDARD.iter().filter(|(_, since)| *since <= version).map(|(name, _)| *name);
                standard.chain(custom.iter().map(String::as_str)).collect()
            }
        }
    }

    /// Whether a module exists in a version of the API.
    pub(super) fn has(&self, name: &str, version: Version) -> bool {
        match self {
            SandboxModules::Only(names) => names.iter().any(|known| known == name),
            SandboxModules::StandardAnd(custom) => {
                STANDARD.iter().any(|(known, since)| *known == name && *since <= version)
                    || custom.iter().any(|known| known == name)
            }
        }
    }
}

/// Whether a module is one that Zoho brings along.
pub(super) fn is_standard(name: &str) -> bool {
    STANDARD.iter().any(|(known, _)| *known == name)
}

/// Whether a text could be the API name of a module.
fn is_api_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A version of the API in tenths, so that 2.1 has its place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Version(pub(super) u16);

impl Version {
    pub(super) const V2: Version = Version(20);
    pub(super) const V2_1: Version = Version(21);
    pub(super) const V3: Version = Version(30);
    pub(super) const V5: Version = Version(50);
    pub(super) const V7: Version = Version(70);

    /// The path segment: `v2`, `v2.1`.
    pub(super) fn segment(self) -> String {
        match self.0 % 10 {
            0 => format!("v{}", self.0 / 10),
            minor => format!("v{}.{minor}", self.0 / 10),
        }
    }

    /// Reads the path segment: `v2`, `v2.1`, `v3` to `v8`.
    pub(super) fn parse(segment: &str) -> Option<Version> {
        match segment {
            "v2" => Some(Version::V2),
            "v2.1" => Some(Version::V2_1),
            "v3" => Some(Version::V3),
            "v4" => Some(Version(40)),
            "v5" => Some(Version::V5),
            "v6" => Some(Version(60)),
            "v7" => Some(Version::V7),
            "v8" => Some(Version(80)),
            _ => None,
        }
    }
}

/// The standard modules that take attachments, each with the first version whose page lists it.
const STANDARD: [(&str, Version); 20] = [
    ("Leads", Version::V2),
    ("Accounts", Version::V2),
    ("Contacts", Version::V2),
    ("Deals", Version::V2),
    ("Campaigns", Version::V2),
    ("Tasks", Version::V2),
    ("Cases", Version::V2),
    ("Events", Version::V2),
    ("Calls", Version::V2_1),
    ("Solutions", Version::V2),
    ("Products", Version::V2),
    ("Vendors", Version::V2),
    ("Price_Books", Version::V2),
    ("Quotes", Version::V2),
    ("Sales_Orders", Version::V2),
    ("Purchase_Orders", Version::V2),
    ("Invoices", Version::V2),
    ("Appointments__s", Version::V3),
    ("Services__s", Version::V3),
    ("Notes", Version::V2),
];

/// How the names of files are changed when they are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rename {
    /// Stored as sent.
    Never,
    /// A name that the record already has gets a number: `offer (1).pdf`.
    Twins,
    /// Every name gets a number.
    Every,
    /// Names are brought into Unicode's composed form (NFC).
    Composed,
    /// Names are cut after 100 characters.
    Shortened,
}

/// The order of lists, which the service does not document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListOrder {
    /// What was attached last stands first.
    NewestFirst,
    /// What was attached first stands first.
    OldestFirst,
}

/// A user of the organisation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SandboxUser {
    /// The id, digits.
    pub id: String,
    /// The name shown.
    pub name: String,
}

impl Default for SandboxUser {
    fn default() -> Self {
        SandboxUser { id: "700000000000101001".to_owned(), name: "Sandbox User".to_owned() }
    }
}

/// The server's `Date` header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DateHeader {
    /// The time of this machine.
    Right,
    /// No such header.
    Off,
    /// The server's whole clock, `Created_Time` included, is ahead by so many seconds (negative: behind).
    Skewed(i64),
}

/// What the token endpoint accepts.
#[derive(Clone, PartialEq, Eq)]
pub struct SandboxCredentials {
    /// The client id.
    pub client_id: String,
    /// The client secret.
    pub client_secret: String,
    /// The refresh token.
    pub refresh_token: String,
}

impl std::fmt::Debug for SandboxCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// How the token endpoint says how long a token lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    /// `expires_in`, in seconds.
    Seconds,
    /// `expires_in_sec` in seconds and `expires_in` in milliseconds.
    SecondsAndMillis,
    /// Not at all.
    Absent,
}

/// What becomes of downloads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Downloads {
    /// The bytes as they were uploaded.
    Right,
    /// The connection breaks in the middle.
    Cut,
    /// A redirect to another place.
    Redirected,
    /// The answer says that it is compressed.
    Compressed,
    /// The first byte is another one.
    Altered,
    /// The last byte is missing, and the answer looks whole.
    Shortened,
}

impl std::str::FromStr for Downloads {
    type Err = String;

    fn from_str(text: &str) -> Result<Downloads, String> {
        Ok(match text {
            "right" => Downloads::Right,
            "cut" => Downloads::Cut,
            "redirected" => Downloads::Redirected,
            "compressed" => Downloads::Compressed,
            "altered" => Downloads::Altered,
            "shortened" => Downloads::Shortened,
            _ => return Err(format!("\"{text}\" is not right, cut, redirected, compressed, altered or shortened")),
        })
    }
}

/// The JSON type of `Size` in lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SizeAs {
    /// A number in `docs-v2`, a string in `oas-v8`.
    ByProfile,
    /// A number.
    Number,
    /// A string of digits.
    Text,
}

/// Where an error stands in an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorShape {
    /// The answer is the error.
    Bare,
    /// The answer is `{"data":[error]}`.
    InData,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_modules_replaces_the_standard_ones_or_adds_to_them() {
        assert_eq!(
            SandboxModules::parse("Leads, Deals"),
            Ok(SandboxModules::Only(vec!["Leads".into(), "Deals".into()]))
        );
        let added = SandboxModules::parse("+Vessels").unwrap();
        assert!(added.has("Vessels", Version::V2) && added.has("Leads", Version::V2));
        assert!(SandboxModules::parse("Leads,+Vessels").is_err());
        assert!(SandboxModules::parse("Sales Orders").is_err());
        assert!(SandboxModules::parse("").is_err());
    }

    #[test]
    fn some_standard_modules_came_with_later_versions() {
        let modules = SandboxModules::default();
        assert!(!modules.has("Calls", Version::V2));
        assert!(modules.has("Calls", Version::V2_1));
        assert!(!modules.has("leads", Version::V2), "names are exact");
    }
}
