//! A crosswalk from the service itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use anyhow::anyhow;
use jiff::Timestamp;

use super::port::ClientLookup;
use super::summary::{CrosswalkSummary, LookedUp, ModuleSummary};
use super::{CrosswalkArgs, Screen, wording};
use crate::cli::config::{self, UserFile};
use crate::cli::failure::Failure;
use crate::cli::requests::{self, ReachedService, WatchedHandler};
use crate::cli::signals::StepSignals;
use crate::console::gauge::{Gauge, GaugeUnit};
use crate::crosswalk::CrosswalkRules as _;
use crate::crosswalk::cost::{LookupSize, LookupWay, choose_way};
use crate::crosswalk::lookup::{Lookup, LookupAnswer, LookupJob, LookupModule, Polling};
use crate::crosswalk::wanted::{WantedKeys, WantedSpellings};
use crate::crosswalk::writer::{CrosswalkOrigin, CrosswalkRow};
use crate::engine::StopSignal;
use crate::engine::requests::driver::{self, RequestEnding};
use crate::engine::requests::{RequestEngine, RequestHandler, RequestPolicy, RequestStop, RequestTotals};
use crate::exit::Exit;
use crate::manifest::{self, HeadingRules, Input, ReadOptions};
use crate::units;
use crate::upload::RecordId;
use crate::zoho::Client;

/// Looks the keys up and writes the file.
pub(super) fn run(args: &CrosswalkArgs, to: &Path, screen: Screen) -> Result<Exit, Failure> {
    let modules = modules(args)?;
    let wanted = args.for_manifest.as_deref().map(|path| wanted(path, args)).transpose()?;
    let service = ServiceReader::reach(args)?;
    let mut lookup = Lookup::new(modules, service.polling);
    let signals = StepSignals::listen(
        screen,
        "interrupted again: ended at once; no crosswalk was written, and nothing was changed",
    )
    .map_err(Failure::usage)?;
    let jobs = lookup.first_jobs().collect();
    let modules = lookup.modules.clone();
    let nothing_yet = RequestTotals::default();
    let first = signals.during(|stop| service.ask(&mut lookup, modules, jobs, stop, nothing_yet));
    end_if_failed(&lookup, &first, signals.exit())?;
    let plan = plan(&lookup, wanted.as_ref(), args)?;
    screen.note(&plan.human(&lookup));
    if !signals.asking(|| requests::may_go_on(args.yes, screen))? {
        screen.say("Nothing was asked for, nothing was written.\n");
        return Ok(Exit::Stopped);
    }
    let (jobs, modules) = (plan.jobs(&lookup), lookup.modules.clone());
    let second = signals.during(|stop| {
        let gauge = Gauge::new(screen.progress(), "looking up", plan.counted(), Box::new(io::stderr()));
        let mut watched = WatchedHandler::new(&mut lookup, gauge, |lookup| plan.progress(lookup));
        service.ask(&mut watched, modules, jobs, stop, first.totals)
    });
    end_if_failed(&lookup, &second, signals.exit())?;
    let counts = sum(first.totals, second.totals);
    let rows = rows(&lookup, wanted.as_ref())?;
    let modules = plan.modules.iter().map(|planned| planned.summary(&lookup, &rows, wanted.as_ref())).collect();
    let looked_up = LookedUp {
        modules,
        counts,
        damaged_keys: wanted.as_ref().map_or(0, |wanted| wanted.damaged),
        modules_not_asked: plan.not_asked.clone(),
        args,
    };
    let origins = origins(&lookup);
    let origin = |module: &str| origins.get(module).cloned().unwrap_or_default();
    let written = super::write(to, rows, origin)?;
    let summary = CrosswalkSummary::of_lookup(to, &written, looked_up);
    super::show(&summary, args, screen)?;
    Ok(summary.status())
}

fn modules(args: &CrosswalkArgs) -> Result<Vec<LookupModule>, Failure> {
    let names = super::names(args)?;
    let mut modules: Vec<LookupModule> = Vec::new();
    for text in &args.fields {
        let wrong = || anyhow!("\"{text}\" is not MODULE=FIELD, such as Contacts=Legacy_Id");
        let (name, named) = text.split_once('=').ok_or_else(|| Failure::usage(wrong()))?;
        let (name, named) = (name.trim().to_owned(), named.trim().to_owned());
        if name.is_empty() || named.is_empty() {
            return Err(Failure::usage(wrong()));
        }
        names.module(&name).map_err(|(message, hint)| Failure::usage(anyhow!("{message}; {hint}")))?;
        if modules.iter().any(|module| module.name == name) {
            let what = anyhow!("{name} is named twice; a crosswalk has one field for each module");
            return Err(Failure::usage(what));
        }
        modules.push(LookupModule { name, named, field: None, failure: None });
    }
    Ok(modules)
}

/// The keys that a manifest names.
fn wanted(path: &Path, args: &CrosswalkArgs) -> Result<WantedKeys, Failure> {
    let headings = HeadingRules { rules: args.column.clone(), ignore_unknown: false };
    let options =
        ReadOptions { encoding: args.encoding, sheet: args.sheet.clone(), headings, ..ReadOptions::default() };
    let manifest = manifest::open(&Input::Path(path.to_owned()), &options).map_err(Failure::usage)?;
    let wanted = WantedKeys::of(manifest);
    if wanted.by_module.is_empty() {
        let what = anyhow!("no row of {} names its record by a key, so there is nothing to look up", path.display());
        return Err(Failure { exit: Exit::Unsound, error: what });
    }
    Ok(wanted)
}

/// Who is asked, and how gently.
struct ServiceReader {
    client: Client,
    policy: RequestPolicy,
    polling: Polling,
}

impl ServiceReader {
    fn reach(args: &CrosswalkArgs) -> Result<ServiceReader, Failure> {
        let user = config::user_file().map_or(Ok(UserFile::default()), |path| UserFile::load(&path));
        let user = user.map_err(Failure::usage)?;
        let ReachedService { client, policy, is_near, .. } = requests::reach(&args.target, &args.pace, &user)?;
        Ok(ServiceReader { client, policy, polling: Polling::of(is_near, args.max_duration) })
    }

    /// Asks what the look-up wants to know, with what is left of the credits.
    fn ask(
        &self,
        handler: &mut dyn RequestHandler<LookupJob, LookupAnswer>,
        modules: Vec<LookupModule>,
        jobs: Vec<LookupJob>,
        stop: &StopSignal,
        spent: RequestTotals,
    ) -> RequestEnding<LookupJob> {
        let max_credits = self.policy.max_credits.map(|max| max.saturating_sub(spent.credits));
        let mut engine = RequestEngine::new(RequestPolicy { max_credits, ..self.policy.clone() });
        jobs.into_iter().for_each(|job| engine.push(job));
        let port = ClientLookup { client: &self.client, modules };
        driver::run(engine, self.policy.concurrency, &port, handler, stop)
    }
}

/// A look-up that did not come to its end has no result.
fn end_if_failed(lookup: &Lookup, ending: &RequestEnding<LookupJob>, signal: Option<Exit>) -> Result<(), Failure> {
    let failed = lookup.modules.iter().filter_map(|module| Some((module, module.failure.as_ref()?)));
    let failed: Vec<_> = failed.collect();
    if let Some((_, first)) = failed.first() {
        let lines: Vec<String> = failed.iter().map(|(module, why)| wording::failure(module, why)).collect();
        return Err(Failure { exit: wording::status(first), error: anyhow!(lines.join("\n")) });
    }
    match &ending.stop {
        None => Ok(()),
        Some(RequestStop::Signal) => {
            let exit = signal.unwrap_or(Exit::Interrupted);
            Err(Failure { exit, error: anyhow!(wording::stop(&RequestStop::Signal)) })
        }
        Some(stop) => Err(Failure { exit: Exit::Stopped, error: anyhow!(wording::stop(stop)) }),
    }
}

/// What is going to be asked.
struct LookupPlan {
    modules: Vec<PlannedModule>,
    credits: u64,
    /// Modules of the manifest with keys that no field was named for.
    not_asked: Vec<String>,
}

struct PlannedModule {
    at: usize,
    /// `None` where the manifest names no key of it, so that nothing is asked.
    way: Option<LookupWay>,
    credits: u64,
    spellings: Vec<String>,
}

fn plan(lookup: &Lookup, wanted: Option<&WantedKeys>, args: &CrosswalkArgs) -> Result<LookupPlan, Failure> {
    let modules: Vec<PlannedModule> = (0..lookup.modules.len()).map(|at| plan_module(lookup, at, wanted)).collect();
    let credits = modules.iter().map(|module| module.credits).sum();
    if let Some(max) = args.pace.max_credits.filter(|max| *max < credits) {
        let what =
            anyhow!("it takes {credits} API credits at least, and --max-credits allows {max}. No file was written");
        return Err(Failure { exit: Exit::Stopped, error: what });
    }
    let is_asked = |name: &&String| lookup.modules.iter().any(|module| module.name == **name);
    let all = wanted.into_iter().flat_map(|wanted| wanted.by_module.keys());
    Ok(LookupPlan { modules, credits, not_asked: all.filter(|name| !is_asked(name)).cloned().collect() })
}

fn plan_module(lookup: &Lookup, at: usize, wanted: Option<&WantedKeys>) -> PlannedModule {
    let module = &lookup.modules[at];
    let field = module.field.as_ref();
    let is_number = field.is_some_and(|field| field.is_number);
    let spellings = wanted.map(|wanted| {
        let mut spellings =
            wanted.spellings(&module.name).unwrap_or(WantedSpellings { all: Vec::new(), has_unlisted: false });
        // No number is spelled with letters, so no record has such a key.
        spellings.all.retain(|key| !is_number || key.bytes().all(|byte| byte.is_ascii_digit()));
        spellings
    });
    if spellings.as_ref().is_some_and(|spellings| spellings.all.is_empty()) {
        return PlannedModule { at, way: None, credits: 0, spellings: Vec::new() };
    }
    let is_blind = field.is_some_and(|field| field.is_blind_to_case);
    let size = LookupSize {
        spellings: spellings.as_ref().map(|spellings| spellings.all.len()),
        has_unlisted: spellings.as_ref().is_some_and(|spellings| spellings.has_unlisted) && !is_blind,
        in_list: lookup.in_list,
    };
    let (way, credits) = choose_way(size);
    PlannedModule {
        at,
        way: Some(way),
        credits,
        spellings: spellings.map(|spellings| spellings.all).unwrap_or_default(),
    }
}

impl LookupPlan {
    fn jobs(&self, lookup: &Lookup) -> Vec<LookupJob> {
        let jobs =
            self.modules.iter().filter_map(|module| Some(lookup.jobs_of(module.at, module.way?, &module.spellings)));
        jobs.flatten().collect()
    }

    /// Values to ask for by lists; 0 where whole modules are read.
    fn listed(&self) -> u64 {
        let by_list = self.modules.iter().filter(|module| module.way == Some(LookupWay::Coql));
        by_list.map(|module| module.spellings.len() as u64).sum()
    }

    /// What progress is counted in: how many records a module has is known when all of them are there.
    fn counted(&self) -> GaugeUnit {
        GaugeUnit::Things(if self.listed() > 0 { "spellings" } else { "keys found" })
    }

    fn progress(&self, lookup: &Lookup) -> (u64, Option<u64>) {
        match self.listed() {
            0 => (lookup.found.len() as u64, None),
            of => (lookup.listed, Some(of)),
        }
    }

    /// What is going to be asked, and what it costs.
    fn human(&self, lookup: &Lookup) -> String {
        let mut text = String::new();
        for planned in &self.modules {
            let module = &lookup.modules[planned.at];
            let field = module.field.as_ref().map_or(&module.named, |field| &field.api_name);
            let keys = units::counted(planned.spellings.len(), "spelling");
            let credits = units::counted(planned.credits, "API credit");
            text += &match planned.way {
                None => format!("{}: nothing to ask for\n", module.name),
                Some(LookupWay::Coql) => format!("{}: {keys} in {field} by COQL, {credits}\n", module.name),
                Some(LookupWay::BulkRead) => format!(
                    "{}: all of {field} by Bulk Read, {credits} for each 200,000 records and 1 for each look at the job\n",
                    module.name
                ),
            };
        }
        text + &format!("Together {} at least.\n", units::counted(self.credits, "API credit"))
    }
}

impl PlannedModule {
    fn summary(&self, lookup: &Lookup, rows: &[CrosswalkRow], wanted: Option<&WantedKeys>) -> ModuleSummary {
        let module = &lookup.modules[self.at];
        let field = module.field.as_ref().map_or(&module.named, |field| &field.api_name);
        let none = BTreeSet::new();
        let wanted = wanted.map(|wanted| wanted.by_module.get(&module.name).unwrap_or(&none));
        let way = match self.way {
            None => "none",
            Some(LookupWay::Coql) => "coql",
            Some(LookupWay::BulkRead) => "bulk-read",
        };
        ModuleSummary::of(&module.name, field, Some(way), rows, wanted)
    }
}

/// The lines to write: what was found, without what the manifest does not name.
fn rows(lookup: &Lookup, wanted: Option<&WantedKeys>) -> Result<Vec<CrosswalkRow>, Failure> {
    let is_wanted = wanted.map(WantedKeys::filter);
    let mut rows = Vec::with_capacity(lookup.found.len());
    for found in &lookup.found {
        let module = &lookup.modules[found.module].name;
        if is_wanted.as_ref().is_some_and(|is_wanted| !is_wanted.has(module, &found.key)) {
            continue;
        }
        let record = RecordId::new(found.record).ok_or_else(|| Failure {
            exit: Exit::Stopped,
            error: anyhow!(
                "the service names a record {} of {module}, which is no record id. No file was written",
                found.record
            ),
        })?;
        rows.push(CrosswalkRow { module: module.clone(), key: found.key.clone(), record });
    }
    Ok(rows)
}

fn origins(lookup: &Lookup) -> BTreeMap<String, CrosswalkOrigin> {
    let read_at = Timestamp::now().round(jiff::Unit::Second).unwrap_or_default().to_string();
    let org = lookup.organisation.clone().unwrap_or_default();
    let origin = |module: &LookupModule| {
        let field = module.field.as_ref().map_or(&module.named, |field| &field.api_name).clone();
        (module.name.clone(), CrosswalkOrigin { field, org: org.clone(), read_at: read_at.clone() })
    };
    lookup.modules.iter().map(origin).collect()
}

fn sum(one: RequestTotals, other: RequestTotals) -> RequestTotals {
    RequestTotals {
        requests: one.requests + other.requests,
        credits: one.credits + other.credits,
        throttled: one.throttled + other.throttled,
    }
}
