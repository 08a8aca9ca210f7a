//! Patterns such as `{module}/{key}/{name}`: how the path of a file tells which record it belongs to.

use super::error::CollectError;

/// A part of a path in a pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
enum PatternPiece {
    Literal(String),
    Module,
    Key,
    Name,
    /// Anything.
    Any,
}

/// A pattern that has been read: one list of pieces for each part of the path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pattern {
    parts: Vec<Vec<PatternPiece>>,
}

/// What a path says.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct PatternMatch<'p> {
    pub(super) module: Option<&'p str>,
    pub(super) key: &'p str,
    pub(super) name: Option<&'p str>,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// It has an unknown word, no `{key}`, something twice, or two words that nothing separates.
    pub(super) fn read(text: &str) -> Result<Pattern, CollectError> {
        let wrong = |what: String| CollectError::Usage(format!("the pattern {text} cannot be used: {what}"));
        let mut parts = Vec::new();
        for part in text.trim_start_matches("./").split('/') {
            let pieces = pieces(part).map_err(wrong)?;
            let is_open = |piece: &PatternPiece| !matches!(piece, PatternPiece::Literal(_));
            if pieces.windows(2).any(|two| two.iter().all(is_open)) {
                return Err(wrong(format!(
                    "nothing stands between two words in {part}, so nobody knows where one ends"
                )));
            }
            if pieces.is_empty() {
                return Err(wrong("a part between slashes is empty".to_owned()));
            }
            parts.push(pieces);
        }
        let count = |wanted: &PatternPiece| parts.iter().flatten().filter(|piece| *piece == wanted).count();
        if count(&PatternPiece::Key) == 0 {
            return Err(wrong("it has no {key}".to_owned()));
        }
        let words = [(PatternPiece::Module, "{module}"), (PatternPiece::Key, "{key}"), (PatternPiece::Name, "{name}")];
        if let Some((_, word)) = words.iter().find(|(piece, _)| count(piece) > 1) {
            return Err(wrong(format!("it has {word} twice")));
        }
        Ok(Pattern { parts })
    }

    /// Whether it says the module.
    pub(super) fn has_module(&self) -> bool {
        self.parts.iter().flatten().any(|piece| *piece == PatternPiece::Module)
    }

    /// What a path says; `None` if it is not built so.
    pub(super) fn matches<'p>(&self, path: &'p str) -> Option<PatternMatch<'p>> {
        let mut found = PatternMatch::default();
        let mut parts = path.split('/');
        for (at, pieces) in self.parts.iter().enumerate() {
            let part = parts.next()?;
            let is_file = at + 1 == self.parts.len();
            match_part(pieces, part, is_file, &mut found)?;
        }
        (parts.next().is_none() && !found.key.is_empty()).then_some(found)
    }
}

fn pieces(part: &str) -> Result<Vec<PatternPiece>, String> {
    let mut pieces = Vec::new();
    let mut rest = part;
    while !rest.is_empty() {
        match rest.find('{') {
            Some(0) => {
                let Some(end) = rest.find('}') else { return Err(format!("a brace in {part} is not closed")) };
                pieces.push(match &rest[1..end] {
                    "module" => PatternPiece::Module,
                    "key" => PatternPiece::Key,
                    "name" => PatternPiece::Name,
                    "*" => PatternPiece::Any,
                    other => {
                        return Err(format!("there is no {{{other}}}, only {{module}}, {{key}}, {{name}} and {{*}}"));
                    }
                });
                rest = &rest[end + 1..];
            }
            at => {
                let (literal, behind) = rest.split_at(at.unwrap_or(rest.len()));
                pieces.push(PatternPiece::Literal(literal.to_owned()));
                rest = behind;
            }
        }
    }
    Ok(pieces)
}

/// Each word takes as little as it can: up to the first place where what follows it stands.
fn match_part<'p>(pieces: &[PatternPiece], part: &'p str, is_file: bool, found: &mut PatternMatch<'p>) -> Option<()> {
    let mut rest = part;
    for (at, piece) in pieces.iter().enumerate() {
        if let PatternPiece::Literal(literal) = piece {
            rest = rest.strip_prefix(literal.as_str())?;
            continue;
        }
        let is_last = at + 1 == pieces.len();
        let end = match pieces.get(at + 1) {
            Some(PatternPiece::Literal(literal)) => rest.find(literal.as_str())?,
            _ => rest.len(),
        };
        let (word, behind) = rest.split_at(end);
        rest = behind;
        match piece {
            PatternPiece::Module => found.module = Some(word),
            // The ending belongs to the file, not to the key that is its name.
            PatternPiece::Key if is_last && is_file => found.key = word.rsplit_once('.').map_or(word, |(key, _)| key),
            PatternPiece::Key => found.key = word,
            PatternPiece::Name => found.name = Some(word).filter(|name| !name.is_empty()),
            PatternPiece::Any | PatternPiece::Literal(_) => {}
        }
        if word.is_empty() && !matches!(piece, PatternPiece::Any) {
            return None;
        }
    }
    rest.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pattern: &str, path: &str) -> Option<String> {
        let pattern = Pattern::read(pattern).expect("a pattern");
        let found = pattern.matches(path)?;
        Some(format!("{}|{}|{}", found.module.unwrap_or("-"), found.key, found.name.unwrap_or("-")))
    }

    #[test]
    fn a_path_says_what_the_pattern_says_of_it() {
        for (pattern, path, wanted) in [
            ("{module}/{key}/{name}", "Leads/4711/a.pdf", Some("Leads|4711|a.pdf")),
            ("{key}_{name}", "4711_order_1.pdf", Some("-|4711|order_1.pdf")),
            ("{key}", "4711.pdf", Some("-|4711|-")),
            ("{key}", "47.11.pdf", Some("-|47.11|-")),
            ("{key}", "4711", Some("-|4711|-")),
            ("{key}_{*}", "4711_a.pdf", Some("-|4711|-")),
            ("{key}/{name}", "4711/.a", Some("-|4711|.a")),
            ("scans {*}/{key} - {name}", "scans 2019/4711 - a - b.pdf", Some("-|4711|a - b.pdf")),
            ("{key}/{name}", "4711/deep/a.pdf", None),
            ("{key}/{name}", "4711", None),
            ("{key}_{name}", "_a.pdf", None),
            ("{key}_{name}", "4711.pdf", None),
            ("{key}_{name}", "4711_", None),
            ("{key}", ".pdf", None),
        ] {
            assert_eq!(said(pattern, path).as_deref(), wanted, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_that_says_nothing_or_too_much_is_refused() {
        for wrong in ["", "{name}", "{key}{name}", "{key}/{key}", "{kee}", "{key", "a//{key}"] {
            assert!(Pattern::read(wrong).is_err(), "{wrong}");
        }
    }
}
