//! Our readers against the plain ones of the libraries, on manifests that both understand.

use crate::problem::{Problem, ProblemList};
use std::collections::BTreeMap;
use std::io::Cursor;

use proptest::prelude::*;

use super::*;

const COLUMNS: [&str; 10] = ["module", "record", "key", "file", "url", "name", "sha256", "md5", "x_a", "x_b"];

/// All rows as our reader gives them, by column, and the problems.
fn read(format: ManifestFormat, text: &str) -> (Vec<Vec<String>>, Vec<Problem>) {
    let manifest = Manifest {
        info: ManifestInfo {
            path: PathBuf::from("-"),
            sha256: String::new(),
            format,
            delimiter: None,
            sheet: None,
            encoding: "UTF-8",
            base: PathBuf::from("."),
        },
        source: ManifestSource::Text(Box::new(Cursor::new(text.as_bytes().to_vec()))),
        file: None,
        tab_only: false,
        encoding: None,
        root_is_given: true,
        headings: HeadingRules::default(),
        late_keys: Vec::new(),
    };
    let mut problems = ProblemList::default();
    let mut reader = manifest.read(&mut problems);
    let (mut row, mut rows) = (RawRow::default(), Vec::new());
    while reader.next(&mut row, &mut problems) {
        let mut cells: Vec<String> = Field::ALL.iter().map(|field| row.get(*field).to_owned()).collect();
        let carried: BTreeMap<&str, &str> =
            reader.carried_columns().iter().map(String::as_str).zip(row.carried()).collect();
        cells.extend(["x_a", "x_b"].map(|name| carried.get(name).copied().unwrap_or_default().to_owned()));
        rows.push(cells);
    }
    reader.finish(&mut problems);
    let errors = problems.iter().filter(|problem| problem.severity == crate::problem::Severity::Error);
    (rows, errors.cloned().collect())
}

/// Cells that need every kind of quoting, but no line break unless the column may have one.
fn cell(column: usize) -> BoxedStrategy<String> {
    let text = if column < Field::ALL.len() {
        "[a-z\",;|\t é📎'#:&*!%@`{}\\[\\]~-]{0,8}"
    } else {
        "[a-z\",;\n é📎'#:&*!-]{0,8}"
    };
    text.prop_map(|text| text).boxed()
}

fn row() -> impl Strategy<Value = Vec<String>> {
    (0..COLUMNS.len()).map(cell).collect::<Vec<_>>().prop_map(|mut row| {
        // Rows are never blank, and no first cell looks like a comment.
        row[0].insert(0, 'L');
        row
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn csv_rows_are_those_of_the_csv_crate(
        rows in prop::collection::vec(row(), 1..6),
        delimiter in prop::sample::select(csv::DELIMITERS.to_vec()),
        crlf in any::<bool>(),
        always in any::<bool>(),
    ) {
        let mut writer = ::csv::WriterBuilder::new()
            .delimiter(delimiter)
            .terminator(if crlf { ::csv::Terminator::CRLF } else { ::csv::Terminator::Any(b'\n') })
            .quote_style(if always { ::csv::QuoteStyle::Always } else { ::csv::QuoteStyle::Necessary })
            .from_writer(Vec::new());
        writer.write_record(COLUMNS).unwrap();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        // A cell such as `a b "c"` is written in quotes, so nothing here is broken.
        let (read, problems) = read(ManifestFormat::Csv, &text);
        prop_assert_eq!(&problems, &[], "{}", text);
        prop_assert_eq!(read, rows, "{}", text);
    }

    #[test]
    fn yaml_rows_are_those_that_serde_wrote(rows in prop::collection::vec(row(), 1..6)) {
        let uploads: Vec<BTreeMap<&str, &String>> =
            rows.iter().map(|row| COLUMNS.into_iter().zip(row).collect()).collect();
        let mut text = String::from("version: 1\n");
        text.push_str(&serde_yaml::to_string(&BTreeMap::from([("uploads", uploads)])).unwrap());
        let (read, problems) = read(ManifestFormat::Yaml, &text);
        prop_assert_eq!(&problems, &[], "{}", text);
        prop_assert_eq!(read, rows, "{}", text);
    }
}

/// Both YAML readers must take the same text for the same value.
#[test]
fn both_yaml_readers_agree_on_what_is_written() {
    for value in [
        "738964000000291009",
        "007",
        "2024.10",
        "0x1F",
        "0o17",
        "1_000",
        "7.38964E+17",
        ".inf",
        "no",
        "True",
        "2024-05-06",
        "\"a\\tb \\u00e9\"",
        "'it''s'",
        "a b: c",
        "a #b",
        "a, b",
        "plain # remark",
        "\"\"",
        "~",
        "null",
        "Null",
        "",
        "'null'",
        "\"~\"",
        "-1",
        "- 1",
        "a\n      b",
        "\"a\n      b\"",
        "=",
        "<<",
    ] {
        let text = format!("version: 1\nuploads:\n  - module: Leads\n    x_a: {value}\n");
        #[derive(serde::Deserialize)]
        struct PlainRow {
            uploads: Vec<BTreeMap<String, Option<String>>>,
        }
        let (rows, problems) = read(ManifestFormat::Yaml, &text);
        match serde_yaml::from_str::<PlainRow>(&text) {
            Ok(plain) => {
                let wanted = plain.uploads[0]["x_a"].clone().unwrap_or_default();
                assert_eq!((rows[0][Field::ALL.len()].as_str(), problems.len()), (wanted.as_str(), 0), "{value}");
            }
            Err(error) => assert!(!problems.is_empty(), "{value}: only serde refuses it: {error}"),
        }
    }
}

#[test]
fn a_huge_value_ends_the_reading_and_not_the_memory() {
    let (_, problems) =
        read(ManifestFormat::Yaml, &format!("version: 1\nuploads:\n  - file: \"{}\"", "x".repeat(5 << 20)));
    assert_eq!(problems.iter().map(|problem| problem.code.as_str()).collect::<Vec<_>>(), ["row-too-large"]);
    let deep = format!("version: 1\nuploads:\n  - file: {}", "[".repeat(100_000));
    assert!(!read(ManifestFormat::Yaml, &deep).1.is_empty());
    let deep = format!(
        "version: 1\nuploads:\n  - file:\n{}",
        (0..400).map(|ix| format!("{}- \n", " ".repeat(5 + ix))).collect::<String>()
    );
    assert!(!read(ManifestFormat::Yaml, &deep).1.is_empty());
}

#[test]
fn carried_keys_beyond_the_limit_are_said_once() {
    let keys: String = (0..1_003).map(|ix| format!("    x_{ix}: a\n")).collect();
    let (_, problems) = read(ManifestFormat::Yaml, &format!("version: 1\nuploads:\n  - module: Leads\n{keys}"));
    assert_eq!(problems.iter().map(|problem| problem.code.as_str()).collect::<Vec<_>>(), ["too-many-columns"]);
}

#[test]
fn a_header_wider_than_any_sheet_is_refused_without_a_look_at_each_column() {
    let header = |columns: usize| format!("module,record,file{}\nLeads,7,a\n", ",x".repeat(columns - 3));
    let (rows, problems) = read(ManifestFormat::Csv, &header(16_385));
    let codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
    assert_eq!((rows.len(), codes), (0, vec![crate::problem::ProblemCode::TooManyColumns]));
    // As wide as a sheet, and empty but for its first columns: so spreadsheets save it.
    let wide = format!("module,record,file{}\nLeads,7,a\n", ",".repeat(16_381));
    assert_eq!(read(ManifestFormat::Csv, &wide).1, []);
}

#[test]
fn a_nul_written_as_an_escape_is_a_problem_wherever_it_stands() {
    for (head, row) in [("", "file: \"a\\0.txt\""), ("", "x_a: \"a\\0b\""), ("defaults: {x_a: \"a\\0b\"}\n", "file: a")]
    {
        let text = format!("version: 1\n{head}uploads:\n- module: Leads\n  record: 738964000000291009\n  {row}\n");
        let problems = read(ManifestFormat::Yaml, &text).1;
        assert!(problems.iter().any(|problem| problem.code == crate::problem::ProblemCode::NulCharacter), "{text}");
    }
}

#[test]
fn a_quote_that_stays_open_is_given_up_and_makes_no_bad_rows_of_what_follows() {
    let rows = "a,\n".repeat(600_000);
    let (read, problems) = read(ManifestFormat::Csv, &format!("module,record,file\nLeads,7,\"{rows}"));
    assert_eq!(read.len(), 1);
    let [problem] = problems.as_slice() else { panic!("{} problems", problems.len()) };
    assert_eq!((problem.code.as_str(), problem.line, problem.column), ("unclosed-quote", Some(2), Some(9)));
    assert!(problem.message.contains("1024 KiB"), "{}", problem.message);
}

#[test]
fn more_anchors_than_anybody_needs_end_the_reading() {
    let anchors: String = (0..5_000).map(|ix| format!("  - &a{ix} x\n")).collect();
    let (rows, problems) = read(ManifestFormat::Yaml, &format!("version: 1\nuploads:\n{anchors}"));
    assert_eq!(rows.len(), 1_000);
    let last = problems.iter().rfind(|problem| problem.row.is_none()).expect("the file as a whole is at stake");
    assert_eq!((last.code.as_str(), last.line), ("yaml-anchor", Some(1_003)));
}

#[test]
fn a_head_that_does_not_end_is_given_up() {
    let value = "x".repeat(60_000);
    let head: String = (0..100).map(|ix| format!("k{ix}: {value}\n")).collect();
    let (_, problems) = read(ManifestFormat::Yaml, &format!("version: 1\n{head}uploads: []\n"));
    assert_eq!(problems.last().map(|problem| problem.code.as_str()), Some("manifest-too-large"));
}

#[test]
fn a_manifest_beyond_the_limit_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["m.csv", "m.yaml"] {
        let path = folder.path().join(name);
        File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
        let refused = open(&Input::Path(path), &ReadOptions::default()).err().expect("refused").to_string();
        assert!(refused.contains("1.07 GB, and a manifest may have 1 GiB"), "{refused}");
    }
}
