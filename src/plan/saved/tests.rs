//! Saved plans are read back as they were written, and whatever else a file may be is told.

use super::super::tests::tests_plan;
use super::*;

fn saved(hashes: FileHashes) -> (PlanHead, Vec<SavedRow>, String) {
    let (_desk, plan) = tests_plan();
    let head = PlanHead {
        format: FORMAT.to_owned(),
        version: VERSION,
        program: "0.0.0".to_owned(),
        saved_at: "2026-11-27T22:00:00Z".to_owned(),
        pinned: PinnedSettings { target: "www.zohoapis.eu".to_owned(), ..PinnedSettings::default() },
        summary: plan.facts().clone(),
    };
    let (mut rows, mut text) = (Vec::new(), Vec::new());
    saved_rows(&plan, hashes, &mut |row| {
        rows.push(row.clone());
        Ok(())
    })
    .expect("the rows of a plan");
    write(&mut text, &head, &mut |each| rows.iter().try_for_each(each)).expect("written to memory");
    (head, rows, String::from_utf8(text).expect("text"))
}

fn read_back(text: &str) -> Result<(PlanHead, Vec<SavedRow>), SavedPlanError> {
    let mut rows = Vec::new();
    read(text.as_bytes(), &mut |row| rows.push(row.clone())).map(|head| (head, rows))
}

#[test]
fn a_plan_is_read_back_as_it_was_written() {
    for hashes in [FileHashes::Without, FileHashes::Sha256] {
        let (head, rows, text) = saved(hashes);
        assert_eq!(rows.len(), 3);
        assert_eq!(
            rows.iter().filter(|row| row.sha256.is_some()).count(),
            if hashes == FileHashes::Sha256 { 2 } else { 0 }
        );
        assert_eq!(read_back(&text).expect("a plan"), (head, rows));
    }
}

#[test]
fn each_row_has_a_line_of_its_own() {
    let (_, rows, text) = saved(FileHashes::Without);
    for row in rows {
        assert!(text.lines().any(|line| line.contains(&row.key) && line.contains(&row.record)), "{text}");
    }
}

#[test]
fn another_form_of_the_same_values_is_the_same_plan() {
    let (head, _, text) = saved(FileHashes::Without);
    let windows = text.replace('\n', "\r\n");
    let values: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let one_line = serde_json::to_string(&values).expect("JSON");
    for text in [windows, one_line] {
        assert_eq!(read_back(&text).expect("a plan").0, head);
    }
}

#[test]
fn an_edited_plan_is_refused_wherever_the_hand_was() {
    let (_, _, text) = saved(FileHashes::Without);
    for (from, to) in [
        ("\"bytes\":1000", "\"bytes\":1001"),
        ("\"record\":\"738964000000291009\"", "\"record\":\"738964000000291019\""),
        ("\"action\":\"send\"", "\"action\":\"nothing\""),
        ("www.zohoapis.eu", "www.zohoapis.com"),
        ("2026-11-27", "2026-11-28"),
        ("\"to_send\": 3", "\"to_send\": 2"),
        ("\"seal\": \"sha256:", "\"seal\": \"sha256:0"),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(matches!(read_back(&text.replacen(from, to, 1)), Err(SavedPlanError::Edited)), "{from}");
    }
    // A row taken out, a row put in.
    let row = text.lines().find(|line| line.starts_with("    {\"line\":3,")).expect("a row").to_owned() + "\n";
    assert!(matches!(read_back(&text.replacen(&row, "", 1)), Err(SavedPlanError::Edited)));
    assert!(matches!(read_back(&text.replacen(&row, &row.repeat(2), 1)), Err(SavedPlanError::Edited)));
}

#[test]
fn what_is_no_whole_plan_is_told_apart() {
    let (_, _, text) = saved(FileHashes::Without);
    let other_version = text.replacen("\"version\": 1", "\"version\": 2", 1);
    assert!(matches!(read_back(&other_version), Err(SavedPlanError::OtherVersion(2))));
    for nothing in ["", "module,record,file\n", "[]", "{}", "{\"problems\": []}", "{\"format\": \"other\"}", "null"] {
        assert!(matches!(read_back(nothing), Err(SavedPlanError::NotAPlan)), "{nothing}");
    }
    let damaged = [
        text.get(..text.len() / 2).expect("a half").to_owned(),
        text.replacen("\"line\":2", "\"line\":\"two\"", 1),
        text.replacen("\"line\":2", "\"line\":2,\"extra\":1", 1),
        text.replacen("\"program\"", "\"programme\"", 1),
        text.replacen("\"version\": 1", "\"version\": 1, \"version\": 1", 1),
        format!("{text}{{}}"),
    ];
    for text in damaged {
        assert!(matches!(read_back(&text), Err(SavedPlanError::Damaged(_))), "{:?}", read_back(&text).map(|_| ()));
    }
}
