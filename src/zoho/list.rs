//! Reads one page of a record's attachment list from its bytes. How pages make a list is [`listing`](crate::listing)'s.

use jiff::Timestamp;

use super::answer::id;
use super::json::Json;
use crate::listing::ListPage;
use crate::reply::Listed;
use crate::text::strip_for_terminal;

/// Which fields to ask for. Newer versions give only what is named; whether they let `$link_url` be named is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fields {
    /// Name none and get all.
    All,
    /// Name all that settling needs.
    Named,
    /// Name those without `$`; links cannot be told then.
    Plain,
}

impl Fields {
    pub(crate) fn query(self) -> Option<&'static str> {
        match self {
            Fields::All => None,
            Fields::Named => Some("id,File_Name,Size,Created_Time,Created_By,$link_url"),
            Fields::Plain => Some("id,File_Name,Size,Created_Time,Created_By"),
        }
    }
}

/// Reads a page; `None` stands for an answer that says, by its status, that there is no content.
///
/// # Errors
///
/// It cannot be read in full: says why.
pub(crate) fn read_page(body: Option<&[u8]>) -> Result<ListPage, &'static str> {
    let Some(body) = body else { return Ok(ListPage::default()) };
    let Ok(page) = serde_json::from_slice::<Json<'_>>(body) else { return Err("a page is not JSON") };
    let data = page.get("data").and_then(Json::as_list).ok_or("a page holds no list")?;
    let entries: Option<Vec<Listed>> = data.iter().map(listed).collect();
    let info = page.get("info").unwrap_or(&Json::Other);
    let more = match info.get("more_records") {
        Some(more) => Some(more.as_bool().ok_or("a page does not say whether more follow")?),
        None => None,
    };
    Ok(ListPage {
        entries: entries.ok_or("an attachment in the list has no id")?,
        number: info.get("page").and_then(Json::as_u64),
        count: info.get("count").and_then(Json::as_u64),
        more,
        next_token: info.get("next_page_token").and_then(Json::as_str).map(str::to_owned),
    })
}

/// What an entry of a list says of an attachment; `None` if it has no id.
pub(crate) fn listed(item: &Json<'_>) -> Option<Listed> {
    let text = |key: &str| item.get(key).and_then(Json::as_str).filter(|text| !text.is_empty());
    Some(Listed {
        id: id(item.get("id")?)?,
        name: text("File_Name").unwrap_or_default().to_owned(),
        size: item.get("Size").and_then(size),
        url: text("$link_url").map(str::to_owned),
        created: text("Created_Time")
            .and_then(|time| strip_for_terminal(time, 40).parse::<Timestamp>().ok())
            .map(Timestamp::as_second),
        created_by: item.get("Created_By").and_then(|by| by.get("id")).and_then(id),
        // Only files have a file id; some versions leave out what is null.
        address_told: item.get("$link_url").is_some() || text("$file_id").is_some(),
    })
}

/// Some versions write it as text.
fn size(json: &Json<'_>) -> Option<u64> {
    match json {
        Json::Text(text) => text.parse().ok(),
        json => json.as_u64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attachment_is_read_in_every_spelling() {
        let body = r#"{"data":[
            {"id":"738964000002118002","File_Name":"a.pdf","Size":"1024","Created_Time":"2021-05-05T11:03:33+05:30",
             "Created_By":{"id":"738964000000291009"},"$link_url":null},
            {"id":738964000002118003,"File_Name":"Zoho","Size":0,"$link_url":"https://www.zoho.com"}]}"#;
        let page = read_page(Some(body.as_bytes())).expect("a page");
        let items = &page.entries;
        assert_eq!(
            (items[0].name.as_str(), items[0].size, items[0].created),
            ("a.pdf", Some(1024), Some(1_620_192_813))
        );
        assert_eq!(items[0].created_by.map(|by| by.get()), Some(738_964_000_000_291_009));
        assert_eq!((items[0].url.as_deref(), items[1].url.as_deref()), (None, Some("https://www.zoho.com")));
        assert_eq!(page.more, None);
    }

    #[test]
    fn an_entry_tells_that_it_is_no_link_by_an_address_of_null_or_by_its_file() {
        let told = |more: &str| {
            let body = format!(r#"{{"data":[{{"id":"1"{more}}}]}}"#);
            read_page(Some(body.as_bytes())).expect("a page").entries[0].address_told
        };
        assert!(told(r#","$link_url":null"#) && told(r#","$link_url":"""#) && told(r#","$link_url":"https://a.test""#));
        assert!(told(r#","$file_id":"x1""#));
        assert!(!told("") && !told(r#","$file_id":null"#));
    }

    #[test]
    fn what_a_page_says_of_itself_is_read() {
        let info = r#"{"data":[],"info":{"page":2,"count":7,"more_records":true,"next_page_token":"t"}}"#;
        let page = read_page(Some(info.as_bytes())).expect("a page");
        assert_eq!(
            (page.number, page.count, page.more, page.next_token.as_deref()),
            (Some(2), Some(7), Some(true), Some("t"))
        );
        assert_eq!(read_page(None), Ok(ListPage::default()));
    }

    #[test]
    fn a_page_that_cannot_be_read_in_full_is_none() {
        for body in [
            r#"{"data":[{"id":"1"}],"data":[]}"#,
            r#"{"data":[],"info":{"more_records":"true"}}"#,
            r#"{"data":[{"File_Name":"a"}]}"#,
            r#"{"data":{}}"#,
            "<html>",
            "{}",
            "",
        ] {
            assert!(read_page(Some(body.as_bytes())).is_err(), "{body}");
        }
    }
}
