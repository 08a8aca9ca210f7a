//! Reads single lines of a manifest again, for showing them with a problem. Nothing is kept for that during the check.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use encoding_rs::Encoding;

use super::csv::ManifestLines;
use super::decode::Decoder;
use super::{ManifestFormat, ManifestInfo};
use crate::text::system_words;

/// No more of a line is shown than this many characters.
const SHOWN: usize = 4_000;

impl ManifestInfo {
    /// These physical lines of the file as text, cut at 4,000 characters, passwords in addresses starred out. Lines that
    /// are not there are left out; from standard input and of a workbook none is.
    ///
    /// # Errors
    ///
    /// When the file cannot be read any more.
    pub fn lines(&self, wanted: &[u32]) -> io::Result<BTreeMap<u32, String>> {
        if self.path == Path::new("-") || self.format == ManifestFormat::Xlsx {
            return Ok(BTreeMap::new());
        }
        let encoding = Encoding::for_label(self.encoding.as_bytes());
        lines_of(Decoder::new(Box::new(File::open(&self.path)?), encoding, false), wanted)
    }
}

fn lines_of(decoder: Decoder, wanted: &[u32]) -> io::Result<BTreeMap<u32, String>> {
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    let mut found = BTreeMap::new();
    let mut lines = ManifestLines::new(decoder);
    for line in wanted {
        while lines.line() < line && lines.peek_line().is_some() {
            lines.skip_line();
        }
        let Some(text) = lines.peek_line() else { break };
        let text: String = text.chars().take(SHOWN).collect();
        found.insert(line, crate::text::with_passwords_starred(&text).into_owned());
    }
    match lines.decoder.error() {
        Some(error) => Err(io::Error::new(error.kind(), system_words(error))),
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_again_and_keep_secrets() {
        let text = "\u{FEFF}module,url\r\nLeads,https://me:pw@example.com/\r\n\r\nlast";
        let decoder = || Decoder::new(Box::new(io::Cursor::new(text.as_bytes().to_vec())), None, false);
        let found = lines_of(decoder(), &[4, 1, 2, 3, 9]).unwrap();
        assert_eq!(found[&1], "module,url");
        assert_eq!(found[&2], "Leads,https://*****@example.com/");
        assert_eq!((found[&3].as_str(), found[&4].as_str(), found.len()), ("", "last", 4));
    }
}
