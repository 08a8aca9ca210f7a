//! What a job is called on the screen.

use crate::engine::JobId;
use crate::plan::Plan;

/// One job as a person knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobName {
    /// Its line in the manifest; `None` if it is no longer there.
    pub line: Option<u32>,
    /// The module's API name.
    pub module: String,
    /// The record's id.
    pub record: String,
    /// The path or address as written.
    pub source: String,
    /// Bytes of the file; `None` for a link, or where nobody knows.
    pub bytes: Option<u64>,
}

/// Looks up what jobs and modules are called.
pub trait JobNames: Sync {
    /// The name of a job.
    fn name(&self, job: JobId) -> JobName;

    /// The API name of a module, by the index that jobs have it by.
    fn module(&self, module: u16) -> String;
}

impl JobNames for Plan {
    fn name(&self, job: JobId) -> JobName {
        let bytes = self.row(job).and_then(|row| self.checked().facts(row)).map(|facts| facts.size);
        if let Some(upload) = self.upload(job) {
            return JobName {
                line: Some(upload.line),
                module: upload.module.to_owned(),
                record: upload.record.to_string(),
                source: upload.source.to_owned(),
                bytes,
            };
        }
        let line = self.orphan(job).map(|orphan| &orphan.line);
        JobName {
            line: None,
            module: line.map_or(String::new(), |line| line.module.clone()),
            record: line.map_or(String::new(), |line| line.record.clone()),
            source: line.map_or(String::new(), |line| format!("{}{}", line.file, line.url)),
            bytes: line.and_then(|line| line.bytes),
        }
    }

    fn module(&self, module: u16) -> String {
        self.modules().get(usize::from(module)).cloned().unwrap_or_default()
    }
}
