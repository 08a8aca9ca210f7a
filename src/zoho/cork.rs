//! Sends the head of a request together with the beginning of its body.
//!
//! The HTTP library hands the two over one after the other. For a small file that is a second system call, a second
//! packet, and a service that wakes up for a head without a body. So what is short is held until more comes, or until
//! an answer is waited for.

use std::fmt;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Longer pieces leave at once. Heads of ours are a few hundred bytes.
const HELD_MOST: usize = 4 * 1024;

/// Wraps what is connected, below TLS.
#[derive(Debug, Default)]
pub(crate) struct CorkConnector(());

impl<In: Transport> Connector<In> for CorkConnector {
    type Out = Corked<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Corked<In>>, Error> {
        Ok(chained.map(|inner| Corked { inner, held: Vec::new() }))
    }
}

/// A connection that holds short pieces back.
pub(crate) struct Corked<T> {
    inner: T,
    held: Vec<u8>,
}

/// Heads have the token in them, so nothing that is held is shown.
impl<T: fmt::Debug> fmt::Debug for Corked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Corked").field("inner", &self.inner).field("held_bytes", &self.held.len()).finish()
    }
}

impl<T: Transport> Corked<T> {
    /// Sends what is held, and then what is in the buffer.
    fn uncork(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let out = self.inner.buffers().output();
        let held = self.held.len();
        // What does not fit behind what is held follows by itself.
        let fitting = amount.min(out.len() - held);
        let rest = out[fitting..amount].to_vec();
        out.copy_within(..fitting, held);
        out[..held].copy_from_slice(&self.held);
        self.held.clear();
        self.inner.transmit_output(held + fitting, timeout)?;
        if rest.is_empty() {
            return Ok(());
        }
        self.inner.buffers().output()[..rest.len()].copy_from_slice(&rest);
        self.inner.transmit_output(rest.len(), timeout)
    }
}

impl<T: Transport> Transport for Corked<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.held.is_empty() && amount <= HELD_MOST {
            self.held.extend_from_slice(&self.inner.buffers().output()[..amount]);
            return Ok(());
        }
        self.uncork(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        if !self.held.is_empty() {
            self.uncork(0, timeout)?;
        }
        self.inner.await_input(timeout)
    }

    /// A connection on which something was never sent is good for no other request.
    fn is_open(&mut self) -> bool {
        self.held.is_empty() && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

#[cfg(test)]
mod tests {
    use ureq::unversioned::transport::LazyBuffers;

    use super::*;

    /// Remembers each piece that is sent.
    #[derive(Debug)]
    struct Wire {
        buffers: LazyBuffers,
        sent: Vec<Vec<u8>>,
    }

    impl Transport for Wire {
        fn buffers(&mut self) -> &mut dyn Buffers {
            &mut self.buffers
        }

        fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
            self.sent.push(self.buffers.output()[..amount].to_vec());
            Ok(())
        }

        fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
            Ok(true)
        }

        fn is_open(&mut self) -> bool {
            true
        }
    }

    fn corked(buffer: usize) -> Corked<Wire> {
        Corked { inner: Wire { buffers: LazyBuffers::new(64, buffer), sent: Vec::new() }, held: Vec::new() }
    }

    fn send(connection: &mut Corked<Wire>, piece: &[u8]) {
        connection.buffers().output()[..piece.len()].copy_from_slice(piece);
        connection.transmit_output(piece.len(), NextTimeout::default()).expect("sent");
    }

    #[test]
    fn a_head_leaves_together_with_its_body() {
        let mut connection = corked(10_000);
        send(&mut connection, b"head");
        assert!(connection.inner.sent.is_empty() && !connection.is_open());
        send(&mut connection, b"body");
        assert_eq!(connection.inner.sent, [b"headbody".to_vec()]);
        assert!(connection.is_open());
    }

    #[test]
    fn a_head_alone_leaves_when_an_answer_is_waited_for() {
        let mut connection = corked(10_000);
        send(&mut connection, b"head");
        connection.await_input(NextTimeout::default()).expect("an answer");
        assert_eq!(connection.inner.sent, [b"head".to_vec()]);
    }

    #[test]
    fn a_body_that_fills_the_buffer_loses_nothing() {
        let mut connection = corked(10_000);
        let body: Vec<u8> = (0..10_000_u32).map(|at| (at % 251) as u8).collect();
        send(&mut connection, b"head");
        send(&mut connection, &body);
        send(&mut connection, &body);
        let expected = [b"head", &body[..], &body[..]].concat();
        assert_eq!(connection.inner.sent.concat(), expected);
    }

    #[test]
    fn what_is_held_is_not_shown() {
        let mut connection = corked(10_000);
        send(&mut connection, b"Authorization: canary");
        let shown = format!("{connection:?}");
        assert!(shown.contains("held_bytes: 21") && !shown.contains("canary"), "{shown}");
    }
}
