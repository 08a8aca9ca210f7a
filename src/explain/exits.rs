//! The exit statuses.

use super::ExplainPage;
use crate::exit::Exit;

/// Their pages.
pub const PAGES: &[ExplainPage] = &[
    ExplainPage {
        code: "0",
        title: "everything is done",
        meaning: "Every row of the manifest is attached, or was there already. After --limit: every row that it let \
                  through. A dry run found nothing that would stop the run.",
        remedy: "",
    },
    ExplainPage {
        code: "1",
        title: "some rows failed or were left out",
        meaning: "The run came to its end, but the results hold rows with the status failed or invalid. It counts the \
                  whole results file: a row that failed yesterday and was not sent again still counts.",
        remedy: "Look at the code and message of those rows in the results. Rows with a passing cause go again when \
                 the same command is run again; others once their row in the manifest was changed, or with --resend \
                 failed.",
    },
    ExplainPage {
        code: "2",
        title: "the command or the configuration is wrong",
        meaning: "An option, a settings file, the target or the credentials cannot be used, or the manifest cannot be \
                  read at all. Nothing was sent.",
        remedy: "The message names what is wrong and what would be right.",
    },
    ExplainPage {
        code: "3",
        title: "the manifest is not sound, nothing was sent",
        meaning: "At least one row of the manifest has a problem. Nothing is sent before all rows are sound, so that \
                  a mistake shows before it is in the CRM.",
        remedy: "Mend the rows that were listed (--problems FILE writes them to a file of their own), or leave them \
                 out with --skip-invalid.",
    },
    ExplainPage {
        code: "4",
        title: "stopped early; run the same command again to go on",
        meaning: "The service refused the credentials, credits or a limit of the command line were used up, too many \
                  rows failed, or the service was down for too long. What was sent is in the results; nothing is lost.",
        remedy: "The last lines of the run say which of these it was and when to go on. Then run the same command \
                 again: rows that are done cost no request.",
    },
    ExplainPage {
        code: "5",
        title: "some rows are not settled",
        meaning: "For some rows it is not known whether the attachment exists: their answers were lost. Rows in_doubt \
                  are settled by the next run before anything else. Rows unknown could not be told even from the \
                  record's list, and are not sent again by themselves, since that could attach them twice.",
        remedy: "Run the same command again to settle what is in_doubt. For unknown rows, look at the record in the \
                 CRM, then use --resend unknown, with --assume present or --assume absent for what still cannot be \
                 told.",
    },
    ExplainPage {
        code: "6",
        title: "trouble with the results file or the disk",
        meaning: "The results file cannot be written, is in use by another run, was edited, vanished, has a second name \
                  (a hard link), or belongs to another target; or the disk is full. Since the results are what keeps \
                  rows from being attached twice, nothing is sent without them. A run whose file is taken away while \
                  it writes stops, and saves what it held beside it as NAME.rescued-RUN.csv.",
        remedy: "The message names the file and the cause. Close the program that holds it open, free space, or go \
                 back to the copy from before it was edited; --accept-edited-results goes on with an edited one. Put \
                 back a file that vanished or was saved; --new-results sends every row anew.",
    },
    ExplainPage {
        code: "130",
        title: "interrupted by Ctrl-C",
        meaning: "No new row was begun after the interruption, and those under way were given time to end. The results \
                  are complete up to there. A second Ctrl-C ends at once: then what was under way is in doubt, and the \
                  next run looks it up.",
        remedy: "Run the same command again to go on.",
    },
    ExplainPage {
        code: "143",
        title: "terminated by another program",
        meaning: "The system or another program asked this one to end: no new row was begun, and those under way were \
                  given time to end. The results are complete up to there.",
        remedy: "Run the same command again to go on.",
    },
];

/// What an exit status means, in one line.
pub fn title(exit: Exit) -> &'static str {
    let code = exit.code().to_string();
    PAGES.iter().find(|page| page.code == code).map_or("", |page| page.title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_status_has_its_page() {
        for exit in [
            Exit::Done,
            Exit::SomeFailed,
            Exit::Unsettled,
            Exit::Interrupted,
            Exit::Terminated,
            Exit::Stopped,
            Exit::Results,
            Exit::Unsound,
            Exit::Usage,
        ] {
            assert_ne!(title(exit), "", "{exit:?}");
        }
    }
}
