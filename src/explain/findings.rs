//! The findings of a verification.

use super::ExplainPage;

/// Their pages.
pub const PAGES: &[ExplainPage] = &[
    ExplainPage {
        code: "present",
        title: "the attachment is there, once",
        meaning: "The record's list has the attachment that the results name, or one that looks like it, with the size \
                  that was sent, and no further one of the same name and size. Where only the census of all attachments \
                  was looked at, it was seen there once, and its record was not asked for more.",
        remedy: "",
    },
    ExplainPage {
        code: "missing",
        title: "the attachment is not in the record's list",
        meaning: "The results say that it was uploaded, and the record's own list, read to its end, does not have it: \
                  neither by its id nor by its looks. Somebody has deleted it, or the list does not show it to this user.",
        remedy: "Ask who may have deleted it. To attach it once more, run the manifest again with --resend missing: each \
                 such row is looked for once more before it is sent.",
    },
    ExplainPage {
        code: "size-differs",
        title: "the attachment has another size than the file that was sent",
        meaning: "The attachment that the results name is there, but the service gives another number of bytes for it.",
        remedy: "Download it and look. If it is not what was sent, delete it in the CRM and run the manifest again.",
    },
    ExplainPage {
        code: "content-differs",
        title: "the attachment has other bytes than were sent",
        meaning: "--contents downloaded it, all of it, and its fingerprint is not the one of the bytes that were sent.",
        remedy: "Download it and look. If it is damaged, delete it in the CRM and run the manifest again.",
    },
    ExplainPage {
        code: "extra-copies",
        title: "the record has more of the same",
        meaning: "The attachment is there, and so is at least one more of the same name and size, or of the same address, \
                  that belongs to no row of the results. It may have been there before, or come from somebody else.",
        remedy: "Look at the ids that the message names, and delete in the CRM what is too much.",
    },
    ExplainPage {
        code: "twice-by-us",
        title: "two rows made the same attachment",
        meaning: "Two rows of the results put files of the same name and with the same bytes (or the same size, where the \
                  bytes are not known) on one record, from different paths. Rows that name one file twice did so on \
                  purpose and are only counted.",
        remedy: "See which row is too much, delete its attachment in the CRM and take the row out of the manifest.",
    },
    ExplainPage {
        code: "still-there",
        title: "deleted, by the results, and yet there",
        meaning: "The results say that attache undo deleted the attachment, and the record's list has it: somebody has \
                  restored it from the recycle bin, or the list shows what is gone already.",
        remedy: "Verify once more after a while. If it is there still and not wanted, delete it in the CRM.",
    },
    ExplainPage {
        code: "open",
        title: "the results leave open whether it is there",
        meaning: "The row's status is unknown, in_doubt, sending or deleting. The message says how many attachments like \
                  it are on the record and belong to no other row.",
        remedy: "Run the manifest again: rows in doubt are settled then; rows that are unknown with --resend unknown. \
                 What was being deleted is settled by attache undo.",
    },
    ExplainPage {
        code: "unchecked",
        title: "nobody could look",
        meaning: "The service gave no list of the record, refused the module, or the verification ended before. Nothing \
                  is said about the row.",
        remedy: "See what the message says, then verify again. A deleted record has no list any more.",
    },
    ExplainPage {
        code: "not-expected",
        title: "not uploaded, so not looked for",
        meaning: "The results do not say that the row's attachment is on the record.",
        remedy: "",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::show::MEANINGS;

    #[test]
    fn every_finding_has_its_page() {
        let pages: Vec<&str> = PAGES.iter().map(|page| page.code).collect();
        assert!(MEANINGS.iter().all(|(finding, _)| pages.contains(finding)) && pages.len() == MEANINGS.len());
    }
}
