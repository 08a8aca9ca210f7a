//! Finds where a CSV row ends, and the broken quoting that a CSV parser would pass over in silence.
//!
//! It only measures: what the cells hold is left to the csv crate, which gets one well-formed row at a time and so can
//! never swallow the ones behind it.

/// What begins at the start of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RowScan {
    /// The text ends before the row does.
    NeedsMore,
    /// A row of so many bytes, its line end not counted, and where the next one begins.
    Row { len: usize, next: usize },
    /// A row with a line break in the quoted cell that opens here; otherwise as `Row`.
    Newline { open: usize, next: usize },
    /// Quoting that cannot be understood, at this byte.
    Broken(QuoteFault, usize),
}

/// Ways of quoting wrongly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum QuoteFault {
    /// No quote follows the one at this place, as far as the text goes.
    Unended,
    /// The quote at this place is closed only by one that opens another cell.
    Unclosed,
    /// Something follows a closing quote.
    TextAfter,
    /// A blank stands before an opening or after a closing quote.
    BlankAround,
}

/// Measures the row at the start of `text`. With `complete`, nothing comes behind the text. The starts of the cells go
/// to `starts`. `may_break` says which cells may hold line breaks.
pub(crate) fn measure(
    text: &str,
    complete: bool,
    delimiter: u8,
    may_break: impl Fn(usize) -> bool,
    starts: &mut Vec<u32>,
) -> RowScan {
    let bytes = text.as_bytes();
    let mut newline_at = None;
    let mut at = 0;
    starts.clear();
    loop {
        starts.push(at as u32);
        let cell = starts.len() - 1;
        let end = if bytes.get(at) == Some(&b'"') {
            let (close, broken) = match closing_quote(bytes, at + 1, complete) {
                ClosingQuote::At(close) => (close, memchr::memchr(b'\n', &bytes[at..close]).is_some()),
                ClosingQuote::Nowhere => return RowScan::Broken(QuoteFault::Unended, at),
                ClosingQuote::NeedsMore => return RowScan::NeedsMore,
            };
            let end = close + 1;
            match after_quote(bytes.get(end..).unwrap_or_default(), complete, delimiter) {
                AfterQuote::NeedsMore => return RowScan::NeedsMore,
                AfterQuote::Good => {}
                // The quote that seemed to close the cell opens another one some lines below.
                AfterQuote::Blank | AfterQuote::Text if broken => return RowScan::Broken(QuoteFault::Unclosed, at),
                AfterQuote::Blank => return RowScan::Broken(QuoteFault::BlankAround, end),
                AfterQuote::Text => return RowScan::Broken(QuoteFault::TextAfter, end),
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
                        return RowScan::Broken(QuoteFault::BlankAround, at + quote);
                    }
                    at + len
                }
                None if !complete => return RowScan::NeedsMore,
                None => match quote_behind_blanks(rest) {
                    Some(quote) => return RowScan::Broken(QuoteFault::BlankAround, at + quote),
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
            Some(open) => RowScan::Newline { open, next },
            None => RowScan::Row { len, next },
        };
    }
}

enum ClosingQuote {
    At(usize),
    Nowhere,
    NeedsMore,
}

fn closing_quote(bytes: &[u8], from: usize, complete: bool) -> ClosingQuote {
    let mut at = from;
    loop {
        match memchr::memchr(b'"', bytes.get(at..).unwrap_or_default()) {
            None if complete => return ClosingQuote::Nowhere,
            None => return ClosingQuote::NeedsMore,
            Some(len) => at += len,
        }
        match bytes.get(at + 1) {
            Some(b'"') => at += 2,
            Some(_) => return ClosingQuote::At(at),
            None if complete => return ClosingQuote::At(at),
            None => return ClosingQuote::NeedsMore,
        }
    }
}

enum AfterQuote {
    Good,
    Blank,
    Text,
    NeedsMore,
}

/// What follows a closing quote.
fn after_quote(rest: &[u8], complete: bool, delimiter: u8) -> AfterQuote {
    match rest {
        [] if complete => AfterQuote::Good,
        [] => AfterQuote::NeedsMore,
        [b'\n', ..] | [b'\r', b'\n', ..] => AfterQuote::Good,
        [first, ..] if *first == delimiter => AfterQuote::Good,
        [b'\r'] if complete => AfterQuote::Good,
        [b'\r'] => AfterQuote::NeedsMore,
        [b' ' | b'\t', ..] => AfterQuote::Blank,
        _ => AfterQuote::Text,
    }
}

/// Where the quote stands in a cell that has blanks and then a quote.
fn quote_behind_blanks(cell: &[u8]) -> Option<usize> {
    let blanks = cell.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    (blanks > 0 && cell.get(blanks) == Some(&b'"')).then_some(blanks)
}

/// Length of the row without its line end, and the start of the next one, if a cell ends here.
pub(crate) fn line_end(bytes: &[u8], cell_end: usize) -> (usize, usize) {
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

    fn found(text: &str) -> RowScan {
        measure(text, true, b',', |cell| cell == 2, &mut Vec::new())
    }

    #[test]
    fn rows_end_where_no_quote_is_open() {
        assert_eq!(found("a,b\nc"), RowScan::Row { len: 3, next: 4 });
        assert_eq!(found("a,b\r\nc"), RowScan::Row { len: 3, next: 5 });
        assert_eq!(found("a,\"b\"\r\nc"), RowScan::Row { len: 5, next: 7 });
        assert_eq!(found("a,b"), RowScan::Row { len: 3, next: 3 });
        assert_eq!(found("a,\"b,\"\"c\"\"\"\nd"), RowScan::Row { len: 11, next: 12 });
        assert_eq!(found("a,b,\"c\nd\"\ne"), RowScan::Row { len: 9, next: 10 });
        assert_eq!(found("5\" pipe,b\n"), RowScan::Row { len: 9, next: 10 });
    }

    #[test]
    fn broken_quoting_is_told_apart_and_placed() {
        assert_eq!(found("a,\"b\nc,d\n"), RowScan::Broken(QuoteFault::Unended, 2));
        assert_eq!(found("a,\"b\nc,\"d\"\n"), RowScan::Broken(QuoteFault::Unclosed, 2));
        assert_eq!(found("a,\"b\"c,d\n"), RowScan::Broken(QuoteFault::TextAfter, 5));
        assert_eq!(found("a,\"b\" ,d\n"), RowScan::Broken(QuoteFault::BlankAround, 5));
        assert_eq!(found("a, \"b\",d\n"), RowScan::Broken(QuoteFault::BlankAround, 3));
        assert_eq!(found("a, \"b\""), RowScan::Broken(QuoteFault::BlankAround, 3));
        assert_eq!(found("a,\"b\nc\",d\ne"), RowScan::Newline { open: 2, next: 10 });
    }

    #[test]
    fn a_text_that_ends_too_early_asks_for_more() {
        for text in ["a,b", "a,\"b", "a,\"b\"", "a,\"b\"\r", ""] {
            assert_eq!(measure(text, false, b',', |_| false, &mut Vec::new()), RowScan::NeedsMore, "{text:?}");
        }
    }

    #[test]
    fn the_starts_of_the_cells_are_told() {
        let mut starts = Vec::new();
        measure("a,\"b,\"\"c\",d\n", true, b',', |_| false, &mut starts);
        assert_eq!(starts, [0, 2, 10]);
    }
}
