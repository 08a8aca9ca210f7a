//! `attache collect`, driven as a user drives it: from an export to attachments that are there.

use std::path::Path;

use crate::archives::zip_of;
use crate::case::Case;
use crate::service::RunningSandbox;

const CONTACT: &str = "0035g00000XyZ12AAB";
const LEAD: &str = "00Q5g00000XyZ12AAB";

/// A weekly export of Salesforce in two zips: one attachment, one document on two records, and what is left out.
fn export(case: Case) -> Case {
    let attachments =
        format!("Id,ParentId,Name\n00P5g00000AAA01AAA,{CONTACT},offer.pdf\n00P5g00000AAA02AAA,{CONTACT},gone.pdf\n");
    let versions = "Id,ContentDocumentId,IsLatest,Title,FileExtension,FileType,Checksum\n\
        0685g00000AAA01AAA,0695g00000DDD01AAA,1,Plan,txt,TEXT,900150983cd24fb0d6963f7d28e17f72\n";
    let links = format!(
        "LinkedEntityId,ContentDocumentId\n{CONTACT},0695g00000DDD01AAA\n{LEAD},0695g00000DDD01AAA\n0055g00000USER1AAA,0695g00000DDD01AAA\n"
    );
    case.file(
        "export/WE_1.zip",
        zip_of(&[
            ("Attachment.csv", attachments.as_bytes()),
            ("ContentVersion.csv", versions.as_bytes()),
            ("ContentDocumentLink.csv", links.as_bytes()),
        ]),
    )
    .file(
        "export/WE_2.zip",
        zip_of(&[("Attachments/00P5g00000AAA01AAA", b"hello"), ("ContentVersion/0685g00000AAA01AAA", b"abc")]),
    )
}

#[test]
fn an_export_of_another_system_arrives_byte_by_byte_on_the_right_records() {
    let case = export(Case::new());
    case.run(&["collect", "salesforce", "export", "-o", "m.csv"])
        .exits(1)
        .prints("m.csv: 3 rows")
        .prints("left-out.csv: 2 left out")
        .prints("linked-to-user")
        .prints("attache run m.csv --crosswalk crosswalk.csv --dry-run");
    let left_out = std::fs::read_to_string(case.path("left-out.csv")).expect("a list");
    assert!(left_out.starts_with("source,line,id,name,reason\n") && left_out.contains(",no-file\n"), "{left_out}");

    case.write(
        "crosswalk.csv",
        format!("module,key,record\nContacts,{CONTACT},738964000000291009\nLeads,{LEAD},738964000000291010\n"),
    );
    let service = RunningSandbox::with_faults(&[]);
    service.run(&case, &["--crosswalk", "crosswalk.csv"]).exits(0);
    let mut arrived: Vec<_> = service.created().into_iter().map(|one| (one.record, one.name, one.sha256)).collect();
    arrived.sort();
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
    let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824".to_owned();
    assert_eq!(
        arrived,
        [
            ("738964000000291009".to_owned(), "Plan.txt".to_owned(), abc.clone()),
            ("738964000000291009".to_owned(), "offer.pdf".to_owned(), hello),
            ("738964000000291010".to_owned(), "Plan.txt".to_owned(), abc),
        ]
    );
    let mut verify = case.command(&["verify", "m.results.csv", "--api-domain", &service.url(), "--rate", "none"]);
    verify.env("ZOHO_ACCESS_TOKEN", service.token());
    case.finish(verify.output()).exits(0);
    case.run(&["report", "m.results.csv", "-o", "m.html"]).exits(0);
    assert!(case.path("m.html").exists());
}

#[test]
fn collecting_again_takes_the_place_of_the_same_collection_and_of_nothing_else() {
    let case = export(Case::new()).file("mine.csv", "module,record,file\n");
    for _ in 0..2 {
        case.run(&["collect", "salesforce", "export"]).exits(1);
    }
    case.run(&["collect", "salesforce", "export", "-o", "mine.csv"]).exits(2).says("mine.csv is there already");
    case.run(&["collect", "salesforce", "export", "-o", "a.csv", "--left-out", "mine.csv"]).exits(2).says("--left-out");
    case.run(&["collect", "salesforce", "export", "-o", "a.csv", "--left-out", "a.csv"]).exits(2);
    assert!(!case.path("a.csv").exists());
}

#[test]
fn what_is_no_export_or_lacks_a_word_is_told_with_the_way_on() {
    let case = Case::new().file("x/photo.jpg", "a").file("x/annotation.csv", "annotationid,objectid,documentbody\n");
    case.run(&["collect", "salesforce", "x"]).exits(2).says("Attachment.csv").says("x/photo.jpg").says("collect table");
    case.run(&["collect", "dynamics", "x"]).exits(2).says("--extract DIR");
    case.run(&["collect", "folder", "x", "--pattern", "{key}"]).exits(2).says("--module NAME");
    case.run(&["collect", "folder", "x", "--pattern", "{kee}"]).exits(2).says("{kee}");
    case.run(&["collect", "table", "x", "--columns", "key=a"]).exits(2).says("--columns");
    case.run(&["collect", "table", "x", "--columns", "key"]).exits(2).says("column=Heading");
    case.run(&["collect", "hubspot", "x"]).exits(2).says("salesforce");
    case.run(&["collect", "folder", "nowhere", "--module", "Leads"]).exits(6).says("nowhere");
    case.run(&["explain", "linked-to-user"]).exits(0).prints("user");
}

#[test]
fn the_examples_are_collected_as_their_pages_say() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/collect");
    let case = Case::new();
    let share = examples.join("share").display().to_string();
    case.run(&["collect", "folder", &share, "-o", "share.csv"]).exits(1).prints("3 rows").prints("--root");
    let table = examples.join("table").display().to_string();
    let columns = "key=Old Id,module=Kind,file=Path,name=Title,url=Web,x_owner=Owner";
    case.run(&["collect", "table", &table, "--columns", columns, "-o", "table.csv"]).exits(1).prints("3 rows");
}
