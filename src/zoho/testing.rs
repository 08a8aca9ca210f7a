//! Servers for the tests of this module: raw sockets, so that a test can answer anything and see every byte.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::http::TimeLimits;
use super::{Client, Credentials, HttpOptions, Secret, Target, TokenOptions, Where};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct TestRequest {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl TestRequest {
    pub(crate) fn first_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn read(stream: &mut impl Read) -> io::Result<TestRequest> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let mut request = TestRequest { head: String::from_utf8_lossy(&head).into_owned(), body: Vec::new() };
        let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        request.body = vec![0; length];
        stream.read_exact(&mut request.body)?;
        Ok(request)
    }
}

/// Ends its thread when dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<TestRequest>>>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Answers each request with what `answer` makes of its number (from 0) and itself; an empty answer closes the
    /// connection.
    pub(crate) fn start(answer: impl Fn(usize, &TestRequest) -> Vec<u8> + Send + Sync + 'static) -> Receiver {
        let seen = Arc::<Mutex<Vec<TestRequest>>>::default();
        let shared = Arc::new((answer, Arc::clone(&seen)));
        let mut receiver = Receiver::connections(move |mut stream| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (answer, requests) = &*shared;
                while let Ok(request) = TestRequest::read(&mut stream) {
                    let number = {
                        let mut requests = requests.lock().expect("not poisoned");
                        requests.push(request.clone());
                        requests.len() - 1
                    };
                    let answer = answer(number, &request);
                    if answer.is_empty() || stream.write_all(&answer).is_err() {
                        break;
                    }
                }
            });
        });
        receiver.requests = seen;
        receiver
    }

    /// Gives each connection to `handle`, one after the other.
    pub(crate) fn connections(handle: impl Fn(TcpStream) + Send + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let ended = Arc::new(AtomicBool::new(false));
        let is_ended = Arc::clone(&ended);
        let connections = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&connections);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if is_ended.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { break };
                count.fetch_add(1, Ordering::SeqCst);
                stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
                handle(stream);
            }
        });
        Receiver { address, ended, connections, requests: Arc::default(), thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn requests(&self) -> Vec<TestRequest> {
        self.requests.lock().expect("not poisoned").clone()
    }

    /// How many connections came so far.
    pub(crate) fn connections_made(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn target(&self) -> Target {
        Where { api_domain: Some(self.url()), ..Where::default() }.target().expect("a target")
    }

    pub(crate) fn client(&self) -> Client {
        client(self.target())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        // A connection that the test still holds open would be waited for; its thread ends with the test program.
        if self.thread.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

/// Limits that only a server that never answers would reach, even on a busy machine.
pub(crate) fn settings() -> HttpOptions {
    limited(Duration::from_secs(30))
}

/// The same, but an answer must come within this time.
pub(crate) fn limited(answer: Duration) -> HttpOptions {
    let long = Duration::from_secs(30);
    let limits = TimeLimits { connect: long, write: long, answer, answer_body: answer };
    HttpOptions { limits, ..HttpOptions::default() }
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::new(text).expect("a secret")
}

pub(crate) fn client(target: Target) -> Client {
    client_with(target, &settings())
}

pub(crate) fn client_with(target: Target, http: &HttpOptions) -> Client {
    let credentials = Credentials::token(secret("1000.access"));
    Client::new(target, credentials, http, TokenOptions::default()).expect("a client")
}

/// An answer with a JSON body.
pub(crate) fn answer(status: u16, body: &str) -> Vec<u8> {
    with_headers(status, "", body)
}

/// The same with more headers, each ended by CR LF.
pub(crate) fn with_headers(status: u16, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub(crate) const CREATED: &str = r#"{"data":[{"code":"SUCCESS","details":{"id":"738964000002118002",
"Created_Time":"2026-05-05T05:33:33+00:00","Created_By":{"name":"P","id":"738964000000291009"}},"status":"success"}]}"#;
