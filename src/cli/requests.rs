//! What the commands share that ask the service: whom they reach, how gently, whether they may; why it stopped, and what
//! helps, in words of the command line.

use std::io::{self, IsTerminal as _};

use super::args::{PaceArgs, TargetArgs};
use super::config::{self, Access, UserFile};
use super::failure::Failure;
use super::screen::Screen;
use crate::console::gauge::Gauge;
use crate::engine::requests::{RequestEngine, RequestFailure, RequestHandler, RequestPolicy, RequestStop};
use crate::engine::{Elapsed, Notice, PauseReason};
use crate::exit::Exit;
use crate::reply::StopBecause;
use crate::units;
use crate::zoho::{Client, HttpOptions, TokenOptions};

/// The service, with what the user said about asking it.
pub struct ReachedService {
    /// Who makes the requests. Nothing has been sent yet.
    pub client: Client,
    /// How gently.
    pub policy: RequestPolicy,
    /// Where to, and with which credentials.
    pub access: Access,
    /// The proxy on the way, without user name and password.
    pub proxy: Option<String>,
    /// Whether it is a server on this machine.
    pub is_near: bool,
}

/// Makes ready to ask whom the options name.
///
/// # Errors
///
/// No target, no credentials, unusable settings, certificates or proxy.
pub fn reach(target: &TargetArgs, pace: &PaceArgs, user: &UserFile) -> Result<ReachedService, Failure> {
    let access = config::access(target, user, |name| std::env::var(name).ok(), io::stdin().lock());
    let access = access.map_err(Failure::usage)?;
    let place = access.place.target().map_err(Failure::usage)?;
    let policy = policy(pace, user);
    let http = HttpOptions {
        concurrency: policy.concurrency as usize,
        ..config::http(target, access.ca_file.clone()).map_err(Failure::usage)?
    };
    let tokens = TokenOptions { cache_folder: config::token_folder(), ..TokenOptions::default() };
    let (proxy, is_near) = (http.proxies.shown_for(place.api()), place.api().is_loopback());
    let client = Client::new(place, access.credentials.clone(), &http, tokens).map_err(Failure::usage)?;
    Ok(ReachedService { client, policy, access, proxy, is_near })
}

/// A handler of answers that somebody watches: after each of them a gauge is told how far it is.
pub struct WatchedHandler<'h, H, P> {
    handler: &'h mut H,
    gauge: Gauge,
    /// So much is done, of so much where that is known.
    progress: P,
}

impl<'h, H, P: Fn(&H) -> (u64, Option<u64>)> WatchedHandler<'h, H, P> {
    /// Shows at once how far it is, since the first answer may take a while.
    pub fn new(handler: &'h mut H, gauge: Gauge, progress: P) -> WatchedHandler<'h, H, P> {
        let (done, of) = progress(handler);
        gauge.at(done, of);
        WatchedHandler { handler, gauge, progress }
    }
}

impl<H, P, J, A> RequestHandler<J, A> for WatchedHandler<'_, H, P>
where
    H: RequestHandler<J, A>,
    P: Fn(&H) -> (u64, Option<u64>) + Send,
{
    fn handle(&mut self, engine: &mut RequestEngine<J>, now: Elapsed, job: J, outcome: Result<A, RequestFailure>) {
        self.handler.handle(engine, now, job, outcome);
        let (done, of) = (self.progress)(self.handler);
        self.gauge.at(done, of);
    }

    fn notice(&mut self, now: Elapsed, notice: &Notice) {
        self.handler.notice(now, notice);
    }
}

/// Asks once whether what was announced may be asked for, where there is somebody to ask.
///
/// # Errors
///
/// The terminal cannot be read.
pub fn may_go_on(yes: bool, screen: Screen) -> Result<bool, Failure> {
    if yes || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(true);
    }
    screen.say("Ask for it? [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(Failure::usage)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

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
        RequestStop::Service { because, reply } => format!("{} ({})", reply.answer_text(), advice(*because)),
        RequestStop::NoAnswer { reply } => {
            format!("no request got an answer of use, the last one: {}", reply.answer_text())
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
            reply.answer_text()
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
