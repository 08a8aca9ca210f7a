//! The neutral server: reads a request to its end, answers, and does nothing else.
//!
//! It runs in the process of the benchmark, so none of its work is counted for a client. It speaks plain HTTP/1.1 or
//! TLS with a certificate made on the spot, on loopback only.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How the server behaves.
#[derive(Clone, Copy, Default)]
pub struct Manner {
    /// How long an upload takes before it is answered.
    pub latency: Duration,
    /// How many uploads may be under way; one more is answered with 429.
    pub in_flight: Option<usize>,
}

/// What the server saw.
#[derive(Default)]
pub struct ServerStats {
    uploads: AtomicU64,
    refused: AtomicU64,
    requests: AtomicU64,
    in_flight: AtomicUsize,
    arrivals: Mutex<Vec<Instant>>,
}

impl ServerStats {
    /// Uploads answered with success.
    pub fn uploads(&self) -> u64 {
        self.uploads.load(Ordering::Relaxed)
    }

    /// Uploads refused because too many were under way.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Requests of any kind.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// When each upload arrived.
    pub fn arrivals(&self) -> Vec<Instant> {
        self.arrivals.lock().map(|arrivals| arrivals.clone()).unwrap_or_default()
    }
}

/// A running server; it ends with the process.
pub struct BenchServer {
    address: SocketAddr,
    tls: bool,
    /// What it saw so far.
    pub seen: Arc<ServerStats>,
}

impl BenchServer {
    /// Starts on a free loopback port.
    pub fn start(manner: Manner, tls: Option<Arc<rustls::ServerConfig>>) -> io::Result<BenchServer> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let seen = Arc::new(ServerStats::default());
        let server = BenchServer { address, tls: tls.is_some(), seen: Arc::clone(&seen) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, seen) = (tls.clone(), Arc::clone(&seen));
                std::thread::spawn(move || {
                    // A client that hangs up is the ordinary end of a connection.
                    let _ = match tls {
                        None => serve(stream, manner, &seen),
                        Some(config) => serve_tls(stream, config, manner, &seen),
                    };
                });
            }
        });
        Ok(server)
    }

    /// The address to give to a client.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The same with a name that the client has to look up.
    pub fn url_by_name(&self) -> String {
        self.url().replace("127.0.0.1", "localhost")
    }
}

fn serve_tls(
    stream: TcpStream,
    config: Arc<rustls::ServerConfig>,
    manner: Manner,
    seen: &ServerStats,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let connection = rustls::ServerConnection::new(config).map_err(io::Error::other)?;
    serve_stream(rustls::StreamOwned::new(connection, stream), manner, seen)
}

fn serve(stream: TcpStream, manner: Manner, seen: &ServerStats) -> io::Result<()> {
    stream.set_nodelay(true)?;
    serve_stream(stream, manner, seen)
}

fn serve_stream(stream: impl Read + Write, manner: Manner, seen: &ServerStats) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(256 * 1024, stream);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let is_upload = line.starts_with("POST ");
        seen.requests.fetch_add(1, Ordering::Relaxed);
        let head = read_head(&mut reader)?;
        if head.expects_continue {
            reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        drain(&mut reader, head.body_bytes)?;
        let answer = if is_upload { answer_upload(manner, seen) } else { no_content() };
        reader.get_mut().write_all(answer.as_bytes())?;
        reader.get_mut().flush()?;
    }
}

struct RequestHead {
    body_bytes: u64,
    expects_continue: bool,
}

fn read_head(reader: &mut impl BufRead) -> io::Result<RequestHead> {
    let mut head = RequestHead { body_bytes: 0, expects_continue: false };
    let mut line = String::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            return Ok(head);
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            head.body_bytes = value.trim().parse().map_err(io::Error::other)?;
        }
        head.expects_continue |= line.starts_with("expect:");
    }
}

fn drain(reader: &mut impl BufRead, mut bytes: u64) -> io::Result<()> {
    while bytes > 0 {
        let available = reader.fill_buf()?.len() as u64;
        if available == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let taken = available.min(bytes);
        reader.consume(taken as usize);
        bytes -= taken;
    }
    Ok(())
}

fn answer_upload(manner: Manner, seen: &ServerStats) -> String {
    let under_way = seen.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
    if let Ok(mut arrivals) = seen.arrivals.lock() {
        arrivals.push(Instant::now());
    }
    let answer = if manner.in_flight.is_some_and(|most| under_way > most) {
        seen.refused.fetch_add(1, Ordering::Relaxed);
        let body = r#"{"code":"TOO_MANY_REQUESTS","details":{},"message":"too many","status":"error"}"#;
        respond("429 Too Many Requests", body)
    } else {
        std::thread::sleep(manner.latency);
        let id = 738_964_000_002_000_000 + seen.uploads.fetch_add(1, Ordering::Relaxed);
        let person = r#"{"name":"Neutral","id":"738964000000291009"}"#;
        let time = "2026-01-02T03:04:05+00:00";
        respond(
            "200 OK",
            &format!(
                r#"{{"data":[{{"code":"SUCCESS","details":{{"Modified_Time":"{time}","Modified_By":{person},"Created_Time":"{time}","id":"{id}","Created_By":{person}}},"message":"attachment uploaded successfully","status":"success"}}]}}"#
            ),
        )
    };
    seen.in_flight.fetch_sub(1, Ordering::SeqCst);
    answer
}

fn respond(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn no_content() -> String {
    "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
}

/// A certificate authority made on the spot, in PEM, and a server configuration with a certificate of it for
/// `127.0.0.1` and `localhost`.
pub fn make_tls() -> io::Result<(String, Arc<rustls::ServerConfig>)> {
    let other = io::Error::other::<rcgen::Error>;
    let authority_key = rcgen::KeyPair::generate().map_err(other)?;
    let mut authority = rcgen::CertificateParams::new(Vec::new()).map_err(other)?;
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    // Without a name of its own curl takes the server's certificate for one that signed itself.
    authority.distinguished_name.push(rcgen::DnType::CommonName, "authority of the comparison");
    let authority_pem = authority.self_signed(&authority_key).map_err(other)?.pem();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().map_err(other)?;
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).map_err(other)?;
    let certificate = leaf.signed_by(&key, &issuer).map_err(other)?;
    let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private.into())
        .map_err(io::Error::other)?;
    Ok((authority_pem, Arc::new(config)))
}
