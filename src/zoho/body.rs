//! The body of an upload as it is handed to the HTTP library: form, file, form again.
//!
//! Three promises that the library does not make by itself. It is known how many bytes were handed out, so that an error
//! can be told apart by whether anything left. A file that is shorter than announced ends in an error, not in a wait for
//! bytes that never come. And the closing boundary is given out only after the file was looked at once more: what the
//! service accepts as complete is the file that was planned.

use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::multipart::Form;
use crate::content::Fingerprint;
use crate::open_file::{FileTrouble, OpenFile};

/// One limit of bytes per second for all threads together.
#[derive(Debug)]
pub(crate) struct Bandwidth {
    bytes_per_second: u64,
    free_from: Mutex<Instant>,
}

impl Bandwidth {
    /// A limit of this many bytes a second; a limit of 0 is taken as 1.
    pub(crate) fn new(bytes_per_second: u64) -> Bandwidth {
        Bandwidth { bytes_per_second: bytes_per_second.max(1), free_from: Mutex::new(Instant::now()) }
    }

    /// How much to hand out at a time: a tenth of a second's worth, so that threads take turns and no write stalls long.
    fn portion(&self) -> usize {
        usize::try_from(self.bytes_per_second / 10).unwrap_or(usize::MAX).max(1024)
    }

    /// Waits until these bytes may go.
    fn wait_for(&self, bytes: usize) {
        let cost = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        let now = Instant::now();
        let start = {
            let mut free_from = self.free_from.lock().unwrap_or_else(PoisonError::into_inner);
            let start = (*free_from).max(now);
            *free_from = start + cost;
            start
        };
        thread::sleep(start.saturating_duration_since(now));
    }
}

/// Told of bytes as they leave.
pub(crate) type BytesObserver<'a> = &'a (dyn Fn(u64) + Sync);

/// The whole body of one request.
pub(crate) struct Body<'a> {
    form: &'a Form,
    head_at: usize,
    file: Option<OpenFile>,
    end_checked: bool,
    tail_at: usize,
    handed_out: u64,
    first_byte: Option<Instant>,
    error: Option<FileTrouble>,
    bandwidth: Option<&'a Bandwidth>,
    progress: BytesObserver<'a>,
}

impl<'a> Body<'a> {
    pub(crate) fn new(
        form: &'a Form,
        file: Option<OpenFile>,
        bandwidth: Option<&'a Bandwidth>,
        progress: BytesObserver<'a>,
    ) -> Body<'a> {
        Body {
            form,
            head_at: 0,
            end_checked: file.is_none(),
            file,
            tail_at: 0,
            handed_out: 0,
            first_byte: None,
            error: None,
            bandwidth,
            progress,
        }
    }

    /// Length of the whole, from what was planned.
    pub(crate) fn length(&self) -> u64 {
        let file = self.file.as_ref().map_or(0, OpenFile::size);
        (self.form.head.len() + self.form.tail.len()) as u64 + file
    }

    /// Bytes that the HTTP library took. None at all means that the service cannot have seen a complete request.
    pub(crate) fn handed_out(&self) -> u64 {
        self.handed_out
    }

    /// The fingerprint of the file, once all of the request was handed out: bytes of a request that was broken off made no
    /// attachment. `None` for a link.
    pub(crate) fn content(&self) -> Option<Fingerprint> {
        self.file.as_ref().filter(|_| self.handed_out == self.length())?.fingerprint()
    }

    /// Since the first byte was handed out; zero if none was.
    pub(crate) fn took(&self) -> Duration {
        self.first_byte.map_or(Duration::ZERO, |first| first.elapsed())
    }

    /// What was wrong with the file, if that is what ended the request.
    pub(crate) fn error(&self) -> Option<&FileTrouble> {
        self.error.as_ref()
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<usize, FileTrouble> {
        let mut filled = copy(&self.form.head, &mut self.head_at, out);
        if let Some(file) = &mut self.file {
            while file.left() > 0 && filled < out.len() {
                filled += file.read(&mut out[filled..])?;
            }
            if file.left() > 0 {
                return Ok(filled);
            }
        }
        if filled < out.len() {
            if let Some(file) = self.file.as_mut().filter(|_| !self.end_checked) {
                file.check_end()?;
            }
            self.end_checked = true;
            filled += copy(&self.form.tail, &mut self.tail_at, &mut out[filled..]);
        }
        Ok(filled)
    }
}

fn copy(from: &[u8], at: &mut usize, out: &mut [u8]) -> usize {
    let rest = &from[*at..];
    let count = rest.len().min(out.len());
    out[..count].copy_from_slice(&rest[..count]);
    *at += count;
    count
}

impl Read for Body<'_> {
    /// Fills `out` as far as it can: few large writes instead of a small one for the head and another for the rest.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let portion = self.bandwidth.map_or(out.len(), |bandwidth| bandwidth.portion().min(out.len()));
        let count = match self.fill(&mut out[..portion]) {
            Ok(count) => count,
            Err(error) => {
                self.error = Some(error);
                return Err(io::Error::other("the file cannot be sent to its end"));
            }
        };
        if let Some(bandwidth) = self.bandwidth {
            bandwidth.wait_for(count);
        }
        self.first_byte.get_or_insert_with(Instant::now);
        self.handed_out += count as u64;
        (self.progress)(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs::File;
    use std::io::Write;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::content::FingerprintKind;
    use crate::upload::{FileFacts, FileSource};

    const KIND: FingerprintKind = FingerprintKind::Xxh3;

    fn open(source: &FileSource) -> Result<OpenFile, FileTrouble> {
        OpenFile::open(source).map(|file| file.fingerprinting(KIND))
    }

    fn file_of(bytes: &[u8]) -> (tempfile::NamedTempFile, FileFacts) {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(bytes).expect("written");
        let facts = FileFacts::at(file.path());
        (file, facts)
    }

    fn read_in_steps(body: &mut Body<'_>, step: usize, mut between: impl FnMut(usize)) -> io::Result<Vec<u8>> {
        let (mut all, mut buffer) = (Vec::new(), vec![0; step]);
        for round in 0.. {
            match body.read(&mut buffer)? {
                0 => break,
                count => all.extend_from_slice(&buffer[..count]),
            }
            between(round);
        }
        Ok(all)
    }

    #[test]
    fn head_file_and_tail_come_in_order_whatever_the_step() {
        let content: Vec<u8> = (0..=255).cycle().take(3000).collect();
        let (file, facts) = file_of(&content);
        let form = Form::file("a.bin");
        for step in [1, 7, 128, 3000, 100_000] {
            let progress = AtomicU64::new(0);
            let count = |bytes| {
                progress.fetch_add(bytes, Ordering::Relaxed);
            };
            let open = open(&FileSource::plain(file.path(), facts)).expect("unchanged");
            let mut body = Body::new(&form, Some(open), None, &count);
            let all = read_in_steps(&mut body, step, |_| {}).expect("read");
            assert_eq!(all.len() as u64, body.length());
            assert_eq!(all, [&form.head[..], &content, &form.tail].concat());
            assert_eq!(progress.load(Ordering::Relaxed), body.handed_out());
            let (fingerprint, _) = Fingerprint::of(&content[..], KIND).expect("memory can be read");
            assert_eq!(body.content(), Some(fingerprint));
        }
    }

    #[test]
    fn a_file_that_changes_before_it_is_opened_hands_out_nothing() {
        let (mut file, facts) = file_of(b"before");
        file.write_all(b" and after").expect("written");
        assert_eq!(
            open(&FileSource::plain(file.path(), facts)).err(),
            Some(FileTrouble::Changed("has another size now"))
        );
        let other = FileFacts { identity: crate::file_id::FileId { volume: 1, index: 1 }, ..facts };
        #[cfg(unix)]
        assert_eq!(
            open(&FileSource::plain(file.path(), other)).err(),
            Some(FileTrouble::Changed("is another file now"))
        );
        #[cfg(not(unix))]
        let _ = other;
        let path = file.path().to_owned();
        drop(file);
        assert_eq!(open(&FileSource::plain(&path, facts)).err(), Some(FileTrouble::Gone));
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_place_of_the_file_is_refused_without_waiting() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
        assert!(made.success());
        let (_file, facts) = file_of(b"x");
        assert_eq!(
            open(&FileSource::plain(&path, facts)).err(),
            Some(FileTrouble::Changed("is no regular file any more"))
        );
        assert!(matches!(open(&FileSource::plain(folder.path(), facts)).err(), Some(FileTrouble::Changed(_))));
    }

    #[test]
    fn a_file_that_shrinks_grows_or_is_rewritten_on_the_way_never_gets_its_closing_boundary() {
        type Change = fn(&File);
        let changes: [(&str, Change); 3] = [
            ("shrinks", |file| file.set_len(2000).expect("cut")),
            ("grows", |file| file.set_len(9000).expect("grown")),
            ("is rewritten", |file| {
                file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("another time");
            }),
        ];
        for (what, change) in changes {
            let (file, facts) = file_of(&[7; 5000]);
            let form = Form::file("a.bin");
            let open = open(&FileSource::plain(file.path(), facts)).expect("unchanged");
            let mut body = Body::new(&form, Some(open), None, &|_| {});
            let done = Cell::new(false);
            let result = read_in_steps(&mut body, 1024, |round| {
                if round == 1 && !done.replace(true) {
                    change(file.as_file());
                }
            });
            assert!(result.is_err(), "a file that {what} was sent as if nothing had happened");
            assert!(matches!(body.error(), Some(FileTrouble::Changed(_))), "{what}");
            assert!(body.handed_out() > 0 && body.handed_out() < body.length(), "{what}");
            assert_eq!(body.content(), None, "what was broken off was not sent");
        }
    }

    #[test]
    fn a_small_file_that_changes_hands_out_nothing_at_all() {
        let (file, facts) = file_of(b"small");
        let form = Form::file("a.txt");
        let open = open(&FileSource::plain(file.path(), facts)).expect("unchanged");
        file.as_file().set_len(2).expect("cut");
        let mut body = Body::new(&form, Some(open), None, &|_| {});
        assert!(body.read(&mut [0; 4096]).is_err());
        assert_eq!(body.handed_out(), 0);
        assert_eq!(body.took(), Duration::ZERO);
    }

    #[test]
    fn the_bandwidth_limit_is_shared() {
        let bandwidth = Bandwidth::new(1_000_000);
        let started = Instant::now();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| bandwidth.wait_for(10_000));
            }
        });
        // Four portions of 10 ms each: the last may go after three of them.
        assert!(started.elapsed() >= Duration::from_millis(29));
        assert_eq!(Bandwidth::new(0).portion(), 1024);
    }
}
