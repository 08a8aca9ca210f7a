//! Whether a run may send: asked once, of the person at the controlling terminal, whatever is done with the standard streams.

use std::io::{BufRead, BufReader, Write};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::anyhow;

use super::super::terminal::{ControllingTerminal, Terminal};
use super::prepare::Prepared;
use crate::cli::failure::{Failure, OrExit};
use crate::exit::Exit;
use crate::plan::facts::{Facts, RowFacts, TargetFacts};
use crate::text::escape_for_terminal;
use crate::units::counted;

/// How long an answer is waited for. Whoever has gone home by then did not say yes.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Whether the run may send what the plan says.
///
/// # Errors
///
/// Somebody could be asked but is not there: the process runs in the background of its terminal, or no answer came.
pub(super) fn ask(prepared: &Prepared, facts: &Facts) -> Result<bool, Failure> {
    if prepared.args.yes || !prepared.is_for_real() {
        return Ok(true);
    }
    let question = question(facts);
    ask_person(&ConsentWords { question: &question, verb: "send", what: "this run", nothing: "Nothing was sent" })
}

/// What a person is asked.
pub(in crate::cli) struct ConsentWords<'a> {
    /// The question, with a blank behind it.
    pub(in crate::cli) question: &'a str,
    /// What a yes allows: `send`.
    pub(in crate::cli) verb: &'a str,
    /// Who asks: `this run`.
    pub(in crate::cli) what: &'a str,
    /// What holds without a yes: `Nothing was sent`.
    pub(in crate::cli) nothing: &'a str,
}

/// Puts the question to the person at the controlling terminal; where there is none, whoever wrote the command meant it.
///
/// # Errors
///
/// Somebody could be asked but is not there: the process runs in the background of its terminal, or no answer came.
pub(in crate::cli) fn ask_person(words: &ConsentWords<'_>) -> Result<bool, Failure> {
    match ControllingTerminal::open().or_exit(Exit::Usage)? {
        // Cron, a CI job, a service.
        ControllingTerminal::None => Ok(true),
        #[cfg(unix)]
        ControllingTerminal::Background => Err(in_background(words)),
        ControllingTerminal::Foreground(terminal) => put(terminal, words, PATIENCE),
    }
}

#[cfg(unix)]
fn in_background(words: &ConsentWords<'_>) -> Failure {
    let ConsentWords { verb, what, nothing, .. } = words;
    Failure::usage(anyhow!(
        "{what} was put into the background of a terminal, where nobody can be asked whether to {verb}; add --yes to {verb} \
         without asking, or run it in the foreground. {nothing}"
    ))
}

/// Whose CRM, and how many rows.
fn question(facts: &Facts) -> String {
    let rows = what(&facts.rows);
    let whom = facts.target.as_ref().map_or_else(|| "the service".to_owned(), whose_crm);
    format!("{rows} {whom}? [y/N] ")
}

fn what(rows: &RowFacts) -> String {
    let sending = format!("Send {} to", counted(rows.to_send, "row"));
    match rows.in_doubt + rows.in_doubt_not_in_manifest {
        0 => sending,
        in_doubt if rows.to_send == 0 => {
            format!("Look up {} in doubt, and send what is not there, to", counted(in_doubt, "row"))
        }
        in_doubt => {
            format!("Look up {} in doubt, and send {} to", counted(in_doubt, "row"), counted(rows.to_send, "row"))
        }
    }
}

/// The CRM that the rows go to, as a person knows it.
fn whose_crm(target: &TargetFacts) -> String {
    let host = escape_for_terminal(&target.name);
    if let Some(owner) = &target.owner {
        return format!("the CRM of {} at {host}", escape_for_terminal(owner));
    }
    match &target.whom {
        Some(whom) => format!("{host} with the credentials of {}", escape_for_terminal(whom)),
        None => host.into_owned(),
    }
}

/// Puts the question and waits for the answer. The terminal is read in a thread of its own, since nothing else can be
/// waited for with a limit on every system; the thread ends with the program.
fn put(terminal: Terminal, words: &ConsentWords<'_>, patience: Duration) -> Result<bool, Failure> {
    let ConsentWords { question, verb, nothing, .. } = words;
    let Terminal { input, mut output } = terminal;
    write!(output, "{question}").and_then(|()| output.flush()).or_exit(Exit::Usage)?;
    let (sender, answer) = mpsc::channel();
    let reading = move || {
        let mut line = String::new();
        // Whoever waited may have given up.
        let _ = sender.send(BufReader::new(input).read_line(&mut line).map(|_| line));
    };
    std::thread::Builder::new().name("question".to_owned()).spawn(reading).or_exit(Exit::Usage)?;
    match answer.recv_timeout(patience) {
        Ok(line) => {
            let agreed = is_yes(&line.or_exit(Exit::Usage)?);
            if !agreed {
                // The question's own line tells it already where this cannot be written.
                let _ = writeln!(output, "{nothing}.");
            }
            Ok(agreed)
        }
        Err(_) => {
            let _ = writeln!(output);
            let minutes = patience.as_secs() / 60;
            Err(Failure::usage(anyhow!(
                "nobody answered within {minutes} minutes: {nothing}; with --yes it goes on to {verb} without asking"
            )))
        }
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(to_send: u64, in_doubt: u64) -> RowFacts {
        RowFacts { to_send, in_doubt, ..RowFacts::default() }
    }

    #[test]
    fn the_question_says_how_many_rows_and_whose_crm() {
        assert_eq!(what(&rows(1, 0)), "Send 1 row to");
        assert_eq!(what(&rows(1200, 2)), "Look up 2 rows in doubt, and send 1,200 rows to");
        assert_eq!(what(&rows(0, 1)), "Look up 1 row in doubt, and send what is not there, to");
        let target = TargetFacts {
            name: "www.zohoapis.eu".to_owned(),
            address: None,
            version: "v2".to_owned(),
            rehearsal: false,
            whom: Some("profile \u{202e}acme".to_owned()),
            owner: None,
            proxy: None,
        };
        assert_eq!(whose_crm(&target), "www.zohoapis.eu with the credentials of profile \\u{202e}acme");
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        for yes in ["y\n", "Yes\r\n", " YES "] {
            assert!(is_yes(yes), "{yes}");
        }
        for no in ["", "\n", "n\n", "yep\n", "no"] {
            assert!(!is_yes(no), "{no}");
        }
    }

    #[test]
    fn without_an_answer_nothing_is_sent() {
        let (reader, _writer) = std::io::pipe().expect("a pipe");
        let said = tempfile::tempfile().expect("a file");
        let terminal = Terminal { input: Box::new(reader), output: Box::new(said) };
        let words = ConsentWords { question: "Send it? ", verb: "send", what: "this run", nothing: "Nothing was sent" };
        let failure = put(terminal, &words, Duration::from_millis(20)).expect_err("nobody answers");
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.to_string().contains("--yes"), "{failure}");
    }
}
