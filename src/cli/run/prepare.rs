//! From the command line, the environment and the settings files to the options of each module.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::{approved, moved, owner, selection};
use crate::check::{self, Checkup};
use crate::cli::args::RunArgs;
use crate::cli::config::{self, Access, UserFile};
use crate::cli::failure::Failure;
use crate::cli::screen::Screen;
use crate::cli::values::{ProgressMode, ResendChoice};
use crate::console::problems::{CheckReport, quoted_lines};
use crate::console::progress::{self, Mode};
use crate::content::FingerprintKind;
use crate::engine;
use crate::exit::Exit;
use crate::manifest;
use crate::owner::{CrmOwner, KnownOwner};
use crate::plan::facts::{ChangedFiles, TargetFacts, Warning};
use crate::plan::recognise::{ChangedRule, OtherResults, RecogniseOptions};
use crate::plan::selection::Selection;
use crate::plan::{self, Plan};
use crate::results;
use crate::text::system_words;
use crate::zoho::{
    ApiVersion, Client, ClientError, Credentials, HttpOptions, Proxies, Target, TargetError, TokenOptions,
};

/// What the results call a rehearsal.
const REHEARSAL: &str = "sandbox";

/// Everything that a run is told, before it reads the manifest.
pub(super) struct Prepared {
    pub(super) args: RunArgs,
    pub(super) screen: Screen,
    pub(super) input: manifest::Input,
    pub(super) read: manifest::ReadOptions,
    pub(super) check: check::CheckOptions,
    pub(super) results: results::ResultsOptions,
    pub(super) recognise: RecogniseOptions,
    /// Which rows the run is about.
    pub(super) selection: Selection,
    pub(super) plan: plan::PlanOptions,
    /// What the results call the target; empty in a dry run that names none.
    pub(super) target: String,
    version: ApiVersion,
    way: Way,
}

/// Where a run sends to, and how it gets there.
enum Way {
    /// To a server of its own on this machine; real credentials are not even looked at.
    Rehearsal,
    /// Nowhere: a dry run that names no target.
    Nowhere,
    /// To the service.
    Real(Box<Real>),
}

struct Real {
    target: Target,
    access: Access,
    http: HttpOptions,
}

impl Way {
    /// Decides, with what a dry run should be told.
    fn choose(args: &RunArgs, user: &UserFile, concurrency: u32) -> Result<(Way, Vec<Warning>), Failure> {
        if args.sandbox {
            return Ok((Way::Rehearsal, Vec::new()));
        }
        let access = config::access(&args.target, user, |name| std::env::var(name).ok(), io::stdin().lock())
            .map_err(Failure::usage)?;
        let http = HttpOptions {
            concurrency: concurrency as usize,
            bandwidth: args.run_pace.bandwidth,
            ..config::http(&args.target, access.ca_file.clone()).map_err(Failure::usage)?
        };
        // A run would find out when it connects, and a dry run is there to find out before.
        http.check_ca_file().map_err(Failure::usage)?;
        let target = match access.place.target() {
            Ok(target) => target,
            Err(TargetError::Missing) if args.dry_run => {
                let message = "no target is named; a real run needs --dc, --api-domain or a profile";
                return Ok((Way::Nowhere, vec![Warning::new("no-target", message)]));
            }
            Err(error) => return Err(Failure::usage(error)),
        };
        if access.credentials.is_empty() {
            let missing = ClientError::NoCredentials;
            if !args.dry_run {
                return Err(Failure::usage(missing));
            }
            let warning = Warning::new("no-credentials", missing.to_string());
            return Ok((Way::Real(Box::new(Real { target, access, http })), vec![warning]));
        }
        let target = if args.dry_run { target } else { completed(target, &access, &http)? };
        Ok((Way::Real(Box::new(Real { target, access, http })), Vec::new()))
    }

    /// What the results call the target; empty where there is none.
    fn label(&self) -> String {
        match self {
            Way::Rehearsal => REHEARSAL.to_owned(),
            Way::Nowhere => String::new(),
            Way::Real(real) => real.target.label(),
        }
    }

    fn version(&self, args: &RunArgs) -> ApiVersion {
        match self {
            Way::Rehearsal | Way::Nowhere => args.target.api_version.unwrap_or_default(),
            Way::Real(real) => real.target.version(),
        }
    }

    fn facts(&self, version: ApiVersion) -> Option<TargetFacts> {
        match self {
            Way::Rehearsal => Some(rehearsal_facts(version)),
            Way::Nowhere => None,
            Way::Real(real) => Some(target_facts(&real.target, &real.access, &real.http.proxies)),
        }
    }
}

/// The target with the API domain that the token names, where the user named none: the results must know from their
/// first line where they belong.
fn completed(target: Target, access: &Access, http: &HttpOptions) -> Result<Target, Failure> {
    if target.names_api() {
        return Ok(target);
    }
    let client = client(&target, &access.credentials, http)?;
    client.find_target().map_err(|reply| Failure { exit: Exit::Stopped, error: anyhow!("{}", reply.message) })
}

fn client(target: &Target, credentials: &Credentials, http: &HttpOptions) -> Result<Client, Failure> {
    let tokens = TokenOptions { cache_folder: config::token_folder(), ..TokenOptions::default() };
    Client::new(target.clone(), credentials.clone(), http, tokens).map_err(Failure::usage)
}

impl Prepared {
    /// Whether rows are to be sent again that a verification found missing.
    pub(super) fn resends_missing(&self) -> bool {
        self.args.existing.resend.contains(&ResendChoice::Missing)
    }

    /// Somebody who can ask the service before the run; nobody in a rehearsal, or where no target is named.
    pub(super) fn reader(&self) -> Result<Option<Client>, Failure> {
        match &self.way {
            Way::Real(real) => client(&real.target, &real.access.credentials, &real.http).map(Some),
            Way::Rehearsal | Way::Nowhere => Ok(None),
        }
    }

    /// # Errors
    ///
    /// What the user must say otherwise.
    pub(super) fn new(mut args: RunArgs, screen: Screen) -> Result<Prepared, Failure> {
        let input = input(&args.manifest);
        let user = match config::user_file() {
            Some(path) => UserFile::load(&path).map_err(Failure::usage)?,
            None => UserFile::default(),
        };
        let beside = match &input {
            manifest::Input::Path(path) => config::beside(path, &user.run).map_err(Failure::usage)?,
            manifest::Input::Stdin => config::RunSettings::default(),
        };
        beside.over(user.run.clone()).fill(&mut args);
        // A slip in a fault is told before a long manifest is read for it.
        #[cfg(feature = "sandbox")]
        crate::cli::sandbox::parse_faults(&args.sandbox_fault).map_err(Failure::usage)?;
        let engine = engine_settings(&args);
        let (way, warnings) = Way::choose(&args, &user, engine.concurrency)?;
        let version = way.version(&args);
        let results_path = args.out.results.clone().unwrap_or_else(|| default_results(&input, args.sandbox));
        if let manifest::Input::Path(path) = &input
            && results::is_same_file(path, &results_path)
        {
            let what = format!("{} is the manifest; the results need a file of their own", results_path.display());
            return Err(Failure::usage(anyhow!(what)));
        }
        for path in &args.read.crosswalk {
            // A slip in a name is told before a long manifest is read for it.
            if let Err(error) = std::fs::File::open(path) {
                let (path, why) = (path.display(), system_words(&error));
                return Err(Failure::usage(anyhow!("cannot read the crosswalk {path}: {why}")));
            }
        }
        if let Some(path) = &args.approved.save_plan {
            approved::may_hold_plan(path).map_err(Failure::usage)?;
            if matches!(way, Way::Nowhere) {
                let what = "a saved plan says where it goes: name the target with --dc, --api-domain or a profile";
                return Err(Failure::usage(anyhow!(what)));
            }
        }
        if let Some(path) = &args.out.problems {
            may_hold_problems(path, &input, &results_path).map_err(Failure::usage)?;
        }
        let target = way.label();
        Ok(Prepared {
            read: args.read.options(),
            check: check_settings(&args, version),
            results: results::ResultsOptions {
                target: (!target.is_empty()).then(|| target.clone()),
                accept_edited: args.existing.accept_edited_results,
                afresh: args.sandbox && args.out.results.is_none(),
                mark: results::MarkRule::Heed,
                ours: args.existing.moved.is_some() || args.existing.renamed.is_some(),
            },
            recognise: RecogniseOptions {
                resend: resend(&args.existing.resend),
                changed: changed_rule(&args.existing.resend),
                watch: check::ChecksumWatch::default(),
                moved: moved::rule(args.existing.moved.as_deref()).map_err(Failure::usage)?,
                renamed: args.existing.renamed.unwrap_or_default(),
                bases: results::bases_of_runs(&results_path),
                others: other_results(&args, &target, &results_path),
            },
            selection: selection::selection(&args.select).map_err(Failure::usage)?,
            plan: plan::PlanOptions {
                results: results_path,
                target: way.facts(version),
                engine,
                bandwidth: args.run_pace.bandwidth,
                credits_per_day: args.run_pace.credits_per_day,
                flags: switches(&args),
                crosswalk: None,
                changed_files: ChangedFiles::default(),
                warnings,
            },
            target,
            version,
            way,
            input,
            screen,
            args,
        })
    }

    /// The version of the API.
    pub(super) fn version(&self) -> ApiVersion {
        self.version
    }

    /// Whose client the credentials are, as far as nobody has to be asked; `None` for a bare token.
    pub(super) fn client_owner(&self) -> Option<CrmOwner> {
        match &self.way {
            Way::Real(real) => owner::of_client(&real.access.credentials),
            Way::Rehearsal | Way::Nowhere => None,
        }
    }

    /// The manifest as the user called it.
    pub(super) fn manifest_name(&self) -> String {
        self.args.manifest.display().to_string()
    }

    /// Whether it sends to somebody's CRM: neither to a server of its own nor to any other on this machine.
    pub(super) fn is_for_real(&self) -> bool {
        match &self.way {
            Way::Rehearsal | Way::Nowhere => false,
            Way::Real(real) => !real.target.api().is_loopback(),
        }
    }

    /// The scopes that the profile says were granted; none where there is no profile, or it does not say.
    pub(super) fn scopes_of_profile(&self) -> &[String] {
        match &self.way {
            Way::Real(real) => &real.access.scopes,
            Way::Rehearsal | Way::Nowhere => &[],
        }
    }

    /// What the check found, for showing.
    pub(super) fn found<'a>(&self, name: &'a str, checkup: &'a Checkup) -> CheckReport<'a> {
        CheckReport {
            manifest: name,
            sheet: checkup.manifest.sheet.as_deref(),
            problems: &checkup.problems,
            rows: checkup.rows,
            sound: checkup.sound,
            skipping: self.check.skip_invalid,
            every: false,
        }
    }

    /// The lines of the manifest that are shown with their problems. One that cannot be read again is shown without.
    pub(super) fn quoted(&self, checkup: &Checkup, every: bool) -> BTreeMap<u32, String> {
        checkup.manifest.lines(&quoted_lines(&checkup.problems, every)).unwrap_or_default()
    }

    /// How progress is shown.
    pub(super) fn progress(&self) -> progress::ProgressOptions {
        // Requests are told as they come, which a block that stays in its place would be torn by.
        let live = io::stderr().is_terminal() && self.screen.verbose < 2;
        let mode = match self.args.out.progress {
            ProgressMode::Auto if self.screen.quiet => Mode::Off,
            ProgressMode::Auto if live => Mode::Live,
            ProgressMode::Auto | ProgressMode::Plain => Mode::Plain,
            ProgressMode::Json => Mode::Json,
            ProgressMode::Off => Mode::Off,
        };
        progress::ProgressOptions { mode, look: self.screen.err_look(), verbose: self.screen.verbose > 0 }
    }

    /// How the fingerprints of what is sent are made.
    pub(super) fn fingerprints(&self) -> FingerprintKind {
        if self.args.out.sha256 { FingerprintKind::Sha256 } else { FingerprintKind::Xxh3 }
    }

    /// As many threads as requests at once: each thread does one at a time.
    pub(super) fn threads(&self) -> usize {
        self.plan.engine.concurrency as usize
    }

    /// The settings that apply, by the names of their options.
    pub(super) fn options(&self) -> BTreeMap<String, String> {
        let engine = &self.plan.engine;
        let mut options = BTreeMap::from([
            ("api-version".to_owned(), self.version.to_string()),
            ("concurrency".to_owned(), engine.concurrency.to_string()),
            ("rate".to_owned(), engine.rate.to_string()),
            ("retries".to_owned(), engine.retries.to_string()),
            ("settle-time".to_owned(), format!("{}s", engine.settle_time.as_secs_f64())),
        ]);
        let limit = engine.limit.map(|limit| ("limit".to_owned(), limit.to_string()));
        options.extend(limit);
        if !self.selection.is_everything() {
            options.insert("selection".to_owned(), self.selection.in_words());
        }
        options.extend(self.plan.flags.iter().map(|flag| (flag.trim_start_matches('-').to_owned(), String::new())));
        options
    }
}

/// Whom a run sends to: a client, and in a rehearsal the server behind it.
pub(super) struct Destination {
    client: Client,
    #[cfg(feature = "sandbox")]
    _server: Option<crate::sandbox::SandboxServer>,
}

impl Destination {
    /// Makes ready to send. In a rehearsal this starts the server; real credentials stay untouched then.
    ///
    /// # Errors
    ///
    /// No usable credentials, certificates or proxy; no server.
    pub(super) fn reach(prepared: &Prepared, plan: &Plan) -> Result<Destination, Failure> {
        match &prepared.way {
            Way::Real(real) => Ok(Destination {
                client: client(&real.target, &real.access.credentials, &real.http)?
                    .with_fingerprints(prepared.fingerprints()),
                #[cfg(feature = "sandbox")]
                _server: None,
            }),
            Way::Rehearsal | Way::Nowhere => rehearse(prepared, plan),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Whose CRM it is, as far as that can be found out before anything is sent. A rehearsal is nobody's.
    pub(super) fn owner(&self, prepared: &Prepared) -> KnownOwner {
        match &prepared.way {
            Way::Real(real) => owner::learn(&self.client, &real.access.credentials),
            Way::Rehearsal | Way::Nowhere => KnownOwner::default(),
        }
    }
}

#[cfg(feature = "sandbox")]
fn rehearse(prepared: &Prepared, plan: &Plan) -> Result<Destination, Failure> {
    let server = crate::cli::sandbox::embedded(plan.modules().to_vec(), &prepared.args.sandbox_fault);
    let failed = |error| anyhow!("the server of the rehearsal cannot be started: {}", system_words(&error));
    let server = server.map_err(|error| Failure::usage(failed(error)))?;
    let target = Target::rehearsal(server.url(), prepared.version).map_err(Failure::usage)?;
    let token = crate::zoho::Secret::new(server.token()).map_err(Failure::usage)?;
    let http =
        HttpOptions { concurrency: prepared.threads(), bandwidth: prepared.plan.bandwidth, ..HttpOptions::default() };
    let client = Client::new(target, Credentials::token(token), &http, TokenOptions::default());
    let client = client.map_err(Failure::usage)?.with_fingerprints(prepared.fingerprints());
    Ok(Destination { client, _server: Some(server) })
}

#[cfg(not(feature = "sandbox"))]
fn rehearse(_prepared: &Prepared, _plan: &Plan) -> Result<Destination, Failure> {
    Err(Failure::usage(anyhow!("this build has no rehearsal server; build it with the feature `sandbox`")))
}

fn input(manifest: &Path) -> manifest::Input {
    if manifest == Path::new("-") { manifest::Input::Stdin } else { manifest::Input::Path(manifest.to_owned()) }
}

fn default_results(input: &manifest::Input, sandbox: bool) -> PathBuf {
    match input {
        manifest::Input::Path(path) => results::default_results(path, sandbox),
        manifest::Input::Stdin => results::default_results(Path::new("stdin.csv"), sandbox),
    }
}

fn target_facts(target: &Target, access: &Access, proxies: &Proxies) -> TargetFacts {
    TargetFacts {
        name: target.label(),
        address: Some(target.api().to_string()),
        version: target.version().to_string(),
        rehearsal: false,
        whom: (!access.credentials.is_empty()).then(|| access.source.clone()),
        owner: None,
        proxy: proxies.shown_for(target.api()),
    }
}

fn rehearsal_facts(version: ApiVersion) -> TargetFacts {
    TargetFacts {
        name: REHEARSAL.to_owned(),
        address: None,
        version: version.to_string(),
        rehearsal: true,
        whom: None,
        owner: None,
        proxy: None,
    }
}

fn check_settings(args: &RunArgs, version: ApiVersion) -> check::CheckOptions {
    check::CheckOptions {
        version,
        custom_modules: args.read.custom_module.clone(),
        crosswalks: args.read.crosswalk.clone(),
        skip_invalid: args.checks.skip_invalid,
        strict: args.checks.strict,
        allow_empty: args.checks.allow_empty,
        allow_identical: args.checks.allow_identical,
        allow_rounded_ids: args.checks.allow_rounded_ids,
        allow_outside: args.read.allow_outside,
        by_form_only: false,
        max_size: args.checks.max_size.unwrap_or(crate::crm::limits::MAX_REQUEST_BYTES),
        checksum_watch: check::ChecksumWatch::default(),
    }
}

/// Nothing may be lost to a slip of the hand where the rows to mend are written: not the manifest, perhaps the user's
/// only copy, not the results, which keep rows from being sent twice, and no rows that were mended before.
fn may_hold_problems(path: &Path, input: &manifest::Input, results: &Path) -> anyhow::Result<()> {
    let what = match input {
        manifest::Input::Path(manifest) if results::is_same_file(manifest, path) => "the manifest",
        _ if results::is_same_file(results, path) => "the results file",
        _ if results::is_same_file(&results::lock_of(results), path) => "the lock of the results",
        // A row or two in it may be mended already.
        _ if path.metadata().is_ok_and(|file| file.is_file() && file.len() > 0) => {
            return Err(anyhow!(
                "{} is there already and may hold rows that you have mended; remove it, or name another file with \
                 --problems",
                path.display()
            ));
        }
        _ => return Ok(()),
    };
    Err(anyhow!(
        "{} is {what}; the rows to mend need a file of their own: name another with --problems",
        path.display()
    ))
}

fn engine_settings(args: &RunArgs) -> engine::Policy {
    let standard = engine::Policy::default();
    // A rehearsal on this machine answers at once or not at all.
    let settle_time = if args.sandbox { std::time::Duration::ZERO } else { standard.settle_time };
    engine::Policy {
        concurrency: args.pace.concurrency.map_or(standard.concurrency, u32::from),
        rate: args.pace.rate.unwrap_or(standard.rate),
        retries: args.again.retries.unwrap_or(standard.retries),
        backoff: args.again.backoff.unwrap_or(standard.backoff),
        settle_time: args.again.settle_time.unwrap_or(settle_time),
        if_exists: args.existing.if_exists.unwrap_or(standard.if_exists),
        assume: args.existing.assume,
        max_credits: args.pace.max_credits,
        keep_credits: args.pace.keep_credits.unwrap_or(standard.keep_credits),
        wait_for_credits: args.run_pace.wait_for_credits,
        limit: args.again.limit,
        max_failures: args.again.max_failures.unwrap_or(standard.max_failures),
        max_duration: args.again.max_duration,
        seed: fastrand::u64(..),
        ..standard
    }
}

fn resend(asked: &[ResendChoice]) -> results::ResendRules {
    let mut resend = results::ResendRules::default();
    for which in asked {
        match which {
            ResendChoice::Failed => resend.failed = true,
            ResendChoice::Unknown => resend.unknown = true,
            ResendChoice::Deleted => resend.deleted = true,
            // Which rows these are stands beside the results, or is seen at their files.
            ResendChoice::Missing | ResendChoice::Changed => {}
            ResendChoice::Code(code) => resend.codes.push(code.clone()),
        }
    }
    resend
}

fn changed_rule(asked: &[ResendChoice]) -> ChangedRule {
    if asked.contains(&ResendChoice::Changed) { ChangedRule::Resend } else { ChangedRule::Tell }
}

/// The results beside those of this run. A rehearsal creates nothing, a dry run without a target cannot compare.
fn other_results(args: &RunArgs, target: &str, results: &Path) -> OtherResults {
    let compares = !args.sandbox && !target.is_empty();
    OtherResults {
        beside: compares.then(|| results.to_owned()),
        target: target.to_owned(),
        send_all_the_same: args.existing.new_results,
        announces: !args.dry_run,
    }
}

/// The switches that are on, as typed: a plan shows what was let pass.
fn switches(args: &RunArgs) -> Vec<String> {
    let switches = [
        (args.checks.skip_invalid, "--skip-invalid"),
        (args.checks.strict, "--strict"),
        (args.checks.allow_empty, "--allow-empty"),
        (args.checks.allow_identical, "--allow-identical"),
        (args.checks.allow_rounded_ids, "--allow-rounded-ids"),
        (args.read.allow_outside, "--allow-outside"),
        (args.existing.accept_edited_results, "--accept-edited-results"),
        (args.existing.new_results, "--new-results"),
        (args.existing.same_organisation, "--same-organisation"),
        (args.run_pace.wait_for_credits, "--wait-for-credits"),
        (args.out.sha256, "--sha256"),
    ];
    switches.into_iter().filter(|(on, _)| *on).map(|(_, name)| name.to_owned()).collect()
}
