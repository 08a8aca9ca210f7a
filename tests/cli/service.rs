//! The service to run against: a sandbox in the process of the test, and what it has stored.

use std::collections::BTreeMap;

use attache::internals::sandbox::{SandboxOptions, SandboxServer, SandboxUser, Stats};

use crate::case::{Case, Done};

/// One attachment in the sandbox's own store.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct StoredAttachment {
    pub module: String,
    pub record: String,
    pub name: String,
    pub size: u64,
    pub sha256: String,
    pub url: String,
}

/// A running sandbox.
pub struct RunningSandbox {
    server: SandboxServer,
}

impl RunningSandbox {
    /// One with these settings.
    pub fn start(settings: SandboxOptions) -> RunningSandbox {
        RunningSandbox { server: SandboxServer::start(settings).expect("a sandbox can be started on loopback") }
    }

    /// One that behaves, but for these faults.
    pub fn with_faults(faults: &[&str]) -> RunningSandbox {
        let faults = faults.iter().map(|fault| fault.parse().expect("a fault")).collect();
        RunningSandbox::start(SandboxOptions { faults, ..SandboxOptions::default() })
    }

    /// The address.
    pub fn url(&self) -> String {
        self.server.url().to_string()
    }

    /// The token that it takes.
    pub fn token(&self) -> String {
        self.server.token().to_string()
    }

    /// The arguments that make `attache run` go there, without questions and with short waits.
    pub fn arguments(&self) -> Vec<String> {
        let url = self.url();
        ["--api-domain", &url, "--yes", "--rate", "none", "--backoff", "1ms..20ms", "--settle-time", "0s"]
            .map(str::to_owned)
            .to_vec()
    }

    /// `attache run m.csv` against this service, with further arguments.
    pub fn run(&self, case: &Case, more: &[&str]) -> Done {
        case.finish(self.command(case, more).output())
    }

    /// The command of [`RunningSandbox::run`], not started.
    pub fn command(&self, case: &Case, more: &[&str]) -> std::process::Command {
        let arguments = self.arguments();
        let mut all = vec!["run", "m.csv"];
        all.extend(arguments.iter().map(String::as_str));
        all.extend(more);
        let mut command = case.command(&all);
        command.env("ZOHO_ACCESS_TOKEN", self.token());
        command
    }

    fn get(&self, path: &str) -> serde_json::Value {
        let config = ureq::Agent::config_builder().proxy(None).build();
        let agent = ureq::Agent::new_with_config(config);
        let mut answer = agent.get(format!("{}{path}", self.url())).call().expect("the sandbox answers");
        let text = answer.body_mut().read_to_string().expect("the sandbox answers in text");
        serde_json::from_str(&text).expect("the sandbox answers in JSON")
    }

    /// Every attachment ever created, in order.
    pub fn created(&self) -> Vec<StoredAttachment> {
        let answer = self.get("/_sandbox/created");
        let text = |entry: &serde_json::Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let entries = answer["attachments"].as_array().expect("a list of attachments").clone();
        assert_eq!(answer["created"].as_u64(), Some(entries.len() as u64));
        entries
            .iter()
            .map(|entry| StoredAttachment {
                module: text(entry, "module"),
                record: text(entry, "record"),
                name: text(entry, "name"),
                size: entry["size"].as_u64().unwrap_or(0),
                sha256: text(entry, "sha256"),
                url: text(entry, "url"),
            })
            .collect()
    }

    /// A colleague attaches a file by hand.
    pub fn attach(&self, module: &str, record: &str, name: &str, bytes: &[u8]) {
        let colleague = SandboxUser { id: "700000000000101002".to_owned(), name: "A colleague".to_owned() };
        self.attach_as(colleague, module, record, name, bytes);
    }

    /// Somebody attaches a file by hand.
    pub fn attach_as(&self, user: SandboxUser, module: &str, record: &str, name: &str, bytes: &[u8]) {
        self.server.attach_as(user, module, record, name, bytes).expect("the sandbox stores it");
    }

    /// A colleague takes an attachment away.
    pub fn delete(&self, module: &str, record: &str, id: &str) {
        let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().proxy(None).build());
        let address = format!("{}/crm/v2/{module}/{record}/Attachments/{id}", self.url());
        let token = format!("Zoho-oauthtoken {}", self.token());
        agent.delete(address).header("Authorization", token).call().expect("the sandbox deletes it");
    }

    /// How many attachments there are now.
    pub fn alive(&self) -> usize {
        self.server.alive().len()
    }

    /// The names of those.
    pub fn alive_names(&self) -> std::collections::BTreeSet<String> {
        self.server.alive().into_iter().map(|attachment| attachment.name).collect()
    }

    /// How many attachments were ever created.
    pub fn stored(&self) -> usize {
        self.server.created().len()
    }

    /// How many attachments each (record, name) has got.
    pub fn copies(&self) -> BTreeMap<(String, String), usize> {
        let mut copies = BTreeMap::new();
        for created in self.created() {
            *copies.entry((created.record, created.name)).or_default() += 1;
        }
        copies
    }

    /// Waits until the sandbox has counted so much.
    #[cfg(unix)]
    pub fn wait_for(&self, is_reached: impl Fn(&Stats) -> bool) {
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !is_reached(&self.stats()) {
            assert!(std::time::Instant::now() < until, "it was waited for in vain: {:?}", self.stats());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// What the sandbox counted.
    pub fn stats(&self) -> Stats {
        self.server.stats()
    }

    /// Requests about attachments so far, refused ones included.
    pub fn requests(&self) -> u64 {
        let stats = self.stats();
        stats.uploads + stats.lists + stats.downloads + stats.deletes
    }
}
