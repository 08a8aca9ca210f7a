//! Whole manifests through the check: what is found, where, and what is let through.

mod archives;
mod workbooks;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::manifest::{self, Input};
use crate::problem::Severity;

mod keys;

/// A folder with a few files, and manifests in it.
struct CheckFolder {
    folder: tempfile::TempDir,
}

impl CheckFolder {
    fn new() -> CheckFolder {
        let folder = tempfile::tempdir().unwrap();
        let here = CheckFolder { folder };
        for name in ["a.pdf", "b.pdf", "docs/a.pdf", "docs/Ünï.txt", "docs/UPPER.TXT", " blank .pdf", "setup.exe"] {
            here.write(name, b"content");
        }
        here.write("empty.pdf", b"");
        // On Windows this is a device, whatever folder it is in.
        if cfg!(unix) {
            here.write("aux.txt", b"content");
        }
        here
    }

    fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn check_file(&self, name: &str, manifest_settings: &manifest::ReadOptions, options: &CheckOptions) -> Checkup {
        let manifest = manifest::open(&Input::Path(self.folder.path().join(name)), manifest_settings).unwrap();
        check(manifest, options, &|_| false)
    }

    fn check_bytes(&self, name: &str, content: &[u8], options: &CheckOptions) -> Checkup {
        self.write(name, content);
        self.check_file(name, &manifest::ReadOptions::default(), options)
    }

    fn csv(&self, content: &str) -> Checkup {
        self.check_bytes("m.csv", content.as_bytes(), &CheckOptions::default())
    }

    fn yaml(&self, content: &str) -> Checkup {
        self.check_bytes("m.yaml", content.as_bytes(), &CheckOptions::default())
    }
}

/// `code line:column row field`, for each problem.
fn found(checkup: &Checkup) -> Vec<String> {
    let number = |number: Option<u32>| number.map_or("-".to_owned(), |number| number.to_string());
    checkup
        .problems
        .iter()
        .map(|problem| {
            let field = problem.field.as_deref().unwrap_or("-");
            format!(
                "{} {}:{} {} {field}",
                problem.code,
                number(problem.line),
                number(problem.column),
                number(problem.row)
            )
        })
        .collect()
}

/// The problems as people see them, for snapshots.
fn report(checkup: &Checkup, folder: &CheckFolder) -> String {
    let base = folder.path().display().to_string();
    let lines: Vec<String> = checkup
        .problems
        .iter()
        .map(|p| {
            let place = (p.line, p.column);
            format!(
                "{:?} {} {place:?} row {:?}: {} [{:?}]\n    {}",
                p.severity, p.code, p.row, p.message, p.value, p.hint
            )
        })
        .collect();
    format!("rows {}, sound {}\n{}", checkup.rows, checkup.sound, lines.join("\n")).replace(&base, "BASE")
}

const ID: &str = "738964000000291009";

#[test]
fn every_problem_of_a_csv_manifest_is_found_with_its_place() {
    let folder = CheckFolder::new();
    #[rustfmt::skip]
    let cases: &[(&str, &[&str])] = &[
        ("", &["no-rows -:- - -"]),
        ("\n \n", &["no-rows -:- - -", "tolerated -:- - -"]),
        ("module,record,file\n", &["no-rows -:- - -"]),
        ("module,record,file\nLeads,738964000000291009,a.pdf\n", &[]),
        ("sep=;\nMODULE; Record ;file\nLeads;738964000000291009;a.pdf\n", &[]),
        ("sep=,\nmodule;record;file\nLeads;738964000000291009;a.pdf\n", &["sep-contradicts 1:- - -"]),
        ("sep=#\nmodule;record;file\n", &["delimiter-unclear 1:- - -"]),
        ("module;record,file\nLeads;1,a\n", &["delimiter-unclear 1:- - -"]),
        ("Leads,738964000000291009,a.pdf\n", &["header-missing 1:1 - -"]),
        ("module,file\nLeads,a.pdf\n", &["column-missing 1:- - -"]),
        ("module,record,note\nLeads,738964000000291009,x\n", &["column-missing 1:- - -"]),
        ("module,record,file,naem\nLeads,738964000000291009,a.pdf,\n", &["column-unknown 1:20 - naem"]),
        ("module,record,file,x_\nLeads,738964000000291009,a.pdf,\n", &["column-unknown 1:20 - x_"]),
        ("module,record,file,File\nLeads,738964000000291009,a.pdf,\n", &["column-twice 1:20 - file"]),
        ("module,record,,file\nLeads,738964000000291009,,a.pdf\n", &["column-unnamed 1:15 - -"]),
        ("module,record,file,\nLeads,738964000000291009,a.pdf,x\n", &["column-unnamed 2:32 1 -"]),
        ("module,record,file\nLeads,738964000000291009,a,b.pdf\n", &["file-missing 2:26 1 file", "too-many-cells 2:28 1 -"]),
        ("line,module,record,file,status,attachment_id,run,key,check\n1,Leads,1,a,uploaded,,,,\n", &["results-as-manifest 1:- - -"]),
        ("module,record,file\n# remark\n", &["comment-line 2:1 1 -"]),
        ("module,record,file\n#N/A,738964000000291009,a.pdf\n", &["spreadsheet-error 2:1 1 module"]),
        ("module,record,file,name\nLeads,738964000000291009,a.pdf,#BEZUG!\n", &["spreadsheet-error 2:32 1 name"]),
        ("module,record,file,name\nLeads,738964000000291009,a.pdf,NULL\n", &["name-placeholder 2:32 1 name"]),
        ("module,record,file,name\nLeads,738964000000291009,a.pdf,Contract\n", &["name-extension 2:32 1 name"]),
        ("module,record,file\nLeads,738964000000291009,\"a.pdf\nDeals,738964000000291010,b.pdf\n", &["unclosed-quote 2:26 1 -"]),
        ("module,record,file\nLeads,738964000000291009,\"a.pdf\nDeals,1,\"b.pdf\"\n", &["unclosed-quote 2:26 1 -", "record-length 3:7 2 record"]),
        ("module,record,file\nLeads,738964000000291009,\"a\".pdf\nLeads,1,b.pdf\n", &["text-after-quote 2:29 1 -", "record-length 3:7 2 record"]),
        ("module,record,file\nLeads, \"738964000000291009\",a.pdf\n", &["blank-around-quote 2:8 1 -"]),
        ("module,record,file\nLeads,\"738964000000291009\n\",a.pdf\nLeads,1,b.pdf\n", &["newline-in-cell 2:7 1 -", "record-length 4:7 2 record"]),
        ("module,record,file\rLeads,738964000000291009,a.pdf\rLeads,1,b.pdf\r", &["lone-cr 1:- - -"]),
        ("module,record,file\nLeads,738964000000291009,a.pdf\n\u{1a}", &["tolerated -:- - -"]),
        ("module,record,file\nLeads,738964000000291009,a\r.pdf\n", &["lone-cr 2:26 1 -", "file-missing 2:26 1 file"]),
        ("module,record,file\nLeads,738964000000291009,a\0.pdf\n", &["nul-character 2:27 1 -"]),
        (",,\n", &["header-missing 1:1 - -"]),
        ("module,record,file\n,,\n,738964000000291009,a.pdf\nLeads,,a.pdf\nLeads,738964000000291009,", &[
            "module-missing 3:1 1 module", "record-missing 4:7 2 record", "source-missing 5:26 3 -", "tolerated -:- - -",
        ]),
        ("module,record,file\nLeads,738964000000291009\n", &["source-missing 2:- 1 -", "tolerated -:- - -"]),
        ("module,record,file,url\nLeads,738964000000291009,a.pdf,https://example.com/\n", &["source-both 2:32 1 url"]),
        ("module,record,file\nLeeds,12,c.pdf\n", &["module-unknown 2:1 1 module", "record-length 2:7 1 record", "file-missing 2:10 1 file"]),
        ("module,record,file\nSales Orders,738964000000291009,a.pdf\nCalls,738964000000291009,a.pdf\nProjects,738964000000291009,a.pdf\n", &[
            "module-label 2:1 1 module", "module-version 3:1 2 module", "module-unsupported 4:1 3 module",
        ]),
        ("module,record,file\n Leads ,zcrm_738964000000291009,a.pdf\nLeads,\t738964000000291010,b.pdf\n", &["outer-blanks 2:1 1 -", "zcrm-prefix 2:9 1 -"]),
        ("module,record,file\nLeads,7.38964E+17,a.pdf\nLeads,738964000000291009.5,a.pdf\nLeads,\"738,964,000\",a.pdf\n", &[
            "record-scientific 2:7 1 record", "record-decimal 3:7 2 record", "record-thousands 4:7 3 record",
        ]),
        ("module,record,file\nLeads,+1,a.pdf\nLeads,'1,a.pdf\nLeads,１,a.pdf\nLeads,0738964000000291009,a.pdf\nLeads,9999999999999999999,a.pdf\nLeads,x,a.pdf\n", &[
            "record-sign 2:7 1 record", "record-apostrophe 3:7 2 record", "record-wide-digits 4:7 3 record",
            "record-leading-zero 5:7 4 record", "record-too-large 6:7 5 record", "record-not-digits 7:7 6 record",
        ]),
        ("module,record,file\nLeads,738964000000291000,a.pdf\n", &["record-rounded 2:7 1 record"]),
        ("module,record,file\nLeads,738964000000291009,a.pdf\nLeads,415086000000291009,a.pdf\n", &["mixed-organisations -:- - -"]),
        ("module,record,file\nLeads,738964000000291009,docs/upper.txt\nLeads,738964000000291009,docs\nLeads,738964000000291009,docs/\nLeads,738964000000291009,empty.pdf\n", &[
            "file-missing 2:26 1 file", "file-not-regular 3:26 2 file", "file-not-regular 4:26 3 file", "file-empty 5:26 4 file",
        ]),
        ("module,record,file\nLeads,738964000000291009,../x.pdf\nLeads,738964000000291009,docs/../a.pdf\nLeads,738964000000291009,/etc/passwd\n", &[
            "file-outside 2:26 1 file", "file-outside 4:26 3 file",
        ]),
        ("module,record,file,name\nLeads,738964000000291009,setup.exe,s.txt\nLeads,738964000000291009,a.pdf,x.EXE.\nLeads,738964000000291009,aux.txt,\n", &[
            "file-exe 2:26 1 file", "file-exe 3:32 2 name", "file-device 4:26 3 file",
        ]),
        ("module,record,url,name\nLeads,738964000000291009,example.com,\nLeads,738964000000291009,http://,\nLeads,738964000000291009,http://u:p@h/,\n", &[
            "link-scheme 2:26 1 url", "link-host 3:26 2 url", "link-user-info 4:26 3 url",
        ]),
        ("module,record,url,name\nLeads,738964000000291009,http://h/a b,\nLeads,738964000000291009,http://h/\u{7},\nLeads,738964000000291009,http://h/\u{202e},\nLeads,738964000000291009,http://h/%,\n", &[
            "link-blank 2:26 1 url", "link-control 3:26 2 url", "link-direction 4:26 3 url", "link-escape 5:26 4 url",
        ]),
        ("module,record,url,name\nLeads,738964000000291009,http://h/,Title\nLeads,738964000000291009,http://h/,\n", &["link-title 2:36 1 name", "link-twice 3:26 2 url"]),
        ("module,record,file,name\nLeads,738964000000291009,a.pdf,..\nLeads,738964000000291009,a.pdf,a/b\nLeads,738964000000291009,a.pdf,a\u{7}\nLeads,738964000000291009,a.pdf,a\u{202e}\n", &[
            "name-dots 2:32 1 name", "name-character 3:32 2 name", "name-control 4:32 3 name", "name-direction 5:32 4 name",
        ]),
        ("module,record,file\nLeads,738964000000291009,a.pdf\nLeads,738964000000291009,docs/a.pdf\nLeads,738964000000291009,./a.pdf\nDeals,738964000000291009,a.pdf\n", &[
            "same-name 3:26 2 file", "identical-rows 4:26 3 file",
        ]),
        ("module,record,file,x_a\n\"Leads\",738964000000291009,a.pdf,\"two\r\nlines\"\nLeads,1,b.pdf,\n", &["record-length 4:7 2 record"]),
    ];
    let mut wrong = Vec::new();
    for (content, wanted) in cases {
        let checkup = folder.csv(content);
        let mut found = found(&checkup);
        found.sort_by_key(|problem| !problem.starts_with("no-rows") && problem.contains(" -:- "));
        if found != *wanted {
            wrong.push(format!("{content}\n  found {found:#?}\n  wanted {wanted:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_problem_of_a_yaml_manifest_is_found_with_its_place() {
    let folder = CheckFolder::new();
    let row = format!("  - {{module: Leads, record: {ID}, file: a.pdf}}\n");
    #[rustfmt::skip]
    let cases: &[(String, &[&str])] = &[
        (String::new(), &["version-missing -:- - -"]),
        ("- a\n".to_owned(), &["uploads-missing 1:1 - -"]),
        ("version: 1\n".to_owned(), &["uploads-missing -:- - -"]),
        ("version: 1\nuploads:\n".to_owned(), &["no-rows -:- - -"]),
        ("version: 1\nuploads: []\n".to_owned(), &["no-rows -:- - -"]),
        ("version: 1\nuploads: {a: b}\n".to_owned(), &["uploads-missing 2:1 - -"]),
        (format!("uploads:\n{row}"), &["version-missing -:- - -"]),
        (format!("version: 2\nuploads:\n{row}"), &["version-unknown 1:10 - version"]),
        (format!("version: '1'\nuploads:\n{row}"), &["version-unknown 1:10 - version"]),
        (format!("version: [1]\nroot: {{a: b}}\ndefaults: 7\ncustom_modules: {{}}\nuploads:\n{row}"), &[
            "head-value 1:10 - version", "head-value 2:7 - root", "head-value 3:11 - defaults", "head-value 4:17 - custom_modules",
        ]),
        (format!("version: 1\nroots: docs\nuploads:\n{row}"), &["key-unknown 2:1 - roots"]),
        (format!("version: 1\nroot: ..\nuploads:\n{row}"), &["root-unusable 2:7 - root"]),
        (format!("version: 1\nroot: nowhere\nuploads:\n{row}"), &["root-unusable 2:7 - root"]),
        (format!("version: 1\nroot: docs\nuploads:\n{row}"), &[]),
        (format!("version: 1\nversion: 1\nuploads:\n{row}"), &["key-twice 2:1 - version"]),
        (format!("version: 1\nuploads:\n{row}root: docs\nmore: 1\n"), &["key-after-uploads 4:1 - -", "key-unknown 5:1 - more"]),
        (format!("version: 1\nuploads:\n{row}---\nversion: 1\n"), &["yaml-documents 4:1 - -"]),
        (format!("version: 1\ncustom_modules: [Site Visits, Documents, Fine]\nuploads:\n{row}"), &["custom-module 2:18 - custom_modules", "custom-module 2:31 - custom_modules"]),
        (format!("version: 1\nuploads:\n{row}\t- x\n"), &["yaml-syntax 4:2 - -"]),
        ("version: 1\nuploads:\n  - a.pdf\n  -\n  - [x]\n".to_owned(), &["tolerated -:- - -", "row-not-keys 3:5 1 -", "row-not-keys 5:5 2 -"]),
        (format!("version: 1\nuploads:\n  - Module: Leads\n    module: Leads\n    record: {ID}\n    file: a.pdf\n"), &["key-unknown 3:5 1 Module"]),
        (format!("version: 1\nuploads:\n  - module: Leads\n    record: {ID}\n    file: a.pdf\n    file: b.pdf\n"), &["key-twice 6:5 1 file"]),
        (format!("version: 1\nuploads:\n  - module: Leads\n    record: !!int {ID}\n    file: &f a.pdf\n"), &["yaml-tag 4:13 1 -", "yaml-anchor 5:11 1 -"]),
        (format!("version: 1\ndefaults: &d {{module: Leads}}\nuploads:\n  - <<: *d\n    module: Leads\n    record: {ID}\n    file: a.pdf\n"), &["yaml-merge-key 4:5 1 <<", "yaml-alias 4:9 1 -"]),
        (format!("version: 1\nuploads:\n  - module: Leads\n    record: {ID}\n    file: [a.pdf, b.pdf]\n"), &["value-not-text 5:11 1 file"]),
        (format!("version: 1\nuploads:\n  - module: Leads\n    record: {ID}\n    file: |\n      a.pdf\n"), &["newline-in-cell 6:7 1 file", "file-missing 6:7 1 file"]),
        ("version: 1\ndefaults: {module: leads, record: 7.38964E+17, file: c.pdf, name: ..}\nuploads:\n  - note: x\n".to_owned(), &[
            "module-label 2:20 - module", "record-scientific 2:35 - record", "file-missing 2:54 - file", "name-dots 2:67 - name",
        ]),
        (format!("version: 1\ndefaults: {{module: Leads}} # all\nuploads:\n  - record: {ID} # Miller\n    file: a.pdf\n    name: Contract #4.pdf\n    note: a#b\n"), &["yaml-comment 6:11 1 name", "name-extension 6:11 1 name"]),
        (format!("version: 1\ndefaults:\n  module: Leads\n  x_a: one #2\nuploads:\n  - {{record: {ID}, file: a.pdf, name: 'A #1.pdf'}} # good\n"), &["yaml-comment 4:8 - x_a"]),
        (format!("uploads:\n  - record: {ID}\n    file: a.pdf\n  - record: {ID}\n    file: b.pdf\ndefaults:\n  module: Leads\nversion: 1\n"), &["key-after-uploads 6:1 - -", "key-after-uploads 8:1 - -"]),
        (format!("uploads:\n  - {{module: Leads, record: {ID}, file: a.pdf}}\nversion: 1\n"), &["key-after-uploads 3:1 - -"]),
        ("version: 1\nuploads:\n  - file: \"C:\\sub\\a.pdf\"\n".to_owned(), &["yaml-syntax 3:11 - -"]),
        (format!("version: 1\ncolumns: {{record: Record Id, file: Pfad}}\nuploads:\n  - {{module: Leads, Record Id: {ID}, PFAD: a.pdf}}\n"), &[]),
        (format!("version: 1\ncolumns: {{recrd: Record Id}}\nuploads:\n  - {{module: Leads, record: {ID}, file: a.pdf}}\n"), &["head-value 2:11 - columns"]),
        (format!("version: 1\ndefaults: {{module: Leads, url: 'https://example.com/'}}\nuploads:\n  - {{record: {ID}, file: a.pdf}}\n  - {{record: {ID}}}\n"), &[]),
        (format!("version: 1\nuploads:\n  - module: Leads\n    record: {ID}\n    file: ~\n    url: null\n    name: \"\"\n"), &["source-missing 5:11 1 -"]),
        (format!("version: 1\r\nuploads:\r\n  - module: Leads\r    record: {ID}\r\n    file: a.pdf\r\n"), &["lone-cr 3:18 1 -"]),
        (format!("{{\"version\": 1, \"defaults\": {{\"module\": \"Leads\"}}, \"uploads\": [{{\"record\": {ID}, \"file\": \"a.pdf\"}}]}}"), &[]),
    ];
    let mut wrong = Vec::new();
    for (content, wanted) in cases {
        let found = found(&folder.yaml(content));
        if found != *wanted {
            wrong.push(format!("{content}\n  found {found:#?}\n  wanted {wanted:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_is_reached_by_a_real_manifest() {
    let folder = CheckFolder::new();
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut add = |checkup: Checkup| reached.extend(checkup.problems.iter().map(|problem| problem.code.as_str()));
    // What the tables above reach need not be repeated; these need more than a text.
    add(folder.check_bytes(
        "m.csv",
        b"module,record,file\nLeads,738964000000291009,R\xE9.pdf\n",
        &CheckOptions::default(),
    ));
    let wide: String = (0..1_001).map(|ix| format!(",x_{ix}")).collect();
    add(folder.csv(&format!("module,record,file{wide}\nLeads,{ID},a.pdf\n")));
    add(folder.csv(&format!("module,record,file,note\nLeads,{ID},a.pdf,\"{}\"\n", "x".repeat(70_000))));
    add(folder.csv(&format!("module,record,file,note\nLeads,{ID},a.pdf,{}\n", "x".repeat(2 << 20))));
    add(folder.csv(&format!(
        "module,record,file\nLeads,{ID},\\\\server\\share\\a.pdf\nLeads,{ID},docs\\a.pdf\nLeads,{ID},C:a.pdf\n"
    )));
    add(folder.csv(&format!("module,record,url\nLeads,{ID},http://h/{}\n", "x".repeat(2_000))));
    add(folder.csv(&format!("module,record,file,name\nLeads,{ID},a.pdf,{}\n", "x".repeat(251))));
    let small = CheckOptions { max_size: 100, ..CheckOptions::default() };
    add(folder.check_bytes("m.csv", format!("module,record,file\nLeads,{ID},a.pdf\n").as_bytes(), &small));
    let sparse = fs::File::create(folder.folder.path().join("large.mp4")).unwrap();
    sparse.set_len(100_000_000).unwrap();
    add(folder.csv(&format!("module,record,file\nLeads,{ID},large.mp4\n")));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("circle.pdf", folder.folder.path().join("circle.pdf")).unwrap();
        add(folder.csv(&format!("module,record,file\nLeads,{ID},circle.pdf\n")));
    }
    let crosswalk = "module,key,record,x\nLeads,1,738964000000291009,\nLeads,1,738964000000291010,\nLeads,a@b.de,738964000000291011,\n";
    let long = "x".repeat(256);
    let manifest = format!(
        "module,key,record,file\nLeads,1,,a.pdf\nLeads,2,,a.pdf\nLeads,1.0,,a.pdf\nLeads,{long},,a.pdf\nLeads,1,{ID},a.pdf\n\
         Leads,A@B.de,,a.pdf\n"
    );
    add(folder.with_crosswalk(&manifest, crosswalk));
    add(folder.with_crosswalk(&manifest, "module,key\n"));
    add(folder.csv(&manifest));
    #[rustfmt::skip]
    let in_tables = [
        "no-rows", "nul-character", "lone-cr", "unclosed-quote", "text-after-quote", "blank-around-quote",
        "newline-in-cell", "delimiter-unclear", "sep-contradicts", "header-missing", "column-missing", "column-unknown",
        "column-twice", "column-unnamed", "too-many-cells", "comment-line", "results-as-manifest", "tolerated",
        "yaml-syntax", "yaml-documents", "yaml-tag", "yaml-alias", "yaml-anchor", "yaml-merge-key", "key-unknown",
        "key-twice", "value-not-text", "row-not-keys", "uploads-missing", "version-missing", "version-unknown",
        "head-value", "key-after-uploads", "root-unusable", "module-missing", "module-unknown", "module-label",
        "module-unsupported", "module-version", "custom-module", "record-missing", "record-scientific",
        "record-decimal", "record-thousands", "record-sign", "record-wide-digits", "record-apostrophe",
        "record-leading-zero", "record-length", "record-too-large", "record-not-digits", "record-rounded",
        "mixed-organisations", "zcrm-prefix", "outer-blanks", "source-missing", "source-both", "file-missing",
        "file-not-regular", "file-outside", "file-empty", "file-exe", "file-device", "link-scheme", "link-host",
        "link-user-info", "link-blank", "link-control", "link-direction", "link-escape", "link-title", "link-twice",
        "name-dots", "name-character", "name-control", "name-direction", "identical-rows", "same-name",
        "spreadsheet-error", "name-placeholder", "name-extension", "yaml-comment",
    ];
    #[rustfmt::skip]
    // Tests of their own below, in `archives` and in `workbooks`; a full disk of texts cannot be reached in a test, and root may read everything.
    let elsewhere = [
        "manifest-changed", "read-failed", "manifest-too-large", "too-many-bad-rows", "file-denied", "archive-unreadable", "member-missing",
        "member-twice", "member-encrypted", "member-packing", "member-bomb", "checksum-form", "checksum-differs",
        "crosswalk-organisation", "record-not-found", "sent-before", "sent-under-another-name", "sent-to-another-record", "sent-by-another-manifest", "record-number-cell",
        "cell-not-text", "cell-formula", "cell-merged", "rows-hidden", "record-zeros-by-chance", "file-unicode-form",
        "plan-differs", "row-not-in-plan", "planned-row-missing", "planned-file-differs",
    ];
    let all: BTreeSet<&str> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
    reached.extend(in_tables.iter().chain(&elsewhere));
    let missing: Vec<_> = all.difference(&reached).filter(|code| cfg!(unix) || **code != "file-backslash").collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_manifest_that_changes_while_it_is_read_is_refused() {
    let folder = CheckFolder::new();
    folder.write("m.csv", format!("module,record,file\nLeads,{ID},a.pdf\n").as_bytes());
    let path = folder.folder.path().join("m.csv");
    let manifest = manifest::open(&Input::Path(path), &manifest::ReadOptions::default()).unwrap();
    folder.write("m.csv", format!("module,record,file\nLeads,{ID},a.pdf\nLeads,{ID},b.pdf\n").as_bytes());
    let checkup = check(manifest, &CheckOptions::default(), &|_| false);
    assert_eq!(found(&checkup), ["manifest-changed -:- - -"]);
    assert!(checkup.checked.is_none());
}

#[test]
fn what_passes_is_let_through_as_it_will_be_sent() {
    let folder = CheckFolder::new();
    let content = format!(
        "module,record,file,url,name,x_old\n\
         Leads,{ID},docs/Ünï.txt,,,7\n\
         Sales_Orders,zcrm_{ID},./a.pdf,, Named.pdf ,\n\
         Leads,{ID},,https://example.com/?a=b,,\n\
         Leads,{ID}, blank .pdf,,,8\n"
    );
    let checkup = folder.csv(&content);
    let checked = checkup.checked.unwrap();
    assert_eq!((checkup.rows, checkup.sound, checked.len()), (4, 4, 4));
    let sent: Vec<_> = checked
        .rows()
        .map(|row| {
            let upload = checked.upload(row);
            let carried: Vec<_> = checked.carried(row).collect();
            format!(
                "{} {} {} {:?} {:?} {carried:?}",
                upload.line, upload.module, upload.record, upload.source, upload.name
            )
        })
        .collect();
    assert_eq!(
        sent,
        [
            format!("2 Leads {ID} \"docs/Ünï.txt\" \"Ünï.txt\" [\"7\"]"),
            format!("3 Sales_Orders {ID} \"./a.pdf\" \"Named.pdf\" [\"\"]"),
            format!("4 Leads {ID} \"https://example.com/?a=b\" \"\" [\"\"]"),
            format!("5 Leads {ID} \" blank .pdf\" \"_blank .pdf\" [\"8\"]"),
        ]
    );
    let key = |row: u32| checked.upload(RowIx(row)).key;
    assert_eq!(key(1), RowKey::of("Sales_Orders", ID, crate::upload::SourceKind::File, "./a.pdf", "Named.pdf", 1));
    assert_eq!(checked.file(RowIx(0)).map(|file| file.path), Some(folder.path().join("docs").join("Ünï.txt")));
    assert_eq!(checked.file(RowIx(2)).map(|file| file.path), None);
    assert_eq!(checked.facts(RowIx(0)).map(|facts| facts.size), Some(7));
    assert_eq!(checked.carried_columns(), ["x_old"]);
    assert_eq!(checked.renamed().collect::<Vec<_>>(), [(RowIx(3), " blank .pdf", "_blank .pdf")]);
}

#[test]
fn rows_that_are_not_sound_are_left_out_on_request_and_only_then() {
    let folder = CheckFolder::new();
    let content = format!(
        "module,record,file,x_n\nLeads,{ID},a.pdf,1\nLeads,12,a.pdf,2\nLeads,{ID},gone.pdf,3\nLeads,{ID},a.pdf,4\n"
    );
    assert!(folder.csv(&content).checked.is_none());
    let skip = CheckOptions { skip_invalid: true, ..CheckOptions::default() };
    let checkup = folder.check_bytes("m.csv", content.as_bytes(), &skip);
    let checked = checkup.checked.unwrap();
    assert_eq!((checkup.rows, checkup.sound, checked.len()), (4, 1, 1));
    assert_eq!(checked.carried(RowIx(0)).collect::<Vec<_>>(), ["1"]);
    let left_out: Vec<_> = checked
        .left_out()
        .iter()
        .map(|row| {
            (row.row, row.cells().record, row.cells().file, row.carried(1).collect::<String>(), row.code().as_str())
        })
        .collect();
    assert_eq!(
        left_out,
        [
            (2, "12", "a.pdf", "2".to_owned(), "record-length"),
            (3, ID, "gone.pdf", "3".to_owned(), "file-missing"),
            (4, ID, "a.pdf", "4".to_owned(), "identical-rows")
        ]
    );
    let keys: BTreeSet<_> = checked.left_out().iter().map(|row| row.key).chain([checked.key(RowIx(0))]).collect();
    assert_eq!(keys.len(), 4);
    // Broken quoting makes it uncertain what the rows are, so nothing is skipped for it; and something must remain.
    for content in [
        format!("module,record,file\nLeads,{ID},a.pdf\nLeads,{ID},\"b.pdf\n"),
        "module,record,file\nLeads,1,a.pdf\n".into(),
    ] {
        assert!(folder.check_bytes("m.csv", content.as_bytes(), &skip).checked.is_none(), "{content}");
    }
}

#[test]
fn identical_rows_get_keys_of_their_own_and_never_travel_together() {
    let folder = CheckFolder::new();
    let allow = CheckOptions { allow_identical: true, skip_invalid: true, ..CheckOptions::default() };
    let content = format!(
        "module,record,file,name\nLeads,1,a.pdf,\nLeads,{ID},a.pdf,\nLeads,{ID},b.pdf,\nLeads,{ID},a.pdf,\nLeads,{ID},b.pdf,A.pdf\nLeads,{ID},docs/a.pdf,\n"
    );
    let checkup = folder.check_bytes("m.csv", content.as_bytes(), &allow);
    let checked = checkup.checked.unwrap();
    let ambiguous: Vec<u32> = checked.rows().map(|row| checked.ambiguity_group(row).0).collect();
    assert_eq!(ambiguous, [0, 1, 0, 3, 0]);
    let keys: BTreeSet<_> = checked.rows().map(|row| checked.key(row)).collect();
    assert_eq!(keys.len(), 5);
    let file = crate::upload::SourceKind::File;
    assert_eq!(checked.key(RowIx(2)), RowKey::of("Leads", ID, file, "a.pdf", "a.pdf", 2));
}

#[test]
fn ids_that_end_in_zeros_by_chance_are_counted_once() {
    let folder = CheckFolder::new();
    let rows: String = (0..2_500).map(|n| format!("Leads,{},a.pdf\n", 738_964_000_000_291_000_u64 + n)).collect();
    let checkup = folder.csv(&format!("module,record,file\n{rows}"));
    assert_eq!(found(&checkup), ["record-zeros-by-chance 2:7 - -"]);
    let says = "3 record ids end in zeros, about as many as chance makes of 2,500 different ids (line 2, 1002, 2002)";
    assert_eq!(checkup.problems[0].message, says);
    assert_eq!(checkup.sound, 2_500);
}

#[test]
fn warnings_about_rows_that_are_done_do_not_come_back() {
    let folder = CheckFolder::new();
    let rows = "module,record,file\nLeads,738964000000291000,a.pdf\nLeads,738964000000292009,b.pdf\n";
    folder.write("m.csv", rows.as_bytes());
    let input = Input::Path(folder.folder.path().join("m.csv"));
    let open = || manifest::open(&input, &manifest::ReadOptions::default()).unwrap();
    let strict = CheckOptions { strict: true, ..CheckOptions::default() };
    assert_eq!(found(&check(open(), &strict, &|_| false)), ["record-rounded 2:7 1 record"]);
    let done = check(open(), &strict, &|_| true);
    assert_eq!((found(&done), done.sound), (Vec::new(), 2));
}

#[test]
fn a_settled_row_is_judged_by_form_alone() {
    let folder = CheckFolder::new();
    folder.write(
        "m.csv",
        format!("module,record,file\nLeads,{ID},gone.pdf\nLeads,12,gone.pdf\nLeads,{ID},gone2.pdf\n").as_bytes(),
    );
    let gone = RowKey::of("Leads", ID, crate::upload::SourceKind::File, "gone.pdf", "gone.pdf", 1);
    let path = folder.folder.path().join("m.csv");
    let manifest = manifest::open(&Input::Path(path), &manifest::ReadOptions::default()).unwrap();
    let checkup = check(manifest, &CheckOptions::default(), &|key| key == gone);
    assert_eq!(found(&checkup), ["record-length 3:7 2 record", "file-missing 3:10 2 file", "file-missing 4:26 3 file"]);
}

#[test]
fn flags_relax_the_rules_they_name_and_strict_sharpens_warnings() {
    let folder = CheckFolder::new();
    let rounded: String = (1..=3).map(|ix| format!("Leads,73896400000029{ix}000,a.pdf\n")).collect();
    let cases: &[(String, CheckOptions, &str)] = &[
        (format!("Leads,{ID},empty.pdf\n"), CheckOptions { allow_empty: true, ..CheckOptions::default() }, ""),
        (
            format!("Leads,{ID},a.pdf\nLeads,{ID},a.pdf\n"),
            CheckOptions { allow_identical: true, ..CheckOptions::default() },
            "",
        ),
        (rounded.clone(), CheckOptions::default(), "EEE"),
        (rounded.clone(), CheckOptions { allow_rounded_ids: true, ..CheckOptions::default() }, "WWW"),
        (
            format!(
                "{rounded}Leads,{ID},a.pdf\nLeads,738964000000291001,a.pdf\nLeads,738964000000291002,a.pdf\nLeads,738964000000291003,a.pdf\n"
            ),
            CheckOptions::default(),
            "WWW",
        ),
        (format!("Leads,{ID},a.pdf\nLeads,{ID},docs/a.pdf\n"), CheckOptions::default(), "W"),
        (
            format!("Leads,{ID},a.pdf\nLeads,{ID},docs/a.pdf\n"),
            CheckOptions { strict: true, ..CheckOptions::default() },
            "E",
        ),
        (
            format!("Leads,{ID},a.pdf\nLeads,415086000000291009,a.pdf\n"),
            CheckOptions { strict: true, ..CheckOptions::default() },
            "E",
        ),
        (format!("Leads,{ID}, a.pdf\n"), CheckOptions { strict: true, ..CheckOptions::default() }, "E"),
        (format!(" Leads,{ID},a.pdf\n\n"), CheckOptions { strict: true, ..CheckOptions::default() }, "NN"),
        (
            format!("Leads,{ID},../{}/a.pdf\n", folder.path().file_name().unwrap().to_str().unwrap()),
            CheckOptions::default(),
            "",
        ),
    ];
    for (rows, options, wanted) in cases {
        let checkup = folder.check_bytes("m.csv", format!("module,record,file\n{rows}").as_bytes(), options);
        let severities: String = checkup
            .problems
            .iter()
            .map(|problem| match problem.severity {
                Severity::Error => 'E',
                Severity::Warning => 'W',
                Severity::Note => 'N',
            })
            .collect();
        assert_eq!(severities, *wanted, "{rows}");
        assert_eq!(checkup.checked.is_none(), wanted.contains('E'), "{rows}");
    }
}

#[test]
fn encodings_formats_and_roots_are_as_the_user_says() {
    let folder = CheckFolder::new();
    folder.write("Ärger.pdf", b"x");
    let text = format!("module;record;file\r\nLeads;{ID};Ärger.pdf\r\n");
    let utf16: Vec<u8> = [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let marked = [b"\xEF\xBB\xBF".as_slice(), text.as_bytes()].concat();
    for bytes in [utf16, marked, text.replace(';', "\t").into_bytes()] {
        let checkup = folder.check_bytes("m.csv", &bytes, &CheckOptions::default());
        assert_eq!(found(&checkup), [""; 0]);
        assert_eq!(checkup.manifest.sha256.len(), 64);
    }
    let (latin1, _, _) = encoding_rs::WINDOWS_1252.encode(&text);
    folder.write("m.csv", &latin1);
    assert_eq!(
        found(&folder.check_file("m.csv", &manifest::ReadOptions::default(), &CheckOptions::default())),
        ["not-text 2:26 1 -"]
    );
    let western = manifest::ReadOptions { encoding: Some(encoding_rs::WINDOWS_1252), ..Default::default() };
    let checkup = folder.check_file("m.csv", &western, &CheckOptions::default());
    assert_eq!(found(&checkup), [""; 0]);
    assert_eq!((checkup.manifest.encoding, checkup.manifest.delimiter), ("windows-1252", Some(';')));

    folder.write("docs/m.tsv", format!("module\trecord\tfile\nLeads\t{ID}\tb.pdf\n").as_bytes());
    assert_eq!(
        found(&folder.check_file("docs/m.tsv", &manifest::ReadOptions::default(), &CheckOptions::default())),
        ["file-missing 2:26 1 file"]
    );
    let rooted = manifest::ReadOptions { root: Some(folder.path()), ..Default::default() };
    assert_eq!(found(&folder.check_file("docs/m.tsv", &rooted, &CheckOptions::default())), [""; 0]);
}

#[test]
fn a_manifest_that_cannot_be_opened_is_a_mistake_of_the_command() {
    let folder = CheckFolder::new();
    let open = |name: &str| {
        let input = Input::Path(folder.folder.path().join(name));
        manifest::open(&input, &manifest::ReadOptions::default()).err().map(|error| error.to_string())
    };
    folder.write("manifest", b"");
    fs::create_dir(folder.folder.path().join("folder.csv")).unwrap();
    assert!(open("gone.csv").unwrap().starts_with("cannot read the manifest"));
    assert!(open("gone.txt").unwrap().starts_with("cannot read the manifest"));
    assert!(open("manifest").unwrap().contains("cannot tell how"));
    assert!(open("folder.csv").unwrap().contains("is a folder"));
    let stdin = manifest::open(&Input::Stdin, &manifest::ReadOptions::default());
    assert!(stdin.err().unwrap().to_string().contains("nothing says how"));
}

#[test]
fn messages_read_well() {
    let folder = CheckFolder::new();
    let content = format!(
        "module,record,file,url,name,x_a\n\
         Leeds,7.38964E+17,docs/upper.txt,,,\n\
         Leads,{ID},docs/Unï.txt,https://me:secret@example.com/,,\n\
         Leads,{ID},../../etc/passwd,,a/b,\n\
         Leads,{ID},,https://me:secret@example.com/,,\n\
         Leads,{ID},~/a.pdf,,,\n\
         Leads,{ID},a.pdf,,,,too much\n\
         Leads,{ID},a.pdf,,,\n\
         Leads,{ID},docs/a.pdf,,,\n\
         Leads,{ID},a.pdf,,,\n\
         \n\
         Leads,{ID},\"b.pdf,,,\n"
    );
    let checkup = folder.csv(&content);
    insta::assert_snapshot!(report(&checkup, &folder));
    let json = serde_json::to_string(&*checkup.problems).unwrap();
    assert!(!json.contains("secret"));
    assert!(checkup.unsound.iter().all(|row| !row.cells().url.contains("secret")));
}

#[test]
fn a_missing_file_of_nearly_the_same_name_is_pointed_out() {
    let folder = CheckFolder::new();
    folder.write("docs/e\u{301}.txt", b"x");
    let hint = |path: &str| {
        let checkup = folder.csv(&format!("module,record,file\nLeads,{ID},{path}\n"));
        checkup.problems.first().map(|problem| problem.hint.clone()).unwrap_or_default()
    };
    assert!(hint("docs/upper.txt").starts_with("there is docs/UPPER.TXT"));
    assert!(hint("DOCS/UPPER.TXT").starts_with("there is docs/UPPER.TXT"));
    assert!(hint("docs/É.txt").starts_with("there is docs/e\u{301}.txt"));
    assert!(hint("blank .pdf").starts_with("there is  blank .pdf"));
    assert!(hint("~/x").contains("home folder"));
    assert!(hint("nothing/like/it").starts_with("paths are relative to"));
}

#[cfg(unix)]
#[test]
fn symbolic_links_are_followed_inside_and_refused_outside() {
    use std::os::unix::fs::symlink;
    let (folder, other) = (CheckFolder::new(), CheckFolder::new());
    let here = folder.path();
    symlink(here.join("a.pdf"), here.join("link.pdf")).unwrap();
    symlink(other.path().join("a.pdf"), here.join("away.pdf")).unwrap();
    symlink(other.path(), here.join("away")).unwrap();
    symlink("nowhere", here.join("dangling.pdf")).unwrap();
    let rows: String = ["link.pdf", "away.pdf", "away/a.pdf", "away/none.pdf", "dangling.pdf"]
        .map(|path| format!("Leads,{ID},{path}\n"))
        .concat();
    let content = format!("module,record,file\n{rows}");
    let checkup = folder.csv(&content);
    assert_eq!(
        found(&checkup),
        [
            "file-outside 3:26 2 file",
            "file-outside 4:26 3 file",
            "file-outside 5:26 4 file",
            "file-missing 6:26 5 file"
        ]
    );
    let trusting = CheckOptions { allow_outside: true, skip_invalid: true, ..CheckOptions::default() };
    let checked = folder.check_bytes("m.csv", content.as_bytes(), &trusting).checked.unwrap();
    assert_eq!(checked.file(RowIx(0)).map(|file| file.path), Some(here.join("a.pdf")));
    assert_eq!(checked.file(RowIx(1)).map(|file| file.path), Some(other.path().join("a.pdf")));
}

#[cfg(unix)]
#[test]
fn a_pipe_is_no_file_and_nobody_waits_for_it() {
    let folder = CheckFolder::new();
    let socket = folder.path().join("socket.pdf");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let checkup = folder.csv(&format!("module,record,file\nLeads,{ID},socket.pdf\n"));
    assert_eq!(checkup.problems[0].message, "this is a socket, not a file");
}

#[test]
fn the_examples_are_sound_and_say_the_same() {
    let read = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/first").join(name);
        let manifest = manifest::open(&Input::Path(path), &manifest::ReadOptions::default()).unwrap();
        let options = CheckOptions { custom_modules: vec!["Site_Visits".to_owned()], ..CheckOptions::default() };
        let checkup = check(manifest, &options, &|_| false);
        assert_eq!(found(&checkup), [""; 0]);
        let checked = checkup.checked.unwrap();
        checked.rows().map(|row| (checked.key(row), checked.facts(row))).collect::<Vec<_>>()
    };
    assert_eq!(read("manifest.csv"), read("manifest.yaml"));
    assert_eq!(read("manifest.csv").len(), 10);
}

/// CSV and YAML say the same when they hold the same.
#[test]
fn both_formats_give_the_same_rows() {
    let folder = CheckFolder::new();
    let csv = folder.csv(&format!(
        "module,record,file,url,name,note\nLeads,{ID},a.pdf,,,\nDeals,{ID},,https://example.com/,,two\nLeads,{ID},docs/a.pdf,,007,no\n"
    ));
    let yaml = folder.yaml(&format!(
        "version: 1\ndefaults:\n  module: Leads\n  record: {ID}\nuploads:\n  - file: a.pdf\n  - module: Deals\n    url: https://example.com/\n    note: two\n  - file: docs/a.pdf\n    name: 007\n    note: no\n"
    ));
    let rows = |checkup: Checkup| {
        let checked = checkup.checked.unwrap();
        let row = |ix| {
            let upload = checked.upload(ix);
            let carried: Vec<_> = checked.carried(ix).map(str::to_owned).collect();
            (
                upload.module.to_owned(),
                upload.source.to_owned(),
                upload.name.to_owned(),
                upload.key,
                carried,
                checked.file(ix).map(|file| file.path),
            )
        };
        checked.rows().map(row).collect::<Vec<_>>()
    };
    assert_eq!(rows(csv), rows(yaml));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    /// Whatever the bytes: no panic, and every row is accounted for.
    #[test]
    fn random_bytes_never_panic(
        seed in proptest::collection::vec(0_usize..PIECES.len(), 0..40),
        yaml in proptest::bool::ANY,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = seed.iter().flat_map(|ix| PIECES[*ix].iter().copied()).collect();
        let head: &[u8] = if yaml { b"version: 1\nuploads:\n" } else { b"module,record,file,x_a\n" };
        let path = folder.path().join(if yaml { "m.yaml" } else { "m.csv" });
        fs::write(&path, [head, &bytes].concat()).unwrap();
        let options = CheckOptions { skip_invalid: true, ..CheckOptions::default() };
        let manifest = manifest::open(&Input::Path(path), &manifest::ReadOptions::default()).unwrap();
        let checkup = check(manifest, &options, &|_| false);
        proptest::prop_assert_eq!(checkup.rows as usize, checkup.sound as usize + checkup.unsound.len());
        if let Some(checked) = checkup.checked {
            proptest::prop_assert_eq!(checked.len(), checkup.sound as usize);
        }
    }
}

/// What random manifests are made of: all that has a meaning to one of the readers, and some bytes that have none.
const PIECES: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b"\r",
    b"\"",
    b"\"\"",
    b",",
    b";",
    b"\t",
    b" ",
    b"  - ",
    b"    ",
    b"module: Leads\n",
    b"record: ",
    b"738964000000291009",
    b"file: a.pdf\n",
    b"Leads,738964000000291009,a.pdf,",
    b"a.pdf",
    b"\0",
    b"\xFF",
    b"\xC3\xA9",
    b"\xE2\x82",
    b"&a ",
    b"*a",
    b"!!str ",
    b"<<: ",
    b"[",
    b"]",
    b"{",
    b"}",
    b": ",
    b"- ",
    b"? ",
    b"|\n",
    b">\n",
    b"#",
    b"---\n",
    b"...\n",
    b"%YAML",
    b"'",
    b"\xEF\xBB\xBF",
    b"x_a: ",
    b"@",
    b"`",
    b"\\",
    b"\"\\u0041\"",
    b"~",
    b"null",
    b"https://u:p@h/",
];

/// The folder of a manifest in the current folder is the current folder.
#[test]
fn a_bare_file_name_belongs_to_the_current_folder() {
    assert_eq!(Path::new("m.csv").parent(), Some(Path::new("")));
    let cargo = manifest::open(
        &Input::Path("Cargo.toml".into()),
        &manifest::ReadOptions { format: Some(manifest::ManifestFormat::Csv), ..Default::default() },
    );
    assert_eq!(cargo.unwrap().info().base, std::env::current_dir().unwrap().canonicalize().unwrap());
}

#[test]
fn reading_ends_where_too_many_rows_cannot_be_complete() {
    let folder = CheckFolder::new();
    let path = folder.path().join("m.csv");
    fs::write(&path, format!("module,record,file\n{}", "Lead,7,a.pdf\n".repeat(10))).unwrap();
    let manifest = manifest::open(&Input::Path(path), &manifest::ReadOptions::default()).unwrap();
    let options = CheckOptions { skip_invalid: true, ..CheckOptions::default() };
    let mut checker = checker::Checker::new(&options, None);
    checker.most_incomplete = 4;
    let checkup = checker.judge(manifest);
    assert_eq!((checkup.rows, checkup.sound, checkup.unsound.len()), (4, 0, 4));
    assert!(checkup.problems.iter().any(|problem| problem.code == ProblemCode::TooManyBadRows));
    assert!(checkup.checked.is_none());
}

#[test]
fn rows_beyond_the_problems_that_are_kept_are_held_with_their_code() {
    let folder = CheckFolder::new();
    let rows: String = (0..1_500).map(|ix| format!("Lead,{ID},missing{ix}.pdf\n")).collect();
    let checkup = folder.csv(&format!("module,record,file\nLeads,{ID},a.pdf\n{rows}"));
    assert_eq!((checkup.rows, checkup.sound, checkup.unsound.len()), (1_501, 1, 1_500));
    assert_eq!(checkup.problems.len(), 2_000);
    let more: Vec<_> = checkup.problems.more().iter().map(|more| (more.code.as_str(), more.count)).collect();
    assert_eq!(more, [("module-label", 500), ("file-missing", 500)]);
    let last = checkup.unsound.last().expect("held");
    assert_eq!((last.code().as_str(), last.message()), ("module-label", ProblemCode::ModuleLabel.title()));
    let mut out = std::io::Cursor::new(Vec::new());
    let (unsound, problems) = (&checkup.unsound, &checkup.problems);
    let table = crate::console::mend::MendTable { columns: &[], unsound, problems, refused: &[] };
    table.write(crate::console::mend::MendForm::Csv(','), &mut out).unwrap();
    let text = String::from_utf8(out.into_inner()).unwrap();
    assert_eq!(text.lines().count(), 1_501);
    let last = text.lines().last().expect("a row");
    assert!(
        last.contains("missing1499.pdf") && last.contains("module-label: ") && last.contains("file-missing: "),
        "{last}"
    );
}

#[test]
fn headings_of_an_export_get_their_meaning_from_the_user_and_others_may_be_passed_over() {
    let folder = CheckFolder::new();
    let content = format!("\u{feff}Record Id;Pfad;Module;Owner\nzcrm_{ID};a.pdf;Leads;Anna\n");
    folder.write("m.csv", content.as_bytes());
    let read = |rules: &[&str], ignore_unknown| {
        let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        let headings = manifest::HeadingRules { rules, ignore_unknown };
        let options = manifest::ReadOptions { headings, ..Default::default() };
        folder.check_file("m.csv", &options, &CheckOptions::default())
    };
    let both = ["record=record id", "file=Pfad"];
    assert_eq!(found(&read(&both, false)), ["column-unknown 1:23 - Owner", "zcrm-prefix 2:1 1 -"]);
    let checkup = read(&both, true);
    assert_eq!(found(&checkup), ["tolerated 1:- - -", "zcrm-prefix 2:1 1 -"]);
    assert!(checkup.problems[0].message.contains("columns that are not used: Owner"));
    assert_eq!(checkup.sound, 1);
    let carried = read(&["record=Record Id", "file=Pfad", "x_owner=Owner"], false);
    assert_eq!((carried.sound, carried.carried_columns), (1, vec!["x_owner".to_owned()]));
    let wrong = read(&["record=Record-Id", "file=Pfad"], true);
    assert_eq!(found(&wrong), ["column-missing 1:- - -", "tolerated 1:- - -"]);
    assert!(wrong.problems[0].hint.contains("did you mean \"Record Id\"?"), "{}", wrong.problems[0].hint);
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_whose_name_differs_only_in_its_unicode_form_is_the_file_that_was_meant() {
    let folder = CheckFolder::new();
    folder.write("o\u{308}rtlich/Re\u{301}sume\u{301}.pdf", b"content");
    folder.write("two/e\u{301}\u{323}.pdf", b"content");
    folder.write("two/\u{e9}\u{323}.pdf", b"content");
    let content = format!(
        "module,record,file\nLeads,{ID},\u{f6}rtlich/R\u{e9}sum\u{e9}.pdf\nLeads,{ID},two/\u{1eb9}\u{301}.pdf\n"
    );
    let checkup = folder.csv(&content);
    assert_eq!(found(&checkup), ["file-unicode-form 2:26 1 -", "file-missing 3:26 2 file"]);
    let checkup = folder.csv(&content.lines().take(2).map(|line| format!("{line}\n")).collect::<String>());
    let checked = checkup.checked.unwrap();
    let file = checked.file(RowIx(0)).unwrap();
    assert!(file.path.ends_with("o\u{308}rtlich/Re\u{301}sume\u{301}.pdf"), "{}", file.path.display());
    assert_eq!(checked.upload(RowIx(0)).name, "R\u{e9}sum\u{e9}.pdf");
}
