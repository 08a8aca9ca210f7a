//! Members of zip archives and files with checksums, sent by the built program.

use std::io::Write as _;
use std::path::Path;

use crate::case::Case;
use crate::raw::{Raw, RawMoment};
use crate::service::RunningSandbox;

const HELLO_SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// The bytes of an archive whose members are stored as they are.
pub fn zip_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
    for (name, content) in members {
        let file = archive.new_file(*name).compression_method(rawzip::CompressionMethod::STORE);
        let (mut entry, config) = file.start().expect("begun");
        let mut data = config.wrap(&mut entry);
        data.write_all(content).expect("written");
        let (_, descriptor) = data.finish().expect("finished");
        entry.finish(descriptor).expect("ended");
    }
    archive.finish().expect("finished");
    bytes
}

/// A workbook of one sheet with these XML rows, and what stands behind them.
pub fn workbook_of(rows: &str, behind: &str) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const RELATIONS: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
    const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let relation = |kind: &str, target: &str| {
        format!(
            "<Relationships xmlns=\"{RELATIONS}\"><Relationship Id=\"r1\" Type=\"{OFFICE}/{kind}\" \
             Target=\"{target}\"/></Relationships>"
        )
    };
    let book = format!(
        "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><sheets><sheet name=\"Move\" sheetId=\"1\" \
         r:id=\"r1\"/></sheets></workbook>"
    );
    let sheet = format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData>{behind}</worksheet>");
    zip_of(&[
        ("_rels/.rels", relation("officeDocument", "xl/workbook.xml").as_bytes()),
        ("xl/workbook.xml", book.as_bytes()),
        ("xl/_rels/workbook.xml.rels", relation("worksheet", "worksheets/sheet1.xml").as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ])
}

/// An archive of one member of this name whose directory says something else of it than it should: bytes from this place of
/// its record on, where flags stand at 8, the method of packing at 10 and the size at 24.
pub fn zip_that_says(name: &str, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut archive = zip_of(&[(name, b"hello")]);
    let record = archive.windows(4).position(|four| four == b"PK\x01\x02").expect("a directory");
    archive[record + at..record + at + bytes.len()].copy_from_slice(bytes);
    archive
}

#[test]
fn members_of_an_archive_arrive_as_they_are() {
    let manifest = format!(
        "module,record,file,sha256\nLeads,738964000000291009,A.zip!/x/hello.txt,{HELLO_SHA256}\n\
         Leads,738964000000291010,A.zip!/x/two.txt,\n"
    );
    let archive = zip_of(&[("x/hello.txt", b"hello"), ("x/two.txt", b"two two")]);
    let case = Case::new().file("A.zip", archive).file("m.csv", manifest);
    let service = RunningSandbox::with_faults(&[]);
    service.run(&case, &[]).exits(0);
    assert_eq!(case.column("m.results.csv", "bytes"), ["5", "7"]);
    assert_eq!(case.column("m.results.csv", "name"), ["hello.txt", "two.txt"]);
    let created = service.created();
    assert!(created.iter().any(|one| one.sha256 == HELLO_SHA256), "{created:?}");
}

#[test]
fn a_member_with_damaged_bytes_is_never_completed_and_the_others_go() {
    let mut archive = zip_of(&[("bad.txt", b"hello"), ("good.txt", b"world")]);
    let at = archive.windows(5).position(|five| five == b"hello").expect("stored as it is");
    archive[at] = b'j';
    let manifest =
        "module,record,file\nLeads,738964000000291009,A.zip!/bad.txt\nLeads,738964000000291010,A.zip!/good.txt\n";
    let case = Case::new().file("A.zip", archive).file("m.csv", manifest);
    let service = RunningSandbox::with_faults(&[]);
    service.run(&case, &[]).exits(1);
    assert_eq!(case.column("m.results.csv", "status"), ["failed", "uploaded"]);
    assert_eq!(case.column("m.results.csv", "code"), ["file-read", ""]);
    assert_eq!(service.created().len(), 1);
}

/// Puts other bytes into a file so that size and time say nothing of it.
fn change_unseen(path: &Path) {
    let modified = path.metadata().and_then(|metadata| metadata.modified()).expect("a time");
    let mut file = std::fs::File::options().write(true).open(path).expect("it can be opened");
    file.write_all(b"jello").and_then(|()| file.set_modified(modified)).expect("written");
}

#[test]
fn bytes_that_change_between_check_and_sending_are_found_by_their_checksum() {
    let manifest = format!(
        "module,record,file,sha256\nLeads,738964000000291009,a.txt,\nDeals,738964000000291010,b.txt,{HELLO_SHA256}\n"
    );
    let case = Case::new().file("a.txt", "a").file("b.txt", "hello").file("m.csv", manifest);
    let path = case.path("b.txt");
    let raw = Raw::watched(&case, move |moment, number| {
        if (moment, number) == (RawMoment::Whole, 0) {
            change_unseen(&path);
        }
    });
    raw.run(&case, &[]).exits(1).says("checksum-differs");
    assert_eq!(case.column("m.results.csv", "status"), ["uploaded", "failed"]);
    assert_eq!(raw.arrived().len(), 1);
}

#[test]
fn a_file_with_another_checksum_keeps_the_whole_manifest_back() {
    let manifest = format!("module,record,file,sha256\nLeads,738964000000291009,a.txt,{HELLO_SHA256}\n");
    let case = Case::new().file("a.txt", "hullo").file("m.csv", manifest);
    case.run(&["run", "m.csv", "--dry-run", "--sandbox"]).exits(3).prints("checksum-differs");
    case.write("a.txt", "hello");
    case.run(&["run", "m.csv", "--dry-run", "--sandbox"]).exits(0);
}
