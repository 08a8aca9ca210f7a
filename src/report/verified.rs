//! What a verification found, as the report shows it: findings that still hold, and when they were made.

use std::collections::{BTreeMap, HashMap};
use std::io;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::model::text_or_null;
use super::wording;
use crate::outcome::Status;
use crate::results::Line;
use crate::units;
use crate::upload::{RowKey, ServiceId};
use crate::verify::findings::FindingLine;

/// What a verification found of the rows of a report. A finding holds only while the row still names the attachment that
/// was looked for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, JsonSchema)]
pub struct ReportedVerification {
    /// When the first row was looked for, by the service's clock; absent if none was.
    #[serde(serialize_with = "text_or_null")]
    #[schemars(with = "Option<String>")]
    pub from: Option<Timestamp>,
    /// When the last row was looked for.
    #[serde(serialize_with = "text_or_null")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
    /// Rows by finding, as far as these hold.
    pub findings: BTreeMap<String, u64>,
    /// Rows whose bytes were compared.
    pub compared: u64,
    /// Rows in place that were attached since, or that the verification does not know.
    pub later: u64,
}

impl ReportedVerification {
    /// The findings that hold for these rows.
    ///
    /// # Errors
    ///
    /// When a row cannot be read.
    pub fn of(
        findings: &HashMap<RowKey, FindingLine>,
        lines: impl Iterator<Item = io::Result<Line>>,
    ) -> io::Result<ReportedVerification> {
        let mut verification = ReportedVerification::default();
        // A row that is written otherwise since has another key, and its attachment is the same.
        let by_attachment: HashMap<ServiceId, &FindingLine> =
            findings.values().filter_map(|finding| Some((finding.attachment?, finding))).collect();
        for line in lines {
            let line = line?;
            let own = findings.get(&line.key).filter(|finding| finding.attachment == line.attachment_id);
            match own.or_else(|| by_attachment.get(&line.attachment_id?).copied()) {
                Some(finding) => {
                    *verification.findings.entry(finding.finding.clone()).or_default() += 1;
                    verification.compared += u64::from(finding.content.is_some());
                    verification.from = verification.from.into_iter().chain(finding.checked_at).min();
                    verification.until = verification.until.max(finding.checked_at);
                }
                None => verification.later += u64::from(line.status == Status::Uploaded),
            }
        }
        Ok(verification)
    }

    /// Rows that the service does not have as the results say: missing, changed, or there more than once.
    pub(super) fn amiss(&self) -> u64 {
        ["missing", "size-differs", "content-differs", "extra-copies", "twice-by-us"]
            .map(|each| self.count(each))
            .iter()
            .sum()
    }

    fn count(&self, finding: &str) -> u64 {
        self.findings.get(finding).copied().unwrap_or_default()
    }

    /// What was found, in sentences.
    pub(super) fn sentence(&self) -> String {
        let when = self.until.map(|time| format!(" of {}", wording::time(time))).unwrap_or_default();
        let attachments = |count| units::counted(count, "attachment");
        let mut text = format!("A verification{when} found {} there, once", attachments(self.count("present")));
        if self.compared > 0 {
            text += &format!("; the bytes of {} were compared", units::counted(self.compared, "file"));
        }
        let amiss = self.findings.iter().filter(|(finding, _)| !matches!(finding.as_str(), "present" | "not-expected"));
        for (finding, count) in amiss {
            text += &format!("; {}", in_words(finding, *count));
        }
        if self.later > 0 {
            text += &format!("; {} came later", attachments(self.later));
        }
        text + "."
    }
}

/// So many rows with a finding, as part of a sentence.
fn in_words(finding: &str, count: u64) -> String {
    let rows = units::count(count);
    let (is, has) = if count == 1 { ("is", "has") } else { ("are", "have") };
    match finding {
        "missing" => format!("{rows} {is} missing"),
        "size-differs" => format!("{rows} {has} another size than was sent"),
        "content-differs" => format!("{rows} {has} other bytes than were sent"),
        "extra-copies" | "twice-by-us" => format!("{rows} {is} there more than once"),
        "still-there" => format!("{rows} {is} there although deleted"),
        "open" => format!("of {rows} it is open whether they are there"),
        "unchecked" => format!("{rows} could not be checked"),
        other => format!("{rows} {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::{RecordId, SourceKind, Upload};

    fn line(number: u32, attachment: u64) -> Line {
        let source = format!("{number}.pdf");
        let key = RowKey::of("Leads", "1000000000", SourceKind::File, &source, &source, 1);
        let record = RecordId::new(1_000_000_000).expect("an id");
        let (kind, name) = (SourceKind::File, source.as_str());
        let upload = Upload { line: number, module: "Leads", record, kind, source: name, name, key };
        let attachment_id = Some(ServiceId::new(attachment));
        Line { status: Status::Uploaded, attachment_id, ..Line::of(&upload, Some(5), "sandbox", "run") }
    }

    fn finding(line: &Line, finding: &str, second: i64) -> (RowKey, FindingLine) {
        let line = FindingLine {
            key: line.key,
            attachment: line.attachment_id,
            finding: finding.to_owned(),
            content: None,
            checked_at: Timestamp::from_second(1_780_000_000 + second).ok(),
        };
        (line.key, line)
    }

    #[test]
    fn a_finding_counts_only_while_the_row_names_the_attachment_that_was_looked_for() {
        let lines = [line(1, 11), line(2, 12), line(3, 13), line(4, 14)];
        let mut findings: HashMap<_, _> =
            [finding(&lines[0], "present", 5), finding(&lines[1], "missing", 1), finding(&lines[2], "missing", 9)]
                .into();
        findings.get_mut(&lines[2].key).expect("there").attachment = Some(ServiceId::new(99));
        let found = ReportedVerification::of(&findings, lines.into_iter().map(Ok)).expect("lines");
        assert_eq!((found.count("present"), found.count("missing"), found.later), (1, 1, 2));
        assert_eq!(found.from.map(|time| time.to_string()).as_deref(), Some("2026-05-28T20:26:41Z"));
        let said = found.sentence();
        assert_eq!(
            said,
            "A verification of 28 May 2026, 20:26:45 UTC found 1 attachment there, once; 1 is missing; 2 attachments came \
             later."
        );
    }

    #[test]
    fn a_report_does_not_say_that_all_is_in_place_where_a_verification_found_otherwise() {
        let mut report = super::super::sample::report(10);
        report.verification = Some(ReportedVerification {
            findings: [("missing".to_owned(), 1)].into(),
            ..ReportedVerification::default()
        });
        let mut page = Vec::new();
        report.write_html(&mut page).expect("a vector takes everything");
        let page = String::from_utf8(page).expect("UTF-8");
        assert_eq!(report.headline(), "A verification found 1 attachment not as the results say");
        assert!(page.contains("not one to sign yet") && !page.contains("Every row of the manifest has its attachment"));
    }
}
