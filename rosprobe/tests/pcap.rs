//! Packet captures become events.

use std::path::{Path, PathBuf};

use rosprobe::capture::pcap::PacketCapture;
use rosprobe::event::{Event, Fact};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ros1/pcap")
}

fn events(mut capture: PacketCapture) -> Vec<Event> {
    let mut out = Vec::new();
    while capture.read(&mut out) {}
    assert_eq!(capture.damage(), None);
    out
}

/// How often each fact happened, in a few letters.
fn summary(events: &[Event]) -> String {
    let count = |wanted: fn(&Fact) -> bool| events.iter().filter(|event| wanted(&event.fact)).count();
    let gaps = count(|fact| matches!(fact, Fact::Stream(chunk) if chunk.cut.is_some()));
    assert_eq!(gaps, 0, "real captures are complete");
    assert_eq!(count(|fact| matches!(fact, Fact::AlreadyOpen)), 0);
    format!(
        "syn {} repeated {} established {} error {} closed {}",
        count(|fact| matches!(fact, Fact::SynSent)),
        count(|fact| matches!(fact, Fact::SynRetransmitted)),
        count(|fact| matches!(fact, Fact::Established { .. })),
        count(|fact| matches!(fact, Fact::SocketError { .. })),
        count(|fact| matches!(fact, Fact::Closed)),
    )
}

#[test]
fn real_captures_have_the_connections_that_tcpdump_shows() {
    for (name, expected) in [
        ("s01_inner_works-inner", "syn 13 repeated 0 established 13 error 0 closed 13"),
        ("s02_badname_rospy-outer", "syn 35 repeated 0 established 35 error 1 closed 35"),
        ("s02_drop_rospy-outer", "syn 44 repeated 72 established 30 error 0 closed 42"),
        ("s02_loopback_roscpp-outer", "syn 5 repeated 0 established 4 error 1 closed 5"),
        ("s02_reject_rst_roscpp-outer", "syn 5 repeated 0 established 4 error 1 closed 5"),
        ("s03_reverse_noroute-outer", "syn 1 repeated 0 established 1 error 0 closed 1"),
        ("s04_gzip-router", "syn 23 repeated 0 established 17 error 6 closed 23"),
        ("s06_service_bad-outer", "syn 13 repeated 0 established 12 error 2 closed 13"),
        ("s06_stale-outer", "syn 46 repeated 0 established 38 error 9 closed 46"),
    ] {
        let capture = PacketCapture::open(&fixtures().join(name).with_extension("pcap")).unwrap();
        assert_eq!(summary(&events(capture)), expected, "{name}");
    }
}

#[test]
fn no_segment_of_a_real_capture_is_stray_or_malformed() {
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let path = entry.unwrap().path();
        let mut capture = PacketCapture::open(&path).unwrap();
        let mut out = Vec::new();
        while capture.read(&mut out) {}
        let counts = capture.counts();
        assert_eq!(
            (counts.malformed, counts.stray_segments, counts.cut, counts.incomplete_fragments),
            (0, 0, 0, 0),
            "{}",
            path.display()
        );
        assert!(counts.unknown_link.is_empty());
    }
}
