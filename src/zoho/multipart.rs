//! The bytes before and after the content of an upload: a form with one field, as a browser or curl would send it.
//!
//! Written here and not by the HTTP library, whose own form puts a name on the wire unescaped. The check keeps quotes,
//! line ends and slashes out of names; the escaping below is the guard behind it. Everything else of a name goes out as
//! UTF-8, which is what receivers understand best.

const BOUNDARY_CHARS: usize = 32;
const FILE_HEAD: &str = "Content-Disposition: form-data; name=\"file\"; filename=\"";
const FILE_TYPE: &str = "\"\r\nContent-Type: application/octet-stream\r\n\r\n";

/// What the form adds to a file's own bytes, for a name of this many bytes: limits of the service count the whole body.
pub const fn overhead(name_bytes: usize) -> u64 {
    let opening = "--".len() + BOUNDARY_CHARS + "\r\n".len();
    let closing = "\r\n--".len() + BOUNDARY_CHARS + "--\r\n".len();
    (opening + FILE_HEAD.len() + name_bytes + FILE_TYPE.len() + closing) as u64
}
