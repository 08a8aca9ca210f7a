//! Every code of a problem, met by a manifest that has it: named by a dry run, in one go, with a page to explain it, and
//! with nothing sent and nothing written.

use std::collections::BTreeSet;

use attache::internals::problem::ProblemCode;

use crate::archives::{workbook_of, zip_of, zip_that_says};
use crate::case::Case;

/// A manifest with its extension, what it is to be read with, and the codes that it must have.
struct ProblemSample {
    extension: &'static str,
    options: &'static [&'static str],
    text: Vec<u8>,
    codes: Vec<&'static str>,
}

fn sample(extension: &'static str, text: impl Into<Vec<u8>>, codes: &[&'static str]) -> ProblemSample {
    ProblemSample { extension, options: &[], text: text.into(), codes: codes.to_vec() }
}

/// Rows of a CSV, each with its code.
fn rows(header: &str, rows: &[(&str, &'static str)]) -> ProblemSample {
    let lines: Vec<&str> = rows.iter().map(|(row, _)| *row).collect();
    let text = format!("{header}\n{}\n", lines.join("\n"));
    sample("csv", text, &rows.iter().map(|(_, code)| *code).collect::<Vec<_>>())
}

fn rows_of_csv() -> ProblemSample {
    let long = format!("Leads,738964000000291009,,https://example.org/{},", "a".repeat(2_000));
    let name = format!("Leads,738964000000291009,a.txt,,{}", "n".repeat(251));
    let large = format!("Leads,738964000000291009,a.txt,,{}", "x".repeat(70_000));
    rows(
        "module,record,file,url,name",
        &[
            (",738964000000291009,a.txt,,", "module-missing"),
            ("Laeds,738964000000291009,a.txt,,", "module-unknown"),
            ("Sales Orders,738964000000291009,a.txt,,", "module-label"),
            ("Documents,738964000000291009,a.txt,,", "module-unsupported"),
            ("Services__s,738964000000291009,a.txt,,", "module-version"),
            ("Leads,,a.txt,,", "record-missing"),
            ("Leads,7.38964E+17,a.txt,,", "record-scientific"),
            ("Leads,738964000000291009.0,a.txt,,", "record-decimal"),
            ("Leads,\"738,964,000,000,291,009\",a.txt,,", "record-thousands"),
            ("Leads,-738964000000291009,a.txt,,", "record-sign"),
            ("Leads,７３８９６４００００００２９１００９,a.txt,,", "record-wide-digits"),
            ("Leads,'738964000000291009,a.txt,,", "record-apostrophe"),
            ("Leads,0738964000000291009,a.txt,,", "record-leading-zero"),
            ("Leads,12,a.txt,,", "record-length"),
            ("Leads,9999999999999999999,a.txt,,", "record-too-large"),
            ("Leads,73896400000O291009,a.txt,,", "record-not-digits"),
            ("Leads,738964000000291000,a.txt,,", "record-rounded"),
            ("Leads,111111000000291009,a.txt,,", "mixed-organisations"),
            ("Leads,zcrm_738964000000291019,a.txt,,", "zcrm-prefix"),
            (" Leads,738964000000291029,a.txt,,", "outer-blanks"),
            ("Leads,738964000000291009,,,", "source-missing"),
            ("Leads,738964000000291009,a.txt,https://example.org,", "source-both"),
            ("Leads,738964000000291009,missing.txt,,", "file-missing"),
            ("Leads,738964000000291009,folder,,", "file-not-regular"),
            ("Leads,738964000000291009,a.txt,,#NV", "spreadsheet-error"),
            ("Leads,738964000000291109,a.txt,,nan", "name-placeholder"),
            ("Leads,738964000000291209,a.txt,,Contract", "name-extension"),
            ("Leads,738964000000291009,../a.txt,,", "file-outside"),
            ("Leads,738964000000291009,empty.txt,,", "file-empty"),
            ("Leads,738964000000291009,huge.bin,,", "file-too-large"),
            ("Leads,738964000000291009,large.bin,,", "file-large"),
            ("Leads,738964000000291009,setup.EXE,,", "file-exe"),
            ("Leads,738964000000291009,con.txt,,", "file-device"),
            ("Leads,738964000000291009,,ftp://example.org/a,", "link-scheme"),
            ("Leads,738964000000291009,,https://,", "link-host"),
            ("Leads,738964000000291009,,https://user:pass@example.org/,", "link-user-info"),
            ("Leads,738964000000291009,,https://example.org/a b,", "link-blank"),
            ("Leads,738964000000291009,,https://example.org/\u{1}a,", "link-control"),
            ("Leads,738964000000291009,,https://example.org/\u{202e}a,", "link-direction"),
            ("Leads,738964000000291009,,https://example.org/%zz,", "link-escape"),
            (&long, "link-too-long"),
            ("Leads,738964000000291009,,https://example.org/t,Title", "link-title"),
            ("Leads,738964000000291009,,https://example.org/t,Other", "link-twice"),
            (&name, "name-too-long"),
            ("Leads,738964000000291009,a.txt,,..", "name-dots"),
            ("Leads,738964000000291009,a.txt,,a/b.txt", "name-character"),
            ("Leads,738964000000291009,a.txt,,a\u{1}b.txt", "name-control"),
            ("Leads,738964000000291009,a.txt,,a\u{202e}b.txt", "name-direction"),
            ("Leads,738964000000291039,a.txt,,", "same-name"),
            ("Leads,738964000000291039,a.txt,,", "identical-rows"),
            ("Leads,738964000000291039,b.txt,,a.txt", "same-name"),
            ("Leads,738964000000291009,a.txt,,,more", "too-many-cells"),
            ("Leads,738964000000291009,a.txt,,a\0b", "nul-character"),
            (&large, "cell-too-large"),
            ("# a remark,,,,", "comment-line"),
            ("", "tolerated"),
        ],
    )
}

fn whole_files_of_csv() -> Vec<ProblemSample> {
    let row = "Leads,738964000000291009,a.txt\n";
    let csv = |text: &str, code| sample("csv", text, &[code]);
    let of_many: String = (0..100).map(|n| format!("Leads,738964000000291{n:03},a.txt\n")).collect();
    let of_many = format!("module,record,file\n{of_many}");
    let huge = format!("module,record,file,x_a\n{},{}\n", row.trim_end(), "x".repeat(1 << 21));
    vec![
        csv("", "no-rows"),
        csv("module,record,file\n", "no-rows"),
        sample("csv", b"module,record,file\nLeads,738964000000291009,M\xfcller.txt\n".to_vec(), &["not-text"]),
        csv(&format!("module,record,file\n{}\r{row}", row.trim_end()), "lone-cr"),
        csv(&format!("module,record,file\nLeads,738964000000291009,\"a.txt\n{row}"), "unclosed-quote"),
        csv("module,record,file\nLeads,738964000000291009,\"a\"b.txt\n", "text-after-quote"),
        csv("module,record,file\nLeads,738964000000291009, \"a.txt\"\n", "blank-around-quote"),
        csv("module,record,file\nLeads,738964000000291009,\"a\n.txt\"\n", "newline-in-cell"),
        csv(&huge, "row-too-large"),
        csv("module;record,file\n1;2,3\n", "delimiter-unclear"),
        csv(&format!("sep=;\nmodule,record,file\n{row}"), "sep-contradicts"),
        csv(&of_many, "record-zeros-by-chance"),
        csv(row, "header-missing"),
        csv("module,file\nLeads,a.txt\n", "column-missing"),
        csv(&format!("module,record,fiel\n{row}"), "column-unknown"),
        csv(&format!("module,record,file,file\n{},a.txt\n", row.trim_end()), "column-twice"),
        csv("module,,record,file\nLeads,x,738964000000291009,a.txt\n", "column-unnamed"),
        csv(
            &format!("module,record,file{}\n{row}", (0..2_000).map(|n| format!(",x_{n}")).collect::<String>()),
            "too-many-columns",
        ),
        ProblemSample {
            options: &["--custom-module", "Not A Name"],
            ..csv(&format!("module,record,file\n{row}"), "custom-module")
        },
        #[cfg(unix)]
        rows(
            "module,record,file",
            &[
                ("Leads,738964000000291009,folder\\a.txt", "file-backslash"),
                ("Leads,738964000000291009,\\\\server\\share\\a.txt", "file-network"),
                ("Leads,738964000000291009,C:a.txt", "file-drive"),
            ],
        ),
    ]
}

/// Members of the archives that [`with_archives`] makes, and checksums.
fn archives_and_checksums() -> ProblemSample {
    rows(
        "module,record,file,sha256",
        &[
            ("Leads,738964000000291009,a.txt!/a.txt,", "archive-unreadable"),
            ("Leads,738964000000291009,two.zip!/b.txt,", "member-missing"),
            ("Leads,738964000000291009,two.zip!/a.txt,", "member-twice"),
            ("Leads,738964000000291009,locked.zip!/a.txt,", "member-encrypted"),
            ("Leads,738964000000291009,bzip2.zip!/a.txt,", "member-packing"),
            ("Leads,738964000000291009,bomb.zip!/a.txt,", "member-bomb"),
            ("Leads,738964000000291009,a.txt,123", "checksum-form"),
            (
                "Leads,738964000000291019,a.txt,0000000000000000000000000000000000000000000000000000000000000000",
                "checksum-differs",
            ),
        ],
    )
}

fn with_archives(case: Case) -> Case {
    case.file("two.zip", zip_of(&[("a.txt", b"one"), ("a.txt", b"two")]))
        .file("locked.zip", zip_that_says("a.txt", 8, &[1]))
        .file("bzip2.zip", zip_that_says("a.txt", 10, &[12]))
        .file("bomb.zip", zip_that_says("a.txt", 24, &5_000_u32.to_le_bytes()))
}

fn yaml() -> Vec<ProblemSample> {
    let row = "{module: Leads, record: 738964000000291009, file: a.txt}";
    let yaml = |text: String, code| sample("yaml", text, &[code]);
    let with = |rows: &str| format!("version: 1\nuploads:\n{rows}\n");
    vec![
        yaml("version: 1\nuploads: [\n".to_owned(), "yaml-syntax"),
        yaml(format!("{}---\nversion: 1\n", with(&format!("- {row}"))), "yaml-documents"),
        yaml(with("- {module: !x Leads, record: 738964000000291009, file: a.txt}"), "yaml-tag"),
        yaml(with(&format!("- &a {row}\n- *a")), "yaml-alias"),
        yaml(with(&format!("- &a {row}")), "yaml-anchor"),
        yaml(with("- {<<: {module: Leads}, record: 738964000000291009, file: a.txt}"), "yaml-merge-key"),
        yaml(with("- {modul: Leads, record: 738964000000291009, file: a.txt}"), "key-unknown"),
        yaml(with("- {module: Leads, module: Leads, record: 738964000000291009, file: a.txt}"), "key-twice"),
        yaml(with("- {module: [Leads], record: 738964000000291009, file: a.txt}"), "value-not-text"),
        yaml(with("- {module: Leads, record: 738964000000291009, file: a.txt, name: b.txt #2\n}"), "yaml-comment"),
        yaml(with("- Leads"), "row-not-keys"),
        yaml("version: 1\n".to_owned(), "uploads-missing"),
        yaml(format!("uploads:\n- {row}\n"), "version-missing"),
        yaml(format!("version: 2\nuploads:\n- {row}\n"), "version-unknown"),
        yaml(format!("version: 1\ncustom_modules: yes\nuploads:\n- {row}\n"), "head-value"),
        yaml(with(&format!("- {row}")) + "root: folder\n", "key-after-uploads"),
        yaml(format!("version: 1\nroot: ../..\nuploads:\n- {row}\n"), "root-unusable"),
    ]
}

/// What only a workbook can have.
fn workbook() -> ProblemSample {
    let text = |cell: &str, text: &str| format!("<c r=\"{cell}\" t=\"str\"><v>{text}</v></c>");
    let header = [text("A1", "module"), text("B1", "record"), text("C1", "file"), text("D1", "name")].concat();
    let row = |number: u32, record: &str, name: &str| {
        let (module, file) = (text(&format!("A{number}"), "Leads"), text(&format!("C{number}"), "a.txt"));
        format!("<row r=\"{number}\" hidden=\"{}\">{module}{record}{file}{name}</row>", u32::from(number == 3))
    };
    let rows = [
        format!("<row r=\"1\">{header}</row>"),
        row(2, "<c r=\"B2\"><v>738964000000291009</v></c>", ""),
        row(3, &text("B3", "738964000000291009"), "<c r=\"D3\" t=\"d\"><v>2024-01-02</v></c>"),
        row(4, &text("B4", "738964000000291009"), "<c r=\"D4\"><f>A4</f></c>"),
        row(5, "", ""),
    ];
    let merged = "<mergeCells count=\"1\"><mergeCell ref=\"B4:B5\"/></mergeCells>";
    let codes = ["record-number-cell", "cell-not-text", "cell-formula", "cell-merged", "rows-hidden"];
    sample("xlsx", workbook_of(&rows.concat(), merged), &codes)
}

/// Rows by key, with a crosswalk and without one.
fn keys() -> Vec<ProblemSample> {
    let crosswalk = "version: 1\ncrosswalk: crosswalk.csv\nuploads:\n";
    let row = |rest: &str| format!("- {{module: Leads, file: a.txt, {rest}}}\n");
    let joined = [
        ("key: K-7", "record-key-unknown"),
        ("key: twice", "record-key-ambiguous"),
        ("key: '4711.0'", "record-key-damaged"),
        ("key: \"a\\tb\"", "record-key-text"),
        ("key: K-1, record: 738964000000291009", "record-key-both"),
        ("key: ANNA@example.org", "record-key-spelling"),
    ];
    let rows: String = joined.iter().map(|(rest, _)| row(rest)).collect();
    let mut codes: Vec<&'static str> = joined.iter().map(|(_, code)| *code).collect();
    codes.push("crosswalk-tolerated");
    vec![
        sample("yaml", format!("{crosswalk}{rows}"), &codes),
        sample("yaml", format!("version: 1\nuploads:\n{}", row("key: K-1")), &["crosswalk-missing"]),
        sample("yaml", crosswalk.replace("crosswalk.csv", "a.txt") + &row("key: K-1"), &["crosswalk-damaged"]),
    ]
}

const CROSSWALK: &str = "module,key,record,Owner\nLeads,K-1,738964000000291001,\nLeads,twice,738964000000291002,\n\
                         Leads,twice,738964000000291003,\nLeads,anna@example.org,738964000000291004,\n";

/// What a dry run cannot be made to meet here: trouble of the disk, rights that root does not miss, a race with an editor,
/// gigabytes of manifest, a million bad rows, an organisation and records, which nobody is asked for, a disk that tells Unicode forms
/// apart, results of earlier runs and approved plans, which other tests are about, and a results file, which is met below.
const NOT_HERE: [&str; 18] = [
    "file-unicode-form",
    "plan-differs",
    "row-not-in-plan",
    "planned-row-missing",
    "planned-file-differs",
    "read-failed",
    "file-unreadable",
    "file-denied",
    "manifest-changed",
    "manifest-too-large",
    "too-many-bad-rows",
    "sent-before",
    "sent-under-another-name",
    "sent-to-another-record",
    "sent-by-another-manifest",
    "crosswalk-organisation",
    "record-not-found",
    "results-as-manifest",
];

fn codes_found(case: &Case, sample: &ProblemSample) -> BTreeSet<String> {
    let name = format!("m.{}", sample.extension);
    case.write(&name, &sample.text);
    let arguments = [&["run", &name, "--dry-run", "--sandbox", "--output", "json"], sample.options].concat();
    let done = case.run(&arguments);
    let document: serde_json::Value =
        serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", done.stdout, done.stderr));
    let problems = document["problems"].as_array().expect("a list of problems");
    problems.iter().map(|problem| problem["code"].as_str().expect("a code").to_owned()).collect()
}

#[test]
fn every_code_is_reached_and_has_a_page() {
    let case = Case::new().file("a.txt", "a").file("b.txt", "b").file("empty.txt", "").file("folder/a.txt", "a");
    let case = with_archives(case.file("setup.EXE", "x").file("con.txt", "c")).file("crosswalk.csv", CROSSWALK);
    for (name, size) in [("huge.bin", 5_000_000_000), ("large.bin", 101_000_000)] {
        let file = std::fs::File::create(case.path(name)).expect("a file");
        file.set_len(size).expect("a sparse file");
    }
    let mut all = BTreeSet::new();
    let of_csv = [rows_of_csv(), archives_and_checksums()].into_iter().chain(whole_files_of_csv());
    for sample in of_csv.chain(yaml()).chain(keys()).chain([workbook()]) {
        let found = codes_found(&case, &sample);
        for code in &sample.codes {
            assert!(found.contains(*code), "{code} is not among {found:?}");
        }
        all.extend(found);
    }
    let missing: Vec<&str> = ProblemCode::ALL
        .iter()
        .map(|code| code.as_str())
        .filter(|code| !all.contains(*code) && !NOT_HERE.contains(code))
        .filter(|code| cfg!(unix) || !matches!(*code, "file-backslash" | "file-network" | "file-drive"))
        .collect();
    assert!(missing.is_empty(), "no sample has {missing:?}");
    for code in all {
        case.run(&["explain", &code]).exits(0).prints(&code);
    }
}

#[test]
fn a_results_file_is_no_manifest_and_the_way_to_go_on_is_named() {
    let case = Case::new().many_rows(2);
    case.run(&["run", "m.csv", "--sandbox"]).exits(0);
    case.run(&["run", "m.sandbox-results.csv", "--dry-run", "--sandbox"]).exits(3).prints("--resend");
}

#[test]
fn a_manifest_that_cannot_be_opened_is_a_mistake_of_usage() {
    let case = Case::new().file("m.txt", "module,record,file\n");
    std::fs::create_dir(case.path("folder.csv")).expect("a folder");
    case.run(&["run", "missing.csv", "--dry-run"]).exits(2).says("missing.csv");
    case.run(&["run", "folder.csv", "--dry-run"]).exits(2).says("folder.csv");
    case.run(&["run", "m.txt", "--dry-run"]).exits(2).says("--format");
    case.run(&["run", "-", "--dry-run"]).exits(2).says("--format");
    case.run(&["run", "m.txt", "--format", "csv", "--dry-run"]).exits(3).prints("no-rows");
}

#[test]
fn rows_that_fail_at_the_service_are_in_the_list_to_mend_and_the_mended_list_is_a_manifest() {
    let case = Case::new().file("a.txt", "a").file("b.txt", "b");
    case.write(
        "m.csv",
        "module;record;file;note\nLeads;738964000000291009;a.txt;one\nDeals;738964000000291019;b.txt;=two\n\
         Leads;12;a.txt;three\n",
    );
    let run = ["run", "m.csv", "--sandbox", "--skip-invalid", "--sandbox-fault", "no-permission,module=Deals"];
    let done = case.run(&[&run[..], &["--problems", "mend.csv"]].concat()).exits(1);
    assert!(done.stderr.contains("Rows to mend: mend.csv (2 rows). Open it with the ids as Text"), "{}", done.stderr);
    let text = std::fs::read_to_string(case.path("mend.csv")).expect("written");
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!(lines[0], "module;record;file;url;name;note;x_line;x_problem;x_what_to_do");
    assert!(lines[1].starts_with("Deals;738964000000291019;b.txt;;;'=two;3;NO_PERMISSION: "), "{text}");
    assert!(lines[2].starts_with("Leads;12;a.txt;;;three;4;\"record-length: "), "{text}");
    case.run(&[&run[..], &["--problems", "mend.xlsx", "--results", "again.results.csv"]].concat()).exits(1);
    let done = case.run(&["run", "mend.xlsx", "--dry-run", "--sandbox"]).exits(3);
    assert!(done.stdout.contains("mend.xlsx 'To mend'!B3"), "{}", done.stdout);
    assert!(done.stdout.contains("1 of 2 rows is not sound"), "{}", done.stdout);
}
