//! Finds what separates the cells of a CSV manifest: the delimiter that makes known names of the header.

use std::cmp::Reverse;

use crate::manifest::header::is_known;
use crate::manifest::headings::HeadingRules;
use crate::problem::{Place, Problem, ProblemCode};

/// What a CSV manifest may be separated by.
pub(crate) const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// What separates the cells of a header line.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Delimiter {
    Found(u8),
    /// Two of them give known names.
    Unclear(u8, u8),
    /// None gives a known name.
    NoHeader,
}

/// Finds the delimiter: the one that makes the most known names of the line.
fn find_delimiter(line: &str, rules: &HeadingRules) -> Delimiter {
    let mut scored = DELIMITERS.map(|delimiter| (known_names(line, delimiter, rules), delimiter));
    // Stable, so that a header of one column is taken for one with commas.
    scored.sort_by_key(|(score, _)| Reverse(*score));
    let [(best, delimiter), (second, other), ..] = scored;
    let splits = |delimiter: u8| memchr::memchr(delimiter, line.as_bytes()).is_some();
    match best {
        0 => Delimiter::NoHeader,
        _ if best == second && splits(delimiter) && splits(other) => Delimiter::Unclear(delimiter, other),
        _ => Delimiter::Found(if splits(delimiter) || !splits(other) || second < best { delimiter } else { other }),
    }
}

/// How many names of a header line are known if it is separated by this.
fn known_names(line: &str, delimiter: u8, rules: &HeadingRules) -> usize {
    line.split(char::from(delimiter)).filter(|cell| is_known(cell.trim().trim_matches('"'), rules)).count()
}

/// The delimiter that a first line of the form `sep=;` asks for; `Some(None)` if it asks for one that is not possible.
pub(crate) fn sep_line(line: &str) -> Option<Option<u8>> {
    let line = line.trim_matches([' ', '"']);
    let wanted = line.get(..4).filter(|start| start.eq_ignore_ascii_case("sep=")).and_then(|_| line.get(4..))?;
    let only = match wanted.as_bytes() {
        [byte] if DELIMITERS.contains(byte) => Some(*byte),
        _ => None,
    };
    Some(only)
}

/// A delimiter as people call it.
pub(crate) fn delimiter_name(delimiter: u8) -> String {
    match delimiter {
        b'\t' => "TAB".to_owned(),
        other => format!("`{}`", char::from(other)),
    }
}

/// The delimiter, or what is wrong with the header line.
pub(crate) fn choose(
    first: &str,
    asked: Option<Option<u8>>,
    tab_only: bool,
    sep_at: u32,
    line: u32,
    rules: &HeadingRules,
) -> Result<u8, Box<Problem>> {
    let found = if tab_only { Delimiter::Found(b'\t') } else { find_delimiter(first, rules) };
    let problem = match (asked, found) {
        (Some(None), _) => sep_unknown(sep_at),
        (_, Delimiter::NoHeader) => header_missing(first, line),
        (Some(Some(asked)), _) => {
            let names = |delimiter: &u8| known_names(first, *delimiter, rules);
            let others = DELIMITERS.into_iter().filter(|other| names(other) > names(&asked));
            match others.max_by_key(names) {
                Some(other) => contradiction(asked, other, sep_at),
                None if tab_only && asked != b'\t' => contradiction(asked, b'\t', sep_at),
                None => return Ok(asked),
            }
        }
        (None, Delimiter::Found(delimiter)) => return Ok(delimiter),
        (None, Delimiter::Unclear(one, other)) => unclear(one, other, line),
    };
    Err(Box::new(problem))
}

fn sep_unknown(line: u32) -> Problem {
    Problem::new(
        ProblemCode::DelimiterUnclear,
        "the `sep=` line names no delimiter that is known here",
        "use a comma, a semicolon, a TAB or |, or remove the line",
    )
    .on_line(line)
}

fn unclear(one: u8, other: u8, line: u32) -> Problem {
    let (one, other) = (delimiter_name(one), delimiter_name(other));
    Problem::new(
        ProblemCode::DelimiterUnclear,
        format!("both {one} and {other} separate known names in the header"),
        "use one delimiter in the whole header",
    )
    .on_line(line)
}

fn contradiction(asked: u8, found: u8, line: u32) -> Problem {
    Problem::new(
        ProblemCode::SepContradicts,
        format!("this line says {}, but the header is separated by {}", delimiter_name(asked), delimiter_name(found)),
        "correct this line or remove it",
    )
    .on_line(line)
}

fn header_missing(first: &str, line: u32) -> Problem {
    let mut problem = Problem::new(
        ProblemCode::HeaderMissing,
        "the first line names no known column",
        "put a header such as `module,record,file` first",
    )
    .at(Place { line, column: Some(1) });
    problem.value = Some(crate::text::masked_excerpt(first));
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_one_that_makes_known_names() {
        for (line, wanted) in [
            ("module,record,file", Delimiter::Found(b',')),
            ("Module;Record;File;x_a,b", Delimiter::Found(b';')),
            ("module\trecord\turl", Delimiter::Found(b'\t')),
            ("\"module\"|\"record\"|\"file\"", Delimiter::Found(b'|')),
            ("file", Delimiter::Found(b',')),
            ("module;record,file", Delimiter::Unclear(b',', b';')),
            ("owner;module", Delimiter::Found(b';')),
            ("Leads,738964000000291009,a.pdf", Delimiter::NoHeader),
            ("", Delimiter::NoHeader),
        ] {
            assert_eq!(find_delimiter(line, &HeadingRules::default()), wanted, "{line}");
        }
    }

    #[test]
    fn a_sep_line_is_known_in_every_spelling() {
        assert_eq!(sep_line("sep=;"), Some(Some(b';')));
        assert_eq!(sep_line("\"SEP=,\""), Some(Some(b',')));
        assert_eq!(sep_line("sep=\t"), Some(Some(b'\t')));
        assert_eq!(sep_line("sep=#"), Some(None));
        assert_eq!(sep_line("module,record"), None);
    }
}
