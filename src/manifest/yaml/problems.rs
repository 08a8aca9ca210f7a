//! What can be wrong with the keys and values of a YAML manifest, in words.

use super::events::{Scalar, Value, in_row};
use crate::manifest::limits::{CELL_LIMIT, cell_too_large};
use crate::problem::{Place, Problem, ProblemCode, ProblemList};
use crate::text::{masked_excerpt, nearest};

/// Reports a value that is too long, or has a line break where none may be.
pub(super) fn report_text(key: &str, scalar: &Scalar<'_>, carried: bool, row: Option<u32>, problems: &mut ProblemList) {
    if scalar.text.len() > CELL_LIMIT {
        let mut problem = cell_too_large(scalar.text.len()).at(scalar.place);
        problem.field = Some(key.to_owned());
        problems.push(in_row(problem, row));
    }
    if !carried && scalar.text.contains('\n') {
        let problem = Problem::new(
            ProblemCode::NewlineInCell,
            format!("a line break in {key}"),
            "write the value on one line; a block after | or > ends with a line break",
        );
        problems.push(in_row(problem.at(scalar.place).about(key, &scalar.text), row));
    }
}

pub(super) fn merge_key(place: Place) -> Problem {
    Problem::new(ProblemCode::YamlMergeKey, "a YAML merge key", "put values that rows share under defaults")
        .at(place)
        .about("<<", "<<")
}

pub(super) fn unknown_key(key: &str, place: Place, known: &[&str], more: &str) -> Problem {
    let hint = match nearest(key, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?{}", more.replace("; a", " A")),
        None => format!("known are {}{more}", known.join(", ")),
    };
    Problem::new(ProblemCode::KeyUnknown, format!("there is no key \"{}\"", masked_excerpt(key)), hint)
        .at(place)
        .about(key, key)
}

pub(super) fn key_twice(key: &str, place: Place) -> Problem {
    Problem::new(
        ProblemCode::KeyTwice,
        format!("the key {} stands here a second time", masked_excerpt(key)),
        "remove one of them; perhaps a - is missing that begins a new row",
    )
    .at(place)
    .about(key, key)
}

pub(super) fn not_text(key: &str, value: &Value) -> Problem {
    let kind = if matches!(value, Value::List(_)) { "a list" } else { "a set of keys and values" };
    let mut problem = Problem::new(
        ProblemCode::ValueNotText,
        format!("{} is {kind}, not one text", masked_excerpt(key)),
        "write one row for each value, or quote a text that looks like YAML",
    );
    problem.field = Some(key.to_owned());
    problem
}

pub(super) fn not_a_row(value: &Value) -> Problem {
    let problem = Problem::new(
        ProblemCode::RowNotKeys,
        "this entry is not a set of keys and values",
        "write `- module: …` with the other keys below it, indented alike",
    );
    match value {
        Value::Scalar(scalar) => {
            let mut problem = problem;
            problem.value = Some(masked_excerpt(&scalar.text));
            problem
        }
        _ => problem,
    }
}

pub(super) fn no_uploads(message: &str) -> Problem {
    Problem::new(ProblemCode::UploadsMissing, message, "add `uploads:` with one `- module: …` for each row")
}

pub(super) fn missing_version() -> Problem {
    Problem::new(ProblemCode::VersionMissing, "the version of the format is missing", "begin with `version: 1`")
}

pub(super) fn wrong_version(scalar: &Scalar<'_>) -> Problem {
    let quoted = !scalar.is_plain && scalar.text == "1";
    let message =
        if quoted { "the version is a text, not a number" } else { "this version of the format is not known" };
    Problem::new(ProblemCode::VersionUnknown, message, "write `version: 1`")
        .at(scalar.place)
        .about("version", &scalar.text)
}

/// A value behind which the rest of the line is a comment, and perhaps should not be.
pub(super) fn ends_at_comment(key: &str, scalar: &Scalar<'_>) -> Problem {
    let value = masked_excerpt(&scalar.text);
    Problem::new(
        ProblemCode::YamlComment,
        format!("the value ends before #: what follows is a comment, and {key} is \"{value}\""),
        format!(
            "if it belongs to the value, quote all of it: {key}: '… #…'; if not, put the comment on a line of its own"
        ),
    )
    .at(scalar.place)
    .about(key, &scalar.text)
}
