//! Undoes a compression of an answer's body. We never ask for one, but some proxies compress all the same, and then the
//! service's words would be lost.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::answer::{Arrived, MAX_BODY};
use crate::text::strip_for_terminal;

/// The plain body. `encoding` is the header `Content-Encoding`, or empty; some forget it, so gzip is known by its first
/// bytes, too, which begin no text.
pub(crate) fn decoded(body: Vec<u8>, encoding: &str) -> Arrived {
    let encoding = encoding.trim().to_ascii_lowercase();
    let plain = match encoding.as_str() {
        "" | "identity" if body.starts_with(&[0x1f, 0x8b]) => bounded(MultiGzDecoder::new(&body[..])),
        "" | "identity" => return Arrived::Whole(body),
        "gzip" | "x-gzip" => bounded(MultiGzDecoder::new(&body[..])),
        // Both are in use under this name: with the wrapping that is meant, and without.
        "deflate" => bounded(ZlibDecoder::new(&body[..])).or_else(|| bounded(DeflateDecoder::new(&body[..]))),
        _ => None,
    };
    match plain {
        Some(plain) => Arrived::Whole(plain),
        // Some name an encoding and send plain text.
        None if serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok() => Arrived::Whole(body),
        None if encoding.is_empty() => Arrived::Compressed("gzip".to_owned()),
        None => Arrived::Compressed(strip_for_terminal(&encoding, 40)),
    }
}

/// A few bytes may stand for gigabytes.
fn bounded(reader: impl Read) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    reader.take(MAX_BODY as u64 + 1).read_to_end(&mut plain).ok()?;
    (plain.len() <= MAX_BODY).then_some(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = br#"{"code":"NO_PERMISSION"}"#;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("written");
        encoder.finish().expect("finished")
    }

    fn whole(arrived: Arrived) -> Option<Vec<u8>> {
        if let Arrived::Whole(body) = arrived { Some(body) } else { None }
    }

    #[test]
    fn what_is_compressed_in_a_usual_way_is_read() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(TEXT).expect("written");
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::default());
        bare.write_all(TEXT).expect("written");
        for (encoding, body) in [
            ("gzip", gzip(TEXT)),
            ("X-GZIP", gzip(TEXT)),
            ("", gzip(TEXT)),
            ("deflate", zlib.finish().expect("finished")),
            ("deflate", bare.finish().expect("finished")),
            ("identity", TEXT.to_vec()),
            ("gzip", TEXT.to_vec()),
            ("br", TEXT.to_vec()),
        ] {
            assert_eq!(whole(decoded(body, encoding)).as_deref(), Some(TEXT), "{encoding}");
        }
    }

    #[test]
    fn what_is_compressed_otherwise_is_named() {
        for (encoding, body) in [("br", b"\x0b\x02\x80".to_vec()), ("gzip", gzip(TEXT)[..12].to_vec())] {
            assert!(matches!(decoded(body, encoding), Arrived::Compressed(how) if how == encoding));
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = gzip(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < MAX_BODY);
        assert!(matches!(decoded(bomb, "gzip"), Arrived::Compressed(_)));
    }
}
