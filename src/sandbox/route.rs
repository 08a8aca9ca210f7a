//! From method, path and query to what is asked for. Pure; knows no state of the server.

use axum::http::Method;

use super::options::Version;

/// What a request asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Call {
    /// Everything ever created, for tests and curious people.
    Created,
    /// Counters of the server.
    Stats,
    /// Where a redirect fault leads: nobody should come here.
    Redirected,
    /// An access token.
    Token,
    /// A call of the CRM.
    Crm(Version, CrmCall),
}

/// A call of the CRM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum CrmCall {
    Upload(Parent),
    List(Parent),
    Download(Parent, String),
    Delete(Parent, String),
    DeleteMany(Parent),
    /// `GET /Attachments`: those of all records.
    Census,
    /// `GET /{module}`, with or without `ids`.
    Records {
        module: String,
    },
    Record(Parent),
    /// `GET /settings/modules`, or the one with this name or id.
    Modules(Option<String>),
    /// `GET /settings/fields?module=…`, or the one with this id.
    Fields(Option<String>),
    /// `GET /settings/related_lists?module=…`, or the one with this id.
    RelatedLists(Option<String>),
    Org,
    /// `GET /users`, or the one with this id.
    Users(Option<String>),
    /// `GET /settings/recycle_bin`, with or without `ids`.
    RecycleBin,
    /// `GET /__features/user_licenses`.
    Licences,
    /// `GET /__apis`.
    Apis,
    /// `GET /{module}/deleted`.
    Deleted {
        module: String,
    },
    /// `POST /coql`.
    Coql,
    /// `POST /bulk/{version}/read`.
    BulkCreate,
    /// `GET /bulk/{version}/read/{job}`.
    BulkState(String),
    /// `GET /bulk/{version}/read/{job}/result`.
    BulkResult(String),
}

/// The record that attachments belong to, as the path has it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Parent {
    pub(super) module: String,
    pub(super) record: String,
}

/// Why a request asks for nothing that exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lost {
    /// No such path.
    Path,
    /// The path exists, but not with this method.
    Method,
}

/// Finds out what a request asks for.
pub(super) fn route(method: &Method, path: &str) -> Result<Call, Lost> {
    let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    match segments.as_slice() {
        ["_sandbox", "created"] => get(method, Call::Created),
        ["_sandbox", "stats"] => get(method, Call::Stats),
        ["_sandbox", "redirected"] => Ok(Call::Redirected),
        ["oauth", "v2", "token"] => only(method, &Method::POST, Call::Token),
        ["crm", "bulk", version, "read", rest @ ..] => {
            let version = Version::parse(version).ok_or(Lost::Path)?;
            let call = match rest {
                [] => only(method, &Method::POST, CrmCall::BulkCreate),
                [job] if !job.is_empty() => get(method, CrmCall::BulkState((*job).to_owned())),
                [job, "result"] => get(method, CrmCall::BulkResult((*job).to_owned())),
                _ => Err(Lost::Path),
            };
            call.map(|call| Call::Crm(version, call))
        }
        ["crm", version, rest @ ..] => {
            let version = Version::parse(version).ok_or(Lost::Path)?;
            crm(method, rest).map(|call| Call::Crm(version, call))
        }
        _ => Err(Lost::Path),
    }
}

fn crm(method: &Method, segments: &[&str]) -> Result<CrmCall, Lost> {
    let parent = |module: &str, record: &str| Parent { module: module.to_owned(), record: record.to_owned() };
    match *segments {
        ["settings", "recycle_bin"] => get(method, CrmCall::RecycleBin),
        ["settings", list, ref one @ ..] if one.len() < 2 => {
            let one = one.first().map(|one| (*one).to_owned());
            match list {
                "modules" => get(method, CrmCall::Modules(one)),
                "fields" => get(method, CrmCall::Fields(one)),
                "related_lists" => get(method, CrmCall::RelatedLists(one)),
                _ => Err(Lost::Path),
            }
        }
        ["settings", ..] => Err(Lost::Path),
        ["coql"] => only(method, &Method::POST, CrmCall::Coql),
        ["__features", "user_licenses"] => get(method, CrmCall::Licences),
        ["__apis"] => get(method, CrmCall::Apis),
        ["org"] => get(method, CrmCall::Org),
        ["users"] => get(method, CrmCall::Users(None)),
        ["users", one] => get(method, CrmCall::Users(Some(one.to_owned()))),
        ["Attachments"] => get(method, CrmCall::Census),
        [module] if !module.is_empty() => get(method, CrmCall::Records { module: module.to_owned() }),
        [module, "deleted"] => get(method, CrmCall::Deleted { module: module.to_owned() }),
        [module, record] if !record.is_empty() => get(method, CrmCall::Record(parent(module, record))),
        [module, record, "Attachments"] => match *method {
            Method::POST => Ok(CrmCall::Upload(parent(module, record))),
            Method::GET => Ok(CrmCall::List(parent(module, record))),
            Method::DELETE => Ok(CrmCall::DeleteMany(parent(module, record))),
            _ => Err(Lost::Method),
        },
        [module, record, "Attachments", id] if !id.is_empty() => match *method {
            Method::GET => Ok(CrmCall::Download(parent(module, record), id.to_owned())),
            Method::DELETE => Ok(CrmCall::Delete(parent(module, record), id.to_owned())),
            _ => Err(Lost::Method),
        },
        _ => Err(Lost::Path),
    }
}

fn get<T>(method: &Method, call: T) -> Result<T, Lost> {
    only(method, &Method::GET, call)
}

fn only<T>(method: &Method, wanted: &Method, call: T) -> Result<T, Lost> {
    if method == wanted { Ok(call) } else { Err(Lost::Method) }
}

/// Parameters of a query or of a form, decoded. Of a name given twice the first value counts.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `a=b&c=d`, with `+` for a blank and `%XX` for bytes; what is not UTF-8 is replaced.
    pub(super) fn parse(text: &str) -> Params {
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        };
        Params(text.split('&').filter(|part| !part.is_empty()).map(pair).collect())
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// The parameters of a query and then those of a body.
    pub(super) fn and(mut self, other: Params) -> Params {
        self.0.extend(other.0);
        self
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match (first, escaped(tail)) {
            (b'+', _) => bytes.push(b' '),
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The byte that two hex digits stand for.
fn escaped(digits: &[u8]) -> Option<u8> {
    let [high, low, ..] = digits else { return None };
    let high = char::from(*high).to_digit(16)?;
    let low = char::from(*low).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

/// Whether a text is an id of the service: 10 to 19 digits that fit into its 64-bit numbers.
pub(super) fn is_id(text: &str) -> bool {
    (10..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<i64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent() -> Parent {
        Parent { module: "Leads".into(), record: "738964000000291009".into() }
    }

    #[test]
    fn every_documented_call_is_found() {
        let v2 = |call| Ok(Call::Crm(Version::V2, call));
        let base = "/crm/v2/Leads/738964000000291009/Attachments";
        let one = format!("{base}/77");
        let cases = [
            (Method::POST, base, v2(CrmCall::Upload(parent()))),
            (Method::GET, base, v2(CrmCall::List(parent()))),
            (Method::DELETE, base, v2(CrmCall::DeleteMany(parent()))),
            (Method::GET, one.as_str(), v2(CrmCall::Download(parent(), "77".into()))),
            (Method::DELETE, one.as_str(), v2(CrmCall::Delete(parent(), "77".into()))),
            (Method::GET, "/crm/v2/Attachments", v2(CrmCall::Census)),
            (Method::GET, "/crm/v2/Leads", v2(CrmCall::Records { module: "Leads".into() })),
            (Method::GET, "/crm/v2/Leads/738964000000291009", v2(CrmCall::Record(parent()))),
            (Method::GET, "/crm/v2/settings/modules", v2(CrmCall::Modules(None))),
            (Method::GET, "/crm/v2/settings/modules/Leads", v2(CrmCall::Modules(Some("Leads".into())))),
            (Method::GET, "/crm/v2/org", v2(CrmCall::Org)),
            (Method::GET, "/crm/v2/users", v2(CrmCall::Users(None))),
            (Method::GET, "/crm/v2/users/7", v2(CrmCall::Users(Some("7".into())))),
            (Method::GET, "/crm/v2/settings/fields", v2(CrmCall::Fields(None))),
            (Method::GET, "/crm/v2/settings/related_lists", v2(CrmCall::RelatedLists(None))),
            (Method::GET, "/crm/v2/__features/user_licenses", v2(CrmCall::Licences)),
            (Method::GET, "/crm/v2/__apis", v2(CrmCall::Apis)),
            (Method::GET, "/crm/v2/Leads/deleted", v2(CrmCall::Deleted { module: "Leads".into() })),
            (Method::POST, "/crm/v2/coql", v2(CrmCall::Coql)),
            (Method::GET, "/crm/v2/coql", Err(Lost::Method)),
            (Method::POST, "/crm/bulk/v2/read", v2(CrmCall::BulkCreate)),
            (Method::GET, "/crm/bulk/v2/read/7", v2(CrmCall::BulkState("7".into()))),
            (Method::GET, "/crm/bulk/v2/read/7/result", v2(CrmCall::BulkResult("7".into()))),
            (Method::GET, "/crm/bulk/v2/write", Err(Lost::Path)),
            (Method::POST, "/oauth/v2/token", Ok(Call::Token)),
            (Method::GET, "/_sandbox/created", Ok(Call::Created)),
            (Method::PUT, base, Err(Lost::Method)),
            (Method::POST, "/crm/v2/org", Err(Lost::Method)),
            (Method::POST, "/crm/v9/Leads/1/Attachments", Err(Lost::Path)),
            (Method::POST, "/crm/v2/Leads/1/attachments", Err(Lost::Path)),
            (Method::POST, "/crm/v2/Leads/1/Attachments/", Err(Lost::Path)),
            (Method::GET, "/", Err(Lost::Path)),
        ];
        for (method, path, expected) in cases {
            assert_eq!(route(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn parameters_are_decoded() {
        let params = Params::parse("attachmentUrl=https%3A%2F%2Fx.test%2F%3Fa%3D1&title=two+words&odd=50%&=x&a");
        assert_eq!(params.get("attachmentUrl"), Some("https://x.test/?a=1"));
        assert_eq!(params.get("title"), Some("two words"));
        assert_eq!(params.get("odd"), Some("50%"));
        assert_eq!(params.get("a"), Some(""));
        assert_eq!(params.get("none"), None);
    }

    #[test]
    fn ids_have_ten_to_nineteen_digits() {
        assert!(is_id("1000000231") && is_id("9223372036854775807"));
        for bad in ["", "123456789", "9223372036854775808", "7.38964E+17", "73896400000029100x", "+7389640000002"] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
