//! What a plan says of rows that are done, and what to do about it.

use super::ExplainPage;

/// Every such word.
pub const PAGES: &[ExplainPage] = &[
    ExplainPage {
        code: "changed",
        title: "the file has another size than when it was sent",
        meaning: "The row is done: its attachment has the bytes that the file had then. Today the file has another size, so \
                  it is another. A plan looks only at size and time and reads nothing; nothing is sent by itself. Members of \
                  zip archives are not looked at.",
        remedy: "To attach the file as it is today beside the older attachment, run the manifest again with --resend changed. \
                 The older attachment stays in the CRM, and its line in the results as superseded; remove it in the CRM if \
                 it is not wanted. Otherwise nothing has to be done.",
    },
    ExplainPage {
        code: "perhaps-changed",
        title: "the file was written to after it was sent",
        meaning: "The row is done, and the file has the size that it had then, but a later time: somebody changed it, or \
                  copied the folder without keeping the times. A plan reads no file to find out. Times that differ by a \
                  second or two do not count. Members of zip archives are not looked at.",
        remedy: "With --resend changed these files are read and held against the fingerprint in the results; only what \
                 differs is attached again, beside the older attachment. What was sent by a version that kept no \
                 fingerprint cannot be told and is left alone; to send such a row again, give the file another path and \
                 use --moved new.",
    },
];
