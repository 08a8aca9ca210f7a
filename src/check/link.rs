//! What is a link that can be attached. It is sent as written, so nothing is normalised.

use super::CheckFinding;
use super::name::is_direction_mark;
use crate::crm::limits::MAX_LINK_CHARS;
use crate::problem::{ProblemCode, Severity};

/// Everything that is wrong with an address whose outer blanks have been taken off.
pub(super) fn judge(address: &str) -> Vec<CheckFinding> {
    let mut findings = Vec::new();
    let mut found = |code, message: String, hint: &str| findings.push(CheckFinding::new(code, message, hint));
    match split_scheme(address) {
        None => found(
            ProblemCode::LinkScheme,
            "a link begins with http:// or https://".to_owned(),
            "write the address in full; a file of this machine belongs in the column file",
        ),
        Some(rest) => {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let host = match authority.rsplit_once('@') {
                Some((_, host)) => {
                    found(
                        ProblemCode::LinkUserInfo,
                        "the link carries a user name or password".to_owned(),
                        "remove everything between // and @",
                    );
                    host
                }
                None => authority,
            };
            if !is_host(host) {
                found(
                    ProblemCode::LinkHost,
                    format!("\"{}\" is not a host", crate::text::masked_excerpt(host)),
                    "copy the address from the browser again",
                );
            }
        }
    }
    if address.chars().any(char::is_whitespace) {
        found(ProblemCode::LinkBlank, "the link has a blank in it".to_owned(), "write %20 for a blank");
    }
    if address.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        found(
            ProblemCode::LinkControl,
            "the link has an invisible control character in it".to_owned(),
            "copy the address from the browser again",
        );
    }
    if let Some(mark) = address.chars().find(|c| is_direction_mark(*c)) {
        found(
            ProblemCode::LinkDirection,
            format!("the link has the invisible direction mark U+{:04X} in it", u32::from(mark)),
            "copy the address from the browser again",
        );
    }
    if has_broken_escape(address) {
        found(
            ProblemCode::LinkEscape,
            "a % in the link is not followed by two hexadecimal digits".to_owned(),
            "write %25 for a percent sign",
        );
    }
    let length = address.chars().count();
    if length > MAX_LINK_CHARS {
        found(
            ProblemCode::LinkTooLong,
            format!("the link has {length} characters; {MAX_LINK_CHARS} are allowed"),
            "use a shorter address of the same page",
        );
    }
    findings
}

/// What follows `http://` or `https://`.
/// Whether a manifest may name this address.
pub(crate) fn may_be_link(address: &str) -> bool {
    judge(address).iter().all(|finding| finding.code.severity() != Severity::Error)
}

fn split_scheme(address: &str) -> Option<&str> {
    let (scheme, rest) = address.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    // Without the slashes the scheme is right and the host is missing, which is told by an empty host.
    Some(rest.strip_prefix("//").unwrap_or_default())
}

fn is_host(host: &str) -> bool {
    if let Some(bracketed) = host.strip_prefix('[') {
        let Some((address, rest)) = bracketed.split_once(']') else { return false };
        return address.parse::<std::net::Ipv6Addr>().is_ok() && is_port(rest);
    }
    let (name, port) = match host.find(':') {
        Some(colon) => host.split_at(colon),
        None => (host, ""),
    };
    // Names in other scripts are fine; blanks and controls are reported as what they are.
    !name.is_empty()
        && name.chars().any(|c| c != '.')
        && !name.contains(['"', '<', '>', '\\', '^', '`', '{', '|', '}', '[', ']'])
        && is_port(port)
}

/// Whether this is nothing, or a colon and a port.
fn is_port(rest: &str) -> bool {
    match rest.strip_prefix(':') {
        None => rest.is_empty(),
        Some("") => true,
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok(),
    }
}

fn has_broken_escape(address: &str) -> bool {
    let bytes = address.as_bytes();
    memchr::memchr_iter(b'%', bytes).any(|at| {
        let digits = bytes.get(at + 1..at + 3).unwrap_or_default();
        digits.len() < 2 || !digits.iter().all(u8::is_ascii_hexdigit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_absolute_and_carry_no_surprises() {
        let long = format!("https://example.com/{}", "é".repeat(2_000));
        let fits = format!("https://example.com/{}", "é".repeat(1_980));
        for (address, wanted) in [
            ("https://example.com", ""),
            ("HTTP://example.com:8080/a?b=%20c#d", ""),
            ("https://müller.example/ä/文", ""),
            ("https://[::1]:8443/a", ""),
            ("https://example.com/@me", ""),
            (fits.as_str(), ""),
            ("www.example.com/a", "link-scheme"),
            ("ftp://example.com/a", "link-scheme"),
            ("javascript:alert(1)", "link-scheme"),
            ("//example.com/a", "link-scheme"),
            ("C:\\a.pdf", "link-scheme"),
            ("https:example.com", "link-host"),
            ("https:///a", "link-host"),
            ("https://:80/a", "link-host"),
            ("https://example.com:80a/", "link-host"),
            ("https://example.com:99999/", "link-host"),
            ("https://[::1/a", "link-host"),
            ("https://../a", "link-host"),
            ("https://me:pw@example.com/", "link-user-info"),
            ("https://me@example.com/", "link-user-info"),
            ("https://example.com/a b", "link-blank"),
            ("https://example.com/a\u{A0}b", "link-blank"),
            ("https://example.com/a\u{7}b", "link-control"),
            ("https://example.com/\u{202E}fdp", "link-direction"),
            ("https://example.com/50%", "link-escape"),
            ("https://example.com/%zz", "link-escape"),
            (long.as_str(), "link-too-long"),
            ("https://u@ /%", "link-user-info link-blank link-escape"),
        ] {
            let found: Vec<_> = judge(address).iter().map(|finding| finding.code.as_str()).collect();
            assert_eq!(found.join(" "), wanted, "{address}");
        }
    }
}
