//! Which lines of a manifest somebody means: ranges as typed (`10-200`, `7,9,300-`), or the column `line` of a CSV.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use crate::text::system_words;

/// Some lines of a manifest, by the numbers that its messages and its results call them by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineSet {
    /// First and last line of each range: sorted, and none touches the next. Never empty.
    ranges: Vec<(u32, u32)>,
}

/// Why a text or a file names no lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LineSetError {
    /// A part of the text is neither a line nor a range of lines.
    Part {
        /// As typed.
        part: String,
    },
    /// The file cannot be read.
    Unreadable {
        /// What the system said.
        cause: String,
    },
    /// The file has no column `line`.
    NoColumn,
    /// A row of the file holds no line number in that column.
    Row {
        /// The row, from 1, its heading counted.
        row: u64,
        /// What stands there; may be empty.
        text: String,
    },
    /// The file has a heading and no row.
    NoRows,
}

impl fmt::Display for LineSetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineSetError::Part { part } => write!(
                f,
                "\"{part}\" is no line and no range of lines: write 12, 10-200 or 300-, several with commas between, or \
                 name a CSV that has a column line"
            ),
            LineSetError::Unreadable { cause } => write!(f, "cannot be read: {cause}"),
            LineSetError::NoColumn => f.write_str("it has no column line"),
            LineSetError::Row { row, text } if text.is_empty() => {
                write!(f, "row {row} has nothing in the column line: take that row out of the file")
            }
            LineSetError::Row { row, text } => write!(f, "row {row}: \"{text}\" is no line of a manifest"),
            LineSetError::NoRows => f.write_str("it has no rows, so it names no line"),
        }
    }
}

impl std::error::Error for LineSetError {}

impl LineSet {
    /// What was given for lines: ranges where the text is written like some, else the CSV of that name.
    ///
    /// # Errors
    ///
    /// It is neither, or the file does not name lines.
    pub fn of_argument(text: &str) -> Result<LineSet, LineSetError> {
        match text.parse() {
            Err(LineSetError::Part { .. }) if Path::new(text).is_file() => LineSet::read(Path::new(text)),
            parsed => parsed,
        }
    }

    /// The lines that the column `line` of a CSV names.
    ///
    /// # Errors
    ///
    /// The file cannot be read, has no such column, or something else than a line stands in it.
    pub fn read(path: &Path) -> Result<LineSet, LineSetError> {
        let mut bytes = Vec::new();
        let read = std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
        read.map_err(|error| LineSetError::Unreadable { cause: system_words(&error) })?;
        LineSet::of_csv(&bytes)
    }

    fn of_csv(bytes: &[u8]) -> Result<LineSet, LineSetError> {
        let unreadable = |error: csv::Error| LineSetError::Unreadable { cause: system_words(&error.into()) };
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .delimiter(delimiter(bytes))
            .flexible(true)
            .from_reader(bytes);
        let headers = reader.headers().map_err(unreadable)?;
        let column = headers.iter().position(|name| name.trim_start_matches('\u{feff}').eq_ignore_ascii_case("line"));
        let column = column.ok_or(LineSetError::NoColumn)?;
        let mut ranges = Vec::new();
        for (row, cells) in (2..).zip(reader.records()) {
            let cells = cells.map_err(unreadable)?;
            let text = cells.get(column).unwrap_or_default();
            let line = number(text).ok_or_else(|| LineSetError::Row { row, text: text.to_owned() })?;
            ranges.push((line, line));
        }
        if ranges.is_empty() { Err(LineSetError::NoRows) } else { Ok(LineSet::of_ranges(ranges)) }
    }

    fn of_ranges(mut ranges: Vec<(u32, u32)>) -> LineSet {
        ranges.sort_unstable();
        let mut joined: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match joined.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => joined.push((first, last)),
            }
        }
        LineSet { ranges: joined }
    }

    /// Whether it names this line.
    pub fn contains(&self, line: u32) -> bool {
        let behind = self.ranges.partition_point(|(first, _)| *first <= line);
        behind.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|(_, last)| line <= *last)
    }
}

/// What stands between the cells: spreadsheets take what their language has for it.
fn delimiter(bytes: &[u8]) -> u8 {
    let heading = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: u8| heading.iter().filter(|byte| **byte == delimiter).count();
    // Of equal counts the last one is taken: the comma.
    b"\t;,".iter().copied().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

/// A line number: lines are counted from 1.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|line| *line > 0)
}

impl FromStr for LineSet {
    type Err = LineSetError;

    fn from_str(text: &str) -> Result<LineSet, LineSetError> {
        let range = |part: &str| {
            let part = part.trim();
            let ends = match part.split_once('-') {
                None => number(part).map(|line| (line, line)),
                Some((first, "")) => number(first.trim()).map(|first| (first, u32::MAX)),
                Some((first, last)) => number(first.trim()).zip(number(last.trim())),
            };
            ends.filter(|(first, last)| first <= last).ok_or_else(|| LineSetError::Part { part: part.to_owned() })
        };
        text.split(',').map(range).collect::<Result<_, _>>().map(LineSet::of_ranges)
    }
}

impl fmt::Display for LineSet {
    /// As it can be typed again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.ranges.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            match (first, last) {
                (first, last) if first == last => write!(f, "{first}")?,
                (first, &u32::MAX) => write!(f, "{first}-")?,
                (first, last) => write!(f, "{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, LineSetError> {
        text.parse::<LineSet>().map(|lines| lines.to_string())
    }

    #[test]
    fn ranges_are_read_sorted_and_joined() {
        for (text, shown) in [
            ("12", "12"),
            ("10-20", "10-20"),
            ("300-", "300-"),
            ("30-40, 10-20,21", "10-21,30-40"),
            ("5,1-10,7-8", "1-10"),
            ("1-,7", "1-"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(shown), "{text}");
            assert_eq!(parsed(shown).as_deref(), Ok(shown), "it can be typed again");
        }
    }

    #[test]
    fn what_is_no_range_is_named() {
        for (text, part) in [
            ("", ""),
            ("0", "0"),
            ("-5", "-5"),
            ("20-10", "20-10"),
            ("1,two", "two"),
            ("1-2-3", "1-2-3"),
            ("1,,2", ""),
            ("4294967296", "4294967296"),
        ] {
            assert_eq!(parsed(text), Err(LineSetError::Part { part: part.to_owned() }), "{text}");
        }
    }

    #[test]
    fn a_line_is_in_or_out() {
        let lines: LineSet = "3,10-20,4294967295".parse().expect("lines");
        for inside in [3, 10, 15, 20, u32::MAX] {
            assert!(lines.contains(inside), "{inside}");
        }
        for outside in [0, 2, 4, 9, 21, u32::MAX - 1] {
            assert!(!lines.contains(outside), "{outside}");
        }
    }

    #[test]
    fn a_csv_names_lines_in_its_column() {
        let of = |text: &str| LineSet::of_csv(text.as_bytes()).map(|lines| lines.to_string());
        assert_eq!(of("line,module\n2,Leads\n4,Leads\n3,Deals\n").as_deref(), Ok("2-4"));
        assert_eq!(of("\u{feff}module;line\r\nLeads; 7\r\n").as_deref(), Ok("7"), "as a spreadsheet saves it");
        assert_eq!(of("Line\n7\n").as_deref(), Ok("7"));
        assert_eq!(of("module\nLeads\n"), Err(LineSetError::NoColumn));
        assert_eq!(of("line\n"), Err(LineSetError::NoRows));
        let row = |text: &str| Err(LineSetError::Row { row: 3, text: text.to_owned() });
        assert_eq!(of("line,name\n2,a\n,b\n"), row(""));
        assert_eq!(of("line\n2\n2.5\n"), row("2.5"));
    }

    #[test]
    fn an_argument_is_a_range_before_it_is_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("some.csv");
        std::fs::write(&path, "line\n9\n").expect("written");
        let of = |text: &str| LineSet::of_argument(text).map(|lines| lines.to_string());
        assert_eq!(of(path.to_str().expect("UTF-8")).as_deref(), Ok("9"));
        assert_eq!(of("10-20").as_deref(), Ok("10-20"));
        assert!(matches!(of("no-such-file.csv"), Err(LineSetError::Part { .. })));
    }
}
