//! Redaction leaves no original value, and the same diagnosis.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use rosprobe::diagnosis::Finding;
use rosprobe::observation::What;
use rosprobe::observation::dds::Dds;
use rosprobe::trace::{self, Opened};
use serde_json::Value;

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

/// What hides in texts: in paths, names, command lines, messages, and in words that the format has as well.
#[test]
fn nothing_is_left_in_places_where_nobody_looks() {
    let arguments = [
        "/media/kim4/ws/node.py",
        "__log:=/var/log/ros/3ee4c1f2-1f2a-11ee-9d3c-0242ac110002/talker-1.log",
        "__ip:=10.9.8.7",
        "scp:ole@fileserver.lab.example:/x",
        "--api-token=abcd99",
        "http://bob4:geheim7@camhost:80/",
        "/tmp/cam_172.20.0.9_raw",
    ];
    let hidden = std::fs::read_to_string(fixtures().join("trace/version-1.json"))
        .unwrap()
        .replace(r#""echo","/some/topic""#, format!("{arguments:?}").trim_matches(['[', ']']))
        .replace(r#""key":"/secret""#, r#""key":"/roslaunch/uris/host_192_168_50_2__41235""#)
        .replace(
            r#"{"ROS_MASTER_URI":"http://router:11311"}"#,
            r#"{"ROS_MASTER_URI":"http://router:11311","ROS_HOSTNAME":"master","ROS_LOG_DIR":"/srv/02-42-AC-11-00-09"}"#,
        )
        .replace(
            "Subscribed to [/some/topic]",
            "Subscribed to [/some/topic] at fe80::42:acff:fe11:2%eth0, [::ffff:10.1.2.3]:80, mac=02:42:ac:11:00:08",
        );
    let opened = trace::open_bytes(hidden.as_bytes()).unwrap();
    let redacted = trace::redact(&opened);
    let (before, after) = (text(&opened), text(&redacted));
    for original in [
        "kim4",
        "0242ac110002",
        "10.9.8.7",
        "ole@",
        "fileserver",
        "lab.example",
        "abcd99",
        "bob4",
        "geheim7",
        "camhost",
        "172.20.0.9",
        "192_168_50_2",
        "ROS_HOSTNAME\":\"master",
        "02-42-AC",
        "42:acff",
        "10.1.2.3",
        "02:42:ac",
    ] {
        assert!(before.contains(original), "{original} is in the original");
        assert!(!after.contains(original), "{original} is left:\n{after}");
    }
    for kept in ["/roslaunch/uris/host_192_168_", "__41235", "talker-1.log", "\"stage\":\"master\""] {
        assert!(after.contains(kept), "{kept} is gone:\n{after}");
    }
    assert_eq!(gists(&opened), gists(&redacted));
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

/// Every string in a document.
fn strings<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(list) => list.iter().for_each(|value| strings(value, found)),
        Value::Object(object) => object.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}

/// The addresses that say something about somebody, from an address or an address with a port.
fn telling_addresses(texts: &[&str]) -> BTreeSet<IpAddr> {
    let address = |text: &&str| text.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    let telling = |ip: &IpAddr| !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast();
    texts.iter().filter_map(address).filter(telling).collect()
}

/// Prefixes of GUIDs, in which implementations put addresses, numbers of hosts and process ids.
fn prefixes<'a>(texts: &[&'a str]) -> BTreeSet<&'a str> {
    let words = texts.iter().flat_map(|text| text.split(|character: char| !character.is_ascii_alphanumeric()));
    words.filter(|word| word.len() == 24 && word.bytes().all(|byte| byte.is_ascii_hexdigit())).collect()
}

/// What Fast DDS and Cyclone DDS tell about the machine of a participant, with its parts.
fn host_properties(opened: &Opened) -> BTreeSet<String> {
    let mut hosts = BTreeSet::new();
    for observation in opened.session.history() {
        if let What::Dds(Dds::ParticipantAnnounced { participant, .. }) = &observation.what
            && let Some(host) = &participant.host
        {
            hosts.extend(host.split(':').map(str::to_owned));
            hosts.insert(host.clone());
        }
    }
    hosts
}

#[test]
fn no_host_and_no_address_of_a_ros_2_capture_is_left_and_the_findings_are_the_same() {
    let mut hosts = 0;
    for entry in std::fs::read_dir(fixtures().join("ros2")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "pcap") {
            continue;
        }
        let opened = open(&path);
        let redacted = trace::redact(&opened);
        let (before, after) = (text(&opened), text(&redacted));
        let (before_json, after_json): (Value, Value) =
            (serde_json::from_str(&before).unwrap(), serde_json::from_str(&after).unwrap());
        let (mut texts_before, mut texts_after) = (Vec::new(), Vec::new());
        strings(&before_json, &mut texts_before);
        strings(&after_json, &mut texts_after);
        let (own, placeholders) = (telling_addresses(&texts_before), telling_addresses(&texts_after));
        assert!(!own.is_empty() && own.is_disjoint(&placeholders), "{}: {own:?}", path.display());
        assert_eq!(own.len(), placeholders.len(), "as many hosts as before in {}", path.display());
        for address in own {
            let left = texts_after.iter().find(|text| text.contains(&address.to_string()));
            assert_eq!(left, None, "{address} is left of {}", path.display());
        }
        for host in host_properties(&opened) {
            hosts += 1;
            let is_word = |character: char| character.is_alphanumeric() || character == '_';
            let left = texts_after.iter().find(|text| text.split(|at| !is_word(at)).any(|word| word == host));
            assert_eq!(left, None, "{host} is left of {}", path.display());
        }
        let (before, after) = (prefixes(&texts_before), prefixes(&texts_after));
        assert!(!before.is_empty() && before.is_disjoint(&after), "{}: {before:?}", path.display());
        assert_eq!(before.len(), after.len(), "as many participants as before in {}", path.display());
        let vendors = |prefixes: &BTreeSet<&str>| {
            let mut vendors: Vec<String> = prefixes.iter().map(|prefix| prefix[..4].to_owned()).collect();
            vendors.sort();
            vendors
        };
        assert_eq!(vendors(&before), vendors(&after), "{}", path.display());
        assert_eq!(opened.session.history().len(), redacted.session.history().len());
        assert_eq!(gists(&opened), gists(&redacted), "{}", path.display());
    }
    assert!(hosts > 0, "some participants name their machine");
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
