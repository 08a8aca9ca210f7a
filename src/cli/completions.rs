//! `attache completions`: made from the same definitions as the command line itself.

use super::args;
use super::output;
use super::values::Shell;
use crate::exit::Exit;

/// Prints the completions for a shell.
pub fn run(shell: Shell) -> Exit {
    let mut script = Vec::new();
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Fish => clap_complete::Shell::Fish,
        Shell::Powershell => clap_complete::Shell::PowerShell,
        Shell::Zsh => clap_complete::Shell::Zsh,
    };
    clap_complete::generate(shell, &mut args::command(), "attache", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}
