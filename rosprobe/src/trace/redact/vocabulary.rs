//! Words that are the format's own, and nobody's text: the names of variants, each in the fields that have it.
//!
//! Only there: a host may be called `master`, and `stage` has a word of that name too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::Value;

/// References followed into one another.
const DEPTH_LIMIT: usize = 8;

static VOCABULARY: LazyLock<BTreeMap<String, BTreeSet<String>>> = LazyLock::new(|| {
    let schema = super::super::schema();
    let mut vocabulary = BTreeMap::new();
    collect(&schema, &schema, &mut vocabulary);
    vocabulary
});

/// True when a text in the field `key` is one of the words that the format has for that field.
pub(super) fn is_own_word(key: &str, text: &str) -> bool {
    VOCABULARY.get(key).is_some_and(|words| words.contains(text))
}

/// The fields of every object in a schema.
fn collect(schema: &Value, root: &Value, vocabulary: &mut BTreeMap<String, BTreeSet<String>>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(fields)) = object.get("properties") {
                for (key, field) in fields {
                    let mut words = BTreeSet::new();
                    words_of(field, root, DEPTH_LIMIT, &mut words);
                    if !words.is_empty() {
                        vocabulary.entry(key.clone()).or_default().extend(words);
                    }
                }
            }
            object.values().for_each(|value| collect(value, root, vocabulary));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, root, vocabulary)),
        _ => {}
    }
}

/// The words that a field itself may be, or the elements of its list.
fn words_of(field: &Value, root: &Value, depth: usize, words: &mut BTreeSet<String>) {
    let Value::Object(object) = field else { return };
    if let Some(Value::String(word)) = object.get("const") {
        words.insert(word.clone());
    }
    if let Some(Value::Array(list)) = object.get("enum") {
        words.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
    }
    if depth == 0 {
        return;
    }
    let target = object.get("$ref").and_then(Value::as_str).and_then(|path| root.pointer(path.trim_start_matches('#')));
    if let Some(target) = target {
        words_of(target, root, depth - 1, words);
    }
    for key in ["oneOf", "anyOf", "allOf", "prefixItems"] {
        let Some(Value::Array(list)) = object.get(key) else { continue };
        for value in list {
            words_of(value, root, depth - 1, words);
        }
    }
    if let Some(items) = object.get("items") {
        words_of(items, root, depth - 1, words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_formats_own_only_in_its_field() {
        for (key, word, own) in [
            ("stage", "master", true),
            ("kind", "connect-failed", true),
            ("direction", "sent", true),
            ("source", "packet-capture", true),
            ("severity", "error", true),
            ("host", "master", false),
            ("user", "sent", false),
            ("ROS_HOSTNAME", "master", false),
            ("comm", "error", false),
        ] {
            assert_eq!(is_own_word(key, word), own, "{key} {word}");
        }
    }
}
