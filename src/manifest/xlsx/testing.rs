//! Small workbooks for tests, cell by cell as the format has them: a library writes only what is right.

use crate::archive::tests::{Pack, zip_of};

/// A workbook whose first sheet has these XML rows, and a second, empty sheet. `behind`: what stands behind the rows.
pub(crate) fn workbook_of(first: &str, rows: &str, behind: &str) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const RELATIONS: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
    const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let sheet = |rows: &str, behind: &str| {
        format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData>{behind}</worksheet>")
    };
    let relation = |id: &str, kind: &str, target: &str| {
        format!("<Relationship Id=\"{id}\" Type=\"{OFFICE}/{kind}\" Target=\"{target}\"/>")
    };
    let relations = |all: &str| format!("<Relationships xmlns=\"{RELATIONS}\">{all}</Relationships>");
    let book = format!(
        "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><sheets><sheet name=\"{first}\" sheetId=\"1\" r:id=\"r1\"/>\
         <sheet name=\"Other\" sheetId=\"2\" r:id=\"r2\"/></sheets></workbook>"
    );
    let of_book =
        relation("r1", "worksheet", "worksheets/sheet1.xml") + &relation("r2", "worksheet", "worksheets/sheet2.xml");
    let types = "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>";
    let parts = [
        ("[Content_Types].xml", types.to_owned()),
        ("_rels/.rels", relations(&relation("r1", "officeDocument", "xl/workbook.xml"))),
        ("xl/workbook.xml", book),
        ("xl/_rels/workbook.xml.rels", relations(&of_book)),
        ("xl/worksheets/sheet1.xml", sheet(rows, behind)),
        ("xl/worksheets/sheet2.xml", sheet("", "")),
    ];
    let parts: Vec<_> = parts.iter().map(|(name, text)| (*name, text.as_bytes(), Pack::Deflate)).collect();
    zip_of(&parts)
}

/// A row of texts from column A on; empty ones are left out, as a sheet does.
pub(crate) fn text_row(number: u32, cells: &[&str]) -> String {
    let cell = |(column, text): (usize, &&str)| match *text {
        "" => String::new(),
        text => format!(
            "<c r=\"{}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{text}</t></is></c>",
            super::cell_name(number, column)
        ),
    };
    format!("<row r=\"{number}\">{}</row>", cells.iter().enumerate().map(cell).collect::<String>())
}
