//! `attache doctor`: asks the service what no check on this machine can know, and shows what was found.

mod port;
mod show;
mod subject;
mod wording;

use std::io;

use anyhow::anyhow;
use jiff::Timestamp;

use self::port::ClientExaminer;
pub(crate) use self::show::DoctorDocument;
use self::show::DoctorShown;
use self::subject::Subject;
use super::args::DoctorArgs;
use super::config::{self, UserFile};
use super::failure::Failure;
use super::requests::{self, ReachedService, WatchedHandler};
use super::screen::Screen;
use super::signals::StepSignals;
use super::values::Output;
use crate::console::gauge::{Gauge, GaugeUnit};
use crate::crosswalk::cost::LookupWay;
use crate::crosswalk::lookup::Polling;
use crate::doctor::findings::{
    CheckStatus, DoctorAccess, DoctorCase, DoctorFinding, DoctorStop, DoctorStopKind, NotSearched, findings,
};
use crate::doctor::inquiry::{DoctorInquiry, FirstQuestions, Learnt};
use crate::doctor::jobs::{DoctorAnswer, DoctorJob};
use crate::doctor::rows;
use crate::doctor::search::{RecordSearch, way_for};
use crate::engine::requests::driver;
use crate::engine::requests::{RequestEngine, RequestHandler, RequestPolicy, RequestTotals};
use crate::exit::Exit;
use crate::explain::doctor_checks::DoctorCheck;
use crate::units::{count, counted};

/// Runs the command.
///
/// # Errors
///
/// What the user must say otherwise; what could not be written.
pub(crate) fn run(args: &DoctorArgs, screen: Screen) -> Result<Exit, Failure> {
    let user = config::user_file().map_or(Ok(UserFile::default()), |path| UserFile::load(&path));
    let user = user.map_err(Failure::usage)?;
    let (mut subject, pace) = Subject::read(args, &user)?;
    let service = requests::reach(&args.target, &pace, &user)?;
    let signals = StepSignals::listen(
        screen,
        "interrupted again: ended at once, without what was found so far; nothing was changed",
    )
    .map_err(Failure::usage)?;
    let mut examination = Examination::new(&service, args, screen, &signals);
    examination.find_token();
    examination.ask_first(subject.as_ref());
    examination.search(subject.as_ref())?;
    if let Some(subject) = &mut subject {
        rows::settle_rounded(&mut subject.checkup, examination.search.as_ref());
    }
    let rows_without_record = match (&mut subject, &examination.search) {
        (Some(subject), Some(search)) => rows::note_missing(&mut subject.checkup, search),
        _ => 0,
    };
    if let (Some(path), Some(subject)) = (&args.problems, &subject) {
        subject.write_problems(path)?;
    }
    let known = subject.as_ref().map(Subject::facts);
    let access = examination.access();
    let case = DoctorCase {
        access: &access,
        facts: &examination.inquiry.facts,
        stop: examination.stop.as_ref(),
        manifest: known.as_ref(),
        search: examination.search.as_ref(),
        not_searched: examination.not_searched,
        rows_without_record,
    };
    let found = findings(&case);
    let shown = DoctorShown { case: &case, findings: &found, subject: subject.as_ref(), totals: examination.totals };
    match args.output {
        Output::Json => screen.print_data(&shown.json(args))?,
        Output::Human => screen.print(&shown.human(args, screen))?,
    }
    Ok(exit(&found, examination.stop.as_ref(), signals.exit()))
}

/// The course of the questions.
struct Examination<'a> {
    service: &'a ReachedService,
    args: &'a DoctorArgs,
    screen: Screen,
    inquiry: DoctorInquiry,
    /// The search for records; `None` where there was nothing to search, or nobody wanted it.
    search: Option<RecordSearch>,
    not_searched: Option<NotSearched>,
    /// Why nothing further is asked.
    stop: Option<DoctorStop>,
    signals: &'a StepSignals,
    totals: RequestTotals,
}

impl<'a> Examination<'a> {
    fn new(
        service: &'a ReachedService,
        args: &'a DoctorArgs,
        screen: Screen,
        signals: &'a StepSignals,
    ) -> Examination<'a> {
        Examination {
            service,
            args,
            screen,
            inquiry: DoctorInquiry::new(),
            search: None,
            not_searched: None,
            stop: None,
            signals,
            totals: RequestTotals::default(),
        }
    }

    /// Without a token nothing can be asked, and where it is good for decides where.
    fn find_token(&mut self) {
        if let Err(reply) = self.service.client.find_target() {
            let words = if reply.message.is_empty() { reply.code.clone() } else { reply.message.clone() };
            self.stop = Some(DoctorStop { kind: DoctorStopKind::of_reply(&reply), words });
        }
    }

    fn granted(&self) -> Option<Vec<String>> {
        let of_profile = || Some(self.service.access.scopes.clone()).filter(|scopes| !scopes.is_empty());
        self.service.client.scopes().or_else(of_profile)
    }

    fn ask_first(&mut self, subject: Option<&Subject>) {
        if self.stop.is_some() {
            return;
        }
        let modules = subject.map(Subject::modules).unwrap_or_default();
        let records = subject.map(|subject| &subject.records);
        let of_module = |name: &str| records.and_then(|records| records.get(name)).map_or(0, |records| records.len());
        let first = FirstQuestions {
            has_unknown_modules: subject.is_some_and(|subject| !subject.unknown_modules.is_empty()),
            probes_scopes: self.granted().is_none(),
            probes_bulk: modules.iter().any(|(name, _)| way_for(name, of_module(name), true).0 == LookupWay::BulkRead),
            modules,
        };
        let credits = counted(first.credits(), "API credit");
        let whom = self.service.client.target().label();
        self.screen.note(&format!("Asking {whom} what it is and allows: {credits}.\n"));
        let mut inquiry = std::mem::replace(&mut self.inquiry, DoctorInquiry::new());
        self.ask(first.jobs(), &mut inquiry);
        self.inquiry = inquiry;
    }

    /// Looks for the records, once its cost has been shown and nobody says no.
    fn search(&mut self, subject: Option<&Subject>) -> Result<(), Failure> {
        let Some(subject) = subject.filter(|subject| self.stop.is_none() && !subject.records.is_empty()) else {
            return Ok(());
        };
        let mut search =
            RecordSearch::new(subject.records.clone(), Polling::of(self.service.is_near, self.args.max_duration));
        let (jobs, credits, plan) = self.plan(&mut search);
        if let Some(max) = self.service.policy.max_credits
            && max.saturating_sub(self.totals.credits) < credits
        {
            self.not_searched = Some(NotSearched::OverBudget(credits));
            return Ok(());
        }
        if !jobs.is_empty() {
            self.screen.note(&plan);
        }
        if !jobs.is_empty() && !self.signals.asking(|| requests::may_go_on(self.args.yes, self.screen))? {
            self.not_searched = Some(NotSearched::Declined);
            return Ok(());
        }
        let looked_up = GaugeUnit::Things("records");
        let gauge = Gauge::new(self.screen.progress(), "looking up", looked_up, Box::new(io::stderr()));
        self.ask(jobs, &mut WatchedHandler::new(&mut search, gauge, RecordSearch::progress));
        self.search = Some(search);
        Ok(())
    }

    /// What is asked for each module, what it costs at least, and the same for people.
    fn plan(&self, search: &mut RecordSearch) -> (Vec<DoctorJob>, u64, String) {
        let facts = &self.inquiry.facts;
        let has_bulk = facts.bulk.known().is_some();
        let (mut jobs, mut credits, mut text) = (Vec::new(), 0, String::new());
        for at in 0..search.modules.len() {
            let (name, records) = (search.modules[at].name.clone(), search.modules[at].wanted.len());
            let is_there = |list: &[crate::doctor::answers::ServiceModule]| list.iter().any(|one| one.api_name == name);
            if matches!(&facts.modules, Learnt::Known(list) if !is_there(list)) {
                search.skip(at);
                continue;
            }
            let (way, cost) = way_for(&name, records, has_bulk);
            credits += cost;
            let how = match way {
                LookupWay::Coql => format!("by id, {}", counted(cost, "API credit")),
                LookupWay::BulkRead => format!(
                    "by Bulk Read, {} for each 200,000 records of the module and 1 for each look at the job",
                    counted(cost, "API credit")
                ),
            };
            text += &format!("{name}: {} {how}\n", counted(records, "record"));
            jobs.extend(search.begin(at, way));
        }
        text += &format!(
            "Together {} at least; if some are missing, up to {} more for each module to learn who deleted them.\n",
            counted(credits, "API credit"),
            count(2 * 10_u64)
        );
        (jobs, credits, text)
    }

    /// Asks all of these, with what is left of the credits.
    fn ask(&mut self, jobs: Vec<DoctorJob>, handler: &mut dyn RequestHandler<DoctorJob, DoctorAnswer>) {
        let policy = &self.service.policy;
        let max_credits = policy.max_credits.map(|max| max.saturating_sub(self.totals.credits));
        let mut engine = RequestEngine::new(RequestPolicy { max_credits, ..policy.clone() });
        jobs.into_iter().for_each(|job| engine.push(job));
        let port = ClientExaminer(&self.service.client);
        let ending = self.signals.during(|stop| driver::run(engine, policy.concurrency, &port, handler, stop));
        self.totals.requests += ending.totals.requests;
        self.totals.credits += ending.totals.credits;
        self.totals.throttled += ending.totals.throttled;
        self.stop = ending
            .stop
            .map(|stop| DoctorStop { kind: DoctorStopKind::of_stop(&stop), words: requests::stopped(&stop, policy) });
    }

    fn access(&self) -> DoctorAccess {
        let client = &self.service.client;
        let ahead = client.server_time().map(|time| time.as_second() - Timestamp::now().as_second());
        DoctorAccess {
            source: self.service.access.source.clone(),
            target: client.target(),
            proxy: self.service.proxy.clone(),
            granted: self.granted(),
            clock_ahead: ahead,
            credits_left: client.credits_left(),
        }
    }
}

/// Rows that are wrong are the user's to mend; anything else that fails stands in the way of a run; a warning is worth a
/// look.
fn exit(findings: &[DoctorFinding], stop: Option<&DoctorStop>, signal: Option<Exit>) -> Exit {
    let of_finding = |finding: &DoctorFinding| match (finding.status, finding.check) {
        (CheckStatus::Fail, DoctorCheck::Manifest | DoctorCheck::Records | DoctorCheck::Crosswalk) => Exit::Unsound,
        (CheckStatus::Fail, _) => Exit::Stopped,
        (CheckStatus::Warn, _) => Exit::SomeFailed,
        (CheckStatus::Ok | CheckStatus::NotAsked, _) => Exit::Done,
    };
    let of_signal =
        stop.filter(|stop| stop.kind == DoctorStopKind::Signal).map(|_| signal.unwrap_or(Exit::Interrupted));
    findings.iter().map(of_finding).chain(of_signal).max().unwrap_or(Exit::Done)
}

/// Nothing may be lost to a slip of the hand where the rows to mend are written.
fn may_hold_problems(path: &std::path::Path, manifest: &std::path::Path) -> anyhow::Result<()> {
    if crate::results::is_same_file(manifest, path) {
        return Err(anyhow!("{} is the manifest; name another file with --problems", path.display()));
    }
    if path.metadata().is_ok_and(|file| file.is_file() && file.len() > 0) {
        return Err(anyhow!(
            "{} is there already and may hold rows that you have mended; remove it, or name another file with --problems",
            path.display()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_wrong_speak_before_anything_else_and_a_gap_says_nothing() {
        let one = |check, status| DoctorFinding { check, status, detail: String::new(), advice: None };
        let (ok, warn) = (one(DoctorCheck::Clock, CheckStatus::NotAsked), one(DoctorCheck::Clock, CheckStatus::Warn));
        let (scopes, rows) =
            (one(DoctorCheck::Scopes, CheckStatus::Fail), one(DoctorCheck::Records, CheckStatus::Fail));
        let exit = |findings: &[&DoctorFinding]| {
            let findings: Vec<DoctorFinding> = findings.iter().map(|finding| (*finding).clone()).collect();
            exit(&findings, None, None).code()
        };
        assert_eq!((exit(&[&ok]), exit(&[&ok, &warn]), exit(&[&warn, &scopes])), (0, 1, 4));
        assert_eq!(exit(&[&scopes, &rows, &warn]), 3);
        let signal = DoctorStop { kind: DoctorStopKind::Signal, words: String::new() };
        assert_eq!(super::exit(&[ok], Some(&signal), Some(Exit::Terminated)), Exit::Terminated);
    }
}
