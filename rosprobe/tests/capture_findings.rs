//! Real captures give the findings of what was wrong when they were taken, and no other.

#![expect(clippy::unwrap_used, reason = "a test whose data cannot be read has failed")]

use std::collections::BTreeSet;
use std::path::Path;

use rosprobe::capture::pcap::PacketCapture;
use rosprobe::decode::Decoder;
use rosprobe::diagnosis::Severity;
use rosprobe::event::{Clock, Monotonic};
use rosprobe::session::Session;

/// Everything above info that a capture shows, each kind once: code, stage, errno, subject, address where the port is not by chance.
fn findings(name: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ros1/pcap").join(name).with_extension("pcap");
    let mut capture = PacketCapture::open(&path).unwrap();
    let mut events = Vec::new();
    while capture.read(&mut events) {}
    let mut decoder = Decoder::new(Clock { zero: jiff::Timestamp::UNIX_EPOCH }).of_packets();
    let (mut session, mut observations, mut now) = (Session::default(), Vec::new(), Monotonic(0));
    for event in events {
        now = now.max(event.time);
        decoder.handle(event, &mut observations);
        observations.drain(..).for_each(|observation| session.observe(observation));
        session.advance(now);
    }
    decoder.finish(now, &mut observations);
    observations.drain(..).for_each(|observation| session.observe(observation));
    session.advance(now);
    let worse = session.findings().iter().filter(|finding| finding.severity != Severity::Info);
    worse
        .map(|finding| {
            let stage = finding.stage.map_or("-", |stage| stage.word());
            let errno = finding.errno.map_or("-".into(), |errno| errno.to_string());
            let subject = [&finding.topic, &finding.service, &finding.node].into_iter().flatten().next();
            format!("{} {stage} {errno} {}", finding.code.word(), subject.map_or("-", String::as_str))
        })
        .collect()
}

#[test]
fn real_captures_give_what_was_wrong_and_nothing_else() {
    let cases: &[(&str, &[&str])] = &[
        ("s01_inner_works-inner", &[]),
        ("s01_inner_works-router", &[]),
        ("s02_badname_rospy-outer", &["name-unresolved xmlrpc - /some/topic"]),
        ("s02_noroute_rospy-outer", &["never-attempted xmlrpc - /some/topic"]),
        ("s02_noroute_rospy-router", &["never-attempted xmlrpc - /some/topic"]),
        ("s02_loopback_roscpp-outer", &["loopback-advertised xmlrpc - /some/topic"]),
        ("s02_reject_rst_roscpp-outer", &["connect-failed xmlrpc ECONNREFUSED /some/topic"]),
        ("s02_badname_rospy-router", &["name-unresolved xmlrpc - /some/topic"]),
        ("s02_reject_rst_roscpp-router", &["connect-failed xmlrpc ECONNREFUSED /some/topic"]),
        (
            "s02_drop_rospy-outer",
            &[
                "connect-abandoned xmlrpc - /some/topic",
                "service-unreachable service - /rosout/get_loggers",
                "service-unreachable service - /rosout/set_logger_level",
            ],
        ),
        ("s04_gzip-inner", &["connect-failed xmlrpc ECONNREFUSED /many/pubs"]),
        ("s04_gzip-router", &[]),
        ("s06_md5-outer", &["header-refused header - /rosout_agg", "header-refused header - /some/topic"]),
        ("s06_service_bad-outer", &[]),
        (
            "s06_stale-outer",
            &[
                "connect-failed xmlrpc ECONNREFUSED /some/topic",
                "service-unreachable service ECONNREFUSED /talker/get_loggers",
                "service-unreachable service ECONNREFUSED /talker/set_logger_level",
            ],
        ),
        ("s03_reverse_noroute-router", &["callback-failed callback - /some/topic"]),
        ("s07_udpros-inner", &[]),
        ("s07_udpros-router", &[]),
    ];
    for (name, expected) in cases {
        assert_eq!(findings(name), expected.iter().map(ToString::to_string).collect(), "{name}");
    }
}
