//! The bytes of files, where they are kept, and the index that lets a later server go on with them.
//!
//! No name from a request ever becomes a path: files are called by the id that the store gave.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};

use super::options::Keep;
use super::store::Attachment;

/// Where the bytes of files are kept, if they are.
#[derive(Debug)]
pub(super) struct Vault(Option<VaultFolder>);

#[derive(Debug)]
struct VaultFolder {
    path: PathBuf,
    index: File,
    /// Removes a temporary folder when the store goes.
    _temporary: Option<TempDir>,
}

/// A line of the index beside the kept bytes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum VaultEvent {
    Created(Attachment),
    Deleted { id: String },
}

impl Vault {
    pub(super) fn open(keep: &Keep) -> io::Result<(Vault, Vec<VaultEvent>)> {
        match keep {
            Keep::Facts => Ok((Vault(None), Vec::new())),
            Keep::Temporarily => {
                let temporary = tempfile::Builder::new().prefix("attache-sandbox-").tempdir()?;
                let path = temporary.path().to_owned();
                Vault::open_folder(path, Some(temporary))
            }
            Keep::In(path) => {
                std::fs::create_dir_all(path)?;
                Vault::open_folder(path.clone(), None)
            }
        }
    }

    fn open_folder(path: PathBuf, temporary: Option<TempDir>) -> io::Result<(Vault, Vec<VaultEvent>)> {
        let index_path = path.join("attachments.jsonl");
        let index = OpenOptions::new().create(true).read(true).append(true).open(&index_path)?;
        if index.try_lock().is_err() {
            let message = format!("{} is in use by another sandbox", path.display());
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
        }
        let past = read_index(&index_path, &index)?;
        Ok((Vault(Some(VaultFolder { path, index, _temporary: temporary })), past))
    }

    pub(super) fn note(&self, event: &VaultEvent) -> io::Result<()> {
        let Some(folder) = &self.0 else { return Ok(()) };
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        (&folder.index).write_all(&line)
    }

    /// The kept bytes of an attachment; `None` where no bytes are kept.
    pub(super) fn read(&self, id: &str) -> Option<io::Result<File>> {
        self.0.as_ref().map(|folder| File::open(folder.file(id)))
    }
}

impl VaultFolder {
    fn file(&self, id: &str) -> PathBuf {
        self.path.join(format!("{id}.bin"))
    }
}

/// Reads the index of an earlier server, and cuts a last line that it could not finish.
fn read_index(path: &Path, index: &File) -> io::Result<Vec<VaultEvent>> {
    let text = std::fs::read(path)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    index.set_len(whole as u64)?;
    let lines = text.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let event = |(number, line): (usize, &[u8])| {
        serde_json::from_slice(line).map_err(|error| {
            let message = format!("{} line {}: {error}; is this the folder of a sandbox?", path.display(), number + 1);
            io::Error::new(io::ErrorKind::InvalidData, message)
        })
    };
    lines.enumerate().map(event).collect()
}

/// The content of a file while it arrives. Dropped before it is kept, it leaves nothing behind.
#[derive(Debug)]
pub(super) struct ContentWriter {
    size: u64,
    hash: Sha256,
    file: Option<NamedTempFile>,
}

impl ContentWriter {
    pub(super) fn new(vault: &Vault) -> io::Result<ContentWriter> {
        let file = match &vault.0 {
            Some(folder) => Some(tempfile::Builder::new().prefix(".incoming-").tempfile_in(&folder.path)?),
            None => None,
        };
        Ok(ContentWriter { size: 0, hash: Sha256::new(), file })
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.size += bytes.len() as u64;
        self.hash.update(bytes);
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Gives the content its final place. Returns size and SHA-256.
    pub(super) fn keep_as(self, vault: &Vault, id: &str) -> io::Result<(u64, String)> {
        if let (Some(folder), Some(file)) = (&vault.0, self.file) {
            file.persist(folder.file(id)).map_err(|failed| failed.error)?;
        }
        let hex = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((self.size, hex))
    }
}
