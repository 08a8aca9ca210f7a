//! Exports with documents in several versions, linked to records by tables of their own.

use super::*;

/// Which version of which document, whether it is the latest, its number and its name.
type GeneratedVersion = ((usize, usize), bool, usize, &'static str);

fn versions() -> impl Strategy<Value = Vec<(GeneratedVersion, bool)>> {
    let version = ((0..4_usize, 0..8_usize), any::<bool>(), 0..4_usize, name());
    prop::collection::vec((version, is_broken()), 0..12)
}

/// Files that lie there: number and whether it is empty.
fn files() -> impl Strategy<Value = Vec<(usize, bool)>> {
    prop::collection::vec((0..9_usize, prop::bool::weighted(0.2)), 0..9)
}

fn flag(is_set: bool) -> &'static str {
    if is_set { "1" } else { "0" }
}

proptest! {
    #![proptest_config(some_cases())]

    #[test]
    fn documents_of_salesforce_all_come_out_somewhere(
        versions in versions(),
        kinds in prop::collection::vec(prop::sample::select(vec!["PDF", "PDF", "SNOTE"]), 12),
        links in prop::collection::vec((0..5_usize, entity(), prop::bool::weighted(0.1), is_broken()), 0..12),
        files in files(),
        has_latest in any::<bool>(),
        is_zipped in any::<bool>(),
    ) {
        let id = |number: usize| format!("0685g00000AAA{number:02}AAA");
        let document = |number: usize| format!("0695g00000DDD{number:02}AAA");
        let mut export = GeneratedExport::new();
        let table: Vec<_> = versions.iter().zip(&kinds).enumerate().map(|(at, ((version, is_broken), kind))| {
            let ((of, _), is_latest, number, title) = version;
            let (latest, number) = (flag(*is_latest), number.to_string());
            GeneratedLine::new([&id(at), &document(*of), latest, &number, title, "pdf", kind], *is_broken)
        }).collect();
        export.named.extend((0..versions.len()).map(id));
        let latest = if has_latest { "IsLatest" } else { "Other" };
        let headings = format!("Id,ContentDocumentId,{latest},VersionNumber,Title,FileExtension,FileType,Rest");
        export.table("ContentVersion.csv", &headings, &table);
        let table: Vec<_> = links.iter().map(|(of, entity, is_deleted, is_broken)| {
            GeneratedLine::new([&document(*of), entity, flag(*is_deleted)], *is_broken)
        }).collect();
        export.table("ContentDocumentLink.csv", "ContentDocumentId,LinkedEntityId,IsDeleted,Rest", &table);
        for (number, is_empty) in files {
            export.attachment(format!("ContentVersion/{}", id(number)), id(number), is_empty);
        }
        let case = export.lay_down(ExportCase::new(), is_zipped);
        export.account("salesforce", &case, |row| Some(row[6].to_owned()))?;
    }

    #[test]
    fn notes_and_documents_of_suitecrm_all_come_out_somewhere(
        notes in prop::collection::vec((0..5_usize, note_parent(), name(), prop::bool::weighted(0.1), is_broken()), 0..10),
        revisions in versions(),
        described in prop::collection::vec((0..4_usize, 0..8_usize, prop::bool::weighted(0.1)), 0..4),
        links in prop::collection::vec((0..5_usize, prop::sample::select(vec!["acc-1", "acc-2", "", "1E+9"]), prop::bool::weighted(0.1)), 0..8),
        files in files(),
        is_zipped in any::<bool>(),
    ) {
        let mut export = GeneratedExport::new();
        let table: Vec<_> = notes.iter().enumerate().map(|(at, (above, (kind, parent, contact), name, is_deleted, is_broken))| {
            let above = if *above == 0 { String::new() } else { format!("n{above}") };
            GeneratedLine::new([&format!("n{at}"), name, kind, parent, contact, flag(*is_deleted), &above], *is_broken)
        }).collect();
        export.named.extend((0..notes.len()).map(|at| format!("n{at}")));
        let headings = "id,filename,parent_type,parent_id,contact_id,deleted,note_parent_id,Rest";
        export.table("notes.csv", headings, &table);
        let mut known = BTreeSet::new();
        let table: Vec<_> = described.iter().filter(|(of, ..)| known.insert(*of)).map(|(of, current, is_deleted)| {
            GeneratedLine::new([&format!("d{of}"), "Title", &format!("r{current}"), flag(*is_deleted)], false)
        }).collect();
        export.look_up("documents.csv", "id,document_name,document_revision_id,deleted,Rest", &table);
        let table: Vec<_> = revisions.iter().enumerate().map(|(at, (revision, is_broken))| {
            let ((of, _), is_deleted, number, name) = revision;
            let number = number.to_string();
            GeneratedLine::new([&format!("r{at}"), &format!("d{of}"), name, &number, flag(*is_deleted)], *is_broken)
        }).collect();
        export.named.extend((0..revisions.len()).map(|at| format!("r{at}")));
        export.table("document_revisions.csv", "id,document_id,filename,revision,deleted,Rest", &table);
        let table: Vec<_> = links.iter().map(|(of, account, is_deleted)| {
            GeneratedLine::new([&format!("d{of}"), account, flag(*is_deleted)], false)
        }).collect();
        export.table("documents_accounts.csv", "document_id,account_id,deleted,Rest", &table);
        for (number, is_empty) in files {
            export.attachment(format!("upload/n{number}"), format!("n{number}"), is_empty);
            export.attachment(format!("upload/abc/r{number}"), format!("r{number}"), is_empty);
        }
        let case = export.lay_down(ExportCase::new(), is_zipped);
        // A document that is described and has no revision is listed though it is no line about an attachment.
        let done = case.collect("suitecrm", &["WE"]);
        let lost = done.left_out.iter().filter(|line| line.contains("documents.csv:")).count();
        let whole = revisions.iter().all(|(_, is_broken)| !is_broken);
        if whole {
            let has_revision = |of: &usize| revisions.iter().any(|(((known, _), ..), _)| known == of);
            let mut known = BTreeSet::new();
            let wanted = described.iter().filter(|(of, _, is_deleted)| known.insert(*of) && !is_deleted && !has_revision(of));
            prop_assert_eq!(lost, wanted.count(), "{:?}", done.left_out);
        }
        export.lines += lost;
        export.account("suitecrm", &case, |row| row[5].starts_with('r').then(|| row[5].to_owned()))?;
    }
}

/// What a document of Salesforce is linked to.
fn entity() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "0035g00000XyZ12AAB",
        "00Q5g00000XyZ12",
        "a0B5g00000XyZ12AAB",
        "0055g00000XyZ12AAB",
        "",
        "3.5E+17",
    ])
}

/// What a note of SuiteCRM hangs on: kind, id and contact.
fn note_parent() -> impl Strategy<Value = (&'static str, &'static str, &'static str)> {
    prop::sample::select(vec![
        ("Accounts", "acc-1", ""),
        ("Opportunities", "opp-1", "con-1"),
        ("", "", "con-1"),
        ("", "", ""),
        ("Project", "p-1", ""),
        ("", "acc-1", ""),
    ])
}
