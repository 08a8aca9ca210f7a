//! The data centres, each with its hosts. API reference, "Multi-DC" and "Domain-specific URLs"; Canada's accounts host is
//! seen in answers of the service.

use std::fmt;
use std::str::FromStr;

/// A data centre of Zoho's: organisations live in exactly one, and tokens work nowhere else.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DataCentre {
    /// United States.
    Us,
    /// European Union.
    Eu,
    /// India.
    In,
    /// Australia.
    Au,
    /// Japan.
    Jp,
    /// China.
    Cn,
    /// Canada.
    Ca,
    /// Saudi Arabia.
    Sa,
    /// United Kingdom.
    Uk,
}

impl DataCentre {
    /// Every data centre with a short name, in the order of the documentation.
    pub const ALL: [DataCentre; 9] = [
        DataCentre::Us,
        DataCentre::Eu,
        DataCentre::In,
        DataCentre::Au,
        DataCentre::Jp,
        DataCentre::Cn,
        DataCentre::Ca,
        DataCentre::Sa,
        DataCentre::Uk,
    ];

    /// The value of `--dc`.
    pub fn as_str(self) -> &'static str {
        match self {
            DataCentre::Us => "us",
            DataCentre::Eu => "eu",
            DataCentre::In => "in",
            DataCentre::Au => "au",
            DataCentre::Jp => "jp",
            DataCentre::Cn => "cn",
            DataCentre::Ca => "ca",
            DataCentre::Sa => "sa",
            DataCentre::Uk => "uk",
        }
    }

    /// The domain under which its API hosts live; `www.` stands before it in production, `sandbox.` and `developer.` for
    /// the organisations of those kinds.
    pub(crate) fn api_domain(self) -> &'static str {
        match self {
            DataCentre::Us => "zohoapis.com",
            DataCentre::Eu => "zohoapis.eu",
            DataCentre::In => "zohoapis.in",
            DataCentre::Au => "zohoapis.com.au",
            DataCentre::Jp => "zohoapis.jp",
            DataCentre::Cn => "zohoapis.com.cn",
            DataCentre::Ca => "zohoapis.ca",
            DataCentre::Sa => "zohoapis.sa",
            DataCentre::Uk => "zohoapis.uk",
        }
    }

    /// The host that gives out its tokens. Canada's has a name of its own kind.
    pub(crate) fn accounts_host(self) -> &'static str {
        match self {
            DataCentre::Us => "accounts.zoho.com",
            DataCentre::Eu => "accounts.zoho.eu",
            DataCentre::In => "accounts.zoho.in",
            DataCentre::Au => "accounts.zoho.com.au",
            DataCentre::Jp => "accounts.zoho.jp",
            DataCentre::Cn => "accounts.zoho.com.cn",
            DataCentre::Ca => "accounts.zohocloud.ca",
            DataCentre::Sa => "accounts.zoho.sa",
            DataCentre::Uk => "accounts.zoho.uk",
        }
    }
}

impl fmt::Display for DataCentre {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DataCentre {
    type Err = NoDataCentre;

    fn from_str(text: &str) -> Result<DataCentre, NoDataCentre> {
        DataCentre::ALL.into_iter().find(|dc| dc.as_str() == text).ok_or_else(|| NoDataCentre(text.to_owned()))
    }
}

/// Not one of the short names: what was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoDataCentre(String);

impl fmt::Display for NoDataCentre {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.0;
        write!(
            f,
            "unknown data centre `{text}`: known are us, eu, in, au, jp, cn, ca, sa and uk; any other is named by the addresses of its API and its accounts \
             server"
        )
    }
}

impl std::error::Error for NoDataCentre {}
