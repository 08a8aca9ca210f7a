//! What can be told of a path by its text alone, before any system is asked about it.

use std::fmt;

/// Why a path that somebody else wrote is not even looked at. It is judged alike on every system, since one manifest is
/// used on several.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathHazard {
    /// Looking at it could make Windows contact another machine, or a device: two separators of either kind at its
    /// beginning (`\\server\share`, `//server/share`, `\/server`, `\\?\`, `\\.\`), or the kernel's own prefix `\??\`. To
    /// look at such a path hands the user's credentials to a server that whoever wrote the path chose.
    AnotherMachine,
    /// A drive without a root (`C:x`, `C:`): Windows takes it from whatever folder was last used on that drive.
    DriveRelative,
}

impl PathHazard {
    /// What is wrong with a path, by its text; `None` if nothing is. Of all that Windows knows to put before a path only a
    /// drive with a root (`C:\x`) is let through.
    pub fn of(path: &str) -> Option<PathHazard> {
        let is_separator = |byte: &u8| matches!(byte, b'/' | b'\\');
        match path.trim_start().as_bytes() {
            [first, second, ..] if is_separator(first) && is_separator(second) => Some(PathHazard::AnotherMachine),
            [first, b'?', b'?', behind, ..] if is_separator(first) && is_separator(behind) => {
                Some(PathHazard::AnotherMachine)
            }
            [drive, b':', rest @ ..] if drive.is_ascii_alphabetic() && !rest.first().is_some_and(is_separator) => {
                Some(PathHazard::DriveRelative)
            }
            _ => None,
        }
    }
}

/// To follow "the path" or "it".
impl fmt::Display for PathHazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PathHazard::AnotherMachine => "begins as one to another machine does",
            PathHazard::DriveRelative => "begins with a drive and no separator behind it",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_windows_would_take_elsewhere_are_told_by_their_text() {
        for path in [
            r"\\srv\share\x",
            "//srv/share",
            r"\/srv/share",
            r"/\srv",
            r"\\?\C:\x",
            r"\\.\pipe\x",
            r"\??\C:\x",
            " //srv",
        ] {
            assert_eq!(PathHazard::of(path), Some(PathHazard::AnotherMachine), "{path}");
        }
        for path in ["C:x", "c:", "Z:..\\a.pdf", " D:scans/a.pdf"] {
            assert_eq!(PathHazard::of(path), Some(PathHazard::DriveRelative), "{path}");
        }
        for path in [
            "/srv/share",
            r"\srv\share",
            "C:/x",
            r"C:\x",
            "scans//a.pdf",
            "a",
            "",
            "/",
            "/?a",
            "ab:c",
            "1:2.pdf",
            "é:a",
        ] {
            assert_eq!(PathHazard::of(path), None, "{path}");
        }
    }
}
