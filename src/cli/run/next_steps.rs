//! What to do after a run, with the options and commands that do it. The console shows it at the end of the summary.

use std::path::Path;

use crate::cli::args::TargetArgs;
use crate::cli::command_line::CommandLine;
use crate::console::summary::{NextStep, RowCounts, StopFacts, Summary};
use crate::outcome::{OwnCode, Status, is_temporary};
use crate::units::{count, counted};

/// What comes next, what the program cannot do by itself first. `target` is what the run was given, `not_selected` how many of
/// the rows that were not sent were not chosen for it.
pub(super) fn next_steps(summary: &Summary, target: &TargetArgs, not_selected: u64) -> Vec<NextStep> {
    let RowCounts { failed, in_doubt, unknown, not_sent, invalid, deleted, deleting, .. } = summary.overall;
    let on_results = |command: &str| CommandLine::new(command).file(Path::new(&summary.results));
    let passing = passing_failures(summary);
    let mut steps = Vec::new();
    if unknown > 0 {
        steps.push(NextStep::new(format!(
            "Look in the CRM for what is unknown ({}); --resend unknown lists once more, --assume present or absent decides",
            counted(unknown, "row")
        )));
    }
    if failed > passing {
        steps.push(NextStep::new(
            "Mend the failed rows in the manifest and run it again, or send them as they are with --resend failed",
        ));
    }
    if invalid > 0 {
        let were = if invalid == 1 { "was" } else { "were" };
        let rows = counted(invalid, "row");
        steps.push(NextStep::new(format!("Mend the {rows} that {were} left out, and run the manifest again")));
    }
    if deleting > 0 {
        let text = format!("Settle what was being deleted ({})", counted(deleting, "row"));
        steps.push(NextStep::new(text).by(on_results("undo").flag("--delete").at(target)));
    }
    if deleted > 0 {
        steps.push(NextStep::new(format!(
            "What was deleted ({}) is not sent again by itself; --resend deleted attaches it once more",
            counted(deleted, "row")
        )));
    }
    steps.extend(summary.stopped.as_ref().and_then(|stopped| behind(stopped, target)));
    if in_doubt + not_sent.saturating_sub(not_selected) + passing + summary.over_limit > 0 {
        steps.push(NextStep::new(match summary.rehearsal {
            true => "The next rehearsal begins anew, unless --results names the file that this one wrote",
            false => "Run the same command again to go on: what is done costs no request",
        }));
    }
    if not_selected > 0 && !summary.rehearsal {
        steps.push(NextStep::new(format!(
            "{} not chosen for this run: the same command without --only, --lines and --sample, or another plan, sends them",
            if not_selected == 1 { "1 row was".to_owned() } else { format!("{} rows were", count(not_selected)) }
        )));
    }
    if summary.rehearsal {
        let text = "This was a rehearsal: nothing left this machine. The real run names a target, as --dc eu does";
        steps.push(NextStep::new(text));
    } else if steps.is_empty() {
        let verify = on_results("verify").at(target);
        steps.push(NextStep::new("Ask the service whether every row is there").by(verify));
        steps.push(NextStep::new("Make the page for the sign-off").by(on_results("report")));
    }
    steps
}

/// The option that set the limit at which a run stopped, or what helps against what stopped it.
fn behind(stopped: &StopFacts, target: &TargetArgs) -> Option<NextStep> {
    let text = match stopped.cause.as_str() {
        "max-duration" => "How long a run may take is said with --max-duration",
        "max-failures" => "How many rows may fail is said with --max-failures",
        "credits" => "What a run may use and leaves to others is said with --max-credits and --keep-credits",
        "credentials" => {
            let login = CommandLine::new("auth login").at(target);
            return Some(NextStep::new("Store credentials anew, or give a new token").by(login));
        }
        _ if stopped.message.starts_with(OwnCode::Certificate.as_str()) => {
            "--ca-file names the certificate of an authority of your own"
        }
        _ => return None,
    };
    Some(NextStep::new(text))
}

/// Failed rows that go again by themselves. Those of earlier runs went again in this one.
fn passing_failures(summary: &Summary) -> u64 {
    let failed = Status::Failed.as_str();
    let passing = summary.causes.iter().filter(|cause| cause.status == failed && is_temporary(&cause.code));
    passing.map(|cause| cause.rows).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args;
    use crate::console::plan::tests::large;
    use crate::console::summary::tests::{cause, ending, example};
    use crate::engine::{StopCause, Stopped};
    use crate::exit::Exit;
    use crate::reply::StopBecause;

    fn stopped(cause: StopCause) -> Option<Stopped> {
        Some(Stopped { cause, message: "it stopped".to_owned(), advice: String::new(), until: None })
    }

    fn steps(summary: &Summary) -> Vec<String> {
        let target = TargetArgs { profile: Some("client b".to_owned()), ..TargetArgs::default() };
        next_steps(summary, &target, 0).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn after_a_run_that_worked_come_the_proof_and_the_page_by_whole_commands() {
        let statuses = [(Status::Uploaded, 31), (Status::AlreadyPresent, 1)];
        let summary = example(&large(), &ending(&statuses), Vec::new(), Exit::Done);
        let results = &summary.results;
        let quote = if cfg!(windows) { '"' } else { '\'' };
        assert_eq!(
            steps(&summary),
            [
                format!(
                    "Ask the service whether every row is there: attache verify {results} --profile {quote}client b{quote}"
                ),
                format!("Make the page for the sign-off: attache report {results}"),
            ]
        );
        assert!(args::parse(["attache", "verify", "r.csv", "--profile", "client b"]).is_ok());
    }

    #[test]
    fn what_a_person_has_to_look_at_comes_before_the_next_run() {
        let statuses = [(Status::Failed, 12), (Status::Unknown, 1), (Status::Deleting, 1), (Status::NotSent, 300)];
        let mut ending = ending(&statuses);
        ending.stopped = stopped(StopCause::Credits);
        let causes = vec![cause(Status::Failed, "NO_PERMISSION", 11, "permission denied")];
        let steps = steps(&example(&large(), &ending, causes, Exit::Stopped));
        assert_eq!(steps.len(), 5, "{steps:?}");
        let ways = ["--resend unknown", "--resend failed", "attache undo", "--keep-credits", "again to go on"];
        assert!(steps.iter().zip(ways).all(|(step, way)| step.contains(way)), "{steps:?}");
    }

    #[test]
    fn what_was_not_chosen_is_not_sent_by_the_same_command() {
        let summary =
            example(&large(), &ending(&[(Status::Uploaded, 2), (Status::NotSent, 5)]), Vec::new(), Exit::Done);
        let steps = |not_selected| {
            let steps = next_steps(&summary, &TargetArgs::default(), not_selected);
            steps.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let all = steps(5);
        assert!(all.len() == 1 && all[0].starts_with("5 rows were not chosen") && all[0].contains("--only"), "{all:?}");
        assert_eq!(steps(4).len(), 2);
    }

    #[test]
    fn a_refused_token_is_followed_by_the_way_to_sign_in_under_the_same_name() {
        let mut ending = ending(&[(Status::NotSent, 2)]);
        ending.stopped = stopped(StopCause::Service(StopBecause::Credentials));
        let steps = steps(&example(&large(), &ending, Vec::new(), Exit::Stopped));
        assert!(steps[0].contains("attache auth login --profile"), "{steps:?}");
    }

    #[test]
    fn a_rehearsal_that_was_interrupted_does_not_promise_to_go_on() {
        let mut plan = large();
        if let Some(target) = &mut plan.target {
            target.rehearsal = true;
        }
        let ending = ending(&[(Status::Uploaded, 1), (Status::NotSent, 2)]);
        let steps = steps(&example(&plan, &ending, Vec::new(), Exit::Stopped));
        assert!(steps.iter().any(|step| step.contains("begins anew")), "{steps:?}");
        assert!(!steps.iter().any(|step| step.contains("to go on")), "{steps:?}");
    }
}
