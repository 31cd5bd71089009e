//! The committed schema is the one of the types, every trace obeys it, and it never changes without its version.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use rosprobe::event::{Clock, Monotonic};
use rosprobe::trace::{self, Meta, Opened, Recorder, Source, VERSION};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schema")
}

fn committed() -> Value {
    serde_json::from_str(&fs::read_to_string(folder().join(format!("trace-{VERSION}.json"))).unwrap()).unwrap()
}

fn digest(text: &str) -> String {
    use std::fmt::Write;
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

/// `ROSPROBE_BLESS=1 cargo test -p rosprobe --test schema` writes the schema of a new version;
/// `ROSPROBE_BLESS=unreleased` that of a version of which no file is in anybody's hands yet.
#[test]
fn the_committed_schema_is_that_of_the_types() {
    let text = serde_json::to_string_pretty(&trace::schema()).unwrap() + "\n";
    let (schema, digests) = (folder().join(format!("trace-{VERSION}.json")), folder().join("digests.txt"));
    let bless = std::env::var("ROSPROBE_BLESS").unwrap_or_default();
    let known = fs::read_to_string(&digests).unwrap_or_default();
    let line = format!("trace-{VERSION}.json {}\n", digest(&text));
    let other_versions = || known.lines().filter(|line| !line.starts_with(&format!("trace-{VERSION}.json ")));
    let is_new = other_versions().count() == known.lines().count();
    if bless == "unreleased" || (bless == "1" && is_new) {
        let kept: Vec<&str> = other_versions().chain([line.trim_end()]).collect();
        fs::write(&digests, kept.join("\n") + "\n").unwrap();
        fs::write(&schema, &text).unwrap();
        return;
    }
    assert!(
        known.contains(&line),
        "The format has changed, and files of version {VERSION} exist. Raise trace::VERSION, teach the reader to \
         read the older version, and bless the new schema: ROSPROBE_BLESS=1 cargo test -p rosprobe --test schema. \
         (Only before version {VERSION} is first released: ROSPROBE_BLESS=unreleased.)"
    );
    assert_eq!(fs::read_to_string(&schema).unwrap(), text, "schema/trace-{VERSION}.json is not what the types say");
}

#[test]
fn every_committed_schema_is_the_one_that_was_released() {
    let digests = fs::read_to_string(folder().join("digests.txt")).unwrap();
    assert_eq!(digests.lines().count(), VERSION as usize, "one line for each version");
    for line in digests.lines() {
        let (name, expected) = line.split_once(' ').unwrap();
        assert_eq!(digest(&fs::read_to_string(folder().join(name)).unwrap()), expected, "{name} was changed");
    }
}

fn assert_valid(validator: &Validator, instance: &Value, what: &str) {
    let errors: Vec<String> = validator
        .iter_errors(instance)
        .take(5)
        .map(|error| {
            format!("{} at {}", error.to_string().chars().take(300).collect::<String>(), error.instance_path())
        })
        .collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}");
}

/// All packet captures, and the trace of the oldest version.
fn files() -> Vec<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut files = vec![fixtures.join("trace/version-1.json")];
    for folder in ["ros1/pcap", "ros2"] {
        files.extend(fs::read_dir(fixtures.join(folder)).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "pcap" || extension == "json"));
    files.sort();
    files
}

fn open(path: &Path) -> Opened {
    trace::open(path, &mut |_| {}).unwrap()
}

fn text(opened: &Opened) -> String {
    trace::document_to_string(&opened.meta, &opened.session).unwrap()
}

fn is_valid(validator: &Validator, text: &str, what: &str, path: &Path) {
    assert_valid(validator, &serde_json::from_str(text).unwrap(), &format!("{what} {}", path.display()));
}

#[test]
fn every_trace_obeys_the_schema_also_redacted_compressed_and_of_a_damaged_file() {
    let validator = jsonschema::validator_for(&committed()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for path in files() {
        let opened = open(&path);
        let whole = text(&opened);
        is_valid(&validator, &whole, "whole", &path);
        is_valid(&validator, &text(&trace::redact(&opened)), "redacted", &path);
        let compressed = folder.path().join(path.with_extension("json.gz").file_name().unwrap());
        trace::write_document(&compressed, trace::Existing::Keep, &opened.meta, &opened.session).unwrap();
        let mut unpacked = String::new();
        let file = fs::File::open(&compressed).unwrap();
        flate2::read::GzDecoder::new(file).read_to_string(&mut unpacked).unwrap();
        assert!(unpacked == whole, "{}", compressed.display());
        let salvaged = trace::open_bytes(&whole.as_bytes()[..whole.len() * 2 / 3]).unwrap();
        assert!(!salvaged.missing.is_empty());
        is_valid(&validator, &text(&salvaged), "salvaged", &path);
    }
}

#[test]
fn joined_traces_obey_the_schema() {
    let validator = jsonschema::validator_for(&committed()).unwrap();
    let files = files();
    for outer in files.iter().filter(|path| path.to_string_lossy().ends_with("-outer.pcap")) {
        let router = PathBuf::from(outer.to_string_lossy().replace("-outer", "-router"));
        let joined = trace::join([outer.clone(), router].map(|path| (path.clone(), open(&path))).into()).unwrap();
        is_valid(&validator, &text(&joined), "joined", outer);
    }
}

#[test]
fn every_line_of_a_recording_obeys_the_schema() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ros1/pcap/s02_loopback_roscpp-outer.pcap");
    let opened = trace::open(&capture, &mut |_| {}).unwrap();
    let meta = Meta::here(Source::Live, Clock { zero: jiff::Timestamp::UNIX_EPOCH }, Monotonic(0));
    let mut recorder = Recorder::create(&path, meta).unwrap();
    for observation in opened.session.history() {
        recorder.observation(observation);
    }
    recorder.flush(Monotonic(1), opened.session.findings(), 0).unwrap();
    recorder.finish(Monotonic(2), opened.session.findings(), 0).unwrap();
    let part = |name: &str| {
        let mut schema = committed();
        let object = schema.as_object_mut().unwrap();
        object.retain(|key, _| key == "$schema" || key == "$defs");
        object.insert("$ref".to_owned(), format!("#/$defs/{name}").into());
        schema
    };
    let [head, line] = ["RecordingHead", "Line"].map(|name| jsonschema::validator_for(&part(name)).unwrap());
    let text = fs::read_to_string(&path).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    assert_valid(&head, &serde_json::from_str(first).unwrap(), first);
    for text in rest.lines() {
        assert!(line.is_valid(&serde_json::from_str(text).unwrap()), "{text}");
    }
}

#[test]
fn the_schema_refuses_what_is_no_trace() {
    let validator = jsonschema::validator_for(&committed()).unwrap();
    for text in ["{}", r#"{"rosprobe_trace": 2}"#, "[]"] {
        assert!(!validator.is_valid(&serde_json::from_str(text).unwrap()), "{text}");
    }
}
