//! What was attached: ids, names, and what a list shows when. The bytes are elsewhere.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::options::{ListOrder, Rename, SandboxOptions, SandboxUser};
use super::route::Parent;
use super::vault::{ContentWriter, Vault, VaultEvent};

/// One attachment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Attachment {
    /// The id, digits.
    pub id: String,
    /// The module of its record.
    pub module: String,
    /// Its record.
    pub record: String,
    /// The name as stored; of a link its title.
    pub name: String,
    /// The size in bytes; of a link 0.
    pub size: u64,
    /// The SHA-256 of the content in hex; of a link `None`.
    pub sha256: Option<String>,
    /// The address of a link; of a file `None`.
    pub url: Option<String>,
    /// When it was created, in seconds of the server's clock since 1970.
    pub created: i64,
    /// Who created it.
    #[serde(skip)]
    pub user: Arc<SandboxUser>,
}

/// What an upload brings, once all of it has arrived.
#[derive(Debug)]
pub(super) enum Incoming {
    File { name: String, content: ContentWriter },
    Link { url: String, title: Option<String> },
}

/// Why something that arrived was not stored.
#[derive(Debug)]
pub(super) enum NotStored {
    LinkExists,
    Full,
    Disk(io::Error),
}

/// All attachments.
#[derive(Debug)]
pub(super) struct AttachmentStore {
    entries: Vec<StoredEntry>,
    by_record: HashMap<Parent, Vec<usize>>,
    vault: Arc<Vault>,
    rename: Rename,
    order: ListOrder,
    lag: Duration,
    /// How many more bytes may be stored.
    room: u64,
    user: Arc<SandboxUser>,
}

#[derive(Debug)]
struct StoredEntry {
    attachment: Attachment,
    visible_from: Instant,
    /// When it was deleted, in seconds of the server's clock since 1970, 0 where an earlier server did it; `None`: it was not.
    deleted: Option<i64>,
}

/// The first id of a store; each further one is one more.
const FIRST_ID: u64 = 700_000_000_002_000_001;

impl AttachmentStore {
    /// An empty store, or the one that an earlier server left in the folder to keep bytes in.
    pub(super) fn open(options: &SandboxOptions) -> io::Result<AttachmentStore> {
        let (vault, past) = Vault::open(&options.keep)?;
        let user = Arc::new(options.user.clone());
        let mut store = AttachmentStore {
            entries: Vec::new(),
            by_record: HashMap::new(),
            vault: Arc::new(vault),
            rename: options.rename,
            order: options.order,
            lag: Duration::ZERO,
            room: options.storage.unwrap_or(u64::MAX),
            user: Arc::clone(&user),
        };
        for event in past {
            match event {
                VaultEvent::Created(attachment) => store.put(Attachment { user: Arc::clone(&user), ..attachment }),
                VaultEvent::Deleted { id } => store.mark_deleted(&id, 0),
            }
        }
        store.lag = options.lag;
        Ok(store)
    }

    pub(super) fn vault(&self) -> Arc<Vault> {
        Arc::clone(&self.vault)
    }

    /// Stores what arrived, at once and completely, or not at all.
    pub(super) fn add(&mut self, parent: &Parent, arrived: Incoming, now: i64) -> Result<Attachment, NotStored> {
        let user = Arc::clone(&self.user);
        self.add_as(parent, arrived, now, user)
    }

    /// Stores what somebody else attached.
    pub(super) fn add_as(
        &mut self,
        parent: &Parent,
        arrived: Incoming,
        created: i64,
        user: Arc<SandboxUser>,
    ) -> Result<Attachment, NotStored> {
        let id = self.next_id();
        let (module, record) = (parent.module.clone(), parent.record.clone());
        let attachment = match arrived {
            Incoming::Link { url, .. } if self.of(parent).any(|known| known.url.as_deref() == Some(&*url)) => {
                return Err(NotStored::LinkExists);
            }
            Incoming::Link { url, title } => {
                // The service takes the title of the page that the link leads to; a sandbox asks nobody.
                let name = title.unwrap_or_else(|| url.clone());
                Attachment { id, module, record, name, size: 0, sha256: None, url: Some(url), created, user }
            }
            Incoming::File { content, .. } if content.size() > self.room => return Err(NotStored::Full),
            Incoming::File { name, content } => {
                let name = self.name_for(parent, name);
                let (size, sha256) = content.keep_as(&self.vault, &id).map_err(NotStored::Disk)?;
                Attachment { id, module, record, name, size, sha256: Some(sha256), url: None, created, user }
            }
        };
        self.vault.note(&VaultEvent::Created(attachment.clone())).map_err(NotStored::Disk)?;
        self.put(attachment.clone());
        Ok(attachment)
    }

    /// What a list of a record shows at this moment.
    pub(super) fn list(&self, parent: &Parent, at: Instant) -> Vec<&Attachment> {
        let places = self.by_record.get(parent).map_or(&[][..], Vec::as_slice);
        let entries = places.iter().filter_map(|place| self.entries.get(*place));
        let shown = entries.filter(|e| e.deleted.is_none() && e.visible_from <= at).map(|e| &e.attachment);
        match self.order {
            ListOrder::NewestFirst => shown.rev().collect(),
            ListOrder::OldestFirst => shown.collect(),
        }
    }

    /// A page of all attachments that are shown, and whether more follow. `until`: what lists did not show by then is
    /// left out, too.
    pub(super) fn all(
        &self,
        until: Option<Instant>,
        newest_first: bool,
        offset: usize,
        most: usize,
        is_shown: impl Fn(&Attachment) -> bool,
    ) -> (Vec<&Attachment>, bool) {
        let is_there =
            |entry: &&StoredEntry| entry.deleted.is_none() && until.is_some_and(|until| entry.visible_from <= until);
        let mut entries: Box<dyn Iterator<Item = &StoredEntry>> = match newest_first {
            true => Box::new(self.entries.iter().rev()),
            false => Box::new(self.entries.iter()),
        };
        let shown = entries.by_ref().filter(is_there).map(|entry| &entry.attachment).filter(|one| is_shown(one));
        let mut page: Vec<&Attachment> = shown.skip(offset).take(most + 1).collect();
        let has_more = page.len() > most;
        page.truncate(most);
        (page, has_more)
    }

    pub(super) fn find(&self, parent: &Parent, id: &str) -> Option<&Attachment> {
        self.of(parent).find(|attachment| attachment.id == id)
    }

    /// Deletes an attachment; false when the record has none of that id.
    pub(super) fn delete(&mut self, parent: &Parent, id: &str, now: i64) -> io::Result<bool> {
        if self.find(parent, id).is_none() {
            return Ok(false);
        }
        self.vault.note(&VaultEvent::Deleted { id: id.to_owned() })?;
        self.mark_deleted(id, now);
        Ok(true)
    }

    /// Every attachment that was not deleted.
    pub(super) fn alive(&self) -> impl Iterator<Item = &Attachment> {
        self.entries.iter().filter(|entry| entry.deleted.is_none()).map(|entry| &entry.attachment)
    }

    /// What was deleted, and when.
    pub(super) fn deleted(&self) -> impl Iterator<Item = (&Attachment, i64)> {
        self.entries.iter().filter_map(|entry| Some((&entry.attachment, entry.deleted?)))
    }

    /// Every attachment ever created, deleted ones too.
    pub(super) fn created(&self) -> impl Iterator<Item = &Attachment> {
        self.entries.iter().map(|entry| &entry.attachment)
    }

    /// What a record has now, visible in lists or not yet.
    fn of(&self, parent: &Parent) -> impl Iterator<Item = &Attachment> {
        let places = self.by_record.get(parent).map_or(&[][..], Vec::as_slice);
        let entries = places.iter().filter_map(|place| self.entries.get(*place));
        entries.filter(|entry| entry.deleted.is_none()).map(|entry| &entry.attachment)
    }

    fn put(&mut self, attachment: Attachment) {
        let parent = Parent { module: attachment.module.clone(), record: attachment.record.clone() };
        self.by_record.entry(parent).or_default().push(self.entries.len());
        self.room = self.room.saturating_sub(attachment.size);
        self.entries.push(StoredEntry { attachment, visible_from: Instant::now() + self.lag, deleted: None });
    }

    fn mark_deleted(&mut self, id: &str, now: i64) {
        // Ids are given in order, so that they stand in order too.
        let place = self.entries.binary_search_by(|entry| entry.attachment.id.as_str().cmp(id));
        if let Some(entry) = place.ok().and_then(|place| self.entries.get_mut(place)) {
            entry.deleted = Some(now);
        }
    }

    fn next_id(&self) -> String {
        let last = self.entries.last().and_then(|entry| entry.attachment.id.parse::<u64>().ok());
        last.map_or(FIRST_ID, |last| last + 1).to_string()
    }

    /// The name under which a file is stored.
    fn name_for(&self, parent: &Parent, name: String) -> String {
        match self.rename {
            Rename::Never => name,
            Rename::Every => numbered(&name, 1),
            Rename::Composed => name.nfc().collect(),
            Rename::Shortened => name.chars().take(100).collect(),
            Rename::Twins => {
                let is_free = |wanted: &str| self.of(parent).all(|known| known.name != wanted);
                if is_free(&name) {
                    return name;
                }
                (1..).map(|n| numbered(&name, n)).find(|wanted| is_free(wanted)).unwrap_or(name)
            }
        }
    }
}

/// `offer.pdf` as `offer (1).pdf`.
fn numbered(name: &str, n: u32) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => format!("{stem} ({n}).{extension}"),
        _ => format!("{name} ({n})"),
    }
}

/// Seconds since 1970 in the service's spelling.
pub(super) fn rfc3339(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::options::Keep;
    use std::fs::OpenOptions;
    use std::io::Write;

    fn parent() -> Parent {
        Parent { module: "Leads".into(), record: "738964000000291009".into() }
    }

    fn store(keep: &Keep, rename: Rename) -> AttachmentStore {
        AttachmentStore::open(&SandboxOptions { keep: keep.clone(), rename, ..SandboxOptions::default() }).unwrap()
    }

    fn add(store: &mut AttachmentStore, name: &str, bytes: &[u8]) -> Attachment {
        let mut content = ContentWriter::new(&store.vault()).unwrap();
        content.push(bytes).unwrap();
        store.add(&parent(), Incoming::File { name: name.into(), content }, 1_700_000_000).unwrap()
    }

    #[test]
    fn the_newest_attachment_is_listed_first_and_a_deleted_one_not_at_all() {
        let mut store = store(&Keep::Facts, Rename::Never);
        let first = add(&mut store, "a", b"1");
        add(&mut store, "b", b"2");
        assert!(store.delete(&parent(), &first.id, 0).unwrap());
        assert!(!store.delete(&parent(), &first.id, 0).unwrap(), "twice");
        let names: Vec<&str> = store.list(&parent(), Instant::now()).iter().map(|a| a.name.as_str()).collect();
        assert_eq!(names, ["b"]);
        assert_eq!(store.created().count(), 2);
    }

    #[test]
    fn names_are_changed_only_as_the_server_was_told() {
        let twice = |rename| {
            let mut store = store(&Keep::Facts, rename);
            [add(&mut store, "cafe\u{301}.tar.gz", b"").name, add(&mut store, "cafe\u{301}.tar.gz", b"").name]
        };
        assert_eq!(twice(Rename::Never), ["cafe\u{301}.tar.gz", "cafe\u{301}.tar.gz"]);
        assert_eq!(twice(Rename::Twins), ["cafe\u{301}.tar.gz", "cafe\u{301}.tar (1).gz"]);
        assert_eq!(twice(Rename::Every), ["cafe\u{301}.tar (1).gz", "cafe\u{301}.tar (1).gz"]);
        assert_eq!(twice(Rename::Composed), ["caf\u{e9}.tar.gz", "caf\u{e9}.tar.gz"]);
    }

    #[test]
    fn a_data_folder_is_taken_up_again_where_it_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Keep::In(folder.path().join("data"));
        let mut first = store(&keep, Rename::Never);
        let old = add(&mut first, "../../etc/passwd", b"content");
        let gone = add(&mut first, "gone", b"");
        first.delete(&parent(), &gone.id, 0).unwrap();
        let second = AttachmentStore::open(&SandboxOptions { keep: keep.clone(), ..SandboxOptions::default() });
        assert!(second.is_err(), "one server at a time");
        drop(first);
        let index = folder.path().join("data").join("attachments.jsonl");
        OpenOptions::new().append(true).open(&index).unwrap().write_all(b"{\"created\":{\"id\"").unwrap();
        let mut again = store(&keep, Rename::Never);
        assert_eq!(again.list(&parent(), Instant::now()), [&old]);
        assert!(add(&mut again, "new", b"").id > gone.id);
        let names: Vec<String> = std::fs::read_dir(folder.path().join("data"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".bin"))
            .collect();
        assert_eq!(names, ["attachments.jsonl"], "ids name the files, and nothing half done is left");
    }

    #[test]
    fn content_that_never_becomes_an_attachment_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&Keep::In(folder.path().into()), Rename::Never);
        let mut content = ContentWriter::new(&store.vault()).unwrap();
        content.push(b"half").unwrap();
        drop(content);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "only the index");
    }

    #[test]
    fn times_are_spelled_as_the_service_does() {
        assert_eq!(rfc3339(1_620_192_813), "2021-05-05T05:33:33+00:00");
    }
}
