//! The versions of the API and what they can. API reference of each version; no end of any of them is announced.

use std::fmt;
use std::str::FromStr;

/// A version of the API, as it stands in the path: `v2`, `v2.1`, `v8`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ApiVersion {
    major: u8,
    minor: u8,
}

impl ApiVersion {
    /// The default: the one whose documentation this program follows.
    pub const V2: ApiVersion = ApiVersion { major: 2, minor: 0 };
    /// The newest.
    pub const V8: ApiVersion = ApiVersion { major: 8, minor: 0 };

    /// Whether links can have a title (from v5 on).
    pub fn has_link_titles(self) -> bool {
        self.major >= 5
    }

    /// Whether the module `Calls` takes attachments (from v2.1 on).
    pub fn has_calls(self) -> bool {
        self > ApiVersion::V2
    }

    /// Whether the modules `Appointments__s` and `Services__s` exist (from v3 on).
    pub fn has_appointments(self) -> bool {
        self.major >= 3
    }

    /// Whether lists go on beyond their first 2,000 entries, by a token that names the next page (from v3 on).
    pub fn has_page_tokens(self) -> bool {
        self.major >= 3
    }

    /// Whether a listing must name the fields it wants (all versions after v2).
    pub fn lists_named_fields(self) -> bool {
        self > ApiVersion::V2
    }
}

impl Default for ApiVersion {
    fn default() -> ApiVersion {
        ApiVersion::V2
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minor {
            0 => write!(f, "v{}", self.major),
            minor => write!(f, "v{}.{minor}", self.major),
        }
    }
}

impl FromStr for ApiVersion {
    type Err = NoApiVersion;

    fn from_str(text: &str) -> Result<ApiVersion, NoApiVersion> {
        let wrong = || NoApiVersion(text.to_owned());
        let (major, minor) = match text {
            "v2.1" => (2, 1),
            "v2.2" => (2, 2),
            _ => {
                let digit = text.strip_prefix('v').filter(|rest| rest.len() == 1).ok_or_else(wrong)?;
                (digit.parse().map_err(|_| wrong())?, 0)
            }
        };
        if (2..=8).contains(&major) { Ok(ApiVersion { major, minor }) } else { Err(wrong()) }
    }
}

/// Not a version of the API: what was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoApiVersion(String);

impl fmt::Display for NoApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.0;
        write!(f, "unknown API version `{text}`: known are v2, v2.1, v2.2 and v3 to v8")
    }
}

impl std::error::Error for NoApiVersion {}
