//! What is said of a row that somebody has to decide about.

use std::io;
use std::path::Path;

use super::assign::RowFate;
use crate::check::RowDoubt;
use crate::problem::{ProblemCode, remedies};
use crate::results::{Line, ResultsError};
use crate::text::masked_excerpt;
use crate::upload::Upload;

/// The problem of a row, if its fate is one.
pub(super) fn doubt(
    row: u32,
    upload: &Upload<'_>,
    record_key: &str,
    fate: RowFate,
    lines: &[Line],
) -> Option<RowDoubt> {
    let record = upload.record;
    let (code, message, hint) = match fate {
        RowFate::New | RowFate::Takes(_) => return None,
        RowFate::SentBefore(line) => (
            ProblemCode::SentBefore,
            format!(
                "the record {record} got a file of this name and size already, from {}, and what it held is not known",
                was(lines.get(line))
            ),
            remedies::COMPARE_THE_TWO,
        ),
        RowFate::SentBeforeByOther(line) => (
            ProblemCode::SentBefore,
            format!(
                "the record {record} got a file of this name and size once, from {}, and an earlier row stands for it \
                 already",
                was(lines.get(line))
            ),
            remedies::SAY_FOR_EACH_ROW,
        ),
        RowFate::SentUnderAnotherName(line) => (
            ProblemCode::SentUnderAnotherName,
            format!(
                "the record {record} got this file already, under the name \"{}\"",
                lines.get(line).map_or_else(String::new, |line| masked_excerpt(&line.name))
            ),
            remedies::KEEP_OR_SEND_RENAMED,
        ),
        RowFate::SentToAnotherRecord(line) => (
            ProblemCode::SentToAnotherRecord,
            format!(
                "this went to the record {} already, to which the key \"{}\" led then; today it leads to {record}",
                lines.get(line).map_or("", |line| &line.record),
                masked_excerpt(record_key)
            ),
            remedies::MERGED_OR_WRONG_RECORD,
        ),
    };
    Some(RowDoubt { row, code, message, hint: hint.to_owned() })
}

/// The problem of a row that the results of another manifest know. `is_first`: nothing was sent yet by the results of this
/// run, so that it can go on with those.
pub(super) fn sent_by_another(row: u32, upload: &Upload<'_>, results: &Path, is_first: bool) -> RowDoubt {
    let name = name_of(results);
    RowDoubt {
        row,
        code: ProblemCode::SentByAnotherManifest,
        message: format!("the record {} got this already by another manifest, as {name} says", upload.record),
        hint: if is_first { remedies::go_on_with(&name) } else { remedies::LEAVE_OUT_OR_SEND_AGAIN.to_owned() },
    }
}

/// The problem of a row that another run is about to send.
pub(super) fn under_way(row: u32, upload: &Upload<'_>, results: &Path) -> RowDoubt {
    let (record, name) = (upload.record, name_of(results));
    RowDoubt {
        row,
        code: ProblemCode::SentByAnotherManifest,
        message: format!(
            "another run, which is under way, is about to send this to the record {record}; its results are {name}"
        ),
        hint: "wait until it has ended, then run the same command again".to_owned(),
    }
}

/// Other results that cannot be read.
pub(super) fn unreadable_other(results: &Path, error: &ResultsError) -> io::Error {
    io::Error::other(format!(
        "{} stands beside the results of this run and may know its rows, but cannot be used: {error}. {}",
        results.display(),
        remedies::WITHOUT_A_LOOK
    ))
}

fn name_of(results: &Path) -> String {
    results.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn was(line: Option<&Line>) -> String {
    line.map_or_else(String::new, |line| masked_excerpt(&line.file))
}
