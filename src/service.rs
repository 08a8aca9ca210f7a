//! What a user may say about the service: its data centre and the version of its API. What follows from them (hosts,
//! paths, modules, titles of links) is the business of `zoho` and `check`.

use std::fmt;
use std::str::FromStr;

/// A version of the CRM API; later ones compare greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum ApiVersion {
    /// The version that this tool's rules are documented for.
    #[default]
    V2,
    /// Adds attachments of Calls.
    V2_1,
    /// Adds attachments of Appointments and Services.
    V3,
    /// Version 4.
    V4,
    /// Version 5.
    V5,
    /// Version 6.
    V6,
    /// Version 7.
    V7,
    /// Takes a title for a link.
    V8,
}

impl ApiVersion {
    /// Every version, oldest first.
    pub const ALL: [ApiVersion; 8] = [
        ApiVersion::V2,
        ApiVersion::V2_1,
        ApiVersion::V3,
        ApiVersion::V4,
        ApiVersion::V5,
        ApiVersion::V6,
        ApiVersion::V7,
        ApiVersion::V8,
    ];

    /// As in the path of a request: `v2.1`.
    pub fn as_str(self) -> &'static str {
        match self {
            ApiVersion::V2 => "v2",
            ApiVersion::V2_1 => "v2.1",
            ApiVersion::V3 => "v3",
            ApiVersion::V4 => "v4",
            ApiVersion::V5 => "v5",
            ApiVersion::V6 => "v6",
            ApiVersion::V7 => "v7",
            ApiVersion::V8 => "v8",
        }
    }
}

/// Where the service keeps an organisation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DataCentre {
    /// United States.
    Us,
    /// Europe.
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
    /// Every data centre, in the order of the documentation.
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

    /// The word on the command line.
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
}

/// The text names no version or data centre that this tool knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotKnown;

impl fmt::Display for NotKnown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not one of the known ones")
    }
}

impl std::error::Error for NotKnown {}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ApiVersion {
    type Err = NotKnown;

    fn from_str(text: &str) -> Result<ApiVersion, NotKnown> {
        ApiVersion::ALL.into_iter().find(|version| version.as_str() == text).ok_or(NotKnown)
    }
}

impl fmt::Display for DataCentre {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for DataCentre {
    type Err = NotKnown;

    fn from_str(text: &str) -> Result<DataCentre, NotKnown> {
        DataCentre::ALL.into_iter().find(|centre| centre.as_str() == text).ok_or(NotKnown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_data_centres_read_back_what_they_write_and_later_versions_are_greater() {
        for version in ApiVersion::ALL {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        for centre in DataCentre::ALL {
            assert_eq!(centre.to_string().parse(), Ok(centre));
        }
        assert!(ApiVersion::ALL.is_sorted());
        assert_eq!("v1".parse::<ApiVersion>(), Err(NotKnown));
    }
}
