//! `attache report --plan`: from a saved plan to what somebody is shown who is to approve it.

use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;

use super::{ReportArgs, ReportTask, Text, announce, place, sha256};
use crate::atomic_file::replace;
use crate::cli::failure::{Failure, OrExit as _};
use crate::cli::screen::Screen;
use crate::cli::values::ReportOutput;
use crate::cli::{saved_plan, stdio};
use crate::exit::Exit;
use crate::plan::saved::SavedRow;
use crate::report::{PlanOrigin, PlanReport, PlanReportBuilder};
use crate::text::system_words;

/// Makes the report on this plan.
///
/// # Errors
///
/// The options contradict each other, the plan cannot be relied on, or the report cannot be written.
pub(super) fn run(args: &ReportArgs, plan: &Path, screen: Screen) -> Result<Exit, Failure> {
    let place = place(args).map_err(Failure::usage)?;
    if let ReportTask::StandardOutput(Text::Json) | ReportTask::File(ReportOutput::Json, _) = place {
        let what = format!("{} is JSON already: attache schema saved-plan describes it", plan.display());
        return Err(Failure::usage(anyhow!(what)));
    }
    let report = summed_up(args, plan)?;
    match &place {
        ReportTask::StandardOutput(_) => stdio::print_with(|mut out| report.write_markdown(&mut out))
            .map_err(|error| anyhow!("cannot write to standard output: {}", system_words(&error))),
        ReportTask::File(form, path) => replace(path, |out| write(&report, plan, *form, out))
            .map_err(|error| anyhow!("cannot write {}: {}", path.display(), system_words(&error)))
            .map(|()| announce(path, &report.headline(), screen)),
    }
    .or_exit(Exit::Results)?;
    Ok(Exit::Done)
}

fn summed_up(args: &ReportArgs, plan: &Path) -> Result<PlanReport, Failure> {
    let mut report = PlanReportBuilder::default();
    let head = saved_plan::read(plan, "", &mut |row| report.add(row))?;
    let origin = PlanOrigin {
        title: args.title.clone(),
        client: args.client.clone(),
        plan: plan.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        plan_sha256: sha256(plan).with_context(|| format!("cannot read {}", plan.display())).or_exit(Exit::Usage)?,
        made_at: Timestamp::now(),
    };
    Ok(report.finish(head, origin))
}

fn write(report: &PlanReport, plan: &Path, form: ReportOutput, out: &mut io::BufWriter<File>) -> io::Result<()> {
    match form {
        ReportOutput::Xlsx => report.write_xlsx(&mut |each| rows(report, plan, each), out),
        ReportOutput::Markdown => report.write_markdown(out),
        ReportOutput::Html | ReportOutput::Json => report.write_html(out),
    }
}

/// Reads the rows once more: a million of them are not kept.
fn rows(report: &PlanReport, plan: &Path, each: &mut dyn FnMut(&SavedRow)) -> io::Result<()> {
    let head = saved_plan::read(plan, "", each).map_err(|failure| io::Error::other(failure.to_string()))?;
    match head == *report.plan_head() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{} was changed while it was read", plan.display()))),
    }
}
