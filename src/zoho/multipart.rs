//! The bytes before and after the content of an upload: a form with one field, as a browser or curl would send it.
//!
//! Written here and not by the HTTP library, whose own form puts a name on the wire unescaped. The check keeps quotes,
//! line ends and slashes out of names; the escaping below is the guard behind it. Everything else of a name goes out as
//! UTF-8, which is what receivers understand best.

use std::fmt::Write as _;

const BOUNDARY_CHARS: usize = 32;
const FILE_HEAD: &str = "Content-Disposition: form-data; name=\"file\"; filename=\"";
const FILE_TYPE: &str = "\"\r\nContent-Type: application/octet-stream\r\n\r\n";

/// What the form adds to a file's own bytes, for a name of this many bytes: limits of the service count the whole body.
pub const fn overhead(name_bytes: usize) -> u64 {
    let opening = "--".len() + BOUNDARY_CHARS + "\r\n".len();
    let closing = "\r\n--".len() + BOUNDARY_CHARS + "--\r\n".len();
    (opening + FILE_HEAD.len() + name_bytes + FILE_TYPE.len() + closing) as u64
}

/// A form around content that is streamed: all that comes before it, and all that comes after.
pub(crate) struct Form {
    boundary: String,
    pub(crate) head: Vec<u8>,
    pub(crate) tail: Vec<u8>,
}

impl Form {
    /// A form whose one field is a file of this name.
    pub(crate) fn file(name: &str) -> Form {
        let boundary = boundary();
        let head = format!("--{boundary}\r\n{FILE_HEAD}{}{FILE_TYPE}", guarded(name));
        let tail = format!("\r\n--{boundary}--\r\n");
        Form { boundary, head: head.into_bytes(), tail: tail.into_bytes() }
    }

    /// A form with a link, and its title where there is one; nothing is streamed.
    pub(crate) fn link(address: &str, title: Option<&str>) -> Form {
        let boundary = boundary();
        let mut head = String::new();
        for (field, value) in [("attachmentUrl", Some(address)), ("title", title)] {
            if let Some(value) = value {
                let _ =
                    write!(head, "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
            }
        }
        let tail = format!("--{boundary}--\r\n");
        Form { boundary, head: head.into_bytes(), tail: tail.into_bytes() }
    }

    /// The request's content type.
    pub(crate) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }
}

/// 128 random bits: content that happens to hold the boundary is not to be feared.
fn boundary() -> String {
    format!("{:032x}", fastrand::u128(..))
}

fn guarded(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_announced_overhead_is_the_real_one() {
        for name in ["a", "report 2024; final 50%.pdf", "தமிழ்.pdf", &"é".repeat(250)] {
            let form = Form::file(name);
            assert_eq!(overhead(name.len()), (form.head.len() + form.tail.len()) as u64, "{name}");
        }
    }

    #[test]
    fn no_name_can_write_a_header_of_its_own() {
        let form = Form::file("a\"\r\nX-Evil: 1\r\n\r\n.pdf");
        let head = String::from_utf8(form.head).expect("UTF-8");
        assert_eq!(head.matches("\r\n").count(), 4, "{head}");
        assert!(head.contains("filename=\"a%22%0D%0AX-Evil: 1%0D%0A%0D%0A.pdf\""), "{head}");
    }

    #[test]
    fn boundaries_are_long_and_never_the_same() {
        let (one, other) = (Form::file("a"), Form::file("a"));
        assert_eq!(one.boundary.len(), BOUNDARY_CHARS);
        assert_ne!(one.boundary, other.boundary);
    }
}
