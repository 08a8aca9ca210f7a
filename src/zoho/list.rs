//! Reads the pages of a record's attachment list.
//!
//! A list decides whether an upload in doubt exists, so it is all or nothing: a page that cannot be read in full, an item
//! without an id, or pages that do not fit together make the whole list unusable, never a shorter one.

use std::collections::HashSet;

use jiff::Timestamp;

use super::answer::{id, strip_for_terminal};
use super::json::Json;
use crate::reply::Listed;

/// The most that the service gives at a time.
pub(crate) const PER_PAGE: usize = 200;
/// Beyond this many items a page is named by a token instead of a number.
const NUMBERED_AT_MOST: usize = 2000;
/// No service has more; a list that goes on for ever is not a list.
const PAGES_AT_MOST: u32 = 500;

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

/// The page to ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum PageRequest {
    /// By number, from 1.
    Number(u32),
    /// By the token that the page before gave.
    Token(String),
}

/// Puts pages together.
#[derive(Default)]
pub(crate) struct Pages {
    items: Vec<Listed>,
    seen: HashSet<u64>,
    read: u32,
    total: Option<u64>,
}

/// What follows after a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NextPage {
    /// Another page.
    Ask(PageRequest),
    /// All pages are here.
    End,
    /// The list cannot be relied on; asking again from the start may help.
    Unusable(&'static str),
}

impl Pages {
    /// Takes a page in; `None` stands for an answer that says, by its status, that there is no content.
    pub(crate) fn take(&mut self, body: Option<&[u8]>) -> NextPage {
        self.read += 1;
        let Some(body) = body else { return self.end() };
        let Ok(page) = serde_json::from_slice::<Json<'_>>(body) else {
            return NextPage::Unusable("a page is not JSON");
        };
        let Some(data) = page.get("data").and_then(Json::as_list) else {
            return NextPage::Unusable("a page holds no list");
        };
        for item in data {
            match listed(item) {
                None => return NextPage::Unusable("an attachment in the list has no id"),
                Some(listed) if !self.seen.insert(listed.id.get()) => {
                    return NextPage::Unusable("the list changed while it was read");
                }
                Some(listed) => self.items.push(listed),
            }
        }
        let info = page.get("info").unwrap_or(&Json::Other);
        let number = info.get("page").and_then(Json::as_u64);
        // How pages that a token names are counted is not known.
        let numbered = self.items.len() <= NUMBERED_AT_MOST;
        if numbered && number.is_some_and(|number| number != u64::from(self.read)) {
            return NextPage::Unusable("another page came than was asked for");
        }
        if !self.total_agrees(info.get("count").and_then(Json::as_u64), data.len()) {
            return NextPage::Unusable("the list changed while it was read");
        }
        // Where no word is said about more, only an empty page proves the end: how many a page holds at most is not known
        // of every version, and a list that is cut short would make an upload in doubt seem absent.
        let more = match info.get("more_records") {
            Some(more) => more.as_bool(),
            None => Some(!data.is_empty()),
        };
        let Some(more) = more else { return NextPage::Unusable("a page does not say whether more follow") };
        match more {
            false => self.end(),
            true if data.is_empty() => NextPage::Unusable("a page is empty but says that more follow"),
            true if self.read >= PAGES_AT_MOST => NextPage::Unusable("the list does not end"),
            true => NextPage::Ask(self.next(info)),
        }
    }

    pub(crate) fn into_items(self) -> Vec<Listed> {
        self.items
    }

    /// `count` is that of the page in some versions and that of the list in others. The latter must not change.
    fn total_agrees(&mut self, count: Option<u64>, on_page: usize) -> bool {
        match count {
            Some(count) if count != on_page as u64 => *self.total.get_or_insert(count) == count,
            _ => true,
        }
    }

    fn end(&self) -> NextPage {
        match self.total {
            Some(total) if total != self.items.len() as u64 => {
                NextPage::Unusable("the list is shorter or longer than it says")
            }
            _ => NextPage::End,
        }
    }

    fn next(&self, info: &Json<'_>) -> PageRequest {
        match info.get("next_page_token").and_then(Json::as_str) {
            Some(token) if self.items.len() >= NUMBERED_AT_MOST => PageRequest::Token(token.to_owned()),
            _ => PageRequest::Number(self.read + 1),
        }
    }
}

/// A record's list while it is read, page by page: each page is a request, to be paced and counted as any other.
pub struct ListReading {
    pages: Pages,
    next: PageRequest,
}

impl Default for ListReading {
    fn default() -> ListReading {
        ListReading { pages: Pages::default(), next: PageRequest::Number(1) }
    }
}

impl ListReading {
    pub(crate) fn next(&self) -> &PageRequest {
        &self.next
    }

    /// Takes in the answer to the page that was asked for: the whole list, if it was the last one.
    ///
    /// # Errors
    ///
    /// The pages cannot be relied on; reading begins anew.
    pub(crate) fn take(&mut self, body: Option<&[u8]>) -> Result<Option<Vec<Listed>>, &'static str> {
        match self.pages.take(body) {
            NextPage::Ask(next) => self.next = next,
            NextPage::End => return Ok(Some(std::mem::take(self).pages.into_items())),
            NextPage::Unusable(why) => {
                *self = ListReading::default();
                return Err(why);
            }
        }
        Ok(None)
    }
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

    fn page(ids: std::ops::Range<u64>, info: &str) -> Vec<u8> {
        let items: Vec<_> = ids.map(|id| format!(r#"{{"id":"{}"}}"#, id + 1000)).collect();
        format!(r#"{{"data":[{}]{info}}}"#, items.join(",")).into_bytes()
    }

    fn info(more: bool, count: u64, token: &str) -> String {
        format!(r#","info":{{"more_records":{more},"count":{count},"next_page_token":{token}}}"#)
    }

    #[test]
    fn an_attachment_is_read_in_every_spelling() {
        let mut pages = Pages::default();
        let body = r#"{"data":[
            {"id":"738964000002118002","File_Name":"a.pdf","Size":"1024","Created_Time":"2021-05-05T11:03:33+05:30",
             "Created_By":{"id":"738964000000291009"},"$link_url":null},
            {"id":738964000002118003,"File_Name":"Zoho","Size":0,"$link_url":"https://www.zoho.com"}]}"#;
        assert_eq!(pages.take(Some(body.as_bytes())), NextPage::Ask(PageRequest::Number(2)));
        let items = pages.into_items();
        assert_eq!(
            (items[0].name.as_str(), items[0].size, items[0].created),
            ("a.pdf", Some(1024), Some(1_620_192_813))
        );
        assert_eq!(items[0].created_by.map(|by| by.get()), Some(738_964_000_000_291_009));
        assert_eq!((items[0].url.as_deref(), items[1].url.as_deref()), (None, Some("https://www.zoho.com")));
    }

    #[test]
    fn pages_are_asked_for_until_the_end() {
        let mut pages = Pages::default();
        assert_eq!(pages.take(Some(&page(0..200, &info(true, 200, "null")))), NextPage::Ask(PageRequest::Number(2)));
        assert_eq!(pages.take(Some(&page(200..250, &info(false, 50, "null")))), NextPage::End);
        assert_eq!(pages.into_items().len(), 250);

        let mut without_info = Pages::default();
        assert_eq!(without_info.take(Some(&page(0..200, ""))), NextPage::Ask(PageRequest::Number(2)));
        assert_eq!(
            without_info.take(Some(&page(200..230, ""))),
            NextPage::Ask(PageRequest::Number(3)),
            "a short page proves nothing"
        );
        assert_eq!(without_info.take(None), NextPage::End);
        assert_eq!(without_info.into_items().len(), 230);
        assert_eq!(Pages::default().take(None), NextPage::End);
        assert_eq!(Pages::default().take(Some(br#"{"data":[]}"#)), NextPage::End);
    }

    #[test]
    fn beyond_two_thousand_items_a_token_names_the_page() {
        let mut pages = Pages::default();
        for number in 0..9 {
            let after = pages.take(Some(&page(number * 200..(number + 1) * 200, &info(true, 200, "\"t\""))));
            assert_eq!(after, NextPage::Ask(PageRequest::Number(number as u32 + 2)));
        }
        assert_eq!(
            pages.take(Some(&page(1800..2000, &info(true, 200, "\"t\"")))),
            NextPage::Ask(PageRequest::Token("t".to_owned()))
        );
    }

    #[test]
    fn pages_that_do_not_fit_together_are_no_list() {
        let unusable = |bodies: &[Vec<u8>]| {
            let mut pages = Pages::default();
            bodies.iter().any(|body| matches!(pages.take(Some(body)), NextPage::Unusable(_)))
        };
        assert!(unusable(&[page(0..200, &info(true, 300, "null")), page(200..301, &info(false, 301, "null"))]));
        assert!(unusable(&[page(0..200, &info(true, 300, "null")), page(200..299, &info(false, 300, "null"))]));
        assert!(unusable(&[page(0..200, &info(true, 200, "null")), page(199..300, &info(false, 101, "null"))]));
        assert!(unusable(&[page(0..0, &info(true, 0, "null"))]));
        assert!(unusable(&[page(0..0, r#","info":{"more_records":"true"}"#)]));
        assert!(unusable(&[page(0..0, r#","info":{"page":2,"more_records":false}"#)]));
        assert!(unusable(&[br#"{"data":[{"id":"1"}],"data":[]}"#.to_vec()]));
        assert!(unusable(&[b"<html>".to_vec()]));
        assert!(unusable(&[b"{}".to_vec()]));
        assert!(unusable(&[b"".to_vec()]));
        assert!(unusable(&[br#"{"data":[{"File_Name":"a"}]}"#.to_vec()]));
        assert!(!unusable(&[page(0..200, &info(true, 300, "null")), page(200..300, &info(false, 300, "null"))]));
    }
}
