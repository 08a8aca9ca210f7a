//! Workbooks as tables of an export.

use super::*;
use crate::manifest::xlsx_testing::{text_row, workbook_of};

fn mapped(options: &mut CollectOptions) {
    let columns = [("key", "Old Id"), ("file", "Path"), ("name", "Title"), ("x_made", "Made")];
    options.columns = columns.map(|(column, heading)| (column.to_owned(), heading.to_owned())).to_vec();
    options.module = Some("Leads".to_owned());
}

fn case(rows: &str, behind: &str) -> ExportCase {
    ExportCase::new()
        .file("old/list.xlsx", workbook_of("List", rows, behind))
        .file("old/docs/a.pdf", "a")
        .file("old/docs/b.pdf", "b")
        .with(mapped)
}

#[test]
fn a_sheet_is_read_as_a_csv_is_and_its_workbook_is_no_file_of_the_export() {
    let rows = text_row(2, &["", "Old Id", "Path", "Title", "Made"])
        + &text_row(3, &["", "A-1", "docs\\a.pdf", "Offer.pdf", "May"])
        + &text_row(5, &["", "A-2", "docs/none.pdf"]);
    let done = case(&rows, "").collect("table", &["old"]);
    assert_eq!(done.rows, ["Leads|A-1|old/docs/a.pdf|Offer.pdf||May|"]);
    assert_eq!(done.left_out, ["old/list.xlsx:5|A-2|docs/none.pdf|no-file", "old/docs/b.pdf||b.pdf|no-line"]);
}

#[test]
fn what_a_sheet_has_done_to_a_value_leaves_its_row_out_unless_the_value_is_only_carried_along() {
    let number = |row: u32, key: &str, made: &str| {
        format!("<row r=\"{row}\">{key}<c r=\"B{row}\" t=\"inlineStr\"><is><t>docs/a.pdf</t></is></c>{made}</row>")
    };
    let rows = text_row(1, &["Old Id", "Path", "Title", "Made"])
        + &number(2, "<c r=\"A2\"><v>4150868000001944196</v></c>", "")
        + &number(3, "<c r=\"A3\" t=\"b\"><v>1</v></c>", "")
        + &number(4, "<c r=\"A4\"><f>B1</f></c>", "")
        + &number(5, "<c r=\"A5\"><v>17</v></c>", "<c r=\"D5\" t=\"b\"><v>1</v></c>")
        + &text_row(6, &["", "docs/b.pdf"]);
    let merged = "<mergeCells count=\"1\"><mergeCell ref=\"A5:A6\"/></mergeCells>";
    let done = case(&rows, merged).collect("table", &["old"]);
    assert_eq!(done.rows, ["Leads|17|old/docs/a.pdf|||TRUE|"]);
    let lost: Vec<&String> = done.left_out.iter().filter(|line| line.ends_with("cell-lost")).collect();
    assert_eq!(lost.len(), 4, "{:?}", done.left_out);
}

#[test]
fn the_sheet_may_be_named_and_a_file_that_is_no_workbook_is_named_where_nothing_else_is_found() {
    let rows = text_row(1, &["Old Id", "Path", "Title", "Made"]) + &text_row(2, &["A-1", "docs/a.pdf"]);
    let named = |name: &str| case(&rows, "").with(|options| options.sheet = Some(name.to_owned()));
    assert_eq!(named("list").collect("table", &["old"]).rows.len(), 1);
    for (case, wanted) in [
        (named("Elsewhere"), "it has no sheet \"Elsewhere\"; its sheets are List, Other"),
        (named("Other"), "old/list.xlsx with"),
        (case("", "").file("old/list.xlsx", "no workbook"), "it is no workbook that can be read"),
    ] {
        let error = case.try_collect("table", &["old"]).err().expect("refused").to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn a_workbook_in_a_zip_is_a_table_and_one_deeper_down_is_a_file() {
    let rows = text_row(1, &["Old Id", "Path", "Title", "Made"]) + &text_row(2, &["A-1", "docs/list.xlsx"]);
    let book = workbook_of("List", &rows, "");
    let zip = zip_of(&[("list.xlsx", &book, Pack::Deflate), ("docs/list.xlsx", &book, Pack::Store)]);
    let done = ExportCase::new().file("old.zip", zip).with(mapped).collect("table", &["old.zip"]);
    assert_eq!(done.rows, ["Leads|A-1|old.zip!/docs/list.xlsx||||"]);
    assert_eq!(done.left_out, [""; 0]);
}
