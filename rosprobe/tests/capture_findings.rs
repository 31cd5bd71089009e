//! Real captures give the findings of what was wrong when they were taken, and no other.

#![expect(clippy::unwrap_used, reason = "a test whose data cannot be read has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use rosprobe::diagnosis::Finding;

/// What each capture shows: how many findings (one for each client), then severity, code, stage, errno, address and subject.
///
/// A connect that fails at once, for want of a route or of an address for a name, sends no packet: no errno is known there. What was
/// wrong with `s03_reverse_noroute` happened at the master, and nothing of it reached outer. In `s05_protocol` the publisher of
/// `/cpp/topic` and `/talker` unregister while router is still captured, and what a publisher was asked before it left is history.
const CAPTURES: &[(&str, &[&str])] = &[
    ("s01_inner_works-inner", &[]),
    ("s01_inner_works-router", &[]),
    ("s02_badname_rospy-outer", &["3 error name-unresolved xmlrpc - robot-internal:44039 /some/topic"]),
    ("s02_badname_rospy-router", &["3 error name-unresolved xmlrpc - robot-internal:44039 /some/topic"]),
    (
        "s02_drop_rospy-outer",
        &[
            "3 error connect-abandoned xmlrpc - 10.0.1.1:35621 /some/topic",
            "1 error service-unreachable service - 10.0.1.1:50703 /rosout/get_loggers",
            "1 error service-unreachable service - 10.0.1.1:50703 /rosout/set_logger_level",
        ],
    ),
    (
        "s02_drop_rospy-router",
        &[
            "3 error connect-abandoned xmlrpc - 10.0.1.1:35621 /some/topic",
            "1 error service-unreachable service - 10.0.1.1:50703 /rosout/get_loggers",
            "1 error service-unreachable service - 10.0.1.1:50703 /rosout/set_logger_level",
        ],
    ),
    ("s02_loopback_roscpp-outer", &["1 error loopback-advertised xmlrpc - 127.0.0.1:40707 /some/topic"]),
    ("s02_loopback_roscpp-router", &["1 error loopback-advertised xmlrpc - 127.0.0.1:40707 /some/topic"]),
    ("s02_noroute_rospy-outer", &["3 error never-attempted xmlrpc - 10.0.1.1:42659 /some/topic"]),
    ("s02_noroute_rospy-router", &["3 error never-attempted xmlrpc - 10.0.1.1:42659 /some/topic"]),
    ("s02_reject_rst_roscpp-outer", &["1 error connect-failed xmlrpc ECONNREFUSED 10.0.1.1:45149 /some/topic"]),
    ("s02_reject_rst_roscpp-router", &["1 error connect-failed xmlrpc ECONNREFUSED 10.0.1.1:45149 /some/topic"]),
    ("s03_reverse_noroute-outer", &[]),
    (
        "s03_reverse_noroute-router",
        &[
            "1 error callback-failed callback - 10.9.9.9:35001 /some/topic",
            // Over when the listener, which publishes it, unregistered.
            "1 error never-attempted xmlrpc - 10.9.9.9:35001 /rosout",
        ],
    ),
    ("s04_gzip-router", &[]),
    (
        "s05_protocol-inner",
        &[
            "1 error call-failed master - 10.0.1.1:11311 /me",
            "1 error call-failed request-topic - 10.0.1.1:33475 /cpp/topic",
            "1 error call-failed request-topic - 10.0.1.1:33475 /some/topic",
            "1 error call-failed request-topic - 10.0.1.1:43497 /cpp/topic",
            "1 error call-failed request-topic - 10.0.1.1:43497 /nope",
            "1 error call-failed request-topic - 10.0.1.1:43497 /some/topic",
            "1 error header-refused header - 10.0.1.1:37213 /some/topic",
            "1 error header-refused header - 10.0.1.1:53179 /rosout_agg",
            "1 error no-response request-topic - 10.0.1.1:33475 /cpp/topic",
        ],
    ),
    (
        "s05_protocol-router",
        &[
            "1 error call-failed master - 10.0.1.1:11311 /me",
            "1 error call-failed request-topic - 10.0.1.1:33475 /some/topic",
            "1 error call-failed request-topic - 10.0.1.1:43497 /cpp/topic",
            "1 error call-failed request-topic - 10.0.1.1:43497 /nope",
            "1 error header-refused header - 10.0.1.1:37213 /some/topic",
            "1 error header-refused header - 10.0.1.1:53179 /rosout_agg",
            "1 error no-response request-topic - 10.0.1.1:33475 /cpp/topic",
        ],
    ),
    (
        "s06_md5-outer",
        &[
            "1 error header-refused header - 192.168.50.1:35857 /some/topic",
            "1 error header-refused header - 192.168.50.1:43701 /rosout_agg",
        ],
    ),
    (
        "s06_md5-router",
        &[
            "1 error header-refused header - 192.168.50.1:35857 /some/topic",
            "1 error header-refused header - 192.168.50.1:43701 /rosout_agg",
        ],
    ),
    (
        "s06_service_bad-outer",
        &[
            "1 error service-unreachable service - 10.0.1.1:34097 /do_it",
            "1 error service-unreachable service - 10.0.1.1:40111 /cpp_do_it",
        ],
    ),
    (
        "s06_service_bad-router",
        &[
            "1 error service-unreachable service - 10.0.1.1:34097 /do_it",
            "1 error service-unreachable service - 10.0.1.1:40111 /cpp_do_it",
        ],
    ),
    (
        "s06_stale-outer",
        &[
            "2 error connect-failed xmlrpc ECONNREFUSED 192.168.50.1:42105 /some/topic",
            "1 error service-unreachable service ECONNREFUSED 192.168.50.1:32867 /talker/get_loggers",
            "1 error service-unreachable service ECONNREFUSED 192.168.50.1:32867 /talker/set_logger_level",
        ],
    ),
    (
        "s06_stale-router",
        &[
            "1 error connect-failed tcpros ECONNREFUSED 192.168.50.1:32867 /rosout",
            "2 error connect-failed xmlrpc ECONNREFUSED 192.168.50.1:42105 /some/topic",
            "1 error service-unreachable service ECONNREFUSED 192.168.50.1:32867 /talker/get_loggers",
            "1 error service-unreachable service ECONNREFUSED 192.168.50.1:32867 /talker/set_logger_level",
        ],
    ),
    ("s07_udpros-inner", &[]),
    ("s07_udpros-router", &[]),
];

/// Everything that `rosprobe report` finds in a capture, of any severity.
fn findings(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ros1/pcap").join(name).with_extension("pcap");
    let report = Command::new(env!("CARGO_BIN_EXE_rosprobe")).args(["report", "--format", "json"]).arg(path).output();
    let report: serde_json::Value = serde_json::from_slice(&report.unwrap().stdout).unwrap();
    let findings: Vec<Finding> = serde_json::from_value(report["findings"].clone()).unwrap();
    let mut kinds = BTreeMap::<String, usize>::new();
    for finding in &findings {
        let severity = serde_json::to_value(finding.severity).unwrap();
        let stage = finding.stage.map_or("-", |stage| stage.word());
        let errno = finding.errno.map_or("-".into(), |errno| errno.to_string());
        let subject = [&finding.topic, &finding.service, &finding.node].into_iter().find_map(Option::as_deref);
        let (code, address) = (finding.code.word(), finding.address.as_deref().unwrap_or("-"));
        let subject = subject.unwrap_or("-");
        *kinds
            .entry(format!("{} {code} {stage} {errno} {address} {subject}", severity.as_str().unwrap()))
            .or_default() += 1;
        assert!(!finding.evidence.is_empty(), "{name}: no evidence: {}", finding.summary);
    }
    kinds.into_iter().map(|(kind, count)| format!("{count} {kind}")).collect()
}

#[test]
fn real_captures_give_what_was_wrong_and_nothing_else() {
    // Forty-five publishers that nobody serves, registered so that answers become long enough to be compressed; two asked for them.
    let many: Vec<String> = (40_000..40_045)
        .map(|port| format!("2 error connect-failed xmlrpc ECONNREFUSED 10.0.1.2:{port} /many/pubs"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let (mut diagnosed, mut total, mut false_alarms, mut complaints) = (0, 0, 0, Vec::new());
    for (name, expected) in CAPTURES.iter().copied().chain([("s04_gzip-inner", many.as_slice())]) {
        let given = findings(name);
        let given: BTreeSet<&str> = given.iter().map(String::as_str).collect();
        let expected: BTreeSet<&str> = expected.iter().copied().collect();
        total += expected.len();
        diagnosed += expected.intersection(&given).count();
        false_alarms += given.difference(&expected).count();
        complaints.extend(expected.difference(&given).map(|line| format!("{name}: missing {line}")));
        complaints.extend(given.difference(&expected).map(|line| format!("{name}: not expected {line}")));
    }
    println!("diagnosed {diagnosed} of {total}, false alarms {false_alarms}");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_capture_is_judged() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ros1/pcap");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let captures: BTreeSet<String> = files.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    let judged: BTreeSet<String> =
        CAPTURES.iter().map(|(name, _)| *name).chain(["s04_gzip-inner"]).map(str::to_owned).collect();
    assert_eq!(captures, judged);
}
