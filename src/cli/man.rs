//! `attache man`: manual pages, made from the same definitions as the command line itself.
//!
//! What a definition cannot say (files, variables, exit statuses, where to read on) is said here once for all pages.

use std::io;
use std::path::Path;

use clap_mangen::Man;
use roff::{Inline, Roff, bold, roman};

use super::args::{self, ManArgs};
use super::config;
use super::stdio;
use crate::exit::Exit;
use crate::explain::{ExplainPage, exits};
use crate::text::system_words;

/// Prints a manual page, or writes all of them into a folder.
pub fn run(args: &ManArgs) -> Exit {
    match &args.dir {
        Some(dir) => or_complain(write_all(dir), &format!("cannot write manual pages into {}", dir.display())),
        None => print_one(&args.command.join(" ")),
    }
}

fn print_one(command: &str) -> Exit {
    // `auth-login` is what the page is called, `auth login` what is typed.
    let asked = command.replace('-', " ");
    match pages().into_iter().find(|page| page.command == asked) {
        Some(page) => stdio::print(&page.text),
        None => {
            let names: Vec<String> =
                pages().into_iter().map(|page| page.command).filter(|name| !name.is_empty()).collect();
            stdio::complain(format_args!("there is no command `{command}`; there are {}", names.join(", ")));
            Exit::Usage
        }
    }
}

fn or_complain(result: io::Result<()>, what: &str) -> Exit {
    match result {
        Ok(()) => Exit::Done,
        Err(error) => {
            stdio::complain(format_args!("{what}: {}", system_words(&error)));
            Exit::Usage
        }
    }
}

fn write_all(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    pages().into_iter().try_for_each(|page| std::fs::write(dir.join(format!("{}.1", page.name)), page.text))
}

/// One manual page.
struct ManPage {
    /// The command as it is typed after `attache`, such as `auth login`; empty for the program itself.
    command: String,
    /// Its name in the manual, such as `attache-auth-login`.
    name: String,
    /// The page in roff.
    text: String,
}

/// The page of the program and one for each command, those below other commands among them: a page may only refer to
/// pages that exist.
fn pages() -> Vec<ManPage> {
    let mut command = args::command();
    // Gives the commands below their full names.
    command.build();
    let mut pages = Vec::new();
    add_pages(&command, &mut pages);
    let names: Vec<String> = pages.iter().map(|page| page.name.clone()).collect();
    for page in &mut pages {
        see_also(page, &names);
    }
    pages
}

fn add_pages(command: &clap::Command, pages: &mut Vec<ManPage>) {
    let full = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let typed = full.strip_prefix("attache").unwrap_or(full).trim_start().to_owned();
    pages.push(ManPage { command: typed, name: full.replace(' ', "-"), text: rendered(command) });
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        add_pages(sub, pages);
    }
}

fn rendered(command: &clap::Command) -> String {
    // Writing into memory does not fail.
    let mut page = Vec::new();
    let _ = render(command, &mut page);
    String::from_utf8_lossy(&page).into_owned()
}

fn render(command: &clap::Command, page: &mut Vec<u8>) -> io::Result<()> {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage:").unwrap_or(&usage).trim().to_owned();
    let examples = command.get_before_help().map(ToString::to_string);
    let remarks = command.get_after_help().map(ToString::to_string);
    // Fifty options in the synopsis tell nobody anything: it says what the help says.
    let man = Man::new(command.clone().override_usage(usage));
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    let mut extra = Roff::new();
    // The exit statuses have a section of their own.
    if let Some(remarks) = remarks.filter(|remarks| !remarks.starts_with("Exit status")) {
        as_it_stands(extra.control("PP", []), &remarks);
    }
    if let Some(examples) = examples {
        as_it_stands(extra.control("SH", ["EXAMPLES"]), examples.strip_prefix("Examples:\n").unwrap_or(&examples));
    }
    extra.to_writer(page)?;
    man.render_options_section(page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(page)?;
    }
    if command.get_name() == "config" {
        setting_keys().to_writer(page)?;
    }
    let mut last = Roff::new();
    listed(&mut last, "ENVIRONMENT", ENVIRONMENT);
    listed(&mut last, "FILES", FILES);
    exit_statuses(&mut last);
    last.to_writer(page)
}

/// Every key of the settings files.
fn setting_keys() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SETTINGS OF RUNS"]).text([roman(
        "They may stand in either file. What a file beside a manifest may say is told with each: such a folder may come from \
         anyone, so it may make a run only slower, smaller or stricter, and can name no target, command, proxy or credentials.",
    )]);
    for key in config::RUN_SETTINGS {
        let text = format!("{}. Built in: {}. Beside a manifest: {}.", key.meaning, key.default, key.beside);
        entry(&mut roff, [bold(key.name), roman(" = "), roman(key.example)], &text);
    }
    roff.control("SH", ["PROFILES"]).text([roman(
        "They stand in the user's own file, each as [profiles.NAME]. A file with profiles that others can read is refused.",
    )]);
    for key in config::PROFILE_SETTINGS {
        entry(&mut roff, [bold(key.name), roman(" = "), roman(key.example)], &format!("{}.", key.meaning));
    }
    roff
}

/// Lines that are broken where they are broken here, and nowhere else.
fn as_it_stands(roff: &mut Roff, text: &str) {
    roff.control("nf", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}

fn listed(roff: &mut Roff, heading: &str, items: &[(&str, &str)]) {
    roff.control("SH", [heading]);
    for (item, text) in items {
        entry(roff, [bold(*item)], text);
    }
}

fn entry<const N: usize>(roff: &mut Roff, item: [Inline; N], text: &str) {
    roff.control("TP", []).text(item).text([roman(text)]);
}

fn exit_statuses(roff: &mut Roff) {
    roff.control("SH", ["EXIT STATUS"]);
    for ExplainPage { code, title, .. } in exits::PAGES {
        entry(roff, [bold(*code)], title);
    }
}

fn see_also(page: &mut ManPage, names: &[String]) {
    let others: Vec<String> =
        names.iter().filter(|name| **name != page.name).map(|name| format!("{name}(1)")).collect();
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]).text([roman(others.join(", "))]);
    page.text.push_str(&roff.render());
}

/// The variables that are no option of a command.
const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "ATTACHE_*",
        "Every option can be a variable: --max-size is ATTACHE_MAX_SIZE. Options of sandbox, report, collect and man have the \
         command's name in front: ATTACHE_SANDBOX_PAGE_SIZE. What the command line says has precedence; a variable that is \
         empty counts as unset.",
    ),
    ("ATTACHE_CONFIG_DIR", "The folder of the user's own attache.toml, in place of the system's folder for settings."),
    ("ATTACHE_CACHE_DIR", "The folder of access tokens that runs share, in place of the system's folder for caches."),
    ("ZOHO_ACCESS_TOKEN", "An access token, used as it is until it lapses (one hour)."),
    (
        "ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET, ZOHO_REFRESH_TOKEN",
        "All three together: access tokens are fetched with them as they are needed.",
    ),
    ("ZOHO_CREDENTIALS_FILE", "A file with the keys of a profile, that nobody else can read; see attache-config(1)."),
    ("HTTPS_PROXY, ALL_PROXY, NO_PROXY", "The proxy to go through, unless --no-proxy is given."),
    ("NO_COLOR", "Set to anything, it switches colours off, unless --color always is given."),
];

/// The files that are read and written.
const FILES: &[(&str, &str)] = &[
    (
        "attache.toml",
        "Settings. The user's own, with profiles, stands in the folder attache of the system's folder for settings \
         (~/.config on Linux and macOS, %APPDATA% on Windows); one beside the manifest may hold settings of a run. Every \
         key: attache-config(1).",
    ),
    (
        "NAME.results.csv",
        "The results of NAME.csv or NAME.yaml: what became of each row. Keep it: it is what protects from doing anything \
         twice.",
    ),
    ("NAME.results.csv.lock", "Keeps two runs from using the same results at once. Holds nothing."),
    (
        "NAME.results.csv.mark",
        "How far the results were filled when they were last safe on the disk: by it an older copy is told from them.",
    ),
    (
        ".NAME.results.csv.under-way, .attache.lock",
        "What a run is about to send, for others that start in the same folder; removed when it ends. The lock stays.",
    ),
    ("NAME.runs.jsonl", "One line for each run on these results."),
    ("NAME.sandbox-results.csv", "The results of a rehearsal with --sandbox, begun afresh each time."),
    ("NAME.verify.csv", "What attache verify found, row by row."),
    ("NAME.report.html, NAME.report.xlsx", "The page and the workbook for the sign-off."),
    ("plan.json, plan.html", "A saved plan and the page about it, under the names that you give: see run and report."),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn page(command: &str) -> String {
        pages().into_iter().find(|page| page.command == command).expect("a page").text
    }

    #[test]
    fn every_command_has_a_manual_page_with_its_options() {
        let run = page("run");
        assert!(run.contains(r"\-\-dry\-run") && run.contains(r"\-\-max\-size"), "{run}");
        assert!(page("auth login").contains(r"attache\-auth\-login"));
    }

    #[test]
    fn a_synopsis_is_what_is_typed() {
        assert!(page("run").contains(".SH SYNOPSIS\n\\fBattache run\\fR [OPTIONS] <MANIFEST>\n"), "{}", page("run"));
        assert!(page("auth status").contains("\\fBattache auth status\\fR"));
    }

    #[test]
    fn every_page_has_examples_where_the_help_has_them_and_files_variables_and_statuses() {
        assert!(page("run").contains(".SH EXAMPLES\n.nf\n  attache run uploads.csv"));
        for page in pages() {
            for heading in ["ENVIRONMENT", "FILES", "\"EXIT STATUS\"", "\"SEE ALSO\""] {
                assert!(page.text.contains(&format!(".SH {heading}\n")), "{}: {heading}", page.name);
            }
        }
    }

    #[test]
    fn the_page_of_the_settings_has_every_key() {
        let page = page("config").replace(r"\-", "-");
        for key in config::RUN_SETTINGS.iter().chain(config::PROFILE_SETTINGS) {
            assert!(page.contains(&format!("\\fB{}\\fR = ", key.name)), "{}: {page}", key.name);
        }
    }

    #[test]
    fn every_page_that_is_referred_to_exists() {
        let pages = pages();
        for page in &pages {
            let text = page.text.replace(r"\-", "-");
            for (before, _) in text.match_indices("(1)") {
                let name = text[..before].rsplit(|char: char| !char.is_alphanumeric() && char != '-').next();
                assert!(pages.iter().any(|other| Some(other.name.as_str()) == name), "{}: {name:?}", page.name);
            }
        }
    }

    #[test]
    fn all_pages_can_be_written_into_a_folder_that_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("share/man/man1");
        let args = ManArgs { command: Vec::new(), dir: Some(dir.clone()) };
        assert_eq!(run(&args), Exit::Done);
        assert!(dir.join("attache.1").is_file() && dir.join("attache-auth-login.1").is_file());
    }
}
