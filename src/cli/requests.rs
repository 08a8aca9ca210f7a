//! Words of the command line for the request engine: why it stopped, and what helps.

use super::args::PaceArgs;
use super::config::UserFile;
use crate::engine::PauseReason;
use crate::engine::requests::{RequestPolicy, RequestStop};
use crate::exit::Exit;
use crate::reply::{Reply, StopBecause};
use crate::units;

/// The policy that options and the user's settings ask for.
pub fn policy(pace: &PaceArgs, user: &UserFile) -> RequestPolicy {
    let standard = RequestPolicy::default();
    let concurrency = pace.concurrency.or(user.run.concurrency);
    RequestPolicy {
        concurrency: concurrency.map_or(standard.concurrency, u32::from),
        rate: pace.rate.or(user.run.rate).unwrap_or(standard.rate),
        max_credits: pace.max_credits,
        keep_credits: pace.keep_credits.unwrap_or(standard.keep_credits),
        seed: fastrand::u64(..),
        ..standard
    }
}

/// Why requests stopped, as a sentence without its full stop, options by their names.
pub fn stopped(stop: &RequestStop, policy: &RequestPolicy) -> String {
    match stop {
        RequestStop::Signal => "interrupted".to_owned(),
        RequestStop::Service { because, reply } => format!("{} ({})", words(reply), advice(*because)),
        RequestStop::NoAnswer { reply } => {
            format!("no request got an answer of use, the last one: {}", words(reply))
        }
        RequestStop::LongWait { wait } => {
            format!("the service asks for a pause of {}; run the same command again after that", units::duration(*wait))
        }
        RequestStop::ServiceDown { reason } => {
            let what = match reason {
                PauseReason::Throttled => "took no request",
                PauseReason::Doubts => "lost every answer",
                PauseReason::Outage | PauseReason::Credits => "could not be reached or failed",
            };
            format!("the service {what} for {}; run the same command again later", units::duration(policy.patience))
        }
        RequestStop::MaxCredits { max } => {
            format!("the {} of --max-credits are used up", units::counted(*max, "API credit"))
        }
        RequestStop::KeptCredits { left } => format!(
            "the organisation has {} left, and --keep-credits leaves {} for others",
            units::counted(*left, "API credit"),
            units::count(policy.keep_credits)
        ),
        RequestStop::Refusals { count, reply } => format!(
            "the service refused {} in a row in a way that is not documented: {}",
            units::counted(*count, "request"),
            words(reply)
        ),
    }
}

/// The exit status for requests that stopped; `signal` is the one that a signal asks for.
pub fn exit(stop: &RequestStop, signal: Option<Exit>) -> Exit {
    match stop {
        RequestStop::Signal => signal.unwrap_or(Exit::Interrupted),
        _ => Exit::Stopped,
    }
}

fn advice(because: StopBecause) -> &'static str {
    match because {
        StopBecause::Credentials => "sign in again with attache auth login",
        StopBecause::Scope => "the token lacks a scope: attache auth status shows which it has",
        StopBecause::Limit => "wait until there are credits again",
        StopBecause::Target => "check the address, the proxy and the certificate",
        StopBecause::Disk => "make room or mend the disk",
        StopBecause::OurMistake => "this is a mistake in attache: please report it with this answer",
    }
}

fn words(reply: &Reply) -> String {
    match (reply.code.as_str(), reply.message.as_str()) {
        (code, "") => code.to_owned(),
        ("", message) => message.to_owned(),
        (code, message) => format!("{code}: {message}"),
    }
}
