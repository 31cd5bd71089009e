//! Two captures of one trouble, taken on two hosts, are one.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rosprobe::event::Monotonic;
use rosprobe::observation::{ObservationId, What};
use rosprobe::trace::{self, Opened};

fn open(name: &str) -> (PathBuf, Opened) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ros1/pcap").join(name);
    let opened = trace::open(&path, &mut |_| {}).unwrap();
    (path, opened)
}

fn codes(opened: &Opened) -> BTreeSet<String> {
    opened.session.findings().iter().map(|finding| format!("{:?} {:?}", finding.code, finding.topic)).collect()
}

fn connections(opened: &Opened) -> usize {
    opened.session.history().iter().filter(|observation| matches!(observation.what, What::ConnectStarted)).count()
}

#[test]
fn a_connection_that_both_saw_is_there_once() {
    let (outer, router) = (open("s02_reject_rst_roscpp-outer.pcap"), open("s02_reject_rst_roscpp-router.pcap"));
    let (seen_outer, seen_router) = (connections(&outer.1), connections(&router.1));
    let joined = trace::join(vec![outer, router]).unwrap();
    assert!(seen_outer > 0);
    assert_eq!(connections(&joined), seen_router, "the router sees everything that outer sees");
    assert!(codes(&joined).contains("ConnectFailed Some(\"/some/topic\")"), "{:?}", codes(&joined));
    assert_eq!(joined.missing, Vec::<String>::new());
    let ids: Vec<ObservationId> = joined.session.history().iter().map(|observation| observation.id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).map(ObservationId).collect::<Vec<_>>());
}

#[test]
fn a_clock_that_is_wrong_is_set_right_by_the_handshakes() {
    let names = ["s02_reject_rst_roscpp-outer.pcap", "s02_reject_rst_roscpp-router.pcap"];
    let right = trace::join(names.map(open).into()).unwrap();
    let mut files = names.map(open);
    let clock = &mut files[1].1.meta.clock;
    clock.zero += jiff::SignedDuration::from_hours(2);
    let joined = trace::join(files.into()).unwrap();
    assert_eq!(joined.missing, Vec::<String>::new());
    assert_eq!(joined.session.history().len(), right.session.history().len());
    assert_eq!(codes(&joined), codes(&right));
    assert!(joined.meta.end < Monotonic(3_600_000_000_000), "{:?}", joined.meta.end);
}

#[test]
fn files_without_a_common_connection_say_so() {
    let joined = trace::join(vec![open("s01_inner_works-inner.pcap"), open("s06_md5-outer.pcap")]).unwrap();
    assert!(joined.missing.iter().any(|sentence| sentence.contains("could not be checked")), "{:?}", joined.missing);
}

#[test]
fn a_capture_without_a_packet_says_nothing_of_the_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.pcap");
    let (whole, _) = open("s06_md5-outer.pcap");
    std::fs::write(&path, &std::fs::read(whole).unwrap()[..24]).unwrap();
    let empty = || (path.clone(), trace::open(&path, &mut |_| {}).unwrap());
    let alone = open("s06_md5-outer.pcap").1;
    for files in [vec![open("s06_md5-outer.pcap"), empty()], vec![empty(), open("s06_md5-outer.pcap")]] {
        let joined = trace::join(files).unwrap();
        assert_eq!((joined.meta.started, joined.meta.duration_ns), (alone.meta.started, alone.meta.duration_ns));
        assert_eq!(joined.session.findings().len(), alone.session.findings().len());
        assert!(joined.missing.iter().any(|sentence| sentence.contains("no packet")), "{:?}", joined.missing);
    }
    assert!(trace::join(vec![empty(), empty()]).unwrap().session.history().is_empty());
}

#[test]
fn a_joined_trace_opens_with_the_same_findings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("joined.json");
    let joined = trace::join(vec![open("s06_stale-outer.pcap"), open("s06_stale-router.pcap")]).unwrap();
    trace::write_document(&path, trace::Existing::Keep, &joined.meta, &joined.session).unwrap();
    let again = trace::open(&path, &mut |_| {}).unwrap();
    assert_eq!(again.session.findings(), joined.session.findings());
}
