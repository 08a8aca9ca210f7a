//! What a user types and what programs read: options and their variables, files that must not be lost, JSON in its
//! promised shape.

use serde_json::Value;

use crate::case::Case;

const TWO: [(&str, &str, &str); 2] =
    [("Leads", "738964000000291009", "a.txt"), ("Deals", "738964000000291010", "b.txt")];

fn errors_by_schema(name: &str, document: &Value) -> Vec<String> {
    let path = format!("{}/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn json(case: &Case, arguments: &[&str]) -> Value {
    let output = case.command(arguments).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn the_rows_to_mend_never_replace_the_manifest_or_the_results() {
    let case = Case::new().file("m.csv", "module,record,file\nLead,1,missing.txt\n");
    let before = std::fs::read(case.path("m.csv")).unwrap();
    case.run(&["run", "m.csv", "--dry-run", "--problems", "m.csv"]).exits(2).says("is the manifest");
    case.run(&["run", "m.csv", "--dry-run", "--problems", "m.results.csv"]).exits(2).says("is the results file");
    assert_eq!(std::fs::read(case.path("m.csv")).unwrap(), before);
}

#[test]
fn an_option_can_be_a_variable_and_the_command_line_has_precedence() {
    let case = Case::new().rows(&TWO).env("ATTACHE_RATE", "90/min").env("ATTACHE_STRICT", "yes");
    let settings = |arguments: &[&str]| json(&case, arguments)["plan"]["settings"].clone();
    let dry_run = ["run", "m.csv", "--dry-run", "--output", "json"];
    let by_variable = settings(&dry_run);
    assert_eq!(by_variable["rate"], "90/min");
    assert!(by_variable["flags"].to_string().contains("--strict"), "{by_variable}");
    assert_eq!(settings(&[&dry_run[..], &["--rate", "5/s"]].concat())["rate"], "5/s");
}

#[test]
fn dry_run_and_summary_keep_to_their_schemas_and_standard_output_has_nothing_else() {
    let case = Case::new().rows(&TWO);
    let plan = json(&case, &["run", "m.csv", "--dry-run", "--output", "json"]);
    assert_eq!(errors_by_schema("plan", &plan), [""; 0]);
    assert_eq!((plan["rows"].as_u64(), plan["plan"]["rows"]["to_send"].as_u64()), (Some(2), Some(2)));
    let summary = json(&case, &["run", "m.csv", "--sandbox", "--output", "json"]);
    assert_eq!(errors_by_schema("summary", &summary), [""; 0]);
    assert_eq!(summary["overall"]["uploaded"], 2);
    case.write("m.csv", "module,record,file\nLead,1,a.txt\n");
    let unsound = json(&case, &["run", "m.csv", "--dry-run", "--output", "json"]);
    assert_eq!(errors_by_schema("plan", &unsound), [""; 0]);
    assert_eq!((&unsound["plan"], unsound["sound"].as_u64()), (&Value::Null, Some(0)));
}

#[test]
fn every_event_keeps_to_its_schema() {
    let case = Case::new().rows(&TWO);
    let output = case.command(&["run", "m.csv", "--sandbox", "--progress", "json", "-q"]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let events: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for event in &events {
        assert_eq!(errors_by_schema("event", event), [""; 0], "{event}");
    }
    let rows = events.iter().filter(|event| event["event"] == "row").count();
    assert_eq!((rows, &events[0]["event"], &events[events.len() - 1]["event"]), (2, &"begun".into(), &"ended".into()));
}

#[test]
fn codes_shells_and_manual_pages_are_printed_and_what_is_not_known_is_2() {
    let case = Case::new();
    case.run(&["explain"]).exits(0).prints("file-missing");
    case.run(&["explain", "FILE_MISSING"]).exits(0).prints("What to do");
    case.run(&["explain", "file-mising"]).exits(2).says("file-missing");
    for shell in ["bash", "fish", "powershell", "zsh"] {
        case.run(&["completions", shell]).exits(0).prints("sandbox-fault");
    }
    for shell in ["bash", "fish", "zsh"] {
        case.run(&["completions", shell]).exits(0).prints("record-rounded");
    }
    case.run(&["man", "run"]).exits(0).prints("ATTACHE_MAX_SIZE");
    case.run(&["man", "auth", "login"]).exits(0).prints("attache auth login");
    case.run(&["man", "walk"]).exits(2).says("there are run");
    case.run(&["run", "m.csv", "--client-secret", "hush"]).exits(2).says("ZOHO_CLIENT_SECRET");
}

#[test]
fn what_report_verify_auth_status_and_doctor_write_for_programs_keeps_its_shape() {
    let (case, service) =
        (Case::new().rows(&TWO), crate::service::RunningSandbox::with_faults(&["no-permission,module=Deals"]));
    service.run(&case, &[]).exits(1);
    let (url, token) = (service.url(), service.token());
    let asked = |arguments: &[&str]| {
        let mut command = case.command(arguments);
        let output = command.env("ZOHO_ACCESS_TOKEN", &token).output().expect("the program can be started");
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    };
    let to = ["--api-domain", &url, "--output", "json"];
    for (schema, arguments) in [
        ("report", &["report", "m.results.csv", "--output", "json"][..]),
        ("verify", &[&["verify", "m.results.csv"], &to[..]].concat()),
        ("auth", &[&["auth", "status", "m.csv"], &to[..]].concat()),
        ("doctor", &[&["doctor", "m.csv"], &to[..]].concat()),
    ] {
        let errors = errors_by_schema(schema, &asked(arguments));
        assert!(errors.is_empty(), "{schema}: {errors:?}");
    }
}

#[test]
fn rows_that_were_mended_are_not_written_over() {
    let case = Case::new().rows(&[("Leads", "12", "a.txt")]);
    case.run(&["run", "m.csv", "--dry-run", "--problems", "mend.csv"]).exits(3);
    case.write("mend.csv", "my own work");
    case.run(&["run", "m.csv", "--dry-run", "--problems", "mend.csv"]).exits(2).says("mend.csv is there already");
    assert_eq!(std::fs::read_to_string(case.path("mend.csv")).expect("the file"), "my own work");
}
