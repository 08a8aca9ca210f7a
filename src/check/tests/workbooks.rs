//! Manifests that are workbooks: what a sheet does to values, and where it is.

use super::*;
use crate::manifest::xlsx_testing::{text_row, workbook_of};

const HEADER: [&str; 5] = ["Module", "Record", "file", "name", "x_old"];

impl CheckFolder {
    fn workbook(&self, rows: &[String], behind: &str) -> Checkup {
        let bytes = workbook_of("Move 1", &rows.concat(), behind);
        self.check_bytes("m.xlsx", &bytes, &CheckOptions::default())
    }

    /// A row whose cell of this column is XML of its own, below a header.
    fn odd_cell(&self, column: char, cell: &str) -> Checkup {
        let mut cells = String::new();
        for (letter, text) in [('A', "Leads"), ('B', ID), ('C', "a.pdf"), ('D', "a.pdf"), ('E', "")] {
            match letter == column {
                true => cells += &cell.replace("AT", &format!("{letter}2")),
                false if text.is_empty() => {}
                false => cells += &format!("<c r=\"{letter}2\" t=\"str\"><v>{text}</v></c>"),
            }
        }
        self.workbook(&[text_row(1, &HEADER), format!("<row r=\"2\">{cells}</row>")], "")
    }
}

#[test]
fn a_sheet_is_read_like_a_table_of_text() {
    let folder = CheckFolder::new();
    let rows = [
        text_row(3, &["", "Module", "Record", "file", "name", "X_Old"]),
        text_row(5, &["", "Leads", ID, "docs/Ünï.txt", "Ünï &amp; more.txt", "007"]),
        "<row r=\"6\"><c r=\"B6\"/></row>".to_owned(),
        text_row(9, &["", " Sales_Orders ", &format!("zcrm_{ID}"), "a.pdf"]),
    ];
    let checkup = folder.workbook(&rows, "");
    assert_eq!(found(&checkup), ["outer-blanks 9:2 2 -", "zcrm-prefix 9:3 2 -"]);
    assert_eq!((checkup.rows, checkup.sound), (2, 2));
    assert_eq!(checkup.carried_columns, ["x_Old"]);
    assert_eq!((checkup.manifest.sheet.as_deref(), checkup.manifest.sha256.len()), (Some("Move 1"), 64));
    let checked = checkup.checked.unwrap();
    let upload = checked.upload(RowIx(0));
    assert_eq!((upload.line, upload.name, upload.module), (5, "Ünï & more.txt", "Leads"));
    assert_eq!(checked.carried(RowIx(0)).collect::<Vec<_>>(), ["007"]);
}

#[test]
fn rows_that_a_filter_hides_are_read_and_said_to_be_hidden() {
    let folder = CheckFolder::new();
    let row = |number: u32| text_row(number, &["Leads", ID, if number == 2 { "a.pdf" } else { "b.pdf" }]);
    let rows = [
        text_row(1, &HEADER),
        row(2),
        row(3).replace("<row ", "<row hidden=\"1\" "),
        "<row r=\"4\" hidden=\"1\"/>".to_owned(),
    ];
    let checkup = folder.workbook(&rows, "");
    assert_eq!((found(&checkup), checkup.sound), (vec!["rows-hidden -:- - -".to_owned()], 2));
    assert_eq!(checkup.problems[0].message, "1 row is hidden in the sheet and is read like all others: row 3");
}

#[test]
fn what_a_sheet_did_to_a_value_is_said_of_its_cell() {
    let folder = CheckFolder::new();
    for (column, cell, wanted, says) in [
        (
            'B',
            "<c r=\"AT\"><v>4150868000001944196</v></c>",
            "record-number-cell 2:2 1 record",
            "B2 is a number, 4150868000001940000",
        ),
        ('D', "<c r=\"AT\"><v>1234567890123456</v></c>", "cell-not-text 2:4 1 name", "1234567890123460"),
        (
            'D',
            "<c r=\"AT\" t=\"d\"><v>2024-03-01</v></c>",
            "cell-not-text 2:4 1 name",
            "D2 is a date or a time, 2024-03-01",
        ),
        ('C', "<c r=\"AT\" t=\"b\"><v>1</v></c>", "cell-not-text 2:3 1 file", "C2 is a truth value, TRUE"),
        ('C', "<c r=\"AT\"><f>A2&amp;1</f></c>", "cell-formula 2:3 1 file", "C2 has a formula"),
        ('E', "<c r=\"AT\"><f>A2&amp;1</f></c>", "cell-formula 2:5 1 -", "E2 has a formula"),
        (
            'B',
            "<c r=\"AT\" t=\"e\"><f>X1</f><v>#N/A</v></c>",
            "spreadsheet-error 2:2 1 record",
            "\"#N/A\" is the error",
        ),
        ('B', "<c r=\"AT\"><v>12</v></c>", "record-length 2:2 1 record", "12 has 2 digits"),
        ('A', "<c r=\"AT\" t=\"str\"><f>X1</f><v>Lead</v></c>", "module-label 2:1 1 module", "Lead"),
    ] {
        let checkup = folder.odd_cell(column, cell);
        assert_eq!(found(&checkup), [wanted], "{cell}");
        assert!(checkup.problems[0].message.contains(says), "{}", checkup.problems[0].message);
        assert_eq!((checkup.rows, checkup.sound), (1, 0), "{cell}");
    }
    for (column, cell) in [
        ('E', "<c r=\"AT\" t=\"d\"><v>2024-03-01</v></c>"),
        ('E', "<c r=\"AT\"><v>4150868000001944196</v></c>"),
        ('B', "<c r=\"AT\"><v>738964000000291</v></c>"),
        ('D', "<c r=\"AT\" t=\"str\"><f>X1</f><v>b.pdf</v></c>"),
        ('D', "<c r=\"AT\" t=\"str\"><f>X1</f><v></v></c>"),
    ] {
        assert_eq!(folder.odd_cell(column, cell).sound, 1, "{cell}");
    }
}

#[test]
fn a_merged_cell_counts_for_its_first_row_only_and_the_others_are_named() {
    let folder = CheckFolder::new();
    let rows = [
        text_row(1, &HEADER),
        text_row(2, &["Leads", ID, "a.pdf"]),
        text_row(3, &["Leads", "", "b.pdf"]),
        text_row(4, &["Leads", "", "docs/a.pdf"]),
        text_row(5, &["Leads", ID, "docs/UPPER.TXT"]),
    ];
    let merged = "<mergeCells count=\"2\"><mergeCell ref=\"B2:B4\"/><mergeCell ref=\"G1:H9\"/></mergeCells>";
    let checkup = folder.workbook(&rows, merged);
    assert_eq!(found(&checkup), ["cell-merged 3:2 2 record", "cell-merged 4:2 3 record"]);
    assert!(checkup.problems[0].message.starts_with("B3 is hidden by the merged cells B2:B4"));
    assert_eq!((checkup.rows, checkup.sound), (4, 2));
}

#[test]
fn a_sheet_without_the_columns_is_no_manifest() {
    let folder = CheckFolder::new();
    let title = folder.workbook(&[text_row(1, &["Our move"]), text_row(2, &HEADER)], "");
    assert_eq!(found(&title), ["header-missing 1:1 - -"]);
    let results = ["line", "module", "record", "file", "status", "attachment_id", "run", "key"];
    assert_eq!(found(&folder.workbook(&[text_row(1, &results)], "")), ["results-as-manifest 1:- - -"]);
    assert_eq!(found(&folder.workbook(&[], "")), ["no-rows -:- - -"]);
    let gap = [text_row(1, &["Module", "Record", "", "file"]), text_row(2, &["Leads", ID, "", "a.pdf", "more"])];
    assert_eq!(found(&folder.workbook(&gap, "")), ["column-unnamed 1:3 - -", "column-unnamed 2:5 1 -"]);
}

#[test]
fn another_sheet_is_read_by_its_name() {
    let folder = CheckFolder::new();
    folder.write("m.xlsx", &workbook_of("Move", &text_row(1, &HEADER), ""));
    let open = |sheet: &str, name: &str| {
        let options = manifest::ReadOptions { sheet: Some(sheet.to_owned()), ..Default::default() };
        manifest::open(&Input::Path(folder.folder.path().join(name)), &options)
            .map(|manifest| manifest.info().sheet.clone())
    };
    assert_eq!(open("other", "m.xlsx").unwrap().as_deref(), Some("Other"));
    let error = open("Moves", "m.xlsx").unwrap_err().to_string();
    assert!(error.contains("it has no sheet \"Moves\"; its sheets are Move, Other"), "{error}");
    folder.write("m.csv", b"module,record,file\n");
    let error = open("Move", "m.csv").unwrap_err().to_string();
    assert!(error.contains("is no workbook and has no sheets"), "{error}");
}

#[test]
fn a_workbook_beyond_the_bounds_is_refused_before_it_fills_the_memory() {
    let folder = CheckFolder::new();
    let row = |number: u32| format!("<row r=\"{number}\"><c r=\"A{number}\"><v>1</v></c></row>");
    let rows: String = (1..=200_002).map(row).collect();
    folder.write("m.xlsx", &workbook_of("Move", &rows, ""));
    let path = folder.folder.path().join("m.xlsx");
    let error =
        manifest::open(&Input::Path(path), &manifest::ReadOptions::default()).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("the sheet Move has more than 200,000 rows") && error.contains("CSV UTF-8"), "{error}");
}
