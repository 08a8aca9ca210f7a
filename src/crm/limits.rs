//! What the service limits, and what it charges.

/// The largest request that the service takes, in bytes, form and file together: 100 MB of request body in the OpenAPI, 100 MB
/// of file in the API reference. Nobody says which megabyte is meant, so this is the larger one, and [`LARGE_REQUEST_BYTES`]
/// the smaller.
pub const MAX_REQUEST_BYTES: u64 = 104_857_600;

/// From this size of a request on the service may refuse it; see [`MAX_REQUEST_BYTES`].
pub(crate) const LARGE_REQUEST_BYTES: u64 = 100_000_000;

/// The longest name of an attachment, in Unicode characters. OpenAPI, `File_Name` of an answer; no request is documented to be
/// refused for it.
pub(crate) const MAX_NAME_CHARS: usize = 250;

/// The longest address of a link, in characters. OpenAPI: requests may have 3,000, but answers give back 2,000.
pub(crate) const MAX_LINK_CHARS: usize = 2_000;

/// The longest value of a single-line field, in characters. API reference, "Field metadata".
pub(crate) const MAX_FIELD_CHARS: usize = 255;

/// Entries of one page of a list, at most. API reference, "Get attachments".
pub(crate) const PER_PAGE: usize = 200;

/// Entries of a list whose pages are named by numbers; beyond them a page is named by a token. API reference of version 3, "Get
/// records".
pub(crate) const NUMBERED_ENTRIES: usize = 2_000;

/// Pages that tokens reach in one order: 100,000 entries of 200 each. API reference of version 3, "Get records".
pub(crate) const TOKEN_PAGES: u32 = 500;

/// Requests that the service works on at once, in its largest edition. Kaizen 35 and 203: 5, 10, 15, 20 or 25 by edition, and
/// no limit by time.
pub const MOST_AT_ONCE: u32 = 25;

/// Credits of an organisation with the smallest paid edition in 24 hours, users' shares left out. Kaizen 93.
pub(crate) const CREDITS_PER_DAY: u64 = 50_000;

/// Requests that decide what became of an upload in doubt: its record is listed twice, and each costs one credit. That an
/// upload and a list cost one is in Kaizen 93 ("all other APIs").
pub(crate) const LISTS_TO_SETTLE: u64 = 2;

/// Credits of one Bulk Read job, for up to 200,000 records of a module. Kaizen 93.
pub(crate) const BULK_READ_CREDITS: u64 = 50;

/// Rows of one answer to a COQL query; versions up to 3 take no more. API reference, "COQL".
pub(crate) const COQL_ROWS: usize = 200;

/// Values that `in` takes in a COQL query of every version. Later ones take twice as many, but their own pages contradict each
/// other. API reference, "COQL".
pub(crate) const COQL_VALUES: usize = 50;

/// Put before ids by the CRM's own exports. Seen in exports and backups.
pub(crate) const EXPORT_ID_PREFIX: &str = "zcrm_";
