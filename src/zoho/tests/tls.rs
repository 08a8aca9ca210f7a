//! Certificates of a private authority, wrong names, and a proxy in between.

use std::io::copy;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::super::testing::{CREATED, Receiver, TestRequest, answer, secret, settings};
use super::*;

/// An authority of our own, in a file.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: tempfile::NamedTempFile,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Each is called something else, as real ones are.
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("Authority {}", fastrand::u64(..)));
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(certificate.pem().as_bytes()).expect("written");
        Authority { issuer: Issuer::new(params, key), file }
    }

    /// A server that has a certificate for `name` from here.
    fn server(&self, name: &str) -> Receiver {
        self.server_with(CertificateParams::new([name.to_owned()]).expect("parameters"))
    }

    fn server_with(&self, params: CertificateParams) -> Receiver {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a usable certificate");
        let config = Arc::new(config);
        Receiver::connections(move |stream| {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            thread::spawn(move || {
                let mut stream = StreamOwned::new(connection, stream);
                while TestRequest::read(&mut stream).is_ok() && stream.write_all(&answer(200, CREATED)).is_ok() {
                    let _ = stream.flush();
                }
            });
        })
    }

    fn http(&self) -> HttpOptions {
        HttpOptions { ca_file: Some(self.file.path().to_owned()), ..settings() }
    }
}

fn send(address: &str, http: &HttpOptions) -> Reply {
    let target = Where { api_domain: Some(address.to_owned()), ..Where::default() }.target().expect("a target");
    let credentials = Credentials::token(secret("1000.access"));
    let client = Client::new(target, credentials, http, TokenOptions::default()).expect("a client");
    send_link(&client, "https://example.org/a", "")
}

fn at(receiver: &Receiver) -> String {
    format!("https://localhost:{}", receiver.address().port())
}

#[track_caller]
fn refused(reply: &Reply, wanted: &str) {
    assert_eq!(
        (&reply.verdict, reply.code.as_str()),
        (&Verdict::Stop(StopBecause::Target), "certificate"),
        "{reply:?}"
    );
    assert!(reply.message.contains(wanted), "{}", reply.message);
}

#[test]
fn a_certificate_of_the_named_authority_is_trusted() {
    let authority = Authority::new();
    let reply = send(&at(&authority.server("localhost")), &authority.http());
    assert!(matches!(reply.verdict, Verdict::Uploaded(_)), "{reply:?}");
}

#[test]
fn a_certificate_for_another_name_stops_the_run() {
    let authority = Authority::new();
    refused(&send(&at(&authority.server("other.example.org")), &authority.http()), "for another name");
}

#[test]
fn a_certificate_of_an_unknown_authority_stops_the_run() {
    let authority = Authority::new();
    let server = authority.server("localhost");
    refused(&send(&at(&server), &Authority::new().http()), "name the file with its certificate");
    // With the roots of this machine, whatever they are.
    let reply = send(&at(&server), &settings());
    assert_eq!((reply.verdict, reply.code.as_str()), (Verdict::Stop(StopBecause::Target), "certificate"));
}

#[test]
fn an_expired_certificate_stops_the_run() {
    let authority = Authority::new();
    let mut params = CertificateParams::new(["localhost".to_owned()]).expect("parameters");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    refused(&send(&at(&authority.server_with(params)), &authority.http()), "expired");
}

#[test]
fn a_server_that_speaks_no_tls_stops_the_run() {
    let receiver = Receiver::connections(|mut stream| {
        let _ = stream.write_all(&answer(400, ""));
    });
    let reply = send(&at(&receiver), &settings());
    assert_eq!(reply.verdict, Verdict::Stop(StopBecause::Target), "{reply:?}");
}

/// A proxy that connects everything to one place, and the lines it was asked with.
fn proxy(to: SocketAddr) -> (Receiver, Arc<Mutex<Vec<TestRequest>>>) {
    let asked = Arc::<Mutex<Vec<TestRequest>>>::default();
    let seen = Arc::clone(&asked);
    let receiver = Receiver::connections(move |mut inner| {
        let Ok(request) = TestRequest::read(&mut inner) else { return };
        seen.lock().expect("not poisoned").push(request);
        let outer = TcpStream::connect(to).expect("the server listens");
        inner.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").expect("written");
        let (mut from, mut back) = (inner.try_clone().expect("a handle"), outer.try_clone().expect("a handle"));
        thread::spawn(move || copy(&mut back, &mut from));
        thread::spawn(move || copy(&mut inner, &mut { outer }));
    });
    (receiver, asked)
}

fn through(proxy: &Receiver, user: &str, http: HttpOptions) -> HttpOptions {
    let address = format!("http://{user}{}", proxy.address());
    let proxies = Proxies::from_vars(|name| (name == "HTTPS_PROXY").then(|| address.clone())).expect("a proxy");
    HttpOptions { proxies, ..http }
}

#[test]
fn a_proxy_is_passed_through_with_tls_from_end_to_end() {
    let authority = Authority::new();
    let server = authority.server("crm.example.org");
    let (proxy, asked) = proxy(server.address());
    let http = through(&proxy, "user:canary@", authority.http());
    let reply = send("https://crm.example.org", &http);
    assert!(matches!(reply.verdict, Verdict::Uploaded(_)), "{reply:?}");
    let asked = asked.lock().expect("not poisoned").clone();
    assert!(asked[0].first_line().starts_with("CONNECT crm.example.org:443 "), "{asked:?}");
    assert!(asked[0].header("proxy-authorization").is_some());
    assert!(!asked[0].head.contains("1000.access"), "the token was shown to the proxy");

    // The proxy cannot pass itself off as another server.
    let reply = send("https://other.example.org", &http);
    refused(&reply, "for another name");
}

#[test]
fn a_proxy_that_refuses_stops_the_run_without_showing_its_password() {
    let closed =
        Receiver::start(|_, _| b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n".to_vec());
    let reply = send("https://crm.example.org", &through(&closed, "user:canary@", settings()));
    assert_eq!(
        (&reply.verdict, reply.code.as_str()),
        (&Verdict::Stop(StopBecause::Target), "proxy-refused"),
        "{reply:?}"
    );
    assert!(!format!("{reply:?}").contains("canary"));
}
