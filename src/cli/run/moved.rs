//! What the user says of rows that may have been sent from another path (`--moved`): one word for all, or a file with a
//! line for each.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};

use crate::cli::failure::words;
use crate::plan::recognise::{MovedAnswer, MovedRule};
use crate::text::system_words;

/// The rule for what was given.
///
/// # Errors
///
/// The file cannot be read, or does not say it in the columns `line` and `moved`.
pub(super) fn rule(given: Option<&Path>) -> anyhow::Result<MovedRule> {
    match given {
        None => Ok(MovedRule::Ask),
        Some(path) => match path.to_str().and_then(answer) {
            Some(MovedAnswer::Same) => Ok(MovedRule::Same),
            Some(MovedAnswer::New) => Ok(MovedRule::New),
            None => by_line(path).map(MovedRule::ByLine).map_err(|error| {
                anyhow!("--moved {}: {}; give same, new, or such a file", path.display(), words(&error))
            }),
        },
    }
}

fn answer(word: &str) -> Option<MovedAnswer> {
    match word {
        "same" => Some(MovedAnswer::Same),
        "new" => Some(MovedAnswer::New),
        _ => None,
    }
}

fn by_line(path: &Path) -> anyhow::Result<HashMap<u32, MovedAnswer>> {
    let unreadable = |error: csv::Error| anyhow!("it cannot be read: {}", system_words(&error.into()));
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(unreadable)?;
    let headers = reader.headers().map_err(unreadable)?;
    let column = |name: &str| headers.iter().position(|header| header.trim_start_matches('\u{feff}') == name);
    let (Some(line), Some(moved)) = (column("line"), column("moved")) else {
        bail!("it lacks the columns line and moved");
    };
    let mut answers = HashMap::new();
    for (number, row) in (2..).zip(reader.records()) {
        let row = row.with_context(|| format!("row {number} cannot be read"))?;
        let (text, word) = (row.get(line).unwrap_or_default(), row.get(moved).unwrap_or_default());
        let of = text.parse().map_err(|_| anyhow!("row {number}: \"{text}\" is no line of a manifest"))?;
        let answer = answer(word).ok_or_else(|| anyhow!("row {number}: \"{word}\" is neither same nor new"))?;
        if answers.insert(of, answer).is_some_and(|other| other != answer) {
            bail!("row {number}: line {of} is said to be both same and new");
        }
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_speaks_for_all_rows_and_a_file_for_each() {
        assert_eq!(rule(None).expect("no rule"), MovedRule::Ask);
        assert_eq!(rule(Some(Path::new("same"))).expect("a word"), MovedRule::Same);
        assert_eq!(rule(Some(Path::new("new"))).expect("a word"), MovedRule::New);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("moved.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).expect("written");
            rule(Some(&path)).map_err(|error| words(&error))
        };
        let answers = HashMap::from([(2, MovedAnswer::Same), (9, MovedAnswer::New)]);
        assert_eq!(read("note,line,moved\nx,2,same\n,9, new\n"), Ok(MovedRule::ByLine(answers)));
        for (text, said) in [
            ("2,same\n", "columns line and moved"),
            ("line,moved\ntwo,same\n", "row 2: \"two\""),
            ("line,moved\n2,yes\n", "row 2: \"yes\""),
            ("line,moved\n2,same\n2,new\n", "row 3: line 2"),
        ] {
            assert!(read(text).is_err_and(|error| error.contains(said)), "{text}");
        }
        assert!(rule(Some(Path::new("no-such-file.csv"))).is_err());
    }
}
