//! The codes that stand in the `code` column of the results: the service's own and ours, with what to do about each.
//!
//! The service uses some codes for several things. The page of such a code says all of them; [`advice`] tells them apart
//! by status and wording, for one row. `file-denied` is both a problem and an outcome; its page stands with the
//! problems.

use super::ExplainPage;

/// Their pages: first the service's codes as its documentation lists them, then others it is known to use, then ours.
pub const PAGES: &[ExplainPage] = &[
    ExplainPage {
        code: "INVALID_MODULE",
        title: "the service does not take attachments for this module",
        meaning: "Either there is no module of this API name, or it was removed from the organisation, or the user's \
                  profile may not see its tab, or it is one that the API does not cover (Documents and Projects are \
                  such). The other rows of the module would fail alike and are not sent.",
        remedy: "Use the module's API name as Setup, Developer Hub, APIs and SDKs, API names shows it, and give the \
                 user's profile access to its tab. Rows for Documents or Projects cannot be done over this API.",
    },
    ExplainPage {
        code: "INVALID_URL_PATTERN",
        title: "the address is not one that the service knows",
        meaning: "With HTTP 404, the address of the request itself is wrong: domain, API version or path. That stops \
                  the run. With HTTP 400 on a row with a link, the link is not one that the service takes, and only \
                  that row fails.",
        remedy: "For HTTP 404, correct --dc or --api-domain, and --api-version. For HTTP 400, correct the url of the \
                 row: absolute, http or https, at most 2000 characters.",
    },
    ExplainPage {
        code: "OAUTH_SCOPE_MISMATCH",
        title: "the token lacks a scope",
        meaning: "The client was granted scopes that do not include attaching: ZohoCRM.modules.attachments.CREATE, and \
                  one for the module itself. A new token of the same grant would lack it too, so the run stops.",
        remedy: "Make a new grant code with the scopes that the plan of a dry run names, and store it with attache auth \
                 login. ZohoCRM.modules.attachments.READ is needed too: with it, lost answers can be settled.",
    },
    ExplainPage {
        code: "NO_PERMISSION",
        title: "the user may not attach to this record",
        meaning: "The user whose token this is has no permission to upload attachments in this module, or not for \
                  this record.",
        remedy: "Ask an administrator of the CRM to let the user's profile create attachments and reach the record, \
                 then run again with --resend code=NO_PERMISSION.",
    },
    ExplainPage {
        code: "AUTHORIZATION_FAILED",
        title: "the user lacks the privilege to upload attachments",
        meaning: "The profile or role of the user whose token this is does not allow uploads here.",
        remedy: "Ask an administrator of the CRM for the privilege, then run again with --resend \
                 code=AUTHORIZATION_FAILED.",
    },
    ExplainPage {
        code: "INTERNAL_ERROR",
        title: "the service failed inside",
        meaning: "Something unforeseen happened on the side of the service. Whether the attachment was made is not \
                  known from this, so the record is looked up before anything is sent again.",
        remedy: "Run the same command again. If it keeps coming for the same rows, report it to the support of the \
                 service with the time in finished_at.",
    },
    ExplainPage {
        code: "INVALID_REQUEST_METHOD",
        title: "the service does not take this kind of request here",
        meaning: "The address exists but not for what was asked of it: this program is at fault, or something in \
                  between changes requests.",
        remedy: "Check --api-domain and --api-version, and any proxy on the way. If they are right, report it as a \
                 defect of attache.",
    },
    ExplainPage {
        code: "INVALID_DATA",
        title: "the service refuses the record, the file's type or the link",
        meaning: "About the related id: there is no record of this id in this module; it may have been deleted, be of \
                  another module or another organisation, or have been damaged by a spreadsheet. With HTTP 415 and \
                  \"invalid file type\": the service takes every kind of file but .exe. \"Link already exists\" is no \
                  failure: the row counts as already_present.",
        remedy: "Compare the id with the last part of the record's address in the CRM, in the module of the row. \
                 Put an .exe into an archive, or leave it out.",
    },
    ExplainPage {
        code: "FILE_SIZE_MORE_THAN_ALLOWED_SIZE",
        title: "the file is larger than the service takes",
        meaning: "An attachment may have 100 MB at most, and some organisations may have less.",
        remedy: "Make the file smaller, or attach a link to where it is kept. --max-size finds such files before \
                 anything is sent.",
    },
    ExplainPage {
        code: "BODY_SIZE_REACHED",
        title: "the request is larger than the service takes",
        meaning: "The limit of 100 MB counts the whole request, which is a few hundred bytes more than the file.",
        remedy: "Make the file smaller, or attach a link to where it is kept. --max-size finds such files before \
                 anything is sent.",
    },
    ExplainPage {
        code: "DUPLICATE_DATA",
        title: "the record has this already",
        meaning: "A record takes each link once only. A row whose link is there already counts as already_present.",
        remedy: "Nothing, for a link. For anything else, the message says what the service holds to be the same.",
    },
    ExplainPage {
        code: "LIMIT_REACHED",
        title: "a limit of the organisation is used up",
        meaning: "File storage or API credits of the organisation are used up. Every further row would be refused, so \
                  the run stops.",
        remedy: "Free or buy storage, or wait: each API credit comes back 24 hours after it was used. Then run the \
                 same command again.",
    },
    ExplainPage {
        code: "LIMIT_EXCEEDED",
        title: "a limit of the organisation is exceeded",
        meaning: "File storage or API credits of the organisation are used up. Every further row would be refused, so \
                  the run stops.",
        remedy: "Free or buy storage, or wait: each API credit comes back 24 hours after it was used. Then run the \
                 same command again.",
    },
    ExplainPage {
        code: "TOO_MANY_REQUESTS",
        title: "the service asked to slow down",
        meaning: "More requests were under way at once than the organisation's edition allows, ours and those of other \
                  programs together. Nothing was created. The run slows down by itself; the row failed only after all \
                  its tries.",
        remedy: "Run the same command again, with a lower --concurrency if other programs use the same organisation.",
    },
    ExplainPage {
        code: "RATE_LIMIT_EXCEEDED",
        title: "the service asked to slow down",
        meaning: "The same as TOO_MANY_REQUESTS, as other versions of the API call it.",
        remedy: "Run the same command again, with a lower --concurrency if other programs use the same organisation.",
    },
    ExplainPage {
        code: "INVALID_TOKEN",
        title: "the access token is refused",
        meaning: "It has expired or was revoked. A new one is fetched by itself where credentials for that were given; \
                  the run stops only if a new one is refused as well.",
        remedy: "Check with attache auth status whose token it is and where it belongs to.",
    },
    ExplainPage {
        code: "INVALID_OAUTHTOKEN",
        title: "the access token is refused",
        meaning: "The same as INVALID_TOKEN, as other versions of the API call it.",
        remedy: "Check with attache auth status whose token it is and where it belongs to.",
    },
    ExplainPage {
        code: "AUTHENTICATION_FAILURE",
        title: "the access token is refused",
        meaning: "The same as INVALID_TOKEN, as the entrance of the service calls it.",
        remedy: "Check with attache auth status whose token it is and where it belongs to.",
    },
    ExplainPage {
        code: "MANDATORY_NOT_FOUND",
        title: "the service misses something in the request",
        meaning: "The request lacks a part that this version of the API wants: this program is at fault, or something \
                  in between changes requests.",
        remedy: "Check --api-version, and any proxy on the way. If they are right, report it as a defect of attache.",
    },
    ExplainPage {
        code: "REQUIRED_PARAM_MISSING",
        title: "the service misses a parameter in the request",
        meaning: "The request lacks a parameter that this version of the API wants: this program is at fault, or \
                  something in between changes requests.",
        remedy: "Check --api-version, and any proxy on the way. If they are right, report it as a defect of attache.",
    },
    ExplainPage {
        code: "VIRUS_DETECTED",
        title: "the service holds the file to be infected",
        meaning: "Its scanner refused the content of the file.",
        remedy: "Have the file looked at before it goes anywhere.",
    },
    ExplainPage {
        code: "EMPTY_FILE_NOT_ALLOWED",
        title: "the service does not take empty files",
        meaning: "The file has no content.",
        remedy: "Leave the row out; without --allow-empty the check finds such files.",
    },
    ExplainPage {
        code: "settled-by-listing",
        title: "the answer was lost, and the record shows that the upload came through",
        meaning: "Its bytes had left when the connection ended, or the service answered with an error. The record's \
                  list holds exactly one new attachment of that name and size, so the row counts as uploaded.",
        remedy: "",
    },
    ExplainPage {
        code: "exists",
        title: "the record has an attachment of this name already",
        meaning: "--if-exists asked to look first. With skip the row counts as already_present, with fail as failed. \
                  The message gives the size of what is there: names are compared, contents are not.",
        remedy: "If the one that is there is another file, give the row a name of its own.",
    },
    ExplainPage {
        code: "assumed",
        title: "decided by --assume",
        meaning: "What became of this upload could not be told from the record, and the person who ran the command said \
                  how to take it.",
        remedy: "",
    },
    ExplainPage {
        code: "no-reply",
        title: "no answer came in several rounds, and nothing was created",
        meaning: "Each time the answer was lost, and each time the record's list proved that no attachment had come of \
                  it.",
        remedy: "Run the same command again; the row goes again by itself. If only large files fail so, a proxy or \
                 firewall on the way may cut long requests off.",
    },
    ExplainPage {
        code: "not-connected",
        title: "no connection came about",
        meaning: "The service could not be reached in all tries, or the connection ended before any byte of the file \
                  left. Nothing was created.",
        remedy: "Check the network, the proxy and --api-domain, then run the same command again; the row goes again by \
                 itself.",
    },
    ExplainPage {
        code: "throttled",
        title: "the service asked to slow down",
        meaning: "It did so in every try, without one of its usual codes. Nothing was created.",
        remedy: "Run the same command again, with a lower --concurrency if other programs use the same organisation; \
                 the row goes again by itself.",
    },
    ExplainPage {
        code: "local-shortage",
        title: "this machine ran out of file handles or threads",
        meaning: "The file could not be opened or the connection not be made, for want of resources of this machine, or \
                  since another program held the file at that moment (Windows).",
        remedy: "Close other programs, raise the limit of open files, or lower --concurrency; then run the same \
                 command again.",
    },
    ExplainPage {
        code: "file-gone",
        title: "the file is not there any more",
        meaning: "It was there when the manifest was checked, and not when its turn came. Nothing was sent.",
        remedy: "Put it back, then run again with --resend code=file-gone.",
    },
    ExplainPage {
        code: "file-changed",
        title: "the file is not the one that was checked",
        meaning: "Its size, its time of change or the file itself is another one than when the manifest was checked. \
                  If it changed while it was being sent, the upload was left incomplete on purpose, and the record was \
                  looked up afterwards.",
        remedy: "Let the program that writes the file finish, then run again with --resend code=file-changed.",
    },
    ExplainPage {
        code: "file-read",
        title: "reading the file went wrong",
        meaning: "The disk or the network drive gave an error instead of the file's bytes.",
        remedy: "Check that the file opens in another program, then run again with --resend code=file-read.",
    },
    ExplainPage {
        code: "answer-lost",
        title: "bytes had left, and no answer came",
        meaning: "The connection ended or fell silent on the way. The attachment may exist or not; only the record's \
                  list can tell.",
        remedy: "Run the same command again: it looks the record up before anything else.",
    },
    ExplainPage {
        code: "server-error",
        title: "the service answered with an error of its own",
        meaning: "An answer of the kind 5xx or 408 says nothing about whether the attachment was made before the error.",
        remedy: "Run the same command again: it looks the record up before anything else.",
    },
    ExplainPage {
        code: "unreadable",
        title: "an answer came that says neither yes nor no",
        meaning: "Its status speaks of success, but there is no attachment id in it: cut off, no JSON, or of a shape \
                  that the service is not known to use. Or it names an attachment that another row has already, so that \
                  it must be the answer to another request.",
        remedy: "Run the same command again: it looks the record up before anything else. If every row ends so, the \
                 address may belong to another service: check --api-domain.",
    },
    ExplainPage {
        code: "interrupted",
        title: "a signal ended the run first",
        meaning: "A row in_doubt was under way when the time for ending was up; a row not_sent had not been begun.",
        remedy: "Run the same command again to go on.",
    },
    ExplainPage {
        code: "several-matches",
        title: "more than one attachment could be this one",
        meaning: "The answer was lost, and the record holds several new attachments of that name and size: someone \
                  else attached the same, or the service made more than one.",
        remedy: "Look at the record in the CRM and remove what is too much; then --resend unknown with --assume \
                 present.",
    },
    ExplainPage {
        code: "uncertain-match",
        title: "an attachment agrees only in part",
        meaning: "The answer was lost, and the record holds a new attachment that has the same name or the same size, \
                  or is a little too old, or of which the list does not say enough. It may be this one, changed by the \
                  service, or somebody else's. Where answers carry no date, nobody can tell which attachments are new.",
        remedy: "Look at the record in the CRM; then --resend unknown with --assume present if it is there, or \
                 --assume absent if not.",
    },
    ExplainPage {
        code: "not-listable",
        title: "the record's list may not be read",
        meaning: "The answer was lost, and nobody can tell what became of it: the token may not list attachments, or the \
                  service refuses this record's list for good, as it does for a list that is too long.",
        remedy: "If the token is the reason, use one that also has ZohoCRM.modules.attachments.READ, then --resend \
                 unknown. Otherwise look at the record in the CRM; then --resend unknown with --assume present or absent.",
    },
    ExplainPage {
        code: "edited",
        title: "the line of the results was edited",
        meaning: "What the line said cannot be relied on, and the run was told to go on with --accept-edited-results.",
        remedy: "Look at the record in the CRM; then --resend unknown.",
    },
    ExplainPage {
        code: "run-ended",
        title: "the run ended before the row's turn came",
        meaning: "A limit, the credits, the time, too many failures or refused credentials ended it. The row was not \
                  sent.",
        remedy: "Run the same command again: the row goes by itself.",
    },
    ExplainPage {
        code: "module-closed",
        title: "every row of the module would be refused",
        meaning: "The service refused rows of this module for a reason that holds for all of them, so the others were \
                  not sent.",
        remedy: "See the code of the failed rows of the module. Once the cause is mended, run the same command again: \
                 the rows that were not sent go by themselves.",
    },
    ExplainPage {
        code: "superseded",
        title: "the attachment of a row that was sent once more",
        meaning: "A status of the results, not a code: the row has an attachment of ours already, and --resend asked for a \
                  further one. The row has a line of its own; this one only keeps the older attachment from being \
                  forgotten, and stands behind the lines of the manifest.",
        remedy: "Nothing has to be done. If the older attachment is still there and not wanted, remove it in the CRM by \
                 its attachment_id.",
    },
    ExplainPage {
        code: "deleting",
        title: "an attachment of ours that is being taken back",
        meaning: "A status of the results, not a code: attache undo asked the service to delete the attachment, and it is \
                  not known yet whether it is gone, since the answer was lost or the program was cut off. No run sends the \
                  row again.",
        remedy: "Run the same attache undo once more: it looks at the record and either finds the attachment gone or \
                 deletes it.",
    },
    ExplainPage {
        code: "already-gone",
        title: "the attachment had gone before it was to be deleted",
        meaning: "The row is deleted, though not by attache: when attache undo looked, the record's list did not have the \
                  attachment any more, and the service said twice that there is none of its id.",
        remedy: "Nothing, unless it matters who deleted it.",
    },
    ExplainPage {
        code: "found-gone",
        title: "the attachment is gone, though the answer was lost",
        meaning: "The row is deleted. attache undo asked for it, the answer was lost or the program was cut off, and \
                  afterwards the record's list did not have the attachment any more, and the service said twice that there \
                  is none of its id.",
        remedy: "Nothing has to be done.",
    },
    ExplainPage {
        code: "not-in-manifest",
        title: "in doubt from before, proved absent, and no longer asked for",
        meaning: "An earlier run lost the answer of this row. The record shows that nothing came of it, and the manifest \
                  has no such row any more, so it is not sent again.",
        remedy: "Put the row back into the manifest if it is still wanted.",
    },
    ExplainPage {
        code: "not-selected",
        title: "the run was told to send other rows",
        meaning: "--only, --lines, --sample or an approved plan chose a part of the manifest, and this row is not in it. It \
                  was checked like all others. Rows that earlier runs brought to an end keep it, whatever is chosen.",
        remedy: "Run the same command without the choice, or with another one: the row goes by itself.",
    },
    ExplainPage {
        code: "refused",
        title: "the service refused without a code",
        meaning: "The answer is a refusal by its status, without a code of the service: it may come from something in \
                  between, such as a proxy or firewall, perhaps after the service had done its work. So the row was in \
                  doubt, and its record was looked up. A row that failed was not there: nothing was created.",
        remedy: "See the message and http_status of the row. If a firewall dislikes the file, ask for an exception, or \
                 attach a link to where the file is kept; then run again with --resend code=refused.",
    },
    ExplainPage {
        code: "too-large",
        title: "something on the way takes no request of this size",
        meaning: "The answer was 413 without a code of the service: a proxy or the entrance of the service refused it. \
                  The record was looked up: nothing was created.",
        remedy: "Make the file smaller, attach a link to where it is kept, or have the limit of the proxy raised.",
    },
    ExplainPage {
        code: "credentials-refused",
        title: "no token that the service accepts",
        meaning: "The access token was refused and no other one could be had: nothing to renew it with, a refresh token \
                  that was revoked, a wrong client id or secret, or the data centre of another organisation. The run \
                  stops; what was sent stays sent.",
        remedy: "Read the message: it says what the accounts server answered. attache auth login stores new \
                 credentials, attache auth status shows whether they work; then run the same command again.",
    },
    ExplainPage {
        code: "too-many-tokens",
        title: "too many tokens were asked for",
        meaning: "The accounts server gives a client ten tokens in ten minutes and then refuses for some minutes more. \
                  Other programs with the same credentials count too.",
        remedy: "Wait 15 minutes and run the same command again; asking sooner makes it last longer.",
    },
    ExplainPage {
        code: "login-page",
        title: "the accounts server's address gives a web page",
        meaning: "A request for a token was answered with a web page, as a site for people or the page of a network that \
                  wants a sign-in does. The message has its title. Nothing was sent to the CRM.",
        remedy: "Check --accounts-url and --dc: the address must be that of an accounts server, like \
                 https://accounts.zoho.eu. If the page belongs to the network you are in, sign in there first.",
    },
    ExplainPage {
        code: "other-target",
        title: "the token belongs to another place than the target",
        meaning: "The accounts server says that the organisation of this token lives at another API domain than the one \
                  that was named. Nothing was sent there.",
        remedy: "Name the organisation's own data centre with --dc or --api-domain, or use its own credentials.",
    },
    ExplainPage {
        code: "certificate",
        title: "the other side could not show that it is who it should be",
        meaning: "Its certificate is for another name, has expired, or comes from an authority that this machine does \
                  not trust. The token was not sent. There is no option to go on regardless.",
        remedy: "Check --api-domain and the clock of this machine. If a proxy of your own organisation opens \
                 connections, name its authority with --ca-file.",
    },
    ExplainPage {
        code: "proxy-refused",
        title: "the proxy would not let us through",
        meaning: "The proxy that the environment names refused the connection or wants a user name and password. If the \
                  body of a row had left by then, the row is in doubt, and the next run looks it up first.",
        remedy: "Correct HTTPS_PROXY, add the host to NO_PROXY, or use --no-proxy if there is a direct way.",
    },
    ExplainPage {
        code: "redirected",
        title: "the target sent us elsewhere",
        meaning: "The answer names another address. It is not followed: the token was meant for the host that was named, \
                  and an upload that is redirected arrives as something else. The run stops, and the row is in doubt: \
                  some servers redirect after the work is done.",
        remedy: "Name the right address with --dc or --api-domain. The next run looks the row up first.",
    },
    ExplainPage {
        code: "program-error",
        title: "a mistake in this program",
        meaning: "Something went wrong that should not be possible. The row was set aside and the run went on; what had \
                  been sent is in doubt and will be looked up.",
        remedy: "Run the same command again, and report it as a defect of attache with the message of the row.",
    },
];

/// One of several things for which the service uses a code, told apart by status and wording.
struct OutcomeCase {
    code: &'static str,
    http_status: Option<u16>,
    /// In the message, in lower case.
    says: &'static str,
    advice: &'static str,
}

/// The first that fits counts.
const CASES: &[OutcomeCase] = &[
    OutcomeCase {
        code: "INVALID_MODULE",
        http_status: None,
        says: "not supported",
        advice: "the API does not cover this module (Documents and Projects are such); name another one by its API name",
    },
    OutcomeCase {
        code: "INVALID_MODULE",
        http_status: None,
        says: "",
        advice: "use the module's API name; it may have been removed, or the user's profile may not see its tab",
    },
    OutcomeCase {
        code: "INVALID_URL_PATTERN",
        http_status: Some(400),
        says: "attachment url",
        advice: "correct the url of the row: absolute, http or https",
    },
    OutcomeCase {
        code: "INVALID_URL_PATTERN",
        http_status: None,
        says: "",
        advice: "the address of the request is wrong: check --dc or --api-domain, and --api-version",
    },
    OutcomeCase {
        code: "OAUTH_SCOPE_MISMATCH",
        http_status: None,
        says: "",
        advice: "make a new client grant with the scope ZohoCRM.modules.attachments.CREATE and that of the module, then \
                 attache auth login",
    },
    OutcomeCase {
        code: "NO_PERMISSION",
        http_status: None,
        says: "",
        advice: "ask an administrator of the CRM to let this user upload attachments",
    },
    OutcomeCase {
        code: "AUTHORIZATION_FAILED",
        http_status: None,
        says: "",
        advice: "ask an administrator of the CRM for the privilege to upload attachments",
    },
    OutcomeCase {
        code: "INTERNAL_ERROR",
        http_status: None,
        says: "",
        advice: "a fault inside the service; run again, and report it to its support if it stays",
    },
    OutcomeCase {
        code: "INVALID_REQUEST_METHOD",
        http_status: None,
        says: "",
        advice: "check --api-domain, --api-version and any proxy; else report it as a defect of attache",
    },
    OutcomeCase {
        code: "INVALID_DATA",
        http_status: Some(415),
        says: "",
        advice: "the service takes every kind of file but .exe: put it into an archive, or leave it out",
    },
    OutcomeCase {
        code: "INVALID_DATA",
        http_status: None,
        says: "invalid file type",
        advice: "the service takes every kind of file but .exe: put it into an archive, or leave it out",
    },
    OutcomeCase {
        code: "INVALID_DATA",
        http_status: None,
        says: "related id",
        advice: "there is no such record in this module: compare the id with the record's address in the CRM",
    },
    OutcomeCase {
        code: "FILE_SIZE_MORE_THAN_ALLOWED_SIZE",
        http_status: None,
        says: "",
        advice: "an attachment may have 100 MB at most: make it smaller, or attach a link to it",
    },
];

/// What to do about a row with this code, in one line for a summary; `None` for a code that nobody has described.
pub fn advice(code: &str, http_status: Option<u16>, message: &str) -> Option<&'static str> {
    let message = message.to_ascii_lowercase();
    let fits = |case: &&OutcomeCase| {
        case.code == code
            && case.http_status.is_none_or(|wanted| http_status == Some(wanted))
            && message.contains(case.says)
    };
    CASES.iter().find(fits).map(|case| case.advice).or_else(|| remedy(code))
}

/// What to do about any row with this code, whatever else was said of it; `None` for a code that nobody has described.
pub fn remedy(code: &str) -> Option<&'static str> {
    super::find(code).ok().map(|page| page.remedy).filter(|remedy| !remedy.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::outcome::OwnCode;

    #[test]
    fn every_code_of_our_own_has_its_page() {
        for code in OwnCode::ALL {
            assert!(crate::explain::find(code.as_str()).is_ok(), "{code}");
        }
    }

    #[test]
    fn the_documented_errors_are_told_apart_by_code_status_and_wording() {
        let documented = [
            ("INVALID_MODULE", 400, "The module name given seems to be invalid"),
            ("INVALID_MODULE", 400, "The given module is not supported in API"),
            ("INVALID_URL_PATTERN", 404, "Please check if the URL trying to access is a correct one"),
            ("OAUTH_SCOPE_MISMATCH", 401, "Unauthorized"),
            ("NO_PERMISSION", 403, "Permission denied to upload attachment"),
            ("INTERNAL_ERROR", 500, "Internal Server Error"),
            ("INVALID_REQUEST_METHOD", 400, "The http request method type is not a valid one"),
            ("AUTHORIZATION_FAILED", 400, "User does not have sufficient privilege to upload attachments"),
            ("INVALID_DATA", 400, "the related id given seems to be invalid"),
            ("INVALID_DATA", 415, "invalid file type"),
            ("FILE_SIZE_MORE_THAN_ALLOWED_SIZE", 415, "please check if the file size is in the correct range"),
        ];
        let advice: HashSet<_> = documented
            .iter()
            .map(|(code, status, message)| advice(code, Some(*status), message).unwrap_or_else(|| panic!("{code}")))
            .collect();
        assert_eq!(advice.len(), documented.len());
    }

    #[test]
    fn a_code_that_nobody_has_described_gets_no_advice() {
        assert_eq!(advice("SOMETHING_NEW", Some(400), ""), None);
        assert!(advice("file-gone", None, "").is_some_and(|advice| advice.contains("--resend")));
        assert_eq!(advice("settled-by-listing", None, ""), None);
    }
}
