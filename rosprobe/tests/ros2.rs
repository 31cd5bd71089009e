//! Real ROS 2 traffic: what is decoded of it agrees with tshark, and nothing that is sent can harm the decoder.

#[path = "ros2/decoding.rs"]
mod decoding;
#[path = "ros2/findings.rs"]
mod findings;
#[path = "ros2/graph.rs"]
mod graph;
#[path = "ros2/hostile.rs"]
mod hostile;
#[path = "ros2/scenarios.rs"]
mod scenarios;

use std::path::{Path, PathBuf};

use rosprobe::capture::pcap::PacketCapture;
use rosprobe::decode::Decoder;
use rosprobe::event::{Clock, Event, Monotonic};
use rosprobe::graph::Graph;
use rosprobe::observation::Observation;

const CAPTURES: [&str; 14] = [
    "cyc_cyc_d0",
    "e12_discovery_server",
    "e14_ros_discovery_info",
    "e15_big_sedp",
    "e2_shm_default",
    "e3_frag_cyc",
    "e4_domain_mismatch",
    "e6_noroute_cyc",
    "e6_noroute_rust",
    "e6_samedocker_cyc",
    "e7_qos",
    "fast_fast_d0",
    "mixed_two_domains",
    "rust_rust_d0",
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ros2").join(name)
}

fn clock() -> Clock {
    Clock { zero: jiff::Timestamp::UNIX_EPOCH }
}

fn events(name: &str) -> Vec<Event> {
    events_until(name).0
}

/// With the time of the last packet.
fn events_until(name: &str) -> (Vec<Event>, Monotonic) {
    let mut capture = match PacketCapture::open(&fixture(&format!("{name}.pcap"))) {
        Ok(capture) => capture,
        Err(error) => panic!("{error}"),
    };
    let mut events = Vec::new();
    while capture.read(&mut events) {}
    assert_eq!(capture.damage(), None);
    (events, capture.now())
}

/// The graph at the end of a capture.
fn graph(name: &str) -> Graph {
    let (events, now) = events_until(name);
    let mut graph = Graph::default();
    for observation in decoded(&events) {
        graph.observe(&observation);
    }
    graph.advance(now);
    graph
}

fn decoded(events: &[Event]) -> Vec<Observation> {
    let mut decoder = Decoder::new(clock()).of_packets();
    let mut out = Vec::new();
    for event in events {
        decoder.handle(event.clone(), &mut out);
    }
    decoder.finish(events.last().map(|event| event.time).unwrap_or_default(), &mut out);
    out
}
