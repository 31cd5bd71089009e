//! Redaction leaves no original value, and the same diagnosis.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rosprobe::diagnosis::Finding;
use rosprobe::trace::{self, Opened};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn open(path: &Path) -> Opened {
    trace::open(path, &mut |_| {}).unwrap()
}

fn text(opened: &Opened) -> String {
    trace::document_to_string(&opened.meta, &opened.session).unwrap()
}

/// What a finding says without names and addresses.
fn gist(finding: &Finding) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?} {}",
        finding.code, finding.severity, finding.stage, finding.errno, finding.topic, finding.count
    )
}

fn gists(opened: &Opened) -> Vec<String> {
    let mut gists: Vec<String> = opened.session.findings().iter().map(gist).collect();
    gists.sort();
    gists
}

/// Addresses in dotted notation that say something about somebody.
fn addresses(text: &str) -> BTreeSet<IpAddr> {
    text.split(|character: char| !character.is_ascii_digit() && character != '.')
        .filter_map(|word| word.trim_matches('.').parse().ok())
        .filter(|address: &IpAddr| !address.is_loopback() && !address.is_unspecified())
        .collect()
}

#[test]
fn no_original_value_is_left() {
    let opened = open(&fixtures().join("trace/version-1.json"));
    let before = text(&opened);
    let after = text(&trace::redact(&opened));
    for original in ["outer", "router", "mia", "hunter2", "192.168.50", "10.0.1", "0.30000000000000004"] {
        assert!(before.contains(original), "{original} is in the original");
        assert!(!after.contains(original), "{original} is left:\n{after}");
    }
    for kept in ["/some/topic", "registerSubscriber", "ECONNREFUSED", ":11311", "rostopic", "\"redacted\":true"] {
        assert!(after.contains(kept), "{kept} is gone:\n{after}");
    }
}

#[test]
fn no_address_of_a_real_capture_is_left_and_the_findings_are_the_same() {
    for entry in std::fs::read_dir(fixtures().join("ros1/pcap")).unwrap() {
        let path = entry.unwrap().path();
        let opened = open(&path);
        let redacted = trace::redact(&opened);
        let (before, after) = (text(&opened), text(&redacted));
        for address in addresses(&before) {
            assert!(!after.contains(&address.to_string()), "{address} is left of {}", path.display());
        }
        assert_eq!(opened.session.history().len(), redacted.session.history().len());
        assert_eq!(gists(&opened), gists(&redacted), "{}", path.display());
    }
}

#[test]
fn redacting_twice_says_the_same() {
    let opened = open(&fixtures().join("trace/version-1.json"));
    assert_eq!(text(&trace::redact(&opened)), text(&trace::redact(&opened)));
}

#[test]
fn a_redacted_trace_opens_with_the_findings_that_it_was_written_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    let redacted = trace::redact(&open(&fixtures().join("ros1/pcap/s02_reject_rst_roscpp-outer.pcap")));
    trace::write_document(&path, trace::Existing::Keep, &redacted.meta, &redacted.session).unwrap();
    let again = open(&path);
    assert_eq!(again.session.findings(), redacted.session.findings());
    assert_eq!(text(&again), text(&redacted));
}
