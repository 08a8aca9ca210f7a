//! Fetches the bytes of an attachment and hands them on as they come, so that no file has to fit into memory.
//!
//! Only bytes that are surely all of the attachment's count: an answer that is cut off, compressed, redirected, or shorter
//! or longer than it says is told as what it is.

use std::io::{self, Read as _};
use std::time::Duration;

use ureq::http::{HeaderMap, Response, header};

/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// How a body that was to be an attachment ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DownloadEnd {
    /// All bytes have come; so many.
    Whole(u64),
    /// There is no attachment of that id on the record (any more).
    Gone,
    /// The answer is compressed, which nobody asked for: its bytes are not the attachment's.
    Compressed(String),
    /// Other bytes came than the answer said.
    OtherLength {
        /// Bytes as the answer's head says.
        told: u64,
        /// Bytes that came.
        received: u64,
    },
}

/// Why a body was not read to its end.
pub(crate) enum BodyCut {
    /// The connection broke after so many bytes.
    Broken(u64, io::Error),
    /// We were told to end.
    Interrupted,
}

/// Reads a body of status 200 to its end. `take` gets the bytes.
pub(crate) fn read(
    response: &mut Response<ureq::Body>,
    is_cut: &dyn Fn() -> bool,
    take: &mut dyn FnMut(&[u8]),
) -> Result<DownloadEnd, BodyCut> {
    if let Some(encoding) = encoding(response.headers()) {
        return Ok(DownloadEnd::Compressed(encoding));
    }
    let told = length(response.headers());
    let mut reader = response.body_mut().as_reader();
    let (mut buffer, mut received) = (vec![0; CHUNK], 0);
    loop {
        if is_cut() {
            return Err(BodyCut::Interrupted);
        }
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                received += count as u64;
                take(&buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(BodyCut::Broken(received, error)),
        }
    }
    Ok(match told {
        Some(told) if told != received => DownloadEnd::OtherLength { told, received },
        _ => DownloadEnd::Whole(received),
    })
}

fn encoding(headers: &HeaderMap) -> Option<String> {
    let encoding = headers.get(header::CONTENT_ENCODING)?.to_str().unwrap_or("?").trim();
    (!encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity"))
        .then(|| crate::text::strip_for_terminal(encoding, 20))
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// How long a body of this size may take, where the time limits for answers are meant for small ones: a slow line moves
/// 50 kB a second.
pub(crate) fn time_for_body(bytes: u64, least: Duration) -> Duration {
    least + Duration::from_secs(bytes / 50_000)
}
