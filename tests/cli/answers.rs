//! The other half of the fault matrix: every kind of answer that the service may give to an upload, the documented ones
//! and the strange ones, and what must come of it.
//!
//! Each answer meets a run of two rows of one record. Looked at are the exit status, the end of the first row, how often
//! it was stored, and the lines that the results file held when the last upload arrived: a `sending` line must be there
//! before a request is, and nothing about a row in doubt may be written before it is settled.

use crate::case::{Case, Done};
use crate::raw::{Raw, Step, answer, error, success};

/// How often the answer comes.
#[derive(Clone, Copy, PartialEq)]
enum Comes {
    /// Once; after that the service behaves.
    Once,
    /// Each time.
    Always,
}
use Comes::{Always, Once};

/// What an answer leads to.
struct Leads {
    exit: i32,
    status: &'static str,
    code: &'static str,
    /// How many attachments the first row has at the end.
    stored: usize,
    /// The lines of the results when the last upload arrived; empty where their order is left to chance.
    log: &'static [&'static str],
}

const fn leads(
    exit: i32,
    status: &'static str,
    code: &'static str,
    stored: usize,
    log: &'static [&'static str],
) -> Leads {
    Leads { exit, status, code, stored, log }
}

const FILES: &str = "module,record,file\nLeads,738964000000291009,a.txt\nLeads,738964000000291009,b.txt\n";
const LINKS: &str =
    "module,record,file,url\nLeads,738964000000291009,,https://example.org/a\nLeads,738964000000291009,b.txt,\n";

#[track_caller]
fn an_answer(manifest: &str, comes: Comes, step: &Step, wanted: &Leads) -> Done {
    let shown = String::from_utf8_lossy(&step.answer);
    let case = Case::new().rows(&[("Leads", "738964000000291009", "a.txt"), ("Leads", "738964000000291009", "b.txt")]);
    case.write("m.csv", manifest);
    let raw = Raw::start(&case, vec![step.clone()], comes == Always);
    let done = raw.run(&case, &["--retries", "2"]);
    let rows = case.results("m.results.csv");
    let row = (done.status, rows[0]["status"].as_str(), rows[0]["code"].as_str());
    assert_eq!(row, (Some(wanted.exit), wanted.status, wanted.code), "{shown}\n{}", done.stderr);
    let arrived = raw.arrived();
    let copies = arrived.iter().filter(|upload| upload.stored && upload.name != "b.txt").count();
    assert_eq!(copies, wanted.stored, "{shown}");
    assert!(
        arrived.iter().all(|upload| upload.log.last().is_some_and(|line| line == "sending")),
        "{shown} {arrived:?}"
    );
    if !wanted.log.is_empty() {
        assert_eq!(arrived.last().expect("an upload").log, wanted.log, "{shown}");
    }
    done
}

/// Row 1 is refused, its final line is written, row 2 goes on.
const REFUSED: &[&str] = &["sending", "failed", "sending"];
/// Nothing is written about row 1 while it is in doubt; it is settled after the last row.
const DOUBT: &[&str] = &["sending", "sending"];

#[test]
fn a_success_is_one_only_with_an_id_and_in_both_shapes() {
    let ended = leads(0, "uploaded", "", 1, &["sending", "uploaded", "sending"]);
    an_answer(FILES, Once, &Step::stores(200, &success(7)), &ended);
    an_answer(FILES, Once, &Step::stores(201, &success(7)), &ended);
    an_answer(LINKS, Once, &Step::stores(200, &success(7)), &ended);
}

#[test]
fn a_2xx_that_proves_nothing_is_in_doubt_and_settled() {
    let without_id = r#"{"data":[{"code":"SUCCESS","details":{},"message":"ok","status":"success"}]}"#;
    let not_numeric = r#"{"data":[{"code":"SUCCESS","details":{"id":"../7"},"status":"success"}]}"#;
    let short = r#"{"data":[{"code":"SUCCESS","details":{"id":"123"},"status":"success"}]}"#;
    let entry = success(7);
    let entry = entry.trim_start_matches("{\"data\":[").trim_end_matches("]}");
    let two = format!("{{\"data\":[{entry},{entry}]}}");
    let kept = leads(0, "uploaded", "settled-by-listing", 1, DOUBT);
    let lost = leads(0, "uploaded", "", 1, &[]);
    for (status, body) in [
        (200, without_id),
        (200, not_numeric),
        (200, short),
        (200, &two),
        (200, ""),
        (200, "{}"),
        (200, "<html>Please log in to the network</html>"),
        (200, &error("INTERNAL_ERROR", "Internal Server Error")),
        (202, &success(7)),
        (204, ""),
    ] {
        an_answer(FILES, Once, &Step::stores(status, body), &kept);
        an_answer(FILES, Once, &Step::refuses(status, body), &lost);
    }
}

#[test]
fn a_refusal_that_need_not_be_the_services_is_in_doubt_and_fails_once_nothing_is_there() {
    let kept = leads(0, "uploaded", "settled-by-listing", 1, DOUBT);
    for (status, body, code) in [
        (200, error("SOMETHING_NEW", "nobody has described this"), "SOMETHING_NEW"),
        (400, error("INTERNAL_ERROR", "Internal Server Error"), "INTERNAL_ERROR"),
        (403, "<html>This kind of file is not allowed</html>".to_owned(), "refused"),
        (404, String::new(), "refused"),
        (413, "<html>Request Entity Too Large</html>".to_owned(), "too-large"),
        (418, "{}".to_owned(), "refused"),
        (400, r#"{"errors":[{"code":"NO_ACCESS"}]}"#.to_owned(), "refused"),
    ] {
        an_answer(FILES, Once, &Step::stores(status, &body), &kept);
        an_answer(FILES, Once, &Step::refuses(status, &body), &leads(1, "failed", code, 0, DOUBT));
    }
}

#[test]
fn a_refusal_is_not_forgotten_where_the_next_run_looks_its_row_up() {
    let blocked = "<html>This kind of file is not allowed</html>";
    for (stores, end) in [(false, ("failed", "refused")), (true, ("uploaded", "settled-by-listing"))] {
        let case = Case::new().rows(&[("Leads", "738964000000291009", "a.txt")]);
        let raw = Raw::start(&case, vec![Step { stores, ..Step::refuses(403, blocked) }], false);
        // The credits are used up before the record can be listed.
        raw.run(&case, &["--max-credits", "2"]).exits(4);
        let first = &case.results("m.results.csv")[0];
        assert_eq!((first["status"].as_str(), first["code"].as_str()), ("in_doubt", "refused"), "{first:?}");
        // Once more nobody can look, and the reason is still known.
        raw.run(&case, &["--max-credits", "0"]).exits(4);
        assert_eq!(case.column("m.results.csv", "code"), ["refused"]);
        raw.run(&case, &[]).exits(if stores { 0 } else { 1 });
        let last = &case.results("m.results.csv")[0];
        assert_eq!((last["status"].as_str(), last["code"].as_str()), end, "{last:?}");
        assert_eq!(raw.arrived().len(), 1, "what a firewall refuses is not sent to it again");
        if !stores {
            assert!(last["http_status"] == "403" && last["message"] == "the answer is a web page", "{last:?}");
        }
    }
}

#[test]
fn an_answer_from_elsewhere_stops_the_run_and_the_next_run_looks_its_row_up() {
    for status in [301, 302, 303, 307, 308, 407] {
        for stores in [true, false] {
            let case =
                Case::new().rows(&[("Leads", "738964000000291009", "a.txt"), ("Leads", "738964000000291009", "b.txt")]);
            let answer = answer(status, "Location: http://elsewhere.example:9/?a\r\n", "");
            let raw = Raw::start(&case, vec![Step { stores, ..Step::says(answer) }], false);
            raw.run(&case, &[]).exits(4);
            let first = case.results("m.results.csv");
            assert_eq!(
                (first[0]["status"].as_str(), first[1]["status"].as_str()),
                ("in_doubt", "not_sent"),
                "{status}"
            );
            raw.run(&case, &[]).exits(0);
            let kept = raw.arrived().iter().filter(|upload| upload.stored && upload.name == "a.txt").count();
            assert_eq!(kept, 1, "{status}, stored at first: {stores}");
        }
    }
}

#[test]
fn the_answer_of_another_row_is_not_believed() {
    // The second upload is answered with the words of the first, and is not kept.
    let case = Case::new().many_rows(4);
    let raw = Raw::start(&case, vec![Step::stores(200, &success(0)), Step::refuses(200, &success(0))], false);
    raw.run(&case, &[]).exits(0);
    let ids: std::collections::BTreeSet<_> = case.column("m.results.csv", "attachment_id").into_iter().collect();
    assert_eq!(ids.len(), 4, "{ids:?}");
    assert_eq!(raw.arrived().iter().filter(|upload| upload.stored).count(), 4);

    // Neither is it in a later run.
    let case = Case::new().rows(&[("Leads", "738964000000291009", "a.txt")]);
    let raw = Raw::start(&case, vec![Step::stores(200, &success(0)), Step::refuses(200, &success(0))], false);
    raw.run(&case, &[]).exits(0);
    case.write("b.txt", "content of b.txt");
    case.write("m.csv", "module,record,file\nLeads,738964000000291009,a.txt\nLeads,738964000000291010,b.txt\n");
    raw.run(&case, &[]).exits(0);
    assert_eq!(raw.arrived().iter().filter(|upload| upload.stored).count(), 2);
}

#[test]
fn words_that_come_compressed_are_read() {
    let mut packed = Vec::new();
    let mut encoder = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, error("NO_PERMISSION", "permission denied").as_bytes()).expect("packed");
    encoder.finish().expect("packed");
    let head = format!("HTTP/1.1 403 X\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", packed.len());
    let answer = [head.as_bytes(), &packed].concat();
    an_answer(FILES, Once, &Step::says(answer), &leads(1, "failed", "NO_PERMISSION", 0, REFUSED));
}

#[test]
fn a_broken_server_may_have_done_the_work() {
    for status in [408, 500, 502, 503, 504, 520, 599] {
        for body in [&error("INTERNAL_ERROR", "Internal Server Error"), "<html>Bad gateway</html>"] {
            an_answer(FILES, Once, &Step::stores(status, body), &leads(0, "uploaded", "settled-by-listing", 1, DOUBT));
        }
    }
    an_answer(FILES, Once, &Step::refuses(503, "<html>busy</html>"), &leads(0, "uploaded", "", 1, &[]));
    an_answer(FILES, Always, &Step::refuses(500, "{}"), &leads(1, "failed", "no-reply", 0, &[]));
}

#[test]
fn bytes_that_are_no_answer_are_in_doubt() {
    let kept = leads(0, "uploaded", "settled-by-listing", 1, DOUBT);
    let whole = String::from_utf8(answer(200, "", &success(7))).expect("text");
    let two_lengths = whole.replacen("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\n", 1);
    let early_end = whole.replacen("Content-Length: ", "Content-Length: 9", 1);
    let bomb = answer(200, "", &" ".repeat(2 << 20));
    for bytes in [
        Vec::new(),
        b"\0\x01\x02 no protocol at all\r\n\r\n".to_vec(),
        b"HTTP/1.1 two hundred OK\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Le".to_vec(),
        two_lengths.into_bytes(),
        early_end.into_bytes(),
        bomb,
    ] {
        an_answer(FILES, Once, &Step::breaks(bytes), &kept);
    }
}

#[test]
fn refusals_that_are_about_the_row_fail_the_row_and_the_next_goes_on() {
    let related = error("INVALID_DATA", "the related id given seems to be invalid");
    let type_refused = error("INVALID_DATA", "invalid file type");
    let size = error("FILE_SIZE_MORE_THAN_ALLOWED_SIZE", "please check the size of the file");
    for (status, body, code) in [
        (403, error("NO_PERMISSION", "Permission denied to upload attachment"), "NO_PERMISSION"),
        (400, error("AUTHORIZATION_FAILED", "User does not have sufficient privilege"), "AUTHORIZATION_FAILED"),
        (400, related.clone(), "INVALID_DATA"),
        (415, type_refused, "INVALID_DATA"),
        (415, size.clone(), "FILE_SIZE_MORE_THAN_ALLOWED_SIZE"),
        (413, size, "FILE_SIZE_MORE_THAN_ALLOWED_SIZE"),
        (400, error("SOMETHING_NEW", "nobody has described this"), "SOMETHING_NEW"),
        // An error object in a 2xx counts by its code.
        (200, related, "INVALID_DATA"),
        (202, error("NO_PERMISSION", "Permission denied"), "NO_PERMISSION"),
        (207, format!("{{\"data\":[{}]}}", error("NO_PERMISSION", "Permission denied")), "NO_PERMISSION"),
    ] {
        an_answer(FILES, Once, &Step::refuses(status, &body), &leads(1, "failed", code, 0, REFUSED));
    }
}

#[test]
fn a_link_that_is_there_already_is_no_failure_and_a_bad_one_is() {
    let there = leads(0, "already_present", "INVALID_DATA", 0, &["sending", "already_present", "sending"]);
    an_answer(LINKS, Once, &Step::refuses(400, &error("INVALID_DATA", "Attachment link already exists")), &there);
    let there = Leads { code: "DUPLICATE_DATA", ..there };
    an_answer(LINKS, Once, &Step::refuses(400, &error("DUPLICATE_DATA", "the link already exists")), &there);
    let bad = error("INVALID_URL_PATTERN", "the given attachment URL is incorrect");
    an_answer(LINKS, Once, &Step::refuses(400, &bad), &leads(1, "failed", "INVALID_URL_PATTERN", 0, REFUSED));
}

#[test]
fn to_slow_down_is_to_try_again() {
    let again = leads(0, "uploaded", "", 1, &[]);
    let busy = error("TOO_MANY_REQUESTS", "too many requests");
    for status in [429, 400, 503, 200] {
        an_answer(FILES, Once, &Step::refuses(status, &busy), &again);
    }
    an_answer(FILES, Once, &Step::refuses(429, &error("RATE_LIMIT_EXCEEDED", "slower")), &again);
    an_answer(FILES, Once, &Step::refuses(429, "<html>slow down</html>"), &again);
    an_answer(FILES, Once, &Step::says(answer(429, "Retry-After: 0\r\n", &busy)), &again);
    for (status, code, message) in [
        (400, "INTERNAL_ERROR", "URL_FIXED_THROTTLES_LIMIT_EXCEEDED"),
        (403, "concurrency_limit", ""),
        (400, "BAD_REQUEST", "Too many requests, try again later"),
    ] {
        an_answer(FILES, Once, &Step::refuses(status, &error(code, message)), &again);
    }
    // Alone with a service that has nothing to give, the run waits longer and longer, here until its time is over.
    let case = Case::new().rows(&[("Leads", "738964000000291009", "a.txt")]);
    let raw = Raw::start(&case, vec![Step::refuses(429, &busy)], true);
    raw.run(&case, &["--max-duration", "1s"]).exits(4);
    assert_eq!(case.column("m.results.csv", "status"), ["not_sent"]);
    assert!(raw.arrived().iter().all(|upload| !upload.stored));
}

#[test]
fn what_would_be_the_same_for_every_row_stops_the_run_at_the_first() {
    let no_credits = answer(429, "X-API-CREDITS-REMAINING: 0\r\n", &error("TOO_MANY_REQUESTS", "used up"));
    for (answer, told) in [
        (
            answer(404, "", &error("INVALID_URL_PATTERN", "Please check if the URL is a correct one")),
            "INVALID_URL_PATTERN",
        ),
        (answer(400, "", &error("INVALID_REQUEST_METHOD", "not a valid method")), "INVALID_REQUEST_METHOD"),
        (answer(401, "", &error("OAUTH_SCOPE_MISMATCH", "Unauthorized")), "OAUTH_SCOPE_MISMATCH"),
        (answer(403, "", &error("OAUTH_SCOPE_MISMATCH", "scope is missing")), "OAUTH_SCOPE_MISMATCH"),
        (answer(400, "", &error("LIMIT_REACHED", "no storage left")), "LIMIT_REACHED"),
        (answer(403, "", &error("LIMIT_EXCEEDED", "no credits left")), "LIMIT_EXCEEDED"),
        (no_credits, "TOO_MANY_REQUESTS"),
        (answer(401, "", &error("INVALID_TOKEN", "invalid oauth token")), "credentials-refused"),
        (answer(401, "", &error("AUTHENTICATION_FAILURE", "Authentication failed")), "credentials-refused"),
    ] {
        let stopped = leads(4, "not_sent", "run-ended", 0, &["sending"]);
        an_answer(FILES, Always, &Step::says(answer), &stopped).says(told);
    }
}

#[test]
fn a_module_that_does_not_exist_is_closed() {
    let body = error("INVALID_MODULE", "the module name given seems to be invalid");
    let case = Case::new().rows(&[
        ("Leads", "738964000000291009", "a.txt"),
        ("Leads", "738964000000291010", "b.txt"),
        ("Deals", "738964000000291011", "c.txt"),
    ]);
    let raw = Raw::start(&case, vec![Step::refuses(400, &body)], false);
    raw.run(&case, &[]).exits(1);
    assert_eq!(case.column("m.results.csv", "status"), ["failed", "not_sent", "uploaded"]);
    assert_eq!(case.column("m.results.csv", "code"), ["INVALID_MODULE", "module-closed", ""]);
    // Without another module the run has nothing left to do.
    an_answer(FILES, Always, &Step::refuses(400, &body), &leads(4, "failed", "INVALID_MODULE", 0, &["sending"]));
}

#[test]
fn refusals_in_a_row_close_a_module_or_stop_the_run() {
    for (status, body, tried, exit, rest) in [
        (403, error("NO_PERMISSION", "Permission denied"), 5, 4, "module-closed"),
        (400, error("SOMETHING_NEW", "nobody has described this"), 5, 4, "run-ended"),
        (400, error("INVALID_DATA", "the related id given seems to be invalid"), 50, 4, "run-ended"),
    ] {
        let case = Case::new().many_rows(52);
        let raw = Raw::start(&case, vec![Step::refuses(status, &body)], true);
        let done = raw.run(&case, &[]);
        assert_eq!((raw.arrived().len(), done.status), (tried, Some(exit)), "{body}\n{}", done.stderr);
        let codes = case.column("m.results.csv", "code");
        assert!(codes[tried..].iter().all(|code| code == rest), "{codes:?}");
    }
}
