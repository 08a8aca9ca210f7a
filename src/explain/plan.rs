//! What a plan says of rows that are done and of the run as a whole, and what to do about it.

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
        code: "no-target",
        title: "nobody has said where to send",
        meaning: "A dry run needs no target, so it goes on without one. A real run does: results, credits and questions \
                  belong to one organisation, and there is no default for it.",
        remedy: "Add --dc with the data centre of the organisation, or --api-domain, or use a profile (attache auth login).",
    },
    ExplainPage {
        code: "no-credentials",
        title: "there is nothing to get in with",
        meaning: "A dry run sends nothing, so it goes on. A real run would end with exit status 2 before it sends anything.",
        remedy: "Store some with attache auth login, or set ZOHO_ACCESS_TOKEN, or ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET and \
                 ZOHO_REFRESH_TOKEN. attache config shows what is found.",
    },
    ExplainPage {
        code: "owner-unknown",
        title: "nobody can tell whose CRM the token belongs to",
        meaning: "A bare access token names neither its client nor, without the scope ZohoCRM.org.READ, its organisation. So \
                  the results cannot remember whose they are, and nothing keeps rows from going to another CRM than before.",
        remedy: "Sign in with a client (attache auth login), or add ZohoCRM.org.READ to the scopes of the token.",
    },
    ExplainPage {
        code: "rows-not-in-manifest",
        title: "the results know rows that the manifest no longer has",
        meaning: "They were taken out of the manifest, or were written otherwise then. Their lines stay in the results, so that \
                  no attachment is forgotten, and nothing is done about them.",
        remedy: "",
    },
    ExplainPage {
        code: "max-credits",
        title: "the credits that the run may use do not suffice",
        meaning: "--max-credits allows fewer API credits than the plan needs. The run sends what it can and stops with exit \
                  status 4; the same command goes on later.",
        remedy: "Raise --max-credits, or leave it out, or let the rest go another day.",
    },
    ExplainPage {
        code: "owner-and-date",
        title: "owner and date of an attachment cannot be set",
        meaning: "The API has no field for either: the attachments belong to the user whose credentials are used, and are dated \
                  at the time of the upload.",
        remedy: "Sign in as the user who is to own them. Keep the old dates in a column x_… of the manifest: it is carried into \
                 the results and the report.",
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

#[cfg(test)]
mod tests {
    use crate::explain::find;
    use crate::plan::facts::WARNING_CODES;

    #[test]
    fn everything_that_a_plan_warns_of_has_its_page() {
        for code in WARNING_CODES {
            assert!(find(code).is_ok(), "{code}");
        }
    }
}
