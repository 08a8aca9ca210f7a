//! Whole runs of the engine on a virtual clock, against a service that answers as each test says.

mod answers;
mod lists;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use jiff::Timestamp;

use super::policy::{Assume, IfExists, MaxFailures};
use super::*;
use crate::listing::ListPage;
use crate::outcome::OwnCode;
use crate::reply::{AttachmentPresence, Created, DoubtBecause, FailedBy, Listed, RetryBecause, Verdict};
use crate::units::Rate;

const SENT_AT: i64 = 1_800_000_000;
const QUICK: Duration = Duration::from_millis(100);
const WORKERS: usize = 25;

const fn s(seconds: u64) -> Elapsed {
    Elapsed::from_secs(seconds)
}

/// Every job is a file `n<twin>` of 10 bytes.
struct TestDescriptors(Vec<Job>);

impl Descriptors for TestDescriptors {
    fn descriptor(&self, job: JobId) -> Descriptor<'_> {
        Descriptor { name: format!("n{}", self.0[job.0 as usize].ambiguity_group).into(), size: Some(10), link: None }
    }
}

/// Jobs of one module, each with a record of its own.
fn rows(count: u32) -> Vec<Job> {
    (0..count).map(|row| Job { module: 0, record: RecordIx(row), ambiguity_group: row }).collect()
}

fn policy() -> Policy {
    Policy { rate: Rate::Unlimited, concurrency: 4, ..Policy::default() }
}

fn reply(verdict: Verdict, code: &str) -> Reply {
    let message = String::new();
    let code = code.to_owned();
    Reply { verdict, code, message, http_status: None, took: QUICK, retry_after: None, credits_left: None }
}

fn uploaded(id: u64) -> Reply {
    reply(Verdict::Uploaded(Created { id: ServiceId::new(id), time: None, by: None }), "")
}

fn lost() -> Reply {
    reply(Verdict::InDoubt(DoubtBecause::AnswerLost), "answer-lost")
}

fn throttled() -> Reply {
    reply(Verdict::Retry(RetryBecause::Throttled), "TOO_MANY_REQUESTS")
}

fn listed(id: u64, name: &str, size: u64) -> Listed {
    let created = Some(SENT_AT);
    Listed {
        id: ServiceId::new(id),
        name: name.to_owned(),
        size: Some(size),
        url: None,
        created,
        created_by: None,
        address_told: true,
    }
}

/// What the engine wants done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Task {
    List { record: RecordIx, job: JobId, purpose: Purpose },
    Presence { record: RecordIx, attachment: ServiceId },
    Upload { job: JobId, announce: bool, tries: u32 },
}

/// What was given out.
enum GivenOut {
    Upload(UploadTicket, UploadResult),
    List(ListTicket, ListResult),
}

/// What a service answers: to an upload, and to a question about a record.
#[derive(Clone)]
enum ScriptedAnswer {
    Upload(Reply),
    Told(UploadResult),
    /// A whole list on one page.
    List(Vec<Listed>),
    /// The same, where the results hold these attachments of the record.
    ListWhere(Vec<Listed>, Vec<u64>),
    Page(ListPage),
    NoList(Reply),
    Presence(AttachmentPresence),
    ListTold(ListResult),
}

/// Everything that can be seen of a run.
struct Play {
    ending: Ending,
    ended: BTreeMap<u32, Outcome>,
    tasks: Vec<(Elapsed, Task)>,
    notices: Vec<Notice>,
}

impl Play {
    fn statuses(&self) -> Vec<Status> {
        self.ended.values().map(|outcome| outcome.status).collect()
    }

    fn codes(&self) -> Vec<&str> {
        self.ended.values().map(|outcome| outcome.code.as_str()).collect()
    }

    fn sent(&self) -> Vec<u32> {
        let upload = |(_, task): &(Elapsed, Task)| match task {
            Task::Upload { job, .. } => Some(job.0),
            Task::List { .. } | Task::Presence { .. } => None,
        };
        self.tasks.iter().filter_map(upload).collect()
    }

    fn lists(&self, purpose: Purpose) -> Vec<Elapsed> {
        let of = |(at, task): &(Elapsed, Task)| {
            matches!(task, Task::List { purpose: p, .. } if *p == purpose).then_some(*at)
        };
        self.tasks.iter().filter_map(of).collect()
    }

    fn cause(&self) -> Option<StopCause> {
        self.ending.stopped.as_ref().map(|stopped| stopped.cause)
    }
}

/// A run that is about to be played.
struct TestRun {
    jobs: Vec<Job>,
    prior: Vec<(JobId, PriorAttempt)>,
    policy: Policy,
    interrupt_at: Option<Elapsed>,
}

impl TestRun {
    fn of(jobs: Vec<Job>, policy: Policy) -> TestRun {
        TestRun { jobs, prior: Vec::new(), policy, interrupt_at: None }
    }

    /// Plays it; `answer` is asked when a task begins, and says how long it takes.
    fn play(self, mut answer: impl FnMut(Elapsed, Task) -> (Duration, ScriptedAnswer)) -> Play {
        let names = TestDescriptors(self.jobs.clone());
        let count = self.jobs.len();
        let mut engine = Engine::new(self.jobs, self.prior, &names, self.policy);
        let mut play =
            Play { ending: Ending::default(), ended: BTreeMap::new(), tasks: Vec::new(), notices: Vec::new() };
        let mut under_way: BinaryHeap<Reverse<(Elapsed, usize)>> = BinaryHeap::new();
        let mut told: Vec<Option<GivenOut>> = Vec::new();
        let mut interrupt_at = self.interrupt_at;
        let mut now = Elapsed::ZERO;
        loop {
            let next = if under_way.len() < WORKERS { engine.poll(now) } else { Next::Wait(None) };
            let alarm = match next {
                Next::Upload(ticket) => {
                    let task = Task::Upload { job: ticket.job, announce: ticket.announce, tries: ticket.tries };
                    play.tasks.push((now, task));
                    let (takes, answer) = answer(now, task);
                    under_way.push(Reverse((now + takes, told.len())));
                    told.push(Some(GivenOut::Upload(ticket, answer.of_upload())));
                    continue;
                }
                Next::List(ticket) => {
                    let ListTicket { record, job, purpose, .. } = ticket;
                    let task = match ticket.question {
                        ListQuestion::Page(_) => Task::List { record, job, purpose },
                        ListQuestion::Attachment(attachment) => Task::Presence { record, attachment },
                    };
                    play.tasks.push((now, task));
                    let (takes, answer) = answer(now, task);
                    under_way.push(Reverse((now + takes, told.len())));
                    told.push(Some(GivenOut::List(ticket, answer.of_list())));
                    continue;
                }
                Next::Wait(alarm) => alarm,
                Next::End => break,
            };
            let heard = under_way.peek().map(|Reverse((at, _))| *at);
            let then = [alarm, heard, interrupt_at].into_iter().flatten().min().expect("something to wait for");
            assert!(then > now || heard == Some(then) || interrupt_at == Some(then), "waits for the past: {then:?}");
            now = then.max(now);
            if interrupt_at.is_some_and(|at| at <= now) {
                engine.handle_interrupt();
                interrupt_at = None;
            }
            if heard == Some(then)
                && let Some(Reverse((_, index))) = under_way.pop()
            {
                play.take(match told[index].take().expect("told once") {
                    GivenOut::Upload(ticket, result) => engine.handle_upload(now, ticket, result),
                    GivenOut::List(ticket, result) => engine.handle_list(now, ticket, result),
                });
            }
        }
        loop {
            let rest = engine.poll_remaining(2);
            if rest.is_empty() {
                break;
            }
            play.take(rest);
        }
        play.notices = engine.poll_notices();
        play.ending = engine.into_ending();
        assert_eq!(play.ended.len(), count, "every job ends");
        assert_eq!(play.ending.counts.total() as usize, count);
        play
    }
}

impl Play {
    fn take(&mut self, ended: Vec<Ended>) {
        for Ended { job, outcome } in ended {
            assert_eq!(self.ended.insert(job.0, outcome), None, "a job ends once");
        }
    }
}

impl ScriptedAnswer {
    fn of_upload(self) -> UploadResult {
        match self {
            ScriptedAnswer::Upload(reply) => {
                let sent_at = Some(Timestamp::from_second(SENT_AT).expect("a time"));
                UploadResult::Replied { reply, sent_at, held: false }
            }
            ScriptedAnswer::Told(result) => result,
            _ => panic!("no answer to an upload"),
        }
    }

    fn of_list(self) -> ListResult {
        let page = |page: ListPage, held: Vec<u64>| {
            let all: Vec<ServiceId> = held.into_iter().map(ServiceId::new).collect();
            let claims = RecordClaims { expected: all.clone(), all };
            let reply = PageReply::Page { page, credits_left: None };
            ListResult::Page { reply, claims, clock: Clock::Service }
        };
        let whole = |entries| ListPage { entries, more: Some(false), ..ListPage::default() };
        match self {
            ScriptedAnswer::List(entries) => page(whole(entries), Vec::new()),
            ScriptedAnswer::ListWhere(entries, held) => page(whole(entries), held),
            ScriptedAnswer::Page(one) => page(one, Vec::new()),
            ScriptedAnswer::NoList(reply) => ListResult::Page {
                reply: PageReply::Not(reply.into_kind()),
                claims: RecordClaims::default(),
                clock: Clock::Service,
            },
            ScriptedAnswer::Presence(presence) => {
                ListResult::Presence(PresenceReply::Told { presence, credits_left: None })
            }
            ScriptedAnswer::ListTold(result) => result,
            ScriptedAnswer::Upload(_) | ScriptedAnswer::Told(_) => panic!("no answer to a question about a record"),
        }
    }
}

/// Answers uploads; lists are empty.
fn uploads(
    mut answer: impl FnMut(Elapsed, JobId, u32) -> Reply,
) -> impl FnMut(Elapsed, Task) -> (Duration, ScriptedAnswer) {
    move |now, task| match task {
        Task::Upload { job, tries, .. } => (QUICK, ScriptedAnswer::Upload(answer(now, job, tries))),
        Task::List { .. } => (QUICK, ScriptedAnswer::List(Vec::new())),
        Task::Presence { .. } => panic!("nothing is lacking"),
    }
}

#[test]
fn the_first_request_lists_and_the_rows_follow_in_order() {
    let play = TestRun::of(rows(9), policy()).play(uploads(|_, job, _| uploaded(job.0.into())));
    assert!(matches!(play.tasks[0], (Elapsed::ZERO, Task::List { job: JobId(0), purpose: Purpose::First, .. })));
    assert_eq!(play.sent(), (0..9).collect::<Vec<_>>());
    assert!(play.statuses().iter().all(|status| *status == Status::Uploaded));
    assert_eq!((play.ending.uploads, play.ending.lists, play.cause()), (9, 1, None));
    assert_eq!(play.ended[&3].attachment_id, Some(ServiceId::new(3)));
}

#[test]
fn without_jobs_nothing_is_asked() {
    let play = TestRun::of(Vec::new(), policy()).play(|_, _| panic!("nothing to ask"));
    assert_eq!(play.ending, Ending::default());
}

#[test]
fn a_passing_failure_is_tried_again_under_one_line_until_the_retries_are_used_up() {
    let mut announced = 0;
    let play = TestRun::of(rows(2), Policy { retries: 3, ..policy() }).play(|_, task| match task {
        Task::Upload { job: JobId(0), announce, tries } => {
            announced += u32::from(announce);
            let verdict = Verdict::Retry(RetryBecause::NotConnected);
            (QUICK, ScriptedAnswer::Upload(if tries > 9 { uploaded(1) } else { reply(verdict, "not-connected") }))
        }
        Task::Upload { .. } => (QUICK, ScriptedAnswer::Upload(uploaded(2))),
        _ => (QUICK, ScriptedAnswer::List(Vec::new())),
    });
    assert_eq!(play.codes(), ["not-connected", ""]);
    assert_eq!(play.ended[&0].tries, 4);
    assert_eq!(announced, 1);
}

#[test]
fn a_fresh_token_is_used_at_once() {
    let renewed = reply(Verdict::Retry(RetryBecause::TokenRenewed), "INVALID_TOKEN");
    let play = TestRun::of(rows(1), policy()).play(uploads(
        |_, _, tries| {
            if tries == 1 { renewed.clone() } else { uploaded(1) }
        },
    ));
    assert_eq!(play.statuses(), [Status::Uploaded]);
    assert_eq!(play.tasks[2].0 - play.tasks[1].0, QUICK);
}

#[test]
fn a_row_in_doubt_is_looked_up_at_the_end_and_found() {
    let play = TestRun::of(rows(3), policy()).play(|_, task| match task {
        Task::Upload { job: JobId(0), .. } => (QUICK, ScriptedAnswer::Upload(lost())),
        Task::Upload { job, .. } => (QUICK, ScriptedAnswer::Upload(uploaded(job.0.into()))),
        Task::List { purpose: Purpose::Settle, .. } => (QUICK, ScriptedAnswer::List(vec![listed(7, "n0", 10)])),
        _ => (QUICK, ScriptedAnswer::List(Vec::new())),
    });
    assert_eq!(play.codes(), ["settled-by-listing", "", ""]);
    assert_eq!(play.ended[&0].attachment_id, Some(ServiceId::new(7)));
    let lists = play.lists(Purpose::Settle);
    assert_eq!(lists.len(), 1, "one read proves it");
    assert!(lists[0] >= s(60), "not before the settle time");
}

#[test]
fn a_row_proved_absent_by_two_reads_goes_again_three_times_and_no_more() {
    let mut announced = 0;
    let play = TestRun::of(rows(1), policy()).play(|_, task| match task {
        Task::Upload { announce, .. } => {
            announced += u32::from(announce);
            (QUICK, ScriptedAnswer::Upload(lost()))
        }
        _ => (QUICK, ScriptedAnswer::List(vec![listed(7, "other", 9)])),
    });
    assert_eq!(play.codes(), ["no-reply"]);
    assert_eq!((play.ended[&0].tries, announced), (4, 4), "each under a line of its own");
    let lists = play.lists(Purpose::Settle);
    assert_eq!(lists.len(), 8);
    assert_eq!(lists[1] - lists[0], s(5) + QUICK);
}

#[test]
fn what_resembles_a_row_in_doubt_makes_it_unknown() {
    for (all, code) in [
        (vec![listed(7, "n0", 11)], OwnCode::UncertainMatch),
        (vec![listed(7, "n0", 10), listed(8, "n0", 10)], OwnCode::SeveralMatches),
    ] {
        let play = TestRun::of(rows(1), policy()).play(|_, task| match task {
            Task::Upload { .. } => (QUICK, ScriptedAnswer::Upload(lost())),
            _ => (QUICK, ScriptedAnswer::List(all.clone())),
        });
        assert_eq!((play.statuses(), play.codes()), (vec![Status::Unknown], vec![code.as_str()]));
    }
}

#[test]
fn a_file_that_changed_on_its_way_fails_once_it_is_proved_absent() {
    let changed = reply(Verdict::InDoubt(DoubtBecause::FileChanged), "file-changed");
    let play = TestRun::of(rows(1), policy()).play(uploads(|_, _, _| changed.clone()));
    assert_eq!((play.statuses(), play.codes()), (vec![Status::Failed], vec!["file-changed"]));
    assert_eq!(play.ended[&0].tries, 1);
}

#[test]
fn a_twin_waits_until_the_doubt_is_settled() {
    let groups = vec![Job { module: 0, record: RecordIx(0), ambiguity_group: 0 }; 2];
    let mut next = 0;
    let play = TestRun::of(groups, policy()).play(|_, task| match task {
        Task::Upload { job: JobId(0), .. } => (QUICK, ScriptedAnswer::Upload(lost())),
        Task::Upload { .. } => {
            next += 1;
            (QUICK, ScriptedAnswer::Upload(uploaded(next)))
        }
        Task::List { purpose: Purpose::Settle, .. } => (QUICK, ScriptedAnswer::List(vec![listed(7, "n0", 10)])),
        _ => (QUICK, ScriptedAnswer::List(Vec::new())),
    });
    assert_eq!(play.statuses(), [Status::Uploaded; 2]);
    assert!(matches!(play.tasks[3], (at, Task::Upload { job: JobId(1), .. }) if at > s(60)));
}

#[test]
fn a_limit_ends_the_run_without_calling_it_stopped() {
    let play =
        TestRun::of(rows(10), Policy { limit: Some(3), ..policy() }).play(uploads(|_, job, _| uploaded(job.0.into())));
    assert_eq!(play.sent(), [0, 1, 2]);
    assert_eq!((play.cause(), play.ending.over_limit), (None, 7));
    assert_eq!(play.ending.counts.of(Status::NotSent), 7);
}

#[test]
fn a_budget_of_credits_is_never_passed_and_leaves_enough_to_settle() {
    let play = TestRun::of(rows(10), Policy { max_credits: Some(7), concurrency: 1, ..policy() })
        .play(uploads(|_, job, _| if job.0 == 0 { lost() } else { uploaded(job.0.into()) }));
    assert_eq!(play.cause(), Some(StopCause::Credits));
    assert_eq!(play.tasks.len(), 7, "{:?}", play.tasks);
    assert_eq!(play.lists(Purpose::Settle).len(), 2);
    assert_eq!(play.ended[&0].status, Status::NotSent, "proved absent, but there is nothing left to send it with");
}

#[test]
fn credits_kept_for_others_stop_the_run_or_make_it_wait() {
    let answer = |now: Elapsed, job: JobId, _| Reply {
        credits_left: Some(if now < s(3_000) { 502 - u64::from(job.0) } else { 9_000 }),
        ..uploaded(job.0.into())
    };
    let play = TestRun::of(rows(9), Policy { concurrency: 1, ..policy() }).play(uploads(answer));
    assert_eq!((play.cause(), play.ending.credits_left), (Some(StopCause::Credits), Some(500)));
    let patient = Policy { concurrency: 1, wait_for_credits: true, ..policy() };
    let play = TestRun::of(rows(9), patient).play(uploads(answer));
    assert_eq!((play.cause(), play.ending.counts.of(Status::Uploaded)), (None, 9));
    assert!(play.ending.took > s(3_600));
}

#[test]
fn lists_wait_for_credits_as_uploads_do() {
    let used_up = Reply { credits_left: Some(0), ..reply(Verdict::Stop(StopBecause::Limit), "LIMIT_REACHED") };
    for purpose in [Purpose::First, Purpose::Baseline, Purpose::Settle] {
        let if_exists = if purpose == Purpose::Settle { IfExists::Upload } else { IfExists::Skip };
        let mut refused = 0;
        let mut answer = |_, task| match task {
            Task::List { purpose: asked, .. } if asked == purpose && refused < 2 => {
                refused += 1;
                (QUICK, ScriptedAnswer::NoList(used_up.clone()))
            }
            Task::List { .. } | Task::Presence { .. } => (QUICK, ScriptedAnswer::List(Vec::new())),
            Task::Upload { job: JobId(0), tries: 1, .. } => (QUICK, ScriptedAnswer::Upload(lost())),
            Task::Upload { job, .. } => (QUICK, ScriptedAnswer::Upload(uploaded(job.0.into()))),
        };
        let patient = Policy { wait_for_credits: true, if_exists, ..policy() };
        let play = TestRun::of(rows(3), patient).play(&mut answer);
        assert_eq!((play.cause(), play.statuses()), (None, vec![Status::Uploaded; 3]), "{purpose:?}");
        assert!(play.ending.took > s(3_600), "{purpose:?}");
        assert_eq!(refused, 2, "{purpose:?}");
    }
}

#[test]
fn a_token_that_was_too_old_is_no_failure_even_where_nothing_is_tried_again() {
    let renewed = reply(Verdict::Retry(RetryBecause::TokenRenewed), "INVALID_TOKEN");
    for purpose in [Purpose::First, Purpose::Baseline, Purpose::Settle] {
        let if_exists = if purpose == Purpose::Settle { IfExists::Upload } else { IfExists::Skip };
        let mut refused = false;
        let once = Policy { retries: 0, if_exists, ..policy() };
        let play = TestRun::of(rows(3), once).play(|_, task| match task {
            Task::List { purpose: asked, .. } if asked == purpose && !std::mem::replace(&mut refused, true) => {
                (QUICK, ScriptedAnswer::NoList(renewed.clone()))
            }
            Task::List { .. } | Task::Presence { .. } => (QUICK, ScriptedAnswer::List(Vec::new())),
            Task::Upload { job: JobId(0), tries: 1, .. } => (QUICK, ScriptedAnswer::Upload(lost())),
            Task::Upload { job: JobId(1), tries: 1, .. } => (QUICK, ScriptedAnswer::Upload(renewed.clone())),
            Task::Upload { job, .. } => (QUICK, ScriptedAnswer::Upload(uploaded(job.0.into()))),
        });
        assert_eq!((play.cause(), play.statuses()), (None, vec![Status::Uploaded; 3]), "{purpose:?}");
        assert!(refused, "{purpose:?}");
    }
}

#[test]
fn when_time_is_up_doubts_are_settled_and_the_rest_is_left() {
    let most = Policy { max_duration: Some(s(2)), concurrency: 1, ..policy() };
    let play = TestRun::of(rows(100), most).play(|_, task| match task {
        Task::Upload { job: JobId(0), .. } => (QUICK, ScriptedAnswer::Upload(lost())),
        Task::Upload { job, .. } => (QUICK, ScriptedAnswer::Upload(uploaded(job.0.into()))),
        Task::List { purpose: Purpose::Settle, .. } => (QUICK, ScriptedAnswer::List(vec![listed(7, "n0", 10)])),
        _ => (QUICK, ScriptedAnswer::List(Vec::new())),
    });
    assert_eq!(play.cause(), Some(StopCause::MaxDuration));
    assert_eq!(play.ended[&0].code, "settled-by-listing");
    assert_eq!(play.ended[&99].status, Status::NotSent);
}

#[test]
fn a_signal_lets_what_is_under_way_finish_and_leaves_doubts_to_the_next_run() {
    let mut run = TestRun::of(rows(100), policy());
    run.interrupt_at = Some(s(1));
    let play = run.play(uploads(|_, job, _| if job.0 == 0 { lost() } else { uploaded(job.0.into()) }));
    assert_eq!(play.cause(), Some(StopCause::Signal));
    assert!(play.ending.took < s(2));
    assert_eq!((play.ended[&0].status, &*play.ended[&0].code), (Status::InDoubt, "interrupted"));
    assert_eq!((play.ended[&99].status, &*play.ended[&99].code), (Status::NotSent, "interrupted"));
    assert_eq!(play.lists(Purpose::Settle), [] as [Elapsed; 0]);
}

#[test]
fn five_refusals_for_want_of_permission_close_a_module_and_others_go_on() {
    let jobs: Vec<Job> =
        (0..40).map(|row| Job { module: row % 2, record: RecordIx(row.into()), ambiguity_group: row.into() }).collect();
    let refused = reply(Verdict::Failed(FailedBy::Permission), "NO_PERMISSION");
    let play = TestRun::of(jobs, policy())
        .play(uploads(|_, job, _| if job.0 % 2 == 0 { refused.clone() } else { uploaded(job.0.into()) }));
    assert_eq!(play.ending.counts.of(Status::Failed), 5);
    assert_eq!(play.ending.counts.of(Status::Uploaded), 20);
    assert_eq!(play.ended[&38].code, "module-closed");
    assert_eq!(play.cause(), None, "the other module is done");
}

#[test]
fn when_the_only_module_is_closed_the_run_is_stopped() {
    let refused = reply(Verdict::Failed(FailedBy::Module), "INVALID_MODULE");
    let play = TestRun::of(rows(40), policy()).play(uploads(|_, _, _| refused.clone()));
    assert_eq!(play.sent(), [0]);
    assert_eq!(play.cause(), Some(StopCause::ModulesClosed));
}

#[test]
fn a_refused_token_stops_the_run_and_does_not_try_to_settle() {
    let play = TestRun::of(rows(40), Policy { concurrency: 1, ..policy() }).play(uploads(|_, job, _| match job.0 {
        0 => lost(),
        1 => reply(Verdict::Stop(StopBecause::Credentials), "INVALID_TOKEN"),
        _ => uploaded(1),
    }));
    assert_eq!(play.cause(), Some(StopCause::Service(StopBecause::Credentials)));
    assert_eq!(play.sent(), [0, 1]);
    assert_eq!(play.ended[&0].status, Status::InDoubt);
    assert_eq!(play.ended[&1].status, Status::NotSent);
    assert_eq!(play.lists(Purpose::Settle), [] as [Elapsed; 0]);
}

#[test]
fn too_many_failures_stop_the_run() {
    let refused = reply(Verdict::Failed(FailedBy::Row), "INVALID_DATA");
    let play = TestRun::of(rows(300), policy()).play(uploads(|_, _, _| refused.clone()));
    assert_eq!(play.cause(), Some(StopCause::MaxFailures));
    assert!((100..105).contains(&play.ending.counts.of(Status::Failed)));
    let three = Policy { max_failures: MaxFailures::Rows(3), concurrency: 1, ..policy() };
    let play = TestRun::of(rows(300), three).play(uploads(|_, _, _| refused.clone()));
    assert_eq!(play.ending.counts.of(Status::Failed), 3);
}

#[test]
fn everybody_waits_as_long_as_the_service_asks() {
    let wait = Reply { retry_after: Some(s(30)), ..throttled() };
    let play = TestRun::of(rows(20), policy())
        .play(uploads(|_, job, tries| if job.0 == 5 && tries == 1 { wait.clone() } else { uploaded(job.0.into()) }));
    assert_eq!(play.ending.counts.of(Status::Uploaded), 20);
    let asked = play.tasks.iter().position(|(_, task)| matches!(task, Task::Upload { job: JobId(5), .. }));
    let asked_at = play.tasks[asked.expect("was sent")].0 + QUICK;
    let quiet = |(at, _): &&(Elapsed, Task)| *at > asked_at && *at < asked_at + s(30);
    assert_eq!(play.tasks.iter().filter(quiet).count(), 0);
    let pause = play.notices.iter().find(|notice| matches!(notice, Notice::Paused { .. }));
    assert!(matches!(pause, Some(Notice::Paused { until, .. }) if *until >= asked_at + s(30)));
}

#[test]
fn a_wait_of_more_than_a_quarter_of_an_hour_stops_the_run_and_says_until_when() {
    let wait = Reply { retry_after: Some(s(1_800)), ..throttled() };
    let play = TestRun::of(rows(20), policy()).play(uploads(|_, _, _| wait.clone()));
    assert_eq!(play.cause(), Some(StopCause::LongWait));
    assert!(play.ending.stopped.and_then(|stopped| stopped.until).is_some_and(|until| until >= s(1_800)));
}

#[test]
fn an_outage_is_waited_out() {
    let down = reply(Verdict::Retry(RetryBecause::NotConnected), "not-connected");
    let play = TestRun::of(rows(50), policy())
        .play(uploads(|now, job, _| if now > s(1) && now < s(600) { down.clone() } else { uploaded(job.0.into()) }));
    assert_eq!(play.ending.counts.of(Status::Uploaded), 50);
    assert!(play.ending.uploads < 100, "{}", play.ending.uploads);
}

#[test]
fn an_outage_without_end_stops_the_run() {
    let down = reply(Verdict::Retry(RetryBecause::NotConnected), "not-connected");
    let play = TestRun::of(rows(500), policy())
        .play(uploads(|now, job, _| if now > s(1) { down.clone() } else { uploaded(job.0.into()) }));
    assert_eq!(play.cause(), Some(StopCause::ServiceDown));
    assert!(play.ending.took > s(900) && play.ending.took < s(1_000));
    assert!(play.ending.counts.of(Status::Failed) < 5, "an outage is no fault of the rows");
}

#[test]
fn a_service_that_answers_nothing_at_first_stops_the_run_soon() {
    let down = reply(Verdict::Retry(RetryBecause::NotConnected), "not-connected");
    let play = TestRun::of(rows(5), policy()).play(|_, _| (QUICK, ScriptedAnswer::NoList(down.clone())));
    assert_eq!(play.cause(), Some(StopCause::ServiceDown));
    assert_eq!((play.ending.uploads, play.ending.lists), (0, 6));
}

#[test]
fn a_storm_of_lost_answers_is_ridden_out_one_row_at_a_time() {
    let play = TestRun::of(rows(40), policy()).play(|now, task| match task {
        Task::Upload { job, .. } => {
            (QUICK, ScriptedAnswer::Upload(if now < s(200) { lost() } else { uploaded(job.0.into()) }))
        }
        _ => (QUICK, ScriptedAnswer::List(Vec::new())),
    });
    assert_eq!(play.ending.counts.of(Status::Uploaded), 40);
    let early = play.tasks.iter().filter(|(at, task)| *at < s(50) && matches!(task, Task::Upload { .. })).count();
    assert!(early < 20, "{early} rows were put in doubt");
}

#[test]
fn what_a_record_has_already_is_skipped_or_fails_after_one_list_of_the_record() {
    let one_record: Vec<Job> =
        (0..6).map(|ambiguity_group| Job { module: 0, record: RecordIx(0), ambiguity_group }).collect();
    for (if_exists, status) in [(IfExists::Skip, Status::AlreadyPresent), (IfExists::Fail, Status::Failed)] {
        let play = TestRun::of(one_record.clone(), Policy { if_exists, ..policy() }).play(|_, task| match task {
            Task::Upload { job, .. } => (QUICK, ScriptedAnswer::Upload(uploaded(job.0.into()))),
            _ => (QUICK, ScriptedAnswer::List(vec![listed(7, "n3", 99)])),
        });
        assert_eq!(play.sent(), [0, 1, 2, 4, 5]);
        assert_eq!((play.ended[&3].status, &*play.ended[&3].code), (status, "exists"));
        assert_eq!(play.ending.lists, 1, "the first request is the record's list");
    }
}

#[test]
fn each_record_is_listed_once_before_its_first_row() {
    let jobs: Vec<Job> = (0..9).map(|row| Job { module: 0, record: RecordIx(row / 3), ambiguity_group: row }).collect();
    let play = TestRun::of(jobs, Policy { if_exists: IfExists::Skip, ..policy() })
        .play(uploads(|_, job, _| uploaded(job.0.into())));
    assert_eq!(play.lists(Purpose::First).len() + play.lists(Purpose::Baseline).len(), 3);
    assert_eq!(play.ending.counts.of(Status::Uploaded), 9);
}

#[test]
fn without_leave_to_list_doubts_end_unknown_and_the_user_is_warned() {
    let refused = reply(Verdict::Stop(StopBecause::Scope), "OAUTH_SCOPE_MISMATCH");
    let answer = |_, task| match task {
        Task::Upload { job: JobId(1), .. } => (QUICK, ScriptedAnswer::Upload(lost())),
        Task::Upload { job, .. } => (QUICK, ScriptedAnswer::Upload(uploaded(job.0.into()))),
        _ => (QUICK, ScriptedAnswer::NoList(refused.clone())),
    };
    let play = TestRun::of(rows(3), policy()).play(answer);
    assert_eq!(play.codes(), ["", "not-listable", ""]);
    assert_eq!(play.ended[&1].status, Status::Unknown);
    assert!(play.notices.iter().any(|notice| matches!(notice, Notice::Warning { code: "not-listable", .. })));
    let play = TestRun::of(rows(3), Policy { if_exists: IfExists::Skip, ..policy() }).play(answer);
    assert_eq!(play.cause(), Some(StopCause::Service(StopBecause::Scope)));
    assert_eq!(play.ending.uploads, 0);
}

fn prior(was: PriorDoubt, if_absent: IfAbsent) -> PriorAttempt {
    PriorAttempt {
        sent_at: Timestamp::from_second(SENT_AT).expect("a time"),
        size: Some(10),
        was,
        if_absent,
        refusal: None,
    }
}

#[test]
fn rows_in_doubt_from_before_are_settled_first_and_others_go_on_meanwhile() {
    let mut run = TestRun::of(rows(900), Policy { concurrency: 1, ..policy() });
    run.prior = vec![
        (JobId(1), prior(PriorDoubt::InDoubt, IfAbsent::SendAgain)),
        (JobId(2), prior(PriorDoubt::InDoubt, IfAbsent::NotInManifest)),
    ];
    let play = run.play(|_, task| match task {
        Task::Upload { job, .. } => (QUICK, ScriptedAnswer::Upload(uploaded(job.0.into()))),
        Task::List { record: RecordIx(1), .. } => (QUICK, ScriptedAnswer::List(vec![listed(7, "n1", 10)])),
        _ => (QUICK, ScriptedAnswer::List(Vec::new())),
    });
    assert_eq!(play.ended[&1].code, "settled-by-listing");
    assert_eq!((play.ended[&2].status, &*play.ended[&2].code), (Status::NotSent, "not-in-manifest"));
    let lists = play.lists(Purpose::Settle);
    assert!(lists[0] >= s(60) && lists[2] < s(70), "as soon as the settle time is over: {lists:?}");
    assert_eq!(play.ending.counts.of(Status::Uploaded), 899);
}

#[test]
fn a_refusal_that_an_earlier_run_heard_ends_its_row_once_nothing_is_there() {
    let refusal = PriorRefusal { code: "refused".to_owned(), message: "blocked".to_owned(), http_status: Some(403) };
    let told = PriorAttempt { refusal: Some(refusal), ..prior(PriorDoubt::InDoubt, IfAbsent::SendAgain) };
    let mut run = TestRun::of(rows(2), policy());
    run.prior = vec![(JobId(0), told.clone()), (JobId(1), prior(PriorDoubt::InDoubt, IfAbsent::SendAgain))];
    let play = run.play(|_, task| match task {
        Task::Upload { job, .. } => (QUICK, ScriptedAnswer::Upload(uploaded(job.0.into()))),
        _ => (QUICK, ScriptedAnswer::List(Vec::new())),
    });
    let ended = &play.ended[&0];
    assert_eq!((ended.status, &*ended.code, &*ended.message), (Status::Failed, "refused", "blocked"));
    assert_eq!((ended.http_status, play.sent().len()), (Some(403), 1), "only the row without an answer is sent again");
    // Where the run ends before its record was read, the next one is told the same.
    let mut run = TestRun::of(rows(1), policy());
    run.prior = vec![(JobId(0), told.clone())];
    run.interrupt_at = Some(s(1));
    let play = run.play(|_, _| (QUICK, ScriptedAnswer::List(Vec::new())));
    let left = &play.ended[&0];
    assert_eq!(left.status, Status::InDoubt);
    assert_eq!(PriorRefusal::of_line(&left.code, &left.message, left.http_status), told.refusal);
}

#[test]
fn a_success_that_is_not_believed_of_its_row_is_not_believed_of_another_one_either() {
    // The results cannot be asked whether they hold attachment 7, and the next answer names it once more.
    let mut sent = 0;
    let play = TestRun::of(rows(2), Policy { concurrency: 1, ..policy() }).play(|_, task| match task {
        Task::Upload { job, .. } => {
            sent += 1;
            let answer = match sent {
                1 => ScriptedAnswer::Told(UploadResult::Replied { reply: uploaded(7), sent_at: None, held: true }),
                2 => ScriptedAnswer::Upload(uploaded(7)),
                _ => ScriptedAnswer::Upload(uploaded(100 + u64::from(job.0))),
            };
            (QUICK, answer)
        }
        _ => (QUICK, ScriptedAnswer::List(Vec::new())),
    });
    assert_eq!((play.sent().len(), play.statuses()), (4, vec![Status::Uploaded; 2]));
    assert_ne!(play.ended[&0].attachment_id, play.ended[&1].attachment_id);
}

#[test]
fn what_was_unknown_is_looked_at_again_and_then_decided_as_the_user_said() {
    for (assume, statuses, sent) in [
        (None, [Status::Unknown, Status::Uploaded], 0),
        (Some(Assume::Present), [Status::Uploaded, Status::Uploaded], 0),
        (Some(Assume::Absent), [Status::Uploaded, Status::Uploaded], 1),
    ] {
        let mut run = TestRun::of(rows(2), Policy { assume, ..policy() });
        run.prior = vec![
            (JobId(0), prior(PriorDoubt::Unknown, IfAbsent::SendAgain)),
            (JobId(1), prior(PriorDoubt::Unknown, IfAbsent::SendAgain)),
        ];
        let play = run.play(|_, task| match task {
            Task::Upload { job, .. } => (QUICK, ScriptedAnswer::Upload(uploaded(job.0.into()))),
            Task::List { record: RecordIx(0), .. } => (QUICK, ScriptedAnswer::List(vec![listed(7, "n0", 11)])),
            _ => (QUICK, ScriptedAnswer::List(vec![listed(8, "n1", 10)])),
        });
        assert_eq!(play.statuses(), statuses, "{assume:?}");
        assert_eq!(play.sent().len(), sent, "{assume:?}");
    }
}

#[test]
fn what_the_user_said_of_an_old_doubt_says_nothing_of_a_new_one() {
    // The answer to what is sent again is lost, and the record's list decides nothing: as it was before, or because the
    // token may not read it.
    let two_alike = ScriptedAnswer::List(vec![listed(7, "n0", 10), listed(8, "n0", 10)]);
    let refused = ScriptedAnswer::NoList(reply(Verdict::Stop(StopBecause::Scope), "OAUTH_SCOPE_MISMATCH"));
    for list in [&two_alike, &refused] {
        let mut run = TestRun::of(rows(1), Policy { assume: Some(Assume::Absent), ..policy() });
        run.prior = vec![(JobId(0), prior(PriorDoubt::Unknown, IfAbsent::SendAgain))];
        let play = run.play(|_, task| match task {
            Task::Upload { .. } => (QUICK, ScriptedAnswer::Upload(lost())),
            _ => (QUICK, list.clone()),
        });
        assert_eq!(play.sent().len(), 1);
        assert_eq!(play.statuses(), [Status::Unknown]);
    }
    // And the other way round: proved absent, sent again, and then not to be told.
    let mut run = TestRun::of(rows(1), Policy { assume: Some(Assume::Present), ..policy() });
    run.prior = vec![(JobId(0), prior(PriorDoubt::Unknown, IfAbsent::SendAgain))];
    let mut sent = false;
    let play = run.play(|_, task| match task {
        Task::Upload { .. } => {
            sent = true;
            (QUICK, ScriptedAnswer::Upload(lost()))
        }
        Task::List { .. } if sent => (QUICK, two_alike.clone()),
        _ => (QUICK, ScriptedAnswer::List(Vec::new())),
    });
    assert_eq!((play.sent().len(), play.statuses()), (1, vec![Status::Unknown]));
}

#[test]
fn an_attachment_that_came_since_the_row_was_proved_absent_is_not_nothing_whatever_time_it_bears() {
    // Every upload is kept and its answer lost, and the service's times are an hour behind.
    let mut kept = 0;
    let play = TestRun::of(rows(1), policy()).play(|_, task| match task {
        Task::Upload { .. } => {
            kept += 1;
            (QUICK, ScriptedAnswer::Upload(lost()))
        }
        _ => {
            let made = Some(SENT_AT - 3_600);
            (
                QUICK,
                ScriptedAnswer::List((0..kept).map(|id| Listed { created: made, ..listed(id, "n0", 10) }).collect()),
            )
        }
    });
    assert_eq!((play.sent().len(), play.statuses()), (2, vec![Status::Unknown]));
}

#[test]
fn twins_left_behind_by_earlier_runs_do_not_wait_for_each_other_for_ever() {
    let mut run = TestRun::of(vec![Job { module: 0, record: RecordIx(0), ambiguity_group: 0 }; 3], policy());
    run.prior = (0..3).map(|row| (JobId(row), prior(PriorDoubt::Unknown, IfAbsent::SendAgain))).collect();
    let mut id = 0;
    let play = run.play(uploads(|_, _, _| {
        id += 1;
        uploaded(id)
    }));
    assert_eq!(play.statuses(), [Status::Uploaded; 3]);
}

#[test]
fn a_mistake_of_ours_costs_one_row_and_never_an_attachment() {
    let panicked = |begun| ScriptedAnswer::Told(UploadResult::Panicked { begun, sent_at: None });
    let play = TestRun::of(rows(3), policy()).play(|_, task| match task {
        Task::Upload { job: JobId(0), .. } => (QUICK, panicked(false)),
        Task::Upload { job: JobId(1), tries: 1, .. } => (QUICK, panicked(true)),
        Task::Upload { job, .. } => (QUICK, ScriptedAnswer::Upload(uploaded(job.0.into()))),
        _ => (QUICK, ScriptedAnswer::List(Vec::new())),
    });
    assert_eq!((play.ended[&0].status, play.ended[&0].tries), (Status::Failed, 2));
    assert_eq!(play.ended[&0].code, OwnCode::InternalError.as_str());
    let announced = |task: &&Task| matches!(task, Task::Upload { job: JobId(0), announce: true, .. });
    assert_eq!(play.tasks.iter().map(|(_, task)| task).filter(announced).count(), 2, "its line may not be there");
    assert_eq!((play.ended[&1].status, play.ended[&1].tries), (Status::Uploaded, 2), "sent again once proved absent");
    assert!(!play.lists(Purpose::Settle).is_empty());
}

#[test]
fn results_that_cannot_be_written_stop_the_run() {
    let play = TestRun::of(rows(50), policy()).play(|_, task| match task {
        Task::Upload { job: JobId(9), .. } => {
            (QUICK, ScriptedAnswer::Told(UploadResult::ResultsFailed(JournalError::Unwritten("disk full".to_owned()))))
        }
        Task::Upload { job, .. } => (QUICK, ScriptedAnswer::Upload(uploaded(job.0.into()))),
        _ => (QUICK, ScriptedAnswer::List(Vec::new())),
    });
    assert_eq!(play.cause(), Some(StopCause::Service(StopBecause::Disk)));
    assert_eq!((play.ended[&9].status, play.ended[&9].tries), (Status::NotSent, 0));
    assert!(play.ending.uploads < 15);
}

/// A service that serves so many requests at once, each in 300 ms, and refuses the rest at once: what share of what it
/// would serve is used, and what share of the requests is refused.
fn against_a_service_that_allows(allowed: usize) -> (f64, f64) {
    let rows_sent = 4_000;
    let serving = Duration::from_millis(300);
    let mut busy: Vec<Elapsed> = Vec::new();
    let play = TestRun::of(rows(rows_sent), Policy { concurrency: 25, ..policy() }).play(|now, task| {
        busy.retain(|until| *until > now);
        if busy.len() >= allowed {
            return (Duration::from_millis(10), ScriptedAnswer::Upload(throttled()));
        }
        busy.push(now + serving);
        match task {
            Task::Upload { job, .. } => (serving, ScriptedAnswer::Upload(uploaded(job.0.into()))),
            _ => (serving, ScriptedAnswer::List(Vec::new())),
        }
    });
    assert_eq!(play.ending.counts.of(Status::Uploaded), rows_sent);
    let ideal = serving.as_secs_f64() * f64::from(rows_sent) / allowed as f64;
    (ideal / play.ending.took.as_secs_f64(), play.ending.throttled as f64 / play.ending.uploads as f64)
}

#[test]
fn a_service_that_limits_concurrency_is_used_well_and_rarely_refuses() {
    for allowed in [5, 10] {
        let (useful, refused) = against_a_service_that_allows(allowed);
        assert!(useful > 0.95, "{allowed} at once: {useful:.3} of what it allows");
        assert!(refused < 0.004, "{allowed} at once: {refused:.4} refused");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let play = |seed| {
        let flaky = |_, job: JobId, tries: u32| {
            if (job.0 + tries).is_multiple_of(3) { throttled() } else { uploaded(job.0.into()) }
        };
        TestRun::of(rows(60), Policy { seed, ..policy() }).play(uploads(flaky)).tasks
    };
    assert_eq!(play(1), play(1));
    assert_ne!(play(1), play(2));
}
