//! A page of a record's attachment list: which entries it has, and what it tells of them.

use serde_json::{Map, Value, json};

use super::answer::{self, SandboxRefusal};
use super::options::{Dialect, SandboxOptions, SizeAs, Version};
use super::route::Params;
use super::store::{Attachment, rfc3339};

/// The greatest `per_page` that the service takes.
const MOST_PER_PAGE: usize = 200;
/// How many entries `page` reaches; beyond, only `page_token` does.
const REACH_OF_PAGE: usize = 2000;

/// Which entries a request wants to see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ListQuery {
    offset: usize,
    per_page: usize,
    /// `None`: everything.
    fields: Option<Vec<String>>,
}

impl ListQuery {
    /// Reads the parameters of a list.
    pub(super) fn parse(
        params: &Params,
        version: Version,
        options: &SandboxOptions,
    ) -> Result<ListQuery, SandboxRefusal> {
        let fields = fields(params, version, options)?;
        let asked = number(params, "per_page", MOST_PER_PAGE)?;
        if asked > MOST_PER_PAGE {
            return Err(SandboxRefusal::bad_param("per_page"));
        }
        let per_page = asked.min(options.page_size.max(1));
        Ok(ListQuery { offset: offset(params, per_page)?, per_page, fields })
    }

    pub(super) fn is_later_page(&self) -> bool {
        self.offset > 0
    }

    /// The same, as if an earlier entry had gone since the page before.
    pub(super) fn drifted(self) -> ListQuery {
        ListQuery { offset: self.offset + 1, ..self }
    }

    /// The page, or `None` when there is nothing on it.
    pub(super) fn page(&self, all: &[&Attachment], version: Version, options: &SandboxOptions) -> Option<Value> {
        let rest = all.get(self.offset..).filter(|rest| !rest.is_empty())?;
        let shown = rest.get(..self.per_page).unwrap_or(rest);
        let data: Vec<Value> = shown.iter().map(|attachment| self.entry(attachment, options)).collect();
        let has_more = shown.len() < rest.len();
        let mut info = Map::new();
        info.insert("per_page".to_owned(), self.per_page.into());
        info.insert("count".to_owned(), shown.len().into());
        info.insert("page".to_owned(), (self.offset / self.per_page + 1).into());
        info.insert("more_records".to_owned(), has_more.into());
        if version >= Version::V3 {
            let next = has_more.then(|| format!("p{}x{}", self.offset + self.per_page, self.per_page));
            let previous = self.offset.checked_sub(self.per_page).map(|at| format!("p{at}x{}", self.per_page));
            info.insert("next_page_token".to_owned(), next.into());
            info.insert("previous_page_token".to_owned(), previous.into());
            info.insert("page_token_expiry".to_owned(), Value::Null);
        }
        Some(json!({"data": data, "info": info}))
    }

    fn entry(&self, attachment: &Attachment, options: &SandboxOptions) -> Value {
        let mut whole = entry(attachment, options);
        if let Some(fields) = &self.fields {
            whole.retain(|key, _| key == "id" || fields.iter().any(|field| field == key));
        }
        whole.into()
    }
}

/// The fields that a list is to tell; `None`: all.
pub(super) fn fields(
    params: &Params,
    version: Version,
    options: &SandboxOptions,
) -> Result<Option<Vec<String>>, SandboxRefusal> {
    let fields: Option<Vec<String>> =
        params.get("fields").map(|fields| fields.split(',').map(|field| field.trim().to_owned()).collect());
    if fields.is_none() && version >= Version::V3 {
        return Err(SandboxRefusal::fields_missing());
    }
    if options.refuse_dollar_fields && fields.iter().flatten().any(|field| field.starts_with('$')) {
        return Err(SandboxRefusal::bad_param("fields"));
    }
    Ok(fields)
}

/// Where the page begins: `page` counts from 1, `page_token` comes from the page before; only one may be given.
fn offset(params: &Params, per_page: usize) -> Result<usize, SandboxRefusal> {
    let Some(token) = params.get("page_token") else {
        let page = number(params, "page", 1)?;
        let offset = (page - 1).saturating_mul(per_page);
        return if offset < REACH_OF_PAGE { Ok(offset) } else { Err(SandboxRefusal::page_too_deep()) };
    };
    if params.get("page").is_some() {
        return Err(SandboxRefusal::bad_param("page"));
    }
    let parts = token.strip_prefix('p').and_then(|rest| rest.split_once('x'));
    let parsed = parts.and_then(|(at, size)| Some((at.parse::<usize>().ok()?, size.parse::<usize>().ok()?)));
    match parsed {
        Some((offset, size)) if size == per_page => Ok(offset),
        Some(_) => Err(SandboxRefusal::page_token_mismatch()),
        None => Err(SandboxRefusal::bad_param("page_token")),
    }
}

fn number(params: &Params, name: &str, otherwise: usize) -> Result<usize, SandboxRefusal> {
    match params.get(name).map(str::parse) {
        None => Ok(otherwise),
        Some(Ok(number)) if number > 0 => Ok(number),
        Some(_) => Err(SandboxRefusal::bad_param(name)),
    }
}

/// What the record is called: nobody has named it here, so by its module and id.
pub(super) fn parent_name(attachment: &Attachment) -> String {
    format!("{} {}", attachment.module, attachment.record)
}

/// Everything that a list tells of an attachment.
pub(super) fn entry(attachment: &Attachment, options: &SandboxOptions) -> Map<String, Value> {
    let is_text = match options.size_as {
        SizeAs::ByProfile => options.profile == Dialect::OasV8,
        SizeAs::Number => false,
        SizeAs::Text => true,
    };
    let size = if is_text { attachment.size.to_string().into() } else { Value::from(attachment.size) };
    let (kind, file_id) = match attachment.url {
        // The interface description knows no other type of it than text; the older pages show none of a link.
        Some(_) if options.profile == Dialect::OasV8 => ("Link URL", "".into()),
        Some(_) => ("Link URL", Value::Null),
        None => ("File", format!("sandbox{}", attachment.id).into()),
    };
    let user = answer::user(&attachment.user);
    let time = rfc3339(attachment.created);
    let pairs = [
        ("id", attachment.id.clone().into()),
        ("File_Name", attachment.name.clone().into()),
        ("Size", size),
        ("Created_Time", time.clone().into()),
        ("Created_By", user.clone()),
        ("Modified_Time", time.into()),
        ("Modified_By", user.clone()),
        ("Owner", user),
        ("Parent_Id", json!({"id": attachment.record, "name": parent_name(attachment)})),
        ("$type", kind.into()),
        ("$attachment_type", 1.into()),
        ("$link_url", attachment.url.clone().into()),
        ("$se_module", attachment.module.clone().into()),
        ("$file_id", file_id),
        ("$state", "save".into()),
        ("$editable", true.into()),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::options::SandboxUser;
    use std::sync::Arc;

    fn attachments(count: u64) -> Vec<Attachment> {
        let one = |n: u64| Attachment {
            id: (700_000_000_002_000_001 + n).to_string(),
            module: "Leads".into(),
            record: "738964000000291009".into(),
            name: format!("{n}.txt"),
            size: n,
            sha256: None,
            url: None,
            created: 0,
            user: Arc::new(SandboxUser::default()),
        };
        (0..count).map(one).collect()
    }

    fn wanted(query: &str, version: Version) -> Result<ListQuery, &'static str> {
        ListQuery::parse(&Params::parse(query), version, &SandboxOptions::default()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn pages_follow_each_other_by_number_and_by_token() {
        let all = attachments(5);
        let all: Vec<&Attachment> = all.iter().collect();
        let options = SandboxOptions::default();
        let page = |query: &str| {
            let wanted = wanted(&format!("fields=File_Name&per_page=2&{query}"), Version::V3).unwrap();
            wanted.page(&all, Version::V3, &options)
        };
        let first = page("").unwrap();
        assert_eq!(first["data"][1], json!({"id": "700000000002000002", "File_Name": "1.txt"}));
        assert_eq!(first["info"]["more_records"], true);
        let token = first["info"]["next_page_token"].as_str().unwrap();
        let second = page(&format!("page_token={token}")).unwrap();
        assert_eq!(Some(&second), page("page=2").as_ref());
        let third = page("page=3").unwrap();
        assert_eq!((&third["info"]["count"], &third["info"]["more_records"]), (&json!(1), &json!(false)));
        assert_eq!(page("page=4"), None);
    }

    #[test]
    fn parameters_that_make_no_sense_are_refused() {
        let cases = [
            ("", Version::V3, "REQUIRED_PARAM_MISSING"),
            ("per_page=201", Version::V2, "INVALID_DATA"),
            ("per_page=0", Version::V2, "INVALID_DATA"),
            ("page=0", Version::V2, "INVALID_DATA"),
            ("page=x", Version::V2, "INVALID_DATA"),
            ("page=11", Version::V2, "DISCRETE_PAGINATION_LIMIT_EXCEEDED"),
            ("page_token=p2x2", Version::V2, "TOKEN_BOUND_DATA_MISMATCH"),
            ("page_token=x", Version::V2, "INVALID_DATA"),
            ("page_token=p2x200&page=1", Version::V2, "INVALID_DATA"),
        ];
        for (query, version, code) in cases {
            assert_eq!(wanted(query, version), Err(code), "{query}");
        }
        assert!(wanted("page=18446744073709551615", Version::V2).is_err());
    }

    #[test]
    fn size_is_a_number_or_a_string() {
        let all = attachments(2);
        let size = |options: &SandboxOptions| entry(&all[1], options)["Size"].clone();
        assert_eq!(size(&SandboxOptions::default()), json!(1));
        assert_eq!(size(&SandboxOptions { profile: Dialect::OasV8, ..SandboxOptions::default() }), json!("1"));
        assert_eq!(size(&SandboxOptions { size_as: SizeAs::Text, ..SandboxOptions::default() }), json!("1"));
    }
}
