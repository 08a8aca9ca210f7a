//! What the system says of a file or a connection: in words for people, and whether it is something that passes.
//!
//! The system's own words are in the language of the machine, differ between Linux, Windows and macOS, end in a number
//! (`os error 2`), and seldom say what to do. All messages take theirs from here; `tests/tidy.rs` sees to it.

use std::io::{Error, ErrorKind};

/// Why the system refused something, as the end of a sentence: `cannot read m.csv: there is no such file or folder`.
pub(crate) fn system_words(error: &Error) -> String {
    if let Some(inner) = error.get_ref() {
        // Our own words, or those of a library, which may quote an error of the system.
        return match inner.downcast_ref::<Error>() {
            Some(inner) => system_words(inner),
            None => without_error_numbers(&inner.to_string()),
        };
    }
    match known(error) {
        Some(words) => words.to_owned(),
        None => without_error_numbers(&error.to_string()),
    }
}

/// The words for what happens to people. Anything else is rare, and then the system's words are better than none.
fn known(error: &Error) -> Option<&'static str> {
    if is_held_by_another(error) {
        return Some("another program has it open; close it there and try again");
    }
    if is_shortage(error) {
        return Some("too many files are open on this machine at once");
    }
    Some(match error.kind() {
        ErrorKind::NotFound => "there is no such file or folder",
        ErrorKind::PermissionDenied => DENIED,
        ErrorKind::AlreadyExists => "something of that name is there already",
        ErrorKind::IsADirectory => "it is a folder",
        ErrorKind::NotADirectory => "a part of the path is no folder",
        ErrorKind::DirectoryNotEmpty => "the folder is not empty",
        ErrorKind::ReadOnlyFilesystem => "nothing can be written to this disk",
        ErrorKind::StorageFull => "no room is left on the disk",
        ErrorKind::QuotaExceeded => "no room is left in your share of the disk",
        ErrorKind::FileTooLarge => "it is larger than the system allows",
        ErrorKind::ResourceBusy | ErrorKind::ExecutableFileBusy => "another program is using it",
        ErrorKind::InvalidFilename => "the system takes no such name",
        ErrorKind::CrossesDevices => "it lies on another disk",
        ErrorKind::TooManyLinks => "the system allows no more links to it",
        ErrorKind::UnexpectedEof => "it ends too early",
        ErrorKind::InvalidData => "it is not what it should be",
        ErrorKind::OutOfMemory => "the machine has not enough memory",
        ErrorKind::TimedOut => "it took too long",
        ErrorKind::BrokenPipe => "the other side has closed it",
        ErrorKind::ConnectionRefused => "nothing answers there",
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => "the connection was cut",
        ErrorKind::HostUnreachable => "no way leads to that machine",
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => "there is no network",
        ErrorKind::AddrInUse => "another program uses that address already",
        ErrorKind::AddrNotAvailable => "this machine has no such address",
        _ => return None,
    })
}

/// Windows says the same of a file that may not be written and of one that another program is about to remove.
#[cfg(windows)]
const DENIED: &str = "it is write-protected, its rights do not allow it, or another program holds it";

/// macOS keeps programs out of Documents, Desktop and Downloads until the user lets their terminal in.
#[cfg(target_os = "macos")]
const DENIED: &str = "its rights do not allow it, or the terminal may not use that folder (System Settings, Privacy & \
                      Security, Files and Folders)";

#[cfg(not(any(windows, target_os = "macos")))]
const DENIED: &str = "its rights do not allow it";

/// Whether the machine has run out of file handles, which passes by itself when fewer things happen at once.
#[cfg(unix)]
pub(crate) fn is_shortage(error: &Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS))
}

#[cfg(windows)]
pub(crate) fn is_shortage(error: &Error) -> bool {
    const TOO_MANY_OPEN_FILES: i32 = 4;
    const TOO_MANY_SOCKETS: i32 = 10024;
    matches!(error.raw_os_error(), Some(TOO_MANY_OPEN_FILES | TOO_MANY_SOCKETS))
}

#[cfg(not(any(unix, windows)))]
pub(crate) fn is_shortage(_error: &Error) -> bool {
    false
}

/// Whether another program has the file open, or a part of it locked, so that nobody else gets at it (Windows).
pub(crate) fn is_held_by_another(error: &Error) -> bool {
    const SHARING_VIOLATION: i32 = 32;
    const LOCK_VIOLATION: i32 = 33;
    cfg!(windows) && matches!(error.raw_os_error(), Some(SHARING_VIOLATION | LOCK_VIOLATION))
}

/// The text without the numbers of the system's errors, ` (os error 2)`, and without the full stop that Windows ends a
/// sentence with before one.
pub(super) fn without_error_numbers(text: &str) -> String {
    const MARK: &str = " (os error ";
    let mut parts = text.split(MARK);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(')') {
            Some((number, rest)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
                plain.truncate(plain.trim_end_matches('.').len());
                plain.push_str(rest);
            }
            _ => plain.extend([MARK, part]),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_to_people_is_said_without_numbers_and_alike_on_every_system() {
        let missing = std::fs::File::open("/no such folder/no such file").expect_err("missing");
        assert_eq!(system_words(&missing), "there is no such file or folder");
        assert_eq!(system_words(&ErrorKind::StorageFull.into()), "no room is left on the disk");
        let unknown = Error::from_raw_os_error(71);
        assert!(!system_words(&unknown).contains("os error"), "{}", system_words(&unknown));
    }

    #[test]
    fn our_own_words_inside_an_error_stay_and_what_they_quote_loses_its_number() {
        let ours = Error::other("row 3 is damaged");
        assert_eq!(system_words(&ours), "row 3 is damaged");
        let quoting = Error::new(ErrorKind::NotFound, "m.csv: No such file or directory (os error 2)");
        assert_eq!(system_words(&quoting), "m.csv: No such file or directory");
        let wrapped = Error::other(Error::from(ErrorKind::NotFound));
        assert_eq!(system_words(&wrapped), "there is no such file or folder");
    }

    #[test]
    fn numbers_of_the_system_are_left_out_of_its_words() {
        for (text, plain) in [
            ("m.csv: No such file or directory (os error 2)", "m.csv: No such file or directory"),
            ("Das System kann die Datei nicht finden. (os error 2)", "Das System kann die Datei nicht finden"),
            ("a (os error 2), b (os error 13): c", "a, b: c"),
            ("a (os error x) b", "a (os error x) b"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(without_error_numbers(text), plain);
        }
    }
}
