//! Rows that name their record by a key of an old system.

use super::*;

const CROSSWALK: &str = "\
module,key,record,field,org,read_at
Contacts,C-4711,738964000000291001,Legacy_Id,10,2026-11-27T08:00:00Z
Contacts,C-4712,738964000000291002,Legacy_Id,10,2026-11-27T08:00:00Z
Contacts,0815,738964000000291003,Legacy_Id,10,2026-11-27T08:00:00Z
Contacts,twice,738964000000291004,Legacy_Id,10,2026-11-27T08:00:00Z
Contacts,twice,738964000000291005,Legacy_Id,10,2026-11-27T08:00:00Z
Contacts,Anna@Example.com,738964000000291006,Email,10,2026-11-27T08:00:00Z
Accounts,001A0000006Vm9r,738964000000291007,SF_Id,10,2026-11-27T08:00:00Z
";

impl CheckFolder {
    /// Checks a CSV manifest with this crosswalk beside it.
    pub(super) fn with_crosswalk(&self, manifest: &str, crosswalk: &str) -> Checkup {
        self.write("crosswalk.csv", crosswalk.as_bytes());
        let crosswalks = vec![self.folder.path().join("crosswalk.csv")];
        self.check_bytes("m.csv", manifest.as_bytes(), &CheckOptions { crosswalks, ..CheckOptions::default() })
    }
}

fn messages(checkup: &Checkup) -> Vec<String> {
    checkup.problems.iter().map(|problem| format!("{}: {} ({})", problem.code, problem.message, problem.hint)).collect()
}

fn records(checkup: &Checkup) -> Vec<(String, String)> {
    let checked = checkup.checked.as_ref().expect("sound rows");
    checked.rows().map(|row| (checked.record(row).to_string(), checked.record_key(row).to_owned())).collect()
}

#[test]
fn a_key_becomes_the_record_that_the_crosswalk_says_and_goes_on_with_the_row() {
    let folder = CheckFolder::new();
    let manifest = "module,key,record,file\nContacts, C-4711 ,,a.pdf\nAccounts,001A0000006Vm9rIAC,,a.pdf\n\
                    Contacts,,738964000000291009,a.pdf\nContacts,mailto:anna@example.com,,b.pdf\n";
    let checkup = folder.with_crosswalk(manifest, CROSSWALK);
    assert_eq!(found(&checkup), ["outer-blanks 2:10 1 -", "record-key-spelling 3:10 2 -"]);
    assert!(messages(&checkup)[1].contains("2 keys were found in another spelling"));
    let wanted = [
        ("738964000000291001", "C-4711"),
        ("738964000000291007", "001A0000006Vm9rIAC"),
        ("738964000000291009", ""),
        ("738964000000291006", "mailto:anna@example.com"),
    ];
    assert_eq!(records(&checkup), wanted.map(|(record, key)| (record.to_owned(), key.to_owned())));
    let crosswalk = checkup.crosswalk.expect("a crosswalk");
    assert_eq!((crosswalk.keys, crosswalk.rows, crosswalk.organisation.as_deref()), (6, 3, Some("10")));
    assert_eq!(crosswalk.files[0].1.len(), 64);
}

#[test]
fn the_identity_of_a_row_is_made_of_its_record_however_the_manifest_names_it() {
    let folder = CheckFolder::new();
    let by_key = folder.with_crosswalk("module,key,file\nContacts,C-4711,a.pdf\n", CROSSWALK);
    let by_id = folder.csv("module,record,file\nContacts,738964000000291001,a.pdf\n");
    let key = |checkup: &Checkup| checkup.checked.as_ref().map(|checked| checked.key(RowIx(0)));
    assert_eq!(key(&by_key), key(&by_id));
}

#[test]
fn every_key_that_stands_for_no_one_record_is_a_problem_of_its_row() {
    let folder = CheckFolder::new();
    let manifest = "module,key,record,file\nContacts,C-4713,,a.pdf\nContacts,815,,a.pdf\nContacts,twice,,a.pdf\n\
                    Leads,C-4711,,a.pdf\nContacts,7.1E+12,,a.pdf\nContacts,C-4711,738964000000291001,a.pdf\n\
                    Contacts,,,a.pdf\nContacts,nothing like it,,a.pdf\n";
    let checkup = folder.with_crosswalk(manifest, CROSSWALK);
    assert!(checkup.checked.is_none());
    insta::assert_snapshot!(messages(&checkup).join("\n"));
    assert_eq!((checkup.rows, checkup.sound), (8, 0));
    assert_eq!(checkup.unsound[0].cells().record_key, "C-4713");
}

#[test]
fn keys_without_a_crosswalk_are_one_problem_of_the_manifest_and_leave_no_row_sound() {
    let folder = CheckFolder::new();
    let checkup = folder.csv("module,key,file\nContacts,C-4711,a.pdf\nContacts,C-4712,missing.pdf\n");
    assert_eq!(found(&checkup), ["crosswalk-missing -:- - -", "file-missing 3:17 2 file"]);
    assert!(messages(&checkup)[0].contains("2 rows name their record by a key"));
    assert_eq!((checkup.rows, checkup.sound), (2, 0));
}

#[test]
fn a_damaged_crosswalk_is_told_by_its_own_lines_and_nothing_is_joined_with_it() {
    let folder = CheckFolder::new();
    let crosswalk = "module,key,record\nContacts,C-4711,7.38964E+17\nKontakte,C-1,738964000000291001\nContacts,C-2,738964000000291002\n";
    let options = CheckOptions { skip_invalid: true, ..CheckOptions::default() };
    folder.write("crosswalk.csv", crosswalk.as_bytes());
    let crosswalks = vec![folder.folder.path().join("crosswalk.csv")];
    let checkup = folder.check_bytes(
        "m.csv",
        b"module,key,record,file\nContacts,C-2,,a.pdf\nContacts,,738964000000291002,a.pdf\n",
        &CheckOptions { crosswalks, ..options },
    );
    assert_eq!(found(&checkup), ["crosswalk-damaged -:- - crosswalk", "crosswalk-damaged -:- - crosswalk"]);
    assert!(
        messages(&checkup)[0].contains("crosswalk.csv line 2: the record id 7.38964E+17 is in scientific notation")
    );
    assert!(checkup.checked.is_none(), "--skip-invalid does not make a damaged crosswalk sound");
}

#[test]
fn ids_of_a_crosswalk_that_a_spreadsheet_rounded_are_found_in_the_rows() {
    let folder = CheckFolder::new();
    let crosswalk = "module,key,record\nContacts,1,738964000000291000\nContacts,2,738964000000292000\nContacts,3,738964000000293000\n";
    let manifest = "module,key,file\nContacts,1,a.pdf\nContacts,2,a.pdf\nContacts,3,a.pdf\n";
    let checkup = folder.with_crosswalk(manifest, crosswalk);
    let errors = checkup.problems.iter().filter(|problem| problem.severity == Severity::Error);
    assert_eq!(errors.map(|problem| problem.code.as_str()).collect::<Vec<_>>(), ["record-rounded"; 3]);
}

#[test]
fn a_yaml_manifest_names_its_crosswalk_and_may_give_a_key_to_all_rows() {
    let folder = CheckFolder::new();
    folder.write("crosswalk.csv", CROSSWALK.as_bytes());
    let checkup = folder.yaml(
        "version: 1\ncrosswalk: crosswalk.csv\ndefaults: {module: Contacts, key: C-4711}\nuploads:\n\
         - {file: a.pdf}\n- {key: '0815', file: a.pdf}\n- {record: 738964000000291009, file: a.pdf}\n",
    );
    assert_eq!(found(&checkup), [""; 0]);
    let keys: Vec<String> = records(&checkup).into_iter().map(|(record, key)| format!("{record} {key}")).collect();
    assert_eq!(keys, ["738964000000291001 C-4711", "738964000000291003 0815", "738964000000291009 "]);
}

#[test]
fn a_manifest_may_not_name_a_crosswalk_outside_its_folder() {
    let folder = CheckFolder::new();
    for named in ["../crosswalk.csv", "no/such.csv", "//server/share/c.csv"] {
        let manifest =
            format!("version: 1\ncrosswalk: [\"{named}\"]\nuploads:\n- {{module: Contacts, key: a, file: a.pdf}}\n");
        let checkup = folder.yaml(&manifest);
        assert_eq!(found(&checkup), ["crosswalk-damaged 2:13 - crosswalk"], "{named}");
        assert_eq!(checkup.sound, 0);
    }
}
