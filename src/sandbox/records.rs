//! Reads which records exist: a CSV with the columns `module` and `record`.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};

use super::route::is_id;

/// Reads the (module, record) pairs of a file. An error names the file and the line.
pub fn read_records(path: &Path) -> io::Result<HashSet<(String, String)>> {
    let text = std::fs::read_to_string(path).map_err(|error| at(path, None, &error.to_string()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| at(path, None, &error.to_string()))?.clone();
    let column = |name: &str| header.iter().position(|known| known.eq_ignore_ascii_case(name));
    let (Some(module), Some(record)) = (column("module"), column("record")) else {
        return Err(at(path, Some(1), "the header must name the columns module and record"));
    };
    let pair = |row: Result<StringRecord, csv::Error>| {
        let row = row.map_err(|error| at(path, None, &error.to_string()))?;
        let line = row.position().map(csv::Position::line);
        match (row.get(module), row.get(record)) {
            (Some(module), Some(record)) if !module.is_empty() && is_id(record) => {
                Ok((module.to_owned(), record.to_owned()))
            }
            (Some(""), _) => Err(at(path, line, "no module")),
            (_, record) => {
                let record = record.unwrap_or_default();
                Err(at(path, line, &format!("\"{record}\" is not a record id: 10 to 19 digits")))
            }
        }
    };
    reader.records().map(pair).collect()
}

fn at(path: &Path, line: Option<u64>, message: &str) -> io::Error {
    let line = line.map(|line| format!(" line {line}")).unwrap_or_default();
    io::Error::new(io::ErrorKind::InvalidData, format!("{}{line}: {message}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<HashSet<(String, String)>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let name = file.path().display().to_string();
        read_records(file.path()).map_err(|error| error.to_string().replace(&name, "FILE"))
    }

    #[test]
    fn records_are_read_by_the_names_of_their_columns() {
        let records = read("\u{feff}name,Record, module\r\nx, 738964000000291009 ,Leads\r\n").unwrap();
        assert_eq!(records, [("Leads".to_owned(), "738964000000291009".to_owned())].into());
    }

    #[test]
    fn a_record_that_cannot_be_is_named_with_its_line() {
        let message = |text: &str| read(text).unwrap_err();
        assert_eq!(message("a,b\n"), "FILE line 1: the header must name the columns module and record");
        let rounded = message("module,record\nLeads,738964000000291009\nLeads,7.38964E+17\n");
        assert_eq!(rounded, "FILE line 3: \"7.38964E+17\" is not a record id: 10 to 19 digits");
        assert_eq!(message("module,record\n,738964000000291009\n"), "FILE line 2: no module");
        assert!(message("module,record\nLeads\n").contains("found record with 1 field"));
    }
}
