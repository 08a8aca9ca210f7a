//! Members of zip archives as sources, and files that a checksum is given of.

use super::*;
use crate::archive::tests::{Pack, write_zip, zip_of};
use crate::upload::FileSource;

const ABC_SHA256: &str = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
const ABC_MD5: &str = "900150983cd24fb0d6963f7d28e17f72";

/// What the only rows of a sound manifest are to be read from.
fn sources(checkup: &Checkup) -> Vec<FileSource> {
    let checked = checkup.checked.as_ref().unwrap_or_else(|| panic!("{:?}", checkup.problems));
    checked.rows().filter_map(|row| checked.file(row)).collect()
}

#[test]
fn a_member_of_an_archive_is_a_source_like_a_file() {
    let folder = CheckFolder::new();
    fs::create_dir(folder.folder.path().join("ex")).unwrap();
    let members = [("scans/1.pdf", &b"one"[..], Pack::Store), ("scans/Ünï.txt", b"two two", Pack::Deflate)];
    write_zip(&folder.folder.path().join("ex/A.zip"), &members);
    let checkup = folder.csv(&format!(
        "module,record,file\nLeads,{ID},ex/A.zip!/scans/1.pdf\nLeads,{ID},./ex/A.zip!/scans/Ünï.txt\nLeads,{ID},a.pdf\n"
    ));
    assert_eq!(found(&checkup), [""; 0]);
    let found = sources(&checkup);
    assert_eq!(found.iter().map(|source| source.facts.size).collect::<Vec<_>>(), [3, 7, 7]);
    assert_eq!(found.iter().map(|source| source.member.is_some()).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(found[0].path, folder.path().join("ex/A.zip"));
    let checked = checkup.checked.unwrap();
    assert_eq!(checked.upload(RowIx(1)).name, "Ünï.txt");
}

#[test]
fn two_members_of_one_archive_are_two_files_and_one_twice_is_one() {
    let folder = CheckFolder::new();
    let members = [("x/a.pdf", &b"one"[..], Pack::Store), ("y/a.pdf", b"two", Pack::Store)];
    write_zip(&folder.folder.path().join("A.zip"), &members);
    let rows = ["A.zip!/x/a.pdf", "A.zip!/y/a.pdf", "A.zip!/x/a.pdf"].map(|file| format!("Leads,{ID},{file}\n"));
    let checkup = folder.csv(&format!("module,record,file\n{}", rows.concat()));
    let codes: Vec<_> = checkup.problems.iter().map(|problem| (problem.code.as_str(), problem.line)).collect();
    assert_eq!(codes, [("same-name", Some(3)), ("identical-rows", Some(4))]);
}

#[test]
fn a_real_file_of_that_name_wins_over_a_member() {
    let folder = CheckFolder::new();
    folder.write("A.zip!/1.pdf", b"a real file");
    let checkup = folder.csv(&format!("module,record,file\nLeads,{ID},A.zip!/1.pdf\n"));
    assert_eq!(sources(&checkup)[0].facts.size, 11);
    assert_eq!(sources(&checkup)[0].member, None);
}

#[test]
fn everything_that_is_wrong_with_a_member_is_told_apart() {
    let folder = CheckFolder::new();
    let zeros = vec![0; 500_000];
    let one = [("a.txt", &b"hello"[..], Pack::Store), ("empty", b"", Pack::Store), ("zeros", &zeros, Pack::Deflate)];
    write_zip(&folder.folder.path().join("A.zip"), &one);
    let twice = [("a.txt", &b"one"[..], Pack::Store), ("a.txt", b"two", Pack::Store)];
    write_zip(&folder.folder.path().join("twice.zip"), &twice);
    let bytes = zip_of(&one);
    folder.write("cut.zip", &bytes[..bytes.len() / 2]);
    // Flags stand at byte 8 of the directory's record, the method at byte 10.
    let record = bytes.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    for (name, at, value) in [("locked.zip", 8, bytes[record + 8] | 1), ("bzip2.zip", 10, 12)] {
        let mut changed = bytes.clone();
        changed[record + at] = value;
        folder.write(name, &changed);
    }
    let rows: String = [
        "A.zip!/none.txt",
        "A.zip!/A.TXT",
        "none.zip!/a.txt",
        "twice.zip!/a.txt",
        "cut.zip!/a.txt",
        "locked.zip!/a.txt",
        "bzip2.zip!/a.txt",
        "A.zip!/zeros",
        "A.zip!/empty",
        "a.pdf!/a.txt",
        "docs!/a.txt",
    ]
    .map(|file| format!("Leads,{ID},{file}\n"))
    .concat();
    let checkup = folder.csv(&format!("module,record,file\n{rows}"));
    let errors: Vec<_> = checkup.problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
    let codes: Vec<_> = errors.iter().map(|problem| problem.code.as_str()).collect();
    assert_eq!(
        codes,
        [
            "member-missing",
            "member-missing",
            "file-missing",
            "member-twice",
            "archive-unreadable",
            "member-encrypted",
            "member-packing",
            "member-bomb",
            "file-empty",
            "archive-unreadable",
            "file-missing",
        ]
    );
    assert!(errors[2].hint.contains("none.zip must be there"), "{}", errors[2].hint);
}

#[test]
fn a_member_beyond_the_limit_and_an_archive_outside_the_folder_are_refused_like_files() {
    let folder = CheckFolder::new();
    let outside = tempfile::tempdir().unwrap();
    write_zip(&outside.path().join("A.zip"), &[("a.txt", b"hello", Pack::Store)]);
    write_zip(&folder.folder.path().join("A.zip"), &[("a.txt", &[7; 3_000], Pack::Store)]);
    let away = outside.path().join("A.zip!/a.txt");
    let content = format!("module,record,file\nLeads,{ID},A.zip!/a.txt\nLeads,{ID},{}\n", away.display());
    let small = CheckOptions { max_size: 2_000, ..CheckOptions::default() };
    let checkup = folder.check_bytes("m.csv", content.as_bytes(), &small);
    let codes: Vec<_> = checkup.problems.iter().map(|problem| problem.code.as_str()).collect();
    assert_eq!(codes, ["file-too-large", "file-outside", "same-name"]);
}

#[test]
fn files_are_held_against_the_checksums_that_rows_give() {
    let folder = CheckFolder::new();
    folder.write("abc.txt", b"abc");
    write_zip(&folder.folder.path().join("A.zip"), &[("abc.txt", b"abc", Pack::Store), ("x", b"abd", Pack::Deflate)]);
    let other = "0".repeat(64);
    let content = format!(
        "module,record,file,name,sha256,md5\n\
         Leads,{ID},abc.txt,1.txt,{ABC_SHA256},{ABC_MD5}\n\
         Leads,{ID},abc.txt,2.txt,{other},\n\
         Leads,{ID},A.zip!/abc.txt,3.txt,,{ABC_MD5}\n\
         Leads,{ID},A.zip!/x,4,{ABC_SHA256},\n\
         Leads,{ID},a.pdf,5.pdf,,\n"
    );
    let checkup = folder.csv(&content);
    assert_eq!(found(&checkup), ["checksum-differs 3:26 2 file", "checksum-differs 5:26 4 file"]);
    assert!(checkup.problems[0].message.contains(&ABC_SHA256.to_lowercase()), "{}", checkup.problems[0].message);
    let skip = CheckOptions { skip_invalid: true, ..CheckOptions::default() };
    let checkup = folder.check_bytes("m.csv", content.as_bytes(), &skip);
    let kept: Vec<_> = sources(&checkup).iter().map(|source| source.checksums.is_empty()).collect();
    assert_eq!(kept, [false, false, true], "checksums stay with their rows when others are left out");
    assert_eq!(checkup.unsound[0].cells().sha256, other);
}

#[test]
fn a_checksum_that_is_none_or_stands_beside_a_link_is_refused_where_it_stands() {
    let folder = CheckFolder::new();
    let checkup = folder.csv(&format!(
        "module,record,file,url,sha256,md5\n\
         Leads,{ID},a.pdf,,abc,\n\
         Leads,{ID},b.pdf,, {ABC_SHA256} ,xyz\n\
         Leads,{ID},,https://example.com/,,{ABC_MD5}\n"
    ));
    let codes = ["checksum-form 2:33 1 sha256", "checksum-form 3:100 2 md5", "checksum-form 4:49 3 md5"];
    let found: Vec<_> = found(&checkup).into_iter().filter(|problem| !problem.starts_with("outer-blanks")).collect();
    assert_eq!(found, codes);
}

#[test]
fn checksums_of_yaml_are_read_as_written_and_the_reading_is_told_of() {
    let folder = CheckFolder::new();
    folder.write("abc.txt", b"abc");
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let teller = Arc::clone(&told);
    let checksum_watch = ChecksumWatch::new(move |bytes, of| teller.lock().unwrap().push((bytes, of)));
    let options = CheckOptions { checksum_watch, ..CheckOptions::default() };
    let manifest = format!(
        "version: 1\nuploads:\n  - {{module: Leads, record: '{ID}', file: abc.txt, sha256: {ABC_SHA256}, md5: {ABC_MD5}}}\n"
    );
    let checkup = folder.check_bytes("m.yaml", manifest.as_bytes(), &options);
    assert_eq!(found(&checkup), [""; 0]);
    assert_eq!(*told.lock().unwrap(), [(3, 3)]);
}
