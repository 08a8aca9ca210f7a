//! Answers that prove less than they say, and what a row that they leave in doubt comes to.

use super::*;

fn in_doubt(because: DoubtBecause, code: &str) -> Reply {
    Reply { message: "their words".to_owned(), http_status: Some(403), ..reply(Verdict::InDoubt(because), code) }
}

#[test]
fn a_refusal_that_need_not_be_the_services_is_looked_up_and_then_fails_the_row_by_its_words() {
    for (because, code) in [(DoubtBecause::Refused, "refused"), (DoubtBecause::InternalError, "INTERNAL_ERROR")] {
        let answer = in_doubt(because, code);
        let play = TestRun::of(rows(1), policy()).play(uploads(|_, _, _| answer.clone()));
        assert_eq!((play.statuses(), play.codes()), (vec![Status::Failed], vec![code]));
        let ended = &play.ended[&0];
        assert_eq!((ended.tries, ended.http_status, ended.message.as_str()), (1, Some(403), "their words"));
        assert_eq!(play.lists(Purpose::Settle).len(), 2, "two reads prove that it is not there");

        let found = TestRun::of(rows(1), policy()).play(|_, task| match task {
            Task::Upload { .. } => (QUICK, ScriptedAnswer::Upload(answer.clone())),
            _ => (QUICK, ScriptedAnswer::List(vec![listed(7, "n0", 10)])),
        });
        assert_eq!((found.statuses(), found.codes()), (vec![Status::Uploaded], vec!["settled-by-listing"]));
    }
}

#[test]
fn a_firewall_that_dislikes_two_hundred_files_pauses_nobody() {
    let play = TestRun::of(rows(400), policy()).play(uploads(|_, job, _| match job.0 % 2 {
        0 => in_doubt(DoubtBecause::Refused, "refused"),
        _ => uploaded(job.0.into()),
    }));
    assert_eq!(play.ending.counts.of(Status::Failed), 200);
    assert_eq!(play.ending.counts.of(Status::Uploaded), 200);
    assert_eq!(play.cause(), None);
    assert!(!play.notices.iter().any(|notice| matches!(notice, Notice::Paused { .. })));
}

#[test]
fn a_401_that_need_not_be_the_services_is_looked_up_and_sent_again() {
    let play = TestRun::of(rows(1), policy()).play(uploads(|_, _, tries| match tries {
        1 => in_doubt(DoubtBecause::TokenRefused, "credentials-refused"),
        _ => uploaded(1),
    }));
    assert_eq!((play.statuses(), play.lists(Purpose::Settle).len()), (vec![Status::Uploaded], 2));
}

#[test]
fn an_answer_from_elsewhere_stops_the_run_and_leaves_its_row_in_doubt() {
    let redirected = reply(Verdict::StopInDoubt(StopBecause::Target), "redirected");
    let play = TestRun::of(rows(3), Policy { concurrency: 1, ..policy() }).play(uploads(|_, _, _| redirected.clone()));
    assert_eq!(play.statuses(), [Status::InDoubt, Status::NotSent, Status::NotSent]);
    assert_eq!(play.cause(), Some(StopCause::Service(StopBecause::Target)));
    assert_eq!(play.ended[&0].code, "redirected");
    assert!(play.lists(Purpose::Settle).is_empty(), "whoever answers there is not asked for a list");
}

#[test]
fn an_attachment_that_another_row_has_is_no_proof_for_this_one() {
    let one = Policy { concurrency: 1, ..policy() };
    let mut answers = [uploaded(7), uploaded(7), uploaded(8)].into_iter();
    let play = TestRun::of(rows(2), one.clone()).play(uploads(|_, _, _| answers.next().expect("three tries")));
    assert_eq!(play.statuses(), [Status::Uploaded; 2]);
    assert_eq!((play.sent(), play.ended[&1].attachment_id), (vec![0, 1, 1], Some(ServiceId::new(8))));
    assert_eq!(play.lists(Purpose::Settle).len(), 2);

    let mut earlier = true;
    let play = TestRun::of(rows(1), one).play(|_, task| match task {
        Task::Upload { .. } if std::mem::take(&mut earlier) => {
            let sent_at = Some(Timestamp::from_second(SENT_AT).expect("a time"));
            (QUICK, ScriptedAnswer::Told(UploadResult::Replied { reply: uploaded(7), sent_at, held: true }))
        }
        Task::Upload { .. } => (QUICK, ScriptedAnswer::Upload(uploaded(8))),
        _ => (QUICK, ScriptedAnswer::List(Vec::new())),
    });
    assert_eq!(play.ended[&0].attachment_id, Some(ServiceId::new(8)), "an earlier run has it");
}

#[test]
fn a_named_wait_is_kept_whatever_answer_names_it() {
    let refused = |verdict, code| Reply { retry_after: Some(s(30)), ..reply(verdict, code) };
    for answer in [
        refused(Verdict::Retry(RetryBecause::Throttled), "TOO_MANY_REQUESTS"),
        refused(Verdict::Retry(RetryBecause::TokenRenewed), "INVALID_TOKEN"),
        refused(Verdict::InDoubt(DoubtBecause::ServerError), "server-error"),
        refused(Verdict::InDoubt(DoubtBecause::Refused), "refused"),
        refused(Verdict::Failed(FailedBy::Row), "INVALID_DATA"),
    ] {
        let one = Policy { concurrency: 1, ..policy() };
        let play = TestRun::of(rows(3), one).play(uploads(|_, job, tries| match (job.0, tries) {
            (0, 1) => answer.clone(),
            _ => uploaded(u64::from(job.0 * 10 + tries)),
        }));
        let result = play.tasks[1].0 + QUICK;
        assert!(play.tasks[2].0 >= result + s(30), "{answer:?}");
        assert_eq!(play.cause(), None);
    }
}

#[test]
fn a_wait_that_is_longer_than_a_run_should_sit_through_stops_it_and_is_not_made_shorter() {
    let day = s(24 * 3_600);
    let busy = Reply { retry_after: Some(day), ..in_doubt(DoubtBecause::ServerError, "server-error") };
    let play = TestRun::of(rows(3), policy()).play(uploads(|_, _, _| busy.clone()));
    let stopped = play.ending.stopped.as_ref().expect("stopped");
    assert_eq!(stopped.cause, StopCause::LongWait);
    assert!(stopped.until.is_some_and(|until| until >= day), "{stopped:?}");
}

#[test]
fn what_is_left_of_a_throttle_under_another_name_fails_with_a_code_that_passes() {
    let busy = Reply {
        message: "URL_FIXED_THROTTLES_LIMIT_EXCEEDED".to_owned(),
        ..reply(Verdict::Retry(RetryBecause::Throttled), "INTERNAL_ERROR")
    };
    let play = TestRun::of(rows(2), Policy { retries: 2, ..policy() }).play(uploads(|_, job, _| match job.0 {
        0 => busy.clone(),
        _ => uploaded(job.0.into()),
    }));
    let ended = &play.ended[&0];
    assert_eq!((ended.code.as_str(), ended.tries), ("throttled", 3));
    assert_eq!(ended.message, "INTERNAL_ERROR: URL_FIXED_THROTTLES_LIMIT_EXCEEDED");
}

#[test]
fn a_row_whose_token_is_refused_each_time_does_not_have_it_renewed_for_ever() {
    let renewed = reply(Verdict::Retry(RetryBecause::TokenRenewed), "INVALID_TOKEN");
    let play = TestRun::of(rows(1), Policy { retries: 2, ..policy() }).play(uploads(|_, _, _| renewed.clone()));
    assert_eq!(play.sent().len(), 3);
    assert_eq!(play.cause(), Some(StopCause::Service(StopBecause::Credentials)));
}
