//! Holds what is said of the source in CONTRIBUTING.md and `src/lib.rs`: who may import whom, where outside libraries
//! stand, that a name names one type, that messages name only options that exist.
//!
//! It reads the source as text, taken apart into tokens. Unit tests inside a file are not looked at unless a rule says so.

mod tidy {
    pub mod commands;
    pub mod rules;
    pub mod source;
    pub mod system_errors;
}

use std::collections::{BTreeMap, BTreeSet};

use tidy::commands::Program;
use tidy::rules;
use tidy::source::{Source, SourceToken, sources};
use tidy::system_errors::shown_raw;

/// Fails with one line for each finding.
fn none(findings: impl IntoIterator<Item = String>) {
    let findings: BTreeSet<String> = findings.into_iter().collect();
    let text: Vec<String> = findings.into_iter().collect();
    assert!(text.is_empty(), "\n{}\n", text.join("\n"));
}

#[test]
fn a_module_imports_only_modules_below_it() {
    let level = |module: &str| rules::LEVELS.iter().position(|known| *known == module);
    none(sources("src").iter().flat_map(|source| {
        let own = source.module().to_owned();
        let imports: BTreeSet<String> = source.imports().into_iter().filter(|other| *other != own).collect();
        let wrong = move |other: String| {
            if rules::BESIDE.contains(&own.as_str()) || rules::BESIDE.contains(&other.as_str()) {
                return None;
            }
            match (level(&own), level(&other)) {
                (Some(mine), Some(theirs)) if theirs < mine => None,
                (None, _) => Some(format!("{own} has no place in the order of modules (tests/tidy/rules.rs)")),
                _ => Some(format!("{}: {own} may not import {other}", source.path)),
            }
        };
        imports.into_iter().filter_map(wrong).collect::<Vec<_>>()
    }));
}

#[test]
fn the_sandbox_imports_nothing_of_ours() {
    let own = |source: &&Source| source.module() == "sandbox";
    none(sources("src").iter().filter(own).flat_map(|source| {
        let others = source.imports().into_iter().filter(|other| other != "sandbox");
        others.map(|other| format!("{}: imports {other}", source.path)).collect::<Vec<_>>()
    }));
}

#[test]
fn an_outside_library_stands_where_it_belongs() {
    let places: BTreeMap<&str, &[&str]> = rules::LIBRARIES.iter().copied().collect();
    none(sources("src").iter().flat_map(|source| {
        let names = source.outside_paths();
        let wrong = |name: &String| match places.get(name.as_str()) {
            Some(allowed) => !allowed.iter().any(|place| source.place().starts_with(place)),
            None => false,
        };
        names.into_iter().filter(wrong).map(|name| format!("{}: uses {name}", source.path)).collect::<Vec<_>>()
    }));
}

#[test]
fn no_two_types_have_one_name() {
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for folder in ["src", "tests", "benches"] {
        for source in sources(folder) {
            for name in source.types() {
                seen.entry(name).or_default().insert(source.path.clone());
            }
        }
    }
    let either_or = |paths: &BTreeSet<String>| paths.iter().all(|path| rules::EITHER_OR.contains(&path.as_str()));
    let shared = seen.into_iter().filter(|(_, paths)| paths.len() > 1 && !either_or(paths));
    none(shared.map(|(name, paths)| format!("{name}: {}", paths.into_iter().collect::<Vec<_>>().join(", "))));
}

#[test]
fn a_file_begins_with_what_it_is_for() {
    let bare = |source: &&Source| !source.text.starts_with("//!") && !source.text.starts_with("#![");
    none(sources("src").iter().filter(bare).map(|source| format!("{}: says nothing of itself", source.path)));
}

#[test]
fn a_file_holds_one_thing_and_is_no_longer_than_that_takes() {
    none(sources("src").iter().filter_map(|source| {
        let lines = source.code_lines();
        let most =
            rules::LONG_FILES.iter().find(|(path, _)| *path == source.path).map_or(rules::LINES, |(_, most)| *most);
        (lines > most).then(|| format!("{}: {lines} lines, {most} at most", source.path))
    }));
}

#[test]
fn what_is_public_says_what_it_is() {
    none(sources("src").iter().flat_map(Source::undocumented));
}

#[test]
fn the_finder_table_names_files_that_exist() {
    let lib = sources("src").into_iter().find(|source| source.path == "src/lib.rs").expect("src/lib.rs");
    let rows = lib.text.lines().filter(|line| line.starts_with("//! | "));
    let named = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).filter(|name| name.contains(['/', '.']));
    let named: Vec<&str> = named.filter(|name| !name.ends_with(".toml") && !name.contains(' ')).collect();
    assert!(named.len() > 20, "the table is not found");
    let missing = named.into_iter().filter(|name| !tidy::source::root().join("src").join(name).exists());
    none(missing.map(|name| format!("src/lib.rs names {name}")));
}

#[test]
fn flags_are_named_where_they_are_known() {
    let allowed = |path: &str| rules::FLAGS_BELONG_TO.iter().any(|place| path.starts_with(place));
    let mut left: BTreeSet<&str> = rules::FLAGS_STILL_IN.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources("src").iter().filter(|source| !allowed(&source.path)) {
        let flags = source.strings().into_iter().flat_map(|text| tidy::commands::flags(&text)).count();
        if flags > 0 && !left.remove(source.path.as_str()) {
            wrong.push(format!("{}: names a flag of the command line; return what happened instead", source.path));
        }
    }
    wrong.extend(left.into_iter().map(|path| format!("{path} names no flag any more: take it off the list")));
    none(wrong);
}

#[test]
fn every_option_that_a_message_names_exists() {
    let program = Program::ask();
    none(sources("src").iter().filter(|source| !rules::OTHER_OPTIONS.contains(&source.path.as_str())).flat_map(
        |source| {
            let flags = source.strings().into_iter().flat_map(|text| tidy::commands::flags(&text));
            let unknown = flags.filter(|flag| !program.has(flag) && !rules::COMING.contains(&flag.as_str()));
            unknown.map(|flag| format!("{}: there is no {flag}", source.path)).collect::<Vec<_>>()
        },
    ));
}

#[test]
fn a_command_that_a_message_names_takes_the_options_it_is_named_with() {
    let program = Program::ask();
    let mut wrong = Vec::new();
    let mut count = 0;
    for source in sources("src") {
        for line in source.strings().iter().flat_map(|text| tidy::commands::command_lines(text)) {
            count += 1;
            wrong.extend(program.refuses(&line).map(|why| format!("{}: {why}", source.path)));
        }
    }
    assert!(count > 30, "only {count} command lines are found");
    none(wrong);
}

#[test]
fn what_the_system_says_is_worded_for_people_in_one_place() {
    let words = |source: &&Source| {
        !["src/text/system_words.rs", "src/atomic_file.rs"].contains(&source.path.as_str())
            && source.module() != "sandbox"
    };
    none(sources("src").iter().filter(words).flat_map(|source| {
        let numbers =
            source.strings().into_iter().filter(|text| text.contains("(os error")).map(|_| "os error".to_owned());
        let raw = shown_raw(source).into_iter().chain(numbers);
        raw.map(|name| format!("{}: shows `{name}` as the system words it; use text::system_words", source.path))
            .collect::<Vec<_>>()
    }));
}

#[test]
fn an_error_that_is_shown_as_the_system_words_it_is_found() {
    let found = |text: &str| shown_raw(&Source::of("src/check/x.rs", text));
    for (text, name) in [
        (
            "enum E { Io(PathBuf, io::Error) } fn f() { match e { E::Io(path, why) => write!(f, \"{why}\"), } }",
            "Io(why)",
        ),
        ("enum E { Io { cause: io::Error } } fn f() { match e { E::Io { cause } => cause.fmt(f), } }", "Io(cause)"),
        ("fn of(error: &io::Error) -> String { error.to_string() }", "error"),
        ("fn f() { File::open(p).map_err(|error| anyhow!(\"no: {error}\"))?; }", "error"),
    ] {
        assert_eq!(found(text), [name], "{text}");
    }
    for text in [
        "enum E { Io(io::Error) } fn f() { match e { E::Io(error) => f.write_str(&system_words(error)), } }",
        "fn of(error: &io::Error) -> String { system_words(error) } fn g(error: &Other) -> String { error.to_string() }",
        "fn f() { parse(text).map_err(|error| anyhow!(\"no: {error}\"))?; }",
    ] {
        assert!(found(text).is_empty(), "{text}");
    }
}

#[test]
fn the_rules_are_read_from_code_and_not_from_comments() {
    let source =
        Source::of("src/check/x.rs", "//! x\nuse crate::zoho::Client; // crate::cli\nfn f() { \"crate::sandbox\"; }\n");
    assert_eq!(source.imports(), ["zoho"]);
    assert_eq!(source.strings(), ["crate::sandbox"]);
    assert!(matches!(source.tokens.first(), Some(SourceToken::Word(word)) if word == "use"));
}
