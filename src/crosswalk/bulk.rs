//! Bulk Read: what a job is ordered with, what its states say, and the table inside the ZIP file of its result.

use std::fmt;
use std::fs::File;
use std::io::Read;

use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ZipArchive};
use serde_json::{Value, json};

use crate::text::{masked_excerpt, system_words};

/// Which part of a module a job reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum BulkPage {
    /// The first, second, … 200,000 records.
    Number(u64),
    /// What follows another job's.
    Token(String),
}

/// The body that orders a job.
pub(crate) fn order(module: &str, field: &str, page: &BulkPage) -> Value {
    let fields: Vec<&str> = if field == "id" { vec!["id"] } else { vec!["id", field] };
    match page {
        BulkPage::Number(page) => json!({"query": {"module": {"api_name": module}, "fields": fields, "page": page}}),
        BulkPage::Token(token) => json!({"query": {"page_token": token}}),
    }
}

/// The id of the job that was ordered; `None` where the answer has none.
pub(crate) fn ordered(answer: &Value) -> Option<String> {
    let id = answer.pointer("/data/0/details/id")?;
    let id = id.as_str().map(str::to_owned).or_else(|| id.as_u64().map(|id| id.to_string()))?;
    // It becomes a part of an address.
    let is_id = !id.is_empty() && id.len() <= 20 && id.bytes().all(|byte| byte.is_ascii_digit());
    is_id.then_some(id)
}

/// How far a job is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum BulkState {
    /// Not done yet.
    Underway,
    /// Its result can be downloaded; the job that goes on behind it, where the module has more records.
    Done(Option<BulkPage>),
    /// It failed, with the service's words.
    Failed(String),
    /// The answer says nothing of a job.
    Unreadable,
}

/// Reads how far a job is, given what it read. Only `state` is believed: samples have a result before there is one.
pub(crate) fn state(answer: &Value, page: &BulkPage) -> BulkState {
    let Some(job) = answer.pointer("/data/0") else { return BulkState::Unreadable };
    let Some(state) = job.get("state").and_then(Value::as_str) else { return BulkState::Unreadable };
    match state.to_ascii_uppercase().replace('_', " ").as_str() {
        "ADDED" | "QUEUED" | "IN PROGRESS" => BulkState::Underway,
        "COMPLETED" => {
            let has_more = job.pointer("/result/more_records").and_then(Value::as_bool).unwrap_or(false);
            BulkState::Done(has_more.then(|| next_page(job, page)))
        }
        "FAILURE" | "FAILED" => {
            let words = |key: &str| job.pointer(&format!("/result/error_message/{key}")).and_then(Value::as_str);
            let said: Vec<&str> = ["code", "message"].into_iter().filter_map(words).collect();
            BulkState::Failed(masked_excerpt(&said.join(": ")))
        }
        _ => BulkState::Unreadable,
    }
}

fn next_page(job: &Value, page: &BulkPage) -> BulkPage {
    match (job.pointer("/result/next_page_token").and_then(Value::as_str), page) {
        (Some(token), _) => BulkPage::Token(token.to_owned()),
        (None, BulkPage::Number(page)) => BulkPage::Number(page + 1),
        (None, BulkPage::Token(_)) => BulkPage::Number(1),
    }
}

/// Why a result cannot be read.
#[derive(Debug)]
pub(crate) enum ResultFlaw {
    /// It is no ZIP file, or one that is damaged or has other things in it than one table.
    NoZip(String),
    /// The table lacks a column.
    NoColumn(String),
    /// A row has no record id, or the table cannot be taken apart.
    Row(String),
}

impl fmt::Display for ResultFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResultFlaw::NoZip(why) => write!(f, "the result is no ZIP file with one table in it ({why})"),
            ResultFlaw::NoColumn(column) => write!(f, "the table in the result has no column {column}"),
            ResultFlaw::Row(why) => write!(f, "the table in the result cannot be read ({why})"),
        }
    }
}

/// Reads the keys and record ids out of a result. Records without a key are left out.
///
/// # Errors
///
/// The file is not what it should be.
pub(crate) fn read_result(file: &File, field: &str) -> Result<Vec<(String, u64)>, ResultFlaw> {
    let no_zip = |error: rawzip::Error| ResultFlaw::NoZip(error.to_string());
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let file = file.try_clone().map_err(|error| ResultFlaw::NoZip(system_words(&error)))?;
    let archive = ZipArchive::from_file(file, &mut buffer).map_err(no_zip)?;
    let mut entries = archive.entries(&mut buffer);
    let (mut table, mut tables) = (None, 0);
    while let Some(entry) = entries.next_entry().map_err(no_zip)? {
        if !entry.is_dir() {
            tables += 1;
            table = Some((entry.wayfinder(), entry.compression_method()));
        }
    }
    let (Some((wayfinder, method)), 1) = (table, tables) else {
        return Err(ResultFlaw::NoZip(format!("{tables} files")));
    };
    let entry = archive.get_entry(wayfinder).map_err(no_zip)?;
    let packed = entry.reader();
    match method {
        CompressionMethod::STORE => read_table(entry.verifying_reader(packed), field),
        CompressionMethod::DEFLATE => read_table(entry.verifying_reader(DeflateDecoder::new(packed)), field),
        other => Err(ResultFlaw::NoZip(format!("compression {other:?}"))),
    }
}

fn read_table(source: impl Read, field: &str) -> Result<Vec<(String, u64)>, ResultFlaw> {
    let row = |error: csv::Error| ResultFlaw::Row(system_words(&error.into()));
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(source);
    let headings = reader.headers().map_err(row)?.clone();
    let column = |name: &str| {
        let is_it = |heading: &str| heading.trim_start_matches('\u{feff}').eq_ignore_ascii_case(name);
        headings.iter().position(is_it).ok_or_else(|| ResultFlaw::NoColumn(name.to_owned()))
    };
    let (id_at, key_at) = (column("id")?, column(field)?);
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(row)? {
        let key = record.get(key_at).unwrap_or_default();
        if key.is_empty() {
            continue;
        }
        let id = record.get(id_at).unwrap_or_default();
        let id = id.trim().trim_start_matches("zcrm_").parse();
        rows.push((key.to_owned(), id.map_err(|_| ResultFlaw::Row("a record without an id".to_owned()))?));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn zip(tables: &[&str]) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        let mut archive = rawzip::ZipArchiveWriter::new(&mut file);
        for (number, table) in tables.iter().enumerate() {
            let name = format!("{number}.csv");
            let new = archive.new_file(&name).compression_method(CompressionMethod::DEFLATE);
            let (mut entry, config) = new.start().expect("an entry");
            let packed = flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::fast());
            let mut data = config.wrap(packed);
            data.write_all(table.as_bytes()).expect("written");
            let (packed, descriptor) = data.finish().expect("finished");
            packed.finish().expect("packed");
            entry.finish(descriptor).expect("ended");
        }
        archive.finish().expect("an archive");
        file
    }

    #[test]
    fn the_table_in_a_result_gives_keys_and_records() {
        let file = zip(&["id,Legacy_Id,Name\n738964000000291001,\"a,b\",x\n738964000000291002,,y\n"]);
        let rows = read_result(&file, "Legacy_Id").expect("rows");
        assert_eq!(rows, [("a,b".to_owned(), 738_964_000_000_291_001)]);
    }

    #[test]
    fn what_is_no_result_is_told_by_what_is_wrong_with_it() {
        let flaw = |file: &File| read_result(file, "Legacy_Id").map_err(|flaw| flaw.to_string()).expect_err("a flaw");
        let mut html = tempfile::tempfile().expect("a file");
        html.write_all(b"<html>Please sign in</html>").expect("written");
        assert!(flaw(&html).contains("no ZIP file"));
        assert!(flaw(&zip(&[])).contains("0 files"));
        assert!(flaw(&zip(&["id\n", "id\n"])).contains("2 files"));
        assert!(flaw(&zip(&["id,Name\n1,x\n"])).contains("no column Legacy_Id"));
        assert!(flaw(&zip(&["id,Legacy_Id\nx,a\n"])).contains("without an id"));
    }

    #[test]
    fn only_the_state_says_how_far_a_job_is() {
        let page = BulkPage::Number(1);
        let job = |state: &str, result: Value| json!({"data": [{"state": state, "result": result}]});
        for under_way in ["ADDED", "QUEUED", "IN PROGRESS", "IN_PROGRESS"] {
            assert_eq!(state(&job(under_way, json!({"more_records": true})), &page), BulkState::Underway);
        }
        assert_eq!(state(&job("COMPLETED", json!({"more_records": false})), &page), BulkState::Done(None));
        let more = state(&job("COMPLETED", json!({"more_records": true})), &page);
        assert_eq!(more, BulkState::Done(Some(BulkPage::Number(2))));
        let token = state(&job("COMPLETED", json!({"more_records": true, "next_page_token": "t"})), &page);
        assert_eq!(token, BulkState::Done(Some(BulkPage::Token("t".to_owned()))));
        let failed = state(&job("FAILURE", json!({"error_message": {"code": "X", "message": "no"}})), &page);
        assert_eq!(failed, BulkState::Failed("X: no".to_owned()));
        assert_eq!(state(&json!({}), &page), BulkState::Unreadable);
    }

    #[test]
    fn an_ordered_job_has_a_number() {
        assert_eq!(ordered(&json!({"data": [{"details": {"id": "77"}}]})), Some("77".to_owned()));
        assert_eq!(ordered(&json!({"data": [{"details": {"id": "../77"}}]})), None);
        assert_eq!(order("Contacts", "id", &BulkPage::Number(1))["query"]["fields"], json!(["id"]));
    }
}
