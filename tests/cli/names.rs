//! Names and contents as somebody else's parser of forms reads them.

use crate::case::Case;
use crate::raw::Raw;

fn sent(rows: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    let case = Case::new();
    let mut manifest = csv::Writer::from_writer(Vec::new());
    manifest.write_record(["module", "record", "file", "name"]).expect("a header");
    for (number, (file, name)) in rows.iter().enumerate() {
        let record = (738_964_000_000_291_009 + number as u64).to_string();
        case.write(file, content(file));
        manifest.write_record(["Leads", &record, file, name]).expect("a row");
    }
    case.write("m.csv", manifest.into_inner().expect("a manifest"));
    let raw = Raw::start(&case, Vec::new(), false);
    raw.run(&case, &[]).exits(0);
    let names: Vec<String> = raw.arrived().iter().map(|upload| upload.name.clone()).collect();
    assert_eq!(case.column("m.results.csv", "name"), names, "the results give the name as it was sent");
    raw.arrived().into_iter().map(|upload| (upload.name, upload.bytes)).collect()
}

/// Every byte there is, the line ends and dashes of a form among them, and the name.
fn content(file: &str) -> Vec<u8> {
    let every: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    [file.as_bytes(), b"\r\n--\r\n----", &every].concat()
}

#[test]
fn names_and_bytes_arrive_as_they_are() {
    let long = "ü".repeat(250);
    let names = [
        "a;b=c.txt",
        "50% of %22it%22.txt",
        "தமிழ் கோப்பு.txt",
        "中文文件.txt",
        "👨‍👩‍👧 😀.txt",
        "Cafe\u{301}.txt",
        "it's & + #.txt",
        &long,
    ];
    let rows: Vec<(String, &str)> = (0..).map(|number: u32| format!("{number}.bin")).zip(names).collect();
    let rows: Vec<(&str, &str)> = rows.iter().map(|(file, name)| (file.as_str(), *name)).collect();
    for ((file, name), (got, bytes)) in rows.iter().zip(sent(&rows)) {
        assert_eq!(*name, got);
        assert!(bytes == content(file), "{name}: other bytes arrived");
    }
    // The same as names of the files themselves, where a file system can hold them.
    let own: Vec<(&str, &str)> = names[..7].iter().map(|name| (*name, "")).collect();
    let got: Vec<String> = sent(&own).into_iter().map(|(name, _)| name).collect();
    assert_eq!(got, &names[..7]);
}

#[cfg(unix)]
#[test]
fn what_no_form_can_hold_in_a_files_own_name_becomes_an_underline() {
    let got = sent(&[("say \"hi\".txt", ""), ("tab\there.txt", ""), ("d/ outer .txt ", ""), ("bell\u{7}.txt", "")]);
    let names: Vec<&str> = got.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["say _hi_.txt", "tab_here.txt", "_outer .txt_", "bell_.txt"]);
}
