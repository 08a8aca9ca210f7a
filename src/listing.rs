//! A record's list of attachments, read page by page until it is whole.
//!
//! A list decides whether an upload in doubt exists, so it is all or nothing: pages that contradict each other make the
//! whole list unusable, never a shorter one. Pure; how a page is asked for and what its bytes mean is left to
//! [`zoho`](crate::zoho), when it is asked for to whoever paces requests.

use std::collections::HashSet;

use crate::crm::limits::{NUMBERED_ENTRIES, TOKEN_PAGES};
use crate::upload::ServiceId;

/// No service has more; a list that goes on for ever is not a list.
const PAGES_AT_MOST: u64 = TOKEN_PAGES as u64;

/// One attachment in a record's list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Its id.
    pub id: ServiceId,
    /// `File_Name` as listed.
    pub name: String,
    /// Bytes, if given.
    pub size: Option<u64>,
    /// The link, if it is one.
    pub url: Option<String>,
    /// Creation time in whole seconds since 1970.
    pub created: Option<i64>,
    /// The user who made it.
    pub created_by: Option<ServiceId>,
    /// Whether the entry says if it is a link: without that, `url` says nothing where it is `None`.
    pub address_told: bool,
}

/// The page to ask for.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub enum PageRequest {
    /// The first one, without a number: whether pages are counted from 0 or from 1 is not known of every version.
    #[default]
    First,
    /// By its number, as the first page counts.
    Number(u64),
    /// By the token that the page before gave.
    Token(String),
}

/// One page as the service gave it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ListPage {
    /// What is on it.
    pub entries: Vec<Listed>,
    /// Its number; `None` where the service does not say.
    pub number: Option<u64>,
    /// How many entries the service says there are: on the page in some versions, on the whole list in others.
    pub count: Option<u64>,
    /// Whether more pages follow; `None` where the service does not say.
    pub more: Option<bool>,
    /// What names the next page where numbers do not reach; `None` where the service gives none.
    pub next_token: Option<String>,
}

impl ListPage {
    /// Whether the list may end here, so that what the results hold must be read before anything is made of it.
    pub fn may_be_last(&self) -> bool {
        self.more != Some(true)
    }
}

/// A list while it is read.
#[derive(Default, Debug)]
pub struct ListReading {
    /// The entries of the pages so far.
    entries: Vec<Listed>,
    /// Their ids.
    seen: HashSet<u64>,
    /// Pages read.
    read: u64,
    /// The number of the first page: 0 or 1.
    origin: u64,
    /// How many entries the whole list has, where a page said a count that cannot be its own.
    total: Option<u64>,
    /// Whether the last page said in so many words that another follows.
    more_promised: bool,
    /// The page to ask for now.
    next: PageRequest,
}

impl ListReading {
    /// The page to ask for now.
    pub fn next_page(&self) -> &PageRequest {
        &self.next
    }

    /// The entries that were read so far.
    pub fn so_far(&self) -> &[Listed] {
        &self.entries
    }

    /// Takes in the page that was asked for: the whole list, if it was the last one. `None`: another page follows.
    ///
    /// # Errors
    ///
    /// The pages cannot be relied on; says why. Reading begins anew with the next page asked for.
    pub fn take(&mut self, page: ListPage) -> Result<Option<Vec<Listed>>, &'static str> {
        let taken = self.add(page);
        if !matches!(taken, Ok(false)) {
            let done = std::mem::take(self);
            return taken.map(|_| Some(done.entries));
        }
        Ok(None)
    }

    /// Says whether this was the last page.
    fn add(&mut self, page: ListPage) -> Result<bool, &'static str> {
        let ListPage { entries, number, count, more, next_token } = page;
        let on_page = entries.len();
        for entry in entries {
            if !self.seen.insert(entry.id.get()) {
                return Err("the list changed while it was read");
            }
            self.entries.push(entry);
        }
        self.check_number(number)?;
        self.read += 1;
        if !self.total_agrees(count, on_page) {
            return Err("the list changed while it was read");
        }
        // Where no word is said about more, only an empty page proves the end: how many a page holds at most is not known
        // of every version, and a list that is cut short would make an upload in doubt seem absent.
        if on_page == 0 && (more == Some(true) || self.more_promised) {
            return Err("a page is empty though more were said to follow");
        }
        if !more.unwrap_or(on_page > 0) {
            return if self.is_complete() { Ok(true) } else { Err("the list is shorter or longer than it says") };
        }
        if self.read >= PAGES_AT_MOST {
            return Err("the list does not end");
        }
        self.more_promised = more == Some(true);
        self.next = match next_token {
            Some(token) if self.entries.len() >= NUMBERED_ENTRIES => PageRequest::Token(token),
            _ => PageRequest::Number(self.origin + self.read),
        };
        Ok(false)
    }

    fn check_number(&mut self, number: Option<u64>) -> Result<(), &'static str> {
        if self.next == PageRequest::First {
            self.origin = number.unwrap_or(1);
        }
        let expected = match self.next {
            PageRequest::First => self.origin <= 1,
            PageRequest::Number(asked) => number.is_none_or(|number| number == asked),
            // How pages that a token names are counted is not known.
            PageRequest::Token(_) => true,
        };
        if expected { Ok(()) } else { Err("another page came than was asked for") }
    }

    /// A count that is not that of the page is that of the list, and must not change.
    fn total_agrees(&mut self, count: Option<u64>, on_page: usize) -> bool {
        match count {
            Some(count) if count != on_page as u64 => *self.total.get_or_insert(count) == count,
            _ => true,
        }
    }

    fn is_complete(&self) -> bool {
        self.total.is_none_or(|total| total == self.entries.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::ServiceId;

    fn entry(id: u64) -> Listed {
        Listed {
            id: ServiceId::new(id),
            name: String::new(),
            size: None,
            url: None,
            created: None,
            created_by: None,
            address_told: false,
        }
    }

    fn page(ids: std::ops::Range<u64>, more: Option<bool>) -> ListPage {
        let count = Some(ids.end - ids.start);
        ListPage { entries: ids.map(|id| entry(id + 1_000)).collect(), count, more, ..ListPage::default() }
    }

    fn counted(ids: std::ops::Range<u64>, more: bool, count: u64) -> ListPage {
        ListPage { count: Some(count), ..page(ids, Some(more)) }
    }

    const EMPTY: std::ops::Range<u64> = 0..0;

    /// How many entries the pages make together; `None`: no list.
    fn whole(pages: Vec<ListPage>) -> Option<usize> {
        let mut reading = ListReading::default();
        let count = pages.len();
        for (at, page) in pages.into_iter().enumerate() {
            match reading.take(page) {
                Err(_) => return None,
                Ok(Some(list)) => {
                    assert_eq!(at + 1, count, "it ends before its last page");
                    return Some(list.len());
                }
                Ok(None) => {}
            }
        }
        panic!("it does not end with its last page");
    }

    #[test]
    fn pages_are_asked_for_until_one_says_that_no_more_follow() {
        let mut reading = ListReading::default();
        assert_eq!(reading.next_page(), &PageRequest::First);
        assert_eq!(reading.take(page(0..200, Some(true))), Ok(None));
        assert_eq!(reading.next_page(), &PageRequest::Number(2));
        assert_eq!(reading.take(page(200..250, Some(false))).map(|list| list.map(|list| list.len())), Ok(Some(250)));
        assert_eq!(reading.next_page(), &PageRequest::First, "the next list begins anew");
        assert_eq!(whole(vec![page(EMPTY, None)]), Some(0));
        assert_eq!(whole(vec![page(EMPTY, Some(false))]), Some(0));
    }

    #[test]
    fn where_no_word_is_said_about_more_only_an_empty_page_is_the_end() {
        assert_eq!(whole(vec![page(0..200, None), page(200..230, None), page(EMPTY, None)]), Some(230));
    }

    #[test]
    fn an_empty_page_where_more_were_promised_is_no_end() {
        assert_eq!(whole(vec![page(0..200, Some(true)), page(EMPTY, None)]), None);
        assert_eq!(whole(vec![page(0..200, Some(true)), page(EMPTY, Some(false))]), None);
        assert_eq!(whole(vec![page(0..2, Some(true)), page(2..4, Some(true)), page(EMPTY, None)]), None);
        assert_eq!(whole(vec![page(EMPTY, Some(true))]), None);
    }

    #[test]
    fn pages_are_numbered_as_the_first_one_is() {
        let numbered = |number, page| ListPage { number: Some(number), ..page };
        for origin in [0, 1] {
            let mut reading = ListReading::default();
            assert_eq!(reading.take(numbered(origin, page(0..2, Some(true)))), Ok(None));
            assert_eq!(reading.next_page(), &PageRequest::Number(origin + 1));
            assert!(reading.take(numbered(origin + 2, page(2..4, Some(false)))).is_err());
        }
        assert_eq!(whole(vec![numbered(2, page(EMPTY, Some(false)))]), None);
    }

    #[test]
    fn beyond_two_thousand_entries_a_token_names_the_page() {
        let mut reading = ListReading::default();
        let with_token = |number: u64| ListPage {
            next_token: Some("t".to_owned()),
            ..page(number * 200..(number + 1) * 200, Some(true))
        };
        for number in 0..9 {
            assert_eq!(reading.take(with_token(number)), Ok(None));
            assert_eq!(reading.next_page(), &PageRequest::Number(number + 2));
        }
        assert_eq!(reading.take(with_token(9)), Ok(None));
        assert_eq!(reading.next_page(), &PageRequest::Token("t".to_owned()));
        assert_eq!(reading.so_far().len(), 2_000);
        let odd = ListPage { number: Some(3), ..page(2_000..2_001, Some(false)) };
        assert!(matches!(reading.take(odd), Ok(Some(_))), "how such pages are counted is not known");
    }

    #[test]
    fn pages_that_do_not_fit_together_are_no_list() {
        assert_eq!(whole(vec![counted(0..200, true, 300), counted(200..301, false, 301)]), None);
        assert_eq!(whole(vec![counted(0..200, true, 300), counted(200..299, false, 300)]), None);
        assert_eq!(whole(vec![page(0..200, Some(true)), page(199..300, Some(false))]), None);
        assert_eq!(whole(vec![counted(0..200, true, 300), counted(200..300, false, 300)]), Some(300));
    }

    #[test]
    fn a_list_without_end_is_given_up() {
        let mut reading = ListReading::default();
        let taken = (0..PAGES_AT_MOST).map(|at| reading.take(page(at..at + 1, Some(true)))).find(Result::is_err);
        assert_eq!(taken, Some(Err("the list does not end")));
    }
}
