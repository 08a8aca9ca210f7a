//! Finds errors of the system that are shown in the system's own words: these are in the machine's language and end in a
//! number. `text::system_words` words them for people.
//!
//! Types are not known here, so this goes by what names say: fields, parameters and closures that are declared with the type,
//! and closures behind a call that asks the system for something.

use super::source::{Source, SourceToken};

/// Words of calls whose errors are the system's.
const ASKS_THE_SYSTEM: [&str; 14] = [
    "File",
    "fs",
    "canonicalize",
    "metadata",
    "try_clone",
    "read_line",
    "read_until",
    "read_to_string",
    "write_all",
    "flush",
    "replace",
    "replace_private",
    "set_handler",
    "tempfile",
];

/// Tokens before a closure that belong to the call that it is behind, at most.
const CALL: usize = 40;

/// What shows an error of the system as it is, with the name by which it does.
pub fn shown_raw(source: &Source) -> Vec<String> {
    let tokens = &source.tokens;
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        found.extend(parameter(tokens, at));
        found.extend(closure(tokens, at));
        found.extend(variant(tokens, at).into_iter().flat_map(|variant| variant.shown_in(tokens)));
    }
    found
}

fn word(token: Option<&SourceToken>) -> Option<&str> {
    match token {
        Some(SourceToken::Word(word)) => Some(word),
        _ => None,
    }
}

fn is(token: Option<&SourceToken>, sign: char) -> bool {
    token == Some(&SourceToken::Other(sign))
}

/// Whether `io::Error` stands here.
fn is_error_type(tokens: &[SourceToken], at: usize) -> bool {
    word(tokens.get(at)) == Some("io")
        && tokens.get(at + 1) == Some(&SourceToken::Sign("::"))
        && word(tokens.get(at + 2)) == Some("Error")
        && !is(tokens.get(at + 3), '>')
        && tokens.get(at + 3) != Some(&SourceToken::Sign("::"))
}

/// `error: &io::Error` of a function or a closure, shown before the next function.
fn parameter(tokens: &[SourceToken], at: usize) -> Option<String> {
    let name = word(tokens.get(at)).filter(|_| is(tokens.get(at + 1), ':'))?;
    let typed = (at + 2..at + 6).find(|at| is_error_type(tokens, *at))?;
    let ends = tokens.get(typed + 3);
    (is(ends, ')') || is(ends, '|')).then_some(())?;
    let body = &tokens[typed + 3..];
    let end = body.iter().position(|token| word(Some(token)) == Some("fn")).unwrap_or(body.len());
    shows(&body[..end], name).then(|| name.to_owned())
}

/// `map_err(|error| …)` behind a call that asks the system.
fn closure(tokens: &[SourceToken], at: usize) -> Option<String> {
    (word(tokens.get(at)) == Some("map_err") && is(tokens.get(at + 1), '(') && is(tokens.get(at + 2), '|'))
        .then_some(())?;
    let name = word(tokens.get(at + 3)).filter(|_| is(tokens.get(at + 4), '|'))?;
    let call = &tokens[at.saturating_sub(CALL)..at];
    let begins = call.iter().rposition(|token| is(Some(token), ';') || is(Some(token), '}')).map_or(0, |at| at + 1);
    let asks = call[begins..].iter().any(|token| word(Some(token)).is_some_and(|word| ASKS_THE_SYSTEM.contains(&word)));
    (asks && shows(inside(&tokens[at + 2..]), name)).then(|| name.to_owned())
}

/// The tokens up to the bracket that closes what is open.
fn inside(tokens: &[SourceToken]) -> &[SourceToken] {
    let mut depth = 0;
    let end = tokens.iter().position(|token| {
        depth += match token {
            SourceToken::Other('(' | '{' | '[') => 1,
            SourceToken::Other(')' | '}' | ']') => -1,
            _ => 0,
        };
        depth < 0
    });
    &tokens[..end.unwrap_or(tokens.len())]
}

/// A variant of an enum that holds an error of the system.
struct ErrorVariant<'t> {
    name: &'t str,
    /// Which of its fields, by number.
    place: usize,
    /// Or by name.
    field: Option<&'t str>,
}

/// `Io(PathBuf, io::Error)` or `Io { path: PathBuf, cause: io::Error }`.
fn variant(tokens: &[SourceToken], at: usize) -> Option<ErrorVariant<'_>> {
    let name = word(tokens.get(at)).filter(|name| name.starts_with(char::is_uppercase))?;
    let first = tokens.get(at + 1);
    (is(first, '(') || is(first, '{')).then_some(())?;
    let fields = inside(&tokens[at + 2..]);
    let held = (0..fields.len()).find(|at| is_error_type(fields, *at))?;
    // Only a declaration names types behind colons or alone between commas.
    let place = fields[..held].iter().filter(|token| is(Some(token), ',')).count();
    let field = (held >= 2 && is(fields.get(held - 1), ':')).then(|| word(fields.get(held - 2))).flatten();
    let is_alone = held == 0 || is(fields.get(held - 1), ',');
    (is_alone || field.is_some()).then_some(ErrorVariant { name, place, field })
}

impl ErrorVariant<'_> {
    /// The names by which match arms show what the variant holds.
    fn shown_in(&self, tokens: &[SourceToken]) -> Vec<String> {
        let arm = |at: &usize| {
            tokens.get(*at) == Some(&SourceToken::Sign("::")) && word(tokens.get(at + 1)) == Some(self.name)
        };
        (0..tokens.len()).filter(arm).filter_map(|at| self.shown_by(&tokens[at + 3..])).collect()
    }

    /// The same of one arm, which begins inside its pattern.
    fn shown_by(&self, tokens: &[SourceToken]) -> Option<String> {
        let pattern = inside(tokens);
        let name = match self.field {
            Some(field) => field,
            None => word(pattern.split(|token| is(Some(token), ',')).nth(self.place)?.first())?,
        };
        let arrow = pattern.len() + 1;
        (is(tokens.get(arrow), '=') && is(tokens.get(arrow + 1), '>')).then_some(())?;
        let mut depth = 0;
        let body = &tokens[arrow + 2..];
        let end = body.iter().position(|token| {
            depth += match token {
                SourceToken::Other('(' | '{' | '[') => 1,
                SourceToken::Other(')' | '}' | ']') => -1,
                _ => 0,
            };
            depth < 0 || (depth == 0 && is(Some(token), ','))
        });
        shows(&body[..end.unwrap_or(body.len())], name).then(|| format!("{}({name})", self.name))
    }
}

/// Whether these tokens make a text of what has this name.
fn shows(tokens: &[SourceToken], name: &str) -> bool {
    let in_text = [format!("{{{name}}}"), format!("{{{name}:")];
    tokens.iter().enumerate().any(|(at, token)| match token {
        SourceToken::Text(text) => in_text.iter().any(|shown| text.contains(shown)),
        SourceToken::Word(word_here) if word_here == name => {
            is(tokens.get(at + 1), '.') && matches!(word(tokens.get(at + 2)), Some("to_string" | "fmt"))
        }
        _ => false,
    })
}
