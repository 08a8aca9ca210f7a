//! Writes HTML in which nothing that came from outside can be anything but text.
//!
//! File names and the service's messages are written by strangers, and the page is opened in a browser on somebody
//! else's computer. So markup can only be given as text that is part of this program, and all else is escaped on the
//! way out; there is no third way in.

use std::io;

use crate::text::is_unsafe;

/// A page on its way to a writer. The first error is kept and given at the end, so that writing reads as one chain.
pub(super) struct HtmlWriter<'w> {
    out: &'w mut dyn io::Write,
    failed: Option<io::Error>,
}

impl<'w> HtmlWriter<'w> {
    pub(super) fn new(out: &'w mut dyn io::Write) -> HtmlWriter<'w> {
        HtmlWriter { out, failed: None }
    }

    /// Markup of our own.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut HtmlWriter<'w> {
        self.write(markup.as_bytes())
    }

    /// Text from anywhere, also fit for a quoted attribute.
    pub(super) fn text(&mut self, text: &str) -> &mut HtmlWriter<'w> {
        let mut clean_from = 0;
        for (at, char) in text.char_indices() {
            let Some(replacement) = replacement(char) else { continue };
            self.write(&text.as_bytes()[clean_from..at]);
            match replacement {
                Replacement::Entity(entity) => self.write(entity.as_bytes()),
                Replacement::Shown => self.write(format!("\u{2039}U+{:04X}\u{203a}", u32::from(char)).as_bytes()),
            };
            clean_from = at + char.len_utf8();
        }
        self.write(&text.as_bytes()[clean_from..])
    }

    /// A coordinate or a length in a drawing, to a tenth.
    pub(super) fn number(&mut self, number: f64) -> &mut HtmlWriter<'w> {
        // A drawing with `NaN` in it is refused as a whole by some readers; a zero only misplaces one mark.
        let number = if number.is_finite() { number } else { 0.0 };
        let text = format!("{number:.1}");
        let short = text.strip_suffix(".0").unwrap_or(&text);
        self.write(short.as_bytes())
    }

    /// The first error, if there was one.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn write(&mut self, bytes: &[u8]) -> &mut HtmlWriter<'w> {
        if self.failed.is_none() {
            self.failed = self.out.write_all(bytes).err();
        }
        self
    }
}

/// What stands for a character that may not stand for itself.
enum Replacement {
    Entity(&'static str),
    /// Its number, visibly: a control character, or one that would turn the direction of the text around it.
    Shown,
}

fn replacement(char: char) -> Option<Replacement> {
    match char {
        '&' => Some(Replacement::Entity("&amp;")),
        '<' => Some(Replacement::Entity("&lt;")),
        '>' => Some(Replacement::Entity("&gt;")),
        '"' => Some(Replacement::Entity("&quot;")),
        '\'' => Some(Replacement::Entity("&#39;")),
        char if is_unsafe(char) => Some(Replacement::Shown),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        HtmlWriter::new(&mut out).text(text).finish().expect("a vector takes everything");
        String::from_utf8(out).expect("the page is UTF-8")
    }

    #[test]
    fn markup_in_a_name_comes_out_as_text() {
        assert_eq!(
            written(r#"<script>alert("x")</script>'&.pdf"#),
            "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&#39;&amp;.pdf"
        );
        assert_eq!(written("Größe 報告.pdf"), "Größe 報告.pdf");
    }

    #[test]
    fn characters_that_would_disguise_a_name_are_shown() {
        assert_eq!(written("invoice\u{202e}fdp.exe"), "invoice‹U+202E›fdp.exe");
        assert_eq!(written("a\u{1b}[31m\n"), "a‹U+001B›[31m‹U+000A›");
    }

    #[test]
    fn a_number_has_at_most_one_decimal_and_is_always_one() {
        let mut out = Vec::new();
        let mut page = HtmlWriter::new(&mut out);
        for number in [1.0, 2.25, -0.5, f64::NAN, f64::INFINITY] {
            page.number(number).raw(" ");
        }
        page.finish().expect("a vector takes everything");
        assert_eq!(String::from_utf8_lossy(&out), "1 2.2 -0.5 0 0 ");
    }

    #[test]
    fn the_first_error_of_a_chain_is_the_one_reported() {
        struct FullWriter;
        impl io::Write for FullWriter {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let failed = HtmlWriter::new(&mut FullWriter).raw("<p>").text("a").finish();
        assert_eq!(failed.map_err(|error| error.kind()), Err(io::ErrorKind::StorageFull));
    }
}
