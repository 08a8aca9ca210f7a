//! `attache completions` and `attache man`: made from the same definitions as the command line itself.

use std::io::{self, Write};
use std::path::Path;

use clap_mangen::Man;

use super::args::{self, ManArgs};
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

/// Prints a manual page, or writes all of them into a folder.
pub fn man(args: &ManArgs) -> Exit {
    match &args.dir {
        Some(dir) => or_complain(write_all(dir), &format!("cannot write manual pages into {}", dir.display())),
        None => {
            let name = args.command.as_deref().unwrap_or_default();
            match pages().into_iter().find(|(file, _)| *file == file_name(name)) {
                Some((_, text)) => output::print(&text),
                None => {
                    let names: Vec<String> = commands().iter().map(|sub| sub.get_name().to_owned()).collect();
                    let known = names.join(", ");
                    let _ = writeln!(io::stderr(), "error: there is no command `{name}`; there are {known}");
                    Exit::Usage
                }
            }
        }
    }
}

fn or_complain(result: io::Result<()>, what: &str) -> Exit {
    match result {
        Ok(()) => Exit::Done,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {what}: {error}");
            Exit::Usage
        }
    }
}

fn write_all(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    pages().into_iter().try_for_each(|(file, text)| std::fs::write(dir.join(file), text))
}

fn commands() -> Vec<clap::Command> {
    args::command().get_subcommands().cloned().collect()
}

fn file_name(command: &str) -> String {
    if command.is_empty() { "attache.1".to_owned() } else { format!("attache-{command}.1") }
}

/// Every page with its file's name.
fn pages() -> Vec<(String, String)> {
    let mut pages = vec![(file_name(""), rendered(args::command()))];
    for sub in commands() {
        let file = file_name(sub.get_name());
        let full_name = format!("attache-{}", sub.get_name());
        pages.push((file, rendered(sub.name(full_name))));
    }
    pages
}

fn rendered(command: clap::Command) -> String {
    let mut page = Vec::new();
    // Writing into memory does not fail.
    let _ = Man::new(command).render(&mut page);
    String::from_utf8_lossy(&page).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_manual_page_with_its_options() {
        let pages = pages();
        assert_eq!(pages.len(), 1 + commands().len());
        let (_, run) = pages.iter().find(|(file, _)| file == "attache-run.1").unwrap();
        assert!(run.contains(r"\-\-dry\-run") && run.contains("ATTACHE_MAX_SIZE"), "{run}");
    }

    #[test]
    fn all_pages_can_be_written_into_a_folder_that_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("share/man/man1");
        let args = ManArgs { command: None, dir: Some(dir.clone()) };
        assert_eq!(man(&args), Exit::Done);
        assert!(dir.join("attache.1").is_file() && dir.join("attache-sandbox.1").is_file());
    }
}
