//! What can be told of a path by its text alone, before any system is asked about it.

/// Whether looking at this path could make Windows contact another machine, or a device: two separators of either kind at
/// its beginning (`\\server\share`, `//server/share`, `\/server`, `\\?\`, `\\.\`), or the kernel's own prefix `\??\`. To look
/// at such a path hands the user's credentials to a server that whoever wrote the path chose. It is judged alike on every
/// system, since one manifest is used on several.
pub fn leads_to_another_machine(path: &str) -> bool {
    let is_separator = |byte: &u8| matches!(byte, b'/' | b'\\');
    match path.trim_start().as_bytes() {
        [first, second, ..] if is_separator(first) && is_separator(second) => true,
        [first, b'?', b'?', behind, ..] => is_separator(first) && is_separator(behind),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_to_other_machines_are_told_by_their_text() {
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
            assert!(leads_to_another_machine(path), "{path}");
        }
        for path in ["/srv/share", r"\srv\share", "C:/x", r"C:\x", "scans//a.pdf", "a", "", "/", "/?a"] {
            assert!(!leads_to_another_machine(path), "{path}");
        }
    }
}
