//! Exports as an attacker would make them, or bad luck: named, left out, and the rest goes on.

use super::*;
use crate::archive::tests::zip_of_large_files;

/// The bytes of a zip in which one name stands where another one was written: no writer of zips makes such names.
fn zip_with_name(written: &str, wanted: &str) -> Vec<u8> {
    assert_eq!(written.len(), wanted.len());
    let mut bytes = zip_of(&[(written, b"content", Pack::Store), ("Attachments/c2_b.pdf", b"other", Pack::Store)]);
    let places: Vec<usize> = bytes
        .windows(written.len())
        .enumerate()
        .filter(|(_, window)| *window == written.as_bytes())
        .map(|(at, _)| at)
        .collect();
    for at in places {
        bytes[at..at + wanted.len()].copy_from_slice(wanted.as_bytes());
    }
    bytes
}

const BACKUP: &str = "Record Id,File Name,Parent.id,Parent Id.Module\n\
    c1_a.pdf,a.pdf,zcrm_100000000000000001,Leads\nc2_b.pdf,b.pdf,zcrm_100000000000000001,Leads\n";

#[test]
fn a_member_whose_name_climbs_out_of_its_zip_stays_a_member_of_it() {
    for (written, name) in [
        ("Attachments/xx/yy/c1_a.pdf", "Attachments/../../c1_a.pdf"),
        ("x/Attachments/c1_a.pdf", "//Attachments/c1_a.pdf"),
    ] {
        let case = ExportCase::new()
            .file("b/Attachments_001.csv", BACKUP)
            .file("b/Attachments_001.zip", zip_with_name(written, name));
        let done = case.collect("zoho-backup", &["b"]);
        let all = done.rows.len() + done.left_out.len();
        assert!(
            all >= 2 && done.rows.iter().any(|row| row.contains("c2_b.pdf")),
            "{:?} {:?}",
            done.rows,
            done.left_out
        );
        assert_eq!(problems(&case, None), [""; 0], "{name}");
    }
}

#[test]
fn an_export_of_more_than_four_gib_is_read_by_its_directory() {
    let case = ExportCase::new().file("b/Attachments_001.csv", BACKUP);
    zip_of_large_files(
        &case.path("b/Attachments_001.zip"),
        &[("Attachments/c1_a.pdf", 5 << 30, b""), ("Attachments/c2_b.pdf", 0, b"hello")],
    );
    let done = case.collect("zoho-backup", &["b"]);
    assert_eq!(done.rows.len(), 2, "{:?}", done.left_out);
    // Only the file that no attachment may be as large as is refused, and with its real size.
    let problems = problems(&case, None);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("file-too-large"), "{problems:?}");
}

#[test]
fn whichever_of_the_two_files_is_put_last_a_manifest_never_stands_beside_a_strange_list() {
    let case = salesforce();
    fs::write(&case.options.manifest, "module,key,file,name,url\nearlier\n").expect("written");
    // The list cannot take its place, as if the program had been ended before it could.
    fs::create_dir_all(case.path("left-out.csv/full")).expect("a folder");
    let error = case.try_collect("salesforce", &["WE"]).err().expect("it cannot be written");
    assert!(error.to_string().contains("left-out.csv"), "{error}");
    assert!(!case.options.manifest.exists(), "the earlier manifest is not the one of this export");
    let left: Vec<_> = fs::read_dir(case.folder.path()).expect("a folder").flatten().map(|e| e.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".attache")), "{left:?}");
}

#[test]
fn what_is_given_twice_is_refused_before_each_row_is_made_twice() {
    let case = salesforce().file("WE/WE_1.zip", zip_of(&[("a", b"a", Pack::Store)]));
    for places in [&["WE", "WE"][..], &["WE/WE_1.zip", "WE"], &["WE", "WE/../WE/Attachments"]] {
        let error = case.try_collect("salesforce", places).err().expect("refused");
        assert!(error.to_string().contains("which is given too"), "{error}");
    }
}

#[test]
fn without_a_mark_the_version_with_the_greatest_number_is_the_latest() {
    let versions = "Id,ContentDocumentId,VersionNumber,Title,FileExtension\n\
        0685g00000AAA01AAA,0695g00000DDD01AAA,9,Offer,pdf\n\
        0685g00000AAA02AAA,0695g00000DDD01AAA,10,Offer,pdf\n\
        0685g00000AAA03AAA,0695g00000DDD01AAA,2,Offer,pdf\n";
    let mut case = ExportCase::new().file("WE/ContentVersion.csv", versions).file(
        "WE/ContentDocumentLink.csv",
        format!("ContentDocumentId,LinkedEntityId\n0695g00000DDD01AAA,{CONTACT}\n"),
    );
    for number in 1..=3 {
        case = case.file(&format!("WE/ContentVersion/0685g00000AAA0{number}AAA"), "x");
    }
    let done = case.collect("salesforce", &["WE"]);
    assert!(matches!(&done.rows[..], [row] if row.contains("0685g00000AAA02AAA")), "{:?}", done.rows);
    assert_eq!(
        done.left_out,
        [
            "WE/ContentVersion.csv:2|0685g00000AAA01AAA|Offer.pdf|old-version",
            "WE/ContentVersion.csv:4|0685g00000AAA03AAA|Offer.pdf|old-version",
        ]
    );
}

#[test]
fn a_document_whose_only_link_finds_no_file_is_left_out_for_that_and_not_as_unlinked() {
    let versions =
        "Id,ContentDocumentId,IsLatest,Title,FileExtension\n0685g00000AAA01AAA,0695g00000DDD01AAA,1,Offer,pdf\n";
    let case = ExportCase::new().file("WE/ContentVersion.csv", versions).file(
        "WE/ContentDocumentLink.csv",
        format!("ContentDocumentId,LinkedEntityId\n0695g00000DDD01AAA,{CONTACT}\n"),
    );
    let done = case.collect("salesforce", &["WE"]);
    assert_eq!(
        done.left_out,
        [
            "WE/ContentDocumentLink.csv:2|0685g00000AAA01AAA|Offer.pdf|no-file",
            "WE/ContentVersion.csv:2|0685g00000AAA01AAA|Offer.pdf|no-file",
        ]
    );
}

#[test]
fn a_table_inside_a_zip_that_is_damaged_keeps_everything_back_and_is_named() {
    let table = format!("Id,ParentId,Name\n00P5g00000AAA01AAA,{CONTACT},a.pdf\n");
    let mut bytes = zip_of(&[("Attachment.csv", table.as_bytes(), Pack::Store)]);
    let at = bytes.windows(5).position(|five| five == b"a.pdf").expect("stored as it is");
    bytes[at] = b'b';
    let case = ExportCase::new().file("WE/WE_1.zip", bytes);
    let error = case.try_collect("salesforce", &["WE"]).err().expect("damaged");
    assert!(error.to_string().contains("WE/WE_1.zip!/Attachment.csv"), "{error}");
    assert!(!case.options.manifest.exists() && !case.options.left_out.exists(), "nothing is written");
}

#[test]
fn a_row_longer_than_any_is_left_out_and_those_behind_it_are_read() {
    let long = "x".repeat(17 << 20);
    let table = format!(
        "Id,ParentId,Name,Description\n00P5g00000AAA01AAA,{CONTACT},a.pdf,\"{long}\"\n00P5g00000AAA02AAA,{CONTACT},b.pdf,\"{}\"\n",
        "y".repeat(200_000)
    );
    let case = ExportCase::new()
        .file("WE/Attachment.csv", table)
        .file("WE/Attachments/00P5g00000AAA01AAA", "a")
        .file("WE/Attachments/00P5g00000AAA02AAA", "a");
    let done = case.collect("salesforce", &["WE"]);
    assert!(matches!(&done.rows[..], [row] if row.contains("b.pdf")), "{:?} {:?}", done.rows, done.left_out);
    assert!(done.left_out.iter().any(|line| line.ends_with("broken-line")), "{:?}", done.left_out);
}

#[test]
fn headings_in_any_script_and_a_table_in_another_encoding_are_read() {
    let table = "旧ID\t種類\tパス\nü-1\tLeads\tdocs/a.pdf\n";
    let utf16: Vec<u8> = [0xFF, 0xFE].into_iter().chain(table.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let case = ExportCase::new().file("old/list.csv", utf16).file("old/docs/a.pdf", "a").with(|options| {
        let columns = [("key", "旧ID"), ("module", "種類"), ("file", "パス")];
        options.columns = columns.map(|(column, heading)| (column.to_owned(), heading.to_owned())).to_vec();
    });
    let done = case.collect("table", &["old"]);
    assert_eq!(done.rows, ["Leads|ü-1|old/docs/a.pdf|||"]);
}

#[test]
fn a_cell_that_no_manifest_takes_leaves_its_line_out_and_long_cells_that_nobody_reads_do_not_matter() {
    let (long, longer) = ("x".repeat(200_000), "y".repeat(70_000));
    let table = format!(
        "Id,ParentId,Name,Description\n00P5g00000AAA01AAA,{CONTACT},{long}.pdf,\n00P5g00000AAA02AAA,{CONTACT},b.pdf,{long}\n\
         {longer},{CONTACT},c.pdf,\n"
    );
    let case = ExportCase::new()
        .file("WE/Attachment.csv", table)
        .file("WE/Attachments/00P5g00000AAA01AAA", "a")
        .file("WE/Attachments/00P5g00000AAA02AAA", "a");
    let done = case.collect("salesforce", &["WE"]);
    assert!(matches!(&done.rows[..], [row] if row.contains("b.pdf")), "{:?}", done.left_out);
    assert_eq!(
        done.left_out,
        [
            "WE/Attachment.csv:2|00P5g00000AAA01AAA||cell-too-long".to_owned(),
            format!("WE/Attachment.csv:4|{}||cell-too-long", "y".repeat(255)),
            "WE/Attachments/00P5g00000AAA01AAA||00P5g00000AAA01AAA|no-line".to_owned(),
        ]
    );
    assert_eq!(problems(&case, None), [""; 0]);
}

#[test]
fn a_title_and_an_extension_that_are_too_long_together_are_left_out() {
    let (title, extension) = ("t".repeat(60_000), "e".repeat(60_000));
    let versions = format!(
        "Id,ContentDocumentId,IsLatest,Title,FileExtension\n0685g00000AAA01AAA,0695g00000DDD01AAA,1,{title},{extension}\n"
    );
    let case = ExportCase::new()
        .file("WE/ContentVersion.csv", versions)
        .file("WE/ContentDocumentLink.csv", format!("ContentDocumentId,LinkedEntityId\n0695g00000DDD01AAA,{CONTACT}\n"))
        .file("WE/ContentVersion/0685g00000AAA01AAA", "a");
    let done = case.collect("salesforce", &["WE"]);
    assert_eq!(done.rows, [""; 0]);
    assert!(done.left_out.iter().all(|line| line.ends_with("|cell-too-long")), "{:?}", done.left_out);
}

/// Only where a file may have holes.
#[cfg(unix)]
#[test]
fn a_table_of_terabytes_is_refused_by_its_size() {
    let case = ExportCase::new().file("WE/Attachment.csv", "");
    fs::File::options()
        .write(true)
        .open(case.path("WE/Attachment.csv"))
        .expect("open")
        .set_len(5 << 40)
        .expect("sparse");
    let error = case.try_collect("salesforce", &["WE"]).err().expect("refused");
    assert!(error.to_string().contains("a table of an export may have 16 GiB"), "{error}");
    assert!(!case.options.manifest.exists() && !case.options.left_out.exists(), "nothing is written");
}

#[test]
fn a_note_without_an_id_is_nobody_elses_parent() {
    let case = ExportCase::new()
        .file(
            "crm/notes.csv",
            "id,filename,parent_type,parent_id,note_parent_id\n,a.pdf,Accounts,acc-1,\nn2,b.pdf,,,\n",
        )
        .file("crm/upload/n2", "b");
    let done = case.collect("suitecrm", &["crm"]);
    assert_eq!(done.rows, [""; 0], "nothing says whose the second file is");
    assert!(done.left_out.iter().any(|line| line == "crm/notes.csv:3|n2|b.pdf|no-parent"), "{:?}", done.left_out);
}

#[test]
fn an_attached_csv_that_cannot_be_read_is_a_file_like_any_other() {
    let case = ExportCase::new()
        .file("old/list.csv", "Old Id,Path\nA-1,docs/odd.csv\n")
        .file("old/docs/odd.csv", "\"a\"b,c\n1,2\n")
        .with(|options| {
            options.columns = [("key", "Old Id"), ("file", "Path")].map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec();
            options.module = Some("Leads".to_owned());
        });
    let done = case.collect("table", &["old"]);
    assert_eq!(done.rows, ["Leads|A-1|old/docs/odd.csv|||"]);
}

#[test]
fn paths_are_read_from_the_tables_folder_wherever_the_files_are_given() {
    let columns = |options: &mut CollectOptions| {
        options.columns = [("key", "Id"), ("file", "Path")].map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec();
        options.module = Some("Leads".to_owned());
    };
    let table = "Id,Path\nA-1,files/a.pdf\nA-2,./files/deep/b.pdf\nA-3,a.pdf\n";
    let case = || {
        let case = ExportCase::new().file("old/list.csv", table).with(columns);
        case.file("old/files/a.pdf", "a").file("old/files/deep/b.pdf", "b")
    };
    let both = ["Leads|A-1|old/files/a.pdf|||", "Leads|A-2|old/files/deep/b.pdf|||"];
    for places in [&["old"][..], &["old/list.csv", "old/files"], &["old/files", "old/list.csv"]] {
        let done = case().collect("table", places);
        let third = if places.len() == 1 { None } else { Some("Leads|A-3|old/files/a.pdf|||") };
        let wanted: Vec<&str> = both.into_iter().chain(third).collect();
        assert_eq!(done.rows, wanted, "{places:?}");
    }
}

#[test]
fn ids_of_15_and_of_18_characters_are_the_same_id_in_tables_and_in_names_of_files() {
    let table = format!(
        "Id,ParentId,Name\n00P5g00000AAA01,{CONTACT},a.pdf\n00P5g00000AAA02EAH,{},b.pdf\n00P5g00000AAA03EAH,{CONTACT},c.pdf\n",
        &CONTACT[..15]
    );
    let case = ExportCase::new()
        .file("WE/Attachment.csv", table)
        .file("WE/Attachments/00P5g00000AAA01EAH.pdf", "a")
        .file("WE/Attachments/00P5g00000AAA02", "b")
        .file("WE/Attachments/00P5g00000AAA03", "one")
        .file("WE/Attachments/00P5g00000AAA03EAH", "two");
    let done = case.collect("salesforce", &["WE"]);
    assert_eq!(done.rows.len(), 2, "{:?}", done.left_out);
    assert!(done.rows[1].starts_with(&format!("Contacts|{}|WE/Attachments/00P5g00000AAA02|", &CONTACT[..15])));
    // Which of the two files is the right one nobody knows.
    assert_eq!(done.left_out.len(), 3, "{:?}", done.left_out);
    assert!(done.left_out.iter().all(|line| line.ends_with("|file-twice")), "{:?}", done.left_out);
}
