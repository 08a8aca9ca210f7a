//! The head of a YAML manifest as types, and the JSON Schema of the whole.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// Everything before `uploads:`, as serde reads it.
#[derive(Clone, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct YamlHead {
    /// Always 1; what else it could be is refused before.
    #[serde(rename = "version")]
    _version: u64,
    #[serde(default)]
    pub(crate) root: Option<String>,
    #[serde(default)]
    pub(crate) defaults: Option<BTreeMap<String, Option<String>>>,
    #[serde(default)]
    pub(crate) custom_modules: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) crosswalk: Option<OneOrMore>,
    /// Understood while it is read, since defaults may use it.
    #[serde(default, rename = "columns")]
    _columns: Option<BTreeMap<String, String>>,
}

/// One text, or a list of them.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub(crate) fn into_vec(self) -> Vec<String> {
        match self {
            OneOrMore::One(one) => vec![one],
            OneOrMore::More(more) => more,
        }
    }
}

/// The keys of the head, for telling them from mistyped ones.
pub(crate) const HEAD_KEYS: [&str; 7] =
    ["version", "root", "columns", "defaults", "custom_modules", "crosswalk", "uploads"];

/// A manifest of attache: which file or link belongs to which record of Zoho CRM.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Manifest", extend("allOf" = needed_of_each_row()))]
#[expect(dead_code, reason = "only its schema is used; rows are read one by one")]
struct ManifestSchema {
    /// Version of this format.
    #[schemars(extend("const" = 1))]
    version: u64,
    /// Folder inside the manifest's that paths are relative to and may not leave.
    #[serde(default)]
    root: Option<String>,
    /// What rows call a key, by the key: `record: Record Id` has `Record Id` read as `record`. Stands before `defaults`.
    #[serde(default)]
    columns: Option<BTreeMap<String, String>>,
    /// Values for rows that do not give their own.
    #[serde(default)]
    defaults: Option<YamlRowSchema>,
    /// API names of custom modules that rows may name.
    #[serde(default)]
    custom_modules: Option<Vec<ModuleName>>,
    /// Files inside the manifest's folder that say which record each key stands for.
    #[serde(default)]
    crosswalk: Option<OneOrMore>,
    /// One entry for each attachment. Must come last.
    uploads: Option<Vec<YamlRowSchema>>,
}

/// One attachment: a file or a link, and the record it belongs to.
#[derive(JsonSchema)]
#[schemars(
    deny_unknown_fields,
    extend("patternProperties" = { "^x_.": { "$ref": "#/$defs/Text", "description": "Carried into the results." } }),
    extend("not" = { "anyOf": [{ "required": ["file", "url"] }, { "required": ["record", "key"] }] })
)]
#[expect(dead_code, reason = "only its schema is used; rows are read one by one")]
#[schemars(rename = "Row")]
struct YamlRowSchema {
    /// API name of the module, such as Leads or Sales_Orders.
    #[serde(default)]
    module: Option<ModuleName>,
    /// Id of the record: 10 to 19 digits.
    #[serde(default)]
    record: Option<RecordId>,
    /// What the old system calls the record, in place of its id: a crosswalk says which record it stands for.
    #[serde(default)]
    key: Option<Text>,
    /// Path of the file to attach.
    #[serde(default)]
    file: Option<Text>,
    /// Web address to attach as a link.
    #[serde(default)]
    url: Option<Link>,
    /// Name shown in the CRM; the file's own if absent.
    #[serde(default)]
    name: Option<Text>,
    /// SHA-256 of the file: a row whose file has another is not sent.
    #[serde(default)]
    sha256: Option<Sha256>,
    /// MD5 of the file: a row whose file has another is not sent.
    #[serde(default)]
    md5: Option<Md5>,
    /// A remark of yours, carried into the results.
    #[serde(default)]
    note: Option<Text>,
}

/// Declares a type that stands for one schema.
macro_rules! schema_of {
    ($name:ident, $schema:expr) => {
        struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

schema_of!(ModuleName, json_schema!({ "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,63}$" }));
schema_of!(
    RecordId,
    json_schema!({
        "description": "Best quoted: editors and spreadsheets round long numbers.",
        "anyOf": [
            { "type": "string", "pattern": "^\\s*(zcrm_)?[1-9][0-9]{9,18}\\s*$" },
            { "type": "integer", "minimum": 1_000_000_000_u64, "maximum": crate::upload::RecordId::MAX }
        ]
    })
);
schema_of!(Link, json_schema!({ "type": "string", "pattern": "^\\s*[Hh][Tt][Tt][Pp][Ss]?://\\S+\\s*$" }));
schema_of!(Sha256, json_schema!({ "type": "string", "pattern": "^\\s*[0-9A-Fa-f]{64}\\s*$" }));
schema_of!(
    Md5,
    // Digits alone are a number to an editor, and are taken as written.
    json_schema!({ "type": ["string", "integer"], "pattern": "^\\s*[0-9A-Fa-f]{32}\\s*$" })
);
schema_of!(
    Text,
    json_schema!({
        "description": "Taken as written, so numbers and words such as no need no quotes.",
        "type": ["string", "number", "boolean"]
    })
);

/// What each row needs unless the defaults have it.
fn needed_of_each_row() -> serde_json::Value {
    let unless = |default: serde_json::Value, row: serde_json::Value| {
        serde_json::json!({
            "if": { "not": { "required": ["defaults"], "properties": { "defaults": default } } },
            "then": { "properties": { "uploads": { "items": row } } }
        })
    };
    let required = |key: &str| serde_json::json!({ "required": [key] });
    let source = || serde_json::json!({ "anyOf": [required("file"), required("url")] });
    let record = || serde_json::json!({ "anyOf": [required("record"), required("key")] });
    serde_json::json!([
        unless(required("module"), required("module")),
        unless(record(), record()),
        unless(source(), source()),
    ])
}

/// The JSON Schema of a YAML manifest, for editors.
pub fn schema() -> Schema {
    schemars::schema_for!(ManifestSchema)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(manifest: &str) -> Vec<String> {
        let schema = serde_json::to_value(schema()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let manifest: serde_json::Value = serde_yaml::from_str(manifest).unwrap();
        validator.iter_errors(&manifest).map(|error| error.instance_path().to_string()).collect()
    }

    #[test]
    fn the_example_fits_the_schema() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/first/manifest.yaml");
        assert_eq!(errors(&std::fs::read_to_string(path).unwrap()), [""; 0]);
    }

    #[test]
    fn the_schema_takes_what_the_reader_takes() {
        let rows = "
version: 1
root: files
custom_modules: [Site_Visits]
defaults: {module: Leads, x_batch: 7}
uploads:
  - {record: '738964000000291009', file: a.pdf}
  - {record: 738964000000291009, url: 'https://example.com/', name: no, x_old: 2024.10}
  - {module: Deals, record: zcrm_738964000000291009, file: 007, note: null}
";
        assert_eq!(errors(rows), [""; 0]);
    }

    #[test]
    fn the_schema_refuses_what_the_reader_refuses() {
        for (manifest, place) in [
            ("version: 2\nuploads: []", "/version"),
            ("version: 1\nupload: []", ""),
            ("version: 1\nuploads: [{module: Leads, record: '738964000000291009'}]", "/uploads/0"),
            ("version: 1\nuploads: [{module: Leads, record: '12', file: a}]", "/uploads/0/record"),
            ("version: 1\nuploads: [{module: Leads, record: 7389640000.5, file: a}]", "/uploads/0/record"),
            ("version: 1\nuploads: [{record: '738964000000291009', file: a}]", "/uploads/0"),
            ("version: 1\nuploads: [{module: Leads, record: '738964000000291009', file: a, naem: b}]", "/uploads/0"),
            (
                "version: 1\nuploads: [{module: Leads, record: '738964000000291009', file: a, url: 'http://a/'}]",
                "/uploads/0",
            ),
            (
                "version: 1\nuploads: [{module: Sales Orders, record: '738964000000291009', file: a}]",
                "/uploads/0/module",
            ),
        ] {
            assert!(errors(manifest).iter().any(|error| error == place), "{manifest}: {:?}", errors(manifest));
        }
    }
}
