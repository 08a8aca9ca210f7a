//! Whole exports through each recipe: what is taken, what is left out and why, and that nothing is lost on the way.

mod generated;
mod hostile;
mod workbooks;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::archive::tests::{Pack, zip_of};

/// A folder with an export in it.
struct ExportCase {
    folder: tempfile::TempDir,
    options: CollectOptions,
}

/// What a collection wrote.
struct CollectedFiles {
    collected: Collected,
    /// `module key file name url` of each row, and its other columns.
    rows: Vec<String>,
    /// `source:line id name reason` of each line of the list.
    left_out: Vec<String>,
}

impl ExportCase {
    fn new() -> ExportCase {
        let folder = tempfile::tempdir().expect("a folder");
        let options = CollectOptions {
            manifest: folder.path().join("manifest.csv"),
            left_out: folder.path().join("left-out.csv"),
            ..CollectOptions::default()
        };
        ExportCase { folder, options }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(self, name: &str, content: impl AsRef<[u8]>) -> ExportCase {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, content).expect("written");
        self
    }

    fn zip(self, name: &str, members: &[(&str, &str)]) -> ExportCase {
        let members: Vec<_> = members.iter().map(|(name, text)| (*name, text.as_bytes(), Pack::Deflate)).collect();
        self.file(name, zip_of(&members))
    }

    fn with(self, change: impl FnOnce(&mut CollectOptions)) -> ExportCase {
        let mut case = self;
        change(&mut case.options);
        case
    }

    fn try_collect(&self, recipe: &str, places: &[&str]) -> Result<CollectedFiles, CollectError> {
        let places: Vec<PathBuf> = places.iter().map(|place| self.path(place)).collect();
        let collected = collect(recipe, &places, &self.options, &mut |_| {})?;
        let rows = read(&self.options.manifest, &|cells| cells.join("|"));
        let left_out = read(&self.options.left_out, &|cells| {
            let [source, line, id, name, reason] = [0, 1, 2, 3, 4].map(|at| crate::results::decode_cell(&cells[at]));
            let place = if line.is_empty() { source.into_owned() } else { format!("{source}:{line}") };
            format!("{place}|{id}|{name}|{reason}")
        });
        Ok(CollectedFiles { collected, rows, left_out })
    }

    #[track_caller]
    fn collect(&self, recipe: &str, places: &[&str]) -> CollectedFiles {
        self.try_collect(recipe, places).unwrap_or_else(|error| panic!("{error}"))
    }
}

fn read(path: &Path, show: &dyn Fn(&[String]) -> String) -> Vec<String> {
    let mut reader = csv::Reader::from_path(path).expect("a CSV");
    let rows = reader.records().map(|row| {
        let cells: Vec<String> = row.expect("a row").iter().map(str::to_owned).collect();
        show(&cells)
    });
    rows.collect()
}

/// The problems for which a run would refuse the manifest, but for what only a crosswalk can tell.
fn problems(case: &ExportCase, root: Option<PathBuf>) -> Vec<String> {
    let settings = crate::manifest::ReadOptions { root, ..Default::default() };
    let input = crate::manifest::Input::Path(case.options.manifest.clone());
    let manifest = crate::manifest::open(&input, &settings).expect("it opens");
    let options = crate::check::CheckOptions { custom_modules: vec!["Vessels".to_owned()], ..Default::default() };
    let problems = crate::check::check_anew(manifest, &options).problems;
    let errors = problems.iter().filter(|problem| problem.severity == crate::problem::Severity::Error);
    let codes = errors.map(|problem| format!("{} {:?}", problem.code, problem.value));
    codes.filter(|code| !code.starts_with("crosswalk-missing") && !code.starts_with("tolerated")).collect()
}

const CONTACT: &str = "0035g00000XyZ12AAB";
const LEAD: &str = "00Q5g00000XyZ12";

#[test]
fn a_folder_for_each_record_becomes_a_row_for_each_file() {
    let case = ExportCase::new()
        .file("share/Contacts/4711/offer.pdf", "a")
        .file("share/Contacts/4711/deep/plan.pdf", "a")
        .file("share/Leads/A-1/.DS_Store", "a")
        .file("share/Leads/A-1/order \"7\".pdf", "a")
        .file("share/Leads/A-1/empty.pdf", "")
        .file("share/Leads/A-1/setup.exe", "a")
        .file("share/Leads/A-1/bundle.zip", "no zip")
        .file("share/readme.txt", "a");
    let done = case.collect("folder", &["share"]);
    assert_eq!(
        done.rows,
        [
            "Contacts|4711|share/Contacts/4711/offer.pdf|||",
            "Leads|A-1|share/Leads/A-1/bundle.zip|||",
            "Leads|A-1|share/Leads/A-1/order \"7\".pdf|order _7_.pdf||order \"7\".pdf",
        ]
    );
    assert_eq!(
        done.left_out,
        [
            "share/Contacts/4711/deep/plan.pdf||plan.pdf|no-pattern",
            "share/Leads/A-1/.DS_Store||.DS_Store|system-file",
            "share/Leads/A-1/empty.pdf||empty.pdf|empty-file",
            "share/Leads/A-1/setup.exe||setup.exe|program-file",
            "share/readme.txt||readme.txt|no-pattern",
        ]
    );
    assert_eq!(problems(&case, None), [""; 0]);
}

#[test]
fn names_that_begin_with_the_key_are_split_and_a_manifest_in_the_folder_is_no_part_of_it() {
    let case = ExportCase::new().file("4711_a_b.pdf", "a").file("4712.pdf", "a").with(|options| {
        options.pattern = Some("{key}_{name}".to_owned());
        options.module = Some("Contacts".to_owned());
    });
    for _ in 0..2 {
        let done = case.collect("folder", &["."]);
        assert_eq!(done.rows, ["Contacts|4711|4711_a_b.pdf|a_b.pdf||"]);
        assert_eq!(done.left_out, ["4712.pdf||4712.pdf|no-pattern"]);
    }
}

#[test]
fn an_export_elsewhere_is_named_by_whole_paths_and_its_folder_given_as_root() {
    let case = ExportCase::new().file("share/Leads/1/a.pdf", "a").file("m/x", "").with(|options| {
        options.manifest = options.manifest.with_file_name("m").join("manifest.csv");
    });
    let done = case.collect("folder", &["share"]);
    let root = case.path("share").canonicalize().expect("there");
    assert_eq!(done.collected.root.as_deref(), Some(root.as_path()));
    assert_eq!(done.rows, [format!("Leads|1|{}/Leads/1/a.pdf|||", root.display())]);
    assert_eq!(problems(&case, done.collected.root), [""; 0]);
    assert!(problems(&case, None)[0].starts_with("file-outside"));
}

/// An export of Salesforce with everything in it that goes wrong.
fn salesforce() -> ExportCase {
    let big = "x".repeat(200_000);
    let attachment = format!(
        "\u{feff}\"Id\",\"ParentId\",\"Name\",\"OwnerId\",\"CreatedDate\",\"Description\"\n\
         \"00P5g00000AAA01AAA\",\"{CONTACT}\",\"Q1/Q2.pdf\",\"0055g\",\"2020-01-01\",\"{big}\"\n\
         \"00P5g00000AAA02AAA\",\"{LEAD}\",\"b.pdf\",\"\",\"\",\"two\nlines\"\n\
         \"00P5g00000AAA03AAA\",\"{CONTACT}\",\"gone.pdf\",\"\",\"\",\"\"\n\
         \"00P5g00000AAA04AAA\",\"a0B5g00000XyZ12AAB\",\"custom.pdf\",\"\",\"\",\"\"\n\
         \"00P5g00000AAA05AAA\",\"\",\"orphan.pdf\",\"\",\"\",\"\"\n\
         \"00P5g00000AAA06AAA\",\"{CONTACT}\",\"bro\"ken.pdf\",\"\",\"\",\"\"\n\
         \"00P5g00000AAA07AAA\",\"{CONTACT}\",\"never closed,\"\",\"\",\"\"\n\
         \"00P5g00000AAA08AAA\",\"{CONTACT}\",\"twice.pdf\",\"\",\"\",\"\"\n\
         \"00P5g00000AAA09AAA\",\"3.5E+17\",\"damaged.pdf\",\"\",\"\",\"\"\n\
         \"00P5g00000AAA10AAA\",\"{CONTACT}\",\"setup.exe\",\"\",\"\",\"\"\n\
         \"00P5g00000AAA11AAA\",\"{CONTACT}\",\"none.pdf\",\"\",\"\",\"\"\n"
    );
    let mut case = ExportCase::new().file("WE/Attachment.csv", attachment);
    for id in ["01", "02", "04", "05", "09", "10"] {
        case = case.file(&format!("WE/Attachments/00P5g00000AAA{id}AAA"), "content");
    }
    case.file("WE/Attachments/00P5g00000AAA08AAA.pdf", "one")
        .file("WE/Attachments/00P5g00000AAA08AAA", "two")
        .file("WE/Attachments/00P5g00000AAA11AAA", "")
        .file("WE/Attachments/00P5g00000AAA99AAA", "nobody's")
        .file("WE/Attachments/Thumbs.db", "x")
}

#[test]
fn attachments_of_salesforce_are_taken_and_every_other_line_and_file_has_a_reason() {
    let case = salesforce();
    let done = case.collect("salesforce", &["WE"]);
    assert_eq!(
        done.rows,
        [
            format!(
                "Contacts|{CONTACT}|WE/Attachments/00P5g00000AAA01AAA|Q1_Q2.pdf|||00P5g00000AAA01AAA|0055g|2020-01-01|Q1/Q2.pdf"
            ),
            format!("Leads|{LEAD}|WE/Attachments/00P5g00000AAA02AAA|b.pdf|||00P5g00000AAA02AAA||||")
                .replace("||||", "|||"),
        ]
    );
    let reasons: Vec<_> = done.left_out.iter().map(|line| line.rsplit_once('|').expect("cells").1).collect();
    assert_eq!(
        reasons,
        [
            "no-file",
            "module-unknown-in-export",
            "no-parent",
            "broken-line",
            "broken-line",
            "file-twice",
            "file-twice",
            "file-twice",
            "key-unfit",
            "program-file",
            "empty-file",
            "no-line",
            "system-file",
        ]
    );
    assert!(done.left_out[3].starts_with("WE/Attachment.csv:8|"), "{}", done.left_out[3]);
    assert_eq!(done.collected.counts.lines, 11);
    assert_eq!(problems(&case, None), [""; 0]);
}

#[test]
fn a_document_goes_to_each_record_that_it_is_linked_to_in_its_latest_version() {
    let versions = "Id,ContentDocumentId,IsLatest,Title,FileExtension,FileType,Checksum,OwnerId,CreatedDate\n\
        0685g00000AAA01AAA,0695g00000DDD01AAA,0,Offer,pdf,PDF,900150983cd24fb0d6963f7d28e17f72,,\n\
        0685g00000AAA02AAA,0695g00000DDD01AAA,1,Offer,pdf,PDF,900150983cd24fb0d6963f7d28e17f72,0055,2021\n\
        0685g00000AAA03AAA,0695g00000DDD02AAA,1,My note,snote,SNOTE,,,\n\
        0685g00000AAA04AAA,0695g00000DDD03AAA,1,Shared only,txt,TEXT,,,\n\
        0685g00000AAA05AAA,0695g00000DDD04AAA,1,Lonely.txt,txt,TEXT,,,\n";
    let links = format!(
        "Id,LinkedEntityId,ContentDocumentId\n\
         1,{CONTACT},0695g00000DDD01AAA\n\
         2,{LEAD},0695g00000DDD01\n\
         3,0055g00000USER1AAA,0695g00000DDD01AAA\n\
         4,00G5g00000GROUPAAA,0695g00000DDD03AAA\n\
         5,{CONTACT},0695g00000DDD02AAA\n\
         6,{CONTACT},0695g00000DDD99AAA\n"
    );
    let case = ExportCase::new().zip(
        "WE_1.zip",
        &[
            ("ContentVersion.csv", versions),
            ("ContentDocumentLink.csv", &links),
            ("ContentVersion/0685g00000AAA01AAA", "old"),
            ("ContentVersion/0685g00000AAA02AAA", "abc"),
            ("ContentVersion/0685g00000AAA03AAA", "note"),
            ("ContentVersion/0685g00000AAA04AAA", "shared"),
            ("ContentVersion/0685g00000AAA05AAA", "lonely"),
        ],
    );
    let done = case.collect("salesforce", &["WE_1.zip"]);
    let file = "WE_1.zip!/ContentVersion/0685g00000AAA02AAA";
    let rest = "900150983cd24fb0d6963f7d28e17f72|0685g00000AAA02AAA|0055|2021|";
    assert_eq!(
        done.rows,
        [format!("Contacts|{CONTACT}|{file}|Offer.pdf||{rest}"), format!("Leads|{LEAD}|{file}|Offer.pdf||{rest}"),]
    );
    let reasons: BTreeMap<&str, u64> =
        done.collected.counts.left_out.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
    let wanted =
        [("linked-to-user", 2), ("no-document", 1), ("no-record-link", 2), ("old-version", 1), ("text-note", 2)];
    assert_eq!(reasons, BTreeMap::from(wanted), "{:?}", done.left_out);
    assert_eq!(problems(&case, None), [""; 0], "the checksum is the member's");
}

/// A backup of Zoho CRM in Italian, in zips.
fn backup() -> ExportCase {
    let attachments = "\u{feff}ID record,Nome file,Dimensione,ID  principale.id,Parent Id.Module,Stato,Ora creazione,Campo.id,Link URL\n\
        c1_offerta.pdf,offerta.pdf,5,zcrm_100000000000000001,Potentials,,2020,,\n\
        c2_nota.pdf,nota.pdf,5,zcrm_100000000000000900,Notes,,2020,,\n\
        c3_mail.pdf,mail.pdf,5,zcrm_100000000000000901,Emails,,2020,,\n\
        ,,0,zcrm_100000000000000002,Leads,,2020,,https://example.com/a\n\
        c5_campo.pdf,campo.pdf,5,zcrm_100000000000000003,Leads,,2020,zcrm_100000000000000777,\n\
        c6_nave.pdf,nave.pdf,5,zcrm_100000000000000004,CustomModule23,,2020,,\n\
        c7_ignota.pdf,ignota.pdf,5,zcrm_100000000000000005,CustomModule99,,2020,,\n\
        c8_persa.pdf,persa.pdf,5,zcrm_100000000000000902,Notes,,2020,,\n\
        c9_niente.pdf,niente.pdf,5,zcrm_100000000000000006,Contacts,,2020,,\n";
    ExportCase::new()
        .zip(
            "backup/Data_001.zip",
            &[
                ("Data/Attachments_001.csv", attachments),
                (
                    "Data/Notes_001.csv",
                    "ID record,ID principale.id,Parent Id.Module\nzcrm_100000000000000900,zcrm_100000000000000010,Contacts\n",
                ),
                (
                    "Data/Emails_001.csv",
                    "Email.id,Module,Record Name.id\nzcrm_100000000000000901,Leads,zcrm_100000000000000011\n",
                ),
                ("Metadata/Modules_001.csv", "Nome,API Name\nCustomModule23,Vessels\n"),
            ],
        )
        .zip(
            "backup/Attachments_001.zip",
            &[
                ("Attachments/c1_offerta.pdf", "one"),
                ("Attachments/c2_n\u{fffd}ta.pdf", "two"),
                ("Attachments/c3_mail.pdf", "three"),
                ("Attachments/c5_campo.pdf", "five"),
                ("Attachments/c6_nave.pdf", "six"),
                ("Attachments/c7_ignota.pdf", "seven"),
                ("Attachments/c8_persa.pdf", "eight"),
                ("Attachments/c77_resto.pdf", "rest"),
            ],
        )
}

#[test]
fn a_backup_in_any_language_is_read_by_what_stands_in_it() {
    let case = backup();
    let done = case.collect("zoho-backup", &["backup"]);
    let zip = "backup/Attachments_001.zip!/Attachments";
    assert_eq!(
        done.rows,
        [
            format!("Deals|zcrm_100000000000000001|{zip}/c1_offerta.pdf|offerta.pdf||c1_offerta.pdf|||2020|"),
            format!(
                "Contacts|zcrm_100000000000000010|{zip}/c2_n\u{fffd}ta.pdf|nota.pdf||c2_nota.pdf|Notes zcrm_100000000000000900||2020|"
            ),
            format!(
                "Leads|zcrm_100000000000000011|{zip}/c3_mail.pdf|mail.pdf||c3_mail.pdf|Emails zcrm_100000000000000901||2020|"
            ),
            "Leads|zcrm_100000000000000002|||https://example.com/a||||2020|".to_owned(),
            format!("Vessels|zcrm_100000000000000004|{zip}/c6_nave.pdf|nave.pdf||c6_nave.pdf|||2020|"),
        ]
    );
    let reasons: Vec<_> = done.left_out.iter().map(|line| line.rsplit_once('|').expect("cells").1).collect();
    assert_eq!(reasons, ["upload-field", "module-unknown-in-export", "parent-missing", "no-file", "no-line"]);
    assert_eq!(
        done.left_out[1],
        "backup/Data_001.zip!/Data/Attachments_001.csv:8|CustomModule99|ignota.pdf|module-unknown-in-export"
    );
}

#[test]
fn a_zip_that_was_cut_off_is_listed_and_the_rest_goes_on() {
    let case = backup();
    let bytes = fs::read(case.path("backup/Attachments_001.zip")).expect("there");
    let case = case.file("backup/Attachments_002.zip", &bytes[..bytes.len() / 2]);
    let done = case.collect("zoho-backup", &["backup"]);
    assert_eq!(done.rows.len(), 5);
    assert!(done.left_out.last().is_some_and(|line| line.ends_with("Attachments_002.zip|||zip-damaged")));
}

#[test]
fn what_a_backup_has_thrown_away_and_what_a_zip_holds_twice_or_under_no_name_is_left_out() {
    let attachments = "Record Id,File Name,Parent.id,Parent Id.Module,Record Status\n\
        c1_a.pdf,a.pdf,zcrm_100000000000000001,Leads,Available\n\
        c2_b.pdf,b.pdf,zcrm_100000000000000001,Leads,Trashed\n\
        c3_c.pdf,c.pdf,zcrm_100000000000000001,Leads,Available\n\
        c9_x.pdf,x.pdf,zcrm_100000000000000001,Leads,Available\n";
    let members = [("Attachments/c1_a.pdf", "a"), ("Attachments/c2_b.pdf", "b"), ("Attachments/c3_one\nline.pdf", "c")];
    let twice = [("Attachments/c9_x.pdf", "one"), ("Attachments/c9_x.pdf", "two")];
    let case = ExportCase::new()
        .file("b/Attachments_001.csv", attachments)
        .zip("b/Attachments_001.zip", &members)
        .zip("b/Attachments_002.zip", &twice);
    let done = case.collect("zoho-backup", &["b"]);
    assert_eq!(done.rows.len(), 1, "{:?}", done.rows);
    let reasons: Vec<_> = done.left_out.iter().map(|line| line.rsplit_once('|').expect("cells").1).collect();
    assert_eq!(reasons, ["not-available", "path-unfit", "file-twice", "file-twice", "file-twice"]);
}

#[test]
fn notes_and_documents_of_suitecrm_find_their_files_and_records() {
    let notes = "id,name,filename,parent_type,parent_id,contact_id,deleted,note_parent_id,created_by,date_entered\n\
        n1,Offer,offer.pdf,Accounts,acc-1,,0,,u,2019\n\
        n2,Only text,,Accounts,acc-1,,0,,u,2019\n\
        n3,Gone,gone.pdf,Accounts,acc-1,,1,,u,2019\n\
        n4,By contact,card.pdf,,,con-1,0,,u,2019\n\
        n5,Child,child.pdf,,,,0,n2,u,2019\n\
        n6,Lost child,lost.pdf,,,,0,n99,u,2019\n\
        n7,Project,project.pdf,Project,p-1,,0,,u,2019\n";
    let documents = "id,document_name,document_revision_id,deleted\nd1,Contract,r2,0\nd2,Old,r3,1\n";
    let revisions = "id,document_id,filename,deleted,created_by,date_entered\n\
        r1,d1,contract v1.pdf,0,u,2019\nr2,d1,contract v2.pdf,0,u,2020\nr3,d2,old.pdf,0,u,2018\nr4,d4,free.pdf,0,u,2018\n";
    let case = ExportCase::new()
        .file("crm/notes.csv", notes)
        .file("crm/documents.csv", documents)
        .file("crm/document_revisions.csv", revisions)
        .file(
            "crm/documents_accounts.csv",
            "id,document_id,account_id,deleted\n1,d1,acc-1,0\n2,d1,acc-2,0\n3,d1,acc-3,1\n",
        )
        .file("crm/upload/n1", "a")
        .file("crm/upload/n4", "a")
        .file("crm/upload/abc/n5", "a")
        .file("crm/upload/n6", "a")
        .file("crm/upload/n7", "a")
        .file("crm/upload/r1", "a")
        .file("crm/upload/r2", "a")
        .file("crm/upload/r3", "a")
        .file("crm/upload/r4", "a");
    let done = case.collect("suitecrm", &["crm"]);
    assert_eq!(
        done.rows,
        [
            "Accounts|acc-1|crm/upload/n1|offer.pdf||n1|u|2019|",
            "Contacts|con-1|crm/upload/n4|card.pdf||n4|u|2019|",
            "Accounts|acc-1|crm/upload/abc/n5|child.pdf||n5|u|2019|",
            "Accounts|acc-1|crm/upload/r2|contract v2.pdf||r2|u|2020|",
            "Accounts|acc-2|crm/upload/r2|contract v2.pdf||r2|u|2020|",
        ]
    );
    let reasons: Vec<_> = done.left_out.iter().map(|line| line.rsplit_once('|').expect("cells").1).collect();
    assert_eq!(
        reasons,
        [
            "text-note",
            "deleted",
            "parent-missing",
            "module-unknown-in-export",
            "old-version",
            "deleted",
            "deleted",
            "no-record-link",
        ],
        "{:?}",
        done.left_out
    );
}

#[test]
fn files_inside_a_table_of_dynamics_are_put_into_a_folder() {
    let table = "annotationid,subject,filename,mimetype,documentbody,objectid,objecttypecode,ownerid,createdon\n\
        {A-1},,hello:1.txt,text/plain,aGVsbG8=,{C-1},contact,o,2020\n\
        A-2,A remark,,,,C-1,contact,o,2020\n\
        A-3,,bad.txt,text/plain,%%%%,C-1,contact,o,2020\n\
        A-4,,x.txt,text/plain,aGVsbG8=,,contact,o,2020\n\
        A-5,,run.exe,text/plain,aGVsbG8=,C-1,2,o,2020\n\
        A-6,,z.txt,text/plain,d29ybGQ=,C-2,2,o,2020\n\
        A-7,,y.txt,text/plain,d29ybGQ=,C-2,knowledgearticle,o,2020\n";
    let case = ExportCase::new().file("d/annotation.csv", table);
    let missing = case.try_collect("dynamics", &["d"]).err().expect("it needs a folder");
    assert!(matches!(missing, CollectError::Needs(CollectNeed::ExtractFolder)));
    let extract = case.path("files");
    let case = case.with(|options| options.extract = Some(extract));
    let done = case.collect("dynamics", &["d"]);
    assert_eq!(
        done.rows,
        [
            "Contacts|{C-1}|files/A-1_hello_1.txt|hello:1.txt||{A-1}|o|2020|",
            "Contacts|C-2|files/A-6_z.txt|z.txt||A-6|o|2020|"
        ]
    );
    assert_eq!(fs::read(case.path("files/A-1_hello_1.txt")).expect("there"), b"hello");
    assert_eq!(fs::read_dir(case.path("files")).expect("a folder").count(), 2);
    let reasons: Vec<_> = done.left_out.iter().map(|line| line.rsplit_once('|').expect("cells").1).collect();
    assert_eq!(reasons, ["text-note", "not-base64", "no-parent", "program-file", "module-unknown-in-export"]);
    assert_eq!(problems(&case, None), [""; 0]);
}

#[test]
fn any_table_is_read_with_columns_that_the_user_names() {
    let table = "Old Id;Kind;Path;Title;Web;Owner\n\
        1;Leads;docs\\a.pdf;Offer.pdf;;Ann\n\
        2;;docs/gone.pdf;;;Bob\n\
        3;Leads;;;https://example.com/x;Ann\n\
        4;Leads;;;mailto:x@example.com;Ann\n\
        5;;docs/b.pdf;;;Ann\n";
    let columns = ["key=old id", "module=Kind", "file=PATH", "name=Title", "url=Web", "x_owner=Owner"];
    let case = ExportCase::new()
        .file("old/list.csv", table)
        .file("old/docs/a.pdf", "a")
        .file("old/docs/b.pdf", "a")
        .file("old/docs/c.pdf", "a")
        .with(|options| {
            options.module = Some("Contacts".to_owned());
            let split = |text: &str| text.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned()));
            options.columns = columns.into_iter().filter_map(split).collect();
        });
    let done = case.collect("table", &["old"]);
    assert_eq!(
        done.rows,
        [
            "Contacts|1|old/docs/a.pdf|Offer.pdf||Ann|".replace("Contacts|1", "Leads|1"),
            "Leads|3|||https://example.com/x|Ann|".to_owned(),
            "Contacts|5|old/docs/b.pdf|||Ann|".to_owned(),
        ]
    );
    let reasons: Vec<_> = done.left_out.iter().map(|line| line.rsplit_once('|').expect("cells").1).collect();
    assert_eq!(reasons, ["no-file", "link-unfit", "no-line"]);
}

#[test]
fn a_folder_that_is_none_of_it_says_what_was_looked_for_and_what_was_found() {
    let case = ExportCase::new().file("x/photo.jpg", "a").file("x/Attachments_001.csv", "a,b\n1,2\n");
    for recipe in ["zoho-backup", "salesforce", "suitecrm"] {
        let error = case.try_collect(recipe, &["x"]).err().expect("no layout");
        let CollectError::NoLayout { wanted, found, .. } = &error else { panic!("{error}") };
        assert!(wanted.contains(".csv"), "{wanted}");
        assert!(found.iter().any(|name| name.ends_with("x/photo.jpg")), "{found:?}");
    }
    assert!(!case.options.manifest.exists() && !case.options.left_out.exists(), "nothing is written");
}

#[test]
fn an_earlier_manifest_stays_where_an_export_cannot_be_read_to_its_end() {
    let case = salesforce();
    fs::write(&case.options.manifest, "module,key,file,name,url\nearlier\n").expect("written");
    let error = case.try_collect("zoho-backup", &["WE"]).err().expect("no layout");
    assert!(error.to_string().contains("Attachments_001.csv"), "{error}");
    let kept = fs::read_to_string(&case.options.manifest).expect("there");
    assert!(kept.contains("earlier"));
    assert!(matches!(case.try_collect("salesforce", &["nowhere"]), Err(CollectError::Io(..))));
}

#[test]
fn every_recipe_has_columns_that_a_manifest_may_have_and_says_where_they_come_from() {
    let told = RecipeOptions {
        modules: ModuleNames::default(),
        pattern: None,
        columns: vec![("x_a".to_owned(), "A".to_owned())],
        sheet: None,
        extract: None,
    };
    for recipe in RECIPES {
        for column in recipe.columns(&told) {
            let known = column.name.starts_with("x_") || ["sha256", "md5"].contains(&column.name.as_str());
            assert!(known && !column.from.is_empty(), "{} {}", recipe.name(), column.name);
        }
    }
}
