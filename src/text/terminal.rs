//! Text of unknown origin, made safe for a terminal: what a name or an answer holds must not move the cursor, change
//! colours or turn the reading direction.

use std::borrow::Cow;
use std::fmt::Write as _;

/// [`escape_for_terminal`], but for the ends of lines.
pub fn escape_lines_for_terminal(text: &str) -> String {
    text.lines().map(escape_for_terminal).collect::<Vec<_>>().join("\n")
}

/// The text with control characters, direction marks and invisible characters written as `\u{1b}`; those that people know by
/// shorter names as `\t`, `\n` and `\r`.
pub fn escape_for_terminal(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\t' => safe.push_str("\\t"),
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            other if is_unsafe(other) => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(other));
            }
            other => safe.push(other),
        }
    }
    Cow::Owned(safe)
}

/// The text as [`escape_for_terminal`], cut to so many characters, with `…` for what is left out in the middle: the ends of names and
/// paths tell most.
pub fn shorten_for_terminal(text: &str, width: usize) -> Cow<'_, str> {
    let text = escape_for_terminal(text);
    let length = text.chars().count();
    if length <= width {
        return text;
    }
    let kept = width.saturating_sub(1);
    let front = kept / 2;
    let head: String = text.chars().take(front).collect();
    let tail: String = text.chars().skip(length - (kept - front)).collect();
    Cow::Owned(format!("{head}…{tail}"))
}

/// Whether a character changes how its surroundings look without being seen itself. Zero-width joiners stay: names in
/// Indic scripts and emoji need them.
pub(crate) fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// The text without anything a terminal would act on or that would change the order of reading; line ends and tabs
/// become blanks.
pub(crate) fn strip_for_terminal(text: &str, max_chars: usize) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    let mut count = 0;
    while let Some(c) = chars.next() {
        let keep = match c {
            '\n' | '\r' | '\t' => ' ',
            '\u{1b}' => {
                skip_escape(&mut chars);
                continue;
            }
            c if c.is_control() || reorders(c) => continue,
            c => c,
        };
        if count == max_chars {
            out.push('…');
            break;
        }
        out.push(keep);
        count += 1;
    }
    out.trim().to_owned()
}

fn reorders(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Drops the rest of a terminal's control sequence: `ESC [ … letter`, or `ESC ] … BEL`.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            chars.find(|c| ('\u{40}'..='\u{7e}').contains(c));
        }
        Some(']') => {
            chars.find(|c| matches!(c, '\u{7}' | '\u{1b}'));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_and_direction_marks_are_shown_as_what_they_are() {
        assert_eq!(escape_for_terminal("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(escape_for_terminal("invoice\u{202e}fdp.exe"), "invoice\\u{202e}fdp.exe");
        assert_eq!(escape_for_terminal("two\nlines\t\u{85}"), "two\\nlines\\t\\u{85}");
    }

    #[test]
    fn names_in_any_script_pass_untouched() {
        for name in ["résumé.pdf", "விலைப்பட்டியல்.pdf", "发票.pdf", "👩‍💻.png", "a;b%20'c.txt"]
        {
            assert!(matches!(escape_for_terminal(name), Cow::Borrowed(same) if same == name));
        }
    }

    #[test]
    fn a_long_text_keeps_its_ends() {
        assert_eq!(shorten_for_terminal("short", 5), "short");
        assert_eq!(shorten_for_terminal("scans/2019/contract.pdf", 11), "scans…t.pdf");
        assert_eq!(shorten_for_terminal("abc", 0), "…");
    }

    #[test]
    fn words_cannot_act_on_a_terminal() {
        assert_eq!(strip_for_terminal("a\u{1b}[31mred\u{1b}[0m b\u{1b}]0;title\u{7}c", 99), "ared bc");
        assert_eq!(strip_for_terminal("x\u{202e}y\u{9b}31mz\r\nw\u{0}", 99), "xy31mz  w");
        assert_eq!(strip_for_terminal(&"ä".repeat(10), 3), "äää…");
    }
}
