//! Headings of real exports: which of them the user gives a meaning, and what becomes of those that have none.

use std::fmt;
use std::str::FromStr;

use super::row::{Field, is_carried};
use crate::problem::{Place, Problem, ProblemCode};
use crate::text::{masked_excerpt, nearest};

/// A heading that is to be read as a column of a manifest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeadingRule {
    /// The column, such as `record`, `note` or `x_old`.
    column: String,
    /// How the file calls it.
    heading: String,
}

impl HeadingRule {
    /// # Errors
    ///
    /// There is no such column, or the heading is empty.
    pub fn new(column: &str, heading: &str) -> Result<HeadingRule, String> {
        let column = column.trim();
        let known = || Field::ALL.into_iter().map(Field::as_str).chain(["note"]);
        if Field::named(column).is_none() && !is_carried(column) {
            let all: Vec<&str> = known().collect();
            return Err(match nearest(column, known()) {
                Some(near) => format!("there is no column {column}; did you mean {near}?"),
                None => format!("there is no column {column}; there are {} and x_…", all.join(", ")),
            });
        }
        if heading.trim().is_empty() {
            return Err(format!("say which heading is to be read as {column}"));
        }
        Ok(HeadingRule { column: column.to_owned(), heading: heading.trim().to_owned() })
    }

    /// The column that it is about.
    pub fn column(&self) -> &str {
        &self.column
    }
}

impl FromStr for HeadingRule {
    type Err = String;

    fn from_str(text: &str) -> Result<HeadingRule, String> {
        let (column, heading) =
            text.split_once('=').ok_or("write it as column=Heading, such as record=\"Record Id\"")?;
        HeadingRule::new(column, heading)
    }
}

impl fmt::Display for HeadingRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.column, self.heading)
    }
}

/// All that the user says of headings.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct HeadingRules {
    /// Headings with a meaning.
    pub rules: Vec<HeadingRule>,
    /// Whether headings without one are passed over in place of being problems.
    pub ignore_unknown: bool,
}

impl HeadingRules {
    /// The column that a heading stands for: the user's word, else the heading itself. Case and outer blanks do not count.
    pub(super) fn column_of<'h>(&'h self, heading: &'h str) -> &'h str {
        let wanted = heading.trim().to_lowercase();
        let rule = self.rules.iter().find(|rule| rule.heading.to_lowercase() == wanted);
        rule.map_or(heading, |rule| &rule.column)
    }

    /// One problem for each rule whose heading the file does not have.
    pub(super) fn missing<'h>(&self, headings: impl Iterator<Item = &'h str> + Clone, at: Place) -> Vec<Problem> {
        let is_there = |rule: &&HeadingRule| {
            headings.clone().any(|heading| heading.trim().to_lowercase() == rule.heading.to_lowercase())
        };
        let problem = |rule: &HeadingRule| {
            let shown = masked_excerpt(&rule.heading);
            let message = format!("there is no column \"{shown}\", which is to be read as {}", rule.column);
            let near = nearest(&rule.heading, headings.clone().filter(|heading| !heading.trim().is_empty()));
            let hint = match near {
                Some(near) => format!("did you mean \"{}\"?", masked_excerpt(near.trim())),
                None => "write the heading as it stands in the file".to_owned(),
            };
            Problem::new(ProblemCode::ColumnMissing, message, hint).on_line(at.line)
        };
        self.rules.iter().filter(|rule| !is_there(rule)).map(problem).collect()
    }
}

/// One note for the columns that are passed over.
pub(super) fn ignored(headings: &[&str], line: u32) -> Option<Problem> {
    const SHOWN: usize = 5;
    let shown: Vec<String> = headings.iter().take(SHOWN).map(|heading| masked_excerpt(heading)).collect();
    let more = match headings.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("columns that are not used: {}{more}", shown.join(", "));
    (!headings.is_empty()).then(|| Problem::new(ProblemCode::Tolerated, message, "").on_line(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_a_column_that_there_is_and_a_heading() {
        let rule: HeadingRule = " record = Record Id ".parse().unwrap();
        assert_eq!((rule.column(), rule.to_string()), ("record", "record=Record Id".to_owned()));
        assert!("x_old=Old=Id".parse::<HeadingRule>().is_ok());
        for (text, says) in
            [("Record Id", "column=Heading"), ("recrd=Id", "did you mean record?"), ("file= ", "which heading")]
        {
            let error = text.parse::<HeadingRule>().unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_heading_counts_without_case_and_blanks() {
        let rules =
            HeadingRules { rules: vec![HeadingRule::new("record", "Record Id").unwrap()], ignore_unknown: false };
        assert_eq!(rules.column_of(" RECORD ID "), "record");
        assert_eq!(rules.column_of("Record"), "Record");
    }
}
