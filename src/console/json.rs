//! JSON as it goes to a stream that may be a terminal: what would act on it there is written as an escape, which means the
//! same to every reader.

use std::io::{self, Write};

use serde::Serialize;

use crate::text::is_unsafe;

/// Writes a value in one line.
///
/// # Errors
///
/// When it cannot be written.
pub(crate) fn write(out: impl Write, value: &impl Serialize) -> io::Result<()> {
    Ok(serde_json::to_writer(Guard(out), value)?)
}

/// Writes a value over several lines, indented.
///
/// # Errors
///
/// When it cannot be written.
pub(crate) fn write_pretty(out: impl Write, value: &impl Serialize) -> io::Result<()> {
    Ok(serde_json::to_writer_pretty(Guard(out), value)?)
}

/// A value in one line; empty if it cannot be JSON.
pub(crate) fn line(value: &impl Serialize) -> String {
    text(|out| write(out, value))
}

/// A value over several lines, indented; empty if it cannot be JSON.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    text(|out| write_pretty(out, value))
}

fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).ok().and_then(|()| String::from_utf8(bytes).ok()).unwrap_or_default()
}

/// Escapes on the way. Outside of its texts JSON has no character that needs it, but for the ends of lines, which the
/// writer itself makes.
struct Guard<W>(W);

impl<W: Write> Write for Guard<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The serializer writes whole pieces of text; what is no UTF-8 is none of them.
        match std::str::from_utf8(bytes) {
            Ok(text) if text.chars().any(needs_escape) => self.0.write_all(escaped(text).as_bytes())?,
            _ => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn needs_escape(character: char) -> bool {
    is_unsafe(character) && !character.is_ascii()
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if needs_escape(character) {
            let mut units = [0; 2];
            safe.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            safe.push(character);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_act_on_a_terminal_is_escaped_and_means_the_same() {
        let value =
            serde_json::json!({"name": "a\u{1b}\u{9b}31m\u{202e}b\u{2028}\u{e0041} é 👩‍💻 \"quoted\"", "n": [1, 2]});
        for text in [line(&value), pretty(&value)] {
            assert!(!text.chars().any(|c| c != '\n' && is_unsafe(c)), "{text}");
            assert!(text.contains("\\u009b31m\\u202eb\\u2028\\udb40\\udc41 é 👩‍💻"), "{text}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON"), value);
        }
    }
}
