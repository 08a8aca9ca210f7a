//! What the list of all attachments proves, page by page. Pure: pages go in, what to ask next comes out.
//!
//! The census is **positive evidence only**: no page of Zoho's documents it, it may leave out what the user does not see,
//! lag behind, or end early. So what it holds is there; what it does not hold is asked for record by record. It is given
//! up without harm: where pages contradict each other, nothing that they said counts.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use super::compare::{Compared, compare};
use super::{VerifyFinding, VerifyRecord, VerifyWork};
use crate::crm::limits::TOKEN_PAGES;
use crate::reply::Listed;
use crate::upload::ServiceId;
use crate::zoho::{CensusEntry, CensusOrder, CensusPage, CensusQuery};

/// From so many records on it saves requests: it costs at least one for 200 attachments, whosever they are.
pub const FROM_RECORDS: usize = 200;
/// Among so many attachments of our time at least one must be ours; otherwise it is a list of something else.
const OURS_AMONG: u32 = 2_000;
/// How far the service's times of creation may lag behind the times at which we sent.
const CLOCKS_DIFFER: Duration = Duration::from_secs(600);

/// The census while it is read.
pub struct Census {
    /// Records that it may settle, by module and id, as an index into [`VerifyWork::records`].
    wanted: HashMap<(Arc<str>, u64), u32>,
    /// Where each attachment of ours was put.
    ours: HashMap<ServiceId, (Arc<str>, u64)>,
    /// Nothing older than this is ours, in seconds since 1970; `None` where no time is known.
    since: Option<i64>,
    /// What it told of wanted records.
    told: HashMap<u32, Vec<Listed>>,
    /// Every attachment told so far, with a digest of what was told.
    seen: HashMap<u64, u64>,
    order: CensusOrder,
    /// The token of the page that was asked for last.
    token: Option<String>,
    /// Pages read in this order.
    pages_in_order: u32,
    /// Pages read in all.
    pages: u32,
    /// The id read last, in the order that was asked for; ids fall as long as that order is kept to.
    last: Option<u64>,
    keeps_order: bool,
    /// Attachments of our time, and those of them that are ours.
    of_our_time: u32,
    of_ours: u32,
}

/// What follows from a page.
#[derive(PartialEq, Eq, Debug)]
pub enum CensusStep {
    /// Ask for this page.
    Ask(CensusQuery),
    /// Nothing further is asked for.
    End(CensusEnd),
}

/// How the census ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CensusEnd {
    /// Its last page was read.
    Whole,
    /// What follows was attached before our first upload.
    OurTimeOver,
    /// No further page can be asked for, in either order; what was read counts.
    Reach,
    /// The service refused to go on; what was read before counts.
    Refused(String),
    /// It cannot be relied on; nothing of it counts.
    GivenUp(CensusFlaw),
}

/// Why a census cannot be relied on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CensusFlaw {
    /// One of our attachments stands under another record than it was put on.
    OtherParent,
    /// It says two things about one attachment.
    Contradiction,
    /// A page came again, or one without anything on it that says that more follow.
    Repeats,
    /// Among the first 2,000 attachments of our time none was ours.
    NoneOfOurs,
}

impl CensusFlaw {
    /// What is wrong, as the end of a sentence.
    pub fn as_str(self) -> &'static str {
        match self {
            CensusFlaw::OtherParent => "it puts an attachment of ours on another record",
            CensusFlaw::Contradiction => "it says two things about one attachment",
            CensusFlaw::Repeats => "its pages repeat themselves or do not end",
            CensusFlaw::NoneOfOurs => "none of the first 2,000 attachments of that time is ours",
        }
    }
}

impl Census {
    /// A census for the records of this work where nothing was ever in doubt; the indices of the others, which are
    /// listed themselves in any case.
    pub fn of(work: &VerifyWork) -> (Census, Vec<u32>) {
        let (mut wanted, mut others) = (HashMap::new(), Vec::new());
        for (place, record) in (0..).zip(&work.records) {
            if is_plain(work, record) {
                wanted.insert((Arc::clone(&record.module), record.id.get()), place);
            } else {
                others.push(place);
            }
        }
        let placed = work.records.iter().flat_map(|record| {
            let place = (Arc::clone(&record.module), record.id.get());
            let rows = record.rows.iter().filter_map(|&row| work.rows.get(row)).filter(|row| row.is_expected());
            rows.filter_map(|row| row.attachment).map(move |id| (id, place.clone()))
        });
        let sent = work.rows.iter().filter(|row| row.is_expected()).filter_map(|row| row.sent_at).min();
        let since = sent.map(|sent| sent.as_second() - CLOCKS_DIFFER.as_secs() as i64);
        let census = Census {
            wanted,
            ours: placed.collect(),
            since,
            told: HashMap::new(),
            seen: HashMap::new(),
            order: CensusOrder::NewestFirst,
            token: None,
            pages_in_order: 0,
            pages: 0,
            last: None,
            keeps_order: true,
            of_our_time: 0,
            of_ours: 0,
        };
        (census, others)
    }

    /// The first page to ask for.
    pub fn first(&self) -> CensusQuery {
        CensusQuery { order: self.order, token: None }
    }

    /// Pages read so far.
    pub fn pages(&self) -> u32 {
        self.pages
    }

    /// Takes a page in.
    pub fn take(&mut self, page: CensusPage) -> CensusStep {
        self.pages += 1;
        self.pages_in_order += 1;
        let on_page = page.entries.len();
        let (mut fresh, mut newest) = (0, None);
        for entry in page.entries {
            newest = newest.max(entry.listed.created);
            match self.note(entry) {
                Ok(is_fresh) => fresh += usize::from(is_fresh),
                Err(flaw) => return self.give_up(flaw),
            }
        }
        if self.of_our_time >= OURS_AMONG && self.of_ours == 0 {
            return self.give_up(CensusFlaw::NoneOfOurs);
        }
        if !page.has_more {
            return CensusStep::End(CensusEnd::Whole);
        }
        let has_met = self.order == CensusOrder::OldestFirst && fresh < on_page;
        if has_met {
            return CensusStep::End(CensusEnd::Whole);
        }
        if fresh == 0 || (page.next.is_some() && page.next == self.token) {
            return self.give_up(CensusFlaw::Repeats);
        }
        // Only where the order is kept to does an old page prove that no younger one follows.
        let is_over = newest.zip(self.since).is_some_and(|(newest, since)| newest < since);
        if is_over && self.keeps_order && self.order == CensusOrder::NewestFirst {
            return CensusStep::End(CensusEnd::OurTimeOver);
        }
        if self.pages_in_order >= TOKEN_PAGES {
            return self.at_the_reach();
        }
        match page.next {
            Some(token) => {
                self.token = Some(token.clone());
                CensusStep::Ask(CensusQuery { order: self.order, token: Some(token) })
            }
            None => CensusStep::End(CensusEnd::Reach),
        }
    }

    /// The service refused a page; `is_reach` if because tokens reach no further.
    pub fn refused(&mut self, said: String, is_reach: bool) -> CensusStep {
        if is_reach && self.pages_in_order > 0 {
            self.at_the_reach()
        } else {
            CensusStep::End(CensusEnd::Refused(said))
        }
    }

    /// Tokens reach no further: from the other end there is as much again.
    fn at_the_reach(&mut self) -> CensusStep {
        let open = self.wanted.len().saturating_sub(self.told.len());
        if self.order == CensusOrder::OldestFirst || open <= TOKEN_PAGES as usize || !self.keeps_order {
            return CensusStep::End(CensusEnd::Reach);
        }
        self.order = CensusOrder::OldestFirst;
        (self.token, self.pages_in_order, self.last) = (None, 0, None);
        CensusStep::Ask(self.first())
    }

    fn give_up(&mut self, flaw: CensusFlaw) -> CensusStep {
        self.told.clear();
        CensusStep::End(CensusEnd::GivenUp(flaw))
    }

    /// Notes one attachment; whether it was not told of before.
    fn note(&mut self, entry: CensusEntry) -> Result<bool, CensusFlaw> {
        let (id, digest) = (entry.listed.id.get(), digest(&entry));
        match self.seen.entry(id) {
            // What is attached while pages are read moves others onto the next page: told twice, and alike.
            Entry::Occupied(known) if *known.get() == digest => return Ok(false),
            Entry::Occupied(_) => return Err(CensusFlaw::Contradiction),
            Entry::Vacant(free) => {
                free.insert(digest);
            }
        }
        self.note_order(id);
        let is_of_our_time = match (entry.listed.created, self.since) {
            (Some(created), Some(since)) => created >= since,
            _ => true,
        };
        self.of_our_time += u32::from(is_of_our_time);
        let ours = self.ours.get(&entry.listed.id);
        self.of_ours += u32::from(ours.is_some());
        let Some(parent) = entry.parent else { return Ok(true) };
        if let Some((module, record)) = ours {
            let is_there = parent.id == *record && parent.module.as_deref().is_none_or(|told| told == &**module);
            if !is_there {
                return Err(CensusFlaw::OtherParent);
            }
        }
        // Without a word about the module, only what is ours can be told from what belongs to another record of that id.
        let module = parent.module.map(Arc::from).or_else(|| ours.map(|(module, _)| Arc::clone(module)));
        if let Some(place) = module.and_then(|module| self.wanted.get(&(module, parent.id))) {
            self.told.entry(*place).or_default().push(entry.listed);
        }
        Ok(true)
    }

    fn note_order(&mut self, id: u64) {
        let is_kept = self.last.is_none_or(|last| match self.order {
            CensusOrder::NewestFirst => id < last,
            CensusOrder::OldestFirst => id > last,
        });
        self.keeps_order &= is_kept;
        self.last = Some(id);
    }

    /// What the census settles: the records all of whose rows it has seen, whole and once. The others must be listed. No
    /// page follows, so what only pages are held against is let go.
    pub fn settle(&mut self, work: &VerifyWork) -> (Vec<(u32, Vec<Compared>)>, Vec<u32>) {
        (self.seen, self.ours) = (HashMap::new(), HashMap::new());
        let (mut settled, mut open) = (Vec::new(), Vec::new());
        let mut places: Vec<u32> = self.wanted.values().copied().collect();
        places.sort_unstable();
        for place in places {
            let told = self.told.remove(&place).unwrap_or_default();
            let record = work.records.get(place as usize);
            match record.and_then(|record| proved(work, record, &told)) {
                Some(compared) => settled.push((place, compared)),
                None => open.push(place),
            }
        }
        (settled, open)
    }
}

/// The answers for all rows of a record, if each is there by its id, whole, and nothing more is to be said.
fn proved(work: &VerifyWork, record: &VerifyRecord, told: &[Listed]) -> Option<Vec<Compared>> {
    let rows = work.rows_of(record);
    let compared = compare(&rows, told);
    let is_proved = rows.iter().zip(&compared).all(|(row, compared)| match (&compared.finding, compared.there) {
        (VerifyFinding::NotExpected, _) => true,
        (VerifyFinding::Present, Some(there)) => {
            row.attachment == Some(there.id) && (row.expected_size().is_none() || row.expected_size() == there.size)
        }
        _ => false,
    });
    is_proved.then_some(compared)
}

/// Whether nothing about the record's rows was ever in doubt.
fn is_plain(work: &VerifyWork, record: &VerifyRecord) -> bool {
    let mut ids = HashSet::new();
    work.rows_of(record).iter().all(|row| match (row.is_expected(), row.attachment) {
        (true, Some(id)) => row.is_plain && ids.insert(id),
        (true, None) => false,
        // That something is gone, only the list of its record can show.
        (false, _) => !row.is_open() && !row.is_gone(),
    })
}

fn digest(entry: &CensusEntry) -> u64 {
    let mut hasher = DefaultHasher::new();
    let parent = entry.parent.as_ref().map(|parent| (parent.module.as_deref(), parent.id));
    (parent, entry.listed.size, &entry.listed.name, entry.listed.created).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Status;
    use crate::upload::{RecordId, RowKey, SourceKind};
    use crate::verify::VerifyRow;
    use crate::zoho::CensusParent;

    const FIRST: u64 = 1_000_000_000;
    const SENT: i64 = 1_780_000_000;

    /// One row on each of so many records; row `n` is attachment 10,000,000 + `n`.
    fn work(rows: u64) -> VerifyWork {
        let mut work = VerifyWork::default();
        for n in 0..rows {
            let record = RecordId::new(FIRST + n).expect("an id");
            work.records.push(VerifyRecord { module: "Leads".into(), id: record, rows: vec![work.rows.len()] });
            work.rows.push(VerifyRow {
                line: 2,
                module: "Leads".into(),
                record: record.to_string(),
                key: RowKey::of("Leads", &record.to_string(), SourceKind::File, "a", "a", 1),
                status: Status::Uploaded,
                source: "a".to_owned(),
                is_link: false,
                name: "a".to_owned(),
                bytes: Some(5),
                content: None,
                sent_at: jiff::Timestamp::from_second(SENT + n as i64).ok(),
                attachment: Some(ServiceId::new(10_000_000 + n)),
                is_plain: true,
                target: "sandbox".into(),
                org: None,
            });
        }
        work
    }

    fn entry(id: u64, record: u64, created: i64) -> CensusEntry {
        CensusEntry {
            listed: Listed {
                id: ServiceId::new(id),
                name: "a".to_owned(),
                size: Some(5),
                url: None,
                created: Some(created),
                created_by: None,
                address_told: true,
            },
            parent: Some(CensusParent { module: Some("Leads".to_owned()), id: record }),
        }
    }

    fn ours(n: u64) -> CensusEntry {
        entry(10_000_000 + n, FIRST + n, SENT + n as i64)
    }

    fn page(entries: Vec<CensusEntry>, next: Option<&str>) -> CensusPage {
        CensusPage { entries, next: next.map(str::to_owned), has_more: next.is_some() }
    }

    fn settled(census: &mut Census, work: &VerifyWork) -> (usize, usize) {
        let (settled, open) = census.settle(work);
        (settled.len(), open.len())
    }

    #[test]
    fn what_it_holds_is_settled_and_what_it_does_not_hold_is_left_to_the_lists() {
        let work = work(4);
        let (mut census, others) = Census::of(&work);
        assert!(others.is_empty());
        let step = census.take(page(vec![ours(3), ours(1)], None));
        assert_eq!((step, settled(&mut census, &work)), (CensusStep::End(CensusEnd::Whole), (2, 2)));
    }

    #[test]
    fn a_record_with_any_doubt_is_always_listed_itself() {
        let mut work = work(3);
        work.rows[0].status = Status::Unknown;
        work.rows[1].is_plain = false;
        let (census, others) = Census::of(&work);
        assert_eq!((others, census.wanted.len()), (vec![0, 1], 1));
    }

    #[test]
    fn another_size_a_second_one_or_no_size_at_all_is_no_proof() {
        let work = work(3);
        let (mut census, _) = Census::of(&work);
        let mut short = ours(0);
        short.listed.size = Some(4);
        let mut unsized_one = ours(1);
        unsized_one.listed.size = None;
        let twin = entry(20_000_000, FIRST + 2, SENT);
        census.take(page(vec![twin, ours(2), unsized_one, short], None));
        assert_eq!(settled(&mut census, &work), (0, 3));
    }

    #[test]
    fn pages_are_asked_for_until_they_are_older_than_our_first_upload() {
        let work = work(2);
        let (mut census, _) = Census::of(&work);
        let next = census.take(page(vec![ours(1), ours(0)], Some("t1")));
        let query = CensusQuery { order: CensusOrder::NewestFirst, token: Some("t1".to_owned()) };
        assert_eq!(next, CensusStep::Ask(query));
        let older = entry(9_000_000, 5, SENT - 3_600);
        assert_eq!(census.take(page(vec![older], Some("t2"))), CensusStep::End(CensusEnd::OurTimeOver));
        assert_eq!(settled(&mut census, &work), (2, 0));
    }

    #[test]
    fn an_old_page_proves_nothing_where_the_order_is_not_kept() {
        let work = work(2);
        let (mut census, _) = Census::of(&work);
        let older = |id| entry(id, 5, SENT - 3_600);
        assert!(matches!(census.take(page(vec![older(1), older(2)], Some("t1"))), CensusStep::Ask(_)));
    }

    #[test]
    fn contradictions_make_it_count_for_nothing() {
        let flaw = |pages: Vec<CensusPage>| {
            let work = work(2);
            let (mut census, _) = Census::of(&work);
            let last = pages.into_iter().map(|page| census.take(page)).last();
            assert_eq!(settled(&mut census, &work), (0, 2));
            match last {
                Some(CensusStep::End(CensusEnd::GivenUp(flaw))) => flaw,
                other => panic!("{other:?}"),
            }
        };
        let first = || page(vec![ours(1)], Some("t1"));
        assert_eq!(flaw(vec![page(vec![ours(1), entry(10_000_000, FIRST + 1, SENT)], None)]), CensusFlaw::OtherParent);
        let renamed = entry(20_000_000, 5, SENT);
        let again = entry(20_000_000, 6, SENT);
        assert_eq!(flaw(vec![first(), page(vec![renamed, again], None)]), CensusFlaw::Contradiction);
        assert_eq!(flaw(vec![first(), first()]), CensusFlaw::Repeats);
        assert_eq!(flaw(vec![first(), page(vec![ours(0)], Some("t1"))]), CensusFlaw::Repeats);
        assert_eq!(flaw(vec![first(), page(vec![], Some("t2"))]), CensusFlaw::Repeats);
        let strangers = (0..2_000).map(|n| entry(30_000_000 - n, 5, SENT)).collect();
        assert_eq!(flaw(vec![page(strangers, Some("t1"))]), CensusFlaw::NoneOfOurs);
    }

    #[test]
    fn an_entry_that_is_told_twice_alike_moved_between_pages_and_is_no_flaw() {
        let work = work(3);
        let (mut census, _) = Census::of(&work);
        census.take(page(vec![ours(2), ours(1)], Some("t1")));
        assert_eq!(census.take(page(vec![ours(1), ours(0)], None)), CensusStep::End(CensusEnd::Whole));
        assert_eq!(settled(&mut census, &work), (3, 0));
    }

    #[test]
    fn where_tokens_reach_no_further_it_turns_round_until_the_two_meet() {
        let work = work(2_000);
        let (mut census, _) = Census::of(&work);
        let pages = |range: std::ops::Range<u64>| range.map(ours).collect::<Vec<_>>();
        let mut newest = pages(1_800..2_000);
        newest.reverse();
        assert!(matches!(census.take(page(newest, Some("t1"))), CensusStep::Ask(_)));
        let CensusStep::Ask(turned) = census.refused(String::new(), true) else { panic!("turned round") };
        assert_eq!(turned, CensusQuery { order: CensusOrder::OldestFirst, token: None });
        for n in 0..9 {
            assert!(matches!(
                census.take(page(pages(n * 200..n * 200 + 200), Some(&n.to_string()))),
                CensusStep::Ask(_)
            ));
        }
        assert_eq!(census.take(page(pages(1_800..2_000), Some("t9"))), CensusStep::End(CensusEnd::Whole));
        assert_eq!(settled(&mut census, &work), (2_000, 0));
    }

    #[test]
    fn a_refusal_ends_it_and_what_was_seen_before_still_counts() {
        let work = work(2);
        let (mut census, _) = Census::of(&work);
        census.take(page(vec![ours(1)], Some("t1")));
        let end = CensusEnd::Refused("NO_PERMISSION".to_owned());
        assert_eq!(census.refused("NO_PERMISSION".to_owned(), false), CensusStep::End(end));
        assert_eq!(settled(&mut census, &work), (1, 1));
    }
}
