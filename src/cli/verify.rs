//! `attache verify`: finds out where the results were sent to, asks there, shows what was found, and keeps it in a file
//! beside the results.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;

use super::args::{TargetArgs, VerifyArgs};
use super::command_line::CommandLine;
use super::config::{self, Access, UserFile};
use super::failure::{Failure, OrExit as _};
use super::requests;
use super::screen::Screen;
use super::signals;
use super::stdio;
use super::values::{ProgressMode, VerifyOutput};
use crate::atomic_file::replace;
use crate::console::progress::Mode;
use crate::console::verify_progress::{Aside, Listing};
use crate::engine::StopSignal;
use crate::engine::requests::RequestPolicy;
use crate::exit::Exit;
use crate::listing::ListReading;
use crate::reply::{Listed, Reply};
use crate::results::{self, findings_of, read};
use crate::units;
use crate::upload::{RecordId, ServiceId};
use crate::verify::content::ContentCheck;
use crate::verify::lookup::{Verified, VerifyScope, VerifyService, VerifyStep, verify};
use crate::verify::sample::{self, Sample};
use crate::verify::show::VerifyContext;
use crate::verify::{VerifyWork, census, findings};
use crate::zoho::{
    Base, CensusPage, CensusQuery, Client, DownloadEnd, HttpOptions, Proxies, Target, TargetError, TokenOptions, Where,
};

/// What the results of a rehearsal name as their target.
const REHEARSAL: &str = "sandbox";

/// Asks the service and compares.
///
/// # Errors
///
/// The results cannot be read, there is nobody to ask and nothing to get in with, or the findings cannot be kept.
pub fn run(args: &VerifyArgs, screen: Screen) -> Result<Exit, Failure> {
    let table = read(&args.results, false).or_exit(Exit::Results)?;
    let results_target = table.target().context("cannot read the results").or_exit(Exit::Results)?;
    let user = config::user_file().map_or(Ok(UserFile::default()), |path| UserFile::load(&path));
    let user = user.map_err(Failure::usage)?;
    let access = config::access(&args.target, &user, |name| std::env::var(name).ok(), io::stdin().lock());
    let access = access.map_err(Failure::usage)?;
    let target = target(&access.place, results_target.as_deref()).map_err(Failure::usage)?;
    let policy = requests::policy(&args.pace, &user);
    let service = ClientLister(client(&args.target, &access, target.clone(), &policy).map_err(Failure::usage)?);
    let work = VerifyWork::of(table.rows()).context("cannot read the results").or_exit(Exit::Results)?;
    let scope = scope(args, &work);
    let stop = Arc::new(StopSignal::default());
    let signal = signals::listen(Arc::clone(&stop), screen, || {
        "interrupted again: ended at once; the findings so far are not kept, and nothing was changed".to_owned()
    })
    .map_err(Failure::usage)?;
    screen.note(&announcement(&work, &scope, &target));
    let progress = Listing::new(
        work.records.len(),
        mode(args.progress, screen.quiet),
        screen.err_look().color,
        Box::new(io::stderr()),
    );
    let verified = verify(work, &scope, &service, &policy, &stop, &|step| match step {
        VerifyStep::Census { pages } => progress.aside(Aside::CensusPages(pages)),
        VerifyStep::Records { done } => progress.listed(done),
        VerifyStep::Contents { done, of } => progress.aside(Aside::Compared(done, of)),
    });
    drop(progress);
    let context = VerifyContext {
        target: target.label(),
        stopped: verified.stop.as_ref().map(|stop| requests::stopped(stop, &policy)),
    };
    show(&verified, args.output, &context, screen)?;
    keep(&args.results, &verified, screen).or_exit(Exit::Results)?;
    if args.output == VerifyOutput::Human {
        screen.note(&next_steps(args, &verified));
    }
    Ok(exit(&verified, signal.get().copied()))
}

/// What is to be looked at.
fn scope(args: &VerifyArgs, work: &VerifyWork) -> VerifyScope {
    let seed = args.scope.seed.unwrap_or_else(|| u64::from(fastrand::u32(..)));
    let folder = args.results.parent().map(Path::to_owned).unwrap_or_default();
    VerifyScope {
        census: !args.scope.no_census && work.records.len() > census::FROM_RECORDS,
        sample: args.scope.contents.map(|size| sample::choose(work, size, seed)),
        root: args.scope.root.clone().unwrap_or(folder),
    }
}

/// Keeps the findings beside the results. Those of a verification that was broken off would replace better ones.
fn keep(results: &Path, verified: &Verified, screen: Screen) -> anyhow::Result<()> {
    let path = findings_of(results);
    if verified.stop.is_some() {
        screen.note(&format!("{} is left as it was: the verification did not come to its end.\n", path.display()));
        return Ok(());
    }
    replace(&path, |out| findings::write(&verified.rows, out))
        .with_context(|| format!("cannot write {}", path.display()))?;
    let path = path.display().to_string();
    screen.note(&format!("The findings are in {}.\n", crate::text::escape_for_terminal(&path)));
    Ok(())
}

/// Whom to ask: whom the user names, if the results were sent there; else whom the results name, if that is a host of
/// Zoho's. Anybody can write a host into a file, and the token goes where this says.
pub(super) fn target(named: &Where, results: Option<&str>) -> anyhow::Result<Target> {
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

pub(super) fn client(
    args: &TargetArgs,
    access: &Access,
    target: Target,
    policy: &RequestPolicy,
) -> anyhow::Result<Client> {
    let proxies = match args.no_proxy {
        true => Proxies::default(),
        false => Proxies::from_vars(|name| std::env::var(name).ok())?,
    };
    let http = HttpOptions {
        concurrency: policy.concurrency as usize,
        ca_file: access.ca_file.clone(),
        proxies,
        ..HttpOptions::default()
    };
    let tokens = TokenOptions { cache_folder: config::token_folder(), ..TokenOptions::default() };
    Ok(Client::new(target, access.credentials.clone(), &http, tokens)?)
}

/// The service, as far as a verification goes.
pub(super) struct ClientLister(pub(super) Client);

impl VerifyService for ClientLister {
    fn list_page(
        &self,
        module: &str,
        record: RecordId,
        reading: &mut ListReading,
    ) -> Result<Option<Vec<Listed>>, Box<Reply>> {
        self.0.list_page(module, record, reading)
    }

    fn census_page(&self, query: &CensusQuery) -> Result<CensusPage, Box<Reply>> {
        self.0.census_page(query)
    }

    fn download(
        &self,
        module: &str,
        record: RecordId,
        id: ServiceId,
        expected: u64,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<DownloadEnd, Box<Reply>> {
        self.0.download(module, record, id, expected, take)
    }

    fn now(&self) -> Timestamp {
        self.0.server_time().unwrap_or_else(Timestamp::now)
    }

    fn credits_left(&self) -> Option<u64> {
        self.0.credits_left()
    }

    fn cut(&self) {
        self.0.cut();
    }
}

/// What is going to be asked, and what it costs at most.
fn announcement(work: &VerifyWork, scope: &VerifyScope, target: &Target) -> String {
    let (rows, records) = (units::counted(work.rows.len(), "row"), units::counted(work.records.len(), "record"));
    let mut text = format!("Asking {} about {rows} on {records}.\n", target.label());
    text += &match scope.census {
        true => {
            let (least, most) = census_pages(work);
            format!(
                "First the census of all attachments, newest first: {} to {} requests for 200 attachments each. Then the \
                 list of each record that it does not settle: at most {}. Each is one API credit.\n",
                units::count(least),
                units::count(most),
                units::counted(work.records.len(), "request")
            )
        }
        false => format!(
            "One list for each record: {}, one API credit each.\n",
            units::counted(work.records.len(), "request")
        ),
    };
    if let Some(Sample { rows, of, seed, bytes }) = &scope.sample {
        text += &format!(
            "Then the bytes of {} of {} (seed {seed}): {}, one API credit for each.\n",
            units::count(rows.len()),
            units::counted(*of, "file"),
            units::size(*bytes)
        );
    }
    text
}

/// How many requests the census takes: at least those for our own attachments, at most those that page tokens reach.
fn census_pages(work: &VerifyWork) -> (usize, usize) {
    let ours = work.rows.iter().filter(|row| row.attachment.is_some()).count();
    let most = 2 * crate::crm::limits::TOKEN_PAGES as usize;
    (ours.div_ceil(200).clamp(1, most), most)
}

pub(super) fn mode(progress: ProgressMode, quiet: bool) -> Mode {
    match progress {
        _ if quiet => Mode::Off,
        ProgressMode::Auto if io::stderr().is_terminal() => Mode::Live,
        ProgressMode::Auto | ProgressMode::Plain => Mode::Plain,
        ProgressMode::Json => Mode::Json,
        ProgressMode::Off => Mode::Off,
    }
}

/// Switches without which a manifest that went would be refused.
const LETS_PASS: [&str; 5] = ["skip-invalid", "allow-empty", "allow-identical", "allow-rounded-ids", "allow-outside"];

/// What to do about what was found, as commands.
fn next_steps(args: &VerifyArgs, verified: &Verified) -> String {
    let is_found = |finding: &str| verified.count(finding) > 0;
    // The list of runs knows how the manifest was called; losing it costs no more than that.
    let runs = results::runs(&args.results).unwrap_or_default();
    let manifest = runs.last().map_or("MANIFEST", |run| &run.manifest.path);
    let run = CommandLine::new("run").file(Path::new(manifest));
    let given = |name: &&&str| runs.last().is_some_and(|run| run.options.contains_key(**name));
    let run = LETS_PASS.iter().filter(given).fold(run, |run, name| run.flag(&format!("--{name}")));
    let run = match results::default_results(Path::new(manifest), false) == args.results {
        true => run,
        false => run.option("--results", &args.results),
    };
    let run = run.at(&args.target);
    let verify = CommandLine::new("verify").file(&args.results).at(&args.target);
    let report = CommandLine::new("report").file(&args.results);
    let steps = [
        (
            is_found("missing"),
            run.clone().option("--resend", "missing"),
            "Send what is missing, after looking once more",
        ),
        (is_found("open"), run, "Settle what the results leave open"),
        (is_found("unchecked"), verify, "Ask again about rows that could not be checked"),
        (verified.is_sound(), report, "Make the page for the sign-off"),
    ];
    let steps: Vec<String> = steps
        .into_iter()
        .filter(|(on, ..)| *on)
        .map(|(_, command, what)| format!("- {what}:\n    {command}\n"))
        .collect();
    if steps.is_empty() { String::new() } else { format!("\nNext:\n{}", steps.concat()) }
}

fn show(verified: &Verified, output: VerifyOutput, context: &VerifyContext, screen: Screen) -> Result<(), Failure> {
    let mut text = Vec::new();
    match output {
        VerifyOutput::Human => verified.write_human(context, &mut text).map_err(Failure::usage)?,
        VerifyOutput::Json => return printed(stdio::print_with(|mut out| verified.write_json(context, &mut out))),
        VerifyOutput::Csv => return printed(stdio::print_with(|mut out| verified.write_csv(&mut out))),
    }
    screen.print(&String::from_utf8_lossy(&text))
}

fn printed(written: io::Result<()>) -> Result<(), Failure> {
    written.context("cannot write to standard output").map_err(Failure::usage)
}

/// Rows that could not be asked about, and bytes that could not be had, outweigh rows that are not as they should be: the proof has a hole.
fn exit(verified: &Verified, signal: Option<Exit>) -> Exit {
    let lacks_bytes = || {
        let mut checks = verified.rows.iter().filter_map(|row| row.content.as_deref());
        checks.any(ContentCheck::is_without_download)
    };
    match &verified.stop {
        Some(stop) => requests::exit(stop, signal),
        None if verified.count("unchecked") > 0 || lacks_bytes() => Exit::Unsettled,
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
        use std::path::PathBuf;

        use super::*;
        use crate::outcome::Status;
        use crate::results::Line;
        use crate::sandbox::{CensusOptions, Downloads, Keep, SandboxServer, SandboxUser};
        use crate::units::Rate;
        use crate::upload::{RowKey, SourceKind, Upload};
        use crate::verify::VerifyFinding;
        use crate::verify::census::{CensusEnd, CensusFlaw};
        use crate::verify::content::ContentCheck;
        use crate::zoho::{ApiVersion, Credentials, Secret};

        const RECORD: u64 = 738_964_000_000_291_009;

        /// The line of a file of five bytes that was uploaded under this name as this attachment.
        fn line_on(record: u64, name: &str, attachment: &str) -> Line {
            let key = RowKey::of("Leads", &record.to_string(), SourceKind::File, name, name, 1);
            let record = RecordId::new(record).expect("an id");
            let upload = Upload { line: 2, module: "Leads", record, kind: SourceKind::File, source: name, name, key };
            let attachment_id = attachment.parse().ok();
            Line {
                status: Status::Uploaded,
                attachment_id,
                tries: 1,
                sent_at: Some(Timestamp::now()),
                ..Line::of(&upload, Some(5), "sandbox", "run")
            }
        }

        fn line(name: &str, attachment: &str) -> Line {
            line_on(RECORD, name, attachment)
        }

        fn service(server: &SandboxServer) -> ClientLister {
            let target = Target::rehearsal(server.url(), ApiVersion::default()).expect("a target");
            let token = Credentials::token(Secret::new(server.token()).expect("a token"));
            ClientLister(
                Client::new(target, token, &HttpOptions::default(), TokenOptions::default()).expect("a client"),
            )
        }

        fn policy() -> RequestPolicy {
            RequestPolicy { rate: Rate::Unlimited, ..RequestPolicy::default() }
        }

        fn verified(lines: Vec<Line>, census: bool, contents: Option<&str>, server: &SandboxServer) -> Verified {
            let work = VerifyWork::of(lines.into_iter().map(Ok)).expect("lines");
            let sample = contents.map(|size| sample::choose(&work, size.parse().expect("a size"), 1));
            let scope = VerifyScope { census, sample, root: PathBuf::new() };
            verify(work, &scope, &service(server), &policy(), &StopSignal::default(), &|_| ())
        }

        fn found(verified: &Verified) -> Vec<&'static str> {
            verified.rows.iter().map(|row| row.finding.as_str()).collect()
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
            let lines = vec![
                line("there.pdf", &there),
                line("gone.pdf", "738964000000999999"),
                line("short.pdf", &short),
                line("twice.pdf", &twice),
            ];
            let verified = verified(lines, false, None, &server);
            assert_eq!(found(&verified), ["present", "missing", "size-differs", "extra-copies"]);
            assert_eq!(verified.rows[2].finding, VerifyFinding::SizeDiffers { listed: 4 });
            assert_eq!((verified.listed, exit(&verified, None)), (1, Exit::SomeFailed));
        }

        #[test]
        fn a_refused_token_stops_it_with_every_row_unchecked() {
            let server = SandboxServer::start(crate::sandbox::SandboxOptions::default()).expect("a server");
            let target = Target::rehearsal(server.url(), ApiVersion::default()).expect("a target");
            let token = Credentials::token(Secret::new("sandbox-of-another").expect("a token"));
            let client = Client::new(target, token, &HttpOptions::default(), TokenOptions::default());
            let work = VerifyWork::of([line("a.pdf", "1")].into_iter().map(Ok)).expect("lines");
            let scope = VerifyScope { census: true, sample: None, root: PathBuf::new() };
            let service = ClientLister(client.expect("a client"));
            let verified = verify(work, &scope, &service, &policy(), &StopSignal::default(), &|_| ());
            assert_eq!((found(&verified), exit(&verified, None)), (vec!["unchecked"], Exit::Stopped));
        }

        /// A server that does so with the census, and the lines of 1,000 files on 500 records, of which one is gone.
        fn many(census: &str) -> (SandboxServer, Vec<Line>) {
            let census: CensusOptions = census.parse().expect("a census");
            let server = SandboxServer::start(crate::sandbox::SandboxOptions { census, ..Default::default() })
                .expect("a server");
            let mut lines: Vec<Line> = (0..1_000)
                .map(|n| {
                    let (record, name) = (RECORD + n / 2, format!("{n}.pdf"));
                    let attached =
                        server.attach_as(SandboxUser::default(), "Leads", &record.to_string(), &name, b"12345");
                    line_on(record, &name, &attached.expect("attached"))
                })
                .collect();
            lines[700].attachment_id = "700000000009999999".parse().ok();
            lines[700].name = "gone.pdf".to_owned();
            (server, lines)
        }

        /// The verdicts are right whatever the census does; how many records were listed, and how the census ended.
        fn census(words: &str) -> (usize, Option<CensusEnd>, u64) {
            let (server, lines) = many(words);
            let verified = verified(lines, true, None, &server);
            assert!(verified.stop.is_none(), "{:?}", verified.stop);
            assert_eq!((verified.count("present"), verified.count("missing")), (999, 1), "{words}");
            assert_eq!(verified.rows[700].finding, VerifyFinding::Missing, "{words}");
            (verified.listed, verified.census.and_then(|census| census.end), verified.totals.requests)
        }

        #[test]
        fn a_census_settles_what_it_has_seen_and_the_rest_is_listed() {
            assert_eq!(census("on"), (1, Some(CensusEnd::Whole), 5 + 1));
            assert_eq!(census("on,emails").0, 1);
            assert_eq!(census("on,own-order").0, 1);
        }

        #[test]
        fn a_census_that_hides_things_costs_one_list_for_each_record_concerned() {
            let (listed, _, requests) = census("on,hides=10%");
            assert!((60..150).contains(&listed), "{listed}");
            assert!(requests <= 5 + listed as u64, "{requests}");
            assert_eq!(census("on,hides=100%").0, 500);
            assert_eq!(census("on,lag=900s").0, 500);
        }

        #[test]
        fn a_census_that_cannot_be_had_or_relied_on_is_given_up_without_harm() {
            assert!(matches!(census("off"), (500, Some(CensusEnd::Refused(_)), 501)));
            assert!(matches!(census("refused"), (500, Some(CensusEnd::Refused(_)), 501)));
            let given_up = |words: &str| match census(words) {
                (500, Some(CensusEnd::GivenUp(flaw)), _) => flaw,
                other => panic!("{words}: {other:?}"),
            };
            assert_eq!(given_up("other-parents"), CensusFlaw::OtherParent);
            assert_eq!(given_up("repeats"), CensusFlaw::Repeats);
        }

        #[test]
        fn a_census_that_never_ends_is_left_at_its_reach() {
            let (listed, _, requests) = census("never-ends");
            assert!(requests <= 1_000 + listed as u64, "{requests} for {listed}");
        }

        #[test]
        fn a_token_without_the_scope_of_the_census_still_lists_records() {
            let census: CensusOptions = "on".parse().expect("a census");
            let scopes = Some(vec!["ZohoCRM.modules.leads.READ".to_owned()]);
            let server = SandboxServer::start(crate::sandbox::SandboxOptions { census, scopes, ..Default::default() })
                .expect("a server");
            let verified = verified(vec![line("a.pdf", "1")], true, None, &server);
            let census = verified.census.expect("was tried");
            assert!(matches!(census.end, Some(CensusEnd::Refused(_))), "{census:?}");
        }

        /// What came of comparing the bytes of one file whose fingerprint the results hold.
        fn compared(downloads: Downloads) -> (ContentCheck, &'static str) {
            let settings = crate::sandbox::SandboxOptions { keep: Keep::Temporarily, downloads, ..Default::default() };
            let server = SandboxServer::start(settings).expect("a server");
            let there = server.attach_as(SandboxUser::default(), "Leads", &RECORD.to_string(), "a.pdf", b"12345");
            let sent = crate::content::Fingerprint::of(&b"12345"[..], crate::content::FingerprintKind::Sha256);
            let sent = Some(sent.expect("bytes").0);
            let line = Line { content: sent, ..line("a.pdf", &there.expect("attached")) };
            let verified = verified(vec![line], false, Some("all"), &server);
            let row = &verified.rows[0];
            (*row.content.clone().expect("in the sample"), row.finding.as_str())
        }

        #[test]
        fn the_bytes_of_a_download_count_only_if_they_are_all_there() {
            assert!(matches!(compared(Downloads::Right), (ContentCheck::Same { .. }, "present")));
            assert!(matches!(compared(Downloads::Altered), (ContentCheck::Differs { .. }, "content-differs")));
            let not_compared = |downloads| match compared(downloads) {
                (ContentCheck::NotCompared(why), "present") => why.as_str(),
                other => panic!("{other:?}"),
            };
            assert_eq!(not_compared(Downloads::Redirected), "no-download");
            assert_eq!(not_compared(Downloads::Compressed), "compressed");
        }
    }
}
