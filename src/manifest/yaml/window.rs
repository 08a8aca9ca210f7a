//! The text of a YAML manifest as far as somebody may still look at it: the event parser, which takes it piece by piece,
//! and the reader of plain rows, which looks at whole lines.

use crate::manifest::decode::Decoder;

/// How much of the text the event parser is given at once, in bytes: a row or a few, so that the reader of plain rows
/// can go on soon behind it.
const PIECE: usize = 4 << 10;

/// Text that has been decoded and is still of use.
pub(crate) struct TextWindow {
    /// Where more text comes from. It also knows what of it was no text.
    pub(crate) decoder: Decoder,
    text: String,
    /// Nobody asks for what stands before this byte of `text` any more.
    start: usize,
    /// What stands before this byte of `text` the event parser has been given.
    given: usize,
    /// Whether all the text has been decoded.
    is_whole: bool,
    /// Whether what the parser was given may be asked for again.
    is_keeping: bool,
}

impl TextWindow {
    /// A window that keeps all text, for the head.
    pub(crate) fn new(decoder: Decoder) -> TextWindow {
        TextWindow { decoder, text: String::new(), start: 0, given: 0, is_whole: false, is_keeping: true }
    }

    /// What is here of the text that is not done with.
    pub(super) fn rest(&self) -> &str {
        self.text.get(self.start..).unwrap_or_default()
    }

    /// Whether nothing follows behind [`TextWindow::rest`].
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Decodes some more; `false` at the end of the text.
    pub(super) fn extend(&mut self) -> bool {
        self.forget();
        self.is_whole |= !self.decoder.read_into(&mut self.text);
        !self.is_whole
    }

    /// Is done with so many bytes of the rest.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.start += bytes;
    }

    /// Where the character of this number stands in the rest, in bytes; `None` if it is not here.
    pub(super) fn byte_of(&self, character: usize) -> Option<usize> {
        let rest = self.rest();
        rest.char_indices().map(|(at, _)| at).chain([rest.len()]).nth(character)
    }

    /// Whether behind this byte of the rest, where a line begins, stands a row whose `-` is so far indented, or nothing; not
    /// if that cannot be told from what is here.
    pub(super) fn rest_is_rows(&self, begin: usize, indent: usize) -> bool {
        let rest = self.rest().get(begin..).unwrap_or_default();
        let is_filler = |line: &str| line.is_empty() || line.starts_with('#');
        let mut lines = rest.split_inclusive('\n').map(|line| (line, line.trim_start_matches(' ')));
        match lines.find(|(_, text)| !is_filler(text.trim_end_matches(['\n', '\r']))) {
            Some((line, text)) => line.len() - text.len() == indent && text.starts_with("- "),
            None => self.is_whole,
        }
    }

    /// Lets the parser read again what it was given, from the beginning of the rest.
    pub(super) fn rewind(&mut self) {
        self.given = self.start;
        self.is_keeping = true;
    }

    /// Whether the rest begins where the parser believes it does: what it was given is still here.
    pub(super) fn is_keeping(&self) -> bool {
        self.is_keeping
    }

    /// Keeps nothing any more that the parser was given.
    pub(super) fn stop_keeping(&mut self) {
        self.is_keeping = false;
    }

    /// Puts the next piece of the text into `piece`, which is emptied before; `false` when there is none.
    pub(super) fn next_piece(&mut self, piece: &mut String) -> bool {
        piece.clear();
        if self.given >= self.text.len() {
            if !self.is_keeping {
                self.start = self.given;
            }
            if !self.extend() {
                return false;
            }
        }
        let ahead = self.text.get(self.given..).unwrap_or_default();
        let end = (0..=PIECE.min(ahead.len())).rev().find(|end| ahead.is_char_boundary(*end)).unwrap_or_default();
        piece.push_str(ahead.get(..end).unwrap_or_default());
        self.given += end;
        true
    }

    /// Lets go of what is done with, once that is most of what is held.
    fn forget(&mut self) {
        if self.start > self.text.len() / 2 {
            self.text.drain(..self.start);
            self.given = self.given.saturating_sub(self.start);
            self.start = 0;
        }
    }
}
