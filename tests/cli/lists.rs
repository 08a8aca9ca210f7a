//! Records' lists as the service may give them: in many pages, cut short, without what must be in them, or not at all.
//! What a list cannot prove is not taken for absent, and one record's trouble ends no run.

use crate::case::Case;
use crate::raw::{Raw, Step, answer, error, list_page, no_content};

const FIRST: &str = "738964000000291009";

fn two_records() -> Case {
    Case::new().rows(&[("Leads", FIRST, "a.txt"), ("Leads", "738964000000291010", "b.txt")])
}

/// The number that the query names, from 1.
fn page_of(path: &str) -> u64 {
    let number = path.split(['?', '&']).find_map(|part| part.strip_prefix("page="));
    number.map_or(1, |number| number.parse().expect("a number"))
}

/// The answer to an upload that is stored and whose answer is lost.
fn lost() -> Step {
    Step::breaks(Vec::new())
}

fn stored(raw: &Raw, name: &str) -> usize {
    raw.arrived().iter().filter(|upload| upload.stored && upload.name == name).count()
}

#[test]
fn the_first_page_is_asked_for_without_a_number_and_is_enough_to_begin_with() {
    let case = two_records();
    let raw = Raw::asked_about(&case, Vec::new(), |path, _| {
        let page = page_of(path);
        Some(list_page(page * 200..(page + 1) * 200, true))
    });
    raw.run(&case, &[]).exits(0);
    assert_eq!(raw.asked(), [format!("/crm/v2/Leads/{FIRST}/Attachments?per_page=200")]);
}

#[test]
fn a_record_with_more_attachments_than_its_list_gives_ends_no_run() {
    let too_deep = |path: &str| match page_of(path) {
        page if page > 10 => answer(400, "", &error("DISCRETE_PAGINATION_LIMIT_EXCEEDED", "only the first 2000")),
        page => list_page(page * 200..(page + 1) * 200, true),
    };
    let case = two_records();
    let raw = Raw::asked_about(&case, Vec::new(), move |path, _| path.contains(FIRST).then(|| too_deep(path)));
    raw.run(&case, &[]).exits(0);

    let case = two_records();
    let raw = Raw::asked_about(&case, vec![lost()], move |path, _| path.contains(FIRST).then(|| too_deep(path)));
    raw.run(&case, &[]).exits(5).says("DISCRETE_PAGINATION_LIMIT_EXCEEDED");
    assert_eq!(case.column("m.results.csv", "status"), ["unknown", "uploaded"]);
    assert_eq!(stored(&raw, "a.txt"), 1);
}

#[test]
fn a_list_that_always_fails_is_no_trouble_of_other_records() {
    let failing =
        |path: &str, _: &[String]| path.contains(FIRST).then(|| answer(500, "", &error("INTERNAL_ERROR", "")));
    let case = two_records();
    let raw = Raw::asked_about(&case, vec![lost()], failing);
    raw.run(&case, &["--retries", "1"]);
    assert_eq!(case.column("m.results.csv", "status"), ["in_doubt", "uploaded"]);
    raw.run(&case, &["--retries", "1"]);
    assert_eq!(stored(&raw, "a.txt"), 1, "not sent again by the next run either");
}

#[test]
fn a_list_that_ends_where_it_promised_more_proves_nothing() {
    let second_pages = [no_content(), list_page(0..0, false), answer(200, "", "{}"), answer(200, "", "<html>")];
    for second in second_pages {
        let case = Case::new().rows(&[("Leads", FIRST, "a.txt")]);
        let shown = String::from_utf8_lossy(&second).into_owned();
        let raw = Raw::asked_about(&case, vec![lost()], move |path, _| {
            Some(if page_of(path) == 1 { list_page(0..200, true) } else { second.clone() })
        });
        for _ in 0..2 {
            raw.run(&case, &["--retries", "1"]);
            assert_eq!(case.column("m.results.csv", "status"), ["in_doubt"], "{shown}");
        }
        assert_eq!(stored(&raw, "a.txt"), 1, "{shown}");
    }
}

#[test]
fn a_list_without_what_the_results_hold_is_believed_only_if_that_is_gone() {
    // The first run uploads a.txt; the second one loses the answer for b.txt, and its record's list is empty.
    let by_id = |path: &str| path.split('?').next().is_some_and(|path| !path.ends_with("/Attachments"));
    for (presence, status) in [(answer(200, "", "its bytes"), "in_doubt"), (no_content(), "uploaded")] {
        let case = Case::new().rows(&[("Leads", FIRST, "a.txt")]);
        let raw = Raw::asked_about(&case, vec![Step { closes: false, ..first_success() }, lost()], move |path, _| {
            Some(if by_id(path) { presence.clone() } else { no_content() })
        });
        raw.run(&case, &[]).exits(0);
        case.write("b.txt", "content of b.txt");
        case.write("m.csv", format!("module,record,file\nLeads,{FIRST},a.txt\nLeads,{FIRST},b.txt\n"));
        raw.run(&case, &["--retries", "1"]);
        assert_eq!(case.column("m.results.csv", "status"), ["uploaded", status]);
        let asked = raw.asked().iter().filter(|path| by_id(path)).count();
        assert_eq!(asked, 2, "{:?}", raw.asked());
    }
}

fn first_success() -> Step {
    Step::stores(200, &crate::raw::success(0))
}

#[test]
fn pages_are_held_to_the_credits_of_the_run() {
    let case = Case::new().rows(&[("Leads", FIRST, "a.txt")]);
    let raw = Raw::asked_about(&case, vec![lost()], |path, _| {
        let page = page_of(path);
        Some(list_page(page * 10..(page + 1) * 10, page < 40))
    });
    raw.run(&case, &["--max-credits", "6"]).exits(4);
    assert_eq!(raw.asked().len() + raw.arrived().len(), 6);
    assert_eq!(case.column("m.results.csv", "status"), ["in_doubt"]);
}

#[test]
fn an_entry_that_does_not_say_enough_is_not_taken_for_another() {
    let bare = |more: &str| {
        let now = jiff::Timestamp::now();
        let body = format!(
            r#"{{"data":[{{"id":"700000000002999999","Created_Time":"{now}"{more}}}],"info":{{"more_records":false}}}}"#
        );
        answer(200, "", &body)
    };
    for more in ["", r#","File_Name":"other.txt""#, r#","Size":3"#] {
        let case = Case::new().rows(&[("Leads", FIRST, "a.txt")]);
        let raw = Raw::asked_about(&case, vec![lost()], move |_, asked| {
            Some(if asked.is_empty() { no_content() } else { bare(more) })
        });
        raw.run(&case, &[]).exits(5);
        assert_eq!(case.column("m.results.csv", "status"), ["unknown"], "{more}");
        assert_eq!(stored(&raw, "a.txt"), 1);
    }
}
