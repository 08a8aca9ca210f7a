//! `attache crosswalk` against a sandbox that has records with fields, and from tables.

use attache::internals::sandbox::{SandboxOptions, Switches, read_records};

use crate::case::{Case, Done};
use crate::raw::{self, Raw, Step};
use crate::service::RunningSandbox;

const RECORDS: &str = "\
module,record,Legacy_Id=Old number,Email:email,Secret:encrypted,Remarks:textarea,Mine:external-user,Account_Name:lookup
Contacts,738964000000291001,C-1,Anna@Example.com,x,y,z,738964000000291009
Contacts,738964000000291002,C-2,,,,,
Contacts,738964000000291003,twice,,,,,
Contacts,738964000000291004,twice,,,,,
Contacts,738964000000291005,it's,,,,,
Accounts,738964000000291009,A-1,,,,,
";

const MANIFEST: &str = "module,key,file\nContacts,C-1,a.pdf\nContacts,C-2,a.pdf\nContacts,it's,a.pdf\n";

/// A sandbox with these records, quick jobs, and what else is set.
fn service(case: &Case, switches: &[&str], options: SandboxOptions) -> RunningSandbox {
    case.write("records.csv", RECORDS);
    let records = read_records(&case.path("records.csv")).expect("records");
    let mut set = Switches::default();
    for switch in ["bulk-delay=1"].iter().chain(switches) {
        set.set(switch).expect("a switch");
    }
    RunningSandbox::start(SandboxOptions { records: Some(records), switches: set, ..options })
}

fn case() -> Case {
    Case::new().file("a.pdf", "a").file("m.csv", MANIFEST)
}

fn look_up(case: &Case, service: &RunningSandbox, more: &[&str]) -> Done {
    let url = service.url();
    let arguments = [&["crosswalk", "--api-domain", &url, "--rate", "none"], more].concat();
    let mut command = case.command(&arguments);
    command.env("ZOHO_ACCESS_TOKEN", service.token());
    case.finish(command.output())
}

fn read(case: &Case) -> String {
    std::fs::read_to_string(case.path("crosswalk.csv")).expect("a crosswalk")
}

#[test]
fn the_keys_of_a_manifest_are_looked_up_and_a_run_goes_by_them() {
    let case = case();
    let service = service(&case, &[], SandboxOptions::default());
    let done = look_up(&case, &service, &["Contacts=Old number", "--for", "m.csv"]).exits(0);
    assert!(done.stderr.contains("3 spellings in Legacy_Id by COQL, 1 API credit"), "{}", done.stderr);
    assert!(done.stdout.contains("Next: attache run m.csv --crosswalk crosswalk.csv --dry-run"), "{}", done.stdout);
    let crosswalk = read(&case);
    assert!(
        crosswalk
            .starts_with("module,key,record,field,org,read_at\nContacts,C-1,738964000000291001,Legacy_Id,700000001,")
    );
    assert_eq!(crosswalk.lines().count(), 4);
    assert_eq!(service.stats().credits_used, 3, "the organisation, the fields, one list");
    service.run(&case, &["--crosswalk", "crosswalk.csv"]).exits(0);
    assert_eq!(service.created().len(), 3);
    assert_eq!(case.column("m.results.csv", "record_key"), ["C-1", "C-2", "it's"]);
}

#[test]
fn without_a_manifest_a_whole_module_is_read_page_by_page() {
    let case = case();
    let service = service(&case, &["bulk-page=2"], SandboxOptions::default());
    let done = look_up(&case, &service, &["Contacts=Legacy_Id", "Accounts=Legacy_Id", "--output", "json"]).exits(1);
    let json: serde_json::Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!(
        (&json["lines"], &json["modules"][0]["keys"], &json["modules"][0]["ambiguous"]),
        (&6.into(), &4.into(), &1.into())
    );
    assert_eq!(json["modules"][0]["way"], "bulk-read");
    assert_eq!(json["modules"][0]["first_ambiguous"][0], "twice");
    assert!(read(&case).contains("\nAccounts,A-1,738964000000291009,"));
    assert_eq!(service.stats().credits_used, 3 + 4 * 50, "three jobs for five contacts, one for the account");
}

#[test]
fn keys_that_are_not_found_or_ambiguous_are_counted_and_named() {
    let case = case();
    case.write(
        "m.csv",
        "module,key,file\nContacts,C-1,a.pdf\nContacts,C-9,a.pdf\nContacts,twice,a.pdf\nAccounts,A-1,a.pdf\n",
    );
    let service = service(&case, &[], SandboxOptions::default());
    let done = look_up(&case, &service, &["Contacts=Legacy_Id", "--for", "m.csv"]).exits(1);
    for wanted in ["not found: C-9", "ambiguous: twice", "The manifest has keys of Accounts as well"] {
        assert!(done.stdout.contains(wanted), "{}", done.stdout);
    }
    let run = service.run(&case, &["--crosswalk", "crosswalk.csv"]).exits(3);
    assert!(run.stderr.contains("record-key-unknown") && run.stderr.contains("record-key-ambiguous"), "{}", run.stderr);
}

#[test]
fn a_parents_field_is_looked_into_and_the_case_of_an_address_does_not_matter() {
    let case = case();
    case.write("m.csv", "module,key,file\nContacts,A-1,a.pdf\n");
    let service = service(&case, &[], SandboxOptions::default());
    look_up(&case, &service, &["Contacts=Account_Name.Legacy_Id", "--for", "m.csv"]).exits(0);
    assert!(read(&case).contains("\nContacts,A-1,738964000000291001,Account_Name.Legacy_Id,"));
    case.write("m.csv", "module,key,file\nContacts,mailto:anna@example.com,a.pdf\n");
    let done = look_up(&case, &service, &["Contacts=Email", "--for", "m.csv"]).exits(0);
    assert!(done.stderr.contains("all of Email by Bulk Read"), "{}", done.stderr);
    assert!(read(&case).contains("\nContacts,Anna@Example.com,738964000000291001,Email,"));
}

#[test]
fn a_field_that_cannot_be_matched_is_refused_with_the_reason_and_no_file_is_written() {
    let case = case();
    let service = service(&case, &[], SandboxOptions::default());
    for (field, reason) in [
        ("Contacts=Legacy_Idd", "did you mean Legacy_Id?"),
        ("Contacts=Nothing of the kind", "neither by API name nor by label"),
        ("Contacts=Secret", "is encrypted"),
        ("Contacts=Remarks", "has several lines"),
        ("Contacts=Mine", "an external one of kind user"),
        ("Contacts=Legacy_Id.x", "leads to no record"),
        ("Contacts", "is not MODULE=FIELD"),
        ("Kontakte=Legacy_Id", "there is no module"),
    ] {
        let done = look_up(&case, &service, &[field]).exits(2);
        assert!(done.stderr.contains(reason), "{field}: {}", done.stderr);
        assert!(!case.path("crosswalk.csv").exists(), "{field}");
    }
}

#[test]
fn limits_that_are_lower_than_expected_are_found_out() {
    let case = case();
    let service = service(&case, &["coql-in=1"], SandboxOptions::default());
    look_up(&case, &service, &["Contacts=Legacy_Id", "--for", "m.csv"]).exits(0);
    assert_eq!(read(&case).lines().count(), 4);
}

#[test]
fn a_failed_look_is_no_absence_and_leaves_an_older_file_as_it_is() {
    let old = "module,key,record\nContacts,old,738964000000291001\n";
    let all =
        ["ZohoCRM.org.READ", "ZohoCRM.settings.fields.READ", "ZohoCRM.coql.READ", "ZohoCRM.modules.contacts.READ"];
    let scopes =
        |without: &str| Some(all.iter().filter(|scope| **scope != without).map(|scope| (*scope).to_owned()).collect());
    for (switch, options, more, status, said) in [
        ("bulk-failures=1", SandboxOptions::default(), &[] as &[&str], 4, "could not finish its Bulk Read"),
        ("bulk-life=0", SandboxOptions::default(), &[], 4, "is not there any more"),
        ("bulk-delay=600000", SandboxOptions::default(), &["--max-duration", "300ms"], 4, "--max-duration"),
        ("coql-in=0", SandboxOptions::default(), &["--for", "m.csv"], 4, "one key at a time"),
        ("coql-in=9", SandboxOptions::default(), &["--max-credits", "20"], 4, "--max-credits allows 20"),
        ("coql-in=9", SandboxOptions { scopes: scopes(all[1]), ..SandboxOptions::default() }, &[], 4, "lacks a scope"),
        (
            "coql-in=9",
            SandboxOptions { scopes: scopes(all[2]), ..SandboxOptions::default() },
            &["--for", "m.csv"],
            4,
            "lacks a scope",
        ),
        (
            "coql-in=9",
            SandboxOptions { scopes: scopes(all[3]), ..SandboxOptions::default() },
            &["--for", "m.csv"],
            4,
            "lacks a scope",
        ),
        ("coql-in=9", SandboxOptions { scopes: scopes(""), ..SandboxOptions::default() }, &[], 4, "lacks a scope"),
    ] {
        let case = case().file("crosswalk.csv", old);
        let service = service(&case, &[switch], options);
        let done = look_up(&case, &service, &[&["Contacts=Legacy_Id"][..], more].concat()).exits(status);
        assert!(done.stderr.contains(said), "{switch} {more:?}: {}", done.stderr);
        assert_eq!(read(&case), old, "{switch} {more:?}");
    }
}

#[test]
fn a_token_that_may_not_ask_for_the_organisation_looks_up_keys_all_the_same() {
    let case = case();
    let scopes = ["ZohoCRM.settings.fields.READ", "ZohoCRM.coql.READ", "ZohoCRM.modules.contacts.READ"];
    let scopes = Some(scopes.map(str::to_owned).to_vec());
    let service = service(&case, &[], SandboxOptions { scopes, ..SandboxOptions::default() });
    look_up(&case, &service, &["Contacts=Legacy_Id", "--for", "m.csv"]).exits(0);
    assert!(read(&case).contains("\nContacts,C-1,738964000000291001,Legacy_Id,,"));
}

#[test]
fn what_passes_is_waited_for() {
    let case = case();
    let faults = vec!["429,on=query,times=2,retry-after=0".parse().expect("a fault")];
    let service = service(&case, &[], SandboxOptions { faults, ..SandboxOptions::default() });
    look_up(&case, &service, &["Contacts=Legacy_Id", "--for", "m.csv"]).exits(0);
    assert_eq!(read(&case).lines().count(), 4);
}

#[test]
fn a_table_with_keys_and_records_becomes_a_crosswalk() {
    let case = case();
    case.write("export.csv", "\u{feff}Record Id;First Name;Legacy ID\r\nzcrm_738964000000291001;Anna;C-1\r\nzcrm_738964000000291002;Ben;\r\n");
    let table = ["crosswalk", "--module", "Contacts", "--key", "legacy id", "--record", "Record Id", "--table"];
    let done = case.run(&[&table[..], &["export.csv"]].concat()).exits(0);
    assert!(done.stdout.contains("2 lines read, 1 of them without a key"), "{}", done.stdout);
    assert_eq!(read(&case), "module,key,record,field,org,read_at\nContacts,C-1,738964000000291001,legacy id,,\n");
    for (content, status, said) in [
        ("Record Id,Legacy ID\n7.38964E+17,C-1\n", 3, "line 2: the record id 7.38964E+17 is in scientific notation"),
        ("Record Id,Legacy ID\n738964000000291001,4711.0\n", 3, "line 2: the key 4711.0 has decimals"),
        ("Record Id,Legacy IDs\n738964000000291001,C-1\n", 2, "did you mean \"Legacy IDs\"?"),
        ("Record Id,Legacy ID\n738964000000291001,\n", 3, "no line with a key"),
    ] {
        case.write("export.csv", content);
        let done = case.run(&[&table[..], &["export.csv"]].concat()).exits(status);
        assert!(done.stderr.contains(said), "{content}: {}", done.stderr);
    }
    case.run(&[&table[..], &["no/such.csv"]].concat()).exits(2);
    assert!(read(&case).contains("C-1"), "what was there stays");
}

#[test]
fn a_workbook_becomes_a_crosswalk_unless_its_ids_are_numbers() {
    let case = case();
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (column, heading) in ["Record Id", "Legacy ID"].iter().enumerate() {
        sheet.write_string(0, column as u16, *heading).expect("written");
    }
    sheet.write_string(1, 0, "zcrm_738964000000291001").expect("written");
    sheet.write_number(1, 1, 4711).expect("written");
    book.save(case.path("export.xlsx")).expect("saved");
    let table =
        ["crosswalk", "--table", "export.xlsx", "--module", "Contacts", "--key", "Legacy ID", "--record", "Record Id"];
    case.run(&table).exits(0);
    assert!(read(&case).contains("\nContacts,4711,738964000000291001,"));
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_string(0, 0, "Record Id").expect("written");
    sheet.write_string(0, 1, "Legacy ID").expect("written");
    sheet.write_number(1, 0, 738_964_000_000_291_001_f64).expect("written");
    sheet.write_string(1, 1, "C-1").expect("written");
    book.save(case.path("export.xlsx")).expect("saved");
    let done = case.run(&table).exits(3);
    assert!(done.stderr.contains("Sheet1!A2: the cell is a number, which has lost digits"), "{}", done.stderr);
}

#[test]
fn only_a_crosswalk_is_replaced_by_a_crosswalk() {
    let case = case();
    case.write("export.csv", "Record Id,Legacy ID\n738964000000291001,C-1\n");
    let table =
        ["crosswalk", "--table", "export.csv", "--module", "Contacts", "--key", "Legacy ID", "--record", "Record Id"];
    let onto = |name: &str| case.run(&[&table[..], &["-o", name]].concat());
    assert!(onto("m.csv").exits(2).stderr.contains("is no crosswalk"));
    assert!(onto("export.csv").exits(2).stderr.contains("is what is read"));
    onto("crosswalk.csv").exits(0);
    onto("crosswalk.csv").exits(0);
}

#[test]
fn a_crosswalk_of_another_organisation_is_refused_before_anything_is_sent() {
    let case = case();
    let service = service(&case, &[], SandboxOptions::default());
    look_up(&case, &service, &["Contacts=Legacy_Id", "--for", "m.csv"]).exits(0);
    case.write("crosswalk.csv", read(&case).replace(",700000001,", ",700000002,"));
    let run = service.run(&case, &["--crosswalk", "crosswalk.csv"]).exits(3);
    assert!(run.stderr.contains("700000002") && run.stderr.contains("700000001"), "{}", run.stderr);
    assert_eq!(service.created(), []);
}

/// A look-up that is under way: its Bulk Read job takes as long as the switch says.
#[cfg(unix)]
fn begun(case: &Case, service: &RunningSandbox) -> std::process::Child {
    let url = service.url();
    let mut command = case.command(&["crosswalk", "--api-domain", &url, "--rate", "none", "Contacts=Legacy_Id"]);
    command.env("ZOHO_ACCESS_TOKEN", service.token());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().expect("the program can be started");
    service.wait_for(|stats| stats.credits_used >= 50);
    child
}

/// The names of everything in the folder, apart from the settings.
#[cfg(unix)]
fn names(case: &Case) -> Vec<String> {
    let entries = std::fs::read_dir(case.folder()).expect("a folder").flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name != "home");
    names.sort();
    names
}

#[test]
#[cfg(unix)]
fn a_look_that_is_broken_off_leaves_the_older_file_as_it_is_and_nothing_half() {
    use std::os::unix::process::ExitStatusExt as _;

    for (signal, status) in [(libc::SIGINT, Some(130)), (libc::SIGTERM, Some(143)), (libc::SIGKILL, None)] {
        let case = case();
        let service = service(&case, &["bulk-delay=3600000"], SandboxOptions::default());
        let older = "module,key,record\nContacts,older,738964000000291001\n";
        case.write("crosswalk.csv", older);
        let before = names(&case);
        let child = begun(&case, &service);
        crate::resume::send(signal, child.id());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), status);
        assert_eq!(output.status.signal(), status.is_none().then_some(libc::SIGKILL));
        assert_eq!((read(&case).as_str(), names(&case)), (older, before));
        if status.is_some() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("No file was written"), "{said}");
        }
        drop(service);
        // The same command does it all the same.
        let service = self::service(&case, &[], SandboxOptions::default());
        look_up(&case, &service, &["Contacts=Legacy_Id"]).exits(1);
        assert_eq!(read(&case).lines().count(), 6);
    }
}

#[test]
fn a_table_or_a_crosswalk_of_any_size_is_refused_by_it_before_it_is_read() {
    let case = Case::new().file("huge.csv", "").file("m.csv", "module,key,file\nLeads,L-1,m.csv\n");
    std::fs::File::options()
        .write(true)
        .open(case.path("huge.csv"))
        .expect("open")
        .set_len((1 << 30) + 1)
        .expect("sparse");
    let table = ["crosswalk", "--table", "huge.csv", "--module", "Contacts", "--key", "Key", "--record", "Id"];
    case.run(&table).exits(2).says("a table may have 1 GiB").says("split it");
    assert!(!case.path("crosswalk.csv").exists());
    case.run(&["run", "m.csv", "--crosswalk", "huge.csv", "--dry-run", "--sandbox"])
        .exits(3)
        .prints("a crosswalk may have 1 GiB")
        .prints("one for each module");
}

#[test]
fn a_result_that_is_no_zip_is_told_as_that_and_nothing_is_written() {
    let ordered = r#"{"data":[{"status":"success","code":"ADDED_SUCCESSFULLY","details":{"id":"7","state":"ADDED"}}]}"#;
    let fields = r#"{"fields":[{"api_name":"Legacy_Id","field_label":"Old number","data_type":"text"}]}"#;
    let done = r#"{"data":[{"id":"7","state":"COMPLETED","result":{"more_records":false}}]}"#;
    for result in ["<html>Please sign in</html>", "PK\u{3}\u{4} and what was cut off behind it", ""] {
        let case = case();
        let raw = Raw::asked_about(&case, vec![Step::says(raw::answer(201, "", ordered))], move |path, _| {
            Some(match path {
                path if path.contains("settings/fields") => raw::answer(200, "", fields),
                path if path.ends_with("/read/7") => raw::answer(200, "", done),
                path if path.ends_with("/read/7/result") => raw::answer(200, "", result),
                _ => raw::answer(400, "", &raw::error("SOMETHING_ELSE", "not here")),
            })
        });
        let mut command = case.command(&["crosswalk", "Contacts=Legacy_Id", "--api-domain", raw.url()]);
        command.env("ZOHO_ACCESS_TOKEN", "1000.scripted");
        let done = case.finish(command.output()).exits(4);
        assert!(done.stderr.contains("the result is no ZIP file with one table in it"), "{result}: {}", done.stderr);
        assert!(!case.path("crosswalk.csv").exists());
    }
}
