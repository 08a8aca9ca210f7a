//! Writes a crosswalk file.

use std::io::{self, Write};

use super::key::judge_key;
use crate::results::push_cell;
use crate::upload::RecordId;

/// A line of a crosswalk file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct CrosswalkRow {
    /// API name of the module.
    pub(crate) module: String,
    /// The key, as the service or the table has it.
    pub(crate) key: String,
    /// The record that it stands for.
    pub(crate) record: RecordId,
}

/// What all lines of one module have in common.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct CrosswalkOrigin {
    /// The field, or the heading of the column, that the keys come from.
    pub(crate) field: String,
    /// The id of the organisation; empty where nobody told it.
    pub(crate) org: String,
    /// When it was read, RFC 3339 in UTC; empty for a table, of which nobody knows how old it is.
    pub(crate) read_at: String,
}

/// What was written, and what was not.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct CrosswalkWritten {
    /// Lines written; those that say the same count once.
    pub(crate) lines: u64,
    /// Values that no manifest could have as a key: how many, and the first.
    pub(crate) no_keys: u64,
    /// The first of them.
    pub(crate) first_no_key: Option<String>,
}

/// Writes the lines, sorted, each once. `origin` is asked for every module.
///
/// # Errors
///
/// When it cannot be written.
pub(crate) fn write_crosswalk(
    out: &mut impl Write,
    mut rows: Vec<CrosswalkRow>,
    origin: impl Fn(&str) -> CrosswalkOrigin,
) -> io::Result<CrosswalkWritten> {
    rows.sort_unstable();
    rows.dedup();
    let mut written = CrosswalkWritten::default();
    out.write_all(b"module,key,record,field,org,read_at\n")?;
    let (mut module, mut tail, mut line) = (String::new(), Vec::new(), Vec::new());
    for row in &rows {
        let key = row.key.trim();
        if key.is_empty() || judge_key(key).is_err() {
            written.no_keys += 1;
            written.first_no_key.get_or_insert_with(|| row.key.clone());
            continue;
        }
        if module != row.module || tail.is_empty() {
            module.clone_from(&row.module);
            tail = tail_of(&origin(&module));
        }
        line.clear();
        push_cell(&mut line, &row.module);
        line.push(b',');
        push_cell(&mut line, key);
        line.push(b',');
        line.extend_from_slice(row.record.to_string().as_bytes());
        line.extend_from_slice(&tail);
        out.write_all(&line)?;
        written.lines += 1;
    }
    Ok(written)
}

fn tail_of(origin: &CrosswalkOrigin) -> Vec<u8> {
    let mut tail = Vec::new();
    for cell in [&origin.field, &origin.org, &origin.read_at] {
        tail.push(b',');
        push_cell(&mut tail, cell);
    }
    tail.push(b'\n');
    tail
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(module: &str, key: &str, record: u64) -> CrosswalkRow {
        let record = RecordId::new(738_964_000_000_291_000 + record).expect("an id");
        CrosswalkRow { module: module.to_owned(), key: key.to_owned(), record }
    }

    #[test]
    fn lines_are_sorted_and_said_once_and_no_cell_is_a_formula() {
        let rows =
            vec![row("Leads", "=1+1", 3), row("Contacts", "b", 2), row("Contacts", "b", 2), row("Contacts", "a,c", 1)];
        let mut out = Vec::new();
        let origin = |module: &str| CrosswalkOrigin {
            field: format!("{module}_Id"),
            org: "10".to_owned(),
            read_at: String::new(),
        };
        let written = write_crosswalk(&mut out, rows, origin).expect("written");
        assert_eq!(written.lines, 3);
        assert_eq!(
            String::from_utf8(out).expect("UTF-8"),
            "module,key,record,field,org,read_at\nContacts,\"a,c\",738964000000291001,Contacts_Id,10,\n\
             Contacts,b,738964000000291002,Contacts_Id,10,\nLeads,'=1+1,738964000000291003,Leads_Id,10,\n"
        );
    }

    #[test]
    fn a_value_that_no_manifest_may_have_as_a_key_is_counted_and_left_out() {
        let rows = vec![row("Leads", "7.1E+12", 1), row("Leads", " ", 2), row("Leads", "7", 3)];
        let written = write_crosswalk(&mut Vec::new(), rows, |_| CrosswalkOrigin::default()).expect("written");
        assert_eq!((written.lines, written.no_keys, written.first_no_key.as_deref()), (1, 2, Some(" ")));
    }
}
