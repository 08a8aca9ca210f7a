//! Reads the module-level list of attachments, `GET /crm/{v}/Attachments`: every attachment of the organisation that the
//! user may see, 200 for one credit.
//!
//! Zoho's pages do not document it; public tools live on it (seen in v2, v6 and v8). So nothing is concluded here: a page
//! is read as it comes, and what it proves is the business of whoever asked.

use super::json::Json;
use super::list::listed;
use crate::crm::limits::PER_PAGE;
use crate::reply::Listed;

/// What is asked of each attachment. Keys beginning with `$` are left out, since some versions refuse them.
pub(crate) const FIELDS: &str = "id,File_Name,Size,Parent_Id,Created_Time,Created_By";

/// In which order the attachments come. That the service keeps to it is not documented either.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CensusOrder {
    /// What was attached last stands first.
    NewestFirst,
    /// What was attached first stands first.
    OldestFirst,
}

/// The page to ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CensusQuery {
    /// The order, the same for all pages.
    pub order: CensusOrder,
    /// The token that the page before gave; `None` for the first page.
    pub token: Option<String>,
}

impl CensusQuery {
    /// The parameters of the request.
    pub(crate) fn parameters(&self) -> Vec<(&'static str, String)> {
        let order = match self.order {
            CensusOrder::NewestFirst => "desc",
            CensusOrder::OldestFirst => "asc",
        };
        let mut parameters = vec![
            ("fields", FIELDS.to_owned()),
            ("per_page", PER_PAGE.to_string()),
            // Ids are given out in order, so this is the order of creation.
            ("sort_by", "id".to_owned()),
            ("sort_order", order.to_owned()),
        ];
        parameters.extend(self.token.clone().map(|token| ("page_token", token)));
        parameters
    }
}

/// One attachment of the census.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CensusEntry {
    /// What a record's list would tell of it; never an address, since that is not asked for.
    pub listed: Listed,
    /// Whose it is; `None` where the service does not say so in a way that can be read.
    pub parent: Option<CensusParent>,
}

/// The record, or whatever else, that an attachment belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CensusParent {
    /// The module's API name, where it is told. E-mails are a module here.
    pub module: Option<String>,
    /// The id.
    pub id: u64,
}

/// One page of the census.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct CensusPage {
    /// What stands on it.
    pub entries: Vec<CensusEntry>,
    /// The token of the next page, where one follows.
    pub next: Option<String>,
    /// Whether the page says that more follow, whatever it says about how to get them.
    pub has_more: bool,
}

/// Reads a page; `None` stands for an answer that says, by its status, that there is no content.
///
/// # Errors
///
/// It is no page of a list; the text says why.
pub(crate) fn read(body: Option<&[u8]>) -> Result<CensusPage, &'static str> {
    let Some(body) = body else { return Ok(CensusPage::default()) };
    let page = serde_json::from_slice::<Json<'_>>(body).map_err(|_| "the page is not JSON")?;
    let data = page.get("data").and_then(Json::as_list).ok_or("the page holds no list")?;
    let entries = data.iter().map(entry).collect::<Option<Vec<_>>>().ok_or("an attachment on the page has no id")?;
    let info = page.get("info").unwrap_or(&Json::Other);
    let next = info.get("next_page_token").and_then(Json::as_str).filter(|token| !token.is_empty());
    let has_more = info.get("more_records").and_then(Json::as_bool).unwrap_or(false);
    Ok(CensusPage { entries, next: next.map(str::to_owned).filter(|_| has_more), has_more })
}

fn entry(item: &Json<'_>) -> Option<CensusEntry> {
    Some(CensusEntry { listed: listed(item)?, parent: item.get("Parent_Id").and_then(parent) })
}

/// `{"id": …, "module": {"api_name": …}}`; some answers have the module as a text.
fn parent(json: &Json<'_>) -> Option<CensusParent> {
    let id = super::answer::id(json.get("id")?)?.get();
    let module = json.get("module").and_then(|module| module.get("api_name").unwrap_or(module).as_str());
    Some(CensusParent { module: module.map(str::to_owned), id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_says_what_it_is_and_whose() {
        let body = r#"{"data":[
            {"id":"700000000002000003","File_Name":"a.pdf","Size":5,"Created_Time":"2026-05-05T05:33:33+00:00",
             "Parent_Id":{"id":"738964000000291009","module":{"api_name":"Leads","id":"1"},"name":"Smith"}},
            {"id":"700000000002000002","File_Name":"b.pdf","Size":"7","Parent_Id":{"id":"5"}},
            {"id":"700000000002000001","File_Name":"c.pdf","Parent_Id":null}],
            "info":{"more_records":true,"next_page_token":"t"}}"#;
        let page = read(Some(body.as_bytes())).expect("a page");
        assert_eq!((page.next.as_deref(), page.has_more, page.entries.len()), (Some("t"), true, 3));
        let parent = page.entries[0].parent.as_ref().expect("a parent");
        assert_eq!((parent.module.as_deref(), parent.id), (Some("Leads"), 738_964_000_000_291_009));
        assert_eq!(page.entries[1].listed.size, Some(7));
        assert_eq!(page.entries[1].parent.as_ref().map(|parent| parent.module.clone()), Some(None));
        assert_eq!(page.entries[2].parent, None);
    }

    #[test]
    fn what_is_no_page_is_refused_and_nothing_at_all_is_an_empty_one() {
        for wrong in ["", "<html>", "{}", r#"{"data":[{"File_Name":"a"}]}"#, r#"{"data":{}}"#] {
            assert!(read(Some(wrong.as_bytes())).is_err(), "{wrong}");
        }
        assert_eq!(read(None), Ok(CensusPage::default()));
        let last = read(Some(br#"{"data":[],"info":{"more_records":false,"next_page_token":"t"}}"#)).expect("a page");
        assert_eq!((last.next, last.has_more), (None, false));
    }

    #[test]
    fn the_parameters_name_order_and_token() {
        let query = CensusQuery { order: CensusOrder::OldestFirst, token: Some("t".to_owned()) };
        let parameters = query.parameters();
        assert!(parameters.contains(&("sort_order", "asc".to_owned())));
        assert!(parameters.contains(&("page_token", "t".to_owned())));
    }
}
