//! Compares what the results say with what the service has: is every attachment there, whole, and only once?
//!
//! | to change | open |
//! | --- | --- |
//! | what a record's list says about its rows | [`compare`] |
//! | what the census of all attachments proves, and when it is given up | [`census`] |
//! | which attachments are downloaded, and what their bytes are held against | [`sample`], [`content`] |
//! | in which order the service is asked for what | [`lookup`] |
//! | what people and programs are told | [`show`] |
//! | the file beside the results that keeps the findings | [`findings`] |
//!
//! Nothing here changes anything at the service or in the results.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use jiff::Timestamp;

use crate::content::Fingerprint;
use crate::outcome::Status;
use crate::owner::CrmOwner;
use crate::results::Line;
use crate::upload::{RecordId, RowKey, ServiceId, SourceKind};

pub mod census;
pub mod compare;
pub mod content;
pub mod findings;
pub mod lookup;
pub mod sample;
pub mod show;

/// What there is to compare: the rows of a results file, and the records whose lists can say something about them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VerifyWork {
    /// Every row, in the order of the results.
    pub rows: Vec<VerifyRow>,
    /// The records to ask for, in the order of their first row.
    pub records: Vec<VerifyRecord>,
}

/// A row of the results, as far as it matters here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyRow {
    /// Its line in the manifest.
    pub line: u32,
    /// The module, as the results say.
    pub module: Arc<str>,
    /// The record, as the results say.
    pub record: String,
    /// Which row it is.
    pub key: RowKey,
    /// What the results say of it.
    pub status: Status,
    /// The file or the address, as written in the manifest.
    pub source: String,
    /// Whether it is a link.
    pub is_link: bool,
    /// The name as sent.
    pub name: String,
    /// Bytes of the file, where they are known.
    pub bytes: Option<u64>,
    /// The fingerprint of the bytes that were sent, where it is known.
    pub content: Option<Fingerprint>,
    /// The service's time when it was first sent.
    pub sent_at: Option<Timestamp>,
    /// The attachment that the results name.
    pub attachment: Option<ServiceId>,
    /// Whether it was sent once and answered at once with success: nothing was ever in doubt.
    pub is_plain: bool,
    /// The host that it was sent to.
    pub target: Arc<str>,
    /// Whose CRM it was sent to, where that is known.
    pub org: Option<CrmOwner>,
}

/// A record whose list is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyRecord {
    /// The module's API name.
    pub module: Arc<str>,
    /// The record.
    pub id: RecordId,
    /// Which of [`VerifyWork::rows`] are about it.
    pub rows: Vec<usize>,
}

/// What was found of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VerifyFinding {
    /// It is there, once.
    Present,
    /// It is not in the record's list.
    Missing,
    /// It is there, but has another size than the file that was sent.
    SizeDiffers {
        /// Bytes as listed.
        listed: u64,
    },
    /// It is there, and so are more of the same name and size, or of the same address.
    ExtraCopies {
        /// The others.
        others: Vec<ServiceId>,
    },
    /// It is there, and so is another attachment of ours on the same record with the same name and size that was not
    /// made on purpose.
    TwiceByUs {
        /// The others.
        others: Vec<ServiceId>,
    },
    /// It is there with the right size, but with other bytes than were sent.
    ContentDiffers,
    /// The results say that it was deleted, and it is there.
    StillThere,
    /// The results do not say that it is there, so it is not looked for.
    NotExpected,
    /// The results leave open whether it is there; so many like it are on the record and belong to no other row.
    Open {
        /// How many.
        alike: usize,
    },
    /// The service gave no list of the record.
    Unchecked {
        /// Why.
        why: String,
    },
}

impl VerifyFinding {
    /// The word in every output.
    pub fn as_str(&self) -> &'static str {
        match self {
            VerifyFinding::Present => "present",
            VerifyFinding::Missing => "missing",
            VerifyFinding::SizeDiffers { .. } => "size-differs",
            VerifyFinding::ExtraCopies { .. } => "extra-copies",
            VerifyFinding::TwiceByUs { .. } => "twice-by-us",
            VerifyFinding::ContentDiffers => "content-differs",
            VerifyFinding::StillThere => "still-there",
            VerifyFinding::NotExpected => "not-expected",
            VerifyFinding::Open { .. } => "open",
            VerifyFinding::Unchecked { .. } => "unchecked",
        }
    }

    /// Whether the results and the service agree on the row.
    pub fn is_sound(&self) -> bool {
        matches!(self, VerifyFinding::Present | VerifyFinding::NotExpected)
    }
}

impl VerifyWork {
    /// The work that the lines of a results file make. Records of which no row was ever sent are not asked for.
    ///
    /// # Errors
    ///
    /// When a line cannot be read.
    pub fn of(lines: impl Iterator<Item = io::Result<Line>>) -> io::Result<VerifyWork> {
        let mut work = VerifyWork::default();
        let mut texts: HashSet<Arc<str>> = HashSet::new();
        let mut records: HashMap<(Arc<str>, RecordId), usize> = HashMap::new();
        for line in lines {
            let row = VerifyRow::of(line?, &mut texts);
            let id = row.record_id();
            if let Some(id) = id {
                let place = *records.entry((Arc::clone(&row.module), id)).or_insert_with(|| {
                    work.records.push(VerifyRecord { module: Arc::clone(&row.module), id, rows: Vec::new() });
                    work.records.len() - 1
                });
                work.records[place].rows.push(work.rows.len());
            }
            work.rows.push(row);
        }
        let rows = &work.rows;
        work.records.retain(|record| record.rows.iter().any(|&row| rows[row].is_asked_about()));
        Ok(work)
    }

    /// The rows of a record, in their order.
    pub fn rows_of(&self, record: &VerifyRecord) -> Vec<&VerifyRow> {
        record.rows.iter().filter_map(|&row| self.rows.get(row)).collect()
    }
}

impl VerifyRow {
    fn of(line: Line, texts: &mut HashSet<Arc<str>>) -> VerifyRow {
        let mut shared = |text: String| match texts.get(text.as_str()) {
            Some(known) => Arc::clone(known),
            None => {
                let text: Arc<str> = text.into();
                texts.insert(Arc::clone(&text));
                text
            }
        };
        let is_link = line.kind() == Some(SourceKind::Link);
        VerifyRow {
            is_plain: line.status == Status::Uploaded
                && line.tries <= 1
                && line.code.is_empty()
                && line.attachment_id.is_some(),
            line: line.line,
            module: shared(line.module),
            record: line.record,
            key: line.key,
            status: line.status,
            source: if is_link { line.url } else { line.file },
            is_link,
            name: line.name,
            bytes: line.bytes,
            content: line.content,
            sent_at: line.sent_at,
            attachment: line.attachment_id,
            target: shared(line.target),
            org: line.org,
        }
    }

    /// The record, if the results name one.
    pub fn record_id(&self) -> Option<RecordId> {
        self.record.parse().ok().and_then(RecordId::new)
    }

    /// Whether the results say that it is on the record.
    fn is_expected(&self) -> bool {
        matches!(self.status, Status::Uploaded | Status::AlreadyPresent)
    }

    /// Whether the results leave open if it is on the record.
    fn is_open(&self) -> bool {
        matches!(self.status, Status::Unknown | Status::InDoubt | Status::Sending) || self.is_being_deleted()
    }

    /// Whether it was being deleted when that was cut off.
    fn is_being_deleted(&self) -> bool {
        self.status == Status::Deleting
    }

    /// Whether the results say that it was deleted.
    fn is_gone(&self) -> bool {
        self.status == Status::Deleted
    }

    /// Whether its record is asked for.
    fn is_asked_about(&self) -> bool {
        self.is_expected() || self.is_open() || self.is_gone()
    }

    /// The size that the attachment must have. One that was there before us only had to have the name.
    fn expected_size(&self) -> Option<u64> {
        self.bytes.filter(|_| !self.is_link && self.status != Status::AlreadyPresent)
    }

    /// Whether an attachment could be this row's by its looks: the address of a link; name and size of a file.
    fn looks_like(&self, listed: &crate::reply::Listed) -> bool {
        if self.is_link {
            return listed.url.as_deref() == Some(self.source.as_str());
        }
        let size_agrees = match (self.expected_size(), listed.size) {
            (Some(expected), Some(listed)) => expected == listed,
            _ => true,
        };
        listed.url.is_none() && size_agrees && crate::text::same_name(&self.name, &listed.name)
    }
}
