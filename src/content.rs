//! The fingerprint of an upload's bytes: by it a file is recognised wherever it lies and whatever its path is today.
//!
//! XXH3 with 128 bits tells files apart as well as any hash where nobody forges them, and costs next to nothing beside
//! sending them. Where the results are to prove something to others, SHA-256 takes its place.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use twox_hash::xxhash3_128;

/// Bytes read at a time where a file is read only for its fingerprint.
const CHUNK: usize = 256 * 1024;

/// What a file's bytes were: `xxh3:` and 32 hex digits, or `sha256:` and 64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fingerprint {
    /// XXH3, 128 bits.
    Xxh3(u128),
    /// SHA-256.
    Sha256([u8; 32]),
}

/// How a fingerprint is made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum FingerprintKind {
    /// XXH3 with 128 bits: fast.
    #[default]
    Xxh3,
    /// SHA-256: proof against forgery.
    Sha256,
}

impl Fingerprint {
    /// How it was made. Fingerprints of different kinds say nothing about each other.
    pub fn kind(&self) -> FingerprintKind {
        match self {
            Fingerprint::Xxh3(_) => FingerprintKind::Xxh3,
            Fingerprint::Sha256(_) => FingerprintKind::Sha256,
        }
    }

    /// The fingerprint of everything that can be read, and how many bytes that was.
    ///
    /// # Errors
    ///
    /// When reading fails.
    pub fn of(mut bytes: impl Read, kind: FingerprintKind) -> io::Result<(Fingerprint, u64)> {
        let mut fingerprinter = Fingerprinter::new(kind);
        let mut buffer = vec![0; CHUNK];
        let mut length = 0;
        loop {
            match bytes.read(&mut buffer) {
                Ok(0) => return Ok((fingerprinter.finish(), length)),
                Ok(count) => {
                    fingerprinter.update(&buffer[..count]);
                    length += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fingerprint::Xxh3(sum) => write!(f, "xxh3:{sum:032x}"),
            Fingerprint::Sha256(sum) => {
                write!(f, "sha256:{}", crate::text::hex(sum))
            }
        }
    }
}

/// The text is no fingerprint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAFingerprint;

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Fingerprint, NotAFingerprint> {
        let hex = |digits: &str, length| {
            digits.len() == length && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        match text.split_once(':') {
            Some(("xxh3", digits)) if hex(digits, 32) => {
                u128::from_str_radix(digits, 16).map(Fingerprint::Xxh3).map_err(|_| NotAFingerprint)
            }
            Some(("sha256", digits)) if hex(digits, 64) => {
                let mut sum = [0; 32];
                for (place, byte) in sum.iter_mut().enumerate() {
                    let pair = digits.get(2 * place..2 * place + 2).ok_or(NotAFingerprint)?;
                    *byte = u8::from_str_radix(pair, 16).map_err(|_| NotAFingerprint)?;
                }
                Ok(Fingerprint::Sha256(sum))
            }
            _ => Err(NotAFingerprint),
        }
    }
}

/// Makes a fingerprint of bytes as they come by.
#[derive(Clone)]
pub struct Fingerprinter(State);

#[derive(Clone)]
enum State {
    // Boxed, since it holds half a kilobyte and there is one for each request under way.
    Xxh3(Box<xxhash3_128::Hasher>),
    Sha256(Sha256),
}

impl Fingerprinter {
    /// One that has seen nothing yet.
    pub fn new(kind: FingerprintKind) -> Fingerprinter {
        Fingerprinter(match kind {
            FingerprintKind::Xxh3 => State::Xxh3(Box::new(xxhash3_128::Hasher::new())),
            FingerprintKind::Sha256 => State::Sha256(Sha256::new()),
        })
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Xxh3(hasher) => hasher.write(bytes),
            State::Sha256(hasher) => hasher.update(bytes),
        }
    }

    /// The fingerprint of all bytes so far.
    pub fn finish(self) -> Fingerprint {
        match self.0 {
            State::Xxh3(hasher) => Fingerprint::Xxh3(hasher.finish_128()),
            State::Sha256(hasher) => Fingerprint::Sha256(hasher.finalize().into()),
        }
    }
}

impl fmt::Debug for Fingerprinter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprinter")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8], kind: FingerprintKind) -> String {
        Fingerprint::of(bytes, kind).expect("memory can be read").0.to_string()
    }

    #[test]
    fn fingerprints_are_those_of_the_published_algorithms() {
        assert_eq!(of(b"", FingerprintKind::Xxh3), "xxh3:99aa06d3014798d86001c324468d497f");
        assert_eq!(
            of(b"abc", FingerprintKind::Sha256),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_fingerprint_reads_back_and_does_not_depend_on_the_steps_in_which_bytes_come() {
        let bytes: Vec<u8> = (0..=255).cycle().take(700_000).collect();
        for kind in [FingerprintKind::Xxh3, FingerprintKind::Sha256] {
            let (whole, length) = Fingerprint::of(&bytes[..], kind).expect("memory can be read");
            assert_eq!((length, whole.kind()), (700_000, kind));
            let mut stepwise = Fingerprinter::new(kind);
            bytes.chunks(977).for_each(|chunk| stepwise.update(chunk));
            assert_eq!(stepwise.finish(), whole);
            assert_eq!(whole.to_string().parse(), Ok(whole));
        }
        for wrong in ["", "xxh3:", "xxh3:99AA06d3014798d86001c324468d497f", "md5:99aa06d3014798d86001c324468d497f"] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(NotAFingerprint), "{wrong}");
        }
    }
}
