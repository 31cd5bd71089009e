//! Whole packet captures of real ROS 1 systems, healthy and broken.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rosprobe::capture::pcap::PacketCapture;
use rosprobe::decode::Decoder;
use rosprobe::event::Event;
use rosprobe::observation::{Answer, Observation, What};

fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ros1/pcap");
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("fixtures").map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths
}

fn observations(path: &Path) -> Vec<Observation> {
    let mut capture = PacketCapture::open(path).expect("a capture");
    let mut events: Vec<Event> = Vec::new();
    while capture.read(&mut events) {}
    let mut decoder = Decoder::new(capture.clock().expect("a first packet")).of_packets();
    let mut out = Vec::new();
    for event in events {
        decoder.handle(event, &mut out);
    }
    decoder.finish(capture.now(), &mut out);
    out
}

/// What kinds of observations there are, and how many calls have no answer and answers no call.
fn summary(out: &[Observation]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for observation in out {
        let json = serde_json::to_value(&observation.what).expect("serialisable");
        let kind = json["kind"].as_str().expect("every observation has a kind").to_owned();
        let kind = match &observation.what {
            What::Answer { to: None, .. } => format!("{kind} without a call"),
            What::Malformed { reason, .. } => format!("{kind}: {reason}"),
            What::Call { call: rosprobe::observation::Call::Other { name, mismatch, .. }, .. } => {
                format!("{kind} of no API: {name} {}", mismatch.as_deref().unwrap_or_default())
            }
            _ => kind,
        };
        *counts.entry(kind).or_insert(0) += 1;
    }
    counts
}

#[test]
fn real_captures_decode_without_a_remainder() {
    let summaries: BTreeMap<_, _> = captures()
        .iter()
        .map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), summary(&observations(path))))
        .collect();
    insta::assert_yaml_snapshot!("captures", summaries);
}

#[test]
fn forty_five_publishers_come_out_of_a_compressed_answer() {
    let path = captures().into_iter().find(|path| path.ends_with("s04_gzip-inner.pcap")).expect("a fixture");
    let most = observations(&path).into_iter().filter_map(|observation| match observation.what {
        What::Answer { answer: Answer::Publishers { publishers, .. }, .. } => Some(publishers),
        _ => None,
    });
    let most = most.max_by_key(Vec::len).expect("an answer");
    assert_eq!(most.len(), 45);
    assert!(most.iter().all(|uri| rosprobe::observation::AdvertisedUri::parse(uri).is_ok()), "{most:?}");
}
