//! The trace file: what is written is read again, whole or damaged.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::io::Write;
use std::path::Path;

use rosprobe::event::{Clock, Monotonic};
use rosprobe::observation::Observation;
use rosprobe::session::Session;
use rosprobe::trace::{self, Meta, OpenError, Opened, Recorder, Source, WriteError};

fn meta() -> Meta {
    Meta::here(Source::Live, Clock { zero: "2026-11-21T06:00:00Z".parse().unwrap() }, Monotonic(1_000))
}

/// A document written by the first version of the format: a subscriber whose connect to the publisher is refused.
const VERSION_1: &str = include_str!("fixtures/trace/version-1.json");

fn observations() -> Vec<Observation> {
    open_text(VERSION_1.as_bytes()).unwrap().session.history().iter().cloned().collect()
}

/// A session that has seen these observations and then a minute.
fn session(observations: &[Observation]) -> Session {
    let mut session = Session::default();
    observations.iter().cloned().for_each(|observation| session.observe(observation));
    session.advance(Monotonic(60_000_000_000));
    session
}

fn record(recorder: &mut Recorder, observations: &[Observation]) {
    for observation in observations {
        recorder.observation(observation);
    }
}

fn open(path: &Path) -> Opened {
    trace::open(path, &mut |_| {}).unwrap()
}

fn open_text(text: &[u8]) -> Result<Opened, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, text).unwrap();
    trace::open(&path, &mut |_| {}).map_err(|error| error.to_string())
}

fn text(meta: &Meta, session: &Session) -> String {
    trace::document_to_string(meta, session).unwrap()
}

#[test]
fn files_of_version_1_open_for_ever() {
    let opened = open_text(VERSION_1.as_bytes()).unwrap();
    assert_eq!(opened.missing, Vec::<String>::new());
    assert_eq!(opened.session.history().len(), 11);
    assert_eq!(opened.meta.host.as_deref(), Some("outer"));
}

#[test]
fn a_document_that_is_opened_and_written_again_is_the_same_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.json", "a.json.gz"] {
        let path = folder.path().join(name);
        let session = session(&observations());
        trace::write_document(&path, trace::Existing::Keep, &meta(), &session).unwrap();
        let opened = open(&path);
        assert_eq!(opened.missing, Vec::<String>::new());
        assert_eq!(opened.session.findings(), session.findings());
        assert_eq!(opened.session.history(), session.history());
        assert_eq!(text(&opened.meta, &opened.session), text(&meta(), &session));
    }
}

#[test]
fn a_recording_gives_the_same_document_as_the_session_that_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.jsonl", "a.jsonl.gz"] {
        let path = folder.path().join(name);
        let mut recorder = Recorder::create(&path, meta()).unwrap();
        let mut session = Session::default();
        for observation in observations() {
            recorder.observation(&observation);
            session.observe(observation);
        }
        session.advance(Monotonic(60_000_000_000));
        recorder.finish(session.graph().now(), session.findings(), 0).unwrap();
        let opened = open(&path);
        assert_eq!(opened.missing, Vec::<String>::new());
        assert_eq!(text(&opened.meta, &opened.session), text(&meta(), &session));
    }
}

#[test]
fn what_was_flushed_is_there_when_the_recorder_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.jsonl", "a.jsonl.gz"] {
        let path = folder.path().join(name);
        let mut recorder = Recorder::create(&path, meta()).unwrap();
        let all = observations();
        let (first, rest) = all.split_at(all.len() / 2);
        record(&mut recorder, first);
        recorder.flush(Monotonic(50_000_000_000), &[], 0).unwrap();
        record(&mut recorder, rest);
        // As kill -9 does: nothing is written any more.
        std::mem::forget(recorder);
        let opened = open(&path);
        assert_eq!(opened.session.history().len(), first.len());
        assert_eq!(opened.meta.end, Monotonic(50_000_000_000));
        assert!(opened.missing.iter().any(|sentence| sentence.contains("not ended in order")), "{:?}", opened.missing);
    }
}

#[test]
fn a_recording_cut_anywhere_opens_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let mut recorder = Recorder::create(&path, meta()).unwrap();
    let all = observations();
    record(&mut recorder, &all);
    recorder.finish(Monotonic(60_000_000_000), &[], 0).unwrap();
    let bytes = fs::read(&path).unwrap();
    let head = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for end in head..bytes.len() - 1 {
        let opened = open_text(&bytes[..end]).unwrap();
        // Only the line end may be missing.
        let whole_lines = bytes[..=end].split(|byte| *byte == b'\n').count() - 2;
        assert_eq!(opened.session.history().len(), whole_lines.min(all.len()), "cut at {end}");
        assert!(!opened.missing.is_empty());
    }
}

#[test]
fn a_document_cut_anywhere_opens_as_far_as_it_goes() {
    let all = observations();
    let bytes = text(&meta(), &session(&all)).into_bytes();
    let mut most = 0;
    for end in 1..bytes.len() - 2 {
        match open_text(&bytes[..end]) {
            Ok(opened) => {
                assert!(!opened.missing.is_empty(), "cut at {end}");
                assert!(opened.session.history().len() >= most, "cut at {end}");
                most = opened.session.history().len();
            }
            Err(error) => assert_eq!(most, 0, "cut at {end}: {error}"),
        }
    }
    assert_eq!(most, all.len());
}

#[test]
fn one_damaged_byte_costs_one_observation() {
    let all = observations();
    let bytes = text(&meta(), &session(&all)).into_bytes();
    let list = bytes.windows(14).position(|window| window == b"\"observations\"").unwrap();
    let end = bytes.windows(10).position(|window| window == b"\"findings\"").unwrap();
    let first_line = list + bytes[list..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for at in (first_line..end - 3).step_by(7) {
        for byte in [b'\0', b'"', b'{', 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = byte;
            let opened = open_text(&damaged).unwrap();
            let left = opened.session.history().len();
            assert!(left + 2 >= all.len(), "byte {at} as {byte}: {left} of {} left, {:?}", all.len(), opened.missing);
            assert!(left == all.len() || !opened.missing.is_empty(), "byte {at} as {byte}");
        }
    }
}

#[test]
fn a_document_that_jq_has_rewritten_opens() {
    let all = observations();
    let value: serde_json::Value = serde_json::from_str(&text(&meta(), &session(&all))).unwrap();
    for rewritten in [serde_json::to_string_pretty(&value).unwrap(), value.to_string()] {
        let opened = open_text(rewritten.as_bytes()).unwrap();
        assert_eq!(opened.missing, Vec::<String>::new());
        assert_eq!(text(&opened.meta, &opened.session), text(&meta(), &session(&all)));
    }
}

#[test]
fn a_file_that_is_no_trace_says_what_it_is() {
    for (bytes, expected) in [
        (&b""[..], "this is an empty file"),
        (b"\x7fELF\x02\x01\x01", "this is an ELF program or library"),
        (b"#ROSBAG V2.0\nxx", "this is a ROS 1 bag"),
        (b"[1, 2]", "this is JSON, but no object"),
        (b"{}", "this is an empty JSON object"),
        (b"{\"name\": \"x\", \"version\": 3}", "a JSON object of something else (with the keys \"name\", \"version\")"),
        (b"{ this is no JSON", "this is no readable JSON"),
        (b"Dear diary", "this is text, and no JSON"),
        (
            b"{\"rosprobe_trace\": 2, \"meta\": {}}",
            "this trace is of version 2, and this rosprobe reads versions up to 1",
        ),
        (b"{\"rosprobe_trace\": 0}", "of version 0, which never was"),
        (b"\xd4\xc3\xb2\xa1\x02\0", "this packet capture cannot be read: its header is cut; copy or record it again"),
    ] {
        let error = open_text(bytes).unwrap_err();
        assert!(error.contains(expected), "{error}");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(bytes).unwrap();
        let error = open_text(&gzip.finish().unwrap()).unwrap_err();
        assert!(error.contains(expected), "in gzip: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(
        matches!(trace::open(folder.path(), &mut |_| {}), Err(OpenError::NotATrace { found }) if found == "a folder")
    );
    assert!(matches!(trace::open(&folder.path().join("none"), &mut |_| {}), Err(OpenError::Io(_))));
}

#[test]
fn a_recording_is_never_written_over_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    fs::write(&path, "mine").unwrap();
    let error = Recorder::create(&path, meta()).unwrap_err();
    assert!(matches!(error, WriteError::Exists { .. }));
    assert!(error.to_string().contains("choose another name"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

/// What a finding is about, without what depends on how often it was seen.
fn gists(opened: &Opened) -> std::collections::BTreeSet<String> {
    let findings = opened.session.findings().iter();
    findings.map(|finding| format!("{:?} {:?} {:?}", finding.code, finding.topic, finding.errno)).collect()
}

#[test]
fn a_damaged_line_makes_no_false_alarm() {
    for name in ["healthy.json.gz", "no-route.json.gz"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/trace").join(name);
        let whole = open(&path);
        let truth = gists(&whole);
        let mut recording = String::new();
        std::io::Read::read_to_string(
            &mut flate2::read::GzDecoder::new(fs::File::open(&path).unwrap()),
            &mut recording,
        )
        .unwrap();
        let lines: Vec<&str> = recording.lines().collect();
        for damaged in (1..lines.len()).step_by(13) {
            let mut lines = lines.clone();
            lines[damaged] = "{\"observation\":{\"id\":";
            let opened = open_text(lines.join("\n").as_bytes()).unwrap();
            let found = gists(&opened);
            assert!(found.is_subset(&truth), "{name} without line {}: {found:?}", damaged + 1);
            assert!(!opened.missing.is_empty() && opened.session.forgotten() > 0);
            // The same once it was written again and its damage is no longer to be seen.
            let again = open_text(text(&opened.meta, &opened.session).as_bytes()).unwrap();
            assert_eq!(gists(&again), found, "{name} without line {}", damaged + 1);
        }
    }
}
