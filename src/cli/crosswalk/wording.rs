//! What the user is told where a look-up did not come to its end.

use std::fmt::Write as _;

use crate::crosswalk::field::FieldFlaw;
use crate::crosswalk::lookup::{LookupFailure, LookupModule};
use crate::engine::requests::RequestStop;
use crate::exit::Exit;
use crate::reply::{Reply, StopBecause};
use crate::units;

/// Why a module could not be looked up, and what to do.
pub(super) fn failure(module: &LookupModule, why: &LookupFailure) -> String {
    let LookupModule { name, named, .. } = module;
    let what = match why {
        LookupFailure::Field(flaw) => return field(name, named, flaw),
        LookupFailure::Module(reply) => {
            format!("the service has no module {name} that can be asked ({}); use its API name", words(reply))
        }
        LookupFailure::Refused(reply) if reply.code == "INVALID_QUERY" => {
            format!("the service cannot look into {named} of {name} ({}); name another field", words(reply))
        }
        LookupFailure::Refused(reply) => {
            format!("the service refuses to look into {named} of {name} ({})", words(reply))
        }
        LookupFailure::LimitTooLow(reply) => {
            format!("the service does not even take one key at a time ({}); ask its support", words(reply))
        }
        LookupFailure::GaveUp(reply) => format!("the service gave no answer about {name} ({})", words(reply)),
        LookupFailure::JobFailed(said) => {
            format!("the service could not finish its Bulk Read of {name} ({said}); the same command starts a new one")
        }
        LookupFailure::ResultGone => format!(
            "the result of the Bulk Read of {name} is not there any more; results live for a day, and the same command \
             makes a new one"
        ),
        LookupFailure::BadResult(said) => {
            format!("the result of the Bulk Read of {name} cannot be used: {said}; perhaps a proxy changed it")
        }
        LookupFailure::Unreadable(said) => format!("an answer about {name} cannot be understood: {said}"),
        LookupFailure::OutOfTime => {
            format!("the Bulk Read of {name} was not done within --max-duration; the same command starts a new one")
        }
    };
    what + ". No file was written"
}

fn field(module: &str, named: &str, flaw: &FieldFlaw) -> String {
    let what = match flaw {
        FieldFlaw::Unknown(near) if near.is_empty() => {
            format!("{module} has no field {named}, neither by API name nor by label")
        }
        FieldFlaw::Unknown(near) => format!("{module} has no field {named}; did you mean {}?", near.join(" or ")),
        FieldFlaw::SeveralOfLabel(names) => {
            format!("{module} has several fields with the label {named}; name one of them: {}", names.join(", "))
        }
        FieldFlaw::Encrypted => format!(
            "the field {named} of {module} is encrypted, and the service compares such fields with nothing; copy the keys \
             into another one"
        ),
        FieldFlaw::MultiLine => format!(
            "the field {named} of {module} has several lines, and the service compares such fields with nothing; use a \
             single-line field"
        ),
        FieldFlaw::PerUser => format!(
            "the field {named} of {module} is an external one of kind user: every user has his own values, so that what is \
             found depends on who asks; use one of kind org, or a plain field"
        ),
        FieldFlaw::NoLookup => format!("in {named}, what stands before the point leads to no record of another module"),
        FieldFlaw::Unreadable => format!("the fields of {module} cannot be understood"),
    };
    what + ". No file was written"
}

/// How the program ends after a failure.
pub(super) fn status(why: &LookupFailure) -> Exit {
    match why {
        LookupFailure::Field(FieldFlaw::Unreadable) => Exit::Stopped,
        LookupFailure::Field(_) | LookupFailure::Module(_) => Exit::Usage,
        LookupFailure::Refused(reply) if reply.code == "INVALID_QUERY" => Exit::Usage,
        _ => Exit::Stopped,
    }
}

/// Why everything stopped.
pub(super) fn stop(why: &RequestStop) -> String {
    let what = match why {
        RequestStop::Signal => "stopped by a signal".to_owned(),
        RequestStop::Service { because: StopBecause::Scope, reply } => format!(
            "the token lacks a scope ({}); it takes ZohoCRM.settings.fields.READ, ZohoCRM.coql.READ, ZohoCRM.bulk.READ and \
             the READ scope of each module",
            words(reply)
        ),
        RequestStop::Service { because: StopBecause::Credentials, reply } => {
            format!("the service refuses the token ({})", words(reply))
        }
        RequestStop::Service { because: StopBecause::Limit, reply } => {
            format!("the organisation has used up a limit ({})", words(reply))
        }
        RequestStop::Service { reply, .. } => format!("the service cannot be asked ({})", words(reply)),
        RequestStop::NoAnswer { reply } => format!("no request had an answer ({})", words(reply)),
        RequestStop::LongWait { wait } => {
            format!("the service asks to wait for {}", units::duration(*wait))
        }
        RequestStop::ServiceDown { .. } => "the service has not worked for too long".to_owned(),
        RequestStop::MaxCredits { max } => format!("--max-credits {max} does not suffice"),
        RequestStop::KeptCredits { left } => {
            format!("the organisation has {left} API credits left, and --keep-credits leaves them to others")
        }
        RequestStop::Refusals { count, reply } => format!("{count} refusals in a row ({})", words(reply)),
    };
    what + ". No file was written"
}

/// What the service said.
fn words(reply: &Reply) -> String {
    let mut said = reply.code.clone();
    if !reply.message.is_empty() && reply.message != reply.code {
        let _ = write!(said, "{}{}", if said.is_empty() { "" } else { ": " }, reply.message);
    }
    said
}
