//! What an earlier run left of a row that it did not settle, as its results tell it.

use std::time::Duration;

use jiff::Timestamp;

use crate::outcome::OwnCode;
use crate::reply::{DoubtBecause, Reply, Verdict};

/// What an earlier run left behind for a job that it did not settle. Jobs without one were never sent, or surely
/// created nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PriorAttempt {
    /// The service's time of the first `sending` line.
    pub sent_at: Timestamp,
    /// The bytes of the file that was sent, as its line says: the file may have changed since.
    pub size: Option<u64>,
    /// Whether it is in doubt, or was given up as `unknown` and is looked at again because the user asked.
    pub was: PriorDoubt,
    /// What becomes of the row if nothing was created.
    pub if_absent: IfAbsent,
    /// The answer that left it in doubt, where that was a refusal which need not have been the service's own: proved
    /// absent, the row fails by it. `None`: no answer came, or one of another kind.
    pub refusal: Option<PriorRefusal>,
}

/// A refusal that an earlier run heard, as its results tell it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PriorRefusal {
    /// The service's code, or one of ours.
    pub code: String,
    /// The words.
    pub message: String,
    /// HTTP status of the answer.
    pub http_status: Option<u16>,
}

/// What becomes of a row in doubt from before that is proved absent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IfAbsent {
    /// It is sent again.
    SendAgain,
    /// It is reported and not sent: the manifest no longer has the row.
    NotInManifest,
    /// It is reported and not sent: the user chose other rows. It was looked up only because something is sent to its
    /// record, where what is in doubt must be known first.
    NotSelected,
}

/// How far an earlier run got with a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PriorDoubt {
    /// Sent, answer lost, not settled.
    InDoubt,
    /// `unknown`, and `--resend unknown` asks for another look; here `--assume` decides what cannot be told.
    Unknown,
}

impl PriorRefusal {
    /// What the line of a row in doubt says behind the answer.
    pub(super) const LOOKED_UP_NEXT: &str = "; the next run looks it up first";

    /// The refusal that the line of a row in doubt tells of, if its answer was one.
    pub fn of_line(code: &str, message: &str, http_status: Option<u16>) -> Option<PriorRefusal> {
        let is_ours = OwnCode::ALL.iter().any(|own| own.as_str() == code);
        let is_refusal = match http_status? {
            // About the token or the proxy, or a request that took too long: nothing was said of the row.
            401 | 407 | 408 => false,
            400..=499 => code != OwnCode::FileChanged.as_str(),
            // A code that nobody knows in an answer that speaks of success.
            200..=299 => !is_ours && !code.is_empty() && !code.starts_with("INTERNAL_"),
            _ => false,
        };
        let message = message.strip_suffix(Self::LOOKED_UP_NEXT).unwrap_or(message);
        let message = message.strip_prefix(code).map_or(message, |words| words.strip_prefix(": ").unwrap_or(words));
        is_refusal.then(|| PriorRefusal { code: code.to_owned(), message: message.to_owned(), http_status })
    }

    /// The same refusal as an answer of this run.
    pub(super) fn reply(self) -> Reply {
        Reply {
            verdict: Verdict::InDoubt(DoubtBecause::Refused),
            code: self.code,
            message: self.message,
            http_status: self.http_status,
            took: Duration::ZERO,
            retry_after: None,
            credits_left: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_which_refusal_left_its_row_in_doubt() {
        let next = "blocked; the next run looks it up first";
        let of = |code: &str, message: &str, status| {
            PriorRefusal::of_line(code, message, status).map(|refusal| (refusal.code, refusal.message))
        };
        let told = |code: &str, message: &str| Some((code.to_owned(), message.to_owned()));
        assert_eq!(of("refused", &format!("refused: {next}"), Some(403)), told("refused", "blocked"));
        assert_eq!(of("too-large", next, Some(413)), told("too-large", "blocked"));
        assert_eq!(
            of("INTERNAL_ERROR", &format!("INTERNAL_ERROR: {next}"), Some(400)),
            told("INTERNAL_ERROR", "blocked")
        );
        assert_eq!(of("NEW_CODE", "NEW_CODE; the next run looks it up first", Some(200)), told("NEW_CODE", ""));
    }

    #[test]
    fn a_line_without_a_refusal_of_the_row_tells_of_none() {
        for (code, status) in [
            ("answer-lost", None),
            ("server-error", Some(500)),
            ("server-error", Some(408)),
            ("credentials-refused", Some(401)),
            ("proxy-refused", Some(407)),
            ("redirected", Some(302)),
            ("unreadable", Some(200)),
            ("INTERNAL_ERROR", Some(200)),
            ("", Some(204)),
            ("file-changed", Some(400)),
        ] {
            assert_eq!(PriorRefusal::of_line(code, "words", status), None, "{code} {status:?}");
        }
    }
}
