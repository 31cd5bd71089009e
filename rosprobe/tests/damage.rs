//! Damaged files never panic, from the packet to the findings. `PROPTEST_CASES=100000 cargo test -p rosprobe --release --test damage`
//! tries for longer.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::Cursor;
use std::path::Path;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use rosprobe::capture::pcap::PacketCapture;
use rosprobe::decode::Decoder;
use rosprobe::session::Session;
use rosprobe::trace;

static CAPTURES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ros1/pcap");
    ["s02_reject_rst_roscpp-outer", "s02_loopback_roscpp-outer", "s03_reverse_noroute-outer", "s07_udpros-inner"]
        .map(|name| std::fs::read(folder.join(name).with_extension("pcap")).unwrap())
        .into()
});

const TRACE: &[u8] = include_bytes!("fixtures/trace/version-1.json");

fn diagnosed(file: Vec<u8>) -> Option<Session> {
    let mut capture = PacketCapture::new(Cursor::new(file)).ok()?;
    let (mut events, mut observations) = (Vec::new(), Vec::new());
    while capture.read(&mut events) {}
    let mut decoder = Decoder::new(capture.clock()?).of_packets();
    for event in events {
        decoder.handle(event, &mut observations);
    }
    decoder.finish(capture.now(), &mut observations);
    let mut session = Session::for_file();
    for observation in observations {
        session.observe(observation);
    }
    session.finish_file(capture.now(), 0, 0, Vec::new());
    Some(session)
}

fn damage(file: &[u8], edits: &[(usize, u8)], length: usize) -> Vec<u8> {
    let mut file = file.to_vec();
    for (at, byte) in edits {
        let at = at % file.len();
        file[at] = *byte;
    }
    file.truncate(file.len() - length % file.len() / 2);
    file
}

proptest! {
    #[test]
    fn of_a_damaged_capture(which in 0..4_usize, edits in vec((any::<usize>(), any::<u8>()), 0..30), cut in any::<usize>()) {
        if let Some(session) = diagnosed(damage(&CAPTURES[which], &edits, cut)) {
            let history: Vec<_> = session.history().iter().map(|observation| observation.monotonic).collect();
            prop_assert!(history.iter().all(|time| *time <= session.graph().now()));
        }
    }

    #[test]
    fn of_a_damaged_trace(edits in vec((any::<usize>(), any::<u8>()), 0..10), cut in any::<usize>()) {
        let mut session = Session::for_file();
        let read = trace::read(Cursor::new(damage(TRACE, &edits, cut)), &mut |observation| session.observe(observation));
        if let Ok(reading) = read {
            session.finish_file(reading.meta.end, 0, 0, reading.findings);
            trace::document_to_string(&reading.meta, &session).unwrap();
        }
    }

    #[test]
    fn of_no_file_at_all(bytes in vec(any::<u8>(), 0..2000), json in any::<bool>()) {
        let head: &[u8] = if json { b"{\"rosprobe_trace\":1,\"observations\":[\n{" } else { b"" };
        drop(trace::read(Cursor::new([head, &bytes].concat()), &mut drop));
    }
}
