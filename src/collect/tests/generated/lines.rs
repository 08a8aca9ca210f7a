//! Exports in which each line is about one attachment: of Salesforce, of Zoho CRM, of Dynamics, and any table.

use super::*;

fn number() -> impl Strategy<Value = usize> {
    0..6_usize
}

/// Numbers of files that lie there, what their names end in, and whether they are empty.
fn files() -> impl Strategy<Value = Vec<(usize, &'static str, bool)>> {
    let endings = prop::sample::select(vec!["", ".pdf", ".txt"]);
    prop::collection::vec((0..8_usize, endings, any::<bool>()), 0..10)
}

proptest! {
    #![proptest_config(some_cases())]

    #[test]
    fn attachments_of_salesforce_all_come_out_somewhere(
        lines in prop::collection::vec((number(), parent(), name(), prop::bool::weighted(0.1), is_broken()), 0..12),
        files in files(),
        is_zipped in any::<bool>(),
    ) {
        let id = |number: usize| format!("00P5g00000AAA{number:02}AAA");
        let mut export = GeneratedExport::new();
        let table: Vec<_> = lines.iter().map(|(number, parent, name, is_deleted, is_broken)| {
            let deleted = if *is_deleted { "1" } else { "0" };
            GeneratedLine::new([&id(*number), parent, name, deleted], *is_broken)
        }).collect();
        export.named.extend(lines.iter().map(|line| id(line.0)));
        export.table("Attachment.csv", "Id,ParentId,Name,IsDeleted,Description", &table);
        for (number, ending, is_empty) in files {
            export.attachment(format!("Attachments/{}{ending}", id(number)), id(number), is_empty);
        }
        let case = export.lay_down(ExportCase::new(), is_zipped);
        export.account("salesforce", &case, no_version)?;
    }

    #[test]
    fn attachments_of_a_backup_all_come_out_somewhere(
        lines in prop::collection::vec((number(), backup_parent(), name(), backup_rest(), is_broken()), 0..12),
        files in files(),
        is_zipped in any::<bool>(),
    ) {
        let code = |number: usize| format!("c{number}");
        let mut export = GeneratedExport::new();
        let table: Vec<_> = lines.iter().map(|(number, (parent, module), name, (status, field, link), is_broken)| {
            let entry = format!("{}_{name}", code(*number));
            GeneratedLine::new([&entry, name, parent, module, status, field, link], *is_broken)
        }).collect();
        export.named.extend(lines.iter().map(|line| code(line.0)));
        let headings = "Record Id,File Name,Parent.id,Parent Id.Module,Record Status,Field.id,Link URL,Rest";
        export.table("Data/Attachments_001.csv", headings, &table);
        let note = GeneratedLine::new(["zcrm_900", "zcrm_738964000000291001", "Contacts"], false);
        let lost = GeneratedLine::new(["zcrm_901", "zcrm_902", "Notes"], false);
        export.look_up("Data/Notes_001.csv", "Record Id,Parent.id,Parent Id.Module,Rest", &[note, lost]);
        for (number, ending, is_empty) in files {
            export.attachment(format!("Attachments/{}_x{ending}", code(number)), code(number), is_empty);
        }
        let case = export.lay_down(ExportCase::new(), is_zipped);
        export.account("zoho-backup", &case, no_version)?;
    }

    #[test]
    fn notes_of_dynamics_all_come_out_somewhere(
        lines in prop::collection::vec((number(), dynamics_object(), name(), body(), is_broken()), 0..12),
        is_zipped in any::<bool>(),
    ) {
        let mut export = GeneratedExport::new();
        let table: Vec<_> = lines.iter().map(|(number, (object, kind), name, body, is_broken)| {
            GeneratedLine::new([&format!("{{A-{number}}}"), object, kind, name, body], *is_broken)
        }).collect();
        let headings = "annotationid,objectid,objecttypecode,filename,documentbody,Rest";
        export.table("annotation.csv", headings, &table);
        let case = ExportCase::new();
        let extract = case.path("made");
        let case = export.lay_down(case.with(|options| options.extract = Some(extract)), is_zipped);
        export.account("dynamics", &case, no_version)?;
        let rows = read(&case.options.manifest, &|cells| cells[2].clone());
        for file in rows {
            prop_assert_eq!(fs::read(case.path(&file)).expect("made"), b"hello");
        }
        let made = fs::read_dir(case.path("made")).expect("a folder").count();
        let named: BTreeSet<String> = read(&case.options.manifest, &|cells| cells[2].clone()).into_iter().collect();
        prop_assert_eq!(made, named.len(), "nothing is put on the disk that no row names");
    }

    #[test]
    fn lines_of_any_table_all_come_out_somewhere(
        lines in prop::collection::vec((number(), key(), module(), path(), name(), link(), is_broken()), 0..12),
        files in files(),
        is_zipped in any::<bool>(),
    ) {
        let mut export = GeneratedExport::new();
        let table: Vec<_> = lines.iter().map(|(number, key, module, path, name, link, is_broken)| {
            let path = path.replace('#', &number.to_string());
            GeneratedLine::new([key, module, &path, name, link], *is_broken)
        }).collect();
        export.named.extend(lines.iter().map(|line| line.0.to_string()));
        export.table("list.csv", "Old Id,Kind,Path,Title,Web,Rest", &table);
        for (number, ending, is_empty) in files {
            export.attachment(format!("docs/{number}{ending}"), number.to_string(), is_empty);
        }
        let case = export.lay_down(ExportCase::new(), is_zipped).with(|options| {
            let columns = ["key=Old Id", "module=Kind", "file=Path", "name=Title", "url=Web", "x_rest=Rest"];
            let split = |text: &str| text.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned()));
            options.columns = columns.into_iter().filter_map(split).collect();
        });
        export.account("table", &case, no_version)?;
    }
}

/// Ids as records of Salesforce have them, and what is none.
fn parent() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "0035g00000XyZ12AAB",
        "0015g00000XyZ12",
        "a0B5g00000XyZ12AAB",
        "0055g00000XyZ12AAB",
        "",
        "3.5E+17",
        "x",
    ])
}

/// Parents of attachments in a backup: id and module.
fn backup_parent() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop::sample::select(vec![
        ("zcrm_738964000000291001", "Contacts"),
        ("zcrm_738964000000291002", "Potentials"),
        ("zcrm_738964000000291003", "CustomModule99"),
        ("zcrm_738964000000291003", "Meine Schiffe"),
        ("zcrm_900", "Notes"),
        ("zcrm_901", "Notes"),
        ("zcrm_902", "Emails"),
        ("", "Leads"),
        ("zcrm_738964000000291004", ""),
        ("7.38964E+17", "Leads"),
    ])
}

/// Status, upload field and link.
fn backup_rest() -> impl Strategy<Value = (&'static str, &'static str, &'static str)> {
    prop::sample::select(vec![
        ("", "", ""),
        ("Available", "", ""),
        ("available", "", ""),
        ("Trashed", "", ""),
        ("", "zcrm_777", ""),
        ("", "", "https://example.com/a b"),
        ("", "", "https://example.com/a"),
    ])
}

/// What a note of Dynamics is about: id and kind.
fn dynamics_object() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop::sample::select(vec![
        ("{6F9619FF-8B86-D011-B42D-00C04FC964FF}", "contact"),
        ("6f9619ff-8b86-d011-b42d-00c04fc964ff", "2"),
        ("", "account"),
        ("x", "knowledgearticle"),
        ("x", ""),
        ("x\u{1}y", "lead"),
    ])
}

/// Bodies, whole or not.
fn body() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["aGVsbG8=", "aGVs\nbG8=", "", "%%%", "aGVsbG8", "aGVsbG8=aGVsbG8="])
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["4711", " 007 ", "1.5E+10", "12.0", "", "=1+1", "'1", "a\nb", LONG])
}

fn module() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["Leads", "leads", "Opportunities", "Documents", "Meine Schiffe", "2019", ""])
}

/// Paths with `#` for the number of a file.
fn path() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "docs/#.pdf",
        "docs\\#.txt",
        "./docs/#",
        "docs/../docs/#.pdf",
        "/docs/#.pdf",
        "C:\\docs\\#.pdf",
        "docs/",
        "..",
        "list.csv",
        "",
    ])
}

fn link() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "",
        "https://example.com/x",
        "HTTP://example.com",
        "mailto:x@example.com",
        "https://",
    ])
}
