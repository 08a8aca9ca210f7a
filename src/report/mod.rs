//! Makes the page, the workbook and the texts for the client: for the sign-off out of a results file, for the approval out
//! of a saved plan.
//!
//! | to change | open |
//! | --- | --- |
//! | what is counted, how rows are grouped by cause | `model.rs` |
//! | how several results files are read as one | `combined.rs` |
//! | the address of a record in the CRM | `record_pages.rs` |
//! | how times are put into bins | `timeline.rs` |
//! | a sentence or a label | `words.rs` |
//! | the page, its look, its drawings | `html.rs`, `page.css`, `charts.rs` |
//! | what makes it safe to show any name | `markup.rs` |
//! | what a verification found | `verified.rs` |
//! | what was taken back | `taken_back.rs` |
//! | the workbook | `xlsx.rs`, `sheets.rs` |
//! | the text for a wiki | `markdown.rs` |
//! | anything about a plan | `plan_report/` |

#[cfg(test)]
mod browser;
mod charts;
mod combined;
mod html;
mod markdown;
mod markup;
mod model;
mod plan_report;
mod record_pages;
#[cfg(test)]
mod sample;
mod sheets;
mod taken_back;
mod timeline;
mod verified;
mod wording;
mod xlsx;

use std::io;

pub use combined::CombinedResults;
pub use model::{LaterResults, Origin, Report};
pub use plan_report::{PlanOrigin, PlanReport, PlanReportBuilder};
pub use verified::ReportedVerification;

use crate::results::{Line, RunRecord};

impl Report {
    /// The report on these rows, the last line of each. `carried` names the cells that they carry from the manifest.
    ///
    /// # Errors
    ///
    /// When a row cannot be read.
    pub fn of(
        carried: &[String],
        lines: impl Iterator<Item = io::Result<Line>>,
        mut origin: Origin,
        runs: Vec<RunRecord>,
    ) -> io::Result<Report> {
        let mut counting = model::Counting::new(std::mem::take(&mut origin.aside));
        for line in lines {
            counting.add(&line?, carried);
        }
        Ok(counting.finish(origin, runs))
    }

    /// What the report says first.
    pub fn headline(&self) -> String {
        wording::headline(self)
    }

    /// Writes the page.
    pub fn write_html(&self, out: &mut dyn io::Write) -> io::Result<()> {
        html::write(self, out)
    }

    /// Writes the JSON document, with a newline at its end.
    pub fn write_json(&self, out: &mut dyn io::Write) -> io::Result<()> {
        crate::console::json::write_pretty(&mut *out, self)?;
        out.write_all(b"\n")
    }

    /// Writes the Markdown text.
    pub fn write_markdown(&self, out: &mut dyn io::Write) -> io::Result<()> {
        out.write_all(markdown::write(self).as_bytes())
    }

    /// Writes the workbook. It lists every row, so it needs the rows once more, and the names of the columns that they
    /// carry from the manifest.
    pub fn write_xlsx(
        &self,
        carried: &[String],
        lines: impl Iterator<Item = io::Result<Line>>,
        out: impl io::Write + io::Seek + Send,
    ) -> io::Result<()> {
        xlsx::write(self, carried, lines, out).map_err(|error| match error {
            rust_xlsxwriter::XlsxError::IoError(error) => error,
            error => io::Error::other(error),
        })
    }
}
