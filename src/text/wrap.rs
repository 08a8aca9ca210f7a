//! Breaks a text into lines.

/// Breaks a text into lines of at most so many characters at blanks, and at commas where a word alone is too long. A word
/// without commas stays whole, however long it is, since it may be a path or an id that somebody copies.
///
/// By hand, since textwrap breaks a long word anywhere or with a hyphen, and what it would leave to do, cutting at commas, is
/// nearly all of this.
pub(crate) fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let pieces = text.split(' ').flat_map(|word| {
        let long = word.chars().count() > room;
        let parts: Vec<&str> = if long { word.split_inclusive(',').collect() } else { vec![word] };
        parts.into_iter().enumerate().map(|(at, part)| (at == 0, part)).collect::<Vec<_>>()
    });
    for (starts_word, piece) in pieces {
        let gap = usize::from(starts_word && !line.is_empty());
        if !line.is_empty() && line.chars().count() + gap + piece.chars().count() > room {
            lines.push(std::mem::take(&mut line));
        } else if gap == 1 {
            line.push(' ');
        }
        line.push_str(piece);
    }
    lines.push(line);
    lines
}

/// A text for people as it fits a terminal: lines that are too long are broken at blanks, and go on two columns further in.
/// Without this a terminal breaks them in the middle of a word. A line that somebody copies stays whole, which is a command, and
/// so does one with colours, since these are no characters of it.
pub(crate) fn wrap_lines(text: &str, width: usize) -> String {
    let broken = |line: &str| {
        let (words, ending) = line.strip_suffix('\n').map_or((line, ""), |words| (words, "\n"));
        let inner = words.trim_start_matches(' ');
        let indent = words.len() - inner.len();
        let is_command = inner.trim_start_matches("- ").starts_with("attache ");
        if words.chars().count() <= width || is_command || words.contains('\u{1b}') || indent + 20 > width {
            return line.to_owned();
        }
        let mut lines = wrap(inner, width - indent - 2).into_iter();
        let first = format!("{:indent$}{}", "", lines.next().unwrap_or_default());
        let rest = lines.map(|rest| format!("\n{:indent$}  {rest}", ""));
        std::iter::once(first).chain(rest).collect::<String>() + ending
    };
    text.split_inclusive('\n').map(broken).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_goes_on_further_in_and_a_command_stays_whole() {
        let text =
            "short\n  line 2  Leads scans/doc1.pdf is not listed\n- attache verify a.results.csv --api-domain b\n\n";
        let wanted = "short\n  line 2  Leads\n    scans/doc1.pdf is not\n    listed\n- attache verify a.results.csv --api-domain \
                      b\n\n";
        assert_eq!(wrap_lines(text, 28), wanted);
        assert_eq!(wrap_lines("no end of a line at all", 100), "no end of a line at all");
    }

    #[test]
    fn lines_are_broken_at_blanks_and_long_words_at_commas() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("aaaa,bbbb,cccc", 10), ["aaaa,bbbb,", "cccc"]);
        assert_eq!(wrap("", 8), [""]);
    }
}
