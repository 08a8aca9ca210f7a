//! How we connect: time limits, proxy, certificates, and what an error of the HTTP library means.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::Response;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy};

use super::answer::{self, Answer, Arrived, MAX_BODY};
use super::classify::{Exchange, TransportError};
use super::encoding;
use super::hosts::Base;
use crate::text::{is_shortage, strip_for_terminal, system_words};

/// Larger writes gain nothing; smaller ones cost processor time.
const OUTPUT_BUFFER: usize = 128 * 1024;
const INPUT_BUFFER: usize = 16 * 1024;
/// A connection that idled longer is not used for a POST: the server may be about to close it, which would leave the
/// upload in doubt.
const MAX_IDLE: Duration = Duration::from_secs(4);

/// How to connect.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Connections kept open.
    pub concurrency: usize,
    /// `--ca-file`: certificates trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Proxies from the environment, or none with `--no-proxy`.
    pub proxies: Proxies,
    /// `--bandwidth`, in bytes a second for all uploads together.
    pub bandwidth: Option<u64>,
    /// How long to wait for what.
    pub limits: TimeLimits,
}

impl Default for HttpOptions {
    fn default() -> HttpOptions {
        HttpOptions {
            concurrency: 4,
            ca_file: None,
            proxies: Proxies::default(),
            bandwidth: None,
            limits: TimeLimits::default(),
        }
    }
}

impl HttpOptions {
    /// Reads the certificates that are to be trusted, so that a file that cannot be used is told before it is needed.
    ///
    /// # Errors
    ///
    /// There is no such file, or no certificate in it.
    pub fn check_ca_file(&self) -> Result<(), HttpError> {
        self.ca_file.as_deref().map_or(Ok(()), |path| certificates(path).map(|_| ()))
    }
}

/// Time limits. There is none for a whole upload: a large file on a slow line takes as long as it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeLimits {
    /// Until connected, TLS and proxy included.
    pub connect: Duration,
    /// Without the other side taking a byte.
    pub write: Duration,
    /// From the last byte sent to the head of the answer.
    pub answer: Duration,
    /// For the body of the answer.
    pub answer_body: Duration,
}

impl Default for TimeLimits {
    fn default() -> TimeLimits {
        TimeLimits {
            connect: Duration::from_secs(10),
            write: Duration::from_secs(60),
            answer: Duration::from_secs(120),
            answer_body: Duration::from_secs(30),
        }
    }
}

/// What is wrong with how we are to connect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HttpError {
    /// The certificates of `--ca-file` cannot be used.
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A proxy variable holds no usable address.
    Proxy {
        /// The variable.
        variable: &'static str,
    },
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpError::CaFile { path, why } => {
                write!(f, "the certificates in {} cannot be used: {why}", path.display())
            }
            HttpError::Proxy { variable } => write!(
                f,
                "the environment variable {variable} is not the address of an HTTP proxy, like http://proxy.example.org:3128"
            ),
        }
    }
}

impl std::error::Error for HttpError {}

/// Which proxy to go through, as `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
///
/// Read here and not by the HTTP library, which takes them for plain http too and reads `NO_PROXY` more narrowly than
/// other programs do.
#[derive(Clone, Default, Debug)]
pub struct Proxies {
    proxy: Option<Proxy>,
    direct: Vec<String>,
}

impl Proxies {
    /// Reads the variables; `get` is the environment.
    ///
    /// # Errors
    ///
    /// A variable holds something that is no address of an HTTP proxy. The value is not shown: it may hold a password.
    pub fn from_vars(get: impl Fn(&str) -> Option<String>) -> Result<Proxies, HttpError> {
        let set = |name: &str| get(name).filter(|value| !value.trim().is_empty());
        let either = |upper: &str, lower: &str| set(upper).or_else(|| set(lower));
        let proxy = match (either("HTTPS_PROXY", "https_proxy"), either("ALL_PROXY", "all_proxy")) {
            (Some(address), _) => Some(proxy_at(&address, "HTTPS_PROXY")?),
            (None, Some(address)) => Some(proxy_at(&address, "ALL_PROXY")?),
            (None, None) => None,
        };
        let direct = either("NO_PROXY", "no_proxy").unwrap_or_default();
        let direct = direct.split(',').map(|entry| entry.trim().to_ascii_lowercase()).filter(|entry| !entry.is_empty());
        Ok(Proxies { proxy, direct: direct.collect() })
    }

    fn for_base(&self, base: &Base) -> Option<&Proxy> {
        let direct = base.is_loopback() || !base.is_https() || self.direct.iter().any(|entry| covers(entry, base));
        self.proxy.as_ref().filter(|_| !direct)
    }

    /// The proxy on the way to this host, without user name and password.
    pub fn shown_for(&self, base: &Base) -> Option<String> {
        self.for_base(base).map(|proxy| format!("{}:{}", proxy.host(), proxy.port()))
    }
}

fn proxy_at(address: &str, variable: &'static str) -> Result<Proxy, HttpError> {
    // What the library's own parser would let through and only fail on at the first connection.
    let known = !address.contains("://") || address.starts_with("http://") || address.starts_with("https://");
    let usable = |proxy: &Proxy| known && !proxy.host().is_empty();
    Proxy::new(address.trim()).ok().filter(usable).ok_or(HttpError::Proxy { variable })
}

/// As curl has it: a name covers itself and everything below, with or without a leading dot; `*` covers all.
fn covers(entry: &str, base: &Base) -> bool {
    let domain = entry.trim_start_matches('*').trim_start_matches('.');
    if domain.is_empty() {
        return entry == "*";
    }
    [base.host().to_owned(), base.authority()]
        .iter()
        .any(|host| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// A connection pool for one server.
pub(crate) fn agent(settings: &HttpOptions, base: &Base) -> Result<Agent, HttpError> {
    let limits = settings.limits;
    let roots = match &settings.ca_file {
        Some(path) => RootCerts::new_with_certs(&certificates(path)?),
        None => RootCerts::PlatformVerifier,
    };
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("attache/", env!("CARGO_PKG_VERSION")))
        .proxy(settings.proxies.for_base(base).cloned())
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .timeout_connect(Some(limits.connect))
        .timeout_per_write(Some(limits.write))
        .timeout_recv_response(Some(limits.answer))
        .timeout_recv_body(Some(limits.answer_body))
        .max_idle_connections(settings.concurrency)
        .max_idle_connections_per_host(settings.concurrency)
        .max_idle_age(MAX_IDLE)
        .output_buffer_size(OUTPUT_BUFFER)
        .input_buffer_size(INPUT_BUFFER)
        .build();
    Ok(config.new_agent())
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, HttpError> {
    let trouble = |why: String| HttpError::CaFile { path: path.to_owned(), why };
    let pem = fs::read(path).map_err(|error| trouble(system_words(&error)))?;
    // Editors on Windows put a byte order mark before the first line, which is then no line that a reader of PEM knows.
    let pem = pem.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&pem);
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(trouble("is not a file of PEM certificates".to_owned())),
        }
    }
    if certificates.is_empty() {
        return Err(trouble("holds no PEM certificate (-----BEGIN CERTIFICATE-----)".to_owned()));
    }
    Ok(certificates)
}

/// What came of a request whose body had, or had not, begun to leave.
pub(crate) fn exchange(result: Result<Response<ureq::Body>, ureq::Error>, bytes_left: bool) -> Exchange {
    match result {
        Ok(mut response) => {
            let arrived = read(&mut response);
            Exchange::Answer(Answer::of(response.status(), response.headers(), arrived))
        }
        Err(error) => Exchange::Broken { how: broken(&error), bytes_left, detail: detail(&error) },
    }
}

/// The same for a request without a body that changes something: whether it had left is told by how it ended.
pub(crate) fn exchange_of_change(result: Result<Response<ureq::Body>, ureq::Error>) -> Exchange {
    let has_left = result.as_ref().err().is_some_and(|error| !is_before_the_request(error));
    exchange(result, has_left)
}

/// Whether a request ended so before any of it can have left.
fn is_before_the_request(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound
        | ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve)
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::InvalidProxyUrl
        | ureq::Error::ConnectionFailed
        | ureq::Error::Tls(_)
        | ureq::Error::TlsRequired
        | ureq::Error::Rustls(_)
        | ureq::Error::Pem(_) => true,
        ureq::Error::Io(error) => {
            let is_connecting = matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::NetworkDown
                    | io::ErrorKind::AddrNotAvailable
                    // What a certificate fails with.
                    | io::ErrorKind::InvalidData
            );
            is_connecting || is_shortage(error)
        }
        _ => false,
    }
}

/// The same for a question whose answer, where it is a good one, is a file of any size: its content is let go, and the
/// connection with it.
pub(crate) fn exchange_without_content(result: Result<Response<ureq::Body>, ureq::Error>) -> Exchange {
    match result {
        Ok(response) if response.status().is_success() => {
            Exchange::Answer(Answer::of(response.status(), response.headers(), Arrived::Cut))
        }
        other => exchange(other, false),
    }
}

/// How long a 4xx or 5xx asks to wait, a date taken by the answer's own clock or else by ours.
pub(crate) fn asks_to_wait(response: &Response<ureq::Body>) -> Option<Duration> {
    let now = answer::date(response.headers()).unwrap_or_else(jiff::Timestamp::now);
    let after = answer::retry_after(response.headers()).filter(|_| response.status().as_u16() >= 400)?;
    Some(after.wait(now))
}

/// The whole body, so that the connection can be used again, without a compression that nobody asked for.
fn read(response: &mut Response<ureq::Body>) -> Arrived {
    // Most answers fit at once.
    let mut body = Vec::with_capacity(1024);
    let read = response.body_mut().as_reader().take(MAX_BODY as u64 + 1).read_to_end(&mut body);
    if read.is_err() || body.len() > MAX_BODY {
        return Arrived::Cut;
    }
    let encoding = response.headers().get("content-encoding").and_then(|value| value.to_str().ok());
    encoding::decoded(body, encoding.unwrap_or_default())
}

/// The whole body; `None` if it was cut off, came too slowly, is too long, or is compressed in a way that we do not read.
pub(crate) fn read_body(response: &mut Response<ureq::Body>) -> Option<Vec<u8>> {
    match read(response) {
        Arrived::Whole(body) => Some(body),
        Arrived::Cut | Arrived::Compressed(_) => None,
    }
}

/// How a request without an answer ended.
pub(crate) fn broken(error: &ureq::Error) -> TransportError {
    match error {
        ureq::Error::ConnectProxyFailed(why) if proxy_was_busy(why) => TransportError::Connection,
        ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => TransportError::Proxy,
        ureq::Error::Tls(_) | ureq::Error::TlsRequired | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => {
            TransportError::Certificate
        }
        // TLS errors come wrapped in this kind; a connection that merely breaks has others.
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => TransportError::Certificate,
        ureq::Error::Io(error) if is_shortage(error) => TransportError::Shortage,
        _ => TransportError::Connection,
    }
}

/// Whether a proxy could not make the connection this time: it answered CONNECT with 429 or 5xx, or not at all. Any other
/// refusal, such as 403 and 407, is its last word. The library gives the status only as text.
fn proxy_was_busy(why: &str) -> bool {
    let status = why.rsplit([' ', '/']).next().and_then(|status| status.parse::<u16>().ok());
    status.map_or(why.contains("did not respond"), |status| status == 429 || (500..600).contains(&status))
}

/// The same for people.
pub(crate) fn detail(error: &ureq::Error) -> String {
    let text = match error {
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            "no connection within the time limit".to_owned()
        }
        ureq::Error::Timeout(ureq::Timeout::PerWrite) => "no more bytes were taken within the time limit".to_owned(),
        ureq::Error::Timeout(_) => "no answer within the time limit".to_owned(),
        ureq::Error::HostNotFound => "the host name is not known".to_owned(),
        ureq::Error::Io(error) => system_words(error),
        error => error.to_string(),
    };
    for (sign, plain) in [
        (
            "UnknownIssuer",
            "its certificate comes from an authority that is not trusted here; if that is your own, name the file with its certificate",
        ),
        ("not valid for name", "its certificate is for another name"),
        ("expired", "its certificate has expired, or the clock of this machine is wrong"),
        ("NotValidYet", "its certificate is not valid yet, or the clock of this machine is wrong"),
        ("CaUsedAsEndEntity", "its certificate is that of an authority, which no server may use for itself"),
    ] {
        if text.contains(sign) {
            return plain.to_owned();
        }
    }
    strip_for_terminal(&text, 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(vars: &[(&str, &str)]) -> Result<Proxies, HttpError> {
        Proxies::from_vars(|name| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    fn shown(vars: &[(&str, &str)], base: &str) -> Option<String> {
        proxies(vars).expect("proxies").shown_for(&base.parse().expect("a base"))
    }

    const EU: &str = "https://www.zohoapis.eu";

    #[test]
    fn the_proxy_is_found_in_the_environment_and_shown_without_its_password() {
        let proxy = ("HTTPS_PROXY", "http://user:canary@proxy.example.org:3128");
        assert_eq!(shown(&[proxy], EU).as_deref(), Some("proxy.example.org:3128"));
        assert_eq!(shown(&[("https_proxy", "proxy.example.org:8080")], EU).as_deref(), Some("proxy.example.org:8080"));
        assert_eq!(shown(&[("ALL_PROXY", "http://other:1"), proxy], EU).as_deref(), Some("proxy.example.org:3128"));
        assert_eq!(shown(&[("HTTP_PROXY", "http://other:1")], EU), None);
        assert_eq!(shown(&[proxy], "http://127.0.0.1:80"), None);
        assert_eq!(shown(&[proxy], "https://localhost:4430"), None);
        assert!(!format!("{:?}", proxies(&[proxy])).contains("canary"));
    }

    #[test]
    fn no_proxy_covers_a_name_and_what_is_below_it() {
        let proxy = ("HTTPS_PROXY", "http://proxy:3128");
        for (entry, covered) in [
            ("www.zohoapis.eu", true),
            ("zohoapis.eu", true),
            (".zohoapis.eu", true),
            ("*.zohoapis.eu", true),
            ("a.test, ZOHOAPIS.eu", true),
            ("*", true),
            ("apis.eu", false),
            ("zohoapis.com", false),
            ("", false),
        ] {
            assert_eq!(shown(&[proxy, ("NO_PROXY", entry)], EU).is_none(), covered, "{entry}");
        }
    }

    #[test]
    fn an_unusable_proxy_is_named_by_its_variable_only() {
        for wrong in ["socks5://user:canary@host:1", "http://", "ftp://host", "http://user:canary@:x"] {
            let error = proxies(&[("HTTPS_PROXY", wrong)]).expect_err(wrong).to_string();
            assert!(error.contains("HTTPS_PROXY") && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_proxy_that_is_busy_is_no_proxy_that_refuses() {
        let broken = |why: &str| broken(&ureq::Error::ConnectProxyFailed(why.to_owned()));
        for busy in ["502/502", "503/503", "504/504", "500/500", "429/429"] {
            assert_eq!(broken(&format!("proxy server responded {busy}")), TransportError::Connection, "{busy}");
        }
        assert_eq!(broken("proxy server did not respond"), TransportError::Connection);
        for refused in ["403/403", "407/407", "400/400", "302/302"] {
            assert_eq!(broken(&format!("proxy server responded {refused}")), TransportError::Proxy, "{refused}");
        }
    }

    #[test]
    fn a_ca_file_without_certificates_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ca.pem");
        assert!(certificates(&path).is_err());
        fs::write(&path, "not a certificate").expect("written");
        let error = certificates(&path).expect_err("no certificate").to_string();
        assert!(error.contains("BEGIN CERTIFICATE"), "{error}");
        let options = HttpOptions { ca_file: Some(path), ..HttpOptions::default() };
        assert!(options.check_ca_file().is_err() && HttpOptions::default().check_ca_file().is_ok());
    }

    #[test]
    fn a_byte_order_mark_before_a_certificate_is_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ca.pem");
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec!["crm.example".to_owned()]).expect("a name");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        fs::write(&path, format!("\u{feff}{pem}")).expect("written");
        assert_eq!(certificates(&path).expect("read").len(), 1);
    }
}
