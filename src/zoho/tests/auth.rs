//! Tokens that expire, are revoked, or are asked for too often, with many threads at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::super::testing::{CREATED, Receiver, TestRequest, answer, secret, settings, with_headers};
use super::*;

/// A service whose tokens live as long as it is told, and which remembers whom it gave them to.
#[derive(Default)]
struct TokenServer {
    /// When each token was made.
    tokens: Mutex<HashMap<String, Instant>>,
    life: Duration,
    asked: AtomicUsize,
    uploads: AtomicUsize,
}

impl TokenServer {
    fn answer(&self, request: &TestRequest) -> Vec<u8> {
        if request.first_line().contains("/oauth/v2/token") { self.grant(request) } else { self.upload(request) }
    }

    fn grant(&self, request: &TestRequest) -> Vec<u8> {
        let form = String::from_utf8_lossy(&request.body);
        assert_eq!(form, "grant_type=refresh_token&client_id=1000.id&client_secret=hush&refresh_token=1000.refresh");
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let token = format!("1000.token{number}");
        self.tokens.lock().expect("not poisoned").insert(token.clone(), Instant::now());
        let millis = self.life.as_millis();
        answer(
            200,
            &format!(r#"{{"access_token":"{token}","expires_in":{millis},"expires_in_sec":{}}}"#, millis / 1000),
        )
    }

    fn upload(&self, request: &TestRequest) -> Vec<u8> {
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Zoho-oauthtoken "));
        let made = token.and_then(|token| self.tokens.lock().expect("not poisoned").get(token).copied());
        if made.is_some_and(|made| made.elapsed() < self.life) {
            self.uploads.fetch_add(1, Ordering::SeqCst);
            return answer(200, CREATED);
        }
        answer(401, r#"{"code":"INVALID_TOKEN","message":"invalid oauth token"}"#)
    }

    fn expired(&self) -> usize {
        self.tokens.lock().expect("not poisoned").values().filter(|made| made.elapsed() >= self.life).count()
    }
}

fn refreshing() -> Credentials {
    let renewal = Renewal::Refresh {
        client_id: secret("1000.id"),
        client_secret: secret("hush"),
        refresh_token: secret("1000.refresh"),
    };
    Credentials { access: None, renewal: Some(renewal) }
}

/// No least time between renewals, no long waits.
fn eager() -> TokenOptions {
    TokenOptions {
        least_between: Duration::ZERO,
        denied_waits: vec![Duration::from_millis(1); 3],
        ..TokenOptions::default()
    }
}

fn client_of(receiver: &Receiver, credentials: Credentials, tokens: TokenOptions) -> Client {
    let http = HttpOptions { concurrency: 32, ..settings() };
    Client::new(receiver.target(), credentials, &http, tokens).expect("a client")
}

fn send(client: &Client) -> Reply {
    send_link(client, "https://example.org/a", "")
}

/// What 32 threads do with tokens of this life in this time: uploads, refreshes, and tokens that had expired.
fn hammer(life: Duration, time: Duration) -> (usize, usize, usize) {
    let service = Arc::new(TokenServer { life, ..TokenServer::default() });
    let behind = Arc::clone(&service);
    let receiver = Receiver::start(move |_, request| behind.answer(request));
    let client = client_of(&receiver, refreshing(), eager());
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                while started.elapsed() < time {
                    let reply = send(&client);
                    let fine =
                        matches!(reply.verdict, Verdict::Uploaded(_) | Verdict::Retry(RetryBecause::TokenRenewed));
                    assert!(fine, "{reply:?}");
                }
            });
        }
    });
    let refreshes = service.asked.load(Ordering::SeqCst);
    (service.uploads.load(Ordering::SeqCst), refreshes, service.expired())
}

#[test]
fn no_more_tokens_are_asked_for_than_expire_however_many_threads_wait() {
    let (uploads, refreshes, expired) = hammer(Duration::from_millis(200), Duration::from_millis(1500));
    assert!(uploads > 10, "only {uploads} uploads");
    // The first one replaces none.
    assert!(refreshes <= expired + 1, "{refreshes} refreshes for {expired} expired tokens");
}

#[test]
#[ignore = "takes a minute; the short form runs always"]
fn no_more_tokens_are_asked_for_than_expire_in_a_minute() {
    let (uploads, refreshes, expired) = hammer(Duration::from_millis(200), Duration::from_secs(60));
    println!("{uploads} uploads, {refreshes} refreshes, {expired} expired tokens");
    assert!(refreshes <= expired + 1, "{refreshes} refreshes for {expired} expired tokens");
}

#[test]
fn a_revoked_refresh_token_stops_everything_after_one_try() {
    let receiver = Receiver::start(|_, request| {
        if request.first_line().contains("token") {
            return answer(200, r#"{"error":"invalid_code"}"#);
        }
        answer(401, r#"{"code":"INVALID_TOKEN"}"#)
    });
    let credentials = Credentials { access: Some(secret("1000.old")), ..refreshing() };
    let client = client_of(&receiver, credentials, TokenOptions::default());
    let started = Instant::now();
    for _ in 0..3 {
        let reply = send(&client);
        assert_eq!(reply.verdict, Verdict::Stop(StopBecause::Credentials));
        assert!(reply.message.contains("revoked"), "{}", reply.message);
    }
    assert!(started.elapsed() < Duration::from_secs(10), "nothing is waited for");
    assert_eq!(receiver.requests().len(), 2, "one upload, one try to renew");
}

#[test]
fn a_new_token_that_is_refused_at_once_is_not_renewed_again() {
    let receiver = Receiver::start(|_, request| {
        if request.first_line().contains("token") {
            return answer(200, r#"{"access_token":"1000.new","expires_in":3600}"#);
        }
        answer(401, r#"{"code":"INVALID_TOKEN"}"#)
    });
    let client = client_of(&receiver, refreshing(), TokenOptions::default());
    let reply = send(&client);
    assert_eq!(reply.verdict, Verdict::Stop(StopBecause::Credentials), "{reply:?}");
    assert!(reply.message.contains("its age is not the reason"), "{}", reply.message);
    assert_eq!(receiver.requests().len(), 2);
}

#[test]
fn a_token_that_worked_and_is_refused_is_renewed_however_young_it_is() {
    let service = Arc::new(TokenServer { life: Duration::from_secs(3600), ..TokenServer::default() });
    let behind = Arc::clone(&service);
    let receiver = Receiver::start(move |_, request| behind.answer(request));
    let least_between = Duration::from_millis(300);
    let client = client_of(&receiver, refreshing(), TokenOptions { least_between, ..eager() });
    assert!(matches!(send(&client).verdict, Verdict::Uploaded(_)));
    let first = Instant::now();
    // Somebody revokes it.
    service.tokens.lock().expect("not poisoned").clear();
    assert_eq!(send(&client).verdict, Verdict::Retry(RetryBecause::TokenRenewed));
    assert!(first.elapsed() + Duration::from_millis(50) >= least_between, "not before the least time between two");
    assert!(matches!(send(&client).verdict, Verdict::Uploaded(_)));
    assert_eq!(service.asked.load(Ordering::SeqCst), 2);
}

#[test]
fn a_401_without_a_code_of_the_service_leaves_the_upload_in_doubt_and_renews_the_token() {
    let receiver = Receiver::start(|number, request| match number {
        _ if request.first_line().contains("/oauth/") => answer(200, r#"{"access_token":"1000.new"}"#),
        0 | 1 => answer(401, "<html>Who are you?</html>"),
        _ => answer(200, CREATED),
    });
    let client = client_of(&receiver, refreshing(), eager());
    let reply = send(&client);
    assert_eq!(reply.verdict, Verdict::InDoubt(DoubtBecause::TokenRefused), "{reply:?}");
    assert!(matches!(send(&client).verdict, Verdict::Uploaded(_)));
    let alone = Receiver::start(|_, _| answer(401, ""));
    assert_eq!(send(&alone.client()).verdict, Verdict::StopInDoubt(StopBecause::Credentials));
}

#[test]
fn an_accounts_address_that_gives_a_web_page_is_named_with_its_title() {
    for status in [200, 404] {
        let receiver =
            Receiver::start(move |_, _| answer(status, "<!DOCTYPE html><html><title>Sign in</title></html>"));
        let reply = send(&client_of(&receiver, refreshing(), eager()));
        assert_eq!((reply.verdict, reply.code.as_str()), (Verdict::Stop(StopBecause::Target), "login-page"));
        assert!(reply.message.contains("titled \u{201c}Sign in\u{201d}"), "{}", reply.message);
        assert_eq!(receiver.requests().len(), 1);
    }
}

#[test]
fn a_wait_that_the_accounts_server_names_is_passed_on() {
    let receiver = Receiver::start(|_, _| with_headers(503, "Retry-After: 7.5\r\n", ""));
    let reply = send(&client_of(&receiver, refreshing(), eager()));
    assert_eq!(reply.retry_after, Some(Duration::from_secs(8)));
}

#[test]
fn three_new_tokens_without_a_success_are_enough() {
    let service = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&service);
    let receiver = Receiver::start(move |number, request| {
        if request.first_line().contains("token") {
            asked.fetch_add(1, Ordering::SeqCst);
            return answer(200, &format!(r#"{{"access_token":"1000.new{number}"}}"#));
        }
        answer(401, r#"{"code":"INVALID_TOKEN"}"#)
    });
    let client = client_of(&receiver, refreshing(), eager());
    let ended = (0..10).find(|_| matches!(send(&client).verdict, Verdict::Stop(StopBecause::Credentials)));
    assert!(ended.is_some());
    assert_eq!(service.load(Ordering::SeqCst), 3);
}

#[test]
fn too_many_tokens_are_waited_out_and_then_stop_the_run() {
    for denial in [
        answer(200, r#"{"error":"Access Denied","error_description":"You have made too many requests continuously."}"#),
        answer(400, r#"{"error":"access_denied"}"#),
        answer(200, "Access Denied"),
        answer(429, ""),
    ] {
        let receiver = Receiver::start(move |_, _| denial.clone());
        let reply = send(&client_of(&receiver, refreshing(), eager()));
        assert_eq!((reply.verdict, reply.code.as_str()), (Verdict::Stop(StopBecause::Credentials), "too-many-tokens"));
        assert_eq!(receiver.requests().len(), 4, "one try, and one after each wait");
    }
    let relenting = Receiver::start(|number, request| match number {
        0 | 1 => answer(200, r#"{"error":"Access Denied"}"#),
        _ if request.first_line().contains("token") => answer(200, r#"{"access_token":"1000.new"}"#),
        _ => answer(200, CREATED),
    });
    let reply = send(&client_of(&relenting, refreshing(), eager()));
    assert!(matches!(reply.verdict, Verdict::Uploaded(_)), "{reply:?}");
}

#[test]
fn a_wrong_client_is_told_about_the_data_centre() {
    let receiver = Receiver::start(|_, _| answer(200, r#"{"error":"invalid_client"}"#));
    let reply = send(&client_of(&receiver, refreshing(), eager()));
    assert_eq!(reply.verdict, Verdict::Stop(StopBecause::Credentials));
    assert!(reply.message.contains("that place must be named"), "{}", reply.message);
}

#[test]
fn an_accounts_server_that_is_down_is_asked_again_later() {
    for (status, body) in [(500, ""), (503, "<html>"), (200, ""), (200, "{}")] {
        let receiver = Receiver::start(move |_, _| answer(status, body));
        let reply = send(&client_of(&receiver, refreshing(), eager()));
        assert_eq!(reply.verdict, Verdict::Retry(RetryBecause::Passing), "{status} {body}");
    }
}

#[test]
fn another_process_takes_the_token_over() {
    let service = Arc::new(TokenServer { life: Duration::from_secs(3600), ..TokenServer::default() });
    let behind = Arc::clone(&service);
    let receiver = Receiver::start(move |_, request| behind.answer(request));
    let folder = tempfile::tempdir().expect("a folder");
    let shared = || TokenOptions { cache_folder: Some(folder.path().join("tokens")), ..eager() };
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let client = client_of(&receiver, refreshing(), shared());
                assert!(matches!(send(&client).verdict, Verdict::Uploaded(_)));
            });
        }
    });
    assert_eq!(service.asked.load(Ordering::SeqCst), 1);
    // Once the token is refused, one of them renews it and the other takes that over.
    let [one, other] = [(); 2].map(|()| client_of(&receiver, refreshing(), shared()));
    for client in [&one, &other] {
        assert!(matches!(send(client).verdict, Verdict::Uploaded(_)));
    }
    service.tokens.lock().expect("not poisoned").clear();
    for client in [&one, &other] {
        assert_eq!(send(client).verdict, Verdict::Retry(RetryBecause::TokenRenewed));
        assert!(matches!(send(client).verdict, Verdict::Uploaded(_)));
    }
    assert_eq!(service.asked.load(Ordering::SeqCst), 2);
    for file in std::fs::read_dir(folder.path().join("tokens")).expect("a folder") {
        let file = file.expect("an entry");
        assert!(!file.file_name().to_string_lossy().contains("1000"), "{file:?}");
        assert!(crate::atomic_file::is_private(&file.metadata().expect("metadata")), "{file:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_shared_token_that_others_can_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let service = Arc::new(TokenServer { life: Duration::from_secs(3600), ..TokenServer::default() });
    let behind = Arc::clone(&service);
    let receiver = Receiver::start(move |_, request| behind.answer(request));
    let folder = tempfile::tempdir().expect("a folder");
    let shared = || TokenOptions { cache_folder: Some(folder.path().to_owned()), ..eager() };
    send(&client_of(&receiver, refreshing(), shared()));
    let is_token = |path: &std::path::Path| path.extension().is_some_and(|extension| extension == "json");
    let files = std::fs::read_dir(folder.path()).expect("a folder").map(|file| file.expect("an entry").path());
    let tokens: Vec<_> = files.filter(|path| is_token(path)).collect();
    assert_eq!(tokens.len(), 1);
    std::fs::set_permissions(&tokens[0], std::fs::Permissions::from_mode(0o644)).expect("permissions");
    send(&client_of(&receiver, refreshing(), shared()));
    assert_eq!(service.asked.load(Ordering::SeqCst), 2);
}

#[cfg(unix)]
#[test]
fn a_token_can_come_from_a_command() {
    let receiver = Receiver::start(|_, request| match request.header("authorization") {
        Some("Zoho-oauthtoken 1000.printed") => answer(200, CREATED),
        _ => answer(401, ""),
    });
    let command = |script: &str| {
        let content = ["sh", "-c", script].map(str::to_owned).to_vec();
        Credentials { access: None, renewal: Some(Renewal::Command(content)) }
    };
    let reply = send(&client_of(&receiver, command("echo 1000.printed; echo more"), eager()));
    assert!(matches!(reply.verdict, Verdict::Uploaded(_)), "{reply:?}");
    for (script, wanted) in [("exit 3", "failed"), ("echo", "printed no token")] {
        let reply = send(&client_of(&receiver, command(script), eager()));
        assert_eq!(reply.verdict, Verdict::Stop(StopBecause::Credentials));
        assert!(reply.message.contains(wanted), "{}", reply.message);
    }
}

#[test]
fn a_token_of_a_rehearsal_never_leaves_for_a_real_host() {
    let target = Where { dc: Some(DataCentre::Eu), ..Where::default() }.target().expect("a target");
    let credentials = Credentials::token(secret("sandbox-123"));
    let refused = Client::new(target, credentials, &settings(), TokenOptions::default()).err();
    assert_eq!(refused, Some(ClientError::RehearsalToken));
}

#[test]
fn a_second_ctrl_c_ends_all_waiting() {
    let receiver = Receiver::start(|_, _| answer(200, r#"{"error":"Access Denied"}"#));
    let patient = TokenOptions { denied_waits: vec![Duration::from_secs(600)], ..eager() };
    let client = client_of(&receiver, refreshing(), patient);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| send(&client));
        while receiver.requests().is_empty() {
            thread::yield_now();
        }
        client.cut();
        let reply = waiting.join().expect("no panic");
        assert_eq!(reply.code, "interrupted");
    });
}

/// Keeps all that is logged, at every level that the program ever switches on.
struct CapturedLog(Mutex<String>);

static LOG: CapturedLog = CapturedLog(Mutex::new(String::new()));

impl log::Log for CapturedLog {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        use std::fmt::Write as _;
        let _ = writeln!(self.0.lock().expect("not poisoned"), "{} {}", record.target(), record.args());
    }

    fn flush(&self) {}
}

#[test]
fn nothing_shows_a_secret() {
    log::set_logger(&LOG).expect("the only logger");
    log::set_max_level(log::LevelFilter::Debug);
    let canaries = ["hush", "1000.refresh", "1000.id", "1000.canary", "1000.fresh"];
    let receiver = Receiver::start(|number, request| match number {
        _ if request.first_line().contains("token") => answer(200, r#"{"access_token":"1000.fresh"}"#),
        0 => answer(401, r#"{"code":"INVALID_TOKEN"}"#),
        2 => answer(500, ""),
        _ => answer(302, ""),
    });
    let credentials = Credentials { access: Some(secret("1000.canary")), ..refreshing() };
    let mut shown = format!("{credentials:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let tokens = TokenOptions { cache_folder: Some(folder.path().join("no\0folder")), ..eager() };
    let client = client_of(&receiver, credentials, tokens);
    for _ in 0..3 {
        shown += &format!("{:?}", send(&client));
        shown += &format!("{:?}", list(&client));
    }
    shown += &LOG.0.lock().expect("not poisoned");
    assert!(shown.contains("HEADERS ARE REDACTED"), "no request was logged: {shown}");
    for canary in canaries {
        assert!(!shown.contains(canary), "{canary} is shown in {shown}");
    }
}
