//! Lists: page by page, believed or not, and one record's trouble that is nobody else's.

use super::*;

/// Answers uploads with `lost` for job 0, and well for the others; `about` answers questions about records.
fn first_lost(
    mut about: impl FnMut(Task) -> ScriptedAnswer,
) -> impl FnMut(Elapsed, Task) -> (Duration, ScriptedAnswer) {
    move |_, task| match task {
        Task::Upload { job: JobId(0), tries: 1, .. } => (QUICK, ScriptedAnswer::Upload(lost())),
        Task::Upload { job, tries, .. } => (QUICK, ScriptedAnswer::Upload(uploaded(u64::from(job.0 * 10 + tries)))),
        task => (QUICK, about(task)),
    }
}

fn passing(code: &str) -> ScriptedAnswer {
    ScriptedAnswer::NoList(reply(Verdict::Retry(RetryBecause::Passing), code))
}

fn page(ids: std::ops::Range<u64>, more: bool) -> ScriptedAnswer {
    let entries = ids.map(|id| listed(id + 1_000, "old", 99)).collect();
    ScriptedAnswer::Page(ListPage { entries, more: Some(more), ..ListPage::default() })
}

#[test]
fn every_page_of_a_list_is_a_request_that_is_paced_and_counted() {
    let slow = Policy { rate: "1/s".parse().expect("a rate"), ..policy() };
    let mut pages = 0;
    let play = TestRun::of(rows(1), slow.clone()).play(first_lost(|task| match task {
        Task::List { purpose: Purpose::Settle, .. } => {
            pages += 1;
            let at = (pages - 1) % 5;
            page(at * 2..at * 2 + 2, at < 4)
        }
        _ => page(0..2, true),
    }));
    let lists = play.lists(Purpose::Settle);
    assert_eq!(lists.len(), 10, "two reads of five pages");
    assert!(lists.windows(2).all(|two| two[1] - two[0] >= Duration::from_millis(990)), "{lists:?}");
    assert_eq!(play.lists(Purpose::First).len(), 1, "the first page proves all that the first request is for");
    assert_eq!(play.ending.lists, 11);

    let few = Policy { max_credits: Some(6), ..policy() };
    let play = TestRun::of(rows(1), few).play(first_lost(|task| match task {
        Task::List { purpose: Purpose::Settle, .. } => {
            pages += 2;
            page(pages * 2..pages * 2 + 2, true)
        }
        _ => page(0..2, true),
    }));
    assert_eq!(play.ending.uploads + play.ending.lists, 6, "not one request more than --max-credits");
    assert_eq!((play.statuses(), play.cause()), (vec![Status::InDoubt], Some(StopCause::Credits)));
}

#[test]
fn the_credits_that_the_answer_to_a_list_names_count() {
    let skip = Policy { if_exists: IfExists::Skip, keep_credits: 500, ..policy() };
    let mut left = 505;
    let play = TestRun::of(rows(40), skip).play(|_, task| match task {
        Task::Upload { .. } => panic!("every record has its attachment"),
        Task::List { job, .. } => {
            left -= 1;
            let page = ListPage {
                entries: vec![listed(u64::from(job.0), &format!("n{}", job.0), 10)],
                more: Some(false),
                ..ListPage::default()
            };
            let reply = PageReply::Page { page, credits_left: Some(left) };
            let claims = RecordClaims::default();
            (QUICK, ScriptedAnswer::ListTold(ListResult::Page { reply, claims, clock: Clock::Service }))
        }
        Task::Presence { .. } => panic!("nothing is held"),
    });
    assert_eq!(play.cause(), Some(StopCause::Credits));
    assert!(play.ending.lists < 10, "{}", play.ending.lists);
}

#[test]
fn a_held_attachment_that_the_list_lacks_is_asked_for_before_the_list_is_believed() {
    let about = |presence| {
        move |task| match task {
            Task::List { purpose: Purpose::Settle, .. } => ScriptedAnswer::ListWhere(Vec::new(), vec![77]),
            Task::Presence { attachment, .. } => {
                assert_eq!(attachment, ServiceId::new(77));
                ScriptedAnswer::Presence(presence)
            }
            _ => ScriptedAnswer::List(Vec::new()),
        }
    };
    let asked = |play: &Play| play.tasks.iter().filter(|(_, task)| matches!(task, Task::Presence { .. })).count();

    let gone = TestRun::of(rows(1), policy()).play(first_lost(about(AttachmentPresence::Gone)));
    assert_eq!((gone.statuses(), gone.sent()), (vec![Status::Uploaded], vec![0, 0]), "proved absent, and sent again");
    assert_eq!(asked(&gone), 2, "twice in all: the second read need not ask again");

    for presence in [AttachmentPresence::There, AttachmentPresence::Untold] {
        let few = Policy { retries: 2, ..policy() };
        let play = TestRun::of(rows(2), few).play(first_lost(about(presence)));
        assert_eq!(play.statuses(), [Status::InDoubt, Status::Uploaded], "{presence:?}");
        assert_eq!((play.sent(), asked(&play)), (vec![0, 1], 3), "as often as any list is tried");
        assert_eq!(play.cause(), None);
    }
}

#[test]
fn what_this_run_has_just_uploaded_need_not_be_listed_yet() {
    // Two rows of one record; the list of the record lags behind the second one.
    let jobs = (0..2).map(|row| Job { module: 0, record: RecordIx(0), ambiguity_group: row }).collect();
    let soon = Policy { settle_time: s(1), ..policy() };
    let play = TestRun::of(jobs, soon).play(|now, task| match task {
        Task::Upload { job: JobId(0), tries: 1, .. } => (QUICK, ScriptedAnswer::Upload(lost())),
        Task::Upload { job: JobId(1), .. } => (s(3), ScriptedAnswer::Upload(uploaded(21))),
        Task::Upload { .. } => (QUICK, ScriptedAnswer::Upload(uploaded(11))),
        Task::List { purpose: Purpose::Settle, .. } => {
            let there = if now > s(4) { vec![listed(21, "n1", 10)] } else { Vec::new() };
            (QUICK, ScriptedAnswer::ListWhere(there, vec![21]))
        }
        Task::List { .. } => (QUICK, ScriptedAnswer::List(Vec::new())),
        Task::Presence { .. } => panic!("it is too young to be asked for"),
    });
    assert_eq!(play.statuses(), [Status::Uploaded; 2]);
}

#[test]
fn what_this_run_uploaded_before_the_settle_time_must_be_listed() {
    let jobs = (0..2).map(|row| Job { module: 0, record: RecordIx(0), ambiguity_group: row }).collect();
    let at_once = Policy { settle_time: Elapsed::ZERO, retries: 1, ..policy() };
    let play = TestRun::of(jobs, at_once).play(first_lost(|task| match task {
        Task::List { purpose: Purpose::Settle, .. } => ScriptedAnswer::ListWhere(Vec::new(), vec![11]),
        Task::Presence { attachment, .. } => {
            assert_eq!(attachment, ServiceId::new(11));
            ScriptedAnswer::Presence(AttachmentPresence::There)
        }
        _ => ScriptedAnswer::List(Vec::new()),
    }));
    assert_eq!((play.statuses(), play.sent()), (vec![Status::InDoubt, Status::Uploaded], vec![0, 1]));
}

#[test]
fn what_the_service_wants_asked_otherwise_is_asked_again_as_a_request_of_its_own() {
    let mut again = 2;
    let play = TestRun::of(rows(1), policy()).play(|_, task| match task {
        Task::List { .. } if again > 0 => {
            again -= 1;
            let (claims, clock) = (RecordClaims::default(), Clock::Service);
            (QUICK, ScriptedAnswer::ListTold(ListResult::Page { reply: PageReply::AskAgain, claims, clock }))
        }
        Task::Upload { .. } => (QUICK, ScriptedAnswer::Upload(uploaded(1))),
        _ => (QUICK, ScriptedAnswer::List(Vec::new())),
    });
    assert_eq!((play.ending.lists, play.statuses()), (3, vec![Status::Uploaded]));
}

#[test]
fn one_records_list_that_cannot_be_read_leaves_its_rows_in_doubt_and_the_others_go_on() {
    let few = Policy { retries: 2, ..policy() };
    let play = TestRun::of(rows(30), few.clone()).play(first_lost(|task| match task {
        Task::List { record: RecordIx(0), purpose: Purpose::Settle, .. } => passing("server-error"),
        _ => ScriptedAnswer::List(Vec::new()),
    }));
    assert_eq!((play.ended[&0].status, play.cause()), (Status::InDoubt, None));
    assert_eq!(play.ending.counts.of(Status::Uploaded), 29);
    assert_eq!(play.lists(Purpose::Settle).len(), 3);

    let too_long = reply(Verdict::Failed(FailedBy::Record), "DISCRETE_PAGINATION_LIMIT_EXCEEDED");
    let play = TestRun::of(rows(3), few).play(first_lost(|task| match task {
        Task::List { record: RecordIx(0), purpose: Purpose::Settle, .. } => ScriptedAnswer::NoList(too_long.clone()),
        _ => ScriptedAnswer::List(Vec::new()),
    }));
    assert_eq!((play.ended[&0].status, play.ended[&0].code.as_str()), (Status::Unknown, "not-listable"));
    assert_eq!((play.cause(), play.ending.counts.of(Status::Uploaded)), (None, 2));
}

#[test]
fn where_the_first_records_list_is_of_no_use_another_record_is_asked_five_at_most() {
    let none = Policy { retries: 0, ..policy() };
    let bad = |count: u32, code: &'static str| {
        move |task| match task {
            Task::List { record, .. } if record.0 < count => passing(code),
            _ => ScriptedAnswer::List(Vec::new()),
        }
    };
    let run = |rows_: u32, count, code| {
        let about = bad(count, code);
        TestRun::of(rows(rows_), none.clone()).play(move |_, task| match task {
            Task::Upload { job, .. } => (QUICK, ScriptedAnswer::Upload(uploaded(job.0.into()))),
            task => (QUICK, about(task)),
        })
    };
    let four = run(9, 4, "server-error");
    assert_eq!((four.lists(Purpose::First).len(), four.cause()), (5, None));
    assert_eq!(four.ending.counts.of(Status::Uploaded), 9);
    let five = run(9, 5, "server-error");
    assert_eq!((five.lists(Purpose::First).len(), five.ending.uploads), (5, 0));
    assert_eq!(five.cause(), Some(StopCause::ServiceDown));
    let down = run(2, 2, "server-error");
    assert_eq!((down.cause(), down.ending.uploads), (Some(StopCause::ServiceDown), 0), "no record at all");
    let unreadable = run(2, 2, "unreadable");
    assert_eq!((unreadable.cause(), unreadable.ending.uploads), (None, 2), "the service answers, if oddly");
}

#[test]
fn an_attachment_that_was_on_the_record_before_is_no_proof_of_an_upload() {
    let skip = Policy { if_exists: IfExists::Skip, ..policy() };
    let mut answers = [uploaded(7), uploaded(8)].into_iter();
    let play = TestRun::of(rows(1), skip).play(|_, task| match task {
        Task::Upload { .. } => (QUICK, ScriptedAnswer::Upload(answers.next().expect("two tries"))),
        _ => (QUICK, ScriptedAnswer::List(vec![Listed { created: Some(0), ..listed(7, "other", 3) }])),
    });
    assert_eq!(play.ended[&0].attachment_id, Some(ServiceId::new(8)));
    assert_eq!(play.lists(Purpose::Settle).len(), 2);
}

#[test]
fn without_the_services_clock_nothing_is_found_and_what_resembles_the_row_is_not_sent_again() {
    let told = |all: Vec<Listed>| {
        let page = ListPage { entries: all, more: Some(false), ..ListPage::default() };
        let reply = PageReply::Page { page, credits_left: None };
        ScriptedAnswer::ListTold(ListResult::Page { reply, claims: RecordClaims::default(), clock: Clock::Local })
    };
    let play = TestRun::of(rows(1), policy()).play(first_lost(|_| told(vec![listed(7, "n0", 10)])));
    assert_eq!((play.statuses(), play.sent()), (vec![Status::Unknown], vec![0]));
    let play = TestRun::of(rows(1), policy()).play(first_lost(|_| told(vec![listed(7, "other", 3)])));
    assert_eq!((play.statuses(), play.sent()), (vec![Status::Uploaded], vec![0, 0]));
}

#[test]
fn a_signal_ends_an_inquiry_between_two_pages() {
    let mut run = TestRun::of(rows(1), policy());
    run.interrupt_at = Some(s(61));
    let mut at = 0;
    let play = run.play(move |_, task| match task {
        Task::Upload { .. } => (QUICK, ScriptedAnswer::Upload(lost())),
        Task::List { purpose: Purpose::Settle, .. } => {
            at += 1;
            (s(1), page(at * 2..at * 2 + 2, true))
        }
        _ => (QUICK, ScriptedAnswer::List(Vec::new())),
    });
    assert_eq!((play.statuses(), play.cause()), (vec![Status::InDoubt], Some(StopCause::Signal)));
    assert!(play.lists(Purpose::Settle).len() <= 2);
}
