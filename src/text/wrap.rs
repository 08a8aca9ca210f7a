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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_blanks_and_long_words_at_commas() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("aaaa,bbbb,cccc", 10), ["aaaa,bbbb,", "cccc"]);
        assert_eq!(wrap("", 8), [""]);
    }
}
