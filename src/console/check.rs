//! What a check and a dry run say to programs: one JSON document, in the shape of `schemas/plan.schema.json`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::plan::facts::Facts;
use crate::problem::{MoreProblems, Problem};

/// The version of the JSON form. Fields may be added without a new one.
pub const VERSION: u32 = 1;

/// Everything that is known before anything is sent.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "DryRun")]
pub struct CheckOutput<'a> {
    /// The version of this form.
    pub version: u32,
    /// The manifest as the user called it; `-` for standard input.
    pub manifest: &'a str,
    /// Rows read; where reading broke off, up to there.
    pub rows: u32,
    /// Of these, without an error.
    pub sound: u32,
    /// The problems, by line; of each code the first 1,000.
    pub problems: &'a [Problem],
    /// How many problems there are beyond those, by code; empty unless there are more than 1,000 of one code.
    pub more_problems: &'a [MoreProblems],
    /// What a run would do; null where it would send nothing because the manifest is not sound.
    pub plan: Option<&'a Facts>,
}

impl CheckOutput<'_> {
    /// The document as text.
    pub fn render(&self) -> String {
        // All keys are text and no value can refuse to be written.
        super::json::pretty(self) + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::large;
    use super::*;
    use crate::problem::ProblemCode;

    #[test]
    fn the_document_keeps_its_shape() {
        let problems = [Problem::new(ProblemCode::NoRows, "the manifest has no rows", "")];
        let plan = large();
        let output = CheckOutput {
            version: VERSION,
            manifest: "migration.csv",
            rows: 200_000,
            sound: 200_000,
            problems: &problems,
            more_problems: &[],
            plan: Some(&plan),
        };
        let document = serde_json::to_value(&output).unwrap();
        let schema = serde_json::to_value(schemars::schema_for!(CheckOutput<'_>)).unwrap();
        let errors: Vec<String> = jsonschema::validator_for(&schema)
            .unwrap()
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        insta::assert_snapshot!(output.render());
    }
}
