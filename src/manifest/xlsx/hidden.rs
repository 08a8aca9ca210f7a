//! Which rows of a sheet are hidden: filtered out, or folded away. Whoever hid them sees a table without them, and may mean
//! that nothing of them is sent.
//!
//! The library that reads the cells does not tell, so the part with the sheet is gone through once more for the marks of its
//! rows. A workbook whose parts are not found where they usually are has no hidden rows that anybody knows of: this is only
//! for a warning.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

use crate::archive::{Member, MemberReader, read_directory};

/// The numbers of the hidden rows of a sheet, from 1, in order.
pub(super) fn hidden_rows(file: &File, sheet: &str) -> Vec<u32> {
    of_sheet(file, sheet).unwrap_or_default()
}

fn of_sheet(file: &File, sheet: &str) -> Option<Vec<u32>> {
    let mut members: HashMap<String, Member> = HashMap::new();
    let note = &mut |entry: crate::archive::DirectoryEntry<'_>| {
        if let Ok(member) = entry.member {
            members.insert(entry.name.to_lowercase(), member);
        }
    };
    read_directory(super::workbook::from_the_start(file).ok()?, note).ok()?;
    let part = |name: &str| {
        let member = members.get(&name.to_lowercase())?;
        MemberReader::open(super::workbook::from_the_start(file).ok()?, member).ok().map(BufReader::new)
    };
    let mut id = None;
    each_start(part("xl/workbook.xml")?, &mut |start| {
        if is(start, "sheet") && attribute(start, "name").as_deref() == Some(sheet) {
            id = attribute(start, "id");
        }
    })
    .ok()?;
    let (id, mut target) = (id?, None);
    each_start(part("xl/_rels/workbook.xml.rels")?, &mut |start| {
        if attribute(start, "Id").as_ref() == Some(&id) {
            target = attribute(start, "Target");
        }
    })
    .ok()?;
    let target = target?;
    let path = target.strip_prefix('/').map_or_else(|| format!("xl/{target}"), str::to_owned);
    let (mut hidden, mut row) = (Vec::new(), 0);
    each_start(part(&path)?, &mut |start| {
        if is(start, "row") {
            // A row without a number follows the one before it.
            row = attribute(start, "r").and_then(|number| number.parse().ok()).unwrap_or(row + 1);
            if matches!(attribute(start, "hidden").as_deref(), Some("1" | "true")) {
                hidden.push(row);
            }
        }
    })
    .ok()?;
    hidden.sort_unstable();
    Some(hidden)
}

/// Goes through the elements of a part, in their order.
fn each_start(part: impl BufRead, each: &mut dyn FnMut(&BytesStart<'_>)) -> io::Result<()> {
    let (mut reader, mut buffer) = (Reader::from_reader(part), Vec::new());
    loop {
        match reader.read_event_into(&mut buffer).map_err(io::Error::other)? {
            Event::Start(start) | Event::Empty(start) => each(&start),
            Event::Eof => return Ok(()),
            _ => {}
        }
        buffer.clear();
    }
}

fn is(start: &BytesStart<'_>, name: &str) -> bool {
    start.local_name().as_ref() == name
}

/// The value of an attribute, whatever stands before its name.
fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = start.attributes().flatten();
    let found = attributes.find(|attribute| attribute.key.local_name().as_ref() == name)?;
    unescape(&found.value).ok().map(Cow::into_owned)
}
