//! `attache collect`, driven as a user drives it: from an export to attachments that are there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use attache::internals::sandbox::{Keep, SandboxOptions, read_records};
use sha2::{Digest as _, Sha256};

use crate::archives::{zip_of, zip_that_says};
use crate::case::Case;
use crate::first::example_at;
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
        .prints("m.left-out.csv: 2 left out")
        .prints("linked-to-user")
        .prints("attache crosswalk Contacts=FIELD Leads=FIELD --for m.csv")
        .prints("attache run m.csv --crosswalk crosswalk.csv --dry-run");
    let left_out = std::fs::read_to_string(case.path("m.left-out.csv")).expect("a list");
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

/// The commands that a page shows, without the sandbox, whose address they name.
fn commands_of(page: &str) -> Vec<Vec<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let text = std::fs::read_to_string(page).expect("a page");
    let lines = text.lines().filter_map(|line| line.strip_prefix("$ attache "));
    let commands = lines.filter(|line| !line.starts_with("sandbox ")).map(words);
    commands.collect()
}

/// A line as a shell takes it apart.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for c in line.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            c => words.last_mut().expect("a word").push(c),
        }
    }
    words
}

#[test]
fn the_whole_way_from_an_export_to_a_proof_goes_by_the_commands_of_its_page() {
    let case = example_at("salesforce", "examples/salesforce");
    let records = read_records(&case.path("examples/salesforce/records.csv")).expect("records");
    let service = RunningSandbox::start(SandboxOptions {
        records: Some(records),
        keep: Keep::Temporarily,
        ..SandboxOptions::default()
    });
    let mut statuses = Vec::new();
    for command in commands_of("whole-way.md") {
        let command: Vec<String> =
            command.iter().map(|word| word.replace("http://127.0.0.1:8080", &service.url())).collect();
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let mut process = case.command(&words);
        process.env("ZOHO_ACCESS_TOKEN", service.token());
        let done = case.finish(process.output());
        statuses.push((command[0].clone(), done.status.expect("no signal"), done.stdout + &done.stderr));
    }
    let ended: Vec<_> = statuses.iter().map(|(name, status, _)| (name.as_str(), *status)).collect();
    assert_eq!(
        ended,
        [("collect", 1), ("crosswalk", 0), ("doctor", 0), ("run", 0), ("run", 0), ("verify", 0), ("report", 0)],
        "{statuses:#?}"
    );
    assert!(statuses[2].2.contains("3 records of Accounts, Contacts, all there"), "{}", statuses[2].2);
    assert!(statuses[5].2.contains("5 the same, 0 different, 0 not compared"), "{}", statuses[5].2);

    // What each record has got is, byte by byte, what the export has for it.
    let bytes = |name: &str| std::fs::read(case.path("examples/salesforce/export").join(name)).expect("a file");
    let hash = |name: &str| Sha256::digest(bytes(name)).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut wanted = vec![
        ("738964000000512001", "Signed contract.txt", hash("Attachments/00P5g00000AAA01EAH")),
        ("738964000000513001", "Q3_Q4 figures.txt", hash("Attachments/00P5g00000AAA02EAH")),
        ("738964000000512001", "Price list.txt", hash("ContentVersion/0685g00000VVV02AAH")),
        ("738964000000513001", "Price list.txt", hash("ContentVersion/0685g00000VVV02AAH")),
        ("738964000000512002", "Kick-off.txt", hash("ContentVersion/0685g00000VVV03AAH")),
    ];
    wanted.sort();
    let created = service.created();
    let mut arrived: Vec<_> =
        created.iter().map(|one| (one.record.as_str(), one.name.as_str(), one.sha256.clone())).collect();
    arrived.sort();
    assert_eq!(arrived, wanted);
}

/// What a collection left out, counted by reason.
fn reasons(case: &Case, arguments: &[&str]) -> BTreeMap<String, usize> {
    case.run(&[&["collect"], arguments, &["-o", "m.csv", "--left-out", "out.csv"]].concat()).exits(1);
    let mut counts = BTreeMap::new();
    for reason in case.column("out.csv", "reason") {
        *counts.entry(reason).or_default() += 1;
    }
    counts
}

/// A weekly export of Salesforce with everything in it that can be left out.
fn export_with_every_flaw(case: Case) -> Case {
    let attachment = |number: u8| format!("00P5g00000AAA{number:02}EAH");
    let mut attachments = String::from("Id,ParentId,Name,IsDeleted\n");
    let mut line = |number: u8, parent: &str, name: &str, deleted: &str| {
        attachments.push_str(&format!("{},{parent},{name},{deleted}\n", attachment(number)));
    };
    line(1, CONTACT, "good.pdf", "0");
    line(2, CONTACT, "\"bro\"ken.pdf", "0");
    line(3, "", "orphan.pdf", "0");
    line(4, "3.5E+17", "damaged.pdf", "0");
    line(5, "a0B5g00000XyZ12AAB", "custom.pdf", "0");
    line(6, CONTACT, "gone.pdf", "1");
    line(7, CONTACT, "none.pdf", "0");
    line(8, CONTACT, "twice.pdf", "0");
    line(9, CONTACT, "empty.pdf", "0");
    line(10, CONTACT, "setup.exe", "0");
    line(11, CONTACT, "locked.pdf", "0");
    line(12, CONTACT, "two lines.pdf", "0");
    line(13, CONTACT, &"long".repeat(50_000), "0");
    let versions = "Id,ContentDocumentId,IsLatest,Title,FileExtension,FileType\n\
        0685g00000VVV01AAH,0695g00000DDD01AAH,0,Offer,pdf,PDF\n0685g00000VVV02AAH,0695g00000DDD01AAH,1,Offer,pdf,PDF\n\
        0685g00000VVV03AAH,0695g00000DDD02AAH,1,Note,snote,SNOTE\n0685g00000VVV04AAH,0695g00000DDD03AAH,1,Lonely,pdf,PDF\n";
    let links = format!(
        "ContentDocumentId,LinkedEntityId\n0695g00000DDD01AAH,{LEAD}\n0695g00000DDD03AAH,0055g00000USER1AAA\n\
         0695g00000DDD99AAH,{LEAD}\n"
    );
    let member = |number: u8, ending: &str| format!("Attachments/{}{ending}", attachment(number));
    let members: Vec<String> = [1, 2, 3, 4, 5, 6, 8, 9, 10].map(|number| member(number, "")).to_vec();
    let mut parts: Vec<(&str, &[u8])> =
        members.iter().map(|name| (name.as_str(), if *name == member(9, "") { &b""[..] } else { b"x" })).collect();
    let (twice, folded, nobodys) = (member(8, ".pdf"), member(12, ".a\nb"), member(99, ""));
    parts.extend([(twice.as_str(), &b"y"[..]), (&folded, b"x"), (&nobodys, b"x"), ("Attachments/Thumbs.db", b"x")]);
    for name in ["1", "2", "3", "4"] {
        parts.push(match name {
            "1" => ("ContentVersion/0685g00000VVV01AAH", b"old"),
            "2" => ("ContentVersion/0685g00000VVV02AAH", b"new"),
            "3" => ("ContentVersion/0685g00000VVV03AAH", b"note"),
            _ => ("ContentVersion/0685g00000VVV04AAH", b"lonely"),
        });
    }
    let tables = [
        ("Attachment.csv", attachments.as_bytes()),
        ("ContentVersion.csv", versions.as_bytes()),
        ("ContentDocumentLink.csv", links.as_bytes()),
    ];
    let whole = zip_of(&parts);
    let cut = whole[..whole.len() / 2].to_vec();
    // Flags stand at 8; the first bit says that the member is encrypted.
    let locked = zip_that_says(&member(11, ""), 8, &[9]);
    case.file("export/WE_1.zip", zip_of(&tables))
        .file("export/WE_2.zip", whole)
        .file("export/WE_3.zip", cut)
        .file("export/WE_4.zip", locked)
}

#[test]
fn every_reason_for_which_something_is_left_out_is_seen_and_explained() {
    let case = export_with_every_flaw(Case::new());
    let mut seen = reasons(&case, &["salesforce", "export"]);
    let rows = case.column("m.csv", "name");
    assert_eq!(rows, ["good.pdf", "Offer.pdf"], "{seen:?}");
    let of_salesforce: Vec<&str> = seen.keys().map(String::as_str).collect();
    assert_eq!(
        of_salesforce,
        [
            "broken-line",
            "cell-too-long",
            "deleted",
            "empty-file",
            "file-twice",
            "key-unfit",
            "linked-to-user",
            "member-unfit",
            "module-unknown-in-export",
            "no-document",
            "no-file",
            "no-line",
            "no-parent",
            "no-record-link",
            "old-version",
            "path-unfit",
            "program-file",
            "system-file",
            "text-note",
            "zip-damaged",
        ]
    );
    let backup = "Record Id,File Name,Parent.id,Parent Id.Module,Record Status,Field.id,Link URL\n\
        c1_a.pdf,a.pdf,zcrm_100000000000000001,Notes,,,\nc2_a.pdf,a.pdf,zcrm_100000000000000001,Leads,Trashed,,\n\
        c3_a.pdf,a.pdf,zcrm_100000000000000001,Leads,,zcrm_7,\n,,zcrm_100000000000000001,Leads,,,mailto:a@example.com\n";
    let case = case
        .file("backup/Attachments_001.csv", backup)
        .file("share/Leads/1/deep/a.pdf", "a")
        .file("d/annotation.csv", "annotationid,objectid,objecttypecode,filename,documentbody\na,c,contact,a.txt,%%\n");
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_row(0, 0, ["Old Id", "Path"]).and_then(|sheet| sheet.write_number(1, 0, 1e18)).expect("written");
    book.save(case.path("share/list.xlsx")).expect("saved");
    seen.extend(reasons(&case, &["table", "share", "--module", "Leads", "--columns", "key=Old Id,file=Path"]));
    seen.extend(reasons(&case, &["zoho-backup", "backup"]));
    seen.extend(reasons(&case, &["folder", "share"]));
    seen.extend(reasons(&case, &["dynamics", "d", "--extract", "bodies"]));
    let seen: BTreeSet<String> = seen.into_keys().collect();
    let known: BTreeSet<String> =
        attache::internals::explain::LEFT_OUT.iter().map(|page| page.code.to_owned()).collect();
    assert_eq!(seen, known);
    for reason in known {
        case.run(&["explain", &reason]).exits(0).prints(&reason);
    }
}
