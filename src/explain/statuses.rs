//! The statuses of rows in the results. `superseded` stands among the codes, whose word it is, too.

use super::ExplainPage;

/// Their pages.
pub const PAGES: &[ExplainPage] = &[
    ExplainPage {
        code: "uploaded",
        title: "the attachment exists, and this program made it",
        meaning: "The service answered with the id of the new attachment, or the record's list showed it afterwards (code \
                  settled-by-listing). The row is done: no later run sends it again.",
        remedy: "",
    },
    ExplainPage {
        code: "already_present",
        title: "the attachment was there before",
        meaning: "The record had an attachment of that name and size, or the link, before anything was sent, and \
                  --if-exists skip says to leave it, or the service refused a second link. The row is done.",
        remedy: "",
    },
    ExplainPage {
        code: "failed",
        title: "the service refused the row, and nothing was created",
        meaning: "Code and message of the row say why. Causes that pass, such as a service that was down, go again with the \
                  next run by themselves. All others stay failed until the row is changed.",
        remedy: "Look the row's code up with attache explain. Mend the row, or the CRM, and run the manifest again; \
                 --resend failed sends rows again that were not changed. With --problems FILE a run writes them to a list of \
                 their own.",
    },
    ExplainPage {
        code: "in_doubt",
        title: "it was sent, and no usable answer came",
        meaning: "Bytes of the upload left and the answer was lost, so the attachment may exist. It is never sent blindly \
                  again: the next run reads the record's list first, and sends it only if it is not there.",
        remedy: "Run the same command again.",
    },
    ExplainPage {
        code: "unknown",
        title: "the record's list cannot tell whether the attachment exists",
        meaning: "There is something like it that may be somebody else's, or the list could not be read to its end. A person \
                  can tell, a program would have to guess.",
        remedy: "Look at the record in the CRM. Then run again with --resend unknown, which looks once more, or with --assume \
                 present or --assume absent if you know.",
    },
    ExplainPage {
        code: "not_sent",
        title: "the row's turn did not come",
        meaning: "The run ended before it, at a limit or for a reason that the code names, and nothing of the row was sent.",
        remedy: "Run the same command again: it goes on there.",
    },
    ExplainPage {
        code: "invalid",
        title: "the row was left out for its problems",
        meaning: "The check found an error in it, and --skip-invalid said to send the others. The code names the first error.",
        remedy: "Mend the row and run the manifest again. --problems FILE writes all such rows with what is wrong and what to do.",
    },
    ExplainPage {
        code: "sending",
        title: "the request may be under way at this moment",
        meaning: "A line of the log while a run goes on. In a file that no run is writing to, the run was killed there.",
        remedy: "Run the same command again: it finds out what became of the row before it sends anything.",
    },
];

#[cfg(test)]
mod tests {
    use crate::explain::find;
    use crate::outcome::Status;

    #[test]
    fn every_status_has_a_page() {
        for status in Status::ALL {
            assert!(find(status.as_str()).is_ok(), "{status}");
        }
    }
}
