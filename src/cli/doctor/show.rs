//! What was found, for people as a list of checks, for programs as JSON.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use super::subject::Subject;
use super::wording;
use crate::cli::args::DoctorArgs;
use crate::cli::screen::Screen;
use crate::console::checklist::{self, ChecklistLine};
use crate::console::problems::{CheckReport, quoted_lines, render_problems};
use crate::doctor::findings::{CheckStatus, DoctorAdvice, DoctorCase, DoctorFinding};
use crate::engine::requests::RequestTotals;
use crate::problem::{MoreProblems, Problem};
use crate::units::counted;

/// Everything that was found.
pub(super) struct DoctorShown<'a> {
    pub(super) case: &'a DoctorCase<'a>,
    pub(super) findings: &'a [DoctorFinding],
    pub(super) subject: Option<&'a Subject>,
    pub(super) totals: RequestTotals,
}

/// What `doctor --output json` says. Absent: not known.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Doctor")]
pub(crate) struct DoctorDocument {
    /// The version of this shape. Fields may be added without a new one.
    version: u32,
    /// The API's address.
    api_domain: String,
    /// The manifest as the user called it; null where none was named.
    manifest: Option<String>,
    /// The checks, in the order in which they are shown.
    checks: Vec<DoctorLine>,
    /// Which organisation it is.
    organisation: Option<DoctorOrganisation>,
    /// The pace that fits; null where the edition is not known.
    pace: Option<DoctorPace>,
    /// What is known of the records, by module; empty where they were not looked for.
    records: Vec<DoctorRecords>,
    /// The problems of rows, by line; of each code the first 1,000.
    problems: Vec<Problem>,
    /// How many problems there are beyond those, by code.
    more_problems: Vec<MoreProblems>,
    /// Requests made.
    requests: u64,
    /// API credits that they cost by the price list.
    credits: u64,
}

/// One check.
#[derive(Serialize, JsonSchema)]
struct DoctorLine {
    /// Its name; `attache explain NAME` says more.
    check: &'static str,
    /// How it ended.
    status: DoctorWord,
    /// What was found, or why nothing was.
    detail: String,
    /// What to do; null where nothing need be done.
    advice: Option<String>,
    /// The scopes that it would take; empty where none is missing.
    scopes: Vec<String>,
}

/// How a check ended.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum DoctorWord {
    /// As it should be.
    Ok,
    /// A run is possible, and this should be known before.
    Warn,
    /// A run would not do what it should.
    Fail,
    /// It could not be asked, or nobody can tell.
    NotAsked,
}

/// An organisation.
#[derive(Serialize, JsonSchema)]
struct DoctorOrganisation {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// Its edition, as the service names it.
    edition: String,
}

/// A pace.
#[derive(Serialize, JsonSchema)]
struct DoctorPace {
    /// For `--concurrency`.
    concurrency: u32,
    /// For `--rate`.
    rate: String,
    /// For `--credits-per-day`; null without limit.
    credits_per_day: Option<u64>,
}

/// The records of a module.
#[derive(Serialize, JsonSchema)]
struct DoctorRecords {
    /// The module's API name.
    module: String,
    /// Distinct records of the manifest.
    records: u64,
    /// Those that do not exist; null where that is not known.
    missing: Option<u64>,
}

impl DoctorShown<'_> {
    pub(super) fn json(&self, args: &DoctorArgs) -> String {
        let line = |finding: &DoctorFinding| DoctorLine {
            check: finding.check.as_str(),
            status: match finding.status {
                CheckStatus::Ok => DoctorWord::Ok,
                CheckStatus::Warn => DoctorWord::Warn,
                CheckStatus::Fail => DoctorWord::Fail,
                CheckStatus::NotAsked => DoctorWord::NotAsked,
            },
            detail: finding.detail.clone(),
            advice: finding.advice.as_ref().map(|advice| wording::advice(advice, args.manifest.as_deref())),
            scopes: match &finding.advice {
                Some(DoctorAdvice::GrantScopes(scopes)) => scopes.clone(),
                _ => Vec::new(),
            },
        };
        let problems = self.subject.map(|subject| &subject.checkup.problems);
        let organisation = self.case.facts.organisation.known();
        let document = DoctorDocument {
            version: 1,
            api_domain: self.case.access.target.api().to_string(),
            manifest: self.subject.map(|subject| subject.name.clone()),
            checks: self.findings.iter().map(line).collect(),
            organisation: organisation.map(|organisation| DoctorOrganisation {
                id: organisation.id.clone(),
                name: organisation.name.clone(),
                edition: organisation.edition.clone(),
            }),
            pace: self.findings.iter().find_map(pace),
            records: self.records(),
            problems: problems.map(|problems| problems.to_vec()).unwrap_or_default(),
            more_problems: problems.map(|problems| problems.more()).unwrap_or_default(),
            requests: self.totals.requests,
            credits: self.totals.credits,
        };
        crate::console::json::pretty(&document) + "\n"
    }

    fn records(&self) -> Vec<DoctorRecords> {
        let modules = self.case.search.map(|search| search.modules.as_slice()).unwrap_or_default();
        let of_module = |module: &crate::doctor::search::SearchedModule| DoctorRecords {
            module: module.name.clone(),
            records: module.wanted.len() as u64,
            missing: module.missing().map(|missing| missing.len() as u64),
        };
        modules.iter().map(of_module).collect()
    }

    pub(super) fn human(&self, args: &DoctorArgs, screen: Screen) -> String {
        let look = screen.out_look();
        let advice = |finding: &DoctorFinding| {
            let words = finding.advice.as_ref().map(|advice| wording::advice(advice, args.manifest.as_deref()));
            words.unwrap_or_default()
        };
        let advices: Vec<String> = self.findings.iter().map(advice).collect();
        let lines = self.findings.iter().zip(&advices).map(|(finding, advice)| ChecklistLine {
            status: finding.status,
            name: finding.check.as_str(),
            detail: &finding.detail,
            advice,
        });
        let mut text = checklist::render(lines, look);
        if let Some(subject) = self.subject.filter(|subject| subject.checkup.problems.has_error()) {
            let checkup = &subject.checkup;
            let found = CheckReport {
                manifest: &subject.name,
                sheet: checkup.manifest.sheet.as_deref(),
                problems: &checkup.problems,
                rows: checkup.rows,
                sound: checkup.sound,
                skipping: false,
                every: screen.verbose > 0,
            };
            let lines =
                checkup.manifest.lines(&quoted_lines(&checkup.problems, screen.verbose > 0)).unwrap_or_default();
            text.push('\n');
            text.push_str(&render_problems(&found, &lines, look));
        }
        let count = |status| self.findings.iter().filter(|finding| finding.status == status).count();
        let _ = writeln!(
            text,
            "\n{} ok, {} warn, {} fail, {} not asked. {}, {} by the price list.\nattache explain CHECK says more about each.",
            count(CheckStatus::Ok),
            count(CheckStatus::Warn),
            count(CheckStatus::Fail),
            count(CheckStatus::NotAsked),
            counted(self.totals.requests, "request"),
            counted(self.totals.credits, "API credit"),
        );
        text
    }
}

fn pace(finding: &DoctorFinding) -> Option<DoctorPace> {
    match finding.advice {
        Some(DoctorAdvice::Pace { concurrency, rate, credits_per_day, .. }) => {
            Some(DoctorPace { concurrency, rate: format!("{rate}/s"), credits_per_day })
        }
        _ => None,
    }
}
