//! What the bytes of a download are held against, and what came of it.

use std::fs::{self, File};
use std::path::Path;

use jiff::Timestamp;

use super::VerifyRow;
use crate::content::{Fingerprint, FingerprintKind, Fingerprinter};
use crate::text::system_words;
use crate::zoho::DownloadEnd;

/// What came of comparing the bytes of one attachment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ContentCheck {
    /// They are the bytes that were sent.
    Same {
        /// The fingerprint of both.
        there: Fingerprint,
    },
    /// They are others.
    Differs {
        /// The fingerprint of the bytes there.
        there: Fingerprint,
        /// The fingerprint of the bytes that were sent.
        sent: Fingerprint,
    },
    /// They were not compared.
    NotCompared(NotCompared),
}

/// Why bytes were not compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotCompared {
    /// The fingerprint of what was sent is not known, and the file is not there any more.
    FileGone,
    /// The fingerprint of what was sent is not known, and the file has changed since.
    FileChanged,
    /// The fingerprint of what was sent is not known, and the file cannot be read.
    FileUnreadable(String),
    /// The attachment was not found, so that there was nothing to download.
    NotThere,
    /// The download was refused, redirected or broke off; what was said.
    NoDownload(String),
    /// It came compressed, which nobody had asked for.
    Compressed(String),
    /// Another number of bytes came than the answer's head said.
    OtherLength {
        /// Bytes as the head says.
        told: u64,
        /// Bytes that came.
        received: u64,
    },
    /// The verification ended before.
    Unasked,
}

impl ContentCheck {
    /// Whether the service did not give the bytes, so that nothing is known of them.
    pub fn is_without_download(&self) -> bool {
        use NotCompared::{Compressed, NoDownload, OtherLength};
        matches!(self, ContentCheck::NotCompared(NoDownload(_) | Compressed(_) | OtherLength { .. }))
    }
}

impl NotCompared {
    /// The word in every output.
    pub fn as_str(&self) -> &'static str {
        match self {
            NotCompared::FileGone => "file-gone",
            NotCompared::FileChanged => "file-changed",
            NotCompared::FileUnreadable(_) => "file-unreadable",
            NotCompared::NotThere => "not-there",
            NotCompared::NoDownload(_) => "no-download",
            NotCompared::Compressed(_) => "compressed",
            NotCompared::OtherLength { .. } => "other-length",
            NotCompared::Unasked => "not-asked",
        }
    }

    /// The same as a sentence for people.
    pub fn sentence(&self) -> String {
        match self {
            NotCompared::FileGone => {
                "the file is not here any more, and the results do not hold its fingerprint".into()
            }
            NotCompared::FileChanged => {
                "the file here has changed since it was sent, and the results do not hold its fingerprint".into()
            }
            NotCompared::FileUnreadable(why) => format!("the file here cannot be read: {why}"),
            NotCompared::NotThere => "the attachment was not found".into(),
            NotCompared::NoDownload(why) => format!("it could not be downloaded: {why}"),
            NotCompared::Compressed(encoding) => format!("it came compressed ({encoding}), which nobody had asked for"),
            NotCompared::OtherLength { told, received } => format!("{received} bytes came where {told} were announced"),
            NotCompared::Unasked => "it was not asked for before the end".into(),
        }
    }
}

/// Takes in the bytes of a download and finds out whether they are those that were sent.
pub struct ContentComparer {
    sent: Fingerprint,
    there: Fingerprinter,
}

impl ContentComparer {
    /// Finds out what was sent: from the fingerprint in the results, or else from the file, if it surely has not changed
    /// since. `root` is the folder that the paths of the results start from.
    ///
    /// # Errors
    ///
    /// Nobody knows what was sent.
    pub fn new(row: &VerifyRow, root: &Path) -> Result<ContentComparer, NotCompared> {
        let sent = match row.content {
            Some(sent) => sent,
            None => of_the_file(row, &root.join(&row.source))?,
        };
        Ok(ContentComparer { sent, there: Fingerprinter::new(sent.kind()) })
    }

    /// Whether there is anything to hold a download against, as far as a quick look tells.
    ///
    /// # Errors
    ///
    /// Nobody knows what was sent.
    pub fn look(row: &VerifyRow, root: &Path) -> Result<(), NotCompared> {
        match row.content {
            Some(_) => Ok(()),
            None => unchanged(row, &root.join(&row.source)),
        }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.there.update(bytes);
    }

    /// What came of it, once the download has ended.
    pub fn finish(self, end: DownloadEnd) -> ContentCheck {
        match end {
            DownloadEnd::Whole(_) => {
                let there = self.there.finish();
                if there == self.sent {
                    ContentCheck::Same { there }
                } else {
                    ContentCheck::Differs { there, sent: self.sent }
                }
            }
            DownloadEnd::Gone => ContentCheck::NotCompared(NotCompared::NotThere),
            DownloadEnd::Compressed(encoding) => ContentCheck::NotCompared(NotCompared::Compressed(encoding)),
            DownloadEnd::OtherLength { told, received } => {
                ContentCheck::NotCompared(NotCompared::OtherLength { told, received })
            }
        }
    }
}

fn of_the_file(row: &VerifyRow, path: &Path) -> Result<Fingerprint, NotCompared> {
    unchanged(row, path)?;
    let file = File::open(path).map_err(unreadable)?;
    let (fingerprint, _) = Fingerprint::of(file, FingerprintKind::Sha256).map_err(unreadable)?;
    Ok(fingerprint)
}

fn unreadable(error: std::io::Error) -> NotCompared {
    match error.kind() {
        std::io::ErrorKind::NotFound => NotCompared::FileGone,
        _ => NotCompared::FileUnreadable(system_words(&error)),
    }
}

/// Whether the file is surely the one that was sent: of its size, and last changed before it was sent.
fn unchanged(row: &VerifyRow, path: &Path) -> Result<(), NotCompared> {
    let metadata = fs::metadata(path).map_err(unreadable)?;
    let modified = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    let is_older = modified.zip(row.sent_at).is_some_and(|(modified, sent)| modified <= sent);
    match metadata.is_file() && row.bytes == Some(metadata.len()) && is_older {
        true => Ok(()),
        false => Err(NotCompared::FileChanged),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::outcome::Status;
    use crate::upload::{RowKey, SourceKind};

    fn row(source: &str, bytes: u64) -> VerifyRow {
        VerifyRow {
            line: 2,
            module: "Leads".into(),
            record: "1000000000".to_owned(),
            key: RowKey::of("Leads", "1000000000", SourceKind::File, source, source, 1),
            status: Status::Uploaded,
            source: source.to_owned(),
            is_link: false,
            name: source.to_owned(),
            bytes: Some(bytes),
            content: None,
            sent_at: Some(Timestamp::now()),
            attachment: None,
            is_plain: true,
            target: "sandbox".into(),
            org: None,
        }
    }

    fn check(row: &VerifyRow, root: &Path, bytes: &[u8], end: DownloadEnd) -> ContentCheck {
        match ContentComparer::new(row, root) {
            Ok(mut comparer) => {
                comparer.update(bytes);
                comparer.finish(end)
            }
            Err(why) => ContentCheck::NotCompared(why),
        }
    }

    #[test]
    fn bytes_are_held_against_the_file_while_it_is_what_was_sent() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.pdf");
        fs::write(&path, "12345").expect("written");
        let before = SystemTime::now() - Duration::from_secs(60);
        File::options().write(true).open(&path).and_then(|file| file.set_modified(before)).expect("set");
        let root = folder.path();
        let whole = DownloadEnd::Whole(5);
        assert!(matches!(check(&row("a.pdf", 5), root, b"12345", whole.clone()), ContentCheck::Same { .. }));
        assert!(matches!(check(&row("a.pdf", 5), root, b"12346", whole.clone()), ContentCheck::Differs { .. }));
        let why = |row: &VerifyRow| match check(row, root, b"12345", whole.clone()) {
            ContentCheck::NotCompared(why) => why.as_str(),
            _ => "compared",
        };
        assert_eq!(why(&row("b.pdf", 5)), "file-gone");
        assert_eq!(why(&row("a.pdf", 6)), "file-changed");
        let sent_before =
            VerifyRow { sent_at: Timestamp::try_from(before - Duration::from_secs(9)).ok(), ..row("a.pdf", 5) };
        assert_eq!(why(&sent_before), "file-changed");
        assert_eq!(why(&row(".", 5)), "file-changed");
    }

    #[test]
    fn a_fingerprint_in_the_results_needs_no_file() {
        let (sent, _) = Fingerprint::of(&b"12345"[..], FingerprintKind::Xxh3).expect("bytes");
        let row = VerifyRow { content: Some(sent), ..row("gone.pdf", 5) };
        let root = Path::new("no/such/folder");
        assert_eq!(check(&row, root, b"12345", DownloadEnd::Whole(5)), ContentCheck::Same { there: sent });
        assert!(matches!(check(&row, root, b"1234", DownloadEnd::Whole(4)), ContentCheck::Differs { .. }));
    }

    #[test]
    fn a_download_that_is_not_whole_proves_nothing() {
        let (sent, _) = Fingerprint::of(&b"12345"[..], FingerprintKind::Xxh3).expect("bytes");
        let row = VerifyRow { content: Some(sent), ..row("a.pdf", 5) };
        for (end, word) in [
            (DownloadEnd::Gone, "not-there"),
            (DownloadEnd::Compressed("gzip".to_owned()), "compressed"),
            (DownloadEnd::OtherLength { told: 9, received: 5 }, "other-length"),
        ] {
            let ContentCheck::NotCompared(why) = check(&row, Path::new("."), b"12345", end) else { panic!("{word}") };
            assert_eq!(why.as_str(), word);
        }
    }
}
