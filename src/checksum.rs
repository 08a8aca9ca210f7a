//! What the bytes of a file hash to: checksums as a manifest gives them, and the hashing that they are held against.
//!
//! MD5 is here because old systems know nothing better of their files. It tells a damaged copy from a whole one, which is
//! all that is asked of it; nobody's honesty rests on it.

use std::fmt;

use md5::Md5;
use sha2::{Digest as _, Sha256};

/// A way of hashing that a manifest may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChecksumKind {
    /// SHA-256.
    Sha256,
    /// MD5.
    Md5,
}

impl ChecksumKind {
    /// How many hexadecimal digits one has.
    pub fn digits(self) -> usize {
        match self {
            ChecksumKind::Sha256 => 64,
            ChecksumKind::Md5 => 32,
        }
    }
}

impl fmt::Display for ChecksumKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ChecksumKind::Sha256 => "SHA-256",
            ChecksumKind::Md5 => "MD5",
        })
    }
}

/// The checksums that are known of some bytes; either may be absent.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Checksums {
    /// SHA-256, if it is known.
    pub sha256: Option<[u8; 32]>,
    /// MD5, if it is known.
    pub md5: Option<[u8; 16]>,
}

/// The first checksum in which bytes are not what they should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChecksumDifference {
    /// Which of the two.
    pub kind: ChecksumKind,
    /// What it should be, in hexadecimal digits.
    pub wanted: String,
    /// What it is.
    pub found: String,
}

impl fmt::Display for ChecksumDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChecksumDifference { kind, wanted, found } = self;
        write!(f, "the {kind} of its bytes is {found}, and the manifest says {wanted}")
    }
}

impl Checksums {
    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.sha256.is_none() && self.md5.is_none()
    }

    /// Takes a checksum in hexadecimal digits of either case; `false` if it is none of this kind.
    #[must_use]
    pub fn set(&mut self, kind: ChecksumKind, digits: &str) -> bool {
        match kind {
            ChecksumKind::Sha256 => from_hex(digits).map(|bytes| self.sha256 = Some(bytes)).is_some(),
            ChecksumKind::Md5 => from_hex(digits).map(|bytes| self.md5 = Some(bytes)).is_some(),
        }
    }

    /// One of the two in hexadecimal digits; empty if it is not known.
    pub fn hex(&self, kind: ChecksumKind) -> String {
        match kind {
            ChecksumKind::Sha256 => self.sha256.map(|bytes| crate::text::hex(&bytes)),
            ChecksumKind::Md5 => self.md5.map(|bytes| crate::text::hex(&bytes)),
        }
        .unwrap_or_default()
    }

    /// Both kinds that either of two asks for; the values mean nothing.
    #[must_use]
    pub fn kinds_of_both(self, other: Checksums) -> Checksums {
        Checksums { sha256: self.sha256.or(other.sha256), md5: self.md5.or(other.md5) }
    }

    /// In what the bytes that hash to `found` are not those that these checksums are of.
    pub fn difference(&self, found: &Checksums) -> Option<ChecksumDifference> {
        let differs = |kind| ChecksumDifference { kind, wanted: self.hex(kind), found: found.hex(kind) };
        if self.sha256.is_some() && self.sha256 != found.sha256 {
            return Some(differs(ChecksumKind::Sha256));
        }
        (self.md5.is_some() && self.md5 != found.md5).then(|| differs(ChecksumKind::Md5))
    }
}

/// Hashing that goes on while bytes pass by. Costs nothing where nothing is wanted.
#[derive(Clone, Default, Debug)]
pub struct Hashing {
    sha256: Option<Sha256>,
    md5: Option<Md5>,
}

impl Hashing {
    /// Works out the kinds that are given here.
    pub fn of_kinds(wanted: &Checksums) -> Hashing {
        Hashing { sha256: wanted.sha256.map(|_| Sha256::new()), md5: wanted.md5.map(|_| Md5::new()) }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
    }

    /// What all bytes so far hash to.
    pub fn finish(&self) -> Checksums {
        Checksums {
            sha256: self.sha256.clone().map(|hash| hash.finalize().into()),
            md5: self.md5.clone().map(|hash| hash.finalize().into()),
        }
    }
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(16 * digit(0)? + digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC_SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const ABC_MD5: &str = "900150983cd24fb0d6963f7d28e17f72";

    fn wanted(sha256: &str, md5: &str) -> Checksums {
        let mut checksums = Checksums::default();
        assert!(sha256.is_empty() || checksums.set(ChecksumKind::Sha256, sha256));
        assert!(md5.is_empty() || checksums.set(ChecksumKind::Md5, md5));
        checksums
    }

    fn found(wanted: &Checksums, bytes: &[u8]) -> Checksums {
        let mut hashing = Hashing::of_kinds(wanted);
        bytes.chunks(2).for_each(|part| hashing.update(part));
        hashing.finish()
    }

    #[test]
    fn bytes_are_held_against_every_checksum_that_is_given() {
        let both = wanted(&ABC_SHA256.to_uppercase(), ABC_MD5);
        assert_eq!(both.difference(&found(&both, b"abc")), None);
        let other = both.difference(&found(&both, b"abd")).expect("they differ");
        assert_eq!((other.kind, other.wanted.as_str()), (ChecksumKind::Sha256, ABC_SHA256));
        let only_md5 = wanted("", ABC_MD5);
        assert_eq!(only_md5.difference(&found(&only_md5, b"abc")), None);
        assert_eq!(only_md5.difference(&found(&only_md5, b"")).map(|other| other.kind), Some(ChecksumKind::Md5));
    }

    #[test]
    fn what_nobody_asks_for_is_not_worked_out() {
        assert!(found(&Checksums::default(), b"abc").is_empty());
        assert!(found(&wanted("", ABC_MD5), b"abc").sha256.is_none());
    }

    #[test]
    fn only_so_many_hexadecimal_digits_are_a_checksum() {
        for wrong in ["", "abc", &ABC_MD5[1..], &format!("{ABC_MD5}0"), &ABC_MD5.replace('9', "g"), &"é".repeat(16)] {
            assert!(!Checksums::default().set(ChecksumKind::Md5, wrong), "{wrong}");
        }
    }
}
