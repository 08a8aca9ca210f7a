//! Rows in the plain block style, read line by line without building events:
//!
//! ```yaml
//! uploads:
//!   - module: Leads
//!     record: "738964000000291009"
//!     file: offer.pdf
//! ```
//!
//! Nearly all manifests are written so, and nearly all time for a long one would go into events. The rule that makes this
//! safe: what is not surely plain is left to the event parser, row by row. A row is plain only if every line of it is one
//! key and one value that ends on that line, no key stands twice, and behind it begins another row or nothing. Tests hold both
//! readings against each other, over manifests written by hand and by chance.

use std::ops::Range;

use super::window::TextWindow;

/// A row with more keys than this is left to the parser, which says what is wrong with it.
const MAX_ENTRIES: usize = 64;

/// A longer key is none that is known.
const MAX_KEY: usize = 128;

/// A row that is not over after so many bytes is left to the parser, which reads on in small pieces.
const MAX_ROW: usize = 1 << 20;

/// Reads plain rows one behind the other.
pub(super) struct PlainRows {
    /// How many blanks stand before the `-` of each row.
    indent: usize,
    /// The line on which the rest of the window begins.
    line: u32,
    /// What the last row says.
    entries: Vec<PlainEntry>,
}

/// A key with its value, as they stand in the rest of the window.
#[derive(Clone, Debug)]
pub(super) struct PlainEntry {
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
    pub(super) style: PlainStyle,
    /// The line, from the first of the rest on, which is 0.
    pub(super) line: u32,
    /// How many characters stand before the key, and before the value.
    pub(super) columns: (u32, u32),
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PlainStyle {
    /// Nothing, or without quotes.
    Bare,
    /// Between quotes, which stand outside the range.
    Quoted,
    /// Between single quotes, with quotes in it, each of which is written twice.
    DoubledQuotes,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PlainNext {
    /// A row of so many bytes and lines; its entries can be asked for until it is passed over.
    Row(PlainExtent),
    /// Nothing any more.
    End,
    /// Something that the parser has to read.
    Other,
}

/// How much of the text something takes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct PlainExtent {
    bytes: usize,
    lines: u32,
    /// How many lines stand before the row.
    pub(super) before: u32,
}

impl PlainRows {
    /// A reader of the rows whose `-` stand behind so many blanks, from this line on, where the rest of the window begins.
    pub(super) fn new(indent: usize, line: u32) -> PlainRows {
        PlainRows { indent, line, entries: Vec::new() }
    }

    /// The line on which the rest of the window begins.
    pub(super) fn line(&self) -> u32 {
        self.line
    }

    /// What the row says that was found last.
    pub(super) fn entries(&self) -> &[PlainEntry] {
        &self.entries
    }

    /// Looks at the next row.
    pub(super) fn next(&mut self, window: &mut TextWindow) -> PlainNext {
        loop {
            // What is no text has a place, which the parser's way of reading reports with its row.
            if window.decoder.has_flaws() {
                return PlainNext::Other;
            }
            let scan = PlainScan { text: window.rest(), is_whole: window.is_whole(), indent: self.indent };
            match scan.row(&mut self.entries) {
                Ok(next) => return next,
                Err(MoreText) if window.rest().len() > MAX_ROW => return PlainNext::Other,
                Err(MoreText) => {
                    window.extend();
                }
            }
        }
    }

    /// Passes over the row that was found last.
    pub(super) fn pass(&mut self, row: PlainExtent, window: &mut TextWindow) {
        window.advance(row.bytes);
        self.line = self.line.saturating_add(row.lines);
    }
}

/// The text at hand ends before it is clear what it says.
struct MoreText;

/// One look at the text, which changes nothing.
struct PlainScan<'t> {
    text: &'t str,
    is_whole: bool,
    indent: usize,
}

/// What a line is to the rows.
enum PlainLine<'t> {
    /// Blank, or a comment.
    Filler,
    /// So many blanks, then something else.
    Text(usize, &'t str),
    /// With a character that means more than a letter in YAML, or might.
    Odd,
}

impl<'t> PlainScan<'t> {
    fn row(&self, entries: &mut Vec<PlainEntry>) -> Result<PlainNext, MoreText> {
        entries.clear();
        let mut extent = PlainExtent::default();
        let mut at = 0;
        let mut line = 0;
        // How far its keys are indented, once it has begun.
        let mut body = None;
        loop {
            let Some((text, end)) = self.line_at(at)? else {
                return Ok(if body.is_some() { PlainNext::Row(extent) } else { PlainNext::End });
            };
            let entry = match (PlainLine::of(text), body) {
                (PlainLine::Filler, _) => None,
                (PlainLine::Text(blanks, rest), None) if blanks == self.indent => {
                    let Some(behind) = rest.strip_prefix("- ") else { return Ok(PlainNext::Other) };
                    let key = behind.trim_start_matches(' ');
                    body = Some(text.len() - key.len());
                    extent.before = line;
                    Some(key)
                }
                // The next one begins.
                (PlainLine::Text(blanks, rest), Some(_)) if blanks == self.indent && rest.starts_with("- ") => {
                    return Ok(PlainNext::Row(extent));
                }
                (PlainLine::Text(blanks, rest), Some(body)) if blanks == body => Some(rest),
                _ => return Ok(PlainNext::Other),
            };
            if let Some(entry) = entry {
                let blanks = body.unwrap_or_default();
                let Some(entry) = PlainEntry::read(entry, at + blanks, blanks, line) else {
                    return Ok(PlainNext::Other);
                };
                let key = |entry: &PlainEntry| self.text.get(entry.key.clone());
                if entries.len() == MAX_ENTRIES || entries.iter().any(|other| key(other) == key(&entry)) {
                    return Ok(PlainNext::Other);
                }
                entries.push(entry);
                (extent.bytes, extent.lines) = (end, line + 1);
            }
            (at, line) = (end, line + 1);
        }
    }

    /// The line that begins at this byte, without its end, and where the next one begins; `None` at the end of the text.
    fn line_at(&self, at: usize) -> Result<Option<(&'t str, usize)>, MoreText> {
        let rest = self.text.get(at..).unwrap_or_default();
        match memchr::memchr(b'\n', rest.as_bytes()) {
            Some(end) => {
                let line = rest.get(..end).unwrap_or_default();
                Ok(Some((line.strip_suffix('\r').unwrap_or(line), at + end + 1)))
            }
            None if !self.is_whole => Err(MoreText),
            None if rest.is_empty() => Ok(None),
            None => Ok(Some((rest, self.text.len()))),
        }
    }
}

impl PlainLine<'_> {
    fn of(line: &str) -> PlainLine<'_> {
        let rest = line.trim_start_matches(' ');
        if rest.is_empty() {
            PlainLine::Filler
        } else if has_special(rest) {
            PlainLine::Odd
        } else if rest.starts_with('#') {
            PlainLine::Filler
        } else {
            PlainLine::Text(line.len() - rest.len(), rest)
        }
    }
}

/// Whether there is a character that is a line break to some readers of YAML, is no text, or marks the order of bytes.
fn has_special(text: &str) -> bool {
    if text.is_ascii() {
        return text.bytes().any(|byte| byte.is_ascii_control());
    }
    let is_special = |character: char| {
        character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFD}'..='\u{FFFF}')
    };
    text.contains(is_special)
}

impl PlainEntry {
    /// Reads `key: value`; `None` if it is not surely that and no more. It begins at this byte of the text, behind so many
    /// blanks.
    fn read(text: &str, start: usize, blanks: usize, line: u32) -> Option<PlainEntry> {
        let colon = text.bytes().take(MAX_KEY).position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'_'))?;
        if colon == 0 || text.as_bytes().get(colon) != Some(&b':') {
            return None;
        }
        let behind = text.get(colon + 1..)?;
        let value = behind.trim_start_matches(' ');
        if !behind.is_empty() && value.len() == behind.len() {
            return None;
        }
        let at = text.len() - value.len();
        let (range, style) = value_of(value)?;
        // Of nothing, the parser says that it stands where the colon does.
        let column = if value.is_empty() { colon } else { at };
        let chars = |bytes: usize| u32::try_from(blanks + bytes).ok();
        Some(PlainEntry {
            key: start..start + colon,
            value: start + at + range.start..start + at + range.end,
            style,
            line,
            columns: (chars(0)?, chars(column)?),
        })
    }
}

/// Where in the rest of a line the text of a value stands; `None` if it does not surely end there.
fn value_of(value: &str) -> Option<(Range<usize>, PlainStyle)> {
    let only_blanks = |rest: &str| rest.bytes().all(|byte| byte == b' ');
    match value.bytes().next() {
        None => Some((0..0, PlainStyle::Bare)),
        Some(b'"') => {
            let end = 1 + memchr::memchr2(b'"', b'\\', value.get(1..)?.as_bytes())?;
            // A backslash stands for something else, and there are many of them.
            let closes = value.as_bytes().get(end) == Some(&b'"') && only_blanks(value.get(end + 1..)?);
            closes.then_some((1..end, PlainStyle::Quoted))
        }
        Some(b'\'') => {
            let mut end = 1;
            let mut style = PlainStyle::Quoted;
            loop {
                end += memchr::memchr(b'\'', value.get(end..)?.as_bytes())?;
                if value.as_bytes().get(end + 1) != Some(&b'\'') {
                    break;
                }
                style = PlainStyle::DoubledQuotes;
                end += 2;
            }
            only_blanks(value.get(end + 1..)?).then_some((1..end, style))
        }
        Some(b'-' | b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*') => None,
        Some(b'!' | b'|' | b'>' | b'%' | b'@' | b'`') => None,
        Some(_) => {
            let text = value.trim_end_matches(' ');
            let is_more = text.ends_with(':') || memchr::memmem::find(text.as_bytes(), b": ").is_some();
            let has_comment = memchr::memmem::find(text.as_bytes(), b" #").is_some();
            (!is_more && !has_comment).then_some((0..text.len(), PlainStyle::Bare))
        }
    }
}
