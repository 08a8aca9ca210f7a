//! `attache undo`: shows what of the results can be taken back, asks, deletes it, and says what became of it.

mod args;
mod port;

use std::io::{self, BufWriter, Write as _};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;

pub use self::args::{UndoArgs, WITHOUT_VARIABLE};
use self::port::ClientDeleter;
use super::command_line::CommandLine;
use super::config::{self, Access, UserFile};
use super::failure::{Failure, OrExit as _};
use super::requests;
use super::run::consent::{ConsentWords, ask_person};
use super::run::owner::{self, OwnerCheck};
use super::screen::Screen;
use super::signals;
use super::values::Output;
use super::verify;
use crate::console::verify_progress::Listing;
use crate::crm::limits::CREDITS_PER_DAY;
use crate::engine::requests::RequestStop;
use crate::engine::{Policy, StopSignal};
use crate::exit::Exit;
use crate::owner::KnownOwner;
use crate::reply::StopBecause;
use crate::results::{
    self, Disk, EndError, GroupLog, KnownRuns, LockedResults, RealDisk, ResultsError, ResultsOptions, ResultsSnapshot,
    ResultsTally, RunRecord, hold, look,
};
use crate::text::{escape_for_terminal, system_words};
use crate::undo::journal::ResultsUndoJournal;
use crate::undo::machine::undo;
use crate::undo::ports::UndoPolicy;
use crate::undo::select::UndoSelection;
use crate::undo::show::{UndoContext, UndoTotals};
use crate::undo::{NotUndone, UndoEnd, UndoWork, Undone};
use crate::units;
use crate::zoho::Target;

/// The scope that deleting takes, beside those of a run.
const SCOPE: &str = "ZohoCRM.modules.attachments.DELETE";

/// Runs the command.
///
/// # Errors
///
/// The results cannot be used, there is nobody to ask and nothing to get in with, or the results could not be brought to
/// their end.
pub fn run(args: &UndoArgs, screen: Screen) -> Result<Exit, Failure> {
    // Where the attachments are stands in the results; without a lock, since a dry run changes nothing.
    let seen = look(RealDisk, &args.results, &ResultsOptions::default()).map_err(unusable)?;
    if seen.history().is_empty() {
        let what = format!("{} holds no row, or is not there: there is nothing to take back", args.results.display());
        return Err(Failure { exit: Exit::Results, error: anyhow!(what) });
    }
    let host = host_of(&seen)?;
    let user = config::user_file().map_or(Ok(UserFile::default()), |path| UserFile::load(&path));
    let user = user.map_err(Failure::usage)?;
    let selection = args.what.selection();
    let options = ResultsOptions { target: Some(host.clone()), ..ResultsOptions::default() };
    if !args.delete {
        let seen = look(RealDisk, &args.results, &options).map_err(unusable)?;
        return dry_run(args, screen, &seen, &host, &selection);
    }
    drop(seen);
    let access = config::access(&args.target, &user, |name| std::env::var(name).ok(), io::stdin().lock());
    let access = access.map_err(Failure::usage)?;
    let target = verify::target(&access.place, Some(&host)).map_err(Failure::usage)?;
    let held = hold(RealDisk, &args.results, &options).map_err(unusable)?;
    let work = work(held.seen(), &selection, args)?;
    if work.rows.is_empty() {
        return nothing_to_do(args, screen, &work, &host);
    }
    let policy = policy(args, &user, &target);
    let client = verify::client(&args.target, &access, target.clone(), &policy.requests).map_err(Failure::usage)?;
    let known = owner::learn(&client, &access.credentials);
    let check = OwnerCheck {
        results: &args.results,
        same_organisation: args.what.same_organisation,
        way_on: "use the credentials of the first",
    };
    owner::check(&check, held.seen(), &known)?;
    screen.note(&announcement(args, &work, &target, &known)?);
    if !may_delete(args, &work, &target, &access, &known)? {
        return Ok(Exit::Stopped);
    }
    let undoing = UndoCommand { args, screen, target: &target, service: ClientDeleter(client), policy };
    undoing.execute(held, work)
}

/// The host that the results were sent to.
fn host_of(seen: &ResultsSnapshot<RealDisk>) -> Result<String, Failure> {
    let mut first = None;
    let lines = seen.lines().context("cannot read the results").or_exit(Exit::Results)?;
    for line in lines {
        let line = line.context("cannot read the results").or_exit(Exit::Results)?;
        if line.status.may_have_created() {
            return Ok(line.target);
        }
        first.get_or_insert(line.target);
    }
    Ok(first.unwrap_or_default())
}

/// What stands in the way of using the results, with what helps here: an undo accepts nothing that was edited.
fn unusable(error: ResultsError) -> Failure {
    let error = match &error {
        ResultsError::Edited { path, line, .. } => anyhow!(
            "line {line} of {} is not what attache wrote, and nothing is deleted on the word of a file that was edited: \
             put back the copy from before. Nothing was deleted",
            path.display()
        ),
        ResultsError::LinesMissing { path, there, known } => anyhow!(
            "{} tells of {} that were uploaded, but when the last run ended there were {known}: lines are missing, and \
             nothing is deleted on the word of a file that was shortened: put back the whole file. Nothing was deleted",
            path.display(),
            units::counted(*there, "row")
        ),
        ResultsError::BelowMark { path, .. } => anyhow!(
            "{} is not as the last run left it: it is an older copy, or lines of it are missing, and nothing is deleted on the \
             word of such a file: put back the file as that run left it. Nothing was deleted",
            path.display()
        ),
        ResultsError::MarkMissing { path, mark, .. } => anyhow!(
            "the run that used {} last was cut off, and there is no {} by which to tell whether it is whole: put that back, \
             or let a run go on first. Nothing was deleted",
            path.display(),
            mark.display()
        ),
        ResultsError::OtherTarget { path, theirs, ours } => anyhow!(
            "{} tells of uploads to {theirs} and to {ours}: nothing is deleted on the word of such a file",
            path.display()
        ),
        _ => error.into(),
    };
    Failure { exit: Exit::Results, error }
}

/// What goes, by the results.
fn work<D: Disk>(seen: &ResultsSnapshot<D>, selection: &UndoSelection, args: &UndoArgs) -> Result<UndoWork, Failure> {
    seen.is_as_long_as_known(&KnownRuns::read(&args.results)).map_err(unusable)?;
    let made = || -> io::Result<UndoWork> { UndoWork::of(seen.lines()?, &seen.lines_of_superseded()?, selection) };
    let work = made().context("cannot read the results").or_exit(Exit::Results)?;
    if work.rows.is_empty()
        && selection.is_part()
        && work.not_undone.iter().all(|(why, _)| *why == NotUndone::NotSelected)
    {
        let what = "no line of the results is of such a run, line and module: the columns run, line and module say which \
                    there are";
        return Err(Failure::usage(anyhow!(what)));
    }
    Ok(work)
}

fn context(args: &UndoArgs, target: &str, stopped: Option<String>, exit: Exit) -> UndoContext {
    let results = args.results.display().to_string();
    UndoContext { results, target: target.to_owned(), stopped, exit: exit.code() }
}

fn dry_run(
    args: &UndoArgs,
    screen: Screen,
    seen: &ResultsSnapshot<RealDisk>,
    host: &str,
    selection: &UndoSelection,
) -> Result<Exit, Failure> {
    let work = work(seen, selection, args)?;
    if work.rows.is_empty() {
        return nothing_to_do(args, screen, &work, host);
    }
    let mut text = Vec::new();
    let written = match args.output {
        Output::Json => work.write_json(&context(args, host, None, Exit::Done), &mut text),
        Output::Human => work.write_human(&mut text),
    };
    written.or_exit(Exit::Usage)?;
    let text = String::from_utf8_lossy(&text);
    if args.output == Output::Json {
        return screen.print_data(&text).map(|()| Exit::Done);
    }
    let (attachments, records) =
        (units::counted(work.rows.len(), "attachment"), units::counted(work.records.len(), "record"));
    screen.print(&format!(
        "{attachments} on {records} at {} would be deleted:\n{text}\nEach record is listed first; what has another name \
         or size by then is left alone. {}\nNothing was asked for and nothing was deleted. To do it, add --delete.\n",
        escape_for_terminal(host),
        cost(args, &work)
    ))?;
    Ok(Exit::Done)
}

/// Nothing of what was asked for can be taken back, or it is all gone.
fn nothing_to_do(args: &UndoArgs, screen: Screen, work: &UndoWork, host: &str) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    match args.output {
        Output::Json => work.write_json(&context(args, host, None, Exit::Done), &mut text).or_exit(Exit::Usage)?,
        Output::Human => {
            text.extend_from_slice(b"There is nothing to delete.\n");
            work.write_not_undone(&mut text).or_exit(Exit::Usage)?;
            if work.count(NotUndone::Settled) > 0 {
                text.extend_from_slice(b"With --include-settled, what was settled by a listing goes as well.\n");
            }
        }
    }
    let text = String::from_utf8_lossy(&text);
    match args.output {
        Output::Json => screen.print_data(&text)?,
        Output::Human => screen.print(&text)?,
    }
    Ok(Exit::Done)
}

/// What it takes at most, where nothing goes wrong.
fn cost(args: &UndoArgs, work: &UndoWork) -> String {
    let credits = (work.rows.len() + work.records.len()) as u64;
    let per_day = args.credits_per_day.unwrap_or(CREDITS_PER_DAY);
    let mut text = format!("It takes {}.", units::counted(credits, "API credit"));
    if credits > per_day {
        text += &format!(" That is more than the {} that the organisation gets in a day.", units::count(per_day));
    }
    if args.pace.max_credits.is_some_and(|max| max < credits) {
        text += " --max-credits ends it before.";
    }
    text
}

fn announcement(args: &UndoArgs, work: &UndoWork, target: &Target, known: &KnownOwner) -> Result<String, Failure> {
    let mut text = Vec::new();
    work.write_human(&mut text).or_exit(Exit::Usage)?;
    let mut text = format!(
        "Deleting {} on {} at {}:\n{}{}\n",
        units::counted(work.rows.len(), "attachment"),
        units::counted(work.records.len(), "record"),
        escape_for_terminal(&target.label()),
        String::from_utf8_lossy(&text),
        cost(args, work)
    );
    if known.binding().is_none() && !target.api().is_loopback() {
        text +=
            "warning: whose CRM this is cannot be told from an access token alone; compare it with that of the run\n";
    }
    Ok(text)
}

/// Whether the person at the terminal agrees.
fn may_delete(
    args: &UndoArgs,
    work: &UndoWork,
    target: &Target,
    access: &Access,
    known: &KnownOwner,
) -> Result<bool, Failure> {
    if args.yes || target.api().is_loopback() {
        return Ok(true);
    }
    let label = target.label();
    let host = escape_for_terminal(&label);
    let whose = match known.binding() {
        Some(binding) => {
            let owner = owner::shown(binding, known.name.as_deref());
            format!("the CRM of {} at {host}", escape_for_terminal(&owner))
        }
        None => format!("{host} with the credentials of {}", escape_for_terminal(&access.source)),
    };
    let question = format!("Delete {} from {whose}? [y/N] ", units::counted(work.rows.len(), "attachment"));
    ask_person(&ConsentWords { question: &question, verb: "delete", what: "this undo", nothing: "Nothing was deleted" })
}

fn policy(args: &UndoArgs, user: &UserFile, target: &Target) -> UndoPolicy {
    // A rehearsal on this machine answers at once or not at all.
    let settle_time =
        if target.api().is_loopback() { std::time::Duration::ZERO } else { Policy::default().settle_time };
    UndoPolicy { requests: requests::policy(&args.pace, user), settle_time: args.settle_time.unwrap_or(settle_time) }
}

/// An undo that was agreed to.
struct UndoCommand<'a> {
    args: &'a UndoArgs,
    screen: Screen,
    target: &'a Target,
    service: ClientDeleter,
    policy: UndoPolicy,
}

impl UndoCommand<'_> {
    fn execute(&self, held: LockedResults<RealDisk>, work: UndoWork) -> Result<Exit, Failure> {
        let started = Timestamp::now();
        let not_undone = work.not_undone.clone();
        let stop = Arc::new(StopSignal::default());
        let signal = signals::listen(Arc::clone(&stop), self.screen, || {
            "interrupted again: ended at once; what was being deleted at this moment stays `deleting` in the results, and the \
             same command finds out what became of it"
                .to_owned()
        }).map_err(Failure::usage)?;
        let log = held.begin_without_manifest().map_err(unusable)?;
        let lines = log.stored_lines(work.rows.iter().map(|row| row.key)).or_exit(Exit::Results)?;
        let log = GroupLog::new(log).or_exit(Exit::Results)?;
        let mode = verify::mode(self.args.progress, self.screen.quiet);
        let progress =
            Listing::of_deletions(work.rows.len(), mode, self.screen.err_look().color, Box::new(io::stderr()));
        let now = || self.service.0.server_time().unwrap_or_else(Timestamp::now);
        let undone = {
            let journal = ResultsUndoJournal::new(&log, lines, &now);
            undo(work, &self.service, &journal, &self.policy, &stop, &|ended| progress.listed(ended))
        };
        drop(progress);
        let finished = log.close().and_then(results::ResultsLog::compact_without_manifest);
        let exit = exit(&undone, signal.get().copied());
        self.show(&undone, &not_undone, exit)?;
        match finished {
            Ok(finished) => {
                self.note(&undone, started, exit, &finished.totals.rows);
                Ok(exit)
            }
            Err(error) => Err(Failure { exit: Exit::Results, error: unfinished(error) }),
        }
    }

    /// Adds the undo to the list of runs, for the report. That it cannot be written changes nothing of how it ends.
    fn note(&self, undone: &Undone, started: Timestamp, exit: Exit, tally: &ResultsTally) {
        let results = &self.args.results;
        let last = KnownRuns::read(results).ended.pop();
        let undo = RunRecord {
            id: results::new_run_id(started),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started,
            finished: Timestamp::now(),
            target: self.target.label(),
            manifest: last.map(|run| run.manifest).unwrap_or_default(),
            root: None,
            options: self.args.what.shown(),
            counts: tally.iter().map(|(status, rows)| (status.to_string(), rows)).collect(),
            undid: Some(u32::try_from(UndoTotals::of(undone).deleted).unwrap_or(u32::MAX)),
            stopped: self.stopped(undone),
            exit: exit.code(),
        };
        if let Err(error) = results::record_run(results, &undo) {
            self.screen.say(&format!("warning: the list of runs for the report could not be written: {error}\n"));
        }
    }

    fn show(&self, undone: &Undone, lines: &[(NotUndone, u64)], exit: Exit) -> Result<(), Failure> {
        let stopped = self.stopped(undone);
        let context = context(self.args, &self.target.label(), stopped, exit);
        let mut out = BufWriter::new(Vec::new());
        let written = match self.args.output {
            Output::Json => undone.write_json(lines, &context, &mut out),
            Output::Human => undone.write_human(&context, &mut out),
        };
        written.and_then(|()| out.flush()).or_exit(Exit::Usage)?;
        let mut text = String::from_utf8_lossy(out.get_ref()).into_owned();
        if self.args.output == Output::Json {
            return self.screen.print_data(&text);
        }
        text += &self.advice(undone);
        self.screen.print(&text)
    }

    /// Why it ended early.
    fn stopped(&self, undone: &Undone) -> Option<String> {
        if let Some(said) = &undone.refused_at_first {
            return Some(format!(
                "the service refuses to delete the first attachment ({said}), so the others were not asked for. The user \
                 needs the right to delete attachments, and the token the scope {SCOPE}; some organisations let only links \
                 be deleted"
            ));
        }
        let stop = undone.stop.as_ref()?;
        let words = requests::stopped(stop, &self.policy.requests);
        match stop {
            RequestStop::Service { because: StopBecause::Scope, .. } => {
                Some(format!("{words}; deleting takes {SCOPE}"))
            }
            _ => Some(words),
        }
    }

    fn advice(&self, undone: &Undone) -> String {
        let totals = UndoTotals::of(undone);
        let mut text = String::new();
        if totals.in_doubt > 0 || (totals.not_reached > 0 && undone.refused_at_first.is_none()) {
            text += "\nRun the same command again: it looks up what is in doubt, and goes on with the rest.\n";
        }
        if totals.deleted > 0 {
            text += &format!(
                "\nThe results say which are deleted; no run sends them again unless --resend deleted asks for it. As far as \
                 the service's help says, they are in the recycle bin for 60 days. Ask the service whether they are gone:\n  \
                 {}\n",
                CommandLine::new("verify").file(&self.args.results).at(&self.args.target)
            );
        }
        text
    }
}

/// Why the results did not become a table. Where somebody took the file away, what it held is saved first.
fn unfinished(error: EndError<RealDisk>) -> anyhow::Error {
    let what = error.to_string();
    let EndError::Displaced(displaced) = error else { return anyhow!(what) };
    match displaced.rescue(displaced.folder(), &results::new_run_id(Timestamp::now())) {
        Ok(saved) => anyhow!("{what}; what it held is saved in {}", saved.display()),
        Err(why) => anyhow!("{what}; what it held could not be saved: {}", system_words(&why)),
    }
}

/// What is in doubt outweighs what is left alone: only another undo can tell.
fn exit(undone: &Undone, signal: Option<Exit>) -> Exit {
    let stopped = undone.stop.as_ref().map(|stop| match stop {
        RequestStop::Service { because: StopBecause::Disk, .. } => Exit::Results,
        stop => requests::exit(stop, signal),
    });
    let in_doubt = undone.count(|end| matches!(end, UndoEnd::InDoubt(_))) > 0;
    let left_alone = undone.count(|end| matches!(end, UndoEnd::LeftAlone(_))) > 0;
    [stopped, in_doubt.then_some(Exit::Unsettled), left_alone.then_some(Exit::SomeFailed)]
        .into_iter()
        .flatten()
        .max()
        .unwrap_or(Exit::Done)
}
