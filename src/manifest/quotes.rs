//! Finds where a CSV row ends, and the broken quoting that a CSV parser would pass over in silence.
//!
//! It only measures: what the cells hold is left to the csv crate, which gets one well-formed row at a time and so can
//! never swallow the ones behind it.

/// What begins at the start of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// The text ends before the row does.
    NeedsMore,
    /// A row of so many bytes, its line end not counted, and where the next one begins.
    Row { len: usize, next: usize },
    /// A row with a line break in the quoted cell that opens here; otherwise as `Row`.
    Newline { open: usize, next: usize },
    /// Quoting that cannot be understood, at this byte.
    Broken(Fault, usize),
}

/// Ways of quoting wrongly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// The quote at this place is never closed, or only by one that opens another cell.
    Unclosed,
    /// Something follows a closing quote.
    TextAfter,
    /// A blank stands before an opening or after a closing quote.
    BlankAround,
}

/// Measures the row at the start of `text`. With `complete`, nothing comes behind the text. The starts of the cells go
/// to `starts`. `may_break` says which cells may hold line breaks.
pub(super) fn measure(
    text: &str,
    complete: bool,
    delimiter: u8,
    may_break: impl Fn(usize) -> bool,
    starts: &mut Vec<u32>,
) -> Found {
    let bytes = text.as_bytes();
    let mut newline_at = None;
    let mut at = 0;
    starts.clear();
    loop {
        starts.push(at as u32);
        let cell = starts.len() - 1;
        let end = if bytes.get(at) == Some(&b'"') {
            let (close, broken) = match closing_quote(bytes, at + 1, complete) {
                Closing::At(close) => (close, memchr::memchr(b'\n', &bytes[at..close]).is_some()),
                Closing::Nowhere => return Found::Broken(Fault::Unclosed, at),
                Closing::NeedsMore => return Found::NeedsMore,
            };
            let end = close + 1;
            match after_quote(bytes.get(end..).unwrap_or_default(), complete, delimiter) {
                After::NeedsMore => return Found::NeedsMore,
                After::Good => {}
                // The quote that seemed to close the cell opens another one some lines below.
                After::Blank | After::Text if broken => return Found::Broken(Fault::Unclosed, at),
                After::Blank => return Found::Broken(Fault::BlankAround, end),
                After::Text => return Found::Broken(Fault::TextAfter, end),
            }
            if broken && !may_break(cell) {
                newline_at = newline_at.or(Some(at));
            }
            end
        } else {
            let rest = bytes.get(at..).unwrap_or_default();
            match memchr::memchr2(delimiter, b'\n', rest) {
                Some(len) => {
                    if let Some(quote) = quote_behind_blanks(&rest[..len]) {
                        return Found::Broken(Fault::BlankAround, at + quote);
                    }
                    at + len
                }
                None if !complete => return Found::NeedsMore,
                None => match quote_behind_blanks(rest) {
                    Some(quote) => return Found::Broken(Fault::BlankAround, at + quote),
                    None => bytes.len(),
                },
            }
        };
        if bytes.get(end) == Some(&delimiter) {
            at = end + 1;
            continue;
        }
        let (len, next) = line_end(bytes, end);
        return match newline_at {
            Some(open) => Found::Newline { open, next },
            None => Found::Row { len, next },
        };
    }
}

enum Closing {
    At(usize),
    Nowhere,
    NeedsMore,
}

fn closing_quote(bytes: &[u8], from: usize, complete: bool) -> Closing {
    let mut at = from;
    loop {
        match memchr::memchr(b'"', bytes.get(at..).unwrap_or_default()) {
            None if complete => return Closing::Nowhere,
            None => return Closing::NeedsMore,
            Some(len) => at += len,
        }
        match bytes.get(at + 1) {
            Some(b'"') => at += 2,
            Some(_) => return Closing::At(at),
            None if complete => return Closing::At(at),
            None => return Closing::NeedsMore,
        }
    }
}

enum After {
    Good,
    Blank,
    Text,
    NeedsMore,
}

/// What follows a closing quote.
fn after_quote(rest: &[u8], complete: bool, delimiter: u8) -> After {
    match rest {
        [] if complete => After::Good,
        [] => After::NeedsMore,
        [b'\n', ..] | [b'\r', b'\n', ..] => After::Good,
        [first, ..] if *first == delimiter => After::Good,
        [b'\r'] if complete => After::Good,
        [b'\r'] => After::NeedsMore,
        [b' ' | b'\t', ..] => After::Blank,
        _ => After::Text,
    }
}

/// Where the quote stands in a cell that has blanks and then a quote.
fn quote_behind_blanks(cell: &[u8]) -> Option<usize> {
    let blanks = cell.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    (blanks > 0 && cell.get(blanks) == Some(&b'"')).then_some(blanks)
}

/// Length of the row without its line end, and the start of the next one, if a cell ends here.
pub(super) fn line_end(bytes: &[u8], cell_end: usize) -> (usize, usize) {
    match bytes.get(cell_end..).unwrap_or_default() {
        [b'\n', ..] => {
            // An unquoted cell still has the CR of a CRLF at its end.
            let cr = cell_end > 0 && bytes.get(cell_end - 1) == Some(&b'\r');
            (cell_end - usize::from(cr), cell_end + 1)
        }
        [b'\r', b'\n', ..] => (cell_end, cell_end + 2),
        [b'\r'] => (cell_end, cell_end + 1),
        _ => {
            let cr = cell_end > 0 && bytes.get(cell_end - 1) == Some(&b'\r');
            (cell_end - usize::from(cr), cell_end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Found {
        measure(text, true, b',', |cell| cell == 2, &mut Vec::new())
    }

    #[test]
    fn rows_end_where_no_quote_is_open() {
        assert_eq!(found("a,b\nc"), Found::Row { len: 3, next: 4 });
        assert_eq!(found("a,b\r\nc"), Found::Row { len: 3, next: 5 });
        assert_eq!(found("a,\"b\"\r\nc"), Found::Row { len: 5, next: 7 });
        assert_eq!(found("a,b"), Found::Row { len: 3, next: 3 });
        assert_eq!(found("a,\"b,\"\"c\"\"\"\nd"), Found::Row { len: 11, next: 12 });
        assert_eq!(found("a,b,\"c\nd\"\ne"), Found::Row { len: 9, next: 10 });
        assert_eq!(found("5\" pipe,b\n"), Found::Row { len: 9, next: 10 });
    }

    #[test]
    fn broken_quoting_is_told_apart_and_placed() {
        assert_eq!(found("a,\"b\nc,d\n"), Found::Broken(Fault::Unclosed, 2));
        assert_eq!(found("a,\"b\nc,\"d\"\n"), Found::Broken(Fault::Unclosed, 2));
        assert_eq!(found("a,\"b\"c,d\n"), Found::Broken(Fault::TextAfter, 5));
        assert_eq!(found("a,\"b\" ,d\n"), Found::Broken(Fault::BlankAround, 5));
        assert_eq!(found("a, \"b\",d\n"), Found::Broken(Fault::BlankAround, 3));
        assert_eq!(found("a, \"b\""), Found::Broken(Fault::BlankAround, 3));
        assert_eq!(found("a,\"b\nc\",d\ne"), Found::Newline { open: 2, next: 10 });
    }

    #[test]
    fn a_text_that_ends_too_early_asks_for_more() {
        for text in ["a,b", "a,\"b", "a,\"b\"", "a,\"b\"\r", ""] {
            assert_eq!(measure(text, false, b',', |_| false, &mut Vec::new()), Found::NeedsMore, "{text:?}");
        }
    }

    #[test]
    fn the_starts_of_the_cells_are_told() {
        let mut starts = Vec::new();
        measure("a,\"b,\"\"c\",d\n", true, b',', |_| false, &mut starts);
        assert_eq!(starts, [0, 2, 10]);
    }
}
