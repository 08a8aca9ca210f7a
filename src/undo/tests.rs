//! The undo against a service in memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use super::machine::undo;
use super::ports::{UndoJournal, UndoPolicy, UndoService};
use super::select::UndoSelection;
use super::*;
use crate::engine::StopSignal;
use crate::engine::requests::RequestPolicy;
use crate::engine::retry::{Backoff, RetryPolicy};
use crate::listing::{ListPage, ListReading};
use crate::outcome::OwnCode;
use crate::reply::{AttachmentPresence, DoubtBecause, FailedBy, Listed, Reply, RetryBecause, StopBecause, Verdict};
use crate::results::Line;
use crate::units::Rate;
use crate::upload::{SourceKind, Upload};

const FIRST: u64 = 1_000_000_000;

/// The line of a file of five bytes on the record of this number, uploaded as the attachment of the same number.
fn line(number: u32) -> Line {
    let record = RecordId::new(FIRST + u64::from(number)).expect("an id");
    let (name, module) = (format!("{number}.pdf"), "Leads");
    let key = RowKey::of(module, &record.to_string(), SourceKind::File, &name, &name, 1);
    let upload = Upload { line: number, module, record, kind: SourceKind::File, source: &name, name: &name, key };
    let attachment_id = Some(ServiceId::new(FIRST + u64::from(number)));
    Line { status: Status::Uploaded, attachment_id, ..Line::of(&upload, Some(5), "sandbox", "run-1") }
}

fn work_of(lines: Vec<Line>, selection: &UndoSelection) -> UndoWork {
    UndoWork::of(lines.into_iter().map(Ok), &HashMap::new(), selection).expect("lines in memory")
}

fn listed(row: u32) -> Listed {
    Listed {
        id: ServiceId::new(FIRST + u64::from(row)),
        name: format!("{row}.pdf"),
        size: Some(5),
        url: None,
        created: None,
        created_by: None,
        address_told: true,
    }
}

fn reply(verdict: Verdict, code: &str) -> Box<Reply> {
    Box::new(Reply {
        verdict,
        code: code.to_owned(),
        message: String::new(),
        http_status: None,
        took: Duration::ZERO,
        retry_after: None,
        credits_left: None,
    })
}

/// What the service does with a deletion: whether it is done, and what is answered.
type Answering<'a> = dyn Fn(u64, u32) -> (bool, Result<(), Box<Reply>>) + Sync + 'a;

/// A service that has what it has, and a journal beside it.
struct UndoWorld<'a> {
    there: Mutex<BTreeMap<u64, Listed>>,
    /// Deletions that were asked for, in order.
    asked: Mutex<Vec<u64>>,
    /// What the results say of each attachment, in order.
    written: Mutex<HashMap<u64, Vec<Status>>>,
    answer: &'a Answering<'a>,
    list: Option<&'a (dyn Fn(u64) -> Option<Box<Reply>> + Sync)>,
}

impl<'a> UndoWorld<'a> {
    fn new(there: impl IntoIterator<Item = Listed>, answer: &'a Answering<'a>) -> UndoWorld<'a> {
        UndoWorld {
            there: Mutex::new(there.into_iter().map(|one| (one.id.get(), one)).collect()),
            asked: Mutex::default(),
            written: Mutex::default(),
            answer,
            list: None,
        }
    }

    fn undo(&self, work: UndoWork) -> Undone {
        let backoff = Backoff { base: Duration::ZERO, cap: Duration::ZERO };
        let retry = RetryPolicy { retries: 2, backoff };
        let requests = RequestPolicy { rate: Rate::Unlimited, concurrency: 3, retry, ..RequestPolicy::default() };
        let policy = UndoPolicy { requests, settle_time: Duration::ZERO };
        undo(work, self, self, &policy, &StopSignal::default(), &|_| ())
    }

    fn asked(&self) -> Vec<u64> {
        self.asked.lock().expect("whole").iter().map(|id| id - FIRST).collect()
    }

    fn written(&self, number: u64) -> Vec<Status> {
        self.written.lock().expect("whole").get(&(FIRST + number)).cloned().unwrap_or_default()
    }

    fn left(&self) -> usize {
        self.there.lock().expect("whole").len()
    }
}

impl UndoService for UndoWorld<'_> {
    fn list_page(
        &self,
        _module: &str,
        record: RecordId,
        reading: &mut ListReading,
    ) -> Result<Option<Vec<Listed>>, Box<Reply>> {
        if let Some(reply) = self.list.and_then(|list| list(record.get() - FIRST)) {
            return Err(reply);
        }
        let there = self.there.lock().expect("whole");
        let entries = there.get(&record.get()).cloned().into_iter().collect();
        let page = ListPage { entries, more: Some(false), ..ListPage::default() };
        Ok(reading.take(page).expect("a whole list"))
    }

    fn presence(&self, _module: &str, _record: RecordId, id: ServiceId) -> Result<AttachmentPresence, Box<Reply>> {
        let is_there = self.there.lock().expect("whole").contains_key(&id.get());
        Ok(if is_there { AttachmentPresence::There } else { AttachmentPresence::Gone })
    }

    fn delete(&self, _module: &str, _record: RecordId, id: ServiceId) -> Result<(), Box<Reply>> {
        assert_eq!(self.written(id.get() - FIRST).last(), Some(&Status::Deleting), "nothing leaves before its line");
        let mut asked = self.asked.lock().expect("whole");
        asked.push(id.get());
        let times = u32::try_from(asked.iter().filter(|asked| **asked == id.get()).count()).expect("few");
        drop(asked);
        let (is_done, answer) = (self.answer)(id.get() - FIRST, times);
        if is_done {
            self.there.lock().expect("whole").remove(&id.get());
        }
        answer
    }

    fn credits_left(&self) -> Option<u64> {
        None
    }

    fn cut(&self) {}
}

impl UndoWorld<'_> {
    fn write(&self, row: &UndoRow, status: Status) {
        self.written.lock().expect("whole").entry(row.attachment.get()).or_default().push(status);
    }
}

impl UndoJournal for UndoWorld<'_> {
    fn begin(&self, row: &UndoRow) -> Result<(), String> {
        self.write(row, Status::Deleting);
        Ok(())
    }

    fn finish(&self, row: &UndoRow, end: &UndoEnd) -> Result<(), String> {
        self.write(
            row,
            match end {
                UndoEnd::Deleted(_) => Status::Deleted,
                UndoEnd::LeftAlone(_) | UndoEnd::NotReached => row.was,
                UndoEnd::InDoubt(_) => Status::Deleting,
            },
        );
        Ok(())
    }
}

const OBEYS: &Answering<'static> = &|_, _| (true, Ok(()));

fn ends(undone: &Undone) -> Vec<&'static str> {
    undone.rows.iter().map(|(_, end)| end.as_str()).collect()
}

fn all() -> UndoSelection {
    UndoSelection::default()
}

#[test]
fn only_what_a_line_of_ours_created_can_go() {
    let settled = |code: OwnCode| Line { code: code.into(), ..line(9) };
    let with = |status| Line { status, ..line(9) };
    for (line, why) in [
        (with(Status::AlreadyPresent), NotUndone::AlreadyPresent),
        (with(Status::Failed), NotUndone::NothingCreated),
        (with(Status::NotSent), NotUndone::NothingCreated),
        (with(Status::Invalid), NotUndone::NothingCreated),
        (with(Status::InDoubt), NotUndone::InDoubt),
        (with(Status::Unknown), NotUndone::InDoubt),
        (with(Status::Sending), NotUndone::InDoubt),
        (with(Status::Deleted), NotUndone::Deleted),
        (settled(OwnCode::SettledByListing), NotUndone::Settled),
        (settled(OwnCode::Assumed), NotUndone::Settled),
        (Line { attachment_id: None, ..line(9) }, NotUndone::Unnamed),
        (Line { record: "x".to_owned(), ..line(9) }, NotUndone::Unnamed),
    ] {
        let work = work_of(vec![line.clone()], &all());
        assert!(work.rows.is_empty(), "{line:?}");
        assert_eq!(work.not_undone, [(why, 1)], "{line:?}");
    }
    for status in [Status::Uploaded, Status::Superseded, Status::Deleting] {
        let work = work_of(vec![with(status)], &all());
        assert_eq!((work.rows.len(), work.rows[0].is_begun), (1, status == Status::Deleting));
    }
    let include = UndoSelection { include_settled: true, ..all() };
    assert_eq!(work_of(vec![settled(OwnCode::SettledByListing)], &include).rows.len(), 1);
}

#[test]
fn a_part_is_selected_by_run_line_and_module() {
    let lines = || {
        let other = Line { module: "Deals".to_owned(), run: "run-2".to_owned(), ..line(3) };
        vec![line(1), line(2), other]
    };
    let numbers = |selection: UndoSelection| {
        let work = work_of(lines(), &selection);
        let not_selected = work.count(NotUndone::NotSelected);
        assert_eq!(work.rows.len() as u64 + not_selected, 3);
        work.rows.iter().map(|row| row.line).collect::<Vec<u32>>()
    };
    assert_eq!(numbers(UndoSelection { runs: vec!["run-2".to_owned()], ..all() }), [3]);
    assert_eq!(numbers(UndoSelection { modules: vec!["Leads".to_owned()], ..all() }), [1, 2]);
    assert_eq!(numbers(UndoSelection { lines: "2-".parse().ok(), ..all() }), [2, 3]);
    let both = UndoSelection { lines: "2-".parse().ok(), modules: vec!["Leads".to_owned()], ..all() };
    assert_eq!(numbers(both), [2]);
    assert!(numbers(UndoSelection { runs: vec!["run-9".to_owned()], ..all() }).is_empty());
}

#[test]
fn the_attachment_of_an_earlier_sending_has_the_line_of_its_row() {
    let earlier = Line { key: line(4).key.superseded(1), line: 0, status: Status::Superseded, ..line(4) };
    let lines: HashMap<RowKey, u32> = HashMap::from([(earlier.key, 4)]);
    let selection = UndoSelection { lines: "4".parse().ok(), ..all() };
    let work = UndoWork::of([Ok(earlier)].into_iter(), &lines, &selection).expect("lines");
    assert_eq!((work.rows[0].line, work.rows[0].was), (4, Status::Superseded));
}

#[test]
fn everything_of_ours_goes_and_nothing_else() {
    let world = UndoWorld::new((1..=50).chain(90..=95).map(listed), OBEYS);
    let undone = world.undo(work_of((1..=50).map(line).collect(), &all()));
    assert!(ends(&undone).iter().all(|end| *end == "deleted") && undone.stop.is_none(), "{undone:?}");
    assert_eq!((world.left(), world.asked().len(), undone.totals.requests), (6, 50, 100));
    assert!((1..=50).all(|row| world.written(row) == [Status::Deleting, Status::Deleted]));
}

#[test]
fn what_is_not_what_was_sent_is_left_alone_with_the_reason() {
    let there = [
        Listed { name: "other.pdf".to_owned(), ..listed(1) },
        Listed { size: Some(6), ..listed(2) },
        Listed { url: Some("https://example.com/".to_owned()), ..listed(3) },
        Listed { size: None, ..listed(4) },
        listed(5),
    ];
    let world = UndoWorld::new(there, OBEYS);
    let undone = world.undo(work_of((1..=5).map(line).collect(), &all()));
    let difference = |row: usize| match &undone.rows[row].1 {
        UndoEnd::LeftAlone(LeftAlone::Differs(difference)) => difference.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(difference(0), Difference::Name { there: "other.pdf".to_owned() });
    assert_eq!(difference(1), Difference::Size { sent: 5, there: 6 });
    assert_eq!(difference(2), Difference::Kind);
    assert_eq!(difference(3), Difference::Untold { what: "size" });
    assert_eq!((world.asked(), world.left()), (vec![5], 4));
    assert_eq!(world.written(1), [Status::Uploaded], "its line keeps its status");
}

#[test]
fn what_is_gone_already_is_deleted_and_never_asked_for() {
    let world = UndoWorld::new([listed(2)], OBEYS);
    let undone = world.undo(work_of(vec![line(1), line(2)], &all()));
    assert_eq!(undone.rows[0].1, UndoEnd::Deleted(Gone::Already));
    assert_eq!((world.asked(), world.written(1)), (vec![2], vec![Status::Deleted]));
}

#[test]
fn a_refused_first_deletion_ends_it_and_nothing_else_is_asked_for() {
    for (verdict, code) in [
        (Verdict::Failed(FailedBy::Permission), "NO_PERMISSION"),
        (Verdict::Failed(FailedBy::Unlisted), "NOT_ALLOWED"),
        (Verdict::Failed(FailedBy::Unlisted), "INVALID_DATA"),
    ] {
        let refuses: &Answering<'_> = &|_, _| (false, Err(reply(verdict.clone(), code)));
        let world = UndoWorld::new((1..=40).map(listed), refuses);
        let undone = world.undo(work_of((1..=40).map(line).collect(), &all()));
        assert_eq!(undone.refused_at_first.as_deref(), Some(code));
        assert_eq!((world.asked().len(), world.left()), (1, 40), "{code}");
        assert_eq!(undone.count(|end| matches!(end, UndoEnd::LeftAlone(LeftAlone::Refused(_)))), 1);
        let first = world.asked()[0];
        assert_eq!(world.written(first), [Status::Deleting, Status::Uploaded], "its line says what it said before");
        assert_eq!(undone.count(|end| *end == UndoEnd::NotReached), 39);
    }
}

#[test]
fn files_are_tried_by_a_file_and_links_by_a_link() {
    let address = "https://example.com/";
    let link = |number: u32| Line { file: String::new(), url: address.to_owned(), ..line(number) };
    let lines = (1..=5).map(link).chain((6..=9).map(line)).collect();
    let there = (1..=5).map(|row| Listed { url: Some(address.to_owned()), size: None, ..listed(row) });
    let only_links: &Answering<'_> = &|row, _| match row {
        1..=5 => (true, Ok(())),
        _ => (false, Err(reply(Verdict::Failed(FailedBy::Unlisted), "NOT_ALLOWED"))),
    };
    let world = UndoWorld::new(there.chain((6..=9).map(listed)), only_links);
    let undone = world.undo(work_of(lines, &all()));
    assert!(undone.refused_at_first.is_some());
    assert_eq!(world.asked().iter().filter(|row| **row > 5).count(), 1, "one file was tried");
}

#[test]
fn a_lost_answer_is_settled_by_looking() {
    // Each third is done and its answer lost, each third next is lost before it is done.
    let loses: &Answering<'_> = &|row, times| match (row % 3, times) {
        (0, 1) => (true, Err(reply(Verdict::InDoubt(DoubtBecause::AnswerLost), "answer-lost"))),
        (1, 1) => (false, Err(reply(Verdict::InDoubt(DoubtBecause::ServerError), "server-error"))),
        _ => (true, Ok(())),
    };
    let world = UndoWorld::new((1..=30).map(listed), loses);
    let undone = world.undo(work_of((1..=30).map(line).collect(), &all()));
    assert!(undone.stop.is_none() && world.left() == 0, "{undone:?}");
    for (row, end) in &undone.rows {
        let expected = if row.line % 3 == 0 { Gone::Found } else { Gone::Deleted };
        assert_eq!(*end, UndoEnd::Deleted(expected), "{row:?}");
    }
    let again: Vec<u64> = world.asked().into_iter().filter(|row| row % 3 == 1).collect();
    assert_eq!(again.len(), 20, "asked for once more, since the list still had them");
}

#[test]
fn what_cannot_be_settled_stays_in_doubt_and_says_so() {
    let loses: &Answering<'_> = &|row, _| match row {
        1 => (true, Ok(())),
        _ => (true, Err(reply(Verdict::InDoubt(DoubtBecause::AnswerLost), "answer-lost"))),
    };
    let lists = Mutex::new(HashSet::new());
    let refuses_second = |record: u64| {
        let is_first = lists.lock().expect("whole").insert(record);
        (!is_first).then(|| reply(Verdict::Failed(FailedBy::Permission), "NO_PERMISSION"))
    };
    let world = UndoWorld { list: Some(&refuses_second), ..UndoWorld::new((1..=3).map(listed), loses) };
    let undone = world.undo(work_of((1..=3).map(line).collect(), &all()));
    assert_eq!(ends(&undone), ["deleted", "in-doubt", "in-doubt"]);
    assert_eq!(world.written(2).last(), Some(&Status::Deleting), "a later undo looks again");
}

#[test]
fn what_an_undo_that_was_cut_off_left_is_settled_first_by_looking() {
    let begun = |number: u32| Line { status: Status::Deleting, ..line(number) };
    let world = UndoWorld::new([listed(2), listed(3)], OBEYS);
    let work = work_of(vec![begun(1), begun(2), line(3)], &all());
    work.rows[..2].iter().for_each(|row| world.write(row, Status::Deleting));
    let undone = world.undo(work);
    let how: Vec<UndoEnd> = undone.rows.iter().map(|(_, end)| end.clone()).collect();
    assert_eq!(how[0], UndoEnd::Deleted(Gone::Found));
    assert_eq!(how[1..], [UndoEnd::Deleted(Gone::Deleted), UndoEnd::Deleted(Gone::Deleted)]);
    assert!(!world.asked().contains(&1));
}

#[test]
fn a_record_that_cannot_be_listed_keeps_its_attachments() {
    let gone = |record: u64| (record == 2).then(|| reply(Verdict::Failed(FailedBy::Record), "INVALID_DATA"));
    let world = UndoWorld { list: Some(&gone), ..UndoWorld::new((1..=3).map(listed), OBEYS) };
    let undone = world.undo(work_of((1..=3).map(line).collect(), &all()));
    assert_eq!(ends(&undone), ["deleted", "left-alone", "deleted"]);
    assert!(matches!(&undone.rows[1].1, UndoEnd::LeftAlone(LeftAlone::NoList(said)) if said == "INVALID_DATA"));
}

#[test]
fn the_same_refusal_in_a_module_closes_it_and_the_others_go_on() {
    let refuses_leads: &Answering<'_> = &|row, _| match row {
        ..=60 if row != 1 => (false, Err(reply(Verdict::Failed(FailedBy::Permission), "NO_PERMISSION"))),
        _ => (true, Ok(())),
    };
    let deals = (61..=80).map(|number| Line { module: "Deals".to_owned(), ..line(number) });
    let world = UndoWorld::new((1..=80).map(listed), refuses_leads);
    let undone = world.undo(work_of((1..=60).map(line).chain(deals).collect(), &all()));
    assert!(undone.rows[60..].iter().all(|(_, end)| *end == UndoEnd::Deleted(Gone::Deleted)), "{undone:?}");
    assert!(world.asked().iter().filter(|row| **row <= 60).count() < 20, "{:?}", world.asked());
    assert_eq!(undone.count(|end| matches!(end, UndoEnd::LeftAlone(LeftAlone::Refused(_)))), 59);
}

#[test]
fn tries_that_did_nothing_are_made_again_and_leave_the_line_as_it_was_in_the_end() {
    let throttles: &Answering<'_> = &|row, times| match (row, times) {
        (2, _) => (false, Err(reply(Verdict::Retry(RetryBecause::LocalShortage), "local-shortage"))),
        (3, 1) => (false, Err(reply(Verdict::Retry(RetryBecause::LocalShortage), "local-shortage"))),
        _ => (true, Ok(())),
    };
    let world = UndoWorld::new((1..=3).map(listed), throttles);
    let undone = world.undo(work_of((1..=3).map(line).collect(), &all()));
    assert_eq!(ends(&undone), ["deleted", "left-alone", "deleted"]);
    assert_eq!(world.written(2), [Status::Deleting, Status::Uploaded]);
    assert_eq!(world.written(3), [Status::Deleting, Status::Deleted], "one line for all its tries");
}

#[test]
fn a_mistake_of_ours_during_a_deletion_is_a_doubt_and_not_a_failure() {
    let fails: &Answering<'_> = &|row, times| match (row, times) {
        (2, 1) => std::panic::resume_unwind(Box::new("a mistake")),
        _ => (true, Ok(())),
    };
    let world = UndoWorld::new((1..=3).map(listed), fails);
    let undone = world.undo(work_of((1..=3).map(line).collect(), &all()));
    assert!(ends(&undone).iter().all(|end| *end == "deleted"), "{undone:?}");
    assert_eq!(undone.totals.requests, 3 + 3 + 2, "its record was listed again");
}

#[test]
fn a_missing_scope_stops_it_and_what_was_not_asked_for_is_said() {
    let lacks: &Answering<'_> = &|_, _| (false, Err(reply(Verdict::Stop(StopBecause::Scope), "OAUTH_SCOPE_MISMATCH")));
    let world = UndoWorld::new((1..=9).map(listed), lacks);
    let undone = world.undo(work_of((1..=9).map(line).collect(), &all()));
    assert!(undone.stop.is_some() && world.left() == 9);
    assert!(ends(&undone).iter().all(|end| *end == "not-reached"));
    let first = world.asked()[0];
    assert_eq!(world.written(first), [Status::Deleting, Status::Uploaded], "surely nothing was deleted");
}
