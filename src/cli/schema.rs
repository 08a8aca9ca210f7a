//! `attache schema`: the JSON Schemas of what is read and written, made from the types. Copies of them stand in
//! `schemas/`, for editors and for people.

use schemars::generate::SchemaSettings;
use schemars::transform::Transform;
use schemars::{JsonSchema, Schema};

use super::stdio;
use super::values::SchemaName;
use crate::console::check::CheckOutput;
use crate::console::events::EventLine;
use crate::console::summary::Summary;
use crate::exit::Exit;
use crate::report::Report;
use crate::undo::show::UndoOutput;
use crate::verify::show::VerifyDocument;

/// Prints a schema.
pub fn run(name: SchemaName) -> Exit {
    stdio::print(&text(name))
}

/// A schema as it stands in `schemas/`.
pub fn text(name: SchemaName) -> String {
    let schema = match name {
        SchemaName::Manifest => crate::manifest::schema(),
        SchemaName::Plan => schema_of::<CheckOutput<'_>>(),
        SchemaName::SavedPlan => schema_of::<crate::plan::saved::SavedPlan>(),
        SchemaName::Results => schema_of::<ResultsRow>(),
        SchemaName::Summary => schema_of::<Summary>(),
        SchemaName::Event => schema_of::<EventLine>(),
        SchemaName::Report => schema_of::<Report>(),
        SchemaName::Verify => schema_of::<VerifyDocument<'_>>(),
        SchemaName::Undo => schema_of::<UndoOutput<'_>>(),
        SchemaName::Crosswalk => schema_of::<super::crosswalk::CrosswalkSummary>(),
        SchemaName::Doctor => schema_of::<super::doctor::DoctorDocument>(),
        SchemaName::Config => schema_of::<super::show_config::ConfigDocument>(),
        SchemaName::Profiles => schema_of::<super::auth::ProfilesDocument>(),
        SchemaName::Auth => schema_of::<super::auth::AuthStatus>(),
    };
    // A schema is made of maps and texts; nothing in it can fail to be written.
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

/// Draft 7 is what editors and validators everywhere understand. What is absent is written as null, so every field is
/// required.
fn schema_of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft07().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    Unwrapped.transform(&mut schema);
    schema
}

/// Comments in the code are broken into lines; in a schema each is one.
struct Unwrapped;

impl Transform for Unwrapped {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(serde_json::Value::String(description)) = schema.get_mut("description") {
            *description = description.replace('\n', " ");
        }
        schemars::transform::transform_subschemas(self, schema);
    }
}

/// A row of the results CSV. Every cell is text; an empty one says that nothing is known. Columns of the manifest named
/// `note` or beginning with `x_` stand between `created_by` and `target`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its description is used: the results are written cell by cell")]
struct ResultsRow {
    /// Physical line in the manifest, from 1; empty if the row is no longer there.
    line: String,
    /// The module's API name.
    module: String,
    /// The record's id.
    record: String,
    /// What the old system calls the record; empty for a row that names it by its id.
    record_key: String,
    /// The path as written in the manifest; empty for a link.
    file: String,
    /// The address as written in the manifest; empty for a file.
    url: String,
    /// The name as sent.
    name: String,
    /// What became of the row.
    status: ResultsStatus,
    /// The id of the attachment, where one is known.
    attachment_id: String,
    /// The service's code or one of ours; `attache explain CODE` says more.
    code: String,
    /// The service's words or ours.
    message: String,
    /// HTTP status of the answer that decided.
    http_status: String,
    /// Requests made for the row, all runs together; listings are not counted.
    tries: String,
    /// Size of the file, 0 for a link.
    bytes: String,
    /// The fingerprint of the bytes that were sent: `xxh3:` or `sha256:` and hexadecimal digits; empty for a link and
    /// where it is not known.
    content: String,
    /// From the first byte to the answer of the deciding try.
    seconds: String,
    /// The service's time when the row was first sent, RFC 3339 in UTC.
    sent_at: String,
    /// The service's time when the status was known, RFC 3339 in UTC.
    finished_at: String,
    /// Creation time as the service wrote it.
    created_time: String,
    /// The id of the user it was created as.
    created_by: String,
    /// Host of the API, or `sandbox`.
    target: String,
    /// Whose CRM it is: `org:` and the organisation's id, or `client:` and a hash of the client's id; empty in a
    /// rehearsal and where nobody can tell.
    org: String,
    /// Which run wrote the line.
    run: String,
    /// Which row the line is about: `r` and 16 hexadecimal digits.
    key: String,
    /// Shows whether the line was edited: `k` and the CRC-32 of what stands before.
    check: String,
}

/// The statuses of a row.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its description is used")]
enum ResultsStatus {
    /// The attachment exists; created by us.
    Uploaded,
    /// The record had it before we sent anything.
    AlreadyPresent,
    /// Refused, or given up: nothing was created.
    Failed,
    /// Sent, answer lost, not settled yet; the next run settles it first.
    InDoubt,
    /// What became of it cannot be told; never sent again by itself.
    Unknown,
    /// Not tried in this run.
    NotSent,
    /// Left out for its problems.
    Invalid,
    /// The attachment of a row that was sent once more; the row has a line of its own beside this one.
    Superseded,
    /// Only while a run goes on or after a crash: the request may be under way.
    Sending,
    /// Made by us and being taken back: it may be gone. A further `attache undo` settles it.
    Deleting,
    /// Made by us and taken back; never sent again by itself.
    Deleted,
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;
    use crate::outcome::Status;
    use crate::results::Layout;

    fn value(name: SchemaName) -> serde_json::Value {
        serde_json::from_str(&text(name)).unwrap()
    }

    #[test]
    fn the_schemas_in_the_repository_are_the_ones_that_are_printed() {
        for name in SchemaName::value_variants() {
            let word = name.to_possible_value().unwrap().get_name().to_owned();
            let path = format!("{}/schemas/{word}.schema.json", env!("CARGO_MANIFEST_DIR"));
            let kept = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
            assert!(kept == text(*name), "make it anew: cargo run -- schema {word} > schemas/{word}.schema.json");
        }
    }

    #[test]
    fn every_schema_is_a_valid_one() {
        for name in SchemaName::value_variants() {
            assert!(jsonschema::meta::is_valid(&value(*name)), "{name:?}");
        }
    }

    #[test]
    fn the_schema_of_the_results_has_their_columns_and_statuses() {
        let schema = value(SchemaName::Results);
        let layout = Layout::default();
        let columns: Vec<&str> = layout.columns().collect();
        let described = schema["properties"].as_object().unwrap();
        assert_eq!(described.len(), columns.len());
        assert!(columns.iter().all(|column| described.contains_key(*column)));
        let text = schema.to_string();
        assert!(Status::ALL.iter().all(|status| text.contains(&format!("\"{status}\""))));
    }
}
