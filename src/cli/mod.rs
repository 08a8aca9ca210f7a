//! Wires the modules: flags in, exit status out.

mod advice;
pub mod args;
pub mod auth;
pub mod collect;
mod command_line;
pub mod completions;
pub mod config;
mod crosswalk;
mod doctor;
pub mod explain;
pub mod failure;
pub mod log_file;
pub mod logging;
pub mod man;
mod misuse;
pub mod report;
pub mod requests;
pub mod run;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod saved_plan;
pub mod schema;
pub mod screen;
pub mod secrecy;
mod show_config;
pub mod signals;
pub mod stdio;
pub mod terminal;
mod undo;
pub mod values;
pub mod verify;

use std::io::Write as _;
use std::process::ExitCode;

use self::args::{Cli, Command};
use self::failure::Failure;
use self::log_file::LogFile;
use self::screen::Screen;
use crate::exit::Exit;
use crate::explain::exits;
use crate::text::escape_lines_for_terminal;

/// Runs the program on the arguments of this process.
pub fn main() -> ExitCode {
    secrecy::forbid_core_dumps();
    let cli = match args::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // For `--help` and `--version` this is the answer; where nobody reads it, nothing is lost.
            let _ = match std::env::args_os().any(|argument| argument.to_string_lossy().contains(char::is_control)) {
                // It repeats them as they were given.
                true => writeln!(std::io::stderr(), "{}", escape_lines_for_terminal(&error.render().to_string())),
                false => error.print(),
            };
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code()));
        }
    };
    let screen = Screen::new(&cli.common);
    let log = match cli.common.log_file.as_deref().map(LogFile::open).transpose() {
        Ok(log) => log,
        Err(error) => {
            stdio::complain(error);
            return ExitCode::from(Exit::Usage.code());
        }
    };
    if let Some(log) = &log {
        log.begin(std::env::args_os());
    }
    logging::start(screen, log);
    let exit = run(cli, screen).unwrap_or_else(|failure| {
        let advice = advice::advice(&failure.error, &advice::CommandOptions::of(std::env::args_os()));
        screen.error(advice.map_or(failure.to_string(), |advice| format!("{failure}; {advice}")));
        failure.exit
    });
    screen::keep(&format!("ends with exit status {}: {}", exit.code(), exits::title(exit)));
    ExitCode::from(exit.code())
}

fn run(cli: Cli, screen: Screen) -> Result<Exit, Failure> {
    Ok(match cli.command {
        Command::Run(args) => return run::run(*args, screen),
        Command::Crosswalk(args) => return crosswalk::run(&args, screen),
        Command::Doctor(args) => return doctor::run(&args, screen),
        Command::Verify(args) => return verify::run(&args, screen),
        Command::Undo(args) => return undo::run(&args, screen),
        Command::Collect(args) => return collect::run(&args, screen),
        Command::Report(args) => return report::run(&args, screen),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => sandbox::run(&args, screen.quiet),
        Command::Schema(args) => schema::run(args.name),
        Command::Explain(args) => explain::run(&args),
        Command::Config(args) => return show_config::run(&args, screen),
        Command::Auth(args) => return auth::run(&args),
        Command::Completions(args) => completions::run(args.shell),
        Command::Man(args) => man::run(&args),
        #[cfg(not(feature = "sandbox"))]
        Command::Sandbox(_) => {
            let why = "this build has no rehearsal server; build it with the feature `sandbox`";
            return Err(Failure::usage(anyhow::anyhow!(why)));
        }
    })
}
