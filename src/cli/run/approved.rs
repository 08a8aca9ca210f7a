//! Plans that somebody approves before they are carried out: `--save-plan` keeps one, `--plan` carries it out and nothing
//! else. What differs becomes problems, so that people and programs meet it where they meet all others.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::anyhow;
use jiff::Timestamp;

use super::Results;
use super::prepare::Prepared;
use crate::atomic_file;
use crate::check::{Checkup, CrosswalkInfo};
use crate::cli::command_line::CommandLine;
use crate::cli::failure::{Failure, OrExit as _};
use crate::cli::saved_plan;
use crate::exit::Exit;
use crate::owner::{CrmOwner, KnownOwner, OwnerMatch, match_owner};
use crate::plan::Plan;
use crate::plan::saved::{
    self, FORMAT, FileHashes, NotAsApproved, PinnedSettings, PlanFit, PlanHead, PlannedAction, VERSION,
};
use crate::plan::selection::{Selection, SelectionFacts};
use crate::problem::{Problem, ProblemCode, ProblemList};
use crate::text::system_words;
use crate::units::counted;

/// Reads the plan that is to be carried out, so that one that cannot be relied on is told before a long manifest is read.
///
/// # Errors
///
/// It cannot be read (2), or is not as it was saved (3).
pub(super) fn read(prepared: &Prepared) -> Result<Option<PlanHead>, Failure> {
    let Some(path) = &prepared.args.approved.plan else { return Ok(None) };
    stream(path, &mut |_| ()).map(Some)
}

fn stream(path: &Path, each: &mut dyn FnMut(&saved::SavedRow)) -> Result<PlanHead, Failure> {
    saved_plan::read(path, "; nothing was sent", each)
}

/// The rows that the plan is about, where the user names none.
pub(super) fn selection(approved: Option<&PlanHead>, given: &Selection) -> Result<Selection, Failure> {
    match approved.and_then(|head| head.summary.selection.as_ref()).filter(|_| given.is_everything()) {
        Some(facts) => Selection::of(facts).ok_or_else(|| Failure {
            exit: Exit::Unsound,
            error: anyhow!("the plan says in a way that nobody understands which rows it is about; nothing was sent"),
        }),
        None => Ok(given.clone()),
    }
}

/// Saves the plan of a dry run.
///
/// # Errors
///
/// A file cannot be read for its hash, or the plan cannot be written.
pub(super) fn save(prepared: &Prepared, checkup: &Checkup, results: &Results, plan: &Plan) -> Result<(), Failure> {
    let Some(path) = &prepared.args.approved.save_plan else { return Ok(()) };
    let head = PlanHead {
        format: FORMAT.to_owned(),
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        saved_at: Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default().to_string(),
        pinned: pinned(prepared, checkup.crosswalk.as_ref(), results),
        summary: plan.facts().clone(),
    };
    let hashes = if prepared.args.out.sha256 { FileHashes::Sha256 } else { FileHashes::Without };
    atomic_file::replace(path, |out| saved::write(out, &head, &mut |each| saved::saved_rows(plan, hashes, each)))
        .map_err(|error| anyhow!("the plan could not be saved as {}: {}", path.display(), system_words(&error)))
        .or_exit(Exit::Results)?;
    let shown = path.display();
    let command = command(std::env::args().skip(1), &shown.to_string());
    prepared.screen.note(&format!("The plan is saved as {shown}. To do this and nothing else: {command}\n"));
    Ok(())
}

/// Whether a plan may be saved there.
pub(super) fn may_hold_plan(path: &Path) -> anyhow::Result<()> {
    match path.metadata() {
        Ok(file) if file.is_file() && file.len() > 0 => Err(anyhow!(
            "{} is there already, and may be what somebody approved; remove it, or name another file with --save-plan",
            path.display()
        )),
        _ => Ok(()),
    }
}

/// What must be the same, besides the rows.
fn pinned(prepared: &Prepared, crosswalk: Option<&CrosswalkInfo>, results: &Results) -> PinnedSettings {
    let mut crosswalks: Vec<String> =
        crosswalk.map(|all| all.files.iter().map(|(_, hash)| hash.clone()).collect()).unwrap_or_default();
    crosswalks.sort_unstable();
    let known = results.seen().owners_named().first().map(ToString::to_string);
    let by_crosswalk = crosswalk.and_then(|crosswalk| crosswalk.organisation.as_ref()).map(|id| format!("org:{id}"));
    PinnedSettings {
        target: prepared.target.clone(),
        api_version: prepared.version().to_string(),
        organisation: known.or(by_crosswalk).or_else(|| prepared.client_owner().map(|owner| owner.to_string())),
        crosswalks,
        checks: checks(prepared),
    }
}

/// What is let pass and how rows are read, by the names of the options.
fn checks(prepared: &Prepared) -> BTreeMap<String, String> {
    let check = &prepared.check;
    let mut modules = check.custom_modules.clone();
    modules.sort_unstable();
    modules.dedup();
    let switches = [
        ("skip-invalid", check.skip_invalid),
        ("strict", check.strict),
        ("allow-empty", check.allow_empty),
        ("allow-identical", check.allow_identical),
        ("allow-rounded-ids", check.allow_rounded_ids),
        ("allow-outside", check.allow_outside),
    ];
    let switches = switches.map(|(name, on)| (name.to_owned(), if on { "on" } else { "off" }.to_owned()));
    let values = [
        ("max-size".to_owned(), check.max_size.to_string()),
        ("custom-module".to_owned(), modules.join(",")),
        ("if-exists".to_owned(), prepared.plan.engine.if_exists.as_str().to_owned()),
    ];
    switches.into_iter().chain(values).collect()
}

/// What is not as it was approved; empty where the run may go on.
///
/// # Errors
///
/// The plan or a file cannot be read again.
pub(super) fn differences(
    prepared: &Prepared,
    approved: Option<&PlanHead>,
    checkup: &Checkup,
    results: &Results,
    plan: &Plan,
) -> Result<ProblemList, Failure> {
    let mut problems = ProblemList::default();
    let (Some(head), Some(path)) = (approved, &prepared.args.approved.plan) else { return Ok(problems) };
    let now = pinned(prepared, checkup.crosswalk.as_ref(), results);
    problems.extend(settings(&head.pinned, &now));
    problems.extend(other_selection(head.summary.selection.as_ref(), plan.facts().selection.as_ref()));
    let mut fit = PlanFit::new(plan);
    let again = stream(path, &mut |row| fit.approved(row))?;
    if again != *head {
        let what = format!("the plan {} was changed while it was in use; nothing was sent", path.display());
        return Err(Failure { exit: Exit::Unsound, error: anyhow!(what) });
    }
    let mut differences = fit.finish().or_exit(Exit::Unsound)?;
    differences.sort_by_key(NotAsApproved::line);
    let of_plan = (head.summary.manifest.path.as_str(), head.saved_at.as_str());
    problems.extend(differences.into_iter().map(|difference| problem(difference, of_plan)));
    Ok(problems)
}

/// Refuses to go on in a CRM that is not the one of the plan, once it is known whose it is.
pub(super) fn check_owner(prepared: &Prepared, approved: Option<&PlanHead>, known: &KnownOwner) -> Result<(), Failure> {
    let pinned = approved.and_then(|head| head.pinned.organisation.as_deref()).and_then(|owner| owner.parse().ok());
    let Some(pinned) = pinned else { return Ok(()) };
    match match_owner(&[pinned], known) {
        OwnerMatch::Other { theirs: CrmOwner::Client(_), .. } if prepared.args.existing.same_organisation => Ok(()),
        OwnerMatch::Other { theirs, ours } => Err(Failure {
            exit: Exit::Unsound,
            error: anyhow!(
                "the plan is for the CRM of {theirs}, and the credentials of this run are of {ours}; nothing was sent{}",
                match theirs {
                    CrmOwner::Organisation(_) => "",
                    CrmOwner::Client(_) => ". If both are clients of one organisation, add --same-organisation",
                }
            ),
        }),
        OwnerMatch::Fits => Ok(()),
    }
}

fn settings(then: &PinnedSettings, now: &PinnedSettings) -> Vec<Problem> {
    const AGAIN: &str = "give the run the options that the plan was saved with, or save a plan anew";
    let differs = |what: String| Problem::new(ProblemCode::PlanDiffers, what, AGAIN);
    let mut problems = Vec::new();
    if then.target != now.target {
        problems.push(differs(format!("the plan goes to {}, and this run to {}", then.target, now.target)));
    }
    if then.api_version != now.api_version {
        let (then, now) = (&then.api_version, &now.api_version);
        problems.push(differs(format!("the plan is for version {then} of the API, and this run uses {now}")));
    }
    if then.crosswalks != now.crosswalks {
        let (then, now) = (then.crosswalks.len() as u64, now.crosswalks.len() as u64);
        let what = match (then, now) {
            (then, now) if then == now => "the crosswalk is not the one that the plan was made with".to_owned(),
            (then, now) => format!("the plan was made with {}, and this run has {now}", counted(then, "crosswalk")),
        };
        problems.push(differs(what));
    }
    let names = then.checks.keys().chain(now.checks.keys().filter(|name| !then.checks.contains_key(*name)));
    for name in names {
        let value = |checks: &BTreeMap<String, String>| match checks.get(name).map(String::as_str) {
            None | Some("") => "none".to_owned(),
            Some(value) => value.to_owned(),
        };
        let (then, now) = (value(&then.checks), value(&now.checks));
        if then != now {
            problems.push(differs(format!("--{name} was {then} when the plan was saved, and is {now} now")));
        }
    }
    problems
}

fn other_selection(then: Option<&SelectionFacts>, now: Option<&SelectionFacts>) -> Option<Problem> {
    // How many rows it comes to follows from the rows.
    let choice = |facts: Option<&SelectionFacts>| facts.map(|facts| SelectionFacts { rows: 0, ..facts.clone() });
    if choice(then) == choice(now) {
        return None;
    }
    let words = |facts: Option<&SelectionFacts>| {
        facts.map_or("all rows".to_owned(), |facts| format!("rows {}", facts.in_words()))
    };
    let what = format!("the plan is about {}, and this run about {}", words(then), words(now));
    Some(Problem::new(
        ProblemCode::PlanDiffers,
        what,
        "leave --only, --lines and --sample out: the plan knows its rows",
    ))
}

fn problem(difference: NotAsApproved, (manifest, saved_at): (&str, &str)) -> Problem {
    const MEND: &str = "put the manifest back as it was approved, or save a plan anew";
    match difference {
        NotAsApproved::OtherManifest => Problem::new(
            ProblemCode::PlanDiffers,
            format!("the plan was saved for {manifest} at {saved_at}, and this manifest has none of its rows"),
            "name the manifest that the plan was made of",
        ),
        NotAsApproved::NotInPlan { line, row } => {
            let what = format!("the plan does not have this row: {row}");
            Problem::new(ProblemCode::RowNotInPlan, what, MEND).on_line(line)
        }
        NotAsApproved::NotToBeSent { line, row, action } => {
            let why = match action {
                PlannedAction::NotChosen => "does not choose it",
                PlannedAction::LeftOut => "leaves it out",
                _ => "leaves it as it is",
            };
            let what = format!("this row would be sent, and the plan {why}: {row}");
            Problem::new(ProblemCode::RowNotInPlan, what, "save a plan anew if it is to be sent").on_line(line)
        }
        NotAsApproved::Gone { line, row } if row.is_empty() => Problem::new(
            ProblemCode::PlannedRowMissing,
            format!("line {line} of that time is not there any more"),
            MEND,
        ),
        NotAsApproved::Gone { line, row } => {
            let what = format!("the manifest does not have what stood in line {line}: {row}");
            Problem::new(ProblemCode::PlannedRowMissing, what, MEND)
        }
        NotAsApproved::LeftOut { line, row, why } => {
            let what = format!("the plan sends this row, and now it is left out ({why}): {row}");
            Problem::new(ProblemCode::PlannedRowMissing, what, "mend the row, or save a plan anew").on_line(line)
        }
        NotAsApproved::OtherFile { line, file, how } => {
            let what = format!("the file is not the one that was approved: {how}");
            let hint = "put the file back as it was, or save a plan anew";
            Problem::new(ProblemCode::PlannedFileDiffers, what, hint).on_line(line).about("file", &file)
        }
    }
}

/// The command that carries the plan out: the one that was typed, with the plan in place of the dry run.
fn command(typed: impl Iterator<Item = String>, plan: &str) -> CommandLine {
    let is_of_dry_run = |word: &str| word == "--dry-run" || word == "-n" || word.starts_with("--save-plan=");
    let mut typed = typed.filter(|word| !is_of_dry_run(word));
    let mut line = CommandLine::default();
    while let Some(word) = typed.next() {
        match word.as_str() {
            "--save-plan" => drop(typed.next()),
            _ => line = line.word(word),
        }
    }
    line.option("--plan", plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_for_a_plan_is_the_one_that_saved_it() {
        let typed = ["run", "m 1.csv", "-n", "--dc", "eu", "--save-plan", "p.json", "--skip-invalid"];
        let line = command(typed.iter().map(|word| (*word).to_owned()), "p.json");
        let quote = if cfg!(windows) { '"' } else { '\'' };
        assert_eq!(line.to_string(), format!("attache run {quote}m 1.csv{quote} --dc eu --skip-invalid --plan p.json"));
        let typed = ["run", "m.csv", "--dry-run", "--save-plan=p.json"];
        let line = command(typed.iter().map(|word| (*word).to_owned()), "p.json");
        assert_eq!(line.to_string(), "attache run m.csv --plan p.json");
    }

    #[test]
    fn every_setting_that_differs_is_named() {
        let then = PinnedSettings {
            target: "www.zohoapis.eu".to_owned(),
            api_version: "v2".to_owned(),
            crosswalks: vec!["a".to_owned()],
            checks: BTreeMap::from([("strict".to_owned(), "off".to_owned()), ("max-size".to_owned(), "5".to_owned())]),
            ..PinnedSettings::default()
        };
        assert!(settings(&then, &then).is_empty());
        let now = PinnedSettings {
            target: "www.zohoapis.com".to_owned(),
            api_version: "v8".to_owned(),
            crosswalks: vec!["b".to_owned()],
            checks: BTreeMap::from([("strict".to_owned(), "on".to_owned()), ("max-size".to_owned(), "5".to_owned())]),
            ..PinnedSettings::default()
        };
        let said: Vec<String> = settings(&then, &now).into_iter().map(|problem| problem.message).collect();
        assert_eq!(said.len(), 4, "{said:?}");
        assert!(said.iter().any(|said| said == "--strict was off when the plan was saved, and is on now"), "{said:?}");
    }
}
