//! `attache completions`: made from the same definitions as the command line itself. What only this machine knows, the names
//! of the stored profiles, the shell asks for when it completes.

use super::args;
use super::stdio;
use super::values::Shell;
use crate::exit::Exit;
use crate::explain::CHAPTERS;

/// What a shell runs to learn the names of the profiles; it prints nothing where there are none.
const NAMES: &str = "attache auth list --names 2>/dev/null";

/// Prints the completions for a shell.
pub fn run(shell: Shell) -> Exit {
    stdio::print(&script(shell))
}

fn script(shell: Shell) -> String {
    let generator = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Fish => clap_complete::Shell::Fish,
        Shell::Powershell => clap_complete::Shell::PowerShell,
        Shell::Zsh => clap_complete::Shell::Zsh,
    };
    let mut script = Vec::new();
    clap_complete::generate(generator, &mut args::command(), "attache", &mut script);
    let script = String::from_utf8_lossy(&script);
    match shell {
        Shell::Bash => with_profiles_in_bash(&script),
        Shell::Zsh => with_profiles_at_the_end(&script, "'--profile=", ":NAME:_default'", &zsh_names()),
        Shell::Fish => fish_profiles(&script) + &codes_for_fish(),
        Shell::Powershell => script.into_owned(),
    }
}

/// The library completes files behind an option whose values it does not know.
fn with_profiles_in_bash(script: &str) -> String {
    const OPTION: &str = "--profile)";
    const FILES: &str = "COMPREPLY=($(compgen -f \"${cur}\"))";
    let names = format!("COMPREPLY=($(compgen -W \"$({NAMES})\" -- \"${{cur}}\"))");
    let mut is_profile = false;
    let lines = script.lines().map(|line| {
        let line = if is_profile { line.replace(FILES, &names) } else { line.to_owned() };
        is_profile = line.trim() == OPTION;
        line + "\n"
    });
    lines.collect()
}

fn zsh_names() -> String {
    format!(":NAME:{{compadd -- ${{(f)\"$({NAMES})\"}}}}'")
}

/// Replaces `old` by `new` in the lines that begin with `start`.
fn with_profiles_at_the_end(script: &str, start: &str, old: &str, new: &str) -> String {
    let line = |line: &str| if line.starts_with(start) { line.replace(old, new) } else { line.to_owned() } + "\n";
    script.lines().map(line).collect()
}

fn fish_profiles(script: &str) -> String {
    let line = |line: &str| match line.contains(" -l profile ") && line.ends_with(" -r") {
        true => format!("{line} -f -a \"({NAMES})\"\n"),
        false => format!("{line}\n"),
    };
    script.lines().map(line).collect()
}

/// The codes that `explain` knows: for fish the library completes what options take, and not what stands by itself.
fn codes_for_fish() -> String {
    let codes = CHAPTERS.iter().flat_map(|chapter| chapter.pages).map(|page| page.code);
    let codes = codes.collect::<Vec<_>>().join(" ");
    format!("complete -c attache -n \"__fish_attache_using_subcommand explain\" -f -a \"{codes}\"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands that take a profile of the user's own file.
    fn with_profile(command: &clap::Command) -> usize {
        let own = command.get_arguments().any(|arg| arg.get_long() == Some("profile"));
        let below = command.get_subcommands().filter(|sub| sub.get_name() != "sandbox").map(with_profile);
        usize::from(own) + below.sum::<usize>()
    }

    #[test]
    fn profiles_are_completed_wherever_one_can_be_named() {
        let commands = with_profile(&args::command());
        assert!(commands > 7);
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            assert_eq!(script(shell).matches(NAMES).count(), commands, "{shell:?}");
        }
    }
}
