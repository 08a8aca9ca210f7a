//! The client of the service against the sandbox: what each fault of the server means to the client that meets it, and
//! whether the server's own store agrees.

use std::path::PathBuf;
use std::time::Duration;

use attache::internals::reply::{DoubtBecause, FailedBy, ListReply, Listed, Reply, RetryBecause, StopBecause, Verdict};
use attache::internals::sandbox::{Dialect, FaultKind, ListOrder, SandboxOptions, SandboxServer, SandboxUser, SizeAs};
use attache::internals::upload::{FileFacts, FileSource, RecordId, RowKey, SourceKind, Upload};
use attache::internals::zoho::{Client, Credentials, HttpOptions, Renewal, Secret, Target, TokenOptions};

const RECORD: u64 = 738_964_000_000_291_009;

/// A server, a client of it, and files to send.
struct ClientFixture {
    server: SandboxServer,
    client: Client,
    folder: tempfile::TempDir,
}

impl ClientFixture {
    fn new(settings: SandboxOptions, version: &str) -> ClientFixture {
        ClientFixture::with_token(settings, version, None)
    }

    /// With a token for the client that need not be the server's.
    fn with_token(settings: SandboxOptions, version: &str, token: Option<&str>) -> ClientFixture {
        let server = SandboxServer::start(settings).expect("a server on loopback");
        let target = Target::rehearsal(server.url(), version.parse().expect("a version")).expect("a target");
        let secret = |text: &str| Secret::new(text).expect("a secret");
        let renewal = Renewal::Refresh {
            client_id: secret("id"),
            client_secret: secret("secret"),
            refresh_token: secret("refresh"),
        };
        let credentials = Credentials { access: Some(secret(token.unwrap_or(server.token()))), renewal: Some(renewal) };
        let tokens = TokenOptions { least_between: Duration::ZERO, denied_waits: Vec::new(), cache_folder: None };
        let client = Client::new(target, credentials, &HttpOptions::default(), tokens).expect("a client");
        ClientFixture { server, client, folder: tempfile::tempdir().expect("a folder") }
    }

    fn with_fault(spec: &str) -> ClientFixture {
        let faults = vec![spec.parse().expect("a fault")];
        ClientFixture::new(SandboxOptions { faults, ..SandboxOptions::default() }, "v2")
    }

    fn file(&self, name: &str, bytes: usize) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, vec![b'x'; bytes]).expect("a file");
        path
    }

    fn upload(&self, name: &str, bytes: usize) -> Reply {
        let path = self.file("source", bytes);
        let facts = FileFacts::of(&std::fs::metadata(&path).expect("facts"));
        self.client
            .upload(&row(SourceKind::File, "source", name), Some(&FileSource::plain(&path, facts)), &|_| ())
            .reply
    }

    fn link(&self, url: &str) -> Reply {
        self.client.upload(&row(SourceKind::Link, url, ""), None, &|_| ()).reply
    }

    fn list(&self) -> Vec<Listed> {
        match self.client.list("Leads", record()) {
            ListReply::Listed(listed) => listed,
            ListReply::Not(reply) => panic!("no list: {reply:?}"),
        }
    }
}

fn record() -> RecordId {
    RecordId::new(RECORD).expect("a record id")
}

fn row<'a>(kind: SourceKind, source: &'a str, name: &'a str) -> Upload<'a> {
    let key = RowKey::of("Leads", &RECORD.to_string(), kind, source, name, 1);
    Upload { line: 2, module: "Leads", record: record(), kind, source, name, key }
}

/// Whether a verdict is what a kind of fault must mean. Why an answer is missing is left open: it is for the message
/// only, and in which phase the end of a connection shows is up to the system.
fn is_meant(kind: FaultKind, verdict: &Verdict) -> bool {
    let exactly = |meant: Verdict| *verdict == meant;
    match kind {
        FaultKind::TooMany => exactly(Verdict::Retry(RetryBecause::Throttled)),
        FaultKind::Early401 => exactly(Verdict::Retry(RetryBecause::TokenRenewed)),
        FaultKind::Early413 => exactly(Verdict::Failed(FailedBy::Row)),
        FaultKind::NoPermission | FaultKind::NotAuthorized => exactly(Verdict::Failed(FailedBy::Permission)),
        FaultKind::Redirect => exactly(Verdict::StopInDoubt(StopBecause::Target)),
        FaultKind::ErrorBefore | FaultKind::ErrorAfter => exactly(Verdict::InDoubt(DoubtBecause::ServerError)),
        FaultKind::CutBefore | FaultKind::CutInside | FaultKind::CutAfter | FaultKind::CutStored => {
            matches!(verdict, Verdict::InDoubt(_))
        }
        FaultKind::Truncated | FaultKind::Garbage | FaultKind::Html => matches!(verdict, Verdict::InDoubt(_)),
        FaultKind::Slow => matches!(verdict, Verdict::Uploaded(_)),
    }
}

/// How many attachments a kind of fault leaves.
fn stored_by(kind: FaultKind) -> usize {
    match kind {
        FaultKind::ErrorAfter | FaultKind::CutStored | FaultKind::Truncated | FaultKind::Garbage | FaultKind::Slow => 1,
        _ => 0,
    }
}

#[test]
fn every_fault_means_to_the_client_what_it_is() {
    for (word, kind) in FaultKind::ALL {
        let world = ClientFixture::with_fault(&format!("{word},times=1,delay=5ms"));
        let reply = world.upload("a.txt", 2000);
        assert!(is_meant(kind, &reply.verdict), "{word}: {reply:?}");
        // What is stored after its connection was cut may take the moment that the fault names.
        let stored = stored_by(kind);
        assert!((0..1000).any(|_| world.list().len() == stored), "{word}: {:?}", world.list());
    }
}

#[test]
fn an_upload_that_may_have_arrived_is_never_called_safe_to_repeat() {
    for word in ["500-after", "cut-stored", "truncated", "garbage"] {
        let world = ClientFixture::with_fault(word);
        let reply = world.upload("large.bin", 3 << 20);
        assert!(matches!(reply.verdict, Verdict::InDoubt(_)), "{word}: {reply:?}");
        assert_eq!(world.server.created().len(), 1, "{word}");
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let world = ClientFixture::with_fault("redirect");
    world.upload("a.txt", 10);
    assert_eq!(world.server.stats().redirected, 0);
}

#[test]
fn a_file_and_a_link_come_back_in_the_list_whatever_the_profile_and_version() {
    for (profile, version) in [(Dialect::DocsV2, "v2"), (Dialect::DocsV2, "v8"), (Dialect::OasV8, "v8")] {
        for (size_as, order) in [(SizeAs::Number, ListOrder::NewestFirst), (SizeAs::Text, ListOrder::OldestFirst)] {
            let settings = SandboxOptions { profile, size_as, order, page_size: 2, ..SandboxOptions::default() };
            let world = ClientFixture::new(settings, version);
            assert_eq!(world.list(), [], "an empty list");
            let name = "Größe; 100% தமிழ் 中文 🎉.txt";
            let Verdict::Uploaded(created) = world.upload(name, 1234).verdict else { panic!("{profile:?} {version}") };
            world.link("https://example.test/a?b=c");
            world.upload("third", 3);
            let listed = world.list();
            assert_eq!(listed.len(), 3, "two pages");
            let file = listed.iter().find(|listed| listed.id == created.id).expect("the file");
            assert_eq!((file.name.as_str(), file.size, &file.url), (name, Some(1234), &None));
            assert_eq!(file.created_by, created.by);
            assert!(listed.iter().any(|listed| listed.url.as_deref() == Some("https://example.test/a?b=c")));
        }
    }
}

#[test]
fn a_link_that_exists_is_already_present() {
    let world = ClientFixture::new(SandboxOptions::default(), "v2");
    assert!(matches!(world.link("https://example.test").verdict, Verdict::Uploaded(_)));
    assert_eq!(world.link("https://example.test").verdict, Verdict::AlreadyPresent);
}

#[test]
fn a_full_storage_and_a_missing_scope_stop_the_run() {
    let full = ClientFixture::new(SandboxOptions { storage: Some(5), ..SandboxOptions::default() }, "v2");
    assert_eq!(full.upload("a", 6).verdict, Verdict::Stop(StopBecause::Limit));
    let scopes = Some(vec!["ZohoCRM.modules.leads.READ".to_owned(), "ZohoCRM.modules.attachments.READ".to_owned()]);
    for profile in [Dialect::DocsV2, Dialect::OasV8] {
        let narrow =
            ClientFixture::new(SandboxOptions { scopes: scopes.clone(), profile, ..SandboxOptions::default() }, "v2");
        assert_eq!(narrow.upload("a", 6).verdict, Verdict::Stop(StopBecause::Scope));
        assert_eq!(narrow.server.stats().tokens, 0, "no new token would help");
    }
}

#[test]
fn a_refused_token_is_renewed_and_the_upload_may_be_repeated() {
    let world = ClientFixture::with_token(SandboxOptions::default(), "v2", Some("sandbox-of-yesterday"));
    assert_eq!(world.upload("a", 1).verdict, Verdict::Retry(RetryBecause::TokenRenewed));
    assert_eq!(world.server.stats().tokens, 1);
    assert!(matches!(world.upload("a", 1).verdict, Verdict::Uploaded(_)));
}

#[test]
fn what_a_colleague_attached_is_told_apart_by_its_maker() {
    let world = ClientFixture::new(SandboxOptions::default(), "v2");
    let colleague = SandboxUser { id: "700000000000101999".to_owned(), name: "Colleague".to_owned() };
    world.server.attach_as(colleague, "Leads", &RECORD.to_string(), "a.txt", b"12345").expect("stored");
    let Verdict::Uploaded(ours) = world.upload("a.txt", 5).verdict else { panic!("not uploaded") };
    let makers: Vec<bool> = world.list().iter().map(|listed| listed.created_by == ours.by).collect();
    assert_eq!(makers, [true, false]);
}
