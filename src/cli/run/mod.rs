//! `attache run`: the whole of a run, from the manifest to the exit status. What each step does stands in its module.

mod approved;
pub(super) mod consent;
mod crosswalk_owner;
mod judge;
mod mend;
mod missing;
mod moved;
mod next_steps;
pub(super) mod owner;
pub(crate) mod ports;
mod prepare;
pub(crate) mod rows;
mod scopes;
mod selection;
mod status;

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use anyhow::anyhow;
use jiff::Timestamp;

use self::mend::MendFile;
use self::owner::OwnerCheck;
use self::ports::{ClientUploader, ResultsJournal, SentContents, UploadsUnderWay};
use self::prepare::{Destination, Prepared};
use self::rows::ManifestRows;
use super::args::RunArgs;
use super::failure::{Failure, OrExit};
use super::screen::{self, Screen};
use super::signals;
use super::values::Output;
use crate::check::{Checked, Checkup};
use crate::console::Look;
use crate::console::check::CheckOutput;
use crate::console::problems::CheckReport;
use crate::console::summary::{Summary, SummaryInput};
use crate::console::{self, progress, run_tally::Scope};
use crate::engine::worker_pool::{self, Ports};
use crate::engine::{Engine, StopSignal};
use crate::exit::Exit;
use crate::manifest::{self, Manifest};
use crate::owner::KnownOwner;
use crate::plan::facts::{CrosswalkFacts, Facts};
use crate::plan::recognise::Recognition;
use crate::plan::{self, Plan};
use crate::results::{
    self, EndError, Finished, GroupLog, KnownRuns, LockedResults, RealDisk, ResultsSnapshot, ResultsTally, Taking,
};
use crate::text::system_words;
use crate::units;
use crate::upload::RowKey;

/// Runs the command.
///
/// # Errors
///
/// Why nothing could be done, or why what was done could not be brought to its end.
pub fn run(args: RunArgs, screen: Screen) -> Result<Exit, Failure> {
    let mut prepared = Prepared::new(args, screen)?;
    let approved = approved::read(&prepared)?;
    // Before the results are locked, so that a mistyped name leaves no lock file behind.
    let manifest = open(&prepared)?;
    let found = Results::find(&prepared);
    if prepared.resends_missing() && found.is_ok() {
        let missing = missing::found(&prepared.plan.results, prepared.results.accept_edited)?;
        prepared.recognise.resend.missing = missing;
    }
    let (checkup, Recognition { takings, changes, related, announcement: _announced }) =
        judge::judge(&prepared, manifest, found.as_ref().ok())?;
    prepared.recognise.resend.changed = changes.resend;
    prepared.plan.changed_files = changes.told;
    prepared.plan.crosswalk = checkup.crosswalk.as_ref().map(CrosswalkFacts::from);
    show_problems(&prepared, &checkup)?;
    let to_mend = MendFile::after_check(&prepared, &checkup)?;
    // Of several troubles the manifest's speaks first, since it is the user's to mend.
    let mut results = match found {
        Err(error) if checkup.checked.is_some() => return Err(error),
        Err(error) => {
            screen.error(error);
            return Ok(Exit::Unsound);
        }
        Ok(results) => results,
    };
    let mut checkup = checkup;
    let crosswalk_owner = checkup.crosswalk.as_ref().and_then(|crosswalk| crosswalk.organisation.clone());
    let Some(checked) = checkup.checked.take() else {
        show_document(&prepared, &checkup, None)?;
        return Ok(Exit::Unsound);
    };
    say_what_was_torn(&prepared, results.seen());
    say_what_nobody_can_tell(&prepared, results.seen());
    check_that_nothing_is_missing(&prepared, results.seen())?;
    let missing = std::mem::take(&mut prepared.recognise.resend.missing);
    prepared.recognise.resend.missing = missing::to_send(&prepared, missing, &takings)?;
    results.take_over(takings, &checked);
    say_what_is_not_begun_anew(&prepared, results.seen());
    if related {
        results.seen_mut().belongs_to_manifest();
    }
    let selected = selection::select(&prepared, approved.as_ref(), &checked)?;
    let (manifest, seen, resend) = (&checkup.manifest, results.seen(), &prepared.recognise.resend);
    let plan = plan::plan_selected(manifest, checked, seen, resend, &prepared.plan, selected);
    let mut plan = plan.or_exit(Exit::Results)?;
    let differences = approved::differences(&prepared, approved.as_ref(), &checkup, &results, &plan)?;
    if !differences.is_empty() {
        checkup.problems = differences;
        show_problems(&prepared, &checkup)?;
        show_document(&prepared, &checkup, None)?;
        return Ok(Exit::Unsound);
    }
    approved::save(&prepared, &checkup, &results, &plan)?;
    match results {
        Results::Seen(seen) => {
            seen.belongs_to(&ManifestRows::new(&plan, &prepared.target, "")).or_exit(Exit::Results)?;
            show_document(&prepared, &checkup, Some(plan.facts()))?;
            if prepared.args.out.output == Output::Human {
                prepared.screen.print_note(&console::plan::render(plan.facts(), prepared.screen.out_look()))?;
            }
            Ok(status::of_dry_run(plan.facts()))
        }
        Results::Held(held) => {
            // The server of a rehearsal lives as long as the run does.
            let destination = if plan.is_empty() { None } else { Some(Destination::reach(&prepared, &plan)?) };
            let owner = destination.as_ref().map(|destination| destination.owner(&prepared)).unwrap_or_default();
            owner::check(&OwnerCheck::of_run(&prepared), held.seen(), &owner)?;
            approved::check_owner(&prepared, approved.as_ref(), &owner)?;
            if let Some(destination) = &destination {
                crosswalk_owner::compare(&prepared, destination, &owner, crosswalk_owner.as_deref())?;
                scopes::check(&prepared, destination, plan.facts())?;
            }
            owner::say(&prepared, &owner, &mut plan);
            show_plan(&prepared, plan.facts());
            if !plan.is_empty() && !consent::ask(&prepared, plan.facts())? {
                return Ok(Exit::Stopped);
            }
            let exit = execute(&prepared, &plan, *held, destination.as_ref(), &owner)?;
            if let Some(to_mend) = to_mend {
                to_mend.after_run(&prepared, &checkup, plan.checked())?;
            }
            Ok(exit)
        }
    }
}

/// The results of earlier runs: only looked at for a dry run, held by a lock for a real one.
enum Results {
    Seen(Box<ResultsSnapshot<RealDisk>>),
    Held(Box<LockedResults<RealDisk>>),
}

impl Results {
    fn find(prepared: &Prepared) -> Result<Results, Failure> {
        let (path, settings) = (&prepared.plan.results, &prepared.results);
        if prepared.args.dry_run {
            results::look(RealDisk, path, settings).map(|seen| Results::Seen(Box::new(seen))).or_exit(Exit::Results)
        } else {
            results::hold(RealDisk, path, settings).map(|held| Results::Held(Box::new(held))).or_exit(Exit::Results)
        }
    }

    /// Gives the lines of rows that are written otherwise today to these, as far as they are not left out.
    fn take_over(&mut self, takings: Vec<Taking>, checked: &Checked) {
        let left_out: HashSet<RowKey> = checked.left_out().iter().map(|row| row.key).collect();
        let takings = takings.into_iter().filter(|taking| !left_out.contains(&taking.to));
        self.seen_mut().take_over(takings);
    }

    fn seen_mut(&mut self) -> &mut ResultsSnapshot<RealDisk> {
        match self {
            Results::Seen(seen) => seen,
            Results::Held(held) => held.seen_mut(),
        }
    }

    fn seen(&self) -> &ResultsSnapshot<RealDisk> {
        match self {
            Results::Seen(seen) => seen,
            Results::Held(held) => held.seen(),
        }
    }
}

fn say_what_was_torn(prepared: &Prepared, seen: &ResultsSnapshot<RealDisk>) {
    if seen.torn() > 0 {
        let lines = units::counted(seen.torn(), "line");
        let path = seen.path().display();
        prepared.screen.note(&format!(
            "note: a part of {path} did not get to the disk whole ({lines}) and does not count; nothing was sent on the \
             strength of it\n"
        ));
    }
}

/// The list of runs and the mark know how much the results once held.
fn check_that_nothing_is_missing(prepared: &Prepared, seen: &ResultsSnapshot<RealDisk>) -> Result<(), Failure> {
    if prepared.results.afresh {
        return Ok(());
    }
    let runs = KnownRuns::read(seen.path());
    if !prepared.args.existing.new_results {
        seen.has_not_vanished(&runs).or_exit(Exit::Results)?;
    }
    if prepared.results.accept_edited { Ok(()) } else { seen.is_as_long_as_known(&runs).or_exit(Exit::Results) }
}

/// Rows of results that are still there are not begun anew.
fn say_what_is_not_begun_anew(prepared: &Prepared, seen: &ResultsSnapshot<RealDisk>) {
    let known = seen.history().created();
    if prepared.args.existing.new_results && known > 0 {
        prepared.screen.note(&format!(
            "note: {} is there and tells of {}, which are not sent again; to send every row once more, name a new file with \
             --results as well as --new-results\n",
            seen.path().display(),
            units::counted(known, "row")
        ));
    }
}

fn say_what_nobody_can_tell(prepared: &Prepared, seen: &ResultsSnapshot<RealDisk>) {
    if seen.is_mark_unreadable() {
        prepared.screen.note(&format!(
            "note: the mark beside {} is damaged, so nobody can tell whether lines are missing from its end\n",
            seen.path().display()
        ));
    }
}

/// Opens the manifest.
fn open(prepared: &Prepared) -> Result<Manifest, Failure> {
    let once = || {
        let name = prepared.manifest_name();
        let what = format!("{name} can be read only once, but a run must be able to go on later; save it as a file");
        Failure::usage(anyhow!(what))
    };
    // To open a pipe is to wait for somebody at its other end.
    if !prepared.args.dry_run && prepared.input.is_stream() {
        return Err(once());
    }
    let manifest = manifest::open(&prepared.input, &prepared.read).map_err(Failure::usage)?;
    if prepared.args.dry_run || manifest.is_repeatable() { Ok(manifest) } else { Err(once()) }
}

fn show_problems(prepared: &Prepared, checkup: &Checkup) -> Result<(), Failure> {
    if prepared.args.out.output == Output::Json || checkup.problems.is_empty() {
        return Ok(());
    }
    let name = prepared.manifest_name();
    let screen = prepared.screen;
    let rendered = |every: bool, look: Look| {
        let found = CheckReport { every, ..prepared.found(&name, checkup) };
        console::problems::render(&found, &prepared.quoted(checkup, every), look)
    };
    if screen::is_on_record() {
        screen::keep(&rendered(true, Look { color: false, ..screen.err_look() }));
    }
    // What is noticed by the way is not what went wrong.
    if screen.quiet && checkup.checked.is_some() {
        return Ok(());
    }
    let every = screen.verbose > 0;
    // The problems are what a dry run was asked for; in a real run they stand in its way.
    if prepared.args.dry_run {
        screen.print_data(&rendered(every, screen.out_look()))?;
    } else {
        screen.show(&rendered(every, screen.err_look()));
    }
    Ok(())
}

/// For programs: everything that is known before anything is sent.
fn show_document(prepared: &Prepared, checkup: &Checkup, plan: Option<&Facts>) -> Result<(), Failure> {
    if prepared.args.out.output == Output::Json {
        let document = CheckOutput {
            version: console::check::VERSION,
            manifest: &prepared.manifest_name(),
            rows: checkup.rows,
            sound: checkup.sound,
            problems: &checkup.problems,
            more_problems: &checkup.problems.more(),
            plan,
        };
        prepared.screen.print_data(&document.render())?;
    }
    Ok(())
}

fn show_plan(prepared: &Prepared, facts: &Facts) {
    if prepared.args.out.output == Output::Human {
        prepared.screen.note(&console::plan::render(facts, prepared.screen.err_look()));
    }
}

/// Does what the plan says.
fn execute(
    prepared: &Prepared,
    plan: &Plan,
    mut held: LockedResults<RealDisk>,
    destination: Option<&Destination>,
    owner: &KnownOwner,
) -> Result<Exit, Failure> {
    let started = Timestamp::now();
    let run_id = results::new_run_id(started);
    let rows = ManifestRows::new(plan, &prepared.target, &run_id);
    // Before the tries of earlier runs are asked for: a further attachment is counted from its own first one.
    held.seen_mut().supersede(plan.further().iter().copied());
    let earlier = ports::earlier_tries(plan, held.seen()).or_exit(Exit::Results)?;
    let contents = SentContents::default();
    let stop = Arc::new(StopSignal::default());
    let under_way = Arc::<UploadsUnderWay>::default();
    let signal = {
        let under_way = Arc::clone(&under_way);
        signals::listen(Arc::clone(&stop), prepared.screen, move || under_way.last_words()).or_exit(Exit::Usage)?
    };
    let old_layout = held.seen().layout().clone();
    let log = GroupLog::new(held.begin(&rows).or_exit(Exit::Results)?).or_exit(Exit::Results)?;
    if destination.is_some() {
        note_origin(prepared, plan, &run_id, owner);
    }
    let memory = ResultsJournal {
        plan,
        log: &log,
        target: &prepared.target,
        run: &run_id,
        owner: owner.binding(),
        earlier,
        contents: &contents,
        old_layout,
    };
    let (ending, seen) =
        progress::watched(Scope::of(plan.facts()), plan, prepared.progress(), Box::new(io::stderr()), |observer| {
            let engine =
                Engine::new(plan.jobs().to_vec(), plan.prior_attempts().to_vec(), plan, prepared.plan.engine.clone());
            let Some(destination) = destination else { return engine.into_ending() };
            let sender =
                ClientUploader { plan, client: destination.client(), contents: &contents, under_way: &under_way };
            let ports = Ports { service: &sender, journal: &memory, observer, stop: &stop };
            worker_pool::run(engine, prepared.threads(), ports)
        });
    // The results stay locked until the list of runs says how this one ended.
    let finished = log.close().and_then(|log| log.compact(&rows));
    let totals = finished.as_ref().ok().map(|finished| &finished.totals);
    let exit = status::of_run(&ending, totals, &signal);
    let over = SummaryInput { plan: plan.facts(), run: &run_id, ending: &ending, seen: &seen, totals, exit };
    let mut summary = Summary::of(&over);
    let not_selected = totals.map_or(0, |totals| u64::from(totals.not_selected));
    summary.next = next_steps::next_steps(&summary, &prepared.args.target, not_selected);
    note_run(prepared, &over, started, &tally_of(&finished));
    show_summary(prepared, &summary);
    finished.map(|_| exit).map_err(|error| unfinished(error, &run_id)).or_exit(Exit::Results)
}

/// How many rows have which status, as far as it is known.
fn tally_of(finished: &Result<Finished<RealDisk>, EndError<RealDisk>>) -> ResultsTally {
    match finished {
        Ok(finished) => finished.totals.rows,
        Err(EndError::Displaced(displaced)) => displaced.tally(),
        Err(_) => ResultsTally::default(),
    }
}

/// Why the results did not become a table. Where somebody took the file away, what it held is saved first.
fn unfinished(error: EndError<RealDisk>, run: &str) -> anyhow::Error {
    let what = error.to_string();
    let EndError::Displaced(displaced) = error else { return anyhow!(what) };
    let beside = displaced.rescue(displaced.folder(), run);
    let path = displaced.path().display();
    match beside.or_else(|_| displaced.rescue(&std::env::temp_dir(), run)) {
        Ok(saved) => {
            let saved = saved.display();
            anyhow!(
                "{what}; so the run stopped. Everything that was in it, with this run's last lines, is saved in {saved}: to \
                 go on, see what {path} is now, put {saved} in its place, and run the same command again"
            )
        }
        Err(cause) => anyhow!(
            "{what}; so the run stopped. What it held could not be saved ({}): if it was given another name, put it back \
             under the old one; if not, run again with --new-results and --if-exists skip",
            system_words(&cause)
        ),
    }
}

fn show_summary(prepared: &Prepared, summary: &Summary) {
    match prepared.args.out.output {
        // What it says is in the results too, so the run ends as it ended.
        Output::Json => {
            if let Err(failure) = prepared.screen.print_data(&summary.json()) {
                prepared.screen.error(failure);
            }
        }
        Output::Human if summary.exit.status == 0 => {
            prepared.screen.note(&summary.render(prepared.screen.err_look()));
        }
        Output::Human => prepared.screen.say(&summary.render(prepared.screen.err_look())),
    }
}

/// Adds the run that begins to the list beside the results, for whoever finds what it left if it is killed.
fn note_origin(prepared: &Prepared, plan: &Plan, run: &str, owner: &KnownOwner) {
    let origin = results::RunOrigin {
        id: run.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        target: prepared.target.clone(),
        root: Some(plan.facts().manifest.base.clone()),
        owner: owner.binding().map(|owner| owner.to_string()),
        owner_name: owner.name.clone(),
        marked: true,
    };
    if let Err(error) = results::record_origin(&prepared.plan.results, &origin) {
        prepared.screen.say(&format!("warning: the list of runs could not be written: {}\n", system_words(&error)));
    }
}

/// Adds the run to the list beside the results. Losing it costs the head of a report, and that lost results are noticed;
/// so that it cannot be written is said, and does not change how the run ends.
fn note_run(prepared: &Prepared, over: &SummaryInput<'_>, started: Timestamp, tally: &ResultsTally) {
    let run = results::RunRecord {
        id: over.run.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started,
        finished: Timestamp::now(),
        target: prepared.target.clone(),
        manifest: results::ManifestRef {
            path: over.plan.manifest.path.clone(),
            sha256: over.plan.manifest.sha256.clone(),
        },
        root: Some(over.plan.manifest.base.clone()),
        options: prepared.options(),
        counts: tally.iter().map(|(status, rows)| (status.to_string(), rows)).collect(),
        undid: None,
        stopped: over.ending.stopped.as_ref().map(|stopped| stopped.message.clone()),
        exit: over.exit.code(),
    };
    if let Err(error) = results::record_run(&prepared.plan.results, &run) {
        prepared
            .screen
            .say(&format!("warning: the list of runs for the report could not be written: {}\n", system_words(&error)));
    }
}
