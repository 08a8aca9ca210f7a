//! Turns the bytes of a manifest into text: byte order marks, UTF-16, `--encoding`. Both formats read through it.
//!
//! What is no text is replaced by U+FFFD and remembered with its place, so that reading can go on and every such place
//! is found. NULs are replaced as well: both parsers behind would stumble over them in silence.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};

use encoding_rs::{DecoderResult, Encoding, UTF_8};
use sha2::{Digest, Sha256};

use crate::problem::remedies;
use crate::problem::{Place, Problem, ProblemCode};
use crate::text::system_words;

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// SHA-256 of a file from its beginning, in hexadecimal.
pub(super) fn digest_of(file: &File) -> io::Result<String> {
    let mut file = file.try_clone()?;
    file.seek(SeekFrom::Start(0))?;
    let mut decoder = Decoder::new(Box::new(file), None, false);
    let digest = decoder.digest();
    match decoder.error() {
        None => Ok(digest),
        Some(error) => Err(io::Error::new(error.kind(), system_words(error))),
    }
}

/// Reads bytes, gives text.
pub(crate) struct Decoder {
    source: Box<dyn Read>,
    hash: Sha256,
    chunk: Vec<u8>,
    /// How many bytes of `chunk` wait to be decoded: the beginning of a character whose rest is still to come.
    waiting: usize,
    coding: Coding,
    /// Where the next character will stand.
    line: u32,
    column: u32,
    flaws: VecDeque<Flaw>,
    bytes_read: u64,
    done: bool,
    error: Option<io::Error>,
    /// Whether a CR without LF is a flaw already here; CSV has its own view of it.
    watch_cr: bool,
    last_was_cr: bool,
    /// More bytes than this are not read.
    limit: u64,
}

enum Coding {
    /// Not decided before the first bytes are here.
    Undecided(Option<&'static Encoding>),
    Utf8,
    Other(&'static Encoding, Box<encoding_rs::Decoder>),
}

/// Something in the file that is no text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Flaw {
    pub(crate) place: Place,
    kind: FlawKind,
    /// How many follow each other on one line.
    count: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FlawKind {
    /// A byte that UTF-8 does not have here.
    Byte(u8),
    /// What another encoding does not have.
    Malformed(&'static str),
    Nul,
    Cr,
}

impl Decoder {
    pub(crate) fn new(source: Box<dyn Read>, encoding: Option<&'static Encoding>, watch_cr: bool) -> Decoder {
        Decoder {
            source,
            hash: Sha256::new(),
            chunk: vec![0; CHUNK],
            waiting: 0,
            coding: Coding::Undecided(encoding),
            line: 1,
            column: 1,
            flaws: VecDeque::new(),
            bytes_read: 0,
            done: false,
            error: None,
            watch_cr,
            last_was_cr: false,
            limit: u64::MAX,
        }
    }

    /// The same, reading no more than so many bytes; a source that has more ends with an error.
    pub(crate) fn with_limit(self, limit: u64) -> Decoder {
        Decoder { limit, ..self }
    }

    /// Appends some more text; `false` when there is none.
    pub(crate) fn read_into(&mut self, text: &mut String) -> bool {
        let before = text.len();
        while !self.done && text.len() == before {
            let read = self.read_chunk();
            let last = read == 0;
            let mut filled = self.waiting + read;
            if let Coding::Undecided(given) = self.coding {
                // A byte order mark has up to three bytes, and a pipe may give one at a time.
                if filled < 3 && !last {
                    self.waiting = filled;
                    continue;
                }
                let mark = self.decide(given, filled);
                self.chunk.copy_within(mark..filled, 0);
                filled -= mark;
            }
            let chunk = std::mem::take(&mut self.chunk);
            let decoded = self.decode(chunk.get(..filled).unwrap_or_default(), last, text);
            self.chunk = chunk;
            self.chunk.copy_within(decoded..filled, 0);
            self.waiting = filled - decoded;
            self.done = last;
        }
        text.len() > before
    }

    fn read_chunk(&mut self) -> usize {
        loop {
            if self.bytes_read > self.limit {
                self.error = Some(io::ErrorKind::FileTooLarge.into());
                return 0;
            }
            match self.source.read(self.chunk.get_mut(self.waiting..).unwrap_or_default()) {
                Ok(read) => {
                    self.hash.update(&self.chunk[self.waiting..self.waiting + read]);
                    self.bytes_read += read as u64;
                    return read;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.error = Some(error);
                    return 0;
                }
            }
        }
    }

    /// Settles the encoding by the first bytes; returns how many of them are the byte order mark.
    fn decide(&mut self, given: Option<&'static Encoding>, filled: usize) -> usize {
        let (encoding, mark) = match Encoding::for_bom(self.chunk.get(..filled).unwrap_or_default()) {
            Some((encoding, mark)) => (encoding, mark),
            None => (given.unwrap_or(UTF_8), 0),
        };
        self.coding = if encoding == UTF_8 {
            Coding::Utf8
        } else {
            Coding::Other(encoding, Box::new(encoding.new_decoder_without_bom_handling()))
        };
        mark
    }

    /// Decodes bytes; returns how many of them were used up.
    fn decode(&mut self, bytes: &[u8], last: bool, text: &mut String) -> usize {
        match &mut self.coding {
            Coding::Undecided(_) | Coding::Utf8 => self.decode_utf8(bytes, last, text),
            Coding::Other(encoding, decoder) => {
                let mut fresh = String::new();
                let mut pieces = Vec::new();
                let mut used = 0;
                loop {
                    let rest = &bytes[used..];
                    let room = decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(CHUNK);
                    fresh.reserve(room);
                    let (result, read) = decoder.decode_to_string_without_replacement(rest, &mut fresh, last);
                    used += read;
                    match result {
                        DecoderResult::InputEmpty => break,
                        DecoderResult::OutputFull => {}
                        DecoderResult::Malformed(..) => pieces.push(fresh.len()),
                    }
                }
                let kind = FlawKind::Malformed(encoding.name());
                let mut from = 0;
                for end in pieces {
                    self.take(&fresh[from..end], text);
                    self.flaw(kind, text);
                    from = end;
                }
                self.take(&fresh[from..], text);
                used
            }
        }
    }

    fn decode_utf8(&mut self, bytes: &[u8], last: bool, text: &mut String) -> usize {
        let mut rest = bytes;
        loop {
            let error = match std::str::from_utf8(rest) {
                Ok(valid) => {
                    self.take(valid, text);
                    return bytes.len();
                }
                Err(error) => error,
            };
            let (valid, after) = rest.split_at(error.valid_up_to());
            self.take(std::str::from_utf8(valid).unwrap_or_default(), text);
            let wrong = match error.error_len() {
                Some(wrong) => wrong,
                None if last => after.len(),
                None => return bytes.len() - after.len(),
            };
            self.flaw(FlawKind::Byte(after.first().copied().unwrap_or(0)), text);
            rest = after.get(wrong..).unwrap_or_default();
        }
    }

    /// Appends well-formed text, NULs and stray CRs apart.
    fn take(&mut self, fresh: &str, text: &mut String) {
        let mut rest = fresh;
        if self.watch_cr {
            self.look_for_cr(fresh);
        }
        while let Some(at) = memchr::memchr(0, rest.as_bytes()) {
            self.append(&rest[..at], text);
            // A hole in a file is a great many of them.
            let behind = rest[at..].trim_start_matches('\0');
            self.flaws_in_a_row(FlawKind::Nul, rest.len() - at - behind.len(), text);
            rest = behind;
        }
        self.append(rest, text);
    }

    fn append(&mut self, fresh: &str, text: &mut String) {
        text.push_str(fresh);
        (self.line, self.column) = advance(self.line, self.column, fresh);
    }

    fn flaw(&mut self, kind: FlawKind, text: &mut String) {
        self.flaws_in_a_row(kind, 1, text);
    }

    fn flaws_in_a_row(&mut self, kind: FlawKind, count: usize, text: &mut String) {
        match self.flaws.back_mut() {
            Some(last) if last.kind == kind && last.place.line == self.line => last.count += count,
            _ => {
                let place = Place { line: self.line, column: Some(self.column) };
                self.flaws.push_back(Flaw { place, kind, count });
            }
        }
        text.extend(std::iter::repeat_n('\u{FFFD}', count));
        self.column = self.column.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
    }

    fn look_for_cr(&mut self, fresh: &str) {
        let bytes = fresh.as_bytes();
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return };
        let carried_over = self.last_was_cr && *first != b'\n';
        self.last_was_cr = *last == b'\r';
        let (line, column) = if carried_over {
            (self.line, self.column.saturating_sub(1))
        } else {
            let stray =
                memchr::memchr_iter(b'\r', bytes).find(|at| bytes.get(at + 1).is_some_and(|next| *next != b'\n'));
            let Some(at) = stray else { return };
            advance(self.line, self.column, &fresh[..at])
        };
        let place = Place { line, column: Some(column) };
        self.flaws.push_back(Flaw { place, kind: FlawKind::Cr, count: 1 });
        // One is enough: such a file has them everywhere, and its lines cannot be counted any more.
        self.watch_cr = false;
    }

    /// Takes the next flaw up to the end of this line, with all others of its kind there.
    pub(crate) fn next_flaw(&mut self, up_to_line: u32) -> Option<Problem> {
        let first = *self.flaws.front().filter(|flaw| flaw.place.line <= up_to_line)?;
        // They are in the order of their lines: those behind need no look, of which there may be one for each line.
        let within = self.flaws.partition_point(|flaw| flaw.place.line <= up_to_line);
        let same = |flaw: &Flaw| std::mem::discriminant(&flaw.kind) == std::mem::discriminant(&first.kind);
        let (same, others): (Vec<Flaw>, Vec<Flaw>) = self.flaws.drain(..within).partition(same);
        for flaw in others.into_iter().rev() {
            self.flaws.push_front(flaw);
        }
        let count = same.iter().map(|flaw| flaw.count).sum();
        Some(first.problem(count))
    }

    /// Whether something was no text that has not been taken yet.
    pub(crate) fn has_flaws(&self) -> bool {
        !self.flaws.is_empty()
    }

    /// The line that the text has come to.
    pub(crate) fn line(&self) -> u32 {
        self.line
    }

    /// Why reading broke off, if it did.
    pub(crate) fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// SHA-256 of all bytes, read to the end if parsing stopped before.
    pub(crate) fn digest(&mut self) -> String {
        self.waiting = 0;
        while !self.done && self.read_chunk() > 0 {}
        self.done = true;
        crate::text::hex(&self.hash.clone().finalize())
    }

    pub(crate) fn encoding(&self) -> &'static str {
        match self.coding {
            Coding::Undecided(given) => given.unwrap_or(UTF_8).name(),
            Coding::Utf8 => UTF_8.name(),
            Coding::Other(encoding, _) => encoding.name(),
        }
    }
}

/// Line and column behind a text.
fn advance(line: u32, column: u32, text: &str) -> (u32, u32) {
    let chars = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    match memchr::memrchr(b'\n', text.as_bytes()) {
        None => (line, column.saturating_add(chars(text))),
        Some(last) => {
            let lines = u32::try_from(memchr::memchr_iter(b'\n', text.as_bytes()).count()).unwrap_or(u32::MAX);
            (line.saturating_add(lines), 1 + chars(&text[last + 1..]))
        }
    }
}

impl Flaw {
    fn problem(self, count: usize) -> Problem {
        let more = match count {
            0 | 1 => String::new(),
            _ => format!(" ({count} such places)"),
        };
        let problem = match self.kind {
            FlawKind::Byte(byte) => Problem::new(
                ProblemCode::NotText,
                format!("the byte 0x{byte:02X} is not UTF-8{more}"),
                remedies::SAY_ENCODING,
            ),
            FlawKind::Malformed(encoding) => Problem::new(
                ProblemCode::NotText,
                format!("these bytes are not {encoding}{more}"),
                remedies::TRUE_ENCODING,
            ),
            FlawKind::Nul => {
                Problem::new(ProblemCode::NulCharacter, format!("a NUL character{more}"), remedies::SAY_UTF_16)
            }
            FlawKind::Cr => Problem::new(
                ProblemCode::LoneCr,
                "a carriage return without a line feed behind it",
                "save the file with the line ends of Windows or Unix",
            ),
        };
        problem.at(self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, as the slowest pipe would.
    struct Drops(VecDeque<u8>);

    impl Read for Drops {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            match (self.0.pop_front(), out.first_mut()) {
                (Some(byte), Some(slot)) => {
                    *slot = byte;
                    Ok(1)
                }
                _ => Ok(0),
            }
        }
    }

    fn decode(bytes: &[u8], encoding: Option<&'static Encoding>) -> (String, Vec<Problem>, &'static str) {
        let whole = decode_from(Box::new(io::Cursor::new(bytes.to_vec())), encoding);
        let drops = decode_from(Box::new(Drops(bytes.iter().copied().collect())), encoding);
        assert_eq!(whole, drops);
        whole
    }

    fn decode_from(source: Box<dyn Read>, encoding: Option<&'static Encoding>) -> (String, Vec<Problem>, &'static str) {
        let mut decoder = Decoder::new(source, encoding, true);
        let mut text = String::new();
        while decoder.read_into(&mut text) {}
        let problems = std::iter::from_fn(|| decoder.next_flaw(u32::MAX)).collect();
        (text, problems, decoder.encoding())
    }

    #[test]
    fn a_hole_of_nuls_is_one_flaw_however_long_it_is() {
        let mut decoder = Decoder::new(Box::new(io::Cursor::new(vec![0; 100_000])), None, true);
        let mut text = String::new();
        while decoder.read_into(&mut text) {}
        assert_eq!(decoder.flaws.len(), 1);
        assert!(decoder.next_flaw(1).is_some_and(|problem| problem.message.contains("100000 such places")));
    }

    fn utf16(text: &str, mark: &[u8], bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        mark.iter().copied().chain(text.encode_utf16().flat_map(bytes)).collect()
    }

    #[test]
    fn byte_order_marks_are_believed_and_taken_off() {
        let text = "module\n\u{1F4CE} ரசீது";
        let marked = [b"\xEF\xBB\xBF", text.as_bytes()].concat();
        assert_eq!(decode(&marked, None), (text.to_owned(), vec![], "UTF-8"));
        assert_eq!(decode(&marked, Some(encoding_rs::WINDOWS_1252)).0, text);
        assert_eq!(decode(&utf16(text, b"\xFF\xFE", u16::to_le_bytes), None), (text.to_owned(), vec![], "UTF-16LE"));
        assert_eq!(decode(&utf16(text, b"\xFE\xFF", u16::to_be_bytes), None).0, text);
        assert_eq!(decode(&utf16(text, b"", u16::to_le_bytes), Some(encoding_rs::UTF_16LE)).0, text);
    }

    #[test]
    fn an_encoding_that_is_named_is_used() {
        assert_eq!(decode(b"R\xE9sum\xE9", Some(encoding_rs::WINDOWS_1252)).0, "Résumé");
    }

    #[test]
    fn what_is_no_text_is_found_with_its_place() {
        let (text, problems, _) = decode(b"ab\n\xC3\xA9x\xE9y\n\0\0z\xC3", None);
        assert_eq!(text, "ab\néx\u{FFFD}y\n\u{FFFD}\u{FFFD}z\u{FFFD}");
        let found: Vec<_> = problems.iter().map(|p| (p.code.as_str(), p.line, p.column)).collect();
        assert_eq!(found, [("not-text", Some(2), Some(3)), ("nul-character", Some(3), Some(1))]);
        assert_eq!(problems[0].message, "the byte 0xE9 is not UTF-8 (2 such places)");
    }

    #[test]
    fn a_stray_carriage_return_is_found_even_between_two_reads() {
        let (_, problems, _) = decode(b"a\r\nb\rc\rd\r\n", None);
        let found: Vec<_> = problems.iter().map(|p| (p.code.as_str(), p.line)).collect();
        assert_eq!(found, [("lone-cr", Some(2))]);
    }

    #[test]
    fn the_digest_covers_bytes_that_were_never_decoded() {
        let bytes = vec![b'x'; 3 * CHUNK];
        let mut decoder = Decoder::new(Box::new(io::Cursor::new(bytes.clone())), None, false);
        let mut text = String::new();
        decoder.read_into(&mut text);
        assert_eq!(decoder.digest(), crate::text::hex(&Sha256::digest(&bytes)));
    }

    #[test]
    fn a_stream_that_does_not_end_is_read_to_the_limit_and_no_further() {
        let mut decoder = Decoder::new(Box::new(io::repeat(b'a')), None, false).with_limit(1_000_000);
        let mut text = String::new();
        while decoder.read_into(&mut text) {}
        assert!((1_000_000..1_200_000).contains(&text.len()), "{}", text.len());
        assert_eq!(decoder.error().map(io::Error::kind), Some(io::ErrorKind::FileTooLarge));
        decoder.digest();
    }

    #[test]
    fn a_flaw_on_every_line_is_told_line_by_line() {
        let text = "\0a\n".repeat(20_000);
        let mut decoder = Decoder::new(Box::new(io::Cursor::new(text.into_bytes())), None, false);
        let mut text = String::new();
        while decoder.read_into(&mut text) {}
        for line in 1..=20_000 {
            let flaw = decoder.next_flaw(line).expect("one on each");
            assert_eq!((flaw.line, flaw.column), (Some(line), Some(1)));
            assert!(decoder.next_flaw(line).is_none());
        }
    }
}
