//! `attache sandbox`, and the embedded server of `run --sandbox`: from options to the settings of the server.

use std::io::{self, Write};

use super::args::SandboxArgs;
use super::values::SandboxProfile;
use crate::exit::Exit;
use crate::sandbox::{
    Dialect, Fault, Keep, Rename, SandboxModules, SandboxOptions, SandboxServer, Switches, read_records,
};

/// Serves until a signal comes. The first line of standard output says where, and with which token.
pub fn run(args: &SandboxArgs, quiet: bool) -> Exit {
    match serve(args, quiet) {
        Ok(exit) => exit,
        Err(error) => {
            super::stdio::complain(error);
            Exit::Usage
        }
    }
}

/// The server of a rehearsal: it knows the manifest's own modules, keeps no bytes and takes any record.
pub fn embedded(custom_modules: Vec<String>, faults: &[String]) -> io::Result<SandboxServer> {
    SandboxServer::start(SandboxOptions {
        modules: SandboxModules::StandardAnd(custom_modules),
        faults: parse_faults(faults)?,
        ..SandboxOptions::default()
    })
}

fn serve(args: &SandboxArgs, quiet: bool) -> io::Result<Exit> {
    let settings = settings(args)?;
    // Before the server is announced: whoever reads the first line may stop it at once.
    let signal = EndSignal::new()?;
    let server = SandboxServer::start(settings)?;
    let (url, token) = (server.url(), server.token());
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "ready {url} token={token}")?;
    stdout.flush()?;
    drop(stdout);
    if !quiet {
        // Whether this hint can be shown does not matter to the server.
        let _ = writeln!(
            io::stderr(),
            "In another terminal, to rehearse against it:\n  {}\n  attache run MANIFEST --api-domain {url}\n\
             What it has received: {url}/_sandbox/created\n\
             Ctrl-C stops it.",
            token_set(token)
        );
    }
    let exit = signal.wait();
    server.stop();
    Ok(exit)
}

/// How a shell of this system is told the token.
fn token_set(token: &str) -> String {
    if cfg!(windows) {
        format!("$env:ZOHO_ACCESS_TOKEN = '{token}'")
    } else {
        format!("export ZOHO_ACCESS_TOKEN={token}")
    }
}

/// The settings that options ask for.
fn settings(args: &SandboxArgs) -> io::Result<SandboxOptions> {
    let standard = SandboxOptions::default();
    Ok(SandboxOptions {
        listen: args.listen,
        token: args.token.clone(),
        profile: match args.profile {
            SandboxProfile::DocsV2 => Dialect::DocsV2,
            SandboxProfile::OasV8 => Dialect::OasV8,
        },
        keep: args.data.clone().map_or(Keep::Temporarily, Keep::In),
        records: args.records.as_deref().map(read_records).transpose()?,
        modules: match &args.modules {
            Some(list) => SandboxModules::parse(list).map_err(|message| invalid(&format!("--modules: {message}")))?,
            None => standard.modules,
        },
        faults: parse_faults(&args.fault)?,
        lag: args.lag.unwrap_or(standard.lag),
        rename: if args.rename { Rename::Twins } else { Rename::Never },
        page_size: args.page_size.map_or(standard.page_size, |size| size as usize),
        max_in_flight: args.max_in_flight.map(|most| most as usize),
        credits: args.credits,
        token_life: args.token_life.unwrap_or(standard.token_life),
        scopes: (!args.scopes.is_empty()).then(|| args.scopes.clone()),
        switches: switches(&args.switch)?,
        latency: args.latency.unwrap_or(standard.latency),
        downloads: match &args.downloads {
            Some(word) => word.parse().map_err(|message: String| invalid(&format!("--downloads: {message}")))?,
            None => standard.downloads,
        },
        census: match &args.census {
            Some(words) => words.parse().map_err(|message: String| invalid(&format!("--census: {message}")))?,
            None => standard.census,
        },
        ..standard
    })
}

fn switches(set: &[String]) -> io::Result<Switches> {
    let mut switches = Switches::default();
    for switch in set {
        switches.set(switch).map_err(|message| invalid(&format!("--switch: {message}")))?;
    }
    Ok(switches)
}

/// What `--sandbox-fault` and `--fault` say.
///
/// # Errors
///
/// A fault or a key of it is not known.
pub fn parse_faults(specs: &[String]) -> io::Result<Vec<Fault>> {
    let parse = |spec: &String| spec.parse().map_err(|error| invalid(&format!("in the fault \"{spec}\": {error}")));
    specs.iter().map(parse).collect()
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// The signals that end the server.
#[cfg(unix)]
struct EndSignal(signal_hook::iterator::Signals);

#[cfg(unix)]
impl EndSignal {
    fn new() -> io::Result<EndSignal> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]).map(EndSignal)
    }

    fn wait(mut self) -> Exit {
        match self.0.forever().next() {
            Some(signal_hook::consts::SIGINT) => Exit::Interrupted,
            _ => Exit::Terminated,
        }
    }
}

/// Ctrl-C, which ends the server.
#[cfg(windows)]
struct EndSignal(std::sync::mpsc::Receiver<()>);

#[cfg(windows)]
impl EndSignal {
    fn new() -> io::Result<EndSignal> {
        let (sender, receiver) = std::sync::mpsc::channel();
        // A second Ctrl-C finds nobody listening any more, and nothing left to stop.
        let handler = move || {
            let _ = sender.send(());
        };
        ctrlc::set_handler(handler).map_err(io::Error::other)?;
        Ok(EndSignal(receiver))
    }

    fn wait(self) -> Exit {
        // An error means that the handler has gone: then nothing could stop the server but its end.
        let _ = self.0.recv();
        Exit::Interrupted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Command, parse};
    use crate::sandbox::DateHeader;
    use std::time::Duration;

    fn settings_of(options: &[&str]) -> io::Result<SandboxOptions> {
        let words = ["attache", "sandbox"].into_iter().chain(options.iter().copied());
        let cli = parse(words).expect("options that exist");
        let Command::Sandbox(args) = cli.command else { panic!("another command") };
        settings(&args)
    }

    #[test]
    fn without_options_the_server_is_the_documented_one_and_keeps_bytes_for_a_while() {
        let settings = settings_of(&[]).unwrap();
        assert_eq!(settings.keep, Keep::Temporarily);
        assert!(settings.faults.is_empty() && settings.scopes.is_none() && settings.records.is_none());
        assert_eq!((settings.page_size, settings.date), (200, DateHeader::Right));
    }

    #[test]
    fn every_mode_has_its_option() {
        let folder = tempfile::tempdir().unwrap();
        let records = folder.path().join("ids.csv");
        std::fs::write(&records, "module,record\nLeads,738964000000291009\n").unwrap();
        let options = format!(
            "--listen 127.0.0.1:8080 --token t --profile oas-v8 --data d --fault 429,nth=1 --fault html --lag 5s \
             --rename --page-size 2 --max-in-flight 3 --credits 9 --token-life 1m --scopes A.READ,B.ALL \
             --modules +Vessels --latency 300ms --records {}",
            records.display()
        );
        let settings = settings_of(&options.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>()).unwrap();
        assert_eq!(settings.listen.port(), 8080);
        assert_eq!(settings.token.as_deref(), Some("t"));
        assert_eq!((settings.profile, settings.rename), (Dialect::OasV8, Rename::Twins));
        assert_eq!(settings.keep, Keep::In("d".into()));
        assert_eq!(settings.faults.len(), 2);
        assert_eq!((settings.lag, settings.latency), (Duration::from_secs(5), Duration::from_millis(300)));
        assert_eq!((settings.page_size, settings.max_in_flight, settings.credits), (2, Some(3), Some(9)));
        assert_eq!(settings.token_life, Duration::from_secs(60));
        assert_eq!(settings.scopes, Some(vec!["A.READ".to_owned(), "B.ALL".to_owned()]));
        assert_eq!(settings.modules, SandboxModules::StandardAnd(vec!["Vessels".to_owned()]));
        assert_eq!(settings.records.unwrap().len(), 1);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let message = |options: &[&str]| settings_of(options).unwrap_err().to_string();
        let fault = message(&["--fault", "cut-storred"]);
        assert_eq!(fault, "in the fault \"cut-storred\": \"cut-storred\" is no fault; did you mean \"cut-stored\"?");
        assert!(message(&["--modules", "Sales Orders"]).starts_with("--modules: \"Sales Orders\" is not the API name"));
        assert!(message(&["--records", "no/such.csv"]).starts_with("no/such.csv: "));
    }

    #[test]
    fn a_rehearsal_knows_the_modules_of_its_manifest() {
        let server = embedded(vec!["Vessels".to_owned()], &["429".to_owned()]).unwrap();
        assert!(server.url().starts_with("http://127.0.0.1:"));
        assert!(server.token().starts_with("sandbox-"));
        assert!(embedded(Vec::new(), &["42".to_owned()]).is_err());
    }
}
