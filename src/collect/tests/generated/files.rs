//! Folders and zips in which nothing but names tells what belongs where.

use super::*;

fn part(parts: &[&'static str]) -> impl Strategy<Value = &'static str> + use<> {
    prop::sample::select(parts.to_vec())
}

const MODULES: [&str; 8] =
    ["Leads", "leads", "Opportunities", "Vessels", "Meine Schiffe", "2019", "Documents", ".hidden"];
const KEYS: [&str; 8] = ["4711", "007", " 12", "1.5E+10", "12.0", "'q", "=1", "ரசீது"];
const NAMES: [&str; 13] = [
    "a.pdf",
    "B.PDF",
    "setup.exe",
    ".DS_Store",
    "~$a.docx",
    " a.pdf",
    "a.zip!",
    "=a.pdf",
    "'a.pdf",
    "n,o;n.pdf",
    "#.pdf",
    "விலை.pdf",
    "a%20b.pdf",
];
/// Names that not every disk takes.
const UNIX_NAMES: [&str; 7] = ["a.pdf ", "a\nb.pdf", "a\tb.pdf", "a\\b.pdf", "say \"no\".pdf", "a:b?.pdf", "CON"];

fn paths() -> impl Strategy<Value = Vec<(&'static str, &'static str, &'static str, bool)>> {
    let mut names = NAMES.to_vec();
    if cfg!(unix) {
        names.extend(UNIX_NAMES);
    }
    prop::collection::vec((part(&MODULES), part(&KEYS), part(&names), prop::bool::weighted(0.1)), 1..10)
}

proptest! {
    #![proptest_config(some_cases())]

    #[test]
    fn files_of_a_folder_all_come_out_somewhere(files in paths()) {
        let mut export = GeneratedExport::new();
        for (module, key, name, is_empty) in files {
            export.attachment(format!("{module}/{key}/{name}"), String::new(), is_empty);
        }
        let case = export.lay_down(ExportCase::new(), false);
        export.account("folder", &case, no_version)?;
    }

    #[test]
    fn members_of_a_zip_all_come_out_somewhere(files in paths()) {
        let mut export = GeneratedExport::new();
        // Whoever writes these zips takes a backslash for a slash, and what stands before a colon for a drive.
        for (module, key, name, is_empty) in files.into_iter().filter(|file| !file.2.contains(['\\', ':'])) {
            export.attachment(format!("{module}/{key}/{name}"), String::new(), is_empty);
        }
        let case = export.lay_down(ExportCase::new(), true);
        export.account_at("WE/WE_1.zip", "folder", &case, no_version)?;
    }
}
