//! The report on more than one results file.

use serde_json::Value;

use crate::case::Case;

#[test]
fn a_row_that_was_mended_in_a_file_of_its_own_counts_once() {
    let case = Case::new().rows(&[
        ("Leads", "738964000000291009", "a.txt"),
        ("Lead", "738964000000291010", "b.txt"),
        ("Dealz", "738964000000291011", "c.txt"),
    ]);
    case.run(&["run", "m.csv", "--sandbox", "--skip-invalid", "--problems", "mend.csv"]).exits(1);
    let mended = std::fs::read_to_string(case.path("mend.csv")).expect("the rows to mend").replace("Lead,", "Leads,");
    case.write("mend.csv", mended);
    case.run(&["run", "mend.csv", "--sandbox", "--skip-invalid"]).exits(1);
    let results = ["m.sandbox-results.csv", "mend.sandbox-results.csv"];
    let report = case.run(&["report", results[0], results[1], "--output", "json", "--client", "Miller Ltd"]).exits(0);
    let report: Value = serde_json::from_str(&report.stdout).expect("JSON");
    let totals = &report["totals"];
    assert_eq!((&totals["rows"], &totals["uploaded"], &totals["invalid"]), (&3.into(), &2.into(), &1.into()));
    assert_eq!(report["source"]["client"], "Miller Ltd");
    assert_eq!(report["source"]["later_results"][0]["results"], results[1]);
}

#[test]
fn the_page_says_for_whom_it_is_and_is_signed_before_the_rows() {
    let case = Case::new().rows(&[("Leads", "738964000000291009", "a.txt")]);
    case.run(&["run", "m.csv", "--sandbox"]).exits(0);
    let named = ["--title", "Archive <2026>", "--client", "Miller & Sons"];
    case.run(&[&["report", "m.sandbox-results.csv", "-o", "page.html"], &named[..]].concat()).exits(0);
    let page = std::fs::read_to_string(case.path("page.html")).expect("the page");
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is not on the page"));
    assert!(at("Archive &lt;2026&gt;") < at("For <bdi>Miller &amp; Sons"));
    assert!(at("Sign-off") < at("All rows"));
}
