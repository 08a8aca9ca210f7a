//! `attache completions`: made from the same definitions as the command line itself.

use super::args;
use super::stdio;
use super::values::Shell;
use crate::exit::Exit;
use crate::explain::CHAPTERS;

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
    if shell == clap_complete::Shell::Fish {
        script.extend_from_slice(codes_for_fish().as_bytes());
    }
    stdio::print(&String::from_utf8_lossy(&script))
}

/// The codes that `explain` knows: for fish the library completes what options take, and not what stands by itself.
fn codes_for_fish() -> String {
    let codes = CHAPTERS.iter().flat_map(|chapter| chapter.pages).map(|page| page.code);
    let codes = codes.collect::<Vec<_>>().join(" ");
    format!("complete -c attache -n \"__fish_attache_using_subcommand explain\" -f -a \"{codes}\"\n")
}
