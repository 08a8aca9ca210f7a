//! One cell of the results file: how any text becomes bytes without a newline, and back again unchanged.
//!
//! Three layers, outermost last: control characters become `%XX`; a cell that a spreadsheet would take for a formula
//! gets an apostrophe; a cell with a comma or a quote is quoted as in any CSV. The csv crate is not used here because
//! the check of a line covers its bytes as they stand, which a decoded record no longer shows.

use std::borrow::Cow;
use std::ops::Range;

/// Appends `text` as a cell.
pub(crate) fn push(out: &mut Vec<u8>, text: &str) {
    if starts_a_formula(text) {
        // An apostrophe never needs quoting itself, so it may stand before or inside the quotes; inside is valid CSV.
        push_escaped(out, text, true);
    } else if text.bytes().any(|byte| IS_SPECIAL[usize::from(byte)]) {
        push_escaped(out, text, false);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

fn push_escaped(out: &mut Vec<u8>, text: &str, apostrophe: bool) {
    let quoted = text.bytes().any(|byte| matches!(byte, b',' | b'"'));
    if quoted {
        out.push(b'"');
    }
    if apostrophe {
        out.push(b'\'');
    }
    for (at, char) in text.char_indices() {
        match char {
            '"' => out.extend_from_slice(b"\"\""),
            // Only where it would read as an escape, so that `50%` stays `50%`.
            '%' if escaped(&text.as_bytes()[at..]).is_some() => out.extend_from_slice(b"%25"),
            _ if char.is_control() => push_hex(out, char),
            _ => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    if quoted {
        out.push(b'"');
    }
}

/// The text of a cell as [`push`] wrote it; `None` if the bytes are not UTF-8.
pub(crate) fn text(raw: &[u8]) -> Option<Cow<'_, str>> {
    let raw = std::str::from_utf8(raw).ok()?;
    let unquoted = match raw.strip_prefix('"').map(|rest| rest.strip_suffix('"').unwrap_or(rest)) {
        Some(inner) if inner.contains("\"\"") => Cow::Owned(inner.replace("\"\"", "\"")),
        Some(inner) => Cow::Borrowed(inner),
        None => Cow::Borrowed(raw),
    };
    Some(match unquoted {
        Cow::Borrowed(text) => decode(text),
        Cow::Owned(text) => Cow::Owned(decode(&text).into_owned()),
    })
}

/// The text of a cell as [`push`] wrote it, given what any reader of CSV makes of it.
pub(crate) fn decode(cell: &str) -> Cow<'_, str> {
    let plain = cell.strip_prefix('\'').unwrap_or(cell);
    if plain.contains('%') { Cow::Owned(unescape(plain)) } else { Cow::Borrowed(plain) }
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        match escaped(from.as_bytes()) {
            Some(char) => {
                out.push(char);
                rest = &from[3..];
            }
            None => {
                out.push('%');
                rest = &from[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The character that an escape at the beginning of `bytes` stands for: a control character or `%`.
fn escaped(bytes: &[u8]) -> Option<char> {
    let [b'%', high, low, ..] = *bytes else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let char = char::from_u32(digit(high)? * 16 + digit(low)?)?;
    (char.is_control() || char == '%').then_some(char)
}

fn push_hex(out: &mut Vec<u8>, control: char) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    // All control characters of Unicode are below U+00A0, so two digits are enough.
    let code = u32::from(control) as usize;
    out.extend_from_slice(&[b'%', DIGITS[code / 16 % 16], DIGITS[code % 16]]);
}

fn starts_a_formula(text: &str) -> bool {
    matches!(text.as_bytes().first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\''))
}

/// Bytes that need a closer look, as a table because each byte of each cell is looked up: 0xC2 leads the C1 controls in
/// UTF-8.
static IS_SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte as u8, 0..0x20 | 0x7F | 0xC2 | b',' | b'"' | b'%');
        byte += 1;
    }
    table
};

/// Splits a line into its cells, as ranges that include the quotes. `None` for broken quoting.
pub(crate) fn split(line: &[u8], cells: &mut Vec<Range<usize>>) -> Option<()> {
    cells.clear();
    let mut start = 0;
    if memchr::memchr(b'"', line).is_none() {
        for comma in memchr::memchr_iter(b',', line) {
            cells.push(start..comma);
            start = comma + 1;
        }
        cells.push(start..line.len());
        return Some(());
    }
    loop {
        let end = cell_end(line, start)?;
        cells.push(start..end);
        if end == line.len() {
            return Some(());
        }
        start = end + 1;
    }
}

/// Where the cell that begins at `start` ends: the comma after it, or the end of the line.
fn cell_end(line: &[u8], start: usize) -> Option<usize> {
    let rest = line.get(start..)?;
    if rest.first() != Some(&b'"') {
        let end = memchr::memchr2(b',', b'"', rest).map_or(line.len(), |at| start + at);
        return (line.get(end) != Some(&b'"')).then_some(end);
    }
    let mut at = start + 1;
    loop {
        at += memchr::memchr(b'"', line.get(at..)?)? + 1;
        match line.get(at) {
            Some(b'"') => at += 1,
            None | Some(b',') => return Some(at),
            Some(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pushed(text: &str) -> String {
        let mut out = Vec::new();
        push(&mut out, text);
        String::from_utf8(out).expect("cells are UTF-8")
    }

    #[test]
    fn cells_are_written_as_the_format_says() {
        for (text, cell) in [
            ("", ""),
            ("Angebot März.pdf", "Angebot März.pdf"),
            ("50%", "50%"),
            ("50%25", "50%2525"),
            ("a%20b", "a%20b"),
            ("a%0Ab", "a%250Ab"),
            ("a%9fb", "a%259fb"),
            ("a\nb\r", "a%0Ab%0D"),
            ("\u{85}\u{7f}\u{0}", "%85%7F%00"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "'=1+1"),
            ("-5", "'-5"),
            ("@a,b", "\"'@a,b\""),
            ("\tx", "'%09x"),
            ("'quoted'", "''quoted'"),
            ("%", "%"),
            ("%%0A", "%%250A"),
            ("£", "£"),
        ] {
            assert_eq!(pushed(text), cell, "{text:?}");
            assert_eq!(super::text(cell.as_bytes()).as_deref(), Some(text), "{cell:?}");
        }
    }

    #[test]
    fn broken_quoting_is_seen() {
        let mut cells = Vec::new();
        for broken in ["\"a", "a\"b", "\"a\"b,c", "x,\"", "x,y\""] {
            assert_eq!(split(broken.as_bytes(), &mut cells), None, "{broken}");
        }
        for (line, count) in [("", 1), (",", 2), ("\"a,b\",c", 2), ("\"\"\"\",", 2), ("a,b,", 3)] {
            assert_eq!(split(line.as_bytes(), &mut cells), Some(()), "{line}");
            assert_eq!(cells.len(), count, "{line}");
        }
    }

    /// Texts made mostly of the characters that the format treats in a special way.
    fn awkward() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            prop::sample::select(vec![
                "%", "2", "5", "0", "A", "d", "'", "=", "+", "-", "@", "\t", "\r", "\n", ",", "\"", "\u{85}", "\u{0}",
                "\u{7f}", "é", "ç", " ", "\u{2028}", "\u{202e}",
            ])
            .prop_map(str::to_owned),
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_row_of_texts_reads_back_unchanged(texts in prop::collection::vec(awkward(), 1..6)) {
            let mut line = Vec::new();
            for (at, text) in texts.iter().enumerate() {
                if at > 0 {
                    line.push(b',');
                }
                push(&mut line, text);
            }
            prop_assert!(!std::str::from_utf8(&line).expect("UTF-8").chars().any(char::is_control));
            let mut cells = Vec::new();
            prop_assert_eq!(split(&line, &mut cells), Some(()));
            let read: Vec<_> = cells.iter().map(|cell| text(&line[cell.clone()]).expect("UTF-8").into_owned()).collect();
            prop_assert_eq!(read, texts);
        }

        #[test]
        fn no_cell_begins_like_a_formula(text in awkward()) {
            let cell = pushed(&text);
            let shown = cell.strip_prefix('"').unwrap_or(&cell);
            prop_assert!(!shown.starts_with(['=', '+', '-', '@', '\t']));
        }
    }
}
