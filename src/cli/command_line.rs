//! Command lines that messages show for the next step: whole, so that they can be pasted into a shell as they are.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use super::args::TargetArgs;
use crate::text::escape_for_terminal;

/// One command line of this program. Shown, it is quoted for the shell of the system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandLine(Vec<String>);

impl Default for CommandLine {
    /// The program alone.
    fn default() -> CommandLine {
        CommandLine(vec!["attache".to_owned()])
    }
}

impl CommandLine {
    /// Of a command, such as `run` or `auth status`.
    pub fn new(command: &str) -> CommandLine {
        command.split(' ').fold(CommandLine::default(), CommandLine::word)
    }

    /// With a word that is no option, such as a module with its field.
    #[must_use]
    pub fn word(mut self, word: impl AsRef<OsStr>) -> CommandLine {
        self.0.push(word.as_ref().to_string_lossy().into_owned());
        self
    }

    /// With a file that is no option's. A name that begins with a dash would be read as an option.
    #[must_use]
    pub fn file(self, file: &Path) -> CommandLine {
        match file.to_string_lossy().starts_with('-') {
            true => self.word(Path::new(".").join(file)),
            false => self.word(file),
        }
    }

    /// With an option that has no value.
    #[must_use]
    pub fn flag(self, option: &str) -> CommandLine {
        self.word(option)
    }

    /// With an option and its value.
    #[must_use]
    pub fn option(self, option: &str, value: impl AsRef<OsStr>) -> CommandLine {
        let value = value.as_ref();
        match value.to_string_lossy().starts_with('-') {
            true => self.word(format!("{option}={}", value.to_string_lossy())),
            false => self.word(option).word(value),
        }
    }

    /// With an option and its value, where there is one.
    #[must_use]
    pub fn maybe(self, option: &str, value: Option<impl AsRef<OsStr>>) -> CommandLine {
        match value {
            Some(value) => self.option(option, value),
            None => self,
        }
    }

    /// With what these options say of where to, as whom, and over which way. A command that was given them does not find
    /// its place without them.
    #[must_use]
    pub fn at(self, target: &TargetArgs) -> CommandLine {
        let TargetArgs { dc, api_domain, accounts_url, api_version, profile, ca_file, no_proxy } = target;
        let line = self
            .maybe("--profile", profile.as_ref())
            .maybe("--dc", dc.map(|dc| dc.to_string()))
            .maybe("--api-domain", api_domain.as_ref())
            .maybe("--accounts-url", accounts_url.as_ref())
            .maybe("--api-version", api_version.map(|version| version.to_string()))
            .maybe("--ca-file", ca_file.as_ref());
        if *no_proxy { line.flag("--no-proxy") } else { line }
    }

    /// Its words, the program's name first.
    #[cfg(test)]
    pub fn words(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(|word| quoted(word)).collect();
        f.write_str(&escape_for_terminal(&words.join(" ")))
    }
}

/// A word as a shell takes it back.
fn quoted(word: &str) -> String {
    let is_plain =
        |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '\\' | '+' | '@' | ',' | '=');
    if !word.is_empty() && word.chars().all(is_plain) && (cfg!(windows) || !word.contains('\\')) {
        word.to_owned()
    } else if cfg!(windows) {
        format!("\"{word}\"")
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args;

    #[test]
    fn a_command_line_is_taken_back_as_it_was_meant() {
        let target = TargetArgs {
            profile: Some("client b".to_owned()),
            api_domain: Some("http://127.0.0.1:1".to_owned()),
            no_proxy: true,
            ..TargetArgs::default()
        };
        let line = CommandLine::new("verify").file(Path::new("-it's.results.csv")).at(&target).option("--seed", "-1");
        assert_eq!(Path::new(&line.words()[2]), Path::new("./-it's.results.csv"));
        let end = "--api-domain http://127.0.0.1:1 --no-proxy --seed=-1";
        assert!(line.to_string().ends_with(end), "{line}");
        let words = CommandLine::new("verify").file(Path::new("-it's.results.csv")).at(&target);
        let parsed = args::parse(words.words()).expect("it parses");
        let args::Command::Verify(parsed) = parsed.command else { panic!("{parsed:?}") };
        assert_eq!(parsed.target, target);
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_gets_the_same_words() {
        let words =
            ["plain", "", "two words", "it's", "back\\slash", "$HOME", "a;b", "*", "~x", "#1", "é", "a\"b", "`id`"];
        let line = words.map(quoted).join(" ");
        let echoed = std::process::Command::new("sh").arg("-c").arg(format!("printf '<%s>' {line}")).output();
        let echoed = String::from_utf8(echoed.expect("a shell").stdout).expect("text");
        assert_eq!(echoed, words.map(|word| format!("<{word}>")).concat(), "{line}");
    }
}
