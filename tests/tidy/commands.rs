//! The command line as the program itself describes it, and what messages say of it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Which command has which options.
pub struct Program {
    commands: BTreeMap<String, BTreeSet<String>>,
}

impl Program {
    /// Asks the program, command by command.
    pub fn ask() -> Program {
        let mut commands = BTreeMap::new();
        learn("", &mut commands);
        assert!(commands.len() > 8, "no commands are found in the help");
        Program { commands }
    }

    /// Whether any command has this option.
    pub fn has(&self, flag: &str) -> bool {
        self.commands.values().any(|flags| flags.contains(flag))
    }

    /// Why this command line is none of ours, if it is not.
    pub fn refuses(&self, line: &str) -> Option<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let two = words.iter().take(2).copied().collect::<Vec<_>>().join(" ");
        let name = if self.commands.contains_key(&two) { two.as_str() } else { words.first()? };
        let flags = self.commands.get(name)?;
        let unknown = flags_of(&words).into_iter().find(|flag| !flags.contains(flag));
        unknown.map(|flag| format!("`attache {line}`: {name} has no {flag}"))
    }
}

fn learn(command: &str, commands: &mut BTreeMap<String, BTreeSet<String>>) {
    let help = Command::new(env!("CARGO_BIN_EXE_attache"))
        .args(command.split_whitespace())
        .arg("--help")
        .env_clear()
        .output()
        .expect("the program starts");
    let help = String::from_utf8(help.stdout).expect("text");
    let mut options: BTreeSet<String> = flags(&help).into_iter().collect();
    options.extend(["--help".to_owned(), "--version".to_owned()]);
    commands.insert(command.to_owned(), options);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    for name in names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        learn(format!("{command} {name}").trim(), commands);
    }
}

/// The options that a text names.
pub fn flags(text: &str) -> Vec<String> {
    text.match_indices("--").filter_map(|(at, _)| flag_at(text, at)).collect()
}

fn flags_of(words: &[&str]) -> Vec<String> {
    words.iter().filter_map(|word| flag_at(word, 0)).collect()
}

fn flag_at(text: &str, at: usize) -> Option<String> {
    let before = text[..at].chars().next_back();
    let name = text[at..].strip_prefix("--")?;
    let end = name.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(name.len());
    let name = name[..end].trim_end_matches('-');
    let begins = before.is_none_or(|c| !c.is_alphanumeric() && c != '-' && c != '!');
    (begins && name.starts_with(|c: char| c.is_ascii_lowercase())).then(|| format!("--{name}"))
}

/// The command lines in a text, without the program's name: up to a mark that ends a sentence or a quotation.
pub fn command_lines(text: &str) -> Vec<String> {
    let starts = text
        .match_indices("attache ")
        .filter(|(at, _)| text[..*at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '/' && c != '-'));
    starts
        .map(|(at, found)| {
            let line = &text[at + found.len()..];
            let end = line.find(['`', ')', ';', ',', '"', ':', '|']).unwrap_or(line.len());
            line[..end].split(". ").next().unwrap_or_default().trim_end_matches('.').to_owned()
        })
        .collect()
}
