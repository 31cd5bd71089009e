//! The JSON Schema of the format, made from the types.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::document::{Document, Line, RecordingHead, VERSION};

/// The schema of documents; lines of recordings are `#/$defs/RecordingHead` and `#/$defs/Line`.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    // Naming them puts them, and what they need, among the definitions.
    generator.subschema_for::<Line>();
    generator.subschema_for::<RecordingHead>();
    let mut schema = generator.into_root_schema_for::<Document>().to_value();
    schema["title"] = json!("rosprobe trace");
    schema["$id"] =
        json!(format!("https://github.com/rosprobe/rosprobe/blob/main/rosprobe/schema/trace-{VERSION}.json"));
    schema["properties"]["rosprobe_trace"] = json!({ "const": VERSION, "description": "Version of the format." });
    schema
}
