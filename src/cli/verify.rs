//! `attache verify`: finds out where the results were sent to, asks there, and shows what was found.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};

use super::args::VerifyArgs;
use super::config::{self, Access, UserFile};
use super::failure::{Failure, OrExit as _};
use super::screen::Screen;
use super::signals;
use super::values::{ProgressMode, VerifyOutput};
use crate::console::progress::Mode;
use crate::console::verify_progress::Listing;
use crate::engine::StopSignal;
use crate::exit::Exit;
use crate::reply::ListReply;
use crate::results::read;
use crate::units;
use crate::upload::RecordId;
use crate::verify::VerifyWork;
use crate::verify::drive::{Halt, Lists, Verified, VerifyPolicy, verify};
use crate::zoho::{Base, Client, HttpOptions, Proxies, Target, TargetError, TokenOptions, Where};

/// What the results of a rehearsal name as their target.
const REHEARSAL: &str = "sandbox";

/// Asks for the lists and compares.
///
/// # Errors
///
/// The results cannot be read, or there is nobody to ask and nothing to get in with.
pub fn run(args: &VerifyArgs, screen: Screen) -> Result<Exit, Failure> {
    let table = read(&args.results, false).or_exit(Exit::Results)?;
    let results_target = table.target().context("cannot read the results").or_exit(Exit::Results)?;
    let user = config::user_file().map_or(Ok(UserFile::default()), |path| UserFile::load(&path));
    let user = user.map_err(Failure::usage)?;
    let access = config::access(&args.target, &user, |name| std::env::var(name).ok(), io::stdin().lock());
    let access = access.map_err(Failure::usage)?;
    let target = target(&access.place, results_target.as_deref()).map_err(Failure::usage)?;
    let settings = settings(args, &user);
    let service = ClientLister(client(args, &access, target.clone(), &settings).map_err(Failure::usage)?);
    let work = VerifyWork::of(table.rows()).context("cannot read the results").or_exit(Exit::Results)?;
    let stop = Arc::new(StopSignal::default());
    let signal = signals::listen(Arc::clone(&stop)).map_err(Failure::usage)?;
    if !screen.quiet {
        screen.say(&announcement(&work, &target));
    }
    let progress = Listing::new(work.records.len(), mode(args.progress, screen.quiet), Box::new(io::stderr()));
    let verified = verify(work, &service, &settings, &stop, &|records| progress.listed(records));
    drop(progress);
    let verified = verified.context("cannot start threads").or_exit(Exit::Stopped)?;
    show(&verified, args.output, &target.label()).context("cannot write to standard output").map_err(Failure::usage)?;
    Ok(exit(&verified, signal.get().copied()))
}

/// Whom to ask: whom the user names, if the results were sent there; else whom the results name, if that is a host of
/// Zoho's. Anybody can write a host into a file, and the token goes where this says.
fn target(named: &Where, results: Option<&str>) -> anyhow::Result<Target> {
    match named.target() {
        Ok(target) => match results {
            Some(results) if results != target.label() && !(results == REHEARSAL && target.api().is_loopback()) => {
                Err(anyhow!(
                    "these results were sent to {results}, not to {}: ask there, or take the other results",
                    target.label()
                ))
            }
            _ => Ok(target),
        },
        Err(TargetError::Missing) => of_results(named, results),
        Err(error) => Err(error.into()),
    }
}

fn of_results(named: &Where, results: Option<&str>) -> anyhow::Result<Target> {
    let Some(host) = results else { return Err(anyhow!("the results hold no row, so there is nothing to compare")) };
    if host == REHEARSAL {
        return Err(anyhow!(
            "these are the results of a rehearsal, and its server ended with it; to rehearse this too, start \
             `attache sandbox` and name it with --api-domain"
        ));
    }
    let address = format!("https://{host}");
    if !address.parse::<Base>().is_ok_and(|base| base.is_zoho()) {
        return Err(anyhow!(
            "the results name {host}, which is not a host of Zoho's; if the token may go there, name it with --api-domain"
        ));
    }
    Ok(Where { api_domain: Some(address), ..named.clone() }.target()?)
}

fn settings(args: &VerifyArgs, user: &UserFile) -> VerifyPolicy {
    let standard = VerifyPolicy::default();
    let concurrency = args.pace.concurrency.or(user.run.concurrency);
    VerifyPolicy {
        concurrency: concurrency.map_or(standard.concurrency, u32::from),
        rate: args.pace.rate.or(user.run.rate).unwrap_or(standard.rate),
        max_credits: args.pace.max_credits,
        keep_credits: args.pace.keep_credits.unwrap_or(standard.keep_credits),
        ..standard
    }
}

fn client(args: &VerifyArgs, access: &Access, target: Target, settings: &VerifyPolicy) -> anyhow::Result<Client> {
    let proxies = match args.target.no_proxy {
        true => Proxies::default(),
        false => Proxies::from_vars(|name| std::env::var(name).ok())?,
    };
    let http = HttpOptions {
        concurrency: settings.concurrency as usize,
        ca_file: access.ca_file.clone(),
        proxies,
        ..HttpOptions::default()
    };
    let tokens = TokenOptions { cache_folder: config::token_folder(), ..TokenOptions::default() };
    Ok(Client::new(target, access.credentials.clone(), &http, tokens)?)
}

/// The service, as far as listings go.
struct ClientLister(Client);

impl Lists for ClientLister {
    fn list(&self, module: &str, record: RecordId) -> ListReply {
        self.0.list(module, record)
    }

    fn credits_left(&self) -> Option<u64> {
        self.0.credits_left()
    }
}

fn announcement(work: &VerifyWork, target: &Target) -> String {
    let records = units::counted(work.records.len(), "record");
    format!("Asking {} for the lists of {records}, one API credit each.\n", target.label())
}

fn mode(progress: ProgressMode, quiet: bool) -> Mode {
    match progress {
        _ if quiet => Mode::Off,
        ProgressMode::Auto if io::stderr().is_terminal() => Mode::Live,
        ProgressMode::Auto | ProgressMode::Plain => Mode::Plain,
        ProgressMode::Json => Mode::Json,
        ProgressMode::Off => Mode::Off,
    }
}

fn show(verified: &Verified, output: VerifyOutput, target: &str) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = match output {
        VerifyOutput::Human => verified.write_human(target, &mut out),
        VerifyOutput::Json => verified.write_json(target, &mut out),
        VerifyOutput::Csv => verified.write_csv(&mut out),
    };
    match written.and_then(|()| out.flush()) {
        // Whoever closed the pipe has read what it wanted; the exit status says the rest.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn exit(verified: &Verified, signal: Option<Exit>) -> Exit {
    match verified.halted {
        Some(Halt::Signal) => signal.unwrap_or(Exit::Interrupted),
        Some(Halt::Stopped(_)) => Exit::Stopped,
        None if verified.is_sound() => Exit::Done,
        None => Exit::SomeFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(named: &Where, results: Option<&str>) -> Result<String, String> {
        target(named, results).map(|target| target.api().to_string()).map_err(|error| error.to_string())
    }

    fn at(api_domain: &str) -> Where {
        Where { api_domain: Some(api_domain.to_owned()), ..Where::default() }
    }

    #[test]
    fn without_a_target_the_one_that_the_results_name_is_asked_if_it_is_zohos() {
        assert_eq!(asked(&Where::default(), Some("www.zohoapis.eu")).as_deref(), Ok("https://www.zohoapis.eu"));
        assert_eq!(
            asked(&Where::default(), Some("crm.zohoplatform.com")).as_deref(),
            Ok("https://crm.zohoplatform.com")
        );
        for host in ["www.zohoapis.eu.evil.example", "127.0.0.1:8080", "evil.example/www.zohoapis.eu", "a@b", ""] {
            let refused = asked(&Where::default(), Some(host));
            assert!(refused.is_err_and(|why| why.contains("not a host of Zoho's")), "{host}");
        }
    }

    #[test]
    fn another_target_than_that_of_the_results_is_refused_with_both_named() {
        let refused = asked(&at("https://www.zohoapis.com"), Some("www.zohoapis.eu"));
        assert!(refused.is_err_and(|why| why.contains("www.zohoapis.eu") && why.contains("www.zohoapis.com")));
        assert_eq!(
            asked(&at("https://www.zohoapis.eu"), Some("www.zohoapis.eu")).as_deref(),
            Ok("https://www.zohoapis.eu")
        );
    }

    #[test]
    fn a_rehearsal_can_be_compared_with_a_sandbox_that_still_runs() {
        assert!(asked(&Where::default(), Some("sandbox")).is_err_and(|why| why.contains("attache sandbox")));
        assert_eq!(asked(&at("http://127.0.0.1:8080"), Some("sandbox")).as_deref(), Ok("http://127.0.0.1:8080"));
        assert!(asked(&at("https://www.zohoapis.eu"), Some("sandbox")).is_err());
    }

    #[cfg(feature = "sandbox")]
    mod against_a_server {
        use std::num::NonZeroU32;

        use super::*;
        use crate::outcome::Status;
        use crate::results::Line;
        use crate::sandbox::{SandboxServer, SandboxUser};
        use crate::units::Rate;
        use crate::upload::{RowKey, SourceKind, Upload};
        use crate::verify::VerifyFinding;
        use crate::zoho::{ApiVersion, Credentials, Secret};

        const RECORD: u64 = 738_964_000_000_291_009;

        /// The line of a file of five bytes that was uploaded under this name as this attachment.
        fn line(name: &str, attachment: &str) -> Line {
            let key = RowKey::of("Leads", &RECORD.to_string(), SourceKind::File, name, name, 1);
            let record = RecordId::new(RECORD).expect("an id");
            let upload = Upload { line: 2, module: "Leads", record, kind: SourceKind::File, source: name, name, key };
            let attachment_id = attachment.parse().ok();
            Line { status: Status::Uploaded, attachment_id, ..Line::of(&upload, Some(5), "sandbox", "run") }
        }

        fn service(server: &SandboxServer) -> ClientLister {
            let target = Target::rehearsal(server.url(), ApiVersion::default()).expect("a target");
            let token = Credentials::token(Secret::new(server.token()).expect("a token"));
            ClientLister(
                Client::new(target, token, &HttpOptions::default(), TokenOptions::default()).expect("a client"),
            )
        }

        #[test]
        fn the_lists_of_a_real_server_tell_what_is_there() {
            let server = SandboxServer::start(crate::sandbox::SandboxOptions::default()).expect("a server");
            let attach = |name: &str, bytes: &[u8]| {
                let record = RECORD.to_string();
                server.attach_as(SandboxUser::default(), "Leads", &record, name, bytes).expect("attached")
            };
            let there = attach("there.pdf", b"12345");
            let short = attach("short.pdf", b"1234");
            let twice = attach("twice.pdf", b"12345");
            attach("twice.pdf", b"12345");
            let lines = [
                line("there.pdf", &there),
                line("gone.pdf", "738964000000999999"),
                line("short.pdf", &short),
                line("twice.pdf", &twice),
            ];
            let work = VerifyWork::of(lines.into_iter().map(Ok)).expect("lines");
            let settings = VerifyPolicy { rate: Rate::per_second(NonZeroU32::MAX), ..VerifyPolicy::default() };
            let verified =
                verify(work, &service(&server), &settings, &StopSignal::default(), &|_| ()).expect("threads");
            let found: Vec<&str> = verified.rows.iter().map(|(_, finding)| finding.as_str()).collect();
            assert_eq!(found, ["present", "missing", "size-differs", "extra-copies"]);
            assert_eq!(verified.rows[2].1, VerifyFinding::SizeDiffers { listed: 4 });
            assert_eq!((verified.listed, exit(&verified, None)), (1, Exit::SomeFailed));
        }

        #[test]
        fn a_refused_token_stops_it_with_every_row_unchecked() {
            let server = SandboxServer::start(crate::sandbox::SandboxOptions::default()).expect("a server");
            let target = Target::rehearsal(server.url(), ApiVersion::default()).expect("a target");
            let token = Credentials::token(Secret::new("sandbox-of-another").expect("a token"));
            let client = Client::new(target, token, &HttpOptions::default(), TokenOptions::default());
            let work = VerifyWork::of([line("a.pdf", "1")].into_iter().map(Ok)).expect("lines");
            let service = ClientLister(client.expect("a client"));
            let verified =
                verify(work, &service, &VerifyPolicy::default(), &StopSignal::default(), &|_| ()).expect("threads");
            assert_eq!((verified.rows[0].1.as_str(), exit(&verified, None)), ("unchecked", Exit::Stopped));
        }
    }
}
