//! The socket below HTTP: where a connection is cut and an answer is truncated, garbled or slowed down.
//!
//! A handler holds the [`Wire`] of its connection and says what is to happen; the stream does it to the bytes. Also
//! here, because only the socket sees it: a connection without any traffic is closed after a while.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};

/// A connection without traffic for so long is closed. Longer than any answer that a client would wait for.
const IDLE: Duration = Duration::from_secs(300);
/// An answer that comes before its request has been read is lost when the connection closes on unread bytes. So a
/// little is still read while closing: a client with a small body gets to see its answer, one with a large body does
/// not, as with the servers that do this.
const LINGER: Duration = Duration::from_millis(500);
const MOST_LINGERED: usize = 64 << 10;

/// What is to become of the next answer on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bend {
    /// Its body stops halfway, and the connection is cut.
    Truncate,
    /// Bytes that are no HTTP come in its place, and the connection is cut.
    Garble,
    /// It comes byte by byte, spread over this time.
    Trickle(Duration),
}

/// The handle by which a handler commands its own connection.
#[derive(Clone, Default, Debug)]
pub(super) struct Wire(Arc<Commands>);

#[derive(Default, Debug)]
struct Commands {
    cut: AtomicBool,
    bend: Mutex<Option<Bend>>,
}

impl Wire {
    /// Nothing more is read or written: the next use of the connection fails, and it is closed.
    pub(super) fn cut(&self) {
        self.0.cut.store(true, Ordering::Release);
    }

    /// The next answer is bent.
    pub(super) fn bend(&self, bend: Bend) {
        *self.0.bend.lock().unwrap_or_else(PoisonError::into_inner) = Some(bend);
    }

    fn is_cut(&self) -> bool {
        self.0.cut.load(Ordering::Acquire)
    }

    fn take_bend(&self) -> Option<Bend> {
        self.0.bend.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Connected<IncomingStream<'_, Listening>> for Wire {
    fn connect_info(stream: IncomingStream<'_, Listening>) -> Wire {
        stream.io().wire.clone()
    }
}

/// Accepts connections and puts a [`Stream`] around each.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) tcp: TcpListener,
    /// Whether the `Date` header is taken out of every answer.
    pub(super) hide_date: bool,
}

impl Listener for Listening {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        loop {
            match self.tcp.accept().await {
                Ok((tcp, peer)) => {
                    // Without it small answers wait for the client's delayed acknowledgements. Failing is harmless.
                    let _ = tcp.set_nodelay(true);
                    return (Stream::new(tcp, self.hide_date), peer);
                }
                // Too many open files, or a client that has already gone: others may still come.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// A connection that does to its bytes what its [`Wire`] says.
#[derive(Debug)]
pub(super) struct Stream {
    tcp: TcpStream,
    wire: Wire,
    hide_date: bool,
    outgoing: Outgoing,
    idle: Pin<Box<Sleep>>,
    closing: Option<ClosingConnection>,
}

/// A connection whose answer is written, and which is still read for a moment.
#[derive(Debug)]
struct ClosingConnection {
    until: Pin<Box<Sleep>>,
    read: usize,
}

/// Bytes of a bent answer that are still to be written.
#[derive(Default, Debug)]
struct Outgoing {
    bytes: Vec<u8>,
    written: usize,
    /// The wait before the next byte, and how long each takes.
    pace: Option<(Pin<Box<Sleep>>, Duration)>,
    then_cut: bool,
}

impl Stream {
    fn new(tcp: TcpStream, hide_date: bool) -> Stream {
        Stream {
            tcp,
            wire: Wire::default(),
            hide_date,
            outgoing: Outgoing::default(),
            idle: Box::pin(tokio::time::sleep(IDLE)),
            closing: None,
        }
    }

    fn touch(&mut self) {
        self.idle.as_mut().reset(Instant::now() + IDLE);
    }

    /// Writes what is left of a bent answer.
    fn poll_outgoing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.outgoing.bytes.get(self.outgoing.written..).filter(|rest| !rest.is_empty()) {
            let now = match &mut self.outgoing.pace {
                Some((wait, step)) => {
                    ready!(wait.as_mut().poll(cx));
                    wait.as_mut().reset(Instant::now() + *step);
                    rest.get(..1).unwrap_or(rest)
                }
                None => rest,
            };
            self.outgoing.written += ready!(Pin::new(&mut self.tcp).poll_write(cx, now))?;
        }
        self.outgoing.bytes.clear();
        self.outgoing.written = 0;
        self.outgoing.pace = None;
        if self.outgoing.then_cut {
            self.wire.cut();
            return Poll::Ready(Err(cut()));
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what the client is still sending, until it has seen the end or has had its chance.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let start = || ClosingConnection { until: Box::pin(tokio::time::sleep(LINGER)), read: 0 };
        let closing = self.closing.get_or_insert_with(start);
        let mut space = [0; 8 << 10];
        while closing.read < MOST_LINGERED && closing.until.as_mut().poll(cx).is_pending() {
            let mut piece = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut piece))?;
            match piece.filled().len() {
                0 => break,
                read => closing.read += read,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes an answer, or the first piece of one, to be written in another form.
    fn take_over(&mut self, answer: &[u8], bend: Option<Bend>) {
        self.outgoing.bytes = if self.hide_date { without_date(answer) } else { answer.to_vec() };
        match bend {
            None => {}
            Some(Bend::Truncate) => {
                let length = self.outgoing.bytes.len();
                let head = find(&self.outgoing.bytes, b"\r\n\r\n").map_or(0, |end| end + 4);
                // An answer without a body would still be whole with its head; then the head itself stops.
                let kept = if head == length { length / 2 } else { head + (length - head) / 2 };
                self.outgoing.bytes.truncate(kept);
                self.outgoing.then_cut = true;
            }
            Some(Bend::Garble) => {
                self.outgoing.bytes = b"\x00\xff\xfe%!nonsense\r\n\x7f\r\n\r\n{]".to_vec();
                self.outgoing.then_cut = true;
            }
            Some(Bend::Trickle(whole)) => {
                let step = whole / u32::try_from(self.outgoing.bytes.len()).unwrap_or(u32::MAX).max(1);
                self.outgoing.pace = Some((Box::pin(tokio::time::sleep(step)), step));
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.wire.is_cut() {
            return Poll::Ready(Err(cut()));
        }
        match Pin::new(&mut self.tcp).poll_read(cx, buf) {
            Poll::Ready(done) => {
                self.touch();
                Poll::Ready(done)
            }
            Poll::Pending => {
                ready!(self.idle.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.wire.is_cut() {
            return Poll::Ready(Err(cut()));
        }
        ready!(self.poll_outgoing(cx))?;
        self.touch();
        let bend = self.wire.take_bend();
        if bend.is_none() && !(self.hide_date && buf.starts_with(b"HTTP/1.")) {
            return Pin::new(&mut self.tcp).poll_write(cx, buf);
        }
        self.take_over(buf, bend);
        match self.poll_outgoing(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // What is not written yet follows with the flush.
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(buf.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_outgoing(cx))?;
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_outgoing(cx))?;
        if self.closing.is_none() {
            ready!(Pin::new(&mut self.tcp).poll_shutdown(cx))?;
        }
        self.poll_linger(cx)
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "cut by a fault of the sandbox")
}

/// The answer without its `date` line.
fn without_date(answer: &[u8]) -> Vec<u8> {
    let Some(start) = find(answer, b"\r\ndate: ") else { return answer.to_vec() };
    let (before, rest) = answer.split_at(start);
    let after = rest.get(2..).and_then(|rest| find(rest, b"\r\n").and_then(|end| rest.get(end..))).unwrap_or_default();
    [before, after].concat()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_line_is_taken_out_and_nothing_else() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ndate: Tue, 24 Nov 2026 05:00:00 GMT\r\n\r\n{}";
        assert_eq!(without_date(answer), b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
        assert_eq!(without_date(b"HTTP/1.1 204 No Content\r\n\r\n"), b"HTTP/1.1 204 No Content\r\n\r\n");
    }
}
