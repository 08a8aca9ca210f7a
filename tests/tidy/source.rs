//! A source file, taken apart far enough for the rules.

use std::fs;
use std::path::{Path, PathBuf};

/// The part of a file that a rule can be about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SourceToken {
    /// A name or a keyword.
    Word(String),
    /// The inside of a text literal, as written.
    Text(String),
    /// Any other character; `::` is one.
    Sign(&'static str),
    /// A character that no rule asks about.
    Other(char),
}

/// A file of the repository.
pub struct Source {
    /// From the repository's root, with `/`.
    pub path: String,
    /// All of it.
    pub text: String,
    /// Its code without comments, and without the unit tests at its end.
    pub tokens: Vec<SourceToken>,
}

/// The repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder, in order.
pub fn sources(folder: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root().join(folder), &mut paths);
    paths.sort();
    let source = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source file");
        let path = path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
        Source::of(&path, &text)
    };
    paths.into_iter().map(source).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

impl Source {
    /// A file with this text.
    pub fn of(path: &str, text: &str) -> Source {
        let path = path.to_owned();
        let code = if is_test(&path) { "" } else { without_tests(text) };
        Source { tokens: tokens(code), text: text.to_owned(), path }
    }

    /// The module at the top of the crate that it belongs to.
    pub fn module(&self) -> &str {
        self.place().split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// Its path below `src/`.
    pub fn place(&self) -> &str {
        self.path.strip_prefix("src/").unwrap_or(&self.path)
    }

    /// The modules of ours that it names, in order.
    pub fn imports(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            if *token != SourceToken::Word("crate".to_owned())
                || self.tokens.get(at + 1) != Some(&SourceToken::Sign("::"))
            {
                continue;
            }
            match self.tokens.get(at + 2) {
                Some(SourceToken::Word(name)) => names.push(name.clone()),
                Some(SourceToken::Other('{')) => names.extend(first_names(&self.tokens[at + 3..])),
                _ => {}
            }
        }
        names
    }

    /// Names that stand first in a path: among them, outside libraries.
    pub fn outside_paths(&self) -> Vec<String> {
        let first = |at: usize| at == 0 || self.tokens[at - 1] != SourceToken::Sign("::");
        let path = |at: usize| self.tokens.get(at + 1) == Some(&SourceToken::Sign("::"));
        let word = |(at, token): (usize, &SourceToken)| match token {
            SourceToken::Word(word) if first(at) && path(at) => Some(word.clone()),
            _ => None,
        };
        self.tokens.iter().enumerate().filter_map(word).collect()
    }

    /// The text literals.
    pub fn strings(&self) -> Vec<String> {
        let text = |token: &SourceToken| match token {
            SourceToken::Text(text) => Some(text.clone()),
            _ => None,
        };
        self.tokens.iter().filter_map(text).collect()
    }

    /// The types that it defines, those of its unit tests too; associated types aside.
    pub fn types(&self) -> Vec<String> {
        let kinds = ["struct", "enum", "trait", "union"];
        let name = |line: &str| {
            let indented = line.starts_with(' ');
            let line = line.trim_start();
            let line = line.strip_prefix("pub").map_or(line, |rest| match rest.strip_prefix('(') {
                Some(rest) => rest.split_once(')').map_or(rest, |(_, rest)| rest),
                None => rest,
            });
            let mut words = line.split_whitespace();
            let kind = words.next()?;
            let is_type = kinds.contains(&kind) || (kind == "type" && !indented);
            let name: String = words.next()?.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            (is_type && name.starts_with(char::is_uppercase)).then_some(name)
        };
        self.text.lines().filter_map(name).collect()
    }

    /// Lines before the unit tests.
    pub fn code_lines(&self) -> usize {
        if is_test(&self.path) { 0 } else { without_tests(&self.text).lines().count() }
    }

    /// Public items and fields without a doc line.
    pub fn undocumented(&self) -> Vec<String> {
        if is_test(&self.path) {
            return Vec::new();
        }
        let lines: Vec<&str> = without_tests(&self.text).lines().collect();
        let bare = |at: usize| {
            let mut above = lines[..at].iter().rev().map(|line| line.trim());
            let above = above.find(|line| !line.starts_with("#[") && !line.starts_with("// ")).unwrap_or_default();
            // The end of an attribute over several lines hides what is above it: taken for documented.
            !above.starts_with("///") && !above.starts_with("//!") && !above.ends_with([',', ']'])
        };
        let found = lines.iter().enumerate().filter(|(at, line)| is_public(line) && bare(*at));
        found.map(|(at, line)| format!("{}:{}: {}", self.path, at + 1, line.trim())).collect()
    }
}

/// Whether a line begins something that others see: `pub`, but no import and no module.
fn is_public(line: &str) -> bool {
    let Some(rest) = line.trim_start().strip_prefix("pub ") else { return false };
    let kinds = ["fn", "const", "async", "struct", "enum", "trait", "static", "type"];
    let first = rest.split_whitespace().next().unwrap_or_default();
    kinds.contains(&first) || first.ends_with(':')
}

/// Files that are tests from beginning to end.
fn is_test(path: &str) -> bool {
    let tests = ["tests.rs", "fault_tests.rs", "testing.rs", "browser.rs", "sample.rs", "samples.rs"];
    !path.starts_with("src/")
        || path.contains("/tests/")
        || path.starts_with("src/simulation/")
        || tests.iter().any(|name| path.ends_with(&format!("/{name}")))
}

/// The text before the first module for tests only.
fn without_tests(text: &str) -> &str {
    let mut from = 0;
    while let Some(at) = text[from..].find("#[cfg(test)]\n").map(|at| at + from) {
        let next = text[at..].lines().nth(1).unwrap_or_default();
        if next.contains("mod ") && next.ends_with('{') {
            return &text[..at];
        }
        from = at + 1;
    }
    text
}

/// In the rest of a use tree: the names at its first level.
fn first_names(tokens: &[SourceToken]) -> Vec<String> {
    let (mut names, mut depth, mut fresh) = (Vec::new(), 1, true);
    for token in tokens {
        match token {
            SourceToken::Other('{') => depth += 1,
            SourceToken::Other('}') => depth -= 1,
            SourceToken::Other(',') if depth == 1 => fresh = true,
            SourceToken::Word(name) if depth == 1 && fresh => {
                names.push(name.clone());
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn tokens(text: &str) -> Vec<SourceToken> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = if rest.starts_with("//") {
            rest.find('\n').map_or("", |end| &rest[end..])
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or("", |end| &rest[end + 2..])
        } else if let Some((text, after)) = raw_text(rest).or_else(|| plain_text(rest)) {
            tokens.push(SourceToken::Text(text));
            after
        } else if let Some(after) = character(rest) {
            after
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(SourceToken::Word(rest[..end].to_owned()));
            &rest[end..]
        } else if let Some(after) = rest.strip_prefix("::") {
            tokens.push(SourceToken::Sign("::"));
            after
        } else {
            if !first.is_whitespace() {
                tokens.push(SourceToken::Other(first));
            }
            &rest[first.len_utf8()..]
        };
    }
    tokens
}

/// A text with escapes; a line break after a backslash is none.
fn plain_text(rest: &str) -> Option<(String, &str)> {
    let inside = rest.strip_prefix('"').or_else(|| rest.strip_prefix("b\""))?;
    let (mut text, mut chars) = (String::new(), inside.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((text, &inside[at + 1..])),
            '\\' => match chars.next()?.1 {
                '\n' => {
                    let gap = inside[at + 2..].len() - inside[at + 2..].trim_start().len();
                    for _ in 0..inside[at + 2..at + 2 + gap].chars().count() {
                        chars.next();
                    }
                }
                'n' | 't' | 'r' => text.push(' '),
                other => text.push(other),
            },
            c => text.push(c),
        }
    }
    None
}

fn raw_text(rest: &str) -> Option<(String, &str)> {
    let inside = rest.strip_prefix('r').or_else(|| rest.strip_prefix("br"))?;
    let hashes = inside.len() - inside.trim_start_matches('#').len();
    let inside = inside[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let at = inside.find(&end)?;
    Some((inside[..at].to_owned(), &inside[at + end.len()..]))
}

/// A character literal; a lifetime is none.
fn character(rest: &str) -> Option<&str> {
    let inside = rest.strip_prefix('\'').or_else(|| rest.strip_prefix("b'"))?;
    let mut chars = inside.chars();
    if chars.next()? == '\\' {
        let at = inside[2..].find('\'')? + 2;
        return Some(&inside[at + 1..]);
    }
    chars.as_str().strip_prefix('\'')
}
