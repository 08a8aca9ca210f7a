//! What can still be had from a line that somebody edited, where the user accepts that.

use super::codec::Cells;
use super::columns::ResultsColumn;
use super::line::Line;
use crate::outcome::{OwnCode, Status};

impl Cells<'_> {
    /// What an edited line still tells once the user accepted it: its key and its status. `None` if not even the key
    /// can be read: then nobody can say which row must not be sent again.
    ///
    /// The other cells are kept where they can be read. Where the status needs one that cannot (the time of sending, to
    /// settle a doubt), or cannot be read itself, the row becomes `unknown` and is not sent again by itself.
    pub(super) fn salvaged_line(&self) -> Option<Line> {
        let status: Option<Status> = self.parsed(ResultsColumn::Status).ok();
        let sent_at = self.optional(ResultsColumn::SentAt).ok().flatten();
        let open = matches!(status, None | Some(Status::Sending | Status::InDoubt));
        let lost = status.is_none() || (open && sent_at.is_none());
        let mut line = Line {
            line: self.line_number().unwrap_or_default(),
            module: self.text(ResultsColumn::Module).unwrap_or_default(),
            record: self.text(ResultsColumn::Record).unwrap_or_default(),
            record_key: self.text(ResultsColumn::RecordKey).unwrap_or_default(),
            file: self.text(ResultsColumn::File).unwrap_or_default(),
            url: self.text(ResultsColumn::Url).unwrap_or_default(),
            name: self.text(ResultsColumn::Name).unwrap_or_default(),
            status: status.filter(|_| !lost).unwrap_or(Status::Unknown),
            attachment_id: self.optional(ResultsColumn::AttachmentId).ok().flatten(),
            code: self.text(ResultsColumn::Code).unwrap_or_default(),
            message: self.text(ResultsColumn::Message).unwrap_or_default(),
            http_status: self.optional(ResultsColumn::HttpStatus).ok().flatten(),
            tries: self.parsed(ResultsColumn::Tries).unwrap_or_default(),
            bytes: self.optional(ResultsColumn::Bytes).ok().flatten(),
            content: self.optional(ResultsColumn::Content).ok().flatten(),
            seconds: self.seconds().unwrap_or_default(),
            sent_at,
            finished_at: self.optional(ResultsColumn::FinishedAt).ok().flatten(),
            created_time: self.text(ResultsColumn::CreatedTime).ok().filter(|time| !time.is_empty()),
            created_by: self.optional(ResultsColumn::CreatedBy).ok().flatten(),
            carried: self.carried(),
            target: self.text(ResultsColumn::Target).unwrap_or_default(),
            org: self.optional(ResultsColumn::Org).ok().flatten(),
            run: self.text(ResultsColumn::Run).unwrap_or_default(),
            key: self.parsed(ResultsColumn::Key).ok()?,
        };
        if lost {
            line.code = OwnCode::Edited.into();
            line.message = "this line was edited, and what became of the row cannot be told from it".to_owned();
        }
        Some(line)
    }
}
